/* Quirks: the table of quirks.def, looking them up, and applying their rules. */
#include <signal.h>
#include <string.h>

#include "reference/quirk.h"
#include "wire/wire.h"

#define MOST_RULES 5

#define REQ(id) id
#define IF(...)                                                                                    \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define ALWAYS                                                                                     \
    {                                                                                              \
        {                                                                                          \
            F_NONE, ANY, 0                                                                         \
        }                                                                                          \
    }
#define LESS(number) (UINT64_MAX - (number) + 1)
#define NOT_A_COMMAND 0xfff0
#define PUT(character, place) ((character)*256 + (place))
#define BEHIND(bytes, type) ((uint64_t)(bytes)*65536 + (type))
#define FAILED NBD_REPLY_TYPE_ERROR
#define FAILED_AT NBD_REPLY_TYPE_ERROR_OFFSET
#define DATA_CHUNK NBD_REPLY_TYPE_OFFSET_DATA
#define HOLE_CHUNK NBD_REPLY_TYPE_OFFSET_HOLE
#define STATUS_CHUNK NBD_REPLY_TYPE_BLOCK_STATUS
#define QUIRK(...) ENTRY(REF_DEVIATION, REF_NEEDS_NOTHING, __VA_ARGS__)
#define QUIRK_NEEDING(needs, ...) ENTRY(REF_DEVIATION, needs, __VA_ARGS__)
#define SILENCE(...) ENTRY(REF_SILENCE, REF_NEEDS_NOTHING, __VA_ARGS__)
#define SILENCE_NEEDING(needs, ...) ENTRY(REF_SILENCE, needs, __VA_ARGS__)
#define LIBERTY(...) LIBERTY_NEEDING(REF_NEEDS_NOTHING, __VA_ARGS__)
#define LIBERTY_NEEDING(needs, name, requirement, ...)                                             \
    ENTRY(REF_LIBERTY, needs, name, requirement, "-", __VA_ARGS__)

#define ENTRY(kind_, needs_, name_, requirement_, seen_, summary_, ...)                            \
    {kind_, name_, requirement_, seen_, summary_, needs_},
static const RefQuirk quirks[] = {
#include "reference/quirks.def"
};
#undef ENTRY

#define ENTRY(kind_, needs_, name_, requirement_, seen_, summary_, ...) {__VA_ARGS__},
static const QuirkRule rules[][MOST_RULES] = {
#include "reference/quirks.def"
};
#undef ENTRY

const RefQuirk *ref_quirks(size_t *count)
{
    *count = G_N_ELEMENTS(quirks);
    return quirks;
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* How many letters of NAME's words stand in OTHER: crude, but enough to find the one that was
 * meant. */
static unsigned likeness(const char *name, const char *other)
{
    g_auto(GStrv) words = g_strsplit(name, "-", -1);
    unsigned like = 0;

    for (char **word = words; *word != NULL; word++) {
        size_t common = strlen(*word);
        while (common > 2 && g_strstr_len(other, -1, *word) == NULL)
            (*word)[--common] = '\0';
        like += common > 2 ? (unsigned)common : 0;
    }
    return like;
}

static char *names_near(const char *name)
{
    GString *near = g_string_new(NULL);
    unsigned best = 3;

    for (size_t i = 0; i < G_N_ELEMENTS(quirks); i++)
        best = MAX(best, likeness(name, quirks[i].name));
    for (size_t i = 0; i < G_N_ELEMENTS(quirks); i++)
        if (likeness(name, quirks[i].name) + 1 >= best && near->len < 200)
            g_string_append_printf(near, "%s%s", near->len > 0 ? ", " : "", quirks[i].name);
    return g_string_free(near, FALSE);
}

const RefQuirk *ref_quirk_find(const char *name, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(quirks); i++)
        if (g_str_equal(quirks[i].name, name))
            return &quirks[i];
    g_autofree char *near = names_near(name);
    g_set_error(error, REF_ERROR, REF_ERROR_CONFIG, "there is no quirk \"%s\"%s%s%s", name,
                *near != '\0' ? "; near it: " : "", near, "");
    return NULL;
}

/* ---- Sets ------------------------------------------------------------------------------------ */

bool quirk_set_init(QuirkSet *set, const char *const *names, GError **error)
{
    *set = (QuirkSet){0};
    if (names == NULL || *names == NULL)
        return true;
    set->rules = g_ptr_array_new();
    for (; *names != NULL; names++) {
        const RefQuirk *quirk = ref_quirk_find(*names, error);
        if (quirk == NULL)
            return false;
        const QuirkRule *of_quirk = rules[quirk - quirks];
        for (size_t i = 0; i < MOST_RULES && of_quirk[i].point != AT_NOWHERE; i++)
            g_ptr_array_add(set->rules, (gpointer)&of_quirk[i]);
    }
    return true;
}

void quirk_set_clear(QuirkSet *set)
{
    g_clear_pointer(&set->rules, g_ptr_array_unref);
}

QuirkMemory *quirk_memory_new(const QuirkSet *set)
{
    if (set->rules == NULL)
        return NULL;
    return g_malloc0(sizeof(QuirkMemory) + set->rules->len * sizeof(uint32_t));
}

/* ---- Rules ----------------------------------------------------------------------------------- */

static bool holds(const QuirkIf *condition, const QuirkEvent *event)
{
    uint64_t field = event->field[condition->field];
    uint64_t value = condition->value;

    switch (condition->test) {
    case ANY:
        return true;
    case IS:
        return field == value;
    case NOT:
        return field != value;
    case OVER:
        return field > value;
    case UNDER:
        return field < value;
    case HAS:
        return (field & value) == value;
    case LACKS:
        return (field & value) == 0;
    case UNALIGNED:
        return field % value != 0;
    case SAME:
        return field == event->field[value];
    case BEYOND:
        return field > event->field[value];
    }
    return false;
}

/* Conditions on F_SEEN count how often all others have been met. */
static bool matches(const QuirkRule *rule, uint32_t *counter, QuirkEvent *event)
{
    const QuirkIf *end = rule->where + G_N_ELEMENTS(rule->where);

    for (const QuirkIf *where = rule->where; where < end; where++)
        if (where->field != F_NONE && where->field != F_SEEN && !holds(where, event))
            return false;
    event->field[F_SEEN] = ++*counter;
    for (const QuirkIf *where = rule->where; where < end; where++)
        if (where->field == F_SEEN && !holds(where, event))
            return false;
    return true;
}

static uint64_t swap(uint64_t value, uint64_t width)
{
    uint8_t bytes[8];

    wire_put(bytes, sizeof bytes, value);
    uint64_t swapped = 0;
    for (uint64_t i = 0; i < width; i++)
        swapped = swapped << 8 | bytes[sizeof bytes - 1 - i];
    return swapped;
}

static void act(const QuirkRule *rule, QuirkEvent *event)
{
    uint64_t *field = &event->field[rule->field];
    uint64_t value = rule->value;

    switch (rule->action) {
    case DO_SET:
        *field = value;
        break;
    case DO_COPY:
        *field = event->field[value];
        break;
    case DO_ADD:
        *field += value;
        break;
    case DO_RAISE:
        *field |= value;
        break;
    case DO_CLEAR:
        *field &= ~value;
        break;
    case DO_SWAP:
        *field = swap(*field, value);
        break;
    case DO_ROUND:
        *field -= *field % value;
        break;
    case DO_APPEND:
        event->append = value;
        break;
    case DO_TERMINATE:
        event->terminate = value;
        break;
    case DO_CUT:
        event->cut = value;
        break;
    case DO_NOTE: /* not about the event */
        break;
    case DO_PUT:
        event->put = value;
        break;
    case DO_GARBLE:
        event->garble = value;
        break;
    case DO_INSERT:
        event->insert = value;
        break;
    case DO_FOLLOW:
        if (event->follows < G_N_ELEMENTS(event->follow))
            event->follow[event->follows++] = value;
        break;
    case DO_TWICE:
        event->twice = true;
        break;
    case DO_SPLIT:
        event->split = true;
        break;
    case DO_NAGLE:
        event->nagle = true;
        break;
    case DO_GO_ON:
        event->go_on = true;
        break;
    case DO_POSTPONE:
        event->postpone = true;
        break;
    case DO_HOARD:
        event->hoard = value;
        break;
    case DO_DROP:
    case DO_REFUSE:
    case DO_SIMPLE:
    case DO_CLOSE:
    case DO_CLOSE_AFTER:
    case DO_HANG:
    case DO_HANG_AFTER:
    case DO_BLOCK:
    case DO_DIE:
        event->fate = rule->action;
        event->fate_value = value;
        break;
    }
}

void quirk_change_data(const QuirkEvent *event, GByteArray *data)
{
    if (event->cut < data->len)
        g_byte_array_set_size(data, (guint)event->cut);
    for (uint64_t i = 0; i < event->append; i++)
        g_byte_array_append(data, (const uint8_t *)"x", 1);
    for (uint64_t i = 0; i < event->terminate; i++)
        g_byte_array_append(data, (const uint8_t *)"", 1);
    if (event->put != UINT64_MAX && event->put % 256 < data->len)
        data->data[event->put % 256] = (uint8_t)(event->put / 256);
    if (event->garble < data->len)
        data->data[event->garble] ^= 0xff;
}

void quirk_apply(const QuirkSet *set, QuirkMemory *memory, QuirkPoint point, QuirkEvent *event)
{
    for (guint i = 0; i < set->rules->len; i++) {
        const QuirkRule *rule = g_ptr_array_index(set->rules, i);
        event->field[F_NOTED] = memory->noted;
        if (rule->point != point || !matches(rule, &memory->seen[i], event))
            continue;
        if (rule->action == DO_NOTE)
            memory->noted = event->field[rule->field];
        else
            act(rule, event);
    }
}
