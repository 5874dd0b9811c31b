/* Leaving. A server could send more than was due behind its last reply; whether we see that must not hang on
 * who is faster. So the last word is a fence: a question whose answer, or the close, comes behind all that
 * was on its way. Nobody is blamed for not answering it, or for hanging up: it is no line of the case.
 */
#include "play/player.h"

/* So long at most the answer may take; with a server that gives none, each case costs as much. */
#define FENCE_US (2 * G_USEC_PER_SEC)

/* A read of so much fits into any export and any constraints worth the name. */
#define FENCE_READ 512u

/* ---- What is said ----------------------------------------------------------------------------- */

static void say_option(Connection *connection, uint64_t option)
{
    uint64_t value[WIRE_MAX_FIELDS];

    wire_defaults(WIRE_OPTION, value);
    value[OPTION_OPTION] = option;
    g_autoptr(GByteArray) message = player_message(WIRE_OPTION, value, NULL, 0);
    play_connection_send(connection, message->data, message->len, 0);
}

static void say_request(Connection *connection, uint64_t command, uint64_t length)
{
    RequestSpec spec = player_request_spec(connection, command);

    spec.length = length;
    g_autoptr(GByteArray) message = player_request_bytes(connection, &spec);
    play_connection_send(connection, message->data, message->len, 0);
}

/* Our side is between two messages, and can still speak; where TLS is due, not in the clear. */
static bool can_speak(const Connection *connection)
{
    const Session *session = connection->session;

    return !connection->ended && !connection->closed && !connection->shut &&
           !connection->shutting && !play_connection_owes(connection) &&
           session_pending(session, SIDE_CLIENT) == 0 &&
           session_facts(session)->tls != SESSION_TLS_ACKNOWLEDGED &&
           !session_desynchronised(session, SIDE_CLIENT);
}

/* Between two options, with a server to whom ABORT means something. */
static bool can_abort(const Connection *connection)
{
    return !connection->parted && session_phase(connection->session) == PHASE_HAGGLING &&
           session_facts(connection->session)->style == STYLE_FIXED_NEWSTYLE;
}

void player_leave(Connection *connection)
{
    if (can_speak(connection) && session_phase(connection->session) == PHASE_TRANSMISSION)
        say_request(connection, NBD_CMD_DISC, 0);
    else if (can_speak(connection) && can_abort(connection))
        say_option(connection, NBD_OPT_ABORT);
    play_connection_end(connection, END_CLOSE);
}

/* ---- The fence -------------------------------------------------------------------------------- */

/* Where we have broken the rules, or left the server's answers unread or unawaited, nothing is judged, or
 * the case has its reason to leave so. */
static bool needs_fence(const Connection *connection)
{
    const Session *session = connection->session;

    return can_speak(connection) && !connection->holding &&
           !session_tainted(session, SIDE_CLIENT) &&
           !session_desynchronised(session, SIDE_SERVER) &&
           session_facts(session)->in_flight == 0 &&
           (session_phase(session) == PHASE_TRANSMISSION || can_abort(connection));
}

/* Of a length that breaks no rule; 0 where there is none. */
static uint64_t harmless_length(const Player *player, const Connection *connection)
{
    SessionFacts facts = player_facts(player, connection);
    uint64_t told = player->target == NULL ? 1 : player->target->facts.minimum;
    uint64_t length = MAX(FENCE_READ, MAX(facts.minimum, told));

    bool good = length <= facts.size && length <= facts.maximum &&
                length % MAX(facts.minimum, 1) == 0 && length % MAX(told, 1) == 0;
    return good ? length : 0;
}

/* READ changes nothing, and every server has it; FLUSH may take its time. */
static void ask_in_transmission(const Player *player, Connection *connection)
{
    uint64_t length = harmless_length(player, connection);

    if (length > 0)
        say_request(connection, NBD_CMD_READ, length);
    else if (session_facts(connection->session)->transmission_flags & NBD_FLAG_SEND_FLUSH)
        say_request(connection, NBD_CMD_FLUSH, 0);
    else
        say_request(connection, NBD_CMD_DISC, 0);
}

/* The answer to the request or the option that was last sent. */
static Match match_answer(Player *player, Connection *connection, gpointer data,
                          const SessionMessage *message, guint *index)
{
    (void)player;
    (void)data;
    *index = 0;
    if (message == NULL || session_message_is_final(message))
        return MATCH_YES;
    bool ours = message->answers && message->request.cookie == connection->next_cookie;
    return ours && answer_is_whole(message) ? MATCH_YES : MATCH_PASS_OVER;
}

static void fence(Player *player, Connection *connection)
{
    g_queue_clear_full(&connection->came, (GDestroyNotify)session_message_free);
    connection->parted = can_abort(connection);
    if (connection->parted)
        say_option(connection, NBD_OPT_ABORT);
    else
        ask_in_transmission(player, connection);
    Event event = player_await_until(player, connection, match_answer, NULL,
                                     g_get_monotonic_time() + FENCE_US);
    session_message_free(event.message);
    connection->next_cookie++;
}

void player_fence(Player *player)
{
    bool over = player->over;

    if (player->skipped || player->blocked || player->broken || player_failed(player))
        return;
    player->over = false;
    for (guint i = 0; i < player->connections->len && !player->over; i++) {
        Connection *connection = player->connections->pdata[i];
        if (needs_fence(connection))
            fence(player, connection);
    }
    player->over |= over;
}
