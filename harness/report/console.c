/* The console while the run lasts: progress, and each thing worth a line as it falls. What comes at the
 * end is in details.c and summary.c. */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "report/private.h"

typedef struct {
    Report report;
    Paper paper;
    char *again;
    bool live, verbose;
    char *current;       /* the case that was started last */
    bool has_status;     /* a status line stands on the terminal's last line */
    GHashTable *blocked; /* the steps whose first blocked case was shown */
} Console;

/* ---- The status line -------------------------------------------------------------------------- */

static void erase_status(Console *console)
{
    if (console->has_status)
        fputs("\r\033[K", console->paper.out);
    console->has_status = false;
}

static unsigned terminal_columns(FILE *out)
{
    struct winsize size;

    if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

/* Cut so that it never wraps: what has wrapped cannot be erased. */
static void draw_status(Console *console, const RunSummary *so_far)
{
    unsigned done = 0;

    if (!console->live)
        return;
    for (size_t i = 0; i < VERDICT_COUNT; i++)
        done += so_far->count[i];
    g_autoptr(GString) line = g_string_new(NULL);
    g_string_printf(line, "[%u/%u] %u failed", done, so_far->total, so_far->count[VERDICT_FAIL]);
    if (console->current != NULL)
        g_string_append_printf(line, "  %s", console->current);
    g_autofree char *shown = g_utf8_substring(
        line->str, 0,
        MIN(g_utf8_strlen(line->str, -1), (glong)terminal_columns(console->paper.out) - 1));

    erase_status(console);
    report_paint(&console->paper, PAINT_DIM, shown);
    console->has_status = true;
    fflush(console->paper.out);
}

/* ---- Observing -------------------------------------------------------------------------------- */

static void begin(void *self, const RunOptions *options, const RunSummary *summary)
{
    Console *console = self;
    g_autofree char *cases = report_count(summary->total, "case", "cases");
    g_autofree char *target = report_clean(options->target_name);

    fprintf(console->paper.out, "%s against %s\n", cases, target);
    const SessionFacts *facts = &summary->target.facts;
    if (options->mode.replies != REPLIES_SIMPLE && summary->target.entered && !facts->structured)
        fputs("The server refuses structured replies: the cases are played with simple ones.\n",
              console->paper.out);
    else if (options->mode.replies == REPLIES_EXTENDED && summary->target.entered &&
             !facts->extended)
        fputs(
            "The server refuses extended headers: the cases are played with structured replies.\n",
            console->paper.out);
    if (summary->target.insists_on_tls)
        fputs("The server insists on TLS: give --tls require, or most cases are skipped.\n",
              console->paper.out);
    draw_status(console, summary);
    fflush(console->paper.out);
}

static void started(void *self, const PlayCase *play_case)
{
    Console *console = self;

    if (console->live) {
        g_free(console->current);
        console->current = report_clean(play_case->id);
    }
}

static void print_transcript(Console *console, const PlayResult *result)
{
    g_autofree char *text = report_clean_lines(result->transcript);
    g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);

    for (char **line = lines; *line != NULL; line++)
        fprintf(console->paper.out, "    %s\n", *line);
}

/* A step that fails blocks many cases: the first of them is news, the summary counts the others. */
static bool is_news(Console *console, const PlayResult *result)
{
    switch (result->verdict) {
    case VERDICT_PASS:
    case VERDICT_SKIP:
        return false;
    case VERDICT_BLOCKED:
        return g_hash_table_add(
            console->blocked,
            g_strdup(result->blocked_by != NULL ? result->blocked_by : result->reason));
    default:
        return true;
    }
}

static void finished(void *self, const RunEntry *entry, const RunSummary *so_far)
{
    Console *console = self;

    if (is_news(console, entry->result) || console->verbose) {
        erase_status(console);
        report_print_verdict(&console->paper, entry);
        if (console->verbose)
            print_transcript(console, entry->result);
    }
    draw_status(console, so_far);
    fflush(console->paper.out);
}

static void tick(void *self, const RunSummary *so_far)
{
    draw_status(self, so_far);
}

static void end(void *self, const RunOptions *options, const RunSummary *summary)
{
    Console *console = self;

    (void)options;
    erase_status(console);
    report_print_details(&console->paper, summary);
    report_print_summary(&console->paper, summary);
    fflush(console->paper.out);
}

/* ---- Making and freeing ----------------------------------------------------------------------- */

/* Who reads the console has gone, or sees it: neither is a reason to end the run otherwise. */
static bool finish(Report *report, GError **error)
{
    (void)report;
    (void)error;
    return true;
}

static void console_free(Report *report)
{
    Console *console = (Console *)report;

    g_free(console->again);
    g_free(console->current);
    g_hash_table_destroy(console->blocked);
    g_free(console);
}

Report *report_console_new(const ReportConsole *options)
{
    Console *console = g_new0(Console, 1);

    console->report = (Report){
        .observer = {.self = console,
                     .begin = begin,
                     .started = started,
                     .finished = finished,
                     .tick = tick,
                     .end = end},
        .finish = finish,
        .free = console_free,
    };
    console->again = g_strdup(options->again);
    console->paper =
        (Paper){.out = options->out, .colour = options->colour, .again = console->again};
    console->live = options->live;
    console->verbose = options->verbose;
    console->blocked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return &console->report;
}
