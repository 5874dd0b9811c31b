/* How messages move a session from phase to phase, and what they settle. */
#include <string.h>

#include "session/private.h"

void session_option_free(SessionOption *option)
{
    if (option == NULL)
        return;
    g_byte_array_unref(option->data);
    g_ptr_array_unref(option->infos);
    g_free(option);
}

SessionOption *session_current_option(Session *session)
{
    return g_queue_peek_head(&session->options);
}

const SessionRequest *session_request(const Session *session, uint64_t cookie)
{
    GQueue *queue = g_hash_table_lookup(session->in_flight, &cookie);

    return queue == NULL ? NULL : g_queue_peek_head(queue);
}

bool session_was_answered(const Session *session, uint64_t cookie)
{
    unsigned count = MIN(session->answered_count, SESSION_REMEMBERED);

    for (unsigned i = 0; i < count; i++)
        if (session->answered[i] == cookie)
            return true;
    return false;
}

const SessionMessage *session_unfinished_request(const Session *session)
{
    const SessionMessage *partial = session->stream[SIDE_CLIENT].partial;

    return partial != NULL && partial->kind == WIRE_REQUEST ? partial : NULL;
}

/* ---- Handshake -------------------------------------------------------------------------------- */

static void advance_greeting(Session *session, const SessionMessage *message)
{
    SessionFacts *facts = &session->facts;

    if (message->inner == WIRE_OLDSTYLE) {
        facts->style = STYLE_OLDSTYLE;
        facts->has_export = true;
        facts->size = message->inner_value[OLDSTYLE_SIZE];
        /* The upper half is where newstyle has its handshake flags. */
        facts->transmission_flags = (uint16_t)message->inner_value[OLDSTYLE_FLAGS];
        session->phase = PHASE_TRANSMISSION;
    } else if (message->inner == WIRE_NEWSTYLE) {
        facts->handshake_flags = (uint16_t)message->inner_value[NEWSTYLE_FLAGS];
        facts->style = facts->handshake_flags & NBD_FLAG_FIXED_NEWSTYLE ? STYLE_FIXED_NEWSTYLE
                                                                        : STYLE_NEWSTYLE;
        session->phase = PHASE_CLIENT_FLAGS;
    }
}

static void advance_client_flags(Session *session, const SessionMessage *message)
{
    SessionFacts *facts = &session->facts;

    facts->has_client_flags = true;
    facts->client_flags = (uint32_t)message->value[CLIENT_FLAGS_FLAGS];
    facts->no_zeroes = (facts->client_flags & NBD_FLAG_C_NO_ZEROES) != 0 &&
                       (facts->handshake_flags & NBD_FLAG_NO_ZEROES) != 0;
    session->phase = PHASE_HAGGLING;
}

static bool asks_block_size(const WireInfoRequest *request)
{
    for (size_t i = 0; i < request->info_count; i++)
        if (wire_get(request->infos + 2 * i, 2) == NBD_INFO_BLOCK_SIZE)
            return true;
    return false;
}

static void next_option_phase(Session *session)
{
    const SessionOption *next = session_current_option(session);

    if (next == NULL)
        session->phase = PHASE_HAGGLING;
    else
        session->phase = next->option == NBD_OPT_EXPORT_NAME ? PHASE_EXPORT : PHASE_REPLYING;
}

static void advance_option(Session *session, const SessionMessage *message)
{
    SessionOption *option = g_new0(SessionOption, 1);

    option->option = (uint32_t)message->value[OPTION_OPTION];
    option->data = g_byte_array_ref(message->data);
    option->infos = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    bool whole = message->data->len == message->data_length;
    if (option->option == NBD_OPT_INFO || option->option == NBD_OPT_GO)
        option->info_parsed = whole && wire_parse_info_request(message->data->data,
                                                               message->data->len, &option->request);
    if (option->info_parsed) {
        session->facts.block_size_asked = asks_block_size(&option->request);
        session->facts.block_size_given = false;
    }
    session->facts.options_sent++;
    if (option->option != NBD_OPT_GO)
        g_clear_pointer(&session->last_info, session_option_free);
    g_queue_push_tail(&session->options, option);
    if (session->phase == PHASE_HAGGLING)
        next_option_phase(session);
}

static void note_info(Session *session, SessionOption *option, const SessionMessage *message)
{
    g_ptr_array_add(option->infos, g_bytes_new(message->data->data, message->data->len));
    if (message->inner == WIRE_INFO_EXPORT) {
        option->export_seen = true;
        option->size = message->inner_value[INFO_EXPORT_SIZE];
        option->flags = (uint16_t)message->inner_value[INFO_EXPORT_FLAGS];
    } else if (message->inner == WIRE_INFO_BLOCK_SIZE) {
        option->block_size_seen = true;
        option->minimum = (uint32_t)message->inner_value[INFO_BLOCK_SIZE_MINIMUM];
        option->preferred = (uint32_t)message->inner_value[INFO_BLOCK_SIZE_PREFERRED];
        option->maximum = (uint32_t)message->inner_value[INFO_BLOCK_SIZE_MAXIMUM];
        session->facts.block_size_given = true;
    }
}

/* The export's facts hold from the moment a GO is acknowledged; an INFO only informs. */
static void take_over(Session *session, const SessionOption *option)
{
    SessionFacts *facts = &session->facts;

    if (option->export_seen) {
        facts->has_export = true;
        facts->size = option->size;
        facts->transmission_flags = option->flags;
    }
    if (option->block_size_seen) {
        facts->minimum = option->minimum;
        facts->preferred = option->preferred;
        facts->maximum = option->maximum;
    }
    facts->committed = option->option == NBD_OPT_GO && facts->block_size_asked && option->block_size_seen;
}

static void accepted(Session *session, SessionOption *option)
{
    switch (option->option) {
    case NBD_OPT_GO:
        take_over(session, option);
        session->entered_by_go = true;
        session->phase = PHASE_TRANSMISSION;
        break;
    case NBD_OPT_ABORT:
        session->phase = PHASE_ABORTED;
        break;
    case NBD_OPT_STRUCTURED_REPLY:
        session->facts.structured = true;
        break;
    case NBD_OPT_INFO:
        session_option_free(session->last_info);
        session->last_info = option;
        return;
    default:
        break;
    }
    session_option_free(option);
}

static void advance_option_reply(Session *session, const SessionMessage *message)
{
    SessionOption *option = session_current_option(session);
    uint32_t type = (uint32_t)message->value[REPLY_TYPE];

    if (option == NULL)
        return;
    option->replies++;
    if (type == NBD_REP_INFO)
        note_info(session, option, message);
    bool error = (type & NBD_REP_FLAG_ERROR) != 0;
    if (!error && type != NBD_REP_ACK)
        return;
    g_queue_pop_head(&session->options);
    next_option_phase(session);
    if (error)
        session_option_free(option);
    else
        accepted(session, option);
}

static void advance_export(Session *session, const SessionMessage *message)
{
    session->facts.has_export = true;
    session->facts.size = message->value[EXPORT_SIZE];
    session->facts.transmission_flags = (uint16_t)message->value[EXPORT_FLAGS];
    session_option_free(g_queue_pop_head(&session->options));
    session->phase = PHASE_TRANSMISSION;
}

/* ---- Transmission ----------------------------------------------------------------------------- */

static void advance_request(Session *session, const SessionMessage *message)
{
    SessionRequest request = {
        .cookie = message->value[REQUEST_COOKIE],
        .offset = message->value[REQUEST_OFFSET],
        .length = (uint32_t)message->value[REQUEST_LENGTH],
        .flags = (uint16_t)message->value[REQUEST_FLAGS],
        .command = (uint16_t)message->value[REQUEST_TYPE],
    };

    session->facts.requests_sent++;
    if (request.command == NBD_CMD_DISC) {
        session->disc_sent = true;
        session->disc_cookie = request.cookie;
        session->phase = PHASE_DISCONNECTING;
        return;
    }
    if (session->early_answer) { /* a server may refuse a write before it has all of its data */
        session->early_answer = false;
        return;
    }
    GQueue *queue = g_hash_table_lookup(session->in_flight, &request.cookie);
    if (queue == NULL) {
        queue = g_queue_new();
        g_hash_table_insert(session->in_flight, g_memdup2(&request.cookie, sizeof request.cookie),
                            queue);
    }
    g_queue_push_tail(queue, g_memdup2(&request, sizeof request));
    session->facts.in_flight++;
}

static void answered(Session *session, uint64_t cookie)
{
    GQueue *queue = g_hash_table_lookup(session->in_flight, &cookie);

    if (queue == NULL)
        return;
    session->answered[session->answered_count++ % SESSION_REMEMBERED] = cookie;
    g_free(g_queue_pop_head(queue));
    session->facts.in_flight--;
    if (g_queue_is_empty(queue))
        g_hash_table_remove(session->in_flight, &cookie);
}

static void advance_simple_reply(Session *session, const SessionMessage *message)
{
    const SessionMessage *unfinished = session_unfinished_request(session);
    uint64_t cookie = message->value[SIMPLE_REPLY_COOKIE];

    session->first_reply_came = true;
    session->read_failed = message->answers && message->request.command == NBD_CMD_READ &&
                           message->value[SIMPLE_REPLY_ERROR] != NBD_SUCCESS;
    if (message->answers)
        answered(session, cookie);
    else if (unfinished != NULL && unfinished->value[REQUEST_COOKIE] == cookie)
        session->early_answer = true;
}

void session_advance(Session *session, SessionMessage *message)
{
    switch (message->kind) {
    case WIRE_GREETING:
        advance_greeting(session, message);
        break;
    case WIRE_CLIENT_FLAGS:
        advance_client_flags(session, message);
        break;
    case WIRE_OPTION:
        if (message->value[OPTION_MAGIC] == NBD_IHAVEOPT)
            advance_option(session, message);
        break;
    case WIRE_OPTION_REPLY:
        if (message->value[REPLY_MAGIC] == NBD_OPTION_REPLY_MAGIC)
            advance_option_reply(session, message);
        break;
    case WIRE_EXPORT:
        advance_export(session, message);
        break;
    case WIRE_REQUEST:
        if (message->value[REQUEST_MAGIC] == NBD_REQUEST_MAGIC)
            advance_request(session, message);
        break;
    case WIRE_SIMPLE_REPLY:
        advance_simple_reply(session, message);
        break;
    case WIRE_CHUNK:
        session->first_reply_came = true;
        if (message->answers && (message->value[CHUNK_FLAGS] & NBD_REPLY_FLAG_DONE))
            answered(session, message->value[CHUNK_COOKIE]);
        break;
    default:
        break;
    }
}
