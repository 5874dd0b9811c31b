/* What the server says in the transmission phase: `S: simple-reply`, `S: chunk`, and of a reply of either kind
 * `S: ok` and `S: error`; and `S: close`, the end of any phase. */
#include "play/player.h"

static Match match_simple_reply(Player *player, Connection *connection, const Statement *line,
                                const SessionMessage *message)
{
    if (message == NULL || message->kind != WIRE_SIMPLE_REPLY)
        return MATCH_NO;
    if (!line_is_about(player, connection, line, message))
        return MATCH_PASS_OVER;
    return match_if(line_holds(player, line, message));
}

/* The reply of either kind, once it is whole. */
static Match match_answer(Player *player, Connection *connection, const Statement *line,
                          const SessionMessage *message)
{
    if (message == NULL || !answer_is_part(message))
        return MATCH_NO;
    if (!answer_is_whole(message) || !line_is_about(player, connection, line, message))
        return MATCH_PASS_OVER;
    return match_if(line_holds(player, line, message));
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
    return match_if(answer_error(message) == NBD_SUCCESS);
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
    return match_if(error_holds(player, line, answer_error(message)));
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

/* ---- The table -------------------------------------------------------------------------------- */

static const char *const error_words[] = {"not", NULL};
static const Position none[] = {{0}};
static const Position error_positions[] = {
    {.names = &wire_errors, .words = error_words, .many = true, .optional = true}, {0}};
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

static const Verb verbs[] = {
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
VERB_TABLE(play_expect_transmission_verbs, verbs);
