/* Gives the export its size back, however a case that resizes it has ended: others will use it. It is no part of
 * the case: on a connection of its own, and not judged. */
#include "play/player.h"

/* Whether it succeeds is no line of the case. */
static void restore(Player *player)
{
    Connection *connection = player_come_in(player, "again");

    if (connection == NULL)
        return;
    const SessionFacts *facts = session_facts(connection->session);
    if (facts->size == player->target->facts.size ||
        (facts->transmission_flags & NBD_FLAG_SEND_RESIZE) == 0)
        return;
    RequestSpec spec = player_request_spec(connection, NBD_CMD_RESIZE);
    spec.offset = player->target->facts.size;
    (void)player_request_error(player, connection, &spec);
}

void player_restore_size(const PlayCase *play_case, const PlayMode *mode, const PlayTarget *target)
{
    Player *player = player_new(play_case, mode, target, 0);

    player->setup++;
    restore(player);
    play_result_free(player_finish(player));
}
