/* Playing a case: what its lines wait for, what they take, and what verdict that comes to. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "played.h"

void play_tests(void);

/* ---- Lines and verdicts ----------------------------------------------------------------------- */

static void a_conversation_as_written_passes(void)
{
    PLAYS("negotiate\nC: option ABORT\nS: reply ABORT ACK length=0 @handshake.opt-abort.ack\n"
          "C: close\n",
          HELLO ABORT ACK("ABORT"), "pass", "");
    PLAYS("connect\nS: greeting newstyle flags has FIXED_NEWSTYLE flags lacks 4\n"
          "C: client-flags FIXED_NEWSTYLE NO_ZEROES\nC: option EXPORT_NAME\n"
          "S: export size=4096 flags has HAS_FLAGS @handshake.export-name.reply\n"
          ": read offset=0 length=512\n: disconnect\n",
          HELLO "C option option=EXPORT_NAME + text disk;"
                "S export size=4096 flags=HAS_FLAGS;" READ("1") DATA("1") DISC("2") "S close",
          "pass", "");
}

static void another_answer_breaks_what_the_line_cites(void)
{
    g_autoptr(Played) played =
        played_new("negotiate\nC: option ABORT\nS: reply ABORT ACK @handshake.opt-abort.ack\n",
                   HELLO ABORT ERROR("ABORT", "ERR_UNSUP"));

    PLAYED_IS(played, "fail violation", "handshake.opt-abort.ack", "");
    const Finding *finding = played->result->findings->pdata[0];
    CU_ASSERT_EQUAL(finding->line, CASE_HEAD_LINES + 3);
    CU_ASSERT_EQUAL(finding->by, SIDE_SERVER);
    CU_ASSERT_STRING_EQUAL(finding->expected, "S: reply ABORT ACK");
    CU_ASSERT_STRING_EQUAL(finding->got, "reply ABORT ERR_UNSUP length=0");
    CU_ASSERT_EQUAL(g_bytes_get_size(finding->bytes), 20);
    CU_ASSERT_EQUAL(finding->size, 20);
    CU_ASSERT_FALSE(played->result->doubtful);
    CU_ASSERT_PTR_NOT_NULL(strstr(played->result->transcript, "S: reply ABORT ERR_UNSUP"));
}

static void the_kind_of_failure_follows_from_the_requirement(void)
{
    static const char script[] = HELLO ABORT ERROR("ABORT", "ERR_UNSUP");

    PLAYS("negotiate\nC: option ABORT\nS: reply ABORT ACK @robust.answers\n", script,
          "fail robustness", "robust.answers");
    PLAYS("negotiate\nC: option ABORT\nS: reply ABORT ACK @handshake.opt-abort.data-ignored\n",
          script, "warn", "handshake.opt-abort.data-ignored");
    PLAYS("negotiate\nC: option ABORT\nS: reply ABORT ACK @handshake.reply.error-text\n", script,
          "warn hint", "handshake.reply.error-text");
    /* the gravest of several */
    PLAYS("negotiate\nC: option ABORT\n"
          "S: reply ABORT ACK @handshake.opt-abort.data-ignored @handshake.opt-abort.ack\n",
          script, "fail violation", "handshake.opt-abort.ack");
}

static void a_rule_of_the_session_fails_any_case(void)
{
    PLAYS("negotiate\nC: option ABORT\nS: reply ABORT final\n",
          HELLO ABORT "S reply option=ABORT type=ACK + fill 4 0;", "fail violation",
          "handshake.reply.ack-empty");
    /* … even while something else is waited for */
    PLAYS("open\n: read offset=0 length=512\n",
          OPEN_DISK READ("1") "S simple-reply cookie=77;" DATA("1"), "fail violation",
          "transmission.reply.cookie");
    /* … and a SHOULD of a rule is a warning, and the case goes on */
    PLAYS("open\n: read offset=0 length=512\n", OPEN_DISK READ("1") FAILS("1", "ENOTSUP"),
          "blocked", "error.enotsup");
}

static void set_up_that_fails_blocks(void)
{
    static const struct {
        const char *lines, *script, *blocked_by, *setup;
    } rows[] = {
        {"negotiate\n", "S close", "handshake.newstyle.greeting", "handshake.newstyle.greeting"},
        {"negotiate\n", "S greeting magic=1;", "handshake.newstyle.greeting",
         "handshake.newstyle.greeting"},
        {"open\n", HELLO "option; S close", "termination.server.option-error",
         "termination.server.option-error"},
        {"open\n", HELLO "option;" ERROR("GO", "ERR_UNKNOWN"), "baseline.opt-go", ""},
        {"open\n: read offset=8 length=4 expect=\"abcd\"\n",
         OPEN_DISK "request; S simple-reply cookie=1 + hex 61626300;",
         "transmission.read.right-bytes", "transmission.read.right-bytes"},
        {"open\n: flush\n", OPEN_DISK "request; S close", "termination.server.hard-disconnect",
         "termination.server.hard-disconnect"},
        /* answers that are only not what the case hoped for break nothing */
        {"negotiate\nC: option LIST\nS: reply LIST ACK\n",
         HELLO "option;" ERROR("LIST", "ERR_POLICY"), "handshake.reply.every-option", ""},
        {"open\n: flush\n", OPEN_DISK "request;" FAILS("1", "EINVAL"),
         "transmission.reply.every-request", ""},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Played) played = played_new(rows[i].lines, rows[i].script);
        PLAYED_IS(played, "blocked", "", rows[i].setup);
        CU_ASSERT_STRING_EQUAL(played->result->blocked_by, rows[i].blocked_by);
        CU_ASSERT_PTR_NOT_NULL(played->result->reason);
    }
}

static void what_a_rule_finds_on_the_way_is_kept_apart(void)
{
    g_autoptr(Played) played =
        played_new("open\n: read offset=0 length=512 @transmission.read.right-bytes\n", HELLO
                   "option;" EXPORT("GO", "1048576", "SEND_FLUSH") ACK("GO") READ("1") DATA("1"));

    PLAYED_IS(played, "pass", "", "transmission.flags.has-flags");
}

static void what_the_server_tells_everybody_is_no_finding_of_one_case(void)
{
    g_autoptr(Played) played =
        played_new("negotiate\nC: option GO\nS: reply GO ACK @handshake.reply.every-option\n",
                   HELLO "option;" EXPORT("GO", "1048576", "0")
                       SIZES("GO", "minimum=3 preferred=512 maximum=1048576") ACK("GO"));

    PLAYED_IS(played, "pass", "", "transmission.flags.has-flags size.minimum-power-of-2");
}

/* ---- one of ----------------------------------------------------------------------------------- */

#define CHOICE(outcome)                                                                            \
    ASK_ABORT "one of @handshake.opt-abort.ack {\n  S: reply ABORT ACK\n"                          \
              "  S: reply ABORT error @handshake.opt-abort.data-ignored => " outcome "\n}\n"       \
              "C: option LIST\nS: reply LIST ACK @handshake.reply.every-option\n"
#define NO_LIST "C option option=LIST;" ERROR("LIST", "ERR_UNSUP")

static void the_alternative_that_came_decides(void)
{
    PLAYS(CHOICE("continue"), NO_ABORT NO_LIST, "fail violation", "handshake.reply.every-option");
    PLAYS(CHOICE("pass"), NO_ABORT, "pass", "");
    PLAYS(CHOICE("pass \"why not\""), NO_ABORT, "pass", "");
    PLAYS(CHOICE("skip \"it is so\""), NO_ABORT, "skip", "");
    PLAYS(CHOICE("warn"), NO_ABORT, "warn", "handshake.opt-abort.data-ignored");
    PLAYS(CHOICE("warn \"so\" continue"), NO_ABORT NO_LIST, "fail violation",
          "handshake.opt-abort.data-ignored handshake.reply.every-option");
    PLAYS(ASK_ABORT "one of {\n  S: reply ABORT error @handshake.opt-abort.ack => fail \"no\"\n"
                    "  S: close\n}\n",
          NO_ABORT, "fail violation", "handshake.opt-abort.ack");
}

static void reasons_are_those_of_the_case(void)
{
    g_autoptr(Played) skipped = played_new(CHOICE("skip \"it is so\""), NO_ABORT);
    g_autoptr(Played) warned = played_new(CHOICE("warn \"dislikes it\""), NO_ABORT);
    g_autoptr(Played) silent = played_new(CHOICE("warn"), NO_ABORT);

    CU_ASSERT_STRING_EQUAL(skipped->result->reason, "it is so");
    CU_ASSERT_STRING_EQUAL(warned->result->reason, "dislikes it");
    CU_ASSERT_STRING_EQUAL(silent->result->reason,
                           requirement_find("handshake.opt-abort.data-ignored")->summary);
}

static void where_no_alternative_came_the_block_is_to_blame(void)
{
    g_autoptr(Played) played =
        played_new(ASK_ABORT "one of @handshake.opt-abort.ack {\n  S: reply ABORT ACK\n"
                             "  S: reply ABORT ERR_POLICY ERR_PLATFORM\n}\n",
                   NO_ABORT);

    PLAYED_IS(played, "fail violation", "handshake.opt-abort.ack", "");
    const Finding *finding = played->result->findings->pdata[0];
    CU_ASSERT_STRING_EQUAL(finding->expected,
                           "S: reply ABORT ACK, or S: reply ABORT ERR_POLICY ERR_PLATFORM");
    CU_ASSERT_EQUAL(finding->line, CASE_HEAD_LINES + 3);
}

static void a_close_can_be_an_alternative(void)
{
    static const char lines[] = ASK_ABORT "one of @robust.answers {\n  S: reply ABORT ACK\n"
                                          "  S: close => skip \"gone\"\n}\n";

    PLAYS(lines, HELLO ABORT ACK("ABORT"), "pass", "");
    PLAYS(lines, HELLO ABORT "S close", "skip", "");
    /* … and no message but a final reply rules it out */
    PLAYS("negotiate\nC: option LIST\none of @robust.answers {\n  S: reply LIST final\n"
          "  S: close => skip \"gone\"\n}\n",
          HELLO "option;" LISTED("a") LISTED("b") "S close", "skip", "");
    PLAYS(lines, NO_ABORT, "fail robustness", "robust.answers");
}

static void the_block_of_an_alternative_is_played_before_its_outcome(void)
{
    static const char lines[] =
        ASK_ABORT "one of {\n"
                  "  S: reply ABORT error => pass {\n"
                  "    C: option LIST\n    S: reply LIST ACK @handshake.reply.every-option\n  }\n"
                  "  S: reply ABORT ACK => skip \"acknowledged\" {\n    C: close\n  }\n}\n"
                  "C: option INFO\n";

    PLAYS(lines, NO_ABORT NO_LIST, "fail violation", "handshake.reply.every-option");
    PLAYS(lines, NO_ABORT "C option option=LIST;" ACK("LIST"), "pass", "");
    PLAYS(lines, HELLO ABORT ACK("ABORT"), "skip", "");
}

/* ---- Sets ------------------------------------------------------------------------------------- */

#define INFORMED(infos) HELLO ASK("INFO", infos)

static void replies_before_the_final_one_come_in_any_order(void)
{
    static const char lines[] = "negotiate\nC: option INFO info=BLOCK_SIZE info=NAME\n"
                                "S: reply INFO INFO EXPORT size as $n\n"
                                "S: reply INFO INFO BLOCK_SIZE minimum=512 maximum>=$n\n"
                                "S: reply INFO ACK @handshake.reply.layout\n";
    static const char sizes[] = "minimum=512 preferred=4096 maximum=1048576";
    g_autofree char *one = g_strconcat(INFORMED(" BLOCK_SIZE NAME"), EXPORT("INFO", "65536", "1"),
                                       "S reply option=INFO type=INFO + info-block-size "
                                       "info=BLOCK_SIZE ",
                                       sizes, ";", ACK("INFO"), NULL);
    g_autofree char *other =
        g_strconcat(INFORMED(" BLOCK_SIZE NAME"),
                    "S reply option=INFO type=INFO + info-block-size info=BLOCK_SIZE ", sizes, ";",
                    "S reply option=INFO type=INFO + info info=NAME + text disk;"
                    "S reply option=INFO type=INFO + info info=99 + text what;",
                    EXPORT("INFO", "65536", "1"), ACK("INFO"), NULL);

    PLAYS(lines, one, "pass", "");
    PLAYS(lines, other, "pass", "");
}

static void the_final_reply_ends_the_set(void)
{
    /* the line waits for what did not come before it */
    PLAYS("negotiate\nC: option INFO\n"
          "S: reply INFO INFO DESCRIPTION @handshake.opt-info.request-list\n",
          INFORMED("") EXPORT("INFO", "65536", "1") ACK("INFO"), "warn hint",
          "handshake.opt-info.request-list");
    /* what no line took has had its time, and is no answer to the next option */
    PLAYS("negotiate\nC: option LIST\nS: reply LIST ACK\nC: option LIST\n"
          "S: reply LIST SERVER name=\"a\" @handshake.rep-server.layout\nS: reply LIST ACK\n",
          HELLO "C option option=LIST;" LISTED("a") LISTED("b")
              ACK("LIST") "C option option=LIST;" LISTED("c") ACK("LIST"),
          "fail violation", "handshake.rep-server.layout");
}

static void each_line_takes_one_reply(void)
{
    static const char lines[] =
        "negotiate\nC: option LIST\nS: reply LIST SERVER name=\"a\" @handshake.rep-server.layout\n"
        "S: reply LIST SERVER name=\"a\" @handshake.rep-server.layout\nS: reply LIST ACK\n";

    PLAYS(lines, HELLO "C option option=LIST;" LISTED("b") LISTED("a") LISTED("a") ACK("LIST"),
          "pass", "");
    PLAYS(lines, HELLO "C option option=LIST;" LISTED("b") LISTED("a") ACK("LIST"),
          "fail violation", "handshake.rep-server.layout");
}

static void replies_to_requests_are_told_apart_by_their_cookies(void)
{
    static const char lines[] =
        "open\nC: request READ length=512 cookie=7\nC: request FLUSH cookie=8\n"
        "C: request READ offset=512 length=512 cookie=9\n"
        "S: ok cookie=7 @transmission.reply.cookie\n"
        "S: simple-reply error=SUCCESS length=512 @transmission.reply.layout\n" /* the latest */
        "S: ok cookie=8 @transmission.reply.cookie\n";
    static const char asked[] =
        OPEN_DISK READ("7") FLUSH("8") "C request type=READ length=512 offset=512 cookie=9;";
    static const char *const orders[] = {DATA("7") DONE("8") DATA("9"),
                                         DATA("9") DONE("8") DATA("7"),
                                         DONE("8") DATA("9") DATA("7")};

    for (size_t i = 0; i < G_N_ELEMENTS(orders); i++) {
        g_autofree char *script = g_strconcat(asked, orders[i], NULL);
        PLAYS(lines, script, "pass", "");
    }
    PLAYS(lines, OPEN_DISK "take 84;" DATA("9") FAILS("8", "EIO") DATA("7"), "fail violation",
          "transmission.reply.cookie");
}

static void any_order_takes_any_order(void)
{
    static const char lines[] =
        "open\nC: request READ length=512 cookie=1\nC: request FLUSH cookie=2\n"
        "any order {\n  S: ok cookie=1 @transmission.reply.cookie\n"
        "  S: ok cookie=2 @transmission.reply.cookie\n}\n";

    PLAYS(lines, OPEN_DISK READ("1") FLUSH("2") DATA("1") DONE("2"), "pass", "");
    PLAYS(lines, OPEN_DISK READ("1") FLUSH("2") DONE("2") DATA("1"), "pass", "");
    PLAYS(lines, OPEN_DISK READ("1") FLUSH("2") DONE("2") FAILS("1", "EIO"), "fail violation",
          "transmission.reply.cookie");
}

static void errors_can_be_named_or_excluded(void)
{
    static const struct {
        const char *error;
        bool holds;
    } rows[] = {
        {"error", true},
        {"error EIO", true},
        {"error EINVAL EIO ENOSPC", true},
        {"error EINVAL ENOSPC", false},
        {"error not EINVAL", true},
        {"error not EINVAL EIO", false},
        {"simple-reply error!=EINVAL", true},
        {"ok", false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *lines = g_strdup_printf(
            "open\nC: request FLUSH\nS: %s @transmission.reply.layout\n", rows[i].error);
        PLAYS(lines, OPEN_DISK FLUSH("1") FAILS("1", "EIO"),
              rows[i].holds ? "pass" : "fail violation",
              rows[i].holds ? "" : "transmission.reply.layout");
    }
}

static void payloads_are_compared(void)
{
    static const char good[] = OPEN_DISK "C request type=READ offset=8 length=4 cookie=1;"
                                         "S simple-reply cookie=1 + hex 61626300;";
    g_autoptr(Played) played = played_new(
        "open\n: read offset=8 length=4 expect=\"abcd\" @transmission.read.right-bytes\n", good);

    PLAYED_IS(played, "fail violation", "transmission.read.right-bytes", "");
    CU_ASSERT_STRING_EQUAL(played->result->reason, "the byte at offset 11 is 00, not 64");
    PLAYS("open\n: read offset=8 length=4 expect=\"abc\\0\" @transmission.read.right-bytes\n", good,
          "pass", "");
    PLAYS("open\n: read offset=8 length=4 expect=\"abc\" @transmission.read.right-bytes\n", good,
          "fail violation", "transmission.read.right-bytes");
}

/* ---- Variables and connections ---------------------------------------------------------------- */

static void variables_are_bound_by_what_came(void)
{
    PLAYS("negotiate\nC: option LIST\nS: reply LIST SERVER name as $name\nS: reply LIST ACK\n"
          "C: option INFO name=$name + \"!\"\nS: reply INFO final\n",
          HELLO "C option option=LIST;" LISTED("q")
              ACK("LIST") "C option option=INFO + ask q!;" ERROR("INFO", "ERR_UNKNOWN"),
          "pass", "");
    PLAYS(
        "open\n: read offset=$size-512 length=512\n: read offset=$block*2 length=$minimum\n",
        OPEN_DISK "C request type=READ offset=1048064 length=512 cookie=1;" DATA(
            "1") "C request type=READ offset=1024 length=1 cookie=2; S simple-reply cookie=2 + fill 1 0;",
        "pass", "");
}

static void a_variable_of_an_alternative_that_did_not_come_is_an_error(void)
{
    g_autoptr(Played) played =
        played_new("negotiate\nC: option LIST\none of {\n  S: reply LIST SERVER name as $name\n"
                   "  S: reply LIST final\n}\nC: option INFO name=$name\n",
                   HELLO "C option option=LIST;" ACK("LIST"));

    PLAYED_IS(played, "error", "", "");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(played->result->reason, "nothing before this line has set $name"));
}

static void connections_have_names(void)
{
    const char *const scripts[] = {OPEN_DISK READ("1") DATA("1") READ("2") DATA("2"),
                                   OPEN_DISK FLUSH("1") DONE("1") FLUSH("2") "S close", NULL};
    g_autoptr(Played) played = played_scripts_new(
        "open\nopen as B\n : read length=512\nB: flush\nC: request READ length=512\n"
        "B.C: request FLUSH\nB.S: close @robust.answers\nS: ok\n",
        scripts, NULL);

    PLAYED_IS(played, "pass", "", "");
    CU_ASSERT_PTR_NOT_NULL(strstr(played->result->transcript, "A.C: request READ"));
    CU_ASSERT_PTR_NOT_NULL(strstr(played->result->transcript, "B.S: close"));
}

static void a_connection_that_was_never_made_is_an_error(void)
{
    g_autoptr(Played) played = played_new("open\nB: flush\n", OPEN_DISK);

    PLAYED_IS(played, "error", "", "");
    CU_ASSERT_STRING_EQUAL(played->result->reason, "line 4: there is no connection B yet");
}

void play_tests(void)
{
    CU_pSuite suite = CU_add_suite("play: lines and verdicts", NULL, NULL);

    CU_ADD_TEST(suite, a_conversation_as_written_passes);
    CU_ADD_TEST(suite, another_answer_breaks_what_the_line_cites);
    CU_ADD_TEST(suite, the_kind_of_failure_follows_from_the_requirement);
    CU_ADD_TEST(suite, a_rule_of_the_session_fails_any_case);
    CU_ADD_TEST(suite, set_up_that_fails_blocks);
    CU_ADD_TEST(suite, what_a_rule_finds_on_the_way_is_kept_apart);
    CU_ADD_TEST(suite, what_the_server_tells_everybody_is_no_finding_of_one_case);
    CU_ADD_TEST(suite, the_alternative_that_came_decides);
    CU_ADD_TEST(suite, reasons_are_those_of_the_case);
    CU_ADD_TEST(suite, where_no_alternative_came_the_block_is_to_blame);
    CU_ADD_TEST(suite, a_close_can_be_an_alternative);
    CU_ADD_TEST(suite, the_block_of_an_alternative_is_played_before_its_outcome);
    CU_ADD_TEST(suite, replies_before_the_final_one_come_in_any_order);
    CU_ADD_TEST(suite, the_final_reply_ends_the_set);
    CU_ADD_TEST(suite, each_line_takes_one_reply);
    CU_ADD_TEST(suite, replies_to_requests_are_told_apart_by_their_cookies);
    CU_ADD_TEST(suite, any_order_takes_any_order);
    CU_ADD_TEST(suite, errors_can_be_named_or_excluded);
    CU_ADD_TEST(suite, payloads_are_compared);
    CU_ADD_TEST(suite, variables_are_bound_by_what_came);
    CU_ADD_TEST(suite, a_variable_of_an_alternative_that_did_not_come_is_an_error);
    CU_ADD_TEST(suite, connections_have_names);
    CU_ADD_TEST(suite, a_connection_that_was_never_made_is_an_error);
}
