/* The console of a soak. */
#include <math.h>
#include <string.h>

#include "report/private.h"
#include "report/soak.h"

#define MOST_DETAILS 40u

struct ReportSoak {
    SoakObserver observer;
    Paper paper;
    char *again, *what;
    bool live, verbose;
    const SoakBaseline *baseline;
    gint64 shown_us; /* when the line of progress was written last */
};

/* ---- Progress ---------------------------------------------------------------------------------- */

#define PROGRESS_US (G_USEC_PER_SEC / 10)

static void clear_line(const ReportSoak *report)
{
    if (report->live)
        fputs("\r\033[K", report->paper.out);
}

static void progress(void *self, const char *what, unsigned done, unsigned total)
{
    ReportSoak *report = self;
    gint64 now_us = g_get_monotonic_time();

    if (!report->live || now_us - report->shown_us < PROGRESS_US)
        return;
    report->shown_us = now_us;
    fprintf(report->paper.out, "\r\033[K[%u/%u] %s", done, total, what);
    fflush(report->paper.out);
}

/* ---- Findings ---------------------------------------------------------------------------------- */

static void print_details(const ReportSoak *report, const SoakFinding *finding)
{
    if (finding->details == NULL || finding->details[0] == '\0')
        return;
    g_autofree char *clean = report_clean_lines(finding->details);
    unsigned cut;
    /* What a server says last is what it died of. */
    const char *tail = report_tail(g_strchomp(clean), MOST_DETAILS, &cut);
    g_auto(GStrv) lines = g_strsplit(tail, "\n", -1);
    if (cut > 0)
        fprintf(report->paper.out, "    … %u more lines\n", cut);
    for (unsigned i = 0; lines[i] != NULL; i++)
        fprintf(report->paper.out, "    %s\n", lines[i]);
}

/* "+1.00 fd per cycle at x/reset (socket)", or "x/reset: the server …". The caller frees it. */
static char *sentence(const SoakFinding *finding)
{
    g_autofree char *leaks = soak_finding_leaks(finding);
    g_autofree char *name = soak_finding_name(finding);

    if (finding->reason == NULL)
        return leaks != NULL ? g_steal_pointer(&leaks) : g_steal_pointer(&name);
    g_autofree char *reason = report_clean_lines(finding->reason);
    return leaks != NULL ? g_strdup_printf("%s; %s", leaks, reason)
                         : g_strdup_printf("%s: %s", name, reason);
}

static void print_repeat(const ReportSoak *report, const SoakFinding *finding)
{
    const SoakPoint *point = finding->at_stop != NULL ? &finding->repeat : &finding->point;

    if (report->paper.again == NULL)
        return;
    if (g_strcmp0(finding->at_stop, "together") == 0) {
        fprintf(report->paper.out, "    repeat: %s%s\n", report->paper.again, report->what);
    } else if (point->phase != NULL) {
        g_autofree char *name = soak_point_name(point);
        fprintf(report->paper.out, "    repeat: %s --points %s\n", report->paper.again, name);
    }
}

static void print_finding(const ReportSoak *report, const SoakFinding *finding)
{
    static const char *const words[] = {[SOAK_CLEAN] = "clean   ",
                                        [SOAK_LEAKS] = "LEAK    ",
                                        [SOAK_CRASHED] = "CRASH   ",
                                        [SOAK_UNSERVED] = "UNSERVED",
                                        [SOAK_SKIPPED] = "skip    "};
    bool fault = finding->verdict != SOAK_CLEAN && finding->verdict != SOAK_SKIPPED;
    bool known = fault && soak_baseline_knows(report->baseline, finding);
    g_autofree char *said = sentence(finding);

    report_paint(&report->paper,
                 !fault  ? PAINT_DIM
                 : known ? PAINT_DOUBT
                         : PAINT_BAD,
                 words[finding->verdict]);
    fprintf(report->paper.out, " %s%s\n", said, known ? " (known)" : "");
    if (!fault)
        return;
    print_details(report, finding);
    print_repeat(report, finding);
}

static void found(void *self, const SoakFinding *finding)
{
    ReportSoak *report = self;
    bool fault = finding->verdict != SOAK_CLEAN && finding->verdict != SOAK_SKIPPED;

    if (!fault && !report->verbose)
        return;
    clear_line(report);
    print_finding(report, finding);
    fflush(report->paper.out);
}

/* ---- The end ----------------------------------------------------------------------------------- */

static int by_count(gconstpointer a, gconstpointer b, gpointer counts)
{
    return GPOINTER_TO_INT(g_hash_table_lookup(counts, b)) -
           GPOINTER_TO_INT(g_hash_table_lookup(counts, a));
}

/* Each reason once, the most frequent first. */
static void print_skips(const ReportSoak *report, const SoakSummary *summary)
{
    g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < summary->findings->len; i++) {
        const SoakFinding *finding = summary->findings->pdata[i];
        if (finding->verdict == SOAK_SKIPPED && finding->reason != NULL)
            g_hash_table_insert(
                counts, finding->reason,
                GINT_TO_POINTER(GPOINTER_TO_INT(g_hash_table_lookup(counts, finding->reason)) + 1));
    }
    g_autoptr(GList) reasons =
        g_list_sort_with_data(g_hash_table_get_keys(counts), by_count, counts);
    for (const GList *each = reasons; each != NULL; each = each->next) {
        g_autofree char *reason = report_clean(each->data);
        fprintf(report->paper.out, "skipped %3d: %s\n",
                GPOINTER_TO_INT(g_hash_table_lookup(counts, each->data)), reason);
    }
}

/* The worst of the points that were found clean. */
static void print_detectable(const ReportSoak *report, const SoakSummary *summary)
{
    double least[SOAK_RESOURCES] = {0};

    for (guint i = 0; i < summary->findings->len; i++) {
        const SoakFinding *finding = summary->findings->pdata[i];
        for (unsigned k = 0; k < SOAK_RESOURCES && finding->verdict == SOAK_CLEAN; k++)
            least[k] = fmax(least[k], finding->detectable[k]);
    }
    if (!summary->measured) {
        fprintf(report->paper.out, "The server's processes are not known (--spawn, --pid), so "
                                   "nothing was measured: only that it serves.\n");
        return;
    }
    if (least[SOAK_FD] > 0 && isfinite(least[SOAK_FD]))
        fprintf(
            report->paper.out,
            "The smallest leak that no clean point could have hidden: one descriptor, thread or "
            "child in %.0f cycles",
            floor(1 / least[SOAK_FD]));
    if (least[SOAK_FD] > 0 && isfinite(least[SOAK_FD]) && isfinite(least[SOAK_MEMORY]))
        fprintf(report->paper.out, ", or %.0f bytes a cycle", ceil(least[SOAK_MEMORY]));
    if (least[SOAK_FD] > 0 && isfinite(least[SOAK_FD]))
        fputs(".\n", report->paper.out);
}

static void print_baseline(const ReportSoak *report, const SoakSummary *summary)
{
    if (report->baseline == NULL)
        return;
    g_autoptr(GPtrArray) cured = soak_baseline_cured(report->baseline, summary);
    for (guint i = 0; i < cured->len; i++)
        fprintf(report->paper.out, "no longer: %s\n", (char *)cured->pdata[i]);
    fprintf(report->paper.out, "%u new since the baseline\n",
            soak_baseline_new_faults(report->baseline, summary));
}

void report_soak_end(ReportSoak *report, const SoakSummary *summary)
{
    const unsigned *count = summary->count;
    unsigned faults = count[SOAK_LEAKS] + count[SOAK_CRASHED] + count[SOAK_UNSERVED];

    clear_line(report);
    print_skips(report, summary);
    print_detectable(report, summary);
    print_baseline(report, summary);
    if (summary->note != NULL) {
        g_autofree char *note = report_clean_lines(summary->note);
        fprintf(report->paper.out, "%s\n", note);
    }
    g_autofree char *closing =
        g_strdup_printf("%u points: %u clean, %u leak, %u crash, %u unserved, %u skipped",
                        summary->findings->len, count[SOAK_CLEAN], count[SOAK_LEAKS],
                        count[SOAK_CRASHED], count[SOAK_UNSERVED], count[SOAK_SKIPPED]);
    report_paint(&report->paper, faults > 0 ? PAINT_BAD : PAINT_GOOD, closing);
    fprintf(report->paper.out, "; %" G_GUINT64_FORMAT " reconnects in %.1f s%s\n", summary->cycles,
            summary->duration_ms / 1000.0, summary->interrupted ? ", interrupted" : "");
    fflush(report->paper.out);
}

/* ---- Making it --------------------------------------------------------------------------------- */

ReportSoak *report_soak_new(const ReportConsole *console, const char *what,
                            const SoakBaseline *baseline)
{
    ReportSoak *report = g_new0(ReportSoak, 1);

    report->observer = (SoakObserver){.self = report, .progress = progress, .found = found};
    report->again = g_strdup(console->again);
    report->what = g_strdup(what != NULL ? what : "");
    report->paper = (Paper){.out = console->out, .colour = console->colour, .again = report->again};
    report->live = console->live;
    report->verbose = console->verbose;
    report->baseline = baseline;
    return report;
}

void report_soak_free(ReportSoak *report)
{
    if (report == NULL)
        return;
    g_free(report->again);
    g_free(report->what);
    g_free(report);
}

const SoakObserver *report_soak_observer(const ReportSoak *report)
{
    return &report->observer;
}
