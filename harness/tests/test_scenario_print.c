/* Printing a case, and parsing what was printed, gives the same case. */
#include <CUnit/CUnit.h>
#include <glib.h>
#include <string.h>

#include "parsed.h"
#include "scenario/catalogue.h"

void scenario_print_tests(void);

/* ---- Equal trees ------------------------------------------------------------------------------ */

/* Equal in all but their places. */
static bool same_expr(const Expr *a, const Expr *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if (a->kind != b->kind || a->integer != b->integer || a->op != b->op ||
        g_strcmp0(a->text, b->text) != 0 || (a->bytes == NULL) != (b->bytes == NULL))
        return false;
    if (a->bytes != NULL && !g_bytes_equal(a->bytes, b->bytes))
        return false;
    return same_expr(a->left, b->left) && same_expr(a->right, b->right);
}

typedef bool (*Same)(const void *a, const void *b);

static bool same_list(GPtrArray *a, GPtrArray *b, Same same)
{
    if (a == NULL || b == NULL)
        return a == b;
    if (a->len != b->len)
        return false;
    for (guint i = 0; i < a->len; i++)
        if (!same(g_ptr_array_index(a, i), g_ptr_array_index(b, i)))
            return false;
    return true;
}

static bool same_value(const void *a, const void *b)
{
    return same_expr(a, b);
}

static bool same_arg(const void *x, const void *y)
{
    const Arg *a = x, *b = y;

    return a->kind == b->kind && g_strcmp0(a->name, b->name) == 0 && same_expr(a->value, b->value);
}

static bool same_citation(const void *x, const void *y)
{
    const Citation *a = x, *b = y;

    return g_str_equal(a->id, b->id);
}

static bool same_need(const void *x, const void *y)
{
    const Need *a = x, *b = y;

    return g_str_equal(a->word, b->word) && a->compare == b->compare &&
           same_expr(a->value, b->value) && same_list(a->names, b->names, same_value);
}

static bool same_use(const void *x, const void *y)
{
    const Use *a = x, *b = y;

    return g_str_equal(a->word, b->word) && same_expr(a->value, b->value);
}

static bool same_loop(const void *x, const void *y)
{
    const Loop *a = x, *b = y;

    return g_str_equal(a->variable, b->variable) && same_list(a->values, b->values, same_value);
}

static bool same_statement(const void *x, const void *y)
{
    const Statement *a = x, *b = y;

    if (a == NULL || b == NULL)
        return a == b;
    return a->kind == b->kind && a->then == b->then && g_strcmp0(a->actor, b->actor) == 0 &&
           g_strcmp0(a->verb, b->verb) == 0 && same_list(a->args, b->args, same_arg) &&
           same_list(a->citations, b->citations, same_citation) &&
           a->outcome.kind == b->outcome.kind && a->outcome.continues == b->outcome.continues &&
           g_strcmp0(a->outcome.why, b->outcome.why) == 0 &&
           same_list(a->block, b->block, same_statement) &&
           same_statement(a->pattern, b->pattern) && same_statement(a->second, b->second) &&
           a->trace == b->trace && a->once == b->once && a->nth == b->nth;
}

static bool same_scenario(const Scenario *a, const Scenario *b)
{
    return g_str_equal(a->title, b->title) && a->peer == b->peer &&
           same_list(a->act, b->act, same_arg) && same_list(a->needs, b->needs, same_need) &&
           same_list(a->uses, b->uses, same_use) && same_list(a->loops, b->loops, same_loop) &&
           same_list(a->statements, b->statements, same_statement);
}

static void line_ends_are_what_editors_write(void)
{
    static const char unix_text[] =
        "# c\ncase x # c\npeer server\n\none of {\n  S: a \"b\" # c\n}\n";
    g_autoptr(Scenario) scenario = parsed(unix_text);
    g_auto(GStrv) lines = g_strsplit(unix_text, "\n", -1);
    g_autofree char *dos_text = g_strjoinv("\r\n", lines);
    g_autoptr(Scenario) dos = parsed(dos_text);
    g_autofree char *cut_text = g_strndup(dos_text, strlen(dos_text) - 2);
    g_autoptr(Scenario) cut = parsed(cut_text);
    g_autoptr(Scenario) half = parsed("case x\r\npeer server\r\ny\r");

    CU_ASSERT_TRUE(same_scenario(scenario, dos));
    CU_ASSERT_TRUE(same_scenario(scenario, cut));
    CU_ASSERT_STRING_EQUAL(dos->title, "x");
    CU_ASSERT_EQUAL(half->statements->len, 1);
}

/* ---- Printing --------------------------------------------------------------------------------- */

static bool round_trips(const Scenario *scenario)
{
    g_autofree char *printed = scenario_print(scenario);
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) again = parsed_bytes(printed, strlen(printed), &error);
    if (again == NULL) {
        g_printerr("\n%s\n", error->message);
        return false;
    }
    g_autofree char *reprinted = scenario_print(again);
    return same_scenario(scenario, again) && g_str_equal(printed, reprinted);
}

static const char *const examples[] = {
    HEAD,
    "case \"\npeer client\nact a B $c \"d\" e=1 f has G\n",
    "case a \"# b\" c\npeer kernel\nneeds a b C D $e f=1 g>=$h*2 i\nuses a b 1 c 1+2 d E\n",
    HEAD "for $n in 1..9 a B \"\\x00 c\"\nfor $m in 2^63\n",
    HEAD "connect\nS: greeting newstyle\nC: client-flags FIXED_NEWSTYLE NO_ZEROES\n"
         "C: option EXPORT_NAME name=$export\n"
         "one of {\n  S: export size as $size => continue\n"
         "  S: close => skip \"refuses \\\\ \\\"it\\\"\"\n}\n"
         "C: request READ offset=$size-512 length=512\nS: simple-reply error=0 length=512 @a.b\n",
    HEAD "open\nopen as B\n: write offset=$region length=4096 data=pattern\n"
         "B: read offset=$region length=4k flags=FUA expect=pattern @a.b\n",
    HEAD "serve exports \"a\" \"b\"\nwhen once C: option LIST {\n  S: reply LIST ACK\n}\n"
         "when nth 2 B.C: close {\n}\ntrace eventually : x\ntrace never C: y z=1 @a @b\n"
         "trace C: a B before S: c \"d\" @e\ntrace exit 0\ntrace exit 1|2 @f\n",
    HEAD
    "x a (b) -1\nx a-(b) - c-d - 1\nx (a|b) ^ c ^ (d ^ e) ^ (f * g)\nx a - (b + (c - d)) % 2\n",
    HEAD "x \"a\" * 4096 + \"b\\x80\\xc3\\n\\t\\r\\0\xc3\xa9\xe2\x80\xa8\xef\xbb\xbf\"\n",
    HEAD "x a as $b c as D as $e as F g has H|I h lacks J i!=1 j<2 k<=3 l>4 m>=5\n",
    HEAD "one of @a {\n  then S: x @b => warn continue @c {\n    any order @d {\n      y\n    }\n"
         "  }\n  S: z => fail \"w\" continue\n  S: v => pass \"u\"\n}\nthen : w\n",
};

static void printing_and_parsing_again_gives_an_equal_tree(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(examples); i++) {
        g_autoptr(Scenario) scenario = parsed(examples[i]);
        CU_ASSERT_TRUE(round_trips(scenario));
    }
}

static void every_case_of_the_catalogue_round_trips(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) scenarios = catalogue_load(&error);

    if (error != NULL)
        g_printerr("\n%s\n", error->message);
    CU_ASSERT_PTR_NOT_NULL_FATAL(scenarios);
    for (guint i = 0; i < scenarios->len; i++)
        CU_ASSERT_TRUE(round_trips(g_ptr_array_index(scenarios, i)));
}

/* What the examples become by a few bytes changed: an error, or a tree that round-trips. */
static void mutilated_examples_parse_or_fail_but_never_crash(void)
{
    static const char alphabet[] = "\n\n  {}():.,=<>!+-*/%^|\"\\#@$_azAZ09k\t\r\xc3\xa9\x00";
    g_autoptr(GRand) random = g_rand_new_with_seed(7);
    unsigned parsed = 0;

    for (int round = 0; round < 20000; round++) {
        const char *example = examples[g_rand_int_range(random, 0, G_N_ELEMENTS(examples))];
        gint32 length = (gint32)strlen(example);
        g_autofree char *text = g_strdup(example);
        for (int change = g_rand_int_range(random, 1, 4); change > 0; change--)
            text[g_rand_int_range(random, 0, length)] =
                alphabet[g_rand_int_range(random, 0, sizeof alphabet - 1)];
        g_autoptr(GError) error = NULL;
        g_autoptr(Scenario) scenario = parsed_bytes(text, (size_t)length, &error);
        CU_ASSERT_EQUAL(scenario == NULL, error != NULL);
        if (scenario != NULL) {
            parsed++;
            CU_ASSERT_TRUE(round_trips(scenario));
        } else {
            CU_ASSERT_TRUE(g_utf8_validate(error->message, -1, NULL));
        }
    }
    CU_ASSERT(parsed > 1000);
}

static void the_printed_form_is_the_documented_one(void)
{
    g_autoptr(Scenario) scenario =
        parsed("case   T  # c\nneeds a  size>=1k\npeer server\nuses region 64k\nfor $n in 0..2\n"
               "C:   option  ABORT   data = \"x\"\none of @a.b {\n"
               "S: x => warn \"y\" @c.d {\n : z flags has A | B\n}\n}\ntrace exit 1-1\n");
    g_autofree char *printed = scenario_print(scenario);

    CU_ASSERT_STRING_EQUAL(printed, "case    T\n"
                                    "peer    server\n"
                                    "needs   a  size >= 1024\n"
                                    "uses    region 65536\n"
                                    "for     $n in 0 1 2\n"
                                    "\n"
                                    "C: option ABORT data=\"x\"\n"
                                    "one of @a.b {\n"
                                    "  S: x  @c.d  => warn \"y\" {\n"
                                    "    : z flags has A|B\n"
                                    "  }\n"
                                    "}\n"
                                    "trace exit 1 - 1\n");
}

static void a_statement_is_printed_on_one_line(void)
{
    g_autoptr(Scenario) scenario = parsed(HEAD "when nth 2 C: x y=1 {\n S: z\n}\n");
    g_autofree char *printed = scenario_print_statement(scenario->statements->pdata[0]);

    CU_ASSERT_STRING_EQUAL(printed, "when nth 2 C: x y=1");
}

void scenario_print_tests(void)
{
    CU_TestInfo tests[] = {
        {"line ends are what editors write", line_ends_are_what_editors_write},
        {"printing and parsing again gives an equal tree",
         printing_and_parsing_again_gives_an_equal_tree},
        {"every case of the catalogue round-trips", every_case_of_the_catalogue_round_trips},
        {"mutilated examples parse or fail, but never crash",
         mutilated_examples_parse_or_fail_but_never_crash},
        {"the printed form is the documented one", the_printed_form_is_the_documented_one},
        {"a statement is printed on one line", a_statement_is_printed_on_one_line},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"scenario: printing", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    CU_register_suites(suites);
}
