/* Monologues: all that a client of the reference server says on a connection, put together beforehand. They are
 * right and wrong in as many ways as quirks are there to be seen. */
#ifndef NBDCONFORM_TESTS_MONOLOGUE_H
#define NBDCONFORM_TESTS_MONOLOGUE_H

#include <glib.h>
#include <stdint.h>

#define MIB (1024u * 1024)
#define GIB (UINT64_C(1) << 30)
#define DISK_SIZE (64u * MIB)

/* ---- Composing ---- */

void put_bytes(GByteArray *bytes, const void *data, size_t length);

/* Begins with CLIENT_FLAGS. */
GByteArray *monologue_begin(uint32_t client_flags);

void put_option(GByteArray *bytes, uint32_t option, const void *data, size_t length);

/* INFO or GO with the name and, as bytes, count and list of information requests. */
void put_info(GByteArray *bytes, uint32_t option, const char *name, const char *requests,
              size_t length);

#define INFO(bytes, option, name, requests)                                                        \
    put_info(bytes, option, name, requests, sizeof(requests) - 1)

/* A compact request, and the data of a write. */
void put_request(GByteArray *bytes, uint16_t type, uint16_t flags, uint64_t offset,
                 uint32_t length);

/* An extended request, without its payload. */
void put_extended(GByteArray *bytes, uint16_t type, uint16_t flags, uint64_t offset,
                  uint64_t length);

/* LIST_ or SET_META_CONTEXT for "disk" with COUNT times QUERY. */
void put_queries(GByteArray *bytes, uint32_t option, const char *query, uint32_t count);

/* Up to transmission, with compact requests and simple replies. */
GByteArray *open_export(const char *name);

/* ---- By chapter ---- */

/* The exports that are spoken of: "disk", the default, "large" of more than 4 GiB, and "elastic", which can be
 * resized. */
typedef GByteArray *Monologue(void);

/* NULL ends each. */
extern Monologue *const handshake_monologues[],
    *const transmission_monologues[], *const chunk_monologues[], *const extension_monologues[];

/* Some that are said in other ways, too. */
Monologue huge_option, write_and_disc, long_payload;

#endif
