/* Literal requests: `C: request`. What a line does not say has the value that a correct client would send; what it
 * says goes out as it stands, lies included. */
#include "play/player.h"

/* BLOCK_STATUS with a payload: how much is asked about, and the contexts by their ids. NULL if the line says
 * nothing of that. */
static GBytes *status_payload(Player *player, const Statement *line)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();

    if (line_arg(line, "effect") == NULL)
        return NULL;
    player_append_number(payload, 8, player_integer(player, line, "effect", NULL, 0));
    for (guint i = 0; i < line->args->len; i++) {
        const Arg *arg = line->args->pdata[i];
        uint64_t id;
        if (arg->name == NULL || !g_str_equal(arg->name, "id"))
            continue;
        if (!player_number(player, arg->value, NULL, &id))
            return NULL;
        player_append_number(payload, 4, id);
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

static const char *const forms[] = {"compact", "extended", NULL};
static const Position command_positions[] = {
    {.names = &wire_commands}, {.words = forms, .optional = true}, {0}};
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

static const Verb verbs[] = {
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
};
VERB_TABLE(play_send_request_verbs, verbs);
