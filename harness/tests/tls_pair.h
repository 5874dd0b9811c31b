/* Two ends of a stream with TLS between them, the harness's client and the reference server's session, driven by
 * one thread.
 *
 * Each end is called only when poll() or transport_pending() says so, and its socket takes or has
 * everything at once: when neither end is called any more, nothing will ever move again. */
#ifndef NBDCONFORM_TESTS_TLS_PAIR_H
#define NBDCONFORM_TESTS_TLS_PAIR_H

#include "reference/tls.h"
#include "transport/tls.h"

/* A file or folder that scripts/make-certificates has made. */
#define CERTIFICATES(name) TEST_CERTIFICATES "/" name

#define ONLY(version) "NORMAL:-VERS-ALL:+VERS-TLS" version

/* Priorities of the versions that are in use: two. */
extern const char *const tls_versions[2];

/* A client that has the key, and its server, which takes any version. */
extern const TransportTlsOptions tls_alice;
extern const RefTlsOptions tls_keeper;

typedef struct {
    Transport *transport;   /* a server's stays plain: what is said by it goes past TLS */
    TransportTls *settings; /* a client's */
    TlsSession *session;    /* a server's, NULL before its start */
    RefTls *credentials;
    const uint8_t *out;           /* to be sent, */
    size_t out_size, sent, piece; /* at most PIECE bytes at once */
    GByteArray *in;
    bool closed, refused; /* reading, writing is over */
} TlsEnd;

typedef struct {
    TlsEnd client, server;
    bool relayed;
    int relay[2]; /* between them, a byte at a time */
} TlsPair;

/* Starts TLS at both ends. */
void tls_pair_start(TlsPair *pair, const TransportTlsOptions *client, const RefTlsOptions *server);

/* The same with bytes that are delivered one by one. */
void tls_pair_start_relayed(TlsPair *pair, const TransportTlsOptions *client,
                            const RefTlsOptions *server);

/* Starts TLS at both ends, as alice and her keeper. */
void tls_pair_start_as_alice(TlsPair *pair, const char *priorities);

/* The same, and runs until it is open at both ends. */
void tls_pair_open(TlsPair *pair, const char *priorities);

/* Plain sockets, for a start by hand. */
void tls_pair_connect(TlsPair *pair);
void tls_end_start(TlsEnd *end, const TransportTlsOptions *options, const void *early,
                   size_t early_size);
void tls_end_serve(TlsEnd *end, const RefTlsOptions *options, const void *early, size_t early_size);
void tls_pair_clear(TlsPair *pair);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TlsPair, tls_pair_clear)

/* Bytes of which no two records are alike, to be freed. */
uint8_t *tls_bytes(size_t size, uint32_t seed);

/* More than a stream takes at once. */
#define TLS_MUCH ((size_t)8 << 20)

void tls_end_send(TlsEnd *end, const void *bytes, size_t size);

/* As much as the stream takes. */
void tls_end_fill(TlsEnd *end);

/* A text that it takes at once. */
void tls_end_say(TlsEnd *end, const char *text);

/* Until nothing moves. */
void tls_pair_run(TlsPair *pair);

/* All of OUT has been sent, and is what OTHER has received. */
bool tls_end_delivered(const TlsEnd *end, const TlsEnd *other);

TransportTlsState tls_end_state(const TlsEnd *end);

/* A server says close_notify and closes. */
void tls_end_leave(TlsEnd *end);

/* True if the client's problem has TEXT in it. */
bool tls_end_says(const TlsEnd *end, const char *text);

#endif
