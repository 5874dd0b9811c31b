/* The notation: numbers, strings, words and operators. */
#include <CUnit/CUnit.h>
#include <glib.h>

#include "parsed.h"

void scenario_value_tests(void);

static void numbers_have_bases_and_suffixes(void)
{
    static const struct {
        const char *text;
        uint64_t value;
    } numbers[] = {
        {"0", 0},
        {"007", 7},
        {"0x0", 0},
        {"0xFf", 255},
        {"1k", 1024},
        {"3M", 3145728},
        {"1G", 1073741824},
        {"0x10k", 16384},
        {"1T", UINT64_C(1) << 40},
        {"16777215T", UINT64_C(16777215) << 40},
        {"18446744073709551615", UINT64_MAX},
        {"0xffffffffffffffff", UINT64_MAX},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        g_autofree char *text = g_strdup_printf(HEAD "x %s\n", numbers[i].text);
        g_autoptr(Scenario) scenario = parsed(text);
        CU_ASSERT_TRUE(parsed_integer(
            parsed_arg(parsed_statement(scenario->statements, 0), 0)->value, numbers[i].value));
    }
}

static void strings_hold_any_bytes(void)
{
    g_autoptr(Scenario) scenario =
        parsed(HEAD "x \"\" \"\\\\ \\\" \\n\\t\\r\\0\\x00\\xfF\" \"# @a {é日\t\"\n");
    const Statement *x = parsed_statement(scenario->statements, 0);

    CU_ASSERT_EQUAL(x->args->len, 3);
    CU_ASSERT_TRUE(parsed_string(parsed_arg(x, 0)->value, "", 0));
    CU_ASSERT_TRUE(parsed_string(parsed_arg(x, 1)->value, "\\ \" \n\t\r\0\0\xff", 10));
    CU_ASSERT_TRUE(parsed_string(parsed_arg(x, 2)->value, "# @a {é日\t", 12));
}

static void a_minus_is_told_from_a_hyphen(void)
{
    g_autoptr(Scenario) scenario = parsed(HEAD "client-flags $size-512 multi-conn MAX-1 word- 1\n");
    const Statement *x = parsed_statement(scenario->statements, 0);

    CU_ASSERT_STRING_EQUAL(x->verb, "client-flags");
    CU_ASSERT_EQUAL_FATAL(x->args->len, 4);
    CU_ASSERT_EQUAL(parsed_arg(x, 0)->value->op, '-');
    CU_ASSERT_TRUE(parsed_text(parsed_arg(x, 0)->value->left, EXPR_VARIABLE, "size"));
    CU_ASSERT_TRUE(parsed_text(parsed_arg(x, 1)->value, EXPR_WORD, "multi-conn"));
    CU_ASSERT_EQUAL(parsed_arg(x, 2)->value->op, '-');
    CU_ASSERT_TRUE(parsed_text(parsed_arg(x, 3)->value->left, EXPR_WORD, "word"));
}

/* The expression, with every operator's operands in parentheses. */
static void spell(GString *out, const Expr *expr)
{
    if (expr->kind == EXPR_INTEGER) {
        g_string_append_printf(out, "%" G_GUINT64_FORMAT, expr->integer);
        return;
    }
    g_string_append_c(out, '(');
    spell(out, expr->left);
    g_string_append_c(out, expr->op);
    spell(out, expr->right);
    g_string_append_c(out, ')');
}

static void operators_bind_as_in_arithmetic(void)
{
    static const char *const expressions[][2] = {
        {"1|2+3*4^5", "(1|(2+(3*(4^5))))"},
        {"1^2*3-4|5", "((((1^2)*3)-4)|5)"},
        {"1-2-3", "((1-2)-3)"},
        {"1-(2-3)", "(1-(2-3))"},
        {"8/4/2", "((8/4)/2)"},
        {"7%4*2", "((7%4)*2)"},
        {"2^3^4", "(2^(3^4))"},
        {"(2^3)^4", "((2^3)^4)"},
        {"((1))", "1"},
        {"1|2|3", "((1|2)|3)"},
        {"1 + 2 - 3", "((1+2)-3)"},
        {"(1+2)*(3-4)", "((1+2)*(3-4))"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(expressions); i++) {
        g_autofree char *text = g_strdup_printf(HEAD "x y=%s\n", expressions[i][0]);
        g_autoptr(Scenario) scenario = parsed(text);
        g_autoptr(GString) spelled = g_string_new(NULL);
        spell(spelled, parsed_arg(parsed_statement(scenario->statements, 0), 0)->value);
        CU_ASSERT_STRING_EQUAL(spelled->str, expressions[i][1]);
    }
}

void scenario_value_tests(void)
{
    CU_TestInfo tests[] = {
        {"numbers have bases and suffixes", numbers_have_bases_and_suffixes},
        {"strings hold any bytes", strings_hold_any_bytes},
        {"a minus is told from a hyphen", a_minus_is_told_from_a_hyphen},
        {"operators bind as in arithmetic", operators_bind_as_in_arithmetic},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"scenario: values", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };

    CU_register_suites(suites);
}
