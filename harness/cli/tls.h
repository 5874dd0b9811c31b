/* TLS, as the options of a run and the target's URI ask for it. */
#ifndef NBDCONFORM_CLI_TLS_H
#define NBDCONFORM_CLI_TLS_H

#include "cli/options.h"
#include "target/target.h"

/* Brings OPTIONS and TARGET (which may be NULL) together: *TLS is the run's mode, and *SETTINGS what it
 * needs, unless it is off. False and ERROR if they contradict each other, or files are missing. */
bool cli_tls(const CliOptions *options, const Target *target, PlayTls *tls, TransportTls **settings,
             GError **error);

#endif
