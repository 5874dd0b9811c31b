/* What a server's greeting obeys, and the transmission flags, which come in three messages. */
#include "session/private.h"

#define HEX "%#" G_GINT64_MODIFIER "x"

/* ---- Greeting -------------------------------------------------------------------------------- */

static char *greeting(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (message->value[GREETING_PASSWD] != NBD_INIT_PASSWD)
        return g_strdup_printf("the greeting begins with " HEX ", which is not NBDMAGIC",
                               message->value[GREETING_PASSWD]);
    if (!message->hello)
        return g_strdup_printf("after NBDMAGIC comes " HEX ", which is neither IHAVEOPT nor the "
                               "magic number of the oldstyle greeting",
                               message->value[GREETING_MAGIC]);
    return NULL;
}

static char *handshake_flags_defined(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (message->inner != WIRE_NEWSTYLE)
        return NULL;
    uint64_t unknown =
        message->inner_value[NEWSTYLE_FLAGS] & ~wire_known_bits(&wire_handshake_flags);
    return unknown == 0
               ? NULL
               : g_strdup_printf("the greeting sets undefined handshake flags: " HEX, unknown);
}

static char *oldstyle_flags(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (message->inner != WIRE_OLDSTYLE || message->inner_value[OLDSTYLE_FLAGS] >> 16 == 0)
        return NULL;
    return g_strdup_printf("the oldstyle greeting's flags are " HEX
                           ": their upper half, where handshake flags would stand, is not zero",
                           message->inner_value[OLDSTYLE_FLAGS]);
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static char *oldstyle_reserved(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (message->inner != WIRE_OLDSTYLE)
        return NULL;
    size_t head = wire_layout(WIRE_OLDSTYLE)->size;
    if (message->data->len < head ||
        all_zero(message->data->data + head, message->data->len - head))
        return NULL;
    return g_strdup("the reserved bytes of the oldstyle greeting are not all zero");
}

/* ---- EXPORT_NAME ----------------------------------------------------------------------------- */

static char *export_zeroes(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (all_zero(message->data->data, message->data->len))
        return NULL;
    return g_strdup("the 124 reserved bytes behind EXPORT_NAME's size and flags are not all zero");
}

/* ---- Transmission flags ---------------------------------------------------------------------- */

/* The transmission flags come in three messages: these pick them out of each. */
static bool transmission_flags(const SessionMessage *message, uint64_t *flags)
{
    if (message->kind == WIRE_GREETING && message->inner == WIRE_OLDSTYLE)
        *flags = message->inner_value[OLDSTYLE_FLAGS] & 0xffff;
    else if (message->kind == WIRE_EXPORT)
        *flags = message->value[EXPORT_FLAGS];
    else if (message->kind == WIRE_OPTION_REPLY && message->inner == WIRE_INFO_EXPORT &&
             message->data_length == wire_layout(WIRE_INFO_EXPORT)->size)
        *flags = message->inner_value[INFO_EXPORT_FLAGS];
    else
        return false;
    return true;
}

static char *has_flags(const Session *session, const SessionMessage *message)
{
    uint64_t flags;

    (void)session;
    if (!transmission_flags(message, &flags) || flags & NBD_FLAG_HAS_FLAGS)
        return NULL;
    return g_strdup_printf("the transmission flags are " HEX ", without HAS_FLAGS (bit 0)", flags);
}

static char *df_needs_structured(const Session *session, const SessionMessage *message)
{
    uint64_t flags;

    if (!transmission_flags(message, &flags) || !(flags & NBD_FLAG_SEND_DF) ||
        session->facts.structured)
        return NULL;
    return g_strdup("SEND_DF is set, although structured replies were not negotiated");
}

static char *payload_needs_extended(const Session *session, const SessionMessage *message)
{
    uint64_t flags;

    if (!transmission_flags(message, &flags) || !(flags & NBD_FLAG_BLOCK_STATUS_PAYLOAD) ||
        session->facts.extended)
        return NULL;
    return g_strdup("BLOCK_STATUS_PAYLOAD is set, although extended headers were not negotiated");
}

static char *fast_zero_needs_write_zeroes(const Session *session, const SessionMessage *message)
{
    uint64_t flags;

    (void)session;
    if (!transmission_flags(message, &flags) || !(flags & NBD_FLAG_SEND_FAST_ZERO) ||
        flags & NBD_FLAG_SEND_WRITE_ZEROES)
        return NULL;
    return g_strdup("SEND_FAST_ZERO is set, although SEND_WRITE_ZEROES is not");
}

static const SessionRule greeting_rules[] = {
    SESSION_RULE(greeting, REQ("handshake.newstyle.greeting"), RULE_ALWAYS),
    SESSION_RULE(handshake_flags_defined, REQ("handshake.flags.undefined"), RULE_ALWAYS),
    SESSION_RULE(oldstyle_flags, REQ("handshake.flags.none-in-oldstyle"), RULE_ALWAYS),
    SESSION_RULE(oldstyle_reserved, REQ("handshake.oldstyle.reserved-zero"), RULE_ALWAYS),
};
SESSION_RULES(session_greeting_rules, WIRE_GREETING, greeting_rules);

static const SessionRule export_rules[] = {
    SESSION_RULE(export_zeroes, REQ("handshake.export-name.zeroes"), RULE_ALWAYS),
};
SESSION_RULES(session_export_rules, WIRE_EXPORT, export_rules);

static const SessionRule flags_rules[] = {
    SESSION_RULE(has_flags, REQ("transmission.flags.has-flags"), RULE_ALWAYS),
    SESSION_RULE(df_needs_structured, REQ("transmission.flags.df-needs-structured"), RULE_ALWAYS),
    SESSION_RULE(fast_zero_needs_write_zeroes,
                 REQ("transmission.flags.fast-zero-needs-write-zeroes"), RULE_ALWAYS),
    SESSION_RULE(payload_needs_extended, REQ("extended.flags.payload-needs-extended"),
                 RULE_ENDPOINT),
};
SESSION_RULES(session_greeting_flags_rules, WIRE_GREETING, flags_rules);
SESSION_RULES(session_export_flags_rules, WIRE_EXPORT, flags_rules);
SESSION_RULES(session_info_flags_rules, WIRE_OPTION_REPLY, flags_rules);
