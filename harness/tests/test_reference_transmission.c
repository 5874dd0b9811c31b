/* The reference server's transmission phase, spoken to in raw bytes. */
#include <CUnit/CUnit.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>

#include "raw_client.h"

void reference_transmission_tests(void);

#define MIB (1024u * 1024)

/* ---- Transmission ---------------------------------------------------------------------------- */

static void what_is_written_is_read_across_pages_of_the_disk(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, 8 * MIB);
    g_autofree uint8_t *model = g_malloc0(8 * MIB);
    g_autofree uint8_t *seen = g_malloc(8 * MIB);
    g_autoptr(GRand) rand = g_rand_new_with_seed(4711);
    int fd = raw_open(server, "");

    for (unsigned i = 0; i < 400; i++) {
        uint32_t offset = (uint32_t)g_rand_int_range(rand, 0, 8 * MIB);
        uint32_t most = 8 * MIB - offset;
        uint32_t length = (uint32_t)g_rand_int_range(rand, 0, (gint32)MIN(most, 400000) + 1);
        uint16_t flags = (uint16_t)(i % 2 * NBD_CMD_FLAG_NO_HOLE);
        switch (g_rand_int_range(rand, 0, 3)) {
        case 0:
            memset(model + offset, (int)(i % 255 + 1), length);
            CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE, 0, offset, length, model + offset), 0);
            break;
        case 1:
            memset(model + offset, 0, length);
            CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE_ZEROES, flags, offset, length, NULL), 0);
            break;
        default: /* this disk's TRIM reads as zeroes */
            memset(model + offset, 0, length);
            CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_TRIM, 0, offset, length, NULL), 0);
            break;
        }
        CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, offset, length, seen), 0);
        CU_ASSERT(memcmp(seen, model + offset, length) == 0);
    }
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, 0, 8 * MIB, seen), 0);
    CU_ASSERT(memcmp(seen, model, 8 * MIB) == 0);
    raw_close(fd);
}

static void the_largest_disk_works_at_both_ends(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, INT64_MAX);
    const uint64_t last = INT64_MAX - 5;
    char bytes[8] = "";
    int fd = raw_open(server, "");

    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE, 0, last, 5, (char[]){"hello"}), NBD_SUCCESS);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, last - 3, 8, bytes), NBD_SUCCESS);
    CU_ASSERT(memcmp(bytes, "\0\0\0hello", 8) == 0);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE, 0, last, 6, (char[]){"hello!"}), NBD_ENOSPC);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_TRIM, 0, last - UINT32_MAX, UINT32_MAX, NULL), 0);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE_ZEROES, 0, 0, UINT32_MAX, NULL), NBD_SUCCESS);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE_ZEROES, NBD_CMD_FLAG_FAST_ZERO, last - 4, 9, NULL), 0);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, last, 5, bytes), NBD_SUCCESS);
    CU_ASSERT(memcmp(bytes, "\0\0\0\0\0", 5) == 0);
    raw_close(fd);
}

typedef struct {
    const char *export;
    uint16_t type, flags;
    uint64_t offset;
    uint32_t length;
    uint32_t error;
} RequestCase;

static void each_mistake_gets_the_error_of_the_specification(void)
{
    enum {
        FUA = NBD_CMD_FLAG_FUA,
        NO_HOLE = NBD_CMD_FLAG_NO_HOLE,
        FAST = NBD_CMD_FLAG_FAST_ZERO,
        READ = NBD_CMD_READ,
        WRITE = NBD_CMD_WRITE,
        FLUSH = NBD_CMD_FLUSH,
        TRIM = NBD_CMD_TRIM,
        CACHE = NBD_CMD_CACHE,
        ZEROES = NBD_CMD_WRITE_ZEROES,
        OK = NBD_SUCCESS,
    };
    static const RequestCase cases[] = {
        {"", READ, 0, MIB, 1, NBD_EINVAL},
        {"", READ, 0, MIB - 1, 2, NBD_EINVAL},
        {"", READ, 0, MIB, 0, OK},
        {"", READ, 0, MIB + 1, 0, NBD_EINVAL},
        {"", READ, 0, UINT64_MAX, 2, NBD_EINVAL},
        {"", READ, 0, UINT64_MAX - 511, 512, NBD_EINVAL},
        {"", READ, 0, 0, UINT32_MAX, NBD_EINVAL},
        {"", WRITE, 0, MIB - 1, 2, NBD_ENOSPC},
        {"", WRITE, 0, UINT64_MAX, 2, NBD_ENOSPC},
        {"", WRITE, 0, 0, 2 * MIB, NBD_ENOSPC},
        {"", WRITE, 0, 0, 0, OK},
        {"", TRIM, 0, MIB - 1, 2, NBD_EINVAL},
        {"", TRIM, 0, 0, 0, OK},
        {"", CACHE, 0, MIB - 1, 2, NBD_EINVAL},
        {"", CACHE, 0, 0, MIB, OK},
        {"", ZEROES, 0, UINT64_MAX, UINT32_MAX, NBD_ENOSPC},
        {"", ZEROES, 0, 0, 0, OK},
        {"", FLUSH, 0, 0, 0, OK},
        {"", FLUSH, 0, 0, 1, NBD_EINVAL},
        {"", FLUSH, 0, 1, 0, NBD_EINVAL},
        {"", READ, FUA, 0, 1, OK},
        {"", WRITE, FUA, 0, 1, OK},
        {"", TRIM, FUA, 0, 1, OK},
        {"", FLUSH, FUA, 0, 0, OK},
        {"", CACHE, FUA, 0, 1, OK},
        {"", ZEROES, FUA | NO_HOLE | FAST, 0, 1, OK},
        {"", READ, NO_HOLE, 0, 1, NBD_EINVAL},
        {"", WRITE, FAST, 0, 1, NBD_EINVAL},
        {"", READ, NBD_CMD_FLAG_DF, 0, 1, NBD_EINVAL},
        {"", TRIM, 0x8000, 0, 1, NBD_EINVAL},
        {"", CACHE, NBD_CMD_FLAG_REQ_ONE, 0, 1, NBD_EINVAL},
        {"", NBD_CMD_BLOCK_STATUS, 0, 0, 1, NBD_EINVAL},
        {"", NBD_CMD_RESIZE, 0, 0, 0, NBD_EINVAL},
        {"", 9, 0, 0, 512, NBD_EINVAL},
        {"", 0xffff, 0xffff, UINT64_MAX, UINT32_MAX, NBD_EINVAL},
        {"ro", READ, 0, 0, 512, OK},
        {"ro", WRITE, 0, 0, 512, NBD_EPERM},
        {"ro", WRITE, FUA, 0, 0, NBD_EPERM},
        {"ro", TRIM, 0, 0, 512, NBD_EPERM},
        {"ro", ZEROES, 0, 0, 512, NBD_EPERM},
        {"ro", FLUSH, 0, 0, 0, OK},
        {"ro", CACHE, 0, 0, 512, OK},
        {"blocks", READ, 0, 512, 512, OK},
        {"blocks", READ, 0, 511, 512, NBD_EINVAL},
        {"blocks", READ, 0, 512, 511, NBD_EINVAL},
        {"blocks", WRITE, 0, 512, 1, NBD_EINVAL},
        {"blocks", WRITE, 0, 0, 131072, NBD_EINVAL},
        {"blocks", READ, 0, 0, 66048, NBD_EINVAL},
        {"blocks", TRIM, 0, 1, 512, NBD_EINVAL},
        {"blocks", ZEROES, 0, 0, 131072, OK},
        {"lenient", READ, 0, 511, 3, OK},
        {"plain", FLUSH, 0, 0, 0, NBD_EINVAL},
        {"plain", TRIM, 0, 0, 1, NBD_EINVAL},
        {"plain", CACHE, 0, 0, 1, NBD_EINVAL},
        {"plain", ZEROES, 0, 0, 1, NBD_EINVAL},
        {"plain", READ, FUA, 0, 1, NBD_EINVAL},
        {"plain", WRITE, FUA, 0, 1, NBD_EINVAL},
        {"plain", WRITE, 0, 0, 1, OK},
    };
    const RefExport exports[] = {
        {.size = MIB},
        {.name = "ro", .size = MIB, .read_only = true},
        {.name = "blocks", .size = MIB, .minimum = 512, .maximum = 65536},
        {.name = "lenient", .size = MIB, .minimum = 512, .lenient = true},
        {.name = "plain", .size = MIB, .withhold = 0xffff},
    };
    const RefConfig config = {.exports = exports, .export_count = G_N_ELEMENTS(exports)};
    g_autoptr(RefServer) server = raw_serve(&config, 0);
    g_autofree uint8_t *data = g_malloc0(2 * MIB);

    for (unsigned e = 0; e < G_N_ELEMENTS(exports); e++) {
        const char *name = exports[e].name != NULL ? exports[e].name : "";
        int fd = raw_open(server, name); /* all on one connection: none of them ends it */
        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
            const RequestCase *r = &cases[i];
            if (!g_str_equal(r->export, name))
                continue;
            uint32_t error = raw_do(fd, r->type, r->flags, r->offset, r->length, data);
            if (error != r->error)
                fprintf(stderr, "request case %u: error %u\n", i, error);
            CU_ASSERT_EQUAL(error, r->error);
        }
        raw_close(fd);
    }
}

static void payloads_of_32_mib_pass_and_attacks_do_not(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, UINT64_C(1) << 40);
    g_autofree uint8_t *data = g_malloc(32 * MIB);
    g_autofree uint8_t *seen = g_malloc(32 * MIB);
    int fd = raw_open(server, "");

    for (unsigned i = 0; i < 32 * MIB; i++)
        data[i] = (uint8_t)(i * 7 + i / 4099);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE, 0, 12345, 32 * MIB, data), NBD_SUCCESS);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, 12345, 32 * MIB, seen), NBD_SUCCESS);
    CU_ASSERT(memcmp(data, seen, 32 * MIB) == 0);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, 0, UINT32_MAX, NULL), NBD_EINVAL);
    raw_request(fd, NBD_CMD_WRITE, 0, 1, 0, UINT32_MAX);
    CU_ASSERT(raw_ends(fd));
    raw_close(fd);
    CU_ASSERT(raw_served(server));
}

static void disc_and_the_end_of_input_come_after_all_replies(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, 16 * MIB);
    g_autofree uint8_t *data = g_malloc(MIB);

    for (unsigned with_disc = 0; with_disc < 2; with_disc++) {
        int fd = raw_open(server, "");
        for (unsigned i = 0; i < 16; i++)
            raw_request(fd, NBD_CMD_READ, 0, i, 0, MIB);
        if (with_disc)
            raw_request(fd, NBD_CMD_DISC, 0, 99, 0, 0);
        else
            shutdown(fd, SHUT_WR);
        for (unsigned i = 0; i < 16; i++) {
            CU_ASSERT_EQUAL(raw_reply_error(fd, i), NBD_SUCCESS);
            CU_ASSERT(raw_hear(fd, data, MIB));
        }
        CU_ASSERT(raw_ends(fd));
        raw_close(fd);
    }
}

static void a_wrong_request_magic_ends_the_connection_behind_the_replies(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);
    g_autofree uint8_t *garbage = g_malloc0(4 * MIB);
    int fd = raw_open(server, "");

    raw_request(fd, NBD_CMD_FLUSH, 0, 17, 0, 0);
    raw_say(fd, garbage, 100000);
    CU_ASSERT_EQUAL(raw_reply_error(fd, 17), NBD_SUCCESS);
    CU_ASSERT(raw_ends(fd));
    raw_say(fd, garbage, 4 * MIB);
    raw_close(fd);
    CU_ASSERT(raw_served(server));
}

static void requests_in_one_segment_are_answered_in_order(void)
{
    enum { COUNT = 20000 };
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    int fd = raw_open(server, "");

    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t values[WIRE_MAX_FIELDS] = {NBD_REQUEST_MAGIC, 0, NBD_CMD_READ, i << 40, i, 0};
        uint8_t request[28];
        values[REQUEST_LENGTH] = i % 9;
        wire_encode(WIRE_REQUEST, values, request);
        g_byte_array_append(bytes, request, sizeof request);
    }
    raw_say(fd, bytes->data, bytes->len);
    for (uint64_t i = 0; i < COUNT; i++) {
        uint8_t data[9];
        CU_ASSERT_EQUAL_FATAL(raw_reply_error(fd, i << 40), NBD_SUCCESS);
        CU_ASSERT_FATAL(raw_hear(fd, data, i % 9));
    }
    raw_close(fd);
}

void reference_transmission_tests(void)
{
    CU_TestInfo tests[] = {
        {"what is written is read across pages of the disk",
         what_is_written_is_read_across_pages_of_the_disk},
        {"the largest disk works at both ends", the_largest_disk_works_at_both_ends},
        {"each mistake gets the error of the specification",
         each_mistake_gets_the_error_of_the_specification},
        {"payloads of 32 MiB pass and attacks do not", payloads_of_32_mib_pass_and_attacks_do_not},
        {"DISC and the end of input come after all replies",
         disc_and_the_end_of_input_come_after_all_replies},
        {"a wrong request magic ends the connection behind the replies",
         a_wrong_request_magic_ends_the_connection_behind_the_replies},
        {"requests in one segment are answered in order",
         requests_in_one_segment_are_answered_in_order},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"reference server: transmission", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    CU_register_suites(suites);
}
