/* Fuzz target: TLS of one stream, the harness's or the reference server's, with a hostile peer or a hostile line.
 *
 * The first byte of an input says who is to suffer, and from what: a peer that sends the other bytes in place of
 * TLS, or a line that damages what an honest peer sends. Then what is delivered is where the peer's bytes begin,
 * and not one byte else. Whatever came, it never takes more calls than it brings bytes, and ends with the stream.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "fuzz/keys.h"
#include "reference/tls.h"

enum { SUFFERS_SERVER = 1, HONEST_PEER = 2, RELAYED_PIECES = 4 };

#define LONGEST 16384
#define MANY 64   /* calls in a row that move nothing */
#define DAMAGE 4u /* bytes that tell of one: where, what, how much */

static TransportTls *client_keys;
static RefTls *server_keys;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    client_keys = keys_of_client();
    server_keys = keys_of_server();
    return 0;
}

typedef struct {
    Transport *transport; /* a server's is plain, and only holds its socket */
    TlsSession *session;  /* a server's; NULL: a client */
    int line;             /* the other end of its socket */
    GByteArray *heard;
    bool closed;
} End;

static void end_open(End *end, bool server)
{
    int fds[2];

    FUZZ_HOLDS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    *end = (End){.transport = transport_adopt(fds[0]), .line = fds[1], .heard = g_byte_array_new()};
    if (server)
        end->session = tls_session_new(fds[0], server_keys, NULL, false, NULL, 0);
    FUZZ_HOLDS(server ? end->session != NULL
                      : transport_tls_start(end->transport, client_keys, NULL, NULL, 0, NULL));
}

static void end_close(End *end)
{
    tls_session_free(end->session);
    transport_free(end->transport);
    close(end->line);
    g_byte_array_unref(end->heard);
}

/* ---- What both sides can do ------------------------------------------------------------------- */

static TransportStatus status_of(ssize_t moved, size_t *done)
{
    *done = (size_t)MAX(moved, 0);
    if (moved > 0)
        return TRANSPORT_DONE;
    return moved < 0 && errno == EAGAIN ? TRANSPORT_AGAIN : TRANSPORT_CLOSED;
}

static TransportStatus end_read(End *end, void *buffer, size_t size, size_t *done)
{
    return end->session == NULL ? transport_read(end->transport, buffer, size, done)
                                : status_of(tls_session_receive(end->session, buffer, size), done);
}

static TransportStatus end_write(End *end, const void *bytes, size_t size, size_t *done)
{
    return end->session == NULL ? transport_write(end->transport, bytes, size, done)
                                : status_of(tls_session_send(end->session, bytes, size), done);
}

static short end_events(const End *end)
{
    if (end->session == NULL)
        return transport_events(end->transport, POLLIN);
    return (short)(POLLIN | (tls_session_flush(end->session) ? 0 : POLLOUT));
}

static bool end_pending(const End *end)
{
    return end->session == NULL ? transport_pending(end->transport)
                                : tls_session_pending(end->session);
}

static void end_shutdown(End *end)
{
    if (end->session == NULL) {
        transport_shutdown(end->transport);
        return;
    }
    tls_session_notify(end->session);
    tls_session_shut(end->session);
}

static bool is_open(const End *end)
{
    return end->session == NULL ? transport_tls_facts(end->transport).state == TRANSPORT_TLS_OPEN
                                : tls_session_facts(end->session).established &&
                                      tls_session_facts(end->session).end == SESSION_GOES_ON;
}

static bool was_notified(const End *end)
{
    return end->session == NULL ? transport_tls_facts(end->transport).state == TRANSPORT_TLS_CLOSED
                                : tls_session_facts(end->session).end == SESSION_NOTIFIED;
}

/* ---- What they do ------------------------------------------------------------------------------ */

/* Hears all that has come, as long as poll() or the transport itself says that there is something. */
static void end_run(End *end)
{
    uint8_t bytes[4096];
    unsigned idle = 0;
    size_t done;

    while (!end->closed) {
        struct pollfd wait = {.fd = transport_fd(end->transport), .events = end_events(end)};
        FUZZ_HOLDS(wait.events != 0);
        if (!end_pending(end) && poll(&wait, 1, 0) == 0)
            return;
        TransportStatus status = end_read(end, bytes, sizeof bytes, &done);
        if (status == TRANSPORT_DONE) {
            FUZZ_HOLDS(done > 0 && done <= sizeof bytes);
            g_byte_array_append(end->heard, bytes, (guint)done);
        }
        end->closed = status == TRANSPORT_CLOSED;
        idle = status == TRANSPORT_AGAIN ? idle + 1 : 0;
        FUZZ_HOLDS(idle < MANY * LONGEST);
    }
}

static void check(const End *end)
{
    if (end->session != NULL) {
        FUZZ_HOLDS(end->heard->len == 0 || tls_session_facts(end->session).established);
        return;
    }
    TransportTlsFacts facts = transport_tls_facts(end->transport);
    const char *problem = transport_problem(end->transport);

    FUZZ_HOLDS(problem == NULL || g_utf8_validate(problem, -1, NULL));
    FUZZ_HOLDS(facts.state != TRANSPORT_TLS_OPEN || facts.established);
    FUZZ_HOLDS(end->heard->len == 0 || facts.established);
    FUZZ_HOLDS((facts.version != NULL) == facts.established);
}

/* The peer says no more: that is heard of. */
static void hang_up(End *end)
{
    shutdown(end->line, SHUT_WR);
    end_run(end);
    FUZZ_HOLDS(end->closed);
    check(end);
    FUZZ_HOLDS(!is_open(end));
    end_shutdown(end);
}

/* The socket takes it: who listens has taken all that came before. */
static void put(int fd, const uint8_t *bytes, size_t size)
{
    ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);

    FUZZ_HOLDS(sent == (ssize_t)size || (sent < 0 && (errno == EPIPE || errno == ECONNRESET)));
}

static void send_bytes(End *end, const uint8_t *data, size_t size, size_t piece)
{
    for (size_t at = 0; at < size && !end->closed; at += piece) {
        put(end->line, data + at, MIN(piece, size - at));
        end_run(end);
        check(end);
    }
}

/* ---- The line --------------------------------------------------------------------------------- */

typedef struct {
    const uint8_t *damages;
    size_t count, passed; /* bytes */
    bool damaged, cut;
} Line;

/* What becomes of one byte on its way. */
static void pass(Line *line, uint8_t byte, GByteArray *out)
{
    guint repeat = 1;

    for (size_t i = 0; i < line->count; i++) {
        const uint8_t *damage = line->damages + i * DAMAGE;
        if (((size_t)damage[0] << 8 | damage[1]) != line->passed)
            continue;
        line->damaged = true;
        byte ^= damage[2] % 4 == 0 ? damage[3] : 0;
        repeat = damage[2] % 4 == 1 ? 0 : damage[2] % 4 == 2 ? damage[3] : repeat;
        line->cut |= damage[2] % 4 == 3;
    }
    line->passed++;
    for (; repeat > 0 && !line->cut; repeat--)
        g_byte_array_append(out, &byte, 1);
}

/* From one end's socket to the other's. False if there was nothing. */
static bool relay(int from, End *to, Line *line, size_t piece)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    uint8_t bytes[4096];
    ssize_t got = recv(from, bytes, sizeof bytes, 0);

    for (ssize_t i = 0; i < got; i++) {
        if (line != NULL)
            pass(line, bytes[i], out);
        else
            g_byte_array_append(out, bytes + i, 1);
    }
    send_bytes(to, out->data, out->len, piece);
    return got > 0;
}

static void run_both(End *victim, End *peer, Line *line, size_t piece)
{
    bool moved;

    do {
        end_run(peer);
        moved = relay(peer->line, victim, line, piece);
        moved |= relay(victim->line, peer, NULL, SIZE_MAX / 2);
    } while (moved);
}

static void talk_to_honest_peer(End *victim, const uint8_t *data, size_t size, size_t piece)
{
    Line line = {.damages = data + 1, .count = size == 0 ? 0 : MIN(data[0], (size - 1) / DAMAGE)};
    size_t used = MIN(size, 1 + line.count * DAMAGE), done = 0;
    bool stuck = false; /* what the line has taken away may be waited for in vain */
    const uint8_t *said = data + used;
    End peer;

    size -= used;
    end_open(&peer, victim->session == NULL);
    run_both(victim, &peer, &line, piece);
    for (size_t sent = 0; sent < size; sent += done) {
        TransportStatus status = end_write(&peer, said + sent, size - sent, &done);
        if (status == TRANSPORT_CLOSED || (stuck && status == TRANSPORT_AGAIN))
            break;
        stuck = status == TRANSPORT_AGAIN;
        run_both(victim, &peer, &line, piece);
    }
    end_shutdown(&peer);
    run_both(victim, &peer, &line, piece);
    hang_up(victim);
    for (guint i = 0; i < victim->heard->len; i++)
        FUZZ_HOLDS(i < size && victim->heard->data[i] == said[i]);
    if (!line.damaged)
        FUZZ_HOLDS(victim->heard->len == size && was_notified(victim));
    end_close(&peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > LONGEST)
        return 0;
    const size_t piece = data[0] & RELAYED_PIECES ? 1 + data[0] / 8u : SIZE_MAX / 2;
    End victim;

    end_open(&victim, data[0] & SUFFERS_SERVER);
    if (data[0] & HONEST_PEER) {
        talk_to_honest_peer(&victim, data + 1, size - 1, piece);
    } else {
        send_bytes(&victim, data + 1, size - 1, piece);
        hang_up(&victim);
    }
    end_close(&victim);
    return 0;
}
