/* Fuzz target: TLS of the reference server, as a client that sends any bytes: in place of TLS, in one piece with
 * NBD_OPT_STARTTLS, or inside of TLS.
 *
 * The first byte of an input chooses, the second how long the records are. Whatever came, the server ends the
 * connection, unless the client has had enough and leaves; and it goes on serving.
 */
#include <poll.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "fuzz/keys.h"
#include "fuzz/served.h"

#define MIB (UINT64_C(1) << 20)
#define ENOUGH MIB /* bytes of replies: reads of 32 MiB are legal, and slow */
#define LONGEST 16384

enum { BEHIND_ACK, BEHIND_OPTION, INSIDE, INSIDE_TOO, WAYS };

static const RefExport exports[] = {
    {.name = "", .size = MIB, .resize = true, .unfragmented = 65536},
    {.name = "secret", .size = MIB, .tls_only = true},
};

static Served served;
static TransportTls *keys;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const RefConfig config = {.exports = exports,
                              .export_count = G_N_ELEMENTS(exports),
                              .memory = 16 * MIB,
                              .tls = keys_of_server()};

    (void)argc;
    (void)argv;
    keys = keys_of_client();
    served_start(&served, &config);
    return 0;
}

/* Whatever is said; false once the server has hung up. */
static bool say(Transport *transport, const uint8_t *data, size_t size)
{
    size_t done;

    for (; size > 0; data += done, size -= done) {
        TransportStatus status = transport_write(transport, data, size, &done);
        if (status == TRANSPORT_CLOSED)
            return false;
        if (status == TRANSPORT_AGAIN)
            (void)served_await(transport_fd(transport), transport_events(transport, POLLOUT));
    }
    return true;
}

/* True if it hears MOST bytes, false if the stream ends before. */
static bool hear(Transport *transport, size_t most)
{
    uint8_t bin[4096];
    size_t done;

    for (; most > 0; most -= done) {
        TransportStatus status = transport_read(transport, bin, MIN(most, sizeof bin), &done);
        if (status == TRANSPORT_CLOSED)
            return false;
        if (status == TRANSPORT_AGAIN && !transport_pending(transport))
            (void)served_await(transport_fd(transport), transport_events(transport, POLLIN));
    }
    return true;
}

static void converse(Transport *transport, unsigned way, size_t record, const uint8_t *data,
                     size_t size)
{
    static const uint8_t starttls[] = "\0\0\0\3IHAVEOPT\0\0\0\5\0\0\0";
    bool speaking = true;

    if (way == BEHIND_OPTION) {
        g_autofree uint8_t *both = g_malloc(sizeof starttls + size);
        memcpy(both, starttls, sizeof starttls);
        memcpy(both + sizeof starttls, data, size);
        speaking = say(transport, both, sizeof starttls + size);
        size = 0;
    } else {
        FUZZ_HOLDS(say(transport, starttls, sizeof starttls));
        FUZZ_HOLDS(hear(transport, 18 + 20)); /* the greeting and NBD_REP_ACK */
    }
    if (way >= INSIDE)
        FUZZ_HOLDS(transport_tls_start(transport, keys, NULL, NULL, 0, NULL));
    for (size_t at = 0; at < size && speaking; at += record)
        speaking = say(transport, data + at, MIN(record, size - at));
    if (way >= INSIDE && speaking)
        FUZZ_HOLDS(transport_tls_facts(transport).established || size == 0);
    transport_shutdown(transport);
    (void)hear(transport, ENOUGH);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > LONGEST)
        return 0;
    Transport *transport = transport_adopt(served_dial(&served));

    converse(transport, data[0] % WAYS, data[1] == 0 ? LONGEST : data[1], data + 2, size - 2);
    transport_free(transport);
    served_await_end(&served);
    return 0;
}
