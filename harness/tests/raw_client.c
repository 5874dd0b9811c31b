/* A client of raw bytes. */
#include <arpa/inet.h>
#include <CUnit/CUnit.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_client.h"

static int patience_ms = RAW_PATIENCE_MS;

void raw_set_patience(int ms)
{
    patience_ms = ms;
}

RefServer *raw_serve(const RefConfig *config, uint64_t size)
{
    const RefExport only = {.size = size};
    RefConfig copy = config != NULL ? *config : (RefConfig){0};
    g_autoptr(GError) error = NULL;

    if (copy.exports == NULL) {
        copy.exports = &only;
        copy.export_count = 1;
    }
    RefServer *server = ref_server_new(&copy, &error);
    if (server == NULL || !ref_server_start(server, &error))
        CU_FAIL_FATAL("the server does not start");
    return server;
}

int raw_dial(const RefServer *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(ref_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

void raw_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

bool raw_say(int fd, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;

    while (length > 0) {
        ssize_t n = send(fd, at, length, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return false;
        at += MAX(n, 0);
        length -= (size_t)MAX(n, 0);
    }
    return true;
}

static bool wait_for_input(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, patience_ms) == 1;
}

bool raw_hear(int fd, void *bytes, size_t length)
{
    uint8_t *at = bytes;

    while (length > 0) {
        ssize_t n = wait_for_input(fd) ? recv(fd, at, length, 0) : -1;
        if (n <= 0)
            return false;
        at += n;
        length -= (size_t)n;
    }
    return true;
}

bool raw_ends(int fd)
{
    char byte;

    return wait_for_input(fd) && recv(fd, &byte, 1, 0) <= 0;
}

/* ---- Handshake ------------------------------------------------------------------------------- */

bool raw_greet(int fd, uint32_t client_flags)
{
    uint8_t greeting[18], flags[4];

    wire_put(flags, 4, client_flags);
    return raw_hear(fd, greeting, sizeof greeting) && raw_say(fd, flags, sizeof flags);
}

bool raw_say_option(int fd, uint32_t option, const void *data, size_t length)
{
    uint64_t values[WIRE_MAX_FIELDS] = {NBD_IHAVEOPT, option, length};
    uint8_t header[16];

    wire_encode(WIRE_OPTION, values, header);
    return raw_say(fd, header, sizeof header) && raw_say(fd, data, length);
}

bool raw_hear_reply(int fd, RawReply *reply)
{
    uint8_t header[20];
    uint64_t values[WIRE_MAX_FIELDS];

    if (!raw_hear(fd, header, sizeof header))
        return false;
    wire_decode(WIRE_OPTION_REPLY, header, values);
    reply->option = (uint32_t)values[REPLY_OPTION];
    reply->type = (uint32_t)values[REPLY_TYPE];
    reply->length = (uint32_t)values[REPLY_LENGTH];
    return values[REPLY_MAGIC] == NBD_OPTION_REPLY_MAGIC && reply->length <= sizeof reply->data &&
           raw_hear(fd, reply->data, reply->length);
}

uint32_t raw_reply_type(int fd)
{
    RawReply reply;

    return raw_hear_reply(fd, &reply) ? reply.type : 0;
}

bool raw_say_info(int fd, uint32_t option, const char *name, const int *requests)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    uint8_t number[4];
    unsigned count = 0;

    while (requests[count] >= 0)
        count++;
    wire_put(number, 4, strlen(name));
    g_byte_array_append(data, number, 4);
    g_byte_array_append(data, (const uint8_t *)name, (guint)strlen(name));
    wire_put(number, 2, count);
    g_byte_array_append(data, number, 2);
    for (unsigned i = 0; i < count; i++) {
        wire_put(number, 2, (uint64_t)requests[i]);
        g_byte_array_append(data, number, 2);
    }
    return raw_say_option(fd, option, data->data, data->len);
}

int raw_open(const RefServer *server, const char *name)
{
    static const int nothing[] = {-1};
    int fd = raw_dial(server);
    uint32_t type = NBD_REP_INFO;

    if (fd >= 0 && raw_greet(fd, RAW_FLAGS) && raw_say_info(fd, NBD_OPT_GO, name, nothing))
        while (type == NBD_REP_INFO)
            type = raw_reply_type(fd);
    if (type == NBD_REP_ACK)
        return fd;
    raw_close(fd);
    return -1;
}

/* ---- Transmission ---------------------------------------------------------------------------- */

bool raw_request(int fd, uint16_t type, uint16_t flags, uint64_t cookie, uint64_t offset,
                 uint32_t length)
{
    uint64_t values[WIRE_MAX_FIELDS] = {NBD_REQUEST_MAGIC, flags, type, cookie, offset, length};
    uint8_t bytes[28];

    wire_encode(WIRE_REQUEST, values, bytes);
    return raw_say(fd, bytes, sizeof bytes);
}

uint32_t raw_reply_error(int fd, uint64_t cookie)
{
    uint64_t values[WIRE_MAX_FIELDS];
    uint8_t bytes[16];

    if (!raw_hear(fd, bytes, sizeof bytes))
        return UINT32_MAX;
    wire_decode(WIRE_SIMPLE_REPLY, bytes, values);
    if (values[SIMPLE_REPLY_MAGIC] != NBD_SIMPLE_REPLY_MAGIC ||
        values[SIMPLE_REPLY_COOKIE] != cookie)
        return UINT32_MAX;
    return (uint32_t)values[SIMPLE_REPLY_ERROR];
}

uint32_t raw_do(int fd, uint16_t type, uint16_t flags, uint64_t offset, uint32_t length, void *data)
{
    const uint64_t cookie = UINT64_C(0xf00d0000) << 32 | offset;

    if (!raw_request(fd, type, flags, cookie, offset, length) ||
        (type == NBD_CMD_WRITE && !raw_say(fd, data, length)))
        return UINT32_MAX;
    uint32_t error = raw_reply_error(fd, cookie);
    if (error == NBD_SUCCESS && type == NBD_CMD_READ && !raw_hear(fd, data, length))
        return UINT32_MAX;
    return error;
}

bool raw_served(const RefServer *server)
{
    uint8_t block[512];
    int fd = raw_open(server, "");
    bool served = fd >= 0 && raw_do(fd, NBD_CMD_READ, 0, 0, sizeof block, block) == NBD_SUCCESS;

    raw_close(fd);
    return served;
}
