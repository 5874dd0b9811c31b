/* Screening a point: a brief look, that errs on the side of suspicion. */
#include <math.h>

#include "soak/trial.h"

#define WARM_CYCLES 16u
#define WARM_SHARE 64u /* of many cycles, one in so many is for warming up */

/* Behind each batch, so that what a server clears away when the next client comes is gone. */
#define CONTROL_CYCLES 2u

/* A point where each cycle takes long gets fewer of them: so much time for each of its halves, and more where
 * more than the usual number of cycles are asked for. */
#define HALF_US (2 * G_USEC_PER_SEC)
#define FEWEST 8u

/* So much lost, and the rest is left for the confirmation: a server that has run out of descriptors shows
 * nothing any more. */
#define FLOOD 256.0

double soak_held(const WatchSample *sample, SoakResource resource)
{
    switch (resource) {
    case SOAK_FD:
        return watch_sample_fds(sample);
    case SOAK_MEMORY:
        return (double)sample->private_bytes;
    case SOAK_THREAD: /* each process has one: a child more is no thread more */
        return sample->threads > sample->processes ? sample->threads - sample->processes : 0;
    case SOAK_CHILD:
        return sample->processes;
    case SOAK_ZOMBIE:
        return sample->zombies;
    default:
        return 0;
    }
}

GrowthUnit soak_unit(SoakResource resource)
{
    return resource == SOAK_MEMORY ? GROWTH_BYTES : GROWTH_COUNT;
}

bool soak_measures(const SoakServer *server, SoakResource resource)
{
    return resource != SOAK_MEMORY || !server->sanitized;
}

/* ---- Two halves -------------------------------------------------------------------------------- */

typedef struct {
    SoakTrial *trial;
    unsigned half;          /* cycles of one */
    WatchSample samples[3]; /* before, between and after */
    bool measured;          /* they show something */
    bool flooded;           /* broken off */
    unsigned made;          /* since the first sample */
} Screen;

static unsigned half_cycles(const SoakTrial *trial, unsigned cycles)
{
    double budget_us = HALF_US * fmax(1, (double)cycles / SOAK_DEFAULT_CYCLES);
    double most = budget_us / MAX(trial->cycle_us, 1u);

    return (unsigned)fmax(fmin(cycles / 2.0, most), FEWEST);
}

static bool warm_up(SoakTrial *trial, unsigned cycles)
{
    gint64 began_us = g_get_monotonic_time();
    unsigned before = trial->finding->cycles;

    if (!soak_trial_cycle(trial, MIN(WARM_CYCLES, cycles)))
        return false;
    unsigned made = trial->finding->cycles - before;
    trial->cycle_us = (unsigned)((g_get_monotonic_time() - began_us) / MAX(made, 1));
    unsigned more = half_cycles(trial, cycles) / WARM_SHARE;
    return (more <= WARM_CYCLES || soak_trial_cycle(trial, more)) &&
           soak_trial_control(trial, CONTROL_CYCLES);
}

static bool floods(const Screen *screen)
{
    WatchSample now;

    if (!screen->measured || !watch_sample(screen->trial->server->watched, &now))
        return false;
    for (unsigned i = 0; i < SOAK_RESOURCES; i++)
        if (soak_unit(i) == GROWTH_COUNT &&
            soak_held(&now, i) - soak_held(&screen->samples[0], i) >= FLOOD)
            return true;
    return false;
}

static bool play_half(Screen *screen)
{
    unsigned left = screen->half;

    while (left > 0 && !screen->flooded) {
        unsigned chunk = MIN(left, (unsigned)FLOOD);
        if (!soak_trial_cycle(screen->trial, chunk))
            return false;
        left -= chunk;
        screen->made += chunk;
        screen->flooded = left > 0 && floods(screen);
    }
    return soak_trial_control(screen->trial, CONTROL_CYCLES);
}

static bool play_halves(Screen *screen)
{
    SoakServer *server = screen->trial->server;

    screen->measured = soak_server_rest(server, NULL, &screen->samples[0]);
    for (unsigned i = 1; i <= 2 && !screen->flooded; i++) {
        if (!play_half(screen))
            return false;
        if (screen->measured)
            soak_server_rest(server, &screen->samples[i - 1], &screen->samples[i]);
    }
    return true;
}

/* ---- Looking at it ----------------------------------------------------------------------------- */

static GrowthScreen growth_of(const Screen *screen, SoakResource resource)
{
    return (GrowthScreen){.cycles = screen->half,
                          .begin = soak_held(&screen->samples[0], resource),
                          .middle = soak_held(&screen->samples[1], resource),
                          .end = soak_held(&screen->samples[2], resource)};
}

/* Broken off in the first half: the growth so far, as if it had gone on. */
static double flood_slope(const Screen *screen, SoakResource resource)
{
    unsigned last = screen->samples[2].processes > 0 ? 2 : 1;

    return (soak_held(&screen->samples[last], resource) -
            soak_held(&screen->samples[0], resource)) /
           MAX(screen->made, 1);
}

static bool look(const Screen *screen, SoakFinding *finding, double slopes[SOAK_RESOURCES])
{
    bool suspect = false;

    for (unsigned i = 0; i < SOAK_RESOURCES; i++) {
        GrowthScreen growth = growth_of(screen, i);
        slopes[i] = 0;
        if (screen->flooded)
            finding->per_cycle[i] = flood_slope(screen, i);
        else
            finding->per_cycle[i] = growth_screen_slope(&growth);
        bool measures = soak_measures(screen->trial->server, i);
        finding->detectable[i] =
            measures ? growth_screen_least(soak_unit(i), screen->half) : INFINITY;
        if (!measures)
            finding->per_cycle[i] = NAN;
        if (measures &&
            (screen->flooded ? finding->per_cycle[i] > 0 : growth_suspect(soak_unit(i), &growth)))
            slopes[i] = finding->per_cycle[i];
        suspect = suspect || slopes[i] > 0;
    }
    return suspect;
}

bool soak_screen(SoakTrial *trial, unsigned cycles, double slopes[SOAK_RESOURCES])
{
    Screen screen = {.trial = trial};
    const SoakServer *server = trial->server;
    WatchSample before;
    bool watched = server->watched != NULL && watch_sample(server->watched, &before);

    for (unsigned i = 0; i < SOAK_RESOURCES; i++)
        slopes[i] = 0;
    if (!warm_up(trial, cycles) || (watched && !soak_watch_runaways(trial, &before)))
        return false;
    screen.half = half_cycles(trial, cycles);
    bool done = play_halves(&screen);
    return done && screen.measured && look(&screen, trial->finding, slopes);
}
