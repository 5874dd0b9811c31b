/* Playing many cases: beside one another as far as the target bears it, alone where a case asks for that,
 * and once more, alone and with more time, where a verdict could be the doing of something else. */
#include <string.h>

#include "run/private.h"

#define DEFAULT_JOBS 4u
#define LISTED 6u /* names to tell a user who gave none */
#define TICK_US (G_USEC_PER_SEC / 10)

/* ---- Jobs ------------------------------------------------------------------------------------- */

typedef void (*JobWork)(Job *job);

typedef struct {
    Job *job;
    JobWork work;
} Shift;

static bool going_on(const Run *run)
{
    return !run_stopped(run) && !run->hopeless && !run->gone;
}

/* Every server but the first is started by the job that it is for. A server that cannot run twice, as one
 * that locks its disk, is no mistake of anybody's: there is one job less. */
static bool has_server(Job *job)
{
    const WatchSpawn *spawn = job->run->options->spawn;

    if (spawn == NULL || job->server != NULL)
        return true;
    job->server = run_server_spawn(spawn, NULL);
    if (job->server == NULL)
        return false;
    job_use_server(job);
    return true;
}

static gpointer work_shift(gpointer data)
{
    const Shift *shift = data;
    Run *run = shift->job->run;

    if (has_server(shift->job))
        shift->work(shift->job);
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
        run_tell_tick(run->options, run->summary);
    }
    g_mutex_unlock(&run->mutex);
}

/* In threads of their own, even if it is one, so that the progress goes on. */
static void work_in_jobs(Run *run, unsigned jobs, JobWork work)
{
    g_autoptr(GPtrArray) threads = g_ptr_array_new();
    g_autofree Shift *shifts = g_new0(Shift, jobs);

    run->running = jobs;
    for (unsigned i = 0; i < jobs; i++) {
        shifts[i] = (Shift){&g_array_index(run->jobs, Job, i), work};
        g_ptr_array_add(threads, g_thread_new("job", work_shift, &shifts[i]));
    }
    await_jobs(run);
    for (guint i = 0; i < threads->len; i++)
        g_thread_join(threads->pdata[i]);
}

/* ---- Beside one another, and alone ------------------------------------------------------------ */

static Task *take_task(Run *run)
{
    Task *task = NULL;

    g_mutex_lock(&run->mutex);
    while (task == NULL && run->next < run->tasks->len && going_on(run)) {
        task = &g_array_index(run->tasks, Task, run->next++);
        if (task->done || task->play_case->alone)
            task = NULL;
    }
    g_mutex_unlock(&run->mutex);
    return task;
}

static void play_tasks(Job *job)
{
    Task *task;

    while ((task = take_task(job->run)) != NULL)
        job_play(job, task);
}

static void play_alone(Job *job, bool resizing)
{
    Run *run = job->run;

    for (guint i = 0; i < run->tasks->len && going_on(run); i++) {
        Task *task = &g_array_index(run->tasks, Task, i);
        if (task->done || task->result != NULL || !task->play_case->alone ||
            task->play_case->resizes != resizing)
            continue;
        job_play(job, task);
        if (resizing && !task->done && task->result != NULL)
            job_play_again(job, task);
    }
}

/* Some servers make an export smaller and never larger again: all others have had their turn by then. For the
 * same reason who is in doubt is asked again at once: behind the others it would find another export. */
static void play_lonely_cases(Job *job)
{
    play_alone(job, false);
    play_alone(job, true);
}

static Task *take_doubtful(Run *run, bool alone)
{
    Task *task = NULL;

    g_mutex_lock(&run->mutex);
    while (task == NULL && run->next < run->tasks->len && !run_stopped(run)) {
        task = &g_array_index(run->tasks, Task, run->next++);
        if (task->done || task->result == NULL || task->play_case->alone != alone)
            task = NULL;
    }
    g_mutex_unlock(&run->mutex);
    return task;
}

static void replay_ordinary_cases(Job *job)
{
    Task *task;

    while ((task = take_doubtful(job->run, false)) != NULL)
        job_play_again(job, task);
}

static void replay_lonely_cases(Job *job)
{
    Task *task;

    while ((task = take_doubtful(job->run, true)) != NULL)
        job_play_again(job, task);
}

/* A verdict that rests on silence, on a close or on a refused connection could be another case's doing, or
 * a busy machine's: asked again, alone, with more time, the target speaks for itself. Where each job has a server
 * of its own, each is alone with that. */
static void replay_doubtful(Run *run)
{
    run->in_vain = 0;
    run->hopeless = false;
    run->next = 0;
    work_in_jobs(run, run->options->spawn != NULL ? run->jobs->len : 1, replay_ordinary_cases);
    run->next = 0;
    work_in_jobs(run, 1, replay_lonely_cases);
}

/* A target that was given up and then answered after all, when it was asked alone, gets the rest. */
static void play_rest(Job *job)
{
    Run *run = job->run;

    for (guint i = 0; i < run->tasks->len && going_on(run); i++) {
        Task *task = &g_array_index(run->tasks, Task, i);
        if (!task->done && task->result == NULL)
            job_play(job, task);
    }
}

/* Cases that were not even tried, because the target was gone. */
static void give_up(Run *run)
{
    const char *why =
        run->left
            ? "not played: the target was gone when the probe had left it; it has to go on when "
              "its clients leave (as qemu-nbd with --persistent)"
            : "not played: the target has stopped answering";

    for (guint i = 0; i < run->tasks->len && !run_stopped(run); i++) {
        Task *task = &g_array_index(run->tasks, Task, i);
        if (task->done)
            continue;
        task->done = true;
        run_file(run->options, run->summary, task->play_case,
                 run_result(VERDICT_BLOCKED, g_strdup(why)));
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
    char *reason =
        play_unfit(play_case, &g_array_index(run->jobs, Job, 0).mode, &run->summary->target);

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

/* Two for each job, and as many as the most demanding case holds. */
static unsigned interesting_connections(const RunOptions *options)
{
    unsigned most = 2 * (options->jobs > 0 ? options->jobs : DEFAULT_JOBS);

    for (guint i = 0; i < options->cases->len; i++) {
        const PlayCase *play_case = options->cases->pdata[i];
        most = MAX(most, play_case->connections);
    }
    return most;
}

static unsigned sensible_jobs(const RunOptions *options, const PlayTarget *target)
{
    unsigned jobs = options->jobs > 0 ? options->jobs : DEFAULT_JOBS;
    unsigned most_connections = 1;

    for (guint i = 0; i < options->cases->len; i++) {
        const PlayCase *play_case = options->cases->pdata[i];
        if (play_case->connections <= target->connections && !play_case->alone)
            most_connections = MAX(most_connections, play_case->connections);
    }
    /* Each job may hold as many connections as the most demanding case that is not played alone. */
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

/* That connections were refused on the way into cases follows from it. */
static void forget_refusals(GPtrArray *findings)
{
    const Requirement *served = requirement_find(REQ("robust.served-after"));

    for (guint i = findings->len; i-- > 0;)
        if (((const Finding *)findings->pdata[i])->requirement == served)
            g_ptr_array_remove_index(findings, i);
}

/* The target accepts no connections any more. One that was there for the probe and for no case ends with its
 * client, as it may have been told to: it is not to be tested so, and no failure. */
static void note_gone(Run *run, const char *how)
{
    forget_refusals(run->setup);
    run->left = run->reached == NULL && !run->summary->target.silent;
    if (!run->left)
        run_note(
            run, REQ("robust.process-alive"),
            g_strdup_printf("the target has gone (%s); the last case that found it there: %s%s",
                            how, run->reached == NULL ? "none" : run->reached->id,
                            run->beside ? ", others beside it" : ""));
}

/* A target can die of a case that was over already: at the end it has to accept connections still. Servers of
 * ours are ended, and may have more to say then. */
static void check_alive(Run *run)
{
    const Job *first = &g_array_index(run->jobs, Job, 0);
    g_autoptr(GError) error = NULL;

    if (run->options->spawn != NULL) {
        for (guint i = 0; i < run->jobs->len; i++)
            run_server_close(g_array_index(run->jobs, Job, i).server,
                             first->mode.timeout_ms * PATIENCE, run->setup);
        return;
    }
    PlayMode patient = first->mode;
    patient.timeout_ms *= PATIENCE;
    g_autoptr(Transport) transport = play_reach(&patient, &run->summary->target, &error);
    if (transport == NULL)
        note_gone(run, error->message);
}

static void play_all(Run *run)
{
    skip_unfit(run);
    work_in_jobs(run, run->jobs->len, play_tasks);
    work_in_jobs(run, 1, play_lonely_cases);
    replay_doubtful(run);
    if (going_on(run)) {
        work_in_jobs(run, 1, play_rest);
        replay_doubtful(run);
    }
    check_alive(run);
    give_up(run);
    run_file_setup(run->options, run->summary, run->setup);
    sort_entries(run);
}

/* ---- Beginning and end ------------------------------------------------------------------------ */

/* The server that is started first, or whose process we were told: it gets probed. */
static bool find_server(const RunOptions *options, PlayMode *mode, RunServer **server,
                        GError **error)
{
    if (options->spawn != NULL)
        *server = run_server_spawn(options->spawn, error);
    else if (options->pid > 0)
        *server = run_server_watch(options->pid, error);
    else
        return true;
    if (*server == NULL)
        return false;
    if (options->spawn != NULL) {
        mode->address = run_server_address(*server);
        mode->server = run_server_process(*server);
    }
    return true;
}

/* A server that serves one client and ends can't be asked a second time. */
static bool stays(RunServer *server, GError **error)
{
    g_autofree char *end = server == NULL ? NULL : run_server_end(server);

    if (end == NULL)
        return true;
    g_autofree char *said = run_server_said(server);
    g_set_error(error, WATCH_ERROR, WATCH_ERROR_START,
                "the server %s while it was probed; it has to go on when its clients leave (as "
                "qemu-nbd with --persistent)%s%s",
                end, *said != '\0' ? "; it said:\n" : "", said);
    return false;
}

static void run_init(Run *run, const PlayMode *mode, RunServer *server)
{
    const RunOptions *options = run->options;
    const PlayTarget *target = &run->summary->target;
    unsigned jobs = sensible_jobs(options, target);

    g_mutex_init(&run->mutex);
    g_mutex_init(&run->writer);
    g_cond_init(&run->changed);
    run->tasks = g_array_new(FALSE, TRUE, sizeof(Task));
    run->jobs = g_array_sized_new(FALSE, TRUE, sizeof(Job), jobs);
    for (unsigned i = 0; i < jobs; i++) {
        Job job = {.run = run, .mode = *mode};
        if (i == 0 && options->spawn != NULL)
            job.server = server;
        g_array_append_val(run->jobs, job);
    }
    run->process = options->spawn == NULL ? server : NULL;
    run->setup = g_ptr_array_new_with_free_func((GDestroyNotify)finding_free);
    run->silent = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    run->regions = run_regions_new(
        &target->facts, largest_region(options->cases, target->facts.size), DEFAULT_JOBS * 4);
}

static void run_clear(Run *run)
{
    for (guint i = 0; i < run->jobs->len; i++)
        run_server_free(g_array_index(run->jobs, Job, i).server);
    for (guint i = 0; i < run->tasks->len; i++)
        play_result_free(g_array_index(run->tasks, Task, i).result);
    run_server_free(run->process);
    run_regions_free(run->regions);
    g_ptr_array_unref(run->setup);
    g_hash_table_unref(run->silent);
    g_array_unref(run->jobs);
    g_array_unref(run->tasks);
    g_cond_clear(&run->changed);
    g_mutex_clear(&run->writer);
    g_mutex_clear(&run->mutex);
}

RunSummary *run_cases(const RunOptions *options, GError **error)
{
    g_autoptr(RunSummary) summary = run_summary_new();
    gint64 began_us = g_get_monotonic_time();
    PlayMode mode = options->mode;
    Run run = {.options = options, .summary = summary};
    RunServer *server = NULL;

    mode.stop = options->stop;
    if (mode.salt == 0)
        mode.salt = (uint64_t)g_random_int() << 32 | g_random_int();
    summary->total = options->cases->len;
    if (!find_server(options, &mode, &server, error))
        return NULL;
    if (!play_probe(&mode, interesting_connections(options), &summary->target, error) ||
        !stays(server, error)) {
        run_server_free(server);
        return NULL;
    }
    summary->probed = true;
    if (summary->target.unknown_export)
        summary->listed = play_list_exports(&mode, LISTED);
    run_init(&run, &mode, server);

    run_tell_begin(options, summary);
    play_all(&run);
    summary->interrupted = run_stopped(&run);
    summary->duration_ms = (unsigned)((g_get_monotonic_time() - began_us) / 1000);
    run_tell_end(options, summary);

    run_clear(&run);
    return g_steal_pointer(&summary);
}
