/* Choosing cases by patterns, and naming what the user may have meant. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "cli/selection.h"

void selection_tests(void);

/* ---- Cases, by hand ----------------------------------------------------------------------------- */

static const char *const ids[] = {
    "server/handshake/abort/acknowledged",
    "server/handshake/abort/with-data",
    "server/handshake/export-name/length@n=0",
    "server/handshake/export-name/length@n=4096",
    "server/transmission/read",
};

static void made_case_free(void *made)
{
    PlayCase *play_case = made;

    g_free(play_case->scenario->path);
    g_free((Scenario *)play_case->scenario);
    g_free(play_case->id);
    g_free(play_case);
}

static GPtrArray *make_cases(void)
{
    GPtrArray *cases = g_ptr_array_new_with_free_func(made_case_free);

    for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
        PlayCase *play_case = g_new0(PlayCase, 1);
        Scenario *scenario = g_new0(Scenario, 1);
        scenario->path = g_strndup(ids[i], strcspn(ids[i], "@"));
        play_case->id = g_strdup(ids[i]);
        play_case->scenario = scenario;
        g_ptr_array_add(cases, play_case);
    }
    return cases;
}

/* The last letters of the chosen ids, or "error". */
static char *chosen(const char *only, const char *skip)
{
    g_autoptr(GPtrArray) cases = make_cases();
    const char *const only_list[] = {only, NULL}, *const skip_list[] = {skip, NULL};
    g_autoptr(GPtrArray) choice = selection_choose(cases, only != NULL ? only_list : NULL,
                                                   skip != NULL ? skip_list : NULL, NULL);
    GString *letters = g_string_new(NULL);

    if (choice == NULL)
        return g_string_free(g_string_assign(letters, "error"), FALSE);
    for (unsigned i = 0; i < choice->len; i++) {
        const PlayCase *play_case = g_ptr_array_index(choice, i);
        g_string_append_c(letters, play_case->id[strlen(play_case->id) - 1]);
    }
    return g_string_free(letters, FALSE);
}

static void chooses(const char *only, const char *skip, const char *expected)
{
    g_autofree char *letters = chosen(only, skip);

    CU_ASSERT_STRING_EQUAL(letters, expected);
}

/* ---- Tests -------------------------------------------------------------------------------------- */

static void a_pattern_is_an_id_a_path_a_folder_or_a_glob(void)
{
    chooses(NULL, NULL, "da06d");
    chooses("server/handshake/abort/with-data", NULL, "a");
    chooses("server/handshake/export-name/length@n=0", NULL, "0");
    chooses("server/handshake/export-name/length", NULL, "06");
    chooses("server/handshake", NULL, "da06");
    chooses("server/handshake/", NULL, "da06");
    chooses("*abort*", NULL, "da");
    chooses("server/*length", NULL, "06");
    chooses("*@n=4*", NULL, "6");
    chooses("*/read", NULL, "d");
}

static void skip_takes_from_what_only_gives(void)
{
    chooses("server/handshake", "*@n=*", "da");
    chooses(NULL, "server/handshake", "d");
    chooses(NULL, "server", "error");
}

static void a_pattern_that_matches_nothing_is_a_mistake(void)
{
    chooses("server/handshak", NULL, "error");
    chooses("", NULL, "error");
    chooses(NULL, "nothing", "error");
}

static void names_near(const char *pattern, const char *near)
{
    g_autoptr(GPtrArray) cases = make_cases();
    const char *const only[] = {pattern, NULL};
    g_autoptr(GError) error = NULL;

    CU_ASSERT_PTR_NULL(selection_choose(cases, only, NULL, &error));
    CU_ASSERT(error != NULL && strstr(error->message, pattern) != NULL);
    CU_ASSERT(error != NULL && strstr(error->message, near) != NULL);
}

static void a_mistake_names_what_may_have_been_meant(void)
{
    names_near("server/handshake/abort/aknowledged", "server/handshake/abort/acknowledged");
    names_near("server/handshaek", "server/handshake");
    names_near("server/export-name/*", "server/handshake/export-name");
    names_near("zzz", "nbdconform list");
}

void selection_tests(void)
{
    CU_TestInfo tests[] = {
        {"a pattern is an id, a path, a folder or a glob",
         a_pattern_is_an_id_a_path_a_folder_or_a_glob},
        {"skip takes from what only gives", skip_takes_from_what_only_gives},
        {"a pattern that matches nothing is a mistake",
         a_pattern_that_matches_nothing_is_a_mistake},
        {"a mistake names what may have been meant", a_mistake_names_what_may_have_been_meant},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"selection", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    CU_register_suites(suites);
}
