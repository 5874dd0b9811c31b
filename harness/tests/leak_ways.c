/* Ways to the points at which the reference server can leak. */
#include "leak_ways.h"

#include <CUnit/CUnit.h>
#include <glib.h>
#include <string.h>

/* Each takes the connection FD to a phase, in which nothing is unread. */
static void stay(int fd)
{
    uint8_t greeting[18];

    raw_hear(fd, greeting, sizeof greeting);
}

static void send_half_the_flags(int fd)
{
    stay(fd);
    raw_say(fd, "\0\0", 2);
}

static void send_flags(int fd)
{
    raw_greet(fd, RAW_FLAGS);
}

static void send_half_an_option(int fd)
{
    send_flags(fd);
    raw_say(fd, "IHAVE", 5);
}

static void send_half_its_data(int fd)
{
    send_flags(fd);
    raw_say(fd, "IHAVEOPT\0\0\0\7\0\0\0\11da", 18);
}

void way_option_answered(int fd)
{
    send_flags(fd);
    raw_say_option(fd, 4711, NULL, 0);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ERR_UNSUP);
}

static void list(int fd)
{
    send_flags(fd);
    raw_say_option(fd, NBD_OPT_LIST, NULL, 0);
    while (raw_reply_type(fd) == NBD_REP_SERVER)
        continue;
}

static void go_nowhere(int fd)
{
    static const int none[] = {-1};

    send_flags(fd);
    raw_say_info(fd, NBD_OPT_GO, "nowhere", none);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ERR_UNKNOWN);
}

static void take_no_export(int fd)
{
    send_flags(fd);
    raw_say_option(fd, NBD_OPT_EXPORT_NAME, "nowhere", 7);
    CU_ASSERT(raw_ends(fd));
}

static void be_informed(int fd)
{
    static const int none[] = {-1};

    send_flags(fd);
    raw_say_info(fd, NBD_OPT_INFO, "", none);
    while (raw_reply_type(fd) == NBD_REP_INFO)
        continue;
}

void way_go(int fd)
{
    static const int none[] = {-1};

    send_flags(fd);
    raw_say_info(fd, NBD_OPT_GO, "", none);
    while (raw_reply_type(fd) == NBD_REP_INFO)
        continue;
}

static void take_export(int fd)
{
    uint8_t answer[10];

    send_flags(fd);
    raw_say_option(fd, NBD_OPT_EXPORT_NAME, NULL, 0);
    CU_ASSERT(raw_hear(fd, answer, sizeof answer));
}

static void send_half_a_request(int fd)
{
    way_go(fd);
    raw_say(fd, "\x25\x60\x95\x13", 4);
}

static void send_half_a_payload(int fd)
{
    way_go(fd);
    raw_request(fd, NBD_CMD_WRITE, 0, 1, 0, 512);
    raw_say(fd, "some", 4);
}

static void have_reads_in_flight(int fd)
{
    uint8_t requests[2 * 28], data[2 * 528];
    uint64_t values[WIRE_MAX_FIELDS] = {NBD_REQUEST_MAGIC, 0, NBD_CMD_READ, 7, 0, 512};

    way_go(fd);
    wire_encode(WIRE_REQUEST, values, requests);
    wire_encode(WIRE_REQUEST, values, requests + 28);
    raw_say(fd, requests, sizeof requests);
    raw_hear(fd, data, sizeof data);
}

static void write_some(int fd)
{
    uint8_t data[512] = {1};

    way_go(fd);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE, 0, 0, sizeof data, data), 0);
}

static void flush(int fd)
{
    way_go(fd);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_FLUSH, 0, 0, 0, NULL), 0);
}

static void trim(int fd)
{
    way_go(fd);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_TRIM, 0, 0, 512, NULL), 0);
}

static void write_zeroes(int fd)
{
    way_go(fd);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_WRITE_ZEROES, 0, 0, 512, NULL), 0);
}

static void cache(int fd)
{
    way_go(fd);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_CACHE, 0, 0, 512, NULL), 0);
}

void way_read(int fd)
{
    uint8_t data[512];

    way_go(fd);
    CU_ASSERT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, 0, sizeof data, data), 0);
}

static void read_beyond_the_end(int fd)
{
    uint8_t data[512];

    way_go(fd);
    CU_ASSERT_NOT_EQUAL(raw_do(fd, NBD_CMD_READ, 0, LEAK_DISK_SIZE, sizeof data, data), 0);
}

void way_abort(int fd)
{
    way_option_answered(fd);
    raw_say_option(fd, NBD_OPT_ABORT, "why", 3);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ACK);
}

void way_disconnect(int fd)
{
    way_read(fd);
    raw_request(fd, NBD_CMD_DISC, 0, 9, 0, 0);
}

const LeakWay leak_ways[] = {
    {"after-connect", stay, 0},
    {"inside-client-flags", send_half_the_flags, 0},
    {"after-client-flags", send_flags, 0},
    {"inside-option-header", send_half_an_option, 0},
    {"inside-option-data", send_half_its_data, 0},
    {"between-options", list, 0},
    {"after-unknown-option", way_option_answered, 1},
    {"after-info", be_informed, 0},
    {"after-failed-go", go_nowhere, 0},
    {"after-failed-export-name", take_no_export, 0},
    {"inside-tls-handshake", way_tls_begun, 0},
    {"after-tls-handshake", way_tls, 0},
    {"inside-tls-record", way_half_a_record, 0},
    {"after-go", way_go, 0},
    {"after-export-name", take_export, 0},
    {"inside-request-header", send_half_a_request, 0},
    {"inside-write-payload", send_half_a_payload, 0},
    {"reads-in-flight", have_reads_in_flight, 0},
    {"writes-in-flight", write_some, 0},
    {"flush-in-flight", flush, 0},
    {"trim-in-flight", trim, 0},
    {"write-zeroes-in-flight", write_zeroes, 0},
    {"cache-in-flight", cache, 0},
    {"after-error", read_beyond_the_end, 0},
    {"after-reply", way_read, 1},
    {"after-abort", way_abort, 0},
    {"after-disc", way_disconnect, 0},
};
const unsigned leak_way_count = G_N_ELEMENTS(leak_ways);
