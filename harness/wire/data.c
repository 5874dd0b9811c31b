/* Data whose form depends on lengths inside it: strings, and the data of INFO, GO and the
 * metadata options. Every length is checked against what is really there. */
#include <glib.h>
#include <string.h>

#include "wire/wire.h"

WireString wire_check_string(const uint8_t *text, size_t length)
{
    WireString worst = WIRE_STRING_FINE;

    if (length > NBD_GOOD_STRING)
        worst = WIRE_STRING_LONG;
    if (length > NBD_MAX_STRING)
        worst = WIRE_STRING_TOO_LONG;
    if (length == 0)
        return worst;
    if (memchr(text, 0, length) != NULL)
        return WIRE_STRING_NUL;
    if (!g_utf8_validate((const char *)text, (gssize)length, NULL))
        return WIRE_STRING_NOT_UTF8;
    return worst;
}

bool wire_parse_info_request(const uint8_t *data, size_t length, WireInfoRequest *out)
{
    if (length < 6)
        return false;
    uint64_t name_length = wire_get(data, 4);
    if (name_length > length - 6)
        return false;
    const uint8_t *rest = data + 4 + name_length;
    uint64_t count = wire_get(rest, 2);
    if (length != 6 + name_length + 2 * count)
        return false;
    *out = (WireInfoRequest){
        .name = data + 4,
        .name_length = (uint32_t)name_length,
        .info_count = (uint16_t)count,
        .infos = rest + 2,
    };
    return true;
}

bool wire_parse_context_request(const uint8_t *data, size_t length, WireContextRequest *out)
{
    if (length < 8)
        return false;
    uint64_t name_length = wire_get(data, 4);
    if (name_length > length - 8)
        return false;
    const uint8_t *queries = data + 8 + name_length;
    size_t size = length - 8 - name_length;
    uint64_t count = wire_get(data + 4 + name_length, 4);
    size_t at = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (size - at < 4)
            return false;
        uint64_t query = wire_get(queries + at, 4);
        if (query > size - at - 4)
            return false;
        at += 4 + query;
    }
    if (at != size)
        return false;
    *out = (WireContextRequest){
        .export_name = data + 4,
        .export_length = (uint32_t)name_length,
        .query_count = (uint32_t)count,
        .queries = queries,
        .queries_size = size,
    };
    return true;
}
