/* Requirements of the user's own beside those inside the program: folders of cases bring them in a
 * requirements.tsv, in the format of cases/requirements.tsv. */
#ifndef NBDCONFORM_REQUIREMENT_SET_H
#define NBDCONFORM_REQUIREMENT_SET_H

#include <glib.h>
#include <stdbool.h>

#include "requirement/requirement.h"

#define REQUIREMENT_ERROR requirement_error_quark()
GQuark requirement_error_quark(void);

typedef struct RequirementSet RequirementSet;

RequirementSet *requirement_set_new(void);
void requirement_set_free(RequirementSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RequirementSet, requirement_set_free)

/* Adds the rows of FILE. False and ERROR, "FILE:LINE: what is wrong", on the first mistake; what stood
 * before it may have been added. */
bool requirement_set_add_file(RequirementSet *set, const char *file, GError **error);

/* The requirement called ID: one inside the program, or one that was added (SET may be NULL). NULL if
 * there is none. Lives as long as the set. */
const Requirement *requirement_set_find(const RequirementSet *set, const char *id);

/* All of them, sorted by id: an array of const Requirement *, borrowed. The caller unrefs it. */
GPtrArray *requirement_set_list(const RequirementSet *set);

#endif
