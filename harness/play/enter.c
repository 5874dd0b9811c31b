/* The way into the transmission phase, as a correct client goes it, in the run's mode: step by step. */
#include <string.h>

#include "play/player.h"

/* ---- Waiting for a step ----------------------------------------------------------------------- */

Match player_match_final(Player *player, Connection *connection, gpointer data,
                         const SessionMessage *message, guint *index)
{
    (void)player;
    (void)connection;
    (void)data;
    *index = 0;
    if (message == NULL || message->kind != WIRE_OPTION_REPLY)
        return MATCH_NO;
    return session_message_is_final(message) ? MATCH_YES : MATCH_PASS_OVER;
}

/* A wanted kind of message; of option replies the final one. */
static Match match_step(Player *player, Connection *connection, gpointer data,
                        const SessionMessage *message, guint *index)
{
    WireKind kind = *(const WireKind *)data;

    if (kind == WIRE_OPTION_REPLY)
        return player_match_final(player, connection, data, message, index);
    *index = 0;
    return match_if(message != NULL && message->kind == kind);
}

static SessionMessage *await_step(Player *player, Connection *connection, WireKind kind)
{
    return player_await_message(player, connection, NULL, match_step, &kind);
}

SessionMessage *player_await_reply(Player *player, Connection *connection)
{
    return await_step(player, connection, WIRE_OPTION_REPLY);
}

/* ---- Greeting and client flags ---------------------------------------------------------------- */

static bool negotiate(Player *player, Connection *connection)
{
    g_autoptr(SessionMessage) greeting = await_step(player, connection, WIRE_GREETING);
    const SessionFacts *facts = session_facts(connection->session);
    uint64_t value[WIRE_MAX_FIELDS] = {0};
    uint8_t bytes[4];

    if (greeting == NULL)
        return false;
    if (facts->style == STYLE_UNKNOWN) {
        player_block(player, REQ("handshake.newstyle.greeting"), "the greeting is not understood");
        return false;
    }
    if (facts->style == STYLE_OLDSTYLE)
        return player_secure(player, connection);
    if (facts->handshake_flags & NBD_FLAG_FIXED_NEWSTYLE)
        value[CLIENT_FLAGS_FLAGS] |= NBD_FLAG_C_FIXED_NEWSTYLE;
    if (facts->handshake_flags & NBD_FLAG_NO_ZEROES)
        value[CLIENT_FLAGS_FLAGS] |= NBD_FLAG_C_NO_ZEROES;
    wire_encode(WIRE_CLIENT_FLAGS, value, bytes);
    player_send(player, connection, bytes, sizeof bytes);
    return !player->over && player_secure(player, connection);
}

bool player_negotiate(Player *player, Connection *connection)
{
    player->setup++;
    bool done = negotiate(player, connection);
    player->setup--;
    return done;
}

/* ---- Entering --------------------------------------------------------------------------------- */

void player_option(Player *player, Connection *connection, uint32_t option, const GByteArray *data)
{
    uint64_t value[WIRE_MAX_FIELDS];

    wire_defaults(WIRE_OPTION, value);
    value[OPTION_OPTION] = option;
    value[OPTION_LENGTH] = data->len;
    g_autoptr(GByteArray) message = player_message(WIRE_OPTION, value, data->data, data->len);
    player_send(player, connection, message->data, message->len);
}

/* A server that means to enforce sizes lets only those in who ask for them; who asks must abide by them,
 * and the cases do. */
void player_ask(Player *player, Connection *connection, uint32_t option, GBytes *name)
{
    g_autoptr(GByteArray) data = g_byte_array_new();

    player_append_number(data, 4, g_bytes_get_size(name));
    player_append(data, name);
    player_append_number(data, 2, 1);
    player_append_number(data, 2, NBD_INFO_BLOCK_SIZE);
    player_option(player, connection, option, data);
}

static Match match_export_or_close(Player *player, Connection *connection, gpointer data,
                                   const SessionMessage *message, guint *index)
{
    (void)player;
    (void)data;
    *index = message == NULL;
    if (message == NULL && session_lacks_zeroes(connection->session)) /* that is no refusal */
        return MATCH_NO;
    return message == NULL || message->kind == WIRE_EXPORT ? MATCH_YES : MATCH_NO;
}

bool player_excused_by_export(Player *player, GBytes *name)
{
    const char *missing = player->mode->export_name;
    g_autoptr(GBytes) wanted = g_bytes_new_static(missing, strlen(missing));

    if (player->target == NULL || !player->target->unknown_export || !g_bytes_equal(name, wanted))
        return false;
    if (*missing == '\0')
        player_skip(player, "the server has no default export");
    else
        player_skip(player, "the server has no export \"%s\"", missing);
    player->result->no_export = true;
    return true;
}

static bool export_name(Player *player, Connection *connection, GBytes *name)
{
    g_autoptr(GByteArray) data = g_byte_array_new();

    player_append(data, name);
    player_option(player, connection, NBD_OPT_EXPORT_NAME, data);
    Event event = player_await(player, connection, match_export_or_close, NULL);
    if (event.kind != EVENT_MATCH)
        player_unexpected(player, connection, NULL, &event);
    session_message_free(event.message);
    if (event.kind == EVENT_MATCH && event.index == 1 && !player_excused_by_export(player, name))
        player_skip(player, "the server refuses NBD_OPT_EXPORT_NAME, as it may");
    return event.kind == EVENT_MATCH && event.index == 0;
}

static bool refused(Player *player, const Connection *connection, GBytes *name,
                    const SessionMessage *reply)
{
    if (reply->value[REPLY_TYPE] == NBD_REP_ERR_TLS_REQD &&
        session_facts(connection->session)->tls == SESSION_TLS_NONE) {
        player->insists_on_tls = true;
        player_skip(player, "the server insists on TLS");
        return false;
    }
    if (reply->value[REPLY_TYPE] == NBD_REP_ERR_EXT_HEADER_REQD &&
        !session_facts(connection->session)->extended) {
        player_skip(player, "the server insists on extended headers");
        return false;
    }
    player->unknown_export |= reply->value[REPLY_TYPE] == NBD_REP_ERR_UNKNOWN;
    if (reply->value[REPLY_TYPE] == NBD_REP_ERR_UNKNOWN && player_excused_by_export(player, name))
        return false;
    g_autofree char *text = session_message_describe(reply);
    player_block(player, REQ("baseline.opt-go"), "NBD_OPT_GO is refused: %s", text);
    return false;
}

bool player_select(Player *player, Connection *connection, GBytes *name, const GPtrArray *contexts)
{
    g_autoptr(GByteArray) data = g_byte_array_new();

    player_append_number(data, 4, g_bytes_get_size(name));
    player_append(data, name);
    player_append_number(data, 4, contexts->len);
    for (guint i = 0; i < contexts->len; i++) {
        player_append_number(data, 4, g_bytes_get_size(contexts->pdata[i]));
        player_append(data, contexts->pdata[i]);
    }
    player->setup++;
    player_option(player, connection, NBD_OPT_SET_META_CONTEXT, data);
    g_autoptr(SessionMessage) reply = await_step(player, connection, WIRE_OPTION_REPLY);
    player->setup--;
    return reply != NULL && reply->value[REPLY_TYPE] == NBD_REP_ACK &&
           session_facts(connection->session)->contexts == contexts->len;
}

static bool enter(Player *player, Connection *connection, GBytes *name)
{
    const SessionFacts *facts = session_facts(connection->session);

    if (facts->style == STYLE_OLDSTYLE)
        return true;
    if (!facts->structured && !player_agree_on_replies(player, connection))
        return false;
    bool by_name = player->mode->enter == ENTER_EXPORT_NAME && !facts->extended;
    if (by_name || facts->style != STYLE_FIXED_NEWSTYLE)
        return export_name(player, connection, name);
    player_ask(player, connection, NBD_OPT_GO, name);
    g_autoptr(SessionMessage) reply = await_step(player, connection, WIRE_OPTION_REPLY);
    if (reply == NULL)
        return false;
    if (reply->value[REPLY_TYPE] == NBD_REP_ERR_UNSUP) /* as clients do with old servers */
        return export_name(player, connection, name);
    return reply->value[REPLY_TYPE] == NBD_REP_ACK || refused(player, connection, name, reply);
}

bool player_enter(Player *player, Connection *connection, GBytes *name)
{
    player->setup++;
    bool done = enter(player, connection, name) && !player->over;
    player->setup--;
    if (done) {
        SessionFacts facts = player_facts(player, connection);
        player_set_facts(player, &facts);
    }
    return done;
}

Connection *player_come_in(Player *player, const char *name)
{
    g_autoptr(GBytes) export =
        g_bytes_new(player->mode->export_name, strlen(player->mode->export_name));

    player->setup++;
    Connection *connection = player_connect_patiently(player, name);
    player->setup--;
    bool entered = connection != NULL && player_negotiate(player, connection) &&
                   player_enter(player, connection, export);
    return entered ? connection : NULL;
}
