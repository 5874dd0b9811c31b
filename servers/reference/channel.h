/* The bytes of a connection: in the clear, or inside TLS. */
#ifndef NBDCONFORM_REFERENCE_CHANNEL_H
#define NBDCONFORM_REFERENCE_CHANNEL_H

#include <sys/types.h>

#include "reference/connection.h"

/* As send() and recv(), without waiting; what ends TLS in whatever way is an end of the stream. */
ssize_t channel_send(const Connection *c, const void *bytes, size_t size);
ssize_t channel_receive(const Connection *c, void *buffer, size_t size);

/* True if there may be input that the socket does not tell of. */
bool channel_pending(const Connection *c);

/* False if channel_receive() was told EAGAIN before the socket was empty. */
bool channel_drained(const Connection *c);

/* Does what TLS has to do by itself. True if that waits for room in the socket. */
bool channel_waits_for_room(const Connection *c);

/* Says that no more will come from us. */
void channel_shutdown(Connection *c);
void channel_close(Connection *c);

/* Begins TLS, once NBD_REP_ACK is on its way in the clear: a step. Nothing that was agreed before holds inside. */
Step channel_begin_tls(Connection *c);

#endif
