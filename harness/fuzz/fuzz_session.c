/* Fuzz target: the session, fed with any bytes from both sides in any order.
 *
 * An input is a list of records. The first two bits of a record's two-byte head say what it is: bytes of the
 * client or of the server, as many as the other bits say, or an event. The same bytes, each fed alone, have to
 * lead to the same messages and findings: no verdict may depend on how TCP cut the stream.
 */
#include "fuzz/fuzz.h"
#include "session/session.h"

enum { RECORD_CLIENT, RECORD_SERVER, RECORD_EVENT };
enum { EVENT_CLIENT_CLOSES, EVENT_SERVER_CLOSES, EVENT_TLS_RUNS, EVENT_CLIENT_TAINTED, EVENTS };

#define HEAD 2
#define LENGTH_BITS 14

/* What came of a conversation, one line each. */
typedef struct {
    GString *messages, *findings;
} Story;

static void take(Session *session, Story *story)
{
    for (;;) {
        g_autoptr(SessionMessage) message = session_next(session);
        if (message == NULL)
            break;
        g_autofree char *text = session_message_describe(message);
        g_autoptr(GBytes) bytes = session_message_bytes(message, SESSION_EVIDENCE);
        FUZZ_HOLDS(g_utf8_validate(text, -1, NULL));
        for (size_t i = 0; i < message->chunk.extents; i++)
            (void)session_message_extent(message, i);
        g_string_append_printf(story->messages, "%d %s %zu\n", message->from, text,
                               g_bytes_get_size(bytes));
    }
    for (SessionFinding *finding; (finding = session_next_finding(session)) != NULL;) {
        FUZZ_HOLDS(finding->requirement != NULL);
        g_string_append_printf(story->findings, "%s by %d: %s\n", finding->requirement->id,
                               finding->by, finding->message);
        session_finding_free(finding);
    }
}

static void happen(Session *session, unsigned event)
{
    switch (event % EVENTS) {
    case EVENT_CLIENT_CLOSES:
        session_close(session, SIDE_CLIENT);
        break;
    case EVENT_SERVER_CLOSES:
        session_close(session, SIDE_SERVER);
        break;
    case EVENT_TLS_RUNS:
        if (session_phase(session) == PHASE_TLS)
            session_start_tls(session);
        break;
    default:
        session_taint(session, SIDE_CLIENT);
    }
}

/* A server that goes on before the client's flags have come: how many of the bytes behind them it was ahead
 * of, only the cutting of the stream tells. */
static bool is_hasty(const Session *session)
{
    return session_phase(session) == PHASE_CLIENT_FLAGS &&
           session_pending(session, SIDE_SERVER) > 0;
}

/* Feeds all records in pieces of at most PIECE bytes. What came of it: messages and findings each have an order
 * of their own, but none between them, for the session keeps them apart. */
static char *play(const uint8_t *data, size_t size, Vantage vantage, size_t piece, bool *hasty)
{
    g_autoptr(Session) session = session_new(vantage);
    Story story = {g_string_new(NULL), g_string_new(NULL)};

    while (size >= HEAD) {
        unsigned head = (unsigned)data[0] << 8 | data[1];
        unsigned kind = head >> LENGTH_BITS;
        size_t length = head & ((1u << LENGTH_BITS) - 1);
        data += HEAD;
        size -= HEAD;
        if (kind >= RECORD_EVENT) {
            happen(session, (unsigned)length);
            take(session, &story);
            continue;
        }
        length = MIN(length, size);
        *hasty |= kind == RECORD_CLIENT && is_hasty(session);
        for (size_t done = 0; done < length; done += piece) {
            session_feed(session, kind == RECORD_CLIENT ? SIDE_CLIENT : SIDE_SERVER, data + done,
                         MIN(piece, length - done));
            take(session, &story);
        }
        data += length;
        size -= length;
    }
    g_string_append(story.messages, story.findings->str);
    g_string_append(story.messages, session_phase_name(session_phase(session)));
    g_string_free(story.findings, TRUE);
    return g_string_free(story.messages, FALSE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const Vantage vantage = data[0] & 1 ? VANTAGE_RELAY : VANTAGE_ENDPOINT;
    bool hasty = false;
    g_autofree char *whole = play(data + 1, size - 1, vantage, SIZE_MAX / 2, &hasty);
    g_autofree char *bytewise = play(data + 1, size - 1, vantage, 1, &hasty);

    if (hasty)
        return 0;
    if (!g_str_equal(whole, bytewise))
        fprintf(stderr, "whole:\n%s\nbyte by byte:\n%s\n", whole, bytewise);
    FUZZ_HOLDS(g_str_equal(whole, bytewise));
    return 0;
}
