/* What the grammar's actions do. */
#include "scenario/action.h"

bool action_set_peer(Parser *parser, Place place, char *text)
{
    static const char *const peers[] = {"server", "client", "kernel", NULL};
    g_autofree char *word = text;

    if (parser->has_peer)
        return scenario_parser_fail(parser, place, "a case has one peer");
    for (int i = 0; peers[i] != NULL; i++) {
        if (g_str_equal(peers[i], word)) {
            parser->scenario->peer = (PeerKind)i; /* in the order of the enumeration */
            return parser->has_peer = true;
        }
    }
    const char *near = scenario_nearest(word, peers);
    if (near != NULL)
        return scenario_parser_fail(parser, place, "unknown peer \"%.40s\"; did you mean \"%s\"?",
                                    word, near);
    return scenario_parser_fail(
        parser, place, "unknown peer \"%.40s\": it is `server`, `client` or `kernel`", word);
}

bool action_set_act(Parser *parser, Place place, GPtrArray *args)
{
    if (parser->scenario->act != NULL) {
        g_ptr_array_unref(args);
        return scenario_parser_fail(parser, place, "a case has one header `act`");
    }
    parser->scenario->act = args;
    return true;
}

bool action_end_headers(Parser *parser)
{
    if (parser->has_peer)
        return true;
    return scenario_parser_fail(parser, parser->scenario->title_place,
                                "this case does not say who its peer is: "
                                "`peer server`, `peer client` or `peer kernel`");
}

void action_add_need_name(Parser *parser, Expr *name)
{
    GPtrArray *needs = parser->scenario->needs;
    Need *need = g_ptr_array_index(needs, needs->len - 1);

    g_ptr_array_add(need->names, name);
}

/* The cases that come of all loops together are bounded: each is played, and each has an id. */
bool action_add_loop(Parser *parser, Loop *stolen)
{
    g_autoptr(Loop) loop = stolen;
    GPtrArray *loops = parser->scenario->loops;

    if (loop->values->len == 0)
        return scenario_parser_fail(parser, loop->place, "`$%s` has no values", loop->variable);
    if (loops->len == SCENARIO_MAX_LOOPS)
        return scenario_parser_fail(parser, loop->place, "there are more than %u loops",
                                    SCENARIO_MAX_LOOPS);
    for (guint i = 0; i < loops->len; i++) {
        Loop *earlier = g_ptr_array_index(loops, i);
        if (g_str_equal(earlier->variable, loop->variable))
            return scenario_parser_fail(parser, loop->place, "`$%s` has its values already",
                                        loop->variable);
    }
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < loop->values->len; i++) {
        Expr *value = g_ptr_array_index(loop->values, i);
        if (!g_hash_table_add(seen, scenario_print_expr(value)))
            return scenario_parser_fail(parser, value->place, "`$%s` has this value already",
                                        loop->variable);
    }
    parser->cases *= loop->values->len;
    if (parser->cases > SCENARIO_MAX_CASES)
        return scenario_parser_fail(parser, loop->place,
                                    "the loops of this file make more than %u cases",
                                    SCENARIO_MAX_CASES);
    g_ptr_array_add(loops, g_steal_pointer(&loop));
    return true;
}

bool action_add_value(Parser *parser, Loop *loop, Expr *stolen)
{
    g_autoptr(Expr) value = stolen;

    if (value->kind == EXPR_BINARY) {
        uint64_t integer;
        if (!scenario_expr_constant(value, &integer))
            goto refused;
        Place place = value->place;
        scenario_expr_free(value);
        value = scenario_expr_integer(place, integer);
    } else if (value->kind == EXPR_VARIABLE) {
        goto refused;
    }
    if (loop->values->len == SCENARIO_MAX_CASES) {
        scenario_parser_fail(parser, value->place, "a loop has at most %u values",
                             SCENARIO_MAX_CASES);
        scenario_loop_free(loop);
        return false;
    }
    g_ptr_array_add(loop->values, g_steal_pointer(&value));
    return true;

refused:
    scenario_parser_fail(parser, value->place,
                         "a loop's value is a number, a string, a name or a word");
    scenario_loop_free(loop);
    return false;
}

bool action_add_range(Parser *parser, Loop *loop, Expr *stolen_first, Expr *stolen_last)
{
    g_autoptr(Expr) first = stolen_first, last = stolen_last;
    uint64_t from, to;

    if (!scenario_expr_constant(first, &from) || !scenario_expr_constant(last, &to) || from > to) {
        scenario_parser_fail(parser, first->place,
                             "a range goes from a number to one that is not smaller");
    } else if (to - from >= SCENARIO_MAX_CASES - loop->values->len) {
        scenario_parser_fail(parser, first->place, "a loop has at most %u values",
                             SCENARIO_MAX_CASES);
    } else {
        for (uint64_t i = 0; i <= to - from; i++)
            g_ptr_array_add(loop->values, scenario_expr_integer(first->place, from + i));
        return true;
    }
    scenario_loop_free(loop);
    return false;
}

Expr *action_binary(Parser *parser, char op, Place place, Expr *left, Expr *right)
{
    Expr *expr = scenario_expr_binary(op, left, right);

    if (expr == NULL)
        scenario_parser_fail(parser, place, "expressions nest deeper than %u levels",
                             SCENARIO_MAX_EXPR_DEPTH);
    return expr;
}

char *action_actor(Parser *parser, char *stolen_connection, char *stolen_side, Place place)
{
    g_autofree char *connection = stolen_connection;
    g_autofree char *side = stolen_side;

    if (g_str_equal(side, "C") || g_str_equal(side, "S"))
        return g_strconcat(connection, ".", side, NULL);
    scenario_parser_fail(parser, place, "expected `C` or `S`, a side of the connection `%.40s`",
                         connection);
    return NULL;
}

Statement *action_message(Place place, Place verb_place, char *actor, char *verb, GPtrArray *args)
{
    Statement *statement = scenario_statement_new(STATEMENT_PLAIN, place);

    statement->actor = actor;
    statement->verb = verb;
    statement->verb_place = verb_place;
    g_ptr_array_unref(statement->args);
    statement->args = args;
    return statement;
}

Statement *action_fact(Place place, char *word, Expr *value)
{
    Statement *statement = scenario_statement_new(STATEMENT_TRACE, place);

    statement->trace = TRACE_FACT;
    statement->verb = word;
    g_ptr_array_add(statement->args, scenario_arg_new(ARG_POSITION, value->place, NULL, value));
    return statement;
}

Statement *action_trace(TraceKind kind, Statement *pattern, Statement *second)
{
    Statement *statement = scenario_statement_new(STATEMENT_TRACE, pattern->place);

    statement->trace = kind;
    statement->pattern = pattern;
    statement->second = second;
    return statement;
}

bool action_outcome(Parser *parser, OutcomeKind kind, Place place, GBytes *why, bool continues,
                    Outcome *outcome)
{
    *outcome = (Outcome){.kind = kind, .place = place, .continues = continues};
    if (why == NULL)
        return true;
    gsize length;
    const char *bytes = g_bytes_get_data(why, &length);
    bool readable = length == 0 || g_utf8_validate_len(bytes, length, NULL);
    if (readable)
        outcome->why = g_strndup(length == 0 ? "" : bytes, length);
    g_bytes_unref(why);
    return readable || scenario_parser_fail(parser, place, "the reason is no readable text");
}

bool action_check_nth(Parser *parser, Place place, uint64_t nth)
{
    if (nth > 0 && nth < G_MAXUINT64)
        return true;
    return scenario_parser_fail(parser, place, "the first match is `nth 1`");
}

void action_cite(Statement *statement, Place place, char *id)
{
    g_ptr_array_add(statement->citations, scenario_citation_new(place, id));
}
