/* What checks a scenario before it is played: shared by the files that do. */
#ifndef NBDCONFORM_PLAY_COMPILE_H
#define NBDCONFORM_PLAY_COMPILE_H

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

/* compile_args.c: LINE has the arguments that VERB takes. */
bool compile_check_args(Compiler *compiler, const Verb *verb, const Statement *line);

/* Sets NAME for the lines that follow, to some value of its kind. */
void compile_stand_in(Compiler *compiler, const char *name, FieldKind kind);

/* False and ERROR, at PLACE, if NAME is one of the harness's own variables. */
bool compile_check_free(const Scenario *scenario, Place place, const char *name, GError **error);

/* compile.c: everything below the scenario's `for` lines. */
bool compile_check_case(Compiler *compiler);

#endif
