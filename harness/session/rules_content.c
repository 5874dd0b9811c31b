/* The content that answers READ, in chunks: where it may be, and that it is all there (proto.md, "Structured reply
 * types"). Of several things that are wrong with one chunk's place, the plainest is told. */
#include "session/private.h"

#define DEC "%" G_GUINT64_FORMAT

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
    if ((!session_chunk_is_content(message) || !refused) &&
        (!refuses || pending->reply.content_chunks == 0))
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
    return session_chunk_is_content(message) && adds(pending, message) == 0;
}

static char *covered_or_error(const Session *session, const SessionMessage *message)
{
    const SessionPending *pending = session_pending_reply(session, message);

    if (pending == NULL || !message->chunk.done || message->request.command != NBD_CMD_READ ||
        message->chunk.is_error || pending->reply.error_chunks > 0 || pending->reply.uncertain ||
        is_bad_content(pending, message) || !session_chunk_fits(message))
        return NULL;
    uint64_t covered = pending->reply.covered + adds(pending, message);
    if (covered == message->request.length)
        return NULL;
    return g_strdup_printf("the reply ends without an error, but its chunks cover " DEC
                           " of the " DEC " bytes of the request",
                           covered, message->request.length);
}

static const SessionRule rules[] = {
    SESSION_RULE(content_bounds, REQ("transmission.chunk.content-bounds"), RULE_ALWAYS),
    SESSION_RULE(content_overlap, REQ("transmission.chunk.content-overlap"), RULE_ALWAYS),
    SESSION_RULE(content_before_error, REQ("transmission.read.content-before-error"), RULE_ALWAYS),
    SESSION_RULE(df_one_chunk, REQ("transmission.read.df-one-chunk"), RULE_ALWAYS),
    SESSION_RULE(df_eoverflow_content, REQ("transmission.read.df-eoverflow-no-content"),
                 RULE_ALWAYS),
    SESSION_RULE_ONCE(aligned_chunks, REQ("transmission.read.aligned-chunks"), RULE_ALWAYS),
    SESSION_RULE(covered_or_error, REQ("transmission.read.covered-or-error"), RULE_ALWAYS),
};
SESSION_RULES(session_chunk_content_rules, WIRE_CHUNK, rules);
