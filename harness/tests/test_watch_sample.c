/* What a server's processes hold is counted, and when they rest is known. */
#include <CUnit/CUnit.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "watched.h"

void watch_sample_tests(void);

/* A server that keeps what each client's first letter says, and then answers with a letter. */
static const char leaker[] =
    "python3 -c 'if True:\n"
    "    import os, socket, sys, threading, time\n"
    "    kept, forever = [], threading.Event()\n"
    "    server = socket.socket(socket.AF_UNIX)\n"
    "    server.bind(sys.argv[1])\n"
    "    server.listen()\n"
    "    def child(work):\n"
    "        if os.fork() == 0:\n"
    "            work()\n"
    "            os._exit(0)\n"
    "    def later():\n"
    "        file = open(\"/dev/null\")\n"
    "        time.sleep(0.03)\n"
    "        file.close()\n"
    "    ways = {\n"
    "        b\"f\": lambda: kept.append(open(\"/dev/null\")),\n"
    "        b\"s\": lambda: kept.append(socket.socket()),\n"
    "        b\"p\": lambda: kept.append(os.pipe()),\n"
    "        b\"t\": lambda: threading.Thread(target=forever.wait, daemon=True).start(),\n"
    "        b\"c\": lambda: child(lambda: time.sleep(1000)),\n"
    "        b\"z\": lambda: child(lambda: None),\n"
    "        b\"m\": lambda: kept.append(bytearray(os.urandom(1 << 20))),\n"
    "        b\"l\": lambda: threading.Thread(target=later).start(),\n"
    "        b\"n\": lambda: None,\n"
    "    }\n"
    "    while True:\n"
    "        client = server.accept()[0]\n"
    "        ways[client.recv(1)]()\n"
    "        client.send(b\".\")\n"
    "        client.close()\n"
    "' {socket}";

/* Has the server do WHAT, and waits for its answer. */
static void ask(const Watched *watched, char what)
{
    g_autoptr(Transport) transport =
        transport_connect(watch_address(watched), WATCHED_READY_MS, NULL);
    char answer = 0;
    size_t done = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(transport);
    CU_ASSERT_EQUAL(transport_write(transport, &what, 1, &done), TRANSPORT_DONE);
    struct pollfd fd = {transport_fd(transport), POLLIN, 0};
    CU_ASSERT_EQUAL(poll(&fd, 1, WATCHED_READY_MS), 1);
    CU_ASSERT_EQUAL(transport_read(transport, &answer, 1, &done), TRANSPORT_DONE);
    CU_ASSERT_EQUAL(answer, '.');
}

/* What has been added when the server has done WHAT three times. */
static WatchSample grown(Watched *watched, char what)
{
    enum { TIMES = 3 };
    WatchSample before, after, growth = {.processes = 0};

    ask(watched, 'n'); /* so that what is made once is there */
    CU_ASSERT(watch_settle(watched, NULL, WATCHED_SETTLE_MS, &before));
    for (unsigned i = 0; i < TIMES; i++)
        ask(watched, what);
    CU_ASSERT(watch_settle(watched, &before, WATCHED_SETTLE_MS, &after));
    for (size_t i = 0; i < FD_KINDS; i++)
        growth.fds[i] = after.fds[i] - before.fds[i];
    growth.private_bytes = MAX(after.private_bytes, before.private_bytes) - before.private_bytes;
    growth.threads = after.threads - before.threads;
    growth.processes = after.processes - before.processes;
    growth.zombies = after.zombies - before.zombies;
    CU_ASSERT(after.cpu_ns > before.cpu_ns);
    return growth;
}

static bool grew(const WatchSample *growth, unsigned fds, unsigned threads, unsigned processes,
                 unsigned zombies)
{
    bool as_wanted = watch_sample_fds(growth) == fds && growth->threads == threads &&
                     growth->processes == processes && growth->zombies == zombies;

    if (!as_wanted)
        printf("fds %u threads %u processes %u zombies %u\n", watch_sample_fds(growth),
               growth->threads, growth->processes, growth->zombies);
    return as_wanted;
}

static void descriptors_are_counted_by_kind(void)
{
    g_autoptr(Watched) watched = watched_start(leaker);

    if (watched == NULL)
        return;
    WatchSample nothing = grown(watched, 'n');
    CU_ASSERT(grew(&nothing, 0, 0, 0, 0));
    WatchSample files = grown(watched, 'f');
    CU_ASSERT(grew(&files, 3, 0, 0, 0));
    CU_ASSERT_EQUAL(files.fds[FD_FILE], 3);
    WatchSample sockets = grown(watched, 's');
    CU_ASSERT(grew(&sockets, 3, 0, 0, 0));
    CU_ASSERT_EQUAL(sockets.fds[FD_SOCKET], 3);
    WatchSample pipes = grown(watched, 'p');
    CU_ASSERT(grew(&pipes, 6, 0, 0, 0));
    CU_ASSERT_EQUAL(pipes.fds[FD_PIPE], 6);
}

static void threads_children_and_zombies_are_counted(void)
{
    g_autoptr(Watched) watched = watched_start(leaker);

    if (watched == NULL)
        return;
    WatchSample threads = grown(watched, 't');
    CU_ASSERT(grew(&threads, 0, 3, 0, 0));
    WatchSample zombies = grown(watched, 'z');
    CU_ASSERT(grew(&zombies, 0, 0, 0, 3));
    WatchSample children = grown(watched, 'c');
    CU_ASSERT_EQUAL(children.processes, 3);
    CU_ASSERT_EQUAL(children.threads, 3);
    CU_ASSERT(watch_sample_fds(&children) > 0); /* theirs */
    CU_ASSERT_EQUAL(children.zombies, 0);
}

/* Ours to reap, not the server's. */
static void a_zombie_of_another_parent_is_no_zombie_of_the_server(void)
{
    pid_t child = fork();
    WatchSample sample = {.processes = 1};

    if (child == 0) {
        pause();
        _exit(0);
    }
    g_autoptr(Watched) watched = watch_pid(child, NULL);
    CU_ASSERT_PTR_NOT_NULL(watched);
    kill(child, SIGKILL);
    for (unsigned i = 0; watched != NULL && i < WATCHED_SETTLE_MS; i++) {
        (void)watch_sample(watched, &sample);
        if (sample.processes == 0)
            break;
        g_usleep(1000);
    }
    CU_ASSERT_EQUAL(sample.processes, 0);
    CU_ASSERT_EQUAL(sample.zombies, 0);
    waitpid(child, NULL, 0);
}

static void memory_is_measured(void)
{
    enum { THREE_MIB = 3 << 20 };
    g_autoptr(Watched) watched = watched_start(leaker);

    if (watched == NULL)
        return;
    WatchSample memory = grown(watched, 'm');
    CU_ASSERT(memory.private_bytes >= THREE_MIB);
    CU_ASSERT(memory.private_bytes < 2 * THREE_MIB);
    WatchSample children = grown(watched, 'c'); /* what parent and child share counts once */
    CU_ASSERT(children.private_bytes < THREE_MIB);
}

/* We are watched ourselves; the other is an interpreter, of which no build is sanitized. */
static void a_sanitizer_in_the_server_is_known(void)
{
    g_autoptr(Watched) self = watch_pid(getpid(), NULL), other = watched_start(leaker);

    CU_ASSERT_PTR_NOT_NULL_FATAL(self);
#ifdef __SANITIZE_ADDRESS__
    CU_ASSERT_TRUE(watch_sanitized(self));
#else
    CU_ASSERT_FALSE(watch_sanitized(self));
#endif
    if (other != NULL)
        CU_ASSERT_FALSE(watch_sanitized(other));
}

static void what_is_let_go_a_little_later_is_waited_for(void)
{
    g_autoptr(Watched) watched = watched_start(leaker);

    if (watched == NULL)
        return;
    WatchSample growth = grown(watched, 'l');
    CU_ASSERT(grew(&growth, 0, 0, 0, 0));
}

static void a_server_without_rest_is_not_waited_for_in_vain(void)
{
    g_autoptr(Watched) watched =
        watched_start("sh -c 'while :; do :; done & exec nbdkit -f -U $0 memory 1M' {socket}");
    WatchSample sample;

    if (watched == NULL)
        return;
    gint64 start = g_get_monotonic_time();
    CU_ASSERT(!watch_settle(watched, NULL, 200, &sample));
    CU_ASSERT(g_get_monotonic_time() - start >= 200 * G_TIME_SPAN_MILLISECOND);
    CU_ASSERT_EQUAL(sample.processes, 2);
    CU_ASSERT(watch_signal(watched, SIGKILL, NULL));
}

static void nothing_is_counted_of_what_is_gone(void)
{
    g_autoptr(Watched) watched = watched_start("nbdkit -f -U {socket} memory 1M");
    WatchSample sample;

    if (watched == NULL)
        return;
    CU_ASSERT(watch_sample(watched, &sample));
    CU_ASSERT(watch_stop(watched, WATCHED_STOP_MS));
    CU_ASSERT(!watch_sample(watched, &sample));
    CU_ASSERT(!watch_settle(watched, NULL, WATCHED_SETTLE_MS, &sample));
    CU_ASSERT_EQUAL(sample.processes, 0);
    CU_ASSERT_EQUAL(watch_sample_fds(&sample), 0);
}

/* A child of nbd-server serves each client. */
static void a_child_for_a_client_is_seen_while_it_lives(void)
{
    g_autoptr(Watched) watched =
        watched_start("nbd-server 127.0.0.1@{port} /etc/hostname -r -C /dev/null -p {dir}/pid");
    WatchSample before, during, after;

    if (watched == NULL)
        return;
    CU_ASSERT(watch_settle(watched, NULL, WATCHED_SETTLE_MS, &before));
    Transport *client = transport_connect(watch_address(watched), WATCHED_READY_MS, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(client);
    struct pollfd fd = {transport_fd(client), POLLIN, 0};
    CU_ASSERT_EQUAL(poll(&fd, 1, WATCHED_READY_MS), 1); /* the greeting */
    CU_ASSERT(watch_sample(watched, &during));
    transport_free(client);
    CU_ASSERT(watch_settle(watched, &before, WATCHED_SETTLE_MS, &after));
    CU_ASSERT_EQUAL(during.processes, before.processes + 1);
    CU_ASSERT_EQUAL(after.processes, before.processes);
    CU_ASSERT_EQUAL(watch_sample_fds(&after), watch_sample_fds(&before));
    CU_ASSERT_EQUAL(after.zombies, 0);
}

/* ---- Garbage ---------------------------------------------------------------------------------- */

/* What a server is said to let lie that is a copy of Python called NAME, with WORDS, as printf writes them, behind
 * it, and GOGC in its environment. */
static double garbage_in(const char *name, const char *words, const char *gogc, const char *runtime)
{
    g_autofree char *command = g_strdup_printf(
        "env GOGC=%s sh -c 'cp /usr/bin/python3 $1/%s && printf \"%s\" inf: >>$1/%s && "
        "exec $1/%s -c \"import socket, sys, time; server = socket.socket(socket.AF_UNIX); "
        "server.bind(sys.argv[1]); server.listen(); time.sleep(1000)\" $2' - {dir} {socket}",
        gogc, name, words, name, name);
    g_autoptr(Watched) watched = watched_start(command);
    const char *found;

    CU_ASSERT_PTR_NOT_NULL_FATAL(watched);
    double garbage = watch_garbage(watched, &found);
    CU_ASSERT_EQUAL(g_strcmp0(found, runtime), 0);
    return garbage;
}

static void garbage_is_let_lie_by_some_runtimes(void)
{
    CU_ASSERT_EQUAL(garbage_in("python", "%.0s", "100", NULL), 0);
    CU_ASSERT_EQUAL(garbage_in("python", "Go build%s", "100", NULL), 0);
    CU_ASSERT(isinf(garbage_in("node", "%.0s", "100", "Node")));
    double usual = garbage_in("python", "\\377 Go build%s", "100", "Go");
    double little = garbage_in("python", "\\377 Go build%s", "5", "Go");
    CU_ASSERT(usual > (1 << 20) && usual < (1 << 30));
    CU_ASSERT(little > usual / 40 && little < usual / 10);
    CU_ASSERT(isinf(garbage_in("python", "\\377 Go build%s", "off", "Go")));
}

void watch_sample_tests(void)
{
    CU_pSuite suite = CU_add_suite("watch: what processes hold", NULL, NULL);

    CU_ADD_TEST(suite, descriptors_are_counted_by_kind);
    CU_ADD_TEST(suite, threads_children_and_zombies_are_counted);
    CU_ADD_TEST(suite, a_zombie_of_another_parent_is_no_zombie_of_the_server);
    CU_ADD_TEST(suite, memory_is_measured);
    CU_ADD_TEST(suite, a_sanitizer_in_the_server_is_known);
    CU_ADD_TEST(suite, what_is_let_go_a_little_later_is_waited_for);
    CU_ADD_TEST(suite, a_server_without_rest_is_not_waited_for_in_vain);
    CU_ADD_TEST(suite, nothing_is_counted_of_what_is_gone);
    CU_ADD_TEST(suite, garbage_is_let_lie_by_some_runtimes);
    CU_ADD_TEST(suite, a_child_for_a_client_is_seen_while_it_lives);
}
