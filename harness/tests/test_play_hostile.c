/* Peers that never come to the point, lie about lengths, or trickle: a verdict in bounded time and
 * memory. And how the bytes of a connection move. */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "play/connection.h"
#include "played.h"

void play_hostile_tests(void);

/* Far more than any of these may take, far less than for ever. */
#define BOUND_US (120 * G_USEC_PER_SEC)

/* Plays in a hurry, and asserts that it ends in time and without a heap of findings. */
static Played *play_bounded(const char *lines, const char *script)
{
    gint64 began_us = g_get_monotonic_time();
    PlayMode mode = played_mode();

    mode.timeout_ms = HASTY_MS;
    Played *played = played_mode_new(lines, script, &mode);
    CU_ASSERT_TRUE(g_get_monotonic_time() - began_us < BOUND_US);
    CU_ASSERT_TRUE(played->result->findings->len <= 100);
    CU_ASSERT_TRUE(played->result->setup->len <= 100);
    CU_ASSERT_TRUE(strlen(played->result->transcript) < (1u << 20));
    return played;
}

#define BOUNDED(lines, script, verdict, findings, setup)                                           \
    do {                                                                                           \
        g_autoptr(Played) played_ = play_bounded(lines, script);                                   \
        PLAYED_IS(played_, verdict, findings, setup);                                              \
    } while (0)

/* ---- Endless ---------------------------------------------------------------------------------- */

#define ASK_LIST "negotiate\nC: option LIST\nS: reply LIST final @handshake.reply.every-option\n"

static void replies_without_end_are_no_answer(void)
{
    BOUNDED(ASK_LIST, HELLO "option; endless " LISTED("a"), "fail no-answer",
            "handshake.reply.every-option", "");
    /* a type that nobody knows, and so with data of any length */
    BOUNDED("negotiate\nC: option 77\nS: reply 77 final @handshake.reply.every-option\n",
            HELLO "option; endless S reply option=77 type=77 + fill 200000 0;", "fail no-answer",
            "handshake.reply.every-option", "");
}

static void breaches_without_end_are_told_once(void)
{
    BOUNDED("negotiate\nC: option INFO\nS: reply INFO ACK @handshake.reply.every-option\n",
            HELLO "option; endless " EXPORT("INFO", "65536", "1"), "fail no-answer",
            "handshake.info.once handshake.reply.every-option", "");
    BOUNDED("open\n", HELLO "option; endless " EXPORT("GO", "65536", "0"), "blocked", "",
            "transmission.flags.has-flags handshake.info.once handshake.reply.every-option");
}

static void a_flood_that_breaks_a_rule_fails_at_once(void)
{
    BOUNDED("open\n: flush @robust.answers\n",
            OPEN_DISK "request; endless S simple-reply cookie=9;", "fail violation",
            "transmission.reply.cookie", "");
    BOUNDED("negotiate\nC: option LIST\nS: reply LIST final\nC: option ABORT\n"
            "S: reply ABORT final @handshake.opt-abort.ack\n",
            HELLO "option; endless " ACK("LIST"), "fail violation", "handshake.reply.unasked", "");
}

static void a_greeting_without_end_blocks(void)
{
    BOUNDED("open\n", "endless S fill 4096 0", "blocked", "", "handshake.newstyle.greeting");
    BOUNDED("negotiate\n", "endless S greeting + newstyle flags=FIXED_NEWSTYLE", "pass", "",
            "handshake.newstyle.greeting");
}

/* A link may be slow, but not so that a peer who is excused by our own breach, or whom nobody understands
 * any more, could hold us for ever. */
static void a_flood_that_is_excused_ends_too(void)
{
    BOUNDED("open\nC: request READ offset=$size length=512\nS: error @robust.answers\n",
            OPEN_DISK "request; endless S simple-reply cookie=9", "fail no-answer",
            "robust.answers", "");
    BOUNDED("open\nC: request FLUSH\nC: request READ offset=$size length=512\n"
            "S: error @transmission.reply.every-request\n",
            OPEN_DISK "request; request; endless " DONE("1"), "pass", "", "");
    BOUNDED("open\nC: request READ magic=1\nS: close @robust.bad-magic\n",
            OPEN_DISK "request; endless S fill 512 0", "fail robustness", "robust.bad-magic", "");
}

/* ---- Lengths ---------------------------------------------------------------------------------- */

static void an_absurd_length_does_not_make_us_wait_for_its_data(void)
{
    BOUNDED(ASK_LIST, HELLO "option; S reply option=LIST type=ACK length=0xffffffff; hush",
            "fail violation", "handshake.reply.ack-empty", "");
    BOUNDED("negotiate\nC: option 77\nS: reply 77 final @handshake.reply.every-option\n",
            HELLO "option; S reply option=77 type=77 length=0xffffffff; hush", "fail no-answer",
            "handshake.reply.every-option", "");
    BOUNDED("open\n", HELLO "option; S reply option=GO type=INFO length=0xffffffff; hush",
            "blocked", "", "handshake.reply.every-option");
}

/* ---- One byte at a time ----------------------------------------------------------------------- */

static void a_trickle_is_no_answer(void)
{
    BOUNDED("open\n: read length=16384 @robust.answers\n",
            OPEN_DISK "request; dribble S simple-reply cookie=1 + fill 16384 0; hush",
            "fail no-answer", "robust.answers", "");
    BOUNDED("open\n", "dribble S fill 16384 78; hush", "blocked", "",
            "handshake.newstyle.greeting");
}

static void a_slow_answer_is_an_answer(void)
{
    PLAYS("negotiate\nC: option ABORT\nS: reply ABORT ACK @handshake.opt-abort.ack\n",
          HELLO "option; dribble S reply option=ABORT type=ACK", "pass", "");
}

/* ---- Peers that do not read, and we who do not ------------------------------------------------ */

static void a_peer_that_takes_nothing_more_is_told_apart(void)
{
    g_autoptr(Played) played = play_bounded("open\n: write length=32M data=zero @robust.answers\n",
                                            OPEN_DISK "take 28; hush");

    PLAYED_IS(played, "fail no-answer", "robust.answers", "");
    CU_ASSERT_STRING_EQUAL(played->result->reason, "the server takes no more of what we send");
}

/* The server sends more than a socket holds before it reads on. */
static void sending_drains_what_comes(void)
{
    PLAYS("open\nC: request READ length=8M\nC: request WRITE length=8M data=zero cookie=9\n"
          "S: ok cookie=1 @robust.answers\nS: ok cookie=9 @robust.answers\n",
          OPEN_DISK "request; S simple-reply cookie=1 + fill 8388608 0; request;" DONE("9"), "pass",
          "");
}

/* What is on its way when our side ends was sent, and is owed. */
static void a_half_close_cuts_nothing_off(void)
{
    PLAYS("open\nC: request WRITE length=1M data=zero\nC: shutdown\nS: ok @robust.answers\n",
          OPEN_DISK "request;" DONE("1"), "pass", "");
    PLAYS("open\nC: request WRITE length=1M data=zero\nC: shutdown\n",
          OPEN_DISK "C request type=WRITE cookie=1 length=1048576 + fill 1048576 0;", "pass", "");
}

/* … and a peer that does not take it can't hold us for ever. */
static void a_half_close_waits_for_nobody_for_ever(void)
{
    BOUNDED("open\nC: request WRITE length=32M data=zero\nC: shutdown\nS: ok @robust.answers\n",
            OPEN_DISK "take 28; stay", "fail no-answer", "robust.answers", "");
}

static void a_half_close_sends_what_was_held_back(void)
{
    PLAYS("open\nC: hold sending\nC: request FLUSH\nC: shutdown\nS: ok @robust.answers\n",
          OPEN_DISK "request;" DONE("1"), "pass", "");
}

static void what_is_held_is_read_later(void)
{
    PLAYS("open\nC: hold reading\nC: request READ length=8M\nC: request FLUSH\nC: resume reading\n"
          "S: ok cookie=1 @robust.answers\nS: ok @robust.answers\n",
          OPEN_DISK "request; S simple-reply cookie=1 + fill 8388608 0; request;" DONE("2"), "pass",
          "");
}

/* ---- Connections ------------------------------------------------------------------------------ */

/* A connection and the other end of its stream, which keeps messages apart: each send() is one. */
typedef struct {
    Connection *connection;
    GString *transcript;
    int peer;
} Pair;

static Pair pair_new(void)
{
    Pair pair = {.transcript = g_string_new(NULL)};
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        g_error("socketpair: %s", g_strerror(errno));
    pair.connection =
        play_connection_new("A", transport_adopt(ends[0]), pair.transcript, false, NULL);
    pair.peer = ends[1];
    return pair;
}

static void pair_clear(Pair *pair)
{
    play_connection_free(pair->connection);
    g_string_free(pair->transcript, TRUE);
    close(pair->peer);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pair, pair_clear)

/* The lengths of the pieces that have come, "4 4 2". */
static char *pieces(const Pair *pair)
{
    GString *text = g_string_new(NULL);
    uint8_t buffer[65536];
    ssize_t size;

    play_connection_move(pair->connection);
    while ((size = recv(pair->peer, buffer, sizeof buffer, 0)) > 0) {
        g_string_append_printf(text, "%s%zd", text->len > 0 ? " " : "", size);
        play_connection_move(pair->connection);
    }
    return g_string_free(text, FALSE);
}

static void messages_go_in_the_segments_of_the_run(void)
{
    static const struct {
        size_t size;
        unsigned segment;
        const char *pieces;
    } rows[] = {
        {10, 0, "10"},
        {10, 4, "4 4 2"},
        {4, 1, "1 1 1 1"},
        {10, 10, "10"},
        {10, 99, "10"},
        /* only the head of a long message */
        {5000, 2048, "2048 2048 904"},
        {10000, 4096, "4096 5904"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(Pair) pair = pair_new();
        g_autofree uint8_t *bytes = g_malloc0(rows[i].size);
        play_connection_send(pair.connection, bytes, rows[i].size, rows[i].segment);
        g_autofree char *came = pieces(&pair);
        CU_ASSERT_STRING_EQUAL(came, rows[i].pieces);
    }
}

static void segments_do_not_run_into_one_another(void)
{
    g_auto(Pair) pair = pair_new();
    uint8_t bytes[5] = {0};

    play_connection_send(pair.connection, bytes, 5, 3);
    play_connection_send(pair.connection, bytes, 4, 3);
    g_autofree char *came = pieces(&pair);
    CU_ASSERT_STRING_EQUAL(came, "3 2 3 1");
    CU_ASSERT_FALSE(play_connection_owes(pair.connection));
}

static void feed_peer(const Pair *pair, const GByteArray *bytes)
{
    for (size_t at = 0; at < bytes->len;) {
        size_t size = MIN(bytes->len - at, 65536u);
        ssize_t sent = send(pair->peer, bytes->data + at, size, MSG_NOSIGNAL);
        if (sent > 0)
            at += (size_t)sent;
        play_connection_move(pair->connection);
    }
}

/* Whatever a peer sends that nobody asked for. */
static void what_nobody_takes_is_kept_within_bounds(void)
{
    g_autoptr(GPtrArray) opening = talk_lines(GREETING);
    g_autoptr(GPtrArray) flood = talk_lines("S reply option=77 type=77 + fill 262144 0");
    g_autoptr(GPtrArray) asked = talk_lines("C client-flags flags=1; C option option=77");
    g_auto(Pair) pair = pair_new();
    size_t held = 0;

    feed_peer(&pair, ((const TalkLine *)opening->pdata[0])->bytes);
    for (guint i = 0; i < asked->len; i++) {
        const TalkLine *line = asked->pdata[i];
        play_connection_send(pair.connection, line->bytes->data, line->bytes->len, 0);
    }
    for (unsigned i = 0; i < 1000; i++)
        feed_peer(&pair, ((const TalkLine *)flood->pdata[0])->bytes);
    for (const GList *at = pair.connection->came.head; at != NULL; at = at->next)
        held += ((const SessionMessage *)at->data)->data->len;
    CU_ASSERT_TRUE(held >= (1u << 20));
    CU_ASSERT_TRUE(held <= (64u << 20));
}

/* The reply that the case looks for comes behind LARGE others, as long as it is. */
static Played *look_behind(unsigned large)
{
    static const char lines[] =
        "negotiate\nC: option 77\none of {\n  S: reply 77 78 => continue\n"
        "  S: reply 77 error @handshake.reply.every-option => fail \"it never came\"\n}\n";
    g_autoptr(GString) script = g_string_new(HELLO "option;");

    for (unsigned i = 0; i < large; i++)
        g_string_append(script, "S reply option=77 type=77 + fill 262144 0;");
    if (large > 1)
        g_string_append(script, "S reply option=77 type=78 + fill 262144 0;");
    g_string_append(script, ERROR("77", "ERR_UNSUP"));
    return played_new(lines, script->str);
}

static void what_was_not_kept_may_have_come(void)
{
    g_autoptr(Played) few = look_behind(1), some = look_behind(20), many = look_behind(80);

    PLAYED_IS(few, "fail violation", "handshake.reply.every-option", "");
    PLAYED_IS(some, "pass", "", "");
    PLAYED_IS(many, "skip", "", "");
}

static void the_transcript_is_kept_within_bounds(void)
{
    g_auto(Pair) pair = pair_new();

    for (unsigned i = 0; i < 100000; i++)
        play_connection_note(pair.connection, "S", "simple-reply error=SUCCESS");
    CU_ASSERT_TRUE(pair.transcript->len < (1u << 20));
    CU_ASSERT_TRUE(g_str_has_suffix(pair.transcript->str, "(the rest is left out)\n"));
}

static void while_reading_is_held_nothing_is_read(void)
{
    g_auto(Pair) pair = pair_new();
    g_autoptr(GPtrArray) greeting = talk_lines(GREETING);
    const TalkLine *line = greeting->pdata[0];

    pair.connection->holding = true;
    CU_ASSERT_EQUAL(play_connection_events(pair.connection), 0);
    feed_peer(&pair, line->bytes);
    CU_ASSERT_EQUAL(pair.connection->came.length, 0);
    pair.connection->holding = false;
    CU_ASSERT_EQUAL(play_connection_events(pair.connection), POLLIN);
    play_connection_move(pair.connection);
    CU_ASSERT_EQUAL(pair.connection->came.length, 1);
}

static void after_its_end_a_connection_moves_nothing(void)
{
    g_auto(Pair) pair = pair_new();
    uint8_t byte = 0;

    play_connection_end(pair.connection, END_CLOSE);
    play_connection_end(pair.connection, END_RESET);
    play_connection_send(pair.connection, &byte, 1, 0);
    play_connection_move(pair.connection);
    CU_ASSERT_EQUAL(play_connection_events(pair.connection), 0);
    CU_ASSERT_FALSE(play_connection_owes(pair.connection));
    CU_ASSERT_EQUAL(recv(pair.peer, &byte, 1, 0), 0);
    CU_ASSERT_STRING_EQUAL(pair.transcript->str, "C: close\n");
}

/* ---- Stopping --------------------------------------------------------------------------------- */

static void a_run_that_is_stopped_waits_no_longer(void)
{
    static const volatile int stop = 1;
    PlayMode mode = played_mode();

    mode.stop = &stop;
    g_autoptr(Played) played = played_mode_new("open\n: flush @robust.answers\n", "hush", &mode);
    PLAYED_IS(played, "error", "", "");
    CU_ASSERT_STRING_EQUAL(played->result->reason, "interrupted");
}

static void stop_when_left(void *data, unsigned connection)
{
    (void)connection;
    g_atomic_int_set((volatile int *)data, 1);
}

/* … not for a new connection either; and it says so. */
static void a_run_that_is_stopped_while_it_asks_for_service_says_so(void)
{
    static const char *const scripts[] = {"serve", "hush", NULL};
    volatile int stop = 0;
    FakeConfig config = {.scripts = scripts, .left = stop_when_left, .data = (void *)&stop};
    PlayMode mode = played_mode();

    mode.stop = &stop;
    g_autoptr(Played) played =
        played_config_new("open\n: flush\nthen served @robust.served-after\n", &config, &mode);
    PLAYED_IS(played, "error", "", "");
    CU_ASSERT_EQUAL(g_strcmp0(played->result->reason, "interrupted"), 0);
}

void play_hostile_tests(void)
{
    CU_pSuite suite = CU_add_suite("play: hostile peers", NULL, NULL);

    CU_ADD_TEST(suite, replies_without_end_are_no_answer);
    CU_ADD_TEST(suite, breaches_without_end_are_told_once);
    CU_ADD_TEST(suite, a_flood_that_breaks_a_rule_fails_at_once);
    CU_ADD_TEST(suite, a_flood_that_is_excused_ends_too);
    CU_ADD_TEST(suite, a_greeting_without_end_blocks);
    CU_ADD_TEST(suite, an_absurd_length_does_not_make_us_wait_for_its_data);
    CU_ADD_TEST(suite, a_trickle_is_no_answer);
    CU_ADD_TEST(suite, a_slow_answer_is_an_answer);
    CU_ADD_TEST(suite, a_peer_that_takes_nothing_more_is_told_apart);
    CU_ADD_TEST(suite, sending_drains_what_comes);
    CU_ADD_TEST(suite, a_half_close_cuts_nothing_off);
    CU_ADD_TEST(suite, a_half_close_waits_for_nobody_for_ever);
    CU_ADD_TEST(suite, a_half_close_sends_what_was_held_back);
    CU_ADD_TEST(suite, what_is_held_is_read_later);
    CU_ADD_TEST(suite, messages_go_in_the_segments_of_the_run);
    CU_ADD_TEST(suite, segments_do_not_run_into_one_another);
    CU_ADD_TEST(suite, what_nobody_takes_is_kept_within_bounds);
    CU_ADD_TEST(suite, what_was_not_kept_may_have_come);
    CU_ADD_TEST(suite, the_transcript_is_kept_within_bounds);
    CU_ADD_TEST(suite, while_reading_is_held_nothing_is_read);
    CU_ADD_TEST(suite, after_its_end_a_connection_moves_nothing);
    CU_ADD_TEST(suite, a_run_that_is_stopped_waits_no_longer);
    CU_ADD_TEST(suite, a_run_that_is_stopped_while_it_asks_for_service_says_so);
}
