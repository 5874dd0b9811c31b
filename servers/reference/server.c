/* The server: made from a configuration, started, stopped. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reference/server.h"

G_DEFINE_QUARK(nbdconform - reference - error, ref_error)

#define MOST_LOOPS 64u

static uint64_t half_of_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long size = sysconf(_SC_PAGESIZE);

    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / 2 : UINT64_C(1) << 30;
}

static bool check_tls(const RefConfig *config, GError **error)
{
    const char *bad = NULL;

    for (size_t i = 0; i < config->export_count; i++)
        if (config->exports[i].tls_only && config->tls == NULL)
            bad = "there is an export for TLS only, and no TLS";
    if (config->tls_required && config->tls == NULL)
        bad = "TLS is required, and there is none";
    if (config->tls != NULL && config->style != REF_FIXED_NEWSTYLE)
        bad = "only a fixed newstyle handshake has TLS";
    if (bad != NULL)
        g_set_error_literal(error, REF_ERROR, REF_ERROR_CONFIG, bad);
    return bad == NULL;
}

RefServer *ref_server_new(const RefConfig *config, GError **error)
{
    g_autoptr(RefServer) server = g_new0(RefServer, 1);

    server->listener = -1;
    server->style = config->style;
    server->most_replies = config->most_replies;
    server->structured_always = config->structured_always;
    server->tls = config->tls;
    server->tls_required = config->tls_required;
    server->require_extended = config->require_extended;
    server->grace = (gint64)config->grace * 1000;
    server->budget.limit = config->memory > 0 ? config->memory : half_of_memory();
    server->loop_count = CLAMP(config->loops, 1, MOST_LOOPS);
    server->loops = g_new0(Loop, server->loop_count);
    if (!check_tls(config, error) || !quirk_set_init(&server->quirks, config->quirks, error) ||
        !leak_set_init(&server->leaks, config->leaks, error) ||
        !exports_init(&server->exports, config, &server->budget, error))
        return NULL;
    server->signals = quirk_memory_new(&server->quirks);
    for (unsigned i = 0; i < server->loop_count; i++)
        if (!loop_init(&server->loops[i], server, error))
            return NULL;
    if (!listener_open(server, config, error))
        return NULL;
    return g_steal_pointer(&server);
}

static gpointer run_thread(gpointer data)
{
    loop_run(data, -1);
    return NULL;
}

/* Starts threads for the loops from FIRST on. */
static bool start_from(RefServer *server, unsigned first, GError **error)
{
    server->running = true;
    __atomic_store_n(&server->stopping, 0, __ATOMIC_RELEASE);
    for (unsigned i = first; i < server->loop_count; i++) {
        Loop *loop = &server->loops[i];
        loop->thread = g_thread_try_new("reference", run_thread, loop, error);
        if (loop->thread == NULL) {
            ref_server_stop(server);
            return false;
        }
    }
    return true;
}

bool ref_server_start(RefServer *server, GError **error)
{
    if (server->leaks.leaks != NULL) {
        g_set_error(error, REF_ERROR, REF_ERROR_CONFIG,
                    "a server that leaks needs a process of its own");
        return false;
    }
    return server->running || start_from(server, 0, error);
}

static void join(RefServer *server)
{
    for (unsigned i = 0; i < server->loop_count; i++)
        g_clear_pointer(&server->loops[i].thread, g_thread_join);
}

bool ref_server_run(RefServer *server, int signals, GError **error)
{
    if (!start_from(server, 1, error))
        return false;
    loop_run(&server->loops[0], signals);
    join(server); /* the other threads' clients have as long to leave as ours had */
    server->running = false;
    return true;
}

void ref_server_stop(RefServer *server)
{
    if (!server->running)
        return;
    __atomic_store_n(&server->stopping, 1, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < server->loop_count; i++)
        loop_wake(&server->loops[i]);
    join(server);
    server->running = false;
}

void ref_server_free(RefServer *server)
{
    if (server == NULL)
        return;
    ref_server_stop(server);
    for (unsigned i = 0; i < server->loop_count; i++)
        loop_clear(&server->loops[i]);
    g_free(server->loops);
    if (server->listener >= 0)
        close(server->listener);
    if (server->owns_path)
        unlink(server->socket);
    g_free(server->socket);
    g_free(server->host);
    exports_clear(&server->exports);
    quirk_set_clear(&server->quirks);
    g_free(server->signals);
    leak_set_clear(&server->leaks);
    g_free(server);
}

const char *ref_server_socket(const RefServer *server)
{
    return server->socket;
}

uint16_t ref_server_port(const RefServer *server)
{
    return server->port;
}

char *ref_server_uri(const RefServer *server, const char *name)
{
    g_autofree char *export = g_uri_escape_string(name != NULL ? name : "", NULL, FALSE);

    const char *scheme = server->tls_required ? "nbds" : "nbd";

    if (server->socket != NULL) {
        g_autofree char *path = g_uri_escape_string(server->socket, "/", FALSE);
        return g_strdup_printf("%s+unix:///%s?socket=%s", scheme, export, path);
    }
    bool brackets = strchr(server->host, ':') != NULL;
    return g_strdup_printf("%s://%s%s%s:%u%s%s", scheme, brackets ? "[" : "", server->host,
                           brackets ? "]" : "", server->port, *export != '\0' ? "/" : "", export);
}

size_t ref_server_connections(const RefServer *server)
{
    size_t count = 0;

    for (unsigned i = 0; i < server->loop_count; i++)
        count += __atomic_load_n(&server->loops[i].count, __ATOMIC_RELAXED);
    return count;
}

uint64_t ref_server_accepted(const RefServer *server)
{
    return __atomic_load_n(&server->accepted, __ATOMIC_RELAXED);
}

bool ref_server_died(const RefServer *server)
{
    return __atomic_load_n(&server->died, __ATOMIC_ACQUIRE);
}
