/* The catalogue: the case files inside the program, and those of a folder that the user adds. */
#ifndef NBDCONFORM_CATALOGUE_H
#define NBDCONFORM_CATALOGUE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "requirement/set.h"

/* Generated from cases/ when the program is built; sorted by path. */
typedef struct {
    const char *path; /* below cases/, without .case */
    const char *text;
    size_t length;
} CatalogueFile;

extern const CatalogueFile catalogue_files[];
extern const size_t catalogue_file_count;
extern const char catalogue_hash[]; /* of all cases and requirements, for reports */

/* Parses every file of the catalogue: an array of Scenario, sorted by path, that frees its elements.
 * NULL and the first error if one does not parse. */
GPtrArray *catalogue_load(GError **error);

/* Adds the .case files below FOLDER (recursively, sorted) to SCENARIOS; they cite REQUIREMENTS, which
 * must outlive them (NULL: those of the program). A path that is already there is an error. False and
 * ERROR on the first mistake. */
bool catalogue_add_folder(GPtrArray *scenarios, const char *folder,
                          const RequirementSet *requirements, GError **error);

#endif
