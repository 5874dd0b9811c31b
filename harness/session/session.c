/* A session's streams: bytes in, messages and findings out. */
#include <string.h>

#include "session/private.h"

static const char *const phase_names[PHASE_COUNT] = {
    [PHASE_GREETING] = "greeting",           [PHASE_CLIENT_FLAGS] = "client flags",
    [PHASE_HAGGLING] = "option haggling",    [PHASE_REPLYING] = "an option's replies",
    [PHASE_EXPORT] = "EXPORT_NAME's reply",  [PHASE_ABORTED] = "aborted",
    [PHASE_TLS] = "TLS handshake",           [PHASE_TRANSMISSION] = "transmission",
    [PHASE_DISCONNECTING] = "disconnecting", [PHASE_ENDED] = "ended",
};

const char *session_phase_name(SessionPhase phase)
{
    return phase_names[phase];
}

Session *session_new(Vantage vantage)
{
    Session *session = g_new0(Session, 1);

    session->vantage = vantage;
    session->facts.minimum = 1;
    session->facts.preferred = 4096;
    session->facts.maximum = NBD_DEFAULT_MAX_PAYLOAD;
    session->agreed.maximum = NBD_DEFAULT_MAX_PAYLOAD;
    for (int side = 0; side < 2; side++)
        session->stream[side].buffer = g_byte_array_new();
    g_queue_init(&session->messages);
    g_queue_init(&session->findings);
    g_queue_init(&session->options);
    session->maximum = NBD_DEFAULT_MAX_PAYLOAD;
    session->contexts = g_ptr_array_new_with_free_func((GDestroyNotify)session_named_free);
    session->narrow = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    session->tls_exports = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    session->in_flight = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
                                               (GDestroyNotify)session_in_flight_free);
    session->uses = g_new0(uint64_t, session_rule_count());
    session->breaches = g_new0(uint64_t, session_rule_count());
    return session;
}

void session_agree(Session *session, const SessionSizes *sizes)
{
    session->facts.minimum = sizes->minimum;
    session->facts.preferred = sizes->preferred;
    session->facts.maximum = sizes->maximum;
    session->agreed = *sizes;
    session->minimum = sizes->minimum;
    session->maximum = sizes->maximum;
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
    session_forget_contexts(session);
    g_ptr_array_unref(session->contexts);
    g_hash_table_unref(session->narrow);
    g_ptr_array_unref(session->tls_exports);
    g_clear_pointer(&session->entered, g_bytes_unref);
    g_free(session->uses);
    g_free(session->breaches);
    g_free(session);
}

/* What its header says frees the server from serving the client any longer. */
static bool forfeits(const Session *session, const SessionMessage *header)
{
    return header->kind == WIRE_OPTION          ? session_option_forfeits(session, header)
           : session_message_is_request(header) ? session_request_forfeits(session, header)
                                                : false;
}

/* Header and data are two steps: what a request is answered for, and what is wrong with it, is
 * known by its header, and a peer need not wait for more. */
static SessionMessage *next_message(Session *session, Side side)
{
    SessionStream *stream = &session->stream[side];

    if (stream->partial == NULL) {
        const SessionMessage *header = session_decode(session, side);
        if (header == NULL)
            return NULL;
        stream->tainted |= forfeits(session, header);
        if (session_judged_by_header(header->kind))
            session_judge(session, header, false);
        session_begin(session, header);
    }
    return stream->partial == NULL ? NULL : session_continue(stream);
}

static void accept_message(Session *session, SessionMessage *message)
{
    session_judge(session, message, true);
    session_advance(session, message);
    g_queue_push_tail(&session->messages, message);
    if (session->stream[message->from].last)
        session_desynchronise(session, message->from);
}

/* A message of one side can make the other side's waiting bytes decodable: the greeting says what
 * the client's first bytes are, an ACK to GO where its requests begin. What of the client waits was
 * there before what the server says next. */
static void decode_both(Session *session)
{
    for (;;) {
        SessionMessage *message = next_message(session, SIDE_CLIENT);
        if (message == NULL)
            message = next_message(session, SIDE_SERVER);
        if (message == NULL)
            return;
        accept_message(session, message);
    }
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

    while (size > 0 && !stream->desynchronised && !stream->closed) {
        size_t taken = feed_partial(stream, at, size);
        at += taken;
        size -= taken;
        size_t take = MIN(size, 1u << 20);
        if (take > 0)
            g_byte_array_append(stream->buffer, at, (guint)take);
        at += take;
        size -= take;
        decode_both(session);
        compact(&session->stream[SIDE_CLIENT]);
        compact(&session->stream[SIDE_SERVER]);
        if (stream->buffer->len > SESSION_MAX_HELD)
            session_desynchronise(session, from);
    }
}

/* Nobody has asked for a greeting: a server that ends within it has no excuse but its client's
 * leaving. */
static void judge_end(Session *session)
{
    const SessionStream *stream = &session->stream[SIDE_SERVER];
    size_t came = session_available(stream);

    if (session->phase != PHASE_GREETING || session->stream[SIDE_CLIENT].closed || came < 16 ||
        wire_get(stream->buffer->data + stream->start + 8, 8) != NBD_CLISERV_MAGIC)
        return;
    session_find_stray(
        session, SIDE_SERVER, REQ("handshake.oldstyle.greeting"),
        g_strdup_printf("the oldstyle greeting ends after %zu of its 152 bytes", came));
}

void session_close(Session *session, Side from)
{
    SessionStream *stream = &session->stream[from];

    if (from == SIDE_SERVER && !stream->closed && !stream->desynchronised)
        judge_end(session);
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

void session_find(Session *session, Side by, const char *id, GBytes *bytes, uint64_t size,
                  char *text)
{
    const Requirement *requirement = requirement_find(id);
    SessionFinding *finding = g_new0(SessionFinding, 1);

    g_assert(requirement != NULL); /* the build checks every id */
    finding->requirement = requirement;
    finding->by = by;
    finding->message = text;
    finding->bytes = bytes;
    finding->size = size;
    g_queue_push_tail(&session->findings, finding);
    if (requirement_breach(requirement) == BREACH_VIOLATION)
        session->stream[by].tainted = true;
}

void session_find_stray(Session *session, Side by, const char *id, char *text)
{
    if (session->stream[!by].tainted) {
        session_taint(session, by);
        g_free(text);
        return;
    }
    session_find_unexcused(session, by, id, text);
}

void session_find_unexcused(Session *session, Side by, const char *id, char *text)
{
    const SessionStream *stream = &session->stream[by];
    size_t size = session_available(stream);

    session_find(session, by, id,
                 g_bytes_new(stream->buffer->data + stream->start, MIN(size, SESSION_EVIDENCE)),
                 size, text);
}

void session_desynchronise(Session *session, Side from)
{
    SessionStream *stream = &session->stream[from];

    stream->desynchronised = true;
    stream->last = false;
    g_clear_pointer(&stream->partial, session_message_free);
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
    size_t pending = session_available(stream);

    if (stream->partial != NULL) /* its header, and what has come of its data */
        pending += wire_layout(stream->partial->kind)->size +
                   (size_t)(stream->partial->data_length - stream->remaining);
    return pending;
}
