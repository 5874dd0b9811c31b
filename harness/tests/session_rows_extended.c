/* Rows for extended headers and RESIZE. */
#include "session_rows.h"

#define NEGOTIATE "C option option=EXTENDED_HEADERS;" ACK("EXTENDED_HEADERS")
#define WIDE HELLO NEGOTIATE
#define OPEN_WIDE WIDE ENTER(ALL_FLAGS)
#define SET                                                                                        \
    "C option option=SET_META_CONTEXT + hex 000000046469736b00000001 + hex 0000000f"               \
    " + text base:allocation;"
#define SET_OTHER                                                                                  \
    "C option option=SET_META_CONTEXT + hex 000000046469736b00000001 + hex 00000005 + text x-a:b;"
#define NAMED(name)                                                                                \
    "S reply option=SET_META_CONTEXT type=META_CONTEXT + meta-context id=1 + text " name ";"
#define SELECTED(name) NAMED(name) "S reply option=SET_META_CONTEXT type=ACK;"
#define LISTED(name)                                                                               \
    "C option option=LIST_META_CONTEXT + hex 0000000000000000;"                                    \
    "S reply option=LIST_META_CONTEXT type=META_CONTEXT + meta-context + text " name ";"
#define RQ(type, fields) "C extended-request type=" type " cookie=1 " fields ";"
#define RP(type, fields) "S extended-reply type=" type " flags=DONE cookie=1 " fields ";"
#define ASKS(name) WIDE SET SELECTED(name) ENTER(ALL_FLAGS) RQ("BLOCK_STATUS", "length=4096")
#define EXTENT(length, status) "000000000000" length status
#define ZERO "0000000000000000"
#define WIDE_STATUS(count, extents) RP("BLOCK_STATUS_EXT", "+ hex 00000001000000" count extents)
#define THEN_WIDE(name)                                                                            \
    SET SELECTED(name) ENTER(ALL_FLAGS) RQ("BLOCK_STATUS", "length=4096")                          \
        WIDE_STATUS("01", EXTENT("1000", "0000000100000000"))
#define PAYLOAD "|BLOCK_STATUS_PAYLOAD"
#define GO_WITH(flags) ASK("GO", "") EXPORT("GO", "1048576", "HAS_FLAGS" flags)
#define OPEN_PAYLOAD WIDE SET SELECTED("base:allocation") GO_WITH(PAYLOAD) ACK("GO")

static const SessionRow extended_rows[] = {
    {"extended.option.go-supported", WIDE ASK("GO", "") ERROR("GO", "ERR_UNSUP"),
     HELLO ASK("GO", "") ERROR("GO", "ERR_UNSUP")},
    {"extended.required.once-negotiated", WIDE ASK("GO", "") ERROR("GO", "ERR_EXT_HEADER_REQD"),
     WIDE "C option option=STRUCTURED_REPLY;" ERROR("STRUCTURED_REPLY", "ERR_EXT_HEADER_REQD")},
    {"extended.required.once-negotiated",
     WIDE "C option option=LIST_META_CONTEXT + hex 0000000000000000;"
          "S reply option=LIST_META_CONTEXT type=META_CONTEXT + meta-context + text base:a;" ERROR(
              "LIST_META_CONTEXT", "ERR_EXT_HEADER_REQD"),
     WIDE "C option option=LIST_META_CONTEXT + hex 0000000000000000;"
          "S reply option=LIST_META_CONTEXT type=META_CONTEXT + meta-context + text base:a;" ERROR(
              "LIST_META_CONTEXT", "ERR_POLICY")},
    {"extended.required.once-negotiated", WIDE SET ERROR("SET_META_CONTEXT", "ERR_EXT_HEADER_REQD"),
     WIDE SET ERROR("SET_META_CONTEXT", "ERR_UNKNOWN")},
    {"extended.flags.payload-needs-extended",
     HELLO STRUCTURED SET SELECTED("base:allocation") GO_WITH(PAYLOAD), OPEN_PAYLOAD},
    {"extended.flags.payload-needs-extended",
     HELLO EXPORT_NAME "S export flags=HAS_FLAGS" PAYLOAD ";",
     HELLO EXPORT_NAME "S export flags=HAS_FLAGS;"},
    {"extended.flags.payload-needs-contexts", WIDE GO_WITH(PAYLOAD), OPEN_PAYLOAD},
    {"extended.option.client-no-data", HELLO "C option option=EXTENDED_HEADERS + hex 00;", WIDE},
    {"extended.option.client-no-export-name", WIDE EXPORT_NAME, HELLO STRUCTURED EXPORT_NAME},
    {"extended.reply.only", OPEN_WIDE RQ("FLUSH", "") DONE("1"),
     OPEN_WIDE RQ("FLUSH", "") RP("NONE", "")},
    {"extended.reply.only", OPEN_WIDE RQ("READ", "length=512") CHUNK_DATA("DONE", "0000", "512"),
     OPEN_WIDE RQ("READ", "length=512") RP("OFFSET_DATA", "+ hex 0000000000000000 + fill 512 1")},
    {"extended.reply.unnegotiated", OPEN_STRUCTURED FLUSH("1") RP("NONE", ""),
     OPEN_STRUCTURED FLUSH("1") CHUNK_DONE("1")},
    {"extended.reply.unnegotiated", OPEN FLUSH("1") RP("NONE", ""), OPEN FLUSH("1") DONE("1")},
    {"extended.reply.layout", OPEN_WIDE RQ("FLUSH", "") "S extended-reply magic=1 cookie=1;",
     OPEN_WIDE RQ("FLUSH", "") RP("NONE", "")},
    {"extended.reply.offset", OPEN_WIDE RQ("TRIM", "offset=512 length=512") RP("NONE", ""),
     OPEN_WIDE RQ("TRIM", "offset=512 length=512") RP("NONE", "offset=512")},
    {"transmission.chunk.content-bounds",
     OPEN_WIDE RQ("READ", "offset=512 length=512")
         RP("OFFSET_DATA", "offset=512 + hex 0000000000000000 + fill 512 1"),
     OPEN_WIDE RQ("READ", "offset=512 length=512")
         RP("OFFSET_DATA", "offset=512 + hex 0000000000000200 + fill 512 1")},
    {"extended.block-status.type",
     ASKS("base:allocation") RP("BLOCK_STATUS", "+ hex 000000010000100000000000"),
     ASKS("base:allocation") WIDE_STATUS("01", EXTENT("1000", ZERO))},
    {"extended.block-status.unnegotiated",
     HELLO STRUCTURED SET SELECTED("base:allocation")
         ENTER(ALL_FLAGS) "C request type=BLOCK_STATUS length=4096 cookie=1;"
                          "S chunk type=BLOCK_STATUS_EXT flags=DONE cookie=1"
                          " + hex 0000000100000001" EXTENT("1000", ZERO) ";",
     HELLO STRUCTURED SET SELECTED("base:allocation")
         ENTER(ALL_FLAGS) "C request type=BLOCK_STATUS length=4096 cookie=1;"
                          "S chunk type=BLOCK_STATUS flags=DONE cookie=1"
                          " + hex 000000010000100000000000;"},
    {"extended.block-status.length", ASKS("base:allocation") WIDE_STATUS("00", ""),
     ASKS("base:allocation") WIDE_STATUS("01", EXTENT("1000", ZERO))},
    {"extended.block-status.length",
     ASKS("base:allocation") WIDE_STATUS("01", EXTENT("1000", ZERO) "00"),
     ASKS("base:allocation") WIDE_STATUS("01", EXTENT("1000", ZERO))},
    {"extended.block-status.count", ASKS("base:allocation") WIDE_STATUS("02", EXTENT("1000", ZERO)),
     ASKS("base:allocation")
         WIDE_STATUS("02", EXTENT("0200", ZERO) EXTENT("0200", "0000000000000001"))},
    {"extended.block-status.extent-nonzero",
     ASKS("base:allocation") WIDE_STATUS("01", EXTENT("0000", ZERO)),
     ASKS("base:allocation") WIDE_STATUS("01", EXTENT("0200", ZERO))},
    {"extended.block-status.extent-nonzero",
     ASKS("base:allocation") WIDE_STATUS("01", EXTENT("0000", ZERO)),
     WIDE SET SELECTED("base:allocation") ENTER(ALL_FLAGS) RQ("BLOCK_STATUS", "length=0")
         WIDE_STATUS("01", EXTENT("0000", ZERO))},
    {"extended.block-status.narrow-status",
     ASKS("base:allocation") WIDE_STATUS("01", EXTENT("1000", "0000000100000000")),
     ASKS("x-a:b") WIDE_STATUS("01", EXTENT("1000", "0000000100000000"))},
    {"extended.context.wide-selected",
     HELLO STRUCTURED SET SELECTED("x-a:b") NEGOTIATE THEN_WIDE("x-a:b"),
     HELLO STRUCTURED SET SELECTED("x-a:c") NEGOTIATE THEN_WIDE("x-a:b")},
    {"extended.context.wide-selected",
     HELLO STRUCTURED SET SELECTED("x-a:b") NEGOTIATE THEN_WIDE("x-a:b"),
     HELLO STRUCTURED SET_OTHER NAMED("x-a:b") ERROR("SET_META_CONTEXT", "ERR_EXT_HEADER_REQD")
         NEGOTIATE THEN_WIDE("x-a:b")},
    {"extended.context.wide-selected",
     HELLO STRUCTURED SET SELECTED("x-a:b") NEGOTIATE THEN_WIDE("x-a:b"),
     HELLO STRUCTURED SET SELECTED("x-a:b") NEGOTIATE SET SELECTED("x-a:b") ENTER(ALL_FLAGS)
         RQ("BLOCK_STATUS", "length=4096") WIDE_STATUS("01", EXTENT("1000", "00000000ffffffff"))},
    {"extended.context.wide-listed",
     HELLO STRUCTURED LISTED("x-a:b") ACK("LIST_META_CONTEXT") NEGOTIATE THEN_WIDE("x-a:b"),
     HELLO STRUCTURED LISTED("x-a:b") ERROR("LIST_META_CONTEXT", "ERR_EXT_HEADER_REQD")
         NEGOTIATE THEN_WIDE("x-a:b")},
    {"extended.context.wide-listed",
     HELLO STRUCTURED LISTED("x-a:b") ACK("LIST_META_CONTEXT") NEGOTIATE THEN_WIDE("x-a:b"),
     HELLO STRUCTURED NEGOTIATE LISTED("x-a:b") ACK("LIST_META_CONTEXT") THEN_WIDE("x-a:b")},
    {"transmission.block-status.sum",
     ASKS("base:allocation")
         WIDE_STATUS("02", EXTENT("1000", ZERO) EXTENT("0200", "0000000000000001")),
     WIDE SET SELECTED("base:allocation") ASK("GO", "") EXPORT("GO", "0x200000000", ALL_FLAGS)
         ACK("GO") RQ("BLOCK_STATUS", "length=4096")
             WIDE_STATUS("02", EXTENT("0e00", ZERO) "0000000100000000"
                                                    "0000000000000001")},
    {"extended.request.client-extended", OPEN_WIDE FLUSH("1"), OPEN_WIDE RQ("FLUSH", "")},
    {"extended.request.client-extended",
     OPEN_WIDE "C request type=WRITE flags=PAYLOAD_LEN length=512 cookie=1 + fill 512 1;",
     OPEN_WIDE RQ("WRITE", "flags=PAYLOAD_LEN length=512 + fill 512 1")},
    {"extended.request.client-extended", OPEN RQ("FLUSH", ""), OPEN FLUSH("1")},
    {"extended.request.client-payload-flag",
     OPEN "C request type=WRITE flags=PAYLOAD_LEN length=512 cookie=1 + fill 512 1;",
     OPEN_WIDE RQ("WRITE", "flags=PAYLOAD_LEN length=512 + fill 512 1")},
    {"extended.request.client-read-length",
     WIDE ASK("GO", "") EXPORT("GO", "0x300000000", "HAS_FLAGS") ACK("GO")
         RQ("READ", "length=0x100000000"),
     WIDE ASK("GO", "") EXPORT("GO", "0x300000000", "HAS_FLAGS") ACK("GO")
         RQ("READ", "length=0x1000000")},
    {"extended.request.client-write-flag", OPEN_WIDE RQ("WRITE", "length=512"),
     OPEN_WIDE RQ("WRITE", "flags=PAYLOAD_LEN length=512 + fill 512 1") RQ("FLUSH", "cookie=2")},
    {"extended.flags.client-payload",
     WIDE SET SELECTED("base:allocation") ENTER(ALL_FLAGS)
         RQ("BLOCK_STATUS", "flags=PAYLOAD_LEN length=12 + fill 12 0"),
     OPEN_PAYLOAD RQ("BLOCK_STATUS", "flags=PAYLOAD_LEN length=12 + fill 12 0")},
    {"extended.block-status.client-payload-length",
     OPEN_PAYLOAD RQ("BLOCK_STATUS", "flags=PAYLOAD_LEN length=10 + fill 10 0"),
     OPEN_PAYLOAD RQ("BLOCK_STATUS", "flags=PAYLOAD_LEN length=8 + fill 8 0")},
    /* The length of a payload is not that of its effect. */
    {"error.eoverflow",
     OPEN_PAYLOAD RQ("BLOCK_STATUS", "length=12") RP("ERROR", "+ hex 0000004b0000"),
     OPEN_PAYLOAD RQ("BLOCK_STATUS", "flags=PAYLOAD_LEN length=12 + fill 12 0")
         RP("ERROR", "+ hex 0000004b0000")},
    {"error.enomem", OPEN_PAYLOAD RQ("BLOCK_STATUS", "length=12") RP("ERROR", "+ hex 0000000c0000"),
     OPEN_PAYLOAD RQ("BLOCK_STATUS", "flags=PAYLOAD_LEN length=12 + fill 12 0")
         RP("ERROR", "+ hex 0000000c0000")},
};
SESSION_ROWS(session_extended_rows, extended_rows);

#define OPEN_RESIZE HELLO ENTER("HAS_FLAGS|SEND_RESIZE")
#define RESIZE(size, cookie) "C request type=RESIZE offset=" size " cookie=" cookie ";"
#define READ_AT(offset, cookie)                                                                    \
    "C request type=READ offset=" offset " length=512 cookie=" cookie ";"

static const SessionRow resize_rows[] = {
    {"resize.client-unadvertised", OPEN RESIZE("512", "1"), OPEN_RESIZE RESIZE("512", "1")},
    {"resize.client-waits", OPEN_RESIZE RESIZE("65536", "1") READ_AT("65536", "2"),
     OPEN_RESIZE RESIZE("65536", "1") READ_AT("65024", "2")},
    {"resize.client-waits", OPEN_RESIZE RESIZE("65536", "1") READ_AT("1048575", "2"),
     OPEN_RESIZE RESIZE("65536", "1") READ_AT("1048576", "2")},
    {"resize.client-waits",
     OPEN_RESIZE RESIZE("65536", "1") "C request type=READ offset=70000 length=1 cookie=2;",
     OPEN_RESIZE RESIZE("65536", "1") "C request type=READ offset=70000 length=0 cookie=2;"},
    {"resize.client-waits", OPEN_RESIZE RESIZE("2097152", "1") READ_AT("1048576", "2"),
     OPEN_RESIZE RESIZE("2097152", "1") READ_AT("1048064", "2")},
    {"resize.client-outstanding", OPEN_RESIZE READ_AT("65100", "2") RESIZE("65536", "1"),
     OPEN_RESIZE READ_AT("65024", "2") RESIZE("65536", "1")},
    {"size.client-within-export", OPEN_RESIZE RESIZE("65536", "1") DONE("1") READ_AT("65536", "2"),
     OPEN_RESIZE RESIZE("2097152", "1") DONE("1") READ_AT("2096640", "2")},
    {"size.client-within-export",
     OPEN_RESIZE RESIZE("2097152", "1") FAILS("1", "ENOSPC") READ_AT("1048576", "2"),
     OPEN_RESIZE RESIZE("65536", "1") FAILS("1", "EPERM") READ_AT("65536", "2")},
};
SESSION_ROWS(session_resize_rows, resize_rows);
