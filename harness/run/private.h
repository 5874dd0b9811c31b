/* What the files of run/ share. */
#ifndef NBDCONFORM_RUN_PRIVATE_H
#define NBDCONFORM_RUN_PRIVATE_H

#include "run/run.h"
#include "watch/watch.h"

/* Exclusive parts of the export, lent to the cases that write. */
typedef struct RunRegions RunRegions;

/* Areas of at least SIZE bytes, each aligned to 64 KiB and to the preferred block size of FACTS. SPREAD of
 * them, or as many as fit, are lent in turn; more where these are not enough. */
RunRegions *run_regions_new(const SessionFacts *facts, uint64_t size, unsigned spread);
void run_regions_free(RunRegions *regions);

/* True if a case that wants SIZE bytes can have them at all. */
bool run_regions_fit(const RunRegions *regions, uint64_t size);

/* Takes an area, waiting until there is one, and gives it back. RESTLESS: writes to it may still be under way.
 * Such an area is only lent again where there is no other: what is read there proves little. */
uint64_t run_regions_take(RunRegions *regions, bool *restless);
void run_regions_give(RunRegions *regions, uint64_t region, bool restless);

/* ---- observers.c ------------------------------------------------------------------------------ */

void run_tell_begin(const RunOptions *options, const RunSummary *summary);
void run_tell_started(const RunOptions *options, const PlayCase *play_case);
void run_tell_tick(const RunOptions *options, const RunSummary *summary);
void run_tell_end(const RunOptions *options, const RunSummary *summary);

/* ---- summary.c -------------------------------------------------------------------------------- */

/* Files a verdict: counts it and tells the observers. Takes RESULT over. */
void run_file(const RunOptions *options, RunSummary *summary, const PlayCase *play_case,
              PlayResult *result);

/* Moves what RESULT has met on the way to the test to MET, an array of Finding. Where a finding is the first of
 * its kind, the case and the transcript stay with it. */
void run_meet(GPtrArray *met, const PlayCase *play_case, PlayResult *result);

/* The entry for what was found on the way to the tests: each breach once, and how many cases met it.
 * FINDINGS is an array of Finding that is taken apart. NULL if there is none. */
void run_file_setup(const RunOptions *options, RunSummary *summary, GPtrArray *findings);

RunSummary *run_summary_new(void);

/* A result without any play. REASON is taken over. */
PlayResult *run_result(Verdict verdict, char *reason);

/* ---- server.c --------------------------------------------------------------------------------- */

/* A server that the run starts, one for each job, or whose process it was told. */
typedef struct RunServer RunServer;

/* SPAWN must outlive it. */
RunServer *run_server_spawn(const WatchSpawn *spawn, GError **error);
RunServer *run_server_watch(pid_t pid, GError **error);
void run_server_free(RunServer *server);

/* Where it listens, and the process that cases may signal: NULL if it was not started by us. */
const TransportAddress *run_server_address(const RunServer *server);
Watched *run_server_process(const RunServer *server);

/* After a case: adds to RESULT what the process shows, an end, a report of a sanitizer, children that are not
 * reaped, and makes it doubtful then. False if the server can't be used for another case. */
bool run_server_inspect(RunServer *server, PlayResult *result);

/* "exited with status 1", once, if its process has ended; else NULL. The caller frees it. */
char *run_server_end(RunServer *server);

/* The end of what it printed; the caller frees it. */
char *run_server_said(const RunServer *server);

/* Whether FINDING, or any of RESULT's, is such as run_server_inspect() makes. */
bool run_server_saw(const Finding *finding);
bool run_server_saw_any(const PlayResult *result);

/* Starts another in place of it; one that was not started by us stays what it is. */
bool run_server_renew(RunServer *server, GError **error);

/* Ends it, waiting at most TIMEOUT_MS, and appends to FINDINGS what it had to say in the end. */
void run_server_close(RunServer *server, unsigned timeout_ms, GPtrArray *findings);

/* ---- job.c: one case at a time ---------------------------------------------------------------- */

/* So many times the usual time an answer gets when it is asked for once more. */
#define PATIENCE 2u

/* After so many cases in a row that did not get as far as their test, for silence or a refused
 * connection, the target is taken to be gone: waiting for it in each case left would take for ever. */
#define HOPELESS 8u
#define HOPELESS_ALONE 3u

/* One that has not even greeted the probe, or nobody since, is as good as gone: a case, tried twice, shows it. */
#define HOPELESS_UNREACHED 1u

/* After so many cases of a family that were silent when they were asked alone, too, the silence of the others
 * is believed: it is waited for once. */
#define SILENT_ENOUGH 2u

typedef struct {
    const PlayCase *play_case;
    PlayResult *result;
    bool done;
} Task;

typedef struct {
    const RunOptions *options;
    RunSummary *summary;
    RunRegions *regions;
    GArray *tasks;      /* of Task, in the catalogue's order */
    GArray *jobs;       /* of Job; the first also plays what is played alone */
    RunServer *process; /* the server's process, where --pid told it */
    GMutex mutex;       /* guards what follows, the summary, the observers and PROCESS */
    GCond changed;
    GPtrArray *setup;        /* of Finding: seen on the way, by all cases */
    guint next;              /* first task that no job has taken */
    unsigned running;        /* jobs */
    unsigned in_vain;        /* cases in a row that could not get in */
    bool hopeless;           /* it looks as if the target had gone */
    bool gone;               /* it has */
    const PlayCase *reached; /* the last case that found it there, or NULL … */
    bool beside;             /* … and there were others beside it */
    bool left;               /* the target has ended when the probe left it */
    GHashTable *silent;      /* family of cases → how many of them were silent in both tries */
    GMutex writer; /* where connections don't see each other's writes, one case writes at a time */
} Run;

/* A thread that plays cases, with the server that is its own where the run starts servers. */
typedef struct {
    Run *run;
    PlayMode mode;
    RunServer *server; /* or NULL */
} Job;

bool run_stopped(const Run *run);

/* A breach that belongs to no case, for the report's set-up. Takes MESSAGE over. The mutex is held. */
void run_note(Run *run, const char *requirement, char *message);

/* Lets JOB connect to its server, which has been started. */
void job_use_server(Job *job);

/* Plays the case of TASK, and files the verdict unless that is doubtful. */
void job_play(Job *job, Task *task);

/* Plays it once more, with patience and nobody else at its server, and files what then stands. */
void job_play_again(Job *job, Task *task);

#endif
