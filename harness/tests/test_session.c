/* The session: phases, facts, and decoding whatever the pieces. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "talk.h"

void session_tests(void);

#define NAME(option) "S reply option=" option " type=INFO + info info=NAME + text disk;"

/* ---- Phases ---------------------------------------------------------------------------------- */

/* A line is what one side says, and what answers it. */
/* clang-format off */
static const char *const correct[] = {
    /* oldstyle, to its end */
    "= greeting;" OLDSTYLE("HAS_FLAGS|SEND_FLUSH")
    "= transmission;" READ("1") DATA("1") FLUSH("2") DONE("2") DISC("3")
    "= disconnecting; S close;"
    "= disconnecting; C close; = ended;",

    /* newstyle */
    "S greeting + newstyle; = client flags; C client-flags; = option haggling;" EXPORT_NAME
    "= EXPORT_NAME's reply; S export size=65536 flags=HAS_FLAGS + fill 124 0;"
    "= transmission;" READ("1") DATA("1"),

    /* fixed newstyle, every way in and out */
    HELLO EXPORT_NAME "S export size=65536 flags=HAS_FLAGS; = transmission;" READ("1") DATA("1"),

    HELLO ASK("GO", "")
    "= an option's replies;" EXPORT("GO", "65536", "HAS_FLAGS")
    "= an option's replies;" ACK("GO")
    "= transmission;" READ("1") DATA("1") DISC("2") "= disconnecting;",

    HELLO ASK("INFO", " NAME") EXPORT("INFO", "65536", "HAS_FLAGS") NAME("INFO") ACK("INFO")
    "= option haggling;" ASK("GO", " NAME") NAME("GO") EXPORT("GO", "65536", "HAS_FLAGS") ACK("GO")
    "= transmission;",

    HELLO ASK("GO", "") ERROR("GO", "ERR_UNKNOWN + text sorry")
    "= option haggling;" OPT("ABORT")
    "= an option's replies;" ACK("ABORT")
    "= aborted; C close; S close; = ended;",

    HELLO OPT("LIST") "S reply option=LIST type=SERVER + server name-length=4 + text disk;"
    "= an option's replies;" ACK("LIST")
    "= option haggling;" STRUCTURED ENTER("HAS_FLAGS|SEND_DF") READ("1")
    "S chunk type=OFFSET_DATA cookie=1 + fill 8 0 + fill 512 9; S chunk flags=DONE cookie=1;",

    /* requests that did not wait for the server's word: held back, and then taken up first */
    HELLO ASK("GO", "") READ("1")
    "= an option's replies;" EXPORT("GO", "65536", "HAS_FLAGS") ACK("GO")
    "= transmission;" DATA("1"),

    HELLO EXPORT_NAME READ("1") WRITE("2")
    "S export size=65536 flags=HAS_FLAGS;" DATA("1") DONE("2"),

    HELLO ASK("GO", "") READ("1")
    "S reply option=GO type=INFO length=12 + info-export info=EXPORT size=65536 flags=HAS_FLAGS"
    " + reply option=GO type=ACK length=0 + simple-reply cookie=1 + fill 512 9;",

    /* a client in a hurry: flags and option before the greeting */
    "C client-flags flags=3;" OPT("LIST") "= greeting;" GREETING
    "= an option's replies;" ACK("LIST"),
};

/* Breaches of both sides, and what is said behind them. */
static const char *const odd[] = {
    HELLO OPT("LIST") OPT("0x1234") EXPORT_NAME READ("1")
    "= an option's replies;" ACK("LIST")
    "= an option's replies;" ERROR("0x1234", "ERR_UNSUP")
    "= EXPORT_NAME's reply; S export size=65536 flags=HAS_FLAGS;"
    "= transmission;" DATA("1"),

    HELLO OPT("LIST") OPT("LIST") ACK("INFO") ACK("LIST") ACK("LIST") "S fill 40 1; C fill 100 2;",
    OPEN READ("7") FAILS("8", "EIO") DATA("7") FLUSH("9") "S fill 100 0;",
    OPEN DISC("1") READ("2") FAILS("1", "EINVAL") DATA("2") "C hex 00;",
    HELLO EXPORT_NAME ERROR("EXPORT_NAME", "ERR_UNKNOWN") "S fill 10 0;",
    GREETING "S newstyle;" OPT("LIST"),
    OLDSTYLE("HAS_FLAGS") "S fill 99 9; C fill 99 9;",
};
/* clang-format on */

static char *facts_text(const Session *session)
{
    const SessionFacts *f = session_facts(session);

    return g_strdup_printf(
        "%d %u %u/%d %d %d, %" G_GUINT64_FORMAT "/%d %u, %u %u %u/%d%d%d, %u %u %u", f->style,
        f->handshake_flags, f->client_flags, f->has_client_flags, f->no_zeroes, f->structured,
        f->size, f->has_export, f->transmission_flags, f->minimum, f->preferred, f->maximum,
        f->block_size_asked, f->block_size_given, f->committed, f->options_sent, f->requests_sent,
        f->in_flight);
}

static void sounds_the_same(const char *script, const Talk *whole, Split split)
{
    g_autoptr(Talk) cut = talk_new(VANTAGE_ENDPOINT, split);

    talk_say(cut, script);
    CU_ASSERT_STRING_EQUAL(cut->messages->str, whole->messages->str);
    CU_ASSERT_STRING_EQUAL(cut->findings->str, whole->findings->str);
    CU_ASSERT_EQUAL(session_phase(cut->session), session_phase(whole->session));
    g_autofree char *now = facts_text(cut->session), *then = facts_text(whole->session);
    CU_ASSERT_STRING_EQUAL(now, then);
}

static void phases_messages_and_findings_are_the_same_whatever_the_pieces(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(correct) + G_N_ELEMENTS(odd); i++) {
        bool right = i < G_N_ELEMENTS(correct);
        const char *script = right ? correct[i] : odd[i - G_N_ELEMENTS(correct)];
        g_autoptr(Talk) whole = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
        talk_say(whole, script);
        sounds_the_same(script, whole, SPLIT_BYTES);
        sounds_the_same(script, whole, SPLIT_PIECES);
        CU_ASSERT_EQUAL(whole->findings->len == 0, right);
    }
}

/* ---- Facts ----------------------------------------------------------------------------------- */

static void facts_are_those_of_the_last_successful_go(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
    const SessionFacts *facts = session_facts(talk->session);

    talk_say(talk, HELLO ASK("GO", "") EXPORT("GO", "512", "HAS_FLAGS") ERROR("GO", "ERR_POLICY"));
    CU_ASSERT(!facts->has_export && facts->minimum == 1 && facts->maximum == 33554432);
    talk_say(talk, ASK("INFO", " BLOCK_SIZE") EXPORT("INFO", "512", "HAS_FLAGS")
                       SIZES("INFO", "minimum=512 preferred=512 maximum=1048576") ACK("INFO"));
    CU_ASSERT(!facts->has_export && facts->block_size_given && facts->minimum == 1);
    talk_say(talk,
             ASK("GO", " BLOCK_SIZE") SIZES("GO", "minimum=512 preferred=1024 maximum=1048576")
                 EXPORT("GO", "1024", "HAS_FLAGS|SEND_FLUSH"));
    talk_broken(talk, "");
    CU_ASSERT(!facts->has_export);
    talk_say(talk, ACK("GO"));
    CU_ASSERT(facts->has_export && facts->committed && facts->size == 1024 &&
              facts->minimum == 512 && facts->preferred == 1024 && facts->maximum == 1048576);
    CU_ASSERT_EQUAL(facts->transmission_flags, NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH);
    CU_ASSERT_EQUAL(facts->options_sent, 3);
}

static void what_is_agreed_holds_until_sizes_are_advertised(void)
{
    static const SessionSizes sizes = {.minimum = 4096, .preferred = 8192, .maximum = 65536};
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
    const SessionFacts *facts = session_facts(talk->session);

    session_agree(talk->session, &sizes);
    talk_say(talk,
             HELLO ASK("GO", "") EXPORT("GO", "1048576", "HAS_FLAGS") ERROR("GO", "ERR_POLICY"));
    CU_ASSERT(!facts->block_size_given && facts->minimum == 4096 && facts->preferred == 8192 &&
              facts->maximum == 65536);
    talk_say(talk,
             ASK("GO", " BLOCK_SIZE") SIZES("GO", "minimum=512 preferred=1024 maximum=1048576")
                 EXPORT("GO", "1048576", "HAS_FLAGS") ACK("GO"));
    CU_ASSERT(facts->block_size_given && facts->minimum == 512 && facts->preferred == 1024 &&
              facts->maximum == 1048576);
    talk_broken(talk, "");
}

/* A server may hang up on what is outside of it. */
static void what_is_agreed_binds_us(void)
{
    static const SessionSizes sizes = {.minimum = 4096, .preferred = 8192, .maximum = 65536};

    for (unsigned agreed = 0; agreed < 2; agreed++) {
        g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
        if (agreed)
            session_agree(talk->session, &sizes);
        talk_say(talk, HELLO ASK("GO", "") EXPORT("GO", "1048576", "HAS_FLAGS")
                           ACK("GO") "C request type=READ offset=4096 length=65536 cookie=1;");
        CU_ASSERT(!session_tainted(talk->session, SIDE_CLIENT));
        talk_say(talk, "C request type=READ offset=512 length=4096 cookie=2;");
        CU_ASSERT_EQUAL(session_tainted(talk->session, SIDE_CLIENT), agreed);
        talk_broken(talk, "");
    }
}

static void every_way_in_tells_style_size_and_flags(void)
{
    static const struct {
        const char *script;
        SessionStyle style;
    } rows[] = {
        {OLDSTYLE("HAS_FLAGS|SEND_FLUSH"), STYLE_OLDSTYLE},
        {"S greeting + newstyle flags=0; C client-flags;" EXPORT_NAME
         "S export size=65536 flags=HAS_FLAGS|SEND_FLUSH + fill 124 0;",
         STYLE_NEWSTYLE},
        {HELLO EXPORT_NAME "S export size=65536 flags=HAS_FLAGS|SEND_FLUSH;", STYLE_FIXED_NEWSTYLE},
        {HELLO ASK("GO", "") EXPORT("GO", "65536", "HAS_FLAGS|SEND_FLUSH") ACK("GO"),
         STYLE_FIXED_NEWSTYLE},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
        const SessionFacts *facts = session_facts(talk->session);
        talk_say(talk, rows[i].script);
        CU_ASSERT_EQUAL(facts->style, rows[i].style);
        CU_ASSERT_EQUAL(facts->has_client_flags, rows[i].style != STYLE_OLDSTYLE);
        CU_ASSERT(facts->has_export && facts->size == 65536);
        CU_ASSERT_EQUAL(facts->transmission_flags, NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH);
    }
}

static void the_last_option_says_whether_sizes_were_asked_for(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
    const SessionFacts *facts = session_facts(talk->session);

    talk_say(talk, HELLO ASK("INFO", " NAME BLOCK_SIZE") EXPORT("INFO", "4194304", "HAS_FLAGS")
                       SIZES("INFO", "minimum=1 preferred=512 maximum=1048576") ACK("INFO"));
    CU_ASSERT(facts->block_size_asked && facts->block_size_given);
    talk_say(talk, ASK("GO", ""));
    CU_ASSERT(!facts->block_size_asked && !facts->block_size_given);
    talk_say(talk, EXPORT("GO", "4194304", "HAS_FLAGS")
                       ACK("GO") "C request type=WRITE length=1048576 cookie=1 + fill 1048576 7;");
    CU_ASSERT(!session_tainted(talk->session, SIDE_CLIENT));
    talk_say(talk, "C request type=WRITE length=1048577 cookie=2;");
    CU_ASSERT(session_tainted(talk->session, SIDE_CLIENT)); /* over what INFO has told */
    talk_broken(talk, "");
}

static void what_is_in_flight_is_counted(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
    const SessionFacts *facts = session_facts(talk->session);

    talk_say(talk, OPEN WRITE("1") READ("2") FLUSH("3") "C request type=TRIM length=512 cookie=4;");
    CU_ASSERT(facts->in_flight == 4 && facts->writes_in_flight == 2);
    talk_say(talk, DONE("1"));
    CU_ASSERT(facts->in_flight == 3 && facts->writes_in_flight == 1);
    talk_say(talk, FAILS("4", "EIO"));
    CU_ASSERT(facts->in_flight == 2 && facts->writes_in_flight == 0);
    talk_say(talk, DONE("3") DATA("2"));
    CU_ASSERT(facts->in_flight == 0 && facts->writes_in_flight == 0);
    talk_broken(talk, "");
}

static void sizes_that_go_did_not_ask_for_commit_to_nothing(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, HELLO ASK("GO", "") SIZES("GO", "minimum=512 preferred=512 maximum=1048576")
                       EXPORT("GO", "1048576", "HAS_FLAGS") ACK("GO"));
    CU_ASSERT(!session_facts(talk->session)->committed);
    talk_say(talk, READ("1"));
    CU_ASSERT(!session_tainted(talk->session, SIDE_CLIENT));
    talk_say(talk, "C request type=READ offset=1 length=1 cookie=2;");
    talk_broken(talk,
                ""); /* it is permitted not to understand them, but the server may dislike it */
    CU_ASSERT(session_tainted(talk->session, SIDE_CLIENT));
}

static void a_message_tells_what_it_answers(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
    g_autoptr(GPtrArray) lines = talk_lines(READ("5") "S simple-reply cookie=5 + fill 512 9;");
    SessionMessage *message;

    talk_say(talk, OPEN);
    for (guint i = 0; i < lines->len; i++) {
        const TalkLine *line = lines->pdata[i];
        session_feed(talk->session, line->from, line->bytes->data, line->bytes->len);
    }
    session_message_free(session_next(talk->session));
    message = session_next(talk->session);
    CU_ASSERT_PTR_NOT_NULL_FATAL(message);
    CU_ASSERT(message->answers && message->request.command == NBD_CMD_READ);
    CU_ASSERT(message->data->len == 512 && message->data->data[511] == 9);
    CU_ASSERT_EQUAL(session_facts(talk->session)->in_flight, 0);
    session_message_free(message);
}

static void what_is_pending_is_counted(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, OPEN READ("1") "S hex 674466;");
    CU_ASSERT_EQUAL(session_pending(talk->session, SIDE_SERVER), 3);
    talk_say(talk, "S hex 98; S fill 4 0; S hex 0000000000000001; S fill 12 9;");
    CU_ASSERT_EQUAL(session_pending(talk->session, SIDE_SERVER), 28);
    talk_say(talk, "S fill 500 9;");
    CU_ASSERT_EQUAL(session_pending(talk->session, SIDE_SERVER), 0);
    talk_broken(talk, "");
}

static void what_is_cut_is_owed_and_what_waits_is_not(void)
{
    static const struct {
        const char *script;
        bool cut;
    } rows[] = {
        {"C fill 4 0;", false}, /* the greeting is due, whatever this is */
        {GREETING "C fill 3 0;", true},
        {HELLO "C hex 49484156;", true},
        {HELLO "C option option=GO length=20; C fill 19 0;", true},
        {HELLO ASK("GO", ""), false},
        {HELLO ASK("GO", "") READ("1"), false},
        {HELLO ASK("GO", "") "C hex 256095;", false},
        {HELLO "C option option=EXPORT_NAME + text disk;" READ("1"), false},
        {OPEN READ("1"), false},
        {OPEN "C hex 2560;", true},
        {OPEN "C request type=WRITE length=512 + fill 511 7;", true},
        {OPEN WRITE("1"), false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
        talk_say(talk, rows[i].script);
        CU_ASSERT_EQUAL(session_cut(talk->session, SIDE_CLIENT), rows[i].cut);
    }
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
    talk_say(talk, OPEN READ("1") "S hex 674466;");
    CU_ASSERT_TRUE(session_cut(talk->session, SIDE_SERVER));
}

void session_tests(void)
{
    CU_TestInfo tests[] = {
        {"phases, messages and findings are the same whatever the pieces",
         phases_messages_and_findings_are_the_same_whatever_the_pieces},
        {"facts are those of the last successful go", facts_are_those_of_the_last_successful_go},
        {"every way in tells style, size and flags", every_way_in_tells_style_size_and_flags},
        {"what is agreed holds until sizes are advertised",
         what_is_agreed_holds_until_sizes_are_advertised},
        {"what is agreed binds us", what_is_agreed_binds_us},
        {"the last option says whether sizes were asked for",
         the_last_option_says_whether_sizes_were_asked_for},
        {"what is in flight is counted", what_is_in_flight_is_counted},
        {"sizes that go did not ask for commit to nothing",
         sizes_that_go_did_not_ask_for_commit_to_nothing},
        {"a message tells what it answers", a_message_tells_what_it_answers},
        {"what is pending is counted", what_is_pending_is_counted},
        {"what is cut is owed, and what waits is not", what_is_cut_is_owed_and_what_waits_is_not},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"session", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };

    CU_register_suites(suites);
}
