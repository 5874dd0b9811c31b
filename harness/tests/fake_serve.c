/* The fake server's good behaviour: fixed newstyle, one kind of export, simple replies. */
#include <string.h>

#include "fake_private.h"
#include "talk.h"

static bool say_layout(FakeConnection *connection, WireKind kind, const uint64_t *value)
{
    uint8_t bytes[64];

    wire_encode(kind, value, bytes);
    return fake_say(connection, bytes, wire_layout(kind)->size);
}

static bool say_reply(FakeConnection *connection, uint64_t option, uint64_t type, size_t length)
{
    uint64_t value[WIRE_MAX_FIELDS];

    wire_defaults(WIRE_OPTION_REPLY, value);
    value[REPLY_OPTION] = option;
    value[REPLY_TYPE] = type;
    value[REPLY_LENGTH] = length;
    return say_layout(connection, WIRE_OPTION_REPLY, value);
}

static bool say_export(FakeConnection *connection, const FakeConfig *config, uint64_t option)
{
    uint64_t value[WIRE_MAX_FIELDS] = {0};

    value[INFO_EXPORT_TYPE] = NBD_INFO_EXPORT;
    value[INFO_EXPORT_SIZE] = config->size;
    value[INFO_EXPORT_FLAGS] = config->transmission_flags | NBD_FLAG_HAS_FLAGS;
    return say_reply(connection, option, NBD_REP_INFO, wire_layout(WIRE_INFO_EXPORT)->size) &&
           say_layout(connection, WIRE_INFO_EXPORT, value) &&
           say_reply(connection, option, NBD_REP_ACK, 0);
}

/* The name of the export that was entered; NULL if the client left before. The caller frees it. */
static char *haggle(FakeConnection *connection, const FakeConfig *config)
{
    uint64_t value[WIRE_MAX_FIELDS];

    while (fake_hear(connection, 16)) {
        wire_decode(WIRE_OPTION, fake_tail(connection, 16), value);
        size_t length = (size_t)value[OPTION_LENGTH];
        uint64_t option = value[OPTION_OPTION];
        if (!fake_hear(connection, length))
            return NULL;
        const uint8_t *data = fake_tail(connection, length);
        if (option == NBD_OPT_GO || option == NBD_OPT_INFO) {
            g_autofree char *name = g_strndup((const char *)data + 4, (gsize)wire_get(data, 4));
            if (!say_export(connection, config, option))
                return NULL;
            if (option == NBD_OPT_GO)
                return g_steal_pointer(&name);
        } else if (!say_reply(connection, option,
                              option == NBD_OPT_ABORT ? NBD_REP_ACK : NBD_REP_ERR_UNSUP, 0)) {
            return NULL;
        }
    }
    return NULL;
}

/* Whether the script has agreed to structured replies. */
static bool is_structured(const FakeConnection *connection)
{
    static const char agreed[] = ACK("STRUCTURED_REPLY");

    return connection->script != NULL && strstr(connection->script, agreed) != NULL;
}

/* All the data that a READ asks for, in one chunk. */
static bool answer_in_chunk(FakeConnection *connection, const FakeRequest *request)
{
    uint64_t value[WIRE_MAX_FIELDS];
    g_autofree uint8_t *data = g_malloc0(8 + (size_t)request->length);

    wire_defaults(WIRE_CHUNK, value);
    value[CHUNK_FLAGS] = NBD_REPLY_FLAG_DONE;
    value[CHUNK_TYPE] = NBD_REPLY_TYPE_OFFSET_DATA;
    value[CHUNK_COOKIE] = request->cookie;
    value[CHUNK_LENGTH] = 8 + request->length;
    wire_put(data, 8, request->offset);
    return say_layout(connection, WIRE_CHUNK, value) &&
           fake_say(connection, data, 8 + (size_t)request->length);
}

static bool answer(FakeConnection *connection, const FakeRequest *request, uint64_t error)
{
    if (request->command == NBD_CMD_READ && error == NBD_SUCCESS && is_structured(connection))
        return answer_in_chunk(connection, request);

    uint64_t value[WIRE_MAX_FIELDS];
    size_t length =
        request->command == NBD_CMD_READ && error == NBD_SUCCESS ? (size_t)request->length : 0;
    g_autofree uint8_t *zeroes = g_malloc0(length);

    wire_defaults(WIRE_SIMPLE_REPLY, value);
    value[SIMPLE_REPLY_ERROR] = error;
    value[SIMPLE_REPLY_COOKIE] = request->cookie;
    return say_layout(connection, WIRE_SIMPLE_REPLY, value) && fake_say(connection, zeroes, length);
}

static bool react(FakeConnection *connection, const FakeConfig *config, const FakeRequest *request)
{
    FakeReaction reaction =
        config->handler == NULL ? FAKE_ANSWER : config->handler(config->data, request);

    switch (reaction) {
    case FAKE_ANSWER:
        return request->command != NBD_CMD_DISC && answer(connection, request, NBD_SUCCESS);
    case FAKE_FAIL:
        return answer(connection, request, NBD_EINVAL);
    case FAKE_REFUSE:
        return answer(connection, request, NBD_ENOTSUP);
    case FAKE_IGNORE:
        return true;
    case FAKE_CLOSE:
        break;
    }
    return false;
}

static void transmit(FakeConnection *connection, const FakeConfig *config, const char *name)
{
    uint64_t value[WIRE_MAX_FIELDS];

    while (fake_hear(connection, 28)) {
        wire_decode(WIRE_REQUEST, fake_tail(connection, 28), value);
        FakeRequest request = {connection->number,    name,
                               value[REQUEST_FLAGS],  value[REQUEST_TYPE],
                               value[REQUEST_COOKIE], value[REQUEST_OFFSET],
                               value[REQUEST_LENGTH]};
        if (request.command == NBD_CMD_WRITE && !fake_hear(connection, (size_t)request.length))
            return;
        if (!react(connection, config, &request))
            return;
    }
}

bool fake_serve(FakeConnection *connection, const FakeConfig *config)
{
    static const uint8_t greeting[18] = "NBDMAGIC"
                                        "IHAVEOPT\0\3";

    if (fake_say(connection, greeting, sizeof greeting) && fake_hear(connection, 4)) {
        g_autofree char *name = haggle(connection, config);
        if (name != NULL)
            transmit(connection, config, name);
    }
    if (config->left != NULL)
        config->left(config->data, connection->number);
    fake_hang_up(connection);
    return false;
}

/* What a client asks in parting. False if that was the last word. */
bool fake_part(FakeConnection *connection)
{
    uint64_t value[WIRE_MAX_FIELDS];

    if (!fake_hear(connection, 4))
        return false;
    uint64_t magic = wire_get(fake_tail(connection, 4), 4);
    if (magic == NBD_IHAVEOPT >> 32)
        return fake_hear(connection, 12) &&
               wire_get(fake_tail(connection, 8), 4) == NBD_OPT_ABORT &&
               say_reply(connection, NBD_OPT_ABORT, NBD_REP_ACK, 0);
    if (magic != NBD_REQUEST_MAGIC || !fake_hear(connection, 24))
        return false;
    wire_decode(WIRE_REQUEST, fake_tail(connection, 28), value);
    FakeRequest request = {.command = value[REQUEST_TYPE],
                           .cookie = value[REQUEST_COOKIE],
                           .length = value[REQUEST_LENGTH]};
    return request.command == NBD_CMD_READ && answer(connection, &request, NBD_SUCCESS);
}
