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

Scenario *parsed(const char *text)
{
    g_autoptr(GError) error = NULL;
    Scenario *scenario = parsed_bytes(text, strlen(text), &error);

    if (error != NULL)
        g_printerr("\n%s\n", error->message);
    CU_ASSERT_PTR_NOT_NULL_FATAL(scenario);
    return scenario;
}
