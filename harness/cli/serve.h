/* `nbdconform serve`: the reference server, standalone. */
#ifndef NBDCONFORM_CLI_SERVE_H
#define NBDCONFORM_CLI_SERVE_H

/* Serves until SIGTERM or SIGINT. ARGV[0] is the name to be shown in the help. Returns the exit
 * status: 0 after a signal, 2 for an error in the arguments, 1 if it could not serve. */
int cli_serve(int argc, char **argv);

#endif
