/* What a case needs of its target, and why a target does not fit. */
#include <string.h>

#include "play/player.h"

typedef struct {
    const Need *need;
    const PlayCase *play_case;
    const PlayMode *mode;
    const PlayTarget *target; /* or NULL */
    const SessionFacts *facts;
    bool known; /* the export's facts are: a session entered transmission */
} Question;

typedef struct {
    const char *word;
    const WireNames *names; /* names that follow the word, or NULL */
    bool compares;          /* stands on the left of a comparison */
    char *(*unmet)(const Question *question);
    const char *manual;
} NeedWord;

static char *need_writes(const Question *question)
{
    if (!question->mode->allow_writes)
        return g_strdup("needs --allow-writes");
    if (question->known && question->facts->transmission_flags & NBD_FLAG_READ_ONLY)
        return g_strdup("the export is read-only");
    return NULL;
}

static char *need_allowed(const Question *question)
{
    return question->mode->allow_writes ? NULL : g_strdup("needs --allow-writes");
}

/* The bits that the need names. */
static uint64_t bits(const Question *question, const WireNames *names)
{
    Scope scope = {.values = question->play_case->values};
    uint64_t all = 0, bit;

    for (guint i = 0; i < question->need->names->len; i++)
        if (value_integer_of(question->need->names->pdata[i], &scope, names,
                             question->play_case->scenario, &bit, NULL))
            all |= bit;
    return all;
}

static char *need_handshake_flag(const Question *question)
{
    uint64_t wanted = bits(question, &wire_handshake_flags);
    g_autofree char *text = NULL;

    if (question->facts->style == STYLE_UNKNOWN ||
        (question->facts->handshake_flags & wanted) == wanted)
        return NULL;
    text = wire_format(&wire_handshake_flags, wanted & ~(uint64_t)question->facts->handshake_flags);
    return g_strdup_printf("the server does not set %s", text);
}

static char *need_transmission_flag(const Question *question)
{
    uint64_t missing =
        bits(question, &wire_transmission_flags) & ~(uint64_t)question->facts->transmission_flags;

    if (!question->known || missing == 0)
        return NULL;
    g_autofree char *text = wire_format(&wire_transmission_flags, missing);
    return g_strdup_printf("the server does not set %s", text);
}

static char *need_no_transmission_flag(const Question *question)
{
    uint64_t there = bits(question, &wire_transmission_flags) & question->facts->transmission_flags;

    if (!question->known || there == 0)
        return NULL;
    g_autofree char *text = wire_format(&wire_transmission_flags, there);
    return g_strdup_printf("the server sets %s", text);
}

static char *need_oldstyle(const Question *question)
{
    SessionStyle style = question->facts->style;

    return style == STYLE_OLDSTYLE || style == STYLE_UNKNOWN
               ? NULL
               : g_strdup("the server does not greet in the old style");
}

static char *need_newstyle(const Question *question)
{
    return question->facts->style == STYLE_OLDSTYLE ? g_strdup("the server greets in the old style")
                                                    : NULL;
}

static char *need_unfixed(const Question *question)
{
    return question->facts->style == STYLE_FIXED_NEWSTYLE
               ? g_strdup("the server offers fixed newstyle")
               : need_newstyle(question);
}

static char *need_tcp(const Question *question)
{
    return transport_address_is_tcp(question->mode->address)
               ? NULL
               : g_strdup("the target is no TCP port");
}

static char *need_nbd_port(const Question *question)
{
    return transport_address_port(question->mode->address) == NBD_DEFAULT_PORT
               ? NULL
               : g_strdup("the target is not on TCP port 10809");
}

static char *need_tls(const Question *question)
{
    if (question->mode->tls == PLAY_TLS_OFF)
        return g_strdup("needs --tls");
    return question->target == NULL || question->target->facts.tls == SESSION_TLS_RUNNING
               ? NULL
               : g_strdup("the server has no TLS");
}

static char *need_sizes(const Question *question)
{
    if (!question->known)
        return g_strdup("what the server advertises is not known: it has let nobody in");
    return question->facts->block_size_given
               ? NULL
               : g_strdup("the server advertises no size constraints");
}

static char *need_no_sizes(const Question *question)
{
    if (question->mode->agreed != NULL)
        return g_strdup("size constraints are agreed on by --block-size");
    return !question->known || !question->facts->block_size_given
               ? NULL
               : g_strdup("the server advertises size constraints");
}

static char *compare(const Question *question, const char *what, uint64_t left)
{
    g_autoptr(GHashTable) told = scope_values_new();
    Scope case_scope = {.values = question->play_case->values};
    Scope scope = {.values = told, .outer = &case_scope};
    const Need *need = question->need;
    uint64_t right;
    bool holds = true;

    play_bind_facts(told, question->facts);
    if (!value_integer_of(need->value, &scope, NULL, question->play_case->scenario, &right, NULL))
        return NULL;
    switch (need->compare) {
    case ARG_EQUAL:
        holds = left == right;
        break;
    case ARG_NOT_EQUAL:
        holds = left != right;
        break;
    case ARG_LESS:
        holds = left < right;
        break;
    case ARG_LESS_EQUAL:
        holds = left <= right;
        break;
    case ARG_GREATER:
        holds = left > right;
        break;
    case ARG_GREATER_EQUAL:
        holds = left >= right;
        break;
    default:
        break;
    }
    return holds ? NULL : g_strdup_printf("%s is %" G_GUINT64_FORMAT, what, left);
}

static char *need_size(const Question *question)
{
    return question->known ? compare(question, "the export's size", question->facts->size) : NULL;
}

static char *need_minimum(const Question *question)
{
    return question->known ? compare(question, "the minimum block size", question->facts->minimum)
                           : NULL;
}

static char *need_odd_tail(const Question *question)
{
    return !question->known || question->facts->size % MAX(question->facts->minimum, 1u) != 0
               ? NULL
               : g_strdup("the export's size is a multiple of the minimum block size");
}

static char *need_preferred(const Question *question)
{
    return question->known
               ? compare(question, "the preferred block size", question->facts->preferred)
               : NULL;
}

static char *need_maximum(const Question *question)
{
    return question->known ? compare(question, "the maximum payload", question->facts->maximum)
                           : NULL;
}

static char *need_structured(const Question *question)
{
    return !question->known || question->facts->structured
               ? NULL
               : g_strdup("structured replies were not negotiated");
}

static char *need_extended(const Question *question)
{
    return !question->known || question->facts->extended
               ? NULL
               : g_strdup("extended headers were not negotiated");
}

static char *need_no_extended(const Question *question)
{
    return !question->known || !question->facts->extended
               ? NULL
               : g_strdup("extended headers were negotiated");
}

static const NeedWord words[] = {
    {"writes", NULL, false, need_writes, "`--allow-writes`, and an export that is not read-only"},
    {"allow-writes", NULL, false, need_allowed, "`--allow-writes`, whatever the export"},
    {"handshake-flag", &wire_handshake_flags, false, need_handshake_flag, "these handshake flags"},
    {"transmission-flag", &wire_transmission_flags, false, need_transmission_flag,
     "these transmission flags"},
    {"no-transmission-flag", &wire_transmission_flags, false, need_no_transmission_flag,
     "none of these transmission flags"},
    {"newstyle", NULL, false, need_newstyle, "a newstyle greeting, fixed or not"},
    {"unfixed", NULL, false, need_unfixed, "newstyle that is not fixed"},
    {"oldstyle", NULL, false, need_oldstyle, "an oldstyle greeting"},
    {"structured", NULL, false, need_structured,
     "structured replies: of the mode, or by `open structured`"},
    {"extended", NULL, false, need_extended,
     "extended headers: of the mode, or by `open extended`"},
    {"no-extended", NULL, false, need_no_extended, "no extended headers"},
    {"tcp", NULL, false, need_tcp, "a TCP connection"},
    {"nbd-port", NULL, false, need_nbd_port, "a TCP connection to port 10809, which is NBD's own"},
    {"tls", NULL, false, need_tls, "`--tls`, and a server that has TLS"},
    {"sizes", NULL, false, need_sizes, "size constraints that the server advertises"},
    {"no-sizes", NULL, false, need_no_sizes, "no advertised size constraints"},
    {"size", NULL, true, need_size, "the export's size in bytes"},
    {"minimum-block", NULL, true, need_minimum, "the minimum block size, 1 if none is advertised"},
    {"odd-tail", NULL, false, need_odd_tail,
     "an export whose size is no multiple of the minimum block size"},
    {"preferred-block", NULL, true, need_preferred,
     "the preferred block size, 4096 if none is advertised"},
    {"maximum-payload", NULL, true, need_maximum,
     "the maximum payload, 32 MiB if none is advertised"},
};

static const NeedWord *find_word(const char *word)
{
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        if (g_str_equal(words[i].word, word))
            return &words[i];
    return NULL;
}

static bool check_names(const Scenario *scenario, const Need *need, const NeedWord *word,
                        const Scope *scope, GError **error)
{
    uint64_t bit;

    if (word->names == NULL && need->names->len > 0) {
        const Expr *first = need->names->pdata[0];
        scenario_set_error(error, scenario, first->place, "no name follows %s", word->word);
        return false;
    }
    if (word->names != NULL && need->names->len == 0) {
        scenario_set_error(error, scenario, need->place, "which %s?", word->names->title);
        return false;
    }
    for (guint i = 0; i < need->names->len; i++)
        if (!value_integer_of(need->names->pdata[i], scope, word->names, scenario, &bit, error))
            return false;
    return true;
}

bool play_check_need(const Scenario *scenario, const Need *need, const Scope *scope, GError **error)
{
    const NeedWord *word = find_word(need->word);
    uint64_t number;

    if (word == NULL) {
        const char *choices[G_N_ELEMENTS(words) + 1] = {NULL};
        for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
            choices[i] = words[i].word;
        const char *near = scenario_nearest(need->word, choices);
        scenario_set_error(error, scenario, need->place,
                           "nothing is known of \"%s\" to be needed%s%s%s", need->word,
                           near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        return false;
    }
    if (word->compares != (need->compare != ARG_POSITION)) {
        scenario_set_error(error, scenario, need->place, "%s is %s compared", need->word,
                           word->compares ? "always" : "never");
        return false;
    }
    if (need->value != NULL &&
        !value_integer_of(need->value, scope, NULL, scenario, &number, error))
        return false;
    return check_names(scenario, need, word, scope, error);
}

static bool mentions_style(const PlayCase *play_case)
{
    for (guint i = 0; i < play_case->scenario->needs->len; i++) {
        const Need *need = play_case->scenario->needs->pdata[i];
        if (g_str_equal(need->word, "oldstyle") || g_str_equal(need->word, "newstyle") ||
            g_str_equal(need->word, "unfixed"))
            return true;
    }
    return false;
}

char *play_needs(const PlayCase *play_case, const PlayMode *mode, const PlayTarget *target,
                 const SessionFacts *facts, bool known)
{
    /* What is not said otherwise is about fixed newstyle, the baseline. */
    if (!mentions_style(play_case) && facts->style == STYLE_OLDSTYLE)
        return g_strdup("the server greets in the old style");
    if (!mentions_style(play_case) && facts->style == STYLE_NEWSTYLE)
        return g_strdup("the server does not offer fixed newstyle");
    for (guint i = 0; i < play_case->scenario->needs->len; i++) {
        const Need *need = play_case->scenario->needs->pdata[i];
        Question question = {need, play_case, mode, target, facts, known};
        char *reason = find_word(need->word)->unmet(&question);
        if (reason != NULL)
            return reason;
    }
    return NULL;
}

/* What the probe learned of the target, told in the way that the case asks it. */
static const SessionFacts *facts_for(const PlayCase *play_case, const PlayTarget *target)
{
    if (play_case->extended && target->extended.has_export)
        return &target->extended;
    if (play_case->structured && target->structured.has_export)
        return &target->structured;
    return &target->facts;
}

static char *lacks_replies(const PlayCase *play_case, const PlayTarget *target)
{
    if (!target->entered)
        return NULL;
    if (play_case->extended && !target->extended.extended)
        return g_strdup("the server has no extended headers");
    if ((play_case->structured || play_case->pins_replies) && !play_case->extended &&
        play_case->replies == REPLIES_STRUCTURED && !target->structured.structured)
        return g_strdup("the server has no structured replies");
    if (play_case->compact && target->facts.extended)
        return g_strdup("is about compact headers");
    return NULL;
}

char *play_unfit(const PlayCase *play_case, const PlayMode *mode, const PlayTarget *target)
{
    if (play_case->pins_enter && play_case->enter == ENTER_GO && mode->enter == ENTER_EXPORT_NAME)
        return g_strdup("is about NBD_OPT_GO, and the run enters by NBD_OPT_EXPORT_NAME");
    if (play_case->pins_replies && play_case->replies == REPLIES_SIMPLE &&
        mode->replies != REPLIES_SIMPLE)
        return g_strdup("is about simple replies");
    if (play_case->pins_replies && play_case->replies == REPLIES_STRUCTURED &&
        mode->replies == REPLIES_SIMPLE)
        return g_strdup("is about structured replies");
    if (play_case->process && mode->server == NULL)
        return g_strdup("needs a server that is started by --spawn");
    if (play_case->writes && !mode->allow_writes)
        return g_strdup("needs --allow-writes");
    char *lacking = lacks_replies(play_case, target);
    if (lacking != NULL)
        return lacking;
    char *unmet =
        play_needs(play_case, mode, target, facts_for(play_case, target), target->entered);
    if (unmet != NULL)
        return unmet;
    if (play_case->connections > target->connections)
        return g_strdup_printf("needs %u connections at once; the server serves %u",
                               play_case->connections, target->connections);
    return NULL;
}

char *play_needs_manual(void)
{
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        g_string_append_printf(text, "- `%s%s`: %s\n", words[i].word,
                               words[i].compares ? " >= N"
                               : words[i].names  ? " NAME…"
                                                 : "",
                               words[i].manual);
    return g_string_free(text, FALSE);
}
