/* A ClientHello by itself: what a client sends first, for those who never go on. */
#include <errno.h>

#include "transport/private.h"

static ssize_t keep(gnutls_transport_ptr_t data, const void *bytes, size_t size)
{
    g_byte_array_append(data, bytes, (guint)size);
    return (ssize_t)size;
}

static ssize_t nothing(gnutls_transport_ptr_t data, void *buffer, size_t size)
{
    (void)data;
    (void)buffer;
    (void)size;
    errno = EAGAIN;
    return -1;
}

static int no_wait(gnutls_transport_ptr_t data, unsigned milliseconds)
{
    (void)data;
    (void)milliseconds;
    return 0;
}

GByteArray *transport_tls_hello(void)
{
    GByteArray *hello = g_byte_array_new();
    gnutls_certificate_credentials_t nobody;
    gnutls_session_t session;

    gnutls_certificate_allocate_credentials(&nobody);
    gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
    gnutls_set_default_priority(session);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, nobody);
    gnutls_transport_set_ptr(session, hello);
    gnutls_transport_set_push_function(session, keep);
    gnutls_transport_set_pull_function(session, nothing);
    gnutls_transport_set_pull_timeout_function(session, no_wait);
    (void)gnutls_handshake(session);
    gnutls_deinit(session);
    gnutls_certificate_free_credentials(nobody);
    return hello;
}
