/* The data that cases write and read back: patterns, salted with the run and the case. */
#include "play/player.h"

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

void player_pattern(const Player *player, unsigned which, uint64_t offset, uint8_t *bytes,
                    size_t length)
{
    uint64_t salt =
        player->mode->salt ^ g_str_hash(player->play_case->id) ^ ((uint64_t)which << 56);
    uint8_t word[8];

    for (size_t i = 0; i < length; i++) {
        uint64_t at = offset + i;
        if (i == 0 || at % 8 == 0)
            wire_put(word, 8,
                     mix(salt + at / 8 * UINT64_C(0x9e3779b97f4a7c15)) | UINT64_C(1) << 56);
        bytes[i] = word[at % 8];
    }
}

/* 1 and 2 for the patterns, 0 for zeroes, -1 for anything else. */
static int pattern_number(const Value *value)
{
    if (value->kind != VALUE_WORD)
        return -1;
    return g_str_equal(value->word, "pattern") ? 1 : g_str_equal(value->word, "other") ? 2 : 0;
}

GBytes *player_payload(Player *player, const Expr *expr, uint64_t offset, uint64_t length)
{
    g_autoptr(Value) value = player_value(player, expr, NULL);

    if (value == NULL)
        return NULL;
    if (value->kind == VALUE_BYTES)
        return g_bytes_ref(value->bytes);
    int which = pattern_number(value);
    if (which < 0 || length > (128u << 20)) {
        player_error(player, "line %u: no payload of that kind or size", expr->place.line);
        return NULL;
    }
    uint8_t *bytes = g_malloc0(length);
    if (which > 0)
        player_pattern(player, (unsigned)which, offset, bytes, length);
    return g_bytes_new_take(bytes, length);
}

char *player_differs(Player *player, const Expr *expr, uint64_t offset, const GByteArray *payload)
{
    g_autoptr(GBytes) wanted = player_payload(player, expr, offset, payload->len);
    gsize size;

    if (wanted == NULL)
        return g_strdup("the expected data can't be made");
    const uint8_t *bytes = g_bytes_get_data(wanted, &size);
    if (size != payload->len)
        return g_strdup_printf("%u bytes came, not %" G_GSIZE_FORMAT, payload->len, size);
    for (gsize i = 0; i < size; i++)
        if (bytes[i] != payload->data[i])
            return g_strdup_printf("the byte at offset %" G_GUINT64_FORMAT " is %02x, not %02x",
                                   offset + i, payload->data[i], bytes[i]);
    return NULL;
}
