/* Servers' processes: started, known to live or to have ended, and gone in the end, whatever they do. */
#include <CUnit/CUnit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "watch/private.h"
#include "watched.h"

void watch_tests(void);

#define NBDKIT "nbdkit -f -U {socket} memory 1M"
/* In a shell whose first argument is the socket. */
#define EXEC_NBDKIT "exec nbdkit -f -U $0 memory 1M' {socket}"

/* ---- Starting ------------------------------------------------------------------------------------ */

static void runs_and_is_gone(const char *command)
{
    Watched *watched = watched_start(command);
    WatchSample sample;

    if (watched == NULL)
        return;
    CU_ASSERT(watch_settle(watched, NULL, WATCHED_SETTLE_MS, &sample));
    CU_ASSERT_EQUAL(watch_state(watched, NULL), WATCH_RUNS);
    CU_ASSERT_EQUAL(sample.processes, 1);
    CU_ASSERT_EQUAL(sample.zombies, 0);
    CU_ASSERT(sample.fds[FD_SOCKET] >= 1);
    CU_ASSERT(sample.private_bytes > 10000);
    pid_t pid = watch_main_pid(watched);
    CU_ASSERT(!watched_gone(pid));
    watched_connect(watched);
    g_autofree char *target = g_strdup(watch_target(watched));
    watch_free(watched);
    CU_ASSERT(watched_gone(pid));
    CU_ASSERT(target[0] != '/' || access(target, F_OK) != 0);
}

static void servers_in_the_foreground_are_watched(void)
{
    runs_and_is_gone("nbdkit -f -U {socket} memory 64M");
    runs_and_is_gone("nbdkit -f -p {port} memory 64M");
    runs_and_is_gone("qemu-nbd -k {socket} -f raw /etc/hostname -r");
    runs_and_is_gone("nbd-server -d 127.0.0.1@{port} /etc/hostname -r -C /dev/null");
}

static void servers_in_the_background_are_watched(void)
{
    runs_and_is_gone("nbdkit -U {socket} memory 64M");
    runs_and_is_gone("nbdkit -p {port} memory 64M");
    runs_and_is_gone("nbd-server 127.0.0.1@{port} /etc/hostname -r -C /dev/null -p {dir}/pid");
    runs_and_is_gone("qemu-nbd --fork -k {socket} -f raw /etc/hostname -r");
}

/* It listens for a while before: who was the server by then has gone. */
static void who_goes_into_the_background_late_is_followed(void)
{
    g_autoptr(Watched) watched = watched_start(
        "python3 -c 'import os, socket, sys, time; server = socket.socket(socket.AF_UNIX); "
        "server.bind(sys.argv[1]); server.listen(); "
        "time.sleep(1); os.fork() and os._exit(0); time.sleep(1000)' {socket}");

    if (watched == NULL)
        return;
    pid_t first = watch_main_pid(watched), last = first;
    for (unsigned i = 0; last == first && i < WATCHED_READY_MS / 10; i++) {
        g_usleep(10000);
        last = watch_main_pid(watched);
    }
    CU_ASSERT_NOT_EQUAL(last, first);
    CU_ASSERT_EQUAL(watch_state(watched, NULL), WATCH_RUNS);
    watched_connect(watched);
}

static void a_uri_says_where_to_listen(void)
{
    g_autoptr(Watched) by_socket = watched_start("sh -c 'echo uri $1; " EXEC_NBDKIT " {uri}");
    g_autoptr(Watched) by_port =
        watched_start("sh -c 'echo uri $1; exec nbdkit -f -p $0 memory 1M' {port} {uri}");

    if (by_socket == NULL || by_port == NULL)
        return;
    g_autofree char *path =
        g_strdup_printf("uri nbd+unix:///?socket=%s\n", watch_target(by_socket));
    g_autofree char *port = g_strdup_printf("uri nbd://%s/\n", watch_target(by_port));
    g_autofree char *first = watch_output(by_socket, 0, SIZE_MAX);
    g_autofree char *second = watch_output(by_port, 0, SIZE_MAX);
    CU_ASSERT_STRING_EQUAL(first, path);
    CU_ASSERT_STRING_EQUAL(second, port);
}

static void impossible_commands_are_refused(void)
{
    watched_fails("nbdkit -f memory 1M", 1000, WATCH_ERROR_COMMAND, "{socket}");
    watched_fails("nbdkit -U '{socket} memory 1M", 1000, WATCH_ERROR_COMMAND, "quot");
    watched_fails("", 1000, WATCH_ERROR_COMMAND, "empty");
    watched_fails("no-such-server {socket}", 1000, WATCH_ERROR_START, "no-such-server");
}

static void a_server_that_does_not_start_says_why(void)
{
    watched_fails("sh -c 'echo no such disk >&2; exit 3' {socket}", WATCHED_READY_MS,
                  WATCH_ERROR_START,
                  "exited with status 3 before it accepted a connection; it said:"
                  "\nno such disk");
    watched_fails("sh -c 'kill -SEGV $$' {socket}", WATCHED_READY_MS, WATCH_ERROR_START,
                  "killed by signal 11");
    watched_fails("sh -c 'sleep 1000; true' {socket}", 100, WATCH_ERROR_START, "did not listen");
    watched_fails("/dev/null {socket}", WATCHED_READY_MS, WATCH_ERROR_START, "there is no program");
}

static void a_lost_port_is_another_try(void)
{
    g_autofree char *folder = g_dir_make_tmp("nbdconform-test-XXXXXX", NULL);
    g_autofree char *command =
        g_strdup_printf("sh -c 'rmdir %s && echo bind: Address already in use && exit 1; "
                        "exec nbdkit -f -p $0 memory 1M' {port}",
                        folder);
    g_autoptr(Watched) watched = watched_start(command);

    CU_ASSERT_PTR_NOT_NULL(watched);
}

/* ---- Ending -------------------------------------------------------------------------------------- */

/* The numbers that a server wrote into FOLDER/pids, one a line. */
static GArray *pids_written(const Watched *watched)
{
    g_autofree char *folder = g_path_get_dirname(watch_target(watched));
    g_autofree char *path = g_build_filename(folder, "pids", NULL);
    g_autofree char *text = NULL;
    GArray *pids = g_array_new(FALSE, FALSE, sizeof(pid_t));

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return pids;
    for (char *at = text, *end = NULL; *at != '\0'; at = *end == '\0' ? end : end + 1) {
        pid_t pid = (pid_t)strtol(at, &end, 10);
        g_array_append_val(pids, pid);
    }
    return pids;
}

static void whatever_it_left_behind_is_ended(void)
{
    Watched *watched =
        watched_start("sh -c 'setsid sleep 1000 & echo $! >$1/pids; "
                      "(setsid sleep 1000 & echo $! >>$1/pids); " EXEC_NBDKIT " {dir}");
    WatchSample sample;

    if (watched == NULL)
        return;
    g_autoptr(GArray) pids = pids_written(watched);
    CU_ASSERT_EQUAL(pids->len, 2);
    CU_ASSERT(watch_settle(watched, NULL, WATCHED_SETTLE_MS, &sample));
    CU_ASSERT_EQUAL(sample.processes, 3);
    watch_free(watched);
    for (guint i = 0; i < pids->len; i++)
        CU_ASSERT(watched_gone(g_array_index(pids, pid_t, i)));
}

static void stopping_waits_and_then_kills(void)
{
    g_autoptr(Watched) polite = watched_start(NBDKIT);
    g_autoptr(Watched) deaf =
        watched_start("sh -c 'trap \"\" TERM; echo $$ >$1/pids; nbdkit -U $0 memory 1M; "
                      "sleep 1000; true' {socket} {dir}");

    if (polite == NULL || deaf == NULL)
        return;
    g_autoptr(GArray) pids = pids_written(deaf);
    CU_ASSERT_EQUAL_FATAL(pids->len, 1);
    CU_ASSERT(watch_stop(polite, WATCHED_STOP_MS));
    CU_ASSERT(!watch_stop(deaf, 100));
    CU_ASSERT(watch_stop(polite, 0)); /* once is enough */
    CU_ASSERT_NOT_EQUAL(watch_state(polite, NULL), WATCH_RUNS);
    CU_ASSERT_NOT_EQUAL(watch_state(deaf, NULL), WATCH_RUNS);
    CU_ASSERT(watched_gone(g_array_index(pids, pid_t, 0)));
}

static void a_stopped_process_is_ended_too(void)
{
    g_autoptr(Watched) watched = watched_start(NBDKIT);

    if (watched == NULL)
        return;
    CU_ASSERT(watch_signal(watched, SIGSTOP, NULL));
    CU_ASSERT_EQUAL(watch_state(watched, NULL), WATCH_RUNS);
    CU_ASSERT(watch_stop(watched, WATCHED_STOP_MS));
}

/* A program that starts a server and is killed: tells the server's number to FD. */
static _Noreturn void be_killed(int fd)
{
    Watched *watched = watched_start(NBDKIT);
    pid_t pid = watched != NULL ? watch_main_pid(watched) : 0;

    if (write(fd, &pid, sizeof pid) == (ssize_t)sizeof pid)
        kill(getpid(), SIGKILL);
    _exit(1);
}

static void nothing_outlives_us(void)
{
    enum { TRIES = 2000, PAUSE_US = 10000 };
    int fds[2];
    pid_t server = 0;

    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    pid_t program = fork();
    if (program == 0)
        be_killed(fds[1]);
    close(fds[1]);
    CU_ASSERT_EQUAL(read(fds[0], &server, sizeof server), (ssize_t)sizeof server);
    close(fds[0]);
    waitpid(program, NULL, 0);
    CU_ASSERT(server > 0);
    for (unsigned i = 0; i < TRIES && !watched_gone(server); i++)
        g_usleep(PAUSE_US);
    CU_ASSERT(watched_gone(server));
}

static void *start_and_stop(void *unused)
{
    enum { TIMES = 3 };

    (void)unused;
    for (unsigned i = 0; i < TIMES; i++) {
        g_autoptr(Watched) watched =
            watched_start(i % 2 == 0 ? NBDKIT : "nbdkit -f -p {port} memory 1M");
        CU_ASSERT(watched != NULL && watch_stop(watched, WATCHED_STOP_MS));
    }
    return NULL;
}

static void several_run_at_once(void)
{
    GThread *threads[4];

    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("start-stop", start_and_stop, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
}

/* ---- How it is ------------------------------------------------------------------------------------ */

static void ends_as(const char *command, int number, WatchState state, int status,
                    const char *description)
{
    g_autoptr(Watched) watched = watched_start(command);
    int found = 0;

    if (watched == NULL)
        return;
    g_autofree char *before = watch_describe(watched);
    CU_ASSERT_STRING_EQUAL(before, "runs");
    CU_ASSERT(watch_signal(watched, number, NULL));
    for (unsigned i = 0; i < 1000 && watch_state(watched, &found) == WATCH_RUNS; i++)
        g_usleep(10000);
    CU_ASSERT_EQUAL(watch_state(watched, &found), state);
    CU_ASSERT_EQUAL(found, status);
    g_autofree char *after = watch_describe(watched);
    CU_ASSERT_STRING_EQUAL(after, description);
    CU_ASSERT(!watch_signal(watched, SIGTERM, NULL));
}

static void the_end_of_a_server_is_known(void)
{
    const char *background = "nbdkit -U {socket} memory 1M";
    const char *wrapped = "sh -c 'nbdkit -f -U $0 memory 1M; exit 7' {socket}";

    ends_as(NBDKIT, SIGTERM, WATCH_EXITED, 0, "exited with status 0");
    ends_as(NBDKIT, SIGKILL, WATCH_KILLED, SIGKILL, "was killed by signal 9 (Killed)");
    ends_as(NBDKIT, SIGSEGV, WATCH_KILLED, SIGSEGV, "was killed by signal 11 (Segmentation fault)");
    ends_as(background, SIGABRT, WATCH_KILLED, SIGABRT, "was killed by signal 6 (Aborted)");
    ends_as(background, SIGTERM, WATCH_EXITED, 0, "exited with status 0");
    ends_as(wrapped, SIGTERM, WATCH_EXITED, 7, "exited with status 7");
}

/* A server beside CHILDREN, of which those that call `ready` go on when it can be reached, not before. */
static Watched *start_beside(const char *children)
{
    g_autofree char *file = NULL;
    int fd = g_file_open_tmp("nbdconform-XXXXXX", &file, NULL);
    g_autofree char *command = g_strdup_printf(
        "sh -c 'ready() { while [ -e %s ]; do sleep 0.01; done; }; %s" EXEC_NBDKIT, file, children);

    CU_ASSERT_FATAL(fd >= 0);
    Watched *watched = watched_start(command);
    close(fd);
    unlink(file);
    return watched;
}

static void a_crash_beside_the_main_process_is_known(void)
{
    g_autoptr(Watched) watched = start_beside("( (ready; exec sh -c \"kill -ABRT \\$\\$\") &); ");
    int status = 0;

    if (watched == NULL)
        return;
    for (unsigned i = 0; i < 1000 && watch_state(watched, &status) == WATCH_RUNS; i++)
        g_usleep(10000);
    CU_ASSERT_EQUAL(watch_state(watched, &status), WATCH_KILLED);
    CU_ASSERT_EQUAL(status, SIGABRT);
    g_autofree char *description = watch_describe(watched);
    CU_ASSERT_STRING_EQUAL(description, "lost a child, which was killed by signal 6 (Aborted)");
}

/* We are where the machine's own processes are: the first namespaces have these numbers, but for the network's,
 * which the first process is in. */
static bool in_first_namespaces(void)
{
    g_autofree char *user = g_file_read_link("/proc/self/ns/user", NULL);
    g_autofree char *pid = g_file_read_link("/proc/self/ns/pid", NULL);
    g_autofree char *net = g_file_read_link("/proc/self/ns/net", NULL);
    g_autofree char *first_net = g_file_read_link("/proc/1/ns/net", NULL);

    return g_strcmp0(user, "user:[4026531837]") == 0 && g_strcmp0(pid, "pid:[4026531836]") == 0 &&
           net != NULL && g_strcmp0(net, first_net) == 0;
}

/* Its parent takes the status and says nothing. */
static void a_crash_that_the_server_hides_is_known(void)
{
    g_autoptr(Watched) watched = start_beside("(ready; sh -c \"kill -SEGV \\$\\$\"; sleep 1000) & "
                                              "(sh -c \"kill -TERM \\$\\$\"; sleep 1000) & ");
    int status = 0;

    if (watched == NULL)
        return;
    CU_ASSERT(watch_sees_hidden(watched) || geteuid() != 0 || !in_first_namespaces());
    if (!watch_sees_hidden(watched)) {
        printf("(skipped: the kernel does not tell here) ");
        return;
    }
    for (unsigned i = 0; i < 1000 && watch_state(watched, &status) == WATCH_RUNS; i++)
        g_usleep(10000);
    CU_ASSERT_EQUAL(watch_state(watched, &status), WATCH_KILLED);
    CU_ASSERT_EQUAL(status, SIGSEGV);
}

/* Another server's. */
static void a_crash_elsewhere_is_not_its_fault(void)
{
    g_autoptr(Watched) watched = watched_start(NBDKIT);
    WatchSample sample;

    if (watched == NULL)
        return;
    watched_fails("sh -c 'kill -SEGV $$' {socket}", WATCHED_READY_MS, WATCH_ERROR_START, "killed");
    CU_ASSERT(watch_settle(watched, NULL, WATCHED_SETTLE_MS, &sample));
    CU_ASSERT_EQUAL(watch_state(watched, NULL), WATCH_RUNS);
}

static void a_running_process_can_be_watched(void)
{
    g_autoptr(Watched) server = watched_start(NBDKIT);
    WatchSample ours, theirs;
    int status = 0;

    if (server == NULL)
        return;
    g_autoptr(Watched) watched = watch_pid(watch_main_pid(server), NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(watched);
    CU_ASSERT(watch_settle(server, NULL, WATCHED_SETTLE_MS, &ours));
    CU_ASSERT(watch_settle(watched, &ours, WATCHED_SETTLE_MS, &theirs));
    CU_ASSERT_EQUAL(theirs.processes, 1);
    CU_ASSERT_EQUAL(watch_sample_fds(&ours), watch_sample_fds(&theirs));
    CU_ASSERT_EQUAL(watch_main_pid(watched), watch_main_pid(server));
    CU_ASSERT_PTR_NULL(watch_target(watched));
    g_autofree char *output = watch_output(watched, 0, SIZE_MAX);
    CU_ASSERT_STRING_EQUAL(output, "");
    CU_ASSERT(watch_stop(watched, WATCHED_STOP_MS)); /* not ours to end */
    CU_ASSERT_EQUAL(watch_state(watched, &status), WATCH_RUNS);
    CU_ASSERT(watch_stop(server, WATCHED_STOP_MS));
    CU_ASSERT_EQUAL(watch_state(watched, &status), WATCH_EXITED);
    CU_ASSERT_EQUAL(status, -1);
    CU_ASSERT(!watch_sample(watched, &theirs));
}

static void a_process_that_is_not_there_is_an_error(void)
{
    g_autoptr(GError) error = NULL;

    CU_ASSERT_PTR_NULL(watch_pid(INT_MAX, &error));
    CU_ASSERT(g_error_matches(error, WATCH_ERROR, WATCH_ERROR_PROCESS));
}

/* ---- What it printed ------------------------------------------------------------------------------- */

static void what_it_prints_is_kept_from_any_position(void)
{
    g_autoptr(Watched) watched = watched_start("sh -c 'echo one; echo two >&2; " EXEC_NBDKIT);

    if (watched == NULL)
        return;
    g_autofree char *all = watch_output(watched, 0, SIZE_MAX);
    g_autofree char *rest = watch_output(watched, 4, SIZE_MAX);
    g_autofree char *last = watch_output(watched, 0, 3);
    g_autofree char *none = watch_output(watched, 8, SIZE_MAX);
    CU_ASSERT_STRING_EQUAL(all, "one\ntwo\n");
    CU_ASSERT_STRING_EQUAL(rest, "two\n");
    CU_ASSERT_STRING_EQUAL(last, "wo\n");
    CU_ASSERT_STRING_EQUAL(none, "");
    CU_ASSERT_EQUAL(watch_output_position(watched), 8);
}

static void of_very_much_output_both_ends_are_kept(void)
{
    g_autoptr(Watched) watched =
        watched_start("sh -c 'echo begin; yes | head -c 5000000; echo end; " EXEC_NBDKIT);

    if (watched == NULL)
        return;
    g_autofree char *all = watch_output(watched, 0, SIZE_MAX);
    CU_ASSERT_EQUAL(watch_output_position(watched), 5000010);
    CU_ASSERT(strlen(all) < 1000000);
    CU_ASSERT(g_str_has_prefix(all, "begin\ny\n"));
    CU_ASSERT(g_str_has_suffix(all, "\ny\nend\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(all, " bytes left out]"));
}

void watch_tests(void)
{
    CU_pSuite suite = CU_add_suite("watch: processes of a server", NULL, NULL);

    CU_ADD_TEST(suite, servers_in_the_foreground_are_watched);
    CU_ADD_TEST(suite, servers_in_the_background_are_watched);
    CU_ADD_TEST(suite, who_goes_into_the_background_late_is_followed);
    CU_ADD_TEST(suite, a_uri_says_where_to_listen);
    CU_ADD_TEST(suite, impossible_commands_are_refused);
    CU_ADD_TEST(suite, a_server_that_does_not_start_says_why);
    CU_ADD_TEST(suite, a_lost_port_is_another_try);
    CU_ADD_TEST(suite, whatever_it_left_behind_is_ended);
    CU_ADD_TEST(suite, stopping_waits_and_then_kills);
    CU_ADD_TEST(suite, a_stopped_process_is_ended_too);
    CU_ADD_TEST(suite, nothing_outlives_us);
    CU_ADD_TEST(suite, several_run_at_once);
    CU_ADD_TEST(suite, the_end_of_a_server_is_known);
    CU_ADD_TEST(suite, a_crash_beside_the_main_process_is_known);
    CU_ADD_TEST(suite, a_crash_that_the_server_hides_is_known);
    CU_ADD_TEST(suite, a_crash_elsewhere_is_not_its_fault);
    CU_ADD_TEST(suite, a_running_process_can_be_watched);
    CU_ADD_TEST(suite, a_process_that_is_not_there_is_an_error);
    CU_ADD_TEST(suite, what_it_prints_is_kept_from_any_position);
    CU_ADD_TEST(suite, of_very_much_output_both_ends_are_kept);
}
