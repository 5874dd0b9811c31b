/* Runaways: processes or threads that stay when their client has gone, and compute without end.
 *
 * Each takes a share of a processor from all that comes after it, so that the cycles that would prove a leak in
 * proportion would take for ever, and the machine with them. A few are proof enough: nobody is connected any more.
 */
#include <math.h>

#include "play/play.h"
#include "soak/trial.h"

/* So many cycles leave one, at the least, … */
#define SHARE 0.5
/* … and so do so many more: what a pool keeps has an end. */
#define MORE_CYCLES 8u
#define CONTROL_CYCLES 2u

/* Work that is left to be done has an end, too: so long all of it has to go on, on this part of a processor. */
#define WORK_MS 5000u
#define LOOK_MS 250u
#define BUSY 0.1

static double grown(const WatchSample *before, const WatchSample *now)
{
    return (double)now->threads - (double)before->threads;
}

/* CYCLES have left some behind that do not come to rest. */
static bool leave_some(SoakServer *server, const WatchSample *before, unsigned cycles,
                       WatchSample *now)
{
    return watch_sample(server->watched, now) && grown(before, now) >= SHARE * cycles &&
           soak_server_rest(server, before, now) && server->restless > 0 &&
           grown(before, now) >= SHARE * cycles;
}

/* What there is in NOW works on, and none of it ends. */
static bool work_on(SoakServer *server, const WatchSample *now)
{
    const volatile int *stop = server->options->stop;
    const double least_ns = BUSY * WORK_MS * 1e6;
    WatchSample later = *now;

    for (unsigned passed = 0; passed < WORK_MS; passed += LOOK_MS) {
        g_usleep(LOOK_MS * 1000);
        if (play_stopped(stop) || !watch_sample(server->watched, &later) || grown(now, &later) < 0)
            return false;
    }
    return (double)later.cpu_ns - (double)now->cpu_ns >= least_ns;
}

static void settle(SoakFinding *finding, const WatchSample *before, const WatchSample *now)
{
    double processes = (double)now->processes - (double)before->processes;
    double threads = grown(before, now);
    SoakResource resource = processes >= threads / 2 ? SOAK_CHILD : SOAK_THREAD;

    for (unsigned i = 0; i < SOAK_RESOURCES; i++) {
        finding->per_cycle[i] = NAN;
        finding->detectable[i] = INFINITY;
    }
    finding->leaks[resource] = finding->confirmed = finding->runs_away = true;
    finding->per_cycle[resource] = threads / finding->cycles;
    finding->detectable[resource] = SHARE;
    soak_finding_settle(finding, SOAK_LEAKS,
                        g_strdup_printf("after %u cycles %.0f of them compute, with no client left",
                                        finding->cycles, threads));
}

bool soak_watch_runaways(SoakTrial *trial, const WatchSample *before)
{
    SoakServer *server = trial->server;
    WatchSample then, now;

    if (!leave_some(server, before, trial->finding->cycles, &then))
        return true;
    if (!soak_trial_cycle(trial, MORE_CYCLES) || !soak_trial_control(trial, CONTROL_CYCLES))
        return false;
    if (!leave_some(server, &then, MORE_CYCLES, &now) || !work_on(server, &now))
        return true;
    settle(trial->finding, before, &now);
    return false;
}
