/* From what was seen to a verdict. */
#include <stdarg.h>

#include "play/player.h"

static const char *const verdict_names[VERDICT_COUNT] = {"pass", "warn",    "fail",
                                                         "skip", "blocked", "error"};
static const char *const kind_names[] = {"", "violation", "robustness", "no-answer", "hint"};

const char *verdict_name(Verdict verdict)
{
    return verdict_names[verdict];
}

const char *verdict_kind_name(VerdictKind kind)
{
    return kind_names[kind];
}

void finding_free(Finding *finding)
{
    if (finding == NULL)
        return;
    g_free(finding->message);
    g_free(finding->expected);
    g_free(finding->got);
    if (finding->bytes != NULL)
        g_bytes_unref(finding->bytes);
    g_free(finding);
}

void play_result_free(PlayResult *result)
{
    if (result == NULL)
        return;
    g_ptr_array_unref(result->findings);
    g_ptr_array_unref(result->setup);
    g_free(result->reason);
    g_free(result->blocked_by);
    g_free(result->transcript);
    g_free(result);
}

/* ---- Recording -------------------------------------------------------------------------------- */

static bool is_failure(const Requirement *requirement)
{
    Breach breach = requirement_breach(requirement);

    return breach == BREACH_VIOLATION || breach == BREACH_ROBUSTNESS;
}

static bool filed(const GPtrArray *findings, const Finding *finding)
{
    for (guint i = 0; i < findings->len; i++) {
        const Finding *other = findings->pdata[i];
        if (other->requirement == finding->requirement && other->line == finding->line &&
            other->by == finding->by)
            return true;
    }
    return false;
}

/* Files FINDING; on the way to the test it settles nothing by itself. A peer that breaks a rule time and
 * again, perhaps without end, has it told once. */
static void file(Player *player, Finding *finding)
{
    GPtrArray *findings = player->setup > 0 ? player->result->setup : player->result->findings;

    if (player->setup == 0 && is_failure(finding->requirement))
        player->over = true;
    if (filed(findings, finding))
        finding_free(finding);
    else
        g_ptr_array_add(findings, finding);
}

bool player_failed(const Player *player)
{
    for (guint i = 0; i < player->result->findings->len; i++) {
        const Finding *finding = player->result->findings->pdata[i];
        if (is_failure(finding->requirement))
            return true;
    }
    return false;
}

static char *line_text(const Statement *line)
{
    char *text = scenario_print_statement(line);
    char *citation = text == NULL ? NULL : g_strstr_len(text, -1, " @");

    if (citation != NULL)
        *citation = '\0';
    return text == NULL ? NULL : g_strchomp(text);
}

/* "S: reply ABORT ACK length=0": the line, without its citations; of a block all its alternatives. */
static char *expected_text(const Statement *line)
{
    if (line->kind != STATEMENT_ONE_OF)
        return line_text(line);
    GString *all = g_string_new(NULL);
    for (guint i = 0; i < line->block->len; i++) {
        g_autofree char *text = line_text(line->block->pdata[i]);
        g_string_append_printf(all, "%s%s", i > 0 ? ", or " : "", text);
    }
    return g_string_free(all, FALSE);
}

void player_breach(Player *player, const Requirement *requirement, const Statement *line,
                   const char *message, const char *got, const SessionMessage *evidence)
{
    Finding *finding = g_new0(Finding, 1);

    finding->requirement = requirement;
    finding->by = SIDE_SERVER;
    finding->message = g_strdup(message);
    finding->got = g_strdup(got);
    if (line != NULL) {
        finding->line = line->place.line;
        finding->expected = expected_text(line);
    }
    if (evidence != NULL) {
        finding->bytes = session_message_bytes(evidence, SESSION_EVIDENCE);
        finding->size = wire_layout(evidence->kind)->size + evidence->data_length;
    }
    file(player, finding);
    if (player->setup > 0 && !player->blocked)
        player_block(player, requirement->id, "%s", message);
}

static void take_session_finding(Player *player, SessionFinding *found)
{
    /* What our own side breaks, it breaks on purpose. */
    if (found->by == SIDE_SERVER) {
        Finding *finding = g_new0(Finding, 1);
        finding->requirement = found->requirement;
        finding->by = found->by;
        finding->message = g_strdup(found->message);
        finding->bytes = found->bytes == NULL ? NULL : g_bytes_ref(found->bytes);
        finding->size = found->size;
        file(player, finding);
    }
    session_finding_free(found);
}

void player_collect(Player *player)
{
    for (guint i = 0; i < player->connections->len; i++) {
        Connection *connection = player->connections->pdata[i];
        SessionFinding *found;
        while ((found = session_next_finding(connection->session)) != NULL)
            take_session_finding(player, found);
    }
}

/* ---- What came in place of what was due -------------------------------------------------------- */

/* The first requirement cited whose id begins so, and whose breach is a failure if that is asked for. */
static const Requirement *cited_like(const Player *player, const Statement *line,
                                     const char *prefix, bool failing)
{
    for (guint i = 0; i < line->citations->len; i++) {
        const Citation *citation = line->citations->pdata[i];
        const Requirement *requirement = scenario_cited(player->play_case->scenario, citation);
        if (g_str_has_prefix(citation->id, prefix) && (!failing || is_failure(requirement)))
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
    bool trickles = quiet_us < (gint64)player->mode->timeout_ms * 1000;
    if (pending > 0 && trickles)
        return g_strdup_printf("%" G_GSIZE_FORMAT " bytes of a message, and still no end", pending);
    if (pending > 0)
        return g_strdup_printf("%" G_GSIZE_FORMAT " bytes of a message, and no more for %u ms",
                               pending, player->mode->timeout_ms);
    if (trickles)
        return g_strdup("other messages without end");
    return g_strdup_printf("nothing for %u ms", player->mode->timeout_ms);
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

/* An error reply is an answer: what says only that answers come is not broken by it. */
static bool answered_by_error(const Requirement *requirement, const Event *event)
{
    return requirement != NULL && requirement->level == REQUIREMENT_ROBUST &&
           event->kind == EVENT_OTHER && answer_is_part(event->message) &&
           event->message->answers && answer_error(event->message) != NBD_SUCCESS;
}

static void note_silence(Player *player, const Event *event)
{
    GPtrArray *findings = player->result->findings;

    if (event->kind == EVENT_SILENT && player->setup == 0)
        ((Finding *)findings->pdata[findings->len - 1])->no_answer = true;
}

void player_unexpected(Player *player, Connection *connection, const Statement *line,
                       const Event *event)
{
    if (event->kind == EVENT_OVER || event->kind == EVENT_MATCH ||
        player_excused_by_tls(player, connection, event))
        return;
    const Requirement *requirement = line == NULL ? NULL : blame(player, connection, line, event);
    if (excused(player, connection, requirement, event)) {
        player->over = true;
        return;
    }
    if (event->kind != EVENT_OTHER)
        player->result->doubtful = true;
    if (answered_by_error(requirement, event))
        requirement = NULL;

    g_autofree char *got = what_came(player, connection, event);
    g_autofree char *differs = line == NULL ? NULL : data_difference(player, line, event);
    g_autofree char *message = g_strdup_printf("%s%s",
                                               differs != NULL              ? differs
                                               : event->kind == EVENT_OTHER ? "got "
                                                                            : "",
                                               differs ? "" : got);
    if (requirement != NULL) {
        player_breach(player, requirement, line, message, got, event->message);
        note_silence(player, event);
        return;
    }
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
    player->setup--;
}

/* ---- Ending ----------------------------------------------------------------------------------- */

static void set_reason(Player *player, const char *format, va_list args)
{
    if (player->result->reason == NULL)
        player->result->reason = g_strdup_vprintf(format, args);
    player->over = true;
}

void player_skip(Player *player, const char *format, ...)
{
    va_list args;

    if (player->over)
        return;
    va_start(args, format);
    set_reason(player, format, args);
    va_end(args);
    player->skipped = true;
}

void player_block(Player *player, const char *requirement, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    set_reason(player, format, args);
    va_end(args);
    player->blocked = true;
    if (player->result->blocked_by == NULL)
        player->result->blocked_by = g_strdup(requirement);
}

void player_error(Player *player, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    set_reason(player, format, args);
    va_end(args);
    player->broken = true;
}

/* The gravest finding decides. */
void play_settle(PlayResult *result, bool skipped, bool blocked, bool broken)
{
    const Finding *worst = NULL;

    for (guint i = 0; i < result->findings->len; i++) {
        const Finding *finding = result->findings->pdata[i];
        if (worst == NULL ||
            requirement_breach(finding->requirement) < requirement_breach(worst->requirement))
            worst = finding;
    }
    bool failed = worst != NULL && is_failure(worst->requirement);
    if (broken)
        result->verdict = VERDICT_ERROR;
    else if (failed)
        result->verdict = VERDICT_FAIL;
    else if (blocked)
        result->verdict = VERDICT_BLOCKED;
    else if (worst != NULL)
        result->verdict = VERDICT_WARN;
    else
        result->verdict = skipped ? VERDICT_SKIP : VERDICT_PASS;

    if (result->verdict == VERDICT_FAIL || result->verdict == VERDICT_WARN) {
        static const VerdictKind kinds[] = {KIND_VIOLATION, KIND_ROBUSTNESS, KIND_NONE, KIND_HINT};
        if (failed && worst->no_answer)
            result->kind = KIND_NO_ANSWER;
        else
            result->kind = kinds[requirement_breach(worst->requirement)];
        g_free(result->reason);
        result->reason = g_strdup(worst->message);
    } else {
        result->kind = KIND_NONE;
    }
}

void play_result_settle(PlayResult *result)
{
    play_settle(result, false, false, false);
}
