/* Reads tables of requirements, and keeps what they add. scripts/make-requirements reads the table
 * that the program is built with: both accept the same rows. */
#include <string.h>
#include <sys/stat.h>

#include "requirement/set.h"

/* No table is longer; a device might have no end. */
#define MAX_FILE_SIZE (16u << 20)

enum { COLUMN_ID, COLUMN_LEVEL, COLUMN_ROLE, COLUMN_SOURCE, COLUMN_CHECK, COLUMN_SUMMARY, COLUMNS };
static const char header[] = "id level role source check summary";

G_DEFINE_QUARK(requirement_error, requirement_error)

/* One row, which holds the strings of its requirement. */
typedef struct {
    Requirement requirement;
    char **columns;
    char *place; /* "mine/requirements.tsv:7" */
} Row;

struct RequirementSet {
    GHashTable *rows; /* id → Row */
};

static void row_free(void *data)
{
    Row *row = data;

    g_strfreev(row->columns);
    g_free(row->place);
    g_free(row);
}

RequirementSet *requirement_set_new(void)
{
    RequirementSet *set = g_new0(RequirementSet, 1);

    set->rows = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, row_free);
    return set;
}

void requirement_set_free(RequirementSet *set)
{
    if (set == NULL)
        return;
    g_hash_table_unref(set->rows);
    g_free(set);
}

/* ---- Rows ------------------------------------------------------------------------------------- */

static bool matches(const char *pattern, const char *text)
{
    return g_regex_match_simple(pattern, text, G_REGEX_RAW | G_REGEX_DOLLAR_ENDONLY, 0);
}

static bool parse_level(const char *text, RequirementLevel *level)
{
    for (RequirementLevel each = REQUIREMENT_MUST; each <= REQUIREMENT_ROBUST; each++)
        if (g_str_equal(text, requirement_level_name(each))) {
            *level = each;
            return true;
        }
    return false;
}

static bool parse_role(const char *text, RequirementRole *role)
{
    static const char *const names[] = {[REQUIREMENT_SERVER] = "server",
                                        [REQUIREMENT_CLIENT] = "client",
                                        [REQUIREMENT_BOTH] = "both"};

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_str_equal(text, names[i])) {
            *role = (RequirementRole)i;
            return true;
        }
    return false;
}

static bool is_source(const char *text, RequirementLevel level)
{
    return (g_str_equal(text, "-") && level == REQUIREMENT_ROBUST) ||
           matches("^\\s*[\\w.-]+\\.md:\\d+(-\\d+)?(, ?\\d+(-\\d+)?)*\\s*"
                   "(;\\s*[\\w.-]+\\.md:\\d+(-\\d+)?(, ?\\d+(-\\d+)?)*\\s*)*$",
                   text);
}

static bool is_check(const char *text)
{
    return matches("^(none\\s*:?\\s*[^\\s:].*|(case|rule|soak|load)(\\+(case|rule|soak|load))*)$",
                   text);
}

/* What is wrong with the row, or NULL. The caller frees it. */
static char *fill(Row *row)
{
    char **columns = row->columns;
    Requirement *requirement = &row->requirement;

    if (g_strv_length(columns) != COLUMNS)
        return g_strdup_printf("%u fields separated by tabs, not %d", g_strv_length(columns),
                               COLUMNS);
    for (int i = 0; i < COLUMNS; i++)
        g_strstrip(columns[i]);
    *requirement = (Requirement){.id = columns[COLUMN_ID],
                                 .source = columns[COLUMN_SOURCE],
                                 .check = columns[COLUMN_CHECK],
                                 .summary = columns[COLUMN_SUMMARY]};
    if (!matches("^[a-z0-9][a-z0-9-]*(\\.[a-z0-9][a-z0-9-]*)+$", requirement->id))
        return g_strdup_printf(
            "id \"%s\" is not of the form chapter.name, in lower case, digits and "
            "hyphens",
            requirement->id);
    if (!parse_level(columns[COLUMN_LEVEL], &requirement->level))
        return g_strdup_printf(
            "unknown level \"%s\", expected MUST, MUST NOT, SHOULD, SHOULD NOT, MAY, "
            "FORMAT or ROBUST",
            columns[COLUMN_LEVEL]);
    if (!parse_role(columns[COLUMN_ROLE], &requirement->role))
        return g_strdup_printf("unknown role \"%s\", expected server, client or both",
                               columns[COLUMN_ROLE]);
    if (!is_source(requirement->source, requirement->level))
        return g_strdup_printf(
            "source \"%s\" is not of the form proto.md:12,14-16 (or, with ROBUST, -)",
            requirement->source);
    if (!is_check(requirement->check))
        return g_strdup_printf(
            "unknown check \"%s\", expected case, rule, soak, load, or \"none: why\"",
            requirement->check);
    return *requirement->summary == '\0' ? g_strdup("the summary is empty") : NULL;
}

/* ---- Files ------------------------------------------------------------------------------------ */

static bool add_row(RequirementSet *set, const char *line, const char *place, GError **error)
{
    Row *row = g_new0(Row, 1);

    row->columns = g_strsplit(line, "\t", -1);
    row->place = g_strdup(place);
    g_autofree char *mistake = fill(row);
    const char *id = row->requirement.id;
    const Row *other = mistake == NULL ? g_hash_table_lookup(set->rows, id) : NULL;
    if (mistake == NULL && requirement_find(id) != NULL)
        mistake = g_strdup_printf("\"%s\" is a requirement of the catalogue already", id);
    else if (other != NULL)
        mistake = g_strdup_printf("\"%s\" stands in %s already", id, other->place);
    if (mistake == NULL) {
        g_hash_table_insert(set->rows, (gpointer)id, row);
        return true;
    }
    g_set_error(error, REQUIREMENT_ERROR, 0, "%s: %s", place, mistake);
    row_free(row);
    return false;
}

static bool is_header(const char *line)
{
    g_auto(GStrv) columns = g_strsplit(line, "\t", -1);

    for (char **column = columns; *column != NULL; column++)
        g_strstrip(*column);
    g_autofree char *words = g_strjoinv(" ", columns);
    return g_str_equal(words, header);
}

static bool add_lines(RequirementSet *set, const char *file, char **lines, GError **error)
{
    bool header_seen = false;

    for (unsigned i = 0; lines[i] != NULL; i++) {
        g_autofree char *place = g_strdup_printf("%s:%u", file, i + 1);
        if (!g_utf8_validate(lines[i], -1, NULL)) {
            g_set_error(error, REQUIREMENT_ERROR, 0, "%s: this is not UTF-8", place);
            return false;
        }
        if (lines[i][strspn(lines[i], " \t\r")] == '\0' || lines[i][0] == '#')
            continue;
        if (!header_seen && !is_header(lines[i])) {
            g_set_error(error, REQUIREMENT_ERROR, 0,
                        "%s: the first line must be the header, separated by tabs: %s", place,
                        header);
            return false;
        }
        if (header_seen && !add_row(set, lines[i], place, error))
            return false;
        header_seen = true;
    }
    return true;
}

bool requirement_set_add_file(RequirementSet *set, const char *file, GError **error)
{
    struct stat status;
    g_autofree char *text = NULL;
    gsize length;

    if (stat(file, &status) == 0 && (!S_ISREG(status.st_mode) || status.st_size > MAX_FILE_SIZE)) {
        g_set_error(error, REQUIREMENT_ERROR, 0, "%s: this is no table of requirements", file);
        return false;
    }
    if (!g_file_get_contents(file, &text, &length, error))
        return false;
    if (strlen(text) != length) {
        g_set_error(error, REQUIREMENT_ERROR, 0, "%s: this is no text", file);
        return false;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    return add_lines(set, file, lines, error);
}

/* ---- Looking up ------------------------------------------------------------------------------- */

const Requirement *requirement_set_find(const RequirementSet *set, const char *id)
{
    const Requirement *inside = requirement_find(id);

    if (inside != NULL || set == NULL)
        return inside;
    const Row *row = g_hash_table_lookup(set->rows, id);
    return row != NULL ? &row->requirement : NULL;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp((*(const Requirement *const *)a)->id, (*(const Requirement *const *)b)->id);
}

GPtrArray *requirement_set_list(const RequirementSet *set)
{
    GPtrArray *list = g_ptr_array_new();
    GHashTableIter iter;
    void *value;

    for (size_t i = 0; i < requirement_count; i++)
        g_ptr_array_add(list, (gpointer)&requirement_table[i]);
    g_hash_table_iter_init(&iter, set->rows);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        g_ptr_array_add(list, &((Row *)value)->requirement);
    g_ptr_array_sort(list, compare_ids);
    return list;
}
