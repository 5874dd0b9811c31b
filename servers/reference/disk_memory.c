/* The sparse memory disk: pages of 64 KiB, each there only once something was written to it.
 *
 * Pages hang in a number of hash tables with a lock each, so that several threads seldom meet. */
#include <string.h>

#include "reference/disk.h"
#include "wire/wire.h"

#define PAGE_SIZE UINT64_C(65536)
#define SHARDS 64u
#define FEW_PAGES 256u /* up to here, looking each page up is cheaper than walking the tables */

typedef struct {
    GRWLock lock;
    GHashTable *pages; /* page number → page; NULL before the first */
} Shard;

typedef struct {
    Disk disk;
    DiskBudget *budget;
    Shard shards[SHARDS];
} MemoryDisk;

/* A part of one page. */
typedef struct {
    uint64_t page;
    uint64_t from; /* within the page */
    uint64_t length;
} Part;

/* Page numbers come from clients: without mixing, they could be chosen so that all collide. */
static uint64_t mix(uint64_t number)
{
    number *= UINT64_C(0x9e3779b97f4a7c15);
    return number ^ number >> 32;
}

static guint page_hash(gconstpointer key)
{
    return (guint)mix((uint64_t)(uintptr_t)key);
}

static gpointer page_key(uint64_t page)
{
    return (gpointer)(uintptr_t)page;
}

static Shard *shard_of(MemoryDisk *disk, uint64_t page)
{
    return &disk->shards[mix(page) >> 26 & (SHARDS - 1)];
}

static uint8_t *find_page(const Shard *shard, uint64_t page)
{
    return shard->pages != NULL ? g_hash_table_lookup(shard->pages, page_key(page)) : NULL;
}

/* Takes a page's worth of the budget. */
static bool charge(DiskBudget *budget)
{
    if (__atomic_add_fetch(&budget->used, PAGE_SIZE, __ATOMIC_RELAXED) <= budget->limit)
        return true;
    __atomic_sub_fetch(&budget->used, PAGE_SIZE, __ATOMIC_RELAXED);
    return false;
}

/* The page, made if need be; NULL if there is no memory for it. */
static uint8_t *make_page(MemoryDisk *disk, Shard *shard, uint64_t page)
{
    uint8_t *bytes = find_page(shard, page);

    if (bytes != NULL || !charge(disk->budget))
        return bytes;
    if (shard->pages == NULL)
        shard->pages = g_hash_table_new_full(page_hash, NULL, NULL, g_free);
    bytes = g_malloc0(PAGE_SIZE);
    g_hash_table_insert(shard->pages, page_key(page), bytes);
    return bytes;
}

static void drop_page(MemoryDisk *disk, Shard *shard, uint64_t page)
{
    if (shard->pages != NULL && g_hash_table_remove(shard->pages, page_key(page)))
        __atomic_sub_fetch(&disk->budget->used, PAGE_SIZE, __ATOMIC_RELAXED);
}

static void read_part(MemoryDisk *disk, Part part, uint8_t *data)
{
    Shard *shard = shard_of(disk, part.page);

    g_rw_lock_reader_lock(&shard->lock);
    const uint8_t *bytes = find_page(shard, part.page);
    if (bytes != NULL)
        memcpy(data, bytes + part.from, part.length);
    else
        memset(data, 0, part.length);
    g_rw_lock_reader_unlock(&shard->lock);
}

/* DATA may be NULL: zeroes that occupy memory. */
static bool write_part(MemoryDisk *disk, Part part, const uint8_t *data)
{
    Shard *shard = shard_of(disk, part.page);

    g_rw_lock_writer_lock(&shard->lock);
    uint8_t *bytes = make_page(disk, shard, part.page);
    if (bytes != NULL && data != NULL)
        memcpy(bytes + part.from, data, part.length);
    else if (bytes != NULL)
        memset(bytes + part.from, 0, part.length);
    g_rw_lock_writer_unlock(&shard->lock);
    return bytes != NULL;
}

static void discard_part(MemoryDisk *disk, Part part)
{
    Shard *shard = shard_of(disk, part.page);

    g_rw_lock_writer_lock(&shard->lock);
    if (part.length == PAGE_SIZE) {
        drop_page(disk, shard, part.page);
    } else {
        uint8_t *bytes = find_page(shard, part.page);
        if (bytes != NULL)
            memset(bytes + part.from, 0, part.length);
    }
    g_rw_lock_writer_unlock(&shard->lock);
}

/* Drops whole pages FIRST up to, not including, END; asks the tables what is there. */
static void discard_many(MemoryDisk *disk, uint64_t first, uint64_t end)
{
    for (Shard *shard = disk->shards; shard < disk->shards + SHARDS; shard++) {
        GHashTableIter iter;
        gpointer key;

        g_rw_lock_writer_lock(&shard->lock);
        if (shard->pages != NULL) {
            g_hash_table_iter_init(&iter, shard->pages);
            while (g_hash_table_iter_next(&iter, &key, NULL)) {
                uint64_t page = (uint64_t)(uintptr_t)key;
                if (page < first || page >= end)
                    continue;
                g_hash_table_iter_remove(&iter);
                __atomic_sub_fetch(&disk->budget->used, PAGE_SIZE, __ATOMIC_RELAXED);
            }
        }
        g_rw_lock_writer_unlock(&shard->lock);
    }
}

/* Cuts the next part off [*OFFSET, *OFFSET + *LENGTH). */
static Part next_part(uint64_t *offset, uint64_t *length)
{
    uint64_t from = *offset % PAGE_SIZE;
    Part part = {*offset / PAGE_SIZE, from, MIN(*length, PAGE_SIZE - from)};

    *offset += part.length;
    *length -= part.length;
    return part;
}

static void discard(MemoryDisk *disk, uint64_t offset, uint64_t length)
{
    while (length > 0) {
        if (offset % PAGE_SIZE == 0 && length / PAGE_SIZE > FEW_PAGES) {
            uint64_t first = offset / PAGE_SIZE;
            uint64_t count = length / PAGE_SIZE;
            discard_many(disk, first, first + count);
            offset += count * PAGE_SIZE;
            length -= count * PAGE_SIZE;
        } else {
            discard_part(disk, next_part(&offset, &length));
        }
    }
}

/* ---- Extents --------------------------------------------------------------------------------- */

static bool has_page(MemoryDisk *disk, uint64_t page)
{
    Shard *shard = shard_of(disk, page);

    g_rw_lock_reader_lock(&shard->lock);
    bool there = find_page(shard, page) != NULL;
    g_rw_lock_reader_unlock(&shard->lock);
    return there;
}

/* The lowest page from FIRST on, or END; asks the tables what is there. */
static uint64_t next_page(MemoryDisk *disk, uint64_t first, uint64_t end)
{
    for (Shard *shard = disk->shards; shard < disk->shards + SHARDS; shard++) {
        GHashTableIter iter;
        gpointer key;

        g_rw_lock_reader_lock(&shard->lock);
        if (shard->pages != NULL) {
            g_hash_table_iter_init(&iter, shard->pages);
            while (g_hash_table_iter_next(&iter, &key, NULL)) {
                uint64_t page = (uint64_t)(uintptr_t)key;
                if (page >= first && page < end)
                    end = page;
            }
        }
        g_rw_lock_reader_unlock(&shard->lock);
    }
    return end;
}

static void find_extent(MemoryDisk *disk, DiskRequest *request)
{
    uint64_t first = request->offset / PAGE_SIZE;
    uint64_t end = (request->offset + request->length - 1) / PAGE_SIZE + 1;
    uint64_t page = first + 1;
    bool data = has_page(disk, first);

    while (page < end && page < first + FEW_PAGES && has_page(disk, page) == data)
        page++;
    if (!data && page == first + FEW_PAGES)
        page = next_page(disk, page, end);
    request->state = data ? 0 : NBD_STATE_HOLE | NBD_STATE_ZERO;
    request->length = MIN(request->length, page * PAGE_SIZE - request->offset);
}

static DiskStatus memory_submit(Disk *base, DiskRequest *request)
{
    MemoryDisk *disk = (MemoryDisk *)base;
    uint64_t offset = request->offset;
    uint64_t length = request->length;
    uint8_t *data = request->data;

    request->error = NBD_SUCCESS;
    switch (request->op) {
    case DISK_READ:
        while (length > 0) {
            Part part = next_part(&offset, &length);
            read_part(disk, part, data);
            data += part.length;
        }
        break;
    case DISK_WRITE:
    case DISK_ZERO:
        if (request->op == DISK_ZERO && !(request->flags & NBD_CMD_FLAG_NO_HOLE)) {
            discard(disk, offset, length);
            break;
        }
        while (length > 0) {
            Part part = next_part(&offset, &length);
            if (!write_part(disk, part, request->op == DISK_ZERO ? NULL : data))
                request->error = NBD_ENOSPC;
            if (request->op == DISK_WRITE)
                data += part.length;
        }
        break;
    case DISK_TRIM:
        discard(disk, offset, length);
        break;
    case DISK_FLUSH: /* memory is all there is: nothing is ever more permanent */
    case DISK_CACHE:
        break;
    case DISK_EXTENT:
        find_extent(disk, request);
        break;
    }
    return DISK_DONE;
}

static void memory_free(Disk *base)
{
    MemoryDisk *disk = (MemoryDisk *)base;

    for (Shard *shard = disk->shards; shard < disk->shards + SHARDS; shard++) {
        if (shard->pages != NULL)
            g_hash_table_unref(shard->pages);
        g_rw_lock_clear(&shard->lock);
    }
    g_free(disk);
}

Disk *disk_memory_new(DiskBudget *budget)
{
    static const DiskOps ops = {.submit = memory_submit, .free = memory_free};
    MemoryDisk *disk = g_new0(MemoryDisk, 1);

    disk->disk.ops = &ops;
    disk->budget = budget;
    for (Shard *shard = disk->shards; shard < disk->shards + SHARDS; shard++)
        g_rw_lock_init(&shard->lock);
    return &disk->disk;
}

void disk_free(Disk *disk)
{
    while (disk != NULL) {
        Disk *next = disk->next;
        disk->ops->free(disk);
        disk = next;
    }
}
