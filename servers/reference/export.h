/* Exports: names, what is told of each, and the disk behind it. */
#ifndef NBDCONFORM_REFERENCE_EXPORT_H
#define NBDCONFORM_REFERENCE_EXPORT_H

#include <string.h>

#include "reference/disk.h"
#include "reference/reference.h"

/* What a client is told of an export, and what requests are measured by. */
typedef struct {
    uint64_t size;
    uint64_t flags; /* transmission flags */
    uint64_t minimum, preferred, maximum;
    uint64_t unfragmented; /* the longest read that is answered in one piece */
    bool constrained;      /* NBD_INFO_BLOCK_SIZE is to be had */
    bool lenient, require;
    bool tls_only; /* and there is no TLS */
} ExportFacts;

typedef struct {
    char *name;
    char *description; /* or NULL */
    char *canonical;
    ExportFacts facts;
    bool tls_only;
    uint64_t *size; /* atomic: resizing changes it for those who come */
    Disk *disk;
} Export;

typedef struct {
    GPtrArray *all;           /* of Export, as configured */
    const Export *by_default; /* what the name "" means; NULL: nothing */
} Exports;

/* Checks and copies the configuration; disks are charged to BUDGET. */
bool exports_init(Exports *exports, const RefConfig *config, DiskBudget *budget, GError **error);
void exports_clear(Exports *exports);

/* The export called NAME (any bytes), or NULL. */
const Export *exports_find(const Exports *exports, const uint8_t *name, size_t length);

/* Strings of exports as messages want them; NULL is empty. */
static inline size_t export_text_length(const char *text)
{
    return text != NULL ? strlen(text) : 0;
}

#endif
