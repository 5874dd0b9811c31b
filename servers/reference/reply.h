/* Answers to requests, in whatever form was agreed. */
#ifndef NBDCONFORM_REFERENCE_REPLY_H
#define NBDCONFORM_REFERENCE_REPLY_H

#include "reference/connection.h"

/* Beyond, a payload is an attack, unless we asked for it. */
#define LONGEST_PAYLOAD (64u * 1024 * 1024)

/* Ends REQUEST: success, or its error. */
void reply_finish(Connection *c, Request *request);

/* Answers a read that was found good, or goes on with its next chunk. */
Step reply_read(Connection *c, Request *request);

/* Once a header has promised data: sends the next of them. */
Step reply_go_on_reading(Connection *c, Request *request);

/* Answers NBD_CMD_BLOCK_STATUS, one context after the other. */
Step reply_status(Connection *c, Request *request);

/* How many bytes of data a chunk may have. */
uint64_t reply_longest_chunk(const Connection *c);

/* Has the disk do the next LENGTH bytes of the request. */
uint32_t request_do_piece(Connection *c, Request *request, DiskOp op, uint8_t *data,
                          uint64_t length);

#endif
