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

/* A text grows with what is put behind it. */
static void count_text(GByteArray *head, const QuirkEvent *event)
{
    uint64_t more = event->append + event->terminate;

    if (event->field[F_TYPE] == NBD_REPLY_TYPE_ERROR && more > 0)
        wire_put(head->data + 4, 2, wire_get(head->data + 4, 2) + more);
}

/* Appends the payload of a chunk of TYPE that quirks have put in: about what stands BEHIND bytes behind the
 * place that EVENT's chunk is about, and is so much shorter. */
static void make_payload(GByteArray *payload, uint64_t type, const QuirkEvent *event,
                         uint64_t behind)
{
    uint8_t bytes[14] = {0};
    uint64_t place = event->field[F_CHUNK_OFFSET] + behind;
    uint64_t error = event->field[F_ERROR] != 0 ? event->field[F_ERROR] : NBD_EIO;
    guint size = 0;

    switch (type) {
    case NBD_REPLY_TYPE_OFFSET_HOLE:
        wire_put(bytes, 8, place);
        wire_put(bytes + 8, 4, event->field[F_LENGTH] - behind);
        size = 12;
        break;
    case NBD_REPLY_TYPE_OFFSET_DATA:
        wire_put(bytes, 8, place);
        size = 8;
        break;
    case NBD_REPLY_TYPE_ERROR:
    case NBD_REPLY_TYPE_ERROR_OFFSET:
        wire_put(bytes, 4, error);
        wire_put(bytes + 6, 8, place);
        size = type == NBD_REPLY_TYPE_ERROR ? 6 : 14;
        break;
    default:
        break;
    }
    g_byte_array_append(payload, bytes, size);
}

static void put_made(Connection *c, const QuirkEvent *event, uint64_t type, uint64_t behind,
                     uint64_t flags)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();

    make_payload(payload, type, event, behind);
    uint64_t values[WIRE_MAX_FIELDS] = {
        [CHUNK_MAGIC] = event->field[F_MAGIC],   [CHUNK_FLAGS] = flags,         [CHUNK_TYPE] = type,
        [CHUNK_COOKIE] = event->field[F_COOKIE], [CHUNK_LENGTH] = payload->len,
    };
    put_header(c, values, event->field[F_OFFSET]);
    if (payload->len > 0)
        message_put_bytes(c, payload->data, payload->len);
}

/* The payload of CHUNK as EVENT has it, but for the data; another one if its type has changed. */
static GByteArray *altered(const Chunk *chunk, const QuirkEvent *event)
{
    GByteArray *head = g_byte_array_new();
    Places places = places_in(chunk);

    if (event->field[F_TYPE] != chunk->type && wire_name(&wire_chunk_types, event->field[F_TYPE]))
        make_payload(head, event->field[F_TYPE], event, 0);
    else {
        if (chunk->head_size > 0)
            g_byte_array_append(head, chunk->head, (guint)chunk->head_size);
        put_place(head->data, places.offset, 8, event->field[F_CHUNK_OFFSET]);
        put_place(head->data, places.hole, 4, event->field[F_HOLE]);
        put_place(head->data, places.error, 4, event->field[F_ERROR]);
    }
    count_text(head, event);
    quirk_change_data(event, head);
    return head;
}

/* The chunk and what quirks put around it. DONE is for the last. */
static void put_altered(Connection *c, const QuirkEvent *event, const GByteArray *head,
                        uint64_t payload)
{
    uint64_t flags = event->field[F_CHUNK_FLAGS];
    uint64_t done = event->follows > 0 ? flags & NBD_REPLY_FLAG_DONE : 0;

    if (event->insert != 0)
        put_made(c, event, event->insert, 0, 0);
    for (int times = event->twice ? 2 : 1; times > 0; times--) {
        uint64_t values[WIRE_MAX_FIELDS] = {
            [CHUNK_MAGIC] = event->field[F_MAGIC],
            [CHUNK_FLAGS] = flags & ~done,
            [CHUNK_TYPE] = event->field[F_TYPE],
            [CHUNK_COOKIE] = event->field[F_COOKIE],
            [CHUNK_LENGTH] = payload,
        };
        put_header(c, values, event->field[F_OFFSET]);
        if (head->len > 0)
            message_put_bytes(c, head->data, head->len);
    }
    for (unsigned i = 0; i < event->follows; i++)
        put_made(c, event, event->follow[i] % 65536, event->follow[i] / 65536,
                 i + 1 == event->follows ? done : 0);
}

static uint64_t end_of(const Request *request)
{
    return request->offset > UINT64_MAX - request->length ? UINT64_MAX
                                                          : request->offset + request->length;
}

/* What changes from message to message of the request: the rest is QUIRK_EVENT's. */
static QuirkEvent see_chunk(Connection *c, Request *request, const Chunk *chunk,
                            const uint64_t values[WIRE_MAX_FIELDS])
{
    Places places = places_in(chunk);
    QuirkEvent event = QUIRK_EVENT(
        [F_MAGIC] = values[CHUNK_MAGIC], [F_CHUNK_FLAGS] = values[CHUNK_FLAGS],
        [F_TYPE] = values[CHUNK_TYPE], [F_COOKIE] = values[CHUNK_COOKIE],
        [F_PAYLOAD] = values[CHUNK_LENGTH], [F_COMMAND] = request->type, [F_FLAGS] = request->flags,
        [F_OFFSET] = request->offset, [F_LENGTH] = request->length, [F_SIZE] = c->facts.size,
        [F_END] = end_of(request), [F_WAITING] = connection_available(c),
        [F_CHUNK_NUMBER] = ++request->chunks, [F_CHUNK_OFFSET] = request->offset);

    get_place(chunk->head, places.offset, 8, &event.field[F_CHUNK_OFFSET]);
    get_place(chunk->head, places.hole, 4, &event.field[F_HOLE]);
    get_place(chunk->head, places.error, 4, &event.field[F_ERROR]);
    message_apply(c, AT_CHUNK, &event);
    return event;
}

static bool put_quirky(Connection *c, Request *request, const Chunk *chunk,
                       const uint64_t values[WIRE_MAX_FIELDS])
{
    QuirkEvent event = see_chunk(c, request, chunk, values);

    if (message_cut_off(c, &event))
        return false;
    if (event.fate == DO_SIMPLE) {
        request->error = (uint32_t)event.field[F_ERROR];
        message_put_simple_reply(c, request);
        return false;
    }
    /* The data go with their own type of chunk alone, and once. */
    uint64_t data = event.field[F_TYPE] == chunk->type ? chunk->data : 0;
    g_autoptr(GByteArray) head = altered(chunk, &event);
    event.twice = event.twice && chunk->data == 0;
    event.follows = data == 0 ? event.follows : 0;
    if (event.go_on) {
        event.field[F_CHUNK_FLAGS] &= ~(uint64_t)NBD_REPLY_FLAG_DONE;
        request->last = false;
    }
    put_altered(c, &event, head, event.field[F_PAYLOAD] - values[CHUNK_LENGTH] + head->len + data);
    request->garbled = event.garble != UINT64_MAX;
    message_follow_up(c, &event, data > 0 ? request : NULL);
    return data == chunk->data;
}

unsigned message_see_status(Connection *c, const Request *request, uint32_t *context,
                            Extent *extents, unsigned count)
{
    if (!message_is_quirky(c) || count == 0)
        return count;
    QuirkEvent event = QUIRK_EVENT(
        [F_ID] = *context, [F_EXTENT] = extents[0].length, [F_STATE] = extents[0].status,
        [F_COMMAND] = request->type, [F_FLAGS] = request->flags, [F_OFFSET] = request->offset,
        [F_LENGTH] = request->length, [F_SIZE] = c->facts.size, [F_END] = end_of(request));

    message_apply(c, AT_STATUS, &event);
    count = (unsigned)MIN(count, event.cut);
    *context = (uint32_t)event.field[F_ID];
    extents[0] = (Extent){event.field[F_EXTENT], event.field[F_STATE]};
    if (event.append > 0) {
        extents[count] = (Extent){event.append, extents[count - 1].status ^ NBD_STATE_HOLE};
        count++;
    } else if (event.split && extents[0].length > 512) {
        memmove(extents + 1, extents, count * sizeof *extents);
        extents[0].length = 512;
        extents[1].length -= 512;
        count++;
    }
    return count;
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
