/* Waiting for the peer: all connections of the case are served meanwhile, every wait has its deadline,
 * and silence counts only where nothing is owed. */
#include <errno.h>
#include <poll.h>

#include "play/player.h"

/* A peer that keeps sending without ever coming to the point is given this many timeouts. */
#define ENDLESS 6

/* Bytes a second that the slowest link moves which we put up with. */
#define SLOW_LINK (16u << 10)

/* poll() may wake us later than asked for on a busy machine: so late, and it proves nothing. */
#define OVERSLEPT_US (G_USEC_PER_SEC / 2)

/* So often we look whether the run is to end early. */
#define STOP_POLL_MS 200

/* Looks at what has come since SEEN (NULL: at all of it). True if that settles the wait. */
static bool scan(Player *player, Connection *connection, Matcher matcher, gpointer data,
                 GList **seen, Event *event)
{
    GList *at = *seen == NULL ? connection->came.head : (*seen)->next;

    for (; at != NULL; *seen = at, at = at->next) {
        guint index = 0;
        Match match = matcher(player, connection, data, at->data, &index);
        if (player->over) {
            event->kind = EVENT_OVER;
            return true;
        }
        if (match == MATCH_PASS_OVER || (match == MATCH_NO && play_connection_is_tls(at->data)))
            continue;
        *event = (Event){.kind = match == MATCH_YES ? EVENT_MATCH : EVENT_OTHER,
                         .index = index,
                         .message = at->data};
        g_queue_delete_link(&connection->came, at);
        return true;
    }
    return false;
}

static bool has_had_its_time(const SessionMessage *message, const SessionMessage *final)
{
    if (session_message_is_final(final))
        return message->kind == WIRE_OPTION_REPLY;
    return session_message_is_chunk(message) && message->answers &&
           answer_cookie(message) == answer_cookie(final);
}

/* With the final reply to an option, or the end of the reply to a request, what came before as part of the
 * same answer. */
static void drop_older_replies(Connection *connection, const SessionMessage *final)
{
    GList *next;

    if (final == NULL || !(session_message_is_final(final) || answer_is_whole(final)))
        return;
    for (GList *at = connection->came.head; at != NULL; at = next) {
        SessionMessage *message = at->data;
        next = at->next;
        if (message->position < final->position && has_had_its_time(message, final)) {
            session_message_free(message);
            g_queue_delete_link(&connection->came, at);
        }
    }
}

/* In transmission whatever rightly moves was asked for, or is owed by us, and is bounded: a link may be
 * slow. What a peer sends unasked there, the rules see: while they judge it, and while its messages are
 * understood. */
static gint64 for_slow_link(const Connection *connection, uint64_t moved)
{
    const Session *session = connection->session;

    if (session_phase(session) != PHASE_TRANSMISSION || session_tainted(session, SIDE_CLIENT) ||
        session_desynchronised(session, SIDE_CLIENT) ||
        session_desynchronised(session, SIDE_SERVER))
        return 0;
    return (gint64)(moved * G_USEC_PER_SEC / SLOW_LINK);
}

/* Some TLS libraries keep a failed handshake secret for up to half a minute (s2n-tls: "blinding"), lest the time
 * that it took tells something. A second try takes that into account, in proportion to the 10 s it has else. */
unsigned player_patience_ms(const Player *player, const Connection *connection)
{
    unsigned timeout_ms = player->mode->timeout_ms;
    bool blinded = player->mode->again && session_phase(connection->session) == PHASE_TLS;

    return blinded ? timeout_ms / 2 * 7 : timeout_ms;
}

static gint64 deadline(const Player *player, const Connection *connection, gint64 began_us,
                       uint64_t moved_before)
{
    gint64 timeout_us = (gint64)player_patience_ms(player, connection) * 1000;
    gint64 quiet = MAX(began_us, connection->last_progress_us) + timeout_us;
    gint64 endless = began_us + ENDLESS * timeout_us +
                     for_slow_link(connection, connection->moved - moved_before);

    return MIN(quiet, endless);
}

/* Serves every connection once something happens, or the time is up. Returns by how much poll()
 * overslept, in microseconds. */
static gint64 serve_all(Player *player, gint64 until_us)
{
    guint count = player->connections->len;
    g_autofree struct pollfd *waits = g_new0(struct pollfd, count);
    gint64 left = until_us - g_get_monotonic_time();
    bool pending = false;

    for (guint i = 0; i < count; i++) {
        const Connection *connection = player->connections->pdata[i];
        waits[i].events = play_connection_events(connection);
        waits[i].fd = waits[i].events == 0 ? -1 : transport_fd(connection->transport);
        pending |= play_connection_pending(connection);
    }
    int pause_ms = left <= 0 || pending ? 0 : (int)MIN(left / 1000 + 1, STOP_POLL_MS);
    int status = poll(waits, count, pause_ms);
    gint64 late = status == 0 ? g_get_monotonic_time() - until_us : 0;
    for (guint i = 0; i < count; i++)
        if (waits[i].revents != 0 || play_connection_pending(player->connections->pdata[i]))
            play_connection_move(player->connections->pdata[i]);
    return late;
}

bool player_stopped(const Player *player)
{
    return play_stopped(player->mode->stop);
}

bool play_stopped(const volatile int *stop)
{
    return stop != NULL && g_atomic_int_get(stop) != 0;
}

/* One wait, from its beginning. */
typedef struct {
    Player *player;
    Connection *connection;
    gint64 began_us, until_us;
    uint64_t moved_before;
    unsigned starved;
} Wait;

static Wait wait_new(Player *player, Connection *connection, gint64 until_us)
{
    return (Wait){.player = player,
                  .connection = connection,
                  .began_us = g_get_monotonic_time(),
                  .until_us = until_us,
                  .moved_before = connection->moved};
}

/* Lets bytes move until something happens. False once the time is up, or the run is to end, which settles
 * the case. */
static bool wait_on(Wait *wait)
{
    if (player_stopped(wait->player)) {
        player_error(wait->player, "interrupted");
        return false;
    }
    gint64 until_us = MIN(wait->until_us, deadline(wait->player, wait->connection, wait->began_us,
                                                   wait->moved_before));
    if (g_get_monotonic_time() >= until_us)
        return false;
    if (serve_all(wait->player, until_us) > OVERSLEPT_US && wait->starved++ < 3)
        wait->began_us = g_get_monotonic_time();
    return true;
}

Event player_await_until(Player *player, Connection *connection, Matcher matcher, gpointer data,
                         gint64 until_us)
{
    Wait wait = wait_new(player, connection, until_us);
    GList *seen = NULL;
    Event event = {.kind = EVENT_SILENT};

    do {
        player_collect(player);
        if (player->over) {
            event.kind = EVENT_OVER;
            return event;
        }
        if (scan(player, connection, matcher, data, &seen, &event)) {
            drop_older_replies(connection, event.message);
            return event;
        }
        if (connection->closed || connection->ended) {
            Match match = matcher(player, connection, data, NULL, &event.index);
            event.kind = match == MATCH_YES ? EVENT_MATCH : EVENT_CLOSED;
            return event;
        }
    } while (wait_on(&wait));
    event.kind = player->over ? EVENT_OVER : EVENT_SILENT;
    return event;
}

Event player_await(Player *player, Connection *connection, Matcher matcher, gpointer data)
{
    return player_await_until(player, connection, matcher, data, G_MAXINT64);
}

SessionMessage *player_await_message(Player *player, Connection *connection, const Statement *line,
                                     Matcher matcher, gpointer data)
{
    Event event = player_await(player, connection, matcher, data);

    if (event.kind == EVENT_MATCH)
        return event.message;
    player_unexpected(player, connection, line, &event);
    session_message_free(event.message);
    return NULL;
}

void player_flush(Player *player, Connection *connection)
{
    Wait wait = wait_new(player, connection, G_MAXINT64);

    do
        player_collect(player);
    while (play_connection_owes(connection) && !player->over && wait_on(&wait));
}
