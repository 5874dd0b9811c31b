/* Verbs that act on the server's process, where that is ours: signals, and how the process takes them. */
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "play/player.h"

/* Nothing tells us of a process's state: we look, less and less often. */
#define FIRST_LOOK_US 500
#define LAST_LOOK_US (20 * 1000)

static const WireName signal_list[] = {{SIGHUP, "SIGHUP"},   {SIGINT, "SIGINT"},
                                       {SIGTERM, "SIGTERM"}, {SIGSTOP, "SIGSTOP"},
                                       {SIGCONT, "SIGCONT"}, {SIGUSR1, "SIGUSR1"}};
static const WireNames signals = {
    .title = "signal", .names = signal_list, .count = G_N_ELEMENTS(signal_list)};

static gint64 patience_us(const Player *player)
{
    return (gint64)player->mode->timeout_ms * 1000;
}

/* ---- Looking ---------------------------------------------------------------------------------- */

static bool running(const Player *player)
{
    return watch_state(player->mode->server, NULL) == WATCH_RUNS;
}

/* True if the process has ended within the time that an answer may take. */
static bool ends(Player *player)
{
    gint64 until_us = g_get_monotonic_time() + patience_us(player);
    gulong pause_us = FIRST_LOOK_US;

    while (running(player)) {
        if (g_get_monotonic_time() >= until_us || play_stopped(player->mode->stop))
            return false;
        g_usleep(pause_us);
        pause_us = MIN(pause_us * 2, LAST_LOOK_US);
    }
    return true;
}

static bool has_server(Player *player)
{
    if (player->mode->server != NULL)
        return true;
    player_skip(player, "needs a server that is started by --spawn");
    return false;
}

static const Requirement *requirement_of(const Statement *line)
{
    if (line->citations->len == 0)
        return requirement_find(REQ("robust.process-alive"));
    const Citation *citation = line->citations->pdata[0];
    return requirement_find(citation->id);
}

static void breach(Player *player, const Statement *line, const Requirement *requirement)
{
    g_autofree char *how = watch_describe(player->mode->server);
    g_autofree char *message = g_strdup_printf("the server %s", how);

    player_breach(player, requirement, line, message, NULL, NULL);
}

/* A crash is one, whatever the line is about. True if there was one. */
static bool crashed(Player *player, const Statement *line)
{
    int number;

    if (watch_state(player->mode->server, &number) != WATCH_KILLED || number == player->last_signal)
        return false;
    breach(player, line, requirement_find(REQ("robust.process-alive")));
    return true;
}

bool player_sees_end(Player *player)
{
    if (player->mode->server == NULL)
        return false;
    for (guint i = 0; i < player->connections->len; i++)
        player_leave(player->connections->pdata[i]);
    if (!ends(player))
        return false;
    if (!crashed(player, player->line))
        player_skip(player, "the server ends on this signal, as it may");
    return true;
}

/* ---- Verbs ------------------------------------------------------------------------------------ */

static void play_signal(Player *player, const Statement *line)
{
    g_autoptr(GError) error = NULL;

    uint64_t number;

    if (!has_server(player) || !player_number(player, line_position(line, 0), &signals, &number))
        return;
    player->last_signal = (int)number;
    /* Whatever comes of it, the next case gets a server of its own. */
    player->result->spent = true;
    if (!watch_signal(player->mode->server, player->last_signal, &error) && !crashed(player, line))
        player_skip(player, "the server has ended before: %s", error->message);
    g_string_append_printf(player->transcript, "signal %s\n", wire_name(&signals, number));
}

static void play_runs(Player *player, const Statement *line)
{
    const Expr *otherwise = line_position(line, 0);
    WatchSample sample;

    if (!has_server(player))
        return;
    /* Once it is at rest, it has made up its mind. */
    watch_settle(player->mode->server, NULL, player->mode->timeout_ms, &sample);
    if (running(player) || crashed(player, line))
        return;
    if (otherwise != NULL)
        player_skip(player, "the server ends on this signal, as it may");
    else
        breach(player, line, requirement_of(line));
}

static void play_exits(Player *player, const Statement *line)
{
    if (!has_server(player))
        return;
    if (!ends(player)) {
        player->result->doubtful = true;
        breach(player, line, requirement_of(line));
    } else {
        (void)crashed(player, line);
    }
}

/* With `hold reading`: that something has come shows without its being read. */
static void play_await_input(Player *player, const Statement *line)
{
    const Connection *connection = player_connection(player, line);
    gint64 until_us = g_get_monotonic_time() + patience_us(player);

    while (connection != NULL && !player->over && !play_stopped(player->mode->stop)) {
        struct pollfd wait = {.fd = transport_fd(connection->transport), .events = POLLIN};
        gint64 left_us = until_us - g_get_monotonic_time();
        if (poll(&wait, 1, (int)CLAMP(left_us / 1000 + 1, 0, 200)) > 0)
            return;
        if (left_us <= 0)
            player_block(player, REQ("transmission.reply.every-request"),
                         "line %u: nothing has come", line->place.line);
    }
}

/* ---- The table -------------------------------------------------------------------------------- */

static const char *const otherwise_words[] = {"or-skip", NULL};
static const Position none[] = {{0}};
static const Position signal_positions[] = {{.names = &signals}, {0}};
static const Position runs_positions[] = {{.words = otherwise_words, .optional = true}, {0}};
static const Field no_fields[] = {{0}};

static const Verb verbs[] = {
    {.name = "signal",
     .actor = ACTOR_NONE,
     .process = true,
     .positions = signal_positions,
     .fields = no_fields,
     .play = play_signal,
     .usage = "signal (SIGHUP | SIGINT | SIGTERM | SIGSTOP | SIGCONT | SIGUSR1)",
     .manual =
         "Sends the signal to the server's process. The case has to say `uses process`: it runs "
         "alone, against a server that `--spawn` started, and the next case gets a new one."},
    {.name = "runs",
     .actor = ACTOR_NONE,
     .process = true,
     .positions = runs_positions,
     .fields = no_fields,
     .play = play_runs,
     .usage = "runs [or-skip]",
     .manual =
         "The server's process is at rest and still there. With `or-skip` it may have ended, other "
         "than by a crash: then the case is skipped."},
    {.name = "exits",
     .actor = ACTOR_NONE,
     .process = true,
     .positions = none,
     .fields = no_fields,
     .play = play_exits,
     .usage = "exits",
     .manual = "The server's process ends, and not by a crash."},
    {.name = "await-input",
     .actor = ACTOR_CLIENT,
     .positions = none,
     .fields = no_fields,
     .play = play_await_input,
     .usage = "C: await-input",
     .manual = "Behind `C: hold reading`: waits until something has come, and leaves it unread."},
};
VERB_TABLE(play_process_verbs, verbs);
