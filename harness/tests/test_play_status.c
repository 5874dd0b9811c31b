/* Metadata in cases: queries, contexts, block status. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "played.h"

void play_status_tests(void);

#define QUERY " + hex 00000004 + text disk + hex 000000010000000f + text base:allocation;"
#define SELECTED                                                                                   \
    "S reply option=SET_META_CONTEXT type=META_CONTEXT + meta-context id=7 + text "                \
    "base:allocation;" ACK("SET_META_CONTEXT")
#define ENTER_DISK ASK("GO", " BLOCK_SIZE") EXPORT("GO", "1048576", ALL_FLAGS) ACK("GO")
#define OPEN_CONTEXT HELLO STRUCTURED "C option option=SET_META_CONTEXT" QUERY SELECTED ENTER_DISK
#define EXTENTS(cookie, extents)                                                                   \
    "request; S chunk flags=DONE type=BLOCK_STATUS cookie=" cookie " + hex 00000007" extents ";"
#define OPENED "open context=\"base:allocation\"\n"

static void queries_are_made_of_their_parts(void)
{
    PLAYS("negotiate\n: structured\nC: option LIST_META_CONTEXT query=\"base:allocation\"\n"
          "S: reply LIST_META_CONTEXT META_CONTEXT name=\"base:allocation\" id=0\n"
          "S: reply LIST_META_CONTEXT ACK\n",
          HELLO STRUCTURED "C option option=LIST_META_CONTEXT" QUERY
                           "S reply option=LIST_META_CONTEXT type=META_CONTEXT + meta-context + "
                           "text base:allocation;" ACK("LIST_META_CONTEXT"),
          "pass", "");
    PLAYS("negotiate\n: structured\nC: option SET_META_CONTEXT name=\"\" query=\"a:\" query=\"b:\" "
          "copies=2 query-length=9 count=3\nS: reply SET_META_CONTEXT error\n",
          HELLO STRUCTURED
          "C option option=SET_META_CONTEXT + hex 0000000000000003 + "
          "hex 00000009613a00000009623a 2;" ERROR("SET_META_CONTEXT", "ERR_INVALID"),
          "pass", "");
    PLAYS("negotiate\n: structured\nC: option SET_META_CONTEXT name=\"\" name-length=5\n"
          "S: reply SET_META_CONTEXT error\n",
          HELLO STRUCTURED "C option option=SET_META_CONTEXT + hex 0000000500000000;" ERROR(
              "SET_META_CONTEXT", "ERR_INVALID"),
          "pass", "");
}

static void contexts_are_selected_on_the_way(void)
{
    PLAYS(OPENED ": flush\n", OPEN_CONTEXT "request;" DONE("1"), "pass", "");
    PLAYS(OPENED ": flush\n",
          HELLO STRUCTURED "C option option=SET_META_CONTEXT" QUERY ACK("SET_META_CONTEXT"), "skip",
          "");
    PLAYS(OPENED ": flush\n",
          HELLO STRUCTURED
          "C option option=SET_META_CONTEXT" QUERY ERROR("SET_META_CONTEXT", "ERR_UNSUP"),
          "skip", "");
    PLAYS(
        "negotiate\n: structured\nC: option SET_META_CONTEXT query=\"base:allocation\"\n"
        "S: reply SET_META_CONTEXT META_CONTEXT id as $id\nS: reply SET_META_CONTEXT ACK\n: enter\n"
        "C: request BLOCK_STATUS length=512\n"
        "S: chunk BLOCK_STATUS id=$id count=1 extent=512 status=3\n",
        OPEN_CONTEXT EXTENTS("1", "0000020000000003"), "pass", "");
}

static void extents_are_summed_up(void)
{
    static const char asks[] =
        OPENED ": status offset=0 length=4096 count=2 covers as $n extent=512 status=HOLE|ZERO "
               "any has ZERO every lacks ZERO @metadata.allocation.written-not-zero\n"
               ": status offset=$n length=512 covers=512\n";
    static const char again[] = EXTENTS("2", "0000020000000000");
    g_autofree char *good =
        g_strconcat(OPEN_CONTEXT EXTENTS("1", "00000200000000030000040000000000"), again, NULL);

    PLAYS(asks, good, "pass", "");
    PLAYS(asks, OPEN_CONTEXT EXTENTS("1", "00000200000000030000040000000002"), "fail violation",
          "metadata.allocation.written-not-zero");
    PLAYS(OPENED ": status offset=0 length=4096 any lacks ZERO\n",
          OPEN_CONTEXT EXTENTS("1", "0000020000000002"), "skip", "");
}

static void the_extents_cover_all_of_their_lengths(void)
{
    static const char script[] = OPEN_CONTEXT EXTENTS("1", "00000200000000030000040000000000");

    PLAYS(OPENED ": status offset=0 length=4096 covers=1536\n", script, "pass", "");
    PLAYS(OPENED ": status offset=0 length=4096 covers=1024\n", script, "skip", "");
}

static void replies_to_others_are_passed_over(void)
{
    PLAYS(
        OPENED "C: request BLOCK_STATUS length=512 cookie=9\n"
               ": status offset=0 length=4096 extent=1024 @transmission.reply.every-request\n"
               "S: chunk BLOCK_STATUS cookie=9 extent=512\n",
        OPEN_CONTEXT "request;" EXTENTS(
            "9",
            "0000020000000000") "S chunk flags=DONE type=BLOCK_STATUS cookie=10 + hex 000000070000040000000000;",
        "pass", "");
}

static void other_contexts_are_passed_over(void)
{
    static const char open[] =
        "open context=\"base:allocation\" context=\"x-y:z\"\n"
        ": status offset=0 length=512 status=0 @transmission.reply.every-request\n";

    PLAYS(open,
          HELLO STRUCTURED
          "C option option=SET_META_CONTEXT + hex 00000004 + text disk + "
          "hex 000000020000000f + text base:allocation + hex 00000005 + text x-y:z;"
          "S reply option=SET_META_CONTEXT type=META_CONTEXT + meta-context id=7 + text "
          "base:allocation;"
          "S reply option=SET_META_CONTEXT type=META_CONTEXT + meta-context id=8 + text x-y:z;" ACK(
              "SET_META_CONTEXT") ENTER_DISK
          "request; S chunk type=BLOCK_STATUS cookie=1 + hex 000000080000020000000001;"
          "S chunk flags=DONE type=BLOCK_STATUS cookie=1 + hex 000000070000020000000000;",
          "pass", "");
}

static void a_status_is_due_or_an_error(void)
{
    static const char asks[] =
        OPENED ": status offset=0 length=4096 @transmission.reply.every-request\n";

    PLAYS(asks, OPEN_CONTEXT "request; S chunk flags=DONE type=ERROR cookie=1 + hex 000000050000;",
          "skip", "");
    PLAYS(asks, OPEN_CONTEXT "request; S chunk flags=DONE type=NONE cookie=1;", "fail violation",
          "transmission.block-status.one-chunk-per-context");
    PLAYS(asks,
          OPEN_CONTEXT "request; S chunk type=BLOCK_STATUS cookie=1 + hex 000000070000020000000000;"
                       "S chunk flags=DONE type=NONE cookie=1;",
          "pass", "");
}

static void a_map_goes_on_where_the_extents_end(void)
{
    PLAYS(OPENED ": map offset=0 length=1536 @transmission.block-status.extent-nonzero\n",
          OPEN_CONTEXT EXTENTS("1", "0000020000000003") EXTENTS("2", "0000080000000000"), "pass",
          "");
    PLAYS(
        OPENED ": map reading offset=0 length=1024 @metadata.allocation.zero-reads-zero\n",
        OPEN_CONTEXT EXTENTS(
            "1",
            "00000200000000030000020000000000") "C request type=READ cookie=2 length=512;"
                                                "S chunk flags=DONE type=OFFSET_HOLE cookie=2 + hex 000000000000000000000200;",
        "pass", "");
    PLAYS(
        OPENED ": map reading offset=0 length=512 @metadata.allocation.zero-reads-zero\n",
        OPEN_CONTEXT EXTENTS(
            "1",
            "0000020000000002") "request; S chunk flags=DONE type=OFFSET_DATA cookie=2 + hex 0000000000000000 + fill "
                                "512 1;",
        "fail violation", "metadata.allocation.zero-reads-zero");
}

void play_status_tests(void)
{
    CU_pSuite suite = CU_add_suite("play: metadata", NULL, NULL);

    CU_ADD_TEST(suite, queries_are_made_of_their_parts);
    CU_ADD_TEST(suite, contexts_are_selected_on_the_way);
    CU_ADD_TEST(suite, extents_are_summed_up);
    CU_ADD_TEST(suite, the_extents_cover_all_of_their_lengths);
    CU_ADD_TEST(suite, replies_to_others_are_passed_over);
    CU_ADD_TEST(suite, other_contexts_are_passed_over);
    CU_ADD_TEST(suite, a_status_is_due_or_an_error);
    CU_ADD_TEST(suite, a_map_goes_on_where_the_extents_end);
}
