/* What all messages share: from fields to bytes and back, and what quirks decide about them. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "reference/message_private.h"

/* ---- What quirks decide ---------------------------------------------------------------------- */

static void set_nagle(Connection *c)
{
    int zero = 0;

    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &zero, sizeof zero);
}

static uint64_t state_of_tls(const Connection *c)
{
    if (c->tls == NULL)
        return TLS_NONE;
    const TlsSessionFacts facts = tls_session_facts(c->tls);
    if (facts.established)
        return facts.end == SESSION_CUT ? TLS_CUT : TLS_INSIDE;
    if (facts.end == SESSION_DISTRUSTED)
        return TLS_REFUSED;
    return facts.end == SESSION_GARBLED ? TLS_GARBLED : TLS_HANDSHAKE;
}

void message_apply(Connection *c, QuirkPoint point, QuirkEvent *event)
{
    event->field[F_TLS] = state_of_tls(c);
    quirk_apply(&c->loop->server->quirks, c->quirks, point, event);
    if (event->nagle)
        set_nagle(c);
}

#define LONGEST_BLOCK 60000 /* milliseconds: a server has to end some day */

static void block_until_it_leaves(const Connection *c)
{
    struct pollfd client = {.fd = c->fd, .events = POLLRDHUP};

    (void)poll(&client, 1, LONGEST_BLOCK);
}

bool message_cut_off(Connection *c, const QuirkEvent *event)
{
    switch (event->fate) {
    case DO_CLOSE:
        connection_doom(c, FATE_END);
        return true;
    case DO_HANG:
        connection_doom(c, FATE_HANG);
        return true;
    case DO_BLOCK:
        block_until_it_leaves(c);
        connection_doom(c, FATE_LOSE);
        return true;
    case DO_DIE:
        server_die(c->loop->server);
        connection_doom(c, FATE_LOSE);
        return true;
    case DO_DROP:
        return true;
    default:
        return false;
    }
}

void message_follow_up(Connection *c, const QuirkEvent *event, Request *request)
{
    Fate fate = event->fate == DO_CLOSE_AFTER  ? FATE_END
                : event->fate == DO_HANG_AFTER ? FATE_HANG
                                               : FATE_NONE;

    if (request != NULL)
        request->then = fate;
    else if (fate != FATE_NONE)
        connection_doom(c, fate);
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

void message_put_bytes(Connection *c, const void *bytes, size_t length)
{
    size_t room;
    uint8_t *out = connection_room(c, length, &room);

    if (out == NULL) {
        connection_doom(c, FATE_END);
        return;
    }
    if (bytes != NULL)
        memcpy(out, bytes, length);
    else
        memset(out, 0, length);
    connection_put(c, length);
}

void message_put(Connection *c, WireKind kind, const uint64_t values[WIRE_MAX_FIELDS])
{
    uint8_t bytes[64];

    wire_encode(kind, values, bytes);
    message_put_bytes(c, bytes, wire_layout(kind)->size);
}

static void see_partial(Connection *c)
{
    if (!message_is_quirky(c) || connection_available(c) == 0)
        return;
    QuirkEvent event = QUIRK_EVENT([F_WAITING] = connection_available(c));
    message_apply(c, AT_PARTIAL, &event);
    message_cut_off(c, &event);
}

bool message_get(Connection *c, WireKind kind, uint64_t values[WIRE_MAX_FIELDS])
{
    const uint8_t *bytes = connection_peek(c, wire_layout(kind)->size);

    if (bytes == NULL) {
        see_partial(c);
        return false;
    }
    wire_decode(kind, bytes, values);
    connection_take(c, wire_layout(kind)->size);
    return true;
}
