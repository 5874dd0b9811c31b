/* Cycling: connecting, saying, hearing, and every way to end. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "soak/ghost.h"
#include "soak/private.h"
#include "soak/stream.h"

/* How long a server has to close after a soft or a half-close, before we go on without that: many times what
 * it takes. If it never does, once is enough to have waited for so long. */
#define PATIENCE_MS 1000u
#define NO_PATIENCE_MS 10u

/* Where nothing of the server's is waited for, a server that accepts more slowly than we connect would find its
 * queue overflowing: every now and then the greeting is, by which all before it have been accepted. */
#define BREATHE 8u

/* How long a server that accepts no connection may take to accept one again, where the timeout is longer. */
#define REFUSED_MS 1000u

#define SMALL_BUFFER 4096

typedef struct {
    const SoakCycle *cycle;
    const SoakAction *action; /* the one under way; NULL: connecting */
    Stream stream;
    Stream leaving;    /* a connection that the server has yet to close */
    bool transmission; /* entered */
    bool secure;       /* TLS was */
    bool greeted;
    const char *problem; /* what came could not be read on */
    unsigned patience_ms;
    unsigned made;
    Ghost ghosts[SOAK_MOST_GHOSTS + 1];
    unsigned ghost_count;
} Runner;

/* ---- Hearing ---------------------------------------------------------------------------------- */

/* The stream is fine, what it carries is not. */
static StreamStatus mismatch(Runner *runner, const char *problem)
{
    runner->problem = problem;
    return STREAM_ENDED;
}

static StreamStatus hear_greeting(Runner *runner)
{
    bool oldstyle = runner->cycle->style == STYLE_OLDSTYLE;
    const uint8_t *at;
    StreamStatus status = stream_hear(&runner->stream, 16, &at);

    if (status != STREAM_FINE)
        return status;
    runner->greeted = true;
    if (wire_get(at, 8) != NBD_INIT_PASSWD ||
        wire_get(at + 8, 8) != (oldstyle ? NBD_CLISERV_MAGIC : NBD_IHAVEOPT))
        return mismatch(runner, "another greeting came than before");
    runner->transmission = oldstyle;
    return stream_skip(&runner->stream, oldstyle ? 12 + NBD_ZEROES : 2);
}

static StreamStatus hear_export(Runner *runner)
{
    runner->transmission = true;
    return stream_skip(&runner->stream, runner->cycle->no_zeroes ? 10 : 10 + NBD_ZEROES);
}

/* Until a final reply, of which OPTION and TYPE are told. */
static StreamStatus hear_final_reply(Runner *runner, uint32_t *option, uint32_t *type)
{
    do {
        const uint8_t *at;
        StreamStatus status = stream_hear(&runner->stream, 20, &at);
        if (status != STREAM_FINE)
            return status;
        if (wire_get(at, 8) != NBD_OPTION_REPLY_MAGIC)
            return mismatch(runner, "what came is no reply to an option");
        *option = (uint32_t)wire_get(at + 8, 4);
        *type = (uint32_t)wire_get(at + 12, 4);
        status = stream_skip(&runner->stream, wire_get(at + 16, 4));
        if (status != STREAM_FINE)
            return status;
    } while (*type != NBD_REP_ACK && (*type & NBD_REP_FLAG_ERROR) == 0);
    if (*option == NBD_OPT_GO && *type == NBD_REP_ACK)
        runner->transmission = true;
    return STREAM_FINE;
}

static StreamStatus play_action(Runner *runner, const SoakAction *action);

static StreamStatus hear_entry(Runner *runner)
{
    uint32_t option, type;
    StreamStatus status = hear_final_reply(runner, &option, &type);

    if (status != STREAM_FINE || runner->transmission)
        return status;
    if (type == NBD_REP_ERR_UNSUP)
        return play_action(runner, &runner->cycle->by_name);
    return mismatch(runner, "the server refused the export");
}

static StreamStatus hear_ack(Runner *runner)
{
    uint32_t option, type;
    StreamStatus status = hear_final_reply(runner, &option, &type);

    return status == STREAM_FINE && type != NBD_REP_ACK
               ? mismatch(runner, "the server refused an option that it has granted before")
               : status;
}

static StreamStatus hear_tls(Runner *runner, bool but_for_last)
{
    StreamStatus status = stream_shake_hands(&runner->stream, but_for_last);

    runner->secure = status == STREAM_FINE && !but_for_last;
    return status;
}

static StreamStatus hear_reply(Runner *runner, uint32_t payload)
{
    const uint8_t *at;
    StreamStatus status = stream_hear(&runner->stream, 16, &at);

    if (status != STREAM_FINE)
        return status;
    if (wire_get(at, 4) != NBD_SIMPLE_REPLY_MAGIC)
        return mismatch(runner, "what came is no simple reply");
    return wire_get(at + 4, 4) != 0 ? STREAM_FINE : stream_skip(&runner->stream, payload);
}

static StreamStatus hear_chunk(Runner *runner, uint32_t most)
{
    const uint8_t *at;
    StreamStatus status = stream_hear(&runner->stream, wire_layout(WIRE_CHUNK)->size, &at);

    if (status != STREAM_FINE)
        return status;
    if (wire_get(at, 4) != NBD_STRUCTURED_REPLY_MAGIC)
        return mismatch(runner, "what came is no chunk of a structured reply");
    return stream_skip(&runner->stream, MIN(wire_get(at + 16, 4), most));
}

static StreamStatus say(Runner *runner, const SoakAction *action)
{
    const uint8_t *bytes = runner->cycle->bytes->data + action->offset;
    StreamStatus status = STREAM_FINE;

    if (action->say == SAY_HELLO)
        status = stream_start_tls(&runner->stream, runner->cycle->tls);
    if (status != STREAM_FINE || (action->say == SAY_BYTES && !action->half))
        return status != STREAM_FINE ? status : stream_say(&runner->stream, bytes, action->size);
    return stream_say_records(&runner->stream, bytes, action->size, action->half);
}

static StreamStatus hear(Runner *runner, const SoakAction *action)
{
    uint32_t option, type;

    switch (action->hear) {
    case HEAR_SOMETHING:
        return stream_wait(&runner->stream);
    case HEAR_GREETING:
        return hear_greeting(runner);
    case HEAR_FINAL_REPLY:
        return hear_final_reply(runner, &option, &type);
    case HEAR_ACK:
        return hear_ack(runner);
    case HEAR_TLS:
    case HEAR_LAST_FLIGHT:
        return hear_tls(runner, action->hear == HEAR_LAST_FLIGHT);
    case HEAR_ENTRY:
        return hear_entry(runner);
    case HEAR_EXPORT:
        return hear_export(runner);
    case HEAR_REPLY:
    case HEAR_PART:
        return hear_reply(runner, action->payload);
    case HEAR_CHUNK:
        return hear_chunk(runner, action->payload);
    case HEAR_NOTHING:
        break;
    }
    return STREAM_FINE;
}

static StreamStatus play_action(Runner *runner, const SoakAction *action)
{
    runner->action = action;
    stream_start_clock(&runner->stream);
    StreamStatus status = say(runner, action);
    return status == STREAM_FINE ? hear(runner, action) : status;
}

/* ---- Ending ----------------------------------------------------------------------------------- */

/* Waits for the server's close, as long as there is hope. */
static void see_off(Runner *runner)
{
    if (runner->leaving.fd >= 0 &&
        stream_drain(&runner->leaving, runner->patience_ms) == STREAM_LATE)
        runner->patience_ms = NO_PATIENCE_MS;
    stream_close(&runner->leaving);
}

/* Nothing more is said. A server that serves several can end this connection while the next one connects, after
 * which its close is waited for. */
static void take_leave(Runner *runner)
{
    see_off(runner);
    stream_forget_tls(&runner->stream);
    runner->leaving.fd = runner->stream.fd;
    runner->leaving.start = runner->leaving.end = 0;
    runner->stream.fd = -1;
    if (!runner->cycle->overlaps)
        see_off(runner);
}

/* TLS may be over already, or the server gone. */
static void say_bye(Runner *runner)
{
    if (!runner->secure)
        return;
    stream_start_clock(&runner->stream);
    (void)stream_say_bye(&runner->stream);
}

static void end_softly(Runner *runner)
{
    const SoakCycle *cycle = runner->cycle;

    if (runner->transmission) {
        (void)play_action(runner, &cycle->disc);
        say_bye(runner);
        take_leave(runner);
    } else { /* once it has answered, a server may leave the closing to us */
        runner->stream.timeout_ms = runner->patience_ms;
        if (play_action(runner, &cycle->abort) == STREAM_LATE)
            runner->patience_ms = NO_PATIENCE_MS;
        runner->stream.timeout_ms = cycle->timeout_ms;
        say_bye(runner);
    }
}

static void end_by_half(Runner *runner)
{
    if (runner->cycle->ends_in_tls)
        say_bye(runner);
    else
        (void)shutdown(runner->stream.fd, SHUT_WR);
    take_leave(runner);
}

/* The oldest ghosts, until LEFT are left. */
static bool raise_ghosts(Runner *runner, unsigned left)
{
    unsigned raised = 0;
    bool fine = true;

    while (runner->ghost_count - raised > left)
        fine = ghost_raise(&runner->ghosts[raised++]) && fine;
    runner->ghost_count -= raised;
    memmove(runner->ghosts, runner->ghosts + raised, runner->ghost_count * sizeof(Ghost));
    return fine;
}

static bool vanish(Runner *runner)
{
    int fd = runner->stream.fd;

    runner->stream.fd = -1;
    if (!ghost_vanish(&runner->ghosts[runner->ghost_count], fd))
        return errno == ENOTCONN; /* the server was faster */
    runner->ghost_count++;
    return raise_ghosts(runner, runner->cycle->ghosts);
}

static bool end(Runner *runner)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    bool fine = true;

    switch (runner->cycle->point.ending) {
    case ENDING_SOFT:
        end_softly(runner);
        break;
    case ENDING_RESET:
        (void)setsockopt(runner->stream.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        break;
    case ENDING_NOTIFY:
        say_bye(runner);
        break;
    case ENDING_HALF:
        end_by_half(runner);
        break;
    case ENDING_VANISH:
        fine = vanish(runner);
        break;
    default:
        break;
    }
    stream_close(&runner->stream);
    return fine;
}

/* ---- Cycling ---------------------------------------------------------------------------------- */

static StreamStatus attempt(Runner *runner)
{
    const SoakCycle *cycle = runner->cycle;

    runner->action = NULL;
    runner->problem = NULL;
    runner->transmission = false;
    runner->secure = false;
    runner->greeted = false;
    StreamStatus status =
        stream_open(&runner->stream, cycle->address, cycle->narrow ? SMALL_BUFFER : 0);
    see_off(runner);
    for (unsigned i = 0; i < cycle->count && status == STREAM_FINE; i++) {
        const SoakAction *action = &cycle->actions[i];
        status = play_action(runner, action);
        if (status == STREAM_ENDED && action->or_end && runner->problem == NULL)
            return STREAM_FINE;
    }
    if (status == STREAM_FINE && cycle->hasty && runner->made % BREATHE == BREATHE - 1) {
        stream_start_clock(&runner->stream);
        status = stream_wait(&runner->stream);
    }
    return status;
}

/* One connection, up to its end. A server that turns us away is asked again for a while. */
static StreamStatus connect_and_play(Runner *runner)
{
    unsigned timeout_ms = runner->cycle->timeout_ms;
    gint64 began_us = g_get_monotonic_time();

    for (unsigned pause_ms = 1;; pause_ms = MIN(2 * pause_ms, 100)) {
        StreamStatus status = attempt(runner);
        bool refused = runner->stream.fd < 0;
        if (status == STREAM_FINE)
            return status;
        stream_close(&runner->stream);
        if (status != STREAM_ENDED || runner->greeted || runner->problem != NULL)
            return status;
        gint64 patience_us = (gint64)(refused ? MIN(timeout_ms, REFUSED_MS) : timeout_ms) * 1000;
        if (g_get_monotonic_time() - began_us >= patience_us)
            return status;
        if (stream_stopped(&runner->stream))
            return STREAM_STOPPED;
        g_usleep(pause_ms * 1000ul);
    }
}

static const char *awaited(const SoakAction *action)
{
    switch (action != NULL ? action->hear : HEAR_NOTHING) {
    case HEAR_SOMETHING:
    case HEAR_GREETING:
        return "the greeting";
    case HEAR_FINAL_REPLY:
    case HEAR_ACK:
    case HEAR_ENTRY:
        return "the reply to an option";
    case HEAR_TLS:
    case HEAR_LAST_FLIGHT:
        return "TLS's handshake";
    case HEAR_EXPORT:
        return "the answer to NBD_OPT_EXPORT_NAME";
    case HEAR_REPLY:
    case HEAR_PART:
    case HEAR_CHUNK:
        return "the reply to a request";
    default:
        return action == NULL ? "a connection" : "room for what we had to say";
    }
}

static void tell(const Runner *runner, StreamStatus status, GError **error)
{
    const char *what = awaited(runner->action);
    bool connecting = runner->action == NULL || !runner->greeted;
    int code = connecting ? SOAK_ERROR_REFUSED : SOAK_ERROR_ANSWER;

    if (status == STREAM_STOPPED)
        g_set_error(error, SOAK_ERROR, SOAK_ERROR_STOPPED, "stopped");
    else if (status == STREAM_FAILED)
        g_set_error(error, SOAK_ERROR, SOAK_ERROR_USAGE, "cannot connect to %s: %s",
                    transport_address_name(runner->cycle->address),
                    g_strerror(runner->stream.number));
    else if (runner->problem != NULL)
        g_set_error(error, SOAK_ERROR, SOAK_ERROR_ANSWER, "%s", runner->problem);
    else if (status == STREAM_LATE)
        g_set_error(error, SOAK_ERROR, code, "%s did not come within %u ms", what,
                    runner->cycle->timeout_ms);
    else if (runner->action == NULL)
        g_set_error(error, SOAK_ERROR, code, "connections are not accepted: %s",
                    g_strerror(runner->stream.number));
    else
        g_set_error(error, SOAK_ERROR, code, "the connection ended where %s was due", what);
}

bool soak_cycle_run(const SoakCycle *cycle, unsigned count, unsigned *done, GError **error)
{
    Runner runner = {.cycle = cycle,
                     .patience_ms = MIN(PATIENCE_MS, cycle->timeout_ms),
                     .stream = {.fd = -1, .timeout_ms = cycle->timeout_ms, .stop = cycle->stop},
                     .leaving = {.fd = -1, .stop = cycle->stop}};
    StreamStatus status = STREAM_FINE;
    bool fine = true;

    for (runner.made = 0; runner.made < count && fine; runner.made += fine) {
        status = stream_stopped(&runner.stream) ? STREAM_STOPPED : connect_and_play(&runner);
        fine = status == STREAM_FINE && end(&runner);
    }
    see_off(&runner);
    if (done != NULL)
        *done = runner.made;
    if (status != STREAM_FINE) {
        tell(&runner, status, error);
        (void)raise_ghosts(&runner, 0);
        return false;
    }
    if (!raise_ghosts(&runner, 0) || !fine) {
        g_set_error(error, SOAK_ERROR, SOAK_ERROR_USAGE,
                    "a connection could not vanish, or not be ended afterwards: %s",
                    g_strerror(errno));
        return false;
    }
    return true;
}
