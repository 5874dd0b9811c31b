/* Finding, in what a server printed, what a sanitizer, valgrind, the C library or an assertion said. */
#include <string.h>

#include "watch/private.h"

enum { REPORT_LINES = 40 };

/* What a line has to contain, and behind that, if not NULL, also. */
static const char *const anywhere[][2] = {
    {"ERROR: AddressSanitizer:", NULL},  {"ERROR: LeakSanitizer:", NULL},
    {"WARNING: ThreadSanitizer:", NULL}, {"WARNING: MemorySanitizer:", NULL},
    {": runtime error: ", NULL},                                     /* UBSan, and Go */
    {"Assertion `", "' failed"},                                     /* glibc */
    {"Assertion failed: ", NULL},        {"assertion failed", NULL}, /* g_assert() */
    {"assertion '", "' failed"},                                     /* g_return_if_fail() */
    {"thread '", "panicked at"},                                     /* Rust */
};

/* How a line has to begin: glibc, just before it aborts. */
static const char *const at_start[] = {
    "*** stack smashing detected ***",
    "*** buffer overflow detected ***",
    "double free or corruption",
    "free(): ",
    "malloc(): ",
    "realloc(): ",
    "malloc_consolidate(): ",
    "munmap_chunk(): ",
    "corrupted size vs. prev_size",
    "corrupted double-linked list",
};

/* What valgrind begins an error with. Descriptors that are open at the end are none. */
static const char *const memcheck[] = {
    "Invalid read of size",
    "Invalid write of size",
    "Invalid free()",
    "Mismatched free()",
    "Conditional jump or move depends on uninitialised",
    "Use of uninitialised value of size",
    "Syscall param ",
    "Source and destination overlap",
    "Jump to the invalid address",
    "Process terminating with default action of signal 4 ",
    "Process terminating with default action of signal 6 ",
    "Process terminating with default action of signal 7 ",
    "Process terminating with default action of signal 8 ",
    "Process terminating with default action of signal 11 ",
    "Process terminating with default action of signal 31 ",
};

static bool begins_with_any(const char *line, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (g_str_has_prefix(line, texts[i]))
            return true;
    return false;
}

/* "==123== " and an error. */
static bool is_memcheck(const char *line)
{
    if (!g_str_has_prefix(line, "=="))
        return false;
    line += 2;
    size_t digits = strspn(line, "0123456789");
    if (digits == 0 || !g_str_has_prefix(line + digits, "== "))
        return false;
    line += digits + strlen("== ");
    return begins_with_any(line, memcheck, G_N_ELEMENTS(memcheck)) ||
           strstr(line, "are definitely lost in loss record") != NULL;
}

static bool begins_report(const char *line)
{
    for (size_t i = 0; i < G_N_ELEMENTS(anywhere); i++) {
        const char *at = strstr(line, anywhere[i][0]);
        if (at != NULL && (anywhere[i][1] == NULL || strstr(at, anywhere[i][1]) != NULL))
            return true;
    }
    return begins_with_any(line, at_start, G_N_ELEMENTS(at_start)) || is_memcheck(line);
}

char *watch_find_report(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    char **first = lines;

    while (*first != NULL && !begins_report(*first))
        first++;
    if (*first == NULL)
        return NULL;
    GString *report = g_string_new(*first);
    for (unsigned i = 1; i < REPORT_LINES && first[i] != NULL; i++)
        g_string_append_printf(report, "\n%s", first[i]);
    return g_strchomp(g_string_free(report, FALSE));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *watch_valgrind_log(const Watched *watched)
{
    g_autoptr(GDir) folder = watched->valgrind ? g_dir_open(watched->folder, 0, NULL) : NULL;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *name;

    if (folder == NULL)
        return NULL;
    while ((name = g_dir_read_name(folder)) != NULL)
        if (g_str_has_prefix(name, "valgrind."))
            g_ptr_array_add(names, g_build_filename(watched->folder, name, NULL));
    g_ptr_array_sort(names, by_name);
    GString *log = g_string_new(NULL);
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *text = NULL;
        if (g_file_get_contents(g_ptr_array_index(names, i), &text, NULL, NULL))
            g_string_append(log, text);
    }
    return g_string_free(log, FALSE);
}
