/* A client's byte stream for cycles: blocking, with deadlines, without allocations.
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

#include "transport/transport.h"

#define STREAM_BUFFER ((size_t)16 * 1024)

typedef struct {
    int fd; /* -1: none */
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

/* From now on the functions below have the stream's timeout in all, however often they are called and however
 * the bytes come. */
static inline void stream_start_clock(Stream *stream)
{
    stream->deadline_us = g_get_monotonic_time() + (gint64)stream->timeout_ms * 1000;
}

StreamStatus stream_say(Stream *stream, const uint8_t *bytes, size_t size);

/* *AT are the next SIZE bytes, at most STREAM_BUFFER, which are taken; valid until the next call. */
StreamStatus stream_hear(Stream *stream, size_t size, const uint8_t **at);

/* Takes SIZE bytes that nobody looks at. */
StreamStatus stream_skip(Stream *stream, uint64_t size);

/* Until there is something to read, or the stream has ended. */
StreamStatus stream_wait(Stream *stream);

/* Takes all there is until the peer ends the stream; at most TIMEOUT_MS, by a clock of its own. */
StreamStatus stream_drain(Stream *stream, unsigned timeout_ms);

/* True when it is time to stop. */
static inline bool stream_stopped(const Stream *stream)
{
    return stream->stop != NULL && *stream->stop != 0;
}

#endif
