/* Runs every suite of unit tests, or those that are named. A new one: write `void FOO_tests(void)`, add FOO
 * below. */
#include "tests/watchdog.h"

#include <CUnit/CUnit.h>
#include <CUnit/TestRun.h>
#include <stdio.h>
#include <stdlib.h>

/* Far more than the longest takes on a busy machine under valgrind. */
enum { TEST_SECONDS = 300 };

#define SUITES(SUITE)                                                                              \
    SUITE(catalogue)                                                                               \
    SUITE(play)                                                                                    \
    SUITE(play_alone)                                                                              \
    SUITE(play_end)                                                                                \
    SUITE(play_bounds)                                                                             \
    SUITE(play_compile)                                                                            \
    SUITE(play_mistake)                                                                            \
    SUITE(play_fair)                                                                               \
    SUITE(play_entry)                                                                              \
    SUITE(play_extended)                                                                           \
    SUITE(play_structured)                                                                         \
    SUITE(play_status)                                                                             \
    SUITE(play_hostile)                                                                            \
    SUITE(play_measure)                                                                            \
    SUITE(play_settle)                                                                             \
    SUITE(play_tls)                                                                                \
    SUITE(play_value)                                                                              \
    SUITE(reference)                                                                               \
    SUITE(reference_transmission)                                                                  \
    SUITE(reference_ending)                                                                        \
    SUITE(reference_extended)                                                                      \
    SUITE(reference_leak)                                                                          \
    SUITE(reference_metadata)                                                                      \
    SUITE(reference_quirk)                                                                         \
    SUITE(reference_structured)                                                                    \
    SUITE(reference_server)                                                                        \
    SUITE(reference_tls)                                                                           \
    SUITE(reference_wake)                                                                          \
    SUITE(report)                                                                                  \
    SUITE(report_files)                                                                            \
    SUITE(report_fold)                                                                             \
    SUITE(requirement)                                                                             \
    SUITE(requirement_set)                                                                         \
    SUITE(run)                                                                                     \
    SUITE(run_regions)                                                                             \
    SUITE(run_server)                                                                              \
    SUITE(run_summary)                                                                             \
    SUITE(run_verdict)                                                                             \
    SUITE(scenario)                                                                                \
    SUITE(scenario_value)                                                                          \
    SUITE(scenario_print)                                                                          \
    SUITE(scenario_error)                                                                          \
    SUITE(scenario_hostile)                                                                        \
    SUITE(selection)                                                                               \
    SUITE(session)                                                                                 \
    SUITE(session_fair)                                                                            \
    SUITE(session_chunks)                                                                          \
    SUITE(session_hostile)                                                                         \
    SUITE(session_rules)                                                                           \
    SUITE(size)                                                                                    \
    SUITE(soak_crowd)                                                                              \
    SUITE(soak_cycle)                                                                              \
    SUITE(soak_ending)                                                                             \
    SUITE(soak_ghost)                                                                              \
    SUITE(soak_growth)                                                                             \
    SUITE(soak_report)                                                                             \
    SUITE(soak_self)                                                                               \
    SUITE(soak_tls)                                                                                \
    SUITE(target)                                                                                  \
    SUITE(transport)                                                                               \
    SUITE(transport_end)                                                                           \
    SUITE(transport_tls)                                                                           \
    SUITE(transport_tls_peer)                                                                      \
    SUITE(transport_tls_stream)                                                                    \
    SUITE(transport_tls_end)                                                                       \
    SUITE(watch)                                                                                   \
    SUITE(watch_report)                                                                            \
    SUITE(watch_sample)                                                                            \
    SUITE(wire)                                                                                    \
    SUITE(wire_data)

#define DECLARE(name) void name##_tests(void);
#define REGISTER(name) name##_tests();

SUITES(DECLARE)

/* Every line is there to be read if the program does not come to its end. */
static void started(CU_pTest test, CU_pSuite suite)
{
    watchdog_start(suite->pName, test->pName, TEST_SECONDS);
}

static void ended(CU_pTest test, CU_pSuite suite, CU_pFailureRecord failures)
{
    watchdog_start(NULL, NULL, 0);
    if (failures == NULL)
        return;
    printf("%s: %s\n", suite->pName, test->pName);
    for (CU_pFailureRecord failure = failures; failure != NULL; failure = failure->pNext)
        printf("    %s:%u: %s\n", failure->strFileName, failure->uiLineNumber,
               failure->strCondition);
}

static unsigned passed, failed;

/* Once for each run: CUnit begins anew with the next. */
static CU_ErrorCode count_up(CU_ErrorCode ran)
{
    failed += CU_get_number_of_tests_failed() + CU_get_number_of_suites_failed();
    passed += CU_get_number_of_tests_run() - CU_get_number_of_tests_failed();
    return ran;
}

/* The suites called NAMES, one after another. */
static CU_ErrorCode run_suites(int count, char **names)
{
    for (int i = 0; i < count; i++) {
        CU_pSuite suite = CU_get_suite(names[i]);
        if (suite == NULL) {
            fprintf(stderr, "unit-tests: there is no suite %s\n", names[i]);
            return CUE_NOSUITE;
        }
        CU_ErrorCode ran = count_up(CU_run_suite(suite));
        if (ran != CUE_SUCCESS)
            return ran;
    }
    return CUE_SUCCESS;
}

static CU_ErrorCode run(int argc, char **argv)
{
    return argc > 1 ? run_suites(argc - 1, argv + 1) : count_up(CU_run_all_tests());
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (CU_initialize_registry() != CUE_SUCCESS) {
        fprintf(stderr, "unit-tests: %s\n", CU_get_error_msg());
        return EXIT_FAILURE;
    }
    SUITES(REGISTER)
    CU_ErrorCode registered = CU_get_error();
    CU_set_test_start_handler(started);
    CU_set_test_complete_handler(ended);
    CU_ErrorCode ran = registered == CUE_SUCCESS ? run(argc, argv) : registered;
    if (ran != CUE_SUCCESS)
        fprintf(stderr, "unit-tests: %s\n", CU_get_error_msg());
    CU_cleanup_registry();
    printf("%u passed, %u failed\n", passed, failed);
    return ran == CUE_SUCCESS && failed == 0 && passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
