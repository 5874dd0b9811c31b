/* A user's data is sacred: without leave nothing goes out that could change the export, whatever a case says
 * of itself. The broken server that it looks for could destroy data.
 */
#include "play/player.h"

/* The bytes of a request up to its type, be its header compact or extended. */
#define REQUEST_HEAD 8u

/* True if a request that could write begins anywhere in what was sent last and what is to be sent: also
 * where it hides behind an option, or comes in pieces. */
static bool holds_write(const Connection *connection, const uint8_t *bytes, size_t size)
{
    g_autoptr(GByteArray) all = g_byte_array_new();

    g_byte_array_append(all, connection->tail, (guint)connection->tail_size);
    g_byte_array_append(all, bytes, (guint)size);
    for (size_t at = 0; at + REQUEST_HEAD <= all->len; at++) {
        uint64_t magic = wire_get(all->data + at, 4);
        if ((magic == NBD_REQUEST_MAGIC || magic == NBD_EXTENDED_REQUEST_MAGIC) &&
            session_command_writes(wire_get(all->data + at + 6, 2)))
            return true;
    }
    return false;
}

/* Whether the server may take the next bytes for a request: in transmission, or on its way there. */
static bool requests_due(const Connection *connection, const uint8_t *bytes, size_t size)
{
    switch (session_phase(connection->session)) {
    case PHASE_EXPORT:
    case PHASE_TRANSMISSION:
    case PHASE_DISCONNECTING:
        return true;
    case PHASE_REPLYING:
        return session_pending(connection->session, SIDE_CLIENT) == 0 &&
               (size < 8 || wire_get(bytes, 8) != NBD_IHAVEOPT);
    default:
        return false;
    }
}

/* A user's data is sacred: this looks at the bytes themselves, whatever the case's header says. */
static bool forbidden(const Player *player, const Connection *connection, const uint8_t *bytes,
                      size_t size)
{
    if (player->mode->allow_writes)
        return false;
    if (holds_write(connection, bytes, size))
        return true;
    if (!requests_due(connection, bytes, size))
        return false;
    /* Here only whole requests that are known to be harmless get through. */
    bool extended = session_facts(connection->session)->extended;
    uint32_t magic = extended ? NBD_EXTENDED_REQUEST_MAGIC : NBD_REQUEST_MAGIC;
    const WireLayout *layout = wire_layout(extended ? WIRE_EXTENDED_REQUEST : WIRE_REQUEST);
    return session_pending(connection->session, SIDE_CLIENT) > 0 || size != layout->size ||
           wire_get(bytes, 4) != magic;
}

void player_send(Player *player, Connection *connection, const void *bytes, size_t size)
{
    if (connection->shaking) {
        player_error(player, "line %u: TLS's handshake is not over yet", player->line->place.line);
        return;
    }
    if (forbidden(player, connection, bytes, size)) {
        player_skip(player, "sends what could change the export; needs --allow-writes");
        return;
    }
    play_connection_send(connection, bytes, size, player->mode->segment);
    player_collect(player);
}
