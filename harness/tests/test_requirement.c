/* The table of requirements: looking up, weighing, linking. */
#include <CUnit/CUnit.h>
#include <glib.h>
#include <string.h>

#include "requirement/requirement.h"

void requirement_tests(void);

static void every_requirement_is_found_by_its_id(void)
{
    CU_ASSERT(requirement_count > 0);
    for (size_t i = 0; i < requirement_count; i++)
        CU_ASSERT_PTR_EQUAL(requirement_find(requirement_table[i].id), &requirement_table[i]);
}

static void what_is_not_in_the_table_is_not_found(void)
{
    CU_ASSERT_PTR_NULL(requirement_find(""));
    CU_ASSERT_PTR_NULL(requirement_find("zzz.no-such"));
    g_autofree char *longer = g_strconcat(requirement_table[0].id, "x", NULL);
    CU_ASSERT_PTR_NULL(requirement_find(longer));
}

static void the_level_decides_what_a_breach_is(void)
{
    static const struct {
        const char *name;
        RequirementLevel level;
        Breach breach;
    } levels[] = {
        {"MUST", REQUIREMENT_MUST, BREACH_VIOLATION},
        {"MUST NOT", REQUIREMENT_MUST_NOT, BREACH_VIOLATION},
        {"SHOULD", REQUIREMENT_SHOULD, BREACH_WARNING},
        {"SHOULD NOT", REQUIREMENT_SHOULD_NOT, BREACH_WARNING},
        {"MAY", REQUIREMENT_MAY, BREACH_HINT},
        {"FORMAT", REQUIREMENT_FORMAT, BREACH_VIOLATION},
        {"ROBUST", REQUIREMENT_ROBUST, BREACH_ROBUSTNESS},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(levels); i++) {
        Requirement requirement = {.level = levels[i].level};
        CU_ASSERT_STRING_EQUAL(requirement_level_name(levels[i].level), levels[i].name);
        CU_ASSERT_EQUAL(requirement_breach(&requirement), levels[i].breach);
    }
}

static void links_to(const char *source, const char *end)
{
    Requirement requirement = {.source = source};
    g_autofree char *link = requirement_link(&requirement);

    CU_ASSERT_PTR_NOT_NULL_FATAL(link);
    CU_ASSERT(g_str_has_prefix(link, "https://github.com/NetworkBlockDevice/nbd/blob/"));
    CU_ASSERT(g_str_has_suffix(link, end));
}

static void a_line_links_to_the_heading_above_it(void)
{
    links_to("proto.md:1", "/master/doc/proto.md#the-nbd-protocol");
    links_to("proto.md:216", "#fixed-newstyle-negotiation");
    links_to("proto.md:217", "#termination-of-the-session-during-option-haggling");
    links_to("proto.md:218", "#termination-of-the-session-during-option-haggling");
    links_to("proto.md:1000-1004,2000", "#the-base-metadata-namespace");
    links_to("proto.md:1005", "#baseallocation-metadata-context");
    links_to("proto.md:1051", "#flag-fields");
    links_to("proto.md:1712", "#flag-fields-1"); /* GitHub counts headings of the same name */
    links_to("proto.md:99999", "#about-this-file");
    links_to("uri.md:113; proto.md:1", "/master/doc/uri.md#nbd-uri-export-name");
    links_to("proto-ext-header.md:42", "/extension-ext-header/doc/proto.md");
}

static void without_a_source_there_is_no_link(void)
{
    Requirement robust = {.source = "-"}, unknown = {.source = "elsewhere.md:7"};

    CU_ASSERT_PTR_NULL(requirement_link(&robust));
    CU_ASSERT_PTR_NULL(requirement_link(&unknown));
}

void requirement_tests(void)
{
    CU_TestInfo tests[] = {
        {"every requirement is found by its id", every_requirement_is_found_by_its_id},
        {"what is not in the table is not found", what_is_not_in_the_table_is_not_found},
        {"the level decides what a breach is", the_level_decides_what_a_breach_is},
        {"a line links to the heading above it", a_line_links_to_the_heading_above_it},
        {"without a source there is no link", without_a_source_there_is_no_link},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"requirement", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    CU_register_suites(suites);
}
