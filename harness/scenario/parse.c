/* The parser's front door. */
#include "scenario/grammar.h"
#include "scenario/parser.h"

/* The lexer relies on it, and so does everybody who prints a title or a reason. */
static bool check_characters(Parser *parser)
{
    const char *end;
    Place place = {1, 1};

    if (parser->length == 0 || g_utf8_validate_len(parser->text, parser->length, &end))
        return true;
    for (const char *at = parser->text; at < end; at = g_utf8_next_char(at)) {
        place.column++;
        if (*at == '\n')
            place = (Place){place.line + 1, 1};
    }
    return scenario_parser_fail(parser, place,
                                "the byte 0x%02x is no UTF-8 text; a string may say \\x%02x",
                                (guchar)*end, (guchar)*end);
}

static bool check_size(Parser *parser)
{
    if (parser->length <= SCENARIO_MAX_SIZE)
        return true;
    return scenario_parser_fail(parser, (Place){1, 1}, "this file is larger than %zu bytes",
                                SCENARIO_MAX_SIZE);
}

Scenario *scenario_parse(const char *path, const char *file, const char *text, size_t length,
                         GError **error)
{
    Parser parser = {.text = text,
                     .length = length,
                     .here = {1, 1},
                     .in_headers = true,
                     .cases = 1,
                     .scenario = scenario_new(path, file, text, length)};

    if (check_size(&parser) && check_characters(&parser)) {
        void *scanner = scenario_scanner_new(&parser);
        scenario_yyparse(&parser, scanner);
        scenario_scanner_free(scanner);
    }
    if (parser.error == NULL)
        return parser.scenario;
    g_propagate_error(error, parser.error);
    scenario_free(parser.scenario);
    return NULL;
}
