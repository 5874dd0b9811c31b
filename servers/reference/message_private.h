/* What the files that know the messages share. */
#ifndef NBDCONFORM_REFERENCE_MESSAGE_PRIVATE_H
#define NBDCONFORM_REFERENCE_MESSAGE_PRIVATE_H

#include "reference/message.h"

static inline bool message_is_quirky(const Connection *c)
{
    return G_UNLIKELY(c->quirks != NULL);
}

/* Applies the server's rules for POINT to EVENT. */
void message_apply(Connection *c, QuirkPoint point, QuirkEvent *event);

/* Brings about an end that comes in place of the message. True if there is such. */
bool message_cut_off(Connection *c, const QuirkEvent *event);

/* Brings about an end that comes behind the message; behind the data that it promises, if REQUEST is the one
 * that they are for. NULL: there are none, or they have been put. */
void message_follow_up(Connection *c, const QuirkEvent *event, Request *request);

/* Puts BYTES into the output; NULL: zeroes. */
void message_put_bytes(Connection *c, const void *bytes, size_t length);
void message_put(Connection *c, WireKind kind, const uint64_t values[WIRE_MAX_FIELDS]);

/* Takes a message from the input. False: not all of it has come. */
bool message_get(Connection *c, WireKind kind, uint64_t values[WIRE_MAX_FIELDS]);

#endif
