/* How streams end: by the peer's end, by ours, or for now, where they are full. */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dialled.h"

void transport_end_tests(void);

typedef struct {
    int listener, peer;
    TransportAddress *address;
    Transport *transport;
} Stream;

static void stream_open(Stream *stream)
{
    uint16_t port;

    stream->listener = dialled_listen_v4(&port, 8);
    stream->address = transport_address_tcp("127.0.0.1", port, NULL);
    stream->transport = dialled_connect(stream->address, stream->listener, &stream->peer);
}

static void stream_clear(Stream *stream)
{
    transport_free(stream->transport);
    transport_address_free(stream->address);
    close(stream->listener);
    if (stream->peer >= 0)
        close(stream->peer);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Stream, stream_clear)

static void end_peer(Stream *stream, bool reset)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    if (reset)
        setsockopt(stream->peer, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(stream->peer);
    stream->peer = -1;
}

static void the_peers_end_and_its_reset_are_one(void)
{
    for (int reset = 0; reset <= 1; reset++) {
        g_auto(Stream) stream = {0};
        char buffer[4];
        size_t done = 99;

        stream_open(&stream);
        end_peer(&stream, reset == 1);
        CU_ASSERT_EQUAL(dialled_read(stream.transport, buffer, sizeof buffer, &done),
                        TRANSPORT_CLOSED);
        CU_ASSERT_EQUAL(done, 0);
    }
}

/* Also: no signal kills us. */
static void writing_to_who_has_gone_is_closed(void)
{
    for (int reset = 0; reset <= 1; reset++) {
        g_auto(Stream) stream = {0};
        struct pollfd hung = {.events = POLLHUP};
        size_t done;

        stream_open(&stream);
        end_peer(&stream, reset == 1);
        hung.fd = transport_fd(stream.transport);
        TransportStatus status = TRANSPORT_DONE;
        for (int tries = 0; tries < 2 && status == TRANSPORT_DONE; tries++) {
            status = transport_write(stream.transport, "ping", 4, &done);
            CU_ASSERT_EQUAL(poll(&hung, 1, DIALLED_PATIENT_MS),
                            1); /* the answer to it is a reset */
        }
        CU_ASSERT_EQUAL(status, TRANSPORT_CLOSED);
        CU_ASSERT_EQUAL(done, 0);
    }
}

static void what_was_sent_before_the_end_can_be_read(void)
{
    g_auto(Stream) stream = {0};
    char buffer[16];
    size_t done;

    stream_open(&stream);
    CU_ASSERT_EQUAL(send(stream.peer, "last words", 10, MSG_NOSIGNAL), 10);
    end_peer(&stream, false);
    CU_ASSERT_EQUAL(dialled_read(stream.transport, buffer, sizeof buffer, &done), TRANSPORT_DONE);
    CU_ASSERT_EQUAL(done, 10);
    CU_ASSERT_EQUAL(dialled_read(stream.transport, buffer, sizeof buffer, &done), TRANSPORT_CLOSED);
}

static void who_has_shut_down_still_listens(void)
{
    g_auto(Stream) stream = {0};
    char buffer[4];
    size_t done;

    stream_open(&stream);
    transport_shutdown(stream.transport);
    CU_ASSERT_EQUAL(recv(stream.peer, buffer, sizeof buffer, 0), 0);
    CU_ASSERT_EQUAL(send(stream.peer, "yes", 3, MSG_NOSIGNAL), 3);
    CU_ASSERT_EQUAL(dialled_read(stream.transport, buffer, sizeof buffer, &done), TRANSPORT_DONE);
    CU_ASSERT_EQUAL(done, 3);
    CU_ASSERT_EQUAL(transport_write(stream.transport, "more", 4, &done), TRANSPORT_CLOSED);
}

static void our_close_is_an_end_and_our_reset_a_reset(void)
{
    g_auto(Stream) closed = {0}, reset = {0};
    char buffer[4];

    stream_open(&closed);
    transport_close(closed.transport);
    CU_ASSERT_EQUAL(recv(closed.peer, buffer, sizeof buffer, 0), 0);
    stream_open(&reset);
    transport_reset(reset.transport);
    CU_ASSERT_EQUAL(recv(reset.peer, buffer, sizeof buffer, 0), -1);
    CU_ASSERT_EQUAL(errno, ECONNRESET);
}

static void after_the_end_nothing_moves(void)
{
    g_auto(Stream) stream = {0};
    char buffer[4];
    size_t done = 99;

    stream_open(&stream);
    transport_close(stream.transport);
    CU_ASSERT_EQUAL(transport_fd(stream.transport), -1);
    CU_ASSERT_EQUAL(transport_read(stream.transport, buffer, sizeof buffer, &done),
                    TRANSPORT_CLOSED);
    CU_ASSERT_EQUAL(done, 0);
    CU_ASSERT_EQUAL(transport_write(stream.transport, "ping", 4, &done), TRANSPORT_CLOSED);
    transport_shutdown(stream.transport);
    transport_reset(stream.transport);
    transport_close(stream.transport);
}

static void a_full_stream_takes_no_more_for_now(void)
{
    g_auto(Stream) stream = {0};
    g_autofree char *zeroes = g_malloc0(1 << 20);
    TransportStatus status;
    size_t done, sent = 0, limit = (size_t)256 << 20;

    stream_open(&stream);
    while ((status = transport_write(stream.transport, zeroes, 1 << 20, &done)) == TRANSPORT_DONE &&
           sent < limit)
        sent += done;
    CU_ASSERT_EQUAL(status, TRANSPORT_AGAIN);
    CU_ASSERT_EQUAL(done, 0);
}

void transport_end_tests(void)
{
    CU_pSuite suite = CU_add_suite("transport: ends", NULL, NULL);

    CU_ADD_TEST(suite, the_peers_end_and_its_reset_are_one);
    CU_ADD_TEST(suite, writing_to_who_has_gone_is_closed);
    CU_ADD_TEST(suite, what_was_sent_before_the_end_can_be_read);
    CU_ADD_TEST(suite, who_has_shut_down_still_listens);
    CU_ADD_TEST(suite, our_close_is_an_end_and_our_reset_a_reset);
    CU_ADD_TEST(suite, after_the_end_nothing_moves);
    CU_ADD_TEST(suite, a_full_stream_takes_no_more_for_now);
}
