/* The disk layer of quirks that lie about NBD_FLAG_CAN_MULTI_CONN: a cache that belongs to one
 * connection. */
#include <string.h>

#include "reference/disk.h"
#include "wire/wire.h"

#define MOST_BYTES ((uint64_t)4 * 1024 * 1024) /* more than that is shared at once */

typedef struct {
    uint64_t offset;
    GBytes *data;
} Kept;

typedef struct {
    Disk disk;
    Disk *below;
    bool until_fua;
    GArray *kept; /* of Kept, in the order of writing */
    uint64_t bytes;
} HoardDisk;

static void clear_kept(gpointer data)
{
    g_bytes_unref(((Kept *)data)->data);
}

static void share(HoardDisk *disk)
{
    for (guint i = 0; i < disk->kept->len; i++) {
        const Kept *kept = &g_array_index(disk->kept, Kept, i);
        gsize length;
        gconstpointer data = g_bytes_get_data(kept->data, &length);
        DiskRequest write = {
            .op = DISK_WRITE, .offset = kept->offset, .length = length, .data = (uint8_t *)data};
        disk_submit(disk->below, &write);
    }
    g_array_set_size(disk->kept, 0);
    disk->bytes = 0;
}

static void keep(HoardDisk *disk, const DiskRequest *request)
{
    Kept kept = {request->offset, g_bytes_new(request->data, request->length)};

    if (disk->bytes > MOST_BYTES)
        share(disk);
    g_array_append_val(disk->kept, kept);
    disk->bytes += request->length;
}

/* What is kept lies over what was read from below. */
static void lay_over(const HoardDisk *disk, DiskRequest *read)
{
    for (guint i = 0; i < disk->kept->len; i++) {
        const Kept *kept = &g_array_index(disk->kept, Kept, i);
        gsize length;
        const uint8_t *data = g_bytes_get_data(kept->data, &length);
        uint64_t from = MAX(kept->offset, read->offset);
        uint64_t end = MIN(kept->offset + length, read->offset + read->length);
        if (from < end)
            memcpy(read->data + (from - read->offset), data + (from - kept->offset), end - from);
    }
}

static DiskStatus hoard_submit(Disk *base, DiskRequest *request)
{
    HoardDisk *disk = (HoardDisk *)base;
    bool shares = disk->until_fua ? request->flags & NBD_CMD_FLAG_FUA : request->op == DISK_FLUSH;
    DiskStatus status;

    request->error = NBD_SUCCESS;
    switch (request->op) {
    case DISK_READ:
        status = disk_submit(disk->below, request);
        lay_over(disk, request);
        return status;
    case DISK_WRITE:
        keep(disk, request);
        if (shares)
            share(disk);
        return DISK_DONE;
    case DISK_ZERO:
    case DISK_TRIM:
        share(disk);
        return disk_submit(disk->below, request);
    case DISK_FLUSH:
        if (shares)
            share(disk);
        return DISK_DONE;
    case DISK_CACHE:
        break;
    case DISK_EXTENT: /* what is kept lies over it: nothing is known of its contents */
        request->state = 0;
        break;
    }
    return DISK_DONE;
}

static void hoard_free(Disk *base)
{
    HoardDisk *disk = (HoardDisk *)base;

    share(disk);
    g_array_unref(disk->kept);
    g_free(disk);
}

Disk *disk_hoard_new(Disk *below, bool until_fua)
{
    static const DiskOps ops = {.submit = hoard_submit, .free = hoard_free};
    HoardDisk *disk = g_new0(HoardDisk, 1);

    disk->disk.ops = &ops;
    disk->below = below;
    disk->until_fua = until_fua;
    disk->kept = g_array_new(FALSE, FALSE, sizeof(Kept));
    g_array_set_clear_func(disk->kept, clear_kept);
    return &disk->disk;
}
