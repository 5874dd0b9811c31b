/* What the console shows of a run, and that no peer can take hold of the terminal. */
#include <CUnit/CUnit.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/private.h"
#include "tests/made_run.h"

void report_tests(void);

static char *console_of(const MadeRun *run, ReportConsole console)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    console.out = out;
    console.again = "nbdconform --target 'a b'";
    Report *report = report_console_new(&console);
    const RunObserver *observer = report_observer(report);

    observer->begin(observer->self, &run->options, &run->summary);
    for (unsigned i = 0; i < run->summary.entries->len; i++) {
        const RunEntry *entry = g_ptr_array_index(run->summary.entries, i);
        observer->started(observer->self, entry->play_case);
        observer->finished(observer->self, entry, &run->summary);
        observer->tick(observer->self, &run->summary);
    }
    observer->end(observer->self, &run->options, &run->summary);
    CU_ASSERT(report_finish(report, NULL));
    report_free(report);
    fclose(out);
    return text;
}

static char *console_text(const MadeRun *run, bool verbose, bool colour)
{
    return console_of(run, (ReportConsole){.verbose = verbose, .colour = colour});
}

static unsigned occurrences(const char *text, const char *part)
{
    unsigned count = 0;

    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
        count++;
    return count;
}

/* ---- Text --------------------------------------------------------------------------------------- */

static void cleaned_to(const char *text, const char *line, const char *lines)
{
    g_autofree char *one = report_clean(text), *many = report_clean_lines(text);

    CU_ASSERT_STRING_EQUAL(one, line);
    CU_ASSERT_STRING_EQUAL(many, lines);
}

static void text_of_a_peer_is_made_harmless(void)
{
    static const char backwards[] = {'\xe2', '\x80', '\xae', '\0'}; /* right to left from here */

    cleaned_to(NULL, "", "");
    cleaned_to("plain \xc3\xa9 …", "plain \xc3\xa9 …", "plain \xc3\xa9 …");
    cleaned_to("a\n\tb", "a\\x0a\\x09b", "a\n\tb");
    cleaned_to("\033[2J\r\x7f", "\\x1b[2J\\x0d\\x7f", "\\x1b[2J\\x0d\\x7f");
    cleaned_to("\xff\xc3", "\\xff\\xc3", "\\xff\\xc3");
    cleaned_to("\xc2\x9b", "\\x9b", "\\x9b"); /* CSI in ISO 8859 */
    cleaned_to(backwards, "\\u202e", "\\u202e");
    cleaned_to("\xef\xbf\xbf", "\\uffff", "\\uffff");                 /* not in XML */
    cleaned_to("\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80"); /* half of a surrogate pair */
}

static void a_tail_has_the_last_lines(void)
{
    unsigned cut;

    CU_ASSERT_STRING_EQUAL(report_tail("a\nb\nc\n", 2, &cut), "b\nc\n");
    CU_ASSERT_EQUAL(cut, 1);
    CU_ASSERT_STRING_EQUAL(report_tail("a\nb\nc", 2, &cut), "b\nc");
    CU_ASSERT_EQUAL(cut, 1);
    CU_ASSERT_STRING_EQUAL(report_tail("a\nb", 2, &cut), "a\nb");
    CU_ASSERT_EQUAL(cut, 0);
    CU_ASSERT_STRING_EQUAL(report_tail("", 2, &cut), "");
    CU_ASSERT_EQUAL(cut, 0);
}

static void a_hex_dump_has_offset_hex_and_ascii(void)
{
    g_autoptr(GBytes) bytes = g_bytes_new_static("\0\3\xe8\x89\4UE\xa9hello, world!", 21);
    g_autofree char *whole = report_hexdump(bytes, 21, 64, "  ");
    g_autofree char *head = report_hexdump(bytes, 70000, 4, "");

    CU_ASSERT_STRING_EQUAL(
        whole, "  0000  00 03 e8 89 04 55 45 a9  68 65 6c 6c 6f 2c 20 77  |.....UE.hello, w|\n"
               "  0010  6f 72 6c 64 21                                    |orld!|\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(head, "00 03 e8 89  "));
    CU_ASSERT_PTR_NOT_NULL(strstr(head, "69996 more bytes"));
}

/* ---- The console -------------------------------------------------------------------------------- */

static void the_closing_line_counts_every_verdict(void)
{
    g_autoptr(MadeRun) run = made_run_mixed();
    g_autofree char *line = report_closing_line(&run->summary);

    CU_ASSERT_STRING_EQUAL(line, "7 cases: 1 passed, 1 failed (1 violation), 1 warning, 1 hint, "
                                 "1 skipped, 1 blocked, 1 error in 2.1 s");
    RunSummary design = {.total = 312,
                         .duration_ms = 2100,
                         .violations = 1,
                         .robustness = 1,
                         .count = {[VERDICT_PASS] = 287,
                                   [VERDICT_FAIL] = 2,
                                   [VERDICT_WARN] = 1,
                                   [VERDICT_SKIP] = 20,
                                   [VERDICT_BLOCKED] = 2}};
    g_autofree char *as_designed = report_closing_line(&design);
    CU_ASSERT_STRING_EQUAL(as_designed, "312 cases: 287 passed, 2 failed (1 violation, 1 "
                                        "robustness), 1 warning, 20 skipped, 2 blocked, 0 errors "
                                        "in 2.1 s");
    RunSummary silent = {.total = 2,
                         .duration_ms = 999,
                         .no_answer = 1,
                         .count = {[VERDICT_FAIL] = 1, [VERDICT_WARN] = 1}};
    g_autofree char *unanswered = report_closing_line(&silent);
    CU_ASSERT_STRING_EQUAL(unanswered, "2 cases: 0 passed, 1 failed (1 no answer), 1 warning, "
                                       "0 skipped, 0 blocked, 0 errors in 0.9 s");
}

/* The worst comes last, where the reader's eye is. */
static void details_stand_in_the_order_of_their_weight(void)
{
    static const char *const headings[] = {"\nHINT server/chapter/hint: A title & more\n",
                                           "\nWARN server/chapter/warn: A title & more\n",
                                           "\nERROR server/chapter/error: A title & more\n",
                                           "\nFAIL server/chapter/fail@n=1: A title & more\n"};
    g_autoptr(MadeRun) run = made_run_mixed();
    g_autofree char *text = console_text(run, false, false);
    const char *before = text;

    CU_ASSERT_PTR_NULL(strstr(text, "the same in"));
    for (size_t i = 0; i < G_N_ELEMENTS(headings); i++) {
        CU_ASSERT_EQUAL(occurrences(text, headings[i]), 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(strstr(before, headings[i]));
        before = strstr(before, headings[i]);
    }
}

static void a_warning_that_many_cases_show_is_printed_once(void)
{
    g_autoptr(MadeRun) run = made_run_new();

    for (unsigned i = 0; i < 3; i++)
        made_run_add(run, "server/chapter/warn", VERDICT_WARN, KIND_NONE, "it should be otherwise");
    g_autofree char *text = console_text(run, false, false);
    CU_ASSERT_EQUAL(occurrences(text, "again with"), 1);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "\n  the same in 2 more cases: server/chapter/warn, server/chapter/warn\n"));
}

static void what_blocked_is_named_by_its_requirement_or_else_by_the_reason(void)
{
    g_autoptr(MadeRun) run = made_run_new();
    RunEntry *entry =
        made_run_add(run, "server/chapter/a", VERDICT_BLOCKED, KIND_NONE, "nothing for 300 ms");
    g_autofree char *by_step =
        g_strdup_printf("\nblocked by a step before the test:\n      1  robust.answers: %s\n\n",
                        requirement_find("robust.answers")->summary);

    entry->result->blocked_by = g_strdup("robust.answers");
    g_autofree char *step = console_text(run, false, false);
    CU_ASSERT_PTR_NOT_NULL(strstr(step, by_step));
    g_clear_pointer(&entry->result->blocked_by, g_free);
    g_autofree char *reason = console_text(run, false, false);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(reason, "\nblocked by a step before the test:\n      1  nothing for 300 ms\n\n"));
    g_clear_pointer(&entry->result->reason, g_free);
    entry->result->verdict = VERDICT_SKIP;
    g_autofree char *none = console_text(run, false, false);
    CU_ASSERT_PTR_NOT_NULL(strstr(none, "\nskipped:\n      1  no reason given\n\n"));
    CU_ASSERT_PTR_NULL(strstr(none, "blocked by"));
}

static void what_silence_cost_is_told_where_it_is_much(void)
{
    static const struct {
        uint64_t waited_ms;
        unsigned duration_ms;
        const char *told;
    } rows[] = {
        {10000, 30000, "\nwaited 10 s for answers that did not come"},
        {71999, 30000, "\nwaited 71 s for answers that did not come"},
        {9999, 10000, NULL},
        {10000, 30003, NULL},
        {0, 0, NULL},
    };
    g_autoptr(MadeRun) run = made_run_mixed();

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        run->summary.waited_ms = rows[i].waited_ms;
        run->summary.duration_ms = rows[i].duration_ms;
        g_autofree char *text = console_text(run, false, false);
        const char *told = strstr(text, rows[i].told != NULL ? rows[i].told : "\nwaited ");
        CU_ASSERT_EQUAL(told != NULL, rows[i].told != NULL);
    }
}

static void an_interrupted_run_says_so(void)
{
    g_autoptr(MadeRun) run = made_run_mixed();

    run->summary.interrupted = true;
    run->summary.total = 300;
    g_autofree char *line = report_closing_line(&run->summary);
    g_autofree char *tap = report_tap_text(&run->options, &run->summary);
    CU_ASSERT(g_str_has_prefix(line, "interrupted after 7 of 300 cases: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(tap, "1..300\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(tap, "Bail out!"));
}

static void who_needs_tls_is_told_so_first(void)
{
    g_autoptr(MadeRun) run = made_run_mixed();
    g_autofree char *plain = console_text(run, false, false);

    run->summary.target.insists_on_tls = true;
    g_autofree char *insists = console_text(run, false, false);
    CU_ASSERT_PTR_NULL(strstr(plain, "--tls require"));
    CU_ASSERT_PTR_NOT_NULL(strstr(insists, "\nThe server insists on TLS: give --tls require"));
}

static void replies_are(PlayReplies asked, bool entered, bool structured, bool extended,
                        const char *told)
{
    static const char *const all[] = {
        "The server refuses structured replies: the cases are played with simple ones.\n",
        "The server refuses extended headers: the cases are played with structured replies.\n"};
    g_autoptr(MadeRun) run = made_run_mixed();

    run->options.mode.replies = asked;
    run->summary.target.entered = entered;
    run->summary.target.facts.structured = structured;
    run->summary.target.facts.extended = extended;
    g_autofree char *text = console_text(run, false, false);
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
        CU_ASSERT_EQUAL(strstr(text, all[i]) != NULL, told != NULL && strstr(all[i], told) != NULL);
}

static void who_does_not_get_the_replies_asked_for_is_told_so(void)
{
    replies_are(REPLIES_SIMPLE, true, false, false, NULL);
    replies_are(REPLIES_STRUCTURED, true, true, false, NULL);
    replies_are(REPLIES_STRUCTURED, true, false, false, "structured replies: ");
    replies_are(REPLIES_STRUCTURED, false, false, false, NULL);
    replies_are(REPLIES_EXTENDED, true, true, true, NULL);
    replies_are(REPLIES_EXTENDED, true, true, false, "extended headers: ");
    replies_are(REPLIES_EXTENDED, true, false, false, "structured replies: ");
    replies_are(REPLIES_EXTENDED, false, false, false, NULL);
}

static void an_export_that_is_missing_is_told_in_one_line(void)
{
    static const char *const names[] = {"a", "b\nc", "\"", "d", "e", "f"};
    RunSummary summary = {.no_export = 2};
    g_autofree char *untold = report_missing_export(&summary, "");
    g_autoptr(GPtrArray) listed = g_ptr_array_new();

    CU_ASSERT_STRING_EQUAL(
        untold, "the server has no default export, and 2 cases need it: give one by --export NAME");
    summary.listed = listed;
    g_autofree char *none = report_missing_export(&summary, "x");
    CU_ASSERT_STRING_EQUAL(none,
                           "the server has no export \"x\", and 2 cases need it: give another "
                           "by --export NAME; it lists none");
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        g_ptr_array_add(listed, (gpointer)names[i]);
    g_autofree char *many = report_missing_export(&summary, "x");
    CU_ASSERT_TRUE(
        g_str_has_suffix(many, "; it lists \"a\", \"b\\x0ac\", \"\"\", \"d\", \"e\" and more"));
}

static void a_failure_is_shown_with_all_its_evidence(void)
{
    static const char *const parts[] = {
        "FAIL server/chapter/fail@n=1: A title & more\n",
        "test.must (MUST, server)",
        "The server keeps its word.",
        "/doc/proto.md#option-types",
        "expected     reply ABORT ACK length=0\n",
        "got          close\n",
        "cases/server/chapter/case.case:7\n",
        "    C: option ABORT\n    S: close\n",
        "0000  00 03 e8 89 04 55 45 a9  68 65 6c 6c",
        "5000 bytes",
        "nbdconform --target 'a b' --only server/chapter/fail@n=1 -v\n",
    };
    g_autoptr(MadeRun) run = made_run_mixed();
    g_autofree char *text = console_text(run, false, false);

    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(text, parts[i]));
    CU_ASSERT_PTR_NULL(strchr(text, '\033'));
}

/* Only what fails or goes wrong is told at length. */
static void a_warning_and_an_error_have_no_more_than_they_need(void)
{
    g_autoptr(MadeRun) run = made_run_new();

    made_run_add(run, "server/chapter/warn", VERDICT_WARN, KIND_NONE, "it should be otherwise");
    g_autofree char *warning = console_text(run, false, false);
    CU_ASSERT_PTR_NOT_NULL(strstr(warning, "\nWARN server/chapter/warn: A title & more\n"
                                           "  finding      it should be otherwise\n"
                                           "  case         cases/server/chapter/case.case\n"
                                           "  again with   nbdconform "));
    made_run_add(run, "server/chapter/error", VERDICT_ERROR, KIND_NONE, "out of descriptors");
    g_autofree char *error = console_text(run, false, false);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "\nERROR server/chapter/error: A title & more\n"
                                         "  finding      out of descriptors\n"
                                         "  case         cases/server/chapter/case.case\n"
                                         "  transcript\n    C: option ABORT\n    S: close\n"
                                         "  again with   nbdconform "));
}

static void a_long_transcript_is_shown_from_behind(void)
{
    g_autoptr(MadeRun) run = made_run_new();
    RunEntry *entry = made_run_fail(run, "server/chapter/fail", "no word was kept");
    GString *lines = g_string_new("first\n");

    for (unsigned i = 0; i < 16; i++)
        g_string_append_printf(lines, "line %u\n", i);
    g_free(entry->result->transcript);
    entry->result->transcript = g_string_free(lines, FALSE);
    g_autofree char *text = console_text(run, false, false);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "  transcript, its last lines\n    line 0\n    line 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "    line 15\n  again with"));
}

static void a_long_message_is_shown_from_its_beginning(void)
{
    static const uint8_t zeroes[200];
    g_autoptr(MadeRun) run = made_run_new();
    RunEntry *entry = made_run_fail(run, "server/chapter/fail", "no word was kept");
    Finding *finding = entry->result->findings->pdata[0];

    g_bytes_unref(finding->bytes);
    finding->bytes = g_bytes_new_static(zeroes, sizeof zeroes);
    g_autofree char *text = console_text(run, false, false);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\n               0070  00 00 "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, " 4872 more bytes\n"));
}

static void each_thing_that_is_neither_pass_nor_skip_gets_a_line_as_it_falls(void)
{
    g_autoptr(MadeRun) run = made_run_mixed();
    g_autofree char *text = console_text(run, false, false);

    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nFAIL server/chapter/fail@n=1: no word was kept\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nWARN server/chapter/warn: it should be otherwise\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nHINT server/chapter/hint: it could be otherwise\n"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "\nBLOCKED server/chapter/blocked: no export was opened\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nERROR server/chapter/error: out of descriptors\n"));
    CU_ASSERT_PTR_NULL(strstr(text, "PASS"));
    CU_ASSERT_PTR_NULL(strstr(text, "SKIP"));
}

static void the_summary_comes_last_with_the_skips_by_reason(void)
{
    g_autoptr(MadeRun) run = made_run_mixed();

    made_run_add(run, "server/chapter/skip2", VERDICT_SKIP, KIND_NONE, "with --allow-writes");
    made_run_add(run, "server/chapter/skip3", VERDICT_SKIP, KIND_NONE, "with --allow-writes");
    made_run_add(run, "server/chapter/skip4", VERDICT_SKIP, KIND_NONE, "it is too small");
    g_autofree char *text = console_text(run, false, false);
    g_autofree char *closing = report_closing_line(&run->summary);
    g_autofree char *end = g_strdup_printf("skipped:\n"
                                           "      2  with --allow-writes\n"
                                           "      1  it is too small\n"
                                           "      1  the server does not offer it\n"
                                           "\n%s\n",
                                           closing);
    CU_ASSERT(g_str_has_suffix(text, end));
}

static void what_was_measured_stands_before_the_summary_whatever_the_verdict(void)
{
    g_autoptr(MadeRun) run = made_run_new();

    made_run_measure(made_run_add(run, "a", VERDICT_PASS, KIND_NONE, NULL), "x", "fast\x1b", 0.5);
    made_run_measure(made_run_fail(run, "b", "no word was kept"), "y", "slow", NAN);
    g_autofree char *text = console_text(run, false, false);
    g_autofree char *closing = report_closing_line(&run->summary);
    g_autofree char *end = g_strdup_printf("\nmeasured, and not judged:\n"
                                           "  fast\\x1b\n"
                                           "  slow\n"
                                           "\n%s\n",
                                           closing);
    CU_ASSERT(g_str_has_suffix(text, end));
}

static void what_was_found_on_the_way_to_the_cases_is_shown(void)
{
    g_autoptr(MadeRun) run = made_run_new();

    made_run_set_on_the_way(made_run_fail(run, "setup", "the greeting is odd"));
    g_autofree char *text = console_text(run, false, false);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nFAIL setup: the greeting is odd\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "again with   nbdconform --target 'a b' -v\n"));
}

/* Numbers aside. */
static void a_breach_that_many_cases_show_is_printed_once(void)
{
    g_autoptr(MadeRun) run = made_run_new();

    for (unsigned i = 0; i < 4; i++) {
        g_autofree char *id = g_strdup_printf("server/chapter/fail@n=%u", i);
        g_autofree char *message = g_strdup_printf("cookie 0x%x was answered twice", i * 977);
        made_run_fail(run, id, message);
    }
    made_run_fail(run, "server/chapter/other", "something else");
    g_autofree char *text = console_text(run, false, false);

    CU_ASSERT_EQUAL(occurrences(text, "again with"), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "the same in 3 more cases: server/chapter/fail@n=1, "
                                        "server/chapter/fail@n=2, server/chapter/fail@n=3\n"));
}

/* By the requirement and the message; by the reason where there is no finding. */
static void what_differs_is_not_the_same(void)
{
    static const Requirement other = {.id = "test.other", .source = "proto.md:1"};
    g_autoptr(MadeRun) run = made_run_new();

    for (unsigned i = 0; i < 8; i++) {
        RunEntry *entry = made_run_fail(run, "server/chapter/fail", "no word was kept");
        Finding *finding = entry->result->findings->pdata[0];
        if (i >= 4)
            finding->requirement = &other;
        made_run_add(run, "server/chapter/error", VERDICT_ERROR, KIND_NONE,
                     i >= 4 ? "out of memory" : "out of descriptors");
    }
    g_autofree char *text = console_text(run, false, false);
    CU_ASSERT_EQUAL(occurrences(text, "again with"), 4);
    CU_ASSERT_EQUAL(occurrences(text, "\n  the same in 3 more cases: server/chapter/fail, "), 2);
    CU_ASSERT_EQUAL(occurrences(text, "\n  the same in 3 more cases: server/chapter/error, "), 2);
}

static void a_step_that_blocks_many_cases_is_told_once(void)
{
    g_autoptr(MadeRun) run = made_run_new();

    for (unsigned i = 0; i < 100; i++) {
        g_autofree char *reason = g_strdup_printf("no export for the %u. time", i);
        RunEntry *entry = made_run_add(run, "server/chapter/x", VERDICT_BLOCKED, KIND_NONE, reason);
        entry->result->blocked_by = g_strdup("test.must");
    }
    g_autofree char *text = console_text(run, false, false);
    CU_ASSERT_EQUAL(occurrences(text, "BLOCKED"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "    100  test.must"));
}

#define ERASED "\r\033[K"

/* The status line is drawn behind whatever is printed, and erased before it. */
static void a_terminal_shows_how_far_the_run_is(void)
{
    g_autoptr(MadeRun) run = made_run_new();

    made_run_add(run, "a", VERDICT_PASS, KIND_NONE, NULL);
    made_run_fail(run, "b", "broken");
    made_run_add(run, "c", VERDICT_ERROR, KIND_NONE, "out of descriptors");
    run->summary.total = 9;
    g_autofree char *text = console_of(run, (ReportConsole){.live = true});
    CU_ASSERT(g_str_has_prefix(text, "9 cases against localhost:10809\n"
                                     "[3/9] 1 failed"                                /* begin */
                               ERASED "[3/9] 1 failed  a" ERASED "[3/9] 1 failed  a" /* a */
                               ERASED "FAIL b: broken\n[3/9] 1 failed  b" ERASED
                                     "[3/9] 1 failed  b" ERASED "ERROR c: out of descriptors\n"
                                     "[3/9] 1 failed  c" ERASED "[3/9] 1 failed  c" ERASED "\n"));
}

static void a_status_line_does_not_wrap(void)
{
    g_autoptr(MadeRun) run = made_run_new();
    g_autofree char *id = g_strnfill(200, 'x');
    g_autofree char *shown = g_strndup(id, 80 - 1 - strlen("[1/1] 0 failed  "));
    g_autofree char *line = g_strdup_printf(ERASED "[1/1] 0 failed  %s" ERASED, shown);

    made_run_add(run, id, VERDICT_PASS, KIND_NONE, NULL);
    g_autofree char *text = console_of(run, (ReportConsole){.live = true});
    CU_ASSERT_PTR_NOT_NULL(strstr(text, line));
}

static void verbose_shows_every_transcript(void)
{
    g_autoptr(MadeRun) run = made_run_mixed();
    g_autofree char *text = console_text(run, true, false);

    CU_ASSERT_PTR_NOT_NULL(strstr(text, "PASS server/chapter/pass\n    C: option ABORT\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "SKIP server/chapter/skip: "));
}

static void colours_are_ended_where_they_begin(void)
{
    g_autoptr(MadeRun) run = made_run_mixed();
    g_autofree char *text = console_text(run, false, true);

    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\033[1;31mFAIL\033[0m server/"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\033[1;31mERROR\033[0m server/"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\033[33mWARN\033[0m server/"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\033[33mBLOCKED\033[0m server/"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\033[1mserver/chapter/fail@n=1\033[0m: "));
    g_autofree char *verbose = console_text(run, true, true);
    CU_ASSERT_PTR_NOT_NULL(strstr(verbose, "\033[32mPASS\033[0m server/"));
    CU_ASSERT_PTR_NOT_NULL(strstr(verbose, "\033[2mSKIP\033[0m server/"));
    CU_ASSERT(occurrences(text, "\033[0m") > 0);
    CU_ASSERT_EQUAL(occurrences(text, "\033["), 2 * occurrences(text, "\033[0m"));
}

static void the_console_obeys_no_peer(void)
{
    g_autoptr(MadeRun) run = made_run_hostile();
    g_autofree char *text = console_text(run, true, false);

    CU_ASSERT(g_utf8_validate(text, -1, NULL));
    for (const char *at = text; *at != '\0'; at++)
        CU_ASSERT(!g_ascii_iscntrl(*at) || *at == '\n');
}

void report_tests(void)
{
    CU_TestInfo tests[] = {
        {"text of a peer is made harmless", text_of_a_peer_is_made_harmless},
        {"a tail has the last lines", a_tail_has_the_last_lines},
        {"a hex dump has offset, hex and ASCII", a_hex_dump_has_offset_hex_and_ascii},
        {"who needs TLS is told so first", who_needs_tls_is_told_so_first},
        {"who does not get the replies asked for is told so",
         who_does_not_get_the_replies_asked_for_is_told_so},
        {"an export that is missing is told in one line",
         an_export_that_is_missing_is_told_in_one_line},
        {"the closing line counts every verdict", the_closing_line_counts_every_verdict},
        {"details stand in the order of their weight", details_stand_in_the_order_of_their_weight},
        {"a warning that many cases show is printed once",
         a_warning_that_many_cases_show_is_printed_once},
        {"what blocked is named by its requirement, or else by the reason",
         what_blocked_is_named_by_its_requirement_or_else_by_the_reason},
        {"what silence cost is told where it is much", what_silence_cost_is_told_where_it_is_much},
        {"an interrupted run says so", an_interrupted_run_says_so},
        {"a failure is shown with all its evidence", a_failure_is_shown_with_all_its_evidence},
        {"a warning and an error have no more than they need",
         a_warning_and_an_error_have_no_more_than_they_need},
        {"a long transcript is shown from behind", a_long_transcript_is_shown_from_behind},
        {"a long message is shown from its beginning", a_long_message_is_shown_from_its_beginning},
        {"what differs is not the same", what_differs_is_not_the_same},
        {"each thing that is neither pass nor skip gets a line as it falls",
         each_thing_that_is_neither_pass_nor_skip_gets_a_line_as_it_falls},
        {"the summary comes last, with the skips by reason",
         the_summary_comes_last_with_the_skips_by_reason},
        {"what was measured stands before the summary, whatever the verdict",
         what_was_measured_stands_before_the_summary_whatever_the_verdict},
        {"what was found on the way to the cases is shown",
         what_was_found_on_the_way_to_the_cases_is_shown},
        {"a breach that many cases show is printed once",
         a_breach_that_many_cases_show_is_printed_once},
        {"a step that blocks many cases is told once", a_step_that_blocks_many_cases_is_told_once},
        {"a terminal shows how far the run is", a_terminal_shows_how_far_the_run_is},
        {"a status line does not wrap", a_status_line_does_not_wrap},
        {"verbose shows every transcript", verbose_shows_every_transcript},
        {"colours are ended where they begin", colours_are_ended_where_they_begin},
        {"the console obeys no peer", the_console_obeys_no_peer},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"report", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    CU_register_suites(suites);
}
