/* A case is checked once, before it is played: each mistake is told at its place. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "played.h"

void play_mistake_tests(void);

/* Asserts that LINES are refused with EXPECTED, of which line numbers count from the first of LINES. */
#define REFUSED(lines, line, column, message, source, caret)                                       \
    CU_ASSERT_TRUE(refused(lines, line, column, message, source, caret, __LINE__))

static bool refused(const char *lines, unsigned line, unsigned column, const char *message,
                    const char *source, const char *caret, int here)
{
    g_autofree char *text = g_strconcat(CASE_HEAD, lines, NULL);
    g_autofree char *expected =
        g_strdup_printf("t.case:%u:%u: %s\n%5u | %s\n      | %s", line + CASE_HEAD_LINES, column,
                        message, line + CASE_HEAD_LINES, source, caret);
    g_autoptr(GPtrArray) cases = g_ptr_array_new_with_free_func((GDestroyNotify)play_case_free);
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) scenario = scenario_parse("t", "t.case", text, strlen(text), &error);

    bool bad = scenario == NULL || !play_compile(scenario, cases, &error);
    bool same = bad && g_str_equal(error->message, expected);
    if (!same)
        g_printerr("\n  line %d\nexpected\n%s\nbut got\n%s\n", here, expected,
                   bad ? error->message : "no mistake");
    return same;
}

/* ---- Mistakes in lines ------------------------------------------------------------------------ */

static void an_unknown_verb_is_told_with_the_nearest_one(void)
{
    REFUSED("negotiate\nC: optoin ABORT\n", 2, 4, "optoin is no verb here; did you mean option?",
            "C: optoin ABORT", "   ^");
    REFUSED("S: greting\n", 1, 4, "greting is no verb here; did you mean greeting?", "S: greting",
            "   ^");
    REFUSED(": raed offset=0\n", 1, 3, "raed is no verb here; did you mean read?",
            ": raed offset=0", "  ^");
    REFUSED("conect\n", 1, 1, "conect is no verb here; did you mean connect?", "conect", "^");
    REFUSED("C: dance\n", 1, 4, "dance is no verb here", "C: dance", "   ^");
}

static void a_verb_of_the_other_side_is_no_verb_here(void)
{
    REFUSED("connect\nS: option ABORT\n", 2, 4, "option is no verb here", "S: option ABORT",
            "   ^");
    REFUSED("open\nC: read offset=0\n", 2, 4, "read is no verb here", "C: read offset=0", "   ^");
    REFUSED("C: open\n", 1, 4, "open is no verb here", "C: open", "   ^");
}

static void an_unknown_field_is_told_with_those_that_there_are(void)
{
    REFUSED(
        "negotiate\nC: option ABORT lenght=0\n", 2, 17,
        "option has no lenght; it has name, info, data, length, name-length, count, query, query-length, copies, magic, cut, split",
        "C: option ABORT lenght=0", "                ^");
    REFUSED("connect\nS: close now=1\n", 2, 10, "close has no now; it has no named arguments",
            "S: close now=1", "         ^");
    REFUSED("open\n: flush cookie=1\n", 2, 9, "flush has no cookie; it has flags",
            ": flush cookie=1", "        ^");
}

static void an_unknown_requirement_is_told(void)
{
    REFUSED("negotiate\nC: option ABORT\nS: reply ABORT ACK @handshake.opt-abort.akc\n", 3, 20,
            "there is no requirement handshake.opt-abort.akc",
            "S: reply ABORT ACK @handshake.opt-abort.akc", "                   ^");
    REFUSED("negotiate\nC: option LIST\none of @no.such {\n  S: reply LIST ACK\n}\n", 3, 8,
            "there is no requirement no.such", "one of @no.such {", "       ^");
}

static void a_name_that_does_not_exist_is_told(void)
{
    REFUSED("negotiate\nC: option ABROT\n", 2, 11, "there is no option ABROT; did you mean ABORT?",
            "C: option ABROT", "          ^");
    REFUSED("negotiate\nS: reply LIST SERVR\n", 2, 15,
            "there is no reply type SERVR; did you mean SERVER?", "S: reply LIST SERVR",
            "              ^");
    REFUSED("negotiate\nS: reply GO INFO EXPOT\n", 2, 18,
            "there is no information type EXPOT; did you mean EXPORT?", "S: reply GO INFO EXPOT",
            "                 ^");
    REFUSED("open\n: read flags=FUA|FAU\n", 2, 18,
            "there is no command flag FAU; did you mean FUA?", ": read flags=FUA|FAU",
            "                 ^");
    REFUSED("open\nS: error EINVALID\n", 2, 10, "there is no error EINVALID; did you mean EINVAL?",
            "S: error EINVALID", "         ^");
    REFUSED("open\nC: request 1 flags=XYZZY\n", 2, 20, "there is no command flag XYZZY",
            "C: request 1 flags=XYZZY", "                   ^");
}

static void a_variable_that_nothing_has_set_is_told(void)
{
    REFUSED("open\n: read offset=$n length=1\n", 2, 15, "nothing before this line has set $n",
            ": read offset=$n length=1", "              ^");
    REFUSED("negotiate\nC: option LIST\nC: option INFO name=$name\n"
            "S: reply LIST SERVER name as $name\n",
            3, 21, "nothing before this line has set $name", "C: option INFO name=$name",
            "                    ^");
    REFUSED("needs size >= $n\nopen\n", 1, 15, "nothing before this line has set $n",
            "needs size >= $n", "              ^");
}

static void what_expressions_cannot_be_is_told(void)
{
    REFUSED("open\n: read offset=1/0 length=1\n", 2, 15, "division by zero",
            ": read offset=1/0 length=1", "              ^");
    REFUSED("open\n: read offset=\"a\" length=1\n", 2, 15, "expected a number, not a",
            ": read offset=\"a\" length=1", "              ^");
    REFUSED("open\n: read offset=\"a\"-1 length=1\n", 2, 15, "these two can't be combined by -",
            ": read offset=\"a\"-1 length=1", "              ^");
    REFUSED("negotiate\nC: option ABORT data=5\n", 2, 22, "expected a string, not 5",
            "C: option ABORT data=5", "                     ^");
    REFUSED("open\n: write offset=0 data=patern\n", 2, 23,
            "expected pattern, other, zero, or a string", ": write offset=0 data=patern",
            "                      ^");
    REFUSED("connect\nC: hex \"00 0\"\n", 2, 8, "expected pairs of hexadecimal digits",
            "C: hex \"00 0\"", "       ^");
    REFUSED("connect\nC: hex \"0g\"\n", 2, 8, "expected pairs of hexadecimal digits",
            "C: hex \"0g\"", "       ^");
}

static void missing_arguments_are_told(void)
{
    REFUSED(
        "negotiate\nC: option\n", 2, 4,
        "something is missing: see `C: option OPTION [name=S] [info=TYPE…] [query=S…] [copies=N] [data=S] [length=N] "
        "[name-length=N] [query-length=N] [count=N] [magic=N] [cut=N] [split=N]`",
        "C: option", "   ^");
    REFUSED("negotiate\nS: reply LIST\n", 2, 4,
            "something is missing: see "
            "`S: reply OPTION [not] (TYPE… | error | final | INFO TYPE) [field…]`",
            "S: reply LIST", "   ^");
    REFUSED("open\nC: hex\n", 2, 4, "something is missing: see `C: hex \"49484156 454f5054\"`",
            "C: hex", "   ^");
    REFUSED("open\nC: hold\n", 2, 4, "something is missing: see `C: hold (reading | sending)`",
            "C: hold", "   ^");
}

static void arguments_beyond_what_a_verb_takes_are_told(void)
{
    REFUSED("connect\nS: greeting newstyle newstyle\n", 2, 22,
            "that is more than greeting takes: see "
            "`S: greeting [oldstyle | newstyle] [flags…] [size…]`",
            "S: greeting newstyle newstyle", "                     ^");
    REFUSED("open\nC: close 1\n", 2, 10, "that is more than close takes: see `C: close`",
            "C: close 1", "         ^");
    REFUSED("connect\nS: greeting fancy\n", 2, 13, "fancy does not go with greeting",
            "S: greeting fancy", "            ^");
    REFUSED("connect\nC: close as B\n", 2, 10, "close makes no connection that could have a name",
            "C: close as B", "         ^");
    REFUSED("negotiate\nC: option ABORT length<5\n", 2, 17, "length is set by =, as in length=…",
            "C: option ABORT length<5", "                ^");
}

static void a_mistake_in_one_value_refuses_the_file(void)
{
    REFUSED("for $o in LIST LSIT\nnegotiate\nC: option $o\n", 3, 11,
            "there is no option LSIT; did you mean LIST?", "C: option $o", "          ^");
    REFUSED("for $n in 1 0\nopen\n: read offset=4/$n\n", 3, 15, "division by zero",
            ": read offset=4/$n", "              ^");
}

/* The harness sets them itself, behind the case's back. */
static void a_variable_of_the_harness_keeps_its_meaning(void)
{
    REFUSED("for $size in 1 2\nopen\n: read offset=$size length=1\n", 1, 5,
            "$size is the export's size; choose another name", "for $size in 1 2", "    ^");
    REFUSED("for $n in 1 2\nfor $flags in FUA\nopen\n", 2, 5,
            "$flags is the transmission flags; choose another name", "for $flags in FUA", "    ^");
    REFUSED("for $export in \"a\" \"b\"\nopen\n", 1, 5,
            "$export is the name of the run's export; choose another name",
            "for $export in \"a\" \"b\"", "    ^");
    REFUSED("connect\nS: greeting newstyle flags as $minimum\n", 2, 31,
            "$minimum is the minimum block size; choose another name",
            "S: greeting newstyle flags as $minimum", "                              ^");
    REFUSED("open\n: status length=512 extent as $region\n", 2, 31,
            "$region is where the case's own region of the export begins; choose another name",
            ": status length=512 extent as $region", "                              ^");
}

static void what_the_name_says_may_be_kept_in_it(void)
{
    g_autoptr(Compiled) compiled = compiled_new("connect\nS: export size as $size\n");

    CU_ASSERT_EQUAL(compiled->cases->len, 1);
}

/* ---- Mistakes in outcomes and blocks ---------------------------------------------------------- */

static void a_case_cannot_weigh_a_breach_otherwise_than_the_requirements_do(void)
{
    REFUSED("negotiate\nC: option ABORT\none of {\n"
            "  S: reply ABORT error @handshake.opt-abort.ack => warn \"so\"\n}\n",
            4, 52, "handshake.opt-abort.ack is a MUST: its breach is a fail",
            "  S: reply ABORT error @handshake.opt-abort.ack => warn \"so\"",
            "                                                   ^");
    REFUSED("negotiate\nC: option ABORT\none of {\n"
            "  S: close @handshake.opt-abort.data-ignored => fail\n}\n",
            4, 49, "handshake.opt-abort.data-ignored is a SHOULD: its breach is a warn",
            "  S: close @handshake.opt-abort.data-ignored => fail",
            "                                                ^");
    REFUSED("connect\none of {\n  S: close @robust.answers => warn\n}\n", 3, 31,
            "robust.answers is a ROBUST: its breach is a fail",
            "  S: close @robust.answers => warn", "                              ^");
    REFUSED("connect\none of {\n  S: close => fail \"it\"\n}\n", 3, 15,
            "what is broken? name the requirement by @id", "  S: close => fail \"it\"",
            "              ^");
}

static void blocks_hold_what_they_can_hold(void)
{
    REFUSED("connect\none of {\n  C: close\n}\n", 3, 3, "only lines of S: stand in this block",
            "  C: close", "  ^");
    REFUSED("connect\nany order {\n}\n", 2, 1, "the block is empty", "any order {", "^");
    REFUSED("connect\nS: close {\n  C: close\n}\n", 2, 1, "close takes no block", "S: close {",
            "^");
    REFUSED("connect\nS: close => pass\n", 2, 13, "only an alternative of `one of` has an outcome",
            "S: close => pass", "            ^");
    REFUSED("open\none of {\n  S: close => continue {\n    then served\n  }\n}\n", 4, 5,
            "a `then` line stands in no block", "    then served", "    ^");
    REFUSED("open\nopen as B\none of {\n  S: close\n  B.S: close\n}\n", 5, 3,
            "the alternatives are about one connection", "  B.S: close", "  ^");
}

static void lines_for_clients_are_refused_in_a_case_for_servers(void)
{
    REFUSED("connect\nwhen C: option LIST {\n  S: reply LIST ACK\n}\n", 2, 1,
            "only cases for clients have lines of this kind", "when C: option LIST {", "^");
    REFUSED("connect\ntrace eventually C: option LIST\n", 2, 1,
            "only cases for clients have lines of this kind", "trace eventually C: option LIST",
            "^");
    REFUSED("serve exports \"disk\"\n", 1, 1, "serve is no verb here; did you mean served?",
            "serve exports \"disk\"", "^");
}

/* ---- Mistakes in headers ---------------------------------------------------------------------- */

static void mistakes_in_needs_are_told(void)
{
    REFUSED("needs write\nopen\n", 1, 7,
            "nothing is known of \"write\" to be needed; did you mean \"writes\"?", "needs write",
            "      ^");
    REFUSED("needs size\nopen\n", 1, 7, "size is always compared", "needs size", "      ^");
    REFUSED("needs writes >= 1\nopen\n", 1, 7, "writes is never compared", "needs writes >= 1",
            "      ^");
    REFUSED("needs transmission-flag\nopen\n", 1, 7, "which transmission flag?",
            "needs transmission-flag", "      ^");
    REFUSED("needs writes SEND_FUA\nopen\n", 1, 14, "no name follows writes",
            "needs writes SEND_FUA", "             ^");
    REFUSED("needs handshake-flag NO_ZEROS\nopen\n", 1, 22,
            "there is no handshake flag NO_ZEROS; did you mean NO_ZEROES?",
            "needs handshake-flag NO_ZEROS", "                     ^");
    REFUSED("needs size >= \"many\"\nopen\n", 1, 15, "expected a number, not many",
            "needs size >= \"many\"", "              ^");
}

static void mistakes_in_uses_are_told(void)
{
    REFUSED("uses region\nopen\n", 1, 6, "how large a region?", "uses region", "     ^");
    REFUSED(
        "uses regoin 4k\nopen\n", 1, 6,
        "a case can use region SIZE, tail, whole-export, size, memory, process or quiet, not regoin",
        "uses regoin 4k", "     ^");
    REFUSED("uses region \"all\"\nopen\n", 1, 13, "expected a number, not all",
            "uses region \"all\"", "            ^");
}

void play_mistake_tests(void)
{
    CU_pSuite suite = CU_add_suite("play: mistakes in cases", NULL, NULL);

    CU_ADD_TEST(suite, an_unknown_verb_is_told_with_the_nearest_one);
    CU_ADD_TEST(suite, a_verb_of_the_other_side_is_no_verb_here);
    CU_ADD_TEST(suite, an_unknown_field_is_told_with_those_that_there_are);
    CU_ADD_TEST(suite, an_unknown_requirement_is_told);
    CU_ADD_TEST(suite, a_name_that_does_not_exist_is_told);
    CU_ADD_TEST(suite, a_variable_that_nothing_has_set_is_told);
    CU_ADD_TEST(suite, what_expressions_cannot_be_is_told);
    CU_ADD_TEST(suite, missing_arguments_are_told);
    CU_ADD_TEST(suite, arguments_beyond_what_a_verb_takes_are_told);
    CU_ADD_TEST(suite, a_mistake_in_one_value_refuses_the_file);
    CU_ADD_TEST(suite, a_variable_of_the_harness_keeps_its_meaning);
    CU_ADD_TEST(suite, what_the_name_says_may_be_kept_in_it);
    CU_ADD_TEST(suite, a_case_cannot_weigh_a_breach_otherwise_than_the_requirements_do);
    CU_ADD_TEST(suite, blocks_hold_what_they_can_hold);
    CU_ADD_TEST(suite, lines_for_clients_are_refused_in_a_case_for_servers);
    CU_ADD_TEST(suite, mistakes_in_needs_are_told);
    CU_ADD_TEST(suite, mistakes_in_uses_are_told);
}
