/* TLS: who agrees with whom, on what, and what is told of who does not. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "tls_pair.h"

void transport_tls_tests(void);

static const char *const versions[] = {"1.0", "1.1", "1.2", "1.3"};

static const TransportTlsOptions certified_client = {
    .certificates = CERTIFICATES("good"), .hostname = "localhost", .verify_peer = true};
static const RefTlsOptions certified_server = {.certificates = CERTIFICATES("good"),
                                               .priorities = "NORMAL"};

/* Says hello in both directions. */
static bool converse(TlsPair *pair)
{
    tls_end_send(&pair->client, "hello", 5);
    tls_end_send(&pair->server, "good day", 8);
    tls_pair_run(pair);
    return tls_end_delivered(&pair->client, &pair->server) &&
           tls_end_delivered(&pair->server, &pair->client);
}

/* ---- Agreement ------------------------------------------------------------------------------- */

static void agree_on(const TransportTlsOptions *client, const RefTlsOptions *server,
                     const char *version)
{
    g_auto(TlsPair) pair = {0};
    g_autofree char *only = g_strconcat(ONLY(""), version, NULL);
    g_autofree char *name = g_strconcat("TLS", version, NULL);
    TransportTlsOptions pinned = *client;

    pinned.priorities = only;
    tls_pair_start(&pair, &pinned, server);
    CU_ASSERT_TRUE(converse(&pair));
    TransportTlsFacts facts = transport_tls_facts(pair.client.transport);
    CU_ASSERT_EQUAL(facts.state, TRANSPORT_TLS_OPEN);
    CU_ASSERT_TRUE(facts.established);
    CU_ASSERT_EQUAL(facts.certified, client->verify_peer);
    CU_ASSERT_EQUAL(facts.alert, -1);
    CU_ASSERT_EQUAL(g_strcmp0(facts.version, name), 0);
    CU_ASSERT_TRUE(facts.cipher != NULL && g_str_has_prefix(facts.cipher, "TLS_"));
    CU_ASSERT_PTR_NULL(transport_problem(pair.client.transport));
    CU_ASSERT_EQUAL(tls_end_state(&pair.server), TRANSPORT_TLS_OPEN);
}

static void certificates_in_every_version(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++)
        agree_on(&certified_client, &certified_server, versions[i]);
}

static void shared_keys_in_every_version(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++)
        agree_on(&tls_alice, &tls_keeper, versions[i]);
}

static void unpinned_ends_take_the_newest_version(void)
{
    g_auto(TlsPair) pair = {0};

    tls_pair_start(&pair, &certified_client, &certified_server);
    CU_ASSERT_TRUE(converse(&pair));
    CU_ASSERT_EQUAL(g_strcmp0(transport_tls_facts(pair.client.transport).version, "TLS1.3"), 0);
}

static void a_start_may_pin_another_version(void)
{
    g_auto(TlsPair) pair = {0};

    tls_pair_connect(&pair);
    pair.client.settings = transport_tls_new(&tls_alice, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pair.client.settings);
    CU_ASSERT_TRUE(transport_tls_start(pair.client.transport, pair.client.settings, ONLY("1.2"),
                                       NULL, 0, NULL));
    tls_end_serve(&pair.server, &tls_keeper, NULL, 0);
    CU_ASSERT_TRUE(converse(&pair));
    CU_ASSERT_EQUAL(g_strcmp0(transport_tls_facts(pair.client.transport).version, "TLS1.2"), 0);
}

static void who_has_no_version_in_common_is_told(void)
{
    TransportTlsOptions old = certified_client;
    RefTlsOptions new = certified_server;
    g_auto(TlsPair) pair = {0};

    old.priorities = ONLY("1.1");
    new.priorities = ONLY("1.3");
    tls_pair_start(&pair, &old, &new);
    CU_ASSERT_FALSE(converse(&pair));
    CU_ASSERT_EQUAL(tls_end_state(&pair.client), TRANSPORT_TLS_ALERT);
    CU_ASSERT_EQUAL(transport_tls_facts(pair.client.transport).alert, 70);
    CU_ASSERT_TRUE(tls_end_says(&pair.client, "inside the handshake with alert 70"));
    CU_ASSERT_EQUAL(tls_end_state(&pair.server), TRANSPORT_TLS_BROKEN);
}

/* ---- Trust ----------------------------------------------------------------------------------- */

/* The client refuses the server, and knows why. */
static void client_refuses(const TransportTlsOptions *client, const char *server_folder,
                           const char *why)
{
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++) {
        g_auto(TlsPair) pair = {0};
        g_autofree char *only = g_strconcat(ONLY(""), versions[i], NULL);
        RefTlsOptions server = {.certificates = server_folder, .priorities = only};
        tls_pair_start(&pair, client, &server);
        CU_ASSERT_FALSE(converse(&pair));
        CU_ASSERT_TRUE(pair.client.closed && pair.client.refused);
        CU_ASSERT_EQUAL(pair.server.in->len, 0);
        CU_ASSERT_EQUAL(tls_end_state(&pair.client), TRANSPORT_TLS_UNTRUSTED);
        CU_ASSERT_FALSE(transport_tls_facts(pair.client.transport).certified);
        CU_ASSERT_TRUE(tls_end_says(&pair.client, why));
        CU_ASSERT_EQUAL(tls_end_state(&pair.server), TRANSPORT_TLS_ALERT);
    }
}

static void an_unknown_authority_is_refused(void)
{
    client_refuses(&certified_client, CERTIFICATES("stranger"), "issuer");
}

static void another_hosts_certificate_is_refused(void)
{
    client_refuses(&certified_client, CERTIFICATES("elsewhere"), "name");
}

static void an_old_certificate_is_refused(void)
{
    client_refuses(&certified_client, CERTIFICATES("expired"), "expired");
}

static void trusts(const TransportTlsOptions *client, const char *server_folder, bool certified)
{
    g_auto(TlsPair) pair = {0};
    RefTlsOptions server = {.certificates = server_folder};

    tls_pair_start(&pair, client, &server);
    CU_ASSERT_TRUE(converse(&pair));
    CU_ASSERT_EQUAL(transport_tls_facts(pair.client.transport).certified, certified);
}

static void the_name_may_be_an_address_or_any(void)
{
    TransportTlsOptions client = certified_client;

    client.hostname = "127.0.0.1";
    trusts(&client, CERTIFICATES("good"), true);
    client.hostname = "::1";
    trusts(&client, CERTIFICATES("good"), true);
    client.hostname = NULL;
    trusts(&client, CERTIFICATES("elsewhere"), true);
    client.hostname = "127.0.0.2";
    client_refuses(&client, CERTIFICATES("good"), "name");
}

static void the_authorities_may_be_a_file(void)
{
    TransportTlsOptions client = certified_client;

    client.certificates = CERTIFICATES("good/ca-cert.pem");
    trusts(&client, CERTIFICATES("good"), true);
    client_refuses(&client, CERTIFICATES("stranger"), "issuer");
}

static void who_does_not_verify_takes_anyone(void)
{
    TransportTlsOptions client = certified_client;

    client.verify_peer = false;
    trusts(&client, CERTIFICATES("stranger"), false);
    trusts(&client, CERTIFICATES("elsewhere"), false);
}

/* In TLS 1.3 the client has finished by then: it hears of it when it reads. */
static void server_refuses(const char *client_folder)
{
    for (size_t i = 2; i < G_N_ELEMENTS(versions); i++) {
        g_auto(TlsPair) pair = {0};
        g_autofree char *only = g_strconcat(ONLY(""), versions[i], NULL);
        TransportTlsOptions client = certified_client;
        RefTlsOptions server = certified_server;
        client.certificates = client_folder;
        client.verify_peer = false;
        client.priorities = only;
        server.verify_peer = true;
        tls_pair_start(&pair, &client, &server);
        CU_ASSERT_FALSE(converse(&pair));
        CU_ASSERT_EQUAL(tls_end_state(&pair.server), TRANSPORT_TLS_UNTRUSTED);
        CU_ASSERT_EQUAL(pair.server.in->len, 0);
        CU_ASSERT_EQUAL(tls_end_state(&pair.client), TRANSPORT_TLS_ALERT);
        CU_ASSERT_TRUE(tls_end_says(&pair.client, "alert"));
    }
}

static void a_server_may_want_certificates_too(void)
{
    RefTlsOptions server = certified_server;
    g_auto(TlsPair) pair = {0};

    server.verify_peer = true;
    tls_pair_start(&pair, &certified_client, &server);
    CU_ASSERT_TRUE(converse(&pair));
    server_refuses(CERTIFICATES("anonymous"));
}

/* Clients keep certificates to themselves whose issuer the server has not named, so strangers come without. */
static void a_strangers_certificate_is_refused(void)
{
    server_refuses(CERTIFICATES("stranger"));
}

static void wrong_keys_are_refused(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++) {
        g_auto(TlsPair) pair = {0};
        g_autofree char *only = g_strconcat(ONLY(""), versions[i], NULL);
        TransportTlsOptions impostor = {
            .psk_file = CERTIFICATES("wrong.psk"), .username = "alice", .priorities = only};
        tls_pair_start(&pair, &impostor, &tls_keeper);
        CU_ASSERT_FALSE(converse(&pair));
        CU_ASSERT_EQUAL(tls_end_state(&pair.client), TRANSPORT_TLS_ALERT);
        CU_ASSERT_TRUE(tls_end_says(&pair.client, "alert"));
        CU_ASSERT_EQUAL(tls_end_state(&pair.server), TRANSPORT_TLS_BROKEN);
    }
}

/* In TLS 1.3 the server takes the handshake for done, and hears of it when it reads. */
static void who_shares_a_key_takes_no_certificate(void)
{
    for (size_t i = 2; i < G_N_ELEMENTS(versions); i++) {
        g_auto(TlsPair) pair = {0};
        g_autofree char *only = g_strconcat(ONLY(""), versions[i], NULL);
        TransportTlsOptions client = tls_alice;
        client.priorities = only;
        tls_pair_start(&pair, &client, &certified_server);
        CU_ASSERT_FALSE(converse(&pair));
        CU_ASSERT_EQUAL(pair.server.in->len, 0);
        CU_ASSERT_FALSE(transport_tls_facts(pair.client.transport).established);
        bool chose = strcmp(versions[i], "1.3") == 0;
        CU_ASSERT_EQUAL(tls_end_state(&pair.client),
                        chose ? TRANSPORT_TLS_UNTRUSTED : TRANSPORT_TLS_ALERT);
        CU_ASSERT_EQUAL(tls_end_state(&pair.server),
                        chose ? TRANSPORT_TLS_ALERT : TRANSPORT_TLS_BROKEN);
        CU_ASSERT_TRUE(tls_end_says(&pair.client, chose ? "by the means" : "alert"));
    }
}

/* ---- Options --------------------------------------------------------------------------------- */

static void is_refused(const TransportTlsOptions *options, const char *why)
{
    g_autoptr(GError) error = NULL;

    CU_ASSERT_PTR_NULL(transport_tls_new(options, &error));
    CU_ASSERT_TRUE_FATAL(g_error_matches(error, TRANSPORT_ERROR, TRANSPORT_ERROR_TLS));
    CU_ASSERT_PTR_NOT_NULL(strstr(error->message, why));
}

static void unfit_options_are_told(void)
{
    TransportTlsOptions nowhere = {.certificates = "/nonexistent"};
    TransportTlsOptions no_keys = {.psk_file = "/nonexistent"};
    TransportTlsOptions carol = {.psk_file = CERTIFICATES("keys.psk"), .username = "carol"};
    TransportTlsOptions ali = {.psk_file = CERTIFICATES("keys.psk"), .username = "ali"};
    TransportTlsOptions not_pem = {.certificates = CERTIFICATES("keys.psk")};
    TransportTlsOptions odd = {.psk_file = CERTIFICATES("keys.psk"),
                               .username = "alice",
                               .priorities = "NORMAL:+NONSENSE"};

    is_refused(&nowhere, "/nonexistent");
    is_refused(&no_keys, "/nonexistent");
    is_refused(&carol, "\"carol\"");
    is_refused(&ali, "\"ali\"");
    is_refused(&not_pem, "keys.psk");
    is_refused(&odd, "NONSENSE");
}

static void an_impossible_start_leaves_the_stream_plain(void)
{
    g_auto(TlsPair) pair = {0};
    g_autoptr(GError) odd = NULL, twice = NULL;
    g_autoptr(TransportTls) settings = transport_tls_new(&tls_alice, NULL);

    tls_pair_connect(&pair);
    CU_ASSERT_FALSE(transport_tls_start(pair.client.transport, settings, "ODD", NULL, 0, &odd));
    CU_ASSERT_TRUE(g_error_matches(odd, TRANSPORT_ERROR, TRANSPORT_ERROR_TLS));
    CU_ASSERT_EQUAL(tls_end_state(&pair.client), TRANSPORT_TLS_NONE);
    CU_ASSERT_TRUE(converse(&pair));
    CU_ASSERT_TRUE(transport_tls_start(pair.client.transport, settings, NULL, NULL, 0, NULL));
    CU_ASSERT_FALSE(transport_tls_start(pair.client.transport, settings, NULL, NULL, 0, &twice));
    CU_ASSERT_TRUE(g_error_matches(twice, TRANSPORT_ERROR, TRANSPORT_ERROR_TLS));
    transport_free(g_steal_pointer(&pair.client.transport)); /* before the settings */
    pair.client.transport = transport_adopt(-1);
}

void transport_tls_tests(void)
{
    CU_pSuite suite = CU_add_suite("transport_tls", NULL, NULL);

    CU_ADD_TEST(suite, certificates_in_every_version);
    CU_ADD_TEST(suite, shared_keys_in_every_version);
    CU_ADD_TEST(suite, unpinned_ends_take_the_newest_version);
    CU_ADD_TEST(suite, a_start_may_pin_another_version);
    CU_ADD_TEST(suite, who_has_no_version_in_common_is_told);
    CU_ADD_TEST(suite, an_unknown_authority_is_refused);
    CU_ADD_TEST(suite, another_hosts_certificate_is_refused);
    CU_ADD_TEST(suite, an_old_certificate_is_refused);
    CU_ADD_TEST(suite, the_name_may_be_an_address_or_any);
    CU_ADD_TEST(suite, the_authorities_may_be_a_file);
    CU_ADD_TEST(suite, who_does_not_verify_takes_anyone);
    CU_ADD_TEST(suite, a_server_may_want_certificates_too);
    CU_ADD_TEST(suite, a_strangers_certificate_is_refused);
    CU_ADD_TEST(suite, wrong_keys_are_refused);
    CU_ADD_TEST(suite, who_shares_a_key_takes_no_certificate);
    CU_ADD_TEST(suite, unfit_options_are_told);
    CU_ADD_TEST(suite, an_impossible_start_leaves_the_stream_plain);
}
