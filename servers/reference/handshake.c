/* The handshake: oldstyle, newstyle, and the options of fixed newstyle. */
#include <string.h>

#include "reference/handshake.h"
#include "reference/channel.h"

/* Beyond this, nothing that we know has so much to say: a name, and every information request that
 * there could be. Longer data are skipped, as long as their length is no attack. */
#define DATA_LIMIT (4 + NBD_MAX_STRING + 2 + 2 * 65535)
#define SKIP_LIMIT (1024 * 1024)

static void reply(Connection *c, uint32_t type)
{
    message_put_option_reply(c, type, NULL, 0);
}

void handshake_reply_error(Connection *c, uint32_t type, const char *text)
{
    message_put_option_reply(c, type, text, strlen(text));
}

/* ---- Exports --------------------------------------------------------------------------------- */

const Export *handshake_find_export(Connection *c, const uint8_t *name, size_t length,
                                    ExportFacts *facts)
{
    const Export *export = exports_find(&c->loop->server->exports, name, length);

    *facts = export != NULL ? export->facts : (ExportFacts){0};
    if (export != NULL)
        facts->size = __atomic_load_n(export->size, __ATOMIC_RELAXED);
    facts->tls_only =
        export != NULL && c->tls == NULL && (export->tls_only || c->loop->server->tls_required);
    if (c->agreed.replies == SIMPLE_REPLIES)
        facts->flags &= ~(uint64_t)NBD_FLAG_SEND_DF;
    if (c->agreed.replies != EXTENDED_HEADERS || c->agreed.contexts == 0 ||
        c->agreed.contexts_of != export)
        facts->flags &= ~(uint64_t)NBD_FLAG_BLOCK_STATUS_PAYLOAD;
    return message_see_export(c, export, length, facts);
}

void handshake_begin_transmission(Connection *c, const Export *export, const ExportFacts *facts)
{
    c->facts = *facts;
    c->disk = message_see_disk(c, export->disk);
    c->size_before = c->facts.size;
    c->export = export;
    c->step = transmission_step;
    /* Contexts hold for the export that they were asked for. */
    if (c->agreed.contexts_of != export)
        c->agreed.contexts = 0;
}

/* ---- The options ----------------------------------------------------------------------------- */

/* NBD_OPT_EXPORT_NAME: the answer is no option reply, and an error cannot be said at all. */
static void answer_export_name(Connection *c, const uint8_t *data, uint32_t length)
{
    ExportFacts facts;
    const Export *export = handshake_find_export(c, data, length, &facts);

    if (export == NULL || facts.tls_only || facts.require ||
        c->agreed.replies == EXTENDED_HEADERS || c->loop->server->require_extended) {
        connection_doom(c, FATE_END);
        return;
    }
    handshake_begin_transmission(c, export, &facts);
    message_put_export(c);
}

static void answer_abort(Connection *c, const uint8_t *data, uint32_t length)
{
    (void)data; /* is to be ignored, whatever it is */
    (void)length;
    reply(c, NBD_REP_ACK);
    connection_doom(c, FATE_DONE);
}

static void list_export(Connection *c, const Export *export)
{
    uint8_t data[4 + 2 * NBD_MAX_STRING];
    size_t name = strlen(export->name);
    size_t description = export_text_length(export->description);

    wire_put(data, 4, name);
    memcpy(data + 4, export->name, name);
    if (description > 0)
        memcpy(data + 4 + name, export->description, description);
    message_put_option_reply(c, NBD_REP_SERVER, data, 4 + name + description);
}

/* NBD_OPT_LIST, one export at a time: they may be many. */
static void go_on_listing(Connection *c)
{
    const GPtrArray *all = c->loop->server->exports.all;

    if (c->option.next_to_list < all->len) {
        list_export(c, g_ptr_array_index(all, c->option.next_to_list++));
        return;
    }
    reply(c, NBD_REP_ACK);
    c->option.listing = false;
}

static void answer_list(Connection *c, const uint8_t *data, uint32_t length)
{
    (void)data;
    if (length > 0) {
        handshake_reply_error(c, NBD_REP_ERR_INVALID, "a list is asked for without data");
        return;
    }
    c->option.listing = true;
    c->option.next_to_list = 0;
}

/* TLS begins behind the reply. */
static void answer_starttls(Connection *c, const uint8_t *data, uint32_t length)
{
    (void)data;
    if (c->loop->server->tls == NULL) {
        handshake_reply_error(c, NBD_REP_ERR_UNSUP, "not known here");
    } else if (c->tls != NULL) {
        handshake_reply_error(c, NBD_REP_ERR_INVALID, "TLS is there already");
    } else if (length > 0) {
        handshake_reply_error(c, NBD_REP_ERR_INVALID, "TLS is asked for without data");
    } else {
        reply(c, NBD_REP_ACK);
        c->step = channel_begin_tls;
    }
}

static void answer_unknown(Connection *c, const uint8_t *data, uint32_t length)
{
    (void)data;
    (void)length;
    handshake_reply_error(c, NBD_REP_ERR_UNSUP, "not known here");
}

static void answer_structured_reply(Connection *c, const uint8_t *data, uint32_t length)
{
    if (c->loop->server->most_replies == REF_SIMPLE) {
        answer_unknown(c, data, length);
    } else if (length > 0) {
        handshake_reply_error(c, NBD_REP_ERR_INVALID,
                              "structured replies are asked for without data");
    } else if (c->agreed.replies == EXTENDED_HEADERS) {
        handshake_reply_error(c, NBD_REP_ERR_EXT_HEADER_REQD, "extended headers were agreed");
    } else {
        c->agreed.replies = STRUCTURED_REPLIES;
        reply(c, NBD_REP_ACK);
    }
}

static void answer_extended_headers(Connection *c, const uint8_t *data, uint32_t length)
{
    if (c->loop->server->most_replies != REF_EXTENDED) {
        answer_unknown(c, data, length);
    } else if (length > 0) {
        handshake_reply_error(c, NBD_REP_ERR_INVALID,
                              "extended headers are asked for without data");
    } else {
        c->agreed.replies = EXTENDED_HEADERS;
        reply(c, NBD_REP_ACK);
    }
}

typedef void (*Answer)(Connection *c, const uint8_t *data, uint32_t length);

static Answer answer_to(uint32_t option)
{
    switch (option) {
    case NBD_OPT_EXPORT_NAME:
        return answer_export_name;
    case NBD_OPT_ABORT:
        return answer_abort;
    case NBD_OPT_LIST:
        return answer_list;
    case NBD_OPT_INFO:
    case NBD_OPT_GO:
        return answer_info;
    case NBD_OPT_STARTTLS:
        return answer_starttls;
    case NBD_OPT_STRUCTURED_REPLY:
        return answer_structured_reply;
    case NBD_OPT_EXTENDED_HEADERS:
        return answer_extended_headers;
    case NBD_OPT_LIST_META_CONTEXT:
        return answer_list_meta_context;
    case NBD_OPT_SET_META_CONTEXT:
        return answer_set_meta_context;
    default:
        return answer_unknown;
    }
}

/* ---- Haggling -------------------------------------------------------------------------------- */

/* Without fixed newstyle, on either side, there is only one option. */
static bool is_fixed(const Connection *c)
{
    return c->loop->server->style == REF_FIXED_NEWSTYLE &&
           (c->client_flags & NBD_FLAG_C_FIXED_NEWSTYLE);
}

static Step take_header(Connection *c)
{
    uint64_t values[WIRE_MAX_FIELDS];

    if (!message_get_option_header(c, values))
        return STEP_INPUT;
    uint32_t length = (uint32_t)values[OPTION_LENGTH];
    c->option = (OptionState){
        .pending = true,
        .option = (uint32_t)values[OPTION_OPTION],
        .length = length,
        .skip = length > DATA_LIMIT ? length : 0,
    };
    if (values[OPTION_MAGIC] != NBD_IHAVEOPT || length > SKIP_LIMIT ||
        (c->option.option != NBD_OPT_EXPORT_NAME && !is_fixed(c)) ||
        (c->option.option == NBD_OPT_EXPORT_NAME && c->option.skip > 0))
        connection_doom(c, FATE_END);
    return STEP_AGAIN;
}

bool handshake_is_bare(const Connection *c)
{
    return c->loop->server->tls_required && c->tls == NULL && c->option.option != NBD_OPT_ABORT &&
           c->option.option != NBD_OPT_STARTTLS;
}

/* A server that insists on TLS hears of nothing else before; there is no word of that for
 * NBD_OPT_EXPORT_NAME. */
static bool refuse_to_bare(Connection *c)
{
    if (!handshake_is_bare(c) || c->option.exempt)
        return false;
    if (c->option.option == NBD_OPT_EXPORT_NAME)
        connection_doom(c, FATE_END);
    else
        handshake_reply_error(c, NBD_REP_ERR_TLS_REQD, "begin TLS first");
    return true;
}

/* A server that is being shut down refuses further options, NBD_OPT_ABORT aside; there is no word of
 * that for NBD_OPT_EXPORT_NAME. */
static bool refuse_to_end(Connection *c)
{
    if (!server_is_ending(c->loop->server) || c->option.option == NBD_OPT_ABORT)
        return false;
    if (c->option.option == NBD_OPT_EXPORT_NAME)
        connection_doom(c, FATE_END);
    else
        handshake_reply_error(c, NBD_REP_ERR_SHUTDOWN, "the server is being shut down");
    return true;
}

static Step skip_data(Connection *c)
{
    uint32_t n = (uint32_t)MIN(connection_available(c), c->option.skip);
    Answer answer = answer_to(c->option.option);

    connection_take(c, n);
    c->option.skip -= n;
    if (c->option.skip > 0)
        return STEP_INPUT;
    c->option.pending = false;
    if (refuse_to_bare(c) || refuse_to_end(c))
        return STEP_AGAIN;
    if (answer == answer_unknown || answer == answer_abort || answer == answer_list ||
        answer == answer_starttls || answer == answer_structured_reply ||
        answer == answer_extended_headers)
        answer(c, NULL, c->option.length);
    else if (answer == answer_set_meta_context)
        answer(c, (const uint8_t *)"", 0);
    else
        handshake_reply_error(c, NBD_REP_ERR_TOO_BIG, "that is too much data");
    return STEP_AGAIN;
}

static Step take_data(Connection *c)
{
    uint32_t taken = c->option.length;
    uint32_t length = taken;
    const uint8_t *data = taken > 0 ? connection_peek(c, taken) : (const uint8_t *)"";

    if (data == NULL)
        return STEP_INPUT;
    c->option.pending = false;
    if (message_see_option(c, data, &length) && !refuse_to_bare(c) && !refuse_to_end(c))
        answer_to(c->option.option)(c, data, length);
    connection_take(c, taken);
    return STEP_AGAIN;
}

Step handshake_go_on(Connection *c)
{
    size_t room;

    if (connection_room(c, HANDSHAKE_ROOM, &room) == NULL)
        return STEP_OUTPUT;
    if (c->option.listing) {
        go_on_listing(c);
        return STEP_AGAIN;
    }
    if (!c->option.pending)
        return take_header(c);
    return c->option.skip > 0 ? skip_data(c) : take_data(c);
}

/* ---- Greetings ------------------------------------------------------------------------------- */

static uint64_t handshake_flags(const Connection *c)
{
    bool fixed = c->loop->server->style == REF_FIXED_NEWSTYLE;

    return NBD_FLAG_NO_ZEROES | (fixed ? NBD_FLAG_FIXED_NEWSTYLE : 0);
}

static Step take_client_flags(Connection *c)
{
    if (!message_get_client_flags(c, &c->client_flags))
        return STEP_INPUT;
    /* The two kinds of flags have the same bits: what we did not offer, nobody may answer. */
    if (c->client_flags & ~handshake_flags(c))
        connection_doom(c, FATE_END);
    c->step = handshake_go_on;
    return STEP_AGAIN;
}

static Step greet_oldstyle(Connection *c)
{
    ExportFacts facts;
    const Export *export = handshake_find_export(c, (const uint8_t *)"", 0, &facts);

    handshake_begin_transmission(c, export, &facts);
    message_put_oldstyle(c);
    return STEP_AGAIN;
}

Step handshake_start(Connection *c)
{
    if (c->loop->server->style == REF_OLDSTYLE)
        return greet_oldstyle(c);
    c->step = take_client_flags;
    message_put_newstyle(c, handshake_flags(c));
    return STEP_AGAIN;
}
