/* Whether a server turns clients away that come one after another: an engine, for how many have to come until
 * one is turned away, the server knows.
 *
 * Who bears few clients at once turns away those beyond, and may be slow to notice that others have gone. He does
 * not turn away each Nth, at whatever pace they come.
 */
#include "play/player.h"

/* So many come at most until one is turned away. Who is turned away later, is so in other cases. */
#define MOST_APART (PLAY_MOST_CONNECTIONS + 1)

/* At each of these paces one in so many has to be turned away. The first finds out where in their row we are, and
 * the second how many that is. */
static const gulong pauses_us[] = {0, 0, 50 * 1000, 200 * 1000};

typedef enum { SERVED, TURNED_AWAY, UNCLEAR } Reception;

/* One client, with no patience, comes into the transmission phase and leaves. */
static Reception come_and_go(const Player *player, GBytes *name)
{
    Player *alone = player_new(player->play_case, player->mode, NULL, 0);
    Connection *connection = player_connect(alone, "A");
    bool served = connection != NULL && player_negotiate(alone, connection) &&
                  player_enter(alone, connection, name);
    bool turned_away = !served && (connection == NULL || connection->closed);

    if (served)
        player_leave(connection);
    play_result_free(player_finish(alone));
    return served ? SERVED : turned_away ? TURNED_AWAY : UNCLEAR;
}

/* How many come, up to the first that is turned away and with it; 0 if all are served, or it can't be told. */
static unsigned come(const Player *player, GBytes *name, gulong pause_us)
{
    for (unsigned i = 1; i <= MOST_APART && !play_stopped(player->mode->stop); i++) {
        Reception reception = come_and_go(player, name);
        if (reception != SERVED)
            return reception == TURNED_AWAY ? i : 0;
        if (pause_us > 0)
            g_usleep(pause_us);
    }
    return 0;
}

static void play_alone(Player *player, const Statement *line)
{
    g_autoptr(GBytes) name = player_export(player, line);
    unsigned apart = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(pauses_us) && !player->over; i++) {
        unsigned now = come(player, name, pauses_us[i]);
        if (now == 0 || (i > 0 && now < 2) || (i > 1 && now != apart))
            return;
        apart = now;
    }
    if (player->over || line->citations->len == 0)
        return;
    g_autofree char *message = g_strdup_printf(
        "one client in %u is turned away, at whatever pace they come one after another", apart);
    player->result->doubtful = true;
    player_breach(player, scenario_cited(player->play_case->scenario, line->citations->pdata[0]),
                  line, message, NULL, NULL);
}

static const Position none[] = {{0}};
static const Field alone_fields[] = {{"export", FIELD_BYTES, NULL}, {0}};

static const Verb verbs[] = {
    {.name = "alone",
     .actor = ACTOR_NONE,
     .positions = none,
     .fields = alone_fields,
     .connects = true,
     .play = play_alone,
     .usage = "alone [export=S]",
     .manual =
         "Clients come one after another, each into the transmission phase and out again; the line fails "
         "if one in N (2 to 9) is turned away, also when they come slowly."},
};
VERB_TABLE(play_alone_verbs, verbs);
