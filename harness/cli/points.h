/* The points and crowds of `nbdconform soak`, as its options name them. */
#ifndef NBDCONFORM_CLI_POINTS_H
#define NBDCONFORM_CLI_POINTS_H

#include <glib.h>

/* Of SoakPoint: those whose names match one of PATTERNS, of which none may be in vain; all without PATTERNS (NULL).
 * NULL and ERROR if one is. */
GPtrArray *cli_choose_points(char *const *patterns, GError **error);

/* Prints them, and returns the exit status. */
int cli_list_points(void);

#endif
