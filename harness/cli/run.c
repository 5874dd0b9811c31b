/* `nbdconform`: plays the catalogue against a server. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/embedded.h"
#include "cli/options.h"
#include "cli/selection.h"
#include "cli/tls.h"
#include "report/report.h"
#include "run/run.h"
#include "scenario/catalogue.h"
#include "target/target.h"

/* Reports of one run: the console, and a file of each format. */
#define MOST_REPORTS 4

/* A server may have to read a whole disk before it accepts, and valgrind slows it down. */
#define SPAWN_READY_MS 60000u

typedef struct {
    CliOptions options;
    const char *program;
    RefServer *server; /* embedded, or NULL */
    Target *target;    /* or NULL */
    PlayTls tls;
    TransportTls *tls_settings; /* unless TLS is off */
    TransportAddress *embedded;
    Catalogue *catalogue;
    GPtrArray *cases; /* of PlayCase, borrowed from the catalogue */
    Report *reports[MOST_REPORTS];
    unsigned report_count;
} Invocation;

static void invocation_clear(Invocation *invocation)
{
    for (unsigned i = 0; i < invocation->report_count; i++)
        report_free(invocation->reports[i]);
    g_clear_pointer(&invocation->cases, g_ptr_array_unref);
    selection_free(invocation->catalogue);
    target_free(invocation->target);
    transport_tls_free(invocation->tls_settings);
    transport_address_free(invocation->embedded);
    ref_server_free(invocation->server);
    options_clear(&invocation->options);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Invocation, invocation_clear)

/* ---- The target ------------------------------------------------------------------------------- */

static bool start_embedded(Invocation *invocation, GError **error)
{
    const CliOptions *options = &invocation->options;

    invocation->server = embedded_start((const char *const *)options->quirks, error);
    if (invocation->server == NULL)
        return false;
    invocation->embedded =
        transport_address_tcp("127.0.0.1", ref_server_port(invocation->server), error);
    return invocation->embedded != NULL;
}

static bool find_target(Invocation *invocation, GError **error)
{
    const CliOptions *options = &invocation->options;

    if (options->spawn != NULL)
        return true;
    if (options->target == NULL)
        return options->export_name == NULL || embedded_has_export(options->export_name, error);
    invocation->target = target_parse(options->target, error);
    if (invocation->target == NULL)
        return false;
    const char *named = invocation->target->export_name;
    if (options->export_name != NULL && named != NULL && named[0] != '\0' &&
        !g_str_equal(named, options->export_name))
        return cli_mistake(error, "--export: the target names the export \"%s\" already", named);
    return true;
}

static const char *export_name(const Invocation *invocation)
{
    if (invocation->options.export_name != NULL)
        return invocation->options.export_name;
    if (invocation->target != NULL && invocation->target->export_name != NULL)
        return invocation->target->export_name;
    return "";
}

/* ---- Reports ---------------------------------------------------------------------------------- */

static bool add_file(Invocation *invocation, ReportFormat format, const char *path, GError **error)
{
    if (path == NULL)
        return true;
    Report *report = report_file_new(format, path, error);
    if (report != NULL)
        invocation->reports[invocation->report_count++] = report;
    return report != NULL;
}

static void add_console(Invocation *invocation)
{
    g_autofree char *again = options_again(&invocation->options, invocation->program);
    ReportConsole console = cli_console(invocation->options.verbose, again);

    invocation->reports[invocation->report_count++] = report_console_new(&console);
}

static bool make_reports(Invocation *invocation, GError **error)
{
    const CliOptions *options = &invocation->options;

    add_console(invocation);
    return add_file(invocation, REPORT_JUNIT, options->junit, error) &&
           add_file(invocation, REPORT_TAP, options->tap, error) &&
           add_file(invocation, REPORT_JSON, options->json, error);
}

/* ---- Running ---------------------------------------------------------------------------------- */

/* What --spawn asks for. Until it has started the server takes as long as it may. */
static WatchSpawn spawn_of(const Invocation *invocation)
{
    return (WatchSpawn){
        .command = invocation->options.spawn,
        .export_name = export_name(invocation),
        .ready_ms = SPAWN_READY_MS,
    };
}

static RunSummary *run(const Invocation *invocation, GError **error)
{
    const CliOptions *options = &invocation->options;
    const RunObserver *observers[MOST_REPORTS + 1] = {NULL};
    const WatchSpawn spawn = spawn_of(invocation);
    bool embedded = invocation->target == NULL && options->spawn == NULL;
    RunOptions run_options = {
        .mode = {.address = embedded                     ? invocation->embedded
                            : invocation->target != NULL ? invocation->target->address
                                                         : NULL,
                 .export_name = export_name(invocation),
                 .enter = options->enter,
                 .replies = options->replies,
                 .tls = invocation->tls,
                 .tls_settings = invocation->tls_settings,
                 .segment = (unsigned)options->segment,
                 .agreed = options->block_size != NULL ? &options->agreed : NULL,
                 .timeout_ms = (unsigned)(options->timeout * 1000),
                 .allow_writes = options->allow_writes || embedded,
                 .salt = (uint64_t)g_random_int() << 32 | g_random_int()},
        .target_name = embedded                     ? "the embedded reference server"
                       : invocation->target != NULL ? invocation->target->name
                                                    : options->spawn,
        .spawn = options->spawn != NULL ? &spawn : NULL,
        .pid = options->pid,
        .cases = invocation->cases,
        .jobs = (unsigned)options->jobs,
        .strict = options->strict,
        .stop = cli_stop(),
        .observers = observers,
    };

    for (unsigned i = 0; i < invocation->report_count; i++)
        observers[i] = report_observer(invocation->reports[i]);
    return run_cases(&run_options, error);
}

static int finish_reports(const Invocation *invocation, int status)
{
    for (unsigned i = 0; i < invocation->report_count; i++) {
        g_autoptr(GError) error = NULL;
        if (!report_finish(invocation->reports[i], &error))
            status = cli_complain("%s", error->message);
    }
    return status;
}

static int judge(const Invocation *invocation, const RunSummary *summary)
{
    int status = run_exit_status(summary);

    if (summary->no_export > 0) {
        g_autofree char *missing = report_missing_export(summary, export_name(invocation));
        cli_complain("%s", missing);
    } else if (status == CLI_UNREACHABLE)
        cli_complain("no case could be played: each was skipped or blocked");
    return status;
}

static int status_of(const GError *error)
{
    if (error->domain == TRANSPORT_ERROR ||
        g_error_matches(error, WATCH_ERROR, WATCH_ERROR_START) ||
        g_error_matches(error, TARGET_ERROR, TARGET_ERROR_RESOLVE) ||
        (error->domain == REF_ERROR && error->code != REF_ERROR_CONFIG))
        return CLI_UNREACHABLE;
    return CLI_USAGE;
}

static bool choose_cases(Invocation *invocation, GError **error)
{
    const CliOptions *options = &invocation->options;

    invocation->catalogue = selection_load((const char *const *)options->cases, error);
    if (invocation->catalogue == NULL)
        return false;
    invocation->cases =
        selection_choose(invocation->catalogue->cases, (const char *const *)options->only,
                         (const char *const *)options->skip, error);
    return invocation->cases != NULL;
}

/* All that can be wrong is found before anything is sent. */
static bool prepare(Invocation *invocation, GError **error)
{
    return find_target(invocation, error) &&
           cli_tls(&invocation->options.tls, invocation->target, &invocation->tls,
                   &invocation->tls_settings, error) &&
           choose_cases(invocation, error) && make_reports(invocation, error) &&
           (invocation->target != NULL || invocation->options.spawn != NULL ||
            start_embedded(invocation, error));
}

static int print_version(void)
{
    printf("nbdconform %s (catalogue %s)\n", NBDCONFORM_VERSION, catalogue_hash);
    return CLI_CONFORMING;
}

int cli_run(int argc, char **argv)
{
    g_auto(Invocation) invocation = {.program = argv[0]};
    g_autoptr(GError) error = NULL;
    g_autoptr(RunSummary) summary = NULL;

    if (!options_parse(&invocation.options, argc, argv, &error))
        return cli_complain("%s", error->message);
    if (invocation.options.version)
        return print_version();
    if (prepare(&invocation, &error)) {
        cli_catch_signals();
        summary = run(&invocation, &error);
    }
    if (summary == NULL) {
        cli_complain("%s", error->message);
        return status_of(error);
    }
    return finish_reports(&invocation, judge(&invocation, summary));
}
