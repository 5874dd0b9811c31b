/* Exports: checking the configuration, and finding them by name. */
#include <string.h>

#include "reference/export.h"
#include "wire/wire.h"

#define MOST_FLAGS                                                                                 \
    (NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA | NBD_FLAG_SEND_TRIM | NBD_FLAG_SEND_WRITE_ZEROES |   \
     NBD_FLAG_CAN_MULTI_CONN | NBD_FLAG_SEND_CACHE | NBD_FLAG_SEND_FAST_ZERO | NBD_FLAG_SEND_DF |  \
     NBD_FLAG_BLOCK_STATUS_PAYLOAD)

static bool power_of_2(uint64_t number)
{
    return number != 0 && (number & (number - 1)) == 0;
}

static bool fine_string(const char *text)
{
    return text == NULL ||
           wire_check_string((const uint8_t *)text, strlen(text)) <= WIRE_STRING_LONG;
}

/* What the chapter "Size constraints" asks of a server. */
static const char *bad_constraints(const ExportFacts *facts)
{
    if (!power_of_2(facts->minimum) || facts->minimum > 65536)
        return "the minimum block size must be a power of 2 up to 65536";
    if (!power_of_2(facts->preferred) || facts->preferred < MAX(facts->minimum, 512))
        return "the preferred block size must be a power of 2, at least 512 and the minimum";
    if (facts->maximum < facts->preferred)
        return "the maximum payload must not be smaller than the preferred block size";
    if (facts->size % facts->minimum != 0)
        return "the size must be a multiple of the minimum block size";
    return NULL;
}

static const char *bad_export(const Export *export)
{
    if (!fine_string(export->name) || !fine_string(export->description) ||
        !fine_string(export->canonical))
        return "names and descriptions must be UTF-8 of at most 4096 bytes";
    if (export->facts.size > INT64_MAX)
        return "the size must not exceed 2^63-1 bytes";
    return bad_constraints(&export->facts);
}

static uint64_t transmission_flags(const RefExport *config)
{
    uint64_t flags = MOST_FLAGS & ~(uint64_t)config->withhold;

    if (!(flags & NBD_FLAG_SEND_WRITE_ZEROES))
        flags &= ~(uint64_t)NBD_FLAG_SEND_FAST_ZERO;
    if (config->read_only)
        flags |= NBD_FLAG_READ_ONLY;
    if (config->resize)
        flags |= NBD_FLAG_SEND_RESIZE;
    return flags | NBD_FLAG_HAS_FLAGS;
}

static ExportFacts facts_of(const RefExport *config)
{
    ExportFacts facts = {
        .size = config->size,
        .flags = transmission_flags(config),
        .minimum = config->minimum > 0 ? config->minimum : 1,
        .maximum = config->maximum > 0 ? config->maximum : NBD_DEFAULT_MAX_PAYLOAD,
        .constrained = config->minimum > 0 || config->preferred > 0 || config->maximum > 0,
        .unfragmented = config->unfragmented > 0 ? MAX(config->unfragmented, NBD_MUST_NOT_FRAGMENT)
                                                 : UINT64_MAX,
        .lenient = config->lenient,
        .require = config->require,
    };

    facts.preferred = config->preferred > 0 ? config->preferred : MAX(4096, facts.minimum);
    if (config->preferred == 0 && facts.maximum < facts.preferred)
        facts.preferred = MAX(512, facts.minimum);
    return facts;
}

static void export_free(gpointer data)
{
    Export *export = data;

    g_free(export->name);
    g_free(export->description);
    g_free(export->canonical);
    disk_free(export->disk);
    g_free(export->size);
    g_free(export);
}

static Export *export_new(const RefExport *config, DiskBudget *budget)
{
    Export *export = g_new0(Export, 1);

    export->name = g_strdup(config->name != NULL ? config->name : "");
    export->description = g_strdup(config->description);
    export->canonical = g_strdup(config->canonical != NULL ? config->canonical : export->name);
    export->facts = facts_of(config);
    export->tls_only = config->tls_only;
    export->size = g_new(uint64_t, 1);
    *export->size = config->size;
    export->disk = disk_memory_new(budget);
    return export;
}

const Export *exports_find(const Exports *exports, const uint8_t *name, size_t length)
{
    for (guint i = 0; i < exports->all->len; i++) {
        const Export *export = g_ptr_array_index(exports->all, i);
        if (strlen(export->name) == length && memcmp(export->name, name, length) == 0)
            return export;
    }
    return length == 0 ? exports->by_default : NULL;
}

static const Export *find_default(const Exports *exports, const char *name)
{
    if (name != NULL)
        return exports_find(exports, (const uint8_t *)name, strlen(name));
    return exports->all->len == 1 ? g_ptr_array_index(exports->all, 0) : NULL;
}

static bool add_export(Exports *exports, const RefExport *config, DiskBudget *budget,
                       GError **error)
{
    g_autofree char *shown = g_utf8_make_valid(config->name != NULL ? config->name : "", -1);
    Export *export = export_new(config, budget);
    const char *bad = bad_export(export);

    if (bad == NULL && exports_find(exports, (uint8_t *)export->name, strlen(export->name)) != NULL)
        bad = "there is another of this name";
    g_ptr_array_add(exports->all, export);
    if (bad != NULL)
        g_set_error(error, REF_ERROR, REF_ERROR_CONFIG, "export \"%s\": %s", shown, bad);
    return bad == NULL;
}

bool exports_init(Exports *exports, const RefConfig *config, DiskBudget *budget, GError **error)
{
    *exports = (Exports){.all = g_ptr_array_new_with_free_func(export_free)};
    for (size_t i = 0; i < config->export_count; i++)
        if (!add_export(exports, &config->exports[i], budget, error))
            return false;
    exports->by_default = find_default(exports, config->default_export);
    if (config->default_export != NULL && exports->by_default == NULL) {
        g_set_error(error, REF_ERROR, REF_ERROR_CONFIG,
                    "there is no export \"%s\" to be the default", config->default_export);
        return false;
    }
    if (config->style == REF_OLDSTYLE && exports_find(exports, (const uint8_t *)"", 0) == NULL) {
        g_set_error(error, REF_ERROR, REF_ERROR_CONFIG,
                    "oldstyle serves the default export: set one");
        return false;
    }
    return true;
}

void exports_clear(Exports *exports)
{
    g_clear_pointer(&exports->all, g_ptr_array_unref);
}
