/* What the embedded server offers: exports that between them let every case be played. */
#include <string.h>

#include "cli/embedded.h"

/* Disks are sparse, so that sizes cost nothing. */
static const RefExport exports[] = {
    {.name = "",
     .description = "writable, without constraints",
     .size = UINT64_C(256) << 20,
     .resize = true},
    {.name = "readonly", .description = "read-only", .size = UINT64_C(64) << 20, .read_only = true},
    {.name = "blocks",
     .description = "writable, in blocks of 512 bytes",
     .size = UINT64_C(64) << 20,
     .minimum = 512,
     .preferred = 4096,
     .maximum = UINT32_C(1) << 25},
    {.name = "large", .description = "of the largest size there is", .size = INT64_MAX},
};

RefServer *embedded_start(const char *const *quirks, GError **error)
{
    RefConfig config = {
        .exports = exports,
        .export_count = G_N_ELEMENTS(exports),
        .quirks = quirks,
    };
    g_autoptr(RefServer) server = ref_server_new(&config, error);

    if (server == NULL || !ref_server_start(server, error))
        return NULL;
    return g_steal_pointer(&server);
}

bool embedded_has_export(const char *name, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(exports); i++) {
        if (g_str_equal(exports[i].name, name))
            return true;
        g_string_append_printf(names, "%s\"%s\"", i > 0 ? ", " : "", exports[i].name);
    }
    g_set_error(error, REF_ERROR, REF_ERROR_CONFIG,
                "the embedded server has no export \"%s\"; it has %s", name, names->str);
    return false;
}
