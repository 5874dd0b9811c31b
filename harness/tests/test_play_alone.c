/* Clients that come one after another, and a server that turns some of them away. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "played.h"

void play_alone_tests(void);

#define TURNED_AWAY "S greeting + newstyle flags=FIXED_NEWSTYLE; take 4; option; S close"

/* Each string has a letter for each client: '+' is served, '-' turned away, '.' not greeted. The last is what all
 * others get. */
static void receives(const char *clients, const char *verdict, const char *findings)
{
    g_autoptr(GPtrArray) scripts = g_ptr_array_new();
    PlayMode mode = played_mode();

    for (const char *client = clients; *client != '\0'; client++)
        g_ptr_array_add(scripts, *client == '+' ? "serve" : *client == '-' ? TURNED_AWAY : "hush");
    g_ptr_array_add(scripts, NULL);
    if (strchr(clients, '.') != NULL)
        mode.timeout_ms = HASTY_MS;
    g_autoptr(Played) played =
        played_scripts_new("alone @robust.reconnect\n", (const char *const *)scripts->pdata, &mode);
    PLAYED_IS(played, verdict, findings, "");
}

static void who_turns_each_nth_away_is_blamed(void)
{
    receives("+-+-+-+-+", "fail robustness", "robust.reconnect");
    receives("-++-++-++-+", "fail robustness", "robust.reconnect");
    receives("+++-+++-+++-+++-+", "fail robustness", "robust.reconnect");
}

static void who_turns_away_those_that_are_too_many_is_not(void)
{
    receives("+", "pass", "");
    receives("-+", "pass", "");
    receives("-", "pass", "");
    receives("+-+-+-+", "pass", "");
    receives("+-+-+-++-+", "pass", "");
    receives("++--++--++--+", "pass", "");
    receives("+-+-+.", "pass", "");
}

void play_alone_tests(void)
{
    CU_pSuite suite = CU_add_suite("play: one client after another", NULL, NULL);

    CU_ADD_TEST(suite, who_turns_each_nth_away_is_blamed);
    CU_ADD_TEST(suite, who_turns_away_those_that_are_too_many_is_not);
}
