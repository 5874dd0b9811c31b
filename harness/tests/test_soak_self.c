/* The harness leaks nothing itself: ten thousand cycles, and a thousand playings of a case, measured as any
 * server is. */
#include <CUnit/CUnit.h>
#include <unistd.h>

#include "play/play.h"
#include "reference/reference.h"
#include "scenario/scenario.h"
#include "soak/point.h"
#include "watch/watch.h"

void soak_self_tests(void);

#define CYCLES 10000
#define WARM_UP 1000
#define PLAYINGS 1000
#define PATIENT_MS 60000

/* What allocators and the kernel keep for themselves; 10,000 times 64 bytes would be more than twice this. */
#define FLOOR_BYTES (UINT64_C(256) << 10)

/* The server is in this process too, and as clean as we are. */
typedef struct {
    RefServer *server;
    TransportAddress *address;
    PlayMode mode;
    PlayTarget target;
    Watched *self;
} Self;

static void self_init(Self *self)
{
    const RefExport export = {.size = UINT64_C(1) << 20};
    const RefConfig config = {.exports = &export, .export_count = 1};

    *self = (Self){.server = ref_server_new(&config, NULL)};
    CU_ASSERT_TRUE_FATAL(ref_server_start(self->server, NULL));
    self->address = transport_address_tcp("127.0.0.1", ref_server_port(self->server), NULL);
    self->mode = (PlayMode){.address = self->address,
                            .export_name = "",
                            .timeout_ms = PATIENT_MS,
                            .allow_writes = true};
    CU_ASSERT_TRUE_FATAL(play_probe(&self->mode, 1, &self->target, NULL));
    self->self = watch_pid(getpid(), NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(self->self);
}

static void self_clear(Self *self)
{
    watch_free(self->self);
    transport_address_free(self->address);
    ref_server_free(self->server);
}

/* Who looks at itself is never at rest: it is the server that has to have noticed that all have gone. */
static void look(Self *self, WatchSample *sample)
{
    for (unsigned i = 0; i < PATIENT_MS && ref_server_connections(self->server) > 0; i++)
        g_usleep(1000);
    CU_ASSERT_TRUE(watch_sample(self->self, sample));
}

static void nothing_is_left_since(Self *self, const WatchSample *before)
{
    WatchSample after;

    look(self, &after);
    CU_ASSERT_EQUAL(watch_sample_fds(&after), watch_sample_fds(before));
    CU_ASSERT_EQUAL(after.threads, before->threads);
    CU_ASSERT_EQUAL(after.processes, before->processes);
    CU_ASSERT_EQUAL(after.zombies, before->zombies);
    /* Sanitizers keep what was freed in quarantine. */
#ifndef __SANITIZE_ADDRESS__
    CU_ASSERT_TRUE(after.private_bytes <= before->private_bytes + FLOOR_BYTES);
#endif
}

static void ten_thousand_cycles_leave_nothing_with_us(void)
{
    static const struct {
        const char *phase;
        SoakEnding ending;
    } points[] = {{"after-go", ENDING_SOFT},
                  {"inside-option-header", ENDING_RESET},
                  {"reads-in-flight", ENDING_CLOSE}};
    Self self;
    SoakTarget target;
    size_t count;
    const SoakPhase *phases = soak_phases(&count);

    self_init(&self);
    target = (SoakTarget){.address = self.address,
                          .export_name = "",
                          .facts = self.target.facts,
                          .allow_writes = true,
                          .at_once = self.target.connections,
                          .timeout_ms = PATIENT_MS};
    for (size_t i = 0; i < count * G_N_ELEMENTS(points); i++) {
        const SoakPoint point = {&phases[i % count], points[i / count].ending};
        if (!g_str_equal(point.phase->name, points[i / count].phase))
            continue;
        g_autoptr(SoakCycle) cycle = soak_cycle_new(&point, &target);
        WatchSample before;
        CU_ASSERT_TRUE(soak_cycle_run(cycle, WARM_UP, NULL, NULL));
        look(&self, &before);
        CU_ASSERT_TRUE(soak_cycle_run(cycle, CYCLES, NULL, NULL));
        nothing_is_left_since(&self, &before);
    }
    self_clear(&self);
}

static void a_case_played_a_thousand_times_leaves_nothing_with_us(void)
{
    static const char text[] = "case Self\npeer server\nopen\n: read offset=0 length=4096\n"
                               "C: option LIST\nC: close\nthen served\n";
    g_autoptr(Scenario) scenario = scenario_parse("self", "self.case", text, sizeof text - 1, NULL);
    g_autoptr(GPtrArray) cases = g_ptr_array_new_with_free_func((GDestroyNotify)play_case_free);
    WatchSample before;
    Self self;

    self_init(&self);
    CU_ASSERT_PTR_NOT_NULL_FATAL(scenario);
    CU_ASSERT_TRUE_FATAL(play_compile(scenario, cases, NULL));
    for (unsigned i = 0; i < 2 * PLAYINGS; i++) {
        g_autoptr(PlayResult) result = play_run_case(cases->pdata[0], &self.mode, &self.target, 0);
        CU_ASSERT_NOT_EQUAL(result->verdict, VERDICT_ERROR);
        if (i == PLAYINGS)
            look(&self, &before);
    }
    nothing_is_left_since(&self, &before);
    self_clear(&self);
}

void soak_self_tests(void)
{
    CU_pSuite suite = CU_add_suite("soak_self", NULL, NULL);

    CU_ADD_TEST(suite, ten_thousand_cycles_leave_nothing_with_us);
    CU_ADD_TEST(suite, a_case_played_a_thousand_times_leaves_nothing_with_us);
}
