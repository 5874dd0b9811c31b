/* What the reference server must not sleep through, and what it must not wake up for: it is told of each piece of
 * input once. */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <glib.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raw_client.h"
#include "tls_pair.h"

void reference_wake_tests(void);

#define MIB (1024u * 1024)

static const RefTlsOptions keeper = {.certificates = CERTIFICATES("good")};

/* ---- A client that decides what goes in one piece --------------------------------------------- */

typedef struct {
    int fd;
    gnutls_session_t session;
    gnutls_certificate_credentials_t anybody;
    GByteArray *out; /* gathered, until flush() */
} Client;

static ssize_t gather(gnutls_transport_ptr_t data, const void *bytes, size_t size)
{
    Client *client = data;

    g_byte_array_append(client->out, bytes, (guint)size);
    return (ssize_t)size;
}

static bool flush(Client *client)
{
    bool sent = raw_say(client->fd, client->out->data, client->out->len);

    g_byte_array_set_size(client->out, 0);
    return sent;
}

static int wait_for_input(gnutls_transport_ptr_t data, unsigned milliseconds)
{
    const Client *client = data;
    struct pollfd wait = {.fd = client->fd, .events = POLLIN};

    (void)milliseconds;
    return poll(&wait, 1, RAW_PATIENCE_MS);
}

static ssize_t pull(gnutls_transport_ptr_t data, void *bytes, size_t size)
{
    Client *client = data;

    if (!flush(client) || wait_for_input(client, 0) != 1) {
        errno = EPIPE;
        return -1;
    }
    return recv(client->fd, bytes, size, 0);
}

/* Nothing is sent yet. */
static void client_prepare(Client *client, int fd, const char *priorities)
{
    client->fd = fd;
    client->out = g_byte_array_new();
    gnutls_certificate_allocate_credentials(&client->anybody);
    gnutls_init(&client->session, GNUTLS_CLIENT);
    CU_ASSERT_EQUAL_FATAL(gnutls_priority_set_direct(client->session, priorities, NULL), 0);
    gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE, client->anybody);
    gnutls_transport_set_ptr(client->session, client);
    gnutls_transport_set_push_function(client->session, gather);
    gnutls_transport_set_pull_function(client->session, pull);
    gnutls_transport_set_pull_timeout_function(client->session, wait_for_input);
}

static bool shake_hands(Client *client)
{
    int status;

    do {
        status = gnutls_handshake(client->session);
    } while (status < 0 && !gnutls_error_is_fatal(status));
    return status == 0 && flush(client);
}

static void client_clear(Client *client)
{
    if (client->session != NULL)
        gnutls_deinit(client->session);
    if (client->anybody != NULL)
        gnutls_certificate_free_credentials(client->anybody);
    if (client->out != NULL)
        g_byte_array_unref(client->out);
    raw_close(client->fd);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Client, client_clear)

static void client_enter(Client *client, const RefServer *server, const char *priorities)
{
    int fd = raw_dial(server);

    CU_ASSERT_FATAL(raw_greet(fd, RAW_FLAGS) && raw_say_option(fd, NBD_OPT_STARTTLS, NULL, 0));
    CU_ASSERT_EQUAL_FATAL(raw_reply_type(fd), NBD_REP_ACK);
    client_prepare(client, fd, priorities);
    CU_ASSERT_FATAL(shake_hands(client));
}

static void put_abort(Client *client)
{
    static const char abort[] = "IHAVEOPT\0\0\0\2\0\0\0\0";

    CU_ASSERT_EQUAL(gnutls_record_send(client->session, abort, 16), 16);
}

/* The reply that NBD_OPT_ABORT gets, and nothing else. */
static bool hears_ack(Client *client)
{
    uint8_t reply[64];
    ssize_t got;

    do {
        got = gnutls_record_recv(client->session, reply, sizeof reply);
    } while (got < 0 && !gnutls_error_is_fatal((int)got));
    return got == 20 && wire_get(reply + 8, 4) == NBD_OPT_ABORT &&
           wire_get(reply + 12, 4) == NBD_REP_ACK;
}

/* ---- A server --------------------------------------------------------------------------------- */

typedef struct {
    RefTls *settings;
    RefServer *server;
} Secure;

static void secure_start(Secure *secure)
{
    const RefExport export = {.size = MIB};

    secure->settings = ref_tls_new(&keeper, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(secure->settings);
    const RefConfig config = {.exports = &export, .export_count = 1, .tls = secure->settings};
    secure->server = ref_server_new(&config, NULL);
    CU_ASSERT_FATAL(secure->server != NULL && ref_server_start(secure->server, NULL));
}

static void secure_clear(Secure *secure)
{
    ref_server_free(secure->server);
    ref_tls_free(secure->settings);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Secure, secure_clear)

/* ---- TLS -------------------------------------------------------------------------------------- */

/* More of them than anybody reads at a stretch. TLS 1.3 has no warnings. */
static void an_option_behind_warnings_is_answered(void)
{
    for (unsigned count = 60; count < 200; count += 20) {
        g_auto(Secure) secure = {0};
        g_auto(Client) client = {.fd = -1};
        secure_start(&secure);
        client_enter(&client, secure.server, ONLY("1.2"));
        for (unsigned n = 0; n < count; n++)
            CU_ASSERT_EQUAL(
                gnutls_alert_send(client.session, GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED), 0);
        put_abort(&client);
        CU_ASSERT(flush(&client) && hears_ack(&client));
    }
}

static void an_option_behind_a_new_key_is_answered(void)
{
    for (int asks = 0; asks <= 1; asks++) {
        g_auto(Secure) secure = {0};
        g_auto(Client) client = {.fd = -1};
        secure_start(&secure);
        client_enter(&client, secure.server, ONLY("1.3"));
        CU_ASSERT_EQUAL(gnutls_session_key_update(client.session, asks ? GNUTLS_KU_PEER : 0), 0);
        put_abort(&client);
        CU_ASSERT(flush(&client) && hears_ack(&client));
    }
}

/* ---- Connections that are over ---------------------------------------------------------------- */

/* A child that a fork leaves with a copy of the server's socket, as between fork and exec: what still comes there
 * is for nobody. */
static void a_forked_child_keeps_no_connection_alive(void)
{
    enum { TIMES = 20 };
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);
    uint8_t block[512];

    for (unsigned i = 0; i < TIMES; i++) {
        int fd = raw_open(server, "");
        CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, 0, sizeof block, block), NBD_SUCCESS);
        pid_t child = fork();
        if (child == 0) {
            pause();
            _exit(0);
        }
        CU_ASSERT(raw_request(fd, NBD_CMD_DISC, 0, 1, 0, 0));
        for (unsigned ms = 0; ref_server_connections(server) > 0 && ms < RAW_PATIENCE_MS; ms++)
            g_usleep(1000);
        CU_ASSERT_EQUAL(ref_server_connections(server), 0);
        CU_ASSERT(raw_request(fd, NBD_CMD_READ, 0, 2, 0, sizeof block));
        CU_ASSERT(raw_served(server));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        raw_close(fd);
    }
}

void reference_wake_tests(void)
{
    CU_TestInfo tests[] = {
        {"an option behind warnings is answered", an_option_behind_warnings_is_answered},
        {"an option behind a new key is answered", an_option_behind_a_new_key_is_answered},
        {"a forked child keeps no connection alive", a_forked_child_keeps_no_connection_alive},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"the reference server's attention", NULL, NULL, NULL, NULL, tests},
                             CU_SUITE_INFO_NULL};

    CU_register_suites(suites);
}
