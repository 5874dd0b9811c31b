/* Messages of the handshake, and where quirks reach into them. */
#include <string.h>

#include "reference/handshake.h"
#include "reference/message_private.h"

/* ---- Greetings ------------------------------------------------------------------------------- */

/* Reserved bytes, of which number GARBLED (if there is such) is not zero. */
static void put_zeroes(Connection *c, uint64_t count, uint64_t garbled)
{
    uint8_t zeroes[1024] = {0};

    if (garbled < sizeof zeroes)
        zeroes[garbled] = 0xff;
    message_put_bytes(c, zeroes, MIN(count, sizeof zeroes));
}

static bool alter_greeting(Connection *c, uint64_t greeting[WIRE_MAX_FIELDS], uint64_t *size,
                           uint64_t *flags, uint64_t *zeroes, uint64_t *garbled)
{
    QuirkEvent event =
        QUIRK_EVENT([F_PASSWD] = greeting[GREETING_PASSWD], [F_MAGIC] = greeting[GREETING_MAGIC],
                    [F_FLAGS] = *flags, [F_SIZE] = *size, [F_ZEROES] = *zeroes,
                    [F_CONNECTIONS] = ref_server_accepted(c->loop->server));

    message_apply(c, AT_GREETING, &event);
    if (message_cut_off(c, &event))
        return false;
    greeting[GREETING_PASSWD] = event.field[F_PASSWD];
    greeting[GREETING_MAGIC] = event.field[F_MAGIC];
    *flags = event.field[F_FLAGS];
    *size = event.field[F_SIZE];
    *zeroes = event.field[F_ZEROES];
    *garbled = event.garble;
    message_follow_up(c, &event, NULL);
    return true;
}

void message_put_oldstyle(Connection *c)
{
    uint64_t greeting[WIRE_MAX_FIELDS] = {NBD_INIT_PASSWD, NBD_CLISERV_MAGIC};
    uint64_t rest[WIRE_MAX_FIELDS] = {c->facts.size, c->facts.flags};
    uint64_t zeroes = NBD_ZEROES, garbled = UINT64_MAX;

    if (message_is_quirky(c) && !alter_greeting(c, greeting, &rest[OLDSTYLE_SIZE],
                                                &rest[OLDSTYLE_FLAGS], &zeroes, &garbled))
        return;
    message_put(c, WIRE_GREETING, greeting);
    message_put(c, WIRE_OLDSTYLE, rest);
    put_zeroes(c, zeroes, garbled);
}

void message_put_newstyle(Connection *c, uint64_t handshake_flags)
{
    uint64_t greeting[WIRE_MAX_FIELDS] = {NBD_INIT_PASSWD, NBD_IHAVEOPT};
    uint64_t flags[WIRE_MAX_FIELDS] = {handshake_flags};
    uint64_t size = 0, zeroes = 0;
    uint64_t garbled;

    if (message_is_quirky(c) &&
        !alter_greeting(c, greeting, &size, &flags[NEWSTYLE_FLAGS], &zeroes, &garbled))
        return;
    message_put(c, WIRE_GREETING, greeting);
    message_put(c, WIRE_NEWSTYLE, flags);
}

/* ---- Options --------------------------------------------------------------------------------- */

bool message_get_client_flags(Connection *c, uint32_t *flags)
{
    uint64_t values[WIRE_MAX_FIELDS];

    if (!message_get(c, WIRE_CLIENT_FLAGS, values))
        return false;
    leak_see_message(c, LEAK_SEES_FLAGS, 0);
    *flags = (uint32_t)values[CLIENT_FLAGS_FLAGS];
    if (message_is_quirky(c)) {
        QuirkEvent event = QUIRK_EVENT([F_FLAGS] = *flags);
        message_apply(c, AT_CLIENT_FLAGS, &event);
        message_cut_off(c, &event);
        message_follow_up(c, &event, NULL);
        *flags = (uint32_t)event.field[F_FLAGS];
    }
    return true;
}

bool message_get_option_header(Connection *c, uint64_t values[WIRE_MAX_FIELDS])
{
    if (!message_get(c, WIRE_OPTION, values))
        return false;
    leak_see_message(c, LEAK_SEES_OPTION, values[OPTION_OPTION]);
    if (message_is_quirky(c)) {
        QuirkEvent event =
            QUIRK_EVENT([F_MAGIC] = values[OPTION_MAGIC], [F_OPTION] = values[OPTION_OPTION],
                        [F_LENGTH] = values[OPTION_LENGTH]);
        message_apply(c, AT_OPTION_HEADER, &event);
        message_cut_off(c, &event);
        values[OPTION_MAGIC] = event.field[F_MAGIC];
        values[OPTION_OPTION] = event.field[F_OPTION];
        values[OPTION_LENGTH] = event.field[F_LENGTH];
    }
    return true;
}

static uint64_t claimed_name_length(uint32_t option, const uint8_t *data, uint32_t length)
{
    bool has_length_field = option == NBD_OPT_INFO || option == NBD_OPT_GO;

    if (!has_length_field)
        return option == NBD_OPT_EXPORT_NAME ? length : 0;
    return length >= 4 ? wire_get(data, 4) : 0;
}

/* The information requests, as far as they are there: how many are claimed, and the highest. */
static void claimed_requests(QuirkEvent *event, const uint8_t *data, uint32_t length)
{
    uint64_t name_length = event->field[F_NAME_LENGTH];

    if (length < 6 || name_length > length - 6)
        return;
    uint64_t at = 4 + name_length;
    event->field[F_REQUESTS] = wire_get(data + at, 2);
    for (at += 2; at + 2 <= length; at += 2)
        event->field[F_HIGHEST] = MAX(event->field[F_HIGHEST], wire_get(data + at, 2));
}

/* Bytes of the name that C's strings, paths, formats or terminals take for something else. */
static uint64_t odd_bytes(uint32_t option, const uint8_t *data, uint32_t length)
{
    uint32_t at = option == NBD_OPT_EXPORT_NAME ? 0 : 4;
    uint64_t end = MIN(length, at + claimed_name_length(option, data, length));
    uint64_t odd = 0;

    for (; at < end; at++)
        odd += !g_ascii_isprint(data[at]) || data[at] == '%' || data[at] == '/';
    return odd;
}

/* The queries for metadata contexts, of well-formed data: how many, and how long the first is. */
static void claimed_queries(QuirkEvent *event, const uint8_t *data, uint32_t length)
{
    WireContextRequest request;
    bool parses = wire_parse_context_request(data, length, &request);

    event->field[F_REQUESTS] = parses ? request.query_count : UINT64_MAX;
    if (parses && request.query_count > 0)
        event->field[F_QUERY] = wire_get(request.queries, 4);
}

/* Of what earlier options have brought about, only KEEP has effect from here on. */
static void keep_agreed(Connection *c, uint64_t keep)
{
    if (!(keep & KEEP_REPLIES))
        c->agreed.replies = SIMPLE_REPLIES;
    if (!(keep & KEEP_CONTEXTS))
        c->agreed.contexts = 0;
}

bool message_see_option(Connection *c, const uint8_t *data, uint32_t *length)
{
    if (!message_is_quirky(c))
        return true;
    QuirkEvent event = QUIRK_EVENT(
        [F_OPTION] = c->option.option, [F_LENGTH] = *length,
        [F_NAME_LENGTH] = claimed_name_length(c->option.option, data, *length),
        [F_NAME_ODD] = odd_bytes(c->option.option, data, *length), [F_LEFT] = c->hung_up,
        [F_BARE] = handshake_is_bare(c), [F_KEEP] = KEEP_REPLIES | KEEP_CONTEXTS);
    if (c->option.option == NBD_OPT_INFO || c->option.option == NBD_OPT_GO)
        claimed_requests(&event, data, *length);
    if (c->option.option == NBD_OPT_LIST_META_CONTEXT ||
        c->option.option == NBD_OPT_SET_META_CONTEXT)
        claimed_queries(&event, data, *length);
    message_apply(c, AT_OPTION, &event);
    keep_agreed(c, event.field[F_KEEP]);
    if (message_cut_off(c, &event))
        return false;
    if (event.fate == DO_REFUSE) {
        message_put_option_reply(c, (uint32_t)event.fate_value, NULL, 0);
        return false;
    }
    *length = (uint32_t)MIN(event.field[F_LENGTH], *length);
    c->option.option = (uint32_t)event.field[F_OPTION];
    c->option.exempt = event.field[F_BARE] == 0;
    c->option.backwards = event.field[F_BACKWARDS] != 0;
    c->option.wide = event.field[F_WIDE] != 0;
    return true;
}

const Export *message_see_export(Connection *c, const Export *export, size_t name_length,
                                 ExportFacts *facts)
{
    if (!message_is_quirky(c))
        return export;
    QuirkEvent event = QUIRK_EVENT(
        [F_OPTION] = c->option.option, [F_NAME_LENGTH] = name_length, [F_KNOWN] = export != NULL,
        [F_SIZE] = facts->size, [F_FLAGS] = facts->flags, [F_MINIMUM] = facts->minimum,
        [F_PREFERRED] = facts->preferred, [F_MAXIMUM] = facts->maximum,
        [F_CONSTRAINED] = facts->constrained, [F_LENIENT] = facts->lenient,
        [F_REQUIRE] = facts->require, [F_TLS_ONLY] = facts->tls_only);
    message_apply(c, AT_FACTS, &event);
    if (event.field[F_KEEP] & KEEP_CONTEXTS)
        c->agreed.contexts_of = export;
    message_cut_off(c, &event);
    c->hoard = event.hoard;
    if (event.fate == DO_REFUSE)
        message_put_option_reply(c, (uint32_t)event.fate_value, NULL, 0);
    *facts = (ExportFacts){
        .size = event.field[F_SIZE],
        .flags = event.field[F_FLAGS],
        .minimum = event.field[F_MINIMUM],
        .preferred = event.field[F_PREFERRED],
        .maximum = event.field[F_MAXIMUM],
        .unfragmented = facts->unfragmented,
        .constrained = event.field[F_CONSTRAINED] != 0,
        .lenient = event.field[F_LENIENT] != 0,
        .require = event.field[F_REQUIRE] != 0,
        .tls_only = event.field[F_TLS_ONLY] != 0,
    };
    return export;
}

static uint64_t phase_of(const Connection *c)
{
    return c->step == transmission_step ? 2 : 1;
}

void message_see_leave(Connection *c)
{
    leak_see_leave(c);
    if (!message_is_quirky(c))
        return;
    QuirkEvent event = QUIRK_EVENT([F_PHASE] = phase_of(c), [F_LENGTH] = connection_available(c));
    message_apply(c, AT_LEAVE, &event);
    message_cut_off(c, &event);
}

/* ---- TLS ------------------------------------------------------------------------------------- */

static const char *const versions[VERSIONS_COUNT] = {
    [VERSIONS_NO_1_3] = "NORMAL:-VERS-ALL:+VERS-TLS1.2",
    [VERSIONS_NO_1_2] = "NORMAL:-VERS-ALL:+VERS-TLS1.3",
    [VERSIONS_OLD] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:+VERS-TLS1.1:+VERS-TLS1.0",
};

TlsStart message_see_tls(Connection *c)
{
    TlsStart start = {0};

    if (!message_is_quirky(c))
        return start;
    QuirkEvent event = QUIRK_EVENT([F_WAITING] = connection_available(c));
    message_apply(c, AT_TLS, &event);
    message_cut_off(c, &event);
    uint64_t keep = event.field[F_KEEP];
    if (keep & KEEP_REPLIES)
        start.agreed.replies = c->agreed.replies;
    if (keep & KEEP_CONTEXTS) {
        start.agreed.contexts = c->agreed.contexts;
        start.agreed.contexts_of = c->agreed.contexts_of;
    }
    start.keeps_input = keep & KEEP_INPUT;
    start.stays_plain = keep & KEEP_PLAIN;
    start.hushed = event.field[F_HUSHED] != 0;
    start.priorities = versions[MIN(event.field[F_VERSIONS], VERSIONS_COUNT - 1)];
    return start;
}

bool message_see_tls_end(Connection *c, bool hangs_up)
{
    if (!message_is_quirky(c))
        return true;
    QuirkEvent event = QUIRK_EVENT([F_PHASE] = phase_of(c), [F_HANGS_UP] = hangs_up);
    message_apply(c, AT_TLS_END, &event);
    if (event.field[F_ALERT] != 0)
        tls_session_alert(c->tls);
    return event.fate != DO_DROP && event.field[F_ALERT] == 0;
}

/* Header and data of one option reply. */
static void put_option_reply(Connection *c, const uint64_t values[WIRE_MAX_FIELDS],
                             const uint8_t *data, size_t length, bool split)
{
    message_put(c, WIRE_OPTION_REPLY, values);
    if (split)
        connection_push(c);
    if (length > 0)
        message_put_bytes(c, data, length);
}

/* What goes ahead of a reply: an empty name, a metadata context, or nothing but the header. */
static void put_inserted(Connection *c, uint64_t option, uint64_t type)
{
    static const uint8_t no_name[] = {0, NBD_INFO_NAME};
    static const char context[] = "\0\0\0\x01"
                                  "base:allocation";
    uint64_t values[WIRE_MAX_FIELDS] = {NBD_OPTION_REPLY_MAGIC, option, type};

    if (type == NBD_REP_INFO)
        values[REPLY_LENGTH] = sizeof no_name;
    else if (type == NBD_REP_META_CONTEXT)
        values[REPLY_LENGTH] = sizeof context - 1;
    put_option_reply(c, values, type == NBD_REP_INFO ? no_name : (const uint8_t *)context,
                     values[REPLY_LENGTH], false);
}

static void put_quirky_option_reply(Connection *c, uint64_t values[WIRE_MAX_FIELDS],
                                    const uint8_t *data, size_t length)
{
    bool is_info = values[REPLY_TYPE] == NBD_REP_INFO && length >= 2;
    QuirkEvent event =
        QUIRK_EVENT([F_MAGIC] = values[REPLY_MAGIC], [F_OPTION] = values[REPLY_OPTION],
                    [F_TYPE] = values[REPLY_TYPE], [F_LENGTH] = values[REPLY_LENGTH],
                    [F_INFO] = is_info ? wire_get(data, 2) : NO_INFO);
    bool is_server = values[REPLY_TYPE] == NBD_REP_SERVER && length >= 4;
    bool is_context = values[REPLY_TYPE] == NBD_REP_META_CONTEXT && length >= 4;

    if (is_context)
        event.field[F_ID] = wire_get(data, 4);
    if (is_server)
        event.field[F_NAME_LENGTH] = wire_get(data, 4);
    message_apply(c, AT_OPTION_REPLY, &event);
    if (message_cut_off(c, &event))
        return;
    g_autoptr(GByteArray) changed = g_byte_array_new();
    g_byte_array_append(changed, data, (guint)length);
    if (is_context)
        wire_put(changed->data, 4, event.field[F_ID]);
    quirk_change_data(&event, changed);
    if (is_server && changed->len >= 4)
        wire_put(changed->data, 4, event.field[F_NAME_LENGTH]);
    values[REPLY_MAGIC] = event.field[F_MAGIC];
    values[REPLY_OPTION] = event.field[F_OPTION];
    values[REPLY_TYPE] = event.field[F_TYPE];
    values[REPLY_LENGTH] = event.field[F_LENGTH] + changed->len - length;
    if (event.insert != 0)
        put_inserted(c, event.field[F_OPTION], event.insert);
    put_option_reply(c, values, changed->data, changed->len, event.split);
    if (event.twice)
        put_option_reply(c, values, changed->data, changed->len, false);
    message_follow_up(c, &event, NULL);
}

void message_put_option_reply(Connection *c, uint32_t type, const void *data, size_t length)
{
    uint64_t values[WIRE_MAX_FIELDS] = {NBD_OPTION_REPLY_MAGIC, c->option.option, type, length};

    if (c->fate != FATE_NONE)
        return;
    if (message_is_quirky(c))
        put_quirky_option_reply(c, values, data, length);
    else
        put_option_reply(c, values, data, length, false);
}

void message_put_export(Connection *c)
{
    uint64_t values[WIRE_MAX_FIELDS] = {c->facts.size, c->facts.flags};
    uint64_t zeroes = c->client_flags & NBD_FLAG_C_NO_ZEROES ? 0 : NBD_ZEROES;
    uint64_t garbled = UINT64_MAX;

    if (c->fate != FATE_NONE)
        return;
    if (message_is_quirky(c)) {
        QuirkEvent event = QUIRK_EVENT([F_SIZE] = values[EXPORT_SIZE],
                                       [F_FLAGS] = values[EXPORT_FLAGS], [F_ZEROES] = zeroes);
        message_apply(c, AT_EXPORT, &event);
        if (message_cut_off(c, &event))
            return;
        values[EXPORT_SIZE] = event.field[F_SIZE];
        values[EXPORT_FLAGS] = event.field[F_FLAGS];
        zeroes = event.field[F_ZEROES];
        garbled = event.garble;
        message_follow_up(c, &event, NULL);
    }
    message_put(c, WIRE_EXPORT, values);
    put_zeroes(c, zeroes, garbled);
}
