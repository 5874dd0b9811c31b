/* Replies to requests, simple or in chunks, seen as one: what a line wants to know that does not care. */
#ifndef NBDCONFORM_PLAY_ANSWER_H
#define NBDCONFORM_PLAY_ANSWER_H

#include "session/session.h"

/* True for a simple reply, and for the chunk that ends a reply, whether or not a request is in flight that they
 * answer. */
bool answer_is_whole(const SessionMessage *message);

/* True for any part of a reply to a request. */
bool answer_is_part(const SessionMessage *message);

/* These are for parts of replies; the error is that of the reply so far. */
uint64_t answer_cookie(const SessionMessage *message);
uint64_t answer_error(const SessionMessage *message);

/* What a READ that has succeeded has read: at most as much as the session keeps of a payload. */
const GByteArray *answer_content(const SessionMessage *message);

/* Puts together what comes in chunks. */
typedef struct Gatherer Gatherer;
Gatherer *gatherer_new(void);
void gatherer_free(Gatherer *gatherer);

/* Takes over what MESSAGE, a part of a reply, says of the export's content. The part that ends a READ's reply
 * well is given the whole content, for answer_content(). */
void gatherer_take(Gatherer *gatherer, SessionMessage *message);

#endif
