/* A run: which cases, in which mode, when and beside which others; and what came of each. */
#ifndef NBDCONFORM_RUN_H
#define NBDCONFORM_RUN_H

#include <glib.h>
#include <stdbool.h>

#include "play/play.h"

typedef struct {
    const PlayCase *play_case;
    PlayResult *result;
} RunEntry;

typedef struct RunObserver RunObserver;

typedef struct {
    PlayMode mode;
    const char *target_name;  /* for messages */
    const WatchSpawn *spawn;  /* the server is started by the run, once for each job; or NULL. The
                                 mode's address is then of no account */
    pid_t pid;                /* the process of a server that runs already; 0: not known */
    GPtrArray *cases;         /* of PlayCase, in the catalogue's order */
    unsigned jobs;            /* 0: as many as is sensible */
    bool strict;              /* a broken SHOULD fails */
    const volatile int *stop; /* set to nonzero (by a signal) to end the run early; may be NULL */
    const RunObserver *const *observers; /* NULL-terminated; told of every verdict as it falls */
} RunOptions;

typedef struct {
    gint64 started_us; /* g_get_real_time() */
    unsigned duration_ms;
    uint64_t waited_ms; /* of tries that ended in silence, those side by side counted one by one */
    unsigned total;     /* cases chosen */
    unsigned count[VERDICT_COUNT];
    unsigned violations, robustness, no_answer, hints; /* by kind, among fails and warns */
    bool interrupted;
    PlayTarget target; /* what the probe learned */
    bool probed;
    unsigned no_export; /* cases that were skipped since the target has no export of that name; … */
    GPtrArray *listed; /* … if there are any: some of the names that it lists, of char *, or NULL */
    GPtrArray *entries;   /* of RunEntry, in the catalogue's order; those not played are absent. The
                             first may be "setup": what was found on the way to the tests. It belongs
                             to no scenario */
    PlayCase *setup_case; /* of that entry, or NULL */
} RunSummary;
void run_summary_free(RunSummary *summary);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RunSummary, run_summary_free)

/* Who wants to hear of a run. Called from one thread at a time. Any function may be NULL. */
struct RunObserver {
    void *self;
    void (*begin)(void *self, const RunOptions *options,
                  const RunSummary *summary); /* after probing */
    void (*started)(void *self, const PlayCase *play_case);
    void (*finished)(void *self, const RunEntry *entry, const RunSummary *so_far);
    void (*tick)(void *self, const RunSummary *so_far); /* some times a second, for progress */
    void (*end)(void *self, const RunOptions *options, const RunSummary *summary);
};

/* Probes the target and plays the cases. NULL and ERROR where the target cannot be reached (exit status
 * 125) or the harness fails. */
RunSummary *run_cases(const RunOptions *options, GError **error);

/* 0: conforming; 1: something failed; 2: harness errors; 125: nothing could be played, or nothing that needs an
 * export, since there is none of that name. */
int run_exit_status(const RunSummary *summary);

#endif
