/* Monologues about metadata contexts and structured replies. */
#include "monologue.h"
#include "raw_client.h"

static GByteArray *contexts(void)
{
    static const char *const queries[] = {"base:", "base:allocation", "base:alloc",
                                          "nbd-server:", "x-nbdconform-none:any"};
    GByteArray *bytes = monologue_begin(RAW_FLAGS);

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
    put_queries(bytes, NBD_OPT_SET_META_CONTEXT, "x-nbdconform:wide", 1);
    put_option(bytes, NBD_OPT_SET_META_CONTEXT, "\0\0\0\4disk\0\0\0\1\0\0\0\77base:allocation", 31);
    put_option(bytes, NBD_OPT_ABORT, NULL, 0);
    return bytes;
}

static GByteArray *open_chunks(void)
{
    GByteArray *bytes = monologue_begin(RAW_FLAGS);

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
    put_request(bytes, NBD_CMD_READ, 0, DISK_SIZE, 65536);
    put_request(bytes, NBD_CMD_READ, DF, DISK_SIZE, 65536);
    put_request(bytes, NBD_CMD_WRITE, 0, DISK_SIZE, 512);
    put_request(bytes, NBD_CMD_BLOCK_STATUS, 0, 0, MIB);
    put_request(bytes, NBD_CMD_BLOCK_STATUS, ONE, 0, 65536);
    put_request(bytes, NBD_CMD_BLOCK_STATUS, ONE, 65536, 65536);
    put_request(bytes, NBD_CMD_WRITE_ZEROES, NBD_CMD_FLAG_NO_HOLE, MIB, 65536);
    put_request(bytes, NBD_CMD_BLOCK_STATUS, 0, MIB, 65536);
    put_request(bytes, NBD_CMD_BLOCK_STATUS, 0, DISK_SIZE, 65536);
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
    GByteArray *bytes = monologue_begin(RAW_FLAGS);

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

/* What was agreed stays so, whatever else is asked before the entry. */
static GByteArray *kept(void)
{
    GByteArray *bytes = monologue_begin(RAW_FLAGS);

    put_option(bytes, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
    put_queries(bytes, NBD_OPT_SET_META_CONTEXT, "base:allocation", 1);
    INFO(bytes, NBD_OPT_INFO, "disk", "\0\0");
    put_option(bytes, 1000, NULL, 0);
    INFO(bytes, NBD_OPT_GO, "unknown", "\0\0");
    INFO(bytes, NBD_OPT_GO, "unknown", "\0\0");
    put_option(bytes, NBD_OPT_EXPORT_NAME, "disk", 4);
    put_request(bytes, NBD_CMD_BLOCK_STATUS, 0, 0, 65536);
    put_request(bytes, NBD_CMD_READ, 0, 0, 512);
    put_request(bytes, NBD_CMD_DISC, 0, 0, 0);
    return bytes;
}

Monologue *const chunk_monologues[] = {
    contexts, chunks, zero_length_status, replaced_by_nothing, replaced_by_failure, kept, NULL,
};
