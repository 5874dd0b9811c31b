/* The requirements: what the specification asks, one statement each, as cases/requirements.tsv lists
 * them. The table is generated into the program from that file. */
#ifndef NBDCONFORM_REQUIREMENT_H
#define NBDCONFORM_REQUIREMENT_H

#include <stdbool.h>
#include <stddef.h>

typedef enum {
    REQUIREMENT_MUST,
    REQUIREMENT_MUST_NOT,
    REQUIREMENT_SHOULD,
    REQUIREMENT_SHOULD_NOT,
    REQUIREMENT_MAY,
    REQUIREMENT_FORMAT, /* a layout or value that the text states without a keyword */
    REQUIREMENT_ROBUST, /* what no sentence says and everybody expects */
} RequirementLevel;

typedef enum { REQUIREMENT_SERVER, REQUIREMENT_CLIENT, REQUIREMENT_BOTH } RequirementRole;

typedef struct {
    const char *id; /* "handshake.opt-abort.ack" */
    RequirementLevel level;
    RequirementRole role; /* who has to obey */
    const char *source;   /* "proto.md:1195", or "-" */
    const char *check;    /* how it is checked: "rule", "case", "none: why" */
    const char *summary;  /* in our own words */
} Requirement;

/* Sorted by id. */
extern const Requirement requirement_table[];
extern const size_t requirement_count;

/* Marks the id of a requirement in the sources, so that the build can check that it exists. */
#define REQ(id) id

/* The requirement called ID, or NULL. */
const Requirement *requirement_find(const char *id);

/* "MUST NOT", as in the table. */
const char *requirement_level_name(RequirementLevel level);

/* What a breach is: a violation or a robustness failure (both fail), a warning, or, where the
 * specification merely permits (MAY), a hint. */
typedef enum { BREACH_VIOLATION, BREACH_ROBUSTNESS, BREACH_WARNING, BREACH_HINT } Breach;
Breach requirement_breach(const Requirement *requirement);

/* A link into the published specification, to the chapter that holds the requirement's source line.
 * NULL where it has no source. The caller frees it. */
char *requirement_link(const Requirement *requirement);

#endif
