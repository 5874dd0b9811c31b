/* Numbers of bytes and size constraints, as options write them. */
#ifndef NBDCONFORM_CLI_SIZE_H
#define NBDCONFORM_CLI_SIZE_H

#include <glib.h>

#include "session/session.h"

/* A number of bytes: 512, 64K, 10M, 1G, 8T, 1P, 1E, or 2^63-1 as "max". */
bool cli_parse_size(const char *text, uint64_t limit, uint64_t *size, GError **error);

/* MIN/PREF/MAX; an empty part is left as it is. */
bool cli_parse_sizes(const char *text, SessionSizes *sizes, GError **error);

/* The same for OPTION, where an empty part has its default, and the protocol has to allow the whole. */
bool cli_parse_agreement(const char *option, const char *text, SessionSizes *sizes, GError **error);

#endif
