/* What many cases show for one cause is told once, with its evidence, and the others by name. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "report/private.h"
#include "tests/made_run.h"

void report_fold_tests(void);

static char *console_text(const MadeRun *run)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    const ReportConsole console = {.out = out, .again = "nbdconform"};
    g_autoptr(Report) report = report_console_new(&console);
    const RunObserver *observer = report_observer(report);

    observer->begin(observer->self, &run->options, &run->summary);
    for (unsigned i = 0; i < run->summary.entries->len; i++)
        observer->finished(observer->self, run->summary.entries->pdata[i], &run->summary);
    observer->end(observer->self, &run->options, &run->summary);
    fclose(out);
    return text;
}

static unsigned occurrences(const char *text, const char *part)
{
    unsigned count = 0;

    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
        count++;
    return count;
}

/* COUNT cases, NAME0 and on, that break the same. */
static void fail(MadeRun *run, unsigned count, const char *name, const Requirement *requirement)
{
    for (unsigned i = 0; i < count; i++) {
        g_autofree char *id = g_strdup_printf("%s%u", name, i);
        RunEntry *entry = made_run_fail(run, id, "no word was kept");
        if (requirement != NULL)
            ((Finding *)entry->result->findings->pdata[0])->requirement = requirement;
    }
}

/* ---- On the way to the cases -------------------------------------------------------------------- */

static MadeRun *run_that_met(bool first, bool second)
{
    MadeRun *run = made_run_new();
    RunEntry *entry = made_run_fail(run, "setup", "the greeting is odd");
    const bool seen[] = {first, second};

    made_run_set_on_the_way(entry);
    g_ptr_array_add(entry->result->findings, g_new0(Finding, 1));
    ((Finding *)entry->result->findings->pdata[1])->message = g_strdup("nothing for 5000 ms");
    g_free(entry->result->transcript);
    entry->result->transcript = g_strdup("");
    for (unsigned i = 0; i < 2; i++) {
        Finding *finding = entry->result->findings->pdata[i];
        finding->met_in = seen[i] ? g_strdup_printf("server/met's\n%u", i) : NULL;
        finding->transcript = seen[i] ? g_strdup_printf("S: greeting %u\n", i) : NULL;
    }
    return run;
}

static void what_was_met_on_the_way_has_a_case_that_shows_it_again(void)
{
    g_autoptr(MadeRun) run = run_that_met(true, true);
    g_autofree char *text = console_text(run);
    const char *first =
        strstr(text, "  transcript\n    S: greeting 0\n  again with   nbdconform --only ");
    const char *second =
        strstr(text, "  transcript\n    S: greeting 1\n  again with   nbdconform --only ");

    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    CU_ASSERT_PTR_NOT_NULL_FATAL(second);
    CU_ASSERT(first < second);
    CU_ASSERT_EQUAL(occurrences(text, "again with"), 2);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "on the way into transmission, first seen in server/met's\\x0a0\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "0000  00 03 e8 89 04 55 45 a9"));
}

/* The end of a server's process, say. */
static void what_no_case_shows_by_itself_is_shown_by_the_whole_run(void)
{
    g_autoptr(MadeRun) run = run_that_met(true, false);
    g_autofree char *text = console_text(run);

    CU_ASSERT_EQUAL(occurrences(text, "again with   nbdconform --only "), 1);
    CU_ASSERT_EQUAL(occurrences(text, "again with   nbdconform -v\n"), 1);
}

static void every_format_tells_where_it_was_met(void)
{
    g_autoptr(MadeRun) run = run_that_met(true, false);
    g_autofree char *tap = report_tap_text(&run->options, &run->summary);
    g_autofree char *xml = report_junit_text(&run->options, &run->summary);
    g_autofree char *text = report_json_text(&run->options, &run->summary);

    CU_ASSERT_EQUAL(occurrences(tap, "\n      first-seen-in: \"server/met's\\\\x0a0\"\n"
                                     "      transcript: |2\n        S: greeting 0\n"),
                    1);
    CU_ASSERT_EQUAL(occurrences(tap, "transcript: "), 1);
    CU_ASSERT_EQUAL(occurrences(xml, "first seen in server/met&apos;s\\x0a0\n"), 1);
    CU_ASSERT_EQUAL(occurrences(xml, "\ntranscript:\nS: greeting 0\n"), 1);
    CU_ASSERT_EQUAL(occurrences(xml, "\ntranscript:\n"), 1);
    CU_ASSERT_EQUAL(occurrences(text, "\"first_seen_in\": \"server/met's\\n0\""), 1);
    CU_ASSERT_EQUAL(occurrences(text, "\"transcript\": \"S: greeting 0\\n\""), 1);
    CU_ASSERT_EQUAL(occurrences(text, "\"bytes\": \"0003e889"), 1);
    CU_ASSERT_EQUAL(occurrences(text, "\"bytes\": null"), 1);
    CU_ASSERT_EQUAL(occurrences(text, "\"got\": \"close\""), 1);
}

/* ---- In many cases ------------------------------------------------------------------------------ */

static const Requirement other = {.id = "test.other",
                                  .level = REQUIREMENT_FORMAT,
                                  .source = "proto.md:1",
                                  .summary = "It is laid out so."};

static void three_failures_of_one_cause_are_all_shown(void)
{
    g_autoptr(MadeRun) run = made_run_new();

    fail(run, 3, "case", NULL);
    g_autofree char *text = console_text(run);
    CU_ASSERT_EQUAL(occurrences(text, "again with"), 3);
    CU_ASSERT_PTR_NULL(strstr(text, "the same in"));
    CU_ASSERT_PTR_NULL(strstr(text, "failed, by"));
}

static void of_more_the_first_is_shown_and_some_are_named(void)
{
    g_autoptr(MadeRun) run = made_run_new();

    fail(run, 6, "few", NULL);
    fail(run, 7, "many", &other);
    for (unsigned i = 0; i < 6; i++)
        g_ptr_array_set_size(((RunEntry *)run->summary.entries->pdata[i])->play_case->requirements,
                             0);
    g_autofree char *text = console_text(run);
    CU_ASSERT_EQUAL(occurrences(text, "again with"), 2);
    CU_ASSERT_EQUAL(occurrences(text, "again with   nbdconform --only few0 "), 1);
    CU_ASSERT_EQUAL(occurrences(text, "again with   nbdconform --only many0 "), 1);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "\n  the same in 5 more cases: few1, few2, few3, few4, few5\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\n  the same in 6 more cases: many1, many2, many3, many4, "
                                        "many5, … (each has a line above)\n"));
    for (unsigned i = 0; i < 7; i++) {
        g_autofree char *line = g_strdup_printf("\nFAIL many%u: no word was kept\n", i);
        CU_ASSERT_EQUAL(occurrences(text, line), 1);
    }
}

static void the_case_that_is_about_it_is_the_one_that_is_shown(void)
{
    g_autoptr(MadeRun) run = made_run_new();

    fail(run, 5, "case", &other);
    g_ptr_array_add(((RunEntry *)run->summary.entries->pdata[3])->play_case->requirements,
                    (gpointer)&other);
    g_autofree char *text = console_text(run);
    CU_ASSERT_EQUAL(occurrences(text, "again with"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "again with   nbdconform --only case3 "));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "\n  the same in 4 more cases: case0, case1, case2, case4\n"));
}

/* A hint that stands beside a breach is not what the case failed by. */
static void what_a_case_failed_by_is_the_gravest_of_its_findings(void)
{
    static const Requirement hint = {.id = "test.hint", .level = REQUIREMENT_MAY, .source = "-"};
    g_autoptr(MadeRun) run = made_run_new();

    fail(run, 6, "case", NULL);
    for (unsigned i = 0; i < 6; i += 2) {
        GPtrArray *findings = ((RunEntry *)run->summary.entries->pdata[i])->result->findings;
        Finding *finding = g_new0(Finding, 1);
        finding->requirement = &hint;
        finding->message = g_strdup("it could be otherwise");
        g_ptr_array_insert(findings, 0, finding);
    }
    g_autofree char *text = console_text(run);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "the same in 5 more cases: case1, "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "      6  test.must: "));
    CU_ASSERT_PTR_NULL(strstr(text, "  test.hint: "));
}

static void the_summary_names_what_most_cases_failed_by(void)
{
    static const Requirement rare[] = {{.id = "test.a", .source = "-", .summary = "A"},
                                       {.id = "test.b", .source = "-", .summary = "B"},
                                       {.id = "test.c", .source = "-", .summary = "C"},
                                       {.id = "test.d", .source = "-", .summary = "D"},
                                       {.id = "test.e", .source = "-", .summary = "E"}};
    g_autoptr(MadeRun) run = made_run_new();

    fail(run, 2, "two", NULL);
    fail(run, 7, "seven", &other);
    for (unsigned i = 0; i < G_N_ELEMENTS(rare); i++)
        fail(run, 1, "rare", &rare[i]);
    made_run_add(run, "warned", VERDICT_WARN, KIND_NONE, "it should be otherwise");
    g_autofree char *text = console_text(run);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\n14 failed, by what they broke:\n"
                                        "      7  test.other: It is laid out so.\n"
                                        "      2  test.must: The server keeps its word.\n"
                                        "      1  test.a: A\n"
                                        "      1  test.b: B\n"
                                        "      1  test.c: C\n"
                                        "      2  something else (see above)\n\n"));
}

void report_fold_tests(void)
{
    CU_pSuite suite = CU_add_suite("report: fold", NULL, NULL);

    CU_ADD_TEST(suite, what_was_met_on_the_way_has_a_case_that_shows_it_again);
    CU_ADD_TEST(suite, what_no_case_shows_by_itself_is_shown_by_the_whole_run);
    CU_ADD_TEST(suite, every_format_tells_where_it_was_met);
    CU_ADD_TEST(suite, three_failures_of_one_cause_are_all_shown);
    CU_ADD_TEST(suite, of_more_the_first_is_shown_and_some_are_named);
    CU_ADD_TEST(suite, the_case_that_is_about_it_is_the_one_that_is_shown);
    CU_ADD_TEST(suite, what_a_case_failed_by_is_the_gravest_of_its_findings);
    CU_ADD_TEST(suite, the_summary_names_what_most_cases_failed_by);
}
