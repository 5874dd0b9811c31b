/* One case after another, on one thread: what a case needs beside a connection, and which verdict stands. */
#include <string.h>

#include "run/private.h"

bool run_stopped(const Run *run)
{
    return play_stopped(run->options->stop);
}

/* ---- The server ------------------------------------------------------------------------------- */

void run_note(Run *run, const char *requirement, char *message)
{
    Finding *finding = g_new0(Finding, 1);

    finding->requirement = requirement_find(requirement);
    finding->by = SIDE_SERVER;
    finding->message = message;
    g_ptr_array_add(run->setup, finding);
}

void job_use_server(Job *job)
{
    job->mode.address = run_server_address(job->server);
    job->mode.server = run_server_process(job->server);
}

/* A server that has ended, or was signalled, makes room for another. */
static void renew(Job *job)
{
    g_autoptr(GError) error = NULL;

    if (run_server_renew(job->server, &error)) {
        job_use_server(job);
        return;
    }
    g_mutex_lock(&job->run->mutex);
    run_note(job->run, REQ("robust.process-alive"),
             g_strdup_printf("the server can't be started again: %s", error->message));
    job->run->gone = true;
    g_mutex_unlock(&job->run->mutex);
}

/* The one server that all jobs share, where we know its process. It can't be had again: which case it was
 * that ended it can only be told by who was playing. */
static void inspect_shared(Run *run, const PlayCase *play_case)
{
    g_autofree char *end = run->process == NULL ? NULL : run_server_end(run->process);

    if (end == NULL)
        return;
    run_note(run, REQ("robust.process-alive"),
             g_strdup_printf("the server %s; %s had just been played%s", end, play_case->id,
                             run->running > 1 ? ", others beside it" : ""));
    run->gone = true;
}

/* ---- Playing ---------------------------------------------------------------------------------- */

static PlayResult *play(Job *job, const PlayCase *play_case)
{
    Run *run = job->run;
    bool one_writer =
        play_case->writes && job->server == NULL && !run->summary->target.concurrent_writes;
    /* Where the probe could not enter there are no regions; the case will be blocked before it writes. */
    bool lent = run_regions_fit(run->regions, play_case->region) && play_case->region > 0;
    bool restless = false;
    uint64_t region = 0;

    if (one_writer)
        g_mutex_lock(&run->writer);
    if (lent)
        region = run_regions_take(run->regions, &restless);
    PlayResult *result = play_run_case(play_case, &job->mode, &run->summary->target, region);
    result->doubtful |= restless && result->verdict != VERDICT_PASS;
    if (job->server != NULL && !run_server_inspect(job->server, result))
        renew(job);
    if (lent)
        run_regions_give(run->regions, region, result->unsettled);
    if (one_writer)
        g_mutex_unlock(&run->writer);
    return result;
}

/* Files the verdict that stands; what was met on the way there is kept for the end. */
static void finish(Run *run, Task *task)
{
    run_meet(run->setup, task->play_case, task->result);
    task->done = true;
    run_file(run->options, run->summary, task->play_case, g_steal_pointer(&task->result));
}

static bool was_waited_for(const PlayResult *result)
{
    return result->kind == KIND_NO_ANSWER ||
           (result->verdict == VERDICT_BLOCKED && result->doubtful && !result->hung_up);
}

/* Keeps count of the cases that could not get in, up to LIMIT in a row. A target that greets and then hangs up
 * is there, and costs no waiting. One that is silent in the test itself shows neither. */
static void note_hope(Run *run, const PlayCase *play_case, const PlayResult *result, unsigned limit)
{
    if (was_waited_for(result))
        run->summary->waited_ms += result->duration_us / 1000;
    if (result->verdict == VERDICT_BLOCKED && result->doubtful && !result->hung_up) {
        run->in_vain++;
    } else {
        if (result->kind != KIND_NO_ANSWER)
            run->in_vain = 0;
        run->reached = play_case;
        run->beside = run->running > 1;
    }
    if (run->in_vain >= (run->reached == NULL ? HOPELESS_UNREACHED : limit))
        run->hopeless = true;
}

void job_play(Job *job, Task *task)
{
    Run *run = job->run;

    g_mutex_lock(&run->mutex);
    run_tell_started(run->options, task->play_case);
    g_mutex_unlock(&run->mutex);

    PlayResult *result = play(job, task->play_case);

    g_mutex_lock(&run->mutex);
    inspect_shared(run, task->play_case);
    if (run_stopped(run) && result->verdict == VERDICT_ERROR) {
        play_result_free(result); /* was cut short */
    } else {
        task->result = result;
        note_hope(run, task->play_case, result, HOPELESS);
        if (!result->doubtful)
            finish(run, task);
    }
    g_cond_signal(&run->changed);
    g_mutex_unlock(&run->mutex);
}

/* ---- Once more -------------------------------------------------------------------------------- */

/* What the process showed stays true where the second try does not show it: it was another case's doing,
 * or takes several. */
static void keep_what_the_process_showed(Run *run, const Task *task, const PlayResult *again)
{
    for (guint i = 0; i < task->result->findings->len; i++) {
        const Finding *finding = task->result->findings->pdata[i];
        if (!run_server_saw(finding) || run_server_saw_any(again))
            continue;
        run_note(run, finding->requirement->id,
                 g_strdup_printf("%s: seen behind %s, and not again when that was played alone",
                                 finding->message, task->play_case->id));
    }
}

/* The verdict of the second try is the one that counts, unless there was none (AGAIN is NULL, or was cut
 * short). Where the second try does not get as far as the test, what the first one saw stands: it may be
 * what killed the target. */
static void replace(Run *run, Task *task, PlayResult *again)
{
    bool cut_short = again == NULL || (run_stopped(run) && again->verdict == VERDICT_ERROR);

    if (!cut_short)
        note_hope(run, task->play_case, again, HOPELESS_ALONE);
    if (cut_short || (again->verdict == VERDICT_BLOCKED && task->result->verdict == VERDICT_FAIL)) {
        play_result_free(again);
        return;
    }
    keep_what_the_process_showed(run, task, again);
    play_result_free(task->result);
    task->result = again;
}

/* The cases of one file, with other values of its variables, that were silent about the same. NULL: TASK's first
 * try was not silent. The caller frees it. */
static char *family_of(const Task *task, const PlayResult *result)
{
    if (result->kind != KIND_NO_ANSWER)
        return NULL;
    GString *family = g_string_new(task->play_case->id);
    g_string_truncate(family, strcspn(family->str, "@"));
    for (guint i = 0; i < result->findings->len; i++) {
        const Finding *finding = result->findings->pdata[i];
        g_string_append_printf(family, " %s", finding->requirement->id);
    }
    return g_string_free(family, FALSE);
}

/* Whether so many of TASK's family were silent alone, too, that there is no need to wait for this one again. */
static bool is_known_silent(const Run *run, const Task *task)
{
    g_autofree char *family = family_of(task, task->result);

    return family != NULL &&
           GPOINTER_TO_UINT(g_hash_table_lookup(run->silent, family)) >= SILENT_ENOUGH;
}

static void note_silent(Run *run, const Task *task, const PlayResult *again)
{
    g_autofree char *first = family_of(task, task->result), *second = family_of(task, again);

    if (g_strcmp0(first, second) != 0 || first == NULL)
        return;
    unsigned count = GPOINTER_TO_UINT(g_hash_table_lookup(run->silent, first));
    g_hash_table_insert(run->silent, g_steal_pointer(&first), GUINT_TO_POINTER(count + 1));
}

void job_play_again(Job *job, Task *task)
{
    Run *run = job->run;
    unsigned timeout_ms = job->mode.timeout_ms;
    PlayResult *again = NULL;

    g_mutex_lock(&run->mutex);
    bool needless = run->hopeless || run->gone || is_known_silent(run, task);
    g_mutex_unlock(&run->mutex);
    job->mode.timeout_ms *= PATIENCE;
    job->mode.again = true;
    if (!needless)
        again = play(job, task->play_case);
    job->mode.timeout_ms = timeout_ms;
    job->mode.again = false;
    g_mutex_lock(&run->mutex);
    if (again != NULL)
        note_silent(run, task, again);
    replace(run, task, again);
    finish(run, task);
    g_mutex_unlock(&run->mutex);
}
