/* The client's literal messages: `C: …`. What a line does not say has the value that a correct client
 * would send; what it says goes out as it stands, lies included. */
#include <string.h>

#include "play/player.h"

/* ---- Client flags ----------------------------------------------------------------------------- */

/* As a client does who goes on to STARTTLS. */
static bool speaks_well(const Connection *connection)
{
    const SessionFacts *facts = session_facts(connection->session);

    return !connection->corked && !connection->holding && !connection->closed &&
           connection->came.length == 0 && facts->style == STYLE_FIXED_NEWSTYLE &&
           (facts->client_flags & NBD_FLAG_C_FIXED_NEWSTYLE) != 0 &&
           session_phase(connection->session) == PHASE_HAGGLING &&
           !session_tainted(connection->session, SIDE_CLIENT);
}

static void play_client_flags(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);
    uint64_t value[WIRE_MAX_FIELDS] = {0};
    uint8_t bytes[4];

    if (connection == NULL)
        return;
    value[CLIENT_FLAGS_FLAGS] = player_integer(player, line, "value", &wire_client_flags, 0);
    for (guint i = 0; line_position(line, i) != NULL; i++) {
        uint64_t flag;
        if (!player_number(player, line_position(line, i), &wire_client_flags, &flag))
            return;
        value[CLIENT_FLAGS_FLAGS] |= flag;
    }
    wire_encode(WIRE_CLIENT_FLAGS, value, bytes);
    player_send(player, connection, bytes,
                (size_t)MIN(player_integer(player, line, "cut", NULL, 4), 4));
    if (speaks_well(connection))
        (void)player_secure(player, connection);
}

/* More data no option needs. */
#define MOST_DATA (64u << 20)

/* ---- Options ---------------------------------------------------------------------------------- */

static void append_number(GByteArray *data, size_t width, uint64_t number)
{
    uint8_t bytes[8];

    wire_put(bytes, width, number);
    g_byte_array_append(data, bytes, (guint)width);
}

static void append_bytes(GByteArray *data, GBytes *bytes)
{
    gsize size;
    const uint8_t *from = g_bytes_get_data(bytes, &size);

    if (size > 0)
        g_byte_array_append(data, from, (guint)size);
}

/* The bytes of argument NAME, or NULL if the line has none. */
static GBytes *bytes_arg(Player *player, const Statement *line, const char *name)
{
    const Arg *arg = line_arg(line, name);

    if (arg == NULL)
        return NULL;
    g_autoptr(Value) value = player_value(player, arg->value, NULL);
    if (value == NULL)
        return NULL;
    if (value->kind != VALUE_BYTES) {
        player_error(player, "line %u: %s= takes a string", arg->place.line, name);
        return NULL;
    }
    return g_bytes_ref(value->bytes);
}

static GBytes *name_arg(Player *player, const Statement *line)
{
    GBytes *name = bytes_arg(player, line, "name");

    if (name != NULL)
        return name;
    return g_bytes_new(player->mode->export_name, strlen(player->mode->export_name));
}

/* NBD_OPT_INFO and NBD_OPT_GO: name and information requests. */
static void append_info_request(Player *player, const Statement *line, GByteArray *data)
{
    g_autoptr(GBytes) name = name_arg(player, line);
    g_autoptr(GByteArray) infos = g_byte_array_new();
    unsigned count = 0;

    for (guint i = 0; i < line->args->len; i++) {
        const Arg *arg = line->args->pdata[i];
        uint64_t type;
        if (arg->name == NULL || !g_str_equal(arg->name, "info"))
            continue;
        if (!player_number(player, arg->value, &wire_info_types, &type))
            return;
        append_number(infos, 2, type);
        count++;
    }
    append_number(data, 4,
                  player_integer(player, line, "name-length", NULL, g_bytes_get_size(name)));
    append_bytes(data, name);
    append_number(data, 2, player_integer(player, line, "count", NULL, count));
    if (infos->len > 0)
        g_byte_array_append(data, infos->data, infos->len);
}

/* NBD_OPT_{LIST,SET}_META_CONTEXT: name and queries. */
static void append_context_request(Player *player, const Statement *line, GByteArray *data)
{
    g_autoptr(GBytes) name = name_arg(player, line);
    g_autoptr(GByteArray) queries = g_byte_array_new();
    uint64_t copies = player_integer(player, line, "copies", NULL, 1), count = 0;

    for (guint i = 0; i < line->args->len; i++) {
        const Arg *arg = line->args->pdata[i];
        if (arg->name == NULL || !g_str_equal(arg->name, "query"))
            continue;
        g_autoptr(Value) query = player_value(player, arg->value, NULL);
        if (query == NULL || query->kind != VALUE_BYTES)
            return;
        append_number(
            queries, 4,
            player_integer(player, line, "query-length", NULL, g_bytes_get_size(query->bytes)));
        append_bytes(queries, query->bytes);
        count++;
    }
    append_number(data, 4,
                  player_integer(player, line, "name-length", NULL, g_bytes_get_size(name)));
    append_bytes(data, name);
    append_number(data, 4, player_integer(player, line, "count", NULL, count * copies));
    for (uint64_t i = 0; i < copies && count > 0 && data->len < MOST_DATA; i++)
        g_byte_array_append(data, queries->data, queries->len);
}

static void append_option_data(Player *player, const Statement *line, uint64_t option,
                               GByteArray *data)
{
    g_autoptr(GBytes) raw = bytes_arg(player, line, "data");

    if (raw != NULL) {
        append_bytes(data, raw);
    } else if (option == NBD_OPT_EXPORT_NAME) {
        g_autoptr(GBytes) name = name_arg(player, line);
        append_bytes(data, name);
    } else if (option == NBD_OPT_INFO || option == NBD_OPT_GO) {
        append_info_request(player, line, data);
    } else if (option == NBD_OPT_LIST_META_CONTEXT || option == NBD_OPT_SET_META_CONTEXT) {
        append_context_request(player, line, data);
    }
}

static void play_option(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);
    g_autoptr(GByteArray) data = g_byte_array_new();
    uint64_t value[WIRE_MAX_FIELDS];

    if (connection == NULL)
        return;
    wire_defaults(WIRE_OPTION, value);
    if (!player_number(player, line_position(line, 0), &wire_options, &value[OPTION_OPTION]))
        return;
    append_option_data(player, line, value[OPTION_OPTION], data);
    value[OPTION_MAGIC] = player_integer(player, line, "magic", NULL, value[OPTION_MAGIC]);
    value[OPTION_LENGTH] = player_integer(player, line, "length", NULL, data->len);
    if (player->over)
        return;
    g_autoptr(GByteArray) message = player_message(WIRE_OPTION, value, data->data, data->len);
    uint64_t cut = player_integer(player, line, "cut", NULL, message->len);
    g_byte_array_set_size(message, (guint)MIN(cut, message->len));
    player_send_split(player, connection, message,
                      (size_t)player_integer(player, line, "split", NULL, message->len));
}

/* ---- Requests --------------------------------------------------------------------------------- */

/* BLOCK_STATUS with a payload: how much is asked about, and the contexts by their ids. NULL if the line says
 * nothing of that. */
static GBytes *status_payload(Player *player, const Statement *line)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();

    if (line_arg(line, "effect") == NULL)
        return NULL;
    append_number(payload, 8, player_integer(player, line, "effect", NULL, 0));
    for (guint i = 0; i < line->args->len; i++) {
        const Arg *arg = line->args->pdata[i];
        uint64_t id;
        if (arg->name == NULL || !g_str_equal(arg->name, "id"))
            continue;
        if (!player_number(player, arg->value, NULL, &id))
            return NULL;
        append_number(payload, 4, id);
    }
    return g_byte_array_free_to_bytes(g_steal_pointer(&payload));
}

static RequestForm form_of(const Statement *line)
{
    const Expr *word = line_position(line, 1);

    /* What begins otherwise than requests do is no request that could have been negotiated. */
    if (word == NULL)
        return line_arg(line, "magic") != NULL ? FORM_COMPACT : FORM_AGREED;
    return g_str_equal(word->text, "extended") ? FORM_EXTENDED : FORM_COMPACT;
}

static void play_request(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);
    const Arg *data = line_arg(line, "data");
    uint64_t command;

    if (connection == NULL ||
        !player_number(player, line_position(line, 0), &wire_commands, &command))
        return;
    RequestSpec spec = player_request_spec(connection, command);
    spec.form = form_of(line);
    spec.bare = player_integer(player, line, "payload", NULL, 1) == 0;
    spec.flags = player_integer(player, line, "flags", &wire_command_flags, 0);
    spec.cookie = player_integer(player, line, "cookie", NULL, connection->next_cookie);
    spec.offset = player_integer(player, line, "offset", NULL, 0);
    spec.length = player_integer(player, line, "length", NULL, 0);
    spec.magic = player_integer(player, line, "magic", NULL, spec.magic);
    spec.cut = player_integer(player, line, "cut", NULL, UINT64_MAX);
    spec.split = player_integer(player, line, "split", NULL, UINT64_MAX);
    if (data != NULL)
        spec.data = player_payload(player, data->value, spec.offset, spec.length);
    else
        spec.data = status_payload(player, line);
    if (spec.data != NULL && line_arg(line, "length") == NULL)
        spec.length = g_bytes_get_size(spec.data);
    if (!player->over)
        player_request(player, connection, &spec);
    g_clear_pointer(&spec.data, g_bytes_unref);
}

/* ---- Raw bytes -------------------------------------------------------------------------------- */

static void play_hex(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);
    g_autoptr(Value) text = player_value(player, line_position(line, 0), NULL);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    int high = -1;

    if (connection == NULL || text == NULL)
        return;
    gsize size = 0;
    const char *digits = text->kind == VALUE_BYTES ? g_bytes_get_data(text->bytes, &size) : "";
    for (gsize i = 0; i < size; i++) {
        int digit = g_ascii_xdigit_value(digits[i]);
        if (digit < 0)
            continue;
        if (high >= 0) {
            uint8_t byte = (uint8_t)(high << 4 | digit);
            g_byte_array_append(bytes, &byte, 1);
            high = -1;
        } else {
            high = digit;
        }
    }
    player_send(player, connection, bytes->data, bytes->len);
}

static void play_bytes(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);
    g_autoptr(Value) value = player_value(player, line_position(line, 0), NULL);

    if (connection == NULL || value == NULL)
        return;
    if (value->kind != VALUE_BYTES) {
        player_error(player, "line %u: bytes takes a string", line->place.line);
        return;
    }
    gsize size;
    const void *bytes = g_bytes_get_data(value->bytes, &size);
    player_send(player, connection, bytes, size);
}

/* ---- Ends ------------------------------------------------------------------------------------- */

static void end(Player *player, const Statement *line, ConnectionEnd how)
{
    Connection *connection = player_connection(player, line);

    if (connection != NULL)
        play_connection_end(connection, how);
}

static void play_close(Player *player, const Statement *line)
{
    end(player, line, END_CLOSE);
}

static void play_reset(Player *player, const Statement *line)
{
    end(player, line, END_RESET);
}

static void play_shutdown(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);

    if (connection == NULL)
        return;
    play_connection_end(connection, END_SHUTDOWN);
    player_flush(player, connection);
}

/* `reading`, or `sending`. */
static bool *held(Connection *connection, const Statement *line)
{
    return g_str_equal(line_position(line, 0)->text, "reading") ? &connection->holding
                                                                : &connection->corked;
}

static void play_hold(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);

    if (connection != NULL)
        *held(connection, line) = true;
}

static void play_resume(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);

    if (connection == NULL)
        return;
    *held(connection, line) = false;
    play_connection_move(connection);
}

/* ---- The table -------------------------------------------------------------------------------- */

static const char *const directions[] = {"reading", "sending", NULL};
static const Position no_positions[] = {{0}};
static const Position flags_positions[] = {
    {.names = &wire_client_flags, .many = true, .optional = true}, {0}};
static const Position option_positions[] = {{.names = &wire_options}, {0}};
static const char *const forms[] = {"compact", "extended", NULL};
static const Position command_positions[] = {
    {.names = &wire_commands}, {.words = forms, .optional = true}, {0}};
static const char *const any_words[] = {"", NULL};
static const Position bytes_positions[] = {{.words = any_words}, {0}};
static const Position hold_positions[] = {{.words = directions}, {0}};
static const Field no_fields[] = {{0}};
static const Field flags_fields[] = {
    {"value", FIELD_INTEGER, &wire_client_flags}, {"cut", FIELD_INTEGER, NULL}, {0}};
static const Field option_fields[] = {{"name", FIELD_BYTES, NULL},
                                      {"info", FIELD_INTEGER, &wire_info_types},
                                      {"data", FIELD_BYTES, NULL},
                                      {"length", FIELD_INTEGER, NULL},
                                      {"name-length", FIELD_INTEGER, NULL},
                                      {"count", FIELD_INTEGER, NULL},
                                      {"query", FIELD_BYTES, NULL},
                                      {"query-length", FIELD_INTEGER, NULL},
                                      {"copies", FIELD_INTEGER, NULL},
                                      {"magic", FIELD_INTEGER, NULL},
                                      {"cut", FIELD_INTEGER, NULL},
                                      {"split", FIELD_INTEGER, NULL},
                                      {0}};
static const Field request_fields[] = {{"flags", FIELD_INTEGER, &wire_command_flags},
                                       {"cookie", FIELD_INTEGER, NULL},
                                       {"offset", FIELD_INTEGER, NULL},
                                       {"length", FIELD_INTEGER, NULL},
                                       {"data", FIELD_PAYLOAD, NULL},
                                       {"effect", FIELD_INTEGER, NULL},
                                       {"id", FIELD_INTEGER, NULL},
                                       {"payload", FIELD_INTEGER, NULL},
                                       {"magic", FIELD_INTEGER, NULL},
                                       {"cut", FIELD_INTEGER, NULL},
                                       {"split", FIELD_INTEGER, NULL},
                                       {0}};

const Verb play_send_verbs[] = {
    {.name = "client-flags",
     .actor = ACTOR_CLIENT,
     .positions = flags_positions,
     .fields = flags_fields,
     .play = play_client_flags,
     .usage = "C: client-flags [FLAG…] [value=N] [cut=N]",
     .manual = "Sends the 32 bits of client flags: the named flags and the bits of `value`."},
    {.name = "option",
     .actor = ACTOR_CLIENT,
     .positions = option_positions,
     .fields = option_fields,
     .play = play_option,
     .usage =
         "C: option OPTION [name=S] [info=TYPE…] [query=S…] [copies=N] [data=S] [length=N] [name-length=N] "
         "[query-length=N] [count=N] [magic=N] [cut=N] [split=N]",
     .manual =
         "Sends an option. EXPORT_NAME, INFO and GO carry `name` (by default the run's export) and one "
         "information request for each `info`; LIST_META_CONTEXT and SET_META_CONTEXT `name` and each "
         "`query`, all of them `copies` times over; `data` replaces all of that. `length`, `name-length`, "
         "`query-length`, "
         "`count` and `magic` replace the true values; `cut` sends only the first N bytes, `split` those first, and "
         "the rest once the peer has taken them."},
    {.name = "request",
     .actor = ACTOR_CLIENT,
     .positions = command_positions,
     .fields = request_fields,
     .play = play_request,
     .usage =
         "C: request COMMAND [compact | extended] [flags=FLAGS] [cookie=N] [offset=N] [length=N] "
         "[data=PAYLOAD | effect=N [id=N…]] [payload=0] [magic=N] [cut=N] [split=N]",
     .manual =
         "Sends a request. The cookie is a new one unless given. `data` is `pattern`, `other` (a second "
         "pattern), `zero`, or a string; it follows the header as it is. `cut` sends only the first N "
         "bytes of header and data, `split` those first, and the rest once the peer has taken them. The header has the form that was negotiated, unless `compact` or "
         "`extended` says otherwise (with `magic` it is compact); in an extended one PAYLOAD_LEN is set for "
         "WRITE and with data, unless by `payload=0`. `effect` and `id` make the data of BLOCK_STATUS: a "
         "length, and ids of contexts."},
    {.name = "hex",
     .actor = ACTOR_CLIENT,
     .positions = bytes_positions,
     .fields = no_fields,
     .play = play_hex,
     .usage = "C: hex \"49484156 454f5054\"",
     .manual = "Sends bytes written in hexadecimal."},
    {.name = "bytes",
     .actor = ACTOR_CLIENT,
     .positions = bytes_positions,
     .fields = no_fields,
     .play = play_bytes,
     .usage = "C: bytes S",
     .manual = "Sends the bytes of a string expression."},
    {.name = "close",
     .actor = ACTOR_CLIENT,
     .positions = no_positions,
     .fields = no_fields,
     .play = play_close,
     .usage = "C: close",
     .manual = "Closes the connection."},
    {.name = "reset",
     .actor = ACTOR_CLIENT,
     .positions = no_positions,
     .fields = no_fields,
     .play = play_reset,
     .usage = "C: reset",
     .manual = "Ends the connection by a TCP reset."},
    {.name = "shutdown",
     .actor = ACTOR_CLIENT,
     .positions = no_positions,
     .fields = no_fields,
     .play = play_shutdown,
     .usage = "C: shutdown",
     .manual =
         "Ends our side of the stream, behind all that was sent; what the server still sends is read."},
    {.name = "hold",
     .actor = ACTOR_CLIENT,
     .positions = hold_positions,
     .fields = no_fields,
     .play = play_hold,
     .usage = "C: hold (reading | sending)",
     .manual =
         "Stops reading from this connection, or keeps back what is sent, until `C: resume reading` or "
         "`C: resume sending`: what was kept back then goes out in one piece."},
    {.name = "resume",
     .actor = ACTOR_CLIENT,
     .positions = hold_positions,
     .fields = no_fields,
     .play = play_resume,
     .usage = "C: resume (reading | sending)",
     .manual = "Reads again, or sends what was kept back."},
};
const size_t play_send_verb_count = G_N_ELEMENTS(play_send_verbs);
