/* Judging: every rule that concerns a message looks at it before it changes the session. */
#include "session/private.h"

static const SessionRules *const groups[] = {
    &session_greeting_rules,
    &session_greeting_flags_rules,
    &session_export_rules,
    &session_export_flags_rules,
    &session_option_reply_rules,
    &session_info_flags_rules,
    &session_size_rules,
    &session_reply_string_rules,
    &session_simple_reply_rules,
    &session_chunk_rules,
    &session_simple_error_rules,
    &session_chunk_error_rules,
    &session_chunk_form_rules,
    &session_chunk_content_rules,
    &session_chunk_failure_rules,
    &session_chunk_whole_rules,
    &session_chunk_string_rules,
    &session_status_rules,
    &session_status_whole_rules,
    &session_wide_rules,
    &session_client_flags_rules,
    &session_option_rules,
    &session_option_string_rules,
    &session_context_reply_rules,
    &session_context_option_rules,
    &session_tls_reply_rules,
    &session_tls_option_rules,
    &session_extended_reply_rules,
    &session_extended_option_rules,
    &session_extended_request_rules,
    &session_request_rules,
};

size_t session_rule_count(void)
{
    size_t count = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(groups); i++)
        count += groups[i]->count;
    return count;
}

static const SessionRule *rule_at(size_t rule)
{
    size_t group = 0;

    for (; rule >= groups[group]->count; group++)
        rule -= groups[group]->count;
    return &groups[group]->rules[rule];
}

const char *session_rule_name(size_t rule)
{
    return rule_at(rule)->name;
}

const char *session_rule_requirement(size_t rule)
{
    return rule_at(rule)->requirement;
}

uint64_t session_rule_uses(const Session *session, size_t rule)
{
    return session->uses[rule];
}

uint64_t session_rule_breaches(const Session *session, size_t rule)
{
    return session->breaches[rule];
}

bool session_judged_by_header(WireKind kind)
{
    switch (kind) {
    case WIRE_REQUEST:
    case WIRE_EXTENDED_REQUEST:
    case WIRE_SIMPLE_REPLY:
    case WIRE_CHUNK:
    case WIRE_EXTENDED_REPLY:
        return true;
    default:
        return false;
    }
}

static uint64_t wire_size(const SessionMessage *message)
{
    uint64_t head = wire_layout(message->kind)->size;

    return head + MIN(message->data_length, UINT64_MAX - head);
}

/* A breach that the other side has brought about by one of its own is not held against anybody; but
 * whoever breaks a MUST, for whatever reason, frees the other from what it owes. */
static void judge(Session *session, const SessionMessage *message, const SessionRule *rule,
                  size_t index, bool excused)
{
    if ((rule->scope == RULE_ENDPOINT && session->vantage != VANTAGE_ENDPOINT) ||
        (rule->once && session->breaches[index] > 0))
        return;
    excused = excused && rule->scope != RULE_EVEN_TAINTED;
    char *wrong = rule->broken(session, message);
    if (!excused) {
        session->uses[index]++;
        session->breaches[index] += wrong != NULL;
    }
    if (wrong == NULL)
        return;
    if (!excused) {
        session_find(session, message->from, rule->requirement,
                     session_message_bytes(message, SESSION_EVIDENCE), wire_size(message), wrong);
        return;
    }
    if (requirement_breach(requirement_find(rule->requirement)) == BREACH_VIOLATION)
        session_taint(session, message->from);
    g_free(wrong);
}

/* Extended messages obey what compact ones obey, as far as it is not about their form. Chunks that nobody
 * has asked for have one thing wrong with them, which session_chunk_rules tells. */
static bool concerns(const Session *session, const SessionRules *group,
                     const SessionMessage *message, bool whole)
{
    WireKind kind = message->kind;

    if (session_message_is_chunk(message) && !session->facts.structured &&
        group != &session_chunk_rules)
        return false;

    if (kind == WIRE_EXTENDED_REQUEST)
        kind = WIRE_REQUEST;
    else if (kind == WIRE_EXTENDED_REPLY)
        kind = WIRE_CHUNK;
    return group->kind == kind && whole == (group->whole || !session_judged_by_header(kind));
}

void session_judge(Session *session, const SessionMessage *message, bool whole)
{
    bool excused = session->stream[!message->from].tainted;
    size_t index = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(groups); i++) {
        if (concerns(session, groups[i], message, whole))
            for (size_t j = 0; j < groups[i]->count; j++)
                judge(session, message, &groups[i]->rules[j], index + j, excused);
        index += groups[i]->count;
    }
}
