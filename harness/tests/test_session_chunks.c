/* How the session follows replies in chunks, and what it tells of them: what is covered, what ends a reply,
 * the contexts that are selected; and that chunks without end cost no memory. */
#include <CUnit/CUnit.h>

#include "session/private.h"
#include "session_rows.h"

void session_chunks_tests(void);

#define LONG_READ "C request type=READ length=1048576 cookie=1;"
#define EXTENDED HELLO "C option option=EXTENDED_HEADERS;" ACK("EXTENDED_HEADERS") ENTER(ALL_FLAGS)
#define ASK_ALLOCATION                                                                             \
    "C option option=SET_META_CONTEXT + hex 000000046469736b00000001 + hex 0000000f"               \
    " + text base:allocation;"
#define SET_AS(id)                                                                                 \
    ASK_ALLOCATION "S reply option=SET_META_CONTEXT type=META_CONTEXT + meta-context id=" id       \
                   " + text base:allocation;" ACK("SET_META_CONTEXT")
#define SET SET_AS("7")

#define FAILED_AT(flags, text, offset)                                                             \
    "S chunk type=ERROR_OFFSET flags=" flags " cookie=1 + hex 00000016" text "000000000000" offset \
    ";"
#define GENERAL_ERROR(flags, text)                                                                 \
    "S chunk type=ERROR flags=" flags " cookie=1 + hex 00000016" text ";"

/* The last message of the conversation. */
static SessionMessage *last_of(const char *script)
{
    g_autoptr(Session) session = session_new(VANTAGE_ENDPOINT);
    g_autoptr(GPtrArray) lines = talk_lines(script);
    SessionMessage *last = NULL, *next;

    for (guint i = 0; i < lines->len; i++) {
        const TalkLine *line = lines->pdata[i];
        session_feed(session, line->from, line->bytes->data, line->bytes->len);
    }
    while ((next = session_next(session)) != NULL) {
        session_message_free(last);
        last = next;
    }
    return last;
}

static void says(const char *script, const char *description)
{
    g_autoptr(SessionMessage) last = last_of(script);
    g_autofree char *text = session_message_describe(last);

    CU_ASSERT_STRING_EQUAL(text, description);
}

static void chunks_are_described(void)
{
    says(OPEN_STRUCTURED READ("1") CHUNK_DATA("DONE", "0000", "512"),
         "chunk OFFSET_DATA DONE cookie=0x1 offset=0 length=512");
    says(OPEN_STRUCTURED READ("1") CHUNK_HOLE("0", "0010", "0020"),
         "chunk OFFSET_HOLE cookie=0x1 offset=16 length=32");
    says(OPEN_STRUCTURED READ("1") CHUNK_DONE("1"), "chunk NONE DONE cookie=0x1");
    says(OPEN_STRUCTURED FLUSH("1") "S chunk type=ERROR flags=DONE cookie=1"
                                    " + hex 000000050003 + text bad;",
         "chunk ERROR DONE cookie=0x1 error=EIO message=\"bad\"");
    says(OPEN_STRUCTURED READ("1") "S chunk type=ERROR_OFFSET cookie=1"
                                   " + hex 0000000500000000000000000100;",
         "chunk ERROR_OFFSET cookie=0x1 error=EIO offset=256");
    says(HELLO STRUCTURED SET ENTER(ALL_FLAGS) "C request type=BLOCK_STATUS length=4096 cookie=1;"
                                               "S chunk type=BLOCK_STATUS flags=DONE cookie=1"
                                               " + hex 000000070000100000000003;",
         "chunk BLOCK_STATUS DONE cookie=0x1 id=7 extent=4096:0x3");
    says(EXTENDED "C extended-request type=TRIM offset=512 length=8589934592 cookie=1;",
         "extended-request TRIM cookie=0x1 offset=512 length=8589934592");
    says(EXTENDED "C extended-request type=FLUSH cookie=1;"
                  "S extended-reply flags=DONE cookie=1 offset=7;",
         "extended-reply NONE DONE cookie=0x1 request-offset=7");
}

static void a_reply_is_summed_up(void)
{
    g_autoptr(SessionMessage) part =
        last_of(OPEN_STRUCTURED READ("1") CHUNK_DATA("0", "0000", "100"));
    g_autoptr(SessionMessage) whole = last_of(OPEN_STRUCTURED READ("1") CHUNK_DATA(
        "0", "0000", "256") CHUNK_HOLE("0", "0100", "0100") CHUNK_DONE("1"));
    g_autoptr(SessionMessage) failed = last_of(OPEN_STRUCTURED READ("1") CHUNK_DATA(
        "0", "0000", "256") "S chunk type=ERROR flags=DONE cookie=1 + hex 000000160000;");
    g_autoptr(SessionMessage) overlapped = last_of(
        OPEN_STRUCTURED READ("1") CHUNK_DATA("0", "0000", "256") CHUNK_DATA("DONE", "0000", "512"));
    g_autoptr(SessionMessage) twice = last_of(OPEN_STRUCTURED READ("1") FAILED_AT(
        "0", "0000",
        "0000") "S chunk type=ERROR_OFFSET flags=DONE cookie=1 + hex 0000000500000000 + hex 00000001;");
    g_autoptr(SessionMessage) nameless = last_of(
        OPEN_STRUCTURED READ("1") "S chunk type=ERROR flags=DONE cookie=1 + hex 000000000000;");

    CU_ASSERT(!session_message_ends_reply(part));
    CU_ASSERT(part->reply.structured && !part->reply.uncertain);
    CU_ASSERT_EQUAL(part->reply.covered, 100);
    CU_ASSERT(session_message_ends_reply(whole));
    CU_ASSERT_EQUAL(whole->reply.covered, 512);
    CU_ASSERT_EQUAL(whole->reply.content_chunks, 2);
    CU_ASSERT_EQUAL(whole->reply.error, NBD_SUCCESS);
    CU_ASSERT(session_message_ends_reply(failed));
    CU_ASSERT_EQUAL(failed->reply.covered, 256);
    CU_ASSERT_EQUAL(failed->reply.error_chunks, 1);
    CU_ASSERT_EQUAL(failed->reply.error, NBD_EINVAL);
    CU_ASSERT(overlapped->reply.uncertain);
    CU_ASSERT_EQUAL(twice->reply.error, NBD_EINVAL);
    CU_ASSERT_EQUAL(twice->reply.error_chunks, 2);
    CU_ASSERT_EQUAL(nameless->reply.error, NBD_EIO);
}

static void simple_replies_are_summed_up_alike(void)
{
    g_autoptr(SessionMessage) data = last_of(OPEN READ("1") DATA("1"));
    g_autoptr(SessionMessage) error = last_of(OPEN READ("1") FAILS("1", "EIO"));
    g_autoptr(SessionMessage) stray = last_of(OPEN FLUSH("1") FAILS("2", "EIO"));

    CU_ASSERT(session_message_ends_reply(data) && !data->reply.structured);
    CU_ASSERT_EQUAL(data->reply.covered, 512);
    CU_ASSERT(session_message_ends_reply(error));
    CU_ASSERT_EQUAL(error->reply.error, NBD_EIO);
    CU_ASSERT(!session_message_ends_reply(stray));
}

static void a_reply_can_be_asked_after_while_it_comes(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, OPEN_STRUCTURED "C request type=READ length=1024 cookie=1;");
    CU_ASSERT_EQUAL(session_reply(talk->session, 1)->content_chunks, 0);
    CU_ASSERT_PTR_NULL(session_reply(talk->session, 2));
    talk_say(talk, CHUNK_DATA("0", "0200", "512"));
    CU_ASSERT_EQUAL(session_reply(talk->session, 1)->covered, 512);
    talk_say(talk, CHUNK_DATA("DONE", "0000", "512"));
    CU_ASSERT_PTR_NULL(session_reply(talk->session, 1));
    talk_broken(talk, "");
}

/* ---- Facts ----------------------------------------------------------------------------------- */

static void contexts_are_those_of_the_last_set(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
    SessionContext context;

    talk_say(talk, HELLO STRUCTURED SET);
    CU_ASSERT_EQUAL(session_facts(talk->session)->contexts, 1);
    CU_ASSERT(session_find_context(talk->session, 7, &context));
    CU_ASSERT_STRING_EQUAL(context.name, "base:allocation");
    CU_ASSERT(!session_find_context(talk->session, 8, &context));
    talk_say(talk, SET_AS("8"));
    CU_ASSERT_EQUAL(session_facts(talk->session)->contexts, 1);
    CU_ASSERT(!session_find_context(talk->session, 7, &context));
    CU_ASSERT(session_find_context(talk->session, 8, &context));
    talk_broken(talk, "");
    talk_say(talk,
             ASK_ALLOCATION "S reply option=SET_META_CONTEXT type=META_CONTEXT"
                            " + meta-context id=9 + text x-a: + hex 0062;" ACK("SET_META_CONTEXT"));
    talk_broken(talk, "string.no-nul");
    CU_ASSERT(session_find_context(talk->session, 9, &context));
    CU_ASSERT_STRING_EQUAL(context.name, "x-a:?b");
    talk_say(talk, SET_AS("8"));
    talk_say(talk, ENTER(ALL_FLAGS));
    CU_ASSERT(session_facts(talk->session)->contexts_apply);
    talk_broken(talk, "");
}

static void starttls_forgets_what_was_agreed(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
    const SessionFacts *facts = session_facts(talk->session);

    talk_say(talk, HELLO "C option option=EXTENDED_HEADERS;" ACK("EXTENDED_HEADERS") SET
             "C option option=STARTTLS; = an option's replies;" ACK(
                 "STARTTLS") "= TLS handshake; S hex 16030300020102; C hex 1403; C hex 03000101;");
    CU_ASSERT(facts->tls == SESSION_TLS_ACKNOWLEDGED);
    CU_ASSERT(!facts->structured && !facts->extended && facts->contexts == 0);
    talk_say(talk, "S hex 1703; TLS; = option haggling;" STRUCTURED ENTER(ALL_FLAGS) READ("1")
                       CHUNK_DATA("DONE", "0000", "512"));
    CU_ASSERT(facts->tls == SESSION_TLS_RUNNING);
    talk_broken(talk, "");
}

static void starttls_forgets_the_sizes_that_info_told(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
    const SessionFacts *facts = session_facts(talk->session);

    talk_say(talk, HELLO ASK("INFO", " BLOCK_SIZE") EXPORT("INFO", "4194304", "HAS_FLAGS")
                       SIZES("INFO", "minimum=512 preferred=512 maximum=1048576")
                           ACK("INFO") "C option option=STARTTLS;" ACK("STARTTLS"));
    CU_ASSERT(!facts->block_size_asked && !facts->block_size_given);
    talk_say(talk, "TLS;" ASK("GO", "") EXPORT("GO", "4194304", "HAS_FLAGS")
                       ACK("GO") "C request type=READ offset=1 length=1048577 cookie=1;");
    CU_ASSERT(!session_tainted(talk->session, SIDE_CLIENT));
    talk_broken(talk, "");
}

static void plain_text_behind_starttls_has_no_effect(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, HELLO "C option option=STARTTLS; C option option=STRUCTURED_REPLY;" ACK(
                       "STARTTLS") "TLS; = option haggling;" ENTER("HAS_FLAGS"));
    CU_ASSERT(!session_facts(talk->session)->structured);
    CU_ASSERT_EQUAL(session_phase(talk->session), PHASE_TRANSMISSION);
    talk_broken(talk, "handshake.option.one-at-a-time");
}

static void plain_text_behind_starttls_gives_no_leave_to_answer_it(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, HELLO OPT("STARTTLS") ACK("STARTTLS") OPT("LIST"));
    talk_broken(talk, "tls.handshake.only-tls");
    talk_say(talk, "S hex 0003e889045565a9;");
    talk_broken(talk, "tls.handshake.only-tls");
}

static void errors_keep_their_form_where_the_request_was_mistaken(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, OPEN_STRUCTURED "C request type=READ flags=0x8000 length=512 cookie=1;"
                                   "S chunk type=ERROR flags=DONE cookie=1 + hex 0000001600;");
    CU_ASSERT(session_tainted(talk->session, SIDE_CLIENT));
    talk_broken(talk, "transmission.command-flags.undefined transmission.chunk.error-length");
}

static void errors_have_sensible_offsets_and_texts_where_the_request_was_mistaken(void)
{
    static const struct {
        const char *replies, *broken;
    } rows[] = {
        {FAILED_AT("DONE", "0000", "0000"), ""},
        {FAILED_AT("DONE", "0000", "0200"), "transmission.chunk.error-offset-bounds"},
        {FAILED_AT("0", "0000", "0000") FAILED_AT("DONE", "0000", "0000"),
         "transmission.chunk.error-offset-repeated"},
        {GENERAL_ERROR("0", "0000") GENERAL_ERROR("DONE", "0000"), "transmission.chunk.error-once"},
        {GENERAL_ERROR("0", "0000") FAILED_AT("DONE", "0000", "0000"),
         "transmission.chunk.error-kinds-mixed"},
        {GENERAL_ERROR("DONE", "0001ff"), "string.utf-8"},
        {GENERAL_ERROR("DONE", "000100"), "string.no-nul"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
        talk_say(talk, OPEN_STRUCTURED "C request type=READ flags=0x8000 length=512 cookie=1;");
        talk_broken(talk, "transmission.command-flags.undefined");
        talk_say(talk, rows[i].replies);
        talk_broken(talk, rows[i].broken);
    }
}

static void what_lies_beyond_the_end_may_be_said_to_fail_anywhere(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk,
             OPEN_STRUCTURED "C request type=READ offset=0x7fffffffffff0000 length=512 cookie=1;");
    CU_ASSERT(session_tainted(talk->session, SIDE_CLIENT));
    talk_say(talk, FAILED_AT("DONE", "0000", "0000"));
    CU_ASSERT_PTR_NULL(strstr(talk->broken->str, "error-offset"));
}

/* ---- Bounds ---------------------------------------------------------------------------------- */

typedef uint64_t (*Place)(unsigned index);

static uint64_t ascending(unsigned index)
{
    return index;
}

static uint64_t descending(unsigned index)
{
    return 1048575 - index;
}

static uint64_t scattered(unsigned index)
{
    return index < 524288 ? 2 * (uint64_t)index : 2 * (uint64_t)(index - 524288) + 1;
}

static void feed_data(Session *session, uint64_t offset)
{
    uint64_t value[WIRE_MAX_FIELDS];
    uint8_t chunk[20 + 8 + 1] = {0};

    wire_defaults(WIRE_CHUNK, value);
    value[CHUNK_TYPE] = NBD_REPLY_TYPE_OFFSET_DATA;
    value[CHUNK_COOKIE] = 1;
    value[CHUNK_LENGTH] = 9;
    wire_encode(WIRE_CHUNK, value, chunk);
    wire_put(chunk + 20, 8, offset);
    session_feed(session, SIDE_SERVER, chunk, sizeof chunk);
    session_message_free(session_next(session));
    session_finding_free(session_next_finding(session));
}

/* All of a READ, a byte a chunk; then its end. */
static void trickle(Place place, bool uncertain)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, OPEN_STRUCTURED LONG_READ);
    for (unsigned i = 0; i < 1048576; i++) {
        feed_data(talk->session, place(i));
        if (talk->session->ranges > SESSION_MAX_RANGES)
            break;
    }
    CU_ASSERT(talk->session->ranges <= SESSION_MAX_RANGES);
    const SessionReply *reply = session_reply(talk->session, 1);
    CU_ASSERT_EQUAL(reply->uncertain, uncertain);
    CU_ASSERT(uncertain || reply->covered == 1048576);
    talk_say(talk, CHUNK_DONE("1"));
    talk_broken(talk, "");
    CU_ASSERT_EQUAL(talk->session->ranges, 0);
}

static void a_million_chunks_cost_no_memory(void)
{
    trickle(ascending, false);
    trickle(descending, false);
    trickle(scattered, true);
}

static void many_scattered_replies_cost_no_memory(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);
    GString *requests = g_string_new(OPEN_STRUCTURED);

    for (unsigned i = 1; i <= 200; i++)
        g_string_append_printf(requests, "C request type=READ length=1048576 cookie=%u;", i);
    talk_say(talk, requests->str);
    for (unsigned i = 1; i <= 200; i++)
        for (unsigned j = 0; j < 600; j++) {
            uint8_t chunk[20 + 8 + 1] = {0};
            uint64_t value[WIRE_MAX_FIELDS];
            wire_defaults(WIRE_CHUNK, value);
            value[CHUNK_TYPE] = NBD_REPLY_TYPE_OFFSET_DATA;
            value[CHUNK_COOKIE] = i;
            value[CHUNK_LENGTH] = 9;
            wire_encode(WIRE_CHUNK, value, chunk);
            wire_put(chunk + 20, 8, UINT64_C(1024) * j);
            session_feed(talk->session, SIDE_SERVER, chunk, sizeof chunk);
            session_message_free(session_next(talk->session));
        }
    CU_ASSERT(talk->session->ranges <= SESSION_MAX_ALL_RANGES);
    talk_broken(talk, "");
    g_string_free(requests, TRUE);
}

static void an_error_s_offsets_have_their_bounds(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, OPEN_STRUCTURED LONG_READ);
    for (unsigned i = 0; i < 1000; i++) {
        g_autofree char *chunk = g_strdup_printf(
            "S chunk type=ERROR_OFFSET cookie=1 + hex 000000050000 + hex %016x;", i);
        talk_say(talk, chunk);
    }
    const SessionInFlight *waiting = session_waiting(talk->session, 1);
    const SessionPending *pending = waiting->requests.head->data;
    CU_ASSERT(pending->progress->failures->len <= SESSION_MAX_FAILURES);
    CU_ASSERT_EQUAL(pending->reply.error_chunks, 1000);
    talk_broken(talk, "");
}

/* Selects COUNT contexts with names of LENGTH bytes; whose status then comes is not known of all. */
static guint select_many(unsigned count, unsigned length)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, SPLIT_WHOLE);

    talk_say(talk, HELLO STRUCTURED ASK_ALLOCATION);
    for (unsigned i = 1; i <= count; i++) {
        g_autofree char *reply =
            g_strdup_printf("S reply option=SET_META_CONTEXT type=META_CONTEXT + meta-context id=%u"
                            " + text x-a: + fill %u 98;",
                            i, length - 4);
        talk_say(talk, reply);
    }
    talk_say(talk, ACK("SET_META_CONTEXT") ENTER(ALL_FLAGS));
    talk_say(talk, "C request type=BLOCK_STATUS length=512 cookie=1;");
    g_autofree char *status = g_strdup_printf("S chunk type=BLOCK_STATUS flags=DONE cookie=1"
                                              " + hex %08x + hex 0000020000000000;",
                                              count);
    talk_say(talk, status);
    talk_broken(talk, "");
    return session_facts(talk->session)->contexts;
}

static void selected_contexts_have_their_bounds(void)
{
    CU_ASSERT_EQUAL(select_many(SESSION_MAX_CONTEXTS + 1, 5), SESSION_MAX_CONTEXTS);
    CU_ASSERT(select_many(SESSION_MAX_CONTEXTS, 256) <= SESSION_MAX_CONTEXT_BYTES / 256);
}

static void requests_that_share_a_cookie_are_not_judged_by_their_chunks(void)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_RELAY, SPLIT_WHOLE);

    talk_say(talk, OPEN_STRUCTURED READ("1") "C request type=READ offset=512 length=512 cookie=1;");
    talk_say(talk, CHUNK_DATA("0", "0200", "512") CHUNK_DATA("DONE", "0000", "512"));
    talk_say(talk, CHUNK_DONE("1") FLUSH("1") CHUNK_DONE("1"));
    talk_broken(talk, "");
}

void session_chunks_tests(void)
{
    CU_TestInfo tests[] = {
        {"chunks are described", chunks_are_described},
        {"a reply is summed up", a_reply_is_summed_up},
        {"simple replies are summed up alike", simple_replies_are_summed_up_alike},
        {"a reply can be asked after while it comes", a_reply_can_be_asked_after_while_it_comes},
        {"contexts are those of the last SET", contexts_are_those_of_the_last_set},
        {"STARTTLS forgets what was agreed", starttls_forgets_what_was_agreed},
        {"STARTTLS forgets the sizes that INFO told", starttls_forgets_the_sizes_that_info_told},
        {"selected contexts have their bounds", selected_contexts_have_their_bounds},
        {"errors have sensible offsets and texts where the request was mistaken",
         errors_have_sensible_offsets_and_texts_where_the_request_was_mistaken},
        {"what lies beyond the end may be said to fail anywhere",
         what_lies_beyond_the_end_may_be_said_to_fail_anywhere},
        {"errors keep their form where the request was mistaken",
         errors_keep_their_form_where_the_request_was_mistaken},
        {"plain text behind STARTTLS has no effect", plain_text_behind_starttls_has_no_effect},
        {"plain text behind STARTTLS gives no leave to answer it",
         plain_text_behind_starttls_gives_no_leave_to_answer_it},
        {"a million chunks cost no memory", a_million_chunks_cost_no_memory},
        {"many scattered replies cost no memory", many_scattered_replies_cost_no_memory},
        {"an error's offsets have their bounds", an_error_s_offsets_have_their_bounds},
        {"requests that share a cookie are not judged by their chunks",
         requests_that_share_a_cookie_are_not_judged_by_their_chunks},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"session: chunks", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };

    CU_register_suites(suites);
}
