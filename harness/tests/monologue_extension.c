/* Monologues about extended headers and resizing. */
#include "monologue.h"
#include "raw_client.h"

static GByteArray *open_extended(const char *name)
{
    GByteArray *bytes = monologue_begin(RAW_FLAGS);

    put_option(bytes, NBD_OPT_EXTENDED_HEADERS, NULL, 0);
    INFO(bytes, NBD_OPT_GO, name, "\0\1\0\3");
    return bytes;
}

/* Contexts before their time, structured replies behind it, and two contexts at once. */
static GByteArray *in_odd_order(void)
{
    static const char two[] =
        "\0\0\0\4disk\0\0\0\2\0\0\0\17base:allocation\0\0\0\21x-nbdconform:data";
    GByteArray *bytes = monologue_begin(RAW_FLAGS);

    put_queries(bytes, NBD_OPT_LIST_META_CONTEXT, "base:allocation", 1);
    put_option(bytes, NBD_OPT_EXTENDED_HEADERS, NULL, 0);
    put_option(bytes, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
    put_option(bytes, NBD_OPT_SET_META_CONTEXT, two, sizeof two - 1);
    INFO(bytes, NBD_OPT_GO, "disk", "\0\0");
    put_extended(bytes, NBD_CMD_WRITE, NBD_CMD_FLAG_PAYLOAD_LEN, 65536, 4);
    put_bytes(bytes, "data", 4);
    put_extended(bytes, NBD_CMD_BLOCK_STATUS, 0, 0, MIB);
    return bytes;
}

static GByteArray *extended_haggling(void)
{
    GByteArray *bytes = monologue_begin(RAW_FLAGS);

    put_option(bytes, NBD_OPT_EXTENDED_HEADERS, "data", 4);
    put_option(bytes, NBD_OPT_EXTENDED_HEADERS, NULL, 0);
    put_option(bytes, NBD_OPT_LIST, NULL, 0);
    put_queries(bytes, NBD_OPT_SET_META_CONTEXT, "base:allocation", 1);
    INFO(bytes, NBD_OPT_GO, "disk", "\0\0");
    put_extended(bytes, NBD_CMD_READ, 0, 512, 512);
    put_extended(bytes, NBD_CMD_BLOCK_STATUS, 0, 0, MIB);
    put_extended(bytes, NBD_CMD_BLOCK_STATUS, NBD_CMD_FLAG_PAYLOAD_LEN, 0, 12);
    put_bytes(bytes, "\0\0\0\0\0\1\0\0\0\0\0\1", 12);
    put_extended(bytes, NBD_CMD_BLOCK_STATUS, NBD_CMD_FLAG_PAYLOAD_LEN, 0, 12);
    put_bytes(bytes, "\0\0\0\0\0\1\0\0\0\0\0\x7f", 12);
    return bytes;
}

static GByteArray *extended_commands(void)
{
    GByteArray *bytes = open_extended("large");

    put_extended(bytes, NBD_CMD_WRITE, NBD_CMD_FLAG_PAYLOAD_LEN, 4 * GIB, 4);
    put_bytes(bytes, "data", 4);
    put_extended(bytes, NBD_CMD_WRITE_ZEROES, 0, 0, 4 * GIB + 512);
    put_extended(bytes, NBD_CMD_READ, 0, 4 * GIB, 4);
    put_extended(bytes, NBD_CMD_FLUSH, NBD_CMD_FLAG_PAYLOAD_LEN, 0, 4);
    put_bytes(bytes, "data", 4);
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

GByteArray *long_payload(void)
{
    GByteArray *bytes = open_extended("disk");

    put_extended(bytes, NBD_CMD_WRITE, NBD_CMD_FLAG_PAYLOAD_LEN, 0, NBD_DEFAULT_MAX_PAYLOAD + 512);
    return bytes;
}

static GByteArray *resizing(void)
{
    static const uint64_t sizes[] = {2 * DISK_SIZE, MIB, DISK_SIZE, UINT64_MAX - 511};
    GByteArray *bytes = open_export("elastic");

    put_request(bytes, NBD_CMD_WRITE, 0, 0, 512);
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        put_request(bytes, NBD_CMD_RESIZE, 0, sizes[i], 0);
        put_request(bytes, NBD_CMD_READ, 0, 0, 512);
        put_request(bytes, NBD_CMD_READ, 0, DISK_SIZE - 512, 512);
        put_request(bytes, NBD_CMD_READ, 0, DISK_SIZE, 512);
    }
    return bytes;
}

Monologue *const extension_monologues[] = {
    extended_haggling, in_odd_order, extended_commands, compact_requests, resizing, NULL,
};
