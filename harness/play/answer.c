/* Replies in chunks, put together. Chunks of several replies may mix, and those of one come in any order:
 * content is kept by the cookie, at the place where it belongs.
 */
#include "play/answer.h"

#include <string.h>

/* Where a chunk's data stand behind its offset. */
#define CHUNK_DATA_AT 8u

/* So much is kept of what one request reads: as much as the session keeps of a simple reply's payload. */
#define MOST_CONTENT ((uint64_t)64 << 20)

struct Gatherer {
    GHashTable *contents; /* by cookie: GByteArray, of replies that have begun and not ended */
};

bool answer_is_part(const SessionMessage *message)
{
    return message->kind == WIRE_SIMPLE_REPLY || session_message_is_chunk(message);
}

bool answer_is_whole(const SessionMessage *message)
{
    return answer_is_part(message) && message->ends;
}

uint64_t answer_cookie(const SessionMessage *message)
{
    return message->kind == WIRE_SIMPLE_REPLY ? message->value[SIMPLE_REPLY_COOKIE]
                                              : message->chunk.cookie;
}

/* An error chunk that says 0 breaks a rule; a success it is not. */
uint64_t answer_error(const SessionMessage *message)
{
    if (message->kind == WIRE_SIMPLE_REPLY)
        return message->value[SIMPLE_REPLY_ERROR];
    if (message->reply.error == NBD_SUCCESS &&
        (message->reply.error_chunks > 0 || message->chunk.is_error))
        return UINT32_MAX;
    return message->reply.error;
}

const GByteArray *answer_content(const SessionMessage *message)
{
    return message->content != NULL ? message->content : message->data;
}

Gatherer *gatherer_new(void)
{
    Gatherer *gatherer = g_new0(Gatherer, 1);

    gatherer->contents = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                               (GDestroyNotify)g_byte_array_unref);
    return gatherer;
}

void gatherer_free(Gatherer *gatherer)
{
    if (gatherer == NULL)
        return;
    g_hash_table_unref(gatherer->contents);
    g_free(gatherer);
}

/* The content of the reply that MESSAGE is a part of. What nobody tells stays zero: that it is missing, the
 * session's rules see. */
static GByteArray *content_of(Gatherer *gatherer, const SessionMessage *message)
{
    uint64_t cookie = message->chunk.cookie;
    GByteArray *content = g_hash_table_lookup(gatherer->contents, &cookie);

    if (content != NULL)
        return content;
    gsize size = (gsize)MIN(message->request.length, MOST_CONTENT);
    content = g_byte_array_new_take(size == 0 ? NULL : g_malloc0(size), size);
    g_hash_table_insert(gatherer->contents, g_memdup2(&cookie, sizeof cookie), content);
    return content;
}

/* Copies what lies within the request. A hole tells of zeroes, whatever another chunk, wrongly, told before. */
static void place(GByteArray *content, const SessionMessage *message)
{
    const SessionChunk *chunk = &message->chunk;

    if (chunk->offset < message->request.offset ||
        chunk->offset - message->request.offset >= content->len)
        return;
    uint64_t at = chunk->offset - message->request.offset;
    uint64_t size = MIN(chunk->size, content->len - at);
    if (chunk->type == NBD_REPLY_TYPE_OFFSET_HOLE) {
        memset(content->data + at, 0, size);
        return;
    }
    size = MIN(size, message->data->len - MIN(message->data->len, CHUNK_DATA_AT));
    if (size > 0)
        memcpy(content->data + at, message->data->data + CHUNK_DATA_AT, size);
}

void gatherer_take(Gatherer *gatherer, SessionMessage *message)
{
    if (!session_message_is_chunk(message) || !message->answers ||
        message->request.command != NBD_CMD_READ)
        return;
    GByteArray *content = content_of(gatherer, message);
    if (message->chunk.has_content)
        place(content, message);
    if (!message->ends)
        return;
    if (answer_error(message) == NBD_SUCCESS)
        message->content = g_byte_array_ref(content);
    g_hash_table_remove(gatherer->contents, &message->chunk.cookie);
}
