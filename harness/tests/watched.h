/* Servers' processes for tests of watch/. */
#ifndef NBDCONFORM_TESTS_WATCHED_H
#define NBDCONFORM_TESTS_WATCHED_H

#include "watch/watch.h"

enum { WATCHED_READY_MS = 20000, WATCHED_SETTLE_MS = 10000, WATCHED_STOP_MS = 20000 };

/* Starts COMMAND. NULL, and a failure of the test, where that does not go. */
Watched *watched_start(const char *command);

/* COMMAND does not start: the error has CODE and contains WORD. */
void watched_fails(const char *command, unsigned ready_ms, int code, const char *word);

/* There is no process PID, not even a zombie. */
bool watched_gone(pid_t pid);

/* Connects, and closes; a failure of the test if that does not go. */
void watched_connect(const Watched *watched);

#endif
