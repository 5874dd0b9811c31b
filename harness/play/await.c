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
        if (match == MATCH_PASS_OVER)
            continue;
        *event = (Event){.kind = match == MATCH_YES ? EVENT_MATCH : EVENT_OTHER,
                         .index = index,
                         .message = at->data};
        g_queue_delete_link(&connection->came, at);
        return true;
    }
    return false;
}

/* With the final reply to an option, those before it have had their time. */
static void drop_older_replies(Connection *connection, const SessionMessage *final)
{
    GList *next;

    if (final == NULL || final->kind != WIRE_OPTION_REPLY ||
        !(final->value[REPLY_TYPE] == NBD_REP_ACK || final->value[REPLY_TYPE] & NBD_REP_FLAG_ERROR))
        return;
    for (GList *at = connection->came.head; at != NULL; at = next) {
        SessionMessage *message = at->data;
        next = at->next;
        if (message->kind == WIRE_OPTION_REPLY && message->position < final->position) {
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

static gint64 deadline(const Player *player, const Connection *connection, gint64 began_us,
                       uint64_t moved_before)
{
    gint64 timeout_us = (gint64)player->mode->timeout_ms * 1000;
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

    for (guint i = 0; i < count; i++) {
        const Connection *connection = player->connections->pdata[i];
        waits[i].events = play_connection_events(connection);
        waits[i].fd = waits[i].events == 0 ? -1 : transport_fd(connection->transport);
    }
    int status = poll(waits, count, left <= 0 ? 0 : (int)MIN(left / 1000 + 1, STOP_POLL_MS));
    gint64 late = status == 0 ? g_get_monotonic_time() - until_us : 0;
    for (guint i = 0; i < count; i++)
        if (waits[i].revents != 0)
            play_connection_move(player->connections->pdata[i]);
    return late;
}

Event player_await(Player *player, Connection *connection, Matcher matcher, gpointer data)
{
    gint64 began_us = g_get_monotonic_time();
    uint64_t moved_before = connection->moved;
    GList *seen = NULL;
    Event event = {.kind = EVENT_SILENT};
    unsigned starved = 0;

    for (;;) {
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
        if (player->mode->stop != NULL && *player->mode->stop != 0) {
            player_error(player, "interrupted");
            event.kind = EVENT_OVER;
            return event;
        }
        gint64 until_us = deadline(player, connection, began_us, moved_before);
        if (g_get_monotonic_time() >= until_us)
            return event;
        if (serve_all(player, until_us) > OVERSLEPT_US && starved++ < 3)
            began_us = g_get_monotonic_time();
    }
}
