/* Judging: every rule that concerns a message looks at it before it changes the session. */
#include "session/private.h"

static const SessionRule *rule_at(size_t index)
{
    if (index < session_handshake_rule_count)
        return &session_handshake_rules[index];
    index -= session_handshake_rule_count;
    if (index < session_transmission_rule_count)
        return &session_transmission_rules[index];
    return &session_client_rules[index - session_transmission_rule_count];
}

size_t session_rule_count(void)
{
    return session_handshake_rule_count + session_transmission_rule_count +
           session_client_rule_count;
}

const char *session_rule_name(size_t rule)
{
    return rule_at(rule)->name;
}

uint64_t session_rule_uses(const Session *session, size_t rule)
{
    return session->uses[rule];
}

void session_judge(Session *session, const SessionMessage *message)
{
    size_t count = session_rule_count();

    for (size_t i = 0; i < count; i++) {
        const SessionRule *rule = rule_at(i);
        if (rule->by != message->from || rule->kind != message->kind)
            continue;
        if (rule->endpoint && session->vantage != VANTAGE_ENDPOINT)
            continue;
        session->uses[i]++;
        char *wrong = rule->broken(session, message);
        if (wrong != NULL)
            session_find(session, rule->by, rule->requirement, message, wrong);
    }
}
