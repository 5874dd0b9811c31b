/* What is made of verdicts and of what was met on the way to them, without a run. */
#include <CUnit/CUnit.h>

#include "run/private.h"

void run_summary_tests(void);

static void file(RunSummary *summary, bool strict, Verdict verdict, VerdictKind kind)
{
    RunOptions options = {.strict = strict};
    PlayResult *result = run_result(verdict, NULL);

    result->kind = kind;
    run_file(&options, summary, NULL, result);
}

static void each_kind_is_counted_by_itself(void)
{
    g_autoptr(RunSummary) summary = run_summary_new();
    static const VerdictKind kinds[] = {KIND_VIOLATION, KIND_ROBUSTNESS, KIND_NO_ANSWER};

    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
        for (unsigned k = 0; k <= i; k++)
            file(summary, false, VERDICT_FAIL, kinds[i]);
    for (unsigned i = 0; i < 4; i++)
        file(summary, false, VERDICT_WARN, KIND_HINT);
    file(summary, false, VERDICT_PASS, KIND_NONE);
    CU_ASSERT_EQUAL(summary->violations, 1);
    CU_ASSERT_EQUAL(summary->robustness, 2);
    CU_ASSERT_EQUAL(summary->no_answer, 3);
    CU_ASSERT_EQUAL(summary->hints, 4);
    CU_ASSERT_EQUAL(summary->count[VERDICT_FAIL], 6);
    CU_ASSERT_EQUAL(summary->count[VERDICT_WARN], 4);
    CU_ASSERT_EQUAL(summary->count[VERDICT_PASS], 1);
    CU_ASSERT_EQUAL(summary->entries->len, 11);
}

static void strictness_makes_failures_of_nothing_but_warnings(void)
{
    for (Verdict verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        g_autoptr(RunSummary) summary = run_summary_new();
        file(summary, true, verdict, KIND_NONE);
        const RunEntry *entry = summary->entries->pdata[0];
        CU_ASSERT_EQUAL(entry->result->verdict, verdict == VERDICT_WARN ? VERDICT_FAIL : verdict);
        CU_ASSERT_EQUAL(entry->result->kind, verdict == VERDICT_WARN ? KIND_VIOLATION : KIND_NONE);
    }
}

/* Adds what TIMES cases have met. */
static void meet(GPtrArray *findings, unsigned times, const char *requirement, const char *message)
{
    for (unsigned i = 0; i < times; i++) {
        Finding *finding = g_new0(Finding, 1);
        finding->requirement = requirement_find(requirement);
        finding->by = SIDE_SERVER;
        finding->message = g_strdup(message);
        g_ptr_array_add(findings, finding);
    }
}

static void what_many_cases_met_is_told_once_and_how_often(void)
{
    static const struct {
        const char *requirement, *message;
    } told[] = {
        {"handshake.newstyle.greeting", "size (in 2 cases)"},
        {"robust.answers", "flags"},
        {"robust.answers", "greeting"},
        {"robust.answers", "size (in 3 cases)"},
    };
    RunOptions options = {0};
    g_autoptr(RunSummary) summary = run_summary_new();
    g_autoptr(GPtrArray) findings = g_ptr_array_new_with_free_func((GDestroyNotify)finding_free);

    meet(findings, 1, "robust.answers", "greeting");
    meet(findings, 2, "robust.answers", "size");
    meet(findings, 2, "handshake.newstyle.greeting", "size");
    meet(findings, 1, "robust.answers", "flags");
    meet(findings, 1, "robust.answers", "size");
    run_file_setup(&options, summary, findings);
    CU_ASSERT_EQUAL(summary->total, 1);
    CU_ASSERT_EQUAL_FATAL(summary->entries->len, 1);
    const RunEntry *entry = summary->entries->pdata[0];
    CU_ASSERT_PTR_EQUAL(entry->play_case, summary->setup_case);
    CU_ASSERT_EQUAL(entry->play_case->requirements->len, 2);
    CU_ASSERT_EQUAL(entry->result->verdict, VERDICT_FAIL);
    CU_ASSERT_EQUAL_FATAL(entry->result->findings->len, G_N_ELEMENTS(told));
    for (guint i = 0; i < G_N_ELEMENTS(told); i++) {
        const Finding *finding = entry->result->findings->pdata[i];
        CU_ASSERT_STRING_EQUAL(finding->requirement->id, told[i].requirement);
        CU_ASSERT_STRING_EQUAL(finding->message, told[i].message);
    }
}

/* A silence of the requirement, met in ID, whose transcript is told so. */
static void meet_silence(GPtrArray *met, const char *id, const char *message, const char *seen)
{
    PlayCase play_case = {.id = (char *)id};
    g_autoptr(PlayResult) result = run_result(VERDICT_PASS, NULL);

    g_free(result->transcript);
    result->transcript = g_strdup("the whole case\n");
    meet(result->setup, 1, "robust.answers", message);
    Finding *finding = result->setup->pdata[0];
    finding->no_answer = true;
    finding->transcript = g_strdup(seen);
    run_meet(met, &play_case, result);
    CU_ASSERT_EQUAL(result->setup->len, 0);
}

static void of_what_was_met_the_first_case_is_remembered(void)
{
    RunOptions options = {0};
    g_autoptr(RunSummary) summary = run_summary_new();
    g_autoptr(GPtrArray) met = g_ptr_array_new_with_free_func((GDestroyNotify)finding_free);

    meet_silence(met, "b", "nothing for 10000 ms", "S: greeting\n");
    meet_silence(met, "a", "nothing for 5000 ms", "S: more\n");
    meet_silence(met, "c", "nothing for 10000 ms", NULL);
    meet_silence(met, "d", "never for 10000 ms", NULL);
    CU_ASSERT_PTR_NULL(((Finding *)met->pdata[1])->transcript);
    CU_ASSERT_PTR_NULL(((Finding *)met->pdata[1])->met_in);
    run_file_setup(&options, summary, met);
    CU_ASSERT_EQUAL_FATAL(summary->entries->len, 1);
    const GPtrArray *findings = ((const RunEntry *)summary->entries->pdata[0])->result->findings;
    CU_ASSERT_EQUAL_FATAL(findings->len, 2);
    const Finding *other = findings->pdata[0], *silence = findings->pdata[1];
    CU_ASSERT_STRING_EQUAL(silence->message, "nothing for 5000 ms (in 3 cases)");
    CU_ASSERT_STRING_EQUAL(silence->met_in, "b");
    CU_ASSERT_STRING_EQUAL(silence->transcript, "S: greeting\n");
    CU_ASSERT_STRING_EQUAL(other->met_in, "d");
    CU_ASSERT_STRING_EQUAL(other->transcript, "the whole case\n");
}

/* Where something came, the number in what is told of it tells. */
static void numbers_tell_other_findings_apart(void)
{
    RunOptions options = {0};
    g_autoptr(RunSummary) summary = run_summary_new();
    g_autoptr(GPtrArray) findings = g_ptr_array_new_with_free_func((GDestroyNotify)finding_free);

    meet(findings, 2, "robust.answers", "4 bytes of data");
    meet(findings, 1, "robust.answers", "5 bytes of data");
    run_file_setup(&options, summary, findings);
    const RunEntry *entry = summary->entries->pdata[0];
    CU_ASSERT_EQUAL(entry->result->findings->len, 2);
}

static void where_nothing_was_met_there_is_no_entry(void)
{
    RunOptions options = {0};
    g_autoptr(RunSummary) summary = run_summary_new();
    g_autoptr(GPtrArray) findings = g_ptr_array_new();

    run_file_setup(&options, summary, findings);
    CU_ASSERT_EQUAL(summary->total, 0);
    CU_ASSERT_EQUAL(summary->entries->len, 0);
    CU_ASSERT_PTR_NULL(summary->setup_case);
}

static void tick(void *self, const RunSummary *summary)
{
    CU_ASSERT_PTR_NOT_NULL(summary);
    ++*(unsigned *)self;
}

static void who_listens_for_ticks_hears_them(void)
{
    unsigned ticks[2] = {0};
    const RunObserver deaf = {0}, first = {.self = &ticks[0], .tick = tick},
                      second = {.self = &ticks[1], .tick = tick};
    const RunObserver *const observers[] = {&first, &deaf, &second, NULL};
    RunOptions options = {.observers = observers};
    g_autoptr(RunSummary) summary = run_summary_new();

    run_tell_tick(&options, summary);
    CU_ASSERT_EQUAL(ticks[0], 1);
    CU_ASSERT_EQUAL(ticks[1], 1);
}

void run_summary_tests(void)
{
    CU_pSuite suite = CU_add_suite("run: summary", NULL, NULL);

    CU_ADD_TEST(suite, each_kind_is_counted_by_itself);
    CU_ADD_TEST(suite, strictness_makes_failures_of_nothing_but_warnings);
    CU_ADD_TEST(suite, what_many_cases_met_is_told_once_and_how_often);
    CU_ADD_TEST(suite, of_what_was_met_the_first_case_is_remembered);
    CU_ADD_TEST(suite, numbers_tell_other_findings_apart);
    CU_ADD_TEST(suite, where_nothing_was_met_there_is_no_entry);
    CU_ADD_TEST(suite, who_listens_for_ticks_hears_them);
}
