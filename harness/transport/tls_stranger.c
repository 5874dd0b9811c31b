/* Clients whom a server that cares for credentials turns away: they have none, or such as nobody knows. */
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <time.h>

#include "transport/private.h"

#define KEY_SIZE 32
#define A_DAY (24 * 60 * 60)

/* Nobody has signed it but its owner. */
static int sign_for_oneself(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key)
{
    static const char serial[] = {1};
    static const char name[] = "nbdconform: a stranger";
    time_t now = time(NULL);
    int status = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                              GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);

    if (status >= 0)
        status = gnutls_x509_crt_set_version(certificate, 3);
    if (status >= 0)
        status = gnutls_x509_crt_set_serial(certificate, serial, sizeof serial);
    if (status >= 0)
        status = gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                               sizeof name - 1);
    if (status >= 0)
        status = gnutls_x509_crt_set_activation_time(certificate, now - A_DAY);
    if (status >= 0)
        status = gnutls_x509_crt_set_expiration_time(certificate, now + A_DAY);
    if (status >= 0)
        status = gnutls_x509_crt_set_key(certificate, key);
    if (status >= 0)
        status = gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0);
    return status;
}

static int make_certificate(gnutls_certificate_credentials_t credentials)
{
    gnutls_x509_crt_t certificate;
    gnutls_x509_privkey_t key;

    gnutls_x509_crt_init(&certificate);
    gnutls_x509_privkey_init(&key);
    int status = sign_for_oneself(certificate, key);
    if (status >= 0)
        status = gnutls_certificate_set_x509_key(credentials, &certificate, 1, key);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
    return status;
}

static int make_key(gnutls_psk_client_credentials_t credentials, const char *username)
{
    uint8_t bytes[KEY_SIZE];
    const gnutls_datum_t key = {.data = bytes, .size = sizeof bytes};
    int status = gnutls_rnd(GNUTLS_RND_KEY, bytes, sizeof bytes);

    return status < 0
               ? status
               : gnutls_psk_set_client_credentials(credentials, username, &key, GNUTLS_PSK_KEY_RAW);
}

TransportTls *transport_tls_stranger(const TransportTls *known, TransportTlsStranger kind,
                                     GError **error)
{
    g_autoptr(TransportTls) tls = g_new0(TransportTls, 1);
    int status = 0;

    tls->forward = true;
    tls->hostname = g_strdup(known->hostname);
    tls->username = g_strdup(known->username);
    tls->priorities = g_strdup(known->priorities);
    if (kind == TRANSPORT_TLS_WRONG && known->client_psk != NULL) {
        gnutls_psk_allocate_client_credentials(&tls->client_psk);
        status = make_key(tls->client_psk, tls->username);
    } else {
        gnutls_certificate_allocate_credentials(&tls->certificates);
        if (kind == TRANSPORT_TLS_WRONG)
            status = make_certificate(tls->certificates);
    }
    if (status >= 0)
        return g_steal_pointer(&tls);
    g_set_error(error, TRANSPORT_ERROR, TRANSPORT_ERROR_TLS, "cannot make credentials: %s",
                gnutls_strerror(status));
    return NULL;
}
