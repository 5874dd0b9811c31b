/* Chooses cases by the patterns that a user gives. */
#include <fnmatch.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/selection.h"
#include "scenario/catalogue.h"

#define NEAR_NAMES 3

/* ---- Loading ---------------------------------------------------------------------------------- */

void selection_free(Catalogue *catalogue)
{
    if (catalogue == NULL)
        return;
    g_clear_pointer(&catalogue->cases, g_ptr_array_unref);
    g_clear_pointer(&catalogue->scenarios, g_ptr_array_unref);
    g_clear_pointer(&catalogue->requirements, requirement_set_free);
    g_free(catalogue);
}

static bool has_requirements(const char *folder)
{
    g_autofree char *table = g_build_filename(folder, "requirements.tsv", NULL);

    return g_file_test(table, G_FILE_TEST_EXISTS);
}

static bool add_requirements(RequirementSet *requirements, const char *folder, GError **error)
{
    g_autofree char *table = g_build_filename(folder, "requirements.tsv", NULL);

    return !has_requirements(folder) || requirement_set_add_file(requirements, table, error);
}

/* The tables come first: the cases of one folder may cite the requirements of another. */
static bool add_folders(Catalogue *catalogue, const char *const *folders, GError **error)
{
    for (const char *const *folder = folders; *folder != NULL; folder++)
        if (!add_requirements(catalogue->requirements, *folder, error))
            return false;
    for (const char *const *folder = folders; *folder != NULL; folder++) {
        guint before = catalogue->scenarios->len;
        if (!catalogue_add_folder(catalogue->scenarios, *folder, catalogue->requirements, error))
            return false;
        if (catalogue->scenarios->len == before && !has_requirements(*folder))
            return cli_mistake(error, "--cases: %s holds no *.case, and no requirements.tsv",
                               *folder);
    }
    return true;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp((*(const Scenario *const *)a)->path, (*(const Scenario *const *)b)->path);
}

static bool load(Catalogue *catalogue, const char *const *folders, GError **error)
{
    catalogue->scenarios = catalogue_load(error);
    if (catalogue->scenarios == NULL)
        return false;
    if (folders != NULL && !add_folders(catalogue, folders, error))
        return false;
    g_ptr_array_sort(catalogue->scenarios, compare_paths);
    for (unsigned i = 0; i < catalogue->scenarios->len; i++) {
        const Scenario *scenario = g_ptr_array_index(catalogue->scenarios, i);
        if (scenario->peer == PEER_SERVER && !play_compile(scenario, catalogue->cases, error))
            return false;
    }
    return true;
}

Catalogue *selection_load(const char *const *folders, GError **error)
{
    Catalogue *catalogue = g_new0(Catalogue, 1);

    catalogue->requirements = requirement_set_new();
    catalogue->cases = g_ptr_array_new_with_free_func((GDestroyNotify)play_case_free);
    if (load(catalogue, folders, error))
        return catalogue;
    selection_free(catalogue);
    return NULL;
}

/* ---- Matching --------------------------------------------------------------------------------- */

static bool is_folder_of(const char *pattern, const char *path)
{
    size_t length = strlen(pattern);

    while (length > 0 && pattern[length - 1] == '/')
        length--;
    return length > 0 && strncmp(pattern, path, length) == 0 && path[length] == '/';
}

bool selection_matches(const char *pattern, const char *id, const char *path)
{
    /* As it stands first: an id may contain what would be a wildcard. */
    return g_str_equal(pattern, id) || g_str_equal(pattern, path) || is_folder_of(pattern, path) ||
           fnmatch(pattern, id, 0) == 0 || fnmatch(pattern, path, 0) == 0;
}

/* ---- Near names ------------------------------------------------------------------------------- */

static bool add_name(GPtrArray *found, const char *name)
{
    if (found->len < NEAR_NAMES &&
        !g_ptr_array_find_with_equal_func(found, name, g_str_equal, NULL))
        g_ptr_array_add(found, (gpointer)name);
    return found->len < NEAR_NAMES;
}

/* The longest part of WORD between separators and wildcards: what its writer surely meant. */
static char *longest_part(const char *word)
{
    g_auto(GStrv) parts = g_strsplit_set(word, "/.*?[]@=", -1);
    const char *longest = "";

    for (char **part = parts; *part != NULL; part++)
        if (strlen(*part) > strlen(longest))
            longest = *part;
    return g_strdup(longest);
}

char *selection_near(const char *word, const GPtrArray *names)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new();
    g_autoptr(GPtrArray) choices = g_ptr_array_new();
    g_autofree char *part = longest_part(word);

    for (unsigned i = 0; i < names->len; i++)
        g_ptr_array_add(choices, g_ptr_array_index(names, i));
    g_ptr_array_add(choices, NULL);
    const char *nearest = scenario_nearest(word, (const char *const *)choices->pdata);
    if (nearest != NULL)
        add_name(found, nearest);
    for (unsigned i = 0; strlen(part) >= 3 && i < names->len; i++)
        if (strstr(g_ptr_array_index(names, i), part) != NULL &&
            !add_name(found, g_ptr_array_index(names, i)))
            break;
    if (found->len == 0)
        return NULL;
    g_ptr_array_add(found, NULL);
    return g_strjoinv(", ", (char **)found->pdata);
}

/* Ids, paths and folders of all cases. */
static GPtrArray *all_names(const GPtrArray *cases)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (unsigned i = 0; i < cases->len; i++) {
        const PlayCase *play_case = g_ptr_array_index(cases, i);
        g_autofree char *name = g_strdup(play_case->scenario->path);
        while (!g_hash_table_contains(seen, name)) {
            char *kept = g_strdup(name);
            g_ptr_array_add(names, kept);
            g_hash_table_add(seen, kept);
            char *slash = strrchr(name, '/');
            if (slash == NULL)
                break;
            *slash = '\0';
        }
    }
    for (unsigned i = 0; i < cases->len; i++)
        g_ptr_array_add(names, g_strdup(((const PlayCase *)g_ptr_array_index(cases, i))->id));
    return names;
}

/* ---- Choosing --------------------------------------------------------------------------------- */

static bool matches_any(const char *const *patterns, const PlayCase *play_case)
{
    for (; patterns != NULL && *patterns != NULL; patterns++)
        if (selection_matches(*patterns, play_case->id, play_case->scenario->path))
            return true;
    return false;
}

static bool check_patterns(const GPtrArray *cases, const char *const *patterns, const char *option,
                           GError **error)
{
    for (; patterns != NULL && *patterns != NULL; patterns++) {
        const char *const one[] = {*patterns, NULL};
        bool found = false;
        for (unsigned i = 0; i < cases->len && !found; i++)
            found = matches_any(one, g_ptr_array_index(cases, i));
        if (found)
            continue;
        g_autoptr(GPtrArray) names = all_names(cases);
        g_autofree char *near = selection_near(*patterns, names);
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "no case is called \"%s\" (%s)%s%s", *patterns, option,
                    near != NULL ? "; there are " : "; see `nbdconform list`",
                    near != NULL ? near : "");
        return false;
    }
    return true;
}

GPtrArray *selection_choose(const GPtrArray *cases, const char *const *only,
                            const char *const *skip, GError **error)
{
    if (!check_patterns(cases, only, "--only", error) ||
        !check_patterns(cases, skip, "--skip", error))
        return NULL;

    g_autoptr(GPtrArray) chosen = g_ptr_array_new();
    for (unsigned i = 0; i < cases->len; i++) {
        PlayCase *play_case = g_ptr_array_index(cases, i);
        if ((only == NULL || matches_any(only, play_case)) && !matches_any(skip, play_case))
            g_ptr_array_add(chosen, play_case);
    }
    if (chosen->len == 0) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    skip != NULL ? "no case is left: --skip takes all"
                                 : "there is no case to play");
        return NULL;
    }
    return g_steal_pointer(&chosen);
}
