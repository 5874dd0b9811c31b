/* What every reply to an option obeys. One function, one requirement. */
#include <string.h>

#include "session/private.h"

#define HEX "%#" G_GINT64_MODIFIER "x"
#define DEC "%" G_GUINT64_FORMAT

/* ---- The header ------------------------------------------------------------------------------ */

static char *reply_magic(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (message->value[REPLY_MAGIC] == NBD_OPTION_REPLY_MAGIC)
        return NULL;
    return g_strdup_printf("where an option reply begins stands the magic " HEX,
                           message->value[REPLY_MAGIC]);
}

static bool is_reply(const SessionMessage *message)
{
    return message->value[REPLY_MAGIC] == NBD_OPTION_REPLY_MAGIC;
}

static char *reply_unasked(const Session *session, const SessionMessage *message)
{
    if (!is_reply(message) || session_current_option(session) != NULL ||
        session_pending(session, SIDE_CLIENT) > 0)
        return NULL;
    return g_strdup("an option reply came although no option waits for one");
}

static char *export_name_refused(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = session_current_option(session);

    if (!is_reply(message) || option == NULL || option->option != NBD_OPT_EXPORT_NAME ||
        message->value[REPLY_TYPE] == NBD_REP_ACK)
        return NULL;
    g_autofree char *type = wire_format(&wire_reply_types, message->value[REPLY_TYPE]);
    return g_strdup_printf(
        "EXPORT_NAME is answered by an option reply, %s, which this option does not "
        "have: a server that refuses the export has to hang up",
        type);
}

static char *export_name_acknowledged(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = session_current_option(session);

    if (!is_reply(message) || option == NULL || option->option != NBD_OPT_EXPORT_NAME ||
        message->value[REPLY_TYPE] != NBD_REP_ACK)
        return NULL;
    return g_strdup("EXPORT_NAME is answered by ACK, not by the export's size and flags");
}

/* Judged even where the client has broken a MUST: sending the option was one. */
static char *reply_fixed_newstyle(const Session *session, const SessionMessage *message)
{
    if (session_answered_option(session, message) == NULL ||
        session->facts.handshake_flags & NBD_FLAG_FIXED_NEWSTYLE)
        return NULL;
    return g_strdup("the server answers options, but has not set FIXED_NEWSTYLE in its greeting");
}

static char *reply_option_echo(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = session_current_option(session);

    if (!is_reply(message) || option == NULL || option->option == NBD_OPT_EXPORT_NAME ||
        message->value[REPLY_OPTION] == option->option)
        return NULL;
    g_autofree char *sent = wire_format(&wire_options, option->option);
    g_autofree char *came = wire_format(&wire_options, message->value[REPLY_OPTION]);
    return g_strdup_printf("the option sent was %s, but the reply says it answers %s", sent, came);
}

static bool type_fits(uint32_t option, uint64_t type)
{
    if (type == NBD_REP_ACK || type & NBD_REP_FLAG_ERROR)
        return true;
    switch (option) {
    case NBD_OPT_LIST:
        return type == NBD_REP_SERVER;
    case NBD_OPT_INFO:
    case NBD_OPT_GO:
        return type == NBD_REP_INFO;
    case NBD_OPT_LIST_META_CONTEXT:
    case NBD_OPT_SET_META_CONTEXT:
        return type == NBD_REP_META_CONTEXT;
    case NBD_OPT_ABORT:
    case NBD_OPT_STARTTLS:
    case NBD_OPT_STRUCTURED_REPLY:
    case NBD_OPT_EXTENDED_HEADERS:
        return false;
    default: /* an option of the server's own may have replies of its own */
        return true;
    }
}

static char *reply_type(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = session_answered_option(session, message);

    if (option == NULL || type_fits(option->option, message->value[REPLY_TYPE]))
        return NULL;
    g_autofree char *sent = wire_format(&wire_options, option->option);
    g_autofree char *type = wire_format(&wire_reply_types, message->value[REPLY_TYPE]);
    return g_strdup_printf("%s is no reply to %s, and no error", type, sent);
}

static char *ack_empty(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!is_reply(message) || message->value[REPLY_TYPE] != NBD_REP_ACK ||
        message->value[REPLY_LENGTH] == 0)
        return NULL;
    return g_strdup_printf("ACK carries " DEC " bytes of data", message->value[REPLY_LENGTH]);
}

/* ---- NBD_REP_SERVER -------------------------------------------------------------------------- */

static bool is_type(const SessionMessage *message, uint32_t type)
{
    return is_reply(message) && message->value[REPLY_TYPE] == type;
}

static char *server_layout(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!is_type(message, NBD_REP_SERVER) || message->value[REPLY_LENGTH] >= 4)
        return NULL;
    return g_strdup_printf("NBD_REP_SERVER is " DEC " bytes long, too short for a name's length",
                           message->value[REPLY_LENGTH]);
}

static char *server_name_length(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!is_type(message, NBD_REP_SERVER) || message->inner != WIRE_REP_SERVER)
        return NULL;
    uint64_t name = message->inner_value[REP_SERVER_NAME_LENGTH];
    if (name <= message->value[REPLY_LENGTH] - 4)
        return NULL;
    return g_strdup_printf("NBD_REP_SERVER announces a name of " DEC
                           " bytes, but its header's length "
                           "of " DEC " leaves room for " DEC,
                           name, message->value[REPLY_LENGTH], message->value[REPLY_LENGTH] - 4);
}

/* ---- NBD_REP_INFO ---------------------------------------------------------------------------- */

static char *info_layout(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (!is_type(message, NBD_REP_INFO) || message->value[REPLY_LENGTH] >= 2)
        return NULL;
    return g_strdup_printf("NBD_REP_INFO is " DEC " bytes long, too short for an information type",
                           message->value[REPLY_LENGTH]);
}

/* The information type, or UINT64_MAX where there is none. */
static uint64_t info_type(const SessionMessage *message)
{
    if (!is_type(message, NBD_REP_INFO) || message->data->len < 2)
        return UINT64_MAX;
    return wire_get(message->data->data, 2);
}

static char *info_length(const SessionMessage *message, uint64_t type, uint64_t length)
{
    if (info_type(message) != type || message->value[REPLY_LENGTH] == length)
        return NULL;
    return g_strdup_printf("NBD_INFO_%s is " DEC " bytes long, not " DEC,
                           wire_name(&wire_info_types, type), message->value[REPLY_LENGTH], length);
}

static char *info_export_length(const Session *session, const SessionMessage *message)
{
    (void)session;
    return info_length(message, NBD_INFO_EXPORT, 12);
}

static char *info_block_size_length(const Session *session, const SessionMessage *message)
{
    (void)session;
    return info_length(message, NBD_INFO_BLOCK_SIZE, 14);
}

static bool same_type(const GBytes *item, uint64_t type)
{
    gsize size;
    const uint8_t *bytes = g_bytes_get_data((GBytes *)item, &size);

    return size >= 2 && wire_get(bytes, 2) == type;
}

/* Types that the specification does not define may be documented to come as often as they like. */
static char *info_once(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = session_current_option(session);
    uint64_t type = info_type(message);
    bool defined = wire_name(&wire_info_types, type) != NULL;

    for (guint i = 0; option != NULL && defined && i < option->infos->len; i++) {
        if (same_type(option->infos->pdata[i], type)) {
            g_autofree char *name = wire_format(&wire_info_types, type);
            return g_strdup_printf("information type %s comes a second time for one option", name);
        }
    }
    return NULL;
}

/* ---- How INFO and GO end --------------------------------------------------------------------- */

/* The INFO or GO that a reply of TYPE ends, or NULL. */
static const SessionOption *ends(const Session *session, const SessionMessage *message,
                                 uint32_t type)
{
    const SessionOption *option = session_answered_option(session, message);

    if (!is_type(message, type) || option == NULL ||
        (option->option != NBD_OPT_INFO && option->option != NBD_OPT_GO))
        return NULL;
    return option;
}

static char *info_export_sent(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = ends(session, message, NBD_REP_ACK);

    if (option == NULL || option->export_came)
        return NULL;
    return g_strdup_printf("%s is acknowledged, but no NBD_INFO_EXPORT came before",
                           wire_name(&wire_options, option->option));
}

static char *unknown_without_info(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = ends(session, message, NBD_REP_ERR_UNKNOWN);

    if (option == NULL || option->infos->len == 0)
        return NULL;
    return g_strdup_printf("ERR_UNKNOWN comes after %u NBD_REP_INFO replies", option->infos->len);
}

static char *block_size_reqd_asked(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = ends(session, message, NBD_REP_ERR_BLOCK_SIZE_REQD);

    if (option == NULL || !option->block_size_asked)
        return NULL;
    return g_strdup("ERR_BLOCK_SIZE_REQD, although NBD_INFO_BLOCK_SIZE was requested");
}

static char *block_size_reqd_sends_sizes(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = ends(session, message, NBD_REP_ERR_BLOCK_SIZE_REQD);

    if (option == NULL || option->block_size_asked || option->block_size_seen)
        return NULL;
    return g_strdup("ERR_BLOCK_SIZE_REQD comes without an NBD_INFO_BLOCK_SIZE before it");
}

static int compare_bytes(gconstpointer a, gconstpointer b)
{
    return g_bytes_compare(*(GBytes *const *)a, *(GBytes *const *)b);
}

/* g_ptr_array_copy() would hand the duty to free the elements on to the copy. */
static GPtrArray *sorted(const GPtrArray *items)
{
    GPtrArray *copy = g_ptr_array_sized_new(items->len);

    for (guint i = 0; i < items->len; i++)
        g_ptr_array_add(copy, items->pdata[i]);
    g_ptr_array_sort(copy, compare_bytes);
    return copy;
}

static bool same_set(const GPtrArray *a, const GPtrArray *b)
{
    g_autoptr(GPtrArray) left = sorted(a);
    g_autoptr(GPtrArray) right = sorted(b);

    if (left->len != right->len)
        return false;
    for (guint i = 0; i < left->len; i++)
        if (!g_bytes_equal(left->pdata[i], right->pdata[i]))
            return false;
    return true;
}

/* Both were kept whole, and asked for the same. */
static bool same_question(const SessionOption *a, const SessionOption *b)
{
    return a->whole && b->whole && !a->infos_cut && !b->infos_cut && a->data->len == b->data->len &&
           (a->data->len == 0 || memcmp(a->data->data, b->data->data, a->data->len) == 0);
}

/* "info=EXPORT size=0 flags=HAS_FLAGS" */
static char *item_text(GBytes *item)
{
    gsize size;
    const uint8_t *bytes = g_bytes_get_data(item, &size);
    uint64_t values[WIRE_MAX_FIELDS];
    WireKind kind = WIRE_INFO;

    if (size == wire_layout(WIRE_INFO_EXPORT)->size && wire_get(bytes, 2) == NBD_INFO_EXPORT)
        kind = WIRE_INFO_EXPORT;
    else if (size == wire_layout(WIRE_INFO_BLOCK_SIZE)->size &&
             wire_get(bytes, 2) == NBD_INFO_BLOCK_SIZE)
        kind = WIRE_INFO_BLOCK_SIZE;
    if (size < wire_layout(kind)->size)
        return g_strdup("an item without a type");
    wire_decode(kind, bytes, values);
    return wire_describe(kind, values);
}

/* The first item of ITEMS that OTHERS does not have, for people. */
static char *odd_item(const GPtrArray *items, const GPtrArray *others)
{
    for (guint i = 0; i < items->len; i++) {
        bool found = false;
        for (guint j = 0; j < others->len && !found; j++)
            found = g_bytes_equal(items->pdata[i], others->pdata[j]);
        if (!found)
            return item_text(items->pdata[i]);
    }
    return g_strdup("nothing else");
}

static char *go_same_as_info(const Session *session, const SessionMessage *message)
{
    const SessionOption *go = ends(session, message, NBD_REP_ACK);
    const SessionOption *info = session->last_info;

    if (go == NULL || go->option != NBD_OPT_GO || info == NULL || !same_question(go, info) ||
        same_set(go->infos, info->infos))
        return NULL;
    g_autofree char *said = odd_item(info->infos, go->infos);
    g_autofree char *says = odd_item(go->infos, info->infos);
    return g_strdup_printf("INFO had just said %s, and GO with the same data says %s", said, says);
}

static const SessionRule rules[] = {
    SESSION_RULE(reply_magic, REQ("handshake.reply.magic"), RULE_ALWAYS),
    SESSION_RULE(reply_unasked, REQ("handshake.reply.unasked"), RULE_ENDPOINT),
    SESSION_RULE(export_name_refused, REQ("handshake.export-name.unknown"), RULE_ALWAYS),
    SESSION_RULE(export_name_acknowledged, REQ("handshake.export-name.reply"), RULE_ALWAYS),
    SESSION_RULE(reply_fixed_newstyle, REQ("handshake.flags.fixed-newstyle"), RULE_EVEN_TAINTED),
    SESSION_RULE(reply_option_echo, REQ("handshake.reply.option-echo"), RULE_ENDPOINT),
    SESSION_RULE(reply_type, REQ("handshake.reply.type"), RULE_ENDPOINT),
    SESSION_RULE(ack_empty, REQ("handshake.reply.ack-empty"), RULE_ALWAYS),
    SESSION_RULE(server_layout, REQ("handshake.rep-server.layout"), RULE_ALWAYS),
    SESSION_RULE(server_name_length, REQ("handshake.rep-server.name-length"), RULE_ALWAYS),
    SESSION_RULE(info_layout, REQ("handshake.info.layout"), RULE_ALWAYS),
    SESSION_RULE(info_export_length, REQ("handshake.info.export-length"), RULE_ALWAYS),
    SESSION_RULE(info_block_size_length, REQ("handshake.info.block-size-length"), RULE_ALWAYS),
    SESSION_RULE(info_once, REQ("handshake.info.once"), RULE_ENDPOINT),
    SESSION_RULE(info_export_sent, REQ("handshake.opt-info.export"), RULE_ENDPOINT),
    SESSION_RULE(unknown_without_info, REQ("handshake.opt-info.unknown-without-info"),
                 RULE_ENDPOINT),
    SESSION_RULE(block_size_reqd_asked, REQ("handshake.opt-info.block-size-reqd-asked"),
                 RULE_ENDPOINT),
    SESSION_RULE(block_size_reqd_sends_sizes, REQ("handshake.opt-info.block-size-reqd-sends-sizes"),
                 RULE_ENDPOINT),
    SESSION_RULE(go_same_as_info, REQ("handshake.opt-go.same-as-info"), RULE_ENDPOINT),
};
SESSION_RULES(session_option_reply_rules, WIRE_OPTION_REPLY, rules);
