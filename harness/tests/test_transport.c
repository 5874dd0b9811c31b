/* Streams to a peer: every kind of address, and every way to fail. */
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

#include "dialled.h"
#include "transport/private.h"

void transport_tests(void);

/* ---- Listeners -------------------------------------------------------------------------------- */

static int listen_v6(uint16_t *port)
{
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t length = sizeof in;
    int fd = dialled_listen(&in, length, 8);

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
    int fd = dialled_listen(&un, (socklen_t)whole, backlog);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    return fd;
}

static void carries_bytes(const TransportAddress *address, int listener)
{
    int peer;
    g_autoptr(Transport) transport = dialled_connect(address, listener, &peer);
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
    int listener = dialled_listen_v4(&port, 8);
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
    int listener = dialled_listen_v4(&port, 8);
    g_autoptr(TransportAddress) address = transport_address_tcp("localhost", port, NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(address);
    carries_bytes(address, listener);
}

static void the_addresses_of_a_name_are_tried_in_turn(void)
{
    uint16_t port, deaf;
    int listener = dialled_listen_v4(&port, 8), closed = dialled_listen_v4(&deaf, 8);
    g_autoptr(TransportAddress) address = transport_address_tcp("127.0.0.1", deaf, NULL);
    g_autoptr(TransportAddress) second = transport_address_tcp("127.0.0.1", port, NULL);

    close(closed);
    g_array_append_vals(address->sockets, second->sockets->data, 1);
    carries_bytes(address, listener);
}

static void tcp_sends_small_messages_at_once(void)
{
    uint16_t port;
    int listener = dialled_listen_v4(&port, 8), peer, on = 0;
    g_autoptr(TransportAddress) address = transport_address_tcp("127.0.0.1", port, NULL);
    g_autoptr(Transport) transport = dialled_connect(address, listener, &peer);
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
    int listener = dialled_listen_v4(&port, 8);
    g_autoptr(TransportAddress) tcp = transport_address_tcp("127.0.0.1", port, NULL);
    g_autoptr(TransportAddress) named = transport_address_tcp("localhost", port, NULL);
    g_autoptr(TransportAddress) nowhere = transport_address_unix("/nonexistent/socket", 19, NULL);
    g_autoptr(TransportAddress) nobody = transport_address_unix("\0nobody-is-here", 15, NULL);

    close(listener);
    fails_with(tcp, DIALLED_PATIENT_MS, TRANSPORT_ERROR_CONNECT, "refused");
    fails_with(named, DIALLED_PATIENT_MS, TRANSPORT_ERROR_CONNECT, "refused");
    fails_with(nowhere, DIALLED_PATIENT_MS, TRANSPORT_ERROR_CONNECT, "No such file");
    fails_with(nobody, DIALLED_PATIENT_MS, TRANSPORT_ERROR_CONNECT, "refused");
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
    int tcp_listener = dialled_listen_v4(&port, 0), unix_listener = listen_unix(path, length, 0);
    g_autoptr(TransportAddress) tcp = transport_address_tcp("127.0.0.1", port, NULL);
    g_autoptr(TransportAddress) local = transport_address_unix(path, length, NULL);

    queue_up(tcp);
    queue_up(local);
    close(tcp_listener);
    close(unix_listener);
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
}
