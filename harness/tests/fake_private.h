/* What the files of the fake server share. */
#ifndef NBDCONFORM_TESTS_FAKE_PRIVATE_H
#define NBDCONFORM_TESTS_FAKE_PRIVATE_H

#include "fake_server.h"
#include "wire/wire.h"

typedef struct {
    FakeServer *server;
    unsigned number;
    const char *script;
    int fd;               /* -1 once ended */
    GByteArray *received; /* all that came */
    GThread *thread;
} FakeConnection;

void fake_complain(FakeConnection *connection, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Sends all of it, or receives SIZE bytes; false if the client has gone, or everything is to end. */
bool fake_say(FakeConnection *connection, const void *bytes, size_t size);
bool fake_hear(FakeConnection *connection, size_t size);

/* The last SIZE bytes that came. */
const uint8_t *fake_tail(const FakeConnection *connection, size_t size);

/* Closes. */
void fake_hang_up(FakeConnection *connection);

/* The step `serve`. Always false: then the conversation is over. */
bool fake_part(FakeConnection *connection);
bool fake_serve(FakeConnection *connection, const FakeConfig *config);

#endif
