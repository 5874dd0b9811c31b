/* The keeper: the process between us and a server, which adopts, reaps and in the end kills its tree.
 *
 * It is forked from a process with threads and executes nothing: it has to work from any program that links
 * this library. So everything here keeps to what POSIX allows in that place: system calls, no memory, no locks.
 * It lives in a session of its own, out of reach of the terminal's Ctrl-C, and ends when the owner's end of the
 * socket closes, which is also what happens when the owner is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "watch/private.h"

enum {
    CONTROL = 3,           /* where the socket is in the keeper */
    GRACE_MS = 1000,       /* from SIGTERM to SIGKILL when the owner has gone */
    KILL_EVERY_MS = 5,     /* a tree that forks is killed again and again, … */
    UNKILLABLE_MS = 10000, /* … but what hangs in the kernel is left to it */
    SIGNALS = NSIG,
};

typedef struct {
    bool gone;     /* no child is left */
    bool orphaned; /* the owner has gone */
    bool stopping, killed;
    long long kill_at, give_up_at;
} Keeper;

static long long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void say(KeeperWord word, pid_t pid, int value)
{
    KeeperMessage message = {.word = word, .pid = pid, .value = value};

    while (send(CONTROL, &message, sizeof message, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

/* Handlers of the program that we were forked from must not run here. */
static void forget_handlers(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};

    for (int number = 1; number < SIGNALS; number++)
        sigaction(number, &action, NULL);
}

static bool is_descendant(pid_t pid, pid_t ancestor)
{
    ProcessStat stat;

    while (pid > 1 && process_stat(pid, &stat)) {
        if (stat.parent == ancestor)
            return true;
        pid = stat.parent;
    }
    return false;
}

static void signal_one(void *data, pid_t pid)
{
    int number = *(const int *)data;

    if (!is_descendant(pid, getpid()))
        return;
    kill(pid, number);
    if (number == SIGTERM)
        kill(pid, SIGCONT); /* a stopped process hears nothing */
}

static void signal_tree(int number)
{
    process_each(signal_one, &number);
}

static void stop(Keeper *keeper, long long grace_ms)
{
    long long kill_at = now_ms() + grace_ms;

    if (keeper->gone)
        return;
    if (!keeper->stopping)
        signal_tree(SIGTERM);
    if (!keeper->stopping || kill_at < keeper->kill_at)
        keeper->kill_at = kill_at;
    keeper->stopping = true;
    keeper->give_up_at = keeper->kill_at + UNKILLABLE_MS;
}

static void reap(Keeper *keeper)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0)
        say(KEEPER_REAPED, pid, status);
    if (pid < 0 && errno == ECHILD && !keeper->gone) {
        keeper->gone = true;
        say(KEEPER_GONE, 0, keeper->killed);
    }
}

static void hear(Keeper *keeper)
{
    KeeperMessage message;
    ssize_t size = recv(CONTROL, &message, sizeof message, MSG_DONTWAIT);

    if (size == (ssize_t)sizeof message && message.word == KEEPER_STOP) {
        stop(keeper, message.value);
    } else if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
        keeper->orphaned = true;
        stop(keeper, GRACE_MS);
    }
}

/* Until the next thing that has to be done without being told. */
static int timeout_ms(const Keeper *keeper)
{
    if (!keeper->stopping || keeper->gone)
        return -1;
    long long left = keeper->kill_at - now_ms();
    return left > KILL_EVERY_MS ? (int)left : KILL_EVERY_MS;
}

static void hear_of_crashes(int crashes)
{
    CrashEvent crash;

    while (crash_read(crashes, &crash))
        if (is_descendant(crash.pid, getpid()) || is_descendant(crash.parent, getpid()))
            say(KEEPER_KILLED, crash.pid, crash.status);
}

static void watch_over(int signals, int crashes)
{
    Keeper keeper = {.gone = false};
    struct signalfd_siginfo info;

    while (!(keeper.gone && keeper.orphaned)) {
        struct pollfd fds[] = {{signals, POLLIN, 0}, {crashes, POLLIN, 0}, {CONTROL, POLLIN, 0}};
        /* An owner that has gone has no more to say. */
        poll(fds, keeper.orphaned ? 2 : 3, timeout_ms(&keeper));
        while (read(signals, &info, sizeof info) > 0)
            ;
        if (fds[1].revents != 0)
            hear_of_crashes(crashes);
        reap(&keeper);
        if (!keeper.orphaned && fds[2].revents != 0)
            hear(&keeper);
        if (keeper.stopping && !keeper.gone && now_ms() >= keeper.kill_at) {
            keeper.killed = true;
            signal_tree(SIGKILL);
            if (keeper.orphaned && now_ms() >= keeper.give_up_at)
                break;
        }
    }
}

static _Noreturn void become_server(const KeeperJob *job)
{
    sigset_t none;

    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(job->argv[0], job->argv, job->env);
    say(KEEPER_FAILED, 0, errno);
    _exit(127);
}

/* Leaves /dev/null, the server's output twice, the socket, and nothing else of what the owner has open. */
static bool arrange_descriptors(const KeeperJob *job)
{
    int control = fcntl(job->control, F_DUPFD, CONTROL + 1);
    int output = fcntl(job->output, F_DUPFD, CONTROL + 1);
    int null = open("/dev/null", O_RDWR);

    if (control < 0 || output < 0 || null < 0)
        return false;
    return dup2(null, 0) >= 0 && dup2(output, 1) >= 0 && dup2(output, 2) >= 0 &&
           dup3(control, CONTROL, O_CLOEXEC) >= 0 && close_range(CONTROL + 1, ~0U, 0) == 0;
}

static _Noreturn void keep(const KeeperJob *job)
{
    char remove[] = "/bin/rm", flags[] = "-rf", end[] = "--";
    char *words[] = {remove, flags, end, (char *)job->folder, NULL};
    sigset_t all;

    sigfillset(&all);
    forget_handlers();
    if (!arrange_descriptors(job))
        _exit(1);
    prctl(PR_SET_NAME, "nbd-keeper");
    setsid();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int crashes = crash_open();
    pid_t server = _Fork();
    if (server == 0)
        become_server(job);
    if (server < 0)
        say(KEEPER_FAILED, 0, errno);
    else
        say(KEEPER_STARTED, server, crashes >= 0);
    dup2(0, 1); /* so that the output ends with the tree */
    dup2(0, 2);
    if (chdir("/") != 0)
        _exit(1);
    int signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    watch_over(signals, crashes);
    crash_close(crashes);
    execve(remove, words, job->env);
    _exit(1);
}

pid_t keeper_start(const KeeperJob *job)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        keep(job);
    int saved = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return pid;
}
