/* Values, variables, and what expressions come to. */
#ifndef NBDCONFORM_PLAY_VALUE_H
#define NBDCONFORM_PLAY_VALUE_H

#include "scenario/scenario.h"
#include "wire/wire.h"

typedef enum { VALUE_INTEGER, VALUE_BYTES, VALUE_WORD } ValueKind;

typedef struct {
    ValueKind kind;
    uint64_t integer;
    GBytes *bytes; /* VALUE_BYTES */
    char *word;    /* VALUE_WORD: a name or word whose meaning depends on where it stands */
} Value;

Value *value_integer(uint64_t integer);
Value *value_bytes(GBytes *bytes); /* takes a reference of its own */
Value *value_word(const char *word);
void value_free(Value *value);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Value, value_free)

/* Variables in scope: an inner scope hides the outer one. */
typedef struct Scope Scope;
struct Scope {
    GHashTable *values; /* name → Value */
    const Scope *outer;
};
const Value *scope_find(const Scope *scope, const char *name);

/* A hash table for a scope. */
GHashTable *scope_values_new(void);

/* What EXPR comes to. A protocol's name is looked up in NAMES, where that is not NULL, else it stays a
 * word. NULL and ERROR, with a caret in SCENARIO, where it comes to nothing: an unknown variable or
 * name, a string where a number is due, a division by zero, more bytes than a message can have. */
Value *value_of(const Expr *expr, const Scope *scope, const WireNames *names,
                const Scenario *scenario, GError **error);

/* The same, where only an integer will do. */
bool value_integer_of(const Expr *expr, const Scope *scope, const WireNames *names,
                      const Scenario *scenario, uint64_t *integer, GError **error);

/* "4096", "\"abc\"…": as it stands in an id or a title. */
char *value_text(const Value *value);

#endif
