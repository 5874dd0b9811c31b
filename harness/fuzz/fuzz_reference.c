/* Fuzz target: the reference server, as a client that sends any bytes and then no more.
 *
 * The first byte of an input chooses the server, the others are sent. Whatever came, the server ends the
 * connection, unless the client has had enough and leaves; and it goes on serving.
 */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "fuzz/served.h"

#define MIB (UINT64_C(1) << 20)
#define ENOUGH MIB /* bytes of replies: reads of 32 MiB are legal, and slow */

static const RefExport exports[] = {
    {.name = "", .description = "resizable", .size = MIB, .resize = true, .unfragmented = 65536},
    {.name = "readonly", .size = 1000, .read_only = true},
    {.name = "blocks",
     .size = MIB,
     .minimum = 512,
     .preferred = 4096,
     .maximum = 1 << 20,
     .require = true},
    {.name = "large", .size = INT64_MAX, .canonical = "very large"},
};

static const RefConfig configs[] = {
    {.exports = exports, .export_count = G_N_ELEMENTS(exports), .memory = 64 * MIB},
    {.exports = exports,
     .export_count = G_N_ELEMENTS(exports),
     .memory = MIB,
     .style = REF_OLDSTYLE},
    {.exports = exports,
     .export_count = G_N_ELEMENTS(exports),
     .memory = 64 * MIB,
     .require_extended = true},
    {.exports = exports + 2, .export_count = 2, .memory = 64 * MIB, .structured_always = true},
};

static Served servers[G_N_ELEMENTS(configs)];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    for (size_t i = 0; i < G_N_ELEMENTS(configs); i++)
        served_start(&servers[i], &configs[i]);
    return 0;
}

/* Sends what there is, and then that there is no more. */
static void speak(int fd, const uint8_t **data, size_t *size)
{
    ssize_t n = *size == 0 ? 0 : send(fd, *data, *size, MSG_NOSIGNAL);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n < 0) /* the server has hung up */
        n = (ssize_t)*size;
    *data += n;
    *size -= (size_t)n;
    if (*size == 0)
        shutdown(fd, SHUT_WR);
}

static void converse(int fd, const uint8_t *data, size_t size)
{
    static uint8_t bin[65536];
    bool speaking = true;

    for (size_t heard = 0; heard < ENOUGH;) {
        short ready = served_await(fd, (short)(POLLIN | (speaking ? POLLOUT : 0)));
        if (speaking && ready & (POLLOUT | POLLERR | POLLHUP)) {
            speak(fd, &data, &size);
            speaking = size > 0;
        }
        ssize_t n = recv(fd, bin, sizeof bin, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return;
        heard += n > 0 ? (size_t)n : 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const Served *served = &servers[data[0] % G_N_ELEMENTS(servers)];
    int fd = served_dial(served);

    converse(fd, data + 1, size - 1);
    close(fd);
    served_await_end(served);
    return 0;
}
