/* Ghosts of clients that had more to say than the server had room for, while the server reads. */
#include <CUnit/CUnit.h>
#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "soak/ghost.h"

void soak_ghost_tests(void);

#define TIMES 3000u /* an acknowledgement in the wrong moment is rare */

static int listen_on(struct sockaddr_in *at)
{
    socklen_t length = sizeof *at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    CU_ASSERT_EQUAL_FATAL(bind(listener, (struct sockaddr *)at, sizeof *at), 0);
    CU_ASSERT_EQUAL_FATAL(listen(listener, 1), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(listener, (struct sockaddr *)at, &length), 0);
    return listener;
}

/* Reads to the end; *FD is the errno of that in the end. */
static void *read_all(void *fd)
{
    static _Thread_local char buffer[4096];
    ssize_t got;

    do
        got = recv(*(int *)fd, buffer, sizeof buffer, 0);
    while (got > 0);
    close(*(int *)fd);
    *(int *)fd = got == 0 ? 0 : errno;
    return NULL;
}

/* Sends until both sides' buffers were full several times: some of it has yet to be sent. */
static void overfill(int fd)
{
    static const char zeroes[65536];

    for (unsigned full = 0; full < 8; full += send(fd, zeroes, sizeof zeroes, MSG_DONTWAIT) < 0)
        ;
}

static void what_is_unsent_stays_unsent(void)
{
    struct sockaddr_in at;
    int listener = listen_on(&at);

    for (unsigned i = 0; ghost_unfit() == NULL && i < TIMES; i++) {
        int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        pthread_t reader;
        Ghost ghost;
        CU_ASSERT_EQUAL_FATAL(connect(client, (struct sockaddr *)&at, sizeof at), 0);
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        CU_ASSERT_EQUAL_FATAL(pthread_create(&reader, NULL, read_all, &fd), 0);
        overfill(client);
        bool vanished = ghost_vanish(&ghost, client);
        CU_ASSERT_TRUE_FATAL(vanished);
        bool raised = ghost_raise(&ghost);
        CU_ASSERT_TRUE_FATAL(raised);
        pthread_join(reader, NULL);
        CU_ASSERT_EQUAL(fd, ECONNRESET);
    }
    close(listener);
}

void soak_ghost_tests(void)
{
    CU_pSuite suite = CU_add_suite("soak_ghost", NULL, NULL);

    CU_ADD_TEST(suite, what_is_unsent_stays_unsent);
}
