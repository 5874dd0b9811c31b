/* Answers to requests: simple replies, and chunks.
 *
 * Data go from the disk into the output, as much as there is room for; what is promised by a header
 * and does not fit follows step by step. */
#include <string.h>

#include "reference/message.h"
#include "reference/reply.h"

#define ERROR_ROOM 256u /* for an error chunk */

/* ---- Ends ------------------------------------------------------------------------------------ */

static const char *explain(uint32_t error)
{
    switch (error) {
    case NBD_EPERM:
        return "the export is read-only";
    case NBD_EIO:
        return "the disk fails";
    case NBD_EINVAL:
        return "no such request is served here";
    case NBD_ENOSPC:
        return "there is no space for it";
    case NBD_EOVERFLOW:
        return "too long to be answered in one piece";
    case NBD_ENOTSUP:
        return "that would not be fast";
    case NBD_ESHUTDOWN:
        return "the server is being shut down";
    default:
        return "";
    }
}

/* An error chunk, the last of its reply; with OFFSET, unless that is NULL. */
static void put_error(Connection *c, Request *request, const uint64_t *offset)
{
    uint8_t head[128];
    size_t length = g_strlcpy((char *)head + 6, explain(request->error), sizeof head - 14);
    Chunk chunk = {
        .type = offset != NULL ? NBD_REPLY_TYPE_ERROR_OFFSET : NBD_REPLY_TYPE_ERROR,
        .done = true,
        .head = head,
        .head_size = 6 + length,
    };

    wire_put(head, 4, request->error);
    wire_put(head + 4, 2, length);
    if (offset != NULL) {
        wire_put(head + chunk.head_size, 8, *offset);
        chunk.head_size += 8;
    }
    (void)message_put_chunk(c, request, &chunk);
    request->active = false;
}

static void put_none(Connection *c, Request *request)
{
    const Chunk chunk = {.type = NBD_REPLY_TYPE_NONE, .done = true};

    (void)message_put_chunk(c, request, &chunk);
    request->active = false;
}

/* Whether a success without data is said by a simple reply. */
static bool is_simple(const Connection *c)
{
    return c->agreed.replies == SIMPLE_REPLIES ||
           (c->agreed.replies == STRUCTURED_REPLIES && !c->loop->server->structured_always);
}

void reply_finish(Connection *c, Request *request)
{
    if (request->error != NBD_SUCCESS && c->agreed.replies != SIMPLE_REPLIES) {
        put_error(c, request, NULL);
    } else if (is_simple(c)) {
        message_put_simple_reply(c, request);
        request->active = false;
    } else {
        put_none(c, request);
    }
}

/* ---- Data that a header promises -------------------------------------------------------------- */

/* LENGTH bytes of data already stand at DATA, where the output is to go on behind the header, unless a
 * quirk has put something else there: then they are read again. */
static void send_what_is_there(Connection *c, Request *request, uint8_t *data, size_t length)
{
    size_t room;

    request->replied = true;
    if (connection_room(c, 0, &room) == data && request->done <= request->until) {
        message_see_data(c, request, data, length);
        connection_put(c, length);
    } else {
        request->done -= length;
    }
}

/* A chunk is filled up with zeroes before its error is told. */
static void fail_to_read(Connection *c, Request *request, uint8_t *out, size_t length,
                         uint32_t error)
{
    if (c->agreed.replies == SIMPLE_REPLIES) {
        connection_doom(c, FATE_END); /* success has been promised: there is no other way out */
        return;
    }
    memset(out, 0, length);
    if (request->error == NBD_SUCCESS)
        request->failed_at = request->offset + request->done - length;
    request->error = error;
}

static void end_data(Connection *c, Request *request)
{
    request->replied = false;
    request->active = !request->last;
    if (request->active && request->error != NBD_SUCCESS)
        put_error(c, request, &request->failed_at);
}

Step reply_go_on_reading(Connection *c, Request *request)
{
    size_t room;

    if (request->done == request->until) {
        if (connection_room(c, ERROR_ROOM, &room) == NULL)
            return STEP_OUTPUT;
        end_data(c, request);
        return STEP_AGAIN;
    }
    uint8_t *out = connection_room(c, 1, &room);
    if (out == NULL)
        return STEP_OUTPUT;
    size_t length = (size_t)MIN(room, request->until - request->done);
    uint32_t error = request_do_piece(c, request, DISK_READ, out, length);
    if (error != NBD_SUCCESS)
        fail_to_read(c, request, out, length, error);
    message_see_data(c, request, out, length);
    connection_put(c, length);
    return STEP_AGAIN;
}

/* ---- Reading, with simple replies ------------------------------------------------------------- */

/* A read fails as a whole or not at all, so its first piece is read before the header is sent. */
static Step begin_simple_read(Connection *c, Request *request)
{
    const size_t header = wire_layout(WIRE_SIMPLE_REPLY)->size;
    size_t room;
    uint8_t *out = connection_room(c, header, &room);

    if (out == NULL)
        return STEP_OUTPUT;
    uint8_t *data = out + header;
    size_t length = (size_t)MIN(room - header, request->length);
    request->error = request_do_piece(c, request, DISK_READ, data, length);
    if (request->error != NBD_SUCCESS) {
        reply_finish(c, request);
        return STEP_AGAIN;
    }
    message_put_simple_reply(c, request);
    request->until = request->length;
    request->last = true;
    send_what_is_there(c, request, data, length);
    return STEP_AGAIN;
}

/* ---- Reading, in chunks ----------------------------------------------------------------------- */

uint64_t reply_longest_chunk(const Connection *c)
{
    return c->facts.constrained ? c->facts.maximum : LONGEST_PAYLOAD;
}

static Step put_hole(Connection *c, Request *request, uint64_t length)
{
    uint8_t head[12];
    Chunk chunk = {.type = NBD_REPLY_TYPE_OFFSET_HOLE, .head = head, .head_size = sizeof head};

    wire_put(head, 8, request->offset + request->done);
    wire_put(head + 8, 4, length);
    request->done += length;
    chunk.done = request->done == request->length;
    request->last = chunk.done;
    (void)message_put_chunk(c, request, &chunk);
    request->active = !request->last;
    return STEP_AGAIN;
}

/* A chunk of LENGTH bytes of data. It is the last of its reply only if all of them are there before
 * its header is sent: else an error could still come in between. */
static Step put_data(Connection *c, Request *request, uint64_t length)
{
    const size_t header = message_chunk_header(c) + 8;
    uint8_t head[8];
    Chunk chunk = {
        .type = NBD_REPLY_TYPE_OFFSET_DATA, .head = head, .head_size = sizeof head, .data = length};
    size_t room;
    uint8_t *out = connection_room(c, header, &room);

    if (out == NULL)
        return STEP_OUTPUT;
    size_t there = (size_t)MIN(room - header, length);
    request->failed_at = request->offset + request->done;
    wire_put(head, 8, request->failed_at);
    request->until = request->done + length;
    request->error = request_do_piece(c, request, DISK_READ, out + header, there);
    if (request->error != NBD_SUCCESS) {
        put_error(c, request, &request->failed_at);
        return STEP_AGAIN;
    }
    chunk.done = request->done == request->length;
    request->last = chunk.done;
    if (message_put_chunk(c, request, &chunk)) {
        send_what_is_there(c, request, out + header, there);
    } else {
        request->done = request->until;
        request->active = !request->last;
    }
    return STEP_AGAIN;
}

static Step put_next_chunk(Connection *c, Request *request)
{
    DiskRequest extent = {
        .op = DISK_EXTENT,
        .offset = request->offset + request->done,
        .length = request->length - request->done,
    };

    if (extent.length == 0) {
        put_none(c, request);
        return STEP_AGAIN;
    }
    if (!(request->flags & NBD_CMD_FLAG_DF))
        disk_submit(c->disk, &extent);
    if (extent.state & NBD_STATE_ZERO)
        return put_hole(c, request, extent.length);
    return put_data(c, request, MIN(extent.length, reply_longest_chunk(c)));
}

Step reply_read(Connection *c, Request *request)
{
    return c->agreed.replies == SIMPLE_REPLIES ? begin_simple_read(c, request)
                                               : put_next_chunk(c, request);
}
