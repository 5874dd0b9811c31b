/* Ways to the points at which the reference server can leak. */
#ifndef NBDCONFORM_TESTS_LEAK_WAYS_H
#define NBDCONFORM_TESTS_LEAK_WAYS_H

#include "raw_client.h"

/* Of the only export. */
#define LEAK_DISK_SIZE (UINT64_C(1) << 20)

/* Takes the connection FD to a phase, in which nothing is unread. */
typedef struct {
    const char *phase;
    void (*reach)(int fd);
    unsigned goodbyes; /* other ways that end here, by a goodbye */
} LeakWay;

/* One for each phase, in the server's order. */
extern const LeakWay leak_ways[];
extern const unsigned leak_way_count;

/* Some of them. */
void way_option_answered(int fd);
void way_go(int fd);
void way_read(int fd);
void way_abort(int fd);
void way_disconnect(int fd);

/* Those inside of TLS. */
void way_tls_begun(int fd);
void way_tls(int fd);
void way_tls_go(int fd);
void way_tls_notified(int fd);
void way_half_a_record(int fd);

#endif
