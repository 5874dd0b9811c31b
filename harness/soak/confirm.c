/* Confirming: what looks like a leak is cycled through again, and has to grow in proportion. */
#include <math.h>
#include <string.h>

#include "play/play.h"
#include "soak/trial.h"

#define FIRST_ROUND 200u /* cycles, at the most, where the default number is screened */
#define ROUNDS_SUM 7u    /* all rounds have so many times as many */

/* Behind each step. Their number is always the same, so that what they add can be told from chance. */
#define CONTROL_CYCLES 8u

/* No longer than this for one confirmation, as far as cycles can be saved. */
#define MOST_US (60.0 * G_USEC_PER_SEC)
#define FEWEST 24u

/* Some servers hold on to a dead connection for a while. What is gone after that was held, not leaked. */
#define GRACE_MS 3000u
#define GRACE_LOOK_MS 250u
#define RELEASED 0.5

#define FEW_CHILDREN 3

/* One that may be computing burdens the machine like so many that sleep. */
#define COMPUTING 16

/* All is asked for once more: so many cycles further on it still has to grow as it did. Arenas of an
 * allocator fill in thousands of cycles, and each takes as long as all before it; OpenSSL keeps 20,480 of TLS's
 * sessions, and two of each connection. A pool of threads or descriptors has its limit, too. */
#define ENDURANCE_CYCLES 4800u
#define ENDURANCE_TLS_CYCLES 12000u
#define ENDURANCE_TLS_US (2 * MOST_US)
#define SESSION_BYTES (32.0 * 1024) /* no session takes so much */
#define ENDURANCE_GARBAGE 1.25      /* times what a collector may let lie */
#define ENDURANCE_ROUNDS 8u         /* as many as that first rounds, if that is more */
#define ENDURANCE_KEPT 0.6
#define ENDURANCE_BYTES (512.0 * 1024 * 1024)
#define ENDURANCE_COUNT 500 /* what else leaks may grow to */
#define ENDURANCE_LEAST 24  /* and what it has to, in each half, before it says something */
#define ENDURANCE_COUNT_US (15.0 * G_USEC_PER_SEC)

typedef struct {
    SoakTrial *trial;
    double patience;      /* times as many cycles as usual are asked for */
    unsigned first;       /* cycles of the first round */
    const double *slopes; /* what it looked like; 0: was no suspect */
    GrowthTrial growth[SOAK_RESOURCES];
    WatchSample begin, end; /* of the rounds */
    double garbage;         /* bytes that may lie about until they are collected */
    const char *runtime;    /* … by this */
} Confirmation;

/* ---- Rounds ------------------------------------------------------------------------------------ */

/* As many as the most demanding suspect needs, and no more than the most rapid can bear. */
static unsigned first_round(const SoakTrial *trial, unsigned cycles,
                            const double slopes[SOAK_RESOURCES])
{
    static const double load[SOAK_RESOURCES] = {1, 1, COMPUTING, COMPUTING, 1};
    unsigned most = MAX(FIRST_ROUND, cycles / ROUNDS_SUM), wanted = GROWTH_STEPS, bearable = most;

    for (unsigned i = 0; i < SOAK_RESOURCES; i++) {
        if (slopes[i] <= 0)
            continue;
        double burden = trial->server->restless > 0 ? slopes[i] * load[i] : slopes[i];
        wanted = MAX(wanted, growth_trial_cycles(soak_unit(i), slopes[i], most));
        bearable = MIN(bearable, growth_trial_bearable(soak_unit(i), burden, most));
    }
    double affordable = MOST_US / (ROUNDS_SUM * fmax(trial->cycle_us, 1));
    double first = fmin(MIN(wanted, bearable), fmax(affordable, FEWEST));
    /* In whole steps. */
    return (unsigned)ceil(first / GROWTH_STEPS) * GROWTH_STEPS;
}

static void note_step(Confirmation *self, unsigned round, unsigned step, unsigned cycles,
                      const WatchSample *before, const WatchSample *after,
                      const WatchSample *control)
{
    for (unsigned i = 0; i < SOAK_RESOURCES; i++)
        self->growth[i].steps[round][step] =
            (GrowthStep){.cycles = cycles,
                         .grown = soak_held(after, i) - soak_held(before, i),
                         .control = soak_held(control, i) - soak_held(after, i)};
}

static bool play_step(Confirmation *self, unsigned round, unsigned step)
{
    SoakTrial *trial = self->trial;
    unsigned cycles = (self->first << round) / GROWTH_STEPS;
    WatchSample after, control;

    if (!soak_trial_cycle(trial, cycles) || !soak_server_rest(trial->server, &self->end, &after) ||
        !soak_trial_control(trial, CONTROL_CYCLES) ||
        !soak_server_rest(trial->server, &after, &control))
        return false;
    note_step(self, round, step, cycles, &self->end, &after, &control);
    self->end = control;
    return true;
}

static bool play_rounds(Confirmation *self)
{
    SoakTrial *trial = self->trial;

    if (!soak_trial_cycle(trial, self->first / 2) || !soak_trial_control(trial, CONTROL_CYCLES) ||
        !soak_server_rest(trial->server, NULL, &self->begin))
        return false;
    self->end = self->begin;
    for (unsigned round = 0; round < GROWTH_ROUNDS; round++)
        for (unsigned step = 0; step < GROWTH_STEPS; step++)
            if (!play_step(self, round, step))
                return false;
    return true;
}

/* ---- The verdict ------------------------------------------------------------------------------- */

static bool any(const bool leaks[SOAK_RESOURCES])
{
    for (unsigned i = 0; i < SOAK_RESOURCES; i++)
        if (leaks[i])
            return true;
    return false;
}

static bool any_count(const bool leaks[SOAK_RESOURCES])
{
    for (unsigned i = 0; i < SOAK_RESOURCES; i++)
        if (leaks[i] && soak_unit(i) == GROWTH_COUNT)
            return true;
    return false;
}

/* Takes those from LEAKS that have gone down since the rounds ended. */
static void take_released(const Confirmation *self, const WatchSample *now,
                          bool leaks[SOAK_RESOURCES])
{
    for (unsigned i = 0; i < SOAK_RESOURCES; i++) {
        double begin = soak_held(&self->begin, i), end = soak_held(&self->end, i);
        leaks[i] = leaks[i] && soak_held(now, i) - begin > RELEASED * (end - begin);
    }
}

static bool give_time(const Confirmation *self, bool leaks[SOAK_RESOURCES])
{
    const SoakServer *server = self->trial->server;
    const volatile int *stop = server->options->stop;
    WatchSample now;

    for (unsigned passed = 0; any(leaks) && passed < GRACE_MS; passed += GRACE_LOOK_MS) {
        if (play_stopped(stop))
            return false;
        g_usleep(GRACE_LOOK_MS * 1000);
        if (watch_sample(server->watched, &now))
            take_released(self, &now, leaks);
    }
    if (!soak_trial_control(self->trial, CONTROL_CYCLES) ||
        !soak_server_rest(self->trial->server, &self->end, &now))
        return false;
    take_released(self, &now, leaks);
    return true;
}

/* Growth over all rounds. */
static double grown(const Confirmation *self, SoakResource resource)
{
    return soak_held(&self->end, resource) - soak_held(&self->begin, resource);
}

/* A child has a copy of all that its parent holds, a thread has a stack: no leaks of their own. A few children
 * that stay hold many descriptors, which are found before they are. */
static void name_causes(const Confirmation *self, bool leaks[SOAK_RESOURCES])
{
    double children = grown(self, SOAK_CHILD);

    if ((leaks[SOAK_FD] || leaks[SOAK_THREAD]) && children >= FEW_CHILDREN &&
        fmax(grown(self, SOAK_FD), grown(self, SOAK_THREAD)) >= 2 * children)
        leaks[SOAK_CHILD] = true;
    if (leaks[SOAK_CHILD])
        leaks[SOAK_FD] = leaks[SOAK_THREAD] = leaks[SOAK_MEMORY] = false;
    if (leaks[SOAK_THREAD])
        leaks[SOAK_MEMORY] = false;
}

static WatchFdKind kind_that_grew(const Confirmation *self)
{
    WatchFdKind most = 0;

    for (unsigned i = 1; i < FD_KINDS; i++)
        if ((int)(self->end.fds[i] - self->begin.fds[i]) >
            (int)(self->end.fds[most] - self->begin.fds[most]))
            most = i;
    return most;
}

static void judge(const Confirmation *self, bool leaks[SOAK_RESOURCES])
{
    SoakFinding *finding = self->trial->finding;

    for (unsigned i = 0; i < SOAK_RESOURCES; i++) {
        bool measures = soak_measures(self->trial->server, i);
        finding->per_cycle[i] = measures ? growth_trial_slope(&self->growth[i]) : NAN;
        if (self->slopes[i] > 0)
            finding->detectable[i] =
                fmax(finding->detectable[i], growth_trial_least(soak_unit(i), self->first));
        leaks[i] = measures && growth_proportional(soak_unit(i), &self->growth[i]);
    }
}

/* In so many cycles a leak has grown beyond what could be garbage. */
static double cycles_of_garbage(const Confirmation *self)
{
    return ENDURANCE_GARBAGE * self->garbage /
           fmax(self->trial->finding->per_cycle[SOAK_MEMORY], 1);
}

/* Cycles of each half of memory's endurance. */
static unsigned endurance_half(const Confirmation *self)
{
    const SoakTrial *trial = self->trial;
    bool tls = trial->server->target.tls != NULL;
    double cycles =
        MAX(tls ? ENDURANCE_TLS_CYCLES : ENDURANCE_CYCLES, ENDURANCE_ROUNDS * self->first);

    double most_us = tls                 ? ENDURANCE_TLS_US * self->patience
                     : self->garbage > 0 ? MOST_US * self->patience
                                         : MOST_US / 2;
    cycles = fmax(cycles, cycles_of_garbage(self));
    cycles = fmin(cycles, most_us / fmax(trial->cycle_us, 1));
    cycles = fmin(cycles, ENDURANCE_BYTES / fmax(trial->finding->per_cycle[SOAK_MEMORY], 1));
    return (unsigned)fmax(cycles / 2, FEWEST);
}

/* A server that loses descriptors, too, has to have enough of them for all of that. */
static bool bears(const Confirmation *self, const bool leaks[SOAK_RESOURCES])
{
    unsigned cycles = 2 * endurance_half(self);

    for (unsigned i = 0; i < SOAK_RESOURCES; i++)
        if (leaks[i] && soak_unit(i) == GROWTH_COUNT &&
            grown(self, i) + self->trial->finding->per_cycle[i] * cycles > ENDURANCE_COUNT)
            return false;
    return true;
}

/* Where TLS takes so long that too few cycles can be made, a leak cannot be told from a cache of sessions. */
static bool may_be_sessions(const Confirmation *self)
{
    const SoakTrial *trial = self->trial;

    return trial->server->target.tls != NULL && 2 * endurance_half(self) < ENDURANCE_TLS_CYCLES &&
           trial->finding->per_cycle[SOAK_MEMORY] < SESSION_BYTES;
}

static char *say_sessions(const Confirmation *self)
{
    const SoakTrial *trial = self->trial;
    double needed = ENDURANCE_TLS_CYCLES * (double)trial->cycle_us / ENDURANCE_TLS_US;

    return g_strdup_printf("memory grew by %.1f KiB a cycle, as a cache of TLS's sessions does: "
                           "--cycles %.0f can tell them apart",
                           trial->finding->per_cycle[SOAK_MEMORY] / 1024,
                           ceil(needed * SOAK_DEFAULT_CYCLES));
}

/* A runtime that collects garbage lets some of it lie; too few cycles can be made to see beyond that. */
static bool may_be_garbage(const Confirmation *self)
{
    return self->garbage > 0 && 2.0 * endurance_half(self) < floor(cycles_of_garbage(self)) - 2;
}

static char *say_garbage(const Confirmation *self)
{
    const SoakTrial *trial = self->trial;
    double kib = trial->finding->per_cycle[SOAK_MEMORY] / 1024;
    double needed = cycles_of_garbage(self) * (double)trial->cycle_us / MOST_US;

    if (isinf(self->garbage) || ENDURANCE_GARBAGE * self->garbage > ENDURANCE_BYTES)
        return g_strdup_printf(
            "memory grew by %.1f KiB a cycle, as garbage does that %s has not collected "
            "yet: the two cannot be told apart",
            kib, self->runtime);
    return g_strdup_printf(
        "memory grew by %.1f KiB a cycle, as garbage does that %s has not collected yet, "
        "up to %.0f MiB of it: --cycles %.0f can tell them apart",
        kib, self->runtime, self->garbage / (1 << 20), ceil(needed * SOAK_DEFAULT_CYCLES));
}

/* Memory that may be something else than lost is no leak. */
static void excuse_memory(Confirmation *self, bool leaks[SOAK_RESOURCES], double detectable,
                          char *why)
{
    SoakFinding *finding = self->trial->finding;

    leaks[SOAK_MEMORY] = false;
    finding->detectable[SOAK_MEMORY] = detectable;
    if (any(leaks))
        g_free(why);
    else
        soak_finding_settle(finding, SOAK_CLEAN, why);
}

/* Half of the cycles that counts have to endure: until one of LEAKS has grown as far as it may. */
static unsigned endurance_of_counts(const Confirmation *self, const bool leaks[SOAK_RESOURCES])
{
    const SoakTrial *trial = self->trial;
    double cycles = fmin(ENDURANCE_CYCLES, ENDURANCE_COUNT_US / fmax(trial->cycle_us, 1));

    for (unsigned i = 0; i < SOAK_RESOURCES; i++)
        if (leaks[i] && soak_unit(i) == GROWTH_COUNT)
            cycles =
                fmin(cycles, (ENDURANCE_COUNT - grown(self, i)) / trial->finding->per_cycle[i]);
    return (unsigned)fmax(cycles / 2, 0);
}

/* HALF more cycles, twice: takes those of UNIT from LEAKS that have not grown on as they did. False if it could not
 * be seen. */
static bool endure(Confirmation *self, unsigned half, GrowthUnit unit, bool leaks[SOAK_RESOURCES])
{
    SoakTrial *trial = self->trial;
    double *slopes = trial->finding->per_cycle;
    WatchSample before, after;

    if (!soak_server_rest(trial->server, &self->end, &before))
        return false;
    for (unsigned i = 0; i < 2; i++) {
        if (!soak_trial_cycle(trial, half) || !soak_trial_control(trial, CONTROL_CYCLES) ||
            !soak_server_rest(trial->server, &before, &after))
            return false;
        for (unsigned k = 0; k < SOAK_RESOURCES; k++) {
            double now = (soak_held(&after, k) - soak_held(&before, k)) / half;
            if (soak_unit(k) != unit ||
                (unit == GROWTH_COUNT && slopes[k] * half < ENDURANCE_LEAST))
                continue;
            leaks[k] = leaks[k] && now >= ENDURANCE_KEPT * slopes[k];
            if (leaks[k] && unit == GROWTH_BYTES)
                slopes[k] = now;
        }
        before = self->end = after;
    }
    return true;
}

/* True if it leaks. */
static bool leaks_now(SoakTrial *trial, unsigned cycles, const double *slopes)
{
    Confirmation self = {.trial = trial, .slopes = slopes};
    bool leaks[SOAK_RESOURCES] = {false}, endured = true;

    self.patience = fmax(1, (double)cycles / SOAK_DEFAULT_CYCLES);
    self.first = first_round(trial, cycles, slopes);
    if (!play_rounds(&self))
        return false;
    judge(&self, leaks);
    if (!any(leaks) || !give_time(&self, leaks) || !any(leaks))
        return false;
    name_causes(&self, leaks);
    if (leaks[SOAK_MEMORY])
        self.garbage = watch_garbage(trial->server->watched, &self.runtime);
    if (leaks[SOAK_MEMORY] && may_be_sessions(&self))
        excuse_memory(&self, leaks, SESSION_BYTES, say_sessions(&self));
    if (leaks[SOAK_MEMORY] && may_be_garbage(&self))
        excuse_memory(&self, leaks, trial->finding->per_cycle[SOAK_MEMORY], say_garbage(&self));
    /* A descriptor that is kept often has its connection's memory beside it: that is no leak of its own as
     * long as it is not known to be one. */
    if (leaks[SOAK_MEMORY] &&
        !(bears(&self, leaks) && endure(&self, endurance_half(&self), GROWTH_BYTES, leaks)))
        leaks[SOAK_MEMORY] = false;
    unsigned half = endurance_of_counts(&self, leaks);
    if (any_count(leaks) && trial->server->restless == 0 && half > 0)
        endured = endure(&self, half, GROWTH_COUNT, leaks);
    if (!endured || !any(leaks))
        return false;
    memcpy(trial->finding->leaks, leaks, sizeof leaks);
    trial->finding->fd_kind = kind_that_grew(&self);
    return true;
}

/* ---- Where it is tried ------------------------------------------------------------------------- */

/* The point on a server of its own, if we can have one. */
static bool try_again(SoakTrial *trial, unsigned cycles, const double *slopes)
{
    SoakServer *shared = trial->server;
    SoakCycle *cycle = trial->cycle;
    g_autoptr(GError) error = NULL;
    bool leaks = false;

    if (!shared->ours)
        return leaks_now(trial, cycles, slopes);
    trial->server = soak_server_new(shared->options, &shared->target, &error);
    if (trial->server == NULL) {
        soak_finding_settle(trial->finding, SOAK_UNSERVED,
                            g_strdup_printf("once more started: %s", error->message));
    } else {
        unsigned before = trial->finding->cycles;
        trial->cycle = soak_cycle_new(&trial->finding->point, &trial->server->target);
        leaks = leaks_now(trial, cycles, slopes);
        trial->said = soak_server_stop(trial->server);
        trial->said_of = trial->finding->cycles - before;
        shared->cycles += trial->server->cycles;
        soak_cycle_free(trial->cycle);
        soak_server_free(trial->server);
    }
    trial->server = shared;
    trial->cycle = cycle;
    return leaks;
}

void soak_confirm(SoakTrial *trial, unsigned cycles, const double slopes[SOAK_RESOURCES])
{
    SoakFinding *finding = trial->finding;

    finding->confirmed = true;
    if (try_again(trial, cycles, slopes))
        finding->verdict = SOAK_LEAKS;
}
