/* Telling those who listen to a run. */
#include "run/private.h"

void run_tell_begin(const RunOptions *options, const RunSummary *summary)
{
    const RunObserver *const *each = options->observers;

    for (; each != NULL && *each != NULL; each++)
        if ((*each)->begin != NULL)
            (*each)->begin((*each)->self, options, summary);
}

void run_tell_started(const RunOptions *options, const PlayCase *play_case)
{
    const RunObserver *const *each = options->observers;

    for (; each != NULL && *each != NULL; each++)
        if ((*each)->started != NULL)
            (*each)->started((*each)->self, play_case);
}

void run_tell_tick(const RunOptions *options, const RunSummary *summary)
{
    const RunObserver *const *each = options->observers;

    for (; each != NULL && *each != NULL; each++)
        if ((*each)->tick != NULL)
            (*each)->tick((*each)->self, summary);
}

void run_tell_end(const RunOptions *options, const RunSummary *summary)
{
    const RunObserver *const *each = options->observers;

    for (; each != NULL && *each != NULL; each++)
        if ((*each)->end != NULL)
            (*each)->end((*each)->self, options, summary);
}
