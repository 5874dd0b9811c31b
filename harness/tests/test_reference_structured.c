/* Structured replies of the reference server: reads in chunks, holes, errors that say why. */
#include <CUnit/CUnit.h>
#include <glib.h>
#include <string.h>

#include "chunk_client.h"

void reference_structured_tests(void);

#define KIB 1024u
#define MIB (1024u * KIB)

#define SERVE(...) chunk_serve((RefConfig){0}, (RefExport){__VA_ARGS__})

static void write_at(int fd, uint64_t offset, uint32_t length, uint8_t byte)
{
    g_autofree uint8_t *data = g_malloc(length);

    memset(data, byte, length);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE, 0, offset, length, data), NBD_SUCCESS);
}

static void check_chunk(int fd, uint16_t type, bool done, uint32_t length)
{
    Chunk chunk;

    CU_ASSERT_FATAL(chunk_hear(fd, &chunk));
    CU_ASSERT_EQUAL(chunk.type, type);
    CU_ASSERT_EQUAL(chunk.flags, done ? NBD_REPLY_FLAG_DONE : 0);
    CU_ASSERT_EQUAL(chunk.length, length);
    CU_ASSERT_EQUAL(chunk.cookie, 7);
    chunk_clear(&chunk);
}

static void check_error(int fd, uint32_t error)
{
    Chunk chunk;

    CU_ASSERT_FATAL(chunk_hear(fd, &chunk));
    CU_ASSERT_EQUAL(chunk.type, NBD_REPLY_TYPE_ERROR);
    CU_ASSERT_EQUAL(chunk.flags, NBD_REPLY_FLAG_DONE);
    CU_ASSERT_FATAL(chunk.length >= 6);
    CU_ASSERT_EQUAL(wire_get(chunk.data, 4), error);
    CU_ASSERT_EQUAL(wire_get(chunk.data + 4, 2), chunk.length - 6);
    CU_ASSERT(chunk.length > 6);
    chunk_clear(&chunk);
}

static void nobody_gets_them_unasked(void)
{
    g_autoptr(RefServer) server = SERVE(.size = MIB);
    int fd = raw_open(server, "");
    uint8_t data[512];

    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, 0, 512, data), NBD_SUCCESS);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_READ, NBD_CMD_FLAG_DF, 0, 512, data), NBD_EINVAL);
    raw_close(fd);
}

static void data_and_holes_come_in_order_and_the_last_is_marked(void)
{
    g_autoptr(RefServer) server = SERVE(.size = 64 * MIB);
    int fd = chunk_open(server, "");

    write_at(fd, 128 * KIB, 64 * KIB, 1);
    CU_ASSERT(raw_request(fd, NBD_CMD_READ, 0, 7, 0, 256 * KIB));
    check_chunk(fd, NBD_REPLY_TYPE_OFFSET_HOLE, false, 12);
    check_chunk(fd, NBD_REPLY_TYPE_OFFSET_DATA, false, 8 + 64 * KIB);
    check_chunk(fd, NBD_REPLY_TYPE_OFFSET_HOLE, true, 12);
    CU_ASSERT(raw_request(fd, NBD_CMD_READ, 0, 7, 128 * KIB, 4 * KIB));
    check_chunk(fd, NBD_REPLY_TYPE_OFFSET_DATA, true, 8 + 4 * KIB);
    CU_ASSERT(raw_request(fd, NBD_CMD_READ, 0, 7, 0, 0));
    check_chunk(fd, NBD_REPLY_TYPE_NONE, true, 0);
    raw_close(fd);
}

/* Longer than the output holds at once: the header has promised data that could still fail. */
static void a_long_chunk_is_followed_by_none(void)
{
    g_autoptr(RefServer) server = SERVE(.size = 64 * MIB);
    int fd = chunk_open(server, "");

    write_at(fd, 0, 8 * MIB, 1);
    CU_ASSERT(raw_request(fd, NBD_CMD_READ, 0, 7, 0, 8 * MIB));
    check_chunk(fd, NBD_REPLY_TYPE_OFFSET_DATA, false, 8 + 8 * MIB);
    check_chunk(fd, NBD_REPLY_TYPE_NONE, true, 0);
    raw_close(fd);
}

static void what_is_read_is_what_was_written(void)
{
    g_autoptr(RefServer) server = SERVE(.size = 4 * MIB);
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    g_autofree uint8_t *model = g_malloc0(4 * MIB);
    g_autofree uint8_t *seen = g_malloc(4 * MIB);
    int fd = chunk_open(server, "");

    for (unsigned i = 0; i < 300; i++) {
        uint32_t offset = (uint32_t)g_rand_int_range(rand, 0, 4 * MIB);
        uint32_t length =
            (uint32_t)g_rand_int_range(rand, 0, (gint32)MIN(4 * MIB - offset, MIB) + 1);
        uint16_t flags = i % 2 == 0 ? NBD_CMD_FLAG_DF : 0;
        if (i % 4 == 0) {
            memset(model + offset, 0, length);
            CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_TRIM, 0, offset, length, NULL), NBD_SUCCESS);
        } else if (length > 0) {
            memset(model + offset, (int)i, length / 8 + 1);
            write_at(fd, offset, length / 8 + 1, (uint8_t)i);
        }
        memset(seen, 0xee, 4 * MIB);
        offset = (uint32_t)g_rand_int_range(rand, 0, 2 * MIB);
        CU_ASSERT_EQUAL(chunk_read(fd, flags, offset, 2 * MIB, seen), NBD_SUCCESS);
        CU_ASSERT(memcmp(seen, model + offset, 2 * MIB) == 0);
    }
    raw_close(fd);
}

static void without_fragments_there_is_one_chunk_of_data(void)
{
    g_autoptr(RefServer) server = SERVE(.size = 64 * MIB, .unfragmented = 1);
    int fd = chunk_open(server, "");

    write_at(fd, 64 * KIB, 1, 1);
    CU_ASSERT(raw_request(fd, NBD_CMD_READ, NBD_CMD_FLAG_DF, 7, 32 * KIB, 64 * KIB));
    check_chunk(fd, NBD_REPLY_TYPE_OFFSET_DATA, true, 8 + 64 * KIB);
    CU_ASSERT(raw_request(fd, NBD_CMD_READ, NBD_CMD_FLAG_DF, 7, 32 * KIB, 64 * KIB + 1));
    check_error(fd, NBD_EOVERFLOW);
    CU_ASSERT(raw_request(fd, NBD_CMD_READ, 0, 7, 0, 64 * KIB + 1));
    check_chunk(fd, NBD_REPLY_TYPE_OFFSET_HOLE, false, 12);
    check_chunk(fd, NBD_REPLY_TYPE_OFFSET_DATA, true, 9);
    raw_close(fd);
}

static void no_chunk_exceeds_the_maximum(void)
{
    g_autoptr(RefServer) server = SERVE(.size = 64 * MIB, .maximum = MIB, .lenient = true);
    int fd = chunk_open(server, "");

    write_at(fd, 0, 3 * MIB, 1);
    CU_ASSERT(raw_request(fd, NBD_CMD_READ, 0, 7, 0, 2 * MIB + 1));
    check_chunk(fd, NBD_REPLY_TYPE_OFFSET_DATA, false, 8 + MIB);
    check_chunk(fd, NBD_REPLY_TYPE_OFFSET_DATA, false, 8 + MIB);
    check_chunk(fd, NBD_REPLY_TYPE_OFFSET_DATA, true, 9);
    CU_ASSERT(raw_request(fd, NBD_CMD_READ, NBD_CMD_FLAG_DF, 7, 0, 2 * MIB));
    check_error(fd, NBD_EOVERFLOW);
    raw_close(fd);
}

static void errors_come_as_chunks_with_a_text(void)
{
    g_autoptr(RefServer) server = SERVE(.size = MIB, .read_only = true);
    int fd = chunk_open(server, "");
    uint8_t data[512] = {0};

    CU_ASSERT(raw_request(fd, NBD_CMD_READ, 0, 7, MIB, 1));
    check_error(fd, NBD_EINVAL);
    CU_ASSERT(raw_request(fd, NBD_CMD_READ, 1 << 9, 7, 0, 1));
    check_error(fd, NBD_EINVAL);
    CU_ASSERT(raw_request(fd, NBD_CMD_WRITE, 0, 7, 0, 512));
    CU_ASSERT(raw_say(fd, data, sizeof data));
    check_error(fd, NBD_EPERM);
    CU_ASSERT(raw_request(fd, 4711, 0, 7, 0, 0));
    check_error(fd, NBD_EINVAL);
    CU_ASSERT(raw_request(fd, NBD_CMD_BLOCK_STATUS, 0, 7, 0, 512));
    check_error(fd, NBD_EINVAL);
    raw_close(fd);
}

static void success_without_data_takes_the_form_that_is_configured(void)
{
    g_autoptr(RefServer) often = SERVE(.size = MIB);
    g_autoptr(RefServer) always =
        chunk_serve((RefConfig){.structured_always = true}, (RefExport){.size = MIB});
    int fd = chunk_open(often, "");

    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_FLUSH, 0, 0, 0, NULL), NBD_SUCCESS);
    raw_close(fd);
    fd = chunk_open(always, "");
    CU_ASSERT(raw_request(fd, NBD_CMD_FLUSH, 0, 7, 0, 0));
    check_chunk(fd, NBD_REPLY_TYPE_NONE, true, 0);
    raw_close(fd);
}

static void the_option_takes_no_data_and_may_be_refused(void)
{
    g_autoptr(RefServer) server = SERVE(.size = MIB);
    g_autoptr(RefServer) simple =
        chunk_serve((RefConfig){.most_replies = REF_SIMPLE}, (RefExport){.size = MIB});
    g_autofree uint8_t *data = g_malloc0(200000);
    int fd = raw_dial(server);

    CU_ASSERT(raw_greet(fd, RAW_FLAGS));
    CU_ASSERT(raw_say_option(fd, NBD_OPT_STRUCTURED_REPLY, "data", 4));
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ERR_INVALID);
    CU_ASSERT(raw_say_option(fd, NBD_OPT_STRUCTURED_REPLY, data, 200000));
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ERR_INVALID);
    CU_ASSERT(raw_say_option(fd, NBD_OPT_STRUCTURED_REPLY, NULL, 0));
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ACK);
    CU_ASSERT(raw_say_option(fd, NBD_OPT_STRUCTURED_REPLY, NULL, 0));
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ACK);
    raw_close(fd);
    fd = raw_dial(simple);
    CU_ASSERT(raw_greet(fd, RAW_FLAGS));
    CU_ASSERT(raw_say_option(fd, NBD_OPT_STRUCTURED_REPLY, NULL, 0));
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ERR_UNSUP);
    raw_close(fd);
}

void reference_structured_tests(void)
{
    CU_TestInfo tests[] = {
        {"nobody gets them unasked", nobody_gets_them_unasked},
        {"data and holes come in order and the last is marked",
         data_and_holes_come_in_order_and_the_last_is_marked},
        {"a long chunk is followed by NONE", a_long_chunk_is_followed_by_none},
        {"what is read is what was written", what_is_read_is_what_was_written},
        {"without fragments there is one chunk of data",
         without_fragments_there_is_one_chunk_of_data},
        {"no chunk exceeds the maximum", no_chunk_exceeds_the_maximum},
        {"errors come as chunks with a text", errors_come_as_chunks_with_a_text},
        {"success without data takes the form that is configured",
         success_without_data_takes_the_form_that_is_configured},
        {"the option takes no data, and may be refused",
         the_option_takes_no_data_and_may_be_refused},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"structured replies of the reference server", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL};

    CU_register_suites(suites);
}
