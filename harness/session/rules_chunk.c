/* What chunks of a reply obey (proto.md, "Structured reply types"): their form, their errors, and the
 * content that answers READ. Most is known with the head of a chunk; an error's text and offset, when the
 * chunk is whole. What errors look like holds for mistaken requests, too. Of several things that are wrong with one chunk's place, the plainest is told. */
#include "session/private.h"

#define DEC "%" G_GUINT64_FORMAT

/* ---- Form ------------------------------------------------------------------------------------ */

static bool is_type(const SessionMessage *message, uint16_t type)
{
    return message->chunk.type == type;
}

static bool is_content(const SessionMessage *message)
{
    return is_type(message, NBD_REPLY_TYPE_OFFSET_DATA) ||
           is_type(message, NBD_REPLY_TYPE_OFFSET_HOLE);
}

static bool is_status(const SessionMessage *message)
{
    return is_type(message, NBD_REPLY_TYPE_BLOCK_STATUS) ||
           is_type(message, NBD_REPLY_TYPE_BLOCK_STATUS_EXT);
}

static bool type_fits(const SessionMessage *message)
{
    uint16_t command = message->request.command;

    if (is_content(message))
        return command == NBD_CMD_READ || wire_name(&wire_commands, command) == NULL;
    if (is_status(message))
        return command == NBD_CMD_BLOCK_STATUS || wire_name(&wire_commands, command) == NULL;
    return is_type(message, NBD_REPLY_TYPE_NONE) || message->chunk.is_error;
}

static char *chunk_type(const Session *session, const SessionMessage *message)
{
    if (session_pending_reply(session, message) == NULL || type_fits(message))
        return NULL;
    g_autofree char *type = wire_format(&wire_chunk_types, message->chunk.type);
    g_autofree char *command = wire_format(&wire_commands, message->request.command);
    return g_strdup_printf("a chunk of the type %s is no answer to %s", type, command);
}

static char *none_length(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!is_type(message, NBD_REPLY_TYPE_NONE) || message->chunk.length == 0)
        return NULL;
    return g_strdup_printf("a chunk NONE announces " DEC " bytes", message->chunk.length);
}

static char *none_done(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!is_type(message, NBD_REPLY_TYPE_NONE) || message->chunk.done)
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
    if (!is_type(message, NBD_REPLY_TYPE_OFFSET_DATA) || message->chunk.length >= 9 ||
        (message->chunk.length == 8 && answers_nothing(message)))
        return NULL;
    return g_strdup_printf("a data chunk is " DEC " bytes long, too short for an offset and data",
                           message->chunk.length);
}

static char *hole_length(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!is_type(message, NBD_REPLY_TYPE_OFFSET_HOLE) || message->chunk.length == 12)
        return NULL;
    return g_strdup_printf("a hole chunk is " DEC " bytes long, not 12", message->chunk.length);
}

static char *hole_size(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!is_type(message, NBD_REPLY_TYPE_OFFSET_HOLE) || message->chunk.length != 12 ||
        message->chunk.has_content || answers_nothing(message))
        return NULL;
    return g_strdup("a hole chunk describes a hole of 0 bytes");
}

static char *error_length(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!is_type(message, NBD_REPLY_TYPE_ERROR) || message->chunk.length >= 6)
        return NULL;
    return g_strdup_printf("an ERROR chunk is " DEC " bytes long, less than 6",
                           message->chunk.length);
}

static char *error_offset_length(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!is_type(message, NBD_REPLY_TYPE_ERROR_OFFSET) || message->chunk.length >= 14)
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
        (!is_content(message) && !is_status(message) && !message->chunk.is_error) ||
        length <= facts->maximum)
        return NULL;
    return g_strdup_printf("a chunk carries " DEC " bytes, over the maximum payload of %u", length,
                           facts->maximum);
}

/* ---- Content --------------------------------------------------------------------------------- */

/* What came of the reply before this chunk of content; NULL where that is not known or the chunk says
 * nothing. */
static const SessionPending *content_of(const Session *session, const SessionMessage *message)
{
    const SessionPending *pending = session_pending_reply(session, message);

    if (pending == NULL || !message->chunk.has_content || message->request.command != NBD_CMD_READ)
        return NULL;
    return pending;
}

static bool is_inside(const SessionMessage *message)
{
    return session_inside(&message->request, message->chunk.offset, message->chunk.size);
}

static bool overlaps(const SessionPending *pending, const SessionMessage *message)
{
    return session_overlapped(pending, message->chunk.offset,
                              message->chunk.offset + message->chunk.size) != NULL;
}

static char *content_bounds(const Session *session, const SessionMessage *message)
{
    if (content_of(session, message) == NULL || is_inside(message))
        return NULL;
    return g_strdup_printf("a content chunk describes " DEC " bytes from " DEC
                           " on, outside the request for " DEC " bytes from " DEC " on",
                           message->chunk.size, message->chunk.offset, message->request.length,
                           message->request.offset);
}

static char *content_overlap(const Session *session, const SessionMessage *message)
{
    const SessionPending *pending = content_of(session, message);

    if (pending == NULL || !is_inside(message) || !overlaps(pending, message))
        return NULL;
    const SessionRange *range = session_overlapped(pending, message->chunk.offset,
                                                   message->chunk.offset + message->chunk.size);
    return g_strdup_printf("a content chunk describes " DEC " bytes from " DEC
                           " on, of which earlier ones have described those from " DEC " to " DEC
                           " already",
                           message->chunk.size, message->chunk.offset, range->start, range->end);
}

static char *content_before_error(const Session *session, const SessionMessage *message)
{
    const SessionPending *pending = content_of(session, message);

    if (pending == NULL || pending->progress == NULL || !is_inside(message) ||
        overlaps(pending, message))
        return NULL;
    const GArray *failures = pending->progress->failures;
    for (guint i = 0; i < failures->len; i++) {
        uint64_t at = g_array_index(failures, uint64_t, i);
        if (at >= message->chunk.offset && at - message->chunk.offset < message->chunk.size)
            return g_strdup_printf("a content chunk comes for offset " DEC
                                   ", which was reported to have failed before",
                                   at);
    }
    return NULL;
}

static char *df_one_chunk(const Session *session, const SessionMessage *message)
{
    const SessionPending *pending = content_of(session, message);

    if (pending == NULL || !(message->request.flags & NBD_CMD_FLAG_DF) ||
        pending->reply.content_chunks != 1)
        return NULL;
    return g_strdup("a second content chunk comes for a READ with DF");
}

static char *df_eoverflow_content(const Session *session, const SessionMessage *message)
{
    const SessionPending *pending = session_pending_reply(session, message);

    if (pending == NULL || message->request.command != NBD_CMD_READ ||
        !(message->request.flags & NBD_CMD_FLAG_DF))
        return NULL;
    bool refused = pending->progress != NULL && pending->progress->overflowed;
    bool refuses = message->chunk.has_error && message->chunk.error == NBD_EOVERFLOW && !refused;
    if ((!is_content(message) || !refused) && (!refuses || pending->reply.content_chunks == 0))
        return NULL;
    return g_strdup("the reply to a READ with DF holds both content and EOVERFLOW");
}

static char *aligned_chunks(const Session *session, const SessionMessage *message)
{
    const SessionPending *pending = content_of(session, message);

    if (pending == NULL || !is_inside(message) || overlaps(pending, message) ||
        message->request.flags & NBD_CMD_FLAG_DF ||
        message->chunk.offset == message->request.offset || message->chunk.offset % 512 == 0)
        return NULL;
    return g_strdup_printf("a content chunk begins at " DEC
                           ", inside the request and at no multiple of 512",
                           message->chunk.offset);
}

/* What this chunk adds to the bytes that are covered. */
static uint64_t adds(const SessionPending *pending, const SessionMessage *message)
{
    if (!message->chunk.has_content || !is_inside(message) || overlaps(pending, message))
        return 0;
    return message->chunk.size;
}

/* A chunk that is wrong in itself has its finding already. */
static bool is_bad_content(const SessionPending *pending, const SessionMessage *message)
{
    return is_content(message) && adds(pending, message) == 0;
}

static char *covered_or_error(const Session *session, const SessionMessage *message)
{
    const SessionPending *pending = session_pending_reply(session, message);

    if (pending == NULL || !message->chunk.done || message->request.command != NBD_CMD_READ ||
        message->chunk.is_error || pending->reply.error_chunks > 0 || pending->reply.uncertain ||
        is_bad_content(pending, message) || !type_fits(message))
        return NULL;
    uint64_t covered = pending->reply.covered + adds(pending, message);
    if (covered == message->request.length)
        return NULL;
    return g_strdup_printf("the reply ends without an error, but its chunks cover " DEC
                           " of the " DEC " bytes of the request",
                           covered, message->request.length);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static char *error_once(const Session *session, const SessionMessage *message)
{
    const SessionPending *pending = session_pending_reply(session, message);

    if (pending == NULL || pending->progress == NULL || !is_type(message, NBD_REPLY_TYPE_ERROR) ||
        pending->progress->general != 1)
        return NULL;
    return g_strdup("a second ERROR chunk comes for one request");
}

static char *error_kinds(const Session *session, const SessionMessage *message)
{
    const SessionPending *pending = session_pending_reply(session, message);

    if (pending == NULL || pending->progress == NULL)
        return NULL;
    unsigned general = pending->progress->general, offset = pending->progress->with_offset;
    bool mixes = (is_type(message, NBD_REPLY_TYPE_ERROR) && general == 0 && offset > 0) ||
                 (is_type(message, NBD_REPLY_TYPE_ERROR_OFFSET) && offset == 0 && general > 0);
    return mixes ? g_strdup("ERROR and ERROR_OFFSET chunks come for one request") : NULL;
}

/* The same for an error with an offset, once it is whole. */
static const SessionPending *failure_of(const Session *session, const SessionMessage *message)
{
    return message->chunk.has_failure ? session_pending_reply(session, message) : NULL;
}

/* Commands whose offset and length mean a part of the export. */
static bool has_range(const SessionRequest *request)
{
    switch (request->command) {
    case NBD_CMD_READ:
    case NBD_CMD_WRITE:
    case NBD_CMD_TRIM:
    case NBD_CMD_CACHE:
    case NBD_CMD_WRITE_ZEROES:
        return request->length > 0;
    case NBD_CMD_BLOCK_STATUS: /* with a payload, the length is the payload's */
        return request->length > 0 && !(request->flags & NBD_CMD_FLAG_PAYLOAD_LEN);
    default:
        return false;
    }
}

static char *failure_bounds(const Session *session, const SessionMessage *message)
{
    if (failure_of(session, message) == NULL || !has_range(&message->request) ||
        session_inside(&message->request, message->chunk.failure, 1))
        return NULL;
    return g_strdup_printf("an error is reported for offset " DEC ", outside the request for " DEC
                           " bytes from " DEC " on",
                           message->chunk.failure, message->request.length,
                           message->request.offset);
}

static bool is_repeated(const SessionPending *pending, uint64_t failure)
{
    const SessionProgress *progress = pending->progress;

    for (guint i = 0; progress != NULL && i < progress->failures->len; i++)
        if (g_array_index(progress->failures, uint64_t, i) == failure)
            return true;
    return false;
}

static char *failure_repeated(const Session *session, const SessionMessage *message)
{
    const SessionPending *pending = failure_of(session, message);

    if (pending == NULL || !is_repeated(pending, message->chunk.failure))
        return NULL;
    return g_strdup_printf("an error is reported for offset " DEC " a second time",
                           message->chunk.failure);
}

static char *failure_one_per_chunk(const Session *session, const SessionMessage *message)
{
    const SessionPending *pending = failure_of(session, message);
    uint64_t failure = message->chunk.failure;

    if (pending == NULL || failure == UINT64_MAX || is_repeated(pending, failure))
        return NULL;
    const SessionRange *range = session_overlapped(pending, failure, failure + 1);
    if (range == NULL || range->joined || !range->failed)
        return NULL;
    return g_strdup_printf("errors are reported for the offsets " DEC " and " DEC
                           ", which came in one content chunk",
                           range->failure, failure);
}

static const SessionRule head_rules[] = {
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
    SESSION_RULE(content_bounds, REQ("transmission.chunk.content-bounds"), RULE_ALWAYS),
    SESSION_RULE(content_overlap, REQ("transmission.chunk.content-overlap"), RULE_ALWAYS),
    SESSION_RULE(content_before_error, REQ("transmission.read.content-before-error"), RULE_ALWAYS),
    SESSION_RULE(df_one_chunk, REQ("transmission.read.df-one-chunk"), RULE_ALWAYS),
    SESSION_RULE(df_eoverflow_content, REQ("transmission.read.df-eoverflow-no-content"),
                 RULE_ALWAYS),
    SESSION_RULE_ONCE(aligned_chunks, REQ("transmission.read.aligned-chunks"), RULE_ALWAYS),
    SESSION_RULE(covered_or_error, REQ("transmission.read.covered-or-error"), RULE_ALWAYS),
    SESSION_RULE(error_once, REQ("transmission.chunk.error-once"), RULE_ALWAYS),
    SESSION_RULE(error_kinds, REQ("transmission.chunk.error-kinds-mixed"), RULE_ALWAYS),
};
SESSION_RULES(session_chunk_content_rules, WIRE_CHUNK, head_rules);

static const SessionRule whole_rules[] = {
    SESSION_RULE(failure_bounds, REQ("transmission.chunk.error-offset-bounds"), RULE_ALWAYS),
    SESSION_RULE(failure_repeated, REQ("transmission.chunk.error-offset-repeated"), RULE_ALWAYS),
    SESSION_RULE(failure_one_per_chunk, REQ("transmission.chunk.error-offset-one-per-chunk"),
                 RULE_ALWAYS),
};
SESSION_RULES_WHOLE(session_chunk_whole_rules, WIRE_CHUNK, whole_rules);
