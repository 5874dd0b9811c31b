/* The steps of a case: `connect`, `negotiate` and `open`, which go some of the way into the transmission phase; and
 * `served`, the check that a server still serves. */
#include <string.h>

#include "play/player.h"

GBytes *player_export(Player *player, const Statement *line)
{
    const Arg *arg = line_arg(line, "export");

    if (arg == NULL)
        return g_bytes_new(player->mode->export_name, strlen(player->mode->export_name));
    g_autoptr(Value) value = player_value(player, arg->value, NULL);
    if (value == NULL || value->kind != VALUE_BYTES)
        return g_bytes_new(NULL, 0);
    return g_bytes_ref(value->bytes);
}

/* ---- The verbs -------------------------------------------------------------------------------- */

static Connection *setup_connect(Player *player, const char *name)
{
    player->setup++;
    Connection *connection = player_connect_patiently(player, name);
    player->setup--;
    return connection;
}

static void play_connect(Player *player, const Statement *line)
{
    (void)setup_connect(player, line_connection_name(line));
}

static void play_negotiate(Player *player, const Statement *line)
{
    Connection *connection = setup_connect(player, line_connection_name(line));

    if (connection != NULL)
        (void)player_negotiate(player, connection);
}

static bool wants(const Statement *line, const char *what)
{
    const Expr *word = line_position(line, 0);

    return word != NULL && g_str_equal(word->text, what);
}

/* Of GBytes: the names of the metadata contexts that `open` is to select. */
static GPtrArray *contexts_of(Player *player, const Statement *line)
{
    GPtrArray *contexts = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);

    for (guint i = 0; i < line->args->len; i++) {
        const Arg *arg = line->args->pdata[i];
        if (arg->name == NULL || !g_str_equal(arg->name, "context"))
            continue;
        g_autoptr(Value) value = player_value(player, arg->value, NULL);
        if (value != NULL && value->kind == VALUE_BYTES)
            g_ptr_array_add(contexts, g_bytes_ref(value->bytes));
    }
    return contexts;
}

static void open_once(Player *player, const Statement *line)
{
    Connection *connection = setup_connect(player, line_connection_name(line));

    if (connection == NULL || !player_negotiate(player, connection))
        return;
    g_autoptr(GBytes) name = player_export(player, line);
    g_autoptr(GPtrArray) contexts = contexts_of(player, line);
    bool extended = wants(line, "extended");
    if (extended && !player_extended(player, connection)) {
        player_skip(player, "the server has no extended headers");
        return;
    }
    bool structured_due = contexts->len > 0 || wants(line, "structured");
    if (!extended && structured_due && !player_structured(player, connection)) {
        player_skip(player, "the server has no structured replies");
        return;
    }
    if (contexts->len > 0 && !player_select(player, connection, name, contexts)) {
        player_skip(player, "the server does not select the metadata contexts");
        return;
    }
    if (player_enter(player, connection, name))
        player_weigh_needs(player, connection);
}

static void play_open(Player *player, const Statement *line)
{
    Patience patience = patience_with(player->mode, player->target);
    g_autofree char *reason = g_strdup(player->result->reason);
    guint found = player->result->setup->len;

    for (;;) {
        open_once(player, line);
        if (!player->blocked || player->broken || !patience_lasts(&patience))
            return;
        g_ptr_array_set_size(player->result->setup, (gint)found);
        g_free(player->result->reason);
        player->result->reason = g_strdup(reason);
        g_clear_pointer(&player->result->blocked_by, g_free);
        player->blocked = player->over = false;
    }
}

/* Flags and sizes can vary by connection and mode: what counts is what this one was told. */
void player_weigh_needs(Player *player, const Connection *connection)
{
    SessionFacts facts = player_facts(player, connection);
    g_autofree char *unfit =
        play_needs(player->play_case, player->mode, player->target, &facts, true);

    if (unfit != NULL)
        player_skip(player, "%s", unfit);
}

/* All the way in and out again on a connection of its own. NULL, or why that failed. */
static char *serve_once(Player *player, const Statement *line)
{
    g_autofree char *reason = g_steal_pointer(&player->result->reason);
    bool over = player->over, blocked = player->blocked, skipped = player->skipped;
    guint found = player->result->setup->len;
    char *failure = NULL;

    player->over = player->blocked = player->skipped = false;
    player->serving = true;
    Connection *connection = setup_connect(player, "again");
    /* Where nobody gets into transmission, as the probe has seen, a greeting is service enough. */
    bool enters = player->target == NULL || player->target->entered;
    if (connection != NULL && player_negotiate(player, connection) && enters) {
        g_autoptr(GBytes) name = player_export(player, line);
        (void)player_enter(player, connection, name);
    }
    player->serving = false;
    if (player->blocked) {
        failure = g_strdup_printf("a new connection is not served: %s", player->result->reason);
        /* One line, one requirement: the step that failed is how this line's own breach shows. */
        g_ptr_array_set_size(player->result->setup, (gint)found);
    }
    if (connection != NULL)
        player_leave(connection);
    if (player->broken) /* why is told already, and is all that counts */
        return failure;
    g_free(player->result->reason);
    player->result->reason = g_steal_pointer(&reason);
    g_clear_pointer(&player->result->blocked_by, g_free);
    player->over = over;
    player->blocked = blocked;
    player->skipped = skipped;
    return failure;
}

static char *serve(Player *player, const Statement *line)
{
    Patience patience = patience_with(player->mode, player->target);

    for (;;) {
        g_autofree char *failure = serve_once(player, line);
        if (failure == NULL || player->broken || !patience_lasts(&patience))
            return g_steal_pointer(&failure);
    }
}

static void play_served(Player *player, const Statement *line)
{
    const Requirement *requirement = requirement_find(REQ("robust.served-after"));

    /* A server may serve one client at a time: at the end, the others make room. */
    for (guint i = 0; line->then && i < player->connections->len; i++)
        player_leave(player->connections->pdata[i]);
    if (line->citations->len > 0)
        requirement = scenario_cited(player->play_case->scenario, line->citations->pdata[0]);
    g_autofree char *failure = serve(player, line);
    if (failure == NULL || player->broken)
        return;
    if (!wants(line, "or-skip") || !player_sees_end(player)) {
        player->result->doubtful = true;
        player_breach(player, requirement, line, failure, NULL, NULL);
    }
}

static const char *const plain_words[] = {"plain", NULL};
static const char *const open_words[] = {"plain", "structured", "extended", NULL};
static const Position none[] = {{0}};
static const char *const otherwise_words[] = {"or-skip", NULL};
static const Position plain[] = {{.words = plain_words, .optional = true}, {0}};
static const Position served_positions[] = {{.words = otherwise_words, .optional = true}, {0}};
static const Position open_positions[] = {{.words = open_words, .optional = true}, {0}};
static const Field no_fields[] = {{0}};
static const Field open_context_fields[] = {
    {"export", FIELD_BYTES, NULL}, {"context", FIELD_BYTES, NULL}, {0}};
static const Field open_fields[] = {{"export", FIELD_BYTES, NULL}, {0}};

static const Verb verbs[] = {
    {.name = "connect",
     .actor = ACTOR_NONE,
     .positions = none,
     .fields = no_fields,
     .connects = true,
     .play = play_connect,
     .usage = "connect [as NAME]",
     .manual =
         "Connects, and does no more: the greeting is for the lines that follow. The first connection is "
         "the one that `C:` and `S:` mean; `as B` makes a second one, for `B.C:`, `B.S:` and `B:`."},
    {.name = "negotiate",
     .actor = ACTOR_NONE,
     .positions = plain,
     .fields = no_fields,
     .connects = true,
     .play = play_negotiate,
     .usage = "negotiate [plain] [as NAME]",
     .manual =
         "Connects, reads the greeting, and sends the client flags that match what it offers: option "
         "haggling begins. In a run over TLS, STARTTLS comes first, unless the case has lines about "
         "STARTTLS, or says `plain`: all of its conversations then begin in plain text."},
    {.name = "open",
     .actor = ACTOR_NONE,
     .positions = open_positions,
     .fields = open_context_fields,
     .connects = true,
     .play = play_open,
     .usage = "open [plain | structured | extended] [context=S…] [as NAME] [export=S]",
     .manual =
         "Connects and goes all the way into the transmission phase, in the run's mode. Sets $size, $flags, "
         "$minimum, $preferred, $maximum and $block; the case is skipped if its needs do not hold for "
         "what this connection was told. `open structured` asks for structured replies in every mode; the "
         "case is skipped if the server refuses them. `open extended` does the same with extended headers. "
         "`context` selects metadata contexts, for which one or the other is needed, too."},
    {.name = "served",
     .actor = ACTOR_NONE,
     .positions = served_positions,
     .fields = open_fields,
     .connects = true,
     .play = play_served,
     .usage = "[then] served [or-skip] [export=S]",
     .manual =
         "A new connection gets into the transmission phase and out again. As `then served` it comes "
         "at the end, however the lines before it ended, after the case's other connections are "
         "closed. With `or-skip` the server's process may be about to end: if it does, other than by a "
         "crash, once the case's connections have left, the case is skipped."},
};
VERB_TABLE(play_setup_verbs, verbs);
