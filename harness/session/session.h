/* What one connection has agreed so far, and the rules that every message must obey.
 *
 * Sans-I/O: whoever moves the bytes feeds them here, each side's as they come, and takes out whole
 * messages and findings. The session decodes by what was agreed (whether a simple reply has a
 * payload follows from the request in flight), so it is the only decoder of the harness.
 *
 * Three conditions keep it just (fair verdicts):
 *   tainted         a side has broken a MUST: from then on the other may hang up (proto.md:243,
 *                   447), and is not judged any more
 *   desynchronised  the framing is unknowable: nothing more is decoded or judged on that side
 *   vantage         a relay or capture sees another order of messages than the endpoints do: rules
 *                   that depend on order across directions are for endpoints only
 */
#ifndef NBDCONFORM_SESSION_H
#define NBDCONFORM_SESSION_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "requirement/requirement.h"
#include "wire/wire.h"

typedef enum { SIDE_CLIENT, SIDE_SERVER } Side;
typedef enum { VANTAGE_ENDPOINT, VANTAGE_RELAY } Vantage;

/* ---- Phases ---------------------------------------------------------------------------------- */

typedef enum {
    PHASE_GREETING,     /* the server speaks first */
    PHASE_CLIENT_FLAGS, /* newstyle: the client's flags are due */
    PHASE_HAGGLING,     /* an option may come */
    PHASE_REPLYING,     /* an option's replies are due */
    PHASE_EXPORT,       /* after NBD_OPT_EXPORT_NAME */
    PHASE_ABORTED,      /* NBD_OPT_ABORT was acknowledged */
    PHASE_TLS,          /* STARTTLS was acknowledged: both sides' bytes are TLS's, until
                         * session_start_tls() */
    PHASE_TRANSMISSION,
    PHASE_DISCONNECTING, /* after NBD_CMD_DISC */
    PHASE_ENDED,
    PHASE_COUNT
} SessionPhase;

const char *session_phase_name(SessionPhase phase);

/* ---- Facts ----------------------------------------------------------------------------------- */

typedef enum { STYLE_UNKNOWN, STYLE_OLDSTYLE, STYLE_NEWSTYLE, STYLE_FIXED_NEWSTYLE } SessionStyle;

typedef enum {
    SESSION_TLS_NONE,
    SESSION_TLS_ACKNOWLEDGED, /* STARTTLS was: from there on TLS's records are due */
    SESSION_TLS_RUNNING,      /* what is fed now has come through TLS */
} SessionTls;

typedef struct {
    SessionStyle style;
    uint16_t handshake_flags;
    bool has_client_flags;
    uint32_t client_flags;
    bool no_zeroes; /* both sides want it */
    SessionTls tls;
    bool structured; /* structured replies were negotiated, or extended headers, which imply them */
    bool extended;   /* extended headers were negotiated */
    unsigned contexts;   /* metadata contexts that the last SET_META_CONTEXT has selected … */
    bool contexts_apply; /* … and it named the export that was entered */
    bool has_export;     /* size and flags below are known */
    uint64_t size;       /* follows a RESIZE that succeeds */
    uint16_t transmission_flags;
    bool block_size_asked; /* the last INFO or GO asked for NBD_INFO_BLOCK_SIZE */
    bool block_size_given; /* … and the constraints below came */
    bool committed;        /* a GO that asked for them was acknowledged: we must abide by them */
    uint32_t minimum, preferred, maximum; /* advertised, else agreed, else 1, 4096, 2^25 */
    unsigned options_sent, requests_sent;
    unsigned in_flight;        /* requests without a (final) reply … */
    unsigned writes_in_flight; /* … and those of them that could change the export */
} SessionFacts;

/* Size constraints of an export, in bytes. */
typedef struct {
    uint32_t minimum, preferred, maximum;
} SessionSizes;

/* ---- Messages -------------------------------------------------------------------------------- */

/* A request that awaits its reply. */
typedef struct {
    uint64_t cookie;
    uint64_t offset;
    uint64_t length; /* of its effect; of its payload where PAYLOAD_LEN is set */
    uint16_t flags;
    uint16_t command;
} SessionRequest;

/* What a chunk of a structured or extended reply says, as far as its type is known and its length leaves
 * room for it. All but FAILURE and EXTENTS is there with the header already. */
typedef struct {
    uint16_t flags, type;
    bool done;
    bool is_error; /* by bit 15 of its type */
    uint64_t cookie;
    uint64_t length; /* of its payload, as announced */
    bool
        has_content; /* OFFSET_DATA, OFFSET_HOLE: SIZE bytes of the export from OFFSET on; data stand at
                       * byte 8 of the message's data */
    uint64_t offset, size;
    bool has_error; /* ERROR, also of an unknown kind */
    uint32_t error;
    uint32_t text_length; /* of its text, as announced; the text stands at byte 6 of the data */
    bool has_failure;     /* ERROR_OFFSET: where it failed */
    uint64_t failure;
    bool has_context; /* BLOCK_STATUS, BLOCK_STATUS_EXT */
    uint32_t context;
    size_t extents; /* session_message_extent() gives each; 0 where too many came to keep them */
} SessionChunk;

/* The reply to one request: so far, or as it has ended. */
typedef struct {
    bool structured;         /* it came in chunks */
    unsigned content_chunks; /* data and holes, */
    unsigned status_chunks;  /* status, */
    unsigned error_chunks;   /* and errors so far */
    uint32_t error;          /* the first of them, or a simple reply's; 0 for none */
    uint64_t covered; /* bytes of the request that content chunks describe, each counted once … */
    bool uncertain;   /* … as far as that could be told: several requests had the cookie, or the
                              * chunks were too scattered or too wrong to follow */
} SessionReply;

typedef struct {
    Side from;
    WireKind kind;                   /* the layout of the header: WIRE_GREETING, WIRE_OPTION, … */
    SessionPhase phase;              /* before this message */
    uint64_t value[WIRE_MAX_FIELDS]; /* of the header */
    WireKind inner; /* layout of the data's head (WIRE_INFO_EXPORT …); WIRE_KINDS: none */
    uint64_t inner_value[WIRE_MAX_FIELDS];
    GByteArray *data;     /* behind the header: an option's data, a payload; cut at a bound */
    uint64_t data_length; /* what there was on the wire */
    GByteArray
        *content; /* of a READ answered in chunks, if whoever took the message put it together */
    bool answers; /* a transmission reply: REQUEST holds what it answers, … */
    SessionRequest request;
    bool ends;          /* … nothing more is due to that request, … */
    SessionReply reply; /* … and this is its reply, this message included */
    SessionChunk chunk; /* of a chunk, with a header of either form */
    uint64_t position;  /* of its first byte in this side's stream */
    bool hello; /* a greeting: the header was WIRE_GREETING, INNER is OLDSTYLE or NEWSTYLE */
} SessionMessage;
void session_message_free(SessionMessage *message);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SessionMessage, session_message_free)

/* True for the reply that ends the answer to an option: ACK, or any error. */
bool session_message_is_final(const SessionMessage *message);

/* True for a request, in either form of header. */
bool session_message_is_request(const SessionMessage *message);

/* True for a chunk of a reply to a request, in either form of header: CHUNK holds what it says. */
bool session_message_is_chunk(const SessionMessage *message);

/* True for a message that ends the reply to the request in message->request: a simple reply, or the chunk
 * with DONE. message->reply sums the reply up. */
bool session_message_ends_reply(const SessionMessage *message);

/* Extent INDEX (below chunk.extents) of a status chunk. The first begins at the request's offset. */
typedef struct {
    uint64_t length;
    uint64_t status;
} SessionExtent;
SessionExtent session_message_extent(const SessionMessage *message, size_t index);

/* The message in the notation, without its actor: "reply GO INFO EXPORT size=65536
 * flags=HAS_FLAGS". The caller frees it. */
char *session_message_describe(const SessionMessage *message);

/* The bytes of the message on the wire, at most LIMIT of them. */
GBytes *session_message_bytes(const SessionMessage *message, size_t limit);

/* So much of an offending message is kept as evidence. */
#define SESSION_EVIDENCE 256u

/* ---- Findings -------------------------------------------------------------------------------- */

/* A rule was broken. */
typedef struct {
    const Requirement *requirement;
    Side by;
    char *message; /* what is wrong, one line */
    GBytes *bytes; /* head of the offending message */
    uint64_t size;
} SessionFinding;
void session_finding_free(SessionFinding *finding);

/* ---- Sessions -------------------------------------------------------------------------------- */

typedef struct Session Session;

Session *session_new(Vantage vantage);

/* Size constraints that client and server have agreed on otherwise than in the session (proto.md, Size
 * constraints). They hold until the server advertises others. To be called before anything is fed. */
void session_agree(Session *session, const SessionSizes *sizes);
void session_free(Session *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Session, session_free)

/* Takes SIZE bytes that FROM has sent. */
void session_feed(Session *session, Side from, const void *bytes, size_t size);

/* FROM has ended its stream. */
void session_close(Session *session, Side from);

/* The next whole message in the order in which they became whole; NULL if there is none (yet).
 * The caller owns it. */
SessionMessage *session_next(Session *session);

/* The next finding, in order; NULL if there is none. The caller owns it. */
SessionFinding *session_next_finding(Session *session);

/* The TLS handshake that PHASE_TLS waits for has succeeded: from here on what is fed has come through TLS.
 * What was agreed in plain text has been forgotten at the ACK already. TLS's own records may be fed until
 * here, to be judged for being none, or be kept from the session. */
void session_start_tls(Session *session);

/* Our side says that it breaks a MUST in a way that no rule would see. */
void session_taint(Session *session, Side by);

bool session_tainted(const Session *session, Side by);
bool session_desynchronised(const Session *session, Side from);
SessionPhase session_phase(const Session *session);
const SessionFacts *session_facts(const Session *session);

/* One of the metadata contexts that are selected. NAME is as it came, with NULs replaced. */
typedef struct {
    uint32_t id;
    const char *name;
} SessionContext;

/* Context INDEX, below session_facts(session)->contexts. */
SessionContext session_context(const Session *session, size_t index);

/* The context with that ID; false if none is selected. */
bool session_find_context(const Session *session, uint32_t id, SessionContext *context);

/* How far the reply to the request in flight with COOKIE has come; NULL if there is none. */
const SessionReply *session_reply(const Session *session, uint64_t cookie);

/* Bytes that FROM sent and that make no whole message yet. */
size_t session_pending(const Session *session, Side from);

/* True if FROM has begun a message and not ended it: it owes the rest. Bytes that only wait for a word of
 * the other side, which decides what they are, are none: that side owes the word. */
bool session_cut(const Session *session, Side from);

/* True while size and flags of the answer to EXPORT_NAME have come, and the zeroes that are due behind them
 * have not. */
bool session_lacks_zeroes(const Session *session);

/* True for a command that could change the export, or whose meaning is not known. */
bool session_command_writes(uint64_t command);

/* All rules, for coverage: how many there are, how often each judged a message, and how
 * often it found a breach. */
size_t session_rule_count(void);
const char *session_rule_name(size_t rule);
const char *session_rule_requirement(size_t rule); /* the id of the one that it checks */
uint64_t session_rule_uses(const Session *session, size_t rule);
uint64_t session_rule_breaches(const Session *session, size_t rule);

#endif
