/* Messages for people: in the notation, and as bytes. */
#include <string.h>

#include "session/private.h"

/* So much of a name or an error text is shown. */
#define SHOWN_TEXT 60

void session_message_free(SessionMessage *message)
{
    if (message == NULL)
        return;
    g_byte_array_unref(message->data);
    if (message->content != NULL)
        g_byte_array_unref(message->content);
    g_free(message);
}

static void append_text(GString *out, const char *field, const uint8_t *text, size_t length)
{
    size_t shown = MIN(length, SHOWN_TEXT);

    g_string_append_printf(out, " %s=\"", field);
    for (size_t i = 0; i < shown; i++) {
        if (text[i] == '"' || text[i] == '\\')
            g_string_append_printf(out, "\\%c", text[i]);
        else if (text[i] < 0x20 || text[i] >= 0x7f)
            g_string_append_printf(out, "\\x%02x", text[i]);
        else
            g_string_append_c(out, (char)text[i]);
    }
    g_string_append_c(out, '"');
    if (shown < length)
        g_string_append_printf(out, "… (%zu bytes)", length);
}

static void append_named(GString *out, const WireNames *names, uint64_t value)
{
    g_autofree char *text = wire_format(names, value);

    g_string_append_printf(out, " %s", text);
}

/* The wire's description of a header, without its first SKIP words. */
static void append_fields(GString *out, WireKind kind, const uint64_t *value, size_t skip)
{
    g_autofree char *text = wire_describe(kind, value);
    const char *at = text;

    for (size_t i = 0; i < skip && at != NULL; i++) {
        at = strchr(at, ' ');
        at = at == NULL ? NULL : at + 1;
    }
    if (at != NULL && *at != '\0')
        g_string_append_printf(out, " %s", at);
}

static void describe_info_request(GString *out, const SessionMessage *message)
{
    WireInfoRequest request;

    if (!wire_parse_info_request(message->data->data, message->data->len, &request))
        return;
    append_text(out, "name", request.name, request.name_length);
    for (size_t i = 0; i < MIN(request.info_count, 8u); i++) {
        g_autofree char *info = wire_format(&wire_info_types, wire_get(request.infos + 2 * i, 2));
        g_string_append_printf(out, " info=%s", info);
    }
}

static void describe_option(GString *out, const SessionMessage *message)
{
    uint64_t option = message->value[OPTION_OPTION];

    append_named(out, &wire_options, option);
    if (message->value[OPTION_MAGIC] != NBD_IHAVEOPT)
        g_string_append_printf(out, " magic=%#" G_GINT64_MODIFIER "x",
                               message->value[OPTION_MAGIC]);
    g_string_append_printf(out, " length=%" G_GUINT64_FORMAT, message->value[OPTION_LENGTH]);
    if (option == NBD_OPT_INFO || option == NBD_OPT_GO)
        describe_info_request(out, message);
    else if (option == NBD_OPT_EXPORT_NAME)
        append_text(out, "name", message->data->data, message->data->len);
    else if (message->data->len > 0)
        append_text(out, "data", message->data->data, message->data->len);
}

static void describe_server(GString *out, const SessionMessage *message)
{
    uint64_t length = message->inner_value[REP_SERVER_NAME_LENGTH];
    size_t rest = message->data->len - 4;

    if (length > rest) {
        g_string_append_printf(out, " name-length=%" G_GUINT64_FORMAT, length);
        return;
    }
    append_text(out, "name", message->data->data + 4, (size_t)length);
    if (length < rest)
        append_text(out, "description", message->data->data + 4 + length, rest - (size_t)length);
}

static void describe_option_reply(GString *out, const SessionMessage *message)
{
    uint64_t type = message->value[REPLY_TYPE];
    const GByteArray *data = message->data;

    append_named(out, &wire_options, message->value[REPLY_OPTION]);
    append_named(out, &wire_reply_types, type);
    if (message->value[REPLY_MAGIC] != NBD_OPTION_REPLY_MAGIC)
        g_string_append_printf(out, " magic=%#" G_GINT64_MODIFIER "x", message->value[REPLY_MAGIC]);
    if (message->inner == WIRE_REP_SERVER) {
        describe_server(out, message);
    } else if (message->inner != WIRE_KINDS) {
        if (message->inner == WIRE_META_CONTEXT)
            append_fields(out, message->inner, message->inner_value, 0);
        else {
            append_named(out, &wire_info_types, message->inner_value[INFO_TYPE]);
            append_fields(out, message->inner, message->inner_value, 1);
        }
        size_t head = wire_layout(message->inner)->size;
        if (data->len > head)
            append_text(out, "text", data->data + head, data->len - head);
    } else {
        g_string_append_printf(out, " length=%" G_GUINT64_FORMAT, message->value[REPLY_LENGTH]);
        if (data->len > 0)
            append_text(out, type & NBD_REP_FLAG_ERROR ? "message" : "data", data->data, data->len);
    }
}

static void describe_client_flags(GString *out, const SessionMessage *message)
{
    g_autofree char *flags = wire_format(&wire_client_flags, message->value[CLIENT_FLAGS_FLAGS]);

    g_strdelimit(flags, "|", ' ');
    g_string_append_printf(out, " %s", flags);
}

static void describe_request(GString *out, const SessionMessage *message)
{
    append_named(out, &wire_commands, message->value[REQUEST_TYPE]);
    if (message->kind == WIRE_REQUEST && message->value[REQUEST_MAGIC] != NBD_REQUEST_MAGIC)
        g_string_append_printf(out, " magic=%#" G_GINT64_MODIFIER "x",
                               message->value[REQUEST_MAGIC]);
    if (message->value[REQUEST_FLAGS] != 0) {
        g_autofree char *flags = wire_format(&wire_command_flags, message->value[REQUEST_FLAGS]);
        g_string_append_printf(out, " flags=%s", flags);
    }
    g_string_append_printf(out,
                           " cookie=%#" G_GINT64_MODIFIER "x offset=%" G_GUINT64_FORMAT
                           " length=%" G_GUINT64_FORMAT,
                           message->value[REQUEST_COOKIE], message->value[REQUEST_OFFSET],
                           message->value[REQUEST_LENGTH]);
}

static void describe_reply(GString *out, const SessionMessage *message)
{
    if (message->value[SIMPLE_REPLY_MAGIC] != NBD_SIMPLE_REPLY_MAGIC)
        g_string_append_printf(out, " magic=%#" G_GINT64_MODIFIER "x",
                               message->value[SIMPLE_REPLY_MAGIC]);
    g_autofree char *error = wire_format(&wire_errors, message->value[SIMPLE_REPLY_ERROR]);
    g_string_append_printf(out, " error=%s cookie=%#" G_GINT64_MODIFIER "x", error,
                           message->value[SIMPLE_REPLY_COOKIE]);
    if (message->data_length > 0)
        g_string_append_printf(out, " length=%" G_GUINT64_FORMAT, message->data_length);
}

/* So many extents are shown. */
#define SHOWN_EXTENTS 4

static void describe_extents(GString *out, const SessionMessage *message)
{
    size_t extents = message->chunk.extents, shown = MIN(extents, (size_t)SHOWN_EXTENTS);

    for (size_t i = 0; i < shown; i++) {
        SessionExtent extent = session_message_extent(message, i);
        g_string_append_printf(out, " extent=%" G_GUINT64_FORMAT ":%#" G_GINT64_MODIFIER "x",
                               extent.length, extent.status);
    }
    if (shown < extents)
        g_string_append_printf(out, " … (%zu extents)", extents);
}

static void describe_error(GString *out, const SessionMessage *message)
{
    const SessionChunk *chunk = &message->chunk;
    g_autofree char *error = wire_format(&wire_errors, chunk->error);

    g_string_append_printf(out, " error=%s", error);
    if (chunk->text_length > 0 && chunk->text_length <= message->data->len - 6)
        append_text(out, "message", message->data->data + 6, chunk->text_length);
    if (chunk->has_failure)
        g_string_append_printf(out, " offset=%" G_GUINT64_FORMAT, chunk->failure);
}

/* "chunk OFFSET_DATA DONE cookie=0x1 offset=0 length=512": the length of the data, of a hole or of the
 * request, not that of the payload, unless that can't be read. */
static void describe_chunk(GString *out, const SessionMessage *message)
{
    const SessionChunk *chunk = &message->chunk;

    append_named(out, &wire_chunk_types, chunk->type);
    if (chunk->flags != 0)
        append_named(out, &wire_chunk_flags, chunk->flags);
    g_string_append_printf(out, " cookie=%#" G_GINT64_MODIFIER "x", chunk->cookie);
    if (message->kind == WIRE_EXTENDED_REPLY)
        g_string_append_printf(out, " request-offset=%" G_GUINT64_FORMAT,
                               message->value[EXTENDED_REPLY_OFFSET]);
    if (chunk->has_content) {
        g_string_append_printf(out, " offset=%" G_GUINT64_FORMAT " length=%" G_GUINT64_FORMAT,
                               chunk->offset, chunk->size);
    } else if (chunk->has_error && message->data->len >= 6) {
        describe_error(out, message);
    } else if (chunk->has_context) {
        g_string_append_printf(out, " id=%u", chunk->context);
        describe_extents(out, message);
    } else if (chunk->length > 0) {
        g_string_append_printf(out, " length=%" G_GUINT64_FORMAT, chunk->length);
    }
}

bool session_message_is_final(const SessionMessage *message)
{
    if (message->kind != WIRE_OPTION_REPLY)
        return false;
    uint64_t type = message->value[REPLY_TYPE];
    return type == NBD_REP_ACK || (type & NBD_REP_FLAG_ERROR) != 0;
}

char *session_message_describe(const SessionMessage *message)
{
    GString *out = g_string_new(wire_layout(message->kind)->name);

    switch (message->kind) {
    case WIRE_GREETING:
        if (message->hello) {
            g_string_append_printf(out, " %s", wire_layout(message->inner)->name);
            append_fields(out, message->inner, message->inner_value, 0);
        } else {
            append_fields(out, message->kind, message->value, 0);
        }
        break;
    case WIRE_CLIENT_FLAGS:
        describe_client_flags(out, message);
        break;
    case WIRE_OPTION:
        describe_option(out, message);
        break;
    case WIRE_OPTION_REPLY:
        describe_option_reply(out, message);
        break;
    case WIRE_REQUEST:
    case WIRE_EXTENDED_REQUEST:
        describe_request(out, message);
        break;
    case WIRE_SIMPLE_REPLY:
        describe_reply(out, message);
        break;
    case WIRE_CHUNK:
    case WIRE_EXTENDED_REPLY:
        describe_chunk(out, message);
        break;
    default:
        append_fields(out, message->kind, message->value, 0);
        if (message->data_length > 0)
            g_string_append_printf(out, " (%" G_GUINT64_FORMAT " bytes follow)",
                                   message->data_length);
        break;
    }
    return g_string_free(out, FALSE);
}

GBytes *session_message_bytes(const SessionMessage *message, size_t limit)
{
    size_t head = wire_layout(message->kind)->size;
    size_t data = MIN(message->data->len, limit);
    g_autofree uint8_t *bytes = g_malloc(head + data);

    wire_encode(message->kind, message->value, bytes);
    if (data > 0)
        memcpy(bytes + head, message->data->data, data);
    return g_bytes_new(bytes, MIN(limit, head + data));
}
