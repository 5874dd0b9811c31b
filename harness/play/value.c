/* Evaluating expressions: 64-bit unsigned arithmetic that wraps, as offsets and lengths on the wire do,
 * and strings that can be repeated and joined. */
#include <string.h>

#include "play/value.h"

/* No message of ours is longer. */
#define MAX_BYTES (128u << 20)

Value *value_integer(uint64_t integer)
{
    Value *value = g_new0(Value, 1);

    value->integer = integer;
    return value;
}

Value *value_bytes(GBytes *bytes)
{
    Value *value = g_new0(Value, 1);

    value->kind = VALUE_BYTES;
    value->bytes = g_bytes_ref(bytes);
    return value;
}

Value *value_word(const char *word)
{
    Value *value = g_new0(Value, 1);

    value->kind = VALUE_WORD;
    value->word = g_strdup(word);
    return value;
}

static Value *value_copy(const Value *value)
{
    switch (value->kind) {
    case VALUE_BYTES:
        return value_bytes(value->bytes);
    case VALUE_WORD:
        return value_word(value->word);
    case VALUE_INTEGER:
        break;
    }
    return value_integer(value->integer);
}

void value_free(Value *value)
{
    if (value == NULL)
        return;
    if (value->bytes != NULL)
        g_bytes_unref(value->bytes);
    g_free(value->word);
    g_free(value);
}

GHashTable *scope_values_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)value_free);
}

const Value *scope_find(const Scope *scope, const char *name)
{
    for (; scope != NULL; scope = scope->outer) {
        const Value *value = g_hash_table_lookup(scope->values, name);
        if (value != NULL)
            return value;
    }
    return NULL;
}

char *value_text(const Value *value)
{
    if (value->kind == VALUE_INTEGER)
        return g_strdup_printf("%" G_GUINT64_FORMAT, value->integer);
    if (value->kind == VALUE_WORD)
        return g_strdup(value->word);
    gsize size;
    const char *bytes = g_bytes_get_data(value->bytes, &size);
    GString *text = g_string_new(NULL);
    for (gsize i = 0; i < MIN(size, 24); i++) {
        if (g_ascii_isgraph(bytes[i]))
            g_string_append_c(text, bytes[i]);
        else
            g_string_append_printf(text, "%%%02x", (guchar)bytes[i]);
    }
    if (size > 24)
        g_string_append_printf(text, "...%" G_GSIZE_FORMAT, size);
    return g_string_free(text, FALSE);
}

/* ---- Names ------------------------------------------------------------------------------------ */

static Value *named(const char *name, Place place, const WireNames *names, const Scenario *scenario,
                    GError **error)
{
    uint64_t integer;

    if (names == NULL)
        return value_word(name);
    if (wire_value(names, name, &integer))
        return value_integer(integer);
    g_autofree const char **choices = g_new0(const char *, names->count + 1);
    for (size_t i = 0; i < names->count; i++)
        choices[i] = names->names[i].name;
    const char *near = scenario_nearest(name, choices);
    scenario_set_error(error, scenario, place, "there is no %s %s%s%s%s", names->title, name,
                       near != NULL ? "; did you mean " : "", near != NULL ? near : "",
                       near != NULL ? "?" : "");
    return NULL;
}

static Value *variable(const Expr *expr, const Scope *scope, const WireNames *names,
                       const Scenario *scenario, GError **error)
{
    const Value *value = scope_find(scope, expr->text);

    if (value == NULL) {
        scenario_set_error(error, scenario, expr->place, "nothing before this line has set $%s",
                           expr->text);
        return NULL;
    }
    if (value->kind == VALUE_WORD)
        return named(value->word, expr->place, names, scenario, error);
    return value_copy(value);
}

/* ---- Operators -------------------------------------------------------------------------------- */

static uint64_t power(uint64_t base, uint64_t exponent)
{
    uint64_t result = 1;

    for (; exponent > 0; exponent >>= 1, base *= base)
        if (exponent & 1)
            result *= base;
    return result;
}

static Value *integers(const Expr *expr, uint64_t left, uint64_t right, const Scenario *scenario,
                       GError **error)
{
    if ((expr->op == '/' || expr->op == '%') && right == 0) {
        scenario_set_error(error, scenario, expr->place, "division by zero");
        return NULL;
    }
    switch (expr->op) {
    case '+':
        return value_integer(left + right);
    case '-':
        return value_integer(left - right);
    case '*':
        return value_integer(left * right);
    case '/':
        return value_integer(left / right);
    case '%':
        return value_integer(left % right);
    case '^':
        return value_integer(power(left, right));
    default:
        return value_integer(left | right);
    }
}

static Value *too_long(const Expr *expr, const Scenario *scenario, GError **error)
{
    scenario_set_error(error, scenario, expr->place, "that is more than %u bytes", MAX_BYTES);
    return NULL;
}

static Value *repeat(const Expr *expr, GBytes *bytes, uint64_t times, const Scenario *scenario,
                     GError **error)
{
    gsize size;
    const uint8_t *data = g_bytes_get_data(bytes, &size);

    if (size > 0 && times > MAX_BYTES / size)
        return too_long(expr, scenario, error);
    gsize whole = size * times;
    uint8_t *all = g_malloc(whole);
    if (whole > 0)
        memcpy(all, data, size);
    for (gsize done = size; done < whole; done += MIN(done, whole - done))
        memcpy(all + done, all, MIN(done, whole - done));
    g_autoptr(GBytes) result = g_bytes_new_take(all, whole);
    return value_bytes(result);
}

static Value *join(const Expr *expr, GBytes *left, GBytes *right, const Scenario *scenario,
                   GError **error)
{
    if (g_bytes_get_size(left) + g_bytes_get_size(right) > MAX_BYTES)
        return too_long(expr, scenario, error);
    g_autoptr(GByteArray) all = g_byte_array_new();
    g_byte_array_append(all, g_bytes_get_data(left, NULL), (guint)g_bytes_get_size(left));
    g_byte_array_append(all, g_bytes_get_data(right, NULL), (guint)g_bytes_get_size(right));
    g_autoptr(GBytes) result = g_bytes_new(all->data, all->len);
    return value_bytes(result);
}

static Value *binary(const Expr *expr, const Scope *scope, const WireNames *names,
                     const Scenario *scenario, GError **error)
{
    g_autoptr(Value) left = value_of(expr->left, scope, names, scenario, error);
    g_autoptr(Value) right = left ? value_of(expr->right, scope, names, scenario, error) : NULL;

    if (left == NULL || right == NULL)
        return NULL;
    if (left->kind == VALUE_INTEGER && right->kind == VALUE_INTEGER)
        return integers(expr, left->integer, right->integer, scenario, error);
    if (left->kind == VALUE_BYTES && right->kind == VALUE_INTEGER && expr->op == '*')
        return repeat(expr, left->bytes, right->integer, scenario, error);
    if (left->kind == VALUE_BYTES && right->kind == VALUE_BYTES && expr->op == '+')
        return join(expr, left->bytes, right->bytes, scenario, error);
    scenario_set_error(error, scenario, expr->place, "these two can't be combined by %c", expr->op);
    return NULL;
}

Value *value_of(const Expr *expr, const Scope *scope, const WireNames *names,
                const Scenario *scenario, GError **error)
{
    switch (expr->kind) {
    case EXPR_INTEGER:
        return value_integer(expr->integer);
    case EXPR_STRING:
        return value_bytes(expr->bytes);
    case EXPR_WORD:
        return value_word(expr->text);
    case EXPR_NAME:
        return named(expr->text, expr->place, names, scenario, error);
    case EXPR_VARIABLE:
        return variable(expr, scope, names, scenario, error);
    case EXPR_BINARY:
        break;
    }
    return binary(expr, scope, names, scenario, error);
}

bool value_integer_of(const Expr *expr, const Scope *scope, const WireNames *names,
                      const Scenario *scenario, uint64_t *integer, GError **error)
{
    g_autoptr(Value) value = value_of(expr, scope, names, scenario, error);

    if (value == NULL)
        return false;
    if (value->kind != VALUE_INTEGER) {
        g_autofree char *text = value_text(value);
        scenario_set_error(error, scenario, expr->place, "expected a number, not %s", text);
        return false;
    }
    *integer = value->integer;
    return true;
}
