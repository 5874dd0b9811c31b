/* The cases of a scenario: one for each combination of its `for` values. */
#include <string.h>

#include "play/compile.h"

void play_case_free(PlayCase *play_case)
{
    if (play_case == NULL)
        return;
    g_free(play_case->id);
    g_free(play_case->title);
    g_hash_table_unref(play_case->values);
    g_ptr_array_unref(play_case->requirements);
    g_free(play_case);
}

/* TITLE with the variables' values in place; `$` before anything else stays. */
static char *substitute(const char *title, GHashTable *values)
{
    GString *text = g_string_new(NULL);

    while (*title != '\0') {
        size_t length =
            *title == '$' ? strspn(title + 1, "abcdefghijklmnopqrstuvwxyz0123456789_") : 0;
        g_autofree char *name = g_strndup(title + 1, length);
        const Value *value = g_hash_table_lookup(values, name);
        g_autofree char *shown = value == NULL ? g_strndup(title, 1 + length) : value_text(value);
        g_string_append(text, shown);
        title += 1 + length;
    }
    return g_string_free(text, FALSE);
}

static char *make_id(const Scenario *scenario, GHashTable *values)
{
    GString *id = g_string_new(scenario->path);

    for (guint i = 0; i < scenario->loops->len; i++) {
        const Loop *loop = scenario->loops->pdata[i];
        g_autofree char *shown = value_text(g_hash_table_lookup(values, loop->variable));
        g_string_append_printf(id, "%s%s=%s", i == 0 ? "@" : ",", loop->variable, shown);
    }
    return g_string_free(id, FALSE);
}

static bool compile_one(const Scenario *scenario, GHashTable *values, GPtrArray *cases,
                        GError **error)
{
    PlayCase *play_case = g_new0(PlayCase, 1);
    Compiler compiler = {.scenario = scenario, .play_case = play_case, .error = error};

    play_case->scenario = scenario;
    play_case->values = values;
    play_case->id = make_id(scenario, values);
    play_case->title = substitute(scenario->title, values);
    play_case->requirements = g_ptr_array_new();
    compiler.case_scope = (Scope){.values = values};
    compiler.scope = (Scope){.values = scope_values_new(), .outer = &compiler.case_scope};
    compiler.open = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    bool good = compile_check_case(&compiler);
    g_hash_table_unref(compiler.open);
    g_hash_table_unref(compiler.scope.values);
    if (good)
        g_ptr_array_add(cases, play_case);
    else
        play_case_free(play_case);
    return good;
}

/* The values of loop LEVEL and those inside it, on top of CHOSEN. */
static bool compile_loops(const Scenario *scenario, guint level, GHashTable *chosen,
                          GPtrArray *cases, GError **error)
{
    if (level == scenario->loops->len) {
        GHashTable *values = scope_values_new();
        GHashTableIter iter;
        gpointer name, value;
        Scope scope = {.values = chosen};
        g_hash_table_iter_init(&iter, chosen);
        while (g_hash_table_iter_next(&iter, &name, &value)) {
            Expr variable = {.kind = EXPR_VARIABLE, .text = name};
            g_hash_table_insert(values, g_strdup(name),
                                value_of(&variable, &scope, NULL, scenario, NULL));
        }
        return compile_one(scenario, values, cases, error);
    }
    const Loop *loop = scenario->loops->pdata[level];
    for (guint i = 0; i < loop->values->len; i++) {
        Value *value = value_of(loop->values->pdata[i], NULL, NULL, scenario, error);
        if (value == NULL)
            return false;
        g_hash_table_insert(chosen, g_strdup(loop->variable), value);
        if (!compile_loops(scenario, level + 1, chosen, cases, error))
            return false;
    }
    return true;
}

/* The lines would see the harness's own value in its place. */
static bool check_variables(const Scenario *scenario, GError **error)
{
    for (guint i = 0; i < scenario->loops->len; i++) {
        const Loop *loop = scenario->loops->pdata[i];
        if (!compile_check_free(scenario, loop->place, loop->variable, error))
            return false;
    }
    return true;
}

bool play_compile(const Scenario *scenario, GPtrArray *cases, GError **error)
{
    if (scenario->peer != PEER_SERVER) /* those are played by the harness in the server's role */
        return true;
    g_autoptr(GHashTable) chosen = scope_values_new();
    return check_variables(scenario, error) && compile_loops(scenario, 0, chosen, cases, error);
}
