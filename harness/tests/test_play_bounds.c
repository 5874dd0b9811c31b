/* What is large, slow or hidden, and still has to end in the right verdict: long lists, slow links, and
 * writes in extended headers. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "played.h"

void play_bounds_tests(void);

/* ---- Long lists ------------------------------------------------------------------------------- */

#define EXPORTS 25000u

#define ASK_LIST                                                                                   \
    "negotiate\nC: option LIST\nS: reply LIST final @handshake.opt-list.replies\n"                 \
    "C: option ABORT\nS: reply ABORT ACK @handshake.opt-abort.ack\n"

/* The conversation with a server that lists so many exports, with a name of 64 bytes each. */
static char *long_list(const char *end)
{
    GString *script = g_string_new(HELLO "option;");

    for (unsigned i = 0; i < EXPORTS; i++)
        g_string_append_printf(script,
                               "S reply option=LIST type=SERVER + server name-length=64 + "
                               "text %064u;",
                               i);
    g_string_append(script, end);
    return g_string_free(script, FALSE);
}

static void a_long_list_is_read_to_its_end(void)
{
    g_autofree char *script = long_list(ACK("LIST") "option;" ACK("ABORT"));
    g_autoptr(Played) played = played_new(ASK_LIST, script);

    PLAYED_IS(played, "pass", "", "");
    CU_ASSERT_TRUE(strlen(played->result->transcript) < (1u << 20));
}

static void what_is_wrong_behind_a_long_list_is_found(void)
{
    g_autofree char *script = long_list(ERROR("LIST", "ERR_POLICY") "S close");
    g_autoptr(Played) played = played_new(ASK_LIST, script);

    CU_ASSERT_EQUAL(played->result->verdict, VERDICT_FAIL);
    CU_ASSERT_TRUE(strlen(played->result->transcript) < (1u << 20));
}

/* ---- Slow links ------------------------------------------------------------------------------- */

/* The answer takes more than the six timeouts that a peer is given who keeps sending without coming to
 * the point: what was asked for may take as long as a slow link needs. */
static void what_was_asked_for_may_come_by_a_slow_link(void)
{
    enum { TRIES = 3 }; /* a machine that stands still for a second is no slow link */
    PlayMode mode = played_mode();
    g_autoptr(Played) played = NULL;
    gint64 began_us = 0;

    mode.timeout_ms = 1000;
    for (unsigned i = 0; i < TRIES && (played == NULL || played->result->doubtful); i++) {
        g_clear_pointer(&played, played_free);
        began_us = g_get_monotonic_time();
        played = played_mode_new(
            "open\n: read length=400k @robust.answers\nC: request DISC\n"
            "S: close @transmission.disc.close\n",
            OPEN_DISK "request; crawl S simple-reply cookie=1 + fill 409600 0;" DISC("2") "S close",
            &mode);
    }
    PLAYED_IS(played, "pass", "", "");
    CU_ASSERT_TRUE(g_get_monotonic_time() - began_us > 6 * G_USEC_PER_SEC);
}

/* ---- Extended headers without leave to write -------------------------------------------------- */

/* A request with NBD_EXTENDED_REQUEST_MAGIC has flags and type where a compact one has them. */
static void without_leave_no_extended_request_that_could_write_is_sent(void)
{
    static const char *const lines[] = {
        "open\nC: hex \"21e41c71 0000 0001 0000000000000001\"\n",
        "open\nC: hex \"21e41c71\"\nC: hex \"00000001\"\n",
        "negotiate\nC: option 99 data=\"abc\\x21\\xe4\\x1c\\x71\\0\\0\\0\\x01\"\n",
        "negotiate\nC: option 99 data=\"\\x21\\xe4\\x1c\\x71\\0\\0\\0\\x04\" length=0\n",
        "negotiate\nC: hex \"49484156454f5054 00000063 00000000 21e41c71 0000 0006\"\n",
        "negotiate\nC: hex \"21e4\"\nC: hex \"1c710000\"\nC: hex \"0004\"\n",
        "connect\nC: hex \"21e41c71 0000 0001\"\n",
    };
    static const uint8_t write[] = {0x21, 0xe4, 0x1c, 0x71, 0, 0, 0};
    PlayMode mode = played_mode();

    mode.allow_writes = false;
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        bool open = g_str_has_prefix(lines[i], "open");
        g_autoptr(Played) played = played_mode_new(lines[i], open ? OPEN_DISK : HELLO, &mode);
        CU_ASSERT_EQUAL(played->result->verdict, VERDICT_SKIP);
        CU_ASSERT_FALSE(fake_server_saw(played->server, write, sizeof write));
        if (played->result->verdict != VERDICT_SKIP)
            g_printerr("\n  %s%s\n", lines[i], played->result->transcript);
    }
}

void play_bounds_tests(void)
{
    CU_pSuite suite = CU_add_suite("play: bounds", NULL, NULL);

    CU_ADD_TEST(suite, a_long_list_is_read_to_its_end);
    CU_ADD_TEST(suite, what_is_wrong_behind_a_long_list_is_found);
    CU_ADD_TEST(suite, what_was_asked_for_may_come_by_a_slow_link);
    CU_ADD_TEST(suite, without_leave_no_extended_request_that_could_write_is_sent);
}
