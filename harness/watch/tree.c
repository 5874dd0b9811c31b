/* The processes that descend from one: found again at each look, as they come and go.
 *
 * Looks are made thousands of times. Most processes of a machine have nothing to do with the server; those are
 * remembered, and a number is read again only if the kernel has given it away since.
 */
#include <stdio.h>

#include "watch/private.h"

struct Tree {
    pid_t root;
    bool inclusive;
    GArray *members;     /* of ProcessStat */
    GHashTable *foreign; /* numbers of processes that do not belong to it */
    pid_t newest;        /* the last number given away before the last look; 0: not known */
};

Tree *tree_new(pid_t root, bool inclusive)
{
    Tree *tree = g_new0(Tree, 1);

    tree->root = root;
    tree->inclusive = inclusive;
    tree->members = g_array_new(FALSE, FALSE, sizeof(ProcessStat));
    tree->foreign = g_hash_table_new(NULL, NULL);
    return tree;
}

void tree_free(Tree *tree)
{
    if (tree == NULL)
        return;
    g_array_unref(tree->members);
    g_hash_table_unref(tree->foreign);
    g_free(tree);
}

/* The number of the newest process or thread of the machine; 0 if the kernel does not say. */
static pid_t newest_number(void)
{
    g_autofree char *text = NULL;
    int newest = 0;

    if (!g_file_get_contents("/proc/loadavg", &text, NULL, NULL) ||
        sscanf(text, "%*s %*s %*s %*s %d", &newest) != 1)
        return 0;
    return newest;
}

typedef struct {
    Tree *tree;
    pid_t before, now;   /* numbers given away before the last look, and before this one */
    GArray *strangers;   /* of ProcessStat: belong to nobody yet */
    GHashTable *outside; /* the new foreign */
} Look;

/* PID may be another process than it was at the last look. */
static bool given_away_since(const Look *look, pid_t pid)
{
    if (look->before == 0 || look->now == 0)
        return true;
    if (look->before <= look->now)
        return pid > look->before && pid <= look->now;
    return pid > look->before || pid <= look->now; /* counting began again at the bottom */
}

static void consider(void *data, pid_t pid)
{
    Look *look = data;
    ProcessStat stat;

    if (g_hash_table_contains(look->tree->foreign, GINT_TO_POINTER(pid)) &&
        !given_away_since(look, pid))
        g_hash_table_add(look->outside, GINT_TO_POINTER(pid));
    else if (process_stat(pid, &stat))
        g_array_append_val(look->strangers, stat);
}

static bool holds(const GArray *members, pid_t pid)
{
    for (guint i = 0; i < members->len; i++)
        if (g_array_index(members, ProcessStat, i).pid == pid)
            return true;
    return false;
}

/* A member at the last look: it stays one, even if its parent has gone and init has taken it. */
static bool was_member(const GArray *before, const ProcessStat *stat)
{
    for (guint i = 0; i < before->len; i++) {
        const ProcessStat *old = &g_array_index(before, ProcessStat, i);
        if (old->pid == stat->pid && old->start == stat->start)
            return true;
    }
    return false;
}

/* Finds a place for STAT, if what is known of its parent allows it. */
static bool place(Look *look, const GArray *before, const ProcessStat *stat)
{
    const Tree *tree = look->tree;
    GArray *members = tree->members;

    if (stat->pid == tree->root ? tree->inclusive
                                : stat->parent == tree->root || holds(members, stat->parent) ||
                                      was_member(before, stat)) {
        g_array_append_val(members, *stat);
        return true;
    }
    if (stat->pid != tree->root && stat->parent > 0 &&
        !g_hash_table_contains(look->outside, GINT_TO_POINTER(stat->parent)))
        return false;
    g_hash_table_add(look->outside, GINT_TO_POINTER(stat->pid));
    return true;
}

/* Parents before their children. A process whose parent ended while we looked stays without a place, and is
 * looked at again the next time. */
static void place_all(Look *look, const GArray *before)
{
    GArray *strangers = look->strangers;
    bool progress = true;

    while (progress) {
        progress = false;
        for (guint i = 0; i < strangers->len;) {
            if (place(look, before, &g_array_index(strangers, ProcessStat, i))) {
                g_array_remove_index(strangers, i);
                progress = true;
            } else {
                i++;
            }
        }
    }
}

static int by_age(const void *a, const void *b)
{
    const ProcessStat *one = a, *two = b;

    if (one->start != two->start)
        return one->start < two->start ? -1 : 1;
    return one->pid < two->pid ? -1 : one->pid > two->pid;
}

const GArray *tree_look(Tree *tree)
{
    g_autoptr(GArray) before = tree->members;
    Look look = {
        .tree = tree,
        .before = tree->newest,
        .now = newest_number(),
        .strangers = g_array_new(FALSE, FALSE, sizeof(ProcessStat)),
        .outside = g_hash_table_new(NULL, NULL),
    };

    tree->members = g_array_new(FALSE, FALSE, sizeof(ProcessStat));
    process_each(consider, &look);
    place_all(&look, before);
    g_array_sort(tree->members, by_age);
    g_array_unref(look.strangers);
    g_hash_table_unref(tree->foreign);
    tree->foreign = look.outside;
    tree->newest = look.now;
    return tree->members;
}
