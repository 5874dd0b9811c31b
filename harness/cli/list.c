/* `nbdconform list`, `explain` and `manual`: what the catalogue holds, and what it is about. */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/selection.h"

/* ---- Cases ------------------------------------------------------------------------------------ */

static int list_cases(const GPtrArray *cases)
{
    size_t width = 0;

    for (unsigned i = 0; i < cases->len; i++)
        width = MAX(width, strlen(((const PlayCase *)g_ptr_array_index(cases, i))->id));
    for (unsigned i = 0; i < cases->len; i++) {
        const PlayCase *play_case = g_ptr_array_index(cases, i);
        printf("%-*s  %s\n", (int)width, play_case->id, play_case->title);
    }
    return CLI_CONFORMING;
}

static GPtrArray *case_names(const Catalogue *catalogue)
{
    GPtrArray *names = g_ptr_array_new();

    for (unsigned i = 0; i < catalogue->scenarios->len; i++)
        g_ptr_array_add(names, ((Scenario *)g_ptr_array_index(catalogue->scenarios, i))->path);
    for (unsigned i = 0; i < catalogue->cases->len; i++)
        g_ptr_array_add(names, ((PlayCase *)g_ptr_array_index(catalogue->cases, i))->id);
    return names;
}

static const PlayCase *find_case(const Catalogue *catalogue, const char *name)
{
    for (unsigned i = 0; i < catalogue->cases->len; i++) {
        const PlayCase *play_case = g_ptr_array_index(catalogue->cases, i);
        if (g_str_equal(play_case->id, name) || g_str_equal(play_case->scenario->path, name))
            return play_case;
    }
    return NULL;
}

/* The sentences as comments, so that all of it is still a case. */
static int show_case(const Catalogue *catalogue, const char *name)
{
    const PlayCase *play_case = find_case(catalogue, name);

    if (play_case == NULL) {
        g_autoptr(GPtrArray) names = case_names(catalogue);
        g_autofree char *near = selection_near(name, names);
        return cli_complain("no case is called \"%s\"%s%s", name,
                            near != NULL ? "; there are " : "; see `nbdconform list`",
                            near != NULL ? near : "");
    }
    printf("# %s\n\n%s", play_case->scenario->file, play_case->scenario->text);
    for (unsigned i = 0; i < play_case->requirements->len; i++) {
        const Requirement *requirement = g_ptr_array_index(play_case->requirements, i);
        printf("\n# @%s (%s, %s)\n#     %s\n", requirement->id,
               requirement_level_name(requirement->level), requirement->source,
               requirement->summary);
    }
    return CLI_CONFORMING;
}

/* ---- Requirements ----------------------------------------------------------------------------- */

static const char *role_name(RequirementRole role)
{
    return role == REQUIREMENT_SERVER ? "server" : role == REQUIREMENT_CLIENT ? "client" : "both";
}

static bool cites(const PlayCase *play_case, const Requirement *requirement)
{
    return g_ptr_array_find(play_case->requirements, requirement, NULL);
}

/* A glob, or the beginning of an id up to a dot. */
static bool matches_id(const char *pattern, const char *id)
{
    size_t length = strlen(pattern);

    return fnmatch(pattern, id, 0) == 0 ||
           (strncmp(pattern, id, length) == 0 && (id[length] == '.' || id[length] == '\0'));
}

static bool is_wanted(const char *const *only, const char *id)
{
    if (only == NULL)
        return true;
    for (; *only != NULL; only++)
        if (matches_id(*only, id))
            return true;
    return false;
}

static int list_requirements(const Catalogue *catalogue, const char *const *only)
{
    g_autoptr(GPtrArray) requirements = requirement_set_list(catalogue->requirements);
    unsigned listed = 0;
    size_t width = 0;

    for (unsigned i = 0; i < requirements->len; i++)
        width = MAX(width, strlen(((const Requirement *)g_ptr_array_index(requirements, i))->id));
    for (unsigned i = 0; i < requirements->len; i++) {
        const Requirement *requirement = g_ptr_array_index(requirements, i);
        unsigned count = 0;
        if (!is_wanted(only, requirement->id))
            continue;
        for (unsigned k = 0; k < catalogue->cases->len; k++)
            count += cites(g_ptr_array_index(catalogue->cases, k), requirement);
        if (listed++ == 0)
            printf("%-*s  %-10s  %-6s  %-9s  %5s\n", (int)width, "id", "level", "role", "check",
                   "cases");
        printf("%-*s  %-10s  %-6s  %-9.*s  %5u\n", (int)width, requirement->id,
               requirement_level_name(requirement->level), role_name(requirement->role),
               (int)strcspn(requirement->check, ":"), requirement->check, count);
    }
    return listed > 0 ? CLI_CONFORMING : cli_complain("no requirement matches --only");
}

/* ---- list ------------------------------------------------------------------------------------- */

typedef struct {
    gboolean requirements;
    char **only, **cases;
    char *show;
} ListOptions;

static bool parse_list(ListOptions *options, int argc, char **argv, GError **error)
{
    const GOptionEntry entries[] = {
        {"requirements", 0, 0, G_OPTION_ARG_NONE, &options->requirements,
         "List the requirements, and how many cases check each", NULL},
        {"only", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->only, "List only what matches",
         "GLOB"},
        {"show", 0, 0, G_OPTION_ARG_FILENAME, &options->show,
         "Print a case, and the requirements it cites", "CASE"},
        {"cases", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->cases,
         "Add the cases and requirements of a folder", "DIR"},
        G_OPTION_ENTRY_NULL,
    };

    return cli_parse(&argc, &argv, entries, NULL, "Lists the cases, with their titles.", NULL,
                     error) &&
           (argc == 1 || cli_mistake(error, "unexpected argument \"%s\"", argv[1])) &&
           (options->show == NULL || (!options->requirements && options->only == NULL) ||
            cli_mistake(error, "--show goes with neither --requirements nor --only"));
}

static int list(const ListOptions *options)
{
    const char *const *only = (const char *const *)options->only;
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalogue) catalogue = selection_load((const char *const *)options->cases, &error);

    if (catalogue == NULL)
        return cli_complain("%s", error->message);
    if (options->show != NULL)
        return show_case(catalogue, options->show);
    if (options->requirements)
        return list_requirements(catalogue, only);
    g_autoptr(GPtrArray) cases = selection_choose(catalogue->cases, only, NULL, &error);
    if (cases == NULL)
        return cli_complain("%s", error->message);
    return list_cases(cases);
}

int cli_list(int argc, char **argv)
{
    ListOptions options = {0};
    g_autoptr(GError) error = NULL;
    int status = parse_list(&options, argc, argv, &error) ? list(&options)
                                                          : cli_complain("%s", error->message);

    g_strfreev(options.only);
    g_strfreev(options.cases);
    g_free(options.show);
    return status;
}
