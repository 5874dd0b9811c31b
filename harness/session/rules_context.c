/* What LIST_META_CONTEXT and SET_META_CONTEXT obey, on both sides, and the names of contexts (proto.md,
 * "Metadata querying"). */
#include <string.h>

#include "session/private.h"

#define DEC "%" G_GUINT64_FORMAT

/* ---- The server's names ---------------------------------------------------------------------- */

static bool is_reply(const SessionMessage *message, uint32_t type)
{
    return message->value[REPLY_MAGIC] == NBD_OPTION_REPLY_MAGIC &&
           message->value[REPLY_TYPE] == type;
}

/* The option that MESSAGE, of TYPE, answers, if that is OPTION; else NULL. */
static const SessionOption *answers(const Session *session, const SessionMessage *message,
                                    uint32_t type, uint32_t option)
{
    const SessionOption *answered = session_answered_option(session, message);

    return answered != NULL && answered->option == option && message->value[REPLY_TYPE] == type
               ? answered
               : NULL;
}

static char *layout(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!is_reply(message, NBD_REP_META_CONTEXT) || message->value[REPLY_LENGTH] >= 4)
        return NULL;
    return g_strdup_printf("NBD_REP_META_CONTEXT is " DEC " bytes long, too short for an id",
                           message->value[REPLY_LENGTH]);
}

/* The name in a META_CONTEXT reply that was asked for, where it came whole and is a string; else NULL. The
 * caller frees it. */
static char *name_of(const Session *session, const SessionMessage *message)
{
    const uint32_t type = NBD_REP_META_CONTEXT;

    if (message->inner != WIRE_META_CONTEXT || message->data->len != message->data_length ||
        (answers(session, message, type, NBD_OPT_LIST_META_CONTEXT) == NULL &&
         answers(session, message, type, NBD_OPT_SET_META_CONTEXT) == NULL))
        return NULL;
    const char *name = (const char *)message->data->data + 4;
    size_t length = message->data->len - 4;
    return g_utf8_validate(name, (gssize)length, NULL) ? g_strndup(name, length) : NULL;
}

static char *name_form(const Session *session, const SessionMessage *message)
{
    g_autofree char *name = name_of(session, message);

    if (name == NULL)
        return NULL;
    const char *colon = strchr(name, ':');
    if (colon == NULL || colon == name)
        return g_strdup("a context's name has no namespace and colon in front");
    return NULL;
}

/* The namespace of a name that has one; else NULL. The caller frees it. */
static char *namespace_of(const Session *session, const SessionMessage *message)
{
    g_autofree char *name = name_of(session, message);
    const char *colon = name == NULL ? NULL : strchr(name, ':');

    if (colon == NULL || colon == name)
        return NULL;
    return g_strndup(name, (gsize)(colon - name));
}

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text = g_utf8_next_char(text)) {
        gunichar c = g_utf8_get_char(text);
        if (g_unichar_isspace(c) || g_unichar_iscntrl(c))
            return false;
    }
    return true;
}

static char *namespace_printable(const Session *session, const SessionMessage *message)
{
    g_autofree char *space = namespace_of(session, message);

    if (space == NULL || is_printable(space))
        return NULL;
    return g_strdup("the namespace of a context holds white space or control characters");
}

static char *namespace_registered(const Session *session, const SessionMessage *message)
{
    g_autofree char *space = namespace_of(session, message);

    if (space == NULL || !is_printable(space) || g_str_equal(space, "base") ||
        g_str_equal(space, "nbd-server") || g_str_equal(space, "qemu") ||
        g_str_has_prefix(space, "x-"))
        return NULL;
    return g_strdup_printf("the namespace \"%.40s\" is not registered, and does not begin with x-",
                           space);
}

static char *id_zero(const Session *session, const SessionMessage *message)
{
    if (answers(session, message, NBD_REP_META_CONTEXT, NBD_OPT_LIST_META_CONTEXT) == NULL ||
        message->inner != WIRE_META_CONTEXT || message->inner_value[META_CONTEXT_ID] == 0)
        return NULL;
    return g_strdup_printf("a reply to LIST_META_CONTEXT has the context id " DEC ", not 0",
                           message->inner_value[META_CONTEXT_ID]);
}

static char *unique_ids(const Session *session, const SessionMessage *message)
{
    const SessionOption *option =
        answers(session, message, NBD_REP_META_CONTEXT, NBD_OPT_SET_META_CONTEXT);

    if (option == NULL || message->inner != WIRE_META_CONTEXT)
        return NULL;
    for (guint i = 0; i < option->named->len; i++) {
        const SessionNamed *named = option->named->pdata[i];
        if (named->id == message->inner_value[META_CONTEXT_ID])
            return g_strdup_printf("two contexts are selected with the same id, %u", named->id);
    }
    return NULL;
}

static char *too_big(const Session *session, const SessionMessage *message)
{
    const SessionOption *option =
        answers(session, message, NBD_REP_ERR_TOO_BIG, NBD_OPT_LIST_META_CONTEXT);

    if (option == NULL || !option->contexts_parsed || option->contexts.query_count > 0)
        return NULL;
    return g_strdup("LIST_META_CONTEXT without queries is answered with ERR_TOO_BIG");
}

/* ---- Extended headers ------------------------------------------------------------------------ */

static bool only_base_came(const SessionOption *option)
{
    for (guint i = 0; i < option->named->len; i++) {
        const SessionNamed *named = option->named->pdata[i];
        if (!session_in_namespace(named->name, "base"))
            return false;
    }
    return option->named->len > 0 && !option->named_cut;
}

static char *list_base(const Session *session, const SessionMessage *message)
{
    const SessionOption *option =
        answers(session, message, NBD_REP_ERR_EXT_HEADER_REQD, NBD_OPT_LIST_META_CONTEXT);

    if (option == NULL || !session->facts.structured || session->facts.extended ||
        !only_base_came(option))
        return NULL;
    return g_strdup("a list of nothing but contexts of the namespace base ends with "
                    "ERR_EXT_HEADER_REQD");
}

/* True if the queries are there and all begin with PREFIX. */
static bool all_begin_with(const WireContextRequest *request, const char *prefix)
{
    const uint8_t *at = request->queries;
    size_t wanted = strlen(prefix);

    for (uint32_t i = 0; i < request->query_count; i++) {
        uint64_t length = wire_get(at, 4);
        if (length < wanted || memcmp(at + 4, prefix, wanted) != 0)
            return false;
        at += 4 + length;
    }
    return request->query_count > 0;
}

static char *set_base(const Session *session, const SessionMessage *message)
{
    const SessionOption *option =
        answers(session, message, NBD_REP_ERR_EXT_HEADER_REQD, NBD_OPT_SET_META_CONTEXT);

    if (option == NULL || !session->facts.structured || session->facts.extended ||
        !option->contexts_parsed || !all_begin_with(&option->contexts, "base:"))
        return NULL;
    return g_strdup("SET_META_CONTEXT for nothing but contexts of the namespace base is answered "
                    "with ERR_EXT_HEADER_REQD");
}

/* ---- The client's options -------------------------------------------------------------------- */

static bool is_option(const SessionMessage *message, uint32_t option)
{
    return message->value[OPTION_MAGIC] == NBD_IHAVEOPT && message->value[OPTION_OPTION] == option;
}

static bool asks(const SessionMessage *message)
{
    return is_option(message, NBD_OPT_LIST_META_CONTEXT) ||
           is_option(message, NBD_OPT_SET_META_CONTEXT);
}

static char *structured_first(const Session *session, const SessionMessage *message,
                              uint32_t option)
{
    if (!is_option(message, option) || session->facts.structured)
        return NULL;
    return g_strdup_printf("%s is sent, although structured replies were not negotiated",
                           wire_name(&wire_options, option));
}

static char *list_structured_first(const Session *session, const SessionMessage *message)
{
    return structured_first(session, message, NBD_OPT_LIST_META_CONTEXT);
}

static char *set_structured_first(const Session *session, const SessionMessage *message)
{
    return structured_first(session, message, NBD_OPT_SET_META_CONTEXT);
}

static bool parses(const SessionMessage *message, WireContextRequest *request)
{
    return message->data->len == message->data_length &&
           wire_parse_context_request(message->data->data, message->data->len, request);
}

static char *query_layout(const Session *session, const SessionMessage *message)
{
    WireContextRequest request;

    (void)session;
    if (!asks(message) || message->data->len != message->data_length || parses(message, &request))
        return NULL;
    return g_strdup("the lengths inside the option's data do not add up to the option's length");
}

/* There is a colon, and something in front of it. */
static bool has_namespace(const uint8_t *query, size_t length)
{
    const uint8_t *colon = length == 0 ? NULL : memchr(query, ':', length);

    return colon != NULL && colon != query;
}

static char *query_namespace(const Session *session, const SessionMessage *message)
{
    WireContextRequest request;

    (void)session;
    if (!asks(message) || !parses(message, &request))
        return NULL;
    const uint8_t *at = request.queries;
    for (uint32_t i = 0; i < request.query_count; i++) {
        size_t length = (size_t)wire_get(at, 4);
        if (!has_namespace(at + 4, length))
            return g_strdup("a query does not begin with a namespace and a colon");
        at += 4 + length;
    }
    return NULL;
}

static const SessionRule reply_rules[] = {
    SESSION_RULE(layout, REQ("handshake.rep-meta-context.layout"), RULE_ALWAYS),
    SESSION_RULE(name_form, REQ("metadata.name.form"), RULE_ALWAYS),
    SESSION_RULE(namespace_printable, REQ("metadata.name.namespace"), RULE_ALWAYS),
    SESSION_RULE(namespace_registered, REQ("metadata.name.registered"), RULE_ALWAYS),
    SESSION_RULE(id_zero, REQ("handshake.opt-list-meta-context.id-zero"), RULE_ENDPOINT),
    SESSION_RULE(unique_ids, REQ("handshake.opt-set-meta-context.unique-ids"), RULE_ENDPOINT),
    SESSION_RULE(too_big, REQ("handshake.opt-list-meta-context.no-queries-too-big"), RULE_ENDPOINT),
    SESSION_RULE(list_base, REQ("extended.required.list-base"), RULE_ENDPOINT),
    SESSION_RULE(set_base, REQ("extended.required.set-base"), RULE_ENDPOINT),
};
SESSION_RULES(session_context_reply_rules, WIRE_OPTION_REPLY, reply_rules);

static const SessionRule option_rules[] = {
    SESSION_RULE(list_structured_first,
                 REQ("handshake.opt-list-meta-context.client-structured-first"), RULE_ALWAYS),
    SESSION_RULE(set_structured_first,
                 REQ("handshake.opt-set-meta-context.client-structured-first"), RULE_ALWAYS),
    SESSION_RULE(query_layout, REQ("metadata.query.layout"), RULE_ALWAYS),
    SESSION_RULE(query_namespace, REQ("metadata.query.namespace"), RULE_ALWAYS),
};
SESSION_RULES(session_context_option_rules, WIRE_OPTION, option_rules);
