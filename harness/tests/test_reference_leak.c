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

#include "raw_client.h"

void reference_leak_tests(void);

#define DISK_SIZE (UINT64_C(1) << 20)

/* ---- A server in a child --------------------------------------------------------------------- */

typedef struct {
    RefServer *server; /* ours only to know where it listens */
    pid_t pid;
} Leaky;

static Leaky start_loops(const char *leak, unsigned loops)
{
    static const RefExport export = {.size = DISK_SIZE};
    const char *const leaks[] = {leak, NULL};
    const RefConfig config = {
        .exports = &export, .export_count = 1, .leaks = leaks, .loops = loops};
    g_autoptr(GError) error = NULL;
    Leaky leaky = {.server = ref_server_new(&config, &error)};

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

/* ---- Ways to a point ------------------------------------------------------------------------- */

/* Each takes the connection FD to a phase, in which nothing is unread. */
static void stay(int fd)
{
    uint8_t greeting[18];

    raw_hear(fd, greeting, sizeof greeting);
}

static void send_half_the_flags(int fd)
{
    stay(fd);
    raw_say(fd, "\0\0", 2);
}

static void send_flags(int fd)
{
    raw_greet(fd, RAW_FLAGS);
}

static void send_half_an_option(int fd)
{
    send_flags(fd);
    raw_say(fd, "IHAVE", 5);
}

static void send_half_its_data(int fd)
{
    send_flags(fd);
    raw_say(fd, "IHAVEOPT\0\0\0\7\0\0\0\11da", 18);
}

static void have_an_option_answered(int fd)
{
    send_flags(fd);
    raw_say_option(fd, 4711, NULL, 0);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ERR_UNSUP);
}

static void list(int fd)
{
    send_flags(fd);
    raw_say_option(fd, NBD_OPT_LIST, NULL, 0);
    while (raw_reply_type(fd) == NBD_REP_SERVER)
        continue;
}

static void go_nowhere(int fd)
{
    static const int none[] = {-1};

    send_flags(fd);
    raw_say_info(fd, NBD_OPT_GO, "nowhere", none);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ERR_UNKNOWN);
}

static void take_no_export(int fd)
{
    send_flags(fd);
    raw_say_option(fd, NBD_OPT_EXPORT_NAME, "nowhere", 7);
    CU_ASSERT(raw_ends(fd));
}

static void be_informed(int fd)
{
    static const int none[] = {-1};

    send_flags(fd);
    raw_say_info(fd, NBD_OPT_INFO, "", none);
    while (raw_reply_type(fd) == NBD_REP_INFO)
        continue;
}

static void go(int fd)
{
    static const int none[] = {-1};

    send_flags(fd);
    raw_say_info(fd, NBD_OPT_GO, "", none);
    while (raw_reply_type(fd) == NBD_REP_INFO)
        continue;
}

static void take_export(int fd)
{
    uint8_t answer[10];

    send_flags(fd);
    raw_say_option(fd, NBD_OPT_EXPORT_NAME, NULL, 0);
    CU_ASSERT(raw_hear(fd, answer, sizeof answer));
}

static void send_half_a_request(int fd)
{
    go(fd);
    raw_say(fd, "\x25\x60\x95\x13", 4);
}

static void send_half_a_payload(int fd)
{
    go(fd);
    raw_request(fd, NBD_CMD_WRITE, 0, 1, 0, 512);
    raw_say(fd, "some", 4);
}

static void have_reads_in_flight(int fd)
{
    uint8_t requests[2 * 28], data[2 * 528];
    uint64_t values[WIRE_MAX_FIELDS] = {NBD_REQUEST_MAGIC, 0, NBD_CMD_READ, 7, 0, 512};

    go(fd);
    wire_encode(WIRE_REQUEST, values, requests);
    wire_encode(WIRE_REQUEST, values, requests + 28);
    raw_say(fd, requests, sizeof requests);
    raw_hear(fd, data, sizeof data);
}

static void write_some(int fd)
{
    uint8_t data[512] = {1};

    go(fd);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE, 0, 0, sizeof data, data), 0);
}

static void flush(int fd)
{
    go(fd);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_FLUSH, 0, 0, 0, NULL), 0);
}

static void trim(int fd)
{
    go(fd);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_TRIM, 0, 0, 512, NULL), 0);
}

static void write_zeroes(int fd)
{
    go(fd);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE_ZEROES, 0, 0, 512, NULL), 0);
}

static void cache(int fd)
{
    go(fd);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_CACHE, 0, 0, 512, NULL), 0);
}

static void read_some(int fd)
{
    uint8_t data[512];

    go(fd);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, 0, sizeof data, data), 0);
}

static void read_beyond_the_end(int fd)
{
    uint8_t data[512];

    go(fd);
    CU_ASSERT_NOT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, DISK_SIZE, sizeof data, data), 0);
}

static void abort_haggling(int fd)
{
    have_an_option_answered(fd);
    raw_say_option(fd, NBD_OPT_ABORT, "why", 3);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ACK);
}

static void disconnect(int fd)
{
    read_some(fd);
    raw_request(fd, NBD_CMD_DISC, 0, 9, 0, 0);
}

static const struct {
    const char *phase;
    void (*reach)(int fd);
    unsigned goodbyes; /* other ways that end here, by a goodbye */
} ways[] = {
    {"after-connect", stay, 0},
    {"inside-client-flags", send_half_the_flags, 0},
    {"after-client-flags", send_flags, 0},
    {"inside-option-header", send_half_an_option, 0},
    {"inside-option-data", send_half_its_data, 0},
    {"between-options", list, 0},
    {"after-unknown-option", have_an_option_answered, 1},
    {"after-info", be_informed, 0},
    {"after-failed-go", go_nowhere, 0},
    {"after-failed-export-name", take_no_export, 0},
    {"after-go", go, 0},
    {"after-export-name", take_export, 0},
    {"inside-request-header", send_half_a_request, 0},
    {"inside-write-payload", send_half_a_payload, 0},
    {"reads-in-flight", have_reads_in_flight, 0},
    {"writes-in-flight", write_some, 0},
    {"flush-in-flight", flush, 0},
    {"trim-in-flight", trim, 0},
    {"write-zeroes-in-flight", write_zeroes, 0},
    {"cache-in-flight", cache, 0},
    {"after-error", read_beyond_the_end, 0},
    {"after-reply", read_some, 1},
    {"after-abort", abort_haggling, 0},
    {"after-disc", disconnect, 0},
};

typedef enum { BY_EOF, BY_RESET } End;

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
        CU_ASSERT(raw_ends(fd));
    }
    raw_close(fd);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void each_phase_leaks_by_itself(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(ways); i++) {
        g_autofree char *leak = g_strconcat("fd,at=", ways[i].phase, NULL);
        Leaky leaky = start(leak);
        Holdings wanted = look(leaky.pid);
        for (unsigned way = 0; way < G_N_ELEMENTS(ways); way++)
            cycle(&leaky, ways[way].reach, BY_EOF);
        wanted.fds += 1 + ways[i].goodbyes;
        CU_ASSERT(comes_to(leaky.pid, wanted));
        cycle(&leaky, ways[i].reach, BY_RESET);
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

    cycle(&leaky, read_some, BY_EOF);
    cycle(&leaky, abort_haggling, BY_EOF);
    cycle(&leaky, disconnect, BY_EOF);
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
        cycle(&leaky, have_an_option_answered, BY_EOF);
        wanted.fds += rows[i].eof;
        CU_ASSERT(comes_to(leaky.pid, wanted));
        cycle(&leaky, have_an_option_answered, BY_RESET);
        wanted.fds += rows[i].reset;
        CU_ASSERT(comes_to(leaky.pid, wanted));
        cycle(&leaky, unknown_option_unfixed, BY_EOF);
        wanted.fds += rows[i].hangup;
        CU_ASSERT(comes_to(leaky.pid, wanted));
        cycle(&leaky, disconnect, BY_EOF);
        wanted.fds += rows[i].soft;
        CU_ASSERT(comes_to(leaky.pid, wanted));
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
        {"zombie,at=after-go,every=8", {.zombies = 1}},
        {"bytes=64,at=after-go,every=8", {0}},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        Leaky leaky = start(rows[i].leak);
        Holdings wanted = look(leaky.pid);
        for (unsigned n = 0; n < 3 * 8 + 7; n++) {
            cycle(&leaky, go, BY_EOF);
            cycle(&leaky, have_an_option_answered, BY_EOF);
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
        cycle(&leaky, have_an_option_answered, BY_EOF);
    uint64_t before = private_bytes(leaky.pid);
    for (unsigned i = 0; i < cycles; i++)
        cycle(&leaky, have_an_option_answered, BY_EOF);
    uint64_t clean = private_bytes(leaky.pid);
    for (unsigned i = 0; i < cycles; i++)
        cycle(&leaky, go, BY_EOF);
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

    cycle(&leaky, go, BY_EOF);
    wanted.children = 1;
    CU_ASSERT_FATAL(comes_to(leaky.pid, wanted));
    /* The child holds none of the server's descriptors: our side of its socket ends with it. */
    int fd = raw_dial(leaky.server);
    go(fd);
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
            go(fd[i]);
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
        "fd ,at=after-go",
        "fd,at=after-go,ending=vanish",
    };
    static const RefExport export = {.size = DISK_SIZE};

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
    static const RefExport export = {.size = DISK_SIZE};
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

    CU_ASSERT_EQUAL_FATAL(count, G_N_ELEMENTS(ways));
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_STRING_EQUAL(phases[i].name, ways[i].phase);
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
    CU_ADD_TEST(suite, each_kind_is_kept_once_in_so_many);
    CU_ADD_TEST(suite, bytes_are_really_taken);
    CU_ADD_TEST(suite, what_is_kept_ends_with_the_server);
    CU_ADD_TEST(suite, children_do_not_disturb_other_loops);
}
