/* The notation: what a case means. */
#include <CUnit/CUnit.h>
#include <glib.h>
#include <string.h>

#include "parsed.h"

void scenario_tests(void);

/* ---- Helpers ---------------------------------------------------------------------------------- */

static const char *citation(const Statement *statement, guint i)
{
    CU_ASSERT_FATAL(i < statement->citations->len);
    return ((const Citation *)g_ptr_array_index(statement->citations, i))->id;
}

static bool is_at(Place place, unsigned line, unsigned column)
{
    return place.line == line && place.column == column;
}

/* ---- Headers ---------------------------------------------------------------------------------- */

static void headers_say_what_a_case_needs(void)
{
    g_autoptr(Scenario) scenario =
        parsed("# about this case\n"
               "\n"
               "case    A title, with \" # quotes\" and x#y   # comment\n"
               "peer    kernel\n"
               "needs   writes  transmission-flag SEND_FUA $flag\n"
               "needs   size >= 64k  minimum-block!=1\n"
               "uses    tail  region 64k whole-export\n"
               "uses    process");

    CU_ASSERT_STRING_EQUAL(scenario->path, "folder/x");
    CU_ASSERT_STRING_EQUAL(scenario->file, "x.case");
    CU_ASSERT_STRING_EQUAL(scenario->title, "A title, with \" # quotes\" and x#y");
    CU_ASSERT_TRUE(is_at(scenario->title_place, 3, 9));
    CU_ASSERT_EQUAL(scenario->peer, PEER_KERNEL);
    CU_ASSERT_PTR_NULL(scenario->act);
    CU_ASSERT_EQUAL_FATAL(scenario->needs->len, 4);
    const Need *flag = g_ptr_array_index(scenario->needs, 1);
    CU_ASSERT_STRING_EQUAL(flag->word, "transmission-flag");
    CU_ASSERT_EQUAL(flag->compare, ARG_POSITION);
    CU_ASSERT_EQUAL_FATAL(flag->names->len, 2);
    CU_ASSERT_TRUE(parsed_text(g_ptr_array_index(flag->names, 0), EXPR_NAME, "SEND_FUA"));
    CU_ASSERT_TRUE(parsed_text(g_ptr_array_index(flag->names, 1), EXPR_VARIABLE, "flag"));
    const Need *size = g_ptr_array_index(scenario->needs, 2);
    CU_ASSERT_EQUAL(size->compare, ARG_GREATER_EQUAL);
    CU_ASSERT_TRUE(parsed_integer(size->value, 65536));
    CU_ASSERT_TRUE(is_at(size->place, 6, 9));
    CU_ASSERT_EQUAL_FATAL(scenario->uses->len, 4);
    const Use *tail = g_ptr_array_index(scenario->uses, 0);
    const Use *region = g_ptr_array_index(scenario->uses, 1);
    CU_ASSERT_STRING_EQUAL(tail->word, "tail");
    CU_ASSERT_PTR_NULL(tail->value);
    CU_ASSERT_TRUE(parsed_integer(region->value, 65536));
    CU_ASSERT_EQUAL(scenario->statements->len, 0);
}

static void a_client_is_told_what_to_do(void)
{
    g_autoptr(Scenario) scenario = parsed("case x\npeer client\nact read offset=4k expect=\"a\"\n");

    CU_ASSERT_EQUAL(scenario->peer, PEER_CLIENT);
    CU_ASSERT_EQUAL_FATAL(scenario->act->len, 3);
    const Arg *what = g_ptr_array_index(scenario->act, 0);
    const Arg *offset = g_ptr_array_index(scenario->act, 1);
    CU_ASSERT_TRUE(parsed_text(what->value, EXPR_WORD, "read"));
    CU_ASSERT_EQUAL(offset->kind, ARG_EQUAL);
    CU_ASSERT_STRING_EQUAL(offset->name, "offset");
}

static void loops_spell_out_their_values(void)
{
    g_autoptr(Scenario) scenario = parsed("case x\npeer server\n"
                                          "for $n in 0 14..16 4k-1 2^63 \"a b\" GO word\n"
                                          "for $only in 0xffffffffffffffff\n");
    const uint64_t numbers[] = {0, 14, 15, 16, 4095, UINT64_C(1) << 63};

    CU_ASSERT_EQUAL_FATAL(scenario->loops->len, 2);
    const Loop *loop = g_ptr_array_index(scenario->loops, 0);
    CU_ASSERT_STRING_EQUAL(loop->variable, "n");
    CU_ASSERT_EQUAL_FATAL(loop->values->len, 9);
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
        CU_ASSERT_TRUE(parsed_integer(g_ptr_array_index(loop->values, i), numbers[i]));
    CU_ASSERT_TRUE(parsed_string(g_ptr_array_index(loop->values, 6), "a b", 3));
    CU_ASSERT_TRUE(parsed_text(g_ptr_array_index(loop->values, 7), EXPR_NAME, "GO"));
    CU_ASSERT_TRUE(parsed_text(g_ptr_array_index(loop->values, 8), EXPR_WORD, "word"));
    const Loop *only = g_ptr_array_index(scenario->loops, 1);
    CU_ASSERT_TRUE(parsed_integer(g_ptr_array_index(only->values, 0), UINT64_MAX));
}

static void a_loop_has_up_to_4096_values(void)
{
    g_autoptr(Scenario) scenario = parsed(HEAD "for $n in 1..4096\n");
    g_autoptr(Scenario) top = parsed(HEAD "for $n in 0xfffffffffffffffe..0xffffffffffffffff\n");
    const Loop *loop = g_ptr_array_index(scenario->loops, 0);

    CU_ASSERT_EQUAL(loop->values->len, 4096);
    loop = g_ptr_array_index(top->loops, 0);
    CU_ASSERT_EQUAL(loop->values->len, 2);
}

static void header_words_are_free_elsewhere(void)
{
    g_autoptr(Scenario) scenario =
        parsed("case case peer needs\npeer server\nneeds for in case\n"
               "uses uses\n"
               "C: needs for case=1 peer in uses before eventually once\n"
               "S: case then one any\n"
               "S: trace\n");

    CU_ASSERT_EQUAL(scenario->needs->len, 3);
    CU_ASSERT_STRING_EQUAL(parsed_statement(scenario->statements, 0)->verb, "needs");
    CU_ASSERT_EQUAL(parsed_statement(scenario->statements, 0)->args->len, 8);
    CU_ASSERT_STRING_EQUAL(parsed_statement(scenario->statements, 1)->verb, "case");
    CU_ASSERT_EQUAL(parsed_statement(scenario->statements, 2)->kind, STATEMENT_PLAIN);
}

/* ---- Statements ------------------------------------------------------------------------------- */

static void a_message_has_actor_verb_and_arguments(void)
{
    g_autoptr(Scenario) scenario = parsed(HEAD "\n"
                                               "negotiate            # the rest of the handshake\n"
                                               "C: option ABORT data=\"bye\"\n"
                                               "  S: reply ABORT ACK length=0   @a.b-c @d.e\n"
                                               " : flush\n"
                                               "B.S: closed\n"
                                               "then served {\n}\n");
    const Statement *negotiate = parsed_statement(scenario->statements, 0);
    const Statement *option = parsed_statement(scenario->statements, 1);
    const Statement *reply = parsed_statement(scenario->statements, 2);

    CU_ASSERT_EQUAL(scenario->statements->len, 6);
    CU_ASSERT_PTR_NULL(negotiate->actor);
    CU_ASSERT_STRING_EQUAL(negotiate->verb, "negotiate");
    CU_ASSERT_EQUAL(negotiate->args->len, 0);
    CU_ASSERT_EQUAL(negotiate->citations->len, 0);
    CU_ASSERT_PTR_NULL(negotiate->block);
    CU_ASSERT_STRING_EQUAL(option->actor, "C");
    CU_ASSERT_STRING_EQUAL(option->verb, "option");
    CU_ASSERT_TRUE(is_at(option->place, 5, 1));
    CU_ASSERT_EQUAL(parsed_arg(option, 0)->kind, ARG_POSITION);
    CU_ASSERT_TRUE(parsed_text(parsed_arg(option, 0)->value, EXPR_NAME, "ABORT"));
    CU_ASSERT_TRUE(is_at(parsed_arg(option, 0)->place, 5, 11));
    CU_ASSERT_EQUAL(parsed_arg(option, 1)->kind, ARG_EQUAL);
    CU_ASSERT_STRING_EQUAL(parsed_arg(option, 1)->name, "data");
    CU_ASSERT_TRUE(parsed_string(parsed_arg(option, 1)->value, "bye", 3));
    CU_ASSERT_TRUE(is_at(parsed_arg(option, 1)->value->place, 5, 22));
    CU_ASSERT_TRUE(is_at(reply->place, 6, 3));
    CU_ASSERT_EQUAL(reply->citations->len, 2);
    CU_ASSERT_STRING_EQUAL(citation(reply, 0), "a.b-c");
    CU_ASSERT_STRING_EQUAL(citation(reply, 1), "d.e");
    CU_ASSERT_STRING_EQUAL(parsed_statement(scenario->statements, 3)->actor, "");
    CU_ASSERT_STRING_EQUAL(parsed_statement(scenario->statements, 4)->actor, "B.S");
    CU_ASSERT_FALSE(parsed_statement(scenario->statements, 4)->then);
    CU_ASSERT_TRUE(parsed_statement(scenario->statements, 5)->then);
    CU_ASSERT_STRING_EQUAL(parsed_statement(scenario->statements, 5)->verb, "served");
    CU_ASSERT_PTR_NOT_NULL(parsed_statement(scenario->statements, 5)->block);
}

static void arguments_compare_bind_and_name(void)
{
    static const struct {
        ArgKind kind;
        const char *name;
    } expected[] = {
        {ARG_EQUAL, "a"},     {ARG_NOT_EQUAL, "b"},     {ARG_LESS, "c"},    {ARG_LESS_EQUAL, "d"},
        {ARG_GREATER, "e"},   {ARG_GREATER_EQUAL, "f"}, {ARG_HAS, "flags"}, {ARG_LACKS, "flags"},
        {ARG_BIND, "size"},   {ARG_POSITION, NULL},     {ARG_BIND, NULL},   {ARG_BIND, NULL},
        {ARG_POSITION, NULL}, {ARG_POSITION, NULL},
    };
    g_autoptr(Scenario) scenario =
        parsed(HEAD "S: x a = 1 b!=2 c<3 d <= 4 e > 5 f>=6 flags has FUA|DF flags lacks DF\n"
                    "S: y size as $size tls as B as $c not EINVAL\n");
    const Statement *first = parsed_statement(scenario->statements, 0);
    const Statement *second = parsed_statement(scenario->statements, 1);

    CU_ASSERT_EQUAL_FATAL(first->args->len, 8);
    CU_ASSERT_EQUAL_FATAL(second->args->len, 6);
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
        const Arg *found = i < 8 ? parsed_arg(first, i) : parsed_arg(second, i - 8);
        CU_ASSERT_EQUAL(found->kind, expected[i].kind);
        CU_ASSERT_EQUAL(g_strcmp0(found->name, expected[i].name), 0);
    }
    CU_ASSERT_EQUAL(parsed_arg(first, 6)->value->op, '|');
    CU_ASSERT_TRUE(parsed_text(parsed_arg(second, 0)->value, EXPR_VARIABLE, "size"));
    CU_ASSERT_TRUE(parsed_text(parsed_arg(second, 1)->value, EXPR_WORD, "tls"));
    CU_ASSERT_TRUE(parsed_text(parsed_arg(second, 2)->value, EXPR_NAME, "B"));
    CU_ASSERT_TRUE(parsed_text(parsed_arg(second, 3)->value, EXPR_VARIABLE, "c"));
    CU_ASSERT_TRUE(parsed_text(parsed_arg(second, 5)->value, EXPR_NAME, "EINVAL"));
}

static void alternatives_carry_outcomes(void)
{
    g_autoptr(Scenario) scenario = parsed(HEAD "one of @a.b {\n"
                                               "  S: a  => continue\n"
                                               "  S: b  => pass\n"
                                               "  S: c  @c.d => warn \"why \\\"so\\\"\" @e.f\n"
                                               "  S: d  => fail \"no\" continue {\n"
                                               "    C: more\n"
                                               "  }\n"
                                               "  S: e  => skip \"\"\n"
                                               "  S: f  => warn continue\n"
                                               "}\n");
    static const OutcomeKind kinds[] = {OUTCOME_CONTINUE, OUTCOME_PASS, OUTCOME_WARN,
                                        OUTCOME_FAIL,     OUTCOME_SKIP, OUTCOME_WARN};
    const Statement *one_of = parsed_statement(scenario->statements, 0);

    CU_ASSERT_EQUAL(one_of->kind, STATEMENT_ONE_OF);
    CU_ASSERT_PTR_NULL(one_of->verb);
    CU_ASSERT_STRING_EQUAL(citation(one_of, 0), "a.b");
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
        CU_ASSERT_EQUAL(parsed_statement(one_of->block, i)->outcome.kind, kinds[i]);
    const Statement *warn = parsed_statement(one_of->block, 2);
    CU_ASSERT_STRING_EQUAL(warn->outcome.why, "why \"so\"");
    CU_ASSERT_FALSE(warn->outcome.continues);
    CU_ASSERT_EQUAL(warn->citations->len, 2);
    CU_ASSERT_TRUE(is_at(warn->outcome.place, 6, 17));
    const Statement *fail = parsed_statement(one_of->block, 3);
    CU_ASSERT_TRUE(fail->outcome.continues);
    CU_ASSERT_STRING_EQUAL(parsed_statement(fail->block, 0)->verb, "more");
    CU_ASSERT_STRING_EQUAL(parsed_statement(one_of->block, 4)->outcome.why, "");
    CU_ASSERT_PTR_NULL(parsed_statement(one_of->block, 5)->outcome.why);
    CU_ASSERT_TRUE(parsed_statement(one_of->block, 5)->outcome.continues);
}

static void blocks_hold_what_may_come_in_any_order(void)
{
    g_autoptr(Scenario) scenario = parsed(HEAD "any order @a.b @c.d {\n"
                                               "\n"
                                               "  S: ok    # a comment\n"
                                               "  each REQUEST {\n"
                                               "  }\n"
                                               "}\n");
    const Statement *any = parsed_statement(scenario->statements, 0);

    CU_ASSERT_EQUAL(any->kind, STATEMENT_ANY_ORDER);
    CU_ASSERT_EQUAL(any->citations->len, 2);
    CU_ASSERT_EQUAL(any->block->len, 2);
    CU_ASSERT_EQUAL(parsed_statement(any->block, 1)->kind, STATEMENT_PLAIN);
    CU_ASSERT_EQUAL(parsed_statement(any->block, 1)->block->len, 0);
}

static void when_replaces_an_answer(void)
{
    g_autoptr(Scenario) scenario = parsed("case x\npeer client\nact list\n"
                                          "serve exports \"disk\" \"other\"\n"
                                          "when C: option LIST {\n"
                                          "  S: reply LIST SERVER name=\"disk\"\n"
                                          "  S: reply LIST ACK\n"
                                          "}\n"
                                          "when once C: request READ offset > 0 {\n}\n"
                                          "when nth 3 B: close {\n}\n");
    const Statement *list = parsed_statement(scenario->statements, 1);
    const Statement *once = parsed_statement(scenario->statements, 2);
    const Statement *third = parsed_statement(scenario->statements, 3);

    CU_ASSERT_EQUAL(list->kind, STATEMENT_WHEN);
    CU_ASSERT_FALSE(list->once);
    CU_ASSERT_EQUAL(list->nth, 0);
    CU_ASSERT_STRING_EQUAL(list->pattern->actor, "C");
    CU_ASSERT_STRING_EQUAL(list->pattern->verb, "option");
    CU_ASSERT_EQUAL(list->block->len, 2);
    CU_ASSERT_TRUE(once->once);
    CU_ASSERT_EQUAL(once->nth, 0);
    CU_ASSERT_EQUAL(parsed_arg(once->pattern, 1)->kind, ARG_GREATER);
    CU_ASSERT_EQUAL(once->block->len, 0);
    CU_ASSERT_FALSE(third->once);
    CU_ASSERT_EQUAL(third->nth, 3);
}

static void traces_are_judged_at_the_end(void)
{
    g_autoptr(Scenario) scenario = parsed("case x\npeer client\n"
                                          "trace eventually C: option LIST\n"
                                          "trace never S: error  @a.b\n"
                                          "trace C: option ABORT before C: close  @c.d @e.f\n"
                                          "trace exit 0\n"
                                          "trace C: x flags has A y as $z before C: close\n"
                                          "S: x before y\n");
    const Statement *before = parsed_statement(scenario->statements, 2);
    const Statement *exited = parsed_statement(scenario->statements, 3);

    CU_ASSERT_EQUAL(parsed_statement(scenario->statements, 0)->kind, STATEMENT_TRACE);
    CU_ASSERT_EQUAL(parsed_statement(scenario->statements, 0)->trace, TRACE_EVENTUALLY);
    CU_ASSERT_EQUAL(parsed_statement(scenario->statements, 1)->trace, TRACE_NEVER);
    CU_ASSERT_STRING_EQUAL(citation(parsed_statement(scenario->statements, 1), 0), "a.b");
    CU_ASSERT_EQUAL(before->trace, TRACE_BEFORE);
    CU_ASSERT_EQUAL(before->pattern->args->len, 1);
    CU_ASSERT_STRING_EQUAL(before->second->verb, "close");
    CU_ASSERT_EQUAL(before->citations->len, 2);
    CU_ASSERT_EQUAL(exited->trace, TRACE_FACT);
    CU_ASSERT_STRING_EQUAL(exited->verb, "exit");
    CU_ASSERT_TRUE(parsed_integer(parsed_arg(exited, 0)->value, 0));
    CU_ASSERT_EQUAL(parsed_statement(scenario->statements, 4)->trace, TRACE_BEFORE);
    CU_ASSERT_EQUAL(parsed_statement(scenario->statements, 5)->args->len,
                    2); /* a word like others */
}

void scenario_tests(void)
{
    CU_TestInfo tests[] = {
        {"headers say what a case needs", headers_say_what_a_case_needs},
        {"a client is told what to do", a_client_is_told_what_to_do},
        {"loops spell out their values", loops_spell_out_their_values},
        {"a loop has up to 4096 values", a_loop_has_up_to_4096_values},
        {"header words are free elsewhere", header_words_are_free_elsewhere},
        {"a message has actor, verb and arguments", a_message_has_actor_verb_and_arguments},
        {"arguments compare, bind and name", arguments_compare_bind_and_name},
        {"alternatives carry outcomes", alternatives_carry_outcomes},
        {"blocks hold what may come in any order", blocks_hold_what_may_come_in_any_order},
        {"when replaces an answer", when_replaces_an_answer},
        {"traces are judged at the end", traces_are_judged_at_the_end},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"scenario", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    CU_register_suites(suites);
}
