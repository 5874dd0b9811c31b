/* What valgrind's memcheck says at a server's end, as records that can be compared. Private to soak. */
#ifndef NBDCONFORM_SOAK_MEMCHECK_H
#define NBDCONFORM_SOAK_MEMCHECK_H

#include <glib.h>
#include <stdbool.h>

typedef enum { MEMCHECK_LOST, MEMCHECK_OPEN, MEMCHECK_ERROR } MemcheckKind;

/* All blocks lost, descriptors left open, or errors made, at one place. */
typedef struct {
    MemcheckKind kind;
    char *place;    /* the stack without addresses: the same in every run */
    unsigned count; /* blocks, descriptors, errors */
    guint64 bytes;  /* lost */
    char *text;     /* as valgrind puts it, the first of them */
} MemcheckRecord;

/* Place → MemcheckRecord, of LOG: definite leaks, open descriptors, invalid reads, writes and frees. */
GHashTable *memcheck_parse(const char *log);

#endif
