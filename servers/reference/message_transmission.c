/* Messages of the transmission phase, and where quirks reach into them. */
#include <string.h>

#include "reference/message_private.h"

static uint64_t end_of(uint64_t offset, uint64_t length)
{
    return offset > UINT64_MAX - length ? UINT64_MAX : offset + length;
}

static void alter_request(Connection *c, uint64_t values[WIRE_MAX_FIELDS], uint32_t *error,
                          bool *backwards)
{
    QuirkEvent event = QUIRK_EVENT(
        [F_MAGIC] = values[REQUEST_MAGIC], [F_FLAGS] = values[REQUEST_FLAGS],
        [F_COMMAND] = values[REQUEST_TYPE], [F_COOKIE] = values[REQUEST_COOKIE],
        [F_OFFSET] = values[REQUEST_OFFSET], [F_LENGTH] = values[REQUEST_LENGTH],
        [F_SIZE] = c->facts.size, [F_END] = end_of(values[REQUEST_OFFSET], values[REQUEST_LENGTH]),
        [F_WAITING] = connection_available(c),
        [F_CONTEXTS] = c->agreed.contexts_of == c->export ? c->agreed.contexts : 0);

    message_apply(c, AT_REQUEST, &event);
    message_cut_off(c, &event);
    if (event.fate == DO_REFUSE)
        *error = (uint32_t)event.fate_value;
    values[REQUEST_MAGIC] = event.field[F_MAGIC];
    values[REQUEST_FLAGS] = event.field[F_FLAGS];
    values[REQUEST_TYPE] = event.field[F_COMMAND];
    values[REQUEST_COOKIE] = event.field[F_COOKIE];
    values[REQUEST_OFFSET] = event.field[F_OFFSET];
    values[REQUEST_LENGTH] = event.field[F_LENGTH];
    *backwards = event.field[F_BACKWARDS] != 0;
    c->quirks->passed = true;
}

bool message_get_request(Connection *c, Request *request, bool *right_magic)
{
    const bool extended = c->agreed.replies == EXTENDED_HEADERS;
    uint64_t values[WIRE_MAX_FIELDS];
    uint32_t error = NBD_SUCCESS;
    bool backwards = false;

    if (message_is_quirky(c) && c->quirks->passed)
        message_put_late(c);
    if (!message_get(c, extended ? WIRE_EXTENDED_REQUEST : WIRE_REQUEST, values))
        return false;
    leak_see_message(c, LEAK_SEES_REQUEST, values[REQUEST_TYPE]);
    if (message_is_quirky(c))
        alter_request(c, values, &error, &backwards);
    *right_magic =
        values[REQUEST_MAGIC] == (extended ? NBD_EXTENDED_REQUEST_MAGIC : NBD_REQUEST_MAGIC);
    bool has_payload = extended ? values[REQUEST_FLAGS] & NBD_CMD_FLAG_PAYLOAD_LEN
                                : values[REQUEST_TYPE] == NBD_CMD_WRITE;
    *request = (Request){
        .active = true,
        .type = (uint16_t)values[REQUEST_TYPE],
        .flags = (uint16_t)values[REQUEST_FLAGS],
        .error = error,
        .cookie = values[REQUEST_COOKIE],
        .offset = values[REQUEST_OFFSET],
        .length = values[REQUEST_LENGTH],
        .contexts = c->agreed.contexts,
        .backwards = backwards,
        .payload = has_payload ? values[REQUEST_LENGTH] : 0,
    };
    return true;
}

void message_put_late(Connection *c)
{
    size_t room;

    if (!message_is_quirky(c) || !c->quirks->is_late ||
        connection_room(c, sizeof c->quirks->late, &room) == NULL)
        return;
    message_put_bytes(c, c->quirks->late, sizeof c->quirks->late);
    c->quirks->is_late = false;
}

static void postpone(Connection *c, const uint64_t values[WIRE_MAX_FIELDS])
{
    wire_encode(WIRE_SIMPLE_REPLY, values, c->quirks->late);
    c->quirks->is_late = true;
    c->quirks->passed = false;
}

static void put_quirky_reply(Connection *c, uint64_t values[WIRE_MAX_FIELDS], Request *request)
{
    bool has_data = request->type == NBD_CMD_READ && request->error == NBD_SUCCESS;
    QuirkEvent event = QUIRK_EVENT(
        [F_MAGIC] = values[SIMPLE_REPLY_MAGIC], [F_ERROR] = values[SIMPLE_REPLY_ERROR],
        [F_COOKIE] = values[SIMPLE_REPLY_COOKIE], [F_COMMAND] = request->type,
        [F_FLAGS] = request->flags, [F_OFFSET] = request->offset, [F_LENGTH] = request->length,
        [F_SIZE] = c->facts.size, [F_END] = end_of(request->offset, request->length),
        [F_WAITING] = connection_available(c), [F_PAYLOAD] = has_data ? request->length : 0);

    message_apply(c, AT_REPLY, &event);
    if (message_cut_off(c, &event)) {
        request->length = 0;
        return;
    }
    values[SIMPLE_REPLY_MAGIC] = event.field[F_MAGIC];
    values[SIMPLE_REPLY_ERROR] = event.field[F_ERROR];
    values[SIMPLE_REPLY_COOKIE] = event.field[F_COOKIE];
    if (event.postpone && !has_data && !c->quirks->is_late) {
        postpone(c, values);
        return;
    }
    message_put(c, WIRE_SIMPLE_REPLY, values);
    if (event.twice)
        message_put(c, WIRE_SIMPLE_REPLY, values);
    if (has_data)
        request->length = event.field[F_PAYLOAD];
    else
        message_put_bytes(c, NULL, MIN(event.field[F_PAYLOAD], HANDSHAKE_ROOM));
    request->garbled = event.garble != UINT64_MAX;
    message_follow_up(c, &event, has_data ? request : NULL);
}

void message_put_simple_reply(Connection *c, Request *request)
{
    uint64_t values[WIRE_MAX_FIELDS] = {NBD_SIMPLE_REPLY_MAGIC, request->error, request->cookie};

    if (message_is_quirky(c))
        put_quirky_reply(c, values, request);
    else
        message_put(c, WIRE_SIMPLE_REPLY, values);
}

void message_see_data(Connection *c, const Request *request, uint8_t *data, size_t length)
{
    if (!message_is_quirky(c))
        return;
    for (size_t i = 0; request->garbled && i < length; i++)
        data[i] ^= 0xff;
    if (request->then != FATE_NONE && request->done == request->until)
        connection_doom(c, request->then);
}

Disk *message_see_disk(Connection *c, Disk *disk)
{
    if (!message_is_quirky(c) || c->hoard == UINT64_MAX)
        return disk;
    c->own_disk = disk_hoard_new(disk, c->hoard == HOARD_UNTIL_FUA);
    return c->own_disk;
}
