/* What form chunks of a reply have (proto.md, "Structured reply types"), each by itself. All of it is known with the
 * head of a chunk. What errors look like holds for mistaken requests, too. */
#include "session/private.h"

#define DEC "%" G_GUINT64_FORMAT

bool session_chunk_is(const SessionMessage *message, uint16_t type)
{
    return message->chunk.type == type;
}

bool session_chunk_is_content(const SessionMessage *message)
{
    return session_chunk_is(message, NBD_REPLY_TYPE_OFFSET_DATA) ||
           session_chunk_is(message, NBD_REPLY_TYPE_OFFSET_HOLE);
}

static bool is_status(const SessionMessage *message)
{
    return session_chunk_is(message, NBD_REPLY_TYPE_BLOCK_STATUS) ||
           session_chunk_is(message, NBD_REPLY_TYPE_BLOCK_STATUS_EXT);
}

bool session_chunk_fits(const SessionMessage *message)
{
    uint16_t command = message->request.command;

    if (session_chunk_is_content(message))
        return command == NBD_CMD_READ || wire_name(&wire_commands, command) == NULL;
    if (is_status(message))
        return command == NBD_CMD_BLOCK_STATUS || wire_name(&wire_commands, command) == NULL;
    if (session_chunk_is(message, NBD_REPLY_TYPE_ERROR_OFFSET) && command == NBD_CMD_FLUSH)
        return false; /* no offset lies within what it is about */
    return session_chunk_is(message, NBD_REPLY_TYPE_NONE) || message->chunk.is_error;
}

static char *chunk_type(const Session *session, const SessionMessage *message)
{
    if (session_pending_reply(session, message) == NULL || session_chunk_fits(message))
        return NULL;
    g_autofree char *type = wire_format(&wire_chunk_types, message->chunk.type);
    g_autofree char *command = wire_format(&wire_commands, message->request.command);
    return g_strdup_printf("a chunk of the type %s is no answer to %s", type, command);
}

static char *none_length(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!session_chunk_is(message, NBD_REPLY_TYPE_NONE) || message->chunk.length == 0)
        return NULL;
    return g_strdup_printf("a chunk NONE announces " DEC " bytes", message->chunk.length);
}

static char *none_done(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!session_chunk_is(message, NBD_REPLY_TYPE_NONE) || message->chunk.done)
        return NULL;
    return g_strdup("a chunk NONE has DONE not set");
}

/* A READ of no bytes: what the server does then is unspecified (proto.md:1954). */
static bool answers_nothing(const SessionMessage *message)
{
    return message->answers && message->request.command == NBD_CMD_READ &&
           message->request.length == 0;
}

static char *data_length(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!session_chunk_is(message, NBD_REPLY_TYPE_OFFSET_DATA) || message->chunk.length >= 9 ||
        (message->chunk.length == 8 && answers_nothing(message)))
        return NULL;
    return g_strdup_printf("a data chunk is " DEC " bytes long, too short for an offset and data",
                           message->chunk.length);
}

static char *hole_length(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!session_chunk_is(message, NBD_REPLY_TYPE_OFFSET_HOLE) || message->chunk.length == 12)
        return NULL;
    return g_strdup_printf("a hole chunk is " DEC " bytes long, not 12", message->chunk.length);
}

static char *hole_size(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!session_chunk_is(message, NBD_REPLY_TYPE_OFFSET_HOLE) || message->chunk.length != 12 ||
        message->chunk.has_content || answers_nothing(message))
        return NULL;
    return g_strdup("a hole chunk describes a hole of 0 bytes");
}

static char *error_length(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!session_chunk_is(message, NBD_REPLY_TYPE_ERROR) || message->chunk.length >= 6)
        return NULL;
    return g_strdup_printf("an ERROR chunk is " DEC " bytes long, less than 6",
                           message->chunk.length);
}

static char *error_offset_length(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!session_chunk_is(message, NBD_REPLY_TYPE_ERROR_OFFSET) || message->chunk.length >= 14)
        return NULL;
    return g_strdup_printf("an ERROR_OFFSET chunk is " DEC " bytes long, less than 14",
                           message->chunk.length);
}

static char *error_nonzero(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!message->chunk.has_error || message->chunk.error != 0)
        return NULL;
    return g_strdup("an error chunk reports the error 0");
}

/* What of an error chunk is its text's, at most. */
static uint64_t text_room(const SessionChunk *chunk)
{
    uint64_t fixed = chunk->type == NBD_REPLY_TYPE_ERROR_OFFSET ? 14 : 6;

    return chunk->length < fixed ? UINT64_MAX : chunk->length - fixed;
}

static char *message_fits(const Session *session, const SessionMessage *message)
{
    const SessionChunk *chunk = &message->chunk;

    (void)session;
    if (!chunk->has_error || chunk->text_length <= text_room(chunk))
        return NULL;
    return g_strdup_printf("an error chunk of " DEC " bytes announces a text of %u", chunk->length,
                           chunk->text_length);
}

static char *message_max(const Session *session, const SessionMessage *message)
{
    const SessionChunk *chunk = &message->chunk;

    (void)session;
    if (!chunk->has_error || chunk->text_length > text_room(chunk) ||
        chunk->text_length <= NBD_MAX_STRING)
        return NULL;
    return g_strdup_printf("the text of an error chunk is %u bytes long", chunk->text_length);
}

/* The part of a chunk that has no fixed length. */
static uint64_t variable_part(const SessionChunk *chunk)
{
    if (chunk->is_error)
        return chunk->text_length;
    size_t head = session_chunk_head(chunk->type);
    return chunk->length <= head ? 0 : chunk->length - head;
}

static char *maximum_payload(const Session *session, const SessionMessage *message)
{
    const SessionFacts *facts = &session->facts;
    uint64_t length = variable_part(&message->chunk);

    if (!session->entered_by_go || !facts->block_size_given || !message->answers ||
        (!session_chunk_is_content(message) && !is_status(message) && !message->chunk.is_error) ||
        length <= facts->maximum)
        return NULL;
    return g_strdup_printf("a chunk carries " DEC " bytes, over the maximum payload of %u", length,
                           facts->maximum);
}

static const SessionRule rules[] = {
    SESSION_RULE(chunk_type, REQ("transmission.chunk.type"), RULE_ALWAYS),
    SESSION_RULE(none_length, REQ("transmission.chunk.none-length"), RULE_ALWAYS),
    SESSION_RULE(none_done, REQ("transmission.chunk.none-done"), RULE_ALWAYS),
    SESSION_RULE(data_length, REQ("transmission.chunk.data-length"), RULE_ALWAYS),
    SESSION_RULE(hole_length, REQ("transmission.chunk.hole-length"), RULE_ALWAYS),
    SESSION_RULE(hole_size, REQ("transmission.chunk.hole-size"), RULE_ALWAYS),
    SESSION_RULE(error_length, REQ("transmission.chunk.error-length"), RULE_EVEN_TAINTED),
    SESSION_RULE(error_offset_length, REQ("transmission.chunk.error-offset-length"),
                 RULE_EVEN_TAINTED),
    SESSION_RULE(error_nonzero, REQ("transmission.chunk.error-nonzero"), RULE_EVEN_TAINTED),
    SESSION_RULE(message_fits, REQ("transmission.chunk.error-message-fits"), RULE_EVEN_TAINTED),
    SESSION_RULE(message_max, REQ("transmission.chunk.error-message-max"), RULE_EVEN_TAINTED),
    SESSION_RULE(maximum_payload, REQ("transmission.chunk.maximum-payload"), RULE_ALWAYS),
};
SESSION_RULES(session_chunk_form_rules, WIRE_CHUNK, rules);
