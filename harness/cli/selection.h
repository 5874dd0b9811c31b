/* Which cases a command is about. */
#ifndef NBDCONFORM_CLI_SELECTION_H
#define NBDCONFORM_CLI_SELECTION_H

#include <glib.h>
#include <stdbool.h>

#include "play/play.h"
#include "requirement/set.h"

/* All cases there are. */
typedef struct {
    RequirementSet *requirements; /* all that the cases may cite */
    GPtrArray *scenarios;         /* of Scenario, sorted by path */
    GPtrArray *cases;             /* of PlayCase, in the same order */
} Catalogue;

/* Loads the catalogue, and the FOLDERS (NULL-terminated, or NULL) that the user adds, each with the
 * requirements of its requirements.tsv. Only cases for servers can be played in this version. NULL and the first mistake. */
Catalogue *selection_load(const char *const *folders, GError **error);
void selection_free(Catalogue *catalogue);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Catalogue, selection_free)

/* A pattern is a case's id, or that of a case with `for` values without them, or a folder above it; or
 * such a name with the wildcards of a shell, where * also stands for slashes. */
bool selection_matches(const char *pattern, const char *id, const char *path);

/* The cases of CASES that match one of ONLY (all if NULL) and none of SKIP (none if NULL), borrowed. A
 * pattern that matches nothing is a mistake: NULL, and an error that names ids near it. */
GPtrArray *selection_choose(const GPtrArray *cases, const char *const *only,
                            const char *const *skip, GError **error);

/* Up to three of NAMES that are spelled like WORD, as "a, b, c", or NULL. The caller frees it. */
char *selection_near(const char *word, const GPtrArray *names);

#endif
