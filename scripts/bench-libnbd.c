/* The cycle of bench-cycles.c, connect, NBD_OPT_GO, NBD_CMD_DISC, as a program that uses libnbd makes it.
 *
 * usage: bench-libnbd PORT SECONDS      prints cycles a second against 127.0.0.1:PORT
 */
#include <libnbd.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void cycle(const char *port)
{
    struct nbd_handle *nbd = nbd_create();

    if (nbd == NULL || nbd_connect_tcp(nbd, "127.0.0.1", port) < 0 || nbd_shutdown(nbd, 0) < 0) {
        fprintf(stderr, "bench-libnbd: %s\n", nbd_get_error());
        exit(1);
    }
    nbd_close(nbd);
}

int main(int argc, char **argv)
{
    double began, seconds;
    unsigned long count = 0;

    if (argc != 3)
        return 2;
    seconds = strtod(argv[2], NULL);
    for (began = now(); now() - began < seconds; count++)
        cycle(argv[1]);
    printf("%.0f\n", (double)count / (now() - began));
    return 0;
}
