/* What the commands share: parsing options, complaining, and being stopped. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#define LONGEST_TIMEOUT 3600.0

int cli_complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    fprintf(stderr, "nbdconform: %s\n", message);
    return CLI_USAGE;
}

bool cli_mistake(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    GError *made = g_error_new_valist(G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, format, args);
    va_end(args);
    g_propagate_error(error, made);
    return false;
}

bool cli_parse(int *argc, char ***argv, const GOptionEntry *entries, const char *usage,
               const char *summary, const char *description, GError **error)
{
    g_autoptr(GOptionContext) context = g_option_context_new(usage);
    g_autoptr(GError) wrong = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_summary(context, summary);
    g_option_context_set_description(context, description);
    if (g_option_context_parse(context, argc, argv, &wrong))
        return true;
    return cli_mistake(error, "%s; see `%s --help`", wrong->message, g_get_prgname());
}

ReportConsole cli_console(bool verbose, const char *again)
{
    const char *no_colour = g_getenv("NO_COLOR"), *terminal = g_getenv("TERM");
    bool live = isatty(STDOUT_FILENO) && g_strcmp0(terminal, "dumb") != 0;

    return (ReportConsole){
        .out = stdout,
        .live = live,
        .colour = live && (no_colour == NULL || no_colour[0] == '\0'),
        .verbose = verbose,
        .again = again,
    };
}

/* ---- Stopping ---------------------------------------------------------------------------------- */

/* A signal's handler can reach nothing else. */
static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    g_atomic_int_set(&stop, 1);
    signal(number, SIG_DFL);
}

void cli_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* Whoever reads our output may leave; the report files are still to be written. */
    signal(SIGPIPE, SIG_IGN);
}

const volatile int *cli_stop(void)
{
    return &stop;
}

/* ---- Options ----------------------------------------------------------------------------------- */

bool cli_check_timeout(double seconds, GError **error)
{
    if (seconds >= 0.001 && seconds <= LONGEST_TIMEOUT)
        return true;
    return cli_mistake(error, "--timeout: %g seconds are not from 0.001 to %g", seconds,
                       LONGEST_TIMEOUT);
}

bool cli_check_server(const char *spawn, const char *target, int pid, GError **error)
{
    if (spawn != NULL && target != NULL)
        return cli_mistake(error, "--spawn starts the server; a --target runs already: give one");
    if (pid < 0)
        return cli_mistake(error, "--pid: %d is no process id", pid);
    if (pid > 0 && target == NULL)
        return cli_mistake(error, "--pid is for the process behind a --target");
    return true;
}

void cli_append(GString *command, const char *option, const char *value)
{
    if (value == NULL)
        return;
    g_autofree char *word = report_shell_word(value);
    g_string_append_printf(command, " %s %s", option, word);
}

void cli_append_all(GString *command, const char *option, char *const *values)
{
    for (; values != NULL && *values != NULL; values++)
        cli_append(command, option, *values);
}
