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
#include "transport/transport.h"

typedef enum {
    ENDING_SOFT,   /* NBD_OPT_ABORT or NBD_CMD_DISC, as the phase has it, then close */
    ENDING_CLOSE,  /* close() */
    ENDING_RESET,  /* RST, by SO_LINGER 0 */
    ENDING_HALF,   /* shutdown(SHUT_WR), then until the server has closed, or did not for a while */
    ENDING_VANISH, /* not a packet: TCP_REPAIR, then close */
    ENDING_COUNT
} SoakEnding;

/* "soft", "close", "reset", "half-close", "vanish" */
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
    SessionFacts
        facts; /* of a session that was probed: style, size, block sizes, transmission flags */
    bool allow_writes;
    unsigned timeout_ms;      /* for each answer */
    const volatile int *stop; /* nonzero: give up; may be NULL */
} SoakTarget;

/* Why POINT cannot be cycled through on TARGET ("the server does not set SEND_FLUSH", "TCP_REPAIR is not
 * permitted", "a Unix socket cannot vanish"), or NULL. A string without owner. */
const char *soak_point_unfit(const SoakPoint *point, const SoakTarget *target);

/* A point, prepared for one target. */
typedef struct SoakCycle SoakCycle;
SoakCycle *soak_cycle_new(const SoakPoint *point, const SoakTarget *target);
void soak_cycle_free(SoakCycle *cycle);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SoakCycle, soak_cycle_free)

#define SOAK_ERROR soak_error_quark()
GQuark soak_error_quark(void);
typedef enum {
    SOAK_ERROR_REFUSED, /* a connection was not accepted */
    SOAK_ERROR_ANSWER,  /* an answer did not come, or was none that can be read on */
    SOAK_ERROR_STOPPED,
    SOAK_ERROR_USAGE,
} SoakError;

/* Connects and ends COUNT times, one after another, in the calling thread. *DONE (may be NULL): how many were
 * made. Nothing is allocated in a cycle. */
bool soak_cycle_run(const SoakCycle *cycle, unsigned count, unsigned *done, GError **error);

/* The cycle by which others are measured: connect, NBD_OPT_GO (or whatever enters), one read of a block if
 * the export has one, NBD_CMD_DISC, wait for the server's close. */
SoakCycle *soak_cycle_control(const SoakTarget *target);

#endif
