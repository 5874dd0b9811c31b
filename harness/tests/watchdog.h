/* A test that does not end says so itself: its name, and where each thread stands. */
#ifndef TESTS_WATCHDOG_H
#define TESTS_WATCHDOG_H

/* Gives the test TEST of SUITE (both borrowed, until the next call) its time, SECONDS. When that is over the
 * process prints where its threads stand, and exits with failure. With TEST NULL no test is running. */
void watchdog_start(const char *suite, const char *test, unsigned seconds);

#endif
