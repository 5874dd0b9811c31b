/* Rows for what the reply to BLOCK_STATUS obeys. */
#include "session_rows.h"

/* "disk", one query: "base:allocation". Two contexts: base:allocation is 1, x-a:b is 2. */
#define SET                                                                                        \
    "C option option=SET_META_CONTEXT + hex 000000046469736b00000001 + hex 0000000f"               \
    " + text base:allocation;"
#define NAMED(id, name)                                                                            \
    "S reply option=SET_META_CONTEXT type=META_CONTEXT + meta-context id=" id " + text " name ";"
#define ONE HELLO STRUCTURED SET NAMED("1", "base:allocation") ACK("SET_META_CONTEXT")
#define TWO                                                                                        \
    HELLO STRUCTURED SET NAMED("1", "base:allocation") NAMED("2", "x-a:b") ACK("SET_META_CONTEXT")
#define ASKS(length) "C request type=BLOCK_STATUS length=" length " cookie=1;"
#define ASKS_ONE(length) "C request type=BLOCK_STATUS flags=REQ_ONE length=" length " cookie=1;"
#define IN(length) ONE ENTER(ALL_FLAGS) ASKS(length)
#define IN_TWO TWO ENTER(ALL_FLAGS) ASKS("4096")
#define EXTENT(length, status) " + hex 0000" length "000000" status
#define STATUS(flags, id, extents)                                                                 \
    "S chunk type=BLOCK_STATUS flags=" flags " cookie=1 + hex 000000" id extents ";"
#define SIZED(minimum)                                                                             \
    ONE ASK("GO", " BLOCK_SIZE") EXPORT("GO", "1048576", ALL_FLAGS)                                \
        SIZES("GO", "minimum=" minimum " preferred=4096 maximum=1048576") ACK("GO")

static const SessionRow status_rows[] = {
    {"transmission.block-status.structured", IN("4096") DONE("1"), IN("4096") FAILS("1", "EINVAL")},
    {"transmission.block-status.structured", IN("1") DONE("1"), IN("0") DONE("1")},
    {"transmission.block-status.one-chunk-per-context", IN("1") CHUNK_DONE("1"),
     IN("0") CHUNK_DONE("1")},
    {"transmission.block-status.extent-nonzero", IN("1") STATUS("DONE", "01", EXTENT("0000", "00")),
     IN("0") STATUS("DONE", "01", EXTENT("0000", "00"))},
    {"transmission.block-status.length", IN("4096") STATUS("DONE", "01", ""),
     IN("4096") STATUS("DONE", "01", EXTENT("1000", "00"))},
    {"transmission.block-status.length",
     IN("4096") STATUS("DONE", "01", EXTENT("1000", "00") " + hex 00"),
     IN("4096") STATUS("DONE", "01", EXTENT("1000", "00"))},
    {"transmission.block-status.extent-nonzero",
     IN("4096") STATUS("DONE", "01", EXTENT("0200", "01") EXTENT("0000", "00")),
     IN("4096") STATUS("DONE", "01", EXTENT("0200", "01") EXTENT("0200", "00"))},
    {"transmission.block-status.within-export",
     IN("4096") STATUS("DONE", "01", EXTENT("0200", "01") " + hex 0011000000000000"),
     IN("4096") STATUS("DONE", "01", EXTENT("0200", "01") " + hex 0010fe0000000000")},
    {"transmission.block-status.within-export",
     IN("4096") STATUS("DONE", "01", " + hex 0011020000000000"),
     IN("4096") STATUS("DONE", "01", " + hex 0011000000000000")},
    {"transmission.block-status.many-extents",
     IN("1048576") "S chunk type=BLOCK_STATUS flags=DONE cookie=1 length=8388620 + hex 00000001;",
     IN("4096") STATUS("DONE", "01", EXTENT("1000", "00"))},
    {"transmission.block-status.req-one",
     ONE ENTER(ALL_FLAGS) ASKS_ONE("4096")
         STATUS("DONE", "01", EXTENT("0200", "00") EXTENT("0200", "01")),
     ONE ENTER(ALL_FLAGS) ASKS_ONE("4096") STATUS("DONE", "01", EXTENT("0200", "00"))},
    {"transmission.block-status.req-one-length",
     ONE ENTER(ALL_FLAGS) ASKS_ONE("4096") STATUS("DONE", "01", EXTENT("1200", "00")),
     ONE ENTER(ALL_FLAGS) ASKS_ONE("4096") STATUS("DONE", "01", EXTENT("1000", "00"))},
    {"transmission.block-status.one-chunk-per-context", IN("4096") CHUNK_DONE("1"),
     IN("4096") STATUS("0", "01", EXTENT("1000", "00")) CHUNK_DONE("1")},
    {"transmission.block-status.one-chunk-per-context",
     IN("4096") STATUS("0", "01", EXTENT("1000", "00")) STATUS("DONE", "01", EXTENT("1000", "00")),
     IN("4096") CHUNK_ERROR("1", "16")},
    {"transmission.block-status.one-chunk-per-context",
     IN("4096") STATUS("0", "01", EXTENT("1000", "00")) STATUS("0", "01", EXTENT("1000", "00"))
         CHUNK_DONE("1"),
     IN("4096") STATUS("0", "01", EXTENT("1000", "00")) STATUS("0", "01", EXTENT("1000", "00"))
         CHUNK_ERROR("1", "05")},
    {"transmission.block-status.one-chunk-per-context",
     IN("4096") STATUS("0", "01", EXTENT("1000", "00")) STATUS("DONE", "02", EXTENT("1000", "00")),
     IN_TWO STATUS("0", "02", EXTENT("1000", "00")) STATUS("DONE", "01", EXTENT("1000", "00"))},
    {"transmission.block-status.one-chunk-per-context",
     IN_TWO STATUS("0", "02", EXTENT("1000", "00")) STATUS("0", "01", EXTENT("1000", "00"))
         STATUS("0", "01", EXTENT("1000", "00")) CHUNK_DONE("1"),
     IN_TWO STATUS("0", "02", EXTENT("1000", "00")) STATUS("0", "01", EXTENT("1000", "00"))
         CHUNK_DONE("1")},
    {"transmission.block-status.one-chunk-per-context",
     IN_TWO STATUS("DONE", "01", EXTENT("1000", "00")),
     IN_TWO STATUS("0", "01", EXTENT("1000", "00")) STATUS("DONE", "02", EXTENT("1000", "00"))},
    {"transmission.block-status.one-chunk-per-context",
     IN_TWO STATUS("DONE", "02", EXTENT("1000", "00")),
     IN_TWO STATUS("0", "02", EXTENT("1000", "00")) CHUNK_ERROR("1", "05")},
    {"transmission.block-status.extent-nonzero",
     IN("4096") STATUS("DONE", "01", EXTENT("0000", "00")),
     IN("4096") STATUS("DONE", "01", EXTENT("0200", "00"))},
    {"transmission.block-status.sum",
     IN("4096") STATUS("DONE", "01", EXTENT("1000", "00") EXTENT("0200", "01")),
     IN("4096") STATUS("DONE", "01", EXTENT("0e00", "00") EXTENT("1200", "01"))},
    {"transmission.block-status.sum",
     IN("4096")
         STATUS("DONE", "01", EXTENT("0800", "00") EXTENT("0800", "01") EXTENT("0200", "00")),
     IN("4096")
         STATUS("DONE", "01", EXTENT("0800", "00") EXTENT("0600", "01") EXTENT("0400", "00"))},
    {"transmission.block-status.coalesced",
     IN("4096") STATUS("DONE", "01", EXTENT("0200", "01") EXTENT("0200", "01")),
     IN("4096")
         STATUS("DONE", "01", EXTENT("0200", "01") EXTENT("0200", "03") EXTENT("0200", "01"))},
    {"transmission.block-status.aligned-512",
     IN("4096") STATUS("DONE", "01", EXTENT("0100", "01") EXTENT("0f00", "00")),
     ONE ENTER(ALL_FLAGS) "C request type=BLOCK_STATUS offset=256 length=4000 cookie=1;" STATUS(
         "DONE", "01", EXTENT("0100", "01") EXTENT("0ea0", "00")) ASKS("4001")
         STATUS("DONE", "01", EXTENT("0fa1", "01"))},
    {"transmission.block-status.aligned-512", IN("4096") STATUS("DONE", "01", EXTENT("0ff0", "01")),
     ONE ASK("GO", "") EXPORT("GO", "5001", ALL_FLAGS) ACK("GO") ASKS("4096")
         STATUS("DONE", "01", EXTENT("1389", "01"))},
    {"transmission.block-status.aligned-512",
     IN("4096") STATUS("DONE", "01", EXTENT("0200", "01") EXTENT("0100", "00")),
     IN("4096") STATUS("DONE", "01", EXTENT("0200", "01") EXTENT("0200", "00"))},
    {"transmission.block-status.aligned-minimum",
     SIZED("1024") ASKS("4096") STATUS("DONE", "01", EXTENT("0200", "01") EXTENT("0e00", "00")),
     SIZED("512") ASKS("4096") STATUS("DONE", "01", EXTENT("0200", "01") EXTENT("0e00", "00"))},
    {"transmission.block-status.client-selected", HELLO STRUCTURED ENTER(ALL_FLAGS) ASKS("4096"),
     ONE ENTER(ALL_FLAGS) ASKS("4096")},
    {"transmission.block-status.client-selected",
     ONE "C option option=GO + ask other;" EXPORT("GO", "4096", ALL_FLAGS) ACK("GO") ASKS("4096"),
     ONE
     "C option option=EXPORT_NAME + text disk; S export size=4096 flags=HAS_FLAGS;" ASKS("4096")},
    {"transmission.block-status.client-selected",
     ONE SET ERROR("SET_META_CONTEXT", "ERR_UNKNOWN") ENTER(ALL_FLAGS) ASKS("4096"),
     ONE SET ERROR("SET_META_CONTEXT", "ERR_UNKNOWN") SET NAMED("1", "base:allocation")
         ACK("SET_META_CONTEXT") ENTER(ALL_FLAGS) ASKS("4096")},
    {"transmission.chunk.error-offset-bounds",
     IN("4096") "S chunk type=ERROR_OFFSET flags=DONE cookie=1 + hex 0000000500000000000000001000;",
     IN("0") "S chunk type=ERROR_OFFSET flags=DONE cookie=1 + hex 0000000500000000000000001000;"},
    {"metadata.allocation.reserved",
     IN("4096") STATUS("DONE", "01", EXTENT("0200", "01") EXTENT("0200", "04")),
     IN("4096") STATUS("DONE", "01", EXTENT("0200", "01") EXTENT("0200", "02"))},
    {"metadata.allocation.reserved", IN("4096") STATUS("DONE", "01", EXTENT("1000", "04")),
     IN_TWO STATUS("0", "01", EXTENT("1000", "03")) STATUS("DONE", "02", EXTENT("1000", "04"))},
};
SESSION_ROWS(session_status_rows, status_rows);
