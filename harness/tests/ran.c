/* Cases from lines, a server that watches, and what a run came to. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "ran.h"

const char *const ran_serve[] = {"serve", NULL};

/* ---- Cases ------------------------------------------------------------------------------------ */

static void add_case(Cases *cases, const char *lines)
{
    g_autofree char *path = g_strdup_printf("c%u", cases->scenarios->len);
    g_autofree char *text = g_strconcat(CASE_HEAD, lines, NULL);
    g_autoptr(GError) error = NULL;
    Scenario *scenario = scenario_parse(path, path, text, strlen(text), &error);

    if (scenario == NULL || !play_compile(scenario, cases->cases, &error))
        g_error("%s", error->message);
    g_ptr_array_add(cases->scenarios, scenario);
}

static Cases *no_cases(void)
{
    Cases *cases = g_new0(Cases, 1);

    cases->scenarios = g_ptr_array_new_with_free_func((GDestroyNotify)scenario_free);
    cases->cases = g_ptr_array_new_with_free_func((GDestroyNotify)play_case_free);
    return cases;
}

Cases *cases_new(const char *const *lines)
{
    Cases *cases = no_cases();

    for (; *lines != NULL; lines++)
        add_case(cases, *lines);
    return cases;
}

Cases *cases_repeat(const char *lines, unsigned count)
{
    Cases *cases = no_cases();

    for (unsigned i = 0; i < count; i++)
        add_case(cases, lines);
    return cases;
}

void cases_free(Cases *cases)
{
    if (cases == NULL)
        return;
    g_ptr_array_unref(cases->cases);
    g_ptr_array_unref(cases->scenarios);
    g_free(cases);
}

/* ---- The server ------------------------------------------------------------------------------- */

/* Long enough for any machine; and long against what a case takes. */
#define MEETING_US (60 * G_USEC_PER_SEC)
#define MOMENT_US (20 * 1000)

static void meet(Watch *watch)
{
    gint64 until_us = g_get_monotonic_time() + MEETING_US;
    unsigned meeting = watch->meetings;

    if (++watch->waiting == 2) {
        watch->waiting = 0;
        watch->meetings++;
        g_cond_broadcast(&watch->met);
    }
    while (watch->meetings == meeting && g_cond_wait_until(&watch->met, &watch->mutex, until_us)) {
    }
}

static void linger(Watch *watch)
{
    gint64 until_us = g_get_monotonic_time() + MOMENT_US;

    while (g_cond_wait_until(&watch->met, &watch->mutex, until_us)) {
    }
}

/* True on the first connection to the export. */
static bool first(Watch *watch, const FakeRequest *request)
{
    gpointer known = g_hash_table_lookup(watch->seen, request->export_name);

    if (known == NULL) {
        known = GUINT_TO_POINTER(request->connection + 1);
        g_hash_table_insert(watch->seen, g_strdup(request->export_name), known);
    }
    return known == GUINT_TO_POINTER(request->connection + 1);
}

static FakeReaction react(Watch *watch, const FakeRequest *request)
{
    const char *name = request->export_name;

    if (g_str_equal(name, "silent") || (g_str_equal(name, "once") && first(watch, request)))
        return FAKE_IGNORE;
    if (g_str_equal(name, "leaves"))
        return FAKE_CLOSE;
    if (g_str_equal(name, "meets") && request->command == NBD_CMD_WRITE)
        meet(watch);
    if (g_str_equal(name, "lingers"))
        linger(watch);
    return g_str_equal(name, "fails") ? FAKE_FAIL : FAKE_ANSWER;
}

/* What a client asks behind the last line; the cases themselves don't read so much. */
static bool is_fence(const FakeRequest *request)
{
    return request->command == NBD_CMD_READ && request->length == 512;
}

static FakeReaction note(void *data, const FakeRequest *request)
{
    Watch *watch = data;
    FakeRequest kept = *request;

    if (request->command == NBD_CMD_DISC || is_fence(request))
        return FAKE_ANSWER;
    g_mutex_lock(&watch->mutex);
    kept.export_name = g_intern_string(request->export_name);
    g_array_append_val(watch->log, kept);
    FakeReaction reaction = react(watch, request);
    g_mutex_unlock(&watch->mutex);
    return reaction;
}

Watch *ran_watch_new(const char *const *scripts, uint64_t size, uint16_t flags)
{
    Watch *watch = g_new0(Watch, 1);
    FakeConfig config = {.scripts = scripts,
                         .size = size,
                         .transmission_flags = flags,
                         .handler = note,
                         .data = watch};

    g_mutex_init(&watch->mutex);
    g_cond_init(&watch->met);
    watch->log = g_array_new(FALSE, FALSE, sizeof(FakeRequest));
    watch->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    watch->server = fake_server_new(&config);
    return watch;
}

void ran_watch_free(Watch *watch)
{
    if (watch == NULL)
        return;
    fake_server_free(watch->server);
    g_array_unref(watch->log);
    g_hash_table_unref(watch->seen);
    g_cond_clear(&watch->met);
    g_mutex_clear(&watch->mutex);
    g_free(watch);
}

unsigned watch_count(const Watch *watch, const char *name)
{
    unsigned count = 0;

    for (guint i = 0; i < watch->log->len; i++)
        count += g_str_equal(g_array_index(watch->log, FakeRequest, i).export_name, name);
    return count;
}

/* ---- The run ---------------------------------------------------------------------------------- */

RunOptions ran_options(const TransportAddress *address, const Cases *cases, unsigned jobs)
{
    RunOptions options = {.mode = played_mode(), .cases = cases->cases, .jobs = jobs};

    options.mode.address = address;
    options.mode.timeout_ms = HASTY_MS;
    options.target_name = "the fake server";
    return options;
}

RunSummary *ran(const RunOptions *options)
{
    g_autoptr(GError) error = NULL;
    RunSummary *summary = run_cases(options, &error);

    if (summary == NULL)
        g_error("%s", error->message);
    return summary;
}

char *ran_text(const RunSummary *summary)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < summary->entries->len; i++) {
        const RunEntry *entry = summary->entries->pdata[i];
        const char *kind = verdict_kind_name(entry->result->kind);
        g_string_append_printf(text, "%s%s: %s%s%s", i > 0 ? ", " : "", entry->play_case->id,
                               verdict_name(entry->result->verdict), *kind == '\0' ? "" : " ",
                               kind);
    }
    return g_string_free(text, FALSE);
}

bool ran_is(const RunSummary *summary, const char *text, int line)
{
    g_autofree char *got = ran_text(summary);
    bool is = g_str_equal(got, text);

    if (is)
        return true;
    g_printerr("\n  line %d: %s\n", line, got);
    for (guint i = 0; i < summary->entries->len; i++) {
        const RunEntry *entry = summary->entries->pdata[i];
        g_printerr("  %s: %s\n%s", entry->play_case->id, entry->result->reason,
                   entry->result->transcript);
    }
    return false;
}
