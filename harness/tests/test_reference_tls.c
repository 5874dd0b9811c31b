/* TLS of the reference server: when it may and must begin, and that nothing from before holds inside. */
#include <CUnit/CUnit.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>

#include "raw_client.h"
#include "tls_pair.h"

void reference_tls_tests(void);

#define MIB (1024u * 1024)
#define PATIENCE 60000

static const TransportTlsOptions certified = {
    .certificates = CERTIFICATES("good"), .hostname = "localhost", .verify_peer = true};
static const RefTlsOptions strict = {.certificates = CERTIFICATES("good"), .verify_peer = true};

/* ---- A server and a client -------------------------------------------------------------------- */

typedef struct {
    RefTls *settings;
    RefServer *server;
} Secure;

static void secure_start(Secure *secure, const RefTlsOptions *options, bool required)
{
    const RefExport exports[] = {{.name = "", .size = 64 * MIB},
                                 {.name = "secret", .size = MIB, .tls_only = true}};
    RefConfig config = {.exports = exports, .export_count = 2, .tls_required = required};

    secure->settings = ref_tls_new(options, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(secure->settings);
    config.tls = secure->settings;
    secure->server = ref_server_new(&config, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(secure->server);
    CU_ASSERT_FATAL(ref_server_start(secure->server, NULL));
}

static void secure_clear(Secure *secure)
{
    ref_server_free(secure->server);
    ref_tls_free(secure->settings);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Secure, secure_clear)

typedef struct {
    TransportTls *settings;
    Transport *transport;
} Client;

static void client_clear(Client *client)
{
    transport_free(client->transport);
    transport_tls_free(client->settings);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Client, client_clear)

static bool wait_for(const Transport *transport, short wanted)
{
    struct pollfd fd = {.fd = transport_fd(transport),
                        .events = transport_events(transport, wanted)};

    return transport_pending(transport) || poll(&fd, 1, PATIENCE) > 0;
}

static bool say(Client *client, const void *bytes, size_t size)
{
    size_t done = 0;

    for (size_t sent = 0; sent < size; sent += done) {
        TransportStatus status =
            transport_write(client->transport, (const uint8_t *)bytes + sent, size - sent, &done);
        if (status == TRANSPORT_CLOSED ||
            (status == TRANSPORT_AGAIN && !wait_for(client->transport, POLLOUT)))
            return false;
    }
    return true;
}

static bool hear(Client *client, void *bytes, size_t size)
{
    size_t done = 0;

    for (size_t got = 0; got < size; got += done) {
        TransportStatus status =
            transport_read(client->transport, (uint8_t *)bytes + got, size - got, &done);
        if (status == TRANSPORT_CLOSED ||
            (status == TRANSPORT_AGAIN && !wait_for(client->transport, POLLIN)))
            return false;
    }
    return true;
}

static bool ends(Client *client)
{
    uint8_t byte;

    return !hear(client, &byte, 1);
}

/* The type of the final reply to an option. */
static uint32_t ask(Client *client, uint32_t option, const char *data, size_t length)
{
    const uint64_t values[WIRE_MAX_FIELDS] = {NBD_IHAVEOPT, option, length};
    uint64_t reply[WIRE_MAX_FIELDS] = {0};
    uint8_t header[20];
    uint8_t skipped[4096];

    wire_encode(WIRE_OPTION, values, header);
    if (!say(client, header, 16) || !say(client, data, length))
        return 0;
    do {
        if (!hear(client, header, sizeof header))
            return 0;
        wire_decode(WIRE_OPTION_REPLY, header, reply);
        if (reply[REPLY_LENGTH] > sizeof skipped || !hear(client, skipped, reply[REPLY_LENGTH]))
            return 0;
    } while (reply[REPLY_TYPE] == NBD_REP_INFO || reply[REPLY_TYPE] == NBD_REP_SERVER);
    return (uint32_t)reply[REPLY_TYPE];
}

#define ASK(client, option, data) ask(client, option, data, sizeof(data) - 1)
#define DEFAULT_EXPORT "\0\0\0\0\0\0"
#define SECRET_EXPORT "\0\0\0\6secret\0\0"

static void client_dial(Client *client, const Secure *secure)
{
    int fd = raw_dial(secure->server);

    CU_ASSERT_FATAL(raw_greet(fd, RAW_FLAGS));
    g_unix_set_fd_nonblocking(fd, TRUE, NULL);
    *client = (Client){.transport = transport_adopt(fd)};
}

static void client_begin_tls(Client *client, const TransportTlsOptions *options)
{
    client->settings = transport_tls_new(options, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(client->settings);
    CU_ASSERT(transport_tls_start(client->transport, client->settings, NULL, NULL, 0, NULL));
}

static void say_request(Client *client, uint16_t type, uint64_t offset, uint32_t length)
{
    const uint64_t values[WIRE_MAX_FIELDS] = {NBD_REQUEST_MAGIC, 0, type, 7, offset, length};
    uint8_t header[28];

    wire_encode(WIRE_REQUEST, values, header);
    CU_ASSERT(say(client, header, sizeof header));
}

/* The error of a simple reply; UINT32_MAX if it is none. */
static uint32_t hear_reply(Client *client)
{
    uint8_t header[16];

    if (!hear(client, header, sizeof header) || wire_get(header, 4) != NBD_SIMPLE_REPLY_MAGIC)
        return UINT32_MAX;
    return (uint32_t)wire_get(header + 4, 4);
}

/* ---- Tests ------------------------------------------------------------------------------------ */

static void check_served(const Secure *secure, const TransportTlsOptions *options)
{
    g_autofree uint8_t *data = g_malloc(8 * MIB);
    g_autofree uint8_t *seen = g_malloc0(8 * MIB);
    g_auto(Client) client = {0};

    client_dial(&client, secure);
    CU_ASSERT_EQUAL(ASK(&client, NBD_OPT_STARTTLS, ""), NBD_REP_ACK);
    client_begin_tls(&client, options);
    CU_ASSERT_EQUAL_FATAL(ASK(&client, NBD_OPT_GO, DEFAULT_EXPORT), NBD_REP_ACK);
    for (uint32_t i = 0; i < 8 * MIB; i++)
        data[i] = (uint8_t)(i * 31 + i / 4096);
    say_request(&client, NBD_CMD_WRITE, 0, 8 * MIB);
    CU_ASSERT(say(&client, data, 8 * MIB));
    CU_ASSERT_EQUAL(hear_reply(&client), NBD_SUCCESS);
    say_request(&client, NBD_CMD_READ, 0, 8 * MIB);
    CU_ASSERT_EQUAL(hear_reply(&client), NBD_SUCCESS);
    CU_ASSERT(hear(&client, seen, 8 * MIB));
    CU_ASSERT(memcmp(data, seen, 8 * MIB) == 0);
    say_request(&client, NBD_CMD_DISC, 0, 0);
    CU_ASSERT(ends(&client));
    CU_ASSERT_EQUAL(transport_tls_facts(client.transport).state, TRANSPORT_TLS_CLOSED);
}

static void clients_with_certificates_or_keys_are_served(void)
{
    const RefTlsOptions keys = {.psk_file = CERTIFICATES("keys.psk")};
    g_auto(Secure) secure = {0};
    g_auto(Secure) keyed = {0};

    secure_start(&secure, &strict, true);
    check_served(&secure, &certified);
    secure_start(&keyed, &keys, true);
    check_served(&keyed, &tls_alice);
}

static void without_tls_there_is_nothing_where_it_is_required(void)
{
    g_auto(Secure) secure = {0};
    g_auto(Client) client = {0};
    g_auto(Client) hasty = {0};
    static const uint32_t options[] = {NBD_OPT_LIST,
                                       NBD_OPT_INFO,
                                       NBD_OPT_GO,
                                       4711,
                                       NBD_OPT_STRUCTURED_REPLY,
                                       NBD_OPT_SET_META_CONTEXT,
                                       NBD_OPT_EXTENDED_HEADERS};

    secure_start(&secure, &strict, true);
    client_dial(&client, &secure);
    for (unsigned i = 0; i < G_N_ELEMENTS(options); i++)
        CU_ASSERT_EQUAL(ASK(&client, options[i], DEFAULT_EXPORT), NBD_REP_ERR_TLS_REQD);
    CU_ASSERT_EQUAL(ASK(&client, NBD_OPT_STARTTLS, "data"), NBD_REP_ERR_INVALID);
    CU_ASSERT_EQUAL(ASK(&client, NBD_OPT_ABORT, ""), NBD_REP_ACK);
    client_dial(&hasty, &secure);
    CU_ASSERT_EQUAL(ASK(&hasty, NBD_OPT_EXPORT_NAME, ""), 0);
}

static void an_export_may_need_tls_alone(void)
{
    g_auto(Secure) secure = {0};
    g_auto(Client) client = {0};
    g_auto(Client) hasty = {0};

    secure_start(&secure, &strict, false);
    client_dial(&client, &secure);
    CU_ASSERT_EQUAL(ASK(&client, NBD_OPT_INFO, DEFAULT_EXPORT), NBD_REP_ACK);
    CU_ASSERT_EQUAL(ASK(&client, NBD_OPT_INFO, SECRET_EXPORT), NBD_REP_ERR_TLS_REQD);
    CU_ASSERT_EQUAL(ASK(&client, NBD_OPT_GO, SECRET_EXPORT), NBD_REP_ERR_TLS_REQD);
    CU_ASSERT_EQUAL(ASK(&client, NBD_OPT_STARTTLS, ""), NBD_REP_ACK);
    client_begin_tls(&client, &certified);
    CU_ASSERT_EQUAL(ASK(&client, NBD_OPT_GO, SECRET_EXPORT), NBD_REP_ACK);
    client_dial(&hasty, &secure);
    CU_ASSERT_EQUAL(ASK(&hasty, NBD_OPT_EXPORT_NAME, "secret"), 0);
    CU_ASSERT(raw_served(secure.server));
}

static void what_was_agreed_before_is_forgotten(void)
{
    g_auto(Secure) secure = {0};
    g_auto(Client) client = {0};

    secure_start(&secure, &strict, false);
    client_dial(&client, &secure);
    CU_ASSERT_EQUAL(ASK(&client, NBD_OPT_EXTENDED_HEADERS, ""), NBD_REP_ACK);
    CU_ASSERT_EQUAL(ASK(&client, NBD_OPT_STARTTLS, ""), NBD_REP_ACK);
    client_begin_tls(&client, &certified);
    CU_ASSERT_EQUAL(ASK(&client, NBD_OPT_STARTTLS, ""), NBD_REP_ERR_INVALID);
    CU_ASSERT_EQUAL(ASK(&client, NBD_OPT_SET_META_CONTEXT, "\0\0\0\0\0\0\0\0"),
                    NBD_REP_ERR_INVALID);
    CU_ASSERT_EQUAL(ASK(&client, NBD_OPT_GO, DEFAULT_EXPORT), NBD_REP_ACK);
    say_request(&client, NBD_CMD_FLUSH, 0, 0);
    CU_ASSERT_EQUAL(hear_reply(&client), NBD_SUCCESS);
}

/* An attacker in the middle sends an option right behind the client's: the ACK is the last that is said
 * in the clear, and the option is never answered. */
static void plain_text_behind_the_option_breaks_tls(void)
{
    static const char both[] = "IHAVEOPT\0\0\0\5\0\0\0\0"
                               "IHAVEOPT\0\0\0\3\0\0\0\0";
    g_auto(Secure) secure = {0};
    g_auto(Client) client = {0};
    uint8_t header[20];

    secure_start(&secure, &strict, false);
    client_dial(&client, &secure);
    CU_ASSERT(say(&client, both, sizeof both - 1));
    CU_ASSERT(hear(&client, header, sizeof header));
    CU_ASSERT_EQUAL(wire_get(header + 12, 4), NBD_REP_ACK);
    client_begin_tls(&client, &certified);
    CU_ASSERT(ends(&client));
    CU_ASSERT(!transport_tls_facts(client.transport).established);
    CU_ASSERT(raw_served(secure.server));
}

static void strangers_are_turned_away(void)
{
    const TransportTlsOptions stranger = {.certificates = CERTIFICATES("stranger")};
    const TransportTlsOptions old = {.certificates = CERTIFICATES("anonymous"),
                                     .priorities = ONLY("1.1")};
    const TransportTlsOptions *const options[] = {&stranger, &old};
    g_auto(Secure) secure = {0};

    secure_start(&secure, &strict, true);
    for (unsigned i = 0; i < G_N_ELEMENTS(options); i++) {
        g_auto(Client) client = {0};
        client_dial(&client, &secure);
        CU_ASSERT_EQUAL(ASK(&client, NBD_OPT_STARTTLS, ""), NBD_REP_ACK);
        client_begin_tls(&client, options[i]);
        CU_ASSERT_EQUAL(ASK(&client, NBD_OPT_GO, DEFAULT_EXPORT), 0);
    }
    check_served(&secure, &certified);
}

static void silence_in_the_handshake_disturbs_nobody(void)
{
    g_auto(Secure) secure = {0};
    Client silent[20];

    secure_start(&secure, &strict, false);
    for (unsigned i = 0; i < G_N_ELEMENTS(silent); i++) {
        client_dial(&silent[i], &secure);
        CU_ASSERT_EQUAL(ASK(&silent[i], NBD_OPT_STARTTLS, ""), NBD_REP_ACK);
        CU_ASSERT(say(&silent[i], "\x16\x03\x01", i % 4));
    }
    check_served(&secure, &certified);
    CU_ASSERT(raw_served(secure.server));
    for (unsigned i = 0; i < G_N_ELEMENTS(silent); i++)
        client_clear(&silent[i]);
}

static void without_settings_there_is_no_tls(void)
{
    const RefExport export = {.size = MIB, .tls_only = true};
    const RefConfig only = {.exports = &export, .export_count = 1};
    const RefConfig required = {.tls_required = true};
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);
    int fd = raw_dial(server);

    CU_ASSERT(raw_greet(fd, RAW_FLAGS));
    CU_ASSERT(raw_say_option(fd, NBD_OPT_STARTTLS, NULL, 0));
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ERR_UNSUP);
    raw_close(fd);
    CU_ASSERT_PTR_NULL(ref_server_new(&only, NULL));
    CU_ASSERT_PTR_NULL(ref_server_new(&required, NULL));
}

static void is_refused(RefTlsOptions options, const char *why)
{
    g_autoptr(GError) error = NULL;

    CU_ASSERT_PTR_NULL(ref_tls_new(&options, &error));
    CU_ASSERT_FATAL(g_error_matches(error, REF_ERROR, REF_ERROR_CONFIG));
    CU_ASSERT_PTR_NOT_NULL(strstr(error->message, why));
}

static void unfit_settings_are_told(void)
{
    is_refused((RefTlsOptions){.priorities = NULL}, "needs certificates");
    is_refused((RefTlsOptions){.certificates = "/nonexistent"}, "/nonexistent");
    is_refused((RefTlsOptions){.psk_file = "/nonexistent"}, "/nonexistent");
    is_refused((RefTlsOptions){.certificates = CERTIFICATES("anonymous")}, "server-cert.pem");
    is_refused((RefTlsOptions){.psk_file = CERTIFICATES("keys.psk"), .priorities = "NORMAL:+ODD"},
               "NORMAL:+ODD");
}

void reference_tls_tests(void)
{
    CU_TestInfo tests[] = {
        {"clients with certificates or keys are served",
         clients_with_certificates_or_keys_are_served},
        {"without TLS there is nothing where it is required",
         without_tls_there_is_nothing_where_it_is_required},
        {"an export may need TLS alone", an_export_may_need_tls_alone},
        {"what was agreed before is forgotten", what_was_agreed_before_is_forgotten},
        {"plain text behind the option breaks TLS", plain_text_behind_the_option_breaks_tls},
        {"strangers are turned away", strangers_are_turned_away},
        {"silence in the handshake disturbs nobody", silence_in_the_handshake_disturbs_nobody},
        {"without settings there is no TLS", without_settings_there_is_no_tls},
        {"unfit settings are told", unfit_settings_are_told},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"TLS of the reference server", NULL, NULL, NULL, NULL, tests},
                             CU_SUITE_INFO_NULL};

    CU_register_suites(suites);
}
