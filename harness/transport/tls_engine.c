/* GnuTLS between two arrays of bytes. */
#include <errno.h>
#include <string.h>

#include "transport/private.h"
#include "transport/tls_engine.h"

/* Records that carry nothing for the caller, in a row: a peer that sends them for ever gets no further. */
#define EMPTY_RECORDS 64u

struct TransportTlsEngine {
    gnutls_session_t session;
    GByteArray *in, *out;
    size_t taken, sent; /* of these; the rest is still to be */
    bool established, over;
};

/* ---- What GnuTLS calls ----------------------------------------------------------------------- */

static ssize_t push(gnutls_transport_ptr_t data, const void *bytes, size_t size)
{
    TransportTlsEngine *engine = data;

    g_byte_array_append(engine->out, bytes, (guint)size);
    return (ssize_t)size;
}

static ssize_t pull(gnutls_transport_ptr_t data, void *buffer, size_t size)
{
    TransportTlsEngine *engine = data;
    size_t some = MIN(size, engine->in->len - engine->taken);

    if (some == 0) {
        errno = EAGAIN;
        return -1;
    }
    memcpy(buffer, engine->in->data + engine->taken, some);
    engine->taken += some;
    return (ssize_t)some;
}

static int no_wait(gnutls_transport_ptr_t data, unsigned milliseconds)
{
    const TransportTlsEngine *engine = data;

    (void)milliseconds;
    return engine->in->len > engine->taken ? 1 : 0;
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

TransportTlsEngine *transport_tls_engine_new(const TransportTls *settings)
{
    g_autoptr(TransportTlsEngine) engine = g_new0(TransportTlsEngine, 1);

    engine->in = g_byte_array_new();
    engine->out = g_byte_array_new();
    if (gnutls_init(&engine->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK) < 0 ||
        !tls_settings_apply(settings, NULL, engine->session, NULL))
        return NULL;
    gnutls_transport_set_ptr(engine->session, engine);
    gnutls_transport_set_push_function(engine->session, push);
    gnutls_transport_set_pull_function(engine->session, pull);
    gnutls_transport_set_pull_timeout_function(engine->session, no_wait);
    (void)transport_tls_engine_shake(engine);
    return g_steal_pointer(&engine);
}

void transport_tls_engine_free(TransportTlsEngine *engine)
{
    if (engine == NULL)
        return;
    if (engine->session != NULL)
        gnutls_deinit(engine->session);
    g_byte_array_unref(engine->in);
    g_byte_array_unref(engine->out);
    g_free(engine);
}

/* ---- The peer's side -------------------------------------------------------------------------- */

const uint8_t *transport_tls_engine_output(const TransportTlsEngine *engine, size_t *size)
{
    *size = engine->out->len - engine->sent;
    return *size > 0 ? engine->out->data + engine->sent : NULL;
}

void transport_tls_engine_sent(TransportTlsEngine *engine, size_t size)
{
    engine->sent += size;
    if (engine->sent < engine->out->len)
        return;
    g_byte_array_set_size(engine->out, 0);
    engine->sent = 0;
}

void transport_tls_engine_feed(TransportTlsEngine *engine, const void *bytes, size_t size)
{
    g_byte_array_remove_range(engine->in, 0, (guint)engine->taken);
    engine->taken = 0;
    g_byte_array_append(engine->in, bytes, (guint)size);
}

/* ---- Our side --------------------------------------------------------------------------------- */

static TransportStatus fail(TransportTlsEngine *engine, int code)
{
    if (!engine->over)
        (void)gnutls_alert_send_appropriate(engine->session, code);
    engine->over = true;
    return TRANSPORT_CLOSED;
}

static bool is_again(int code)
{
    return code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED;
}

TransportStatus transport_tls_engine_shake(TransportTlsEngine *engine)
{
    int code = 0;

    for (unsigned i = 0; i < EMPTY_RECORDS && !engine->established && !engine->over; i++) {
        code = gnutls_handshake(engine->session);
        engine->established = code == GNUTLS_E_SUCCESS;
        if (is_again(code))
            return TRANSPORT_AGAIN;
        if (gnutls_error_is_fatal(code))
            return fail(engine, code);
    }
    return engine->established && !engine->over ? TRANSPORT_DONE : TRANSPORT_CLOSED;
}

/* A server that wants another handshake does not get it. */
TransportStatus transport_tls_engine_read(TransportTlsEngine *engine, void *buffer, size_t size,
                                          size_t *done)
{
    ssize_t moved = GNUTLS_E_INTERRUPTED;

    *done = 0;
    for (unsigned i = 0; i < EMPTY_RECORDS && !engine->over; i++) {
        moved = gnutls_record_recv(engine->session, buffer, size);
        if (moved > 0) {
            *done = (size_t)moved;
            return TRANSPORT_DONE;
        }
        if (is_again((int)moved))
            return TRANSPORT_AGAIN;
        if (moved == 0 || gnutls_error_is_fatal((int)moved))
            break;
    }
    return moved == 0 ? TRANSPORT_CLOSED : fail(engine, (int)moved);
}

bool transport_tls_engine_write(TransportTlsEngine *engine, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    while (size > 0 && engine->established && !engine->over) {
        ssize_t moved = gnutls_record_send(engine->session, at, size);
        if (moved <= 0)
            (void)fail(engine, (int)moved);
        at += MAX(moved, 0);
        size -= (size_t)MAX(moved, 0);
    }
    return size == 0 && !engine->over;
}

void transport_tls_engine_bye(TransportTlsEngine *engine)
{
    if (engine->established && !engine->over)
        (void)gnutls_bye(engine->session, GNUTLS_SHUT_WR);
}
