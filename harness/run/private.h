/* What the files of run/ share. */
#ifndef NBDCONFORM_RUN_PRIVATE_H
#define NBDCONFORM_RUN_PRIVATE_H

#include "run/run.h"

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

/* Files a verdict: counts it and tells the observers. Takes RESULT over. */
void run_file(const RunOptions *options, RunSummary *summary, const PlayCase *play_case,
              PlayResult *result);

/* The entry for what was found on the way to the tests: each breach once, however many cases met it.
 * FINDINGS is an array of Finding that is taken apart. NULL if there is none. */
void run_file_setup(const RunOptions *options, RunSummary *summary, GPtrArray *findings);

RunSummary *run_summary_new(void);

/* A result without any play. REASON is taken over. */
PlayResult *run_result(Verdict verdict, char *reason);

#endif
