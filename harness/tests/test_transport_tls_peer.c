/* TLS with a server of another house: nbdkit, upgraded by hand with NBD_OPT_STARTTLS. */
#include <CUnit/CUnit.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "transport/tls.h"
#include "tls_pair.h"

void transport_tls_peer_tests(void);

/* Long enough for any machine. */
#define PATIENT_MS 60000

static const TransportTlsOptions certified = {
    .certificates = CERTIFICATES("good"), .hostname = "localhost", .verify_peer = true};

typedef struct {
    GPid pid;
    Transport *transport;
    TransportTls *settings;
} Peer;

/* One connection, on its standard input and output. */
static void peer_start(Peer *peer, const char *option)
{
    const char *command[] = {"nbdkit", "-s", "--tls=require", option, "memory", "1M", NULL};
    g_autoptr(GError) error = NULL;
    int fds[2];

    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    g_spawn_async_with_fds(NULL, (char **)command, NULL,
                           G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD |
                               G_SPAWN_STDERR_TO_DEV_NULL,
                           NULL, NULL, &peer->pid, fds[1], fds[1], -1, &error);
    if (error != NULL)
        g_printerr("%s\n", error->message);
    CU_ASSERT_PTR_NULL_FATAL(error);
    close(fds[1]);
    g_unix_set_fd_nonblocking(fds[0], TRUE, NULL);
    peer->transport = transport_adopt(fds[0]);
}

static void peer_clear(Peer *peer)
{
    transport_free(peer->transport);
    transport_tls_free(peer->settings);
    kill(peer->pid, SIGKILL);
    waitpid(peer->pid, NULL, 0);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Peer, peer_clear)

static bool wait_for(const Transport *transport, short wanted)
{
    struct pollfd wait = {.fd = transport_fd(transport),
                          .events = transport_events(transport, wanted)};

    return transport_pending(transport) || poll(&wait, 1, PATIENT_MS) == 1;
}

static bool say(Transport *transport, const void *bytes, size_t size)
{
    const uint8_t *next = bytes;
    size_t done;

    for (; size > 0; size -= done, next += done) {
        TransportStatus status = transport_write(transport, next, size, &done);
        if (status == TRANSPORT_CLOSED ||
            (status == TRANSPORT_AGAIN && !wait_for(transport, POLLOUT)))
            return false;
    }
    return true;
}

static bool hear(Transport *transport, void *bytes, size_t size)
{
    uint8_t *next = bytes;
    size_t done;

    for (; size > 0; size -= done, next += done) {
        TransportStatus status = transport_read(transport, next, size, &done);
        if (status == TRANSPORT_CLOSED ||
            (status == TRANSPORT_AGAIN && !wait_for(transport, POLLIN)))
            return false;
    }
    return true;
}

/* The greeting is heard, and NBD_OPT_STARTTLS acknowledged. */
static void ask_for_tls(Peer *peer, const TransportTlsOptions *options)
{
    uint8_t greeting[18], reply[20];

    CU_ASSERT_TRUE_FATAL(hear(peer->transport, greeting, sizeof greeting));
    CU_ASSERT_EQUAL_FATAL(memcmp(greeting, "NBDMAGICIHAVEOPT", 16), 0);
    CU_ASSERT_TRUE(say(peer->transport, "\0\0\0\3IHAVEOPT\0\0\0\5\0\0\0\0", 20));
    CU_ASSERT_TRUE_FATAL(hear(peer->transport, reply, sizeof reply));
    CU_ASSERT_EQUAL_FATAL(memcmp(reply + 8, "\0\0\0\5\0\0\0\1\0\0\0\0", 12), 0);
    peer->settings = transport_tls_new(options, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(peer->settings);
}

static bool start(Peer *peer, const char *priorities)
{
    TransportStatus status;

    CU_ASSERT_TRUE(transport_tls_start(peer->transport, peer->settings, priorities, NULL, 0, NULL));
    do
        status = transport_advance(peer->transport);
    while (status == TRANSPORT_AGAIN && wait_for(peer->transport, 0));
    return status == TRANSPORT_DONE;
}

/* EXPORT_NAME, a write of a block and its way back. */
static void use_it(Transport *transport)
{
    static const uint8_t ask[28] = "\x25\x60\x95\x13\0\0\0\1"          /* WRITE, */
                                   "cookie 1\0\0\0\0\0\0\0\0\0\1\0\0"; /* 64 KiB */
    uint8_t export[10], request[28], reply[16];
    g_autofree uint8_t *block = g_malloc(65536), *back = g_malloc0(65536);

    memset(block, 'x', 65536);
    memcpy(request, ask, sizeof request);
    CU_ASSERT_TRUE_FATAL(say(transport, "IHAVEOPT\0\0\0\1\0\0\0\0", 16));
    CU_ASSERT_TRUE_FATAL(hear(transport, export, 10));
    CU_ASSERT_EQUAL(memcmp(export, "\0\0\0\0\0\x10\0\0", 8), 0);
    CU_ASSERT_TRUE(say(transport, request, sizeof request) && say(transport, block, 65536));
    CU_ASSERT_TRUE_FATAL(hear(transport, reply, sizeof reply));
    CU_ASSERT_EQUAL(memcmp(reply, "\x67\x44\x66\x98\0\0\0\0cookie 1", 16), 0);
    request[7] = 0; /* READ */
    CU_ASSERT_TRUE(say(transport, request, sizeof request));
    CU_ASSERT_TRUE_FATAL(hear(transport, reply, sizeof reply) && hear(transport, back, 65536));
    CU_ASSERT_EQUAL(memcmp(back, block, 65536), 0);
    request[7] = 2; /* DISC */
    CU_ASSERT_TRUE(say(transport, request, sizeof request));
}

static void works(const TransportTlsOptions *options, const char *option, const char *version)
{
    g_auto(Peer) peer = {0};
    g_autofree char *only = g_strconcat(ONLY(""), version, NULL);
    g_autofree char *name = g_strconcat("TLS", version, NULL);
    uint8_t byte;

    peer_start(&peer, option);
    ask_for_tls(&peer, options);
    CU_ASSERT_TRUE_FATAL(start(&peer, only));
    use_it(peer.transport);
    CU_ASSERT_FALSE(hear(peer.transport, &byte, 1));
    TransportTlsFacts facts = transport_tls_facts(peer.transport);
    CU_ASSERT_EQUAL(g_strcmp0(facts.version, name), 0);
    CU_ASSERT_EQUAL(facts.certified, options->verify_peer);
    CU_ASSERT_EQUAL(facts.state, TRANSPORT_TLS_CLOSED); /* nbdkit says close_notify */
}

static void nbdkit_with_certificates(void)
{
    works(&certified, "--tls-certificates=" CERTIFICATES("good"), "1.2");
    works(&certified, "--tls-certificates=" CERTIFICATES("good"), "1.3");
}

static void nbdkit_with_shared_keys(void)
{
    works(&tls_alice, "--tls-psk=" CERTIFICATES("keys.psk"), "1.2");
    works(&tls_alice, "--tls-psk=" CERTIFICATES("keys.psk"), "1.3");
}

static void nbdkit_refuses_wrong_keys(void)
{
    g_auto(Peer) peer = {0};

    peer_start(&peer, "--tls-psk=" CERTIFICATES("wrong.psk"));
    ask_for_tls(&peer, &tls_alice);
    CU_ASSERT_FALSE(start(&peer, NULL));
    TransportTlsFacts facts = transport_tls_facts(peer.transport);
    CU_ASSERT_TRUE(facts.state == TRANSPORT_TLS_ALERT || facts.state == TRANSPORT_TLS_CUT);
    CU_ASSERT_PTR_NOT_NULL(transport_problem(peer.transport));
}

static void nbdkit_is_refused_under_another_name(void)
{
    g_auto(Peer) peer = {0};

    peer_start(&peer, "--tls-certificates=" CERTIFICATES("elsewhere"));
    ask_for_tls(&peer, &certified);
    CU_ASSERT_FALSE(start(&peer, NULL));
    CU_ASSERT_EQUAL(transport_tls_facts(peer.transport).state, TRANSPORT_TLS_UNTRUSTED);
}

void transport_tls_peer_tests(void)
{
    CU_pSuite suite = CU_add_suite("transport_tls_peer", NULL, NULL);

    CU_ADD_TEST(suite, nbdkit_with_certificates);
    CU_ADD_TEST(suite, nbdkit_with_shared_keys);
    CU_ADD_TEST(suite, nbdkit_refuses_wrong_keys);
    CU_ADD_TEST(suite, nbdkit_is_refused_under_another_name);
}
