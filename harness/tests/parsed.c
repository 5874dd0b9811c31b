/* Cases for tests of the notation. */
#include "parsed.h"

#include <CUnit/CUnit.h>
#include <string.h>

/* A copy without a NUL behind it, so that a sanitizer sees every byte read too far. */
Scenario *parsed_bytes(const char *text, size_t length, GError **error)
{
    g_autofree char *exact = g_memdup2(text, MAX(length, 1));

    return scenario_parse("folder/x", "x.case", exact, length, error);
}

char *parsed_refusal(const char *text, size_t length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) scenario = parsed_bytes(text, length, &error);

    CU_ASSERT_PTR_NULL_FATAL(scenario);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->domain, SCENARIO_ERROR);
    CU_ASSERT_TRUE(g_utf8_validate(error->message, -1, NULL));
    return g_strdup(error->message);
}

void parsed_refused_at(const char *text, size_t length, const char *place, const char *what)
{
    g_autofree char *message = parsed_refusal(text, length);
    bool right = g_str_has_prefix(message, place) && strstr(message, what) != NULL;

    if (!right)
        g_printerr("\nexpected\n%s … %s\nbut got\n%s\n", place, what, message);
    CU_ASSERT_TRUE(right);
}

Scenario *parsed(const char *text)
{
    g_autoptr(GError) error = NULL;
    Scenario *scenario = parsed_bytes(text, strlen(text), &error);

    if (error != NULL)
        g_printerr("\n%s\n", error->message);
    CU_ASSERT_PTR_NOT_NULL_FATAL(scenario);
    return scenario;
}

const Statement *parsed_statement(GPtrArray *statements, guint i)
{
    CU_ASSERT_FATAL(statements != NULL && i < statements->len);
    return g_ptr_array_index(statements, i);
}

const Arg *parsed_arg(const Statement *statement, guint i)
{
    CU_ASSERT_FATAL(i < statement->args->len);
    return g_ptr_array_index(statement->args, i);
}

bool parsed_text(const Expr *expr, ExprKind kind, const char *text)
{
    return expr->kind == kind && g_strcmp0(expr->text, text) == 0;
}

bool parsed_integer(const Expr *expr, uint64_t value)
{
    return expr->kind == EXPR_INTEGER && expr->integer == value;
}

bool parsed_string(const Expr *expr, const char *bytes, size_t length)
{
    g_autoptr(GBytes) expected = g_bytes_new(bytes, length);

    return expr->kind == EXPR_STRING && g_bytes_equal(expr->bytes, expected);
}
