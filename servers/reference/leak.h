/* Leaks: what the server keeps, on demand, of connections that end at a chosen point.
 *
 * A server under a soak test is to be caught; these are the bugs to be caught. The protocol knows of
 * none of this: a connection notes where it stands when messages come and when its client leaves,
 * and what is to be kept is kept when it is freed.
 */
#ifndef NBDCONFORM_REFERENCE_LEAK_H
#define NBDCONFORM_REFERENCE_LEAK_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Connection Connection;

/* Where a connection stood, as far as a server can tell: leak_point.c says which is which. */
typedef enum {
    LEAK_ANYWHERE,
    LEAK_AFTER_CONNECT,
    LEAK_INSIDE_CLIENT_FLAGS,
    LEAK_AFTER_CLIENT_FLAGS,
    LEAK_INSIDE_OPTION_HEADER,
    LEAK_INSIDE_OPTION_DATA,
    LEAK_BETWEEN_OPTIONS,
    LEAK_AFTER_UNKNOWN_OPTION,
    LEAK_AFTER_INFO,
    LEAK_AFTER_FAILED_GO,
    LEAK_AFTER_FAILED_EXPORT_NAME,
    LEAK_INSIDE_TLS_HANDSHAKE,
    LEAK_AFTER_TLS_HANDSHAKE,
    LEAK_INSIDE_TLS_RECORD,
    LEAK_AFTER_GO,
    LEAK_AFTER_EXPORT_NAME,
    LEAK_INSIDE_REQUEST_HEADER,
    LEAK_INSIDE_WRITE_PAYLOAD,
    LEAK_READS_IN_FLIGHT,
    LEAK_WRITES_IN_FLIGHT,
    LEAK_FLUSH_IN_FLIGHT,
    LEAK_TRIM_IN_FLIGHT,
    LEAK_WRITE_ZEROES_IN_FLIGHT,
    LEAK_CACHE_IN_FLIGHT,
    LEAK_AFTER_ERROR,
    LEAK_AFTER_REPLY,
    LEAK_AFTER_ABORT,
    LEAK_AFTER_DISC,
    LEAK_PHASES
} LeakPhase;

typedef enum {
    LEAK_ANYHOW,
    LEAK_SOFT,   /* NBD_OPT_ABORT or NBD_CMD_DISC */
    LEAK_EOF,    /* the client closed its side */
    LEAK_RESET,  /* reading or writing failed */
    LEAK_NOTIFY, /* TLS's close_notify */
    LEAK_HANGUP, /* we were the first to hang up */
    LEAK_ENDINGS
} LeakEnding;

typedef enum {
    LEAK_FD,
    LEAK_BYTES,
    LEAK_THREAD,
    LEAK_CHILD,
    LEAK_RUNAWAY,
    LEAK_ZOMBIE,
    LEAK_KINDS
} LeakKind;

/* One of the leaks that a server was given. */
typedef struct {
    LeakKind kind;
    size_t bytes; /* of LEAK_BYTES */
    LeakPhase phase;
    LeakEnding ending;
    bool inside_tls; /* only there */
    unsigned every;  /* that many ends at its point make one leak */
    unsigned most;   /* so much is kept in all: no leak, but a pool or a cache */
    unsigned ends;   /* atomic: of the threads' connections */
} Leak;

typedef struct {
    GArray *leaks; /* of Leak; NULL: none */
} LeakSet;

/* TEXTS as RefConfig.leaks has them. */
bool leak_set_init(LeakSet *set, const char *const *texts, GError **error);
void leak_set_clear(LeakSet *set);

/* What a connection notes about itself. */
typedef struct LeakMemory LeakMemory;

/* NULL if there are no leaks; g_free(). */
LeakMemory *leak_memory_new(const LeakSet *set);

/* A message has been taken from the input; what C knows of the last one still stands. CODE is the
 * option or the command. */
typedef enum { LEAK_SEES_NOTHING, LEAK_SEES_FLAGS, LEAK_SEES_OPTION, LEAK_SEES_REQUEST } LeakSight;
void leak_see_message(Connection *c, LeakSight what, uint64_t code);

/* The client has left, and we were still listening. */
void leak_see_leave(Connection *c);

/* The connection is about to be closed. */
void leak_see_end(Connection *c);

/* Keeps what LEAK says of the connection with socket FD. */
void leak_keep(const Leak *leak, int fd);

#endif
