/* Streams of cycles: connecting, and moving bytes before a deadline. */
#include "soak/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long the kernel waits before we look at the clock and at `stop`. */
#define SLICE_MS 100

/* The longest time in TIME_WAIT, and some more. */
#define FORGOTTEN_MS (70 * 1000)

/* What stands in the way of going on waiting, or STREAM_FINE. */
static StreamStatus look_up(const Stream *stream)
{
    if (stream_stopped(stream))
        return STREAM_STOPPED;
    return g_get_monotonic_time() >= stream->deadline_us ? STREAM_LATE : STREAM_FINE;
}

static bool try_again(int number)
{
    return number == EAGAIN || number == EINTR;
}

/* ---- Connecting ------------------------------------------------------------------------------- */

static StreamStatus classify(Stream *stream, int number)
{
    stream->number = number;
    switch (number) {
    case 0:
        return STREAM_FINE;
    case ECONNREFUSED:
    case ECONNRESET:
    case ENOENT: /* a Unix socket that is gone */
        return STREAM_ENDED;
    case ETIMEDOUT:
        return STREAM_LATE;
    default:
        return STREAM_FAILED;
    }
}

static StreamStatus finish_connect(Stream *stream)
{
    struct pollfd wait = {.fd = stream->fd, .events = POLLOUT};
    StreamStatus status = STREAM_FINE;
    int number = 0;
    socklen_t size = sizeof number;

    while (poll(&wait, 1, SLICE_MS) <= 0)
        if ((status = look_up(stream)) != STREAM_FINE)
            return status;
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &number, &size) < 0)
        number = errno;
    return classify(stream, number);
}

/* All ports wait for their last connection to be forgotten, which is not the server's fault. Linux uses them again
 * after a second on the loopback interface, and after a minute elsewhere. */
static StreamStatus wait_for_ports(Stream *stream)
{
    if (stream->number != EADDRNOTAVAIL)
        stream->deadline_us = g_get_monotonic_time() + FORGOTTEN_MS * 1000;
    stream->number = EADDRNOTAVAIL;
    g_usleep(SLICE_MS * 1000);
    StreamStatus status = look_up(stream);
    return status == STREAM_LATE ? STREAM_FAILED : status;
}

/* A TCP connect that takes longer than a slice goes on by itself. A Unix socket whose queue is full has to be
 * asked again. */
static StreamStatus connect_to(Stream *stream, const struct sockaddr *at, socklen_t length)
{
    StreamStatus status = STREAM_FINE;

    while (status == STREAM_FINE && connect(stream->fd, at, length) < 0) {
        if (errno == EINPROGRESS || (errno == EINTR && at->sa_family != AF_UNIX))
            return finish_connect(stream);
        if (errno == EADDRNOTAVAIL)
            status = wait_for_ports(stream);
        else
            status = try_again(errno) ? look_up(stream) : classify(stream, errno);
    }
    return status;
}

static StreamStatus open_one(Stream *stream, const struct sockaddr *at, socklen_t length,
                             int receive_buffer)
{
    const struct timeval slice = {.tv_usec = SLICE_MS * 1000};
    int on = 1;

    stream->start = stream->end = 0;
    stream->number = 0;
    stream->fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (stream->fd < 0)
        return classify(stream, errno);
    (void)setsockopt(stream->fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof slice);
    (void)setsockopt(stream->fd, SOL_SOCKET, SO_SNDTIMEO, &slice, sizeof slice);
    if (at->sa_family != AF_UNIX)
        (void)setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (receive_buffer > 0)
        (void)setsockopt(stream->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    StreamStatus status = connect_to(stream, at, length);
    if (status != STREAM_FINE)
        stream_close(stream);
    return status;
}

StreamStatus stream_open(Stream *stream, const TransportAddress *address, int receive_buffer)
{
    StreamStatus status = STREAM_ENDED;
    size_t count = transport_address_count(address);

    stream_start_clock(stream);
    for (size_t i = 0; i < count; i++) {
        size_t which = (stream->which + i) % count;
        socklen_t length;
        const struct sockaddr *at = transport_address_get(address, which, &length);

        status = open_one(stream, at, length, receive_buffer);
        if (status == STREAM_FINE)
            stream->which = which;
        if (status == STREAM_FINE || status == STREAM_STOPPED)
            break;
    }
    return status;
}

void stream_forget_tls(Stream *stream)
{
    g_clear_pointer(&stream->tls, transport_tls_engine_free);
}

void stream_close(Stream *stream)
{
    stream_forget_tls(stream);
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
}

/* ---- Moving bytes ----------------------------------------------------------------------------- */

static StreamStatus send_all(Stream *stream, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(stream->fd, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && !try_again(errno))
            return STREAM_ENDED;
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        }
        StreamStatus status = size > 0 ? look_up(stream) : STREAM_FINE;
        if (status != STREAM_FINE)
            return status;
    }
    return STREAM_FINE;
}

StreamStatus stream_say(Stream *stream, const uint8_t *bytes, size_t size)
{
    return stream->tls != NULL && size > 0 ? stream_say_records(stream, bytes, size, false)
                                           : send_all(stream, bytes, size);
}

/* ---- TLS -------------------------------------------------------------------------------------- */

/* What waits, or half of it. */
static StreamStatus send_records(Stream *stream, bool half)
{
    size_t size;
    const uint8_t *bytes = transport_tls_engine_output(stream->tls, &size);
    StreamStatus status = send_all(stream, bytes, half ? size / 2 : size);

    transport_tls_engine_sent(stream->tls, size);
    return status;
}

StreamStatus stream_start_tls(Stream *stream, const TransportTls *settings)
{
    stream->tls = transport_tls_engine_new(settings);
    if (stream->tls == NULL)
        return STREAM_FAILED;
    /* What has come already is TLS's, or else a mistake that it will find. */
    transport_tls_engine_feed(stream->tls, stream->buffer + stream->start,
                              stream->end - stream->start);
    stream->start = stream->end;
    return STREAM_FINE;
}

StreamStatus stream_say_records(Stream *stream, const uint8_t *bytes, size_t size, bool half)
{
    return size == 0 || transport_tls_engine_write(stream->tls, bytes, size)
               ? send_records(stream, half)
               : STREAM_ENDED;
}

StreamStatus stream_say_bye(Stream *stream)
{
    transport_tls_engine_bye(stream->tls);
    return send_records(stream, false);
}

/* ---- Hearing ---------------------------------------------------------------------------------- */

/* Receives once, or looks up, into SIZE bytes at TO: what the socket has. */
static StreamStatus receive_raw(Stream *stream, uint8_t *to, size_t size, size_t *got)
{
    StreamStatus status = look_up(stream);

    transport_acknowledge(stream->fd);
    ssize_t came = status == STREAM_FINE ? recv(stream->fd, to, size, 0) : -1;

    *got = came > 0 ? (size_t)came : 0;
    if (status != STREAM_FINE || came > 0)
        return status;
    return came < 0 && try_again(errno) ? STREAM_FINE : STREAM_ENDED;
}

/* What TLS wants to say has to be said before more can be heard. */
static StreamStatus feed_tls(Stream *stream)
{
    uint8_t buffer[STREAM_BUFFER];
    size_t got;
    StreamStatus status = send_records(stream, false);

    if (status == STREAM_FINE)
        status = receive_raw(stream, buffer, sizeof buffer, &got);
    if (status == STREAM_FINE)
        transport_tls_engine_feed(stream->tls, buffer, got);
    return status;
}

/* The same: what TLS, where there is TLS, makes of it. */
static StreamStatus receive(Stream *stream, uint8_t *to, size_t size, size_t *got)
{
    StreamStatus status = STREAM_FINE;

    if (stream->tls == NULL)
        return receive_raw(stream, to, size, got);
    while (status == STREAM_FINE) {
        switch (transport_tls_engine_read(stream->tls, to, size, got)) {
        case TRANSPORT_DONE:
            return STREAM_FINE;
        case TRANSPORT_AGAIN:
            status = feed_tls(stream);
            break;
        case TRANSPORT_CLOSED:
            return STREAM_ENDED;
        }
    }
    return status;
}

StreamStatus stream_hear(Stream *stream, size_t size, const uint8_t **at)
{
    if (stream->start == stream->end)
        stream->start = stream->end = 0;
    if (stream->start + size > STREAM_BUFFER) {
        stream->end -= stream->start;
        memmove(stream->buffer, stream->buffer + stream->start, stream->end);
        stream->start = 0;
    }
    while (stream->end - stream->start < size) {
        size_t got;
        StreamStatus status =
            receive(stream, stream->buffer + stream->end, STREAM_BUFFER - stream->end, &got);
        if (status != STREAM_FINE)
            return status;
        stream->end += got;
    }
    *at = stream->buffer + stream->start;
    stream->start += size;
    return STREAM_FINE;
}

StreamStatus stream_shake_hands(Stream *stream, bool but_for_last)
{
    StreamStatus status = send_records(stream, false);

    while (status == STREAM_FINE) {
        TransportStatus shaken = transport_tls_engine_shake(stream->tls);
        size_t waiting;
        (void)transport_tls_engine_output(stream->tls, &waiting);
        if (shaken == TRANSPORT_CLOSED)
            return STREAM_ENDED;
        if (but_for_last && waiting > 0)
            return STREAM_FINE;
        if (shaken == TRANSPORT_DONE)
            return send_records(stream, false);
        status = feed_tls(stream);
    }
    return status;
}

StreamStatus stream_skip(Stream *stream, uint64_t size)
{
    size_t had = (size_t)MIN(size, stream->end - stream->start);

    stream->start += had;
    size -= had;
    while (size > 0) {
        size_t got;
        StreamStatus status =
            receive(stream, stream->buffer, (size_t)MIN(size, STREAM_BUFFER), &got);
        if (status != STREAM_FINE)
            return status;
        size -= got;
    }
    return STREAM_FINE;
}

StreamStatus stream_wait(Stream *stream)
{
    struct pollfd wait = {.fd = stream->fd, .events = POLLIN};
    StreamStatus status = STREAM_FINE;

    while (stream->start == stream->end && poll(&wait, 1, SLICE_MS) <= 0)
        if ((status = look_up(stream)) != STREAM_FINE)
            return status;
    return STREAM_FINE;
}

StreamStatus stream_drain(Stream *stream, unsigned timeout_ms)
{
    struct pollfd wait = {.fd = stream->fd, .events = POLLIN};

    stream->deadline_us = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    if (timeout_ms < SLICE_MS && poll(&wait, 1, (int)timeout_ms) <= 0)
        return STREAM_LATE;
    stream_forget_tls(stream);
    return stream_skip(stream, UINT64_MAX);
}
