/* Who writes where: each case that writes has a part of the export to itself.
 *
 * A server may still carry out what a case left unanswered, long after the case is over: such a region is not
 * lent again while there is another.
 */
#include "run/private.h"

#define ALIGNMENT (UINT64_C(64) << 10)

struct RunRegions {
    GMutex mutex;
    GCond changed;
    GQueue free;    /* of uint64_t *, … */
    GQueue retired; /* … and those where something may still be written, the oldest first */
    unsigned lent;
    uint64_t size, step;
    uint64_t made, room; /* how many there are, and how many there could be */
    unsigned spread;     /* so many are made before the first is lent again */
};

RunRegions *run_regions_new(const SessionFacts *facts, uint64_t size, unsigned spread)
{
    RunRegions *regions = g_new0(RunRegions, 1);
    uint64_t alignment = MAX(ALIGNMENT, facts->preferred);

    g_mutex_init(&regions->mutex);
    g_cond_init(&regions->changed);
    g_queue_init(&regions->free);
    g_queue_init(&regions->retired);
    regions->size = size;
    regions->step = (size + alignment - 1) / alignment * alignment;
    regions->spread = spread;
    if (regions->step > 0 && facts->size >= size)
        regions->room = (facts->size - size) / regions->step + 1;
    return regions;
}

void run_regions_free(RunRegions *regions)
{
    g_queue_clear_full(&regions->free, g_free);
    g_queue_clear_full(&regions->retired, g_free);
    g_cond_clear(&regions->changed);
    g_mutex_clear(&regions->mutex);
    g_free(regions);
}

bool run_regions_fit(const RunRegions *regions, uint64_t size)
{
    return regions->room > 0 && size <= regions->size;
}

/* The next to be lent, or NULL where all are. */
static uint64_t *next_region(RunRegions *regions, bool *restless)
{
    bool more = regions->made < regions->room;

    *restless = false;
    if (more && (regions->made < regions->spread || g_queue_is_empty(&regions->free))) {
        uint64_t *region = g_new(uint64_t, 1);
        *region = regions->made++ * regions->step;
        return region;
    }
    if (!g_queue_is_empty(&regions->free))
        return g_queue_pop_head(&regions->free);
    if (regions->lent > 0)
        return NULL;
    *restless = true;
    return g_queue_pop_head(&regions->retired);
}

uint64_t run_regions_take(RunRegions *regions, bool *restless)
{
    g_autofree uint64_t *region = NULL;

    g_mutex_lock(&regions->mutex);
    while ((region = next_region(regions, restless)) == NULL)
        g_cond_wait(&regions->changed, &regions->mutex);
    regions->lent++;
    g_mutex_unlock(&regions->mutex);
    return *region;
}

void run_regions_give(RunRegions *regions, uint64_t region, bool restless)
{
    g_mutex_lock(&regions->mutex);
    g_queue_push_tail(restless ? &regions->retired : &regions->free,
                      g_memdup2(&region, sizeof region));
    regions->lent--;
    g_cond_broadcast(&regions->changed);
    g_mutex_unlock(&regions->mutex);
}
