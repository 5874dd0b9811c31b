/* Mistakes in a case are told at their place. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "parsed.h"

void scenario_error_tests(void);

static void refused(const char *text, const char *expected)
{
    g_autofree char *message = parsed_refusal(text, strlen(text));

    if (!g_str_equal(message, expected))
        g_printerr("\nexpected\n%s\nbut got\n%s\n", expected, message);
    CU_ASSERT_STRING_EQUAL(message, expected);
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
        parsed_refused_at(text, strlen(text), "x.case:3:6: ", "is no number");
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
    g_autofree char *message = parsed_refusal(text->str, text->len);
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
        {"the nearest word is the one meant", the_nearest_word_is_the_one_meant},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"scenario errors", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    CU_register_suites(suites);
}
