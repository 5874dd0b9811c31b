/* What the verbs of play/ share: the state of a case that is being played. */
#ifndef NBDCONFORM_PLAY_PLAYER_H
#define NBDCONFORM_PLAY_PLAYER_H

#include "play/connection.h"
#include "play/play.h"
#include "play/value.h"

typedef struct {
    const PlayCase *play_case;
    const Scenario *scenario;
    const PlayMode *mode;
    const PlayTarget *target; /* NULL while probing */
    Scope scope;              /* variables of this playing; outside it the case's own */
    Scope case_scope;
    GPtrArray *connections; /* of Connection, the first is the default one */
    PlayResult *result;
    GString *transcript;
    const Statement *line; /* the one being played */
    unsigned setup; /* > 0 while on the way to the test: what is found then is not the case's */
    bool over;      /* the verdict is settled, but for `then` lines */
    bool skipped, blocked, broken;
    bool serving;        /* it is only seen whether the target serves: in the run's mode */
    bool insists_on_tls; /* an option was answered by ERR_TLS_REQD on the way to the test */
    bool unknown_export; /* on the way to the test, ERR_UNKNOWN was the answer to GO or INFO */
    char *tls_problem;   /* why there is no TLS, where it should be; or NULL */
    int last_signal;     /* the last one that the case sent to the server; 0: none */
    uint64_t region;
} Player;

/* ---- Verbs ------------------------------------------------------------------------------------ */

typedef enum {
    ACTOR_NONE,     /* connect, open, negotiate, served */
    ACTOR_CLIENT,   /* C: what we send */
    ACTOR_SERVER,   /* S: what we expect */
    ACTOR_ABSTRACT, /* `: read …`: a request and its successful reply */
} ActorKind;

typedef enum {
    FIELD_INTEGER,
    FIELD_RESULT, /* an integer that comes back, on a line that sends something */
    FIELD_BYTES,
    FIELD_PAYLOAD,
    FIELD_ANY
} FieldKind;

/* A named argument of a verb. */
typedef struct {
    const char *name;
    FieldKind kind;
    const WireNames *names; /* the names that may stand for its numbers, or NULL */
} Field;

/* What a positional argument may be. */
typedef struct {
    const WireNames *names;   /* the protocol's names, or NULL */
    const char *const *words; /* our own words, NULL-terminated, or NULL */
    bool many;                /* this one and all that follow */
    bool optional;
} Position;

typedef enum { MATCH_NO, MATCH_YES, MATCH_PASS_OVER } Match;

static inline Match match_if(bool holds)
{
    return holds ? MATCH_YES : MATCH_NO;
}

typedef struct {
    const char *name;
    ActorKind actor;
    const Position *positions; /* ended by one without names and words */
    const Field *fields;       /* ended by one without a name */
    bool writes;               /* may change the export */
    bool connects;             /* makes a connection, named by `as` */
    bool process;              /* only where the case says `uses process` */
    const char *requirement;   /* S: what a failing line without citation breaks */
    const char *usage;
    const char *manual;
    /* Plays the line. */
    void (*play)(Player *player, const Statement *line);
    /* S: does MESSAGE, or with NULL the close of the stream, fulfil the line? Binds nothing. */
    Match (*match)(Player *player, Connection *connection, const Statement *line,
                   const SessionMessage *message);
} Verb;

const Verb *play_verb(ActorKind actor, const char *name);
ActorKind play_actor(const Statement *line);

/* The verbs of one file, in the manual's order. */
typedef struct {
    const Verb *verbs;
    size_t count;
} VerbTable;

#define VERB_TABLE(name, verbs) const VerbTable name = {verbs, G_N_ELEMENTS(verbs)}

extern const VerbTable play_setup_verbs, play_send_handshake_verbs, play_send_request_verbs,
    play_send_verbs, play_expect_handshake_verbs, play_expect_transmission_verbs, play_tls_verbs,
    play_request_verbs, play_replies_verbs, play_status_verbs, play_process_verbs,
    play_engine_verbs, play_listed_verbs, play_alone_verbs, play_measure_verbs;

/* All of them, under the manual's headings. */
typedef struct {
    const char *title; /* NULL: goes on with the one before */
    const VerbTable *table;
} VerbChapter;

extern const VerbChapter play_chapters[];
extern const size_t play_chapter_count;

/* How many of REQUESTS are worked on at once, if one takes ALONE_US and all of them take TOGETHER_US. NAN if that
 * does not tell. */
double play_at_once(gint64 alone_us, gint64 together_us, uint64_t requests);

/* ---- Players ---------------------------------------------------------------------------------- */

Player *player_new(const PlayCase *play_case, const PlayMode *mode, const PlayTarget *target,
                   uint64_t region);

/* Leaves politely wherever that is possible, frees the player, and hands over what it found. */
PlayResult *player_finish(Player *player);

/* ---- Arguments -------------------------------------------------------------------------------- */

/* The positional argument number INDEX, or NULL. */
const Expr *line_position(const Statement *line, guint index);

/* The first argument called NAME, or NULL. */
const Arg *line_arg(const Statement *line, const char *name);

/* Values of arguments; FALLBACK where the line has none. What can't be evaluated ends the case in error. */
uint64_t player_integer(Player *player, const Statement *line, const char *name,
                        const WireNames *names, uint64_t fallback);
Value *player_value(Player *player, const Expr *expr, const WireNames *names);
bool player_number(Player *player, const Expr *expr, const WireNames *names, uint64_t *number);
void player_bind(Player *player, const char *name, Value *value);

/* field.c: is MESSAGE as the arguments of LINE want it? */
bool line_holds(Player *player, const Statement *line, const SessionMessage *message);

/* Does NUMBER compare with ARG's value as ARG wants it? (To be bound, any does.) */
bool line_compares(Player *player, const Arg *arg, uint64_t number, const WireNames *names);

/* `size as $size`, once LINE has its MESSAGE. */
void line_bind(Player *player, const Statement *line, const SessionMessage *message);

/* Is this reply the one that LINE is about: by its cookie, else by that of our latest request? */
bool line_is_about(Player *player, const Connection *connection, const Statement *line,
                   const SessionMessage *message);

/* ---- Connections ------------------------------------------------------------------------------ */

/* The connection that LINE is about; NULL, and the case ends in error, if it was never made. */
Connection *player_connection(Player *player, const Statement *line);

/* For how long we come back to a target that bears few connections and turns us away; not at all to others. */
typedef struct Patience {
    const volatile int *stop;
    gint64 until_us;
    gint64 pause_us;
} Patience;

Patience patience_with(const PlayMode *mode, const PlayTarget *target);

/* Waits for the server's first byte, or until UNTIL_US. True if there will be none. */
bool play_hangs_up(const Transport *transport, gint64 until_us);

/* Waits a little, each time longer. False once the time is over. */
bool patience_lasts(Patience *patience);

/* Connects and adds a connection called NAME; NULL and a finding if nobody accepts. The second comes back
 * where a target that bears few connections turns it away, and waits there for the server's first byte. */
Connection *player_connect(Player *player, const char *name);
Connection *player_connect_patiently(Player *player, const char *name);

/* The name behind `as`, or that of the next unnamed connection. */
const char *line_connection_name(const Statement *line);

/* Sends, in the run's segments. Refuses what could change an export without leave. */
void player_send(Player *player, Connection *connection, const void *bytes, size_t size);

/* split.c: the first AT bytes of MESSAGE, and when the peer has taken them, as far as can be seen, the rest. */
void player_send_split(Player *player, Connection *connection, const GByteArray *message,
                       size_t at);

/* ---- Waiting ---------------------------------------------------------------------------------- */

typedef enum {
    EVENT_MATCH,  /* MESSAGE fulfilled alternative INDEX (no message: the close did) */
    EVENT_OTHER,  /* MESSAGE is something else than was due */
    EVENT_CLOSED, /* the peer has gone */
    EVENT_SILENT, /* nothing came for as long as we wait */
    EVENT_OVER,   /* a rule was broken meanwhile, and the case is settled */
} EventKind;

typedef struct {
    EventKind kind;
    guint index;
    SessionMessage *message; /* the caller's */
} Event;

/* Whether MESSAGE (NULL: the close) is what is waited for; INDEX tells by which alternative. */
typedef Match (*Matcher)(Player *player, Connection *connection, gpointer data,
                         const SessionMessage *message, guint *index);

Event player_await(Player *player, Connection *connection, Matcher matcher, gpointer data);

/* How long CONNECTION may be silent. */
unsigned player_patience_ms(const Player *player, const Connection *connection);

/* The same, but not beyond UNTIL_US of the monotonic clock. */
Event player_await_until(Player *player, Connection *connection, Matcher matcher, gpointer data,
                         gint64 until_us);

/* The message that matches, the caller's. NULL if another comes or none, which counts as what LINE found (NULL:
 * a step). */
SessionMessage *player_await_message(Player *player, Connection *connection, const Statement *line,
                                     Matcher matcher, gpointer data);

/* A Matcher: each part of the reply to the request with the cookie that DATA points to. */
Match player_match_part(Player *player, Connection *connection, gpointer data,
                        const SessionMessage *message, guint *index);

/* A Matcher: the final reply to an option. */
Match player_match_final(Player *player, Connection *connection, gpointer data,
                         const SessionMessage *message, guint *index);

/* Waits until all that was sent is on its way, or the peer takes no more of it. */
void player_flush(Player *player, Connection *connection);

/* True if the run is to end early. */
bool player_stopped(const Player *player);

/* ---- Verdicts --------------------------------------------------------------------------------- */

/* Plays a line of S: by its verb's match function. */
void play_expectation(Player *player, const Statement *line);

/* Waits for one of the alternatives of `one of { … }`; NULL where none came, and the case is over. */
const Statement *player_choose(Player *player, const Statement *block);

/* The requirement's breach goes on record; a violation or robustness failure settles the case. All
 * strings are copied. */
void player_breach(Player *player, const Requirement *requirement, const Statement *line,
                   const char *message, const char *got, const SessionMessage *evidence);

/* True if what was found so far makes the case fail. */
bool player_failed(const Player *player);

/* EVENT, which is no match, came where LINE, or a step called STEP, waited. */
void player_unexpected(Player *player, Connection *connection, const Statement *line,
                       const Event *event);

/* plain.c: if REPLY is an error that storage could be the cause of, and a plain request of another client in the
 * same place is answered with it, too, then the case is skipped, and this is true. The case is over, or about
 * to be. */
bool player_plainly_fails(Player *player, const SessionMessage *reply);

/* True, and the case is skipped, if MESSAGE is no proof of what a line would blame the server for: for storage that fails, or
 * because other messages before it were not kept. */
bool player_acquits(Player *player, const Connection *connection, const SessionMessage *message);

void player_skip(Player *player, const char *format, ...) G_GNUC_PRINTF(2, 3);
void player_block(Player *player, const char *requirement, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
void player_error(Player *player, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Weighs what RESULT holds; the flags say how the case ended otherwise. */
void play_settle(PlayResult *result, bool skipped, bool blocked, bool broken);

/* Whether a breach of REQUIREMENT makes the case fail. */
bool play_is_failure(const Requirement *requirement);

/* Takes over what the sessions' rules have found. */
void player_collect(Player *player);

/* ---- Steps ------------------------------------------------------------------------------------ */

/* enter.c: the way into transmission, as `open` goes it. False if the case is over. */
bool player_negotiate(Player *player, Connection *connection);
bool player_enter(Player *player, Connection *connection, GBytes *export_name);

/* All of it, on a connection of its own called NAME, to the run's export: what another client would do. NULL if it
 * does not get in. */
Connection *player_come_in(Player *player, const char *name);

/* Selects metadata contexts, of GBytes, for the export NAME. False if not all of them are selected. */
bool player_select(Player *player, Connection *connection, GBytes *name, const GPtrArray *contexts);

/* replies.c: asks for structured replies, or for extended headers. False if the server refuses them, or the
 * case is over. In runs with extended replies those who want structured ones are content with either. */
bool player_structured(Player *player, Connection *connection);
bool player_extended(Player *player, Connection *connection);

/* Asks for what the run's mode wants, as far as the server has it. False if the case is over. */
bool player_agree_on_replies(Player *player, Connection *connection);

/* The name that LINE gives by `export`, else the run's. The caller owns it. */
GBytes *player_export(Player *player, const Statement *line);

/* tls.c: STARTTLS and the handshake, where the run's mode wants them. False if the case is over. */
bool player_secure(Player *player, Connection *connection);

/* The target ends TLS before it says anything inside: it does not accept what we have shown. */
void player_note_distrust(Player *player, const Connection *connection);

/* What came or did not come is for want of TLS: the case is skipped, unless it is about that. */
bool player_excused_by_tls(Player *player, const Connection *connection, const Event *event);

/* replies.c: the server lets nobody in without extended headers, as it may: the case is skipped. */
bool player_excused_by_headers(Player *player, const Connection *connection, const Event *event);

/* Sends an option in the run's segments. */
void player_option(Player *player, Connection *connection, uint32_t option, const GByteArray *data);

/* listed.c: the name that MESSAGE, a reply to LIST, tells of; NULL if it tells of none. The caller owns it. */
GBytes *player_listed_name(const SessionMessage *message);

/* The final reply to the option that was sent last; NULL if none came, and the case is over. */
SessionMessage *player_await_reply(Player *player, Connection *connection);

/* leave.c: leaves as a client should, by DISC or ABORT, without waiting. */
void player_leave(Connection *connection);

/* Behind the last line: what came behind the last reply is seen now, and judged by the session's rules,
 * not only if it happened to come in time. */
void player_fence(Player *player);

/* restore.c: gives the export the size that it had when the run began, if it can be had. */
void player_restore_size(const PlayCase *play_case, const PlayMode *mode, const PlayTarget *target);

/* Fills BYTES (LENGTH, at OFFSET of the export) with the case's pattern number WHICH. */
void player_pattern(const Player *player, unsigned which, uint64_t offset, uint8_t *bytes,
                    size_t length);

/* Sends INFO or GO for the export NAME, with a request for the block size. */
void player_ask(Player *player, Connection *connection, uint32_t option, GBytes *name);

/* What CONNECTION was told; where it entered by EXPORT_NAME, with the sizes that the probe learned. */
SessionFacts player_facts(const Player *player, const Connection *connection);

/* own.c: a variable that no case may use for something else. */
typedef struct {
    const char *name;
    FieldKind kind;
    bool of_export; /* what the latest connection was told; else it is there from the beginning */
    const char *what;
} OwnValue;

extern const OwnValue play_own_values[];
extern const size_t play_own_value_count;

/* NULL: the name is free. */
const OwnValue *play_own_value(const char *name);

/* Sets $size, $block and their like from what a session knows: in VALUES, or for the lines to come. */
void play_bind_facts(GHashTable *values, const SessionFacts *facts);
void player_set_facts(Player *player, const SessionFacts *facts);

/* Sets all of them, as far as they are known before the case begins. */
void player_set_own_values(Player *player);

/* message.c: the bytes of a message: HEADER with the fields of VALUE, and SIZE bytes of DATA behind it. */
GByteArray *player_message(WireKind header, const uint64_t *value, const void *data, size_t size);

/* Appends NUMBER in WIDTH bytes; all BYTES. */
void player_append_number(GByteArray *data, size_t width, uint64_t number);
void player_append(GByteArray *data, GBytes *bytes);

/* Which header a request has: the one that was negotiated, or one in spite of that. */
typedef enum { FORM_AGREED, FORM_COMPACT, FORM_EXTENDED } RequestForm;

/* How a request's bytes are made; used by literal requests and by abstract ones. */
typedef struct {
    RequestForm form;
    uint64_t flags, command, cookie, offset, length;
    uint64_t magic; /* UINT64_MAX: the form's own */
    bool bare;      /* PAYLOAD_LEN is left out, though data follow */
    GBytes *data;   /* or NULL */
    uint64_t cut;   /* send no more than this many bytes; UINT64_MAX: all */
    uint64_t split; /* send so many bytes first; UINT64_MAX: all */
} RequestSpec;

/* A request for COMMAND with a cookie of its own; its other fields are 0. */
RequestSpec player_request_spec(const Connection *connection, uint64_t command);

/* Its bytes on CONNECTION, and sending them. The first are the caller's. */
GByteArray *player_request_bytes(const Connection *connection, const RequestSpec *spec);
void player_request(Player *player, Connection *connection, const RequestSpec *spec);

/* Sends SPEC and returns the error that it is answered with; NBD_SUCCESS also where no answer comes. */
uint64_t player_request_error(Player *player, Connection *connection, const RequestSpec *spec);

/* What `open` weighs once CONNECTION is in transmission: skips the case if its needs do not hold. */
void player_weigh_needs(Player *player, const Connection *connection);

/* False where LINE has nobody to send requests to, since the case has not led CONNECTION into the transmission phase;
 * that is a mistake of the case, and none of the server's. */
bool player_is_in(Player *player, const Connection *connection, const Statement *line);

/* Sends SPEC and takes the reply, which must be a success; the caller owns it. NULL, and LINE is judged, if
 * it is not. */
SessionMessage *player_transact(Player *player, Connection *connection, const Statement *line,
                                const RequestSpec *spec);

/* enter.c: the target, as the probe has seen, has no export called NAME, the run's: the case is skipped. */
bool player_excused_by_export(Player *player, GBytes *name);

/* storage.c: MESSAGE came in place of what was due. The case is skipped if it is an error by which a server blames
 * its storage, and comes each time that the same is asked for again. True if the case is over. */
bool player_excused_by_storage(Player *player, Connection *connection,
                               const SessionMessage *message);

/* Whether ERROR is such as a server answers COMMAND with when its storage fails. */
bool player_blames_storage(uint64_t command, uint64_t error);

/* Skips the case for that COMMAND fails with ERROR. The run tells so once, however many cases meet it. */
void player_skip_for_storage(Player *player, uint64_t command, uint64_t error);

/* process.c: leaves all connections; true if the server's process, where that is ours, then ends. The case is
 * skipped, or it was a crash. */
bool player_sees_end(Player *player);

/* needs.c: NULL, or why FACTS and the rest do not fit. */
char *play_needs(const PlayCase *play_case, const PlayMode *mode, const PlayTarget *target,
                 const SessionFacts *facts, bool known);
bool play_check_need(const Scenario *scenario, const Need *need, const Scope *scope,
                     GError **error);
char *play_needs_manual(void);

/* The payload that EXPR (pattern, other, zero, or bytes) stands for. NULL if the case is over. */
GBytes *player_payload(Player *player, const Expr *expr, uint64_t offset, uint64_t length);

/* NULL if PAYLOAD, read at OFFSET, is what EXPR stands for; else where it differs. */
char *player_differs(Player *player, const Expr *expr, uint64_t offset, const GByteArray *payload);

#endif
