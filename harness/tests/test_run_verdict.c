/* What a run reports: every verdict in its place, why cases were skipped, what the whole comes to. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "ran.h"
#include "reference/reference.h"

void run_verdict_tests(void);

#define FLUSH_OF(name, citation) "open export=\"" name "\"\n: flush " citation "\n"
#define GOOD FLUSH_OF("a", "@robust.answers")

/* ---- Entries ---------------------------------------------------------------------------------- */

static void entries_stand_in_the_order_of_the_cases(void)
{
    static const char *const lines[] = {
        FLUSH_OF("once", "@robust.answers"),      /* the last to be known */
        "uses tail\n" GOOD,                       /* the last but one */
        "needs transmission-flag SEND_DF\n" GOOD, /* the first */
        FLUSH_OF("fails", "@transmission.reply.every-request"),
        FLUSH_OF("fails", "@error.unknown-flag"),
        FLUSH_OF("fails", ""),
        GOOD,
        NULL};
    g_autoptr(Watch) watch = ran_watch_new(ran_serve, MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_new(lines);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 3);
    g_autoptr(RunSummary) summary = ran(&options);

    RAN_IS(summary,
           "c0: pass, c1: pass, c2: skip, c3: fail violation, c4: warn, c5: blocked, c6: pass");
    CU_ASSERT_EQUAL(summary->total, 7);
    CU_ASSERT_EQUAL(summary->count[VERDICT_PASS], 3);
    CU_ASSERT_EQUAL(summary->count[VERDICT_WARN], 1);
    CU_ASSERT_EQUAL(summary->count[VERDICT_FAIL], 1);
    CU_ASSERT_EQUAL(summary->count[VERDICT_SKIP], 1);
    CU_ASSERT_EQUAL(summary->count[VERDICT_BLOCKED], 1);
    CU_ASSERT_EQUAL(summary->violations, 1);
    CU_ASSERT_FALSE(summary->interrupted);
    CU_ASSERT_TRUE(summary->probed);
}

static void a_skip_has_its_reason(void)
{
    static const char *const lines[] = {
        "needs transmission-flag SEND_DF\n" GOOD,
        "needs size > 1M\n" GOOD,
        "needs writes\nuses region 2M\n" GOOD,
        "open\nopen as B\nopen as D\nopen as E\nopen as F\nopen as G\nopen as H\nopen as I\nopen as J\n",
        GOOD ": trim offset=0 length=1\n",
        "needs oldstyle\n" GOOD,
        NULL};
    static const char *const reasons[] = {
        "the server does not set SEND_DF",
        "the export's size is 1048576",
        "needs --allow-writes",
        "needs 9 connections at once; the server serves 8",
        "needs --allow-writes",
        "the server does not greet in the old style",
    };
    g_autoptr(Watch) watch = ran_watch_new(ran_serve, MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_new(lines);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);

    options.mode.allow_writes = false;
    g_autoptr(RunSummary) summary = ran(&options);
    CU_ASSERT_EQUAL_FATAL(summary->entries->len, G_N_ELEMENTS(reasons));
    for (guint i = 0; i < summary->entries->len; i++) {
        const RunEntry *entry = summary->entries->pdata[i];
        CU_ASSERT_EQUAL(entry->result->verdict, VERDICT_SKIP);
        CU_ASSERT_EQUAL(g_strcmp0(entry->result->reason, reasons[i]), 0);
    }
    CU_ASSERT_EQUAL(run_exit_status(summary), 125);
    fake_server_finish(watch->server);
    CU_ASSERT_EQUAL(watch->log->len, 0);
}

static void a_region_that_does_not_fit_is_a_skip(void)
{
    static const char *const lines[] = {"uses region 1M\n" GOOD, "uses region 1M+1\n" GOOD, NULL};
    g_autoptr(Watch) watch = ran_watch_new(ran_serve, MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) both = cases_new(lines), one = cases_repeat(lines[0], 1);
    RunOptions both_options = ran_options(fake_server_address(watch->server), both, 1);
    RunOptions one_options = ran_options(fake_server_address(watch->server), one, 1);
    g_autoptr(RunSummary) with = ran(&both_options), without = ran(&one_options);

    RAN_IS(without, "c0: pass"); /* … and it keeps no other case from its own */
    RAN_IS(with, "c0: pass, c1: skip");
    const RunEntry *entry = with->entries->pdata[1];
    CU_ASSERT_STRING_EQUAL(entry->result->reason,
                           "the export has no room for 1048577 bytes of its own");
}

/* ---- What was found on the way ---------------------------------------------------------------- */

static RefServer *quirky(const char *quirk)
{
    const char *const quirks[] = {quirk, NULL};
    RefExport export = {.size = MIB};
    RefConfig config = {.exports = &export, .export_count = 1, .quirks = quirks};
    g_autoptr(GError) error = NULL;
    RefServer *server = ref_server_new(&config, &error);

    if (server == NULL || !ref_server_start(server, &error))
        g_error("%s", error->message);
    return server;
}

static void what_every_case_meets_on_the_way_is_reported_once_and_first(void)
{
    g_autoptr(RefServer) server = quirky("has-flags-clear");
    g_autoptr(TransportAddress) address =
        transport_address_tcp("127.0.0.1", ref_server_port(server), NULL);
    g_autoptr(Cases) cases = cases_repeat("open\n: read length=512 @robust.answers\n", 6);
    RunOptions options = ran_options(address, cases, 2);

    options.mode.timeout_ms = PATIENT_MS;
    options.mode.export_name = "";
    g_autoptr(RunSummary) summary = ran(&options);
    RAN_IS(summary,
           "setup: fail violation, c0: pass, c1: pass, c2: pass, c3: pass, c4: pass, c5: pass");
    const RunEntry *entry = summary->entries->pdata[0];
    CU_ASSERT_EQUAL_FATAL(entry->result->findings->len, 1);
    const Finding *finding = entry->result->findings->pdata[0];
    CU_ASSERT_STRING_EQUAL(finding->requirement->id, "transmission.flags.has-flags");
    CU_ASSERT_TRUE(g_str_has_suffix(finding->message, " (in 6 cases)"));
    CU_ASSERT_EQUAL(entry->play_case->requirements->len, 1);
    CU_ASSERT_PTR_NULL(entry->play_case->scenario);
    CU_ASSERT_EQUAL(summary->total, 7);
    CU_ASSERT_EQUAL(run_exit_status(summary), 1);
}

static void a_way_that_nobody_gets_through_blocks_all(void)
{
    static const char *const closes[] = {HELLO "option; S close", NULL};
    g_autoptr(Watch) watch = ran_watch_new(closes, MIB, 0);
    g_autoptr(Cases) cases = cases_repeat("open\n: flush @robust.answers\n", 4);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);

    options.mode.timeout_ms = PATIENT_MS;
    g_autoptr(RunSummary) summary = ran(&options);
    RAN_IS(summary, "setup: fail violation, c0: blocked, c1: blocked, c2: blocked, c3: blocked");
    const RunEntry *setup = summary->entries->pdata[0];
    CU_ASSERT_EQUAL(setup->result->findings->len, 1);
    CU_ASSERT_EQUAL(run_exit_status(summary), 1);
}

static void a_refusal_blocks_without_a_breach(void)
{
    static const char *const refuses[] = {HELLO "option;" ERROR("GO", "ERR_POLICY"), NULL};
    g_autoptr(Watch) watch = ran_watch_new(refuses, MIB, 0);
    g_autoptr(Cases) cases = cases_repeat("open\n: flush @robust.answers\n", 2);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);

    options.mode.timeout_ms = PATIENT_MS;
    g_autoptr(RunSummary) summary = ran(&options);
    RAN_IS(summary, "c0: blocked, c1: blocked");
    CU_ASSERT_EQUAL(run_exit_status(summary), 125);
}

/* It is there, and says so: a case that writes waits for no region, since there is none. */
static void who_refuses_everybody_is_asked_by_every_case(void)
{
    static const char *const refuses[] = {HELLO "option;" ERROR("GO", "ERR_POLICY"), NULL};
    const char *lines[21] = {NULL};

    for (size_t i = 0; i < 20; i++)
        lines[i] = i % 2 == 0 ? "open\n: flush @robust.answers\n" : WRITER("x");
    g_autoptr(Watch) watch = ran_watch_new(refuses, MIB, 0);
    g_autoptr(Cases) cases = cases_new(lines);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);
    options.mode.timeout_ms = PATIENT_MS;
    g_autoptr(RunSummary) summary = ran(&options);
    CU_ASSERT_EQUAL(summary->count[VERDICT_BLOCKED], 20);
    for (guint i = 0; i < summary->entries->len; i++) {
        const RunEntry *entry = summary->entries->pdata[i];
        CU_ASSERT_FALSE(g_str_has_prefix(entry->result->reason, "not played"));
    }
}

#define NO_EXPORT HELLO "option;" ERROR("GO", "ERR_UNKNOWN")

static void without_the_export_what_needs_it_is_skipped_and_the_rest_played(void)
{
    static const char *const unknown[] = {NO_EXPORT, NULL};
    static const char *const lines[] = {
        "open\n: flush @robust.answers\n",
        "negotiate\nC: option GO name=$export\nS: reply GO ACK\n",
        "connect\nS: greeting newstyle @handshake.newstyle.greeting\n", NULL};
    g_autoptr(Watch) watch = ran_watch_new(unknown, MIB, 0);
    g_autoptr(Cases) cases = cases_new(lines);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);

    options.mode.timeout_ms = PATIENT_MS;
    g_autoptr(RunSummary) summary = ran(&options);
    RAN_IS(summary, "c0: skip, c1: skip, c2: pass");
    CU_ASSERT_TRUE(summary->target.unknown_export);
    CU_ASSERT_EQUAL(summary->no_export, 2);
    CU_ASSERT_PTR_NULL(summary->listed);
    CU_ASSERT_EQUAL(run_exit_status(summary), 125);
}

static void the_names_that_are_listed_are_there_to_be_told(void)
{
    static const char *const scripts[] = {NO_EXPORT,
                                          NO_EXPORT,
                                          NO_EXPORT,
                                          NO_EXPORT,
                                          HELLO "option;" LISTED("a") LISTED("b") ACK("LIST"),
                                          NO_EXPORT,
                                          NULL};
    g_autoptr(Watch) watch = ran_watch_new(scripts, MIB, 0);
    g_autoptr(Cases) cases = cases_repeat("open\n", 1);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);

    options.mode.timeout_ms = PATIENT_MS;
    g_autoptr(RunSummary) summary = ran(&options);
    CU_ASSERT_PTR_NOT_NULL_FATAL(summary->listed);
    CU_ASSERT_EQUAL_FATAL(summary->listed->len, 2);
    CU_ASSERT_STRING_EQUAL(summary->listed->pdata[0], "a");
    CU_ASSERT_STRING_EQUAL(summary->listed->pdata[1], "b");
}

/* By EXPORT_NAME a server can only hang up; what it answers to INFO says why. */
static void by_export_name_the_answer_to_info_tells_that_there_is_no_export(void)
{
    static const char hangs_up[] = HELLO "option; S close";
    static const char greets[] = HELLO;
    static const char unknown[] = HELLO "option;" ERROR("INFO", "ERR_UNKNOWN");
    static const char policy[] = HELLO "option;" ERROR("INFO", "ERR_POLICY");
    const char *const scripts[2][7] = {{hangs_up, greets, greets, greets, unknown, hangs_up, NULL},
                                       {hangs_up, greets, greets, greets, policy, hangs_up, NULL}};

    for (size_t i = 0; i < G_N_ELEMENTS(scripts); i++) {
        g_autoptr(Watch) watch = ran_watch_new(scripts[i], MIB, 0);
        g_autoptr(Cases) cases = cases_repeat("open\n", 1);
        RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);
        options.mode.timeout_ms = PATIENT_MS;
        options.mode.enter = ENTER_EXPORT_NAME;
        g_autoptr(RunSummary) summary = ran(&options);
        RAN_IS(summary, "c0: skip");
        CU_ASSERT_EQUAL(summary->no_export, i == 0);
    }
}

static void an_export_that_is_lost_on_the_way_blocks(void)
{
    static const char *const scripts[] = {"serve", "serve", "serve", "serve", NO_EXPORT, NULL};
    g_autoptr(Watch) watch = ran_watch_new(scripts, MIB, 0);
    g_autoptr(Cases) cases = cases_repeat("open export=\"x\"\n: flush\n", 2);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);

    options.mode.timeout_ms = PATIENT_MS;
    g_autoptr(RunSummary) summary = ran(&options);
    RAN_IS(summary, "c0: blocked, c1: blocked");
    CU_ASSERT_EQUAL(summary->no_export, 0);
}

/* ---- Strictness and exit statuses ------------------------------------------------------------- */

static void a_strict_run_fails_by_a_broken_should_and_not_by_a_hint(void)
{
    static const char *const lines[] = {FLUSH_OF("fails", "@error.unknown-flag"),
                                        FLUSH_OF("fails", "@handshake.reply.error-text"), NULL};
    g_autoptr(Watch) watch = ran_watch_new(ran_serve, MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_new(lines);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);
    RunOptions strict = options;

    strict.strict = true;
    g_autoptr(RunSummary) lenient_summary = ran(&options), strict_summary = ran(&strict);
    RAN_IS(lenient_summary, "c0: warn, c1: warn hint");
    CU_ASSERT_EQUAL(run_exit_status(lenient_summary), 0);
    CU_ASSERT_EQUAL(lenient_summary->hints, 1);
    RAN_IS(strict_summary, "c0: fail violation, c1: warn hint");
    CU_ASSERT_EQUAL(run_exit_status(strict_summary), 1);
}

static void the_exit_status_follows_from_the_verdicts(void)
{
    static const struct {
        unsigned pass, warn, fail, skip, blocked, error;
        bool interrupted;
        int status;
        unsigned no_export;
    } rows[] = {
        {1, 0, 0, 0, 0, 0, false, 0, 0},   {0, 1, 0, 0, 0, 0, false, 0, 0},
        {1, 1, 0, 9, 0, 0, false, 0, 0},   {1, 0, 1, 0, 0, 0, false, 1, 0},
        {0, 0, 1, 0, 0, 1, true, 1, 0},    {1, 0, 0, 0, 1, 0, false, 1, 0},
        {1, 0, 0, 0, 0, 1, false, 2, 0},   {1, 0, 0, 0, 0, 0, true, 2, 0},
        {0, 0, 0, 0, 0, 0, true, 2, 0},    {0, 0, 0, 5, 0, 0, false, 125, 0},
        {0, 0, 0, 0, 5, 0, false, 125, 0}, {0, 0, 0, 0, 0, 0, false, 125, 0},
        {9, 0, 0, 2, 0, 0, false, 125, 2}, {9, 0, 1, 2, 0, 0, false, 1, 2},
        {9, 0, 0, 2, 0, 1, false, 2, 2},   {9, 0, 0, 2, 3, 0, false, 125, 2},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        RunSummary summary = {.interrupted = rows[i].interrupted, .no_export = rows[i].no_export};
        summary.count[VERDICT_PASS] = rows[i].pass;
        summary.count[VERDICT_WARN] = rows[i].warn;
        summary.count[VERDICT_FAIL] = rows[i].fail;
        summary.count[VERDICT_SKIP] = rows[i].skip;
        summary.count[VERDICT_BLOCKED] = rows[i].blocked;
        summary.count[VERDICT_ERROR] = rows[i].error;
        summary.entries = g_ptr_array_new();
        CU_ASSERT_EQUAL(run_exit_status(&summary), rows[i].status);
        g_ptr_array_unref(summary.entries);
    }
}

static void what_was_met_on_the_way_is_no_case_that_was_played(void)
{
    g_autoptr(RefServer) server = quirky("info-twice");
    g_autoptr(TransportAddress) address =
        transport_address_tcp("127.0.0.1", ref_server_port(server), NULL);
    g_autoptr(Cases) cases =
        cases_repeat("open\nC: request FLUSH\none of {\n  S: ok => skip \"so\"\n}\n", 2);
    RunOptions options = ran_options(address, cases, 1);

    options.mode.timeout_ms = PATIENT_MS;
    options.mode.export_name = "";
    g_autoptr(RunSummary) summary = ran(&options);
    RAN_IS(summary, "setup: warn, c0: skip, c1: skip");
    CU_ASSERT_EQUAL(run_exit_status(summary), 125);
}

/* ---- Being stopped ---------------------------------------------------------------------------- */

typedef struct {
    volatile int stop;
    unsigned begun, started, finished, ended;
    bool at_first; /* to stop once a case has finished; else once one has started */
    bool in_order; /* begin, then the cases, then the end */
} Stopper;

static void on_begin(void *self, const RunOptions *options, const RunSummary *summary)
{
    Stopper *stopper = self;

    stopper->in_order = stopper->started == 0 && summary->probed && options->cases->len > 0;
    stopper->begun++;
}

static void on_started(void *self, const PlayCase *play_case)
{
    Stopper *stopper = self;

    CU_ASSERT_PTR_NOT_NULL(play_case);
    stopper->started++;
    if (!stopper->at_first)
        stopper->stop = 1;
}

static void on_finished(void *self, const RunEntry *entry, const RunSummary *so_far)
{
    Stopper *stopper = self;

    CU_ASSERT_PTR_NOT_NULL(entry);
    CU_ASSERT_EQUAL(so_far->entries->len, ++stopper->finished);
    if (stopper->at_first)
        stopper->stop = 1;
}

static void on_end(void *self, const RunOptions *options, const RunSummary *summary)
{
    Stopper *stopper = self;

    CU_ASSERT_PTR_NOT_NULL(options);
    stopper->in_order &= summary->entries->len == stopper->finished;
    stopper->ended++;
}

static RunSummary *run_observed(const char *lines, Stopper *stopper, const volatile int *stop)
{
    const RunObserver observer = {.self = stopper,
                                  .begin = on_begin,
                                  .started = on_started,
                                  .finished = on_finished,
                                  .end = on_end};
    const RunObserver *const observers[] = {&observer, NULL};
    g_autoptr(Watch) watch = ran_watch_new(ran_serve, MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_repeat(lines, 5);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);

    options.mode.timeout_ms = PATIENT_MS;
    options.observers = observers;
    options.stop = stop;
    RunSummary *summary = ran(&options);
    for (guint i = 0; i < summary->entries->len; i++) {
        RunEntry *entry = summary->entries->pdata[i];
        entry->play_case = NULL; /* goes with CASES */
    }
    return summary;
}

static void observers_hear_of_everything_once(void)
{
    Stopper stopper = {.at_first = true};
    g_autoptr(RunSummary) summary = run_observed(GOOD, &stopper, NULL);

    CU_ASSERT_EQUAL(summary->entries->len, 5);
    CU_ASSERT_EQUAL(stopper.begun, 1);
    CU_ASSERT_EQUAL(stopper.started, 5);
    CU_ASSERT_EQUAL(stopper.finished, 5);
    CU_ASSERT_EQUAL(stopper.ended, 1);
    CU_ASSERT_TRUE(stopper.in_order);
}

static void a_run_that_is_stopped_keeps_what_it_knows(void)
{
    Stopper stopper = {.at_first = true};
    g_autoptr(RunSummary) summary = run_observed(GOOD, &stopper, &stopper.stop);

    CU_ASSERT_EQUAL(summary->entries->len, 1);
    CU_ASSERT_EQUAL(summary->count[VERDICT_PASS], 1);
    CU_ASSERT_EQUAL(summary->total, 5);
    CU_ASSERT_TRUE(summary->interrupted);
    CU_ASSERT_EQUAL(run_exit_status(summary), 2);
    CU_ASSERT_EQUAL(stopper.ended, 1);
}

static void the_case_that_was_waiting_is_left_out(void)
{
    Stopper stopper = {.at_first = false};
    g_autoptr(RunSummary) summary =
        run_observed(FLUSH_OF("silent", "@robust.answers"), &stopper, &stopper.stop);

    CU_ASSERT_EQUAL(summary->entries->len, 0);
    CU_ASSERT_TRUE(summary->interrupted);
    CU_ASSERT_EQUAL(run_exit_status(summary), 2);
}

void run_verdict_tests(void)
{
    CU_pSuite suite = CU_add_suite("run: verdicts", NULL, NULL);

    CU_ADD_TEST(suite, entries_stand_in_the_order_of_the_cases);
    CU_ADD_TEST(suite, a_skip_has_its_reason);
    CU_ADD_TEST(suite, a_region_that_does_not_fit_is_a_skip);
    CU_ADD_TEST(suite, what_every_case_meets_on_the_way_is_reported_once_and_first);
    CU_ADD_TEST(suite, a_way_that_nobody_gets_through_blocks_all);
    CU_ADD_TEST(suite, a_refusal_blocks_without_a_breach);
    CU_ADD_TEST(suite, who_refuses_everybody_is_asked_by_every_case);
    CU_ADD_TEST(suite, without_the_export_what_needs_it_is_skipped_and_the_rest_played);
    CU_ADD_TEST(suite, the_names_that_are_listed_are_there_to_be_told);
    CU_ADD_TEST(suite, by_export_name_the_answer_to_info_tells_that_there_is_no_export);
    CU_ADD_TEST(suite, an_export_that_is_lost_on_the_way_blocks);
    CU_ADD_TEST(suite, a_strict_run_fails_by_a_broken_should_and_not_by_a_hint);
    CU_ADD_TEST(suite, the_exit_status_follows_from_the_verdicts);
    CU_ADD_TEST(suite, what_was_met_on_the_way_is_no_case_that_was_played);
    CU_ADD_TEST(suite, observers_hear_of_everything_once);
    CU_ADD_TEST(suite, a_run_that_is_stopped_keeps_what_it_knows);
    CU_ADD_TEST(suite, the_case_that_was_waiting_is_left_out);
}
