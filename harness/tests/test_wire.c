/* The wire: numbers, layouts and names. */
#include <CUnit/CUnit.h>
#include <glib.h>
#include <string.h>

#include "wire/wire.h"

void wire_tests(void);

/* ---- Numbers ---------------------------------------------------------------------------------- */

static void numbers_are_big_endian(void)
{
    uint8_t bytes[8];

    wire_put(bytes, 4, 0x01020304);
    CU_ASSERT(memcmp(bytes, "\1\2\3\4", 4) == 0);
    wire_put(bytes, 8, UINT64_C(0xfffefdfcfbfaf9f8));
    CU_ASSERT(memcmp(bytes, "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8", 8) == 0);
    CU_ASSERT_EQUAL(wire_get(bytes, 8), UINT64_C(0xfffefdfcfbfaf9f8));
    CU_ASSERT_EQUAL(wire_get(bytes, 3), 0xfffefd);
}

static void every_width_round_trips_and_touches_nothing_else(void)
{
    for (size_t width = 1; width <= 8; width++) {
        uint8_t bytes[10];
        uint64_t mask = width == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * width)) - 1;
        uint64_t value = UINT64_C(0xa1b2c3d4e5f60718);

        memset(bytes, 0x55, sizeof bytes);
        wire_put(bytes + 1, width, value);
        CU_ASSERT_EQUAL(wire_get(bytes + 1, width), value & mask);
        CU_ASSERT_EQUAL(bytes[0], 0x55);
        CU_ASSERT_EQUAL(bytes[width + 1], 0x55);
    }
}

/* ---- Layouts ---------------------------------------------------------------------------------- */

static void sizes_are_the_specifications(void)
{
    static const struct {
        WireKind kind;
        const char *name;
        size_t size;
    } expected[] = {
        {WIRE_GREETING, "greeting", 16},
        {WIRE_OLDSTYLE, "oldstyle", 12},
        {WIRE_NEWSTYLE, "newstyle", 2},
        {WIRE_CLIENT_FLAGS, "client-flags", 4},
        {WIRE_OPTION, "option", 16},
        {WIRE_OPTION_REPLY, "reply", 20},
        {WIRE_EXPORT, "export", 10},
        {WIRE_REP_SERVER, "server", 4},
        {WIRE_INFO, "info", 2},
        {WIRE_INFO_EXPORT, "info-export", 12},
        {WIRE_INFO_BLOCK_SIZE, "info-block-size", 14},
        {WIRE_META_CONTEXT, "meta-context", 4},
        {WIRE_REQUEST, "request", 28},
        {WIRE_SIMPLE_REPLY, "simple-reply", 16},
        {WIRE_CHUNK, "chunk", 20},
        {WIRE_EXTENDED_REQUEST, "extended-request", 32},
        {WIRE_EXTENDED_REPLY, "extended-reply", 32},
    };

    CU_ASSERT_EQUAL(G_N_ELEMENTS(expected), WIRE_KINDS);
    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
        const WireLayout *layout = wire_layout(expected[i].kind);
        CU_ASSERT_EQUAL(layout->size, expected[i].size);
        CU_ASSERT_STRING_EQUAL(layout->name, expected[i].name);
    }
}

static void fields_fill_their_layout(void)
{
    for (WireKind kind = 0; kind < WIRE_KINDS; kind++) {
        const WireLayout *layout = wire_layout(kind);
        size_t size = 0;

        CU_ASSERT(layout->count > 0 && layout->count <= WIRE_MAX_FIELDS);
        for (size_t i = 0; i < layout->count; i++) {
            const WireField *field = &layout->fields[i];
            CU_ASSERT(field->width == 2 || field->width == 4 || field->width == 8);
            CU_ASSERT_EQUAL(wire_field_index(kind, field->name), (int)i);
            size += field->width;
        }
        CU_ASSERT_EQUAL(size, layout->size);
        CU_ASSERT_EQUAL(wire_field_index(kind, "no-such-field"), -1);
        CU_ASSERT_EQUAL(wire_field_index(kind, ""), -1);
    }
}

static void indices_name_the_fields_they_say(void)
{
    static const struct {
        WireKind kind;
        int index;
        const char *name;
    } expected[] = {
        {WIRE_GREETING, GREETING_PASSWD, "passwd"},
        {WIRE_GREETING, GREETING_MAGIC, "magic"},
        {WIRE_OLDSTYLE, OLDSTYLE_SIZE, "size"},
        {WIRE_OLDSTYLE, OLDSTYLE_FLAGS, "flags"},
        {WIRE_NEWSTYLE, NEWSTYLE_FLAGS, "flags"},
        {WIRE_CLIENT_FLAGS, CLIENT_FLAGS_FLAGS, "flags"},
        {WIRE_OPTION, OPTION_MAGIC, "magic"},
        {WIRE_OPTION, OPTION_OPTION, "option"},
        {WIRE_OPTION, OPTION_LENGTH, "length"},
        {WIRE_OPTION_REPLY, REPLY_MAGIC, "magic"},
        {WIRE_OPTION_REPLY, REPLY_OPTION, "option"},
        {WIRE_OPTION_REPLY, REPLY_TYPE, "type"},
        {WIRE_OPTION_REPLY, REPLY_LENGTH, "length"},
        {WIRE_EXPORT, EXPORT_SIZE, "size"},
        {WIRE_EXPORT, EXPORT_FLAGS, "flags"},
        {WIRE_REP_SERVER, REP_SERVER_NAME_LENGTH, "name-length"},
        {WIRE_INFO, INFO_TYPE, "info"},
        {WIRE_INFO_EXPORT, INFO_EXPORT_TYPE, "info"},
        {WIRE_INFO_EXPORT, INFO_EXPORT_SIZE, "size"},
        {WIRE_INFO_EXPORT, INFO_EXPORT_FLAGS, "flags"},
        {WIRE_INFO_BLOCK_SIZE, INFO_BLOCK_SIZE_TYPE, "info"},
        {WIRE_INFO_BLOCK_SIZE, INFO_BLOCK_SIZE_MINIMUM, "minimum"},
        {WIRE_INFO_BLOCK_SIZE, INFO_BLOCK_SIZE_PREFERRED, "preferred"},
        {WIRE_INFO_BLOCK_SIZE, INFO_BLOCK_SIZE_MAXIMUM, "maximum"},
        {WIRE_META_CONTEXT, META_CONTEXT_ID, "id"},
        {WIRE_REQUEST, REQUEST_MAGIC, "magic"},
        {WIRE_REQUEST, REQUEST_FLAGS, "flags"},
        {WIRE_REQUEST, REQUEST_TYPE, "type"},
        {WIRE_REQUEST, REQUEST_COOKIE, "cookie"},
        {WIRE_REQUEST, REQUEST_OFFSET, "offset"},
        {WIRE_REQUEST, REQUEST_LENGTH, "length"},
        {WIRE_SIMPLE_REPLY, SIMPLE_REPLY_MAGIC, "magic"},
        {WIRE_SIMPLE_REPLY, SIMPLE_REPLY_ERROR, "error"},
        {WIRE_SIMPLE_REPLY, SIMPLE_REPLY_COOKIE, "cookie"},
        {WIRE_CHUNK, CHUNK_MAGIC, "magic"},
        {WIRE_CHUNK, CHUNK_FLAGS, "flags"},
        {WIRE_CHUNK, CHUNK_TYPE, "type"},
        {WIRE_CHUNK, CHUNK_COOKIE, "cookie"},
        {WIRE_CHUNK, CHUNK_LENGTH, "length"},
        {WIRE_EXTENDED_REQUEST, REQUEST_MAGIC, "magic"},
        {WIRE_EXTENDED_REQUEST, REQUEST_FLAGS, "flags"},
        {WIRE_EXTENDED_REQUEST, REQUEST_TYPE, "type"},
        {WIRE_EXTENDED_REQUEST, REQUEST_COOKIE, "cookie"},
        {WIRE_EXTENDED_REQUEST, REQUEST_OFFSET, "offset"},
        {WIRE_EXTENDED_REQUEST, REQUEST_LENGTH, "length"},
        {WIRE_EXTENDED_REPLY, CHUNK_MAGIC, "magic"},
        {WIRE_EXTENDED_REPLY, CHUNK_FLAGS, "flags"},
        {WIRE_EXTENDED_REPLY, CHUNK_TYPE, "type"},
        {WIRE_EXTENDED_REPLY, CHUNK_COOKIE, "cookie"},
        {WIRE_EXTENDED_REPLY, EXTENDED_REPLY_OFFSET, "offset"},
        {WIRE_EXTENDED_REPLY, EXTENDED_REPLY_LENGTH, "length"},
    };
    size_t fields = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++)
        CU_ASSERT_EQUAL(wire_field_index(expected[i].kind, expected[i].name), expected[i].index);
    for (WireKind kind = 0; kind < WIRE_KINDS; kind++)
        fields += wire_layout(kind)->count;
    CU_ASSERT_EQUAL(fields, G_N_ELEMENTS(expected));
}

static void every_layout_round_trips(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(20);

    for (WireKind kind = 0; kind < WIRE_KINDS; kind++) {
        const WireLayout *layout = wire_layout(kind);
        for (int round = 0; round < 100; round++) {
            uint64_t in[WIRE_MAX_FIELDS] = {0}, out[WIRE_MAX_FIELDS] = {0};
            uint8_t bytes[64];
            for (size_t i = 0; i < layout->count; i++)
                in[i] = (uint64_t)g_rand_int(random) << 32 | g_rand_int(random);
            memset(bytes, 0x55, sizeof bytes);
            wire_encode(kind, in, bytes);
            CU_ASSERT_EQUAL(bytes[layout->size], 0x55);
            wire_decode(kind, bytes, out);
            for (size_t i = 0; i < layout->count; i++) {
                unsigned cut = 64 - 8u * layout->fields[i].width;
                CU_ASSERT_EQUAL(out[i], in[i] << cut >> cut);
            }
        }
    }
}

static void encodes_to(WireKind kind, const uint64_t *values, const char *hex)
{
    uint8_t bytes[64];
    g_autoptr(GString) text = g_string_new(NULL);

    wire_encode(kind, values, bytes);
    for (size_t i = 0; i < wire_layout(kind)->size; i++)
        g_string_append_printf(text, "%02x", bytes[i]);
    CU_ASSERT_STRING_EQUAL(text->str, hex);
}

static void messages_look_as_on_the_wire(void)
{
    uint64_t values[WIRE_MAX_FIELDS];

    wire_defaults(WIRE_GREETING, values);
    encodes_to(WIRE_GREETING, values,
               "4e42444d41474943"
               "49484156454f5054");
    wire_defaults(WIRE_OPTION, values);
    values[OPTION_OPTION] = NBD_OPT_GO;
    values[OPTION_LENGTH] = 6;
    encodes_to(WIRE_OPTION, values,
               "49484156454f5054"
               "00000007"
               "00000006");
    wire_defaults(WIRE_OPTION_REPLY, values);
    values[REPLY_OPTION] = NBD_OPT_LIST;
    values[REPLY_TYPE] = NBD_REP_ERR_POLICY;
    encodes_to(WIRE_OPTION_REPLY, values,
               "0003e889045565a9"
               "00000003"
               "80000002"
               "00000000");
    wire_defaults(WIRE_REQUEST, values);
    values[REQUEST_FLAGS] = NBD_CMD_FLAG_FUA;
    values[REQUEST_TYPE] = NBD_CMD_WRITE;
    values[REQUEST_COOKIE] = UINT64_C(0x0102030405060708);
    values[REQUEST_OFFSET] = 4096;
    values[REQUEST_LENGTH] = 512;
    encodes_to(WIRE_REQUEST, values,
               "25609513"
               "0001"
               "0001"
               "0102030405060708"
               "0000000000001000"
               "00000200");
    wire_defaults(WIRE_SIMPLE_REPLY, values);
    values[SIMPLE_REPLY_ERROR] = NBD_EINVAL;
    values[SIMPLE_REPLY_COOKIE] = 7;
    encodes_to(WIRE_SIMPLE_REPLY, values,
               "67446698"
               "00000016"
               "0000000000000007");
    wire_defaults(WIRE_CHUNK, values);
    values[CHUNK_FLAGS] = NBD_REPLY_FLAG_DONE;
    values[CHUNK_TYPE] = NBD_REPLY_TYPE_ERROR;
    values[CHUNK_COOKIE] = 7;
    values[CHUNK_LENGTH] = 6;
    encodes_to(WIRE_CHUNK, values,
               "668e33ef"
               "0001"
               "8001"
               "0000000000000007"
               "00000006");
}

static void defaults_are_magic_numbers_and_zeroes(void)
{
    for (WireKind kind = 0; kind < WIRE_KINDS; kind++) {
        uint64_t values[WIRE_MAX_FIELDS];
        memset(values, 0xff, sizeof values);
        wire_defaults(kind, values);
        for (size_t i = 0; i < WIRE_MAX_FIELDS; i++) {
            const WireLayout *layout = wire_layout(kind);
            CU_ASSERT_EQUAL(values[i], i < layout->count ? layout->fields[i].value : 0);
        }
    }
}

static void describes_as(WireKind kind, const uint64_t *values, const char *expected)
{
    g_autofree char *text = wire_describe(kind, values);

    CU_ASSERT_STRING_EQUAL(text, expected);
}

static void a_description_shows_magic_numbers_only_if_wrong(void)
{
    uint64_t values[WIRE_MAX_FIELDS];

    wire_defaults(WIRE_OPTION, values);
    values[OPTION_OPTION] = NBD_OPT_ABORT;
    describes_as(WIRE_OPTION, values, "option=ABORT length=0");
    values[OPTION_MAGIC] = 0x1234;
    values[OPTION_OPTION] = 99;
    describes_as(WIRE_OPTION, values, "magic=0x1234 option=99 length=0");

    wire_defaults(WIRE_EXPORT, values);
    values[EXPORT_SIZE] = UINT64_MAX;
    values[EXPORT_FLAGS] = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH;
    describes_as(WIRE_EXPORT, values, "size=18446744073709551615 flags=HAS_FLAGS|SEND_FLUSH");
}

/* ---- Names ------------------------------------------------------------------------------------ */

static const WireNames *const all_names[] = {
    &wire_handshake_flags, &wire_client_flags, &wire_transmission_flags,
    &wire_options,         &wire_reply_types,  &wire_info_types,
    &wire_command_flags,   &wire_commands,     &wire_chunk_flags,
    &wire_chunk_types,     &wire_errors,
};

static void every_name_leads_to_its_value_and_back(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(all_names); i++) {
        const WireNames *names = all_names[i];
        CU_ASSERT(names->count > 0);
        CU_ASSERT(names->title[0] != '\0');
        for (size_t j = 0; j < names->count; j++) {
            uint64_t value = ~names->names[j].value;
            CU_ASSERT_STRING_EQUAL(wire_name(names, names->names[j].value), names->names[j].name);
            CU_ASSERT_TRUE(wire_value(names, names->names[j].name, &value));
            CU_ASSERT_EQUAL(value, names->names[j].value);
            g_autofree char *text = wire_format(names, value);
            CU_ASSERT_STRING_EQUAL(text, names->names[j].name);
        }
    }
}

static void values_have_the_specifications_names(void)
{
    CU_ASSERT_STRING_EQUAL(wire_name(&wire_options, 10), "SET_META_CONTEXT");
    CU_ASSERT_STRING_EQUAL(wire_name(&wire_commands, 6), "WRITE_ZEROES");
    CU_ASSERT_STRING_EQUAL(wire_name(&wire_reply_types, 0x80000008), "ERR_BLOCK_SIZE_REQD");
    CU_ASSERT_STRING_EQUAL(wire_name(&wire_errors, 108), "ESHUTDOWN");
    CU_ASSERT_STRING_EQUAL(wire_name(&wire_chunk_types, 0x8002), "ERROR_OFFSET");
    CU_ASSERT_STRING_EQUAL(wire_name(&wire_transmission_flags, 0x100), "CAN_MULTI_CONN");
}

static void unknown_names_and_values_are_not_found(void)
{
    uint64_t value = 42;

    for (size_t i = 0; i < G_N_ELEMENTS(all_names); i++) {
        CU_ASSERT_PTR_NULL(wire_name(all_names[i], 0x123456789));
        CU_ASSERT_FALSE(wire_value(all_names[i], "NO_SUCH_NAME", &value));
        CU_ASSERT_FALSE(wire_value(all_names[i], "", &value));
    }
    CU_ASSERT_EQUAL(value, 42);
}

static void formats_as(const WireNames *names, uint64_t value, const char *expected)
{
    g_autofree char *text = wire_format(names, value);

    CU_ASSERT_STRING_EQUAL(text, expected);
}

static void what_has_no_name_is_shown_as_a_number(void)
{
    formats_as(&wire_options, 77, "77");
    formats_as(&wire_options, 0x80000063, "0x80000063");
    formats_as(&wire_handshake_flags, 0, "0");
    formats_as(&wire_handshake_flags, 3, "FIXED_NEWSTYLE|NO_ZEROES");
    formats_as(&wire_handshake_flags, 0x8001, "FIXED_NEWSTYLE|0x8000");
    formats_as(&wire_handshake_flags, 0x8000, "0x8000");
}

static void known_bits_are_all_named_ones(void)
{
    CU_ASSERT_EQUAL(wire_known_bits(&wire_handshake_flags), 0x3);
    CU_ASSERT_EQUAL(wire_known_bits(&wire_transmission_flags), 0x1fff);
    CU_ASSERT_EQUAL(wire_known_bits(&wire_command_flags), 0x3f);
    CU_ASSERT_EQUAL(wire_known_bits(&wire_chunk_flags), 0x1);
}

void wire_tests(void)
{
    CU_TestInfo tests[] = {
        {"numbers are big-endian", numbers_are_big_endian},
        {"every width round-trips and touches nothing else",
         every_width_round_trips_and_touches_nothing_else},
        {"sizes are the specification's", sizes_are_the_specifications},
        {"fields fill their layout", fields_fill_their_layout},
        {"indices name the fields they say", indices_name_the_fields_they_say},
        {"every layout round-trips", every_layout_round_trips},
        {"messages look as on the wire", messages_look_as_on_the_wire},
        {"defaults are magic numbers and zeroes", defaults_are_magic_numbers_and_zeroes},
        {"a description shows magic numbers only if wrong",
         a_description_shows_magic_numbers_only_if_wrong},
        {"every name leads to its value and back", every_name_leads_to_its_value_and_back},
        {"values have the specification's names", values_have_the_specifications_names},
        {"unknown names and values are not found", unknown_names_and_values_are_not_found},
        {"what has no name is shown as a number", what_has_no_name_is_shown_as_a_number},
        {"known bits are all named ones", known_bits_are_all_named_ones},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"wire", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    CU_register_suites(suites);
}
