/* A client's byte stream for cycles: blocking, with deadlines, plain without allocations, or with TLS inside.
 *
 * Waiting is the kernel's (SO_RCVTIMEO, SO_SNDTIMEO), a slice of time at a time, so that a cycle costs no system
 * calls but those that move bytes, and still ends in bounded time, whatever the peer sends or does not.
 */
#ifndef NBDCONFORM_SOAK_STREAM_H
#define NBDCONFORM_SOAK_STREAM_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "play/play.h"
#include "transport/tls_engine.h"

#define STREAM_BUFFER ((size_t)16 * 1024)

typedef struct {
    int fd;                  /* -1: none */
    TransportTlsEngine *tls; /* NULL: plain */
    unsigned timeout_ms;
    const volatile int *stop; /* may be NULL */
    size_t which;             /* of the peer's addresses: the one that answered last */
    gint64 deadline_us;
    size_t start, end; /* what was received and not yet taken */
    int number;        /* errno of what failed */
    uint8_t buffer[STREAM_BUFFER];
} Stream;

typedef enum {
    STREAM_FINE,
    STREAM_ENDED,   /* by the peer, in whatever way; or it accepts no connection */
    STREAM_LATE,    /* not within the time */
    STREAM_STOPPED, /* as we were told to */
    STREAM_FAILED,  /* our own fault */
} StreamStatus;

/* Connects, within the timeout. RECEIVE_BUFFER: bytes, 0: the system's choice. */
StreamStatus stream_open(Stream *stream, const TransportAddress *address, int receive_buffer);
void stream_close(Stream *stream);

/* Lets go of TLS, without a word. */
void stream_forget_tls(Stream *stream);

/* From now on the functions below have the stream's timeout in all, however often they are called and however
 * the bytes come. */
static inline void stream_start_clock(Stream *stream)
{
    stream->deadline_us = g_get_monotonic_time() + (gint64)stream->timeout_ms * 1000;
}

/* Inside of TLS, if there is TLS. */
StreamStatus stream_say(Stream *stream, const uint8_t *bytes, size_t size);

/* *AT are the next SIZE bytes, at most STREAM_BUFFER, which are taken; valid until the next call. */
StreamStatus stream_hear(Stream *stream, size_t size, const uint8_t **at);

/* Takes SIZE bytes that nobody looks at. */
StreamStatus stream_skip(Stream *stream, uint64_t size);

/* ---- TLS --------------------------------------------------------------------------------------- */

/* Begins TLS; its first flight is not yet sent. STREAM_FAILED where SETTINGS do not serve. */
StreamStatus stream_start_tls(Stream *stream, const TransportTls *settings);

/* Carries the handshake on until it is done, or, if told so, until our last flight is there to be sent. */
StreamStatus stream_shake_hands(Stream *stream, bool but_for_last);

/* SIZE bytes, which may be none, become records behind those of TLS's own that wait to be sent; then all of them
 * are, or only the first half of their bytes. */
StreamStatus stream_say_records(Stream *stream, const uint8_t *bytes, size_t size, bool half);

/* Says close_notify. */
StreamStatus stream_say_bye(Stream *stream);

/* ---- Ends -------------------------------------------------------------------------------------- */

/* Until there is something to read, or the stream has ended. */
StreamStatus stream_wait(Stream *stream);

/* Takes all there is until the peer ends the stream; at most TIMEOUT_MS, by a clock of its own. Nobody asks what it
 * was: TLS is not looked into. */
StreamStatus stream_drain(Stream *stream, unsigned timeout_ms);

/* True when it is time to stop. */
static inline bool stream_stopped(const Stream *stream)
{
    return play_stopped(stream->stop);
}

#endif
