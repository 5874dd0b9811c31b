/* The bytes that cycles say, while they are prepared. */
#ifndef NBDCONFORM_SOAK_MAKER_H
#define NBDCONFORM_SOAK_MAKER_H

#include "soak/private.h"

typedef struct {
    SoakCycle *cycle;
    const SoakTarget *target;
    size_t said; /* bytes that no action has yet */
    uint64_t cookie;
} Maker;

void maker_add(Maker *maker, const void *bytes, size_t size);
void maker_add_number(Maker *maker, size_t width, uint64_t value);

/* An option's header; LENGTH bytes of data are to follow. */
void maker_add_option(Maker *maker, uint32_t option, size_t length);
void maker_add_export_name(Maker *maker, const char *name);
/* NBD_OPT_INFO or NBD_OPT_GO. */
void maker_add_info(Maker *maker, uint32_t option, const char *name);
/* The option that enters transmission. */
void maker_add_entry(Maker *maker);

/* A WRITE has zeros behind it. */
void maker_add_request(Maker *maker, uint16_t command, uint64_t offset, uint32_t length);

/* Takes back all but the first KEEP of the bytes since FROM. */
void maker_cut(Maker *maker, guint from, guint keep);

#endif
