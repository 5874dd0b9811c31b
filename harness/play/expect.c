/* What the server sends: `S: …`. A line says what must hold of a message; what it does not name is free.
 *
 * Two kinds of messages come in an order that the server may choose, and are matched as sets: the replies
 * to one option before the final one, and the replies to requests in flight. A line takes the first that
 * fits, and passes the others over for later lines.
 */
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
    if (message->inner == WIRE_INFO && message->inner_value[INFO_TYPE] == NBD_INFO_NAME)
        return g_str_equal(name, "name") && text_field(message, 2, end, out);
    if (message->inner == WIRE_INFO && message->inner_value[INFO_TYPE] == NBD_INFO_DESCRIPTION)
        return g_str_equal(name, "description") && text_field(message, 2, end, out);
    if (message->inner == WIRE_KINDS)
        return g_str_equal(name, "message") && text_field(message, 0, end, out);
    return false;
}

static bool message_field(const SessionMessage *message, const char *name, FieldValue *out)
{
    /* What is told apart by name alone: `flags` of an information item, not of its reply. */
    if (layout_field(message->inner, message->inner_value, name, out))
        return true;
    if (message->kind == WIRE_SIMPLE_REPLY && g_str_equal(name, "length")) {
        *out = (FieldValue){.number = message->data_length};
        return true;
    }
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

static bool data_holds(Player *player, const Arg *arg, const SessionMessage *message)
{
    if (message->kind != WIRE_SIMPLE_REPLY)
        return false;
    g_autofree char *wrong =
        player_differs(player, arg->value, message->request.offset, message->data);
    return wrong == NULL;
}

static bool arg_holds(Player *player, const Arg *arg, const SessionMessage *message)
{
    FieldValue field;

    if (arg->kind == ARG_POSITION)
        return true;
    if (is_data(arg))
        return data_holds(player, arg, message);
    if (!message_field(message, arg->name, &field))
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

static bool args_hold(Player *player, const Statement *line, const SessionMessage *message)
{
    for (guint i = 0; i < line->args->len; i++)
        if (!arg_holds(player, line->args->pdata[i], message))
            return false;
    return true;
}

/* `size as $size`, once the line has its message. */
static void bind(Player *player, const Statement *line, const SessionMessage *message)
{
    for (guint i = 0; i < line->args->len; i++) {
        const Arg *arg = line->args->pdata[i];
        FieldValue field;
        if (arg->kind != ARG_BIND || arg->name == NULL ||
            !message_field(message, arg->name, &field))
            continue;
        if (field.is_text) {
            g_autoptr(GBytes) text = g_bytes_new(field.text, field.length);
            player_bind(player, arg->value->text, value_bytes(text));
        } else {
            player_bind(player, arg->value->text, value_integer(field.number));
        }
    }
}

/* ---- One matcher for each verb ---------------------------------------------------------------- */

static Match yes_or_no(bool holds)
{
    return holds ? MATCH_YES : MATCH_NO;
}

static Match match_greeting(Player *player, Connection *connection, const Statement *line,
                            const SessionMessage *message)
{
    const Expr *style = line_position(line, 0);

    (void)connection;
    if (message == NULL || message->kind != WIRE_GREETING || !message->hello)
        return MATCH_NO;
    if (style != NULL && !g_str_equal(style->text, wire_layout(message->inner)->name))
        return MATCH_NO;
    return yes_or_no(args_hold(player, line, message));
}

static Match match_export(Player *player, Connection *connection, const Statement *line,
                          const SessionMessage *message)
{
    (void)connection;
    if (message == NULL || message->kind != WIRE_EXPORT)
        return MATCH_NO;
    return yes_or_no(args_hold(player, line, message));
}

/* Positions 1 and following of `reply`: types, any of which will do, `error` for any error, `final` for
 * any final reply; behind `not`, none of those that follow may it be. */
static bool type_holds(Player *player, const Statement *line, const SessionMessage *message,
                       guint *at)
{
    uint64_t type = message->value[REPLY_TYPE];
    bool negated = false, found = false;
    const Expr *expr;

    for (*at = 1; (expr = line_position(line, *at)) != NULL; (*at)++) {
        uint64_t wanted;
        if (expr->kind == EXPR_WORD && g_str_equal(expr->text, "not")) {
            negated = true;
        } else if (expr->kind == EXPR_WORD && g_str_equal(expr->text, "error")) {
            found |= (type & NBD_REP_FLAG_ERROR) != 0;
        } else if (expr->kind == EXPR_WORD) {
            found |= session_message_is_final(message);
        } else if (player_number(player, expr, &wire_reply_types, &wanted)) {
            found |= type == wanted;
            if (wanted == NBD_REP_INFO) { /* an information type may follow */
                (*at)++;
                break;
            }
        } else {
            return false;
        }
    }
    return found != negated;
}

static bool info_holds(Player *player, const Statement *line, const SessionMessage *message,
                       guint at)
{
    const Expr *expr = line_position(line, at);
    uint64_t type;

    if (expr == NULL || message->value[REPLY_TYPE] != NBD_REP_INFO)
        return true;
    return player_number(player, expr, &wire_info_types, &type) && message->data->len >= 2 &&
           wire_get(message->data->data, 2) == type;
}

static Match match_reply(Player *player, Connection *connection, const Statement *line,
                         const SessionMessage *message)
{
    uint64_t option;
    guint at;

    (void)connection;
    if (message == NULL || message->kind != WIRE_OPTION_REPLY)
        return MATCH_NO;
    if (player_number(player, line_position(line, 0), &wire_options, &option) &&
        message->value[REPLY_OPTION] == option && type_holds(player, line, message, &at) &&
        info_holds(player, line, message, at) && args_hold(player, line, message))
        return MATCH_YES;
    return session_message_is_final(message) ? MATCH_NO : MATCH_PASS_OVER;
}

/* Is this the reply that the line is about: by its cookie, else by that of our latest request? */
static bool is_ours(Player *player, const Connection *connection, const Statement *line,
                    const SessionMessage *message)
{
    const Arg *cookie = line_arg(line, "cookie");

    if (cookie != NULL && cookie->kind == ARG_EQUAL) {
        uint64_t wanted;
        return player_number(player, cookie->value, NULL, &wanted) &&
               message->value[SIMPLE_REPLY_COOKIE] == wanted;
    }
    return !connection->has_cookie ||
           message->value[SIMPLE_REPLY_COOKIE] == connection->last_cookie;
}

static Match match_simple_reply(Player *player, Connection *connection, const Statement *line,
                                const SessionMessage *message)
{
    if (message == NULL || message->kind != WIRE_SIMPLE_REPLY)
        return MATCH_NO;
    if (!is_ours(player, connection, line, message))
        return MATCH_PASS_OVER;
    return yes_or_no(args_hold(player, line, message));
}

static Match match_ok(Player *player, Connection *connection, const Statement *line,
                      const SessionMessage *message)
{
    Match match = match_simple_reply(player, connection, line, message);

    if (match != MATCH_YES)
        return match;
    return yes_or_no(message->value[SIMPLE_REPLY_ERROR] == NBD_SUCCESS);
}

/* `error`: any; `error EINVAL ENOSPC`: one of these; `error not ENOTSUP`: any other. */
static bool error_holds(Player *player, const Statement *line, uint64_t error)
{
    bool negated = false, found = false, named = false;
    const Expr *expr;

    for (guint i = 0; (expr = line_position(line, i)) != NULL; i++) {
        uint64_t wanted;
        if (expr->kind == EXPR_WORD)
            negated = true;
        else if (player_number(player, expr, &wire_errors, &wanted))
            named = true, found |= error == wanted;
    }
    return error != NBD_SUCCESS && (!named || found != negated);
}

static Match match_error(Player *player, Connection *connection, const Statement *line,
                         const SessionMessage *message)
{
    Match match = match_simple_reply(player, connection, line, message);

    if (match != MATCH_YES)
        return match;
    return yes_or_no(error_holds(player, line, message->value[SIMPLE_REPLY_ERROR]));
}

/* Replies to requests that were in flight may still come before the close. */
static Match match_close(Player *player, Connection *connection, const Statement *line,
                         const SessionMessage *message)
{
    (void)player;
    (void)connection;
    (void)line;
    if (message == NULL)
        return MATCH_YES;
    return message->kind == WIRE_SIMPLE_REPLY && message->answers ? MATCH_PASS_OVER : MATCH_NO;
}

/* ---- Playing a line --------------------------------------------------------------------------- */

static Match one_line(Player *player, Connection *connection, gpointer data,
                      const SessionMessage *message, guint *index)
{
    const Statement *line = data;

    *index = 0;
    return play_verb(ACTOR_SERVER, line->verb)->match(player, connection, line, message);
}

static void play_expectation(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);

    if (connection == NULL)
        return;
    Event event = player_await(player, connection, one_line, (gpointer)line);
    if (event.kind != EVENT_MATCH)
        player_unexpected(player, connection, line, &event);
    else if (event.message != NULL)
        bind(player, line, event.message);
    session_message_free(event.message);
}

static bool is_close(const Statement *line)
{
    return play_verb(ACTOR_SERVER, line->verb)->match == match_close;
}

/* Beside other alternatives a close decides only when it comes: no message rules it out. */
static Match any_line(Player *player, Connection *connection, gpointer data,
                      const SessionMessage *message, guint *index)
{
    const GPtrArray *lines = ((const Statement *)data)->block;
    Match best = MATCH_PASS_OVER;

    for (guint i = 0; i < lines->len; i++) {
        const Statement *line = lines->pdata[i];
        Match match = play_verb(ACTOR_SERVER, line->verb)->match(player, connection, line, message);
        if (match == MATCH_YES) {
            *index = i;
            return MATCH_YES;
        }
        if (match == MATCH_NO && (lines->len == 1 || message == NULL || !is_close(line)))
            best = MATCH_NO;
    }
    return best;
}

/* Plays `one of { … }`: returns the alternative that came, or NULL where none did. */
const Statement *player_choose(Player *player, const Statement *block)
{
    const Statement *first = block->block->pdata[0];
    Connection *connection = player_connection(player, first);

    if (connection == NULL)
        return NULL;
    Event event = player_await(player, connection, any_line, (gpointer)block);
    if (event.kind != EVENT_MATCH) {
        player_unexpected(player, connection, block, &event);
        session_message_free(event.message);
        return NULL;
    }
    const Statement *chosen = block->block->pdata[event.index];
    if (event.message != NULL)
        bind(player, chosen, event.message);
    session_message_free(event.message);
    return chosen;
}

/* ---- The table -------------------------------------------------------------------------------- */

static const char *const styles[] = {"oldstyle", "newstyle", NULL};
static const char *const type_words[] = {"not", "error", "final", NULL};
static const char *const error_words[] = {"not", NULL};
static const Position none[] = {{0}};
static const Position greeting_positions[] = {{.words = styles, .optional = true}, {0}};
static const Position reply_positions[] = {
    {.names = &wire_options}, {.names = &wire_reply_types, .words = type_words, .many = true}, {0}};
static const Position error_positions[] = {
    {.names = &wire_errors, .words = error_words, .many = true, .optional = true}, {0}};
static const Field greeting_fields[] = {
    {"flags", FIELD_INTEGER, &wire_handshake_flags}, {"size", FIELD_INTEGER, NULL}, {0}};
static const Field export_fields[] = {
    {"size", FIELD_INTEGER, NULL}, {"flags", FIELD_INTEGER, &wire_transmission_flags}, {0}};
static const Field reply_fields[] = {{"length", FIELD_INTEGER, NULL},
                                     {"name", FIELD_BYTES, NULL},
                                     {"name-length", FIELD_INTEGER, NULL},
                                     {"description", FIELD_BYTES, NULL},
                                     {"message", FIELD_BYTES, NULL},
                                     {"size", FIELD_INTEGER, NULL},
                                     {"flags", FIELD_INTEGER, &wire_transmission_flags},
                                     {"minimum", FIELD_INTEGER, NULL},
                                     {"preferred", FIELD_INTEGER, NULL},
                                     {"maximum", FIELD_INTEGER, NULL},
                                     {"id", FIELD_INTEGER, NULL},
                                     {0}};
static const Field simple_reply_fields[] = {{"error", FIELD_INTEGER, &wire_errors},
                                            {"cookie", FIELD_INTEGER, NULL},
                                            {"length", FIELD_INTEGER, NULL},
                                            {"data", FIELD_PAYLOAD, NULL},
                                            {0}};
static const Field close_fields[] = {{0}};

const Verb play_expect_verbs[] = {
    {.name = "greeting",
     .actor = ACTOR_SERVER,
     .positions = greeting_positions,
     .fields = greeting_fields,
     .play = play_expectation,
     .match = match_greeting,
     .requirement = REQ("handshake.newstyle.greeting"),
     .usage = "S: greeting [oldstyle | newstyle] [flags…] [size…]",
     .manual =
         "The server's first message, with the handshake flags of newstyle, or the size and flags of "
         "oldstyle."},
    {.name = "export",
     .actor = ACTOR_SERVER,
     .positions = none,
     .fields = export_fields,
     .play = play_expectation,
     .match = match_export,
     .requirement = REQ("handshake.export-name.reply"),
     .usage = "S: export [size…] [flags…]",
     .manual = "The answer to EXPORT_NAME, with the 124 bytes of padding where they are due."},
    {.name = "reply",
     .actor = ACTOR_SERVER,
     .positions = reply_positions,
     .fields = reply_fields,
     .play = play_expectation,
     .match = match_reply,
     .requirement = REQ("handshake.reply.every-option"),
     .usage = "S: reply OPTION [not] (TYPE… | error | final | INFO TYPE) [field…]",
     .manual =
         "A reply to OPTION of one of the given types; `error` is any error, `final` any final reply, "
         "and behind `not` none of them may it be. Replies before the final one come in any order, "
         "and those that no line asks for are passed over; a line for the final reply ends the set. "
         "Fields: `length`, and of SERVER `name`, `description`; of INFO EXPORT `size`, `flags`; of "
         "INFO BLOCK_SIZE `minimum`, `preferred`, `maximum`; of INFO NAME `name`; of INFO DESCRIPTION "
         "`description`; of errors `message`."},
    {.name = "simple-reply",
     .actor = ACTOR_SERVER,
     .positions = none,
     .fields = simple_reply_fields,
     .play = play_expectation,
     .match = match_simple_reply,
     .requirement = REQ("transmission.reply.every-request"),
     .usage = "S: simple-reply [error…] [cookie=N] [length…] [data=PAYLOAD]",
     .manual =
         "The simple reply to the request with this cookie, by default the latest one sent. `length` is "
         "that of its data. Replies to other requests are passed over."},
    {.name = "ok",
     .actor = ACTOR_SERVER,
     .positions = none,
     .fields = simple_reply_fields,
     .play = play_expectation,
     .match = match_ok,
     .requirement = REQ("transmission.reply.every-request"),
     .usage = "S: ok [cookie=N] [data=PAYLOAD]",
     .manual =
         "Success for the request with this cookie, by default the latest one sent, whatever the kind of "
         "reply."},
    {.name = "error",
     .actor = ACTOR_SERVER,
     .positions = error_positions,
     .fields = simple_reply_fields,
     .play = play_expectation,
     .match = match_error,
     .requirement = REQ("transmission.reply.every-request"),
     .usage = "S: error [not] [ERROR…] [cookie=N]",
     .manual =
         "An error for the request with this cookie, by default the latest one sent: one of those named, "
         "or any; behind `not` any other."},
    {.name = "close",
     .actor = ACTOR_SERVER,
     .positions = none,
     .fields = close_fields,
     .play = play_expectation,
     .match = match_close,
     .requirement = REQ("robust.answers"),
     .usage = "S: close",
     .manual =
         "The server ends the connection: end of stream, reset or broken pipe alike. Replies to requests "
         "in flight may come before."},
};
const size_t play_expect_verb_count = G_N_ELEMENTS(play_expect_verbs);
