/* Where the program starts: finds the command, and lets it do its work. */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/serve.h"
#include "scenario/scenario.h"

typedef struct {
    const char *name;
    int (*run)(int argc, char **argv); /* NULL: comes with a later version */
} Command;

static int help(int argc, char **argv);

static const Command commands[] = {
    {"list", cli_list}, {"explain", cli_explain}, {"manual", cli_manual}, {"serve", cli_serve},
    {"help", help},     {"soak", cli_soak},       {"load", NULL},         {"lint", NULL},
    {"client", NULL},   {"kernel", NULL},
};

static const Command *find_command(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        if (g_str_equal(commands[i].name, name))
            return &commands[i];
    return NULL;
}

static int unknown_command(const char *word)
{
    const char *names[G_N_ELEMENTS(commands) + 1] = {NULL};

    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        names[i] = commands[i].name;
    const char *near = scenario_nearest(word, names);
    if (near != NULL)
        return cli_complain("there is no command \"%s\"; did you mean \"%s\"?", word, near);
    if (strpbrk(word, ":/") != NULL)
        return cli_complain("there is no command \"%s\"; a server is named with --target", word);
    return cli_complain("there is no command \"%s\"; see `nbdconform --help`", word);
}

/* A command sees itself as "nbdconform NAME". */
static int run_command(int argc, char **argv)
{
    const Command *command = find_command(argv[0]);

    if (command == NULL)
        return unknown_command(argv[0]);
    if (command->run == NULL)
        return cli_complain("the command \"%s\" is not in this version", command->name);
    g_autofree char *name = g_strdup_printf("nbdconform %s", command->name);
    g_set_prgname(name);
    argv[0] = name;
    return command->run(argc, argv);
}

/* `help`, `help list`: what --help prints. */
static int help(int argc, char **argv)
{
    char option[] = "--help";
    char *words[] = {argc > 1 ? argv[1] : argv[0], option, NULL};

    if (argc > 2)
        return cli_complain("help takes the name of one command");
    if (argc > 1 && !g_str_equal(argv[1], "help"))
        return run_command(2, words);
    g_set_prgname("nbdconform");
    return cli_run(2, words);
}

/* What is freed of this size goes back to the system at once. By default such buffers would soon come from the
 * threads' arenas, where those of several cases add up. */
#define LARGE_BUFFER (1 << 20)

/* Where a standard stream is closed, the next file or socket would take its place, and get what is printed. */
static void keep_streams_apart(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* Nobody may want the output; but where it is wanted and has no room, it is not there, which must be told. */
static int check_output(int status)
{
    bool written = fflush(stdout) == 0 && ferror(stdout) == 0;

    if (written || errno != ENOSPC)
        return status;
    int wrong = cli_complain("cannot write the output: %s", g_strerror(errno));
    return status == CLI_CONFORMING ? wrong : status;
}

int main(int argc, char **argv)
{
    keep_streams_apart();
    mallopt(M_MMAP_THRESHOLD, LARGE_BUFFER);
    /* For the arguments' encoding only: numbers and messages stay as they are. */
    setlocale(LC_CTYPE, "");
    if (argc > 1 && argv[1][0] != '-')
        return check_output(run_command(argc - 1, argv + 1));
    g_set_prgname("nbdconform");
    return check_output(cli_run(argc, argv));
}
