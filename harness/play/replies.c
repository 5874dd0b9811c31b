/* Which replies, and which headers, a conversation has: asking for them in the handshake. */
#include "play/player.h"

static bool ask(Player *player, Connection *connection, uint32_t option)
{
    g_autoptr(GByteArray) nothing = g_byte_array_new();

    if (session_facts(connection->session)->style != STYLE_FIXED_NEWSTYLE)
        return false;
    player->setup++;
    player_option(player, connection, option, nothing);
    g_autoptr(SessionMessage) reply = player_await_reply(player, connection);
    player->setup--;
    return reply != NULL && reply->value[REPLY_TYPE] == NBD_REP_ACK && !player->over;
}

bool player_extended(Player *player, Connection *connection)
{
    return ask(player, connection, NBD_OPT_EXTENDED_HEADERS);
}

bool player_structured(Player *player, Connection *connection)
{
    bool extended =
        player->mode->replies == REPLIES_EXTENDED && player_extended(player, connection);

    return extended || (!player->over && ask(player, connection, NBD_OPT_STRUCTURED_REPLY));
}

bool player_agree_on_replies(Player *player, Connection *connection)
{
    /* A server that refuses them is served by simple ones. */
    if (player->mode->replies != REPLIES_SIMPLE)
        (void)player_structured(player, connection);
    return !player->over;
}

bool player_excused_by_headers(Player *player, const Connection *connection, const Event *event)
{
    const SessionMessage *reply = event->message;

    if (event->kind != EVENT_OTHER || reply->kind != WIRE_OPTION_REPLY ||
        reply->value[REPLY_TYPE] != NBD_REP_ERR_EXT_HEADER_REQD ||
        (reply->value[REPLY_OPTION] != NBD_OPT_INFO && reply->value[REPLY_OPTION] != NBD_OPT_GO) ||
        session_facts(connection->session)->extended)
        return false;
    player_skip(player, "the server insists on extended headers");
    return true;
}

/* ---- The verbs -------------------------------------------------------------------------------- */

static void play_structured(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);

    if (connection != NULL && !player_structured(player, connection))
        player_skip(player, "the server has no structured replies");
}

static void play_extended(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);

    if (connection != NULL && !player_extended(player, connection))
        player_skip(player, "the server has no extended headers");
}

static const Position none[] = {{0}};
static const Field no_fields[] = {{0}};

static const Verb verbs[] = {
    {.name = "structured",
     .actor = ACTOR_ABSTRACT,
     .positions = none,
     .fields = no_fields,
     .play = play_structured,
     .usage = ": structured",
     .manual =
         "STRUCTURED_REPLY, behind `negotiate`; in runs with extended replies EXTENDED_HEADERS, where the "
         "server has them. The case is skipped if the server refuses."},
    {.name = "extended",
     .actor = ACTOR_ABSTRACT,
     .positions = none,
     .fields = no_fields,
     .play = play_extended,
     .usage = ": extended",
     .manual =
         "EXTENDED_HEADERS, behind `negotiate`. The case is skipped if the server refuses it."},
};
VERB_TABLE(play_replies_verbs, verbs);
