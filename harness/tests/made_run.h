/* Runs made by hand, for tests of what is made of them. */
#ifndef NBDCONFORM_TESTS_MADE_RUN_H
#define NBDCONFORM_TESTS_MADE_RUN_H

#include "run/run.h"

typedef struct {
    RunOptions options;
    RunSummary summary;
} MadeRun;

MadeRun *made_run_new(void);
void made_run_free(MadeRun *run);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MadeRun, made_run_free)

/* Adds a case, and counts it. The entry belongs to the run. */
RunEntry *made_run_add(MadeRun *run, const char *id, Verdict verdict, VerdictKind kind,
                       const char *reason);

/* Adds a case that broke the requirement test.must, with all the evidence that there can be. */
RunEntry *made_run_fail(MadeRun *run, const char *id, const char *message);

/* Adds what the entry's case has measured. VALUE is NAN where it could not be told. */
void made_run_measure(RunEntry *entry, const char *name, const char *text, double value);

/* Takes the entry's case away: it was found on the way to the cases. */
void made_run_set_on_the_way(RunEntry *entry);

/* One case of each verdict. */
MadeRun *made_run_mixed(void);

/* A peer has sent what is meant to break reports. */
MadeRun *made_run_hostile(void);

#endif
