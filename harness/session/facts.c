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

void session_in_flight_free(SessionInFlight *waiting)
{
    g_queue_clear_full(&waiting->requests, g_free);
    g_free(waiting);
}

const SessionOption *session_current_option(const Session *session)
{
    return g_queue_peek_head((GQueue *)&session->options);
}

const SessionInFlight *session_waiting(const Session *session, uint64_t cookie)
{
    return g_hash_table_lookup(session->in_flight, &cookie);
}

int session_was_answered(const Session *session, uint64_t cookie)
{
    unsigned count = MIN(session->answered_count, SESSION_REMEMBERED);

    for (unsigned i = 1; i <= count; i++) {
        unsigned at = (session->answered_count - i) % SESSION_REMEMBERED;
        if (session->answered[at].cookie == cookie)
            return session->answered[at].command;
    }
    return -1;
}

/* More is outstanding than anybody's patience bears: whose it is can't be followed any longer. */
static void give_up(Session *session)
{
    session_desynchronise(session, SIDE_CLIENT);
    session_desynchronise(session, SIDE_SERVER);
}

/* ---- Handshake ------------------------------------------------------------------------------- */

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

/* From its header on an option waits for its reply: a server may refuse it without reading its
 * data. */
static void begin_option(Session *session, const SessionMessage *message)
{
    SessionOption *option = g_new0(SessionOption, 1);

    option->option = (uint32_t)message->value[OPTION_OPTION];
    option->data = g_byte_array_ref(message->data);
    option->infos = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    session->facts.options_sent++;
    session->options_overlap = !g_queue_is_empty(&session->options);
    if (option->option != NBD_OPT_GO)
        g_clear_pointer(&session->last_info, session_option_free);
    session->sending = option;
    g_queue_push_tail(&session->options, option);
    if (session->options.length > SESSION_MAX_OPTIONS)
        give_up(session);
}

static void advance_option(Session *session, const SessionMessage *message)
{
    SessionOption *option = g_steal_pointer(&session->sending);

    if (option == NULL) /* answered meanwhile */
        return;
    option->whole = message->data->len == message->data_length;
    if (option->option == NBD_OPT_INFO || option->option == NBD_OPT_GO)
        option->info_parsed =
            option->whole &&
            wire_parse_info_request(message->data->data, message->data->len, &option->request);
    if (option->info_parsed) {
        option->block_size_asked = asks_block_size(&option->request);
        session->facts.block_size_asked = option->block_size_asked;
        session->facts.block_size_given = false;
    }
    if (session->phase == PHASE_HAGGLING)
        next_option_phase(session);
}

/* Keeps the item for the comparison of INFO with GO, as far as that may cost. */
static void keep_info(SessionOption *option, const SessionMessage *message)
{
    option->info_bytes += message->data->len;
    if (option->infos->len < SESSION_MAX_INFOS && option->info_bytes <= SESSION_MAX_INFO_BYTES &&
        message->data->len == message->data_length)
        g_ptr_array_add(option->infos, g_bytes_new(message->data->data, message->data->len));
    else
        option->infos_cut = true;
}

static void note_info(Session *session, SessionOption *option, const SessionMessage *message)
{
    keep_info(option, message);
    if (message->data->len >= 2 && wire_get(message->data->data, 2) == NBD_INFO_EXPORT)
        option->export_came = true;
    if (message->inner == WIRE_INFO_EXPORT) {
        option->export_seen = true;
        option->size = message->inner_value[INFO_EXPORT_SIZE];
        option->flags = (uint16_t)message->inner_value[INFO_EXPORT_FLAGS];
    } else if (message->inner == WIRE_INFO_BLOCK_SIZE) {
        option->block_size_seen = true;
        option->minimum = (uint32_t)message->inner_value[INFO_BLOCK_SIZE_MINIMUM];
        option->preferred = (uint32_t)message->inner_value[INFO_BLOCK_SIZE_PREFERRED];
        option->maximum = (uint32_t)message->inner_value[INFO_BLOCK_SIZE_MAXIMUM];
        session->minimum = option->minimum;
        session->maximum = option->maximum;
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
    facts->committed = option->block_size_asked && option->block_size_seen;
}

static void enter_transmission(Session *session)
{
    session->phase = PHASE_TRANSMISSION;
    /* Options that were sent behind this one reach the server as requests; and extended headers
     * frame their messages otherwise. */
    if (!g_queue_is_empty(&session->options) || session->extended) {
        session->stream[SIDE_CLIENT].tainted |= !session->extended;
        give_up(session);
    }
}

/* What was agreed before TLS is void (proto.md:1236); a relay sees no more than TLS from here. */
static void start_tls(Session *session)
{
    session->facts.tls = true;
    session->facts.structured = false;
    session->extended = false;
    session->contexts_selected = false;
    if (session->vantage == VANTAGE_RELAY)
        give_up(session);
}

static void accepted(Session *session, SessionOption *option)
{
    switch (option->option) {
    case NBD_OPT_GO:
        take_over(session, option);
        session->entered_by_go = true;
        enter_transmission(session);
        break;
    case NBD_OPT_ABORT:
        session->phase = PHASE_ABORTED;
        break;
    case NBD_OPT_STARTTLS:
        start_tls(session);
        break;
    case NBD_OPT_STRUCTURED_REPLY:
        session->facts.structured = true;
        break;
    case NBD_OPT_EXTENDED_HEADERS:
        session->facts.structured = true;
        session->extended = true;
        break;
    case NBD_OPT_SET_META_CONTEXT:
        session->contexts_selected = option->contexts > 0;
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

static void refused(Session *session, SessionOption *option)
{
    if (option->option == NBD_OPT_GO)
        g_clear_pointer(&session->last_info, session_option_free);
    if (option->option == NBD_OPT_SET_META_CONTEXT)
        session->contexts_selected = false;
    session_option_free(option);
}

static void advance_option_reply(Session *session, const SessionMessage *message)
{
    SessionOption *option = g_queue_peek_head(&session->options);
    uint32_t type = (uint32_t)message->value[REPLY_TYPE];

    if (option == NULL)
        return;
    if (type == NBD_REP_INFO)
        note_info(session, option, message);
    option->contexts += type == NBD_REP_META_CONTEXT;
    if (!session_message_is_final(message))
        return;
    g_queue_pop_head(&session->options);
    if (session->sending == option)
        session->sending = NULL;
    next_option_phase(session);
    if (type != NBD_REP_ACK)
        refused(session, option);
    else
        accepted(session, option);
}

static void advance_export(Session *session, const SessionMessage *message)
{
    session->facts.has_export = true;
    session->facts.size = message->value[EXPORT_SIZE];
    session->facts.transmission_flags = (uint16_t)message->value[EXPORT_FLAGS];
    session_option_free(g_queue_pop_head(&session->options));
    enter_transmission(session);
}

/* ---- Transmission ---------------------------------------------------------------------------- */

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

    if (waiting == NULL) {
        waiting = g_new0(SessionInFlight, 1);
        waiting->cookie = request->cookie;
        g_queue_init(&waiting->requests);
        g_hash_table_insert(session->in_flight, &waiting->cookie, waiting);
    } else if (!like(request, waiting->requests.head->data)) {
        waiting->ambiguous = true;
    }
    g_queue_push_tail(&waiting->requests, g_memdup2(request, sizeof *request));
    session->reads += request->command == NBD_CMD_READ;
    session->facts.writes_in_flight += session_command_writes(request->command);
    if (++session->facts.in_flight > SESSION_MAX_IN_FLIGHT)
        give_up(session);
}

/* From its header on a request can be answered: a server may refuse a write before it has all of
 * its data. */
static void begin_request(Session *session, const SessionMessage *message)
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
    } else {
        put_in_flight(session, &request);
    }
}

static void answered(Session *session, uint64_t cookie)
{
    SessionInFlight *waiting = g_hash_table_lookup(session->in_flight, &cookie);
    g_autofree SessionRequest *request = g_queue_pop_head(&waiting->requests);
    unsigned at = session->answered_count++ % SESSION_REMEMBERED;

    session->answered[at].cookie = cookie;
    session->answered[at].command = request->command;
    session->reads -= request->command == NBD_CMD_READ;
    session->facts.in_flight--;
    session->facts.writes_in_flight -= session_command_writes(request->command);
    if (g_queue_is_empty(&waiting->requests))
        g_hash_table_remove(session->in_flight, &cookie);
}

static void advance_reply(Session *session, const SessionMessage *message, bool final)
{
    session->first_reply_came = true;
    session->read_failed = message->kind == WIRE_SIMPLE_REPLY && message->answers &&
                           message->request.command == NBD_CMD_READ &&
                           message->value[SIMPLE_REPLY_ERROR] != NBD_SUCCESS;
    if (message->answers && final)
        answered(session, message->request.cookie);
}

void session_begin(Session *session, const SessionMessage *message)
{
    if (message->kind == WIRE_OPTION && message->value[OPTION_MAGIC] == NBD_IHAVEOPT)
        begin_option(session, message);
    else if (message->kind == WIRE_REQUEST && message->value[REQUEST_MAGIC] == NBD_REQUEST_MAGIC)
        begin_request(session, message);
}

void session_advance(Session *session, const SessionMessage *message)
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
    case WIRE_SIMPLE_REPLY:
        advance_reply(session, message, true);
        break;
    case WIRE_CHUNK:
        advance_reply(session, message, (message->value[CHUNK_FLAGS] & NBD_REPLY_FLAG_DONE) != 0);
        break;
    default:
        break;
    }
}
