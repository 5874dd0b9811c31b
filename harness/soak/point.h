/* Points: where in a connection's life it ends, times how it ends; and cycles through one of them.
 *
 * A cycle is made of bytes that are prepared once and sent again and again; what the server says is read by
 * its lengths only. It judges nothing: that is what the catalogue is for.
 */
#ifndef NBDCONFORM_SOAK_POINT_H
#define NBDCONFORM_SOAK_POINT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "session/session.h"
#include "transport/tls.h"

typedef enum {
    ENDING_SOFT,   /* NBD_OPT_ABORT or NBD_CMD_DISC, as the phase has it, then close */
    ENDING_CLOSE,  /* close() */
    ENDING_RESET,  /* RST, by SO_LINGER 0 */
    ENDING_NOTIFY, /* TLS's close_notify, then close() */
    ENDING_HALF,   /* shutdown(SHUT_WR), then until the server has closed, or did not for a while */
    ENDING_VANISH, /* not a packet, by TCP_REPAIR; later a reset: see below */
    ENDING_COUNT
} SoakEnding;

/* "soft", "close", "reset", "close-notify", "half-close", "vanish"
 *
 * Inside of TLS, a soft end has close_notify behind the goodbye, and half-close is close_notify by itself: TLS's way
 * to say that no more will come. The others say nothing, and cut TLS off.
 *
 * A client that has vanished for good cannot be told from one that has nothing to say: a server keeps that
 * connection for as long as it likes, and is right. What can be judged is what it does when it learns. So a
 * vanished connection is a ghost for a while, in which the server gets no answer to anything but a reset, as from
 * a machine that has started anew; then the ghost is raised to reset it, with the right sequence
 * number. No more than a few ghosts are about at once (none beside the next connection, where the
 * server serves one client at a time), and none is when soak_cycle_run() returns: descriptors and memory may
 * be measured then as with any other ending. */
const char *soak_ending_name(SoakEnding ending);

/* One phase: a row of phases.def. */
typedef struct {
    const char *name;  /* "inside-option-header" */
    const char *about; /* one line for people */
    bool writes;       /* changes the export: needs --allow-writes */
    bool soft;         /* there is a soft way to end here */
} SoakPhase;
const SoakPhase *soak_phases(size_t *count);

typedef struct {
    const SoakPhase *phase;
    SoakEnding ending;
} SoakPoint;

/* "inside-option-header/reset"; the caller frees it. */
char *soak_point_name(const SoakPoint *point);

/* What cycles are made for. */
typedef struct {
    const TransportAddress *address;
    const char *export_name;
    /* of a session that was probed: style, handshake and transmission flags, size, block sizes */
    SessionFacts facts;
    bool structured; /* it has structured replies */
    bool allow_writes;
    /* A client's: all that can be is said inside of TLS, and connections end in its handshake, too. NULL: plain. */
    const TransportTls *tls;
    bool tls_optional; /* plain, if it turns out to have no TLS */
    unsigned at_once;  /* connections that it serves at once, as far as tried; 0: take it for one */
    unsigned timeout_ms;      /* for each answer */
    const volatile int *stop; /* nonzero: give up; may be NULL */
} SoakTarget;

/* Why POINT cannot be cycled through on TARGET ("the server does not set SEND_FLUSH", "TCP_REPAIR is not
 * permitted", "a Unix socket cannot vanish"), or NULL. A string without owner. */
const char *soak_point_unfit(const SoakPoint *point, const SoakTarget *target);

/* A point, prepared for one target. */
typedef struct SoakCycle SoakCycle;
/* For a point that is fit; TARGET's address and stop have to outlive it. */
SoakCycle *soak_cycle_new(const SoakPoint *point, const SoakTarget *target);
void soak_cycle_free(SoakCycle *cycle);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SoakCycle, soak_cycle_free)

#define SOAK_ERROR soak_error_quark()
GQuark soak_error_quark(void);
typedef enum {
    SOAK_ERROR_REFUSED, /* a connection was not accepted, or ended before it was greeted */
    SOAK_ERROR_ANSWER,  /* an answer did not come, or was none that can be read on */
    SOAK_ERROR_STOPPED,
    SOAK_ERROR_USAGE, /* our own: descriptors or ports have run out */
} SoakError;

/* Connects and ends COUNT times, one after another, in the calling thread. *DONE (may be NULL): how many were
 * made. Nothing is allocated in a cycle, but by TLS.
 *
 * A server is allowed to turn a connection away for a while, as one with a limit does until it has noticed that
 * the last one is gone: only what it does for the timeout's length is an error. So is its hanging up where it
 * has to answer, but not where that is its right, or not for soak to judge: after NBD_OPT_EXPORT_NAME beside
 * NBD_OPT_GO, after an option that does not enter transmission, and after a request beyond the end. */
bool soak_cycle_run(const SoakCycle *cycle, unsigned count, unsigned *done, GError **error);

/* The cycle by which others are measured: connect, NBD_OPT_GO (or whatever enters), one read of a block if
 * the export has one, NBD_CMD_DISC, wait for the server's close. */
SoakCycle *soak_cycle_control(const SoakTarget *target);

#endif
