/* The quirks of the reference server: each shows in some conversation, none does any other harm.
 *
 * A fixed set of conversations is held with a server that has no quirk and with one for each quirk.
 * Every quirk has to change what is heard in at least one of them. */
#include <CUnit/CUnit.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "raw_client.h"

void reference_quirk_tests(void);

#define MIB (1024u * 1024)
#define SIZE (64u * MIB)

/* ---- Composing ------------------------------------------------------------------------------- */

static void put(GByteArray *bytes, const void *data, size_t length)
{
    g_byte_array_append(bytes, data, (guint)length);
}

static GByteArray *begin(uint32_t client_flags)
{
    GByteArray *bytes = g_byte_array_new();
    uint8_t flags[4];

    wire_put(flags, 4, client_flags);
    put(bytes, flags, sizeof flags);
    return bytes;
}

static void put_option(GByteArray *bytes, uint32_t option, const void *data, size_t length)
{
    uint64_t values[WIRE_MAX_FIELDS] = {NBD_IHAVEOPT, option, length};
    uint8_t header[16];

    wire_encode(WIRE_OPTION, values, header);
    put(bytes, header, sizeof header);
    put(bytes, data, length);
}

/* INFO or GO with the name and, as bytes, count and list of information requests. */
static void put_info(GByteArray *bytes, uint32_t option, const char *name, const char *requests,
                     size_t length)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    uint8_t number[4];

    wire_put(number, 4, strlen(name));
    put(data, number, 4);
    put(data, name, strlen(name));
    put(data, requests, length);
    put_option(bytes, option, data->data, data->len);
}

#define INFO(bytes, option, name, requests)                                                        \
    put_info(bytes, option, name, requests, sizeof(requests) - 1)

static void put_request(GByteArray *bytes, uint16_t type, uint16_t flags, uint64_t offset,
                        uint32_t length)
{
    uint64_t cookie = UINT64_C(0x1234567800000000) + bytes->len;
    uint64_t values[WIRE_MAX_FIELDS] = {NBD_REQUEST_MAGIC, flags, type, cookie, offset, length};
    uint8_t header[28];

    wire_encode(WIRE_REQUEST, values, header);
    put(bytes, header, sizeof header);
    for (uint32_t i = 0; type == NBD_CMD_WRITE && i < length; i++)
        put(bytes, (const uint8_t[]){(uint8_t)(i + offset)}, 1);
}

/* ---- Conversations --------------------------------------------------------------------------- */

/* Sends BYTES and an end, and notes all that comes back. */
static void hold(const RefServer *server, const GByteArray *bytes, GByteArray *heard)
{
    int fd = raw_dial(server);
    uint8_t byte[4096];
    ssize_t n = 0;

    if (fd >= 0 && raw_say(fd, bytes->data, bytes->len)) {
        shutdown(fd, SHUT_WR);
        while ((n = recv(fd, byte, sizeof byte, 0)) > 0)
            put(heard, byte, (size_t)n);
    }
    put(heard, fd < 0 ? "refused" : n == 0 ? "end" : "reset", 3);
    raw_close(fd);
}

static GByteArray *haggling(void)
{
    GByteArray *bytes = begin(RAW_FLAGS);

    put_option(bytes, NBD_OPT_LIST, NULL, 0);
    put_option(bytes, NBD_OPT_LIST, "data", 4);
    put_option(bytes, 4711, "odd", 3);
    put_option(bytes, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
    put_option(bytes, NBD_OPT_STRUCTURED_REPLY, "data", 4);
    INFO(bytes, NBD_OPT_INFO, "", "\0\0");
    INFO(bytes, NBD_OPT_INFO, "disk", "\0\4\0\3\0\1\0\2\0\0");
    INFO(bytes, NBD_OPT_INFO, "disk", "\0\1\0\143");
    INFO(bytes, NBD_OPT_INFO, "unknown", "\0\0");
    put_option(bytes, NBD_OPT_INFO, "\0\0\1\0\0\0", 6);
    put_option(bytes, NBD_OPT_INFO, "\0\0\0\0\377\0", 6);
    put_option(bytes, NBD_OPT_INFO, "\377\377\377\377\0\0", 6);
    put_option(bytes, NBD_OPT_ABORT, "data", 4);
    return bytes;
}

static GByteArray *starttls_in_vain(void)
{
    GByteArray *bytes = begin(RAW_FLAGS);

    put_option(bytes, NBD_OPT_STARTTLS, NULL, 0);
    put_option(bytes, NBD_OPT_LIST, NULL, 0);
    put_option(bytes, NBD_OPT_ABORT, NULL, 0);
    return bytes;
}

static GByteArray *abort_only(void)
{
    GByteArray *bytes = begin(RAW_FLAGS);

    put_option(bytes, NBD_OPT_ABORT, NULL, 0);
    return bytes;
}

static GByteArray *many_options(void)
{
    GByteArray *bytes = begin(RAW_FLAGS);

    for (unsigned i = 0; i < 150; i++)
        put_option(bytes, 4711 + i, NULL, 0);
    return bytes;
}

static GByteArray *long_name(uint32_t option, size_t length)
{
    GByteArray *bytes = begin(RAW_FLAGS);
    g_autofree char *name = g_strnfill(length, 'n');

    if (option == NBD_OPT_EXPORT_NAME)
        put_option(bytes, option, name, length);
    else
        INFO(bytes, option, name, "\0\0");
    return bytes;
}

static GByteArray *info_of_257(void)
{
    return long_name(NBD_OPT_INFO, 257);
}

static GByteArray *info_of_4096(void)
{
    return long_name(NBD_OPT_INFO, 4096);
}

static GByteArray *info_of_4097(void)
{
    return long_name(NBD_OPT_INFO, 4097);
}

static GByteArray *export_name_of_1025(void)
{
    return long_name(NBD_OPT_EXPORT_NAME, 1025);
}

static GByteArray *export_name(uint32_t client_flags)
{
    GByteArray *bytes = begin(client_flags);

    put_option(bytes, NBD_OPT_EXPORT_NAME, NULL, 0);
    put_request(bytes, NBD_CMD_READ, 0, 0, 512);
    return bytes;
}

static GByteArray *export_name_padded(void)
{
    return export_name(NBD_FLAG_C_FIXED_NEWSTYLE);
}

static GByteArray *export_name_unpadded(void)
{
    return export_name(RAW_FLAGS);
}

static GByteArray *unknown_client_flag(void)
{
    return export_name(RAW_FLAGS | 1 << 9);
}

static GByteArray *bad_option_magic(void)
{
    GByteArray *bytes = begin(RAW_FLAGS);

    put(bytes, "IHAVEOPS\0\0\0\3\0\0\0\0", 16);
    return bytes;
}

static GByteArray *huge_option(void)
{
    GByteArray *bytes = begin(RAW_FLAGS);

    put(bytes, "IHAVEOPT\0\0\0\3\377\377\377\377", 16);
    return bytes;
}

static GByteArray *early_end(void)
{
    GByteArray *bytes = begin(RAW_FLAGS);

    put(bytes, "IHAVE", 5);
    return bytes;
}

static GByteArray *other_than_informed(void)
{
    GByteArray *bytes = begin(RAW_FLAGS);

    INFO(bytes, NBD_OPT_INFO, "disk", "\0\0");
    INFO(bytes, NBD_OPT_GO, "no such disk", "\0\0");
    put_option(bytes, NBD_OPT_ABORT, NULL, 0);
    return bytes;
}

static GByteArray *open_export(const char *name)
{
    GByteArray *bytes = begin(RAW_FLAGS);

    INFO(bytes, NBD_OPT_INFO, name, "\0\1\0\3");
    INFO(bytes, NBD_OPT_GO, name, "\0\1\0\3");
    return bytes;
}

static GByteArray *all_commands(void)
{
    enum { FUA = NBD_CMD_FLAG_FUA, NO_HOLE = NBD_CMD_FLAG_NO_HOLE, FAST = NBD_CMD_FLAG_FAST_ZERO };
    GByteArray *bytes = open_export("disk");

    put_request(bytes, NBD_CMD_WRITE, 0, 66000, 8192);
    put_request(bytes, NBD_CMD_READ, FUA, 65536, 16384);
    put_request(bytes, NBD_CMD_READ, 0, 66001, 1);
    put_request(bytes, NBD_CMD_CACHE, 0, 65536, 8192);
    put_request(bytes, NBD_CMD_READ, 0, 65536, 16384);
    put_request(bytes, NBD_CMD_TRIM, FUA, 67000, 10);
    put_request(bytes, NBD_CMD_READ, 0, 65536, 16384);
    put_request(bytes, NBD_CMD_WRITE_ZEROES, 0, 68000, 10);
    put_request(bytes, NBD_CMD_WRITE_ZEROES, NO_HOLE, 69000, 10);
    put_request(bytes, NBD_CMD_WRITE_ZEROES, FAST, 70000, 10);
    put_request(bytes, NBD_CMD_READ, 0, 65536, 16384);
    put_request(bytes, NBD_CMD_FLUSH, 0, 0, 0);
    put_request(bytes, NBD_CMD_READ, 0, SIZE - 512, 512);
    put_request(bytes, NBD_CMD_READ, 0, 0, 2 * MIB);
    put_request(bytes, NBD_CMD_WRITE_ZEROES, 0, 0, 40 * MIB);
    put_request(bytes, NBD_CMD_DISC, 0, 0, 0);
    return bytes;
}

static GByteArray *mistakes(void)
{
    GByteArray *bytes = open_export("disk");

    put_request(bytes, NBD_CMD_READ, 0, SIZE - 512, 1024);
    put_request(bytes, NBD_CMD_WRITE, 0, SIZE - 512, 1024);
    put_request(bytes, NBD_CMD_TRIM, 0, SIZE - 512, 1024);
    put_request(bytes, NBD_CMD_CACHE, 0, SIZE - 512, 1024);
    put_request(bytes, NBD_CMD_WRITE_ZEROES, 0, SIZE - 512, 1024);
    put_request(bytes, NBD_CMD_READ, NBD_CMD_FLAG_NO_HOLE, 0, 512);
    put_request(bytes, NBD_CMD_READ, 0x8000, 0, 512);
    put_request(bytes, NBD_CMD_CACHE, 0x8000, 0, 512);
    put_request(bytes, 99, 0, 0, 28);
    put_request(bytes, NBD_CMD_FLUSH, 0, 0, 0);
    put_request(bytes, NBD_CMD_READ, 0, 0, 0);
    put_request(bytes, NBD_CMD_WRITE, 0, 0, 0);
    put_request(bytes, NBD_CMD_TRIM, 0, 0, 0);
    put_request(bytes, NBD_CMD_WRITE_ZEROES, 0, 0, 0);
    put_request(bytes, NBD_CMD_READ, 0, UINT64_MAX - 511, 1024);
    return bytes; /* and leaves without DISC */
}

static GByteArray *zero_length(uint16_t type)
{
    GByteArray *bytes = open_export("disk");

    put_request(bytes, type, 0, 0, 0);
    put_request(bytes, NBD_CMD_DISC, 0, 0, 0);
    return bytes;
}

static GByteArray *zero_length_trim(void)
{
    return zero_length(NBD_CMD_TRIM);
}

static GByteArray *zero_length_write_zeroes(void)
{
    return zero_length(NBD_CMD_WRITE_ZEROES);
}

static GByteArray *write_and_disc(void)
{
    GByteArray *bytes = open_export("disk");

    put_request(bytes, NBD_CMD_WRITE, 0, 0, 512);
    put_request(bytes, NBD_CMD_DISC, 0, 0, 0);
    return bytes;
}

static GByteArray *bad_request_magic(void)
{
    GByteArray *bytes = open_export("disk");

    put(bytes, "this is certainly no request", 28);
    return bytes;
}

/* LIST_ or SET_META_CONTEXT for "disk" with COUNT times QUERY. */
static void put_queries(GByteArray *bytes, uint32_t option, const char *query, uint32_t count)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    uint8_t number[4];

    put(data, "\0\0\0\4disk", 8);
    wire_put(number, 4, count);
    put(data, number, 4);
    for (uint32_t i = 0; i < count; i++) {
        wire_put(number, 4, strlen(query));
        put(data, number, 4);
        put(data, query, strlen(query));
    }
    put_option(bytes, option, data->data, data->len);
}

static GByteArray *contexts(void)
{
    static const char *const queries[] = {"base:", "base:allocation", "base:alloc",
                                          "nbd-server:", "x-nbdconform-none:any"};
    GByteArray *bytes = begin(RAW_FLAGS);

    put_queries(bytes, NBD_OPT_SET_META_CONTEXT, "base:allocation", 1);
    put_option(bytes, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
    for (uint32_t option = NBD_OPT_LIST_META_CONTEXT; option <= NBD_OPT_SET_META_CONTEXT;
         option++) {
        put_queries(bytes, option, "", 0);
        put_option(bytes, option, "odd", 3);
        for (uint32_t i = 0; i < 2 * G_N_ELEMENTS(queries); i++)
            put_queries(bytes, option, queries[i / 2], 1 + i % 2);
    }
    put_queries(bytes, NBD_OPT_LIST_META_CONTEXT, "base:nbdconform", 1);
    put_queries(bytes, NBD_OPT_LIST_META_CONTEXT, "base:", 101);
    put_queries(bytes, NBD_OPT_SET_META_CONTEXT, "base:", 101);
    put_queries(bytes, NBD_OPT_LIST_META_CONTEXT, "base:", 1000);
    put_queries(bytes, NBD_OPT_LIST_META_CONTEXT, "", 1);
    put_option(bytes, NBD_OPT_SET_META_CONTEXT, "\0\0\0\4disk\0\0\0\1\0\0\0\77base:allocation", 31);
    put_option(bytes, NBD_OPT_ABORT, NULL, 0);
    return bytes;
}

static GByteArray *open_chunks(void)
{
    GByteArray *bytes = begin(RAW_FLAGS);

    put_option(bytes, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
    put_queries(bytes, NBD_OPT_SET_META_CONTEXT, "base:allocation", 1);
    INFO(bytes, NBD_OPT_GO, "disk", "\0\1\0\3");
    return bytes;
}

static GByteArray *chunks(void)
{
    enum { ONE = NBD_CMD_FLAG_REQ_ONE, DF = NBD_CMD_FLAG_DF };
    GByteArray *bytes = open_chunks();

    put_request(bytes, NBD_CMD_WRITE, 0, 8 * MIB, 65536);
    put_request(bytes, NBD_CMD_WRITE, 0, 8 * MIB, 512);
    put_request(bytes, NBD_CMD_READ, 0, 8 * MIB, 65536);
    put_request(bytes, NBD_CMD_READ, DF, 8 * MIB, 65536);
    put_request(bytes, NBD_CMD_READ, DF, 8 * MIB - 32768, 65536);
    put_request(bytes, NBD_CMD_READ, DF, 8 * MIB, 65536 + 512);
    put_request(bytes, NBD_CMD_READ, 0, 4 * MIB, 65536);
    put_request(bytes, NBD_CMD_READ, 0, 4 * MIB, 2 * MIB);
    put_request(bytes, NBD_CMD_READ, 0, 0, 0);
    put_request(bytes, NBD_CMD_READ, 0, SIZE, 65536);
    put_request(bytes, NBD_CMD_READ, DF, SIZE, 65536);
    put_request(bytes, NBD_CMD_WRITE, 0, SIZE, 512);
    put_request(bytes, NBD_CMD_BLOCK_STATUS, 0, 0, MIB);
    put_request(bytes, NBD_CMD_BLOCK_STATUS, ONE, 0, 65536);
    put_request(bytes, NBD_CMD_BLOCK_STATUS, ONE, 65536, 65536);
    put_request(bytes, NBD_CMD_WRITE_ZEROES, NBD_CMD_FLAG_NO_HOLE, MIB, 65536);
    put_request(bytes, NBD_CMD_BLOCK_STATUS, 0, MIB, 65536);
    put_request(bytes, NBD_CMD_BLOCK_STATUS, 0, SIZE, 65536);
    put_request(bytes, NBD_CMD_BLOCK_STATUS, 0, UINT64_MAX - 511, 65536);
    put_request(bytes, NBD_CMD_DISC, 0, 0, 0);
    return bytes;
}

static GByteArray *zero_length_status(void)
{
    GByteArray *bytes = open_chunks();

    put_request(bytes, NBD_CMD_BLOCK_STATUS, 0, 0, 0);
    put_request(bytes, NBD_CMD_DISC, 0, 0, 0);
    return bytes;
}

/* The contexts that one SET_META_CONTEXT has selected are gone with the next. */
static GByteArray *replaced(const char *data, size_t length)
{
    GByteArray *bytes = begin(RAW_FLAGS);

    put_option(bytes, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
    put_queries(bytes, NBD_OPT_SET_META_CONTEXT, "base:allocation", 1);
    put_option(bytes, NBD_OPT_SET_META_CONTEXT, data, length);
    INFO(bytes, NBD_OPT_GO, "disk", "\0\0");
    put_request(bytes, NBD_CMD_BLOCK_STATUS, 0, 0, 65536);
    put_request(bytes, NBD_CMD_DISC, 0, 0, 0);
    return bytes;
}

static GByteArray *replaced_by_nothing(void)
{
    return replaced("\0\0\0\4disk\0\0\0", 12);
}

static GByteArray *replaced_by_failure(void)
{
    return replaced("odd", 3);
}

/* ---- Extensions ---- */

#define GIB (UINT64_C(1) << 30)

static void put_extended(GByteArray *bytes, uint16_t type, uint16_t flags, uint64_t offset,
                         uint64_t length)
{
    const uint64_t values[WIRE_MAX_FIELDS] = {
        NBD_EXTENDED_REQUEST_MAGIC, flags, type, bytes->len, offset, length};
    uint8_t header[32];

    wire_encode(WIRE_EXTENDED_REQUEST, values, header);
    put(bytes, header, sizeof header);
}

static GByteArray *open_extended(const char *name)
{
    GByteArray *bytes = begin(RAW_FLAGS);

    put_option(bytes, NBD_OPT_EXTENDED_HEADERS, NULL, 0);
    INFO(bytes, NBD_OPT_GO, name, "\0\1\0\3");
    return bytes;
}

static GByteArray *extended_haggling(void)
{
    GByteArray *bytes = begin(RAW_FLAGS);

    put_option(bytes, NBD_OPT_EXTENDED_HEADERS, "data", 4);
    put_option(bytes, NBD_OPT_EXTENDED_HEADERS, NULL, 0);
    put_option(bytes, NBD_OPT_LIST, NULL, 0);
    put_queries(bytes, NBD_OPT_SET_META_CONTEXT, "base:allocation", 1);
    INFO(bytes, NBD_OPT_GO, "disk", "\0\0");
    put_extended(bytes, NBD_CMD_READ, 0, 512, 512);
    put_extended(bytes, NBD_CMD_BLOCK_STATUS, 0, 0, MIB);
    put_extended(bytes, NBD_CMD_BLOCK_STATUS, NBD_CMD_FLAG_PAYLOAD_LEN, 0, 12);
    put(bytes, "\0\0\0\0\0\1\0\0\0\0\0\1", 12);
    put_extended(bytes, NBD_CMD_BLOCK_STATUS, NBD_CMD_FLAG_PAYLOAD_LEN, 0, 12);
    put(bytes, "\0\0\0\0\0\1\0\0\0\0\0\x7f", 12);
    return bytes;
}

static GByteArray *extended_commands(void)
{
    GByteArray *bytes = open_extended("large");

    put_extended(bytes, NBD_CMD_WRITE, NBD_CMD_FLAG_PAYLOAD_LEN, 4 * GIB, 4);
    put(bytes, "data", 4);
    put_extended(bytes, NBD_CMD_WRITE_ZEROES, 0, 0, 4 * GIB + 512);
    put_extended(bytes, NBD_CMD_READ, 0, 4 * GIB, 4);
    put_extended(bytes, NBD_CMD_FLUSH, NBD_CMD_FLAG_PAYLOAD_LEN, 0, 4);
    put(bytes, "data", 4);
    put_extended(bytes, NBD_CMD_TRIM, 0, 0, UINT64_MAX - 511);
    put_extended(bytes, NBD_CMD_WRITE, 0, 0, 512);
    return bytes;
}

static GByteArray *compact_requests(void)
{
    GByteArray *bytes = open_extended("disk");

    put_request(bytes, NBD_CMD_READ, 0, 0, 512);
    put_request(bytes, NBD_CMD_READ, 0, 0, 512);
    return bytes;
}

static GByteArray *long_payload(void)
{
    GByteArray *bytes = open_extended("disk");

    put_extended(bytes, NBD_CMD_WRITE, NBD_CMD_FLAG_PAYLOAD_LEN, 0, NBD_DEFAULT_MAX_PAYLOAD + 512);
    return bytes;
}

static GByteArray *resizing(void)
{
    static const uint64_t sizes[] = {2 * SIZE, MIB, SIZE, UINT64_MAX - 511};
    GByteArray *bytes = open_export("elastic");

    put_request(bytes, NBD_CMD_WRITE, 0, 0, 512);
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        put_request(bytes, NBD_CMD_RESIZE, 0, sizes[i], 0);
        put_request(bytes, NBD_CMD_READ, 0, 0, 512);
        put_request(bytes, NBD_CMD_READ, 0, SIZE - 512, 512);
        put_request(bytes, NBD_CMD_READ, 0, SIZE, 512);
    }
    return bytes;
}

static GByteArray *go_after_list(void)
{
    GByteArray *bytes = begin(RAW_FLAGS);

    put_option(bytes, NBD_OPT_LIST, NULL, 0);
    INFO(bytes, NBD_OPT_GO, "disk", "\0\0");
    put_request(bytes, NBD_CMD_DISC, 0, 0, 0);
    return bytes;
}

/* Reads that wait behind each other, some with the same cookie, then one that is too large for some. */
static GByteArray *reads(void)
{
    GByteArray *bytes = open_export("disk");

    for (int i = 0; i < 8; i++) {
        guint header = bytes->len;
        put_request(bytes, NBD_CMD_READ, 0, 0, 65536);
        wire_put(bytes->data + header + 8, 8, i < 4 ? UINT64_MAX : 7);
    }
    put_request(bytes, NBD_CMD_READ, 0, 0, NBD_DEFAULT_MAX_PAYLOAD + 1);
    put_request(bytes, NBD_CMD_DISC, 0, 0, 0);
    return bytes;
}

static GByteArray *(*const conversations[])(void) = {
    go_after_list,
    reads,
    haggling,
    abort_only,
    starttls_in_vain,
    many_options,
    info_of_257,
    info_of_4096,
    info_of_4097,
    export_name_of_1025,
    export_name_padded,
    export_name_unpadded,
    unknown_client_flag,
    bad_option_magic,
    huge_option,
    early_end,
    other_than_informed,
    all_commands,
    mistakes,
    zero_length_trim,
    zero_length_write_zeroes,
    write_and_disc,
    bad_request_magic,
    contexts,
    chunks,
    zero_length_status,
    replaced_by_nothing,
    replaced_by_failure,
    extended_haggling,
    extended_commands,
    compact_requests,
    resizing,
};

#define CUT_HEADER 14 /* of 16 bytes */

/* A message and the beginning of another in one segment; the rest once the first is answered. */
static void speak_in_pieces(const RefServer *server, GByteArray *heard)
{
    g_autoptr(GByteArray) bytes = begin(RAW_FLAGS);
    RawReply reply;
    uint8_t byte;
    int fd = raw_dial(server);

    put_option(bytes, 4711, NULL, 0);
    guint cut = bytes->len + CUT_HEADER;
    put_option(bytes, NBD_OPT_ABORT, NULL, 0);
    if (fd >= 0 && raw_hear(fd, reply.data, 18) && raw_say(fd, bytes->data, cut) &&
        raw_hear_reply(fd, &reply) && raw_say(fd, bytes->data + cut, bytes->len - cut))
        while (raw_hear(fd, &byte, 1))
            put(heard, &byte, 1);
    raw_close(fd);
}

/* What one connection writes and flushes, or writes with FUA, another reads. */
static void share(const RefServer *server, GByteArray *heard)
{
    for (uint8_t flags = 0; flags < 2; flags++) { /* without and with FUA */
        uint8_t block[512];
        int writer = raw_open(server, "");
        int reader = raw_open(server, "");
        memset(block, 'a' + flags, sizeof block);
        if (writer >= 0 && reader >= 0) {
            raw_do(writer, NBD_CMD_WRITE, flags, 0, sizeof block, block);
            if (flags == 0)
                raw_do(writer, NBD_CMD_FLUSH, 0, 0, 0, NULL);
            raw_do(reader, NBD_CMD_READ, 0, 0, sizeof block, block);
            put(heard, block, sizeof block);
        }
        raw_close(writer);
        raw_close(reader);
    }
}

/* Whether the connection ends though the client does not. */
static void wait_for_end(const RefServer *server, GByteArray *(*conversation)(void),
                         GByteArray *heard)
{
    g_autoptr(GByteArray) bytes = conversation();
    int fd = raw_dial(server);
    uint8_t byte;

    if (fd >= 0 && raw_say(fd, bytes->data, bytes->len))
        while (raw_hear(fd, &byte, 1))
            put(heard, &byte, 1);
    bool ended = fd >= 0 && recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
    put(heard, ended ? "end" : "not", 3);
    raw_close(fd);
}

/* A digest of all that a server with QUIRK (or none) says in all conversations. */
static char *transcript(const RefQuirk *quirk, RefStyle style)
{
    const char *const quirks[] = {quirk != NULL ? quirk->name : NULL, NULL};
    const RefExport exports[] = {
        {.name = "disk", .description = "a disk", .size = SIZE},
        {.name = "ro", .size = SIZE, .read_only = true},
        {.name = "large", .size = 8 * GIB},
        {.name = "elastic", .size = SIZE, .resize = true},
    };
    const RefConfig config = {.exports = exports,
                              .export_count = G_N_ELEMENTS(exports),
                              .default_export = "disk",
                              .style = style,
                              .quirks = quirks};
    g_autoptr(RefServer) server = raw_serve(&config, 0);
    g_autoptr(GByteArray) heard = g_byte_array_new();

    raw_set_patience(quirk != NULL ? 300 : RAW_PATIENCE_MS);
    for (unsigned i = 0; i < G_N_ELEMENTS(conversations); i++) {
        g_autoptr(GByteArray) bytes = conversations[i]();
        hold(server, bytes, heard);
    }
    if (style == REF_FIXED_NEWSTYLE && !ref_server_died(server)) {
        share(server, heard);
        speak_in_pieces(server, heard);
        wait_for_end(server, write_and_disc, heard);
        wait_for_end(server, huge_option, heard);
        wait_for_end(server, long_payload, heard);
    }
    raw_set_patience(RAW_PATIENCE_MS);
    return g_compute_checksum_for_data(G_CHECKSUM_SHA256, heard->data, heard->len);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void without_quirks_each_run_says_the_same(void)
{
    for (RefStyle style = REF_FIXED_NEWSTYLE; style <= REF_OLDSTYLE; style++) {
        g_autofree char *first = transcript(NULL, style);
        g_autofree char *second = transcript(NULL, style);
        CU_ASSERT_STRING_EQUAL(first, second);
    }
}

/* What nobody here does: look at when bytes are sent, set no flag, leave at once, read what was trimmed. */
static const char *const unseen[] = {"nagle",
                                     "unfixed-client-refused",
                                     "unfixed-options-close",
                                     "crash-on-unheard-abort",
                                     "trim-does-nothing",
                                     NULL};

static void each_quirk_shows_in_some_conversation(void)
{
    g_autofree char *fixed = transcript(NULL, REF_FIXED_NEWSTYLE);
    g_autofree char *oldstyle = transcript(NULL, REF_OLDSTYLE);
    size_t count;
    const RefQuirk *quirks = ref_quirks(&count);

    for (size_t i = 0; i < count; i++) {
        if (quirks[i].needs == REF_NEEDS_TLS || quirks[i].needs == REF_NEEDS_PROCESS ||
            g_strv_contains(unseen, quirks[i].name))
            continue; /* nobody speaks TLS here, or sends signals */
        bool old = quirks[i].needs == REF_NEEDS_OLDSTYLE;
        g_autofree char *with = transcript(&quirks[i], old ? REF_OLDSTYLE : REF_FIXED_NEWSTYLE);
        if (g_str_equal(with, old ? oldstyle : fixed))
            fprintf(stderr, "quirk %s\n", quirks[i].name);
        CU_ASSERT_STRING_NOT_EQUAL(with, old ? oldstyle : fixed);
    }
}

static void quirks_have_names_of_their_own_and_say_what_they_do(void)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    size_t count;
    const RefQuirk *quirks = ref_quirks(&count);

    for (size_t i = 0; i < count; i++) {
        CU_ASSERT(g_hash_table_add(names, (gpointer)quirks[i].name));
        CU_ASSERT(strlen(quirks[i].requirement) > 0);
        CU_ASSERT(strlen(quirks[i].seen) > 0);
        CU_ASSERT(strlen(quirks[i].summary) > 10);
        CU_ASSERT_PTR_EQUAL(ref_quirk_find(quirks[i].name, NULL), &quirks[i]);
    }
}

static void an_unknown_quirk_is_an_error_that_names_those_near(void)
{
    const char *const names[] = {"go-closes", "abort-no-ack", NULL};
    const RefExport export = {.size = MIB};
    const RefConfig config = {.exports = &export, .export_count = 1, .quirks = names};
    g_autoptr(GError) error = NULL;

    CU_ASSERT_PTR_NULL(ref_server_new(&config, &error));
    CU_ASSERT_FATAL(g_error_matches(error, REF_ERROR, REF_ERROR_CONFIG));
    CU_ASSERT_PTR_NOT_NULL(strstr(error->message, "\"abort-no-ack\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(error->message, "abort-without-ack"));
    CU_ASSERT_PTR_NULL(strstr(error->message, "read-short"));
}

static void several_quirks_act_together(void)
{
    const char *const names[] = {"abort-without-ack", "list-without-end", "has-flags-clear", NULL};
    const RefConfig config = {.quirks = names};
    g_autoptr(RefServer) server = raw_serve(&config, MIB);
    RawReply reply;
    int fd = raw_dial(server);

    CU_ASSERT(raw_greet(fd, RAW_FLAGS));
    raw_say_option(fd, NBD_OPT_LIST, NULL, 0);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_SERVER);
    raw_say_info(fd, NBD_OPT_INFO, "", (const int[]){-1});
    CU_ASSERT_FATAL(raw_hear_reply(fd, &reply));
    CU_ASSERT_EQUAL(reply.type, NBD_REP_INFO);
    CU_ASSERT_EQUAL(wire_get(reply.data + 10, 2) & NBD_FLAG_HAS_FLAGS, 0);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ACK);
    raw_say_option(fd, NBD_OPT_ABORT, NULL, 0);
    CU_ASSERT(raw_ends(fd));
    raw_close(fd);
}

static void a_server_that_died_is_gone_for_everybody(void)
{
    const char *const names[] = {"crash-on-unknown-export", NULL};
    const RefConfig config = {.quirks = names, .loops = 2};
    g_autoptr(RefServer) server = raw_serve(&config, MIB);
    int bystander = raw_open(server, "");
    int culprit = raw_dial(server);

    CU_ASSERT(!ref_server_died(server));
    CU_ASSERT(raw_greet(culprit, RAW_FLAGS));
    raw_say_info(culprit, NBD_OPT_INFO, "unknown", (const int[]){-1});
    CU_ASSERT(raw_ends(culprit));
    CU_ASSERT(raw_ends(bystander));
    CU_ASSERT(ref_server_died(server));
    CU_ASSERT_EQUAL(raw_dial(server), -1);
    raw_close(bystander);
    raw_close(culprit);
}

void reference_quirk_tests(void)
{
    CU_TestInfo tests[] = {
        {"without quirks each run says the same", without_quirks_each_run_says_the_same},
        {"each quirk shows in some conversation", each_quirk_shows_in_some_conversation},
        {"quirks have names of their own and say what they do",
         quirks_have_names_of_their_own_and_say_what_they_do},
        {"an unknown quirk is an error that names those near",
         an_unknown_quirk_is_an_error_that_names_those_near},
        {"several quirks act together", several_quirks_act_together},
        {"a server that died is gone for everybody", a_server_that_died_is_gone_for_everybody},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"reference server's quirks", NULL, NULL, NULL, NULL, tests},
                             CU_SUITE_INFO_NULL};

    CU_register_suites(suites);
}
