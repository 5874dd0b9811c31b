/* Whether the names that a server lists are names that it knows: an engine, for a list is as long as it is. */
#include "play/player.h"

/* Names longer than a string may be are no names to ask for; a rule judges them. */
#define LONGEST_NAME 4096u

GBytes *player_listed_name(const SessionMessage *message)
{
    size_t length = (size_t)message->inner_value[REP_SERVER_NAME_LENGTH];

    if (message->inner != WIRE_REP_SERVER || length > LONGEST_NAME || message->data->len < 4 ||
        length > message->data->len - 4)
        return NULL;
    return g_bytes_new(message->data->data + 4, length);
}

/* Gathers names into DATA until the final reply. */
static Match match_end_of_list(Player *player, Connection *connection, gpointer data,
                               const SessionMessage *message, guint *index)
{
    Match match = player_match_final(player, connection, NULL, message, index);
    GBytes *name = match == MATCH_PASS_OVER ? player_listed_name(message) : NULL;
    GPtrArray *names = data;

    if (name != NULL)
        g_ptr_array_add(names, name);
    return match;
}

/* The names that NBD_OPT_LIST returns. NULL if the case is over. */
static GPtrArray *list(Player *player, Connection *connection, const Statement *line)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    g_autoptr(GByteArray) nothing = g_byte_array_new();

    player_option(player, connection, NBD_OPT_LIST, nothing);
    if (player->over)
        return NULL;
    g_autoptr(SessionMessage) reply =
        player_await_message(player, connection, line, match_end_of_list, names);
    return reply == NULL ? NULL : g_steal_pointer(&names);
}

static bool holds_name(const GPtrArray *names, const GBytes *name)
{
    for (guint i = 0; i < names->len; i++)
        if (g_bytes_equal(names->pdata[i], name))
            return true;
    return false;
}

/* The final reply to INFO for NAME. 0 where there is none: who asks for many may be hung up on. */
static uint64_t inform(Player *player, Connection *connection, GBytes *name)
{
    player_ask(player, connection, NBD_OPT_INFO, name);
    if (player->over)
        return 0;
    Event event = player_await(player, connection, player_match_final, NULL);
    uint64_t type = event.kind == EVENT_MATCH ? event.message->value[REPLY_TYPE] : 0;
    session_message_free(event.message);
    return type;
}

/* An export may go while we ask: what counts is a name that is listed behind the answer, too. */
static void blame(Player *player, Connection *connection, const Statement *line, GBytes *name,
                  guint number)
{
    g_autoptr(GPtrArray) now = list(player, connection, line);

    if (now == NULL || !holds_name(now, name) || line->citations->len == 0)
        return;
    g_autofree char *message =
        g_strdup_printf("does not know name %u of those that it lists", number + 1);
    player_breach(player, scenario_cited(player->play_case->scenario, line->citations->pdata[0]),
                  line, message, NULL, NULL);
}

static void play_listed(Player *player, const Statement *line)
{
    Connection *connection = player_connection(player, line);
    guint most = (guint)CLAMP(player_integer(player, line, "most", NULL, 16), 2, UINT16_MAX);

    if (connection == NULL || player->over)
        return;
    g_autoptr(GPtrArray) names = list(player, connection, line);
    guint asked = names == NULL ? 0 : MIN(names->len, most);
    guint known = 0;
    if (names != NULL && asked == 0)
        player_skip(player, "lists no exports");
    for (guint i = 0; i < asked && !player->over; i++) {
        guint number = asked == 1 ? 0 : (guint)((guint64)i * (names->len - 1) / (asked - 1));
        uint64_t type = inform(player, connection, names->pdata[number]);
        if (type == 0)
            break;
        known += type == NBD_REP_ACK;
        if (type == NBD_REP_ERR_UNKNOWN)
            blame(player, connection, line, names->pdata[number], number);
    }
    if (!player->over && known == 0)
        player_skip(player, "tells of no export by NBD_OPT_INFO");
}

static const Position none[] = {{0}};
static const Field listed_fields[] = {{"most", FIELD_INTEGER, NULL}, {0}};

static const Verb verbs[] = {
    {.name = "listed",
     .actor = ACTOR_ABSTRACT,
     .positions = none,
     .fields = listed_fields,
     .play = play_listed,
     .usage = ": listed [most=N]",
     .manual =
         "Asks for the list of exports, and by INFO for N (16) of its names, the first and the last among "
         "them; the line fails if one is unknown that is still listed behind that."},
};
VERB_TABLE(play_listed_verbs, verbs);
