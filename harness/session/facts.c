/* How messages move a session from phase to phase, and what they settle. */
#include <string.h>

#include "session/private.h"

void session_option_free(SessionOption *option)
{
    if (option == NULL)
        return;
    g_byte_array_unref(option->data);
    g_ptr_array_unref(option->infos);
    g_ptr_array_unref(option->named);
    g_free(option);
}

const SessionOption *session_current_option(const Session *session)
{
    return g_queue_peek_head((GQueue *)&session->options);
}

const SessionOption *session_answered_option(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = session_current_option(session);

    if (message->value[REPLY_MAGIC] != NBD_OPTION_REPLY_MAGIC || option == NULL ||
        option->option == NBD_OPT_EXPORT_NAME || message->value[REPLY_OPTION] != option->option)
        return NULL;
    return option;
}

void session_give_up(Session *session)
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
    option->named = g_ptr_array_new_with_free_func((GDestroyNotify)session_named_free);
    session->facts.options_sent++;
    session->options_overlap = !g_queue_is_empty(&session->options);
    if (option->option != NBD_OPT_GO)
        g_clear_pointer(&session->last_info, session_option_free);
    session->sending = option;
    g_queue_push_tail(&session->options, option);
    if (session->options.length > SESSION_MAX_OPTIONS)
        session_give_up(session);
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
    if (option->option == NBD_OPT_LIST_META_CONTEXT || option->option == NBD_OPT_SET_META_CONTEXT)
        option->contexts_parsed =
            option->whole &&
            wire_parse_context_request(message->data->data, message->data->len, &option->contexts);
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

/* The export that INFO or GO names; NULL if that was not seen. */
static GBytes *info_export(const SessionOption *option)
{
    return option->info_parsed ? g_bytes_new(option->request.name, option->request.name_length)
                               : NULL;
}

/* EXPORT_NAME is NULL if it was not seen; it is taken over. */
static void enter_transmission(Session *session, GBytes *export_name)
{
    session->phase = PHASE_TRANSMISSION;
    session_enter(session, export_name);
    /* Options that were sent behind this one reach the server as requests. */
    if (!g_queue_is_empty(&session->options)) {
        session->stream[SIDE_CLIENT].tainted = true;
        session_give_up(session);
    }
}

/* What was agreed before TLS is void (proto.md:1236); a relay sees no more than TLS from here. */
static void expect_tls(Session *session)
{
    SessionFacts *facts = &session->facts;

    facts->tls = SESSION_TLS_ACKNOWLEDGED;
    session->structured_before_tls = facts->structured && !facts->extended;
    facts->structured = facts->extended = false;
    facts->block_size_asked = facts->block_size_given = false;
    session->minimum = session->agreed.minimum;
    session->maximum = session->agreed.maximum;
    session_forget_contexts(session);
    g_clear_pointer(&session->last_info, session_option_free);
    session->phase = PHASE_TLS;
    if (session->vantage == VANTAGE_RELAY)
        session_give_up(session);
}

/* Options that were sent in plain text behind STARTTLS have never been. */
void session_start_tls(Session *session)
{
    session->facts.tls = SESSION_TLS_RUNNING;
    session->phase = PHASE_HAGGLING;
    session->sending = NULL;
    g_queue_clear_full(&session->options, (GDestroyNotify)session_option_free);
    for (int side = 0; side < 2; side++) {
        SessionStream *stream = &session->stream[side];
        g_clear_pointer(&stream->partial, session_message_free);
        g_byte_array_set_size(stream->buffer, 0);
        stream->start = 0;
        stream->record = 0;
    }
}

/* What an option's end in plain text says about the server's mode of TLS. */
static void note_mode(Session *session, const SessionOption *option, uint32_t type)
{
    bool by_export = option->option == NBD_OPT_INFO || option->option == NBD_OPT_GO;

    if (session->facts.tls != SESSION_TLS_NONE)
        return;
    if (type == NBD_REP_ERR_TLS_REQD) {
        session->tls_required = true;
        session->tls_forced |= !by_export;
        if (by_export && option->info_parsed && session->tls_exports->len < SESSION_MAX_NAMES)
            g_ptr_array_add(session->tls_exports, info_export(option));
    }
    if (option->option == NBD_OPT_STARTTLS && option->whole && option->data->len == 0 &&
        (type == NBD_REP_ERR_UNSUP || type == NBD_REP_ERR_POLICY))
        session->starttls_refused = type;
    if (type == NBD_REP_ACK && option->option != NBD_OPT_STARTTLS &&
        option->option != NBD_OPT_ABORT)
        session->plain_success = option->option;
}

static void accepted(Session *session, SessionOption *option)
{
    switch (option->option) {
    case NBD_OPT_GO:
        take_over(session, option);
        session->entered_by_go = true;
        enter_transmission(session, info_export(option));
        break;
    case NBD_OPT_ABORT:
        session->phase = PHASE_ABORTED;
        break;
    case NBD_OPT_STARTTLS:
        expect_tls(session);
        break;
    case NBD_OPT_STRUCTURED_REPLY:
        session->facts.structured = true;
        break;
    case NBD_OPT_EXTENDED_HEADERS:
        session->facts.structured = session->facts.extended = true;
        break;
    case NBD_OPT_LIST_META_CONTEXT:
        session_note_narrow(session, option);
        break;
    case NBD_OPT_SET_META_CONTEXT:
        session_note_narrow(session, option);
        session_select_contexts(session, option);
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
        session_forget_contexts(session);
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
    if (type == NBD_REP_META_CONTEXT)
        session_note_context(option, message);
    if (!session_message_is_final(message))
        return;
    g_queue_pop_head(&session->options);
    if (session->sending == option)
        session->sending = NULL;
    next_option_phase(session);
    note_mode(session, option, type);
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
    SessionOption *option = g_queue_pop_head(&session->options);
    enter_transmission(session,
                       option->whole ? g_bytes_new(option->data->data, option->data->len) : NULL);
    session_option_free(option);
}

void session_begin(Session *session, const SessionMessage *message)
{
    if (message->kind == WIRE_OPTION && message->value[OPTION_MAGIC] == NBD_IHAVEOPT)
        begin_option(session, message);
    else if ((message->kind == WIRE_REQUEST &&
              message->value[REQUEST_MAGIC] == NBD_REQUEST_MAGIC) ||
             message->kind == WIRE_EXTENDED_REQUEST)
        session_begin_request(session, message);
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
    case WIRE_SIMPLE_REPLY:
    case WIRE_CHUNK:
    case WIRE_EXTENDED_REPLY:
        session_advance_reply(session, message);
        break;
    default:
        break;
    }
}
