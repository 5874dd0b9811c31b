/* Quirks: how a named deviation is written down, and where it takes effect.
 *
 * A quirk is data: at some point of the conversation, if some fields have some values, do
 * something else. The points lie where messages enter and leave (message*.c); the protocol itself
 * knows of none.
 */
#ifndef NBDCONFORM_REFERENCE_QUIRK_H
#define NBDCONFORM_REFERENCE_QUIRK_H

#include "reference/reference.h"

typedef enum {
    AT_NOWHERE,
    AT_GREETING,      /* before the greeting is sent */
    AT_PARTIAL,       /* when a part of a message has come, and not the rest */
    AT_CLIENT_FLAGS,  /* when they have come */
    AT_OPTION_HEADER, /* when an option's header has come */
    AT_OPTION,        /* when its data have, too */
    AT_FACTS,         /* when an export has been looked up */
    AT_OPTION_REPLY,  /* before a reply to an option is sent */
    AT_EXPORT,        /* before the answer to NBD_OPT_EXPORT_NAME is sent */
    AT_REQUEST,       /* when a request's header has come */
    AT_REPLY,         /* before a simple reply is sent */
    AT_CHUNK,         /* before a chunk of a structured or extended reply is sent */
    AT_STATUS,        /* before the extents of a context are put into a chunk */
    AT_LEAVE,         /* when the client has closed, or TLS has failed */
    AT_TLS,           /* before TLS begins, behind NBD_REP_ACK */
    AT_TLS_END,       /* before TLS's end is sent: close_notify */
    AT_SIGNAL,        /* when the process gets one */
} QuirkPoint;

/* The fields of the messages at these points; which of them are there depends on the point. */
typedef enum {
    F_NONE,
    F_SEEN,   /* how often the rule's other conditions have been met on this connection, from 1 */
    F_NOTED,  /* what DO_NOTE has last noted on this connection */
    F_PASSWD, /* greeting */
    F_MAGIC,  /* greeting, option, replies, request */
    F_FLAGS,  /* handshake, client, transmission or command flags */
    F_OPTION, /* header, option, facts, option reply */
    F_LENGTH, /* of data: option, option reply, request */
    F_NAME_LENGTH, /* as NBD_OPT_INFO, GO, EXPORT_NAME, and an option reply SERVER, claim it */
    F_NAME_ODD,    /* … how many bytes of it are no printable ASCII, or are '%' or '/' */
    F_REQUESTS, /* how many information requests NBD_OPT_INFO and GO claim, and how many queries there
                   are for metadata contexts */
    F_HIGHEST, /* the highest of those requests */
    F_QUERY,   /* option: the length of the first query */
    F_LEFT,    /* option: whether its client is known to have closed */
    F_KNOWN,   /* facts: whether there is such an export */
    F_SIZE,    /* facts, export, oldstyle greeting */
    F_MINIMUM, /* facts */
    F_PREFERRED,
    F_MAXIMUM,
    F_CONSTRAINED, /* facts: whether NBD_INFO_BLOCK_SIZE is to be had */
    F_LENIENT,     /* facts: whether constraints are not insisted on */
    F_REQUIRE,     /* facts: whether clients must ask for the constraints */
    F_TYPE,        /* option reply, chunk */
    F_INFO,        /* option reply of type INFO: the information type; else a value of no type */
    F_ZEROES,      /* export, oldstyle greeting: how many follow */
    F_COMMAND,     /* request, reply, chunk */
    F_COOKIE,
    F_OFFSET,
    F_END,     /* offset + length, or 2^64-1 */
    F_ERROR,   /* reply, error chunk */
    F_PAYLOAD, /* reply, chunk: bytes of data that follow */
    F_CHUNK_FLAGS,
    F_CHUNK_OFFSET, /* chunk with content or ERROR_OFFSET: of what */
    F_HOLE,         /* chunk OFFSET_HOLE: its length */
    F_ID,           /* option reply META_CONTEXT, status: the context's */
    F_EXTENT,       /* status: the length of the first extent */
    F_STATE,        /* … and its flags */
    F_CONTEXTS,     /* request: how many contexts are selected */
    F_CHUNK_NUMBER, /* chunk: which of its reply, from 1 */
    F_PHASE,        /* leave: 1 in the handshake, 2 in transmission */
    F_WAITING,      /* request, reply: bytes that have come behind the request */
    F_SIGNAL,       /* signal: its number */
    F_CONNECTIONS,  /* signal: how many there are; greeting: how many there have been */
    F_TLS,          /* at all points: one of TLS_… */
    F_BARE,         /* option: whether it is refused for want of TLS */
    F_TLS_ONLY,     /* facts: whether the export is, to this client */
    F_KEEP,         /* option: what of earlier ones has effect behind it; TLS: inside; facts: for
                       this export, too; KEEP_… */
    F_VERSIONS,     /* TLS: which are to be had, one of VERSIONS_… */
    F_HUSHED,       /* TLS: no alert is sent */
    F_HANGS_UP,     /* TLS's end: the client has not asked for it */
    F_ALERT,        /* … by a fatal alert in place of close_notify */
    F_BACKWARDS,    /* option, request: contexts are told of in reverse order */
    F_WIDE,         /* option: contexts of 64 bits are told of also without extended headers */
    F_COUNT
} QuirkField;

#define NO_INFO UINT64_C(0x10000) /* F_INFO of a reply that is no information */

enum {
    TLS_NONE,
    TLS_HANDSHAKE, /* under way, or broken off */
    TLS_GARBLED,   /* what came instead is none */
    TLS_REFUSED,   /* for want of the client's credentials */
    TLS_INSIDE,
    TLS_CUT, /* ended without close_notify */
};
enum { KEEP_REPLIES = 1, KEEP_CONTEXTS = 2, KEEP_INPUT = 4, KEEP_PLAIN = 8 };
enum { VERSIONS_CONFIGURED, VERSIONS_NO_1_3, VERSIONS_NO_1_2, VERSIONS_OLD, VERSIONS_COUNT };

/* SAME and BEYOND compare with the field that the value names. */
typedef enum { ANY, IS, NOT, OVER, UNDER, HAS, LACKS, UNALIGNED, SAME, BEYOND } QuirkTest;

typedef struct {
    QuirkField field; /* F_NONE ends the list */
    QuirkTest test;
    uint64_t value;
} QuirkIf;

typedef enum {
    DO_SET,       /* field = value */
    DO_COPY,      /* field = the field that VALUE names */
    DO_ADD,       /* field += value */
    DO_RAISE,     /* field |= value */
    DO_CLEAR,     /* field &= ~value */
    DO_NOTE,      /* the field is noted, for F_NOTED */
    DO_SWAP,      /* the bytes of the field, VALUE many, in the other order */
    DO_ROUND,     /* field down to a multiple of value */
    DO_APPEND,    /* VALUE bytes behind the data, and counted; an extent behind the others */
    DO_TERMINATE, /* VALUE zero bytes behind the data, and counted */
    DO_CUT,       /* the data to VALUE bytes, and counted; the extents to VALUE */
    DO_PUT,       /* byte number VALUE % 256 of the data becomes VALUE / 256 */
    DO_GARBLE,    /* byte number VALUE of the data (or zeroes) becomes another; of a read's, all */
    DO_TWICE,     /* the message is sent twice */
    DO_SPLIT,     /* header and data are sent apart; the first extent is told in two */
    DO_DROP,      /* the message is not sent, the option not answered, the signal not heeded */
    DO_REFUSE,    /* the option is answered with reply type VALUE, the request with error VALUE */
    DO_INSERT,    /* an option reply or chunk of type VALUE goes ahead of this one */
    DO_FOLLOW,    /* a chunk of type VALUE % 65536 goes behind this one, about what is VALUE / 65536
                     bytes behind that; up to two */
    DO_SIMPLE,    /* a simple reply is sent in place of the chunk */
    DO_GO_ON,     /* this last chunk of a read is not marked as such: an empty one follows it */
    DO_POSTPONE,  /* the next reply goes ahead of this one, which has no data */
    DO_CLOSE,     /* hang up in place of it; at a signal: on all clients that there are */
    DO_CLOSE_AFTER, /* hang up behind it */
    DO_HANG,        /* nothing is ever answered again */
    DO_HANG_AFTER,
    DO_BLOCK, /* nobody is served by this thread until the client leaves */
    DO_DIE,   /* the server is gone, with all connections */
    DO_NAGLE, /* Nagle's algorithm is left on */
    DO_HOARD, /* writes stay with the connection, until it ends; sharing them is left to the command
                 flag or command VALUE, one of HOARD_… */
} QuirkAction;

enum { HOARD_UNTIL_FUA, HOARD_UNTIL_FLUSH };

typedef struct {
    QuirkPoint point;
    QuirkIf where[4];
    QuirkAction action;
    QuirkField field;
    uint64_t value;
} QuirkRule;

/* The rules of the quirks that a server was given. */
typedef struct {
    GPtrArray *rules; /* of const QuirkRule; NULL: none */
} QuirkSet;

bool quirk_set_init(QuirkSet *set, const char *const *names, GError **error);
void quirk_set_clear(QuirkSet *set);

/* What rules remember of one connection. */
typedef struct {
    uint64_t noted;
    uint8_t late[16]; /* a simple reply of which others go ahead */
    bool is_late;     /* there is one … */
    bool passed;      /* … and the request behind its own has come */
    uint32_t seen[];  /* how often each rule has matched */
} QuirkMemory;

/* NULL if there are no rules; g_free(). */
QuirkMemory *quirk_memory_new(const QuirkSet *set);

/* A message on its way, as rules see and change it. */
typedef struct {
    uint64_t field[F_COUNT];
    QuirkAction fate; /* one of DO_DROP, DO_REFUSE and what follows; DO_SET: none */
    uint64_t fate_value;
    uint64_t append, terminate, cut; /* 0, 0, UINT64_MAX: leave the data alone */
    uint64_t garble, put;            /* UINT64_MAX: no byte */
    uint64_t insert;                 /* 0: nothing */
    uint64_t follow[2];
    unsigned follows;
    uint64_t hoard; /* UINT64_MAX: nothing */
    bool twice, split, nagle, go_on, postpone;
} QuirkEvent;

#define QUIRK_EVENT(...)                                                                           \
    {                                                                                              \
        .field = {__VA_ARGS__}, .cut = UINT64_MAX, .garble = UINT64_MAX, .put = UINT64_MAX,        \
        .hoard = UINT64_MAX                                                                        \
    }

/* What DO_APPEND, DO_TERMINATE, DO_CUT, DO_PUT and DO_GARBLE make of DATA. */
void quirk_change_data(const QuirkEvent *event, GByteArray *data);

/* Applies all rules for POINT, in order, to EVENT. */
void quirk_apply(const QuirkSet *set, QuirkMemory *memory, QuirkPoint point, QuirkEvent *event);

#endif
