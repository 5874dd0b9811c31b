/* A message in two pieces, the second of which follows when the peer has taken the first: whoever counts on
 * getting a message whole gets it otherwise. */
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "play/player.h"

/* So long we wait for the peer to take a piece: longer would prove no more. */
#define TAKEN_US (20 * 1000)
#define LOOK_US 100

/* What is read over TCP is not told to the sender, and what has arrived is acknowledged late: there, time has to
 * do. */
#define TCP_US 1000

/* True while bytes of ours stand in the peer's queue. */
static bool stands_in_queue(const Connection *connection)
{
    int left = 0;

    return ioctl(transport_fd(connection->transport), SIOCOUTQ, &left) == 0 && left > 0;
}

static void let_take(const Player *player, const Connection *connection)
{
    gint64 until_us = g_get_monotonic_time() + TAKEN_US;

    if (transport_address_is_tcp(player->mode->address)) {
        g_usleep(TCP_US);
        return;
    }
    while (stands_in_queue(connection) && g_get_monotonic_time() < until_us)
        g_usleep(LOOK_US);
}

void player_send_split(Player *player, Connection *connection, const GByteArray *message, size_t at)
{
    at = MIN(at, message->len);
    player_send(player, connection, message->data, at);
    if (player->over || at == message->len)
        return;
    player_flush(player, connection);
    if (player->over)
        return;
    let_take(player, connection);
    player_send(player, connection, message->data + at, message->len - at);
}
