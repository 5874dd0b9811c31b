/* NBD_OPT_LIST_META_CONTEXT and NBD_OPT_SET_META_CONTEXT. */
#include <string.h>

#include "reference/handshake.h"

static void put_context(Connection *c, unsigned context, uint32_t id)
{
    uint8_t data[4 + 64];
    size_t length = strlen(context_name(context));

    wire_put(data, 4, id);
    memcpy(data + 4, context_name(context), length);
    message_put_option_reply(c, NBD_REP_META_CONTEXT, data, 4 + length);
}

/* What all queries together find. False if one is malformed. */
static bool find_contexts(const WireContextRequest *request, bool listing, ContextSet *found)
{
    const uint8_t *at = request->queries;

    for (uint32_t i = 0; i < request->query_count; i++) {
        uint32_t length = (uint32_t)wire_get(at, 4);
        if (!context_query(at + 4, length, listing, found))
            return false;
        at += 4 + length;
    }
    return true;
}

/* A list ends so for who would need extended headers for some context in it. */
static void end_contexts(Connection *c, ContextSet found, bool listing)
{
    if (listing && found & ~context_available(c->agreed.replies == EXTENDED_HEADERS))
        handshake_reply_error(c, NBD_REP_ERR_EXT_HEADER_REQD, "some need extended headers");
    else
        message_put_option_reply(c, NBD_REP_ACK, NULL, 0);
}

/* What to say where there is no more to it than an error; NULL: the contexts are FOUND. */
static const char *bad_request(const Connection *c, const uint8_t *data, uint32_t length,
                               bool listing, WireContextRequest *request, ContextSet *found)
{
    if (c->agreed.replies == SIMPLE_REPLIES)
        return "structured replies have to be agreed first";
    if (!wire_parse_context_request(data, length, request))
        return "the lengths do not add up";
    if (wire_check_string(request->export_name, request->export_length) > WIRE_STRING_LONG)
        return "the name is no string of at most 4096 bytes";
    if (!find_contexts(request, listing, found))
        return "a query is no namespace, colon and leaf-name";
    return NULL;
}

static void answer(Connection *c, const uint8_t *data, uint32_t length, bool listing)
{
    WireContextRequest request;
    ContextSet found = 0;
    ExportFacts facts;

    if (c->loop->server->most_replies == REF_SIMPLE) {
        handshake_reply_error(c, NBD_REP_ERR_UNSUP, "not known here");
        return;
    }
    const char *bad = bad_request(c, data, length, listing, &request, &found);
    if (bad != NULL) {
        handshake_reply_error(c, NBD_REP_ERR_INVALID, bad);
        return;
    }
    const Export *export =
        handshake_find_export(c, request.export_name, request.export_length, &facts);
    if (export == NULL || facts.tls_only) {
        handshake_reply_error(c, NBD_REP_ERR_UNKNOWN, "there is no such export");
        return;
    }
    if (listing && request.query_count == 0)
        found = UINT32_MAX;
    found &= context_available(c->option.wide || c->agreed.replies == EXTENDED_HEADERS);
    for (ContextSet left = found; left != 0;) {
        unsigned i = context_take(&left, c->option.backwards);
        put_context(c, i, listing ? 0 : context_id(i));
    }
    end_contexts(c, found, listing);
    if (!listing) {
        c->agreed.contexts = found;
        c->agreed.contexts_of = export;
    }
}

void answer_list_meta_context(Connection *c, const uint8_t *data, uint32_t length)
{
    answer(c, data, length, true);
}

/* Contexts that were set before are gone, whatever comes of it. */
void answer_set_meta_context(Connection *c, const uint8_t *data, uint32_t length)
{
    c->agreed.contexts = 0;
    answer(c, data, length, false);
}
