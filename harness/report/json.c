/* The JSON report: one document, for programs. */
#include <math.h>
#include <stdlib.h>

#include "report/private.h"

/* JSON strings are UTF-8: whatever is not is escaped. */
static json_t *string(const char *text)
{
    if (text == NULL)
        return json_null();
    g_autofree char *shown = report_clean_lines(text);
    return json_string(shown);
}

/* As hex digits. */
static json_t *bytes(GBytes *data)
{
    g_autoptr(GString) digits = g_string_new(NULL);
    gsize length = 0;
    const guint8 *at = data == NULL ? NULL : g_bytes_get_data(data, &length);

    for (gsize i = 0; i < length; i++)
        g_string_append_printf(digits, "%02x", at[i]);
    return data == NULL ? json_null() : json_string(digits->str);
}

/* ---- The run ---------------------------------------------------------------------------------- */

/* What the verdicts depend on beside the target. */
static json_t *mode_object(const RunOptions *options)
{
    static const char *const replies[] = {
        [REPLIES_SIMPLE] = "simple",
        [REPLIES_STRUCTURED] = "structured",
        [REPLIES_EXTENDED] = "extended",
    };
    static const char *const tls[] = {
        [PLAY_TLS_OFF] = "off", [PLAY_TLS_ALLOW] = "allow", [PLAY_TLS_REQUIRE] = "require"};
    const PlayMode *mode = &options->mode;

    return json_pack("{s:s, s:s, s:s, s:i, s:b, s:b, s:o}", "enter",
                     mode->enter == ENTER_GO ? "go" : "export-name", "replies",
                     replies[mode->replies], "tls", tls[mode->tls], "segment", (int)mode->segment,
                     "allow_writes", mode->allow_writes, "strict", options->strict, "export",
                     string(mode->export_name));
}

json_t *report_json_head(const RunOptions *options, const RunSummary *summary)
{
    g_autofree char *started = report_time(summary);

    return json_pack("{s:s, s:s, s:o, s:o, s:s}", "tool", "nbdconform " NBDCONFORM_VERSION,
                     "catalogue", catalogue_hash, "target", string(options->target_name), "mode",
                     mode_object(options), "started", started);
}

static json_t *counts_object(const RunSummary *summary)
{
    json_t *counts = json_object();

    for (Verdict verdict = 0; verdict < VERDICT_COUNT; verdict++)
        json_object_set_new(counts, verdict_name(verdict), json_integer(summary->count[verdict]));
    return counts;
}

/* ---- A case ----------------------------------------------------------------------------------- */

static json_t *requirement_array(const PlayCase *play_case)
{
    json_t *ids = json_array();

    for (unsigned i = 0; i < play_case->requirements->len; i++) {
        const Requirement *requirement = g_ptr_array_index(play_case->requirements, i);
        json_array_append_new(ids, json_string(requirement->id));
    }
    return ids;
}

static json_t *finding_object(const Finding *finding)
{
    const Requirement *requirement = finding->requirement;
    json_t *object =
        json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "requirement",
                  string(requirement != NULL ? requirement->id : NULL), "level",
                  string(requirement != NULL ? requirement_level_name(requirement->level) : NULL),
                  "by", finding->by == SIDE_SERVER ? "server" : "client", "message",
                  string(finding->message), "expected", string(finding->expected), "got",
                  string(finding->got), "bytes", bytes(finding->bytes));

    if (finding->met_in != NULL) {
        json_object_set_new(object, "first_seen_in", string(finding->met_in));
        json_object_set_new(object, "transcript", string(finding->transcript));
    }
    return object;
}

static json_t *finding_array(const PlayResult *result)
{
    json_t *findings = json_array();

    for (unsigned i = 0; result->findings != NULL && i < result->findings->len; i++)
        json_array_append_new(findings, finding_object(g_ptr_array_index(result->findings, i)));
    return findings;
}

static json_t *measurement_array(const PlayResult *result)
{
    json_t *measurements = json_array();

    for (unsigned i = 0; result->measurements != NULL && i < result->measurements->len; i++) {
        const Measurement *measurement = g_ptr_array_index(result->measurements, i);
        json_array_append_new(
            measurements,
            json_pack("{s:o, s:o, s:o}", "name", string(measurement->name), "value",
                      isnan(measurement->value) ? json_null() : json_real(measurement->value),
                      "text", string(measurement->text)));
    }
    return measurements;
}

json_t *report_json_case(const RunEntry *entry)
{
    const PlayResult *result = entry->result;

    return json_pack(
        "{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:f, s:o}", "id", string(entry->play_case->id),
        "title", string(entry->play_case->title), "verdict", verdict_name(result->verdict), "kind",
        string(result->kind != KIND_NONE ? verdict_kind_name(result->kind) : NULL), "reason",
        string(result->reason), "requirements", requirement_array(entry->play_case), "violations",
        finding_array(result), "measurements", measurement_array(result), "duration_ms",
        result->duration_us / 1000.0, "transcript",
        string(result->transcript != NULL ? result->transcript : ""));
}

/* ---- The document ----------------------------------------------------------------------------- */

char *report_json_text(const RunOptions *options, const RunSummary *summary)
{
    json_t *document = report_json_head(options, summary);
    json_t *cases = json_array();

    for (unsigned i = 0; i < summary->entries->len; i++)
        json_array_append_new(cases, report_json_case(g_ptr_array_index(summary->entries, i)));
    json_object_set_new(document, "duration_ms", json_integer(summary->duration_ms));
    json_object_set_new(document, "summary", counts_object(summary));
    json_object_set_new(document, "cases", cases);

    char *text = json_dumps(document, JSON_INDENT(2));
    json_decref(document);
    char *lines = g_strconcat(text, "\n", NULL);
    free(text);
    return lines;
}
