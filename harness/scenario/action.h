/* What the grammar's actions do, where that is more than making a node. Private to scenario/.
 *
 * All of these take over the strings and nodes that they are given, even if they fail: bison frees nothing of a
 * rule that aborts. */
#ifndef NBDCONFORM_SCENARIO_ACTION_H
#define NBDCONFORM_SCENARIO_ACTION_H

#include "scenario/parser.h"

/* False or NULL: the mistake is told. */
bool action_set_peer(Parser *parser, Place place, char *word);
bool action_set_act(Parser *parser, Place place, GPtrArray *args);
bool action_end_headers(Parser *parser);
void action_add_need_name(Parser *parser, Expr *name);
bool action_add_loop(Parser *parser, Loop *loop);
bool action_add_value(Parser *parser, Loop *loop, Expr *value);
bool action_add_range(Parser *parser, Loop *loop, Expr *first, Expr *last);
Expr *action_binary(Parser *parser, char op, Place place, Expr *left, Expr *right);
char *action_actor(Parser *parser, char *connection, char *side, Place place);
Statement *action_message(Place place, Place verb_place, char *actor, char *verb, GPtrArray *args);
Statement *action_fact(Place place, char *word, Expr *value);
Statement *action_trace(TraceKind kind, Statement *pattern, Statement *second);
bool action_outcome(Parser *parser, OutcomeKind kind, Place place, GBytes *why, bool continues,
                    Outcome *outcome);
bool action_check_nth(Parser *parser, Place place, uint64_t nth);
void action_cite(Statement *statement, Place place, char *id);

#endif
