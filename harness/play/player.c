/* A case being played: its lines in order, its connections and variables. */
#include <string.h>

#include "play/player.h"

/* ---- Arguments -------------------------------------------------------------------------------- */

const Expr *line_position(const Statement *line, guint index)
{
    for (guint i = 0; i < line->args->len; i++) {
        const Arg *arg = line->args->pdata[i];
        if (arg->kind == ARG_POSITION && index-- == 0)
            return arg->value;
    }
    return NULL;
}

const Arg *line_arg(const Statement *line, const char *name)
{
    for (guint i = 0; i < line->args->len; i++) {
        const Arg *arg = line->args->pdata[i];
        if (arg->name != NULL && g_str_equal(arg->name, name))
            return arg;
    }
    return NULL;
}

Value *player_value(Player *player, const Expr *expr, const WireNames *names)
{
    g_autoptr(GError) error = NULL;
    Value *value = value_of(expr, &player->scope, names, player->scenario, &error);

    if (value == NULL)
        player_error(player, "%s", error->message);
    return value;
}

bool player_number(Player *player, const Expr *expr, const WireNames *names, uint64_t *number)
{
    g_autoptr(GError) error = NULL;

    if (value_integer_of(expr, &player->scope, names, player->scenario, number, &error))
        return true;
    player_error(player, "%s", error->message);
    return false;
}

uint64_t player_integer(Player *player, const Statement *line, const char *name,
                        const WireNames *names, uint64_t fallback)
{
    const Arg *arg = line_arg(line, name);
    uint64_t number;

    if (arg == NULL || !player_number(player, arg->value, names, &number))
        return fallback;
    return number;
}

void player_bind(Player *player, const char *name, Value *value)
{
    g_hash_table_insert(player->scope.values, g_strdup(name), value);
}

SessionFacts player_facts(const Player *player, const Connection *connection)
{
    SessionFacts facts = *session_facts(connection->session);

    if (player->mode->enter == ENTER_EXPORT_NAME && !facts.block_size_given &&
        player->target != NULL && player->target->facts.block_size_given) {
        facts.block_size_given = true;
        facts.minimum = player->target->facts.minimum;
        facts.preferred = player->target->facts.preferred;
        facts.maximum = player->target->facts.maximum;
    }
    return facts;
}

/* ---- Lines ------------------------------------------------------------------------------------ */

static void play_lines(Player *player, const GPtrArray *lines, bool then);

static const Requirement *cited(const Player *player, const Statement *line)
{
    if (line->citations->len == 0)
        return NULL;
    const Citation *citation = line->citations->pdata[0];
    return scenario_cited(player->play_case->scenario, citation);
}

static void take_outcome(Player *player, const Statement *line)
{
    const Outcome *outcome = &line->outcome;

    switch (outcome->kind) {
    case OUTCOME_NONE:
    case OUTCOME_CONTINUE:
        return;
    case OUTCOME_PASS:
        break;
    case OUTCOME_SKIP:
        player_skip(player, "%s",
                    outcome->why != NULL ? outcome->why : "the server chose otherwise");
        break;
    case OUTCOME_WARN:
    case OUTCOME_FAIL: {
        g_autofree char *got = scenario_print_statement(line);
        player_breach(player, cited(player, line), line,
                      outcome->why != NULL ? outcome->why : cited(player, line)->summary, got,
                      NULL);
        break;
    }
    }
    if (!outcome->continues)
        player->over = true;
}

static void play_choice(Player *player, const Statement *block)
{
    const Statement *chosen = player_choose(player, block);

    if (chosen == NULL)
        return;
    if (chosen->block != NULL && !player->over)
        play_lines(player, chosen->block, false);
    if (!player->over)
        take_outcome(player, chosen);
}

/* A case that haggles with its own lines has begun without asking how large the export is by now: another case
 * may have left it smaller. What else it needs depends on what it has haggled for. */
static void weigh_size(Player *player, Connection *connection)
{
    const SessionFacts *told = session_facts(connection->session);

    if (connection->weighed || session_phase(connection->session) != PHASE_TRANSMISSION)
        return;
    connection->weighed = true;
    if (player->target == NULL || !player->target->entered ||
        told->size == player->target->facts.size)
        return;
    SessionFacts facts = player->target->facts;
    facts.size = told->size;
    g_autofree char *unfit =
        play_needs(player->play_case, player->mode, player->target, &facts, true);
    if (unfit != NULL)
        player_skip(player, "%s", unfit);
}

static void play_line(Player *player, const Statement *line)
{
    player->line = line;
    switch (line->kind) {
    case STATEMENT_PLAIN:
        play_verb(play_actor(line), line->verb)->play(player, line);
        break;
    case STATEMENT_ONE_OF:
        play_choice(player, line);
        break;
    case STATEMENT_ANY_ORDER: /* the pool of messages that came makes every order fit */
        play_lines(player, line->block, false);
        break;
    case STATEMENT_WHEN:
    case STATEMENT_TRACE: /* refused by play_compile() */
        break;
    }
    player_collect(player);
    for (guint i = 0; i < player->connections->len; i++)
        weigh_size(player, player->connections->pdata[i]);
}

static void play_lines(Player *player, const GPtrArray *lines, bool then)
{
    for (guint i = 0; i < lines->len; i++) {
        const Statement *line = lines->pdata[i];
        if (line->then != then || (player->over && !then))
            continue;
        play_line(player, line);
        if (player->broken)
            return;
    }
}

/* However the lines before ended, the `then` lines are played: from a clean table, as far as the verdict
 * is not one that made the rest pointless. */
static void play_then(Player *player)
{
    if (player->skipped || player->blocked || player->broken)
        return;
    player->over = false;
    play_lines(player, player->scenario->statements, true);
}

Player *player_new(const PlayCase *play_case, const PlayMode *mode, const PlayTarget *target,
                   uint64_t region)
{
    Player *player = g_new0(Player, 1);

    player->play_case = play_case;
    player->scenario = play_case->scenario;
    player->mode = mode;
    player->target = target;
    player->region = region;
    player->case_scope = (Scope){.values = play_case->values};
    player->scope = (Scope){.values = scope_values_new(), .outer = &player->case_scope};
    player->connections = g_ptr_array_new_with_free_func((GDestroyNotify)play_connection_free);
    player->transcript = g_string_new(NULL);
    player->result = g_new0(PlayResult, 1);
    player->result->findings = g_ptr_array_new_with_free_func((GDestroyNotify)finding_free);
    player->result->measurements = g_ptr_array_new_with_free_func((GDestroyNotify)measurement_free);
    player->result->setup = g_ptr_array_new_with_free_func((GDestroyNotify)finding_free);
    player_set_own_values(player);
    return player;
}

PlayResult *player_finish(Player *player)
{
    PlayResult *result = player->result;

    for (guint i = 0; i < player->connections->len; i++)
        player_leave(player->connections->pdata[i]);
    result->transcript = g_string_free(player->transcript, FALSE);
    g_ptr_array_unref(player->connections);
    g_hash_table_unref(player->scope.values);
    g_free(player->tls_problem);
    g_free(player);
    return result;
}

/* True if the server may still be about to write: something was not answered, or nobody can tell. */
static bool leaves_writes(const Player *player)
{
    for (guint i = 0; i < player->connections->len && player->play_case->writes; i++) {
        const Connection *connection = player->connections->pdata[i];
        const Session *session = connection->session;
        if (session_facts(session)->writes_in_flight > 0 ||
            session_pending(session, SIDE_CLIENT) > 0 ||
            session_desynchronised(session, SIDE_CLIENT))
            return true;
    }
    return false;
}

PlayResult *play_run_case(const PlayCase *play_case, const PlayMode *mode, const PlayTarget *target,
                          uint64_t region)
{
    gint64 began_us = g_get_monotonic_time();
    Player *player = player_new(play_case, mode, target, region);

    play_lines(player, player->scenario->statements, false);
    player_fence(player);
    play_then(player);
    play_settle(player->result, player->skipped, player->blocked, player->broken);
    player->result->unsettled = leaves_writes(player);
    PlayResult *result = player_finish(player);
    if (play_case->resizes && target != NULL)
        player_restore_size(play_case, mode, target);
    result->duration_us = (unsigned)(g_get_monotonic_time() - began_us);
    return result;
}
