/* A bare loop of connect, NBD_OPT_GO, NBD_CMD_DISC, as cheap as C can make it: the yardstick of the
 * benchmarks.
 *
 * usage: bench-cycles PORT SECONDS      prints cycles a second against 127.0.0.1:PORT
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void need(int fd, uint8_t *to, size_t size)
{
    while (size > 0) {
        ssize_t got = recv(fd, to, size, 0);
        if (got <= 0) {
            perror("bench-cycles: recv");
            exit(1);
        }
        to += got;
        size -= (size_t)got;
    }
}

static void say(int fd, const uint8_t *bytes, size_t size)
{
    if (send(fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size) {
        perror("bench-cycles: send");
        exit(1);
    }
}

static void cycle(const struct sockaddr_in *address)
{
    static const uint8_t flags[] = {0, 0, 0, 3};
    static const uint8_t go[] = {'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T', 0, 0, 0, 7,
                                 0,   0,   0,   8,   0,   0,   0,   0,   0, 1, 0, 3};
    static const uint8_t disc[28] = {0x25, 0x60, 0x95, 0x13, 0, 0, 0, 2};
    uint8_t buffer[4096];
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0) {
        perror("bench-cycles: connect");
        exit(1);
    }
    need(fd, buffer, 18);
    say(fd, flags, sizeof flags);
    say(fd, go, sizeof go);
    do {
        need(fd, buffer, 20);
        uint32_t length = (uint32_t)buffer[16] << 24 | (uint32_t)buffer[17] << 16 |
                          (uint32_t)buffer[18] << 8 | buffer[19];
        if (length > sizeof buffer - 20 || buffer[12] != 0) {
            fputs("bench-cycles: GO failed\n", stderr);
            exit(1);
        }
        need(fd, buffer + 20, length);
    } while (buffer[15] != 1); /* until NBD_REP_ACK */
    say(fd, disc, sizeof disc);
    while (recv(fd, buffer, sizeof buffer, 0) > 0)
        continue;
    close(fd);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    double began, seconds;
    unsigned long count = 0;

    if (argc != 3)
        return 2;
    address.sin_port = htons((uint16_t)atoi(argv[1]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    seconds = atof(argv[2]);
    for (began = now(); now() - began < seconds; count++)
        cycle(&address);
    printf("%.0f\n", (double)count / (now() - began));
    return 0;
}
