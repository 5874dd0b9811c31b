/* A server under soak: started, taken to be well, watched. */
#include <signal.h>
#include <string.h>

#include "play/play.h"
#include "soak/trial.h"

/* Before anything is measured. */
#define FIRST_CYCLES 8u

/* So long it may take to come to rest. One that never does is looked at as it is, without waiting much. */
#define REST_MS 2000u
#define RESTLESS 3u
#define RESTLESS_MS 100u

/* A server that has failed us may be about to die: writing a core, or a sanitizer's report. */
#define DYING_MS 1000u

#define MOST_OUTPUT 65536u

/* So long it may take to end. Sanitizers look through all memory then. */
#define STOP_MS 3000u
#define SANITIZED_STOP_MS 10000u

/* ---- Starting ---------------------------------------------------------------------------------- */

bool soak_learn(SoakTarget *target, GError **error)
{
    PlayTls tls = target->tls_optional ? PLAY_TLS_ALLOW : PLAY_TLS_REQUIRE;
    PlayMode mode = {.address = target->address,
                     .export_name = target->export_name,
                     .tls = target->tls != NULL ? tls : PLAY_TLS_OFF,
                     .tls_settings = target->tls,
                     .timeout_ms = target->timeout_ms,
                     .stop = target->stop};
    PlayTarget learned;

    if (!play_probe(&mode, 1, &learned, error))
        return false;
    if (learned.unknown_export) {
        bool unnamed = target->export_name == NULL || *target->export_name == '\0';
        g_set_error(error, SOAK_ERROR, SOAK_ERROR_REFUSED,
                    "the server has no %s%s%s: no point behind NBD_OPT_GO could be reached; give "
                    "another by --export NAME",
                    unnamed ? "default export" : "export \"", unnamed ? "" : target->export_name,
                    unnamed ? "" : "\"");
        return false;
    }
    target->facts = learned.facts;
    target->at_once = learned.connections;
    if (target->facts.tls != SESSION_TLS_RUNNING)
        target->tls = NULL;
    mode.replies = REPLIES_STRUCTURED;
    if (!play_probe(&mode, 1, &learned, error))
        return false;
    target->structured = learned.facts.structured;
    return true;
}

static bool find(SoakServer *server, GError **error)
{
    const SoakOptions *options = server->options;

    server->ours = options->spawn != NULL;
    if (server->ours) {
        server->watched = watch_spawn(options->spawn, error);
        if (server->watched == NULL)
            return false;
        server->target.address = watch_address(server->watched);
    } else if (options->pid > 0) {
        server->watched = watch_pid(options->pid, error);
        if (server->watched == NULL)
            return false;
    }
    return true;
}

/* A server that ends when its last client has gone can't be soaked; its status tells it from one that broke. */
static void explain(SoakServer *server, GError **error)
{
    int status = -1;

    if (server->watched == NULL || watch_state(server->watched, &status) == WATCH_RUNS)
        return;
    g_autofree char *how = watch_describe(server->watched);
    g_autofree char *said = watch_output(server->watched, 0, 2000);
    g_clear_error(error);
    g_set_error(error, WATCH_ERROR, WATCH_ERROR_START,
                "the server %s after its first connections%s%s%s", how,
                status == 0 ? "; it has to go on serving (qemu-nbd: -t)" : "",
                said[0] != '\0' ? ":\n" : "", said);
}

static bool first_cycles(SoakServer *server, GError **error)
{
    gint64 began_us = 0;

    for (unsigned i = 0; i < FIRST_CYCLES; i++) {
        if (i == 1)
            began_us = g_get_monotonic_time();
        if (!soak_cycle_run(server->patient_control, 1, NULL, error)) {
            g_prefix_error(error, "a connection that does nothing out of the ordinary fails: ");
            soak_server_died(server, true);
            explain(server, error);
            return false;
        }
    }
    server->usual_us = (unsigned)(g_get_monotonic_time() - began_us) / (FIRST_CYCLES - 1);
    return true;
}

SoakServer *soak_server_new(const SoakOptions *options, const SoakTarget *target, GError **error)
{
    g_autoptr(SoakServer) server = g_new0(SoakServer, 1);

    server->options = options;
    server->target = *target;
    if (!find(server, error))
        return NULL;
    if (server->target.facts.style == STYLE_UNKNOWN && !soak_learn(&server->target, error)) {
        explain(server, error);
        return NULL;
    }
    server->patient = server->target;
    server->patient.timeout_ms *= 2;
    server->control = soak_cycle_control(&server->target);
    server->patient_control = soak_cycle_control(&server->patient);
    if (!first_cycles(server, error))
        return NULL;
    if (server->watched != NULL) {
        server->heard = watch_output_position(server->watched);
        server->sanitized = watch_sanitized(server->watched);
    }
    return g_steal_pointer(&server);
}

void soak_server_free(SoakServer *server)
{
    if (server == NULL)
        return;
    g_clear_pointer(&server->control, soak_cycle_free);
    g_clear_pointer(&server->patient_control, soak_cycle_free);
    g_clear_pointer(&server->watched, watch_free);
    g_free(server);
}

/* ---- Looking ----------------------------------------------------------------------------------- */

bool soak_server_died(SoakServer *server, bool suspicious)
{
    gint64 until_us = g_get_monotonic_time() + DYING_MS * 1000;

    if (server->watched == NULL)
        return false;
    while (watch_state(server->watched, NULL) == WATCH_RUNS) {
        if (!suspicious || g_get_monotonic_time() > until_us)
            return false;
        g_usleep(5000);
    }
    return true;
}

bool soak_server_rest(SoakServer *server, const WatchSample *like, WatchSample *sample)
{
    memset(sample, 0, sizeof *sample);
    if (server->watched == NULL)
        return false;
    bool rests = watch_settle(server->watched, like,
                              server->restless < RESTLESS ? REST_MS : RESTLESS_MS, sample);
    server->restless = rests ? 0 : server->restless + 1;
    return sample->processes > 0;
}

char *soak_server_report(SoakServer *server)
{
    if (server->watched == NULL)
        return NULL;
    size_t position = watch_output_position(server->watched);
    if (position == server->heard)
        return NULL;
    g_autofree char *said = watch_output(server->watched, server->heard, MOST_OUTPUT);
    server->heard = position;
    return watch_find_report(said);
}

/* ---- Stopping ---------------------------------------------------------------------------------- */

/* A long report is cut; how much was lost in all stands at its end. */
static char *with_sum(char *report, const char *said)
{
    const char *sum = strstr(said, "\nSUMMARY: ");

    if (sum == NULL || strstr(report, "\nSUMMARY: ") != NULL)
        return report;
    g_autofree char *line = g_strndup(sum, 1 + strcspn(sum + 1, "\n"));
    char *whole = g_strconcat(report, "\n…", line, NULL);
    g_free(report);
    return whole;
}

/* SIGTERM is what was asked for, and what does not heed it is killed. */
static char *how_it_crashed(SoakServer *server)
{
    int number = 0;

    if (watch_state(server->watched, &number) != WATCH_KILLED || number == SIGTERM ||
        number == SIGKILL)
        return NULL;
    g_autofree char *how = watch_describe(server->watched);
    g_autofree char *said = watch_output(server->watched, server->heard, MOST_OUTPUT);
    return g_strdup_printf("the server %s\n%s", how, said);
}

char *soak_server_stop(SoakServer *server)
{
    const volatile int *stop = server->options->stop;
    bool hurry = play_stopped(stop);

    if (!server->ours || soak_server_died(server, false))
        return NULL;
    watch_stop(server->watched, server->sanitized && !hurry ? SANITIZED_STOP_MS : STOP_MS);
    g_autofree char *said = watch_output(server->watched, server->heard, MOST_OUTPUT);
    char *report = watch_find_report(said);
    return report != NULL ? with_sum(report, said) : how_it_crashed(server);
}
