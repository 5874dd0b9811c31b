/* What the commands share: parsing options, and complaining. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

int cli_complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    fprintf(stderr, "nbdconform: %s\n", message);
    return CLI_USAGE;
}

bool cli_mistake(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    GError *made = g_error_new_valist(G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, format, args);
    va_end(args);
    g_propagate_error(error, made);
    return false;
}

bool cli_parse(int *argc, char ***argv, const GOptionEntry *entries, const char *usage,
               const char *summary, const char *description, GError **error)
{
    g_autoptr(GOptionContext) context = g_option_context_new(usage);
    g_autoptr(GError) wrong = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_summary(context, summary);
    g_option_context_set_description(context, description);
    if (g_option_context_parse(context, argc, argv, &wrong))
        return true;
    return cli_mistake(error, "%s; see `%s --help`", wrong->message, g_get_prgname());
}
