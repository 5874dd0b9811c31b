/* Waiting for what the server sends: `S: …`. A line says what must hold of a message; what it does not name is
 * free.
 *
 * Two kinds of messages come in an order that the server may choose, and are matched as sets: the replies
 * to one option before the final one, and the replies to requests in flight. A line takes the first that
 * fits, and passes the others over for later lines.
 */
#include "play/player.h"

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
    return g_str_equal(line->verb, "close");
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

/* LINE blames the server for what a message does not say by itself. (A line that names an error is about that
 * one, be it the storage's.) */
static bool infers_blame(const Statement *line)
{
    const Expr *first = g_str_equal(line->verb, "error") ? line_position(line, 0) : NULL;
    bool named = first != NULL && !(first->kind == EXPR_WORD && g_str_equal(first->text, "not"));

    return !named && (line->outcome.kind == OUTCOME_FAIL || line->outcome.kind == OUTCOME_WARN);
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
    if (event.message != NULL && infers_blame(chosen))
        (void)player_acquits(player, connection, event.message);
    if (event.message != NULL)
        line_bind(player, chosen, event.message);
    session_message_free(event.message);
    return chosen;
}
