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

static char *other_magic(const Session *session, const SessionMessage *message)
{
    if (stray(session, message) != STRAY_OTHER)
        return NULL;
    return g_strdup_printf("where a reply begins stands the magic " HEX,
                           message->value[SIMPLE_REPLY_MAGIC]);
}

static char *reply_magic(const Session *session, const SessionMessage *message)
{
    return session->facts.extended ? NULL : other_magic(session, message);
}

static char *extended_layout(const Session *session, const SessionMessage *message)
{
    return session->facts.extended ? other_magic(session, message) : NULL;
}

static char *simple_only(const Session *session, const SessionMessage *message)
{
    if (session->facts.structured || message->kind != WIRE_CHUNK || session->structured_before_tls)
        return NULL;
    return g_strdup(
        "a structured reply chunk came, although structured replies were not negotiated");
}

static char *structured_forgotten(const Session *session, const SessionMessage *message)
{
    if (session->facts.structured || message->kind != WIRE_CHUNK || !session->structured_before_tls)
        return NULL;
    return g_strdup("a structured reply chunk came inside TLS, although structured replies were "
                    "negotiated in plain text only");
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

/* A chunk behind the last one of a reply. */
static bool is_late_chunk(const Session *session, const SessionMessage *message)
{
    return session_message_is_chunk(message) &&
           session_was_answered_in_chunks(session, cookie_of(message));
}

static char *done_last(const Session *session, const SessionMessage *message)
{
    if (answers(session, message) != ANSWERS_AGAIN || !is_late_chunk(session, message))
        return NULL;
    return g_strdup_printf("a chunk with the cookie " HEX
                           " follows the one with DONE for the same request",
                           cookie_of(message));
}

static char *reply_once(const Session *session, const SessionMessage *message)
{
    if (answers(session, message) != ANSWERS_AGAIN || is_late_chunk(session, message))
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

/* For READ and BLOCK_STATUS of no bytes the server's behaviour is unspecified (proto.md:1954, 2229). */
static bool asks_nothing(const SessionMessage *message)
{
    return message->request.length == 0;
}

static char *structured_when_negotiated(const Session *session, const SessionMessage *message)
{
    if (!message->answers || message->request.command != NBD_CMD_READ ||
        !session->facts.structured || session->facts.extended || asks_nothing(message))
        return NULL;
    return g_strdup(
        "READ is answered by a simple reply, although structured replies were negotiated");
}

static char *status_structured(const Session *session, const SessionMessage *message)
{
    if (!message->answers || message->request.command != NBD_CMD_BLOCK_STATUS ||
        message->value[SIMPLE_REPLY_ERROR] != NBD_SUCCESS || session->facts.extended ||
        asks_nothing(message))
        return NULL;
    return g_strdup("BLOCK_STATUS is answered by a simple reply that reports success");
}

/* ---- Extended headers ------------------------------------------------------------------------ */

static char *extended_only(const Session *session, const SessionMessage *message)
{
    if (!session->facts.extended || !is_simple(message))
        return NULL;
    return g_strdup("a simple reply came, although extended headers were negotiated");
}

static char *chunk_extended_only(const Session *session, const SessionMessage *message)
{
    if (!session->facts.extended || message->kind != WIRE_CHUNK)
        return NULL;
    return g_strdup("a compact chunk came, although extended headers were negotiated");
}

static char *extended_unnegotiated(const Session *session, const SessionMessage *message)
{
    if (session->facts.extended || message->kind != WIRE_EXTENDED_REPLY)
        return NULL;
    return g_strdup("an extended reply came, although extended headers were not negotiated");
}

static char *offset_echo(const Session *session, const SessionMessage *message)
{
    if (message->kind != WIRE_EXTENDED_REPLY || !message->answers ||
        session_pending_reply(session, message) == NULL ||
        message->value[EXTENDED_REPLY_OFFSET] == message->request.offset)
        return NULL;
    return g_strdup_printf("the reply says that it is for offset " DEC
                           ", but the request's offset was " DEC,
                           message->value[EXTENDED_REPLY_OFFSET], message->request.offset);
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
    SESSION_RULE(extended_layout, REQ("extended.reply.layout"), RULE_ALWAYS),
    EVERY_REPLY,
    SESSION_RULE(structured_when_negotiated, REQ("transmission.read.structured-when-negotiated"),
                 RULE_EVEN_TAINTED),
    SESSION_RULE(status_structured, REQ("transmission.block-status.structured"), RULE_ALWAYS),
    SESSION_RULE(extended_only, REQ("extended.reply.only"), RULE_ALWAYS),
};
SESSION_RULES(session_simple_reply_rules, WIRE_SIMPLE_REPLY, simple_reply_rules);

static const SessionRule chunk_rules[] = {
    SESSION_RULE(simple_only, REQ("transmission.reply.simple-only"), RULE_ALWAYS),
    SESSION_RULE(structured_forgotten, REQ("tls.starttls.forgets-structured"), RULE_ENDPOINT),
    EVERY_REPLY,
    SESSION_RULE(done_last, REQ("transmission.structured-reply.done-last"), RULE_ENDPOINT),
    SESSION_RULE(extended_unnegotiated, REQ("extended.reply.unnegotiated"), RULE_ALWAYS),
    SESSION_RULE(chunk_extended_only, REQ("extended.reply.only"), RULE_ALWAYS),
    SESSION_RULE(offset_echo, REQ("extended.reply.offset"), RULE_ALWAYS),
};
SESSION_RULES(session_chunk_rules, WIRE_CHUNK, chunk_rules);
