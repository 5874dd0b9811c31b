/* The layout of every message: one table each, read by the encoder and the decoder alike. */
#include <glib.h>
#include <string.h>

#include "wire/wire.h"

#define MAGIC(width_, value_)                                                                      \
    {                                                                                              \
        .name = "magic", .width = width_, .constant = true, .value = value_                        \
    }
#define NUMBER(name_, width_)                                                                      \
    {                                                                                              \
        .name = name_, .width = width_                                                             \
    }
#define NAMED(name_, width_, names_)                                                               \
    {                                                                                              \
        .name = name_, .width = width_, .names = &names_                                           \
    }

/* Handshake, oldstyle and newstyle. */
static const WireField greeting[] = {
    {.name = "passwd", .width = 8, .constant = true, .value = NBD_INIT_PASSWD},
    {.name = "magic", .width = 8, .value = NBD_IHAVEOPT}, /* tells oldstyle from newstyle */
};
static const WireField oldstyle[] = {NUMBER("size", 8), NAMED("flags", 4, wire_transmission_flags)};
static const WireField newstyle[] = {NAMED("flags", 2, wire_handshake_flags)};
static const WireField client_flags[] = {NAMED("flags", 4, wire_client_flags)};
static const WireField option[] = {MAGIC(8, NBD_IHAVEOPT), NAMED("option", 4, wire_options),
                                   NUMBER("length", 4)};
static const WireField option_reply[] = {MAGIC(8, NBD_OPTION_REPLY_MAGIC),
                                         NAMED("option", 4, wire_options),
                                         NAMED("type", 4, wire_reply_types), NUMBER("length", 4)};
static const WireField export[] = {NUMBER("size", 8), NAMED("flags", 2, wire_transmission_flags)};
static const WireField rep_server[] = {NUMBER("name-length", 4)};
static const WireField info[] = {NAMED("info", 2, wire_info_types)};
static const WireField info_export[] = {NAMED("info", 2, wire_info_types), NUMBER("size", 8),
                                        NAMED("flags", 2, wire_transmission_flags)};
static const WireField info_block_size[] = {NAMED("info", 2, wire_info_types), NUMBER("minimum", 4),
                                            NUMBER("preferred", 4), NUMBER("maximum", 4)};
static const WireField meta_context[] = {NUMBER("id", 4)};

/* Transmission. */
static const WireField request[] = {MAGIC(4, NBD_REQUEST_MAGIC),
                                    NAMED("flags", 2, wire_command_flags),
                                    NAMED("type", 2, wire_commands),
                                    NUMBER("cookie", 8),
                                    NUMBER("offset", 8),
                                    NUMBER("length", 4)};
static const WireField simple_reply[] = {MAGIC(4, NBD_SIMPLE_REPLY_MAGIC),
                                         NAMED("error", 4, wire_errors), NUMBER("cookie", 8)};
static const WireField chunk[] = {
    MAGIC(4, NBD_STRUCTURED_REPLY_MAGIC), NAMED("flags", 2, wire_chunk_flags),
    NAMED("type", 2, wire_chunk_types), NUMBER("cookie", 8), NUMBER("length", 4)};

static const WireField extended_request[] = {MAGIC(4, NBD_EXTENDED_REQUEST_MAGIC),
                                             NAMED("flags", 2, wire_command_flags),
                                             NAMED("type", 2, wire_commands),
                                             NUMBER("cookie", 8),
                                             NUMBER("offset", 8),
                                             NUMBER("length", 8)};
static const WireField extended_reply[] = {MAGIC(4, NBD_EXTENDED_REPLY_MAGIC),
                                           NAMED("flags", 2, wire_chunk_flags),
                                           NAMED("type", 2, wire_chunk_types),
                                           NUMBER("cookie", 8),
                                           NUMBER("offset", 8),
                                           NUMBER("length", 8)};

#define LAYOUT(kind, name_, table, size_)                                                          \
    [kind] = {.name = name_, .fields = table, .count = G_N_ELEMENTS(table), .size = size_}

static const WireLayout layouts[WIRE_KINDS] = {
    LAYOUT(WIRE_GREETING, "greeting", greeting, 16),
    LAYOUT(WIRE_OLDSTYLE, "oldstyle", oldstyle, 12),
    LAYOUT(WIRE_NEWSTYLE, "newstyle", newstyle, 2),
    LAYOUT(WIRE_CLIENT_FLAGS, "client-flags", client_flags, 4),
    LAYOUT(WIRE_OPTION, "option", option, 16),
    LAYOUT(WIRE_OPTION_REPLY, "reply", option_reply, 20),
    LAYOUT(WIRE_EXPORT, "export", export, 10),
    LAYOUT(WIRE_REP_SERVER, "server", rep_server, 4),
    LAYOUT(WIRE_INFO, "info", info, 2),
    LAYOUT(WIRE_INFO_EXPORT, "info-export", info_export, 12),
    LAYOUT(WIRE_INFO_BLOCK_SIZE, "info-block-size", info_block_size, 14),
    LAYOUT(WIRE_META_CONTEXT, "meta-context", meta_context, 4),
    LAYOUT(WIRE_REQUEST, "request", request, 28),
    LAYOUT(WIRE_SIMPLE_REPLY, "simple-reply", simple_reply, 16),
    LAYOUT(WIRE_CHUNK, "chunk", chunk, 20),
    LAYOUT(WIRE_EXTENDED_REQUEST, "extended-request", extended_request, 32),
    LAYOUT(WIRE_EXTENDED_REPLY, "extended-reply", extended_reply, 32),
};

const WireLayout *wire_layout(WireKind kind)
{
    return &layouts[kind];
}

int wire_field_index(WireKind kind, const char *name)
{
    const WireLayout *layout = &layouts[kind];

    for (size_t i = 0; i < layout->count; i++)
        if (g_str_equal(layout->fields[i].name, name))
            return (int)i;
    return -1;
}

uint64_t wire_get(const uint8_t *in, size_t width)
{
    uint64_t value = 0;

    for (size_t i = 0; i < width; i++)
        value = value << 8 | in[i];
    return value;
}

void wire_put(uint8_t *out, size_t width, uint64_t value)
{
    for (size_t i = width; i-- > 0; value >>= 8)
        out[i] = (uint8_t)value;
}

void wire_defaults(WireKind kind, uint64_t values[WIRE_MAX_FIELDS])
{
    const WireLayout *layout = &layouts[kind];

    memset(values, 0, WIRE_MAX_FIELDS * sizeof values[0]);
    for (size_t i = 0; i < layout->count; i++)
        values[i] = layout->fields[i].value;
}

void wire_encode(WireKind kind, const uint64_t values[WIRE_MAX_FIELDS], uint8_t *out)
{
    const WireLayout *layout = &layouts[kind];

    for (size_t i = 0; i < layout->count; out += layout->fields[i].width, i++)
        wire_put(out, layout->fields[i].width, values[i]);
}

void wire_decode(WireKind kind, const uint8_t *in, uint64_t values[WIRE_MAX_FIELDS])
{
    const WireLayout *layout = &layouts[kind];

    for (size_t i = 0; i < layout->count; in += layout->fields[i].width, i++)
        values[i] = wire_get(in, layout->fields[i].width);
}

char *wire_describe(WireKind kind, const uint64_t values[WIRE_MAX_FIELDS])
{
    const WireLayout *layout = &layouts[kind];
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < layout->count; i++) {
        const WireField *field = &layout->fields[i];
        if (field->constant && values[i] == field->value)
            continue;
        g_autofree char *value = NULL;
        if (field->names != NULL)
            value = wire_format(field->names, values[i]);
        else if (field->constant)
            value = g_strdup_printf("%#" G_GINT64_MODIFIER "x", values[i]);
        else
            value = g_strdup_printf("%" G_GUINT64_FORMAT, values[i]);
        g_string_append_printf(text, "%s%s=%s", text->len > 0 ? " " : "", field->name, value);
    }
    return g_string_free(text, FALSE);
}
