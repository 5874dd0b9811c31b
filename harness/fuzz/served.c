#include "fuzz/served.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

#define PATIENCE_MS 20000 /* the machine may be busy, the sanitizers are slow */

/* The kernel picks a free name in the abstract namespace. */
void served_start(Served *served, const RefConfig *config)
{
    RefConfig copy = *config;

    served->address = (struct sockaddr_un){.sun_family = AF_UNIX};
    served->length = sizeof served->address;
    copy.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FUZZ_HOLDS(bind(copy.fd, (const struct sockaddr *)&served->address,
                    sizeof served->address.sun_family) == 0);
    FUZZ_HOLDS(listen(copy.fd, SOMAXCONN) == 0);
    FUZZ_HOLDS(getsockname(copy.fd, (struct sockaddr *)&served->address, &served->length) == 0);
    served->server = ref_server_new(&copy, NULL);
    FUZZ_HOLDS(served->server != NULL && ref_server_start(served->server, NULL));
}

int served_dial(const Served *served)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    FUZZ_HOLDS(fd >= 0 &&
               connect(fd, (const struct sockaddr *)&served->address, served->length) == 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* The alarm by which libFuzzer limits an input's time interrupts. */
short served_await(int fd, short events)
{
    struct pollfd wait = {.fd = fd, .events = events};
    int ready;

    do {
        ready = poll(&wait, 1, PATIENCE_MS);
    } while (ready < 0 && errno == EINTR);
    FUZZ_HOLDS(ready > 0); /* else it hangs */
    return wait.revents;
}

void served_await_end(const Served *served)
{
    for (unsigned ms = 0; ref_server_connections(served->server) > 0; ms++) {
        FUZZ_HOLDS(ms < PATIENCE_MS);
        g_usleep(ms < 5 ? 50 : 1000);
    }
    FUZZ_HOLDS(!ref_server_died(served->server));
}
