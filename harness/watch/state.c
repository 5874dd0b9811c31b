/* What became of a server: what its keeper reports and what it prints are taken by a thread, so that neither
 * ever has to wait for us. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "watch/private.h"

/* ---- The listener ------------------------------------------------------------------------------- */

static bool is_crash(int status)
{
    static const int numbers[] = {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGSYS};

    for (size_t i = 0; WIFSIGNALED(status) && i < G_N_ELEMENTS(numbers); i++)
        if (WTERMSIG(status) == numbers[i])
            return true;
    return false;
}

static void note_crash(Watched *watched, const Reaped *reaped)
{
    if (watched->crash.pid == 0 && is_crash(reaped->status))
        watched->crash = *reaped;
}

static void take_message(Watched *watched, const KeeperMessage *message)
{
    Reaped reaped = {message->pid, message->value};

    switch (message->word) {
    case KEEPER_STARTED:
        watched->started = message->pid;
        watched->hears = message->value != 0;
        break;
    case KEEPER_FAILED:
        watched->exec_errno = message->value;
        break;
    case KEEPER_REAPED:
        watched->reaped[watched->reaped_count++ % REAPED_KEPT] = reaped;
        note_crash(watched, &reaped);
        break;
    case KEEPER_KILLED:
        note_crash(watched, &reaped);
        break;
    case KEEPER_GONE:
        watched->gone = true;
        watched->killed = message->value != 0;
        break;
    case KEEPER_STOP:
        break;
    }
}

/* With the lock held. False once the keeper has ended. */
static bool hear(Watched *watched)
{
    KeeperMessage message;
    ssize_t size;

    while ((size = recv(watched->control, &message, sizeof message, MSG_DONTWAIT)) ==
           (ssize_t)sizeof message)
        take_message(watched, &message);
    return size < 0 && (errno == EAGAIN || errno == EINTR);
}

/* With the lock held. False once nobody is left who could print. */
static bool drain(Watched *watched)
{
    enum { AT_ONCE = 64 }; /* a server that never stops printing must not keep the lock */
    char bytes[16384];

    for (unsigned i = 0; i < AT_ONCE; i++) {
        ssize_t size = read(watched->output_fd, bytes, sizeof bytes);
        if (size <= 0)
            return size < 0 && (errno == EAGAIN || errno == EINTR);
        output_add(&watched->output, bytes, (size_t)size);
    }
    return true;
}

static void *listen_thread(void *data)
{
    Watched *watched = data;
    struct pollfd fds[] = {{watched->control, POLLIN, 0}, {watched->output_fd, POLLIN, 0}};
    bool keeper = true;

    while (keeper) {
        poll(fds, G_N_ELEMENTS(fds), -1);
        g_mutex_lock(&watched->mutex);
        if (!drain(watched))
            fds[1].fd = -1;
        keeper = hear(watched);
        if (!keeper)
            drain(watched); /* what was printed just before the end */
        watched->deaf = !keeper;
        g_cond_broadcast(&watched->changed);
        g_mutex_unlock(&watched->mutex);
    }
    return NULL;
}

void state_listen(Watched *watched)
{
    watched->listener = g_thread_new("watch", listen_thread, watched);
}

void state_join(Watched *watched)
{
    shutdown(watched->control, SHUT_WR);
    g_thread_join(watched->listener);
}

void state_wait(Watched *watched, gint64 until)
{
    g_mutex_lock(&watched->mutex);
    if (!watched->gone && !watched->deaf)
        g_cond_wait_until(&watched->changed, &watched->mutex, until);
    g_mutex_unlock(&watched->mutex);
}

bool state_gone(Watched *watched)
{
    g_mutex_lock(&watched->mutex);
    bool gone = watched->gone || watched->deaf;
    g_mutex_unlock(&watched->mutex);
    return gone;
}

bool state_reaped(Watched *watched, pid_t pid, int *status)
{
    bool found = false;

    g_mutex_lock(&watched->mutex);
    for (unsigned i = 0; i < MIN(watched->reaped_count, REAPED_KEPT); i++) {
        if (watched->reaped[i].pid == pid) {
            *status = watched->reaped[i].status;
            found = true;
        }
    }
    g_mutex_unlock(&watched->mutex);
    return found;
}

/* ---- The main process ---------------------------------------------------------------------------- */

bool state_elect(Watched *watched, pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (fd < 0)
        return false;
    if (watched->main_fd >= 0)
        close(watched->main_fd);
    watched->main_fd = fd;
    watched->main = pid;
    watched->ended = WATCH_RUNS;
    return true;
}

/* One that has begun to exit is waited for: its sockets are closed a moment before it is gone. */
static bool main_runs(const Watched *watched)
{
    enum { EXIT_MS = 1000 };
    struct pollfd fd = {watched->main_fd, POLLIN, 0};
    ProcessStat stat;

    if (watched->main_fd < 0 || poll(&fd, 1, 0) > 0)
        return false;
    if (!process_stat(watched->main, &stat) || !stat.exiting)
        return poll(&fd, 1, 0) == 0;
    return poll(&fd, 1, EXIT_MS) == 0;
}

/* The first process has done its work and left a server behind, which becomes the main process. */
static bool went_to_background(Watched *watched)
{
    const GArray *members;
    pid_t heir;
    int status = -1;

    if (!state_reaped(watched, watched->main, &status) || status != 0 || state_gone(watched))
        return false;
    members = tree_look(watched->tree);
    heir = listen_holder(members, watched->inode);
    if (heir == 0 && watched->inode == 0 && members->len > 0)
        heir = g_array_index(members, ProcessStat, 0).pid;
    return heir != 0 && state_elect(watched, heir);
}

/* The keeper's word on PID comes a moment after its end; none comes if another process was its parent. */
static bool await_reaped(Watched *watched, pid_t pid, int *status)
{
    gint64 until = g_get_monotonic_time() + G_TIME_SPAN_SECOND / 2;

    while (!state_reaped(watched, pid, status)) {
        if (state_gone(watched) || g_get_monotonic_time() >= until)
            return state_reaped(watched, pid, status);
        state_wait(watched, until);
    }
    return true;
}

static void note_end(Watched *watched)
{
    int status;

    watched->ended = WATCH_EXITED;
    watched->ended_status = -1;
    if (watched->keeper == 0 || (!await_reaped(watched, watched->main, &status) &&
                                 !await_reaped(watched, watched->started, &status)))
        return;
    if (WIFSIGNALED(status)) {
        watched->ended = WATCH_KILLED;
        watched->ended_status = WTERMSIG(status);
    } else {
        watched->ended_status = WEXITSTATUS(status);
    }
}

static bool has_crashed(Watched *watched, Reaped *crash)
{
    g_mutex_lock(&watched->mutex);
    *crash = watched->crash;
    g_mutex_unlock(&watched->mutex);
    return crash->pid != 0;
}

WatchState watch_state(Watched *watched, int *status)
{
    int ignored = -1;
    Reaped crash;

    status = status != NULL ? status : &ignored;
    while (watched->ended == WATCH_RUNS && !main_runs(watched)) {
        if (watched->keeper != 0 && await_reaped(watched, watched->main, status) &&
            went_to_background(watched))
            continue;
        note_end(watched);
    }
    if (has_crashed(watched, &crash)) {
        *status = WTERMSIG(crash.status);
        return WATCH_KILLED;
    }
    *status = watched->ended == WATCH_RUNS ? 0 : watched->ended_status;
    return watched->ended;
}

bool watch_sees_hidden(Watched *watched)
{
    g_mutex_lock(&watched->mutex);
    bool hears = watched->hears;
    g_mutex_unlock(&watched->mutex);
    return hears;
}

char *watch_describe(Watched *watched)
{
    int status;
    Reaped crash;
    WatchState state = watch_state(watched, &status);
    bool child = has_crashed(watched, &crash) && crash.pid != watched->main;

    if (state == WATCH_RUNS)
        return g_strdup("runs");
    if (state == WATCH_EXITED && status < 0)
        return g_strdup("exited");
    if (state == WATCH_EXITED)
        return g_strdup_printf("exited with status %d", status);
    const char *name = sigdescr_np(status);
    return g_strdup_printf("%s killed by signal %d (%s)", child ? "lost a child, which was" : "was",
                           status, name != NULL ? name : "unknown");
}

pid_t watch_main_pid(Watched *watched)
{
    watch_state(watched, NULL);
    return watched->main;
}

bool watch_signal(Watched *watched, int number, GError **error)
{
    watch_state(watched, NULL);
    if (watched->main_fd >= 0 &&
        syscall(SYS_pidfd_send_signal, watched->main_fd, number, NULL, 0) == 0)
        return true;
    g_set_error(error, WATCH_ERROR, WATCH_ERROR_PROCESS, "cannot send signal %d to process %d: %s",
                number, watched->main, g_strerror(errno));
    return false;
}

/* ---- What it printed ----------------------------------------------------------------------------- */

/* Without waiting for the listener, which may not have had its turn yet. */
static void lock_and_drain(Watched *watched)
{
    g_mutex_lock(&watched->mutex);
    if (watched->keeper != 0)
        drain(watched);
}

size_t watch_output_position(Watched *watched)
{
    lock_and_drain(watched);
    size_t total = watched->output.total;
    g_mutex_unlock(&watched->mutex);
    return total;
}

char *watch_output(Watched *watched, size_t from, size_t most)
{
    lock_and_drain(watched);
    char *text = output_text(&watched->output, from, most);
    g_mutex_unlock(&watched->mutex);
    return text;
}
