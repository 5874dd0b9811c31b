/* Metadata contexts and block status of the reference server. */
#include <CUnit/CUnit.h>
#include <glib.h>
#include <string.h>

#include "chunk_client.h"

void reference_metadata_tests(void);

#define KIB 1024u
#define MIB (1024u * KIB)

/* ---- Asking ---------------------------------------------------------------------------------- */

static void put(GByteArray *bytes, const void *data, size_t length)
{
    g_byte_array_append(bytes, data, (guint)length);
}

static void put_number(GByteArray *bytes, uint64_t number)
{
    uint8_t data[4];

    wire_put(data, 4, number);
    put(bytes, data, 4);
}

/* QUERIES are separated by blanks. */
static void say_contexts(int fd, uint32_t option, const char *name, const char *queries)
{
    g_auto(GStrv) all = g_strsplit(queries, " ", -1);
    g_autoptr(GByteArray) data = g_byte_array_new();
    unsigned count = *queries != '\0' ? g_strv_length(all) : 0;

    put_number(data, strlen(name));
    put(data, name, strlen(name));
    put_number(data, count);
    for (unsigned i = 0; i < count; i++) {
        put_number(data, strlen(all[i]));
        put(data, all[i], strlen(all[i]));
    }
    CU_ASSERT(raw_say_option(fd, option, data->data, data->len));
}

/* What is answered: names and ids of contexts, and the type of the final reply. */
static char *hear_contexts(int fd)
{
    GString *heard = g_string_new(NULL);
    RawReply reply;

    while (raw_hear_reply(fd, &reply) && reply.type == NBD_REP_META_CONTEXT)
        g_string_append_printf(heard, "%.*s=%u ", (int)reply.length - 4, (char *)reply.data + 4,
                               (unsigned)wire_get(reply.data, 4));
    g_autofree char *type = wire_format(&wire_reply_types, reply.type);
    g_string_append(heard, type);
    return g_string_free(heard, FALSE);
}

static void check_contexts(int fd, uint32_t option, const char *name, const char *queries,
                           const char *expected)
{
    say_contexts(fd, option, name, queries);
    g_autofree char *heard = hear_contexts(fd);
    CU_ASSERT_STRING_EQUAL(heard, expected);
}

static int begin(const RefServer *server, bool structured)
{
    int fd = raw_dial(server);

    CU_ASSERT_FATAL(raw_greet(fd, RAW_FLAGS));
    if (structured) {
        CU_ASSERT(raw_say_option(fd, NBD_OPT_STRUCTURED_REPLY, NULL, 0));
        CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ACK);
    }
    return fd;
}

static void go(int fd, const char *name)
{
    RawReply reply = {.type = NBD_REP_INFO};

    CU_ASSERT(raw_say_info(fd, NBD_OPT_GO, name, (int[]){-1}));
    while (reply.type == NBD_REP_INFO && raw_hear_reply(fd, &reply))
        continue;
    CU_ASSERT_EQUAL(reply.type, NBD_REP_ACK);
}

/* "context: length/status, …; …", or "error N". */
static char *status(int fd, uint16_t flags, uint64_t offset, uint32_t length)
{
    GString *told = g_string_new(NULL);
    bool done = false;

    CU_ASSERT(raw_request(fd, NBD_CMD_BLOCK_STATUS, flags, 5, offset, length));
    while (!done) {
        Chunk chunk;
        CU_ASSERT_FATAL(chunk_hear(fd, &chunk));
        done = chunk.flags & NBD_REPLY_FLAG_DONE;
        if (chunk.type == NBD_REPLY_TYPE_BLOCK_STATUS)
            g_string_append_printf(told, "%u:", (unsigned)wire_get(chunk.data, 4));
        else
            g_string_append_printf(told, "error %u", (unsigned)wire_get(chunk.data, 4));
        for (uint64_t at = 4; chunk.type == NBD_REPLY_TYPE_BLOCK_STATUS && at < chunk.length;
             at += 8)
            g_string_append_printf(told, " %u/%u", (unsigned)wire_get(chunk.data + at, 4),
                                   (unsigned)wire_get(chunk.data + at + 4, 4));
        if (!done)
            g_string_append(told, "; ");
        chunk_clear(&chunk);
    }
    return g_string_free(told, FALSE);
}

static void check_status(int fd, uint16_t flags, uint64_t offset, uint32_t length,
                         const char *expected)
{
    g_autofree char *told = status(fd, flags, offset, length);

    CU_ASSERT_STRING_EQUAL(told, expected);
}

static void write_at(int fd, uint64_t offset, uint32_t length)
{
    g_autofree uint8_t *data = g_malloc0(length);

    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE, 0, offset, length, data), NBD_SUCCESS);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void contexts_are_listed_by_name_and_by_wildcard(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);
    int fd = begin(server, true);
    const uint32_t list = NBD_OPT_LIST_META_CONTEXT;

    check_contexts(fd, list, "", "", "base:allocation=0 x-nbdconform:data=0 ACK");
    check_contexts(fd, list, "", "base:", "base:allocation=0 ACK");
    check_contexts(fd, list, "", "x-nbdconform:", "x-nbdconform:data=0 ACK");
    check_contexts(fd, list, "", "base:allocation base:allocation", "base:allocation=0 ACK");
    check_contexts(fd, list, "", "base:alloc x-other:thing base:allocations", "ACK");
    check_contexts(fd, list, "", "nocolon", "ERR_INVALID");
    check_contexts(fd, list, "", ":leaf", "ERR_INVALID");
    check_contexts(fd, list, "none", "base:", "ERR_UNKNOWN");
    raw_close(fd);
}

static void contexts_are_set_by_name_only(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);
    int fd = begin(server, true);
    const uint32_t set = NBD_OPT_SET_META_CONTEXT;

    check_contexts(fd, set, "", "", "ACK");
    check_contexts(fd, set, "", "base:", "ACK");
    check_contexts(fd, set, "", "x-nbdconform:data x-other:a base:allocation",
                   "base:allocation=1 x-nbdconform:data=2 ACK");
    check_contexts(fd, set, "", "x-nbdconform:wide", "ACK");
    check_contexts(fd, set, "", "nocolon", "ERR_INVALID");
    raw_close(fd);
}

static void lengths_that_lie_are_invalid(void)
{
    static const struct {
        const char *data;
        uint32_t length;
    } lies[] = {
        {"", 0},
        {"\0\0\0\0\0\0\0", 7},
        {"\0\0\0\1\0\0\0\0", 8},
        {"\xff\xff\xff\xff\0\0\0\0", 8},
        {"\0\0\0\0\0\0\0\1", 8},
        {"\0\0\0\0\xff\xff\xff\xff", 8},
        {"\0\0\0\0\0\0\0\1\0\0\0\6base:", 17},
        {"\0\0\0\0\0\0\0\1\xff\xff\xff\xff"
         "base:",
         17},
        {"\0\0\0\0\0\0\0\1\0\0\0\4base:", 17},
        {"\0\0\0\0\0\0\0\1\0\0\0\4ba:\0", 16},
        {"\0\0\0\0\0\0\0\1\0\0\0\4ba:\xc3", 16},
    };
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);
    int fd = begin(server, true);

    for (unsigned i = 0; i < 2 * G_N_ELEMENTS(lies); i++) {
        uint32_t option = i % 2 == 0 ? NBD_OPT_LIST_META_CONTEXT : NBD_OPT_SET_META_CONTEXT;
        CU_ASSERT(raw_say_option(fd, option, lies[i / 2].data, lies[i / 2].length));
        CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ERR_INVALID);
    }
    raw_close(fd);
}

static void without_structured_replies_there_are_none(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);
    int fd = begin(server, false);

    check_contexts(fd, NBD_OPT_LIST_META_CONTEXT, "", "base:", "ERR_INVALID");
    check_contexts(fd, NBD_OPT_SET_META_CONTEXT, "", "base:allocation", "ERR_INVALID");
    raw_close(fd);
}

static void extents_are_told_for_each_context(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, 64 * MIB);
    int fd = begin(server, true);

    check_contexts(fd, NBD_OPT_SET_META_CONTEXT, "", "base:allocation x-nbdconform:data",
                   "base:allocation=1 x-nbdconform:data=2 ACK");
    go(fd, "");
    write_at(fd, 128 * KIB, 64 * KIB);
    check_status(fd, 0, 0, 64 * MIB,
                 "1: 131072/3 65536/0 66912256/3; 2: 131072/0 65536/1 66912256/0");
    check_status(fd, NBD_CMD_FLAG_REQ_ONE, 0, 64 * MIB, "1: 131072/3; 2: 131072/0");
    check_status(fd, NBD_CMD_FLAG_REQ_ONE, 64 * KIB, KIB, "1: 1024/3; 2: 1024/0");
    check_status(fd, 0, 192 * KIB - 1, 2, "1: 1/0 1/3; 2: 1/1 1/0");
    check_status(fd, 0, 64 * MIB, 1, "error 22");
    check_status(fd, 0, 0, 0, "error 22");
    check_status(fd, 1 << 8, 0, 1, "error 22");
    raw_close(fd);
}

static void a_long_reply_is_cut(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, 256 * MIB);
    int fd = begin(server, true);

    check_contexts(fd, NBD_OPT_SET_META_CONTEXT, "", "base:allocation", "base:allocation=1 ACK");
    go(fd, "");
    for (uint64_t at = 0; at < 256 * MIB; at += 128 * KIB)
        write_at(fd, at, 1);
    g_autofree char *told = status(fd, 0, 0, 256 * MIB);
    g_auto(GStrv) words = g_strsplit(told, " ", -1);
    CU_ASSERT_EQUAL(g_strv_length(words), 1 + 1024);
    raw_close(fd);
}

static void contexts_are_forgotten(void)
{
    const RefExport exports[] = {{.name = "", .size = MIB}, {.name = "other", .size = MIB}};
    const RefConfig config = {.exports = exports, .export_count = 2};
    g_autoptr(RefServer) server = ref_server_new(&config, NULL);
    const uint32_t set = NBD_OPT_SET_META_CONTEXT;
    static const char *const again[] = {"", "nocolon", "x-other:"};

    CU_ASSERT_FATAL(ref_server_start(server, NULL));
    for (unsigned i = 0; i < G_N_ELEMENTS(again); i++) {
        int fd = begin(server, true);
        check_contexts(fd, set, "", "base:allocation", "base:allocation=1 ACK");
        say_contexts(fd, set, "", again[i]);
        g_free(hear_contexts(fd));
        go(fd, "");
        check_status(fd, 0, 0, 512, "error 22");
        raw_close(fd);
    }
    int fd = begin(server, true);
    check_contexts(fd, set, "other", "base:allocation", "base:allocation=1 ACK");
    go(fd, "");
    check_status(fd, 0, 0, 512, "error 22");
    raw_close(fd);
}

void reference_metadata_tests(void)
{
    CU_TestInfo tests[] = {
        {"contexts are listed by name and by wildcard",
         contexts_are_listed_by_name_and_by_wildcard},
        {"contexts are set by name only", contexts_are_set_by_name_only},
        {"lengths that lie are invalid", lengths_that_lie_are_invalid},
        {"without structured replies there are none", without_structured_replies_there_are_none},
        {"extents are told for each context", extents_are_told_for_each_context},
        {"a long reply is cut", a_long_reply_is_cut},
        {"contexts are forgotten", contexts_are_forgotten},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"metadata contexts of the reference server", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL};

    CU_register_suites(suites);
}
