/* What every message of a client obeys. Where the client is ours and breaks a MUST on purpose, this
 * is what taints it: from then on the server may hang up. */
#include "session/private.h"

#define HEX "%#" G_GINT64_MODIFIER "x"
#define DEC "%" G_GUINT64_FORMAT

/* ---- Client flags ---------------------------------------------------------------------------- */

static char *flags_defined(const Session *session, const SessionMessage *message)
{
    uint64_t unknown = message->value[CLIENT_FLAGS_FLAGS] & ~wire_known_bits(&wire_client_flags);

    (void)session;
    return unknown == 0 ? NULL : g_strdup_printf("undefined client flags: " HEX, unknown);
}

static char *no_zeroes_offered(const Session *session, const SessionMessage *message)
{
    if (!(message->value[CLIENT_FLAGS_FLAGS] & NBD_FLAG_C_NO_ZEROES) ||
        session->facts.handshake_flags & NBD_FLAG_NO_ZEROES)
        return NULL;
    return g_strdup("C_NO_ZEROES is set, although the server did not offer NO_ZEROES");
}

/* ---- Options --------------------------------------------------------------------------------- */

static bool is_option(const SessionMessage *message)
{
    return message->value[OPTION_MAGIC] == NBD_IHAVEOPT;
}

static char *option_magic(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (is_option(message))
        return NULL;
    return g_strdup_printf("where an option begins stands the magic " HEX,
                           message->value[OPTION_MAGIC]);
}

static char *one_at_a_time(const Session *session, const SessionMessage *message)
{
    if (!is_option(message) || !session->options_overlap)
        return NULL;
    return g_strdup("an option is sent while the final reply to another is still due");
}

static char *only_export_name(const Session *session, const SessionMessage *message)
{
    if (!is_option(message) || message->value[OPTION_OPTION] == NBD_OPT_EXPORT_NAME ||
        session->facts.handshake_flags & NBD_FLAG_FIXED_NEWSTYLE)
        return NULL;
    return g_strdup(
        "an option other than EXPORT_NAME, although the server did not offer fixed newstyle");
}

static char *no_data(const SessionMessage *message, uint32_t option)
{
    if (!is_option(message) || message->value[OPTION_OPTION] != option ||
        message->value[OPTION_LENGTH] == 0)
        return NULL;
    return g_strdup_printf("%s carries " DEC " bytes of data", wire_name(&wire_options, option),
                           message->value[OPTION_LENGTH]);
}

static char *list_no_data(const Session *session, const SessionMessage *message)
{
    (void)session;
    return no_data(message, NBD_OPT_LIST);
}

static char *structured_reply_no_data(const Session *session, const SessionMessage *message)
{
    (void)session;
    return no_data(message, NBD_OPT_STRUCTURED_REPLY);
}

static char *starttls_no_data(const Session *session, const SessionMessage *message)
{
    (void)session;
    return no_data(message, NBD_OPT_STARTTLS);
}

static bool is_info(const SessionMessage *message)
{
    uint64_t option = message->value[OPTION_OPTION];

    return is_option(message) && (option == NBD_OPT_INFO || option == NBD_OPT_GO);
}

/* The name's length fits into the option: otherwise the layout is not looked at. */
static bool name_fits(const SessionMessage *message)
{
    return message->value[OPTION_LENGTH] >= 6 && message->data->len >= 4 &&
           wire_get(message->data->data, 4) <= message->value[OPTION_LENGTH] - 6;
}

static char *info_name_length(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!is_info(message) || name_fits(message))
        return NULL;
    return g_strdup("the length of the name is larger than the option's length less 6");
}

static char *info_layout(const Session *session, const SessionMessage *message)
{
    WireInfoRequest request;

    (void)session;
    if (!is_info(message) || !name_fits(message) || message->data->len != message->data_length ||
        wire_parse_info_request(message->data->data, message->data->len, &request))
        return NULL;
    return g_strdup("the option's length does not fit the number of information requests in it");
}

static char *info_duplicates(const Session *session, const SessionMessage *message)
{
    WireInfoRequest request;

    (void)session;
    if (!is_info(message) ||
        !wire_parse_info_request(message->data->data, message->data->len, &request))
        return NULL;
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    for (size_t i = 0; i < request.info_count; i++) {
        guint type = (guint)wire_get(request.infos + 2 * i, 2);
        if (!g_hash_table_add(seen, GUINT_TO_POINTER(type + 1)))
            return g_strdup_printf("information type %u is requested twice", type);
    }
    return NULL;
}

/* ---- Requests -------------------------------------------------------------------------------- */

static bool is_request(const SessionMessage *message)
{
    return message->kind == WIRE_EXTENDED_REQUEST ||
           message->value[REQUEST_MAGIC] == NBD_REQUEST_MAGIC;
}

static bool is_command(const SessionMessage *message, uint64_t command)
{
    return is_request(message) && message->value[REQUEST_TYPE] == command;
}

static bool sets(const SessionMessage *message, uint64_t flag)
{
    return is_request(message) && (message->value[REQUEST_FLAGS] & flag) != 0;
}

static bool offered(const Session *session, unsigned flag)
{
    return (session->facts.transmission_flags & flag) != 0;
}

/* The upper half of IHAVEOPT: an option where a request is due. */
static bool is_late_option(const Session *session, const SessionMessage *message)
{
    return session->entered_by_go && message->value[REQUEST_MAGIC] == NBD_IHAVEOPT >> 32;
}

static char *no_options_after(const Session *session, const SessionMessage *message)
{
    if (!is_late_option(session, message))
        return NULL;
    return g_strdup("an option is sent in the transmission phase");
}

static char *request_magic(const Session *session, const SessionMessage *message)
{
    if (is_request(message) || is_late_option(session, message) ||
        message->value[REQUEST_MAGIC] == NBD_EXTENDED_REQUEST_MAGIC)
        return NULL;
    return g_strdup_printf("where a request begins stands the magic " HEX,
                           message->value[REQUEST_MAGIC]);
}

static char *command_defined(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!is_request(message) || wire_name(&wire_commands, message->value[REQUEST_TYPE]) != NULL)
        return NULL;
    return g_strdup_printf("undefined command " DEC, message->value[REQUEST_TYPE]);
}

static char *cookie_distinct(const Session *session, const SessionMessage *message)
{
    if (!is_request(message) || session_waiting(session, message->value[REQUEST_COOKIE]) == NULL)
        return NULL;
    return g_strdup_printf("the cookie " HEX " is that of a request in flight",
                           message->value[REQUEST_COOKIE]);
}

static char *command_flags_defined(const Session *session, const SessionMessage *message)
{
    uint64_t defined = NBD_CMD_FLAG_FUA | NBD_CMD_FLAG_PAYLOAD_LEN;

    (void)session;
    if (!is_request(message))
        return NULL;
    switch (message->value[REQUEST_TYPE]) {
    case NBD_CMD_READ:
        defined |= NBD_CMD_FLAG_DF;
        break;
    case NBD_CMD_WRITE_ZEROES:
        defined |= NBD_CMD_FLAG_NO_HOLE | NBD_CMD_FLAG_FAST_ZERO;
        break;
    case NBD_CMD_BLOCK_STATUS:
        defined |= NBD_CMD_FLAG_REQ_ONE;
        break;
    default:
        break;
    }
    /* What PAYLOAD_LEN may stand on has requirements of its own. */
    uint64_t undefined = message->value[REQUEST_FLAGS] & ~defined;
    return undefined == 0 ? NULL : g_strdup_printf("the command has no flags " HEX, undefined);
}

static char *df_offered(const Session *session, const SessionMessage *message)
{
    if (!is_command(message, NBD_CMD_READ) || !sets(message, NBD_CMD_FLAG_DF) ||
        offered(session, NBD_FLAG_SEND_DF))
        return NULL;
    return g_strdup("DF is set, although SEND_DF is not");
}

static char *fast_zero_offered(const Session *session, const SessionMessage *message)
{
    if (!is_command(message, NBD_CMD_WRITE_ZEROES) || !sets(message, NBD_CMD_FLAG_FAST_ZERO) ||
        offered(session, NBD_FLAG_SEND_FAST_ZERO))
        return NULL;
    return g_strdup("FAST_ZERO is set, although SEND_FAST_ZERO is not");
}

static char *command_offered(const Session *session, const SessionMessage *message,
                             uint64_t command, unsigned flag)
{
    if (!is_command(message, command) || offered(session, flag))
        return NULL;
    return g_strdup_printf("%s is sent, although the server does not offer it",
                           wire_name(&wire_commands, command));
}

static char *flush_offered(const Session *session, const SessionMessage *message)
{
    return command_offered(session, message, NBD_CMD_FLUSH, NBD_FLAG_SEND_FLUSH);
}

static char *trim_offered(const Session *session, const SessionMessage *message)
{
    return command_offered(session, message, NBD_CMD_TRIM, NBD_FLAG_SEND_TRIM);
}

static char *write_zeroes_offered(const Session *session, const SessionMessage *message)
{
    return command_offered(session, message, NBD_CMD_WRITE_ZEROES, NBD_FLAG_SEND_WRITE_ZEROES);
}

static char *feature_offered(const Session *session, const SessionMessage *message)
{
    if (sets(message, NBD_CMD_FLAG_FUA) && !offered(session, NBD_FLAG_SEND_FUA))
        return g_strdup("FUA is set, although SEND_FUA is not");
    return NULL;
}

static char *context_selected(const Session *session, const SessionMessage *message)
{
    if (!is_command(message, NBD_CMD_BLOCK_STATUS))
        return NULL;
    if (session->facts.contexts == 0 && !session->contexts_cut)
        return g_strdup("BLOCK_STATUS is sent, although no metadata context is selected");
    if (session->facts.contexts_apply || session->entered == NULL ||
        session->contexts_export == NULL)
        return NULL;
    return g_strdup("BLOCK_STATUS is sent, although contexts were selected for another export than "
                    "the one that was entered");
}

static char *zero_fields(const SessionMessage *message, uint64_t command)
{
    if (!is_command(message, command) ||
        (message->value[REQUEST_OFFSET] == 0 && message->value[REQUEST_LENGTH] == 0))
        return NULL;
    return g_strdup_printf("%s with an offset or a length", wire_name(&wire_commands, command));
}

static char *flush_zero(const Session *session, const SessionMessage *message)
{
    (void)session;
    return zero_fields(message, NBD_CMD_FLUSH);
}

static char *disc_zero(const Session *session, const SessionMessage *message)
{
    (void)session;
    return zero_fields(message, NBD_CMD_DISC);
}

/* ---- Requests and the export ----------------------------------------------------------------- */

static bool has_range(const SessionMessage *message)
{
    switch (message->value[REQUEST_TYPE]) {
    case NBD_CMD_READ:
    case NBD_CMD_WRITE:
    case NBD_CMD_TRIM:
    case NBD_CMD_CACHE:
    case NBD_CMD_WRITE_ZEROES:
        return is_request(message);
    case NBD_CMD_BLOCK_STATUS: /* with a payload, the length is the payload's */
        return is_request(message) && !sets(message, NBD_CMD_FLAG_PAYLOAD_LEN);
    default:
        return false;
    }
}

static char *within_export(const Session *session, const SessionMessage *message)
{
    uint64_t offset = message->value[REQUEST_OFFSET], length = message->value[REQUEST_LENGTH];
    uint64_t size = session->facts.size;

    if (!has_range(message) || !session->facts.has_export || session->resizes > 0 ||
        (offset <= size && length <= size - offset))
        return NULL;
    return g_strdup_printf("offset " DEC " and length " DEC " reach beyond the export's " DEC
                           " bytes",
                           offset, length, size);
}

static bool is_aligned(const SessionMessage *message, uint64_t minimum)
{
    return minimum == 0 || (message->value[REQUEST_OFFSET] % minimum == 0 &&
                            message->value[REQUEST_LENGTH] % minimum == 0);
}

/* The length of a payload that the client has chosen, in either direction. */
static uint64_t payload(const Session *session, const SessionMessage *message)
{
    if (is_command(message, NBD_CMD_WRITE) ||
        (message->kind == WIRE_EXTENDED_REQUEST && sets(message, NBD_CMD_FLAG_PAYLOAD_LEN)) ||
        (is_command(message, NBD_CMD_READ) && !session->facts.structured))
        return message->value[REQUEST_LENGTH];
    return 0;
}

static char *aligned(const Session *session, const SessionMessage *message)
{
    if (!has_range(message) || !session->facts.committed ||
        is_aligned(message, session->facts.minimum))
        return NULL;
    return g_strdup_printf("offset or length is no multiple of the minimum block size, %u",
                           session->facts.minimum);
}

static char *payload_fits(const Session *session, const SessionMessage *message)
{
    uint64_t length = payload(session, message);

    if (!session->facts.committed || length <= session->facts.maximum)
        return NULL;
    return g_strdup_printf("a payload of " DEC " bytes is over the maximum of %u", length,
                           session->facts.maximum);
}

/* ---- Forfeits -------------------------------------------------------------------------------- */

/* Lengths that can only be those of an option that breaks a MUST; its data may never come. */
static bool option_forfeits(const Session *session, const SessionMessage *message)
{
    const uint64_t longest_info = 4 + NBD_MAX_STRING + 2 + 2 * UINT64_C(65535);
    uint64_t length = message->value[OPTION_LENGTH];

    if (!g_queue_is_empty((GQueue *)&session->options) && session->vantage == VANTAGE_ENDPOINT)
        return true;
    switch (message->value[OPTION_OPTION]) {
    case NBD_OPT_EXPORT_NAME:
        return length > NBD_MAX_STRING;
    case NBD_OPT_LIST:
    case NBD_OPT_STARTTLS:
    case NBD_OPT_STRUCTURED_REPLY:
    case NBD_OPT_EXTENDED_HEADERS:
        return length != 0;
    case NBD_OPT_LIST_META_CONTEXT:
        return length < 8;
    case NBD_OPT_SET_META_CONTEXT:
        return length < 8 || !session->facts.structured;
    case NBD_OPT_INFO:
    case NBD_OPT_GO:
        return length < 6 || length > longest_info;
    default:
        return false;
    }
}

/* Requests outside constraints that were advertised to a client that did not ask for them
 * (proto.md:878), and payloads that may be taken for an attack (847). */
static bool request_forfeits(const Session *session, const SessionMessage *message)
{
    bool large = (is_command(message, NBD_CMD_WRITE) || is_command(message, NBD_CMD_READ)) &&
                 message->value[REQUEST_LENGTH] > NBD_DEFAULT_MAX_PAYLOAD;
    /* BLOCK_STATUS with a payload has to be borne even where it is not known (proto-ext-header.md:2502). */
    bool needless =
        message->kind == WIRE_EXTENDED_REQUEST && sets(message, NBD_CMD_FLAG_PAYLOAD_LEN) &&
        !is_command(message, NBD_CMD_WRITE) && !is_command(message, NBD_CMD_BLOCK_STATUS);

    return large || needless || payload(session, message) > session->maximum ||
           (has_range(message) && !is_aligned(message, session->minimum));
}

bool session_forfeits(const Session *session, const SessionMessage *message)
{
    if (message->kind == WIRE_OPTION)
        return is_option(message) && option_forfeits(session, message);
    return session_message_is_request(message) && is_request(message) &&
           request_forfeits(session, message);
}

static const SessionRule client_flags_rules[] = {
    SESSION_RULE(flags_defined, REQ("handshake.client-flags.undefined"), RULE_ALWAYS),
    SESSION_RULE(no_zeroes_offered, REQ("handshake.client-flags.no-zeroes-unoffered"), RULE_ALWAYS),
};
SESSION_RULES(session_client_flags_rules, WIRE_CLIENT_FLAGS, client_flags_rules);

static const SessionRule option_rules[] = {
    SESSION_RULE(option_magic, REQ("handshake.option.magic"), RULE_ALWAYS),
    SESSION_RULE(one_at_a_time, REQ("handshake.option.one-at-a-time"), RULE_ENDPOINT),
    SESSION_RULE(only_export_name, REQ("handshake.option.only-export-name-unfixed"), RULE_ALWAYS),
    SESSION_RULE(list_no_data, REQ("handshake.opt-list.client-no-data"), RULE_ALWAYS),
    SESSION_RULE(structured_reply_no_data, REQ("handshake.opt-structured-reply.client-no-data"),
                 RULE_ALWAYS),
    SESSION_RULE(starttls_no_data, REQ("handshake.opt-starttls.client-no-data"), RULE_ALWAYS),
    SESSION_RULE(info_name_length, REQ("handshake.opt-info.name-length"), RULE_ALWAYS),
    SESSION_RULE(info_layout, REQ("handshake.opt-info.layout"), RULE_ALWAYS),
    SESSION_RULE(info_duplicates, REQ("handshake.opt-info.duplicate-requests"), RULE_ALWAYS),
};
SESSION_RULES(session_option_rules, WIRE_OPTION, option_rules);

static const SessionRule request_rules[] = {
    SESSION_RULE(no_options_after, REQ("handshake.opt-go.no-options-after"), RULE_ALWAYS),
    SESSION_RULE(request_magic, REQ("transmission.request.magic"), RULE_ALWAYS),
    SESSION_RULE(command_defined, REQ("transmission.request.undefined-command"), RULE_ALWAYS),
    SESSION_RULE(cookie_distinct, REQ("transmission.request.cookie-distinct"), RULE_ENDPOINT),
    SESSION_RULE(command_flags_defined, REQ("transmission.command-flags.undefined"), RULE_ALWAYS),
    SESSION_RULE(df_offered, REQ("transmission.command-flags.df-unadvertised"), RULE_ALWAYS),
    SESSION_RULE(fast_zero_offered, REQ("transmission.command-flags.fast-zero-unadvertised"),
                 RULE_ALWAYS),
    SESSION_RULE(flush_offered, REQ("transmission.flush.unadvertised"), RULE_ALWAYS),
    SESSION_RULE(trim_offered, REQ("transmission.trim.unadvertised"), RULE_ALWAYS),
    SESSION_RULE(write_zeroes_offered, REQ("transmission.write-zeroes.unadvertised"), RULE_ALWAYS),
    SESSION_RULE(feature_offered, REQ("transmission.flags.unexposed-feature"), RULE_ALWAYS),
    SESSION_RULE(context_selected, REQ("transmission.block-status.client-selected"), RULE_ALWAYS),
    SESSION_RULE(flush_zero, REQ("transmission.flush.client-zero"), RULE_ALWAYS),
    SESSION_RULE(disc_zero, REQ("transmission.disc.client-zero"), RULE_ALWAYS),
    SESSION_RULE(within_export, REQ("size.client-within-export"), RULE_ALWAYS),
    SESSION_RULE(aligned, REQ("size.client-aligned"), RULE_ALWAYS),
    SESSION_RULE(payload_fits, REQ("size.client-payload"), RULE_ALWAYS),
};
SESSION_RULES(session_request_rules, WIRE_REQUEST, request_rules);
