/* The reference server's handshake, spoken to in raw bytes. */
#include <CUnit/CUnit.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>

#include "raw_client.h"

void reference_tests(void);

#define MIB (1024u * 1024)

static const int nothing[] = {-1};

#define ALL_FLAGS                                                                                  \
    (NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA | NBD_FLAG_SEND_TRIM |           \
     NBD_FLAG_SEND_WRITE_ZEROES | NBD_FLAG_CAN_MULTI_CONN | NBD_FLAG_SEND_CACHE |                  \
     NBD_FLAG_SEND_FAST_ZERO)

/* ---- Handshake ------------------------------------------------------------------------------- */

static void the_greeting_is_fixed_newstyle(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);
    int fd = raw_dial(server);
    uint8_t bytes[18];

    CU_ASSERT_FATAL(raw_hear(fd, bytes, sizeof bytes));
    CU_ASSERT_EQUAL(wire_get(bytes, 8), NBD_INIT_PASSWD);
    CU_ASSERT_EQUAL(wire_get(bytes + 8, 8), NBD_IHAVEOPT);
    CU_ASSERT_EQUAL(wire_get(bytes + 16, 2), NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
    raw_close(fd);
}

static void unknown_client_flags_end_the_connection(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);

    for (unsigned bit = 2; bit < 32; bit += 7) {
        int fd = raw_dial(server);
        CU_ASSERT(raw_greet(fd, RAW_FLAGS | 1u << bit));
        raw_say_option(fd, NBD_OPT_LIST, NULL, 0);
        CU_ASSERT(raw_ends(fd));
        raw_close(fd);
    }
    CU_ASSERT(raw_served(server));
}

static void newstyle_that_is_not_fixed_knows_one_option(void)
{
    const RefConfig config = {.style = REF_NEWSTYLE};
    g_autoptr(RefServer) server = raw_serve(&config, MIB);
    uint8_t export[10];
    int fd = raw_dial(server);

    CU_ASSERT(raw_greet(fd, NBD_FLAG_C_FIXED_NEWSTYLE));
    CU_ASSERT(raw_ends(fd));
    raw_close(fd);
    fd = raw_dial(server);
    CU_ASSERT(raw_greet(fd, NBD_FLAG_C_NO_ZEROES));
    raw_say_option(fd, NBD_OPT_LIST, NULL, 0);
    CU_ASSERT(raw_ends(fd));
    raw_close(fd);
    fd = raw_dial(server);
    CU_ASSERT(raw_greet(fd, NBD_FLAG_C_NO_ZEROES));
    raw_say_option(fd, NBD_OPT_EXPORT_NAME, NULL, 0);
    CU_ASSERT(raw_hear(fd, export, sizeof export));
    CU_ASSERT_EQUAL(wire_get(export, 8), MIB);
    raw_close(fd);
}

static void oldstyle_tells_everything_unasked(void)
{
    const RefConfig config = {.style = REF_OLDSTYLE};
    g_autoptr(RefServer) server = raw_serve(&config, MIB);
    int fd = raw_dial(server);
    uint8_t bytes[152], block[16];

    CU_ASSERT_FATAL(raw_hear(fd, bytes, sizeof bytes));
    CU_ASSERT_EQUAL(wire_get(bytes + 8, 8), NBD_CLISERV_MAGIC);
    CU_ASSERT_EQUAL(wire_get(bytes + 16, 8), MIB);
    CU_ASSERT_EQUAL(wire_get(bytes + 24, 4), ALL_FLAGS);
    for (unsigned i = 28; i < sizeof bytes; i++)
        CU_ASSERT_EQUAL(bytes[i], 0);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, 0, sizeof block, block), NBD_SUCCESS);
    raw_close(fd);
}

static void export_name_is_padded_unless_no_zeroes_was_negotiated(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);

    for (unsigned flags = 0; flags < 4; flags++) {
        uint8_t bytes[10 + NBD_ZEROES], block[16];
        int fd = raw_dial(server);
        CU_ASSERT(raw_greet(fd, flags));
        raw_say_option(fd, NBD_OPT_EXPORT_NAME, NULL, 0);
        CU_ASSERT(raw_hear(fd, bytes, flags & NBD_FLAG_C_NO_ZEROES ? 10 : sizeof bytes));
        CU_ASSERT_EQUAL(wire_get(bytes + 8, 2), ALL_FLAGS);
        CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, 0, sizeof block, block), NBD_SUCCESS);
        raw_close(fd);
    }
}

static void export_name_of_nothing_known_ends_the_connection(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);
    static const size_t lengths[] = {1, 256, 4096, 4097, 200000};
    g_autofree char *name = g_strnfill(200000, 'n');

    for (unsigned i = 0; i < G_N_ELEMENTS(lengths); i++) {
        int fd = raw_dial(server);
        CU_ASSERT(raw_greet(fd, RAW_FLAGS));
        raw_say_option(fd, NBD_OPT_EXPORT_NAME, name, lengths[i]);
        CU_ASSERT(raw_ends(fd));
        raw_close(fd);
    }
    CU_ASSERT(raw_served(server));
}

static void abort_is_acknowledged_whatever_it_carries(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);
    static const uint8_t data[200000];
    static const size_t lengths[] = {0, 7, 4096, sizeof data};

    for (unsigned i = 0; i < G_N_ELEMENTS(lengths); i++) {
        RawReply reply;
        int fd = raw_dial(server);
        CU_ASSERT(raw_greet(fd, RAW_FLAGS));
        raw_say_option(fd, NBD_OPT_ABORT, data, lengths[i]);
        CU_ASSERT_FATAL(raw_hear_reply(fd, &reply));
        CU_ASSERT_EQUAL(reply.type, NBD_REP_ACK);
        CU_ASSERT_EQUAL(reply.option, NBD_OPT_ABORT);
        CU_ASSERT_EQUAL(reply.length, 0);
        CU_ASSERT(raw_ends(fd));
        raw_close(fd);
    }
}

static void many_exports_are_listed_to_a_client_that_reads_late(void)
{
    enum { COUNT = 1000 };
    g_autofree RefExport *exports = g_new0(RefExport, COUNT);
    g_autofree char *filling = g_strnfill(4000, 'x');
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

    for (unsigned i = 0; i < COUNT; i++) {
        g_ptr_array_add(names, g_strdup_printf("%u%s", i, filling));
        exports[i].name = g_ptr_array_index(names, i);
        exports[i].description = "what it is";
        exports[i].size = MIB;
    }
    const RefConfig config = {.exports = exports, .export_count = COUNT};
    g_autoptr(RefServer) server = raw_serve(&config, 0);
    int fd = raw_dial(server);
    CU_ASSERT(raw_greet(fd, RAW_FLAGS));
    raw_say_option(fd, NBD_OPT_LIST, NULL, 0);
    raw_say_option(fd, NBD_OPT_ABORT, NULL, 0);
    for (unsigned i = 0; i < COUNT; i++) {
        RawReply reply;
        size_t length = strlen(exports[i].name);
        CU_ASSERT_FATAL(raw_hear_reply(fd, &reply));
        CU_ASSERT_EQUAL(reply.type, NBD_REP_SERVER);
        CU_ASSERT_EQUAL(reply.length, 4 + length + strlen("what it is"));
        CU_ASSERT_EQUAL(wire_get(reply.data, 4), length);
        CU_ASSERT(memcmp(reply.data + 4, exports[i].name, length) == 0);
    }
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ACK);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ACK);
    CU_ASSERT(raw_ends(fd));
    raw_close(fd);
}

/* One option, the final reply to it, on a connection that then still haggles. */
typedef struct {
    uint32_t option;
    const char *data;
    size_t length;
    uint32_t type;
} OptionCase;

#define OPTION(option, data, type)                                                                 \
    {                                                                                              \
        option, data, sizeof(data) - 1, type                                                       \
    }

static void options_that_are_wrong_get_the_right_error_and_no_more(void)
{
    static const OptionCase cases[] = {
        OPTION(NBD_OPT_LIST, "x", NBD_REP_ERR_INVALID),
        OPTION(NBD_OPT_PEEK_EXPORT, "", NBD_REP_ERR_UNSUP),
        OPTION(NBD_OPT_STARTTLS, "", NBD_REP_ERR_UNSUP),
        OPTION(NBD_OPT_STRUCTURED_REPLY, "x", NBD_REP_ERR_INVALID),
        OPTION(0, "", NBD_REP_ERR_UNSUP),
        OPTION(0x7fffffff, "some data", NBD_REP_ERR_UNSUP),
        OPTION(0xffffffff, "IHAVEOPT\0\0\0\2\0\0\0\0", NBD_REP_ERR_UNSUP),
        OPTION(NBD_OPT_INFO, "", NBD_REP_ERR_INVALID),
        OPTION(NBD_OPT_INFO, "\0\0\0\0\0", NBD_REP_ERR_INVALID),
        OPTION(NBD_OPT_INFO, "\0\0\0\0\0\0\0", NBD_REP_ERR_INVALID),
        OPTION(NBD_OPT_INFO, "\0\0\0\1\0\0", NBD_REP_ERR_INVALID),
        OPTION(NBD_OPT_GO, "\xff\xff\xff\xff\0\0", NBD_REP_ERR_INVALID),
        OPTION(NBD_OPT_GO, "\xff\xff\xff\xfa\0\0\0\0\0\0", NBD_REP_ERR_INVALID),
        OPTION(NBD_OPT_GO, "\0\0\0\0\xff\xff", NBD_REP_ERR_INVALID),
        OPTION(NBD_OPT_GO, "\0\0\0\0\0\2\0\3\0\3", NBD_REP_ERR_INVALID),
        OPTION(NBD_OPT_GO, "\0\0\0\0\0\3\1\1\0\0\1\1", NBD_REP_ERR_INVALID),
        OPTION(NBD_OPT_GO, "\0\0\0\3a\0b\0\0", NBD_REP_ERR_INVALID),
        OPTION(NBD_OPT_GO, "\0\0\0\1\xc3\0\0", NBD_REP_ERR_INVALID),
        OPTION(NBD_OPT_GO, "\0\0\0\4none\0\0", NBD_REP_ERR_UNKNOWN),
        OPTION(NBD_OPT_INFO, "\0\0\0\4none\0\1\0\3", NBD_REP_ERR_UNKNOWN),
    };
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);
    int fd = raw_dial(server);

    CU_ASSERT(raw_greet(fd, RAW_FLAGS));
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        RawReply reply;
        raw_say_option(fd, cases[i].option, cases[i].data, cases[i].length);
        CU_ASSERT_FATAL(raw_hear_reply(fd, &reply));
        CU_ASSERT_EQUAL(reply.type, cases[i].type);
        CU_ASSERT_EQUAL(reply.option, cases[i].option);
        CU_ASSERT_EQUAL(wire_check_string(reply.data, reply.length), WIRE_STRING_FINE);
    }
    raw_say_option(fd, NBD_OPT_ABORT, NULL, 0);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ACK);
    raw_close(fd);
}

static void long_names_are_found_and_overlong_ones_are_refused(void)
{
    g_autofree char *longest = g_strnfill(4096, 'n');
    g_autofree char *too_long = g_strnfill(4097, 'n');
    const RefExport exports[] = {{.size = MIB}, {.name = longest, .size = 2 * MIB}};
    const RefConfig config = {.exports = exports, .export_count = 2};
    g_autoptr(RefServer) server = raw_serve(&config, 0);
    RawReply reply;
    int fd = raw_dial(server);

    CU_ASSERT(raw_greet(fd, RAW_FLAGS));
    raw_say_info(fd, NBD_OPT_INFO, longest, nothing);
    CU_ASSERT_FATAL(raw_hear_reply(fd, &reply));
    CU_ASSERT_EQUAL(wire_get(reply.data + 2, 8), 2 * MIB);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ACK);
    raw_say_info(fd, NBD_OPT_INFO, too_long, nothing);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ERR_INVALID);
    raw_say_info(fd, NBD_OPT_GO, "unknown", nothing);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ERR_UNKNOWN);
    raw_close(fd);
}

static void info_tells_what_is_asked_for_and_go_the_same(void)
{
    static const int everything[] = {NBD_INFO_BLOCK_SIZE, 77,    NBD_INFO_DESCRIPTION,
                                     NBD_INFO_NAME,       65535, -1};
    const RefExport exports[] = {{.name = "disk",
                                  .description = "a disk",
                                  .canonical = "the disk",
                                  .size = MIB,
                                  .minimum = 512,
                                  .maximum = MIB}};
    const RefConfig config = {.exports = exports, .export_count = 1};
    g_autoptr(RefServer) server = raw_serve(&config, 0);
    int fd = raw_dial(server);

    CU_ASSERT(raw_greet(fd, RAW_FLAGS));
    for (uint32_t option = NBD_OPT_INFO; option <= NBD_OPT_GO; option++) {
        RawReply reply;
        raw_say_info(fd, option, "", everything);
        CU_ASSERT_FATAL(raw_hear_reply(fd, &reply));
        CU_ASSERT_EQUAL(reply.length, 12);
        CU_ASSERT_EQUAL(wire_get(reply.data, 2), NBD_INFO_EXPORT);
        CU_ASSERT_EQUAL(wire_get(reply.data + 2, 8), MIB);
        CU_ASSERT_EQUAL(wire_get(reply.data + 10, 2), ALL_FLAGS);
        CU_ASSERT_FATAL(raw_hear_reply(fd, &reply));
        CU_ASSERT_EQUAL(reply.length, 2 + strlen("the disk"));
        CU_ASSERT(memcmp(reply.data, "\0\1the disk", reply.length) == 0);
        CU_ASSERT_FATAL(raw_hear_reply(fd, &reply));
        CU_ASSERT_EQUAL(reply.length, 2 + strlen("a disk"));
        CU_ASSERT(memcmp(reply.data, "\0\2a disk", reply.length) == 0);
        CU_ASSERT_FATAL(raw_hear_reply(fd, &reply));
        CU_ASSERT_EQUAL(reply.length, 14);
        CU_ASSERT(memcmp(reply.data, "\0\3\0\0\2\0\0\0\x10\0\0\x10\0\0", 14) == 0);
        CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ACK);
    }
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_FLUSH, 0, 0, 0, NULL), NBD_SUCCESS);
    raw_close(fd);
}

static void constraints_can_be_required_to_be_asked_for(void)
{
    static const int sizes[] = {NBD_INFO_BLOCK_SIZE, -1};
    const RefExport exports[] = {{.size = MIB, .minimum = 4096, .require = true}};
    const RefConfig config = {.exports = exports, .export_count = 1};
    g_autoptr(RefServer) server = raw_serve(&config, 0);
    int fd = raw_dial(server);

    CU_ASSERT(raw_greet(fd, RAW_FLAGS));
    raw_say_option(fd, NBD_OPT_EXPORT_NAME, NULL, 0);
    CU_ASSERT(raw_ends(fd));
    raw_close(fd);
    fd = raw_dial(server);
    CU_ASSERT(raw_greet(fd, RAW_FLAGS));
    raw_say_info(fd, NBD_OPT_GO, "", nothing);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_INFO);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_INFO);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ERR_BLOCK_SIZE_REQD);
    raw_say_info(fd, NBD_OPT_GO, "", sizes);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_INFO);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_INFO);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ACK);
    raw_close(fd);
}

static void long_data_are_skipped_and_endless_ones_are_not(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);
    g_autofree uint8_t *data = g_malloc0(MIB);
    int fd = raw_dial(server);

    CU_ASSERT(raw_greet(fd, RAW_FLAGS));
    raw_say_option(fd, 4711, data, MIB);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ERR_UNSUP);
    raw_say_option(fd, NBD_OPT_GO, data, MIB);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ERR_TOO_BIG);
    raw_say_option(fd, NBD_OPT_LIST, data, MIB / 2);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ERR_INVALID);
    raw_say(fd, "IHAVEOPT\0\0\0\3\xff\xff\xff\xff", 16);
    CU_ASSERT(raw_ends(fd));
    raw_close(fd);
    CU_ASSERT(raw_served(server));
}

static void a_wrong_option_magic_ends_the_connection_behind_the_replies(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);
    int fd = raw_dial(server);

    CU_ASSERT(raw_greet(fd, RAW_FLAGS));
    raw_say_option(fd, 4711, NULL, 0);
    raw_say(fd, "IHAVEOPS\0\0\0\3\0\0\0\0and a lot of other things that are not read any more", 60);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ERR_UNSUP);
    CU_ASSERT(raw_ends(fd));
    raw_close(fd);
}

/* The bytes of a whole conversation: client flags, LIST, GO, a write, a read of it, DISC. */
static GByteArray *whole_conversation(void)
{
    static const char handshake[] = "\0\0\0\3"
                                    "IHAVEOPT\0\0\0\3\0\0\0\0"
                                    "IHAVEOPT\0\0\0\7\0\0\0\6\0\0\0\0\0\0";
    static const char requests[] = "\x25\x60\x95\x13\0\0\0\1cookie 1\0\0\0\0\0\0\0\1\0\0\0\4data"
                                   "\x25\x60\x95\x13\0\0\0\0cookie 2\0\0\0\0\0\0\0\0\0\0\0\6"
                                   "\x25\x60\x95\x13\0\0\0\2cookie 3\0\0\0\0\0\0\0\0\0\0\0\0";
    GByteArray *bytes = g_byte_array_new();

    g_byte_array_append(bytes, (const uint8_t *)handshake, sizeof handshake - 1);
    g_byte_array_append(bytes, (const uint8_t *)requests, sizeof requests - 1);
    return bytes;
}

static void a_conversation_is_understood_in_segments_of_any_size(void)
{
    g_autoptr(RefServer) server = raw_serve(NULL, MIB);
    g_autoptr(GByteArray) bytes = whole_conversation();

    for (guint segment = 1; segment <= bytes->len; segment += segment < 40 ? 1 : 37) {
        uint8_t answer[18 + 24 + 20 + 32 + 20 + 16 + 22];
        int fd = raw_dial(server);
        for (guint at = 0; at < bytes->len; at += segment)
            CU_ASSERT(raw_say(fd, bytes->data + at, MIN(segment, bytes->len - at)));
        CU_ASSERT_FATAL(raw_hear(fd, answer, sizeof answer));
        CU_ASSERT(memcmp(answer + sizeof answer - 22, "\x67\x44\x66\x98\0\0\0\0cookie 2\0data\0",
                         22) == 0);
        CU_ASSERT(raw_ends(fd));
        raw_close(fd);
    }
}

void reference_tests(void)
{
    CU_TestInfo tests[] = {
        {"the greeting is fixed newstyle", the_greeting_is_fixed_newstyle},
        {"unknown client flags end the connection", unknown_client_flags_end_the_connection},
        {"newstyle that is not fixed knows one option",
         newstyle_that_is_not_fixed_knows_one_option},
        {"oldstyle tells everything unasked", oldstyle_tells_everything_unasked},
        {"EXPORT_NAME is padded unless NO_ZEROES was negotiated",
         export_name_is_padded_unless_no_zeroes_was_negotiated},
        {"EXPORT_NAME of nothing known ends the connection",
         export_name_of_nothing_known_ends_the_connection},
        {"ABORT is acknowledged whatever it carries", abort_is_acknowledged_whatever_it_carries},
        {"many exports are listed to a client that reads late",
         many_exports_are_listed_to_a_client_that_reads_late},
        {"options that are wrong get the right error and no more",
         options_that_are_wrong_get_the_right_error_and_no_more},
        {"long names are found and overlong ones are refused",
         long_names_are_found_and_overlong_ones_are_refused},
        {"INFO tells what is asked for and GO the same",
         info_tells_what_is_asked_for_and_go_the_same},
        {"constraints can be required to be asked for",
         constraints_can_be_required_to_be_asked_for},
        {"long data are skipped and endless ones are not",
         long_data_are_skipped_and_endless_ones_are_not},
        {"a wrong option magic ends the connection behind the replies",
         a_wrong_option_magic_ends_the_connection_behind_the_replies},
        {"a conversation is understood in segments of any size",
         a_conversation_is_understood_in_segments_of_any_size},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"reference server", NULL, NULL, NULL, NULL, tests},
                             CU_SUITE_INFO_NULL};

    CU_register_suites(suites);
}
