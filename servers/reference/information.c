/* NBD_OPT_INFO and NBD_OPT_GO: what an export is like, and, for GO, the way to it. */
#include <string.h>

#include "reference/handshake.h"

/* What NBD_OPT_INFO and NBD_OPT_GO ask for. */
typedef struct {
    bool name, description, block_size;
} Wanted;

/* False if anything is asked for twice. */
static bool parse_wanted(const WireInfoRequest *request, Wanted *wanted)
{
    uint8_t seen[65536 / 8] = {0};

    *wanted = (Wanted){0};
    for (unsigned i = 0; i < request->info_count; i++) {
        uint64_t info = wire_get(request->infos + 2 * i, 2);
        uint8_t bit = (uint8_t)(1u << info % 8);
        if (seen[info / 8] & bit)
            return false;
        seen[info / 8] |= bit;
        wanted->name |= info == NBD_INFO_NAME;
        wanted->description |= info == NBD_INFO_DESCRIPTION;
        wanted->block_size |= info == NBD_INFO_BLOCK_SIZE;
    }
    return true;
}

static void inform(Connection *c, WireKind kind, const uint64_t values[WIRE_MAX_FIELDS])
{
    uint8_t data[32];

    wire_encode(kind, values, data);
    message_put_option_reply(c, NBD_REP_INFO, data, wire_layout(kind)->size);
}

static void inform_text(Connection *c, uint16_t info, const char *text)
{
    uint8_t data[2 + NBD_MAX_STRING];
    size_t length = strnlen(text, NBD_MAX_STRING);

    wire_put(data, 2, info);
    memcpy(data + 2, text, length);
    message_put_option_reply(c, NBD_REP_INFO, data, 2 + length);
}

static void inform_all(Connection *c, const Export *export, const ExportFacts *facts, Wanted wanted)
{
    const uint64_t about_export[WIRE_MAX_FIELDS] = {NBD_INFO_EXPORT, facts->size, facts->flags};
    const uint64_t constraints[WIRE_MAX_FIELDS] = {NBD_INFO_BLOCK_SIZE, facts->minimum,
                                                   facts->preferred, facts->maximum};

    inform(c, WIRE_INFO_EXPORT, about_export);
    if (wanted.name)
        inform_text(c, NBD_INFO_NAME, export->canonical);
    if (wanted.description && export->description != NULL)
        inform_text(c, NBD_INFO_DESCRIPTION, export->description);
    /* What is insisted on is told to everybody ("Size constraints"). */
    if (facts->constrained && (wanted.block_size || facts->require || !facts->lenient))
        inform(c, WIRE_INFO_BLOCK_SIZE, constraints);
}

static const char *bad_info_request(const WireInfoRequest *request, Wanted *wanted)
{
    if (wire_check_string(request->name, request->name_length) > WIRE_STRING_LONG)
        return "the name is no string of at most 4096 bytes";
    if (!parse_wanted(request, wanted))
        return "an information is requested twice";
    return NULL;
}

/* NBD_OPT_INFO and NBD_OPT_GO. */
void answer_info(Connection *c, const uint8_t *data, uint32_t length)
{
    bool go = c->option.option == NBD_OPT_GO;
    WireInfoRequest request;
    ExportFacts facts;
    Wanted wanted;

    if (!wire_parse_info_request(data, length, &request)) {
        handshake_reply_error(c, NBD_REP_ERR_INVALID, "the lengths do not add up");
        return;
    }
    const char *bad = bad_info_request(&request, &wanted);
    if (bad != NULL) {
        handshake_reply_error(c, NBD_REP_ERR_INVALID, bad);
        return;
    }
    const Export *export = handshake_find_export(c, request.name, request.name_length, &facts);
    if (export == NULL) {
        handshake_reply_error(c, NBD_REP_ERR_UNKNOWN, "there is no such export");
        return;
    }
    if (facts.tls_only) {
        handshake_reply_error(c, NBD_REP_ERR_TLS_REQD, "the export is to be had inside TLS only");
        return;
    }
    inform_all(c, export, &facts, wanted);
    if (go && c->loop->server->require_extended && c->agreed.replies != EXTENDED_HEADERS) {
        handshake_reply_error(c, NBD_REP_ERR_EXT_HEADER_REQD, "extended headers are required");
        return;
    }
    if (facts.require && !wanted.block_size) {
        handshake_reply_error(c, NBD_REP_ERR_BLOCK_SIZE_REQD, "the block size has to be asked for");
        return;
    }
    message_put_option_reply(c, NBD_REP_ACK, NULL, 0);
    if (go)
        handshake_begin_transmission(c, export, &facts);
}
