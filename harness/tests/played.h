/* A case, played against the fake server: what the tests of play/ have in common. */
#ifndef NBDCONFORM_TESTS_PLAYED_H
#define NBDCONFORM_TESTS_PLAYED_H

#include "fake_server.h"
#include "play/play.h"
#include "talk.h"

/* How long an answer may take: where one is due and will come, and where the test is about silence. */
#define PATIENT_MS 60000u
#define HASTY_MS 500u

/* The first lines of every case, and their number. */
#define CASE_HEAD "case T\npeer server\n"
#define CASE_HEAD_LINES 2

/* The export's name is "disk". */
#define OPEN_DISK HELLO ASK("GO", " BLOCK_SIZE") EXPORT("GO", "1048576", ALL_FLAGS) ACK("GO")

#define LISTED(name) "S reply option=LIST type=SERVER + server name-length=1 + text " name ";"

/* The cases of one file, which has the first lines and LINES. */
typedef struct {
    Scenario *scenario;
    GPtrArray *cases; /* of PlayCase */
} Compiled;

/* LINES must be without mistake. */
Compiled *compiled_new(const char *lines);
void compiled_free(Compiled *compiled);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Compiled, compiled_free)
const PlayCase *compiled_case(const Compiled *compiled, guint index);

typedef struct {
    Compiled *compiled;
    FakeServer *server; /* every conversation is over */
    PlayResult *result;
} Played;

/* A patient mode that allows writes, entering "disk" by GO. */
PlayMode played_mode(void);

/* Plays the first case that LINES make, in MODE (NULL: played_mode()), against a server with SCRIPTS
 * (ended by NULL) or CONFIG. */
Played *played_new(const char *lines, const char *script);
Played *played_mode_new(const char *lines, const char *script, const PlayMode *mode);
Played *played_scripts_new(const char *lines, const char *const *scripts, const PlayMode *mode);
Played *played_config_new(const char *lines, const FakeConfig *config, const PlayMode *mode);

/* The same against one whose TARGET the run has found out before. */
Played *played_target_new(const char *lines, const char *const *scripts, const PlayTarget *target);
void played_free(Played *played);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Played, played_free)

/* Asserts the verdict with its kind ("pass", "fail violation"), the ids of the findings, those of the
 * findings on the way to the test (each list joined by blanks), and that the server received what its
 * script says. */
#define PLAYED_IS(played, verdict, findings, setup)                                                \
    CU_ASSERT_TRUE(played_is(played, verdict, findings, setup, __LINE__))
bool played_is(const Played *played, const char *verdict, const char *findings, const char *setup,
               int line);

/* Plays LINES against SCRIPT, and asserts the verdict and the findings. */
#define PLAYS(lines, script, verdict, findings)                                                    \
    do {                                                                                           \
        g_autoptr(Played) played_ = played_new(lines, script);                                     \
        PLAYED_IS(played_, verdict, findings, "");                                                 \
    } while (0)

/* The same where FIELD of the mode is VALUE. */
#define PLAYS_WITH(field, value, lines, script, verdict, findings)                                 \
    do {                                                                                           \
        PlayMode mode_ = played_mode();                                                            \
        mode_.field = value;                                                                       \
        g_autoptr(Played) played_ = played_mode_new(lines, script, &mode_);                        \
        PLAYED_IS(played_, verdict, findings, "");                                                 \
    } while (0)

/* In a hurry, for peers that leave us waiting. */
#define PLAYS_HASTILY(lines, script, verdict, findings)                                            \
    PLAYS_WITH(timeout_ms, HASTY_MS, lines, script, verdict, findings)

/* A case that asks for an end, what the peer hears of it, and one that knows no such option. */
#define ASK_ABORT "negotiate\nC: option ABORT\n"
#define ABORT "C option option=ABORT;"
#define NO_ABORT HELLO ABORT ERROR("ABORT", "ERR_UNSUP")

#endif
