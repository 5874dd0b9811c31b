/* All verbs of the notation: each file has its own, here they are found. */
#include "play/player.h"

const VerbChapter play_chapters[] = {
    {"Steps", &play_setup_verbs},
    {"What the client sends", &play_send_handshake_verbs},
    {NULL, &play_send_request_verbs},
    {NULL, &play_send_verbs},
    {"What the server sends", &play_expect_handshake_verbs},
    {NULL, &play_expect_transmission_verbs},
    {"TLS", &play_tls_verbs},
    {"Requests and their replies", &play_request_verbs},
    {"Structured replies and extended headers", &play_replies_verbs},
    {"Metadata", &play_status_verbs},
    {"The server's process", &play_process_verbs},
    {"Engines", &play_engine_verbs},
    {NULL, &play_listed_verbs},
    {NULL, &play_alone_verbs},
    {"Engines that measure", &play_measure_verbs},
};
const size_t play_chapter_count = G_N_ELEMENTS(play_chapters);

const Verb *play_verb(ActorKind actor, const char *name)
{
    for (size_t chapter = 0; chapter < play_chapter_count; chapter++) {
        const VerbTable *table = play_chapters[chapter].table;
        for (size_t i = 0; i < table->count; i++)
            if (table->verbs[i].actor == actor && g_str_equal(table->verbs[i].name, name))
                return &table->verbs[i];
    }
    return NULL;
}

ActorKind play_actor(const Statement *line)
{
    if (line->actor == NULL)
        return ACTOR_NONE;
    if (g_str_equal(line->actor, "C") || g_str_has_suffix(line->actor, ".C"))
        return ACTOR_CLIENT;
    if (g_str_equal(line->actor, "S") || g_str_has_suffix(line->actor, ".S"))
        return ACTOR_SERVER;
    return ACTOR_ABSTRACT;
}
