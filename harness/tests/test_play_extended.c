/* Extended headers: who asks for them, what requests look like then, and what a case may send in spite of it. */
#include <CUnit/CUnit.h>

#include "played.h"

void play_extended_tests(void);

#define EXTENDED "C option option=EXTENDED_HEADERS;" ACK("EXTENDED_HEADERS")
#define NO_EXTENDED "C option option=EXTENDED_HEADERS;" ERROR("EXTENDED_HEADERS", "ERR_UNSUP")
#define GO ASK("GO", " BLOCK_SIZE") EXPORT("GO", "1048576", ALL_FLAGS) ACK("GO")
#define OPEN_EXTENDED HELLO EXTENDED GO
#define ASKED(type, fields) "C extended-request cookie=1 type=" type " " fields ";"
#define ANSWER(fields) "S extended-reply cookie=1 flags=DONE " fields ";"
#define NINES " type=OFFSET_DATA + hex 0000000000000200 + fill 512 9"

/* PLAYS, in a run with extended replies. */
#define PLAYS_EXTENDED(lines, script, verdict, findings)                                           \
    PLAYS_WITH(replies, REPLIES_EXTENDED, lines, script, verdict, findings)

static void a_case_can_ask_for_them_in_every_mode(void)
{
    PLAYS("open extended\n: read offset=512 length=512 expect=\"\\x09\"*512\n",
          OPEN_EXTENDED ASKED("READ", "offset=512 length=512") ANSWER("offset=512" NINES), "pass",
          "");
    PLAYS("negotiate\n: extended\n: enter\n: flush\n",
          OPEN_EXTENDED ASKED("FLUSH", "") ANSWER("type=NONE"), "pass", "");
    PLAYS("open extended\n: flush\n", HELLO NO_EXTENDED, "skip", "");
}

static void a_run_asks_for_the_most_that_there_is(void)
{
    static const char lines[] = "open\n: flush\n";

    PLAYS_EXTENDED(lines, OPEN_EXTENDED ASKED("FLUSH", "") ANSWER("type=NONE"), "pass", "");
    PLAYS_EXTENDED(lines, HELLO NO_EXTENDED STRUCTURED GO "request;" DONE("1"), "pass", "");
    PLAYS_EXTENDED(lines,
                   HELLO NO_EXTENDED
                   "C option option=STRUCTURED_REPLY;" ERROR("STRUCTURED_REPLY", "ERR_UNSUP") GO
                   "request;" DONE("1"),
                   "pass", "");
    PLAYS_EXTENDED("open structured\n: flush\n",
                   OPEN_EXTENDED ASKED("FLUSH", "") ANSWER("type=NONE"), "pass", "");
}

static void a_flag_tells_of_data(void)
{
    PLAYS("open extended\n: write offset=512 data=zero length=512\n",
          OPEN_EXTENDED ASKED("WRITE", "flags=PAYLOAD_LEN offset=512 length=512 + fill 512 0")
              ANSWER("type=NONE offset=512"),
          "pass", "");
    PLAYS("open extended\nC: request WRITE length=512 flags=FUA payload=0\nS: error EINVAL\n",
          OPEN_EXTENDED ASKED("WRITE", "flags=FUA length=512")
              ANSWER("type=ERROR + hex 000000160000"),
          "pass", "");
    /* Without data a length is no payload's, whatever it means to the command. */
    PLAYS("open extended\nC: request RESIZE offset=4096 length=1\nS: error EINVAL\n",
          OPEN_EXTENDED ASKED("RESIZE", "offset=4096 length=1")
              ANSWER("type=ERROR offset=4096 + hex 000000160000"),
          "pass", "");
    PLAYS("open extended\nC: request BLOCK_STATUS effect=4096 id=7 id=8\nS: error EINVAL\n",
          OPEN_EXTENDED ASKED("BLOCK_STATUS",
                              "flags=PAYLOAD_LEN length=16 + hex 00000000000010000000000700000008")
              ANSWER("type=ERROR + hex 000000160000"),
          "pass", "");
}

static void a_case_can_send_the_other_form(void)
{
    PLAYS("open extended\nC: request FLUSH compact\nS: close\n", OPEN_EXTENDED "request; S close;",
          "pass", "");
    PLAYS("open\nC: request FLUSH extended\nS: close\n", HELLO GO ASKED("FLUSH", "") "S close;",
          "pass", "");
}

static void what_a_case_is_about_says_where_it_is_played(void)
{
    static const struct {
        const char *lines, *without, *with;
    } rows[] = {
        {"open\n: flush\n", NULL, NULL},
        {"open extended\n: flush\n", "the server has no extended headers", NULL},
        {"needs extended\nopen\n: flush\n", "extended headers were not negotiated", NULL},
        {"open\nC: hex \"00\"\n", NULL, "is about compact headers"},
        {"open\nC: request FLUSH compact\n", NULL, "is about compact headers"},
        {"open extended\nC: request FLUSH compact\n", "the server has no extended headers", NULL},
    };
    g_autoptr(TransportAddress) address = transport_address_unix("/nowhere", 8, NULL);
    PlayMode mode = played_mode();
    PlayTarget without = {.entered = true, .connections = 1};

    mode.address = address;
    mode.replies = REPLIES_EXTENDED;
    without.facts.style = STYLE_FIXED_NEWSTYLE;
    without.facts.has_export = true;
    PlayTarget with = without;
    with.facts.extended = with.facts.structured = true;
    with.extended = with.structured = with.facts;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Compiled) compiled = compiled_new(rows[i].lines);
        g_autofree char *no = play_unfit(compiled_case(compiled, 0), &mode, &without);
        g_autofree char *yes = play_unfit(compiled_case(compiled, 0), &mode, &with);
        CU_ASSERT_EQUAL(g_strcmp0(no, rows[i].without), 0);
        CU_ASSERT_EQUAL(g_strcmp0(yes, rows[i].with), 0);
    }
    mode.enter = ENTER_EXPORT_NAME;
    g_autoptr(Compiled) compiled = compiled_new("open extended\n: flush\n");
    g_autofree char *unfit = play_unfit(compiled_case(compiled, 0), &mode, &with);
    CU_ASSERT_PTR_NOT_NULL(unfit);
}

static void without_leave_no_extended_request_writes(void)
{
    PlayMode mode = played_mode();

    mode.allow_writes = false;
    g_autoptr(Played) reads = played_mode_new(
        "open extended\n: flush\n", OPEN_EXTENDED ASKED("FLUSH", "") ANSWER("type=NONE"), &mode);
    PLAYED_IS(reads, "pass", "", "");
    g_autoptr(Played) writes =
        played_mode_new("open extended\n: trim length=512\n", OPEN_EXTENDED, &mode);
    PLAYED_IS(writes, "skip", "", "");
}

void play_extended_tests(void)
{
    CU_pSuite suite = CU_add_suite("play: extended headers", NULL, NULL);

    CU_ADD_TEST(suite, a_case_can_ask_for_them_in_every_mode);
    CU_ADD_TEST(suite, a_run_asks_for_the_most_that_there_is);
    CU_ADD_TEST(suite, a_flag_tells_of_data);
    CU_ADD_TEST(suite, a_case_can_send_the_other_form);
    CU_ADD_TEST(suite, what_a_case_is_about_says_where_it_is_played);
    CU_ADD_TEST(suite, without_leave_no_extended_request_writes);
}
