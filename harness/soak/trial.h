/* One point on one server: cycles, measuring, and what to make of a server that fails. Private to soak. */
#ifndef NBDCONFORM_SOAK_TRIAL_H
#define NBDCONFORM_SOAK_TRIAL_H

#include "soak/growth.h"
#include "soak/soak.h"

/* ---- Servers ----------------------------------------------------------------------------------- */

/* A server under soak, with the cycle by which it is measured. */
typedef struct {
    const SoakOptions *options;
    Watched *watched; /* NULL: its processes are not known */
    bool ours;        /* we started it, and can start another */
    bool sanitized;   /* its memory is no measure */
    SoakTarget target;
    SoakTarget patient; /* the same, given more time */
    SoakCycle *control, *patient_control;
    unsigned usual_us; /* that a control cycle takes */
    unsigned restless; /* times in a row that it did not come to rest */
    size_t heard;      /* position in its output up to which we have listened */
    uint64_t cycles;   /* made on it, all together */
} SoakServer;

/* Starts one, or takes the one that runs, with the facts of TARGET; then some control cycles have to succeed.
 * NULL and ERROR if not. */
SoakServer *soak_server_new(const SoakOptions *options, const SoakTarget *target, GError **error);
void soak_server_free(SoakServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SoakServer, soak_server_free)

/* Learns the facts of the server at TARGET's address. */
bool soak_learn(SoakTarget *target, GError **error);

/* True if it has died, or dies within a moment, if it is asked because something went wrong. */
bool soak_server_died(SoakServer *server, bool suspicious);

/* Waits until it is at rest, and samples it. False if nothing can be seen. */
bool soak_server_rest(SoakServer *server, const WatchSample *like, WatchSample *sample);

/* What it said since the last time; NULL if there was no report of a sanitizer in that. */
char *soak_server_report(SoakServer *server);

/* Ends a server that is ours. What a sanitizer found fault with in the end, leaks above all, or how it crashed;
 * NULL: nothing. */
char *soak_server_stop(SoakServer *server);

/* ---- Trials ------------------------------------------------------------------------------------ */

typedef struct {
    SoakServer *server;
    SoakCycle *cycle;
    SoakFinding *finding;
    unsigned failures; /* cycles that could not be made, though others were served */
    unsigned cycle_us; /* that a cycle took while warming up */
    char *said;        /* by a server that saw no other point, when it was stopped; NULL */
    unsigned said_of;  /* cycles made on that */
} SoakTrial;

/* COUNT cycles of the point, or of the control. False if the trial is over: the finding has its verdict, or the
 * run was stopped. */
bool soak_trial_cycle(SoakTrial *trial, unsigned count);
bool soak_trial_control(SoakTrial *trial, unsigned count);

/* RESOURCE says something about this server. */
bool soak_measures(const SoakServer *server, SoakResource resource);
/* How much of RESOURCE there is in SAMPLE. */
double soak_held(const WatchSample *sample, SoakResource resource);
GrowthUnit soak_unit(SoakResource resource);

/* Screens the point on SERVER: sets verdict, growth, and what would have been seen. True if any resource looks
 * like growing; SLOPES are what it looks like, 0 for those that don't. */
bool soak_screen(SoakTrial *trial, unsigned cycles, double slopes[SOAK_RESOURCES]);

/* Behind some cycles: BEFORE is how it was before them. False if the trial is over: they have left behind what computes
 * without end, which is a leak that only a few cycles can be had of. */
bool soak_watch_runaways(SoakTrial *trial, const WatchSample *before);

/* Cycles through the point again, on a server that has seen no other. */
void soak_confirm(SoakTrial *trial, unsigned cycles, const double slopes[SOAK_RESOURCES]);

/* ---- Findings ---------------------------------------------------------------------------------- */

SoakFinding *soak_finding_new(const SoakPoint *point);
/* REASON is taken over. */
void soak_finding_settle(SoakFinding *finding, SoakVerdict verdict, char *reason);
/* SAID is what a server said when it was stopped after CYCLES. */
void soak_finding_said(SoakFinding *finding, const char *said, unsigned cycles);

#endif
