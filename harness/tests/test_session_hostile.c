/* The session before peers that lie about lengths, never come to an end, or talk nonsense. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "session/private.h"
#include "talk.h"

void session_hostile_tests(void);

#define MIB (1u << 20)

static void fill(Talk *talk, Side from, uint64_t size)
{
    g_autofree uint8_t *zeroes = g_malloc0(MIB);

    for (; size > 0; size -= MIN(size, MIB))
        session_feed(talk->session, from, zeroes, (size_t)MIN(size, MIB));
    talk_collect(talk);
}

/* What the session holds of FROM's bytes, beside messages that wait to be taken. */
static size_t held(const Talk *talk, Side from)
{
    const SessionStream *stream = &talk->session->stream[from];

    return stream->buffer->len + (stream->partial == NULL ? 0 : stream->partial->data->len);
}

/* ---- Lengths --------------------------------------------------------------------------------- */

static void an_absurd_length_is_judged_without_waiting_for_its_data(void)
{
    static const struct {
        const char *script, *broken;
    } rows[] = {
        {HELLO OPT("LIST") "S reply option=LIST type=ACK length=0xffffffff;",
         "handshake.reply.ack-empty"},
        {HELLO OPT(
             "LIST") "S reply option=LIST type=SERVER length=0xffffffff + server name-length=4;",
         "string.max-4096"},
        {HELLO OPT("LIST") "S reply option=LIST type=ERR_POLICY length=0xffffffff;",
         "string.max-4096"},
        {HELLO OPT("LIST") "S reply option=LIST type=77 length=0xffffffff;",
         "handshake.reply.type"},
        {HELLO ASK("GO", "") "S reply option=GO type=INFO length=0xffffffff + info info=EXPORT;",
         "handshake.info.export-length"},
        {HELLO ASK("GO",
                   "") "S reply option=GO type=INFO length=0xffffffff + info info=BLOCK_SIZE;",
         "handshake.info.block-size-length"},
        {HELLO ASK("GO", "") "S reply option=GO type=INFO length=0xffffffff + info info=NAME;",
         "string.max-4096"},
        {OPEN FLUSH("1") "S chunk cookie=1 length=0xffffffff;", "transmission.reply.simple-only"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        for (int split = SPLIT_WHOLE; split <= SPLIT_BYTES; split++) {
            g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, (Split)split);
            talk_say(talk, rows[i].script);
            talk_broken(talk, rows[i].broken);
        }
    }
}

static void data_that_may_be_of_any_length_is_counted_and_dropped(void)
{
    static const struct {
        const char *script;
        uint64_t rest;
        size_t keep;
    } rows[] = {
        {HELLO ASK("GO", "") "S reply option=GO type=INFO length=0xffffffff + info info=77;",
         0xfffffffd, SESSION_KEEP_OPTION_DATA},
        {HELLO OPT("0x1234") "S reply option=0x1234 type=77 length=0xffffffff;", 0xffffffff,
         SESSION_KEEP_OPTION_DATA},
        {HELLO STRUCTURED ENTER("HAS_FLAGS")
             READ("1") "S chunk type=0x8777 cookie=1 length=0xffffffff + hex 000000050000;",
         0xfffffff9, SESSION_KEEP_ERROR},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
        talk_say(talk, rows[i].script);
        fill(talk, SIDE_SERVER, rows[i].rest - 1);
        CU_ASSERT(held(talk, SIDE_SERVER) <= rows[i].keep);
        CU_ASSERT(session_pending(talk->session, SIDE_SERVER) > rows[i].rest);
        size_t before = talk->messages->len;
        fill(talk, SIDE_SERVER, 1);
        CU_ASSERT(talk->messages->len > before);
        CU_ASSERT_EQUAL(session_pending(talk->session, SIDE_SERVER), 0);
        talk_broken(talk, "");
    }
}

static void a_client_s_long_data_is_counted_and_dropped(void)
{
    g_autoptr(Talk) option = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
    g_autoptr(Talk) write = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(option, HELLO "C option option=0x1234 length=0xffffffff;");
    fill(option, SIDE_CLIENT, 0xfffffffe);
    CU_ASSERT(held(option, SIDE_CLIENT) <= SESSION_KEEP_OPTION_DATA);
    fill(option, SIDE_CLIENT, 1);
    CU_ASSERT_EQUAL(session_phase(option->session), PHASE_REPLYING);
    talk_say(write, OPEN "C request type=WRITE length=0xffffffff;");
    fill(write, SIDE_CLIENT, 0xffffffff);
    CU_ASSERT_EQUAL(session_pending(write->session, SIDE_CLIENT), 0);
    talk_broken(write, "size.client-within-export");
}

/* ---- Without end ----------------------------------------------------------------------------- */

static void endless_replies_cost_no_memory_once_they_are_taken(void)
{
    static const char *const replies[] = {
        "S reply option=GO type=SERVER + server name-length=4 + text disk;",
        "S reply option=GO type=INFO + info info=77 + fill 2000 1;",
        "S reply option=GO type=77;",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(replies); i++) {
        g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
        g_autoptr(GPtrArray) lines = talk_lines(replies[i]);
        const GByteArray *reply = ((const TalkLine *)lines->pdata[0])->bytes;
        talk_say(talk, HELLO ASK("GO", ""));
        for (unsigned j = 0; j < 20000; j++) {
            session_feed(talk->session, SIDE_SERVER, reply->data, reply->len);
            session_message_free(session_next(talk->session));
            session_finding_free(session_next_finding(talk->session));
        }
        const SessionOption *option = session_current_option(talk->session);
        CU_ASSERT_EQUAL(held(talk, SIDE_SERVER), 0);
        CU_ASSERT_EQUAL(talk->session->messages.length, 0);
        CU_ASSERT_EQUAL(talk->session->findings.length, 0);
        CU_ASSERT(option->infos->len <= SESSION_MAX_INFOS);
        CU_ASSERT(option->infos->len * 2000 <= SESSION_MAX_INFO_BYTES);
    }
}

static void what_waits_for_the_other_side_has_its_bounds(void)
{
    static const char *const scripts[] = {
        "",
        HELLO ASK("GO", ""),
        HELLO "C option option=EXPORT_NAME + text disk;",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(scripts); i++) {
        g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
        talk_say(talk, scripts[i]);
        fill(talk, SIDE_CLIENT, SESSION_MAX_HELD + 2 * MIB);
        CU_ASSERT_EQUAL(held(talk, SIDE_CLIENT), 0);
        CU_ASSERT(session_desynchronised(talk->session, SIDE_CLIENT));
        talk_broken(talk, "");
    }
}

static void endless_options_and_requests_end_the_session_s_patience(void)
{
    static const char *const scripts[2][2] = {{HELLO, OPT("0x1234")}, {OPEN, FLUSH("1")}};

    for (size_t i = 0; i < G_N_ELEMENTS(scripts); i++) {
        g_autoptr(Talk) talk = talk_new(VANTAGE_RELAY, SPLIT_WHOLE);
        g_autoptr(GPtrArray) lines = talk_lines(scripts[i][1]);
        const GByteArray *again = ((const TalkLine *)lines->pdata[0])->bytes;
        talk_say(talk, scripts[i][0]);
        for (unsigned j = 0; j < SESSION_MAX_IN_FLIGHT + 2; j++) {
            session_feed(talk->session, SIDE_CLIENT, again->data, again->len);
            session_message_free(session_next(talk->session));
        }
        CU_ASSERT(session_desynchronised(talk->session, SIDE_CLIENT));
        CU_ASSERT(session_desynchronised(talk->session, SIDE_SERVER));
        CU_ASSERT(talk->session->options.length <= SESSION_MAX_OPTIONS + 1);
        talk_broken(talk, "");
    }
}

/* ---- Nonsense -------------------------------------------------------------------------------- */

/* clang-format off */
static const char *const seeds[] = {
    "",
    GREETING,
    HELLO,
    HELLO OPT("LIST") "S reply option=LIST type=SERVER + server name-length=0;" ACK("LIST"),
    HELLO ASK("INFO", " NAME BLOCK_SIZE") EXPORT("INFO", "65536", "HAS_FLAGS")
    SIZES("INFO", "minimum=512 preferred=4096 maximum=65536")
    "S reply option=INFO type=INFO + info info=NAME + text disk;" ACK("INFO"),
    HELLO "C option option=EXPORT_NAME + text disk;" READ("1")
    "S export size=65536 flags=HAS_FLAGS;" DATA("1"),
    OPEN READ("1") WRITE("2") FLUSH("3") DONE("3") DATA("1") FAILS("2", "EIO") DISC("4"),
    HELLO STRUCTURED ENTER(ALL_FLAGS) READ("1")
    "S chunk type=OFFSET_DATA cookie=1 + fill 8 0 + fill 512 1; S chunk flags=DONE cookie=1;",
    OLDSTYLE("HAS_FLAGS") READ("1") DATA("1"),
    HELLO STRUCTURED ENTER(ALL_FLAGS) READ("1") FLUSH("2")
    "S chunk type=ERROR_OFFSET cookie=1 + hex 0000000500026f6b0000000000000100;"
    "S chunk type=OFFSET_HOLE cookie=1 + hex 000000000000000000000100;"
    "S chunk type=ERROR flags=DONE cookie=2 + hex 0000001600026f6b; S chunk flags=DONE cookie=1;",
    HELLO STRUCTURED
    "C option option=SET_META_CONTEXT + hex 000000046469736b000000010000000f + text base:allocation;"
    "S reply option=SET_META_CONTEXT type=META_CONTEXT + meta-context id=1 + text base:allocation;"
    ACK("SET_META_CONTEXT") ENTER(ALL_FLAGS) "C request type=BLOCK_STATUS length=4096 cookie=1;"
    "S chunk type=BLOCK_STATUS flags=DONE cookie=1 + hex 00000001000002000000000000000e0000000001;",
    HELLO OPT("STARTTLS") ACK("STARTTLS") "C hex 16030100020000; S hex 16030300020000; TLS;"
    ENTER(ALL_FLAGS) READ("1"),
    HELLO OPT("EXTENDED_HEADERS") ACK("EXTENDED_HEADERS")
    "C option option=SET_META_CONTEXT + hex 000000046469736b000000010000000f + text base:allocation;"
    "S reply option=SET_META_CONTEXT type=META_CONTEXT + meta-context id=1 + text base:allocation;"
    ACK("SET_META_CONTEXT") ENTER(ALL_FLAGS "|BLOCK_STATUS_PAYLOAD|SEND_RESIZE")
    "C extended-request type=BLOCK_STATUS length=4096 cookie=1;"
    "C extended-request type=RESIZE offset=4096 cookie=2;"
    "C extended-request type=WRITE flags=PAYLOAD_LEN length=8 cookie=3 + fill 8 1;"
    "S extended-reply type=BLOCK_STATUS_EXT flags=DONE cookie=1 + hex 0000000100000001"
    " + hex 00000000000010000000000000000003;"
    "S extended-reply type=ERROR flags=DONE cookie=3 + hex 000000050000;"
    "S extended-reply flags=DONE cookie=2;",
};
/* clang-format on */

/* Some bits flipped, some bytes cut off, some lines left out. */
static void feed_damaged(Talk *talk, const TalkLine *line)
{
    size_t size = line->bytes->len;
    g_autofree uint8_t *bytes = g_memdup2(line->bytes->data, size);

    if (line->tls)
        session_start_tls(talk->session);
    if (size == 0 || g_rand_int_range(talk->random, 0, 20) == 0)
        return;
    if (g_rand_int_range(talk->random, 0, 4) == 0)
        bytes[g_rand_int_range(talk->random, 0, (gint32)size)] ^=
            (uint8_t)(1 << g_rand_int_range(talk->random, 0, 8));
    if (g_rand_int_range(talk->random, 0, 20) == 0)
        size = (size_t)g_rand_int_range(talk->random, 0, (gint32)size);
    session_feed(talk->session, line->from, bytes, size);
}

static void feed_noise(Talk *talk)
{
    uint8_t noise[64];

    for (unsigned i = 0; i < 16; i++) {
        for (size_t j = 0; j < sizeof noise; j++)
            noise[j] = (uint8_t)(g_rand_boolean(talk->random) ? g_rand_int(talk->random) : 0);
        session_feed(talk->session, g_rand_boolean(talk->random) ? SIDE_CLIENT : SIDE_SERVER, noise,
                     (size_t)g_rand_int_range(talk->random, 0, sizeof noise + 1));
    }
}

static void nonsense_does_no_harm(void)
{
    g_autoptr(GPtrArray) scripts =
        g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);

    for (size_t i = 0; i < G_N_ELEMENTS(seeds); i++)
        g_ptr_array_add(scripts, talk_lines(seeds[i]));
    for (guint i = 0; i < 13000; i++) {
        const GPtrArray *lines = scripts->pdata[i % scripts->len];
        g_autoptr(Talk) talk = talk_new(i & 1 ? VANTAGE_ENDPOINT : VANTAGE_RELAY, SPLIT_WHOLE);
        g_rand_set_seed(talk->random, i);
        for (guint j = 0; j < lines->len; j++)
            feed_damaged(talk, lines->pdata[j]);
        feed_noise(talk);
        for (int side = SIDE_CLIENT; side <= SIDE_SERVER; side++)
            session_close(talk->session, (Side)side);
        talk_collect(talk); /* describes them all */
        CU_ASSERT(held(talk, SIDE_CLIENT) + held(talk, SIDE_SERVER) < 65536);
        CU_ASSERT(session_phase(talk->session) == PHASE_ENDED);
    }
}

void session_hostile_tests(void)
{
    CU_TestInfo tests[] = {
        {"an absurd length is judged without waiting for its data",
         an_absurd_length_is_judged_without_waiting_for_its_data},
        {"data that may be of any length is counted and dropped",
         data_that_may_be_of_any_length_is_counted_and_dropped},
        {"a client's long data is counted and dropped",
         a_client_s_long_data_is_counted_and_dropped},
        {"endless replies cost no memory once they are taken",
         endless_replies_cost_no_memory_once_they_are_taken},
        {"what waits for the other side has its bounds",
         what_waits_for_the_other_side_has_its_bounds},
        {"endless options and requests end the session's patience",
         endless_options_and_requests_end_the_session_s_patience},
        {"nonsense does no harm", nonsense_does_no_harm},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"session against hostile peers", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };

    CU_register_suites(suites);
}
