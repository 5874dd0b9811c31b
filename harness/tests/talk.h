/* Conversations for the tests of the session: a line of text a message, made into bytes by the
 * wire's tables.
 *
 *   "S greeting + newstyle flags=FIXED_NEWSTYLE; C client-flags; = option haggling;"
 *
 * A message is a side and layouts joined by "+", each with the fields that differ from their
 * defaults. In place of a layout may stand `hex 00ff [TIMES]`, `text WORD`, `fill COUNT BYTE`, or
 * `ask NAME INFO…`, the data of INFO and GO. Lengths of options, option replies and chunks are
 * those of what follows, unless said otherwise. `C close` ends a side; `TLS` says that TLS runs; `= PHASE`
 * asserts the phase.
 */
#ifndef NBDCONFORM_TESTS_TALK_H
#define NBDCONFORM_TESTS_TALK_H

#include "session/session.h"

typedef struct {
    Side from;
    bool close;
    bool tls;
    char *phase;       /* to be asserted, or NULL */
    GByteArray *bytes; /* to be fed, or empty */
} TalkLine;

/* Of TalkLine, freed with the array. */
GPtrArray *talk_lines(const char *script);

typedef enum { SPLIT_WHOLE, SPLIT_BYTES, SPLIT_PIECES, SPLIT_COUNT } Split;

typedef struct {
    Session *session;
    Split split;
    GRand *random;
    GString *messages; /* described, a line each */
    GString *findings; /* "side id: text", a line each */
    GString *broken;   /* ids of findings since talk_broken(), joined by blanks */
} Talk;

Talk *talk_new(Vantage vantage, Split split);
void talk_free(Talk *talk);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Talk, talk_free)

/* Feeds the conversation's next lines. */
void talk_say(Talk *talk, const char *script);

/* Takes what the session has to say after bytes that the test itself has fed. */
void talk_collect(Talk *talk);

/* Asserts that just these requirements were broken since the last call: ids joined by blanks, or
 * "". */
void talk_broken(Talk *talk, const char *ids);

/* Beginnings that many conversations share. */
#define ALL_FLAGS                                                                                  \
    "HAS_FLAGS|SEND_FLUSH|SEND_FUA|SEND_TRIM|SEND_WRITE_ZEROES|SEND_CACHE|SEND_FAST_ZERO"
#define GREETING "S greeting + newstyle flags=FIXED_NEWSTYLE|NO_ZEROES;"
#define HELLO GREETING "C client-flags flags=FIXED_NEWSTYLE|NO_ZEROES;"
#define OLDSTYLE(flags)                                                                            \
    "S greeting magic=0x00420281861253 + oldstyle size=65536 flags=" flags " + fill 124 0;"
#define OPT(option) "C option option=" option ";"
#define EXPORT_NAME "C option option=EXPORT_NAME + text disk;"
#define ASK(option, infos) "C option option=" option " + ask disk" infos ";"
#define EXPORT(option, size, flags)                                                                \
    "S reply option=" option " type=INFO + info-export info=EXPORT size=" size " flags=" flags ";"
#define SIZES(option, sizes)                                                                       \
    "S reply option=" option " type=INFO + info-block-size info=BLOCK_SIZE " sizes ";"
#define ACK(option) "S reply option=" option " type=ACK;"
#define ERROR(option, type) "S reply option=" option " type=" type ";"
#define STRUCTURED "C option option=STRUCTURED_REPLY;" ACK("STRUCTURED_REPLY")
#define ENTER(flags) ASK("GO", "") EXPORT("GO", "1048576", flags) ACK("GO")
#define OPEN HELLO ENTER(ALL_FLAGS)
#define READ(cookie) "C request type=READ length=512 cookie=" cookie ";"
#define WRITE(cookie) "C request type=WRITE length=512 cookie=" cookie " + fill 512 7;"
#define FLUSH(cookie) "C request type=FLUSH cookie=" cookie ";"
#define DISC(cookie) "C request type=DISC cookie=" cookie ";"
#define DATA(cookie) "S simple-reply cookie=" cookie " + fill 512 9;"
#define DONE(cookie) "S simple-reply cookie=" cookie ";"
#define FAILS(cookie, error) "S simple-reply error=" error " cookie=" cookie ";"

#endif
