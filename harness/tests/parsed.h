/* Cases for tests of the notation. */
#ifndef NBDCONFORM_TESTS_PARSED_H
#define NBDCONFORM_TESTS_PARSED_H

#include "scenario/scenario.h"

/* How the shortest case begins. */
#define HEAD "case x\npeer server\n"

/* The case folder/x of the file x.case. */
Scenario *parsed_bytes(const char *text, size_t length, GError **error);

/* A mistake in TEXT is a failure of the test. */
Scenario *parsed(const char *text);

/* The message with which TEXT, the file x.case, is refused; the caller frees it. */
char *parsed_refusal(const char *text, size_t length);

/* Asserts that it begins with PLACE, and says WHAT: for texts too large or too odd to be quoted. */
void parsed_refused_at(const char *text, size_t length, const char *place, const char *what);

/* The statement, and the argument, number I: one that is not there is a failure of the test. */
const Statement *parsed_statement(GPtrArray *statements, guint i);
const Arg *parsed_arg(const Statement *statement, guint i);

/* Is EXPR this very one? */
bool parsed_text(const Expr *expr, ExprKind kind, const char *text);
bool parsed_integer(const Expr *expr, uint64_t value);
bool parsed_string(const Expr *expr, const char *bytes, size_t length);

#endif
