/* Framing in the transmission phase, where it follows from what was negotiated, and for simple replies from
 * the request in flight; and in the TLS handshake, where no message of ours is due. */
#include <string.h>

#include "session/private.h"

/* ---- Replies --------------------------------------------------------------------------------- */

/* A reply that is not asked for may have a payload all the same. */
static bool could_have_payload(const Session *session, const SessionMessage *message)
{
    return message->value[SIMPLE_REPLY_ERROR] == NBD_SUCCESS && !session->facts.structured &&
           (session->reads > 0 ||
            session_was_answered(session, message->value[SIMPLE_REPLY_COOKIE]) == NBD_CMD_READ);
}

/* The requests that the message with COOKIE answers; the oldest is copied into it. */
static const SessionInFlight *find_request(const Session *session, SessionMessage *message,
                                           uint64_t cookie)
{
    const SessionInFlight *waiting = session_waiting(session, cookie);

    if (waiting != NULL) {
        const SessionPending *oldest = waiting->requests.head->data;
        message->answers = true;
        message->request = oldest->request;
    }
    return waiting;
}

static SessionMessage *decode_simple_reply(Session *session)
{
    SessionStream *stream = &session->stream[SIDE_SERVER];
    SessionMessage *message = session_take_header(session, SIDE_SERVER, WIRE_SIMPLE_REPLY);

    if (message == NULL)
        return NULL;
    const SessionInFlight *waiting =
        find_request(session, message, message->value[SIMPLE_REPLY_COOKIE]);
    if (waiting == NULL && could_have_payload(session, message))
        return session_last_message(stream, message);
    if (waiting == NULL)
        return session_with_data(stream, message, 0, 0);
    if (waiting->ambiguous)
        return session_last_message(stream, message);
    uint64_t length = 0;
    if (message->request.command == NBD_CMD_READ &&
        message->value[SIMPLE_REPLY_ERROR] == NBD_SUCCESS)
        length = message->request.length;
    return session_with_data(stream, message, length, SESSION_KEEP_PAYLOAD);
}

/* A chunk is taken with the head of its payload, which tells what it is about. */
static SessionMessage *decode_chunk(Session *session, WireKind kind)
{
    SessionStream *stream = &session->stream[SIDE_SERVER];
    const WireLayout *layout = wire_layout(kind);
    uint64_t value[WIRE_MAX_FIELDS];

    if (session_available(stream) < layout->size)
        return NULL;
    wire_decode(kind, session_peek(stream), value);
    uint16_t type = (uint16_t)value[CHUNK_TYPE];
    uint64_t length = value[layout->count - 1];
    size_t head = (size_t)MIN(session_chunk_head(type), length);
    if (session_available(stream) < layout->size + head)
        return NULL;
    SessionMessage *message = session_take_header(session, SIDE_SERVER, kind);
    session_chunk_begin(message, session_peek(stream), head);
    find_request(session, message, value[CHUNK_COOKIE]);
    return session_with_data(stream, message, length, session_chunk_keep(type));
}

SessionMessage *session_decode_reply(Session *session)
{
    SessionStream *stream = &session->stream[SIDE_SERVER];

    if (session_available(stream) < 4)
        return NULL;
    switch (wire_get(session_peek(stream), 4)) {
    case NBD_STRUCTURED_REPLY_MAGIC:
        return decode_chunk(session, WIRE_CHUNK);
    case NBD_EXTENDED_REPLY_MAGIC:
        return decode_chunk(session, WIRE_EXTENDED_REPLY);
    case NBD_SIMPLE_REPLY_MAGIC:
        return decode_simple_reply(session);
    default: {
        SessionMessage *message = session_take_header(session, SIDE_SERVER, WIRE_SIMPLE_REPLY);
        return message == NULL ? NULL : session_last_message(stream, message);
    }
    }
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* DISC is the last that a client sends. */
static void refuse_late_bytes(Session *session)
{
    session->disc_followed = true;
    session_find_stray(session, SIDE_CLIENT, REQ("transmission.disc.client-last"),
                       g_strdup("something is sent after DISC"));
}

static bool has_payload(const SessionMessage *message)
{
    if (message->kind == WIRE_EXTENDED_REQUEST)
        return (message->value[REQUEST_FLAGS] & NBD_CMD_FLAG_PAYLOAD_LEN) != 0;
    return message->value[REQUEST_TYPE] == NBD_CMD_WRITE;
}

/* The form that was negotiated, except where the magic says clearly that it is the other. Then nobody can
 * tell what a server makes of it, and it is the last request that is looked at. */
SessionMessage *session_decode_request(Session *session)
{
    SessionStream *stream = &session->stream[SIDE_CLIENT];
    WireKind kind = session->facts.extended ? WIRE_EXTENDED_REQUEST : WIRE_REQUEST;
    uint32_t magic = session->facts.extended ? NBD_EXTENDED_REQUEST_MAGIC : NBD_REQUEST_MAGIC;

    if (session->phase == PHASE_DISCONNECTING && !session->disc_followed)
        refuse_late_bytes(session);
    if (session_available(stream) < 4)
        return NULL;
    if (wire_get(session_peek(stream), 4) != magic)
        kind = WIRE_REQUEST;
    SessionMessage *message = session_take_header(session, SIDE_CLIENT, kind);
    if (message == NULL)
        return NULL;
    if (message->value[REQUEST_MAGIC] != magic)
        return session_last_message(stream, message);
    /* What was written is not looked at again: a little of it is enough for the transcript. */
    return session_with_data(stream, message,
                             has_payload(message) ? message->value[REQUEST_LENGTH] : 0,
                             SESSION_EVIDENCE);
}

/* ---- TLS's records --------------------------------------------------------------------------- */

#define RECORD_HEAD 5u /* type, version, length */
#define FIRST_RECORD_TYPE 20
#define LAST_RECORD_TYPE 24

/* A version of 3.x has been TLS's, in its records, ever since SSL 3. */
static bool could_be_record(const uint8_t *bytes, size_t size)
{
    if (size > 0 && (bytes[0] < FIRST_RECORD_TYPE || bytes[0] > LAST_RECORD_TYPE))
        return false;
    return size < 2 || bytes[1] == 3;
}

static void pass_record(SessionStream *stream)
{
    size_t size = (size_t)MIN(session_available(stream), stream->record);

    session_consume(stream, size);
    stream->record -= size;
}

void session_pass_records(Session *session, Side from)
{
    SessionStream *stream = &session->stream[from];

    pass_record(stream);
    while (session_available(stream) > 0) {
        const uint8_t *head = session_peek(stream);
        if (!could_be_record(head, session_available(stream))) {
            /* A client that goes on in plain text gives no leave to answer it: the session ends
             * (proto.md:574, 581). */
            session_find_unexcused(
                session, from, REQ("tls.handshake.only-tls"),
                g_strdup("behind the ACK to STARTTLS come bytes that are no record of TLS"));
            session_desynchronise(session, from);
            return;
        }
        if (session_available(stream) < RECORD_HEAD)
            return;
        stream->record = wire_get(head + 3, 2);
        session_consume(stream, RECORD_HEAD);
        pass_record(stream);
    }
}
