/* Growth: whether what a server holds grows with the connections that it has seen.
 *
 * Pure functions, readings in and judgement out, so that they can be tried on series of any kind. The first
 * look errs on the side of suspicion, the second on the side of the server: doc: soak.md.
 */
#ifndef NBDCONFORM_SOAK_GROWTH_H
#define NBDCONFORM_SOAK_GROWTH_H

#include <stdbool.h>

typedef enum {
    GROWTH_COUNT, /* descriptors, threads, processes: at rest they are exact */
    GROWTH_BYTES, /* memory: comes in pages, and in whatever steps an allocator takes */
} GrowthUnit;

/* ---- Screening --------------------------------------------------------------------------------- */

/* What is held after warming up, after half of the cycles, and after all of them. */
typedef struct {
    unsigned cycles; /* in each half */
    double begin, middle, end;
} GrowthScreen;

/* True if this could be a leak: in the whole it grew enough, and it still did in the second half. */
bool growth_suspect(GrowthUnit unit, const GrowthScreen *screen);

/* Growth of each cycle: the mean. */
double growth_screen_slope(const GrowthScreen *screen);

/* The smallest steady growth of each cycle that growth_suspect() is sure to see, in CYCLES a half. */
double growth_screen_least(GrowthUnit unit, unsigned cycles);

/* ---- Confirming -------------------------------------------------------------------------------- */

#define GROWTH_ROUNDS 3u /* of N, 2N and 4N cycles */
#define GROWTH_STEPS 4u  /* in each round, with control cycles behind each */

/* One step: how much more was held after the point's cycles than before, and after the control cycles
 * that came next than after those. */
typedef struct {
    unsigned cycles;
    double grown, control;
} GrowthStep;

typedef struct {
    GrowthStep steps[GROWTH_ROUNDS][GROWTH_STEPS];
} GrowthTrial;

/* True if it grows in proportion to the cycles, by enough, in every part of the last round, and does not
 * flatten. What control cycles grow by is not counted, what they give back is. */
bool growth_proportional(GrowthUnit unit, const GrowthTrial *trial);

/* Growth of each of the last round's cycles. */
double growth_trial_slope(const GrowthTrial *trial);

/* The smallest steady growth of each cycle that growth_proportional() is sure to see, where the first
 * round has CYCLES. */
double growth_trial_least(GrowthUnit unit, unsigned cycles);

/* How many cycles the first round needs, to tell whether growth of SLOPE a cycle is real, where MOST are
 * allowed; and how many it may have at the most, so that the server can bear what it loses. */
unsigned growth_trial_cycles(GrowthUnit unit, double slope, unsigned most);
unsigned growth_trial_bearable(GrowthUnit unit, double slope, unsigned most);

#endif
