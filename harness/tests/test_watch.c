/* Servers' processes: started, watched, ended, whatever they do. */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "watch/watch.h"

void watch_tests(void);

enum { READY_MS = 20000, SETTLE_MS = 5000, STOP_MS = 10000 };

static Watched *spawned(const char *command)
{
    WatchSpawn spawn = {.command = command, .export_name = "", .ready_ms = READY_MS};
    g_autoptr(GError) error = NULL;
    Watched *watched = watch_spawn(&spawn, &error);

    if (watched == NULL) {
        printf("%s: %s\n", command, error->message);
        CU_FAIL("not started");
    }
    return watched;
}

/* It is served: something greets. */
static void greets(const Watched *watched)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Transport) transport = transport_connect(watch_address(watched), READY_MS, &error);

    CU_ASSERT_PTR_NOT_NULL(transport);
    if (transport == NULL)
        printf("%s\n", error->message);
}

static bool gone(pid_t pid)
{
    return kill(pid, 0) != 0 && errno == ESRCH;
}

static void runs_and_is_gone(const char *command)
{
    Watched *watched = spawned(command);
    WatchSample sample;

    if (watched == NULL)
        return;
    CU_ASSERT(watch_settle(watched, NULL, SETTLE_MS, &sample));
    CU_ASSERT_EQUAL(watch_state(watched, NULL), WATCH_RUNS);
    CU_ASSERT_EQUAL(sample.processes, 1);
    CU_ASSERT_EQUAL(sample.zombies, 0);
    CU_ASSERT(sample.fds[FD_SOCKET] >= 1);
    CU_ASSERT(sample.private_bytes > 10000);
    greets(watched);
    pid_t pid = watch_main_pid(watched);
    g_autofree char *target = g_strdup(watch_target(watched));
    CU_ASSERT(!gone(pid));
    watch_free(watched);
    CU_ASSERT(gone(pid));
    CU_ASSERT(target[0] != '/' || access(target, F_OK) != 0);
}

static void servers_in_the_foreground_are_watched(void)
{
    runs_and_is_gone("nbdkit -f -U {socket} memory 64M");
    runs_and_is_gone("nbdkit -f -p {port} memory 64M");
    runs_and_is_gone("qemu-nbd -t -k {socket} -f raw /etc/hostname -r");
    runs_and_is_gone("nbd-server -d 127.0.0.1@{port} /etc/hostname -r -C /dev/null");
}

static void servers_in_the_background_are_watched(void)
{
    runs_and_is_gone("nbdkit -U {socket} memory 64M");
    runs_and_is_gone("nbdkit -p {port} memory 64M");
    runs_and_is_gone("nbd-server 127.0.0.1@{port} /etc/hostname -r -C /dev/null -p {dir}/pid");
    runs_and_is_gone("qemu-nbd -t --fork -k {socket} -f raw /etc/hostname -r");
}

void watch_tests(void)
{
    CU_pSuite suite = CU_add_suite("watch: processes of a server", NULL, NULL);

    CU_ADD_TEST(suite, servers_in_the_foreground_are_watched);
    CU_ADD_TEST(suite, servers_in_the_background_are_watched);
}
