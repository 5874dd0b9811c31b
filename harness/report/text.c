/* Text for people and parsers, made of text and bytes that a peer has chosen. */
#include <string.h>

#include "report/private.h"

const RunObserver *report_observer(const Report *report)
{
    return &report->observer;
}

bool report_finish(Report *report, GError **error)
{
    return report->finish(report, error);
}

void report_free(Report *report)
{
    if (report != NULL)
        report->free(report);
}

/* ---- Cleaning --------------------------------------------------------------------------------- */

/* Control characters of ASCII and of ISO 8859 (a terminal may obey either), what directs the flow of
 * text, and what XML forbids. */
static bool is_fit(gunichar character)
{
    if (character < 0x20 || (character >= 0x7f && character <= 0x9f))
        return false;
    if ((character >= 0x202a && character <= 0x202e) ||
        (character >= 0x2066 && character <= 0x2069))
        return false;
    return character != 0x2028 && character != 0x2029 && character != 0xfffe && character != 0xffff;
}

static char *clean(const char *text, const char *kept)
{
    GString *out = g_string_new(NULL);
    size_t left = text == NULL ? 0 : strlen(text);

    while (left > 0) {
        gunichar character = g_utf8_get_char_validated(text, (gssize)left);
        bool valid = character < 0x110000; /* else (gunichar)-1 or -2 */
        size_t length = valid ? (size_t)(g_utf8_next_char(text) - text) : 1;

        if ((valid && is_fit(character)) || strchr(kept, *text) != NULL)
            g_string_append_len(out, text, (gssize)length);
        else if (valid && character > 0xff)
            g_string_append_printf(out, "\\u%04x", character);
        else
            g_string_append_printf(out, "\\x%02x", valid ? character : (unsigned char)*text);
        text += length;
        left -= length;
    }
    return g_string_free(out, FALSE);
}

char *report_clean(const char *text)
{
    return clean(text, "");
}

char *report_clean_lines(const char *text)
{
    return clean(text, "\n\t");
}

/* ---- Pieces ----------------------------------------------------------------------------------- */

const char *report_tail(const char *text, unsigned count, unsigned *cut)
{
    size_t length = strlen(text);
    unsigned lines = 0;
    const char *at = text;

    for (const char *c = text; *c != '\0'; c++)
        lines += *c == '\n';
    if (length > 0 && text[length - 1] != '\n')
        lines++;
    *cut = lines > count ? lines - count : 0;
    for (unsigned i = 0; i < *cut; i++)
        at = strchr(at, '\n') + 1;
    return at;
}

static void dump_line(GString *out, const uint8_t *bytes, size_t offset, size_t count)
{
    g_string_append_printf(out, "%04zx ", offset);
    for (size_t i = 0; i < 16; i++) {
        g_string_append(out, i == 8 ? "  " : " ");
        if (i < count)
            g_string_append_printf(out, "%02x", bytes[offset + i]);
        else
            g_string_append(out, "  ");
    }
    g_string_append(out, "  |");
    for (size_t i = 0; i < count; i++)
        g_string_append_c(out,
                          g_ascii_isprint((char)bytes[offset + i]) ? (char)bytes[offset + i] : '.');
    g_string_append(out, "|\n");
}

char *report_hexdump(GBytes *bytes, uint64_t size, size_t limit, const char *indent)
{
    GString *out = g_string_new(NULL);
    size_t length;
    const uint8_t *data = g_bytes_get_data(bytes, &length);
    size_t shown = MIN(length, limit);

    for (size_t offset = 0; offset < shown; offset += 16) {
        g_string_append(out, indent);
        dump_line(out, data, offset, MIN(shown - offset, 16));
    }
    if (size > shown)
        g_string_append_printf(out, "%s… %" G_GUINT64_FORMAT " more bytes\n", indent,
                               size - (uint64_t)shown);
    return g_string_free(out, FALSE);
}

const char *report_word(const PlayResult *result)
{
    static const char *const words[VERDICT_COUNT] = {
        [VERDICT_PASS] = "PASS", [VERDICT_WARN] = "WARN",       [VERDICT_FAIL] = "FAIL",
        [VERDICT_SKIP] = "SKIP", [VERDICT_BLOCKED] = "BLOCKED", [VERDICT_ERROR] = "ERROR",
    };

    if (result->verdict == VERDICT_WARN && result->kind == KIND_HINT)
        return "HINT";
    return words[result->verdict];
}

static Breach breach_of(const Finding *finding)
{
    return finding->requirement == NULL ? BREACH_HINT : requirement_breach(finding->requirement);
}

const Finding *report_cause(const PlayResult *result)
{
    const Finding *worst = NULL;

    for (guint i = 0; result->findings != NULL && i < result->findings->len; i++) {
        const Finding *finding = result->findings->pdata[i];
        if (worst == NULL || breach_of(finding) < breach_of(worst))
            worst = finding;
    }
    return worst;
}

char *report_count(unsigned count, const char *one, const char *many)
{
    return g_strdup_printf("%u %s", count, count == 1 ? one : many);
}

char *report_shell_word(const char *text)
{
    static const char plain[] = G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "/.,_-=+:@%";

    if (text[0] != '\0' && text[strspn(text, plain)] == '\0')
        return g_strdup(text);
    return g_shell_quote(text);
}

char *report_place(const PlayCase *play_case, const Finding *finding)
{
    if (play_case->scenario == NULL) {
        if (finding == NULL || finding->met_in == NULL)
            return g_strdup("on the way into transmission, not in a case");
        g_autofree char *id = report_clean(finding->met_in);
        return g_strdup_printf("on the way into transmission, first seen in %s", id);
    }
    const char *file = play_case->scenario->file;
    if (finding == NULL || finding->line == 0)
        return report_clean(file);
    g_autofree char *place = g_strdup_printf("%s:%u", file, finding->line);
    return report_clean(place);
}

char *report_time(const RunSummary *summary)
{
    g_autoptr(GDateTime) started = g_date_time_new_from_unix_utc(summary->started_us / 1000000);
    return g_date_time_format(started, "%Y-%m-%dT%H:%M:%SZ");
}
