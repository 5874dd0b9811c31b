/* The player over TLS: on the way to the test, in lines of cases, and where there is no TLS. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "played.h"
#include "raw_client.h"
#include "tls_pair.h"

void play_tls_tests(void);

typedef enum { SERVER_PLAIN, SERVER_ALLOWS, SERVER_REQUIRES } ServerTls;

/* Plays LINES against the reference server with QUIRK (or NULL), in mode TLS, trusting who is in CERTIFICATES. */
static PlayResult *play_quirk(const char *lines, ServerTls server_tls, PlayTls tls,
                              const char *certificates, const char *quirk)
{
    const char *const quirks[] = {quirk, NULL};
    const RefTlsOptions own = {.certificates = CERTIFICATES("good")};
    const TransportTlsOptions ours = {.certificates = certificates, .verify_peer = true};
    g_autoptr(RefTls) server_settings = ref_tls_new(&own, NULL);
    g_autoptr(TransportTls) settings = transport_tls_new(&ours, NULL);
    const RefExport exports[] = {{.name = "disk", .size = 1u << 20}};
    RefConfig config = {.exports = exports,
                        .export_count = 1,
                        .tls = server_tls == SERVER_PLAIN ? NULL : server_settings,
                        .tls_required = server_tls == SERVER_REQUIRES,
                        .quirks = quirks};
    g_autoptr(RefServer) server = ref_server_new(&config, NULL);
    g_autoptr(Compiled) compiled = compiled_new(lines);
    PlayMode mode = played_mode();

    CU_ASSERT_FATAL(server != NULL && ref_server_start(server, NULL));
    g_autoptr(TransportAddress) address =
        transport_address_tcp("127.0.0.1", ref_server_port(server), NULL);
    mode.address = address;
    mode.tls = tls;
    mode.tls_settings = settings;
    return play_run_case(compiled_case(compiled, 0), &mode, NULL, 0);
}

static PlayResult *play(const char *lines, ServerTls server_tls, PlayTls tls,
                        const char *certificates)
{
    return play_quirk(lines, server_tls, tls, certificates, NULL);
}

static bool is(PlayResult *result, Verdict verdict, const char *transcript)
{
    bool good = result->verdict == verdict && strstr(result->transcript, transcript) != NULL;

    if (!good)
        g_printerr("\n  %s: %s\n%s", verdict_name(result->verdict),
                   result->reason == NULL ? "" : result->reason, result->transcript);
    play_result_free(result);
    return good;
}

#define PLAYS_TLS(lines, server, tls, verdict, transcript)                                         \
    CU_ASSERT_TRUE(is(play(lines, server, tls, CERTIFICATES("good")), verdict, transcript))

#define OPENED "C: tls\nS: tls    # TLS1."

static void conversations_go_over_tls(void)
{
    PLAYS_TLS("open\n: write offset=0 length=64k data=pattern\n"
              ": read offset=0 length=64k expect=pattern\nC: request DISC\nS: close-notify\n",
              SERVER_REQUIRES, PLAY_TLS_REQUIRE, VERDICT_PASS, OPENED);
    PLAYS_TLS("connect\nS: greeting\nC: client-flags FIXED_NEWSTYLE\nC: option LIST\n"
              "S: reply LIST ACK\n",
              SERVER_REQUIRES, PLAY_TLS_REQUIRE, VERDICT_PASS, OPENED);
    PLAYS_TLS("open\n: read offset=0 length=512\nserved\n", SERVER_ALLOWS, PLAY_TLS_ALLOW,
              VERDICT_PASS, "again.C: tls");
    PLAYS_TLS("open\n: read offset=0 length=512\n", SERVER_PLAIN, PLAY_TLS_ALLOW, VERDICT_PASS,
              "reply STARTTLS ERR_");
}

static void lines_go_through_the_handshake(void)
{
    PLAYS_TLS("negotiate\nC: option STARTTLS\nS: reply STARTTLS ACK\nC: tls version=\"1.2\"\n"
              "one of {\n S: tls => continue\n S: close => skip \"no\"\n}\n"
              "C: option STARTTLS\nS: reply STARTTLS ERR_INVALID @tls.starttls.again\n",
              SERVER_ALLOWS, PLAY_TLS_REQUIRE, VERDICT_PASS, "TLS1.2");
    PLAYS_TLS("negotiate\nC: starttls\nC: drop\nthen served\n", SERVER_REQUIRES, PLAY_TLS_REQUIRE,
              VERDICT_PASS, "C: drop");
    /* TLS takes plain text that comes before its time for a broken record. */
    PLAYS_TLS("negotiate\nC: hold sending\nC: option STARTTLS\nC: option LIST\nC: resume sending\n"
              "S: reply STARTTLS ACK\nC: tls\nS: close @tls.handshake.injected\n",
              SERVER_ALLOWS, PLAY_TLS_REQUIRE, VERDICT_PASS, "C: tls");
}

static void what_is_expected_inside_can_fail(void)
{
    PLAYS_TLS("negotiate\nC: starttls\nC: option STARTTLS\n"
              "S: reply STARTTLS ACK @tls.starttls.again\n",
              SERVER_ALLOWS, PLAY_TLS_REQUIRE, VERDICT_FAIL, OPENED);
    PLAYS_TLS("negotiate\nC: option STARTTLS\nS: reply STARTTLS ACK\nC: bytes \"GET / HTTP\"\n"
              "S: tls @tls.handshake.ready\n",
              SERVER_ALLOWS, PLAY_TLS_REQUIRE, VERDICT_PASS, "STARTTLS ACK"); /* our own fault */
}

static void close_notify_and_an_alert_are_told_apart(void)
{
    static const char *const ends[] = {"close-notify", "alert"};
    static const char *const quirks[] = {NULL, "tls-ends-by-alert-on-disc"};

    for (unsigned expected = 0; expected < 2; expected++)
        for (unsigned came = 0; came < 2; came++) {
            g_autofree char *lines = g_strdup_printf(
                "open\nC: request DISC\nS: %s @tls.disc.close-notify\n", ends[expected]);
            PlayResult *result = play_quirk(lines, SERVER_REQUIRES, PLAY_TLS_REQUIRE,
                                            CERTIFICATES("good"), quirks[came]);
            CU_ASSERT_TRUE(is(result, came == expected ? VERDICT_PASS : VERDICT_FAIL, OPENED));
        }
}

static void without_tls_nothing_is_played(void)
{
    PLAYS_TLS("open\n", SERVER_PLAIN, PLAY_TLS_REQUIRE, VERDICT_BLOCKED, "STARTTLS");
    PLAYS_TLS("open\n", SERVER_REQUIRES, PLAY_TLS_OFF, VERDICT_SKIP, "ERR_TLS_REQD");
    PLAYS_TLS("negotiate\nC: option LIST\nS: reply LIST ACK @handshake.reply.every-option\n",
              SERVER_REQUIRES, PLAY_TLS_OFF, VERDICT_SKIP, "ERR_TLS_REQD");
    CU_ASSERT_TRUE(is(play("open\n", SERVER_REQUIRES, PLAY_TLS_REQUIRE, CERTIFICATES("stranger")),
                      VERDICT_BLOCKED, "not to be trusted"));
}

static void plain_text_is_still_judged_where_it_is_the_subject(void)
{
    PLAYS_TLS("negotiate plain\nC: option LIST\nS: reply LIST ACK @handshake.reply.every-option\n",
              SERVER_REQUIRES, PLAY_TLS_OFF, VERDICT_FAIL, "ERR_TLS_REQD");
    PLAYS_TLS("negotiate plain\nC: option LIST\nS: reply LIST ERR_TLS_REQD @tls.forced.option\n",
              SERVER_REQUIRES, PLAY_TLS_REQUIRE, VERDICT_PASS, "S: reply LIST ERR_TLS_REQD");
}

static void a_second_try_waits_longer_for_the_end_of_a_handshake(void)
{
    static const char lines[] =
        "negotiate\nC: option STARTTLS\nS: reply STARTTLS ACK\nC: bytes \"x\"\n"
        "S: close @robust.tls-garbage\n";
    static const char silent[] = HELLO "C option option=STARTTLS;" ACK("STARTTLS") "take 1";
    PlayMode mode = played_mode();

    mode.timeout_ms = 200;
    g_autoptr(Played) once = played_mode_new(lines, silent, &mode);
    mode.again = true;
    g_autoptr(Played) again = played_mode_new(lines, silent, &mode);
    g_autoptr(Played) haggling =
        played_mode_new("negotiate\nC: option LIST\nS: reply LIST final\n", HELLO "option", &mode);
    CU_ASSERT_EQUAL(g_strcmp0(once->result->reason, "nothing for 200 ms"), 0);
    CU_ASSERT_EQUAL(g_strcmp0(again->result->reason, "nothing for 700 ms"), 0);
    CU_ASSERT_EQUAL(g_strcmp0(haggling->result->reason, "nothing for 200 ms"), 0);
}

void play_tls_tests(void)
{
    CU_pSuite suite = CU_add_suite("play: TLS", NULL, NULL);

    CU_ADD_TEST(suite, conversations_go_over_tls);
    CU_ADD_TEST(suite, lines_go_through_the_handshake);
    CU_ADD_TEST(suite, what_is_expected_inside_can_fail);
    CU_ADD_TEST(suite, close_notify_and_an_alert_are_told_apart);
    CU_ADD_TEST(suite, without_tls_nothing_is_played);
    CU_ADD_TEST(suite, a_second_try_waits_longer_for_the_end_of_a_handshake);
    CU_ADD_TEST(suite, plain_text_is_still_judged_where_it_is_the_subject);
}
