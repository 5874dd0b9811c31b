/* Reports of a run: on the console, and as TAP, JUnit XML and JSON in files. Each is an observer of the
 * run, and knows nothing of the others. */
#ifndef NBDCONFORM_REPORT_H
#define NBDCONFORM_REPORT_H

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

#include "run/run.h"

typedef struct Report Report;

/* How the console is to look. */
typedef struct {
    FILE *out; /* outlives the report */
    bool live; /* OUT is a terminal: keep a line of progress, rewritten in place */
    bool colour;
    bool verbose;      /* print each case's transcript when it is done */
    const char *again; /* the command that plays the run's cases again, but for `--only ID -v`;
                          copied */
} ReportConsole;

/* A line for each verdict that is neither pass nor skip as it falls; at the end each finding with its
 * evidence, and a summary. */
Report *report_console_new(const ReportConsole *console);

typedef enum { REPORT_TAP, REPORT_JUNIT, REPORT_JSON } ReportFormat;

/* Writes the file PATH when the run ends, all of it or nothing. NULL and ERROR if it already shows that
 * this will not be possible. A JSON report also keeps PATH.journal while the run lasts: a line of JSON
 * for the run, and one for each verdict as it falls, for the case that the run never ends. */
Report *report_file_new(ReportFormat format, const char *path, GError **error);

/* What to hand to run_cases(). Owned by the report. */
const RunObserver *report_observer(const Report *report);

/* After the run: false and ERROR if the report could not be written. */
bool report_finish(Report *report, GError **error);

/* What to tell a user whose server has no export called NAME, the run's: one line. The caller frees it. */
char *report_missing_export(const RunSummary *summary, const char *name);

/* TEXT as one word of a shell's command line. The caller frees it. */
char *report_shell_word(const char *text);

void report_free(Report *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Report, report_free)

#endif
