/* The end of the console's report: what was not played, and why, and the counts. */
#include <string.h>

#include "report/private.h"

/* Fewer are seen at a glance. */
#define MANY_FAILURES 6u
#define SHOWN_CAUSES 5u

#define LONG_WAIT_MS 10000u

/* ---- Counting by reason ------------------------------------------------------------------------ */

typedef struct {
    const char *reason;             /* the id of … */
    const Requirement *requirement; /* … what failed or blocked, or NULL */
    unsigned count;
} Reason;

static int compare_reasons(const void *a, const void *b)
{
    const Reason *left = *(const Reason *const *)a, *right = *(const Reason *const *)b;

    if (left->count != right->count)
        return left->count > right->count ? -1 : 1;
    return strcmp(left->reason, right->reason);
}

/* What RESULT's case failed by, or what blocked it; NULL where no requirement is to blame. */
static const Requirement *requirement_of(const PlayResult *result)
{
    const Finding *cause = result->verdict == VERDICT_FAIL ? report_cause(result) : NULL;

    if (cause != NULL)
        return cause->requirement;
    return result->blocked_by != NULL ? requirement_find(result->blocked_by) : NULL;
}

static const char *reason_of(const PlayResult *result)
{
    const Requirement *requirement = requirement_of(result);

    if (requirement != NULL)
        return requirement->id;
    if (result->verdict == VERDICT_BLOCKED && result->blocked_by != NULL)
        return result->blocked_by;
    return result->reason != NULL ? result->reason : "no reason given";
}

/* The reasons of VERDICT, the most frequent first. */
static GPtrArray *count_reasons(const RunSummary *summary, Verdict verdict)
{
    GPtrArray *reasons = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (unsigned i = 0; i < summary->entries->len; i++) {
        const RunEntry *entry = g_ptr_array_index(summary->entries, i);
        if (entry->result->verdict != verdict)
            continue;
        Reason *reason = g_hash_table_lookup(seen, reason_of(entry->result));
        if (reason == NULL) {
            reason = g_new0(Reason, 1);
            reason->reason = reason_of(entry->result);
            reason->requirement = requirement_of(entry->result);
            g_hash_table_insert(seen, (gpointer)reason->reason, reason);
            g_ptr_array_add(reasons, reason);
        }
        reason->count++;
    }
    g_ptr_array_sort(reasons, compare_reasons);
    return reasons;
}

static void print_skips(const Paper *paper, const RunSummary *summary)
{
    g_autoptr(GPtrArray) reasons = count_reasons(summary, VERDICT_SKIP);

    if (reasons->len > 0)
        fputs("\nskipped:\n", paper->out);
    for (unsigned i = 0; i < reasons->len; i++) {
        const Reason *reason = g_ptr_array_index(reasons, i);
        g_autofree char *text = report_clean(reason->reason);
        fprintf(paper->out, "  %5u  %s\n", reason->count, text);
    }
}

/* With what it asks, where REASON is a requirement. */
static void print_requirement(const Paper *paper, const Reason *reason)
{
    const Requirement *requirement = reason->requirement;
    g_autofree char *text = report_clean(reason->reason);

    fprintf(paper->out, "  %5u  %s%s%s\n", reason->count, text, requirement != NULL ? ": " : "",
            requirement != NULL ? requirement->summary : "");
}

/* The step that failed has a verdict of its own; here stands what it kept from being seen. */
static void print_blocked(const Paper *paper, const RunSummary *summary)
{
    g_autoptr(GPtrArray) steps = count_reasons(summary, VERDICT_BLOCKED);

    if (steps->len > 0)
        fputs("\nblocked by a step before the test:\n", paper->out);
    for (unsigned i = 0; i < steps->len; i++)
        print_requirement(paper, g_ptr_array_index(steps, i));
}

/* Where many cases fail, few causes may be behind them: what most of them broke. */
static void print_causes(const Paper *paper, const RunSummary *summary)
{
    g_autoptr(GPtrArray) causes = count_reasons(summary, VERDICT_FAIL);
    unsigned rest = 0;

    if (summary->count[VERDICT_FAIL] < MANY_FAILURES)
        return;
    fprintf(paper->out, "\n%u failed, by what they broke:\n", summary->count[VERDICT_FAIL]);
    for (unsigned i = 0; i < causes->len; i++) {
        const Reason *cause = g_ptr_array_index(causes, i);
        if (i < SHOWN_CAUSES)
            print_requirement(paper, cause);
        else
            rest += cause->count;
    }
    if (rest > 0)
        fprintf(paper->out, "  %5u  something else (see above)\n", rest);
}

/* Where a run takes long because the server is silent, and not because there is much to do. */
static void print_waiting(const Paper *paper, const RunSummary *summary)
{
    if (summary->waited_ms >= LONG_WAIT_MS && summary->waited_ms >= summary->duration_ms / 3)
        fprintf(paper->out,
                "\nwaited %" G_GUINT64_FORMAT " s for answers that did not come, all cases taken "
                "together: --timeout says how long for each\n",
                summary->waited_ms / 1000);
}

/* ---- What was measured ------------------------------------------------------------------------ */

static void print_measurements(const Paper *paper, const RunSummary *summary)
{
    bool any = false;

    for (unsigned i = 0; i < summary->entries->len; i++) {
        const RunEntry *entry = g_ptr_array_index(summary->entries, i);
        const GPtrArray *measurements = entry->result->measurements;
        for (unsigned k = 0; measurements != NULL && k < measurements->len; k++) {
            const Measurement *measurement = g_ptr_array_index(measurements, k);
            g_autofree char *text = report_clean(measurement->text);
            fprintf(paper->out, "%s  %s\n", any ? "" : "\nmeasured, and not judged:\n", text);
            any = true;
        }
    }
}

/* ---- The closing line -------------------------------------------------------------------------- */

/* " (1 violation, 2 robustness)", or nothing where no kind is counted. */
static void append_kinds(GString *line, const RunSummary *summary)
{
    g_autoptr(GPtrArray) kinds = g_ptr_array_new_with_free_func(g_free);

    if (summary->violations > 0)
        g_ptr_array_add(kinds, report_count(summary->violations, "violation", "violations"));
    if (summary->robustness > 0)
        g_ptr_array_add(kinds, report_count(summary->robustness, "robustness", "robustness"));
    if (summary->no_answer > 0)
        g_ptr_array_add(kinds, report_count(summary->no_answer, "no answer", "no answer"));
    if (kinds->len == 0)
        return;
    g_ptr_array_add(kinds, NULL);
    g_autofree char *joined = g_strjoinv(", ", (char **)kinds->pdata);
    g_string_append_printf(line, " (%s)", joined);
}

static void append_count(GString *line, unsigned count, const char *one, const char *many)
{
    g_autofree char *text = report_count(count, one, many);

    g_string_append_printf(line, ", %s", text);
}

char *report_closing_line(const RunSummary *summary)
{
    GString *line = g_string_new(NULL);
    unsigned hints = MIN(summary->hints, summary->count[VERDICT_WARN]);

    if (summary->interrupted)
        g_string_append_printf(line, "interrupted after %u of ", summary->entries->len);
    g_autofree char *cases = report_count(summary->total, "case", "cases");
    g_string_append_printf(line, "%s: %u passed, %u failed", cases, summary->count[VERDICT_PASS],
                           summary->count[VERDICT_FAIL]);
    append_kinds(line, summary);
    append_count(line, summary->count[VERDICT_WARN] - hints, "warning", "warnings");
    if (hints > 0)
        append_count(line, hints, "hint", "hints");
    append_count(line, summary->count[VERDICT_SKIP], "skipped", "skipped");
    append_count(line, summary->count[VERDICT_BLOCKED], "blocked", "blocked");
    append_count(line, summary->count[VERDICT_ERROR], "error", "errors");
    g_string_append_printf(line, " in %u.%u s", summary->duration_ms / 1000,
                           summary->duration_ms % 1000 / 100);
    return g_string_free(line, FALSE);
}

/* ---- An export that is not there --------------------------------------------------------------- */

/* More would be no line any more. */
#define SHOWN_NAMES 5u

static void append_names(GString *line, const GPtrArray *names)
{
    if (names == NULL)
        return;
    g_string_append(line, names->len == 0 ? "; it lists none" : "; it lists ");
    for (guint i = 0; i < MIN(names->len, SHOWN_NAMES); i++) {
        g_autofree char *name = report_clean(names->pdata[i]);
        g_string_append_printf(line, "%s\"%s\"", i > 0 ? ", " : "", name);
    }
    if (names->len > SHOWN_NAMES)
        g_string_append(line, " and more");
}

char *report_missing_export(const RunSummary *summary, const char *name)
{
    GString *line = g_string_new("the server has no ");
    g_autofree char *clean = report_clean(name);

    if (*name == '\0')
        g_string_append(line, "default export");
    else
        g_string_append_printf(line, "export \"%s\"", clean);
    g_string_append_printf(line, ", and %u %s: give %s by --export NAME", summary->no_export,
                           summary->no_export == 1 ? "case needs it" : "cases need it",
                           *name == '\0' ? "one" : "another");
    append_names(line, summary->listed);
    return g_string_free(line, FALSE);
}

void report_print_summary(const Paper *paper, const RunSummary *summary)
{
    g_autofree char *line = report_closing_line(summary);
    bool bad = summary->count[VERDICT_FAIL] > 0 || summary->count[VERDICT_ERROR] > 0;
    bool good = summary->count[VERDICT_PASS] > 0 && !summary->interrupted;

    print_blocked(paper, summary);
    print_skips(paper, summary);
    print_measurements(paper, summary);
    print_waiting(paper, summary);
    print_causes(paper, summary);
    fputc('\n', paper->out);
    report_paint(paper, bad ? PAINT_BAD : good ? PAINT_GOOD : PAINT_DOUBT, line);
    fputc('\n', paper->out);
}
