/* The catalogue inside the program, and the cases of a folder. */
#include <CUnit/CUnit.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scenario/catalogue.h"
#include "scenario/scenario.h"

void catalogue_tests(void);

#define GOOD "case x\npeer server\nopen\n"

/* ---- A folder to fill ------------------------------------------------------------------------- */

static char *make_folder(void)
{
    char *folder = g_dir_make_tmp("catalogue-XXXXXX", NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    return folder;
}

static void put(const char *folder, const char *path, const char *text)
{
    g_autofree char *file = g_build_filename(folder, path, NULL);
    g_autofree char *parent = g_path_get_dirname(file);

    CU_ASSERT_EQUAL(g_mkdir_with_parents(parent, 0700), 0);
    CU_ASSERT_TRUE(g_file_set_contents(file, text, -1, NULL));
}

static void remove_tree(const char *path)
{
    g_autoptr(GDir) dir =
        g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);

    for (const char *name; dir != NULL && (name = g_dir_read_name(dir)) != NULL;) {
        g_autofree char *child = g_build_filename(path, name, NULL);
        remove_tree(child);
    }
    g_remove(path);
}

static const char *path_at(GPtrArray *scenarios, guint i)
{
    CU_ASSERT_FATAL(i < scenarios->len);
    return ((const Scenario *)g_ptr_array_index(scenarios, i))->path;
}

static void free_scenario(void *scenario)
{
    scenario_free(scenario);
}

static GPtrArray *no_scenarios(void)
{
    return g_ptr_array_new_with_free_func(free_scenario);
}

/* The error for FOLDER, which adds nothing. */
static void folder_is_refused(const char *folder, const char *what)
{
    g_autoptr(GPtrArray) scenarios = no_scenarios();
    g_autoptr(GError) error = NULL;

    CU_ASSERT_FALSE(catalogue_add_folder(scenarios, folder, NULL, &error));
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    if (strstr(error->message, what) == NULL)
        g_printerr("\nexpected %s in %s\n", what, error->message);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->message, what));
    CU_ASSERT_EQUAL(scenarios->len, 0);
}

/* ---- Tests ------------------------------------------------------------------------------------ */

static void every_embedded_case_is_loaded_in_order(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) scenarios = catalogue_load(&error);

    if (error != NULL)
        g_printerr("\n%s\n", error->message);
    CU_ASSERT_PTR_NOT_NULL_FATAL(scenarios);
    CU_ASSERT_EQUAL_FATAL(scenarios->len, catalogue_file_count);
    for (guint i = 0; i < scenarios->len; i++) {
        const Scenario *scenario = g_ptr_array_index(scenarios, i);
        CU_ASSERT_STRING_EQUAL(scenario->path, catalogue_files[i].path);
        g_autofree char *file = g_strdup_printf("cases/%s.case", scenario->path);
        CU_ASSERT_STRING_EQUAL(scenario->file, file);
        CU_ASSERT(i == 0 || strcmp(path_at(scenarios, i - 1), scenario->path) < 0);
    }
    CU_ASSERT(strlen(catalogue_hash) > 0);
}

static void a_folders_cases_are_added_in_order(void)
{
    g_autofree char *folder = make_folder();
    g_autoptr(GPtrArray) scenarios = no_scenarios();
    g_autoptr(GError) error = NULL;

    put(folder, "b.case", GOOD);
    put(folder, "a/z/deep.case", GOOD);
    put(folder, "a/b.case", GOOD);
    put(folder, "notes.txt", "no case");
    put(folder, ".hidden.case", "no case");
    put(folder, ".git/x.case", "no case");
    put(folder, "requirements.tsv", "no case");
    CU_ASSERT_TRUE(catalogue_add_folder(scenarios, folder, NULL, &error));
    CU_ASSERT_EQUAL_FATAL(scenarios->len, 3);
    CU_ASSERT_STRING_EQUAL(path_at(scenarios, 0), "a/b");
    CU_ASSERT_STRING_EQUAL(path_at(scenarios, 1), "a/z/deep");
    CU_ASSERT_STRING_EQUAL(path_at(scenarios, 2), "b");
    g_autofree char *file = g_build_filename(folder, "a/b.case", NULL);
    CU_ASSERT_STRING_EQUAL(((Scenario *)g_ptr_array_index(scenarios, 0))->file, file);

    CU_ASSERT_FALSE(catalogue_add_folder(scenarios, folder, NULL, &error)); /* all there already */
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->message, "there is a case called a/b already"));
    CU_ASSERT_EQUAL(scenarios->len, 3);
    remove_tree(folder);
}

static void a_folder_with_a_mistake_adds_nothing(void)
{
    g_autofree char *folder = make_folder();

    put(folder, "a.case", GOOD);
    put(folder, "b.case", GOOD "C: }\n");
    folder_is_refused(folder, "b.case:4:4: expected a verb, found `}`");
    remove_tree(folder);
    folder_is_refused(folder, "No such file or directory");
}

static void what_is_no_file_is_not_read(void)
{
    g_autofree char *folder = make_folder();
    g_autofree char *pipe = g_build_filename(folder, "pipe.case", NULL);
    g_autofree char *dangling = g_build_filename(folder, "dangling.case", NULL);

    CU_ASSERT_EQUAL_FATAL(mkfifo(pipe, 0600), 0); /* to read it would wait forever */
    folder_is_refused(folder, "pipe.case: this is no regular file");
    g_remove(pipe);
    CU_ASSERT_EQUAL(symlink("/nowhere/at/all", dangling), 0);
    folder_is_refused(folder, "dangling.case");
    remove_tree(folder);
}

static void a_folder_inside_itself_ends(void)
{
    g_autofree char *folder = make_folder();
    g_autofree char *circle = g_build_filename(folder, "circle", NULL);

    CU_ASSERT_EQUAL(symlink(folder, circle), 0);
    folder_is_refused(folder, "folders nest deeper than 32 levels");
    remove_tree(folder);
}

void catalogue_tests(void)
{
    CU_TestInfo tests[] = {
        {"every embedded case is loaded in order", every_embedded_case_is_loaded_in_order},
        {"a folder's cases are added in order", a_folders_cases_are_added_in_order},
        {"a folder with a mistake adds nothing", a_folder_with_a_mistake_adds_nothing},
        {"what is no file is not read", what_is_no_file_is_not_read},
        {"a folder inside itself ends", a_folder_inside_itself_ends},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"catalogue", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    CU_register_suites(suites);
}
