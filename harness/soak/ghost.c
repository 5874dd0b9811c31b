/* Vanishing and coming back, by TCP_REPAIR: a socket in repair is opened and closed without a packet. */
#include "soak/ghost.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* How long a peer may take to answer a probe, and how often it is reset until it does. */
#define ANSWER_MS 200
#define TRIES 10u

/* False with the errno of what failed, and FD closed. */
static bool give_up(int fd)
{
    int number = errno;

    close(fd);
    errno = number;
    return false;
}

static bool set(int fd, int option, int value)
{
    return setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value) == 0;
}

static bool get_sequence(int fd, int queue, uint32_t *sequence)
{
    socklen_t size = sizeof *sequence;

    return set(fd, TCP_REPAIR_QUEUE, queue) &&
           getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, sequence, &size) == 0;
}

static bool set_sequence(int fd, int queue, uint32_t sequence)
{
    return set(fd, TCP_REPAIR_QUEUE, queue) &&
           setsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &sequence, sizeof sequence) == 0;
}

/* Lets nothing in any more: no acknowledgement makes the kernel send on what it has yet to send. */
static bool deafen(int fd)
{
    struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    const struct sock_fprog program = {.len = G_N_ELEMENTS(nothing), .filter = nothing};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

/* What the kernel has taken from us but not sent was never said. */
bool ghost_vanish(Ghost *ghost, int fd)
{
    socklen_t own = sizeof ghost->own;
    int unsent = 0, unacknowledged = 0;

    ghost->length = sizeof ghost->peer;
    if (getsockname(fd, (struct sockaddr *)&ghost->own, &own) < 0 ||
        getpeername(fd, (struct sockaddr *)&ghost->peer, &ghost->length) < 0 || !deafen(fd) ||
        !set(fd, TCP_REPAIR, TCP_REPAIR_ON) || ioctl(fd, SIOCOUTQNSD, &unsent) < 0 ||
        ioctl(fd, SIOCOUTQ, &unacknowledged) < 0 ||
        !get_sequence(fd, TCP_SEND_QUEUE, &ghost->sent) ||
        !get_sequence(fd, TCP_RECV_QUEUE, &ghost->received))
        return give_up(fd);
    ghost->acknowledged = ghost->sent - (uint32_t)unacknowledged;
    ghost->sent -= (uint32_t)unsent;
    close(fd);
    return true;
}

/* The ghost's connection again, still in repair: there at once, without a packet. -1 with errno. */
static int summon(const Ghost *ghost)
{
    int fd = socket(ghost->own.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (set(fd, TCP_REPAIR, TCP_REPAIR_ON) && set_sequence(fd, TCP_SEND_QUEUE, ghost->sent) &&
        set_sequence(fd, TCP_RECV_QUEUE, ghost->received) &&
        bind(fd, (const struct sockaddr *)&ghost->own, ghost->length) == 0 &&
        connect(fd, (const struct sockaddr *)&ghost->peer, ghost->length) == 0)
        return fd;
    (void)give_up(fd);
    return -1;
}

/* Sends a reset, and nothing else. */
static bool send_reset(const Ghost *ghost)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    int fd = summon(ghost);

    if (fd < 0)
        return false;
    if (!set(fd, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP) ||
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) < 0)
        return give_up(fd);
    close(fd);
    return true;
}

/* Asks the peer by a window probe: if it has no such connection, it answers with a reset. */
static bool laid(const Ghost *ghost)
{
    int fd = summon(ghost);
    struct pollfd wait = {.fd = fd, .events = 0};

    if (fd < 0)
        return false;
    bool reset = set(fd, TCP_REPAIR, TCP_REPAIR_OFF) && poll(&wait, 1, ANSWER_MS) > 0 &&
                 (wait.revents & POLLERR) != 0;
    /* or else leave as we came */
    (void)set(fd, TCP_REPAIR, TCP_REPAIR_ON);
    close(fd);
    return reset;
}

/* A reset is lost on a peer that has not yet seen all that was sent before: it has to bear the very number that is
 * expected next. Without us nothing is sent again that a busy peer had no room for. */
bool ghost_raise(const Ghost *ghost)
{
    Ghost guess = *ghost;

    for (unsigned i = 0; i < TRIES; i++) {
        guess.sent = i % 2 == 0 ? ghost->sent : ghost->acknowledged;
        if (!send_reset(&guess))
            return false;
        if (laid(&guess))
            return true;
    }
    errno = ETIMEDOUT;
    return false;
}

/* True if nothing has reached FD; false also where it has ended. */
static bool silent(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static const char *try_with(int listener, const struct sockaddr_in *at)
{
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    Ghost ghost;

    if (client < 0 || connect(client, (const struct sockaddr *)at, sizeof *at) < 0) {
        if (client >= 0)
            close(client);
        return "a connection over the loopback interface, to try vanishing, failed";
    }
    int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    const char *reason = NULL;
    if (!ghost_vanish(&ghost, client))
        reason = "TCP_REPAIR is not permitted";
    else if (server < 0 || !silent(server))
        reason = "TCP_REPAIR does not let a connection vanish here";
    else if (!ghost_raise(&ghost) || silent(server))
        reason = "TCP_REPAIR does not let a vanished connection be reset here";
    if (server >= 0)
        close(server);
    return reason;
}

const char *ghost_unfit(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const char *reason = "no listener on the loopback interface, to try vanishing";

    if (listener >= 0 && bind(listener, (struct sockaddr *)&at, sizeof at) == 0 &&
        listen(listener, 1) == 0 && getsockname(listener, (struct sockaddr *)&at, &length) == 0)
        reason = try_with(listener, &at);
    if (listener >= 0)
        close(listener);
    return reason;
}
