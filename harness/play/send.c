/* Bytes that need be no message, `C: hex` and `C: bytes`; and what becomes of the stream: `C: close` and the other
 * ends, `C: hold` and `C: resume`. */
#include "play/player.h"

/* ---- Raw bytes -------------------------------------------------------------------------------- */

static void play_hex(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);
    g_autoptr(Value) text = player_value(player, line_position(line, 0), NULL);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    int high = -1;

    if (connection == NULL || text == NULL)
        return;
    gsize size = 0;
    const char *digits = text->kind == VALUE_BYTES ? g_bytes_get_data(text->bytes, &size) : "";
    for (gsize i = 0; i < size; i++) {
        int digit = g_ascii_xdigit_value(digits[i]);
        if (digit < 0)
            continue;
        if (high >= 0) {
            uint8_t byte = (uint8_t)(high << 4 | digit);
            g_byte_array_append(bytes, &byte, 1);
            high = -1;
        } else {
            high = digit;
        }
    }
    player_send(player, connection, bytes->data, bytes->len);
}

static void play_bytes(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);
    g_autoptr(Value) value = player_value(player, line_position(line, 0), NULL);

    if (connection == NULL || value == NULL)
        return;
    if (value->kind != VALUE_BYTES) {
        player_error(player, "line %u: bytes takes a string", line->place.line);
        return;
    }
    gsize size;
    const void *bytes = g_bytes_get_data(value->bytes, &size);
    player_send(player, connection, bytes, size);
}

/* ---- Ends ------------------------------------------------------------------------------------- */

static void end(Player *player, const Statement *line, ConnectionEnd how)
{
    Connection *connection = player_connection(player, line);

    if (connection != NULL)
        play_connection_end(connection, how);
}

static void play_close(Player *player, const Statement *line)
{
    end(player, line, END_CLOSE);
}

static void play_reset(Player *player, const Statement *line)
{
    end(player, line, END_RESET);
}

static void play_shutdown(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);

    if (connection == NULL)
        return;
    play_connection_end(connection, END_SHUTDOWN);
    player_flush(player, connection);
}

/* `reading`, or `sending`. */
static bool *held(Connection *connection, const Statement *line)
{
    return g_str_equal(line_position(line, 0)->text, "reading") ? &connection->holding
                                                                : &connection->corked;
}

static void play_hold(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);

    if (connection != NULL)
        *held(connection, line) = true;
}

static void play_resume(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);

    if (connection == NULL)
        return;
    *held(connection, line) = false;
    play_connection_move(connection);
}

/* ---- The table -------------------------------------------------------------------------------- */

static const char *const directions[] = {"reading", "sending", NULL};
static const Position no_positions[] = {{0}};
static const char *const any_words[] = {"", NULL};
static const Position bytes_positions[] = {{.words = any_words}, {0}};
static const Position hold_positions[] = {{.words = directions}, {0}};
static const Field no_fields[] = {{0}};

static const Verb verbs[] = {
    {.name = "hex",
     .actor = ACTOR_CLIENT,
     .positions = bytes_positions,
     .fields = no_fields,
     .play = play_hex,
     .usage = "C: hex \"49484156 454f5054\"",
     .manual = "Sends bytes written in hexadecimal."},
    {.name = "bytes",
     .actor = ACTOR_CLIENT,
     .positions = bytes_positions,
     .fields = no_fields,
     .play = play_bytes,
     .usage = "C: bytes S",
     .manual = "Sends the bytes of a string expression."},
    {.name = "close",
     .actor = ACTOR_CLIENT,
     .positions = no_positions,
     .fields = no_fields,
     .play = play_close,
     .usage = "C: close",
     .manual = "Closes the connection."},
    {.name = "reset",
     .actor = ACTOR_CLIENT,
     .positions = no_positions,
     .fields = no_fields,
     .play = play_reset,
     .usage = "C: reset",
     .manual = "Ends the connection by a TCP reset."},
    {.name = "shutdown",
     .actor = ACTOR_CLIENT,
     .positions = no_positions,
     .fields = no_fields,
     .play = play_shutdown,
     .usage = "C: shutdown",
     .manual =
         "Ends our side of the stream, behind all that was sent; what the server still sends is read."},
    {.name = "hold",
     .actor = ACTOR_CLIENT,
     .positions = hold_positions,
     .fields = no_fields,
     .play = play_hold,
     .usage = "C: hold (reading | sending)",
     .manual =
         "Stops reading from this connection, or keeps back what is sent, until `C: resume reading` or "
         "`C: resume sending`: what was kept back then goes out in one piece."},
    {.name = "resume",
     .actor = ACTOR_CLIENT,
     .positions = hold_positions,
     .fields = no_fields,
     .play = play_resume,
     .usage = "C: resume (reading | sending)",
     .manual = "Reads again, or sends what was kept back."},
};
VERB_TABLE(play_send_verbs, verbs);
