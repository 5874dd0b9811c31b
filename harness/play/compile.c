/* Checking a scenario once, so that playing it meets no surprises; and spelling out its `for` values. */
#include <string.h>

#include "play/player.h"

typedef struct {
    const Scenario *scenario;
    PlayCase *play_case;
    Scope scope;       /* names set so far, with stand-in values */
    Scope case_scope;  /* the `for` variables */
    bool simple;       /* some line is about simple replies */
    bool entered;      /* some line above leads into transmission */
    GHashTable *open;  /* names of the connections that are open at this line */
    unsigned shadowed; /* open, but another has taken their name */
    unsigned depth;    /* blocks around the line */
    bool alternative;  /* … the innermost is `one of` */
    GError **error;
} Compiler;

void play_case_free(PlayCase *play_case)
{
    if (play_case == NULL)
        return;
    g_free(play_case->id);
    g_free(play_case->title);
    g_hash_table_unref(play_case->values);
    g_ptr_array_unref(play_case->requirements);
    g_free(play_case);
}

/* ---- Verbs ------------------------------------------------------------------------------------ */

static const struct {
    const Verb *verbs;
    const size_t *count;
} tables[] = {
    {play_setup_verbs, &play_setup_verb_count},     {play_send_verbs, &play_send_verb_count},
    {play_expect_verbs, &play_expect_verb_count},   {play_request_verbs, &play_request_verb_count},
    {play_status_verbs, &play_status_verb_count},   {play_engine_verbs, &play_engine_verb_count},
    {play_process_verbs, &play_process_verb_count}, {play_tls_verbs, &play_tls_verb_count}};

const Verb *play_verb(ActorKind actor, const char *name)
{
    for (size_t t = 0; t < G_N_ELEMENTS(tables); t++)
        for (size_t i = 0; i < *tables[t].count; i++)
            if (tables[t].verbs[i].actor == actor && g_str_equal(tables[t].verbs[i].name, name))
                return &tables[t].verbs[i];
    return NULL;
}

ActorKind play_actor(const Statement *line)
{
    if (line->actor == NULL)
        return ACTOR_NONE;
    if (g_str_equal(line->actor, "C") || g_str_has_suffix(line->actor, ".C"))
        return ACTOR_CLIENT;
    if (g_str_equal(line->actor, "S") || g_str_has_suffix(line->actor, ".S"))
        return ACTOR_SERVER;
    return ACTOR_ABSTRACT;
}

static bool unknown_verb(Compiler *compiler, const Statement *line)
{
    g_autoptr(GPtrArray) choices = g_ptr_array_new();

    for (size_t t = 0; t < G_N_ELEMENTS(tables); t++)
        for (size_t i = 0; i < *tables[t].count; i++)
            if (tables[t].verbs[i].actor == play_actor(line))
                g_ptr_array_add(choices, (gpointer)tables[t].verbs[i].name);
    g_ptr_array_add(choices, NULL);
    const char *near = scenario_nearest(line->verb, (const char *const *)choices->pdata);
    scenario_set_error(compiler->error, compiler->scenario, line->verb_place,
                       "%s is no verb here%s%s%s", line->verb, near ? "; did you mean " : "",
                       near ? near : "", near ? "?" : "");
    return false;
}

/* ---- Arguments -------------------------------------------------------------------------------- */

static bool check_expr(Compiler *compiler, const Expr *expr, const WireNames *names)
{
    g_autoptr(Value) value =
        value_of(expr, &compiler->scope, names, compiler->scenario, compiler->error);

    return value != NULL;
}

static bool check_bytes(Compiler *compiler, const Expr *expr)
{
    g_autoptr(Value) value =
        value_of(expr, &compiler->scope, NULL, compiler->scenario, compiler->error);

    if (value == NULL || value->kind == VALUE_BYTES)
        return value != NULL;
    g_autofree char *text = value_text(value);
    scenario_set_error(compiler->error, compiler->scenario, expr->place,
                       "expected a string, not %s", text);
    return false;
}

static bool is_payload_word(const char *word)
{
    return g_str_equal(word, "pattern") || g_str_equal(word, "other") || g_str_equal(word, "zero");
}

static bool check_payload(Compiler *compiler, const Expr *expr)
{
    g_autoptr(Value) value =
        value_of(expr, &compiler->scope, NULL, compiler->scenario, compiler->error);

    if (value == NULL)
        return false;
    if (value->kind == VALUE_BYTES || (value->kind == VALUE_WORD && is_payload_word(value->word)))
        return true;
    scenario_set_error(compiler->error, compiler->scenario, expr->place,
                       "expected pattern, other, zero, or a string");
    return false;
}

static const Field *find_field(const Verb *verb, const char *name)
{
    for (const Field *field = verb->fields; field->name != NULL; field++)
        if (g_str_equal(field->name, name))
            return field;
    return NULL;
}

static bool unknown_field(Compiler *compiler, const Verb *verb, const Arg *arg)
{
    g_autoptr(GString) known = g_string_new(NULL);

    for (const Field *field = verb->fields; field->name != NULL; field++)
        g_string_append_printf(known, "%s%s", known->len > 0 ? ", " : "", field->name);
    scenario_set_error(compiler->error, compiler->scenario, arg->place, "%s has no %s; it has %s",
                       verb->name, arg->name, known->len > 0 ? known->str : "no named arguments");
    return false;
}

static void bind_stand_in(Compiler *compiler, const char *name, FieldKind kind)
{
    g_autoptr(GBytes) empty = g_bytes_new(NULL, 0);

    g_hash_table_insert(compiler->scope.values, g_strdup(name),
                        kind == FIELD_BYTES ? value_bytes(empty)
                                            : value_integer(UINT64_C(1) << 20));
}

static bool check_named(Compiler *compiler, const Verb *verb, const Arg *arg)
{
    const Field *field = find_field(verb, arg->name);

    if (field == NULL)
        return unknown_field(compiler, verb, arg);
    if (verb->actor != ACTOR_SERVER && field->kind != FIELD_RESULT && arg->kind != ARG_EQUAL) {
        scenario_set_error(compiler->error, compiler->scenario, arg->place,
                           "%s is set by =, as in %s=…", arg->name, arg->name);
        return false;
    }
    if (arg->kind == ARG_BIND) {
        bind_stand_in(compiler, arg->value->text, field->kind);
        return true;
    }
    if (field->kind == FIELD_PAYLOAD)
        return check_payload(compiler, arg->value);
    if (field->kind == FIELD_BYTES)
        return check_bytes(compiler, arg->value);
    if (field->kind == FIELD_INTEGER || field->kind == FIELD_RESULT) {
        uint64_t number;
        return value_integer_of(arg->value, &compiler->scope, field->names, compiler->scenario,
                                &number, compiler->error);
    }
    return check_expr(compiler, arg->value, field->names);
}

static bool among(const char *word, const char *const *words)
{
    for (; words != NULL && *words != NULL; words++)
        if (g_str_equal(*words, word) || **words == '\0')
            return true;
    return false;
}

static bool check_position(Compiler *compiler, const Verb *verb, const Position *position,
                           const Expr *expr)
{
    bool takes_strings = position->words != NULL && *position->words[0] == '\0';

    if (expr->kind == EXPR_WORD) {
        if (among(expr->text, position->words))
            return true;
        scenario_set_error(compiler->error, compiler->scenario, expr->place,
                           "%s does not go with %s", expr->text, verb->name);
        return false;
    }
    if (takes_strings)
        return check_bytes(compiler, expr);
    if (position->names == NULL) {
        scenario_set_error(compiler->error, compiler->scenario, expr->place,
                           "%s takes a word here: see `%s`", verb->name, verb->usage);
        return false;
    }
    uint64_t number;
    return value_integer_of(expr, &compiler->scope, position->names, compiler->scenario, &number,
                            compiler->error);
}

/* Behind `INFO` in a reply stands an information type, which is of another set of names. */
static bool is_info_type(const Statement *line, guint index)
{
    const Expr *before = index < 2 ? NULL : line_position(line, index - 1);

    return g_str_equal(line->verb, "reply") && before != NULL && before->kind == EXPR_NAME &&
           g_str_equal(before->text, "INFO");
}

static bool check_positions(Compiler *compiler, const Verb *verb, const Statement *line)
{
    const Position *position = verb->positions;
    const Expr *expr;
    guint index = 0;

    for (; (expr = line_position(line, index)) != NULL; index++) {
        if (is_info_type(line, index)) {
            if (!check_expr(compiler, expr, &wire_info_types))
                return false;
            continue;
        }
        if (position->names == NULL && position->words == NULL) {
            scenario_set_error(compiler->error, compiler->scenario, expr->place,
                               "that is more than %s takes: see `%s`", verb->name, verb->usage);
            return false;
        }
        if (!check_position(compiler, verb, position, expr))
            return false;
        position += !position->many;
    }
    bool missing = (position->names != NULL || position->words != NULL) && !position->optional &&
                   !(position->many && position != verb->positions && index > 1);
    if (missing && !(position->many && index > (guint)(position - verb->positions))) {
        scenario_set_error(compiler->error, compiler->scenario, line->verb_place,
                           "something is missing: see `%s`", verb->usage);
        return false;
    }
    return true;
}

/* What a line of hexadecimal digits would leave out, nobody would notice. */
static bool check_hex(Compiler *compiler, const Expr *expr)
{
    g_autoptr(Value) value =
        value_of(expr, &compiler->scope, NULL, compiler->scenario, compiler->error);
    unsigned digits = 0;
    gsize size;

    if (value == NULL)
        return false;
    const char *text = g_bytes_get_data(value->bytes, &size);
    bool good = true;
    for (gsize i = 0; i < size && good; i++) {
        if (g_ascii_isxdigit(text[i]))
            digits++;
        else
            good = g_ascii_isspace(text[i]) && digits % 2 == 0;
    }
    if (good && digits % 2 == 0)
        return true;
    scenario_set_error(compiler->error, compiler->scenario, expr->place,
                       "expected pairs of hexadecimal digits");
    return false;
}

static bool check_args(Compiler *compiler, const Verb *verb, const Statement *line)
{
    for (guint i = 0; i < line->args->len; i++) {
        const Arg *arg = line->args->pdata[i];
        if (arg->kind == ARG_POSITION)
            continue;
        if (arg->name == NULL) { /* as B */
            if (verb->connects)
                continue;
            scenario_set_error(compiler->error, compiler->scenario, arg->place,
                               "%s makes no connection that could have a name", verb->name);
            return false;
        }
        if (!check_named(compiler, verb, arg))
            return false;
    }
    return check_positions(compiler, verb, line) &&
           (!g_str_equal(verb->name, "hex") || check_hex(compiler, line_position(line, 0)));
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
           line_arg(line, "magic") != NULL;
}

/* `negotiate plain`, `open plain` */
static bool says_plain(const Statement *line)
{
    const Expr *first = line->actor == NULL ? line_position(line, 0) : NULL;

    return first != NULL && first->kind == EXPR_WORD && g_str_equal(first->text, "plain");
}

static void note_pins(Compiler *compiler, const Verb *verb, const Statement *line)
{
    uint64_t option = 0;

    if (g_str_equal(verb->name, "open")) {
        compiler->entered = true;
        compiler->play_case->structured |= (line_position(line, 0) != NULL && !says_plain(line)) ||
                                           line_arg(line, "context") != NULL;
    }
    if (g_str_equal(verb->name, "structured"))
        compiler->play_case->structured = true;
    if (g_str_equal(verb->name, "simple-reply"))
        compiler->simple = true;
    if (g_str_equal(verb->name, "chunk") || g_str_equal(verb->name, "status") ||
        g_str_equal(verb->name, "map"))
        compiler->play_case->chunks = true;
    if (says_plain(line) || g_str_equal(verb->name, "starttls") || g_str_equal(verb->name, "tls"))
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
    if (!check_args(compiler, verb, line) || !check_citations(compiler, line) ||
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
        } else if (g_str_equal(use->word, "tail") || g_str_equal(use->word, "whole-export") ||
                   g_str_equal(use->word, "process")) {
            compiler->play_case->alone = true;
            if (g_str_equal(use->word, "process"))
                compiler->play_case->process = true;
        } else {
            scenario_set_error(compiler->error, compiler->scenario, use->place,
                               "a case can use region SIZE, tail, whole-export or process, not %s",
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

/* A case that asks for structured replies itself goes with every mode. */
static void pin_replies(Compiler *compiler)
{
    PlayCase *play_case = compiler->play_case;

    play_case->pins_replies = (compiler->simple || play_case->chunks) && !play_case->structured;
    play_case->replies =
        play_case->chunks || play_case->structured ? REPLIES_STRUCTURED : REPLIES_SIMPLE;
}

static bool check_case(Compiler *compiler)
{
    static const char *const builtins[] = {"size",    "flags", "minimum", "preferred",
                                           "maximum", "block", "region"};

    for (size_t i = 0; i < G_N_ELEMENTS(builtins); i++)
        bind_stand_in(compiler, builtins[i], FIELD_INTEGER);
    bind_stand_in(compiler, "export", FIELD_BYTES);
    if (!check_needs(compiler) || !check_uses(compiler) ||
        !check_lines(compiler, compiler->scenario->statements, false))
        return false;
    compiler->play_case->connections = MAX(compiler->play_case->connections, 1u);
    pin_replies(compiler);
    return true;
}

/* ---- One case for each combination of values -------------------------------------------------- */

/* TITLE with the variables' values in place; `$` before anything else stays. */
static char *substitute(const char *title, GHashTable *values)
{
    GString *text = g_string_new(NULL);

    while (*title != '\0') {
        size_t length =
            *title == '$' ? strspn(title + 1, "abcdefghijklmnopqrstuvwxyz0123456789_") : 0;
        g_autofree char *name = g_strndup(title + 1, length);
        const Value *value = g_hash_table_lookup(values, name);
        g_autofree char *shown = value == NULL ? g_strndup(title, 1 + length) : value_text(value);
        g_string_append(text, shown);
        title += 1 + length;
    }
    return g_string_free(text, FALSE);
}

static char *make_id(const Scenario *scenario, GHashTable *values)
{
    GString *id = g_string_new(scenario->path);

    for (guint i = 0; i < scenario->loops->len; i++) {
        const Loop *loop = scenario->loops->pdata[i];
        g_autofree char *shown = value_text(g_hash_table_lookup(values, loop->variable));
        g_string_append_printf(id, "%s%s=%s", i == 0 ? "@" : ",", loop->variable, shown);
    }
    return g_string_free(id, FALSE);
}

static bool compile_one(const Scenario *scenario, GHashTable *values, GPtrArray *cases,
                        GError **error)
{
    PlayCase *play_case = g_new0(PlayCase, 1);
    Compiler compiler = {.scenario = scenario, .play_case = play_case, .error = error};

    play_case->scenario = scenario;
    play_case->values = values;
    play_case->id = make_id(scenario, values);
    play_case->title = substitute(scenario->title, values);
    play_case->requirements = g_ptr_array_new();
    compiler.case_scope = (Scope){.values = values};
    compiler.scope = (Scope){.values = scope_values_new(), .outer = &compiler.case_scope};
    compiler.open = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    bool good = check_case(&compiler);
    g_hash_table_unref(compiler.open);
    g_hash_table_unref(compiler.scope.values);
    if (good)
        g_ptr_array_add(cases, play_case);
    else
        play_case_free(play_case);
    return good;
}

/* The values of loop LEVEL and those inside it, on top of CHOSEN. */
static bool compile_loops(const Scenario *scenario, guint level, GHashTable *chosen,
                          GPtrArray *cases, GError **error)
{
    if (level == scenario->loops->len) {
        GHashTable *values = scope_values_new();
        GHashTableIter iter;
        gpointer name, value;
        Scope scope = {.values = chosen};
        g_hash_table_iter_init(&iter, chosen);
        while (g_hash_table_iter_next(&iter, &name, &value)) {
            Expr variable = {.kind = EXPR_VARIABLE, .text = name};
            g_hash_table_insert(values, g_strdup(name),
                                value_of(&variable, &scope, NULL, scenario, NULL));
        }
        return compile_one(scenario, values, cases, error);
    }
    const Loop *loop = scenario->loops->pdata[level];
    for (guint i = 0; i < loop->values->len; i++) {
        Value *value = value_of(loop->values->pdata[i], NULL, NULL, scenario, error);
        if (value == NULL)
            return false;
        g_hash_table_insert(chosen, g_strdup(loop->variable), value);
        if (!compile_loops(scenario, level + 1, chosen, cases, error))
            return false;
    }
    return true;
}

bool play_compile(const Scenario *scenario, GPtrArray *cases, GError **error)
{
    if (scenario->peer != PEER_SERVER) /* those are played by the harness in the server's role */
        return true;
    g_autoptr(GHashTable) chosen = scope_values_new();
    return compile_loops(scenario, 0, chosen, cases, error);
}
