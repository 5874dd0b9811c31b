/* Takes NBD URIs apart. GLib splits them; what the components mean is uri.md's. */
#include <string.h>

#include "target/target.h"
#include "target/uri.h"
#include "wire/wire.h"

void uri_free(Uri *uri)
{
    if (uri == NULL)
        return;
    g_free(uri->user);
    g_free(uri->host);
    g_clear_pointer(&uri->socket, g_bytes_unref);
    g_free(uri->export_name);
    g_free(uri->tls_hostname);
    g_free(uri);
}

/* ---- Scheme ----------------------------------------------------------------------------------- */

static bool read_scheme(Uri *uri, const char *scheme, GError **error)
{
    static const struct {
        const char *name;
        bool tls, local;
    } schemes[] = {
        {"nbd", false, false},
        {"nbds", true, false},
        {"nbd+unix", false, true},
        {"nbds+unix", true, true},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++) {
        if (g_str_equal(schemes[i].name, scheme)) {
            uri->tls = schemes[i].tls;
            uri->local = schemes[i].local;
            return true;
        }
    }
    return target_mistake(error, "\"%s\" is none of the schemes nbd, nbds, nbd+unix, nbds+unix",
                          scheme);
}

/* ---- Authority -------------------------------------------------------------------------------- */

/* What should happen without an authority, or with one beside a socket, is left to the client
 * (uri.md:104): the one means this machine, the other is a slip worth a word. */
static bool read_authority(Uri *uri, const char *user, const char *host, int port, GError **error)
{
    if (user != NULL) {
        uri->user = g_uri_unescape_string(user, NULL);
        if (uri->user == NULL)
            return target_mistake(error, "the user name \"%s\" is not well encoded", user);
    }
    if (uri->local) {
        if ((host != NULL && host[0] != '\0') || port != -1)
            return target_mistake(
                error,
                "a Unix socket has no host, but \"%s\" stands where one would be; the "
                "form is nbd+unix:///EXPORT?socket=PATH",
                host);
        return true;
    }
    if (port == 0)
        return target_mistake(error, "port 0 cannot be connected to; ports are 1 to 65535");
    uri->port = port == -1 ? URI_DEFAULT_PORT : (uint16_t)port;
    if (host == NULL || host[0] == '\0')
        uri->host = g_strdup("localhost");
    else
        uri->host = g_strdup(host);
    return true;
}

/* ---- Path: the export's name ------------------------------------------------------------------ */

static bool read_export_name(Uri *uri, const char *path, GError **error)
{
    if (path[0] == '\0') {
        uri->export_name = g_strdup("");
        return true;
    }
    if (path[0] != '/')
        return target_mistake(
            error, "\"%s\" does not start with /; the form is nbd://HOST:PORT/EXPORT", path);

    /* Only the first slash is the URI's; more belong to the name (uri.md:126). */
    g_autoptr(GError) encoding = NULL;
    g_autoptr(GBytes) name = g_uri_unescape_bytes(path + 1, -1, NULL, &encoding);
    if (name == NULL)
        return target_mistake(error, "the export name \"%s\" is not well encoded: %s", path + 1,
                              encoding->message);

    size_t length;
    const char *text = g_bytes_get_data(name, &length);
    switch (wire_check_string((const uint8_t *)text, length)) {
    case WIRE_STRING_NUL:
        return target_mistake(error, "an export name cannot contain NUL (%%00)");
    case WIRE_STRING_NOT_UTF8:
        return target_mistake(error, "the export name \"%s\" is not UTF-8", path + 1);
    case WIRE_STRING_TOO_LONG:
        return target_mistake(error, "the export name has %zu bytes; the protocol allows 4096",
                              length);
    default:
        uri->export_name = g_strndup(text, length);
        return true;
    }
}

/* ---- Query parameters ------------------------------------------------------------------------- */

static bool read_socket(Uri *uri, GBytes *value, GError **error)
{
    size_t length;
    const char *path = g_bytes_get_data(value, &length);

    if (!uri->local)
        return target_mistake(error,
                              "the parameter \"socket\" belongs to nbd+unix:// and nbds+unix://");
    if (uri->socket != NULL)
        return target_mistake(error, "the parameter \"socket\" is given twice");
    if (length == 0 || (length == 1 && path[0] == '\0'))
        return target_mistake(error, "the parameter \"socket\" is empty; it is the socket's path");
    if (path[0] != '\0' && memchr(path, '\0', length) != NULL)
        return target_mistake(error,
                              "the socket's path contains NUL (%%00) behind its start; only at the "
                              "start has it a meaning, the abstract namespace");
    uri->socket = g_bytes_ref(value);
    return true;
}

static bool read_tls_type(Uri *uri, const char *value, GError **error)
{
    static const char *const types[] = {
        [URI_TLS_ANON] = "anon",
        [URI_TLS_X509] = "x509",
        [URI_TLS_PSK] = "psk",
    };

    for (size_t i = URI_TLS_ANON; i < G_N_ELEMENTS(types); i++) {
        if (g_str_equal(types[i], value)) {
            uri->tls_type = (UriTlsType)i;
            return true;
        }
    }
    return target_mistake(error, "\"tls-type=%s\" is none of anon, x509, psk", value);
}

/* False without an error where there is no such parameter. */
static bool read_tls_parameter(Uri *uri, const char *key, const char *value, GError **error)
{
    if (g_str_equal(key, "tls-type")) {
        uri->tls_parameter = "tls-type";
        return read_tls_type(uri, value, error);
    }
    if (g_str_equal(key, "tls-hostname")) {
        uri->tls_parameter = "tls-hostname";
        g_free(uri->tls_hostname);
        uri->tls_hostname = g_strdup(value);
        return true;
    }
    if (g_str_equal(key, "tls-verify-peer")) {
        uri->tls_parameter = "tls-verify-peer";
        uri->tls_verify_peer = g_str_equal(value, "1");
        if (!uri->tls_verify_peer && !g_str_equal(value, "0"))
            return target_mistake(error, "\"tls-verify-peer=%s\" is neither 0 nor 1", value);
        return true;
    }
    return false;
}

static bool read_parameter(Uri *uri, const char *parameter, GError **error)
{
    const char *equal = strchrnul(parameter, '=');
    g_autofree char *key = g_uri_unescape_segment(parameter, equal, NULL);
    g_autoptr(GBytes) value =
        g_uri_unescape_bytes(equal[0] == '=' ? equal + 1 : "", -1, NULL, NULL);

    if (key == NULL || value == NULL)
        return target_mistake(error, "the parameter \"%s\" is not well encoded", parameter);
    if (g_str_equal(key, "socket"))
        return read_socket(uri, value, error);

    g_autofree char *text = g_strndup(g_bytes_get_data(value, NULL), g_bytes_get_size(value));
    GError *wrong = NULL;
    if (read_tls_parameter(uri, key, text, &wrong))
        return true;
    if (wrong != NULL) {
        g_propagate_error(error, wrong);
        return false;
    }
    /* Experiments of others (uri.md:165) are none of our business; anything else may be a slip. */
    if (g_str_has_prefix(key, "x-"))
        return true;
    return target_mistake(error,
                          "unknown parameter \"%s\"; there are socket, tls-type, tls-hostname and "
                          "tls-verify-peer",
                          key);
}

static bool read_query(Uri *uri, const char *query, GError **error)
{
    if (query != NULL) {
        g_auto(GStrv) parameters = g_strsplit(query, "&", -1);
        for (char **parameter = parameters; *parameter != NULL; parameter++)
            if (**parameter != '\0' && !read_parameter(uri, *parameter, error))
                return false;
    }
    if (uri->local && uri->socket == NULL)
        return target_mistake(error, "the socket's path is missing; the form is "
                                     "nbd+unix:///EXPORT?socket=PATH");
    return true;
}

/* ---- The whole -------------------------------------------------------------------------------- */

/* GLib is lenient about bytes that no URI contains (RFC 3986, section 2). */
static bool check_characters(const char *text, GError **error)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (g_ascii_isspace(*at) || g_ascii_iscntrl(*at))
            return target_mistake(error, "a URI contains no %s; byte %zu would be written %%%02X",
                                  *at == ' ' ? "spaces" : "control characters",
                                  (size_t)(at - text) + 1, (unsigned char)*at);
    }
    return true;
}

static bool read_uri(Uri *uri, const char *text, GError **error)
{
    g_autofree char *scheme = NULL, *user = NULL, *host = NULL, *path = NULL, *query = NULL,
                    *fragment = NULL;
    g_autoptr(GError) syntax = NULL;
    int port;

    if (!check_characters(text, error))
        return false;
    if (!g_uri_split(text, G_URI_FLAGS_ENCODED, &scheme, &user, &host, &port, &path, &query,
                     &fragment, &syntax))
        return target_mistake(error, "%s; the form is nbd://HOST:PORT/EXPORT", syntax->message);
    if (fragment != NULL)
        return target_mistake(
            error, "\"#%s\" has no meaning here; in an export name # is written %%23", fragment);
    return read_scheme(uri, scheme, error) && read_authority(uri, user, host, port, error) &&
           read_export_name(uri, path, error) && read_query(uri, query, error);
}

Uri *uri_parse(const char *text, GError **error)
{
    Uri *uri = g_new0(Uri, 1);

    uri->tls_verify_peer = true;
    if (read_uri(uri, text, error))
        return uri;
    uri_free(uri);
    return NULL;
}
