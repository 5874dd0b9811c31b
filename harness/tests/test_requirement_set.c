/* Requirements of the user's own: reading their tables, and what is wrong with a table. */
#include <CUnit/CUnit.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "requirement/set.h"
#include "scenario/scenario.h"

void requirement_set_tests(void);

#define HEADER "id\tlevel\trole\tsource\tcheck\tsummary\n"
#define ROW "mine.one\tMUST NOT\tboth\tmine.md:3\tcase\tOne.\n"

/* A table with this text; the caller removes and frees it. */
static char *make_table(const char *text)
{
    char *file = g_strdup("/tmp/requirements-XXXXXX");
    int descriptor = g_mkstemp(file);

    CU_ASSERT_FATAL(descriptor >= 0);
    g_close(descriptor, NULL);
    CU_ASSERT_TRUE_FATAL(g_file_set_contents(file, text, -1, NULL));
    return file;
}

static bool add(RequirementSet *set, const char *text, GError **error)
{
    g_autofree char *file = make_table(text);
    bool good = requirement_set_add_file(set, file, error);

    g_remove(file);
    return good;
}

/* The one line that tells what is wrong with TEXT, and where. */
static void is_refused(const char *text, const char *place, const char *what)
{
    g_autoptr(RequirementSet) set = requirement_set_new();
    g_autoptr(GError) error = NULL;

    CU_ASSERT_FALSE(add(set, text, &error));
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    if (strstr(error->message, what) == NULL || strstr(error->message, place) == NULL)
        g_printerr("\nexpected %s %s in %s\n", place, what, error->message);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->message, what));
    CU_ASSERT_PTR_NOT_NULL(strstr(error->message, place));
    CU_ASSERT_PTR_NULL(strchr(error->message, '\n'));
}

/* ---- Tests ------------------------------------------------------------------------------------ */

static void rows_are_found_beside_those_of_the_program(void)
{
    g_autoptr(RequirementSet) set = requirement_set_new();
    g_autoptr(GError) error = NULL;

    CU_ASSERT_TRUE_FATAL(
        add(set, "# mine\n\n" HEADER ROW "aa.robust\tROBUST\tserver\t-\tnone: why\t Two. \r\n",
            &error));
    const Requirement *one = requirement_set_find(set, "mine.one");
    CU_ASSERT_PTR_NOT_NULL_FATAL(one);
    CU_ASSERT_STRING_EQUAL(one->id, "mine.one");
    CU_ASSERT_EQUAL(one->level, REQUIREMENT_MUST_NOT);
    CU_ASSERT_EQUAL(one->role, REQUIREMENT_BOTH);
    CU_ASSERT_STRING_EQUAL(one->source, "mine.md:3");
    CU_ASSERT_STRING_EQUAL(one->check, "case");
    const Requirement *two = requirement_set_find(set, "aa.robust");
    CU_ASSERT_PTR_NOT_NULL_FATAL(two);
    CU_ASSERT_STRING_EQUAL(two->summary, "Two.");
    CU_ASSERT_PTR_EQUAL(requirement_set_find(set, requirement_table[0].id), &requirement_table[0]);
    CU_ASSERT_PTR_NULL(requirement_set_find(set, "mine.two"));
    CU_ASSERT_PTR_NULL(requirement_find("mine.one"));
    CU_ASSERT_PTR_EQUAL(requirement_set_find(NULL, requirement_table[0].id), &requirement_table[0]);
    CU_ASSERT_PTR_NULL(requirement_set_find(NULL, "mine.one"));
}

static void the_list_holds_all_in_order(void)
{
    g_autoptr(RequirementSet) set = requirement_set_new();

    CU_ASSERT_TRUE_FATAL(add(set, HEADER ROW, NULL));
    CU_ASSERT_TRUE_FATAL(
        add(set, HEADER "aa.a\tMAY\tclient\ta.md:1-2, 4; b.md:5\trule+soak\tA.\n", NULL));
    g_autoptr(GPtrArray) list = requirement_set_list(set);
    CU_ASSERT_EQUAL_FATAL(list->len, requirement_count + 2);
    for (guint i = 1; i < list->len; i++)
        CU_ASSERT(strcmp(((const Requirement *)list->pdata[i - 1])->id,
                         ((const Requirement *)list->pdata[i])->id) < 0);
}

static void sets_do_not_know_of_each_other(void)
{
    g_autoptr(RequirementSet) set = requirement_set_new();
    g_autoptr(RequirementSet) other = requirement_set_new();

    CU_ASSERT_TRUE(add(set, HEADER ROW, NULL));
    CU_ASSERT_PTR_NULL(requirement_set_find(other, "mine.one"));
    CU_ASSERT_TRUE(add(other, HEADER ROW, NULL));
}

static void a_bad_row_is_named_with_its_line(void)
{
    is_refused(ROW, ":1:", "the first line must be the header");
    is_refused(HEADER ROW "mine.two\tMUST\n", ":3:", "2 fields separated by tabs, not 6");
    is_refused(HEADER "Mine\tMUST\tserver\tm.md:1\tcase\tx\n",
               ":2:", "id \"Mine\" is not of the form");
    is_refused(HEADER "a.b\n\tMUST\n", ":2:", "1 fields");
    is_refused(HEADER "a.b\tWILL\tserver\tm.md:1\tcase\tx\n", ":2:", "unknown level \"WILL\"");
    is_refused(HEADER "a.b\tMUST\tall\tm.md:1\tcase\tx\n", ":2:", "unknown role \"all\"");
    is_refused(HEADER "a.b\tMUST\tserver\t-\tcase\tx\n", ":2:", "source \"-\"");
    is_refused(HEADER "a.b\tMUST\tserver\tm.md\tcase\tx\n", ":2:", "source \"m.md\"");
    is_refused(HEADER "a.b\tMUST\tserver\tm.md:1;\tcase\tx\n", ":2:", "source \"m.md:1;\"");
    is_refused(HEADER "a.b\tMUST\tserver\tm.md:1\tcase+luck\tx\n",
               ":2:", "unknown check \"case+luck\"");
    is_refused(HEADER "a.b\tMUST\tserver\tm.md:1\tnone\tx\n", ":2:", "unknown check \"none\"");
    is_refused(HEADER "a.b\tMUST\tserver\tm.md:1\tcase\t \n", ":2:", "the summary is empty");
    is_refused(HEADER "a.b\tMUST\tserver\tm.md:1\tcase\t\xff\n", ":2:", "not UTF-8");
}

static void an_id_stands_once(void)
{
    g_autofree char *known =
        g_strdup_printf(HEADER "%s\tMUST\tserver\tm.md:1\tcase\tx\n", requirement_table[0].id);
    g_autoptr(RequirementSet) set = requirement_set_new();
    g_autoptr(GError) error = NULL;

    is_refused(HEADER ROW "\n" ROW, ":4:", "\"mine.one\" stands in");
    is_refused(HEADER ROW "\n" ROW, ":2 already", "");
    is_refused(known, ":2:", "is a requirement of the catalogue already");
    CU_ASSERT_TRUE(add(set, HEADER ROW, NULL));
    CU_ASSERT_FALSE(add(set, HEADER ROW, &error)); /* nor in two folders */
}

static void what_is_no_table_is_not_read(void)
{
    g_autoptr(RequirementSet) set = requirement_set_new();
    g_autoptr(GError) folder = NULL;
    g_autoptr(GError) missing = NULL;

    CU_ASSERT_FALSE(requirement_set_add_file(set, "/dev/zero", NULL));
    CU_ASSERT_FALSE(requirement_set_add_file(set, "/tmp", &folder));
    CU_ASSERT_FALSE(requirement_set_add_file(set, "/no/such/file", &missing));
    CU_ASSERT_PTR_NOT_NULL(missing);
    CU_ASSERT_TRUE(add(set, "", NULL));
}

static void a_scenario_cites_from_its_own_set(void)
{
    static const char text[] = "case x\npeer server\nopen @mine.one\n";
    g_autoptr(RequirementSet) set = requirement_set_new();
    g_autoptr(Scenario) scenario = scenario_parse("x", "x.case", text, strlen(text), NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(scenario);
    CU_ASSERT_TRUE(add(set, HEADER ROW, NULL));
    const Statement *line = scenario->statements->pdata[0];
    CU_ASSERT_PTR_NULL(scenario_cited(scenario, line->citations->pdata[0]));
    scenario->requirements = set;
    CU_ASSERT_PTR_EQUAL(scenario_cited(scenario, line->citations->pdata[0]),
                        requirement_set_find(set, "mine.one"));
}

void requirement_set_tests(void)
{
    CU_TestInfo tests[] = {
        {"rows are found beside those of the program", rows_are_found_beside_those_of_the_program},
        {"the list holds all in order", the_list_holds_all_in_order},
        {"sets do not know of each other", sets_do_not_know_of_each_other},
        {"a bad row is named with its line", a_bad_row_is_named_with_its_line},
        {"an id stands once", an_id_stands_once},
        {"what is no table is not read", what_is_no_table_is_not_read},
        {"a scenario cites from its own set", a_scenario_cites_from_its_own_set},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"requirement set", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    CU_register_suites(suites);
}
