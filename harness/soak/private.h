/* What the files of soak/ that make cycles share. */
#ifndef NBDCONFORM_SOAK_PRIVATE_H
#define NBDCONFORM_SOAK_PRIVATE_H

#include "soak/point.h"

/* What leads to a phase, one after another. */
typedef enum {
    STEP_NONE,
    /* the greeting: until it can be read; read */
    STEP_GREETED,
    STEP_GREETING,
    /* said: the handshake. STEP_OPTION is the option that enters transmission. */
    STEP_FLAGS_CUT,
    STEP_FLAGS,
    STEP_OPTION_HEADER_CUT,
    STEP_OPTION_DATA_CUT,
    STEP_OPTION,
    STEP_NAME,
    STEP_LIST,
    STEP_UNKNOWN_OPTION,
    STEP_INFO,
    STEP_STRANGE_GO,
    STEP_STRANGE_NAME,
    STEP_ABORT,
    STEP_STRUCTURED, /* with its answer */
    STEP_STARTTLS_CUT,
    STEP_STARTTLS,
    STEP_NO_HELLO, /* what is no TLS, in its place */
    /* heard: the handshake */
    STEP_REPLIES,
    STEP_ACK,
    STEP_ANSWERED, /* there is something to read, or the server has hung up */
    STEP_EXPORT,
    /* said: TLS. What we say first; all but the end of what we say last. */
    STEP_HELLO_CUT,
    STEP_HELLO,
    STEP_FINISH_CUT,
    /* all of TLS's handshake, from NBD_OPT_STARTTLS on */
    STEP_SECURE,
    /* only half of the bytes that the records take which were to be said */
    STEP_RECORDS_CUT,
    /* STEP_OPTION and its answer */
    STEP_ENTER,
    /* said: requests */
    STEP_REQUEST_CUT,
    STEP_WRITE_CUT,
    STEP_READ,
    STEP_READS,
    STEP_LONG_READ,
    STEP_READ_BEYOND,
    STEP_WRITE,
    STEP_WRITES,
    STEP_FLUSH,
    STEP_TRIM,
    STEP_WRITE_ZEROES,
    STEP_CACHE,
    STEP_DISC,
    /* heard: replies */
    STEP_REPLY,
    STEP_PART_OF_REPLY,
    STEP_CHUNK,
    STEP_PART_OF_CHUNK,
} SoakStep;

#define SOAK_MAX_STEPS 8

/* Sets of SessionStyle. */
#define NO_STYLE 0u
#define OLD_STYLE (1u << STYLE_OLDSTYLE)
#define FIXED_STYLE (1u << STYLE_FIXED_NEWSTYLE)
#define NEW_STYLES (FIXED_STYLE | 1u << STYLE_NEWSTYLE)
#define ANY_STYLE (OLD_STYLE | NEW_STYLES)

/* The rest of a row of phases.def. */
typedef struct {
    unsigned styles, soft_styles;
    uint16_t flag;
    bool reads, tls, chunks;
    SoakStep steps[SOAK_MAX_STEPS]; /* ended by STEP_NONE */
} SoakPhaseDetail;
const SoakPhaseDetail *soak_phase_detail(const SoakPhase *phase);

/* With TLS, whatever follows the client flags is said inside of it: what stands here behind STEP_FLAGS, then. Or
 * STEP_NONE, where nothing follows, or the steps are about TLS and say themselves when it begins. */
SoakStep soak_step_into_tls(const SoakPhaseDetail *detail, const SoakTarget *target);

/* True if its end is inside of TLS, between records. */
bool soak_ends_in_tls(const SoakPhaseDetail *detail, const SoakTarget *target);

/* The phase called NAME, which exists. */
const SoakPhase *soak_phase(const char *name);

/* The longest request of at most WANTED bytes that the export bears; 0: none. */
uint32_t soak_request_length(const SessionFacts *facts, uint32_t wanted);

/* How an action's bytes are said. */
typedef enum {
    SAY_BYTES, /* inside of TLS, where it has begun */
    SAY_HELLO, /* TLS begins, by what it says first; there are no other bytes */
    SAY_FLIGHT /* what TLS has to say by itself */
} SoakSay;

/* What is listened for once something was said. */
typedef enum {
    HEAR_NOTHING,
    HEAR_SOMETHING, /* until there is something to read */
    HEAR_GREETING,
    HEAR_FINAL_REPLY, /* of an option, whatever it says */
    HEAR_ACK,         /* of an option, which must be NBD_REP_ACK */
    HEAR_TLS,         /* until TLS's handshake is complete */
    HEAR_LAST_FLIGHT, /* until it will be, once ours is sent */
    HEAR_ENTRY,       /* the replies to NBD_OPT_GO, of which the last must be NBD_REP_ACK */
    HEAR_EXPORT,      /* the answer to NBD_OPT_EXPORT_NAME */
    HEAR_REPLY,       /* a simple reply with its data */
    HEAR_PART,        /* of one */
    HEAR_CHUNK        /* one of a structured reply, or the first PAYLOAD bytes of its content */
} SoakHear;

/* Bytes to say, then what to hear. */
typedef struct {
    size_t offset, size; /* in SoakCycle.bytes */
    SoakSay say;
    bool half; /* of the bytes that go over the wire */
    SoakHear hear;
    bool or_end;      /* the server may as well hang up */
    uint32_t payload; /* of the reply to hear */
} SoakAction;

#define SOAK_MAX_ACTIONS 8

/* Of an ordinary read, and of a long one's reply that is read: little. */
#define SOAK_PART 4096u

/* Vanished connections held at once. */
#define SOAK_MOST_GHOSTS 16u

struct SoakCycle {
    SoakPoint point;
    const TransportAddress *address;
    const TransportTls *tls; /* NULL: plain */
    bool ends_in_tls;        /* close_notify can be said */
    SessionStyle style;
    bool no_zeroes;
    unsigned timeout_ms;
    const volatile int *stop;
    unsigned ghosts; /* that may be held at once */
    bool narrow;     /* with a small receive buffer, so that the server is left with its reply */
    bool overlaps;   /* the next may connect before the server has closed the one that ends */
    bool hasty;      /* nothing of the server's is waited for */

    GByteArray *bytes;
    SoakAction actions[SOAK_MAX_ACTIONS];
    unsigned count;
    SoakAction by_name;     /* NBD_OPT_EXPORT_NAME, for a server that does not know NBD_OPT_GO */
    SoakAction abort, disc; /* the soft ways to end */
};

#endif
