/* Rows for metadata contexts and TLS, as far as they are haggled about. */
#include "session_rows.h"

/* The data of LIST_ and SET_META_CONTEXT for "disk": no query, one of base:, one of base:a and x-a:b. */
#define NONE " + hex 000000046469736b00000000"
#define BASE " + hex 000000046469736b0000000100000005 + text base:"
#define BOTH " + hex 000000046469736b0000000200000006 + text base:a + hex 00000005 + text x-a:b"
#define BASES " + hex 000000046469736b0000000200000006 + text base:a + hex 00000005 + text base:"
#define LIST(data) "C option option=LIST_META_CONTEXT" data ";"
#define SET(data) "C option option=SET_META_CONTEXT" data ";"
#define LISTED(id, name)                                                                           \
    "S reply option=LIST_META_CONTEXT type=META_CONTEXT + meta-context id=" id name ";"
#define SELECTED(id, name)                                                                         \
    "S reply option=SET_META_CONTEXT type=META_CONTEXT + meta-context id=" id name ";"
#define IN HELLO STRUCTURED
#define EXT_REQD(option) ERROR(option, "ERR_EXT_HEADER_REQD")

static const SessionRow context_rows[] = {
    {"handshake.rep-meta-context.layout",
     IN LIST(NONE) "S reply option=LIST_META_CONTEXT type=META_CONTEXT + hex 000000;",
     IN LIST(NONE) LISTED("0", " + text x-a:") "S reply option=LIST_META_CONTEXT type=ACK;"},
    {"metadata.name.form", IN LIST(NONE) LISTED("0", " + text base"),
     IN LIST(NONE) LISTED("0", " + text base:")},
    {"metadata.name.form", IN LIST(NONE) LISTED("0", " + text :base"),
     IN LIST(NONE) LISTED("0", " + text base:a:b")},
    {"metadata.name.form", IN LIST(NONE) LISTED("0", ""), IN LIST(NONE) LISTED("0", " + text x-:")},
    {"metadata.name.form", IN SET(BASE) SELECTED("1", " + text base"),
     IN SET(BASE) SELECTED("1", " + text base:")},
    {"metadata.name.namespace", IN LIST(NONE) LISTED("0", " + text x- + hex 20 + text a:b"),
     IN LIST(NONE) LISTED("0", " + text x-a:b + hex 20 + text c")},
    {"metadata.name.namespace", IN LIST(NONE) LISTED("0", " + text x- + hex 07 + text a:b"),
     IN LIST(NONE) LISTED("0", " + text nbd-server:a")},
    {"metadata.name.registered", IN LIST(NONE) LISTED("0", " + text bases:a"),
     IN LIST(NONE) LISTED("0", " + text qemu:dirty-bitmap:a")},
    {"handshake.opt-list-meta-context.id-zero", IN LIST(NONE) LISTED("1", " + text base:a"),
     IN SET(BASE) SELECTED("1", " + text base:a")},
    {"handshake.opt-set-meta-context.unique-ids",
     IN SET(BOTH) SELECTED("1", " + text base:a") SELECTED("1", " + text x-a:b"),
     IN SET(BOTH) SELECTED("1", " + text base:a") SELECTED("0", " + text x-a:b")},
    {"handshake.opt-set-meta-context.unique-ids",
     IN SET(BOTH) SELECTED("1", " + text base:a") SELECTED("2", " + text x-a:b")
         SELECTED("2", " + text base:b"),
     IN SET(BOTH) SELECTED("1", " + text base:a") SELECTED("2", " + text x-a:b")
         SELECTED("3", " + text base:b")},
    {"handshake.opt-list-meta-context.no-queries-too-big",
     IN LIST(NONE) ERROR("LIST_META_CONTEXT", "ERR_TOO_BIG"),
     IN LIST(BASE) ERROR("LIST_META_CONTEXT", "ERR_TOO_BIG")},
    {"extended.required.list-base",
     IN LIST(NONE) LISTED("0", " + text base:a") EXT_REQD("LIST_META_CONTEXT"),
     IN LIST(NONE) LISTED("0", " + text base:a") LISTED("0", " + text x-a:b")
         EXT_REQD("LIST_META_CONTEXT")},
    {"extended.required.list-base",
     IN LIST(NONE) LISTED("0", " + text base:a") EXT_REQD("LIST_META_CONTEXT"),
     IN LIST(NONE) EXT_REQD("LIST_META_CONTEXT")},
    {"extended.required.list-base",
     IN LIST(NONE) LISTED("0", " + text base:a") EXT_REQD("LIST_META_CONTEXT"),
     IN LIST(NONE) LISTED("0", " + text x-ab:c") EXT_REQD("LIST_META_CONTEXT")},
    {"extended.required.set-base", IN SET(BASE) EXT_REQD("SET_META_CONTEXT"),
     IN SET(BOTH) EXT_REQD("SET_META_CONTEXT")},
    {"extended.required.set-base", IN SET(BASES) EXT_REQD("SET_META_CONTEXT"),
     IN SET(NONE) EXT_REQD("SET_META_CONTEXT")},
    {"handshake.opt-list-meta-context.client-structured-first", HELLO LIST(BASE), IN LIST(BASE)},
    {"handshake.opt-set-meta-context.client-structured-first", HELLO SET(BASE), IN SET(BASE)},
    {"metadata.query.layout", IN LIST(" + hex 00000000"), IN LIST(" + hex 0000000000000000")},
    {"metadata.query.layout", IN SET(BASE " + hex 00"), IN SET(BOTH)},
    {"metadata.query.namespace", IN SET(" + hex 000000000000000100000004 + text base"),
     IN SET(" + hex 000000000000000100000005 + text base:")},
    {"metadata.query.namespace", IN SET(" + hex 000000000000000100000000"), IN SET(NONE)},
    {"metadata.query.namespace",
     IN SET(" + hex 00000000000000020000000261 + text : + hex 0000000161"),
     IN SET(" + hex 00000000000000020000000261 + text : + hex 0000000262 + text :")},
    {"metadata.query.namespace", IN SET(" + hex 000000000000000100000002 + text :a"),
     IN SET(" + hex 000000000000000100000002 + text a:")},
    {"string.no-nul", IN SET(" + hex 000000020000 + hex 00000000"),
     IN SET(" + hex 000000026161 + hex 00000000")},
    {"string.no-nul", IN LIST(" + hex 0000000100 + hex 00000000"),
     IN LIST(" + hex 0000000161 + hex 00000000")},
};
SESSION_ROWS(session_context_rows, context_rows);

#define REQD(option) ERROR(option, "ERR_TLS_REQD")
#define START "C option option=STARTTLS;"
#define STARTED HELLO START ACK("STARTTLS") "= TLS handshake;TLS;= option haggling;"
#define INFO(name) "C option option=INFO + ask " name ";"
#define INFO_OK(name) INFO(name) EXPORT("INFO", "1048576", "HAS_FLAGS") ACK("INFO")
#define GO_OK ASK("GO", "") EXPORT("GO", "1048576", "HAS_FLAGS") ACK("GO")
#define UNFIXED_CLIENT GREETING "C client-flags flags=NO_ZEROES;"

static const SessionRow tls_rows[] = {
    {"tls.mode-constant", HELLO OPT("LIST") REQD("LIST") OPT("LIST") ACK("LIST"),
     HELLO OPT("LIST") REQD("LIST") OPT("ABORT") ACK("ABORT")},
    {"tls.mode-constant",
     HELLO OPT("LIST") REQD("LIST") ASK("GO", "") REQD("GO") OPT("LIST") ACK("LIST"),
     HELLO ASK("GO", "") REQD("GO") OPT("LIST") ACK("LIST")},
    {"tls.mode-constant",
     HELLO OPT("LIST") REQD("LIST") OPT("LIST") "S reply option=LIST type=SERVER + server;",
     HELLO OPT("LIST") REQD("LIST") START ACK("STARTTLS") "TLS;" OPT("LIST") ACK("LIST")},
    {"tls.mode-constant", HELLO OPT("0x4321") REQD("0x4321") INFO_OK("disk"),
     HELLO INFO("other") REQD("INFO") INFO_OK("disk")},
    {"tls.mode-constant", HELLO OPT("LIST") REQD("LIST") GO_OK,
     HELLO OPT("LIST") REQD("LIST") ASK("GO", "") EXPORT("GO", "1048576", "HAS_FLAGS") REQD("GO")},
    {"tls.selective.tls-reqd-option",
     HELLO OPT("LIST") ACK("LIST") OPT("STRUCTURED_REPLY") REQD("STRUCTURED_REPLY"),
     HELLO OPT("LIST") ACK("LIST") ASK("GO", "") REQD("GO")},
    {"tls.selective.tls-reqd-option",
     HELLO OPT("LIST") ACK("LIST") OPT("STRUCTURED_REPLY") REQD("STRUCTURED_REPLY"),
     HELLO OPT("LIST") ERROR("LIST", "ERR_POLICY") OPT("STRUCTURED_REPLY")
         REQD("STRUCTURED_REPLY")},
    {"tls.selective.tls-reqd-export", HELLO INFO("disk") REQD("INFO") GO_OK,
     HELLO INFO("other") REQD("INFO") GO_OK},
    {"tls.selective.tls-reqd-export",
     HELLO INFO("other") REQD("INFO") INFO("disk") REQD("INFO") GO_OK,
     HELLO INFO("other") REQD("INFO") INFO("third") REQD("INFO") GO_OK},
    {"tls.selective.tls-reqd-export", HELLO ASK("GO", "") REQD("GO") GO_OK,
     HELLO INFO_OK("disk") ASK("GO", "") REQD("GO")},
    {"tls.inside.no-tls-reqd", STARTED ASK("GO", "") REQD("GO"),
     STARTED ASK("GO", "") ERROR("GO", "ERR_UNKNOWN")},
    {"tls.notls.no-tls-reqd", HELLO START ERROR("STARTTLS", "ERR_UNSUP") ASK("GO", "") REQD("GO"),
     HELLO START ERROR("STARTTLS", "ERR_UNSUP") ASK("GO", "") ERROR("GO", "ERR_POLICY")},
    {"tls.notls.no-tls-reqd", HELLO START ERROR("STARTTLS", "ERR_POLICY") ASK("GO", "") REQD("GO"),
     HELLO START ERROR("STARTTLS", "ERR_SHUTDOWN") ASK("GO", "") REQD("GO")},
    {"tls.starttls.ack", HELLO ASK("GO", "") REQD("GO") START ERROR("STARTTLS", "ERR_POLICY"),
     HELLO ASK("GO", "") REQD("GO") START ERROR("STARTTLS", "ERR_SHUTDOWN")},
    {"tls.client.fixed-newstyle", UNFIXED_CLIENT START, HELLO START},
    {"tls.starttls.forgets-structured",
     HELLO STRUCTURED START ACK("STARTTLS") "TLS;" ENTER("HAS_FLAGS|SEND_FLUSH")
         FLUSH("1") "S chunk flags=DONE cookie=1;",
     HELLO STRUCTURED START ACK("STARTTLS") "TLS;" STRUCTURED ENTER("HAS_FLAGS|SEND_FLUSH")
         FLUSH("1") "S chunk flags=DONE cookie=1;"},
    {"tls.client.once", STARTED START, STARTED OPT("LIST")},
    {"tls.handshake.only-tls", HELLO START ACK("STARTTLS") "S reply option=LIST type=ACK;",
     HELLO START ACK("STARTTLS") "S hex 160303000401020304; S hex 140303000101;"
                                 "S hex 1703030000;"},
    {"tls.handshake.only-tls", HELLO START ACK("STARTTLS") "S hex 1602;",
     HELLO START ACK("STARTTLS") "S hex 1503010002012a;"},
    {"tls.handshake.only-tls", HELLO START ACK("STARTTLS") OPT("LIST"),
     HELLO START ACK("STARTTLS") "C hex 16030100020000;"},
};
SESSION_ROWS(session_tls_rows, tls_rows);
