/* What strings of either side obey (proto.md, "Conventions"): well-formed UTF-8, no NUL, not too
 * long. Lengths are judged as they were announced, text as far as it was kept. */
#include <string.h>

#include "session/private.h"

typedef struct {
    const uint8_t *bytes;
    size_t there;    /* of them we have so many */
    uint64_t length; /* on the wire */
} Text;

/* LENGTH bytes of the message's data, from START on. */
static Text text_at(const SessionMessage *message, uint64_t start, uint64_t length)
{
    uint64_t kept = message->data->len;

    if (start >= kept)
        return (Text){.length = length};
    return (Text){message->data->data + start, (size_t)MIN(length, kept - start), length};
}

static size_t reply_texts(const SessionMessage *message, Text text[2])
{
    uint64_t length = message->data_length;
    size_t head = 0;

    if (message->value[REPLY_MAGIC] != NBD_OPTION_REPLY_MAGIC)
        return 0;
    if (message->inner == WIRE_REP_SERVER) {
        uint64_t name = message->inner_value[REP_SERVER_NAME_LENGTH];
        if (name > length - 4)
            return 0;
        text[0] = text_at(message, 4, name);
        text[1] = text_at(message, 4 + name, length - 4 - name);
        return 2;
    }
    if (message->inner == WIRE_META_CONTEXT)
        head = 4;
    else if (message->inner == WIRE_INFO &&
             (message->inner_value[INFO_TYPE] == NBD_INFO_NAME ||
              message->inner_value[INFO_TYPE] == NBD_INFO_DESCRIPTION))
        head = 2;
    else if (!(message->value[REPLY_TYPE] & NBD_REP_FLAG_ERROR))
        return 0;
    text[0] = text_at(message, head, length - head);
    return 1;
}

/* The export's name, in the options that have one. */
static size_t option_texts(const SessionMessage *message, Text text[2])
{
    uint64_t option = message->value[OPTION_OPTION];
    uint64_t length = message->data_length;

    if (message->value[OPTION_MAGIC] != NBD_IHAVEOPT)
        return 0;
    if (option == NBD_OPT_EXPORT_NAME) {
        text[0] = text_at(message, 0, length);
        return 1;
    }
    bool info = option == NBD_OPT_INFO || option == NBD_OPT_GO;
    bool contexts = option == NBD_OPT_LIST_META_CONTEXT || option == NBD_OPT_SET_META_CONTEXT;
    uint64_t rest = info ? 6 : 8; /* the length of the name, and what follows it at least */
    if ((!info && !contexts) || length < rest)
        return 0;
    uint64_t name = wire_get(message->data->data, 4);
    if (name > length - rest)
        return 0;
    text[0] = text_at(message, 4, name);
    return 1;
}

/* An error's text, where it fits into the chunk. */
static size_t chunk_texts(const SessionMessage *message, Text text[2])
{
    const SessionChunk *chunk = &message->chunk;
    uint64_t fixed = chunk->type == NBD_REPLY_TYPE_ERROR_OFFSET ? 14 : 6;

    if (!chunk->has_error || chunk->length < fixed || chunk->text_length > chunk->length - fixed)
        return 0;
    text[0] = text_at(message, 6, chunk->text_length);
    return 1;
}

static size_t texts(const SessionMessage *message, Text text[2])
{
    if (session_message_is_chunk(message))
        return chunk_texts(message, text);
    return message->kind == WIRE_OPTION ? option_texts(message, text) : reply_texts(message, text);
}

typedef bool (*TextCheck)(const Text *text);

static bool is_too_long(const Text *text)
{
    return text->length > NBD_MAX_STRING;
}

static bool is_long(const Text *text)
{
    return text->length > NBD_GOOD_STRING && !is_too_long(text);
}

static bool has_nul(const Text *text)
{
    return text->there > 0 && memchr(text->bytes, 0, text->there) != NULL;
}

static bool is_not_utf8(const Text *text)
{
    return text->there > 0 && text->there == text->length && !has_nul(text) &&
           !g_utf8_validate((const char *)text->bytes, (gssize)text->there, NULL);
}

static char *string_is(const SessionMessage *message, TextCheck bad, const char *what)
{
    Text text[2];
    size_t count = texts(message, text);

    for (size_t i = 0; i < count; i++)
        if (bad(&text[i]))
            return g_strdup_printf("a string of %" G_GUINT64_FORMAT " bytes %s", text[i].length,
                                   what);
    return NULL;
}

static char *string_long(const Session *session, const SessionMessage *message)
{
    (void)session;
    return string_is(message, is_long, "is longer than 256");
}

static char *string_too_long(const Session *session, const SessionMessage *message)
{
    (void)session;
    return string_is(message, is_too_long, "is longer than 4096");
}

static char *string_nul(const Session *session, const SessionMessage *message)
{
    (void)session;
    return string_is(message, has_nul, "holds a NUL");
}

static char *string_utf8(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (message->inner == WIRE_META_CONTEXT)
        return NULL; /* has a requirement of its own */
    return string_is(message, is_not_utf8, "is not UTF-8");
}

static char *context_utf8(const Session *session, const SessionMessage *message)
{
    (void)session;
    if (message->inner != WIRE_META_CONTEXT)
        return NULL;
    return string_is(message, is_not_utf8, "is not UTF-8");
}

#define BOTH_SIDES                                                                                 \
    SESSION_RULE(string_long, REQ("string.max-256"), RULE_ALWAYS),                                 \
        SESSION_RULE(string_too_long, REQ("string.max-4096"), RULE_ALWAYS),                        \
        SESSION_RULE(string_nul, REQ("string.no-nul"), RULE_ALWAYS),                               \
        SESSION_RULE(string_utf8, REQ("string.utf-8"), RULE_ALWAYS)

static const SessionRule reply_rules[] = {
    BOTH_SIDES,
    SESSION_RULE(context_utf8, REQ("handshake.rep-meta-context.utf-8"), RULE_ALWAYS),
};
SESSION_RULES(session_reply_string_rules, WIRE_OPTION_REPLY, reply_rules);

static const SessionRule option_rules[] = {BOTH_SIDES};
SESSION_RULES(session_option_string_rules, WIRE_OPTION, option_rules);

/* A text that is too long for a string breaks what error chunks obey; and what it is about is no excuse. */
static const SessionRule chunk_rules[] = {
    SESSION_RULE(string_long, REQ("string.max-256"), RULE_EVEN_TAINTED),
    SESSION_RULE(string_nul, REQ("string.no-nul"), RULE_EVEN_TAINTED),
    SESSION_RULE(string_utf8, REQ("string.utf-8"), RULE_EVEN_TAINTED),
};
SESSION_RULES_WHOLE(session_chunk_string_rules, WIRE_CHUNK, chunk_rules);
