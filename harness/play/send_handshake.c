/* What the client says in the handshake: `C: client-flags` and `C: option`. What a line does not say has the
 * value that a correct client would send; what it says goes out as it stands, lies included. */
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
    g_autoptr(GByteArray) message = g_byte_array_new();
    g_byte_array_append(message, bytes,
                        (guint)MIN(player_integer(player, line, "cut", NULL, 4), 4));
    player_send_split(player, connection, message,
                      (size_t)player_integer(player, line, "split", NULL, message->len));
    if (speaks_well(connection))
        (void)player_secure(player, connection);
}

/* ---- Options ---------------------------------------------------------------------------------- */

/* More data no option needs. */
#define MOST_DATA (64u << 20)

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
        player_append_number(infos, 2, type);
        count++;
    }
    player_append_number(data, 4,
                         player_integer(player, line, "name-length", NULL, g_bytes_get_size(name)));
    player_append(data, name);
    player_append_number(data, 2, player_integer(player, line, "count", NULL, count));
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
        player_append_number(
            queries, 4,
            player_integer(player, line, "query-length", NULL, g_bytes_get_size(query->bytes)));
        player_append(queries, query->bytes);
        count++;
    }
    player_append_number(data, 4,
                         player_integer(player, line, "name-length", NULL, g_bytes_get_size(name)));
    player_append(data, name);
    player_append_number(data, 4, player_integer(player, line, "count", NULL, count * copies));
    for (uint64_t i = 0; i < copies && count > 0 && data->len < MOST_DATA; i++)
        g_byte_array_append(data, queries->data, queries->len);
}

static void append_option_data(Player *player, const Statement *line, uint64_t option,
                               GByteArray *data)
{
    g_autoptr(GBytes) raw = bytes_arg(player, line, "data");

    if (raw != NULL) {
        player_append(data, raw);
    } else if (option == NBD_OPT_EXPORT_NAME) {
        g_autoptr(GBytes) name = name_arg(player, line);
        player_append(data, name);
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

/* ---- The table -------------------------------------------------------------------------------- */

static const Position flags_positions[] = {
    {.names = &wire_client_flags, .many = true, .optional = true}, {0}};
static const Position option_positions[] = {{.names = &wire_options}, {0}};
static const Field flags_fields[] = {{"value", FIELD_INTEGER, &wire_client_flags},
                                     {"cut", FIELD_INTEGER, NULL},
                                     {"split", FIELD_INTEGER, NULL},
                                     {0}};
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

static const Verb verbs[] = {
    {.name = "client-flags",
     .actor = ACTOR_CLIENT,
     .positions = flags_positions,
     .fields = flags_fields,
     .play = play_client_flags,
     .usage = "C: client-flags [FLAG…] [value=N] [cut=N] [split=N]",
     .manual =
         "Sends the 32 bits of client flags: the named flags and the bits of `value`; `cut` and "
         "`split` as in `option`."},
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
};
VERB_TABLE(play_send_handshake_verbs, verbs);
