/* What the files of session/ share. */
#ifndef NBDCONFORM_SESSION_PRIVATE_H
#define NBDCONFORM_SESSION_PRIVATE_H

#include "session/session.h"

/* Of data that may legally be long we keep this much; the rest is counted and dropped. The longest
 * option data that makes sense, GO with all 65536 information types, is well below. */
#define SESSION_KEEP_OPTION_DATA (256u << 10)
#define SESSION_KEEP_PAYLOAD (64u << 20)

/* So many answered requests are remembered, to tell a second answer from a stray one. */
#define SESSION_REMEMBERED 64u

/* What a peer can make us remember has its bounds. Where they are reached, the session gives up. */
#define SESSION_MAX_HELD (64u << 20)
#define SESSION_MAX_OPTIONS 1024u
#define SESSION_MAX_IN_FLIGHT (1u << 20)
#define SESSION_MAX_INFOS 1024u
#define SESSION_MAX_INFO_BYTES (256u << 10)
#define SESSION_MAX_CONTEXTS 1024u
#define SESSION_MAX_CONTEXT_BYTES (256u << 10)
#define SESSION_MAX_NAMES 64u         /* exports that INFO has succeeded for */
#define SESSION_MAX_RANGES 1024u      /* content chunks of one reply that are told apart … */
#define SESSION_MAX_ALL_RANGES 65536u /* … and of all replies */
#define SESSION_MAX_FAILURES 64u      /* offsets of errors of one reply */

/* Of a chunk so much is kept: what may legally come, and the error texts of a server that knows no
 * bounds. */
#define SESSION_KEEP_STATUS (8 + 16 * (UINT64_C(1) << 20))
#define SESSION_KEEP_ERROR (128u << 10)

typedef struct {
    GByteArray *buffer;      /* came, and not yet decoded */
    size_t start;            /* decoded part of the buffer */
    uint64_t position;       /* in the stream, of buffer[start] */
    SessionMessage *partial; /* its header is decoded, its data still comes */
    uint64_t remaining;      /* bytes of that data still to come */
    uint64_t keep;           /* how much of that data is kept */
    bool last;               /* the framing ends with the partial message */
    bool closed;
    uint64_t record; /* PHASE_TLS: bytes of the present record still to come */
    bool desynchronised;
    bool tainted;
} SessionStream;

/* A context that a server has named. */
typedef struct {
    uint32_t id;
    char *name; /* NULs replaced, and cut where it is longer than a string may be */
} SessionNamed;

/* What was said of a context to a client without extended headers, in replies that ended in ACK. */
typedef enum { NARROW_LISTED = 1, NARROW_SELECTED = 2 } SessionNarrow;

/* An option whose header the client has sent, and that the server has not finally answered. */
typedef struct {
    uint32_t option;
    GByteArray *data;
    bool whole;       /* all of its data came and was kept */
    bool info_parsed; /* INFO and GO: its data could be read, as REQUEST */
    WireInfoRequest request;
    bool block_size_asked;
    bool export_came; /* an NBD_INFO_EXPORT came, … */
    bool export_seen; /* … and could be read: size and flags, taken over at the ACK */
    uint64_t size;
    uint16_t flags;
    bool block_size_seen; /* NBD_INFO_BLOCK_SIZE came, with these contents */
    uint32_t minimum, preferred, maximum;
    GPtrArray *infos; /* of GBytes: the INFO replies so far … */
    size_t info_bytes;
    bool infos_cut;       /* … but for some that were too many or too long to keep */
    bool contexts_parsed; /* LIST_ and SET_META_CONTEXT: its data could be read, as CONTEXTS */
    WireContextRequest contexts;
    GPtrArray *named; /* of SessionNamed: the META_CONTEXT replies so far … */
    size_t named_bytes;
    bool named_cut; /* … but for some */
} SessionOption;

/* A content chunk: bytes from START to before END, of which FAILURE was reported to have failed. */
typedef struct {
    uint64_t start, end;
    uint64_t failure;
    bool failed;
    bool joined; /* of several chunks, to save room */
} SessionRange;

/* How far a reply in chunks has come. */
typedef struct {
    GArray *ranges;   /* of SessionRange, in order of place, without overlap */
    GArray *failures; /* of uint64_t: offsets of errors */
    GArray *answered; /* of uint32_t: selected contexts that have their status */
    bool overflowed;  /* NBD_EOVERFLOW came */
    bool repeated;    /* some context's status came once more: twice_for's */
    uint32_t twice_for;
    unsigned general, with_offset; /* errors by kind */
} SessionProgress;

/* A request in flight. */
typedef struct {
    SessionRequest request;
    SessionReply reply;
    SessionProgress *progress; /* NULL before the first chunk */
} SessionPending;

/* The requests in flight that share a cookie (normally one), oldest first. */
typedef struct {
    uint64_t cookie;
    GQueue requests; /* of SessionPending */
    bool ambiguous;  /* they differ, so that nobody can tell which of them a reply answers */
    bool shared;     /* there have been several: whose a chunk is can't be told */
} SessionInFlight;

struct Session {
    Vantage vantage;
    SessionPhase phase;
    SessionFacts facts;
    SessionStream stream[2];
    GQueue messages;    /* of SessionMessage */
    GQueue findings;    /* of SessionFinding */
    uint64_t *uses;     /* by rule: how often it judged, … */
    uint64_t *breaches; /* … and found a breach */

    /* handshake */
    GQueue options;            /* of SessionOption, oldest first */
    SessionOption *sending;    /* that of them whose data still comes, or NULL */
    bool options_overlap;      /* the latest option began before the one before it was answered */
    SessionOption *last_info;  /* a successful INFO with nothing between it and now */
    uint32_t minimum, maximum; /* the latest that were advertised at all, also by INFO, … */
    SessionSizes agreed;       /* … or agreed on beforehand */
    GPtrArray *contexts;       /* of SessionNamed: those that are selected … */
    bool contexts_cut;         /* … but for some */
    GHashTable *narrow;        /* names of contexts → SessionNarrow … */
    size_t narrow_bytes;       /* … which are so long together */
    GBytes *contexts_export;   /* the export that the last SET named, NULL if that was not seen */
    GBytes *entered;           /* the export that was entered, the same */
    bool entered_by_go;
    bool structured_before_tls; /* structured replies were negotiated, before TLS began */
    bool tls_required;          /* ERR_TLS_REQD came in plain text … */
    bool tls_forced;            /* … to another option than INFO and GO */
    uint32_t starttls_refused;  /* the error that refused TLS for good, or 0 */
    uint32_t plain_success;     /* an option that was carried out in plain text, or 0 */
    GPtrArray *tls_exports;     /* of GBytes: exports that ERR_TLS_REQD came for in plain text */

    /* transmission */
    GHashTable *in_flight; /* cookie → SessionInFlight */
    unsigned reads;        /* READs in flight */
    unsigned resizes;      /* RESIZEs in flight */
    size_t ranges;         /* of all replies in flight */
    bool disc_sent;
    uint64_t disc_cookie;
    bool disc_followed; /* by other bytes */
    struct {
        uint64_t cookie;
        uint16_t command;
        bool structured;
    } answered[SESSION_REMEMBERED]; /* the latest answered requests, a ring */
    unsigned answered_count;
    bool read_failed;      /* the latest reply reported an error for READ */
    bool first_reply_came; /* something came from the server in transmission */
};

/* ---- decode.c -------------------------------------------------------------------------------- */

/* Takes the header KIND off the stream; NULL while it is not whole. */
SessionMessage *session_take_header(Session *session, Side from, WireKind kind);

/* The message whose header was taken is the stream's partial one: LENGTH bytes of data follow, of which
 * KEEP are kept. */
SessionMessage *session_with_data(SessionStream *stream, SessionMessage *message, uint64_t length,
                                  uint64_t keep);

/* A header whose framing can't be believed: it is judged like any message, and is the last one. */
SessionMessage *session_last_message(SessionStream *stream, SessionMessage *message);

/* Bytes that came and are not decoded. */
const uint8_t *session_peek(const SessionStream *stream);
void session_consume(SessionStream *stream, size_t size);

/* Takes the next header of FROM off its stream, for which it must wait for no data; NULL if more
 * bytes are needed. The message is the stream's partial one until session_continue() returns it. */
SessionMessage *session_decode(Session *session, Side from);

/* Moves what has come of the partial message's data; returns the message once it is whole. */
SessionMessage *session_continue(SessionStream *stream);

/* Bytes that came and are not decoded. */
size_t session_available(const SessionStream *stream);

/* ---- decode_transmission.c ------------------------------------------------------------------- */

SessionMessage *session_decode_reply(Session *session);
SessionMessage *session_decode_request(Session *session);

/* PHASE_TLS: passes over the records that have come; finds what is none. */
void session_pass_records(Session *session, Side from);

/* ---- chunk.c --------------------------------------------------------------------------------- */

/* So many bytes of its payload tell what a chunk of TYPE is about. */
size_t session_chunk_head(uint16_t type);

/* So much of its payload is kept. */
uint64_t session_chunk_keep(uint16_t type);

/* Reads the header of a chunk, and the first bytes of its payload, SIZE of which are there. */
void session_chunk_begin(SessionMessage *message, const uint8_t *payload, size_t size);

/* Reads the rest, once the message is whole. */
void session_chunk_finish(SessionMessage *message);

/* ---- reply.c: requests in flight, and how far their replies have come ------------------------- */

/* With the header of a request; when a request is whole; when a reply or chunk is. */
void session_begin_request(Session *session, const SessionMessage *message);
void session_advance_reply(Session *session, SessionMessage *message);

void session_in_flight_free(SessionInFlight *waiting);
const SessionInFlight *session_waiting(const Session *session, uint64_t cookie);

/* What a chunk belongs to; NULL where that can't be told. */
const SessionPending *session_pending_reply(const Session *session, const SessionMessage *message);

/* The content chunk that came before and has a byte from START to before END, or NULL. */
const SessionRange *session_overlapped(const SessionPending *pending, uint64_t start, uint64_t end);

/* True if the range lies within the request. */
bool session_inside(const SessionRequest *request, uint64_t offset, uint64_t size);

/* The latest answered request with COOKIE: its command, or -1 if there is none (that is remembered); and
 * whether its reply came in chunks. */
int session_was_answered(const Session *session, uint64_t cookie);
bool session_was_answered_in_chunks(const Session *session, uint64_t cookie);

/* ---- context.c: metadata contexts ------------------------------------------------------------- */

void session_note_context(SessionOption *option, const SessionMessage *message);
void session_select_contexts(Session *session, SessionOption *option);

/* OPTION, a LIST or SET, has succeeded: remembers what it named, unless extended headers are negotiated. */
void session_note_narrow(Session *session, const SessionOption *option);
unsigned session_told_narrow(const Session *session, const char *name);

void session_forget_contexts(Session *session);
void session_enter(Session *session, GBytes *export_name);
void session_named_free(SessionNamed *named);
bool session_in_namespace(const char *name, const char *space);

/* ---- facts.c: what a message changes --------------------------------------------------------- */

/* With its header; and when it is whole. Both after it was judged. */
void session_begin(Session *session, const SessionMessage *message);
void session_advance(Session *session, SessionMessage *message);

void session_option_free(SessionOption *option);

/* More is outstanding than anybody's patience bears: whose it is can't be followed any longer. */
void session_give_up(Session *session);

/* The option that is to be answered next, or NULL. */
const SessionOption *session_current_option(const Session *session);

/* The same where MESSAGE is a reply to it and says so, and it has replies at all: EXPORT_NAME has none. NULL where
 * that is wrong, of which a rule for all replies has its say. */
const SessionOption *session_answered_option(const Session *session, const SessionMessage *message);

/* ---- session.c ------------------------------------------------------------------------------- */

/* Notes that BY broke the requirement ID; BY is tainted if that was a MUST or a layout. BYTES
 * (which may be NULL) are the evidence, SIZE the size of all of it. TEXT and BYTES are taken over.
 */
void session_find(Session *session, Side by, const char *id, GBytes *bytes, uint64_t size,
                  char *text);

/* The same for bytes that make no message: BY's next ones, of which some must have come. Nothing is
 * noted where the other side has broken a MUST before. */
void session_find_stray(Session *session, Side by, const char *id, char *text);

/* The same, whatever the other side has broken before. */
void session_find_unexcused(Session *session, Side by, const char *id, char *text);

/* From here on FROM's bytes can't be told apart. */
void session_desynchronise(Session *session, Side from);

/* ---- Rules ----------------------------------------------------------------------------------- */

/* NULL if MESSAGE obeys, else what is wrong, newly allocated. */
typedef char *(*SessionCheck)(const Session *session, const SessionMessage *message);

/* Where a rule holds: everywhere, only where an endpoint stands, or also where the other side has
 * broken a MUST before. */
typedef enum { RULE_ALWAYS, RULE_ENDPOINT, RULE_EVEN_TAINTED } SessionScope;

typedef struct {
    const char *name;        /* for coverage */
    const char *requirement; /* id */
    SessionScope scope;
    SessionCheck broken;
    bool once; /* one finding a connection is enough: what is broken so, is broken often */
} SessionRule;

#define SESSION_RULE(check, id, scope_)                                                            \
    {                                                                                              \
        .name = #check, .requirement = id, .scope = scope_, .broken = check                        \
    }
#define SESSION_RULE_ONCE(check, id, scope_)                                                       \
    {                                                                                              \
        .name = #check, .requirement = id, .scope = scope_, .broken = check, .once = true          \
    }

/* Rules that judge messages of one kind. Those of WIRE_REQUEST and WIRE_CHUNK judge extended ones as
 * well. */
typedef struct {
    WireKind kind;
    bool whole; /* also where the kind is judged with its header: these need all of it */
    const SessionRule *rules;
    size_t count;
} SessionRules;

#define SESSION_RULES(name, kind_, table)                                                          \
    const SessionRules name = {.kind = kind_, .rules = table, .count = G_N_ELEMENTS(table)}
#define SESSION_RULES_WHOLE(name, kind_, table)                                                    \
    const SessionRules name = {                                                                    \
        .kind = kind_, .whole = true, .rules = table, .count = G_N_ELEMENTS(table)}

extern const SessionRules session_greeting_rules, session_greeting_flags_rules;
extern const SessionRules session_export_rules, session_export_flags_rules,
    session_info_flags_rules;
extern const SessionRules session_option_reply_rules, session_size_rules,
    session_reply_string_rules;
extern const SessionRules session_simple_reply_rules, session_chunk_rules;
extern const SessionRules session_client_flags_rules, session_option_rules,
    session_option_string_rules;
extern const SessionRules session_request_rules, session_extended_request_rules;
extern const SessionRules session_simple_error_rules, session_chunk_error_rules;
extern const SessionRules session_chunk_form_rules, session_chunk_content_rules,
    session_chunk_failure_rules, session_chunk_whole_rules, session_chunk_string_rules;
extern const SessionRules session_status_rules, session_status_whole_rules, session_wide_rules;
extern const SessionRules session_context_reply_rules, session_context_option_rules;
extern const SessionRules session_tls_reply_rules, session_tls_option_rules;
extern const SessionRules session_extended_reply_rules, session_extended_option_rules;

/* rules_chunk.c: the type of a chunk; whether that is one of content; and whether one of its kind can answer the
 * request. */
bool session_chunk_is(const SessionMessage *message, uint16_t type);
bool session_chunk_is_content(const SessionMessage *message);
bool session_chunk_fits(const SessionMessage *message);

/* rules.c: what the message breaks; before it changes anything. A request and a reply to it are
 * judged with their header, everything else when it is whole. */
bool session_judged_by_header(WireKind kind);
void session_judge(Session *session, const SessionMessage *message, bool whole);

/* rules_option.c, rules_request.c: the option or request gives the server the right to hang up, by its header
 * alone, even where no rule blames the client (yet). */
bool session_option_forfeits(const Session *session, const SessionMessage *message);
bool session_request_forfeits(const Session *session, const SessionMessage *message);

#endif
