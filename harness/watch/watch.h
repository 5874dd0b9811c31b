/* The processes of a server under test: starting it, watching its whole tree, ending it.
 *
 * Between us and a server that we start stands a keeper, a process of our own that adopts whatever the
 * server leaves behind: servers that fork, or go into the background, stay in sight, and nothing outlives
 * the run, however that ends.
 */
#ifndef NBDCONFORM_WATCH_H
#define NBDCONFORM_WATCH_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "transport/transport.h"

#define WATCH_ERROR watch_error_quark()
GQuark watch_error_quark(void);
typedef enum {
    WATCH_ERROR_COMMAND, /* the command cannot be right: exit status 2 */
    WATCH_ERROR_START,   /* it could not be started, or never accepted: exit status 125 */
    WATCH_ERROR_PROCESS, /* no such process, or it may not be looked at: exit status 2 */
} WatchError;

/* ---- Starting and ending ---------------------------------------------------------------------- */

typedef struct {
    /* As the user gave it, split as a shell would (no shell runs). In it are replaced: {socket}, a path
     * in a private folder; {port}, a free TCP port; {uri}, an NBD URI of whichever of the two the command
     * names, or of the socket if it names neither; {dir}, the private folder. It has to name at least one
     * of socket, port and uri. */
    const char *command;
    const char *export_name; /* for {uri} */
    bool valgrind;           /* under memcheck, with --track-fds=yes and --trace-children=yes */
    unsigned ready_ms;       /* how long it may take to accept a connection */
} WatchSpawn;

/* A server's process tree. */
typedef struct Watched Watched;

/* Starts the server and waits until it accepts. On failure the error has the end of its output. */
Watched *watch_spawn(const WatchSpawn *spawn, GError **error);

/* Watches a process that runs already; it is never ended or signalled but by watch_signal(). */
Watched *watch_pid(pid_t pid, GError **error);

/* Ends what was started: SIGTERM, then, a second later, SIGKILL to whatever is left of the tree; removes the folder. */
void watch_free(Watched *watched);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Watched, watch_free)

/* SIGTERM, then waits at most TIMEOUT_MS until every process has gone, so that sanitizers and valgrind can
 * say what they have to. False if something had to be killed. What the server said can be read until
 * watch_free(). */
bool watch_stop(Watched *watched, unsigned timeout_ms);

/* Where it listens; NULL for one that was not started by us. Owned by WATCHED. */
const TransportAddress *watch_address(const Watched *watched);
/* As --target would have it: the socket's path, or 127.0.0.1:PORT; NULL as above. */
const char *watch_target(const Watched *watched);
/* The server's process: the one started, or, if that went into the background, the one that stayed. */
pid_t watch_main_pid(Watched *watched);

/* Sends signal NUMBER to the main process. */
bool watch_signal(Watched *watched, int number, GError **error);

/* ---- How it is ----------------------------------------------------------------------------------- */

typedef enum {
    WATCH_RUNS,
    WATCH_EXITED, /* by itself; the status is known for those that we started */
    WATCH_KILLED, /* by a signal */
} WatchState;

/* STATUS (may be NULL) becomes the exit status or the signal's number; -1: not known. Also WATCH_KILLED where
 * a process of the tree is known to have died of SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE or SIGSYS: always of
 * those that the keeper adopted, and, where watch_sees_hidden(), of those too that the server itself has waited
 * for; that is known some milliseconds later. */
WatchState watch_state(Watched *watched, int *status);

/* Where the kernel tells us of all processes: root, in the first PID and network namespaces. */
bool watch_sees_hidden(Watched *watched);

/* "was killed by signal 11 (Segmentation fault)", "exited with status 1", "runs"; the caller frees it. */
char *watch_describe(Watched *watched);

/* Position in the server's output (stdout and stderr together), for watch_output(). */
size_t watch_output_position(Watched *watched);
/* What it printed since FROM, of that the last MOST bytes; the caller frees it. "" for a process that was
 * not started by us. Never more than a bounded amount is kept: the beginning and the end. */
char *watch_output(Watched *watched, size_t from, size_t most);

/* What valgrind has written so far, all processes' logs one after another; the caller frees it. NULL where it
 * does not run under valgrind. The leaks are there only after watch_stop(). */
char *watch_valgrind_log(const Watched *watched);

/* The report of a sanitizer (ASan, UBSan, LSan, TSan) or of valgrind (an error, a definite leak), or an
 * assertion's message, in TEXT: from its first line on, at most 40 lines. NULL if there is none. */
char *watch_find_report(const char *text);

/* ---- What it holds ------------------------------------------------------------------------------- */

typedef enum { FD_SOCKET, FD_PIPE, FD_FILE, FD_ANON, FD_OTHER, FD_KINDS } WatchFdKind;
const char *watch_fd_kind_name(WatchFdKind kind);

/* Sums over the tree. */
typedef struct {
    unsigned fds[FD_KINDS];
    uint64_t
        private_bytes; /* pages that no file backs, swapped ones too; shared ones counted once */
    unsigned threads;
    unsigned processes; /* zombies not counted */
    unsigned zombies;
    uint64_t
        cpu_ns; /* processor time so far of those that live: it stands still when nothing happens */
    uint64_t listen_overflows; /* of the network namespace, since boot */
} WatchSample;

unsigned watch_sample_fds(const WatchSample *sample);

/* False if no process is left. */
bool watch_sample(Watched *watched, WatchSample *sample);

/* A sanitizer with shadow memory runs in it (ASan, MSan, TSan): what is freed there is kept, or marked, for a
 * while, so that memory that grows shows nothing. */
bool watch_sanitized(Watched *watched);

/* Bytes of garbage that the processes may hold before their runtime collects it: what grows less than that need not
 * be a leak. 0: none has such a runtime; INFINITY: nobody knows how much. RUNTIME becomes its name, or NULL. */
double watch_garbage(Watched *watched, const char **runtime);

/* Waits until the tree is at rest: no processor time used and all counts the same in several looks in a row.
 * LIKE, if not NULL, is how it was before: counts that are as low as those need fewer looks. At most TIMEOUT_MS;
 * false if it did not come to rest, or is gone. SAMPLE is the last look in any case. */
bool watch_settle(Watched *watched, const WatchSample *like, unsigned timeout_ms,
                  WatchSample *sample);

#endif
