/* Reads memcheck's log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak/memcheck.h"

static void record_free(gpointer data)
{
    MemcheckRecord *record = data;

    g_free(record->place);
    g_free(record->text);
    g_free(record);
}

/* LINE without "==1234== ", or NULL if it is none of valgrind's. */
static const char *content(const char *line)
{
    if (!g_str_has_prefix(line, "==") || !g_ascii_isdigit(line[2]))
        return NULL;
    const char *end = strstr(line + 2, "==");
    if (end == NULL)
        return NULL;
    return end[2] == ' ' ? end + 3 : end + 2;
}

/* "1,040 (16 direct, 1,024 indirect) bytes in 2 blocks are definitely lost in loss record 3 of 9" */
static bool parse_lost(const char *head, MemcheckRecord *record)
{
    const char *blocks = strstr(head, " bytes in ");
    g_autoptr(GString) digits = g_string_new(NULL);

    if (strstr(head, "are definitely lost in loss record") == NULL || blocks == NULL)
        return false;
    for (; g_ascii_isdigit(*head) || *head == ','; head++)
        if (*head != ',')
            g_string_append_c(digits, *head);
    record->bytes = g_ascii_strtoull(digits->str, NULL, 10);
    g_string_truncate(digits, 0);
    for (blocks += strlen(" bytes in "); g_ascii_isdigit(*blocks) || *blocks == ','; blocks++)
        if (*blocks != ',')
            g_string_append_c(digits, *blocks);
    record->count = (unsigned)g_ascii_strtoull(digits->str, NULL, 10);
    return true;
}

static bool parse_head(const char *head, MemcheckRecord *record)
{
    static const char *const errors[] = {"Invalid read", "Invalid write", "Invalid free",
                                         "Mismatched free"};

    record->kind = MEMCHECK_LOST;
    record->count = 1;
    if (parse_lost(head, record))
        return true;
    record->kind = MEMCHECK_OPEN;
    if (g_str_has_prefix(head, "Open ") && strchr(head, ':') != NULL)
        return true;
    record->kind = MEMCHECK_ERROR;
    for (size_t i = 0; i < G_N_ELEMENTS(errors); i++)
        if (g_str_has_prefix(head, errors[i]))
            return true;
    return false;
}

/* "   at 0x4C2BBAF: malloc (vg_replace_malloc.c:299)" gives "malloc (vg_replace_malloc.c:299)". */
static void append_place(GString *place, const char *line)
{
    const char *address = strstr(line, " 0x"),
               *name = address != NULL ? strstr(address, ": ") : NULL;

    if (name != NULL)
        g_string_append_printf(place, "%s\n", name + 2);
    else if (strstr(line, "<inherited from parent>") != NULL)
        g_string_append(place, "inherited\n");
}

static void file_record(GHashTable *records, MemcheckRecord *record)
{
    MemcheckRecord *known = g_hash_table_lookup(records, record->place);

    if (known == NULL) {
        g_hash_table_insert(records, record->place, record);
        return;
    }
    known->count += record->count;
    known->bytes += record->bytes;
    record_free(record);
}

/* LINES up to the first without text are one record. Returns how many there were. */
static size_t parse_record(char *const *lines, GHashTable *records)
{
    MemcheckRecord head = {0};
    g_autoptr(GString) place = g_string_new(NULL), text = g_string_new(NULL);
    size_t i = 0;

    const char *first = content(lines[0]);
    if (first == NULL || !parse_head(first, &head))
        return 1;
    g_string_append_printf(place, "%d\n", (int)head.kind);
    for (; lines[i] != NULL; i++) {
        const char *line = content(lines[i]);
        /* Records of descriptors stand one behind the other where they have no stack. */
        if (line == NULL || line[strspn(line, " ")] == '\0' || (i > 0 && line[0] != ' '))
            break;
        g_string_append_printf(text, "%s\n", line);
        if (i > 0)
            append_place(place, line);
    }
    MemcheckRecord *record = g_memdup2(&head, sizeof head);
    record->place = g_string_free(g_steal_pointer(&place), FALSE);
    record->text = g_string_free(g_steal_pointer(&text), FALSE);
    file_record(records, record);
    return i;
}

GHashTable *memcheck_parse(const char *log)
{
    GHashTable *records = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, record_free);
    g_auto(GStrv) lines = g_strsplit(log, "\n", -1);

    for (size_t i = 0; lines[i] != NULL;)
        i += parse_record(lines + i, records);
    return records;
}
