/* Streams to listeners of our own. */
#include <CUnit/CUnit.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "dialled.h"

int dialled_listen(const void *address, socklen_t length, int backlog)
{
    const struct sockaddr *at = address;
    int fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && bind(fd, at, length) == 0 && listen(fd, backlog) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

int dialled_listen_v4(uint16_t *port, int backlog)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof in;
    int fd = dialled_listen(&in, length, backlog);

    CU_ASSERT_TRUE_FATAL(fd >= 0);
    getsockname(fd, (struct sockaddr *)&in, &length);
    *port = ntohs(in.sin_port);
    return fd;
}

TransportStatus dialled_read(Transport *transport, void *buffer, size_t size, size_t *done)
{
    for (;;) {
        struct pollfd wait = {.fd = transport_fd(transport), .events = POLLIN};
        TransportStatus status = transport_read(transport, buffer, size, done);
        if (status != TRANSPORT_AGAIN || poll(&wait, 1, DIALLED_PATIENT_MS) <= 0)
            return status;
    }
}

Transport *dialled_connect(const TransportAddress *address, int listener, int *peer)
{
    g_autoptr(GError) error = NULL;
    Transport *transport = transport_connect(address, DIALLED_PATIENT_MS, &error);
    char text[8] = "";
    size_t done;

    CU_ASSERT_PTR_NOT_NULL_FATAL(transport);
    *peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CU_ASSERT_TRUE_FATAL(*peer >= 0);
    CU_ASSERT_EQUAL(transport_read(transport, text, sizeof text, &done), TRANSPORT_AGAIN);
    CU_ASSERT_EQUAL(done, 0);
    CU_ASSERT_EQUAL(transport_write(transport, "ping", 4, &done), TRANSPORT_DONE);
    CU_ASSERT_EQUAL(done, 4);
    CU_ASSERT_EQUAL(recv(*peer, text, 4, MSG_WAITALL), 4);
    CU_ASSERT_EQUAL(memcmp(text, "ping", 4), 0);
    CU_ASSERT_EQUAL(send(*peer, "pong", 4, MSG_NOSIGNAL), 4);
    CU_ASSERT_EQUAL(dialled_read(transport, text, sizeof text, &done), TRANSPORT_DONE);
    CU_ASSERT_EQUAL(done, 4);
    CU_ASSERT_EQUAL(memcmp(text, "pong", 4), 0);
    return transport;
}
