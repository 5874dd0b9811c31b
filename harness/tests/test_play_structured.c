/* Replies in chunks: taken for what simple ones would be, or looked at one by one. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "played.h"

void play_structured_tests(void);

#define OPEN_STRUCTURED                                                                            \
    HELLO STRUCTURED ASK("GO", " BLOCK_SIZE") EXPORT("GO", "1048576", ALL_FLAGS) ACK("GO")
#define CHUNK(rest) "S chunk cookie=1 " rest ";"
#define LAST(rest) CHUNK("flags=DONE " rest)
#define BYTES(at, count) " type=OFFSET_DATA + hex 000000000000" at " + fill " count " 9"
#define HOLE(at, size) " type=OFFSET_HOLE + hex 000000000000" at "0000" size
#define FAILURE(error) " type=ERROR + hex 000000" error "0000"

/* PLAYS, in a run with structured replies. */
#define PLAYS_CHUNKS(lines, script, verdict, findings)                                             \
    PLAYS_WITH(replies, REPLIES_STRUCTURED, lines, OPEN_STRUCTURED script, verdict, findings)

#define NINES "\"\\x09\"*"
#define ZEROES "\"\\x00\"*"

/* ---- Whatever the kind of reply ---------------------------------------------------------------- */

static void content_is_put_together_in_any_order(void)
{
    static const char lines[] = "open\n: read length=1536 expect=" NINES "512+" ZEROES "512+" NINES
                                "512 @transmission.read.right-bytes\n";

    PLAYS_CHUNKS(lines,
                 "request;" CHUNK(BYTES("0400", "512")) CHUNK(HOLE("0200", "0200"))
                     LAST(BYTES("0000", "512")),
                 "pass", "");
    PLAYS_CHUNKS(lines,
                 "request;" CHUNK(BYTES("0400", "512")) CHUNK(BYTES("0200", "512"))
                     LAST(BYTES("0000", "512")),
                 "fail violation", "transmission.read.right-bytes");
    PLAYS_CHUNKS(lines,
                 "request;" CHUNK(BYTES("0400", "512")) CHUNK(HOLE("0200", "0200"))
                     CHUNK(BYTES("0000", "512")) LAST("type=NONE"),
                 "pass", "");
}

static void an_error_in_any_chunk_is_an_error(void)
{
    PLAYS_CHUNKS("open\nC: request READ length=1536\nS: error EIO @error.defined-value\n",
                 "request;" CHUNK(FAILURE("05")) LAST(BYTES("0000", "512")), "pass", "");
    PLAYS_CHUNKS("open\nC: request READ length=1536\nS: ok @baseline.read\n",
                 "request;" CHUNK(BYTES("0000", "512")) LAST(FAILURE("05")), "fail violation",
                 "baseline.read");
}

static void a_simple_reply_will_do_for_what_reads_nothing(void)
{
    PLAYS_CHUNKS("open\n: flush @transmission.reply.every-request\n", "request;" DONE("1"), "pass",
                 "");
    PLAYS_CHUNKS("open\n: flush @transmission.reply.every-request\n", "request;" LAST("type=NONE"),
                 "pass", "");
}

static void a_reply_is_due_until_it_is_done(void)
{
    PlayMode mode = played_mode();

    mode.replies = REPLIES_STRUCTURED;
    mode.timeout_ms = HASTY_MS;
    g_autoptr(Played) played =
        played_mode_new("open\n: read length=512 @transmission.reply.every-request\n",
                        OPEN_STRUCTURED "request;" CHUNK(BYTES("0000", "512")) "hush", &mode);
    PLAYED_IS(played, "fail no-answer", "transmission.reply.every-request", "");
}

static void replies_may_mix(void)
{
    PLAYS_CHUNKS("open\nC: request READ length=512\nC: request READ length=512 offset=512\n"
                 "S: ok cookie=1 data=" NINES "512\nS: ok cookie=2 data=" ZEROES "512\n",
                 "request; request; S chunk cookie=2" HOLE("0200", "0200") ";" CHUNK(BYTES(
                     "0000", "512")) "S chunk cookie=2 flags=DONE type=NONE;" LAST("type=NONE"),
                 "pass", "");
}

static void who_refuses_structured_replies_is_served_by_simple_ones(void)
{
    PlayMode mode = played_mode();

    mode.replies = REPLIES_STRUCTURED;
    g_autoptr(Played) played = played_mode_new(
        "open\n: read length=512\n",
        HELLO "C option option=STRUCTURED_REPLY;" ERROR("STRUCTURED_REPLY", "ERR_UNSUP")
            ASK("GO", " BLOCK_SIZE") EXPORT("GO", "1048576", ALL_FLAGS)
                ACK("GO") "request;" DATA("1"),
        &mode);
    PLAYED_IS(played, "pass", "", "");
}

static void a_case_can_ask_for_them_in_every_mode(void)
{
    PLAYS("open structured\n: read length=512 expect=" NINES "512\n",
          OPEN_STRUCTURED "request;" LAST(BYTES("0000", "512")), "pass", "");
    PLAYS("open structured\n: flush\n",
          HELLO "C option option=STRUCTURED_REPLY;" ERROR("STRUCTURED_REPLY", "ERR_UNSUP"), "skip",
          "");
}

/* ---- Chunk by chunk ---------------------------------------------------------------------------- */

#define ASKS "open structured\nC: request READ length=1536\n"

static void chunks_are_looked_at_one_by_one(void)
{
    PLAYS(ASKS "S: chunk OFFSET_DATA offset=1024 size=512 length=520 data=" NINES "512\n"
               "S: chunk OFFSET_HOLE offset=512 size=512 flags lacks DONE\nS: ok\n",
          OPEN_STRUCTURED "request;" CHUNK(HOLE("0200", "0200")) CHUNK(BYTES("0400", "512"))
              LAST(BYTES("0000", "512")),
          "pass", "");
    PLAYS(ASKS "S: chunk error error=EIO message=\"no\" flags has DONE @error.defined-value\n",
          OPEN_STRUCTURED "request;" LAST("type=ERROR + hex 000000050002 + text no"), "pass", "");
    PLAYS(ASKS "S: chunk ERROR_OFFSET offset=20 @error.defined-value\n",
          OPEN_STRUCTURED "request;" LAST("type=ERROR_OFFSET + hex 0000000500000000000000000014"),
          "pass", "");
}

static void the_last_chunk_settles_what_did_not_come(void)
{
    PLAYS(ASKS "S: chunk OFFSET_HOLE @transmission.read.df-data\n",
          OPEN_STRUCTURED "request;" CHUNK(BYTES("0400", "512")) LAST(BYTES("0000", "1024")),
          "fail violation", "transmission.read.df-data");
    PLAYS(ASKS "S: chunk not error @transmission.read.df-data\n",
          OPEN_STRUCTURED "request;" LAST(FAILURE("05")), "fail violation",
          "transmission.read.df-data");
}

static void what_was_passed_over_is_gone_with_the_reply(void)
{
    PLAYS(ASKS "S: ok\nC: request READ length=512\nS: chunk OFFSET_DATA size=512\n",
          OPEN_STRUCTURED "request;" CHUNK(BYTES("0400", "512")) LAST(
              BYTES("0000", "1024")) "request; S chunk cookie=2 flags=DONE" BYTES("0000", "512"),
          "pass", "");
}

/* ---- Modes ------------------------------------------------------------------------------------- */

static void a_literal_chunk_pins_the_mode(void)
{
    static const struct {
        const char *lines, *simple, *structured;
    } rows[] = {
        {"open\n: flush\n", NULL, NULL},
        {"open\nC: request READ length=1\nS: simple-reply\n", NULL, "is about simple replies"},
        {"open\nC: request READ length=1\nS: chunk\n", "is about structured replies", NULL},
        {"open structured\nC: request READ length=1\nS: chunk\n", NULL, NULL},
        {"needs transmission-flag SEND_DF\nopen structured\n: flush\n", NULL, NULL},
        {"needs transmission-flag SEND_DF\nopen\n: flush\n", "the server does not set SEND_DF",
         "the server does not set SEND_DF"},
    };
    g_autoptr(TransportAddress) address = transport_address_unix("/nowhere", 8, NULL);
    PlayMode mode = played_mode();
    PlayTarget target = {.entered = true, .connections = 1};

    mode.address = address;
    target.facts.style = target.structured.style = STYLE_FIXED_NEWSTYLE;
    target.facts.has_export = target.structured.has_export = true;
    target.structured.structured = true;
    target.structured.transmission_flags = NBD_FLAG_SEND_DF;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Compiled) compiled = compiled_new(rows[i].lines);
        mode.replies = REPLIES_SIMPLE;
        g_autofree char *simple = play_unfit(compiled_case(compiled, 0), &mode, &target);
        mode.replies = REPLIES_STRUCTURED;
        g_autofree char *structured = play_unfit(compiled_case(compiled, 0), &mode, &target);
        CU_ASSERT_EQUAL(g_strcmp0(simple, rows[i].simple), 0);
        CU_ASSERT_EQUAL(g_strcmp0(structured, rows[i].structured), 0);
    }
}

static void who_has_no_structured_replies_is_known_beforehand(void)
{
    g_autoptr(TransportAddress) address = transport_address_unix("/nowhere", 8, NULL);
    g_autoptr(Compiled) compiled = compiled_new("open structured\n: flush\n");
    PlayMode mode = played_mode();
    PlayTarget target = {.entered = true, .connections = 1};

    mode.address = address;
    target.facts.style = STYLE_FIXED_NEWSTYLE;
    g_autofree char *reason = play_unfit(compiled_case(compiled, 0), &mode, &target);
    CU_ASSERT_EQUAL(g_strcmp0(reason, "the server has no structured replies"), 0);
}

void play_structured_tests(void)
{
    CU_pSuite suite = CU_add_suite("play: structured replies", NULL, NULL);

    CU_ADD_TEST(suite, content_is_put_together_in_any_order);
    CU_ADD_TEST(suite, an_error_in_any_chunk_is_an_error);
    CU_ADD_TEST(suite, a_simple_reply_will_do_for_what_reads_nothing);
    CU_ADD_TEST(suite, a_reply_is_due_until_it_is_done);
    CU_ADD_TEST(suite, replies_may_mix);
    CU_ADD_TEST(suite, who_refuses_structured_replies_is_served_by_simple_ones);
    CU_ADD_TEST(suite, a_case_can_ask_for_them_in_every_mode);
    CU_ADD_TEST(suite, chunks_are_looked_at_one_by_one);
    CU_ADD_TEST(suite, the_last_chunk_settles_what_did_not_come);
    CU_ADD_TEST(suite, what_was_passed_over_is_gone_with_the_reply);
    CU_ADD_TEST(suite, a_literal_chunk_pins_the_mode);
    CU_ADD_TEST(suite, who_has_no_structured_replies_is_known_beforehand);
}
