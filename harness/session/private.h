/* What the files of session/ share. */
#ifndef NBDCONFORM_SESSION_PRIVATE_H
#define NBDCONFORM_SESSION_PRIVATE_H

#include "session/session.h"

/* Of data that may legally be long we keep this much; the rest is counted and dropped. */
#define SESSION_KEEP_OPTION_DATA (64u << 10)
#define SESSION_KEEP_PAYLOAD (64u << 20)

/* How much of a message a finding shows. */
#define SESSION_EVIDENCE 256u

/* So many answered cookies are remembered, to tell a second answer from a stray one. */
#define SESSION_REMEMBERED 64u

typedef struct {
    GByteArray *buffer;      /* came, and not yet decoded */
    size_t start;            /* decoded part of the buffer */
    uint64_t position;       /* in the stream, of buffer[start] */
    SessionMessage *partial; /* its header is decoded, its data still comes */
    uint64_t remaining;      /* bytes of that data still to come */
    uint64_t keep;           /* how much of that data is kept */
    bool closed;
    bool desynchronised;
    bool tainted;
} SessionStream;

/* An option that the client has sent and the server has not finally answered. */
typedef struct {
    uint32_t option;
    GByteArray *data;
    bool info_parsed; /* INFO and GO: its data could be read, as REQUEST */
    WireInfoRequest request;
    bool export_seen;        /* NBD_INFO_EXPORT came */
    bool block_size_seen;
    uint64_t size;           /* … with these contents, taken over at the ACK */
    uint16_t flags;
    uint32_t minimum, preferred, maximum;
    GPtrArray *infos;        /* of GBytes: the INFO replies so far */
    unsigned replies;
} SessionOption;

struct Session {
    Vantage vantage;
    SessionPhase phase;
    SessionFacts facts;
    SessionStream stream[2];
    GQueue messages; /* of SessionMessage */
    GQueue findings; /* of SessionFinding */
    GQueue options;  /* of SessionOption, oldest first */
    SessionOption *last_info; /* a successful INFO with nothing between it and now */
    GHashTable *in_flight;    /* cookie → GQueue of SessionRequest */
    bool disc_sent;
    uint64_t disc_cookie;
    uint64_t answered[SESSION_REMEMBERED]; /* cookies of the latest answered requests, a ring */
    unsigned answered_count;
    bool read_failed;         /* the latest reply reported an error for READ */
    bool first_reply_came;    /* something came from the server in transmission */
    bool entered_by_go;
    bool early_answer;        /* the request whose data still comes has its reply already */
    uint64_t *uses; /* by rule */
};

/* decode.c: takes the next whole message of FROM off the stream, or NULL if more bytes are needed. */
SessionMessage *session_decode(Session *session, Side from);

/* facts.c: what the message changes; after it was judged. */
void session_advance(Session *session, SessionMessage *message);
void session_option_free(SessionOption *option);

/* rules.c: what the message breaks; before it changes anything. */
void session_judge(Session *session, const SessionMessage *message);

/* Notes that BY broke the requirement ID; BY is tainted if that was a MUST or a layout. MESSAGE may be NULL,
 * and TEXT is taken over. */
void session_find(Session *session, Side by, const char *id, const SessionMessage *message, char *text);

/* From here on FROM's bytes can't be told apart. */
void session_desynchronise(Session *session, Side from);

SessionOption *session_current_option(Session *session);

/* True if COOKIE was answered lately. */
bool session_was_answered(const Session *session, uint64_t cookie);

/* The request whose payload is still on its way, or NULL. */
const SessionMessage *session_unfinished_request(const Session *session);

/* The oldest request in flight with COOKIE, or NULL. */
const SessionRequest *session_request(const Session *session, uint64_t cookie);

/* ---- Rules ------------------------------------------------------------------------------------ */

/* NULL if MESSAGE obeys, else what is wrong, newly allocated. */
typedef char *(*SessionCheck)(const Session *session, const SessionMessage *message);

typedef struct {
    const char *name;        /* for coverage */
    const char *requirement; /* id */
    Side by;                 /* whose messages it judges */
    WireKind kind;           /* of the messages it judges */
    bool endpoint;           /* holds only where an endpoint stands */
    SessionCheck broken;
} SessionRule;

extern const SessionRule session_handshake_rules[];
extern const size_t session_handshake_rule_count;
extern const SessionRule session_transmission_rules[];
extern const size_t session_transmission_rule_count;
extern const SessionRule session_client_rules[];
extern const size_t session_client_rule_count;

#endif
