/* How connections end, and what is still played then. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "played.h"

void play_end_tests(void);

/* ---- Ends ------------------------------------------------------------------------------------- */

static Played *end_by(const char *end, bool tcp, const char *lines)
{
    g_autofree char *script = g_strconcat(HELLO, end, NULL);
    const char *const scripts[] = {script, NULL};
    FakeConfig config = {.scripts = scripts, .tcp = tcp};

    return played_config_new(lines, &config, NULL);
}

/* End of stream; a reset; input left unread, which resets too; a send into the void. */
static void every_end_of_the_peer_is_a_close(void)
{
    static const char lines[] = "negotiate\nC: option ABORT\nS: close @robust.answers\n";
    static const char *const ends[] = {"option; S close", "option; reset", "S close", "reset",
                                       "take 3; S close"};

    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
        for (int tcp = 0; tcp <= 1; tcp++) {
            g_autoptr(Played) played = end_by(ends[i], tcp == 1, lines);
            PLAYED_IS(played, "pass", "", "");
        }
    }
}

static void what_came_before_the_close_is_still_read(void)
{
    g_autoptr(Played) played = end_by(
        "option;" ACK("ABORT") "S close", true,
        "negotiate\nC: option ABORT\nS: reply ABORT ACK @handshake.opt-abort.ack\nS: close\n");

    PLAYED_IS(played, "pass", "", "");
}

static void replies_in_flight_may_come_before_the_close(void)
{
    PLAYS("open\nC: request READ length=512\nC: request DISC\nS: close @transmission.disc.close\n",
          OPEN_DISK READ("1") DISC("2") DATA("1") "S close", "pass", "");
    /* anything else may not */
    PLAYS("negotiate\nC: option ABORT\nS: close @robust.answers\n",
          HELLO ABORT ACK("ABORT") "S close", "fail robustness", "robust.answers");
}

static void which_requirement_a_hang_up_breaks_depends_on_the_line(void)
{
    PLAYS("open\n: flush @transmission.reply.every-request @termination.server.hard-disconnect\n",
          OPEN_DISK "request; S close", "fail violation", "termination.server.hard-disconnect");
    PLAYS("open\n: flush @transmission.reply.every-request @termination.server.hard-disconnect\n",
          OPEN_DISK "request;" FAILS("1", "EIO"), "fail violation",
          "transmission.reply.every-request");
}

static void our_own_ends_reach_the_server(void)
{
    PLAYS("open\nC: request FLUSH\nC: shutdown\nS: ok @transmission.reply.layout\n"
          "S: close @robust.answers\n",
          OPEN_DISK FLUSH("1") DONE("1") "S close", "pass", "");
    PLAYS("open\nC: reset\n", OPEN_DISK, "pass", "");
    PLAYS("open\nC: close\nS: ok @robust.answers\n", OPEN_DISK, "fail robustness",
          "robust.answers");
}

static void a_split_message_comes_whole(void)
{
    PLAYS("negotiate\nC: option ABORT split=15\nS: reply ABORT ACK\n", HELLO ABORT ACK("ABORT"),
          "pass", "");
    PLAYS("open\nC: request FLUSH split=5\nS: ok\n", OPEN_DISK FLUSH("1") DONE("1"), "pass", "");
    PLAYS("open\nC: request FLUSH split=500\nS: ok\n", OPEN_DISK FLUSH("1") DONE("1"), "pass", "");
}

static void a_connection_is_left_as_a_client_should_leave(void)
{
    g_autoptr(Played) haggling = played_new("negotiate\n", HELLO ABORT ACK("ABORT"));
    g_autoptr(Played) entered = played_new("open\n", OPEN_DISK READ("1") DATA("1") DISC("2"));
    g_autoptr(Played) midway = played_new("open\nC: request FLUSH cut=9\n", OPEN_DISK "take 9");
    static const uint8_t magic[] = {0x25, 0x60, 0x95, 0x13};

    PLAYED_IS(haggling, "pass", "", "");
    PLAYED_IS(entered, "pass", "", "");
    PLAYED_IS(midway, "pass", "", "");
    const GByteArray *received = fake_server_received(midway->server, 0);
    CU_ASSERT_EQUAL(received->len, 4 + 16 + 4 + 4 + 2 + 2 + 9);
    CU_ASSERT_TRUE(fake_server_saw(midway->server, magic, sizeof magic));
}

/* ---- then ------------------------------------------------------------------------------------- */

/* How the lines before end; whether the second connection is still tried. */
static void then_lines_are_played_however_the_case_ended(void)
{
    static const struct {
        const char *outcome, *verdict;
        bool played;
    } rows[] = {
        {"continue", "pass", true}, {"pass", "pass", true},
        {"warn", "warn", true},     {"warn \"so\" continue", "warn", true},
        {"skip", "skip", false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *lines = g_strdup_printf(
            ASK_ABORT "one of {\n"
                      "  S: reply ABORT error @handshake.opt-abort.data-ignored => %s\n"
                      "  S: close\n}\nthen served @robust.served-after\n",
            rows[i].outcome);
        const char *const scripts[] = {NO_ABORT, OPEN_DISK DISC("1") "S close", NULL};
        g_autoptr(Played) played = played_scripts_new(lines, scripts, NULL);
        PLAYED_IS(played, rows[i].verdict,
                  strstr(rows[i].verdict, "warn") == NULL ? "" : "handshake.opt-abort.data-ignored",
                  "");
        CU_ASSERT_EQUAL(fake_server_accepted(played->server), 1u + rows[i].played);
    }
}

static void then_lines_are_played_after_a_failure(void)
{
    static const char lines[] =
        ASK_ABORT "S: reply ABORT ACK @handshake.opt-abort.ack\nC: option LIST\n"
                  "then served @robust.served-after\n";
    const char *const good[] = {NO_ABORT, OPEN_DISK, NULL}, *const bad[] = {NO_ABORT, "S close",
                                                                            NULL};
    g_autoptr(Played) served = played_scripts_new(lines, good, NULL);
    g_autoptr(Played) refused = played_scripts_new(lines, bad, NULL);

    PLAYED_IS(served, "fail violation", "handshake.opt-abort.ack", "");
    CU_ASSERT_EQUAL(fake_server_accepted(served->server), 2);
    PLAYED_IS(refused, "fail violation", "handshake.opt-abort.ack robust.served-after", "");
    CU_ASSERT_TRUE(refused->result->doubtful);
}

static void a_blocked_case_tries_no_more(void)
{
    g_autoptr(Played) played =
        played_new("open\nthen served @robust.served-after\n", HELLO "option; S close");

    PLAYED_IS(played, "blocked", "", "termination.server.option-error");
    CU_ASSERT_EQUAL(fake_server_accepted(played->server), 1);
}

static void a_server_that_serves_no_more_breaks_only_that(void)
{
    static const struct {
        const char *first, *second, *line;
    } rows[] = {
        {HELLO "option;" EXPORT("GO", "512", "1") "gone;" ACK("GO"), "S close",
         "then served @robust.served-after\n"},
        {OPEN_DISK, "S close", "then served @robust.served-after\n"},
        {OPEN_DISK, HELLO "option; S close", "served @robust.served-after\n"},
        {OPEN_DISK, HELLO "option;" ERROR("GO", "ERR_UNKNOWN"), "then served\n"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *lines = g_strconcat("open\nC: close\n", rows[i].line, NULL);
        const char *const scripts[] = {rows[i].first, rows[i].second, NULL};
        g_autoptr(Played) played = played_scripts_new(lines, scripts, NULL);
        PLAYED_IS(played, "fail robustness", "robust.served-after", "");
        CU_ASSERT_TRUE(played->result->doubtful);
        CU_ASSERT_PTR_NULL(played->result->blocked_by);
    }
}

void play_end_tests(void)
{
    CU_pSuite suite = CU_add_suite("play: ends", NULL, NULL);

    CU_ADD_TEST(suite, every_end_of_the_peer_is_a_close);
    CU_ADD_TEST(suite, what_came_before_the_close_is_still_read);
    CU_ADD_TEST(suite, replies_in_flight_may_come_before_the_close);
    CU_ADD_TEST(suite, which_requirement_a_hang_up_breaks_depends_on_the_line);
    CU_ADD_TEST(suite, our_own_ends_reach_the_server);
    CU_ADD_TEST(suite, a_split_message_comes_whole);
    CU_ADD_TEST(suite, a_connection_is_left_as_a_client_should_leave);
    CU_ADD_TEST(suite, then_lines_are_played_however_the_case_ended);
    CU_ADD_TEST(suite, then_lines_are_played_after_a_failure);
    CU_ADD_TEST(suite, a_blocked_case_tries_no_more);
    CU_ADD_TEST(suite, a_server_that_serves_no_more_breaks_only_that);
}
