/* How the reference server ends: what was asked before is answered, what comes later is refused, and
 * nobody keeps it for ever. */
#include <CUnit/CUnit.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "raw_client.h"

void reference_ending_tests(void);

#define MIB (1024u * 1024)
#define LONG (16u * MIB)

/* A server that runs in a thread of the test's, and gets its signals through a pipe. */
typedef struct {
    RefServer *server;
    GThread *thread;
    int signals[2];
    gint ended; /* atomic */
} Running;

static gpointer run(gpointer data)
{
    Running *running = data;

    CU_ASSERT(ref_server_run(running->server, running->signals[0], NULL));
    g_atomic_int_set(&running->ended, 1);
    return NULL;
}

static void begin(Running *running, unsigned grace, const char *const *quirks)
{
    const RefExport export = {.size = LONG};
    const RefConfig config = {
        .exports = &export, .export_count = 1, .loops = 3, .grace = grace, .quirks = quirks};

    *running = (Running){.server = ref_server_new(&config, NULL)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(running->server);
    CU_ASSERT_EQUAL(pipe(running->signals), 0);
    running->thread = g_thread_new("server", run, running);
}

static void say(const Running *running, uint32_t number)
{
    const struct signalfd_siginfo info = {.ssi_signo = number};

    CU_ASSERT_EQUAL(write(running->signals[1], &info, sizeof info), (ssize_t)sizeof info);
}

/* Once the server knows of its end, nobody can connect. */
static void end(const Running *running)
{
    say(running, SIGTERM);
    for (int fd = 0; fd >= 0; raw_close(fd))
        fd = raw_dial(running->server);
}

static void finish(Running *running)
{
    g_thread_join(running->thread);
    ref_server_free(running->server);
    close(running->signals[0]);
    close(running->signals[1]);
}

#define FOR_EVER (3600u * 1000)

static void without_clients_it_ends_at_once(void)
{
    Running running;

    begin(&running, FOR_EVER, NULL);
    say(&running, SIGINT);
    finish(&running);
}

/* A client that is in the midst of negotiating when the server is told to end. */
static int negotiate_and_end(Running *running)
{
    begin(running, FOR_EVER, NULL);
    int fd = raw_dial(running->server);
    CU_ASSERT(raw_greet(fd, RAW_FLAGS));
    CU_ASSERT(raw_say_option(fd, 4711, NULL, 0));
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ERR_UNSUP);
    end(running);
    return fd;
}

static void who_negotiates_is_told_and_may_abort(void)
{
    Running running;
    int fd = negotiate_and_end(&running);

    CU_ASSERT(raw_say_option(fd, NBD_OPT_LIST, NULL, 0));
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ERR_SHUTDOWN);
    CU_ASSERT(raw_say_option(fd, 4711, NULL, 0));
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ERR_SHUTDOWN);
    CU_ASSERT(raw_say_option(fd, NBD_OPT_ABORT, NULL, 0));
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ACK);
    CU_ASSERT(raw_ends(fd));
    raw_close(fd);
    finish(&running);
}

static void an_export_name_is_answered_by_hanging_up(void)
{
    Running running;
    int fd = negotiate_and_end(&running);

    CU_ASSERT(raw_say_option(fd, NBD_OPT_EXPORT_NAME, NULL, 0));
    CU_ASSERT(raw_ends(fd));
    raw_close(fd);
    finish(&running);
}

static void what_is_in_flight_is_finished_and_the_rest_refused(void)
{
    g_autofree uint8_t *data = g_malloc(LONG);
    uint8_t header[16];
    Running running;

    begin(&running, FOR_EVER, NULL);
    int fd = raw_open(running.server, "");
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT(raw_request(fd, NBD_CMD_READ, 0, 1, 0, LONG));
    CU_ASSERT(raw_hear(fd, header, sizeof header)); /* and it can't have sent the data yet */
    end(&running);
    CU_ASSERT(raw_hear(fd, data, LONG));
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, 0, 512, data), NBD_ESHUTDOWN);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE, 0, 0, 512, data), NBD_ESHUTDOWN);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_FLUSH, 0, 0, 0, NULL), NBD_ESHUTDOWN);
    CU_ASSERT(!g_atomic_int_get(&running.ended));
    CU_ASSERT(raw_request(fd, NBD_CMD_DISC, 0, 0, 0, 0));
    CU_ASSERT(raw_ends(fd));
    raw_close(fd);
    finish(&running);
}

static void who_stays_is_dropped_when_the_time_is_up(void)
{
    Running running;
    int fds[9];

    begin(&running, 20, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++)
        fds[i] = i % 2 == 0 ? raw_open(running.server, "") : raw_dial(running.server);
    say(&running, SIGTERM);
    finish(&running);
    for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++)
        raw_close(fds[i]);
}

static void other_signals_change_nothing(void)
{
    Running running;

    begin(&running, FOR_EVER, NULL);
    for (unsigned i = 0; i < 5; i++) {
        say(&running, SIGHUP);
        say(&running, SIGCONT);
        CU_ASSERT(raw_served(running.server));
    }
    end(&running);
    finish(&running);
}

static void quirks_hear_of_signals(void)
{
    static const char *const second[] = {"end-on-second-sighup", NULL};
    static const char *const crash[] = {"crash-on-sigterm", NULL};
    static const char *const deaf[] = {"sigterm-ignored", NULL};
    Running running;

    begin(&running, FOR_EVER, second);
    say(&running, SIGHUP);
    CU_ASSERT(raw_served(running.server));
    say(&running, SIGHUP);
    finish(&running);

    begin(&running, FOR_EVER, crash);
    int fd = raw_open(running.server, "");
    say(&running, SIGTERM);
    CU_ASSERT(raw_ends(fd));
    raw_close(fd);
    CU_ASSERT(ref_server_died(running.server));
    finish(&running);

    begin(&running, FOR_EVER, deaf);
    say(&running, SIGTERM);
    CU_ASSERT(raw_served(running.server));
    say(&running, SIGINT);
    finish(&running);
}

void reference_ending_tests(void)
{
    CU_TestInfo tests[] = {
        {"without clients it ends at once", without_clients_it_ends_at_once},
        {"who negotiates is told, and may abort", who_negotiates_is_told_and_may_abort},
        {"an export name is answered by hanging up", an_export_name_is_answered_by_hanging_up},
        {"what is in flight is finished, and the rest refused",
         what_is_in_flight_is_finished_and_the_rest_refused},
        {"who stays is dropped when the time is up", who_stays_is_dropped_when_the_time_is_up},
        {"other signals change nothing", other_signals_change_nothing},
        {"quirks hear of signals", quirks_hear_of_signals},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"end of the reference server", NULL, NULL, NULL, NULL, tests},
                             CU_SUITE_INFO_NULL};

    CU_register_suites(suites);
}
