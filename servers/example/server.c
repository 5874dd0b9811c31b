/* A small NBD server, for an example: one client after another on a Unix socket, a disk of zeroes.
 *
 * usage: server SOCKET
 */
#include <endian.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DISK_SIZE (UINT64_C(1) << 20)
#define MOST_DATA (1u << 16)

enum { OPT_EXPORT_NAME = 1, OPT_ABORT = 2, OPT_GO = 7 };
enum { REP_ACK = 1, REP_INFO = 3 };
#define REP_ERR_UNSUP UINT32_C(0x80000001)
enum { CMD_READ = 0, CMD_DISC = 2 };
#define EINVAL_ON_WIRE 22u

struct option_header {
    uint64_t magic;
    uint32_t option, length;
} __attribute__((packed));

struct option_reply {
    uint64_t magic;
    uint32_t option, type, length;
} __attribute__((packed));

struct request {
    uint32_t magic;
    uint16_t flags, type;
    uint64_t cookie, offset;
    uint32_t length;
} __attribute__((packed));

struct simple_reply {
    uint32_t magic, error;
    uint64_t cookie;
} __attribute__((packed));

static int take(int fd, void *to, size_t size)
{
    return size == 0 || recv(fd, to, size, MSG_WAITALL) == (ssize_t)size;
}

static int give(int fd, const void *from, size_t size)
{
    return send(fd, from, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static int reply(int fd, uint32_t option, uint32_t type, const void *data, uint32_t length)
{
    struct option_reply header = {htobe64(UINT64_C(0x0003e889045565a9)), htobe32(option),
                                  htobe32(type), htobe32(length)};

    return give(fd, &header, sizeof header) && (length == 0 || give(fd, data, length));
}

/* 1 once the client is in, 0 if it has left. */
static int haggle(int fd)
{
    static char data[MOST_DATA];
    struct option_header header;
    struct {
        uint16_t type;
        uint64_t size;
        uint16_t flags;
    } __attribute__((packed)) info = {0, htobe64(DISK_SIZE), htobe16(1)};

    while (take(fd, &header, sizeof header)) {
        uint32_t option = be32toh(header.option), length = be32toh(header.length);
        if (length > sizeof data || !take(fd, data, length))
            return 0;
        switch (option) {
        case OPT_ABORT:
            reply(fd, option, REP_ACK, NULL, 0);
            return 0;
        case OPT_GO:
            return reply(fd, option, REP_INFO, &info, sizeof info) &&
                   reply(fd, option, REP_ACK, NULL, 0);
        default:
            if (!reply(fd, option, REP_ERR_UNSUP, NULL, 0))
                return 0;
        }
    }
    return 0;
}

static void transmit(int fd)
{
    static const char zeroes[MOST_DATA];
    struct request request;

    while (take(fd, &request, sizeof request)) {
        uint32_t length = be32toh(request.length);
        int good = be16toh(request.type) == CMD_READ && length <= sizeof zeroes;
        struct simple_reply answer = {htobe32(0x67446698), good ? 0 : htobe32(EINVAL_ON_WIRE),
                                      request.cookie};
        if (be16toh(request.type) == CMD_DISC)
            return;
        if (!give(fd, &answer, sizeof answer) || (good && !give(fd, zeroes, length)))
            return;
    }
}

/* Returns when the client is done with. */
static void serve(int fd)
{
    static const char greeting[18] = "NBDMAGICIHAVEOPT\0\1";
    uint32_t flags;

    if (!give(fd, greeting, sizeof greeting))
        goto out;
    if (!take(fd, &flags, sizeof flags))
        goto out;
    if (haggle(fd))
        transmit(fd);
out:
    close(fd);
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;

    if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path)
        return 2;
    memcpy(address.sun_path, argv[1], strlen(argv[1]) + 1);
    signal(SIGPIPE, SIG_IGN);
    if (bind(listener, (const struct sockaddr *)&address, sizeof address) < 0 ||
        listen(listener, 64) < 0) {
        perror(argv[1]);
        return 1;
    }
    while ((fd = accept(listener, NULL, NULL)) >= 0)
        serve(fd);
    return 0;
}
