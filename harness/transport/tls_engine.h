/* TLS of a client without a stream: bytes in, bytes out.
 *
 * For those who decide by themselves what of it goes over a socket, and when: half of a record, or its first
 * flight and nothing more. Nothing blocks, and what comes from the peer is judged by nobody but GnuTLS.
 */
#ifndef NBDCONFORM_TRANSPORT_TLS_ENGINE_H
#define NBDCONFORM_TRANSPORT_TLS_ENGINE_H

#include "transport/tls.h"

typedef struct TransportTlsEngine TransportTlsEngine;

/* Begins the handshake: the first flight is there to be sent. SETTINGS are a client's, and outlive the engine.
 * NULL where they do not serve. */
TransportTlsEngine *transport_tls_engine_new(const TransportTls *settings);
void transport_tls_engine_free(TransportTlsEngine *engine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TransportTlsEngine, transport_tls_engine_free)

/* *SIZE bytes that are to be sent, valid until the next call; NULL if there are none. */
const uint8_t *transport_tls_engine_output(const TransportTlsEngine *engine, size_t *size);
/* The first SIZE of them are on their way, or will never be. */
void transport_tls_engine_sent(TransportTlsEngine *engine, size_t size);

/* What has come from the peer. */
void transport_tls_engine_feed(TransportTlsEngine *engine, const void *bytes, size_t size);

/* Carries the handshake on. AGAIN: it takes more of the peer's bytes, after the output was sent. CLOSED: it
 * has failed. */
TransportStatus transport_tls_engine_shake(TransportTlsEngine *engine);

/* Once that is DONE: up to SIZE bytes from inside of TLS. AGAIN: more of the peer's have to come. CLOSED: it has
 * sent close_notify, or what is no TLS. */
TransportStatus transport_tls_engine_read(TransportTlsEngine *engine, void *buffer, size_t size,
                                          size_t *done);

/* Puts BYTES, as records, behind the output. False if TLS is over. */
bool transport_tls_engine_write(TransportTlsEngine *engine, const void *bytes, size_t size);
/* … and close_notify. */
void transport_tls_engine_bye(TransportTlsEngine *engine);

#endif
