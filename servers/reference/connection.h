/* One connection: its buffers, what it has agreed, and where it stands.
 *
 * The protocol is a step function that takes from the input, puts into the output and says what it
 * lacks; all I/O is connection.c's. A connection at rest owns no buffer.
 */
#ifndef NBDCONFORM_REFERENCE_CONNECTION_H
#define NBDCONFORM_REFERENCE_CONNECTION_H

#include "reference/context.h"
#include "reference/export.h"
#include "reference/server.h"
#include "reference/tls.h"

typedef struct Connection Connection;

typedef enum {
    STEP_AGAIN,  /* something was done, and there may be more to do at once */
    STEP_INPUT,  /* nothing more can be done with the input that is there */
    STEP_OUTPUT, /* there is no room for the answer */
} Step;

/* What has been decided about the connection, whatever its step had in mind. */
typedef enum {
    FATE_NONE,
    FATE_DONE, /* the client has said goodbye: closed once the output is sent */
    FATE_END,  /* we hang up: likewise, and what the client still sends is waited for */
    FATE_LOSE, /* closed at once, without the output */
    FATE_HANG, /* nothing more is read, until the client leaves */
} Fate;

typedef struct {
    uint8_t *data; /* NULL: none */
    size_t start, end;
    size_t capacity; /* BUFFER_SIZE for the loop's own buffers, less for what is set aside */
} Buffer;

#define BUFFER_SIZE ((size_t)256 * 1024)

/* The option being answered. */
typedef struct {
    bool pending; /* its header has been taken, its data not yet */
    uint32_t option;
    uint32_t length;
    uint32_t skip;      /* bytes of data that nobody looks at, still to come */
    uint32_t answer;    /* the error to reply with once they have */
    bool exempt;        /* not to be refused for want of TLS */
    bool backwards;     /* contexts are named from the last on */
    bool wide;          /* those of 64 bits are not kept from who lacks extended headers */
    bool listing;       /* in the middle of NBD_OPT_LIST's replies */
    guint next_to_list; /* index of the export */
} OptionState;

/* How replies to requests look. */
typedef enum { SIMPLE_REPLIES, STRUCTURED_REPLIES, EXTENDED_HEADERS } Replies;

/* What options have agreed for the transmission phase; forgotten when TLS begins. */
typedef struct {
    Replies replies;
    ContextSet contexts;       /* set by NBD_OPT_SET_META_CONTEXT */
    const Export *contexts_of; /* … for this export; NULL: never */
} Agreed;

/* The request being carried out; long ones take several steps. */
typedef struct {
    bool active;
    bool replied; /* the header of a read's reply, or of a chunk, has been sent: its data are due */
    bool garbled; /* and are to be wrong */
    bool last;    /* nothing follows them */
    Fate then;    /* what becomes of the connection behind them */
    uint16_t type;
    uint16_t flags;
    uint32_t error;
    uint64_t cookie;
    uint64_t offset;
    uint64_t length;
    uint64_t done;       /* bytes */
    uint64_t payload;    /* bytes of data that are still to come */
    uint64_t until;      /* where the data that were promised end, measured as DONE */
    ContextSet contexts; /* of which the status is still to be told */
    bool backwards;      /* … from the last of them on */
    uint64_t chunks;     /* of its reply, as quirks count them */
    uint64_t failed_at;  /* offset of the first of those data that could not be read */
} Request;

struct Connection {
    Loop *loop;
    int fd;
    TlsSession *tls; /* NULL: in the clear */
    Step (*step)(Connection *c);
    Fate fate;

    Buffer in, out;
    bool readable;  /* the socket may hold input that we have not seen */
    bool blocked;   /* it took less than we had to send */
    bool hung_up;   /* the client has closed its side, or more */
    bool at_end;    /* … and everything that it sent has been read */
    bool shut;      /* we have closed ours */
    bool queued;    /* in the loop's queue of those that can go on */
    size_t drained; /* bytes read and thrown away since */

    uint32_t client_flags;
    OptionState option;
    Agreed agreed;
    ExportFacts facts; /* of the export chosen */
    const Export *export;
    uint64_t size_before; /* the export's, before it was resized here */
    Disk *disk;
    Request request;

    QuirkMemory *quirks; /* NULL: none are active */
    LeakMemory *leaks;   /* likewise */
    uint64_t hoard;      /* how a quirk would have it keep its writes, or UINT64_MAX */
    Disk *own_disk;      /* the layer that does; NULL: none */

    GList in_all, in_queue, in_closing; /* links of the loop's lists */
    gint64 deadline;                    /* of the one in_closing */
};

/* Serves FD, which it owns, in LOOP. */
void connection_new(Loop *loop, int fd);
void connection_free(Connection *c);

/* Does what can be done now. May free C. */
void connection_run(Connection *c);

/* N bytes of input in one piece, or NULL if they have not come yet; N is less than BUFFER_SIZE. */
const uint8_t *connection_peek(const Connection *c, size_t n);
size_t connection_available(const Connection *c);
void connection_take(Connection *c, size_t n);

/* Where at least N, and how many, bytes of output may be put; NULL if there is no room. */
uint8_t *connection_room(Connection *c, size_t n, size_t *room);
void connection_put(Connection *c, size_t n);

/* Sends what there is, as far as the socket takes it. */
void connection_push(Connection *c);

/* The first fate decides. */
void connection_doom(Connection *c, Fate fate);

/* The protocol's entries. */
Step handshake_start(Connection *c);
Step handshake_go_on(Connection *c);
Step transmission_step(Connection *c);

#endif
