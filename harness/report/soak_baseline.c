/* Baselines: what an earlier soak's JSON report knew already. */
#include <string.h>

#include "report/private.h"
#include "report/soak.h"

/* "Clearly faster" than it was: beyond what two measurements of the same leak differ by. */
#define FASTER 1.5

typedef struct {
    SoakVerdict verdict;
    bool leaks[SOAK_RESOURCES];
    double per_cycle[SOAK_RESOURCES];
} Known;

struct SoakBaseline {
    SoakMode mode;
    GHashTable *points; /* name → Known; those with a fault only */
};

void soak_baseline_free(SoakBaseline *baseline)
{
    if (baseline == NULL)
        return;
    g_hash_table_unref(baseline->points);
    g_free(baseline);
}

/* ---- Reading ----------------------------------------------------------------------------------- */

static bool is_fault(SoakVerdict verdict)
{
    return verdict != SOAK_CLEAN && verdict != SOAK_SKIPPED;
}

static void read_leak(const json_t *point, const char *name, Known *known)
{
    for (unsigned i = 0; i < SOAK_RESOURCES; i++)
        if (g_strcmp0(name, soak_resource_name(i)) == 0) {
            known->leaks[i] = true;
            known->per_cycle[i] = json_number_value(json_object_get(point, report_soak_member(i)));
        }
}

static bool read_verdict(const char *word, SoakVerdict *verdict)
{
    for (unsigned i = 0; i < SOAK_VERDICTS; i++)
        if (g_strcmp0(word, soak_verdict_name(i)) == 0) {
            *verdict = i;
            return true;
        }
    return false;
}

static bool read_point(SoakBaseline *baseline, const json_t *point)
{
    const char *phase = json_string_value(json_object_get(point, "phase"));
    const char *ending = json_string_value(json_object_get(point, "ending"));
    const json_t *leaks = json_object_get(point, "leaks");
    Known known = {0};

    if (phase == NULL || ending == NULL ||
        !read_verdict(json_string_value(json_object_get(point, "verdict")), &known.verdict))
        return false;
    if (!is_fault(known.verdict))
        return true;
    for (size_t i = 0; i < json_array_size(leaks); i++)
        read_leak(point, json_string_value(json_array_get(leaks, i)), &known);
    g_hash_table_replace(baseline->points, g_strdup_printf("%s/%s", phase, ending),
                         g_memdup2(&known, sizeof known));
    return true;
}

SoakBaseline *soak_baseline_load(const char *path, GError **error)
{
    json_error_t wrong;
    json_t *document = json_load_file(path, 0, &wrong);
    const json_t *points = json_object_get(document, "points");
    g_autofree char *shown = report_clean(path);

    if (document == NULL) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "cannot read %s: %s", shown,
                    wrong.text);
        return NULL;
    }
    g_autoptr(SoakBaseline) baseline = g_new0(SoakBaseline, 1);
    baseline->points = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    baseline->mode = json_is_true(json_object_get(document, "tls")) ? SOAK_IN_TLS : SOAK_PLAIN;
    bool fine = json_is_array(points);
    for (size_t i = 0; fine && i < json_array_size(points); i++)
        fine = read_point(baseline, json_array_get(points, i));
    json_decref(document);
    if (fine)
        return g_steal_pointer(&baseline);
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s is not the JSON report of a soak",
                shown);
    return NULL;
}

SoakMode soak_baseline_mode(const SoakBaseline *baseline)
{
    return baseline != NULL ? baseline->mode : SOAK_ANY_MODE;
}

/* ---- Comparing --------------------------------------------------------------------------------- */

static const Known *find(const SoakBaseline *baseline, const SoakFinding *finding)
{
    g_autofree char *name = soak_finding_name(finding);

    return baseline != NULL ? g_hash_table_lookup(baseline->points, name) : NULL;
}

bool soak_baseline_knows(const SoakBaseline *baseline, const SoakFinding *finding)
{
    const Known *known = find(baseline, finding);

    if (known == NULL || known->verdict != finding->verdict)
        return false;
    for (unsigned i = 0; i < SOAK_RESOURCES; i++)
        if (finding->leaks[i] &&
            (!known->leaks[i] ||
             finding->per_cycle[i] > FASTER * known->per_cycle[i] + finding->detectable[i]))
            return false;
    return true;
}

unsigned soak_baseline_new_faults(const SoakBaseline *baseline, const SoakSummary *summary)
{
    unsigned count = 0;

    for (guint i = 0; i < summary->findings->len; i++) {
        const SoakFinding *finding = summary->findings->pdata[i];
        count += is_fault(finding->verdict) && !soak_baseline_knows(baseline, finding);
    }
    return count;
}

GPtrArray *soak_baseline_cured(const SoakBaseline *baseline, const SoakSummary *summary)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < summary->findings->len; i++) {
        const SoakFinding *finding = summary->findings->pdata[i];
        if (finding->verdict == SOAK_CLEAN && find(baseline, finding) != NULL)
            g_ptr_array_add(names, soak_finding_name(finding));
    }
    return names;
}
