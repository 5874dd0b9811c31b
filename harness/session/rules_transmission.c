/* What every message of a server obeys in the transmission phase. */
#include "session/private.h"

#define HEX "%#" G_GINT64_MODIFIER "x"
#define DEC "%" G_GUINT64_FORMAT

static bool is_simple(const SessionMessage *message)
{
    return message->value[SIMPLE_REPLY_MAGIC] == NBD_SIMPLE_REPLY_MAGIC;
}

/* ---- Framing --------------------------------------------------------------------------------- */

/* What stands where a reply's magic is due can be told apart: each of these has its requirement. */
typedef enum {
    STRAY_NONE,
    STRAY_ERROR_PAYLOAD,
    STRAY_OLDSTYLE,
    STRAY_ZEROES,
    STRAY_PADDING,
    STRAY_UNASKED,
    STRAY_OTHER
} Stray;

static Stray stray_behind_handshake(const Session *session, bool zeroes)
{
    if (session->facts.style == STYLE_OLDSTYLE && session->facts.requests_sent == 0)
        return STRAY_OLDSTYLE;
    if (zeroes && session->entered_by_go)
        return STRAY_PADDING;
    if (zeroes && session->facts.no_zeroes)
        return STRAY_ZEROES;
    return STRAY_NONE;
}

static Stray stray(const Session *session, const SessionMessage *message)
{
    const uint64_t *value = message->value;
    Stray found = STRAY_NONE;

    if (is_simple(message))
        return STRAY_NONE;
    if (session->read_failed)
        return STRAY_ERROR_PAYLOAD;
    if (!session->first_reply_came)
        found = stray_behind_handshake(session, value[SIMPLE_REPLY_MAGIC] == 0 &&
                                                    value[SIMPLE_REPLY_ERROR] == 0 &&
                                                    value[SIMPLE_REPLY_COOKIE] == 0);
    if (found != STRAY_NONE)
        return found;
    return session->facts.in_flight == 0 ? STRAY_UNASKED : STRAY_OTHER;
}

static char *error_payload(const Session *session, const SessionMessage *message)
{
    if (stray(session, message) != STRAY_ERROR_PAYLOAD)
        return NULL;
    return g_strdup("behind a reply that reports an error for READ come bytes that are no reply");
}

static char *oldstyle_greeting(const Session *session, const SessionMessage *message)
{
    if (stray(session, message) != STRAY_OLDSTYLE)
        return NULL;
    return g_strdup("bytes follow the 152 of the oldstyle greeting, before any request");
}

static char *no_zeroes(const Session *session, const SessionMessage *message)
{
    if (stray(session, message) != STRAY_ZEROES)
        return NULL;
    return g_strdup(
        "zeroes follow EXPORT_NAME's size and flags, although NO_ZEROES was negotiated");
}

static char *no_padding(const Session *session, const SessionMessage *message)
{
    if (stray(session, message) != STRAY_PADDING)
        return NULL;
    return g_strdup("zeroes follow the ACK to GO");
}

static char *stray_bytes(const Session *session, const SessionMessage *message)
{
    if (stray(session, message) != STRAY_UNASKED)
        return NULL;
    return g_strdup_printf("bytes that are no reply, beginning with " HEX
                           ", while no request is in flight",
                           message->value[SIMPLE_REPLY_MAGIC]);
}

static char *reply_magic(const Session *session, const SessionMessage *message)
{
    if (stray(session, message) != STRAY_OTHER)
        return NULL;
    return g_strdup_printf("where a reply begins stands the magic " HEX,
                           message->value[SIMPLE_REPLY_MAGIC]);
}

static char *simple_only(const Session *session, const SessionMessage *message)
{
    if (session->facts.structured || message->kind != WIRE_CHUNK)
        return NULL;
    return g_strdup(
        "a structured reply chunk came, although structured replies were not negotiated");
}

/* ---- Which request a reply answers ----------------------------------------------------------- */

static uint64_t cookie_of(const SessionMessage *message)
{
    return message
        ->value[session_message_is_chunk(message) ? (int)CHUNK_COOKIE : (int)SIMPLE_REPLY_COOKIE];
}

/* Why a reply answers no request that is in flight. Chunks that were never negotiated have a rule
 * of their own. */
typedef enum { ANSWERS, ANSWERS_DISC, ANSWERS_AGAIN, ANSWERS_NOBODY, ANSWERS_ANOTHER } Answers;

static Answers answers(const Session *session, const SessionMessage *message)
{
    uint64_t cookie = cookie_of(message);
    bool reply = session_message_is_chunk(message) ? session->facts.structured : is_simple(message);

    if (!reply || message->answers)
        return ANSWERS;
    if (session->disc_sent && session->disc_cookie == cookie)
        return ANSWERS_DISC;
    if (session_was_answered(session, cookie) >= 0)
        return ANSWERS_AGAIN;
    return session->facts.in_flight == 0 ? ANSWERS_NOBODY : ANSWERS_ANOTHER;
}

static char *disc_no_reply(const Session *session, const SessionMessage *message)
{
    if (answers(session, message) != ANSWERS_DISC)
        return NULL;
    return g_strdup_printf("a reply with the cookie of DISC, " HEX, cookie_of(message));
}

static char *reply_once(const Session *session, const SessionMessage *message)
{
    if (answers(session, message) != ANSWERS_AGAIN)
        return NULL;
    return g_strdup_printf("a second reply to the request with the cookie " HEX,
                           cookie_of(message));
}

static char *reply_unasked(const Session *session, const SessionMessage *message)
{
    if (answers(session, message) != ANSWERS_NOBODY)
        return NULL;
    return g_strdup_printf("a reply with the cookie " HEX ", while no request is in flight",
                           cookie_of(message));
}

static char *reply_cookie(const Session *session, const SessionMessage *message)
{
    if (answers(session, message) != ANSWERS_ANOTHER)
        return NULL;
    return g_strdup_printf("a reply with the cookie " HEX
                           ", which none of the %u requests in flight has",
                           cookie_of(message), session->facts.in_flight);
}

static char *structured_when_negotiated(const Session *session, const SessionMessage *message)
{
    if (!message->answers || message->request.command != NBD_CMD_READ || !session->facts.structured)
        return NULL;
    return g_strdup(
        "READ is answered by a simple reply, although structured replies were negotiated");
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static bool error_is(const SessionMessage *message, uint32_t error)
{
    return message->answers && message->value[SIMPLE_REPLY_ERROR] == error;
}

static const char *command(const SessionMessage *message)
{
    const char *name = wire_name(&wire_commands, message->request.command);

    return name == NULL ? "an unknown command" : name;
}

static char *error_defined(const Session *session, const SessionMessage *message)
{
    uint64_t error = message->value[SIMPLE_REPLY_ERROR];

    (void)session;
    if (!message->answers || wire_name(&wire_errors, error) != NULL)
        return NULL;
    return g_strdup_printf("the reply's error is " DEC ", a value that the protocol does not have",
                           error);
}

static char *error_enomem(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!error_is(message, NBD_ENOMEM) || message->request.length > NBD_DEFAULT_MAX_PAYLOAD)
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

/* A request without payload may be too long to be served at once; a READ only where the reply could
 * have been a structured one. */
static char *error_eoverflow(const Session *session, const SessionMessage *message)
{
    if (!error_is(message, NBD_EOVERFLOW))
        return NULL;
    switch (message->request.command) {
    case NBD_CMD_READ:
        if (session->facts.structured)
            return NULL;
        break;
    case NBD_CMD_TRIM:
    case NBD_CMD_CACHE:
    case NBD_CMD_WRITE_ZEROES:
    case NBD_CMD_BLOCK_STATUS:
        if (message->request.flags & NBD_CMD_FLAG_FAST_ZERO ||
            message->request.length > session->facts.maximum)
            return NULL;
        break;
    default:
        break;
    }
    return g_strdup_printf("%s of " DEC " bytes fails with EOVERFLOW", command(message),
                           message->request.length);
}

/* ---- Structured replies ---------------------------------------------------------------------- */

static char *req_one(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!message->answers || message->chunk.type != NBD_REPLY_TYPE_BLOCK_STATUS ||
        !(message->request.flags & NBD_CMD_FLAG_REQ_ONE) || message->chunk.length <= 12)
        return NULL;
    return g_strdup("with REQ_ONE set, a chunk holds more than one extent");
}

#define EVERY_REPLY                                                                                \
    SESSION_RULE(disc_no_reply, REQ("transmission.disc.no-reply"), RULE_ENDPOINT),                 \
        SESSION_RULE(reply_once, REQ("transmission.reply.once"), RULE_ENDPOINT),                   \
        SESSION_RULE(reply_unasked, REQ("transmission.reply.unasked"), RULE_ENDPOINT),             \
        SESSION_RULE(reply_cookie, REQ("transmission.reply.cookie"), RULE_ENDPOINT)

static const SessionRule simple_reply_rules[] = {
    SESSION_RULE(error_payload, REQ("transmission.read.error-no-payload"), RULE_ALWAYS),
    SESSION_RULE(oldstyle_greeting, REQ("handshake.oldstyle.greeting"), RULE_ALWAYS),
    SESSION_RULE(no_zeroes, REQ("handshake.export-name.no-zeroes"), RULE_ALWAYS),
    SESSION_RULE(no_padding, REQ("handshake.opt-go.no-padding"), RULE_ALWAYS),
    SESSION_RULE(stray_bytes, REQ("transmission.reply.unasked"), RULE_ALWAYS),
    SESSION_RULE(reply_magic, REQ("transmission.reply.magic"), RULE_ALWAYS),
    EVERY_REPLY,
    SESSION_RULE(structured_when_negotiated, REQ("transmission.read.structured-when-negotiated"),
                 RULE_ALWAYS),
    SESSION_RULE(error_defined, REQ("error.defined-value"), RULE_ALWAYS),
    SESSION_RULE(error_enomem, REQ("error.enomem"), RULE_ALWAYS),
    SESSION_RULE(error_enotsup, REQ("error.enotsup"), RULE_ALWAYS),
    SESSION_RULE(enotsup_without_fast, REQ("transmission.write-zeroes.enotsup-without-fast"),
                 RULE_ALWAYS),
    SESSION_RULE(enotsup_unadvertised, REQ("transmission.write-zeroes.enotsup-unadvertised"),
                 RULE_ALWAYS),
    SESSION_RULE(fast_eoverflow, REQ("transmission.write-zeroes.fast-eoverflow"), RULE_ALWAYS),
    SESSION_RULE(error_eoverflow, REQ("error.eoverflow"), RULE_ALWAYS),
};
SESSION_RULES(session_simple_reply_rules, WIRE_SIMPLE_REPLY, simple_reply_rules);

static const SessionRule chunk_rules[] = {
    SESSION_RULE(simple_only, REQ("transmission.reply.simple-only"), RULE_ALWAYS),
    EVERY_REPLY,
    SESSION_RULE(req_one, REQ("transmission.block-status.req-one"), RULE_ALWAYS),
};
SESSION_RULES(session_chunk_rules, WIRE_CHUNK, chunk_rules);
