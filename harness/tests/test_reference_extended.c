/* Extended headers and resizing of the reference server. */
#include <CUnit/CUnit.h>
#include <glib.h>
#include <string.h>

#include "chunk_client.h"

void reference_extended_tests(void);

#define MIB (1024u * 1024)

#define SERVE(...) chunk_serve((RefConfig){0}, (RefExport){__VA_ARGS__})
#define COOKIE UINT64_C(0x1020304050607080)
#define PAYLOAD NBD_CMD_FLAG_PAYLOAD_LEN

static void say(int fd, uint16_t type, uint16_t flags, uint64_t offset, uint64_t length)
{
    const uint64_t values[WIRE_MAX_FIELDS] = {
        NBD_EXTENDED_REQUEST_MAGIC, flags, type, COOKIE, offset, length};
    uint8_t header[32];

    wire_encode(WIRE_EXTENDED_REQUEST, values, header);
    CU_ASSERT(raw_say(fd, header, sizeof header));
}

/* The only chunk of a reply: NONE is 0, an error is itself. */
static uint32_t hear(int fd, uint64_t offset)
{
    Chunk chunk;

    CU_ASSERT_FATAL(chunk_hear(fd, &chunk));
    CU_ASSERT_EQUAL(chunk.flags, NBD_REPLY_FLAG_DONE);
    CU_ASSERT_EQUAL(chunk.cookie, COOKIE);
    CU_ASSERT_EQUAL(chunk.offset, offset);
    uint32_t error = chunk.type == NBD_REPLY_TYPE_ERROR ? (uint32_t)wire_get(chunk.data, 4) : 0;
    CU_ASSERT_EQUAL(chunk.type, error != 0 ? NBD_REPLY_TYPE_ERROR : NBD_REPLY_TYPE_NONE);
    chunk_clear(&chunk);
    return error;
}

static uint32_t ask(int fd, uint16_t type, uint16_t flags, uint64_t offset, uint64_t length)
{
    say(fd, type, flags, offset, length);
    return hear(fd, offset);
}

static uint32_t put(int fd, uint64_t offset, const char *data)
{
    say(fd, NBD_CMD_WRITE, PAYLOAD, offset, strlen(data));
    CU_ASSERT(raw_say(fd, data, strlen(data)));
    return hear(fd, offset);
}

static void check_data(int fd, uint64_t offset, const char *data)
{
    Chunk chunk;

    say(fd, NBD_CMD_READ, 0, offset, strlen(data));
    CU_ASSERT_FATAL(chunk_hear(fd, &chunk));
    CU_ASSERT_EQUAL(chunk.type, NBD_REPLY_TYPE_OFFSET_DATA);
    CU_ASSERT_EQUAL(chunk.offset, offset);
    CU_ASSERT_EQUAL(chunk.length, 8 + strlen(data));
    CU_ASSERT(memcmp(chunk.data + 8, data, strlen(data)) == 0);
    chunk_clear(&chunk);
}

static void every_reply_is_extended(void)
{
    g_autoptr(RefServer) server = SERVE(.size = MIB);
    int fd = chunk_open_extended(server, "");

    CU_ASSERT_EQUAL(put(fd, 1000, "some data"), NBD_SUCCESS);
    check_data(fd, 1000, "some data");
    CU_ASSERT_EQUAL(ask(fd, NBD_CMD_FLUSH, 0, 0, 0), NBD_SUCCESS);
    CU_ASSERT_EQUAL(ask(fd, NBD_CMD_TRIM, 0, 0, 4096), NBD_SUCCESS);
    CU_ASSERT_EQUAL(ask(fd, NBD_CMD_READ, 0, MIB, 1), NBD_EINVAL);
    say(fd, NBD_CMD_DISC, 0, 0, 0);
    CU_ASSERT(raw_ends(fd));
    raw_close(fd);
}

static void effects_have_64_bits(void)
{
    g_autoptr(RefServer) server = SERVE(.size = INT64_MAX, .name = "");
    const uint64_t end = INT64_MAX;
    int fd = chunk_open_extended(server, "");

    CU_ASSERT_EQUAL(put(fd, end - 4, "four"), NBD_SUCCESS);
    CU_ASSERT_EQUAL(ask(fd, NBD_CMD_WRITE_ZEROES, 0, 1, end - 5), NBD_SUCCESS);
    check_data(fd, end - 4, "four");
    CU_ASSERT_EQUAL(ask(fd, NBD_CMD_TRIM, 0, 0, end), NBD_SUCCESS);
    CU_ASSERT_EQUAL(ask(fd, NBD_CMD_CACHE, 0, 0, end), NBD_SUCCESS);
    CU_ASSERT_EQUAL(ask(fd, NBD_CMD_TRIM, 0, 0, end + 1), NBD_EINVAL);
    CU_ASSERT_EQUAL(ask(fd, NBD_CMD_TRIM, 0, 1, UINT64_MAX), NBD_EINVAL);
    CU_ASSERT_EQUAL(ask(fd, NBD_CMD_READ, 0, 0, end), NBD_EINVAL);
    raw_close(fd);
}

static void the_flag_tells_whether_there_is_a_payload(void)
{
    g_autoptr(RefServer) server = SERVE(.size = MIB);
    int fd = chunk_open_extended(server, "");

    CU_ASSERT_EQUAL(ask(fd, NBD_CMD_WRITE, 0, 0, 4), NBD_EINVAL);
    say(fd, NBD_CMD_TRIM, PAYLOAD, 0, 4);
    CU_ASSERT(raw_say(fd, "data", 4));
    CU_ASSERT_EQUAL(hear(fd, 0), NBD_EINVAL);
    say(fd, 4711, PAYLOAD, 0, 4);
    CU_ASSERT(raw_say(fd, "data", 4));
    CU_ASSERT_EQUAL(hear(fd, 0), NBD_EINVAL);
    say(fd, NBD_CMD_BLOCK_STATUS, PAYLOAD, 0, 12);
    CU_ASSERT(raw_say(fd, "some payload", 12));
    CU_ASSERT_EQUAL(hear(fd, 0), NBD_EINVAL);
    CU_ASSERT_EQUAL(put(fd, MIB - 1, "beyond"), NBD_ENOSPC);
    CU_ASSERT_EQUAL(put(fd, 0, "fine"), NBD_SUCCESS);
    say(fd, NBD_CMD_WRITE, PAYLOAD, 0, NBD_DEFAULT_MAX_PAYLOAD + 1);
    CU_ASSERT(raw_ends(fd));
    raw_close(fd);
}

/* ---- Block status ----------------------------------------------------------------------------- */

/* All contexts; the ids of those that are told, and the first length and status of each. */
static int open_with_contexts(const RefServer *server)
{
    static const char query[] = "\0\0\0\0\0\0\0\3"
                                "\0\0\0\x0f"
                                "base:allocation"
                                "\0\0\0\x11"
                                "x-nbdconform:data"
                                "\0\0\0\x11"
                                "x-nbdconform:wide";
    int fd = raw_dial(server);
    RawReply reply = {0};
    unsigned contexts = 0;

    CU_ASSERT(raw_greet(fd, RAW_FLAGS));
    CU_ASSERT(raw_say_option(fd, NBD_OPT_EXTENDED_HEADERS, NULL, 0));
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ACK);
    CU_ASSERT(raw_say_option(fd, NBD_OPT_SET_META_CONTEXT, query, sizeof query - 1));
    while (raw_hear_reply(fd, &reply) && reply.type == NBD_REP_META_CONTEXT)
        contexts++;
    CU_ASSERT_EQUAL(contexts, 3);
    CU_ASSERT(raw_say_info(fd, NBD_OPT_GO, "", (int[]){-1}));
    CU_ASSERT(raw_hear_reply(fd, &reply));
    CU_ASSERT(wire_get(reply.data + 10, 2) & NBD_FLAG_BLOCK_STATUS_PAYLOAD);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ACK);
    return fd;
}

static void check_status(int fd, uint32_t id, bool last, uint64_t length, uint64_t flags)
{
    Chunk chunk;

    CU_ASSERT_FATAL(chunk_hear(fd, &chunk));
    CU_ASSERT_EQUAL(chunk.type, NBD_REPLY_TYPE_BLOCK_STATUS_EXT);
    CU_ASSERT_EQUAL(chunk.flags, last ? NBD_REPLY_FLAG_DONE : 0);
    CU_ASSERT_EQUAL_FATAL(chunk.length, 8 + 16 * wire_get(chunk.data + 4, 4));
    CU_ASSERT_EQUAL(wire_get(chunk.data, 4), id);
    CU_ASSERT_EQUAL(wire_get(chunk.data + 8, 8), length);
    CU_ASSERT_EQUAL(wire_get(chunk.data + 16, 8), flags);
    chunk_clear(&chunk);
}

static void status_has_64_bits(void)
{
    g_autoptr(RefServer) server = SERVE(.size = INT64_MAX);
    int fd = open_with_contexts(server);

    say(fd, NBD_CMD_BLOCK_STATUS, 0, 0, INT64_MAX);
    check_status(fd, 1, false, INT64_MAX, NBD_STATE_HOLE | NBD_STATE_ZERO);
    check_status(fd, 2, false, INT64_MAX, 0);
    check_status(fd, 3, true, INT64_MAX, UINT64_C(1) << 33);
    CU_ASSERT_EQUAL(put(fd, 0, "data"), NBD_SUCCESS);
    say(fd, NBD_CMD_BLOCK_STATUS, NBD_CMD_FLAG_REQ_ONE, 0, 4);
    check_status(fd, 1, false, 4, 0);
    check_status(fd, 2, false, 4, 1);
    check_status(fd, 3, true, 4, UINT64_C(1) << 32);
    raw_close(fd);
}

/* Effect length, and ids as bytes. */
static void say_status(int fd, uint64_t length, const char *ids, size_t count)
{
    uint8_t payload[8 + 4 * 8];

    wire_put(payload, 8, length);
    for (size_t i = 0; i < count; i++)
        wire_put(payload + 8 + 4 * i, 4, (uint8_t)ids[i]);
    say(fd, NBD_CMD_BLOCK_STATUS, PAYLOAD, 0, 8 + 4 * count);
    CU_ASSERT(raw_say(fd, payload, 8 + 4 * count));
}

static void a_payload_chooses_contexts(void)
{
    g_autoptr(RefServer) server = SERVE(.size = MIB);
    int fd = open_with_contexts(server);
    static const struct {
        uint64_t length;
        const char *ids;
        size_t count;
    } bad[] = {{MIB, "\2\2", 2},   {MIB, "\4", 1}, {MIB, "\0", 1},          {MIB, "", 0},
               {MIB + 1, "\2", 1}, {0, "\2", 1},   {MIB, "\1\2\3\4\5\6", 6}};

    say_status(fd, MIB, "\2", 1);
    check_status(fd, 2, true, MIB, 0);
    say_status(fd, 512, "\3\1", 2);
    check_status(fd, 1, false, 512, 3);
    check_status(fd, 3, true, 512, UINT64_C(1) << 33);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        say_status(fd, bad[i].length, bad[i].ids, bad[i].count);
        CU_ASSERT_EQUAL(hear(fd, 0), NBD_EINVAL);
    }
    raw_close(fd);
}

/* ---- Haggling --------------------------------------------------------------------------------- */

static uint32_t option(int fd, uint32_t option, const void *data, size_t length)
{
    CU_ASSERT(raw_say_option(fd, option, data, length));
    return raw_reply_type(fd);
}

static void extended_headers_go_before_structured_replies(void)
{
    g_autoptr(RefServer) server = SERVE(.size = MIB);
    g_autoptr(RefServer) older =
        chunk_serve((RefConfig){.most_replies = REF_STRUCTURED}, (RefExport){.size = MIB});
    int fd = raw_dial(server);

    CU_ASSERT(raw_greet(fd, RAW_FLAGS));
    CU_ASSERT_EQUAL(option(fd, NBD_OPT_EXTENDED_HEADERS, "x", 1), NBD_REP_ERR_INVALID);
    CU_ASSERT_EQUAL(option(fd, NBD_OPT_STRUCTURED_REPLY, NULL, 0), NBD_REP_ACK);
    CU_ASSERT_EQUAL(option(fd, NBD_OPT_EXTENDED_HEADERS, NULL, 0), NBD_REP_ACK);
    CU_ASSERT_EQUAL(option(fd, NBD_OPT_STRUCTURED_REPLY, NULL, 0), NBD_REP_ERR_EXT_HEADER_REQD);
    CU_ASSERT(raw_say_option(fd, NBD_OPT_EXPORT_NAME, NULL, 0));
    CU_ASSERT(raw_ends(fd));
    raw_close(fd);
    fd = raw_dial(older);
    CU_ASSERT(raw_greet(fd, RAW_FLAGS));
    CU_ASSERT_EQUAL(option(fd, NBD_OPT_EXTENDED_HEADERS, NULL, 0), NBD_REP_ERR_UNSUP);
    CU_ASSERT_EQUAL(option(fd, NBD_OPT_STRUCTURED_REPLY, NULL, 0), NBD_REP_ACK);
    raw_close(fd);
}

static void they_may_be_required(void)
{
    g_autoptr(RefServer) server =
        chunk_serve((RefConfig){.require_extended = true}, (RefExport){.size = MIB});
    int fd = raw_dial(server);
    RawReply reply;

    CU_ASSERT(raw_greet(fd, RAW_FLAGS));
    CU_ASSERT(raw_say_info(fd, NBD_OPT_GO, "", (int[]){-1}));
    while (raw_hear_reply(fd, &reply) && reply.type == NBD_REP_INFO)
        continue;
    CU_ASSERT_EQUAL(reply.type, NBD_REP_ERR_EXT_HEADER_REQD);
    CU_ASSERT_EQUAL(option(fd, NBD_OPT_STRUCTURED_REPLY, NULL, 0), NBD_REP_ACK);
    CU_ASSERT_EQUAL(option(fd, NBD_OPT_SET_META_CONTEXT, "\0\0\0\0\0\0\0", 8), NBD_REP_ACK);
    CU_ASSERT(raw_say_option(fd, NBD_OPT_EXPORT_NAME, NULL, 0));
    CU_ASSERT(raw_ends(fd));
    raw_close(fd);
    fd = chunk_open_extended(server, "");
    CU_ASSERT_EQUAL(put(fd, 0, "data"), NBD_SUCCESS);
    raw_close(fd);
}

/* ---- Resizing --------------------------------------------------------------------------------- */

static void a_new_size_holds_at_once(void)
{
    g_autoptr(RefServer) server = SERVE(.size = MIB, .resize = true);
    int fd = raw_open(server, "");
    uint8_t data[512], zeroes[512] = {0};

    memset(data, 1, sizeof data);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE, 0, MIB - 512, 512, data), NBD_SUCCESS);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_RESIZE, 0, 1024, 0, NULL), NBD_SUCCESS);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, 1024, 512, data), NBD_ENOSPC);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, MIB, 512, data), NBD_EINVAL);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, 512, 512, data), NBD_SUCCESS);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_RESIZE, 0, 2 * MIB, 0, NULL), NBD_SUCCESS);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, MIB - 512, 512, data), NBD_SUCCESS);
    CU_ASSERT(memcmp(data, zeroes, 512) == 0);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE, 0, 2 * MIB - 512, 512, data), NBD_SUCCESS);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_RESIZE, 0, UINT64_MAX, 0, NULL), NBD_ENOSPC);
    raw_close(fd);
    fd = raw_open(server, "");
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, 2 * MIB - 512, 512, data), NBD_SUCCESS);
    raw_close(fd);
}

static void resizing_is_not_for_everybody(void)
{
    g_autoptr(RefServer) fixed = SERVE(.size = MIB);
    g_autoptr(RefServer) reading = SERVE(.size = MIB, .resize = true, .read_only = true);
    g_autoptr(RefServer) blocks = SERVE(.size = MIB, .resize = true, .minimum = 512);
    int fd = raw_open(fixed, "");

    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_RESIZE, 0, 512, 0, NULL), NBD_EINVAL);
    raw_close(fd);
    fd = raw_open(reading, "");
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_RESIZE, 0, 512, 0, NULL), NBD_EPERM);
    raw_close(fd);
    fd = raw_open(blocks, "");
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_RESIZE, 0, 100, 0, NULL), NBD_EPERM);
    raw_close(fd);
}

void reference_extended_tests(void)
{
    CU_TestInfo tests[] = {
        {"every reply is extended", every_reply_is_extended},
        {"effects have 64 bits", effects_have_64_bits},
        {"the flag tells whether there is a payload", the_flag_tells_whether_there_is_a_payload},
        {"status has 64 bits", status_has_64_bits},
        {"a payload chooses contexts", a_payload_chooses_contexts},
        {"extended headers go before structured replies",
         extended_headers_go_before_structured_replies},
        {"they may be required", they_may_be_required},
        {"a new size holds at once", a_new_size_holds_at_once},
        {"resizing is not for everybody", resizing_is_not_for_everybody},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"extensions of the reference server", NULL, NULL, NULL, NULL, tests},
                             CU_SUITE_INFO_NULL};

    CU_register_suites(suites);
}
