/* What messages carry: strings, and data with lengths that may lie. */
#include <CUnit/CUnit.h>
#include <glib.h>
#include <string.h>

#include "wire/wire.h"

void wire_data_tests(void);

/* ---- Strings ---------------------------------------------------------------------------------- */

/* Copied into memory of just that size, so that a sanitizer sees every byte read too far. */
static WireString check(const char *text, size_t length)
{
    g_autofree uint8_t *exact = length == 0 ? NULL : g_memdup2(text, length);

    return wire_check_string(exact, length);
}

static void long_strings_are_told_from_too_long_ones(void)
{
    g_autofree char *text = g_strnfill(5000, 'x');

    CU_ASSERT_EQUAL(check(text, 0), WIRE_STRING_FINE);
    CU_ASSERT_EQUAL(check(text, 256), WIRE_STRING_FINE);
    CU_ASSERT_EQUAL(check(text, 257), WIRE_STRING_LONG);
    CU_ASSERT_EQUAL(check(text, 4096), WIRE_STRING_LONG);
    CU_ASSERT_EQUAL(check(text, 4097), WIRE_STRING_TOO_LONG);
}

static void strings_are_utf8_without_nul(void)
{
    g_autofree char *text = g_strnfill(5000, 'x');

    CU_ASSERT_EQUAL(check("disk", 4), WIRE_STRING_FINE);
    CU_ASSERT_EQUAL(check("Größe 日本 😀", 19), WIRE_STRING_FINE);
    CU_ASSERT_EQUAL(check("a\0b", 3), WIRE_STRING_NUL);
    CU_ASSERT_EQUAL(check("ab\0", 3), WIRE_STRING_NUL);
    CU_ASSERT_EQUAL(check("a\xff", 2), WIRE_STRING_NOT_UTF8);
    CU_ASSERT_EQUAL(check("\xc3", 1), WIRE_STRING_NOT_UTF8);             /* cut short */
    CU_ASSERT_EQUAL(check("\xc0\x80", 2), WIRE_STRING_NOT_UTF8);         /* overlong */
    CU_ASSERT_EQUAL(check("\xed\xa0\x80", 3), WIRE_STRING_NOT_UTF8);     /* surrogate */
    CU_ASSERT_EQUAL(check("\xf4\x90\x80\x80", 4), WIRE_STRING_NOT_UTF8); /* beyond U+10FFFF */
    text[4999] = '\0';
    CU_ASSERT_EQUAL(check(text, 5000), WIRE_STRING_NUL);
    text[4999] = '\x80';
    CU_ASSERT_EQUAL(check(text, 5000), WIRE_STRING_NOT_UTF8);
}

/* ---- Information requests --------------------------------------------------------------------- */

#define BYTES(literal) (literal), sizeof(literal) - 1

static bool parse_info(const char *data, size_t length, WireInfoRequest *request)
{
    static uint8_t exact[64];

    memset(exact, 0xee, sizeof exact);
    memcpy(exact, data, length);
    return wire_parse_info_request(exact, length, request);
}

static bool info_is_refused(const char *data, size_t length)
{
    WireInfoRequest request;
    g_autofree uint8_t *exact = g_memdup2(data, MAX(length, 1));

    return !wire_parse_info_request(exact, length, &request);
}

static void an_information_request_is_taken_apart(void)
{
    WireInfoRequest request;

    CU_ASSERT_TRUE(parse_info(BYTES("\0\0\0\4disk\0\2\0\1\0\3"), &request));
    CU_ASSERT_EQUAL(request.name_length, 4);
    CU_ASSERT(memcmp(request.name, "disk", 4) == 0);
    CU_ASSERT_EQUAL(request.info_count, 2);
    CU_ASSERT_EQUAL(wire_get(request.infos, 2), NBD_INFO_NAME);
    CU_ASSERT_EQUAL(wire_get(request.infos + 2, 2), NBD_INFO_BLOCK_SIZE);

    CU_ASSERT_TRUE(parse_info(BYTES("\0\0\0\0\0\0"), &request));
    CU_ASSERT_EQUAL(request.name_length, 0);
    CU_ASSERT_EQUAL(request.info_count, 0);
}

static void lying_lengths_of_an_information_request_are_found(void)
{
    for (size_t length = 0; length < 6; length++)
        CU_ASSERT_TRUE(info_is_refused("\0\0\0\0\0\0", length));
    CU_ASSERT_TRUE(info_is_refused(BYTES("\0\0\0\5disk\0\0")));         /* name longer */
    CU_ASSERT_TRUE(info_is_refused(BYTES("\0\0\0\3disk\0\0")));         /* name shorter */
    CU_ASSERT_TRUE(info_is_refused(BYTES("\0\0\0\7disk\0\0")));         /* beyond the end */
    CU_ASSERT_TRUE(info_is_refused(BYTES("\xff\xff\xff\xff\0\0")));     /* 4 GiB */
    CU_ASSERT_TRUE(info_is_refused(BYTES("\xff\xff\xff\xfa\0\0")));     /* wraps with 6 */
    CU_ASSERT_TRUE(info_is_refused(BYTES("\0\0\0\0\0\1")));             /* too few infos */
    CU_ASSERT_TRUE(info_is_refused(BYTES("\0\0\0\0\0\1\0")));           /* half an info */
    CU_ASSERT_TRUE(info_is_refused(BYTES("\0\0\0\0\0\1\0\1\0")));       /* a byte too many */
    CU_ASSERT_TRUE(info_is_refused(BYTES("\0\0\0\0\0\1\0\1\0\2")));     /* too many infos */
    CU_ASSERT_TRUE(info_is_refused(BYTES("\0\0\0\0\xff\xff\0\0\0\0"))); /* 65535 of them */
    CU_ASSERT_TRUE(info_is_refused(BYTES("\0\0\0\0\x80\0")));           /* wraps in 16 bits */
}

/* ---- Context requests ------------------------------------------------------------------------- */

static bool context_is_refused(const char *data, size_t length)
{
    WireContextRequest request;
    g_autofree uint8_t *exact = g_memdup2(data, MAX(length, 1));

    return !wire_parse_context_request(exact, length, &request);
}

static void a_context_request_is_taken_apart(void)
{
    static const uint8_t data[] = "\0\0\0\4disk\0\0\0\2\0\0\0\5base:\0\0\0\0";
    WireContextRequest request;

    CU_ASSERT_TRUE(wire_parse_context_request(data, sizeof data - 1, &request));
    CU_ASSERT_EQUAL(request.export_length, 4);
    CU_ASSERT_PTR_EQUAL(request.export_name, data + 4);
    CU_ASSERT_EQUAL(request.query_count, 2);
    CU_ASSERT_PTR_EQUAL(request.queries, data + 12);
    CU_ASSERT_EQUAL(request.queries_size, 13);

    CU_ASSERT_TRUE(wire_parse_context_request((const uint8_t *)"\0\0\0\0\0\0\0\0", 8, &request));
    CU_ASSERT_EQUAL(request.export_length, 0);
    CU_ASSERT_EQUAL(request.query_count, 0);
    CU_ASSERT_EQUAL(request.queries_size, 0);
}

static void lying_lengths_of_a_context_request_are_found(void)
{
    for (size_t length = 0; length < 8; length++)
        CU_ASSERT_TRUE(context_is_refused("\0\0\0\0\0\0\0\0", length));
    CU_ASSERT_TRUE(context_is_refused(BYTES("\0\0\0\5disk\0\0\0\0")));
    CU_ASSERT_TRUE(context_is_refused(BYTES("\0\0\0\3disk\0\0\0\0")));
    CU_ASSERT_TRUE(context_is_refused(BYTES("\xff\xff\xff\xff\0\0\0\0")));
    CU_ASSERT_TRUE(context_is_refused(BYTES("\xff\xff\xff\xf8\0\0\0\0")));   /* wraps with 8 */
    CU_ASSERT_TRUE(context_is_refused(BYTES("\0\0\0\0\0\0\0\1")));           /* no query */
    CU_ASSERT_TRUE(context_is_refused(BYTES("\0\0\0\0\0\0\0\1\0\0\0")));     /* half a length */
    CU_ASSERT_TRUE(context_is_refused(BYTES("\0\0\0\0\0\0\0\1\0\0\0\2x")));  /* query too short */
    CU_ASSERT_TRUE(context_is_refused(BYTES("\0\0\0\0\0\0\0\1\0\0\0\1xy"))); /* … too long */
    CU_ASSERT_TRUE(context_is_refused(BYTES("\0\0\0\0\0\0\0\0\0\0\0\0")));   /* one too many */
    CU_ASSERT_TRUE(context_is_refused(BYTES("\0\0\0\0\0\0\0\1\xff\xff\xff\xffx")));
    CU_ASSERT_TRUE(
        context_is_refused(BYTES("\0\0\0\0\xff\xff\xff\xff\0\0\0\0"))); /* 2^32 queries */
    CU_ASSERT_TRUE(context_is_refused(BYTES("\0\0\0\0\0\0\0\2\0\0\0\0")));
}

/* Every prefix and every changed byte of a good request: found or refused, but nothing read beyond. */
static void no_context_request_leads_outside_its_data(void)
{
    static const uint8_t good[] = "\0\0\0\4disk\0\0\0\2\0\0\0\5base:\0\0\0\1x";
    const size_t size = sizeof good - 1;

    for (size_t at = 0; at < size; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            g_autofree uint8_t *data = g_memdup2(good, size);
            WireContextRequest request;
            data[at] = (uint8_t)byte;
            if (!wire_parse_context_request(data, size, &request))
                continue;
            CU_ASSERT(request.export_name + request.export_length <= data + size);
            CU_ASSERT(request.queries + request.queries_size == data + size);
        }
        CU_ASSERT_TRUE(context_is_refused((const char *)good, at));
    }
}

void wire_data_tests(void)
{
    CU_TestInfo tests[] = {
        {"long strings are told from too long ones", long_strings_are_told_from_too_long_ones},
        {"strings are UTF-8 without NUL", strings_are_utf8_without_nul},
        {"an information request is taken apart", an_information_request_is_taken_apart},
        {"lying lengths of an information request are found",
         lying_lengths_of_an_information_request_are_found},
        {"a context request is taken apart", a_context_request_is_taken_apart},
        {"lying lengths of a context request are found",
         lying_lengths_of_a_context_request_are_found},
        {"no context request leads outside its data", no_context_request_leads_outside_its_data},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"wire: data", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    CU_register_suites(suites);
}
