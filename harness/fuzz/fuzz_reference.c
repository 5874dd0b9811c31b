/* Fuzz target: the reference server, as a client that sends any bytes and then no more.
 *
 * The first byte of an input chooses the server, the others are sent. Whatever came, the server ends the
 * connection, unless the client has had enough and leaves; and it goes on serving.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "reference/reference.h"

#define MIB (UINT64_C(1) << 20)
#define ENOUGH MIB        /* bytes of replies: reads of 32 MiB are legal, and slow */
#define PATIENCE_MS 20000 /* the machine may be busy, the sanitizers are slow */

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

static RefServer *servers[G_N_ELEMENTS(configs)];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    g_autofree char *folder = g_dir_make_tmp("nbdconform-fuzz-XXXXXX", NULL);
    FUZZ_HOLDS(folder != NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(configs); i++) {
        g_autofree char *path = g_strdup_printf("%s/%zu", folder, i);
        RefConfig config = configs[i];
        config.socket = path;
        servers[i] = ref_server_new(&config, NULL);
        FUZZ_HOLDS(servers[i] != NULL && ref_server_start(servers[i], NULL));
    }
    return 0;
}

static int dial(const RefServer *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, ref_server_socket(server), sizeof address.sun_path);
    FUZZ_HOLDS(fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
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

/* Waits until something can be done. The alarm by which libFuzzer limits an input's time interrupts. */
static void await(struct pollfd *events)
{
    int ready;

    do {
        ready = poll(events, 1, PATIENCE_MS);
    } while (ready < 0 && errno == EINTR);
    FUZZ_HOLDS(ready > 0); /* else it hangs */
}

static void converse(int fd, const uint8_t *data, size_t size)
{
    static uint8_t bin[65536];
    bool speaking = true;

    for (size_t heard = 0; heard < ENOUGH;) {
        struct pollfd events = {.fd = fd, .events = (short)(POLLIN | (speaking ? POLLOUT : 0))};
        await(&events);
        if (speaking && events.revents & (POLLOUT | POLLERR | POLLHUP)) {
            speak(fd, &data, &size);
            speaking = size > 0;
        }
        ssize_t n = recv(fd, bin, sizeof bin, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return;
        heard += n > 0 ? (size_t)n : 0;
    }
}

/* The connection is gone on the server's side as well: nothing is left of it. */
static void await_end(const RefServer *server)
{
    for (unsigned ms = 0; ref_server_connections(server) > 0; ms++) {
        FUZZ_HOLDS(ms < PATIENCE_MS);
        g_usleep(ms < 5 ? 50 : 1000);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const RefServer *server = servers[data[0] % G_N_ELEMENTS(servers)];
    int fd = dial(server);

    converse(fd, data + 1, size - 1);
    close(fd);
    await_end(server);
    FUZZ_HOLDS(!ref_server_died(server));
    return 0;
}
