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
    g_clear_pointer(&client->tls, transport_tls_engine_free);
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

/* Bytes that TLS has to say, and the socket did not take. */
static size_t records_size(const Client *client)
{
    size_t size = 0;

    if (client->tls != NULL)
        (void)transport_tls_engine_output(client->tls, &size);
    return size;
}

uint32_t client_events(const Client *client)
{
    switch (client->state) {
    case CLIENT_CONNECTING:
    case CLIENT_SAYING:
        return EPOLLOUT | EPOLLRDHUP;
    case CLIENT_HEARING:
        return EPOLLIN | EPOLLRDHUP | (records_size(client) > 0 ? EPOLLOUT : 0u);
    default:
        return EPOLLRDHUP; /* what comes is left unread */
    }
}

/* ---- TLS -------------------------------------------------------------------------------------- */

/* Sends what TLS has to say. False: not all of it for now, or the client is gone. */
static bool send_records(Client *client)
{
    size_t size;
    const uint8_t *bytes;

    while ((bytes = transport_tls_engine_output(client->tls, &size)) != NULL &&
           size > client->withheld) {
        ssize_t sent = send(client->fd, bytes, size - client->withheld, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN)
                leave(client);
            return false;
        }
        transport_tls_engine_sent(client->tls, (size_t)sent);
    }
    return true;
}

/* Lets TLS have what has come. False: nothing for now, or the client is gone. */
static bool feed(Client *client)
{
    uint8_t buffer[4096];
    ssize_t got = recv(client->fd, buffer, sizeof buffer, 0);

    if (got > 0)
        transport_tls_engine_feed(client->tls, buffer, (size_t)got);
    else if (got == 0 || errno != EAGAIN)
        leave(client);
    return got > 0;
}

/* True once the handshake is over. */
static bool shake_hands(Client *client)
{
    while (true) {
        TransportStatus status = transport_tls_engine_shake(client->tls);
        if (status == TRANSPORT_CLOSED)
            leave(client);
        if (status == TRANSPORT_CLOSED || !send_records(client))
            return false;
        if (status == TRANSPORT_DONE)
            return true;
        if (!feed(client))
            return false;
    }
}

/* As recv(), of what is inside of TLS. */
static ssize_t receive_inside(Client *client, uint8_t *to, size_t size)
{
    size_t got;

    while (true) {
        switch (transport_tls_engine_read(client->tls, to, size, &got)) {
        case TRANSPORT_DONE:
            return (ssize_t)got;
        case TRANSPORT_CLOSED:
            return 0;
        case TRANSPORT_AGAIN:
            if (!feed(client)) {
                errno = EAGAIN;
                return client->state == CLIENT_GONE ? 0 : -1;
            }
        }
    }
}

/* ---- Hearing ---------------------------------------------------------------------------------- */

static unsigned header_size(SoakHear hear)
{
    switch (hear) {
    case HEAR_FINAL_REPLY:
    case HEAR_ACK:
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
    case HEAR_ACK:
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
    ssize_t got =
        client->tls != NULL ? receive_inside(client, to, wanted) : recv(client->fd, to, wanted, 0);
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

/* True once there is something to read. */
static bool hear_something(Client *client)
{
    char byte;
    ssize_t got = recv(client->fd, &byte, 1, MSG_PEEK);

    if (got == 0 || (got < 0 && errno != EAGAIN))
        leave(client);
    return got > 0;
}

/* True once the action is over. */
static bool hear(Client *client, const SoakCycle *cycle, const SoakAction *action)
{
    if (action->hear == HEAR_NOTHING)
        return true;
    if (action->hear == HEAR_SOMETHING)
        return hear_something(client);
    if (action->hear == HEAR_TLS)
        return shake_hands(client);
    do {
        if (!receive(client, cycle, action))
            return false;
    } while (client->state == CLIENT_HEARING &&
             (client->skip > 0 || client->have > 0 || !client->last));
    return client->state == CLIENT_HEARING;
}

/* ---- Saying ----------------------------------------------------------------------------------- */

/* TLS takes all of it at once. False if the client is gone. */
static bool begin(Client *client, const SoakCycle *cycle, const SoakAction *action)
{
    const uint8_t *bytes = cycle->bytes->data + action->offset;
    bool fine = true;

    client->begun = true;
    if (action->say == SAY_HELLO) {
        client->tls = transport_tls_engine_new(cycle->tls);
        fine = client->tls != NULL;
    } else if (client->tls != NULL && action->size > 0) {
        fine = transport_tls_engine_write(client->tls, bytes, action->size);
    }
    if (!fine)
        leave(client);
    else if (action->half)
        client->withheld = records_size(client) / 2;
    return fine;
}

/* True once all is said. */
static bool say(Client *client, const SoakCycle *cycle, const SoakAction *action)
{
    if (!client->begun && !begin(client, cycle, action))
        return false;
    if (client->tls != NULL)
        return send_records(client);
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

void client_dribble(Client *client, const SoakCycle *cycle, const SoakAction *action, size_t at)
{
    const uint8_t *byte = cycle->bytes->data + action->offset + at;
    size_t size = at < action->size ? 1 : 0;
    bool secret = client->tls != NULL || action->say == SAY_HELLO;

    if (client->state != CLIENT_THERE || (secret && at == 0 && !begin(client, cycle, action)))
        return;
    if (client->tls != NULL)
        byte = transport_tls_engine_output(client->tls, &size);
    if (size == 0 || send(client->fd, byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 1)
        return;
    if (client->tls != NULL)
        transport_tls_engine_sent(client->tls, 1);
}

static void next_action(Client *client)
{
    client->action++;
    client->begun = false;
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
        } else if (hear(client, cycle, action)) {
            next_action(client);
        } else {
            return;
        }
    }
}
