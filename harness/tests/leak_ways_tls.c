/* Ways to the points inside of TLS at which the reference server can leak. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "leak_ways.h"
#include "tls_pair.h"
#include "transport/tls_engine.h"

/* In TLS 1.2 nothing of the server's comes behind the handshake. */
static const TransportTlsOptions options = {
    .psk_file = CERTIFICATES("keys.psk"), .username = "alice", .priorities = ONLY("1.2")};

static void say_records(int fd, TransportTlsEngine *engine, bool half)
{
    size_t size;
    const uint8_t *bytes = transport_tls_engine_output(engine, &size);

    if (bytes != NULL)
        CU_ASSERT(raw_say(fd, bytes, half ? size / 2 : size));
    transport_tls_engine_sent(engine, size);
}

static void hear_record(int fd, TransportTlsEngine *engine)
{
    uint8_t record[5 + 16384 + 2048];

    CU_ASSERT_FATAL(raw_hear(fd, record, 5));
    size_t size = (size_t)wire_get(record + 3, 2);
    CU_ASSERT_FATAL(size <= sizeof record - 5 && raw_hear(fd, record + 5, size));
    transport_tls_engine_feed(engine, record, 5 + size);
}

void way_tls_begun(int fd)
{
    raw_greet(fd, RAW_FLAGS);
    raw_say_option(fd, NBD_OPT_STARTTLS, NULL, 0);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ACK);
}

static TransportTlsEngine *begin(int fd)
{
    g_autoptr(TransportTls) settings = transport_tls_new(&options, NULL);
    TransportTlsEngine *engine = transport_tls_engine_new(settings);

    CU_ASSERT_PTR_NOT_NULL_FATAL(engine);
    way_tls_begun(fd);
    say_records(fd, engine, false);
    while (transport_tls_engine_shake(engine) == TRANSPORT_AGAIN) {
        say_records(fd, engine, false);
        hear_record(fd, engine);
    }
    CU_ASSERT_EQUAL(transport_tls_engine_shake(engine), TRANSPORT_DONE);
    say_records(fd, engine, false);
    return engine;
}

void way_tls(int fd)
{
    transport_tls_engine_free(begin(fd));
}

static void say_go(TransportTlsEngine *engine)
{
    static const char go[] = "IHAVEOPT\0\0\0\7\0\0\0\6\0\0\0\0\0\0";

    CU_ASSERT(transport_tls_engine_write(engine, go, sizeof go - 1));
}

/* Until NBD_REP_ACK, whose 20 bytes come by themselves or behind others. */
void way_tls_go(int fd)
{
    g_autoptr(TransportTlsEngine) engine = begin(fd);
    uint8_t bytes[1024];
    size_t got = 0, done;

    say_go(engine);
    say_records(fd, engine, false);
    while (got < 20 || wire_get(bytes + got - 8, 4) != NBD_REP_ACK) {
        while (transport_tls_engine_read(engine, bytes + got, sizeof bytes - got, &done) ==
               TRANSPORT_AGAIN)
            hear_record(fd, engine);
        got += done;
        CU_ASSERT_FATAL(done > 0 && got < sizeof bytes);
    }
}

void way_tls_notified(int fd)
{
    g_autoptr(TransportTlsEngine) engine = begin(fd);

    transport_tls_engine_bye(engine);
    say_records(fd, engine, false);
}

void way_half_a_record(int fd)
{
    g_autoptr(TransportTlsEngine) engine = begin(fd);

    say_go(engine);
    say_records(fd, engine, true);
}
