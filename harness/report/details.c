/* Each finding with its evidence: what is asked, what was expected, what came, how to see it again. */
#include <string.h>

#include "report/private.h"

#define TRANSCRIPT_LINES 16
#define DUMP_BYTES 128

/* A breach that more cases show than these is printed once. */
#define FULL_BLOCKS 3
#define SHORT_BLOCKS 1

/* How many of the others are named. */
#define NAMED 5

/* ---- Colours ---------------------------------------------------------------------------------- */

void report_paint(const Paper *paper, Paint paint, const char *text)
{
    static const char *const codes[] = {
        [PAINT_PLAIN] = "",         [PAINT_GOOD] = "\033[32m", [PAINT_BAD] = "\033[1;31m",
        [PAINT_DOUBT] = "\033[33m", [PAINT_DIM] = "\033[2m",   [PAINT_BOLD] = "\033[1m",
    };

    if (paper->colour && paint != PAINT_PLAIN)
        fprintf(paper->out, "%s%s\033[0m", codes[paint], text);
    else
        fputs(text, paper->out);
}

Paint report_paint_of(const PlayResult *result)
{
    switch (result->verdict) {
    case VERDICT_PASS:
        return PAINT_GOOD;
    case VERDICT_FAIL:
    case VERDICT_ERROR:
        return PAINT_BAD;
    case VERDICT_WARN:
    case VERDICT_BLOCKED:
        return PAINT_DOUBT;
    default:
        return PAINT_DIM;
    }
}

/* ---- One case --------------------------------------------------------------------------------- */

/* NAME in a column of its own, then TEXT, cleaned; nothing for NULL. */
static void print_field(const Paper *paper, const char *name, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    g_autofree char *shown = report_clean(text);
    fprintf(paper->out, "  %-13s%s\n", name, shown);
}

void report_print_verdict(const Paper *paper, const RunEntry *entry)
{
    g_autofree char *id = report_clean(entry->play_case->id);
    g_autofree char *reason = report_clean(entry->result->reason);

    report_paint(paper, report_paint_of(entry->result), report_word(entry->result));
    fprintf(paper->out, " %s%s%s\n", id, reason[0] != '\0' ? ": " : "", reason);
}

static void print_heading(const Paper *paper, const RunEntry *entry)
{
    g_autofree char *id = report_clean(entry->play_case->id);
    g_autofree char *title = report_clean(entry->play_case->title);

    fputc('\n', paper->out);
    report_paint(paper, report_paint_of(entry->result), report_word(entry->result));
    fputc(' ', paper->out);
    report_paint(paper, PAINT_BOLD, id);
    fprintf(paper->out, ": %s\n", title);
}

static void print_requirement(const Paper *paper, const Finding *finding)
{
    const Requirement *requirement = finding->requirement;

    if (requirement == NULL)
        return;
    g_autofree char *link = requirement_link(requirement);
    fprintf(paper->out, "  %-13s%s (%s, %s)\n", "requirement", requirement->id,
            requirement_level_name(requirement->level),
            finding->by == SIDE_SERVER ? "server" : "client");
    print_field(paper, "", requirement->summary);
    print_field(paper, "", link);
}

static void print_evidence(const Paper *paper, const Finding *finding)
{
    print_field(paper, "finding", finding->message);
    print_field(paper, "expected", finding->expected);
    print_field(paper, "got", finding->got);
    if (finding->bytes == NULL || g_bytes_get_size(finding->bytes) == 0)
        return;
    g_autofree char *dump =
        report_hexdump(finding->bytes, finding->size, DUMP_BYTES, "               ");
    fprintf(paper->out, "  %-13s%" G_GUINT64_FORMAT " bytes\n%s", "message", finding->size, dump);
}

static void print_transcript_tail(const Paper *paper, const char *transcript)
{
    unsigned cut;

    if (transcript == NULL || transcript[0] == '\0')
        return;
    g_autofree char *text = report_clean_lines(transcript);
    const char *tail = report_tail(g_strchomp(text), TRANSCRIPT_LINES, &cut);
    g_auto(GStrv) lines = g_strsplit(tail, "\n", -1);

    fprintf(paper->out, "  %s\n", cut > 0 ? "transcript, its last lines" : "transcript");
    for (char **line = lines; *line != NULL; line++)
        fprintf(paper->out, "    %s\n", *line);
}

/* ID is a case's; NULL where none shows it by itself. */
static void print_again(const Paper *paper, const char *id)
{
    if (paper->again == NULL)
        return;
    g_autofree char *word = id != NULL ? report_shell_word(id) : NULL;
    g_autofree char *command = g_strdup_printf(
        "%s%s%s -v", paper->again, id != NULL ? " --only " : "", id != NULL ? word : "");
    print_field(paper, "again with", command);
}

static void print_place(const Paper *paper, const RunEntry *entry, const Finding *finding)
{
    g_autofree char *place = report_place(entry->play_case, finding);

    print_field(paper, "case", place);
}

/* What was met on the way to the cases shows again in the one that met it first. */
static void print_finding(const Paper *paper, const RunEntry *entry, const Finding *finding,
                          bool full)
{
    print_requirement(paper, finding);
    if (full)
        print_evidence(paper, finding);
    else
        print_field(paper, "finding", finding->message);
    print_place(paper, entry, finding);
    if (full)
        print_transcript_tail(paper, finding->transcript);
    if (finding->met_in != NULL)
        print_again(paper, finding->met_in);
}

/* A warning needs no transcript: the command shows it. */
static void print_case(const Paper *paper, const RunEntry *entry, bool full)
{
    const GPtrArray *findings = entry->result->findings;
    unsigned count = findings == NULL ? 0 : findings->len;
    bool told = count > 0; /* how to see each again */

    print_heading(paper, entry);
    if (count == 0)
        print_field(paper, "finding", entry->result->reason);
    for (unsigned i = 0; i < count; i++) {
        const Finding *finding = g_ptr_array_index(findings, i);
        print_finding(paper, entry, finding, full);
        told = told && finding->met_in != NULL;
    }
    if (count == 0)
        print_place(paper, entry, NULL);
    if (full)
        print_transcript_tail(paper, entry->result->transcript);
    if (!told)
        print_again(paper, entry->play_case->scenario != NULL ? entry->play_case->id : NULL);
}

/* ---- Cases that show the same ------------------------------------------------------------------ */

/* TEXT with every number replaced: what differs only there is the same finding. */
static void append_shape(GString *key, const char *text)
{
    for (const char *at = text; at != NULL && *at != '\0'; at++) {
        if (!g_ascii_isdigit(*at)) {
            g_string_append_c(key, *at);
            continue;
        }
        while (g_ascii_isxdigit(at[1]) || at[1] == 'x')
            at++;
        g_string_append_c(key, '#');
    }
}

static char *group_key(const PlayResult *result)
{
    const Finding *finding = report_cause(result);
    GString *key = g_string_new(NULL);

    if (finding != NULL) {
        g_string_printf(key, "%s:", finding->requirement != NULL ? finding->requirement->id : "");
        append_shape(key, finding->message);
    } else {
        append_shape(key, result->reason);
    }
    return g_string_free(key, FALSE);
}

/* Where in GROUP the case stands that tells most: the first that is about what was broken, or else the first. */
static unsigned exemplar(const GPtrArray *group)
{
    for (unsigned i = 0; i < group->len; i++) {
        const RunEntry *entry = g_ptr_array_index(group, i);
        const Finding *cause = report_cause(entry->result);
        if (cause != NULL &&
            g_ptr_array_find(entry->play_case->requirements, cause->requirement, NULL))
            return i;
    }
    return 0;
}

/* Those of GROUP but the one that is SHOWN. */
static void print_others(const Paper *paper, const GPtrArray *group, unsigned shown)
{
    g_autofree char *count = report_count(group->len - 1, "more case", "more cases");
    unsigned named = 0;

    fprintf(paper->out, "\n  the same in %s:", count);
    for (unsigned i = 0; i < group->len && named < NAMED; i++) {
        if (i == shown)
            continue;
        const RunEntry *entry = g_ptr_array_index(group, i);
        g_autofree char *id = report_clean(entry->play_case->id);
        fprintf(paper->out, "%s %s", named++ > 0 ? "," : "", id);
    }
    fputs(group->len - 1 > NAMED ? ", … (each has a line above)\n" : "\n", paper->out);
}

static void print_group(const Paper *paper, const GPtrArray *group, bool full)
{
    bool all = group->len <= (full ? FULL_BLOCKS : SHORT_BLOCKS);
    unsigned best = exemplar(group);

    for (unsigned i = 0; i < group->len; i++)
        if (all || i == best)
            print_case(paper, g_ptr_array_index(group, i), full);
    if (!all)
        print_others(paper, group, best);
}

/* The entries with VERDICT, hints apart from warnings, those that show the same together: an array of
 * arrays, in the order in which they came first. */
static GPtrArray *group_entries(const RunSummary *summary, Verdict verdict, bool hints)
{
    GPtrArray *groups = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    g_autoptr(GHashTable) by_key = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (unsigned i = 0; i < summary->entries->len; i++) {
        RunEntry *entry = g_ptr_array_index(summary->entries, i);
        const PlayResult *result = entry->result;
        if (result->verdict != verdict || (result->kind == KIND_HINT) != hints)
            continue;
        char *key = group_key(result);
        GPtrArray *group = g_hash_table_lookup(by_key, key);
        if (group == NULL) {
            group = g_ptr_array_new();
            g_ptr_array_add(groups, group);
            g_hash_table_insert(by_key, key, group);
        } else {
            g_free(key);
        }
        g_ptr_array_add(group, entry);
    }
    return groups;
}

static void print_all(const Paper *paper, const RunSummary *summary, Verdict verdict, bool hints)
{
    g_autoptr(GPtrArray) groups = group_entries(summary, verdict, hints);

    for (unsigned i = 0; i < groups->len; i++)
        print_group(paper, g_ptr_array_index(groups, i), verdict != VERDICT_WARN);
}

/* The worst comes last, where the reader's eye is. */
void report_print_details(const Paper *paper, const RunSummary *summary)
{
    print_all(paper, summary, VERDICT_WARN, true);
    print_all(paper, summary, VERDICT_WARN, false);
    print_all(paper, summary, VERDICT_ERROR, false);
    print_all(paper, summary, VERDICT_FAIL, false);
}
