/* What negotiating extended headers obliges to (proto-ext-header.md), and RESIZE (proto-resize.md). What
 * concerns replies stands beside the rules for replies. */
#include "session/private.h"

#define DEC "%" G_GUINT64_FORMAT

/* ---- Negotiation ----------------------------------------------------------------------------- */

static const SessionOption *answered(const Session *session, const SessionMessage *message,
                                     uint32_t type)
{
    return message->value[REPLY_TYPE] == type ? session_answered_option(session, message) : NULL;
}

static char *go_supported(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = answered(session, message, NBD_REP_ERR_UNSUP);

    if (option == NULL || option->option != NBD_OPT_GO || !session->facts.extended)
        return NULL;
    return g_strdup("GO is answered with ERR_UNSUP, although extended headers were negotiated");
}

static char *required_once(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = answered(session, message, NBD_REP_ERR_EXT_HEADER_REQD);

    if (option == NULL || !session->facts.extended || option->option == NBD_OPT_STRUCTURED_REPLY)
        return NULL;
    g_autofree char *name = wire_format(&wire_options, option->option);
    return g_strdup_printf("%s is answered with ERR_EXT_HEADER_REQD, although extended headers "
                           "were negotiated",
                           name);
}

/* The transmission flags that a reply to INFO or GO tells. */
static bool tells_payload(const SessionMessage *message)
{
    return message->inner == WIRE_INFO_EXPORT &&
           message->data_length == wire_layout(WIRE_INFO_EXPORT)->size &&
           (message->inner_value[INFO_EXPORT_FLAGS] & NBD_FLAG_BLOCK_STATUS_PAYLOAD) != 0;
}

static char *payload_needs_contexts(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = answered(session, message, NBD_REP_INFO);

    if (option == NULL || option->option != NBD_OPT_GO || !tells_payload(message) ||
        !session->facts.extended || session->facts.contexts > 0 || session->contexts_cut)
        return NULL;
    return g_strdup("BLOCK_STATUS_PAYLOAD is set for GO, although no context is selected");
}

static const SessionRule reply_rules[] = {
    SESSION_RULE(go_supported, REQ("extended.option.go-supported"), RULE_ENDPOINT),
    SESSION_RULE(required_once, REQ("extended.required.once-negotiated"), RULE_ENDPOINT),
    SESSION_RULE(payload_needs_contexts, REQ("extended.flags.payload-needs-contexts"),
                 RULE_ENDPOINT),
};
SESSION_RULES(session_extended_reply_rules, WIRE_OPTION_REPLY, reply_rules);

static bool is_option(const SessionMessage *message, uint32_t option)
{
    return message->value[OPTION_MAGIC] == NBD_IHAVEOPT && message->value[OPTION_OPTION] == option;
}

static char *client_no_data(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!is_option(message, NBD_OPT_EXTENDED_HEADERS) || message->value[OPTION_LENGTH] == 0)
        return NULL;
    return g_strdup_printf("EXTENDED_HEADERS carries " DEC " bytes of data",
                           message->value[OPTION_LENGTH]);
}

static char *client_no_export_name(const Session *session, const SessionMessage *message)
{
    if (!is_option(message, NBD_OPT_EXPORT_NAME) || !session->facts.extended)
        return NULL;
    return g_strdup("EXPORT_NAME is sent, although extended headers were negotiated");
}

static const SessionRule option_rules[] = {
    SESSION_RULE(client_no_data, REQ("extended.option.client-no-data"), RULE_ALWAYS),
    SESSION_RULE(client_no_export_name, REQ("extended.option.client-no-export-name"), RULE_ALWAYS),
};
SESSION_RULES(session_extended_option_rules, WIRE_OPTION, option_rules);

/* ---- Requests -------------------------------------------------------------------------------- */

static bool is_wide(const SessionMessage *message)
{
    return message->kind == WIRE_EXTENDED_REQUEST;
}

/* A request that begins as one of either form does. */
static bool is_request(const SessionMessage *message)
{
    return is_wide(message) || message->value[REQUEST_MAGIC] == NBD_REQUEST_MAGIC;
}

static bool is_command(const SessionMessage *message, uint64_t command)
{
    return is_request(message) && message->value[REQUEST_TYPE] == command;
}

static bool has_payload_flag(const SessionMessage *message)
{
    return (message->value[REQUEST_FLAGS] & NBD_CMD_FLAG_PAYLOAD_LEN) != 0;
}

static char *client_extended(const Session *session, const SessionMessage *message)
{
    if (is_wide(message))
        return NULL;
    if (session->facts.extended && message->value[REQUEST_MAGIC] == NBD_REQUEST_MAGIC)
        return g_strdup("a compact request is sent, although extended headers were negotiated");
    if (!session->facts.extended && message->value[REQUEST_MAGIC] == NBD_EXTENDED_REQUEST_MAGIC)
        return g_strdup(
            "an extended request is sent, although extended headers were not negotiated");
    return NULL;
}

static char *client_payload_flag(const Session *session, const SessionMessage *message)
{
    if (is_wide(message) || session->facts.extended || !is_request(message) ||
        !has_payload_flag(message))
        return NULL;
    return g_strdup("PAYLOAD_LEN is set in a compact request");
}

static char *client_read_length(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!is_command(message, NBD_CMD_READ) || message->value[REQUEST_LENGTH] <= UINT32_MAX)
        return NULL;
    return g_strdup_printf("READ asks for " DEC " bytes, more than 32 bits can say",
                           message->value[REQUEST_LENGTH]);
}

static char *client_write_flag(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!is_wide(message) || !is_command(message, NBD_CMD_WRITE) || has_payload_flag(message))
        return NULL;
    return g_strdup("WRITE is sent without PAYLOAD_LEN in an extended request");
}

static bool has_status_payload(const SessionMessage *message)
{
    return is_wide(message) && is_command(message, NBD_CMD_BLOCK_STATUS) &&
           has_payload_flag(message);
}

static char *client_payload(const Session *session, const SessionMessage *message)
{
    if (!has_status_payload(message) ||
        session->facts.transmission_flags & NBD_FLAG_BLOCK_STATUS_PAYLOAD)
        return NULL;
    return g_strdup("BLOCK_STATUS has a payload, although BLOCK_STATUS_PAYLOAD is not set");
}

static char *client_payload_length(const Session *session, const SessionMessage *message)
{
    uint64_t length = message->value[REQUEST_LENGTH];

    (void)session;
    if (!has_status_payload(message) || (length >= 8 && length % 4 == 0))
        return NULL;
    return g_strdup_printf("the payload of BLOCK_STATUS is " DEC
                           " bytes long, which is no 8 + 4 for each context",
                           length);
}

/* ---- RESIZE ---------------------------------------------------------------------------------- */

static char *resize_unadvertised(const Session *session, const SessionMessage *message)
{
    if (!is_command(message, NBD_CMD_RESIZE) ||
        session->facts.transmission_flags & NBD_FLAG_SEND_RESIZE)
        return NULL;
    return g_strdup("RESIZE is sent, although SEND_RESIZE is not set");
}

/* Commands whose offset and length mean a part of the export. */
static bool has_range(uint64_t command)
{
    switch (command) {
    case NBD_CMD_READ:
    case NBD_CMD_WRITE:
    case NBD_CMD_TRIM:
    case NBD_CMD_CACHE:
    case NBD_CMD_WRITE_ZEROES:
    case NBD_CMD_BLOCK_STATUS:
        return true;
    default:
        return false;
    }
}

/* True if the range has a byte between the export's present size and the one that is asked for. */
static bool in_between(const Session *session, uint64_t size, uint64_t offset, uint64_t length)
{
    uint64_t low = MIN(size, session->facts.size), high = MAX(size, session->facts.size);

    return length > 0 && offset < high && (offset >= low || length > low - offset);
}

/* Beside more requests in flight than these, RESIZE is not judged: each is looked at. */
#define MANY_IN_FLIGHT 4096u

static bool can_look(const Session *session)
{
    return session->facts.in_flight <= MANY_IN_FLIGHT;
}

/* True if a RESIZE is in flight that makes MESSAGE's range uncertain. */
static bool is_being_resized(const Session *session, const SessionMessage *message)
{
    GHashTableIter iterator;
    gpointer waiting;

    if (session->resizes == 0 || !can_look(session))
        return false;
    g_hash_table_iter_init(&iterator, session->in_flight);
    while (g_hash_table_iter_next(&iterator, NULL, &waiting)) {
        const SessionPending *pending = ((SessionInFlight *)waiting)->requests.head->data;
        if (pending->request.command == NBD_CMD_RESIZE &&
            in_between(session, pending->request.offset, message->value[REQUEST_OFFSET],
                       message->value[REQUEST_LENGTH]))
            return true;
    }
    return false;
}

static char *resize_waits(const Session *session, const SessionMessage *message)
{
    if (!is_request(message) || !has_range(message->value[REQUEST_TYPE]) ||
        !is_being_resized(session, message))
        return NULL;
    return g_strdup("a request for the area between the old size and the new is sent while RESIZE "
                    "is in flight");
}

static char *resize_outstanding(const Session *session, const SessionMessage *message)
{
    GHashTableIter iterator;
    gpointer waiting;

    if (!is_command(message, NBD_CMD_RESIZE) || !can_look(session))
        return NULL;
    g_hash_table_iter_init(&iterator, session->in_flight);
    while (g_hash_table_iter_next(&iterator, NULL, &waiting)) {
        const SessionPending *pending = ((SessionInFlight *)waiting)->requests.head->data;
        const SessionRequest *request = &pending->request;
        if (has_range(request->command) &&
            in_between(session, message->value[REQUEST_OFFSET], request->offset, request->length))
            return g_strdup("RESIZE is sent while a request for the area between the old size and "
                            "the new is in flight");
    }
    return NULL;
}

static const SessionRule request_rules[] = {
    SESSION_RULE(client_extended, REQ("extended.request.client-extended"), RULE_ALWAYS),
    SESSION_RULE(client_payload_flag, REQ("extended.request.client-payload-flag"), RULE_ALWAYS),
    SESSION_RULE(client_read_length, REQ("extended.request.client-read-length"), RULE_ALWAYS),
    SESSION_RULE(client_write_flag, REQ("extended.request.client-write-flag"), RULE_ALWAYS),
    SESSION_RULE(client_payload, REQ("extended.flags.client-payload"), RULE_ALWAYS),
    SESSION_RULE(client_payload_length, REQ("extended.block-status.client-payload-length"),
                 RULE_ALWAYS),
    SESSION_RULE(resize_unadvertised, REQ("resize.client-unadvertised"), RULE_ALWAYS),
    SESSION_RULE(resize_waits, REQ("resize.client-waits"), RULE_ENDPOINT),
    SESSION_RULE(resize_outstanding, REQ("resize.client-outstanding"), RULE_ENDPOINT),
};
SESSION_RULES(session_extended_request_rules, WIRE_REQUEST, request_rules);
