/* From the lines of a case to what playing it showed. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "played.h"

Compiled *compiled_new(const char *lines)
{
    Compiled *compiled = g_new0(Compiled, 1);
    g_autofree char *text = g_strconcat(CASE_HEAD, lines, NULL);
    g_autoptr(GError) error = NULL;

    compiled->cases = g_ptr_array_new_with_free_func((GDestroyNotify)play_case_free);
    compiled->scenario = scenario_parse("t", "t.case", text, strlen(text), &error);
    if (compiled->scenario == NULL || !play_compile(compiled->scenario, compiled->cases, &error))
        g_error("%s", error->message);
    return compiled;
}

void compiled_free(Compiled *compiled)
{
    if (compiled == NULL)
        return;
    g_ptr_array_unref(compiled->cases);
    scenario_free(compiled->scenario);
    g_free(compiled);
}

const PlayCase *compiled_case(const Compiled *compiled, guint index)
{
    return compiled->cases->pdata[index];
}

PlayMode played_mode(void)
{
    return (PlayMode){
        .export_name = "disk", .timeout_ms = PATIENT_MS, .allow_writes = true, .salt = 1};
}

static Played *play(const char *lines, const FakeConfig *config, const PlayMode *mode,
                    const PlayTarget *target)
{
    Played *played = g_new0(Played, 1);
    PlayMode with_address = mode == NULL ? played_mode() : *mode;

    played->compiled = compiled_new(lines);
    played->server = fake_server_new(config);
    with_address.address = fake_server_address(played->server);
    played->result = play_run_case(compiled_case(played->compiled, 0), &with_address, target, 0);
    fake_server_finish(played->server);
    return played;
}

Played *played_config_new(const char *lines, const FakeConfig *config, const PlayMode *mode)
{
    return play(lines, config, mode, NULL);
}

Played *played_target_new(const char *lines, const char *const *scripts, const PlayTarget *target)
{
    FakeConfig config = {.scripts = scripts};

    return play(lines, &config, NULL, target);
}

Played *played_scripts_new(const char *lines, const char *const *scripts, const PlayMode *mode)
{
    FakeConfig config = {.scripts = scripts};

    return played_config_new(lines, &config, mode);
}

Played *played_mode_new(const char *lines, const char *script, const PlayMode *mode)
{
    const char *const scripts[] = {script, NULL};

    return played_scripts_new(lines, scripts, mode);
}

Played *played_new(const char *lines, const char *script)
{
    return played_mode_new(lines, script, NULL);
}

void played_free(Played *played)
{
    if (played == NULL)
        return;
    play_result_free(played->result);
    fake_server_free(played->server);
    compiled_free(played->compiled);
    g_free(played);
}

static char *ids(const GPtrArray *findings)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = findings->pdata[i];
        g_string_append_printf(text, "%s%s", i > 0 ? " " : "", finding->requirement->id);
    }
    return g_string_free(text, FALSE);
}

bool played_is(const Played *played, const char *verdict, const char *findings, const char *setup,
               int line)
{
    const PlayResult *result = played->result;
    const char *kind = verdict_kind_name(result->kind);
    g_autofree char *got =
        g_strconcat(verdict_name(result->verdict), *kind == '\0' ? "" : " ", kind, NULL);
    g_autofree char *found = ids(result->findings);
    g_autofree char *on_the_way = ids(result->setup);
    const char *complaints = fake_server_complaints(played->server);
    bool is = g_str_equal(got, verdict) && g_str_equal(found, findings) &&
              g_str_equal(on_the_way, setup) && *complaints == '\0';

    if (!is)
        g_printerr("\n  line %d: %s: %s\n  findings: %s\n  set-up: %s\n  %s\n%s", line, got,
                   result->reason == NULL ? "" : result->reason, found, on_the_way, complaints,
                   result->transcript);
    return is;
}
