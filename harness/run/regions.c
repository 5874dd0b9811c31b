/* Who writes where: each case that writes has a part of the export to itself. */
#include "run/private.h"

#define ALIGNMENT (UINT64_C(64) << 10)

struct RunRegions {
    GMutex mutex;
    GCond given;
    GArray *free; /* of uint64_t */
    uint64_t size;
    unsigned count;
};

RunRegions *run_regions_new(const SessionFacts *facts, uint64_t size, unsigned count)
{
    RunRegions *regions = g_new0(RunRegions, 1);
    uint64_t alignment = MAX(ALIGNMENT, facts->preferred);
    uint64_t step = (size + alignment - 1) / alignment * alignment;

    g_mutex_init(&regions->mutex);
    g_cond_init(&regions->given);
    regions->free = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    regions->size = size;
    for (uint64_t offset = 0;
         step > 0 && regions->count < count && facts->size >= size && offset <= facts->size - size;
         offset += step) {
        g_array_append_val(regions->free, offset);
        regions->count++;
    }
    return regions;
}

void run_regions_free(RunRegions *regions)
{
    g_array_unref(regions->free);
    g_cond_clear(&regions->given);
    g_mutex_clear(&regions->mutex);
    g_free(regions);
}

bool run_regions_fit(const RunRegions *regions, uint64_t size)
{
    return regions->count > 0 && size <= regions->size;
}

uint64_t run_regions_take(RunRegions *regions)
{
    g_mutex_lock(&regions->mutex);
    while (regions->free->len == 0)
        g_cond_wait(&regions->given, &regions->mutex);
    uint64_t region = g_array_index(regions->free, uint64_t, 0);
    g_array_remove_index(regions->free, 0);
    g_mutex_unlock(&regions->mutex);
    return region;
}

void run_regions_give(RunRegions *regions, uint64_t region)
{
    g_mutex_lock(&regions->mutex);
    /* To the end of the queue: a server may still be carrying out what a case left in flight there. */
    g_array_append_val(regions->free, region);
    g_cond_signal(&regions->given);
    g_mutex_unlock(&regions->mutex);
}
