/* The command that starts a server: split into words, with the places where it listens filled in. */
#include <string.h>

#include "watch/private.h"

static bool names(char **words, const char *placeholder)
{
    for (; *words != NULL; words++)
        if (strstr(*words, placeholder) != NULL)
            return true;
    return false;
}

bool command_parse(const WatchSpawn *spawn, Command *command, GError **error)
{
    g_autoptr(GError) why = NULL;

    *command = (Command){.words = NULL};
    if (!g_shell_parse_argv(spawn->command, NULL, &command->words, &why)) {
        g_set_error(error, WATCH_ERROR, WATCH_ERROR_COMMAND, "the command \"%s\": %s",
                    spawn->command, why->message);
        return false;
    }
    bool uri = names(command->words, "{uri}");
    command->port = names(command->words, "{port}");
    command->socket = names(command->words, "{socket}") || (uri && !command->port);
    if (!command->socket && !command->port) {
        g_set_error(error, WATCH_ERROR, WATCH_ERROR_COMMAND,
                    "the command \"%s\" has none of {socket}, {port} and {uri}: nobody would know "
                    "where it listens",
                    spawn->command);
    } else {
        const char *program = spawn->valgrind ? "valgrind" : command->words[0];
        command->program = g_find_program_in_path(program);
        if (command->program != NULL)
            return true;
        g_set_error(error, WATCH_ERROR, WATCH_ERROR_START, "there is no program \"%s\"", program);
    }
    command_clear(command);
    return false;
}

void command_clear(Command *command)
{
    g_clear_pointer(&command->words, g_strfreev);
    g_clear_pointer(&command->program, g_free);
}

char *command_socket(const char *folder)
{
    return g_build_filename(folder, "socket", NULL);
}

static char *make_uri(const char *export_name, const char *socket, uint16_t port)
{
    g_autofree char *name = g_uri_escape_string(export_name != NULL ? export_name : "", "/", FALSE);

    if (port != 0)
        return g_strdup_printf("nbd://127.0.0.1:%u/%s", port, name);
    return g_strdup_printf("nbd+unix:///%s?socket=%s", name, socket);
}

/* In the order of the text, so that nothing is replaced inside of what was put in. */
static char *fill_in(const char *word, const char *const (*places)[2])
{
    GString *text = g_string_new(NULL);

    while (*word != '\0') {
        size_t i = 0;
        while (places[i][0] != NULL && !g_str_has_prefix(word, places[i][0]))
            i++;
        if (places[i][0] == NULL) {
            g_string_append_c(text, *word++);
        } else {
            g_string_append(text, places[i][1]);
            word += strlen(places[i][0]);
        }
    }
    return g_string_free(text, FALSE);
}

static void add_valgrind(GPtrArray *words, const char *folder)
{
    static const char *const options[] = {
        "--tool=memcheck",
        "--leak-check=full",
        "--track-fds=yes",
        "--trace-children=yes",
        "--child-silent-after-fork=no",
        "--num-callers=30",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(options); i++)
        g_ptr_array_add(words, g_strdup(options[i]));
    g_ptr_array_add(words, g_strdup_printf("--log-file=%s/valgrind.%%p", folder));
}

char **command_words(const Command *command, const WatchSpawn *spawn, const char *folder,
                     uint16_t port)
{
    g_autofree char *socket = command_socket(folder);
    g_autofree char *uri = make_uri(spawn->export_name, socket, command->socket ? 0 : port);
    g_autofree char *number = g_strdup_printf("%u", port);
    const char *const places[][2] = {
        {"{socket}", socket}, {"{port}", number}, {"{uri}", uri}, {"{dir}", folder}, {NULL, NULL}};
    GPtrArray *words = g_ptr_array_new();

    g_ptr_array_add(words, g_strdup(command->program));
    if (spawn->valgrind) {
        add_valgrind(words, folder);
        g_ptr_array_add(words, fill_in(command->words[0], places));
    }
    for (char **word = command->words + 1; *word != NULL; word++)
        g_ptr_array_add(words, fill_in(*word, places));
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(words, FALSE);
}
