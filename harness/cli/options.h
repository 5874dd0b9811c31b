/* The options of a run, as the user gave them. */
#ifndef NBDCONFORM_CLI_OPTIONS_H
#define NBDCONFORM_CLI_OPTIONS_H

#include <glib.h>
#include <stdbool.h>

#include "cli/tls.h"

typedef struct {
    char *target; /* NULL, and no SPAWN: the embedded server */
    char *spawn;  /* command that starts the server, or NULL */
    int pid;      /* of the server's process; 0: not given */
    char *export_name;
    char **quirks;
    gboolean allow_writes, strict, verbose, version;
    char **only, **skip, **cases;
    int segment, jobs;
    char *block_size;
    double timeout; /* seconds */
    char *enter_word, *replies_word;
    CliTls tls;
    char *junit, *tap, *json;

    PlayEnter enter;
    PlayReplies replies;
    SessionSizes agreed; /* what BLOCK_SIZE says, if it is given */
} CliOptions;

/* False and ERROR on the first mistake. Options are to be cleared in any case. */
bool options_parse(CliOptions *options, int argc, char **argv, GError **error);
void options_clear(CliOptions *options);

/* The command PROGRAM with those options that decide what a case shows: against what, and in which mode.
 * The caller frees it. */
char *options_again(const CliOptions *options, const char *program);

#endif
