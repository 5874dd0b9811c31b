/* Reports in files: what each format must hold, that no peer can break it, and when it is written. */
#include <CUnit/CUnit.h>
#include <jansson.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/private.h"
#include "tests/made_run.h"

void report_files_tests(void);

static unsigned occurrences(const char *text, const char *part)
{
    unsigned count = 0;

    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
        count++;
    return count;
}

/* ---- Formats ------------------------------------------------------------------------------------ */

static void tap_has_a_line_for_each_case(void)
{
    g_autoptr(MadeRun) run = made_run_mixed();
    g_autofree char *tap = report_tap_text(&run->options, &run->summary);

    CU_ASSERT(g_str_has_prefix(tap, "TAP version 13\n1..7\n"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(tap, "\nok 1 - server/chapter/pass: A title & more\nnot ok 2 - "));
    CU_ASSERT_PTR_NOT_NULL(strstr(tap, "\n    - message: \"no word was kept\"\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(tap, "\n      requirement: \"test.must\"\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(tap, "\nok 3 - "));
    CU_ASSERT_EQUAL(occurrences(tap, "\n  severity: "), 4);
    CU_ASSERT_EQUAL(occurrences(tap, "\n  kind: "), 2); /* neither the warning's nor the error's */
    CU_ASSERT_PTR_NOT_NULL(strstr(tap, "\n  kind: \"hint\"\n"));
    g_autofree char *closing = report_closing_line(&run->summary);
    g_autofree char *end = g_strdup_printf("\n  ...\n# %s\n", closing);
    CU_ASSERT(g_str_has_suffix(tap, end));
    CU_ASSERT_PTR_NOT_NULL(strstr(tap, "more # SKIP the server does not offer it\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(tap, "more # SKIP blocked: no export was opened\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(tap, "\nnot ok 7 - "));
}

static void what_was_found_on_the_way_to_the_cases_is_in_every_format(void)
{
    g_autoptr(MadeRun) run = made_run_new();

    made_run_set_on_the_way(made_run_fail(run, "setup", "the greeting is odd"));
    g_autofree char *tap = report_tap_text(&run->options, &run->summary);
    g_autofree char *xml = report_junit_text(&run->options, &run->summary);
    g_autofree char *text = report_json_text(&run->options, &run->summary);
    CU_ASSERT_PTR_NOT_NULL(strstr(tap, "not ok 1 - setup: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(xml, "classname=\"setup\" name=\"setup\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"id\": \"setup\""));
}

static void no_peer_writes_lines_of_tap(void)
{
    g_autoptr(MadeRun) run = made_run_hostile();
    g_autofree char *tap = report_tap_text(&run->options, &run->summary);

    CU_ASSERT(g_utf8_validate(tap, -1, NULL));
    CU_ASSERT_EQUAL(occurrences(tap, "\nnot ok"), 1);
    CU_ASSERT_EQUAL(occurrences(tap, "\n  ...\n"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(tap, "\"<\\#&\\\\xff: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(tap, "[2J\\\"\\\\ \\\\x9b\"\n"));
}

static void count_element(GMarkupParseContext *context, const char *name, const char **names,
                          const char **values, gpointer counts, GError **error)
{
    (void)context;
    (void)names;
    (void)values;
    (void)error;
    unsigned *count = g_hash_table_lookup(counts, name);
    if (count == NULL) {
        count = g_new0(unsigned, 1);
        g_hash_table_insert(counts, g_strdup(name), count);
    }
    (*count)++;
}

/* How often each element stands in XML; fails the test if it is not well-formed. */
static GHashTable *count_elements(const char *xml)
{
    GMarkupParser parser = {.start_element = count_element};
    GHashTable *counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GMarkupParseContext) context = g_markup_parse_context_new(&parser, 0, counts, NULL);

    CU_ASSERT(g_markup_parse_context_parse(context, xml, -1, NULL));
    CU_ASSERT(g_markup_parse_context_end_parse(context, NULL));
    return counts;
}

static unsigned elements_called(GHashTable *counts, const char *name)
{
    const unsigned *count = g_hash_table_lookup(counts, name);

    return count == NULL ? 0 : *count;
}

static void junit_counts_as_its_readers_do(void)
{
    g_autoptr(MadeRun) run = made_run_mixed();
    g_autofree char *xml = report_junit_text(&run->options, &run->summary);
    g_autoptr(GHashTable) counts = count_elements(xml);

    CU_ASSERT_EQUAL(elements_called(counts, "testsuite"), 1);
    CU_ASSERT_EQUAL(elements_called(counts, "testcase"), 7);
    CU_ASSERT_EQUAL(elements_called(counts, "failure"), 1);
    CU_ASSERT_EQUAL(elements_called(counts, "error"), 1);
    CU_ASSERT_EQUAL(elements_called(counts, "skipped"), 2);
    CU_ASSERT_EQUAL(elements_called(counts, "system-out"), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(xml, "name=\"server/chapter\" tests=\"7\" failures=\"1\" "
                                       "errors=\"1\" skipped=\"2\""));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(xml, "<failure type=\"violation\" message=\"no word was kept\">"));
    CU_ASSERT_PTR_NOT_NULL(strstr(xml, "classname=\"server.chapter\" name=\"fail@n=1\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(xml, "<system-out>warning: title: A title &amp; more\n"
                                       "reason: it should be otherwise\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(xml, "<system-out>hint: title: A title &amp; more\n"
                                       "reason: it could be otherwise\n"));
}

static void junit_adds_up_each_kind_of_verdict_by_itself(void)
{
    g_autoptr(MadeRun) run = made_run_new();

    made_run_add(run, "server/chapter/a", VERDICT_ERROR, KIND_NONE, "out of descriptors");
    for (unsigned i = 0; i < 2; i++)
        made_run_fail(run, "server/chapter/b", "no word was kept");
    made_run_add(run, "server/chapter/c", VERDICT_SKIP, KIND_NONE, "it is not offered");
    for (unsigned i = 0; i < 3; i++)
        made_run_add(run, "server/chapter/d", VERDICT_BLOCKED, KIND_NONE, "no export");
    for (unsigned i = 0; i < 5; i++)
        made_run_add(run, "server/chapter/e", VERDICT_PASS, KIND_NONE, NULL);
    g_autofree char *xml = report_junit_text(&run->options, &run->summary);
    CU_ASSERT_EQUAL(
        occurrences(xml, " tests=\"12\" failures=\"2\" errors=\"1\" skipped=\"4\" time="), 2);
}

static void what_is_not_known_has_no_line(void)
{
    g_autoptr(MadeRun) run = made_run_new();
    RunEntry *entry = made_run_fail(run, "server/chapter/fail", "no word was kept");
    Finding *finding = entry->result->findings->pdata[0];

    g_clear_pointer(&finding->expected, g_free);
    g_clear_pointer(&finding->got, g_free);
    *entry->result->transcript = '\0';
    g_autofree char *xml = report_junit_text(&run->options, &run->summary);
    g_autofree char *tap = report_tap_text(&run->options, &run->summary);
    CU_ASSERT_PTR_NULL(strstr(xml, "expected"));
    CU_ASSERT_PTR_NULL(strstr(xml, "got"));
    CU_ASSERT_PTR_NULL(strstr(xml, "transcript"));
    CU_ASSERT_PTR_NULL(strstr(tap, "expected"));
    CU_ASSERT_PTR_NULL(strstr(tap, "got"));
    CU_ASSERT_PTR_NULL(strstr(tap, "transcript"));
}

/* What a case was asked with may contain slashes of its own. */
static void a_value_with_a_slash_is_no_folder_of_junit(void)
{
    g_autoptr(MadeRun) run = made_run_new();

    made_run_add(run, "server/chapter/case@name=\"/a/b\"", VERDICT_PASS, KIND_NONE, NULL);
    g_autofree char *xml = report_junit_text(&run->options, &run->summary);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(xml, "classname=\"server.chapter\" name=\"case@name=&quot;/a/b&quot;\""));
}

static void no_peer_writes_xml(void)
{
    g_autoptr(MadeRun) run = made_run_hostile();
    g_autofree char *xml = report_junit_text(&run->options, &run->summary);
    g_autoptr(GHashTable) counts = count_elements(xml);

    CU_ASSERT_EQUAL(elements_called(counts, "failure"), 1);
    CU_ASSERT(g_utf8_validate(xml, -1, NULL));
}

static const char *member(json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL ? "(none)" : text;
}

#define PROTOCOL "https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md"

static void tap_tells_all_that_is_known_of_a_failure(void)
{
    g_autoptr(MadeRun) run = made_run_new();

    made_run_fail(run, "server/chapter/fail@n=1", "no word was kept");
    g_autofree char *tap = report_tap_text(&run->options, &run->summary);
    CU_ASSERT_PTR_NOT_NULL(strstr(tap, "\nnot ok 1 - server/chapter/fail@n=1: A title & more\n"
                                       "  ---\n"
                                       "  message: \"no word was kept\"\n"
                                       "  severity: \"fail\"\n"
                                       "  kind: \"violation\"\n"
                                       "  at: \"cases/server/chapter/case.case:7\"\n"
                                       "  findings:\n"
                                       "    - message: \"no word was kept\"\n"
                                       "      requirement: \"test.must\"\n"
                                       "      level: \"MUST\"\n"
                                       "      sentence: \"The server keeps its word.\"\n"
                                       "      link: \"" PROTOCOL "#option-types\"\n"
                                       "      by: \"server\"\n"
                                       "      expected: \"reply ABORT ACK length=0\"\n"
                                       "      got: \"close\"\n"
                                       "  transcript: |2\n"
                                       "    C: option ABORT\n"
                                       "    S: close\n"
                                       "  ...\n"));
}

static void junit_tells_all_that_is_known_of_a_failure(void)
{
    g_autoptr(MadeRun) run = made_run_new();

    made_run_fail(run, "server/chapter/fail@n=1", "no word was kept");
    made_run_add(run, "server/chapter/blocked", VERDICT_BLOCKED, KIND_NONE, "no <way>");
    g_autofree char *xml = report_junit_text(&run->options, &run->summary);
    CU_ASSERT_PTR_NOT_NULL(strstr(xml, "<property name=\"tool\" value=\"nbdconform "));
    CU_ASSERT_PTR_NOT_NULL(strstr(xml, "<property name=\"target\" value=\"localhost:10809\"/>"));
    g_autofree char *catalogue =
        g_strdup_printf("<property name=\"catalogue\" value=\"%s\"/>", catalogue_hash);
    CU_ASSERT_PTR_NOT_NULL(strstr(xml, catalogue));
    CU_ASSERT_PTR_NOT_NULL(strstr(xml, " skipped=\"1\" time=\"2.149\">")); /* of all */
    CU_ASSERT_PTR_NOT_NULL(
        strstr(xml, " skipped=\"1\" time=\"0.024\" timestamp=")); /* of the suite */
    CU_ASSERT_PTR_NOT_NULL(
        strstr(xml, "    <testcase classname=\"server.chapter\" name=\"fail@n=1\" time=\"0.012\">\n"
                    "      <failure type=\"violation\" message=\"no word was kept\">"
                    "title: A title &amp; more\n"
                    "reason: no word was kept\n"
                    "\n"
                    "finding: no word was kept\n"
                    "case: cases/server/chapter/case.case:7\n"
                    "requirement: test.must\n"
                    "level: MUST\n"
                    "sentence: The server keeps its word.\n"
                    "link: " PROTOCOL "#option-types\n"
                    "expected: reply ABORT ACK length=0\n"
                    "got: close\n"
                    "\n"
                    "transcript:\n"
                    "C: option ABORT\n"
                    "S: close\n"
                    "</failure>\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(xml, "<skipped message=\"blocked: no &lt;way&gt;\"/>"));
}

static void json_is_the_document_that_was_promised(void)
{
    g_autoptr(MadeRun) run = made_run_mixed();
    g_autofree char *text = report_json_text(&run->options, &run->summary);
    json_t *document = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(document);
    CU_ASSERT(g_str_has_prefix(member(document, "tool"), "nbdconform "));
    CU_ASSERT_STRING_EQUAL(member(document, "catalogue"), catalogue_hash);
    CU_ASSERT_STRING_EQUAL(member(document, "target"), "localhost:10809");
    CU_ASSERT_STRING_EQUAL(member(document, "started"), "1970-01-01T00:00:00Z");
    CU_ASSERT_STRING_EQUAL(member(json_object_get(document, "mode"), "enter"), "go");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(document, "duration_ms")), 2149);
    json_t *counts = json_object_get(document, "summary");
    CU_ASSERT_EQUAL(json_object_size(counts), 6);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(counts, "warn")), 2);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(counts, "blocked")), 1);

    json_t *cases = json_object_get(document, "cases");
    CU_ASSERT_EQUAL(json_array_size(cases), 7);
    json_t *failed = json_array_get(cases, 1);
    CU_ASSERT_STRING_EQUAL(member(failed, "id"), "server/chapter/fail@n=1");
    CU_ASSERT_STRING_EQUAL(member(failed, "verdict"), "fail");
    CU_ASSERT_STRING_EQUAL(member(failed, "kind"), "violation");
    CU_ASSERT_STRING_EQUAL(member(failed, "reason"), "no word was kept");
    json_t *violation = json_array_get(json_object_get(failed, "violations"), 0);
    CU_ASSERT_STRING_EQUAL(member(violation, "requirement"), "test.must");
    CU_ASSERT_STRING_EQUAL(member(violation, "level"), "MUST");
    CU_ASSERT_STRING_EQUAL(member(violation, "by"), "server");
    CU_ASSERT_DOUBLE_EQUAL(json_real_value(json_object_get(failed, "duration_ms")), 12.345, 1e-9);
    json_t *asked = json_object_get(failed, "requirements");
    CU_ASSERT_EQUAL(json_array_size(asked), 1);
    CU_ASSERT_EQUAL(g_strcmp0(json_string_value(json_array_get(asked, 0)), "test.must"), 0);
    json_t *passed = json_array_get(cases, 0);
    CU_ASSERT(json_is_null(json_object_get(passed, "kind")));
    CU_ASSERT(json_is_null(json_object_get(passed, "reason")));
    CU_ASSERT_EQUAL(json_array_size(json_object_get(passed, "violations")), 0);
    json_decref(document);
}

static void mode_is(const RunOptions *options, const char *replies, const char *tls, bool set)
{
    RunSummary summary = {0};
    json_t *document = report_json_head(options, &summary);
    json_t *mode = json_object_get(document, "mode");

    CU_ASSERT_EQUAL(json_object_size(mode), 7);
    CU_ASSERT_STRING_EQUAL(member(mode, "replies"), replies);
    CU_ASSERT_STRING_EQUAL(member(mode, "tls"), tls);
    CU_ASSERT_STRING_EQUAL(member(mode, "enter"), set ? "export-name" : "go");
    CU_ASSERT_STRING_EQUAL(member(mode, "export"), set ? "disk" : "");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(mode, "segment")), set ? 7 : 0);
    CU_ASSERT_EQUAL(json_is_true(json_object_get(mode, "allow_writes")), set);
    CU_ASSERT_EQUAL(json_is_true(json_object_get(mode, "strict")), set);
    json_decref(document);
}

static void json_tells_what_the_verdicts_depend_on(void)
{
    RunOptions options = {.target_name = "x", .mode = {.export_name = ""}};

    options.mode.replies = REPLIES_SIMPLE;
    mode_is(&options, "simple", "off", false);
    options.mode.replies = REPLIES_STRUCTURED;
    options.mode.tls = PLAY_TLS_ALLOW;
    mode_is(&options, "structured", "allow", false);
    options.mode.replies = REPLIES_EXTENDED;
    options.mode.tls = PLAY_TLS_REQUIRE;
    options.mode.enter = ENTER_EXPORT_NAME;
    options.mode.export_name = "disk";
    options.mode.segment = 7;
    options.mode.allow_writes = true;
    options.strict = true;
    mode_is(&options, "extended", "require", true);
}

static void what_was_measured_is_in_json_with_its_case(void)
{
    g_autoptr(MadeRun) run = made_run_new();
    RunEntry *entry = made_run_add(run, "a", VERDICT_PASS, KIND_NONE, NULL);

    made_run_measure(entry, "x", "fast", 0.5);
    made_run_measure(entry, "y", "who knows", NAN);
    g_autofree char *text = report_json_text(&run->options, &run->summary);
    json_t *document = json_loads(text, 0, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(document);
    json_t *only = json_array_get(json_object_get(document, "cases"), 0);
    json_t *told = json_object_get(only, "measurements");
    CU_ASSERT_EQUAL(json_array_size(told), 2);
    CU_ASSERT_STRING_EQUAL(member(json_array_get(told, 0), "name"), "x");
    CU_ASSERT_STRING_EQUAL(member(json_array_get(told, 0), "text"), "fast");
    CU_ASSERT_EQUAL(json_real_value(json_object_get(json_array_get(told, 0), "value")), 0.5);
    CU_ASSERT(json_is_null(json_object_get(json_array_get(told, 1), "value")));
    json_decref(document);
}

static void what_was_measured_is_a_diagnostic_of_tap(void)
{
    g_autoptr(MadeRun) run = made_run_new();

    made_run_measure(made_run_add(run, "a", VERDICT_PASS, KIND_NONE, NULL), "x", "fast", 0.5);
    made_run_measure(made_run_fail(run, "b", "broken"), "y", "who\nnot ok 9", NAN);
    g_autofree char *tap = report_tap_text(&run->options, &run->summary);
    CU_ASSERT_PTR_NOT_NULL(strstr(tap, "more\n# measured, x: fast\nnot ok 2 - "));
    CU_ASSERT_PTR_NOT_NULL(strstr(tap, "\n  ...\n# measured, y: who"));
    CU_ASSERT_EQUAL(occurrences(tap, "\nnot ok"), 1);
}

static void what_was_measured_is_in_the_output_of_junit_cases(void)
{
    g_autoptr(MadeRun) run = made_run_new();

    made_run_measure(made_run_add(run, "a", VERDICT_PASS, KIND_NONE, NULL), "x", "<fast>", 0.5);
    made_run_measure(made_run_fail(run, "b", "broken"), "y", "slow", NAN);
    made_run_add(run, "c", VERDICT_PASS, KIND_NONE, NULL);
    g_autofree char *xml = report_junit_text(&run->options, &run->summary);
    g_autoptr(GHashTable) counts = count_elements(xml);
    CU_ASSERT_EQUAL(elements_called(counts, "system-out"), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(xml, "<system-out>measured, x: &lt;fast&gt;\n</system-out>"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(xml, "</failure>\n      <system-out>measured, y: slow\n</system-out>"));
}

static void bytes_that_are_not_utf8_are_escaped_in_json(void)
{
    g_autoptr(MadeRun) run = made_run_hostile();
    g_autofree char *text = report_json_text(&run->options, &run->summary);
    json_t *document = json_loads(text, 0, NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(document);
    json_t *only = json_array_get(json_object_get(document, "cases"), 0);
    CU_ASSERT_STRING_EQUAL(member(only, "id"), "server/chapter/fail@name=\"<#&\\xff");
    CU_ASSERT_PTR_NOT_NULL(strstr(member(only, "transcript"), "S: \\xff\\xfe </failure>"));
    json_decref(document);
}

/* ---- Files on the disk --------------------------------------------------------------------------- */

typedef struct {
    char *folder, *path, *journal;
} Folder;

static Folder folder_new(void)
{
    Folder folder = {.folder = g_dir_make_tmp("nbdconform-XXXXXX", NULL)};

    folder.path = g_build_filename(folder.folder, "r.json", NULL);
    folder.journal = g_strconcat(folder.path, ".journal", NULL);
    return folder;
}

static void folder_remove(Folder *folder)
{
    unlink(folder->path);
    unlink(folder->journal);
    CU_ASSERT_EQUAL(rmdir(folder->folder), 0); /* nothing else was left there */
    g_free(folder->folder);
    g_free(folder->path);
    g_free(folder->journal);
}

static void a_report_replaces_the_old_one_when_the_run_ends(void)
{
    Folder folder = folder_new();
    g_autoptr(MadeRun) run = made_run_mixed();
    g_autofree char *text = NULL;

    CU_ASSERT(g_file_set_contents(folder.path, "old", -1, NULL));
    g_autoptr(Report) report = report_file_new(REPORT_JUNIT, folder.path, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(report);
    CU_ASSERT(g_file_get_contents(folder.path, &text, NULL, NULL));
    CU_ASSERT_STRING_EQUAL(text, "old");

    const RunObserver *observer = report_observer(report);
    observer->begin(observer->self, &run->options, &run->summary);
    observer->end(observer->self, &run->options, &run->summary);
    CU_ASSERT(report_finish(report, NULL));
    g_free(text);
    CU_ASSERT(g_file_get_contents(folder.path, &text, NULL, NULL));
    CU_ASSERT(g_str_has_prefix(text, "<?xml"));
    folder_remove(&folder);
}

static void the_journal_holds_each_verdict_until_the_report_is_written(void)
{
    Folder folder = folder_new();
    g_autoptr(MadeRun) run = made_run_mixed();
    g_autoptr(Report) report = report_file_new(REPORT_JSON, folder.path, NULL);
    const RunObserver *observer = report_observer(report);
    g_autofree char *text = NULL;

    observer->begin(observer->self, &run->options, &run->summary);
    for (unsigned i = 0; i < run->summary.entries->len; i++)
        observer->finished(observer->self, g_ptr_array_index(run->summary.entries, i),
                           &run->summary);
    CU_ASSERT(g_file_get_contents(folder.journal, &text, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);
    CU_ASSERT_EQUAL(g_strv_length(lines), 8);
    for (char **line = lines; *line != NULL; line++) {
        json_t *object = json_loads(*line, 0, NULL);
        CU_ASSERT_PTR_NOT_NULL(json_object_get(object, line == lines ? "tool" : "verdict"));
        json_decref(object);
    }

    observer->end(observer->self, &run->options, &run->summary);
    CU_ASSERT(report_finish(report, NULL));
    CU_ASSERT(access(folder.path, R_OK) == 0);
    CU_ASSERT(access(folder.journal, F_OK) != 0);
    folder_remove(&folder);
}

static void what_cannot_be_written_is_known_before_the_run(void)
{
    Folder folder = folder_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *nowhere = g_build_filename(folder.folder, "none", "r.json", NULL);

    CU_ASSERT_PTR_NULL(report_file_new(REPORT_TAP, nowhere, &error));
    CU_ASSERT(error != NULL && strstr(error->message, nowhere) != NULL);
    CU_ASSERT_PTR_NULL(report_file_new(REPORT_TAP, folder.folder, NULL));
    folder_remove(&folder);
}

static void a_link_keeps_leading_where_it_led(void)
{
    Folder folder = folder_new();
    g_autofree char *real = g_build_filename(folder.folder, "real", NULL);
    g_autoptr(MadeRun) run = made_run_new();
    g_autofree char *text = NULL, *old = g_strnfill(10000, 'x');
    struct stat status;

    CU_ASSERT(g_file_set_contents(real, old, -1, NULL));
    CU_ASSERT_EQUAL_FATAL(symlink(real, folder.path), 0);
    g_autoptr(Report) report = report_file_new(REPORT_JSON, folder.path, NULL);
    const RunObserver *observer = report_observer(report);
    observer->end(observer->self, &run->options, &run->summary);
    CU_ASSERT(report_finish(report, NULL));
    CU_ASSERT(lstat(folder.path, &status) == 0 && S_ISLNK(status.st_mode));
    CU_ASSERT(g_file_get_contents(real, &text, NULL, NULL));
    json_t *document = json_loads(text, 0, NULL);
    CU_ASSERT_PTR_NOT_NULL(document);
    json_decref(document);
    unlink(real);
    folder_remove(&folder);
}

void report_files_tests(void)
{
    CU_TestInfo tests[] = {
        {"TAP has a line for each case", tap_has_a_line_for_each_case},
        {"what was found on the way to the cases is in every format",
         what_was_found_on_the_way_to_the_cases_is_in_every_format},
        {"no peer writes lines of TAP", no_peer_writes_lines_of_tap},
        {"JUnit counts as its readers do", junit_counts_as_its_readers_do},
        {"JUnit adds up each kind of verdict by itself",
         junit_adds_up_each_kind_of_verdict_by_itself},
        {"what is not known has no line", what_is_not_known_has_no_line},
        {"a value with a slash is no folder of JUnit", a_value_with_a_slash_is_no_folder_of_junit},
        {"JSON tells what the verdicts depend on", json_tells_what_the_verdicts_depend_on},
        {"no peer writes XML", no_peer_writes_xml},
        {"TAP tells all that is known of a failure", tap_tells_all_that_is_known_of_a_failure},
        {"JUnit tells all that is known of a failure", junit_tells_all_that_is_known_of_a_failure},
        {"JSON is the document that was promised", json_is_the_document_that_was_promised},
        {"what was measured is in JSON, with its case", what_was_measured_is_in_json_with_its_case},
        {"what was measured is a diagnostic of TAP", what_was_measured_is_a_diagnostic_of_tap},
        {"what was measured is in the output of JUnit's cases",
         what_was_measured_is_in_the_output_of_junit_cases},
        {"bytes that are not UTF-8 are escaped in JSON",
         bytes_that_are_not_utf8_are_escaped_in_json},
        {"a report replaces the old one when the run ends",
         a_report_replaces_the_old_one_when_the_run_ends},
        {"the journal holds each verdict until the report is written",
         the_journal_holds_each_verdict_until_the_report_is_written},
        {"what cannot be written is known before the run",
         what_cannot_be_written_is_known_before_the_run},
        {"a link keeps leading where it led", a_link_keeps_leading_where_it_led},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"report files", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    CU_register_suites(suites);
}
