/* What the server sends: `S: …`. A line says what must hold of a message; what it does not name is free.
 *
 * Two kinds of messages come in an order that the server may choose, and are matched as sets: the replies
 * to one option before the final one, and the replies to requests in flight. A line takes the first that
 * fits, and passes the others over for later lines.
 */
#include "play/player.h"

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
    return yes_or_no(line_holds(player, line, message));
}

static Match match_export(Player *player, Connection *connection, const Statement *line,
                          const SessionMessage *message)
{
    (void)connection;
    if (message == NULL || message->kind != WIRE_EXPORT)
        return MATCH_NO;
    return yes_or_no(line_holds(player, line, message));
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
        info_holds(player, line, message, at) && line_holds(player, line, message))
        return MATCH_YES;
    return session_message_is_final(message) ? MATCH_NO : MATCH_PASS_OVER;
}

static Match match_simple_reply(Player *player, Connection *connection, const Statement *line,
                                const SessionMessage *message)
{
    if (message == NULL || message->kind != WIRE_SIMPLE_REPLY)
        return MATCH_NO;
    if (!line_is_about(player, connection, line, message))
        return MATCH_PASS_OVER;
    return yes_or_no(line_holds(player, line, message));
}

/* The reply of either kind, once it is whole. */
static Match match_answer(Player *player, Connection *connection, const Statement *line,
                          const SessionMessage *message)
{
    if (message == NULL || !answer_is_part(message))
        return MATCH_NO;
    if (!answer_is_whole(message) || !line_is_about(player, connection, line, message))
        return MATCH_PASS_OVER;
    return yes_or_no(line_holds(player, line, message));
}

/* Which of the two forms of status is due, the session's rules know. */
static bool is_chunk_type(uint64_t type, uint64_t wanted)
{
    return type == wanted ||
           (wanted == NBD_REPLY_TYPE_BLOCK_STATUS && type == NBD_REPLY_TYPE_BLOCK_STATUS_EXT);
}

/* Types, any of which will do; `error` for any error; behind `not`, none of them may it be. None named: any. */
static bool chunk_type_holds(Player *player, const Statement *line, const SessionMessage *message)
{
    bool negated = false, found = false, named = false;
    const Expr *expr;

    for (guint i = 0; (expr = line_position(line, i)) != NULL; i++) {
        uint64_t wanted;
        if (expr->kind == EXPR_WORD && g_str_equal(expr->text, "not"))
            negated = true;
        else if (expr->kind == EXPR_WORD)
            named = true, found |= message->chunk.is_error;
        else if (player_number(player, expr, &wire_chunk_types, &wanted))
            named = true, found |= is_chunk_type(message->chunk.type, wanted);
    }
    return !named || found != negated;
}

/* Chunks of one reply come in an order of the server's own. A chunk that no line asks for is passed over; the
 * last one, which no other follows, is not. */
static Match match_chunk(Player *player, Connection *connection, const Statement *line,
                         const SessionMessage *message)
{
    if (message == NULL || !answer_is_part(message))
        return MATCH_NO;
    if (!line_is_about(player, connection, line, message))
        return MATCH_PASS_OVER;
    if (session_message_is_chunk(message) && chunk_type_holds(player, line, message) &&
        line_holds(player, line, message))
        return MATCH_YES;
    return message->ends ? MATCH_NO : MATCH_PASS_OVER;
}

static Match match_ok(Player *player, Connection *connection, const Statement *line,
                      const SessionMessage *message)
{
    Match match = match_answer(player, connection, line, message);

    if (match != MATCH_YES)
        return match;
    return yes_or_no(answer_error(message) == NBD_SUCCESS);
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
    Match match = match_answer(player, connection, line, message);

    if (match != MATCH_YES)
        return match;
    return yes_or_no(error_holds(player, line, answer_error(message)));
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
    return answer_is_part(message) && message->answers ? MATCH_PASS_OVER : MATCH_NO;
}

/* ---- Playing a line --------------------------------------------------------------------------- */

static Match one_line(Player *player, Connection *connection, gpointer data,
                      const SessionMessage *message, guint *index)
{
    const Statement *line = data;

    *index = 0;
    return play_verb(ACTOR_SERVER, line->verb)->match(player, connection, line, message);
}

void play_expectation(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);

    if (connection == NULL)
        return;
    Event event = player_await(player, connection, one_line, (gpointer)line);
    if (event.kind != EVENT_MATCH)
        player_unexpected(player, connection, line, &event);
    else if (event.message != NULL)
        line_bind(player, line, event.message);
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
        line_bind(player, chosen, event.message);
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
static const char *const chunk_words[] = {"not", "error", NULL};
static const Position chunk_positions[] = {
    {.names = &wire_chunk_types, .words = chunk_words, .many = true, .optional = true}, {0}};
static const Field chunk_fields[] = {{"flags", FIELD_INTEGER, &wire_chunk_flags},
                                     {"cookie", FIELD_INTEGER, NULL},
                                     {"length", FIELD_INTEGER, NULL},
                                     {"offset", FIELD_INTEGER, NULL},
                                     {"size", FIELD_INTEGER, NULL},
                                     {"error", FIELD_INTEGER, &wire_errors},
                                     {"message", FIELD_BYTES, NULL},
                                     {"id", FIELD_INTEGER, NULL},
                                     {"count", FIELD_INTEGER, NULL},
                                     {"extent", FIELD_INTEGER, NULL},
                                     {"status", FIELD_INTEGER, NULL},
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
         "`description`; of META_CONTEXT `id`, `name`; of errors `message`."},
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
    {.name = "chunk",
     .actor = ACTOR_SERVER,
     .positions = chunk_positions,
     .fields = chunk_fields,
     .play = play_expectation,
     .match = match_chunk,
     .requirement = REQ("transmission.reply.every-request"),
     .usage = "S: chunk [[not] (TYPE… | error)] [field…]",
     .manual =
         "A chunk of the reply to the request with this cookie, by default the latest one sent. The chunks "
         "of one reply come in any order: those that no line asks for are passed over, up to the one with "
         "DONE. Fields: `flags`, `cookie`, `length` (of the payload); of content `offset`, `size`, `data`; "
         "of errors `error`, `message`, and `offset` where one is told; of BLOCK_STATUS `id`, `count` of its "
         "extents, and of the first `extent`, its length, and `status`. BLOCK_STATUS stands for either form of "
         "status. Where no line of the case is `open "
         "structured`, it is played in runs with `--replies structured` only."},
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
