/* What a chunk of a reply says: the layouts behind the header, which a chunk's type decides. A layout that
 * does not fit the announced length is not read: rules tell what is wrong with that. */
#include "session/private.h"

#define ERROR_HEAD 6u /* error, length of the text */
#define TEXT_AT ERROR_HEAD

static bool is_error_type(uint16_t type)
{
    return (type & 1 << 15) != 0;
}

/* The head of a status chunk, and each of its extents. */
static size_t status_head(uint16_t type)
{
    return type == NBD_REPLY_TYPE_BLOCK_STATUS_EXT ? 8 : 4;
}

static size_t extent_size(uint16_t type)
{
    return type == NBD_REPLY_TYPE_BLOCK_STATUS_EXT ? 16 : 8;
}

size_t session_chunk_head(uint16_t type)
{
    switch (type) {
    case NBD_REPLY_TYPE_OFFSET_DATA:
        return 8;
    case NBD_REPLY_TYPE_OFFSET_HOLE:
        return 12;
    case NBD_REPLY_TYPE_BLOCK_STATUS:
    case NBD_REPLY_TYPE_BLOCK_STATUS_EXT:
        return status_head(type);
    default:
        return is_error_type(type) ? ERROR_HEAD : 0;
    }
}

uint64_t session_chunk_keep(uint16_t type)
{
    switch (type) {
    case NBD_REPLY_TYPE_OFFSET_DATA:
        return SESSION_KEEP_PAYLOAD;
    case NBD_REPLY_TYPE_BLOCK_STATUS:
    case NBD_REPLY_TYPE_BLOCK_STATUS_EXT:
        return SESSION_KEEP_STATUS;
    default:
        return SESSION_KEEP_ERROR;
    }
}

static void read_content(SessionChunk *chunk, const uint8_t *payload)
{
    chunk->offset = wire_get(payload, 8);
    if (chunk->type == NBD_REPLY_TYPE_OFFSET_DATA)
        chunk->size = chunk->length - 8;
    else
        chunk->size = wire_get(payload + 8, 4);
    chunk->has_content = chunk->size > 0;
}

static void read_error(SessionChunk *chunk, const uint8_t *payload)
{
    chunk->has_error = true;
    chunk->error = (uint32_t)wire_get(payload, 4);
    chunk->text_length = (uint32_t)wire_get(payload + 4, 2);
}

void session_chunk_begin(SessionMessage *message, const uint8_t *payload, size_t size)
{
    bool extended = message->kind == WIRE_EXTENDED_REPLY;
    SessionChunk *chunk = &message->chunk;

    chunk->flags = (uint16_t)message->value[CHUNK_FLAGS];
    chunk->type = (uint16_t)message->value[CHUNK_TYPE];
    chunk->cookie = message->value[CHUNK_COOKIE];
    chunk->length = message->value[extended ? (int)EXTENDED_REPLY_LENGTH : (int)CHUNK_LENGTH];
    chunk->done = (chunk->flags & NBD_REPLY_FLAG_DONE) != 0;
    chunk->is_error = is_error_type(chunk->type);
    size_t head = session_chunk_head(chunk->type);
    if (head == 0 || chunk->length < head || size < head)
        return;
    if (chunk->is_error)
        read_error(chunk, payload);
    else if (chunk->type == NBD_REPLY_TYPE_OFFSET_DATA || chunk->type == NBD_REPLY_TYPE_OFFSET_HOLE)
        read_content(chunk, payload);
    else {
        chunk->has_context = true;
        chunk->context = (uint32_t)wire_get(payload, 4);
    }
}

void session_chunk_finish(SessionMessage *message)
{
    SessionChunk *chunk = &message->chunk;
    const GByteArray *data = message->data;

    if (data->len != message->data_length)
        return;
    if (chunk->has_context)
        chunk->extents = (data->len - status_head(chunk->type)) / extent_size(chunk->type);
    size_t failure = TEXT_AT + (size_t)chunk->text_length; /* where it stands */
    if (chunk->type == NBD_REPLY_TYPE_ERROR_OFFSET && chunk->has_error &&
        data->len >= failure + 8) {
        chunk->has_failure = true;
        chunk->failure = wire_get(data->data + failure, 8);
    }
}

bool session_message_is_chunk(const SessionMessage *message)
{
    return message->kind == WIRE_CHUNK || message->kind == WIRE_EXTENDED_REPLY;
}

bool session_message_is_request(const SessionMessage *message)
{
    return message->kind == WIRE_REQUEST || message->kind == WIRE_EXTENDED_REQUEST;
}

bool session_message_ends_reply(const SessionMessage *message)
{
    return message->answers && message->ends;
}

SessionExtent session_message_extent(const SessionMessage *message, size_t index)
{
    g_assert(index < message->chunk.extents);
    size_t width = extent_size(message->chunk.type) / 2;
    const uint8_t *at = message->data->data + status_head(message->chunk.type) + index * 2 * width;

    return (SessionExtent){.length = wire_get(at, width), .status = wire_get(at + width, width)};
}
