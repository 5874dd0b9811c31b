/* Stands in for crowds where they are not built in: weak, so that the real ones replace it. */
#include "soak/crowd.h"

__attribute__((weak)) const char *crowd_name(CrowdKind kind)
{
    (void)kind;
    return "none";
}

__attribute__((weak)) const char *crowd_about(CrowdKind kind)
{
    (void)kind;
    return "not in this version";
}

__attribute__((weak)) void crowd_result_clear(CrowdResult *result)
{
    g_clear_pointer(&result->remark, g_free);
}

__attribute__((weak)) bool crowd_run(const SoakTarget *target, CrowdKind kind, unsigned count,
                                     CrowdResult *result, GError **error)
{
    (void)target;
    (void)kind;
    (void)count;
    (void)result;
    g_set_error(error, SOAK_ERROR, SOAK_ERROR_USAGE, "crowds are not in this version");
    return false;
}
