/* The catalogue: case files inside the program, and below folders that the user names. */
#include "scenario/catalogue.h"

#include <string.h>
#include <sys/stat.h>

#include "scenario/scenario.h"

/* Symbolic links may lead a walk in circles. */
#define MAX_FOLDERS_DEEP 32

static void free_scenario(void *scenario)
{
    scenario_free(scenario);
}

GPtrArray *catalogue_load(GError **error)
{
    g_autoptr(GPtrArray) scenarios = g_ptr_array_new_with_free_func(free_scenario);

    for (size_t i = 0; i < catalogue_file_count; i++) {
        const CatalogueFile *source = &catalogue_files[i];
        g_autofree char *file = g_strdup_printf("cases/%s.case", source->path);
        Scenario *scenario =
            scenario_parse(source->path, file, source->text, source->length, error);
        if (scenario == NULL)
            return NULL;
        g_ptr_array_add(scenarios, scenario);
    }
    return g_steal_pointer(&scenarios);
}

/* Adds to PATHS what there is below FOLDER/PREFIX, as paths below FOLDER. */
static bool find_cases(GPtrArray *paths, const char *folder, const char *prefix, int depth,
                       GError **error)
{
    g_autofree char *here = g_build_filename(folder, prefix, NULL);
    g_autoptr(GDir) dir = g_dir_open(here, 0, error);

    if (dir == NULL)
        return false;
    for (const char *name; (name = g_dir_read_name(dir)) != NULL;) {
        g_autofree char *path =
            *prefix == '\0' ? g_strdup(name) : g_strdup_printf("%s/%s", prefix, name);
        g_autofree char *file = g_build_filename(folder, path, NULL);
        if (*name == '.')
            continue;
        if (g_file_test(file, G_FILE_TEST_IS_DIR)) {
            if (depth == MAX_FOLDERS_DEEP) {
                g_set_error(error, SCENARIO_ERROR, 0, "%s: folders nest deeper than %d levels",
                            file, MAX_FOLDERS_DEEP);
                return false;
            }
            if (!find_cases(paths, folder, path, depth + 1, error))
                return false;
        } else if (g_str_has_suffix(name, ".case")) {
            g_ptr_array_add(paths, g_steal_pointer(&path));
        }
    }
    return true;
}

/* Reads no devices and no pipes, which might have no end, and not more than can be a case. */
static Scenario *load_case(const char *folder, const char *path, GError **error)
{
    g_autofree char *file = g_build_filename(folder, path, NULL);
    g_autofree char *id = g_strndup(path, strlen(path) - strlen(".case"));
    g_autofree char *text = NULL;
    gsize length;
    struct stat status;

    if (stat(file, &status) == 0 && !S_ISREG(status.st_mode)) {
        g_set_error(error, SCENARIO_ERROR, 0, "%s: this is no regular file", file);
        return NULL;
    }
    if (!g_file_get_contents(file, &text, &length, error))
        return NULL;
    return scenario_parse(id, file, text, length, error);
}

static int compare_paths(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool catalogue_add_folder(GPtrArray *scenarios, const char *folder,
                          const RequirementSet *requirements, GError **error)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(free_scenario);
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);

    if (!find_cases(paths, folder, "", 0, error))
        return false;
    g_ptr_array_sort(paths, compare_paths);
    for (guint i = 0; i < scenarios->len; i++)
        g_hash_table_add(known, ((Scenario *)g_ptr_array_index(scenarios, i))->path);
    for (guint i = 0; i < paths->len; i++) {
        Scenario *scenario = load_case(folder, g_ptr_array_index(paths, i), error);
        if (scenario == NULL)
            return false;
        scenario->requirements = requirements;
        g_ptr_array_add(found, scenario);
        if (!g_hash_table_add(known, scenario->path)) {
            scenario_set_error(error, scenario, scenario->title_place,
                               "there is a case called %s already", scenario->path);
            return false;
        }
    }
    g_ptr_array_extend_and_steal(scenarios, g_steal_pointer(&found));
    return true;
}
