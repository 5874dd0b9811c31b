/* Answers to NBD_CMD_BLOCK_STATUS: a chunk of extents for each context.
 *
 * A reply may tell less than it was asked for, so neither its size nor the time for it depends on the
 * client: it ends after so many extents, or after so many that took a look at the whole disk. */
#include <string.h>

#include "reference/message.h"
#include "reference/reply.h"

#define MOST_EXTENTS 1024u
#define LONG_EXTENT (UINT64_C(16) << 20)
#define MOST_LONG_EXTENTS 32u

/* Extents of CONTEXT from the request's beginning on; neighbours of the same status are one. */
static unsigned find_extents(const Connection *c, const Request *request, unsigned context,
                             unsigned most, Extent *extents)
{
    uint64_t done = 0;
    unsigned count = 0;
    unsigned longs = 0;

    while (done < request->length && longs < MOST_LONG_EXTENTS) {
        DiskRequest extent = {
            .op = DISK_EXTENT, .offset = request->offset + done, .length = request->length - done};
        disk_submit(c->disk, &extent);
        uint64_t status = context_status(context, extent.state);
        longs += extent.length >= LONG_EXTENT;
        if (count > 0 && extents[count - 1].status == status) {
            extents[count - 1].length += extent.length;
        } else {
            if (count == most)
                break;
            extents[count++] = (Extent){extent.length, status};
        }
        done += extent.length;
    }
    return count;
}

static void put_status(Connection *c, Request *request, unsigned context, bool last)
{
    const unsigned most = request->flags & NBD_CMD_FLAG_REQ_ONE ? 1 : MOST_EXTENTS;
    const bool extended = c->agreed.replies == EXTENDED_HEADERS;
    const size_t width = extended ? 8 : 4;
    Extent extents[MOST_EXTENTS + 1];
    uint8_t head[8 + 16 * (MOST_EXTENTS + 1)];
    uint32_t id = context_id(context);
    uint8_t *at = head + width;
    unsigned count = find_extents(c, request, context, most, extents);

    count = message_see_status(c, request, &id, extents, count);
    wire_put(head, 4, id);
    if (extended)
        wire_put(head + 4, 4, count);
    for (unsigned i = 0; i < count; i++, at += 2 * width) {
        wire_put(at, width, extents[i].length);
        wire_put(at + width, width, extents[i].status);
    }
    const Chunk chunk = {
        .type = extended ? NBD_REPLY_TYPE_BLOCK_STATUS_EXT : NBD_REPLY_TYPE_BLOCK_STATUS,
        .done = last,
        .head = head,
        .head_size = (size_t)(at - head),
    };
    (void)message_put_chunk(c, request, &chunk);
}

Step reply_status(Connection *c, Request *request)
{
    size_t room;

    if (connection_room(c, HANDSHAKE_ROOM, &room) == NULL)
        return STEP_OUTPUT;
    if (request->contexts != 0) {
        unsigned context = context_take(&request->contexts, request->backwards);
        put_status(c, request, context, request->contexts == 0);
    }
    request->active = request->contexts != 0;
    return STEP_AGAIN;
}
