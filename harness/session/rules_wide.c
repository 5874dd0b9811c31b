/* What holds of contexts whose status needs 64 bits. That it does shows once such a status comes: then it is
 * known, too, of what was said of the context before, to a client without extended headers. */
#include "session/private.h"

#define NARROW UINT64_C(0xffffffff)

/* True if MESSAGE answers a request for status, and some extent's needs more than 32 bits: of CONTEXT. */
static bool is_wide(const Session *session, const SessionMessage *message, SessionContext *context)
{
    if (message->chunk.type != NBD_REPLY_TYPE_BLOCK_STATUS_EXT || !message->chunk.has_context ||
        session_pending_reply(session, message) == NULL ||
        message->request.command != NBD_CMD_BLOCK_STATUS ||
        !session_find_context(session, message->chunk.context, context))
        return false;
    for (size_t i = 0; i < message->chunk.extents; i++)
        if (session_message_extent(message, i).status > NARROW)
            return true;
    return false;
}

static char *narrow_status(const Session *session, const SessionMessage *message)
{
    SessionContext context;

    if (!is_wide(session, message, &context) || !session_in_namespace(context.name, "base"))
        return NULL;
    return g_strdup_printf("the status of an extent of %s needs more than 32 bits", context.name);
}

/* The name of the context, if it is wide and was TOLD of so; else NULL. */
static const char *wide_told(const Session *session, const SessionMessage *message,
                             SessionNarrow told)
{
    SessionContext context;

    if (!is_wide(session, message, &context) || session_in_namespace(context.name, "base") ||
        !(session_told_narrow(session, context.name) & told))
        return NULL;
    return context.name;
}

static char *wide_selected(const Session *session, const SessionMessage *message)
{
    const char *name = wide_told(session, message, NARROW_SELECTED);

    if (name == NULL)
        return NULL;
    return g_strdup_printf("the status of %s needs more than 32 bits, and it was selected before "
                           "extended headers were negotiated",
                           name);
}

static char *wide_listed(const Session *session, const SessionMessage *message)
{
    const char *name = wide_told(session, message, NARROW_LISTED);

    if (name == NULL)
        return NULL;
    return g_strdup_printf("the status of %s needs more than 32 bits, and a list with it ended in "
                           "ACK before extended headers were negotiated",
                           name);
}

static const SessionRule rules[] = {
    SESSION_RULE(narrow_status, REQ("extended.block-status.narrow-status"), RULE_ALWAYS),
    SESSION_RULE_ONCE(wide_selected, REQ("extended.context.wide-selected"), RULE_ENDPOINT),
    SESSION_RULE_ONCE(wide_listed, REQ("extended.context.wide-listed"), RULE_ENDPOINT),
};
SESSION_RULES_WHOLE(session_wide_rules, WIRE_CHUNK, rules);
