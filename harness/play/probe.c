/* What a target is and what it bears, before any case is played. */
#include <poll.h>
#include <string.h>

#include "play/player.h"

/* A server that serves one client at a time leaves the next one waiting, without a word. So long we
 * listen for that word: too short a wait would only make the run slower, but on a busy machine it would
 * also make it another run each time. */
#define GREETING_MS 3000

/* Connects WANTED connections beside the first, which is held. */
static void connect_others(Player *player, unsigned wanted)
{
    for (unsigned i = 1; i < wanted; i++) {
        Transport *transport =
            transport_connect(player->mode->address, player->mode->timeout_ms, NULL);
        if (transport == NULL)
            return;
        g_ptr_array_add(player->connections,
                        play_connection_new("other", transport, player->transcript, true));
    }
}

static bool has_spoken(const Connection *connection)
{
    return connection->came.length > 0;
}

/* Waits for the server to speak on one of the connections from FROM on where it has not yet. False if there is
 * none, or if the time is over. */
static bool hear_more(Player *player, guint from, gint64 until_us)
{
    GPtrArray *all = player->connections;
    g_autofree struct pollfd *waits = g_new0(struct pollfd, all->len);
    gint64 left = until_us - g_get_monotonic_time();
    guint waiting = 0;

    for (guint i = 0; i < all->len; i++) {
        Connection *connection = all->pdata[i];
        bool waits_here = i >= from && !has_spoken(connection) && !connection->closed;
        waits[i] = (struct pollfd){.fd = waits_here ? transport_fd(connection->transport) : -1,
                                   .events = POLLIN};
        waiting += waits_here;
    }
    if (waiting == 0 || left <= 0 || poll(waits, all->len, (int)(left / 1000 + 1)) <= 0)
        return false;
    for (guint i = from; i < all->len; i++)
        if (waits[i].revents != 0)
            play_connection_move(all->pdata[i]);
    return true;
}

/* Counts the connections on which the server has spoken, the first included, as soon as it has spoken on all
 * or hung up, or once there was time enough. */
static unsigned count_greeted(Player *player)
{
    gint64 until_us = g_get_monotonic_time() + GREETING_MS * 1000;
    unsigned greeted = 1;

    while (hear_more(player, 1, until_us))
        continue;
    for (guint i = 1; i < player->connections->len; i++)
        greeted += has_spoken(player->connections->pdata[i]);
    return greeted;
}

/* A server that serves one client at a time takes them in an order of its own. Of the connections from AT on, one
 * on which it has spoken comes to AT. */
static void bring_greeted(Player *player, guint at)
{
    gint64 until_us = g_get_monotonic_time() + (gint64)player->mode->timeout_ms * 1000;
    GPtrArray *all = player->connections;

    do
        for (guint i = at; i < all->len; i++)
            if (has_spoken(all->pdata[i])) {
                gpointer greeted = all->pdata[i];
                all->pdata[i] = all->pdata[at];
                all->pdata[at] = greeted;
                return;
            }
    while (hear_more(player, at, until_us));
}

/* With structured replies a server may offer more: the first of the others, of which nothing else is asked, asks
 * for them. */
static void learn_structured(Player *player, Connection *connection, PlayTarget *target)
{
    g_autoptr(GBytes) name =
        g_bytes_new(player->mode->export_name, strlen(player->mode->export_name));

    if (target->facts.structured)
        target->structured = target->facts;
    else if (player_structured(player, connection) && player_enter(player, connection, name))
        target->structured = *session_facts(connection->session);
}

static void learn_extended(Player *player, Connection *connection, PlayTarget *target)
{
    g_autoptr(GBytes) name =
        g_bytes_new(player->mode->export_name, strlen(player->mode->export_name));

    if (target->facts.extended)
        target->extended = target->facts;
    else if (player_extended(player, connection) && player_enter(player, connection, name))
        target->extended = *session_facts(connection->session);
}

/* Leaves them one after another, each in the way that a client should: some servers take it ill if a
 * client drops in and is gone, and that is not for the probe to find. */
static void leave_all(Player *player, PlayTarget *target)
{
    play_connection_move(player->connections->pdata[0]);
    player_leave(player->connections->pdata[0]);
    bool answers = true;
    for (guint i = 1; i < player->connections->len; i++) {
        player->over = player->blocked = player->skipped = false;
        if (answers)
            bring_greeted(player, i);
        answers = answers && player_negotiate(player, player->connections->pdata[i]);
        if (answers && i == 1 && target->entered)
            learn_structured(player, player->connections->pdata[i], target);
        if (answers && i == 2 && target->entered)
            learn_extended(player, player->connections->pdata[i], target);
        player_leave(player->connections->pdata[i]);
    }
}

static const Scenario *no_lines(void)
{
    static Scenario scenario;
    static gsize once;

    if (g_once_init_enter(&once)) {
        scenario.path = (char *)"setup";
        scenario.needs = g_ptr_array_new();
        scenario.uses = g_ptr_array_new();
        scenario.loops = g_ptr_array_new();
        scenario.statements = g_ptr_array_new();
        g_once_init_leave(&once, 1);
    }
    return &scenario;
}

/* Each name that is listed, and the final reply. */
static Match match_listed(Player *player, Connection *connection, gpointer data,
                          const SessionMessage *message, guint *index)
{
    (void)player;
    (void)connection;
    (void)data;
    *index = message != NULL && session_message_is_final(message);
    return match_if(message != NULL && message->kind == WIRE_OPTION_REPLY);
}

static void add_listed(GPtrArray *names, const SessionMessage *message)
{
    uint64_t length = message->inner_value[REP_SERVER_NAME_LENGTH];

    if (message->inner == WIRE_REP_SERVER && message->data->len >= 4 &&
        length <= message->data->len - 4)
        g_ptr_array_add(names, g_strndup((const char *)message->data->data + 4, length));
}

/* False if it does not list them. */
static bool list_exports(Player *player, GPtrArray *names, unsigned most)
{
    Connection *connection = player_connect(player, "list");
    g_autoptr(GByteArray) nothing = g_byte_array_new();

    if (connection == NULL || !player_negotiate(player, connection) ||
        session_facts(connection->session)->style != STYLE_FIXED_NEWSTYLE)
        return false;
    player_option(player, connection, NBD_OPT_LIST, nothing);
    while (names->len < most) {
        Event event = player_await(player, connection, match_listed, NULL);
        g_autoptr(SessionMessage) message = event.message;
        if (event.kind != EVENT_MATCH)
            return false;
        if (event.index == 1)
            return message->value[REPLY_TYPE] == NBD_REP_ACK;
        add_listed(names, message);
    }
    return true;
}

static Match match_block_size(Player *player, Connection *connection, gpointer data,
                              const SessionMessage *message, guint *index)
{
    (void)player;
    (void)connection;
    (void)data;
    *index = 0;
    if (message == NULL || message->kind != WIRE_OPTION_REPLY)
        return MATCH_NO;
    if (message->inner == WIRE_INFO_BLOCK_SIZE)
        return MATCH_YES;
    return session_message_is_final(message) ? MATCH_NO : MATCH_PASS_OVER;
}

/* A client that enters by EXPORT_NAME is told no sizes. Asked by INFO beforehand, on a connection of its
 * own, the server tells them, so that ordinary requests can be aligned to them. */
static void learn_sizes(Player *player, PlayTarget *target)
{
    Connection *connection = player_connect(player, "sizes");

    if (connection == NULL || !player_negotiate(player, connection) ||
        session_facts(connection->session)->style != STYLE_FIXED_NEWSTYLE)
        return;
    g_autoptr(GBytes) name =
        g_bytes_new(player->mode->export_name, strlen(player->mode->export_name));
    player_ask(player, connection, NBD_OPT_INFO, name);
    Event event = player_await(player, connection, match_block_size, NULL);
    if (event.kind == EVENT_MATCH) {
        target->facts.block_size_given = true;
        target->facts.minimum = (uint32_t)event.message->inner_value[INFO_BLOCK_SIZE_MINIMUM];
        target->facts.preferred = (uint32_t)event.message->inner_value[INFO_BLOCK_SIZE_PREFERRED];
        target->facts.maximum = (uint32_t)event.message->inner_value[INFO_BLOCK_SIZE_MAXIMUM];
    }
    bool unknown = event.kind == EVENT_OTHER && event.message->kind == WIRE_OPTION_REPLY &&
                   event.message->value[REPLY_TYPE] == NBD_REP_ERR_UNKNOWN;
    target->unknown_export |= unknown && !target->entered;
    session_message_free(event.message);
    player_leave(connection);
}

static void learn(Player *player, unsigned wanted, PlayTarget *target)
{
    Connection *connection = player->connections->pdata[0];

    if (player_negotiate(player, connection)) {
        g_autoptr(GBytes) name =
            g_bytes_new(player->mode->export_name, strlen(player->mode->export_name));
        target->entered = player_enter(player, connection, name);
    }
    target->silent = connection->received == 0 && !connection->closed && player->blocked;
    if (target->silent)
        return;
    player_note_distrust(player, connection);
    target->insists_on_tls = player->insists_on_tls;
    target->unknown_export = player->unknown_export;
    target->facts = *session_facts(connection->session);
    target->concurrent_writes = (target->facts.transmission_flags & NBD_FLAG_CAN_MULTI_CONN) != 0;
    connect_others(player, wanted);
    target->connections = count_greeted(player);
    target->limited = target->connections < wanted;
    leave_all(player, target);
    player->over = player->blocked = player->skipped = false;
    if (player->mode->enter == ENTER_EXPORT_NAME)
        learn_sizes(player, target);
}

/* What a player needs that plays no case; its values are to be freed. */
static PlayCase no_case(void)
{
    return (PlayCase){.id = (char *)"setup",
                      .title = (char *)"",
                      .scenario = no_lines(),
                      .values = scope_values_new(),
                      .connections = 1};
}

bool play_probe(const PlayMode *mode, unsigned wanted, PlayTarget *target, GError **error)
{
    Transport *transport = transport_connect(mode->address, mode->timeout_ms, error);

    *target = (PlayTarget){.connections = 1};
    if (transport == NULL)
        return false;
    PlayCase play_case = no_case();
    Player *player = player_new(&play_case, mode, NULL, 0);
    g_ptr_array_add(player->connections,
                    play_connection_new("A", transport, player->transcript, false));
    learn(player, CLAMP(wanted, 4u, PLAY_MOST_CONNECTIONS), target);
    bool good = player->tls_problem == NULL;
    if (!good)
        g_set_error(error, TRANSPORT_ERROR, TRANSPORT_ERROR_TLS, "there is no TLS with %s: %s",
                    transport_address_name(mode->address), player->tls_problem);
    play_result_free(player_finish(player));
    g_hash_table_unref(play_case.values);
    return good;
}

GPtrArray *play_list_exports(const PlayMode *mode, unsigned most)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    PlayCase play_case = no_case();
    Player *player = player_new(&play_case, mode, NULL, 0);

    bool told = list_exports(player, names, most);
    play_result_free(player_finish(player));
    g_hash_table_unref(play_case.values);
    return told ? g_steal_pointer(&names) : NULL;
}
