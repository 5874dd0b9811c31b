/* TLS's keys, certificates and priorities, loaded once. */
#include <arpa/inet.h>
#include <string.h>

#include "transport/private.h"

#define PRIORITIES "NORMAL"
/* No common set of priorities has pre-shared keys in it. */
#define PSK_PRIORITIES ":+ECDHE-PSK:+DHE-PSK:+PSK"

static bool fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool fail(GError **error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, TRANSPORT_ERROR, TRANSPORT_ERROR_TLS, text);
    return false;
}

/* ---- Certificates ---------------------------------------------------------------------------- */

static bool load_trust(TransportTls *tls, const char *file, GError **error)
{
    int count =
        gnutls_certificate_set_x509_trust_file(tls->certificates, file, GNUTLS_X509_FMT_PEM);

    if (count <= 0)
        return fail(error, "cannot load the certificate authorities in %s: %s", file,
                    count == 0 ? "there are none" : gnutls_strerror(count));
    return true;
}

static bool load_revoked(TransportTls *tls, const char *folder, GError **error)
{
    g_autofree char *file = g_build_filename(folder, "ca-crl.pem", NULL);

    if (!g_file_test(file, G_FILE_TEST_EXISTS))
        return true;
    int count = gnutls_certificate_set_x509_crl_file(tls->certificates, file, GNUTLS_X509_FMT_PEM);
    return count >= 0 ||
           fail(error, "cannot load what is revoked in %s: %s", file, gnutls_strerror(count));
}

/* A client may do without a certificate of its own. */
static bool load_own(TransportTls *tls, const char *folder, GError **error)
{
    g_autofree char *certificate = g_build_filename(folder, "client-cert.pem", NULL);
    g_autofree char *key = g_build_filename(folder, "client-key.pem", NULL);

    if (!g_file_test(certificate, G_FILE_TEST_EXISTS))
        return true;
    int status = gnutls_certificate_set_x509_key_file(tls->certificates, certificate, key,
                                                      GNUTLS_X509_FMT_PEM);
    return status >= 0 || fail(error, "cannot load the certificate %s with its key %s: %s",
                               certificate, key, gnutls_strerror(status));
}

static bool load_folder(TransportTls *tls, const char *folder, GError **error)
{
    g_autofree char *authorities = g_build_filename(folder, "ca-cert.pem", NULL);

    return load_trust(tls, authorities, error) && load_revoked(tls, folder, error) &&
           load_own(tls, folder, error);
}

static bool load_certificates(TransportTls *tls, const char *where, GError **error)
{
    gnutls_certificate_allocate_credentials(&tls->certificates);
    if (where != NULL && g_file_test(where, G_FILE_TEST_IS_DIR))
        return load_folder(tls, where, error);
    if (where != NULL)
        return load_trust(tls, where, error);
    /* Systems without any authorities are no error as long as nobody is to be trusted. */
    int count = gnutls_certificate_set_x509_system_trust(tls->certificates);
    return count > 0 || !tls->verify_peer ||
           fail(error, "the system trusts no certificate authorities: %s",
                count == 0 ? "there are none" : gnutls_strerror(count));
}

/* ---- Pre-shared keys ------------------------------------------------------------------------- */

/* The user's line begins with the name and a colon, as gnutls's own psktool writes it. */
static char *find_key(const char *text, const char *username)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autofree char *start = g_strconcat(username, ":", NULL);

    for (char **line = lines; *line != NULL; line++)
        if (g_str_has_prefix(*line, start))
            return g_strdup(g_strstrip(*line + strlen(start)));
    return NULL;
}

static bool load_client_key(TransportTls *tls, const char *file, const char *username,
                            GError **error)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) cause = NULL;

    if (!g_file_get_contents(file, &text, NULL, &cause))
        return fail(error, "cannot load pre-shared keys: %s", cause->message);
    g_autofree char *key = find_key(text, username);
    if (key == NULL)
        return fail(error, "%s has no pre-shared key of the user \"%s\"", file, username);
    gnutls_datum_t datum = {.data = (unsigned char *)key, .size = (unsigned)strlen(key)};
    gnutls_psk_allocate_client_credentials(&tls->client_psk);
    int status =
        gnutls_psk_set_client_credentials(tls->client_psk, username, &datum, GNUTLS_PSK_KEY_HEX);
    return status >= 0 || fail(error, "cannot use the pre-shared key of \"%s\" in %s: %s", username,
                               file, gnutls_strerror(status));
}

/* ---- All of it ------------------------------------------------------------------------------- */

static bool load_credentials(TransportTls *tls, const TransportTlsOptions *options, GError **error)
{
    if (options->psk_file == NULL)
        return load_certificates(tls, options->certificates, error);
    tls->username = g_strdup(options->username != NULL ? options->username : g_get_user_name());
    return load_client_key(tls, options->psk_file, tls->username, error);
}

static char *whole_priorities(const TransportTls *tls, const char *priorities)
{
    return g_strconcat(priorities, tls->certificates == NULL ? PSK_PRIORITIES : "", NULL);
}

static bool priorities_fail(const char *priorities, const char *at, GError **error)
{
    return fail(error, "TLS priorities \"%s\" are not understood at \"%s\"", priorities,
                at == NULL ? "" : at);
}

static bool check_priorities(const TransportTls *tls, GError **error)
{
    gnutls_priority_t parsed;
    const char *at = NULL;
    g_autofree char *whole = whole_priorities(tls, tls->priorities);

    if (gnutls_priority_init(&parsed, whole, &at) < 0)
        return priorities_fail(whole, at, error);
    gnutls_priority_deinit(parsed);
    return true;
}

TransportTls *transport_tls_new(const TransportTlsOptions *options, GError **error)
{
    g_autoptr(TransportTls) tls = g_new0(TransportTls, 1);

    tls->verify_peer = options->verify_peer;
    tls->hostname = g_strdup(options->hostname);
    tls->priorities = g_strdup(options->priorities != NULL ? options->priorities : PRIORITIES);
    if (!load_credentials(tls, options, error) || !check_priorities(tls, error))
        return NULL;
    return g_steal_pointer(&tls);
}

void transport_tls_free(TransportTls *tls)
{
    if (tls == NULL)
        return;
    if (tls->certificates != NULL)
        gnutls_certificate_free_credentials(tls->certificates);
    if (tls->client_psk != NULL)
        gnutls_psk_free_client_credentials(tls->client_psk);
    g_free(tls->hostname);
    g_free(tls->username);
    g_free(tls->priorities);
    g_free(tls);
}

/* ---- For one stream -------------------------------------------------------------------------- */

static bool is_address(const char *name)
{
    struct in6_addr unused;

    return inet_pton(AF_INET, name, &unused) == 1 || inet_pton(AF_INET6, name, &unused) == 1;
}

static void apply_verification(const TransportTls *tls, gnutls_session_t session)
{
    /* RFC 6066 has only names of hosts here, no addresses. */
    if (tls->hostname != NULL && !is_address(tls->hostname))
        gnutls_server_name_set(session, GNUTLS_NAME_DNS, tls->hostname, strlen(tls->hostname));
    if (tls->verify_peer && tls->certificates != NULL)
        gnutls_session_set_verify_cert(session, tls->hostname, 0);
}

bool tls_settings_apply(const TransportTls *tls, const char *priorities, gnutls_session_t session,
                        GError **error)
{
    g_autofree char *whole =
        whole_priorities(tls, priorities != NULL ? priorities : tls->priorities);
    const char *at = NULL;

    if (gnutls_priority_set_direct(session, whole, &at) < 0)
        return priorities_fail(whole, at, error);
    if (tls->certificates != NULL)
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->certificates);
    else
        gnutls_credentials_set(session, GNUTLS_CRD_PSK, tls->client_psk);
    apply_verification(tls, session);
    return true;
}
