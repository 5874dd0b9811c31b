/* TLS: how it ends, and what is made of peers that break it. */
#include <CUnit/CUnit.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls_pair.h"

void transport_tls_end_tests(void);

/* ---- Ends ------------------------------------------------------------------------------------ */

static void a_close_says_so(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(tls_versions); i++) {
        g_auto(TlsPair) pair = {0};
        tls_pair_open(&pair, tls_versions[i]);
        tls_end_say(&pair.client, "last words");
        transport_close(pair.client.transport);
        tls_pair_run(&pair);
        CU_ASSERT_EQUAL(pair.server.in->len, 10);
        CU_ASSERT_TRUE(pair.server.closed);
        CU_ASSERT_EQUAL(tls_end_state(&pair.server), TRANSPORT_TLS_CLOSED);
    }
}

static void the_peers_close_is_no_problem(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(tls_versions); i++) {
        g_auto(TlsPair) pair = {0};
        tls_pair_open(&pair, tls_versions[i]);
        tls_end_say(&pair.server, "last words");
        tls_end_leave(&pair.server);
        tls_pair_run(&pair);
        CU_ASSERT_EQUAL(pair.client.in->len, 10);
        CU_ASSERT_TRUE(pair.client.closed);
        CU_ASSERT_EQUAL(tls_end_state(&pair.client), TRANSPORT_TLS_CLOSED);
        CU_ASSERT_PTR_NULL(transport_problem(pair.client.transport));
        CU_ASSERT_TRUE(transport_tls_facts(pair.client.transport).established);
    }
}

/* poll() tells of it only once the stream ends, too. */
static void a_close_that_came_with_data_is_pending(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(tls_versions); i++) {
        g_auto(TlsPair) pair = {0};
        uint8_t bytes[64];
        size_t done;
        tls_pair_open(&pair, tls_versions[i]);
        Transport *client = pair.client.transport;
        int held = dup(transport_fd(pair.server.transport));
        tls_end_say(&pair.server, "hello");
        tls_end_leave(&pair.server);
        CU_ASSERT_EQUAL(transport_read(client, bytes, sizeof bytes, &done), TRANSPORT_DONE);
        CU_ASSERT_TRUE(transport_pending(client));
        CU_ASSERT_EQUAL(transport_read(client, bytes, sizeof bytes, &done), TRANSPORT_CLOSED);
        CU_ASSERT_FALSE(transport_pending(client) || transport_tls_ended(client));
        close(held);
        CU_ASSERT_TRUE(transport_tls_ended(client));
    }
}

static void without_close_notify_the_stream_is_cut(void)
{
    static void (*const ends[])(Transport *) = {transport_drop, transport_reset};

    for (size_t i = 0; i < 4; i++) {
        g_auto(TlsPair) pair = {0};
        tls_pair_open(&pair, tls_versions[i % 2]);
        tls_end_say(&pair.server, "last words");
        ends[i / 2](pair.server.transport);
        tls_pair_run(&pair);
        CU_ASSERT_EQUAL(pair.client.in->len, 10);
        CU_ASSERT_TRUE(pair.client.closed);
        CU_ASSERT_EQUAL(tls_end_state(&pair.client), TRANSPORT_TLS_CUT);
        CU_ASSERT_TRUE(tls_end_says(&pair.client, "without TLS's close_notify"));
    }
}

static void who_stops_inside_a_record_cuts_it(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(tls_versions); i++) {
        g_auto(TlsPair) pair = {0};
        tls_pair_open(&pair, tls_versions[i]);
        CU_ASSERT_EQUAL(
            send(transport_fd(pair.server.transport), "\x17\x03\x03\x01\x00half", 9, MSG_NOSIGNAL),
            9);
        transport_drop(pair.server.transport);
        tls_pair_run(&pair);
        CU_ASSERT_EQUAL(tls_end_state(&pair.client), TRANSPORT_TLS_CUT);
        CU_ASSERT_TRUE(tls_end_says(&pair.client, "without TLS's close_notify"));
    }
}

static void who_has_shut_down_still_listens(void)
{
    g_auto(TlsPair) pair = {0};
    char byte;
    size_t done;

    tls_pair_open(&pair, ONLY("1.3"));
    transport_shutdown(pair.client.transport);
    CU_ASSERT_EQUAL(transport_write(pair.client.transport, "more", 4, &done), TRANSPORT_CLOSED);
    tls_pair_run(&pair);
    CU_ASSERT_EQUAL(tls_end_state(&pair.server), TRANSPORT_TLS_CLOSED);
    CU_ASSERT_EQUAL(recv(transport_fd(pair.server.transport), &byte, 1, 0), 0); /* FIN, too */
    tls_end_send(&pair.server, "still here", 10);
    tls_pair_run(&pair);
    CU_ASSERT_TRUE(tls_end_delivered(&pair.server, &pair.client));
    CU_ASSERT_EQUAL(tls_end_state(&pair.client), TRANSPORT_TLS_OPEN);
}

static void a_shutdown_waits_until_all_is_sent(void)
{
    g_auto(TlsPair) pair = {0};
    g_autofree uint8_t *bytes = tls_bytes(TLS_MUCH, 4);

    tls_pair_open(&pair, NULL);
    tls_end_send(&pair.client, bytes, TLS_MUCH);
    tls_end_fill(&pair.client);
    pair.client.out_size = 0;
    transport_shutdown(pair.client.transport);
    CU_ASSERT_EQUAL(transport_advance(pair.client.transport), TRANSPORT_AGAIN);
    CU_ASSERT_EQUAL(transport_events(pair.client.transport, 0), POLLOUT);
    tls_pair_run(&pair);
    CU_ASSERT_EQUAL(transport_advance(pair.client.transport), TRANSPORT_DONE);
    CU_ASSERT_EQUAL(transport_events(pair.client.transport, 0), 0);
    CU_ASSERT_EQUAL(tls_end_state(&pair.server), TRANSPORT_TLS_CLOSED);
    CU_ASSERT_TRUE(pair.server.in->len >= pair.client.sent);
    CU_ASSERT_EQUAL(memcmp(pair.server.in->data, bytes, pair.server.in->len), 0);
}

static void a_shutdown_asks_for_poll_as_long_as_it_waits(void)
{
    g_auto(TlsPair) pair = {0};
    g_autofree uint8_t *bytes = tls_bytes(TLS_MUCH, 5);
    uint8_t raw[1000];

    tls_pair_open(&pair, NULL);
    Transport *transport = pair.client.transport;
    tls_end_send(&pair.client, bytes, TLS_MUCH);
    tls_end_fill(&pair.client);
    transport_shutdown(transport);
    while (transport_advance(transport) == TRANSPORT_AGAIN) {
        CU_ASSERT_EQUAL(transport_events(transport, 0), POLLOUT);
        CU_ASSERT_TRUE_FATAL(recv(transport_fd(pair.server.transport), raw, sizeof raw, 0) > 0);
    }
    CU_ASSERT_EQUAL(transport_events(transport, 0), 0);
}

static void after_the_end_nothing_moves(void)
{
    g_auto(TlsPair) pair = {0};
    char byte;
    size_t done;

    tls_pair_open(&pair, NULL);
    transport_close(pair.client.transport);
    Transport *transport = pair.client.transport;
    CU_ASSERT_EQUAL(transport_fd(transport), -1);
    CU_ASSERT_EQUAL(transport_read(transport, &byte, 1, &done), TRANSPORT_CLOSED);
    CU_ASSERT_EQUAL(transport_write(transport, "x", 1, &done), TRANSPORT_CLOSED);
    transport_shutdown(transport);
    transport_drop(transport);
    transport_close(transport);
    CU_ASSERT_EQUAL(tls_end_state(&pair.client), TRANSPORT_TLS_OPEN); /* nobody else ended it */
}

/* ---- Peers that break it --------------------------------------------------------------------- */

static void whoever_leaves_the_handshake_cuts_it(void)
{
    for (int answer = 0; answer <= 1; answer++) {
        g_auto(TlsPair) pair = {0};
        tls_pair_connect(&pair);
        tls_end_start(&pair.client, &tls_alice, NULL, 0);
        if (answer == 1) /* the beginning of a ServerHello */
            CU_ASSERT_EQUAL(send(transport_fd(pair.server.transport),
                                 "\x16\x03\x03\x00\x7a\x02\x00\x00\x76", 9, MSG_NOSIGNAL),
                            9);
        transport_shutdown(pair.server.transport);
        CU_ASSERT_EQUAL(tls_end_state(&pair.client), TRANSPORT_TLS_HANDSHAKE);
        CU_ASSERT_EQUAL(transport_events(pair.client.transport, POLLOUT), POLLIN);
        tls_end_send(&pair.client, "hello", 5);
        tls_pair_run(&pair);
        CU_ASSERT_TRUE(pair.client.closed && pair.client.refused);
        CU_ASSERT_EQUAL(tls_end_state(&pair.client), TRANSPORT_TLS_CUT);
        CU_ASSERT_TRUE(tls_end_says(&pair.client, "inside the TLS handshake"));
        CU_ASSERT_EQUAL(transport_advance(pair.client.transport), TRANSPORT_CLOSED);
        CU_ASSERT_EQUAL(transport_events(pair.client.transport, 0), 0);
    }
}

/* Also if that makes our own message fail. */
static void who_hangs_up_may_have_said_why(void)
{
    for (int late = 0; late <= 1; late++) {
        g_auto(TlsPair) pair = {0};
        uint8_t hello[4096];
        tls_pair_connect(&pair);
        int server = transport_fd(pair.server.transport);
        if (late == 0) {
            tls_end_start(&pair.client, &tls_alice, NULL, 0);
            CU_ASSERT_TRUE(recv(server, hello, sizeof hello, 0) > 0);
        }
        CU_ASSERT_EQUAL(send(server, "\x15\x03\x03\x00\x02\x02\x28", 7, MSG_NOSIGNAL), 7);
        transport_drop(pair.server.transport);
        if (late == 1)
            tls_end_start(&pair.client, &tls_alice, NULL, 0);
        tls_pair_run(&pair);
        CU_ASSERT_EQUAL(tls_end_state(&pair.client), TRANSPORT_TLS_ALERT);
        CU_ASSERT_EQUAL(transport_tls_facts(pair.client.transport).alert, 40);
        CU_ASSERT_TRUE(tls_end_says(&pair.client, "alert 40"));
    }
}

/* Whatever its first byte, and from both sides: it must not pass, nor hang once the peer has gone. */
static void garbage_is_no_handshake(void)
{
    for (int first = 0; first < 512; first++) {
        g_auto(TlsPair) pair = {0};
        g_autofree uint8_t *bytes = tls_bytes(20000, (uint32_t)first);
        bool client = first < 256;
        tls_pair_connect(&pair);
        if (client)
            tls_end_start(&pair.client, &tls_alice, NULL, 0);
        else
            tls_end_serve(&pair.client, &tls_keeper, NULL, 0);
        bytes[0] = (uint8_t)first;
        CU_ASSERT_EQUAL(send(transport_fd(pair.server.transport), bytes, 20000, MSG_NOSIGNAL),
                        20000);
        transport_shutdown(pair.server.transport);
        tls_pair_run(&pair);
        TransportTlsState state = tls_end_state(&pair.client);
        CU_ASSERT_TRUE(state == TRANSPORT_TLS_BROKEN || state == TRANSPORT_TLS_CUT);
        CU_ASSERT_EQUAL(transport_problem(pair.client.transport) != NULL, client);
        CU_ASSERT_EQUAL(pair.client.in->len, 0);
    }
}

static void garbage_inside_breaks_it(void)
{
    static const char record[] = "\x17\x03\x03\x00\x20of thirty-two bytes, all made up";

    for (size_t i = 0; i < G_N_ELEMENTS(tls_versions); i++) {
        g_auto(TlsPair) pair = {0};
        tls_pair_open(&pair, tls_versions[i]);
        CU_ASSERT_EQUAL(
            send(transport_fd(pair.server.transport), record, sizeof record - 1, MSG_NOSIGNAL),
            (ssize_t)sizeof record - 1);
        tls_pair_run(&pair);
        CU_ASSERT_TRUE(pair.client.closed);
        CU_ASSERT_EQUAL(pair.client.in->len, 0);
        CU_ASSERT_EQUAL(tls_end_state(&pair.client), TRANSPORT_TLS_BROKEN);
        CU_ASSERT_TRUE(tls_end_says(&pair.client, "TLS is broken"));
        CU_ASSERT_EQUAL(tls_end_state(&pair.server), TRANSPORT_TLS_ALERT);
    }
}

/* Once the end is known, no event will come to ask again for what a part of a record is. */
static void a_part_of_a_record_and_the_end_are_the_end_at_once(void)
{
    static const char part[] = "\x17\x03\x03\x00\x40 a part";

    for (size_t i = 0; i < G_N_ELEMENTS(tls_versions); i++) {
        g_auto(TlsPair) pair = {0};
        char text[16];
        size_t done;
        tls_pair_open(&pair, tls_versions[i]);
        int fd = transport_fd(pair.server.transport);
        CU_ASSERT_EQUAL(send(fd, part, sizeof part - 1, 0), sizeof part - 1);
        CU_ASSERT_EQUAL(shutdown(fd, SHUT_WR), 0);
        CU_ASSERT_EQUAL(transport_read(pair.client.transport, text, sizeof text, &done),
                        TRANSPORT_CLOSED);
        CU_ASSERT_EQUAL(tls_end_state(&pair.client), TRANSPORT_TLS_CUT);
    }
}

static void a_part_of_the_first_record_and_the_end_are_the_end_at_once(void)
{
    static const char part[] = "\x16\x03\x01\x00\x40 a part";
    g_auto(TlsPair) pair = {0};
    char text[16];

    tls_pair_connect(&pair);
    int fd = transport_fd(pair.client.transport);
    CU_ASSERT_EQUAL(send(fd, part, sizeof part - 1, 0), sizeof part - 1);
    CU_ASSERT_EQUAL(shutdown(fd, SHUT_WR), 0);
    tls_end_serve(&pair.server, &tls_keeper, NULL, 0);
    CU_ASSERT_EQUAL(tls_session_receive(pair.server.session, text, sizeof text), 0);
    CU_ASSERT_EQUAL(tls_end_state(&pair.server), TRANSPORT_TLS_CUT);
}

void transport_tls_end_tests(void)
{
    CU_pSuite suite = CU_add_suite("transport_tls_end", NULL, NULL);

    CU_ADD_TEST(suite, a_close_says_so);
    CU_ADD_TEST(suite, the_peers_close_is_no_problem);
    CU_ADD_TEST(suite, a_close_that_came_with_data_is_pending);
    CU_ADD_TEST(suite, without_close_notify_the_stream_is_cut);
    CU_ADD_TEST(suite, who_stops_inside_a_record_cuts_it);
    CU_ADD_TEST(suite, who_has_shut_down_still_listens);
    CU_ADD_TEST(suite, a_shutdown_waits_until_all_is_sent);
    CU_ADD_TEST(suite, a_shutdown_asks_for_poll_as_long_as_it_waits);
    CU_ADD_TEST(suite, after_the_end_nothing_moves);
    CU_ADD_TEST(suite, whoever_leaves_the_handshake_cuts_it);
    CU_ADD_TEST(suite, who_hangs_up_may_have_said_why);
    CU_ADD_TEST(suite, garbage_is_no_handshake);
    CU_ADD_TEST(suite, garbage_inside_breaks_it);
    CU_ADD_TEST(suite, a_part_of_a_record_and_the_end_are_the_end_at_once);
    CU_ADD_TEST(suite, a_part_of_the_first_record_and_the_end_are_the_end_at_once);
}
