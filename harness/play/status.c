/* Metadata: asking for block status, and the steps on the way there. */
#include "play/player.h"

/* One request asks for no more than that, and one read looks at no more. */
#define MOST_ASKED ((uint64_t)1 << 30)
#define MOST_READ ((uint64_t)1 << 20)

/* A server may tell of a little at a time. So often we ask again. */
#define MOST_ROUNDS 1000u

/* ---- One request ------------------------------------------------------------------------------ */

/* The first selected context is what a line is about. */
static bool is_about(const Connection *connection, const SessionMessage *message)
{
    if (!session_message_is_chunk(message) || !message->chunk.has_context)
        return false;
    return session_facts(connection->session)->contexts == 0 ||
           session_context(connection->session, 0).id == message->chunk.context;
}

/* Asks, and takes the whole reply. The chunk of the first context, the caller's; NULL if the server reports an
 * error, and the case is skipped, or if it says nothing of that context, and LINE is judged. */
static SessionMessage *ask(Player *player, Connection *connection, const Statement *line,
                           const RequestSpec *spec)
{
    g_autoptr(SessionMessage) found = NULL;
    uint64_t cookie = spec->cookie;

    player_request(player, connection, spec);
    while (!player->over) {
        Event event = player_await(player, connection, player_match_part, &cookie);
        bool part = event.kind == EVENT_MATCH;
        bool failed = part && answer_error(event.message) != NBD_SUCCESS;
        bool ends = !part || event.message->ends;
        if (failed) { /* a server may fail */
            player_skip(player, "BLOCK_STATUS fails with %s",
                        wire_name(&wire_errors, answer_error(event.message)));
            session_message_free(event.message);
            return NULL;
        }
        if (part && found == NULL && is_about(connection, event.message))
            found = g_steal_pointer(&event.message);
        if (!part || (ends && found == NULL)) {
            if (part)
                event.kind = EVENT_OTHER;
            player_unexpected(player, connection, line, &event);
            session_message_free(event.message);
            return NULL;
        }
        session_message_free(event.message);
        if (ends)
            return g_steal_pointer(&found);
    }
    return NULL;
}

/* ---- status ----------------------------------------------------------------------------------- */

/* What a line can say of the extents. */
static const char *const words[] = {"count", "covers", "extent", "status", "any", "every"};
typedef struct {
    uint64_t value[G_N_ELEMENTS(words)];
} Summary;
enum { COUNT, COVERS, EXTENT, STATUS, ANY, EVERY };

static Summary summarize(const SessionMessage *message)
{
    Summary summary = {.value = {[COUNT] = message->chunk.extents, [EVERY] = UINT64_MAX}};

    for (size_t i = 0; i < message->chunk.extents; i++) {
        SessionExtent extent = session_message_extent(message, i);
        summary.value[COVERS] += extent.length;
        summary.value[ANY] |= extent.status;
        summary.value[EVERY] &= extent.status;
        if (i == 0) {
            summary.value[EXTENT] = extent.length;
            summary.value[STATUS] = extent.status;
        }
    }
    return summary;
}

static int word_index(const Arg *arg)
{
    for (size_t i = 0; arg->name != NULL && i < G_N_ELEMENTS(words); i++)
        if (g_str_equal(words[i], arg->name))
            return (int)i;
    return -1;
}

/* NULL, or what is not as LINE has it. */
static char *misfit(Player *player, const Statement *line, const Summary *summary)
{
    for (guint i = 0; i < line->args->len; i++) {
        const Arg *arg = line->args->pdata[i];
        int word = word_index(arg);
        const WireNames *names = word >= STATUS ? &wire_states : NULL;
        if (word < 0 || line_compares(player, arg, summary->value[word], names))
            continue;
        return g_strdup_printf("%s is %" G_GUINT64_FORMAT, words[word], summary->value[word]);
    }
    return NULL;
}

/* Without a citation the line says what the case counts on: what is otherwise is no breach. */
static void judge(Player *player, const Statement *line, const char *message,
                  const SessionMessage *evidence)
{
    if (line->citations->len == 0) {
        player_skip(player, "%s", message);
        return;
    }
    g_autofree char *got = session_message_describe(evidence);
    player_breach(player, scenario_cited(player->scenario, line->citations->pdata[0]), line,
                  message, got, evidence);
}

static void play_status(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);

    if (connection == NULL || !player_is_in(player, connection, line))
        return;
    RequestSpec spec = player_request_spec(connection, NBD_CMD_BLOCK_STATUS);
    spec.flags = player_integer(player, line, "flags", &wire_command_flags, 0);
    spec.offset = player_integer(player, line, "offset", NULL, 0);
    spec.length = player_integer(player, line, "length", NULL, 0);
    g_autoptr(SessionMessage) chunk = ask(player, connection, line, &spec);
    if (chunk == NULL)
        return;
    Summary summary = summarize(chunk);
    g_autofree char *wrong = misfit(player, line, &summary);
    if (wrong != NULL)
        judge(player, line, wrong, chunk);
    for (guint i = 0; wrong == NULL && i < line->args->len; i++) {
        const Arg *arg = line->args->pdata[i];
        if (arg->kind == ARG_BIND && word_index(arg) >= 0)
            player_bind(player, arg->value->text, value_integer(summary.value[word_index(arg)]));
    }
}

/* ---- map -------------------------------------------------------------------------------------- */

/* Reads LENGTH bytes at OFFSET, that ought to be zeroes. False if the case is over. */
static bool read_zeroes(Player *player, Connection *connection, const Statement *line,
                        uint64_t offset, uint64_t length)
{
    RequestSpec spec = player_request_spec(connection, NBD_CMD_READ);
    spec.offset = offset;
    spec.length = length;
    /* A READ that fails breaks nothing that LINE is about. */
    g_autoptr(SessionMessage) reply = player_transact(player, connection, NULL, &spec);

    if (reply == NULL)
        return false;
    const GByteArray *content = answer_content(reply);
    for (guint i = 0; i < content->len; i++)
        if (content->data[i] != 0) {
            g_autofree char *message = g_strdup_printf("the byte at offset %" G_GUINT64_FORMAT
                                                       " is %02x, in an extent with ZERO",
                                                       offset + i, content->data[i]);
            judge(player, line, message, reply);
            return false;
        }
    return true;
}

/* Looks at the part of an extent that can be read by aligned requests. */
static bool check_zeroes(Player *player, Connection *connection, const Statement *line,
                         uint64_t start, uint64_t end)
{
    SessionFacts facts = player_facts(player, connection);
    uint64_t minimum = MAX(facts.minimum, 1u);
    uint64_t most = MAX(MIN(MOST_READ, facts.maximum) / minimum * minimum, minimum);

    start = (start + minimum - 1) / minimum * minimum;
    end = end / minimum * minimum;
    for (; start < end && !player->over; start += MIN(most, end - start))
        if (!read_zeroes(player, connection, line, start, MIN(most, end - start)))
            return false;
    return true;
}

/* Returns how far the extents of CHUNK, from AT on, reach, at most up to END. */
static uint64_t pass_extents(Player *player, Connection *connection, const Statement *line,
                             const SessionMessage *chunk, uint64_t at, uint64_t end)
{
    bool reading = line_position(line, 0) != NULL;

    for (size_t i = 0; i < chunk->chunk.extents && at < end && !player->over; i++) {
        SessionExtent extent = session_message_extent(chunk, i);
        uint64_t next = at + MIN(extent.length, end - at);
        if (reading && (extent.status & NBD_STATE_ZERO) != 0 &&
            !check_zeroes(player, connection, line, at, next))
            break;
        at = next;
    }
    return at;
}

static void play_map(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);
    uint64_t at = player_integer(player, line, "offset", NULL, 0);
    uint64_t end = at + player_integer(player, line, "length", NULL, 0);
    unsigned round = 0;

    if (connection == NULL || !player_is_in(player, connection, line))
        return;
    for (; at < end && round < MOST_ROUNDS && !player->over; round++) {
        RequestSpec spec = player_request_spec(connection, NBD_CMD_BLOCK_STATUS);
        spec.offset = at;
        spec.length = MIN(end - at, MOST_ASKED);
        g_autoptr(SessionMessage) chunk = ask(player, connection, line, &spec);
        if (chunk == NULL)
            return;
        uint64_t next = pass_extents(player, connection, line, chunk, at, end);
        if (next == at && !player->over) {
            judge(player, line, "the extents cover nothing", chunk);
            return;
        }
        at = next;
    }
    if (round == MOST_ROUNDS && at < end)
        player_skip(player, "after %u requests the extents reach %" G_GUINT64_FORMAT " only", round,
                    at);
}

/* ---- On the way ------------------------------------------------------------------------------- */

static void play_enter(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);

    if (connection == NULL)
        return;
    g_autoptr(GBytes) name = player_export(player, line);
    if (player_enter(player, connection, name))
        player_weigh_needs(player, connection);
}

/* ---- The table -------------------------------------------------------------------------------- */

static const char *const reading_words[] = {"reading", NULL};
static const Position none[] = {{0}};
static const Position map_positions[] = {{.words = reading_words, .optional = true}, {0}};
static const Field enter_fields[] = {{"export", FIELD_BYTES, NULL}, {0}};
static const Field map_fields[] = {
    {"offset", FIELD_INTEGER, NULL}, {"length", FIELD_INTEGER, NULL}, {0}};
static const Field status_fields[] = {{"offset", FIELD_INTEGER, NULL},
                                      {"length", FIELD_INTEGER, NULL},
                                      {"flags", FIELD_INTEGER, &wire_command_flags},
                                      {"count", FIELD_RESULT, NULL},
                                      {"covers", FIELD_RESULT, NULL},
                                      {"extent", FIELD_RESULT, NULL},
                                      {"status", FIELD_RESULT, &wire_states},
                                      {"any", FIELD_RESULT, &wire_states},
                                      {"every", FIELD_RESULT, &wire_states},
                                      {0}};

static const Verb verbs[] = {
    {.name = "enter",
     .actor = ACTOR_ABSTRACT,
     .positions = none,
     .fields = enter_fields,
     .play = play_enter,
     .usage = ": enter [export=S]",
     .manual =
         "The rest of what `open` does, behind `negotiate` and options: into the transmission phase, in "
         "the run's mode."},
    {.name = "status",
     .actor = ACTOR_ABSTRACT,
     .positions = none,
     .fields = status_fields,
     .play = play_status,
     .usage =
         ": status offset=N length=N [flags=FLAGS] [count…] [covers…] [extent…] [status…] [any…] "
         "[every…]",
     .manual =
         "BLOCK_STATUS and its successful reply, of which the extents of the first context that was "
         "selected are compared or kept: `count` of them, how many bytes all of them `covers`, length of the "
         "first `extent` and its `status`, the bits that `any` or `every` one has (HOLE, ZERO). Without "
         "a citation, the case is skipped where they are otherwise; and so it is where the server reports an "
         "error."},
    {.name = "map",
     .actor = ACTOR_ABSTRACT,
     .positions = map_positions,
     .fields = map_fields,
     .play = play_map,
     .usage = ": map [reading] offset=N length=N",
     .manual =
         "BLOCK_STATUS again and again, each time from where the extents have ended, until they reach the "
         "end of the range. `map reading` reads what is reported with ZERO, and looks for zeroes."},
};
VERB_TABLE(play_status_verbs, verbs);
