/* The client of raw bytes, where replies come in chunks. */
#include <CUnit/CUnit.h>
#include <glib.h>
#include <string.h>

#include "chunk_client.h"

RefServer *chunk_serve(RefConfig config, RefExport export)
{
    config.exports = &export;
    config.export_count = 1;
    g_autoptr(RefServer) server = ref_server_new(&config, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(server);
    CU_ASSERT_FATAL(ref_server_start(server, NULL));
    return g_steal_pointer(&server);
}

static int open_with(const RefServer *server, const char *name, uint32_t option)
{
    int fd = raw_dial(server);
    RawReply reply;

    if (!raw_greet(fd, RAW_FLAGS) || !raw_say_option(fd, option, NULL, 0) ||
        raw_reply_type(fd) != NBD_REP_ACK || !raw_say_info(fd, NBD_OPT_GO, name, (int[]){-1}))
        return -1;
    do {
        if (!raw_hear_reply(fd, &reply))
            return -1;
    } while (reply.type == NBD_REP_INFO);
    return reply.type == NBD_REP_ACK ? fd : -1;
}

int chunk_open(const RefServer *server, const char *name)
{
    return open_with(server, name, NBD_OPT_STRUCTURED_REPLY);
}

int chunk_open_extended(const RefServer *server, const char *name)
{
    return open_with(server, name, NBD_OPT_EXTENDED_HEADERS);
}

static bool hear_header(int fd, Chunk *chunk)
{
    uint8_t header[32];

    *chunk = (Chunk){0};
    if (!raw_hear(fd, header, 20))
        return false;
    chunk->flags = (uint16_t)wire_get(header + 4, 2);
    chunk->type = (uint16_t)wire_get(header + 6, 2);
    chunk->cookie = wire_get(header + 8, 8);
    switch (wire_get(header, 4)) {
    case NBD_STRUCTURED_REPLY_MAGIC:
        chunk->length = wire_get(header + 16, 4);
        return true;
    case NBD_EXTENDED_REPLY_MAGIC:
        if (!raw_hear(fd, header + 20, 12))
            return false;
        chunk->offset = wire_get(header + 16, 8);
        chunk->length = wire_get(header + 24, 8);
        return true;
    default:
        return false;
    }
}

bool chunk_hear(int fd, Chunk *chunk)
{
    if (!hear_header(fd, chunk) || chunk->length > (64u << 20))
        return false;
    chunk->data = g_malloc(chunk->length + 1);
    return chunk->length == 0 || raw_hear(fd, chunk->data, chunk->length);
}

void chunk_clear(Chunk *chunk)
{
    g_clear_pointer(&chunk->data, g_free);
}

/* What a content chunk covers goes to where it belongs; false if it has no place there. */
static bool put_content(const Chunk *chunk, uint64_t offset, uint32_t length, uint8_t *data,
                        uint32_t *covered)
{
    bool hole = chunk->type == NBD_REPLY_TYPE_OFFSET_HOLE;

    if (chunk->length < 8)
        return false;
    uint64_t at = wire_get(chunk->data, 8) - offset;
    uint64_t size = hole ? wire_get(chunk->data + 8, 4) : chunk->length - 8;
    if (size == 0 || at > length || size > length - at)
        return false;
    if (hole)
        memset(data + at, 0, size);
    else
        memcpy(data + at, chunk->data + 8, size);
    *covered += (uint32_t)size;
    return true;
}

uint32_t chunk_read(int fd, uint16_t flags, uint64_t offset, uint32_t length, uint8_t *data)
{
    uint32_t covered = 0;
    bool done = false;

    if (!raw_request(fd, NBD_CMD_READ, flags, 1, offset, length))
        return UINT32_MAX;
    while (!done) {
        Chunk chunk;
        bool fine = chunk_hear(fd, &chunk);
        bool content = fine && (chunk.type == NBD_REPLY_TYPE_OFFSET_DATA ||
                                chunk.type == NBD_REPLY_TYPE_OFFSET_HOLE);
        if (content)
            fine = put_content(&chunk, offset, length, data, &covered);
        else if (fine && chunk.type != NBD_REPLY_TYPE_NONE)
            fine = false;
        done = chunk.flags & NBD_REPLY_FLAG_DONE;
        chunk_clear(&chunk);
        if (!fine)
            return UINT32_MAX;
    }
    return covered == length ? NBD_SUCCESS : UINT32_MAX;
}
