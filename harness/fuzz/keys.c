#include "fuzz/keys.h"

#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

/* GnuTLS reads the keys of a server anew for each client. A file without a name leaves nothing behind. */
static char *make_file(void)
{
    static const char line[] = "fuzz:000102030405060708090a0b0c0d0e0f\n";
    int fd = memfd_create("keys", 0);

    FUZZ_HOLDS(fd >= 0 && write(fd, line, sizeof line - 1) == (ssize_t)sizeof line - 1);
    return g_strdup_printf("/proc/self/fd/%d", fd);
}

TransportTls *keys_of_client(void)
{
    g_autofree char *path = make_file();
    const TransportTlsOptions options = {.psk_file = path, .username = "fuzz"};
    TransportTls *keys = transport_tls_new(&options, NULL);
    FUZZ_HOLDS(keys != NULL);
    return keys;
}

RefTls *keys_of_server(void)
{
    g_autofree char *path = make_file();
    const RefTlsOptions options = {.psk_file = path};
    RefTls *keys = ref_tls_new(&options, NULL);

    FUZZ_HOLDS(keys != NULL);
    return keys;
}
