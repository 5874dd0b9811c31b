/* A soak: who goes through which point on which server, and what it comes to. */
#include <string.h>

#include "play/play.h"
#include "soak/run.h"

#define MOST_PARALLEL 64u

bool soak_run_stopped(const SoakRun *run)
{
    return play_stopped(run->options->stop);
}

/* ---- Telling ----------------------------------------------------------------------------------- */

void soak_run_progress(SoakRun *run, const char *what)
{
    const SoakObserver *observer = run->options->observer;

    g_mutex_lock(&run->mutex);
    if (observer != NULL && observer->progress != NULL)
        observer->progress(observer->self, what, run->done, run->total);
    g_mutex_unlock(&run->mutex);
}

void soak_run_file(SoakRun *run, unsigned index, SoakFinding *finding)
{
    const SoakObserver *observer = run->options->observer;

    g_mutex_lock(&run->mutex);
    run->findings[index] = finding;
    run->done++;
    run->summary->count[finding->verdict]++;
    if (observer != NULL && observer->found != NULL)
        observer->found(observer->self, finding);
    g_mutex_unlock(&run->mutex);
}

static void note(SoakRun *run, const char *text)
{
    g_mutex_lock(&run->mutex);
    char *before = run->summary->note;
    run->summary->note = before != NULL ? g_strconcat(before, "\n", text, NULL) : g_strdup(text);
    g_free(before);
    g_mutex_unlock(&run->mutex);
}

/* ---- One point --------------------------------------------------------------------------------- */

/* On a new server, the same cycles once more: a crash that comes again can be looked into. */
static bool crashes_again(const SoakServer *first, const SoakFinding *found)
{
    g_autoptr(SoakServer) server = soak_server_new(first->options, &first->target, NULL);

    if (server == NULL)
        return false;
    g_autoptr(SoakFinding) finding = soak_finding_new(&found->point);
    g_autoptr(SoakCycle) cycle = soak_cycle_new(&found->point, &server->target);
    SoakTrial trial = {.server = server, .cycle = cycle, .finding = finding};
    for (unsigned left = found->cycles + 1; left > 0;) {
        unsigned some = MIN(left, 16);
        if (!soak_trial_cycle(&trial, some) || !soak_trial_control(&trial, 1))
            break;
        left -= some;
    }
    return finding->verdict == SOAK_CRASHED;
}

static void tell_if_again(const SoakServer *server, SoakFinding *finding)
{
    if (!server->ours || finding->verdict != SOAK_CRASHED)
        return;
    bool again = crashes_again(server, finding);
    char *reason = g_strdup_printf("%s; %s on a new server", finding->reason,
                                   again ? "so it does again" : "not so again");
    soak_finding_settle(finding, SOAK_CRASHED, reason);
}

/* NULL where it was cut short before it showed anything. */
static SoakFinding *play_point(SoakRun *run, SoakServer *server, const SoakPoint *point)
{
    g_autoptr(SoakFinding) finding = soak_finding_new(point);
    const char *unfit = soak_point_unfit(point, &server->target);
    double slopes[SOAK_RESOURCES];

    if (unfit != NULL) {
        soak_finding_settle(finding, SOAK_SKIPPED, g_strdup(unfit));
        return g_steal_pointer(&finding);
    }
    g_autoptr(SoakCycle) cycle = soak_cycle_new(point, &server->target);
    SoakTrial trial = {.server = server, .cycle = cycle, .finding = finding};
    if (soak_screen(&trial, run->cycles, slopes))
        soak_confirm(&trial, run->cycles, slopes);
    if (finding->verdict == SOAK_CLEAN && finding->reason != NULL) {
        g_autofree char *name = soak_point_name(point),
                        *text = g_strconcat(name, ": ", finding->reason, NULL);
        note(run, text);
    }
    soak_run_judge_said(run, &trial);
    if (soak_run_stopped(run) && finding->verdict == SOAK_CLEAN)
        return NULL;
    tell_if_again(server, finding);
    return g_steal_pointer(&finding);
}

/* ---- Workers ----------------------------------------------------------------------------------- */

typedef struct {
    SoakRun *run;
    SoakServer *server;
    GThread *thread;
} Worker;

static bool take(SoakRun *run, unsigned *index)
{
    g_mutex_lock(&run->mutex);
    *index = run->next;
    bool taken = *index < run->options->points->len && !run->gone && !soak_run_stopped(run);
    run->next += taken;
    g_mutex_unlock(&run->mutex);
    return taken;
}

static void count_cycles(Worker *worker)
{
    g_mutex_lock(&worker->run->mutex);
    if (worker->server != NULL)
        worker->run->summary->cycles += worker->server->cycles;
    g_mutex_unlock(&worker->run->mutex);
}

/* A server that has shown a fault is no measure for the next point. */
static bool renew(Worker *worker, const SoakFinding *finding)
{
    SoakRun *run = worker->run;
    g_autoptr(GError) error = NULL;

    if (finding == NULL || finding->verdict == SOAK_CLEAN || finding->verdict == SOAK_SKIPPED)
        return true;
    if (!worker->server->ours) {
        bool died = finding->verdict != SOAK_LEAKS && soak_server_died(worker->server, true);
        if (died)
            note(run, "the server has gone: what comes after that was not played");
        else if (finding->runs_away)
            note(run, "what the server has left computes: what comes after that was not played");
        run->gone = died || finding->runs_away;
        return !run->gone;
    }
    count_cycles(worker);
    soak_run_stop(run, worker->server);
    worker->server = soak_server_new(run->options, &run->target, &error);
    if (worker->server == NULL)
        note(run, error->message);
    return worker->server != NULL;
}

static gpointer work(gpointer data)
{
    Worker *worker = data;
    SoakRun *run = worker->run;
    unsigned index;

    while (take(run, &index)) {
        const SoakPoint *point = run->options->points->pdata[index];
        g_autofree char *name = soak_point_name(point);
        soak_run_progress(run, name);
        SoakFinding *finding = play_point(run, worker->server, point);
        bool goes_on = renew(worker, finding);
        if (finding != NULL)
            soak_run_file(run, index, finding);
        if (!goes_on)
            break;
    }
    count_cycles(worker);
    return NULL;
}

/* FIRST is the server of the first of them, and is left to the caller. */
static SoakServer *play_points(SoakRun *run, SoakServer *first)
{
    unsigned count = first->ours ? CLAMP(run->options->parallel, 1, MOST_PARALLEL) : 1;
    g_autofree Worker *workers = g_new0(Worker, count);

    workers[0] = (Worker){.run = run, .server = first};
    for (unsigned i = 1; i < count; i++) {
        g_autoptr(GError) error = NULL;
        workers[i] = (Worker){.run = run};
        workers[i].server = soak_server_new(run->options, &run->target, &error);
        if (workers[i].server == NULL) {
            note(run, error->message);
            count = i;
            break;
        }
        workers[i].thread = g_thread_new("soak", work, &workers[i]);
    }
    work(&workers[0]);
    for (unsigned i = 1; i < count; i++) {
        g_thread_join(workers[i].thread);
        if (workers[i].server != NULL)
            soak_run_stop(run, workers[i].server);
    }
    return workers[0].server;
}

/* ---- The run ----------------------------------------------------------------------------------- */

void soak_summary_free(SoakSummary *summary)
{
    if (summary == NULL)
        return;
    g_clear_pointer(&summary->findings, g_ptr_array_unref);
    g_free(summary->note);
    g_free(summary);
}

static void play(SoakRun *run, SoakServer *server)
{
    SoakSummary *summary = run->summary;

    run->target = server->target;
    summary->measured = server->watched != NULL;
    if (server->ours && !watch_sees_hidden(server->watched))
        note(
            run,
            "Children whose crashes the server hides are not seen here: the kernel tells of them to "
            "root in the first PID and network namespaces only.");
    if (server->sanitized)
        note(
            run,
            "Memory was not measured: a sanitizer runs in the server, and what it keeps looks like "
            "growth. What is lost, LeakSanitizer says when the server is stopped.");
    server = play_points(run, server);
    if (server != NULL && run->options->crowd > 0 && !run->gone)
        soak_run_crowds(run, server, run->options->points->len);
    if (server != NULL)
        soak_run_stop(run, server);
    soak_run_tell_stops(run, run->total);
}

static void close_summary(SoakRun *run, gint64 began_us)
{
    SoakSummary *summary = run->summary;
    gint64 took_us = g_get_monotonic_time() - began_us;

    for (unsigned i = 0; i <= run->total; i++)
        if (run->findings[i] != NULL)
            g_ptr_array_add(summary->findings, run->findings[i]);
    g_free(run->findings);
    g_free(run->said);
    g_free(run->ordinary);
    g_mutex_clear(&run->stopping);
    summary->duration_ms = (unsigned)(took_us / 1000);
    summary->cycles_per_second =
        took_us > 0 ? (double)summary->cycles * G_USEC_PER_SEC / (double)took_us : 0;
    summary->interrupted = soak_run_stopped(run);
    g_mutex_clear(&run->mutex);
}

static bool check_mode(SoakMode wanted, bool tls, GError **error)
{
    if (wanted == SOAK_ANY_MODE || (wanted == SOAK_IN_TLS) == tls)
        return true;
    g_set_error(
        error, SOAK_ERROR, SOAK_ERROR_USAGE,
        tls ? "this soak is inside of TLS, and the one that it is to be compared with is plain"
            : "this soak is plain, and the one that it is to be compared with is inside of TLS");
    return false;
}

SoakSummary *soak_run(const SoakOptions *options, GError **error)
{
    SoakRun run = {.options = options, .target = options->target};
    gint64 began_us = g_get_monotonic_time();
    g_autoptr(SoakSummary) summary = g_new0(SoakSummary, 1);

    summary->findings = g_ptr_array_new_with_free_func((GDestroyNotify)soak_finding_free);
    summary->started_us = g_get_real_time();
    run.summary = summary;
    run.cycles = options->cycles > 0 ? options->cycles : SOAK_DEFAULT_CYCLES;
    run.target.stop = options->stop;
    SoakServer *server = soak_server_new(options, &run.target, error);
    if (server == NULL)
        return NULL;
    summary->tls = server->target.tls != NULL;
    if (!check_mode(options->mode, summary->tls, error)) {
        soak_server_free(server);
        return NULL;
    }
    run.total = options->points->len + (options->crowd > 0 ? (unsigned)CROWD_COUNT : 0);
    run.findings = g_new0(SoakFinding *, run.total + 1);
    g_mutex_init(&run.mutex);
    g_mutex_init(&run.stopping);
    if (options->valgrind) {
        run.target = server->target;
        summary->measured = true;
        soak_server_free(server);
        soak_run_memcheck(&run);
    } else {
        play(&run, server);
    }
    close_summary(&run, began_us);
    return g_steal_pointer(&summary);
}

int soak_exit_status(const SoakSummary *summary)
{
    if (summary->count[SOAK_LEAKS] + summary->count[SOAK_CRASHED] + summary->count[SOAK_UNSERVED] >
        0)
        return 1;
    return summary->count[SOAK_CLEAN] > 0 ? 0 : 125;
}
