/* A scenario in the notation again, in one canonical form. */
#include <string.h>

#include "scenario/tree.h"

/* ---- Expressions ------------------------------------------------------------------------------ */

static int strength(char op)
{
    switch (op) {
    case '|':
        return 1;
    case '+':
    case '-':
        return 2;
    case '*':
    case '/':
    case '%':
        return 3;
    default:
        return 4;
    }
}

static void print_string(GString *out, GBytes *bytes)
{
    gsize length;
    const char *at = g_bytes_get_data(bytes, &length);
    const char *end = length == 0 ? at : at + length; /* GLib has no pointer for no bytes */

    g_string_append_c(out, '"');
    while (at < end) {
        gunichar c = g_utf8_get_char_validated(at, end - at);
        if (*at == '"' || *at == '\\') {
            g_string_append_printf(out, "\\%c", *at++);
        } else if (*at == '\n' || *at == '\t' || *at == '\r') {
            g_string_append_printf(out, "\\%c", *at == '\n' ? 'n' : *at == '\t' ? 't' : 'r');
            at++;
        } else if (*at == '\0' || c == (gunichar)-1 || c == (gunichar)-2 || !g_unichar_isprint(c)) {
            g_string_append_printf(out, "\\x%02x", (unsigned)(guchar)*at++);
        } else {
            g_string_append_unichar(out, c);
            at = g_utf8_next_char(at);
        }
    }
    g_string_append_c(out, '"');
}

static void print_expr(GString *out, const Expr *expr);

static void print_operand(GString *out, const Expr *expr, int least)
{
    bool weaker = expr->kind == EXPR_BINARY && strength(expr->op) < least;

    g_string_append(out, weaker ? "(" : "");
    print_expr(out, expr);
    g_string_append(out, weaker ? ")" : "");
}

static void print_expr(GString *out, const Expr *expr)
{
    switch (expr->kind) {
    case EXPR_INTEGER:
        g_string_append_printf(out, "%" G_GUINT64_FORMAT, expr->integer);
        break;
    case EXPR_STRING:
        print_string(out, expr->bytes);
        break;
    case EXPR_VARIABLE:
        g_string_append_printf(out, "$%s", expr->text);
        break;
    case EXPR_WORD:
    case EXPR_NAME:
        g_string_append(out, expr->text);
        break;
    case EXPR_BINARY: {
        /* Equal strength groups from the left, ^ from the right. Blanks keep a minus out of words. */
        int own = strength(expr->op);
        bool tight = expr->op == '|' || expr->op == '^';
        print_operand(out, expr->left, expr->op == '^' ? own + 1 : own);
        g_string_append_printf(out, tight ? "%c" : " %c ", expr->op);
        print_operand(out, expr->right, expr->op == '^' ? own : own + 1);
        break;
    }
    }
}

char *scenario_print_expr(const Expr *expr)
{
    GString *out = g_string_new(NULL);

    print_expr(out, expr);
    return g_string_free(out, FALSE);
}

/* ---- Arguments -------------------------------------------------------------------------------- */

static const char *comparison(ArgKind kind)
{
    switch (kind) {
    case ARG_NOT_EQUAL:
        return "!=";
    case ARG_LESS:
        return "<";
    case ARG_LESS_EQUAL:
        return "<=";
    case ARG_GREATER:
        return ">";
    case ARG_GREATER_EQUAL:
        return ">=";
    case ARG_HAS:
        return "has";
    case ARG_LACKS:
        return "lacks";
    case ARG_BIND:
        return "as";
    default:
        return "=";
    }
}

static void print_arg(GString *out, const Arg *arg)
{
    if (arg->name != NULL)
        g_string_append(out, arg->name);
    if (arg->kind == ARG_EQUAL)
        g_string_append_c(out, '=');
    else if (arg->kind != ARG_POSITION)
        g_string_append_printf(out, "%s%s ", arg->name != NULL ? " " : "", comparison(arg->kind));
    print_expr(out, arg->value);
}

static void print_args(GString *out, GPtrArray *args)
{
    for (guint i = 0; i < args->len; i++) {
        g_string_append_c(out, ' ');
        print_arg(out, g_ptr_array_index(args, i));
    }
}

/* ---- Statements ------------------------------------------------------------------------------- */

static void print_outcome(GString *out, const Outcome *outcome)
{
    static const char *const words[] = {NULL, "continue", "pass", "warn", "fail", "skip"};

    if (outcome->kind == OUTCOME_NONE)
        return;
    g_string_append_printf(out, "  => %s", words[outcome->kind]);
    if (outcome->why != NULL) {
        g_autoptr(GBytes) why = g_bytes_new(outcome->why, strlen(outcome->why));
        g_string_append_c(out, ' ');
        print_string(out, why);
    }
    if (outcome->continues)
        g_string_append(out, " continue");
}

static void print_message(GString *out, const Statement *message)
{
    if (message->actor != NULL)
        g_string_append_printf(out, "%s: ", message->actor);
    g_string_append(out, message->verb);
    print_args(out, message->args);
}

static void print_trace(GString *out, const Statement *statement)
{
    g_string_append(out, "trace ");
    if (statement->trace == TRACE_FACT) {
        print_message(out, statement);
        return;
    }
    if (statement->trace == TRACE_EVENTUALLY)
        g_string_append(out, "eventually ");
    else if (statement->trace == TRACE_NEVER)
        g_string_append(out, "never ");
    print_message(out, statement->pattern);
    if (statement->trace == TRACE_BEFORE) {
        g_string_append(out, " before ");
        print_message(out, statement->second);
    }
}

static void print_when(GString *out, const Statement *statement)
{
    g_string_append(out, "when ");
    if (statement->once)
        g_string_append(out, "once ");
    else if (statement->nth > 0)
        g_string_append_printf(out, "nth %" G_GUINT64_FORMAT " ", statement->nth);
    print_message(out, statement->pattern);
}

static void print_line(GString *out, const Statement *statement)
{
    if (statement->then)
        g_string_append(out, "then ");
    switch (statement->kind) {
    case STATEMENT_PLAIN:
        print_message(out, statement);
        break;
    case STATEMENT_ONE_OF:
        g_string_append(out, "one of");
        break;
    case STATEMENT_ANY_ORDER:
        g_string_append(out, "any order");
        break;
    case STATEMENT_WHEN:
        print_when(out, statement);
        break;
    case STATEMENT_TRACE:
        print_trace(out, statement);
        break;
    }
    /* Evidence stands apart from the message, but close to `one of`. */
    bool apart = statement->kind == STATEMENT_PLAIN || statement->kind == STATEMENT_TRACE;
    for (guint i = 0; i < statement->citations->len; i++) {
        const Citation *citation = g_ptr_array_index(statement->citations, i);
        g_string_append_printf(out, "%s@%s", i == 0 && apart ? "  " : " ", citation->id);
    }
    print_outcome(out, &statement->outcome);
}

char *scenario_print_statement(const Statement *statement)
{
    GString *out = g_string_new(NULL);

    print_line(out, statement);
    return g_string_free(out, FALSE);
}

static void print_statements(GString *out, GPtrArray *statements, int indentation)
{
    for (guint i = 0; i < statements->len; i++) {
        const Statement *statement = g_ptr_array_index(statements, i);
        g_string_append_printf(out, "%*s", indentation, "");
        print_line(out, statement);
        if (statement->block != NULL) {
            g_string_append(out, " {\n");
            print_statements(out, statement->block, indentation + 2);
            g_string_append_printf(out, "%*s}", indentation, "");
        }
        g_string_append_c(out, '\n');
    }
}

/* ---- Headers ---------------------------------------------------------------------------------- */

static void print_need(GString *out, const Need *need)
{
    g_string_append(out, need->word);
    if (need->compare != ARG_POSITION) {
        g_string_append_printf(out, " %s ", comparison(need->compare));
        print_expr(out, need->value);
    }
    for (guint i = 0; i < need->names->len; i++) {
        g_string_append_c(out, ' ');
        print_expr(out, g_ptr_array_index(need->names, i));
    }
}

static void print_use(GString *out, const Use *use)
{
    g_string_append(out, use->word);
    if (use->value != NULL) {
        g_string_append_c(out, ' ');
        print_expr(out, use->value);
    }
}

static void print_headers(GString *out, const Scenario *scenario)
{
    static const char *const peers[] = {"server", "client", "kernel"};

    g_string_append_printf(out, "case    %s\npeer    %s\n", scenario->title, peers[scenario->peer]);
    if (scenario->act != NULL) {
        GString *args = g_string_new(NULL);
        print_args(args, scenario->act);
        g_string_append_printf(out, "act    %s\n", args->str); /* each begins with a blank */
        g_string_free(args, TRUE);
    }
    for (guint i = 0; i < scenario->needs->len; i++) {
        g_string_append(out, i == 0 ? "needs   " : "  ");
        print_need(out, g_ptr_array_index(scenario->needs, i));
    }
    g_string_append(out, scenario->needs->len > 0 ? "\n" : "");
    for (guint i = 0; i < scenario->uses->len; i++) {
        g_string_append(out, i == 0 ? "uses    " : "  ");
        print_use(out, g_ptr_array_index(scenario->uses, i));
    }
    g_string_append(out, scenario->uses->len > 0 ? "\n" : "");
    for (guint i = 0; i < scenario->loops->len; i++) {
        const Loop *loop = g_ptr_array_index(scenario->loops, i);
        g_string_append_printf(out, "for     $%s in", loop->variable);
        for (guint j = 0; j < loop->values->len; j++) {
            g_string_append_c(out, ' ');
            print_expr(out, g_ptr_array_index(loop->values, j));
        }
        g_string_append_c(out, '\n');
    }
}

char *scenario_print(const Scenario *scenario)
{
    GString *out = g_string_new(NULL);

    print_headers(out, scenario);
    if (scenario->statements->len > 0)
        g_string_append_c(out, '\n');
    print_statements(out, scenario->statements, 0);
    return g_string_free(out, FALSE);
}
