/* Soak's points inside of TLS: each plays against a good server, and lying ones do not hold us. */
#include <CUnit/CUnit.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "fake_server.h"
#include "raw_client.h"
#include "soak/client.h"
#include "soak/crowd.h"
#include "soak/private.h"
#include "soak_points.h"
#include "tls_pair.h"

void soak_tls_tests(void);

#define SOON_MS 300
#define CROWD 100u

static const TransportTlsOptions nobody = {.priorities = "NORMAL"};
static const RefTlsOptions keeper = {.certificates = CERTIFICATES("good")};

/* What begins TLS, and takes any options for granted. */
#define GREETED "S greeting + newstyle flags=FIXED_NEWSTYLE|NO_ZEROES; take 4; option; "
#define GRANTED GREETED "S hex 0003e889045565a9000000050000000100000000; "

/* ---- Every point ------------------------------------------------------------------------------ */

static void play_all(const RefConfig *config, const TransportTlsOptions *options, unsigned count,
                     unsigned least)
{
    RefServer *server = raw_serve(config, POINTS_DISK_SIZE);
    g_autoptr(TransportAddress) address = points_address(server);
    g_autoptr(TransportTls) client = transport_tls_new(options, NULL);
    SoakTarget target = points_target(address);

    CU_ASSERT_PTR_NOT_NULL_FATAL(client);
    target.tls = client;
    CU_ASSERT_TRUE(points_run_all(&target, count) >= least);
    CU_ASSERT_TRUE(points_left(server));
    ref_server_free(server);
}

static void every_point_cycles_inside_tls(void)
{
    for (unsigned version = 2; version <= 3; version++) {
        TransportTlsOptions options = nobody;
        g_autoptr(RefTls) settings = ref_tls_new(&keeper, NULL);
        const RefConfig config = {.tls = settings, .tls_required = true};
        options.priorities = version == 2 ? ONLY("1.2") : ONLY("1.3");
        play_all(&config, &options, 5, points_count() * 3 / 4);
    }
}

static void pre_shared_keys_do_as_well_over_a_unix_socket(void)
{
    const RefTlsOptions own = {.psk_file = CERTIFICATES("keys.psk")};
    const TransportTlsOptions alice = {.psk_file = CERTIFICATES("keys.psk"), .username = "alice"};
    g_autofree char *folder = g_dir_make_tmp("nbdconform-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "nbd", NULL);
    g_autoptr(RefTls) settings = ref_tls_new(&own, NULL);
    const RefConfig config = {.socket = path, .tls = settings};

    play_all(&config, &alice, 5, points_count() / 2);
    g_unlink(path);
    g_rmdir(folder);
}

/* ---- Crowds ----------------------------------------------------------------------------------- */

static void crowds_stand_inside_tls(void)
{
    g_autoptr(RefTls) settings = ref_tls_new(&keeper, NULL);
    g_autoptr(TransportTls) client = transport_tls_new(&nobody, NULL);
    const RefConfig config = {.tls = settings, .tls_required = true};
    RefServer *server = raw_serve(&config, POINTS_DISK_SIZE);
    g_autoptr(TransportAddress) address = points_address(server);
    SoakTarget target = points_target(address);

    target.tls = client;
    target.at_once = 2 * CROWD;
    for (unsigned kind = 0; kind < CROWD_COUNT; kind++) {
        CrowdResult result;
        CU_ASSERT_TRUE(crowd_run(&target, (CrowdKind)kind, CROWD, &result, NULL));
        CU_ASSERT_EQUAL(result.reached, result.wanted);
        CU_ASSERT_EQUAL(result.refused, 0);
        CU_ASSERT_TRUE(result.others_served && result.served_after);
        crowd_result_clear(&result);
    }
    CU_ASSERT_TRUE(points_left(server));
    ref_server_free(server);
}

/* What came behind the client flags and NBD_OPT_STARTTLS. */
static GBytes *said_of_tls(FakeServer *fake)
{
    const gsize before = 4 + 16;

    fake_server_finish(fake);
    const GByteArray *all = fake_server_received(fake, 0);
    CU_ASSERT_TRUE_FATAL(all->len > before);
    return g_bytes_new(all->data + before, all->len - before);
}

/* One client of KIND, at a server that grants TLS, and says nothing of it. */
static CrowdResult stand_before(FakeServer *fake, CrowdKind kind)
{
    g_autoptr(TransportTls) tls = transport_tls_new(&nobody, NULL);
    SoakTarget target = points_target(fake_server_address(fake));
    CrowdResult result;

    target.tls = tls;
    target.timeout_ms = SOON_MS;
    CU_ASSERT_TRUE_FATAL(crowd_run(&target, kind, 1, &result, NULL));
    CU_ASSERT_EQUAL(result.refused, 0);
    CU_ASSERT_FALSE(result.served_after);
    return result;
}

static void a_crowd_says_half_of_the_first_record(void)
{
    const char *const scripts[] = {GRANTED "take 1", NULL};
    g_autoptr(FakeServer) fake = fake_server_play(scripts);
    CrowdResult result = stand_before(fake, CROWD_TLS_BEGINNING);
    gsize size;

    CU_ASSERT_EQUAL(result.reached, 1);
    crowd_result_clear(&result);
    g_autoptr(GBytes) said = said_of_tls(fake);
    const uint8_t *record = g_bytes_get_data(said, &size);
    CU_ASSERT_TRUE_FATAL(size > 5);
    size_t whole = 5 + (size_t)wire_get(record + 3, 2);
    CU_ASSERT_EQUAL(size, whole - whole / 2);
}

static void a_crowd_waits_for_the_first_answer(void)
{
    const char *const scripts[] = {GRANTED "take 1", NULL};
    g_autoptr(FakeServer) fake = fake_server_play(scripts);
    CrowdResult result = stand_before(fake, CROWD_TLS_ANSWERED);

    CU_ASSERT_EQUAL(result.reached, 0);
    crowd_result_clear(&result);
}

static void slow_clients_begin_tls_byte_by_byte(void)
{
    const char *const scripts[] = {GRANTED "take 1", NULL};
    const SoakPoint point = {soak_phase("after-tls-hello"), ENDING_CLOSE};
    g_autoptr(FakeServer) fake = fake_server_play(scripts);
    g_autoptr(TransportTls) tls = transport_tls_new(&nobody, NULL);
    SoakTarget target = points_target(fake_server_address(fake));
    Client client;

    target.tls = tls;
    g_autoptr(SoakCycle) cycle = soak_cycle_new(&point, &target);
    const SoakAction *slow = &cycle->actions[--cycle->count];
    CU_ASSERT_EQUAL_FATAL(client_start(&client, cycle), CLIENT_STARTED);
    while (client.state != CLIENT_THERE && client.state != CLIENT_GONE) {
        struct pollfd wait = {.fd = client.fd, .events = (short)client_events(&client)};
        CU_ASSERT_EQUAL_FATAL(poll(&wait, 1, 30 * 1000), 1);
        client_move(&client, cycle, (uint32_t)wait.revents);
    }
    for (size_t at = 0; at < 3; at++)
        client_dribble(&client, cycle, slow, at);
    client_close(&client);
    g_autoptr(GBytes) said = said_of_tls(fake);
    gsize size;
    const char *bytes = g_bytes_get_data(said, &size);
    CU_ASSERT_EQUAL(size, 3);
    CU_ASSERT_EQUAL(memcmp(bytes, "\x16\x03", 2), 0);
}

/* ---- Which there are -------------------------------------------------------------------------- */

static bool fits(const char *phase, SoakEnding ending, const TransportTls *tls)
{
    g_autoptr(TransportAddress) address = transport_address_tcp("127.0.0.1", 1, NULL);
    SoakTarget target = points_target(address);
    const SoakPoint point = {soak_phase(phase), ending};

    target.tls = tls;
    return soak_point_unfit(&point, &target) == NULL;
}

static void tls_has_points_of_its_own(void)
{
    g_autoptr(TransportTls) tls = transport_tls_new(&nobody, NULL);
    const struct {
        const char *phase;
        SoakEnding ending;
        bool plain, secure;
    } rows[] = {
        {"after-go", ENDING_CLOSE, true, true},
        {"after-go", ENDING_NOTIFY, false, true},
        {"after-greeting", ENDING_CLOSE, true, true},
        {"after-client-flags", ENDING_NOTIFY, false, false},
        {"starttls-unanswered", ENDING_RESET, false, true},
        {"inside-tls-hello", ENDING_NOTIFY, false, false},
        {"after-tls-handshake", ENDING_NOTIFY, false, true},
        {"inside-request-record", ENDING_CLOSE, false, true},
        {"inside-request-record", ENDING_NOTIFY, false, false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        CU_ASSERT_EQUAL(fits(rows[i].phase, rows[i].ending, NULL), rows[i].plain);
        CU_ASSERT_EQUAL(fits(rows[i].phase, rows[i].ending, tls), rows[i].secure);
    }
}

/* ---- Peers that are not good ------------------------------------------------------------------ */

static void lying_servers_end_in_an_error(void)
{
    const char *const lies[] = {
        GREETED "S hex 0003e889045565a9000000058000000100000000",
        GREETED "S close",
        GRANTED "S close",
        GRANTED "hush",
        GRANTED "endless S hex 00000000",
        GRANTED "S hex 15030300020228; hush", /* a fatal alert */
        GRANTED "endless S hex 1603030000",   /* records without content */
    };

    for (size_t i = 0; i < G_N_ELEMENTS(lies); i++) {
        const char *const scripts[] = {lies[i], NULL};
        g_autoptr(FakeServer) fake = fake_server_play(scripts);
        g_autoptr(TransportTls) tls = transport_tls_new(&nobody, NULL);
        SoakTarget target = points_target(fake_server_address(fake));
        g_autoptr(GError) error = NULL;
        target.tls = tls;
        target.timeout_ms = SOON_MS;
        CU_ASSERT_FALSE(points_run("after-go", ENDING_CLOSE, &target, 3, NULL, &error));
        if (!g_error_matches(error, SOAK_ERROR, SOAK_ERROR_ANSWER))
            fprintf(stderr, "%s: %s\n", lies[i], error != NULL ? error->message : "-");
        CU_ASSERT_TRUE(g_error_matches(error, SOAK_ERROR, SOAK_ERROR_ANSWER));
    }
}

void soak_tls_tests(void)
{
    CU_pSuite suite = CU_add_suite("soak_tls", NULL, NULL);

    CU_ADD_TEST(suite, every_point_cycles_inside_tls);
    CU_ADD_TEST(suite, pre_shared_keys_do_as_well_over_a_unix_socket);
    CU_ADD_TEST(suite, crowds_stand_inside_tls);
    CU_ADD_TEST(suite, a_crowd_says_half_of_the_first_record);
    CU_ADD_TEST(suite, a_crowd_waits_for_the_first_answer);
    CU_ADD_TEST(suite, slow_clients_begin_tls_byte_by_byte);
    CU_ADD_TEST(suite, tls_has_points_of_its_own);
    CU_ADD_TEST(suite, lying_servers_end_in_an_error);
}
