/* Playing actions without waiting. */
#include "soak/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

void client_close(Client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
}

static void leave(Client *client)
{
    client_close(client);
    client->state = CLIENT_GONE;
}

static ClientStart classify(int number)
{
    switch (number) {
    case EAGAIN:
        return CLIENT_LATER;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL:
        return CLIENT_FULL;
    default:
        return CLIENT_REFUSED;
    }
}

ClientStart client_start(Client *client, const SoakCycle *cycle)
{
    socklen_t length;
    const struct sockaddr *at = transport_address_get(cycle->address, 0, &length);
    int on = 1;

    *client = (Client){.fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (client->fd < 0)
        return CLIENT_FULL;
    if (at->sa_family != AF_UNIX)
        (void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    client->state = CLIENT_CONNECTING;
    if (connect(client->fd, at, length) == 0 || errno == EINPROGRESS)
        return CLIENT_STARTED;
    ClientStart start = classify(errno);
    int number = errno;
    client_close(client);
    client->state = start == CLIENT_REFUSED ? CLIENT_GONE : CLIENT_NONE;
    errno = number;
    return start;
}

uint32_t client_events(const Client *client)
{
    switch (client->state) {
    case CLIENT_CONNECTING:
    case CLIENT_SAYING:
        return EPOLLOUT | EPOLLRDHUP;
    case CLIENT_HEARING:
        return EPOLLIN | EPOLLRDHUP;
    default:
        return EPOLLRDHUP; /* what comes is left unread */
    }
}

/* ---- Hearing ---------------------------------------------------------------------------------- */

static unsigned header_size(SoakHear hear)
{
    switch (hear) {
    case HEAR_FINAL_REPLY:
    case HEAR_ENTRY:
        return (unsigned)wire_layout(WIRE_OPTION_REPLY)->size;
    case HEAR_REPLY:
    case HEAR_PART:
        return (unsigned)wire_layout(WIRE_SIMPLE_REPLY)->size;
    case HEAR_EXPORT:
        return (unsigned)wire_layout(WIRE_EXPORT)->size;
    default:
        return (unsigned)wire_layout(WIRE_GREETING)->size;
    }
}

/* The header is whole: what follows. A server that does not let us in leaves us where we are. */
static void read_header(Client *client, const SoakCycle *cycle, const SoakAction *action)
{
    client->have = 0;
    client->last = true;
    switch (action->hear) {
    case HEAR_FINAL_REPLY:
    case HEAR_ENTRY: {
        uint32_t type = (uint32_t)wire_get(client->header + 12, 4);
        client->skip = wire_get(client->header + 16, 4);
        client->last = type == NBD_REP_ACK;
        if ((type & NBD_REP_FLAG_ERROR) != 0)
            client->state = CLIENT_THERE;
        break;
    }
    case HEAR_REPLY:
    case HEAR_PART:
        client->skip = wire_get(client->header + 4, 4) != 0 ? 0 : action->payload;
        break;
    case HEAR_EXPORT:
        client->skip = cycle->no_zeroes ? 0 : NBD_ZEROES;
        break;
    default:
        client->skip = cycle->style == STYLE_OLDSTYLE ? 12 + NBD_ZEROES : 2;
        break;
    }
}

/* Receives what there is of what is awaited. False: no more for now, or the client is gone. */
static bool receive(Client *client, const SoakCycle *cycle, const SoakAction *action)
{
    uint8_t buffer[4096];
    bool header = client->skip == 0;
    size_t wanted = header ? header_size(action->hear) - client->have : sizeof buffer;
    uint8_t *to = header ? client->header + client->have : buffer;

    if (!header)
        wanted = MIN(wanted, client->skip);
    ssize_t got = recv(client->fd, to, wanted, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            leave(client);
        return false;
    }
    if (!header) {
        client->skip -= (uint64_t)got;
        return true;
    }
    client->have += (unsigned)got;
    if ((size_t)got < wanted)
        return true;
    read_header(client, cycle, action);
    return true;
}

/* True once the action is over. */
static bool hear(Client *client, const SoakCycle *cycle, const SoakAction *action)
{
    do {
        if (!receive(client, cycle, action))
            return false;
    } while (client->state == CLIENT_HEARING &&
             (client->skip > 0 || client->have > 0 || !client->last));
    return client->state == CLIENT_HEARING;
}

/* ---- Saying ----------------------------------------------------------------------------------- */

/* True once all is said. */
static bool say(Client *client, const SoakCycle *cycle, const SoakAction *action)
{
    while (client->said < action->size) {
        ssize_t sent = send(client->fd, cycle->bytes->data + action->offset + client->said,
                            action->size - client->said, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN)
                leave(client);
            return false;
        }
        client->said += (size_t)sent;
    }
    return true;
}

static void next_action(Client *client)
{
    client->action++;
    client->said = 0;
    client->last = false;
    client->state = CLIENT_SAYING;
}

void client_move(Client *client, const SoakCycle *cycle, uint32_t events)
{
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
        leave(client);
        return;
    }
    if (client->state == CLIENT_THERE && (events & EPOLLRDHUP) != 0)
        leave(client);
    if (client->state == CLIENT_CONNECTING && (events & EPOLLOUT) != 0)
        client->state = CLIENT_SAYING;
    while (client->state == CLIENT_SAYING || client->state == CLIENT_HEARING) {
        const SoakAction *action = &cycle->actions[client->action];
        if (client->action == cycle->count) {
            client->state = CLIENT_THERE;
        } else if (client->state == CLIENT_SAYING) {
            if (!say(client, cycle, action))
                return;
            client->state = CLIENT_HEARING;
        } else if (action->hear == HEAR_NOTHING) {
            next_action(client);
        } else if (action->hear == HEAR_SOMETHING) {
            if ((events & EPOLLIN) == 0)
                return;
            next_action(client);
        } else {
            if (!hear(client, cycle, action))
                return;
            next_action(client);
        }
    }
}
