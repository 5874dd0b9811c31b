/* Errors in the chunks of one reply: how many of which kind, and the offsets that they are about (proto.md,
 * "Structured reply types"). An offset is known when the chunk is whole. However mistaken a request is, its
 * errors have the same form; only of what lies nowhere a server may have made what it can. */
#include "session/private.h"

#define DEC "%" G_GUINT64_FORMAT

static char *error_once(const Session *session, const SessionMessage *message)
{
    const SessionPending *pending = session_pending_reply(session, message);

    if (pending == NULL || pending->progress == NULL ||
        !session_chunk_is(message, NBD_REPLY_TYPE_ERROR) || pending->progress->general != 1)
        return NULL;
    return g_strdup("a second ERROR chunk comes for one request");
}

static char *error_kinds(const Session *session, const SessionMessage *message)
{
    const SessionPending *pending = session_pending_reply(session, message);

    if (pending == NULL || pending->progress == NULL)
        return NULL;
    unsigned general = pending->progress->general, offset = pending->progress->with_offset;
    bool mixes =
        (session_chunk_is(message, NBD_REPLY_TYPE_ERROR) && general == 0 && offset > 0) ||
        (session_chunk_is(message, NBD_REPLY_TYPE_ERROR_OFFSET) && offset == 0 && general > 0);
    return mixes ? g_strdup("ERROR and ERROR_OFFSET chunks come for one request") : NULL;
}

/* What came of the reply before this error with an offset, once it is whole. */
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

/* The request begins at a block of the export, and doesn't run into 2^64: there is no need to take it for another. */
static bool is_placed(const Session *session, const SessionRequest *request)
{
    uint64_t minimum = session->minimum;

    return request->offset < session->facts.size &&
           request->length <= UINT64_MAX - request->offset &&
           (minimum == 0 || request->offset % minimum == 0);
}

static char *failure_bounds(const Session *session, const SessionMessage *message)
{
    if (failure_of(session, message) == NULL || !has_range(&message->request) ||
        !is_placed(session, &message->request) ||
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
    SESSION_RULE(error_once, REQ("transmission.chunk.error-once"), RULE_EVEN_TAINTED),
    SESSION_RULE(error_kinds, REQ("transmission.chunk.error-kinds-mixed"), RULE_EVEN_TAINTED),
};
SESSION_RULES(session_chunk_failure_rules, WIRE_CHUNK, head_rules);

static const SessionRule whole_rules[] = {
    SESSION_RULE(failure_bounds, REQ("transmission.chunk.error-offset-bounds"), RULE_EVEN_TAINTED),
    SESSION_RULE(failure_repeated, REQ("transmission.chunk.error-offset-repeated"),
                 RULE_EVEN_TAINTED),
    SESSION_RULE(failure_one_per_chunk, REQ("transmission.chunk.error-offset-one-per-chunk"),
                 RULE_EVEN_TAINTED),
};
SESSION_RULES_WHOLE(session_chunk_whole_rules, WIRE_CHUNK, whole_rules);
