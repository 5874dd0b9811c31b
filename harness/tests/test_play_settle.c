/* What is made of a case's findings: the gravest decides, before whatever else ended the case. */
#include <CUnit/CUnit.h>

#include "play/player.h"

void play_settle_tests(void);

#define FORMAT "transmission.reply.once"
#define SHOULD "string.max-256"
#define ROBUST "robust.answers"
#define MAY "error.storage-hint"

static PlayResult *result_with(const char *const ids[], guint silent)
{
    PlayResult *result = g_new0(PlayResult, 1);

    result->findings = g_ptr_array_new_with_free_func((GDestroyNotify)finding_free);
    result->setup = g_ptr_array_new_with_free_func((GDestroyNotify)finding_free);
    result->reason = g_strdup("said before");
    for (guint i = 0; ids[i] != NULL; i++) {
        Finding *finding = g_new0(Finding, 1);
        finding->requirement = requirement_find(ids[i]);
        finding->message = g_strdup(ids[i]);
        finding->no_answer = i + 1 == silent;
        g_ptr_array_add(result->findings, finding);
    }
    return result;
}

static void the_gravest_finding_decides(void)
{
    enum { SKIPPED = 1, BLOCKED = 2, BROKEN = 4 };
    static const struct {
        const char *ids[4];
        guint silent; /* the finding, from 1 on, where no answer came; 0: none */
        int ended;
        Verdict verdict;
        VerdictKind kind;
        const char *reason; /* the id of the finding that decides; NULL: the reason stays */
    } rows[] = {
        {{NULL}, 0, 0, VERDICT_PASS, KIND_NONE, NULL},
        {{NULL}, 0, SKIPPED, VERDICT_SKIP, KIND_NONE, NULL},
        {{NULL}, 0, SKIPPED | BLOCKED, VERDICT_BLOCKED, KIND_NONE, NULL},
        {{NULL}, 0, BLOCKED | BROKEN, VERDICT_ERROR, KIND_NONE, NULL},
        {{FORMAT}, 0, SKIPPED, VERDICT_FAIL, KIND_VIOLATION, FORMAT},
        {{FORMAT}, 0, BLOCKED, VERDICT_FAIL, KIND_VIOLATION, FORMAT},
        {{FORMAT}, 0, BROKEN, VERDICT_ERROR, KIND_NONE, NULL},
        {{ROBUST}, 0, BLOCKED, VERDICT_FAIL, KIND_ROBUSTNESS, ROBUST},
        {{SHOULD}, 0, SKIPPED, VERDICT_WARN, KIND_NONE, SHOULD},
        {{SHOULD}, 0, BLOCKED, VERDICT_BLOCKED, KIND_NONE, NULL},
        {{MAY}, 0, SKIPPED, VERDICT_WARN, KIND_HINT, MAY},
        {{MAY, SHOULD}, 0, 0, VERDICT_WARN, KIND_NONE, SHOULD},
        {{SHOULD, ROBUST, MAY}, 0, 0, VERDICT_FAIL, KIND_ROBUSTNESS, ROBUST},
        {{ROBUST, FORMAT, SHOULD}, 0, 0, VERDICT_FAIL, KIND_VIOLATION, FORMAT},
        {{FORMAT}, 1, 0, VERDICT_FAIL, KIND_NO_ANSWER, FORMAT},
        {{ROBUST, FORMAT}, 1, 0, VERDICT_FAIL, KIND_VIOLATION, FORMAT},
        {{SHOULD}, 1, 0, VERDICT_WARN, KIND_NONE, SHOULD},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        PlayResult *result = result_with(rows[i].ids, rows[i].silent);
        int ended = rows[i].ended;
        play_settle(result, ended & SKIPPED, ended & BLOCKED, ended & BROKEN);
        CU_ASSERT_EQUAL(result->verdict, rows[i].verdict);
        CU_ASSERT_EQUAL(result->kind, rows[i].kind);
        CU_ASSERT_STRING_EQUAL(result->reason,
                               rows[i].reason == NULL ? "said before" : rows[i].reason);
        play_result_free(result);
    }
}

/* An error that a command has no reason to end in is the server's own. */
static void an_error_may_be_the_storages_where_the_command_needs_it(void)
{
    static const uint64_t writing[] = {NBD_CMD_WRITE, NBD_CMD_WRITE_ZEROES, NBD_CMD_TRIM,
                                       NBD_CMD_FLUSH};
    static const uint64_t reading[] = {NBD_CMD_READ, NBD_CMD_CACHE, NBD_CMD_BLOCK_STATUS};
    static const uint64_t none[] = {0, NBD_EINVAL, NBD_ENOTSUP, NBD_EOVERFLOW, NBD_ENOMEM};

    for (size_t i = 0; i < G_N_ELEMENTS(writing); i++) {
        CU_ASSERT_TRUE(player_blames_storage(writing[i], NBD_EIO));
        CU_ASSERT_TRUE(player_blames_storage(writing[i], NBD_ENOSPC));
        CU_ASSERT_TRUE(player_blames_storage(writing[i], NBD_EPERM));
        for (size_t k = 0; k < G_N_ELEMENTS(none); k++)
            CU_ASSERT_FALSE(player_blames_storage(writing[i], none[k]));
    }
    for (size_t i = 0; i < G_N_ELEMENTS(reading); i++) {
        CU_ASSERT_TRUE(player_blames_storage(reading[i], NBD_EIO));
        CU_ASSERT_FALSE(player_blames_storage(reading[i], NBD_ENOSPC));
        CU_ASSERT_FALSE(player_blames_storage(reading[i], NBD_EPERM));
        for (size_t k = 0; k < G_N_ELEMENTS(none); k++)
            CU_ASSERT_FALSE(player_blames_storage(reading[i], none[k]));
    }
    CU_ASSERT_FALSE(player_blames_storage(NBD_CMD_RESIZE, NBD_EIO));
}

void play_settle_tests(void)
{
    CU_pSuite suite = CU_add_suite("play: verdicts", NULL, NULL);

    CU_ADD_TEST(suite, the_gravest_finding_decides);
    CU_ADD_TEST(suite, an_error_may_be_the_storages_where_the_command_needs_it);
}
