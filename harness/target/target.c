/* Understands how people name a server: host and port, a socket's path, an NBD URI. */
#include <arpa/inet.h>
#include <string.h>

#include "target/target.h"
#include "target/uri.h"

G_DEFINE_QUARK(nbdconform - target - error - quark, target_error)

bool target_mistake(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    GError *made = g_error_new_valist(TARGET_ERROR, TARGET_ERROR_SYNTAX, format, args);
    va_end(args);
    g_propagate_error(error, made);
    return false;
}

void target_free(Target *target)
{
    if (target == NULL)
        return;
    g_free(target->name);
    g_free(target->export_name);
    g_free(target->tls.username);
    g_free(target->tls.hostname);
    transport_address_free(target->address);
    g_free(target);
}

/* ---- Addresses -------------------------------------------------------------------------------- */

/* Takes over WRONG, the transport's word on why there is no such address. */
static bool refuse(GError **error, TargetError code, GError *wrong)
{
    g_set_error_literal(error, TARGET_ERROR, (int)code, wrong->message);
    g_error_free(wrong);
    return false;
}

static bool set_tcp(Target *target, const char *host, uint16_t port, GError **error)
{
    GError *wrong = NULL;

    target->address = transport_address_tcp(host, port, &wrong);
    return target->address != NULL || refuse(error, TARGET_ERROR_RESOLVE, wrong);
}

static bool set_unix(Target *target, const char *path, size_t length, GError **error)
{
    GError *wrong = NULL;

    target->address = transport_address_unix(path, length, &wrong);
    return target->address != NULL || refuse(error, TARGET_ERROR_SYNTAX, wrong);
}

/* ---- host:port -------------------------------------------------------------------------------- */

static bool read_port(const char *text, uint16_t *port, GError **error)
{
    guint64 number;

    if (!g_ascii_string_to_unsigned(text, 10, 1, 65535, &number, NULL))
        return target_mistake(error, "the port \"%s\" is not a number from 1 to 65535", text);
    *port = (uint16_t)number;
    return true;
}

static bool is_ipv6(const char *text)
{
    struct in6_addr address;

    return inet_pton(AF_INET6, text, &address) == 1;
}

/* What follows a host: nothing, or a colon and the port. */
static bool read_rest(const char *rest, uint16_t *port, GError **error)
{
    *port = URI_DEFAULT_PORT;
    if (rest[0] == '\0')
        return true;
    if (rest[0] != ':')
        return target_mistake(error, "\"%s\" stands where :PORT could", rest);
    return read_port(rest + 1, port, error);
}

static bool read_bracketed(Target *target, const char *text, GError **error)
{
    const char *end = strchr(text, ']');
    uint16_t port;

    if (end == NULL)
        return target_mistake(error, "the bracket is not closed; the form is [ADDRESS]:PORT");
    if (!read_rest(end + 1, &port, error))
        return false;
    g_autofree char *host = g_strndup(text + 1, (gsize)(end - text) - 1);
    g_auto(GStrv) zone = g_strsplit(host, "%", 2);
    if (zone[0] == NULL || !is_ipv6(zone[0]))
        return target_mistake(error, "\"%s\" is no IPv6 address; only these stand in brackets",
                              host);
    return set_tcp(target, host, port, error);
}

static bool read_host(Target *target, const char *text, GError **error)
{
    const char *colon = strchrnul(text, ':');
    uint16_t port;

    if (text[0] == '[')
        return read_bracketed(target, text, error);
    if (colon[0] == ':' && strchr(colon + 1, ':') != NULL) {
        if (is_ipv6(text))
            return target_mistake(error, "an IPv6 address needs brackets: [%s]", text);
        return target_mistake(error,
                              "more than one colon; the forms are HOST:PORT and [ADDRESS]:PORT");
    }
    for (const char *at = text; *at != '\0'; at++)
        if (g_ascii_isspace(*at) || g_ascii_iscntrl(*at))
            return target_mistake(error, "a host name contains no spaces");
    if (!read_rest(colon, &port, error))
        return false;
    g_autofree char *host = g_strndup(text, (gsize)(colon - text));
    target->tls.hostname = g_strdup(host[0] == '\0' ? "localhost" : host);
    return set_tcp(target, target->tls.hostname, port, error);
}

/* ---- URIs ------------------------------------------------------------------------------------- */

static bool read_tls(Target *target, const Uri *uri, GError **error)
{
    if (uri->tls_type == URI_TLS_ANON) {
        g_set_error(error, TARGET_ERROR, TARGET_ERROR_UNSUPPORTED,
                    "it asks for anonymous TLS (tls-type=anon), which is not in this version");
        return false;
    }
    target->tls = (TargetTls){
        .required = uri->tls,
        .parameter = uri->tls_parameter,
        .type = uri->tls_type == URI_TLS_PSK    ? TARGET_TLS_PSK
                : uri->tls_type == URI_TLS_X509 ? TARGET_TLS_X509
                                                : TARGET_TLS_ANY,
        .username = g_strdup(uri->user),
        .hostname = g_strdup(uri->tls_hostname != NULL ? uri->tls_hostname : uri->host),
        .verify_peer = uri->tls && uri->tls_verify_peer,
    };
    return true;
}

static bool read_uri(Target *target, const char *text, GError **error)
{
    g_autoptr(Uri) uri = uri_parse(text, error);

    if (uri == NULL)
        return false;
    if (!read_tls(target, uri, error))
        return false;
    target->export_name = g_strdup(uri->export_name);
    if (uri->local) {
        gsize length;
        const char *path = g_bytes_get_data(uri->socket, &length);
        return set_unix(target, path, length, error);
    }
    return set_tcp(target, uri->host, uri->port, error);
}

/* "nbd://x" and "nbd+unix:/x" are URIs; "host:10809" is not. */
static bool looks_like_uri(const char *text)
{
    const char *colon = strchr(text, ':');

    if (colon == NULL || !g_ascii_isalpha(text[0]))
        return false;
    for (const char *at = text; at < colon; at++)
        if (!g_ascii_isalnum(*at) && strchr("+-.", *at) == NULL)
            return false;
    return colon[1] == '/' && !g_str_has_prefix(text, "unix:");
}

static bool read_any(Target *target, const char *text, GError **error)
{
    if (text[0] == '\0')
        return target_mistake(error, "it is empty; give HOST:PORT, a socket's path or an NBD URI");
    if (text[0] == '/')
        return set_unix(target, text, strlen(text), error);
    if (looks_like_uri(text))
        return read_uri(target, text, error);
    if (g_str_has_prefix(text, "unix:")) {
        if (text[5] == '\0')
            return target_mistake(error, "the socket's path is missing; the form is unix:PATH");
        return set_unix(target, text + 5, strlen(text + 5), error);
    }
    if (g_str_has_prefix(text, "nbd:"))
        return target_mistake(error, "this is qemu's old notation; write nbd://HOST:PORT/EXPORT or "
                                     "nbd+unix:///EXPORT?socket=PATH");
    if (strchr(text, '/') != NULL)
        return target_mistake(error,
                              "it is neither HOST:PORT nor a URI; write nbd://HOST:PORT/EXPORT, or "
                              "unix:PATH for a socket");
    return read_host(target, text, error);
}

/* What users and URIs hold may hold line breaks, once decoded; a message is one line. */
static void set_one_line(GError **error, const char *text, const GError *wrong)
{
    g_autofree char *whole = g_strdup_printf("target \"%s\": %s", text, wrong->message);
    g_autofree char *shown = g_utf8_make_valid(whole, -1);

    for (char *at = shown; *at != '\0'; at++)
        if (g_ascii_iscntrl(*at))
            *at = '?';
    g_set_error_literal(error, TARGET_ERROR, wrong->code, shown);
}

Target *target_parse(const char *text, GError **error)
{
    Target *target = g_new0(Target, 1);
    g_autoptr(GError) wrong = NULL;

    target->name = g_strdup(text);
    if (read_any(target, text, &wrong))
        return target;
    set_one_line(error, text, wrong);
    target_free(target);
    return NULL;
}
