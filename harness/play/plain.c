/* What a line would blame the server for could be its storage's doing, which fails: no sentence promises that a
 * request succeeds. That tells the plain request: the same command in the same place, without flags and aligned,
 * by a client of its own that has asked for nothing else.
 */
#include "play/answer.h"
#include "play/player.h"

/* So many requests, of so much each, look at what a longer one was about. */
#define PIECES 16u
#define MOST_PIECES 64u
#define LONGEST_PIECE ((uint64_t)1 << 20)

/* What the server has to set for a plain request to be in order; 0: nothing. False: there is no such request. */
static bool plain_command(uint64_t command, uint16_t *flag)
{
    switch (command) {
    case NBD_CMD_READ:
    case NBD_CMD_WRITE:
        *flag = 0;
        return true;
    case NBD_CMD_FLUSH:
        *flag = NBD_FLAG_SEND_FLUSH;
        return true;
    case NBD_CMD_TRIM:
        *flag = NBD_FLAG_SEND_TRIM;
        return true;
    case NBD_CMD_CACHE:
        *flag = NBD_FLAG_SEND_CACHE;
        return true;
    case NBD_CMD_WRITE_ZEROES:
        *flag = NBD_FLAG_SEND_WRITE_ZEROES;
        return true;
    default:
        return false;
    }
}

static bool in_order(const SessionFacts *facts, uint64_t command)
{
    bool read_only = (facts->transmission_flags & NBD_FLAG_READ_ONLY) != 0;
    uint16_t flag;

    return plain_command(command, &flag) && (facts->transmission_flags & flag) == flag &&
           !(read_only && session_command_writes(command));
}

static uint64_t plain_error(Player *player, Connection *connection, uint64_t command,
                            uint64_t offset, uint64_t length)
{
    RequestSpec spec = player_request_spec(connection, command);
    g_autoptr(GBytes) zeroes = NULL;

    spec.offset = offset;
    spec.length = length;
    if (command == NBD_CMD_WRITE)
        zeroes = g_bytes_new_take(g_malloc0(length), length);
    spec.data = zeroes;
    return player_request_error(player, connection, &spec);
}

/* True if some piece of what REQUEST was about is answered with ERROR. Only the blocks that it touched are asked
 * for: what lies behind them may be another case's. */
static bool a_piece_fails(Player *player, Connection *connection, const SessionRequest *request,
                          uint64_t error)
{
    SessionFacts facts = player_facts(player, connection);
    uint64_t block = MAX(facts.minimum, 512);
    uint64_t size = facts.size - facts.size % block;
    uint64_t at = request->offset - request->offset % block;

    if (request->command == NBD_CMD_FLUSH)
        return plain_error(player, connection, request->command, 0, 0) == error;
    if (at >= size)
        return false;
    uint64_t left = MIN(request->offset % block + MAX(request->length, 1), size - at);
    uint64_t stop = at + (left + block - 1) / block * block;
    uint64_t piece = MIN((stop - at) / PIECES, MIN(LONGEST_PIECE, facts.maximum));
    piece = MAX(piece - piece % block, block);
    for (unsigned i = 0; i < MOST_PIECES && at < stop; i++, at += piece)
        if (plain_error(player, connection, request->command, at, MIN(piece, stop - at)) == error)
            return true;
    return false;
}

/* A server that bears no more connections is left on those of the case, which is over. */
static void make_room(Player *player)
{
    const PlayTarget *target = player->target;

    if (target == NULL || !target->limited || target->connections > player->connections->len)
        return;
    for (guint i = 0; i < player->connections->len; i++)
        player_leave(player->connections->pdata[i]);
}

static bool ask_plainly(Player *player, const SessionRequest *request, uint64_t error)
{
    Connection *connection = player_come_in(player, "plain");

    return connection != NULL && in_order(session_facts(connection->session), request->command) &&
           a_piece_fails(player, connection, request, error);
}

bool player_plainly_fails(Player *player, const SessionMessage *reply)
{
    const SessionRequest *request = &reply->request;
    uint64_t error;
    uint16_t flag;

    if (player->target == NULL || !answer_is_part(reply) || !reply->answers ||
        !plain_command(request->command, &flag))
        return false;
    error = answer_error(reply);
    if (!player_blames_storage(request->command, error))
        return false;
    make_room(player);
    Player *other = player_new(player->play_case, player->mode, player->target, player->region);
    other->setup++;
    other->line = player->line;
    bool fails = ask_plainly(other, request, error);
    PlayResult *asked = player_finish(other);
    g_string_append_printf(player->transcript, "# plain requests of another client:\n%s",
                           asked->transcript);
    play_result_free(asked);
    if (fails)
        player_skip_for_storage(player, request->command, error);
    return fails;
}
