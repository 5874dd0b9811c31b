/* Growth: series that are leaks, series that only look like some, and how often chance deceives. */
#include <CUnit/Basic.h>
#include <glib.h>
#include <math.h>

#include "soak/growth.h"

#define KIB 1024.0
#define PAGE 4096.0

/* What a server holds after N cycles of the point. */
typedef struct Server Server;
struct Server {
    double (*held)(const Server *server, double n);
    double slope, plateau, after; /* growth a cycle; once, in all, within so many cycles */
    double noise;                 /* most that a reading is off, either way */
    GRand *random;
};

static double reading(const Server *server, double n)
{
    double off = server->noise > 0 ? g_rand_double_range(server->random, -1, 1) : 0;

    return server->held(server, n) + floor(off * server->noise / PAGE + 0.5) * PAGE;
}

/* As soak does it: some cycles to warm up, then the two halves. */
static GrowthScreen screened(const Server *server, double warm, unsigned half)
{
    return (GrowthScreen){.cycles = half,
                          .begin = reading(server, warm),
                          .middle = reading(server, warm + half),
                          .end = reading(server, warm + 2.0 * half)};
}

static GrowthTrial tried(const Server *server, unsigned cycles)
{
    GrowthTrial trial = {0};
    double made = cycles / 2.0, held = reading(server, made);

    for (unsigned round = 0; round < GROWTH_ROUNDS; round++)
        for (unsigned i = 0; i < GROWTH_STEPS; i++) {
            GrowthStep *step = &trial.steps[round][i];
            step->cycles = (cycles << round) / GROWTH_STEPS;
            made += step->cycles;
            double after = reading(server, made), control = reading(server, made);
            step->grown = after - held;
            step->control = control - after;
            held = control;
        }
    return trial;
}

static bool proportional(GrowthUnit unit, const Server *server, unsigned cycles)
{
    GrowthTrial trial = tried(server, cycles);

    return growth_proportional(unit, &trial);
}

static bool suspected(GrowthUnit unit, const Server *server, unsigned half)
{
    GrowthScreen screen = screened(server, 16, half);

    return growth_suspect(unit, &screen);
}

/* ---- What servers do --------------------------------------------------------------------------- */

static double steady(const Server *server, double n)
{
    return floor(n * server->slope);
}

static double pages(const Server *server, double n)
{
    return floor(n * server->slope / PAGE) * PAGE;
}

/* Fills a pool, a cache, an arena, and that is that; beside a leak of SLOPE. */
static double filling(const Server *server, double n)
{
    return floor(server->plateau * fmin(n / server->after, 1) / PAGE) * PAGE + pages(server, n);
}

static double settling(const Server *server, double n)
{
    return server->plateau * (1 - exp(-n / server->after));
}

static double logarithm(const Server *server, double n)
{
    return server->plateau * log(1 + n);
}

static double one_step(const Server *server, double n)
{
    return n > server->after ? server->plateau : 0;
}

static double pool_of_threads(const Server *server, double n)
{
    return fmin(floor(n), server->plateau);
}

/* ---- Tests ------------------------------------------------------------------------------------- */

static void counts_that_leak_are_found(void)
{
    static const double slopes[] = {1.0 / 8, 1.0 / 7, 1.0 / 3, 1, 2, 7};

    for (size_t i = 0; i < G_N_ELEMENTS(slopes); i++) {
        Server server = {.held = steady, .slope = slopes[i]};
        unsigned cycles = growth_trial_cycles(GROWTH_COUNT, slopes[i], 200);
        CU_ASSERT_TRUE(suspected(GROWTH_COUNT, &server, 64));
        CU_ASSERT_TRUE(proportional(GROWTH_COUNT, &server, cycles));
        GrowthTrial trial = tried(&server, cycles);
        CU_ASSERT_DOUBLE_EQUAL(growth_trial_slope(&trial), slopes[i], slopes[i] / 4);
    }
}

static void one_in_eight_is_found_by_chance_too(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(8);
    unsigned missed = 0;

    for (unsigned i = 0; i < 1000; i++) {
        GrowthScreen screen = {.cycles = 64};
        for (unsigned n = 0; n < 64; n++) {
            screen.middle += g_rand_int_range(random, 0, 8) == 0;
            screen.end += g_rand_int_range(random, 0, 8) == 0;
        }
        screen.end += screen.middle;
        missed += !growth_suspect(GROWTH_COUNT, &screen);
    }
    CU_ASSERT_TRUE(missed < 50);
}

static void memory_that_leaks_is_found(void)
{
    static const double slopes[] = {1 * KIB, 1040, 4 * KIB, 33 * KIB, 1024 * KIB};

    for (size_t i = 0; i < G_N_ELEMENTS(slopes); i++) {
        Server server = {.held = pages, .slope = slopes[i]};
        unsigned cycles = growth_trial_bearable(GROWTH_BYTES, slopes[i], 200);
        CU_ASSERT_TRUE(suspected(GROWTH_BYTES, &server, 64));
        CU_ASSERT_TRUE(proportional(GROWTH_BYTES, &server, cycles));
    }
}

static void sixty_four_bytes_are_found_in_twenty_thousand_cycles(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(64);
    Server server = {.held = pages, .slope = 64, .noise = 48 * KIB, .random = random};
    unsigned cycles = growth_trial_cycles(GROWTH_BYTES, server.slope, 20000 / 7);

    for (unsigned i = 0; i < 1000; i++) {
        CU_ASSERT_TRUE(suspected(GROWTH_BYTES, &server, 10000));
        CU_ASSERT_TRUE(proportional(GROWTH_BYTES, &server, cycles));
    }
    CU_ASSERT_TRUE(growth_trial_least(GROWTH_BYTES, cycles) < 64);
    CU_ASSERT_TRUE(growth_screen_least(GROWTH_BYTES, 10000) < 64);
}

static void a_leak_beside_a_plateau_is_found(void)
{
    Server server = {.held = filling, .slope = 1 * KIB, .plateau = 300 * KIB, .after = 250};

    CU_ASSERT_TRUE(proportional(GROWTH_BYTES, &server, 200));
}

static void plateaus_are_no_leaks(void)
{
    for (unsigned after = 10; after < 2000; after += after / 3)
        for (unsigned plateau = 64 << 10; plateau < 200 << 20; plateau *= 2) {
            Server fills = {.held = filling, .plateau = plateau, .after = fmin(after, 700)};
            Server settles = {.held = settling, .plateau = plateau, .after = fmin(after, 350)};
            CU_ASSERT_FALSE(proportional(GROWTH_BYTES, &fills, 200));
            CU_ASSERT_FALSE(proportional(GROWTH_BYTES, &settles, 200));
        }
}

static void growth_that_flattens_is_no_leak(void)
{
    for (unsigned plateau = 16 << 10; plateau < 64 << 20; plateau *= 2) {
        Server server = {.held = logarithm, .plateau = plateau};
        CU_ASSERT_FALSE(proportional(GROWTH_BYTES, &server, 200));
        CU_ASSERT_FALSE(proportional(GROWTH_BYTES, &server, 20000 / 7));
    }
}

static void a_step_is_no_leak_wherever_it_falls(void)
{
    for (unsigned after = 100; after < 1500; after += 50) {
        Server memory = {.held = one_step, .plateau = 8192 * KIB, .after = after};
        Server fds = {.held = one_step, .plateau = 64, .after = after};
        CU_ASSERT_FALSE(proportional(GROWTH_BYTES, &memory, 200));
        CU_ASSERT_FALSE(proportional(GROWTH_COUNT, &fds, 200));
    }
}

/* Rounds that grow by FIRST, SECOND and THIRD a cycle, in each of their steps. */
static GrowthTrial growing_by(double first, double second, double third)
{
    const double slopes[GROWTH_ROUNDS] = {first, second, third};
    GrowthTrial trial = {0};

    for (unsigned round = 0; round < GROWTH_ROUNDS; round++)
        for (unsigned i = 0; i < GROWTH_STEPS; i++)
            trial.steps[round][i] =
                (GrowthStep){.cycles = 20u << round, .grown = slopes[round] * (20u << round)};
    return trial;
}

/* Each demand is made by itself: what meets all the others is refused by it. */
static void each_demand_counts_alone(void)
{
    const struct {
        double first, second, third;
        bool leak;
    } rows[] = {
        {1, 1, 1, true},
        {1, 1, 0.65, true},
        {1, 1, 0.6, true},
        {1, 1, 0.55, false}, /* of the round before */
        {10, 3, 2, true},
        {10, 3, 1.9, false}, /* of the first round */
        {0, 0.1, 1, true},
        {0, 0, 1, false},
        {1, -0.1, 1, false}, /* in the round before */
        {0.01875, 0.01875, 0.01875, true},
        {0.018, 0.018, 0.018, false}, /* at all: 6 */
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GrowthTrial trial = growing_by(rows[i].first, rows[i].second, rows[i].third);
        CU_ASSERT_EQUAL(growth_proportional(GROWTH_COUNT, &trial), rows[i].leak);
    }
}

static void one_jump_in_the_last_round_is_no_leak(void)
{
    GrowthTrial trial = growing_by(1, 1, 1);
    GrowthStep *last = trial.steps[GROWTH_ROUNDS - 1];

    last[2].grown += last[0].grown + last[1].grown + last[3].grown;
    last[0].grown = last[1].grown = last[3].grown = 0;
    CU_ASSERT_FALSE(growth_proportional(GROWTH_COUNT, &trial));
}

/* A last round whose steps grow by these, behind others that demand little. */
static bool steps_are_a_leak(double a, double b, double c, double d)
{
    GrowthTrial trial = growing_by(0.1, 0.1, 0);
    GrowthStep *last = trial.steps[GROWTH_ROUNDS - 1];

    last[0].grown = a;
    last[1].grown = b;
    last[2].grown = c;
    last[3].grown = d;
    return growth_proportional(GROWTH_COUNT, &trial);
}

static void half_of_the_growth_has_to_be_in_all_steps(void)
{
    CU_ASSERT_TRUE(steps_are_a_leak(10, 10, 10, 50));
    CU_ASSERT_FALSE(steps_are_a_leak(10, 10, 10, 51));
    CU_ASSERT_TRUE(
        steps_are_a_leak(25, 5, 65, 15)); /* the mean of the two in the middle counts: 20 … */
    CU_ASSERT_FALSE(steps_are_a_leak(15, 5, 70, 0)); /* … and 10 */
}

static void growth_has_to_stand_out_from_unrest(void)
{
    for (unsigned grown = 29; grown <= 30; grown++) {
        GrowthTrial trial = growing_by(grown / 320.0, grown / 320.0, grown / 320.0);
        for (unsigned i = 0; i < GROWTH_ROUNDS * GROWTH_STEPS; i++)
            trial.steps[i / GROWTH_STEPS][i % GROWTH_STEPS].control = i % 2 == 0 ? 6 : -6;
        CU_ASSERT_EQUAL(growth_proportional(GROWTH_COUNT, &trial), grown == 30);
    }
}

static void the_whole_and_its_second_half_have_their_thresholds(void)
{
    const struct {
        double middle, end;
        bool suspect;
    } rows[] = {{6, 8, true}, {5, 7, false}, {6.5, 8, false}, {16, 20, true}};

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GrowthScreen screen = {.cycles = 64, .middle = rows[i].middle, .end = rows[i].end};
        CU_ASSERT_EQUAL(growth_suspect(GROWTH_COUNT, &screen), rows[i].suspect);
    }
}

static void a_screen_s_slope_is_that_of_both_halves(void)
{
    GrowthScreen screen = {.cycles = 64, .begin = 10, .middle = 10, .end = 138}, empty = {0};

    CU_ASSERT_EQUAL(growth_screen_slope(&screen), 1);
    CU_ASSERT_EQUAL(growth_screen_slope(&empty), 0);
}

static void what_stops_in_the_second_half_is_not_suspected(void)
{
    GrowthScreen stops = {.cycles = 64, .middle = 64, .end = 64}, goes_on = stops;

    goes_on.middle = 32;
    CU_ASSERT_FALSE(growth_suspect(GROWTH_COUNT, &stops));
    CU_ASSERT_TRUE(growth_suspect(GROWTH_COUNT, &goes_on));
}

static void pools_are_no_leaks(void)
{
    for (unsigned size = 1; size < 100; size++) {
        Server server = {.held = pool_of_threads, .plateau = size};
        CU_ASSERT_FALSE(proportional(GROWTH_COUNT, &server, 40));
    }
    Server server = {.held = pool_of_threads, .plateau = 16};
    CU_ASSERT_FALSE(suspected(GROWTH_COUNT, &server, 64));
}

static void noise_is_no_leak(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(3);
    unsigned suspects = 0, false_leaks = 0;

    for (unsigned noise = 4 << 10; noise < 1 << 20; noise *= 2) {
        Server server = {.held = pages, .noise = noise, .random = random};
        for (unsigned i = 0; i < 5000; i++) {
            suspects += suspected(GROWTH_BYTES, &server, 64);
            false_leaks += proportional(GROWTH_BYTES, &server, 200);
        }
    }
    CU_ASSERT_TRUE(suspects > 0);
    CU_ASSERT_EQUAL(false_leaks, 0);
}

/* A walk at random: memory that comes and goes by chance, and stays where it is. */
static void wandering_is_seldom_a_leak(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(5);
    unsigned false_leaks = 0;

    for (unsigned i = 0; i < 5000; i++) {
        GrowthTrial trial = {0};
        for (unsigned round = 0; round < GROWTH_ROUNDS; round++)
            for (unsigned k = 0; k < GROWTH_STEPS; k++) {
                GrowthStep *step = &trial.steps[round][k];
                step->cycles = 50u << round;
                for (unsigned n = 0; n < step->cycles; n++)
                    step->grown += g_rand_int_range(random, -1, 2) * PAGE;
            }
        false_leaks += growth_proportional(GROWTH_BYTES, &trial);
    }
    CU_ASSERT_EQUAL(false_leaks, 0);
}

static void what_control_cycles_do_is_not_the_points_doing(void)
{
    GrowthTrial trial;

    for (unsigned round = 0; round < GROWTH_ROUNDS; round++)
        for (unsigned i = 0; i < GROWTH_STEPS; i++)
            trial.steps[round][i] = (GrowthStep){.cycles = 10u << round, .control = 10};
    CU_ASSERT_FALSE(growth_proportional(GROWTH_COUNT, &trial));

    /* What the point leaves until the next connection comes is no leak either. */
    for (unsigned round = 0; round < GROWTH_ROUNDS; round++)
        for (unsigned i = 0; i < GROWTH_STEPS; i++) {
            double left = 10 << round;
            trial.steps[round][i] =
                (GrowthStep){.cycles = 10u << round, .grown = left, .control = -left};
        }
    CU_ASSERT_FALSE(growth_proportional(GROWTH_COUNT, &trial));
}

static void trials_are_short_where_little_is_enough(void)
{
    CU_ASSERT_EQUAL(growth_trial_cycles(GROWTH_COUNT, 1, 200), 24);
    CU_ASSERT_EQUAL(growth_trial_cycles(GROWTH_COUNT, 1.0 / 8, 200), 96);
    CU_ASSERT_EQUAL(growth_trial_cycles(GROWTH_COUNT, 1.0 / 1000, 200), 200);
    CU_ASSERT_EQUAL(growth_trial_cycles(GROWTH_BYTES, 1024, 200), 200);
    CU_ASSERT_EQUAL(growth_trial_cycles(GROWTH_BYTES, 64 * KIB, 200), 200);
}

static void no_trial_asks_too_much_of_the_server(void)
{
    CU_ASSERT_EQUAL(growth_trial_bearable(GROWTH_COUNT, 1, 200), 71);
    CU_ASSERT_TRUE(growth_trial_bearable(GROWTH_COUNT, 50, 200) >= GROWTH_STEPS);
    CU_ASSERT_EQUAL(growth_trial_bearable(GROWTH_BYTES, 1024, 200), 200);
    CU_ASSERT_TRUE(growth_trial_bearable(GROWTH_BYTES, 1 << 20, 200) < 40);
    CU_ASSERT_EQUAL(growth_trial_bearable(GROWTH_BYTES, 1e9, 200), GROWTH_STEPS);
}

static void the_least_that_is_promised_is_found(void)
{
    for (unsigned cycles = 16; cycles < 20000; cycles *= 2) {
        Server few = {.held = steady, .slope = growth_screen_least(GROWTH_COUNT, cycles) * 1.1};
        CU_ASSERT_TRUE(few.slope * cycles < 4 || suspected(GROWTH_COUNT, &few, cycles));
        few.slope = growth_trial_least(GROWTH_COUNT, cycles) * 1.4;
        CU_ASSERT_TRUE(proportional(GROWTH_COUNT, &few, cycles));
        Server much = {.held = pages, .slope = growth_screen_least(GROWTH_BYTES, cycles) * 1.3};
        CU_ASSERT_TRUE(suspected(GROWTH_BYTES, &much, cycles));
        much.slope = growth_trial_least(GROWTH_BYTES, cycles) * 1.1;
        CU_ASSERT_TRUE(proportional(GROWTH_BYTES, &much, cycles));
    }
}

void soak_growth_tests(void);
void soak_growth_tests(void)
{
    CU_pSuite suite = CU_add_suite("soak growth", NULL, NULL);

    CU_ADD_TEST(suite, counts_that_leak_are_found);
    CU_ADD_TEST(suite, one_in_eight_is_found_by_chance_too);
    CU_ADD_TEST(suite, memory_that_leaks_is_found);
    CU_ADD_TEST(suite, sixty_four_bytes_are_found_in_twenty_thousand_cycles);
    CU_ADD_TEST(suite, a_leak_beside_a_plateau_is_found);
    CU_ADD_TEST(suite, plateaus_are_no_leaks);
    CU_ADD_TEST(suite, growth_that_flattens_is_no_leak);
    CU_ADD_TEST(suite, a_step_is_no_leak_wherever_it_falls);
    CU_ADD_TEST(suite, each_demand_counts_alone);
    CU_ADD_TEST(suite, one_jump_in_the_last_round_is_no_leak);
    CU_ADD_TEST(suite, half_of_the_growth_has_to_be_in_all_steps);
    CU_ADD_TEST(suite, growth_has_to_stand_out_from_unrest);
    CU_ADD_TEST(suite, the_whole_and_its_second_half_have_their_thresholds);
    CU_ADD_TEST(suite, a_screen_s_slope_is_that_of_both_halves);
    CU_ADD_TEST(suite, what_stops_in_the_second_half_is_not_suspected);
    CU_ADD_TEST(suite, pools_are_no_leaks);
    CU_ADD_TEST(suite, noise_is_no_leak);
    CU_ADD_TEST(suite, wandering_is_seldom_a_leak);
    CU_ADD_TEST(suite, what_control_cycles_do_is_not_the_points_doing);
    CU_ADD_TEST(suite, trials_are_short_where_little_is_enough);
    CU_ADD_TEST(suite, no_trial_asks_too_much_of_the_server);
    CU_ADD_TEST(suite, the_least_that_is_promised_is_found);
}
