/* What the fuzz targets share. Each is a program of its own: clang's libFuzzer calls its
 * LLVMFuzzerTestOneInput() with input after input, and keeps those that reach new code. */
#ifndef NBDCONFORM_FUZZ_H
#define NBDCONFORM_FUZZ_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What must hold whatever the input: libFuzzer takes an abort for a find, and keeps the input. */
#define FUZZ_HOLDS(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A copy of the exact size: the sanitizer sees any byte that is read beyond it. The caller frees it. */
static inline void *fuzz_exact(const uint8_t *data, size_t size)
{
    uint8_t *copy = g_malloc(size > 0 ? size : 1);

    memcpy(copy, data, size);
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#endif
