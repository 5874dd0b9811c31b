/* Requests in flight, and how far their replies have come. A peer may send as many and as small chunks as
 * it likes: what is remembered of them has its bounds, beyond which a reply counts as uncertain. */
#include <string.h>

#include "session/private.h"

/* ---- Ranges ---------------------------------------------------------------------------------- */

/* Where a range that begins at START belongs: the first index whose range ends behind START. */
static guint place(const GArray *ranges, uint64_t start)
{
    guint low = 0, high = ranges->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (g_array_index(ranges, SessionRange, middle).end > start)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

const SessionRange *session_overlapped(const SessionPending *pending, uint64_t start, uint64_t end)
{
    if (pending->progress == NULL)
        return NULL;
    const GArray *ranges = pending->progress->ranges;
    guint at = place(ranges, start);
    if (at == ranges->len || g_array_index(ranges, SessionRange, at).start >= end)
        return NULL;
    return &g_array_index(ranges, SessionRange, at);
}

/* Joins neighbours, to save room: of them it can't be told any more what came in one chunk. */
static void join(Session *session, GArray *ranges)
{
    guint kept = 0;

    for (guint i = 1; i < ranges->len; i++) {
        SessionRange *last = &g_array_index(ranges, SessionRange, kept);
        const SessionRange *next = &g_array_index(ranges, SessionRange, i);
        if (last->end == next->start) {
            last->end = next->end;
            last->joined = true;
        } else {
            g_array_index(ranges, SessionRange, ++kept) = *next;
        }
    }
    session->ranges -= ranges->len - (kept + 1);
    g_array_set_size(ranges, kept + 1);
}

static bool has_room(const Session *session, const GArray *ranges)
{
    return ranges->len < SESSION_MAX_RANGES && session->ranges < SESSION_MAX_ALL_RANGES;
}

/* False if there is no room for more. */
static bool add_range(Session *session, GArray *ranges, uint64_t start, uint64_t end)
{
    SessionRange range = {.start = start, .end = end};

    if (!has_room(session, ranges) && ranges->len > 0)
        join(session, ranges);
    guint at = place(ranges, start);
    SessionRange *before = at > 0 ? &g_array_index(ranges, SessionRange, at - 1) : NULL;
    if (ranges->len > SESSION_MAX_RANGES / 2 && before != NULL && before->end == start) {
        before->end = end;
        before->joined = true;
        return true;
    }
    if (!has_room(session, ranges))
        return false;
    g_array_insert_val(ranges, at, range);
    session->ranges++;
    return true;
}

/* ---- One reply ------------------------------------------------------------------------------- */

static void progress_free(Session *session, SessionProgress *progress)
{
    if (progress == NULL)
        return;
    if (session != NULL)
        session->ranges -= progress->ranges->len;
    g_array_unref(progress->ranges);
    g_array_unref(progress->failures);
    g_array_unref(progress->answered);
    g_free(progress);
}

static SessionProgress *progress_of(SessionPending *pending)
{
    if (pending->progress == NULL) {
        SessionProgress *progress = g_new0(SessionProgress, 1);
        progress->ranges = g_array_new(FALSE, FALSE, sizeof(SessionRange));
        progress->failures = g_array_new(FALSE, FALSE, sizeof(uint64_t));
        progress->answered = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        pending->progress = progress;
    }
    return pending->progress;
}

bool session_inside(const SessionRequest *request, uint64_t offset, uint64_t size)
{
    return offset >= request->offset && offset - request->offset <= request->length &&
           size <= request->length - (offset - request->offset);
}

/* A chunk that is wrong in itself has its finding; what it covers is anybody's guess. */
static void note_content(Session *session, SessionPending *pending, const SessionChunk *chunk)
{
    uint64_t end = chunk->offset + chunk->size;

    pending->reply.content_chunks++;
    if (!chunk->has_content || !session_inside(&pending->request, chunk->offset, chunk->size) ||
        session_overlapped(pending, chunk->offset, end) != NULL) {
        pending->reply.uncertain = true;
        return;
    }
    pending->reply.covered += chunk->size;
    if (!pending->reply.uncertain &&
        !add_range(session, progress_of(pending)->ranges, chunk->offset, end))
        pending->reply.uncertain = true;
}

static void note_failure(SessionPending *pending, uint64_t failure)
{
    SessionProgress *progress = progress_of(pending);
    SessionRange *hit = (SessionRange *)session_overlapped(pending, failure, failure + 1);

    if (progress->failures->len < SESSION_MAX_FAILURES)
        g_array_append_val(progress->failures, failure);
    if (hit != NULL) {
        hit->failed = true;
        hit->failure = failure;
    }
}

static void note_error(SessionPending *pending, const SessionChunk *chunk)
{
    SessionProgress *progress = progress_of(pending);

    pending->reply.error_chunks++;
    if (pending->reply.error == NBD_SUCCESS) /* an error that is none is an error all the same */
        pending->reply.error = chunk->has_error && chunk->error != 0 ? chunk->error : NBD_EIO;
    progress->overflowed |= chunk->has_error && chunk->error == NBD_EOVERFLOW;
    progress->general += chunk->type == NBD_REPLY_TYPE_ERROR;
    progress->with_offset += chunk->type == NBD_REPLY_TYPE_ERROR_OFFSET;
    if (chunk->has_failure)
        note_failure(pending, chunk->failure);
}

static void note_status(const Session *session, SessionPending *pending, const SessionChunk *chunk)
{
    SessionProgress *progress = progress_of(pending);
    SessionContext context;

    pending->reply.status_chunks++;
    if (!chunk->has_context || !session_find_context(session, chunk->context, &context))
        return;
    for (guint i = 0; i < progress->answered->len; i++)
        if (g_array_index(progress->answered, uint32_t, i) == chunk->context) {
            progress->repeated = true;
            progress->twice_for = chunk->context;
            return;
        }
    g_array_append_val(progress->answered, chunk->context);
}

static void note_chunk(Session *session, SessionPending *pending, const SessionChunk *chunk)
{
    pending->reply.structured = true;
    if (chunk->is_error)
        note_error(pending, chunk);
    else if (chunk->type == NBD_REPLY_TYPE_OFFSET_DATA || chunk->type == NBD_REPLY_TYPE_OFFSET_HOLE)
        note_content(session, pending, chunk);
    else if (chunk->type == NBD_REPLY_TYPE_BLOCK_STATUS ||
             chunk->type == NBD_REPLY_TYPE_BLOCK_STATUS_EXT)
        note_status(session, pending, chunk);
}

static void note_simple(SessionPending *pending, const SessionMessage *message)
{
    pending->reply.error = (uint32_t)message->value[SIMPLE_REPLY_ERROR];
    if (pending->request.command == NBD_CMD_READ && pending->reply.error == NBD_SUCCESS)
        pending->reply.covered = pending->request.length;
}

/* ---- In flight ------------------------------------------------------------------------------- */

static void pending_free(gpointer data)
{
    SessionPending *pending = data;

    progress_free(NULL, pending->progress);
    g_free(pending);
}

void session_in_flight_free(SessionInFlight *waiting)
{
    g_queue_clear_full(&waiting->requests, pending_free);
    g_free(waiting);
}

const SessionInFlight *session_waiting(const Session *session, uint64_t cookie)
{
    return g_hash_table_lookup(session->in_flight, &cookie);
}

const SessionPending *session_pending_reply(const Session *session, const SessionMessage *message)
{
    if (!message->answers)
        return NULL;
    const SessionInFlight *waiting = session_waiting(session, message->request.cookie);
    return waiting == NULL || waiting->shared ? NULL : waiting->requests.head->data;
}

const SessionReply *session_reply(const Session *session, uint64_t cookie)
{
    const SessionInFlight *waiting = session_waiting(session, cookie);

    return waiting == NULL ? NULL : &((const SessionPending *)waiting->requests.head->data)->reply;
}

bool session_command_writes(uint64_t command)
{
    switch (command) {
    case NBD_CMD_READ:
    case NBD_CMD_DISC:
    case NBD_CMD_FLUSH:
    case NBD_CMD_CACHE:
    case NBD_CMD_BLOCK_STATUS:
        return false;
    default:
        return true;
    }
}

static bool like(const SessionRequest *a, const SessionRequest *b)
{
    return a->command == b->command && a->flags == b->flags && a->length == b->length;
}

static void put_in_flight(Session *session, const SessionRequest *request)
{
    SessionInFlight *waiting = g_hash_table_lookup(session->in_flight, &request->cookie);
    SessionPending *pending = g_new0(SessionPending, 1);

    pending->request = *request;
    if (waiting == NULL) {
        waiting = g_new0(SessionInFlight, 1);
        waiting->cookie = request->cookie;
        g_queue_init(&waiting->requests);
        g_hash_table_insert(session->in_flight, &waiting->cookie, waiting);
    } else {
        const SessionPending *first = waiting->requests.head->data;
        waiting->ambiguous |= !like(request, &first->request);
        waiting->shared = true;
    }
    pending->reply.uncertain = waiting->shared;
    g_queue_push_tail(&waiting->requests, pending);
    session->reads += request->command == NBD_CMD_READ;
    session->resizes += request->command == NBD_CMD_RESIZE;
    session->facts.writes_in_flight += session_command_writes(request->command);
    if (++session->facts.in_flight > SESSION_MAX_IN_FLIGHT)
        session_give_up(session);
}

/* From its header on a request can be answered: a server may refuse a write before it has all of
 * its data. */
void session_begin_request(Session *session, const SessionMessage *message)
{
    SessionRequest request = {
        .cookie = message->value[REQUEST_COOKIE],
        .offset = message->value[REQUEST_OFFSET],
        .length = message->value[REQUEST_LENGTH],
        .flags = (uint16_t)message->value[REQUEST_FLAGS],
        .command = (uint16_t)message->value[REQUEST_TYPE],
    };

    session->facts.requests_sent++;
    if (request.command == NBD_CMD_DISC) {
        session->disc_sent = true;
        session->disc_cookie = request.cookie;
        session->phase = PHASE_DISCONNECTING;
    } else {
        put_in_flight(session, &request);
    }
}

static void answered(Session *session, SessionInFlight *waiting)
{
    SessionPending *pending = g_queue_pop_head(&waiting->requests);
    unsigned at = session->answered_count++ % SESSION_REMEMBERED;
    uint16_t command = pending->request.command;

    session->answered[at].cookie = waiting->cookie;
    session->answered[at].command = command;
    session->answered[at].structured = pending->reply.structured;
    session->reads -= command == NBD_CMD_READ;
    session->resizes -= command == NBD_CMD_RESIZE;
    if (command == NBD_CMD_RESIZE && pending->reply.error == NBD_SUCCESS)
        session->facts.size = pending->request.offset; /* where that request has the new size */
    session->facts.in_flight--;
    session->facts.writes_in_flight -= session_command_writes(command);
    progress_free(session, g_steal_pointer(&pending->progress));
    pending_free(pending);
    if (g_queue_is_empty(&waiting->requests))
        g_hash_table_remove(session->in_flight, &waiting->cookie);
}

void session_advance_reply(Session *session, SessionMessage *message)
{
    bool chunk = session_message_is_chunk(message);

    session->first_reply_came = true;
    session->read_failed = !chunk && message->answers && message->request.command == NBD_CMD_READ &&
                           message->value[SIMPLE_REPLY_ERROR] != NBD_SUCCESS;
    SessionInFlight *waiting =
        message->answers ? g_hash_table_lookup(session->in_flight, &message->request.cookie) : NULL;
    if (waiting == NULL)
        return;
    SessionPending *pending = waiting->requests.head->data;
    if (chunk)
        note_chunk(session, pending, &message->chunk);
    else
        note_simple(pending, message);
    message->reply = pending->reply;
    message->ends = !chunk || message->chunk.done;
    if (message->ends)
        answered(session, waiting);
}

/* ---- Answered -------------------------------------------------------------------------------- */

/* The index of the latest answered request with COOKIE, or -1. */
static int find_answered(const Session *session, uint64_t cookie)
{
    unsigned count = MIN(session->answered_count, SESSION_REMEMBERED);

    for (unsigned i = 1; i <= count; i++) {
        unsigned at = (session->answered_count - i) % SESSION_REMEMBERED;
        if (session->answered[at].cookie == cookie)
            return (int)at;
    }
    return -1;
}

int session_was_answered(const Session *session, uint64_t cookie)
{
    int at = find_answered(session, cookie);

    return at < 0 ? -1 : session->answered[at].command;
}

bool session_was_answered_in_chunks(const Session *session, uint64_t cookie)
{
    int at = find_answered(session, cookie);

    return at >= 0 && session->answered[at].structured;
}
