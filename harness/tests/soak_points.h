/* Points played against servers, for the tests of soak. */
#ifndef NBDCONFORM_TESTS_SOAK_POINTS_H
#define NBDCONFORM_TESTS_SOAK_POINTS_H

#include "reference/reference.h"
#include "soak/point.h"

/* Of the export that points_target() tells of. */
#define POINTS_DISK_SIZE (UINT64_C(8) << 20)

/* What is known of a reference server that listens at ADDRESS, and has patience; it may be changed. */
SoakTarget points_target(const TransportAddress *address);
TransportAddress *points_address(const RefServer *server);

/* Cycles COUNT times through one point, as soak_cycle_run() does. */
bool points_run(const char *phase, SoakEnding ending, const SoakTarget *target, unsigned count,
                unsigned *done, GError **error);

/* Cycles COUNT times through every point that TARGET has; how many those are. */
unsigned points_run_all(const SoakTarget *target, unsigned count);
/* … of so many that there are. */
unsigned points_count(void);

/* True once the server has noticed that all have gone. */
bool points_left(const RefServer *server);

#endif
