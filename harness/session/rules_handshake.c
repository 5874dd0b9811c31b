/* What every message of a server obeys until transmission begins. One function, one requirement. */
#include <string.h>

#include "session/private.h"

#define HEX "%#" G_GINT64_MODIFIER "x"
#define DEC "%" G_GUINT64_FORMAT

static const SessionOption *current(const Session *session)
{
    return g_queue_peek_head((GQueue *)&session->options);
}

/* ---- Greeting --------------------------------------------------------------------------------- */

static char *greeting(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (message->value[GREETING_PASSWD] != NBD_INIT_PASSWD)
        return g_strdup_printf("the greeting begins with " HEX ", which is not NBDMAGIC",
                               message->value[GREETING_PASSWD]);
    if (!message->hello)
        return g_strdup_printf("after NBDMAGIC comes " HEX ", which is neither IHAVEOPT nor the "
                               "magic number of the oldstyle greeting",
                               message->value[GREETING_MAGIC]);
    return NULL;
}

static char *handshake_flags_defined(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (message->inner != WIRE_NEWSTYLE)
        return NULL;
    uint64_t unknown = message->inner_value[NEWSTYLE_FLAGS] & ~wire_known_bits(&wire_handshake_flags);
    return unknown == 0 ? NULL
                        : g_strdup_printf("the greeting sets undefined handshake flags: " HEX, unknown);
}

static char *oldstyle_flags(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (message->inner != WIRE_OLDSTYLE || message->inner_value[OLDSTYLE_FLAGS] >> 16 == 0)
        return NULL;
    return g_strdup_printf("the oldstyle greeting's flags are " HEX
                           ": their upper half, where handshake flags would stand, is not zero",
                           message->inner_value[OLDSTYLE_FLAGS]);
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static char *oldstyle_reserved(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (message->inner != WIRE_OLDSTYLE)
        return NULL;
    size_t head = wire_layout(WIRE_OLDSTYLE)->size;
    if (message->data->len < head || all_zero(message->data->data + head, message->data->len - head))
        return NULL;
    return g_strdup("the reserved bytes of the oldstyle greeting are not all zero");
}

/* The transmission flags come in three messages: these pick them out of each. */
static bool transmission_flags(const SessionMessage *message, uint64_t *flags)
{
    if (message->kind == WIRE_GREETING && message->inner == WIRE_OLDSTYLE)
        *flags = message->inner_value[OLDSTYLE_FLAGS] & 0xffff;
    else if (message->kind == WIRE_EXPORT)
        *flags = message->value[EXPORT_FLAGS];
    else if (message->kind == WIRE_OPTION_REPLY && message->inner == WIRE_INFO_EXPORT)
        *flags = message->inner_value[INFO_EXPORT_FLAGS];
    else
        return false;
    return true;
}

static char *has_flags(const Session *session, const SessionMessage *message)
{
    uint64_t flags;

    (void)session;
    if (!transmission_flags(message, &flags) || flags & NBD_FLAG_HAS_FLAGS)
        return NULL;
    return g_strdup_printf("the transmission flags are " HEX ", without HAS_FLAGS (bit 0)", flags);
}

static char *df_needs_structured(const Session *session, const SessionMessage *message)
{
    uint64_t flags;

    if (!transmission_flags(message, &flags) || !(flags & NBD_FLAG_SEND_DF) ||
        session->facts.structured)
        return NULL;
    return g_strdup("SEND_DF is set, although structured replies were not negotiated");
}

static char *fast_zero_needs_write_zeroes(const Session *session, const SessionMessage *message)
{
    uint64_t flags;

    (void)session;
    if (!transmission_flags(message, &flags) || !(flags & NBD_FLAG_SEND_FAST_ZERO) ||
        flags & NBD_FLAG_SEND_WRITE_ZEROES)
        return NULL;
    return g_strdup("SEND_FAST_ZERO is set, although SEND_WRITE_ZEROES is not");
}

static char *export_zeroes(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (all_zero(message->data->data, message->data->len))
        return NULL;
    return g_strdup("the 124 reserved bytes behind EXPORT_NAME's size and flags are not all zero");
}

/* ---- Option replies: the header --------------------------------------------------------------- */

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

/* An option whose data still comes may be answered already: its sender knows all that it needs. */
static char *reply_unasked(const Session *session, const SessionMessage *message)
{
    if (!is_reply(message) || current(session) != NULL || session_pending(session, SIDE_CLIENT) > 0)
        return NULL;
    return g_strdup("an option reply came although no option waits for one");
}

static char *reply_fixed_newstyle(const Session *session, const SessionMessage *message)
{
    if (!is_reply(message) || session->facts.handshake_flags & NBD_FLAG_FIXED_NEWSTYLE)
        return NULL;
    return g_strdup("the server answers options, but has not set FIXED_NEWSTYLE in its greeting");
}

static char *reply_option_echo(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = current(session);

    if (!is_reply(message) || option == NULL || message->value[REPLY_OPTION] == option->option)
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
    default: /* an option of the server's own may have replies of its own */
        return wire_name(&wire_options, option) == NULL;
    }
}

static char *reply_type(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = current(session);

    if (!is_reply(message) || option == NULL || type_fits(option->option, message->value[REPLY_TYPE]))
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

/* ---- Option replies: NBD_REP_SERVER ----------------------------------------------------------- */

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
    return g_strdup_printf("NBD_REP_SERVER announces a name of " DEC " bytes, but its header's length "
                           "of " DEC " leaves room for " DEC, name, message->value[REPLY_LENGTH],
                           message->value[REPLY_LENGTH] - 4);
}

/* ---- Option replies: NBD_REP_INFO ------------------------------------------------------------- */

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

static char *info_once(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = current(session);
    uint64_t type = info_type(message);

    for (guint i = 0; option != NULL && type != UINT64_MAX && i < option->infos->len; i++) {
        if (same_type(option->infos->pdata[i], type)) {
            g_autofree char *name = wire_format(&wire_info_types, type);
            return g_strdup_printf("information type %s comes a second time for one option", name);
        }
    }
    return NULL;
}

/* ---- How INFO and GO end ---------------------------------------------------------------------- */

static bool informs(const SessionOption *option)
{
    return option != NULL && (option->option == NBD_OPT_INFO || option->option == NBD_OPT_GO);
}

static char *info_export_sent(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = current(session);

    if (!is_type(message, NBD_REP_ACK) || !informs(option) || option->export_seen)
        return NULL;
    return g_strdup_printf("%s is acknowledged, but no NBD_INFO_EXPORT came before",
                           wire_name(&wire_options, option->option));
}

static char *unknown_without_info(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = current(session);

    if (!is_type(message, NBD_REP_ERR_UNKNOWN) || !informs(option) || option->infos->len == 0)
        return NULL;
    return g_strdup_printf("ERR_UNKNOWN comes after %u NBD_REP_INFO replies", option->infos->len);
}

static char *block_size_reqd_asked(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = current(session);

    if (!is_type(message, NBD_REP_ERR_BLOCK_SIZE_REQD) || !informs(option) ||
        !option->info_parsed || !session->facts.block_size_asked)
        return NULL;
    return g_strdup("ERR_BLOCK_SIZE_REQD, although NBD_INFO_BLOCK_SIZE was requested");
}

static char *block_size_reqd_sends_sizes(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = current(session);

    if (!is_type(message, NBD_REP_ERR_BLOCK_SIZE_REQD) || !informs(option) || option->block_size_seen)
        return NULL;
    return g_strdup("ERR_BLOCK_SIZE_REQD comes without an NBD_INFO_BLOCK_SIZE before it");
}

static int compare_bytes(gconstpointer a, gconstpointer b)
{
    return g_bytes_compare(*(GBytes *const *)a, *(GBytes *const *)b);
}

static bool same_set(const GPtrArray *a, const GPtrArray *b)
{
    if (a->len != b->len)
        return false;
    g_autoptr(GPtrArray) left = g_ptr_array_copy((GPtrArray *)a, NULL, NULL);
    g_autoptr(GPtrArray) right = g_ptr_array_copy((GPtrArray *)b, NULL, NULL);
    g_ptr_array_sort(left, compare_bytes);
    g_ptr_array_sort(right, compare_bytes);
    for (guint i = 0; i < left->len; i++)
        if (!g_bytes_equal(left->pdata[i], right->pdata[i]))
            return false;
    return true;
}

static bool same_data(const GByteArray *a, const GByteArray *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static char *go_same_as_info(const Session *session, const SessionMessage *message)
{
    const SessionOption *go = current(session);
    const SessionOption *info = session->last_info;

    if (!is_type(message, NBD_REP_ACK) || go == NULL || go->option != NBD_OPT_GO || info == NULL ||
        !same_data(go->data, info->data) || same_set(go->infos, info->infos))
        return NULL;
    return g_strdup_printf("GO brought %u items of information that are not the %u which INFO with the "
                           "same data had just brought", go->infos->len, info->infos->len);
}

/* ---- Size constraints ------------------------------------------------------------------------- */

static bool power_of_2(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static bool sizes(const SessionMessage *message, uint64_t *minimum, uint64_t *preferred,
                  uint64_t *maximum)
{
    if (message->inner != WIRE_INFO_BLOCK_SIZE)
        return false;
    *minimum = message->inner_value[INFO_BLOCK_SIZE_MINIMUM];
    *preferred = message->inner_value[INFO_BLOCK_SIZE_PREFERRED];
    *maximum = message->inner_value[INFO_BLOCK_SIZE_MAXIMUM];
    return true;
}

#define SIZE_RULE(name, wrong, ...)                                                                \
    static char *name(const Session *session, const SessionMessage *message)                       \
    {                                                                                              \
        uint64_t minimum, preferred, maximum;                                                      \
        (void)session;                                                                             \
        if (!sizes(message, &minimum, &preferred, &maximum) || !(wrong))                           \
            return NULL;                                                                           \
        return g_strdup_printf(__VA_ARGS__);                                                       \
    }

SIZE_RULE(minimum_power_of_2, !power_of_2(minimum),
          "the minimum block size is " DEC ", no power of 2", minimum)
SIZE_RULE(minimum_65536, minimum > 65536, "the minimum block size is " DEC ", over 65536", minimum)
SIZE_RULE(preferred_power_of_2, !power_of_2(preferred),
          "the preferred block size is " DEC ", no power of 2", preferred)
SIZE_RULE(preferred_at_least, preferred < MAX(minimum, 512),
          "the preferred block size is " DEC ", below 512 or below the minimum of " DEC, preferred,
          minimum)
SIZE_RULE(maximum_at_least_preferred, maximum < preferred,
          "the maximum payload is " DEC ", below the preferred block size of " DEC, maximum, preferred)

/* Two of the constraints concern the export's size, which comes in another message, before or after. */
static bool size_and_constraints(const Session *session, const SessionMessage *message,
                                 uint64_t *size, uint64_t *minimum, uint64_t *maximum)
{
    const SessionOption *option = current(session);

    if (!is_type(message, NBD_REP_ACK) || !informs(option) || !option->export_seen ||
        !option->block_size_seen)
        return false;
    *size = option->size;
    *minimum = option->minimum;
    *maximum = option->maximum;
    return true;
}

static char *multiple_of_minimum(const Session *session, const SessionMessage *message)
{
    uint64_t size, minimum, maximum;

    if (!size_and_constraints(session, message, &size, &minimum, &maximum) || minimum == 0 ||
        size % minimum == 0)
        return NULL;
    return g_strdup_printf("the export's size of " DEC " is no multiple of its minimum block size of " DEC
                           ": its last bytes are out of reach", size, minimum);
}

static char *maximum_at_least_1m(const Session *session, const SessionMessage *message)
{
    uint64_t size, minimum, maximum;

    if (!size_and_constraints(session, message, &size, &minimum, &maximum) ||
        maximum >= MIN(size, UINT64_C(1) << 20))
        return NULL;
    return g_strdup_printf("the maximum payload is " DEC ", below 1 MiB", maximum);
}

/* ---- Strings ---------------------------------------------------------------------------------- */

/* The strings of an option reply: at most two, a name and a description. */
static size_t strings(const SessionMessage *message, const uint8_t *text[2], size_t length[2])
{
    const GByteArray *data = message->data;
    uint64_t type = message->value[REPLY_TYPE];

    if (!is_reply(message) || data->len != message->data_length || data->len == 0)
        return 0;
    if (message->inner == WIRE_REP_SERVER) {
        uint64_t name = message->inner_value[REP_SERVER_NAME_LENGTH];
        if (name > data->len - 4)
            return 0;
        text[0] = data->data + 4;
        length[0] = (size_t)name;
        text[1] = text[0] + name;
        length[1] = data->len - 4 - (size_t)name;
        return 2;
    }
    size_t head = 0;
    if (message->inner == WIRE_META_CONTEXT)
        head = 4;
    else if (message->inner == WIRE_INFO &&
             (message->inner_value[INFO_TYPE] == NBD_INFO_NAME ||
              message->inner_value[INFO_TYPE] == NBD_INFO_DESCRIPTION))
        head = 2;
    else if (!(type & NBD_REP_FLAG_ERROR))
        return 0;
    text[0] = data->data + head;
    length[0] = data->len - head;
    return 1;
}

static char *string_is(const SessionMessage *message, WireString bad, const char *what)
{
    const uint8_t *text[2];
    size_t length[2];
    size_t count = strings(message, text, length);

    for (size_t i = 0; i < count; i++)
        if (wire_check_string(text[i], length[i]) == bad)
            return g_strdup_printf("a string of %zu bytes %s", length[i], what);
    return NULL;
}

/* wire_check_string() names the worst finding only; a NUL does not make a long string short. */
static char *string_too_long(const Session *session, const SessionMessage *message)
{
    const uint8_t *text[2];
    size_t length[2];
    size_t count = strings(message, text, length);

    (void)session;
    for (size_t i = 0; i < count; i++)
        if (length[i] > NBD_MAX_STRING)
            return g_strdup_printf("a string is %zu bytes long, over 4096", length[i]);
    return NULL;
}

static char *string_long(const Session *session, const SessionMessage *message)
{
    (void)session;
    return string_is(message, WIRE_STRING_LONG, "is longer than 256 bytes");
}

static char *string_nul(const Session *session, const SessionMessage *message)
{
    (void)session;
    return string_is(message, WIRE_STRING_NUL, "holds a NUL");
}

static char *string_utf8(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (message->inner == WIRE_META_CONTEXT)
        return NULL; /* has a requirement of its own */
    return string_is(message, WIRE_STRING_NOT_UTF8, "is not UTF-8");
}

static char *context_utf8(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (message->inner != WIRE_META_CONTEXT)
        return NULL;
    return string_is(message, WIRE_STRING_NOT_UTF8, "is not UTF-8");
}

#define RULE(check, id, kind_, endpoint_)                                                          \
    {                                                                                              \
        .name = #check, .requirement = REQ(id), .by = SIDE_SERVER, .kind = kind_,                  \
        .endpoint = endpoint_, .broken = check                                                     \
    }

const SessionRule session_handshake_rules[] = {
    RULE(greeting, "handshake.newstyle.greeting", WIRE_GREETING, false),
    RULE(handshake_flags_defined, "handshake.flags.undefined", WIRE_GREETING, false),
    RULE(oldstyle_flags, "handshake.flags.none-in-oldstyle", WIRE_GREETING, false),
    RULE(oldstyle_reserved, "handshake.oldstyle.reserved-zero", WIRE_GREETING, false),
    RULE(has_flags, "transmission.flags.has-flags", WIRE_GREETING, false),
    RULE(has_flags, "transmission.flags.has-flags", WIRE_EXPORT, false),
    RULE(has_flags, "transmission.flags.has-flags", WIRE_OPTION_REPLY, false),
    RULE(df_needs_structured, "transmission.flags.df-needs-structured", WIRE_GREETING, false),
    RULE(df_needs_structured, "transmission.flags.df-needs-structured", WIRE_EXPORT, false),
    RULE(df_needs_structured, "transmission.flags.df-needs-structured", WIRE_OPTION_REPLY, false),
    RULE(fast_zero_needs_write_zeroes, "transmission.flags.fast-zero-needs-write-zeroes",
         WIRE_GREETING, false),
    RULE(fast_zero_needs_write_zeroes, "transmission.flags.fast-zero-needs-write-zeroes",
         WIRE_EXPORT, false),
    RULE(fast_zero_needs_write_zeroes, "transmission.flags.fast-zero-needs-write-zeroes",
         WIRE_OPTION_REPLY, false),
    RULE(export_zeroes, "handshake.export-name.zeroes", WIRE_EXPORT, false),
    RULE(reply_magic, "handshake.reply.magic", WIRE_OPTION_REPLY, false),
    RULE(reply_unasked, "handshake.reply.unasked", WIRE_OPTION_REPLY, true),
    RULE(reply_fixed_newstyle, "handshake.flags.fixed-newstyle", WIRE_OPTION_REPLY, false),
    RULE(reply_option_echo, "handshake.reply.option-echo", WIRE_OPTION_REPLY, true),
    RULE(reply_type, "handshake.reply.type", WIRE_OPTION_REPLY, true),
    RULE(ack_empty, "handshake.reply.ack-empty", WIRE_OPTION_REPLY, false),
    RULE(server_layout, "handshake.rep-server.layout", WIRE_OPTION_REPLY, false),
    RULE(server_name_length, "handshake.rep-server.name-length", WIRE_OPTION_REPLY, false),
    RULE(info_layout, "handshake.info.layout", WIRE_OPTION_REPLY, false),
    RULE(info_export_length, "handshake.info.export-length", WIRE_OPTION_REPLY, false),
    RULE(info_block_size_length, "handshake.info.block-size-length", WIRE_OPTION_REPLY, false),
    RULE(info_once, "handshake.info.once", WIRE_OPTION_REPLY, true),
    RULE(info_export_sent, "handshake.opt-info.export", WIRE_OPTION_REPLY, true),
    RULE(unknown_without_info, "handshake.opt-info.unknown-without-info", WIRE_OPTION_REPLY, true),
    RULE(block_size_reqd_asked, "handshake.opt-info.block-size-reqd-asked", WIRE_OPTION_REPLY, true),
    RULE(block_size_reqd_sends_sizes, "handshake.opt-info.block-size-reqd-sends-sizes",
         WIRE_OPTION_REPLY, true),
    RULE(go_same_as_info, "handshake.opt-go.same-as-info", WIRE_OPTION_REPLY, true),
    RULE(minimum_power_of_2, "size.minimum-power-of-2", WIRE_OPTION_REPLY, false),
    RULE(minimum_65536, "size.minimum-max-65536", WIRE_OPTION_REPLY, false),
    RULE(preferred_power_of_2, "size.preferred-power-of-2", WIRE_OPTION_REPLY, false),
    RULE(preferred_at_least, "size.preferred-at-least", WIRE_OPTION_REPLY, false),
    RULE(maximum_at_least_preferred, "size.maximum-at-least-preferred", WIRE_OPTION_REPLY, false),
    RULE(multiple_of_minimum, "size.export-multiple-of-minimum", WIRE_OPTION_REPLY, true),
    RULE(maximum_at_least_1m, "size.maximum-at-least-1m", WIRE_OPTION_REPLY, true),
    RULE(string_long, "string.max-256", WIRE_OPTION_REPLY, false),
    RULE(string_too_long, "string.max-4096", WIRE_OPTION_REPLY, false),
    RULE(string_nul, "string.no-nul", WIRE_OPTION_REPLY, false),
    RULE(string_utf8, "string.utf-8", WIRE_OPTION_REPLY, false),
    RULE(context_utf8, "handshake.rep-meta-context.utf-8", WIRE_OPTION_REPLY, false),
};
const size_t session_handshake_rule_count = G_N_ELEMENTS(session_handshake_rules);
