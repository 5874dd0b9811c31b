/* What a soak has found, in words. */
#include "soak/soak.h"

const char *soak_resource_name(SoakResource resource)
{
    static const char *const names[] = {[SOAK_FD] = "fd",
                                        [SOAK_MEMORY] = "memory",
                                        [SOAK_THREAD] = "thread",
                                        [SOAK_CHILD] = "child",
                                        [SOAK_ZOMBIE] = "zombie"};

    return names[resource];
}

const char *soak_verdict_name(SoakVerdict verdict)
{
    static const char *const names[] = {[SOAK_CLEAN] = "clean",
                                        [SOAK_LEAKS] = "leak",
                                        [SOAK_CRASHED] = "crash",
                                        [SOAK_UNSERVED] = "unserved",
                                        [SOAK_SKIPPED] = "skip"};

    return names[verdict];
}

char *soak_finding_name(const SoakFinding *finding)
{
    if (finding->point.phase != NULL)
        return soak_point_name(&finding->point);
    if (finding->at_stop != NULL)
        return g_strdup_printf("stop/%s", finding->at_stop);
    return g_strdup_printf("crowd/%s", crowd_name(finding->crowd));
}

static void append_leak(GString *text, const SoakFinding *finding, SoakResource resource)
{
    double each = finding->per_cycle[resource];

    if (text->len > 0)
        g_string_append(text, ", ");
    if (resource != SOAK_MEMORY)
        g_string_append_printf(text, "+%.*f %s", each < 0.095 ? 3 : 2, each,
                               soak_resource_name(resource));
    else if (each < 10)
        g_string_append_printf(text, "+%.1f bytes", each);
    else if (each < 1024)
        g_string_append_printf(text, "+%.0f bytes", each);
    else
        g_string_append_printf(text, "+%.1f KiB", each / 1024);
}

char *soak_finding_leaks(const SoakFinding *finding)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *name = soak_finding_name(finding);

    for (unsigned i = 0; i < SOAK_RESOURCES; i++)
        if (finding->leaks[i])
            append_leak(text, finding, i);
    if (text->len == 0)
        return NULL;
    g_string_append_printf(text, " per cycle at %s", name);
    if (finding->leaks[SOAK_FD])
        g_string_append_printf(text, " (%s)", watch_fd_kind_name(finding->fd_kind));
    return g_string_free(g_steal_pointer(&text), FALSE);
}
