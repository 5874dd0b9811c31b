/* Servers' processes for tests of watch/. */
#include "watched.h"

#include <CUnit/CUnit.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

Watched *watched_start(const char *command)
{
    WatchSpawn spawn = {.command = command, .export_name = "", .ready_ms = WATCHED_READY_MS};
    g_autoptr(GError) error = NULL;
    Watched *watched = watch_spawn(&spawn, &error);

    if (watched == NULL) {
        printf("%s: %s\n", command, error->message);
        CU_FAIL("not started");
    }
    return watched;
}

void watched_fails(const char *command, unsigned ready_ms, int code, const char *word)
{
    WatchSpawn spawn = {.command = command, .export_name = "", .ready_ms = ready_ms};
    g_autoptr(GError) error = NULL;
    g_autoptr(Watched) watched = watch_spawn(&spawn, &error);

    CU_ASSERT_PTR_NULL(watched);
    if (watched != NULL)
        return;
    CU_ASSERT(g_error_matches(error, WATCH_ERROR, code));
    CU_ASSERT_PTR_NOT_NULL(strstr(error->message, word));
    if (strstr(error->message, word) == NULL)
        printf("%s: %s\n", command, error->message);
}

bool watched_gone(pid_t pid)
{
    return kill(pid, 0) != 0 && errno == ESRCH;
}

void watched_connect(const Watched *watched)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Transport) transport =
        transport_connect(watch_address(watched), WATCHED_READY_MS, &error);

    CU_ASSERT_PTR_NOT_NULL(transport);
    if (transport == NULL)
        printf("%s\n", error->message);
}
