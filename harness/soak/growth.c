/* Whether readings show a leak. The numbers here are the method; soak.md has the experiments behind them. */
#include <glib.h>
#include <math.h>

#include "soak/growth.h"

#define KIB 1024.0
#define MIB (1024.0 * 1024.0)

/* ---- Screening --------------------------------------------------------------------------------- */

/* What a half must grow by to be looked at again. It follows the number of cycles, so that few of them show
 * one descriptor in 16 cycles and 512 bytes a cycle, up to an amount that is above the usual noise however
 * many there are. */
typedef struct {
    double each, least, most;
} Threshold;

static const Threshold thresholds[] = {
    [GROWTH_COUNT] = {1.0 / 16, 1, 4},
    [GROWTH_BYTES] = {512, 16 * KIB, 192 * KIB},
};

static double half_threshold(GrowthUnit unit, unsigned cycles)
{
    const Threshold *threshold = &thresholds[unit];

    return CLAMP(threshold->each * cycles, threshold->least, threshold->most);
}

bool growth_suspect(GrowthUnit unit, const GrowthScreen *screen)
{
    double half = half_threshold(unit, screen->cycles);

    /* A leak that shows up late in the one half shows up early in the other: the whole is asked for twice
     * the amount, the second half for half of that, lest the step of an allocator decides. */
    return screen->end - screen->begin >= 2 * half && screen->end - screen->middle >= half / 2;
}

double growth_screen_slope(const GrowthScreen *screen)
{
    return screen->cycles > 0 ? (screen->end - screen->begin) / (2.0 * screen->cycles) : 0;
}

double growth_screen_least(GrowthUnit unit, unsigned cycles)
{
    return cycles > 0 ? half_threshold(unit, cycles) / cycles : INFINITY;
}

/* ---- Confirming -------------------------------------------------------------------------------- */

/* The last round has to grow by so much. */
static const double floors[] = {[GROWTH_COUNT] = 6, [GROWTH_BYTES] = 384 * KIB};

/* The share of a cycle's growth that the last round must keep, of what the one before it had. Growth with
 * the logarithm of the cycles keeps less than half, a leak all of it; between them is room for the noise of
 * either. */
#define KEPT 0.6

/* Of the growth in the first round, where caches fill, less has to be left. */
#define KEPT_OF_FIRST 0.2

/* The middle steps of the last round have to grow by this share of the mean: one jump is no leak. */
#define STEADY 0.5

/* And so many times the unrest of the readings. */
#define ABOVE_UNREST 5

/* So fast may a server lose things in a trial of 7 N cycles: descriptors stay below the usual limit of
 * 1,024, memory below what a small machine has. */
static const double bearable[] = {[GROWTH_COUNT] = 500, [GROWTH_BYTES] = 256 * MIB};
#define TRIAL_ROUNDS 7

static double median(double *values, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        double value = values[i];
        unsigned place = i;
        for (; place > 0 && values[place - 1] > value; place--)
            values[place] = values[place - 1];
        values[place] = value;
    }
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

/* How much a step's control cycles add of themselves: their usual growth. Where that is negative, they only
 * give back what the point has taken. */
static double control_growth(const GrowthTrial *trial)
{
    double values[GROWTH_ROUNDS * GROWTH_STEPS];

    for (unsigned i = 0; i < G_N_ELEMENTS(values); i++)
        values[i] = trial->steps[i / GROWTH_STEPS][i % GROWTH_STEPS].control;
    return fmax(median(values, G_N_ELEMENTS(values)), 0);
}

/* By how much readings are off at rest: the usual difference of two that have next to nothing between. */
static double unrest(const GrowthTrial *trial)
{
    double values[GROWTH_ROUNDS * GROWTH_STEPS];

    for (unsigned i = 0; i < G_N_ELEMENTS(values); i++)
        values[i] = fabs(trial->steps[i / GROWTH_STEPS][i % GROWTH_STEPS].control);
    return median(values, G_N_ELEMENTS(values));
}

static double step_growth(const GrowthTrial *trial, unsigned round, unsigned step)
{
    const GrowthStep *each = &trial->steps[round][step];

    return each->grown + each->control - control_growth(trial);
}

static double round_growth(const GrowthTrial *trial, unsigned round)
{
    double growth = 0;

    for (unsigned i = 0; i < GROWTH_STEPS; i++)
        growth += step_growth(trial, round, i);
    return growth;
}

static double round_slope(const GrowthTrial *trial, unsigned round)
{
    unsigned cycles = 0;

    for (unsigned i = 0; i < GROWTH_STEPS; i++)
        cycles += trial->steps[round][i].cycles;
    return cycles > 0 ? round_growth(trial, round) / cycles : 0;
}

/* Growth of the median step, as if all were like that. */
static double steady_growth(const GrowthTrial *trial, unsigned round)
{
    double values[GROWTH_STEPS];

    for (unsigned i = 0; i < GROWTH_STEPS; i++)
        values[i] = step_growth(trial, round, i);
    return median(values, GROWTH_STEPS) * GROWTH_STEPS;
}

bool growth_proportional(GrowthUnit unit, const GrowthTrial *trial)
{
    const unsigned last = GROWTH_ROUNDS - 1;
    double growth = round_growth(trial, last), slope = round_slope(trial, last);

    return growth >= floors[unit] && growth >= ABOVE_UNREST * unrest(trial) &&
           slope >= KEPT * round_slope(trial, last - 1) &&
           slope >= KEPT_OF_FIRST * round_slope(trial, 0) && round_growth(trial, last - 1) > 0 &&
           steady_growth(trial, last) >= STEADY * growth;
}

double growth_trial_slope(const GrowthTrial *trial)
{
    return round_slope(trial, GROWTH_ROUNDS - 1);
}

double growth_trial_least(GrowthUnit unit, unsigned cycles)
{
    return cycles > 0 ? floors[unit] / (4.0 * cycles) : INFINITY;
}

unsigned growth_trial_cycles(GrowthUnit unit, double slope, unsigned most)
{
    /* A count is exact: twice the floor tells enough. */
    if (unit == GROWTH_COUNT && slope > 0)
        return (unsigned)ceil(fmin(most, fmax(24, 2 * floors[unit] / slope)));
    return most;
}

unsigned growth_trial_bearable(GrowthUnit unit, double slope, unsigned most)
{
    if (slope <= 0)
        return most;
    return (unsigned)fmin(most, fmax(GROWTH_STEPS, bearable[unit] / (TRIAL_ROUNDS * slope)));
}
