/* Framing: where a message begins and ends follows from the phase; decode_transmission.c has the requests
 * and their replies. What can't be framed is judged, and ends the decoding. */
#include <string.h>

#include "session/private.h"

/* An option reply that is longer, and of a type that can't be, is not waited for: it has broken its
 * format already, and its sender may never send so much. */
#define ABSURD (1u << 20)

size_t session_available(const SessionStream *stream)
{
    return stream->buffer->len - stream->start;
}

const uint8_t *session_peek(const SessionStream *stream)
{
    return stream->buffer->data + stream->start;
}

void session_consume(SessionStream *stream, size_t size)
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

SessionMessage *session_take_header(Session *session, Side from, WireKind kind)
{
    SessionStream *stream = &session->stream[from];
    const WireLayout *layout = wire_layout(kind);

    if (session_available(stream) < layout->size)
        return NULL;
    SessionMessage *message = message_new(session, from, kind);
    wire_decode(kind, session_peek(stream), message->value);
    session_consume(stream, layout->size);
    return message;
}

/* Some bytes of known messages carry a layout of their own at their head. */
static void decode_inner(SessionMessage *message)
{
    WireKind inner = WIRE_KINDS;

    if (message->kind == WIRE_OPTION_REPLY && message->value[REPLY_TYPE] == NBD_REP_SERVER)
        inner = WIRE_REP_SERVER;
    else if (message->kind == WIRE_OPTION_REPLY &&
             message->value[REPLY_TYPE] == NBD_REP_META_CONTEXT)
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

SessionMessage *session_continue(SessionStream *stream)
{
    SessionMessage *partial = stream->partial;
    size_t take = (size_t)MIN(stream->remaining, session_available(stream));

    if (take > 0 && partial->data->len < stream->keep) {
        size_t room = (size_t)(stream->keep - partial->data->len);
        g_byte_array_append(partial->data, session_peek(stream), (guint)MIN(take, room));
    }
    session_consume(stream, take);
    stream->remaining -= take;
    if (stream->remaining > 0)
        return NULL;
    stream->partial = NULL;
    if (session_message_is_chunk(partial))
        session_chunk_finish(partial);
    else
        decode_inner(partial);
    return partial;
}

SessionMessage *session_with_data(SessionStream *stream, SessionMessage *message, uint64_t length,
                                  uint64_t keep)
{
    message->data_length = length;
    stream->partial = message;
    stream->remaining = length;
    stream->keep = keep;
    return message;
}

SessionMessage *session_last_message(SessionStream *stream, SessionMessage *message)
{
    stream->partial = message;
    stream->remaining = 0;
    stream->last = true;
    return message;
}

/* ---- The server's bytes ---------------------------------------------------------------------- */

static SessionMessage *decode_greeting(Session *session)
{
    SessionStream *stream = &session->stream[SIDE_SERVER];
    size_t head = wire_layout(WIRE_GREETING)->size;

    if (session_available(stream) < head)
        return NULL;
    uint64_t value[WIRE_MAX_FIELDS];
    wire_decode(WIRE_GREETING, session_peek(stream), value);
    bool oldstyle = value[GREETING_MAGIC] == NBD_CLISERV_MAGIC;
    bool newstyle = value[GREETING_MAGIC] == NBD_IHAVEOPT;
    if (value[GREETING_PASSWD] != NBD_INIT_PASSWD || (!oldstyle && !newstyle))
        return session_last_message(stream,
                                    session_take_header(session, SIDE_SERVER, WIRE_GREETING));

    WireKind inner = oldstyle ? WIRE_OLDSTYLE : WIRE_NEWSTYLE;
    uint64_t rest = wire_layout(inner)->size + (oldstyle ? NBD_ZEROES : 0);
    if (session_available(stream) < head + rest)
        return NULL;
    SessionMessage *message = session_take_header(session, SIDE_SERVER, WIRE_GREETING);
    message->hello = true;
    message->inner = inner;
    wire_decode(inner, session_peek(stream), message->inner_value);
    return session_with_data(stream, message, rest, rest);
}

/* The greeting ends the server's part until the client's flags have come. */
static void refuse_early_bytes(Session *session)
{
    session_find_stray(session, SIDE_SERVER, REQ("handshake.newstyle.greeting"),
                       g_strdup("bytes follow the greeting, before the client has sent its flags"));
    session_desynchronise(session, SIDE_SERVER);
}

/* How much of the data a reply of this type needs to show that it can't be so long. UINT64_MAX: it
 * can. */
static uint64_t absurd_head(const Session *session, uint64_t type, const uint8_t *data,
                            size_t there)
{
    const SessionOption *option = session_current_option(session);

    if (type == NBD_REP_SERVER || type == NBD_REP_META_CONTEXT)
        return 4;
    if (type == NBD_REP_INFO) /* types that we do not know may be as long as they like */
        return there >= 2 && wire_name(&wire_info_types, wire_get(data, 2)) == NULL ? UINT64_MAX
                                                                                    : 2;
    bool foreign = option != NULL && wire_name(&wire_options, option->option) == NULL;
    return foreign && wire_name(&wire_reply_types, type) == NULL ? UINT64_MAX : 0;
}

static SessionMessage *decode_option_reply(Session *session)
{
    SessionStream *stream = &session->stream[SIDE_SERVER];
    size_t head = wire_layout(WIRE_OPTION_REPLY)->size;
    uint64_t value[WIRE_MAX_FIELDS];

    if (session_available(stream) < head)
        return NULL;
    wire_decode(WIRE_OPTION_REPLY, session_peek(stream), value);
    if (value[REPLY_MAGIC] != NBD_OPTION_REPLY_MAGIC)
        return session_last_message(stream,
                                    session_take_header(session, SIDE_SERVER, WIRE_OPTION_REPLY));
    uint64_t shown = UINT64_MAX;
    size_t there = session_available(stream) - head;
    if (value[REPLY_LENGTH] > ABSURD)
        shown = absurd_head(session, value[REPLY_TYPE], session_peek(stream) + head, there);
    if (shown != UINT64_MAX && there < shown)
        return NULL;
    SessionMessage *message = session_take_header(session, SIDE_SERVER, WIRE_OPTION_REPLY);
    if (shown == UINT64_MAX)
        return session_with_data(stream, message, value[REPLY_LENGTH], SESSION_KEEP_OPTION_DATA);
    message->data_length = value[REPLY_LENGTH];
    g_byte_array_append(message->data, session_peek(stream), (guint)shown);
    session_consume(stream, (size_t)shown);
    return session_last_message(stream, message);
}

/* A server that refuses EXPORT_NAME has to hang up, but some answer as they would another option.
 * Their reply's magic would be an export of 1 PiB; the zeroes behind it, flags without HAS_FLAGS.
 */
static bool is_option_reply(const SessionStream *stream)
{
    return wire_get(session_peek(stream), 8) == NBD_OPTION_REPLY_MAGIC &&
           wire_get(session_peek(stream) + 8, 2) == 0;
}

bool session_lacks_zeroes(const Session *session)
{
    const SessionStream *stream = &session->stream[SIDE_SERVER];

    return session->phase == PHASE_EXPORT && !stream->desynchronised &&
           session_available(stream) >= wire_layout(WIRE_EXPORT)->size && !is_option_reply(stream);
}

static SessionMessage *decode_export(Session *session)
{
    SessionStream *stream = &session->stream[SIDE_SERVER];
    size_t head = wire_layout(WIRE_EXPORT)->size;
    bool wanted = (session->facts.client_flags & NBD_FLAG_C_NO_ZEROES) != 0;

    if (session_available(stream) < head)
        return NULL;
    if (is_option_reply(stream)) {
        SessionMessage *refusal = session_take_header(session, SIDE_SERVER, WIRE_OPTION_REPLY);
        return refusal == NULL ? NULL : session_last_message(stream, refusal);
    }
    if (wanted && !session->facts.no_zeroes) /* not offered: the server may do as it pleases */
        return session_last_message(stream, session_take_header(session, SIDE_SERVER, WIRE_EXPORT));
    uint64_t zeroes = wanted ? 0 : NBD_ZEROES;
    if (session_available(stream) < head + zeroes)
        return NULL;
    SessionMessage *message = session_take_header(session, SIDE_SERVER, WIRE_EXPORT);
    return session_with_data(stream, message, zeroes, zeroes);
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
        return session_decode_reply(session);
    case PHASE_CLIENT_FLAGS:
        if (session_available(&session->stream[SIDE_CLIENT]) == 0)
            refuse_early_bytes(session);
        break;
    case PHASE_HAGGLING: /* here and after ABORT nothing is due: what comes is unasked */
    case PHASE_REPLYING:
    case PHASE_ABORTED:
        return decode_option_reply(session);
    case PHASE_TLS:
        session_pass_records(session, SIDE_SERVER);
        break;
    case PHASE_ENDED:
    case PHASE_COUNT:
        break;
    }
    return NULL;
}

/* ---- The client's bytes ---------------------------------------------------------------------- */

static SessionMessage *decode_option(Session *session)
{
    SessionStream *stream = &session->stream[SIDE_CLIENT];
    SessionMessage *message = session_take_header(session, SIDE_CLIENT, WIRE_OPTION);

    if (message == NULL)
        return NULL;
    if (message->value[OPTION_MAGIC] != NBD_IHAVEOPT)
        return session_last_message(stream, message);
    return session_with_data(stream, message, message->value[OPTION_LENGTH],
                             SESSION_KEEP_OPTION_DATA);
}

/* While the server may still be on its way into transmission, bytes that are no option are held
 * back: only its reply tells what they are. */
static bool hold_client(const Session *session)
{
    const SessionStream *stream = &session->stream[SIDE_CLIENT];
    const SessionOption *latest = g_queue_peek_tail((GQueue *)&session->options);

    if (latest == NULL || (latest->option != NBD_OPT_EXPORT_NAME && latest->option != NBD_OPT_GO))
        return false;
    return latest->option == NBD_OPT_EXPORT_NAME || session_available(stream) < 4 ||
           wire_get(session_peek(stream), 4) != NBD_IHAVEOPT >> 32;
}

static SessionMessage *decode_client(Session *session)
{
    if (hold_client(session))
        return NULL;
    switch (session->phase) {
    case PHASE_CLIENT_FLAGS: {
        SessionStream *stream = &session->stream[SIDE_CLIENT];
        SessionMessage *flags = session_take_header(session, SIDE_CLIENT, WIRE_CLIENT_FLAGS);
        return flags == NULL ? NULL : session_with_data(stream, flags, 0, 0);
    }
    case PHASE_HAGGLING:
    case PHASE_REPLYING:
    case PHASE_ABORTED:
        return decode_option(session);
    case PHASE_TRANSMISSION:
    case PHASE_DISCONNECTING:
        return session_decode_request(session);
    case PHASE_TLS:
        session_pass_records(session, SIDE_CLIENT);
        break;
    case PHASE_GREETING: /* the greeting decides what these bytes are */
    case PHASE_EXPORT:
    case PHASE_ENDED:
    case PHASE_COUNT:
        break;
    }
    return NULL;
}

/* True while what has come of the client can't be told apart before the server speaks. */
static bool awaits_server(const Session *session)
{
    return session->phase == PHASE_GREETING || session->phase == PHASE_EXPORT ||
           hold_client(session);
}

bool session_cut(const Session *session, Side from)
{
    const SessionStream *stream = &session->stream[from];

    if (stream->partial != NULL)
        return true;
    return session_available(stream) > 0 && (from == SIDE_SERVER || !awaits_server(session));
}

SessionMessage *session_decode(Session *session, Side from)
{
    const SessionStream *stream = &session->stream[from];

    if (stream->desynchronised || session_available(stream) == 0)
        return NULL;
    return from == SIDE_SERVER ? decode_server(session) : decode_client(session);
}
