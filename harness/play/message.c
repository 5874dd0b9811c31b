/* How the bytes of messages are put together. */
#include "play/player.h"

GByteArray *player_message(WireKind header, const uint64_t *value, const void *data, size_t size)
{
    GByteArray *message = g_byte_array_new();

    g_byte_array_set_size(message, (guint)wire_layout(header)->size);
    wire_encode(header, value, message->data);
    if (size > 0)
        g_byte_array_append(message, data, (guint)size);
    return message;
}

void player_append_number(GByteArray *data, size_t width, uint64_t number)
{
    uint8_t bytes[8];

    wire_put(bytes, width, number);
    g_byte_array_append(data, bytes, (guint)width);
}

void player_append(GByteArray *data, GBytes *bytes)
{
    gsize size;
    const uint8_t *from = g_bytes_get_data(bytes, &size);

    if (size > 0)
        g_byte_array_append(data, from, (guint)size);
}
