/* Crowds: thousands of connections at once, opened, held and dropped together; slow clients; storms. One
 * thread, one epoll, bounded in count and time. */
#ifndef NBDCONFORM_SOAK_CROWD_H
#define NBDCONFORM_SOAK_CROWD_H

#include "soak/point.h"

typedef enum {
    CROWD_CONNECTED,     /* held as soon as connected, greeting unread */
    CROWD_NEGOTIATING,   /* held inside an option's header */
    CROWD_SERVED,        /* held in transmission, after one answered request */
    CROWD_SLOW_GREETING, /* one byte a second from here on, in each of the phases */
    CROWD_SLOW_OPTION,
    CROWD_SLOW_REQUEST,
    CROWD_STORM, /* connected and closed at once, as fast as it goes */
    CROWD_COUNT
} CrowdKind;

/* "connected", … and one line about it */
const char *crowd_name(CrowdKind kind);
const char *crowd_about(CrowdKind kind);

typedef struct {
    unsigned wanted, reached; /* connections: asked for; open at once, as far as they were served */
    unsigned refused;   /* connect() refused, or closed at once by the server, which is its right */
    bool full;          /* our own descriptor limit, or the ports, ended it */
    bool others_served; /* while the crowd stood, and after it, a plain connection was served */
    bool served_after;
    unsigned others_ms, after_ms; /* how long that took */
    unsigned duration_ms;
    char *remark; /* one line on what went wrong; NULL */
} CrowdResult;
void crowd_result_clear(CrowdResult *result);

/* COUNT clients of KIND, all of them together dropped at the end. Raises the soft descriptor limit as far as
 * permitted. Bounded: no longer than TARGET's timeout for each of its steps, whatever the server does. False and
 * ERROR only where the harness fails. */
bool crowd_run(const SoakTarget *target, CrowdKind kind, unsigned count, CrowdResult *result,
               GError **error);

#endif
