/* What both sides say about TLS while they haggle (proto.md, "TLS support"). That a server's mode does not
 * change is judged by what it has said on the same connection, never by what another one saw. */
#include <string.h>

#include "session/private.h"

/* ---- The server ------------------------------------------------------------------------------ */

/* The option that MESSAGE answers in plain text. */
static const SessionOption *answered_plainly(const Session *session, const SessionMessage *message)
{
    return session->facts.tls == SESSION_TLS_NONE ? session_answered_option(session, message)
                                                  : NULL;
}

static bool is_type(const SessionMessage *message, uint32_t type)
{
    return message->value[REPLY_TYPE] == type;
}

static bool is_error(const SessionMessage *message)
{
    return (message->value[REPLY_TYPE] & NBD_REP_FLAG_ERROR) != 0;
}

static bool names_export(const SessionOption *option)
{
    return option->option == NBD_OPT_INFO || option->option == NBD_OPT_GO;
}

/* A STARTTLS that nothing is wrong with. */
static bool is_proper_starttls(const SessionOption *option)
{
    return option->option == NBD_OPT_STARTTLS && option->whole && option->data->len == 0;
}

static char *mode_constant(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = answered_plainly(session, message);

    if (option == NULL || !session->tls_forced || is_error(message) ||
        is_type(message, NBD_REP_INFO) || option->option == NBD_OPT_STARTTLS ||
        option->option == NBD_OPT_ABORT)
        return NULL; /* that INFO comes before its error is said of INFO by itself */
    g_autofree char *name = wire_format(&wire_options, option->option);
    return g_strdup_printf("%s is carried out in plain text, although the server has demanded TLS "
                           "by ERR_TLS_REQD for another option",
                           name);
}

static char *tls_reqd_option(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = answered_plainly(session, message);

    if (option == NULL || !is_type(message, NBD_REP_ERR_TLS_REQD) || names_export(option) ||
        session->plain_success == 0 || session->starttls_refused != 0)
        return NULL;
    g_autofree char *name = wire_format(&wire_options, option->option);
    g_autofree char *before = wire_format(&wire_options, session->plain_success);
    return g_strdup_printf("%s is answered with ERR_TLS_REQD, although %s was carried out in plain "
                           "text",
                           name, before);
}

static bool was_refused(const Session *session, const WireInfoRequest *request)
{
    g_autoptr(GBytes) name = g_bytes_new(request->name, request->name_length);

    for (guint i = 0; i < session->tls_exports->len; i++)
        if (g_bytes_equal(session->tls_exports->pdata[i], name))
            return true;
    return false;
}

/* An INFO that succeeds proves nothing: it may tell of exports that need TLS (proto.md:534-537). */
static char *tls_reqd_export(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = answered_plainly(session, message);

    if (option == NULL || option->option != NBD_OPT_GO || !is_type(message, NBD_REP_ACK) ||
        !option->info_parsed || !was_refused(session, &option->request))
        return NULL;
    return g_strdup("GO leads to the export in plain text, although INFO or GO was answered with "
                    "ERR_TLS_REQD for it before");
}

static char *inside_no_tls_reqd(const Session *session, const SessionMessage *message)
{
    if (session->facts.tls != SESSION_TLS_RUNNING ||
        session_answered_option(session, message) == NULL ||
        !is_type(message, NBD_REP_ERR_TLS_REQD))
        return NULL;
    return g_strdup("ERR_TLS_REQD comes inside TLS");
}

static char *notls_no_tls_reqd(const Session *session, const SessionMessage *message)
{
    if (answered_plainly(session, message) == NULL || !is_type(message, NBD_REP_ERR_TLS_REQD) ||
        session->starttls_refused == 0)
        return NULL;
    return g_strdup_printf("ERR_TLS_REQD comes, although STARTTLS was refused with %s",
                           wire_name(&wire_reply_types, session->starttls_refused));
}

static char *starttls_ack(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = answered_plainly(session, message);

    if (option == NULL || !session->tls_required || !is_proper_starttls(option) ||
        !is_error(message) || is_type(message, NBD_REP_ERR_SHUTDOWN))
        return NULL;
    g_autofree char *type = wire_format(&wire_reply_types, message->value[REPLY_TYPE]);
    return g_strdup_printf("STARTTLS is refused with %s, although the server has demanded TLS by "
                           "ERR_TLS_REQD",
                           type);
}

/* ---- The client ------------------------------------------------------------------------------ */

static bool is_starttls(const SessionMessage *message)
{
    return message->value[OPTION_MAGIC] == NBD_IHAVEOPT &&
           message->value[OPTION_OPTION] == NBD_OPT_STARTTLS;
}

/* Where the server has not set its flag, no option but one is in order at all. */
static char *client_fixed(const Session *session, const SessionMessage *message)
{
    if (!is_starttls(message) || !(session->facts.handshake_flags & NBD_FLAG_FIXED_NEWSTYLE) ||
        session->facts.client_flags & NBD_FLAG_C_FIXED_NEWSTYLE)
        return NULL;
    return g_strdup("STARTTLS is sent, although the client has not set C_FIXED_NEWSTYLE");
}

static char *client_once(const Session *session, const SessionMessage *message)
{
    if (!is_starttls(message) || session->facts.tls != SESSION_TLS_RUNNING)
        return NULL;
    return g_strdup("STARTTLS is sent inside TLS");
}

static const SessionRule reply_rules[] = {
    SESSION_RULE_ONCE(mode_constant, REQ("tls.mode-constant"), RULE_ENDPOINT),
    SESSION_RULE(tls_reqd_option, REQ("tls.selective.tls-reqd-option"), RULE_ENDPOINT),
    SESSION_RULE(tls_reqd_export, REQ("tls.selective.tls-reqd-export"), RULE_ENDPOINT),
    SESSION_RULE(inside_no_tls_reqd, REQ("tls.inside.no-tls-reqd"), RULE_ENDPOINT),
    SESSION_RULE(notls_no_tls_reqd, REQ("tls.notls.no-tls-reqd"), RULE_ENDPOINT),
    SESSION_RULE(starttls_ack, REQ("tls.starttls.ack"), RULE_ENDPOINT),
};
SESSION_RULES(session_tls_reply_rules, WIRE_OPTION_REPLY, reply_rules);

static const SessionRule option_rules[] = {
    SESSION_RULE(client_fixed, REQ("tls.client.fixed-newstyle"), RULE_ALWAYS),
    SESSION_RULE(client_once, REQ("tls.client.once"), RULE_ALWAYS),
};
SESSION_RULES(session_tls_option_rules, WIRE_OPTION, option_rules);
