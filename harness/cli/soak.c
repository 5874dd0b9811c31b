/* `nbdconform soak`: reads the options, lets the soak run, reports. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/points.h"
#include "cli/tls.h"
#include "report/soak.h"
#include "soak/soak.h"
#include "target/target.h"

#define MOST_CYCLES 10000000
#define MOST_PARALLEL 64
#define MOST_CROWD 1000000
#define READY_MS 10000u

static const char summary_text[] =
    "Looks for leaks and crashes: connects thousands of times, and ends the connection in\n"
    "every phase of the protocol and in every way, while it watches what the server's\n"
    "processes hold. Without --spawn and --target it soaks the reference server.";

static const char description[] =
    "In the command of --spawn, {socket} is replaced by the path of a Unix socket, {port} by\n"
    "a free TCP port, {uri} by an NBD URI, {dir} by a private folder. The server has to stay\n"
    "when its last client leaves (qemu-nbd: -t).\n"
    "\n"
    "A GLOB is a point PHASE/ENDING, or a phase, and may have wildcards. The endings are\n"
    "soft, close, reset, close-notify, half-close and vanish.\n"
    "\n"
    "With --tls, everything behind the client flags is said inside of TLS, and connections end\n"
    "inside its handshake, inside its records and by its close_notify, too. The plain phases\n"
    "are then another soak's. A server that insists on TLS takes --tls require.\n"
    "\n"
    "Exit status: 0 clean; 1 something leaks, crashed or was not served any more; 2 wrong\n"
    "usage or a fault of the harness; 125 the server could not be started or reached.\n";

typedef struct {
    char *spawn, *target, *export_name, *json, *baseline;
    CliTls tls;
    char **points;
    int pid, cycles, parallel, crowd;
    double timeout;
    gboolean allow_writes, valgrind, verbose, list;
} Options;

typedef struct {
    Options options;
    Target *target; /* or NULL */
    PlayTls tls;
    TransportTls *tls_settings; /* unless TLS is off */
    WatchSpawn spawn;
    char *command;     /* that starts the server, or NULL */
    char *export_name; /* never NULL, once prepared */
    GPtrArray *points; /* of SoakPoint */
    SoakBaseline *baseline;
    char *again, *what; /* the command; its points and crowds */
} Invocation;

static void options_clear(Options *options)
{
    g_free(options->spawn);
    g_free(options->target);
    g_free(options->export_name);
    g_free(options->json);
    g_free(options->baseline);
    cli_tls_clear(&options->tls);
    g_strfreev(options->points);
}

static void invocation_clear(Invocation *invocation)
{
    options_clear(&invocation->options);
    target_free(invocation->target);
    transport_tls_free(invocation->tls_settings);
    g_free(invocation->command);
    g_free(invocation->export_name);
    g_clear_pointer(&invocation->points, g_ptr_array_unref);
    soak_baseline_free(invocation->baseline);
    g_free(invocation->again);
    g_free(invocation->what);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Invocation, invocation_clear)

/* ---- Options ---------------------------------------------------------------------------------- */

static bool check_number(const char *option, int value, int most, GError **error)
{
    if (value >= 0 && value <= most)
        return true;
    return cli_mistake(error, "--%s: %d is not from 1 to %d", option, value, most);
}

static bool check_target(const Options *options, GError **error)
{
    if (options->target != NULL && options->valgrind)
        return cli_mistake(error, "--valgrind needs a server that we start: --spawn");
    if (options->target != NULL && options->parallel > 1)
        return cli_mistake(error, "--parallel needs servers that we start: --spawn");
    return cli_check_server(options->spawn, options->target, options->pid, error);
}

static bool check(Options *options, int argc, char **argv, GError **error)
{
    if (argc > 1)
        return cli_mistake(error, "unexpected argument \"%s\"; see `nbdconform soak --help`",
                           argv[1]);
    return check_target(options, error) && cli_tls_check(&options->tls, error) &&
           cli_check_timeout(options->timeout, error) &&
           check_number("cycles", options->cycles, MOST_CYCLES, error) &&
           check_number("parallel", options->parallel, MOST_PARALLEL, error) &&
           check_number("crowd", options->crowd, MOST_CROWD, error);
}

static bool parse(Options *options, int argc, char **argv, GError **error)
{
    const GOptionArg text = G_OPTION_ARG_FILENAME, texts = G_OPTION_ARG_FILENAME_ARRAY;
    const GOptionEntry entries[] = {
        {"spawn", 0, 0, text, &options->spawn, "Start the server by this command", "COMMAND"},
        {"target", 0, 0, text, &options->target, "A server that runs already", "TARGET"},
        {"pid", 0, 0, G_OPTION_ARG_INT, &options->pid, "Its process, to be watched", "PID"},
        {"export", 0, 0, text, &options->export_name, "The export to use (the default export)",
         "NAME"},
        CLI_TLS_ENTRIES(&options->tls),
        {"allow-writes", 0, 0, G_OPTION_ARG_NONE, &options->allow_writes,
         "Also soak what writes: zeros, over the export's content", NULL},
        {"cycles", 0, 0, G_OPTION_ARG_INT, &options->cycles, "Cycles of each point (128)", "N"},
        {"points", 0, 0, texts, &options->points, "Soak these points only", "GLOB"},
        {"list", 0, 0, G_OPTION_ARG_NONE, &options->list, "List the points", NULL},
        {"parallel", 0, 0, G_OPTION_ARG_INT, &options->parallel,
         "Points soaked at once, each on a server of its own (1)", "N"},
        {"crowd", 0, 0, G_OPTION_ARG_INT, &options->crowd,
         "Then crowds of so many connections at once (none)", "N"},
        {"timeout", 0, 0, G_OPTION_ARG_DOUBLE, &options->timeout, "How long an answer may take (5)",
         "SECONDS"},
        {"json", 0, 0, text, &options->json, "Write a JSON report", "FILE"},
        {"baseline", 0, 0, text, &options->baseline,
         "Fail only for what this earlier report does not have", "FILE"},
        {"valgrind", 0, 0, G_OPTION_ARG_NONE, &options->valgrind,
         "A few cycles of each point under memcheck: leaks with their stacks", NULL},
        {"verbose", 'v', 0, G_OPTION_ARG_NONE, &options->verbose, "Also print what is clean", NULL},
        G_OPTION_ENTRY_NULL,
    };

    options->timeout = CLI_TIMEOUT;
    return cli_parse(&argc, &argv, entries, NULL, summary_text, description, error) &&
           check(options, argc, argv, error);
}

/* ---- The server ------------------------------------------------------------------------------- */

/* The reference server as a child: the harness must not measure itself. Over TCP, where clients can vanish. */
static char *reference_command(GError **error)
{
    g_autofree char *path = g_file_read_link("/proc/self/exe", error);

    if (path == NULL)
        return NULL;
    g_autofree char *word = report_shell_word(path);
    return g_strdup_printf("%s serve --port {port}", word);
}

static bool find_server(Invocation *invocation, GError **error)
{
    const Options *options = &invocation->options;

    if (options->target != NULL) {
        invocation->target = target_parse(options->target, error);
        if (invocation->target == NULL)
            return false;
    } else {
        invocation->command =
            options->spawn != NULL ? g_strdup(options->spawn) : reference_command(error);
        if (invocation->command == NULL)
            return false;
    }
    const char *name = options->export_name;
    if (name == NULL && invocation->target != NULL)
        name = invocation->target->export_name;
    invocation->export_name = g_strdup(name != NULL ? name : "");
    invocation->spawn = (WatchSpawn){.command = invocation->command,
                                     .export_name = invocation->export_name,
                                     .ready_ms = READY_MS};
    return true;
}

/* ---- Reports ---------------------------------------------------------------------------------- */

/* The points and crowds, as words of the command. */
static char *what_again(const Options *options)
{
    GString *words = g_string_new(NULL);

    cli_append_all(words, "--points", options->points);
    if (options->crowd > 0)
        g_string_append_printf(words, " --crowd %d", options->crowd);
    return g_string_free(words, FALSE);
}

/* The command of this soak, but for its points, crowds and reports. */
static char *command_again(const Options *options, const char *program)
{
    GString *command = g_string_new(program);

    cli_append(command, "--spawn", options->spawn);
    cli_append(command, "--target", options->target);
    if (options->pid > 0)
        g_string_append_printf(command, " --pid %d", options->pid);
    cli_append(command, "--export", options->export_name);
    if (options->allow_writes)
        g_string_append(command, " --allow-writes");
    cli_tls_append(command, &options->tls);
    if (options->cycles > 0)
        g_string_append_printf(command, " --cycles %d", options->cycles);
    if (options->timeout != CLI_TIMEOUT)
        g_string_append_printf(command, " --timeout %g", options->timeout);
    if (options->valgrind)
        g_string_append(command, " --valgrind");
    return g_string_free(command, FALSE);
}

static bool cannot_write(const char *path, GError **error)
{
    int reason = errno;

    g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(reason), "cannot write %s: %s",
                path, g_strerror(reason));
    return false;
}

/* Better known before the soak than after it. No empty file is left where there was none. */
static bool check_report(const char *path, GError **error)
{
    struct stat status;

    if (path == NULL)
        return true;
    bool there = lstat(path, &status) == 0;
    if (there && !S_ISREG(status.st_mode))
        return true;
    FILE *file = fopen(path, "ae");
    if (file == NULL)
        return cannot_write(path, error);
    fclose(file);
    if (!there)
        unlink(path);
    return true;
}

/* A file is replaced as a whole; a device or a pipe is written to as it is. */
static bool write_report(const char *path, const char *text, GError **error)
{
    struct stat status;

    if (lstat(path, &status) != 0 || S_ISREG(status.st_mode))
        return g_file_set_contents(path, text, -1, error);
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return cannot_write(path, error);
    bool fine = fputs(text, file) >= 0;
    return (fclose(file) == 0 && fine) || cannot_write(path, error);
}

static ReportSoak *make_console(const Invocation *invocation)
{
    ReportConsole console = cli_console(invocation->options.verbose, invocation->again);

    return report_soak_new(&console, invocation->what, invocation->baseline);
}

/* What glibc's allocator keeps for later looks like a leak for thousands of cycles where every thread has an
 * arena of its own, and thresholds follow the sizes that were seen. Fixed, there is less to keep. The user's
 * own settings are left alone. */
static void quieten_allocators(void)
{
    g_setenv("MALLOC_ARENA_MAX", "1", FALSE);
    g_setenv("MALLOC_MMAP_THRESHOLD_", "131072", FALSE);
    g_setenv("MALLOC_TRIM_THRESHOLD_", "131072", FALSE);
    g_setenv("GOGC", "5", FALSE); /* Go collects its garbage early */
}

/* ---- Running ---------------------------------------------------------------------------------- */

static bool prepare(Invocation *invocation, const char *program, GError **error)
{
    const Options *options = &invocation->options;

    invocation->points = cli_choose_points(options->points, error);
    if (invocation->points == NULL || !find_server(invocation, error) ||
        !cli_tls(&options->tls, invocation->target, &invocation->tls, &invocation->tls_settings,
                 error))
        return false;
    if (options->baseline != NULL) {
        invocation->baseline = soak_baseline_load(options->baseline, error);
        if (invocation->baseline == NULL)
            return false;
    }
    invocation->again = command_again(options, program);
    invocation->what = what_again(options);
    return check_report(options->json, error);
}

static SoakSummary *run(const Invocation *invocation, const ReportSoak *report, GError **error)
{
    const Options *options = &invocation->options;
    SoakOptions soak = {
        .spawn = invocation->command != NULL ? &invocation->spawn : NULL,
        .target = {.export_name = invocation->export_name,
                   .tls = invocation->tls_settings,
                   .tls_optional = invocation->tls == PLAY_TLS_ALLOW,
                   .allow_writes =
                       options->allow_writes || (options->spawn == NULL && options->target == NULL),
                   .timeout_ms = (unsigned)(options->timeout * 1000)},
        .pid = options->pid,
        .points = invocation->points,
        .crowd = (unsigned)options->crowd,
        .cycles = (unsigned)options->cycles,
        .parallel = (unsigned)options->parallel,
        .mode = soak_baseline_mode(invocation->baseline),
        .valgrind = options->valgrind,
        .stop = cli_stop(),
        .observer = report_soak_observer(report),
    };

    if (invocation->target != NULL)
        soak.target.address = invocation->target->address;
    return soak_run(&soak, error);
}

static int status_of(const GError *error)
{
    bool unreachable = g_error_matches(error, WATCH_ERROR, WATCH_ERROR_START) ||
                       g_error_matches(error, TARGET_ERROR, TARGET_ERROR_RESOLVE) ||
                       error->domain == TRANSPORT_ERROR ||
                       (error->domain == SOAK_ERROR && error->code != SOAK_ERROR_USAGE &&
                        error->code != SOAK_ERROR_STOPPED);

    return unreachable ? CLI_UNREACHABLE : CLI_USAGE;
}

static int judge(const Invocation *invocation, const SoakSummary *summary)
{
    int status = soak_exit_status(summary);

    if (status == CLI_FAILED && soak_baseline_new_faults(invocation->baseline, summary) == 0)
        status = CLI_CONFORMING;
    if (status == CLI_UNREACHABLE && !summary->interrupted)
        cli_complain("no point could be played: each was skipped");
    return summary->interrupted && status != CLI_FAILED ? CLI_USAGE : status;
}

static const char *target_name(const Options *options)
{
    if (options->spawn != NULL)
        return options->spawn;
    return options->target != NULL ? options->target : "the reference server";
}

static int soak(const Invocation *invocation)
{
    const Options *options = &invocation->options;
    g_autoptr(ReportSoak) report = make_console(invocation);
    g_autoptr(GError) error = NULL;
    g_autoptr(SoakSummary) summary = run(invocation, report, &error);

    if (summary == NULL) {
        cli_complain("%s", error->message);
        return status_of(error);
    }
    report_soak_end(report, summary);
    int status = judge(invocation, summary);
    if (options->json != NULL) {
        g_autofree char *text =
            report_soak_json(summary, target_name(options), invocation->baseline);
        if (!write_report(options->json, text, &error))
            return cli_complain("%s", error->message);
    }
    return status;
}

int cli_soak(int argc, char **argv)
{
    g_auto(Invocation) invocation = {0};
    g_autoptr(GError) error = NULL;

    if (!parse(&invocation.options, argc, argv, &error))
        return cli_complain("%s", error->message);
    if (invocation.options.list)
        return cli_list_points();
    if (!prepare(&invocation, argv[0], &error)) {
        cli_complain("%s", error->message);
        return status_of(error);
    }
    cli_catch_signals();
    quieten_allocators();
    return soak(&invocation);
}
