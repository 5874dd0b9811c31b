/* A server that is started for the run, one a job, or that is watched by its process id: what its process
 * tells beside what its sockets do. */
#include <string.h>

#include "run/private.h"

/* How long a server may take to come to rest after a case: only what it does of its own accord can take
 * longer, and that is no reason to wait for it after each of hundreds of cases. */
#define REST_MS 100u

/* So often in a row may it take longer before it is not waited for any more. */
#define RESTLESS 5u

/* Of its output so much is shown. */
#define SHOWN_BYTES 4000u

/* A server may reap its children late, as when the next client comes. Those that are still there after so
 * many more cases it has forgotten. */
#define ZOMBIE_LOOKS 8u

struct RunServer {
    const WatchSpawn *spawn; /* NULL: it was there before us */
    Watched *watched;
    size_t seen;                    /* position in its output up to which it was looked through */
    unsigned zombies[ZOMBIE_LOOKS]; /* at the last looks, in turn */
    unsigned looks;
    unsigned unreaped; /* zombies that are on record */
    WatchSample rest;  /* when it was last at rest */
    unsigned restless; /* times in a row that it did not come to rest */
    bool gone;         /* has ended, and that is on record */
};

/* ---- Starting and ending ---------------------------------------------------------------------- */

static bool start(RunServer *server, GError **error)
{
    server->watched = watch_spawn(server->spawn, error);
    server->seen = 0;
    server->looks = server->unreaped = server->restless = 0;
    server->gone = false;
    return server->watched != NULL;
}

RunServer *run_server_spawn(const WatchSpawn *spawn, GError **error)
{
    RunServer *server = g_new0(RunServer, 1);

    server->spawn = spawn;
    if (start(server, error))
        return server;
    g_free(server);
    return NULL;
}

RunServer *run_server_watch(pid_t pid, GError **error)
{
    Watched *watched = watch_pid(pid, error);

    if (watched == NULL)
        return NULL;
    RunServer *server = g_new0(RunServer, 1);
    server->watched = watched;
    return server;
}

void run_server_free(RunServer *server)
{
    if (server == NULL)
        return;
    watch_free(server->watched);
    g_free(server);
}

const TransportAddress *run_server_address(const RunServer *server)
{
    return server->spawn != NULL && server->watched != NULL ? watch_address(server->watched) : NULL;
}

Watched *run_server_process(const RunServer *server)
{
    return server->spawn != NULL ? server->watched : NULL;
}

/* ---- Findings --------------------------------------------------------------------------------- */

static void add(GPtrArray *findings, const Requirement *requirement, char *message)
{
    Finding *finding = g_new0(Finding, 1);

    finding->requirement = requirement;
    finding->by = SIDE_SERVER;
    finding->message = message;
    g_ptr_array_add(findings, finding);
}

static char *first_line(const char *text)
{
    return g_strndup(text, strcspn(text, "\n"));
}

/* What a sanitizer, valgrind or an assertion had to say since the last look. */
static bool find_report(RunServer *server, GPtrArray *findings)
{
    g_autofree char *output = watch_output(server->watched, server->seen, G_MAXSIZE);
    g_autofree char *report = watch_find_report(output);

    if (report == NULL)
        return false;
    g_autofree char *line = first_line(report);
    add(findings, requirement_find(REQ("robust.clean-report")),
        g_strdup_printf("the server's own output has a report: %s", line));
    return true;
}

char *run_server_end(RunServer *server)
{
    if (server->gone || watch_state(server->watched, NULL) == WATCH_RUNS)
        return NULL;
    server->gone = true;
    return watch_describe(server->watched);
}

char *run_server_said(const RunServer *server)
{
    return g_strchomp(watch_output(server->watched, 0, SHOWN_BYTES));
}

static bool find_end(RunServer *server, GPtrArray *findings)
{
    g_autofree char *how = run_server_end(server);

    if (how == NULL)
        return false;
    add(findings, requirement_find(REQ("robust.process-alive")),
        g_strdup_printf("the server %s", how));
    return true;
}

bool run_server_saw(const Finding *finding)
{
    return finding->requirement == requirement_find(REQ("robust.process-alive")) ||
           finding->requirement == requirement_find(REQ("robust.clean-report"));
}

bool run_server_saw_any(const PlayResult *result)
{
    for (guint i = 0; i < result->findings->len; i++)
        if (run_server_saw(result->findings->pdata[i]))
            return true;
    return false;
}

static void find_zombies(RunServer *server, const WatchSample *sample, GPtrArray *findings)
{
    unsigned least = G_MAXUINT;

    server->zombies[server->looks++ % ZOMBIE_LOOKS] = sample->zombies;
    for (unsigned i = 0; i < ZOMBIE_LOOKS; i++)
        least = MIN(least, server->zombies[i]);
    if (server->looks < ZOMBIE_LOOKS || least <= server->unreaped)
        return;
    /* Once is enough; how fast they grow, and where, is for a soak to tell. */
    server->unreaped = G_MAXUINT;
    add(findings, requirement_find(REQ("robust.no-zombies")),
        g_strdup_printf("children of the server that have ended are not reaped: %u", least));
}

/* The end of what it printed is evidence, with a report whole. */
static void show_output(RunServer *server, GString *transcript)
{
    g_autofree char *all = watch_output(server->watched, server->seen, G_MAXSIZE);
    g_autofree char *tail = watch_output(server->watched, server->seen, SHOWN_BYTES);
    g_autofree char *report = watch_find_report(all);
    const char *shown = report != NULL ? report : tail;

    if (*shown != '\0')
        g_string_append_printf(transcript, "# what the server printed:\n%s%s", shown,
                               g_str_has_suffix(shown, "\n") ? "" : "\n");
}

static bool rest(RunServer *server, WatchSample *sample)
{
    if (server->restless >= RESTLESS)
        return watch_sample(server->watched, sample);
    if (watch_settle(server->watched, &server->rest, REST_MS, sample)) {
        server->restless = 0;
        server->rest = *sample;
    } else {
        server->restless++;
    }
    return true;
}

bool run_server_inspect(RunServer *server, PlayResult *result)
{
    g_autoptr(GPtrArray) findings = g_ptr_array_new();
    WatchSample sample = {0};
    bool there = rest(server, &sample);
    bool ended = !result->spent && find_end(server, findings);
    bool reported = find_report(server, findings);

    if (there && !ended && !result->spent)
        find_zombies(server, &sample, result->setup);
    if (findings->len > 0) {
        GString *transcript = g_string_new(result->transcript);
        show_output(server, transcript);
        g_free(result->transcript);
        result->transcript = g_string_free(transcript, FALSE);
        /* First: what the case itself saw follows from it. */
        for (guint i = findings->len; i-- > 0;)
            g_ptr_array_insert(result->findings, 0, findings->pdata[i]);
        play_result_settle(result);
        result->doubtful = true;
    }
    server->seen = watch_output_position(server->watched);
    return !ended && !reported && !result->spent;
}

bool run_server_renew(RunServer *server, GError **error)
{
    if (server->spawn == NULL)
        return true;
    g_clear_pointer(&server->watched, watch_free);
    return start(server, error);
}

void run_server_close(RunServer *server, unsigned timeout_ms, GPtrArray *findings)
{
    if (server == NULL || server->spawn == NULL || server->watched == NULL)
        return;
    /* One that has to be killed is told of by the cases that send SIGTERM. */
    (void)watch_stop(server->watched, timeout_ms);
    (void)find_report(server, findings);
}
