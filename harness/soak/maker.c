/* The bytes that cycles say. */
#include "soak/maker.h"

#include <string.h>

void maker_add(Maker *maker, const void *bytes, size_t size)
{
    g_byte_array_append(maker->cycle->bytes, bytes, (guint)size);
    maker->said += size;
}

void maker_add_number(Maker *maker, size_t width, uint64_t value)
{
    uint8_t bytes[8];

    wire_put(bytes, width, value);
    maker_add(maker, bytes, width);
}

static void maker_add_layout(Maker *maker, WireKind kind, const uint64_t values[WIRE_MAX_FIELDS])
{
    uint8_t bytes[64];

    wire_encode(kind, values, bytes);
    maker_add(maker, bytes, wire_layout(kind)->size);
}

void maker_add_option(Maker *maker, uint32_t option, size_t length)
{
    uint64_t values[WIRE_MAX_FIELDS];

    wire_defaults(WIRE_OPTION, values);
    values[OPTION_OPTION] = option;
    values[OPTION_LENGTH] = length;
    maker_add_layout(maker, WIRE_OPTION, values);
}

void maker_add_export_name(Maker *maker, const char *name)
{
    maker_add_option(maker, NBD_OPT_EXPORT_NAME, strlen(name));
    maker_add(maker, name, strlen(name));
}

/* NBD_OPT_INFO or NBD_OPT_GO. It asks for the size constraints, for some servers do not let in who does not; all
 * our requests obey them. */
void maker_add_info(Maker *maker, uint32_t option, const char *name)
{
    maker_add_option(maker, option, 4 + strlen(name) + 2 + 2);
    maker_add_number(maker, 4, strlen(name));
    maker_add(maker, name, strlen(name));
    maker_add_number(maker, 2, 1);
    maker_add_number(maker, 2, NBD_INFO_BLOCK_SIZE);
}

/* The option that enters transmission. */
void maker_add_entry(Maker *maker)
{
    const char *name = maker->target->export_name != NULL ? maker->target->export_name : "";

    if (maker->cycle->style == STYLE_FIXED_NEWSTYLE)
        maker_add_info(maker, NBD_OPT_GO, name);
    else
        maker_add_export_name(maker, name);
}

void maker_add_request(Maker *maker, uint16_t command, uint64_t offset, uint32_t length)
{
    uint64_t values[WIRE_MAX_FIELDS];

    wire_defaults(WIRE_REQUEST, values);
    values[REQUEST_TYPE] = command;
    values[REQUEST_COOKIE] = ++maker->cookie;
    values[REQUEST_OFFSET] = offset;
    values[REQUEST_LENGTH] = length;
    maker_add_layout(maker, WIRE_REQUEST, values);
    if (command == NBD_CMD_WRITE) {
        g_autofree uint8_t *zeroes = g_malloc0(length);
        maker_add(maker, zeroes, length);
    }
}

/* Takes back all but the first KEEP of the bytes since FROM. */
void maker_cut(Maker *maker, guint from, guint keep)
{
    guint gone = maker->cycle->bytes->len - from - keep;

    g_byte_array_set_size(maker->cycle->bytes, from + keep);
    maker->said -= gone;
}
