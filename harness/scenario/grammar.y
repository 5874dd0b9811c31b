%code top {
/* The grammar of the notation, and what is said of a text that is none of it.
 *
 * It knows headers, `actor: verb arguments`, blocks and expressions; no verb by name.
 */
#include <string.h>

#include "scenario/action.h"
}

%code requires {
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
            if (!action_end_headers(parser)) {
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

header: PEER WORD   { if (!action_set_peer(parser, @WORD, $WORD)) YYABORT; }
      | NEEDS needs
      | USES uses
      | loop        { if (!action_add_loop(parser, $loop)) YYABORT; }
      | ACT args    { if (!action_set_act(parser, @ACT, $args)) YYABORT; }

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
            action_add_need_name(parser, $name);
        }
     | named name   { action_add_need_name(parser, $name); }

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
            if (!action_add_value(parser, $1, $expr)) YYABORT;
        }
    | loop expr[first] DOTS expr[last]
        {
            $$ = $1;
            if (!action_add_range(parser, $1, $first, $last)) YYABORT;
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
     | cited CITATION               { $$ = $1; action_cite($$, @CITATION, $CITATION); }

judged: cited ARROW outcome         { $$ = $1; $$->outcome = $outcome; }
      | judged CITATION             { $$ = $1; action_cite($$, @CITATION, $CITATION); }

head: ONE OF                { $$ = scenario_statement_new(STATEMENT_ONE_OF, @$); }
    | ANY ORDER             { $$ = scenario_statement_new(STATEMENT_ANY_ORDER, @$); }
    | head CITATION         { $$ = $1; action_cite($$, @CITATION, $CITATION); }
    | WHEN times pattern
        {
            $$ = scenario_statement_new(STATEMENT_WHEN, @WHEN);
            $$->pattern = $pattern;
            $$->once = $times == G_MAXUINT64;
            $$->nth = $$->once ? 0 : $times;
        }

times: %empty               { $$ = 0; }
     | ONCE                 { $$ = G_MAXUINT64; }
     | NTH INTEGER          { $$ = $INTEGER; if (!action_check_nth(parser, @INTEGER, $$)) YYABORT; }

trace: TRACE fact           { $$ = $fact; $$->place = @TRACE; }
     | trace CITATION       { $$ = $1; action_cite($$, @CITATION, $CITATION); }

fact: EVENTUALLY pattern    { $$ = action_trace(TRACE_EVENTUALLY, $pattern, NULL); }
    | NEVER pattern         { $$ = action_trace(TRACE_NEVER, $pattern, NULL); }
    | pattern[first] BEFORE pattern[second]
                            { $$ = action_trace(TRACE_BEFORE, $first, $second); }
    | WORD expr             { $$ = action_fact(@WORD, $WORD, $expr); }

message: VERB args          { $$ = action_message(@$, @VERB, NULL, $VERB, $args); }
       | pattern

pattern: actor ':' VERB args
        {
            $$ = action_message(@$, @VERB, $actor, $VERB, $args);
            /* a bare colon: the place of nothing is the end of what stands before it */
            if (*$$->actor == '\0')
                $$->place = @2;
        }

actor: %empty               { $$ = g_strdup(""); }
     | NAME
     | NAME[connection] '.' NAME[side]
        {
            $$ = action_actor(parser, $connection, $side, @side);
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
            { action_outcome(parser, OUTCOME_CONTINUE, @$, NULL, false, &$$); }
       | PASS why
            { if (!action_outcome(parser, OUTCOME_PASS, @$, $why, false, &$$)) YYABORT; }
       | WARN why continues
            { if (!action_outcome(parser, OUTCOME_WARN, @$, $why, $continues, &$$)) YYABORT; }
       | FAIL why continues
            { if (!action_outcome(parser, OUTCOME_FAIL, @$, $why, $continues, &$$)) YYABORT; }
       | SKIP why
            { if (!action_outcome(parser, OUTCOME_SKIP, @$, $why, false, &$$)) YYABORT; }

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
    | expr '|' expr         { $$ = action_binary(parser, '|', @2, $1, $3); if ($$ == NULL) YYABORT; }
    | expr '+' expr         { $$ = action_binary(parser, '+', @2, $1, $3); if ($$ == NULL) YYABORT; }
    | expr '-' expr         { $$ = action_binary(parser, '-', @2, $1, $3); if ($$ == NULL) YYABORT; }
    | expr '*' expr         { $$ = action_binary(parser, '*', @2, $1, $3); if ($$ == NULL) YYABORT; }
    | expr '/' expr         { $$ = action_binary(parser, '/', @2, $1, $3); if ($$ == NULL) YYABORT; }
    | expr '%' expr         { $$ = action_binary(parser, '%', @2, $1, $3); if ($$ == NULL) YYABORT; }
    | expr '^' expr         { $$ = action_binary(parser, '^', @2, $1, $3); if ($$ == NULL) YYABORT; }

%%

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
