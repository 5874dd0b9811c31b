/* The bytes of NBD: constants, their names, and the layout of every message.
 *
 * Each layout is described once, in a table of fields; encoder, decoder, transcripts and the scenario
 * notation all read that table. Nothing here does I/O or knows what is legal when.
 */
#ifndef NBDCONFORM_WIRE_H
#define NBDCONFORM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/constants.h"

/* ---- Names ------------------------------------------------------------------------------------ */

typedef struct {
    uint64_t value;
    const char *name;
} WireName;

/* A set of named values: an enumeration, or the bits of a flags field. */
typedef struct {
    const char
        *title; /* how the specification calls the field, for messages: "option", "command" */
    bool flags; /* the values are bits that may be combined */
    const WireName *names;
    size_t count;
} WireNames;

extern const WireNames wire_handshake_flags;
extern const WireNames wire_client_flags;
extern const WireNames wire_transmission_flags;
extern const WireNames wire_options;
extern const WireNames wire_reply_types;
extern const WireNames wire_info_types;
extern const WireNames wire_command_flags;
extern const WireNames wire_commands;
extern const WireNames wire_chunk_flags;
extern const WireNames wire_chunk_types;
extern const WireNames wire_errors;
extern const WireNames wire_states; /* of base:allocation */

/* The name of VALUE without its NBD_… prefix ("EXPORT_NAME"), or NULL. */
const char *wire_name(const WireNames *names, uint64_t value);

/* Finds the value called NAME. False if there is none. */
bool wire_value(const WireNames *names, const char *name, uint64_t *value);

/* VALUE for people: a name, names joined by "|", or a number where there is no name.
 * The caller frees it. */
char *wire_format(const WireNames *names, uint64_t value);

/* Every bit that NAMES knows; for flags fields only. */
uint64_t wire_known_bits(const WireNames *names);

/* ---- Layouts ---------------------------------------------------------------------------------- */

#define WIRE_MAX_FIELDS 8

typedef struct {
    const char *name;       /* the notation's field name: "length" */
    uint8_t width;          /* bytes on the wire, 2, 4 or 8; big-endian */
    bool constant;          /* a magic number: VALUE is the only right one */
    uint64_t value;         /* the constant, or the default of the encoder */
    const WireNames *names; /* NULL for a plain number */
} WireField;

typedef enum {
    /* handshake */
    WIRE_GREETING,     /* the 16 bytes that oldstyle and newstyle begin with */
    WIRE_OLDSTYLE,     /* what follows in oldstyle: size, flags (124 zeroes are apart) */
    WIRE_NEWSTYLE,     /* what follows in newstyle: handshake flags */
    WIRE_CLIENT_FLAGS, /* the client's answer */
    WIRE_OPTION,       /* header of an option */
    WIRE_OPTION_REPLY, /* header of a reply to an option */
    WIRE_EXPORT,       /* answer to NBD_OPT_EXPORT_NAME (124 zeroes are apart) */
    /* heads of data fields of the handshake */
    WIRE_REP_SERVER,      /* NBD_REP_SERVER: length of name */
    WIRE_INFO,            /* NBD_REP_INFO: information type */
    WIRE_INFO_EXPORT,     /* … NBD_INFO_EXPORT, with the type */
    WIRE_INFO_BLOCK_SIZE, /* … NBD_INFO_BLOCK_SIZE, with the type */
    WIRE_META_CONTEXT,    /* NBD_REP_META_CONTEXT: context id */
    /* transmission */
    WIRE_REQUEST,
    WIRE_SIMPLE_REPLY,
    WIRE_CHUNK,            /* header of a structured reply chunk */
    WIRE_EXTENDED_REQUEST, /* with extended headers: fields as in WIRE_REQUEST */
    WIRE_EXTENDED_REPLY,   /* … and the header of every chunk of every reply */
    WIRE_KINDS
} WireKind;

typedef struct {
    const char *name;
    const WireField *fields;
    size_t count;
    size_t size; /* bytes */
} WireLayout;

/* Index of each field in its layout's table, for code that knows which field it wants. */
enum { GREETING_PASSWD, GREETING_MAGIC };
enum { OLDSTYLE_SIZE, OLDSTYLE_FLAGS };
enum { NEWSTYLE_FLAGS };
enum { CLIENT_FLAGS_FLAGS };
enum { OPTION_MAGIC, OPTION_OPTION, OPTION_LENGTH };
enum { REPLY_MAGIC, REPLY_OPTION, REPLY_TYPE, REPLY_LENGTH };
enum { EXPORT_SIZE, EXPORT_FLAGS };
enum { REP_SERVER_NAME_LENGTH };
enum { INFO_TYPE };
enum { INFO_EXPORT_TYPE, INFO_EXPORT_SIZE, INFO_EXPORT_FLAGS };
enum {
    INFO_BLOCK_SIZE_TYPE,
    INFO_BLOCK_SIZE_MINIMUM,
    INFO_BLOCK_SIZE_PREFERRED,
    INFO_BLOCK_SIZE_MAXIMUM
};
enum { META_CONTEXT_ID };
enum { REQUEST_MAGIC, REQUEST_FLAGS, REQUEST_TYPE, REQUEST_COOKIE, REQUEST_OFFSET, REQUEST_LENGTH };
enum { SIMPLE_REPLY_MAGIC, SIMPLE_REPLY_ERROR, SIMPLE_REPLY_COOKIE };
enum { CHUNK_MAGIC, CHUNK_FLAGS, CHUNK_TYPE, CHUNK_COOKIE, CHUNK_LENGTH };
/* An extended reply has the fields of a chunk, and an offset before its length. */
enum { EXTENDED_REPLY_OFFSET = CHUNK_COOKIE + 1, EXTENDED_REPLY_LENGTH };

const WireLayout *wire_layout(WireKind kind);

/* The index of the field called NAME, or -1. */
int wire_field_index(WireKind kind, const char *name);

/* Sets every value to its constant or default. */
void wire_defaults(WireKind kind, uint64_t values[WIRE_MAX_FIELDS]);

/* Writes wire_layout(kind)->size bytes; values are cut to their field's width. */
void wire_encode(WireKind kind, const uint64_t values[WIRE_MAX_FIELDS], uint8_t *out);

/* Reads wire_layout(kind)->size bytes. */
void wire_decode(WireKind kind, const uint8_t *in, uint64_t values[WIRE_MAX_FIELDS]);

/* "size=1048576 flags=HAS_FLAGS|SEND_FLUSH": the fields that are no magic numbers; wrong magic
 * numbers too. The caller frees it. */
char *wire_describe(WireKind kind, const uint64_t values[WIRE_MAX_FIELDS]);

/* Big-endian numbers of WIDTH (1 to 8) bytes, for data that has no layout of its own. */
uint64_t wire_get(const uint8_t *in, size_t width);
void wire_put(uint8_t *out, size_t width, uint64_t value);

/* ---- Data of variable form -------------------------------------------------------------------- */

typedef enum {
    WIRE_STRING_FINE,
    WIRE_STRING_LONG,     /* over 256 bytes: one SHOULD avoid that */
    WIRE_STRING_TOO_LONG, /* over 4096 bytes */
    WIRE_STRING_NUL,
    WIRE_STRING_NOT_UTF8,
} WireString;

/* What the Conventions say about strings. Of several findings one is told: NUL before broken UTF-8, and
 * either before a length. */
WireString wire_check_string(const uint8_t *text, size_t length);

/* The data of NBD_OPT_INFO and NBD_OPT_GO. The pointers lead into the data given. */
typedef struct {
    const uint8_t *name;
    uint32_t name_length;
    uint16_t info_count;
    const uint8_t *infos; /* 16 bits each */
} WireInfoRequest;

/* False if the lengths do not add up to exactly LENGTH bytes. */
bool wire_parse_info_request(const uint8_t *data, size_t length, WireInfoRequest *request);

/* The data of NBD_OPT_LIST_META_CONTEXT and NBD_OPT_SET_META_CONTEXT. The pointers lead into the data given. */
typedef struct {
    const uint8_t *export_name;
    uint32_t export_length;
    uint32_t query_count;
    const uint8_t *queries; /* 32 bits of length, then the query, each */
    size_t queries_size;
} WireContextRequest;

/* False if the lengths do not add up to exactly LENGTH bytes. */
bool wire_parse_context_request(const uint8_t *data, size_t length, WireContextRequest *request);

#endif
