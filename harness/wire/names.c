/* The names of the protocol's values, and looking them up. */
#include <glib.h>

#include "wire/wire.h"

#define NAMES(variable, title_, flags_, ...)                                                       \
    static const WireName variable##_names[] = {__VA_ARGS__};                                      \
    const WireNames wire_##variable = {                                                            \
        .title = title_,                                                                           \
        .flags = flags_,                                                                           \
        .names = variable##_names,                                                                 \
        .count = G_N_ELEMENTS(variable##_names),                                                   \
    }
#define N(prefix, name)                                                                            \
    {                                                                                              \
        prefix##name, #name                                                                        \
    }

NAMES(handshake_flags, "handshake flag", true, N(NBD_FLAG_, FIXED_NEWSTYLE),
      N(NBD_FLAG_, NO_ZEROES));
NAMES(client_flags, "client flag", true, N(NBD_FLAG_C_, FIXED_NEWSTYLE), N(NBD_FLAG_C_, NO_ZEROES));
NAMES(transmission_flags, "transmission flag", true, N(NBD_FLAG_, HAS_FLAGS),
      N(NBD_FLAG_, READ_ONLY), N(NBD_FLAG_, SEND_FLUSH), N(NBD_FLAG_, SEND_FUA),
      N(NBD_FLAG_, ROTATIONAL), N(NBD_FLAG_, SEND_TRIM), N(NBD_FLAG_, SEND_WRITE_ZEROES),
      N(NBD_FLAG_, SEND_DF), N(NBD_FLAG_, CAN_MULTI_CONN), N(NBD_FLAG_, SEND_RESIZE),
      N(NBD_FLAG_, SEND_CACHE), N(NBD_FLAG_, SEND_FAST_ZERO), N(NBD_FLAG_, BLOCK_STATUS_PAYLOAD));
NAMES(options, "option", false, N(NBD_OPT_, EXPORT_NAME), N(NBD_OPT_, ABORT), N(NBD_OPT_, LIST),
      N(NBD_OPT_, PEEK_EXPORT), N(NBD_OPT_, STARTTLS), N(NBD_OPT_, INFO), N(NBD_OPT_, GO),
      N(NBD_OPT_, STRUCTURED_REPLY), N(NBD_OPT_, LIST_META_CONTEXT), N(NBD_OPT_, SET_META_CONTEXT),
      N(NBD_OPT_, EXTENDED_HEADERS));
NAMES(reply_types, "reply type", false, N(NBD_REP_, ACK), N(NBD_REP_, SERVER), N(NBD_REP_, INFO),
      N(NBD_REP_, META_CONTEXT), N(NBD_REP_, ERR_UNSUP), N(NBD_REP_, ERR_POLICY),
      N(NBD_REP_, ERR_INVALID), N(NBD_REP_, ERR_PLATFORM), N(NBD_REP_, ERR_TLS_REQD),
      N(NBD_REP_, ERR_UNKNOWN), N(NBD_REP_, ERR_SHUTDOWN), N(NBD_REP_, ERR_BLOCK_SIZE_REQD),
      N(NBD_REP_, ERR_TOO_BIG), N(NBD_REP_, ERR_EXT_HEADER_REQD));
NAMES(info_types, "information type", false, N(NBD_INFO_, EXPORT), N(NBD_INFO_, NAME),
      N(NBD_INFO_, DESCRIPTION), N(NBD_INFO_, BLOCK_SIZE));
NAMES(command_flags, "command flag", true, N(NBD_CMD_FLAG_, FUA), N(NBD_CMD_FLAG_, NO_HOLE),
      N(NBD_CMD_FLAG_, DF), N(NBD_CMD_FLAG_, REQ_ONE), N(NBD_CMD_FLAG_, FAST_ZERO),
      N(NBD_CMD_FLAG_, PAYLOAD_LEN));
NAMES(commands, "command", false, N(NBD_CMD_, READ), N(NBD_CMD_, WRITE), N(NBD_CMD_, DISC),
      N(NBD_CMD_, FLUSH), N(NBD_CMD_, TRIM), N(NBD_CMD_, CACHE), N(NBD_CMD_, WRITE_ZEROES),
      N(NBD_CMD_, BLOCK_STATUS), N(NBD_CMD_, RESIZE));
NAMES(chunk_flags, "structured reply flag", true, N(NBD_REPLY_FLAG_, DONE));
NAMES(chunk_types, "structured reply type", false, N(NBD_REPLY_TYPE_, NONE),
      N(NBD_REPLY_TYPE_, OFFSET_DATA), N(NBD_REPLY_TYPE_, OFFSET_HOLE),
      N(NBD_REPLY_TYPE_, BLOCK_STATUS), N(NBD_REPLY_TYPE_, BLOCK_STATUS_EXT),
      N(NBD_REPLY_TYPE_, ERROR), N(NBD_REPLY_TYPE_, ERROR_OFFSET));
NAMES(errors, "error", false, N(NBD_, SUCCESS), N(NBD_, EPERM), N(NBD_, EIO), N(NBD_, ENOMEM),
      N(NBD_, EINVAL), N(NBD_, ENOSPC), N(NBD_, EOVERFLOW), N(NBD_, ENOTSUP), N(NBD_, ESHUTDOWN));
NAMES(states, "state", true, N(NBD_STATE_, HOLE), N(NBD_STATE_, ZERO));

const char *wire_name(const WireNames *names, uint64_t value)
{
    for (size_t i = 0; i < names->count; i++)
        if (names->names[i].value == value)
            return names->names[i].name;
    return NULL;
}

bool wire_value(const WireNames *names, const char *name, uint64_t *value)
{
    for (size_t i = 0; i < names->count; i++) {
        if (g_str_equal(names->names[i].name, name)) {
            *value = names->names[i].value;
            return true;
        }
    }
    return false;
}

uint64_t wire_known_bits(const WireNames *names)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < names->count; i++)
        bits |= names->names[i].value;
    return bits;
}

static char *format_flags(const WireNames *names, uint64_t value)
{
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < names->count; i++) {
        if (value & names->names[i].value) {
            g_string_append_printf(text, "%s%s", text->len > 0 ? "|" : "", names->names[i].name);
            value &= ~names->names[i].value;
        }
    }
    if (value != 0 || text->len == 0)
        g_string_append_printf(text, "%s%#" G_GINT64_MODIFIER "x", text->len > 0 ? "|" : "", value);
    return g_string_free(text, FALSE);
}

char *wire_format(const WireNames *names, uint64_t value)
{
    if (names->flags)
        return format_flags(names, value);
    const char *name = wire_name(names, value);
    if (name != NULL)
        return g_strdup(name);
    return g_strdup_printf(value > 0xffff ? "%#" G_GINT64_MODIFIER "x" : "%" G_GUINT64_FORMAT,
                           value);
}
