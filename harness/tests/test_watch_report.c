/* What sanitizers, valgrind and assertions print is recognised, and nothing else is. */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "watched.h"

void watch_report_tests(void);

/* In TEXT a report begins with FIRST; NULL: there is none. */
static void reports(const char *text, const char *first)
{
    g_autofree char *report = watch_find_report(text);
    bool as_wanted =
        first != NULL ? report != NULL && g_str_has_prefix(report, first) : report == NULL;

    CU_ASSERT(as_wanted);
    if (!as_wanted)
        printf("found: %s\n", report != NULL ? report : "nothing");
}

static void sanitizers_are_recognised(void)
{
    reports("listening\n"
            "=================================================================\n"
            "==30490==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000013\n"
            "READ of size 1 at 0x602000000013 thread T0\n",
            "==30490==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000013\n"
            "READ of size 1");
    reports("\n==30506==ERROR: LeakSanitizer: detected memory leaks\n\nDirect leak of 10 byte(s)",
            "==30506==ERROR: LeakSanitizer: detected");
    reports("a.c:7:61: runtime error: signed integer overflow: 2 + 2147483647 cannot be",
            "a.c:7:61: runtime error: signed");
    reports("==================\nWARNING: ThreadSanitizer: data race (pid=7971)\n",
            "WARNING: ThreadSanitizer: data race");
}

static void aborts_are_recognised(void)
{
    reports("pl: a.c:7: main: Assertion `c==7' failed.\n", "pl: a.c:7: main: Assertion `c==7'");
    reports("x\n**\nERROR:g.c:2:main: assertion failed (c == 9): (2 == 9)\nBail out!",
            "ERROR:g.c:2:main: assertion failed");
    reports("(process:7934): GLib-CRITICAL **: 07:05:58.951: g_strsplit: assertion 'string != "
            "NULL' failed",
            "(process:7934): GLib-CRITICAL");
    reports("*** stack smashing detected ***: terminated\n", "*** stack smashing");
    reports("free(): double free detected in tcache 2\n", "free(): double free");
    reports("thread 'main' panicked at src/main.rs:2:5:\nindex out of bounds", "thread 'main'");
    reports("panic: runtime error: index out of range [1]\n\ngoroutine 1 [running]:",
            "panic: runtime error: index");
}

static void valgrind_is_recognised(void)
{
    reports("==30537== Command: ./pl u\n==30537== \n==30537== Invalid read of size 1\n"
            "==30537==    at 0x10920F: main (a.c:7)\n",
            "==30537== Invalid read of size 1\n==30537==    at 0x10920F: main (a.c:7)");
    reports("==7== Conditional jump or move depends on uninitialised value(s)\n", "==7== Cond");
    reports("==7== Process terminating with default action of signal 11 (SIGSEGV)", "==7== Proc");
    reports("==5== 10 bytes in 1 blocks are definitely lost in loss record 1 of 1", "==5== 10");
    reports("==5== 1,010 (10 direct, 1,000 indirect) bytes in 1 blocks are definitely lost in loss "
            "record 2 of 2",
            "==5== 1,010");
}

static void what_is_no_error_is_no_report(void)
{
    reports("", NULL);
    reports("nbdkit: memory.3: error: invalid request: unknown command (9) ignored\n", NULL);
    reports("nbd-server: error: Negotiation failed: Session terminated by client", NULL);
    reports("==5== Open file descriptor 10: /dev/null\n==5==    <inherited from parent>\n", NULL);
    reports("==5== LEAK SUMMARY:\n==5==    definitely lost: 0 bytes in 0 blocks\n", NULL);
    reports("==5== 10 bytes in 1 blocks are still reachable in loss record 1 of 1", NULL);
    reports("==5== Process terminating with default action of signal 15 (SIGTERM)", NULL);
    reports("AddressSanitizer is on; Assertions are on; valgrind is not", NULL);
    reports("Invalid read of size 1: refused\n", NULL);
}

static void a_report_has_at_most_forty_lines(void)
{
    enum { LINES = 40 };
    g_autoptr(GString) text = g_string_new("==1==ERROR: AddressSanitizer: stack-overflow\n");

    for (unsigned i = 0; i < 100; i++)
        g_string_append_printf(text, "    #%u in f\n", i);
    g_autofree char *report = watch_find_report(text->str);
    g_auto(GStrv) lines = g_strsplit(report, "\n", -1);
    CU_ASSERT_EQUAL(g_strv_length(lines), LINES);
}

static void valgrind_is_heard_of_once_the_server_has_ended(void)
{
    WatchSpawn spawn = {.command = "nbdkit -f -U {socket} null 1M",
                        .valgrind = true,
                        .ready_ms = 10 * WATCHED_READY_MS};
    g_autoptr(GError) error = NULL;
    g_autoptr(Watched) watched = watch_spawn(&spawn, &error);
    g_autoptr(Watched) plain = watched_start("nbdkit -f -U {socket} null 1M");

    CU_ASSERT_PTR_NOT_NULL_FATAL(watched);
    watched_connect(watched);
    CU_ASSERT(watch_stop(watched, 10 * WATCHED_STOP_MS));
    g_autofree char *log = watch_valgrind_log(watched);
    CU_ASSERT_PTR_NOT_NULL(log);
    if (log == NULL)
        return;
    CU_ASSERT_PTR_NOT_NULL(strstr(log, "FILE DESCRIPTORS: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(log, "HEAP SUMMARY:"));
    g_autofree char *output = watch_output(watched, 0, SIZE_MAX);
    CU_ASSERT_PTR_NULL(strstr(output, "HEAP SUMMARY:"));
    if (plain != NULL)
        CU_ASSERT_PTR_NULL(watch_valgrind_log(plain));
}

void watch_report_tests(void)
{
    CU_pSuite suite = CU_add_suite("watch: what sanitizers and valgrind say", NULL, NULL);

    CU_ADD_TEST(suite, sanitizers_are_recognised);
    CU_ADD_TEST(suite, aborts_are_recognised);
    CU_ADD_TEST(suite, valgrind_is_recognised);
    CU_ADD_TEST(suite, what_is_no_error_is_no_report);
    CU_ADD_TEST(suite, a_report_has_at_most_forty_lines);
    CU_ADD_TEST(suite, valgrind_is_heard_of_once_the_server_has_ended);
}
