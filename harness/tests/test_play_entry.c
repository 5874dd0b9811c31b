/* When a case is not for a server, how a run enters, and what is not sent without leave to write. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "play/player.h"
#include "played.h"

void play_entry_tests(void);

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
        {"needs size > $maximum\nopen\n", "the export's size is 65536"},
        {"needs size >= $maximum\nopen\n", NULL},
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
    target.facts.size = target.facts.maximum = 65536;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Compiled) compiled = compiled_new(rows[i].lines);
        g_autofree char *reason = play_unfit(compiled_case(compiled, 0), &mode, &target);
        CU_ASSERT_EQUAL(g_strcmp0(reason, rows[i].reason), 0);
    }
}

static void a_case_that_haggles_itself_is_not_for_an_export_that_has_become_too_small(void)
{
    static const char haggles[] =
        "needs size >= 64k  transmission-flag SEND_DF\nnegotiate\nC: option GO\nS: reply GO ACK\n"
        "C: request FLUSH\nS: ok @robust.answers\n";
    /* What a case has haggled for is its own affair: the flag is missing here, and no reason to skip. */
    static const char small[] = HELLO ASK("GO", "") EXPORT("GO", "512", "HAS_FLAGS") ACK("GO");
    static const char large[] = HELLO ASK("GO", "") EXPORT("GO", "65536", "HAS_FLAGS") ACK("GO");
    g_autofree char *flushed = g_strconcat(large, FLUSH("1") DONE("1"), NULL);
    PlayTarget target = {.entered = true, .connections = 1};

    target.facts.style = STYLE_FIXED_NEWSTYLE;
    target.facts.size = UINT64_C(1) << 20;
    target.facts.transmission_flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_DF;
    g_autoptr(Played) skipped = played_target_new(haggles, (const char *[]){small, NULL}, &target);
    g_autoptr(Played) played = played_target_new(haggles, (const char *[]){flushed, NULL}, &target);
    PLAYED_IS(skipped, "skip", "", "");
    PLAYED_IS(played, "pass", "", "");
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

static void oldstyle_on_the_port_of_newstyle_is_a_warning(void)
{
    static const char lines[] =
        "connect\nS: greeting newstyle @handshake.newstyle.no-oldstyle-on-port\n";
    g_autofree char *needs = g_strconcat("needs oldstyle nbd-port\n", lines, NULL);
    g_autofree char *oldstyle = g_strconcat("needs oldstyle\n", lines, NULL);
    g_autoptr(Compiled) compiled = compiled_new(needs);
    const SessionFacts facts = {.style = STYLE_OLDSTYLE};

    for (uint16_t port = NBD_DEFAULT_PORT; port <= NBD_DEFAULT_PORT + 1; port++)
        for (int v6 = 0; v6 <= 1; v6++) {
            g_autoptr(TransportAddress) address =
                transport_address_tcp(v6 ? "::1" : "127.0.0.1", port, NULL);
            PlayMode mode = played_mode();
            mode.address = address;
            g_autofree char *unmet =
                play_needs(compiled_case(compiled, 0), &mode, NULL, &facts, false);
            CU_ASSERT_EQUAL(unmet == NULL, port == NBD_DEFAULT_PORT);
        }
    PLAYS(oldstyle, OLDSTYLE("1"), "warn", "handshake.newstyle.no-oldstyle-on-port");
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

/* What the test itself does comes later, and would hide it. */
static void what_is_met_on_the_way_keeps_the_transcript_up_to_there(void)
{
    g_autoptr(Played) played = played_new(
        "open\n", HELLO ASK("GO", " BLOCK_SIZE")
                      EXPORT("GO", "1048576", ALL_FLAGS) "S reply option=GO type=ACK + hex 00;");

    PLAYED_IS(played, "pass", "", "handshake.reply.ack-empty");
    CU_ASSERT_EQUAL_FATAL(played->result->setup->len, 1);
    const Finding *finding = played->result->setup->pdata[0];
    const char *transcript = finding->transcript != NULL ? finding->transcript : "";
    const char *last = strrchr(transcript, ':');
    CU_ASSERT(g_str_has_prefix(played->result->transcript, transcript));
    CU_ASSERT(last != NULL && g_str_has_prefix(last, ": reply GO ACK length=1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(played->result->transcript, "DISC"));
}

void play_entry_tests(void)
{
    CU_pSuite suite = CU_add_suite("play: entry and leave to write", NULL, NULL);

    CU_ADD_TEST(suite, needs_are_weighed_on_the_live_session);
    CU_ADD_TEST(suite, a_case_for_longer_payloads_is_not_for_a_server_with_a_small_maximum);
    CU_ADD_TEST(suite, a_target_that_does_not_fit_is_known_beforehand);
    CU_ADD_TEST(suite, a_case_that_haggles_itself_is_not_for_an_export_that_has_become_too_small);
    CU_ADD_TEST(suite, a_case_is_about_fixed_newstyle_unless_it_says_otherwise);
    CU_ADD_TEST(suite, oldstyle_on_the_port_of_newstyle_is_a_warning);
    CU_ADD_TEST(suite, a_server_without_go_is_entered_as_clients_do);
    CU_ADD_TEST(suite, a_run_can_enter_by_export_name);
    CU_ADD_TEST(suite, without_leave_nothing_that_could_write_is_sent);
    CU_ADD_TEST(suite, without_leave_what_changes_nothing_is_sent);
    CU_ADD_TEST(suite, what_is_met_on_the_way_keeps_the_transcript_up_to_there);
}
