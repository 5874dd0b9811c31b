/* Cycling through a point, and what it means if that fails. */
#include <string.h>

#include "play/play.h"
#include "soak/trial.h"

/* A control cycle that takes longer than this, and so many times longer than usual, again and again, is not
 * "served in normal time". */
#define SLOW_US (2 * G_USEC_PER_SEC)
#define SLOW_TIMES 100u
#define SLOW_TRIES 3u

/* So many cycles of one point may fail while the server still serves others. */
#define MOST_FAILURES 2u

#define MOST_DETAILS 4000u

/* ---- Findings ---------------------------------------------------------------------------------- */

SoakFinding *soak_finding_new(const SoakPoint *point)
{
    SoakFinding *finding = g_new0(SoakFinding, 1);

    if (point != NULL)
        finding->point = *point;
    return finding;
}

void soak_finding_free(SoakFinding *finding)
{
    if (finding == NULL)
        return;
    g_free(finding->reason);
    g_free(finding->details);
    g_free(finding);
}

void soak_finding_settle(SoakFinding *finding, SoakVerdict verdict, char *reason)
{
    finding->verdict = verdict;
    g_free(finding->reason);
    finding->reason = reason;
}

/* ---- Trouble ----------------------------------------------------------------------------------- */

static bool stopped(const SoakTrial *trial)
{
    return play_stopped(trial->server->options->stop);
}

static void note_crash(SoakTrial *trial)
{
    SoakServer *server = trial->server;
    SoakFinding *finding = trial->finding;
    g_autofree char *how = watch_describe(server->watched);
    g_autofree char *report = soak_server_report(server);

    g_free(finding->details);
    finding->details =
        report != NULL ? g_steal_pointer(&report) : watch_output(server->watched, 0, MOST_DETAILS);
    soak_finding_settle(
        finding, SOAK_CRASHED,
        g_strdup_printf("the server %s within %u cycles", how, finding->cycles + 1));
}

/* It runs, but a sanitizer has found fault with it. */
static bool note_report(SoakTrial *trial)
{
    g_autofree char *report = soak_server_report(trial->server);

    if (report == NULL)
        return false;
    g_auto(GStrv) lines = g_strsplit(report, "\n", 2);
    soak_finding_settle(trial->finding, SOAK_CRASHED,
                        g_strdup_printf("the server reported: %s", g_strstrip(lines[0])));
    g_free(trial->finding->details);
    trial->finding->details = g_steal_pointer(&report);
    return true;
}

static bool is_served(SoakServer *server, GError **error)
{
    g_autoptr(GError) first = NULL;

    return soak_cycle_run(server->control, 1, NULL, &first) ||
           soak_cycle_run(server->patient_control, 1, NULL, error);
}

/* A cycle has failed. True if the server is none the worse for it, and the next may be tried. */
static bool go_on(SoakTrial *trial, const GError *failure, bool in_control)
{
    SoakFinding *finding = trial->finding;
    g_autoptr(GError) error = NULL;

    if (stopped(trial) || g_error_matches(failure, SOAK_ERROR, SOAK_ERROR_STOPPED))
        return false;
    if (g_error_matches(failure, SOAK_ERROR, SOAK_ERROR_USAGE)) {
        soak_finding_settle(finding, SOAK_SKIPPED, g_strdup(failure->message));
        return false;
    }
    bool served = is_served(trial->server, &error);
    if (soak_server_died(trial->server, !served)) {
        note_crash(trial);
        return false;
    }
    if (note_report(trial) || stopped(trial))
        return false;
    if (!served) {
        soak_finding_settle(finding, SOAK_UNSERVED,
                            g_strdup_printf("after %u cycles no connection is served any more: %s",
                                            finding->cycles, error->message));
        return false;
    }
    if (in_control)
        return true;
    if (finding->cycles == 0) {
        soak_finding_settle(finding, SOAK_SKIPPED,
                            g_strdup_printf("the server does not get here: %s", failure->message));
        return false;
    }
    if (trial->failures++ < MOST_FAILURES)
        return true;
    soak_finding_settle(finding, SOAK_UNSERVED,
                        g_strdup_printf("of %u cycles %u failed, the last one so: %s",
                                        finding->cycles + trial->failures, trial->failures,
                                        failure->message));
    return false;
}

/* ---- Cycling ----------------------------------------------------------------------------------- */

/* However many are asked for, a flood of descriptors or a death is to be seen in time. */
#define CHUNK 256u

bool soak_trial_cycle(SoakTrial *trial, unsigned count)
{
    SoakServer *server = trial->server;

    while (count > 0) {
        g_autoptr(GError) error = NULL;
        unsigned done = 0, chunk = MIN(count, CHUNK);
        bool fine = soak_cycle_run(trial->cycle, chunk, &done, &error);
        done = MIN(done, chunk);
        trial->finding->cycles += done;
        server->cycles += done;
        count -= done;
        if (!fine && !go_on(trial, error, false))
            return false;
    }
    return true;
}

/* Runs them once, and tells how long each took. */
static bool timed_control(SoakTrial *trial, unsigned count, gint64 *took_us)
{
    g_autoptr(GError) error = NULL;
    gint64 began_us = g_get_monotonic_time();

    trial->server->cycles += count;
    bool fine = soak_cycle_run(trial->server->control, count, NULL, &error);
    *took_us = (g_get_monotonic_time() - began_us) / MAX(count, 1);
    return fine || go_on(trial, error, true);
}

bool soak_trial_control(SoakTrial *trial, unsigned count)
{
    gint64 limit_us = MAX(SLOW_US, (gint64)SLOW_TIMES * trial->server->usual_us), took_us = 0;

    for (unsigned i = 0; i < SLOW_TRIES; i++) {
        if (!timed_control(trial, i == 0 ? count : 1, &took_us))
            return false;
        if (took_us <= limit_us) {
            if (!soak_server_died(trial->server, false))
                return !note_report(trial);
            note_crash(trial);
            return false;
        }
    }
    soak_finding_settle(trial->finding, SOAK_UNSERVED,
                        g_strdup_printf("after %u cycles a connection takes %.1f s, usually %.4f s",
                                        trial->finding->cycles, (double)took_us / G_USEC_PER_SEC,
                                        trial->server->usual_us / (double)G_USEC_PER_SEC));
    return false;
}
