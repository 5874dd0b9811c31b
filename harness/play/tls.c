/* TLS: on the way to the test, where the run is to go over TLS, and as lines of cases. */
#include <string.h>

#include "play/answer.h"
#include "play/player.h"

/* ---- Where TLS is wanted ---------------------------------------------------------------------- */

/* A case that is about STARTTLS, or about plain text, says itself when TLS begins. */
static bool wants_tls(const Player *player)
{
    const PlayMode *mode = player->mode;

    if (mode->tls == PLAY_TLS_OFF || (player->play_case->pins_tls && !player->serving))
        return false;
    return mode->tls == PLAY_TLS_REQUIRE || player->target == NULL ||
           player->target->facts.tls == SESSION_TLS_RUNNING;
}

static bool hears_tls_reqd(const Event *event)
{
    const SessionMessage *message = event->kind == EVENT_OTHER ? event->message : NULL;

    return message != NULL && message->kind == WIRE_OPTION_REPLY &&
           message->value[REPLY_TYPE] == NBD_REP_ERR_TLS_REQD;
}

/* Plain text is little use with a server that insists on TLS: it answers ERR_TLS_REQD, and hangs up where it
 * can't answer. */
bool player_excused_by_tls(Player *player, const Connection *connection, const Event *event)
{
    bool insists = player->insists_on_tls || player->mode->tls != PLAY_TLS_OFF ||
                   (player->target != NULL && player->target->insists_on_tls);

    if (player->play_case->pins_tls || player->serving ||
        session_facts(connection->session)->tls != SESSION_TLS_NONE ||
        session_phase(connection->session) == PHASE_GREETING)
        return false;
    if (!hears_tls_reqd(event) && !(event->kind == EVENT_CLOSED && insists))
        return false;
    player_skip(player, "the server insists on TLS");
    return true;
}

/* ---- The handshake ---------------------------------------------------------------------------- */

static Match match_tls(Player *player, Connection *connection, gpointer data,
                       const SessionMessage *message, guint *index)
{
    (void)player;
    (void)connection;
    (void)data;
    *index = 0;
    return play_connection_is_tls(message) ? MATCH_YES : MATCH_NO;
}

/* That we do not trust the server, or have no means that it accepts, is for the user to mend. */
static void fail_handshake(Player *player, Connection *connection, const Event *event)
{
    const char *problem = transport_problem(connection->transport);

    if (event->kind == EVENT_OVER)
        return;
    g_free(player->tls_problem);
    player->tls_problem = g_strdup(problem != NULL               ? problem
                                   : event->kind == EVENT_CLOSED ? "the server hangs up"
                                                                 : "the handshake comes to no end");
    if (transport_tls_facts(connection->transport).state == TRANSPORT_TLS_UNTRUSTED)
        player_block(player, REQ("tls.handshake.ready"), "%s", problem);
    else
        player_unexpected(player, connection, NULL, event);
}

/* With TLS 1.3 our side of the handshake is over before the server has looked at our certificate. */
void player_note_distrust(Player *player, const Connection *connection)
{
    const char *problem = transport_problem(connection->transport);

    if (player->tls_problem == NULL && connection->closed && !connection->heard &&
        transport_tls_facts(connection->transport).established)
        player->tls_problem = g_strdup_printf(
            "%s, right behind the handshake: it may want a certificate of ours that it trusts",
            problem != NULL ? problem : "the server ends TLS");
}

/* The ways in which a line may have TLS begin; NULL, 0: as usual. */
typedef struct {
    const char *priorities;
    const TransportTls *settings;
    size_t segment;
} Manner;

static bool begin(Player *player, Connection *connection, const Manner *manner)
{
    g_autoptr(GError) error = NULL;

    if (session_phase(connection->session) != PHASE_TLS) {
        player_error(player, "TLS begins only where STARTTLS was acknowledged");
        return false;
    }
    if (player->mode->tls_settings == NULL) {
        player_skip(player, "needs --tls");
        return false;
    }
    transport_tls_cut(connection->transport, manner->segment);
    if (play_connection_start_tls(
            connection, manner->settings != NULL ? manner->settings : player->mode->tls_settings,
            manner->priorities, &error))
        return true;
    player_skip(player, "%s", error->message);
    return false;
}

static bool shake_hands(Player *player, Connection *connection, const Manner *manner)
{
    if (!begin(player, connection, manner))
        return false;
    Event event = player_await(player, connection, match_tls, NULL);
    session_message_free(event.message);
    if (event.kind == EVENT_MATCH)
        return true;
    fail_handshake(player, connection, &event);
    return false;
}

/* A server without TLS breaks no rule: the user has asked for what is not there. */
static bool refused(Player *player, const char *why)
{
    if (player->mode->tls == PLAY_TLS_ALLOW && player->target == NULL)
        return true;
    g_free(player->tls_problem);
    player->tls_problem = g_strdup(why);
    player_block(player, REQ("tls.starttls.ack"), "there is no TLS: %s", why);
    return false;
}

static bool start_tls(Player *player, Connection *connection, const Manner *manner)
{
    g_autoptr(GByteArray) nothing = g_byte_array_new();

    player_option(player, connection, NBD_OPT_STARTTLS, nothing);
    if (player->over)
        return false;
    g_autoptr(SessionMessage) reply = player_await_reply(player, connection);
    if (reply == NULL)
        return false;
    if (reply->value[REPLY_TYPE] == NBD_REP_ACK)
        return shake_hands(player, connection, manner);
    g_autofree char *text = session_message_describe(reply);
    g_autofree char *why = g_strdup_printf("NBD_OPT_STARTTLS is refused: %s", text);
    return refused(player, why);
}

static bool secure(Player *player, Connection *connection, const Manner *manner)
{
    if (session_facts(connection->session)->style != STYLE_FIXED_NEWSTYLE)
        return refused(player, "the server does not greet in fixed newstyle");
    return start_tls(player, connection, manner);
}

bool player_secure(Player *player, Connection *connection)
{
    if (!wants_tls(player))
        return true;
    player->setup++;
    bool done = secure(player, connection, &(Manner){0});
    player->setup--;
    return done;
}

/* ---- Lines of cases --------------------------------------------------------------------------- */

/* What GnuTLS is told to offer for the line's `version`; NULL: what it likes. */
static char *priorities_of(Player *player, const Statement *line)
{
    const Arg *arg = line_arg(line, "version");

    if (arg == NULL)
        return NULL;
    g_autoptr(Value) value = player_value(player, arg->value, NULL);
    if (value == NULL || value->kind != VALUE_BYTES)
        return NULL;
    gsize size;
    const char *text = g_bytes_get_data(value->bytes, &size);
    return g_strdup_printf("NORMAL:-VERS-ALL:+VERS-TLS%.*s", (int)size, text);
}

/* In whose place the line's `credentials` have us speak. False: the case is over. */
static bool take_credentials(Player *player, Connection *connection, const Statement *line)
{
    const Arg *arg = line_arg(line, "credentials");
    const TransportTls *known = player->mode->tls_settings;
    g_autoptr(GError) error = NULL;

    if (arg == NULL || known == NULL)
        return true;
    g_autoptr(Value) value = player_value(player, arg->value, NULL);
    if (value == NULL || value->kind != VALUE_BYTES)
        return false;
    g_autoptr(GBytes) none = g_bytes_new_static("none", strlen("none"));
    bool bare = g_bytes_equal(value->bytes, none);
    connection->stranger =
        transport_tls_stranger(known, bare ? TRANSPORT_TLS_BARE : TRANSPORT_TLS_WRONG, &error);
    if (connection->stranger == NULL)
        player_skip(player, "%s", error->message);
    return connection->stranger != NULL;
}

static void play_tls(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);

    if (connection == NULL || !take_credentials(player, connection, line))
        return;
    g_autofree char *priorities = priorities_of(player, line);
    const Manner manner = {priorities, connection->stranger,
                           (size_t)player_integer(player, line, "segment", NULL, 0)};
    if (!player->over)
        (void)begin(player, connection, &manner);
}

static void play_starttls(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);

    if (connection == NULL)
        return;
    g_autofree char *priorities = priorities_of(player, line);
    player->setup++;
    (void)secure(player, connection, &(Manner){.priorities = priorities});
    player->setup--;
}

static void play_drop(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);

    if (connection != NULL)
        play_connection_end(connection, END_DROP);
}

static Match match_tls_line(Player *player, Connection *connection, const Statement *line,
                            const SessionMessage *message)
{
    (void)player;
    (void)connection;
    (void)line;
    return play_connection_is_tls(message) ? MATCH_YES : MATCH_NO;
}

/* Replies to requests that were in flight may still come before. */
static Match match_end(const Connection *connection, const SessionMessage *message,
                       TransportTlsState state)
{
    bool ended = message == NULL && transport_tls_facts(connection->transport).state == state;
    bool early = message != NULL && answer_is_part(message) && message->answers;

    return ended ? MATCH_YES : early ? MATCH_PASS_OVER : MATCH_NO;
}

static Match match_close_notify(Player *player, Connection *connection, const Statement *line,
                                const SessionMessage *message)
{
    (void)player;
    (void)line;
    return match_end(connection, message, TRANSPORT_TLS_CLOSED);
}

static Match match_alert(Player *player, Connection *connection, const Statement *line,
                         const SessionMessage *message)
{
    (void)player;
    (void)line;
    return match_end(connection, message, TRANSPORT_TLS_ALERT);
}

static const Position none[] = {{0}};
static const Field no_fields[] = {{0}};
static const Field starttls_fields[] = {{"version", FIELD_BYTES, NULL}, {0}};
static const Field tls_fields[] = {{"version", FIELD_BYTES, NULL},
                                   {"credentials", FIELD_BYTES, NULL},
                                   {"segment", FIELD_INTEGER, NULL},
                                   {0}};

static const Verb verbs[] = {
    {.name = "starttls",
     .actor = ACTOR_CLIENT,
     .positions = none,
     .fields = starttls_fields,
     .play = play_starttls,
     .usage = "C: starttls [version=\"1.2\"]",
     .manual =
         "Sends STARTTLS, waits for its ACK, and goes through the TLS handshake: what follows is said "
         "inside TLS. `version` is the only one that we offer. If there is no TLS, the case is blocked."},
    {.name = "tls",
     .actor = ACTOR_CLIENT,
     .positions = none,
     .fields = tls_fields,
     .play = play_tls,
     .usage = "C: tls [version=\"1.2\"] [credentials=\"none\" | credentials=\"wrong\"] [segment=N]",
     .manual =
         "Begins the TLS handshake, where `C: option STARTTLS` was acknowledged; `S: tls` or `S: close` "
         "tells how it goes. `credentials` makes us a stranger, who has no certificate or pre-shared key, or "
         "such as nobody else knows; `segment` cuts all that TLS sends into pieces of N bytes."},
    {.name = "drop",
     .actor = ACTOR_CLIENT,
     .positions = none,
     .fields = no_fields,
     .play = play_drop,
     .usage = "C: drop",
     .manual = "Closes the connection without TLS's close_notify, which `C: close` sends first."},
    {.name = "tls",
     .actor = ACTOR_SERVER,
     .positions = none,
     .fields = no_fields,
     .play = play_expectation,
     .match = match_tls_line,
     .requirement = REQ("tls.handshake.ready"),
     .usage = "S: tls",
     .manual = "The TLS handshake has succeeded."},
    {.name = "close-notify",
     .actor = ACTOR_SERVER,
     .positions = none,
     .fields = no_fields,
     .play = play_expectation,
     .match = match_close_notify,
     .requirement = REQ("tls.disc.close-notify"),
     .usage = "S: close-notify",
     .manual =
         "The server brings TLS to its end by close_notify, and then ends the connection. Replies to requests "
         "in flight may come before."},
    {.name = "alert",
     .actor = ACTOR_SERVER,
     .positions = none,
     .fields = no_fields,
     .play = play_expectation,
     .match = match_alert,
     .requirement = REQ("tls.disc.close-notify"),
     .usage = "S: alert",
     .manual = "The same by a fatal alert."},
};
VERB_TABLE(play_tls_verbs, verbs);
