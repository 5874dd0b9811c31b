/* Rows for what chunks obey: their form, the content of READ, errors. */
#include "session_rows.h"

#define RD OPEN_STRUCTURED READ("1")
#define RD_NO_BYTES OPEN_STRUCTURED "C request type=READ length=0 cookie=1;"
#define RD_DF OPEN_STRUCTURED "C request type=READ flags=DF length=512 cookie=1;"
#define RD2 OPEN_STRUCTURED "C request type=READ length=1024 cookie=1;"
#define FL OPEN_STRUCTURED FLUSH("1")
#define WR OPEN_STRUCTURED WRITE("1")
#define ALL_DATA CHUNK_DATA("DONE", "0000", "512")
#define FAILED(flags, error, text, offset)                                                         \
    "S chunk type=ERROR_OFFSET flags=" flags " cookie=1 + hex 000000" error text                   \
    "000000000000" offset ";"
#define GENERAL(flags, error)                                                                      \
    "S chunk type=ERROR flags=" flags " cookie=1 + hex 000000" error "0000;"
#define SMALL                                                                                      \
    HELLO STRUCTURED ASK("GO", " BLOCK_SIZE") EXPORT("GO", "8388608", ALL_FLAGS)                   \
        SIZES("GO", "minimum=1 preferred=512 maximum=1048576") ACK("GO")
#define LONG_READ "C request type=READ length=2097152 cookie=1;"
#define BLOCKS                                                                                     \
    HELLO STRUCTURED ASK("GO", " BLOCK_SIZE") EXPORT("GO", "1048576", ALL_FLAGS)                   \
        SIZES("GO", "minimum=512 preferred=512 maximum=1048576") ACK("GO")

static const SessionRow chunk_rows[] = {
    {"transmission.reply.once", FL DONE("1") CHUNK_DONE("1"), FL CHUNK_DONE("1")},
    {"transmission.reply.once", FL CHUNK_DONE("1") DONE("1"), FL DONE("1")},
    {"transmission.structured-reply.done-last", FL CHUNK_DONE("1") CHUNK_DONE("1"),
     FL CHUNK_DONE("1") FLUSH("1") CHUNK_DONE("1")},
    {"transmission.structured-reply.done-last", RD ALL_DATA CHUNK_DONE("1"),
     RD CHUNK_DATA("0", "0000", "512") CHUNK_DONE("1")},
    {"transmission.chunk.type", FL CHUNK_DATA("DONE", "0000", "512"), RD ALL_DATA},
    {"transmission.chunk.type",
     FL "S chunk type=ERROR_OFFSET flags=DONE cookie=1 + hex 0000000500000000000000000000;",
     FL CHUNK_ERROR("1", "05")},
    {"transmission.chunk.type", RD "S chunk type=3 cookie=1;",
     RD "S chunk type=0x8003 flags=DONE cookie=1 + hex 000000050000;"},
    {"transmission.chunk.type", RD "S chunk type=BLOCK_STATUS cookie=1 + fill 12 1;", RD ALL_DATA},
    {"transmission.chunk.none-length", FL "S chunk flags=DONE cookie=1 + hex 00;",
     FL CHUNK_DONE("1")},
    {"transmission.chunk.none-done", FL "S chunk cookie=1;", FL CHUNK_DONE("1")},
    {"transmission.chunk.none-done", FL "S chunk flags=0x8000 cookie=1;",
     FL "S chunk flags=0x8001 cookie=1;"},
    {"transmission.chunk.data-length", RD CHUNK_DATA("0", "0000", "0"),
     RD CHUNK_DATA("0", "0000", "1")},
    {"transmission.chunk.data-length", RD CHUNK_DATA("DONE", "0000", "0"),
     RD_NO_BYTES CHUNK_DATA("DONE", "0000", "0")},
    {"transmission.chunk.data-length",
     RD "S chunk type=OFFSET_DATA flags=DONE cookie=1 + fill 5 0;", RD ALL_DATA},
    {"transmission.chunk.data-length",
     SMALL READ("1") "S chunk type=OFFSET_DATA flags=DONE cookie=1 + fill 5 0;",
     SMALL READ("1") ALL_DATA},
    {"transmission.chunk.hole-length",
     RD "S chunk type=OFFSET_HOLE cookie=1 + hex 00000000000000000000000000;",
     RD CHUNK_HOLE("DONE", "0000", "0200")},
    {"transmission.chunk.hole-length", RD "S chunk type=OFFSET_HOLE cookie=1 + hex 00;",
     RD CHUNK_HOLE("0", "0000", "0200")},
    {"transmission.chunk.hole-size", RD CHUNK_HOLE("0", "0000", "0000"),
     RD CHUNK_HOLE("0", "0000", "0001")},
    {"transmission.chunk.hole-size", RD CHUNK_HOLE("DONE", "0000", "0000"),
     RD_NO_BYTES CHUNK_HOLE("DONE", "0000", "0000")},
    {"transmission.read.structured-when-negotiated", RD FAILS("1", "EIO"), RD_NO_BYTES DONE("1")},
    {"transmission.chunk.error-length",
     FL "S chunk type=ERROR flags=DONE cookie=1 + hex 0000000500;", FL GENERAL("DONE", "05")},
    {"transmission.chunk.error-offset-length",
     RD "S chunk type=ERROR_OFFSET flags=DONE cookie=1 + hex 00000005000000000000000000;",
     RD FAILED("DONE", "05", "0000", "0000")},
    {"transmission.chunk.error-nonzero", FL GENERAL("DONE", "00"), FL GENERAL("DONE", "05")},
    {"transmission.chunk.error-nonzero", RD FAILED("DONE", "00", "0000", "0000"),
     RD FAILED("DONE", "05", "0000", "0000")},
    {"transmission.chunk.error-nonzero", FL "S chunk type=0x8777 flags=DONE cookie=1 + fill 6 0;",
     FL "S chunk type=0x8777 flags=DONE cookie=1 + hex 000000050000ff;"},
    {"transmission.chunk.error-message-fits",
     FL "S chunk type=ERROR flags=DONE cookie=1 + hex 0000000500026f;",
     FL "S chunk type=ERROR flags=DONE cookie=1 + hex 0000000500026f6f;"},
    {"transmission.chunk.error-message-fits",
     FL "S chunk type=ERROR flags=DONE cookie=1 + hex 0000000513886f;", FL GENERAL("DONE", "05")},
    {"transmission.chunk.error-message-fits", RD FAILED("DONE", "05", "0001", "0000"),
     RD FAILED("DONE", "05", "00016f", "0000")},
    {"transmission.chunk.error-message-max",
     FL "S chunk type=ERROR flags=DONE cookie=1 + hex 000000051001 + fill 4097 97;",
     FL "S chunk type=ERROR flags=DONE cookie=1 + hex 000000050100 + fill 256 97;"},
    {"string.max-256",
     FL "S chunk type=ERROR flags=DONE cookie=1 + hex 000000051000 + fill 4096 97;",
     FL "S chunk type=ERROR flags=DONE cookie=1 + hex 000000050100 + fill 4096 97;"},
    {"string.no-nul", FL "S chunk type=ERROR flags=DONE cookie=1 + hex 0000000500026f00;",
     FL "S chunk type=ERROR flags=DONE cookie=1 + hex 0000000500016f00;"},
    {"string.utf-8", FL "S chunk type=ERROR flags=DONE cookie=1 + hex 000000050002c328;",
     FL "S chunk type=ERROR flags=DONE cookie=1 + hex 000000050002c3a9;"},
    {"transmission.chunk.maximum-payload",
     SMALL LONG_READ "S chunk type=OFFSET_DATA cookie=1 length=1048585 + hex 0000000000000000;",
     SMALL LONG_READ "S chunk type=OFFSET_DATA cookie=1 length=1048584 + hex 0000000000000000;"},
    {"transmission.chunk.content-bounds", RD CHUNK_DATA("0", "0001", "512"),
     RD CHUNK_DATA("0", "0000", "512")},
    {"transmission.chunk.content-bounds", RD CHUNK_HOLE("0", "0000", "0201"),
     RD CHUNK_HOLE("0", "0000", "0200")},
    {"transmission.chunk.content-bounds", RD CHUNK_HOLE("DONE", "0000", "0201"),
     RD CHUNK_HOLE("DONE", "0000", "0200")},
    {"transmission.chunk.content-bounds",
     RD "S chunk type=OFFSET_DATA cookie=1 + hex ffffffffffffffff + fill 2 1;",
     RD2 CHUNK_DATA("0", "0200", "512")},
    {"transmission.chunk.content-bounds",
     OPEN_STRUCTURED
     "C request type=READ offset=4096 length=512 cookie=1;" CHUNK_DATA("0", "0000", "512"),
     OPEN_STRUCTURED
     "C request type=READ offset=4096 length=512 cookie=1;" CHUNK_DATA("DONE", "1000", "512")},
    {"transmission.chunk.content-overlap",
     RD CHUNK_DATA("0", "0000", "256") CHUNK_DATA("0", "00ff", "1"),
     RD2 CHUNK_DATA("0", "0000", "512") CHUNK_HOLE("DONE", "0200", "0200") "= transmission;"},
    {"transmission.chunk.content-overlap",
     RD CHUNK_DATA("0", "0000", "256") CHUNK_DATA("DONE", "00ff", "1"),
     RD2 CHUNK_DATA("0", "0200", "512") CHUNK_DATA("DONE", "0000", "512")},
    {"transmission.chunk.content-overlap",
     RD CHUNK_HOLE("0", "0000", "0200") CHUNK_DATA("0", "0000", "512") CHUNK_DONE("1"),
     RD CHUNK_HOLE("0", "0000", "0200") CHUNK_DONE("1")},
    {"transmission.read.content-before-error",
     RD FAILED("0", "05", "0000", "0010") CHUNK_DATA("DONE", "0000", "512"),
     RD CHUNK_DATA("0", "0000", "512") FAILED("DONE", "05", "0000", "0010")},
    {"transmission.read.content-before-error",
     RD2 FAILED("0", "05", "0000", "0000") FAILED("0", "05", "0000", "0200")
         CHUNK_DATA("DONE", "0200", "512"),
     RD2 FAILED("0", "05", "0000", "0200") CHUNK_DATA("DONE", "0000", "512")},
    {"transmission.read.df-one-chunk",
     RD_DF CHUNK_DATA("0", "0000", "256") CHUNK_DATA("DONE", "0100", "256"),
     RD_DF CHUNK_DATA("0", "0000", "512") CHUNK_DONE("1")},
    {"transmission.read.df-eoverflow-no-content",
     RD_DF CHUNK_DATA("0", "0000", "512") GENERAL("DONE", "4b"), RD_DF GENERAL("DONE", "4b")},
    {"transmission.read.df-eoverflow-no-content",
     RD_DF GENERAL("0", "4b") CHUNK_DATA("DONE", "0000", "512"),
     RD_DF GENERAL("0", "05") CHUNK_DATA("DONE", "0000", "512")},
    {"transmission.read.df-eoverflow-no-content",
     RD_DF FAILED("0", "4b", "0000", "0000") FAILED("0", "05", "0000", "0001")
         CHUNK_DATA("DONE", "0002", "510"),
     RD_DF CHUNK_DATA("0", "0000", "512") GENERAL("DONE", "05")},
    {"transmission.read.aligned-chunks",
     RD CHUNK_DATA("0", "0000", "100") CHUNK_DATA("0", "0064", "100")
         CHUNK_DATA("DONE", "00c8", "312"),
     OPEN_STRUCTURED "C request type=READ offset=1 length=1024 cookie=1;" CHUNK_DATA(
         "0", "0001", "511") CHUNK_DATA("DONE", "0200", "513")},
    {"transmission.read.covered-or-error", RD CHUNK_DATA("DONE", "0000", "511"), RD ALL_DATA},
    {"transmission.read.covered-or-error", RD CHUNK_DONE("1"),
     OPEN_STRUCTURED "C request type=READ cookie=1;" CHUNK_DONE("1")},
    {"transmission.read.covered-or-error", RD2 CHUNK_DATA("0", "0200", "512") CHUNK_DONE("1"),
     RD2 CHUNK_DATA("0", "0200", "512") GENERAL("0", "05") CHUNK_DONE("1")},
    {"transmission.chunk.error-once", FL GENERAL("0", "05") GENERAL("DONE", "05"),
     FL GENERAL("0", "05") CHUNK_DONE("1")},
    {"transmission.chunk.error-kinds-mixed",
     RD GENERAL("0", "05") FAILED("DONE", "05", "0000", "0000"),
     RD FAILED("0", "05", "0000", "0000") FAILED("DONE", "05", "0000", "0001")},
    {"transmission.chunk.error-kinds-mixed",
     RD FAILED("0", "05", "0000", "0000") GENERAL("DONE", "05"), RD GENERAL("DONE", "05")},
    {"transmission.chunk.error-offset-bounds", RD FAILED("DONE", "05", "0000", "0200"),
     RD FAILED("DONE", "05", "0000", "01ff")},
    {"transmission.chunk.error-offset-bounds", WR FAILED("DONE", "05", "00016f", "0200"),
     RD_NO_BYTES FAILED("DONE", "05", "0000", "0000")},
    {"transmission.chunk.error-offset-bounds",
     BLOCKS
     "C request type=READ offset=512 length=512 cookie=1;" FAILED("DONE", "05", "0000", "0000"),
     BLOCKS READ("1") FAILED("DONE", "05", "0000", "0000")},
    /* a mistaken request may have been moved to where it makes sense */
    {"size.client-aligned",
     BLOCKS
     "C request type=READ offset=1 length=512 cookie=1;" FAILED("DONE", "05", "0000", "0000"),
     BLOCKS READ("1")},
    {"size.client-within-export",
     OPEN_STRUCTURED
     "C request type=READ offset=1048576 length=512 cookie=1;" FAILED("DONE", "05", "0000", "0000"),
     RD},
    {"transmission.chunk.error-offset-repeated",
     RD FAILED("0", "05", "0000", "0100") FAILED("DONE", "05", "0000", "0100"),
     RD FAILED("0", "05", "0000", "0100") FAILED("DONE", "05", "0000", "0101")},
    {"transmission.chunk.error-offset-repeated",
     RD FAILED("0", "05", "0000", "0000") FAILED("0", "05", "0000", "0100")
         FAILED("DONE", "05", "0000", "0100"),
     RD FAILED("0", "05", "0000", "0000") FAILED("0", "05", "0000", "0100") CHUNK_DONE("1")},
    {"transmission.chunk.error-offset-one-per-chunk",
     RD CHUNK_DATA("0", "0000", "512") FAILED("0", "05", "0000", "0000")
         FAILED("DONE", "05", "0000", "0100"),
     RD CHUNK_DATA("0", "0000", "512") FAILED("DONE", "05", "0000", "0000")},
    {"transmission.chunk.error-offset-one-per-chunk",
     RD CHUNK_DATA("0", "0000", "512") FAILED("0", "05", "0000", "0100")
         FAILED("DONE", "05", "0000", "0000"),
     RD CHUNK_DATA("0", "0000", "512") FAILED("DONE", "05", "0000", "0100")},
    {"transmission.chunk.error-offset-one-per-chunk",
     RD CHUNK_DATA("0", "0000", "512") FAILED("0", "05", "0000", "0100")
         FAILED("DONE", "05", "0000", "0101"),
     OPEN_STRUCTURED "C request type=READ length=1024 cookie=1;" CHUNK_DATA("0", "0000", "512")
         CHUNK_DATA("0", "0200", "512") FAILED("0", "05", "0000", "0100")
             FAILED("DONE", "05", "0000", "0201")},
};
SESSION_ROWS(session_chunk_rows, chunk_rows);

/* What errors of simple replies obey, in chunks. */
#define ZERO(flags)                                                                                \
    OPEN_STRUCTURED "C request type=WRITE_ZEROES flags=" flags " length=512 cookie=1;"
#define ZERO_SLOW                                                                                  \
    HELLO STRUCTURED ENTER(                                                                        \
        "HAS_FLAGS|SEND_WRITE_ZEROES") "C request type=WRITE_ZEROES length=512 cookie=1;"

static const SessionRow error_rows[] = {
    {"error.defined-value", FL CHUNK_ERROR("1", "1e"), FL CHUNK_ERROR("1", "6c")},
    {"error.enomem", RD CHUNK_ERROR("1", "0c"), RD CHUNK_ERROR("1", "05")},
    {"error.enotsup", FL CHUNK_ERROR("1", "5f"), ZERO("FAST_ZERO") CHUNK_ERROR("1", "5f")},
    {"transmission.write-zeroes.enotsup-without-fast", ZERO("0") CHUNK_ERROR("1", "5f"),
     ZERO("FAST_ZERO") CHUNK_ERROR("1", "5f")},
    {"transmission.write-zeroes.enotsup-unadvertised", ZERO_SLOW CHUNK_ERROR("1", "5f"),
     ZERO_SLOW CHUNK_ERROR("1", "16")},
    {"transmission.write-zeroes.fast-eoverflow", ZERO("FAST_ZERO") CHUNK_ERROR("1", "4b"),
     ZERO("FAST_ZERO") CHUNK_DONE("1")},
    {"error.eoverflow", WR CHUNK_ERROR("1", "4b"), RD_DF CHUNK_ERROR("1", "4b")},
    {"error.eoverflow", RD CHUNK_ERROR("1", "4b"), SMALL LONG_READ CHUNK_ERROR("1", "4b")},
    {"error.eoverflow", SMALL "C request type=READ length=1048576 cookie=1;" CHUNK_ERROR("1", "4b"),
     SMALL "C request type=READ length=1048577 cookie=1;" CHUNK_ERROR("1", "4b")},
};
SESSION_ROWS(session_error_rows, error_rows);
