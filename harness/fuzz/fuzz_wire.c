/* Fuzz target: the tables' decoders and the parsers of data of variable form, with any bytes.
 *
 * The first byte of an input chooses the layout. What was decoded encodes to the same bytes; what was
 * parsed lies inside what was given.
 */
#include "fuzz/fuzz.h"
#include "wire/wire.h"

static void decode(WireKind kind, const uint8_t *data, size_t size)
{
    uint64_t values[WIRE_MAX_FIELDS] = {0};
    uint8_t again[64];
    size_t needed = wire_layout(kind)->size;

    if (size < needed)
        return;
    wire_decode(kind, data, values);
    wire_encode(kind, values, again);
    FUZZ_HOLDS(memcmp(data, again, needed) == 0);
    g_autofree char *text = wire_describe(kind, values);
    FUZZ_HOLDS(g_utf8_validate(text, -1, NULL));
}

static bool inside(const uint8_t *at, size_t length, const uint8_t *data, size_t size)
{
    return at >= data && length <= size && (size_t)(at - data) <= size - length;
}

static void parse(const uint8_t *data, size_t size)
{
    WireInfoRequest info;
    WireContextRequest context;

    if (wire_parse_info_request(data, size, &info)) {
        FUZZ_HOLDS(inside(info.name, info.name_length, data, size));
        FUZZ_HOLDS(inside(info.infos, (size_t)info.info_count * 2, data, size));
    }
    if (wire_parse_context_request(data, size, &context)) {
        FUZZ_HOLDS(inside(context.export_name, context.export_length, data, size));
        FUZZ_HOLDS(inside(context.queries, context.queries_size, data, size));
    }
}

static void check_string(const uint8_t *data, size_t size)
{
    const bool has_nul = memchr(data, 0, size) != NULL;
    const bool is_utf8 = g_utf8_validate((const char *)data, (gssize)size, NULL);

    switch (wire_check_string(data, size)) {
    case WIRE_STRING_NUL:
        FUZZ_HOLDS(has_nul);
        break;
    case WIRE_STRING_NOT_UTF8:
        FUZZ_HOLDS(!has_nul && !is_utf8);
        break;
    case WIRE_STRING_TOO_LONG:
        FUZZ_HOLDS(is_utf8 && size > 4096);
        break;
    case WIRE_STRING_LONG:
        FUZZ_HOLDS(is_utf8 && size > 256 && size <= 4096);
        break;
    case WIRE_STRING_FINE:
        FUZZ_HOLDS(is_utf8 && size <= 256);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const WireKind kind = (WireKind)(*data % WIRE_KINDS);
    size--;
    g_autofree uint8_t *exact = fuzz_exact(data + 1, size);

    decode(kind, exact, size);
    parse(exact, size);
    check_string(exact, size);
    return 0;
}
