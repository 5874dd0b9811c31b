/* Runs of small cases against a server that watches: what the tests of run/ have in common. */
#ifndef NBDCONFORM_TESTS_RAN_H
#define NBDCONFORM_TESTS_RAN_H

#include "fake_server.h"
#include "played.h"
#include "run/run.h"

#define MIB (UINT64_C(1) << 20)

/* Cases, one for each text (ended by NULL) of lines below the first two. Their ids are c0, c1, … */
typedef struct {
    GPtrArray *scenarios; /* of Scenario */
    GPtrArray *cases;     /* of PlayCase */
} Cases;

Cases *cases_new(const char *const *lines);
/* COUNT times the same lines. */
Cases *cases_repeat(const char *lines, unsigned count);
void cases_free(Cases *cases);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Cases, cases_free)

/* A server that does as the names of its exports say, and keeps a log of the requests.
 *
 *   "silent"  never answers a request       "once"   does not answer on its first connection
 *   "fails"   answers each with an error    "leaves" hangs up instead of answering
 *   "meets"   lets writes wait for one another: each until another one has come, too
 *   "lingers" lets each request wait a moment, so that another connection's has time to come
 */
typedef struct {
    FakeServer *server;
    GMutex mutex;
    GCond met;
    GArray *log;      /* of FakeRequest, in the order in which they came; no DISC, no fence */
    GHashTable *seen; /* "name/connection" of those that "once" has to know */
    unsigned waiting, meetings;
} Watch;

/* Serves all who come. */
extern const char *const ran_serve[];

/* SIZE and FLAGS are of all exports. */
Watch *ran_watch_new(const char *const *scripts, uint64_t size, uint16_t flags);
void ran_watch_free(Watch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Watch, ran_watch_free)

/* Writes twice to its region of the export called NAME. */
#define WRITER(name)                                                                               \
    "needs writes\nuses region 100k\nopen export=\"" name "\"\n"                                   \
    ": write offset=$region length=4096 data=zero @robust.answers\n"                               \
    ": write offset=$region length=4096 data=zero @robust.answers\n: flush @robust.answers\n"

/* Requests that came for an export called NAME. */
unsigned watch_count(const Watch *watch, const char *name);

/* A hasty run that allows writes. */
RunOptions ran_options(const TransportAddress *address, const Cases *cases, unsigned jobs);

/* Runs, and asserts that this was possible. */
RunSummary *ran(const RunOptions *options);

/* "setup: fail violation, c0: pass, c1: skip" */
char *ran_text(const RunSummary *summary);
#define RAN_IS(summary, text) CU_ASSERT_TRUE(ran_is(summary, text, __LINE__))
bool ran_is(const RunSummary *summary, const char *text, int line);

#endif
