/* What the files of transport/ share. */
#ifndef NBDCONFORM_TRANSPORT_PRIVATE_H
#define NBDCONFORM_TRANSPORT_PRIVATE_H

#include <sys/socket.h>

#include "transport/transport.h"

typedef struct {
    struct sockaddr_storage address;
    socklen_t length;
} TransportSocket;

struct TransportAddress {
    bool tcp;
    char *name;
    GArray *sockets; /* of TransportSocket, in the resolver's order */
};

#endif
