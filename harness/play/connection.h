/* One connection of a case: its stream, its session, what is to be sent, what came, and the transcript. */
#ifndef NBDCONFORM_PLAY_CONNECTION_H
#define NBDCONFORM_PLAY_CONNECTION_H

#include "play/answer.h"
#include "session/session.h"
#include "transport/tls.h"

typedef struct {
    char *name; /* "A" for the first, else as the case calls it */
    Transport *transport;
    Session *session;
    GByteArray *out; /* to be sent, from OUT_START on */
    size_t out_start;
    uint8_t tail[8]; /* the last bytes that were queued */
    size_t tail_size;
    GArray *cuts;       /* of guint: lengths of the pieces in which OUT goes; empty: as it comes */
    bool holding;       /* `hold reading`: the peer's bytes stay unread */
    bool corked;        /* `hold sending`: what we send waits, to go out in one piece */
    bool closed;        /* the peer has ended its stream */
    bool shutting;      /* our side ends once all that is to be sent was sent … */
    bool shut;          /* … and has ended */
    bool ended;         /* we have closed ours */
    bool shaking;       /* TLS's handshake is under way: nothing can be said */
    bool notified;      /* the peer has sent close_notify; its stream has still to end */
    bool heard;         /* something came inside TLS */
    bool parted;        /* behind the case's last line we have sent ABORT */
    bool weighed;       /* whether the case is for an export of this size */
    bool send_failed;   /* the peer takes no more; what it sent before may still be read */
    GQueue came;        /* of SessionMessage: from the peer, not yet expected by any line */
    Gatherer *gatherer; /* of what is read, where that is of interest; or NULL */
    bool
        keeps_chunks; /* some line is about single chunks; else only whole replies are of interest */
    bool
        forgetful; /* more came than is kept: that a message is not there does not say that it never came */
    size_t unasked_bytes; /* data of such messages that no request asked for, all told */
    uint64_t last_cookie; /* of the latest request that we sent */
    bool has_cookie;
    uint64_t next_cookie;
    gint64 last_progress_us; /* when bytes last moved either way */
    uint64_t moved;          /* bytes, both ways */
    uint64_t received;       /* bytes of the peer's, while it spoke in plain text … */
    GByteArray *early; /* … and of those the ones behind the ACK to STARTTLS: TLS's already */
    gint64 last_arrival_us; /* when something came, since we last sent; 0: nothing yet */
    gint64 widest_gap_us;   /* between two arrivals without a word of ours between */
    TransportTls *stranger; /* in whose place we speak TLS; or NULL */
    GString *transcript;    /* the case's, shared by its connections */
    bool labelled;          /* lines of the transcript name the connection */
} Connection;

/* Takes TRANSPORT over. AGREED: size constraints agreed on beforehand, or NULL. */
Connection *play_connection_new(const char *name, Transport *transport, GString *transcript,
                                bool labelled, const SessionSizes *agreed);
void play_connection_free(Connection *connection);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Connection, play_connection_free)

/* Queues bytes of ours: the session sees them now, the peer when poll() lets them through. With SEGMENT
 * not 0 the first bytes of the message go in pieces of that size, one send() each. */
void play_connection_send(Connection *connection, const void *bytes, size_t size, unsigned segment);

/* True while bytes of ours wait to be sent. */
bool play_connection_owes(const Connection *connection);

/* Moves bytes, both ways, as far as that goes without waiting. Sending always drains input: a server may
 * stop reading until its replies are taken. */
void play_connection_move(Connection *connection);

/* What poll() should wait for; 0 once there is nothing more to wait for. */
short play_connection_events(const Connection *connection);

/* True if there is something to move that poll() does not know of. */
bool play_connection_pending(const Connection *connection);

/* Begins the TLS handshake, once STARTTLS was acknowledged. PRIORITIES as for transport_tls_start(). Once TLS
 * is there, a message for play_connection_is_tls() comes. */
bool play_connection_start_tls(Connection *connection, const TransportTls *settings,
                               const char *priorities, GError **error);

/* MESSAGE is none of the peer's: it says that the handshake has succeeded. */
bool play_connection_is_tls(const SessionMessage *message);

/* Our ways to end. END_SHUTDOWN waits until what was sent before is on its way; the others leave it behind.
 * END_DROP closes without TLS's close_notify. */
typedef enum { END_CLOSE, END_RESET, END_SHUTDOWN, END_DROP } ConnectionEnd;
void play_connection_end(Connection *connection, ConnectionEnd how);

/* A line of the transcript. */
void play_connection_note(Connection *connection, const char *actor, const char *text);

#endif
