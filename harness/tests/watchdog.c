#include "tests/watchdog.h"

#include <dirent.h>
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FRAMES = 64, BETWEEN_THREADS_US = 200 * 1000 };

static const char *running_suite, *running_test;

/* Prints the calling thread's stack. Not for a process that is to go on: what these functions take locks for
 * may be what the thread was interrupted in. */
static void show_stack(int signal_number)
{
    (void)signal_number;
    void *frames[FRAMES];
    dprintf(STDERR_FILENO, "thread %ld:\n", syscall(SYS_gettid));
    backtrace_symbols_fd(frames, backtrace(frames, FRAMES), STDERR_FILENO);
}

static void show_other_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL)
        return;
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        long id = strtol(task->d_name, NULL, 10);
        if (id <= 0 || id == syscall(SYS_gettid))
            continue;
        if (syscall(SYS_tgkill, getpid(), id, SIGUSR2) == 0)
            usleep(BETWEEN_THREADS_US);
    }
    closedir(tasks);
}

static void time_is_over(int signal_number)
{
    dprintf(STDERR_FILENO, "unit-tests: suite %s, test %s does not end; this is where it stands\n",
            running_suite, running_test);
    show_stack(signal_number);
    show_other_threads();
    _exit(EXIT_FAILURE);
}

void watchdog_start(const char *suite, const char *test, unsigned seconds)
{
    alarm(0);
    running_suite = suite;
    running_test = test;
    if (test == NULL)
        return;
    struct sigaction over = {.sa_handler = time_is_over}, stack = {.sa_handler = show_stack};
    sigaction(SIGALRM, &over, NULL);
    sigaction(SIGUSR2, &stack, NULL);
    alarm(seconds);
}
