/* Connected streams. What is TLS about them is tls.c's. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "transport/private.h"

static unsigned milliseconds_left(gint64 deadline_us)
{
    gint64 left = deadline_us - g_get_monotonic_time();

    return left <= 0 ? 0 : (unsigned)((left + 999) / 1000);
}

/* Waits until a connect under way is through. Returns 0 or an errno. */
static int finish_connect(int fd, gint64 deadline_us)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    int status, error = 0;
    socklen_t size = sizeof error;

    do {
        status = poll(&wait, 1, (int)milliseconds_left(deadline_us));
    } while (status < 0 && errno == EINTR);
    if (status == 0)
        return ETIMEDOUT;
    if (status < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return errno;
    return error;
}

/* A Unix socket whose queue is full refuses with EAGAIN at once, where TCP would wait. */
static int connect_patiently(int fd, const TransportSocket *to, gint64 deadline_us)
{
    for (;;) {
        if (connect(fd, (const struct sockaddr *)&to->address, to->length) == 0)
            return 0;
        if (errno == EINPROGRESS || errno == EINTR)
            return finish_connect(fd, deadline_us);
        if (errno != EAGAIN)
            return errno;
        if (milliseconds_left(deadline_us) == 0)
            return ETIMEDOUT;
        g_usleep(1000);
    }
}

static int connect_one(const TransportSocket *to, gint64 deadline_us, int *error)
{
    int fd = socket(to->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        *error = errno;
        return -1;
    }
    *error = connect_patiently(fd, to, deadline_us);
    if (*error != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

Transport *transport_connect(const TransportAddress *address, unsigned timeout_ms, GError **error)
{
    gint64 deadline_us = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    int fd = -1, number = ECONNREFUSED;

    for (guint i = 0; i < address->sockets->len && fd < 0; i++)
        fd =
            connect_one(&g_array_index(address->sockets, TransportSocket, i), deadline_us, &number);
    if (fd < 0) {
        g_set_error(error, TRANSPORT_ERROR,
                    number == ETIMEDOUT ? TRANSPORT_ERROR_TIMEOUT : TRANSPORT_ERROR_CONNECT,
                    "cannot connect to %s: %s", address->name, g_strerror(number));
        return NULL;
    }
    if (address->tcp) {
        int on = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    return transport_adopt(fd);
}

Transport *transport_adopt(int fd)
{
    Transport *transport = g_new0(Transport, 1);

    transport->fd = fd;
    return transport;
}

void transport_free(Transport *transport)
{
    if (transport == NULL)
        return;
    transport_close(transport);
    tls_free(transport->tls);
    g_free(transport);
}

int transport_fd(const Transport *transport)
{
    return transport->fd;
}

static TransportStatus status_of(ssize_t moved, size_t *done)
{
    if (moved > 0) {
        *done = (size_t)moved;
        return TRANSPORT_DONE;
    }
    if (moved < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return TRANSPORT_AGAIN;
    return TRANSPORT_CLOSED;
}

void transport_acknowledge(int fd)
{
    const int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

TransportStatus transport_read(Transport *transport, void *buffer, size_t size, size_t *done)
{
    *done = 0;
    if (transport->tls != NULL)
        return transport->fd < 0 ? TRANSPORT_CLOSED : tls_read(transport->tls, buffer, size, done);
    TransportStatus status = status_of(recv(transport->fd, buffer, size, 0), done);
    if (status == TRANSPORT_DONE)
        transport_acknowledge(transport->fd);
    return status;
}

TransportStatus transport_write(Transport *transport, const void *bytes, size_t size, size_t *done)
{
    *done = 0;
    if (transport->tls != NULL)
        return transport->fd < 0 ? TRANSPORT_CLOSED : tls_write(transport->tls, bytes, size, done);
    return status_of(send(transport->fd, bytes, size, MSG_NOSIGNAL), done);
}

short transport_events(const Transport *transport, short wanted)
{
    return transport->tls == NULL ? wanted : tls_events(transport->tls, wanted);
}

bool transport_pending(const Transport *transport)
{
    return transport->tls != NULL && tls_pending(transport->tls);
}

TransportStatus transport_advance(Transport *transport)
{
    return transport->tls == NULL ? TRANSPORT_DONE : tls_advance(transport->tls);
}

const char *transport_problem(const Transport *transport)
{
    return transport->tls == NULL ? NULL : tls_problem(transport->tls);
}

void transport_close(Transport *transport)
{
    if (transport->fd >= 0 && transport->tls != NULL)
        tls_farewell(transport->tls);
    transport_drop(transport);
}

void transport_drop(Transport *transport)
{
    if (transport->fd >= 0)
        close(transport->fd);
    transport->fd = -1;
}

void transport_reset(Transport *transport)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    if (transport->fd >= 0)
        (void)setsockopt(transport->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    transport_drop(transport);
}

void transport_shutdown(Transport *transport)
{
    if (transport->fd < 0)
        return;
    if (transport->tls != NULL)
        tls_shutdown(transport->tls);
    else
        (void)shutdown(transport->fd, SHUT_WR);
}
