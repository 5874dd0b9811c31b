/* The client of raw bytes, where replies come in chunks. */
#ifndef NBDCONFORM_TESTS_CHUNK_CLIENT_H
#define NBDCONFORM_TESTS_CHUNK_CLIENT_H

#include "raw_client.h"

typedef struct {
    uint16_t flags, type;
    uint64_t cookie, offset, length; /* OFFSET: of an extended header's only */
    uint8_t *data;
} Chunk;

/* A server with this export, that runs. */
RefServer *chunk_serve(RefConfig config, RefExport export);

/* Into transmission, with structured replies or extended headers; -1 on failure. */
int chunk_open(const RefServer *server, const char *name);
int chunk_open_extended(const RefServer *server, const char *name);

/* The next chunk of a structured or an extended reply, to be cleared. */
bool chunk_hear(int fd, Chunk *chunk);
void chunk_clear(Chunk *chunk);

/* Reads by a structured request; the error, or UINT32_MAX if the chunks do not add up. */
uint32_t chunk_read(int fd, uint16_t flags, uint64_t offset, uint32_t length, uint8_t *data);

#endif
