/* What expressions come to: numbers as they are on the wire, strings within bounds. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "play/value.h"

void play_value_tests(void);

/* A case whose one line holds an expression. */
typedef struct {
    Scenario *scenario;
    const Expr *expr;
} Held;

static Held hold(const char *expression)
{
    Held held;
    g_autofree char *text = g_strdup_printf("case x\npeer server\nopen export=%s\n", expression);
    g_autoptr(GError) error = NULL;

    held.scenario = scenario_parse("x", "x.case", text, strlen(text), &error);
    if (held.scenario == NULL)
        g_error("%s", error->message);
    const Statement *line = held.scenario->statements->pdata[0];
    const Arg *arg = line->args->pdata[0];
    held.expr = arg->value;
    return held;
}

/* As value_text() shows it, or the first line of the error. The caller frees it. */
static char *comes_to(const char *expression, const Scope *scope, const WireNames *names)
{
    Held held = hold(expression);
    g_autoptr(GError) error = NULL;
    g_autoptr(Value) value = value_of(held.expr, scope, names, held.scenario, &error);
    char *text;

    CU_ASSERT_EQUAL(value == NULL, error != NULL);
    if (value != NULL)
        text = value_text(value);
    else
        text = g_strndup(error->message, strcspn(error->message, "\n"));
    scenario_free(held.scenario);
    return text;
}

typedef struct {
    const char *expression, *text;
} Row;

static void all_come_to(const Row *rows, size_t count, const Scope *scope, const WireNames *names)
{
    for (size_t i = 0; i < count; i++) {
        g_autofree char *text = comes_to(rows[i].expression, scope, names);
        if (!g_str_equal(text, rows[i].text))
            g_printerr("\n  %s: %s\n", rows[i].expression, text);
        CU_ASSERT_STRING_EQUAL(text, rows[i].text);
    }
}

static void numbers_wrap_at_64_bits(void)
{
    static const Row rows[] = {
        {"18446744073709551615 + 1", "0"},
        {"0 - 1", "18446744073709551615"},
        {"2^63", "9223372036854775808"},
        {"2^64", "0"},
        {"2^63 - 1 + 2^63", "18446744073709551615"},
        {"2^63 * 2", "0"},
        {"3^41", "18026252303461234787"},
        {"10^0", "1"},
        {"0^0", "1"},
        {"1^18446744073709551615", "1"},
        {"7 / 2 * 2 + 7 % 2", "7"},
        {"0xf0 | 0x0f | 1", "255"},
        {"2 ^ 3 ^ 2", "512"},
        {"(2 + 3) * 4k", "20480"},
    };

    all_come_to(rows, G_N_ELEMENTS(rows), NULL, NULL);
}

static void nothing_is_divided_by_zero(void)
{
    static const Row rows[] = {
        {"1 / 0", "x.case:3:13: division by zero"},
        {"1 % 0", "x.case:3:13: division by zero"},
        {"1 / (2^63 * 2)", "x.case:3:13: division by zero"},
        {"8 / (3 - 1)", "4"},
    };

    all_come_to(rows, G_N_ELEMENTS(rows), NULL, NULL);
}

static void strings_are_joined_and_repeated(void)
{
    static const Row rows[] = {
        {"\"ab\" * 3", "ababab"},
        {"\"ab\" * 0", ""},
        {"\"\" * 18446744073709551615", ""},
        {"\"a\" + \"\\0\" + \"b\"", "a%00b"},
        {"\"a\" * 2 + \"b\" * 2", "aabb"},
        {"\"a\" * 4096", "aaaaaaaaaaaaaaaaaaaaaaaa...4096"},
        {"\"\\xff\\x00 \\xc3\\xa4\"", "%ff%00%20%c3%a4"},
    };

    all_come_to(rows, G_N_ELEMENTS(rows), NULL, NULL);
}

static void no_string_grows_without_bounds(void)
{
    static const Row rows[] = {
        {"\"a\" * 134217728", "aaaaaaaaaaaaaaaaaaaaaaaa...134217728"},
        {"\"a\" * 134217729", "x.case:3:13: that is more than 134217728 bytes"},
        {"\"ab\" * 2^63", "x.case:3:13: that is more than 134217728 bytes"},
        {"\"abc\" * 18446744073709551615", "x.case:3:13: that is more than 134217728 bytes"},
        {"\"a\" * 100M * 2", "x.case:3:13: that is more than 134217728 bytes"},
        {"\"a\" * 100M + \"a\" * 100M", "x.case:3:13: that is more than 134217728 bytes"},
    };

    all_come_to(rows, G_N_ELEMENTS(rows), NULL, NULL);
}

static void what_does_not_go_together_is_told(void)
{
    static const Row rows[] = {
        {"\"a\" + 1", "x.case:3:13: these two can't be combined by +"},
        {"1 + \"a\"", "x.case:3:13: these two can't be combined by +"},
        {"3 * \"a\"", "x.case:3:13: these two can't be combined by *"},
        {"\"a\" * \"b\"", "x.case:3:13: these two can't be combined by *"},
        {"\"a\" | \"b\"", "x.case:3:13: these two can't be combined by |"},
        {"pattern + 1", "x.case:3:13: these two can't be combined by +"},
    };

    all_come_to(rows, G_N_ELEMENTS(rows), NULL, NULL);
}

static void names_mean_what_the_field_says(void)
{
    static const Row flags[] = {
        {"FUA", "1"},
        {"FUA|DF", "5"},
        {"FUA|0x8000", "32769"},
        {"GO", "x.case:3:13: there is no command flag GO"},
        {"FUA|NO_HOEL", "x.case:3:17: there is no command flag NO_HOEL; did you mean NO_HOLE?"},
    };
    static const Row unnamed[] = {{"FUA", "FUA"}, {"pattern", "pattern"}};

    all_come_to(flags, G_N_ELEMENTS(flags), NULL, &wire_command_flags);
    all_come_to(unnamed, G_N_ELEMENTS(unnamed), NULL, NULL);
}

static void an_inner_scope_hides_the_outer_one(void)
{
    static const Row rows[] = {
        {"$a", "1"},
        {"$b", "2"},
        {"$c", "x.case:3:13: nothing before this line has set $c"},
        {"$b - $a", "1"},
        {"$o", "7"},
        {"$x", "x.case:3:13: there is no option LSIT; did you mean LIST?"},
    };
    Scope outer = {.values = scope_values_new()};
    Scope inner = {.values = scope_values_new(), .outer = &outer};

    g_hash_table_insert(outer.values, g_strdup("a"), value_integer(5));
    g_hash_table_insert(outer.values, g_strdup("b"), value_integer(2));
    g_hash_table_insert(inner.values, g_strdup("a"), value_integer(1));
    g_hash_table_insert(inner.values, g_strdup("o"), value_word("GO"));
    g_hash_table_insert(inner.values, g_strdup("x"), value_word("LSIT"));
    all_come_to(rows, G_N_ELEMENTS(rows), &inner, &wire_options);
    g_hash_table_unref(outer.values);
    g_hash_table_unref(inner.values);
}

static void a_number_is_demanded_where_one_is_due(void)
{
    static const struct {
        const char *expression, *error;
        uint64_t number;
    } rows[] = {
        {"4k", NULL, 4096},
        {"\"4k\"", "x.case:3:13: expected a number, not 4k", 0},
        {"pattern", "x.case:3:13: expected a number, not pattern", 0},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Held held = hold(rows[i].expression);
        g_autoptr(GError) error = NULL;
        uint64_t number = 0;
        CU_ASSERT_EQUAL(value_integer_of(held.expr, NULL, NULL, held.scenario, &number, &error),
                        rows[i].error == NULL);
        CU_ASSERT_EQUAL(number, rows[i].number);
        CU_ASSERT_TRUE((error == NULL && rows[i].error == NULL) ||
                       g_str_has_prefix(error->message, rows[i].error));
        scenario_free(held.scenario);
    }
}

void play_value_tests(void)
{
    CU_pSuite suite = CU_add_suite("play: values", NULL, NULL);

    CU_ADD_TEST(suite, numbers_wrap_at_64_bits);
    CU_ADD_TEST(suite, nothing_is_divided_by_zero);
    CU_ADD_TEST(suite, strings_are_joined_and_repeated);
    CU_ADD_TEST(suite, no_string_grows_without_bounds);
    CU_ADD_TEST(suite, what_does_not_go_together_is_told);
    CU_ADD_TEST(suite, names_mean_what_the_field_says);
    CU_ADD_TEST(suite, an_inner_scope_hides_the_outer_one);
    CU_ADD_TEST(suite, a_number_is_demanded_where_one_is_due);
}
