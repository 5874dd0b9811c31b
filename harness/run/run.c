/* Playing many cases: beside one another as far as the target bears it, alone where a case asks for that,
 * and once more, alone and with more time, where a verdict could be the doing of something else. */
#include <string.h>

#include "run/private.h"

#define DEFAULT_JOBS 4u
#define TICK_US (G_USEC_PER_SEC / 10)

/* So many times the usual time an answer gets when it is asked for once more. */
#define PATIENCE 2u

/* After so many cases in a row that did not get as far as their test, for silence or a refused
 * connection, the target is taken to be gone: waiting for it in each case left would take for ever. */
#define HOPELESS 8u
#define HOPELESS_ALONE 3u

typedef struct {
    const PlayCase *play_case;
    PlayResult *result;
    bool done;
} Task;

typedef struct {
    const RunOptions *options;
    PlayMode mode;
    RunSummary *summary;
    RunRegions *regions;
    GArray *tasks;    /* of Task, in the catalogue's order */
    GPtrArray *setup; /* of Finding: seen on the way, by all cases */
    GMutex mutex;     /* guards what follows, the summary, and the observers */
    GCond changed;
    guint next; /* first task that no job has taken */
    unsigned running;
    unsigned in_vain; /* cases in a row that could not get in */
    bool hopeless;
    GMutex writer; /* where connections don't see each other's writes, one case writes at a time */
} Run;

static bool stopped(const Run *run)
{
    return play_stopped(run->options->stop);
}

/* ---- Observers -------------------------------------------------------------------------------- */

static void tell_begin(const Run *run)
{
    const RunObserver *const *each = run->options->observers;

    for (; each != NULL && *each != NULL; each++)
        if ((*each)->begin != NULL)
            (*each)->begin((*each)->self, run->options, run->summary);
}

static void tell_started(const Run *run, const PlayCase *play_case)
{
    const RunObserver *const *each = run->options->observers;

    for (; each != NULL && *each != NULL; each++)
        if ((*each)->started != NULL)
            (*each)->started((*each)->self, play_case);
}

static void tell_tick(const Run *run)
{
    const RunObserver *const *each = run->options->observers;

    for (; each != NULL && *each != NULL; each++)
        if ((*each)->tick != NULL)
            (*each)->tick((*each)->self, run->summary);
}

static void tell_end(const Run *run)
{
    const RunObserver *const *each = run->options->observers;

    for (; each != NULL && *each != NULL; each++)
        if ((*each)->end != NULL)
            (*each)->end((*each)->self, run->options, run->summary);
}

/* ---- One case --------------------------------------------------------------------------------- */

static PlayResult *play_with_resources(Run *run, const PlayCase *play_case, const PlayMode *mode)
{
    bool one_writer = play_case->writes && !run->summary->target.concurrent_writes;
    /* Where the probe could not enter there are no regions; the case will be blocked before it writes. */
    bool lent = run_regions_fit(run->regions, play_case->region) && play_case->region > 0;
    bool restless = false;
    uint64_t region = 0;

    if (one_writer)
        g_mutex_lock(&run->writer);
    if (lent)
        region = run_regions_take(run->regions, &restless);
    PlayResult *result = play_run_case(play_case, mode, &run->summary->target, region);
    result->doubtful |= restless && result->verdict != VERDICT_PASS;
    if (lent)
        run_regions_give(run->regions, region, result->unsettled);
    if (one_writer)
        g_mutex_unlock(&run->writer);
    return result;
}

/* Files the verdict that stands; what was met on the way there is kept for the end. */
static void finish(Run *run, Task *task)
{
    GPtrArray *setup = task->result->setup;

    g_ptr_array_set_free_func(setup, NULL);
    for (guint i = 0; i < setup->len; i++)
        g_ptr_array_add(run->setup, setup->pdata[i]);
    g_ptr_array_set_size(setup, 0);
    task->done = true;
    run_file(run->options, run->summary, task->play_case, g_steal_pointer(&task->result));
}

/* Keeps count of the cases that could not get in, up to LIMIT in a row. */
static void note_hope(Run *run, const PlayResult *result, unsigned limit)
{
    if (result->verdict == VERDICT_BLOCKED && result->doubtful)
        run->in_vain++;
    else
        run->in_vain = 0;
    run->hopeless = run->in_vain >= limit;
}

static void play_task(Run *run, Task *task)
{
    g_mutex_lock(&run->mutex);
    tell_started(run, task->play_case);
    g_mutex_unlock(&run->mutex);

    PlayResult *result = play_with_resources(run, task->play_case, &run->mode);

    g_mutex_lock(&run->mutex);
    if (stopped(run) && result->verdict == VERDICT_ERROR) {
        play_result_free(result); /* was cut short */
    } else {
        task->result = result;
        note_hope(run, result, HOPELESS);
        if (!result->doubtful)
            finish(run, task);
    }
    g_cond_signal(&run->changed);
    g_mutex_unlock(&run->mutex);
}

/* ---- Beside one another ----------------------------------------------------------------------- */

static Task *take_task(Run *run)
{
    Task *task = NULL;

    g_mutex_lock(&run->mutex);
    while (task == NULL && run->next < run->tasks->len && !stopped(run) && !run->hopeless) {
        task = &g_array_index(run->tasks, Task, run->next++);
        if (task->done || task->play_case->alone)
            task = NULL;
    }
    g_mutex_unlock(&run->mutex);
    return task;
}

static gpointer job(gpointer data)
{
    Run *run = data;
    Task *task;

    while ((task = take_task(run)) != NULL)
        play_task(run, task);
    g_mutex_lock(&run->mutex);
    run->running--;
    g_cond_signal(&run->changed);
    g_mutex_unlock(&run->mutex);
    return NULL;
}

/* Waits for the jobs, with a tick for the progress now and then. */
static void await_jobs(Run *run)
{
    g_mutex_lock(&run->mutex);
    while (run->running > 0) {
        g_cond_wait_until(&run->changed, &run->mutex, g_get_monotonic_time() + TICK_US);
        tell_tick(run);
    }
    g_mutex_unlock(&run->mutex);
}

static void play_in_jobs(Run *run, unsigned jobs)
{
    g_autoptr(GPtrArray) threads = g_ptr_array_new();

    run->running = jobs;
    for (unsigned i = 0; i < jobs; i++)
        g_ptr_array_add(threads, g_thread_new("job", job, run));
    await_jobs(run);
    for (guint i = 0; i < threads->len; i++)
        g_thread_join(threads->pdata[i]);
}

/* ---- Alone ------------------------------------------------------------------------------------ */

typedef struct {
    Run *run;
    void (*play)(Run *run);
} Alone;

static gpointer alone_job(gpointer data)
{
    Alone *alone = data;

    alone->play(alone->run);
    g_mutex_lock(&alone->run->mutex);
    alone->run->running--;
    g_cond_signal(&alone->run->changed);
    g_mutex_unlock(&alone->run->mutex);
    return NULL;
}

/* In a thread of its own too, so that the progress goes on. */
static void play_alone(Run *run, void (*play)(Run *run))
{
    Alone alone = {run, play};

    run->running = 1;
    GThread *thread = g_thread_new("alone", alone_job, &alone);
    await_jobs(run);
    g_thread_join(thread);
    /* cppcheck-suppress memleak ; joining has released it */
}

static void play_lonely_cases(Run *run)
{
    for (guint i = 0; i < run->tasks->len && !stopped(run) && !run->hopeless; i++) {
        Task *task = &g_array_index(run->tasks, Task, i);
        if (!task->done && task->result == NULL && task->play_case->alone)
            play_task(run, task);
    }
}

/* The verdict of the second try is the one that counts, unless there was none (AGAIN is NULL, or was cut
 * short). Where the second try does not get as far as the test, what the first one saw stands: it may be
 * what killed the target. */
static void replace(Run *run, Task *task, PlayResult *again)
{
    bool cut_short = again == NULL || (stopped(run) && again->verdict == VERDICT_ERROR);

    if (!cut_short)
        note_hope(run, again, HOPELESS_ALONE);
    if (cut_short || (again->verdict == VERDICT_BLOCKED && task->result->verdict == VERDICT_FAIL)) {
        play_result_free(again);
        return;
    }
    play_result_free(task->result);
    task->result = again;
}

/* A verdict that rests on silence, on a close or on a refused connection could be another case's doing, or
 * a busy machine's: asked again, alone, with more time, the target speaks for itself. */
static void replay_doubtful(Run *run)
{
    PlayMode patient = run->mode;

    patient.timeout_ms *= PATIENCE;
    run->in_vain = 0;
    run->hopeless = false;
    for (guint i = 0; i < run->tasks->len && !stopped(run); i++) {
        Task *task = &g_array_index(run->tasks, Task, i);
        if (task->done || task->result == NULL)
            continue;
        PlayResult *again =
            run->hopeless ? NULL : play_with_resources(run, task->play_case, &patient);
        g_mutex_lock(&run->mutex);
        replace(run, task, again);
        finish(run, task);
        g_mutex_unlock(&run->mutex);
    }
}

/* Cases that were not even tried, because the target was gone. */
static void give_up(Run *run)
{
    for (guint i = 0; i < run->tasks->len && !stopped(run); i++) {
        Task *task = &g_array_index(run->tasks, Task, i);
        if (task->done)
            continue;
        task->done = true;
        run_file(
            run->options, run->summary, task->play_case,
            run_result(VERDICT_BLOCKED, g_strdup("not played: the target has stopped answering")));
    }
}

/* ---- The run ---------------------------------------------------------------------------------- */

/* Of those that an export of SIZE bytes has room for: cases that ask for more don't keep others from theirs. */
static uint64_t largest_region(const GPtrArray *cases, uint64_t size)
{
    uint64_t largest = 0;

    for (guint i = 0; i < cases->len; i++) {
        uint64_t region = ((const PlayCase *)cases->pdata[i])->region;
        if (region <= size)
            largest = MAX(largest, region);
    }
    return largest;
}

static char *unfit(const Run *run, const PlayCase *play_case)
{
    char *reason = play_unfit(play_case, &run->mode, &run->summary->target);

    if (reason != NULL || play_case->region == 0 || !run->summary->target.entered ||
        run_regions_fit(run->regions, play_case->region))
        return reason;
    return g_strdup_printf("the export has no room for %" G_GUINT64_FORMAT " bytes of its own",
                           play_case->region);
}

/* What can't be played is settled first. */
static void skip_unfit(Run *run)
{
    for (guint i = 0; i < run->options->cases->len; i++) {
        Task task = {.play_case = run->options->cases->pdata[i]};
        char *reason = unfit(run, task.play_case);
        task.done = reason != NULL;
        g_array_append_val(run->tasks, task);
        if (reason != NULL)
            run_file(run->options, run->summary, task.play_case, run_result(VERDICT_SKIP, reason));
    }
}

static unsigned sensible_jobs(const RunOptions *options, const PlayTarget *target)
{
    unsigned jobs = options->jobs > 0 ? options->jobs : DEFAULT_JOBS;
    unsigned most_connections = 1;

    for (guint i = 0; i < options->cases->len; i++) {
        const PlayCase *play_case = options->cases->pdata[i];
        if (play_case->connections <= target->connections)
            most_connections = MAX(most_connections, play_case->connections);
    }
    /* Each job may hold as many connections as the most demanding case. */
    return CLAMP(jobs, 1, MAX(target->connections / most_connections, 1));
}

static int by_order(gconstpointer a, gconstpointer b, gpointer order)
{
    const RunEntry *left = *(RunEntry *const *)a, *right = *(RunEntry *const *)b;

    return GPOINTER_TO_INT(g_hash_table_lookup(order, left->play_case)) -
           GPOINTER_TO_INT(g_hash_table_lookup(order, right->play_case));
}

/* Verdicts fell as they came; they are reported in the catalogue's order, set-up first. */
static void sort_entries(Run *run)
{
    g_autoptr(GHashTable) order = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < run->options->cases->len; i++)
        g_hash_table_insert(order, run->options->cases->pdata[i], GINT_TO_POINTER((int)i + 1));
    g_ptr_array_sort_with_data(run->summary->entries, by_order, order);
}

/* A target can die of a case that was over already: at the end it has to accept connections still. */
static void check_alive(Run *run)
{
    g_autoptr(GError) error = NULL;
    PlayMode patient = run->mode;
    patient.timeout_ms *= PATIENCE;
    g_autoptr(Transport) transport = play_reach(&patient, &run->summary->target, &error);

    if (transport != NULL)
        return;
    Finding *finding = g_new0(Finding, 1);
    finding->requirement = requirement_find(REQ("robust.process-alive"));
    finding->by = SIDE_SERVER;
    finding->message = g_strdup_printf("at the end of the run: %s", error->message);
    g_ptr_array_add(run->setup, finding);
}

/* A target that was given up and then answered after all, when it was asked alone, gets the rest. */
static void play_rest(Run *run)
{
    for (guint i = 0; i < run->tasks->len && !stopped(run) && !run->hopeless; i++) {
        Task *task = &g_array_index(run->tasks, Task, i);
        if (!task->done && task->result == NULL)
            play_task(run, task);
    }
}

static void play_all(Run *run)
{
    skip_unfit(run);
    play_in_jobs(run, sensible_jobs(run->options, &run->summary->target));
    play_alone(run, play_lonely_cases);
    play_alone(run, replay_doubtful);
    if (!run->hopeless) {
        play_alone(run, play_rest);
        play_alone(run, replay_doubtful);
    }
    give_up(run);
    check_alive(run);
    run_file_setup(run->options, run->summary, run->setup);
    sort_entries(run);
}

RunSummary *run_cases(const RunOptions *options, GError **error)
{
    g_autoptr(RunSummary) summary = run_summary_new();
    gint64 began_us = g_get_monotonic_time();
    Run run = {.options = options, .mode = options->mode, .summary = summary};

    run.mode.stop = options->stop;
    if (run.mode.salt == 0)
        run.mode.salt = (uint64_t)g_random_int() << 32 | g_random_int();
    summary->total = options->cases->len;
    if (!play_probe(&run.mode, options->jobs > 0 ? options->jobs : DEFAULT_JOBS, &summary->target,
                    error))
        return NULL;
    summary->probed = true;
    g_mutex_init(&run.mutex);
    g_mutex_init(&run.writer);
    g_cond_init(&run.changed);
    run.tasks = g_array_new(FALSE, TRUE, sizeof(Task));
    run.setup = g_ptr_array_new_with_free_func((GDestroyNotify)finding_free);
    run.regions = run_regions_new(&summary->target.facts,
                                  largest_region(options->cases, summary->target.facts.size),
                                  DEFAULT_JOBS * 4);

    tell_begin(&run);
    play_all(&run);
    summary->interrupted = stopped(&run);
    summary->duration_ms = (unsigned)((g_get_monotonic_time() - began_us) / 1000);
    tell_end(&run);

    for (guint i = 0; i < run.tasks->len; i++)
        play_result_free(g_array_index(run.tasks, Task, i).result);
    run_regions_free(run.regions);
    g_ptr_array_unref(run.setup);
    g_array_unref(run.tasks);
    g_cond_clear(&run.changed);
    g_mutex_clear(&run.writer);
    g_mutex_clear(&run.mutex);
    return g_steal_pointer(&summary);
}
