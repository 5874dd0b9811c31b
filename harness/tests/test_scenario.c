/* The notation: what a case means, and that printing it loses nothing. */
#include <CUnit/CUnit.h>
#include <glib.h>
#include <string.h>

#include "scenario/catalogue.h"
#include "scenario/scenario.h"

void scenario_tests(void);

#define HEAD "case x\npeer server\n"

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

/* ---- Helpers ---------------------------------------------------------------------------------- */

/* A copy without a NUL behind it, so that a sanitizer sees every byte read too far. */
static Scenario *parse_bytes(const char *text, size_t length, GError **error)
{
    g_autofree char *exact = g_memdup2(text, MAX(length, 1));

    return scenario_parse("folder/x", "x.case", exact, length, error);
}

static Scenario *parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    Scenario *scenario = parse_bytes(text, strlen(text), &error);

    if (error != NULL)
        g_printerr("\n%s\n", error->message);
    CU_ASSERT_PTR_NOT_NULL_FATAL(scenario);
    return scenario;
}

static const Statement *statement(GPtrArray *statements, guint i)
{
    CU_ASSERT_FATAL(statements != NULL && i < statements->len);
    return g_ptr_array_index(statements, i);
}

static const Arg *arg(const Statement *statement, guint i)
{
    CU_ASSERT_FATAL(i < statement->args->len);
    return g_ptr_array_index(statement->args, i);
}

static const char *citation(const Statement *statement, guint i)
{
    CU_ASSERT_FATAL(i < statement->citations->len);
    return ((const Citation *)g_ptr_array_index(statement->citations, i))->id;
}

static bool is_text(const Expr *expr, ExprKind kind, const char *text)
{
    return expr->kind == kind && g_strcmp0(expr->text, text) == 0;
}

static bool is_integer(const Expr *expr, uint64_t value)
{
    return expr->kind == EXPR_INTEGER && expr->integer == value;
}

static bool is_string(const Expr *expr, const char *bytes, size_t length)
{
    g_autoptr(GBytes) expected = g_bytes_new(bytes, length);

    return expr->kind == EXPR_STRING && g_bytes_equal(expr->bytes, expected);
}

static bool is_at(Place place, unsigned line, unsigned column)
{
    return place.line == line && place.column == column;
}

/* ---- Headers ---------------------------------------------------------------------------------- */

static void headers_say_what_a_case_needs(void)
{
    g_autoptr(Scenario) scenario = parse("# about this case\n"
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
    CU_ASSERT_TRUE(is_text(g_ptr_array_index(flag->names, 0), EXPR_NAME, "SEND_FUA"));
    CU_ASSERT_TRUE(is_text(g_ptr_array_index(flag->names, 1), EXPR_VARIABLE, "flag"));
    const Need *size = g_ptr_array_index(scenario->needs, 2);
    CU_ASSERT_EQUAL(size->compare, ARG_GREATER_EQUAL);
    CU_ASSERT_TRUE(is_integer(size->value, 65536));
    CU_ASSERT_TRUE(is_at(size->place, 6, 9));
    CU_ASSERT_EQUAL_FATAL(scenario->uses->len, 4);
    const Use *tail = g_ptr_array_index(scenario->uses, 0);
    const Use *region = g_ptr_array_index(scenario->uses, 1);
    CU_ASSERT_STRING_EQUAL(tail->word, "tail");
    CU_ASSERT_PTR_NULL(tail->value);
    CU_ASSERT_TRUE(is_integer(region->value, 65536));
    CU_ASSERT_EQUAL(scenario->statements->len, 0);
}

static void a_client_is_told_what_to_do(void)
{
    g_autoptr(Scenario) scenario = parse("case x\npeer client\nact read offset=4k expect=\"a\"\n");

    CU_ASSERT_EQUAL(scenario->peer, PEER_CLIENT);
    CU_ASSERT_EQUAL_FATAL(scenario->act->len, 3);
    const Arg *what = g_ptr_array_index(scenario->act, 0);
    const Arg *offset = g_ptr_array_index(scenario->act, 1);
    CU_ASSERT_TRUE(is_text(what->value, EXPR_WORD, "read"));
    CU_ASSERT_EQUAL(offset->kind, ARG_EQUAL);
    CU_ASSERT_STRING_EQUAL(offset->name, "offset");
}

static void loops_spell_out_their_values(void)
{
    g_autoptr(Scenario) scenario = parse("case x\npeer server\n"
                                         "for $n in 0 14..16 4k-1 2^63 \"a b\" GO word\n"
                                         "for $only in 0xffffffffffffffff\n");
    const uint64_t numbers[] = {0, 14, 15, 16, 4095, UINT64_C(1) << 63};

    CU_ASSERT_EQUAL_FATAL(scenario->loops->len, 2);
    const Loop *loop = g_ptr_array_index(scenario->loops, 0);
    CU_ASSERT_STRING_EQUAL(loop->variable, "n");
    CU_ASSERT_EQUAL_FATAL(loop->values->len, 9);
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
        CU_ASSERT_TRUE(is_integer(g_ptr_array_index(loop->values, i), numbers[i]));
    CU_ASSERT_TRUE(is_string(g_ptr_array_index(loop->values, 6), "a b", 3));
    CU_ASSERT_TRUE(is_text(g_ptr_array_index(loop->values, 7), EXPR_NAME, "GO"));
    CU_ASSERT_TRUE(is_text(g_ptr_array_index(loop->values, 8), EXPR_WORD, "word"));
    const Loop *only = g_ptr_array_index(scenario->loops, 1);
    CU_ASSERT_TRUE(is_integer(g_ptr_array_index(only->values, 0), UINT64_MAX));
}

static void a_loop_has_up_to_4096_values(void)
{
    g_autoptr(Scenario) scenario = parse(HEAD "for $n in 1..4096\n");
    g_autoptr(Scenario) top = parse(HEAD "for $n in 0xfffffffffffffffe..0xffffffffffffffff\n");
    const Loop *loop = g_ptr_array_index(scenario->loops, 0);

    CU_ASSERT_EQUAL(loop->values->len, 4096);
    loop = g_ptr_array_index(top->loops, 0);
    CU_ASSERT_EQUAL(loop->values->len, 2);
}

static void header_words_are_free_elsewhere(void)
{
    g_autoptr(Scenario) scenario = parse("case case peer needs\npeer server\nneeds for in case\n"
                                         "uses uses\n"
                                         "C: needs for case=1 peer in uses before eventually once\n"
                                         "S: case then one any\n"
                                         "S: trace\n");

    CU_ASSERT_EQUAL(scenario->needs->len, 3);
    CU_ASSERT_STRING_EQUAL(statement(scenario->statements, 0)->verb, "needs");
    CU_ASSERT_EQUAL(statement(scenario->statements, 0)->args->len, 8);
    CU_ASSERT_STRING_EQUAL(statement(scenario->statements, 1)->verb, "case");
    CU_ASSERT_EQUAL(statement(scenario->statements, 2)->kind, STATEMENT_PLAIN);
}

/* ---- Statements ------------------------------------------------------------------------------- */

static void a_message_has_actor_verb_and_arguments(void)
{
    g_autoptr(Scenario) scenario = parse(HEAD "\n"
                                              "negotiate            # the rest of the handshake\n"
                                              "C: option ABORT data=\"bye\"\n"
                                              "  S: reply ABORT ACK length=0   @a.b-c @d.e\n"
                                              " : flush\n"
                                              "B.S: closed\n"
                                              "then served {\n}\n");
    const Statement *negotiate = statement(scenario->statements, 0);
    const Statement *option = statement(scenario->statements, 1);
    const Statement *reply = statement(scenario->statements, 2);

    CU_ASSERT_EQUAL(scenario->statements->len, 6);
    CU_ASSERT_PTR_NULL(negotiate->actor);
    CU_ASSERT_STRING_EQUAL(negotiate->verb, "negotiate");
    CU_ASSERT_EQUAL(negotiate->args->len, 0);
    CU_ASSERT_EQUAL(negotiate->citations->len, 0);
    CU_ASSERT_PTR_NULL(negotiate->block);
    CU_ASSERT_STRING_EQUAL(option->actor, "C");
    CU_ASSERT_STRING_EQUAL(option->verb, "option");
    CU_ASSERT_TRUE(is_at(option->place, 5, 1));
    CU_ASSERT_EQUAL(arg(option, 0)->kind, ARG_POSITION);
    CU_ASSERT_TRUE(is_text(arg(option, 0)->value, EXPR_NAME, "ABORT"));
    CU_ASSERT_TRUE(is_at(arg(option, 0)->place, 5, 11));
    CU_ASSERT_EQUAL(arg(option, 1)->kind, ARG_EQUAL);
    CU_ASSERT_STRING_EQUAL(arg(option, 1)->name, "data");
    CU_ASSERT_TRUE(is_string(arg(option, 1)->value, "bye", 3));
    CU_ASSERT_TRUE(is_at(arg(option, 1)->value->place, 5, 22));
    CU_ASSERT_TRUE(is_at(reply->place, 6, 3));
    CU_ASSERT_EQUAL(reply->citations->len, 2);
    CU_ASSERT_STRING_EQUAL(citation(reply, 0), "a.b-c");
    CU_ASSERT_STRING_EQUAL(citation(reply, 1), "d.e");
    CU_ASSERT_STRING_EQUAL(statement(scenario->statements, 3)->actor, "");
    CU_ASSERT_STRING_EQUAL(statement(scenario->statements, 4)->actor, "B.S");
    CU_ASSERT_FALSE(statement(scenario->statements, 4)->then);
    CU_ASSERT_TRUE(statement(scenario->statements, 5)->then);
    CU_ASSERT_STRING_EQUAL(statement(scenario->statements, 5)->verb, "served");
    CU_ASSERT_PTR_NOT_NULL(statement(scenario->statements, 5)->block);
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
        parse(HEAD "S: x a = 1 b!=2 c<3 d <= 4 e > 5 f>=6 flags has FUA|DF flags lacks DF\n"
                   "S: y size as $size tls as B as $c not EINVAL\n");
    const Statement *first = statement(scenario->statements, 0);
    const Statement *second = statement(scenario->statements, 1);

    CU_ASSERT_EQUAL_FATAL(first->args->len, 8);
    CU_ASSERT_EQUAL_FATAL(second->args->len, 6);
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
        const Arg *found = i < 8 ? arg(first, i) : arg(second, i - 8);
        CU_ASSERT_EQUAL(found->kind, expected[i].kind);
        CU_ASSERT_EQUAL(g_strcmp0(found->name, expected[i].name), 0);
    }
    CU_ASSERT_EQUAL(arg(first, 6)->value->op, '|');
    CU_ASSERT_TRUE(is_text(arg(second, 0)->value, EXPR_VARIABLE, "size"));
    CU_ASSERT_TRUE(is_text(arg(second, 1)->value, EXPR_WORD, "tls"));
    CU_ASSERT_TRUE(is_text(arg(second, 2)->value, EXPR_NAME, "B"));
    CU_ASSERT_TRUE(is_text(arg(second, 3)->value, EXPR_VARIABLE, "c"));
    CU_ASSERT_TRUE(is_text(arg(second, 5)->value, EXPR_NAME, "EINVAL"));
}

static void alternatives_carry_outcomes(void)
{
    g_autoptr(Scenario) scenario = parse(HEAD "one of @a.b {\n"
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
    const Statement *one_of = statement(scenario->statements, 0);

    CU_ASSERT_EQUAL(one_of->kind, STATEMENT_ONE_OF);
    CU_ASSERT_PTR_NULL(one_of->verb);
    CU_ASSERT_STRING_EQUAL(citation(one_of, 0), "a.b");
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
        CU_ASSERT_EQUAL(statement(one_of->block, i)->outcome.kind, kinds[i]);
    const Statement *warn = statement(one_of->block, 2);
    CU_ASSERT_STRING_EQUAL(warn->outcome.why, "why \"so\"");
    CU_ASSERT_FALSE(warn->outcome.continues);
    CU_ASSERT_EQUAL(warn->citations->len, 2);
    CU_ASSERT_TRUE(is_at(warn->outcome.place, 6, 17));
    const Statement *fail = statement(one_of->block, 3);
    CU_ASSERT_TRUE(fail->outcome.continues);
    CU_ASSERT_STRING_EQUAL(statement(fail->block, 0)->verb, "more");
    CU_ASSERT_STRING_EQUAL(statement(one_of->block, 4)->outcome.why, "");
    CU_ASSERT_PTR_NULL(statement(one_of->block, 5)->outcome.why);
    CU_ASSERT_TRUE(statement(one_of->block, 5)->outcome.continues);
}

static void blocks_hold_what_may_come_in_any_order(void)
{
    g_autoptr(Scenario) scenario = parse(HEAD "any order @a.b @c.d {\n"
                                              "\n"
                                              "  S: ok    # a comment\n"
                                              "  each REQUEST {\n"
                                              "  }\n"
                                              "}\n");
    const Statement *any = statement(scenario->statements, 0);

    CU_ASSERT_EQUAL(any->kind, STATEMENT_ANY_ORDER);
    CU_ASSERT_EQUAL(any->citations->len, 2);
    CU_ASSERT_EQUAL(any->block->len, 2);
    CU_ASSERT_EQUAL(statement(any->block, 1)->kind, STATEMENT_PLAIN);
    CU_ASSERT_EQUAL(statement(any->block, 1)->block->len, 0);
}

static void when_replaces_an_answer(void)
{
    g_autoptr(Scenario) scenario = parse("case x\npeer client\nact list\n"
                                         "serve exports \"disk\" \"other\"\n"
                                         "when C: option LIST {\n"
                                         "  S: reply LIST SERVER name=\"disk\"\n"
                                         "  S: reply LIST ACK\n"
                                         "}\n"
                                         "when once C: request READ offset > 0 {\n}\n"
                                         "when nth 3 B: close {\n}\n");
    const Statement *list = statement(scenario->statements, 1);
    const Statement *once = statement(scenario->statements, 2);
    const Statement *third = statement(scenario->statements, 3);

    CU_ASSERT_EQUAL(list->kind, STATEMENT_WHEN);
    CU_ASSERT_FALSE(list->once);
    CU_ASSERT_EQUAL(list->nth, 0);
    CU_ASSERT_STRING_EQUAL(list->pattern->actor, "C");
    CU_ASSERT_STRING_EQUAL(list->pattern->verb, "option");
    CU_ASSERT_EQUAL(list->block->len, 2);
    CU_ASSERT_TRUE(once->once);
    CU_ASSERT_EQUAL(once->nth, 0);
    CU_ASSERT_EQUAL(arg(once->pattern, 1)->kind, ARG_GREATER);
    CU_ASSERT_EQUAL(once->block->len, 0);
    CU_ASSERT_FALSE(third->once);
    CU_ASSERT_EQUAL(third->nth, 3);
}

static void traces_are_judged_at_the_end(void)
{
    g_autoptr(Scenario) scenario = parse("case x\npeer client\n"
                                         "trace eventually C: option LIST\n"
                                         "trace never S: error  @a.b\n"
                                         "trace C: option ABORT before C: close  @c.d @e.f\n"
                                         "trace exit 0\n"
                                         "trace C: x flags has A y as $z before C: close\n"
                                         "S: x before y\n");
    const Statement *before = statement(scenario->statements, 2);
    const Statement *exited = statement(scenario->statements, 3);

    CU_ASSERT_EQUAL(statement(scenario->statements, 0)->kind, STATEMENT_TRACE);
    CU_ASSERT_EQUAL(statement(scenario->statements, 0)->trace, TRACE_EVENTUALLY);
    CU_ASSERT_EQUAL(statement(scenario->statements, 1)->trace, TRACE_NEVER);
    CU_ASSERT_STRING_EQUAL(citation(statement(scenario->statements, 1), 0), "a.b");
    CU_ASSERT_EQUAL(before->trace, TRACE_BEFORE);
    CU_ASSERT_EQUAL(before->pattern->args->len, 1);
    CU_ASSERT_STRING_EQUAL(before->second->verb, "close");
    CU_ASSERT_EQUAL(before->citations->len, 2);
    CU_ASSERT_EQUAL(exited->trace, TRACE_FACT);
    CU_ASSERT_STRING_EQUAL(exited->verb, "exit");
    CU_ASSERT_TRUE(is_integer(arg(exited, 0)->value, 0));
    CU_ASSERT_EQUAL(statement(scenario->statements, 4)->trace, TRACE_BEFORE);
    CU_ASSERT_EQUAL(statement(scenario->statements, 5)->args->len, 2); /* a word like others */
}

/* ---- Words ------------------------------------------------------------------------------------ */

static void numbers_have_bases_and_suffixes(void)
{
    static const struct {
        const char *text;
        uint64_t value;
    } numbers[] = {
        {"0", 0},
        {"007", 7},
        {"0x0", 0},
        {"0xFf", 255},
        {"1k", 1024},
        {"3M", 3145728},
        {"1G", 1073741824},
        {"0x10k", 16384},
        {"1T", UINT64_C(1) << 40},
        {"16777215T", UINT64_C(16777215) << 40},
        {"18446744073709551615", UINT64_MAX},
        {"0xffffffffffffffff", UINT64_MAX},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        g_autofree char *text = g_strdup_printf(HEAD "x %s\n", numbers[i].text);
        g_autoptr(Scenario) scenario = parse(text);
        CU_ASSERT_TRUE(
            is_integer(arg(statement(scenario->statements, 0), 0)->value, numbers[i].value));
    }
}

static void strings_hold_any_bytes(void)
{
    g_autoptr(Scenario) scenario =
        parse(HEAD "x \"\" \"\\\\ \\\" \\n\\t\\r\\0\\x00\\xfF\" \"# @a {é日\t\"\n");
    const Statement *x = statement(scenario->statements, 0);

    CU_ASSERT_EQUAL(x->args->len, 3);
    CU_ASSERT_TRUE(is_string(arg(x, 0)->value, "", 0));
    CU_ASSERT_TRUE(is_string(arg(x, 1)->value, "\\ \" \n\t\r\0\0\xff", 10));
    CU_ASSERT_TRUE(is_string(arg(x, 2)->value, "# @a {é日\t", 12));
}

static void a_minus_is_told_from_a_hyphen(void)
{
    g_autoptr(Scenario) scenario = parse(HEAD "client-flags $size-512 multi-conn MAX-1 word- 1\n");
    const Statement *x = statement(scenario->statements, 0);

    CU_ASSERT_STRING_EQUAL(x->verb, "client-flags");
    CU_ASSERT_EQUAL_FATAL(x->args->len, 4);
    CU_ASSERT_EQUAL(arg(x, 0)->value->op, '-');
    CU_ASSERT_TRUE(is_text(arg(x, 0)->value->left, EXPR_VARIABLE, "size"));
    CU_ASSERT_TRUE(is_text(arg(x, 1)->value, EXPR_WORD, "multi-conn"));
    CU_ASSERT_EQUAL(arg(x, 2)->value->op, '-');
    CU_ASSERT_TRUE(is_text(arg(x, 3)->value->left, EXPR_WORD, "word"));
}

/* The expression, with every operator's operands in parentheses. */
static void spell(GString *out, const Expr *expr)
{
    if (expr->kind == EXPR_INTEGER) {
        g_string_append_printf(out, "%" G_GUINT64_FORMAT, expr->integer);
        return;
    }
    g_string_append_c(out, '(');
    spell(out, expr->left);
    g_string_append_c(out, expr->op);
    spell(out, expr->right);
    g_string_append_c(out, ')');
}

static void operators_bind_as_in_arithmetic(void)
{
    static const char *const expressions[][2] = {
        {"1|2+3*4^5", "(1|(2+(3*(4^5))))"},
        {"1^2*3-4|5", "((((1^2)*3)-4)|5)"},
        {"1-2-3", "((1-2)-3)"},
        {"1-(2-3)", "(1-(2-3))"},
        {"8/4/2", "((8/4)/2)"},
        {"7%4*2", "((7%4)*2)"},
        {"2^3^4", "(2^(3^4))"},
        {"(2^3)^4", "((2^3)^4)"},
        {"((1))", "1"},
        {"1|2|3", "((1|2)|3)"},
        {"1 + 2 - 3", "((1+2)-3)"},
        {"(1+2)*(3-4)", "((1+2)*(3-4))"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(expressions); i++) {
        g_autofree char *text = g_strdup_printf(HEAD "x y=%s\n", expressions[i][0]);
        g_autoptr(Scenario) scenario = parse(text);
        g_autoptr(GString) spelled = g_string_new(NULL);
        spell(spelled, arg(statement(scenario->statements, 0), 0)->value);
        CU_ASSERT_STRING_EQUAL(spelled->str, expressions[i][1]);
    }
}

static void line_ends_are_what_editors_write(void)
{
    static const char unix_text[] =
        "# c\ncase x # c\npeer server\n\none of {\n  S: a \"b\" # c\n}\n";
    g_autoptr(Scenario) scenario = parse(unix_text);
    g_auto(GStrv) lines = g_strsplit(unix_text, "\n", -1);
    g_autofree char *dos_text = g_strjoinv("\r\n", lines);
    g_autoptr(Scenario) dos = parse(dos_text);
    g_autofree char *cut_text = g_strndup(dos_text, strlen(dos_text) - 2);
    g_autoptr(Scenario) cut = parse(cut_text);
    g_autoptr(Scenario) half = parse("case x\r\npeer server\r\ny\r");

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
    g_autoptr(Scenario) again = parse_bytes(printed, strlen(printed), &error);
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
        g_autoptr(Scenario) scenario = parse(examples[i]);
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
        g_autoptr(Scenario) scenario = parse_bytes(text, (size_t)length, &error);
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
        parse("case   T  # c\nneeds a  size>=1k\npeer server\nuses region 64k\nfor $n in 0..2\n"
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
    g_autoptr(Scenario) scenario = parse(HEAD "when nth 2 C: x y=1 {\n S: z\n}\n");
    g_autofree char *printed = scenario_print_statement(statement(scenario->statements, 0));

    CU_ASSERT_STRING_EQUAL(printed, "when nth 2 C: x y=1");
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
        {"numbers have bases and suffixes", numbers_have_bases_and_suffixes},
        {"strings hold any bytes", strings_hold_any_bytes},
        {"a minus is told from a hyphen", a_minus_is_told_from_a_hyphen},
        {"operators bind as in arithmetic", operators_bind_as_in_arithmetic},
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
        {"scenario", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    CU_register_suites(suites);
}
