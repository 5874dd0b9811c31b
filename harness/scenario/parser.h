/* What the lexer and the grammar share while a text is parsed. Private to scenario/. */
#ifndef NBDCONFORM_SCENARIO_PARSER_H
#define NBDCONFORM_SCENARIO_PARSER_H

#include "scenario/tree.h"

#define SCENARIO_MAX_SIZE ((size_t)1 << 20) /* bytes of a file */
#define SCENARIO_MAX_NESTING 64u            /* blocks in blocks, parentheses in parentheses */
#define SCENARIO_MAX_LOOPS 16u
#define SCENARIO_MAX_CASES 4096u /* that the loops of one file may make */

typedef struct {
    Scenario *scenario; /* what is built; gives messages the file's name */
    GError *error;      /* the first */
    const char *text;
    size_t length;

    /* the lexer's */
    Place here;          /* where the next token begins */
    size_t offset;       /* … in bytes */
    size_t token_length; /* of the last token, which ends at OFFSET */
    bool in_headers;
    bool in_trace;                      /* the only line where `before` is a keyword */
    bool content;                       /* the line holds a word */
    Place blocks[SCENARIO_MAX_NESTING]; /* the braces that are open */
    unsigned block_count;
    unsigned parentheses;

    /* the grammar's */
    bool has_peer;
    uint64_t cases; /* the product of the loops */
} Parser;

/* The lexer over the parser's text, and its end. */
void *scenario_scanner_new(Parser *parser);
void scenario_scanner_free(void *scanner);

/* Notes the first error. Always false. */
bool scenario_parser_fail(Parser *parser, Place place, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The error at PLACE of TEXT, which needs no NUL at its end and may contain anything. */
GError *scenario_error_new(const char *file, const char *text, size_t length, Place place,
                           const char *message);

#endif
