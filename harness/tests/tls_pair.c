/* Two ends of a stream with TLS between them. */
#include "tls_pair.h"

#include <CUnit/CUnit.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 65536

const char *const tls_versions[2] = {ONLY("1.2"), ONLY("1.3")};

const TransportTlsOptions tls_alice = {.psk_file = CERTIFICATES("keys.psk"), .username = "alice"};
const RefTlsOptions tls_keeper = {.psk_file = CERTIFICATES("keys.psk"), .priorities = "NORMAL"};

static void connect_ends(int *fds)
{
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
                          0);
}

static void end_init(TlsEnd *end, int fd)
{
    end->transport = transport_adopt(fd);
    end->in = g_byte_array_new();
    end->piece = SIZE_MAX;
}

void tls_pair_connect(TlsPair *pair)
{
    int fds[2];

    connect_ends(fds);
    end_init(&pair->client, fds[0]);
    end_init(&pair->server, fds[1]);
}

void tls_end_start(TlsEnd *end, const TransportTlsOptions *options, const void *early,
                   size_t early_size)
{
    g_autoptr(GError) error = NULL;

    end->settings = transport_tls_new(options, &error);
    if (end->settings == NULL)
        g_printerr("%s\n", error->message);
    CU_ASSERT_PTR_NOT_NULL_FATAL(end->settings);
    CU_ASSERT_TRUE_FATAL(
        transport_tls_start(end->transport, end->settings, NULL, early, early_size, NULL));
}

void tls_end_serve(TlsEnd *end, const RefTlsOptions *options, const void *early, size_t early_size)
{
    g_autoptr(GError) error = NULL;

    end->credentials = ref_tls_new(options, &error);
    if (end->credentials == NULL)
        g_printerr("%s\n", error->message);
    CU_ASSERT_PTR_NOT_NULL_FATAL(end->credentials);
    end->session = tls_session_new(transport_fd(end->transport), end->credentials, NULL, false,
                                   early, early_size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(end->session);
}

static void start_both(TlsPair *pair, const TransportTlsOptions *client,
                       const RefTlsOptions *server)
{
    tls_end_start(&pair->client, client, NULL, 0);
    tls_end_serve(&pair->server, server, NULL, 0);
}

void tls_pair_start(TlsPair *pair, const TransportTlsOptions *client, const RefTlsOptions *server)
{
    tls_pair_connect(pair);
    start_both(pair, client, server);
}

void tls_pair_start_relayed(TlsPair *pair, const TransportTlsOptions *client,
                            const RefTlsOptions *server)
{
    int near[2], far[2];

    connect_ends(near);
    connect_ends(far);
    end_init(&pair->client, near[0]);
    end_init(&pair->server, far[1]);
    pair->relayed = true;
    pair->relay[0] = near[1];
    pair->relay[1] = far[0];
    start_both(pair, client, server);
}

static void end_clear(TlsEnd *end)
{
    tls_session_free(end->session);
    ref_tls_free(end->credentials);
    transport_free(end->transport);
    transport_tls_free(end->settings);
    if (end->in != NULL)
        g_byte_array_unref(end->in);
}

void tls_pair_clear(TlsPair *pair)
{
    end_clear(&pair->client);
    end_clear(&pair->server);
    if (pair->relayed) {
        close(pair->relay[0]);
        close(pair->relay[1]);
    }
}

void tls_end_send(TlsEnd *end, const void *bytes, size_t size)
{
    end->out = bytes;
    end->out_size = size;
    end->sent = 0;
}

/* ---- What both sides can do ------------------------------------------------------------------- */

static TransportStatus status_of(ssize_t moved, size_t *done)
{
    *done = (size_t)MAX(moved, 0);
    if (moved > 0)
        return TRANSPORT_DONE;
    return moved < 0 && errno == EAGAIN ? TRANSPORT_AGAIN : TRANSPORT_CLOSED;
}

static TransportStatus end_write(TlsEnd *end, const void *bytes, size_t size, size_t *done)
{
    return end->session == NULL ? transport_write(end->transport, bytes, size, done)
                                : status_of(tls_session_send(end->session, bytes, size), done);
}

static TransportStatus end_read(TlsEnd *end, void *buffer, size_t size, size_t *done)
{
    return end->session == NULL ? transport_read(end->transport, buffer, size, done)
                                : status_of(tls_session_receive(end->session, buffer, size), done);
}

static bool end_advance(TlsEnd *end)
{
    return end->session == NULL ? transport_advance(end->transport) != TRANSPORT_AGAIN
                                : tls_session_flush(end->session);
}

static short end_events(const TlsEnd *end, int wanted)
{
    if (end->session == NULL)
        return transport_events(end->transport, (short)wanted);
    if (!tls_session_facts(end->session).established)
        wanted &= ~POLLOUT;
    return (short)(wanted | (tls_session_flush(end->session) ? 0 : POLLOUT));
}

static bool end_pending(const TlsEnd *end)
{
    return end->session == NULL ? transport_pending(end->transport)
                                : tls_session_pending(end->session);
}

/* ---- Moving ------------------------------------------------------------------------------------ */

static bool owes(const TlsEnd *end)
{
    return end->sent < end->out_size && !end->refused;
}

static void move_out(TlsEnd *end)
{
    size_t done;

    while (owes(end)) {
        TransportStatus status =
            end_write(end, end->out + end->sent, MIN(end->piece, end->out_size - end->sent), &done);
        end->refused = status == TRANSPORT_CLOSED;
        if (status != TRANSPORT_DONE)
            return;
        end->sent += done;
    }
}

/* Once only: what is left must be announced by poll() or transport_pending(). */
static void move_in(TlsEnd *end)
{
    uint8_t buffer[READ_SIZE];
    size_t done;
    TransportStatus status = end_read(end, buffer, sizeof buffer, &done);

    if (status == TRANSPORT_DONE)
        g_byte_array_append(end->in, buffer, (guint)done);
    end->closed = status == TRANSPORT_CLOSED;
}

static bool end_run(TlsEnd *end)
{
    int wanted = (end->closed ? 0 : POLLIN) | (owes(end) ? POLLOUT : 0);
    struct pollfd wait = {.fd = transport_fd(end->transport), .events = end_events(end, wanted)};

    if (wait.fd < 0 || (end->closed && !owes(end) && wait.events == 0))
        return false;
    if (!end_pending(end) && poll(&wait, 1, 0) == 0)
        return false;
    (void)end_advance(end);
    move_out(end);
    if (!end->closed)
        move_in(end);
    return true;
}

static bool relay(int from, int to)
{
    uint8_t byte;
    ssize_t got = recv(from, &byte, 1, 0);

    if (got == 0)
        (void)shutdown(to, SHUT_WR);
    if (got == 1)
        CU_ASSERT_EQUAL(send(to, &byte, 1, MSG_NOSIGNAL), 1);
    return got == 1;
}

void tls_pair_run(TlsPair *pair)
{
    bool moved;

    do {
        moved = end_run(&pair->client);
        moved |= end_run(&pair->server);
        if (pair->relayed) {
            moved |= relay(pair->relay[0], pair->relay[1]);
            moved |= relay(pair->relay[1], pair->relay[0]);
        }
    } while (moved);
}

bool tls_end_delivered(const TlsEnd *end, const TlsEnd *other)
{
    return end->sent == end->out_size && other->in->len == end->out_size &&
           memcmp(other->in->data, end->out, end->out_size) == 0;
}

static TransportTlsState session_state(TlsSessionFacts facts)
{
    static const TransportTlsState states[] = {
        [SESSION_NOTIFIED] = TRANSPORT_TLS_CLOSED,
        [SESSION_ALERTED] = TRANSPORT_TLS_ALERT,
        [SESSION_CUT] = TRANSPORT_TLS_CUT,
        [SESSION_GARBLED] = TRANSPORT_TLS_BROKEN,
        [SESSION_DISTRUSTED] = TRANSPORT_TLS_UNTRUSTED,
    };

    if (facts.end == SESSION_GOES_ON)
        return facts.established ? TRANSPORT_TLS_OPEN : TRANSPORT_TLS_HANDSHAKE;
    return states[facts.end];
}

TransportTlsState tls_end_state(const TlsEnd *end)
{
    if (end->session != NULL)
        return session_state(tls_session_facts(end->session));
    return transport_tls_facts(end->transport).state;
}

bool tls_end_says(const TlsEnd *end, const char *text)
{
    const char *problem = transport_problem(end->transport);

    if (problem != NULL && strstr(problem, text) != NULL)
        return true;
    g_printerr("\n  not \"%s\" but \"%s\"", text, problem == NULL ? "(none)" : problem);
    return false;
}

void tls_pair_start_as_alice(TlsPair *pair, const char *priorities)
{
    TransportTlsOptions client = tls_alice;

    client.priorities = priorities;
    tls_pair_start(pair, &client, &tls_keeper);
}

void tls_pair_open(TlsPair *pair, const char *priorities)
{
    tls_pair_start_as_alice(pair, priorities);
    tls_pair_run(pair);
    CU_ASSERT_EQUAL_FATAL(tls_end_state(&pair->client), TRANSPORT_TLS_OPEN);
    CU_ASSERT_EQUAL_FATAL(tls_end_state(&pair->server), TRANSPORT_TLS_OPEN);
}

uint8_t *tls_bytes(size_t size, uint32_t seed)
{
    uint8_t *bytes = g_malloc(size);

    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(seed >> 24);
    }
    return bytes;
}

void tls_end_fill(TlsEnd *end)
{
    TransportStatus status;
    size_t done;

    while ((status = end_write(end, end->out + end->sent, end->out_size - end->sent, &done)) ==
           TRANSPORT_DONE)
        end->sent += done;
    CU_ASSERT_EQUAL_FATAL(status, TRANSPORT_AGAIN);
}

void tls_end_say(TlsEnd *end, const char *text)
{
    size_t done;

    CU_ASSERT_EQUAL(end_write(end, text, strlen(text), &done), TRANSPORT_DONE);
    CU_ASSERT_EQUAL(done, strlen(text));
}

void tls_end_leave(TlsEnd *end)
{
    tls_session_notify(end->session);
    transport_drop(end->transport);
}
