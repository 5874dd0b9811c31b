/* The session: what keeps its judgement fair. Answers that come early, cookies that are used twice, sides that broke
 * a rule before, framing that is lost, and who can tell in which order messages crossed. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "talk.h"

void session_fair_tests(void);

/* ---- Early answers --------------------------------------------------------------------------- */

static void a_write_may_be_answered_before_all_of_its_data_came(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, OPEN "C request type=WRITE length=512 cookie=1 + fill 100 7;" FAILS("1", "EIO"));
    CU_ASSERT_EQUAL(session_facts(talk->session)->in_flight, 0);
    talk_say(talk, "C fill 412 7;" FLUSH("2") DONE("2"));
    talk_broken(talk, "");
    CU_ASSERT_PTR_NOT_NULL(strstr(talk->messages->str, "request FLUSH"));
    talk_say(talk, FAILS("1", "EIO"));
    talk_broken(talk, "transmission.reply.once");
}

static void an_option_may_be_answered_before_all_of_its_data_came(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, HELLO
             "C option option=0x1234 length=100; C fill 10 7;" ERROR("0x1234", "ERR_TOO_BIG"));
    talk_say(talk,
             "C fill 90 7; = option haggling;" OPT("LIST") "= an option's replies;" ACK("LIST"));
    talk_broken(talk, "");
    CU_ASSERT(!session_tainted(talk->session, SIDE_CLIENT));
}

static void an_error_to_export_name_is_blamed_even_before_the_name_is_whole(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk,
             HELLO "C option option=EXPORT_NAME length=100;" ERROR("EXPORT_NAME", "ERR_TOO_BIG"));
    talk_broken(talk, "handshake.export-name.unknown");
}

static void breaches_that_a_header_shows_taint_before_the_data_came(void)
{
    static const char *const scripts[] = {
        OPEN "C request type=WRITE offset=1048576 length=512;",
        OPEN "C request type=WRITE length=33554433;",
        HELLO "C option option=EXPORT_NAME length=4097;",
        HELLO "C option option=LIST length=1;",
        HELLO "C option option=GO length=0xffffffff;",
        HELLO OPT("LIST") "C option option=0x1234 length=1;",
        HELLO "C option option=GO length=5;",
        HELLO "C option option=GO length=135173;",
        HELLO "C option option=LIST_META_CONTEXT length=7;",
        HELLO STRUCTURED "C option option=SET_META_CONTEXT length=7;",
        HELLO "C option option=SET_META_CONTEXT length=8;",
    };
    static const char *const right[] = {
        HELLO "C option option=EXPORT_NAME length=4096;",
        HELLO "C option option=GO length=6;",
        HELLO
        "C option option=GO length=135172;", /* a name of 4096 bytes, and all information types */
        HELLO "C option option=LIST_META_CONTEXT length=8;",
        HELLO STRUCTURED "C option option=SET_META_CONTEXT length=8;",
        HELLO ASK("GO", "") EXPORT("GO", "0x8000000", ALL_FLAGS)
            ACK("GO") "C request type=WRITE length=0x2000000;",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(scripts); i++) {
        g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
        talk_say(talk, scripts[i]);
        CU_ASSERT(session_tainted(talk->session, SIDE_CLIENT));
    }
    for (size_t i = 0; i < G_N_ELEMENTS(right); i++) {
        g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
        talk_say(talk, right[i]);
        CU_ASSERT(!session_tainted(talk->session, SIDE_CLIENT));
    }
}

/* ---- Cookies --------------------------------------------------------------------------------- */

static void two_requests_with_one_cookie_get_two_replies(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, OPEN READ("1") READ("1"));
    talk_broken(talk, "transmission.request.cookie-distinct");
    CU_ASSERT(!session_tainted(talk->session, SIDE_CLIENT));
    talk_say(talk, DATA("1") DATA("1"));
    talk_broken(talk, "");
    talk_say(talk, DATA("1"));
    talk_broken(talk, "transmission.reply.once");
}

static void nobody_can_tell_unlike_requests_with_one_cookie_apart(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, OPEN READ("1") FLUSH("1") DONE("1") DATA("1"));
    talk_broken(talk, "transmission.request.cookie-distinct");
    CU_ASSERT(session_desynchronised(talk->session, SIDE_SERVER));

    g_autoptr(Talk) three = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
    talk_say(three, OPEN READ("1") FLUSH("1") READ("1") DATA("1"));
    CU_ASSERT(session_desynchronised(three->session, SIDE_SERVER));
    g_autoptr(Talk) longer = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
    talk_say(longer, OPEN READ("1") "C request type=READ length=1024 cookie=1;" DATA("1"));
    CU_ASSERT(session_desynchronised(longer->session, SIDE_SERVER));
}

static void a_stray_reply_that_could_have_a_payload_ends_the_framing(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, OPEN READ("1") DATA("2") DATA("1"));
    talk_broken(talk, "transmission.reply.cookie");
    CU_ASSERT(session_desynchronised(talk->session, SIDE_SERVER));
}

static void a_stray_reply_without_a_payload_ends_nothing(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, OPEN READ("1") FLUSH("2") FAILS("7", "EIO") DATA("1") DONE("8") DONE("2"));
    talk_broken(talk, "transmission.reply.cookie transmission.reply.cookie");
    CU_ASSERT_EQUAL(session_facts(talk->session)->in_flight, 0);
}

static void of_many_answered_cookies_the_latest_are_remembered(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, OPEN);
    for (unsigned i = 0; i < 100; i++) {
        g_autofree char *script = g_strdup_printf(FLUSH("%u") DONE("%u"), i, i);
        talk_say(talk, script);
    }
    talk_say(talk, DONE("99") DONE("36") DONE("35"));
    talk_broken(talk, "transmission.reply.once transmission.reply.once transmission.reply.unasked");
}

/* ---- Tainted, desynchronised, vantage -------------------------------------------------------- */

static void a_server_is_not_held_to_the_rules_once_its_client_broke_them(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, OPEN "C request type=READ offset=1048576 length=1 cookie=1;");
    talk_broken(talk, "size.client-within-export");
    talk_say(talk, FAILS("2", "30") "S fill 100 1;");
    talk_broken(talk, "");
    CU_ASSERT(session_desynchronised(talk->session, SIDE_SERVER));
}

static void eoverflow_below_the_maximum_is_blamed_even_beyond_the_end(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, OPEN "C request type=TRIM offset=1048576 length=0x40000000 cookie=1;" FAILS(
                       "1", "EOVERFLOW"));
    talk_broken(talk, "size.client-within-export");
    talk_say(talk,
             "C request type=TRIM offset=1048576 length=512 cookie=2;" FAILS("2", "EOVERFLOW"));
    talk_broken(talk, "size.client-within-export error.eoverflow");
}

static void a_client_is_tainted_but_not_blamed_where_the_server_broke_the_rules_first(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, HELLO ENTER("0"));
    talk_broken(talk, "transmission.flags.has-flags");
    talk_say(talk, FLUSH("1"));
    talk_broken(talk, "");
    CU_ASSERT(session_tainted(talk->session, SIDE_CLIENT));
}

static void what_only_should_not_be_taints_nobody(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, OPEN READ("1") FAILS("1", "ENOMEM") DONE("9"));
    talk_broken(talk, "error.enomem transmission.reply.unasked");
}

static void behind_a_wrong_magic_nothing_is_decoded_nor_judged(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, HELLO "C option magic=1;" OPT("LIST") OPT("LIST"));
    talk_broken(talk, "handshake.option.magic");
    CU_ASSERT(session_desynchronised(talk->session, SIDE_CLIENT));
    CU_ASSERT_EQUAL(session_pending(talk->session, SIDE_CLIENT), 0);
    talk_say(talk, ERROR("0", "ERR_INVALID") "S close;");
    talk_broken(talk, "");
}

static void a_relay_judges_no_order_across_directions(void)
{
    static const struct {
        const char *script, *endpoint, *relay;
    } rows[] = {
        {HELLO OPT("LIST") OPT("LIST"), "handshake.option.one-at-a-time", ""},
        {HELLO ACK("LIST"), "handshake.reply.unasked", ""},
        {OPEN DONE("1"), "transmission.reply.unasked", ""},
        {OPEN READ("1") READ("1"), "transmission.request.cookie-distinct", ""},
        {OPEN DISC("1") FAILS("1", "EINVAL"), "transmission.disc.no-reply", ""},
        {HELLO ENTER("0"), "transmission.flags.has-flags", "transmission.flags.has-flags"},
        {OPEN FLUSH("1") "S fill 16 1;", "transmission.reply.magic", "transmission.reply.magic"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Talk) endpoint = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
        g_autoptr(Talk) relay = talk_new(VANTAGE_RELAY, SPLIT_WHOLE);
        talk_say(endpoint, rows[i].script);
        talk_say(relay, rows[i].script);
        talk_broken(endpoint, rows[i].endpoint);
        talk_broken(relay, rows[i].relay);
    }
}

static void a_relay_sees_nothing_behind_starttls(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_RELAY, SPLIT_WHOLE);

    talk_say(talk, HELLO OPT("STARTTLS") ACK("STARTTLS") "C fill 100 22; S fill 100 22;");
    talk_broken(talk, "");
    CU_ASSERT(session_desynchronised(talk->session, SIDE_CLIENT));
}

static void extended_headers_are_not_taken_for_something_else(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk,
             HELLO OPT("EXTENDED_HEADERS") ACK("EXTENDED_HEADERS") ENTER(
                 "HAS_FLAGS") "C hex 21e41c71; C fill 28 0; S hex 6e8a278c0001; S fill 26 0;");
    talk_broken(talk, "");
    CU_ASSERT(!session_tainted(talk->session, SIDE_CLIENT));
    CU_ASSERT(!session_desynchronised(talk->session, SIDE_SERVER));
    CU_ASSERT(session_facts(talk->session)->extended);
    CU_ASSERT_EQUAL(session_facts(talk->session)->requests_sent, 1);
    CU_ASSERT_EQUAL(session_facts(talk->session)->in_flight, 0);
}

static void what_differs_between_info_and_go_is_told(void)
{
    g_autoptr(Talk) size = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
    g_autoptr(Talk) more = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(size, HELLO ASK("INFO", "") EXPORT("INFO", "512", "HAS_FLAGS") ACK("INFO")
                       ASK("GO", "") EXPORT("GO", "1024", "HAS_FLAGS") ACK("GO"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(size->findings->str,
               "INFO had just said info=EXPORT size=512 flags=HAS_FLAGS, and GO with the same data "
               "says info=EXPORT size=1024 flags=HAS_FLAGS"));
    talk_say(more, HELLO ASK("INFO", "") EXPORT("INFO", "512", "HAS_FLAGS") ACK("INFO")
                       ASK("GO", "") EXPORT("GO", "512", "HAS_FLAGS")
                           SIZES("GO", "minimum=1 preferred=512 maximum=4096") ACK("GO"));
    CU_ASSERT_PTR_NOT_NULL(strstr(more->findings->str,
                                  "INFO had just said nothing else, and GO with the same data "
                                  "says info=BLOCK_SIZE minimum=1 preferred=512 maximum=4096"));
}

static void an_option_behind_go_that_succeeded_ends_the_framing(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_RELAY, SPLIT_WHOLE);

    talk_say(talk, HELLO ASK("GO", "") OPT("LIST") EXPORT("GO", "512", "HAS_FLAGS") ACK("GO"));
    talk_broken(talk, "");
    CU_ASSERT(session_tainted(talk->session, SIDE_CLIENT));
    CU_ASSERT(session_desynchronised(talk->session, SIDE_CLIENT));
    CU_ASSERT(session_desynchronised(talk->session, SIDE_SERVER));
}

static void no_zeroes_that_were_not_offered_leave_the_framing_open(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(
        talk,
        "S greeting + newstyle flags=FIXED_NEWSTYLE; C client-flags flags=NO_ZEROES;" EXPORT_NAME
        "S export size=512 flags=HAS_FLAGS; S fill 124 0;");
    talk_broken(talk, "handshake.client-flags.no-zeroes-unoffered");
    CU_ASSERT_PTR_NOT_NULL(strstr(talk->messages->str, "export size=512"));
}

static void a_server_may_end_within_a_greeting_that_nobody_waits_for(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, "S greeting magic=0x00420281861253; C close; S close;");
    talk_broken(talk, "");
}

static void a_server_may_end_within_a_reply(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, OPEN READ("1") "S simple-reply cookie=1 + fill 100 9; S close;");
    talk_broken(talk, "");
    CU_ASSERT_EQUAL(session_pending(talk->session, SIDE_SERVER), 116);
    talk_say(talk, "S fill 412 9;"); /* nothing comes after the end */
    CU_ASSERT_EQUAL(session_pending(talk->session, SIDE_SERVER), 116);
}

void session_fair_tests(void)
{
    CU_TestInfo tests[] = {
        {"a write may be answered before all of its data came",
         a_write_may_be_answered_before_all_of_its_data_came},
        {"an option may be answered before all of its data came",
         an_option_may_be_answered_before_all_of_its_data_came},
        {"an error to export name is blamed even before the name is whole",
         an_error_to_export_name_is_blamed_even_before_the_name_is_whole},
        {"breaches that a header shows taint before the data came",
         breaches_that_a_header_shows_taint_before_the_data_came},
        {"two requests with one cookie get two replies",
         two_requests_with_one_cookie_get_two_replies},
        {"nobody can tell unlike requests with one cookie apart",
         nobody_can_tell_unlike_requests_with_one_cookie_apart},
        {"a stray reply that could have a payload ends the framing",
         a_stray_reply_that_could_have_a_payload_ends_the_framing},
        {"a stray reply without a payload ends nothing",
         a_stray_reply_without_a_payload_ends_nothing},
        {"of many answered cookies the latest are remembered",
         of_many_answered_cookies_the_latest_are_remembered},
        {"a server is not held to the rules once its client broke them",
         a_server_is_not_held_to_the_rules_once_its_client_broke_them},
        {"EOVERFLOW below the maximum is blamed even beyond the end",
         eoverflow_below_the_maximum_is_blamed_even_beyond_the_end},
        {"a client is tainted but not blamed where the server broke the rules first",
         a_client_is_tainted_but_not_blamed_where_the_server_broke_the_rules_first},
        {"what only should not be taints nobody", what_only_should_not_be_taints_nobody},
        {"behind a wrong magic nothing is decoded nor judged",
         behind_a_wrong_magic_nothing_is_decoded_nor_judged},
        {"a relay judges no order across directions", a_relay_judges_no_order_across_directions},
        {"a relay sees nothing behind starttls", a_relay_sees_nothing_behind_starttls},
        {"extended headers are not taken for something else",
         extended_headers_are_not_taken_for_something_else},
        {"what differs between INFO and GO is told", what_differs_between_info_and_go_is_told},
        {"an option behind go that succeeded ends the framing",
         an_option_behind_go_that_succeeded_ends_the_framing},
        {"no zeroes that were not offered leave the framing open",
         no_zeroes_that_were_not_offered_leave_the_framing_open},
        {"a server may end within a greeting that nobody waits for",
         a_server_may_end_within_a_greeting_that_nobody_waits_for},
        {"a server may end within a reply", a_server_may_end_within_a_reply},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"session: fairness", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };

    CU_register_suites(suites);
}
