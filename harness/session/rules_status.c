/* What the chunks of a reply to BLOCK_STATUS obey, in both of their forms: the 64-bit extents of extended
 * headers have requirements of their own where their layout is concerned. */
#include <string.h>

#include "session/private.h"

#define DEC "%" G_GUINT64_FORMAT
#define MANY (1u << 20)

static bool is_wide(const SessionMessage *message)
{
    return message->chunk.type == NBD_REPLY_TYPE_BLOCK_STATUS_EXT;
}

static bool is_status(const SessionMessage *message)
{
    return is_wide(message) || message->chunk.type == NBD_REPLY_TYPE_BLOCK_STATUS;
}

/* The descriptors that fit the chunk's length, which is well formed. */
static uint64_t descriptors(const SessionMessage *message)
{
    uint64_t head = is_wide(message) ? 8 : 4, size = is_wide(message) ? 16 : 8;
    uint64_t length = message->chunk.length;

    return length < head + size || (length - head) % size != 0 ? 0 : (length - head) / size;
}

/* A chunk of status that answers a request for it and can be read. */
static bool answers_status(const Session *session, const SessionMessage *message)
{
    return is_status(message) && descriptors(message) > 0 &&
           session_pending_reply(session, message) != NULL &&
           message->request.command == NBD_CMD_BLOCK_STATUS;
}

/* With a payload, the request's length is not that of the range that it asks about. */
static bool asks_range(const SessionMessage *message)
{
    return message->request.length > 0 && !(message->request.flags & NBD_CMD_FLAG_PAYLOAD_LEN);
}

/* What the server does then is unspecified (proto.md:2229). */
static bool asks_nothing(const SessionMessage *message)
{
    return message->request.length == 0 && !(message->request.flags & NBD_CMD_FLAG_PAYLOAD_LEN);
}

static bool asks_one(const SessionMessage *message)
{
    return (message->request.flags & NBD_CMD_FLAG_REQ_ONE) != 0;
}

/* ---- With the head --------------------------------------------------------------------------- */

static char *bad_length(const SessionMessage *message)
{
    return g_strdup_printf("a status chunk is " DEC " bytes long, which is no %s",
                           message->chunk.length,
                           is_wide(message) ? "8 + 16 for each extent" : "4 + 8 for each extent");
}

static char *status_length(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!is_status(message) || is_wide(message) || descriptors(message) > 0)
        return NULL;
    return bad_length(message);
}

static char *wide_length(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!is_wide(message) || descriptors(message) > 0)
        return NULL;
    return bad_length(message);
}

static char *wide_only(const Session *session, const SessionMessage *message)
{
    if (!session->facts.extended || !is_status(message) || is_wide(message))
        return NULL;
    return g_strdup("a chunk BLOCK_STATUS came, although extended headers were negotiated");
}

static char *wide_unnegotiated(const Session *session, const SessionMessage *message)
{
    if (session->facts.extended || !is_wide(message))
        return NULL;
    return g_strdup("a chunk BLOCK_STATUS_EXT came, although extended headers were not negotiated");
}

static char *many_extents(const Session *session, const SessionMessage *message)
{
    if (!answers_status(session, message) || descriptors(message) <= MANY)
        return NULL;
    return g_strdup_printf("a status chunk holds " DEC " extents", descriptors(message));
}

static char *req_one(const Session *session, const SessionMessage *message)
{
    if (!answers_status(session, message) || !asks_one(message) || descriptors(message) == 1)
        return NULL;
    return g_strdup("with REQ_ONE set, a chunk holds more than one extent");
}

/* The contexts that have their status so far. */
static bool is_answered(const SessionPending *pending, uint32_t context)
{
    const SessionProgress *progress = pending->progress;

    for (guint i = 0; progress != NULL && i < progress->answered->len; i++)
        if (g_array_index(progress->answered, uint32_t, i) == context)
            return true;
    return false;
}

/* MESSAGE ends a reply, and no error was reported in it. */
static bool ends_well(const SessionPending *pending, const SessionMessage *message)
{
    return message->chunk.done && !message->chunk.is_error && pending->reply.error_chunks == 0;
}

/* A context that has its status twice in a reply that MESSAGE ends. */
static char *repeated_context(const Session *session, const SessionPending *pending,
                              const SessionMessage *message)
{
    const SessionProgress *progress = pending->progress;
    bool now = is_status(message) && message->chunk.has_context &&
               is_answered(pending, message->chunk.context);
    SessionContext context;

    if (!now && (progress == NULL || !progress->repeated))
        return NULL;
    uint32_t id = now ? message->chunk.context : progress->twice_for;
    const char *name = session_find_context(session, id, &context) ? context.name : "";
    return g_strdup_printf("a second status chunk has come for the context %u, %s", id, name);
}

/* What is missing of a reply that MESSAGE ends. */
static char *missing_context(const Session *session, const SessionPending *pending,
                             const SessionMessage *message)
{
    if (asks_nothing(message) || message->request.flags & NBD_CMD_FLAG_PAYLOAD_LEN)
        return NULL;
    for (guint i = 0; i < session->contexts->len; i++) {
        SessionContext context = session_context(session, i);
        bool now = message->chunk.has_context && message->chunk.context == context.id;
        if (!now && !is_answered(pending, context.id))
            return g_strdup_printf("the reply ends without status of the context %u, %s",
                                   context.id, context.name);
    }
    return NULL;
}

static char *one_per_context(const Session *session, const SessionMessage *message)
{
    const SessionPending *pending = session_pending_reply(session, message);
    SessionContext context;

    /* Of what comes to a client that should not have asked, nothing is said. */
    if (pending == NULL || session->contexts_cut || !session->facts.contexts_apply ||
        message->request.command != NBD_CMD_BLOCK_STATUS)
        return NULL;
    if (is_status(message) && message->chunk.has_context) {
        uint32_t id = message->chunk.context;
        if (!session_find_context(session, id, &context))
            return g_strdup_printf("a status chunk is for the context %u, which is not selected",
                                   id);
    }
    /* One that fails in the end may have told of a context twice. */
    if (!ends_well(pending, message))
        return NULL;
    char *repeated = repeated_context(session, pending, message);
    return repeated != NULL ? repeated : missing_context(session, pending, message);
}

/* ---- With all extents ------------------------------------------------------------------------ */

/* So many extents are there to be looked at. */
static size_t extents(const Session *session, const SessionMessage *message)
{
    return answers_status(session, message) ? message->chunk.extents : 0;
}

static bool has_empty_extent(const SessionMessage *message, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (session_message_extent(message, i).length == 0)
            return true;
    return false;
}

static char *extent_nonzero(const Session *session, const SessionMessage *message)
{
    if (is_wide(message) || asks_nothing(message) ||
        !has_empty_extent(message, extents(session, message)))
        return NULL;
    return g_strdup("an extent is 0 bytes long");
}

static char *wide_nonzero(const Session *session, const SessionMessage *message)
{
    if (!is_wide(message) || asks_nothing(message) ||
        !has_empty_extent(message, extents(session, message)))
        return NULL;
    return g_strdup("an extent is 0 bytes long");
}

static char *wide_count(const Session *session, const SessionMessage *message)
{
    if (!is_wide(message) || extents(session, message) == 0)
        return NULL;
    uint64_t count = wire_get(message->data->data + 4, 4);
    if (count == descriptors(message))
        return NULL;
    return g_strdup_printf("a chunk of " DEC " extents says that it holds " DEC,
                           descriptors(message), count);
}

static char *req_one_length(const Session *session, const SessionMessage *message)
{
    if (extents(session, message) != 1 || !asks_one(message) || !asks_range(message))
        return NULL;
    uint64_t length = session_message_extent(message, 0).length;
    if (length <= message->request.length)
        return NULL;
    return g_strdup_printf("with REQ_ONE set, the extent is " DEC " bytes long, where " DEC
                           " were asked about",
                           length, message->request.length);
}

static char *extent_sum(const Session *session, const SessionMessage *message)
{
    size_t count = extents(session, message);
    uint64_t sum = 0;

    if (count < 2 || asks_one(message) || !asks_range(message))
        return NULL;
    for (size_t i = 0; i + 1 < count; i++) {
        uint64_t length = session_message_extent(message, i).length;
        if (length >= message->request.length - sum)
            return g_strdup_printf("the first %zu extents cover the " DEC
                                   " bytes that were asked about, and more follow",
                                   i + 1, message->request.length);
        sum += length;
    }
    return NULL;
}

/* A size may have been rounded down to whole sectors or blocks, below which extents may still be told of. */
#define ROUNDED_OFF 65536u

static char *within_export(const Session *session, const SessionMessage *message)
{
    const SessionFacts *facts = &session->facts;
    size_t count = extents(session, message);
    uint64_t offset = message->request.offset, sum = 0;

    if (!facts->has_export || facts->transmission_flags & NBD_FLAG_SEND_RESIZE ||
        !asks_range(message) || offset >= facts->size || facts->size > INT64_MAX)
        return NULL;
    uint64_t left = facts->size - offset + ROUNDED_OFF;
    for (size_t i = 0; i < count; i++) {
        uint64_t length = session_message_extent(message, i).length;
        if (length > left - sum)
            return g_strdup_printf("extents reach beyond the end of the export of " DEC " bytes",
                                   facts->size);
        sum += length;
    }
    return NULL;
}

static char *coalesced(const Session *session, const SessionMessage *message)
{
    size_t count = extents(session, message);
    uint64_t longest = is_wide(message) ? UINT64_MAX : UINT32_MAX;

    for (size_t i = 0; i + 1 < count; i++) {
        SessionExtent a = session_message_extent(message, i);
        SessionExtent b = session_message_extent(message, i + 1);
        if (a.status == b.status && a.length > 0 && b.length <= longest - a.length)
            return g_strdup_printf("two extents in a row, of " DEC " and " DEC
                                   " bytes, have the same status " DEC,
                                   a.length, b.length, a.status);
    }
    return NULL;
}

/* The first extent that is no multiple of UNIT long and ends neither at one, nor where the request or the
 * export ends. True if there is one. */
static bool misaligned(const Session *session, const SessionMessage *message, uint64_t unit,
                       SessionExtent *found, uint64_t *end)
{
    size_t count = asks_range(message) ? extents(session, message) : 0;
    uint64_t request_end = message->request.offset + message->request.length;

    *end = message->request.offset;
    for (size_t i = 0; i < count; i++) {
        *found = session_message_extent(message, i);
        *end += found->length;
        if (found->length % unit != 0 && *end % unit != 0 && *end != request_end &&
            *end != session->facts.size)
            return true;
    }
    return false;
}

static bool has_minimum(const Session *session)
{
    uint32_t minimum = session->facts.minimum;

    return session->entered_by_go && session->facts.block_size_given && minimum > 1 &&
           (minimum & (minimum - 1)) == 0;
}

static char *aligned_minimum(const Session *session, const SessionMessage *message)
{
    SessionExtent extent;
    uint64_t end;

    if (!has_minimum(session) ||
        !misaligned(session, message, session->facts.minimum, &extent, &end))
        return NULL;
    return g_strdup_printf("an extent of " DEC " bytes ends at " DEC
                           ": neither is a multiple of the minimum block size, %u",
                           extent.length, end, session->facts.minimum);
}

static char *aligned_512(const Session *session, const SessionMessage *message)
{
    SessionExtent extent;
    uint64_t end;

    if ((has_minimum(session) &&
         misaligned(session, message, session->facts.minimum, &extent, &end)) ||
        !misaligned(session, message, 512, &extent, &end))
        return NULL;
    return g_strdup_printf("an extent of " DEC " bytes ends at " DEC
                           ": neither is a multiple of 512",
                           extent.length, end);
}

/* The name of the context that MESSAGE tells of, or "". */
static const char *context_name(const Session *session, const SessionMessage *message)
{
    SessionContext context;

    if (!message->chunk.has_context ||
        !session_find_context(session, message->chunk.context, &context))
        return "";
    return context.name;
}

/* Some extent's status has one of BITS. */
static bool has_status(const Session *session, const SessionMessage *message, uint64_t bits)
{
    size_t count = extents(session, message);

    for (size_t i = 0; i < count; i++)
        if (session_message_extent(message, i).status & bits)
            return true;
    return false;
}

#define HOLE_AND_ZERO 3u
#define NARROW UINT64_C(0xffffffff)

static char *allocation_reserved(const Session *session, const SessionMessage *message)
{
    if (!g_str_equal(context_name(session, message), "base:allocation") ||
        !has_status(session, message, NARROW & ~HOLE_AND_ZERO))
        return NULL;
    return g_strdup("an extent of base:allocation has other flags than HOLE and ZERO");
}

static const SessionRule head_rules[] = {
    SESSION_RULE(status_length, REQ("transmission.block-status.length"), RULE_ALWAYS),
    SESSION_RULE(wide_length, REQ("extended.block-status.length"), RULE_ALWAYS),
    SESSION_RULE(wide_only, REQ("extended.block-status.type"), RULE_ALWAYS),
    SESSION_RULE(wide_unnegotiated, REQ("extended.block-status.unnegotiated"), RULE_ALWAYS),
    SESSION_RULE(many_extents, REQ("transmission.block-status.many-extents"), RULE_ALWAYS),
    SESSION_RULE(req_one, REQ("transmission.block-status.req-one"), RULE_ALWAYS),
    SESSION_RULE(one_per_context, REQ("transmission.block-status.one-chunk-per-context"),
                 RULE_ALWAYS),
};
SESSION_RULES(session_status_rules, WIRE_CHUNK, head_rules);

static const SessionRule whole_rules[] = {
    SESSION_RULE(extent_nonzero, REQ("transmission.block-status.extent-nonzero"), RULE_ALWAYS),
    SESSION_RULE(wide_nonzero, REQ("extended.block-status.extent-nonzero"), RULE_ALWAYS),
    SESSION_RULE(wide_count, REQ("extended.block-status.count"), RULE_ALWAYS),
    SESSION_RULE(req_one_length, REQ("transmission.block-status.req-one-length"), RULE_ALWAYS),
    SESSION_RULE(extent_sum, REQ("transmission.block-status.sum"), RULE_ALWAYS),
    SESSION_RULE_ONCE(within_export, REQ("transmission.block-status.within-export"), RULE_ALWAYS),
    SESSION_RULE_ONCE(coalesced, REQ("transmission.block-status.coalesced"), RULE_ALWAYS),
    SESSION_RULE_ONCE(aligned_minimum, REQ("transmission.block-status.aligned-minimum"),
                      RULE_ALWAYS),
    SESSION_RULE_ONCE(aligned_512, REQ("transmission.block-status.aligned-512"), RULE_ALWAYS),
    SESSION_RULE_ONCE(allocation_reserved, REQ("metadata.allocation.reserved"), RULE_ALWAYS),
};
SESSION_RULES_WHOLE(session_status_whole_rules, WIRE_CHUNK, whole_rules);
