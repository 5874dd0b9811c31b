/* Fuzz target: the scenario parser, with any text; and what reads the tree that it makes.
 *
 * A text is refused with a message that people can read, or what the printer makes of it parses again to what
 * prints the same.
 */
#include "fuzz/fuzz.h"
#include "play/play.h"
#include "scenario/scenario.h"

/* A `for` with many values is many cases: no fault, but slow. */
#define LONGEST 4096

static void compile(const Scenario *scenario)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) cases = g_ptr_array_new_with_free_func((GDestroyNotify)play_case_free);

    FUZZ_HOLDS(play_compile(scenario, cases, &error) == (error == NULL));
    if (error != NULL)
        FUZZ_HOLDS(g_utf8_validate(error->message, -1, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *exact = fuzz_exact(data, size);
    g_autoptr(GError) error = NULL;

    if (size > LONGEST)
        return 0;
    g_autoptr(Scenario) scenario = scenario_parse("fuzz", "fuzz.case", exact, size, &error);
    if (scenario == NULL) {
        FUZZ_HOLDS(error != NULL && g_utf8_validate(error->message, -1, NULL));
        return 0;
    }
    g_autofree char *text = scenario_print(scenario);
    g_autoptr(Scenario) again = scenario_parse("fuzz", "fuzz.case", text, strlen(text), &error);
    if (again == NULL)
        fprintf(stderr, "printed:\n%s\n%s\n", text, error->message);
    FUZZ_HOLDS(again != NULL);
    g_autofree char *twice = scenario_print(again);
    if (!g_str_equal(text, twice))
        fprintf(stderr, "printed:\n%s\nprinted again:\n%s\n", text, twice);
    FUZZ_HOLDS(g_str_equal(text, twice));
    if (scenario->peer == PEER_SERVER)
        compile(scenario);
    return 0;
}
