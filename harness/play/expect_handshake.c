/* What the server says in the handshake: `S: greeting`, `S: export` and `S: reply`. */
#include "play/player.h"

static Match match_greeting(Player *player, Connection *connection, const Statement *line,
                            const SessionMessage *message)
{
    const Expr *style = line_position(line, 0);

    (void)connection;
    if (message == NULL || message->kind != WIRE_GREETING || !message->hello)
        return MATCH_NO;
    if (style != NULL && !g_str_equal(style->text, wire_layout(message->inner)->name))
        return MATCH_NO;
    return match_if(line_holds(player, line, message));
}

static Match match_export(Player *player, Connection *connection, const Statement *line,
                          const SessionMessage *message)
{
    (void)connection;
    if (message == NULL || message->kind != WIRE_EXPORT)
        return MATCH_NO;
    return match_if(line_holds(player, line, message));
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

static const char *const styles[] = {"oldstyle", "newstyle", NULL};
static const char *const type_words[] = {"not", "error", "final", NULL};
static const Position none[] = {{0}};
static const Position greeting_positions[] = {{.words = styles, .optional = true}, {0}};
static const Position reply_positions[] = {
    {.names = &wire_options}, {.names = &wire_reply_types, .words = type_words, .many = true}, {0}};
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

static const Verb verbs[] = {
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
};
VERB_TABLE(play_expect_handshake_verbs, verbs);
