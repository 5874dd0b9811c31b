/* `nbdconform explain`: one requirement, where it stands, and what checks it; and `manual`. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/selection.h"
#include "reference/reference.h"
#include "session/session.h"

static void print_field(const char *name, const char *text)
{
    if (text != NULL)
        printf("  %-8s %s\n", name, text);
}

/* ---- What checks it --------------------------------------------------------------------------- */

static unsigned print_cases(const Catalogue *catalogue, const Requirement *requirement)
{
    const Scenario *last = NULL;
    unsigned count = 0;

    for (unsigned i = 0; i < catalogue->cases->len; i++) {
        const PlayCase *play_case = g_ptr_array_index(catalogue->cases, i);
        /* The values of `for` do not change what a case cites. */
        if (play_case->scenario == last ||
            !g_ptr_array_find(play_case->requirements, requirement, NULL))
            continue;
        last = play_case->scenario;
        if (count++ == 0)
            puts("  checked by the cases");
        printf("    %s\n        %s\n", last->path, last->title);
    }
    return count;
}

/* What judges the messages of every case, whatever it is about. */
static unsigned print_rules(const Requirement *requirement)
{
    unsigned count = 0;

    for (size_t i = 0; i < session_rule_count(); i++) {
        if (!g_str_equal(session_rule_requirement(i), requirement->id))
            continue;
        if (count++ == 0)
            puts("  checked on the messages of every case by the rules");
        printf("    %s\n", session_rule_name(i));
    }
    return count;
}

static void print_checks(const Catalogue *catalogue, const Requirement *requirement)
{
    g_auto(GStrv) ways = g_strsplit(requirement->check, "+", -1);

    if (g_str_has_prefix(requirement->check, "none")) {
        const char *reason = requirement->check + strcspn(requirement->check, ":");
        reason += strspn(reason, ": ");
        printf("  not checked: %s\n", reason);
    }
    if (print_rules(requirement) == 0 && g_strv_contains((const char *const *)ways, "rule"))
        puts("  checked beside the messages, in every case");
    if (print_cases(catalogue, requirement) == 0 &&
        g_strv_contains((const char *const *)ways, "case"))
        puts("  no case checks it in this version");
}

static void print_quirks(const Requirement *requirement)
{
    size_t count;
    const RefQuirk *quirks = ref_quirks(&count);
    bool first = true;

    for (size_t i = 0; i < count; i++) {
        if (g_strcmp0(quirks[i].requirement, requirement->id) != 0)
            continue;
        if (first)
            puts(quirks[i].kind == REF_LIBERTY ? "  made use of by the embedded server with"
                                               : "  broken on purpose by the embedded server with");
        first = false;
        bool seen = !g_str_equal(quirks[i].seen, "-");
        printf("    --quirk %s\n        %s%s%s%s\n", quirks[i].name, quirks[i].summary,
               seen ? " (seen: " : "", seen ? quirks[i].seen : "", seen ? ")" : "");
    }
}

/* ---- explain ---------------------------------------------------------------------------------- */

static int explain(const Catalogue *catalogue, const Requirement *requirement)
{
    static const char *const roles[] = {
        [REQUIREMENT_SERVER] = "server",
        [REQUIREMENT_CLIENT] = "client",
        [REQUIREMENT_BOTH] = "server and client",
    };
    g_autofree char *link = requirement_link(requirement);

    puts(requirement->id);
    print_field("says", requirement->summary);
    print_field("level", requirement_level_name(requirement->level));
    print_field("binds", roles[requirement->role]);
    print_field("source", g_str_equal(requirement->source, "-") ? NULL : requirement->source);
    print_field("link", link);
    print_checks(catalogue, requirement);
    print_quirks(requirement);
    return CLI_CONFORMING;
}

static int unknown_requirement(const Catalogue *catalogue, const char *id)
{
    g_autoptr(GPtrArray) requirements = requirement_set_list(catalogue->requirements);
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (unsigned i = 0; i < catalogue->cases->len; i++)
        if (g_str_equal(((const PlayCase *)g_ptr_array_index(catalogue->cases, i))->id, id))
            return cli_complain("\"%s\" is a case: see `nbdconform list --show %s`", id, id);
    for (unsigned i = 0; i < requirements->len; i++)
        g_ptr_array_add(names,
                        (gpointer)((const Requirement *)g_ptr_array_index(requirements, i))->id);
    g_autofree char *near = selection_near(id, names);
    return cli_complain("no requirement is called \"%s\"%s%s", id,
                        near != NULL ? "; there are " : "; see `nbdconform list --requirements`",
                        near != NULL ? near : "");
}

static int explain_named(const char *word, const char *const *folders)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalogue) catalogue = selection_load(folders, &error);

    if (catalogue == NULL)
        return cli_complain("%s", error->message);
    const char *id = word[0] == '@' ? word + 1 : word;
    const Requirement *requirement = requirement_set_find(catalogue->requirements, id);
    return requirement == NULL ? unknown_requirement(catalogue, id)
                               : explain(catalogue, requirement);
}

int cli_explain(int argc, char **argv)
{
    g_auto(GStrv) folders = NULL;
    const GOptionEntry entries[] = {
        {"cases", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &folders,
         "Add the cases and requirements of a folder", "DIR"},
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GError) error = NULL;

    if (!cli_parse(&argc, &argv, entries, "REQUIREMENT",
                   "Says what a requirement asks, of whom, where it stands in the specification,\n"
                   "and what checks it.",
                   NULL, &error))
        return cli_complain("%s", error->message);
    if (argc != 2)
        return cli_complain("explain takes one requirement's id; see `nbdconform list "
                            "--requirements`");
    return explain_named(argv[1], (const char *const *)folders);
}

/* ---- manual ----------------------------------------------------------------------------------- */

int cli_manual(int argc, char **argv)
{
    const GOptionEntry entries[] = {G_OPTION_ENTRY_NULL};
    g_autoptr(GError) error = NULL;

    if (!cli_parse(&argc, &argv, entries, NULL,
                   "Prints the reference manual of the cases' notation.", NULL, &error))
        return cli_complain("%s", error->message);
    if (argc > 1)
        return cli_complain("unexpected argument \"%s\"", argv[1]);
    g_autofree char *manual = play_manual();
    fputs(manual, stdout);
    return CLI_CONFORMING;
}
