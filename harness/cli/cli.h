/* The command line: one function a command, and what they share. */
#ifndef NBDCONFORM_CLI_CLI_H
#define NBDCONFORM_CLI_CLI_H

#include <glib.h>
#include <stdbool.h>

#include "report/report.h"

/* Exit statuses. `git bisect run` takes 125 for "cannot be tested". */
enum {
    CLI_CONFORMING = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2, /* or the harness could not do its part */
    CLI_UNREACHABLE = 125,
};

/* The commands. ARGV[0] is the name to be shown. They return the exit status. */
int cli_run(int argc, char **argv);
int cli_list(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_manual(int argc, char **argv);
int cli_soak(int argc, char **argv);

/* Says on stderr what is wrong, and returns CLI_USAGE. */
int cli_complain(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Sets ERROR to a mistake in the usage; false, to be returned. */
bool cli_mistake(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Parses the options ENTRIES. USAGE is what follows the name in the help, SUMMARY the text above the
 * options, DESCRIPTION that below; each may be NULL. What is no option is left in ARGV. */
bool cli_parse(int *argc, char ***argv, const GOptionEntry *entries, const char *usage,
               const char *summary, const char *description, GError **error);

/* A report on stdout, with colours and progress where it is a terminal. AGAIN, which is borrowed, is how to run it
 * once more. */
ReportConsole cli_console(bool verbose, const char *again);

/* Lets SIGINT and SIGTERM end what is being done, so that what is known is reported; a second one ends the
 * program. */
void cli_catch_signals(void);
/* Not 0 once a signal has come. */
const volatile int *cli_stop(void);

/* ---- Options that several commands have --------------------------------------------------------- */

#define CLI_TIMEOUT 5.0 /* seconds */

bool cli_check_timeout(double seconds, GError **error);
/* SPAWN and TARGET may be NULL, PID 0. */
bool cli_check_server(const char *spawn, const char *target, int pid, GError **error);

/* Appends OPTION and its VALUE as words of a shell's command line; nothing where VALUE is NULL. */
void cli_append(GString *command, const char *option, const char *value);
void cli_append_all(GString *command, const char *option, char *const *values);

#endif
