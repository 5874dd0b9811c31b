/* Every rule of the session: a conversation that breaks it, which blames just the right
 * requirement, and its nearest neighbour, which breaks nothing. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "session_rows.h"

void session_rules_tests(void);

typedef SessionRow Row;

#define WITH_ZEROES                                                                                \
    "S greeting + newstyle flags=FIXED_NEWSTYLE; C client-flags flags=FIXED_NEWSTYLE;"
#define SERVER(length, text) "S reply option=LIST type=SERVER + server name-length=" length text ";"
#define GO_INFO(rest) "S reply option=GO type=INFO + " rest ";"
#define NAMES(option, name) "S reply option=" option " type=INFO + info info=NAME + text " name ";"
#define INFO_THEN ASK("INFO", "") EXPORT("INFO", "1048576", "HAS_FLAGS") ACK("INFO")
#define GO HELLO ASK("GO", "")
#define LARGE HELLO ASK("GO", "") EXPORT("GO", "0x80000000", ALL_FLAGS) ACK("GO")
#define TRIM(length) "C request type=TRIM length=" length " cookie=1;"
#define CONTEXTS STRUCTURED "C option option=LIST_META_CONTEXT + hex 0000000000000000;"

static const Row greeting_rows[] = {
    {"handshake.newstyle.greeting", "S greeting magic=7;", GREETING},
    {"handshake.newstyle.greeting", "S greeting passwd=7;", GREETING},
    {"handshake.newstyle.greeting", GREETING "S hex 00;", HELLO},
    {"handshake.flags.undefined", "S greeting + newstyle flags=4;",
     "S greeting + newstyle flags=3;"},
    {"handshake.flags.none-in-oldstyle", OLDSTYLE("HAS_FLAGS|0x10000"), OLDSTYLE("HAS_FLAGS")},
    {"handshake.oldstyle.reserved-zero",
     "S greeting magic=0x00420281861253 + oldstyle flags=HAS_FLAGS + fill 123 0 + hex 01;",
     OLDSTYLE("HAS_FLAGS")},
    {"handshake.oldstyle.greeting",
     "S greeting magic=0x00420281861253 + oldstyle flags=HAS_FLAGS + fill 123 0; S close;",
     OLDSTYLE("HAS_FLAGS") "S close;"},
    {"handshake.oldstyle.greeting", OLDSTYLE("HAS_FLAGS") "S fill 16 1;",
     OLDSTYLE("HAS_FLAGS") READ("1") DATA("1")},
    {"transmission.flags.has-flags", OLDSTYLE("SEND_TRIM"), OLDSTYLE("HAS_FLAGS|0xe000")},
    {"transmission.flags.has-flags", HELLO EXPORT_NAME "S export size=512 flags=SEND_TRIM;",
     HELLO EXPORT_NAME "S export size=512 flags=HAS_FLAGS;"},
    {"transmission.flags.has-flags", GO EXPORT("GO", "512", "0"),
     GO EXPORT("GO", "512", "HAS_FLAGS")},
    {"transmission.flags.df-needs-structured", OLDSTYLE("HAS_FLAGS|SEND_DF"),
     OLDSTYLE("HAS_FLAGS")},
    {"transmission.flags.df-needs-structured",
     HELLO EXPORT_NAME "S export size=512 flags=HAS_FLAGS|SEND_DF;",
     HELLO STRUCTURED EXPORT_NAME "S export size=512 flags=HAS_FLAGS|SEND_DF;"},
    {"transmission.flags.df-needs-structured", GO EXPORT("GO", "512", "HAS_FLAGS|SEND_DF"),
     HELLO STRUCTURED ENTER("HAS_FLAGS|SEND_DF")},
    {"transmission.flags.df-needs-structured",
     HELLO STRUCTURED "C option option=STARTTLS;" ACK("STARTTLS") "TLS;" ENTER("HAS_FLAGS|SEND_DF"),
     HELLO "C option option=EXTENDED_HEADERS;" ACK("EXTENDED_HEADERS") ENTER("HAS_FLAGS|SEND_DF")},
    {"extended.flags.payload-needs-extended", OLDSTYLE("HAS_FLAGS|BLOCK_STATUS_PAYLOAD"),
     OLDSTYLE("HAS_FLAGS")},
    {"transmission.flags.fast-zero-needs-write-zeroes", OLDSTYLE("HAS_FLAGS|SEND_FAST_ZERO"),
     OLDSTYLE("HAS_FLAGS|SEND_FAST_ZERO|SEND_WRITE_ZEROES")},
    {"transmission.flags.fast-zero-needs-write-zeroes",
     HELLO EXPORT_NAME "S export size=512 flags=HAS_FLAGS|SEND_FAST_ZERO;",
     HELLO EXPORT_NAME "S export size=512 flags=HAS_FLAGS|SEND_FAST_ZERO|SEND_WRITE_ZEROES;"},
    {"transmission.flags.fast-zero-needs-write-zeroes",
     GO EXPORT("GO", "512", "HAS_FLAGS|SEND_FAST_ZERO"),
     GO EXPORT("GO", "512", "HAS_FLAGS|SEND_FAST_ZERO|SEND_WRITE_ZEROES")},
    {"handshake.export-name.zeroes",
     WITH_ZEROES EXPORT_NAME "S export flags=HAS_FLAGS + fill 123 0 + hex 01;",
     WITH_ZEROES EXPORT_NAME "S export flags=HAS_FLAGS + fill 124 0;"},
    {"handshake.export-name.no-zeroes", HELLO EXPORT_NAME "S export flags=HAS_FLAGS + fill 124 0;",
     HELLO EXPORT_NAME "S export flags=HAS_FLAGS size=512;" READ("1") DATA("1")},
    {"handshake.opt-go.no-padding", OPEN "S fill 124 0;", OPEN READ("1") DATA("1")},
};

static const Row reply_rows[] = {
    {"handshake.reply.magic", HELLO OPT("LIST") "S reply magic=7 option=LIST type=ACK;",
     HELLO OPT("LIST") ACK("LIST")},
    {"handshake.reply.unasked", HELLO ACK("LIST"), HELLO OPT("LIST") ACK("LIST")},
    {"handshake.reply.unasked", HELLO OPT("LIST") ACK("LIST") ACK("LIST"),
     HELLO OPT("LIST") ERROR("LIST", "ERR_POLICY") OPT("LIST") ACK("LIST")},
    {"handshake.export-name.unknown", HELLO EXPORT_NAME ERROR("EXPORT_NAME", "ERR_UNKNOWN"),
     HELLO EXPORT_NAME "S close;"},
    {"handshake.export-name.unknown",
     WITH_ZEROES EXPORT_NAME "S reply option=EXPORT_NAME type=ERR_POLICY + text no;",
     WITH_ZEROES EXPORT_NAME "S export size=0x3e889045565a9 flags=HAS_FLAGS + fill 124 0;"},
    {"handshake.export-name.reply", HELLO EXPORT_NAME ACK("EXPORT_NAME"),
     HELLO EXPORT_NAME "S close;"},
    {"handshake.option.only-export-name-unfixed handshake.flags.fixed-newstyle",
     UNFIXED OPT("LIST") ACK("LIST"), UNFIXED EXPORT_NAME "S export flags=HAS_FLAGS + fill 124 0;"},
    {"handshake.reply.option-echo", HELLO OPT("LIST") ACK("GO"), HELLO OPT("LIST") ACK("LIST")},
    {"handshake.reply.option-echo", GO ACK("INFO"), GO ERROR("GO", "ERR_PLATFORM")},
    {"handshake.reply.type", HELLO OPT("LIST") "S reply option=LIST type=INFO + info info=9;",
     GO GO_INFO("info info=9")},
    {"handshake.reply.type", HELLO OPT("LIST") "S reply option=LIST type=77;",
     HELLO OPT("LIST") "S reply option=LIST type=0x80001234;"},
    {"handshake.reply.type", HELLO "C option option=ABORT;" ERROR("ABORT", "SERVER + server"),
     HELLO "C option option=ABORT;" ERROR("ABORT", "ERR_TLS_REQD")},
    {"handshake.reply.type", GO ERROR("GO", "META_CONTEXT + meta-context id=1"),
     HELLO CONTEXTS ERROR("LIST_META_CONTEXT",
                          "META_CONTEXT + meta-context + text x-a:b") "S reply option=9 type=ACK;"},
    {"handshake.reply.type", HELLO "C option option=STARTTLS;" ERROR("STARTTLS", "77"),
     HELLO "C option option=0x4321;" ERROR("0x4321", "77")},
    {"handshake.reply.ack-empty", HELLO OPT("LIST") "S reply option=LIST type=ACK + hex 00;",
     HELLO OPT("LIST") ACK("LIST")},
    {"handshake.rep-server.layout",
     HELLO OPT("LIST") "S reply option=LIST type=SERVER + hex 000000;",
     HELLO OPT("LIST") SERVER("0", "")},
    {"handshake.rep-server.name-length", HELLO OPT("LIST") SERVER("5", " + text disk"),
     HELLO OPT("LIST") SERVER("4", " + text disk")},
    {"handshake.info.layout", GO GO_INFO("hex 00"), GO GO_INFO("hex 0001")},
    {"handshake.info.export-length", GO GO_INFO("info-export info=EXPORT flags=HAS_FLAGS + hex 00"),
     GO EXPORT("GO", "512", "HAS_FLAGS")},
    {"handshake.info.export-length", GO GO_INFO("info info=EXPORT + hex 00") ACK("GO"),
     GO EXPORT("GO", "512", "HAS_FLAGS") ACK("GO")},
    {"handshake.info.export-length", GO GO_INFO("info info=EXPORT") ACK("GO"),
     GO EXPORT("GO", "512", "HAS_FLAGS") ACK("GO")},
    {"handshake.info.block-size-length",
     GO SIZES("GO", "minimum=1 preferred=512 maximum=4096 + hex 00"),
     GO SIZES("GO", "minimum=1 preferred=512 maximum=4096")},
    {"handshake.info.once",
     GO GO_INFO("info info=NAME + text a") GO_INFO("info info=NAME + text b"),
     GO GO_INFO("info info=NAME + text a") GO_INFO("info info=DESCRIPTION + text a")},
    {"handshake.info.once",
     GO EXPORT("GO", "512", "HAS_FLAGS") GO_INFO("info info=NAME + text a")
         GO_INFO("info info=NAME + text b"),
     GO EXPORT("GO", "512", "HAS_FLAGS") GO_INFO("info info=NAME + text a")},
    {"handshake.info.once", GO EXPORT("GO", "512", "HAS_FLAGS") EXPORT("GO", "512", "HAS_FLAGS"),
     GO GO_INFO("info info=0x7001 + text a") GO_INFO("info info=0x7001 + text b")},
    {"handshake.opt-info.export", GO GO_INFO("info info=NAME + text disk") ACK("GO"),
     GO EXPORT("GO", "512", "HAS_FLAGS") ACK("GO")},
    {"handshake.opt-info.export", GO ACK("GO") READ("1"),
     GO EXPORT("GO", "512", "HAS_FLAGS") ACK("GO") READ("1")},
    {"handshake.opt-info.unknown-without-info",
     GO GO_INFO("info info=NAME + text a") ERROR("GO", "ERR_UNKNOWN"),
     GO GO_INFO("info info=NAME + text a") ERROR("GO", "ERR_SHUTDOWN")},
    {"handshake.opt-info.block-size-reqd-asked",
     GO_SIZES SIZES("GO", "minimum=1 preferred=512 maximum=4096")
         ERROR("GO", "ERR_BLOCK_SIZE_REQD"),
     GO SIZES("GO", "minimum=1 preferred=512 maximum=4096") ERROR("GO", "ERR_BLOCK_SIZE_REQD")},
    {"handshake.opt-info.block-size-reqd-sends-sizes", GO ERROR("GO", "ERR_BLOCK_SIZE_REQD"),
     GO ERROR("GO", "ERR_POLICY")},
    {"handshake.opt-go.same-as-info",
     HELLO ASK("INFO", "") EXPORT("INFO", "512", "HAS_FLAGS") ACK("INFO") ASK("GO", "")
         EXPORT("GO", "1024", "HAS_FLAGS") ACK("GO"),
     HELLO ASK("INFO", "") EXPORT("INFO", "512", "HAS_FLAGS") ACK("INFO") ASK("GO", " NAME")
         EXPORT("GO", "1024", "HAS_FLAGS") ACK("GO")},
    {"handshake.opt-go.same-as-info", HELLO INFO_THEN ENTER("HAS_FLAGS|READ_ONLY"),
     HELLO INFO_THEN OPT("LIST") ACK("LIST") ENTER("HAS_FLAGS|READ_ONLY")},
    {"handshake.opt-go.same-as-info", HELLO INFO_THEN ENTER("HAS_FLAGS|READ_ONLY"),
     HELLO INFO_THEN ASK("GO", "") ERROR("GO", "ERR_POLICY") ENTER("HAS_FLAGS|READ_ONLY")},
    {"handshake.opt-go.same-as-info",
     HELLO ASK("INFO", "") EXPORT("INFO", "512", "HAS_FLAGS") NAMES("INFO", "a") ACK("INFO")
         ASK("GO", "") EXPORT("GO", "512", "HAS_FLAGS") NAMES("GO", "b") ACK("GO"),
     HELLO ASK("INFO", "") EXPORT("INFO", "512", "HAS_FLAGS") NAMES("INFO", "a") ACK("INFO")
         ASK("GO", "") NAMES("GO", "a") EXPORT("GO", "512", "HAS_FLAGS") ACK("GO")},
    {"handshake.opt-go.same-as-info",
     HELLO ASK("INFO", "") "S reply option=INFO type=INFO + info info=NAME + text a;" EXPORT(
         "INFO", "512", "HAS_FLAGS") ACK("INFO") ASK("GO", "") EXPORT("GO", "512", "HAS_FLAGS")
         ACK("GO"),
     HELLO ASK("INFO", "") "S reply option=INFO type=INFO + info info=NAME + text a;" EXPORT(
         "INFO", "512", "HAS_FLAGS") ACK("INFO") ASK("GO", "") EXPORT("GO", "512", "HAS_FLAGS")
         GO_INFO("info info=NAME + text a") ACK("GO")},
};

static const Row size_rows[] = {
    {"size.minimum-power-of-2", GO SIZES("GO", "minimum=0 preferred=512 maximum=4096"),
     GO SIZES("GO", "minimum=1 preferred=512 maximum=4096")},
    {"size.minimum-power-of-2", GO SIZES("GO", "minimum=3 preferred=512 maximum=4096"),
     GO SIZES("GO", "minimum=2 preferred=512 maximum=4096")},
    {"size.minimum-max-65536", GO SIZES("GO", "minimum=131072 preferred=4096 maximum=4096"),
     GO SIZES("GO", "minimum=65536 preferred=65536 maximum=65536")},
    {"size.preferred-power-of-2", GO SIZES("GO", "minimum=1 preferred=4095 maximum=4096"),
     GO SIZES("GO", "minimum=1 preferred=4096 maximum=4097")},
    {"size.preferred-power-of-2", GO SIZES("GO", "minimum=1 preferred=0 maximum=4096"),
     GO SIZES("GO", "minimum=1 preferred=0x80000000 maximum=0xffffffff")},
    {"size.preferred-at-least", GO SIZES("GO", "minimum=1 preferred=256 maximum=4096"),
     GO SIZES("GO", "minimum=1 preferred=512 maximum=4096")},
    {"size.preferred-at-least", GO SIZES("GO", "minimum=4096 preferred=512 maximum=4096"),
     GO SIZES("GO", "minimum=4096 preferred=4096 maximum=4096")},
    {"size.maximum-at-least-preferred", GO SIZES("GO", "minimum=1 preferred=4096 maximum=4095"),
     GO SIZES("GO", "minimum=1 preferred=4096 maximum=4096")},
    {"size.export-multiple-of-minimum",
     GO SIZES("GO", "minimum=512 preferred=512 maximum=4096") EXPORT("GO", "1000", "HAS_FLAGS")
         ACK("GO"),
     GO SIZES("GO", "minimum=512 preferred=512 maximum=4096") EXPORT("GO", "1024", "HAS_FLAGS")
         ACK("GO")},
    {"size.maximum-at-least-1m",
     GO SIZES("GO", "minimum=1 preferred=512 maximum=65536") EXPORT("GO", "1048576", "HAS_FLAGS")
         ACK("GO"),
     GO SIZES("GO", "minimum=1 preferred=512 maximum=512") EXPORT("GO", "1048575", "HAS_FLAGS")
         ACK("GO")},
};

static const Row string_rows[] = {
    {"string.max-256", HELLO OPT("LIST") SERVER("257", " + fill 257 97"),
     HELLO OPT("LIST") SERVER("256", " + fill 256 97")},
    {"string.max-4096", HELLO OPT("LIST") SERVER("0", " + fill 4097 97"),
     HELLO OPT("LIST") SERVER("256", " + fill 512 97")},
    {"string.max-4096", HELLO OPT("LIST") "S reply option=LIST type=ERR_POLICY + fill 300000 97;",
     HELLO OPT("LIST") ERROR("LIST", "ERR_POLICY + text sorry")},
    {"string.max-4096", HELLO OPT("LIST") ERROR("LIST", "ERR_POLICY + hex e282ac 100000"),
     HELLO OPT("LIST") ERROR("LIST", "ERR_POLICY + hex e282ac 85")},
    {"string.no-nul", HELLO OPT("LIST") SERVER("2", " + hex 6100"),
     HELLO OPT("LIST") SERVER("2", " + hex 6161")},
    {"string.no-nul", GO GO_INFO("info info=DESCRIPTION + hex 6100"),
     GO GO_INFO("info info=77 + hex 6100")},
    {"string.utf-8", HELLO OPT("LIST") ERROR("LIST", "ERR_POLICY + hex eda080"), /* a surrogate */
     HELLO OPT("LIST") ERROR("LIST", "ERR_POLICY + hex ed9fbf")},
    {"string.utf-8", GO GO_INFO("info info=NAME + hex c0af"),
     GO GO_INFO("info info=NAME + hex 2f")},
    {"handshake.rep-meta-context.utf-8",
     HELLO CONTEXTS ERROR("LIST_META_CONTEXT", "META_CONTEXT + meta-context + hex ff"),
     HELLO CONTEXTS ERROR("LIST_META_CONTEXT", "META_CONTEXT + meta-context + text base:x")},
    {"string.max-256", HELLO "C option option=EXPORT_NAME + fill 257 97;",
     HELLO "C option option=EXPORT_NAME + fill 256 97;"},
    {"string.max-4096", HELLO "C option option=EXPORT_NAME + fill 4097 97;",
     HELLO "C option option=0x1234 + fill 4097 97;"},
    {"string.no-nul", HELLO "C option option=INFO + hex 0000000100 + hex 0000;",
     HELLO "C option option=INFO + hex 0000000161 + hex 0000;"},
    {"string.utf-8", HELLO "C option option=EXPORT_NAME + hex ff;",
     HELLO "C option option=EXPORT_NAME + hex c3a4;"},
};

static const Row transmission_rows[] = {
    {"transmission.read.error-no-payload", OPEN READ("1") FAILS("1", "EIO") "S fill 512 9;",
     OPEN READ("1") FAILS("1", "EIO") READ("2") DATA("2")},
    {"transmission.reply.magic", OPEN FLUSH("1") "S fill 16 1;", OPEN FLUSH("1") DONE("1")},
    {"transmission.reply.unasked", OPEN FLUSH("1") DONE("1") "S fill 16 1;",
     OPEN FLUSH("1") DONE("1") "S close;"},
    {"transmission.reply.unasked", OPEN FLUSH("1") DONE("1") "S fill 16 0;",
     OPEN FLUSH("1") DONE("1") FLUSH("2") DONE("2")},
    {"transmission.reply.simple-only", OPEN FLUSH("1") "S chunk flags=DONE cookie=1;",
     HELLO STRUCTURED ENTER(ALL_FLAGS) FLUSH("1") "S chunk flags=DONE cookie=1;"},
    {"transmission.disc.no-reply", OPEN DISC("9") FAILS("9", "EINVAL"),
     OPEN FLUSH("8") DISC("9") DONE("8") "S close;"},
    {"transmission.disc.no-reply", OPEN FLUSH("9") DONE("9") DISC("9") FAILS("9", "EINVAL"),
     OPEN FLUSH("9") DONE("9") DISC("9") "S close;"},
    {"transmission.disc.no-reply",
     HELLO STRUCTURED ENTER(ALL_FLAGS) DISC("9") "S chunk flags=DONE cookie=9;",
     HELLO STRUCTURED ENTER(ALL_FLAGS) FLUSH("8") DISC("9") "S chunk flags=DONE cookie=8;"},
    {"transmission.reply.once", OPEN FLUSH("1") DONE("1") DONE("1"),
     OPEN FLUSH("1") DONE("1") FLUSH("1") DONE("1")},
    {"transmission.reply.once", OPEN READ("1") DATA("1") READ("2") DATA("1"),
     OPEN READ("1") DATA("1") READ("2") DATA("2")},
    {"transmission.reply.unasked", OPEN DONE("1"), OPEN FLUSH("1") DONE("1")},
    {"transmission.reply.unasked", OPEN DONE("0"), OPEN FLUSH("0") DONE("0")},
    {"transmission.reply.unasked", OPEN "S hex 00000000 + fill 12 1;", OPEN FLUSH("1") DONE("1")},
    {"transmission.reply.unasked", OPEN "S fill 8 0; S fill 8 1;", OPEN FLUSH("1") DONE("1")},
    {"transmission.reply.unasked", HELLO STRUCTURED ENTER(ALL_FLAGS) "S chunk flags=DONE cookie=1;",
     HELLO STRUCTURED ENTER(ALL_FLAGS) FLUSH("1") "S chunk flags=DONE cookie=1;"},
    {"transmission.reply.cookie", OPEN FLUSH("1") DONE("0x0100000000000000"),
     OPEN FLUSH("1") DONE("1")},
    {"transmission.reply.cookie", OPEN READ("1") DATA("7"),
     OPEN READ("7") READ("1") DATA("1") DATA("7")},
    {"transmission.reply.cookie",
     HELLO STRUCTURED ENTER(ALL_FLAGS) FLUSH("1") "S chunk flags=DONE cookie=2;",
     HELLO STRUCTURED ENTER(ALL_FLAGS) FLUSH("1") DONE("1")},
    {"transmission.read.structured-when-negotiated",
     HELLO STRUCTURED ENTER(ALL_FLAGS) READ("1") FAILS("1", "EINVAL"),
     HELLO STRUCTURED ENTER(ALL_FLAGS) WRITE("1") FAILS("1", "EINVAL")},
};

static const Row error_rows[] = {
    {"error.defined-value", OPEN FLUSH("1") FAILS("1", "30"),
     OPEN FLUSH("1") FAILS("1", "ESHUTDOWN")},
    {"error.enomem", OPEN READ("1") FAILS("1", "ENOMEM"), OPEN READ("1") FAILS("1", "EIO")},
    {"error.enomem", LARGE TRIM("0x2000000") FAILS("1", "ENOMEM"),
     LARGE TRIM("0x2000001") FAILS("1", "ENOMEM")},
    {"error.enotsup", OPEN FLUSH("1") FAILS("1", "ENOTSUP"),
     OPEN ZEROES("FAST_ZERO") FAILS("1", "ENOTSUP")},
    {"transmission.write-zeroes.enotsup-without-fast", OPEN ZEROES("0") FAILS("1", "ENOTSUP"),
     OPEN ZEROES("FAST_ZERO|NO_HOLE|FUA") FAILS("1", "ENOTSUP")},
    {"transmission.write-zeroes.enotsup-unadvertised",
     HELLO ENTER(NO_FAST) ZEROES("0") FAILS("1", "ENOTSUP"),
     HELLO ENTER(NO_FAST) ZEROES("0") FAILS("1", "EINVAL")},
    {"transmission.write-zeroes.fast-eoverflow", OPEN ZEROES("FAST_ZERO") FAILS("1", "EOVERFLOW"),
     OPEN ZEROES("FAST_ZERO") DONE("1")},
    {"error.eoverflow", OPEN READ("1") FAILS("1", "EOVERFLOW"),
     HELLO STRUCTURED ENTER(ALL_FLAGS) FLUSH("1") DONE("1")},
    {"error.eoverflow", OPEN ZEROES("0") FAILS("1", "EOVERFLOW"),
     LARGE TRIM("0x40000000") FAILS("1", "EOVERFLOW")},
    {"error.eoverflow", LARGE TRIM("0x2000000") FAILS("1", "EOVERFLOW"),
     LARGE TRIM("0x2000001") FAILS("1", "EOVERFLOW")},
    {"error.eoverflow", OPEN WRITE("1") FAILS("1", "EOVERFLOW"),
     OPEN WRITE("1") FAILS("1", "ENOSPC")},
};

static const SessionRows tables[] = {
    {greeting_rows, G_N_ELEMENTS(greeting_rows)},
    {reply_rows, G_N_ELEMENTS(reply_rows)},
    {size_rows, G_N_ELEMENTS(size_rows)},
    {string_rows, G_N_ELEMENTS(string_rows)},
    {transmission_rows, G_N_ELEMENTS(transmission_rows)},
    {error_rows, G_N_ELEMENTS(error_rows)},
};

/* Rows that have files of their own. */
static const SessionRows *const others[] = {
    &session_client_rows,  &session_chunk_rows, &session_error_rows,    &session_status_rows,
    &session_context_rows, &session_tls_rows,   &session_extended_rows, &session_resize_rows,
};

/* How often each rule judged, and found a breach, over all rows. */
typedef struct {
    uint64_t *judged, *blamed;
} Counts;

static void count_rules(Counts *counts, const Session *session)
{
    for (size_t i = 0; i < session_rule_count(); i++) {
        counts->judged[i] += session_rule_uses(session, i);
        counts->blamed[i] += session_rule_breaches(session, i);
    }
}

/* Only a MUST or a layout taints, and only who broke it. */
static void right_side_is_tainted(const Talk *talk, const char *ids)
{
    g_auto(GStrv) words = g_strsplit(ids, " ", -1);
    /* So long a READ gives the server the right to hang up, although it is but a SHOULD NOT. */
    bool tainted[2] = {g_str_equal(ids, "extended.request.client-read-length"), false};

    for (size_t i = 0; words[i] != NULL; i++) {
        const Requirement *requirement = requirement_find(words[i]);
        g_autofree char *by_client = g_strdup_printf("C %s: ", words[i]);
        Side by = strstr(talk->findings->str, by_client) != NULL ? SIDE_CLIENT : SIDE_SERVER;
        if (requirement_breach(requirement) == BREACH_VIOLATION)
            tainted[by] = true;
        CU_ASSERT(requirement->role !=
                  (by == SIDE_CLIENT ? REQUIREMENT_SERVER : REQUIREMENT_CLIENT));
    }
    CU_ASSERT_EQUAL(session_tainted(talk->session, SIDE_CLIENT), tainted[SIDE_CLIENT]);
    CU_ASSERT_EQUAL(session_tainted(talk->session, SIDE_SERVER), tainted[SIDE_SERVER]);
}

static void try(Counts *counts, const char *script, const char *broken, Split split)
{
    g_autoptr(Talk) talk = talk_new(VANTAGE_ENDPOINT, split);

    talk_say(talk, script);
    if (!g_str_equal(talk->broken->str, broken))
        g_printerr("\n  in: %s\n%s%s", script, talk->messages->str, talk->findings->str);
    talk_broken(talk, broken);
    right_side_is_tainted(talk, broken);
    count_rules(counts, talk->session);
}

static void try_rows(Counts *counts, const Row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        try(counts, rows[i].bad, rows[i].broken, SPLIT_WHOLE);
        try(counts, rows[i].bad, rows[i].broken, SPLIT_BYTES);
        try(counts, rows[i].good, "", SPLIT_WHOLE);
        try(counts, rows[i].good, "", SPLIT_BYTES);
    }
}

static void each_rule_blames_the_right_requirement_and_is_silent_on_what_is_right(void)
{
    g_autofree uint64_t *judged = g_new0(uint64_t, session_rule_count());
    g_autofree uint64_t *blamed = g_new0(uint64_t, session_rule_count());
    Counts counts = {judged, blamed};

    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
        try_rows(&counts, tables[i].rows, tables[i].count);
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        try_rows(&counts, others[i]->rows, others[i]->count);
    for (size_t i = 0; i < session_rule_count(); i++) {
        if (blamed[i] == 0 || judged[i] == blamed[i])
            g_printerr("\n  rule %s judged %u times, and %u of them blamed", session_rule_name(i),
                       (unsigned)judged[i], (unsigned)blamed[i]);
        CU_ASSERT(blamed[i] > 0);
        CU_ASSERT(judged[i] > blamed[i]);
    }
}

void session_rules_tests(void)
{
    CU_TestInfo tests[] = {
        {"each rule blames the right requirement and is silent on what is right",
         each_rule_blames_the_right_requirement_and_is_silent_on_what_is_right},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"session's rules", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };

    CU_register_suites(suites);
}
