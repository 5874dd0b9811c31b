/* The reference server under many, silent, greedy, broken and hostile clients. */
#include <CUnit/CUnit.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "raw_client.h"

void reference_server_tests(void);

#define MIB (1024u * 1024)

/* Waits until the server has COUNT connections. */
static bool comes_to(const RefServer *server, size_t count)
{
    gint64 deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;

    while (ref_server_connections(server) != count && g_get_monotonic_time() < deadline)
        g_usleep(1000);
    return ref_server_connections(server) == count;
}

static void set_descriptor_limit(rlim_t limit)
{
    struct rlimit rlimit;

    getrlimit(RLIMIT_NOFILE, &rlimit);
    rlimit.rlim_cur = MIN(limit, rlimit.rlim_max);
    setrlimit(RLIMIT_NOFILE, &rlimit);
}

static rlim_t descriptor_limit(void)
{
    struct rlimit rlimit;

    getrlimit(RLIMIT_NOFILE, &rlimit);
    return rlimit.rlim_cur;
}

/* ---- Configurations -------------------------------------------------------------------------- */

static void configurations_that_make_no_sense_are_refused(void)
{
    static const RefExport sizes[] = {
        {.size = UINT64_C(1) << 63},       {.size = 1000, .minimum = 512},
        {.size = MIB, .minimum = 3},       {.size = MIB, .minimum = 131072},
        {.size = MIB, .preferred = 256},   {.size = MIB, .minimum = 4096, .preferred = 512},
        {.size = MIB, .preferred = 5000},  {.size = MIB, .preferred = 4096, .maximum = 2048},
        {.size = MIB, .name = "\xff\xfe"}, {.size = MIB, .description = "\xc3"},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        const RefConfig config = {.exports = &sizes[i], .export_count = 1};
        g_autoptr(GError) error = NULL;
        CU_ASSERT_PTR_NULL(ref_server_new(&config, &error));
        CU_ASSERT(g_error_matches(error, REF_ERROR, REF_ERROR_CONFIG));
    }
    const RefExport twins[] = {{.size = MIB, .name = "a"}, {.size = MIB, .name = "a"}};
    const RefConfig config = {.exports = twins, .export_count = 2};
    CU_ASSERT_PTR_NULL(ref_server_new(&config, NULL));
    const RefConfig no_default = {.exports = twins, .export_count = 1, .default_export = "b"};
    CU_ASSERT_PTR_NULL(ref_server_new(&no_default, NULL));
    const RefConfig no_address = {.exports = twins, .export_count = 1, .host = "no.address"};
    CU_ASSERT_PTR_NULL(ref_server_new(&no_address, NULL));
    const RefConfig no_folder = {.exports = twins, .export_count = 1, .socket = "/no/such/place"};
    CU_ASSERT_PTR_NULL(ref_server_new(&no_folder, NULL));
}

static int dial_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static void a_unix_socket_is_replaced_and_removed(void)
{
    g_autofree char *folder = g_dir_make_tmp("nbdconform-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "socket", NULL);
    g_autofree char *uri = g_strdup_printf("nbd+unix:///a%%20disk?socket=%s", path);
    const RefConfig config = {.socket = path};

    for (unsigned i = 0; i < 2; i++) {
        g_autoptr(RefServer) server = raw_serve(&config, MIB);
        g_autofree char *own = ref_server_uri(server, "a disk");
        int fd = dial_unix(path);
        CU_ASSERT_STRING_EQUAL(own, uri);
        CU_ASSERT_STRING_EQUAL(ref_server_socket(server), path);
        CU_ASSERT(raw_greet(fd, RAW_FLAGS));
        raw_say_option(fd, NBD_OPT_LIST, NULL, 0);
        CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_SERVER);
        raw_close(fd);
    }
    CU_ASSERT_EQUAL(g_rmdir(folder), 0);
}

static void ipv6_and_inherited_sockets_are_served(void)
{
    const RefConfig over_ipv6 = {.host = "::1"};
    g_autoptr(RefServer) first = raw_serve(&over_ipv6, MIB);
    g_autofree char *uri = ref_server_uri(first, "");
    struct sockaddr_in6 address = {.sin6_family = AF_INET6,
                                   .sin6_port = htons(ref_server_port(first)),
                                   .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    CU_ASSERT(raw_greet(fd, RAW_FLAGS));
    raw_close(fd);
    CU_ASSERT(g_str_has_prefix(uri, "nbd://[::1]:"));

    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const RefConfig inherited = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    CU_ASSERT_EQUAL(bind(inherited.fd, (const struct sockaddr *)&any, sizeof any), 0);
    CU_ASSERT_EQUAL(listen(inherited.fd, 10), 0);
    g_autoptr(RefServer) second = raw_serve(&inherited, MIB);
    CU_ASSERT(raw_served(second));
}

/* ---- Running --------------------------------------------------------------------------------- */

static void a_stopped_server_drops_its_clients_and_can_start_again(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);

    for (unsigned i = 0; i < 3; i++) {
        int in_transmission = raw_open(server, "");
        int greeted = raw_dial(server);
        uint8_t greeting[18];
        CU_ASSERT(raw_hear(greeted, greeting, sizeof greeting));
        ref_server_stop(server);
        CU_ASSERT_EQUAL(ref_server_connections(server), 0);
        CU_ASSERT(raw_ends(in_transmission));
        CU_ASSERT(raw_ends(greeted));
        raw_close(in_transmission);
        raw_close(greeted);
        CU_ASSERT(ref_server_start(server, NULL));
        CU_ASSERT(raw_served(server));
    }
}

static void several_threads_share_clients_and_disks(void)
{
    enum { CLIENTS = 60 };
    const RefConfig config = {.loops = 4};
    g_autoptr(RefServer) server = raw_serve(&config, MIB);
    int fds[CLIENTS];
    uint8_t block[512], seen[512];

    for (unsigned i = 0; i < CLIENTS; i++)
        fds[i] = raw_open(server, "");
    for (unsigned i = 0; i < CLIENTS; i++) {
        memset(block, (int)i + 1, sizeof block);
        CU_ASSERT_EQUAL(raw_do(fds[i], NBD_CMD_WRITE, 0, i * 512, 512, block), NBD_SUCCESS);
        CU_ASSERT_EQUAL(raw_do(fds[CLIENTS - 1 - i], NBD_CMD_READ, 0, i * 512, 512, seen), 0);
        CU_ASSERT(memcmp(block, seen, 512) == 0);
    }
    CU_ASSERT_EQUAL(ref_server_connections(server), CLIENTS);
    for (unsigned i = 0; i < CLIENTS; i++)
        raw_close(fds[i]);
    CU_ASSERT(comes_to(server, 0));
    CU_ASSERT_EQUAL(ref_server_accepted(server), CLIENTS);
}

static gpointer hammer(gpointer data)
{
    const RefServer *server = data;
    g_autofree uint8_t *block = g_malloc0(200000);
    unsigned failed = 0;

    for (uint32_t i = 0; i < 40; i++) {
        int fd = raw_open(server, "");
        failed += raw_do(fd, NBD_CMD_WRITE, 0, i * 1000, 200000, block) != NBD_SUCCESS;
        failed += raw_do(fd, NBD_CMD_WRITE_ZEROES, 0, i * 999, 300000, NULL) != NBD_SUCCESS;
        failed += raw_do(fd, NBD_CMD_TRIM, 0, 0, MIB, NULL) != NBD_SUCCESS;
        failed += raw_do(fd, NBD_CMD_READ, 0, i * 100, 200000, block) != NBD_SUCCESS;
        raw_close(fd);
    }
    return GUINT_TO_POINTER(failed);
}

static void threads_on_both_sides_do_not_get_in_each_others_way(void)
{
    const RefConfig config = {.loops = 3};
    g_autoptr(RefServer) server = raw_serve(&config, 2 * MIB);
    GThread *threads[4];

    for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("hammer", hammer, server);
    for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
        CU_ASSERT_EQUAL(GPOINTER_TO_UINT(g_thread_join(threads[i])), 0);
}

static void a_full_budget_is_no_space_and_trimming_gives_it_back(void)
{
    const RefConfig config = {.memory = 4 * 65536};
    g_autoptr(RefServer) server = raw_serve(&config, MIB);
    uint8_t block[512] = "data";
    int fd = raw_open(server, "");

    for (unsigned i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE, 0, i * 65536, 512, block), NBD_SUCCESS);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE, 0, 5 * 65536, 512, block), NBD_ENOSPC);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE_ZEROES, NBD_CMD_FLAG_NO_HOLE, 5 * 65536, 1, NULL),
                    NBD_ENOSPC);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE, 0, 100, 512, block), NBD_SUCCESS);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_TRIM, 0, 0, 65536, NULL), NBD_SUCCESS);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE, 0, 5 * 65536, 512, block), NBD_SUCCESS);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE_ZEROES, 0, 0, MIB, NULL), NBD_SUCCESS);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE, 0, 9 * 65536, 512, block), NBD_SUCCESS);
    raw_close(fd);
}

/* ---- Clients that are many, silent or greedy ------------------------------------------------- */

static uint64_t resident_bytes(void)
{
    g_autofree char *text = NULL;
    unsigned long total = 0, resident = 0;

    if (g_file_get_contents("/proc/self/statm", &text, NULL, NULL))
        sscanf(text, "%lu %lu", &total, &resident);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void thousands_of_silent_clients_cost_next_to_nothing(void)
{
    enum { MOST = 3000 };
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);
    rlim_t before = descriptor_limit();
    g_autofree int *fds = g_new0(int, MOST);
    unsigned count;

    set_descriptor_limit(2 * MOST + 200);
    uint64_t without = resident_bytes();
    for (count = 0; count < MOST && 2 * count + 200 < descriptor_limit(); count++) {
        uint8_t greeting[18];
        fds[count] = raw_dial(server);
        CU_ASSERT_FATAL(raw_hear(fds[count], greeting, sizeof greeting));
        /* Some stop in the middle of their flags or of an option. */
        raw_say(fds[count], "\0\0\0\3IHAVEOPT\0\0\0\7\0\1\0\0half of", count % 27);
    }
    CU_ASSERT(comes_to(server, count));
    CU_ASSERT(raw_served(server));
    uint64_t with_all = resident_bytes();
    for (unsigned i = 0; i < count; i++)
        raw_close(fds[i]);
    CU_ASSERT(comes_to(server, 0));
    /* One big buffer for each would be 750 MB. */
    CU_ASSERT(with_all < without + UINT64_C(300) * MIB);
    set_descriptor_limit(before);
}

static void a_client_that_does_not_read_holds_little_and_loses_nothing(void)
{
    enum { READS = 2000 };
    g_autoptr(RefServer) server = raw_serve(NULL, 4 * MIB);
    g_autofree uint8_t *data = g_malloc(MIB);
    int fd = raw_open(server, "");

    memset(data, 0xa5, MIB);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE, 0, 0, MIB, data), NBD_SUCCESS);
    for (uint64_t i = 0; i < READS; i++)
        CU_ASSERT_FATAL(raw_request(fd, NBD_CMD_READ, 0, i, i, MIB / 2)); /* 1 GB of replies */
    uint64_t before = resident_bytes();
    for (unsigned i = 0; i < 20; i++)
        CU_ASSERT(raw_served(server));
    CU_ASSERT(resident_bytes() < before + 64 * MIB);
    for (uint64_t i = 0; i < READS; i++) {
        CU_ASSERT_EQUAL_FATAL(raw_reply_error(fd, i), NBD_SUCCESS);
        CU_ASSERT_FATAL(raw_hear(fd, data, MIB / 2));
        CU_ASSERT(data[0] == 0xa5 && data[MIB / 2 - 1] == 0xa5);
    }
    raw_close(fd);
}

static void long_work_for_one_client_lets_others_pass(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, INT64_MAX);
    int fd = raw_open(server, "");

    for (uint64_t i = 0; i < 200; i++)
        raw_request(fd, NBD_CMD_WRITE_ZEROES, 0, i, i << 33, UINT32_MAX);
    raw_request(fd, NBD_CMD_WRITE_ZEROES, NBD_CMD_FLAG_NO_HOLE, 200, 0, 256 * MIB);
    CU_ASSERT(raw_served(server));
    for (uint64_t i = 0; i < 201; i++)
        CU_ASSERT_EQUAL(raw_reply_error(fd, i), NBD_SUCCESS);
    raw_close(fd);
}

static void running_out_of_descriptors_passes(void)
{
    enum { CLIENTS = 20 };
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(ref_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    rlim_t before = descriptor_limit();
    int fds[CLIENTS];

    for (unsigned i = 0; i < CLIENTS; i++)
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int next = dup(fds[0]);
    close(next);
    set_descriptor_limit((rlim_t)next + 5); /* five connections fit */
    for (unsigned i = 0; i < CLIENTS; i++)
        CU_ASSERT_EQUAL(connect(fds[i], (const struct sockaddr *)&address, sizeof address), 0);
    CU_ASSERT(comes_to(server, 5));
    for (unsigned i = 0; i < CLIENTS; i++) { /* each that leaves makes room for another */
        CU_ASSERT(raw_greet(fds[i], RAW_FLAGS));
        raw_close(fds[i]);
    }
    set_descriptor_limit(before);
    CU_ASSERT(raw_served(server));
    CU_ASSERT(comes_to(server, 0));
}

/* ---- Clients that are broken or hostile ------------------------------------------------------ */

/* Everything a conversation may begin with, to be cut anywhere. */
static const char beginning[] = "\0\0\0\3"
                                "IHAVEOPT\0\0\0\3\0\0\0\0"
                                "IHAVEOPT\0\0\0\7\0\0\0\6\0\0\0\0\0\0"
                                "\x25\x60\x95\x13\0\0\0\0cookie 1\0\0\0\0\0\0\0\0\0\0\2\0"
                                "\x25\x60\x95\x13\0\0\0\1cookie 2\0\0\0\0\0\0\0\0\0\0\0\10payload!";

static void leave(int fd, bool reset)
{
    const struct linger hard = {.l_onoff = 1};

    if (reset)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    raw_close(fd);
}

static void clients_may_leave_at_any_byte(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);

    for (unsigned length = 0; length < sizeof beginning; length++) {
        for (unsigned reset = 0; reset < 2; reset++) {
            int fd = raw_dial(server);
            raw_say(fd, beginning, length);
            leave(fd, reset);
        }
    }
    CU_ASSERT(raw_served(server));
    CU_ASSERT(comes_to(server, 0));
}

/* The beginning with some bytes changed, then noise: the next client is served all the same. */
static void noise_does_no_harm(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);
    g_autoptr(GRand) rand = g_rand_new_with_seed(20240101);
    uint8_t bytes[600];

    for (unsigned round = 0; round < 3000; round++) {
        unsigned keep = (unsigned)g_rand_int_range(rand, 0, sizeof beginning);
        for (unsigned i = 0; i < sizeof bytes; i++)
            bytes[i] = g_rand_boolean(rand) ? (uint8_t)g_rand_int(rand) : 0;
        memcpy(bytes, beginning, keep);
        for (unsigned changes = round % 4; changes > 0 && keep > 4; changes--)
            bytes[g_rand_int_range(rand, 4, (gint32)keep)] = (uint8_t)g_rand_int(rand);
        int fd = raw_dial(server);
        raw_say(fd, bytes, sizeof bytes);
        leave(fd, round % 3 == 0);
        if (round % 500 == 0)
            CU_ASSERT(raw_served(server));
    }
    CU_ASSERT(raw_served(server));
    CU_ASSERT(comes_to(server, 0));
}

void reference_server_tests(void)
{
    CU_TestInfo tests[] = {
        {"configurations that make no sense are refused",
         configurations_that_make_no_sense_are_refused},
        {"a Unix socket is replaced and removed", a_unix_socket_is_replaced_and_removed},
        {"IPv6 and inherited sockets are served", ipv6_and_inherited_sockets_are_served},
        {"a stopped server drops its clients and can start again",
         a_stopped_server_drops_its_clients_and_can_start_again},
        {"several threads share clients and disks", several_threads_share_clients_and_disks},
        {"threads on both sides do not get in each other's way",
         threads_on_both_sides_do_not_get_in_each_others_way},
        {"a full budget is no space and trimming gives it back",
         a_full_budget_is_no_space_and_trimming_gives_it_back},
        {"thousands of silent clients cost next to nothing",
         thousands_of_silent_clients_cost_next_to_nothing},
        {"a client that does not read holds little and loses nothing",
         a_client_that_does_not_read_holds_little_and_loses_nothing},
        {"long work for one client lets others pass", long_work_for_one_client_lets_others_pass},
        {"running out of descriptors passes", running_out_of_descriptors_passes},
        {"clients may leave at any byte", clients_may_leave_at_any_byte},
        {"noise does no harm", noise_does_no_harm},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"reference server under its clients", NULL, NULL, NULL, NULL, tests},
                             CU_SUITE_INFO_NULL};

    CU_register_suites(suites);
}
