/* Crashes that the server itself would hide: a child that serves one client dies of a signal, its parent takes
 * the status, and nobody else ever hears of it.
 *
 * The kernel's process connector tells, where we may listen to it (root, in the first network namespace) and
 * where its process ids are ours (in the first PID namespace).
 * Called in the keeper: no memory, no locks.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "watch/private.h"

/* One message, as the kernel lays it out. */
enum {
    EVENT_AT = NLMSG_HDRLEN + sizeof(struct cn_msg),
    WHAT_AT = EVENT_AT + offsetof(struct proc_event, what),
    STATUS_AT = EVENT_AT + offsetof(struct proc_event, event_data.exit.exit_code),
    MESSAGE_SIZE = EVENT_AT + sizeof(struct proc_event),
    SIGNAL_BITS = 0x7f,
};

/* Thousands of processes may start and end: only those that a signal has ended shall wake us. A filter reads
 * numbers in the network's order. */
static bool only_killed(int fd)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, WHAT_AT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(PROC_EVENT_EXIT), 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, STATUS_AT),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, htonl(SIGNAL_BITS), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = {.len = G_N_ELEMENTS(filter), .filter = filter};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

static bool tell_kernel(int fd, enum proc_cn_mcast_op listen)
{
    const struct cn_msg connector = {.id = {CN_IDX_PROC, CN_VAL_PROC}, .len = sizeof listen};
    char message[NLMSG_SPACE(sizeof connector + sizeof listen)] = {0};
    const struct nlmsghdr header = {.nlmsg_len = NLMSG_LENGTH(sizeof connector + sizeof listen),
                                    .nlmsg_type = NLMSG_DONE};

    memcpy(message, &header, sizeof header);
    memcpy(message + NLMSG_HDRLEN, &connector, sizeof connector);
    memcpy(message + NLMSG_HDRLEN + sizeof connector, &listen, sizeof listen);
    return send(fd, message, header.nlmsg_len, 0) == (ssize_t)header.nlmsg_len;
}

static bool subscribe(int fd)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};

    return bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
           tell_kernel(fd, PROC_CN_MCAST_LISTEN);
}

/* In another PID namespace we would be told of processes by numbers that mean others here, or nobody. One that
 * we kill ourselves shows it: its end is told before waitpid() knows of it. */
static bool hears(int fd)
{
    CrashEvent crash;
    pid_t victim = _Fork();

    if (victim == 0) {
        kill(getpid(), SIGKILL);
        _exit(1);
    }
    while (victim > 0 && waitpid(victim, NULL, 0) < 0 && errno == EINTR)
        ;
    while (victim > 0 && crash_read(fd, &crash))
        if (crash.pid == victim)
            return true;
    return false;
}

int crash_open(void)
{
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR);

    if (fd >= 0 && only_killed(fd) && subscribe(fd) && hears(fd))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

void crash_close(int fd)
{
    if (fd < 0)
        return;
    /* Older kernels count listeners, and go on collecting events for those that only close. */
    tell_kernel(fd, PROC_CN_MCAST_IGNORE);
    close(fd);
}

bool crash_read(int fd, CrashEvent *crash)
{
    char message[MESSAGE_SIZE + 64];
    struct proc_event event;
    ssize_t size;

    /* ENOBUFS: some were lost */
    while ((size = recv(fd, message, sizeof message, 0)) >= 0 || errno == ENOBUFS ||
           errno == EINTR) {
        if (size < (ssize_t)MESSAGE_SIZE)
            continue;
        memcpy(&event, message + EVENT_AT, sizeof event);
        if (event.what != PROC_EVENT_EXIT)
            continue;
        *crash = (CrashEvent){.pid = event.event_data.exit.process_tgid,
                              .parent = event.event_data.exit.parent_tgid,
                              .status = (int)event.event_data.exit.exit_code};
        return true;
    }
    return false;
}
