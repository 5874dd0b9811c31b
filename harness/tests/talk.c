/* From a line of text to bytes, and through a session. A mistake in a script aborts the tests. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "talk.h"

/* ---- Scripts --------------------------------------------------------------------------------- */

static void line_free(gpointer data)
{
    TalkLine *line = data;

    g_free(line->phase);
    g_byte_array_unref(line->bytes);
    g_free(line);
}

static void append_number(GByteArray *out, size_t width, uint64_t value)
{
    uint8_t bytes[8];

    wire_put(bytes, width, value);
    g_byte_array_append(out, bytes, (guint)width);
}

static uint64_t number(const WireNames *names, const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, "|", -1);
    uint64_t sum = 0;

    for (size_t i = 0; words[i] != NULL; i++) {
        uint64_t value;
        if (names == NULL || !wire_value(names, words[i], &value)) {
            char *end;
            value = g_ascii_strtoull(words[i], &end, 0);
            if (end == words[i] || *end != '\0')
                g_error("%s is no value", words[i]);
        }
        sum |= value;
    }
    return sum;
}

static WireKind kind_of(const char *name)
{
    for (int kind = 0; kind < WIRE_KINDS; kind++)
        if (g_str_equal(wire_layout((WireKind)kind)->name, name))
            return (WireKind)kind;
    g_error("%s is no layout", name);
}

/* "simple-reply error=EIO cookie=7" */
static void append_layout(GByteArray *out, char *const *words, size_t behind)
{
    WireKind kind = kind_of(words[0]);
    const WireLayout *layout = wire_layout(kind);
    uint64_t value[WIRE_MAX_FIELDS];
    uint8_t bytes[64];

    wire_defaults(kind, value);
    if (kind == WIRE_OPTION || kind == WIRE_OPTION_REPLY || kind == WIRE_CHUNK ||
        kind == WIRE_EXTENDED_REPLY)
        value[layout->count - 1] = behind; /* its length */
    for (size_t i = 1; words[i] != NULL; i++) {
        if (*words[i] == '\0')
            continue;
        const char *equals = strchr(words[i], '=');
        g_assert(equals != NULL);
        g_autofree char *name = g_strndup(words[i], (size_t)(equals - words[i]));
        int field = wire_field_index(kind, name);
        if (field < 0)
            g_error("%s has no field %s", words[0], name);
        value[field] = number(layout->fields[field].names, equals + 1);
    }
    wire_encode(kind, value, bytes);
    g_byte_array_append(out, bytes, (guint)layout->size);
}

static void append_ask(GByteArray *out, char *const *words)
{
    size_t length = strlen(words[1]);

    append_number(out, 4, length);
    g_byte_array_append(out, (const uint8_t *)words[1], (guint)length);
    append_number(out, 2, g_strv_length((GStrv)words) - 2);
    for (size_t i = 2; words[i] != NULL; i++)
        append_number(out, 2, number(&wire_info_types, words[i]));
}

static void append_hex(GByteArray *out, const char *digits)
{
    for (; *digits != '\0'; digits += 2)
        append_number(
            out, 1,
            (uint64_t)(g_ascii_xdigit_value(digits[0]) << 4 | g_ascii_xdigit_value(digits[1])));
}

static void append_part(GByteArray *out, const char *text, size_t behind)
{
    g_auto(GStrv) words = g_strsplit_set(text, " ", -1);

    if (g_str_equal(words[0], "hex")) {
        uint64_t times = words[2] == NULL ? 1 : number(NULL, words[2]);
        for (; times > 0; times--)
            append_hex(out, words[1]);
    } else if (g_str_equal(words[0], "text")) {
        g_byte_array_append(out, (const uint8_t *)words[1], (guint)strlen(words[1]));
    } else if (g_str_equal(words[0], "fill")) {
        guint count = (guint)number(NULL, words[1]), before = out->len;
        g_byte_array_set_size(out, before + count);
        if (count > 0)
            memset(out->data + before, (int)number(NULL, words[2]), count);
    } else if (g_str_equal(words[0], "ask")) {
        append_ask(out, words);
    } else {
        append_layout(out, words, behind);
    }
}

/* The parts from back to front: each may need to know how much follows it. */
static GByteArray *message(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, " + ", -1);
    GByteArray *out = g_byte_array_new();

    for (guint i = g_strv_length(parts); i-- > 0;) {
        g_autoptr(GByteArray) part = g_byte_array_new();
        append_part(part, parts[i], out->len);
        g_byte_array_prepend(out, part->data, part->len);
    }
    return out;
}

GPtrArray *talk_lines(const char *script)
{
    GPtrArray *lines = g_ptr_array_new_with_free_func(line_free);
    g_auto(GStrv) texts = g_strsplit(script, ";", -1);

    for (size_t i = 0; texts[i] != NULL; i++) {
        const char *text = g_strstrip(texts[i]);
        if (*text == '\0')
            continue;
        TalkLine *line = g_new0(TalkLine, 1);
        line->from = *text == 'S' ? SIDE_SERVER : SIDE_CLIENT;
        line->phase = *text == '=' ? g_strdup(text + 2) : NULL;
        line->close = g_str_has_suffix(text, " close");
        line->tls = g_str_equal(text, "TLS");
        line->bytes =
            line->phase || line->close || line->tls ? g_byte_array_new() : message(text + 2);
        g_ptr_array_add(lines, line);
    }
    return lines;
}

/* ---- Conversations --------------------------------------------------------------------------- */

Talk *talk_new(Vantage vantage, Split split)
{
    Talk *talk = g_new0(Talk, 1);

    talk->session = session_new(vantage);
    talk->split = split;
    talk->random = g_rand_new_with_seed(1);
    talk->messages = g_string_new(NULL);
    talk->findings = g_string_new(NULL);
    talk->broken = g_string_new(NULL);
    return talk;
}

void talk_free(Talk *talk)
{
    session_free(talk->session);
    g_rand_free(talk->random);
    g_string_free(talk->messages, TRUE);
    g_string_free(talk->findings, TRUE);
    g_string_free(talk->broken, TRUE);
    g_free(talk);
}

static const char *side_name(Side side)
{
    return side == SIDE_CLIENT ? "C" : "S";
}

void talk_collect(Talk *talk)
{
    SessionMessage *came;
    SessionFinding *finding;

    while ((came = session_next(talk->session)) != NULL) {
        g_autofree char *text = session_message_describe(came);
        g_autoptr(GBytes) bytes = session_message_bytes(came, 4096);
        g_string_append_printf(
            talk->messages,
            "%s %s (%u of %" G_GUINT64_FORMAT " at %" G_GUINT64_FORMAT ", %s, %08x)\n",
            side_name(came->from), text, came->data->len, came->data_length, came->position,
            session_phase_name(came->phase), g_bytes_hash(bytes));
        session_message_free(came);
    }
    while ((finding = session_next_finding(talk->session)) != NULL) {
        const char *id = finding->requirement->id;
        g_string_append_printf(talk->findings, "%s %s: %s\n", side_name(finding->by), id,
                               finding->message);
        g_string_append_printf(talk->broken, "%s%s", talk->broken->len > 0 ? " " : "", id);
        session_finding_free(finding);
    }
}

static size_t piece(Talk *talk, size_t left)
{
    size_t size = left;

    if (talk->split == SPLIT_BYTES)
        size = 1;
    else if (talk->split == SPLIT_PIECES)
        size = (size_t)g_rand_int_range(talk->random, 1, 40);
    return MIN(size, left);
}

static void say_line(Talk *talk, const TalkLine *line)
{
    size_t size;

    if (line->phase != NULL)
        CU_ASSERT_STRING_EQUAL(session_phase_name(session_phase(talk->session)), line->phase);
    for (size_t at = 0; at < line->bytes->len; at += size) {
        size = piece(talk, line->bytes->len - at);
        session_feed(talk->session, line->from, line->bytes->data + at, size);
    }
    if (line->tls)
        session_start_tls(talk->session);
    if (line->close)
        session_close(talk->session, line->from);
    talk_collect(talk);
}

void talk_say(Talk *talk, const char *script)
{
    g_autoptr(GPtrArray) lines = talk_lines(script);

    for (guint i = 0; i < lines->len; i++)
        say_line(talk, lines->pdata[i]);
}

void talk_broken(Talk *talk, const char *ids)
{
    if (!g_str_equal(talk->broken->str, ids))
        g_printerr("\n  broken: \"%s\"\n  not:    \"%s\"\n", talk->broken->str, ids);
    CU_ASSERT_STRING_EQUAL(talk->broken->str, ids);
    g_string_truncate(talk->broken, 0);
}
