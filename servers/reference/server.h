/* The server and its loops, as the reference server's own files see them. */
#ifndef NBDCONFORM_REFERENCE_SERVER_H
#define NBDCONFORM_REFERENCE_SERVER_H

#include "reference/export.h"
#include "reference/leak.h"
#include "reference/quirk.h"
#include "reference/reference.h"

#define SPARE_BUFFERS 8u
#define END_OF_TIME G_MAXINT64

/* How fast requests come, for loop.c to decide whether to let them gather. */
typedef struct {
    gint64 period_start;
    uint64_t requests_at_start, requests_before;
    bool busy;     /* in the last period they came fast */
    bool gathered; /* the last round came after a pause */
    gint64 not_before;
} Pace;

/* One thread's epoll loop, and the connections that it serves. */
typedef struct {
    RefServer *server;
    int epoll;
    int wake; /* eventfd: connections handed over, or an end */
    GThread *thread;
    bool accepting;
    gint64 accept_again; /* when not accepting: the time to try, as g_get_monotonic_time() */
    gint64 leave_at;     /* when the clients' time is up; END_OF_TIME as long as there is no end */
    gint64 leave_last;   /* and when it is, even for those that still take what they asked for */
    uint64_t sent, sent_before; /* bytes that clients have taken; when LEAVE_AT was set */

    GQueue all;     /* of Connection */
    GQueue queue;   /* those that can go on without waiting */
    GQueue closing; /* those that wait for the client's end, by deadline */
    size_t count;   /* of all; read by other loops */

    uint64_t requests; /* taken by any connection */
    Pace pace;

    uint8_t *spare[SPARE_BUFFERS];
    unsigned spares;

    GMutex mutex;
    GArray *incoming; /* descriptors from other loops */
} Loop;

struct RefServer {
    int listener;
    char *socket;
    bool owns_path; /* the socket's path is ours to remove */
    char *host;
    uint16_t port;
    RefStyle style;
    RefReplies most_replies;
    bool structured_always;
    const RefTls *tls; /* NULL: none */
    bool tls_required;
    bool require_extended;
    DiskBudget budget;
    Exports exports;
    QuirkSet quirks;
    LeakSet leaks;
    Loop *loops;
    unsigned loop_count;
    bool running;
    int stopping;         /* atomic */
    int died;             /* atomic */
    int ending;           /* atomic */
    gint64 grace;         /* for clients to leave once it ends, in microseconds */
    QuirkMemory *signals; /* what quirks remember of them */
    uint64_t accepted;
};

/* Opens the socket that CONFIG asks for. */
bool listener_open(RefServer *server, const RefConfig *config, GError **error);

bool loop_init(Loop *loop, RefServer *server, GError **error);
void loop_clear(Loop *loop);

/* Serves until the server stops, dies, or has come to its end. SIGNALS is a signalfd, or -1. */
void loop_run(Loop *loop, int signals);
void loop_wake(Loop *loop);

/* For connections: buffers of BUFFER_SIZE, and their place in the loop's lists. */
uint8_t *loop_borrow(Loop *loop);
void loop_return(Loop *loop, uint8_t *buffer);

/* A quirk's "crash": no connection survives, nobody can connect any more. */
void server_die(RefServer *server);

/* Takes what waits in SIGNALS, a signalfd. */
void server_see_signals(RefServer *server, int signals);

/* True once the server has been asked to end: what is asked of it from then on is refused. */
static inline bool server_is_ending(const RefServer *server)
{
    return __atomic_load_n(&server->ending, __ATOMIC_ACQUIRE);
}

#endif
