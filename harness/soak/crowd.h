/* Crowds: thousands of connections at once, opened, held and dropped together; slow clients; storms. One
 * thread, one epoll, bounded in count and time. */
#ifndef NBDCONFORM_SOAK_CROWD_H
#define NBDCONFORM_SOAK_CROWD_H

#include "soak/point.h"

typedef enum {
    CROWD_CONNECTED,     /* held as soon as greeted, greeting unread */
    CROWD_NEGOTIATING,   /* held inside an option's header */
    CROWD_TLS_BEGINNING, /* held with half of TLS's first record sent */
    CROWD_TLS_ANSWERED,  /* held inside TLS's handshake, the server's part of it unread */
    CROWD_SERVED,        /* held in transmission, after one answered request */
    CROWD_SLOW_GREETING, /* one byte a second of the client flags, … */
    CROWD_SLOW_OPTION,   /* … of an option */
    CROWD_SLOW_TLS,      /* … of TLS's first record */
    CROWD_SLOW_REQUEST,  /* … of a request */
    CROWD_STORM,         /* connected and closed at once, as fast as it goes */
    CROWD_COUNT
} CrowdKind;

/* "connected", … and one line about it */
const char *crowd_name(CrowdKind kind);
const char *crowd_about(CrowdKind kind);

/* Why TARGET can have no crowd of KIND, or NULL. A string without owner. */
const char *crowd_unfit(CrowdKind kind, const SoakTarget *target);

typedef struct {
    unsigned wanted, reached; /* connections: asked for; there at once (a storm: in all) */
    unsigned refused;   /* connect() refused, or hung up on by the server, which is its right */
    bool full;          /* our own descriptor limit, or the ports, ended it */
    bool others_judged; /* the crowd left room for one more: it has to be served */
    bool others_served; /* while the crowd stood, a plain connection was served */
    bool served_after;  /* after the crowd a plain connection was served: it has to be */
    unsigned others_ms, after_ms; /* how long that took */
    unsigned duration_ms;
    char *remark; /* one line on what went wrong; NULL */
} CrowdResult;
void crowd_result_clear(CrowdResult *result);

/* COUNT clients of KIND, all of them together dropped at the end; of the slow ones no more than half of what
 * TARGET serves at once. Raises the descriptor limit meanwhile as far as permitted. A server that lets fewer
 * in, or hangs up on some, is right.
 *
 * Bounded: opening ends when nothing moves any more, or after TARGET's timeout and a millisecond for each
 * connection, eight with TLS; either look for service after some timeouts. False and ERROR only where the harness fails or is
 * told to stop. */
bool crowd_run(const SoakTarget *target, CrowdKind kind, unsigned count, CrowdResult *result,
               GError **error);

#endif
