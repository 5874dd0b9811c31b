/* The errors that requests fail with, in simple replies and in chunks alike. */
#include "session/private.h"

#define DEC "%" G_GUINT64_FORMAT

/* The error that a reply to a request reports; false for a chunk that reports none. */
static bool reported(const SessionMessage *message, uint64_t *error)
{
    bool chunk = session_message_is_chunk(message);

    *error = chunk ? message->chunk.error : message->value[SIMPLE_REPLY_ERROR];
    return message->answers && (!chunk || message->chunk.has_error);
}

static bool error_is(const SessionMessage *message, uint32_t error)
{
    uint64_t came;

    return reported(message, &came) && came == error;
}

static const char *command(const SessionMessage *message)
{
    const char *name = wire_name(&wire_commands, message->request.command);

    return name == NULL ? "an unknown command" : name;
}

static char *error_defined(const Session *session, const SessionMessage *message)
{
    uint64_t error;

    (void)session;
    if (!reported(message, &error) || wire_name(&wire_errors, error) != NULL)
        return NULL;
    return g_strdup_printf("the reply's error is " DEC ", a value that the protocol does not have",
                           error);
}

/* BLOCK_STATUS with a payload: its length is the payload's, and of its effect nothing is known here. */
static bool effect_unknown(const SessionMessage *message)
{
    return message->request.command == NBD_CMD_BLOCK_STATUS &&
           message->request.flags & NBD_CMD_FLAG_PAYLOAD_LEN;
}

static char *error_enomem(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!error_is(message, NBD_ENOMEM) || effect_unknown(message) ||
        message->request.length > NBD_DEFAULT_MAX_PAYLOAD)
        return NULL;
    return g_strdup_printf("%s of " DEC " bytes fails with ENOMEM", command(message),
                           message->request.length);
}

static bool zeroes_command(const SessionMessage *message)
{
    return message->request.command == NBD_CMD_WRITE_ZEROES;
}

static char *error_enotsup(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!error_is(message, NBD_ENOTSUP) || zeroes_command(message))
        return NULL;
    return g_strdup_printf("%s fails with ENOTSUP, which only WRITE_ZEROES may", command(message));
}

static char *enotsup_without_fast(const Session *session, const SessionMessage *message)
{
    if (!error_is(message, NBD_ENOTSUP) || !zeroes_command(message) ||
        message->request.flags & NBD_CMD_FLAG_FAST_ZERO ||
        !(session->facts.transmission_flags & NBD_FLAG_SEND_FAST_ZERO))
        return NULL;
    return g_strdup("WRITE_ZEROES without FAST_ZERO fails with ENOTSUP");
}

static char *enotsup_unadvertised(const Session *session, const SessionMessage *message)
{
    if (!error_is(message, NBD_ENOTSUP) || !zeroes_command(message) ||
        session->facts.transmission_flags & NBD_FLAG_SEND_FAST_ZERO)
        return NULL;
    return g_strdup("WRITE_ZEROES fails with ENOTSUP, although SEND_FAST_ZERO is not set");
}

static char *fast_eoverflow(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!error_is(message, NBD_EOVERFLOW) || !zeroes_command(message) ||
        !(message->request.flags & NBD_CMD_FLAG_FAST_ZERO))
        return NULL;
    return g_strdup("WRITE_ZEROES with FAST_ZERO fails with EOVERFLOW");
}

/* A request without payload may be longer than the advertised maximum, and READ is such a request, too; with
 * DF it may be too long for one chunk, whatever its length (proto.md:2337). */
static char *error_eoverflow(const Session *session, const SessionMessage *message)
{
    if (!error_is(message, NBD_EOVERFLOW))
        return NULL;
    switch (message->request.command) {
    case NBD_CMD_READ:
        if ((session->facts.structured && message->request.flags & NBD_CMD_FLAG_DF) ||
            message->request.length > session->facts.maximum)
            return NULL;
        break;
    case NBD_CMD_TRIM:
    case NBD_CMD_CACHE:
    case NBD_CMD_WRITE_ZEROES:
    case NBD_CMD_BLOCK_STATUS:
        if (message->request.flags & NBD_CMD_FLAG_FAST_ZERO || effect_unknown(message) ||
            message->request.length > session->facts.maximum)
            return NULL;
        break;
    default:
        break;
    }
    return g_strdup_printf("%s of " DEC " bytes fails with EOVERFLOW", command(message),
                           message->request.length);
}

static const SessionRule rules[] = {
    SESSION_RULE(error_defined, REQ("error.defined-value"), RULE_ALWAYS),
    SESSION_RULE(error_enomem, REQ("error.enomem"), RULE_ALWAYS),
    SESSION_RULE(error_enotsup, REQ("error.enotsup"), RULE_ALWAYS),
    SESSION_RULE(enotsup_without_fast, REQ("transmission.write-zeroes.enotsup-without-fast"),
                 RULE_ALWAYS),
    SESSION_RULE(enotsup_unadvertised, REQ("transmission.write-zeroes.enotsup-unadvertised"),
                 RULE_ALWAYS),
    SESSION_RULE(fast_eoverflow, REQ("transmission.write-zeroes.fast-eoverflow"), RULE_ALWAYS),
    SESSION_RULE(error_eoverflow, REQ("error.eoverflow"), RULE_EVEN_TAINTED),
};
SESSION_RULES(session_simple_error_rules, WIRE_SIMPLE_REPLY, rules);
SESSION_RULES(session_chunk_error_rules, WIRE_CHUNK, rules);
