/* Reports of a soak: on the console, and as JSON; and what an earlier report knew already. */
#ifndef NBDCONFORM_REPORT_SOAK_H
#define NBDCONFORM_REPORT_SOAK_H

#include "report/report.h"
#include "soak/soak.h"

/* ---- Baselines --------------------------------------------------------------------------------- */

/* What an earlier soak found. */
typedef struct SoakBaseline SoakBaseline;

/* Reads the JSON report PATH. NULL and ERROR if it is none of a soak's. */
SoakBaseline *soak_baseline_load(const char *path, GError **error);
/* Which soaks it can be compared with: those inside of TLS, or plain ones; any where BASELINE is NULL. */
SoakMode soak_baseline_mode(const SoakBaseline *baseline);
void soak_baseline_free(SoakBaseline *baseline);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SoakBaseline, soak_baseline_free)

/* True if BASELINE (may be NULL) has FINDING, too, and where it leaks, no more slowly by far. */
bool soak_baseline_knows(const SoakBaseline *baseline, const SoakFinding *finding);

/* How many of SUMMARY's findings are faults that BASELINE (may be NULL) does not know. */
unsigned soak_baseline_new_faults(const SoakBaseline *baseline, const SoakSummary *summary);

/* Names of the points that had a fault once and now are clean. The caller frees it. */
GPtrArray *soak_baseline_cured(const SoakBaseline *baseline, const SoakSummary *summary);

/* ---- Reports ----------------------------------------------------------------------------------- */

/* The member of a point that has RESOURCE's growth: "fd_per_cycle". */
const char *report_soak_member(SoakResource resource);

/* The whole document. The caller frees it. */
char *report_soak_json(const SoakSummary *summary, const char *target_name,
                       const SoakBaseline *baseline);

typedef struct ReportSoak ReportSoak;

/* A line for each finding that is not clean as it falls. CONSOLE's `again` is the command of this soak but for
 * its points and crowds, and WHAT the words for those (NULL: none; copied). BASELINE may be NULL. */
ReportSoak *report_soak_new(const ReportConsole *console, const char *what,
                            const SoakBaseline *baseline);
void report_soak_free(ReportSoak *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ReportSoak, report_soak_free)
const SoakObserver *report_soak_observer(const ReportSoak *report);

/* The summary, when all is over. */
void report_soak_end(ReportSoak *report, const SoakSummary *summary);

#endif
