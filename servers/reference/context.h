/* Metadata contexts: what clients may ask to be told of an export, extent by extent. */
#ifndef NBDCONFORM_REFERENCE_CONTEXT_H
#define NBDCONFORM_REFERENCE_CONTEXT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define CONTEXTS 3u

/* A set of them: bit N is context N, whose id on the wire is N + 1. */
typedef uint32_t ContextSet;

/* "base:allocation" */
const char *context_name(unsigned context);
uint32_t context_id(unsigned context);
ContextSet context_of_id(uint32_t id);

/* What it says of an extent that has STATE, as base:allocation would put it. */
uint64_t context_status(unsigned context, uint32_t state);

/* Those that can be had: some need the 64 bits that only extended headers have. */
ContextSet context_available(bool extended);

/* Takes one from SET, which is not empty: the first, or the last. */
unsigned context_take(ContextSet *set, bool last);

/* Those that QUERY selects, or finds where LISTING. False if it is malformed. */
bool context_query(const uint8_t *query, uint32_t length, bool listing, ContextSet *found);

#endif
