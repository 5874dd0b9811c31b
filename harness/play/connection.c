/* Moving the bytes of one connection, and writing down what passed. */
#include <poll.h>
#include <string.h>

#include "play/connection.h"

/* In a mode that cuts messages into segments, so much of each message is cut: headers and small data
 * always are, and 32 MiB of payload do not take 32 million system calls. */
#define SEGMENTED 4096u

#define READ_SIZE (256u << 10)

/* Memory of messages that is not kept for the next ones. */
#define MUCH (1u << 20)

/* A transcript stays readable: of an endless conversation the beginning is kept. */
#define MAX_TRANSCRIPT (256u << 10)

/* Messages that nobody has expected yet, and the data of option replies, of which no request says how
 * much it may be. What a peer sends beyond that is not kept for any line. */
#define MAX_CAME 20000u
#define MAX_UNASKED ((size_t)16 << 20)

/* What a server may have sent of its TLS before we begin ours. A longer piece is none. */
#define MAX_EARLY (64u << 10)

Connection *play_connection_new(const char *name, Transport *transport, GString *transcript,
                                bool labelled, const SessionSizes *agreed)
{
    Connection *connection = g_new0(Connection, 1);

    connection->name = g_strdup(name);
    connection->transport = transport;
    connection->session = session_new(VANTAGE_ENDPOINT);
    if (agreed != NULL)
        session_agree(connection->session, agreed);
    connection->out = g_byte_array_new();
    connection->cuts = g_array_new(FALSE, FALSE, sizeof(guint));
    g_queue_init(&connection->came);
    connection->next_cookie = 1;
    connection->last_progress_us = g_get_monotonic_time();
    connection->transcript = transcript;
    connection->labelled = labelled;
    return connection;
}

void play_connection_free(Connection *connection)
{
    if (connection == NULL)
        return;
    g_free(connection->name);
    transport_free(connection->transport);
    transport_tls_free(connection->stranger);
    session_free(connection->session);
    g_byte_array_unref(connection->out);
    g_array_unref(connection->cuts);
    g_clear_pointer(&connection->early, g_byte_array_unref);
    g_queue_clear_full(&connection->came, (GDestroyNotify)session_message_free);
    gatherer_free(connection->gatherer);
    g_free(connection);
}

void play_connection_note(Connection *connection, const char *actor, const char *text)
{
    if (connection->transcript->len > MAX_TRANSCRIPT)
        return;
    g_string_append_printf(connection->transcript, "%s%s%s: %s\n",
                           connection->labelled ? connection->name : "",
                           connection->labelled ? "." : "", actor, text);
    if (connection->transcript->len > MAX_TRANSCRIPT)
        g_string_append(connection->transcript, "(the rest is left out)\n");
}

static const char *actor_of(Side side)
{
    return side == SIDE_CLIENT ? "C" : "S";
}

/* A server may have more exports to list than we care to keep. The reply that ends them is the one that
 * lines wait for: it has room of its own. */
static bool worth_keeping(Connection *connection, const SessionMessage *message)
{
    size_t share = session_message_is_final(message) ? 2 : 1;
    size_t bytes = message->answers ? 0 : message->data->len;

    if (message->from == SIDE_CLIENT)
        return false;
    if (!connection->keeps_chunks && message->answers && !message->ends)
        return false; /* what it says is gathered */
    if (connection->came.length >= share * MAX_CAME ||
        connection->unasked_bytes + bytes > share * MAX_UNASKED) {
        connection->forgetful = true;
        return false;
    }
    connection->unasked_bytes += bytes;
    return true;
}

/* Takes out of the session what has become whole. Our own messages are only written down. */
static void collect(Connection *connection)
{
    SessionMessage *message;

    while ((message = session_next(connection->session)) != NULL) {
        g_autofree char *text = session_message_describe(message);
        play_connection_note(connection, actor_of(message->from), text);
        if (connection->gatherer != NULL)
            gatherer_take(connection->gatherer, message);
        if (worth_keeping(connection, message))
            g_queue_push_tail(&connection->came, message);
        else
            session_message_free(message);
    }
}

static void cut(Connection *connection, size_t size, unsigned segment)
{
    guint piece = segment;
    size_t done = 0;

    for (; done < MIN(size, SEGMENTED); done += piece) {
        piece = (guint)MIN(segment, size - done);
        g_array_append_val(connection->cuts, piece);
    }
    if (done < size) {
        piece = (guint)(size - done);
        g_array_append_val(connection->cuts, piece);
    }
}

static void keep_tail(Connection *connection, const uint8_t *bytes, size_t size)
{
    size_t room = sizeof connection->tail;
    size_t take = MIN(size, room);
    size_t keep = MIN(connection->tail_size, room - take);

    memmove(connection->tail, connection->tail + connection->tail_size - keep, keep);
    memcpy(connection->tail + keep, bytes + size - take, take);
    connection->tail_size = keep + take;
}

void play_connection_send(Connection *connection, const void *bytes, size_t size, unsigned segment)
{
    if (connection->send_failed || connection->ended || connection->shutting || connection->shut ||
        size == 0)
        return;
    g_byte_array_append(connection->out, bytes, (guint)size);
    keep_tail(connection, bytes, size);
    if (segment > 0)
        cut(connection, size, segment);
    session_feed(connection->session, SIDE_CLIENT, bytes, size);
    collect(connection);
    connection->last_progress_us = g_get_monotonic_time();
    connection->last_arrival_us = 0; /* what comes next answers this */
    play_connection_move(connection);
}

bool play_connection_owes(const Connection *connection)
{
    return connection->out_start < connection->out->len && !connection->send_failed &&
           !connection->ended;
}

static size_t next_piece(const Connection *connection)
{
    size_t left = connection->out->len - connection->out_start;

    if (connection->cuts->len == 0)
        return left;
    return MIN(left, g_array_index(connection->cuts, guint, 0));
}

static void sent(Connection *connection, size_t done)
{
    connection->out_start += done;
    connection->moved += done;
    if (connection->cuts->len > 0) {
        guint *piece = &g_array_index(connection->cuts, guint, 0);
        *piece -= (guint)done;
        if (*piece == 0)
            g_array_remove_index(connection->cuts, 0);
    }
    if (connection->out_start == connection->out->len) {
        if (connection->out->len > MUCH) { /* to shrink would not give it back */
            g_byte_array_unref(connection->out);
            connection->out = g_byte_array_new();
        }
        g_byte_array_set_size(connection->out, 0);
        connection->out_start = 0;
    }
    connection->last_progress_us = g_get_monotonic_time();
}

/* What was sent before our side ended is sent first. */
static void shut_down(Connection *connection)
{
    connection->shutting = false;
    connection->shut = true;
    transport_shutdown(connection->transport);
}

static void move_out(Connection *connection)
{
    while (play_connection_owes(connection) && !connection->corked) {
        size_t done;
        TransportStatus status =
            transport_write(connection->transport, connection->out->data + connection->out_start,
                            next_piece(connection), &done);
        if (status == TRANSPORT_AGAIN)
            return;
        if (status == TRANSPORT_CLOSED) {
            connection->send_failed = true;
            break;
        }
        sent(connection, done);
    }
    if (connection->shutting && !play_connection_owes(connection))
        shut_down(connection);
}

static void peer_closed(Connection *connection)
{
    const char *problem = transport_problem(connection->transport);

    connection->closed = true;
    connection->shaking = false;
    connection->last_progress_us = g_get_monotonic_time();
    session_close(connection->session, SIDE_SERVER);
    g_autofree char *text = g_strconcat("close", problem == NULL ? "" : "    # ", problem, NULL);
    play_connection_note(connection, "S", text);
}

/* Behind close_notify or an alert the connection has still to be closed, for which the peer may wait for
 * ours: that is owed as soon as theirs has come. */
static void peer_ended(Connection *connection)
{
    TransportTlsState state = transport_tls_facts(connection->transport).state;
    bool by_notice = state == TRANSPORT_TLS_CLOSED || state == TRANSPORT_TLS_ALERT;

    if (by_notice && !connection->notified) {
        connection->notified = true;
        connection->last_progress_us = g_get_monotonic_time();
        play_connection_note(connection, "S",
                             state == TRANSPORT_TLS_CLOSED ? "close-notify" : "alert");
        connection->send_failed = true;
        transport_shutdown(connection->transport);
    }
    if (!by_notice || transport_tls_ended(connection->transport))
        peer_closed(connection);
}

/* ---- TLS --------------------------------------------------------------------------------------- */

bool play_connection_is_tls(const SessionMessage *message)
{
    return message != NULL && message->kind == WIRE_KINDS;
}

/* Whoever waits for TLS waits for a message as any other. */
static void note_tls(Connection *connection)
{
    TransportTlsFacts facts = transport_tls_facts(connection->transport);

    if (!connection->shaking || !facts.established)
        return;
    connection->shaking = false;
    connection->last_progress_us = g_get_monotonic_time();
    session_start_tls(connection->session);
    SessionMessage *mark = g_new0(SessionMessage, 1);
    mark->from = SIDE_SERVER;
    mark->kind = mark->inner = WIRE_KINDS;
    mark->data = g_byte_array_new();
    g_queue_push_tail(&connection->came, mark);
    g_autofree char *text = g_strdup_printf("tls    # %s, %s", facts.version, facts.cipher);
    play_connection_note(connection, "S", text);
}

bool play_connection_start_tls(Connection *connection, const TransportTls *settings,
                               const char *priorities, GError **error)
{
    const GByteArray *early = connection->early;

    if (!transport_tls_start(connection->transport, settings, priorities,
                             early == NULL ? NULL : early->data, early == NULL ? 0 : early->len,
                             error))
        return false;
    connection->shaking = true;
    play_connection_note(connection, "C", "tls");
    play_connection_move(connection); /* poll() does not tell of a stream that has failed at once */
    return true;
}

/* Where the plain text ends: the ACK to STARTTLS is the last message of it. */
static uint64_t plain_end(const Connection *connection)
{
    const SessionMessage *last = g_queue_peek_tail((GQueue *)&connection->came);

    if (last == NULL || last->kind != WIRE_OPTION_REPLY)
        return connection->received;
    return last->position + wire_layout(last->kind)->size + last->data_length;
}

static void keep_early(Connection *connection, const uint8_t *bytes, size_t size)
{
    uint64_t start = connection->received;

    connection->received += size;
    if (session_phase(connection->session) != PHASE_TLS)
        return;
    if (connection->early == NULL) {
        size_t plain = (size_t)(plain_end(connection) - start);
        connection->early = g_byte_array_new();
        bytes += MIN(plain, size);
        size -= MIN(plain, size);
    }
    if (size > 0 && connection->early->len + size <= MAX_EARLY)
        g_byte_array_append(connection->early, bytes, (guint)size);
}

/* ---- Receiving --------------------------------------------------------------------------------- */

static void note_arrival(Connection *connection, size_t size)
{
    gint64 now = g_get_monotonic_time();

    connection->moved += size;

    if (connection->last_arrival_us > 0)
        connection->widest_gap_us =
            MAX(connection->widest_gap_us, now - connection->last_arrival_us);
    connection->last_arrival_us = now;
    connection->last_progress_us = now;
}

/* True if there may be more at once. */
static bool move_in(Connection *connection)
{
    static _Thread_local uint8_t buffer[READ_SIZE];
    size_t done;

    if (connection->closed || connection->ended || connection->holding)
        return false;
    TransportStatus status = transport_read(connection->transport, buffer, sizeof buffer, &done);
    note_tls(connection);
    switch (status) {
    case TRANSPORT_DONE:
        note_arrival(connection, done);
        session_feed(connection->session, SIDE_SERVER, buffer, done);
        collect(connection);
        keep_early(connection, buffer, done);
        connection->heard |= transport_tls_facts(connection->transport).established;
        return done == sizeof buffer;
    case TRANSPORT_CLOSED:
        peer_ended(connection);
        break;
    case TRANSPORT_AGAIN:
        break;
    }
    return false;
}

void play_connection_move(Connection *connection)
{
    if (connection->ended)
        return;
    move_out(connection);
    (void)move_in(connection);
    if (connection->closed || connection->holding)
        (void)transport_advance(connection->transport);
    note_tls(connection);
}

bool play_connection_pending(const Connection *connection)
{
    return !connection->ended && !connection->closed && !connection->holding &&
           transport_pending(connection->transport);
}

short play_connection_events(const Connection *connection)
{
    short events = 0;

    if (connection->ended)
        return 0;
    if (!connection->closed && !connection->holding)
        events |= POLLIN;
    if (play_connection_owes(connection) && !connection->corked)
        events |= POLLOUT;
    return transport_events(connection->transport, events);
}

void play_connection_end(Connection *connection, ConnectionEnd how)
{
    static const char *const names[] = {"close", "reset", "shutdown", "drop"};

    if (connection->ended)
        return;
    play_connection_note(connection, "C", names[how]);
    session_close(connection->session, SIDE_CLIENT);
    if (how == END_SHUTDOWN) {
        connection->shutting = true;
        connection->corked = false;
        move_out(connection);
        return;
    }
    connection->ended = true;
    if (how == END_RESET)
        transport_reset(connection->transport);
    else if (how == END_DROP)
        transport_drop(connection->transport);
    else
        transport_close(connection->transport);
}
