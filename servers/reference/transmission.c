/* The transmission phase: requests are taken, judged and carried out; reply.c answers them.
 *
 * Requests are carried out in the order of their arrival, long ones piece by piece, so that neither
 * memory nor time for one step depends on what a client asks for. */
#include <string.h>

#include "reference/message.h"
#include "reference/reply.h"

#define REPLY_ROOM 4096u          /* for the header of a reply */
#define WHOLE_WRITE (128u * 1024) /* up to here a write is applied when all of it is there */
#define WRITE_PIECE (32u * 1024)  /* longer ones come in pieces of at least this */
#define ALLOCATING_PIECE (UINT64_C(1) << 20)
#define DISCARDING_PIECE (UINT64_C(1) << 62) /* takes as long as there are pages */

/* ---- Judging requests ------------------------------------------------------------------------ */

static bool writes(uint16_t type)
{
    return type == NBD_CMD_WRITE || type == NBD_CMD_TRIM || type == NBD_CMD_WRITE_ZEROES;
}

static bool has_payload(uint16_t type)
{
    return type == NBD_CMD_READ || type == NBD_CMD_WRITE;
}

static bool offers(const Connection *c, uint64_t flag)
{
    return c->facts.flags & flag;
}

static bool knows_command(const Connection *c, uint16_t type)
{
    switch (type) {
    case NBD_CMD_READ:
    case NBD_CMD_WRITE:
        return true;
    case NBD_CMD_FLUSH:
        return offers(c, NBD_FLAG_SEND_FLUSH);
    case NBD_CMD_TRIM:
        return offers(c, NBD_FLAG_SEND_TRIM);
    case NBD_CMD_CACHE:
        return offers(c, NBD_FLAG_SEND_CACHE);
    case NBD_CMD_WRITE_ZEROES:
        return offers(c, NBD_FLAG_SEND_WRITE_ZEROES);
    case NBD_CMD_BLOCK_STATUS:
        return c->agreed.contexts != 0;
    case NBD_CMD_RESIZE:
        return offers(c, NBD_FLAG_SEND_RESIZE);
    default:
        return false;
    }
}

/* The flags that may be set on a command ("Command flags"). */
static uint16_t known_flags(const Connection *c, uint16_t type)
{
    uint16_t flags = offers(c, NBD_FLAG_SEND_FUA) ? NBD_CMD_FLAG_FUA : 0;

    if (type == NBD_CMD_READ && offers(c, NBD_FLAG_SEND_DF))
        flags |= NBD_CMD_FLAG_DF;
    if (type == NBD_CMD_BLOCK_STATUS)
        flags |= NBD_CMD_FLAG_REQ_ONE;
    if (type == NBD_CMD_BLOCK_STATUS && offers(c, NBD_FLAG_BLOCK_STATUS_PAYLOAD))
        flags |= NBD_CMD_FLAG_PAYLOAD_LEN;
    if (type == NBD_CMD_WRITE && c->agreed.replies == EXTENDED_HEADERS)
        flags |= NBD_CMD_FLAG_PAYLOAD_LEN;
    if (type == NBD_CMD_WRITE_ZEROES)
        flags |= NBD_CMD_FLAG_NO_HOLE;
    if (type == NBD_CMD_WRITE_ZEROES && offers(c, NBD_FLAG_SEND_FAST_ZERO))
        flags |= NBD_CMD_FLAG_FAST_ZERO;
    return flags;
}

static bool beyond(const Request *request, uint64_t size)
{
    return request->offset > size || request->length > size - request->offset;
}

static bool beyond_end(const Connection *c, const Request *request)
{
    return beyond(request, c->facts.size);
}

/* The longest payload that we take or give. */
static uint64_t payload_limit(const Connection *c)
{
    bool insists = c->facts.constrained && !c->facts.lenient;

    return insists ? c->facts.maximum : MAX(LONGEST_PAYLOAD, c->facts.maximum);
}

static bool breaks_constraints(const Connection *c, const Request *request)
{
    bool insists = c->facts.constrained && !c->facts.lenient;

    return (insists && (request->offset | request->length) & (c->facts.minimum - 1)) ||
           (has_payload(request->type) && request->length > payload_limit(c));
}

/* A read that is not to be fragmented, and has to be: what one chunk may hold, the export says. */
static bool too_long_for_one(const Connection *c, const Request *request)
{
    uint64_t most = MIN(c->facts.unfragmented, reply_longest_chunk(c));

    return request->type == NBD_CMD_READ && (request->flags & NBD_CMD_FLAG_DF) &&
           request->length > most;
}

/* The payload of NBD_CMD_BLOCK_STATUS: an effect length, and ids of contexts. */
#define STATUS_PAYLOAD(count) (8 + 4 * (uint64_t)(count))

/* With extended headers, a flag tells whether there is a payload: a write must have one, and so may
 * NBD_CMD_BLOCK_STATUS, of which nothing is known beyond our contexts. */
static bool fine_payload(const Connection *c, const Request *request)
{
    if (c->agreed.replies != EXTENDED_HEADERS)
        return true;
    if (!(request->flags & NBD_CMD_FLAG_PAYLOAD_LEN))
        return request->type != NBD_CMD_WRITE;
    if (request->type == NBD_CMD_BLOCK_STATUS)
        return request->payload >= STATUS_PAYLOAD(1) &&
               request->payload <= STATUS_PAYLOAD(CONTEXTS) && request->payload % 4 == 0;
    return request->payload > 0;
}

/* The errors that the extension names for it; NBD_EINVAL is none of them. */
static uint32_t judge_resize(const Connection *c, const Request *request)
{
    if (offers(c, NBD_FLAG_READ_ONLY) || request->offset % c->facts.minimum != 0)
        return NBD_EPERM;
    return request->offset > INT64_MAX ? NBD_ENOSPC : NBD_SUCCESS;
}

/* The error that the chapter "Error values" names; NBD_SUCCESS if the request is fine. */
static uint32_t judge(const Connection *c, const Request *request)
{
    if (server_is_ending(c->loop->server))
        return NBD_ESHUTDOWN;
    if (!knows_command(c, request->type) || request->flags & ~known_flags(c, request->type) ||
        !fine_payload(c, request))
        return NBD_EINVAL;
    if (request->type == NBD_CMD_BLOCK_STATUS && request->payload > 0)
        return NBD_SUCCESS; /* which says what is asked for */
    if (request->type == NBD_CMD_RESIZE)
        return judge_resize(c, request);
    if (request->type == NBD_CMD_FLUSH)
        return request->offset != 0 || request->length != 0 ? NBD_EINVAL : NBD_SUCCESS;
    if (writes(request->type) && offers(c, NBD_FLAG_READ_ONLY))
        return NBD_EPERM;
    if (request->type == NBD_CMD_BLOCK_STATUS && request->length == 0)
        return NBD_EINVAL; /* of nothing, there is no extent to be told */
    if (beyond_end(c, request) && !beyond(request, c->size_before))
        return NBD_ENOSPC; /* what resizing has taken away ("NBD_CMD_RESIZE") */
    if (beyond_end(c, request))
        return request->type == NBD_CMD_WRITE || request->type == NBD_CMD_WRITE_ZEROES ? NBD_ENOSPC
                                                                                       : NBD_EINVAL;
    if (breaks_constraints(c, request))
        return NBD_EINVAL;
    return too_long_for_one(c, request) ? NBD_EOVERFLOW : NBD_SUCCESS;
}

/* ---- Carrying them out ----------------------------------------------------------------------- */

uint32_t request_do_piece(Connection *c, Request *request, DiskOp op, uint8_t *data,
                          uint64_t length)
{
    DiskRequest piece = {
        .op = op,
        .flags = request->flags,
        .more = request->done + length < request->length,
        .offset = request->offset + request->done,
        .length = length,
        .data = data,
    };

    disk_submit(c->disk, &piece);
    request->done += length;
    return piece.error;
}

/* Takes the payload of a request that has failed, or that should not have one. */
static Step skip_payload(Connection *c, Request *request)
{
    size_t length = (size_t)MIN(request->payload, connection_available(c));

    connection_take(c, length);
    request->payload -= length;
    return length > 0 ? STEP_AGAIN : STEP_INPUT;
}

static Step do_write(Connection *c, Request *request)
{
    uint64_t wanted =
        request->length <= WHOLE_WRITE ? request->payload : MIN(request->payload, WRITE_PIECE);

    if (connection_available(c) < wanted)
        return STEP_INPUT;
    size_t length = (size_t)MIN(request->payload, connection_available(c));
    if (length > 0)
        request->error = request_do_piece(c, request, DISK_WRITE, c->in.data + c->in.start, length);
    connection_take(c, length);
    request->payload -= length;
    if (request->payload == 0)
        reply_finish(c, request);
    return STEP_AGAIN;
}

static Step do_without_payload(Connection *c, Request *request, DiskOp op)
{
    bool allocates = request->flags & NBD_CMD_FLAG_NO_HOLE;
    uint64_t length =
        MIN(request->length - request->done, allocates ? ALLOCATING_PIECE : DISCARDING_PIECE);

    request->error = request_do_piece(c, request, op, NULL, length);
    if (request->error != NBD_SUCCESS || request->done == request->length)
        reply_finish(c, request);
    return STEP_AGAIN;
}

/* Ids of contexts, to be told alone. False if one is unknown, not selected, or there twice. */
static bool choose_contexts(const Connection *c, Request *request, const uint8_t *ids)
{
    uint64_t count = (request->payload - STATUS_PAYLOAD(0)) / 4;

    request->contexts = 0;
    for (uint64_t i = 0; i < count; i++) {
        ContextSet one = context_of_id((uint32_t)wire_get(ids + 4 * i, 4));
        if (!(one & c->agreed.contexts) || (one & request->contexts))
            return false;
        request->contexts |= one;
    }
    return true;
}

static Step take_status_payload(Connection *c, Request *request)
{
    const uint8_t *payload = connection_peek(c, request->payload);

    if (payload == NULL)
        return STEP_INPUT;
    bool known = choose_contexts(c, request, payload + 8);
    request->length = wire_get(payload, 8);
    connection_take(c, request->payload);
    request->payload = 0;
    request->flags &= (uint16_t)~NBD_CMD_FLAG_PAYLOAD_LEN;
    request->error = known ? judge(c, request) : NBD_EINVAL;
    return STEP_AGAIN;
}

/* The new size holds here at once, and for whoever negotiates from now on. What is cut off is gone. */
static Step resize(Connection *c, Request *request)
{
    DiskRequest rest = {.op = DISK_TRIM, .offset = request->offset};

    c->size_before = c->facts.size;
    if (request->offset < c->facts.size) {
        rest.length = c->facts.size - request->offset;
        disk_submit(c->disk, &rest);
    }
    c->facts.size = request->offset;
    __atomic_store_n(c->export->size, c->facts.size, __ATOMIC_RELAXED);
    reply_finish(c, request);
    return STEP_AGAIN;
}

static Step go_on(Connection *c, Request *request)
{
    if (request->replied)
        return reply_go_on_reading(c, request);
    if (request->payload > 0 && request->error != NBD_SUCCESS)
        return skip_payload(c, request);
    if (request->error != NBD_SUCCESS) {
        reply_finish(c, request);
        return STEP_AGAIN;
    }
    switch (request->type) {
    case NBD_CMD_READ:
        return reply_read(c, request);
    case NBD_CMD_BLOCK_STATUS:
        return request->payload > 0 ? take_status_payload(c, request) : reply_status(c, request);
    case NBD_CMD_RESIZE:
        return resize(c, request);
    case NBD_CMD_WRITE:
        return do_write(c, request);
    case NBD_CMD_WRITE_ZEROES:
        return do_without_payload(c, request, DISK_ZERO);
    case NBD_CMD_TRIM:
        return do_without_payload(c, request, DISK_TRIM);
    case NBD_CMD_CACHE:
        return do_without_payload(c, request, DISK_CACHE);
    default:
        return do_without_payload(c, request, DISK_FLUSH);
    }
}

/* ---- Receiving them -------------------------------------------------------------------------- */

/* Longer payloads are an attack. With extended headers, clients know that from us or by default. */
static uint64_t longest_payload(const Connection *c)
{
    return c->agreed.replies == EXTENDED_HEADERS ? c->facts.maximum
                                                 : MAX(LONGEST_PAYLOAD, c->facts.maximum);
}

static Step take_request(Connection *c, Request *request)
{
    bool right_magic;

    if (!message_get_request(c, request, &right_magic))
        return STEP_INPUT;
    c->loop->requests++;
    if (!right_magic || request->payload > longest_payload(c))
        connection_doom(c, FATE_END);
    else if (request->type == NBD_CMD_DISC && request->error == NBD_SUCCESS)
        connection_doom(c, FATE_DONE); /* all that was asked before has been answered */
    else if (request->error == NBD_SUCCESS)
        request->error = judge(c, request);
    return STEP_AGAIN;
}

/* A long request that yields no output yet: the others get their turn between its pieces. */
static bool is_long(const Request *request)
{
    return request->active && !request->replied && request->done > 0 &&
           request->type != NBD_CMD_READ;
}

/* As many requests as there are input and room for. */
Step transmission_step(Connection *c)
{
    Request *request = &c->request;
    Step next = STEP_AGAIN;
    size_t room;

    while (next == STEP_AGAIN && c->fate == FATE_NONE) {
        if (!request->replied && connection_room(c, REPLY_ROOM, &room) == NULL)
            return STEP_OUTPUT;
        next = request->active ? go_on(c, request) : take_request(c, request);
        if (is_long(request))
            return next;
    }
    if (next != STEP_OUTPUT)
        message_put_late(c);
    return next;
}
