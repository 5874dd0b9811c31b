/* Exports and sizes, as the options of `nbdconform serve` write them. */
#ifndef NBDCONFORM_CLI_SERVE_EXPORT_H
#define NBDCONFORM_CLI_SERVE_EXPORT_H

#include <glib.h>

#include "reference/reference.h"

/* MIN/PREF/MAX; an empty part is left at its default. */
bool serve_parse_block_size(const char *text, RefExport *export, GError **error);

/* NAME[:key=value,…]; what TEXT does not set is left as it is. */
bool serve_parse_export(const char *text, RefExport *export, GError **error);

#endif
