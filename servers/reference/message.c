/* Messages: decoding, encoding, and the places where quirks reach in. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "reference/message.h"

/* ---- What quirks decide ----------------------------------------------------------------------- */

static bool quirky(const Connection *c)
{
    return G_UNLIKELY(c->quirks != NULL);
}

static void forget_output(Connection *c)
{
    c->out.start = c->out.end = 0;
}

static void set_nagle(Connection *c)
{
    int zero = 0;

    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &zero, sizeof zero);
}

static void apply(Connection *c, QuirkPoint point, QuirkEvent *event)
{
    quirk_apply(&c->loop->server->quirks, c->quirks, point, event);
    if (event->forget)
        forget_output(c);
    if (event->nagle)
        set_nagle(c);
}

/* Ends that come in place of the message. True if so. */
static bool cut_off(Connection *c, const QuirkEvent *event)
{
    switch (event->fate) {
    case DO_CLOSE:
        connection_doom(c, FATE_END);
        return true;
    case DO_RESET:
        connection_doom(c, FATE_LOSE);
        return true;
    case DO_HANG:
        connection_doom(c, FATE_HANG);
        return true;
    case DO_DIE:
        server_die(c->loop->server);
        connection_doom(c, FATE_LOSE);
        return true;
    case DO_DROP:
        return true;
    default:
        return false;
    }
}

/* Ends that come behind it. */
static void follow_up(Connection *c, const QuirkEvent *event)
{
    if (event->fate == DO_CLOSE_AFTER)
        connection_doom(c, FATE_END);
    else if (event->fate == DO_HANG_AFTER)
        connection_doom(c, FATE_HANG);
}

/* ---- Bytes ------------------------------------------------------------------------------------ */

static void put_bytes(Connection *c, const void *bytes, size_t length)
{
    size_t room;
    uint8_t *out = connection_room(c, length, &room);

    if (out == NULL) {
        connection_doom(c, FATE_END);
        return;
    }
    if (bytes != NULL)
        memcpy(out, bytes, length);
    else
        memset(out, 0, length);
    connection_put(c, length);
}

static void put(Connection *c, WireKind kind, const uint64_t values[WIRE_MAX_FIELDS])
{
    uint8_t bytes[64];

    wire_encode(kind, values, bytes);
    put_bytes(c, bytes, wire_layout(kind)->size);
}

static void see_partial(Connection *c)
{
    if (!quirky(c) || connection_available(c) == 0)
        return;
    QuirkEvent event = QUIRK_EVENT([F_WAITING] = connection_available(c));
    apply(c, AT_PARTIAL, &event);
    cut_off(c, &event);
}

static bool get(Connection *c, WireKind kind, uint64_t values[WIRE_MAX_FIELDS])
{
    const uint8_t *bytes = connection_peek(c, wire_layout(kind)->size);

    if (bytes == NULL) {
        see_partial(c);
        return false;
    }
    wire_decode(kind, bytes, values);
    connection_take(c, wire_layout(kind)->size);
    return true;
}

/* ---- Greetings -------------------------------------------------------------------------------- */

/* Reserved bytes, of which number GARBLED (if there is such) is not zero. */
static void put_zeroes(Connection *c, uint64_t count, uint64_t garbled)
{
    uint8_t zeroes[1024] = {0};

    if (garbled < sizeof zeroes)
        zeroes[garbled] = 0xff;
    put_bytes(c, zeroes, MIN(count, sizeof zeroes));
}

static bool alter_greeting(Connection *c, uint64_t greeting[WIRE_MAX_FIELDS], uint64_t *size,
                           uint64_t *flags, uint64_t *garbled)
{
    QuirkEvent event =
        QUIRK_EVENT([F_PASSWD] = greeting[GREETING_PASSWD], [F_MAGIC] = greeting[GREETING_MAGIC],
                    [F_FLAGS] = *flags, [F_SIZE] = *size);

    apply(c, AT_GREETING, &event);
    if (cut_off(c, &event))
        return false;
    greeting[GREETING_PASSWD] = event.field[F_PASSWD];
    greeting[GREETING_MAGIC] = event.field[F_MAGIC];
    *flags = event.field[F_FLAGS];
    *size = event.field[F_SIZE];
    *garbled = event.garble;
    follow_up(c, &event);
    return true;
}

void message_put_oldstyle(Connection *c)
{
    uint64_t greeting[WIRE_MAX_FIELDS] = {NBD_INIT_PASSWD, NBD_CLISERV_MAGIC};
    uint64_t rest[WIRE_MAX_FIELDS] = {c->facts.size, c->facts.flags};
    uint64_t garbled = UINT64_MAX;

    if (quirky(c) &&
        !alter_greeting(c, greeting, &rest[OLDSTYLE_SIZE], &rest[OLDSTYLE_FLAGS], &garbled))
        return;
    put(c, WIRE_GREETING, greeting);
    put(c, WIRE_OLDSTYLE, rest);
    put_zeroes(c, NBD_ZEROES, garbled);
}

void message_put_newstyle(Connection *c, uint64_t handshake_flags)
{
    uint64_t greeting[WIRE_MAX_FIELDS] = {NBD_INIT_PASSWD, NBD_IHAVEOPT};
    uint64_t flags[WIRE_MAX_FIELDS] = {handshake_flags};
    uint64_t size = 0;
    uint64_t garbled;

    if (quirky(c) && !alter_greeting(c, greeting, &size, &flags[NEWSTYLE_FLAGS], &garbled))
        return;
    put(c, WIRE_GREETING, greeting);
    put(c, WIRE_NEWSTYLE, flags);
}

/* ---- Options ---------------------------------------------------------------------------------- */

bool message_get_client_flags(Connection *c, uint32_t *flags)
{
    uint64_t values[WIRE_MAX_FIELDS];

    if (!get(c, WIRE_CLIENT_FLAGS, values))
        return false;
    *flags = (uint32_t)values[CLIENT_FLAGS_FLAGS];
    if (quirky(c)) {
        QuirkEvent event = QUIRK_EVENT([F_FLAGS] = *flags);
        apply(c, AT_CLIENT_FLAGS, &event);
        cut_off(c, &event);
        follow_up(c, &event);
        *flags = (uint32_t)event.field[F_FLAGS];
    }
    return true;
}

bool message_get_option_header(Connection *c, uint64_t values[WIRE_MAX_FIELDS])
{
    if (!get(c, WIRE_OPTION, values))
        return false;
    if (quirky(c)) {
        QuirkEvent event =
            QUIRK_EVENT([F_MAGIC] = values[OPTION_MAGIC], [F_OPTION] = values[OPTION_OPTION],
                        [F_LENGTH] = values[OPTION_LENGTH]);
        apply(c, AT_OPTION_HEADER, &event);
        cut_off(c, &event);
        values[OPTION_MAGIC] = event.field[F_MAGIC];
        values[OPTION_OPTION] = event.field[F_OPTION];
        values[OPTION_LENGTH] = event.field[F_LENGTH];
    }
    return true;
}

static uint64_t claimed_name_length(uint32_t option, const uint8_t *data, uint32_t length)
{
    bool has_length_field = option == NBD_OPT_INFO || option == NBD_OPT_GO;

    if (!has_length_field)
        return option == NBD_OPT_EXPORT_NAME ? length : 0;
    return length >= 4 ? wire_get(data, 4) : 0;
}

/* The information requests, as far as they are there: how many are claimed, and the highest. */
static void claimed_requests(QuirkEvent *event, const uint8_t *data, uint32_t length)
{
    uint64_t name_length = event->field[F_NAME_LENGTH];

    if (length < 6 || name_length > length - 6)
        return;
    uint64_t at = 4 + name_length;
    event->field[F_REQUESTS] = wire_get(data + at, 2);
    for (at += 2; at + 2 <= length; at += 2)
        event->field[F_HIGHEST] = MAX(event->field[F_HIGHEST], wire_get(data + at, 2));
}

bool message_see_option(Connection *c, const uint8_t *data, uint32_t *length)
{
    if (!quirky(c))
        return true;
    QuirkEvent event =
        QUIRK_EVENT([F_OPTION] = c->option.option, [F_LENGTH] = *length,
                    [F_NAME_LENGTH] = claimed_name_length(c->option.option, data, *length));
    if (c->option.option == NBD_OPT_INFO || c->option.option == NBD_OPT_GO)
        claimed_requests(&event, data, *length);
    apply(c, AT_OPTION, &event);
    if (cut_off(c, &event))
        return false;
    if (event.fate == DO_REFUSE) {
        message_put_option_reply(c, (uint32_t)event.fate_value, NULL, 0);
        return false;
    }
    *length = (uint32_t)MIN(event.field[F_LENGTH], *length);
    c->option.option = (uint32_t)event.field[F_OPTION];
    return true;
}

const Export *message_see_export(Connection *c, const Export *export, size_t name_length,
                                 ExportFacts *facts)
{
    *facts = export != NULL ? export->facts : (ExportFacts){0};
    if (!quirky(c))
        return export;
    QuirkEvent event =
        QUIRK_EVENT([F_OPTION] = c->option.option, [F_NAME_LENGTH] = name_length,
                    [F_KNOWN] = export != NULL, [F_SIZE] = facts->size, [F_FLAGS] = facts->flags,
                    [F_MINIMUM] = facts->minimum, [F_PREFERRED] = facts->preferred,
                    [F_MAXIMUM] = facts->maximum, [F_CONSTRAINED] = facts->constrained,
                    [F_LENIENT] = facts->lenient, [F_REQUIRE] = facts->require);
    apply(c, AT_FACTS, &event);
    cut_off(c, &event);
    c->hoard = event.hoard;
    if (event.fate == DO_REFUSE)
        message_put_option_reply(c, (uint32_t)event.fate_value, NULL, 0);
    *facts = (ExportFacts){
        .size = event.field[F_SIZE],
        .flags = event.field[F_FLAGS],
        .minimum = event.field[F_MINIMUM],
        .preferred = event.field[F_PREFERRED],
        .maximum = event.field[F_MAXIMUM],
        .constrained = event.field[F_CONSTRAINED] != 0,
        .lenient = event.field[F_LENIENT] != 0,
        .require = event.field[F_REQUIRE] != 0,
    };
    return export;
}

void message_see_leave(Connection *c)
{
    if (!quirky(c))
        return;
    uint64_t phase = c->step == transmission_step ? 2 : 1;
    QuirkEvent event = QUIRK_EVENT([F_PHASE] = phase, [F_LENGTH] = connection_available(c));
    apply(c, AT_LEAVE, &event);
    cut_off(c, &event);
}

/* Header and data of one option reply. */
static void put_option_reply(Connection *c, const uint64_t values[WIRE_MAX_FIELDS],
                             const uint8_t *data, size_t length, bool split)
{
    put(c, WIRE_OPTION_REPLY, values);
    if (split)
        connection_push(c);
    if (length > 0)
        put_bytes(c, data, length);
}

static void change_data(GByteArray *changed, const QuirkEvent *event, const uint8_t *data,
                        size_t length)
{
    g_byte_array_append(changed, data, (guint)MIN(length, event->cut));
    for (uint64_t i = 0; i < event->append; i++)
        g_byte_array_append(changed, (const uint8_t *)"x", 1);
    for (uint64_t i = 0; i < event->terminate; i++)
        g_byte_array_append(changed, (const uint8_t *)"", 1);
    if (event->garble < changed->len)
        changed->data[event->garble] ^= 0xff;
}

static void put_quirky_option_reply(Connection *c, uint64_t values[WIRE_MAX_FIELDS],
                                    const uint8_t *data, size_t length)
{
    static const uint8_t no_name[] = {0, NBD_INFO_NAME};
    bool is_info = values[REPLY_TYPE] == NBD_REP_INFO && length >= 2;
    QuirkEvent event =
        QUIRK_EVENT([F_MAGIC] = values[REPLY_MAGIC], [F_OPTION] = values[REPLY_OPTION],
                    [F_TYPE] = values[REPLY_TYPE], [F_LENGTH] = values[REPLY_LENGTH],
                    [F_INFO] = is_info ? wire_get(data, 2) : NO_INFO);
    bool is_server = values[REPLY_TYPE] == NBD_REP_SERVER && length >= 4;
    uint64_t inserted[WIRE_MAX_FIELDS] = {NBD_OPTION_REPLY_MAGIC, values[REPLY_OPTION]};

    if (is_server)
        event.field[F_NAME_LENGTH] = wire_get(data, 4);
    apply(c, AT_OPTION_REPLY, &event);
    if (cut_off(c, &event))
        return;
    g_autoptr(GByteArray) changed = g_byte_array_new();
    change_data(changed, &event, data, length);
    if (is_server && changed->len >= 4)
        wire_put(changed->data, 4, event.field[F_NAME_LENGTH]);
    values[REPLY_MAGIC] = event.field[F_MAGIC];
    values[REPLY_OPTION] = event.field[F_OPTION];
    values[REPLY_TYPE] = event.field[F_TYPE];
    values[REPLY_LENGTH] = event.field[F_LENGTH] + changed->len - length;
    inserted[REPLY_TYPE] = event.insert;
    inserted[REPLY_LENGTH] = event.insert == NBD_REP_INFO ? sizeof no_name : 0;
    if (event.insert != 0)
        put_option_reply(c, inserted, no_name, inserted[REPLY_LENGTH], false);
    put_option_reply(c, values, changed->data, changed->len, event.split);
    if (event.twice)
        put_option_reply(c, values, changed->data, changed->len, false);
    follow_up(c, &event);
}

void message_put_option_reply(Connection *c, uint32_t type, const void *data, size_t length)
{
    uint64_t values[WIRE_MAX_FIELDS] = {NBD_OPTION_REPLY_MAGIC, c->option.option, type, length};

    if (c->fate != FATE_NONE)
        return;
    if (quirky(c))
        put_quirky_option_reply(c, values, data, length);
    else
        put_option_reply(c, values, data, length, false);
}

void message_put_export(Connection *c)
{
    uint64_t values[WIRE_MAX_FIELDS] = {c->facts.size, c->facts.flags};
    uint64_t zeroes = c->client_flags & NBD_FLAG_C_NO_ZEROES ? 0 : NBD_ZEROES;
    uint64_t garbled = UINT64_MAX;

    if (c->fate != FATE_NONE)
        return;
    if (quirky(c)) {
        QuirkEvent event = QUIRK_EVENT([F_SIZE] = values[EXPORT_SIZE],
                                       [F_FLAGS] = values[EXPORT_FLAGS], [F_ZEROES] = zeroes);
        apply(c, AT_EXPORT, &event);
        if (cut_off(c, &event))
            return;
        values[EXPORT_SIZE] = event.field[F_SIZE];
        values[EXPORT_FLAGS] = event.field[F_FLAGS];
        zeroes = event.field[F_ZEROES];
        garbled = event.garble;
        follow_up(c, &event);
    }
    put(c, WIRE_EXPORT, values);
    put_zeroes(c, zeroes, garbled);
}

/* ---- Transmission ----------------------------------------------------------------------------- */

static uint64_t end_of(uint64_t offset, uint64_t length)
{
    return offset > UINT64_MAX - length ? UINT64_MAX : offset + length;
}

/* The command that follows REQUEST, if its header has come. */
static uint64_t next_command(const Connection *c, const uint64_t request[WIRE_MAX_FIELDS])
{
    uint64_t payload = request[REQUEST_TYPE] == NBD_CMD_WRITE ? request[REQUEST_LENGTH] : 0;
    size_t size = wire_layout(WIRE_REQUEST)->size;
    uint64_t next[WIRE_MAX_FIELDS];

    if (connection_available(c) < payload + size)
        return UINT64_MAX;
    wire_decode(WIRE_REQUEST, connection_peek(c, payload + size) + payload, next);
    return next[REQUEST_TYPE];
}

static void alter_request(Connection *c, uint64_t values[WIRE_MAX_FIELDS], uint32_t *error)
{
    QuirkEvent event = QUIRK_EVENT(
        [F_MAGIC] = values[REQUEST_MAGIC], [F_FLAGS] = values[REQUEST_FLAGS],
        [F_COMMAND] = values[REQUEST_TYPE], [F_COOKIE] = values[REQUEST_COOKIE],
        [F_OFFSET] = values[REQUEST_OFFSET], [F_LENGTH] = values[REQUEST_LENGTH],
        [F_SIZE] = c->facts.size, [F_END] = end_of(values[REQUEST_OFFSET], values[REQUEST_LENGTH]),
        [F_EXPORT_FLAGS] = c->facts.flags, [F_WAITING] = connection_available(c),
        [F_NEXT] = next_command(c, values));

    apply(c, AT_REQUEST, &event);
    cut_off(c, &event);
    if (event.fate == DO_REFUSE)
        *error = (uint32_t)event.fate_value;
    values[REQUEST_MAGIC] = event.field[F_MAGIC];
    values[REQUEST_FLAGS] = event.field[F_FLAGS];
    values[REQUEST_TYPE] = event.field[F_COMMAND];
    values[REQUEST_COOKIE] = event.field[F_COOKIE];
    values[REQUEST_OFFSET] = event.field[F_OFFSET];
    values[REQUEST_LENGTH] = event.field[F_LENGTH];
}

bool message_get_request(Connection *c, Request *request, bool *right_magic)
{
    uint64_t values[WIRE_MAX_FIELDS];
    uint32_t error = NBD_SUCCESS;

    if (!get(c, WIRE_REQUEST, values))
        return false;
    if (quirky(c))
        alter_request(c, values, &error);
    *right_magic = values[REQUEST_MAGIC] == NBD_REQUEST_MAGIC;
    *request = (Request){
        .active = true,
        .type = (uint16_t)values[REQUEST_TYPE],
        .flags = (uint16_t)values[REQUEST_FLAGS],
        .error = error,
        .cookie = values[REQUEST_COOKIE],
        .offset = values[REQUEST_OFFSET],
        .length = values[REQUEST_LENGTH],
    };
    return true;
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

    apply(c, AT_REPLY, &event);
    if (cut_off(c, &event)) {
        request->length = 0;
        return;
    }
    values[SIMPLE_REPLY_MAGIC] = event.field[F_MAGIC];
    values[SIMPLE_REPLY_ERROR] = event.field[F_ERROR];
    values[SIMPLE_REPLY_COOKIE] = event.field[F_COOKIE];
    put(c, WIRE_SIMPLE_REPLY, values);
    if (event.twice)
        put(c, WIRE_SIMPLE_REPLY, values);
    if (has_data)
        request->length = event.field[F_PAYLOAD];
    else
        put_bytes(c, NULL, MIN(event.field[F_PAYLOAD], HANDSHAKE_ROOM));
    request->garbled = event.garble != UINT64_MAX;
    follow_up(c, &event);
}

void message_put_simple_reply(Connection *c, Request *request)
{
    uint64_t values[WIRE_MAX_FIELDS] = {NBD_SIMPLE_REPLY_MAGIC, request->error, request->cookie};

    if (quirky(c))
        put_quirky_reply(c, values, request);
    else
        put(c, WIRE_SIMPLE_REPLY, values);
}

void message_see_data(Connection *c, const Request *request, uint8_t *data, size_t length)
{
    if (!quirky(c) || !request->garbled)
        return;
    for (size_t i = 0; i < length; i++)
        data[i] ^= 0xff;
}

Disk *message_see_disk(Connection *c, Disk *disk)
{
    if (!quirky(c) || c->hoard == UINT64_MAX)
        return disk;
    c->own_disk = disk_hoard_new(disk, c->hoard == HOARD_UNTIL_FUA);
    return c->own_disk;
}
