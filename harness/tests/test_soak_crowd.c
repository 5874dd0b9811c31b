/* Crowds against servers in processes of their own: they stand, they go, and bad servers are told from good
 * ones. */
#include <CUnit/CUnit.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_server.h"
#include "raw_client.h"
#include "reference/reference.h"
#include "soak/crowd.h"

void soak_crowd_tests(void);

#define SIZE (UINT64_C(1) << 20)
#define PATIENT_MS 30000
#define SOON_MS 300

static SoakTarget target_at(const TransportAddress *address)
{
    SoakTarget target = {
        .address = address, .export_name = "", .at_once = 8, .timeout_ms = PATIENT_MS};

    target.facts.style = STYLE_FIXED_NEWSTYLE;
    target.facts.handshake_flags = NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES;
    target.facts.has_export = true;
    target.facts.size = SIZE;
    target.facts.transmission_flags = NBD_FLAG_HAS_FLAGS;
    target.facts.minimum = 1;
    target.facts.maximum = NBD_DEFAULT_MAX_PAYLOAD;
    return target;
}

/* ---- A server in a process of its own ---------------------------------------------------------- */

static void lift_limit(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* As many as both processes have descriptors for. */
static unsigned most_connections(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    return (unsigned)MIN(limit.rlim_max - 200, 10000);
}

typedef struct {
    pid_t child;
    int stop; /* it ends when this closes, with us at the latest */
    TransportAddress *address;
} Apart;

static Apart serve_apart(void)
{
    const RefExport only = {.size = SIZE};
    const RefConfig config = {.exports = &only, .export_count = 1};
    g_autoptr(RefServer) server = ref_server_new(&config, NULL);
    int stop[2];

    CU_ASSERT_PTR_NOT_NULL_FATAL(server);
    CU_ASSERT_EQUAL_FATAL(pipe2(stop, O_CLOEXEC), 0);
    Apart apart = {.child = fork(), .stop = stop[1]};
    if (apart.child == 0) {
        close(stop[1]);
        lift_limit();
        _exit(ref_server_run(server, stop[0], NULL) ? 0 : 1);
    }
    close(stop[0]);
    apart.address = transport_address_tcp("127.0.0.1", ref_server_port(server), NULL);
    return apart;
}

static void end_apart(Apart *apart)
{
    int status = -1;

    close(apart->stop);
    CU_ASSERT_EQUAL(waitpid(apart->child, &status, 0), apart->child);
    CU_ASSERT_EQUAL(status, 0);
    transport_address_free(apart->address);
}

/* Descriptors of the server. */
static unsigned descriptors(const Apart *apart)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int)apart->child);
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    unsigned count = 0;

    while (folder != NULL && g_dir_read_name(folder) != NULL)
        count++;
    return count;
}

/* ---- Crowds ----------------------------------------------------------------------------------- */

static void thousands_are_held_and_dropped(void)
{
    const CrowdKind kinds[] = {CROWD_NEGOTIATING, CROWD_SERVED};
    Apart apart = serve_apart();
    SoakTarget target = target_at(apart.address);
    unsigned most = most_connections(), before = descriptors(&apart);

    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autoptr(GError) error = NULL;
        CrowdResult result;
        CU_ASSERT_TRUE_FATAL(crowd_run(&target, kinds[i], most, &result, &error));
        CU_ASSERT_EQUAL(result.wanted, most);
        CU_ASSERT_EQUAL(result.reached, most);
        CU_ASSERT_EQUAL(result.refused, 0);
        CU_ASSERT_FALSE(result.full);
        CU_ASSERT_FALSE(result.others_judged);
        CU_ASSERT_TRUE(result.served_after);
        CU_ASSERT_PTR_NULL(result.remark);
        crowd_result_clear(&result);
    }
    for (unsigned i = 0; i < PATIENT_MS && descriptors(&apart) > before; i++)
        g_usleep(1000);
    CU_ASSERT_TRUE(descriptors(&apart) <= before);
    end_apart(&apart);
}

static void the_descriptor_limit_is_as_it_was(void)
{
    struct rlimit before, after;
    Apart apart = serve_apart();
    SoakTarget target = target_at(apart.address);
    CrowdResult result;

    getrlimit(RLIMIT_NOFILE, &before);
    const struct rlimit few = {.rlim_cur = 64, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    CU_ASSERT_TRUE_FATAL(crowd_run(&target, CROWD_CONNECTED, 200, &result, NULL));
    CU_ASSERT_EQUAL(result.reached, 200);
    getrlimit(RLIMIT_NOFILE, &after);
    CU_ASSERT_EQUAL(after.rlim_cur, 64);
    CU_ASSERT_EQUAL(after.rlim_max, before.rlim_max);
    setrlimit(RLIMIT_NOFILE, &before);
    crowd_result_clear(&result);
    end_apart(&apart);
}

static void others_are_served_beside_slow_clients(void)
{
    const CrowdKind kinds[] = {CROWD_SLOW_GREETING, CROWD_SLOW_OPTION, CROWD_SLOW_REQUEST};
    RefServer *server = raw_serve(NULL, SIZE);
    g_autoptr(TransportAddress) address =
        transport_address_tcp("127.0.0.1", ref_server_port(server), NULL);
    SoakTarget target = target_at(address);

    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        CrowdResult result;
        CU_ASSERT_TRUE_FATAL(crowd_run(&target, kinds[i], 1000, &result, NULL));
        CU_ASSERT_EQUAL(result.reached, target.at_once / 2);
        CU_ASSERT_TRUE(result.others_judged);
        CU_ASSERT_TRUE(result.others_served);
        CU_ASSERT_TRUE(result.served_after);
        CU_ASSERT_PTR_NULL(result.remark);
        crowd_result_clear(&result);
    }
    ref_server_free(server);
}

static void storms_pass(void)
{
    Apart apart = serve_apart();
    SoakTarget target = target_at(apart.address);
    CrowdResult result;

    CU_ASSERT_TRUE_FATAL(crowd_run(&target, CROWD_STORM, 5000, &result, NULL));
    CU_ASSERT_TRUE(result.reached > 0);
    CU_ASSERT_TRUE(result.served_after);
    crowd_result_clear(&result);
    end_apart(&apart);
}

/* ---- Bad servers ------------------------------------------------------------------------------ */

#define HELLO_THEN "S greeting + newstyle flags=FIXED_NEWSTYLE|NO_ZEROES; "

/* COUNT of them, whom a server greets, and then says nothing to anybody. */
static CrowdResult ignored(CrowdKind kind, unsigned count)
{
    const char *const scripts[] = {HELLO_THEN "hush", NULL};
    g_autoptr(FakeServer) fake = fake_server_play(scripts);
    SoakTarget target = target_at(fake_server_address(fake));
    CrowdResult result;

    target.timeout_ms = SOON_MS;
    CU_ASSERT_TRUE_FATAL(crowd_run(&target, kind, count, &result, NULL));
    CU_ASSERT_TRUE(result.others_judged);
    CU_ASSERT_FALSE(result.others_served);
    return result;
}

static void who_serves_nobody_else_is_told(void)
{
    CrowdResult result = ignored(CROWD_SLOW_OPTION, 2);

    CU_ASSERT_FALSE(result.served_after);
    CU_ASSERT_PTR_NOT_NULL(result.remark);
    CU_ASSERT_TRUE(result.duration_ms < 30 * 1000);
    crowd_result_clear(&result);
}

static void nobody_has_to_be_slow_for_that(void)
{
    CrowdResult result = ignored(CROWD_NEGOTIATING, 1);

    CU_ASSERT_EQUAL(result.reached, 1);
    crowd_result_clear(&result);
}

/* It has the client's flags and one byte of its option by then. */
static void a_slow_client_that_is_dropped_is_no_longer_there(void)
{
    static const char drops[] = HELLO_THEN "take 5; S close";
    const char *const scripts[] = {drops, "serve", "serve", "serve", "serve", NULL};
    const FakeConfig config = {.scripts = scripts, .size = SIZE};
    g_autoptr(FakeServer) fake = fake_server_new(&config);
    SoakTarget target = target_at(fake_server_address(fake));
    CrowdResult result;

    target.at_once = 2;
    CU_ASSERT_TRUE_FATAL(crowd_run(&target, CROWD_SLOW_OPTION, 1, &result, NULL));
    CU_ASSERT_EQUAL(result.wanted, 1);
    CU_ASSERT_EQUAL(result.reached, 0);
    CU_ASSERT_EQUAL(result.refused, 1);
    CU_ASSERT_TRUE(result.served_after);
    crowd_result_clear(&result);
}

static void who_hangs_up_on_the_excess_is_right(void)
{
    const char *const scripts[] = {"S close", "S close", "S close", "S close", "serve", NULL};
    const FakeConfig config = {.scripts = scripts, .size = SIZE};
    g_autoptr(FakeServer) fake = fake_server_new(&config);
    SoakTarget target = target_at(fake_server_address(fake));
    CrowdResult result;

    CU_ASSERT_TRUE_FATAL(crowd_run(&target, CROWD_NEGOTIATING, 4, &result, NULL));
    CU_ASSERT_EQUAL(result.refused, 4);
    CU_ASSERT_EQUAL(result.reached, 0);
    CU_ASSERT_TRUE(result.served_after);
    CU_ASSERT_PTR_NULL(result.remark);
    crowd_result_clear(&result);
}

static void a_dead_server_is_told_soon(void)
{
    RefServer *server = raw_serve(NULL, SIZE);
    g_autoptr(TransportAddress) address =
        transport_address_tcp("127.0.0.1", ref_server_port(server), NULL);
    SoakTarget target = target_at(address);
    CrowdResult result;

    ref_server_free(server);
    target.timeout_ms = SOON_MS;
    CU_ASSERT_TRUE_FATAL(crowd_run(&target, CROWD_CONNECTED, 1000, &result, NULL));
    CU_ASSERT_EQUAL(result.reached, 0);
    CU_ASSERT_EQUAL(result.refused, 1000);
    CU_ASSERT_FALSE(result.served_after);
    CU_ASSERT_TRUE(result.duration_ms < 30 * 1000);
    crowd_result_clear(&result);
}

static void slow_clients_need_a_server_of_several(void)
{
    g_autoptr(TransportAddress) address = transport_address_tcp("127.0.0.1", 10809, NULL);
    SoakTarget target = target_at(address);

    target.at_once = 1;
    CU_ASSERT_PTR_NOT_NULL(crowd_unfit(CROWD_SLOW_REQUEST, &target));
    CU_ASSERT_PTR_NULL(crowd_unfit(CROWD_SERVED, &target));
    CU_ASSERT_PTR_NOT_NULL(crowd_unfit(CROWD_TLS_BEGINNING, &target));
    target.facts.style = STYLE_OLDSTYLE;
    CU_ASSERT_PTR_NOT_NULL(crowd_unfit(CROWD_NEGOTIATING, &target));
}

void soak_crowd_tests(void)
{
    CU_pSuite suite = CU_add_suite("soak_crowd", NULL, NULL);

    CU_ADD_TEST(suite, thousands_are_held_and_dropped);
    CU_ADD_TEST(suite, the_descriptor_limit_is_as_it_was);
    CU_ADD_TEST(suite, others_are_served_beside_slow_clients);
    CU_ADD_TEST(suite, storms_pass);
    CU_ADD_TEST(suite, who_serves_nobody_else_is_told);
    CU_ADD_TEST(suite, nobody_has_to_be_slow_for_that);
    CU_ADD_TEST(suite, a_slow_client_that_is_dropped_is_no_longer_there);
    CU_ADD_TEST(suite, who_hangs_up_on_the_excess_is_right);
    CU_ADD_TEST(suite, a_dead_server_is_told_soon);
    CU_ADD_TEST(suite, slow_clients_need_a_server_of_several);
}
