/* Hostile cases are refused, and do no harm: what is no text, what is too long, what nests too deeply. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "parsed.h"

void scenario_hostile_tests(void);

static void bytes_that_are_no_text_are_refused(void)
{
    static const char *const texts[] = {
        HEAD "x \"\xff\"\n",     HEAD "x \xff\n",         HEAD "x \"\xc3\n",
        HEAD "x # \xed\xa0\x80", HEAD "x \"\xc0\x80\"\n", HEAD "x \xf4\x90\x80\x80\n",
    };
    static const char nul[] = HEAD "x \"a\0b\"\n", nul_line[] = HEAD "\0x\n";

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        parsed_refused_at(texts[i], strlen(texts[i]), "x.case:3:", "is no UTF-8 text");
    parsed_refused_at(nul, sizeof nul - 1, "x.case:3:5: ", "the byte 0x00 is no UTF-8 text");
    parsed_refused_at(nul_line, sizeof nul_line - 1,
                      "x.case:3:1: ", "the byte 0x00 is no UTF-8 text");
    parsed_refused_at("\xff\xfe", 2, "x.case:1:1: ", "the byte 0xff");
    parsed_refused_at("\0", 1, "x.case:1:1: ", "the byte 0x00");
}

static void control_characters_are_refused(void)
{
    parsed_refused_at(HEAD "x \a\n", strlen(HEAD "x \a\n"), "x.case:3:3: ", "U+0007");
    parsed_refused_at(HEAD "x\ry\n", strlen(HEAD "x\ry\n"), "x.case:3:2: ", "U+000D");
    parsed_refused_at(HEAD "x \"a\ab\"\n", strlen(HEAD "x \"a\ab\"\n"),
                      "x.case:3:5: ", "write \\x07");
    parsed_refused_at("case x\ay\n", strlen("case x\ay\n"), "x.case:1:7: ", "in the title");
    parsed_refused_at("\xef\xbb\xbf" HEAD, strlen("\xef\xbb\xbf" HEAD), "x.case:1:1: ", "U+FEFF");
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

    parsed_refused_at(text->str, text->len, "x.case:", what);
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
    parsed_refused_at(text->str, limit + 1, "x.case:1:1: ", "larger than 1048576 bytes");
}

void scenario_hostile_tests(void)
{
    CU_TestInfo tests[] = {
        {"bytes that are no text are refused", bytes_that_are_no_text_are_refused},
        {"control characters are refused", control_characters_are_refused},
        {"deep nesting is refused", deep_nesting_is_refused},
        {"what is just not too deep parses", what_is_just_not_too_deep_parses},
        {"nesting ends with its line or block", nesting_ends_with_its_line_or_block},
        {"long lines and many words do no harm", long_lines_and_many_words_do_no_harm},
        {"a file is at most a mebibyte", a_file_is_at_most_a_mebibyte},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"scenario: hostile files", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };

    CU_register_suites(suites);
}
