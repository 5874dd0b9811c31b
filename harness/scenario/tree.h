/* Building and freeing the tree. Private to scenario/. */
#ifndef NBDCONFORM_SCENARIO_TREE_H
#define NBDCONFORM_SCENARIO_TREE_H

#include "scenario/scenario.h"

/* Whoever walks a tree recurses: its depth is bounded here, so that no text can exhaust the stack. */
#define SCENARIO_MAX_EXPR_DEPTH 200u

/* All of these take over the strings and nodes that they are given. */

Expr *scenario_expr_integer(Place place, uint64_t integer);
Expr *scenario_expr_string(Place place, GBytes *bytes);
/* A word, a name or a variable. */
Expr *scenario_expr_text(ExprKind kind, Place place, char *text);
/* NULL, and both sides freed, if the tree would grow deeper than SCENARIO_MAX_EXPR_DEPTH. */
Expr *scenario_expr_binary(char op, Expr *left, Expr *right);
void scenario_expr_free(Expr *expr);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Expr, scenario_expr_free)

/* Computes an expression of numbers alone, in 64 bits. False if it contains anything else, divides by
 * zero, or leaves the range. */
bool scenario_expr_constant(const Expr *expr, uint64_t *value);

Arg *scenario_arg_new(ArgKind kind, Place place, char *name, Expr *value);
void scenario_arg_free(Arg *arg);
GPtrArray *scenario_args_new(void);

Citation *scenario_citation_new(Place place, char *id);

/* With empty arguments and citations. */
Statement *scenario_statement_new(StatementKind kind, Place place);
void scenario_statement_free(Statement *statement);
GPtrArray *scenario_statements_new(void);

Need *scenario_need_new(Place place, char *word, ArgKind compare, Expr *value);
Use *scenario_use_new(Place place, char *word, Expr *value);
Loop *scenario_loop_new(Place place, char *variable);
void scenario_loop_free(Loop *loop);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Loop, scenario_loop_free)

Scenario *scenario_new(const char *path, const char *file, const char *text, size_t length);

/* The expression as scenario_print() writes it. The caller frees it. */
char *scenario_print_expr(const Expr *expr);

#endif
