/* Reads the options of a run, and checks each by itself and against the others. */
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/size.h"
#include "cli/options.h"
#include "reference/reference.h"
#include "report/report.h"
#include "wire/wire.h"

#define MOST_JOBS 1000

static const char summary[] =
    "Judges an NBD server by the NBD protocol: plays every case of its catalogue against\n"
    "the server, and reports what the server breaks, with the sentence and the bytes.\n"
    "Without --target or --spawn it judges the reference server inside the program.";

static const char description[] =
    "A target is HOST, HOST:PORT, [IPV6]:PORT, unix:PATH, /PATH, or an NBD URI such as\n"
    "nbd://localhost/disk or nbd+unix:///disk?socket=PATH; nbds: and nbds+unix: require TLS.\n"
    "A COMMAND names where the server is to listen: {socket}, {port} or {uri} in it are\n"
    "replaced. It must go on when its clients leave.\n"
    "\n"
    "A GLOB is a case's id, or a folder of cases, and may have wildcards; * also stands\n"
    "for slashes. --only and --skip may be given more than once.\n"
    "\n"
    "Other commands:\n"
    "  nbdconform list             The cases; with --requirements what they check\n"
    "  nbdconform explain ID       A requirement, and the cases that check it\n"
    "  nbdconform soak             Leaks and crashes, by thousands of reconnects\n"
    "  nbdconform manual           The notation of the cases\n"
    "  nbdconform serve            The reference server, standalone\n"
    "  nbdconform help COMMAND     The options of a command\n"
    "\n"
    "Exit status: 0 conforming; 1 something failed; 2 wrong usage or a fault of the\n"
    "harness; 125 the target could not be reached, has no such export, or no case\n"
    "could be played.\n";

/* ---- Checking --------------------------------------------------------------------------------- */

static bool check_enter(CliOptions *options, GError **error)
{
    const char *word = options->enter_word;

    if (word == NULL || g_str_equal(word, "go"))
        options->enter = ENTER_GO;
    else if (g_str_equal(word, "export-name"))
        options->enter = ENTER_EXPORT_NAME;
    else
        return cli_mistake(error, "--enter: \"%s\" is neither go nor export-name", word);
    return true;
}

static bool check_replies(CliOptions *options, GError **error)
{
    const char *word = options->replies_word;

    if (word == NULL || g_str_equal(word, "simple"))
        options->replies = REPLIES_SIMPLE;
    else if (g_str_equal(word, "structured"))
        options->replies = REPLIES_STRUCTURED;
    else if (g_str_equal(word, "extended"))
        options->replies = REPLIES_EXTENDED;
    else
        return cli_mistake(error, "--replies: \"%s\" is none of simple, structured, extended",
                           word);
    if (options->replies == REPLIES_EXTENDED && options->enter == ENTER_EXPORT_NAME)
        return cli_mistake(error, "--replies extended goes with --enter go only");
    return true;
}

static bool check_block_size(CliOptions *options, GError **error)
{
    return options->block_size == NULL ||
           cli_parse_agreement("--block-size", options->block_size, &options->agreed, error);
}

static bool check_numbers(const CliOptions *options, GError **error)
{
    if (options->segment < 0)
        return cli_mistake(error,
                           "--segment: %d is no number of bytes; 1 sends each byte by itself",
                           options->segment);
    if (options->jobs < 0 || options->jobs > MOST_JOBS)
        return cli_mistake(error,
                           "--jobs: %d is not from 1 to %d (or 0, for as many as is sensible)",
                           options->jobs, MOST_JOBS);
    return cli_check_timeout(options->timeout, error);
}

/* The client MUST NOT send other names (proto.md, Conventions): cases that try them bring their own. */
static bool check_export_name(const char *name, GError **error)
{
    if (name == NULL)
        return true;
    switch (wire_check_string((const uint8_t *)name, strlen(name))) {
    case WIRE_STRING_TOO_LONG:
        return cli_mistake(error, "--export: the name has %zu bytes; the protocol allows 4096",
                           strlen(name));
    case WIRE_STRING_NOT_UTF8:
        return cli_mistake(error, "--export: the name is not UTF-8");
    default:
        return true;
    }
}

static bool check_quirks(const CliOptions *options, GError **error)
{
    if (options->quirks == NULL)
        return true;
    if (options->target != NULL || options->spawn != NULL)
        return cli_mistake(error, "--quirk is for the embedded server, not for a %s",
                           options->target != NULL ? "--target" : "--spawn");
    for (char **name = options->quirks; *name != NULL; name++) {
        g_autoptr(GError) unknown = NULL;
        if (ref_quirk_find(*name, &unknown) == NULL)
            return cli_mistake(error, "--quirk: %s", unknown->message);
    }
    return true;
}

/* Whether A and B, either of which may be NULL, lead to the same file, or would. */
static bool same_file(const char *a, const char *b)
{
    struct stat one, other;

    if (a == NULL || b == NULL)
        return false;
    if (stat(a, &one) == 0 && stat(b, &other) == 0)
        return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
    g_autofree char *whole = g_canonicalize_filename(a, NULL);
    g_autofree char *other_whole = g_canonicalize_filename(b, NULL);
    return g_str_equal(whole, other_whole);
}

static bool check_report_paths(const CliOptions *options, GError **error)
{
    const char *const paths[] = {options->junit, options->tap, options->json};

    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        if (paths[i] != NULL && paths[i][0] == '\0')
            return cli_mistake(error, "the name of a report's file is empty");
        for (size_t k = 0; k < i; k++)
            if (same_file(paths[i], paths[k]))
                return cli_mistake(error, "two reports would be written to %s", paths[i]);
    }
    return true;
}

static bool check(CliOptions *options, int argc, char **argv, GError **error)
{
    if (argc > 1)
        return cli_mistake(error, "unexpected argument \"%s\"; see `nbdconform --help`", argv[1]);
    return check_enter(options, error) && check_replies(options, error) &&
           cli_tls_check(&options->tls, error) && check_block_size(options, error) &&
           check_numbers(options, error) && check_export_name(options->export_name, error) &&
           cli_check_server(options->spawn, options->target, options->pid, error) &&
           check_quirks(options, error) && check_report_paths(options, error);
}

/* ---- Parsing ---------------------------------------------------------------------------------- */

bool options_parse(CliOptions *options, int argc, char **argv, GError **error)
{
    /* FILENAME takes an argument's bytes as they are. */
    const GOptionArg text = G_OPTION_ARG_FILENAME, texts = G_OPTION_ARG_FILENAME_ARRAY;
    const GOptionEntry entries[] = {
        {"target", 0, 0, text, &options->target, "The server to judge", "TARGET"},
        {"spawn", 0, 0, text, &options->spawn, "Start the server to judge, and watch its processes",
         "COMMAND"},
        {"pid", 0, 0, G_OPTION_ARG_INT, &options->pid,
         "Watch this process: it is the --target's, and runs here", "PID"},
        {"export", 0, 0, text, &options->export_name, "The export to use (the default export)",
         "NAME"},
        {"allow-writes", 0, 0, G_OPTION_ARG_NONE, &options->allow_writes,
         "Also play what changes the export: its content is lost", NULL},
        {"quirk", 0, 0, texts, &options->quirks,
         "Let the embedded server deviate (see `nbdconform serve --list-quirks`)", "NAME"},
        {"strict", 0, 0, G_OPTION_ARG_NONE, &options->strict, "A broken SHOULD is a failure", NULL},
        {"only", 0, 0, texts, &options->only, "Play these cases only", "GLOB"},
        {"skip", 0, 0, texts, &options->skip, "Leave these cases out", "GLOB"},
        {"cases", 0, 0, texts, &options->cases, "Add the cases and requirements of a folder",
         "DIR"},
        {"segment", 0, 0, G_OPTION_ARG_INT, &options->segment,
         "Send in pieces of so many bytes (whole messages)", "N"},
        {"enter", 0, 0, text, &options->enter_word,
         "Enter transmission by `go' or `export-name' (go)", "HOW"},
        {"replies", 0, 0, text, &options->replies_word,
         "Kind of replies: `simple', `structured' or `extended' (simple)", "KIND"},
        {"block-size", 0, 0, G_OPTION_ARG_STRING, &options->block_size,
         "Size constraints that are agreed on, where the server advertises none", "MIN/PREF/MAX"},
        CLI_TLS_ENTRIES(&options->tls),
        {"jobs", 0, 0, G_OPTION_ARG_INT, &options->jobs,
         "Cases played at once (as many as the target bears, by up to 8 connections)", "N"},
        {"timeout", 0, 0, G_OPTION_ARG_DOUBLE, &options->timeout, "How long an answer may take (5)",
         "SECONDS"},
        {"junit", 0, 0, text, &options->junit, "Write a JUnit XML report", "FILE"},
        {"tap", 0, 0, text, &options->tap, "Write a TAP report", "FILE"},
        {"json", 0, 0, text, &options->json, "Write a JSON report", "FILE"},
        {"verbose", 'v', 0, G_OPTION_ARG_NONE, &options->verbose, "Print each case's transcript",
         NULL},
        {"version", 0, 0, G_OPTION_ARG_NONE, &options->version, "Print the version", NULL},
        G_OPTION_ENTRY_NULL,
    };

    *options = (CliOptions){.timeout = CLI_TIMEOUT};
    return cli_parse(&argc, &argv, entries, NULL, summary, description, error) &&
           check(options, argc, argv, error);
}

void options_clear(CliOptions *options)
{
    g_free(options->target);
    g_free(options->spawn);
    g_free(options->export_name);
    g_strfreev(options->quirks);
    g_strfreev(options->only);
    g_strfreev(options->skip);
    g_strfreev(options->cases);
    g_free(options->enter_word);
    g_free(options->replies_word);
    g_free(options->block_size);
    cli_tls_clear(&options->tls);
    g_free(options->junit);
    g_free(options->tap);
    g_free(options->json);
}

/* ---- The same run again ----------------------------------------------------------------------- */

char *options_again(const CliOptions *options, const char *program)
{
    g_autofree char *word = report_shell_word(program);
    GString *command = g_string_new(word);

    cli_append(command, "--target", options->target);
    cli_append(command, "--spawn", options->spawn);
    cli_append(command, "--export", options->export_name);
    cli_append_all(command, "--quirk", options->quirks);
    cli_append_all(command, "--cases", options->cases);
    if (options->allow_writes)
        g_string_append(command, " --allow-writes");
    if (options->strict)
        g_string_append(command, " --strict");
    if (options->segment > 0)
        g_string_append_printf(command, " --segment %d", options->segment);
    if (options->enter == ENTER_EXPORT_NAME)
        cli_append(command, "--enter", "export-name");
    if (options->replies != REPLIES_SIMPLE)
        cli_append(command, "--replies", options->replies_word);
    cli_append(command, "--block-size", options->block_size);
    cli_tls_append(command, &options->tls);
    if (options->timeout != CLI_TIMEOUT)
        g_string_append_printf(command, " --timeout %g", options->timeout);
    return g_string_free(command, FALSE);
}
