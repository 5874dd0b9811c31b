/* Endings are what they say, as the server's side of the socket sees them. */
#include <CUnit/CUnit.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_server.h"
#include "soak/ghost.h"
#include "soak/point.h"
#include "wire/wire.h"

void soak_ending_tests(void);

#define PATIENT_MS 30000
#define LINGERING_MS 100 /* less than a client waits for a close */

/* ---- A server of one connection ---------------------------------------------------------------- */

typedef struct {
    int listener;
    TransportAddress *address;
} Listener;

static Listener listen_here(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof at;
    Listener here = {.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

    CU_ASSERT_EQUAL_FATAL(bind(here.listener, (struct sockaddr *)&at, sizeof at), 0);
    CU_ASSERT_EQUAL_FATAL(listen(here.listener, 8), 0);
    getsockname(here.listener, (struct sockaddr *)&at, &length);
    here.address = transport_address_tcp("127.0.0.1", ntohs(at.sin_port), NULL);
    return here;
}

static void listen_no_more(Listener *here)
{
    close(here->listener);
    transport_address_free(here->address);
}

/* What the next receive says: a count of bytes, 0 at the end, or less the errno. */
static int next_receive(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    char buffer[4096];

    if (poll(&wait, 1, PATIENT_MS) <= 0)
        return -ETIMEDOUT;
    ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    return got < 0 ? -errno : (int)got;
}

static SoakTarget target_at(const TransportAddress *address)
{
    SoakTarget target = {.address = address, .export_name = "", .timeout_ms = PATIENT_MS};

    target.facts.style = STYLE_FIXED_NEWSTYLE;
    target.facts.handshake_flags = NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES;
    target.facts.size = 1 << 20;
    target.facts.minimum = 1;
    target.facts.maximum = NBD_DEFAULT_MAX_PAYLOAD;
    return target;
}

/* COUNT cycles with a server that serves AT_ONCE. */
static bool cycles(const TransportAddress *address, const char *phase, SoakEnding ending,
                   unsigned at_once, unsigned count)
{
    SoakTarget target = target_at(address);
    size_t phase_count;
    const SoakPhase *phases = soak_phases(&phase_count);

    target.at_once = at_once;
    for (size_t i = 0; i < phase_count; i++) {
        const SoakPoint point = {&phases[i], ending};
        if (!g_str_equal(phases[i].name, phase) || soak_point_unfit(&point, &target) != NULL)
            continue;
        g_autoptr(SoakCycle) prepared = soak_cycle_new(&point, &target);
        return soak_cycle_run(prepared, count, NULL, NULL);
    }
    return false;
}

static bool cycle(const TransportAddress *address, const char *phase, SoakEnding ending)
{
    return cycles(address, phase, ending, 1, 1);
}

/* What the server receives of a client that connected and ended. */
static int received_after(SoakEnding ending)
{
    Listener here = listen_here();

    CU_ASSERT_TRUE(cycle(here.address, "after-connect", ending));
    int fd = accept4(here.listener, NULL, NULL, SOCK_CLOEXEC);
    int received = next_receive(fd);
    close(fd);
    listen_no_more(&here);
    return received;
}

static void a_close_is_an_end(void)
{
    CU_ASSERT_EQUAL(received_after(ENDING_CLOSE), 0);
}

static void a_reset_is_a_reset(void)
{
    CU_ASSERT_EQUAL(received_after(ENDING_RESET), -ECONNRESET);
}

/* ---- Half-close ------------------------------------------------------------------------------- */

static const uint8_t greeting[] = "NBDMAGICIHAVEOPT\0\3";

typedef struct {
    int listener;
    int end;            /* what was received in place of bytes */
    bool still_listens; /* the client takes what is sent after that */
} HalfServer;

static void *serve_half(void *data)
{
    HalfServer *server = data;
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

    (void)send(fd, greeting, 18, MSG_NOSIGNAL);
    do {
        server->end = next_receive(fd);
    } while (server->end > 0);
    /* a closed client answers the first byte by a reset, which the second finds */
    bool first = send(fd, "x", 1, MSG_NOSIGNAL) == 1;
    g_usleep(20 * 1000);
    server->still_listens = first && send(fd, "x", 1, MSG_NOSIGNAL) == 1;
    close(fd);
    return NULL;
}

/* COUNT cycles behind the client flags with SERVE, whose SERVER gets the LISTENER. */
static void cycles_with(void *(*serve)(void *), void *server, int *listener, SoakEnding ending,
                        unsigned at_once, unsigned count)
{
    Listener here = listen_here();
    pthread_t thread;

    *listener = here.listener;
    pthread_create(&thread, NULL, serve, server);
    CU_ASSERT_TRUE(cycles(here.address, "after-client-flags", ending, at_once, count));
    pthread_join(thread, NULL);
    listen_no_more(&here);
}

static HalfServer against_half_server(SoakEnding ending)
{
    HalfServer server = {0};

    cycles_with(serve_half, &server, &server.listener, ending, 1, 1);
    return server;
}

static void after_a_half_close_the_client_listens(void)
{
    HalfServer half = against_half_server(ENDING_HALF);
    HalfServer whole = against_half_server(ENDING_CLOSE);

    CU_ASSERT_EQUAL(half.end, 0);
    CU_ASSERT_TRUE(half.still_listens);
    CU_ASSERT_EQUAL(whole.end, 0);
    CU_ASSERT_FALSE(whole.still_listens);
}

/* ---- One after another ------------------------------------------------------------------------- */

typedef struct {
    int listener;
    bool another_came; /* while the first was still open */
} LingeringServer;

/* Hears two clients to their half-close, the first until another has connected, or for a while. */
static void *serve_lingering(void *data)
{
    LingeringServer *server = data;
    struct pollfd next = {.fd = server->listener, .events = POLLIN};

    for (int i = 0; i < 2; i++) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        (void)send(fd, greeting, 18, MSG_NOSIGNAL);
        while (next_receive(fd) > 0)
            continue;
        if (i == 0)
            server->another_came = poll(&next, 1, LINGERING_MS) == 1;
        close(fd);
    }
    return NULL;
}

static bool next_comes_before_the_close(unsigned at_once)
{
    LingeringServer server = {0};

    cycles_with(serve_lingering, &server, &server.listener, ENDING_HALF, at_once, 2);
    return server.another_came;
}

static void who_serves_one_has_closed_it_before_the_next_comes(void)
{
    CU_ASSERT_FALSE(next_comes_before_the_close(1));
}

static void who_serves_several_may_close_while_the_next_comes(void)
{
    CU_ASSERT_TRUE(next_comes_before_the_close(2));
}

/* ---- Soft ------------------------------------------------------------------------------------- */

#define HELLO                                                                                      \
    "S greeting + newstyle flags=FIXED_NEWSTYLE|NO_ZEROES; "                                       \
    "C client-flags flags=FIXED_NEWSTYLE|NO_ZEROES; "

static void softly_out_of_haggling_goes_by_abort(void)
{
    const char *const scripts[] = {HELLO "C option option=ABORT; S reply option=ABORT type=ACK",
                                   NULL};
    g_autoptr(FakeServer) fake = fake_server_play(scripts);

    CU_ASSERT_TRUE(cycle(fake_server_address(fake), "after-client-flags", ENDING_SOFT));
    fake_server_finish(fake);
    CU_ASSERT_STRING_EQUAL(fake_server_complaints(fake), "");
}

static void softly_out_of_transmission_goes_by_disc(void)
{
    const char *const scripts[] = {"serve", NULL};
    const FakeConfig config = {.scripts = scripts, .size = 1 << 20};
    g_autoptr(FakeServer) fake = fake_server_new(&config);
    uint64_t values[WIRE_MAX_FIELDS];

    CU_ASSERT_TRUE(cycle(fake_server_address(fake), "after-go", ENDING_SOFT));
    fake_server_finish(fake);
    const GByteArray *came = fake_server_received(fake, 0);
    size_t size = wire_layout(WIRE_REQUEST)->size;
    CU_ASSERT_TRUE_FATAL(came->len > size);
    wire_decode(WIRE_REQUEST, came->data + came->len - size, values);
    CU_ASSERT_EQUAL(values[REQUEST_MAGIC], NBD_REQUEST_MAGIC);
    CU_ASSERT_EQUAL(values[REQUEST_TYPE], NBD_CMD_DISC);
}

/* A server of before NBD_OPT_GO is entered as its clients did. */
static void without_go_an_export_is_entered_by_its_name(void)
{
    const char *const scripts[] = {HELLO "option; S reply option=GO type=ERR_UNSUP; "
                                         "C option option=EXPORT_NAME; "
                                         "S export size=65536 flags=HAS_FLAGS; request",
                                   NULL};
    g_autoptr(FakeServer) fake = fake_server_play(scripts);

    CU_ASSERT_TRUE(cycle(fake_server_address(fake), "after-go", ENDING_SOFT));
    fake_server_finish(fake);
    CU_ASSERT_STRING_EQUAL(fake_server_complaints(fake), "");
}

/* ---- Vanishing -------------------------------------------------------------------------------- */

typedef struct {
    int client, server; /* the two ends of a connection */
} Pair;

static Pair connect_pair(const Listener *here)
{
    struct sockaddr_in at;
    socklen_t length = sizeof at;
    Pair pair = {.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

    getsockname(here->listener, (struct sockaddr *)&at, &length);
    CU_ASSERT_EQUAL_FATAL(connect(pair.client, (struct sockaddr *)&at, length), 0);
    pair.server = accept4(here->listener, NULL, NULL, SOCK_CLOEXEC);
    return pair;
}

/* Only root can vanish: for others there is nothing to test. */
static bool can_vanish(void)
{
    return ghost_unfit() == NULL;
}

static void who_vanishes_is_silent_until_reset(void)
{
    Listener here = listen_here();
    char buffer[8];
    Ghost ghost;

    if (can_vanish()) {
        Pair pair = connect_pair(&here);
        CU_ASSERT_EQUAL(send(pair.client, "abc", 3, MSG_NOSIGNAL), 3);
        CU_ASSERT_EQUAL(next_receive(pair.server), 3);
        CU_ASSERT_EQUAL(send(pair.server, "unread", 6, MSG_NOSIGNAL), 6);
        CU_ASSERT_TRUE_FATAL(ghost_vanish(&ghost, pair.client));
        CU_ASSERT_EQUAL(recv(pair.server, buffer, sizeof buffer, MSG_DONTWAIT), -1);
        CU_ASSERT_EQUAL(errno, EAGAIN);
        CU_ASSERT_TRUE(ghost_raise(&ghost));
        CU_ASSERT_EQUAL(next_receive(pair.server), -ECONNRESET);
        close(pair.server);
        CU_ASSERT_EQUAL(received_after(ENDING_VANISH), -ECONNRESET);
    }
    listen_no_more(&here);
}

/* A server that has closed meanwhile was answered by a reset then. */
static void who_has_gone_needs_no_reset(void)
{
    Listener here = listen_here();
    Ghost ghost;

    if (can_vanish()) {
        Pair pair = connect_pair(&here);
        CU_ASSERT_TRUE_FATAL(ghost_vanish(&ghost, pair.client));
        close(pair.server);
        CU_ASSERT_TRUE(ghost_raise(&ghost));
    }
    listen_no_more(&here);
}

/* A busy kernel drops what there is no room for, and without us nothing is sent again. */
static void who_vanishes_is_reset_though_bytes_were_lost(void)
{
    Listener here = listen_here();
    Ghost ghost;

    if (can_vanish()) {
        Pair pair = connect_pair(&here);
        CU_ASSERT_TRUE_FATAL(ghost_vanish(&ghost, pair.client));
        CU_ASSERT_EQUAL(ghost.acknowledged, ghost.sent);
        ghost.sent += 1u << 24; /* as if they had not come: far beyond what it takes */
        CU_ASSERT_TRUE(ghost_raise(&ghost));
        CU_ASSERT_EQUAL(next_receive(pair.server), -ECONNRESET);
        close(pair.server);
    }
    listen_no_more(&here);
}

static void unix_sockets_neither_reset_nor_vanish(void)
{
    g_autoptr(TransportAddress) address = transport_address_unix("/nowhere", 8, NULL);
    SoakTarget target = target_at(address);
    size_t count;
    const SoakPhase *phases = soak_phases(&count);
    const SoakPoint reset = {&phases[0], ENDING_RESET}, vanish = {&phases[0], ENDING_VANISH};
    const SoakPoint closing = {&phases[0], ENDING_CLOSE};

    CU_ASSERT_PTR_NOT_NULL(soak_point_unfit(&reset, &target));
    CU_ASSERT_PTR_NOT_NULL(soak_point_unfit(&vanish, &target));
    CU_ASSERT_PTR_NULL(soak_point_unfit(&closing, &target));
}

void soak_ending_tests(void)
{
    CU_pSuite suite = CU_add_suite("soak_ending", NULL, NULL);

    CU_ADD_TEST(suite, a_close_is_an_end);
    CU_ADD_TEST(suite, a_reset_is_a_reset);
    CU_ADD_TEST(suite, after_a_half_close_the_client_listens);
    CU_ADD_TEST(suite, who_serves_one_has_closed_it_before_the_next_comes);
    CU_ADD_TEST(suite, who_serves_several_may_close_while_the_next_comes);
    CU_ADD_TEST(suite, softly_out_of_haggling_goes_by_abort);
    CU_ADD_TEST(suite, softly_out_of_transmission_goes_by_disc);
    CU_ADD_TEST(suite, without_go_an_export_is_entered_by_its_name);
    CU_ADD_TEST(suite, who_vanishes_is_silent_until_reset);
    CU_ADD_TEST(suite, who_has_gone_needs_no_reset);
    CU_ADD_TEST(suite, who_vanishes_is_reset_though_bytes_were_lost);
    CU_ADD_TEST(suite, unix_sockets_neither_reset_nor_vanish);
}
