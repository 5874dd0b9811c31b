/* Looks requirements up, and says what their levels mean for a verdict. */
#include <stdlib.h>
#include <string.h>

#include "requirement/requirement.h"

static int compare_id(const void *id, const void *requirement)
{
    return strcmp(id, ((const Requirement *)requirement)->id);
}

const Requirement *requirement_find(const char *id)
{
    return bsearch(id, requirement_table, requirement_count, sizeof requirement_table[0],
                   compare_id);
}

const char *requirement_level_name(RequirementLevel level)
{
    switch (level) {
    case REQUIREMENT_MUST:
        return "MUST";
    case REQUIREMENT_MUST_NOT:
        return "MUST NOT";
    case REQUIREMENT_SHOULD:
        return "SHOULD";
    case REQUIREMENT_SHOULD_NOT:
        return "SHOULD NOT";
    case REQUIREMENT_MAY:
        return "MAY";
    case REQUIREMENT_FORMAT:
        return "FORMAT";
    case REQUIREMENT_ROBUST:
        return "ROBUST";
    }
    return "?";
}

Breach requirement_breach(const Requirement *requirement)
{
    switch (requirement->level) {
    case REQUIREMENT_MUST:
    case REQUIREMENT_MUST_NOT:
    case REQUIREMENT_FORMAT:
        return BREACH_VIOLATION;
    case REQUIREMENT_ROBUST:
        return BREACH_ROBUSTNESS;
    case REQUIREMENT_SHOULD:
    case REQUIREMENT_SHOULD_NOT:
        return BREACH_WARNING;
    case REQUIREMENT_MAY:
        return BREACH_HINT;
    }
    return BREACH_VIOLATION;
}
