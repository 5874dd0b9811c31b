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
    /* The points, then the crowds, TOTAL of them, then what was said at the end; NULL where not played. */
    SoakFinding **findings;
    bool gone; /* the target has, and there will be no other */

    GMutex stopping;     /* guards the rest */
    char *said;          /* by the first server that complained when it was stopped; NULL */
    char *ordinary;      /* by one that saw ordinary connections only; NULL */
    bool ordinary_known; /* there was such a one */
} SoakRun;

bool soak_run_stopped(const SoakRun *run);

/* Takes over FINDING, which is that of number INDEX. */
void soak_run_file(SoakRun *run, unsigned index, SoakFinding *finding);
void soak_run_progress(SoakRun *run, const char *what);

/* The crowds, from number FIRST on, on SERVER. */
void soak_run_crowds(SoakRun *run, SoakServer *server, unsigned first);

/* Ends and frees SERVER, and keeps what it says of that. */
void soak_run_stop(SoakRun *run, SoakServer *server);

/* What the server that saw only TRIAL's point said in the end becomes part of its finding. */
void soak_run_judge_said(SoakRun *run, SoakTrial *trial);

/* Finds out what the servers that saw several points complained about; what no point explains is the finding
 * of number INDEX. */
void soak_run_tell_stops(SoakRun *run, unsigned index);

/* All points, under memcheck, a server for each. */
void soak_run_memcheck(SoakRun *run);

#endif
