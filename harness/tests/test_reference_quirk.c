/* The quirks of the reference server: each shows in some conversation, none does any other harm.
 *
 * A fixed set of conversations is held with a server that has no quirk and with one for each quirk.
 * Every quirk has to change what is heard in at least one of them. */
#include <CUnit/CUnit.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "monologue.h"
#include "raw_client.h"

void reference_quirk_tests(void);

/* ---- Conversations --------------------------------------------------------------------------- */

/* Sends BYTES and an end, and notes all that comes back. */
static void hold(const RefServer *server, const GByteArray *bytes, GByteArray *heard)
{
    int fd = raw_dial(server);
    uint8_t byte[4096];
    ssize_t n = 0;

    if (fd >= 0 && raw_say(fd, bytes->data, bytes->len)) {
        shutdown(fd, SHUT_WR);
        while ((n = recv(fd, byte, sizeof byte, 0)) > 0)
            put_bytes(heard, byte, (size_t)n);
    }
    put_bytes(heard, fd < 0 ? "refused" : n == 0 ? "end" : "reset", 3);
    raw_close(fd);
}

#define CUT_HEADER 14 /* of 16 bytes */

/* A message and the beginning of another in one segment; the rest once the first is answered. */
static void speak_in_pieces(const RefServer *server, GByteArray *heard)
{
    g_autoptr(GByteArray) bytes = monologue_begin(RAW_FLAGS);
    RawReply reply;
    uint8_t byte;
    int fd = raw_dial(server);

    put_option(bytes, 4711, NULL, 0);
    guint cut = bytes->len + CUT_HEADER;
    put_option(bytes, NBD_OPT_ABORT, NULL, 0);
    if (fd >= 0 && raw_hear(fd, reply.data, 18) && raw_say(fd, bytes->data, cut) &&
        raw_hear_reply(fd, &reply) && raw_say(fd, bytes->data + cut, bytes->len - cut))
        while (raw_hear(fd, &byte, 1))
            put_bytes(heard, &byte, 1);
    raw_close(fd);
}

/* What one connection writes and flushes, or writes with FUA, another reads. */
static void share(const RefServer *server, GByteArray *heard)
{
    for (uint8_t flags = 0; flags < 2; flags++) { /* without and with FUA */
        uint8_t block[512];
        int writer = raw_open(server, "");
        int reader = raw_open(server, "");
        memset(block, 'a' + flags, sizeof block);
        if (writer >= 0 && reader >= 0) {
            raw_do(writer, NBD_CMD_WRITE, flags, 0, sizeof block, block);
            if (flags == 0)
                raw_do(writer, NBD_CMD_FLUSH, 0, 0, 0, NULL);
            raw_do(reader, NBD_CMD_READ, 0, 0, sizeof block, block);
            put_bytes(heard, block, sizeof block);
        }
        raw_close(writer);
        raw_close(reader);
    }
}

/* Whether the connection ends though the client does not. */
static void wait_for_end(const RefServer *server, Monologue *monologue, GByteArray *heard)
{
    g_autoptr(GByteArray) bytes = monologue();
    int fd = raw_dial(server);
    uint8_t byte;

    if (fd >= 0 && raw_say(fd, bytes->data, bytes->len))
        while (raw_hear(fd, &byte, 1))
            put_bytes(heard, &byte, 1);
    bool ended = fd >= 0 && recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
    put_bytes(heard, ended ? "end" : "not", 3);
    raw_close(fd);
}

static Monologue *const *const chapters[] = {handshake_monologues, transmission_monologues,
                                             chunk_monologues, extension_monologues};

/* What a server said, a digest for each conversation. */
typedef struct {
    GPtrArray *digests;
    const GPtrArray *expected; /* NULL: nothing */
    bool differs;
} Transcript;

static void transcript_free(Transcript *transcript)
{
    g_ptr_array_unref(transcript->digests);
    g_free(transcript);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Transcript, transcript_free)

/* Takes what was HEARD down, and empties it. True as long as it is what was expected. */
static bool take_down(Transcript *transcript, GByteArray *heard)
{
    guint i = transcript->digests->len;
    char *digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, heard->data, heard->len);

    g_ptr_array_add(transcript->digests, digest);
    g_byte_array_set_size(heard, 0);
    if (transcript->expected != NULL)
        transcript->differs =
            i >= transcript->expected->len || !g_str_equal(digest, transcript->expected->pdata[i]);
    return !transcript->differs;
}

static bool hold_all(const RefServer *server, Transcript *transcript, GByteArray *heard)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(chapters); i++)
        for (Monologue *const *monologue = chapters[i]; *monologue != NULL; monologue++) {
            g_autoptr(GByteArray) bytes = (*monologue)();
            hold(server, bytes, heard);
            if (!take_down(transcript, heard))
                return false;
        }
    return true;
}

/* All that a server with QUIRK (or none) says, up to the first conversation that is not as EXPECTED. */
static Transcript *transcribe(const RefQuirk *quirk, RefStyle style, const GPtrArray *expected)
{
    const char *const quirks[] = {quirk != NULL ? quirk->name : NULL, NULL};
    const RefExport exports[] = {
        {.name = "disk", .description = "a disk", .size = DISK_SIZE},
        {.name = "ro", .size = DISK_SIZE, .read_only = true},
        {.name = "large", .size = 8 * GIB},
        {.name = "elastic", .size = DISK_SIZE, .resize = true},
    };
    const RefConfig config = {.exports = exports,
                              .export_count = G_N_ELEMENTS(exports),
                              .default_export = "disk",
                              .style = style,
                              .quirks = quirks};
    g_autoptr(RefServer) server = raw_serve(&config, 0);
    g_autoptr(GByteArray) heard = g_byte_array_new();
    Transcript *transcript = g_new0(Transcript, 1);

    transcript->digests = g_ptr_array_new_with_free_func(g_free);
    transcript->expected = expected;
    raw_set_patience(quirk != NULL ? 300 : RAW_PATIENCE_MS);
    if (hold_all(server, transcript, heard) && style == REF_FIXED_NEWSTYLE &&
        !ref_server_died(server)) {
        share(server, heard);
        speak_in_pieces(server, heard);
        wait_for_end(server, write_and_disc, heard);
        wait_for_end(server, huge_option, heard);
        wait_for_end(server, long_payload, heard);
        take_down(transcript, heard);
    }
    raw_set_patience(RAW_PATIENCE_MS);
    transcript->differs |= expected != NULL && transcript->digests->len != expected->len;
    return transcript;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void without_quirks_each_run_says_the_same(void)
{
    for (RefStyle style = REF_FIXED_NEWSTYLE; style <= REF_OLDSTYLE; style++) {
        g_autoptr(Transcript) first = transcribe(NULL, style, NULL);
        g_autoptr(Transcript) second = transcribe(NULL, style, first->digests);
        CU_ASSERT_FALSE(second->differs);
    }
}

/* What nobody here does: look at when bytes are sent, set no flag, leave at once, read what was trimmed,
 * ask a hundred times. */
static const char *const unseen[] = {"nagle",
                                     "unfixed-client-refused",
                                     "unfixed-options-close",
                                     "crash-on-unheard-abort",
                                     "trim-does-nothing",
                                     "hundred-lists-block",
                                     NULL};

static void shows_in_some_conversation(bool liberties)
{
    g_autoptr(Transcript) fixed = transcribe(NULL, REF_FIXED_NEWSTYLE, NULL);
    g_autoptr(Transcript) oldstyle = transcribe(NULL, REF_OLDSTYLE, NULL);
    size_t count;
    const RefQuirk *quirks = ref_quirks(&count);

    for (size_t i = 0; i < count; i++) {
        if (quirks[i].needs == REF_NEEDS_TLS || quirks[i].needs == REF_NEEDS_PROCESS ||
            g_strv_contains(unseen, quirks[i].name) || (quirks[i].kind == REF_LIBERTY) != liberties)
            continue; /* nobody speaks TLS here, or sends signals */
        bool old = quirks[i].needs == REF_NEEDS_OLDSTYLE;
        g_autoptr(Transcript) with = transcribe(&quirks[i], old ? REF_OLDSTYLE : REF_FIXED_NEWSTYLE,
                                                old ? oldstyle->digests : fixed->digests);
        if (!with->differs)
            fprintf(stderr, "quirk %s\n", quirks[i].name);
        CU_ASSERT_TRUE(with->differs);
    }
}

static void each_quirk_shows_in_some_conversation(void)
{
    shows_in_some_conversation(false);
}

static void each_liberty_shows_in_some_conversation(void)
{
    shows_in_some_conversation(true);
}

static void quirks_have_names_of_their_own_and_say_what_they_do(void)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    size_t count;
    const RefQuirk *quirks = ref_quirks(&count);

    for (size_t i = 0; i < count; i++) {
        CU_ASSERT(g_hash_table_add(names, (gpointer)quirks[i].name));
        CU_ASSERT(strlen(quirks[i].requirement) > 0);
        CU_ASSERT(strlen(quirks[i].seen) > 0);
        CU_ASSERT(strlen(quirks[i].summary) > 10);
        CU_ASSERT_PTR_EQUAL(ref_quirk_find(quirks[i].name, NULL), &quirks[i]);
    }
}

static void an_unknown_quirk_is_an_error_that_names_those_near(void)
{
    const char *const names[] = {"go-closes", "abort-no-ack", NULL};
    const RefExport export = {.size = MIB};
    const RefConfig config = {.exports = &export, .export_count = 1, .quirks = names};
    g_autoptr(GError) error = NULL;

    CU_ASSERT_PTR_NULL(ref_server_new(&config, &error));
    CU_ASSERT_FATAL(g_error_matches(error, REF_ERROR, REF_ERROR_CONFIG));
    CU_ASSERT_PTR_NOT_NULL(strstr(error->message, "\"abort-no-ack\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(error->message, "abort-without-ack"));
    CU_ASSERT_PTR_NULL(strstr(error->message, "read-short"));
}

static void several_quirks_act_together(void)
{
    const char *const names[] = {"abort-without-ack", "list-without-end", "has-flags-clear", NULL};
    const RefConfig config = {.quirks = names};
    g_autoptr(RefServer) server = raw_serve(&config, MIB);
    RawReply reply;
    int fd = raw_dial(server);

    CU_ASSERT(raw_greet(fd, RAW_FLAGS));
    raw_say_option(fd, NBD_OPT_LIST, NULL, 0);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_SERVER);
    raw_say_info(fd, NBD_OPT_INFO, "", (const int[]){-1});
    CU_ASSERT_FATAL(raw_hear_reply(fd, &reply));
    CU_ASSERT_EQUAL(reply.type, NBD_REP_INFO);
    CU_ASSERT_EQUAL(wire_get(reply.data + 10, 2) & NBD_FLAG_HAS_FLAGS, 0);
    CU_ASSERT_EQUAL(raw_reply_type(fd), NBD_REP_ACK);
    raw_say_option(fd, NBD_OPT_ABORT, NULL, 0);
    CU_ASSERT(raw_ends(fd));
    raw_close(fd);
}

static void a_server_that_died_is_gone_for_everybody(void)
{
    const char *const names[] = {"crash-on-unknown-export", NULL};
    const RefConfig config = {.quirks = names, .loops = 2};
    g_autoptr(RefServer) server = raw_serve(&config, MIB);
    int bystander = raw_open(server, "");
    int culprit = raw_dial(server);

    CU_ASSERT(!ref_server_died(server));
    CU_ASSERT(raw_greet(culprit, RAW_FLAGS));
    raw_say_info(culprit, NBD_OPT_INFO, "unknown", (const int[]){-1});
    CU_ASSERT(raw_ends(culprit));
    CU_ASSERT(raw_ends(bystander));
    CU_ASSERT(ref_server_died(server));
    CU_ASSERT_EQUAL(raw_dial(server), -1);
    raw_close(bystander);
    raw_close(culprit);
}

void reference_quirk_tests(void)
{
    CU_TestInfo tests[] = {
        {"without quirks each run says the same", without_quirks_each_run_says_the_same},
        {"each quirk shows in some conversation", each_quirk_shows_in_some_conversation},
        {"each liberty shows in some conversation", each_liberty_shows_in_some_conversation},
        {"quirks have names of their own and say what they do",
         quirks_have_names_of_their_own_and_say_what_they_do},
        {"an unknown quirk is an error that names those near",
         an_unknown_quirk_is_an_error_that_names_those_near},
        {"several quirks act together", several_quirks_act_together},
        {"a server that died is gone for everybody", a_server_that_died_is_gone_for_everybody},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"reference server's quirks", NULL, NULL, NULL, NULL, tests},
                             CU_SUITE_INFO_NULL};

    CU_register_suites(suites);
}
