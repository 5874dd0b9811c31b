/* Framing: where a message begins and ends follows from the phase, from the negotiation, and for
 * simple replies from the request in flight. What can't be framed is judged, and ends the decoding. */
#include <string.h>

#include "session/private.h"

/* An option reply that is longer than this beyond what its type allows is not waited for: it has
 * broken its format already, and its sender may never send so much. */
#define ABSURD (1u << 20)

static size_t available(const SessionStream *stream)
{
    return stream->buffer->len - stream->start;
}

static const uint8_t *peek(const SessionStream *stream)
{
    return stream->buffer->data + stream->start;
}

static void consume(SessionStream *stream, size_t size)
{
    stream->start += size;
    stream->position += size;
}

static SessionMessage *message_new(const Session *session, Side from, WireKind kind)
{
    SessionMessage *message = g_new0(SessionMessage, 1);

    message->from = from;
    message->kind = kind;
    message->phase = session->phase;
    message->inner = WIRE_KINDS;
    message->data = g_byte_array_new();
    message->position = session->stream[from].position;
    return message;
}

/* Takes the header KIND off the stream; NULL while it is not whole. */
static SessionMessage *take_header(Session *session, Side from, WireKind kind)
{
    SessionStream *stream = &session->stream[from];
    const WireLayout *layout = wire_layout(kind);

    if (available(stream) < layout->size)
        return NULL;
    SessionMessage *message = message_new(session, from, kind);
    wire_decode(kind, peek(stream), message->value);
    consume(stream, layout->size);
    return message;
}

/* Some bytes of known messages carry a layout of their own at their head. */
static void decode_inner(SessionMessage *message)
{
    WireKind inner = WIRE_KINDS;

    if (message->kind == WIRE_OPTION_REPLY && message->value[REPLY_TYPE] == NBD_REP_SERVER)
        inner = WIRE_REP_SERVER;
    else if (message->kind == WIRE_OPTION_REPLY && message->value[REPLY_TYPE] == NBD_REP_META_CONTEXT)
        inner = WIRE_META_CONTEXT;
    else if (message->kind == WIRE_OPTION_REPLY && message->value[REPLY_TYPE] == NBD_REP_INFO) {
        uint64_t type = message->data->len >= 2 ? wire_get(message->data->data, 2) : UINT64_MAX;
        if (type == NBD_INFO_EXPORT && message->data->len >= wire_layout(WIRE_INFO_EXPORT)->size)
            inner = WIRE_INFO_EXPORT;
        else if (type == NBD_INFO_BLOCK_SIZE &&
                 message->data->len >= wire_layout(WIRE_INFO_BLOCK_SIZE)->size)
            inner = WIRE_INFO_BLOCK_SIZE;
        else
            inner = WIRE_INFO;
    }
    if (inner == WIRE_KINDS || message->data->len < wire_layout(inner)->size)
        return;
    message->inner = inner;
    wire_decode(inner, message->data->data, message->inner_value);
}

/* Moves what has come of the partial message's data; returns the message once it is whole. */
static SessionMessage *continue_partial(SessionStream *stream)
{
    SessionMessage *partial = stream->partial;
    size_t take = (size_t)MIN(stream->remaining, available(stream));

    if (take > 0 && partial->data->len < stream->keep) {
        size_t room = (size_t)(stream->keep - partial->data->len);
        g_byte_array_append(partial->data, peek(stream), (guint)MIN(take, room));
    }
    consume(stream, take);
    stream->remaining -= take;
    if (stream->remaining > 0)
        return NULL;
    stream->partial = NULL;
    decode_inner(partial);
    return partial;
}

static SessionMessage *with_data(SessionStream *stream, SessionMessage *message, uint64_t length,
                                 uint64_t keep)
{
    message->data_length = length;
    stream->partial = message;
    stream->remaining = length;
    stream->keep = keep;
    return continue_partial(stream);
}

/* A header whose framing can't be believed: it is judged like any message, and is the last one. */
static SessionMessage *last_message(Session *session, Side from, SessionMessage *message)
{
    session_desynchronise(session, from);
    return message;
}

static SessionMessage *decode_greeting(Session *session)
{
    SessionStream *stream = &session->stream[SIDE_SERVER];
    size_t head = wire_layout(WIRE_GREETING)->size;

    if (available(stream) < head)
        return NULL;
    uint64_t value[WIRE_MAX_FIELDS];
    wire_decode(WIRE_GREETING, peek(stream), value);
    bool oldstyle = value[GREETING_MAGIC] == NBD_CLISERV_MAGIC;
    bool newstyle = value[GREETING_MAGIC] == NBD_IHAVEOPT;
    if (value[GREETING_PASSWD] != NBD_INIT_PASSWD || (!oldstyle && !newstyle))
        return last_message(session, SIDE_SERVER, take_header(session, SIDE_SERVER, WIRE_GREETING));

    WireKind inner = oldstyle ? WIRE_OLDSTYLE : WIRE_NEWSTYLE;
    uint64_t rest = wire_layout(inner)->size + (oldstyle ? NBD_ZEROES : 0);
    if (available(stream) < head + rest)
        return NULL;
    SessionMessage *message = take_header(session, SIDE_SERVER, WIRE_GREETING);
    message->hello = true;
    message = with_data(stream, message, rest, rest);
    message->inner = inner;
    wire_decode(inner, message->data->data, message->inner_value);
    return message;
}

static SessionMessage *decode_option_reply(Session *session)
{
    SessionStream *stream = &session->stream[SIDE_SERVER];
    SessionMessage *message = take_header(session, SIDE_SERVER, WIRE_OPTION_REPLY);

    if (message == NULL)
        return NULL;
    uint64_t length = message->value[REPLY_LENGTH];
    message->data_length = length;
    if (message->value[REPLY_MAGIC] != NBD_OPTION_REPLY_MAGIC || length > ABSURD)
        return last_message(session, SIDE_SERVER, message);
    return with_data(stream, message, length, SESSION_KEEP_OPTION_DATA);
}

static SessionMessage *decode_export(Session *session)
{
    SessionStream *stream = &session->stream[SIDE_SERVER];
    uint64_t zeroes = session->facts.no_zeroes ? 0 : NBD_ZEROES;

    if (available(stream) < wire_layout(WIRE_EXPORT)->size + zeroes)
        return NULL;
    SessionMessage *message = take_header(session, SIDE_SERVER, WIRE_EXPORT);
    return with_data(stream, message, zeroes, zeroes);
}

static SessionMessage *decode_simple_reply(Session *session)
{
    SessionStream *stream = &session->stream[SIDE_SERVER];
    SessionMessage *message = take_header(session, SIDE_SERVER, WIRE_SIMPLE_REPLY);

    if (message == NULL)
        return NULL;
    const SessionRequest *request = session_request(session, message->value[SIMPLE_REPLY_COOKIE]);
    if (request == NULL) /* whether a payload follows can't be known: mostly there is none */
        return message;
    message->answers = true;
    message->request = *request;
    uint64_t length = 0;
    if (request->command == NBD_CMD_READ && message->value[SIMPLE_REPLY_ERROR] == NBD_SUCCESS)
        length = request->length;
    return with_data(stream, message, length, SESSION_KEEP_PAYLOAD);
}

static SessionMessage *decode_chunk(Session *session)
{
    SessionStream *stream = &session->stream[SIDE_SERVER];
    SessionMessage *message = take_header(session, SIDE_SERVER, WIRE_CHUNK);

    if (message == NULL)
        return NULL;
    const SessionRequest *request = session_request(session, message->value[CHUNK_COOKIE]);
    if (request != NULL) {
        message->answers = true;
        message->request = *request;
    }
    return with_data(stream, message, message->value[CHUNK_LENGTH], SESSION_KEEP_PAYLOAD);
}

static SessionMessage *decode_reply(Session *session)
{
    SessionStream *stream = &session->stream[SIDE_SERVER];

    if (available(stream) < 4)
        return NULL;
    if (wire_get(peek(stream), 4) == NBD_STRUCTURED_REPLY_MAGIC)
        return decode_chunk(session);
    if (wire_get(peek(stream), 4) == NBD_SIMPLE_REPLY_MAGIC)
        return decode_simple_reply(session);
    SessionMessage *message = take_header(session, SIDE_SERVER, WIRE_SIMPLE_REPLY);
    return message == NULL ? NULL : last_message(session, SIDE_SERVER, message);
}

static SessionMessage *decode_server(Session *session)
{
    switch (session->phase) {
    case PHASE_GREETING:
        return decode_greeting(session);
    case PHASE_EXPORT:
        return decode_export(session);
    case PHASE_TRANSMISSION:
    case PHASE_DISCONNECTING:
        return decode_reply(session);
    case PHASE_CLIENT_FLAGS: /* nothing is due in these: what comes is judged as unasked */
    case PHASE_HAGGLING:
    case PHASE_REPLYING:
    case PHASE_ABORTED:
        return decode_option_reply(session);
    case PHASE_ENDED:
    case PHASE_COUNT:
        break;
    }
    return NULL;
}

static SessionMessage *decode_option(Session *session)
{
    SessionStream *stream = &session->stream[SIDE_CLIENT];
    SessionMessage *message = take_header(session, SIDE_CLIENT, WIRE_OPTION);

    if (message == NULL)
        return NULL;
    message->data_length = message->value[OPTION_LENGTH];
    if (message->value[OPTION_MAGIC] != NBD_IHAVEOPT)
        return last_message(session, SIDE_CLIENT, message);
    return with_data(stream, message, message->value[OPTION_LENGTH], SESSION_KEEP_OPTION_DATA);
}

static SessionMessage *decode_request(Session *session)
{
    SessionStream *stream = &session->stream[SIDE_CLIENT];
    SessionMessage *message = take_header(session, SIDE_CLIENT, WIRE_REQUEST);

    if (message == NULL)
        return NULL;
    if (message->value[REQUEST_MAGIC] != NBD_REQUEST_MAGIC)
        return last_message(session, SIDE_CLIENT, message);
    bool payload = message->value[REQUEST_TYPE] == NBD_CMD_WRITE;
    /* What was written is not looked at again: a little of it is enough for the transcript. */
    return with_data(stream, message, payload ? message->value[REQUEST_LENGTH] : 0, SESSION_EVIDENCE);
}

/* While the server may still be on its way into transmission, bytes that are no option are held back:
 * only its reply tells whether they are requests. */
static bool hold_client(const Session *session)
{
    const SessionStream *stream = &session->stream[SIDE_CLIENT];
    const SessionOption *oldest = g_queue_peek_head((GQueue *)&session->options);

    if (session->phase == PHASE_EXPORT)
        return true;
    if (session->phase != PHASE_REPLYING || oldest == NULL || oldest->option != NBD_OPT_GO)
        return false;
    return available(stream) < 4 || wire_get(peek(stream), 4) == NBD_REQUEST_MAGIC;
}

static SessionMessage *decode_client(Session *session)
{
    if (hold_client(session))
        return NULL;
    switch (session->phase) {
    case PHASE_CLIENT_FLAGS:
        return take_header(session, SIDE_CLIENT, WIRE_CLIENT_FLAGS);
    case PHASE_HAGGLING:
    case PHASE_REPLYING:
    case PHASE_ABORTED:
        return decode_option(session);
    case PHASE_TRANSMISSION:
    case PHASE_DISCONNECTING:
        return decode_request(session);
    case PHASE_GREETING: /* the greeting decides what these bytes are */
    case PHASE_EXPORT:
    case PHASE_ENDED:
    case PHASE_COUNT:
        break;
    }
    return NULL;
}

SessionMessage *session_decode(Session *session, Side from)
{
    SessionStream *stream = &session->stream[from];

    if (stream->desynchronised)
        return NULL;
    if (stream->partial != NULL)
        return continue_partial(stream);
    if (available(stream) == 0)
        return NULL;
    return from == SIDE_SERVER ? decode_server(session) : decode_client(session);
}
