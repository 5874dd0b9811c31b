/* Numbers of bytes and size constraints in options: what is understood, and what the protocol does not allow. */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "cli/size.h"

void size_tests(void);

static void sizes_of_bytes_have_a_unit_or_none(void)
{
    static const struct {
        const char *text;
        uint64_t limit, size;
    } rows[] = {
        {"0", INT64_MAX, 0},
        {"512", INT64_MAX, 512},
        {"0x200", INT64_MAX, 512},
        {"64K", INT64_MAX, 65536},
        {"64k", INT64_MAX, 65536},
        {"10M", INT64_MAX, 10485760},
        {"1G", INT64_MAX, UINT64_C(1) << 30},
        {"8T", INT64_MAX, UINT64_C(1) << 43},
        {"1P", INT64_MAX, UINT64_C(1) << 50},
        {"1E", INT64_MAX, UINT64_C(1) << 60},
        {"7E", INT64_MAX, UINT64_C(7) << 60},
        {"65536", 65536, 65536},
        {"64K", 65536, 65536},
        {"max", INT64_MAX, INT64_MAX},
        {"max", UINT64_MAX, INT64_MAX},
        {"max", UINT32_MAX, UINT32_MAX},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint64_t size = 77;
        CU_ASSERT_TRUE(cli_parse_size(rows[i].text, rows[i].limit, &size, NULL));
        CU_ASSERT_EQUAL(size, rows[i].size);
    }
}

static void what_is_no_size_is_a_mistake_that_quotes_it(void)
{
    static const struct {
        const char *text;
        uint64_t limit;
    } rows[] = {
        {"", INT64_MAX},       {"K", INT64_MAX},
        {"-1", INT64_MAX},     {"+1", INT64_MAX},
        {" 1", INT64_MAX},     {"1B", INT64_MAX},
        {"1KB", INT64_MAX},    {"1 K", INT64_MAX},
        {"8E", INT64_MAX},     {"16E", UINT64_MAX},
        {"65537", 65536},      {"65K", 65536},
        {"1M", 65536},         {"MAX", INT64_MAX},
        {"1.5K", INT64_MAX},   {"0x", INT64_MAX},
        {"max1", INT64_MAX},   {"64KK", INT64_MAX},
        {"4097M", UINT32_MAX}, {"99999999999999999999", UINT64_MAX},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *quoted = g_strdup_printf("\"%s\"", rows[i].text);
        uint64_t size;
        CU_ASSERT_FALSE(cli_parse_size(rows[i].text, rows[i].limit, &size, &error));
        CU_ASSERT_TRUE(error != NULL && strstr(error->message, quoted) != NULL);
    }
}

static void an_empty_part_stays_as_it_is(void)
{
    static const struct {
        const char *text;
        SessionSizes sizes;
    } rows[] = {
        {"512/4K/1M", {.minimum = 512, .preferred = 4096, .maximum = 1 << 20}},
        {"512//1M", {.minimum = 512, .preferred = 2, .maximum = 1 << 20}},
        {"/4K", {.minimum = 1, .preferred = 4096, .maximum = 3}},
        {"512", {.minimum = 512, .preferred = 2, .maximum = 3}},
        {"//4294967295", {.minimum = 1, .preferred = 2, .maximum = UINT32_MAX}},
        {"", {.minimum = 1, .preferred = 2, .maximum = 3}},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        SessionSizes sizes = {.minimum = 1, .preferred = 2, .maximum = 3};
        CU_ASSERT_TRUE(cli_parse_sizes(rows[i].text, &sizes, NULL));
        CU_ASSERT_EQUAL(sizes.minimum, rows[i].sizes.minimum);
        CU_ASSERT_EQUAL(sizes.preferred, rows[i].sizes.preferred);
        CU_ASSERT_EQUAL(sizes.maximum, rows[i].sizes.maximum);
    }
    SessionSizes sizes = {0};
    CU_ASSERT_FALSE(cli_parse_sizes("1/2/3/4", &sizes, NULL));
    CU_ASSERT_FALSE(cli_parse_sizes("1/x/3", &sizes, NULL));
    CU_ASSERT_FALSE(cli_parse_sizes("//4294967296", &sizes, NULL));
}

static void an_agreement_that_the_protocol_allows_is_taken(void)
{
    static const struct {
        const char *text;
        SessionSizes sizes;
    } rows[] = {
        {"512/4096/32M", {.minimum = 512, .preferred = 4096, .maximum = 32 << 20}},
        {"/", {.minimum = 1, .preferred = 4096, .maximum = 32 << 20}},
        {"4K", {.minimum = 4096, .preferred = 4096, .maximum = 32 << 20}},
        {"8K", {.minimum = 8192, .preferred = 8192, .maximum = 32 << 20}},
        {"64K//64K", {.minimum = 65536, .preferred = 65536, .maximum = 65536}},
        {"1/512/512", {.minimum = 1, .preferred = 512, .maximum = 512}},
        {"1/512/513", {.minimum = 1, .preferred = 512, .maximum = 513}},
        {"512/512/4294967295", {.minimum = 512, .preferred = 512, .maximum = UINT32_MAX}},
        {"512//1M", {.minimum = 512, .preferred = 4096, .maximum = 1 << 20}},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        SessionSizes sizes = {0};
        CU_ASSERT_TRUE(cli_parse_agreement("--block-size", rows[i].text, &sizes, NULL));
        CU_ASSERT_EQUAL(sizes.minimum, rows[i].sizes.minimum);
        CU_ASSERT_EQUAL(sizes.preferred, rows[i].sizes.preferred);
        CU_ASSERT_EQUAL(sizes.maximum, rows[i].sizes.maximum);
    }
}

static void an_agreement_that_the_protocol_does_not_allow_is_a_mistake(void)
{
    static const struct {
        const char *text, *word;
    } rows[] = {
        {"", "empty"},
        {"1/2/3/4", "MIN/PREF/MAX"},
        {"x", "not a size"},
        {"0", "minimum"},
        {"3", "minimum"},
        {"128K/128K", "minimum"},
        {"1/256", "preferred"},
        {"1/4097", "preferred"},
        {"4096/2048", "preferred"},
        {"512/4096/2048", "not smaller than"},
        {"512/512/513", "multiple"},
        {"512/4096/4294967294", "multiple"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        SessionSizes sizes;
        CU_ASSERT_FALSE(cli_parse_agreement("--block-size", rows[i].text, &sizes, &error));
        CU_ASSERT_TRUE(error != NULL && g_str_has_prefix(error->message, "--block-size: ") &&
                       strstr(error->message, rows[i].word) != NULL);
    }
}

void size_tests(void)
{
    CU_pSuite suite = CU_add_suite("sizes", NULL, NULL);

    CU_ADD_TEST(suite, sizes_of_bytes_have_a_unit_or_none);
    CU_ADD_TEST(suite, what_is_no_size_is_a_mistake_that_quotes_it);
    CU_ADD_TEST(suite, an_empty_part_stays_as_it_is);
    CU_ADD_TEST(suite, an_agreement_that_the_protocol_allows_is_taken);
    CU_ADD_TEST(suite, an_agreement_that_the_protocol_does_not_allow_is_a_mistake);
}
