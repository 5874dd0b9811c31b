/* The points and crowds of `nbdconform soak`, as its options name them. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/points.h"
#include "cli/selection.h"
#include "soak/soak.h"

static GPtrArray *all_points(void)
{
    GPtrArray *points = g_ptr_array_new_with_free_func(g_free);
    size_t count;
    const SoakPhase *phases = soak_phases(&count);

    for (size_t i = 0; i < count; i++)
        for (SoakEnding ending = 0; ending < ENDING_COUNT; ending++) {
            SoakPoint point = {.phase = &phases[i], .ending = ending};
            if (ending != ENDING_SOFT || phases[i].soft)
                g_ptr_array_add(points, g_memdup2(&point, sizeof point));
        }
    return points;
}

static bool matches_any(char *const *patterns, const char *name, bool *used)
{
    bool any = false;

    for (unsigned i = 0; patterns[i] != NULL; i++)
        if (selection_matches(patterns[i], name, name))
            any = used[i] = true;
    return any;
}

static bool check_used(char *const *patterns, const bool *used, const GPtrArray *names,
                       GError **error)
{
    for (unsigned i = 0; patterns[i] != NULL; i++) {
        if (used[i])
            continue;
        g_autofree char *near = selection_near(patterns[i], names);
        return cli_mistake(error, "--points: \"%s\" matches no point%s%s; see --list", patterns[i],
                           near != NULL ? "; near it are: " : "", near != NULL ? near : "");
    }
    return true;
}

GPtrArray *cli_choose_points(char *const *patterns, GError **error)
{
    g_autoptr(GPtrArray) points = all_points();

    if (patterns == NULL)
        return g_steal_pointer(&points);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autofree bool *used = g_new0(bool, g_strv_length((char **)patterns) + 1);
    for (guint i = 0; i < points->len;) {
        char *name = soak_point_name(points->pdata[i]);
        g_ptr_array_add(names, name);
        if (matches_any(patterns, name, used))
            i++;
        else
            g_ptr_array_remove_index(points, i);
    }
    return check_used(patterns, used, names, error) ? g_steal_pointer(&points) : NULL;
}

int cli_list_points(void)
{
    size_t count;
    const SoakPhase *phases = soak_phases(&count);

    for (size_t i = 0; i < count; i++)
        printf("%-24s %s%s\n", phases[i].name, phases[i].about,
               phases[i].writes ? " (--allow-writes)" : "");
    printf("\nEach of them times");
    for (SoakEnding ending = 0; ending < ENDING_COUNT; ending++)
        printf(" /%s", soak_ending_name(ending));
    printf("\n\nCrowds (--crowd):\n");
    for (unsigned i = 0; i < CROWD_COUNT; i++)
        printf("%-24s %s\n", crowd_name(i), crowd_about(i));
    return CLI_CONFORMING;
}
