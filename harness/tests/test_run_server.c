/* What the process of a server tells beside its sockets: that it has ended, reported something, reaps nobody. */
#include <CUnit/CUnit.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "run/private.h"
#include "watched.h"

void run_server_tests(void);

#define REPORT "==7==ERROR: AddressSanitizer: heap-use-after-free"

/* In a shell whose first argument is the socket. */
#define EXEC_NBDKIT "exec nbdkit -f -U $0 memory 1M' {socket}"

static const char quiet[] = "nbdkit -f -U {socket} memory 1M";
static const char chatty[] =
    "sh -c 'echo ready; echo \"" REPORT "\"; echo \"    #0 f\"; " EXEC_NBDKIT;
static const char forgetful[] = "sh -c 'true & " EXEC_NBDKIT;
static const char last_words[] =
    "sh -c 'trap \"echo \\\"" REPORT "\\\"; exit 0\" TERM; nbdkit -f -U $0 memory 1M & "
    "while :; do wait; done' {socket}";

static RunServer *started(WatchSpawn *spawn, const char *command)
{
    g_autoptr(GError) error = NULL;

    *spawn = (WatchSpawn){.command = command, .export_name = "", .ready_ms = WATCHED_READY_MS};
    RunServer *server = run_server_spawn(spawn, &error);
    if (server == NULL)
        g_error("%s: %s", command, error->message);
    return server;
}

/* Waits until that is known. */
static void end(RunServer *server)
{
    Watched *watched = run_server_process(server);

    CU_ASSERT_EQUAL(kill(watch_main_pid(watched), SIGKILL), 0);
    for (unsigned i = 0; watch_state(watched, NULL) == WATCH_RUNS && i < WATCHED_STOP_MS; i++)
        g_usleep(1000);
}

static const Finding *finding_of(const PlayResult *result, guint i, const char *requirement)
{
    CU_ASSERT_FATAL(i < result->findings->len);
    const Finding *finding = result->findings->pdata[i];
    CU_ASSERT_STRING_EQUAL(finding->requirement->id, requirement);
    CU_ASSERT_EQUAL(finding->by, SIDE_SERVER);
    CU_ASSERT_TRUE(run_server_saw(finding));
    return finding;
}

/* Nothing is to be seen of SERVER, and it can go on. */
static void is_well(RunServer *server)
{
    g_autoptr(PlayResult) result = run_result(VERDICT_PASS, NULL);

    CU_ASSERT_TRUE(run_server_inspect(server, result));
    CU_ASSERT_EQUAL(result->verdict, VERDICT_PASS);
    CU_ASSERT_EQUAL(result->findings->len, 0);
    CU_ASSERT_EQUAL(result->setup->len, 0);
    CU_ASSERT_FALSE(result->doubtful);
    CU_ASSERT_FALSE(run_server_saw_any(result));
    CU_ASSERT_STRING_EQUAL(result->transcript, "");
}

static void an_end_is_found_before_what_the_case_saw_of_it_and_once(void)
{
    WatchSpawn spawn;
    RunServer *server = started(&spawn, quiet);
    g_autoptr(PlayResult) result = run_result(VERDICT_WARN, NULL);
    Finding *seen = g_new0(Finding, 1);

    seen->requirement = requirement_find("error.unknown-flag");
    seen->message = g_strdup("a close");
    g_ptr_array_add(result->findings, seen);
    is_well(server);
    CU_ASSERT_FALSE(run_server_saw(seen));
    end(server);
    CU_ASSERT_FALSE(run_server_inspect(server, result));
    CU_ASSERT_EQUAL(result->verdict, VERDICT_FAIL);
    CU_ASSERT_EQUAL(result->kind, KIND_ROBUSTNESS);
    CU_ASSERT_TRUE(result->doubtful);
    CU_ASSERT_TRUE(run_server_saw_any(result));
    CU_ASSERT_EQUAL(result->findings->len, 2);
    CU_ASSERT_STRING_EQUAL(finding_of(result, 0, "robust.process-alive")->message,
                           "the server was killed by signal 9 (Killed)");
    CU_ASSERT_PTR_EQUAL(result->findings->pdata[1], seen);
    CU_ASSERT_PTR_NULL(run_server_end(server));
    run_server_free(server);
}

static void another_takes_the_place_of_one_that_has_ended(void)
{
    WatchSpawn spawn;
    RunServer *server = started(&spawn, quiet);

    for (unsigned i = 0; i < 2; i++) {
        end(server);
        g_autofree char *how = run_server_end(server);
        CU_ASSERT_PTR_NOT_NULL(how);
        CU_ASSERT_TRUE(run_server_renew(server, NULL));
        CU_ASSERT_PTR_NOT_NULL_FATAL(run_server_address(server));
        watched_connect(run_server_process(server));
        is_well(server);
    }
    run_server_free(server);
}

/* The signal was the case's own. */
static void who_was_signalled_may_end_and_is_replaced(void)
{
    WatchSpawn spawn;
    RunServer *server = started(&spawn, quiet);
    g_autoptr(PlayResult) result = run_result(VERDICT_PASS, NULL);

    result->spent = true;
    end(server);
    CU_ASSERT_FALSE(run_server_inspect(server, result));
    CU_ASSERT_EQUAL(result->verdict, VERDICT_PASS);
    CU_ASSERT_EQUAL(result->findings->len, 0);
    run_server_free(server);
}

static void a_report_is_found_once_and_shown_whole(void)
{
    WatchSpawn spawn;
    RunServer *server = started(&spawn, chatty);
    g_autoptr(PlayResult) result = run_result(VERDICT_PASS, NULL);

    CU_ASSERT_FALSE(run_server_inspect(server, result));
    CU_ASSERT_EQUAL(result->verdict, VERDICT_FAIL);
    CU_ASSERT_TRUE(result->doubtful);
    CU_ASSERT_EQUAL(result->findings->len, 1);
    CU_ASSERT_STRING_EQUAL(finding_of(result, 0, "robust.clean-report")->message,
                           "the server's own output has a report: " REPORT);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(result->transcript, "# what the server printed:\n" REPORT "\n    #0 f\n"));
    is_well(server);
    g_autofree char *said = run_server_said(server);
    CU_ASSERT(g_str_has_prefix(said, "ready\n" REPORT));
    CU_ASSERT_TRUE(run_server_renew(server, NULL)); /* and says it again */
    CU_ASSERT_FALSE(run_server_inspect(server, result));
    CU_ASSERT_EQUAL(result->findings->len, 2);
    run_server_free(server);
}

/* It may reap them late, as when the next client comes. */
static void children_that_are_never_reaped_are_found_once(void)
{
    WatchSpawn spawn;
    RunServer *server = started(&spawn, forgetful);
    g_autoptr(PlayResult) result = run_result(VERDICT_PASS, NULL);

    for (unsigned i = 0; i < 7; i++)
        is_well(server);
    CU_ASSERT_TRUE(run_server_inspect(server, result));
    CU_ASSERT_EQUAL(result->verdict, VERDICT_PASS);
    CU_ASSERT_EQUAL_FATAL(result->setup->len, 1);
    const Finding *finding = result->setup->pdata[0];
    CU_ASSERT_STRING_EQUAL(finding->requirement->id, "robust.no-zombies");
    CU_ASSERT_STRING_EQUAL(finding->message,
                           "children of the server that have ended are not reaped: 1");
    for (unsigned i = 0; i < 2; i++)
        is_well(server);
    CU_ASSERT_TRUE(run_server_renew(server, NULL)); /* whose children are counted anew */
    for (unsigned i = 0; i < 7; i++)
        is_well(server);
    CU_ASSERT_TRUE(run_server_inspect(server, result));
    CU_ASSERT_EQUAL(result->setup->len, 2);
    run_server_free(server);
}

static void who_has_no_children_forgets_none(void)
{
    WatchSpawn spawn;
    RunServer *server = started(&spawn, quiet);

    for (unsigned i = 0; i < 10; i++)
        is_well(server);
    run_server_free(server);
}

static void one_that_does_not_start_is_none(void)
{
    WatchSpawn spawn = {
        .command = "no-such-server {socket}", .export_name = "", .ready_ms = WATCHED_READY_MS};
    g_autoptr(GError) error = NULL;

    CU_ASSERT_PTR_NULL(run_server_spawn(&spawn, &error));
    CU_ASSERT_TRUE(g_error_matches(error, WATCH_ERROR, WATCH_ERROR_START));
    CU_ASSERT_PTR_NULL(run_server_watch(0x7fffffff, NULL));
}

static void what_is_said_at_the_end_is_heard(void)
{
    WatchSpawn spawn;
    RunServer *server = started(&spawn, last_words), *silent = started(&spawn, quiet);
    g_autoptr(GPtrArray) findings = g_ptr_array_new_with_free_func((GDestroyNotify)finding_free);

    is_well(server);
    run_server_close(silent, WATCHED_STOP_MS, findings);
    CU_ASSERT_EQUAL(findings->len, 0);
    run_server_close(server, WATCHED_STOP_MS, findings);
    CU_ASSERT_EQUAL_FATAL(findings->len, 1);
    CU_ASSERT_STRING_EQUAL(((const Finding *)findings->pdata[0])->requirement->id,
                           "robust.clean-report");
    run_server_free(silent);
    run_server_free(server);
}

static void who_was_there_before_is_watched_and_left_alone(void)
{
    g_autoptr(Watched) other = watched_start(quiet);
    g_autoptr(GPtrArray) findings = g_ptr_array_new();
    RunServer *server = run_server_watch(watch_main_pid(other), NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(server);
    CU_ASSERT_PTR_NULL(run_server_address(server));
    CU_ASSERT_PTR_NULL(run_server_process(server));
    CU_ASSERT_TRUE(run_server_renew(server, NULL));
    run_server_close(server, WATCHED_STOP_MS, findings);
    CU_ASSERT_PTR_NULL(run_server_end(server));
    watched_connect(other);
    run_server_free(server);
    watched_connect(other);
}

void run_server_tests(void)
{
    CU_pSuite suite = CU_add_suite("run: servers' processes", NULL, NULL);

    CU_ADD_TEST(suite, an_end_is_found_before_what_the_case_saw_of_it_and_once);
    CU_ADD_TEST(suite, another_takes_the_place_of_one_that_has_ended);
    CU_ADD_TEST(suite, who_was_signalled_may_end_and_is_replaced);
    CU_ADD_TEST(suite, a_report_is_found_once_and_shown_whole);
    CU_ADD_TEST(suite, children_that_are_never_reaped_are_found_once);
    CU_ADD_TEST(suite, who_has_no_children_forgets_none);
    CU_ADD_TEST(suite, one_that_does_not_start_is_none);
    CU_ADD_TEST(suite, what_is_said_at_the_end_is_heard);
    CU_ADD_TEST(suite, who_was_there_before_is_watched_and_left_alone);
}
