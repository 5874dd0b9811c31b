/* Checking the lines and headers of a scenario once, so that playing it meets no surprises. */
#include <string.h>

#include "play/compile.h"

/* ---- Verbs ------------------------------------------------------------------------------------ */

static bool unknown_verb(Compiler *compiler, const Statement *line)
{
    g_autoptr(GPtrArray) choices = g_ptr_array_new();

    for (size_t chapter = 0; chapter < play_chapter_count; chapter++) {
        const VerbTable *table = play_chapters[chapter].table;
        for (size_t i = 0; i < table->count; i++)
            if (table->verbs[i].actor == play_actor(line))
                g_ptr_array_add(choices, (gpointer)table->verbs[i].name);
    }
    g_ptr_array_add(choices, NULL);
    const char *near = scenario_nearest(line->verb, (const char *const *)choices->pdata);
    scenario_set_error(compiler->error, compiler->scenario, line->verb_place,
                       "%s is no verb here%s%s%s", line->verb, near ? "; did you mean " : "",
                       near ? near : "", near ? "?" : "");
    return false;
}

/* ---- Citations and outcomes ------------------------------------------------------------------- */

static bool check_citations(Compiler *compiler, const Statement *line)
{
    for (guint i = 0; i < line->citations->len; i++) {
        const Citation *citation = line->citations->pdata[i];
        const Requirement *requirement = scenario_cited(compiler->scenario, citation);
        if (requirement == NULL) {
            scenario_set_error(compiler->error, compiler->scenario, citation->place,
                               "there is no requirement %s", citation->id);
            return false;
        }
        if (!g_ptr_array_find(compiler->play_case->requirements, requirement, NULL))
            g_ptr_array_add(compiler->play_case->requirements, (gpointer)requirement);
    }
    return true;
}

/* How grave a breach is, the table of requirements says: a case may only say the same. */
static bool check_outcome(Compiler *compiler, const Statement *line)
{
    OutcomeKind kind = line->outcome.kind;

    if (kind != OUTCOME_NONE && !compiler->alternative) {
        scenario_set_error(compiler->error, compiler->scenario, line->outcome.place,
                           "only an alternative of `one of` has an outcome");
        return false;
    }
    if (kind != OUTCOME_WARN && kind != OUTCOME_FAIL)
        return true;
    if (line->citations->len == 0) {
        scenario_set_error(compiler->error, compiler->scenario, line->outcome.place,
                           "what is broken? name the requirement by @id");
        return false;
    }
    const Citation *citation = line->citations->pdata[0];
    Breach breach = requirement_breach(scenario_cited(compiler->scenario, citation));
    bool grave = breach == BREACH_VIOLATION || breach == BREACH_ROBUSTNESS;
    if (grave == (kind == OUTCOME_FAIL))
        return true;
    scenario_set_error(compiler->error, compiler->scenario, line->outcome.place,
                       "%s is a %s: its breach is a %s", citation->id,
                       requirement_level_name(scenario_cited(compiler->scenario, citation)->level),
                       grave ? "fail" : "warn");
    return false;
}

/* ---- Lines ------------------------------------------------------------------------------------ */

static bool line_writes(Compiler *compiler, const Verb *verb, const Statement *line)
{
    uint64_t command;

    if (verb->writes)
        return true;
    if (verb->actor != ACTOR_CLIENT)
        return false;
    if (g_str_equal(verb->name, "hex") || g_str_equal(verb->name, "bytes"))
        return compiler->entered;
    if (!g_str_equal(verb->name, "request"))
        return false;
    return !value_integer_of(line_position(line, 0), &compiler->scope, &wire_commands,
                             compiler->scenario, &command, NULL) ||
           session_command_writes(command) || line_arg(line, "data") != NULL ||
           line_arg(line, "magic") != NULL || line_arg(line, "split") != NULL;
}

/* `negotiate plain`, `open structured` */
static bool says(const Statement *line, const char *word)
{
    const Expr *first = line->actor == NULL ? line_position(line, 0) : NULL;

    return first != NULL && first->kind == EXPR_WORD && g_str_equal(first->text, word);
}

/* `C: request READ compact …` */
static bool is_compact(const Statement *line)
{
    const Expr *form = g_str_equal(line->verb, "request") ? line_position(line, 1) : NULL;

    return form != NULL && form->kind == EXPR_WORD && g_str_equal(form->text, "compact");
}

/* Which replies, or which headers, the case asks for itself. */
static void note_replies(Compiler *compiler, const Verb *verb, const Statement *line)
{
    PlayCase *play_case = compiler->play_case;

    if (g_str_equal(verb->name, "structured") ||
        (g_str_equal(verb->name, "open") &&
         (says(line, "structured") || line_arg(line, "context") != NULL)))
        play_case->structured = true;
    if (g_str_equal(verb->name, "extended") || says(line, "extended"))
        play_case->extended = true;
    if (g_str_equal(verb->name, "simple-reply"))
        compiler->simple = true;
    if ((g_str_equal(verb->name, "hex") && compiler->entered) || is_compact(line))
        play_case->compact = true;
    if (g_str_equal(verb->name, "chunk") || g_str_equal(verb->name, "status") ||
        g_str_equal(verb->name, "map"))
        play_case->chunks = true;
}

static void note_pins(Compiler *compiler, const Verb *verb, const Statement *line)
{
    uint64_t option = 0;

    note_replies(compiler, verb, line);
    if (says(line, "plain") || g_str_equal(verb->name, "starttls") ||
        g_str_equal(verb->name, "tls"))
        compiler->play_case->pins_tls = true;
    compiler->play_case->content |= line_arg(line, "data") != NULL ||
                                    line_arg(line, "expect") != NULL ||
                                    g_str_equal(verb->name, "map");
    if (verb->actor != ACTOR_CLIENT || !g_str_equal(verb->name, "option") ||
        !value_integer_of(line_position(line, 0), &compiler->scope, &wire_options,
                          compiler->scenario, &option, NULL))
        return;
    if (option == NBD_OPT_STARTTLS)
        compiler->play_case->pins_tls = true;
    if (option == NBD_OPT_GO || option == NBD_OPT_EXPORT_NAME) {
        compiler->entered = true;
        compiler->play_case->pins_enter = true;
        compiler->play_case->enter = option == NBD_OPT_GO ? ENTER_GO : ENTER_EXPORT_NAME;
    }
}

static char *actor_connection(const Statement *line)
{
    const char *actor = line->actor == NULL ? "" : line->actor;
    const char *dot = strchr(actor, '.');

    if (dot != NULL)
        return g_strndup(actor, (gsize)(dot - actor));
    bool first = *actor == '\0' || g_str_equal(actor, "C") || g_str_equal(actor, "S");
    return g_strdup(first ? "A" : actor);
}

/* How many connections are open at once: what either side has ended for certain makes room. */
static void note_connections(Compiler *compiler, const Verb *verb, const Statement *line)
{
    bool ends = g_str_equal(verb->name, "close") || g_str_equal(verb->name, "reset") ||
                g_str_equal(verb->name, "disconnect");
    bool passing = g_str_equal(verb->name, "served") || g_str_equal(verb->name, "nodelay");

    if (line->then)
        return;
    if (verb->connects && !passing &&
        !g_hash_table_add(compiler->open, g_strdup(line_connection_name(line))))
        compiler->shadowed++;
    unsigned open = g_hash_table_size(compiler->open) + compiler->shadowed + passing;
    compiler->play_case->connections = MAX(compiler->play_case->connections, open);
    if (ends && compiler->depth == 1) {
        g_autofree char *name = actor_connection(line);
        g_hash_table_remove(compiler->open, name);
    }
}

static bool check_plain(Compiler *compiler, const Statement *line)
{
    const Verb *verb = play_verb(play_actor(line), line->verb);

    if (verb == NULL)
        return unknown_verb(compiler, line);
    if (line->block != NULL && line->outcome.kind == OUTCOME_NONE) {
        scenario_set_error(compiler->error, compiler->scenario, line->place, "%s takes no block",
                           verb->name);
        return false;
    }
    if (verb->process && !compiler->play_case->process) {
        scenario_set_error(compiler->error, compiler->scenario, line->verb_place,
                           "%s needs the header line `uses process`", verb->name);
        return false;
    }
    if (!compile_check_args(compiler, verb, line) || !check_citations(compiler, line) ||
        !check_outcome(compiler, line))
        return false;
    note_connections(compiler, verb, line);
    if (line_writes(compiler, verb, line))
        compiler->play_case->writes = true;
    note_pins(compiler, verb, line);
    if (g_str_equal(verb->name, "open") || g_str_equal(verb->name, "served") ||
        g_str_equal(verb->name, "enter"))
        compiler->entered = true;
    return true;
}

static bool check_lines(Compiler *compiler, const GPtrArray *lines, bool alternatives);

static bool same_connection(const Statement *a, const Statement *b)
{
    return g_str_equal(a->actor, b->actor);
}

static bool check_block(Compiler *compiler, const Statement *block)
{
    bool choice = block->kind == STATEMENT_ONE_OF;

    if (!check_citations(compiler, block))
        return false;
    for (guint i = 0; i < block->block->len; i++) {
        const Statement *line = block->block->pdata[i];
        if (line->kind != STATEMENT_PLAIN || play_actor(line) != ACTOR_SERVER) {
            scenario_set_error(compiler->error, compiler->scenario, line->place,
                               "only lines of S: stand in this block");
            return false;
        }
        if (choice && !same_connection(line, block->block->pdata[0])) {
            scenario_set_error(compiler->error, compiler->scenario, line->place,
                               "the alternatives are about one connection");
            return false;
        }
    }
    if (block->block->len == 0) {
        scenario_set_error(compiler->error, compiler->scenario, block->place, "the block is empty");
        return false;
    }
    return check_lines(compiler, block->block, choice);
}

static bool check_line(Compiler *compiler, const Statement *line)
{
    if (line->then && compiler->depth > 1) {
        scenario_set_error(compiler->error, compiler->scenario, line->place,
                           "a `then` line stands in no block");
        return false;
    }
    switch (line->kind) {
    case STATEMENT_PLAIN:
        return check_plain(compiler, line) &&
               (line->block == NULL || check_lines(compiler, line->block, false));
    case STATEMENT_ONE_OF:
    case STATEMENT_ANY_ORDER:
        return check_block(compiler, line);
    case STATEMENT_WHEN:
    case STATEMENT_TRACE:
        break;
    }
    scenario_set_error(compiler->error, compiler->scenario, line->place,
                       "only cases for clients have lines of this kind");
    return false;
}

static bool check_lines(Compiler *compiler, const GPtrArray *lines, bool alternatives)
{
    bool outer = compiler->alternative, good = true;

    compiler->depth++;
    for (guint i = 0; i < lines->len && good; i++) {
        compiler->alternative = alternatives;
        good = check_line(compiler, lines->pdata[i]);
    }
    compiler->alternative = outer;
    compiler->depth--;
    return good;
}

/* ---- Headers ---------------------------------------------------------------------------------- */

static bool check_uses(Compiler *compiler)
{
    static const char *const alone[] = {"tail",    "whole-export", "size", "memory",
                                        "process", "quiet",        NULL};

    for (guint i = 0; i < compiler->scenario->uses->len; i++) {
        const Use *use = compiler->scenario->uses->pdata[i];
        if (g_str_equal(use->word, "region")) {
            if (use->value == NULL) {
                scenario_set_error(compiler->error, compiler->scenario, use->place,
                                   "how large a region?");
                return false;
            }
            if (!value_integer_of(use->value, &compiler->scope, NULL, compiler->scenario,
                                  &compiler->play_case->region, compiler->error))
                return false;
        } else if (g_strv_contains(alone, use->word)) {
            compiler->play_case->alone = true;
            if (g_str_equal(use->word, "size"))
                compiler->play_case->resizes = true;
            if (g_str_equal(use->word, "process"))
                compiler->play_case->process = true;
        } else {
            scenario_set_error(
                compiler->error, compiler->scenario, use->place,
                "a case can use region SIZE, tail, whole-export, size, memory, process or quiet, not %s",
                use->word);
            return false;
        }
    }
    return true;
}

static bool check_needs(Compiler *compiler)
{
    for (guint i = 0; i < compiler->scenario->needs->len; i++)
        if (!play_check_need(compiler->scenario, compiler->scenario->needs->pdata[i],
                             &compiler->scope, compiler->error))
            return false;
    return true;
}

/* A case that asks for structured replies or for extended headers itself goes with every mode; but behind the
 * latter no EXPORT_NAME may come. */
static void pin_replies(Compiler *compiler)
{
    PlayCase *play_case = compiler->play_case;
    bool asks = play_case->structured || play_case->extended;

    play_case->pins_replies = (compiler->simple || play_case->chunks) && !asks;
    play_case->replies = play_case->chunks || asks ? REPLIES_STRUCTURED : REPLIES_SIMPLE;
    if (play_case->extended) {
        play_case->compact = false;
        play_case->pins_enter = true;
        play_case->enter = ENTER_GO;
    }
}

bool compile_check_case(Compiler *compiler)
{
    for (size_t i = 0; i < play_own_value_count; i++)
        compile_stand_in(compiler, play_own_values[i].name, play_own_values[i].kind);
    if (!check_needs(compiler) || !check_uses(compiler) ||
        !check_lines(compiler, compiler->scenario->statements, false))
        return false;
    compiler->play_case->connections = MAX(compiler->play_case->connections, 1u);
    pin_replies(compiler);
    return true;
}
