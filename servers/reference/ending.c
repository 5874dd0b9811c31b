/* How a server ends, and what else signals do to it. */
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reference/server.h"

static void wake_all(RefServer *server)
{
    for (unsigned i = 0; i < server->loop_count; i++)
        loop_wake(&server->loops[i]);
}

void server_die(RefServer *server)
{
    __atomic_store_n(&server->died, 1, __ATOMIC_RELEASE);
    shutdown(server->listener, SHUT_RDWR);
    wake_all(server);
}

/* Nobody who would only be turned away is to wait for that. */
static void begin_to_end(RefServer *server)
{
    __atomic_store_n(&server->ending, 1, __ATOMIC_RELEASE);
    shutdown(server->listener, SHUT_RDWR);
    wake_all(server);
}

/* What the signal is taken for; 0 if a quirk has dealt with it. */
static uint64_t alter_signal(RefServer *server, uint32_t number)
{
    QuirkEvent event =
        QUIRK_EVENT([F_SIGNAL] = number, [F_CONNECTIONS] = ref_server_connections(server));

    if (server->signals == NULL)
        return number;
    quirk_apply(&server->quirks, server->signals, AT_SIGNAL, &event);
    if (event.fate == DO_DIE)
        server_die(server);
    if (event.fate == DO_CLOSE)
        server->grace = 0;
    return event.fate == DO_DIE || event.fate == DO_DROP ? 0 : event.field[F_SIGNAL];
}

void server_see_signals(RefServer *server, int signals)
{
    struct signalfd_siginfo info;
    bool whole = read(signals, &info, sizeof info) == (ssize_t)sizeof info;
    uint64_t number = alter_signal(server, whole ? info.ssi_signo : SIGTERM);

    if (number == SIGTERM || number == SIGINT)
        begin_to_end(server);
}
