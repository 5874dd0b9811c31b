/* TLS of a connection, the server's side of it, with GnuTLS.
 *
 * NBD_OPT_STARTTLS upgrades a socket that is in use. From then on a session stands between it and the
 * connection: sending and receiving are as with the socket itself, and nothing ever waits.
 */
#ifndef NBDCONFORM_REFERENCE_TLS_H
#define NBDCONFORM_REFERENCE_TLS_H

#include <gnutls/gnutls.h>
#include <sys/types.h>

#include "reference/reference.h"

/* Lets SESSION show and ask for what TLS says. PRIORITIES, unless NULL, go before those of TLS. */
bool ref_tls_apply(const RefTls *tls, gnutls_session_t session, const char *priorities);

typedef struct TlsSession TlsSession;

/* Expects a handshake on FD, which stays the caller's, outlives the session and does not block. EARLY are bytes of
 * it that have been read already. PRIORITIES as above; HUSHED: if TLS fails, the client is not told why.
 * NULL if GnuTLS wants none of that. */
TlsSession *tls_session_new(int fd, const RefTls *tls, const char *priorities, bool hushed,
                            const void *early, size_t early_size);
void tls_session_free(TlsSession *session);

/* As send() and recv() with MSG_DONTWAIT; both carry the handshake on, and move nothing before it is through. What is
 * sent is the session's from then on. Any end of TLS is an end of the stream. */
ssize_t tls_session_send(TlsSession *session, const void *bytes, size_t size);
ssize_t tls_session_receive(TlsSession *session, void *buffer, size_t size);

/* Hands the socket what it has not taken yet. False: some is left, and waits for room. */
bool tls_session_flush(TlsSession *session);

/* True if there may be something to receive that the socket does not tell of. */
bool tls_session_pending(const TlsSession *session);

/* After EAGAIN: the socket is empty, and has taken everything. */
bool tls_session_idle(const TlsSession *session);

/* What to say last, if anything can still be said: close_notify, or a fatal alert without a cause. */
void tls_session_notify(TlsSession *session);
void tls_session_alert(TlsSession *session);

/* Ends our side of the stream once everything is sent. */
void tls_session_shut(TlsSession *session);

typedef enum {
    SESSION_GOES_ON,
    SESSION_NOTIFIED,   /* ended by the client's close_notify, */
    SESSION_ALERTED,    /* … by its fatal alert, */
    SESSION_CUT,        /* … by the end of the stream without either, */
    SESSION_DISTRUSTED, /* … by us, for want of the client's certificate, or of trust in it, */
    SESSION_GARBLED,    /* … or because what came makes no sense to us, or no match */
} TlsSessionEnd;

typedef struct {
    TlsSessionEnd end;
    bool established;   /* the handshake was completed, whatever came then */
    bool inside_record; /* a part of a record has come */
    bool reset;         /* the stream has not ended, but failed */
} TlsSessionFacts;

TlsSessionFacts tls_session_facts(const TlsSession *session);

#endif
