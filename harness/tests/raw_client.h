/* A client of raw bytes, for tests of the reference server: it sends what it is told, right or
 * wrong.
 *
 * Nothing here waits longer than a generous deadline, and nothing waits for a time to pass. */
#ifndef NBDCONFORM_TESTS_RAW_CLIENT_H
#define NBDCONFORM_TESTS_RAW_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reference/reference.h"
#include "wire/wire.h"

/* A server with one export "" of SIZE bytes, started; for the rest as CONFIG (or NULL) says. */
RefServer *raw_serve(const RefConfig *config, uint64_t size);

/* A connection to SERVER; raw_close() to end it. */
int raw_dial(const RefServer *server);
void raw_close(int fd);

/* Sends all of it; false if the server has gone. */
bool raw_say(int fd, const void *bytes, size_t length);

/* Reads LENGTH bytes; false at the end of the stream or the deadline. */
bool raw_hear(int fd, void *bytes, size_t length);

/* True if the stream ends (or is reset) before another byte comes. */
bool raw_ends(int fd);

/* How long raw_hear() and raw_ends() wait for a byte. For peers that are meant to fall silent. */
#define RAW_PATIENCE_MS 30000
void raw_set_patience(int ms);

/* ---- Handshake ---- */

#define RAW_FLAGS (NBD_FLAG_C_FIXED_NEWSTYLE | NBD_FLAG_C_NO_ZEROES)

/* Reads a newstyle greeting, sends client flags. */
bool raw_greet(int fd, uint32_t client_flags);

bool raw_say_option(int fd, uint32_t option, const void *data, size_t length);

typedef struct {
    uint32_t option, type, length;
    uint8_t data[16384];
} RawReply;

bool raw_hear_reply(int fd, RawReply *reply);

/* The type of the next reply; 0 if none comes. */
uint32_t raw_reply_type(int fd);

/* INFO or GO for NAME with the requests given, ended by -1. */
bool raw_say_info(int fd, uint32_t option, const char *name, const int *requests);

/* Dials, and goes all the way into transmission; -1 on failure. */
int raw_open(const RefServer *server, const char *name);

/* ---- Transmission ---- */

bool raw_request(int fd, uint16_t type, uint16_t flags, uint64_t cookie, uint64_t offset,
                 uint32_t length);

/* The error of the next simple reply, if it bears COOKIE; UINT32_MAX otherwise. */
uint32_t raw_reply_error(int fd, uint64_t cookie);

/* Request and reply; DATA are a write's or become a read's. */
uint32_t raw_do(int fd, uint16_t type, uint16_t flags, uint64_t offset, uint32_t length,
                void *data);

/* Whether a new connection can read from the export "". */
bool raw_served(const RefServer *server);

#endif
