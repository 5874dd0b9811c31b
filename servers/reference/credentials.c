/* What a server needs for TLS: certificates from a folder, or keys that it shares with its clients. */
#include <string.h>
#include <unistd.h>

#include "reference/tls.h"

/* What every implementation must and should have, and nothing older ("TLS versions"). */
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* Where nothing else than a key tells who is who. */
#define WITH_KEYS ":+ECDHE-PSK:+DHE-PSK:+PSK"

struct RefTls {
    gnutls_certificate_credentials_t certificates; /* either these */
    gnutls_psk_server_credentials_t keys;          /* or those */
    gnutls_priority_t priorities;
    bool verify_peer;
};

static bool check(int status, const char *what, const char *file, GError **error)
{
    if (status >= 0)
        return true;
    g_set_error(error, REF_ERROR, REF_ERROR_CONFIG, "cannot use %s %s: %s", what, file,
                gnutls_strerror(status));
    return false;
}

static bool load_certificates(RefTls *tls, const char *folder, GError **error)
{
    g_autofree char *authorities = g_build_filename(folder, "ca-cert.pem", NULL);
    g_autofree char *revoked = g_build_filename(folder, "ca-crl.pem", NULL);
    g_autofree char *own = g_build_filename(folder, "server-cert.pem", NULL);
    g_autofree char *key = g_build_filename(folder, "server-key.pem", NULL);
    const gnutls_x509_crt_fmt_t pem = GNUTLS_X509_FMT_PEM;

    if (!check(gnutls_certificate_allocate_credentials(&tls->certificates), "certificates in",
               folder, error))
        return false;
    return check(gnutls_certificate_set_x509_trust_file(tls->certificates, authorities, pem),
                 "the authorities in", authorities, error) &&
           (access(revoked, F_OK) != 0 ||
            check(gnutls_certificate_set_x509_crl_file(tls->certificates, revoked, pem),
                  "the revocations in", revoked, error)) &&
           check(gnutls_certificate_set_x509_key_file(tls->certificates, own, key, pem),
                 "the certificate and its key in", own, error);
}

/* GnuTLS looks into the file for each client; that it can be read is seen now. */
static bool load_keys(RefTls *tls, const char *file, GError **error)
{
    int status = gnutls_psk_allocate_server_credentials(&tls->keys);

    if (status >= 0)
        status = access(file, R_OK) == 0 ? gnutls_psk_set_server_credentials_file(tls->keys, file)
                                         : GNUTLS_E_FILE_ERROR;
    return check(status, "the pre-shared keys in", file, error);
}

static char *whole_priorities(const RefTls *tls, const char *text)
{
    return g_strconcat(text, tls->keys != NULL ? WITH_KEYS : "", NULL);
}

static bool parse_priorities(RefTls *tls, const char *text, GError **error)
{
    g_autofree char *whole = whole_priorities(tls, text);

    return check(gnutls_priority_init(&tls->priorities, whole, NULL), "the TLS priorities", whole,
                 error);
}

RefTls *ref_tls_new(const RefTlsOptions *options, GError **error)
{
    g_autoptr(RefTls) tls = g_new0(RefTls, 1);
    const char *priorities = options->priorities != NULL ? options->priorities : PRIORITIES;
    bool loaded;

    tls->verify_peer = options->verify_peer;
    if (options->psk_file == NULL && options->certificates == NULL) {
        g_set_error_literal(error, REF_ERROR, REF_ERROR_CONFIG,
                            "TLS needs certificates or pre-shared keys");
        return NULL;
    }
    loaded = options->psk_file != NULL ? load_keys(tls, options->psk_file, error)
                                       : load_certificates(tls, options->certificates, error);
    if (!loaded || !parse_priorities(tls, priorities, error))
        return NULL;
    return g_steal_pointer(&tls);
}

void ref_tls_free(RefTls *tls)
{
    if (tls == NULL)
        return;
    if (tls->certificates != NULL)
        gnutls_certificate_free_credentials(tls->certificates);
    if (tls->keys != NULL)
        gnutls_psk_free_server_credentials(tls->keys);
    if (tls->priorities != NULL)
        gnutls_priority_deinit(tls->priorities);
    g_free(tls);
}

static int apply_priorities(const RefTls *tls, gnutls_session_t session, const char *others)
{
    if (others == NULL)
        return gnutls_priority_set(session, tls->priorities);
    g_autofree char *whole = whole_priorities(tls, others);
    return gnutls_priority_set_direct(session, whole, NULL);
}

bool ref_tls_apply(const RefTls *tls, gnutls_session_t session, const char *priorities)
{
    int status = apply_priorities(tls, session, priorities);

    if (status >= 0)
        status = tls->keys != NULL
                     ? gnutls_credentials_set(session, GNUTLS_CRD_PSK, tls->keys)
                     : gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->certificates);
    if (status >= 0 && tls->verify_peer && tls->certificates != NULL) {
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
        gnutls_session_set_verify_cert(session, NULL, 0);
    }
    return status >= 0;
}
