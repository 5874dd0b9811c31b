/* What came in place of what was due: whether that is anybody's fault, and which requirement it breaks. */
#include <string.h>

#include "play/answer.h"
#include "play/player.h"

/* The first requirement cited whose id begins so, and whose breach is a failure if that is asked for. */
static const Requirement *cited_like(const Player *player, const Statement *line,
                                     const char *prefix, bool failing)
{
    for (guint i = 0; i < line->citations->len; i++) {
        const Citation *citation = line->citations->pdata[i];
        const Requirement *requirement = scenario_cited(player->play_case->scenario, citation);
        if (g_str_has_prefix(citation->id, prefix) && (!failing || play_is_failure(requirement)))
            return requirement;
    }
    return NULL;
}

#define ZEROES REQ("handshake.export-name.zeroes")

/* The answer to EXPORT_NAME is there, but for the zeroes behind it. */
static bool lacks_zeroes(const Connection *connection, const Event *event)
{
    return event->kind != EVENT_OTHER && session_lacks_zeroes(connection->session);
}

/* A line can be evidence for several things; which of them is broken depends on what came. */
static const Requirement *blame(const Player *player, const Connection *connection,
                                const Statement *line, const Event *event)
{
    const Requirement *requirement = NULL;

    if (lacks_zeroes(connection, event))
        requirement = cited_like(player, line, ZEROES, true);
    if (requirement != NULL)
        return requirement;
    if (event->kind == EVENT_CLOSED)
        requirement = cited_like(player, line, "termination.", true);
    if (event->kind == EVENT_SILENT)
        requirement = cited_like(player, line, "robust.", true);
    if (requirement == NULL)
        requirement = cited_like(player, line, "", true);
    return requirement != NULL ? requirement : cited_like(player, line, "", false);
}

static const Requirement *blame_setup(Player *player, Connection *connection, const Statement *line,
                                      const Event *event)
{
    SessionPhase phase = session_phase(connection->session);
    const Verb *verb =
        line == NULL || line->verb == NULL ? NULL : play_verb(ACTOR_SERVER, line->verb);

    (void)player;
    if (lacks_zeroes(connection, event))
        return requirement_find(ZEROES);
    if (phase == PHASE_TLS)
        return requirement_find(REQ("tls.handshake.ready"));
    if (event->kind == EVENT_CLOSED && phase == PHASE_TRANSMISSION)
        return requirement_find(REQ("termination.server.hard-disconnect"));
    if (event->kind == EVENT_CLOSED && phase != PHASE_GREETING && phase != PHASE_EXPORT)
        return requirement_find(REQ("termination.server.option-error"));
    if (verb != NULL && verb->requirement != NULL)
        return requirement_find(verb->requirement);
    switch (phase) {
    case PHASE_GREETING:
        return requirement_find(REQ("handshake.newstyle.greeting"));
    case PHASE_EXPORT:
        return requirement_find(REQ("handshake.export-name.reply"));
    case PHASE_HAGGLING:
    case PHASE_REPLYING:
        return requirement_find(REQ("handshake.reply.every-option"));
    default:
        return requirement_find(REQ("transmission.reply.every-request"));
    }
}

static char *what_came(const Player *player, const Connection *connection, const Event *event)
{
    if (event->message != NULL)
        return session_message_describe(event->message);
    if (lacks_zeroes(connection, event))
        return g_strdup("the export's size and flags, but not all of the 124 zeroes behind them");
    const char *problem = transport_problem(connection->transport);
    if (event->kind == EVENT_CLOSED && problem != NULL && !connection->ended)
        return g_strdup(problem);
    if (event->kind == EVENT_CLOSED)
        return g_strdup(connection->ended ? "nothing: the case itself had closed the connection"
                                          : "the server closed the connection");
    if (play_connection_owes(connection))
        return g_strdup("the server takes no more of what we send");
    size_t pending = session_pending(connection->session, SIDE_SERVER);
    gint64 quiet_us = g_get_monotonic_time() - connection->last_progress_us;
    unsigned patience_ms = player_patience_ms(player, connection);
    bool trickles = quiet_us < (gint64)patience_ms * 1000;
    if (pending > 0 && trickles)
        return g_strdup_printf("%" G_GSIZE_FORMAT " bytes of a message, and still no end", pending);
    if (pending > 0)
        return g_strdup_printf("%" G_GSIZE_FORMAT " bytes of a message, and no more for %u ms",
                               pending, patience_ms);
    if (trickles)
        return g_strdup("other messages without end");
    return g_strdup_printf("nothing for %u ms", patience_ms);
}

static char *data_difference(Player *player, const Statement *line, const Event *event)
{
    const Arg *data = line->args == NULL ? NULL : line_arg(line, "data");

    if (data == NULL)
        data = line->args == NULL ? NULL : line_arg(line, "expect");
    if (data == NULL || event->message == NULL || !answer_is_whole(event->message) ||
        answer_error(event->message) != NBD_SUCCESS)
        return NULL;
    return player_differs(player, data->value, event->message->request.offset,
                          answer_content(event->message));
}

/* What the server may do once its client has broken the rules, or once nobody can tell where a message
 * begins. */
static bool excused(Player *player, const Connection *connection, const Requirement *requirement,
                    const Event *event)
{
    bool robust = requirement != NULL && requirement->level == REQUIREMENT_ROBUST;
    const Session *session = connection->session;

    if (session_desynchronised(session, SIDE_CLIENT) && !robust)
        return true;
    /* What the server broke to get there has settled the case, or was excused itself. */
    if (session_desynchronised(session, SIDE_SERVER) && requirement != NULL && !robust)
        return true;
    if (event->kind == EVENT_CLOSED && session_tainted(session, SIDE_CLIENT))
        return true;
    /* While we still owe bytes of a message, its answer is not due. (What we have sent behind a message
     * whose answer decides what it is, is no such thing: that answer is due.) */
    return event->kind == EVENT_SILENT && !play_connection_owes(connection) && !player->setup &&
           !connection->shut && session_cut(session, SIDE_CLIENT);
}

/* The case's own line leads into the export that the target has not. */
static bool wants_missing_export(Player *player, const SessionMessage *message)
{
    g_autoptr(GBytes) name =
        g_bytes_new(player->mode->export_name, strlen(player->mode->export_name));

    return message->kind == WIRE_OPTION_REPLY &&
           message->value[REPLY_TYPE] == NBD_REP_ERR_UNKNOWN &&
           player_excused_by_export(player, name);
}

/* The error of the reply that came in place of what was due; 0 where none came. */
static uint64_t error_of(const Event *event)
{
    bool answer =
        event->kind == EVENT_OTHER && answer_is_part(event->message) && event->message->answers;

    return answer ? answer_error(event->message) : NBD_SUCCESS;
}

/* An error reply is an answer: what says only that answers come is not broken by it. Nor is anything else by a
 * server that has no memory or is about to end: no sentence promises that a request succeeds. */
static bool answered_by_error(const Requirement *requirement, uint64_t error)
{
    bool robust = requirement != NULL && requirement->level == REQUIREMENT_ROBUST;

    return error == NBD_ENOMEM || error == NBD_ESHUTDOWN || (robust && error != NBD_SUCCESS);
}

/* With these a server says that its storage fails, and many say everything else, too: what is so each time that
 * it is asked is no accident. */
static bool could_be_an_accident(uint64_t error)
{
    return error == NBD_EIO || error == NBD_ENOSPC;
}

/* What was found last, by REQUIREMENT, is that no answer came. */
static void note_silence(Player *player, const Requirement *requirement, const Event *event)
{
    GPtrArray *findings = player->setup > 0 ? player->result->setup : player->result->findings;
    Finding *last = findings->len == 0 ? NULL : findings->pdata[findings->len - 1];

    if (event->kind == EVENT_SILENT && last != NULL && last->requirement == requirement)
        last->no_answer = true;
}

bool player_acquits(Player *player, const Connection *connection, const SessionMessage *message)
{
    if (connection->forgetful)
        player_skip(player, "so many messages came that not all of them are kept");
    return connection->forgetful || player_plainly_fails(player, message);
}

void player_unexpected(Player *player, Connection *connection, const Statement *line,
                       const Event *event)
{
    if (event->kind == EVENT_OVER || event->kind == EVENT_MATCH ||
        player_excused_by_tls(player, connection, event) ||
        player_excused_by_headers(player, connection, event))
        return;
    const Requirement *requirement = line == NULL ? NULL : blame(player, connection, line, event);
    if (excused(player, connection, requirement, event)) {
        player->over = true;
        return;
    }
    if (answered_by_error(requirement, error_of(event)))
        requirement = NULL;
    if (requirement != NULL && event->kind == EVENT_OTHER &&
        player_acquits(player, connection, event->message))
        return;
    if (event->kind != EVENT_OTHER ||
        (requirement != NULL && could_be_an_accident(error_of(event))))
        player->result->doubtful = true;
    if (event->kind == EVENT_CLOSED && session_facts(connection->session)->style != STYLE_UNKNOWN)
        player->result->hung_up = true;

    g_autofree char *got = what_came(player, connection, event);
    g_autofree char *differs = line == NULL ? NULL : data_difference(player, line, event);
    g_autofree char *message = g_strdup_printf("%s%s",
                                               differs != NULL              ? differs
                                               : event->kind == EVENT_OTHER ? "got "
                                                                            : "",
                                               differs ? "" : got);
    if (requirement != NULL) {
        player_breach(player, requirement, line, message, got, event->message);
        note_silence(player, requirement, event);
        return;
    }
    if (event->kind == EVENT_OTHER &&
        (wants_missing_export(player, event->message) ||
         player_excused_by_storage(player, connection, event->message)))
        return;
    requirement = differs != NULL ? requirement_find(REQ("transmission.read.right-bytes"))
                                  : blame_setup(player, connection, line, event);
    /* Another answer than the case hoped for may be the server's good right: it says no more than that
     * the case can't go on. */
    if (event->kind == EVENT_OTHER && differs == NULL) {
        player_block(player, requirement->id, "%s", message);
        return;
    }
    player->setup++;
    player_breach(player, requirement, line, message, got, event->message);
    note_silence(player, requirement, event);
    player->setup--;
}
