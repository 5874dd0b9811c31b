/* TLS sessions between a connection and its socket.
 *
 * GnuTLS never touches the socket: it takes from what has come, and adds to what is to go. So none of its calls
 * stops half way for want of room, to be called again with the same bytes; only those that want more input are. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "reference/tls.h"

#define INPUT_SIZE ((size_t)64 * 1024) /* as much is read at once */
#define GATHERED ((size_t)48 * 1024)   /* as much is encrypted before it is sent */
#define TURNS 32 /* records that bring nothing, before other connections get their turn */
#define RECORD_HEADER 5u

struct TlsSession {
    gnutls_session_t gnutls;
    int fd;
    bool hushed;

    uint8_t *in; /* what GnuTLS has not taken yet; NULL: nothing */
    size_t in_start, in_end;
    bool dry;                      /* when last asked, the socket had nothing */
    uint8_t header[RECORD_HEADER]; /* of the record that GnuTLS is taking, */
    size_t header_size;            /* … as far as it has */
    size_t body_left;

    GByteArray *out; /* what the socket has not taken yet, from OUT_START on; NULL: nothing */
    size_t out_start;
    bool mute;     /* the socket takes no more */
    bool shutting; /* our side of it is to end behind OUT */

    bool established, at_end, reset;
    TlsSessionEnd end;
};

/* ---- Input ----------------------------------------------------------------------------------- */

static void drop_input(TlsSession *session)
{
    g_clear_pointer(&session->in, g_free);
    session->in_start = session->in_end = 0;
}

/* Asks the socket. False: GnuTLS gets RESULT instead of bytes. */
static bool refill(TlsSession *session, ssize_t *result)
{
    session->in = g_malloc(INPUT_SIZE);
    do
        *result = recv(session->fd, session->in, INPUT_SIZE, MSG_DONTWAIT);
    while (*result < 0 && errno == EINTR);
    session->dry = *result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (*result > 0) {
        session->in_end = (size_t)*result;
        return true;
    }
    session->at_end |= !session->dry;
    session->reset |= *result < 0 && !session->dry;
    gnutls_transport_set_errno(session->gnutls, session->dry ? EAGAIN : ECONNRESET);
    drop_input(session);
    return false;
}

/* Counts where in a record the bytes end that GnuTLS takes. */
static void follow(TlsSession *session, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        bool inside = session->header_size == RECORD_HEADER;
        size_t step = MIN(size, inside ? session->body_left : RECORD_HEADER - session->header_size);
        if (inside) {
            session->body_left -= step;
        } else {
            memcpy(session->header + session->header_size, bytes, step);
            session->header_size += step;
            if (session->header_size == RECORD_HEADER)
                session->body_left = (size_t)session->header[3] << 8 | session->header[4];
        }
        if (session->header_size == RECORD_HEADER && session->body_left == 0)
            session->header_size = 0;
        bytes += step;
        size -= step;
    }
}

static ssize_t give_input(gnutls_transport_ptr_t data, void *buffer, size_t size)
{
    TlsSession *session = data;
    ssize_t result;

    if (session->in == NULL && !refill(session, &result))
        return result;
    size = MIN(size, session->in_end - session->in_start);
    memcpy(buffer, session->in + session->in_start, size);
    follow(session, buffer, size);
    session->in_start += size;
    if (session->in_start == session->in_end)
        drop_input(session);
    return (ssize_t)size;
}

/* ---- Output ---------------------------------------------------------------------------------- */

static ssize_t take_output(gnutls_transport_ptr_t data, const void *bytes, size_t size)
{
    TlsSession *session = data;

    if (session->mute)
        return (ssize_t)size;
    if (session->out == NULL)
        session->out = g_byte_array_new();
    g_byte_array_append(session->out, bytes, (guint)size);
    return (ssize_t)size;
}

static void drop_output(TlsSession *session)
{
    g_clear_pointer(&session->out, g_byte_array_unref);
    session->out_start = 0;
}

bool tls_session_flush(TlsSession *session)
{
    while (session->out != NULL) {
        ssize_t n = send(session->fd, session->out->data + session->out_start,
                         session->out->len - session->out_start, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return false;
        if (n < 0 && errno != EINTR) {
            session->mute = true;
            session->reset |= errno == ECONNRESET;
            drop_output(session);
            break;
        }
        session->out_start += (size_t)MAX(n, 0);
        if (session->out_start == session->out->len)
            drop_output(session);
    }
    if (session->shutting && !session->mute) {
        shutdown(session->fd, SHUT_WR);
        session->mute = true;
    }
    return true;
}

/* ---- Receiving ------------------------------------------------------------------------------- */

static TlsSessionEnd end_of(const TlsSession *session, int code)
{
    if (code == 0 || code == GNUTLS_E_SESSION_EOF)
        return SESSION_NOTIFIED;
    if (code == GNUTLS_E_FATAL_ALERT_RECEIVED)
        return SESSION_ALERTED;
    if (session->at_end)
        return SESSION_CUT;
    switch (code) {
    case GNUTLS_E_CERTIFICATE_REQUIRED:
    case GNUTLS_E_NO_CERTIFICATE_FOUND:
    case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
    case GNUTLS_E_INSUFFICIENT_CREDENTIALS:
        return SESSION_DISTRUSTED;
    default:
        return SESSION_GARBLED;
    }
}

static void finish(TlsSession *session, int code)
{
    session->end = end_of(session, code);
    if ((session->end == SESSION_DISTRUSTED || session->end == SESSION_GARBLED) && !session->hushed)
        (void)gnutls_alert_send_appropriate(session->gnutls, code);
}

/* Whoever asks to renegotiate may go on as it was: not to heap up what we say, once is enough until it is sent. */
static void decline(TlsSession *session)
{
    if (session->out == NULL)
        (void)gnutls_alert_send(session->gnutls, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION);
}

/* What it means that GnuTLS had nothing to give. False: there is no use in asking again. */
static bool heed(TlsSession *session, int code)
{
    if (code == 0 || gnutls_error_is_fatal(code))
        finish(session, code);
    else if (code == GNUTLS_E_REHANDSHAKE)
        decline(session);
    return session->end == SESSION_GOES_ON && !(code == GNUTLS_E_AGAIN && session->dry);
}

/* Carries the handshake on. False: it is not through. */
static bool shake(TlsSession *session)
{
    bool going = !session->established && session->end == SESSION_GOES_ON;

    for (unsigned turn = 0; going && turn < TURNS; turn++) {
        int code = gnutls_handshake(session->gnutls);
        session->established = code == GNUTLS_E_SUCCESS;
        going = !session->established && heed(session, code);
    }
    (void)tls_session_flush(session);
    return session->established;
}

/* Bytes from inside, of all records that have come: so requests are answered together that came together. 0: there
 * are none now, or TLS is over. */
static ssize_t decrypt(TlsSession *session, uint8_t *buffer, size_t size)
{
    bool going = session->end == SESSION_GOES_ON;
    unsigned idle = 0;
    size_t done = 0;

    while (going && done < size && idle < TURNS) {
        ssize_t n = gnutls_record_recv(session->gnutls, buffer + done, size - done);
        if (n > 0) {
            done += (size_t)n;
            going = tls_session_pending(session);
        } else {
            idle++;
            going = heed(session, (int)n);
        }
    }
    return (ssize_t)done;
}

ssize_t tls_session_receive(TlsSession *session, void *buffer, size_t size)
{
    ssize_t n = shake(session) ? decrypt(session, buffer, size) : 0;

    (void)tls_session_flush(session);
    if (n > 0 || session->end != SESSION_GOES_ON)
        return n;
    errno = EAGAIN;
    return -1;
}

/* ---- Sending --------------------------------------------------------------------------------- */

/* A client that has said close_notify may still listen. */
static bool can_send(const TlsSession *session)
{
    return session->established && !session->mute && !session->shutting &&
           (session->end == SESSION_GOES_ON || session->end == SESSION_NOTIFIED);
}

/* Encrypts the first of BYTES. Their number, or an error of GnuTLS's. */
static ssize_t encrypt(const TlsSession *session, const uint8_t *bytes, size_t size)
{
    size_t done = 0;

    size = MIN(size, GATHERED);
    while (done < size) {
        ssize_t n = gnutls_record_send(session->gnutls, bytes + done, size - done);
        if (n < 0)
            return n;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

ssize_t tls_session_send(TlsSession *session, const void *bytes, size_t size)
{
    bool through = shake(session) || session->end != SESSION_GOES_ON;
    size_t done = 0;

    while (through && done < size && tls_session_flush(session)) {
        ssize_t n = can_send(session) ? encrypt(session, (const uint8_t *)bytes + done, size - done)
                                      : GNUTLS_E_INVALID_SESSION;
        if (n < 0) {
            errno = EPIPE;
            return -1;
        }
        done += (size_t)n;
    }
    (void)tls_session_flush(session);
    if (done == 0 && size > 0) {
        errno = EAGAIN;
        return -1;
    }
    return (ssize_t)done;
}

void tls_session_notify(TlsSession *session)
{
    if (can_send(session))
        (void)gnutls_bye(session->gnutls, GNUTLS_SHUT_WR);
    (void)tls_session_flush(session);
}

void tls_session_alert(TlsSession *session)
{
    if (can_send(session))
        (void)gnutls_alert_send(session->gnutls, GNUTLS_AL_FATAL, GNUTLS_A_INTERNAL_ERROR);
    (void)tls_session_flush(session);
}

void tls_session_shut(TlsSession *session)
{
    session->shutting = true;
    (void)tls_session_flush(session);
}

/* ---- What it is like ------------------------------------------------------------------------- */

bool tls_session_pending(const TlsSession *session)
{
    return session->in != NULL || gnutls_record_check_pending(session->gnutls) > 0;
}

bool tls_session_idle(const TlsSession *session)
{
    return session->dry && session->out == NULL;
}

TlsSessionFacts tls_session_facts(const TlsSession *session)
{
    return (TlsSessionFacts){
        .end = session->end,
        .established = session->established,
        .inside_record = session->header_size > 0,
        .reset = session->reset,
    };
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

TlsSession *tls_session_new(int fd, const RefTls *tls, const char *priorities, bool hushed,
                            const void *early, size_t early_size)
{
    gnutls_session_t gnutls;

    /* Without NONBLOCK, GnuTLS would poll what it takes for a socket. */
    if (gnutls_init(&gnutls, GNUTLS_SERVER | GNUTLS_NONBLOCK) < 0)
        return NULL;
    if (!ref_tls_apply(tls, gnutls, priorities)) {
        gnutls_deinit(gnutls);
        return NULL;
    }
    TlsSession *session = g_new0(TlsSession, 1);
    session->gnutls = gnutls;
    session->fd = fd;
    session->hushed = hushed;
    session->in = early_size > 0 ? g_memdup2(early, early_size) : NULL;
    session->in_end = early_size;
    gnutls_transport_set_ptr(gnutls, session);
    gnutls_transport_set_pull_function(gnutls, give_input);
    gnutls_transport_set_push_function(gnutls, take_output);
    return session;
}

void tls_session_free(TlsSession *session)
{
    if (session == NULL)
        return;
    gnutls_deinit(session->gnutls);
    drop_input(session);
    drop_output(session);
    g_free(session);
}
