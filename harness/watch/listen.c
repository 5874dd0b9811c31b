/* Who listens where, as /proc/PID/net shows it. A connection would tell too, but a server that ends with its
 * first client would be gone by that. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "watch/private.h"

enum { TCP_LISTENING = 0x0a, UNIX_ACCEPTS = 1 << 16 };

static FILE *open_net(pid_t pid, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/net/%s", pid, name);
    FILE *file = fopen(path, "re");

    if (file == NULL) { /* it is gone, or nobody yet: our own namespace is the best guess */
        g_autofree char *own = g_strdup_printf("/proc/self/net/%s", name);
        file = fopen(own, "re");
    }
    return file;
}

/* 127.0.0.1, ::1, ::ffff:127.0.0.1 or any address; as hexadecimal words in the machine's order. */
static bool is_local(const char *hex)
{
    char loopback[9];

    g_snprintf(loopback, sizeof loopback, "%08X", htonl(INADDR_LOOPBACK));
    size_t length = strlen(hex);
    if (strspn(hex, "0") == length)
        return true;
    return length >= 8 &&
           (strcmp(hex + length - 8, loopback) == 0 || strcmp(hex + length - 8, "01000000") == 0);
}

static uint64_t tcp_inode(pid_t pid, const char *table, uint16_t port)
{
    FILE *file = open_net(pid, table);
    char line[512], address[33];
    uint64_t inode = 0;

    if (file == NULL)
        return 0;
    while (inode == 0 && fgets(line, sizeof line, file) != NULL) {
        unsigned number, state;
        unsigned long long found;
        if (sscanf(line, "%*d: %32[0-9A-F]:%x %*s %x %*s %*s %*s %*s %*s %llu", address, &number,
                   &state, &found) != 4)
            continue;
        if (state != TCP_LISTENING) /* those come first; thousands of others may follow */
            break;
        if (number == port && is_local(address))
            inode = found;
    }
    fclose(file);
    return inode;
}

static uint64_t unix_inode(pid_t pid, const char *wanted)
{
    FILE *file = open_net(pid, "unix");
    char line[512], path[256];
    uint64_t inode = 0;

    if (file == NULL)
        return 0;
    while (inode == 0 && fgets(line, sizeof line, file) != NULL) {
        unsigned flags;
        unsigned long long found;
        if (sscanf(line, "%*x: %*x %*x %x %*x %*x %llu %255[^\n]", &flags, &found, path) == 3 &&
            (flags & UNIX_ACCEPTS) != 0 && strcmp(path, wanted) == 0)
            inode = found;
    }
    fclose(file);
    return inode;
}

uint64_t listen_inode(pid_t pid, const ListenPlace *place)
{
    if (place->path != NULL)
        return unix_inode(pid, place->path);
    uint64_t inode = tcp_inode(pid, "tcp", place->port);
    return inode != 0 ? inode : tcp_inode(pid, "tcp6", place->port);
}

pid_t listen_holder(const GArray *members, uint64_t inode)
{
    for (guint i = 0; inode != 0 && i < members->len; i++) {
        const ProcessStat *each = &g_array_index(members, ProcessStat, i);
        if (!each->exiting && process_holds(each->pid, inode))
            return each->pid;
    }
    return 0;
}

bool listen_port_free(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_free;

    /* Any address, because the server may ask for that one. */
    is_free = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return is_free;
}

uint16_t listen_free_port(void)
{
    enum { LOWEST = 10810, HIGHEST = 32000, TRIES = 200 };

    /* Below those that the kernel gives to clients, which could take it before the server does. */
    for (unsigned tries = 0; tries < TRIES; tries++) {
        uint16_t port = (uint16_t)g_random_int_range(LOWEST, HIGHEST);
        if (listen_port_free(port))
            return port;
    }
    return 0;
}

/* The file is two lines a group: names, then numbers. */
uint64_t listen_overflows(pid_t pid)
{
    FILE *file = open_net(pid, "netstat");
    char names[4096], numbers[4096];
    uint64_t value = 0;

    if (file == NULL)
        return 0;
    while (fgets(names, sizeof names, file) != NULL &&
           fgets(numbers, sizeof numbers, file) != NULL) {
        char *name_end, *number_end;
        char *name = strtok_r(names, " \n", &name_end);
        char *number = strtok_r(numbers, " \n", &number_end);
        while (name != NULL && number != NULL && strcmp(name, "ListenOverflows") != 0) {
            name = strtok_r(NULL, " \n", &name_end);
            number = strtok_r(NULL, " \n", &number_end);
        }
        if (name != NULL && number != NULL)
            value = strtoull(number, NULL, 10);
    }
    fclose(file);
    return value;
}
