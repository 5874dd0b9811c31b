/* Starting a server behind its keeper, waiting until it listens, and ending it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "watch/private.h"

G_DEFINE_QUARK(watch-error-quark, watch_error);

enum {
    SPAWN_TRIES = 5, /* another process may take the port that was chosen */
    OUTPUT_IN_ERROR = 2000,
    FOLDER_LONGEST = 80, /* a socket's path has 107 bytes at most */
};

static Watched *watched_new(void)
{
    Watched *watched = g_new0(Watched, 1);

    watched->control = watched->output_fd = watched->main_fd = -1;
    g_mutex_init(&watched->mutex);
    g_cond_init(&watched->changed);
    output_init(&watched->output);
    return watched;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

void watch_free(Watched *watched)
{
    if (watched == NULL)
        return;
    if (watched->listener != NULL)
        state_join(watched);
    if (watched->keeper != 0)
        while (waitpid(watched->keeper, NULL, 0) < 0 && errno == EINTR)
            ;
    else if (watched->folder != NULL)
        rmdir(watched->folder);
    close_if_open(watched->control);
    close_if_open(watched->output_fd);
    close_if_open(watched->main_fd);
    tree_free(watched->tree);
    transport_address_free(watched->address);
    output_clear(&watched->output);
    g_mutex_clear(&watched->mutex);
    g_cond_clear(&watched->changed);
    g_free(watched->folder);
    g_free(watched->socket);
    g_free(watched->target);
    g_free(watched);
}

/* ---- Starting ------------------------------------------------------------------------------------ */

static void failed(GError **error, const char *what)
{
    g_set_error(error, WATCH_ERROR, WATCH_ERROR_START, "cannot %s: %s", what, g_strerror(errno));
}

static char *make_folder(GError **error)
{
    const char *parent = strlen(g_get_tmp_dir()) < FOLDER_LONGEST ? g_get_tmp_dir() : "/tmp";
    g_autofree char *folder = g_build_filename(parent, "nbdconform-XXXXXX", NULL);

    if (g_mkdtemp(folder) != NULL)
        return g_steal_pointer(&folder);
    failed(error, "make a private folder");
    return NULL;
}

/* Chooses where it will listen. */
static bool choose_place(Watched *watched, const Command *command, GError **error)
{
    watched->socket = command_socket(watched->folder);
    if (command->socket) {
        watched->target = g_strdup(watched->socket);
        watched->address = transport_address_unix(watched->socket, strlen(watched->socket), error);
    }
    if (command->port && (watched->port = listen_free_port()) == 0) {
        g_set_error(error, WATCH_ERROR, WATCH_ERROR_START, "cannot find a free TCP port");
        return false;
    }
    if (!command->socket) {
        watched->target = g_strdup_printf("127.0.0.1:%u", watched->port);
        watched->address = transport_address_tcp("127.0.0.1", watched->port, error);
    }
    return watched->address != NULL;
}

static bool start_keeper(Watched *watched, char **argv, GError **error)
{
    int output[2] = {-1, -1}, control[2] = {-1, -1};

    if (pipe2(output, O_CLOEXEC) != 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0) {
        failed(error, "make a pipe to the server");
        close_if_open(output[0]);
        close_if_open(output[1]);
        return false;
    }
    KeeperJob job = {argv, environ, watched->folder, output[1], control[1]};
    fcntl(output[0], F_SETFL, O_NONBLOCK);
    watched->output_fd = output[0];
    watched->control = control[0];
    pid_t keeper = keeper_start(&job);
    if (keeper < 0)
        failed(error, "fork");
    close(output[1]);
    close(control[1]);
    if (keeper < 0)
        return false;
    watched->keeper = keeper;
    watched->tree = tree_new(keeper, false);
    state_listen(watched);
    return true;
}

static Watched *start(const WatchSpawn *spawn, const Command *command, GError **error)
{
    g_autoptr(Watched) watched = watched_new();

    watched->valgrind = spawn->valgrind;
    watched->folder = make_folder(error);
    if (watched->folder == NULL || !choose_place(watched, command, error))
        return NULL;
    g_auto(GStrv) argv = command_words(command, spawn, watched->folder, watched->port);
    return start_keeper(watched, argv, error) ? g_steal_pointer(&watched) : NULL;
}

/* ---- Until it accepts ------------------------------------------------------------------------------ */

typedef enum { READY, NOT_YET, FAILED } Readiness;

static bool connects(const Watched *watched)
{
    enum { CONNECT_MS = 1000 };
    g_autoptr(Transport) transport = transport_connect(watched->address, CONNECT_MS, NULL);

    return transport != NULL;
}

/* Who listens there, and is it ours? */
static Readiness look_for_listener(Watched *watched, gint64 *foreign_since)
{
    enum { FOREIGN_MS = 500 };
    bool tcp = transport_address_is_tcp(watched->address);
    ListenPlace place = {.path = tcp ? NULL : watched->socket, .port = watched->port};
    const GArray *members = tree_look(watched->tree);
    pid_t first = members->len > 0 ? g_array_index(members, ProcessStat, 0).pid : getpid();
    uint64_t inode = listen_inode(first, &place);
    pid_t holder = listen_holder(members, inode);

    if (holder != 0 && state_elect(watched, holder)) {
        watched->inode = inode;
        return READY;
    }
    if (inode == 0 || members->len == 0) {
        *foreign_since = 0;
        return NOT_YET;
    }
    /* Another process listens, perhaps on behalf of ours: a container's proxy, or one that we may not look
     * at. Perhaps it only was quicker; then ours will end. */
    gint64 now = g_get_monotonic_time();
    if (*foreign_since == 0)
        *foreign_since = now;
    if (now - *foreign_since < FOREIGN_MS * G_TIME_SPAN_MILLISECOND || !connects(watched))
        return NOT_YET;
    return state_elect(watched, first) ? READY : NOT_YET;
}

static void fail_early(Watched *watched, const WatchSpawn *spawn, const char *how, GError **error)
{
    g_autofree char *output = watch_output(watched, 0, OUTPUT_IN_ERROR);

    g_strchomp(output);
    g_set_error(error, WATCH_ERROR, WATCH_ERROR_START, "the server \"%s\" %s%s%s", spawn->command,
                how, output[0] != '\0' ? "; it said:\n" : " and said nothing", output);
}

/* It has failed already, whatever time is left. */
static bool has_failed(Watched *watched, const WatchSpawn *spawn, GError **error)
{
    g_mutex_lock(&watched->mutex);
    int exec_errno = watched->exec_errno;
    bool crashed = watched->crash.pid != 0, gone = watched->gone || watched->deaf;
    pid_t started = watched->started;
    g_mutex_unlock(&watched->mutex);

    if (exec_errno != 0) {
        g_set_error(error, WATCH_ERROR, WATCH_ERROR_START, "cannot execute \"%s\": %s",
                    spawn->command, g_strerror(exec_errno));
        return true;
    }
    if (watched->main == 0)
        watched->main = started;
    if (!gone && !crashed)
        return false;
    g_autofree char *end = watch_describe(watched);
    g_autofree char *how = g_strdup_printf("%s before it accepted a connection", end);
    fail_early(watched, spawn, how, error);
    return true;
}

static bool elect_oldest(Watched *watched)
{
    const GArray *members = tree_look(watched->tree);

    return members->len > 0 && state_elect(watched, g_array_index(members, ProcessStat, 0).pid);
}

/* A server that listens first and goes into the background then is given the time for that: a signal to the
 * process that is about to leave would be lost. */
static bool stays(Watched *watched, gint64 end)
{
    enum { LONGEST_MS = 2000 };
    /* However much it holds: a few quiet looks are enough. */
    const WatchSample any = {
        .fds = {INT_MAX}, .threads = INT_MAX, .processes = INT_MAX, .zombies = INT_MAX};
    gint64 left = (end - g_get_monotonic_time()) / G_TIME_SPAN_MILLISECOND;
    WatchSample sample;

    watch_settle(watched, &any, (unsigned)CLAMP(left, 1, LONGEST_MS), &sample);
    return watch_state(watched, NULL) == WATCH_RUNS;
}

static bool await_ready(Watched *watched, const WatchSpawn *spawn, GError **error)
{
    enum { SHORTEST_PAUSE_US = 500, LONGEST_PAUSE_US = 20000 };
    gint64 end = g_get_monotonic_time() + spawn->ready_ms * G_TIME_SPAN_MILLISECOND;
    gint64 foreign_since = 0;

    for (gint64 pause = SHORTEST_PAUSE_US;; pause = MIN(2 * pause, LONGEST_PAUSE_US)) {
        if (look_for_listener(watched, &foreign_since) == READY && stays(watched, end))
            return true;
        if (has_failed(watched, spawn, error))
            return false;
        gint64 now = g_get_monotonic_time();
        if (now >= end)
            break;
        state_wait(watched, now + pause);
    }
    /* The tables may not show what it does; this always tells. */
    if (connects(watched) && elect_oldest(watched))
        return true;
    g_autofree char *how =
        g_strdup_printf("did not listen at %s within %u ms", watched->target, spawn->ready_ms);
    fail_early(watched, spawn, how, error);
    return false;
}

/* It ended because somebody else has its port. */
static bool lost_port(Watched *watched)
{
    g_autofree char *output = watch_output(watched, 0, SIZE_MAX);
    g_autofree char *lower = g_ascii_strdown(output, -1);

    return watched->port != 0 && state_gone(watched) &&
           (strstr(lower, "address already in use") != NULL || !listen_port_free(watched->port));
}

Watched *watch_spawn(const WatchSpawn *spawn, GError **error)
{
    Command command;
    Watched *ready = NULL;

    if (!command_parse(spawn, &command, error))
        return NULL;
    for (unsigned tries = 1; ready == NULL; tries++) {
        g_autoptr(GError) why = NULL;
        g_autoptr(Watched) watched = start(spawn, &command, &why);
        if (watched != NULL && await_ready(watched, spawn, &why)) {
            ready = g_steal_pointer(&watched);
        } else if (watched == NULL || tries == SPAWN_TRIES || !lost_port(watched)) {
            g_propagate_error(error, g_steal_pointer(&why));
            break;
        }
    }
    command_clear(&command);
    return ready;
}

Watched *watch_pid(pid_t pid, GError **error)
{
    g_autoptr(Watched) watched = watched_new();
    ProcessStat stat;

    if (pid <= 0 || !process_stat(pid, &stat) || !state_elect(watched, pid)) {
        g_set_error(error, WATCH_ERROR, WATCH_ERROR_PROCESS, "there is no process %d", pid);
        return NULL;
    }
    if (!process_readable(pid)) {
        g_set_error(error, WATCH_ERROR, WATCH_ERROR_PROCESS,
                    "process %d may not be looked at (%s): run as its user, or as root", pid,
                    g_strerror(errno));
        return NULL;
    }
    watched->tree = tree_new(pid, true);
    return g_steal_pointer(&watched);
}

bool watch_stop(Watched *watched, unsigned timeout_ms)
{
    enum { KILL_MS = 12000 };
    KeeperMessage message = {.word = KEEPER_STOP, .value = (int)MIN(timeout_ms, INT_MAX / 2)};
    gint64 end = g_get_monotonic_time() + ((gint64)timeout_ms + KILL_MS) * G_TIME_SPAN_MILLISECOND;

    if (watched->keeper == 0)
        return true;
    send(watched->control, &message, sizeof message, MSG_NOSIGNAL);
    while (!state_gone(watched) && g_get_monotonic_time() < end)
        state_wait(watched, end);
    g_mutex_lock(&watched->mutex);
    bool by_itself = watched->gone && !watched->killed;
    g_mutex_unlock(&watched->mutex);
    return by_itself;
}

const TransportAddress *watch_address(const Watched *watched)
{
    return watched->address;
}

const char *watch_target(const Watched *watched)
{
    return watched->target;
}
