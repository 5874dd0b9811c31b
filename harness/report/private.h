/* What the reports share. Private to report/. */
#ifndef NBDCONFORM_REPORT_PRIVATE_H
#define NBDCONFORM_REPORT_PRIVATE_H

#include <jansson.h>

#include "report/report.h"
#include "scenario/catalogue.h"

struct Report {
    RunObserver observer;
    bool (*finish)(Report *report, GError **error);
    void (*free)(Report *report);
};

/* ---- Text ------------------------------------------------------------------------------------- */

/* Peers choose some of what reports say. Both give valid UTF-8 without control characters, which are
 * written as \xHH: neither a terminal nor an XML parser takes them for commands. The first is one line,
 * the second keeps line breaks and tabs. NULL gives "". The caller frees it. */
char *report_clean(const char *text);
char *report_clean_lines(const char *text);

/* The last COUNT lines of TEXT; *CUT says how many were left out. Points into TEXT. */
const char *report_tail(const char *text, unsigned count, unsigned *cut);

/* Offset, hex and ASCII of the message whose head is BYTES, and whose length is SIZE; at most LIMIT
 * bytes, each line after INDENT. The caller frees it. */
char *report_hexdump(GBytes *bytes, uint64_t size, size_t limit, const char *indent);

/* "PASS", … and "HINT" for a warning that is one. */
const char *report_word(const PlayResult *result);

/* The gravest of RESULT's findings, which made the verdict, or NULL where there is none. */
const Finding *report_cause(const PlayResult *result);

/* "1 case", "2 cases". The caller frees it. */
char *report_count(unsigned count, const char *one, const char *many);

/* "cases/x.case:7", where the finding (or NULL) shows; for what was found on the way to the cases, that.
 * The caller frees it. */
char *report_place(const PlayCase *play_case, const Finding *finding);

/* ---- The console ------------------------------------------------------------------------------ */

typedef enum { PAINT_PLAIN, PAINT_GOOD, PAINT_BAD, PAINT_DOUBT, PAINT_DIM, PAINT_BOLD } Paint;

/* Where the console writes, and how. */
typedef struct {
    FILE *out;
    bool colour;
    const char *again; /* or NULL */
} Paper;

/* TEXT in a colour, if there are any. */
void report_paint(const Paper *paper, Paint paint, const char *text);
Paint report_paint_of(const PlayResult *result);

/* "FAIL id: reason" on one line. */
void report_print_verdict(const Paper *paper, const RunEntry *entry);

/* Warnings, hints, errors and failures with their evidence, then what was blocked. */
void report_print_details(const Paper *paper, const RunSummary *summary);

/* Skips by reason, and the closing line. */
void report_print_summary(const Paper *paper, const RunSummary *summary);

/* "312 cases: 287 passed, …". The caller frees it. */
char *report_closing_line(const RunSummary *summary);

/* ---- Files ------------------------------------------------------------------------------------ */

/* The whole documents. The caller frees them. */
char *report_tap_text(const RunOptions *options, const RunSummary *summary);
char *report_junit_text(const RunOptions *options, const RunSummary *summary);
char *report_json_text(const RunOptions *options, const RunSummary *summary);

/* A JSON document's members that say what the run is, and the element of one case. New references. */
json_t *report_json_head(const RunOptions *options, const RunSummary *summary);
json_t *report_json_case(const RunEntry *entry);

/* The start of the run, as ISO 8601 in UTC. The caller frees it. */
char *report_time(const RunSummary *summary);

#endif
