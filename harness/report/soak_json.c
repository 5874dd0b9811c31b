/* The JSON report of a soak. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/private.h"
#include "report/soak.h"

const char *report_soak_member(SoakResource resource)
{
    static const char *const members[] = {
        [SOAK_FD] = "fd_per_cycle",          [SOAK_MEMORY] = "memory_bytes_per_cycle",
        [SOAK_THREAD] = "threads_per_cycle", [SOAK_CHILD] = "children_per_cycle",
        [SOAK_ZOMBIE] = "zombies_per_cycle",
    };

    return members[resource];
}

static json_t *string(const char *text)
{
    if (text == NULL)
        return json_null();
    g_autofree char *shown = report_clean_lines(text);
    return json_string(shown);
}

/* Null where it is not known: JSON has no infinity. */
static json_t *number(bool known, double value)
{
    return known && isfinite(value) ? json_real(value) : json_null();
}

/* ---- A point ----------------------------------------------------------------------------------- */

static json_t *leak_array(const SoakFinding *finding)
{
    json_t *names = json_array();

    for (unsigned i = 0; i < SOAK_RESOURCES; i++)
        if (finding->leaks[i])
            json_array_append_new(names, json_string(soak_resource_name(i)));
    return names;
}

static json_t *detectable_object(const SoakFinding *finding, bool known)
{
    json_t *least = json_object();

    for (unsigned i = 0; i < SOAK_RESOURCES; i++)
        json_object_set_new(least, report_soak_member(i), number(known, finding->detectable[i]));
    return least;
}

static json_t *point_object(const SoakSummary *summary, const SoakFinding *finding,
                            const SoakBaseline *baseline)
{
    g_autofree char *name = soak_finding_name(finding);
    char *ending = strrchr(name, '/');
    bool crowd = finding->point.phase == NULL,
         fault = finding->verdict != SOAK_CLEAN && finding->verdict != SOAK_SKIPPED;
    /* A crowd, an end and a point that was not played have no measure; a leak's is always known. */
    bool known =
        summary->measured && finding->cycles > 0 && (!crowd || finding->verdict == SOAK_LEAKS);
    bool seen = known && finding->detectable[SOAK_FD] > 0;
    json_t *point = json_pack(
        "{s:s%, s:s, s:i, s:s, s:o, s:o}", "phase", name, (size_t)(ending - name), "ending",
        ending + 1, "cycles", (int)finding->cycles, "verdict", soak_verdict_name(finding->verdict),
        "leaks", leak_array(finding), "detectable", detectable_object(finding, seen));

    for (unsigned i = 0; i < SOAK_RESOURCES; i++)
        json_object_set_new(point, report_soak_member(i), number(known, finding->per_cycle[i]));
    json_object_set_new(point, "confirmed", json_boolean(finding->confirmed));
    json_object_set_new(point, "fd_kind",
                        finding->leaks[SOAK_FD] ? json_string(watch_fd_kind_name(finding->fd_kind))
                                                : json_null());
    json_object_set_new(point, "known",
                        json_boolean(fault && soak_baseline_knows(baseline, finding)));
    json_object_set_new(point, "reason", string(finding->reason));
    json_object_set_new(point, "details", string(finding->details));
    return point;
}

/* ---- The document ------------------------------------------------------------------------------ */

static json_t *counts_object(const SoakSummary *summary)
{
    json_t *counts = json_object();

    for (SoakVerdict verdict = 0; verdict < SOAK_VERDICTS; verdict++)
        json_object_set_new(counts, soak_verdict_name(verdict),
                            json_integer(summary->count[verdict]));
    return counts;
}

char *report_soak_json(const SoakSummary *summary, const char *target_name,
                       const SoakBaseline *baseline)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(summary->started_us / G_USEC_PER_SEC);
    g_autofree char *started = g_date_time_format_iso8601(time);
    json_t *points = json_array();

    for (guint i = 0; i < summary->findings->len; i++)
        json_array_append_new(points, point_object(summary, summary->findings->pdata[i], baseline));
    json_t *document = json_pack(
        "{s:s, s:s, s:o, s:b, s:s, s:i, s:I, s:f, s:b, s:b, s:o, s:o, s:o}", "tool",
        "nbdconform " NBDCONFORM_VERSION, "kind", "soak", "target", string(target_name), "tls",
        summary->tls, "started", started, "duration_ms", (int)summary->duration_ms, "cycles",
        (json_int_t)summary->cycles, "cycles_per_second", summary->cycles_per_second, "measured",
        summary->measured, "interrupted", summary->interrupted, "note", string(summary->note),
        "summary", counts_object(summary), "points", points);
    char *text = json_dumps(document, JSON_INDENT(2));
    char *copy = g_strconcat(text, "\n", NULL);
    free(text);
    json_decref(document);
    return copy;
}
