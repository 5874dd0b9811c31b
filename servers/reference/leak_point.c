/* Leaks: at which point a connection ends, and whether that is one where something is kept. */

#include "reference/connection.h"
#include "reference/leak.h"
#include "wire/wire.h"

struct LeakMemory {
    LeakSight last;    /* what came last */
    bool company;      /* a request with others before or behind it in the same input */
    bool more;         /* there was more input behind it */
    LeakPhase phase;   /* where it ended; LEAK_ANYWHERE: it has not */
    LeakEnding ending; /* and how */
};

LeakMemory *leak_memory_new(const LeakSet *set)
{
    return set->leaks != NULL ? g_new0(LeakMemory, 1) : NULL;
}

/* ---- Where ----------------------------------------------------------------------------------- */

static LeakPhase after_option(uint32_t option)
{
    switch (option) {
    case NBD_OPT_LIST:
        return LEAK_BETWEEN_OPTIONS;
    case NBD_OPT_INFO:
        return LEAK_AFTER_INFO;
    case NBD_OPT_GO:
        return LEAK_AFTER_FAILED_GO;
    case NBD_OPT_EXPORT_NAME:
        return LEAK_AFTER_FAILED_EXPORT_NAME;
    default:
        return LEAK_AFTER_UNKNOWN_OPTION;
    }
}

static LeakPhase in_handshake(const Connection *c, size_t waiting)
{
    switch (c->leaks->last) {
    case LEAK_SEES_NOTHING:
        return waiting > 0 ? LEAK_INSIDE_CLIENT_FLAGS : LEAK_AFTER_CONNECT;
    case LEAK_SEES_FLAGS:
        return waiting > 0 ? LEAK_INSIDE_OPTION_HEADER : LEAK_AFTER_CLIENT_FLAGS;
    default:
        break;
    }
    if (c->option.pending)
        return LEAK_INSIDE_OPTION_DATA;
    if (waiting == 0 && c->tls != NULL && c->option.option == NBD_OPT_STARTTLS)
        return LEAK_AFTER_TLS_HANDSHAKE;
    return waiting > 0 ? LEAK_INSIDE_OPTION_HEADER : after_option(c->option.option);
}

static LeakPhase before_requests(const Connection *c)
{
    if (c->leaks->last == LEAK_SEES_NOTHING)
        return LEAK_AFTER_CONNECT; /* oldstyle */
    return c->option.option == NBD_OPT_EXPORT_NAME ? LEAK_AFTER_EXPORT_NAME : LEAK_AFTER_GO;
}

static LeakPhase after_request(const Connection *c)
{
    const Request *request = &c->request;

    switch (request->type) {
    case NBD_CMD_WRITE:
        return request->active ? LEAK_INSIDE_WRITE_PAYLOAD : LEAK_WRITES_IN_FLIGHT;
    case NBD_CMD_FLUSH:
        return LEAK_FLUSH_IN_FLIGHT;
    case NBD_CMD_TRIM:
        return LEAK_TRIM_IN_FLIGHT;
    case NBD_CMD_WRITE_ZEROES:
        return LEAK_WRITE_ZEROES_IN_FLIGHT;
    case NBD_CMD_CACHE:
        return LEAK_CACHE_IN_FLIGHT;
    default:
        break;
    }
    if (request->active || c->leaks->company || c->out.end > c->out.start)
        return LEAK_READS_IN_FLIGHT;
    return request->error != NBD_SUCCESS ? LEAK_AFTER_ERROR : LEAK_AFTER_REPLY;
}

/* Where in TLS, as far as that is not for the protocol inside to tell; LEAK_ANYWHERE: it is. */
static LeakPhase in_tls(const Connection *c, LeakEnding ending)
{
    if (c->tls == NULL)
        return LEAK_ANYWHERE;
    const TlsSessionFacts facts = tls_session_facts(c->tls);
    if (!facts.established)
        return LEAK_INSIDE_TLS_HANDSHAKE;
    return facts.inside_record && ending != LEAK_SOFT ? LEAK_INSIDE_TLS_RECORD : LEAK_ANYWHERE;
}

/* WAITING bytes are a part of a message to come: or whole ones, where replies could not be sent. */
static LeakPhase where(const Connection *c, size_t waiting)
{
    if (c->step != transmission_step)
        return in_handshake(c, waiting);
    if (!c->request.active && waiting > 0 && waiting < wire_layout(WIRE_REQUEST)->size)
        return LEAK_INSIDE_REQUEST_HEADER;
    return c->leaks->last == LEAK_SEES_REQUEST ? after_request(c) : before_requests(c);
}

static void note_end(Connection *c, LeakEnding ending)
{
    if (c->leaks->phase != LEAK_ANYWHERE)
        return;
    c->leaks->phase = in_tls(c, ending);
    if (c->leaks->phase == LEAK_ANYWHERE)
        c->leaks->phase = where(c, ending == LEAK_SOFT ? 0 : connection_available(c));
    c->leaks->ending = ending;
}

/* ---- What is seen ---------------------------------------------------------------------------- */

static bool is_goodbye(LeakSight what, uint64_t code)
{
    return what == LEAK_SEES_OPTION ? code == NBD_OPT_ABORT
                                    : what == LEAK_SEES_REQUEST && code == NBD_CMD_DISC;
}

void leak_see_message(Connection *c, LeakSight what, uint64_t code)
{
    LeakMemory *memory = c->leaks;

    if (memory == NULL)
        return;
    bool more = connection_available(c) > 0;
    if (is_goodbye(what, code)) {
        note_end(c, LEAK_SOFT);
        return;
    }
    memory->company = what == LEAK_SEES_REQUEST && (more || memory->more);
    memory->more = more && what == LEAK_SEES_REQUEST;
    memory->last = what;
}

/* TLS makes an end of whatever happens to the stream. */
static LeakEnding how_it_left(const Connection *c)
{
    if (c->tls == NULL)
        return c->at_end ? LEAK_EOF : LEAK_RESET;
    const TlsSessionFacts facts = tls_session_facts(c->tls);
    if (facts.end == SESSION_NOTIFIED)
        return LEAK_NOTIFY;
    if (facts.end == SESSION_GARBLED || facts.end == SESSION_DISTRUSTED)
        return LEAK_HANGUP;
    return facts.reset ? LEAK_RESET : LEAK_EOF;
}

void leak_see_leave(Connection *c)
{
    if (c->leaks != NULL && c->fate == FATE_NONE)
        note_end(c, how_it_left(c));
}

/* ---- The end --------------------------------------------------------------------------------- */

/* Ends that nobody noted: a reply that could not be sent, or a hang-up of our own. What else is
 * freed, the server drops because it stops. */
static bool note_late_end(Connection *c)
{
    if (c->fate == FATE_LOSE)
        note_end(c, LEAK_RESET);
    else if (c->fate == FATE_END)
        note_end(c, LEAK_HANGUP);
    return c->leaks->phase != LEAK_ANYWHERE;
}

static bool has_point(const Leak *leak, const Connection *c)
{
    const LeakMemory *memory = c->leaks;
    bool soft = memory->ending == LEAK_SOFT;
    bool in_transmission = c->step == transmission_step;

    if (leak->ending != LEAK_ANYHOW && leak->ending != memory->ending)
        return false;
    if (leak->inside_tls && (c->tls == NULL || !tls_session_facts(c->tls).established))
        return false;
    if (leak->phase == LEAK_AFTER_ABORT)
        return soft && !in_transmission;
    if (leak->phase == LEAK_AFTER_DISC)
        return soft && in_transmission;
    return leak->phase == LEAK_ANYWHERE || leak->phase == memory->phase;
}

void leak_see_end(Connection *c)
{
    if (c->leaks == NULL)
        return;
    if (!note_late_end(c))
        return;
    GArray *leaks = c->loop->server->leaks.leaks;
    for (guint i = 0; i < leaks->len; i++) {
        Leak *leak = &g_array_index(leaks, Leak, i);
        if (!has_point(leak, c))
            continue;
        unsigned ends = __atomic_add_fetch(&leak->ends, 1, __ATOMIC_RELAXED);
        if (ends % leak->every == 0 && ends / leak->every <= leak->most)
            leak_keep(leak, c->fd);
    }
}
