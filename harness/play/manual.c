/* The reference manual of the notation, made of the texts that stand beside the code. */
#include "play/player.h"

static const char introduction[] =
    "# The notation of the cases\n\n"
    "A `.case` file is one conversation and what it must show. Headers come first: `case TITLE`, "
    "`peer server`, `needs …` (what the target must have; otherwise the case is skipped; `size > $maximum` compares with what it tells), `uses …` (`region "
    "SIZE`: a part of the export of its own, at $region; `tail`, `whole-export`, `process`: it runs alone; `size`: "
    "so it does, and the export gets its size back; `memory`: it moves so much at once that it runs alone; "
    "`quiet`: it opens many connections, or measures time, and runs alone), "
    "`for $n in …` (each value makes a case of its own). `#` starts a comment.\n\n"
    "Lines are played in order. `C:` is what the client sends, `S:` what is expected of the server; without "
    "either stand steps such as `open`, and requests with their successful reply (`: read …`). `@id` names the "
    "requirement that a line is evidence for; how grave its breach is, the table of requirements says. "
    "A line without one is set-up: if it fails, the case is blocked, or "
    "skipped where the target has no such export, or its storage fails each time.\n\n"
    "`one of { … }` holds alternatives, each with what follows from it: `=> continue`, `=> pass`, `=> skip "
    "\"why\"`, `=> warn \"why\"`, `=> fail \"why\"` (the last two with an `@id`; with `continue` behind "
    "them the case goes on). `any order { … }` holds expectations in no particular order. `then` marks "
    "lines that are played at the end, however the lines before them ended.\n\n"
    "Values: numbers (`512`, `64k`, `0xff`, `2^63`), strings (`\"a\\x00\"`), the protocol's names (`GO`, "
    "`FUA|DF`), variables (`$size`), `+ - * / % ^ |` and parentheses; `\"a\" * 4096` repeats, `\"a\" + \"b\"` "
    "joins. What the server sends is compared (`length=0`, `size >= 512`, `flags has SEND_FUA`, `flags lacks "
    "SEND_DF`) or kept in a variable (`size as $size`).\n\n"
    "Some variables are the harness's own. They keep their meaning: no `for` may set one, and no `as` either, but to "
    "what its name says (`size as $size`).\n\n";

static void append_own_values(GString *text)
{
    for (size_t i = 0; i < play_own_value_count; i++) {
        const OwnValue *own = &play_own_values[i];
        g_string_append_printf(text, "* `$%s`: %s%s\n", own->name, own->what,
                               own->of_export ? ", as the latest connection was told it" : "");
    }
}

static void append_chapter(GString *text, const VerbChapter *chapter)
{
    const Verb *verbs = chapter->table->verbs;

    if (chapter->title != NULL)
        g_string_append_printf(text, "\n## %s\n", chapter->title);
    for (size_t i = 0; i < chapter->table->count; i++)
        g_string_append_printf(text, "\n### `%s`\n\n%s\n", verbs[i].usage, verbs[i].manual);
}

char *play_manual(void)
{
    GString *text = g_string_new(introduction);
    g_autofree char *needs = play_needs_manual();

    append_own_values(text);
    g_string_append_printf(text, "\n## What a case can need\n\n%s", needs);
    for (size_t i = 0; i < play_chapter_count; i++)
        append_chapter(text, &play_chapters[i]);
    return g_string_free(text, FALSE);
}
