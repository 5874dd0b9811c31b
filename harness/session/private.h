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

typedef struct {
    GByteArray *buffer;      /* came, and not yet decoded */
    size_t start;            /* decoded part of the buffer */
    uint64_t position;       /* in the stream, of buffer[start] */
    SessionMessage *partial; /* its header is decoded, its data still comes */
    uint64_t remaining;      /* bytes of that data still to come */
    uint64_t keep;           /* how much of that data is kept */
    bool last;               /* the framing ends with the partial message */
    bool closed;
    bool desynchronised;
    bool tainted;
} SessionStream;

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
    bool infos_cut;    /* … but for some that were too many or too long to keep */
    unsigned contexts; /* META_CONTEXT replies so far */
} SessionOption;

/* The requests in flight that share a cookie (normally one), oldest first. */
typedef struct {
    uint64_t cookie;
    GQueue requests; /* of SessionRequest */
    bool ambiguous;  /* they differ, so that nobody can tell which of them a reply answers */
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
    uint32_t minimum, maximum; /* the latest that were advertised at all, also by INFO */
    bool contexts_selected;
    bool extended; /* extended headers: a framing that is not ours */
    bool entered_by_go;

    /* transmission */
    GHashTable *in_flight; /* cookie → SessionInFlight */
    unsigned reads;        /* READs in flight */
    bool disc_sent;
    uint64_t disc_cookie;
    bool disc_followed; /* by other bytes */
    struct {
        uint64_t cookie;
        uint16_t command;
    } answered[SESSION_REMEMBERED]; /* the latest answered requests, a ring */
    unsigned answered_count;
    bool read_failed;      /* the latest reply reported an error for READ */
    bool first_reply_came; /* something came from the server in transmission */
};

/* ---- decode.c -------------------------------------------------------------------------------- */

/* Takes the next header of FROM off its stream, for which it must wait for no data; NULL if more
 * bytes are needed. The message is the stream's partial one until session_continue() returns it. */
SessionMessage *session_decode(Session *session, Side from);

/* Moves what has come of the partial message's data; returns the message once it is whole. */
SessionMessage *session_continue(SessionStream *stream);

/* Bytes that came and are not decoded. */
size_t session_available(const SessionStream *stream);

/* ---- facts.c: what a message changes --------------------------------------------------------- */

/* With its header; and when it is whole. Both after it was judged. */
void session_begin(Session *session, const SessionMessage *message);
void session_advance(Session *session, const SessionMessage *message);

void session_option_free(SessionOption *option);
void session_in_flight_free(SessionInFlight *waiting);

/* The option that is to be answered next, or NULL. */
const SessionOption *session_current_option(const Session *session);

const SessionInFlight *session_waiting(const Session *session, uint64_t cookie);

/* The command of the latest answered request with COOKIE, or -1 if there is none (that is
 * remembered). */
int session_was_answered(const Session *session, uint64_t cookie);

/* ---- session.c ------------------------------------------------------------------------------- */

/* Notes that BY broke the requirement ID; BY is tainted if that was a MUST or a layout. BYTES
 * (which may be NULL) are the evidence, SIZE the size of all of it. TEXT and BYTES are taken over.
 */
void session_find(Session *session, Side by, const char *id, GBytes *bytes, uint64_t size,
                  char *text);

/* The same for bytes that make no message: BY's next ones, of which some must have come. Nothing is
 * noted where the other side has broken a MUST before. */
void session_find_stray(Session *session, Side by, const char *id, char *text);

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
} SessionRule;

#define SESSION_RULE(check, id, scope_)                                                            \
    {                                                                                              \
        .name = #check, .requirement = id, .scope = scope_, .broken = check                        \
    }

/* Rules that judge messages of one kind. */
typedef struct {
    WireKind kind;
    const SessionRule *rules;
    size_t count;
} SessionRules;

#define SESSION_RULES(name, kind_, table)                                                          \
    const SessionRules name = {.kind = kind_, .rules = table, .count = G_N_ELEMENTS(table)}

extern const SessionRules session_greeting_rules, session_greeting_flags_rules;
extern const SessionRules session_export_rules, session_export_flags_rules,
    session_info_flags_rules;
extern const SessionRules session_option_reply_rules, session_size_rules,
    session_reply_string_rules;
extern const SessionRules session_simple_reply_rules, session_chunk_rules;
extern const SessionRules session_client_flags_rules, session_option_rules,
    session_option_string_rules;
extern const SessionRules session_request_rules;

/* rules.c: what the message breaks; before it changes anything. A request and a reply to it are
 * judged with their header, everything else when it is whole. */
bool session_judged_by_header(WireKind kind);
void session_judge(Session *session, const SessionMessage *message);

/* rules_client.c: the option or request gives the server the right to hang up, by its header alone,
 * even where no rule blames the client (yet). */
bool session_forfeits(const Session *session, const SessionMessage *message);

#endif
