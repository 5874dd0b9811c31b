/* What a soak's reports say, what a baseline knows, and what is read of memcheck's log. */
#include <CUnit/CUnit.h>
#include <glib/gstdio.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/soak.h"
#include "soak/memcheck.h"
#include "soak/trial.h"

void soak_report_tests(void);

/* ---- Made-up soaks ----------------------------------------------------------------------------- */

static SoakFinding *made_finding(unsigned phase, SoakEnding ending)
{
    SoakFinding *finding = g_new0(SoakFinding, 1);
    size_t count;

    finding->point = (SoakPoint){.phase = &soak_phases(&count)[phase], .ending = ending};
    finding->cycles = 144;
    for (unsigned i = 0; i < SOAK_RESOURCES; i++)
        finding->detectable[i] = i == SOAK_MEMORY ? 512 : 1.0 / 16;
    return finding;
}

static SoakFinding *made_leak(double fds)
{
    SoakFinding *finding = made_finding(1, ENDING_RESET);

    finding->verdict = SOAK_LEAKS;
    finding->leaks[SOAK_FD] = true;
    finding->per_cycle[SOAK_FD] = fds;
    finding->fd_kind = FD_SOCKET;
    return finding;
}

/* Takes over FINDINGS, which end with NULL. */
static SoakSummary *made_soak(SoakFinding *const *findings)
{
    SoakSummary *summary = g_new0(SoakSummary, 1);

    summary->findings = g_ptr_array_new_with_free_func((GDestroyNotify)soak_finding_free);
    summary->measured = true;
    summary->cycles = 1000;
    for (; *findings != NULL; findings++) {
        g_ptr_array_add(summary->findings, *findings);
        summary->count[(*findings)->verdict]++;
    }
    return summary;
}

static SoakBaseline *baseline_of(const SoakSummary *summary)
{
    g_autofree char *text = report_soak_json(summary, "it", NULL), *path = NULL;
    int fd = g_file_open_tmp("nbdconform-XXXXXX", &path, NULL);

    g_close(fd, NULL);
    g_file_set_contents(path, text, -1, NULL);
    SoakBaseline *baseline = soak_baseline_load(path, NULL);
    remove(path);
    return baseline;
}

static char *shown_on(ReportConsole console, const SoakSummary *summary,
                      const SoakBaseline *baseline)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    console.out = out;
    console.again = "nbdconform soak";
    ReportSoak *report = report_soak_new(&console, " --crowd 9", baseline);
    const SoakObserver *observer = report_soak_observer(report);

    for (guint i = 0; i < summary->findings->len; i++) {
        observer->progress(observer->self, "x", i, summary->findings->len);
        observer->found(observer->self, summary->findings->pdata[i]);
    }
    report_soak_end(report, summary);
    report_soak_free(report);
    fclose(out);
    return text;
}

static char *console_of(const SoakSummary *summary, const SoakBaseline *baseline)
{
    return shown_on((ReportConsole){0}, summary, baseline);
}

/* ---- Reports ----------------------------------------------------------------------------------- */

static void a_leak_is_named_with_its_rate_its_place_and_how_to_repeat_it(void)
{
    g_autoptr(SoakSummary) summary =
        made_soak((SoakFinding *[]){made_leak(1), made_finding(0, ENDING_CLOSE), NULL});
    g_autofree char *text = console_of(summary, NULL);
    g_autofree char *name = soak_finding_name(summary->findings->pdata[0]);
    g_autofree char *line = g_strdup_printf("LEAK     +1.00 fd per cycle at %s (socket)\n", name);
    g_autofree char *repeat = g_strdup_printf("    repeat: nbdconform soak --points %s\n", name);

    CU_ASSERT_PTR_NOT_NULL(strstr(text, line));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, repeat));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "one descriptor, thread or child in 16 cycles, or 512 "
                                        "bytes a cycle"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "2 points: 1 clean, 1 leak, 0 crash"));
    CU_ASSERT_EQUAL(soak_exit_status(summary), 1);
}

static void what_a_server_prints_does_not_reach_the_terminal_as_it_is(void)
{
    SoakFinding *finding = made_finding(0, ENDING_CLOSE);

    finding->verdict = SOAK_CRASHED;
    finding->reason = g_strdup("the server was killed");
    finding->details = g_strdup("one\n\033[2Jtwo\n");
    g_autoptr(SoakSummary) summary = made_soak((SoakFinding *[]){finding, NULL});
    g_autofree char *text = console_of(summary, NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "    one\n    \\x1b[2Jtwo\n"));
    CU_ASSERT_PTR_NULL(strchr(text, '\033'));
}

static void of_long_details_the_end_is_shown(void)
{
    SoakFinding *finding = made_finding(0, ENDING_CLOSE);
    GString *details = g_string_new(NULL);

    for (unsigned i = 0; i < 42; i++)
        g_string_append_printf(details, "line %u\n", i);
    soak_finding_settle(finding, SOAK_CRASHED, g_strdup("the server was killed"));
    finding->details = g_string_free(details, FALSE);
    g_autoptr(SoakSummary) summary = made_soak((SoakFinding *[]){finding, NULL});
    g_autofree char *text = console_of(summary, NULL);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "the server was killed\n    … 2 more lines\n    line 2\n    line 3\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\n    line 41\n    repeat: "));
}

static SoakFinding *made_skip(unsigned phase, const char *reason)
{
    SoakFinding *finding = made_finding(phase, ENDING_VANISH);

    soak_finding_settle(finding, SOAK_SKIPPED, g_strdup(reason));
    return finding;
}

static void skips_are_counted_by_reason_the_most_frequent_first(void)
{
    g_autoptr(SoakSummary) summary =
        made_soak((SoakFinding *[]){made_skip(0, "a"), made_skip(1, "b"), made_skip(2, "b"),
                                    made_skip(3, "c"), made_skip(4, "c"), made_skip(5, "c"), NULL});
    g_autofree char *text = console_of(summary, NULL);

    CU_ASSERT(g_str_has_prefix(text, "skipped   3: c\nskipped   2: b\nskipped   1: a\n"));
}

static void what_is_clean_is_shown_to_who_asks_for_all(void)
{
    g_autoptr(SoakSummary) summary =
        made_soak((SoakFinding *[]){made_finding(0, ENDING_CLOSE), NULL});
    g_autofree char *name = soak_finding_name(summary->findings->pdata[0]);
    g_autofree char *line = g_strdup_printf("clean    %s\n", name);
    g_autofree char *brief = console_of(summary, NULL);
    g_autofree char *verbose = shown_on((ReportConsole){.verbose = true}, summary, NULL);

    CU_ASSERT_PTR_NULL(strstr(brief, name));
    CU_ASSERT(g_str_has_prefix(verbose, line));
}

/* A leak that was found could not have hidden. */
static void what_could_have_hidden_is_of_the_clean_points(void)
{
    SoakFinding *leak = made_leak(1);

    leak->detectable[SOAK_FD] = 1;
    g_autoptr(SoakSummary) summary =
        made_soak((SoakFinding *[]){leak, made_finding(0, ENDING_CLOSE), NULL});
    g_autofree char *text = console_of(summary, NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, " in 16 cycles, or 512 bytes a cycle.\n"));
    summary->measured = false;
    summary->note = g_strdup("a note\033");
    g_autofree char *unknown = console_of(summary, NULL);
    CU_ASSERT_PTR_NULL(strstr(unknown, " in 16 cycles"));
    CU_ASSERT_PTR_NOT_NULL(strstr(unknown, "nothing was measured"));
    CU_ASSERT_PTR_NOT_NULL(strstr(unknown, "\na note\\x1b\n"));
}

static void the_closing_line_has_the_colour_of_the_worst(void)
{
    static const SoakVerdict bad[] = {SOAK_LEAKS, SOAK_CRASHED, SOAK_UNSERVED};
    g_autoptr(SoakSummary) clean =
        made_soak((SoakFinding *[]){made_finding(0, ENDING_CLOSE), NULL});
    g_autofree char *good = shown_on((ReportConsole){.colour = true}, clean, NULL);

    clean->interrupted = true;
    clean->duration_ms = 1234;
    g_autofree char *interrupted = console_of(clean, NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(good, "\033[32m1 points: "));
    CU_ASSERT(g_str_has_suffix(good, " reconnects in 0.0 s\n"));
    CU_ASSERT(g_str_has_suffix(interrupted, "; 1000 reconnects in 1.2 s, interrupted\n"));
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        SoakFinding *finding = made_leak(1);
        finding->verdict = bad[i];
        g_autoptr(SoakSummary) summary = made_soak((SoakFinding *[]){finding, NULL});
        g_autofree char *text = shown_on((ReportConsole){.colour = true}, summary, NULL);
        g_autoptr(SoakBaseline) baseline = baseline_of(summary);
        g_autofree char *known = shown_on((ReportConsole){.colour = true}, summary, baseline);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "\033[1;31m1 points: "));
        CU_ASSERT(g_str_has_prefix(text, "\033[1;31m"));
        CU_ASSERT_PTR_NULL(strstr(text, " (known)\n"));
        CU_ASSERT(g_str_has_prefix(known, "\033[33m"));
        CU_ASSERT_PTR_NOT_NULL(strstr(known, " (known)\n"));
        CU_ASSERT_PTR_NULL(strstr(known, "no longer: "));
    }
}

static void the_document_has_what_programs_ask_for(void)
{
    SoakFinding *skipped = made_finding(0, ENDING_VANISH);

    soak_finding_settle(skipped, SOAK_SKIPPED, g_strdup("a Unix socket cannot vanish"));
    skipped->cycles = 0;
    skipped->detectable[SOAK_FD] = INFINITY;
    g_autoptr(SoakSummary) summary = made_soak((SoakFinding *[]){made_leak(0.125), skipped, NULL});
    g_autofree char *text = report_soak_json(summary, "it", NULL);
    json_t *document = json_loads(text, 0, NULL);
    json_t *points = json_object_get(document, "points"), *leak = json_array_get(points, 0);
    CU_ASSERT_EQUAL(json_array_size(points), 2);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(leak, "ending")), "reset");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(leak, "verdict")), "leak");
    CU_ASSERT_DOUBLE_EQUAL(json_real_value(json_object_get(leak, "fd_per_cycle")), 0.125, 1e-9);
    CU_ASSERT_TRUE(json_is_null(json_object_get(json_array_get(points, 1), "fd_per_cycle")));
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(document, "cycles")), 1000);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(leak, "cycles")), 144);
    CU_ASSERT_EQUAL(json_object_size(json_object_get(document, "summary")), SOAK_VERDICTS);
    CU_ASSERT_TRUE(json_is_true(json_object_get(document, "measured")));
    CU_ASSERT_TRUE(json_is_false(json_object_get(document, "interrupted")));
    CU_ASSERT_TRUE(json_is_false(json_object_get(document, "tls")));
    CU_ASSERT_TRUE(json_is_false(json_object_get(leak, "confirmed")));
    CU_ASSERT_TRUE(json_is_false(json_object_get(leak, "known")));
    CU_ASSERT_EQUAL(g_strcmp0(json_string_value(json_object_get(leak, "fd_kind")), "socket"), 0);
    CU_ASSERT_TRUE(json_is_null(json_object_get(json_array_get(points, 1), "fd_kind")));
    CU_ASSERT_EQUAL(json_array_size(json_object_get(leak, "leaks")), 1);
    json_decref(document);
}

static void the_document_tells_what_a_baseline_knew(void)
{
    g_autoptr(SoakSummary) summary =
        made_soak((SoakFinding *[]){made_leak(1), made_finding(0, ENDING_CLOSE), NULL});
    g_autoptr(SoakBaseline) baseline = baseline_of(summary);

    summary->interrupted = true;
    summary->duration_ms = 1234;
    ((SoakFinding *)summary->findings->pdata[0])->confirmed = true;
    g_autofree char *text = report_soak_json(summary, "it", baseline);
    json_t *document = json_loads(text, 0, NULL), *points = json_object_get(document, "points");
    json_t *leak = json_array_get(points, 0), *clean = json_array_get(points, 1);
    CU_ASSERT_TRUE(json_is_true(json_object_get(leak, "known")));
    CU_ASSERT_TRUE(json_is_false(json_object_get(clean, "known")));
    CU_ASSERT_TRUE(json_is_true(json_object_get(leak, "confirmed")));
    CU_ASSERT_TRUE(json_is_true(json_object_get(document, "interrupted")));
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(document, "duration_ms")), 1234);
    json_decref(document);
}

static void what_was_not_measured_has_no_rate(void)
{
    g_autoptr(SoakSummary) summary =
        made_soak((SoakFinding *[]){made_finding(0, ENDING_CLOSE), NULL});

    summary->measured = false;
    g_autofree char *text = report_soak_json(summary, "it", NULL);
    json_t *document = json_loads(text, 0, NULL);
    json_t *point = json_array_get(json_object_get(document, "points"), 0);
    CU_ASSERT_TRUE(json_is_null(json_object_get(point, "fd_per_cycle")));
    CU_ASSERT_TRUE(
        json_is_null(json_object_get(json_object_get(point, "detectable"), "fd_per_cycle")));
    json_decref(document);
}

static void nothing_played_is_no_success(void)
{
    SoakFinding *skipped = made_finding(0, ENDING_VANISH);

    soak_finding_settle(skipped, SOAK_SKIPPED, g_strdup("so"));
    g_autoptr(SoakSummary) summary = made_soak((SoakFinding *[]){skipped, NULL});
    CU_ASSERT_EQUAL(soak_exit_status(summary), 125);
}

/* ---- What was said at the end ------------------------------------------------------------------ */

static const char lost_text[] =
    "==7==ERROR: LeakSanitizer: detected memory leaks\n"
    "    #1 0x1 in keep_bytes leak.c:181\n"
    "SUMMARY: AddressSanitizer: 4096 byte(s) leaked in 4 allocation(s).";

static void what_a_sanitizer_says_at_the_end_is_a_leak_of_the_point(void)
{
    SoakFinding *finding = made_finding(1, ENDING_RESET);

    finding->per_cycle[SOAK_MEMORY] = NAN;
    soak_finding_said(finding, lost_text, 32);
    CU_ASSERT_EQUAL(finding->verdict, SOAK_LEAKS);
    CU_ASSERT_TRUE(finding->leaks[SOAK_MEMORY]);
    CU_ASSERT_DOUBLE_EQUAL(finding->per_cycle[SOAK_MEMORY], 128, 1e-9);
    CU_ASSERT_PTR_NOT_NULL(strstr(finding->details, "keep_bytes leak.c:181"));
    soak_finding_free(finding);
}

static void an_error_at_the_end_is_a_crash(void)
{
    SoakFinding *finding = made_finding(1, ENDING_RESET);

    soak_finding_said(finding, "==7==ERROR: AddressSanitizer: heap-use-after-free\n    #0 x", 32);
    CU_ASSERT_EQUAL(finding->verdict, SOAK_CRASHED);
    CU_ASSERT_PTR_NOT_NULL(strstr(finding->reason, "heap-use-after-free"));
    soak_finding_free(finding);
}

static void what_was_found_before_the_end_stays(void)
{
    SoakFinding *leak = made_leak(1), *crash = made_finding(1, ENDING_RESET);

    soak_finding_said(leak, lost_text, 32);
    CU_ASSERT_TRUE(leak->leaks[SOAK_FD] && leak->leaks[SOAK_MEMORY]);
    CU_ASSERT_EQUAL(leak->verdict, SOAK_LEAKS);
    soak_finding_settle(crash, SOAK_CRASHED, g_strdup("it died"));
    soak_finding_said(crash, lost_text, 32);
    CU_ASSERT_STRING_EQUAL(crash->reason, "it died");
    CU_ASSERT_PTR_NOT_NULL(crash->details);
    soak_finding_free(leak);
    soak_finding_free(crash);
}

static SoakFinding *made_stop(const char *at_stop)
{
    SoakFinding *finding = soak_finding_new(NULL);
    size_t count;

    finding->at_stop = at_stop;
    finding->cycles = 1000;
    finding->repeat = (SoakPoint){.phase = &soak_phases(&count)[1], .ending = ENDING_CLOSE};
    soak_finding_said(finding, lost_text, finding->cycles);
    return finding;
}

static void what_no_point_explains_fails_and_says_how_to_repeat_it(void)
{
    g_autoptr(SoakSummary) summary = made_soak((SoakFinding *[]){
        made_finding(0, ENDING_CLOSE), made_stop("ordinary"), made_stop("together"), NULL});
    const SoakFinding *ordinary = summary->findings->pdata[1];
    g_autofree char *text = console_of(summary, NULL), *name = soak_point_name(&ordinary->repeat);
    g_autofree char *repeat = g_strdup_printf("    repeat: nbdconform soak --points %s\n", name);
    g_autofree char *document = report_soak_json(summary, "it", NULL);

    CU_ASSERT_EQUAL(soak_exit_status(summary), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "per cycle at stop/ordinary; when it was stopped"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "keep_bytes leak.c:181"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, repeat));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "    repeat: nbdconform soak --crowd 9\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(document, "\"ending\": \"together\""));
    CU_ASSERT_EQUAL(soak_baseline_new_faults(NULL, summary), 2);
    g_autoptr(SoakBaseline) baseline = baseline_of(summary);
    CU_ASSERT_EQUAL(soak_baseline_new_faults(baseline, summary), 0);
}

/* ---- Baselines --------------------------------------------------------------------------------- */

static unsigned new_faults(SoakFinding *then, SoakFinding *now)
{
    g_autoptr(SoakSummary) before = made_soak((SoakFinding *[]){then, NULL});
    g_autoptr(SoakSummary) after = made_soak((SoakFinding *[]){now, NULL});
    g_autoptr(SoakBaseline) baseline = baseline_of(before);

    return soak_baseline_new_faults(baseline, after);
}

static void a_baseline_knows_what_leaked_before_and_no_faster(void)
{
    CU_ASSERT_EQUAL(new_faults(made_leak(1), made_leak(1)), 0);
    CU_ASSERT_EQUAL(new_faults(made_leak(1), made_leak(1.2)), 0);
    CU_ASSERT_EQUAL(new_faults(made_leak(1), made_leak(2)), 1);
    CU_ASSERT_EQUAL(new_faults(made_leak(0.125), made_leak(1)), 1);
    /* what differs by less than can be told */
    CU_ASSERT_EQUAL(new_faults(made_leak(0.125), made_leak(0.24)), 0);
    CU_ASSERT_EQUAL(new_faults(made_finding(1, ENDING_RESET), made_leak(1)), 1);
    SoakFinding *crash = made_leak(1);
    crash->verdict = SOAK_CRASHED;
    CU_ASSERT_EQUAL(new_faults(made_leak(1), crash), 1);
}

static void what_leaks_besides_is_new(void)
{
    SoakFinding *more = made_leak(1);

    more->leaks[SOAK_THREAD] = true;
    more->per_cycle[SOAK_THREAD] = 1;
    CU_ASSERT_EQUAL(new_faults(made_leak(1), more), 1);
}

static void what_is_cured_is_named(void)
{
    g_autoptr(SoakSummary) before =
        made_soak((SoakFinding *[]){made_leak(1), made_finding(0, ENDING_CLOSE), NULL});
    g_autoptr(SoakSummary) after = made_soak(
        (SoakFinding *[]){made_finding(1, ENDING_RESET), made_finding(0, ENDING_CLOSE), NULL});
    g_autoptr(SoakBaseline) baseline = baseline_of(before);
    g_autofree char *text = console_of(after, baseline);
    g_autofree char *name = soak_finding_name(before->findings->pdata[0]);
    g_autofree char *line = g_strdup_printf("no longer: %s\n0 new since", name);

    CU_ASSERT_PTR_NOT_NULL(strstr(text, line));
    CU_ASSERT_PTR_NULL(strstr(strstr(text, line) + 1, "no longer: "));
    CU_ASSERT_PTR_EQUAL(strstr(text, "no longer: "), strstr(text, line));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "0 new since the baseline"));
}

static void a_baseline_tells_whether_it_was_inside_tls(void)
{
    g_autoptr(SoakSummary) summary = made_soak((SoakFinding *[]){made_leak(1), NULL});
    g_autoptr(SoakBaseline) plain = baseline_of(summary);
    summary->tls = true;
    g_autoptr(SoakBaseline) inside = baseline_of(summary);

    CU_ASSERT_EQUAL(soak_baseline_mode(NULL), SOAK_ANY_MODE);
    CU_ASSERT_EQUAL(soak_baseline_mode(plain), SOAK_PLAIN);
    CU_ASSERT_EQUAL(soak_baseline_mode(inside), SOAK_IN_TLS);
}

static void other_documents_are_no_baselines(void)
{
    static const char *const texts[] = {
        "",
        "{",
        "{}",
        "[]",
        "{\"points\": [{}]}",
        "{\"points\": [{\"phase\": 1}]}",
        "{\"points\": {}}",
        "{\"points\": [{\"phase\": \"x\", \"ending\": \"close\", \"verdict\": \"odd\"}]}",
        "{\"points\": [{\"ending\": \"close\", \"verdict\": \"clean\"}]}",
        "{\"points\": [{\"phase\": \"x\", \"verdict\": \"clean\"}]}"};

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *path = NULL;
        g_autoptr(GError) error = NULL;
        g_close(g_file_open_tmp("nbdconform-XXXXXX", &path, NULL), NULL);
        g_file_set_contents(path, texts[i], -1, NULL);
        CU_ASSERT_PTR_NULL(soak_baseline_load(path, &error));
        CU_ASSERT_PTR_NOT_NULL(error);
        remove(path);
    }
}

/* ---- Memcheck ---------------------------------------------------------------------------------- */

static const char memcheck_log[] =
    "==77== Memcheck, a memory error detector\n"
    "==77== \n"
    "==77== FILE DESCRIPTORS: 5 open (3 std) at exit.\n"
    "==77== Open AF_INET socket 27: 127.0.0.1:19371 <-> unbound\n"
    "==77==    at 0x4DA3F60: dup (dup.c:63)\n"
    "==77==    by 0x161B81: keep (leak.c:174)\n"
    "==77== \n"
    "==77== Open AF_INET socket 28: 127.0.0.1:19371 <-> unbound\n"
    "==77==    at 0x4DA3F60: dup (dup.c:63)\n"
    "==77==    by 0x161B81: keep (leak.c:174)\n"
    "==77== \n"
    "==77== Open file descriptor 2: /dev/null\n"
    "==77==    <inherited from parent>\n"
    "==77== \n"
    "==77== 1,040 (16 direct, 1,024 indirect) bytes in 2 blocks are definitely lost in loss "
    "record 3 of 9\n"
    "==77==    at 0x48417B4: malloc (vg_replace_malloc.c:381)\n"
    "==77==    by 0x161AE6: keep_bytes (leak.c:181)\n"
    "==77== \n"
    "==77== 12 bytes in 1 blocks are still reachable in loss record 1 of 9\n"
    "==77==    at 0x48417B4: malloc (vg_replace_malloc.c:381)\n"
    "==77== \n"
    "==77== LEAK SUMMARY:\n";

static void memcheck_records_are_told_by_their_stacks(void)
{
    g_autoptr(GHashTable) records = memcheck_parse(memcheck_log);
    GHashTableIter iter;
    gpointer value;
    unsigned lost = 0, open = 0;

    CU_ASSERT_EQUAL(g_hash_table_size(records), 3);
    g_hash_table_iter_init(&iter, records);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const MemcheckRecord *record = value;
        if (record->kind == MEMCHECK_LOST) {
            lost += record->count;
            CU_ASSERT_EQUAL(record->bytes, 1040);
        }
        open += record->kind == MEMCHECK_OPEN ? record->count : 0;
    }
    CU_ASSERT_EQUAL(lost, 2);
    CU_ASSERT_EQUAL(open, 3);
}

void soak_report_tests(void)
{
    CU_pSuite suite = CU_add_suite("soak report", NULL, NULL);

    CU_ADD_TEST(suite, a_leak_is_named_with_its_rate_its_place_and_how_to_repeat_it);
    CU_ADD_TEST(suite, what_a_server_prints_does_not_reach_the_terminal_as_it_is);
    CU_ADD_TEST(suite, of_long_details_the_end_is_shown);
    CU_ADD_TEST(suite, skips_are_counted_by_reason_the_most_frequent_first);
    CU_ADD_TEST(suite, what_is_clean_is_shown_to_who_asks_for_all);
    CU_ADD_TEST(suite, what_could_have_hidden_is_of_the_clean_points);
    CU_ADD_TEST(suite, the_closing_line_has_the_colour_of_the_worst);
    CU_ADD_TEST(suite, the_document_has_what_programs_ask_for);
    CU_ADD_TEST(suite, the_document_tells_what_a_baseline_knew);
    CU_ADD_TEST(suite, what_was_not_measured_has_no_rate);
    CU_ADD_TEST(suite, nothing_played_is_no_success);
    CU_ADD_TEST(suite, what_a_sanitizer_says_at_the_end_is_a_leak_of_the_point);
    CU_ADD_TEST(suite, an_error_at_the_end_is_a_crash);
    CU_ADD_TEST(suite, what_was_found_before_the_end_stays);
    CU_ADD_TEST(suite, what_no_point_explains_fails_and_says_how_to_repeat_it);
    CU_ADD_TEST(suite, a_baseline_knows_what_leaked_before_and_no_faster);
    CU_ADD_TEST(suite, what_leaks_besides_is_new);
    CU_ADD_TEST(suite, what_is_cured_is_named);
    CU_ADD_TEST(suite, a_baseline_tells_whether_it_was_inside_tls);
    CU_ADD_TEST(suite, other_documents_are_no_baselines);
    CU_ADD_TEST(suite, memcheck_records_are_told_by_their_stacks);
}
