/* Mistakes in a case are told at their place; hostile files are refused and do no harm. */
#include <CUnit/CUnit.h>
#include <glib.h>
#include <string.h>

#include "scenario/scenario.h"

void scenario_error_tests(void);

#define HEAD "case x\npeer server\n"

/* The message with which TEXT is refused; the caller frees it. */
static char *refuse_bytes(const char *text, size_t length)
{
    g_autofree char *exact = g_memdup2(text, MAX(length, 1));
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) scenario = scenario_parse("x", "x.case", exact, length, &error);

    CU_ASSERT_PTR_NULL_FATAL(scenario);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->domain, SCENARIO_ERROR);
    CU_ASSERT_TRUE(g_utf8_validate(error->message, -1, NULL));
    return g_strdup(error->message);
}

static void refused(const char *text, const char *expected)
{
    g_autofree char *message = refuse_bytes(text, strlen(text));

    if (!g_str_equal(message, expected))
        g_printerr("\nexpected\n%s\nbut got\n%s\n", expected, message);
    CU_ASSERT_STRING_EQUAL(message, expected);
}

/* For texts too large or too odd to be quoted. */
static void refused_at(const char *text, size_t length, const char *place, const char *what)
{
    g_autofree char *message = refuse_bytes(text, length);
    bool right = g_str_has_prefix(message, place) && strstr(message, what) != NULL;

    if (!right)
        g_printerr("\nexpected\n%s … %s\nbut got\n%s\n", place, what, message);
    CU_ASSERT_TRUE(right);
}

/* ---- Typical mistakes ------------------------------------------------------------------------- */

static void mistakes_in_headers_are_told_at_their_place(void)
{
    refused("", "x.case:1:1: expected the first line, `case TITLE`, found the end of the file\n"
                "    1 | \n"
                "      | ^");
    refused("# c\n\npeer server\n",
            "x.case:3:1: expected the first line, `case TITLE`, found `peer`\n"
            "    3 | peer server\n"
            "      | ^");
    refused("case   # nothing\npeer server\n",
            "x.case:1:17: expected a title, found the end of the line\n"
            "    1 | case   # nothing\n"
            "      |                 ^");
    refused("case x\npeer sever\n", "x.case:2:6: unknown peer \"sever\"; did you mean \"server\"?\n"
                                    "    2 | peer sever\n"
                                    "      |      ^");
    refused("case x\npeer zzz\n",
            "x.case:2:6: unknown peer \"zzz\": it is `server`, `client` or `kernel`\n"
            "    2 | peer zzz\n"
            "      |      ^");
    refused("case  x\n\nopen\n", "x.case:1:7: this case does not say who its peer is: "
                                 "`peer server`, `peer client` or `peer kernel`\n"
                                 "    1 | case  x\n"
                                 "      |       ^");
    refused(HEAD "peer client\n", "x.case:3:6: a case has one peer\n"
                                  "    3 | peer client\n"
                                  "      |      ^");
    refused(HEAD "act a\nact b\n", "x.case:4:1: a case has one header `act`\n"
                                   "    4 | act b\n"
                                   "      | ^");
    refused(HEAD "open\nneeds writes\n",
            "x.case:4:1: the header `needs` stands below the first statement\n"
            "    4 | needs writes\n"
            "      | ^");
    refused(HEAD "needs size >= @a\n", "x.case:3:15: expected a value, found `@a`\n"
                                       "    3 | needs size >= @a\n"
                                       "      |               ^");
}

static void mistakes_in_loops_are_told_at_their_place(void)
{
    refused(HEAD "for $n 1 2\n", "x.case:3:8: expected `in`, found `1`\n"
                                 "    3 | for $n 1 2\n"
                                 "      |        ^");
    refused(HEAD "for $n in\n", "x.case:3:5: `$n` has no values\n"
                                "    3 | for $n in\n"
                                "      |     ^");
    refused(HEAD "for $n in 1 2 1\n", "x.case:3:15: `$n` has this value already\n"
                                      "    3 | for $n in 1 2 1\n"
                                      "      |               ^");
    refused(HEAD "for $n in 1\nfor $n in 2\n", "x.case:4:5: `$n` has its values already\n"
                                               "    4 | for $n in 2\n"
                                               "      |     ^");
    refused(HEAD "for $n in 0..4096\n", "x.case:3:11: a loop has at most 4096 values\n"
                                        "    3 | for $n in 0..4096\n"
                                        "      |           ^");
    refused(HEAD "for $n in 0 0..0xffffffffffffffff\n",
            "x.case:3:13: a loop has at most 4096 values\n"
            "    3 | for $n in 0 0..0xffffffffffffffff\n"
            "      |             ^");
    refused(HEAD "for $n in 2..1\n",
            "x.case:3:11: a range goes from a number to one that is not smaller\n"
            "    3 | for $n in 2..1\n"
            "      |           ^");
    refused(HEAD "for $n in 2^64\n",
            "x.case:3:11: a loop's value is a number, a string, a name or a word\n"
            "    3 | for $n in 2^64\n"
            "      |           ^");
    refused(HEAD "for $n in 1 $m\n",
            "x.case:3:13: a loop's value is a number, a string, a name or a word\n"
            "    3 | for $n in 1 $m\n"
            "      |             ^");
    refused(HEAD "for $n in 0..63\nfor $m in 0..64\n",
            "x.case:4:5: the loops of this file make more than 4096 cases\n"
            "    4 | for $m in 0..64\n"
            "      |     ^");
}

static void mistakes_in_statements_are_told_at_their_place(void)
{
    refused(HEAD "C: }\n", "x.case:3:4: expected a verb, found `}`\n"
                           "    3 | C: }\n"
                           "      |    ^");
    refused(HEAD "C: option ABORT )\n",
            "x.case:3:17: expected an operator, a value, the end of the line, `=>`, "
            "a citation or `{`, found `)`\n"
            "    3 | C: option ABORT )\n"
            "      |                 ^");
    refused(HEAD "C: option length=\n", "x.case:3:18: expected a value, found the end of the line\n"
                                        "    3 | C: option length=\n"
                                        "      |                  ^");
    refused(HEAD "x (1 2)\n", "x.case:3:6: expected an operator or `)`, found `2`\n"
                              "    3 | x (1 2)\n"
                              "      |      ^");
    refused(HEAD "x\n}\n", "x.case:4:1: expected a statement, found `}`\n"
                           "    4 | }\n"
                           "      | ^");
    refused(HEAD "one fo {\n", "x.case:3:5: expected `of`, found `fo`; did you mean `of`?\n"
                               "    3 | one fo {\n"
                               "      |     ^");
    refused(HEAD "S: x => skp\n",
            "x.case:3:9: expected an outcome (`continue`, `pass`, `warn`, `fail` or `skip`), "
            "found `skp`; did you mean `skip`?\n"
            "    3 | S: x => skp\n"
            "      |         ^");
    refused(HEAD "one of {\n  S: x => pass\n", "x.case:3:8: this block has no end\n"
                                               "    3 | one of {\n"
                                               "      |        ^");
    refused(HEAD "any order { S: x }\n", "x.case:3:13: expected the end of the line, found `S`\n"
                                         "    3 | any order { S: x }\n"
                                         "      |             ^");
    refused(HEAD "one of\n", "x.case:3:7: expected a citation or `{`, found the end of the line\n"
                             "    3 | one of\n"
                             "      |       ^");
    refused(HEAD "B.X: y\n", "x.case:3:3: expected `C` or `S`, a side of the connection `B`\n"
                             "    3 | B.X: y\n"
                             "      |   ^");
    refused(HEAD "when nth 0 C: y {\n}\n", "x.case:3:10: the first match is `nth 1`\n"
                                           "    3 | when nth 0 C: y {\n"
                                           "      |          ^");
    refused(HEAD "trace evntually C: x\n",
            "x.case:3:18: expected `trace eventually`, `trace never` or `trace` and a message "
            "`before` another; found `:`\n"
            "    3 | trace evntually C: x\n"
            "      |                  ^");
    refused(HEAD "S: x => warn \"\\xff\"\n", "x.case:3:9: the reason is no readable text\n"
                                             "    3 | S: x => warn \"\\xff\"\n"
                                             "      |         ^");
}

static void mistakes_in_words_are_told_at_their_place(void)
{
    refused(HEAD "S: x \"abc\ny\n", "x.case:3:6: this string does not end on its line\n"
                                    "    3 | S: x \"abc\n"
                                    "      |      ^");
    refused(HEAD "S: x \"é\\q\"\n", "x.case:3:8: there is no such escape: they are "
                                    "\\\\ \\\" \\n \\t \\r \\0 \\xHH\n"
                                    "    3 | S: x \"é\\q\"\n"
                                    "      |        ^");
    refused(HEAD "S: x \"\\x1\"\n", "x.case:3:7: there is no such escape: they are "
                                    "\\\\ \\\" \\n \\t \\r \\0 \\xHH\n"
                                    "    3 | S: x \"\\x1\"\n"
                                    "      |       ^");
    refused(HEAD "S: x 18446744073709551616\n", "x.case:3:6: this number is larger than 2^64 - 1\n"
                                                "    3 | S: x 18446744073709551616\n"
                                                "      |      ^");
    refused(HEAD "S: x 16777216T\n", "x.case:3:6: this number is larger than 2^64 - 1\n"
                                     "    3 | S: x 16777216T\n"
                                     "      |      ^");
    refused(HEAD "S: x 12kk\n", "x.case:3:6: `12kk` is no number\n"
                                "    3 | S: x 12kk\n"
                                "      |      ^");
    refused(HEAD "S: x Abort\n", "x.case:3:6: `Abort` is neither a word (a-z, 0-9, hyphens) "
                                 "nor a name (A-Z, 0-9, underscores)\n"
                                 "    3 | S: x Abort\n"
                                 "      |      ^");
    refused(HEAD "S: x $Size\n",
            "x.case:3:6: a variable is `$` and a word (a-z, 0-9, underscores)\n"
            "    3 | S: x $Size\n"
            "      |      ^");
    refused(HEAD "S: x @\n", "x.case:3:6: a citation is `@` and a requirement's id\n"
                             "    3 | S: x @\n"
                             "      |      ^");
    refused(HEAD "S: x ü\n", "x.case:3:6: `ü` means nothing here\n"
                             "    3 | S: x ü\n"
                             "      |      ^");
}

static void odd_numbers_are_refused(void)
{
    static const char *const numbers[] = {"0x",  "0xg",  "0x0x1", "1K",   "1kB", "12ab", "0x1p",
                                          "1_0", "0xkk", "1e3",   "0b11", "9z9", "0x+1"};

    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        g_autofree char *text = g_strdup_printf(HEAD "S: x %s\n", numbers[i]);
        refused_at(text, strlen(text), "x.case:3:6: ", "is no number");
    }
}

/* ---- The caret -------------------------------------------------------------------------------- */

static void the_caret_copies_tabs_and_counts_characters(void)
{
    refused(HEAD "\tS:\tx\t)\n", "x.case:3:7: expected a value, the end of the line, `=>`, a "
                                 "citation or `{`, found `)`\n"
                                 "    3 | \tS:\tx\t)\n"
                                 "      | \t  \t \t^");
    refused(HEAD "S: x \"日本é\" )\n",
            "x.case:3:12: expected an operator, a value, the end of the line, `=>`, a citation or "
            "`{`, found `)`\n"
            "    3 | S: x \"日本é\" )\n"
            "      |              ^"); /* these two letters are as wide as four */
}

static void a_long_line_is_shown_in_part(void)
{
    g_autoptr(GString) text = g_string_new(HEAD "x ");

    for (int i = 0; i < 1000; i++)
        g_string_append_printf(text, "a%03d ", i);
    g_string_insert(text, (gssize)strlen(HEAD "x ") + 5 * 500, ")");
    g_autofree char *message = refuse_bytes(text->str, text->len);
    g_auto(GStrv) lines = g_strsplit(message, "\n", -1);

    CU_ASSERT_EQUAL_FATAL(g_strv_length(lines), 3);
    CU_ASSERT_TRUE(g_str_has_prefix(lines[0], "x.case:3:2503: "));
    CU_ASSERT(g_utf8_strlen(lines[1], -1) < 120);
    const char *shown = g_utf8_offset_to_pointer(lines[1], g_utf8_strlen(lines[2], -1) - 1);
    CU_ASSERT_TRUE(g_str_has_prefix(shown, ")a500 "));
    CU_ASSERT_TRUE(g_str_has_suffix(lines[1], "…"));
}

static void a_mistake_found_later_is_shown_alike(void)
{
    static const char text[] = "case x\npeer server\nC: optoin ABORT\n";
    g_autoptr(Scenario) scenario = scenario_parse("x", "cases/x.case", text, strlen(text), NULL);
    g_autoptr(GError) error = NULL;

    CU_ASSERT_PTR_NOT_NULL_FATAL(scenario);
    scenario_set_error(&error, scenario, (Place){3, 4}, "unknown verb \"%s\"", "optoin");
    CU_ASSERT_STRING_EQUAL(error->message, "cases/x.case:3:4: unknown verb \"optoin\"\n"
                                           "    3 | C: optoin ABORT\n"
                                           "      |    ^");
    scenario_set_error(NULL, scenario, (Place){3, 4}, "nobody listens");
    g_clear_error(&error);
    scenario_set_error(&error, scenario, (Place){99, 1}, "beyond the end");
    CU_ASSERT_STRING_EQUAL(error->message, "cases/x.case:99:1: beyond the end\n"
                                           "   99 | \n"
                                           "      | ^");
}

static void nobody_need_take_the_error(void)
{
    CU_ASSERT_PTR_NULL(scenario_parse("x", "x.case", "", 0, NULL));
}

/* ---- Hostile files ---------------------------------------------------------------------------- */

static void bytes_that_are_no_text_are_refused(void)
{
    static const char *const texts[] = {
        HEAD "x \"\xff\"\n",     HEAD "x \xff\n",         HEAD "x \"\xc3\n",
        HEAD "x # \xed\xa0\x80", HEAD "x \"\xc0\x80\"\n", HEAD "x \xf4\x90\x80\x80\n",
    };
    static const char nul[] = HEAD "x \"a\0b\"\n", nul_line[] = HEAD "\0x\n";

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        refused_at(texts[i], strlen(texts[i]), "x.case:3:", "is no UTF-8 text");
    refused_at(nul, sizeof nul - 1, "x.case:3:5: ", "the byte 0x00 is no UTF-8 text");
    refused_at(nul_line, sizeof nul_line - 1, "x.case:3:1: ", "the byte 0x00 is no UTF-8 text");
    refused_at("\xff\xfe", 2, "x.case:1:1: ", "the byte 0xff");
    refused_at("\0", 1, "x.case:1:1: ", "the byte 0x00");
}

static void control_characters_are_refused(void)
{
    refused_at(HEAD "x \a\n", strlen(HEAD "x \a\n"), "x.case:3:3: ", "U+0007");
    refused_at(HEAD "x\ry\n", strlen(HEAD "x\ry\n"), "x.case:3:2: ", "U+000D");
    refused_at(HEAD "x \"a\ab\"\n", strlen(HEAD "x \"a\ab\"\n"), "x.case:3:5: ", "write \\x07");
    refused_at("case x\ay\n", strlen("case x\ay\n"), "x.case:1:7: ", "in the title");
    refused_at("\xef\xbb\xbf" HEAD, strlen("\xef\xbb\xbf" HEAD), "x.case:1:1: ", "U+FEFF");
}

/* HEAD, then BEFORE, COUNT times REPEATED, and AFTER. */
static GString *heap(const char *before, const char *repeated, int count, const char *after)
{
    GString *text = g_string_new(HEAD);

    g_string_append(text, before);
    for (int i = 0; i < count; i++)
        g_string_append(text, repeated);
    g_string_append(text, after);
    return text;
}

static void heap_is_refused(const char *before, const char *repeated, int count, const char *after,
                            const char *what)
{
    g_autoptr(GString) text = heap(before, repeated, count, after);

    refused_at(text->str, text->len, "x.case:", what);
}

static void heap_parses(const char *before, const char *repeated, int count, const char *after)
{
    g_autoptr(GString) text = heap(before, repeated, count, after);
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) scenario = scenario_parse("x", "x.case", text->str, text->len, &error);

    CU_ASSERT_PTR_NOT_NULL_FATAL(scenario);
    g_autofree char *printed = scenario_print(scenario);
    g_autoptr(Scenario) again = scenario_parse("x", "x.case", printed, strlen(printed), &error);
    CU_ASSERT_PTR_NOT_NULL(again);
}

static void deep_nesting_is_refused(void)
{
    heap_is_refused("x ", "(", 10000, "", "parentheses nest deeper than 64 levels");
    heap_is_refused("x 1", "+(1", 10000, "", "parentheses nest deeper than 64 levels");
    heap_is_refused("", "one of {\n", 10000, "", "blocks nest deeper than 64 levels");
    heap_is_refused("x 1", "+1", 10000, "\n", "expressions nest deeper than 200 levels");
    heap_is_refused("x 1", "^1", 1000, "\n", "expressions nest deeper than 200 levels");
    heap_is_refused("x 1", "^1", 100000, "\n", "nests too deeply");
    heap_is_refused("needs x=1", "*1", 400000, "\n", "expressions nest deeper than 200 levels");
}

static void what_is_just_not_too_deep_parses(void)
{
    g_autoptr(GString) parentheses = heap("x ", "(", 64, "1");
    for (int i = 0; i < 64; i++)
        g_string_append_c(parentheses, ')');
    heap_parses(parentheses->str + strlen(HEAD), "", 0, "\n");

    g_autoptr(GString) blocks = heap("", "one of {\n", 64, "");
    for (int i = 0; i < 64; i++)
        g_string_append(blocks, "}\n");
    heap_parses(blocks->str + strlen(HEAD), "", 0, "");
    heap_parses("x 1", "-1", 199, "\n");
    heap_parses("x 1", "^1", 199, "\n");
}

static void nesting_ends_with_its_line_or_block(void)
{
    heap_parses("", "x (((1)))\n", 1000, "");
    heap_parses("", "one of {\n}\n", 1000, "");
    heap_is_refused("", "x )\n", 1, "", "found `)`");
    heap_is_refused("", "}\n", 100, "", "found `}`");
}

static void long_lines_and_many_words_do_no_harm(void)
{
    const int half = 1 << 19;

    heap_parses("x ", "a ", half - 100, "\n");
    heap_parses("x \"", "a", 2 * half - 100, "\"\n");
    heap_parses("x", "a", 2 * half - 100, "\n");
    heap_parses("#", "a", 2 * half - 100, "");
    heap_parses("", "x\n", half - 100, "");
    heap_is_refused("x \"", "a", 2 * half - 100, "", "this string does not end on its line");
    heap_is_refused("x \"", "\\", 2 * half - 101, "\n", "this string does not end");
    heap_is_refused("x ", "9", 2 * half - 100, "", "this number is larger than 2^64 - 1");
    heap_is_refused("x ", "_", 2 * half - 100, "", "is neither a word");
    heap_is_refused("x ", ")", 2 * half - 100, "", "found `)`");
    heap_is_refused("x @", "a", 2 * half - 100, " b", "found `b`");
    heap_is_refused("", "A", 2 * half - 100, "", "expected");
    heap_is_refused("for $n in 0..4095", " 1..4095", 100000, "\n", "a loop has at most 4096");
    heap_is_refused("", "for $n in 0\n", 80000, "\n", "`$n` has its values already");
}

static void a_file_is_at_most_a_mebibyte(void)
{
    const size_t limit = (size_t)1 << 20;
    g_autoptr(GString) text = heap("", "\n", (int)(limit - strlen(HEAD)), "\n");
    g_autoptr(Scenario) scenario = scenario_parse("x", "x.case", text->str, limit, NULL);

    CU_ASSERT_EQUAL(text->len, limit + 1);
    CU_ASSERT_PTR_NOT_NULL(scenario);
    refused_at(text->str, limit + 1, "x.case:1:1: ", "larger than 1048576 bytes");
}

/* ---- The nearest word ------------------------------------------------------------------------- */

static void the_nearest_word_is_the_one_meant(void)
{
    static const char *const choices[] = {"option", "reply", "request", "close", "C", NULL};
    static const char *const none[] = {NULL};

    CU_ASSERT_STRING_EQUAL(scenario_nearest("optoin", choices), "option");
    CU_ASSERT_STRING_EQUAL(scenario_nearest("opton", choices), "option");
    CU_ASSERT_STRING_EQUAL(scenario_nearest("options", choices), "option");
    CU_ASSERT_STRING_EQUAL(scenario_nearest("OPTION", choices), "option");
    CU_ASSERT_STRING_EQUAL(scenario_nearest("reqeust", choices), "request");
    CU_ASSERT_STRING_EQUAL(scenario_nearest("closed", choices), "close");
    CU_ASSERT_PTR_NULL(scenario_nearest("S", choices));
    CU_ASSERT_PTR_NULL(scenario_nearest("", choices));
    CU_ASSERT_PTR_NULL(scenario_nearest("negotiate", choices));
    CU_ASSERT_PTR_NULL(scenario_nearest("option", none));
    g_autofree char *endless = g_strnfill(100000, 'x');
    CU_ASSERT_PTR_NULL(scenario_nearest(endless, choices));
    CU_ASSERT_PTR_NULL(scenario_nearest("x", (const char *const[]){endless, NULL}));
}

void scenario_error_tests(void)
{
    CU_TestInfo tests[] = {
        {"mistakes in headers are told at their place",
         mistakes_in_headers_are_told_at_their_place},
        {"mistakes in loops are told at their place", mistakes_in_loops_are_told_at_their_place},
        {"mistakes in statements are told at their place",
         mistakes_in_statements_are_told_at_their_place},
        {"mistakes in words are told at their place", mistakes_in_words_are_told_at_their_place},
        {"odd numbers are refused", odd_numbers_are_refused},
        {"the caret copies tabs and counts characters",
         the_caret_copies_tabs_and_counts_characters},
        {"a long line is shown in part", a_long_line_is_shown_in_part},
        {"a mistake found later is shown alike", a_mistake_found_later_is_shown_alike},
        {"nobody need take the error", nobody_need_take_the_error},
        {"bytes that are no text are refused", bytes_that_are_no_text_are_refused},
        {"control characters are refused", control_characters_are_refused},
        {"deep nesting is refused", deep_nesting_is_refused},
        {"what is just not too deep parses", what_is_just_not_too_deep_parses},
        {"nesting ends with its line or block", nesting_ends_with_its_line_or_block},
        {"long lines and many words do no harm", long_lines_and_many_words_do_no_harm},
        {"a file is at most a mebibyte", a_file_is_at_most_a_mebibyte},
        {"the nearest word is the one meant", the_nearest_word_is_the_one_meant},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"scenario errors", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    CU_register_suites(suites);
}
