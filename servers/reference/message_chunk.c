/* Chunks of structured and extended replies, and where quirks reach into them. */
#include <string.h>

#include "reference/message_private.h"

size_t message_chunk_header(const Connection *c)
{
    return wire_layout(c->agreed.replies == EXTENDED_HEADERS ? WIRE_EXTENDED_REPLY : WIRE_CHUNK)
        ->size;
}

/* VALUES are a chunk's; an extended header has OFFSET as well, which is the request's. */
static void put_header(Connection *c, uint64_t values[WIRE_MAX_FIELDS], uint64_t offset)
{
    if (c->agreed.replies != EXTENDED_HEADERS) {
        message_put(c, WIRE_CHUNK, values);
        return;
    }
    values[EXTENDED_REPLY_LENGTH] = values[CHUNK_LENGTH];
    values[EXTENDED_REPLY_OFFSET] = offset;
    message_put(c, WIRE_EXTENDED_REPLY, values);
}

/* ---- Quirks ---------------------------------------------------------------------------------- */

/* The fields of a chunk's payload that quirks may change: where they stand in its head, or -1. */
typedef struct {
    int offset, hole, error;
} Places;

static Places places_in(const Chunk *chunk)
{
    switch (chunk->type) {
    case NBD_REPLY_TYPE_OFFSET_DATA:
        return (Places){0, -1, -1};
    case NBD_REPLY_TYPE_OFFSET_HOLE:
        return (Places){0, 8, -1};
    case NBD_REPLY_TYPE_ERROR:
        return (Places){-1, -1, 0};
    case NBD_REPLY_TYPE_ERROR_OFFSET:
        return (Places){(int)chunk->head_size - 8, -1, 0};
    default:
        return (Places){-1, -1, -1};
    }
}

static void get_place(const uint8_t *head, int place, size_t width, uint64_t *field)
{
    if (place >= 0)
        *field = wire_get(head + place, width);
}

static void put_place(uint8_t *head, int place, size_t width, uint64_t field)
{
    if (place >= 0)
        wire_put(head + place, width, field);
}

static void alter_head(GByteArray *head, const QuirkEvent *event, Places places)
{
    put_place(head->data, places.offset, 8, event->field[F_CHUNK_OFFSET]);
    put_place(head->data, places.hole, 4, event->field[F_HOLE]);
    put_place(head->data, places.error, 4, event->field[F_ERROR]);
    if (event->cut < head->len)
        g_byte_array_set_size(head, (guint)event->cut);
    for (uint64_t i = 0; i < event->append; i++)
        g_byte_array_append(head, (const uint8_t *)"x", 1);
    for (uint64_t i = 0; i < event->terminate; i++)
        g_byte_array_append(head, (const uint8_t *)"", 1);
    if (event->garble < head->len)
        head->data[event->garble] ^= 0xff;
}

static bool put_quirky(Connection *c, Request *request, const Chunk *chunk,
                       uint64_t values[WIRE_MAX_FIELDS])
{
    Places places = places_in(chunk);
    uint64_t end = request->offset > UINT64_MAX - request->length
                       ? UINT64_MAX
                       : request->offset + request->length;
    QuirkEvent event = QUIRK_EVENT(
        [F_MAGIC] = values[CHUNK_MAGIC], [F_CHUNK_FLAGS] = values[CHUNK_FLAGS],
        [F_TYPE] = values[CHUNK_TYPE], [F_COOKIE] = values[CHUNK_COOKIE],
        [F_PAYLOAD] = values[CHUNK_LENGTH], [F_COMMAND] = request->type, [F_FLAGS] = request->flags,
        [F_OFFSET] = request->offset, [F_LENGTH] = request->length, [F_SIZE] = c->facts.size,
        [F_END] = end, [F_WAITING] = connection_available(c), [F_CHUNK_NUMBER] = ++request->chunks);

    get_place(chunk->head, places.offset, 8, &event.field[F_CHUNK_OFFSET]);
    get_place(chunk->head, places.hole, 4, &event.field[F_HOLE]);
    get_place(chunk->head, places.error, 4, &event.field[F_ERROR]);
    message_apply(c, AT_CHUNK, &event);
    if (message_cut_off(c, &event))
        return false;
    g_autoptr(GByteArray) head = g_byte_array_new();
    if (chunk->head_size > 0)
        g_byte_array_append(head, chunk->head, (guint)chunk->head_size);
    alter_head(head, &event, places);
    values[CHUNK_MAGIC] = event.field[F_MAGIC];
    values[CHUNK_FLAGS] = event.field[F_CHUNK_FLAGS];
    values[CHUNK_TYPE] = event.field[F_TYPE];
    values[CHUNK_COOKIE] = event.field[F_COOKIE];
    values[CHUNK_LENGTH] = event.field[F_PAYLOAD] + head->len - chunk->head_size;
    for (int times = event.twice && chunk->data == 0 ? 2 : 1; times > 0; times--) {
        uint64_t copy[WIRE_MAX_FIELDS];
        memcpy(copy, values, sizeof copy);
        put_header(c, copy, event.field[F_OFFSET]);
        if (head->len > 0)
            message_put_bytes(c, head->data, head->len);
    }
    request->garbled = event.garble != UINT64_MAX;
    message_follow_up(c, &event);
    return true;
}

/* ---- Sending --------------------------------------------------------------------------------- */

bool message_put_chunk(Connection *c, Request *request, const Chunk *chunk)
{
    uint64_t values[WIRE_MAX_FIELDS] = {
        [CHUNK_MAGIC] = c->agreed.replies == EXTENDED_HEADERS ? NBD_EXTENDED_REPLY_MAGIC
                                                              : NBD_STRUCTURED_REPLY_MAGIC,
        [CHUNK_FLAGS] = chunk->done ? NBD_REPLY_FLAG_DONE : 0,
        [CHUNK_TYPE] = chunk->type,
        [CHUNK_COOKIE] = request->cookie,
        [CHUNK_LENGTH] = chunk->head_size + chunk->data,
    };

    if (message_is_quirky(c))
        return put_quirky(c, request, chunk, values);
    put_header(c, values, request->offset);
    if (chunk->head_size > 0)
        message_put_bytes(c, chunk->head, chunk->head_size);
    return true;
}
