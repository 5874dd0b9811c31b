/* Engines that measure: what they find is told, and never judged, since time is no law. */
#include <math.h>

#include "play/player.h"

/* ---- What is told ----------------------------------------------------------------------------- */

void measurement_free(Measurement *measurement)
{
    g_free(measurement->name);
    g_free(measurement->text);
    g_free(measurement);
}

/* Takes TEXT. */
static void tell(Player *player, const char *name, double value, char *text)
{
    Measurement *measurement = g_new0(Measurement, 1);

    measurement->name = g_strdup(name);
    measurement->value = value;
    measurement->text = text;
    g_ptr_array_add(player->result->measurements, measurement);
    g_string_append_printf(player->transcript, "measured: %s\n", text);
}

/* ---- parallel --------------------------------------------------------------------------------- */

/* What is answered sooner than that takes its time on the way and in schedulers, not in the server's work. */
#define SHORTEST_WORK_US 1000

/* Between these it is neither one after the other nor clearly more. */
#define ONE_BY_ONE 1.25
#define MORE_THAN_ONE 1.75

#define MOST_REQUESTS 64u

double play_at_once(gint64 alone_us, gint64 together_us, uint64_t requests)
{
    if (alone_us < SHORTEST_WORK_US || together_us <= 0)
        return NAN;
    double at_once = (double)requests * (double)alone_us / (double)together_us;
    if (at_once > ONE_BY_ONE && at_once < MORE_THAN_ONE)
        return NAN;
    return CLAMP(at_once, 1.0, (double)requests);
}

/* READs side by side, dealt out to all connections of the case. */
typedef struct {
    Player *player;
    const Statement *line;
    uint64_t offset, length;
    bool overtaken; /* an answer has come before that to an earlier request on its connection */
} Readers;

/* Whether MESSAGE is the whole of an answer; no more than a part of one is passed over. */
static Match whole_answer(const SessionMessage *message)
{
    if (message == NULL || !answer_is_part(message))
        return MATCH_NO;
    return answer_is_whole(message) ? MATCH_YES : MATCH_PASS_OVER;
}

static Match match_any_answer(Player *player, Connection *connection, gpointer data,
                              const SessionMessage *message, guint *index)
{
    Match whole = whole_answer(message);

    (void)player;
    (void)connection;
    (void)data;
    *index = 0;
    return whole == MATCH_YES && answer_error(message) != NBD_SUCCESS ? MATCH_NO : whole;
}

/* The cookies grow, so that order shows. */
static void await_answers(Readers *readers, Connection *connection, uint64_t count)
{
    uint64_t highest = 0;

    for (uint64_t i = 0; i < count && !readers->player->over; i++) {
        Event event = player_await(readers->player, connection, match_any_answer, NULL);
        if (event.kind == EVENT_MATCH) {
            readers->overtaken |= answer_cookie(event.message) < highest;
            highest = MAX(highest, answer_cookie(event.message));
        } else {
            player_unexpected(readers->player, connection, readers->line, &event);
            readers->player->over = true;
        }
        session_message_free(event.message);
    }
}

/* Sends READs of COUNT places, from number FIRST on, and takes the answers. Returns how long that took. */
static gint64 read_together(Readers *readers, uint64_t first, uint64_t count)
{
    GPtrArray *all = readers->player->connections;
    gint64 began_us = g_get_monotonic_time();

    for (uint64_t i = 0; i < count && !readers->player->over; i++) {
        Connection *connection = all->pdata[i % all->len];
        RequestSpec spec = player_request_spec(connection, NBD_CMD_READ);
        spec.offset = readers->offset + (first + i) * readers->length;
        spec.length = readers->length;
        player_request(readers->player, connection, &spec);
    }
    for (guint i = 0; i < all->len; i++)
        await_answers(readers, all->pdata[i], (count + all->len - 1 - i) / all->len);
    return g_get_monotonic_time() - began_us;
}

/* Of each the shortest of three to eight tries: a busy machine makes some longer, but hardly all. */
#define LEAST_TRIES 3u
#define MOST_TRIES 8u
#define ENOUGH_US (100 * 1000)
#define FAR_TOO_LONG_US (2 * G_USEC_PER_SEC)

typedef struct {
    gint64 alone_us, together_us;
} Times;

static Times shortest(Readers *readers, uint64_t requests)
{
    Times least = {G_MAXINT64, G_MAXINT64};
    gint64 spent_us = 0;

    for (unsigned i = 0; i < MOST_TRIES && !readers->player->over; i++) {
        Times times = {.alone_us = read_together(readers, i, 1)};
        times.together_us = read_together(readers, 0, requests);
        least.alone_us = MIN(least.alone_us, times.alone_us);
        least.together_us = MIN(least.together_us, times.together_us);
        spent_us += times.alone_us + times.together_us;
        if (spent_us > (i + 1 < LEAST_TRIES ? FAR_TOO_LONG_US : ENOUGH_US))
            break;
    }
    return least;
}

static char *parallel_text(const Readers *readers, uint64_t requests, double at_once,
                           gint64 alone_us)
{
    guint connections = readers->player->connections->len;
    GString *text = g_string_new(NULL);

    g_string_append_printf(text, "%" G_GUINT64_FORMAT " READs on %u connection%s: ", requests,
                           connections, connections == 1 ? "" : "s");
    if (!isnan(at_once) && at_once >= MORE_THAN_ONE)
        g_string_append_printf(text, "worked on in parallel, about %.0f at once", at_once);
    else if (!isnan(at_once))
        g_string_append(text, "worked on one after the other");
    else if (alone_us < SHORTEST_WORK_US)
        g_string_append(text, "whether in parallel could not be told, they take too short a time");
    else
        g_string_append(text, "whether in parallel could not be told, neither is clear");
    if (readers->overtaken)
        g_string_append(text, "; answered out of order");
    return g_string_free(text, FALSE);
}

static void play_parallel(Player *player, const Statement *line)
{
    uint64_t requests = player_integer(player, line, "requests", NULL, 8);
    Readers readers = {.player = player,
                       .line = line,
                       .offset = player_integer(player, line, "offset", NULL, 0),
                       .length = player_integer(player, line, "length", NULL, 512)};

    if (player->connections->len == 0)
        player_error(player, "line %u: there is no connection yet", line->place.line);
    for (guint i = 0; i < player->connections->len && !player->over; i++)
        if (!player_is_in(player, player->connections->pdata[i], line))
            return;
    if (requests < 2 || requests > MOST_REQUESTS)
        player_error(player, "line %u: from 2 to %u requests are sent together", line->place.line,
                     MOST_REQUESTS);
    if (player->over)
        return;
    /* Not measured: what is read for the first time may come from elsewhere than later. */
    (void)read_together(&readers, 0, MAX(requests, MOST_TRIES));
    readers.overtaken = false;
    Times times = shortest(&readers, requests);
    if (player->over)
        return;
    double at_once = play_at_once(times.alone_us, times.together_us, requests);
    if (at_once < MORE_THAN_ONE && readers.overtaken) /* that looks otherwise */
        at_once = NAN;
    tell(player, player->connections->len == 1 ? "reads-at-once" : "reads-at-once-on-connections",
         at_once, parallel_text(&readers, requests, at_once, times.alone_us));
}

/* ---- fast-zero -------------------------------------------------------------------------------- */

static Match match_zeroed(Player *player, Connection *connection, gpointer data,
                          const SessionMessage *message, guint *index)
{
    Match whole = whole_answer(message);

    (void)player;
    (void)connection;
    (void)data;
    *index = whole == MATCH_YES && answer_error(message) == NBD_ENOTSUP;
    if (whole != MATCH_YES || *index == 1)
        return whole;
    return answer_error(message) == NBD_SUCCESS ? MATCH_YES : MATCH_NO;
}

/* WRITE_ZEROES with FAST_ZERO beside WRITE, of the same range; each has to be at its best once, between
 * whatever else the machine does. */
typedef struct {
    Player *player;
    const Statement *line;
    Connection *connection;
    uint64_t offset, length;
    GBytes *data;
    gint64 write_us, zero_us;
    unsigned rounds, refused; /* … of the latter so often by ENOTSUP */
} Contest;

#define LEAST_ROUNDS 5u
#define MOST_ROUNDS 20u

/* These return how long it took. */
static gint64 zero_once(Contest *contest)
{
    RequestSpec spec = player_request_spec(contest->connection, NBD_CMD_WRITE_ZEROES);
    gint64 began_us = g_get_monotonic_time();

    spec.flags = NBD_CMD_FLAG_FAST_ZERO;
    spec.offset = contest->offset;
    spec.length = contest->length;
    player_request(contest->player, contest->connection, &spec);
    if (contest->player->over)
        return 0;
    Event event = player_await(contest->player, contest->connection, match_zeroed, NULL);
    if (event.kind != EVENT_MATCH) {
        player_unexpected(contest->player, contest->connection, contest->line, &event);
        contest->player->over = true;
    } else if (event.index == 1) {
        contest->refused++;
    }
    session_message_free(event.message);
    return g_get_monotonic_time() - began_us;
}

static gint64 write_once(Contest *contest)
{
    RequestSpec spec = player_request_spec(contest->connection, NBD_CMD_WRITE);
    gint64 began_us = g_get_monotonic_time();

    spec.offset = contest->offset;
    spec.length = contest->length;
    spec.data = contest->data;
    g_autoptr(SessionMessage) reply =
        player_transact(contest->player, contest->connection, contest->line, &spec);
    if (reply == NULL)
        contest->player->over = true;
    return g_get_monotonic_time() - began_us;
}

static void hold_contest(Contest *contest)
{
    gint64 spent_us = 0;

    while (contest->rounds < LEAST_ROUNDS ||
           (contest->rounds < MOST_ROUNDS && spent_us < ENOUGH_US)) {
        gint64 write_us = write_once(contest);
        if (contest->player->over)
            return;
        gint64 zero_us = zero_once(contest);
        if (contest->player->over)
            return;
        contest->write_us = MIN(contest->write_us, write_us);
        contest->zero_us = MIN(contest->zero_us, zero_us);
        contest->rounds++;
        spent_us += write_us + zero_us;
    }
}

static void tell_contest(const Contest *contest)
{
    double ratio = (double)contest->zero_us / (double)MAX(contest->write_us, 1);
    const char *what = contest->refused == 0                 ? "took"
                       : contest->refused == contest->rounds ? "was refused (ENOTSUP) in"
                                                             : "was done or refused (ENOTSUP) in";

    tell(contest->player, "fast-zero-time", ratio,
         g_strdup_printf("WRITE_ZEROES with FAST_ZERO of %" G_GUINT64_FORMAT
                         " KiB %s %.2f times the time of a WRITE",
                         contest->length >> 10, what, ratio));
}

static void play_fast_zero(Player *player, const Statement *line)
{
    Contest contest = {.player = player,
                       .line = line,
                       .connection = player_connection(player, line),
                       .offset = player_integer(player, line, "offset", NULL, 0),
                       .length = player_integer(player, line, "length", NULL, 0),
                       .write_us = G_MAXINT64,
                       .zero_us = G_MAXINT64};

    if (contest.length == 0 || contest.length > NBD_DEFAULT_MAX_PAYLOAD)
        player_error(player, "line %u: from 1 byte to 32 MiB are written", line->place.line);
    if (player->mode->segment > 0)
        player_skip(player, "is about time, which --segment spends otherwise");
    if (contest.connection == NULL || player->over ||
        !player_is_in(player, contest.connection, line))
        return;
    g_autofree uint8_t *pattern = g_malloc(contest.length);
    player_pattern(player, 0, contest.offset, pattern, contest.length);
    g_autoptr(GBytes) data = g_bytes_new_take(g_steal_pointer(&pattern), contest.length);
    contest.data = data;
    hold_contest(&contest);
    if (!player->over)
        tell_contest(&contest);
}

/* ---- The verbs -------------------------------------------------------------------------------- */

static const Position none[] = {{0}};
static const Field parallel_fields[] = {{"requests", FIELD_INTEGER, NULL},
                                        {"offset", FIELD_INTEGER, NULL},
                                        {"length", FIELD_INTEGER, NULL},
                                        {0}};
static const Field range_fields[] = {
    {"offset", FIELD_INTEGER, NULL}, {"length", FIELD_INTEGER, NULL}, {0}};

static const Verb verbs[] = {
    {.name = "parallel",
     .actor = ACTOR_NONE,
     .positions = none,
     .fields = parallel_fields,
     .play = play_parallel,
     .usage = "parallel [requests=N] [offset=N] [length=N]",
     .manual =
         "Measures how long N READs (8) take together, dealt out to all connections of the case, and how "
         "long one takes alone, and tells how many are worked on at once, as far as that is clear. The "
         "line fails only if a READ does."},
    {.name = "fast-zero",
     .actor = ACTOR_ABSTRACT,
     .positions = none,
     .fields = range_fields,
     .writes = true,
     .play = play_fast_zero,
     .usage = ": fast-zero offset=N length=N",
     .manual =
         "Measures WRITE_ZEROES with FAST_ZERO beside WRITE, and tells how their times compare. The line "
         "fails only if a request does, otherwise than by ENOTSUP."},
};
VERB_TABLE(play_measure_verbs, verbs);
