/* Soak's points inside of TLS: each plays against a good server, and lying ones do not hold us. */
#include <CUnit/CUnit.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "fake_server.h"
#include "raw_client.h"
#include "soak/crowd.h"
#include "soak/private.h"
#include "soak_points.h"
#include "tls_pair.h"

void soak_tls_tests(void);

#define SOON_MS 300
#define CROWD 100u

static const TransportTlsOptions nobody = {.priorities = "NORMAL"};
static const TransportTlsOptions keeper = {.certificates = CERTIFICATES("good")};

/* What begins TLS, and takes any options for granted. */
#define GREETED "S greeting + newstyle flags=FIXED_NEWSTYLE|NO_ZEROES; take 4; option; "
#define GRANTED GREETED "S hex 0003e889045565a9000000050000000100000000; "

/* ---- Every point ------------------------------------------------------------------------------ */

static void play_all(const RefConfig *config, const TransportTlsOptions *options, unsigned count,
                     unsigned least)
{
    RefServer *server = raw_serve(config, POINTS_DISK_SIZE);
    g_autoptr(TransportAddress) address = points_address(server);
    g_autoptr(TransportTls) client = transport_tls_new(TRANSPORT_TLS_CLIENT, options, NULL);
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
        g_autoptr(TransportTls) settings = transport_tls_new(TRANSPORT_TLS_SERVER, &keeper, NULL);
        const RefConfig config = {.tls = settings, .tls_required = true};
        options.priorities = version == 2 ? ONLY("1.2") : ONLY("1.3");
        play_all(&config, &options, 5, points_count() * 3 / 4);
    }
}

static void pre_shared_keys_do_as_well_over_a_unix_socket(void)
{
    const TransportTlsOptions own = {.psk_file = CERTIFICATES("keys.psk")};
    const TransportTlsOptions alice = {.psk_file = CERTIFICATES("keys.psk"), .username = "alice"};
    g_autofree char *folder = g_dir_make_tmp("nbdconform-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "nbd", NULL);
    g_autoptr(TransportTls) settings = transport_tls_new(TRANSPORT_TLS_SERVER, &own, NULL);
    const RefConfig config = {.socket = path, .tls = settings};

    play_all(&config, &alice, 5, points_count() / 2);
    g_unlink(path);
    g_rmdir(folder);
}

/* ---- Crowds ----------------------------------------------------------------------------------- */

static void crowds_stand_inside_tls(void)
{
    g_autoptr(TransportTls) settings = transport_tls_new(TRANSPORT_TLS_SERVER, &keeper, NULL);
    g_autoptr(TransportTls) client = transport_tls_new(TRANSPORT_TLS_CLIENT, &nobody, NULL);
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
    g_autoptr(TransportTls) tls = transport_tls_new(TRANSPORT_TLS_CLIENT, &nobody, NULL);
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
        g_autoptr(TransportTls) tls = transport_tls_new(TRANSPORT_TLS_CLIENT, &nobody, NULL);
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
    CU_ADD_TEST(suite, tls_has_points_of_its_own);
    CU_ADD_TEST(suite, lying_servers_end_in_an_error);
}
