/* The tree of a scenario: its nodes are made here, and freed here. */
#include "scenario/tree.h"

#include <stdlib.h>

/* Depth is known when a node is made and needed by nobody but its parent's making. */
typedef struct {
    Expr expr;
    unsigned depth;
} DeepExpr;

static Expr *expr_new(ExprKind kind, Place place)
{
    DeepExpr *deep = g_new0(DeepExpr, 1);

    deep->expr.kind = kind;
    deep->expr.place = place;
    deep->depth = 1;
    return &deep->expr;
}

Expr *scenario_expr_integer(Place place, uint64_t integer)
{
    Expr *expr = expr_new(EXPR_INTEGER, place);

    expr->integer = integer;
    return expr;
}

Expr *scenario_expr_string(Place place, GBytes *bytes)
{
    Expr *expr = expr_new(EXPR_STRING, place);

    expr->bytes = bytes;
    return expr;
}

Expr *scenario_expr_text(ExprKind kind, Place place, char *text)
{
    Expr *expr = expr_new(kind, place);

    expr->text = text;
    return expr;
}

Expr *scenario_expr_binary(char op, Expr *left, Expr *right)
{
    unsigned depth = 1 + MAX(((DeepExpr *)left)->depth, ((DeepExpr *)right)->depth);

    if (depth > SCENARIO_MAX_EXPR_DEPTH) {
        scenario_expr_free(left);
        scenario_expr_free(right);
        return NULL;
    }
    Expr *expr = expr_new(EXPR_BINARY, left->place);
    ((DeepExpr *)expr)->depth = depth;
    expr->op = op;
    expr->left = left;
    expr->right = right;
    return expr;
}

void scenario_expr_free(Expr *expr)
{
    if (expr == NULL)
        return;
    scenario_expr_free(expr->left);
    scenario_expr_free(expr->right);
    g_clear_pointer(&expr->bytes, g_bytes_unref);
    g_free(expr->text);
    g_free(expr);
}

static bool power(uint64_t base, uint64_t exponent, uint64_t *value)
{
    *value = 1;
    if (base < 2) {
        *value = exponent == 0 ? 1 : base;
        return true;
    }
    for (; exponent > 0; exponent--) /* ends by overflow after 64 rounds at most */
        if (__builtin_mul_overflow(*value, base, value))
            return false;
    return true;
}

bool scenario_expr_constant(const Expr *expr, uint64_t *value)
{
    uint64_t left, right;

    if (expr->kind == EXPR_INTEGER) {
        *value = expr->integer;
        return true;
    }
    if (expr->kind != EXPR_BINARY || !scenario_expr_constant(expr->left, &left) ||
        !scenario_expr_constant(expr->right, &right))
        return false;
    switch (expr->op) {
    case '+':
        return !__builtin_add_overflow(left, right, value);
    case '-':
        return !__builtin_sub_overflow(left, right, value);
    case '*':
        return !__builtin_mul_overflow(left, right, value);
    case '/':
        *value = right == 0 ? 0 : left / right;
        return right != 0;
    case '%':
        *value = right == 0 ? 0 : left % right;
        return right != 0;
    case '^':
        return power(left, right, value);
    case '|':
        *value = left | right;
        return true;
    default:
        return false;
    }
}

Arg *scenario_arg_new(ArgKind kind, Place place, char *name, Expr *value)
{
    Arg *arg = g_new0(Arg, 1);

    *arg = (Arg){.kind = kind, .place = place, .name = name, .value = value};
    return arg;
}

void scenario_arg_free(Arg *arg)
{
    g_free(arg->name);
    scenario_expr_free(arg->value);
    g_free(arg);
}

static void free_arg(void *arg)
{
    scenario_arg_free(arg);
}

GPtrArray *scenario_args_new(void)
{
    return g_ptr_array_new_with_free_func(free_arg);
}

Citation *scenario_citation_new(Place place, char *id)
{
    Citation *citation = g_new0(Citation, 1);

    *citation = (Citation){.place = place, .id = id};
    return citation;
}

static void free_citation(void *data)
{
    Citation *citation = data;

    g_free(citation->id);
    g_free(citation);
}

Statement *scenario_statement_new(StatementKind kind, Place place)
{
    Statement *statement = g_new0(Statement, 1);

    statement->kind = kind;
    statement->place = place;
    statement->args = scenario_args_new();
    statement->citations = g_ptr_array_new_with_free_func(free_citation);
    return statement;
}

void scenario_statement_free(Statement *statement)
{
    if (statement == NULL)
        return;
    g_free(statement->actor);
    g_free(statement->verb);
    g_ptr_array_unref(statement->args);
    g_ptr_array_unref(statement->citations);
    g_free(statement->outcome.why);
    g_clear_pointer(&statement->block, g_ptr_array_unref);
    scenario_statement_free(statement->pattern);
    scenario_statement_free(statement->second);
    g_free(statement);
}

static void free_statement(void *statement)
{
    scenario_statement_free(statement);
}

GPtrArray *scenario_statements_new(void)
{
    return g_ptr_array_new_with_free_func(free_statement);
}

static void free_expr(void *expr)
{
    scenario_expr_free(expr);
}

Need *scenario_need_new(Place place, char *word, ArgKind compare, Expr *value)
{
    Need *need = g_new0(Need, 1);

    *need = (Need){.place = place, .word = word, .compare = compare, .value = value};
    need->names = g_ptr_array_new_with_free_func(free_expr);
    return need;
}

static void free_need(void *data)
{
    Need *need = data;

    g_free(need->word);
    scenario_expr_free(need->value);
    g_ptr_array_unref(need->names);
    g_free(need);
}

Use *scenario_use_new(Place place, char *word, Expr *value)
{
    Use *use = g_new0(Use, 1);

    *use = (Use){.place = place, .word = word, .value = value};
    return use;
}

static void free_use(void *data)
{
    Use *use = data;

    g_free(use->word);
    scenario_expr_free(use->value);
    g_free(use);
}

Loop *scenario_loop_new(Place place, char *variable)
{
    Loop *loop = g_new0(Loop, 1);

    *loop = (Loop){.place = place, .variable = variable};
    loop->values = g_ptr_array_new_with_free_func(free_expr);
    return loop;
}

void scenario_loop_free(Loop *loop)
{
    g_free(loop->variable);
    g_ptr_array_unref(loop->values);
    g_free(loop);
}

static void free_loop(void *loop)
{
    scenario_loop_free(loop);
}

Scenario *scenario_new(const char *path, const char *file, const char *text, size_t length)
{
    Scenario *scenario = g_new0(Scenario, 1);

    scenario->path = g_strdup(path);
    scenario->file = g_strdup(file);
    scenario->text = g_strndup(text, length);
    scenario->needs = g_ptr_array_new_with_free_func(free_need);
    scenario->uses = g_ptr_array_new_with_free_func(free_use);
    scenario->loops = g_ptr_array_new_with_free_func(free_loop);
    scenario->statements = scenario_statements_new();
    return scenario;
}

void scenario_free(Scenario *scenario)
{
    if (scenario == NULL)
        return;
    g_free(scenario->path);
    g_free(scenario->file);
    g_free(scenario->text);
    g_free(scenario->title);
    g_clear_pointer(&scenario->act, g_ptr_array_unref);
    g_ptr_array_unref(scenario->needs);
    g_ptr_array_unref(scenario->uses);
    g_ptr_array_unref(scenario->loops);
    g_ptr_array_unref(scenario->statements);
    g_free(scenario);
}

const Requirement *scenario_cited(const Scenario *scenario, const Citation *citation)
{
    return requirement_set_find(scenario->requirements, citation->id);
}
