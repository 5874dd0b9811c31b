/* `nbdconform serve`: reads the options, prints where the server listens, serves until a signal. */
#include <glib.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/serve.h"
#include "cli/serve_export.h"
#include "cli/size.h"
#include "reference/reference.h"

#define DEFAULT_SIZE (UINT64_C(64) << 20)
#define GRACE 2000 /* milliseconds: for clients to leave when the server is to end */

typedef struct {
    char *socket, *bind, *size, *memory, *block_size, *default_export, *description, *replies;
    char *tls, *certificates, *psk, *priority;
    char **exports, **quirks, **leaks;
    int port, threads;
    gboolean read_only, oldstyle, newstyle, always, extended, verify_peer, list_quirks, list_leaks;
} Options;

/* ---- The configuration ----------------------------------------------------------------------- */

static bool parse_exports(const Options *options, GArray *exports, GError **error)
{
    static const char *const only_default[] = {"", NULL};
    const char *const *texts =
        options->exports != NULL ? (const char *const *)options->exports : only_default;
    RefExport base = {
        .size = DEFAULT_SIZE, .read_only = options->read_only, .description = options->description};

    if ((options->size != NULL && !cli_parse_size(options->size, INT64_MAX, &base.size, error)) ||
        (options->block_size != NULL && !serve_parse_block_size(options->block_size, &base, error)))
        return false;
    for (; *texts != NULL; texts++) {
        RefExport export = base;
        if (!serve_parse_export(*texts, &export, error))
            return false;
        g_array_append_val(exports, export);
    }
    return true;
}

/* What clients may ask for at the most. */
static bool parse_replies(const char *text, RefReplies *replies, GError **error)
{
    static const char *const names[] = {
        [REF_EXTENDED] = "extended", [REF_STRUCTURED] = "structured", [REF_SIMPLE] = "simple"};

    for (unsigned i = 0; text != NULL && i < G_N_ELEMENTS(names); i++) {
        if (g_str_equal(text, names[i])) {
            *replies = (RefReplies)i;
            return true;
        }
    }
    return text == NULL ||
           cli_mistake(error, "replies are simple, structured or extended: \"%s\"", text);
}

/* Whether and how there is TLS; CONFIG borrows what is made. */
static bool configure_tls(const Options *options, RefTls **tls, RefConfig *config, GError **error)
{
    const char *mode = options->tls;
    const RefTlsOptions settings = {
        .certificates = options->certificates,
        .psk_file = options->psk,
        .verify_peer = options->verify_peer,
        .priorities = options->priority,
    };

    if (mode == NULL)
        mode = options->certificates != NULL || options->psk != NULL ? "allow" : "off";
    if (g_str_equal(mode, "off"))
        return true;
    if (!g_str_equal(mode, "allow") && !g_str_equal(mode, "require"))
        return cli_mistake(error, "TLS is off, allow or require: \"%s\"", mode);
    if (options->certificates == NULL && options->psk == NULL)
        return cli_mistake(error, "TLS needs --tls-certificates or --tls-psk: \"%s\"", mode);
    *tls = ref_tls_new(&settings, error);
    config->tls = *tls;
    config->tls_required = g_str_equal(mode, "require");
    return *tls != NULL;
}

static bool configure(const Options *options, GArray *exports, RefConfig *config, GError **error)
{
    if (options->port < 0 || options->port > UINT16_MAX)
        return cli_mistake(error, "--port: %d is no number from 0 to 65535", options->port);
    if (options->socket != NULL && (options->bind != NULL || options->port != 0))
        return cli_mistake(error, "--socket: either a Unix socket, or an address and a port");
    if (!parse_exports(options, exports, error))
        return false;
    *config = (RefConfig){
        .socket = options->socket,
        .host = options->bind,
        .port = (uint16_t)options->port,
        .exports = (const RefExport *)(void *)exports->data,
        .export_count = exports->len,
        .default_export = options->default_export,
        .style = options->oldstyle   ? REF_OLDSTYLE
                 : options->newstyle ? REF_NEWSTYLE
                                     : REF_FIXED_NEWSTYLE,
        .loops = options->threads > 0 ? (unsigned)options->threads : g_get_num_processors(),
        .structured_always = options->always,
        .require_extended = options->extended,
        .grace = GRACE,
        .quirks = (const char *const *)options->quirks,
        .leaks = (const char *const *)options->leaks,
    };
    return parse_replies(options->replies, &config->most_replies, error) &&
           (options->memory == NULL ||
            cli_parse_size(options->memory, UINT64_MAX, &config->memory, error));
}

/* ---- Serving --------------------------------------------------------------------------------- */

static void print_quirks(void)
{
    static const char *const needs[] = {
        [REF_NEEDS_NOTHING] = "",
        [REF_NEEDS_OLDSTYLE] = "    needs --oldstyle\n",
        [REF_NEEDS_TCP] = "    needs --port\n",
        [REF_NEEDS_PROCESS] = "    needs --spawn, since it shows when a signal comes\n",
        [REF_NEEDS_TLS] = "    needs --tls\n",
    };
    static const char silence[] = "    by silence: the requirement is that something comes\n";
    size_t count;
    const RefQuirk *quirks = ref_quirks(&count);

    for (size_t i = 0; i < count; i++)
        printf("%s\n    %s\n    %s %s%s%s\n%s%s", quirks[i].name, quirks[i].summary,
               quirks[i].kind == REF_LIBERTY ? "makes use of" : "breaks", quirks[i].requirement,
               g_str_equal(quirks[i].seen, "-") ? "" : "; seen: ",
               g_str_equal(quirks[i].seen, "-") ? "" : quirks[i].seen,
               quirks[i].kind == REF_SILENCE ? silence : "", needs[quirks[i].needs]);
}

static void print_leaks(void)
{
    size_t count;
    const RefLeakPhase *phases = ref_leak_phases(&count);

    printf("KIND[,at=PHASE][,ending=ENDING][,inside=tls][,every=N][,most=N]\n\n"
           "KIND, what is kept of a connection: fd, bytes=N, thread, child, runaway, zombie\n\n"
           "ENDING, how it ends:\n"
           "    soft     by NBD_OPT_ABORT or NBD_CMD_DISC\n"
           "    eof      the client closes its side\n"
           "    reset    reading or writing fails\n"
           "    notify   by TLS's close_notify\n"
           "    hangup   the server hangs up first\n\n"
           "PHASE, where:\n");
    for (size_t i = 0; i < count; i++)
        printf("    %-21s  %s\n", phases[i].name, phases[i].about);
}

/* As many connections as the system lets us have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* A quirk's crash is one to the outside, too: the process ends by a signal, without a core file. */
static void crash(void)
{
    const struct rlimit no_core = {0};

    setrlimit(RLIMIT_CORE, &no_core);
    abort();
}

static int serve(RefServer *server, const char *name)
{
    g_autoptr(GError) error = NULL;
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGCONT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    int descriptor = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    g_autofree char *uri = ref_server_uri(server, name);
    printf("listening on %s\n", uri);
    fflush(stdout);
    bool served = ref_server_run(server, descriptor, &error);
    close(descriptor);
    if (ref_server_died(server))
        crash();
    if (!served)
        fprintf(stderr, "nbdconform: %s\n", error->message);
    return served ? 0 : 1;
}

static int configure_and_serve(const Options *options)
{
    g_autoptr(GArray) exports = g_array_new(FALSE, TRUE, sizeof(RefExport));
    g_autoptr(GError) error = NULL;
    g_autoptr(RefTls) tls = NULL;
    g_autoptr(RefServer) server = NULL;
    RefConfig config;

    if (configure(options, exports, &config, &error) &&
        configure_tls(options, &tls, &config, &error))
        server = ref_server_new(&config, &error);
    if (server == NULL) {
        fprintf(stderr, "nbdconform: %s\n", error->message);
        return error->domain == REF_ERROR && error->code != REF_ERROR_CONFIG ? 1 : 2;
    }
    raise_descriptor_limit();
    return serve(server, g_array_index(exports, RefExport, 0).name);
}

/* Names and texts are taken as the bytes that they are, whatever the locale: as file names. */
static bool parse_options(Options *options, int argc, char **argv, GError **error)
{
    const GOptionEntry entries[] = {
        {"socket", 'U', 0, G_OPTION_ARG_FILENAME, &options->socket, "Listen on a Unix socket",
         "PATH"},
        {"port", 'p', 0, G_OPTION_ARG_INT, &options->port, "Listen on a TCP port (0: any)", "N"},
        {"bind", 'b', 0, G_OPTION_ARG_STRING, &options->bind,
         "The address to listen on, IPv4 or IPv6 (127.0.0.1)", "ADDRESS"},
        {"size", 's', 0, G_OPTION_ARG_STRING, &options->size, "Size of the exports (64M)", "SIZE"},
        {"export", 'e', 0, G_OPTION_ARG_FILENAME_ARRAY, &options->exports,
         "An export; settings: size=, ro, rw, block=MIN/PREF/MAX, lenient, require, resize, tls, description=, "
         "canonical=, without=FLAG+FLAG, df=LONGEST",
         "NAME[:SETTING,…]"},
        {"default-export", 0, 0, G_OPTION_ARG_FILENAME, &options->default_export,
         "What the empty name means", "NAME"},
        {"description", 0, 0, G_OPTION_ARG_FILENAME, &options->description,
         "Description of the exports", "TEXT"},
        {"read-only", 'r', 0, G_OPTION_ARG_NONE, &options->read_only, "Read-only exports", NULL},
        {"block-size", 0, 0, G_OPTION_ARG_STRING, &options->block_size, "Size constraints",
         "MIN/PREF/MAX"},
        {"memory", 0, 0, G_OPTION_ARG_STRING, &options->memory,
         "What all disks may fill (half the machine's)", "SIZE"},
        {"oldstyle", 0, 0, G_OPTION_ARG_NONE, &options->oldstyle, "Oldstyle handshake", NULL},
        {"newstyle", 0, 0, G_OPTION_ARG_NONE, &options->newstyle, "Newstyle that is not fixed",
         NULL},
        {"replies", 0, 0, G_OPTION_ARG_STRING, &options->replies,
         "The replies that clients may ask for at the most: simple, structured or extended",
         "FORM"},
        {"require-extended", 0, 0, G_OPTION_ARG_NONE, &options->extended,
         "Serve none but clients with extended headers", NULL},
        {"structured-always", 0, 0, G_OPTION_ARG_NONE, &options->always,
         "No simple reply once structured replies were agreed", NULL},
        {"tls", 0, 0, G_OPTION_ARG_STRING, &options->tls,
         "Whether clients may or must begin TLS: off, allow, require", "MODE"},
        {"tls-certificates", 0, 0, G_OPTION_ARG_FILENAME, &options->certificates,
         "ca-cert.pem, server-cert.pem and server-key.pem", "FOLDER"},
        {"tls-psk", 0, 0, G_OPTION_ARG_FILENAME, &options->psk,
         "Pre-shared keys: user:key, one a line", "FILE"},
        {"tls-verify-peer", 0, 0, G_OPTION_ARG_NONE, &options->verify_peer,
         "Clients must have a certificate of the same authority", NULL},
        {"tls-priority", 0, 0, G_OPTION_ARG_STRING, &options->priority,
         "GnuTLS's priorities (TLS 1.2 and 1.3)", "PRIORITY"},
        {"threads", 't', 0, G_OPTION_ARG_INT, &options->threads, "Threads (one a processor)", "N"},
        {"quirk", 'q', 0, G_OPTION_ARG_STRING_ARRAY, &options->quirks, "Deviate from the protocol",
         "NAME"},
        {"list-quirks", 0, 0, G_OPTION_ARG_NONE, &options->list_quirks, "List the quirks", NULL},
        {"leak", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->leaks,
         "Keep something of connections that end at a point",
         "KIND[,at=PHASE][,ending=ENDING][,inside=tls][,every=N][,most=N]"},
        {"list-leaks", 0, 0, G_OPTION_ARG_NONE, &options->list_leaks,
         "List what can leak, and where", NULL},
        {0},
    };

    if (!cli_parse(&argc, &argv, entries, "- the reference NBD server", NULL, NULL, error))
        return false;
    return argc == 1 ||
           cli_mistake(error, "unexpected argument \"%s\"; see `nbdconform serve --help`", argv[1]);
}

static void clear_options(Options *options)
{
    g_free(options->socket);
    g_free(options->bind);
    g_free(options->size);
    g_free(options->memory);
    g_free(options->block_size);
    g_free(options->default_export);
    g_free(options->description);
    g_free(options->replies);
    g_free(options->tls);
    g_free(options->certificates);
    g_free(options->psk);
    g_free(options->priority);
    g_strfreev(options->exports);
    g_strfreev(options->quirks);
    g_strfreev(options->leaks);
}

int cli_serve(int argc, char **argv)
{
    Options options = {0};
    g_autoptr(GError) error = NULL;
    int status = 0;

    if (!parse_options(&options, argc, argv, &error)) {
        status = cli_complain("%s", error->message);
    } else if (options.list_quirks) {
        print_quirks();
    } else if (options.list_leaks) {
        print_leaks();
    } else {
        status = configure_and_serve(&options);
    }
    clear_options(&options);
    return status;
}
