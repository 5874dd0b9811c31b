/* Requests; and the abstract ones, `: read …`: a request and its successful reply, whatever kind of reply
 * the run negotiates. */
#include "play/player.h"

RequestSpec player_request_spec(const Connection *connection, uint64_t command)
{
    return (RequestSpec){.command = command,
                         .cookie = connection->next_cookie,
                         .magic = UINT64_MAX,
                         .cut = UINT64_MAX,
                         .split = UINT64_MAX};
}

static bool is_extended(const Connection *connection, const RequestSpec *spec)
{
    return spec->form == FORM_AGREED ? session_facts(connection->session)->extended
                                     : spec->form == FORM_EXTENDED;
}

/* In an extended request a flag tells of the data behind it. */
static uint64_t flags_of(const RequestSpec *spec, bool extended)
{
    bool payload = spec->command == NBD_CMD_WRITE || spec->data != NULL;

    return spec->flags | (extended && payload && !spec->bare ? NBD_CMD_FLAG_PAYLOAD_LEN : 0);
}

GByteArray *player_request_bytes(const Connection *connection, const RequestSpec *spec)
{
    bool extended = is_extended(connection, spec);
    WireKind kind = extended ? WIRE_EXTENDED_REQUEST : WIRE_REQUEST;
    uint64_t value[WIRE_MAX_FIELDS];
    gsize size = 0;
    const void *data = spec->data == NULL ? NULL : g_bytes_get_data(spec->data, &size);

    wire_defaults(kind, value);
    if (spec->magic != UINT64_MAX)
        value[REQUEST_MAGIC] = spec->magic;
    value[REQUEST_FLAGS] = flags_of(spec, extended);
    value[REQUEST_TYPE] = spec->command;
    value[REQUEST_COOKIE] = spec->cookie;
    value[REQUEST_OFFSET] = spec->offset;
    value[REQUEST_LENGTH] = spec->length;
    return player_message(kind, value, data, size);
}

/* What a client may send at most, to whichever session it was told. */
static uint64_t told_maximum(const Player *player, const Connection *connection)
{
    SessionFacts facts = player_facts(player, connection);

    if (!facts.block_size_given && player->target != NULL)
        facts = player->target->facts;
    if (player->mode->agreed != NULL)
        return facts.maximum;
    return facts.block_size_given ? facts.maximum : UINT64_MAX;
}

static bool weighs_maximum(const Scenario *scenario)
{
    for (guint i = 0; i < scenario->needs->len; i++) {
        const Need *need = scenario->needs->pdata[i];
        if (g_str_equal(need->word, "maximum-payload"))
            return true;
    }
    return false;
}

/* A case for the usual maxima is not for a server with a smaller one. What is longer than those, or weighs
 * the maximum itself, means to be too long. */
static void weigh_length(Player *player, const Connection *connection, const RequestSpec *spec)
{
    uint64_t maximum = told_maximum(player, connection);
    bool carries = spec->command == NBD_CMD_READ || spec->command == NBD_CMD_WRITE;

    if (carries && spec->length > maximum && spec->length <= NBD_DEFAULT_MAX_PAYLOAD &&
        !weighs_maximum(player->scenario))
        player_skip(player,
                    "a request of %" G_GUINT64_FORMAT
                    " bytes is too long for the maximum payload, %" G_GUINT64_FORMAT,
                    spec->length, maximum);
}

void player_request(Player *player, Connection *connection, const RequestSpec *spec)
{
    weigh_length(player, connection, spec);
    if (player->over)
        return;
    g_autoptr(GByteArray) message = player_request_bytes(connection, spec);

    connection->last_cookie = spec->cookie;
    connection->has_cookie = true;
    if (spec->cookie >= connection->next_cookie && spec->cookie < UINT32_MAX)
        connection->next_cookie = spec->cookie + 1;
    if (spec->cut < message->len)
        g_byte_array_set_size(message, (guint)spec->cut);
    player_send_split(player, connection, message, (size_t)MIN(spec->split, message->len));
}

Match player_match_part(Player *player, Connection *connection, gpointer data,
                        const SessionMessage *message, guint *index)
{
    const uint64_t *cookie = data;

    (void)player;
    (void)connection;
    *index = 0;
    if (message == NULL || !answer_is_part(message))
        return MATCH_NO;
    return answer_cookie(message) == *cookie ? MATCH_YES : MATCH_PASS_OVER;
}

/* The part that ends the reply. */
static Match match_whole(Player *player, Connection *connection, gpointer data,
                         const SessionMessage *message, guint *index)
{
    Match match = player_match_part(player, connection, data, message, index);

    return match == MATCH_YES && !answer_is_whole(message) ? MATCH_PASS_OVER : match;
}

uint64_t player_request_error(Player *player, Connection *connection, const RequestSpec *spec)
{
    uint64_t cookie = spec->cookie;

    player_request(player, connection, spec);
    if (player->over)
        return NBD_SUCCESS;
    Event event = player_await(player, connection, match_whole, &cookie);
    uint64_t error = event.kind == EVENT_MATCH ? answer_error(event.message) : NBD_SUCCESS;
    session_message_free(event.message);
    return error;
}

static Match match_success(Player *player, Connection *connection, gpointer data,
                           const SessionMessage *message, guint *index)
{
    Match match = match_whole(player, connection, data, message, index);

    return match == MATCH_YES ? match_if(answer_error(message) == NBD_SUCCESS) : match;
}

static uint64_t size_of(const Statement *line, const RequestSpec *spec)
{
    return line_arg(line, "length") == NULL && spec->data != NULL ? g_bytes_get_size(spec->data)
                                                                  : spec->length;
}

/* Who was hung up on had been let in, as far as the case can know; and a `then` line is played however far the lines
 * before it came. */
bool player_is_in(Player *player, const Connection *connection, const Statement *line)
{
    SessionPhase phase = session_phase(connection->session);
    bool in = phase == PHASE_TRANSMISSION || phase == PHASE_DISCONNECTING || phase == PHASE_ENDED ||
              connection->closed;

    if (!in && !line->then)
        player_error(player, "line %u: connection %s is not in the transmission phase",
                     line->place.line, connection->name);
    return in;
}

SessionMessage *player_transact(Player *player, Connection *connection, const Statement *line,
                                const RequestSpec *spec)
{
    uint64_t cookie = spec->cookie;

    player_request(player, connection, spec);
    if (player->over)
        return NULL;
    return player_await_message(player, connection, line, match_success, &cookie);
}

/* Sends the request and takes its reply; the caller owns that. NULL if it is not a success. */
static SessionMessage *transact(Player *player, Connection *connection, const Statement *line,
                                uint64_t command)
{
    const Arg *data = line_arg(line, "data");
    RequestSpec spec = player_request_spec(connection, command);

    spec.flags = player_integer(player, line, "flags", &wire_command_flags, 0);
    spec.offset = player_integer(player, line, "offset", NULL, 0);
    spec.length = player_integer(player, line, "length", NULL, 0);
    if (data != NULL)
        spec.data = player_payload(player, data->value, spec.offset, spec.length);
    spec.length = size_of(line, &spec);
    SessionMessage *reply = player->over ? NULL : player_transact(player, connection, line, &spec);
    g_clear_pointer(&spec.data, g_bytes_unref);
    return reply;
}

static void play_transaction(Player *player, const Statement *line)
{
    static const struct {
        const char *verb;
        uint64_t command;
    } commands[] = {{"read", NBD_CMD_READ},   {"write", NBD_CMD_WRITE},
                    {"flush", NBD_CMD_FLUSH}, {"trim", NBD_CMD_TRIM},
                    {"cache", NBD_CMD_CACHE}, {"write-zeroes", NBD_CMD_WRITE_ZEROES}};
    Connection *connection = player_connection(player, line);
    const Arg *expect = line_arg(line, "expect");

    if (connection == NULL || !player_is_in(player, connection, line))
        return;
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (!g_str_equal(commands[i].verb, line->verb))
            continue;
        g_autoptr(SessionMessage) reply = transact(player, connection, line, commands[i].command);
        if (reply == NULL || expect == NULL)
            return;
        g_autofree char *wrong =
            player_differs(player, expect->value, reply->request.offset, answer_content(reply));
        if (wrong != NULL) {
            Event event = {.kind = EVENT_OTHER, .message = reply};
            player_unexpected(player, connection, line, &event);
        }
        return;
    }
}

static Match match_end(Player *player, Connection *connection, gpointer data,
                       const SessionMessage *message, guint *index)
{
    (void)player;
    (void)connection;
    (void)data;
    *index = 0;
    return message == NULL ? MATCH_YES : MATCH_PASS_OVER;
}

static void play_disconnect(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);

    if (connection == NULL || !player_is_in(player, connection, line))
        return;
    RequestSpec spec = player_request_spec(connection, NBD_CMD_DISC);
    player_request(player, connection, &spec);
    Event event = player_await(player, connection, match_end, NULL);
    if (event.kind != EVENT_MATCH)
        player_unexpected(player, connection, line, &event);
    else
        play_connection_end(connection, END_CLOSE);
    session_message_free(event.message);
}

static const Position none[] = {{0}};
static const Field no_fields[] = {{0}};
static const Field range_fields[] = {{"offset", FIELD_INTEGER, NULL},
                                     {"length", FIELD_INTEGER, NULL},
                                     {"flags", FIELD_INTEGER, &wire_command_flags},
                                     {0}};
static const Field flush_fields[] = {{"flags", FIELD_INTEGER, &wire_command_flags}, {0}};
static const Field read_fields[] = {{"offset", FIELD_INTEGER, NULL},
                                    {"length", FIELD_INTEGER, NULL},
                                    {"flags", FIELD_INTEGER, &wire_command_flags},
                                    {"expect", FIELD_PAYLOAD, NULL},
                                    {0}};
static const Field write_fields[] = {{"offset", FIELD_INTEGER, NULL},
                                     {"length", FIELD_INTEGER, NULL},
                                     {"flags", FIELD_INTEGER, &wire_command_flags},
                                     {"data", FIELD_PAYLOAD, NULL},
                                     {0}};

#define ABSTRACT(name_, fields_, writes_, usage_, manual_)                                         \
    {                                                                                              \
        .name = name_, .actor = ACTOR_ABSTRACT, .positions = none, .fields = fields_,              \
        .writes = writes_, .play = play_transaction, .usage = usage_, .manual = manual_            \
    }

static const Verb verbs[] = {
    ABSTRACT("read", read_fields, false, ": read offset=N length=N [flags=FLAGS] [expect=PAYLOAD]",
             "READ and its successful reply. `expect` is `pattern`, `other`, `zero`, or a string."),
    ABSTRACT("write", write_fields, true, ": write offset=N [length=N] data=PAYLOAD [flags=FLAGS]",
             "WRITE and its successful reply."),
    ABSTRACT("flush", flush_fields, false, ": flush [flags=FLAGS]",
             "FLUSH and its successful reply."),
    ABSTRACT("trim", range_fields, true, ": trim offset=N length=N [flags=FLAGS]",
             "TRIM and its successful reply."),
    ABSTRACT("cache", range_fields, false, ": cache offset=N length=N [flags=FLAGS]",
             "CACHE and its successful reply."),
    ABSTRACT("write-zeroes", range_fields, true, ": write-zeroes offset=N length=N [flags=FLAGS]",
             "WRITE_ZEROES and its successful reply."),
    {.name = "disconnect",
     .actor = ACTOR_ABSTRACT,
     .positions = none,
     .fields = no_fields,
     .play = play_disconnect,
     .usage = ": disconnect",
     .manual = "DISC, and the server's close."},
};
VERB_TABLE(play_request_verbs, verbs);
