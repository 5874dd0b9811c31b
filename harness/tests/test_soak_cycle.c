/* Points and cycles: each one plays against a good server, endings are what they say, and neither dead nor
 * lying servers hold us for long. */
#include <CUnit/CUnit.h>
#include <glib/gstdio.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "fake_server.h"
#include "raw_client.h"
#include "soak/private.h"
#include "soak_points.h"

void soak_cycle_tests(void);

#define SOON_MS 300

/* ---- Every point ------------------------------------------------------------------------------ */

static void every_point_cycles_over_tcp(void)
{
    RefServer *server = raw_serve(NULL, POINTS_DISK_SIZE);
    g_autoptr(TransportAddress) address = points_address(server);
    SoakTarget target = points_target(address);

    CU_ASSERT_TRUE(points_run_all(&target, 200) > points_count() / 2);
    CU_ASSERT_TRUE(points_left(server));
    CU_ASSERT_TRUE(raw_served(server));
    ref_server_free(server);
}

static void every_point_cycles_over_a_unix_socket(void)
{
    g_autofree char *folder = g_dir_make_tmp("nbdconform-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "nbd", NULL);
    const RefConfig config = {.socket = path};
    RefServer *server = raw_serve(&config, POINTS_DISK_SIZE);
    g_autoptr(TransportAddress) address = points_address(server);
    SoakTarget target = points_target(address);

    CU_ASSERT_TRUE(points_run_all(&target, 50) > points_count() / 4);
    CU_ASSERT_TRUE(points_left(server));
    ref_server_free(server);
    g_unlink(path);
    g_rmdir(folder);
}

static void other_handshakes_have_their_points(void)
{
    const SessionStyle styles[] = {STYLE_OLDSTYLE, STYLE_NEWSTYLE};
    const RefStyle ref_styles[] = {REF_OLDSTYLE, REF_NEWSTYLE};

    for (unsigned i = 0; i < G_N_ELEMENTS(styles); i++) {
        const RefConfig config = {.style = ref_styles[i]};
        RefServer *server = raw_serve(&config, POINTS_DISK_SIZE);
        g_autoptr(TransportAddress) address = points_address(server);
        SoakTarget target = points_target(address);

        target.facts.style = styles[i];
        target.facts.handshake_flags = NBD_FLAG_NO_ZEROES;
        CU_ASSERT_TRUE(points_run_all(&target, 20) > points_count() / 4);
        CU_ASSERT_TRUE(points_left(server));
        ref_server_free(server);
    }
}

static void without_structured_replies_there_are_no_chunks(void)
{
    g_autoptr(TransportAddress) address = transport_address_tcp("127.0.0.1", 1, NULL);
    SoakTarget target = points_target(address);
    const SoakPoint point = {soak_phase("after-first-chunk"), ENDING_CLOSE};

    CU_ASSERT_PTR_NULL(soak_point_unfit(&point, &target));
    target.structured = false;
    CU_ASSERT_PTR_NOT_NULL(soak_point_unfit(&point, &target));
}

static void size_constraints_are_obeyed(void)
{
    const RefExport export = {.size = POINTS_DISK_SIZE + 4096,
                              .minimum = 4096,
                              .preferred = 4096,
                              .maximum = 32768,
                              .require = true};
    const RefConfig config = {.exports = &export, .export_count = 1};
    RefServer *server = raw_serve(&config, 0);
    g_autoptr(TransportAddress) address = points_address(server);
    SoakTarget target = points_target(address);

    target.facts.size = export.size;
    target.facts.minimum = export.minimum;
    target.facts.maximum = export.maximum;
    CU_ASSERT_TRUE(points_run_all(&target, 20) > points_count() / 2);
    ref_server_free(server);
}

static void requests_keep_within_the_constraints(void)
{
    const struct {
        uint64_t size;
        uint32_t minimum, maximum, wanted, length;
    } rows[] = {
        {1 << 20, 4096, 32768, 65536, 32768},
        {1 << 20, 4096, 32768, 1, 4096},
        {1 << 20, 4096, 32768, 5000, 4096},
        {1 << 20, 1, 0, 65536, 65536},
        {1 << 20, 0, 0, 1, 1},
        {4095, 4096, 32768, 1, 0},
        {6000, 4096, 32768, 65536, 4096},
        {1 << 30, 1, 0, 1 << 29, NBD_DEFAULT_MAX_PAYLOAD},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const SessionFacts facts = {
            .size = rows[i].size, .minimum = rows[i].minimum, .maximum = rows[i].maximum};
        CU_ASSERT_EQUAL(soak_request_length(&facts, rows[i].wanted), rows[i].length);
    }
}

/* ---- Peers that are not good ------------------------------------------------------------------ */

/* The error of some cycles against SCRIPT; NULL if there is none. */
static GError *error_against(const char *script, const char *phase_name, SoakEnding ending)
{
    const char *const scripts[] = {script, NULL};
    g_autoptr(FakeServer) fake = fake_server_play(scripts);
    SoakTarget target = points_target(fake_server_address(fake));
    GError *error = NULL;
    gint64 began = g_get_monotonic_time();

    target.timeout_ms = SOON_MS;
    bool fine = points_run(phase_name, ending, &target, 3, NULL, &error);
    CU_ASSERT_EQUAL(fine, error == NULL);
    CU_ASSERT_TRUE(g_get_monotonic_time() - began < G_USEC_PER_SEC * 20);
    return error;
}

static void lying_servers_end_in_an_error(void)
{
    const struct {
        const char *script;
        int code;
    } lies[] = {
        {"hush", SOAK_ERROR_REFUSED},
        {"S close", SOAK_ERROR_REFUSED},
        {"S hex 4e42444d41474943", SOAK_ERROR_REFUSED},
        {"S hex 00000000000000000000000000000000ffff", SOAK_ERROR_ANSWER},
        {"S greeting + newstyle flags=FIXED_NEWSTYLE|NO_ZEROES; S close", SOAK_ERROR_ANSWER},
        {"S greeting + newstyle flags=FIXED_NEWSTYLE|NO_ZEROES; take 4; option; "
         "endless S hex 0003e889045565a900000007000000030000000400000000",
         SOAK_ERROR_ANSWER},
        {"S greeting + newstyle flags=FIXED_NEWSTYLE|NO_ZEROES; take 4; option; "
         "S hex 0003e889045565a90000000700000003ffffffff; endless S hex 00000000",
         SOAK_ERROR_ANSWER},
        {"S greeting + newstyle flags=FIXED_NEWSTYLE|NO_ZEROES; take 4; option; "
         "S hex 0003e889045565a9000000078000000600000000",
         SOAK_ERROR_ANSWER},
        {"S greeting + newstyle flags=FIXED_NEWSTYLE|NO_ZEROES; take 4; option; "
         "S hex 0003e889045565a9000000070000000100000000; request; endless S hex 00000000",
         SOAK_ERROR_ANSWER},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(lies); i++) {
        g_autoptr(GError) error = error_against(lies[i].script, "after-reply", ENDING_CLOSE);
        CU_ASSERT_PTR_NOT_NULL(error);
        if (error != NULL && error->code != lies[i].code)
            fprintf(stderr, "%s: %d, %s\n", lies[i].script, error->code, error->message);
        CU_ASSERT_TRUE(error != NULL && g_error_matches(error, SOAK_ERROR, lies[i].code));
    }
}

static void chunks_have_to_be_chunks(void)
{
    g_autoptr(GError) error =
        error_against("S greeting + newstyle flags=FIXED_NEWSTYLE|NO_ZEROES; take 4; option; "
                      "S hex 0003e889045565a9000000080000000100000000; option; "
                      "S hex 0003e889045565a9000000070000000100000000; request; "
                      "endless S hex 6744669800000000",
                      "after-first-chunk", ENDING_CLOSE);

    CU_ASSERT_TRUE(g_error_matches(error, SOAK_ERROR, SOAK_ERROR_ANSWER));
    CU_ASSERT_TRUE(error != NULL && strstr(error->message, "chunk") != NULL);
}

static void a_dead_server_is_an_error_soon(void)
{
    RefServer *server = raw_serve(NULL, POINTS_DISK_SIZE);
    g_autoptr(TransportAddress) address = points_address(server);
    SoakTarget target = points_target(address);
    g_autoptr(GError) error = NULL;
    unsigned done = 99;

    ref_server_free(server);
    target.timeout_ms = SOON_MS;
    CU_ASSERT_FALSE(points_run("after-go", ENDING_CLOSE, &target, 100, &done, &error));
    CU_ASSERT_TRUE(g_error_matches(error, SOAK_ERROR, SOAK_ERROR_REFUSED));
    CU_ASSERT_EQUAL(done, 0);
}

static void cycles_stop_when_told(void)
{
    const char *const scripts[] = {"hush", NULL};
    g_autoptr(FakeServer) fake = fake_server_play(scripts);
    SoakTarget target = points_target(fake_server_address(fake));
    g_autoptr(GError) error = NULL;
    volatile int stop = 1;

    target.stop = &stop;
    CU_ASSERT_FALSE(points_run("after-go", ENDING_CLOSE, &target, 100, NULL, &error));
    CU_ASSERT_TRUE(g_error_matches(error, SOAK_ERROR, SOAK_ERROR_STOPPED));
}

static void *tell_to_stop(void *stop)
{
    g_usleep(G_USEC_PER_SEC / 5);
    g_atomic_int_set((volatile int *)stop, 1);
    return NULL;
}

static void who_waits_for_an_answer_stops_when_told(void)
{
    const char *const scripts[] = {"hush", NULL};
    g_autoptr(FakeServer) fake = fake_server_play(scripts);
    SoakTarget target = points_target(fake_server_address(fake));
    g_autoptr(GError) error = NULL;
    volatile int stop = 0;
    pthread_t thread;
    gint64 began_us = g_get_monotonic_time();

    target.stop = &stop;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, tell_to_stop, (void *)&stop), 0);
    CU_ASSERT_FALSE(points_run("after-go", ENDING_CLOSE, &target, 100, NULL, &error));
    CU_ASSERT_TRUE(g_error_matches(error, SOAK_ERROR, SOAK_ERROR_STOPPED));
    CU_ASSERT_TRUE(g_get_monotonic_time() - began_us < target.timeout_ms * 500);
    pthread_join(thread, NULL);
}

void soak_cycle_tests(void)
{
    CU_pSuite suite = CU_add_suite("soak_cycle", NULL, NULL);

    CU_ADD_TEST(suite, every_point_cycles_over_tcp);
    CU_ADD_TEST(suite, every_point_cycles_over_a_unix_socket);
    CU_ADD_TEST(suite, other_handshakes_have_their_points);
    CU_ADD_TEST(suite, without_structured_replies_there_are_no_chunks);
    CU_ADD_TEST(suite, size_constraints_are_obeyed);
    CU_ADD_TEST(suite, requests_keep_within_the_constraints);
    CU_ADD_TEST(suite, lying_servers_end_in_an_error);
    CU_ADD_TEST(suite, chunks_have_to_be_chunks);
    CU_ADD_TEST(suite, a_dead_server_is_an_error_soon);
    CU_ADD_TEST(suite, cycles_stop_when_told);
    CU_ADD_TEST(suite, who_waits_for_an_answer_stops_when_told);
}
