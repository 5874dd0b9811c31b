/* What servers say when they are stopped: a sanitizer's report comes then, and tells of all that the server has
 * seen. Which point it is about, shows a server that sees no other. */
#include <math.h>
#include <string.h>

#include "soak/run.h"

/* Of the point alone. */
#define MOST_CYCLES SOAK_DEFAULT_CYCLES
#define CONTROL_CYCLES 4u

/* ---- What it means for a finding --------------------------------------------------------------- */

/* "SUMMARY: AddressSanitizer: 4096 byte(s) leaked in 4 allocation(s)." */
static double lost_bytes(const char *said)
{
    const char *sum = strstr(said, "\nSUMMARY: ");
    const char *at = sum != NULL ? strstr(sum, "Sanitizer: ") : NULL;

    return at != NULL ? g_ascii_strtod(at + strlen("Sanitizer: "), NULL) : 0;
}

void soak_finding_said(SoakFinding *finding, const char *said, unsigned cycles)
{
    g_auto(GStrv) lines = g_strsplit(said, "\n", 2);

    if (finding->details == NULL)
        finding->details = g_strdup(said);
    if (finding->verdict == SOAK_CRASHED || finding->verdict == SOAK_UNSERVED)
        return;
    bool leak = strstr(said, "LeakSanitizer") != NULL;
    double bytes = lost_bytes(said);
    if (leak && (bytes > 0 || !isfinite(finding->per_cycle[SOAK_MEMORY])))
        finding->per_cycle[SOAK_MEMORY] = bytes / MAX(cycles, 1u);
    finding->leaks[SOAK_MEMORY] = finding->leaks[SOAK_MEMORY] || leak;
    soak_finding_settle(
        finding, leak || finding->verdict == SOAK_LEAKS ? SOAK_LEAKS : SOAK_CRASHED,
        g_strdup_printf("when it was stopped, the server reported: %s", g_strstrip(lines[0])));
}

/* ---- One point, or none, on a server of its own -------------------------------------------------- */

/* POINT may be NULL: ordinary connections only. What the server said in the end, and of how many cycles. */
static char *said_after(SoakRun *run, const SoakPoint *point, unsigned *cycles)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SoakServer) server = soak_server_new(run->options, &run->target, &error);

    *cycles = 0;
    if (server == NULL)
        return NULL;
    g_autoptr(SoakFinding) finding = soak_finding_new(point);
    SoakTrial trial = {.server = server, .finding = finding};
    if (point != NULL) {
        trial.cycle = soak_cycle_new(point, &server->target);
        soak_trial_cycle(&trial, MIN(run->cycles, MOST_CYCLES));
        soak_cycle_free(trial.cycle);
    }
    soak_trial_control(&trial, CONTROL_CYCLES);
    char *said = soak_server_stop(server);
    *cycles = finding->cycles;
    g_mutex_lock(&run->mutex);
    run->summary->cycles += server->cycles;
    g_mutex_unlock(&run->mutex);
    return said;
}

static bool ordinary_says(SoakRun *run)
{
    unsigned cycles;

    g_mutex_lock(&run->stopping);
    if (!run->ordinary_known)
        run->ordinary = said_after(run, NULL, &cycles);
    run->ordinary_known = true;
    bool says = run->ordinary != NULL;
    g_mutex_unlock(&run->stopping);
    return says;
}

void soak_run_stop(SoakRun *run, SoakServer *server)
{
    char *said = soak_server_stop(server);

    g_mutex_lock(&run->stopping);
    if (run->said == NULL)
        run->said = g_steal_pointer(&said);
    g_mutex_unlock(&run->stopping);
    g_free(said);
    soak_server_free(server);
}

void soak_run_judge_said(SoakRun *run, SoakTrial *trial)
{
    g_autofree char *said = g_steal_pointer(&trial->said);

    if (said == NULL)
        return;
    /* What every connection brings about is not this point's. */
    if (!ordinary_says(run)) {
        soak_finding_said(trial->finding, said, trial->said_of);
        return;
    }
    g_mutex_lock(&run->stopping);
    if (run->said == NULL)
        run->said = g_steal_pointer(&said);
    g_mutex_unlock(&run->stopping);
}

/* ---- When all is over ---------------------------------------------------------------------------- */

static void refile(SoakRun *run, SoakFinding *finding, const char *said, unsigned cycles)
{
    const SoakObserver *observer = run->options->observer;

    g_mutex_lock(&run->mutex);
    run->summary->count[finding->verdict]--;
    soak_finding_said(finding, said, cycles);
    run->summary->count[finding->verdict]++;
    if (observer != NULL && observer->found != NULL)
        observer->found(observer->self, finding);
    g_mutex_unlock(&run->mutex);
}

/* Every point that seemed clean, by itself. True if that explains what was said. */
static bool attribute(SoakRun *run)
{
    bool explained = false;

    for (unsigned i = 0; i < run->options->points->len && !soak_run_stopped(run); i++) {
        SoakFinding *finding = run->findings[i];
        unsigned cycles;
        if (finding == NULL || finding->verdict == SOAK_SKIPPED)
            continue;
        if (finding->verdict != SOAK_CLEAN) {
            explained = explained || strstr(finding->reason != NULL ? finding->reason : "",
                                            "when it was stopped") != NULL;
            continue;
        }
        g_autofree char *name = soak_point_name(&finding->point);
        soak_run_progress(run, name);
        g_autofree char *said = said_after(run, &finding->point, &cycles);
        if (said != NULL)
            refile(run, finding, said, cycles);
        explained = explained || said != NULL;
    }
    return explained;
}

/* The first that could be played. */
static const SoakPoint *any_point(const SoakRun *run)
{
    for (unsigned i = 0; i < run->options->points->len; i++)
        if (run->findings[i] != NULL && run->findings[i]->cycles > 0)
            return &run->findings[i]->point;
    return NULL;
}

void soak_run_tell_stops(SoakRun *run, unsigned index)
{
    if (run->said == NULL)
        return;
    bool ordinary = !soak_run_stopped(run) && ordinary_says(run);
    if (!ordinary && attribute(run))
        return;
    SoakFinding *finding = soak_finding_new(NULL);
    const SoakPoint *repeat = any_point(run);
    finding->at_stop = ordinary && repeat != NULL ? "ordinary" : "together";
    if (repeat != NULL)
        finding->repeat = *repeat;
    finding->cycles = (unsigned)MIN(run->summary->cycles, UINT_MAX);
    soak_finding_said(finding, ordinary ? run->ordinary : run->said, finding->cycles);
    soak_run_file(run, index, finding);
}
