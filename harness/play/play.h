/* Plays one case against a peer, and says what it showed.
 *
 * play_compile() checks a scenario once: its verbs, arguments, citations; what it needs of the target.
 * play_run_case() plays it, as often as wanted, from any thread. Nothing here knows of other cases, of
 * schedules or of reports.
 */
#ifndef NBDCONFORM_PLAY_H
#define NBDCONFORM_PLAY_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "requirement/requirement.h"
#include "scenario/scenario.h"
#include "session/session.h"
#include "transport/tls.h"
#include "watch/watch.h"

/* ---- Verdicts --------------------------------------------------------------------------------- */

typedef enum {
    VERDICT_PASS,
    VERDICT_WARN, /* a SHOULD was broken; or a hint (kind "hint"), which --strict leaves alone */
    VERDICT_FAIL,
    VERDICT_SKIP,    /* the target lacks what the case needs */
    VERDICT_BLOCKED, /* a step before the test failed; that step is reported under its own name */
    VERDICT_ERROR,   /* the harness could not do its part */
    VERDICT_COUNT
} Verdict;

/* "pass", … */
const char *verdict_name(Verdict verdict);

typedef enum {
    KIND_NONE,
    KIND_VIOLATION,  /* a MUST or a layout was broken */
    KIND_ROBUSTNESS, /* what no sentence says and everybody expects */
    KIND_NO_ANSWER, /* an answer that is due did not come, also when it, or its like, was asked for again, alone */
    KIND_HINT, /* permitted, but worth a word to the author */
} VerdictKind;

/* "violation", "robustness", "no-answer", "hint", or "" */
const char *verdict_kind_name(VerdictKind kind);

/* One breach, with its evidence. */
typedef struct {
    const Requirement *requirement;
    Side by;          /* who broke it */
    char *message;    /* one line for people */
    char *expected;   /* in the notation, or NULL */
    char *got;        /* in the notation, or NULL */
    bool no_answer;   /* an answer was due, and nothing came */
    unsigned line;    /* of the case; 0 where a rule of the session saw it */
    GBytes *bytes;    /* the head of the offending message, or NULL */
    uint64_t size;    /* of the whole message */
    char *met_in;     /* seen on the way to the tests: the id of the first case that saw it, … */
    char *transcript; /* … and that case's transcript up to there; NULL in a case's own */
} Finding;
void finding_free(Finding *finding);

/* What a case has measured: it is told, and weighs nothing. */
typedef struct {
    char *name;   /* for programs, such as "reads-at-once" */
    char *text;   /* one line for people */
    double value; /* NAN: it could not be told */
} Measurement;
void measurement_free(Measurement *measurement);

typedef struct {
    Verdict verdict;
    VerdictKind kind;
    char *reason;        /* why it is no pass: one line; NULL for a pass */
    GPtrArray *findings; /* of Finding */
    GPtrArray *setup;    /* of Finding: seen on the way to the test, to be reported once a run */
    GPtrArray *measurements; /* of Measurement; NULL: none */
    char *blocked_by;        /* id of the requirement whose step blocked, or NULL */
    bool spent;       /* the server's process was signalled: another is due before the next case */
    bool doubtful;    /* could be the doing of something else: to be played again, alone */
    bool hung_up;     /* doubtful because the peer, after its greeting, hung up: it was there */
    bool no_export;   /* skipped: the target has no export of the run's name */
    bool unsettled;   /* writes may be under way still: what is in its region may change */
    char *transcript; /* both sides, in the notation, with hex of what is not understood */
    unsigned duration_us;
} PlayResult;
void play_result_free(PlayResult *result);

/* Sets verdict, kind and reason by the gravest of RESULT's findings. */
void play_result_settle(PlayResult *result);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PlayResult, play_result_free)

/* ---- How conversations are carried ------------------------------------------------------------- */

typedef enum { ENTER_GO, ENTER_EXPORT_NAME } PlayEnter;
typedef enum { REPLIES_SIMPLE, REPLIES_STRUCTURED, REPLIES_EXTENDED } PlayReplies;

/* Off: nothing is said of TLS but by cases. Require: conversations begin with STARTTLS. Allow: the same, as
 * far as the target has TLS. */
typedef enum { PLAY_TLS_OFF, PLAY_TLS_ALLOW, PLAY_TLS_REQUIRE } PlayTls;

typedef struct {
    const TransportAddress *address;
    Watched *server; /* the process that listens there, if it is ours to signal; or NULL */
    const char *export_name;
    PlayEnter enter;
    PlayReplies replies;
    PlayTls tls;
    const TransportTls *tls_settings; /* a client's; there unless TLS is off */
    unsigned segment;                 /* bytes a send; 0: whole messages */
    const SessionSizes *agreed;       /* size constraints agreed on beforehand, or NULL */
    unsigned timeout_ms;              /* how long an answer may take */
    bool again;                       /* this is a second try, with more time */
    bool allow_writes;        /* without it play sends nothing that could change an export */
    uint64_t salt;            /* of payload patterns, one a run */
    const volatile int *stop; /* nonzero: give up waiting; may be NULL */
} PlayMode;

/* Whether a run with this flag (which may be NULL, and be set by a signal or another thread) is to end. */
bool play_stopped(const volatile int *stop);

/* What is known of the target before a case is played: the facts of one session that went all the way,
 * in the run's mode, and what it bears. */
typedef struct {
    SessionFacts facts;     /* of a session that entered transmission, or came as far as it could */
    bool entered;           /* the session reached the transmission phase */
    bool silent;            /* the target accepts connections, and has not said a word */
    bool insists_on_tls;    /* it was not let in for want of TLS */
    bool unknown_export;    /* it was not let in, for there is no export of that name */
    unsigned connections;   /* how many it serves at once, as far as tried; at least 1 */
    bool limited;           /* … and it did not serve all that were tried */
    bool concurrent_writes; /* writes on several connections are safe */
    SessionFacts
        structured; /* of a session that asked for structured replies, as far as it came, … */
    SessionFacts extended; /* … and of one that asked for extended headers */
} PlayTarget;

/* ---- Cases ------------------------------------------------------------------------------------- */

/* One case, ready to be played: a scenario with its `for` variables set. */
typedef struct {
    char *id;    /* the scenario's path, with @n=… for each `for` variable */
    char *title; /* with the variables' values in place */
    const Scenario *scenario;
    GHashTable *values;      /* the `for` variables: name → Value (private to play) */
    GPtrArray *requirements; /* of const Requirement *: all that it cites, each once */
    bool writes;             /* may change the export */
    unsigned connections;    /* open at once */
    uint64_t region;         /* bytes of the export that are its own; 0: none */
    bool alone;              /* uses tail, whole-export, size, memory, process or quiet */
    bool resizes;            /* uses size: may leave the export with another than it had */
    bool process;            /* uses process: a server of its own, that it may signal */
    bool chunks;             /* is about single chunks, too */
    bool content;            /* is about what is read */
    bool structured;         /* asks for structured replies itself, whatever the mode … */
    bool extended;           /* … or for extended headers */
    bool compact;            /* is about requests with compact headers */
    bool pins_tls; /* is about STARTTLS or plain text: conversations begin in plain text */
    bool pins_enter, pins_replies; /* contradicts the modes other than these: */
    PlayEnter enter;
    PlayReplies replies;
} PlayCase;
void play_case_free(PlayCase *play_case);

/* Checks SCENARIO (which must outlive the cases) and appends its cases, one for each combination of its
 * `for` values, to CASES. False and ERROR, with a caret, on the first mistake. */
bool play_compile(const Scenario *scenario, GPtrArray *cases, GError **error);

/* Plays CASE. REGION is the offset of its region, where it has one. TARGET may be NULL, while the target
 * is being probed. Never NULL. */
PlayResult *play_run_case(const PlayCase *play_case, const PlayMode *mode, const PlayTarget *target,
                          uint64_t region);

/* Why CASE cannot be played against TARGET in MODE, as a skip's reason, or NULL. */
char *play_unfit(const PlayCase *play_case, const PlayMode *mode, const PlayTarget *target);

/* Connects to MODE's address. Where TARGET (which may be NULL) bears few connections and turns us away, comes
 * back for a while: it may not have noticed yet that others have gone. */
Transport *play_reach(const PlayMode *mode, const PlayTarget *target, GError **error);

/* No more connections than this are tried at once, by the probe or by jobs: more would gain nothing. */
#define PLAY_MOST_CONNECTIONS 8u

/* Learns what PlayTarget holds, by one session and some connections beside it. On a target that cannot be
 * connected to, or with which there is no TLS though the mode requires it: false and ERROR. WANTED: how many
 * connections at once are of interest. */
bool play_probe(const PlayMode *mode, unsigned wanted, PlayTarget *target, GError **error);

/* The names of exports that the target lists, of char *, at most MOST of them. NULL if it does not tell. */
GPtrArray *play_list_exports(const PlayMode *mode, unsigned most);

/* The manual of the notation's verbs, needs and variables, from the texts beside their code, in Markdown.
 * The caller frees it. */
char *play_manual(void);

#endif
