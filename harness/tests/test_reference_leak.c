/* The reference server's leaks: each keeps what it says, of connections that end where it says, and
 * of no others. The server is a process of its own, and /proc tells. */
#include <CUnit/CUnit.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "leak_ways.h"
#include "tls_pair.h"

void reference_leak_tests(void);

/* ---- A server in a child --------------------------------------------------------------------- */

typedef struct {
    RefServer *server; /* ours only to know where it listens */
    RefTls *tls;
    pid_t pid;
} Leaky;

static Leaky start_loops(const char *leak, unsigned loops)
{
    static const RefExport export = {.size = LEAK_DISK_SIZE};
    static const RefTlsOptions keeper = {.psk_file = CERTIFICATES("keys.psk")};
    const char *const leaks[] = {leak, NULL};
    RefTls *tls = ref_tls_new(&keeper, NULL);
    const RefConfig config = {
        .exports = &export, .export_count = 1, .leaks = leaks, .loops = loops, .tls = tls};
    g_autoptr(GError) error = NULL;
    Leaky leaky = {.server = ref_server_new(&config, &error), .tls = tls};

    CU_ASSERT_PTR_NOT_NULL_FATAL(leaky.server);
    leaky.pid = fork();
    if (leaky.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(ref_server_run(leaky.server, -1, NULL) ? 0 : 1);
    }
    CU_ASSERT_FATAL(leaky.pid > 0);
    return leaky;
}

static Leaky start(const char *leak)
{
    return start_loops(leak, 1);
}

static void stop(Leaky *leaky)
{
    kill(leaky->pid, SIGKILL);
    waitpid(leaky->pid, NULL, 0);
    ref_server_free(leaky->server);
    ref_tls_free(leaky->tls);
}

/* ---- What it has ----------------------------------------------------------------------------- */

static unsigned count_entries(pid_t pid, const char *what)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int)pid, what);
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    unsigned count = 0;

    while (folder != NULL && g_dir_read_name(folder) != NULL)
        count++;
    return count;
}

/* The number in the line that begins with KEY, of a file in the process's folder; 0: none. */
static uint64_t number_of(const char *pid, const char *file, const char *key)
{
    g_autofree char *path = g_build_filename("/proc", pid, file, NULL);
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return 0;
    const char *line = strstr(text, key);
    return line != NULL ? g_ascii_strtoull(line + strlen(key), NULL, 10) : 0;
}

static bool is_zombie(const char *pid)
{
    g_autofree char *path = g_build_filename("/proc", pid, "status", NULL);
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) && strstr(text, "State:\tZ") != NULL;
}

/* Of the first thread, which is the one that serves. */
static unsigned count_children(pid_t parent, bool zombies)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", (int)parent, (int)parent);
    g_autofree char *text = NULL;
    unsigned count = 0;

    CU_ASSERT_FATAL(g_file_get_contents(path, &text, NULL, NULL));
    g_auto(GStrv) children = g_strsplit(g_strstrip(text), " ", -1);
    for (char **child = children; *child != NULL && **child != '\0'; child++)
        count += is_zombie(*child) == zombies;
    return count;
}

typedef struct {
    unsigned fds, threads, children, zombies;
} Holdings;

static Holdings look(pid_t pid)
{
    return (Holdings){
        .fds = count_entries(pid, "fd"),
        .threads = count_entries(pid, "task"),
        .children = count_children(pid, false),
        .zombies = count_children(pid, true),
    };
}

/* Waits until PID has WANTED: its side of a connection is not over at once. */
static bool comes_to(pid_t pid, Holdings wanted)
{
    gint64 deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    Holdings now = look(pid);

    while (memcmp(&now, &wanted, sizeof now) != 0 && g_get_monotonic_time() < deadline) {
        g_usleep(2000);
        now = look(pid);
    }
    if (memcmp(&now, &wanted, sizeof now) != 0)
        printf("\n    fds %u (%u), threads %u (%u), children %u (%u), zombies %u (%u)\n", now.fds,
               wanted.fds, now.threads, wanted.threads, now.children, wanted.children, now.zombies,
               wanted.zombies);
    return memcmp(&now, &wanted, sizeof now) == 0;
}

/* ---- Connections ------------------------------------------------------------------------------ */

typedef enum { BY_EOF, BY_RESET } End;

/* In the end TLS may say something. */
static bool ends_at_last(int fd)
{
    uint8_t byte;

    while (raw_hear(fd, &byte, 1))
        continue;
    return raw_ends(fd);
}

/* A whole connection. */
static void cycle(const Leaky *leaky, void (*reach)(int fd), End end)
{
    const struct linger at_once = {.l_onoff = 1};
    int fd = raw_dial(leaky->server);

    CU_ASSERT_FATAL(fd >= 0);
    reach(fd);
    if (end == BY_RESET) {
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    } else {
        shutdown(fd, SHUT_WR);
        CU_ASSERT(ends_at_last(fd));
    }
    raw_close(fd);
}

/* Holds a connection; true if MORE descriptors than were WANTED before stay behind. */
static bool leaves(const Leaky *leaky, Holdings *wanted, void (*reach)(int fd), End end,
                   unsigned more)
{
    cycle(leaky, reach, end);
    wanted->fds += more;
    return comes_to(leaky->pid, *wanted);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void each_phase_leaks_by_itself(void)
{
    for (unsigned i = 0; i < leak_way_count; i++) {
        g_autofree char *leak = g_strconcat("fd,at=", leak_ways[i].phase, NULL);
        Leaky leaky = start(leak);
        Holdings wanted = look(leaky.pid);
        for (unsigned way = 0; way < leak_way_count; way++)
            cycle(&leaky, leak_ways[way].reach, BY_EOF);
        wanted.fds += 1 + leak_ways[i].goodbyes;
        CU_ASSERT(comes_to(leaky.pid, wanted));
        cycle(&leaky, leak_ways[i].reach, BY_RESET);
        wanted.fds += 1;
        CU_ASSERT(comes_to(leaky.pid, wanted));
        stop(&leaky);
    }
}

/* Who leaves by a goodbye does so at the phase where that was said, too. */
static void a_soft_end_has_the_phase_before_it(void)
{
    Leaky leaky = start("fd,at=after-reply,ending=soft");
    Holdings wanted = look(leaky.pid);

    cycle(&leaky, way_read, BY_EOF);
    cycle(&leaky, way_abort, BY_EOF);
    cycle(&leaky, way_disconnect, BY_EOF);
    wanted.fds += 1;
    CU_ASSERT(comes_to(leaky.pid, wanted));
    stop(&leaky);
}

static void unknown_option_unfixed(int fd)
{
    raw_greet(fd, 0);
    raw_say_option(fd, 4711, NULL, 0); /* which is no way to go on */
}

static void each_ending_leaks_by_itself(void)
{
    static const struct {
        const char *leak;
        unsigned eof, reset, hangup, soft;
    } rows[] = {
        {"fd,ending=eof", 1, 0, 0, 0},    {"fd,ending=reset", 0, 1, 0, 0},
        {"fd,ending=hangup", 0, 0, 1, 0}, {"fd,ending=soft", 0, 0, 0, 1},
        {"fd,ending=any", 1, 1, 1, 1},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        Leaky leaky = start(rows[i].leak);
        Holdings wanted = look(leaky.pid);
        CU_ASSERT(leaves(&leaky, &wanted, way_option_answered, BY_EOF, rows[i].eof));
        CU_ASSERT(leaves(&leaky, &wanted, way_option_answered, BY_RESET, rows[i].reset));
        CU_ASSERT(leaves(&leaky, &wanted, unknown_option_unfixed, BY_EOF, rows[i].hangup));
        CU_ASSERT(leaves(&leaky, &wanted, way_disconnect, BY_EOF, rows[i].soft));
        stop(&leaky);
    }
}

static void what_leaks_inside_of_tls_leaks_only_there(void)
{
    static const struct {
        const char *leak;
        unsigned plain, cut, notified, reset;
    } rows[] = {
        {"fd,inside=tls", 0, 1, 1, 1},
        {"fd,inside=tls,at=after-go", 0, 1, 0, 1},
        {"fd,inside=tls,ending=eof", 0, 1, 0, 0},
        {"fd,ending=notify", 0, 0, 1, 0},
        {"fd,inside=tls,ending=reset", 0, 0, 0, 1},
        {"fd,at=after-go,ending=eof", 1, 1, 0, 0},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        Leaky leaky = start(rows[i].leak);
        Holdings wanted = look(leaky.pid);
        cycle(&leaky, way_go, BY_EOF);
        CU_ASSERT(leaves(&leaky, &wanted, way_tls_begun, BY_EOF, rows[i].plain));
        CU_ASSERT(leaves(&leaky, &wanted, way_tls_go, BY_EOF, rows[i].cut));
        CU_ASSERT(leaves(&leaky, &wanted, way_tls_notified, BY_EOF, rows[i].notified));
        CU_ASSERT(leaves(&leaky, &wanted, way_tls_go, BY_RESET, rows[i].reset));
        stop(&leaky);
    }
}

static void each_kind_is_kept_once_in_so_many(void)
{
    static const struct {
        const char *leak;
        Holdings kept;
    } rows[] = {
        {"fd,at=after-go,every=8", {.fds = 1}},
        {"thread,at=after-go,every=8", {.threads = 1}},
        {"child,at=after-go,every=8", {.children = 1}},
        {"runaway,at=after-go,every=8", {.children = 1}},
        {"fd,at=after-go,every=2,most=3", {.fds = 1}},
        {"zombie,at=after-go,every=8", {.zombies = 1}},
        {"bytes=64,at=after-go,every=8", {0}},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        Leaky leaky = start(rows[i].leak);
        Holdings wanted = look(leaky.pid);
        for (unsigned n = 0; n < 3 * 8 + 7; n++) {
            cycle(&leaky, way_go, BY_EOF);
            cycle(&leaky, way_option_answered, BY_EOF);
        }
        wanted.fds += 3 * rows[i].kept.fds;
        wanted.threads += 3 * rows[i].kept.threads;
        wanted.children += 3 * rows[i].kept.children;
        wanted.zombies += 3 * rows[i].kept.zombies;
        CU_ASSERT(comes_to(leaky.pid, wanted));
        CU_ASSERT(raw_served(leaky.server));
        stop(&leaky);
    }
}

static uint64_t private_bytes(pid_t pid)
{
    g_autofree char *number = g_strdup_printf("%d", (int)pid);

    return 1024 * number_of(number, "smaps_rollup", "Private_Dirty:");
}

static void bytes_are_really_taken(void)
{
    static const uint64_t cycles = 64, bytes = 65536;
    g_autofree char *leak = g_strdup_printf("bytes=%" G_GUINT64_FORMAT ",at=after-go", bytes);
    Leaky leaky = start(leak);

    for (unsigned i = 0; i < cycles; i++)
        cycle(&leaky, way_option_answered, BY_EOF);
    uint64_t before = private_bytes(leaky.pid);
    for (unsigned i = 0; i < cycles; i++)
        cycle(&leaky, way_option_answered, BY_EOF);
    uint64_t clean = private_bytes(leaky.pid);
    for (unsigned i = 0; i < cycles; i++)
        cycle(&leaky, way_go, BY_EOF);
    uint64_t after = private_bytes(leaky.pid);
    CU_ASSERT(before > 0);
    /* AddressSanitizer keeps what was freed. */
#ifndef __SANITIZE_ADDRESS__
    CU_ASSERT(clean < before + cycles * bytes / 4);
#endif
    CU_ASSERT(after >= clean + cycles * bytes / 8 * 7);
    stop(&leaky);
}

static void what_is_kept_ends_with_the_server(void)
{
    Leaky leaky = start("child");
    Holdings wanted = look(leaky.pid);

    cycle(&leaky, way_go, BY_EOF);
    wanted.children = 1;
    CU_ASSERT_FATAL(comes_to(leaky.pid, wanted));
    /* The child holds none of the server's descriptors: our side of its socket ends with it. */
    int fd = raw_dial(leaky.server);
    way_go(fd);
    kill(leaky.pid, SIGKILL);
    CU_ASSERT(raw_ends(fd));
    raw_close(fd);
    stop(&leaky);
}

/* For a moment each child holds the sockets of all the loops, those that are being closed, too. */
static void children_do_not_disturb_other_loops(void)
{
    Leaky leaky = start_loops("zombie", 2);
    int fd[8];

    for (unsigned n = 0; n < 100; n++) {
        for (unsigned i = 0; i < G_N_ELEMENTS(fd); i++) {
            fd[i] = raw_dial(leaky.server);
            way_go(fd[i]);
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(fd); i++)
            raw_close(fd[i]);
    }
    CU_ASSERT(raw_served(leaky.server));
    stop(&leaky);
}

static void mistakes_in_leaks_are_told(void)
{
    static const char *const wrong[] = {
        "",
        "fish",
        "bytes",
        "bytes=N",
        "bytes=0",
        "bytes=1e3",
        "bytes=1G",
        "fd,",
        "fd,at=somewhere",
        "fd,every=0",
        "fd,at",
        "fd,ending=",
        "fd,every=two",
        "fd,most=0",
        "fd ,at=after-go",
        "fd,at=after-go,ending=vanish",
        "fd,inside=plain",
    };
    static const RefExport export = {.size = LEAK_DISK_SIZE};

    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        const char *const leaks[] = {"fd", wrong[i], NULL};
        const RefConfig config = {.exports = &export, .export_count = 1, .leaks = leaks};
        g_autoptr(GError) error = NULL;
        CU_ASSERT_PTR_NULL(ref_server_new(&config, &error));
        CU_ASSERT(g_error_matches(error, REF_ERROR, REF_ERROR_CONFIG));
    }
}

static void a_server_in_threads_of_the_caller_does_not_leak(void)
{
    static const RefExport export = {.size = LEAK_DISK_SIZE};
    static const char *const leaks[] = {"fd", NULL};
    const RefConfig config = {.exports = &export, .export_count = 1, .leaks = leaks};
    g_autoptr(RefServer) server = ref_server_new(&config, NULL);
    g_autoptr(GError) error = NULL;

    CU_ASSERT_PTR_NOT_NULL_FATAL(server);
    CU_ASSERT_FALSE(ref_server_start(server, &error));
    CU_ASSERT(g_error_matches(error, REF_ERROR, REF_ERROR_CONFIG));
}

static void every_phase_has_a_way(void)
{
    size_t count;
    const RefLeakPhase *phases = ref_leak_phases(&count);

    CU_ASSERT_EQUAL_FATAL(count, leak_way_count);
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_STRING_EQUAL(phases[i].name, leak_ways[i].phase);
}

void reference_leak_tests(void)
{
    CU_pSuite suite = CU_add_suite("reference server's leaks", NULL, NULL);

    CU_ADD_TEST(suite, every_phase_has_a_way);
    CU_ADD_TEST(suite, mistakes_in_leaks_are_told);
    CU_ADD_TEST(suite, a_server_in_threads_of_the_caller_does_not_leak);
    CU_ADD_TEST(suite, each_phase_leaks_by_itself);
    CU_ADD_TEST(suite, a_soft_end_has_the_phase_before_it);
    CU_ADD_TEST(suite, each_ending_leaks_by_itself);
    CU_ADD_TEST(suite, what_leaks_inside_of_tls_leaks_only_there);
    CU_ADD_TEST(suite, each_kind_is_kept_once_in_so_many);
    CU_ADD_TEST(suite, bytes_are_really_taken);
    CU_ADD_TEST(suite, what_is_kept_ends_with_the_server);
    CU_ADD_TEST(suite, children_do_not_disturb_other_loops);
}
