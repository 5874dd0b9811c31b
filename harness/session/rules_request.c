/* What a client's requests obey. As with its options, what our own client breaks on purpose taints it. */
#include "session/private.h"

#define HEX "%#" G_GINT64_MODIFIER "x"
#define DEC "%" G_GUINT64_FORMAT

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

/* Requests outside constraints that were advertised to a client that did not ask for them
 * (proto.md:878), and payloads that may be taken for an attack (847). */
bool session_request_forfeits(const Session *session, const SessionMessage *message)
{
    bool large = (is_command(message, NBD_CMD_WRITE) || is_command(message, NBD_CMD_READ)) &&
                 message->value[REQUEST_LENGTH] > NBD_DEFAULT_MAX_PAYLOAD;
    /* BLOCK_STATUS with a payload has to be borne even where it is not known (proto-ext-header.md:2502). */
    bool needless =
        message->kind == WIRE_EXTENDED_REQUEST && sets(message, NBD_CMD_FLAG_PAYLOAD_LEN) &&
        !is_command(message, NBD_CMD_WRITE) && !is_command(message, NBD_CMD_BLOCK_STATUS);

    return is_request(message) &&
           (large || needless || payload(session, message) > session->maximum ||
            (has_range(message) && !is_aligned(message, session->minimum)));
}

/* ---- The table -------------------------------------------------------------------------------- */

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
