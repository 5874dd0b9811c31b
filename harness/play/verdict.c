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
    g_free(finding->met_in);
    g_free(finding->transcript);
    g_free(finding);
}

void play_result_free(PlayResult *result)
{
    if (result == NULL)
        return;
    g_ptr_array_unref(result->findings);
    g_ptr_array_unref(result->setup);
    if (result->measurements != NULL)
        g_ptr_array_unref(result->measurements);
    g_free(result->reason);
    g_free(result->blocked_by);
    g_free(result->transcript);
    g_free(result);
}

/* ---- Recording -------------------------------------------------------------------------------- */

bool play_is_failure(const Requirement *requirement)
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

/* Files FINDING; what was found ON_THE_WAY to the test settles nothing by itself. A peer that breaks a rule time
 * and again, perhaps without end, has it told once. */
static void file(Player *player, Finding *finding, bool on_the_way)
{
    GPtrArray *findings = on_the_way ? player->result->setup : player->result->findings;

    if (!on_the_way && play_is_failure(finding->requirement))
        player->over = true;
    if (filed(findings, finding)) {
        finding_free(finding);
        return;
    }
    if (on_the_way)
        finding->transcript = g_strdup(player->transcript->str);
    g_ptr_array_add(findings, finding);
}

bool player_failed(const Player *player)
{
    for (guint i = 0; i < player->result->findings->len; i++) {
        const Finding *finding = player->result->findings->pdata[i];
        if (play_is_failure(finding->requirement))
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
    file(player, finding, player->setup > 0);
    if (player->setup > 0 && !player->blocked)
        player_block(player, requirement->id, "%s", message);
}

/* What the server tells of the export, it tells in each case: its sizes and its flags. */
static bool is_told_everywhere(const Requirement *requirement)
{
    return g_str_has_prefix(requirement->id, "size.") ||
           g_str_has_prefix(requirement->id, "transmission.flags.");
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
        file(player, finding, player->setup > 0 || is_told_everywhere(found->requirement));
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
    bool failed = worst != NULL && play_is_failure(worst->requirement);
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
