/* Crowds: opening, holding and dropping, and whether others are served. */
#include "soak/crowd.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "play/play.h"
#include "soak/client.h"

/* Connections under way at once. More would overflow a server's queue, which costs a second each. */
#define UNDER_WAY 64u

/* When nothing has moved for so long, the server takes no more. */
#define STALL_MS 2000

/* Said by each slow client, a second for each. */
#define SLOW_BYTES 2u
#define WAIT_MS 20

/* So many times as long may opening take where each has a handshake of TLS's. */
#define TLS_TIMES 8u

/* While no service is owed, one look has to be enough. */
#define GLANCE_MS 1000u

/* Descriptors beside those of the crowd. */
#define SPARE 64u

typedef struct {
    const char *name, *about;
    const char *phase; /* that its clients go to */
    bool slow, storm;
    size_t
        at_once; /* bytes before the slow ones: of client flags, which go in one piece with the option */
} Kind;

static const Kind kinds[CROWD_COUNT] = {
    [CROWD_CONNECTED] = {"connected", "held with the greeting unread", "greeting-unread", false,
                         false, 0},
    [CROWD_NEGOTIATING] = {"negotiating", "held inside an option's header", "inside-option-header",
                           false, false, 0},
    [CROWD_TLS_BEGINNING] = {"tls-beginning", "held with half of TLS's first record sent",
                             "inside-tls-hello", false, false, 0},
    [CROWD_TLS_ANSWERED] = {"tls-answered", "held inside TLS's handshake, behind its first answer",
                            "inside-tls-handshake", false, false, 0},
    [CROWD_SERVED] = {"served", "held in transmission, after a request was answered", "after-reply",
                      false, false, 0},
    [CROWD_SLOW_GREETING] = {"slow-greeting", "a byte of client flags a second",
                             "after-client-flags", true, false, 0},
    [CROWD_SLOW_OPTION] = {"slow-option", "a byte of an option a second", "option-unanswered", true,
                           false, 4},
    [CROWD_SLOW_TLS] = {"slow-tls", "a byte of TLS's first record a second", "after-tls-hello",
                        true, false, 0},
    [CROWD_SLOW_REQUEST] = {"slow-request", "a byte of a request a second", "reads-in-flight", true,
                            false, 0},
    [CROWD_STORM] = {"storm", "connected and closed at once", "after-connect", false, true, 0},
};

typedef struct {
    const SoakTarget *target;
    const Kind *kind;
    CrowdResult *result;
    SoakCycle *cycle;
    Client *clients;
    unsigned count;     /* wanted */
    unsigned started;   /* clients that have tried to connect */
    unsigned under_way; /* … and are not yet where they go */
    int epoll;
} Crowd;

const char *crowd_name(CrowdKind kind)
{
    return kinds[kind].name;
}

const char *crowd_about(CrowdKind kind)
{
    return kinds[kind].about;
}

const char *crowd_unfit(CrowdKind kind, const SoakTarget *target)
{
    const SoakPoint point = {soak_phase(kinds[kind].phase), ENDING_CLOSE};

    if (kinds[kind].slow && target->at_once < 2)
        return "the server serves one client at a time";
    return soak_point_unfit(&point, target);
}

void crowd_result_clear(CrowdResult *result)
{
    g_free(result->remark);
    *result = (CrowdResult){0};
}

static unsigned since_ms(gint64 began_us)
{
    return (unsigned)((g_get_monotonic_time() - began_us) / 1000);
}

static bool stopped(const Crowd *crowd)
{
    return play_stopped(crowd->target->stop);
}

/* ---- Opening ---------------------------------------------------------------------------------- */

static void watch(const Crowd *crowd, Client *client, int operation)
{
    struct epoll_event event = {.events = client_events(client), .data.ptr = client};

    (void)epoll_ctl(crowd->epoll, operation, client->fd, &event);
}

static bool is_under_way(const Client *client)
{
    return client->state == CLIENT_CONNECTING || client->state == CLIENT_SAYING ||
           client->state == CLIENT_HEARING;
}

/* Counts what has become of CLIENT, which was under way if BEFORE. */
static void account(Crowd *crowd, Client *client, bool before)
{
    CrowdResult *result = crowd->result;
    bool there = client->state == CLIENT_THERE;

    if (before && !is_under_way(client)) {
        crowd->under_way--;
        result->reached += there;
    } else if (!before && !there) {
        result->reached--;
    }
    if (client->state == CLIENT_GONE)
        result->refused++;
    else if (there && crowd->kind->storm)
        client_close(client);
    else
        watch(crowd, client, EPOLL_CTL_MOD);
}

/* Starts more clients, up to what may be under way. False if the server wants to be left in peace for a moment,
 * or all have started. */
static bool start_some(Crowd *crowd)
{
    while (crowd->started < crowd->count && crowd->under_way < UNDER_WAY && !crowd->result->full) {
        Client *client = &crowd->clients[crowd->started];
        switch (client_start(client, crowd->cycle)) {
        case CLIENT_STARTED:
            crowd->under_way++;
            watch(crowd, client, EPOLL_CTL_ADD);
            break;
        case CLIENT_REFUSED:
            crowd->result->refused++;
            break;
        case CLIENT_LATER:
            return false;
        case CLIENT_FULL:
            crowd->result->full = true;
            return false;
        }
        crowd->started++;
    }
    return crowd->started < crowd->count;
}

/* Lets clients go on as long as there is something to do at once, or for MS. True if something moved. */
static bool move_clients(Crowd *crowd, int ms)
{
    struct epoll_event events[256];
    int count = epoll_wait(crowd->epoll, events, G_N_ELEMENTS(events), ms);

    for (int i = 0; i < count; i++) {
        Client *client = events[i].data.ptr;
        bool before = is_under_way(client);
        client_move(client, crowd->cycle, events[i].events);
        account(crowd, client, before);
    }
    return count > 0;
}

static void open_all(Crowd *crowd)
{
    gint64 began_us = g_get_monotonic_time(), moved_us = began_us;
    unsigned limit_ms =
        crowd->target->timeout_ms + crowd->count * (crowd->target->tls != NULL ? TLS_TIMES : 1);

    while (!stopped(crowd) && since_ms(began_us) < limit_ms && since_ms(moved_us) < STALL_MS) {
        unsigned started = crowd->started;
        (void)start_some(crowd);
        if (crowd->under_way == 0 && (crowd->started == crowd->count || crowd->result->full))
            break;
        bool moved = move_clients(crowd, WAIT_MS);
        if (moved || crowd->started > started)
            moved_us = g_get_monotonic_time();
    }
}

/* ---- Standing --------------------------------------------------------------------------------- */

/* Whether a plain connection is served, and in what time. */
static bool served(const Crowd *crowd, unsigned timeout_ms, unsigned *took_ms)
{
    SoakTarget target = *crowd->target;
    gint64 began_us = g_get_monotonic_time();

    target.timeout_ms = timeout_ms;
    g_autoptr(SoakCycle) cycle = soak_cycle_control(&target);
    bool fine = soak_cycle_run(cycle, 1, NULL, NULL);
    *took_ms = since_ms(began_us);
    return fine;
}

/* A missing answer is asked for again, with more time. */
static bool served_at_last(const Crowd *crowd, unsigned *took_ms)
{
    return served(crowd, crowd->target->timeout_ms, took_ms) ||
           (!stopped(crowd) && served(crowd, 4 * crowd->target->timeout_ms, took_ms));
}

/* One more byte of each. */
static void dribble(Crowd *crowd, const SoakAction *action, size_t at)
{
    for (unsigned i = 0; i < crowd->count; i++)
        client_dribble(&crowd->clients[i], crowd->cycle, action, at);
}

/* Looks for service once, or, where that is owed, until it is had. */
static bool look(Crowd *crowd)
{
    CrowdResult *result = crowd->result;

    return result->others_judged
               ? served_at_last(crowd, &result->others_ms)
               : served(crowd, MIN(crowd->target->timeout_ms, GLANCE_MS), &result->others_ms);
}

/* SLOW is what slow clients have to say. */
static void stand(Crowd *crowd, const SoakAction *slow, size_t at_once)
{
    CrowdResult *result = crowd->result;

    result->others_judged = result->reached + crowd->under_way < crowd->target->at_once;
    result->others_served = look(crowd);
    for (unsigned i = 0; crowd->kind->slow && i < SLOW_BYTES && result->others_served; i++) {
        gint64 began_us = g_get_monotonic_time();
        dribble(crowd, slow, at_once + i);
        result->others_served = look(crowd);
        while (!stopped(crowd) && since_ms(began_us) < 1000)
            (void)move_clients(crowd, WAIT_MS);
    }
}

static void drop_all(Crowd *crowd)
{
    for (unsigned i = 0; i < crowd->count; i++)
        client_close(&crowd->clients[i]);
}

/* The last bytes of CYCLE are not for opening, but for those AT_ONCE. Returns the whole action. */
static SoakAction withhold(SoakCycle *cycle, size_t at_once)
{
    SoakAction *last = &cycle->actions[cycle->count - 1], whole = *last;

    if (last->say == SAY_HELLO)
        cycle->count--;
    else
        last->size = at_once;
    return whole;
}

static void play(Crowd *crowd)
{
    CrowdResult *result = crowd->result;
    SoakAction slow = {0};
    /* TLS's handshake comes between the client flags and the option. */
    size_t at_once = crowd->target->tls != NULL ? 0 : crowd->kind->at_once;

    if (crowd->kind->slow)
        slow = withhold(crowd->cycle, at_once);
    open_all(crowd);
    if (!stopped(crowd))
        stand(crowd, &slow, at_once);
    drop_all(crowd);
    if (!stopped(crowd))
        result->served_after = served_at_last(crowd, &result->after_ms);
    if (!result->served_after)
        result->remark = g_strdup_printf("after %u connections (%s) a plain one was not served",
                                         result->reached, crowd->kind->name);
    else if (result->others_judged && !result->others_served)
        result->remark =
            g_strdup_printf("while %u connections (%s) were open, a plain one was not served",
                            result->reached, crowd->kind->name);
}

/* ---- All of it -------------------------------------------------------------------------------- */

/* Only root may raise the hard limit; who may not gets as far as that. */
static void raise_limit(struct rlimit *before, rlim_t wanted)
{
    if (getrlimit(RLIMIT_NOFILE, before) < 0 || before->rlim_cur >= wanted)
        return;
    struct rlimit limit = {.rlim_cur = wanted, .rlim_max = MAX(before->rlim_max, wanted)};
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return;
    limit.rlim_cur = MIN(wanted, before->rlim_max);
    limit.rlim_max = before->rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

bool crowd_run(const SoakTarget *target, CrowdKind kind, unsigned count, CrowdResult *result,
               GError **error)
{
    const SoakPoint point = {soak_phase(kinds[kind].phase), ENDING_CLOSE};
    const char *unfit = crowd_unfit(kind, target);
    gint64 began_us = g_get_monotonic_time();
    struct rlimit limit = {0};

    if (unfit != NULL) {
        g_set_error(error, SOAK_ERROR, SOAK_ERROR_USAGE, "%s", unfit);
        return false;
    }
    if (kinds[kind].slow)
        count = CLAMP(count, 1, target->at_once / 2);
    *result = (CrowdResult){.wanted = count};
    Crowd crowd = {.target = target, .kind = &kinds[kind], .result = result, .count = count};
    crowd.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (crowd.epoll < 0) {
        g_set_error(error, SOAK_ERROR, SOAK_ERROR_USAGE, "epoll: %s", g_strerror(errno));
        return false;
    }
    raise_limit(&limit, count + SPARE);
    crowd.cycle = soak_cycle_new(&point, target);
    crowd.clients = g_new0(Client, count);
    for (unsigned i = 0; i < count; i++)
        crowd.clients[i].fd = -1;
    play(&crowd);
    result->duration_ms = since_ms(began_us);
    g_free(crowd.clients);
    soak_cycle_free(crowd.cycle);
    close(crowd.epoll);
    if (limit.rlim_cur > 0)
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (stopped(&crowd)) {
        g_set_error(error, SOAK_ERROR, SOAK_ERROR_STOPPED, "stopped");
        return false;
    }
    return true;
}
