/* TLS over a connected stream, the client's side, with GnuTLS.
 *
 * NBD_OPT_STARTTLS upgrades a stream that is in use (proto.md:567-595): transport_tls_start() begins the
 * handshake, and from then on transport_read() and transport_write() carry it forward, and then carry
 * the caller's bytes inside of it. Nothing blocks; what to poll for is what transport_events() says, and
 * what poll() cannot know of transport_pending() does.
 *
 * The options are those of nbdkit and libnbd, and mean the same.
 */
#ifndef NBDCONFORM_TRANSPORT_TLS_H
#define NBDCONFORM_TRANSPORT_TLS_H

#include "transport/transport.h"

/* Strings may be NULL. */
typedef struct {
    /* tls-certificates: a folder with ca-cert.pem and, if they are there, ca-crl.pem, client-cert.pem and
     * client-key.pem. Or only a file with the authorities that are trusted. Without it, those are that the
     * system trusts. */
    const char *certificates;
    /* tls-psk-file: "username:key in hexadecimal", one a line. Goes before certificates. */
    const char *psk_file;
    /* tls-username: among those of psk_file. NULL: that of the process's user. */
    const char *username;
    /* tls-hostname: is asked for, and must stand in the server's certificate. NULL: any name. */
    const char *hostname;
    /* tls-verify-peer: the server's certificate must be trusted. */
    bool verify_peer;
    /* GnuTLS's priority string, "NORMAL" unless told otherwise: "NORMAL:-VERS-ALL:+VERS-TLS1.2" for one
     * version only. What pre-shared keys need is added. */
    const char *priorities;
} TransportTlsOptions;

/* Loaded options, for any number of streams in any number of threads; outlives them all. */
typedef struct TransportTls TransportTls;

/* NULL with TRANSPORT_ERROR_TLS if files are missing or unfit. */
TransportTls *transport_tls_new(const TransportTlsOptions *options, GError **error);
void transport_tls_free(TransportTls *tls);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TransportTls, transport_tls_free)

typedef enum {
    TRANSPORT_TLS_BARE, /* no credentials of its own */
    TRANSPORT_TLS_WRONG /* a certificate that only it has signed, or another key for the same user */
} TransportTlsStranger;

/* A client such as KNOWN, but for its credentials; it trusts everybody. */
TransportTls *transport_tls_stranger(const TransportTls *known, TransportTlsStranger kind,
                                     GError **error);

/* Begins the handshake. EARLY are bytes that the caller has already read from the stream beyond the last
 * one that was to be plain: TLS has to make sense of them, so plain text sent ahead of its time makes the
 * handshake fail. PRIORITIES, unless NULL, go before those of the options. Fails only for what is
 * wrong with them, or if the stream has TLS already; then the stream is as it was. */
bool transport_tls_start(Transport *transport, const TransportTls *tls, const char *priorities,
                         const void *early, size_t early_size, GError **error);

/* Whatever TLS will send goes in pieces of at most SIZE bytes, one send() each; to be said before it starts. */
void transport_tls_cut(Transport *transport, size_t size);

typedef enum {
    TRANSPORT_TLS_NONE,      /* the stream is plain */
    TRANSPORT_TLS_HANDSHAKE, /* under way */
    TRANSPORT_TLS_OPEN,
    TRANSPORT_TLS_CLOSED, /* the peer has sent close_notify: no more will come, but for the stream's end */
    TRANSPORT_TLS_CUT,   /* the peer has ended the stream without it, in the handshake or later */
    TRANSPORT_TLS_ALERT, /* the peer has sent a fatal alert */
    TRANSPORT_TLS_UNTRUSTED, /* we refused the peer's certificate, or its lack of one or of a key */
    TRANSPORT_TLS_BROKEN,    /* what came is no TLS, or not such as we could agree to */
} TransportTlsState;

/* Strings are static, and NULL as long as they are not known. */
typedef struct {
    TransportTlsState state;
    bool established;    /* the handshake was completed, whatever came then */
    bool certified;      /* the peer has a certificate that we have verified */
    int alert;           /* the number of the peer's fatal alert, or -1 */
    const char *version; /* "TLS1.3" */
    const char *cipher;  /* "TLS_AES_256_GCM_SHA384" */
} TransportTlsFacts;

TransportTlsFacts transport_tls_facts(const Transport *transport);

/* Behind the peer's close_notify: has it ended the stream, too? What else may come is thrown away. */
bool transport_tls_ended(Transport *transport);

#endif
