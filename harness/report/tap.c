/* The TAP 13 report: a line for each case, with YAML behind what is not a plain pass. */
#include <string.h>

#include "report/private.h"

/* ---- YAML --------------------------------------------------------------------------------------- */

/* `key: "text"`; nothing for NULL. */
static void append_field(GString *out, unsigned indent, const char *key, const char *text)
{
    if (text == NULL)
        return;
    g_autofree char *shown = report_clean(text);
    g_string_append_printf(out, "%*s%s: \"", (int)indent, "", key);
    for (const char *at = shown; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\')
            g_string_append_c(out, '\\');
        g_string_append_c(out, *at);
    }
    g_string_append(out, "\"\n");
}

/* Lines as they are. The 2 says how much deeper the block is indented, since its first line may start with
 * spaces of its own. */
static void append_block(GString *out, unsigned indent, const char *key, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    g_autofree char *shown = report_clean_lines(text);
    g_auto(GStrv) lines = g_strsplit(g_strchomp(shown), "\n", -1);
    g_string_append_printf(out, "%*s%s: |2\n", (int)indent, "", key);
    for (char **line = lines; *line != NULL; line++)
        g_string_append_printf(out, "%*s%s\n", (int)indent + 2, "", *line);
}

static void append_finding(GString *out, const Finding *finding)
{
    const Requirement *requirement = finding->requirement;

    append_field(out, 4, "- message", finding->message != NULL ? finding->message : "");
    if (requirement != NULL) {
        g_autofree char *link = requirement_link(requirement);
        append_field(out, 6, "requirement", requirement->id);
        append_field(out, 6, "level", requirement_level_name(requirement->level));
        append_field(out, 6, "sentence", requirement->summary);
        append_field(out, 6, "link", link);
    }
    append_field(out, 6, "by", finding->by == SIDE_SERVER ? "server" : "client");
    append_field(out, 6, "expected", finding->expected);
    append_field(out, 6, "got", finding->got);
    append_field(out, 6, "first-seen-in", finding->met_in);
    append_block(out, 6, "transcript", finding->transcript);
}

static void append_yaml(GString *out, const RunEntry *entry)
{
    const PlayResult *result = entry->result;
    const GPtrArray *findings = result->findings;
    bool has_findings = findings != NULL && findings->len > 0;
    g_autofree char *place =
        report_place(entry->play_case, has_findings ? g_ptr_array_index(findings, 0) : NULL);

    g_string_append(out, "  ---\n");
    append_field(out, 2, "message", result->reason);
    append_field(out, 2, "severity", verdict_name(result->verdict));
    if (result->kind != KIND_NONE)
        append_field(out, 2, "kind", verdict_kind_name(result->kind));
    append_field(out, 2, "at", place);
    if (has_findings) {
        g_string_append(out, "  findings:\n");
        for (unsigned i = 0; i < findings->len; i++)
            append_finding(out, g_ptr_array_index(findings, i));
    }
    append_block(out, 2, "transcript", result->transcript);
    g_string_append(out, "  ...\n");
}

/* ---- Lines -------------------------------------------------------------------------------------- */

/* A # would start a directive. */
static void append_description(GString *out, const char *text)
{
    g_autofree char *shown = report_clean(text);

    for (const char *at = shown; *at != '\0'; at++) {
        if (*at == '#' || *at == '\\')
            g_string_append_c(out, '\\');
        g_string_append_c(out, *at);
    }
}

/* What a step before it blocked has shown nothing, as little as a skip has; the step itself fails. */
static void append_directive(GString *out, const PlayResult *result)
{
    if (result->verdict != VERDICT_SKIP && result->verdict != VERDICT_BLOCKED)
        return;
    g_autofree char *reason = report_clean(result->reason);
    g_string_append_printf(out, " # SKIP %s%s",
                           result->verdict == VERDICT_BLOCKED ? "blocked: " : "", reason);
}

/* A diagnostic: it belongs to the case above it, and weighs nothing. */
static void append_measurements(GString *out, const PlayResult *result)
{
    for (guint i = 0; result->measurements != NULL && i < result->measurements->len; i++) {
        const Measurement *measurement = result->measurements->pdata[i];
        g_autofree char *text = report_clean(measurement->text);
        g_string_append_printf(out, "# measured, %s: %s\n", measurement->name, text);
    }
}

static void append_case(GString *out, const RunEntry *entry, unsigned number)
{
    const PlayResult *result = entry->result;
    bool ok = result->verdict != VERDICT_FAIL && result->verdict != VERDICT_ERROR;

    g_string_append_printf(out, "%sok %u - ", ok ? "" : "not ", number);
    append_description(out, entry->play_case->id);
    g_string_append(out, ": ");
    append_description(out, entry->play_case->title);
    append_directive(out, result);
    g_string_append_c(out, '\n');
    if (!ok || result->verdict == VERDICT_WARN)
        append_yaml(out, entry);
    append_measurements(out, result);
}

char *report_tap_text(const RunOptions *options, const RunSummary *summary)
{
    GString *out = g_string_new("TAP version 13\n");
    g_autofree char *target = report_clean(options->target_name);
    g_autofree char *closing = report_closing_line(summary);

    g_string_append_printf(out, "1..%u\n# nbdconform %s, catalogue %s, target %s\n", summary->total,
                           NBDCONFORM_VERSION, catalogue_hash, target);
    for (unsigned i = 0; i < summary->entries->len; i++)
        append_case(out, g_ptr_array_index(summary->entries, i), i + 1);
    g_string_append_printf(out, "# %s\n", closing);
    if (summary->interrupted)
        g_string_append(out, "Bail out! interrupted\n");
    return g_string_free(out, FALSE);
}
