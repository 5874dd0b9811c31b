/* The listening socket: a Unix socket, TCP over IPv4 or IPv6, or one that was inherited. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "reference/server.h"

#define BACKLOG 4096

typedef union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
} Address;

static bool fail(GError **error, const char *what)
{
    g_set_error(error, REF_ERROR, REF_ERROR_LISTEN, "cannot listen on %s: %s", what,
                g_strerror(errno));
    return false;
}

/* Binds and listens; NAME is for messages. */
static bool listen_at(RefServer *server, const Address *address, socklen_t size, const char *name,
                      GError **error)
{
    int one = 1;

    server->listener =
        socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->listener < 0)
        return fail(error, name);
    if (address->any.sa_family != AF_UNIX)
        setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(server->listener, &address->any, size) < 0 || listen(server->listener, BACKLOG) < 0)
        return fail(error, name);
    return true;
}

/* Removes the socket that an earlier server left behind; never anything else. */
static void remove_stale(const char *path)
{
    struct stat status;

    if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
        unlink(path);
}

static bool listen_unix(RefServer *server, const char *path, GError **error)
{
    Address address = {.un = {.sun_family = AF_UNIX}};

    if (strlen(path) >= sizeof address.un.sun_path) {
        errno = ENAMETOOLONG;
        return fail(error, path);
    }
    memcpy(address.un.sun_path, path, strlen(path));
    remove_stale(path);
    if (!listen_at(server, &address, sizeof address.un, path, error))
        return false;
    server->socket = g_strdup(path);
    server->owns_path = true;
    return true;
}

/* What socket this is: needed where the port was chosen for us, or the socket given. */
static bool look_up(RefServer *server, GError **error)
{
    Address address = {0};
    socklen_t size = sizeof address;
    char text[INET6_ADDRSTRLEN] = "";
    int one = 1;

    if (getsockname(server->listener, &address.any, &size) < 0)
        return fail(error, "the socket given");
    switch (address.any.sa_family) {
    case AF_UNIX:
        server->socket = g_strndup(address.un.sun_path, sizeof address.un.sun_path);
        return true;
    case AF_INET:
        inet_ntop(AF_INET, &address.in.sin_addr, text, sizeof text);
        server->port = ntohs(address.in.sin_port);
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &address.in6.sin6_addr, text, sizeof text);
        server->port = ntohs(address.in6.sin6_port);
        break;
    default:
        errno = EAFNOSUPPORT;
        return fail(error, "the socket given");
    }
    server->host = g_strdup(text);
    /* Connections inherit it: no delays by Nagle's algorithm ("Protocol phases"). */
    setsockopt(server->listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return true;
}

static bool listen_tcp(RefServer *server, const char *host, uint16_t port, GError **error)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    g_autofree char *service = g_strdup_printf("%u", port);
    g_autofree char *name = g_strdup_printf("%s port %u", host, port);
    struct addrinfo *found = NULL;
    Address address = {0};

    int status = getaddrinfo(host, service, &hints, &found);
    if (status != 0) {
        g_set_error(error, REF_ERROR, REF_ERROR_LISTEN, "cannot listen on %s: %s", name,
                    gai_strerror(status));
        return false;
    }
    socklen_t size = MIN(found->ai_addrlen, (socklen_t)sizeof address);
    memcpy(&address, found->ai_addr, size);
    freeaddrinfo(found);
    return listen_at(server, &address, size, name, error) && look_up(server, error);
}

static bool adopt(RefServer *server, int fd, GError **error)
{
    server->listener = fd;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return look_up(server, error);
}

bool listener_open(RefServer *server, const RefConfig *config, GError **error)
{
    server->listener = -1;
    if (config->fd > 0)
        return adopt(server, config->fd, error);
    if (config->socket != NULL)
        return listen_unix(server, config->socket, error);
    return listen_tcp(server, config->host != NULL ? config->host : "127.0.0.1", config->port,
                      error);
}
