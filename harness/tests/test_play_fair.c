/* What a server is not blamed for, what our own side must not do, and when a case is not for it. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "played.h"

void play_fair_tests(void);

/* ---- Our side has broken a MUST --------------------------------------------------------------- */

#define BEYOND "open\nC: request READ offset=$size length=512\n"

static void a_server_may_hang_up_on_who_broke_a_must(void)
{
    static const char lines[] =
        BEYOND "S: error @transmission.reply.every-request @termination.server.hard-disconnect\n";

    PLAYS(lines, OPEN_DISK "request; S close", "pass", "");
    PLAYS(lines, OPEN_DISK "request; reset", "pass", "");
    PLAYS("open\nC: request READ length=512\n"
          "S: error @transmission.reply.every-request @termination.server.hard-disconnect\n",
          OPEN_DISK "request; S close", "fail violation", "termination.server.hard-disconnect");
}

static void but_what_it_answers_is_still_judged(void)
{
    PLAYS(BEYOND "S: error @error.read-beyond-end\n", OPEN_DISK "request;" FAILS("1", "EINVAL"),
          "pass", "");
    PLAYS(BEYOND "S: error EINVAL @error.read-beyond-end\n", OPEN_DISK "request;" FAILS("1", "EIO"),
          "warn", "error.read-beyond-end");
    PLAYS(BEYOND "S: error @robust.out-of-range-no-data\n", OPEN_DISK "request;" DATA("1"),
          "fail robustness", "robust.out-of-range-no-data");
}

static void rules_excuse_what_our_own_breach_brought_about(void)
{
    /* of the same kind, without the breach: test_play.c */
    PLAYS_HASTILY(BEYOND "S: error @transmission.reply.every-request\n",
                  OPEN_DISK "request; S simple-reply cookie=77; hush", "pass", "");
    PLAYS_HASTILY(BEYOND "S: error @robust.answers\n",
                  OPEN_DISK "request; S simple-reply cookie=77; hush", "fail no-answer",
                  "robust.answers");
}

/* ---- Nobody can tell where messages begin ----------------------------------------------------- */

#define ASTRAY "negotiate\nC: option LIST magic=1\n"

static void where_the_framing_is_lost_only_robustness_counts(void)
{
    PLAYS(ASTRAY "S: reply LIST error @handshake.reply.every-option\n",
          HELLO "take 16; S hex 0011223344556677; S close", "pass", "");
    PLAYS(ASTRAY "S: reply LIST error @handshake.reply.every-option\n",
          HELLO "take 16;" ACK("LIST") "S close", "pass", "");
    PLAYS_HASTILY(ASTRAY "S: reply LIST error @handshake.reply.every-option\n",
                  HELLO "take 16; hush", "pass", "");
    PLAYS_HASTILY(ASTRAY "S: close @robust.bad-magic\n", HELLO "take 16; hush", "fail no-answer",
                  "robust.bad-magic");
}

static void after_lost_framing_a_new_connection_is_still_demanded(void)
{
    const char *const scripts[] = {HELLO "take 16; S close", "S close", NULL};
    g_autoptr(Played) played = played_scripts_new(
        ASTRAY "S: close @robust.bad-magic\nthen served @robust.served-after\n", scripts, NULL);

    PLAYED_IS(played, "fail robustness", "robust.served-after", "");
}

/* ---- Silence ---------------------------------------------------------------------------------- */

static void a_missing_answer_is_of_a_kind_of_its_own_and_to_be_asked_for_again(void)
{
    PlayMode mode = played_mode();

    mode.timeout_ms = HASTY_MS;
    g_autoptr(Played) played = played_mode_new(
        "negotiate\nC: option LIST\nS: reply LIST final @handshake.reply.every-option\n",
        HELLO "option; hush", &mode);
    PLAYED_IS(played, "fail no-answer", "handshake.reply.every-option", "");
    CU_ASSERT_TRUE(played->result->doubtful);
    CU_ASSERT_STRING_EQUAL(played->result->reason, "nothing for 300 ms");
}

static void half_an_answer_is_none(void)
{
    PlayMode mode = played_mode();

    mode.timeout_ms = HASTY_MS;
    g_autoptr(Played) played =
        played_mode_new("open\n: read length=512 @transmission.reply.every-request\n",
                        OPEN_DISK "request; S simple-reply cookie=1 + fill 100 0; hush", &mode);
    PLAYED_IS(played, "fail no-answer", "transmission.reply.every-request", "");
    CU_ASSERT_STRING_EQUAL(played->result->reason,
                           "116 bytes of a message, and no more for 300 ms");
}

static void which_requirement_silence_breaks_depends_on_the_line(void)
{
    PLAYS_HASTILY("open\n: flush @transmission.reply.every-request @robust.answers\n",
                  OPEN_DISK "request; hush", "fail no-answer", "robust.answers");
    PLAYS_HASTILY("open\n: flush @error.unknown-flag\n", OPEN_DISK "request; hush", "warn",
                  "error.unknown-flag");
}

static void silence_on_the_way_to_the_test_blocks(void)
{
    PlayMode mode = played_mode();

    mode.timeout_ms = HASTY_MS;
    g_autoptr(Played) played =
        played_mode_new("open\n: flush @robust.answers\n", HELLO "option; hush", &mode);
    PLAYED_IS(played, "blocked", "", "handshake.reply.every-option");
    CU_ASSERT_TRUE(played->result->doubtful);
    CU_ASSERT_STRING_EQUAL(played->result->blocked_by, "handshake.reply.every-option");
}

static void nothing_is_due_while_we_owe_the_rest_of_a_message(void)
{
    PLAYS_HASTILY(
        "negotiate\nC: option LIST cut=10\nS: reply LIST ACK @handshake.reply.every-option\n",
        HELLO "take 10; hush", "pass", "");
    PLAYS_HASTILY("negotiate\nC: option LIST length=0xffffffff\n"
                  "S: reply LIST error @robust.huge-option-length\n",
                  HELLO "take 16; hush", "pass", "");
    PLAYS_HASTILY("open\nC: request WRITE length=512 data=\"abc\"\n"
                  "S: ok @transmission.reply.every-request\n",
                  OPEN_DISK "take 31; hush", "pass", "");
    /* … but a wrong answer is a wrong answer */
    PLAYS("negotiate\nC: option LIST\nC: option ABORT cut=3\n"
          "S: reply LIST SERVER @handshake.reply.every-option\n",
          HELLO "take 19;" ERROR("LIST", "ERR_POLICY"), "fail violation",
          "handshake.reply.every-option");
}

/* What is sent behind GO or EXPORT_NAME waits for their answer, and excuses nobody from it. */
static void an_answer_is_due_whatever_waits_for_it(void)
{
    PLAYS_HASTILY("negotiate\nC: option GO\nC: request READ length=512\n"
                  "S: reply GO ACK @handshake.reply.every-option\n",
                  HELLO "option; hush", "fail no-answer", "handshake.reply.every-option");
    PLAYS_HASTILY("negotiate\nC: option EXPORT_NAME\nC: request READ cut=5\n"
                  "S: export @handshake.export-name.reply\n",
                  HELLO "option; hush", "fail no-answer", "handshake.export-name.reply");
    PLAYS_HASTILY("connect\nC: client-flags FIXED_NEWSTYLE\n"
                  "S: greeting @handshake.newstyle.greeting\n",
                  "hush", "fail no-answer", "handshake.newstyle.greeting");
}

static void who_ends_its_stream_owes_nothing_more(void)
{
    PLAYS_HASTILY("negotiate\nC: option LIST cut=10\nC: shutdown\nS: close @robust.answers\n",
                  HELLO "take 10; stay", "fail no-answer", "robust.answers");
    PLAYS("negotiate\nC: option LIST cut=10\nC: shutdown\nS: close @robust.answers\n",
          HELLO "take 11; S close", "pass", "");
}

#define PADDED_HELLO                                                                               \
    "S greeting + newstyle flags=FIXED_NEWSTYLE; C client-flags flags=FIXED_NEWSTYLE;"

static void zeroes_that_are_missing_are_blamed(void)
{
    static const char lines[] =
        "connect\nS: greeting\nC: client-flags FIXED_NEWSTYLE\nC: option EXPORT_NAME\n"
        "S: export @handshake.export-name.reply @handshake.export-name.zeroes\n";
    PlayMode mode = played_mode();

    PLAYS_HASTILY(lines, PADDED_HELLO "option; S export size=65536 flags=HAS_FLAGS; hush",
                  "fail no-answer", "handshake.export-name.zeroes");
    PLAYS(lines, PADDED_HELLO "option; S export size=65536 flags=HAS_FLAGS + fill 100 0; S close",
          "fail violation", "handshake.export-name.zeroes");
    PLAYS(lines, PADDED_HELLO "option; S close", "fail violation", "handshake.export-name.reply");
    mode.enter = ENTER_EXPORT_NAME;
    g_autoptr(Played) closed = played_mode_new(
        "open\n", PADDED_HELLO "option; S export size=65536 flags=HAS_FLAGS; S close", &mode);
    PLAYED_IS(closed, "blocked", "", "handshake.export-name.zeroes");
    mode.timeout_ms = HASTY_MS;
    g_autoptr(Played) silent = played_mode_new(
        "open\n", PADDED_HELLO "option; S export size=65536 flags=HAS_FLAGS; hush", &mode);
    PLAYED_IS(silent, "blocked", "", "handshake.export-name.zeroes");
    CU_ASSERT_STRING_EQUAL(
        silent->result->reason,
        "the export's size and flags, but not all of the 124 zeroes behind them");
}

/* ---- Behind the last line ---------------------------------------------------------------------- */

/* They come late: only who asks once more will see them. */
static void what_comes_behind_the_last_reply_is_judged(void)
{
    PLAYS("open\n: flush @robust.answers\n",
          OPEN_DISK "request;" DONE("1") "request; S fill 4 0;" DATA("2"), "fail violation",
          "transmission.reply.magic");
    PLAYS("open\n: flush @robust.answers\n",
          OPEN_DISK "request;" DONE("1") "request;" DONE("1") DATA("2"), "fail violation",
          "transmission.reply.once");
    PLAYS("negotiate\nC: option LIST\nS: reply LIST final @handshake.reply.every-option\n",
          HELLO "option;" ERROR("LIST", "ERR_POLICY") "option; S fill 4 0;" ACK("ABORT"),
          "fail violation", "handshake.reply.magic");
    PLAYS("negotiate\nC: option LIST\nS: reply LIST final @handshake.reply.every-option\n",
          HELLO "option;" ERROR("LIST", "ERR_POLICY") "option;" ERROR("LIST", "ERR_POLICY"),
          "fail violation", "handshake.reply.option-echo");
    /* without room for a read */
    PLAYS("open\n: flush @robust.answers\n",
          HELLO "option;" EXPORT("GO", "0", ALL_FLAGS)
              ACK("GO") "request;" DONE("1") "request; S fill 4 0;" DONE("2"),
          "fail violation", "transmission.reply.magic");
    PLAYS("open\n: cache length=0 @robust.answers\n",
          HELLO "option;" EXPORT("GO", "0", "HAS_FLAGS|SEND_CACHE")
              ACK("GO") "request;" DONE("1") "request; S fill 16 0; S close",
          "fail violation", "transmission.reply.unasked");
}

static void nobody_is_blamed_for_what_no_line_asks(void)
{
    PLAYS("open\n: flush @robust.answers\n", OPEN_DISK "request;" DONE("1") "hush", "pass", "");
    PLAYS("open\n: flush @robust.answers\n", OPEN_DISK "request;" DONE("1") "request; S close",
          "pass", "");
    PLAYS("open\n: flush @robust.answers\n", OPEN_DISK "request;" DONE("1") "request; reset",
          "pass", "");
    PLAYS("open\n: flush @robust.answers\n",
          OPEN_DISK "request;" DONE("1") "request;" FAILS("2", "EIO"), "pass", "");
    PLAYS("negotiate\n", HELLO "hush", "pass", "");
    /* where TLS is due, an ABORT in the clear would bring on an alert that is no option reply */
    PLAYS("negotiate\nC: option STARTTLS\nS: reply STARTTLS ACK\n",
          HELLO "option;" ACK("STARTTLS") "take 1; S hex 15030100020246", "pass", "");
    PLAYS("negotiate\n", HELLO "option; S close", "pass", "");
    PLAYS("negotiate\n", HELLO "option;" ERROR("ABORT", "ERR_UNSUP"), "pass", "");
}

/* ---- Set-up in the ways of the run ------------------------------------------------------------ */

static void needs_are_weighed_on_the_live_session(void)
{
    static const struct {
        const char *needs, *verdict, *reason;
    } rows[] = {
        {"needs transmission-flag SEND_FUA SEND_FLUSH\n", "pass", NULL},
        {"needs transmission-flag SEND_DF\n", "skip", "the server does not set SEND_DF"},
        {"needs no-transmission-flag SEND_FUA\n", "skip", "the server sets SEND_FUA"},
        {"needs size >= 1M\n", "pass", NULL},
        {"needs size > 1M\n", "skip", "the export's size is 1048576"},
        {"needs minimum-block = 1\n", "pass", NULL},
        {"needs sizes\n", "skip", "the server advertises no size constraints"},
        {"needs no-sizes\n", "pass", NULL},
        {"needs writes\n", "pass", NULL},
        {"needs oldstyle\n", "skip", "the server does not greet in the old style"},
        {"needs tcp\n", "skip", "the target is no TCP port"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *lines = g_strconcat(rows[i].needs, "open\n", NULL);
        g_autoptr(Played) played = played_new(lines, OPEN_DISK);
        PLAYED_IS(played, rows[i].verdict, "", "");
        CU_ASSERT_EQUAL(g_strcmp0(played->result->reason, rows[i].reason), 0);
    }
}

static void a_case_for_longer_payloads_is_not_for_a_server_with_a_small_maximum(void)
{
    static const char opened[] = HELLO ASK("GO", " BLOCK_SIZE") EXPORT("GO", "524288", ALL_FLAGS)
        SIZES("GO", "minimum=1 preferred=512 maximum=1024") ACK("GO");
    static const char refuses[] = "request;" FAILS("1", "EINVAL");
    static const struct {
        const char *lines, *verdict;
    } rows[] = {
        {"open\nC: request READ length=1025\nS: error @robust.answers\n", "skip"},
        {"open\n: read length=32M @robust.answers\n", "skip"},
        {"open\n: write length=2k data=pattern @robust.answers\n", "skip"},
        {"open\nC: request READ length=1024\nS: error @robust.answers\n", "pass"},
        {"open\nC: request TRIM length=2048\nS: error @robust.answers\n", "pass"},
        {"open\nC: request READ length=32M+1\nS: error @robust.huge-request\n", "pass"},
        {"needs maximum-payload < 1M\nopen\nC: request READ length=1025\nS: error @robust.answers\n",
         "pass"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        bool plays = !g_str_equal(rows[i].verdict, "skip");
        g_autofree char *script = g_strconcat(opened, plays ? refuses : NULL, NULL);
        g_autoptr(Played) played = played_new(rows[i].lines, script);
        PLAYED_IS(played, rows[i].verdict, "", "");
    }
}

static void a_target_that_does_not_fit_is_known_beforehand(void)
{
    static const struct {
        const char *lines, *reason;
    } rows[] = {
        {"open\n", NULL},
        {"open\nopen as B\nopen as D\n", "needs 3 connections at once; the server serves 2"},
        {"open\n: write data=pattern length=1\n", "needs --allow-writes"},
        {"needs handshake-flag NO_ZEROES\nopen\n", "the server does not set NO_ZEROES"},
        {"needs size > 64k\nopen\n", "the export's size is 65536"},
        {"negotiate\nC: option GO\n",
         "is about NBD_OPT_GO, and the run enters by NBD_OPT_EXPORT_NAME"},
        {"negotiate\nC: option EXPORT_NAME\n", NULL},
        {"needs unfixed\nconnect\n", "the server offers fixed newstyle"},
    };
    g_autoptr(TransportAddress) address = transport_address_unix("/nowhere", 8, NULL);
    PlayMode mode = played_mode();
    PlayTarget target = {.entered = true, .connections = 2};

    mode.allow_writes = false;
    mode.enter = ENTER_EXPORT_NAME;
    mode.address = address;
    target.facts.style = STYLE_FIXED_NEWSTYLE;
    target.facts.handshake_flags = NBD_FLAG_FIXED_NEWSTYLE;
    target.facts.size = 65536;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Compiled) compiled = compiled_new(rows[i].lines);
        g_autofree char *reason = play_unfit(compiled_case(compiled, 0), &mode, &target);
        CU_ASSERT_EQUAL(g_strcmp0(reason, rows[i].reason), 0);
    }
}

static void a_case_is_about_fixed_newstyle_unless_it_says_otherwise(void)
{
    static const char flush[] = "open\n: flush @robust.answers\n";
    g_autofree char *newstyle = g_strconcat("needs newstyle\n", flush, NULL);
    g_autofree char *oldstyle = g_strconcat("needs oldstyle\n", flush, NULL);
    static const char unfixed[] =
        "S greeting + newstyle; C client-flags; C option option=EXPORT_NAME + text disk;"
        "S export size=4096 flags=1 + fill 124 0;";
    g_autofree char *unfixed_flush = g_strconcat(unfixed, FLUSH("1") DONE("1"), NULL);

    PLAYS(flush, unfixed, "skip", "");
    PLAYS(flush, OLDSTYLE("1"), "skip", "");
    PLAYS(newstyle, unfixed_flush, "pass", "");
    PLAYS(oldstyle, OLDSTYLE("1") FLUSH("1") DONE("1"), "pass", "");
}

static void a_server_without_go_is_entered_as_clients_do(void)
{
    PLAYS("open\n: flush @robust.answers\n",
          HELLO "option;" ERROR("GO", "ERR_UNSUP") "C option option=EXPORT_NAME + text disk;"
                                                   "S export size=512 flags=1;" FLUSH("1")
                                                       DONE("1"),
          "pass", "");
}

static void a_run_can_enter_by_export_name(void)
{
    static const char asked[] = HELLO "C option option=EXPORT_NAME + text disk;";
    g_autofree char *good =
        g_strconcat(asked, "S export size=512 flags=1;", FLUSH("1") DONE("1"), NULL);
    g_autofree char *refused = g_strconcat(asked, "S close", NULL);
    PlayMode mode = played_mode();

    mode.enter = ENTER_EXPORT_NAME;
    g_autoptr(Played) entered = played_mode_new("open\n: flush @robust.answers\n", good, &mode);
    g_autoptr(Played) skipped = played_mode_new("open\n: flush @robust.answers\n", refused, &mode);
    PLAYED_IS(entered, "pass", "", "");
    PLAYED_IS(skipped, "skip", "", "");
}

/* ---- Without leave to write ------------------------------------------------------------------- */

/* Everything that play/ could send: what has come to the server in the end are requests that change
 * nothing. */
static void without_leave_nothing_that_could_write_is_sent(void)
{
    static const char *const lines[] = {
        "open\n: write offset=0 length=512 data=pattern\n",
        "open\n: trim offset=0 length=512\n",
        "open\n: write-zeroes offset=0 length=512\n",
        "open\nC: request WRITE length=512 data=zero\n",
        "open\nC: request WRITE length=512 data=zero cut=28\n",
        "open\nC: request WRITE cut=27\n",
        "open\nC: request TRIM length=1\n",
        "open\nC: request WRITE_ZEROES length=1\n",
        "open\nC: request RESIZE length=1\n",
        "open\nC: request 1\n",
        "open\nC: request 99\n",
        "open\nC: request 0xffff\n",
        "open\nC: request 0x10001\n", /* cut to 16 bits, a WRITE */
        "open\nC: request READ magic=0x12345678\n",
        "open\nC: request READ data=\"abcd\"\n",
        "open\nC: request READ cut=8\n",
        "open\nC: hex \"25609513 0000 0001 0000000000000001 0000000000000000 00000004 41414141\"\n",
        "open\nC: bytes \"\\x25\\x60\\x95\\x13\\0\\0\\0\\x01\" + \"\\0\" * 20\n",
        "open\nC: bytes \"x\"\n",
        "open\nC: bytes \"\"\n",
        "open\nC: request READ length=1\nC: request WRITE data=\"abc\"\n",
        "open\nC: request DISC\nC: request WRITE data=\"abc\"\n",
        "open\nC: request DISC\nC: bytes \"abc\"\n",
        /* before the server's reply says that it has entered */
        "negotiate\nC: option GO\nC: request WRITE data=\"abc\"\n",
        "negotiate\nC: option GO\nC: request 1 data=\"abc\" magic=0\n",
        "negotiate\nC: option GO\nC: bytes \"abc\"\n",
        "negotiate\nC: option EXPORT_NAME\nC: request WRITE data=\"abc\"\n",
        "negotiate\nC: option EXPORT_NAME\nC: bytes \"abc\"\n",
        /* an oldstyle server would be there without any option */
        "connect\nC: request WRITE data=\"abc\"\n",
        "connect\nC: hex \"25609513 0000\"\nC: hex \"0001 0000000000000001\"\n",
        "connect\nC: hex \"2560\"\nC: hex \"95130000\"\nC: hex \"0004\"\n",
        /* hidden in, or behind, what is none itself */
        "negotiate\nC: option LIST data=\"\\x25\\x60\\x95\\x13\\0\\0\\0\\x01\" length=0\n",
        "negotiate\nC: option 99 data=\"abc\\x25\\x60\\x95\\x13\\0\\0\\0\\x04\"\n",
        "negotiate\nC: hex \"49484156454f5054 00000001 00000000 25609513 00000001 0000\"\n",
        "negotiate\nC: option LIST magic=0\nC: request WRITE data=\"abc\"\n",
        "negotiate\nC: option LIST cut=10\nC: request WRITE data=\"abc\"\n",
        "negotiate\nC: option ABORT\nC: request WRITE data=\"abc\"\n",
    };
    static const uint8_t magic[] = {0x25, 0x60, 0x95, 0x13};
    PlayMode mode = played_mode();

    mode.allow_writes = false;
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        bool open = g_str_has_prefix(lines[i], "open");
        g_autoptr(Played) played = played_mode_new(lines[i], open ? OPEN_DISK : HELLO, &mode);
        const GByteArray *received = fake_server_received(played->server, 0);
        size_t requests = 0;
        CU_ASSERT_EQUAL(played->result->verdict, VERDICT_SKIP);
        for (guint at = 0; at + 8 <= received->len; at++) {
            if (memcmp(received->data + at, magic, sizeof magic) != 0)
                continue;
            uint64_t command = wire_get(received->data + at + 6, 2);
            CU_ASSERT_TRUE(command == NBD_CMD_READ || command == NBD_CMD_DISC);
            requests++;
        }
        CU_ASSERT_FALSE(fake_server_saw(played->server, "abc", 3));
        CU_ASSERT_TRUE(requests <= 2);
        if (played->result->verdict != VERDICT_SKIP)
            g_printerr("\n  %s%s\n", lines[i], played->result->transcript);
    }
}

static void without_leave_what_changes_nothing_is_sent(void)
{
    PlayMode mode = played_mode();

    mode.allow_writes = false;
    g_autoptr(Played) played = played_mode_new(
        "open\n: read length=512\n: flush\n: cache length=512\nC: request BLOCK_STATUS length=1\n"
        "S: error\nC: request DISC\nS: close @transmission.disc.close\n",
        OPEN_DISK READ("1") DATA("1") FLUSH("2")
            DONE("2") "request;" DONE("3") "request;" FAILS("4", "EINVAL") DISC("5") "S close",
        &mode);
    g_autoptr(Played) haggling = played_mode_new(
        "connect\nC: client-flags FIXED_NEWSTYLE\nS: greeting newstyle\nC: bytes \"\"\n"
        "C: option 99 data=\"\\x25\\x60\\x95\"\nC: option 99\nS: reply 99 error\nS: reply 99 error\n"
        "C: hex \"00\"\n",
        "S greeting + newstyle flags=FIXED_NEWSTYLE; take 4; option;" ERROR(
            "99", "ERR_UNSUP") "option;" ERROR("99", "ERR_UNSUP") "take 1",
        &mode);

    PLAYED_IS(played, "pass", "", "");
    PLAYED_IS(haggling, "pass", "", "");
}

void play_fair_tests(void)
{
    CU_pSuite suite = CU_add_suite("play: fairness", NULL, NULL);

    CU_ADD_TEST(suite, a_server_may_hang_up_on_who_broke_a_must);
    CU_ADD_TEST(suite, but_what_it_answers_is_still_judged);
    CU_ADD_TEST(suite, rules_excuse_what_our_own_breach_brought_about);
    CU_ADD_TEST(suite, where_the_framing_is_lost_only_robustness_counts);
    CU_ADD_TEST(suite, after_lost_framing_a_new_connection_is_still_demanded);
    CU_ADD_TEST(suite, a_missing_answer_is_of_a_kind_of_its_own_and_to_be_asked_for_again);
    CU_ADD_TEST(suite, half_an_answer_is_none);
    CU_ADD_TEST(suite, which_requirement_silence_breaks_depends_on_the_line);
    CU_ADD_TEST(suite, silence_on_the_way_to_the_test_blocks);
    CU_ADD_TEST(suite, nothing_is_due_while_we_owe_the_rest_of_a_message);
    CU_ADD_TEST(suite, an_answer_is_due_whatever_waits_for_it);
    CU_ADD_TEST(suite, who_ends_its_stream_owes_nothing_more);
    CU_ADD_TEST(suite, zeroes_that_are_missing_are_blamed);
    CU_ADD_TEST(suite, what_comes_behind_the_last_reply_is_judged);
    CU_ADD_TEST(suite, nobody_is_blamed_for_what_no_line_asks);
    CU_ADD_TEST(suite, needs_are_weighed_on_the_live_session);
    CU_ADD_TEST(suite, a_case_for_longer_payloads_is_not_for_a_server_with_a_small_maximum);
    CU_ADD_TEST(suite, a_target_that_does_not_fit_is_known_beforehand);
    CU_ADD_TEST(suite, a_case_is_about_fixed_newstyle_unless_it_says_otherwise);
    CU_ADD_TEST(suite, a_server_without_go_is_entered_as_clients_do);
    CU_ADD_TEST(suite, a_run_can_enter_by_export_name);
    CU_ADD_TEST(suite, without_leave_nothing_that_could_write_is_sent);
    CU_ADD_TEST(suite, without_leave_what_changes_nothing_is_sent);
}
