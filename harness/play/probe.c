/* What a target is and what it bears, before any case is played. */
#include <poll.h>
#include <string.h>

#include "play/player.h"

/* A server that serves one client at a time leaves the next one waiting, without a word. So long we
 * listen for that word: too short a wait would only make the run slower, but on a busy machine it would
 * also make it another run each time. */
#define GREETING_MS 3000

/* So many of the others have something to learn: see enter_as(). */
#define MOST_LEARNT 2

static bool has_spoken(const Connection *connection)
{
    return connection->came.length > 0;
}

/* Waits for the server to speak on CONNECTION. False if it hangs up, or if the time is over. */
static bool is_greeted(Connection *connection, gint64 wait_ms)
{
    gint64 until_us = g_get_monotonic_time() + wait_ms * 1000;

    while (!has_spoken(connection)) {
        gint64 left_us = until_us - g_get_monotonic_time();
        struct pollfd wait = {.fd = transport_fd(connection->transport), .events = POLLIN};
        if (connection->closed || left_us <= 0 || poll(&wait, 1, (int)(left_us / 1000 + 1)) < 0)
            return false;
        if (wait.revents != 0)
            play_connection_move(connection);
    }
    return true;
}

/* What became of one connection is no matter for the next. */
static void go_on(Player *player)
{
    player->over = player->blocked = player->skipped = false;
}

/* With structured replies a server may offer more, and with extended headers again: one of the others asks for
 * the former, and one for the latter. False if the server does not let it in. */
static bool enter_as(Player *player, Connection *connection, guint nth, PlayTarget *target)
{
    g_autoptr(GBytes) name =
        g_bytes_new(player->mode->export_name, strlen(player->mode->export_name));
    SessionFacts *learnt = NULL;

    if (nth == 1 && !target->facts.structured && player_structured(player, connection))
        learnt = &target->structured;
    else if (nth == 2 && !target->facts.extended && player_extended(player, connection))
        learnt = &target->extended;
    if (connection->closed) /* over the question, and not over the number */
        return true;
    go_on(player);
    if (!player_enter(player, connection, name))
        return false;
    if (learnt != NULL)
        *learnt = *session_facts(connection->session);
    return true;
}

/* Up to WANTED clients come, one after another, and stay: a server may count them when they connect, or when they
 * enter. Returns how many it serves, the first included. */
static unsigned let_in(Player *player, unsigned wanted, PlayTarget *target)
{
    unsigned served = 1;

    for (; served < wanted; served++) {
        Transport *transport =
            transport_connect(player->mode->address, player->mode->timeout_ms, NULL);
        if (transport == NULL)
            break;
        Connection *connection =
            play_connection_new("other", transport, player->transcript, true, player->mode->agreed);
        g_ptr_array_add(player->connections, connection);
        go_on(player);
        if (!is_greeted(connection, GREETING_MS) || !player_negotiate(player, connection) ||
            (target->entered && !enter_as(player, connection, served, target)))
            break;
    }
    return served;
}

/* Leaves them one after another, each in the way that a client should: some servers take it ill if a
 * client drops in and is gone, and that is not for the probe to find. */
static void leave_all(Player *player)
{
    GPtrArray *all = player->connections;

    for (guint i = 0; i < all->len; i++) {
        Connection *connection = all->pdata[i];
        go_on(player);
        play_connection_move(connection);
        if (session_phase(connection->session) == PHASE_GREETING && !connection->closed &&
            is_greeted(connection, player->mode->timeout_ms))
            player_negotiate(player, connection);
        player_leave(connection);
    }
}

/* What one of the others was to learn, where there was no room for it beside the first. */
static void learn_later(Player *player, guint nth, PlayTarget *target)
{
    Patience patience = patience_with(player->mode, target);
    bool good;

    do {
        Transport *transport = play_reach(player->mode, target, NULL);
        if (transport == NULL)
            return;
        Connection *connection =
            play_connection_new("other", transport, player->transcript, true, player->mode->agreed);
        g_ptr_array_add(player->connections, connection);
        go_on(player);
        good = is_greeted(connection, player->mode->timeout_ms) &&
               player_negotiate(player, connection) && enter_as(player, connection, nth, target);
        player_leave(connection);
    } while (!good && patience_lasts(&patience));
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
    g_autoptr(GBytes) name = player_listed_name(message);
    gsize length;

    if (name == NULL)
        return;
    const char *text = g_bytes_get_data(name, &length);
    g_ptr_array_add(names, g_strndup(text, length));
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
    Match final = player_match_final(player, connection, data, message, index);

    if (final == MATCH_PASS_OVER && message->inner == WIRE_INFO_BLOCK_SIZE)
        return MATCH_YES;
    return final == MATCH_YES ? MATCH_NO : final;
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
    target->silent = connection->received == 0 && player->blocked;
    if (target->silent)
        return;
    player_note_distrust(player, connection);
    target->insists_on_tls = player->insists_on_tls;
    target->unknown_export = player->unknown_export;
    target->facts = *session_facts(connection->session);
    target->concurrent_writes = (target->facts.transmission_flags & NBD_FLAG_CAN_MULTI_CONN) != 0;
    if (target->entered && target->facts.structured)
        target->structured = target->facts;
    if (target->entered && target->facts.extended)
        target->extended = target->facts;
    target->connections = let_in(player, wanted, target);
    target->limited = target->connections < wanted;
    leave_all(player);
    for (guint nth = target->connections; target->entered && nth <= MOST_LEARNT; nth++)
        learn_later(player, nth, target);
    go_on(player);
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

/* A target that bears one client may still count the one that was there before us, who waited for its port to open,
 * say, and hang up on us. */
static Transport *reach_first(const PlayMode *mode, GError **error)
{
    const PlayTarget perhaps_limited = {.limited = true};
    Patience patience = patience_with(mode, &perhaps_limited);

    for (;;) {
        g_autoptr(Transport) transport = transport_connect(mode->address, mode->timeout_ms, error);
        if (transport == NULL || !play_hangs_up(transport, patience.until_us) ||
            !patience_lasts(&patience))
            return g_steal_pointer(&transport);
    }
}

bool play_probe(const PlayMode *mode, unsigned wanted, PlayTarget *target, GError **error)
{
    Transport *transport = reach_first(mode, error);

    *target = (PlayTarget){.connections = 1};
    if (transport == NULL)
        return false;
    PlayCase play_case = no_case();
    Player *player = player_new(&play_case, mode, NULL, 0);
    g_ptr_array_add(player->connections, play_connection_new("A", transport, player->transcript,
                                                             false, player->mode->agreed));
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
