/* Gives the export its size back, however a case that resizes it has ended: others will use it. It is no part of
 * the case: on a connection of its own, and not judged. */
#include <string.h>

#include "play/player.h"

static Match match_whole(Player *player, Connection *connection, gpointer data,
                         const SessionMessage *message, guint *index)
{
    (void)player;
    *index = 0;
    (void)data;
    if (message == NULL)
        return MATCH_YES;
    return answer_is_whole(message) && answer_cookie(message) == connection->last_cookie
               ? MATCH_YES
               : MATCH_PASS_OVER;
}

/* Whether that succeeds is no line of the case. */
static void resize_back(Player *player, Connection *connection)
{
    RequestSpec spec = player_request_spec(connection, NBD_CMD_RESIZE);

    spec.offset = player->target->facts.size;
    player_request(player, connection, &spec);
    if (player->over)
        return;
    Event event = player_await(player, connection, match_whole, NULL);
    session_message_free(event.message);
}

static void restore(Player *player)
{
    g_autoptr(GBytes) name =
        g_bytes_new(player->mode->export_name, strlen(player->mode->export_name));
    Connection *connection = player_connect_patiently(player, "again");

    if (connection == NULL || !player_negotiate(player, connection) ||
        !player_enter(player, connection, name))
        return;
    const SessionFacts *facts = session_facts(connection->session);
    if (facts->size != player->target->facts.size &&
        (facts->transmission_flags & NBD_FLAG_SEND_RESIZE) != 0)
        resize_back(player, connection);
}

void player_restore_size(const PlayCase *play_case, const PlayMode *mode, const PlayTarget *target)
{
    Player *player = player_new(play_case, mode, target, 0);

    player->setup++;
    restore(player);
    play_result_free(player_finish(player));
}
