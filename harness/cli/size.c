/* Numbers of bytes and size constraints, as options write them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/size.h"

#include "cli/cli.h"
#include "wire/wire.h"

bool cli_parse_size(const char *text, uint64_t limit, uint64_t *size, GError **error)
{
    static const char units[] = "KMGTPE";
    char *end;

    if (g_str_equal(text, "max")) {
        *size = MIN(limit, (uint64_t)INT64_MAX);
        return true;
    }
    errno = 0;
    *size = strtoull(text, &end, 0);
    const char *unit = *end != '\0' ? strchr(units, g_ascii_toupper(*end)) : NULL;
    unsigned shift = unit != NULL ? 10 * (unsigned)(unit - units + 1) : 0;
    if (!g_ascii_isdigit(*text) || errno != 0 ||
        (*end != '\0' && (unit == NULL || end[1] != '\0')) || *size > limit >> shift)
        return cli_mistake(error, "not a size: \"%s\"", text);
    *size <<= shift;
    return true;
}

bool cli_parse_sizes(const char *text, SessionSizes *sizes, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", -1);
    uint32_t *const fields[] = {&sizes->minimum, &sizes->preferred, &sizes->maximum};

    if (g_strv_length(parts) > G_N_ELEMENTS(fields))
        return cli_mistake(error, "not of the form MIN/PREF/MAX: \"%s\"", text);
    for (unsigned i = 0; i < G_N_ELEMENTS(fields) && parts[i] != NULL; i++) {
        uint64_t size;
        if (*parts[i] == '\0')
            continue;
        if (!cli_parse_size(parts[i], UINT32_MAX, &size, error))
            return false;
        *fields[i] = (uint32_t)size;
    }
    return true;
}

static bool power_of_2(uint32_t number)
{
    return number != 0 && (number & (number - 1)) == 0;
}

/* What the chapter "Size constraints" allows. */
static const char *wrong_sizes(const SessionSizes *sizes)
{
    if (!power_of_2(sizes->minimum) || sizes->minimum > 65536)
        return "the minimum block size is a power of 2 up to 64K";
    if (!power_of_2(sizes->preferred) || sizes->preferred < MAX(sizes->minimum, 512))
        return "the preferred block size is a power of 2, at least 512 and the minimum";
    if (sizes->maximum < sizes->preferred)
        return "the maximum payload is not smaller than the preferred block size";
    if (sizes->maximum % sizes->minimum != 0 && sizes->maximum != UINT32_MAX)
        return "the maximum payload is a multiple of the minimum block size";
    return NULL;
}

bool cli_parse_agreement(const char *option, const char *text, SessionSizes *sizes, GError **error)
{
    g_autoptr(GError) why = NULL;

    if (*text == '\0')
        return cli_mistake(error, "%s: empty; MIN/PREF/MAX is wanted", option);
    *sizes = (SessionSizes){.minimum = 1, .maximum = NBD_DEFAULT_MAX_PAYLOAD};
    if (!cli_parse_sizes(text, sizes, &why))
        return cli_mistake(error, "%s: %s", option, why->message);
    if (sizes->preferred == 0)
        sizes->preferred = MAX(4096, sizes->minimum);
    const char *wrong = wrong_sizes(sizes);
    return wrong == NULL || cli_mistake(error, "%s: \"%s\": %s", option, text, wrong);
}
