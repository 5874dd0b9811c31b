/* Storage that fails. A full disk, a quota, or a disk that is broken is no fault of the server's, which says so by
 * EPERM, EIO or ENOSPC: a case that needs more than that is not for this target. A server that fails only now and
 * then is another matter, so it is asked for the same again.
 */
#include "play/player.h"

/* So often more. Where a tenth of the writes gets through, some hundred cases that need one don't all meet nothing
 * but failures. */
#define ASKED_AGAIN 8u

/* Of a longer write, nothing is asked again. */
#define LONGEST_WRITE NBD_DEFAULT_MAX_PAYLOAD

/* EIO any request may end in. The other two belong to what changes the storage, and to FLUSH, which only commits
 * what was written: fsync() reports a full disk, a quota (EDQUOT, which a server SHOULD map to ENOSPC) or a
 * file system that turned read-only (EROFS, which servers map to EPERM) as write() does, and no sentence
 * keeps these errors from it. */
bool player_blames_storage(uint64_t command, uint64_t error)
{
    switch (command) {
    case NBD_CMD_WRITE:
    case NBD_CMD_WRITE_ZEROES:
    case NBD_CMD_TRIM:
    case NBD_CMD_FLUSH:
        return error == NBD_EIO || error == NBD_ENOSPC || error == NBD_EPERM;
    case NBD_CMD_READ:
    case NBD_CMD_CACHE:
    case NBD_CMD_BLOCK_STATUS:
        return error == NBD_EIO;
    default:
        return false;
    }
}

static bool can_ask(const Connection *connection)
{
    const Session *session = connection->session;

    return session_phase(session) == PHASE_TRANSMISSION && !connection->closed &&
           !connection->ended && !connection->shut && !connection->shutting &&
           !play_connection_owes(connection) && session_pending(session, SIDE_CLIENT) == 0 &&
           !session_tainted(session, SIDE_CLIENT) &&
           !session_desynchronised(session, SIDE_CLIENT) &&
           !session_desynchronised(session, SIDE_SERVER);
}

/* Whether REQUEST, which CONNECTION has sent, is such as every connection may send. */
static bool is_ordinary(const Connection *connection, const SessionRequest *request)
{
    uint64_t size = session_facts(connection->session)->size;

    return request->command != NBD_CMD_BLOCK_STATUS &&
           (request->flags & ~(uint64_t)(NBD_CMD_FLAG_FUA | NBD_CMD_FLAG_PAYLOAD_LEN)) == 0 &&
           request->offset <= size && request->length <= size - request->offset;
}

/* What we have broken ourselves on CONNECTION could be the reason for the error. Then another one has to tell: where
 * the case has left, since there are servers for one client at a time. NULL if there is none. */
static Connection *connection_to_ask(Player *player, Connection *connection,
                                     const SessionRequest *request)
{
    if (can_ask(connection))
        return connection;
    if (!is_ordinary(connection, request))
        return NULL;
    for (guint i = 0; i < player->connections->len; i++)
        player_leave(player->connections->pdata[i]);
    Connection *again = player_come_in(player, "again");
    return again != NULL && can_ask(again) ? again : NULL;
}

/* A request that is the same again when it is made of what the session knows of it. */
static bool is_plain(const SessionRequest *request)
{
    if (request->command == NBD_CMD_WRITE)
        return request->length <= LONGEST_WRITE;
    return (request->flags & NBD_CMD_FLAG_PAYLOAD_LEN) == 0;
}

/* The error that REQUEST gets now. */
static uint64_t ask(Player *player, Connection *connection, const SessionRequest *request)
{
    RequestSpec spec = player_request_spec(connection, request->command);
    g_autoptr(GBytes) data = NULL;

    spec.flags = request->flags;
    spec.offset = request->offset;
    spec.length = request->length;
    if (request->command == NBD_CMD_WRITE) {
        uint8_t *bytes = g_malloc(request->length);
        player_pattern(player, 0, request->offset, bytes, request->length);
        data = g_bytes_new_take(bytes, request->length);
        spec.data = data;
    }
    return player_request_error(player, connection, &spec);
}

void player_skip_for_storage(Player *player, uint64_t command, uint64_t error)
{
    g_autofree char *name = wire_format(&wire_commands, command);
    g_autofree char *code = wire_format(&wire_errors, error);
    g_autofree char *reason = g_strdup_printf("%s fails on this target (%s)", name, code);
    Finding *hint = g_new0(Finding, 1);

    hint->requirement = requirement_find(REQ("error.storage-hint"));
    hint->by = SIDE_SERVER;
    hint->message = g_strdup(reason);
    g_ptr_array_add(player->result->setup, hint);
    player_skip(player, "%s", reason);
}

/* Whether the server answers REQUEST by ERROR each time. */
static bool fails_always(Player *player, Connection *connection, const SessionRequest *request,
                         uint64_t error)
{
    for (unsigned i = 0; i < ASKED_AGAIN; i++)
        if (!can_ask(connection) || ask(player, connection, request) != error)
            return false;
    return true;
}

bool player_excused_by_storage(Player *player, Connection *connection,
                               const SessionMessage *message)
{
    if (!message->answers || !answer_is_whole(message))
        return false;
    const SessionRequest request = message->request;
    uint64_t error = answer_error(message);
    if (!player_blames_storage(request.command, error) || !is_plain(&request))
        return false;
    Connection *asked = connection_to_ask(player, connection, &request);
    if (asked == NULL || !fails_always(player, asked, &request, error))
        return player->over;
    player_skip_for_storage(player, request.command, error);
    return true;
}
