/* What every message of a client obeys. Where the client is ours and breaks a MUST on purpose, this is
 * what taints it: from then on the server may hang up. */
#include "session/private.h"

#define HEX "%#" G_GINT64_MODIFIER "x"
#define DEC "%" G_GUINT64_FORMAT

/* ---- Client flags ----------------------------------------------------------------------------- */

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

/* ---- Options ---------------------------------------------------------------------------------- */

static bool is_option(const SessionMessage *message)
{
    return message->value[OPTION_MAGIC] == NBD_IHAVEOPT;
}

static char *option_magic(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (is_option(message))
        return NULL;
    return g_strdup_printf("where an option begins stands the magic " HEX, message->value[OPTION_MAGIC]);
}

static char *one_at_a_time(const Session *session, const SessionMessage *message)
{
    if (!is_option(message) || g_queue_is_empty((GQueue *)&session->options))
        return NULL;
    return g_strdup("an option is sent while the final reply to another is still due");
}

static char *only_export_name(const Session *session, const SessionMessage *message)
{
    if (!is_option(message) || message->value[OPTION_OPTION] == NBD_OPT_EXPORT_NAME ||
        session->facts.handshake_flags & NBD_FLAG_FIXED_NEWSTYLE)
        return NULL;
    return g_strdup("an option other than EXPORT_NAME, although the server did not offer fixed newstyle");
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

/* The name that an option carries. */
static bool option_name(const SessionMessage *message, const uint8_t **name, size_t *length)
{
    WireInfoRequest request;

    if (!is_option(message) || message->data->len != message->data_length)
        return false;
    if (message->value[OPTION_OPTION] == NBD_OPT_EXPORT_NAME) {
        *name = message->data->data;
        *length = message->data->len;
        return true;
    }
    if (!is_info(message) ||
        !wire_parse_info_request(message->data->data, message->data->len, &request))
        return false;
    *name = request.name;
    *length = request.name_length;
    return true;
}

static char *name_is(const SessionMessage *message, WireString bad, const char *what)
{
    const uint8_t *name;
    size_t length;

    if (!option_name(message, &name, &length) || wire_check_string(name, length) != bad)
        return NULL;
    return g_strdup_printf("an export name of %zu bytes %s", length, what);
}

static char *name_too_long(const Session *session, const SessionMessage *message)
{
    const uint8_t *name;
    size_t length;

    (void)session;
    if (!option_name(message, &name, &length) || length <= NBD_MAX_STRING)
        return NULL;
    return g_strdup_printf("an export name is %zu bytes long, over 4096", length);
}

static char *name_long(const Session *session, const SessionMessage *message)
{
    (void)session;
    return name_is(message, WIRE_STRING_LONG, "is longer than 256 bytes");
}

static char *name_nul(const Session *session, const SessionMessage *message)
{
    (void)session;
    return name_is(message, WIRE_STRING_NUL, "holds a NUL");
}

static char *name_utf8(const Session *session, const SessionMessage *message)
{
    (void)session;
    return name_is(message, WIRE_STRING_NOT_UTF8, "is not UTF-8");
}

/* ---- Requests --------------------------------------------------------------------------------- */

static bool is_request(const SessionMessage *message)
{
    return message->value[REQUEST_MAGIC] == NBD_REQUEST_MAGIC;
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
static bool is_late_option(const SessionMessage *message)
{
    return message->value[REQUEST_MAGIC] == NBD_IHAVEOPT >> 32;
}

static char *no_options_after(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!is_late_option(message))
        return NULL;
    return g_strdup("an option is sent in the transmission phase");
}

static char *request_magic(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (is_request(message) || is_late_option(message))
        return NULL;
    return g_strdup_printf("where a request begins stands the magic " HEX,
                           message->value[REQUEST_MAGIC]);
}

static char *disc_last(const Session *session, const SessionMessage *message)
{
    (void)message;
    return session->disc_sent ? g_strdup("something is sent after DISC") : NULL;
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
    if (!is_request(message) || session_request(session, message->value[REQUEST_COOKIE]) == NULL)
        return NULL;
    return g_strdup_printf("the cookie " HEX " is that of a request in flight",
                           message->value[REQUEST_COOKIE]);
}

static char *command_flags_defined(const Session *session, const SessionMessage *message)
{
    uint64_t defined = NBD_CMD_FLAG_FUA;

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
    uint64_t undefined = message->value[REQUEST_FLAGS] & ~defined;
    return undefined == 0 ? NULL
                          : g_strdup_printf("the command has no flags " HEX, undefined);
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

static char *command_offered(const Session *session, const SessionMessage *message, uint64_t command,
                             unsigned flag)
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
    if (is_command(message, NBD_CMD_BLOCK_STATUS) && !session->facts.structured)
        return g_strdup("BLOCK_STATUS is sent, although no metadata context was negotiated");
    return command_offered(session, message, NBD_CMD_RESIZE, NBD_FLAG_SEND_RESIZE);
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

/* ---- Requests and the export ------------------------------------------------------------------ */

static bool has_range(const SessionMessage *message)
{
    switch (message->value[REQUEST_TYPE]) {
    case NBD_CMD_READ:
    case NBD_CMD_WRITE:
    case NBD_CMD_TRIM:
    case NBD_CMD_CACHE:
    case NBD_CMD_WRITE_ZEROES:
    case NBD_CMD_BLOCK_STATUS:
        return is_request(message);
    default:
        return false;
    }
}

static char *within_export(const Session *session, const SessionMessage *message)
{
    uint64_t offset = message->value[REQUEST_OFFSET], length = message->value[REQUEST_LENGTH];
    uint64_t size = session->facts.size;

    if (!has_range(message) || (offset <= size && length <= size - offset))
        return NULL;
    return g_strdup_printf("offset " DEC " and length " DEC " reach beyond the export's " DEC " bytes",
                           offset, length, size);
}

static char *aligned(const Session *session, const SessionMessage *message)
{
    uint64_t minimum = session->facts.minimum;

    if (!has_range(message) || !session->facts.committed || minimum == 0 ||
        (message->value[REQUEST_OFFSET] % minimum == 0 &&
         message->value[REQUEST_LENGTH] % minimum == 0))
        return NULL;
    return g_strdup_printf("offset or length is no multiple of the minimum block size, " DEC, minimum);
}

static char *payload_fits(const Session *session, const SessionMessage *message)
{
    bool payload = is_command(message, NBD_CMD_WRITE) ||
                   (is_command(message, NBD_CMD_READ) && !session->facts.structured);

    if (!payload || message->value[REQUEST_LENGTH] <= session->facts.maximum)
        return NULL;
    return g_strdup_printf("a payload of " DEC " bytes is over the maximum of %" G_GUINT32_FORMAT,
                           message->value[REQUEST_LENGTH], session->facts.maximum);
}

#define RULE(check, id, kind_, endpoint_)                                                          \
    {                                                                                              \
        .name = #check, .requirement = REQ(id), .by = SIDE_CLIENT, .kind = kind_,                  \
        .endpoint = endpoint_, .broken = check                                                     \
    }

const SessionRule session_client_rules[] = {
    RULE(flags_defined, "handshake.client-flags.undefined", WIRE_CLIENT_FLAGS, false),
    RULE(no_zeroes_offered, "handshake.client-flags.no-zeroes-unoffered", WIRE_CLIENT_FLAGS, false),
    RULE(option_magic, "handshake.option.magic", WIRE_OPTION, false),
    RULE(one_at_a_time, "handshake.option.one-at-a-time", WIRE_OPTION, true),
    RULE(only_export_name, "handshake.option.only-export-name-unfixed", WIRE_OPTION, false),
    RULE(list_no_data, "handshake.opt-list.client-no-data", WIRE_OPTION, false),
    RULE(structured_reply_no_data, "handshake.opt-structured-reply.client-no-data", WIRE_OPTION, false),
    RULE(starttls_no_data, "handshake.opt-starttls.client-no-data", WIRE_OPTION, false),
    RULE(info_name_length, "handshake.opt-info.name-length", WIRE_OPTION, false),
    RULE(info_layout, "handshake.opt-info.layout", WIRE_OPTION, false),
    RULE(info_duplicates, "handshake.opt-info.duplicate-requests", WIRE_OPTION, false),
    RULE(name_long, "string.max-256", WIRE_OPTION, false),
    RULE(name_too_long, "string.max-4096", WIRE_OPTION, false),
    RULE(name_nul, "string.no-nul", WIRE_OPTION, false),
    RULE(name_utf8, "string.utf-8", WIRE_OPTION, false),
    RULE(no_options_after, "handshake.opt-go.no-options-after", WIRE_REQUEST, false),
    RULE(request_magic, "transmission.request.magic", WIRE_REQUEST, false),
    RULE(disc_last, "transmission.disc.client-last", WIRE_REQUEST, false),
    RULE(command_defined, "transmission.request.undefined-command", WIRE_REQUEST, false),
    RULE(cookie_distinct, "transmission.request.cookie-distinct", WIRE_REQUEST, true),
    RULE(command_flags_defined, "transmission.command-flags.undefined", WIRE_REQUEST, false),
    RULE(df_offered, "transmission.command-flags.df-unadvertised", WIRE_REQUEST, false),
    RULE(fast_zero_offered, "transmission.command-flags.fast-zero-unadvertised", WIRE_REQUEST, false),
    RULE(flush_offered, "transmission.flush.unadvertised", WIRE_REQUEST, false),
    RULE(trim_offered, "transmission.trim.unadvertised", WIRE_REQUEST, false),
    RULE(write_zeroes_offered, "transmission.write-zeroes.unadvertised", WIRE_REQUEST, false),
    RULE(feature_offered, "transmission.flags.unexposed-feature", WIRE_REQUEST, false),
    RULE(flush_zero, "transmission.flush.client-zero", WIRE_REQUEST, false),
    RULE(disc_zero, "transmission.disc.client-zero", WIRE_REQUEST, false),
    RULE(within_export, "size.client-within-export", WIRE_REQUEST, false),
    RULE(aligned, "size.client-aligned", WIRE_REQUEST, false),
    RULE(payload_fits, "size.client-payload", WIRE_REQUEST, false),
};
const size_t session_client_rule_count = G_N_ELEMENTS(session_client_rules);
