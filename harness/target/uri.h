/* NBD URIs, taken apart as uri.md says. Private to target/. */
#ifndef NBDCONFORM_TARGET_URI_H
#define NBDCONFORM_TARGET_URI_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum { URI_TLS_ANY, URI_TLS_ANON, URI_TLS_X509, URI_TLS_PSK } UriTlsType;

typedef struct {
    bool tls;   /* nbds: or nbds+unix: encryption is a must */
    bool local; /* nbd+unix: or nbds+unix: */
    char *user; /* for TLS; or NULL */
    char *host; /* without brackets */
    uint16_t port;
    GBytes *socket; /* its path; a leading NUL means the abstract namespace */
    char *export_name;
    const char *tls_parameter; /* one of those below that was given, or NULL */
    UriTlsType tls_type;
    char *tls_hostname;
    bool tls_verify_peer;
} Uri;

/* What TEXT says, with the defaults of uri.md filled in; NULL and a TARGET_ERROR_SYNTAX that names the
 * first mistake. Whether TLS can be had is the caller's question. */
Uri *uri_parse(const char *text, GError **error);
void uri_free(Uri *uri);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Uri, uri_free)

#define URI_DEFAULT_PORT 10809

/* Sets ERROR to a TARGET_ERROR_SYNTAX; false, to be returned. */
bool target_mistake(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
