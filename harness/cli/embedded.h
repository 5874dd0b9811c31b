/* The reference server inside the program, as a target. */
#ifndef NBDCONFORM_CLI_EMBEDDED_H
#define NBDCONFORM_CLI_EMBEDDED_H

#include <glib.h>

#include "reference/reference.h"

/* Serves from threads of its own until freed, on a free port of the loopback interface. QUIRKS is
 * NULL-terminated, or NULL. */
RefServer *embedded_start(const char *const *quirks, GError **error);

/* False, and an error that names those there are, if it has no export called NAME. */
bool embedded_has_export(const char *name, GError **error);

#endif
