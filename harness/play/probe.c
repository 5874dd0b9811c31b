/* What a target is and what it bears, before any case is played. */
#include <poll.h>
#include <string.h>

#include "play/player.h"

/* A server that serves one client at a time leaves the next one waiting, without a word. So long we
 * listen for that word: too short a wait would only make the run slower, but on a busy machine it would
 * also make it another run each time. */
#define GREETING_MS 3000

/* Nothing is gained by more connections at once than this. */
#define ENOUGH 8u

static Transport *greeted_later(const PlayMode *mode)
{
    return transport_connect(mode->address, mode->timeout_ms, NULL);
}

/* Counts the connections among WAITING on which the server speaks, while another one is held. */
static unsigned count_greeted(GPtrArray *waiting)
{
    gint64 until_us = g_get_monotonic_time() + GREETING_MS * 1000;
    g_autofree struct pollfd *waits = g_new0(struct pollfd, waiting->len);
    unsigned greeted = 0;

    for (guint i = 0; i < waiting->len; i++)
        waits[i] = (struct pollfd){.fd = transport_fd(waiting->pdata[i]), .events = POLLIN};
    while (greeted < waiting->len) {
        gint64 left = until_us - g_get_monotonic_time();
        if (left <= 0 || poll(waits, waiting->len, (int)(left / 1000 + 1)) <= 0)
            break;
        for (guint i = 0; i < waiting->len; i++) {
            uint8_t byte;
            size_t done;
            if (waits[i].fd < 0 || waits[i].revents == 0)
                continue;
            if (transport_read(waiting->pdata[i], &byte, 1, &done) == TRANSPORT_DONE)
                greeted++;
            waits[i].fd = -1;
        }
    }
    return greeted;
}

static unsigned count_connections(const PlayMode *mode, unsigned wanted)
{
    g_autoptr(GPtrArray) waiting = g_ptr_array_new_with_free_func((GDestroyNotify)transport_free);

    for (unsigned i = 1; i < wanted; i++) {
        Transport *transport = greeted_later(mode);
        if (transport == NULL)
            break;
        g_ptr_array_add(waiting, transport);
    }
    return 1 + count_greeted(waiting);
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

static void learn(Player *player, unsigned wanted, PlayTarget *target)
{
    Connection *connection = player->connections->pdata[0];

    if (player_negotiate(player, connection)) {
        g_autoptr(GBytes) name =
            g_bytes_new(player->mode->export_name, strlen(player->mode->export_name));
        target->entered = player_enter(player, connection, name);
    }
    target->facts = *session_facts(connection->session);
    target->concurrent_writes = (target->facts.transmission_flags & NBD_FLAG_CAN_MULTI_CONN) != 0;
    target->connections = count_connections(player->mode, wanted);
}

bool play_probe(const PlayMode *mode, unsigned jobs, PlayTarget *target, GError **error)
{
    PlayCase play_case = {.id = (char *)"setup",
                          .title = (char *)"",
                          .scenario = no_lines(),
                          .values = scope_values_new(),
                          .connections = 1};
    Transport *transport = transport_connect(mode->address, mode->timeout_ms, error);

    *target = (PlayTarget){.connections = 1};
    if (transport == NULL) {
        g_hash_table_unref(play_case.values);
        return false;
    }
    Player *player = player_new(&play_case, mode, NULL, 0);
    g_ptr_array_add(player->connections,
                    play_connection_new("A", transport, player->transcript, false));
    learn(player, MIN(MAX(jobs * 2, 4u), ENOUGH), target);
    play_result_free(player_finish(player));
    g_hash_table_unref(play_case.values);
    return true;
}
