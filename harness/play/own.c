/* The variables that are the harness's own: what it knows of the run, and of the export. */
#include <string.h>

#include "play/player.h"

const OwnValue play_own_values[] = {
    {"export", FIELD_BYTES, false, "the name of the run's export"},
    {"region", FIELD_INTEGER, false, "where the case's own region of the export begins"},
    {"size", FIELD_INTEGER, true, "the export's size"},
    {"flags", FIELD_INTEGER, true, "the transmission flags"},
    {"minimum", FIELD_INTEGER, true, "the minimum block size"},
    {"preferred", FIELD_INTEGER, true, "the preferred block size"},
    {"maximum", FIELD_INTEGER, true, "the maximum payload"},
    {"block", FIELD_INTEGER, true, "the minimum block size, but at least 512"},
};
const size_t play_own_value_count = G_N_ELEMENTS(play_own_values);

const OwnValue *play_own_value(const char *name)
{
    for (size_t i = 0; i < play_own_value_count; i++)
        if (g_str_equal(play_own_values[i].name, name))
            return &play_own_values[i];
    return NULL;
}

static void bind_number(GHashTable *values, const char *name, uint64_t number)
{
    g_hash_table_insert(values, g_strdup(name), value_integer(number));
}

void play_bind_facts(GHashTable *values, const SessionFacts *facts)
{
    uint64_t minimum = MAX(facts->minimum, 1u);

    bind_number(values, "size", facts->size);
    bind_number(values, "flags", facts->transmission_flags);
    bind_number(values, "minimum", minimum);
    bind_number(values, "preferred", facts->preferred);
    bind_number(values, "maximum", facts->maximum);
    bind_number(values, "block", MAX(minimum, 512));
}

void player_set_facts(Player *player, const SessionFacts *facts)
{
    play_bind_facts(player->scope.values, facts);
}

void player_set_own_values(Player *player)
{
    g_autoptr(GBytes) name =
        g_bytes_new(player->mode->export_name, strlen(player->mode->export_name));

    player_bind(player, "export", value_bytes(name));
    player_bind(player, "region", value_integer(player->region));
    if (player->target != NULL)
        player_set_facts(player, &player->target->facts);
}
