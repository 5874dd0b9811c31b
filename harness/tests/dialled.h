/* Streams to listeners of our own. */
#ifndef NBDCONFORM_TESTS_DIALLED_H
#define NBDCONFORM_TESTS_DIALLED_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "transport/transport.h"

/* Long enough for any machine. */
#define DIALLED_PATIENT_MS 60000

/* -1 where the kernel has no such address. */
int dialled_listen(const void *address, socklen_t length, int backlog);

/* At 127.0.0.1, and a PORT that is free. */
int dialled_listen_v4(uint16_t *port, int backlog);

/* Connects, and has the listener's end too: both ways must carry bytes. */
Transport *dialled_connect(const TransportAddress *address, int listener, int *peer);

/* What transport_read() says once there is something to say. */
TransportStatus dialled_read(Transport *transport, void *buffer, size_t size, size_t *done);

#endif
