/* What a server printed: the beginning and the end, however much it was. */
#include <string.h>

#include "watch/private.h"

enum { HEAD_KEPT = 64 << 10, TAIL_KEPT = 256 << 10 };

void output_init(Output *output)
{
    output->head = g_byte_array_new();
    output->tail = g_byte_array_new();
}

void output_clear(Output *output)
{
    g_byte_array_unref(output->head);
    g_byte_array_unref(output->tail);
}

void output_add(Output *output, const char *bytes, size_t size)
{
    size_t first = MIN(size, HEAD_KEPT - output->head->len);

    output->total += size;
    g_byte_array_append(output->head, (const guint8 *)bytes, (guint)first);
    g_byte_array_append(output->tail, (const guint8 *)bytes + first, (guint)(size - first));
    if (output->tail->len > 2 * TAIL_KEPT)
        g_byte_array_remove_range(output->tail, 0, output->tail->len - TAIL_KEPT);
}

/* Bytes FROM to TO of the stream; nothing of what is not in PART, which begins at START. */
static void copy(GString *text, const GByteArray *part, size_t start, size_t from, size_t to)
{
    size_t end = start + part->len;

    from = MAX(from, start);
    to = MIN(to, end);
    for (size_t at = from; at < to; at++) {
        char byte = (char)part->data[at - start];
        g_string_append_c(text, byte == '\0' ? '?' : byte);
    }
}

char *output_text(const Output *output, size_t from, size_t most)
{
    size_t total = output->total, tail = total - output->tail->len;
    GString *text = g_string_new(NULL);

    if (most < total && from < total - most)
        from = total - most;
    copy(text, output->head, 0, from, total);
    if (from < tail && tail > output->head->len)
        g_string_append_printf(text, "\n[%zu bytes left out]\n",
                               tail - MAX(from, output->head->len));
    copy(text, output->tail, tail, from, total);
    return g_string_free(text, FALSE);
}
