/* The epoll loop of one thread: accepts, lets connections run, minds deadlines. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "reference/connection.h"
#include "reference/server.h"

#define EVENTS 256
#define ACCEPTS 16 /* in a row, before connections get their turn */
#define ACCEPT_PAUSE (G_USEC_PER_SEC / 10)
#define LONG_GRACE 10 /* graces at the most for a client that still takes a reply */

/* See let_requests_gather(). Times in microseconds. */
#define GATHERING 20
#define WORTH_GATHERING 3
#define GATHERING_PAUSE 10000
#define RATE_PERIOD 1000
#define BUSY_RATE 40 /* requests in a RATE_PERIOD */

/* ---- Buffers --------------------------------------------------------------------------------- */

uint8_t *loop_borrow(Loop *loop)
{
    if (loop->spares > 0)
        return loop->spare[--loop->spares];
    return g_malloc(BUFFER_SIZE);
}

void loop_return(Loop *loop, uint8_t *buffer)
{
    if (loop->spares < SPARE_BUFFERS)
        loop->spare[loop->spares++] = buffer;
    else
        g_free(buffer);
}

/* ---- Accepting ------------------------------------------------------------------------------- */

static void listen_on(Loop *loop)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = loop->server};

    if (!loop->accepting && !server_is_ending(loop->server) &&
        !__atomic_load_n(&loop->server->died, __ATOMIC_ACQUIRE))
        loop->accepting =
            epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->server->listener, &event) == 0;
}

static void listen_off(Loop *loop)
{
    if (loop->accepting)
        epoll_ctl(loop->epoll, EPOLL_CTL_DEL, loop->server->listener, NULL);
    loop->accepting = false;
}

void loop_wake(Loop *loop)
{
    uint64_t one = 1;
    ssize_t written = write(loop->wake, &one, sizeof one);

    (void)written; /* fails only when the counter is full, and then it wakes anyway */
}

/* The kernel likes to give many connections to one of several waiting threads: those that have less
 * to do get their share. */
static Loop *least_busy(Loop *own)
{
    RefServer *server = own->server;
    Loop *least = own;

    for (Loop *loop = server->loops; loop < server->loops + server->loop_count; loop++)
        if (__atomic_load_n(&loop->count, __ATOMIC_RELAXED) <
            __atomic_load_n(&least->count, __ATOMIC_RELAXED))
            least = loop;
    return least;
}

static void hand_over(Loop *loop, int fd)
{
    g_mutex_lock(&loop->mutex);
    g_array_append_val(loop->incoming, fd);
    g_mutex_unlock(&loop->mutex);
    loop_wake(loop);
}

static void take_over(Loop *loop)
{
    g_mutex_lock(&loop->mutex);
    g_autoptr(GArray) incoming = loop->incoming;
    loop->incoming = g_array_new(FALSE, FALSE, sizeof(int));
    g_mutex_unlock(&loop->mutex);
    for (guint i = 0; i < incoming->len; i++)
        connection_new(loop, g_array_index(incoming, int, i));
}

static void accept_some(Loop *loop)
{
    for (int i = 0; i < ACCEPTS; i++) {
        int fd = accept4(loop->server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            /* The queue stays as full as it is: being told of it again would only spin. */
            listen_off(loop);
            loop->accept_again = g_get_monotonic_time() + ACCEPT_PAUSE;
        }
        if (fd < 0)
            return;
        Loop *least = least_busy(loop);
        if (least == loop)
            connection_new(loop, fd);
        else
            hand_over(least, fd);
    }
}

/* ---- Running --------------------------------------------------------------------------------- */

/* How long to wait for events, in milliseconds; -1: for ever. */
static int patience(const Loop *loop)
{
    gint64 until = loop->leave_at;

    if (loop->queue.length > 0)
        return 0;
    if (!loop->accepting && loop->accept_again > 0)
        until = MIN(until, loop->accept_again);
    if (loop->closing.length > 0)
        until = MIN(until, ((const Connection *)loop->closing.head->data)->deadline);
    if (until == END_OF_TIME)
        return -1;
    return (int)(MAX(until - g_get_monotonic_time(), 0) / 1000) + 1;
}

static void keep_time(Loop *loop)
{
    if (loop->closing.length == 0 && loop->accept_again == 0)
        return;
    gint64 now = g_get_monotonic_time();
    while (loop->closing.length > 0 &&
           ((const Connection *)loop->closing.head->data)->deadline <= now)
        connection_free(loop->closing.head->data);
    if (loop->accept_again > 0 && loop->accept_again <= now) {
        loop->accept_again = 0;
        listen_on(loop);
    }
}

static void notice(Loop *loop, Connection *c, uint32_t events)
{
    c->readable |= (events & ~(uint32_t)EPOLLOUT) != 0;
    c->hung_up |= (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if (!c->queued) {
        c->queued = true;
        g_queue_push_tail_link(&loop->queue, &c->in_queue);
    }
}

/* Those that are in the queue now; what they put back waits for the next round. */
static void run_queue(Loop *loop)
{
    for (guint n = loop->queue.length; n > 0 && loop->queue.length > 0; n--) {
        Connection *c = g_queue_pop_head_link(&loop->queue)->data;
        c->queued = false;
        connection_run(c);
    }
}

/* A client that keeps many requests in flight sends each as soon as it has a reply. Waking up for
 * each, at its expense too, slows both: so where requests come this fast, they are left to gather
 * for a moment. Where that gathers nothing, since the client waits for us, we soon stop it. */
static void let_requests_gather(Loop *loop)
{
    const struct timespec moment = {.tv_nsec = GATHERING * 1000};
    Pace *pace = &loop->pace;
    gint64 now = g_get_monotonic_time();
    uint64_t found = loop->requests - pace->requests_before;

    pace->requests_before = loop->requests;
    if (pace->gathered && found < WORTH_GATHERING)
        pace->not_before = now + GATHERING_PAUSE;
    pace->gathered = false;
    if (now - pace->period_start >= RATE_PERIOD) {
        pace->busy = loop->requests - pace->requests_at_start >= BUSY_RATE;
        pace->period_start = now;
        pace->requests_at_start = loop->requests;
    }
    if (!pace->busy || now < pace->not_before || loop->queue.length > 0)
        return;
    nanosleep(&moment, NULL);
    pace->gathered = true;
}

static void clear_wake(Loop *loop)
{
    uint64_t count;
    ssize_t got = read(loop->wake, &count, sizeof count);

    (void)got;
    take_over(loop);
}

/* True once nobody is left to take leave of, or has had time enough: as long as a long reply is being taken, a
 * client has more, within limits. */
static bool at_end(Loop *loop)
{
    gint64 now = g_get_monotonic_time(), grace = loop->server->grace;

    if (!server_is_ending(loop->server))
        return false;
    if (loop->leave_at == END_OF_TIME) {
        listen_off(loop);
        loop->leave_last = now + LONG_GRACE * grace;
    }
    if (loop->leave_at == END_OF_TIME || loop->sent != loop->sent_before) {
        loop->leave_at = MIN(now + grace, loop->leave_last);
        loop->sent_before = loop->sent;
    }
    return loop->all.length == 0 || now >= loop->leave_at;
}

static bool over(Loop *loop)
{
    return __atomic_load_n(&loop->server->stopping, __ATOMIC_ACQUIRE) ||
           __atomic_load_n(&loop->server->died, __ATOMIC_ACQUIRE) || at_end(loop);
}

static void round_trip(Loop *loop, const int *signals)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(loop->epoll, events, EVENTS, patience(loop));
    bool accept = false;

    for (int i = 0; i < n; i++) {
        const void *who = events[i].data.ptr;
        if (who == loop)
            clear_wake(loop);
        else if (who == loop->server)
            accept = true;
        else if (who == signals)
            server_see_signals(loop->server, *signals);
        else
            notice(loop, events[i].data.ptr, events[i].events);
    }
    run_queue(loop);
    let_requests_gather(loop);
    if (accept)
        accept_some(loop);
    keep_time(loop);
}

void loop_run(Loop *loop, int signals)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &signals};

    loop->leave_at = END_OF_TIME;
    if (signals >= 0)
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, signals, &event);
    prctl(PR_SET_TIMERSLACK, 1ul); /* or a moment lasts as long again */
    listen_on(loop);
    while (!over(loop))
        round_trip(loop, &signals);
    listen_off(loop);
    if (signals >= 0)
        epoll_ctl(loop->epoll, EPOLL_CTL_DEL, signals, NULL);
    take_over(loop);
    while (loop->all.length > 0)
        connection_free(loop->all.head->data);
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

bool loop_init(Loop *loop, RefServer *server, GError **error)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = loop};

    loop->server = server;
    g_mutex_init(&loop->mutex);
    loop->incoming = g_array_new(FALSE, FALSE, sizeof(int));
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll >= 0 && loop->wake >= 0 &&
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event) == 0)
        return true;
    g_set_error(error, REF_ERROR, REF_ERROR_SYSTEM, "cannot make an event loop: %s",
                g_strerror(errno));
    return false;
}

void loop_clear(Loop *loop)
{
    if (loop->incoming == NULL)
        return;
    for (guint i = 0; i < loop->incoming->len; i++)
        close(g_array_index(loop->incoming, int, i));
    g_array_unref(loop->incoming);
    g_mutex_clear(&loop->mutex);
    if (loop->epoll >= 0)
        close(loop->epoll);
    if (loop->wake >= 0)
        close(loop->wake);
    while (loop->spares > 0)
        g_free(loop->spare[--loop->spares]);
}
