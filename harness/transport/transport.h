/* Byte streams to a peer: TCP over IPv4 and IPv6, and Unix sockets, plain or with TLS inside (tls.h).
 *
 * Every descriptor is non-blocking and close-on-exec; waiting is the caller's, by poll(), so that one
 * thread can watch many streams, and so that every wait has a deadline.
 */
#ifndef NBDCONFORM_TRANSPORT_H
#define NBDCONFORM_TRANSPORT_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a peer listens: the addresses that its name stands for, to be tried in turn. */
typedef struct TransportAddress TransportAddress;

#define TRANSPORT_ERROR transport_error_quark()
GQuark transport_error_quark(void);
typedef enum {
    TRANSPORT_ERROR_NAME,    /* the name does not resolve, or the path is no possible socket */
    TRANSPORT_ERROR_CONNECT, /* nobody accepts there */
    TRANSPORT_ERROR_TIMEOUT,
    TRANSPORT_ERROR_TLS, /* keys, certificates or priorities that are missing or unfit */
} TransportError;

/* HOST and PORT are a name, an IPv4 or an IPv6 address (without brackets), and a number. */
TransportAddress *transport_address_tcp(const char *host, uint16_t port, GError **error);

/* PATH has LENGTH bytes; a leading NUL means Linux's abstract namespace. */
TransportAddress *transport_address_unix(const char *path, size_t length, GError **error);
void transport_address_free(TransportAddress *address);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TransportAddress, transport_address_free)

bool transport_address_is_tcp(const TransportAddress *address);

/* The TCP port; 0 where there is none. */
uint16_t transport_address_port(const TransportAddress *address);

/* "localhost:10809", "[::1]:10809", "/run/nbd.sock". Owned by the address. */
const char *transport_address_name(const TransportAddress *address);

/* The addresses behind the name, at least one, for those who connect by themselves. */
struct sockaddr;
size_t transport_address_count(const TransportAddress *address);
const struct sockaddr *transport_address_get(const TransportAddress *address, size_t which,
                                             unsigned *length);

typedef struct Transport Transport;

/* Connects, waiting at most TIMEOUT_MS. TCP_NODELAY is set, as proto.md:74 asks of both sides. */
Transport *transport_connect(const TransportAddress *address, unsigned timeout_ms, GError **error);

/* Wraps a connected descriptor, and owns it from then on. */
Transport *transport_adopt(int fd);

/* Closes if that was not done yet. */
void transport_free(Transport *transport);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Transport, transport_free)

/* For poll(); -1 once closed. */
int transport_fd(const Transport *transport);

typedef enum {
    TRANSPORT_DONE,  /* *DONE bytes were moved, at least one */
    TRANSPORT_AGAIN, /* nothing now: poll */
    TRANSPORT_CLOSED, /* the peer has ended the stream: EOF, or EPIPE and ECONNRESET alike; or TLS is over */
} TransportStatus;

/* Lets the kernel acknowledge at once what comes next over FD: a server that sends a message in pieces, without
 * TCP_NODELAY, waits for that before the second, 40 ms as a rule. Forgotten with each packet that we send, so
 * to be said again; transport_read() does. Unix sockets refuse it, which does not matter. */
void transport_acknowledge(int fd);

/* A write that was told AGAIN is offered the same bytes next, in any pieces, with or without more behind
 * them: TLS has them in its hands. */
TransportStatus transport_read(Transport *transport, void *buffer, size_t size, size_t *done);
TransportStatus transport_write(Transport *transport, const void *bytes, size_t size, size_t *done);

/* What to poll() for if the caller wants POLLIN, POLLOUT, both or neither: TLS may have to send before
 * it can receive, has its handshake first, and its farewell to send. Whatever comes of it,
 * transport_read(), transport_write() or transport_advance() must then be called. */
short transport_events(const Transport *transport, short wanted);

/* True if there may be something to read that poll() does not know of, because TLS has taken it from the
 * socket: read, or poll without waiting. */
bool transport_pending(const Transport *transport);

/* Does what is to be done beside moving the caller's bytes, which reads and writes do as well: the
 * handshake, the rest of an unfinished record, the farewell of a shutdown. DONE if nothing is left. */
TransportStatus transport_advance(Transport *transport);

/* Why the stream has ended, in plain words, if that is not simply that the peer has gone; else NULL. */
const char *transport_problem(const Transport *transport);

/* The ways to end. close: FIN (or RST where input was left unread, as the kernel does); reset: RST at
 * once; shutdown: no more from us, but we still listen. Inside TLS, close and shutdown send close_notify
 * first (close only if it can be sent at once); drop is a close without. */
void transport_close(Transport *transport);
void transport_drop(Transport *transport);
void transport_reset(Transport *transport);
void transport_shutdown(Transport *transport);

#endif
