/* The bytes of a connection: in the clear, or inside TLS.
 *
 * The client's bytes that were read together with NBD_OPT_STARTTLS are TLS's to make sense of, and not
 * options: whoever sends such in the clear breaks the handshake. */
#include <sys/socket.h>
#include <unistd.h>

#include "reference/channel.h"
#include "reference/message.h"

#define LEFTOVERS 65536u

ssize_t channel_send(const Connection *c, const void *bytes, size_t size)
{
    return c->tls != NULL ? tls_session_send(c->tls, bytes, size)
                          : send(c->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Closing a socket with input left unread resets it, which could take our alert away from the client. */
static void clear_input(int fd)
{
    uint8_t bytes[4096];

    for (size_t read = 0; read < LEFTOVERS; read += sizeof bytes)
        if (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) <= 0)
            return;
}

ssize_t channel_receive(const Connection *c, void *buffer, size_t size)
{
    if (c->tls == NULL)
        return recv(c->fd, buffer, size, MSG_DONTWAIT);
    ssize_t got = tls_session_receive(c->tls, buffer, size);
    if (got == 0)
        clear_input(c->fd);
    return got;
}

bool channel_pending(const Connection *c)
{
    return c->tls != NULL && tls_session_pending(c->tls);
}

bool channel_drained(const Connection *c)
{
    return c->tls == NULL || tls_session_idle(c->tls);
}

bool channel_waits_for_room(const Connection *c)
{
    return c->tls != NULL && !tls_session_flush(c->tls);
}

void channel_shutdown(Connection *c)
{
    if (c->tls == NULL) {
        shutdown(c->fd, SHUT_WR);
        return;
    }
    if (message_see_tls_end(c, true))
        tls_session_notify(c->tls);
    tls_session_shut(c->tls);
}

void channel_close(Connection *c)
{
    if (c->tls != NULL && !c->shut && message_see_tls_end(c, false))
        tls_session_notify(c->tls);
    tls_session_free(c->tls);
    close(c->fd);
}

Step channel_begin_tls(Connection *c)
{
    size_t early = connection_available(c);

    connection_push(c);
    if (c->blocked)
        return STEP_OUTPUT;
    c->step = handshake_go_on;
    const TlsStart start = message_see_tls(c);
    if (start.stays_plain)
        return STEP_AGAIN;
    if (start.keeps_input)
        early = 0;
    c->agreed = start.agreed;
    c->tls = tls_session_new(c->fd, c->loop->server->tls, start.priorities, start.hushed,
                             early > 0 ? connection_peek(c, early) : NULL, early);
    if (c->tls == NULL)
        connection_doom(c, FATE_LOSE);
    connection_take(c, early);
    return STEP_AGAIN;
}
