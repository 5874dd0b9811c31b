/* A session's streams: bytes in, messages and findings out. */
#include <string.h>

#include "session/private.h"

static const char *const phase_names[PHASE_COUNT] = {
    [PHASE_GREETING] = "greeting",         [PHASE_CLIENT_FLAGS] = "client flags",
    [PHASE_HAGGLING] = "option haggling",  [PHASE_REPLYING] = "an option's replies",
    [PHASE_EXPORT] = "EXPORT_NAME's reply", [PHASE_ABORTED] = "aborted",
    [PHASE_TRANSMISSION] = "transmission", [PHASE_DISCONNECTING] = "disconnecting",
    [PHASE_ENDED] = "ended",
};

const char *session_phase_name(SessionPhase phase)
{
    return phase_names[phase];
}

static void free_requests(gpointer data)
{
    g_queue_free_full(data, g_free);
}

Session *session_new(Vantage vantage)
{
    Session *session = g_new0(Session, 1);

    session->vantage = vantage;
    session->facts.minimum = 1;
    session->facts.preferred = 4096;
    session->facts.maximum = NBD_DEFAULT_MAX_PAYLOAD;
    for (int side = 0; side < 2; side++)
        session->stream[side].buffer = g_byte_array_new();
    g_queue_init(&session->messages);
    g_queue_init(&session->findings);
    g_queue_init(&session->options);
    session->in_flight = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, free_requests);
    session->uses = g_new0(uint64_t, session_rule_count());
    return session;
}

void session_free(Session *session)
{
    if (session == NULL)
        return;
    for (int side = 0; side < 2; side++) {
        g_byte_array_unref(session->stream[side].buffer);
        session_message_free(session->stream[side].partial);
    }
    g_queue_clear_full(&session->messages, (GDestroyNotify)session_message_free);
    g_queue_clear_full(&session->findings, (GDestroyNotify)session_finding_free);
    g_queue_clear_full(&session->options, (GDestroyNotify)session_option_free);
    session_option_free(session->last_info);
    g_hash_table_unref(session->in_flight);
    g_free(session->uses);
    g_free(session);
}

static void accept_message(Session *session, SessionMessage *message)
{
    session_judge(session, message);
    session_advance(session, message);
    g_queue_push_tail(&session->messages, message);
}

/* A message of one side can make the other side's waiting bytes decodable: the greeting says what the
 * client's first bytes are, an ACK to GO where its requests begin. */
static void decode_both(Session *session)
{
    bool progress;

    do {
        progress = false;
        for (int side = 0; side < 2; side++) {
            SessionMessage *message;
            while ((message = session_decode(session, (Side)side)) != NULL) {
                accept_message(session, message);
                progress = true;
            }
        }
    } while (progress);
}

/* Drops the decoded part of the buffer once it is worth the move. */
static void compact(SessionStream *stream)
{
    if (stream->start == stream->buffer->len) {
        g_byte_array_set_size(stream->buffer, 0);
        stream->start = 0;
    } else if (stream->start > 65536) {
        g_byte_array_remove_range(stream->buffer, 0, (guint)stream->start);
        stream->start = 0;
    }
}

/* Gives what comes straight to the message that waits for its data, without buffering it twice. */
static size_t feed_partial(SessionStream *stream, const uint8_t *bytes, size_t size)
{
    SessionMessage *partial = stream->partial;

    if (partial == NULL || stream->start != stream->buffer->len)
        return 0;
    size_t take = (size_t)MIN(stream->remaining, size);
    if (partial->data->len < stream->keep) {
        size_t room = (size_t)(stream->keep - partial->data->len);
        g_byte_array_append(partial->data, bytes, (guint)MIN(take, room));
    }
    stream->remaining -= take;
    stream->position += take;
    return take;
}

void session_feed(Session *session, Side from, const void *bytes, size_t size)
{
    SessionStream *stream = &session->stream[from];
    const uint8_t *at = bytes;

    while (size > 0 && !stream->desynchronised) {
        size_t taken = feed_partial(stream, at, size);
        at += taken;
        size -= taken;
        size_t take = MIN(size, 1u << 20);
        if (take > 0)
            g_byte_array_append(stream->buffer, at, (guint)take);
        at += take;
        size -= take;
        decode_both(session);
        compact(stream);
    }
}

void session_close(Session *session, Side from)
{
    SessionStream *stream = &session->stream[from];
    size_t came = stream->buffer->len - stream->start;

    if (from == SIDE_SERVER && !stream->closed && session->phase == PHASE_GREETING && came >= 16 &&
        wire_get(stream->buffer->data + stream->start + 8, 8) == NBD_CLISERV_MAGIC)
        session_find(session, SIDE_SERVER, REQ("handshake.oldstyle.greeting"), NULL,
                     g_strdup_printf("the oldstyle greeting ends after %zu of its 152 bytes", came));
    stream->closed = true;
    if (session->stream[SIDE_CLIENT].closed && session->stream[SIDE_SERVER].closed)
        session->phase = PHASE_ENDED;
}

SessionMessage *session_next(Session *session)
{
    return g_queue_pop_head(&session->messages);
}

SessionFinding *session_next_finding(Session *session)
{
    return g_queue_pop_head(&session->findings);
}

void session_finding_free(SessionFinding *finding)
{
    if (finding == NULL)
        return;
    g_free(finding->message);
    if (finding->bytes != NULL)
        g_bytes_unref(finding->bytes);
    g_free(finding);
}

void session_find(Session *session, Side by, const char *id, const SessionMessage *message, char *text)
{
    const Requirement *requirement = requirement_find(id);
    SessionFinding *finding = g_new0(SessionFinding, 1);

    g_assert(requirement != NULL); /* the build checks every id */
    finding->requirement = requirement;
    finding->by = by;
    finding->message = text;
    if (message != NULL) {
        finding->bytes = session_message_bytes(message, SESSION_EVIDENCE);
        finding->size = wire_layout(message->kind)->size + message->data_length;
    }
    g_queue_push_tail(&session->findings, finding);
    if (requirement_breach(requirement) == BREACH_VIOLATION)
        session->stream[by].tainted = true;
}

void session_desynchronise(Session *session, Side from)
{
    SessionStream *stream = &session->stream[from];

    stream->desynchronised = true;
    g_byte_array_set_size(stream->buffer, 0);
    stream->start = 0;
}

void session_taint(Session *session, Side by)
{
    session->stream[by].tainted = true;
}

bool session_tainted(const Session *session, Side by)
{
    return session->stream[by].tainted;
}

bool session_desynchronised(const Session *session, Side from)
{
    return session->stream[from].desynchronised;
}

SessionPhase session_phase(const Session *session)
{
    return session->phase;
}

const SessionFacts *session_facts(const Session *session)
{
    return &session->facts;
}

size_t session_pending(const Session *session, Side from)
{
    const SessionStream *stream = &session->stream[from];
    size_t pending = stream->buffer->len - stream->start;

    if (stream->partial != NULL) /* its header, and what has come of its data */
        pending += wire_layout(stream->partial->kind)->size +
                   (size_t)(stream->partial->data_length - stream->remaining);
    return pending;
}
