%code top {
/* The grammar of the notation, and the parser's front door.
 *
 * It knows headers, `actor: verb arguments`, blocks and expressions; no verb by name.
 * Actions that can fail call functions below, which take over what they are given even then: bison
 * frees nothing of a rule that aborts.
 */
#include <string.h>

#include "scenario/parser.h"
}

%define api.prefix {scenario_yy}
%define api.pure full
%define api.location.type {Place}
%define parse.error custom
%define parse.lac full
%locations
%parse-param {Parser *parser} {void *scanner}
%lex-param {void *scanner}

%union {
    char *text;
    GBytes *bytes;
    uint64_t integer;
    Expr *expr;
    Arg *arg;
    GPtrArray *list;
    Statement *statement;
    Loop *loop;
    Outcome outcome;
    ArgKind compare;
    bool flag;
}

%code {
#define YYLLOC_DEFAULT(Current, Rhs, N) ((Current) = YYRHSLOC(Rhs, (N) > 0 ? 1 : 0))

int scenario_yylex(SCENARIO_YYSTYPE *value, Place *place, void *scanner);
static void scenario_yyerror(Place *place, Parser *parser, void *scanner, const char *message);

static bool set_peer(Parser *parser, Place place, char *word);
static bool set_act(Parser *parser, Place place, GPtrArray *args);
static bool end_headers(Parser *parser);
static void add_need_name(Parser *parser, Expr *name);
static bool add_loop(Parser *parser, Loop *loop);
static bool add_value(Parser *parser, Loop *loop, Expr *value);
static bool add_range(Parser *parser, Loop *loop, Expr *first, Expr *last);
static Expr *binary(Parser *parser, char op, Place place, Expr *left, Expr *right);
static char *actor_of(Parser *parser, char *connection, char *side, Place place);
static Statement *message_new(Place place, Place verb_place, char *actor, char *verb,
                              GPtrArray *args);
static Statement *fact_new(Place place, char *word, Expr *value);
static Statement *trace_new(TraceKind kind, Statement *pattern, Statement *second);
static bool outcome_new(Parser *parser, OutcomeKind kind, Place place, GBytes *why, bool continues,
                        Outcome *outcome);
static bool check_nth(Parser *parser, Place place, uint64_t nth);
static void cite(Statement *statement, Place place, char *id);
}

%token YYEOF 0 "the end of the file" NEWLINE "the end of the line"
%token CASE "`case`" PEER "`peer`" NEEDS "`needs`" USES "`uses`" FOR "`for`" ACT "`act`"
%token IN "`in`" THEN "`then`" ONE "`one of`" OF "`of`" ANY "`any order`" ORDER "`order`"
%token WHEN "`when`" ONCE "`once`" NTH "`nth`"
%token TRACE "`trace`" EVENTUALLY "`eventually`" NEVER "`never`" BEFORE "`before`"
%token HAS "`has`" LACKS "`lacks`" AS "`as`"
%token CONTINUE "`continue`" PASS "`pass`" WARN "`warn`" FAIL "`fail`" SKIP "`skip`"
%token ARROW "`=>`" DOTS "`..`" NOT_EQUAL "`!=`" LESS_EQUAL "`<=`" GREATER_EQUAL "`>=`"
%token <text> TITLE "a title" VERB "a verb" WORD "a word" NAME "a name"
%token <text> VARIABLE "a variable" CITATION "a citation"
%token <bytes> STRING "a string"
%token <integer> INTEGER "a number"
%token '=' "`=`" '<' "`<`" '>' "`>`" '+' "`+`" '-' "`-`" '*' "`*`" '/' "`/`" '%' "`%`" '^' "`^`"
%token '|' "`|`" '(' "`(`" ')' "`)`" '{' "`{`" '}' "`}`" ':' "`:`" '.' "`.`" ',' "`,`"

/* `uses tail region 64k`: a word behind a word is the next use, no value of the first.
 * `connect tls as B`: a word before `as` belongs to it. */
%precedence WORD
%precedence USE_ALONE
%precedence WORD_ALONE
%precedence AS

%left '|'
%left '+' '-'
%left '*' '/' '%'
%right '^'

%type <expr> expr name
%type <arg> arg
%type <list> args block statements
%type <statement> message pattern cited judged line statement head fact trace
%type <text> actor
%type <loop> loop
%type <outcome> outcome
%type <bytes> why
%type <flag> continues
%type <compare> compare
%type <integer> times

%destructor { g_free($$); } <text>
%destructor { if ($$ != NULL) g_bytes_unref($$); } <bytes>
%destructor { scenario_expr_free($$); } <expr>
%destructor { scenario_arg_free($$); } <arg>
%destructor { g_ptr_array_unref($$); } <list>
%destructor { scenario_statement_free($$); } <statement>
%destructor { scenario_loop_free($$); } <loop>
%destructor { g_free($$.why); } <outcome>

%%

file: title headers statements
        {
            if (!end_headers(parser)) {
                g_ptr_array_unref($statements);
                YYABORT;
            }
            g_ptr_array_unref(parser->scenario->statements);
            parser->scenario->statements = $statements;
        }

title: CASE TITLE NEWLINE
        {
            parser->scenario->title = $TITLE;
            parser->scenario->title_place = @TITLE;
        }

/* ---- Headers ---- */

headers: %empty | headers header NEWLINE

header: PEER WORD   { if (!set_peer(parser, @WORD, $WORD)) YYABORT; }
      | NEEDS needs
      | USES uses
      | loop        { if (!add_loop(parser, $loop)) YYABORT; }
      | ACT args    { if (!set_act(parser, @ACT, $args)) YYABORT; }

needs: need | needs need

need: WORD
        { g_ptr_array_add(parser->scenario->needs,
                          scenario_need_new(@WORD, $WORD, ARG_POSITION, NULL)); }
    | WORD compare expr
        { g_ptr_array_add(parser->scenario->needs,
                          scenario_need_new(@WORD, $WORD, $compare, $expr)); }
    | named

named: WORD name
        {
            g_ptr_array_add(parser->scenario->needs,
                            scenario_need_new(@WORD, $WORD, ARG_POSITION, NULL));
            add_need_name(parser, $name);
        }
     | named name   { add_need_name(parser, $name); }

name: NAME          { $$ = scenario_expr_text(EXPR_NAME, @$, $NAME); }
    | VARIABLE      { $$ = scenario_expr_text(EXPR_VARIABLE, @$, $VARIABLE); }

uses: use | uses use

use: WORD  %prec USE_ALONE
        { g_ptr_array_add(parser->scenario->uses, scenario_use_new(@WORD, $WORD, NULL)); }
   | WORD expr
        { g_ptr_array_add(parser->scenario->uses, scenario_use_new(@WORD, $WORD, $expr)); }

loop: FOR VARIABLE IN   { $$ = scenario_loop_new(@VARIABLE, $VARIABLE); }
    | loop expr
        {
            $$ = $1;
            if (!add_value(parser, $1, $expr)) YYABORT;
        }
    | loop expr[first] DOTS expr[last]
        {
            $$ = $1;
            if (!add_range(parser, $1, $first, $last)) YYABORT;
        }

/* ---- Statements ---- */

statements: %empty                  { $$ = scenario_statements_new(); }
          | statements statement    { $$ = $1; g_ptr_array_add($$, $statement); }

statement: line NEWLINE             { $$ = $line; }
         | line block               { $$ = $line; $$->block = $block; }
         | THEN line NEWLINE        { $$ = $line; $$->then = true; $$->place = @THEN; }
         | THEN line block
                { $$ = $line; $$->then = true; $$->place = @THEN; $$->block = $block; }
         | head block               { $$ = $head; $$->block = $block; }
         | trace NEWLINE            { $$ = $trace; }

block: '{' NEWLINE statements '}' NEWLINE   { $$ = $statements; }

line: cited | judged

cited: message
     | cited CITATION               { $$ = $1; cite($$, @CITATION, $CITATION); }

judged: cited ARROW outcome         { $$ = $1; $$->outcome = $outcome; }
      | judged CITATION             { $$ = $1; cite($$, @CITATION, $CITATION); }

head: ONE OF                { $$ = scenario_statement_new(STATEMENT_ONE_OF, @$); }
    | ANY ORDER             { $$ = scenario_statement_new(STATEMENT_ANY_ORDER, @$); }
    | head CITATION         { $$ = $1; cite($$, @CITATION, $CITATION); }
    | WHEN times pattern
        {
            $$ = scenario_statement_new(STATEMENT_WHEN, @WHEN);
            $$->pattern = $pattern;
            $$->once = $times == G_MAXUINT64;
            $$->nth = $$->once ? 0 : $times;
        }

times: %empty               { $$ = 0; }
     | ONCE                 { $$ = G_MAXUINT64; }
     | NTH INTEGER          { $$ = $INTEGER; if (!check_nth(parser, @INTEGER, $$)) YYABORT; }

trace: TRACE fact           { $$ = $fact; $$->place = @TRACE; }
     | trace CITATION       { $$ = $1; cite($$, @CITATION, $CITATION); }

fact: EVENTUALLY pattern    { $$ = trace_new(TRACE_EVENTUALLY, $pattern, NULL); }
    | NEVER pattern         { $$ = trace_new(TRACE_NEVER, $pattern, NULL); }
    | pattern[first] BEFORE pattern[second]
                            { $$ = trace_new(TRACE_BEFORE, $first, $second); }
    | WORD expr             { $$ = fact_new(@WORD, $WORD, $expr); }

message: VERB args          { $$ = message_new(@$, @VERB, NULL, $VERB, $args); }
       | pattern

pattern: actor ':' VERB args
        {
            $$ = message_new(@$, @VERB, $actor, $VERB, $args);
            /* a bare colon: the place of nothing is the end of what stands before it */
            if (*$$->actor == '\0')
                $$->place = @2;
        }

actor: %empty               { $$ = g_strdup(""); }
     | NAME
     | NAME[connection] '.' NAME[side]
        {
            $$ = actor_of(parser, $connection, $side, @side);
            if ($$ == NULL) YYABORT;
        }

args: %empty                { $$ = scenario_args_new(); }
    | args arg              { $$ = $1; g_ptr_array_add($$, $arg); }
    | args WORD AS NAME
        {
            $$ = $1;
            g_ptr_array_add($$, scenario_arg_new(ARG_POSITION, @WORD, NULL,
                                                 scenario_expr_text(EXPR_WORD, @WORD, $WORD)));
            g_ptr_array_add($$, scenario_arg_new(ARG_BIND, @AS, NULL,
                                                 scenario_expr_text(EXPR_NAME, @NAME, $NAME)));
        }

arg: expr                   { $$ = scenario_arg_new(ARG_POSITION, @$, NULL, $expr); }
   | WORD compare expr      { $$ = scenario_arg_new($compare, @$, $WORD, $expr); }
   | WORD HAS expr          { $$ = scenario_arg_new(ARG_HAS, @$, $WORD, $expr); }
   | WORD LACKS expr        { $$ = scenario_arg_new(ARG_LACKS, @$, $WORD, $expr); }
   | WORD AS VARIABLE
        { $$ = scenario_arg_new(ARG_BIND, @$, $WORD,
                                scenario_expr_text(EXPR_VARIABLE, @VARIABLE, $VARIABLE)); }
   | AS name                { $$ = scenario_arg_new(ARG_BIND, @$, NULL, $name); }

compare: '='                { $$ = ARG_EQUAL; }
       | NOT_EQUAL          { $$ = ARG_NOT_EQUAL; }
       | '<'                { $$ = ARG_LESS; }
       | LESS_EQUAL         { $$ = ARG_LESS_EQUAL; }
       | '>'                { $$ = ARG_GREATER; }
       | GREATER_EQUAL      { $$ = ARG_GREATER_EQUAL; }

outcome: CONTINUE
            { outcome_new(parser, OUTCOME_CONTINUE, @$, NULL, false, &$$); }
       | PASS why
            { if (!outcome_new(parser, OUTCOME_PASS, @$, $why, false, &$$)) YYABORT; }
       | WARN why continues
            { if (!outcome_new(parser, OUTCOME_WARN, @$, $why, $continues, &$$)) YYABORT; }
       | FAIL why continues
            { if (!outcome_new(parser, OUTCOME_FAIL, @$, $why, $continues, &$$)) YYABORT; }
       | SKIP why
            { if (!outcome_new(parser, OUTCOME_SKIP, @$, $why, false, &$$)) YYABORT; }

why: %empty                 { $$ = NULL; }
   | STRING

continues: %empty           { $$ = false; }
         | CONTINUE         { $$ = true; }

/* ---- Expressions ---- */

expr: INTEGER               { $$ = scenario_expr_integer(@$, $INTEGER); }
    | STRING                { $$ = scenario_expr_string(@$, $STRING); }
    | WORD %prec WORD_ALONE { $$ = scenario_expr_text(EXPR_WORD, @$, $WORD); }
    | name
    | '(' expr ')'          { $$ = $2; }
    | expr '|' expr         { $$ = binary(parser, '|', @2, $1, $3); if ($$ == NULL) YYABORT; }
    | expr '+' expr         { $$ = binary(parser, '+', @2, $1, $3); if ($$ == NULL) YYABORT; }
    | expr '-' expr         { $$ = binary(parser, '-', @2, $1, $3); if ($$ == NULL) YYABORT; }
    | expr '*' expr         { $$ = binary(parser, '*', @2, $1, $3); if ($$ == NULL) YYABORT; }
    | expr '/' expr         { $$ = binary(parser, '/', @2, $1, $3); if ($$ == NULL) YYABORT; }
    | expr '%' expr         { $$ = binary(parser, '%', @2, $1, $3); if ($$ == NULL) YYABORT; }
    | expr '^' expr         { $$ = binary(parser, '^', @2, $1, $3); if ($$ == NULL) YYABORT; }

%%

/* ---- What the actions do ---------------------------------------------------------------------- */

static bool set_peer(Parser *parser, Place place, char *text)
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

static bool set_act(Parser *parser, Place place, GPtrArray *args)
{
    if (parser->scenario->act != NULL) {
        g_ptr_array_unref(args);
        return scenario_parser_fail(parser, place, "a case has one header `act`");
    }
    parser->scenario->act = args;
    return true;
}

static bool end_headers(Parser *parser)
{
    if (parser->has_peer)
        return true;
    return scenario_parser_fail(parser, parser->scenario->title_place,
                                "this case does not say who its peer is: "
                                "`peer server`, `peer client` or `peer kernel`");
}

static void add_need_name(Parser *parser, Expr *name)
{
    GPtrArray *needs = parser->scenario->needs;
    Need *need = g_ptr_array_index(needs, needs->len - 1);

    g_ptr_array_add(need->names, name);
}

/* The cases that come of all loops together are bounded: each is played, and each has an id. */
static bool add_loop(Parser *parser, Loop *stolen)
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

static bool add_value(Parser *parser, Loop *loop, Expr *stolen)
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

static bool add_range(Parser *parser, Loop *loop, Expr *stolen_first, Expr *stolen_last)
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

static Expr *binary(Parser *parser, char op, Place place, Expr *left, Expr *right)
{
    Expr *expr = scenario_expr_binary(op, left, right);

    if (expr == NULL)
        scenario_parser_fail(parser, place, "expressions nest deeper than %u levels",
                             SCENARIO_MAX_EXPR_DEPTH);
    return expr;
}

static char *actor_of(Parser *parser, char *stolen_connection, char *stolen_side, Place place)
{
    g_autofree char *connection = stolen_connection;
    g_autofree char *side = stolen_side;

    if (g_str_equal(side, "C") || g_str_equal(side, "S"))
        return g_strconcat(connection, ".", side, NULL);
    scenario_parser_fail(parser, place, "expected `C` or `S`, a side of the connection `%.40s`",
                         connection);
    return NULL;
}

static Statement *message_new(Place place, Place verb_place, char *actor, char *verb,
                              GPtrArray *args)
{
    Statement *statement = scenario_statement_new(STATEMENT_PLAIN, place);

    statement->actor = actor;
    statement->verb = verb;
    statement->verb_place = verb_place;
    g_ptr_array_unref(statement->args);
    statement->args = args;
    return statement;
}

static Statement *fact_new(Place place, char *word, Expr *value)
{
    Statement *statement = scenario_statement_new(STATEMENT_TRACE, place);

    statement->trace = TRACE_FACT;
    statement->verb = word;
    g_ptr_array_add(statement->args, scenario_arg_new(ARG_POSITION, value->place, NULL, value));
    return statement;
}

static Statement *trace_new(TraceKind kind, Statement *pattern, Statement *second)
{
    Statement *statement = scenario_statement_new(STATEMENT_TRACE, pattern->place);

    statement->trace = kind;
    statement->pattern = pattern;
    statement->second = second;
    return statement;
}

static bool outcome_new(Parser *parser, OutcomeKind kind, Place place, GBytes *why, bool continues,
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

static bool check_nth(Parser *parser, Place place, uint64_t nth)
{
    if (nth > 0 && nth < G_MAXUINT64)
        return true;
    return scenario_parser_fail(parser, place, "the first match is `nth 1`");
}

static void cite(Statement *statement, Place place, char *id)
{
    g_ptr_array_add(statement->citations, scenario_citation_new(place, id));
}

/* ---- Messages ---------------------------------------------------------------------------------- */

/* Tokens that are told as one: where the first can stand, the others can as well. */
typedef struct {
    const char *name;
    const int *tokens; /* to 0, which is the end of the file and in no group */
} Group;

#define GROUP(name_, ...) {.name = name_, .tokens = (const int[]){__VA_ARGS__, 0}}

static const Group groups[] = {
    GROUP("the first line, `case TITLE`", CASE),
    GROUP("a header", PEER, NEEDS, USES, FOR, ACT),
    GROUP("a statement", THEN, ONE, ANY, WHEN, TRACE, VERB, NAME, ':'),
    GROUP("a message (`C: option`)", ':', NAME),
    GROUP("a comparison", NOT_EQUAL, '=', '<', LESS_EQUAL, '>', GREATER_EQUAL, HAS, LACKS, AS),
    GROUP("an operator", '+', '-', '*', '/', '%', '^', '|'),
    GROUP("a value", STRING, INTEGER, WORD, NAME, VARIABLE, '(', AS),
    GROUP("an outcome (`continue`, `pass`, `warn`, `fail` or `skip`)", PASS, CONTINUE, WARN, FAIL,
          SKIP),
};

/* What could stand there, in the user's words, and fewer of them than the parser has. */
static GPtrArray *expected_names(const yypcontext_t *context)
{
    GPtrArray *names = g_ptr_array_new();
    yysymbol_kind_t symbols[YYNTOKENS];
    bool expected[YYNTOKENS] = {false};
    int count = yypcontext_expected_tokens(context, symbols, YYNTOKENS);

    for (int i = 0; i < count; i++)
        expected[symbols[i]] = true;
    for (size_t i = 0; i < G_N_ELEMENTS(groups); i++) {
        if (!expected[YYTRANSLATE(groups[i].tokens[0])])
            continue;
        g_ptr_array_add(names, (char *)groups[i].name);
        for (const int *token = groups[i].tokens; *token != 0; token++)
            expected[YYTRANSLATE(*token)] = false;
        /* A file may end wherever a statement may begin: no need to say so. */
        expected[YYSYMBOL_YYEOF] = false;
    }
    for (int i = 0; i < YYNTOKENS; i++)
        if (expected[i])
            g_ptr_array_add(names, (char *)yysymbol_name((yysymbol_kind_t)i));
    return names;
}

/* The keyword expected here that the last token may have meant; NULL if none is near. */
static char *suggestion(const yypcontext_t *context, const char *found)
{
    yysymbol_kind_t symbols[YYNTOKENS];
    int count = yypcontext_expected_tokens(context, symbols, YYNTOKENS);
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

    for (int i = 0; i < count; i++) {
        const char *name = yysymbol_name(symbols[i]); /* a keyword stands in backquotes */
        if (name[0] == '`' && g_ascii_islower(name[1]))
            g_ptr_array_add(words, g_strndup(name + 1, strlen(name) - 2));
    }
    g_ptr_array_add(words, NULL);
    return g_strdup(scenario_nearest(found, (const char *const *)words->pdata));
}

static char *last_token(const Parser *parser)
{
    const char *text = parser->text + parser->offset - parser->token_length;
    const char *end = text + parser->token_length;

    if (parser->token_length <= 40)
        return g_strndup(text, parser->token_length);
    end = g_utf8_find_prev_char(text, text + 40);
    return g_strdup_printf("%.*s…", (int)(end - text), text);
}

static int yyreport_syntax_error(const yypcontext_t *context, Parser *parser,
                                 void *scanner G_GNUC_UNUSED)
{
    yysymbol_kind_t token = yypcontext_token(context);
    Place place = *yypcontext_location(context);

    if (token == YYSYMBOL_YYEOF && parser->block_count > 0) {
        scenario_parser_fail(parser, parser->blocks[parser->block_count - 1],
                             "this block has no end");
        return 0;
    }
    if (token == YYTRANSLATE(':') && parser->in_trace) { /* `trace evntually C: …` */
        scenario_parser_fail(parser, place,
                             "expected `trace eventually`, `trace never` or `trace` and a message "
                             "`before` another; found `:`");
        return 0;
    }
    g_autoptr(GString) message = g_string_new("expected ");
    g_autoptr(GPtrArray) names = expected_names(context);
    for (guint i = 0; i < names->len; i++) {
        const char *before = i == 0 ? "" : i + 1 == names->len ? " or " : ", ";
        g_string_append_printf(message, "%s%s", before, (char *)g_ptr_array_index(names, i));
    }
    if (token == YYSYMBOL_NEWLINE || token == YYSYMBOL_YYEOF) {
        g_string_append_printf(message, ", found %s", yysymbol_name(token));
    } else {
        g_autofree char *found = last_token(parser);
        g_autofree char *near = suggestion(context, found);
        g_string_append_printf(message, ", found `%s`", found);
        if (near != NULL)
            g_string_append_printf(message, "; did you mean `%s`?", near);
    }
    scenario_parser_fail(parser, place, "%s", message->str);
    return 0;
}

/* Mistakes go to yyreport_syntax_error(); left is a stack that bison does not extend further. */
static void scenario_yyerror(Place *place, Parser *parser, void *scanner G_GNUC_UNUSED,
                             const char *message G_GNUC_UNUSED)
{
    scenario_parser_fail(parser, *place, "this nests too deeply");
}

/* ---- The front door --------------------------------------------------------------------------- */

/* The lexer relies on it, and so does everybody who prints a title or a reason. */
static bool check_characters(Parser *parser)
{
    const char *end;
    Place place = {1, 1};

    if (parser->length == 0 || g_utf8_validate_len(parser->text, parser->length, &end))
        return true;
    for (const char *at = parser->text; at < end; at = g_utf8_next_char(at)) {
        place.column++;
        if (*at == '\n')
            place = (Place){place.line + 1, 1};
    }
    return scenario_parser_fail(parser, place,
                                "the byte 0x%02x is no UTF-8 text; a string may say \\x%02x",
                                (guchar)*end, (guchar)*end);
}

static bool check_size(Parser *parser)
{
    if (parser->length <= SCENARIO_MAX_SIZE)
        return true;
    return scenario_parser_fail(parser, (Place){1, 1}, "this file is larger than %zu bytes",
                                SCENARIO_MAX_SIZE);
}

Scenario *scenario_parse(const char *path, const char *file, const char *text, size_t length,
                         GError **error)
{
    Parser parser = {.text = text,
                     .length = length,
                     .here = {1, 1},
                     .in_headers = true,
                     .cases = 1,
                     .scenario = scenario_new(path, file, text, length)};

    if (check_size(&parser) && check_characters(&parser)) {
        void *scanner = scenario_scanner_new(&parser);
        scenario_yyparse(&parser, scanner);
        scenario_scanner_free(scanner);
    }
    if (parser.error == NULL)
        return parser.scenario;
    g_propagate_error(error, parser.error);
    scenario_free(parser.scenario);
    return NULL;
}
