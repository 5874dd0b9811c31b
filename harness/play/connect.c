/* The connections of a case: by name, and how they are made. */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "play/player.h"

/* ---- Names ------------------------------------------------------------------------------------ */

const char *line_connection_name(const Statement *line)
{
    for (guint i = 0; i < line->args->len; i++) {
        const Arg *arg = line->args->pdata[i];
        if (arg->kind == ARG_BIND && arg->name == NULL)
            return arg->value->text;
    }
    return "A";
}

static Connection *find_connection(const Player *player, const char *name)
{
    for (guint i = player->connections->len; i-- > 0;) {
        Connection *connection = player->connections->pdata[i];
        if (g_str_equal(connection->name, name))
            return connection;
    }
    return NULL;
}

Connection *player_connection(Player *player, const Statement *line)
{
    const char *actor = line->actor == NULL ? "" : line->actor;
    const char *dot = strchr(actor, '.');
    g_autofree char *name = NULL;

    if (dot != NULL)
        name = g_strndup(actor, (gsize)(dot - actor));
    else if (*actor == '\0' || g_str_equal(actor, "C") || g_str_equal(actor, "S"))
        name = g_strdup("A");
    else
        name = g_strdup(actor);
    Connection *connection = find_connection(player, name);
    if (connection == NULL)
        player_error(player, "line %u: there is no connection %s yet", line->place.line, name);
    return connection;
}

/* ---- Connecting ------------------------------------------------------------------------------- */

/* A target that bears few connections may still count one that is closed already, and turn the next one away: by
 * refusing it, by hanging up without a word, or by refusing it the export. For so long we come back, … */
#define TURNED_AWAY_US (3 * G_USEC_PER_SEC)

/* … first soon, and then less often. */
#define FIRST_PAUSE_US (10 * 1000)
#define LONGEST_PAUSE_US (G_USEC_PER_SEC / 5)

bool play_hangs_up(const Transport *transport, gint64 until_us)
{
    struct pollfd wait = {.fd = transport_fd(transport), .events = POLLIN};
    gint64 left_us = until_us - g_get_monotonic_time();
    uint8_t byte;

    return poll(&wait, 1, left_us <= 0 ? 0 : (int)(left_us / 1000 + 1)) > 0 &&
           recv(wait.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

Patience patience_with(const PlayMode *mode, const PlayTarget *target)
{
    gint64 timeout_us = (gint64)mode->timeout_ms * 1000;

    return (Patience){.stop = mode->stop,
                      .until_us = g_get_monotonic_time() + MIN(timeout_us, TURNED_AWAY_US),
                      .pause_us = target != NULL && target->limited ? FIRST_PAUSE_US : 0};
}

bool patience_lasts(Patience *patience)
{
    if (patience->pause_us == 0 || play_stopped(patience->stop) ||
        g_get_monotonic_time() + patience->pause_us > patience->until_us)
        return false;
    g_usleep((gulong)patience->pause_us);
    patience->pause_us = MIN(2 * patience->pause_us, LONGEST_PAUSE_US);
    return true;
}

Transport *play_reach(const PlayMode *mode, const PlayTarget *target, GError **error)
{
    Patience patience = patience_with(mode, target);
    bool limited = patience.pause_us > 0;

    for (;;) {
        g_autoptr(Transport) transport = transport_connect(mode->address, mode->timeout_ms, error);
        bool turned_away =
            limited && (transport == NULL || play_hangs_up(transport, patience.until_us));
        if (!turned_away || !patience_lasts(&patience))
            return g_steal_pointer(&transport);
        g_clear_error(error);
    }
}

/* Takes TRANSPORT, which may be NULL because of ERROR. */
static Connection *add_connection(Player *player, const char *name, Transport *transport,
                                  const GError *error)
{
    if (transport == NULL) {
        player->result->doubtful = true;
        player_breach(player, requirement_find(REQ("robust.served-after")), player->line,
                      error->message, NULL, NULL);
        return NULL;
    }
    bool labelled = player->play_case->connections > 1 || !g_str_equal(name, "A");
    Connection *connection =
        play_connection_new(name, transport, player->transcript, labelled, player->mode->agreed);
    connection->keeps_chunks = player->play_case->chunks;
    if (player->play_case->content)
        connection->gatherer = gatherer_new();
    g_ptr_array_add(player->connections, connection);
    return connection;
}

Connection *player_connect(Player *player, const char *name)
{
    g_autoptr(GError) error = NULL;
    Transport *transport =
        transport_connect(player->mode->address, player->mode->timeout_ms, &error);

    return add_connection(player, name, transport, error);
}

Connection *player_connect_patiently(Player *player, const char *name)
{
    g_autoptr(GError) error = NULL;
    Transport *transport = play_reach(player->mode, player->target, &error);

    return add_connection(player, name, transport, error);
}
