/* TLS: how bytes get through it, whatever came before it. */
#include <CUnit/CUnit.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls_pair.h"

void transport_tls_stream_tests(void);

/* ---- Bytes ----------------------------------------------------------------------------------- */

static void bytes_may_come_one_by_one(void)
{
    TransportTlsOptions client = {.certificates = CERTIFICATES("good"), .verify_peer = true};
    RefTlsOptions server = {.certificates = CERTIFICATES("good")};

    for (size_t i = 0; i < G_N_ELEMENTS(tls_versions); i++) {
        g_auto(TlsPair) pair = {0};
        client.priorities = tls_versions[i];
        tls_pair_start_relayed(&pair, &client, &server);
        tls_end_send(&pair.client, "hello", 5);
        tls_end_send(&pair.server, "good day", 8);
        tls_pair_run(&pair);
        CU_ASSERT_TRUE(tls_end_delivered(&pair.client, &pair.server));
        CU_ASSERT_TRUE(tls_end_delivered(&pair.server, &pair.client));
        transport_close(pair.client.transport);
        tls_pair_run(&pair);
        CU_ASSERT_EQUAL(tls_end_state(&pair.server), TRANSPORT_TLS_CLOSED);
    }
}

static void much_goes_both_ways_at_once(void)
{
    g_autofree uint8_t *there = tls_bytes(TLS_MUCH, 1), *back = tls_bytes(TLS_MUCH, 2);

    for (size_t i = 0; i < G_N_ELEMENTS(tls_versions); i++) {
        g_auto(TlsPair) pair = {0};
        tls_pair_start_as_alice(&pair, tls_versions[i]);
        tls_end_send(&pair.client, there, TLS_MUCH);
        tls_end_send(&pair.server, back, TLS_MUCH);
        tls_pair_run(&pair);
        CU_ASSERT_TRUE(tls_end_delivered(&pair.client, &pair.server));
        CU_ASSERT_TRUE(tls_end_delivered(&pair.server, &pair.client));
    }
}

static void a_write_may_go_on_in_smaller_pieces(void)
{
    g_autofree uint8_t *bytes = tls_bytes(TLS_MUCH, 3);

    for (size_t i = 0; i < G_N_ELEMENTS(tls_versions); i++) {
        g_auto(TlsPair) pair = {0};
        tls_pair_open(&pair, tls_versions[i]);
        tls_end_send(&pair.client, bytes, TLS_MUCH);
        tls_end_fill(&pair.client);
        CU_ASSERT_EQUAL(transport_events(pair.client.transport, 0), POLLOUT);
        pair.client.piece = 1000;
        tls_pair_run(&pair);
        CU_ASSERT_TRUE(tls_end_delivered(&pair.client, &pair.server));
    }
}

/* Of a record, or whole records. */
static void read_by(size_t size)
{
    g_auto(TlsPair) pair = {0};
    char text[11];
    size_t done;

    tls_pair_open(&pair, NULL);
    Transport *reader = pair.client.transport;
    for (int i = 0; i < 2; i++)
        tls_end_say(&pair.server, "two records");
    struct pollfd wait = {.fd = transport_fd(reader), .events = POLLIN};
    CU_ASSERT_FALSE(transport_pending(reader));
    CU_ASSERT_EQUAL(poll(&wait, 1, 0), 1);
    for (size_t left = 22; left > 0; left -= done) {
        CU_ASSERT_EQUAL_FATAL(transport_read(reader, text, size, &done), TRANSPORT_DONE);
        CU_ASSERT_EQUAL(poll(&wait, 1, 0), 0);
        CU_ASSERT_EQUAL(done, MIN(left, size));
        CU_ASSERT_EQUAL(transport_pending(reader), left > done);
    }
    CU_ASSERT_EQUAL(transport_read(reader, text, size, &done), TRANSPORT_AGAIN);
}

static void what_poll_does_not_see_is_pending(void)
{
    read_by(8);
    read_by(11);
}

static void nothing_is_sent_in_the_clear(void)
{
    g_auto(TlsPair) pair = {0};
    char raw[256] = "";
    size_t done;

    tls_pair_open(&pair, NULL);
    CU_ASSERT_EQUAL(transport_write(pair.client.transport, "a secret", 8, &done), TRANSPORT_DONE);
    ssize_t size = recv(transport_fd(pair.server.transport), raw, sizeof raw, 0);
    CU_ASSERT_TRUE_FATAL(size > 8);
    CU_ASSERT_EQUAL(raw[0], 23); /* application data */
    CU_ASSERT_PTR_NULL(memmem(raw, (size_t)size, "secret", 6));
}

/* ---- What came before the start -------------------------------------------------------------- */

/* A client's first message may be with the server before it has read all of NBD_OPT_STARTTLS. */
static void a_handshake_may_have_begun_already(void)
{
    for (size_t taken = 1; taken <= 4096; taken *= 4) {
        g_auto(TlsPair) pair = {0};
        uint8_t early[4096];
        tls_pair_connect(&pair);
        tls_end_start(&pair.client, &tls_alice, NULL, 0);
        ssize_t size = recv(transport_fd(pair.server.transport), early, taken, 0);
        CU_ASSERT_TRUE_FATAL(size > 0);
        tls_end_serve(&pair.server, &tls_keeper, early, (size_t)size);
        tls_end_send(&pair.client, "hello", 5);
        tls_pair_run(&pair);
        CU_ASSERT_TRUE(tls_end_delivered(&pair.client, &pair.server));
    }
}

static void plain_text_before_its_time_ends_the_handshake(void)
{
    static const char reply[] = "\x00\x03\xe8\x89\x04\x55\x65\xa9\x00\x00\x00\x07";
    g_autofree uint8_t *much = g_malloc0(100000);
    const struct {
        const void *bytes;
        size_t size;
    } texts[] = {{reply, sizeof reply - 1}, {"IHAVEOPT", 8}, {much, 100000}};

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_auto(TlsPair) pair = {0};
        tls_pair_connect(&pair);
        tls_end_start(&pair.client, &tls_alice, texts[i].bytes, texts[i].size);
        tls_end_serve(&pair.server, &tls_keeper, NULL, 0);
        tls_pair_run(&pair);
        CU_ASSERT_EQUAL(pair.client.in->len, 0);
        CU_ASSERT_EQUAL(tls_end_state(&pair.client), TRANSPORT_TLS_BROKEN);
        CU_ASSERT_TRUE(tls_end_says(&pair.client, "no TLS handshake"));
    }
}

void transport_tls_stream_tests(void)
{
    CU_pSuite suite = CU_add_suite("transport_tls_stream", NULL, NULL);

    CU_ADD_TEST(suite, bytes_may_come_one_by_one);
    CU_ADD_TEST(suite, much_goes_both_ways_at_once);
    CU_ADD_TEST(suite, a_write_may_go_on_in_smaller_pieces);
    CU_ADD_TEST(suite, what_poll_does_not_see_is_pending);
    CU_ADD_TEST(suite, nothing_is_sent_in_the_clear);
    CU_ADD_TEST(suite, a_handshake_may_have_begun_already);
    CU_ADD_TEST(suite, plain_text_before_its_time_ends_the_handshake);
}
