/* How people name a server: what is understood, and that each mistake is named. */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "target/target.h"
#include "target/uri.h"

void target_tests(void);

/* TEXT is understood as ADDRESS and EXPORT_NAME (NULL: none given). */
static void understood(const char *text, const char *address, const char *export_name)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Target) target = target_parse(text, &error);

    if (target == NULL) {
        printf("%s\n", error->message);
        CU_FAIL("not understood");
        return;
    }
    CU_ASSERT_STRING_EQUAL(target->name, text);
    CU_ASSERT_STRING_EQUAL(transport_address_name(target->address), address);
    CU_ASSERT_EQUAL(transport_address_is_tcp(target->address), address[0] != '/');
    CU_ASSERT_EQUAL(g_strcmp0(target->export_name, export_name), 0);
}

/* TEXT is refused with CODE, in one line that quotes it and contains WORD. */
static void refused(const char *text, int code, const char *word)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Target) target = target_parse(text, &error);

    CU_ASSERT_PTR_NULL(target);
    if (target != NULL)
        return;
    CU_ASSERT(g_error_matches(error, TARGET_ERROR, code));
    CU_ASSERT_PTR_NOT_NULL(strstr(error->message, word));
    CU_ASSERT_PTR_NULL(strchr(error->message, '\n'));
    CU_ASSERT(g_utf8_validate(error->message, -1, NULL));
}

static void mistake(const char *text, const char *word)
{
    refused(text, TARGET_ERROR_SYNTAX, word);
}

static void plain_names_are_understood(void)
{
    understood("127.0.0.1", "127.0.0.1:10809", NULL);
    understood("127.0.0.1:99", "127.0.0.1:99", NULL);
    understood("127.0.0.1:1", "127.0.0.1:1", NULL);
    understood("127.0.0.1:65535", "127.0.0.1:65535", NULL);
    understood(":99", "localhost:99", NULL);
    understood("[::1]", "[::1]:10809", NULL);
    understood("[::1]:99", "[::1]:99", NULL);
    understood("/run/nbd.sock", "/run/nbd.sock", NULL);
    understood("unix:/run/nbd.sock", "/run/nbd.sock", NULL);
}

static void mistakes_in_plain_names_are_named(void)
{
    mistake("", "empty");
    mistake("127.0.0.1:", "port");
    mistake("127.0.0.1:0", "1 to 65535");
    mistake("127.0.0.1:65536", "\"65536\"");
    mistake("127.0.0.1:+5", "\"+5\"");
    mistake("127.0.0.1:nbd", "\"nbd\"");
    mistake("::1", "brackets: [::1]");
    mistake("a:1:2", "colon");
    mistake("[::1", "not closed");
    mistake("[::1]x", "\"x\"");
    mistake("[::1]:x", "\"x\"");
    mistake("[127.0.0.1]:5", "no IPv6");
    mistake("[]", "no IPv6");
    mistake("two words", "spaces");
    mistake("con\1trol", "spaces");
    mistake("[::1x%lo]", "no IPv6");
    mistake("127:/x", "neither HOST:PORT nor a URI");
    mistake("\xff/x", "unix:PATH");
    mistake("unix:", "path is missing");
    mistake("127.0.0.1:10809/disk", "nbd://");
    mistake("run/nbd.sock", "unix:PATH");
    mistake("nbd:127.0.0.1:10809", "qemu");
}

static void uris_of_tcp_are_understood(void)
{
    understood("nbd://127.0.0.1", "127.0.0.1:10809", "");
    understood("nbd://127.0.0.1/", "127.0.0.1:10809", "");
    understood("NBD://127.0.0.1:99/disk", "127.0.0.1:99", "disk");
    understood("nbd://127.0.0.1//disk", "127.0.0.1:10809", "/disk");
    understood("nbd://127.0.0.1/hello%20world", "127.0.0.1:10809", "hello world");
    understood("nbd://127.0.0.1/a/b%2Fc%25", "127.0.0.1:10809", "a/b/c%");
    understood("nbd://127.0.0.1/%C3%A9", "127.0.0.1:10809", "\xc3\xa9");
    understood("nbd://[::1]:99/x", "[::1]:99", "x");
    understood("nbd:///x", "localhost:10809", "x");
    understood("nbd://user@127.0.0.1/x", "127.0.0.1:10809", "x");
    understood("nbd://127.0.0.1/x?x-mine=1&x-other", "127.0.0.1:10809", "x");
    understood("nbd://127.0.0.1/x?&x-mine=1&", "127.0.0.1:10809", "x");
}

static void uris_of_sockets_are_understood(void)
{
    understood("nbd+unix:///?socket=/run/s", "/run/s", "");
    understood("nbd+unix:///disk?socket=/run/s", "/run/s", "disk");
    understood("nbd+unix://?socket=/run/s", "/run/s", "");
    understood("nbd+unix:/disk?socket=/run/s", "/run/s", "disk");
    understood("nbd+unix:///?socket=%2Frun%2Fa%20b", "/run/a b", "");
    understood("nbd+unix:///?socket=/run/a=b", "/run/a=b", "");
}

static void an_abstract_socket_starts_with_nul(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Uri) uri = uri_parse("nbd+unix:///?socket=%00/abstract", &error);

    CU_ASSERT_PTR_NOT_NULL(uri);
    if (uri == NULL)
        return;
    size_t length;
    const char *path = g_bytes_get_data(uri->socket, &length);
    CU_ASSERT_EQUAL(length, 10);
    CU_ASSERT(memcmp(path, "\0/abstract", 10) == 0);

    g_autoptr(Target) target = target_parse("nbd+unix:///?socket=%00/abstract", &error);
    CU_ASSERT_PTR_NOT_NULL(target);
}

static void mistakes_in_uris_are_named(void)
{
    mistake("http://127.0.0.1/", "nbds+unix");
    mistake("nbd+vsock://2/", "\"nbd+vsock\"");
    mistake("nbd://127.0.0.1:99999/", "99999");
    mistake("nbd://127.0.0.1:0/", "port 0");
    mistake("nbd://127.0.0.1:x/", "x");
    mistake("nbd://::1/", "nbd://HOST:PORT/EXPORT");
    mistake("nbd://[::1/", "[::1");
    mistake("nbd://127.0.0.1/a b", "no spaces; byte 18 would be written %20");
    mistake("nbd://127.0.0.1/a\nb", "no control characters; byte 18 would be written %0A");
    mistake("nbd://127.0.0.1/?a%00b=1", "not well encoded");
    mistake("nbd://127.0.0.1/?xmine=1", "unknown parameter");
    mistake("nbd://127.0.0.1/%zz", "%");
    mistake("nbd://127.0.0.1/%00", "NUL");
    mistake("nbd://127.0.0.1/%ff", "UTF-8");
    mistake("nbd://127.0.0.1/#x", "%23");
    mistake("nbd://127.0.0.1/?socket=/x", "nbd+unix");
    mistake("nbd://127.0.0.1/?sokcet=/x", "\"sokcet\"");
    mistake("nbd://127.0.0.1/?a%0Ab=/x", "unknown parameter");
    mistake("nbd+unix:///disk", "socket=PATH");
    mistake("nbd+unix:///?socket", "empty");
    mistake("nbd+unix:///?socket=", "empty");
    mistake("nbd+unix:///?socket=%00", "empty");
    mistake("nbd+unix:///?socket=a%00b", "NUL");
    mistake("nbd+unix:///?socket=/a&socket=/b", "twice");
    mistake("nbd+unix://run/s?socket=/a", "\"run\"");
    mistake("nbd+unix://:99/x?socket=/a", "no host");
    mistake("nbds://127.0.0.1/?tls-type=none", "anon, x509, psk");
    mistake("nbds://127.0.0.1/?tls-verify-peer=yes", "neither 0 nor 1");
}

/* Where no authority comes before it, as target_parse() never has it. */
static void a_path_starts_with_a_slash(void)
{
    g_autoptr(GError) error = NULL;

    CU_ASSERT_PTR_NULL(uri_parse("nbd:x", &error));
    CU_ASSERT(error != NULL && strstr(error->message, "does not start with /") != NULL);
}

static void an_export_name_may_have_4096_bytes_and_no_more(void)
{
    g_autofree char *name = g_strnfill(4097, 'x');
    g_autofree char *too_long = g_strconcat("nbd://127.0.0.1/", name, NULL);

    mistake(too_long, "4096");
    name[4096] = '\0';
    g_autofree char *fits = g_strconcat("nbd://127.0.0.1/", name, NULL);
    understood(fits, "127.0.0.1:10809", name);
}

static void a_socket_path_that_no_socket_can_have_is_a_mistake(void)
{
    g_autofree char *path = g_strnfill(200, 'x');

    path[0] = '/';
    mistake(path, "path");
}

static void tls_is_understood(void)
{
    refused("nbds://127.0.0.1/x?tls-type=anon", TARGET_ERROR_UNSUPPORTED, "anon");
    g_autoptr(Target) target = target_parse("nbds://127.0.0.1/x", NULL);
    CU_ASSERT(target->tls.required && target->tls.verify_peer);
    CU_ASSERT_STRING_EQUAL(target->tls.hostname, "127.0.0.1");
    CU_ASSERT_PTR_NULL(target->tls.parameter);
    g_autoptr(Target) plain = target_parse("nbd://127.0.0.1/x?tls-hostname=h", NULL);
    CU_ASSERT(!plain->tls.required && !plain->tls.verify_peer);
    CU_ASSERT_STRING_EQUAL(plain->tls.parameter, "tls-hostname");
    CU_ASSERT_STRING_EQUAL(plain->tls.hostname, "h");
    CU_ASSERT_EQUAL(plain->tls.type, TARGET_TLS_ANY);
    g_autoptr(Target) certified =
        target_parse("nbds://a%20b@127.0.0.1/x?tls-verify-peer=1&tls-type=x509", NULL);
    CU_ASSERT(certified->tls.required && certified->tls.verify_peer);
    CU_ASSERT_EQUAL(certified->tls.type, TARGET_TLS_X509);
    CU_ASSERT_STRING_EQUAL(certified->tls.username, "a b");
    CU_ASSERT_STRING_EQUAL(certified->tls.parameter, "tls-type");
    g_autoptr(Target) open = target_parse("nbd+unix:///x?socket=/run/s&tls-verify-peer=1", NULL);
    CU_ASSERT(!open->tls.required && !open->tls.verify_peer);
    CU_ASSERT_STRING_EQUAL(open->tls.parameter, "tls-verify-peer");
    g_autoptr(Target) local =
        target_parse("nbds+unix://alice@/x?socket=/run/s&tls-type=psk&tls-verify-peer=0", NULL);
    CU_ASSERT(local->tls.required && !local->tls.verify_peer);
    CU_ASSERT_EQUAL(local->tls.type, TARGET_TLS_PSK);
    CU_ASSERT_STRING_EQUAL(local->tls.username, "alice");
    CU_ASSERT_PTR_NULL(local->tls.hostname);

    g_autoptr(Uri) uri = uri_parse("nbds+unix://alice@/x?socket=/s&tls-type=psk&tls-hostname=h"
                                   "&tls-verify-peer=0",
                                   NULL);
    CU_ASSERT_PTR_NOT_NULL(uri);
    if (uri == NULL)
        return;
    CU_ASSERT(uri->tls && uri->local && !uri->tls_verify_peer);
    CU_ASSERT_STRING_EQUAL(uri->user, "alice");
    CU_ASSERT_EQUAL(uri->tls_type, URI_TLS_PSK);
    CU_ASSERT_STRING_EQUAL(uri->tls_hostname, "h");
}

static void a_name_that_does_not_resolve_is_told_from_a_mistake(void)
{
    /* A label has 63 bytes at most (RFC 1035), so that no name server is asked. */
    g_autofree char *host = g_strnfill(64, 'x');
    g_autofree char *uri = g_strdup_printf("nbd://%s/", host);

    refused(host, TARGET_ERROR_RESOLVE, host);
    refused(uri, TARGET_ERROR_RESOLVE, host);
}

void target_tests(void)
{
    CU_TestInfo tests[] = {
        {"plain names are understood", plain_names_are_understood},
        {"mistakes in plain names are named", mistakes_in_plain_names_are_named},
        {"URIs of TCP are understood", uris_of_tcp_are_understood},
        {"URIs of sockets are understood", uris_of_sockets_are_understood},
        {"an abstract socket starts with NUL", an_abstract_socket_starts_with_nul},
        {"mistakes in URIs are named", mistakes_in_uris_are_named},
        {"a path starts with a slash", a_path_starts_with_a_slash},
        {"an export name may have 4096 bytes and no more",
         an_export_name_may_have_4096_bytes_and_no_more},
        {"a socket path that no socket can have is a mistake",
         a_socket_path_that_no_socket_can_have_is_a_mistake},
        {"TLS is understood", tls_is_understood},
        {"a name that does not resolve is told from a mistake",
         a_name_that_does_not_resolve_is_told_from_a_mistake},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"target", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    CU_register_suites(suites);
}
