/* Runtimes that collect garbage: what such a server no longer uses stays in its memory until there is enough of it
 * to be worth a collection, and looks like a leak until then. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "watch/private.h"

/* How a runtime is known: by the name of a file that is mapped to be executed, or by words in one. The words are in
 * two parts, so that they do not stand together here. */
typedef struct {
    const char *name;
    const char *file; /* how the file's name begins; NULL: see WORDS */
    const char *before, *words;
    /* Garbage may amount to so many times the writable memory before it is collected; INFINITY: nobody knows. */
    double heaps;
} Runtime;

static const Runtime runtimes[] = {
    {"Go", NULL, "\xff ", "Go buildinf:", 1},    {"OCaml", NULL, "O", "CAMLRUNPARAM", 2},
    {"Java", "libjvm.so", NULL, NULL, INFINITY}, {".NET", "libcoreclr.so", NULL, NULL, INFINITY},
    {"Mono", "mono", NULL, NULL, INFINITY},      {"Node", "node", NULL, NULL, INFINITY},
    {"Node", "libnode", NULL, NULL, INFINITY},   {"Deno", "deno", NULL, NULL, INFINITY},
    {"Bun", "bun", NULL, NULL, INFINITY},        {"Erlang", "beam", NULL, NULL, INFINITY},
    {"Ruby", "ruby", NULL, NULL, INFINITY},      {"Ruby", "libruby", NULL, NULL, INFINITY},
};

static char *read_proc(pid_t pid, const char *name, gsize *size)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, name);
    char *text = NULL;

    return g_file_get_contents(path, &text, size, NULL) ? text : NULL;
}

static bool has_words(GMappedFile *file, const Runtime *runtime)
{
    const char *data = g_mapped_file_get_contents(file), *found = data;
    size_t size = g_mapped_file_get_length(file), before = strlen(runtime->before);
    size_t length = strlen(runtime->words);

    while (found != NULL && size > 0) {
        found = memmem(found, size - (size_t)(found - data), runtime->words, length);
        if (found == NULL)
            return false;
        if ((size_t)(found - data) >= before &&
            memcmp(found - before, runtime->before, before) == 0)
            return true;
        found++;
    }
    return false;
}

/* The runtime that PATH, as process PID sees it, belongs to; or NULL. */
static const Runtime *runtime_of_file(pid_t pid, const char *path)
{
    g_autofree char *seen = g_strdup_printf("/proc/%d/root%s", pid, path);
    g_autofree char *base = g_path_get_basename(path);
    g_autoptr(GMappedFile) file = g_mapped_file_new(seen, FALSE, NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(runtimes); i++) {
        const Runtime *each = &runtimes[i];
        if (each->file != NULL ? g_str_has_prefix(base, each->file)
                               : file != NULL && has_words(file, each))
            return each;
    }
    return NULL;
}

static const Runtime *runtime_of(pid_t pid)
{
    g_autofree char *maps = read_proc(pid, "maps", NULL);
    g_auto(GStrv) lines = maps != NULL ? g_strsplit(maps, "\n", -1) : NULL;
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    const Runtime *runtime = NULL;

    /* 55d0c8a00000-55d0c8a1c000 r-xp 00002000 fe:00 1234   /usr/bin/… */
    for (char **line = lines; line != NULL && *line != NULL && runtime == NULL; line++) {
        const char *permissions = strchr(*line, ' '), *path = strchr(*line, '/');
        if (permissions != NULL && path != NULL && strlen(permissions) > 4 &&
            permissions[3] == 'x' && g_hash_table_add(seen, (gpointer)path))
            runtime = runtime_of_file(pid, path);
    }
    return runtime;
}

/* Bytes that the process may write to and has for itself, whether or not it has done so. */
static double writable_bytes(pid_t pid)
{
    g_autofree char *status = read_proc(pid, "status", NULL);
    const char *line = status != NULL ? strstr(status, "\nVmData:") : NULL;

    return line != NULL ? 1024 * g_ascii_strtod(line + strlen("\nVmData:"), NULL) : 0;
}

/* GOGC, in parts of 1: so much garbage Go lets lie for each byte that lives. */
static double go_tolerance(pid_t pid)
{
    static const char name[] = "GOGC=";
    gsize size = 0;
    g_autofree char *environment = read_proc(pid, "environ", &size);
    double tolerance = 1;

    for (gsize at = 0; environment != NULL && at < size; at += strlen(environment + at) + 1) {
        if (!g_str_has_prefix(environment + at, name))
            continue;
        const char *value = environment + at + strlen(name);
        double percent = g_ascii_strtod(value, NULL);
        tolerance = percent > 0 ? percent / 100 : INFINITY; /* "off" */
    }
    return tolerance;
}

static double garbage_of(pid_t pid, const Runtime *runtime)
{
    double tolerance = g_str_equal(runtime->name, "Go") ? go_tolerance(pid) : 1;

    return isinf(runtime->heaps) ? INFINITY : runtime->heaps * tolerance * writable_bytes(pid);
}

double watch_garbage(Watched *watched, const char **runtime)
{
    const GArray *members = tree_look(watched->tree);
    double sum = 0;

    *runtime = NULL;
    for (guint i = 0; i < members->len; i++) {
        pid_t pid = g_array_index(members, ProcessStat, i).pid;
        const Runtime *found = runtime_of(pid);
        if (found == NULL)
            continue;
        *runtime = found->name;
        sum += garbage_of(pid, found);
    }
    return sum;
}
