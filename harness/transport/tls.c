/* TLS of one stream, the client's side.
 *
 * GnuTLS reads a record's header and then its body: to spare a system call for each, input goes through a
 * buffer, which at first holds what the caller had read already.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "transport/private.h"

/* One record as large as can be, and what surrounds it. */
#define INPUT_SIZE (16384 + 2048 + 5)

/* Records that carry nothing for the caller, in a row, before it gets its turn. */
#define EMPTY_RECORDS 64

struct Tls {
    int fd;
    gnutls_session_t session;
    TransportTlsState state;
    bool established, certified;
    int alert;
    char *problem;
    short read_events; /* what reading waits for */
    bool read_over, write_over;
    bool told;       /* the caller knows that nothing more is to be read */
    bool ended;      /* the peer's bytes have, */
    bool gone;       /* and there is nobody to send to */
    bool flushing;   /* a record is sent in part */
    size_t accepted; /* bytes in records already sent, of which the caller has not been told */
    bool shutting;   /* close_notify is still to be sent, and then FIN */
    uint8_t *input;
    size_t start, end, size; /* of what input holds; its room */
    size_t piece;            /* as much goes in one send(); 0: as it comes */
};

/* ---- What GnuTLS calls ----------------------------------------------------------------------- */

static ssize_t pull(gnutls_transport_ptr_t data, void *buffer, size_t size)
{
    Tls *tls = data;

    if (tls->start == tls->end) {
        ssize_t got = recv(tls->fd, tls->input, tls->size, 0);
        if (got <= 0) {
            tls->ended = got == 0 || (errno != EAGAIN && errno != EINTR);
            return got;
        }
        tls->start = 0;
        tls->end = (size_t)got;
    }
    size = MIN(size, tls->end - tls->start);
    memcpy(buffer, tls->input + tls->start, size);
    tls->start += size;
    return (ssize_t)size;
}

/* GnuTLS goes on with what was left over. */
static ssize_t send_piece(const Tls *tls, const giovec_t *bytes)
{
    return send(tls->fd, bytes->iov_base, MIN(bytes->iov_len, tls->piece), MSG_NOSIGNAL);
}

/* Who hangs up inside the handshake may have said why, in bytes that are still to be read: so there a
 * failed send is no end. */
static ssize_t push(gnutls_transport_ptr_t data, const giovec_t *pieces, int count)
{
    Tls *tls = data;
    struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count};
    size_t whole = 0;

    if (!tls->gone) {
        ssize_t sent = tls->piece > 0 && count > 0 ? send_piece(tls, pieces)
                                                   : sendmsg(tls->fd, &message, MSG_NOSIGNAL);
        if (sent >= 0 || (errno != EPIPE && errno != ECONNRESET))
            return sent;
    }
    tls->gone = true;
    if (tls->established) {
        errno = EPIPE;
        return -1;
    }
    for (int i = 0; i < count; i++)
        whole += pieces[i].iov_len;
    return (ssize_t)whole;
}

/* GnuTLS asks this only of streams that block. */
static int pull_timeout(gnutls_transport_ptr_t data, unsigned milliseconds)
{
    const Tls *tls = data;
    struct pollfd wait = {.fd = tls->fd, .events = POLLIN};

    return tls->start < tls->end ? 1 : poll(&wait, 1, (int)milliseconds);
}

/* ---- The handshake --------------------------------------------------------------------------- */

static bool is_again(int code)
{
    return code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED;
}

/* The first reason stays. GnuTLS takes a record that stops short for a wrong one. */
static TransportStatus fail(Tls *tls, int code)
{
    if (tls->ended && tls_state_of(code) == TRANSPORT_TLS_BROKEN)
        code = GNUTLS_E_PREMATURE_TERMINATION;
    if (tls->problem == NULL) {
        tls->state = tls_state_of(code);
        tls->problem = tls_explain(tls->session, code, tls->established);
        if (tls->state == TRANSPORT_TLS_ALERT)
            tls->alert = (int)gnutls_alert_get(tls->session);
        if (tls->state == TRANSPORT_TLS_UNTRUSTED || tls->state == TRANSPORT_TLS_BROKEN)
            (void)gnutls_alert_send_appropriate(tls->session, code);
    }
    tls->read_over = true;
    tls->write_over = true;
    return TRANSPORT_CLOSED;
}

static short direction(const Tls *tls)
{
    return gnutls_record_get_direction(tls->session) == 1 ? POLLOUT : POLLIN;
}

static TransportStatus shake_hands(Tls *tls)
{
    unsigned empty = 0;
    int code;

    if (tls->state != TRANSPORT_TLS_HANDSHAKE)
        return tls->established ? TRANSPORT_DONE : TRANSPORT_CLOSED;
    do {
        code = gnutls_handshake(tls->session);
    } while (code < 0 && !gnutls_error_is_fatal(code) && !is_again(code) &&
             ++empty < EMPTY_RECORDS);
    if (code < 0 && gnutls_error_is_fatal(code))
        return fail(tls, code);
    if (code < 0) {
        tls->read_events = direction(tls);
        return TRANSPORT_AGAIN;
    }
    tls->state = TRANSPORT_TLS_OPEN;
    tls->established = true;
    tls->read_events = POLLIN;
    return TRANSPORT_DONE;
}

static Tls *tls_new(int fd, const TransportTls *settings, const void *early, size_t early_size)
{
    Tls *tls = g_new0(Tls, 1);

    tls->fd = fd;
    tls->state = TRANSPORT_TLS_HANDSHAKE;
    tls->certified = settings->verify_peer && settings->certificates != NULL;
    tls->alert = -1;
    tls->size = MAX(INPUT_SIZE, early_size);
    tls->input = g_malloc(tls->size);
    tls->end = early_size;
    if (early_size > 0)
        memcpy(tls->input, early, early_size);
    gnutls_init(&tls->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK |
                                   (settings->forward ? GNUTLS_FORCE_CLIENT_CERT : 0));
    gnutls_transport_set_ptr(tls->session, tls);
    gnutls_transport_set_pull_function(tls->session, pull);
    gnutls_transport_set_pull_timeout_function(tls->session, pull_timeout);
    gnutls_transport_set_vec_push_function(tls->session, push);
    return tls;
}

void tls_free(Tls *tls)
{
    if (tls == NULL)
        return;
    gnutls_deinit(tls->session);
    g_free(tls->problem);
    g_free(tls->input);
    g_free(tls);
}

bool transport_tls_start(Transport *transport, const TransportTls *settings, const char *priorities,
                         const void *early, size_t early_size, GError **error)
{
    if (transport->tls != NULL || transport->fd < 0) {
        g_set_error_literal(error, TRANSPORT_ERROR, TRANSPORT_ERROR_TLS,
                            transport->fd < 0 ? "the stream is closed" : "the stream has TLS");
        return false;
    }
    Tls *tls = tls_new(transport->fd, settings, early, early_size);
    if (!tls_settings_apply(settings, priorities, tls->session, error)) {
        tls_free(tls);
        return false;
    }
    transport->tls = tls;
    tls->piece = transport->piece;
    (void)shake_hands(tls); /* a client speaks first */
    return true;
}

void transport_tls_cut(Transport *transport, size_t size)
{
    transport->piece = size;
}

/* ---- Sending --------------------------------------------------------------------------------- */

/* GnuTLS keeps a record that was sent in part, and knows how many of the caller's bytes are in it. */
static TransportStatus flush(Tls *tls)
{
    if (!tls->flushing)
        return TRANSPORT_DONE;
    ssize_t moved = gnutls_record_send(tls->session, NULL, 0);
    if (moved < 0 && is_again((int)moved))
        return TRANSPORT_AGAIN;
    tls->flushing = false;
    if (moved < 0) {
        tls->write_over = true;
        return TRANSPORT_CLOSED;
    }
    tls->accepted += (size_t)moved;
    return TRANSPORT_DONE;
}

static TransportStatus bid_farewell(Tls *tls)
{
    if (!tls->shutting)
        return TRANSPORT_DONE;
    if (!tls->write_over && is_again(gnutls_bye(tls->session, GNUTLS_SHUT_WR)))
        return TRANSPORT_AGAIN;
    tls->shutting = false;
    tls->write_over = true;
    (void)shutdown(tls->fd, SHUT_WR);
    return TRANSPORT_DONE;
}

TransportStatus tls_advance(Tls *tls)
{
    TransportStatus status = shake_hands(tls);

    if (status == TRANSPORT_DONE)
        status = flush(tls);
    return status == TRANSPORT_AGAIN ? status : MAX(status, bid_farewell(tls));
}

/* What could not be sent may leave a reason to be read, so it is no problem yet. */
static TransportStatus send_record(Tls *tls, const void *bytes, size_t size)
{
    ssize_t moved = gnutls_record_send(tls->session, bytes, size);

    if (moved >= 0) {
        tls->accepted = (size_t)moved;
        return TRANSPORT_DONE;
    }
    tls->flushing = is_again((int)moved);
    if (tls->flushing)
        return TRANSPORT_AGAIN;
    tls->write_over = true;
    return moved == GNUTLS_E_PUSH_ERROR ? TRANSPORT_CLOSED : fail(tls, (int)moved);
}

TransportStatus tls_write(Tls *tls, const void *bytes, size_t size, size_t *done)
{
    bool ended = tls->shutting || tls->write_over;
    TransportStatus status = tls_advance(tls);

    if (ended)
        return TRANSPORT_CLOSED;
    if (status == TRANSPORT_DONE && tls->accepted == 0)
        status = tls->write_over ? TRANSPORT_CLOSED : send_record(tls, bytes, size);
    if (status == TRANSPORT_DONE) {
        *done = MIN(size, tls->accepted);
        tls->accepted -= *done;
    }
    return status;
}

void tls_shutdown(Tls *tls)
{
    /* Before TLS is there, it cannot say that it ends. */
    if (!tls->established) {
        tls->write_over = true;
        (void)shutdown(tls->fd, SHUT_WR);
    }
    tls->shutting = tls->established;
    (void)tls_advance(tls);
}

void tls_farewell(Tls *tls)
{
    if (tls->established && !tls->write_over && flush(tls) == TRANSPORT_DONE)
        (void)gnutls_bye(tls->session, GNUTLS_SHUT_WR);
}

/* ---- Receiving ------------------------------------------------------------------------------- */

/* True if another record may be asked for at once. */
static bool receive(Tls *tls, uint8_t *buffer, size_t size, size_t *done)
{
    ssize_t moved = gnutls_record_recv(tls->session, buffer, size);

    if (moved > 0) {
        *done += (size_t)moved;
        return true;
    }
    if (moved == 0) {
        tls->state = TRANSPORT_TLS_CLOSED;
        tls->read_over = true;
    } else if (is_again((int)moved)) {
        tls->read_events = direction(tls);
        return tls->ended; /* inside of a record: GnuTLS sees it only when it is asked once more */
    } else if (moved == GNUTLS_E_REHANDSHAKE) {
        (void)gnutls_alert_send(tls->session, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION);
        return true;
    } else if (gnutls_error_is_fatal((int)moved)) {
        (void)fail(tls, (int)moved);
    } else {
        return true;
    }
    return false;
}

TransportStatus tls_read(Tls *tls, void *buffer, size_t size, size_t *done)
{
    unsigned empty = 0;

    TransportStatus status = tls_advance(tls);
    if (tls->state == TRANSPORT_TLS_HANDSHAKE)
        return status;
    while (!tls->read_over && *done < size && empty < EMPTY_RECORDS) {
        size_t before = *done;
        if (!receive(tls, (uint8_t *)buffer + before, size - before, done))
            break;
        empty += *done == before;
    }
    if (*done > 0)
        return TRANSPORT_DONE;
    tls->told = tls->read_over;
    return tls->read_over ? TRANSPORT_CLOSED : TRANSPORT_AGAIN;
}

/* A close_notify that came together with data: the peer may send nothing more that poll() would see. */
bool tls_pending(const Tls *tls)
{
    if (tls->read_over)
        return !tls->told;
    return tls->start < tls->end || gnutls_record_check_pending(tls->session) > 0;
}

short tls_events(const Tls *tls, short wanted)
{
    int events = wanted & ~POLLIN;

    if (tls->state == TRANSPORT_TLS_HANDSHAKE)
        return tls->read_events;
    if ((wanted & POLLIN) != 0)
        events |= tls->read_events;
    if (tls->flushing || tls->shutting)
        events |= POLLOUT;
    return (short)events;
}

bool transport_tls_ended(Transport *transport)
{
    Tls *tls = transport->tls;
    uint8_t bytes[4096];
    ssize_t got;

    do {
        got = tls->ended ? 0 : recv(tls->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    } while (got > 0);
    tls->ended |= got == 0 || (errno != EAGAIN && errno != EINTR);
    return tls->ended;
}

/* ---- What is known --------------------------------------------------------------------------- */

const char *tls_problem(const Tls *tls)
{
    return tls->problem;
}

TransportTlsFacts transport_tls_facts(const Transport *transport)
{
    const Tls *tls = transport->tls;

    if (tls == NULL)
        return (TransportTlsFacts){.state = TRANSPORT_TLS_NONE, .alert = -1};
    TransportTlsFacts facts = {
        .state = tls->state,
        .established = tls->established,
        .alert = tls->alert,
    };
    if (tls->established) {
        facts.certified = tls->certified;
        facts.version = gnutls_protocol_get_name(gnutls_protocol_get_version(tls->session));
        facts.cipher = gnutls_ciphersuite_get(tls->session);
    }
    return facts;
}
