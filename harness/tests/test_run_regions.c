/* The regions of an export that cases write to: apart from each other, and at rest. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "ran.h"
#include "run/private.h"

void run_regions_tests(void);

static uint64_t take(RunRegions *regions)
{
    bool restless;
    uint64_t region = run_regions_take(regions, &restless);

    CU_ASSERT_FALSE(restless);
    return region;
}

static void regions_are_aligned_and_apart(void)
{
    static const struct {
        uint64_t export_size, size;
        uint32_t preferred;
        unsigned wanted, count;
        uint64_t step;
    } rows[] = {
        {64 * MIB, 1, 4096, 4, 4, 65536},
        {64 * MIB, 65536, 4096, 4, 4, 65536},
        {64 * MIB, 65537, 4096, 4, 4, 131072},
        {64 * MIB, 65536, 1 << 20, 4, 4, MIB},
        {3 * 65536, 65536, 4096, 4, 3, 65536},
        {3 * 65536 - 1, 65536, 4096, 4, 2, 65536},
        {65536, 65536, 4096, 4, 1, 65536},
        {65535, 65536, 4096, 4, 0, 0},
        {0, 65536, 4096, 4, 0, 0},
        {64 * MIB, 0, 4096, 4, 0, 0},
        {UINT64_MAX, UINT64_MAX, 4096, 4, 0, 0},
        {INT64_MAX, 65536, 0xffffffff, 4, 4, 0xffffffff},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        SessionFacts facts = {.size = rows[i].export_size, .preferred = rows[i].preferred};
        RunRegions *regions = run_regions_new(&facts, rows[i].size, rows[i].wanted);
        CU_ASSERT_EQUAL(run_regions_fit(regions, rows[i].size), rows[i].count > 0);
        CU_ASSERT_FALSE(run_regions_fit(regions, rows[i].size + 1));
        for (unsigned j = 0; j < rows[i].count; j++)
            CU_ASSERT_EQUAL(take(regions), j * rows[i].step);
        run_regions_free(regions);
    }
}

static gpointer take_one(gpointer data)
{
    uint64_t *region = g_new(uint64_t, 1);

    *region = take(data);
    return region;
}

static void who_comes_too_late_waits_for_a_region(void)
{
    SessionFacts facts = {.size = 2 * 65536, .preferred = 4096};
    RunRegions *regions = run_regions_new(&facts, 65536, 4);

    CU_ASSERT_EQUAL(take(regions), 0);
    CU_ASSERT_EQUAL(take(regions), 65536);
    GThread *thread = g_thread_new("late", take_one, regions);
    run_regions_give(regions, 65536, false);
    g_autofree uint64_t *region = g_thread_join(thread);
    CU_ASSERT_EQUAL(*region, 65536);
    run_regions_free(regions);
}

static void who_waits_gets_a_region_at_rest(void)
{
    SessionFacts facts = {.size = 2 * 65536, .preferred = 4096};
    RunRegions *regions = run_regions_new(&facts, 65536, 4);

    CU_ASSERT_EQUAL(take(regions), 0);
    CU_ASSERT_EQUAL(take(regions), 65536);
    run_regions_give(regions, 0, true);
    GThread *thread = g_thread_new("late", take_one, regions);
    g_usleep(G_USEC_PER_SEC / 20);
    run_regions_give(regions, 65536, false);
    g_autofree uint64_t *region = g_thread_join(thread);
    CU_ASSERT_EQUAL(*region, 65536);
    run_regions_free(regions);
}

static void where_something_may_still_be_written_nobody_else_writes(void)
{
    SessionFacts facts = {.size = 3 * 65536, .preferred = 4096};
    RunRegions *regions = run_regions_new(&facts, 65536, 2);
    bool restless;

    CU_ASSERT_EQUAL(take(regions), 0);
    run_regions_give(regions, 0, true);
    CU_ASSERT_EQUAL(take(regions), 65536);
    run_regions_give(regions, 65536, false);
    CU_ASSERT_EQUAL(take(regions), 65536); /* two are enough to go round */
    CU_ASSERT_EQUAL(take(regions), 2 * UINT64_C(65536));
    run_regions_give(regions, 2 * UINT64_C(65536), true);
    run_regions_give(regions, 65536, true);
    /* there is no other: the one that had the longest rest */
    CU_ASSERT_EQUAL(run_regions_take(regions, &restless), 0);
    CU_ASSERT_TRUE(restless);
    run_regions_free(regions);
}

#define DROPS(command, ignored)                                                                    \
    "uses region 64k\nopen export=\"silent\"\nC: request " command                                 \
    " offset=$region length=4096" ignored "\nC: close\n"

/* The numbers of the regions that were asked for, by connection: the log mixes these. */
static char *regions_used(const Watch *watch, unsigned connections)
{
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < connections; i++) {
        for (guint j = 0; j < watch->log->len; j++) {
            const FakeRequest *request = &g_array_index(watch->log, FakeRequest, j);
            if (request->connection == i)
                g_string_append_printf(text, "%s%" G_GUINT64_FORMAT, text->len > 0 ? " " : "",
                                       request->offset / 65536);
        }
    }
    return g_string_free(text, FALSE);
}

static void a_case_that_leaves_a_write_behind_keeps_its_region(void)
{
    static const char *const lines[] = {DROPS("WRITE", " data=zero"),
                                        DROPS("TRIM", ""),
                                        WRITER("a"),
                                        WRITER("b"),
                                        WRITER("c"),
                                        NULL};
    g_autoptr(Watch) watch =
        ran_watch_new(ran_serve, 4 * 131072, NBD_FLAG_SEND_TRIM | NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_new(lines);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);

    options.mode.timeout_ms = PATIENT_MS;
    g_autoptr(RunSummary) summary = ran(&options);
    fake_server_finish(watch->server);
    RAN_IS(summary, "c0: pass, c1: pass, c2: pass, c3: pass, c4: pass");
    g_autofree char *text = regions_used(watch, fake_server_accepted(watch->server));
    CU_ASSERT_STRING_EQUAL(text, "0 2 4 4 0 6 6 0 4 4 0"); /* a FLUSH has none */
}

/* What fails where another case's write may still come is played again; what passes is not. */
static void a_failure_in_a_restless_region_is_doubtful(void)
{
    static const char *const lines[] = {
        DROPS("WRITE", " data=zero"),
        "needs writes\nuses region 64k\nopen export=\"passes\"\n"
        ": read offset=$region length=4096\n",
        DROPS("WRITE", " data=zero"),
        "needs writes\nuses region 64k\nopen export=\"fine\"\n"
        "C: request READ offset=$region length=4096\nS: error EIO @error.defined-value\n",
        NULL};
    g_autoptr(Watch) watch = ran_watch_new(ran_serve, 65536, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_new(lines);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);

    options.mode.timeout_ms = PATIENT_MS;
    g_autoptr(RunSummary) summary = ran(&options);
    fake_server_finish(watch->server);
    RAN_IS(summary, "c0: pass, c1: pass, c2: pass, c3: fail violation");
    CU_ASSERT_EQUAL(watch_count(watch, "fine"), 2);
    CU_ASSERT_EQUAL(watch_count(watch, "passes"), 1);
}

void run_regions_tests(void)
{
    CU_pSuite suite = CU_add_suite("run: regions", NULL, NULL);

    CU_ADD_TEST(suite, regions_are_aligned_and_apart);
    CU_ADD_TEST(suite, who_comes_too_late_waits_for_a_region);
    CU_ADD_TEST(suite, who_waits_gets_a_region_at_rest);
    CU_ADD_TEST(suite, where_something_may_still_be_written_nobody_else_writes);
    CU_ADD_TEST(suite, a_case_that_leaves_a_write_behind_keeps_its_region);
    CU_ADD_TEST(suite, a_failure_in_a_restless_region_is_doubtful);
}
