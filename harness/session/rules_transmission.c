/* What every message of a server obeys in the transmission phase. */
#include "session/private.h"

#define HEX "%#" G_GINT64_MODIFIER "x"
#define DEC "%" G_GUINT64_FORMAT

static bool is_simple(const SessionMessage *message)
{
    return message->value[SIMPLE_REPLY_MAGIC] == NBD_SIMPLE_REPLY_MAGIC;
}

/* ---- Framing ---------------------------------------------------------------------------------- */

/* What stands where a reply's magic is due can be told apart: each of these has its requirement. */
typedef enum { STRAY_NONE, STRAY_ERROR_PAYLOAD, STRAY_ZEROES, STRAY_PADDING, STRAY_OTHER } Stray;

static Stray stray(const Session *session, const SessionMessage *message)
{
    if (is_simple(message))
        return STRAY_NONE;
    if (session->read_failed)
        return STRAY_ERROR_PAYLOAD;
    if (message->value[SIMPLE_REPLY_MAGIC] != 0 || session->first_reply_came ||
        session->facts.style == STYLE_OLDSTYLE)
        return STRAY_OTHER;
    if (session->entered_by_go)
        return STRAY_PADDING;
    return session->facts.no_zeroes ? STRAY_ZEROES : STRAY_OTHER;
}

static char *error_payload(const Session *session, const SessionMessage *message)
{
    if (stray(session, message) != STRAY_ERROR_PAYLOAD)
        return NULL;
    return g_strdup("behind a reply that reports an error for READ come bytes that are no reply");
}

static char *no_zeroes(const Session *session, const SessionMessage *message)
{
    if (stray(session, message) != STRAY_ZEROES)
        return NULL;
    return g_strdup("zeroes follow EXPORT_NAME's size and flags, although NO_ZEROES was negotiated");
}

static char *no_padding(const Session *session, const SessionMessage *message)
{
    if (stray(session, message) != STRAY_PADDING)
        return NULL;
    return g_strdup("zeroes follow the ACK to GO");
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
    (void)message;
    if (session->facts.structured)
        return NULL;
    return g_strdup("a structured reply chunk came, although structured replies were not negotiated");
}

/* ---- Which request a reply answers ------------------------------------------------------------ */

/* A reply whose cookie is that of no request in flight, nor of one whose payload still comes. */
static bool answers_nothing(const Session *session, const SessionMessage *message)
{
    const SessionMessage *unfinished = session_unfinished_request(session);

    if (!is_simple(message) || message->answers)
        return false;
    return unfinished == NULL ||
           unfinished->value[REQUEST_COOKIE] != message->value[SIMPLE_REPLY_COOKIE];
}

static bool answers_disc(const Session *session, uint64_t cookie)
{
    return session->disc_sent && session->disc_cookie == cookie &&
           !session_was_answered(session, cookie);
}

static char *disc_no_reply(const Session *session, const SessionMessage *message)
{
    uint64_t cookie = message->value[SIMPLE_REPLY_COOKIE];

    if (!answers_nothing(session, message) || !answers_disc(session, cookie))
        return NULL;
    return g_strdup_printf("a reply with the cookie of DISC, " HEX, cookie);
}

static char *reply_once(const Session *session, const SessionMessage *message)
{
    uint64_t cookie = message->value[SIMPLE_REPLY_COOKIE];

    if (!answers_nothing(session, message) || !session_was_answered(session, cookie))
        return NULL;
    return g_strdup_printf("a second reply to the request with the cookie " HEX, cookie);
}

static char *reply_unasked(const Session *session, const SessionMessage *message)
{
    uint64_t cookie = message->value[SIMPLE_REPLY_COOKIE];

    if (!answers_nothing(session, message) || session->facts.in_flight > 0 ||
        answers_disc(session, cookie) || session_was_answered(session, cookie))
        return NULL;
    return g_strdup_printf("a reply with the cookie " HEX ", while no request is in flight", cookie);
}

static char *reply_cookie(const Session *session, const SessionMessage *message)
{
    uint64_t cookie = message->value[SIMPLE_REPLY_COOKIE];

    if (!answers_nothing(session, message) || session->facts.in_flight == 0 ||
        answers_disc(session, cookie) || session_was_answered(session, cookie))
        return NULL;
    return g_strdup_printf("a reply with the cookie " HEX ", which none of the %u requests in flight has",
                           cookie, session->facts.in_flight);
}

static char *structured_when_negotiated(const Session *session, const SessionMessage *message)
{
    if (!message->answers || message->request.command != NBD_CMD_READ || !session->facts.structured)
        return NULL;
    return g_strdup("READ is answered by a simple reply, although structured replies were negotiated");
}

/* ---- Errors ----------------------------------------------------------------------------------- */

static bool error_is(const SessionMessage *message, uint32_t error)
{
    return is_simple(message) && message->answers && message->value[SIMPLE_REPLY_ERROR] == error;
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
    if (!is_simple(message) || wire_name(&wire_errors, error) != NULL)
        return NULL;
    return g_strdup_printf("the reply's error is " DEC ", a value that the protocol does not have", error);
}

static char *error_enomem(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!error_is(message, NBD_ENOMEM) || message->request.length > NBD_DEFAULT_MAX_PAYLOAD)
        return NULL;
    return g_strdup_printf("%s of %" G_GUINT32_FORMAT " bytes fails with ENOMEM", command(message),
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
    return g_strdup_printf("%s of %" G_GUINT32_FORMAT " bytes fails with EOVERFLOW", command(message),
                           message->request.length);
}

/* ---- Structured replies ----------------------------------------------------------------------- */

static char *req_one(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!message->answers || message->value[CHUNK_TYPE] != NBD_REPLY_TYPE_BLOCK_STATUS ||
        !(message->request.flags & NBD_CMD_FLAG_REQ_ONE) || message->value[CHUNK_LENGTH] <= 12)
        return NULL;
    return g_strdup("with REQ_ONE set, a chunk holds more than one extent");
}

#define RULE(check, id, kind_, endpoint_)                                                          \
    {                                                                                              \
        .name = #check, .requirement = REQ(id), .by = SIDE_SERVER, .kind = kind_,                  \
        .endpoint = endpoint_, .broken = check                                                     \
    }

const SessionRule session_transmission_rules[] = {
    RULE(error_payload, "transmission.read.error-no-payload", WIRE_SIMPLE_REPLY, false),
    RULE(no_zeroes, "handshake.export-name.no-zeroes", WIRE_SIMPLE_REPLY, false),
    RULE(no_padding, "handshake.opt-go.no-padding", WIRE_SIMPLE_REPLY, false),
    RULE(reply_magic, "transmission.reply.magic", WIRE_SIMPLE_REPLY, false),
    RULE(simple_only, "transmission.reply.simple-only", WIRE_CHUNK, false),
    RULE(disc_no_reply, "transmission.disc.no-reply", WIRE_SIMPLE_REPLY, true),
    RULE(reply_once, "transmission.reply.once", WIRE_SIMPLE_REPLY, true),
    RULE(reply_unasked, "transmission.reply.unasked", WIRE_SIMPLE_REPLY, true),
    RULE(reply_cookie, "transmission.reply.cookie", WIRE_SIMPLE_REPLY, true),
    RULE(structured_when_negotiated, "transmission.read.structured-when-negotiated",
         WIRE_SIMPLE_REPLY, false),
    RULE(error_defined, "error.defined-value", WIRE_SIMPLE_REPLY, false),
    RULE(error_enomem, "error.enomem", WIRE_SIMPLE_REPLY, false),
    RULE(error_enotsup, "error.enotsup", WIRE_SIMPLE_REPLY, false),
    RULE(enotsup_without_fast, "transmission.write-zeroes.enotsup-without-fast", WIRE_SIMPLE_REPLY,
         false),
    RULE(enotsup_unadvertised, "transmission.write-zeroes.enotsup-unadvertised", WIRE_SIMPLE_REPLY,
         false),
    RULE(fast_eoverflow, "transmission.write-zeroes.fast-eoverflow", WIRE_SIMPLE_REPLY, false),
    RULE(error_eoverflow, "error.eoverflow", WIRE_SIMPLE_REPLY, false),
    RULE(req_one, "transmission.block-status.req-one", WIRE_CHUNK, false),
};
const size_t session_transmission_rule_count = G_N_ELEMENTS(session_transmission_rules);
