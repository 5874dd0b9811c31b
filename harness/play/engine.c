/* What needs repetition and measuring is no line of a notation but an engine with a name. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "play/player.h"

/* ---- nodelay ---------------------------------------------------------------------------------- */

/* A delayed acknowledgement takes 40 ms. An answer of which the rest stays away so long, time after time,
 * waits for one: Nagle's algorithm is on. A busy machine can delay one answer so, but not all. */
#define STALL_US (30 * 1000)

/* Our side must not acknowledge early, as it does while a connection is young. */
static void delay_acknowledgements(Connection *connection)
{
    int off = 0;

    (void)setsockopt(transport_fd(connection->transport), IPPROTO_TCP, TCP_QUICKACK, &off,
                     sizeof off);
}

/* One handshake. True if the greeting or the answer to NBD_OPT_GO stalled midway. */
static bool handshake_stalls(Player *player, const Statement *line)
{
    player->setup++;
    Connection *connection = player_connect(player, "A");
    player->setup--;
    if (connection == NULL)
        return false;
    delay_acknowledgements(connection);
    if (!player_negotiate(player, connection))
        return false;
    delay_acknowledgements(connection);
    g_autoptr(GBytes) name = player_export(player, line);
    bool stalled = player_enter(player, connection, name) && connection->widest_gap_us >= STALL_US;
    player_leave(connection);
    return stalled;
}

static void play_nodelay(Player *player, const Statement *line)
{
    uint64_t tries = player_integer(player, line, "tries", NULL, 8), stalls = 0;

    for (uint64_t i = 0; i < tries && !player->over; i++)
        stalls += handshake_stalls(player, line);
    if (player->over || line->citations->len == 0 || 2 * stalls <= tries)
        return;
    const Citation *citation = line->citations->pdata[0];
    player_breach(
        player, scenario_cited(player->play_case->scenario, citation), line,
        "the greeting or the answer to NBD_OPT_GO comes in parts, the later only after our delayed "
        "acknowledgement of the first: Nagle's algorithm is on",
        NULL, NULL);
}

static const Position none[] = {{0}};
static const Field nodelay_fields[] = {
    {"tries", FIELD_INTEGER, NULL}, {"export", FIELD_BYTES, NULL}, {0}};

static const Verb verbs[] = {
    {.name = "nodelay",
     .actor = ACTOR_NONE,
     .positions = none,
     .fields = nodelay_fields,
     .connects = true,
     .play = play_nodelay,
     .usage = "nodelay [tries=N] [export=S]",
     .manual =
         "Goes through the handshake N times (8), delaying acknowledgements; the line fails if mostly a "
         "part of the greeting or of the answer to GO waits for one, as where Nagle's algorithm is on."},
};
VERB_TABLE(play_engine_verbs, verbs);
