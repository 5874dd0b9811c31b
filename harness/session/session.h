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
    PHASE_TRANSMISSION,
    PHASE_DISCONNECTING, /* after NBD_CMD_DISC */
    PHASE_ENDED,
    PHASE_COUNT
} SessionPhase;

const char *session_phase_name(SessionPhase phase);

/* ---- Facts ----------------------------------------------------------------------------------- */

typedef enum { STYLE_UNKNOWN, STYLE_OLDSTYLE, STYLE_NEWSTYLE, STYLE_FIXED_NEWSTYLE } SessionStyle;

typedef struct {
    SessionStyle style;
    uint16_t handshake_flags;
    bool has_client_flags;
    uint32_t client_flags;
    bool no_zeroes;  /* both sides want it */
    bool tls;        /* STARTTLS was acknowledged: from there on its records are due */
    bool structured; /* structured replies were negotiated */
    bool has_export; /* size and flags below are known */
    uint64_t size;
    uint16_t transmission_flags;
    bool block_size_asked; /* the last INFO or GO asked for NBD_INFO_BLOCK_SIZE */
    bool block_size_given; /* … and the constraints below came */
    bool committed;        /* a GO that asked for them was acknowledged: we must abide by them */
    uint32_t minimum, preferred, maximum; /* advertised, else the defaults 1, 4096, 2^25 */
    unsigned options_sent, requests_sent;
    unsigned in_flight;        /* requests without a (final) reply … */
    unsigned writes_in_flight; /* … and those of them that could change the export */
} SessionFacts;

/* ---- Messages -------------------------------------------------------------------------------- */

/* A request that awaits its reply. */
typedef struct {
    uint64_t cookie;
    uint64_t offset;
    uint32_t length;
    uint16_t flags;
    uint16_t command;
} SessionRequest;

typedef struct {
    Side from;
    WireKind kind;                   /* the layout of the header: WIRE_GREETING, WIRE_OPTION, … */
    SessionPhase phase;              /* before this message */
    uint64_t value[WIRE_MAX_FIELDS]; /* of the header */
    WireKind inner; /* layout of the data's head (WIRE_INFO_EXPORT …); WIRE_KINDS: none */
    uint64_t inner_value[WIRE_MAX_FIELDS];
    GByteArray *data;     /* behind the header: an option's data, a payload; cut at a bound */
    uint64_t data_length; /* what there was on the wire */
    bool answers;         /* a transmission reply: REQUEST holds what it answers */
    SessionRequest request;
    uint64_t position; /* of its first byte in this side's stream */
    bool hello;        /* a greeting: the header was WIRE_GREETING, INNER is OLDSTYLE or NEWSTYLE */
} SessionMessage;
void session_message_free(SessionMessage *message);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SessionMessage, session_message_free)

/* True for the reply that ends the answer to an option: ACK, or any error. */
bool session_message_is_final(const SessionMessage *message);

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

/* Our side says that it breaks a MUST in a way that no rule would see. */
void session_taint(Session *session, Side by);

bool session_tainted(const Session *session, Side by);
bool session_desynchronised(const Session *session, Side from);
SessionPhase session_phase(const Session *session);
const SessionFacts *session_facts(const Session *session);

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
