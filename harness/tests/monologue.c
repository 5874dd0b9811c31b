/* What monologues are made of. */
#include <string.h>

#include "monologue.h"
#include "raw_client.h"

void put_bytes(GByteArray *bytes, const void *data, size_t length)
{
    g_byte_array_append(bytes, data, (guint)length);
}

GByteArray *monologue_begin(uint32_t client_flags)
{
    GByteArray *bytes = g_byte_array_new();
    uint8_t flags[4];

    wire_put(flags, 4, client_flags);
    put_bytes(bytes, flags, sizeof flags);
    return bytes;
}

void put_option(GByteArray *bytes, uint32_t option, const void *data, size_t length)
{
    uint64_t values[WIRE_MAX_FIELDS] = {NBD_IHAVEOPT, option, length};
    uint8_t header[16];

    wire_encode(WIRE_OPTION, values, header);
    put_bytes(bytes, header, sizeof header);
    put_bytes(bytes, data, length);
}

void put_info(GByteArray *bytes, uint32_t option, const char *name, const char *requests,
              size_t length)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    uint8_t number[4];

    wire_put(number, 4, strlen(name));
    put_bytes(data, number, 4);
    put_bytes(data, name, strlen(name));
    put_bytes(data, requests, length);
    put_option(bytes, option, data->data, data->len);
}

void put_request(GByteArray *bytes, uint16_t type, uint16_t flags, uint64_t offset, uint32_t length)
{
    uint64_t cookie = UINT64_C(0x1234567800000000) + bytes->len;
    uint64_t values[WIRE_MAX_FIELDS] = {NBD_REQUEST_MAGIC, flags, type, cookie, offset, length};
    uint8_t header[28];

    wire_encode(WIRE_REQUEST, values, header);
    put_bytes(bytes, header, sizeof header);
    if (type != NBD_CMD_WRITE)
        return;
    guint start = bytes->len;
    g_byte_array_set_size(bytes, start + length);
    for (uint32_t i = 0; i < length; i++)
        bytes->data[start + i] = (uint8_t)(i + offset);
}

void put_extended(GByteArray *bytes, uint16_t type, uint16_t flags, uint64_t offset,
                  uint64_t length)
{
    const uint64_t values[WIRE_MAX_FIELDS] = {
        NBD_EXTENDED_REQUEST_MAGIC, flags, type, bytes->len, offset, length};
    uint8_t header[32];

    wire_encode(WIRE_EXTENDED_REQUEST, values, header);
    put_bytes(bytes, header, sizeof header);
}

void put_queries(GByteArray *bytes, uint32_t option, const char *query, uint32_t count)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    uint8_t number[4];

    put_bytes(data, "\0\0\0\4disk", 8);
    wire_put(number, 4, count);
    put_bytes(data, number, 4);
    for (uint32_t i = 0; i < count; i++) {
        wire_put(number, 4, strlen(query));
        put_bytes(data, number, 4);
        put_bytes(data, query, strlen(query));
    }
    put_option(bytes, option, data->data, data->len);
}

GByteArray *open_export(const char *name)
{
    GByteArray *bytes = monologue_begin(RAW_FLAGS);

    INFO(bytes, NBD_OPT_INFO, name, "\0\1\0\3");
    INFO(bytes, NBD_OPT_GO, name, "\0\1\0\3");
    return bytes;
}
