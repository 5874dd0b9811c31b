/* Ghosts: TCP connections whose client has vanished without a packet, and their end.
 *
 * Of the connection only the addresses and sequence numbers are kept. With those it can be raised again, for
 * a reset. It takes CAP_NET_ADMIN (TCP_REPAIR).
 */
#ifndef NBDCONFORM_SOAK_GHOST_H
#define NBDCONFORM_SOAK_GHOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

typedef struct {
    struct sockaddr_storage own, peer;
    socklen_t length;
    uint32_t sent, received; /* sequence numbers */
    uint32_t acknowledged;   /* what the peer has for sure: of what came behind, it may lack some */
} Ghost;

/* Why connections cannot vanish here, found by trying; NULL if they can. */
const char *ghost_unfit(void);

/* Closes FD without a packet. False with errno, and FD closed in the ordinary way, where that fails. */
bool ghost_vanish(Ghost *ghost, int fd);

/* Has the peer reset, and sees to it that it does not hold the connection any more. False with errno where that
 * fails. */
bool ghost_raise(const Ghost *ghost);

#endif
