/* Counting verdicts, telling the observers, and what the run as a whole comes to. */
#include <string.h>

#include "run/private.h"

static void entry_free(gpointer data)
{
    RunEntry *entry = data;

    play_result_free(entry->result);
    g_free(entry);
}

void run_summary_free(RunSummary *summary)
{
    if (summary == NULL)
        return;
    g_ptr_array_unref(summary->entries);
    if (summary->setup_case != NULL)
        play_case_free(summary->setup_case);
    g_clear_pointer(&summary->listed, g_ptr_array_unref);
    g_free(summary);
}

RunSummary *run_summary_new(void)
{
    RunSummary *summary = g_new0(RunSummary, 1);

    summary->entries = g_ptr_array_new_with_free_func(entry_free);
    summary->started_us = g_get_real_time();
    return summary;
}

PlayResult *run_result(Verdict verdict, char *reason)
{
    PlayResult *result = g_new0(PlayResult, 1);

    result->verdict = verdict;
    result->reason = reason;
    result->findings = g_ptr_array_new_with_free_func((GDestroyNotify)finding_free);
    result->setup = g_ptr_array_new_with_free_func((GDestroyNotify)finding_free);
    result->transcript = g_strdup("");
    return result;
}

static void count(RunSummary *summary, const PlayResult *result)
{
    summary->count[result->verdict]++;
    summary->violations += result->kind == KIND_VIOLATION;
    summary->robustness += result->kind == KIND_ROBUSTNESS;
    summary->no_answer += result->kind == KIND_NO_ANSWER;
    summary->hints += result->kind == KIND_HINT;
    summary->no_export += result->no_export;
}

void run_file(const RunOptions *options, RunSummary *summary, const PlayCase *play_case,
              PlayResult *result)
{
    RunEntry *entry = g_new0(RunEntry, 1);

    if (options->strict && result->verdict == VERDICT_WARN && result->kind != KIND_HINT) {
        result->verdict = VERDICT_FAIL;
        result->kind = KIND_VIOLATION;
    }
    entry->play_case = play_case;
    entry->result = result;
    count(summary, result);
    g_ptr_array_add(summary->entries, entry);
    for (size_t i = 0; options->observers != NULL && options->observers[i] != NULL; i++)
        if (options->observers[i]->finished != NULL)
            options->observers[i]->finished(options->observers[i]->self, entry, summary);
}

/* ---- What was found on the way ---------------------------------------------------------------- */

static const char *skip_digits(const char *text)
{
    return text + strspn(text, G_CSET_DIGITS);
}

/* How long it was waited for differs between two tries, and makes no other silence. */
static bool same_but_for_numbers(const char *a, const char *b)
{
    while (*a == *b || (g_ascii_isdigit(*a) && g_ascii_isdigit(*b))) {
        if (*a == '\0')
            return true;
        bool number = g_ascii_isdigit(*a);
        a = number ? skip_digits(a) : a + 1;
        b = number ? skip_digits(b) : b + 1;
    }
    return false;
}

static bool same_finding(const Finding *a, const Finding *b)
{
    if (a->requirement != b->requirement)
        return false;
    return a->no_answer && b->no_answer ? same_but_for_numbers(a->message, b->message)
                                        : g_strcmp0(a->message, b->message) == 0;
}

static bool was_met(const GPtrArray *met, const Finding *finding)
{
    for (guint i = 0; i < met->len; i++)
        if (same_finding(met->pdata[i], finding))
            return true;
    return false;
}

void run_meet(GPtrArray *met, const PlayCase *play_case, PlayResult *result)
{
    g_ptr_array_set_free_func(result->setup, NULL);
    for (guint i = 0; i < result->setup->len; i++) {
        Finding *finding = result->setup->pdata[i];
        if (was_met(met, finding)) {
            g_clear_pointer(&finding->transcript, g_free);
        } else {
            finding->met_in = g_strdup(play_case->id);
            if (finding->transcript == NULL)
                finding->transcript = g_strdup(result->transcript);
        }
        g_ptr_array_add(met, finding);
    }
    g_ptr_array_set_size(result->setup, 0);
}

/* What is true of both: of two silences the shorter. */
static void keep_the_lesser(Finding *kept, Finding *other)
{
    if (strverscmp(other->message, kept->message) >= 0)
        return;
    char *message = kept->message;
    kept->message = other->message;
    other->message = message;
}

/* Files FINDING among those that differ, or counts it in TIMES, which has a place for each of these. */
static void file_once(GPtrArray *findings, GArray *times, Finding *finding)
{
    const guint once = 1;

    for (guint i = 0; i < findings->len; i++) {
        if (same_finding(findings->pdata[i], finding)) {
            g_array_index(times, guint, i)++;
            keep_the_lesser(findings->pdata[i], finding);
            finding_free(finding);
            return;
        }
    }
    g_ptr_array_add(findings, finding);
    g_array_append_val(times, once);
}

static void tell_how_often(const GPtrArray *findings, const GArray *times)
{
    for (guint i = 0; i < findings->len; i++) {
        Finding *finding = findings->pdata[i];
        guint often = g_array_index(times, guint, i);
        if (often == 1)
            continue;
        char *message = g_strdup_printf("%s (in %u cases)", finding->message, often);
        g_free(finding->message);
        finding->message = message;
    }
}

static PlayCase *setup_case(const GPtrArray *findings)
{
    PlayCase *play_case = g_new0(PlayCase, 1);

    play_case->id = g_strdup("setup");
    play_case->title = g_strdup("The way into transmission, which most cases go first");
    play_case->values = g_hash_table_new(NULL, NULL);
    play_case->requirements = g_ptr_array_new();
    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = findings->pdata[i];
        if (!g_ptr_array_find(play_case->requirements, finding->requirement, NULL))
            g_ptr_array_add(play_case->requirements, (gpointer)finding->requirement);
    }
    return play_case;
}

static int by_requirement(gconstpointer a, gconstpointer b)
{
    const Finding *left = *(Finding *const *)a, *right = *(Finding *const *)b;
    int order = strcmp(left->requirement->id, right->requirement->id);

    return order != 0 ? order : g_strcmp0(left->message, right->message);
}

void run_file_setup(const RunOptions *options, RunSummary *summary, GPtrArray *findings)
{
    if (findings->len == 0)
        return;
    PlayResult *result = run_result(VERDICT_PASS, NULL);
    g_autoptr(GArray) times = g_array_new(FALSE, FALSE, sizeof(guint));
    g_ptr_array_set_free_func(findings, NULL);
    for (guint i = 0; i < findings->len; i++)
        file_once(result->findings, times, findings->pdata[i]);
    tell_how_often(result->findings, times);
    g_ptr_array_sort(result->findings, by_requirement);
    play_result_settle(result);
    summary->setup_case = setup_case(result->findings);
    summary->total++;
    run_file(options, summary, summary->setup_case, result);
}

/* Cases that showed something; what was met on the way to them is none. */
static unsigned count_played(const RunSummary *summary)
{
    unsigned played =
        summary->count[VERDICT_PASS] + summary->count[VERDICT_WARN] + summary->count[VERDICT_FAIL];

    return played - (summary->setup_case != NULL);
}

int run_exit_status(const RunSummary *summary)
{
    if (summary->count[VERDICT_FAIL] > 0)
        return 1;
    if (summary->count[VERDICT_ERROR] > 0 || summary->interrupted)
        return 2;
    if (count_played(summary) == 0 || summary->no_export > 0)
        return 125;
    return summary->count[VERDICT_BLOCKED] > 0 ? 1 : 0;
}
