/* When and beside which others cases are played. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "ran.h"
#include "run/private.h"

void run_tests(void);

/* ---- Who is beside whom ----------------------------------------------------------------------- */

/* From the first to the last request of a connection, as indices of the log; a case's connection is still
 * open at both. */
typedef struct {
    guint begin, end;
    uint64_t offset, length; /* of its writes */
    const char *name;
} Span;

static GArray *spans(const Watch *watch)
{
    GArray *all = g_array_new(FALSE, TRUE, sizeof(Span));
    g_autoptr(GHashTable) of = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < watch->log->len; i++) {
        const FakeRequest *request = &g_array_index(watch->log, FakeRequest, i);
        gpointer key = GUINT_TO_POINTER(request->connection), known;
        if (!g_hash_table_lookup_extended(of, key, NULL, &known)) {
            Span span = {.begin = i, .name = request->export_name};
            known = GUINT_TO_POINTER(all->len);
            g_array_append_val(all, span);
            g_hash_table_insert(of, key, known);
        }
        Span *span = &g_array_index(all, Span, GPOINTER_TO_UINT(known));
        span->end = i;
        if (request->command == NBD_CMD_WRITE) {
            span->offset = request->offset;
            span->length = request->length;
        }
    }
    return all;
}

static bool beside(const Span *a, const Span *b)
{
    return a->begin < b->end && b->begin < a->end;
}

/* Pairs of connections that were open at the same time, and how many of them wrote to the same bytes. */
static void count_pairs(const Watch *watch, unsigned *together, unsigned *overlapping)
{
    g_autoptr(GArray) all = spans(watch);

    *together = *overlapping = 0;
    for (guint i = 0; i < all->len; i++) {
        for (guint j = 0; j < i; j++) {
            const Span *a = &g_array_index(all, Span, i), *b = &g_array_index(all, Span, j);
            if (!beside(a, b))
                continue;
            ++*together;
            *overlapping += a->offset < b->offset + b->length && b->offset < a->offset + a->length;
        }
    }
}

/* How eight cases like LINES that write, on so many JOBS, meet on an export of SIZE bytes. */
typedef struct {
    unsigned together, overlapping;
    bool concurrent;
} Meeting;

static Meeting eight_write(const char *lines, unsigned jobs, uint64_t size, uint16_t flags)
{
    g_autoptr(Watch) watch = ran_watch_new(ran_serve, size, flags);
    g_autoptr(Cases) cases = cases_repeat(lines, 8);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, jobs);
    Meeting meeting;

    options.mode.timeout_ms = PATIENT_MS;
    g_autoptr(RunSummary) summary = ran(&options);
    fake_server_finish(watch->server);
    CU_ASSERT_EQUAL(summary->count[VERDICT_PASS], 8);
    meeting.concurrent = summary->target.concurrent_writes;
    count_pairs(watch, &meeting.together, &meeting.overlapping);
    return meeting;
}

static void cases_beside_one_another_write_to_regions_of_their_own(void)
{
    Meeting meeting =
        eight_write(WRITER("meets"), 2, 64 * MIB, NBD_FLAG_CAN_MULTI_CONN | NBD_FLAG_SEND_FLUSH);

    CU_ASSERT_TRUE(meeting.together >= 4);
    CU_ASSERT_EQUAL(meeting.overlapping, 0);
}

static void without_multi_conn_one_case_writes_at_a_time(void)
{
    Meeting meeting = eight_write(WRITER("lingers"), 4, 64 * MIB, NBD_FLAG_SEND_FLUSH);

    CU_ASSERT_FALSE(meeting.concurrent);
    CU_ASSERT_EQUAL(meeting.together, 0);
}

static void where_there_is_room_for_one_the_others_wait(void)
{
    Meeting meeting =
        eight_write(WRITER("lingers"), 4, 2 * 65536, NBD_FLAG_CAN_MULTI_CONN | NBD_FLAG_SEND_FLUSH);

    CU_ASSERT_EQUAL(meeting.together, 0);
}

static void who_uses_the_tail_or_everything_is_alone(void)
{
    static const char *const lines[] = {
        WRITER("a"), "uses tail\nopen export=\"alone\"\n: flush\n: read length=1\n: flush\n",
        WRITER("b"), "uses whole-export\nopen export=\"alone\"\n: flush\n: flush\n",
        WRITER("c"), "uses tail\nopen export=\"alone\"\n: flush\n: flush\n",
        WRITER("d"), NULL};
    g_autoptr(Watch) watch =
        ran_watch_new(ran_serve, 64 * MIB, NBD_FLAG_CAN_MULTI_CONN | NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_new(lines);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 4);

    options.mode.timeout_ms = PATIENT_MS;
    g_autoptr(RunSummary) summary = ran(&options);
    fake_server_finish(watch->server);
    CU_ASSERT_EQUAL(summary->count[VERDICT_PASS], 7);
    CU_ASSERT_EQUAL(watch_count(watch, "alone"), 7);
    g_autoptr(GArray) all = spans(watch);
    for (guint i = 0; i < all->len; i++)
        for (guint j = 0; j < all->len; j++)
            CU_ASSERT_FALSE(i != j && g_str_equal(g_array_index(all, Span, i).name, "alone") &&
                            beside(&g_array_index(all, Span, i), &g_array_index(all, Span, j)));
}

static void who_may_leave_another_size_comes_last(void)
{
    static const char *const lines[] = {"uses size\nopen export=\"sized\"\n: flush\n",
                                        "uses tail\nopen export=\"later\"\n: flush\n", NULL};
    g_autoptr(Watch) watch = ran_watch_new(ran_serve, 64 * MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_new(lines);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);

    options.mode.timeout_ms = PATIENT_MS;
    g_autoptr(RunSummary) summary = ran(&options);
    fake_server_finish(watch->server);
    CU_ASSERT_EQUAL(summary->count[VERDICT_PASS], 2);
    g_autoptr(GArray) all = spans(watch);
    CU_ASSERT_EQUAL_FATAL(all->len, 2);
    CU_ASSERT_STRING_EQUAL(g_array_index(all, Span, 0).name, "later");
    CU_ASSERT_STRING_EQUAL(g_array_index(all, Span, 1).name, "sized");
}

/* The probe's first connection is served, the one beside it is not greeted; what comes later would be
 * served, but the run must not rely on that. */
static void who_serves_one_at_a_time_gets_one_at_a_time(void)
{
    static const char *const scripts[] = {"serve", "hush", "serve", NULL};
    static const char two[] = "open export=\"x\"\nopen as B export=\"x\"\n: flush\nB: flush\n";
    static const char one[] = "open export=\"lingers\"\n: flush\n: flush\n";
    static const char *const lines[] = {one, two, one, one, one, NULL};
    g_autoptr(Watch) watch = ran_watch_new(scripts, MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_new(lines);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 2);
    unsigned together, overlapping;

    options.mode.timeout_ms = 10 * HASTY_MS;
    g_autoptr(RunSummary) summary = ran(&options);
    fake_server_finish(watch->server);
    CU_ASSERT_EQUAL(summary->target.connections, 1);
    RAN_IS(summary, "c0: pass, c1: skip, c2: pass, c3: pass, c4: pass");
    count_pairs(watch, &together, &overlapping);
    CU_ASSERT_EQUAL(together, 0);
}

/* A server may greet everybody, and count its clients when they enter. */
static void who_lets_in_one_at_a_time_gets_one_at_a_time(void)
{
    static const char *const scripts[] = {
        "serve",
        "S greeting + newstyle flags=FIXED_NEWSTYLE; take 4; option;"
        "S reply option=STRUCTURED_REPLY type=ERR_UNSUP; option; S close",
        "serve", NULL};
    static const char *const lines[] = {
        "open export=\"x\"\nopen as B export=\"x\"\n: flush\nB: flush\n",
        "open export=\"x\"\n: flush\n", NULL};
    g_autoptr(Watch) watch = ran_watch_new(scripts, MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_new(lines);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 2);

    options.mode.timeout_ms = PATIENT_MS;
    g_autoptr(RunSummary) summary = ran(&options);
    fake_server_finish(watch->server);
    CU_ASSERT_EQUAL(summary->target.connections, 1);
    CU_ASSERT_TRUE(summary->target.limited);
    RAN_IS(summary, "c0: skip, c1: pass");
}

/* A server for one client may not have noticed yet that one has gone, and TURNS_AWAY the next. */
static void the_next_client_is_patient(const char *turns_away)
{
    const char *const scripts[] = {"serve",    "S close", "serve",    "serve", turns_away,
                                   turns_away, "serve",   turns_away, "serve", NULL};
    g_autoptr(Watch) watch = ran_watch_new(scripts, MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases =
        cases_repeat("open export=\"x\"\n: flush\nthen served @robust.served-after\n", 1);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 2);

    options.mode.timeout_ms = PATIENT_MS;
    g_autoptr(RunSummary) summary = ran(&options);
    fake_server_finish(watch->server);
    CU_ASSERT_TRUE(summary->target.limited);
    RAN_IS(summary, "c0: pass");
    CU_ASSERT_EQUAL(fake_server_accepted(watch->server), 10); /* the last: still alive? */
}

static void who_is_turned_away_comes_back(void)
{
    the_next_client_is_patient("S close");
}

static void who_is_refused_the_export_comes_back(void)
{
    the_next_client_is_patient("S greeting + newstyle flags=FIXED_NEWSTYLE; take 4; option;"
                               "S reply option=GO type=ERR_POLICY; option; S close");
}

static void a_server_for_many_gets_no_second_chance(void)
{
    static const char *const scripts[] = {"serve",   "serve",   "serve", "serve",
                                          "S close", "S close", "serve", NULL};
    g_autoptr(Watch) watch = ran_watch_new(scripts, MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_repeat("open export=\"x\"\n: flush\n", 1);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 2);

    g_autoptr(RunSummary) summary = ran(&options);
    CU_ASSERT_FALSE(summary->target.limited);
    RAN_IS(summary, "setup: fail violation, c0: blocked");
}

/* ---- Once more, alone ------------------------------------------------------------------------- */

#define FLUSH_OF(name) "open export=\"" name "\"\n: flush @transmission.reply.every-request\n"

static void what_is_doubtful_is_played_again_after_all_others(void)
{
    static const char *const lines[] = {FLUSH_OF("once"),
                                        FLUSH_OF("a"),
                                        FLUSH_OF("silent"),
                                        FLUSH_OF("leaves"),
                                        FLUSH_OF("b"),
                                        FLUSH_OF("fails"),
                                        "uses tail\n" FLUSH_OF("alone"),
                                        NULL};
    static const char *const names[] = {"once", "a", "silent", "leaves", "b", "fails", "alone"};
    static const unsigned counts[] = {2, 1, 2, 2, 1, 1, 1};
    static const char *const again[] = {"once", "silent", "leaves"};
    g_autoptr(Watch) watch = ran_watch_new(ran_serve, MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_new(lines);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 2);

    g_autoptr(RunSummary) summary = ran(&options);
    fake_server_finish(watch->server);
    RAN_IS(summary, "c0: pass, c1: pass, c2: fail no-answer, c3: fail violation, c4: pass, "
                    "c5: fail violation, c6: pass");
    CU_ASSERT_EQUAL(summary->no_answer, 1);
    CU_ASSERT_EQUAL(summary->violations, 2);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        CU_ASSERT_EQUAL(watch_count(watch, names[i]), counts[i]);
    CU_ASSERT_EQUAL_FATAL(watch->log->len, 10);
    for (guint i = 0; i < G_N_ELEMENTS(again); i++)
        CU_ASSERT_STRING_EQUAL(g_array_index(watch->log, FakeRequest, 7 + i).export_name, again[i]);
}

/* Of a file's cases that are silent about the same, two that are so again speak for the others. */
static void of_those_that_are_silent_alike_two_are_asked_again(void)
{
    static const char *const lines[] = {"for $n in 1 2 3 4 5\n" FLUSH_OF("silent"),
                                        FLUSH_OF("silent"),
                                        "for $n in 1 2 3 4\n" FLUSH_OF("leaves"), NULL};
    g_autoptr(Watch) watch = ran_watch_new(ran_serve, MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_new(lines);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 2);

    g_autoptr(RunSummary) summary = ran(&options);
    fake_server_finish(watch->server);
    CU_ASSERT_EQUAL(summary->no_answer, 6);
    CU_ASSERT_EQUAL(summary->violations, 4);
    CU_ASSERT_EQUAL(watch_count(watch, "silent"), 5 + 2 + 1 + 1);
    CU_ASSERT_EQUAL(watch_count(watch, "leaves"), 4 + 4);
    CU_ASSERT_TRUE(summary->waited_ms >= 6 * HASTY_MS + 3 * 2 * HASTY_MS);
}

/* The first may have left the export with another size, which the second would be asked about. */
static void who_resizes_and_is_doubtful_is_played_again_at_once(void)
{
    static const char *const lines[] = {"uses size\n" FLUSH_OF("silent"),
                                        "uses size\n" FLUSH_OF("a"), FLUSH_OF("once"), NULL};
    static const char *const order[] = {"once", "silent", "silent", "a", "once"};
    g_autoptr(Watch) watch = ran_watch_new(ran_serve, MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_new(lines);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);

    g_autoptr(RunSummary) summary = ran(&options);
    fake_server_finish(watch->server);
    RAN_IS(summary, "c0: fail no-answer, c1: pass, c2: pass");
    CU_ASSERT_EQUAL_FATAL(watch->log->len, G_N_ELEMENTS(order));
    for (guint i = 0; i < G_N_ELEMENTS(order); i++)
        CU_ASSERT_STRING_EQUAL(g_array_index(watch->log, FakeRequest, i).export_name, order[i]);
}

static void the_second_try_gets_more_time(void)
{
    static const char *const lines[] = {FLUSH_OF("silent"), NULL};
    g_autoptr(Watch) watch = ran_watch_new(ran_serve, MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_new(lines);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);

    g_autoptr(RunSummary) summary = ran(&options);
    const RunEntry *entry = summary->entries->pdata[0];
    CU_ASSERT_STRING_EQUAL(entry->result->reason, "nothing for 1000 ms");
}

/* ---- Targets that are not there, or not any more ---------------------------------------------- */

static void a_target_that_refuses_is_an_error(void)
{
    g_autoptr(Cases) cases = cases_repeat("open\n", 1);
    g_autoptr(TransportAddress) nowhere = transport_address_unix("/nonexistent/socket", 19, NULL);
    RunOptions options = ran_options(nowhere, cases, 1);
    g_autoptr(GError) error = NULL;

    CU_ASSERT_PTR_NULL(run_cases(&options, &error));
    CU_ASSERT_TRUE(g_error_matches(error, TRANSPORT_ERROR, TRANSPORT_ERROR_CONNECT));
}

static void a_target_that_is_gone_is_not_asked_for_ever(void)
{
    /* the probe's four connections, the first case, and nobody any more */
    static const char *const scripts[] = {"serve", "serve", "serve", "serve", "gone; serve", NULL};
    g_autoptr(Watch) watch = ran_watch_new(scripts, MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_repeat(FLUSH_OF("a"), 60);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);

    g_autoptr(RunSummary) summary = ran(&options);
    CU_ASSERT_EQUAL(summary->entries->len, 61);
    CU_ASSERT_EQUAL(summary->count[VERDICT_PASS], 1);
    CU_ASSERT_EQUAL(summary->count[VERDICT_BLOCKED], 59);
    const RunEntry *setup = summary->entries->pdata[0], *last = summary->entries->pdata[60];
    CU_ASSERT_PTR_EQUAL(setup->play_case, summary->setup_case);
    CU_ASSERT_EQUAL_FATAL(setup->result->findings->len, 1);
    CU_ASSERT_EQUAL(((const Finding *)setup->result->findings->pdata[0])->by, SIDE_SERVER);
    CU_ASSERT_STRING_EQUAL(last->result->reason, "not played: the target has stopped answering");
    CU_ASSERT_EQUAL(setup->result->findings->len, 1);
    CU_ASSERT(g_str_has_prefix(setup->result->reason, "the target has gone ("));
    CU_ASSERT(g_str_has_suffix(setup->result->reason, "; the last case that found it there: c0"));
    CU_ASSERT_EQUAL(run_exit_status(summary), 1);
}

/* It ends with its last client, as it may have been told to: no case has seen it do wrong. */
static void a_target_that_leaves_with_the_probe_is_no_failure(void)
{
    static const char *const scripts[] = {"serve", "serve", "serve", "gone; serve", NULL};
    g_autoptr(Watch) watch = ran_watch_new(scripts, MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_repeat(FLUSH_OF("a"), 60);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);

    g_autoptr(RunSummary) summary = ran(&options);
    CU_ASSERT_EQUAL(summary->entries->len, 60);
    CU_ASSERT_EQUAL(summary->count[VERDICT_BLOCKED], 60);
    const RunEntry *second = summary->entries->pdata[1];
    CU_ASSERT(g_str_has_prefix(second->result->reason,
                               "not played: the target was gone when the probe had left it; "));
    CU_ASSERT_EQUAL(run_exit_status(summary), 125);
}

static void a_target_that_closes_at_once_is_soon_given_up(void)
{
    static const char *const scripts[] = {"S close", NULL};
    g_autoptr(Watch) watch = ran_watch_new(scripts, MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_repeat(FLUSH_OF("a"), 60);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);

    g_autoptr(RunSummary) summary = ran(&options);
    CU_ASSERT_EQUAL(summary->count[VERDICT_BLOCKED], 60);
    const RunEntry *first = summary->entries->pdata[1], *second = summary->entries->pdata[2];
    CU_ASSERT_STRING_EQUAL(first->result->reason, "the server closed the connection");
    CU_ASSERT_STRING_EQUAL(second->result->reason, "not played: the target has stopped answering");
    CU_ASSERT_FALSE(summary->target.limited);
    CU_ASSERT_EQUAL(run_exit_status(summary), 1);
}

/* A server for one client may still count the one that waited for its port to open. */
static void the_probe_comes_back_if_it_is_hung_up_on(void)
{
    static const char *const scripts[] = {"S close", "S close", "serve", NULL};
    g_autoptr(Watch) watch = ran_watch_new(scripts, MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_repeat(FLUSH_OF("a"), 1);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);

    options.mode.timeout_ms = PATIENT_MS;
    g_autoptr(RunSummary) summary = ran(&options);
    CU_ASSERT_TRUE(summary->target.entered);
    RAN_IS(summary, "c0: pass");
}

/* One case, tried twice, shows what the probe has seen; then whether it is still there at all. */
static void a_target_that_never_greets_is_not_asked_by_every_case(void)
{
    static const char *const scripts[] = {"hush", NULL};
    g_autoptr(Watch) watch = ran_watch_new(scripts, MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_repeat(FLUSH_OF("a"), 30);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);

    g_autoptr(RunSummary) summary = ran(&options);
    fake_server_finish(watch->server);
    CU_ASSERT_TRUE(summary->target.silent);
    CU_ASSERT_EQUAL(summary->count[VERDICT_BLOCKED], 30);
    CU_ASSERT_EQUAL(fake_server_accepted(watch->server), 4);
}

static void a_target_that_hangs_up_on_all_options_is_not_given_up(void)
{
    static const char *const scripts[] = {
        "S greeting + newstyle flags=FIXED_NEWSTYLE; take 4; option; S close", NULL};
    g_autoptr(Watch) watch = ran_watch_new(scripts, MIB, NBD_FLAG_SEND_FLUSH);
    g_autoptr(Cases) cases = cases_repeat(FLUSH_OF("a"), 30);
    RunOptions options = ran_options(fake_server_address(watch->server), cases, 1);

    options.mode.timeout_ms = PATIENT_MS;
    g_autoptr(RunSummary) summary = ran(&options);
    for (guint i = 1; i < summary->entries->len; i++) {
        const RunEntry *entry = summary->entries->pdata[i];
        CU_ASSERT_EQUAL(entry->result->verdict, VERDICT_BLOCKED);
        CU_ASSERT_STRING_EQUAL(entry->result->reason, "the server closed the connection");
    }
}

void run_tests(void)
{
    CU_pSuite suite = CU_add_suite("run: scheduling", NULL, NULL);

    CU_ADD_TEST(suite, cases_beside_one_another_write_to_regions_of_their_own);
    CU_ADD_TEST(suite, without_multi_conn_one_case_writes_at_a_time);
    CU_ADD_TEST(suite, who_uses_the_tail_or_everything_is_alone);
    CU_ADD_TEST(suite, who_may_leave_another_size_comes_last);
    CU_ADD_TEST(suite, where_there_is_room_for_one_the_others_wait);
    CU_ADD_TEST(suite, who_serves_one_at_a_time_gets_one_at_a_time);
    CU_ADD_TEST(suite, who_lets_in_one_at_a_time_gets_one_at_a_time);
    CU_ADD_TEST(suite, who_is_turned_away_comes_back);
    CU_ADD_TEST(suite, who_is_refused_the_export_comes_back);
    CU_ADD_TEST(suite, a_server_for_many_gets_no_second_chance);
    CU_ADD_TEST(suite, what_is_doubtful_is_played_again_after_all_others);
    CU_ADD_TEST(suite, of_those_that_are_silent_alike_two_are_asked_again);
    CU_ADD_TEST(suite, who_resizes_and_is_doubtful_is_played_again_at_once);
    CU_ADD_TEST(suite, the_second_try_gets_more_time);
    CU_ADD_TEST(suite, a_target_that_refuses_is_an_error);
    CU_ADD_TEST(suite, a_target_that_is_gone_is_not_asked_for_ever);
    CU_ADD_TEST(suite, a_target_that_leaves_with_the_probe_is_no_failure);
    CU_ADD_TEST(suite, a_target_that_closes_at_once_is_soon_given_up);
    CU_ADD_TEST(suite, the_probe_comes_back_if_it_is_hung_up_on);
    CU_ADD_TEST(suite, a_target_that_never_greets_is_not_asked_by_every_case);
    CU_ADD_TEST(suite, a_target_that_hangs_up_on_all_options_is_not_given_up);
}
