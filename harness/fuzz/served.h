/* Reference servers for fuzz targets, and how to be their client. Whatever is waited for comes, or it is a find. */
#ifndef NBDCONFORM_FUZZ_SERVED_H
#define NBDCONFORM_FUZZ_SERVED_H

#include <sys/socket.h>
#include <sys/un.h>

#include "reference/reference.h"

typedef struct {
    RefServer *server;
    struct sockaddr_un address;
    socklen_t length;
} Served;

/* Starts a server; where it listens, no file shows. It serves as long as the process lives. */
void served_start(Served *served, const RefConfig *config);

/* A connection that does not block. */
int served_dial(const Served *served);

/* Waits until one of EVENTS can be done with FD; what can be done. */
short served_await(int fd, short events);

/* The client has left: nothing is left of it on the server's side either, and the server lives. */
void served_await_end(const Served *served);

#endif
