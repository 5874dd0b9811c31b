/* A server that does what a script says, right or wrong, for tests of play/ and run/.
 *
 * Each connection is served by a thread of its own. Steps are separated by ";":
 *
 *   S …              sends a message, written as talk.h has it
 *   C …              receives a message; anything else than these bytes is complained of
 *   dribble S …      sends a message, a byte at a time
 *   crawl S …        sends a message as a slow link would, 1 KiB at a time, up to 50 KiB a second
 *   endless S …      sends a message again and again, until the client has gone
 *   take N           receives N bytes, whatever they are
 *   option, request  receives a whole option, a whole request with its payload
 *   serve            haggles and answers requests as a good server would, until the client has gone; a
 *                    handler can make it do otherwise
 *   hush             waits, without reading, until the client has gone
 *   stay             the same, and longer: until the client has closed, not only shut down (Unix sockets)
 *   gone             listens no more
 *   S close, reset   ends the connection
 *
 * After the last step what still comes is read, until the client has gone; a READ and an ABORT, by which a
 * client makes sure that nothing more comes, are answered. Nothing waits longer than a
 * generous deadline, and nothing depends on how long anything takes.
 */
#ifndef NBDCONFORM_TESTS_FAKE_SERVER_H
#define NBDCONFORM_TESTS_FAKE_SERVER_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "transport/transport.h"

typedef struct FakeServer FakeServer;

/* A request that reached `serve`. */
typedef struct {
    unsigned connection; /* 0 for the first */
    const char *export_name;
    uint64_t flags, command, cookie, offset, length;
} FakeRequest;

/* FAKE_REFUSE is failing with ENOTSUP. */
typedef enum { FAKE_ANSWER, FAKE_FAIL, FAKE_REFUSE, FAKE_IGNORE, FAKE_CLOSE } FakeReaction;

typedef struct {
    bool tcp; /* on 127.0.0.1; else an abstract Unix socket */
    const char *const
        *scripts;  /* one a connection, ended by NULL; the last is that of all others too */
    uint64_t size; /* `serve`: of its exports, … */
    uint16_t transmission_flags; /* … and their flags, beside HAS_FLAGS */
    /* `serve`: called in the connection's thread. */
    FakeReaction (*handler)(void *data, const FakeRequest *request);
    /* `serve`: the client of this export has gone. May be NULL. */
    void (*left)(void *data, unsigned connection);
    void *data;
} FakeConfig;

/* Starts at once. The strings of CONFIG must outlive the server. */
FakeServer *fake_server_new(const FakeConfig *config);

/* As many connections as SCRIPTS, on a Unix socket. */
FakeServer *fake_server_play(const char *const *scripts);

/* Ends what still runs. */
void fake_server_free(FakeServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FakeServer, fake_server_free)

const TransportAddress *fake_server_address(const FakeServer *server);

/* Waits until all clients have gone and every conversation is over; no new ones are accepted. Only then
 * is what follows complete. */
void fake_server_finish(FakeServer *server);

/* What was not as a script has it, one a line; "" if all was. */
const char *fake_server_complaints(const FakeServer *server);

unsigned fake_server_accepted(const FakeServer *server);

/* All bytes that came on a connection. */
const GByteArray *fake_server_received(const FakeServer *server, unsigned connection);

/* True if BYTES came somewhere, on any connection. */
bool fake_server_saw(const FakeServer *server, const void *bytes, size_t size);

#endif
