/* What a line of `S:` says of a message: which fields, how they compare, what is kept of them. */
#include <string.h>

#include "play/player.h"

/* ---- Fields ----------------------------------------------------------------------------------- */

/* A field of a message: a number, or text that leads into the message. */
typedef struct {
    bool is_text;
    uint64_t number;
    const uint8_t *text;
    size_t length;
    const WireNames *names;
} FieldValue;

static bool layout_field(WireKind kind, const uint64_t *values, const char *name, FieldValue *out)
{
    int index = kind == WIRE_KINDS ? -1 : wire_field_index(kind, name);

    if (index < 0)
        return false;
    *out = (FieldValue){.number = values[index], .names = wire_layout(kind)->fields[index].names};
    return true;
}

static bool text_field(const SessionMessage *message, size_t start, size_t end, FieldValue *out)
{
    if (start > end || end > message->data->len)
        return false;
    *out =
        (FieldValue){.is_text = true, .text = message->data->data + start, .length = end - start};
    return true;
}

/* The texts of option replies: a name, a description, an error's message. */
static bool reply_text(const SessionMessage *message, const char *name, FieldValue *out)
{
    size_t end = message->data->len;

    if (message->kind != WIRE_OPTION_REPLY)
        return false;
    if (message->inner == WIRE_REP_SERVER) {
        uint64_t name_length = message->inner_value[REP_SERVER_NAME_LENGTH];
        if (name_length > end - 4)
            return false;
        size_t split = 4 + (size_t)name_length;
        if (g_str_equal(name, "name"))
            return text_field(message, 4, split, out);
        return g_str_equal(name, "description") && text_field(message, split, end, out);
    }
    if (message->inner == WIRE_META_CONTEXT)
        return g_str_equal(name, "name") && text_field(message, 4, end, out);
    if (message->inner == WIRE_INFO && message->inner_value[INFO_TYPE] == NBD_INFO_NAME)
        return g_str_equal(name, "name") && text_field(message, 2, end, out);
    if (message->inner == WIRE_INFO && message->inner_value[INFO_TYPE] == NBD_INFO_DESCRIPTION)
        return g_str_equal(name, "description") && text_field(message, 2, end, out);
    if (message->inner == WIRE_KINDS)
        return g_str_equal(name, "message") && text_field(message, 0, end, out);
    return false;
}

/* What `ok` and `error` know of a reply in chunks: what a simple reply would have told. */
static bool answer_field(const SessionMessage *message, const char *name, FieldValue *out)
{
    if (g_str_equal(name, "length"))
        *out = (FieldValue){.number = message->reply.covered};
    else if (g_str_equal(name, "error"))
        *out = (FieldValue){.number = answer_error(message), .names = &wire_errors};
    else if (g_str_equal(name, "cookie"))
        *out = (FieldValue){.number = answer_cookie(message)};
    else
        return false;
    return true;
}

/* What the payload of a chunk says. */
static bool chunk_field(const SessionMessage *message, const char *name, FieldValue *out)
{
    const SessionChunk *chunk = &message->chunk;
    bool first = g_str_equal(name, "extent") || g_str_equal(name, "status");

    if (g_str_equal(name, "message") && chunk->has_error)
        return text_field(message, 6, 6 + (size_t)chunk->text_length, out);
    if (g_str_equal(name, "offset") && (chunk->has_content || chunk->has_failure))
        *out = (FieldValue){.number = chunk->has_content ? chunk->offset : chunk->failure};
    else if (g_str_equal(name, "size") && chunk->has_content)
        *out = (FieldValue){.number = chunk->size};
    else if (g_str_equal(name, "error") && chunk->has_error)
        *out = (FieldValue){.number = chunk->error, .names = &wire_errors};
    else if (g_str_equal(name, "id") && chunk->has_context)
        *out = (FieldValue){.number = chunk->context};
    else if (g_str_equal(name, "count") && chunk->has_context)
        *out = (FieldValue){.number = chunk->extents};
    else if (first && chunk->extents > 0) {
        SessionExtent extent = session_message_extent(message, 0);
        *out = (FieldValue){.number = *name == 'e' ? extent.length : extent.status};
    } else
        return layout_field(message->kind, message->value, name, out);
    return true;
}

/* WHOLE: for a line that cares for the reply, not for its chunks. */
static bool message_field(const SessionMessage *message, const char *name, bool whole,
                          FieldValue *out)
{
    /* What is told apart by name alone: `flags` of an information item, not of its reply. */
    if (layout_field(message->inner, message->inner_value, name, out))
        return true;
    if (message->kind == WIRE_SIMPLE_REPLY && g_str_equal(name, "length")) {
        *out = (FieldValue){.number = message->data_length};
        return true;
    }
    if (session_message_is_chunk(message))
        return whole ? answer_field(message, name, out) : chunk_field(message, name, out);
    return layout_field(message->kind, message->value, name, out) || reply_text(message, name, out);
}

/* ---- Comparing -------------------------------------------------------------------------------- */

static bool compare_numbers(ArgKind kind, uint64_t left, uint64_t right)
{
    switch (kind) {
    case ARG_EQUAL:
        return left == right;
    case ARG_NOT_EQUAL:
        return left != right;
    case ARG_LESS:
        return left < right;
    case ARG_LESS_EQUAL:
        return left <= right;
    case ARG_GREATER:
        return left > right;
    case ARG_GREATER_EQUAL:
        return left >= right;
    case ARG_HAS:
        return (left & right) == right;
    case ARG_LACKS:
        return (left & right) == 0;
    case ARG_POSITION:
    case ARG_BIND:
        break;
    }
    return false;
}

static bool compare_text(const FieldValue *field, const Arg *arg, const Value *value)
{
    gsize size;
    const void *bytes = g_bytes_get_data(value->bytes, &size);
    bool equal = size == field->length && (size == 0 || memcmp(bytes, field->text, size) == 0);

    return arg->kind == ARG_NOT_EQUAL ? !equal : equal;
}

static bool is_data(const Arg *arg)
{
    return arg->name != NULL &&
           (g_str_equal(arg->name, "data") || g_str_equal(arg->name, "expect"));
}

/* The content that a single chunk tells. */
static bool chunk_data_holds(Player *player, const Arg *arg, const SessionMessage *message)
{
    g_autoptr(GByteArray) data = g_byte_array_new();

    if (message->chunk.type != NBD_REPLY_TYPE_OFFSET_DATA || message->data->len < 8)
        return false;
    g_byte_array_append(data, message->data->data + 8, message->data->len - 8);
    g_autofree char *wrong = player_differs(player, arg->value, message->chunk.offset, data);
    return wrong == NULL;
}

static bool data_holds(Player *player, const Arg *arg, const SessionMessage *message)
{
    if (!answer_is_whole(message))
        return false;
    g_autofree char *wrong =
        player_differs(player, arg->value, message->request.offset, answer_content(message));
    return wrong == NULL;
}

static bool arg_holds(Player *player, const Arg *arg, const SessionMessage *message, bool whole)
{
    FieldValue field;

    if (arg->kind == ARG_POSITION)
        return true;
    if (is_data(arg))
        return whole ? data_holds(player, arg, message) : chunk_data_holds(player, arg, message);
    if (!message_field(message, arg->name, whole, &field))
        return false;
    if (arg->kind == ARG_BIND)
        return true;
    g_autoptr(Value) value = player_value(player, arg->value, field.names);
    if (value == NULL)
        return false;
    if (field.is_text)
        return value->kind == VALUE_BYTES && compare_text(&field, arg, value);
    return value->kind == VALUE_INTEGER && compare_numbers(arg->kind, field.number, value->integer);
}

/* Does LINE care for whole replies only? */
static bool is_whole(const Statement *line)
{
    return !g_str_equal(line->verb, "chunk");
}

bool line_holds(Player *player, const Statement *line, const SessionMessage *message)
{
    for (guint i = 0; i < line->args->len; i++)
        if (!arg_holds(player, line->args->pdata[i], message, is_whole(line)))
            return false;
    return true;
}

bool line_compares(Player *player, const Arg *arg, uint64_t number, const WireNames *names)
{
    uint64_t wanted;

    return arg->kind == ARG_BIND || (player_number(player, arg->value, names, &wanted) &&
                                     compare_numbers(arg->kind, number, wanted));
}

/* `size as $size`, once the line has its message. */
void line_bind(Player *player, const Statement *line, const SessionMessage *message)
{
    for (guint i = 0; i < line->args->len; i++) {
        const Arg *arg = line->args->pdata[i];
        FieldValue field;
        if (arg->kind != ARG_BIND || arg->name == NULL ||
            !message_field(message, arg->name, is_whole(line), &field))
            continue;
        if (field.is_text) {
            g_autoptr(GBytes) text = g_bytes_new(field.text, field.length);
            player_bind(player, arg->value->text, value_bytes(text));
        } else {
            player_bind(player, arg->value->text, value_integer(field.number));
        }
    }
}

/* Is this the reply that the line is about: by its cookie, else by that of our latest request? */
bool line_is_about(Player *player, const Connection *connection, const Statement *line,
                   const SessionMessage *message)
{
    const Arg *cookie = line_arg(line, "cookie");

    if (cookie != NULL && cookie->kind == ARG_EQUAL) {
        uint64_t wanted;
        return player_number(player, cookie->value, NULL, &wanted) &&
               answer_cookie(message) == wanted;
    }
    return !connection->has_cookie || answer_cookie(message) == connection->last_cookie;
}
