/* Checking the arguments of a line: their names, kinds and number. */
#include <string.h>

#include "play/compile.h"

static bool check_expr(Compiler *compiler, const Expr *expr, const WireNames *names)
{
    g_autoptr(Value) value =
        value_of(expr, &compiler->scope, names, compiler->scenario, compiler->error);

    return value != NULL;
}

static bool check_bytes(Compiler *compiler, const Expr *expr)
{
    g_autoptr(Value) value =
        value_of(expr, &compiler->scope, NULL, compiler->scenario, compiler->error);

    if (value == NULL || value->kind == VALUE_BYTES)
        return value != NULL;
    g_autofree char *text = value_text(value);
    scenario_set_error(compiler->error, compiler->scenario, expr->place,
                       "expected a string, not %s", text);
    return false;
}

static bool is_payload_word(const char *word)
{
    return g_str_equal(word, "pattern") || g_str_equal(word, "other") || g_str_equal(word, "zero");
}

static bool check_payload(Compiler *compiler, const Expr *expr)
{
    g_autoptr(Value) value =
        value_of(expr, &compiler->scope, NULL, compiler->scenario, compiler->error);

    if (value == NULL)
        return false;
    if (value->kind == VALUE_BYTES || (value->kind == VALUE_WORD && is_payload_word(value->word)))
        return true;
    scenario_set_error(compiler->error, compiler->scenario, expr->place,
                       "expected pattern, other, zero, or a string");
    return false;
}

static const Field *find_field(const Verb *verb, const char *name)
{
    for (const Field *field = verb->fields; field->name != NULL; field++)
        if (g_str_equal(field->name, name))
            return field;
    return NULL;
}

static bool unknown_field(Compiler *compiler, const Verb *verb, const Arg *arg)
{
    g_autoptr(GString) known = g_string_new(NULL);

    for (const Field *field = verb->fields; field->name != NULL; field++)
        g_string_append_printf(known, "%s%s", known->len > 0 ? ", " : "", field->name);
    scenario_set_error(compiler->error, compiler->scenario, arg->place, "%s has no %s; it has %s",
                       verb->name, arg->name, known->len > 0 ? known->str : "no named arguments");
    return false;
}

void compile_stand_in(Compiler *compiler, const char *name, FieldKind kind)
{
    g_autoptr(GBytes) empty = g_bytes_new(NULL, 0);

    g_hash_table_insert(compiler->scope.values, g_strdup(name),
                        kind == FIELD_BYTES ? value_bytes(empty)
                                            : value_integer(UINT64_C(1) << 20));
}

bool compile_check_free(const Scenario *scenario, Place place, const char *name, GError **error)
{
    const OwnValue *own = play_own_value(name);

    if (own == NULL)
        return true;
    scenario_set_error(error, scenario, place, "$%s is %s; choose another name", name, own->what);
    return false;
}

/* `size as $size` says itself what it is; any other use of such a name would read as something that it is not. */
static bool check_bound(Compiler *compiler, const Arg *arg, FieldKind kind)
{
    const char *name = arg->value->text;

    if (!g_str_equal(arg->name, name) &&
        !compile_check_free(compiler->scenario, arg->value->place, name, compiler->error))
        return false;
    compile_stand_in(compiler, name, kind);
    return true;
}

static bool check_named(Compiler *compiler, const Verb *verb, const Arg *arg)
{
    const Field *field = find_field(verb, arg->name);

    if (field == NULL)
        return unknown_field(compiler, verb, arg);
    if (verb->actor != ACTOR_SERVER && field->kind != FIELD_RESULT && arg->kind != ARG_EQUAL) {
        scenario_set_error(compiler->error, compiler->scenario, arg->place,
                           "%s is set by =, as in %s=…", arg->name, arg->name);
        return false;
    }
    if (arg->kind == ARG_BIND)
        return check_bound(compiler, arg, field->kind);
    if (field->kind == FIELD_PAYLOAD)
        return check_payload(compiler, arg->value);
    if (field->kind == FIELD_BYTES)
        return check_bytes(compiler, arg->value);
    if (field->kind == FIELD_INTEGER || field->kind == FIELD_RESULT) {
        uint64_t number;
        return value_integer_of(arg->value, &compiler->scope, field->names, compiler->scenario,
                                &number, compiler->error);
    }
    return check_expr(compiler, arg->value, field->names);
}

static bool among(const char *word, const char *const *words)
{
    for (; words != NULL && *words != NULL; words++)
        if (g_str_equal(*words, word) || **words == '\0')
            return true;
    return false;
}

static bool check_position(Compiler *compiler, const Verb *verb, const Position *position,
                           const Expr *expr)
{
    bool takes_strings = position->words != NULL && *position->words[0] == '\0';

    if (expr->kind == EXPR_WORD) {
        if (among(expr->text, position->words))
            return true;
        scenario_set_error(compiler->error, compiler->scenario, expr->place,
                           "%s does not go with %s", expr->text, verb->name);
        return false;
    }
    if (takes_strings)
        return check_bytes(compiler, expr);
    if (position->names == NULL) {
        scenario_set_error(compiler->error, compiler->scenario, expr->place,
                           "%s takes a word here: see `%s`", verb->name, verb->usage);
        return false;
    }
    uint64_t number;
    return value_integer_of(expr, &compiler->scope, position->names, compiler->scenario, &number,
                            compiler->error);
}

/* Behind `INFO` in a reply stands an information type, which is of another set of names. */
static bool is_info_type(const Statement *line, guint index)
{
    const Expr *before = index < 2 ? NULL : line_position(line, index - 1);

    return g_str_equal(line->verb, "reply") && before != NULL && before->kind == EXPR_NAME &&
           g_str_equal(before->text, "INFO");
}

static bool check_positions(Compiler *compiler, const Verb *verb, const Statement *line)
{
    const Position *position = verb->positions;
    const Expr *expr;
    guint index = 0;

    for (; (expr = line_position(line, index)) != NULL; index++) {
        if (is_info_type(line, index)) {
            if (!check_expr(compiler, expr, &wire_info_types))
                return false;
            continue;
        }
        if (position->names == NULL && position->words == NULL) {
            scenario_set_error(compiler->error, compiler->scenario, expr->place,
                               "that is more than %s takes: see `%s`", verb->name, verb->usage);
            return false;
        }
        if (!check_position(compiler, verb, position, expr))
            return false;
        position += !position->many;
    }
    bool missing = (position->names != NULL || position->words != NULL) && !position->optional &&
                   !(position->many && position != verb->positions && index > 1);
    if (missing && !(position->many && index > (guint)(position - verb->positions))) {
        scenario_set_error(compiler->error, compiler->scenario, line->verb_place,
                           "something is missing: see `%s`", verb->usage);
        return false;
    }
    return true;
}

/* What a line of hexadecimal digits would leave out, nobody would notice. */
static bool check_hex(Compiler *compiler, const Expr *expr)
{
    g_autoptr(Value) value =
        value_of(expr, &compiler->scope, NULL, compiler->scenario, compiler->error);
    unsigned digits = 0;
    gsize size;

    if (value == NULL)
        return false;
    const char *text = g_bytes_get_data(value->bytes, &size);
    bool good = true;
    for (gsize i = 0; i < size && good; i++) {
        if (g_ascii_isxdigit(text[i]))
            digits++;
        else
            good = g_ascii_isspace(text[i]) && digits % 2 == 0;
    }
    if (good && digits % 2 == 0)
        return true;
    scenario_set_error(compiler->error, compiler->scenario, expr->place,
                       "expected pairs of hexadecimal digits");
    return false;
}

bool compile_check_args(Compiler *compiler, const Verb *verb, const Statement *line)
{
    for (guint i = 0; i < line->args->len; i++) {
        const Arg *arg = line->args->pdata[i];
        if (arg->kind == ARG_POSITION)
            continue;
        if (arg->name == NULL) { /* as B */
            if (verb->connects)
                continue;
            scenario_set_error(compiler->error, compiler->scenario, arg->place,
                               "%s makes no connection that could have a name", verb->name);
            return false;
        }
        if (!check_named(compiler, verb, arg))
            return false;
    }
    return check_positions(compiler, verb, line) &&
           (!g_str_equal(verb->name, "hex") || check_hex(compiler, line_position(line, 0)));
}
