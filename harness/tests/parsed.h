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

#endif
