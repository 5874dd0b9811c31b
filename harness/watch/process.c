/* One process, as /proc shows it. It may end at any time while we look; then it counts for nothing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "watch/private.h"

enum { PATH_SIZE = 64, PF_EXITING = 0x4 };

/* "/proc/PID" and REST; by hand, because the keeper may not call snprintf(). */
static void proc_path(char path[PATH_SIZE], pid_t pid, const char *rest)
{
    char digits[16];
    size_t count = 0, at = 6;

    do
        digits[count++] = (char)('0' + pid % 10);
    while ((pid /= 10) > 0);
    memcpy(path, "/proc/", at);
    while (count > 0)
        path[at++] = digits[--count];
    size_t length = strnlen(rest, PATH_SIZE - at - 1);
    memcpy(path + at, rest, length);
    path[at + length] = '\0';
}

/* The beginning of a file, ended by NUL. */
static bool read_proc(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    ssize_t got = read(fd, text, size - 1);
    close(fd);
    if (got <= 0)
        return false;
    text[got] = '\0';
    return true;
}

/* The fields of /proc/PID/stat that we read, numbered as proc(5) does. */
enum {
    STAT_PARENT = 4,
    STAT_FLAGS = 9,
    STAT_THREADS = 20,
    STAT_START = 22,
    STAT_RESERVED = 23,
    STAT_RESIDENT = 24
};

static void take_field(ProcessStat *stat, unsigned number, unsigned long long value)
{
    if (number == STAT_PARENT)
        stat->parent = (pid_t)value;
    else if (number == STAT_FLAGS)
        stat->exiting = (value & PF_EXITING) != 0;
    else if (number == STAT_THREADS)
        stat->threads = (unsigned)value;
    else if (number == STAT_START)
        stat->start = value;
    else if (number == STAT_RESERVED)
        stat->reserved = value;
    else if (number == STAT_RESIDENT)
        stat->resident = (long)value;
}

static bool read_stat(const char *path, ProcessStat *stat)
{
    char text[1024];

    if (!read_proc(path, text, sizeof text))
        return false;
    /* The second field is the program's name, which may contain anything. */
    const char *at = strrchr(text, ')');
    if (at == NULL || at[1] != ' ' || at[2] == '\0')
        return false;
    stat->state = at[2];
    at += 3;
    for (unsigned number = STAT_PARENT; number <= STAT_RESIDENT; number++) {
        unsigned long long value = 0;
        while (*at == ' ' || *at == '-')
            at++;
        for (; *at >= '0' && *at <= '9'; at++)
            value = value * 10 + (unsigned)(*at - '0');
        take_field(stat, number, value);
    }
    return true;
}

bool process_stat(pid_t pid, ProcessStat *stat)
{
    char path[PATH_SIZE];

    *stat = (ProcessStat){.pid = pid};
    proc_path(path, pid, "/stat");
    return read_stat(path, stat);
}

/* As the kernel lays out what getdents64() gives. */
typedef struct {
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
} Entry;

/* Calls FOUND for every name in a folder that is a number. */
static bool each_number(const char *path, void (*found)(void *data, pid_t number), void *data)
{
    union {
        Entry first;
        char bytes[8192];
    } buffer;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long size;

    if (fd < 0)
        return false;
    while ((size = syscall(SYS_getdents64, fd, &buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < size;) {
            const Entry *entry = (const Entry *)(const void *)(buffer.bytes + at);
            pid_t number = 0;
            for (const char *digit = entry->name; *digit >= '0' && *digit <= '9'; digit++)
                number = number * 10 + (*digit - '0');
            if (number > 0 || entry->name[0] == '0')
                found(data, number);
            at += entry->length;
        }
    }
    close(fd);
    return size == 0;
}

void process_each(void (*found)(void *data, pid_t pid), void *data)
{
    each_number("/proc", found, data);
}

/* ---- Descriptors -------------------------------------------------------------------------------- */

typedef struct {
    pid_t pid;
    unsigned *fds;   /* counted, if not NULL */
    char wanted[32]; /* looked for, if not empty */
    bool found;
} FdSearch;

static WatchFdKind fd_kind(const char *link)
{
    if (g_str_has_prefix(link, "socket:"))
        return FD_SOCKET;
    if (g_str_has_prefix(link, "pipe:"))
        return FD_PIPE;
    if (g_str_has_prefix(link, "anon_inode:"))
        return FD_ANON;
    return link[0] == '/' ? FD_FILE : FD_OTHER;
}

static void look_at_fd(void *data, pid_t number)
{
    FdSearch *search = data;
    char path[PATH_SIZE], rest[24], link[64];

    g_snprintf(rest, sizeof rest, "/fd/%d", number);
    proc_path(path, search->pid, rest);
    ssize_t length = readlink(path, link, sizeof link - 1);
    if (length < 0)
        return;
    link[length] = '\0';
    if (search->fds != NULL)
        search->fds[fd_kind(link)]++;
    if (search->wanted[0] != '\0' && strcmp(link, search->wanted) == 0)
        search->found = true;
}

static bool look_at_fds(FdSearch *search)
{
    char path[PATH_SIZE];

    proc_path(path, search->pid, "/fd");
    return each_number(path, look_at_fd, search);
}

void process_count_fds(pid_t pid, unsigned fds[FD_KINDS])
{
    FdSearch search = {.pid = pid, .fds = fds};

    look_at_fds(&search);
}

bool process_holds(pid_t pid, uint64_t inode)
{
    FdSearch search = {.pid = pid};

    g_snprintf(search.wanted, sizeof search.wanted, "socket:[%" G_GUINT64_FORMAT "]", inode);
    look_at_fds(&search);
    return search.found;
}

bool process_readable(pid_t pid)
{
    FdSearch search = {.pid = pid};

    return look_at_fds(&search);
}

const char *watch_fd_kind_name(WatchFdKind kind)
{
    static const char *const names[FD_KINDS] = {"socket", "pipe", "file", "anon", "other"};

    return names[kind];
}

/* ---- Memory and time ---------------------------------------------------------------------------- */

/* The number behind NAME at the start of a line, in bytes; -1: no such line. */
static int64_t rollup_bytes(const char *text, const char *name)
{
    const char *line = strstr(text, name);

    return line == NULL ? -1 : 1024 * (int64_t)strtoll(line + strlen(name), NULL, 10);
}

uint64_t process_memory(const ProcessStat *stat)
{
    char path[PATH_SIZE], text[2048];

    proc_path(path, stat->pid, "/smaps_rollup");
    if (!read_proc(path, text, sizeof text)) /* of somebody else: the best there is */
        return (uint64_t)stat->resident * (uint64_t)sysconf(_SC_PAGESIZE);
    /* A page that a parent shares with a child since fork() is half of each, so that the sum does not
     * change when the child ends. What files back comes and goes as other programs use them. */
    int64_t anon = rollup_bytes(text, "\nPss_Anon:");
    if (anon >= 0)
        return (uint64_t)(anon + MAX(rollup_bytes(text, "\nPss_Shmem:"), 0) +
                          MAX(rollup_bytes(text, "\nSwapPss:"), 0));
    return (uint64_t)(MAX(rollup_bytes(text, "\nPrivate_Clean:"), 0) +
                      MAX(rollup_bytes(text, "\nPrivate_Dirty:"), 0) +
                      MAX(rollup_bytes(text, "\nSwap:"), 0));
}

uint64_t process_cpu_ns(pid_t pid)
{
    struct timespec used;
    clockid_t clock;

    /* Exact, unlike the ticks in /proc, and of all threads, also those that have ended. */
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return 0;
    return (uint64_t)used.tv_sec * G_GUINT64_CONSTANT(1000000000) + (uint64_t)used.tv_nsec;
}

typedef struct {
    pid_t pid;
    bool busy;
} TaskSearch;

static void look_at_task(void *data, pid_t task)
{
    TaskSearch *search = data;
    char path[PATH_SIZE], rest[32];
    ProcessStat stat = {.pid = task};

    g_snprintf(rest, sizeof rest, "/task/%d/stat", task);
    proc_path(path, search->pid, rest);
    if (read_stat(path, &stat) && (stat.state == 'R' || stat.state == 'D'))
        search->busy = true;
}

bool process_busy(pid_t pid)
{
    TaskSearch search = {.pid = pid};
    char path[PATH_SIZE];

    proc_path(path, pid, "/task");
    each_number(path, look_at_task, &search);
    return search.busy;
}
