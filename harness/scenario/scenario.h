/* The notation of the cases: what a `.case` file says, as a tree, with the place of each word in it.
 *
 * The grammar knows only headers, `actor: verb arguments`, blocks and expressions. Which verbs there
 * are, and what their arguments mean, is the business of play/.
 */
#ifndef NBDCONFORM_SCENARIO_H
#define NBDCONFORM_SCENARIO_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "requirement/set.h"

/* Where a word stands: line and column count from 1. */
typedef struct {
    unsigned line;
    unsigned column;
} Place;

/* ---- Expressions ------------------------------------------------------------------------------ */

typedef enum {
    EXPR_INTEGER,  /* 512, 64k, 0xff, 2^63 */
    EXPR_STRING,   /* "any\x00bytes" */
    EXPR_WORD,     /* lower-case: pattern, newstyle, not */
    EXPR_NAME,     /* upper-case, one of the protocol's names: GO, FUA */
    EXPR_VARIABLE, /* $size */
    EXPR_BINARY,   /* left OP right; OP is one of + - * / % ^ | */
} ExprKind;

typedef struct Expr Expr;
struct Expr {
    ExprKind kind;
    Place place;
    uint64_t integer; /* EXPR_INTEGER */
    char *text;       /* EXPR_WORD, EXPR_NAME, EXPR_VARIABLE (without the $) */
    GBytes *bytes;    /* EXPR_STRING */
    char op;          /* EXPR_BINARY */
    Expr *left, *right;
};

/* ---- Statements ------------------------------------------------------------------------------- */

typedef enum {
    ARG_POSITION, /* a value alone: ABORT, newstyle, 42, $option, "disk" */
    ARG_EQUAL,    /* name=value; for what we send also plain assignment */
    ARG_NOT_EQUAL,
    ARG_LESS,
    ARG_LESS_EQUAL,
    ARG_GREATER,
    ARG_GREATER_EQUAL,
    ARG_HAS,   /* name has FLAGS */
    ARG_LACKS, /* name lacks FLAGS */
    ARG_BIND,  /* name as $variable; without a name: `as B` names a connection */
} ArgKind;

typedef struct {
    ArgKind kind;
    Place place;
    char *name;  /* NULL for ARG_POSITION, and for ARG_BIND without a name */
    Expr *value; /* for ARG_BIND an EXPR_VARIABLE, or an EXPR_NAME */
} Arg;

typedef struct {
    Place place;
    char *id;
} Citation;

typedef enum {
    OUTCOME_NONE,
    OUTCOME_CONTINUE, /* go on behind the block */
    OUTCOME_PASS,     /* these four end the case; `then` lines are still played */
    OUTCOME_WARN,
    OUTCOME_FAIL,
    OUTCOME_SKIP,
} OutcomeKind;

typedef struct {
    OutcomeKind kind;
    Place place;
    char *why;      /* or NULL */
    bool continues; /* `=> warn "why" continue`: noted, and the case goes on */
} Outcome;

typedef enum {
    STATEMENT_PLAIN,     /* [then] [actor:] verb arguments [{ block }] */
    STATEMENT_ONE_OF,    /* one of { alternatives } */
    STATEMENT_ANY_ORDER, /* any order { expectations } */
    STATEMENT_WHEN,      /* when [once | nth N] pattern { replacement } */
    STATEMENT_TRACE,     /* trace [eventually | never] pattern [before pattern] | trace word N */
} StatementKind;

typedef enum { TRACE_EVENTUALLY, TRACE_NEVER, TRACE_BEFORE, TRACE_FACT } TraceKind;

typedef struct Statement Statement;
struct Statement {
    StatementKind kind;
    Place place;
    bool then;   /* `then …`: played however the lines before it ended */
    char *actor; /* "C", "S", "B.C", "B", "" for a bare colon; NULL without any */
    char *verb;  /* NULL for blocks without a verb */
    Place verb_place;
    GPtrArray *args;      /* of Arg */
    GPtrArray *citations; /* of Citation */
    Outcome outcome;      /* of an alternative; OUTCOME_NONE elsewhere */
    GPtrArray *block;     /* of Statement, or NULL */

    Statement *pattern; /* WHEN: the message replaced; TRACE: the (first) message */
    Statement *second;  /* TRACE_BEFORE: the message that the first must precede */
    TraceKind trace;    /* TRACE_FACT: the word is VERB, its value the one argument */
    bool once;          /* WHEN */
    uint64_t nth;       /* WHEN: 0 for every match */
};

/* ---- Headers ---------------------------------------------------------------------------------- */

typedef enum { PEER_SERVER, PEER_CLIENT, PEER_KERNEL } PeerKind;

/* One precondition: `writes`, `size >= 512`, `transmission-flag SEND_FUA SEND_FLUSH`. */
typedef struct {
    Place place;
    char *word;
    ArgKind compare;  /* ARG_POSITION where there is no comparison */
    Expr *value;      /* right of the comparison */
    GPtrArray *names; /* of Expr (EXPR_NAME or EXPR_VARIABLE): the names that follow the word */
} Need;

/* `uses region 64k`, `uses tail`. */
typedef struct {
    Place place;
    char *word;
    Expr *value; /* or NULL */
} Use;

/* `for $n in 0 1 10..12`: each value makes a case of its own. */
typedef struct {
    Place place;
    char *variable;
    GPtrArray *values; /* of Expr, ranges already spelled out */
} Loop;

typedef struct {
    char *path; /* below cases/, without .case: "server/handshake/abort/acknowledged" */
    char *file; /* as to be shown in messages: "cases/server/….case" */
    char *text; /* the whole source */
    Place title_place;
    char *title;
    PeerKind peer;
    GPtrArray *act;        /* of Arg: what a client is told to do; NULL without the header */
    GPtrArray *needs;      /* of Need */
    GPtrArray *uses;       /* of Use */
    GPtrArray *loops;      /* of Loop */
    GPtrArray *statements; /* of Statement */
    const RequirementSet *requirements; /* what it may cite; NULL: those of the program */
} Scenario;

#define SCENARIO_ERROR scenario_error_quark()
GQuark scenario_error_quark(void);

/* Parses TEXT (LENGTH bytes, any bytes), the file that messages call FILE and ids call PATH.
 * On error NULL, and a message with file, line, column, the line itself and a caret under the place.
 * Free with scenario_free(). */
Scenario *scenario_parse(const char *path, const char *file, const char *text, size_t length,
                         GError **error);
void scenario_free(Scenario *scenario);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Scenario, scenario_free)

/* The scenario in the notation: parsing it again gives an equal tree. The caller frees it. */
char *scenario_print(const Scenario *scenario);

/* The requirement that CITATION names; NULL if there is none. */
const Requirement *scenario_cited(const Scenario *scenario, const Citation *citation);

/* One statement on one line, as scenario_print() writes it, without its block. The caller frees it. */
char *scenario_print_statement(const Statement *statement);

/* Sets ERROR to what a compiler would say of PLACE:
 *   cases/x.case:7:12: unknown verb "optoin"; did you mean "option"?
 *       7 | C: optoin ABORT
 *         |    ^
 */
void scenario_set_error(GError **error, const Scenario *scenario, Place place, const char *format,
                        ...) G_GNUC_PRINTF(4, 5);

/* The word of CHOICES (NULL-terminated) that is spelled most like WORD, or NULL if none is near. */
const char *scenario_nearest(const char *word, const char *const *choices);

#endif
