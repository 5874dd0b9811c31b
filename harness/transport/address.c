/* Addresses: names resolved once, and Unix sockets. */
#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <sys/un.h>

#include "transport/private.h"

G_DEFINE_QUARK(transport-error-quark, transport_error);

static TransportAddress *address_new(bool tcp, char *name)
{
    TransportAddress *address = g_new0(TransportAddress, 1);

    address->tcp = tcp;
    address->name = name;
    address->sockets = g_array_new(FALSE, TRUE, sizeof(TransportSocket));
    return address;
}

void transport_address_free(TransportAddress *address)
{
    if (address == NULL)
        return;
    g_array_unref(address->sockets);
    g_free(address->name);
    g_free(address);
}

TransportAddress *transport_address_tcp(const char *host, uint16_t port, GError **error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found;
    g_autofree char *service = g_strdup_printf("%u", port);
    int status = getaddrinfo(host, service, &hints, &found);

    if (status != 0) {
        g_set_error(error, TRANSPORT_ERROR, TRANSPORT_ERROR_NAME, "cannot resolve \"%s\": %s", host,
                    gai_strerror(status));
        return NULL;
    }
    bool v6 = strchr(host, ':') != NULL;
    TransportAddress *address =
        address_new(true, g_strdup_printf(v6 ? "[%s]:%u" : "%s:%u", host, port));
    for (struct addrinfo *each = found; each != NULL; each = each->ai_next) {
        TransportSocket socket = {.length = each->ai_addrlen};
        if (each->ai_addrlen > sizeof socket.address)
            continue;
        memcpy(&socket.address, each->ai_addr, each->ai_addrlen);
        g_array_append_val(address->sockets, socket);
    }
    freeaddrinfo(found);
    return address;
}

TransportAddress *transport_address_unix(const char *path, size_t length, GError **error)
{
    TransportSocket socket = {.length = 0};
    struct sockaddr_un *un = (struct sockaddr_un *)&socket.address;
    bool abstract = length > 0 && path[0] == '\0';

    if (length == 0 || length >= sizeof un->sun_path) {
        g_set_error(error, TRANSPORT_ERROR, TRANSPORT_ERROR_NAME,
                    "the path of a Unix socket has 1 to %zu bytes, not %zu",
                    sizeof un->sun_path - 1, length);
        return NULL;
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, length);
    socket.length =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (abstract ? 0 : 1));
    g_autofree char *rest = g_strndup(path + abstract, length - abstract);
    TransportAddress *address =
        address_new(false, g_strdup_printf("%s%s", abstract ? "@" : "", rest));
    g_array_append_val(address->sockets, socket);
    return address;
}

bool transport_address_is_tcp(const TransportAddress *address)
{
    return address->tcp;
}

uint16_t transport_address_port(const TransportAddress *address)
{
    const TransportSocket *first = &g_array_index(address->sockets, TransportSocket, 0);
    const struct sockaddr *any = (const struct sockaddr *)&first->address;

    if (!address->tcp)
        return 0;
    return ntohs(any->sa_family == AF_INET6 ? ((const struct sockaddr_in6 *)any)->sin6_port
                                            : ((const struct sockaddr_in *)any)->sin_port);
}

const char *transport_address_name(const TransportAddress *address)
{
    return address->name;
}

size_t transport_address_count(const TransportAddress *address)
{
    return address->sockets->len;
}

const struct sockaddr *transport_address_get(const TransportAddress *address, size_t which,
                                             unsigned *length)
{
    const TransportSocket *socket = &g_array_index(address->sockets, TransportSocket, which);

    *length = socket->length;
    return (const struct sockaddr *)&socket->address;
}
