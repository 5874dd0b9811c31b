/* What the size constraints that a server advertises obey (proto.md, "Size constraints"). What
 * builds on a value that is wrong in itself is not judged a second time. */
#include "session/private.h"

#define DEC "%" G_GUINT64_FORMAT

static bool power_of_2(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static bool legal_minimum(uint64_t minimum)
{
    return power_of_2(minimum) && minimum <= 65536;
}

static bool sizes(const SessionMessage *message, uint64_t *minimum, uint64_t *preferred,
                  uint64_t *maximum)
{
    if (message->inner != WIRE_INFO_BLOCK_SIZE ||
        message->data_length != wire_layout(WIRE_INFO_BLOCK_SIZE)->size)
        return false;
    *minimum = message->inner_value[INFO_BLOCK_SIZE_MINIMUM];
    *preferred = message->inner_value[INFO_BLOCK_SIZE_PREFERRED];
    *maximum = message->inner_value[INFO_BLOCK_SIZE_MAXIMUM];
    return true;
}

#define SIZE_RULE(name, wrong, ...)                                                                \
    static char *name(const Session *session, const SessionMessage *message)                       \
    {                                                                                              \
        uint64_t minimum, preferred, maximum;                                                      \
        (void)session;                                                                             \
        if (!sizes(message, &minimum, &preferred, &maximum) || !(wrong))                           \
            return NULL;                                                                           \
        return g_strdup_printf(__VA_ARGS__);                                                       \
    }

SIZE_RULE(minimum_power_of_2, !power_of_2(minimum),
          "the minimum block size is " DEC ", no power of 2", minimum)
SIZE_RULE(minimum_65536, power_of_2(minimum) && minimum > 65536,
          "the minimum block size is " DEC ", over 65536", minimum)
SIZE_RULE(preferred_power_of_2, !power_of_2(preferred),
          "the preferred block size is " DEC ", no power of 2", preferred)
SIZE_RULE(preferred_at_least,
          power_of_2(preferred) && preferred < (legal_minimum(minimum) ? MAX(minimum, 512) : 512),
          "the preferred block size is " DEC ", below 512 or below the minimum of " DEC, preferred,
          minimum)
SIZE_RULE(maximum_at_least_preferred, power_of_2(preferred) && maximum < preferred,
          "the maximum payload is " DEC ", below the preferred block size of " DEC, maximum,
          preferred)

/* Two of the constraints concern the export's size, which comes in another message, before or
 * after. */
static const SessionOption *sized(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = session_current_option(session);

    if (message->value[REPLY_MAGIC] != NBD_OPTION_REPLY_MAGIC ||
        message->value[REPLY_TYPE] != NBD_REP_ACK || option == NULL || !option->export_seen ||
        !option->block_size_seen)
        return NULL;
    return option;
}

static char *multiple_of_minimum(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = sized(session, message);

    if (option == NULL || !legal_minimum(option->minimum) || option->size % option->minimum == 0)
        return NULL;
    return g_strdup_printf("the export's size of " DEC
                           " is no multiple of its minimum block size of "
                           "%u: its last bytes are out of reach",
                           option->size, option->minimum);
}

static char *maximum_at_least_1m(const Session *session, const SessionMessage *message)
{
    const SessionOption *option = sized(session, message);
    const uint32_t enough = 1u << 20;

    if (option == NULL || option->size < enough || option->maximum >= enough)
        return NULL;
    return g_strdup_printf("the maximum payload is %u, below 1 MiB, and the export is larger",
                           option->maximum);
}

static const SessionRule rules[] = {
    SESSION_RULE(minimum_power_of_2, REQ("size.minimum-power-of-2"), RULE_ALWAYS),
    SESSION_RULE(minimum_65536, REQ("size.minimum-max-65536"), RULE_ALWAYS),
    SESSION_RULE(preferred_power_of_2, REQ("size.preferred-power-of-2"), RULE_ALWAYS),
    SESSION_RULE(preferred_at_least, REQ("size.preferred-at-least"), RULE_ALWAYS),
    SESSION_RULE(maximum_at_least_preferred, REQ("size.maximum-at-least-preferred"), RULE_ALWAYS),
    SESSION_RULE(multiple_of_minimum, REQ("size.export-multiple-of-minimum"), RULE_ENDPOINT),
    SESSION_RULE(maximum_at_least_1m, REQ("size.maximum-at-least-1m"), RULE_ENDPOINT),
};
SESSION_RULES(session_size_rules, WIRE_OPTION_REPLY, rules);
