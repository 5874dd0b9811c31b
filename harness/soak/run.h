/* One soak, while it goes on. Private to soak. */
#ifndef NBDCONFORM_SOAK_RUN_H
#define NBDCONFORM_SOAK_RUN_H

#include "soak/trial.h"

typedef struct {
    const SoakOptions *options;
    SoakTarget target; /* with the facts that the first server showed */
    SoakSummary *summary;
    unsigned cycles, total; /* of each point; things to be done */
    GMutex mutex;           /* guards what follows, the summary, and the observer */
    unsigned next, done;
    SoakFinding **findings; /* TOTAL of them: the points, then the crowds; NULL where not played */
    bool gone;              /* the target has, and there will be no other */
} SoakRun;

bool soak_run_stopped(const SoakRun *run);

/* Takes over FINDING, which is that of number INDEX. */
void soak_run_file(SoakRun *run, unsigned index, SoakFinding *finding);
void soak_run_progress(SoakRun *run, const char *what);

/* The crowds, from number FIRST on, on SERVER. */
void soak_run_crowds(SoakRun *run, SoakServer *server, unsigned first);

/* All points, under memcheck, a server for each. */
void soak_run_memcheck(SoakRun *run);

#endif
