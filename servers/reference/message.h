/* Messages between the protocol and the bytes: what comes is decoded, what goes is encoded, and on
 * the way both pass the quirks. */
#ifndef NBDCONFORM_REFERENCE_MESSAGE_H
#define NBDCONFORM_REFERENCE_MESSAGE_H

#include "reference/connection.h"
#include "wire/wire.h"

/* Receiving. False: not all of it has come. */
bool message_get_client_flags(Connection *c, uint32_t *flags);
bool message_get_option_header(Connection *c, uint64_t values[WIRE_MAX_FIELDS]);
bool message_get_request(Connection *c, Request *request, bool *right_magic);

/* The pending option's data, which the caller takes from the input when it is done with them;
 * LENGTH is what the protocol is to make of them. False: it has been dealt with. */
bool message_see_option(Connection *c, const uint8_t *data, uint32_t *length);

/* What the client is told of an export, FACTS as they are; EXPORT is NULL if there is none. */
const Export *message_see_export(Connection *c, const Export *export, size_t name_length,
                                 ExportFacts *facts);

/* What the connection is to use for the export's disk. */
Disk *message_see_disk(Connection *c, Disk *disk);

/* The client has closed, or TLS has failed. */
void message_see_leave(Connection *c);

/* How TLS is to begin. */
typedef struct {
    const char *priorities; /* NULL: as configured */
    Agreed agreed;          /* what holds inside of it */
    bool hushed;            /* nobody is told why it fails */
    bool keeps_input;       /* what the client sent ahead of its time is taken for options */
    bool stays_plain;       /* TLS does not begin at all */
} TlsStart;

TlsStart message_see_tls(Connection *c);

/* Our side of TLS ends. False: without close_notify. */
bool message_see_tls_end(Connection *c, bool hangs_up);

/* Sending; the caller has made sure that there is room, HANDSHAKE_ROOM for what belongs there. */
#define HANDSHAKE_ROOM ((size_t)64 * 1024)
void message_put_oldstyle(Connection *c);
void message_put_newstyle(Connection *c, uint64_t handshake_flags);
void message_put_export(Connection *c);
void message_put_option_reply(Connection *c, uint32_t type, const void *data, size_t length);

/* The header of a reply to REQUEST, with request->error. The data of a successful read follow, made
 * by the caller: request->length bytes, which may have become another number. */
void message_put_simple_reply(Connection *c, Request *request);

/* If the reply to an earlier request has been kept back, it is sent now. */
void message_put_late(Connection *c);

/* A chunk of a reply. Payload: HEAD, and then DATA bytes that the caller makes. */
typedef struct {
    uint16_t type;
    bool done; /* the last of the reply */
    const uint8_t *head;
    size_t head_size;
    uint64_t data;
} Chunk;

/* Its header, in the form that was agreed, and its head. False if a quirk has kept it to itself: its
 * data are not to be sent. */
bool message_put_chunk(Connection *c, Request *request, const Chunk *chunk);

/* An extent of a metadata context. */
typedef struct {
    uint64_t length, status;
} Extent;

/* What is told of CONTEXT, an id; EXTENTS has room for one more than COUNT. The new count. */
unsigned message_see_status(Connection *c, const Request *request, uint32_t *context,
                            Extent *extents, unsigned count);

/* The size of such a header. */
size_t message_chunk_header(const Connection *c);

/* A piece of those data, before it is sent. */
void message_see_data(Connection *c, const Request *request, uint8_t *data, size_t length);

#endif
