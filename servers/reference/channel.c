/* The bytes of a connection: in the clear, or inside TLS.
 *
 * The client's bytes that were read together with NBD_OPT_STARTTLS are TLS's to make sense of, and not
 * options: whoever sends such in the clear breaks the handshake. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reference/channel.h"
#include "reference/message.h"
#include "transport/tls.h"

#define LEFTOVERS 65536u

ssize_t channel_send(const Connection *c, const void *bytes, size_t size)
{
    size_t done;

    if (c->tls == NULL)
        return send(c->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    switch (transport_write(c->tls, bytes, size, &done)) {
    case TRANSPORT_DONE:
        return (ssize_t)done;
    case TRANSPORT_AGAIN:
        errno = EAGAIN;
        return -1;
    default:
        errno = EPIPE;
        return -1;
    }
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
    size_t done;

    if (c->tls == NULL)
        return recv(c->fd, buffer, size, MSG_DONTWAIT);
    switch (transport_read(c->tls, buffer, size, &done)) {
    case TRANSPORT_DONE:
        return (ssize_t)done;
    case TRANSPORT_AGAIN:
        errno = EAGAIN;
        return -1;
    default:
        clear_input(c->fd);
        return 0;
    }
}

bool channel_pending(const Connection *c)
{
    return c->tls != NULL && transport_pending(c->tls);
}

bool channel_drained(const Connection *c)
{
    return c->tls == NULL || transport_drained(c->tls);
}

bool channel_waits_for_room(const Connection *c)
{
    if (c->tls == NULL)
        return false;
    (void)transport_advance(c->tls);
    return transport_events(c->tls, POLLIN) & POLLOUT;
}

void channel_shutdown(Connection *c)
{
    if (c->tls != NULL && message_see_tls_end(c, true))
        transport_shutdown(c->tls);
    else
        shutdown(c->fd, SHUT_WR);
}

void channel_close(Connection *c)
{
    if (c->tls != NULL && !c->shut && !message_see_tls_end(c, false))
        transport_drop(c->tls);
    if (c->tls != NULL)
        transport_free(c->tls);
    else
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
    c->tls = transport_adopt(c->fd);
    if (start.hushed)
        transport_tls_hush(c->tls);
    if (!transport_tls_start(c->tls, c->loop->server->tls, start.priorities,
                             early > 0 ? connection_peek(c, early) : NULL, early, NULL))
        connection_doom(c, FATE_LOSE);
    connection_take(c, early);
    return STEP_AGAIN;
}
