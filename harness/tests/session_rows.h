/* Conversations that break a rule of the session, each with its nearest neighbour, which breaks none. */
#ifndef NBDCONFORM_TESTS_SESSION_ROWS_H
#define NBDCONFORM_TESTS_SESSION_ROWS_H

#include "talk.h"

typedef struct {
    const char *broken; /* ids joined by blanks, most often one */
    const char *bad;
    const char *good;
} SessionRow;

typedef struct {
    const SessionRow *rows;
    size_t count;
} SessionRows;

#define SESSION_ROWS(name, table) const SessionRows name = {table, G_N_ELEMENTS(table)}

extern const SessionRows session_client_rows, session_chunk_rows, session_error_rows,
    session_status_rows, session_context_rows, session_tls_rows, session_extended_rows,
    session_resize_rows;

#define UNFIXED "S greeting + newstyle flags=0; C client-flags;"
#define GO_SIZES HELLO ASK("GO", " BLOCK_SIZE")
#define ZEROES(flags) "C request type=WRITE_ZEROES flags=" flags " length=512 cookie=1;"
#define NO_FAST "HAS_FLAGS|SEND_WRITE_ZEROES"
#define OPEN_STRUCTURED HELLO STRUCTURED ENTER(ALL_FLAGS "|SEND_DF")
#define CHUNK_DONE(cookie) "S chunk flags=DONE cookie=" cookie ";"
#define CHUNK_ERROR(cookie, number)                                                                \
    "S chunk type=ERROR flags=DONE cookie=" cookie " + hex 000000" number "0000;"
/* READ in these conversations asks for 512 bytes from 0 on. */
#define CHUNK_DATA(flags, offset, size)                                                            \
    "S chunk type=OFFSET_DATA flags=" flags " cookie=1 + hex 000000000000" offset " + fill " size  \
    " 9;"
#define CHUNK_HOLE(flags, offset, size)                                                            \
    "S chunk type=OFFSET_HOLE flags=" flags " cookie=1 + hex 000000000000" offset                  \
    " + hex 0000" size ";"

#endif
