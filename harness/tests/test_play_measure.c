/* What is told of times, and that it weighs nothing. */
#include <CUnit/CUnit.h>
#include <math.h>
#include <string.h>

#include "play/player.h"
#include "played.h"

void play_measure_tests(void);

#define MS 1000

static void how_many_are_at_once_is_told_where_it_is_clear(void)
{
    static const struct {
        gint64 alone_us, together_us;
        uint64_t requests;
        double at_once; /* 0: not told */
    } rows[] = {
        {10 * MS, 10 * MS, 8, 8},      /* as long as one */
        {10 * MS, 80 * MS, 8, 1},      /* as long as eight */
        {10 * MS, 70 * MS, 8, 8. / 7}, /* hardly less */
        {10 * MS, 50 * MS, 8, 0},      /* something between */
        {10 * MS, 40 * MS, 8, 2},
        {10 * MS, 200 * MS, 8, 1}, /* never less than one */
        {10 * MS, 5 * MS, 8, 8},   /* nor more than there are */
        {999, 999, 8, 0},          /* too short to be work */
        {10 * MS, 0, 8, 0},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        double at_once = play_at_once(rows[i].alone_us, rows[i].together_us, rows[i].requests);
        CU_ASSERT_EQUAL(isnan(at_once), rows[i].at_once == 0);
        CU_ASSERT(isnan(at_once) || fabs(at_once - rows[i].at_once) < 0.001);
    }
}

/* Counts the requests for each command. */
typedef struct {
    uint64_t ends;    /* at this command the server hangs up */
    unsigned refuses; /* from so many on, requests with FAST_ZERO fail with ENOTSUP; 0: none do */
    GMutex mutex;
    unsigned count[NBD_CMD_RESIZE + 1], fast;
} Counter;

static FakeReaction count(void *data, const FakeRequest *request)
{
    Counter *counter = data;

    g_mutex_lock(&counter->mutex);
    counter->count[MIN(request->command, NBD_CMD_RESIZE)]++;
    bool fast = request->flags == NBD_CMD_FLAG_FAST_ZERO;
    counter->fast += fast;
    bool refused = fast && counter->refuses > 0 && counter->fast >= counter->refuses;
    g_mutex_unlock(&counter->mutex);
    return request->command == counter->ends ? FAKE_CLOSE : refused ? FAKE_REFUSE : FAKE_ANSWER;
}

static Played *measured(const char *lines, Counter *counter, const PlayMode *mode)
{
    static const char *const scripts[] = {"serve", "serve", "serve", NULL};
    FakeConfig config = {.scripts = scripts,
                         .size = 1 << 20,
                         .transmission_flags = NBD_FLAG_SEND_WRITE_ZEROES | NBD_FLAG_SEND_FAST_ZERO,
                         .handler = count,
                         .data = counter};

    return played_config_new(lines, &config, mode);
}

static const Measurement *only(const Played *played)
{
    const GPtrArray *all = played->result->measurements;

    return all != NULL && all->len == 1 ? all->pdata[0] : NULL;
}

#define PARALLEL "parallel requests=4 length=512 @robust.pipelining\n"

static void reads_together_are_measured_on_one_connection_and_on_several(void)
{
    Counter counter = {.ends = UINT64_MAX};
    g_autoptr(Played) one = measured("open\n" PARALLEL, &counter, NULL);
    PLAYED_IS(one, "pass", "", "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(only(one));
    CU_ASSERT_STRING_EQUAL(only(one)->name, "reads-at-once");
    CU_ASSERT_PTR_NOT_NULL(strstr(only(one)->text, "4 READs on 1 connection: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(one->result->transcript, only(one)->text));
    CU_ASSERT_PTR_NULL(strstr(only(one)->text, "out of order"));
    /* eight that are not measured, one alone and four together some times, and one to see that nothing more comes */
    CU_ASSERT(counter.count[NBD_CMD_READ] >= 8 + 3 * (1 + 4) + 1);
    CU_ASSERT_EQUAL((counter.count[NBD_CMD_READ] - 8 - 1) % (1 + 4), 0);

    g_autoptr(Played) two = measured("open\nopen as B\n" PARALLEL, &counter, NULL);
    PLAYED_IS(two, "pass", "", "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(only(two));
    CU_ASSERT_STRING_EQUAL(only(two)->name, "reads-at-once-on-connections");
    CU_ASSERT_PTR_NOT_NULL(strstr(only(two)->text, "4 READs on 2 connections: "));
}

/* As often as they may be measured: one alone, and four that are answered backwards. */
static void answers_out_of_order_are_told_of(void)
{
    g_autoptr(GString) script = g_string_new(OPEN_DISK);
    unsigned cookie = 1;

    for (; cookie <= 8; cookie++)
        g_string_append(script, "request;");
    for (unsigned i = 1; i <= 8; i++)
        g_string_append_printf(script, DATA("%u"), i);
    for (unsigned i = 0; i < 8; i++, cookie += 5)
        g_string_append_printf(script,
                               "request;" DATA("%u") "request; request; request; request;" DATA(
                                   "%u") DATA("%u") DATA("%u") DATA("%u"),
                               cookie, cookie + 4, cookie + 3, cookie + 2, cookie + 1);
    g_autoptr(Played) played = played_new("open\n" PARALLEL, script->str);
    CU_ASSERT_PTR_NOT_NULL_FATAL(only(played));
    CU_ASSERT_PTR_NOT_NULL(strstr(only(played)->text, "; answered out of order"));
}

static void what_cannot_be_measured_is_an_error(void)
{
    static const char *const lines[] = {
        "parallel\n",
        "connect\nparallel\n",
        "negotiate\nparallel\n",
        "open\nconnect as B\nparallel\n",
        "negotiate\n: fast-zero offset=0 length=512\n",
        "open\nparallel requests=1\n",
        "open\nparallel requests=65\n",
        "open\n: fast-zero offset=0 length=0\n",
        "open\n: fast-zero offset=0 length=32M+1\n",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        Counter counter = {.ends = UINT64_MAX};
        g_autoptr(Played) played = measured(lines[i], &counter, NULL);
        CU_ASSERT_EQUAL(played->result->verdict, VERDICT_ERROR);
        CU_ASSERT_PTR_NULL(only(played));
    }
}

static void a_read_without_an_answer_is_no_measurement(void)
{
    Counter counter = {.ends = NBD_CMD_READ};
    g_autoptr(Played) played = measured("open\n" PARALLEL, &counter, NULL);

    PLAYED_IS(played, "fail robustness", "robust.pipelining", "");
    CU_ASSERT_PTR_NULL(only(played));
}

#define FAST "open\n: fast-zero offset=0 length=4096 @transmission.write-zeroes.fast-answer\n"

static void fast_zeroes_are_measured_beside_writes(void)
{
    Counter counter = {.ends = UINT64_MAX};
    g_autoptr(Played) played = measured(FAST, &counter, NULL);

    PLAYED_IS(played, "pass", "", "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(only(played));
    CU_ASSERT_STRING_EQUAL(only(played)->name, "fast-zero-time");
    CU_ASSERT(only(played)->value > 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(only(played)->text, "of 4 KiB took "));
    CU_ASSERT(counter.count[NBD_CMD_WRITE] >= 5);
    CU_ASSERT_EQUAL(counter.fast, counter.count[NBD_CMD_WRITE]);
}

static void zeroes_that_are_refused_are_measured_as_such(void)
{
    Counter always = {.ends = UINT64_MAX, .refuses = 1},
            at_last = {.ends = UINT64_MAX, .refuses = 5};
    g_autoptr(Played) refused = measured(FAST, &always, NULL);
    g_autoptr(Played) mixed = measured(FAST, &at_last, NULL);

    PLAYED_IS(refused, "pass", "", "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(only(refused));
    CU_ASSERT_PTR_NOT_NULL(strstr(only(refused)->text, " was refused (ENOTSUP) in "));
    CU_ASSERT_PTR_NOT_NULL_FATAL(only(mixed));
    CU_ASSERT_PTR_NOT_NULL(strstr(only(mixed)->text, " was done or refused (ENOTSUP) in "));
}

static void without_leave_to_write_no_zeroes_are_measured(void)
{
    PlayMode mode = played_mode();
    Counter counter = {.ends = UINT64_MAX};

    mode.allow_writes = false;
    g_autoptr(Played) played = measured(FAST, &counter, &mode);
    PLAYED_IS(played, "skip", "", "");
    CU_ASSERT_EQUAL(counter.count[NBD_CMD_WRITE] + counter.fast, 0);
    CU_ASSERT_PTR_NULL(only(played));
}

static void in_segments_no_zeroes_are_measured(void)
{
    PlayMode mode = played_mode();
    Counter counter = {.ends = UINT64_MAX};

    mode.segment = 1;
    g_autoptr(Played) played = measured(FAST, &counter, &mode);
    PLAYED_IS(played, "skip", "", "");
    CU_ASSERT_EQUAL(counter.count[NBD_CMD_WRITE], 0);
}

void play_measure_tests(void)
{
    CU_pSuite suite = CU_add_suite("play: what is measured", NULL, NULL);

    CU_ADD_TEST(suite, how_many_are_at_once_is_told_where_it_is_clear);
    CU_ADD_TEST(suite, reads_together_are_measured_on_one_connection_and_on_several);
    CU_ADD_TEST(suite, answers_out_of_order_are_told_of);
    CU_ADD_TEST(suite, what_cannot_be_measured_is_an_error);
    CU_ADD_TEST(suite, a_read_without_an_answer_is_no_measurement);
    CU_ADD_TEST(suite, fast_zeroes_are_measured_beside_writes);
    CU_ADD_TEST(suite, zeroes_that_are_refused_are_measured_as_such);
    CU_ADD_TEST(suite, without_leave_to_write_no_zeroes_are_measured);
    CU_ADD_TEST(suite, in_segments_no_zeroes_are_measured);
}
