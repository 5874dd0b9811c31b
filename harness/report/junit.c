/* The JUnit XML report, in the form that CI systems read: a suite for each chapter of the catalogue. */
#include <string.h>

#include "report/private.h"

/* ---- XML ---------------------------------------------------------------------------------------- */

static void append_attribute(GString *out, const char *name, const char *text)
{
    g_autofree char *shown = report_clean(text);
    g_autofree char *escaped = g_markup_escape_text(shown, -1);

    g_string_append_printf(out, " %s=\"%s\"", name, escaped);
}

static void append_text(GString *out, const char *text)
{
    g_autofree char *shown = report_clean_lines(text);
    g_autofree char *escaped = g_markup_escape_text(shown, -1);

    g_string_append(out, escaped);
}

static void append_time(GString *out, unsigned milliseconds)
{
    g_string_append_printf(out, " time=\"%u.%03u\"", milliseconds / 1000, milliseconds % 1000);
}

/* ---- A case ------------------------------------------------------------------------------------- */

static void append_line(GString *out, const char *name, const char *text)
{
    if (text == NULL)
        return;
    g_autofree char *shown = report_clean(text);
    g_autofree char *line = g_strdup_printf("%s: %s\n", name, shown);
    append_text(out, line);
}

static void append_transcript(GString *out, const char *transcript)
{
    if (transcript == NULL || transcript[0] == '\0')
        return;
    g_string_append(out, "\ntranscript:\n");
    append_text(out, transcript);
}

static void append_finding(GString *out, const PlayCase *play_case, const Finding *finding)
{
    g_autofree char *place = report_place(play_case, finding);
    const Requirement *requirement = finding->requirement;

    append_line(out, "finding", finding->message);
    append_line(out, "case", place);
    if (requirement != NULL) {
        g_autofree char *link = requirement_link(requirement);
        append_line(out, "requirement", requirement->id);
        append_line(out, "level", requirement_level_name(requirement->level));
        append_line(out, "sentence", requirement->summary);
        append_line(out, "link", link);
    }
    append_line(out, "expected", finding->expected);
    append_line(out, "got", finding->got);
    append_transcript(out, finding->transcript);
}

static void append_evidence(GString *out, const RunEntry *entry)
{
    const PlayResult *result = entry->result;

    append_line(out, "title", entry->play_case->title);
    append_line(out, "reason", result->reason);
    for (unsigned i = 0; result->findings != NULL && i < result->findings->len; i++) {
        g_string_append_c(out, '\n');
        append_finding(out, entry->play_case, g_ptr_array_index(result->findings, i));
    }
    append_transcript(out, result->transcript);
}

/* <failure> or <error>. */
static void append_failure(GString *out, const char *element, const char *type,
                           const RunEntry *entry)
{
    g_string_append_printf(out, "      <%s", element);
    append_attribute(out, "type", type);
    append_attribute(out, "message", entry->result->reason);
    g_string_append_c(out, '>');
    append_evidence(out, entry);
    g_string_append_printf(out, "</%s>\n", element);
}

static void append_skipped(GString *out, const PlayResult *result)
{
    g_autofree char *message = g_strconcat(result->verdict == VERDICT_BLOCKED ? "blocked: " : "",
                                           result->reason != NULL ? result->reason : "", NULL);

    g_string_append(out, "      <skipped");
    append_attribute(out, "message", message);
    g_string_append(out, "/>\n");
}

static bool has_output(const PlayResult *result)
{
    return result->verdict == VERDICT_WARN ||
           (result->measurements != NULL && result->measurements->len > 0);
}

static void append_measurements(GString *out, const GPtrArray *measurements)
{
    for (guint i = 0; i < measurements->len; i++) {
        const Measurement *measurement = measurements->pdata[i];
        g_autofree char *name = g_strdup_printf("measured, %s", measurement->name);
        append_line(out, name, measurement->text);
    }
}

/* JUnit has no warnings: a case with one passes, and says so in its output. What was measured stands there,
 * too. */
static void append_output(GString *out, const RunEntry *entry)
{
    const PlayResult *result = entry->result;

    if (!has_output(result))
        return;
    g_string_append(out, "      <system-out>");
    if (result->measurements != NULL)
        append_measurements(out, result->measurements);
    if (result->verdict == VERDICT_WARN) {
        g_string_append(out, result->kind == KIND_HINT ? "hint: " : "warning: ");
        append_evidence(out, entry);
    }
    g_string_append(out, "</system-out>\n");
}

static void append_verdict(GString *out, const RunEntry *entry)
{
    const PlayResult *result = entry->result;

    switch (result->verdict) {
    case VERDICT_FAIL:
        append_failure(out, "failure", verdict_kind_name(result->kind), entry);
        break;
    case VERDICT_ERROR:
        append_failure(out, "error", "harness", entry);
        break;
    case VERDICT_SKIP:
    case VERDICT_BLOCKED:
        append_skipped(out, result);
        break;
    default:
        break;
    }
    append_output(out, entry);
}

/* What was found on the way to the cases belongs to none. */
static const char *path_of(const RunEntry *entry)
{
    const Scenario *scenario = entry->play_case->scenario;

    return scenario != NULL ? scenario->path : entry->play_case->id;
}

static void append_case(GString *out, const RunEntry *entry)
{
    const char *id = entry->play_case->id;
    const char *path = path_of(entry);
    const char *slash = strrchr(path, '/');
    g_autofree char *folder =
        slash != NULL ? g_strndup(path, (gsize)(slash - path)) : g_strdup(path);
    g_autofree char *class = g_strdelimit(g_strdup(folder), "/", '.');
    size_t length = strlen(folder);
    const char *name = strncmp(id, folder, length) == 0 && id[length] == '/' ? id + length + 1 : id;

    g_string_append(out, "    <testcase");
    append_attribute(out, "classname", class);
    append_attribute(out, "name", name);
    append_time(out, entry->result->duration_us / 1000);
    if (entry->result->verdict == VERDICT_PASS && !has_output(entry->result)) {
        g_string_append(out, "/>\n");
        return;
    }
    g_string_append(out, ">\n");
    append_verdict(out, entry);
    g_string_append(out, "    </testcase>\n");
}

/* ---- Suites ------------------------------------------------------------------------------------- */

typedef struct {
    char *name;
    GPtrArray *entries;
    unsigned failures, errors, skipped, duration_ms;
} Suite;

static void suite_free(Suite *suite)
{
    g_free(suite->name);
    g_ptr_array_unref(suite->entries);
    g_free(suite);
}

/* The first two folders of a path: "server/handshake". */
static char *chapter_of(const char *path)
{
    const char *end = strchr(path, '/');
    const char *second = end != NULL ? strchr(end + 1, '/') : NULL;

    if (second != NULL)
        end = second;
    return end != NULL ? g_strndup(path, (gsize)(end - path)) : g_strdup(path);
}

static void suite_add(Suite *suite, RunEntry *entry)
{
    Verdict verdict = entry->result->verdict;

    g_ptr_array_add(suite->entries, entry);
    suite->failures += verdict == VERDICT_FAIL;
    suite->errors += verdict == VERDICT_ERROR;
    suite->skipped += verdict == VERDICT_SKIP || verdict == VERDICT_BLOCKED;
    suite->duration_ms += entry->result->duration_us / 1000;
}

static GPtrArray *make_suites(const RunSummary *summary)
{
    GPtrArray *suites = g_ptr_array_new_with_free_func((GDestroyNotify)suite_free);
    g_autoptr(GHashTable) by_name = g_hash_table_new(g_str_hash, g_str_equal);

    for (unsigned i = 0; i < summary->entries->len; i++) {
        RunEntry *entry = g_ptr_array_index(summary->entries, i);
        g_autofree char *name = chapter_of(path_of(entry));
        Suite *suite = g_hash_table_lookup(by_name, name);
        if (suite == NULL) {
            suite = g_new0(Suite, 1);
            suite->name = g_steal_pointer(&name);
            suite->entries = g_ptr_array_new();
            g_ptr_array_add(suites, suite);
            g_hash_table_insert(by_name, suite->name, suite);
        }
        suite_add(suite, entry);
    }
    return suites;
}

static void append_counts(GString *out, const char *name, unsigned tests, unsigned failures,
                          unsigned errors, unsigned skipped, unsigned duration_ms)
{
    append_attribute(out, "name", name);
    g_string_append_printf(out, " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\"", tests,
                           failures, errors, skipped);
    append_time(out, duration_ms);
}

static void append_property(GString *out, const char *name, const char *value)
{
    g_string_append(out, "      <property");
    append_attribute(out, "name", name);
    append_attribute(out, "value", value);
    g_string_append(out, "/>\n");
}

static void append_suite(GString *out, const Suite *suite, const RunOptions *options,
                         const RunSummary *summary)
{
    g_autofree char *started = report_time(summary);

    g_string_append(out, "  <testsuite");
    append_counts(out, suite->name, suite->entries->len, suite->failures, suite->errors,
                  suite->skipped, suite->duration_ms);
    append_attribute(out, "timestamp", started);
    g_string_append(out, ">\n    <properties>\n");
    append_property(out, "tool", "nbdconform " NBDCONFORM_VERSION);
    append_property(out, "catalogue", catalogue_hash);
    append_property(out, "target", options->target_name);
    g_string_append(out, "    </properties>\n");
    for (unsigned i = 0; i < suite->entries->len; i++)
        append_case(out, g_ptr_array_index(suite->entries, i));
    g_string_append(out, "  </testsuite>\n");
}

char *report_junit_text(const RunOptions *options, const RunSummary *summary)
{
    GString *out = g_string_new("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
    g_autoptr(GPtrArray) suites = make_suites(summary);

    append_counts(out, "nbdconform", summary->entries->len, summary->count[VERDICT_FAIL],
                  summary->count[VERDICT_ERROR],
                  summary->count[VERDICT_SKIP] + summary->count[VERDICT_BLOCKED],
                  summary->duration_ms);
    g_string_append(out, ">\n");
    for (unsigned i = 0; i < suites->len; i++)
        append_suite(out, g_ptr_array_index(suites, i), options, summary);
    g_string_append(out, "</testsuites>\n");
    return g_string_free(out, FALSE);
}
