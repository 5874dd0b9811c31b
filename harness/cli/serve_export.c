/* Exports and sizes, as the options of `nbdconform serve` write them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/serve_export.h"
#include "cli/size.h"
#include "wire/wire.h"

bool serve_parse_block_size(const char *text, RefExport *export, GError **error)
{
    SessionSizes sizes = {export->minimum, export->preferred, export->maximum};

    if (!cli_parse_sizes(text, &sizes, error))
        return false;
    export->minimum = sizes.minimum;
    export->preferred = sizes.preferred;
    export->maximum = sizes.maximum;
    return true;
}

/* SEND_TRIM+SEND_FUA: features that the export is to lack. */
static bool parse_without(const char *text, RefExport *export, GError **error)
{
    g_auto(GStrv) names = g_strsplit(text, "+", -1);

    for (char **name = names; *name != NULL; name++) {
        uint64_t flag;
        if (!wire_value(&wire_transmission_flags, *name, &flag))
            return cli_mistake(error, "no such transmission flag: \"%s\"", *name);
        export->withhold |= (uint16_t)flag;
    }
    return true;
}

/* ---- --export NAME[:key=value,…] ------------------------------------------------------------- */

static bool apply_setting(RefExport *export, const char *setting, GError **error)
{
    g_auto(GStrv) pair = g_strsplit(setting, "=", 2);
    const char *key = pair[0] != NULL ? pair[0] : "";
    const char *value = pair[0] != NULL ? pair[1] : NULL;

    if (value == NULL) {
        if (g_str_equal(key, "ro"))
            export->read_only = true;
        else if (g_str_equal(key, "rw"))
            export->read_only = false;
        else if (g_str_equal(key, "lenient"))
            export->lenient = true;
        else if (g_str_equal(key, "require"))
            export->require = true;
        else if (g_str_equal(key, "tls"))
            export->tls_only = true;
        else if (g_str_equal(key, "resize"))
            export->resize = true;
        else
            return cli_mistake(error, "no such setting of an export: \"%s\"", setting);
        return true;
    }
    if (g_str_equal(key, "size"))
        return cli_parse_size(value, INT64_MAX, &export->size, error);
    if (g_str_equal(key, "df")) {
        uint64_t size = 0;
        if (!cli_parse_size(value, UINT32_MAX, &size, error))
            return false;
        export->unfragmented = (uint32_t)size;
        return true;
    }
    if (g_str_equal(key, "block"))
        return serve_parse_block_size(value, export, error);
    if (g_str_equal(key, "without"))
        return parse_without(value, export, error);
    if (g_str_equal(key, "description"))
        export->description = g_intern_string(value);
    else if (g_str_equal(key, "canonical"))
        export->canonical = g_intern_string(value);
    else
        return cli_mistake(error, "no such setting of an export: \"%s\"", setting);
    return true;
}

bool serve_parse_export(const char *text, RefExport *export, GError **error)
{
    const char *colon = strchr(text, ':');
    g_auto(GStrv) settings = g_strsplit(colon != NULL ? colon + 1 : "", ",", -1);
    g_autofree char *name = colon != NULL ? g_strndup(text, (gsize)(colon - text)) : g_strdup(text);

    export->name = g_intern_string(name);
    for (char **setting = settings; *setting != NULL; setting++)
        if (!apply_setting(export, *setting, error))
            return false;
    return true;
}
