/* What the files of transport/ share. */
#ifndef NBDCONFORM_TRANSPORT_PRIVATE_H
#define NBDCONFORM_TRANSPORT_PRIVATE_H

#include <gnutls/gnutls.h>
#include <sys/socket.h>

#include "transport/tls.h"

typedef struct {
    struct sockaddr_storage address;
    socklen_t length;
} TransportSocket;

struct TransportAddress {
    bool tcp;
    char *name;
    GArray *sockets; /* of TransportSocket, in the resolver's order */
};

struct TransportTls {
    gnutls_certificate_credentials_t certificates; /* NULL with pre-shared keys */
    gnutls_psk_client_credentials_t client_psk;
    char *hostname, *username, *priorities;
    bool verify_peer;
    bool forward; /* our certificate is shown to whoever asks for any */
};

/* TLS of one stream. */
typedef struct Tls Tls;

struct Transport {
    int fd;
    Tls *tls;     /* NULL: plain */
    size_t piece; /* as much goes in one send() of TLS; 0: as it comes */
};

/* What the functions of transport.h do inside TLS. */
void tls_free(Tls *tls);
TransportStatus tls_read(Tls *tls, void *buffer, size_t size, size_t *done);
TransportStatus tls_write(Tls *tls, const void *bytes, size_t size, size_t *done);
TransportStatus tls_advance(Tls *tls);
short tls_events(const Tls *tls, short wanted);
bool tls_pending(const Tls *tls);
const char *tls_problem(const Tls *tls);
void tls_shutdown(Tls *tls);

/* Says close_notify if it can be said now. */
void tls_farewell(Tls *tls);

/* Lets SESSION use these credentials and priorities. */
bool tls_settings_apply(const TransportTls *settings, const char *priorities,
                        gnutls_session_t session, GError **error);

/* What an error of GnuTLS's comes to, and in words. */
TransportTlsState tls_state_of(int code);
char *tls_explain(gnutls_session_t session, int code, bool established);

#endif
