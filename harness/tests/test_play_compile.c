/* The cases of a family, and what they need of the run, which is found out by itself. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "played.h"

void play_compile_tests(void);

/* ---- Families --------------------------------------------------------------------------------- */

static char *all_ids(const Compiled *compiled)
{
    GString *ids = g_string_new(NULL);

    for (guint i = 0; i < compiled->cases->len; i++)
        g_string_append_printf(ids, "%s%s", i > 0 ? " " : "", compiled_case(compiled, i)->id);
    return g_string_free(ids, FALSE);
}

static void each_combination_of_values_is_a_case_with_an_id_of_its_own(void)
{
    static const struct {
        const char *lines, *ids;
    } rows[] = {
        {"connect\n", "t"},
        {"for $n in 0 1 4096\nconnect\n", "t@n=0 t@n=1 t@n=4096"},
        {"for $n in 1 2\nfor $o in INFO GO\nconnect\n",
         "t@n=1,o=INFO t@n=1,o=GO t@n=2,o=INFO t@n=2,o=GO"},
        {"for $n in 8..10\nconnect\n", "t@n=8 t@n=9 t@n=10"},
        {"for $s in \"a b\" \"\\0\" \"\"\nconnect\n", "t@s=a%20b t@s=%00 t@s="},
        {"for $n in 2^63 0xff 1k\nconnect\n", "t@n=9223372036854775808 t@n=255 t@n=1024"},
        {"for $w in pattern zero\nconnect\n", "t@w=pattern t@w=zero"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Compiled) compiled = compiled_new(rows[i].lines);
        g_autofree char *ids = all_ids(compiled);
        CU_ASSERT_STRING_EQUAL(ids, rows[i].ids);
    }
}

static void a_title_shows_the_values(void)
{
    static const char text[] = "case  $n of $name, $nobody\npeer  server\n"
                               "for $n in 5\nfor $name in \"x\"\nconnect\n";
    g_autoptr(GPtrArray) cases = g_ptr_array_new_with_free_func((GDestroyNotify)play_case_free);
    g_autoptr(Scenario) scenario = scenario_parse("t", "t.case", text, strlen(text), NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(scenario);
    CU_ASSERT_TRUE_FATAL(play_compile(scenario, cases, NULL));
    CU_ASSERT_STRING_EQUAL(((const PlayCase *)cases->pdata[0])->title, "5 of x, $nobody");
}

static void requirements_are_collected_once_each(void)
{
    g_autoptr(Compiled) compiled =
        compiled_new("negotiate\nC: option ABORT\n"
                     "one of @handshake.opt-abort.ack {\n"
                     "  S: reply ABORT ACK @handshake.opt-abort.ack\n"
                     "  S: reply ABORT error @handshake.opt-abort.data-ignored => warn\n}\n"
                     "then served @robust.served-after\n");
    const GPtrArray *requirements = compiled_case(compiled, 0)->requirements;

    CU_ASSERT_EQUAL(requirements->len, 3);
    CU_ASSERT_PTR_EQUAL(requirements->pdata[0], requirement_find("handshake.opt-abort.ack"));
    CU_ASSERT_PTR_EQUAL(requirements->pdata[2], requirement_find("robust.served-after"));
}

/* ---- What is found out by itself -------------------------------------------------------------- */

static void what_may_change_the_export_is_known(void)
{
    static const struct {
        const char *lines;
        bool writes;
    } rows[] = {
        {"open\n: read offset=0 length=1\n: flush\n: cache offset=0 length=1\n", false},
        {"open\nC: request READ length=1\nC: request DISC\n", false},
        {"open\nC: request BLOCK_STATUS length=1\n", false},
        {"negotiate\nC: hex \"00\"\nC: option 99\n", false},
        {"negotiate\nC: bytes \"00\"\n", false},
        {"open\n: write offset=0 data=\"a\"\n", true},
        {"open\n: trim offset=0 length=1\n", true},
        {"open\n: write-zeroes offset=0 length=1\n", true},
        {"open\nC: request WRITE data=pattern length=1\n", true},
        {"open\nC: request RESIZE\n", true},
        {"open\nC: request 99\n", true},
        {"for $c in READ TRIM\nopen\nC: request $c\n", false},
        {"for $c in TRIM READ\nopen\nC: request $c\n", true},
        {"open\nC: request READ length=1 data=\"a\"\n", true},
        {"open\nC: request READ length=1 magic=1\n", true},
        {"open\nC: hex \"00\"\n", true},
        {"negotiate\nC: option GO\nC: bytes \"a\"\n", true},
        {"negotiate\nC: option EXPORT_NAME\nC: bytes \"a\"\n", true},
        {"open\none of {\n  S: ok => continue {\n    : trim offset=0 length=1\n  }\n}\n", true},
        {"open\nthen served\n", false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Compiled) compiled = compiled_new(rows[i].lines);
        CU_ASSERT_EQUAL(compiled_case(compiled, 0)->writes, rows[i].writes);
    }
}

static void connections_that_are_open_at_once_are_counted(void)
{
    static const struct {
        const char *lines;
        unsigned connections;
    } rows[] = {
        {"connect\n", 1},
        {"open\nopen as B\nnegotiate as D\n", 3},
        {"open\nserved\n", 2},
        {"open\nthen served\n", 1}, /* by then the others are closed */
        {"then served\n", 1},
        {"open\none of {\n  S: close => continue {\n    open as B\n  }\n}\n", 2},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Compiled) compiled = compiled_new(rows[i].lines);
        CU_ASSERT_EQUAL(compiled_case(compiled, 0)->connections, rows[i].connections);
    }
}

static void resources_are_taken_from_the_headers(void)
{
    static const struct {
        const char *lines;
        uint64_t region;
        bool alone;
    } rows[] = {
        {"connect\n", 0, false},
        {"uses region 64k\nconnect\n", 65536, false},
        {"for $n in 4k\nuses region $n*2\nconnect\n", 8192, false},
        {"uses tail\nconnect\n", 0, true},
        {"uses whole-export\nconnect\n", 0, true},
        {"uses size\nconnect\n", 0, true},
        {"uses memory\nconnect\n", 0, true},
        {"uses quiet\nconnect\n", 0, true},
        {"uses region 1 process\nconnect\n", 1, true},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Compiled) compiled = compiled_new(rows[i].lines);
        CU_ASSERT_EQUAL(compiled_case(compiled, 0)->region, rows[i].region);
        CU_ASSERT_EQUAL(compiled_case(compiled, 0)->alone, rows[i].alone);
    }
}

static void literal_messages_pin_the_mode(void)
{
    static const struct {
        const char *lines;
        bool enter;
        PlayEnter way;
        bool replies;
    } rows[] = {
        {"open\n: read offset=0 length=1\nS: ok\n", false, ENTER_GO, false},
        {"negotiate\nC: option INFO\n", false, ENTER_GO, false},
        {"negotiate\nC: option GO\n", true, ENTER_GO, false},
        {"negotiate\nC: option EXPORT_NAME\n", true, ENTER_EXPORT_NAME, false},
        {"open\nC: request READ length=1\nS: simple-reply\n", false, ENTER_GO, true},
        {"open\none of {\n  S: simple-reply\n  S: close\n}\n", false, ENTER_GO, true},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Compiled) compiled = compiled_new(rows[i].lines);
        const PlayCase *play_case = compiled_case(compiled, 0);
        CU_ASSERT_EQUAL(play_case->pins_enter, rows[i].enter);
        CU_ASSERT_EQUAL(play_case->enter, rows[i].way);
        CU_ASSERT_EQUAL(play_case->pins_replies, rows[i].replies);
    }
}

static void cases_for_clients_make_no_case_yet(void)
{
    static const char text[] = "case  x\npeer  client\nact   list\nserve exports \"disk\"\n";
    g_autoptr(GPtrArray) cases = g_ptr_array_new();
    g_autoptr(Scenario) scenario = scenario_parse("t", "t.case", text, strlen(text), NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(scenario);
    CU_ASSERT_TRUE(play_compile(scenario, cases, NULL));
    CU_ASSERT_EQUAL(cases->len, 0);
}

static void the_manual_tells_of_every_verb_and_need(void)
{
    g_autofree char *manual = play_manual();
    static const char *const words[] = {"connect",      "negotiate", "open",   "served", "option",
                                        "request",      "greeting",  "reply",  "close",  "shutdown",
                                        "whole-export", "tcp",       "resume", "$region"};

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        CU_ASSERT_PTR_NOT_NULL(strstr(manual, words[i]));
    }
}

void play_compile_tests(void)
{
    CU_pSuite suite = CU_add_suite("play: families and needs", NULL, NULL);

    CU_ADD_TEST(suite, each_combination_of_values_is_a_case_with_an_id_of_its_own);
    CU_ADD_TEST(suite, a_title_shows_the_values);
    CU_ADD_TEST(suite, requirements_are_collected_once_each);
    CU_ADD_TEST(suite, what_may_change_the_export_is_known);
    CU_ADD_TEST(suite, connections_that_are_open_at_once_are_counted);
    CU_ADD_TEST(suite, resources_are_taken_from_the_headers);
    CU_ADD_TEST(suite, literal_messages_pin_the_mode);
    CU_ADD_TEST(suite, cases_for_clients_make_no_case_yet);
    CU_ADD_TEST(suite, the_manual_tells_of_every_verb_and_need);
}
