/* Streams to a peer: every kind of address, every way to fail, every way to end. */
#include <CUnit/CUnit.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "transport/private.h"

void transport_tests(void);

/* Long enough for any machine. */
#define PATIENT_MS 60000

/* ---- Listeners -------------------------------------------------------------------------------- */

/* -1 where the kernel has no such address. */
static int listen_at(const void *address, socklen_t length, int backlog)
{
    const struct sockaddr *at = address;
    int fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && bind(fd, at, length) == 0 && listen(fd, backlog) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int listen_v4(uint16_t *port, int backlog)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof in;
    int fd = listen_at(&in, length, backlog);

    CU_ASSERT_TRUE_FATAL(fd >= 0);
    getsockname(fd, (struct sockaddr *)&in, &length);
    *port = ntohs(in.sin_port);
    return fd;
}

static int listen_v6(uint16_t *port)
{
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t length = sizeof in;
    int fd = listen_at(&in, length, 8);

    if (fd >= 0)
        getsockname(fd, (struct sockaddr *)&in, &length);
    *port = ntohs(in.sin6_port);
    return fd;
}

/* A leading NUL for the abstract namespace. */
static int listen_unix(const char *path, size_t length, int backlog)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t whole = offsetof(struct sockaddr_un, sun_path) + length;

    memcpy(un.sun_path, path, length);
    int fd = listen_at(&un, (socklen_t)whole, backlog);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    return fd;
}

/* ---- Streams ---------------------------------------------------------------------------------- */

static TransportStatus wait_read(Transport *transport, void *buffer, size_t size, size_t *done)
{
    for (;;) {
        struct pollfd wait = {.fd = transport_fd(transport), .events = POLLIN};
        TransportStatus status = transport_read(transport, buffer, size, done);
        if (status != TRANSPORT_AGAIN || poll(&wait, 1, PATIENT_MS) <= 0)
            return status;
    }
}

/* Connects, and has the listener's end too: both ways must carry bytes. */
static Transport *connect_to(const TransportAddress *address, int listener, int *peer)
{
    g_autoptr(GError) error = NULL;
    Transport *transport = transport_connect(address, PATIENT_MS, &error);
    char text[8] = "";
    size_t done;

    CU_ASSERT_PTR_NOT_NULL_FATAL(transport);
    *peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CU_ASSERT_TRUE_FATAL(*peer >= 0);
    CU_ASSERT_EQUAL(transport_read(transport, text, sizeof text, &done), TRANSPORT_AGAIN);
    CU_ASSERT_EQUAL(done, 0);
    CU_ASSERT_EQUAL(transport_write(transport, "ping", 4, &done), TRANSPORT_DONE);
    CU_ASSERT_EQUAL(done, 4);
    CU_ASSERT_EQUAL(recv(*peer, text, 4, MSG_WAITALL), 4);
    CU_ASSERT_EQUAL(memcmp(text, "ping", 4), 0);
    CU_ASSERT_EQUAL(send(*peer, "pong", 4, MSG_NOSIGNAL), 4);
    CU_ASSERT_EQUAL(wait_read(transport, text, sizeof text, &done), TRANSPORT_DONE);
    CU_ASSERT_EQUAL(done, 4);
    CU_ASSERT_EQUAL(memcmp(text, "pong", 4), 0);
    return transport;
}

static void carries_bytes(const TransportAddress *address, int listener)
{
    int peer;
    g_autoptr(Transport) transport = connect_to(address, listener, &peer);
    int fd = transport_fd(transport);

    CU_ASSERT_TRUE((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    CU_ASSERT_TRUE((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    close(peer);
    close(listener);
}

/* ---- Addresses -------------------------------------------------------------------------------- */

static void tcp_over_ipv4(void)
{
    uint16_t port;
    int listener = listen_v4(&port, 8);
    g_autoptr(TransportAddress) address = transport_address_tcp("127.0.0.1", port, NULL);
    g_autofree char *name = g_strdup_printf("127.0.0.1:%u", port);

    CU_ASSERT_PTR_NOT_NULL_FATAL(address);
    CU_ASSERT_TRUE(transport_address_is_tcp(address));
    CU_ASSERT_STRING_EQUAL(transport_address_name(address), name);
    carries_bytes(address, listener);
}

static void tcp_over_ipv6(void)
{
    uint16_t port;
    int listener = listen_v6(&port);
    g_autoptr(TransportAddress) address = transport_address_tcp("::1", port, NULL);
    g_autofree char *name = g_strdup_printf("[::1]:%u", port);

    CU_ASSERT_PTR_NOT_NULL_FATAL(address);
    CU_ASSERT_STRING_EQUAL(transport_address_name(address), name);
    if (listener >= 0) /* the machine has IPv6 */
        carries_bytes(address, listener);
}

static void a_name_stands_for_its_addresses(void)
{
    uint16_t port;
    int listener = listen_v4(&port, 8);
    g_autoptr(TransportAddress) address = transport_address_tcp("localhost", port, NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(address);
    carries_bytes(address, listener);
}

static void the_addresses_of_a_name_are_tried_in_turn(void)
{
    uint16_t port, deaf;
    int listener = listen_v4(&port, 8), closed = listen_v4(&deaf, 8);
    g_autoptr(TransportAddress) address = transport_address_tcp("127.0.0.1", deaf, NULL);
    g_autoptr(TransportAddress) second = transport_address_tcp("127.0.0.1", port, NULL);

    close(closed);
    g_array_append_vals(address->sockets, second->sockets->data, 1);
    carries_bytes(address, listener);
}

static void tcp_sends_small_messages_at_once(void)
{
    uint16_t port;
    int listener = listen_v4(&port, 8), peer, on = 0;
    g_autoptr(TransportAddress) address = transport_address_tcp("127.0.0.1", port, NULL);
    g_autoptr(Transport) transport = connect_to(address, listener, &peer);
    socklen_t size = sizeof on;

    getsockopt(transport_fd(transport), IPPROTO_TCP, TCP_NODELAY, &on, &size);
    CU_ASSERT_EQUAL(on, 1);
    close(peer);
    close(listener);
}

static void unix_sockets_by_their_path(void)
{
    g_autofree char *folder = g_dir_make_tmp("transport-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "socket", NULL);
    int listener = listen_unix(path, strlen(path), 8);
    g_autoptr(TransportAddress) address = transport_address_unix(path, strlen(path), NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(address);
    CU_ASSERT_FALSE(transport_address_is_tcp(address));
    CU_ASSERT_STRING_EQUAL(transport_address_name(address), path);
    carries_bytes(address, listener);
    g_remove(path);
    g_rmdir(folder);
}

static void unix_sockets_in_the_abstract_namespace(void)
{
    g_autofree char *name = g_strdup_printf("@nbdconform-test-%d", (int)getpid());
    g_autofree char *path = g_strdup(name);

    path[0] = '\0';
    int listener = listen_unix(path, strlen(name), 8);
    g_autoptr(TransportAddress) address = transport_address_unix(path, strlen(name), NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(address);
    CU_ASSERT_STRING_EQUAL(transport_address_name(address), name);
    carries_bytes(address, listener);
}

static void impossible_addresses_are_told(void)
{
    char path[200];

    memset(path, 'x', sizeof path);
    for (size_t length = 0; length <= sizeof path; length += 108) {
        g_autoptr(GError) error = NULL;
        CU_ASSERT_PTR_NULL(transport_address_unix(path, length, &error));
        CU_ASSERT_TRUE(g_error_matches(error, TRANSPORT_ERROR, TRANSPORT_ERROR_NAME));
    }
    g_autoptr(TransportAddress) longest = transport_address_unix(path, 107, NULL);
    CU_ASSERT_PTR_NOT_NULL(longest);
    g_autoptr(GError) error = NULL;
    CU_ASSERT_PTR_NULL(transport_address_tcp("no such host", 1, &error));
    CU_ASSERT_TRUE(g_error_matches(error, TRANSPORT_ERROR, TRANSPORT_ERROR_NAME));
    CU_ASSERT_PTR_NOT_NULL(strstr(error->message, "\"no such host\""));
}

/* ---- Nobody there ----------------------------------------------------------------------------- */

static void fails_with(const TransportAddress *address, unsigned timeout_ms, TransportError code,
                       const char *why)
{
    g_autoptr(GError) error = NULL;

    CU_ASSERT_PTR_NULL_FATAL(transport_connect(address, timeout_ms, &error));
    CU_ASSERT_TRUE(g_error_matches(error, TRANSPORT_ERROR, (int)code));
    CU_ASSERT_PTR_NOT_NULL(strstr(error->message, transport_address_name(address)));
    CU_ASSERT_PTR_NOT_NULL(strstr(error->message, why));
}

static void who_is_refused_is_told(void)
{
    uint16_t port;
    int listener = listen_v4(&port, 8);
    g_autoptr(TransportAddress) tcp = transport_address_tcp("127.0.0.1", port, NULL);
    g_autoptr(TransportAddress) named = transport_address_tcp("localhost", port, NULL);
    g_autoptr(TransportAddress) nowhere = transport_address_unix("/nonexistent/socket", 19, NULL);
    g_autoptr(TransportAddress) nobody = transport_address_unix("\0nobody-is-here", 15, NULL);

    close(listener);
    fails_with(tcp, PATIENT_MS, TRANSPORT_ERROR_CONNECT, "refused");
    fails_with(named, PATIENT_MS, TRANSPORT_ERROR_CONNECT, "refused");
    fails_with(nowhere, PATIENT_MS, TRANSPORT_ERROR_CONNECT, "No such file");
    fails_with(nobody, PATIENT_MS, TRANSPORT_ERROR_CONNECT, "refused");
}

/* Fills the queue of a listener that never accepts, and then asks for one more. */
static void queue_up(const TransportAddress *address)
{
    g_autoptr(GPtrArray) queue = g_ptr_array_new_with_free_func((GDestroyNotify)transport_free);
    Transport *transport;

    while (queue->len < 16 && (transport = transport_connect(address, 100, NULL)) != NULL)
        g_ptr_array_add(queue, transport);
    CU_ASSERT_TRUE(queue->len < 16);
    fails_with(address, 100, TRANSPORT_ERROR_TIMEOUT, "timed out");
}

static void who_is_not_accepted_waits_no_longer_than_asked(void)
{
    g_autofree char *path = g_strdup_printf("@nbdconform-queue-%d", (int)getpid());
    size_t length = strlen(path);
    uint16_t port;

    path[0] = '\0';
    int tcp_listener = listen_v4(&port, 0), unix_listener = listen_unix(path, length, 0);
    g_autoptr(TransportAddress) tcp = transport_address_tcp("127.0.0.1", port, NULL);
    g_autoptr(TransportAddress) local = transport_address_unix(path, length, NULL);

    queue_up(tcp);
    queue_up(local);
    close(tcp_listener);
    close(unix_listener);
}

/* ---- Ends ------------------------------------------------------------------------------------- */

typedef struct {
    int listener, peer;
    TransportAddress *address;
    Transport *transport;
} Stream;

static void stream_open(Stream *stream)
{
    uint16_t port;

    stream->listener = listen_v4(&port, 8);
    stream->address = transport_address_tcp("127.0.0.1", port, NULL);
    stream->transport = connect_to(stream->address, stream->listener, &stream->peer);
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
        CU_ASSERT_EQUAL(wait_read(stream.transport, buffer, sizeof buffer, &done),
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
            CU_ASSERT_EQUAL(poll(&hung, 1, PATIENT_MS), 1); /* the answer to it is a reset */
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
    CU_ASSERT_EQUAL(wait_read(stream.transport, buffer, sizeof buffer, &done), TRANSPORT_DONE);
    CU_ASSERT_EQUAL(done, 10);
    CU_ASSERT_EQUAL(wait_read(stream.transport, buffer, sizeof buffer, &done), TRANSPORT_CLOSED);
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
    CU_ASSERT_EQUAL(wait_read(stream.transport, buffer, sizeof buffer, &done), TRANSPORT_DONE);
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

void transport_tests(void)
{
    CU_pSuite suite = CU_add_suite("transport", NULL, NULL);

    CU_ADD_TEST(suite, tcp_over_ipv4);
    CU_ADD_TEST(suite, tcp_over_ipv6);
    CU_ADD_TEST(suite, a_name_stands_for_its_addresses);
    CU_ADD_TEST(suite, the_addresses_of_a_name_are_tried_in_turn);
    CU_ADD_TEST(suite, tcp_sends_small_messages_at_once);
    CU_ADD_TEST(suite, unix_sockets_by_their_path);
    CU_ADD_TEST(suite, unix_sockets_in_the_abstract_namespace);
    CU_ADD_TEST(suite, impossible_addresses_are_told);
    CU_ADD_TEST(suite, who_is_refused_is_told);
    CU_ADD_TEST(suite, who_is_not_accepted_waits_no_longer_than_asked);
    CU_ADD_TEST(suite, the_peers_end_and_its_reset_are_one);
    CU_ADD_TEST(suite, writing_to_who_has_gone_is_closed);
    CU_ADD_TEST(suite, what_was_sent_before_the_end_can_be_read);
    CU_ADD_TEST(suite, who_has_shut_down_still_listens);
    CU_ADD_TEST(suite, our_close_is_an_end_and_our_reset_a_reset);
    CU_ADD_TEST(suite, after_the_end_nothing_moves);
    CU_ADD_TEST(suite, a_full_stream_takes_no_more_for_now);
}
