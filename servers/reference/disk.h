/* Disks: what exports are made of. A disk is a stack of layers with one function each.
 *
 * A layer that has nothing of its own to do with a request hands it on to `next`. A request is
 * either done when submit returns, or later, from any thread, when its `done` is called: that is
 * how a layer that waits, or a disk that is a file, will let other requests pass.
 */
#ifndef NBDCONFORM_REFERENCE_DISK_H
#define NBDCONFORM_REFERENCE_DISK_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum {
    DISK_READ,
    DISK_WRITE,
    DISK_ZERO,
    DISK_TRIM,
    DISK_FLUSH,
    DISK_CACHE,
    DISK_EXTENT, /* what is at OFFSET: LENGTH becomes how far that holds, at least one byte of it */
} DiskOp;

/* A command of the client, or a piece of a long one. The caller has checked the bounds. */
typedef struct DiskRequest DiskRequest;
struct DiskRequest {
    DiskOp op;
    uint16_t flags; /* command flags: FUA, NO_HOLE, FAST_ZERO */
    bool more;      /* further pieces of the same command follow */
    uint64_t offset, length;
    uint8_t *data;                      /* LENGTH bytes that a read fills and a write takes */
    uint32_t state;                     /* an extent's: NBD_STATE_HOLE and NBD_STATE_ZERO */
    uint32_t error;                     /* the answer, one of the protocol's error values */
    void (*done)(DiskRequest *request); /* only called after DISK_LATER */
};

typedef enum { DISK_DONE, DISK_LATER } DiskStatus;

typedef struct Disk Disk;

typedef struct {
    DiskStatus (*submit)(Disk *disk, DiskRequest *request);
    void (*free)(Disk *disk);
} DiskOps;

/* The head of each layer's own structure. */
struct Disk {
    const DiskOps *ops;
    Disk *next; /* the layer below, owned; NULL at the bottom */
};

static inline DiskStatus disk_submit(Disk *disk, DiskRequest *request)
{
    return disk->ops->submit(disk, request);
}

/* Frees the whole stack. */
void disk_free(Disk *disk);

/* Memory that all memory disks of a server share; touched by several threads. */
typedef struct {
    uint64_t limit; /* bytes */
    uint64_t used;
} DiskBudget;

/* A sparse disk in memory, all zeroes. Where the budget is spent, writes fail with NBD_ENOSPC. */
Disk *disk_memory_new(DiskBudget *budget);

/* A layer for one connection that keeps what is written to itself until it is freed, so that
 * others see it late: a quirk. BELOW stays its owner's. Writes are shared by flushes or, with
 * UNTIL_FUA, by the command flag FUA, but not by both. */
Disk *disk_hoard_new(Disk *below, bool until_fua);

#endif
