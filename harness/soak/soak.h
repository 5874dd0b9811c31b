/* Soak: thousands of reconnects through every point, and what the server keeps of each.
 *
 * Screen, then confirm: every point is cycled through briefly; what looks like growth is cycled through on a
 * fresh process, N, 2N and 4N times, between control cycles that end cleanly. A count has to grow in proportion,
 * memory beyond a floor and without flattening. doc: soak.md beside this file.
 */
#ifndef NBDCONFORM_SOAK_H
#define NBDCONFORM_SOAK_H

#include "soak/crowd.h"
#include "soak/point.h"
#include "watch/watch.h"

#define SOAK_DEFAULT_CYCLES 128u

typedef enum {
    SOAK_FD,
    SOAK_MEMORY,
    SOAK_THREAD,
    SOAK_CHILD,
    SOAK_ZOMBIE,
    SOAK_RESOURCES
} SoakResource;
/* "fd", "memory", "thread", "child", "zombie" */
const char *soak_resource_name(SoakResource resource);

typedef enum {
    SOAK_CLEAN,
    SOAK_LEAKS,
    SOAK_CRASHED,  /* the server died */
    SOAK_UNSERVED, /* a fresh connection was not served afterwards, or no longer during the cycles */
    SOAK_SKIPPED,
    SOAK_VERDICTS
} SoakVerdict;
/* "clean", "leak", "crash", "unserved", "skip" */
const char *soak_verdict_name(SoakVerdict verdict);

/* What one point showed. */
typedef struct {
    SoakPoint point; /* phase NULL: a crowd, or what was said at the end */
    CrowdKind crowd;
    /* Not NULL: what servers said when they were stopped, and no point by itself brings about. "ordinary":
     * connections that do nothing out of the ordinary do; "together": only the whole soak does. */
    const char *at_stop;
    SoakPoint repeat; /* any of the points, to repeat what is "ordinary" */
    SoakVerdict verdict;
    unsigned cycles;                   /* made in all */
    double per_cycle[SOAK_RESOURCES];  /* growth; memory in bytes */
    double detectable[SOAK_RESOURCES]; /* the smallest growth that would have been seen here */
    bool leaks[SOAK_RESOURCES];
    bool confirmed;      /* looked like growth, and was cycled through again */
    bool runs_away;      /* what leaks computes without end */
    WatchFdKind fd_kind; /* the kind that grew most */
    char *
        reason; /* one line: of a skip, of what is wrong, or of what a clean point left open; NULL */
    char *details; /* the server's output, a sanitizer's or valgrind's report; NULL */
} SoakFinding;
void soak_finding_free(SoakFinding *finding);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SoakFinding, soak_finding_free)

/* "inside-option-header/reset", "crowd/connected", or "stop/ordinary"; the caller frees it. */
char *soak_finding_name(const SoakFinding *finding);

/* "+1.00 fd per cycle at inside-option-header/reset (socket)", all that leaks joined by commas; NULL where
 * nothing does. The caller frees it. */
char *soak_finding_leaks(const SoakFinding *finding);

/* Who wants to hear of a soak. Called from one thread at a time. */
typedef struct {
    void *self;
    void (*progress)(void *self, const char *what, unsigned done, unsigned total);
    void (*found)(void *self, const SoakFinding *finding);
} SoakObserver;

/* Points of the one kind are not those of the other, though they share their names. */
typedef enum { SOAK_ANY_MODE, SOAK_PLAIN, SOAK_IN_TLS } SoakMode;

typedef struct {
    const WatchSpawn *spawn; /* the server is started by us, as often as needed; or NULL: */
    SoakTarget target; /* one that runs already (with spawn: address and facts are filled in) */
    pid_t pid;         /* its process, 0: unknown, so that nothing can be measured */
    GPtrArray *points; /* of SoakPoint */
    unsigned crowd;    /* connections of each crowd; 0: no crowds */
    unsigned cycles;   /* of each point's screening; 0: default */
    unsigned
        parallel; /* points screened at once, each on a server of its own, so that only one that
                          is started by us can have more than one; 0: one */
    SoakMode
        mode; /* the one that is wanted: if it turns out to be the other, that is an error of usage */
    bool valgrind; /* each phase's points once, under memcheck, instead of all else */
    const volatile int *stop;
    const SoakObserver *observer; /* may be NULL */
} SoakOptions;

typedef struct {
    GPtrArray *findings; /* of SoakFinding, in the points' order */
    unsigned count[SOAK_VERDICTS];
    gint64 started_us; /* g_get_real_time() */
    uint64_t cycles;   /* made in all, control cycles included */
    double cycles_per_second;
    unsigned duration_ms;
    bool measured; /* processes could be watched */
    bool tls;      /* connections were inside of TLS */
    bool interrupted;
    char *note; /* lines on what the run could not do; NULL */
} SoakSummary;
void soak_summary_free(SoakSummary *summary);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SoakSummary, soak_summary_free)

/* What does not keep up with the server is left to others: it is not judged what it says, only what it keeps.
 * NULL and ERROR where the server cannot be started or reached, or the harness fails. */
SoakSummary *soak_run(const SoakOptions *options, GError **error);

/* 0, 1, or 125 where no point could be played. */
int soak_exit_status(const SoakSummary *summary);

#endif
