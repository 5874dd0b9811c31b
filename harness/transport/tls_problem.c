/* What GnuTLS's errors mean for a stream, and in plain words. */
#include "transport/private.h"

TransportTlsState tls_state_of(int code)
{
    switch (code) {
    case GNUTLS_E_PREMATURE_TERMINATION:
    case GNUTLS_E_PULL_ERROR:
    case GNUTLS_E_PUSH_ERROR:
        return TRANSPORT_TLS_CUT;
    case GNUTLS_E_FATAL_ALERT_RECEIVED:
        return TRANSPORT_TLS_ALERT;
    case GNUTLS_E_CERTIFICATE_ERROR:
    case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
    case GNUTLS_E_CERTIFICATE_REQUIRED:
    case GNUTLS_E_NO_CERTIFICATE_FOUND:
    case GNUTLS_E_INSUFFICIENT_CREDENTIALS:
        return TRANSPORT_TLS_UNTRUSTED;
    default:
        return TRANSPORT_TLS_BROKEN;
    }
}

static char *explain_alert(gnutls_session_t session, bool established)
{
    gnutls_alert_description_t alert = gnutls_alert_get(session);
    const char *name = gnutls_alert_get_name(alert);

    return g_strdup_printf("the peer ended TLS%s with alert %d (%s)",
                           established ? "" : " inside the handshake", (int)alert,
                           name == NULL ? "unknown" : name);
}

static char *explain_distrust(gnutls_session_t session, int code)
{
    unsigned status = gnutls_session_get_verify_cert_status(session);
    gnutls_datum_t text = {0};

    if (code == GNUTLS_E_CERTIFICATE_REQUIRED || code == GNUTLS_E_NO_CERTIFICATE_FOUND)
        return g_strdup("the peer has no certificate");
    if (code == GNUTLS_E_INSUFFICIENT_CREDENTIALS)
        return g_strdup("the peer does not authenticate itself by the means that were asked for");
    if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) < 0)
        return g_strdup_printf("the peer's certificate is not to be trusted: %s",
                               gnutls_strerror(code));
    g_autofree char *why = g_strdup((const char *)text.data);
    gnutls_free(text.data);
    return g_strdup_printf("the peer's certificate is not to be trusted: %s", g_strstrip(why));
}

/* What GnuTLS says when the first bytes are not of its protocol is about lengths and versions of packets
 * that never were. */
static bool is_no_tls(int code, bool established)
{
    return !established &&
           (code == GNUTLS_E_UNEXPECTED_PACKET_LENGTH || code == GNUTLS_E_UNEXPECTED_PACKET ||
            code == GNUTLS_E_UNSUPPORTED_VERSION_PACKET);
}

char *tls_explain(gnutls_session_t session, int code, bool established)
{
    switch (tls_state_of(code)) {
    case TRANSPORT_TLS_CUT:
        return g_strdup(established ? "the peer ended the stream without TLS's close_notify"
                                    : "the peer ended the stream inside the TLS handshake");
    case TRANSPORT_TLS_ALERT:
        return explain_alert(session, established);
    case TRANSPORT_TLS_UNTRUSTED:
        return explain_distrust(session, code);
    default:
        return g_strdup_printf("%s: %s",
                               is_no_tls(code, established)
                                   ? "what the peer sent is no TLS handshake"
                               : established ? "TLS is broken"
                                             : "the TLS handshake failed",
                               gnutls_strerror(code));
    }
}
