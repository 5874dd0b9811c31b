/* One client of a crowd: plays a cycle's actions without ever waiting, as far as the socket lets it. */
#ifndef NBDCONFORM_SOAK_CLIENT_H
#define NBDCONFORM_SOAK_CLIENT_H

#include "soak/private.h"
#include "transport/tls_engine.h"

typedef enum {
    CLIENT_NONE,       /* not yet connected */
    CLIENT_CONNECTING, /* under way */
    CLIENT_SAYING,
    CLIENT_HEARING,
    CLIENT_THERE, /* where the phase leads */
    CLIENT_GONE,  /* refused, or hung up on */
} ClientState;

typedef struct {
    int fd;
    TransportTlsEngine *tls; /* NULL: plain */
    ClientState state;
    unsigned action;
    bool begun;         /* what it says is being said */
    size_t said;        /* bytes of the action; not inside of TLS */
    size_t withheld;    /* the last bytes of TLS's records, which are not to be said */
    uint8_t header[20]; /* of what comes, as far as it has */
    unsigned have;
    uint64_t skip; /* bytes of data to come */
    bool last;     /* … after which the action is over */
} Client;

typedef enum {
    CLIENT_STARTED,
    CLIENT_REFUSED,
    CLIENT_LATER, /* the queue is full: try again in a moment */
    CLIENT_FULL,  /* descriptors or ports have run out, errno says which */
} ClientStart;

ClientStart client_start(Client *client, const SoakCycle *cycle);

/* Goes on after EVENTS of epoll. */
void client_move(Client *client, const SoakCycle *cycle, uint32_t events);

/* One that is there says byte number AT of ACTION, or of the records that this is inside of TLS or that begin TLS, as
 * far as the socket takes it. */
void client_dribble(Client *client, const SoakCycle *cycle, const SoakAction *action, size_t at);

/* The events that it waits for. */
uint32_t client_events(const Client *client);

void client_close(Client *client);

#endif
