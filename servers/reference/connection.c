/* Transport of one connection: buffers, flow control, and the ways in which it ends.
 *
 * Requests are read in batches and replies sent in batches. When the client does not take its
 * replies, nothing more is read from it, so no client makes us hold more than two buffers. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reference/connection.h"
#include "reference/message.h"
#include "reference/channel.h"

#define OUTPUT_LIMIT ((size_t)128 * 1024) /* sent when that much has gathered */
#define TURNS 16                          /* batches before other connections get their turn */
#define DRAIN_LIMIT ((size_t)1024 * 1024)
#define DRAIN_SECONDS 1

/* ---- Buffers --------------------------------------------------------------------------------- */

static size_t pending(const Buffer *buffer)
{
    return buffer->end - buffer->start;
}

static void discard_buffer(Loop *loop, Buffer *buffer)
{
    if (buffer->capacity == BUFFER_SIZE)
        loop_return(loop, buffer->data);
    else
        g_free(buffer->data);
    *buffer = (Buffer){0};
}

/* Gives a big buffer back; what little it holds is set aside in a small one. */
static void park(Loop *loop, Buffer *buffer)
{
    size_t left = pending(buffer);

    if (buffer->data == NULL ||
        (left > 0 && (buffer->capacity < BUFFER_SIZE || left > BUFFER_SIZE / 2)))
        return;
    Buffer small = {.end = left, .capacity = left};
    if (left > 0)
        small.data = g_memdup2(buffer->data + buffer->start, left);
    discard_buffer(loop, buffer);
    *buffer = small;
}

/* Makes it a big buffer. */
static void unpark(Loop *loop, Buffer *buffer)
{
    if (buffer->capacity == BUFFER_SIZE)
        return;
    Buffer big = {.data = loop_borrow(loop), .end = pending(buffer), .capacity = BUFFER_SIZE};
    if (buffer->data != NULL && big.end > 0)
        memcpy(big.data, buffer->data + buffer->start, big.end);
    g_free(buffer->data);
    *buffer = big;
}

size_t connection_available(const Connection *c)
{
    return pending(&c->in);
}

const uint8_t *connection_peek(const Connection *c, size_t n)
{
    return pending(&c->in) >= n ? c->in.data + c->in.start : NULL;
}

void connection_take(Connection *c, size_t n)
{
    c->in.start += n;
    if (c->in.start == c->in.end)
        c->in.start = c->in.end = 0;
}

uint8_t *connection_room(Connection *c, size_t n, size_t *room)
{
    if (c->out.data == NULL)
        unpark(c->loop, &c->out);
    if (c->out.capacity < BUFFER_SIZE || c->out.end + n > OUTPUT_LIMIT)
        return NULL;
    *room = OUTPUT_LIMIT - c->out.end;
    return c->out.data + c->out.end;
}

void connection_put(Connection *c, size_t n)
{
    c->out.end += n;
}

/* ---- The socket ------------------------------------------------------------------------------ */

/* Asks to be told when there is room again. Only then: on Unix sockets each read of the client's
 * would wake us otherwise. */
static void set_blocked(Connection *c, bool blocked)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = c};

    if (c->blocked == blocked)
        return;
    c->blocked = blocked;
    if (blocked)
        event.events |= EPOLLOUT;
    epoll_ctl(c->loop->epoll, EPOLL_CTL_MOD, c->fd, &event);
}

void connection_push(Connection *c)
{
    while (c->fate != FATE_LOSE && pending(&c->out) > 0) {
        ssize_t n = channel_send(c, c->out.data + c->out.start, pending(&c->out));
        if (n >= 0) {
            c->out.start += (size_t)n;
            c->loop->sent += (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            set_blocked(c, true);
            return;
        } else if (errno != EINTR) {
            connection_doom(c, FATE_LOSE);
            return;
        }
    }
    c->out.start = c->out.end = 0;
    if (c->out.capacity < BUFFER_SIZE)
        discard_buffer(c->loop, &c->out);
    set_blocked(c, c->fate != FATE_LOSE && channel_waits_for_room(c));
}

/* Reads what there is room for. False: there is nothing now. */
static bool pull(Connection *c)
{
    Buffer *in = &c->in;

    if (!(c->readable || channel_pending(c)) || c->at_end)
        return false;
    unpark(c->loop, in);
    if (in->start > 0 && in->capacity - in->end < BUFFER_SIZE / 4) {
        memmove(in->data, in->data + in->start, pending(in));
        in->end -= in->start;
        in->start = 0;
    }
    size_t room = in->capacity - in->end;
    ssize_t n = channel_receive(c, in->data + in->end, room);
    if (n < 0) {
        if (errno == EINTR)
            return true;
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
            message_see_leave(c);
            connection_doom(c, FATE_LOSE);
        }
        c->readable = !channel_drained(c);
        return false;
    }
    in->end += (size_t)n;
    c->at_end = n == 0;
    /* A short read has emptied the socket (epoll(7)), so the next one may wait for an event; not
     * where the end is known to follow. */
    if ((size_t)n < room && !c->hung_up && c->tls == NULL)
        c->readable = false;
    return n > 0;
}

/* ---- Ends ------------------------------------------------------------------------------------ */

void connection_doom(Connection *c, Fate fate)
{
    if (c->fate == FATE_NONE || fate == FATE_LOSE)
        c->fate = fate;
}

/* Throws away what the client sends. False: that is enough. */
static bool drain(Connection *c)
{
    do {
        c->drained += pending(&c->in);
        c->in.start = c->in.end = 0;
    } while (c->drained <= DRAIN_LIMIT && pull(c));
    return c->drained <= DRAIN_LIMIT && c->fate != FATE_LOSE;
}

/* Our side has been said to its end. Closing while the client still sends would answer with a
 * reset, which can overtake and destroy the last replies: so we wait for its end, within bounds. */
static bool lingers(Connection *c)
{
    if (!c->shut) {
        channel_shutdown(c);
        set_blocked(c, channel_waits_for_room(c));
        c->shut = true;
        c->deadline = g_get_monotonic_time() + DRAIN_SECONDS * G_USEC_PER_SEC;
        c->in_closing.data = c;
        g_queue_push_tail_link(&c->loop->closing, &c->in_closing);
    }
    return drain(c) && !c->at_end;
}

/* Does what the fate asks. True if the connection is gone. */
static bool meet_fate(Connection *c)
{
    bool stays = false;

    connection_push(c);
    switch (c->fate) {
    case FATE_END:
        stays = c->blocked || lingers(c);
        break;
    case FATE_DONE:
        stays = c->blocked;
        if (!stays)
            drain(c);
        break;
    case FATE_HANG:
        stays = !c->hung_up;
        break;
    case FATE_NONE:
    case FATE_LOSE:
        break;
    }
    if (!stays)
        connection_free(c);
    return !stays;
}

static void queue(Connection *c)
{
    if (c->queued)
        return;
    c->queued = true;
    g_queue_push_tail_link(&c->loop->queue, &c->in_queue);
}

/* TLS has left something unread, behind so many records that are not for us: no event will tell of that. If
 * it waits for room instead, that is found out when the connection runs again. */
static bool stopped_short(const Connection *c)
{
    return c->tls != NULL && c->readable && !c->blocked && !c->at_end &&
           (c->fate == FATE_NONE || c->fate == FATE_END);
}

static void rest(Connection *c)
{
    if (stopped_short(c))
        queue(c);
    park(c->loop, &c->in);
    park(c->loop, &c->out);
}

/* Sends, and reads more. False: nothing can be done until there is an event. */
static bool exchange(Connection *c, bool wants_input)
{
    connection_push(c);
    if (c->blocked || c->fate != FATE_NONE)
        return false;
    if (!wants_input || pull(c))
        return true;
    if (c->at_end) {
        message_see_leave(c);
        connection_doom(c, FATE_END);
    }
    return false;
}

void connection_run(Connection *c)
{
    for (int turn = 0; turn < TURNS; turn++) {
        Step next = c->fate == FATE_NONE ? c->step(c) : STEP_AGAIN;
        if (c->fate == FATE_NONE && (next == STEP_AGAIN || exchange(c, next == STEP_INPUT)))
            continue;
        if (c->fate != FATE_NONE && meet_fate(c))
            return;
        rest(c);
        return;
    }
    connection_push(c);
    queue(c);
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

void connection_new(Loop *loop, int fd)
{
    Connection *c = g_new0(Connection, 1);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = c};

    c->loop = loop;
    c->fd = fd;
    c->in_all.data = c->in_queue.data = c;
    c->step = handshake_start;
    c->quirks = quirk_memory_new(&loop->server->quirks);
    c->leaks = leak_memory_new(&loop->server->leaks);
    g_queue_push_tail_link(&loop->all, &c->in_all);
    __atomic_add_fetch(&loop->count, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&loop->server->accepted, 1, __ATOMIC_RELAXED);
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        connection_free(c);
    else
        connection_run(c);
}

void connection_free(Connection *c)
{
    Loop *loop = c->loop;

    /* Whoever forks meanwhile holds the socket too, for a moment: closing it would not end its events then. */
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, c->fd, NULL);
    leak_see_end(c);
    g_queue_unlink(&loop->all, &c->in_all);
    if (c->queued)
        g_queue_unlink(&loop->queue, &c->in_queue);
    if (c->in_closing.data != NULL)
        g_queue_unlink(&loop->closing, &c->in_closing);
    __atomic_sub_fetch(&loop->count, 1, __ATOMIC_RELAXED);
    discard_buffer(loop, &c->in);
    discard_buffer(loop, &c->out);
    disk_free(c->own_disk);
    channel_close(c);
    g_free(c->quirks);
    g_free(c->leaks);
    g_free(c);
}
