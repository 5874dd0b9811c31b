/* What a client's flags and options obey. Where the client is ours and breaks a MUST on purpose, this is
 * what taints it: from then on the server may hang up. */
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

/* ---- Forfeits -------------------------------------------------------------------------------- */

/* Lengths that can only be those of an option that breaks a MUST; its data may never come. */
bool session_option_forfeits(const Session *session, const SessionMessage *message)
{
    const uint64_t longest_info = 4 + NBD_MAX_STRING + 2 + 2 * UINT64_C(65535);
    uint64_t length = message->value[OPTION_LENGTH];

    if (!is_option(message))
        return false;
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

/* ---- The tables ------------------------------------------------------------------------------- */

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
