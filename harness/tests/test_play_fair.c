/* What a server is not blamed for, and what it is blamed for all the same. */
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
    CU_ASSERT_STRING_EQUAL(played->result->reason, "nothing for 500 ms");
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
                           "116 bytes of a message, and no more for 500 ms");
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

static void what_a_server_lacks_at_the_moment_is_no_breach(void)
{
    static const struct {
        const char *error, *verdict, *findings;
        bool doubtful;
    } rows[] = {
        {"ENOMEM", "blocked", "error.enomem", false},
        {"ESHUTDOWN", "blocked", "", false},
        {"EIO", "fail violation", "transmission.flags.send-flush", true},
        {"ENOSPC", "fail violation", "transmission.flags.send-flush", true},
        {"EINVAL", "fail violation", "transmission.flags.send-flush", false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *script =
            g_strconcat(OPEN_DISK "request; S simple-reply cookie=1 error=", rows[i].error, NULL);
        g_autoptr(Played) played =
            played_new("open\n: flush @transmission.flags.send-flush\n", script);
        PLAYED_IS(played, rows[i].verdict, rows[i].findings, "");
        CU_ASSERT_EQUAL(played->result->doubtful, rows[i].doubtful);
    }
}

/* ---- Storage that fails ----------------------------------------------------------------------- */

/* Answers to requests FIRST to LAST, by ERROR. */
static char *failing(const char *before, unsigned first, unsigned last, const char *error)
{
    GString *script = g_string_new(before);

    for (unsigned i = first; i <= last; i++)
        g_string_append_printf(script, "request; S simple-reply cookie=%u error=%s;", i, error);
    return g_string_free(script, FALSE);
}

static void a_case_is_not_for_storage_that_always_fails(void)
{
    static const struct {
        const char *line, *error, *reason;
    } rows[] = {
        {": write length=512 data=pattern", "ENOSPC", "WRITE fails on this target (ENOSPC)"},
        {": write length=512 data=pattern", "EPERM", "WRITE fails on this target (EPERM)"},
        {": trim length=512", "EIO", "TRIM fails on this target (EIO)"},
        {": flush", "ENOSPC", "FLUSH fails on this target (ENOSPC)"},
        {": read length=512 expect=zero", "EIO", "READ fails on this target (EIO)"},
        {": read length=512 @robust.answers", "EIO", "READ fails on this target (EIO)"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *lines = g_strconcat("open\n", rows[i].line, "\n", NULL);
        g_autofree char *script = failing(OPEN_DISK, 1, 9, rows[i].error);
        g_autoptr(Played) played = played_new(lines, script);
        PLAYED_IS(played, "skip", "", "error.storage-hint");
        CU_ASSERT_STRING_EQUAL(played->result->reason, rows[i].reason);
    }
}

static void storage_that_fails_now_and_then_blocks(void)
{
    static const char write[] = "open\n: write length=512 data=pattern\n";
    g_autofree char *before = failing(OPEN_DISK, 1, 8, "EIO");
    const char *const last[] = {DONE("9"), FAILS("9", "ENOSPC"), "S close"};

    for (size_t i = 0; i < G_N_ELEMENTS(last); i++) {
        g_autofree char *script = g_strconcat(before, "request;", last[i], NULL);
        PLAYS(write, script, "blocked", "");
    }
    PLAYS("open\n: read length=512\n", OPEN_DISK "request;" FAILS("1", "ENOSPC"), "blocked", "");
    PLAYS(write, OPEN_DISK "request;" FAILS("1", "EINVAL"), "blocked", "");
}

/* The server may answer as it likes behind what breaks a MUST: another connection tells. */
static void storage_is_asked_where_we_have_broken_nothing(void)
{
    static const char lines[] = BEYOND "S: error\n: read length=512\n";
    static const char broken[] =
        OPEN_DISK "request;" FAILS("1", "EINVAL") "request;" FAILS("2", "EIO");
    g_autofree char *fails = failing(OPEN_DISK, 1, 8, "EIO");
    const char *const always[] = {broken, fails, NULL};
    const char *const here[] = {broken, OPEN_DISK "request;" DATA("1"), NULL};
    g_autoptr(Played) skipped = played_scripts_new(lines, always, NULL);
    g_autoptr(Played) blocked = played_scripts_new(lines, here, NULL);

    PLAYED_IS(skipped, "skip", "", "error.storage-hint");
    PLAYED_IS(blocked, "blocked", "", "");
}

static void a_read_that_fails_has_no_wrong_bytes(void)
{
    static const char lines[] = "open\n: read offset=0 length=3 expect=\"abc\" @robust.answers\n";
    g_autoptr(Played) failed =
        played_new(lines, OPEN_DISK "request; S simple-reply cookie=1 error=EINVAL");
    g_autoptr(Played) wrong =
        played_new(lines, OPEN_DISK "request; S simple-reply cookie=1 + text abd");

    CU_ASSERT_EQUAL(failed->result->verdict, VERDICT_BLOCKED);
    CU_ASSERT_EQUAL(failed->result->setup->len, 0);
    CU_ASSERT(g_str_has_prefix(failed->result->reason, "got "));
    CU_ASSERT_EQUAL(wrong->result->verdict, VERDICT_FAIL);
}

/* Where no request can be made, it is not the server who is to blame. */
static void a_request_before_the_export_is_a_mistake_of_the_case(void)
{
    static const char *const lines[] = {
        "connect\n: read length=512 @robust.answers\n",
        "negotiate\n: flush @robust.answers\n",
        "negotiate\n: disconnect @transmission.disc.close\n",
        "negotiate\n: status length=512 count=1 @robust.answers\n",
        "negotiate\n: map length=512 @robust.answers\n",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autoptr(Played) played = played_new(lines[i], "S greeting + newstyle; take 4; hush");
        CU_ASSERT_EQUAL(played->result->verdict, VERDICT_ERROR);
        CU_ASSERT_STRING_EQUAL(played->result->reason,
                               "line 4: connection A is not in the transmission phase");
    }
}

/* The first client reads with FUA and is refused; the second one, which is the harness, too, reads plainly. */
static void storage_that_fails_for_plain_requests_too_is_no_breach(void)
{
    static const char fua[] = "open\nC: request READ length=512 flags=FUA\n";
    static const char asks[] = "S: ok @transmission.command-flags.fua-accepted\n";
    static const char warns[] = "one of {\n S: ok\n"
                                "  S: error @error.unknown-flag => warn \"no\"\n}\n";
    static const struct {
        const char *refusal, *plain, *verdict;
    } rows[] = {
        {FAILS("1", "EIO"), READ("1") FAILS("1", "EIO"), "skip"},
        {FAILS("1", "EIO"), READ("1") DATA("1"), "fail violation"},
        {FAILS("1", "EIO"), READ("1") FAILS("1", "EINVAL"), "fail violation"},
        {FAILS("1", "EIO"), "request; S close", "fail violation"},
        {FAILS("1", "EINVAL"), "request; S close", "fail violation"},
        {FAILS("1", "EPERM"), "request; S close", "fail violation"},
    };
    static const char names[] =
        "open\nC: request READ length=512 flags=FUA\none of {\n S: ok\n"
        "  S: error EIO EINVAL EPERM @error.unknown-flag => warn \"no\"\n}\n";
    PlayTarget target = {.connections = 2};

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *first = g_strconcat(OPEN_DISK "request;", rows[i].refusal, NULL);
        g_autofree char *second = g_strconcat(OPEN_DISK, rows[i].plain, NULL);
        const char *const scripts[] = {first, second, NULL};
        bool skipped = g_str_equal(rows[i].verdict, "skip");
        g_autofree char *line = g_strconcat(fua, asks, NULL);
        g_autofree char *block = g_strconcat(fua, warns, NULL);
        g_autoptr(Played) played = played_target_new(line, scripts, &target);
        PLAYED_IS(played, rows[i].verdict, skipped ? "" : "transmission.command-flags.fua-accepted",
                  skipped ? "error.storage-hint" : "");
        g_autoptr(Played) warned = played_target_new(block, scripts, &target);
        PLAYED_IS(warned, skipped ? "skip" : "warn", skipped ? "" : "error.unknown-flag",
                  skipped ? "error.storage-hint" : "");
        g_autoptr(Played) named = played_target_new(names, scripts, &target);
        PLAYED_IS(named, "warn", "error.unknown-flag", "");
    }
}

/* What was written may meet the full disk, or the quota, only when it is committed. */
static void a_flush_can_fail_as_a_write_does(void)
{
    static const char lines[] = "open\nC: request FLUSH\nS: ok @transmission.reply.every-request\n";
    const char *const full[] = {OPEN_DISK "request;" FAILS("1", "ENOSPC"),
                                OPEN_DISK "request;" FAILS("1", "ENOSPC"), NULL};
    const char *const read_only[] = {OPEN_DISK "request;" FAILS("1", "EPERM"),
                                     OPEN_DISK "request;" FAILS("1", "EPERM"), NULL};
    const char *const once[] = {OPEN_DISK "request;" FAILS("1", "EPERM"),
                                OPEN_DISK "request;" DONE("1"), NULL};
    PlayTarget target = {.connections = 2};
    g_autoptr(Played) fails = played_target_new(lines, full, &target);
    g_autoptr(Played) forbidden = played_target_new(lines, read_only, &target);
    g_autoptr(Played) refused = played_target_new(lines, once, &target);

    PLAYED_IS(fails, "skip", "", "error.storage-hint");
    PLAYED_IS(forbidden, "skip", "", "error.storage-hint");
    PLAYED_IS(refused, "fail violation", "transmission.reply.every-request", "");
}

static void a_full_disk_is_asked_piece_by_piece(void)
{
    static const char lines[] = "needs writes\nopen\nC: request WRITE length=1024 data=zero\n"
                                "S: ok @transmission.write.stored\n";
    const char *const scripts[] = {
        OPEN_DISK "request;" FAILS("1", "ENOSPC"),
        OPEN_DISK "request;" DONE("1") "C request type=WRITE offset=512 length=512 cookie=2 +"
                                       " fill 512 0;" FAILS("2", "ENOSPC"),
        NULL};
    PlayTarget target = {.connections = 2};
    g_autoptr(Played) played = played_target_new(lines, scripts, &target);

    PLAYED_IS(played, "skip", "", "error.storage-hint");
    CU_ASSERT_STRING_EQUAL(played->result->reason, "WRITE fails on this target (ENOSPC)");
}

/* Behind the last block that a request touches, another case may be at work. */
static void no_piece_reaches_beyond_the_request(void)
{
    static const char lines[] = "needs writes\nopen\nC: request TRIM length=16800\n"
                                "S: ok @transmission.reply.every-request\n";
    g_autoptr(GString) pieces = g_string_new(OPEN_DISK);
    PlayTarget target = {.connections = 2};

    for (unsigned i = 0; i <= 16; i++)
        g_string_append_printf(pieces,
                               "C request type=TRIM offset=%u length=%u cookie=%u;"
                               "S simple-reply cookie=%u;",
                               i * 1024, i < 16 ? 1024u : 512u, i + 1, i + 1);
    const char *const scripts[] = {OPEN_DISK "request;" FAILS("1", "ENOSPC"), pieces->str, NULL};
    g_autoptr(Played) played = played_target_new(lines, scripts, &target);

    PLAYED_IS(played, "fail violation", "transmission.reply.every-request", "");
}

/* The last of three names that are listed is not known; whether it is listed still is asked then. */
static void a_name_that_is_not_known_counts_while_it_is_listed(void)
{
    static const char lines[] = "negotiate\n: listed @handshake.opt-list.names-usable\n";
#define LISTS(names) "option;" names ACK("LIST")
#define TELLS "option;" EXPORT("INFO", "1048576", ALL_FLAGS) ACK("INFO")
#define ABC LISTED("a") LISTED("b") LISTED("c")
#define REFUSED "option;" ERROR("INFO", "ERR_POLICY")
    static const char unknown[] =
        HELLO LISTS(ABC) TELLS TELLS "option;" ERROR("INFO", "ERR_UNKNOWN");
    g_autofree char *still = g_strconcat(unknown, LISTS(ABC), NULL);
    g_autofree char *gone = g_strconcat(unknown, LISTS(LISTED("a") LISTED("b")), NULL);

    PLAYS(lines, still, "fail violation", "handshake.opt-list.names-usable");
    PLAYS(lines, gone, "pass", "");
    PLAYS(lines, HELLO LISTS(ABC) TELLS REFUSED TELLS, "pass", "");
    PLAYS(lines, HELLO LISTS(ABC) TELLS "option; S close", "pass", "");
    PLAYS(lines, HELLO LISTS(ABC) REFUSED REFUSED REFUSED, "skip", "");
    PLAYS(lines, HELLO LISTS(""), "skip", "");
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
    CU_ADD_TEST(suite, what_a_server_lacks_at_the_moment_is_no_breach);
    CU_ADD_TEST(suite, a_case_is_not_for_storage_that_always_fails);
    CU_ADD_TEST(suite, storage_that_fails_now_and_then_blocks);
    CU_ADD_TEST(suite, storage_is_asked_where_we_have_broken_nothing);
    CU_ADD_TEST(suite, a_read_that_fails_has_no_wrong_bytes);
    CU_ADD_TEST(suite, storage_that_fails_for_plain_requests_too_is_no_breach);
    CU_ADD_TEST(suite, a_flush_can_fail_as_a_write_does);
    CU_ADD_TEST(suite, a_request_before_the_export_is_a_mistake_of_the_case);
    CU_ADD_TEST(suite, a_full_disk_is_asked_piece_by_piece);
    CU_ADD_TEST(suite, no_piece_reaches_beyond_the_request);
    CU_ADD_TEST(suite, a_name_that_is_not_known_counts_while_it_is_listed);
}
