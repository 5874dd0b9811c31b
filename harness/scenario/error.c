/* Mistakes in a case, told as a compiler would; and the word that somebody may have meant. */
#include <string.h>

#include "scenario/parser.h"

/* A line longer than this is shown in part, around the caret. */
#define SHOWN_BEFORE 60u
#define SHOWN 100u

G_DEFINE_QUARK(scenario_error, scenario_error)

/* The bytes of line NUMBER, without its end. */
static const char *find_line(const char *text, size_t length, unsigned number, size_t *line_length)
{
    const char *end = text + length;
    const char *line_end = NULL;

    for (; number > 1 && text < end; number--) {
        line_end = memchr(text, '\n', (size_t)(end - text));
        text = line_end == NULL ? end : line_end + 1;
    }
    line_end = text < end ? memchr(text, '\n', (size_t)(end - text)) : NULL;
    if (line_end == NULL)
        line_end = end;
    if (line_end > text && line_end[-1] == '\r')
        line_end--;
    *line_length = (size_t)(line_end - text);
    return text;
}

/* One character, U+FFFD for a byte that is none, as the lexer counts columns. */
static gunichar next_character(const char **at, const char *end)
{
    gunichar c = g_utf8_get_char_validated(*at, end - *at);

    if (c == (gunichar)-1 || c == (gunichar)-2) {
        ++*at;
        return 0xfffd;
    }
    *at = **at == '\0' ? *at + 1 : g_utf8_next_char(*at);
    return g_unichar_iscntrl(c) && c != '\t' ? 0xfffd : c;
}

static void append_padding(GString *carets, gunichar c)
{
    if (c == '\t')
        g_string_append_c(carets, '\t');
    else if (!g_unichar_iszerowidth(c))
        g_string_append(carets, g_unichar_iswide(c) ? "  " : " ");
}

GError *scenario_error_new(const char *file, const char *text, size_t length, Place place,
                           const char *message)
{
    g_autoptr(GString) shown = g_string_new(NULL);
    g_autoptr(GString) carets = g_string_new(NULL);
    size_t line_length;
    const char *at = find_line(text, length, place.line, &line_length);
    const char *end = at + line_length;
    unsigned first = place.column > SHOWN ? place.column - SHOWN_BEFORE : 1;
    unsigned column = 1;

    if (first > 1) {
        g_string_append(shown, "…");
        g_string_append_c(carets, ' ');
    }
    for (; at < end && column < first + SHOWN; column++) {
        gunichar c = next_character(&at, end);
        if (column < first)
            continue;
        g_string_append_unichar(shown, c);
        if (column < place.column)
            append_padding(carets, c);
    }
    if (at < end)
        g_string_append(shown, "…");
    return g_error_new(SCENARIO_ERROR, 0, "%s:%u:%u: %s\n%5u | %s\n%5s | %s^", file, place.line,
                       place.column, message, place.line, shown->str, "", carets->str);
}

void scenario_set_error(GError **error, const Scenario *scenario, Place place, const char *format,
                        ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_propagate_error(error, scenario_error_new(scenario->file, scenario->text,
                                                strlen(scenario->text), place, message));
}

bool scenario_parser_fail(Parser *parser, Place place, const char *format, ...)
{
    va_list args;

    if (parser->error != NULL)
        return false;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    parser->error =
        scenario_error_new(parser->scenario->file, parser->text, parser->length, place, message);
    return false;
}

/* ---- The nearest word ------------------------------------------------------------------------- */

#define LONGEST_WORD 64u

/* How many letters are to be added, dropped, replaced or swapped with their neighbour (optimal string
 * alignment); case does not count. */
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned rows[3][LONGEST_WORD + 1];

    for (unsigned j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a_length; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *higher = rows[(i + 1) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= b_length; j++) {
            char x = g_ascii_tolower(a[i - 1]), y = g_ascii_tolower(b[j - 1]);
            unsigned best = above[j - 1] + (x != y);
            best = MIN(best, MIN(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && x == g_ascii_tolower(b[j - 2]) && y == g_ascii_tolower(a[i - 2]))
                best = MIN(best, higher[j - 2] + 1);
            row[j] = best;
        }
    }
    return rows[a_length % 3][b_length];
}

const char *scenario_nearest(const char *word, const char *const *choices)
{
    size_t length = strlen(word);
    const char *nearest = NULL;
    unsigned least = G_MAXUINT;

    if (length > LONGEST_WORD)
        return NULL;
    for (; *choices != NULL; choices++) {
        size_t choice_length = strlen(*choices);
        if (choice_length > LONGEST_WORD)
            continue;
        unsigned far = distance(word, length, *choices, choice_length);
        /* One letter in three may be wrong, but not every letter. */
        size_t bearable = MAX(MAX(length, choice_length) / 3, 1);
        if (far < least && far <= bearable && far < MIN(length, choice_length)) {
            least = far;
            nearest = *choices;
        }
    }
    return nearest;
}
