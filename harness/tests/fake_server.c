/* Listening, and one thread for each conversation. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_private.h"
#include "talk.h"

/* Long enough for any machine; who waits so long is stuck. */
#define DEADLINE_MS 60000

/* Between the bytes of a message that comes in dribbles: long against a system call, short against a
 * timeout. */
#define DRIBBLE_MS 20

struct FakeServer {
    FakeConfig config;
    TransportAddress *address;
    int listener;
    int finish; /* readable once no more are to be accepted */
    int stop;   /* readable once everything is to end */
    GThread *acceptor;
    GMutex mutex;           /* guards what follows */
    GPtrArray *connections; /* of FakeConnection */
    GString *complaints;
};

/* ---- Bytes ------------------------------------------------------------------------------------ */

void fake_complain(FakeConnection *connection, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_mutex_lock(&connection->server->mutex);
    g_string_append_printf(connection->server->complaints, "connection %u: %s\n",
                           connection->number, text);
    g_mutex_unlock(&connection->server->mutex);
}

/* Waits for EVENTS, at most MS milliseconds. False if they do not come, or everything ends. */
static bool await(FakeConnection *connection, short events, int ms)
{
    struct pollfd waits[] = {{.fd = connection->fd, .events = events},
                             {.fd = connection->server->stop, .events = POLLIN}};
    int status;

    do {
        status = poll(waits, G_N_ELEMENTS(waits), ms);
    } while (status < 0 && errno == EINTR);
    if (status == 0 && ms == DEADLINE_MS)
        fake_complain(connection, "nothing happens");
    return status > 0 && waits[1].revents == 0;
}

bool fake_say(FakeConnection *connection, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    while (size > 0) {
        ssize_t sent = send(connection->fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (sent < 0 && !await(connection, POLLOUT, DEADLINE_MS))
            return false;
        if (sent > 0) {
            at += sent;
            size -= (size_t)sent;
        }
    }
    return true;
}

bool fake_hear(FakeConnection *connection, size_t size)
{
    GByteArray *received = connection->received;
    size_t wanted = received->len + size;

    while (received->len < wanted) {
        uint8_t buffer[65536];
        if (!await(connection, POLLIN, DEADLINE_MS))
            return false;
        ssize_t came =
            recv(connection->fd, buffer, MIN(sizeof buffer, wanted - received->len), MSG_DONTWAIT);
        if (came == 0 || (came < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        if (came > 0)
            g_byte_array_append(received, buffer, (guint)came);
    }
    return true;
}

const uint8_t *fake_tail(const FakeConnection *connection, size_t size)
{
    return connection->received->data + connection->received->len - size;
}

/* ---- Steps ------------------------------------------------------------------------------------ */

static bool hear_option(FakeConnection *connection)
{
    return fake_hear(connection, 16) &&
           fake_hear(connection, (size_t)wire_get(fake_tail(connection, 4), 4));
}

static bool hear_request(FakeConnection *connection)
{
    uint64_t value[WIRE_MAX_FIELDS];

    if (!fake_hear(connection, 28))
        return false;
    wire_decode(WIRE_REQUEST, fake_tail(connection, 28), value);
    return value[REQUEST_TYPE] != NBD_CMD_WRITE ||
           fake_hear(connection, (size_t)value[REQUEST_LENGTH]);
}

static bool hear_message(FakeConnection *connection, const char *text, const GByteArray *message)
{
    if (!fake_hear(connection, message->len)) {
        fake_complain(connection, "not a whole message came for \"%s\"", text);
        return false;
    }
    bool same = memcmp(fake_tail(connection, message->len), message->data, message->len) == 0;
    if (!same)
        fake_complain(connection, "other bytes came than \"%s\"", text);
    return same;
}

static bool dribble(FakeConnection *connection, const GByteArray *message, guint piece)
{
    for (guint i = 0; i < message->len; i += piece) {
        if (!fake_say(connection, message->data + i, MIN(piece, message->len - i)))
            return false;
        (void)await(connection, POLLRDHUP, DRIBBLE_MS);
    }
    return true;
}

/* Many copies at once, so that it is the reader's speed that counts. */
static bool endless(FakeConnection *connection, const GByteArray *message)
{
    g_autoptr(GByteArray) many = g_byte_array_new();

    while (many->len < (1u << 20))
        g_byte_array_append(many, message->data, message->len);
    while (fake_say(connection, many->data, many->len)) {
    }
    return false;
}

static bool end(FakeConnection *connection, bool reset)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    if (reset)
        (void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(connection->fd);
    connection->fd = -1;
    return false;
}

void fake_hang_up(FakeConnection *connection)
{
    (void)end(connection, false);
}

/* "S …" or "C …" */
static bool play_message(FakeConnection *connection, const char *text, const char *how)
{
    g_autoptr(GPtrArray) lines = talk_lines(text);
    const TalkLine *line = lines->pdata[0];

    if (line->close)
        return end(connection, false);
    if (line->from == SIDE_CLIENT)
        return hear_message(connection, text, line->bytes);
    if (g_str_equal(how, "endless"))
        return endless(connection, line->bytes);
    if (g_str_equal(how, "dribble"))
        return dribble(connection, line->bytes, 1);
    if (g_str_equal(how, "crawl"))
        return dribble(connection, line->bytes, 1024);
    return fake_say(connection, line->bytes->data, line->bytes->len);
}

/* False once the conversation is over. */
static bool play_step(FakeConnection *connection, const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", 2);
    const char *verb = words[0], *rest = words[1];

    if (g_str_equal(verb, "S") || g_str_equal(verb, "C"))
        return play_message(connection, text, "");
    if (g_str_equal(verb, "dribble") || g_str_equal(verb, "crawl") || g_str_equal(verb, "endless"))
        return play_message(connection, rest, verb);
    if (g_str_equal(verb, "take"))
        return fake_hear(connection, (size_t)g_ascii_strtoull(rest, NULL, 0));
    if (g_str_equal(verb, "option"))
        return hear_option(connection);
    if (g_str_equal(verb, "request"))
        return hear_request(connection);
    if (g_str_equal(verb, "serve"))
        return fake_serve(connection, &connection->server->config);
    if (g_str_equal(verb, "hush"))
        return await(connection, POLLRDHUP, DEADLINE_MS) && end(connection, false);
    if (g_str_equal(verb, "stay"))
        return await(connection, 0, DEADLINE_MS) && end(connection, false);
    if (g_str_equal(verb, "reset"))
        return end(connection, true);
    if (!g_str_equal(verb, "gone"))
        g_error("%s is no step", verb);
    (void)shutdown(connection->server->listener, SHUT_RDWR);
    return true;
}

static gpointer converse(gpointer data)
{
    FakeConnection *connection = data;
    g_auto(GStrv) steps = g_strsplit(connection->script, ";", -1);
    bool going = true;

    for (size_t i = 0; steps[i] != NULL && going; i++) {
        const char *step = g_strstrip(steps[i]);
        going = *step == '\0' || play_step(connection, step);
    }
    while (connection->fd >= 0 && fake_part(connection)) {
    }
    while (connection->fd >= 0 && fake_hear(connection, 1)) {
    }
    if (connection->fd >= 0)
        (void)end(connection, false);
    return NULL;
}

/* ---- Listening -------------------------------------------------------------------------------- */

static void start_conversation(FakeServer *server, int fd)
{
    FakeConnection *connection = g_new0(FakeConnection, 1);
    guint scripts = g_strv_length((GStrv)server->config.scripts);

    connection->server = server;
    connection->fd = fd;
    connection->received = g_byte_array_new();
    g_mutex_lock(&server->mutex);
    connection->number = server->connections->len;
    connection->script = server->config.scripts[MIN(connection->number, scripts - 1)];
    g_ptr_array_add(server->connections, connection);
    connection->thread = g_thread_new("conversation", converse, connection);
    g_mutex_unlock(&server->mutex);
}

static void connection_free(gpointer data)
{
    FakeConnection *connection = data;

    g_byte_array_unref(connection->received);
    g_free(connection);
}

/* Who has connected before the end is still heard. */
static gpointer accept_all(gpointer data)
{
    FakeServer *server = data;

    for (;;) {
        struct pollfd waits[] = {{.fd = server->listener, .events = POLLIN},
                                 {.fd = server->finish, .events = POLLIN}};
        (void)poll(waits, G_N_ELEMENTS(waits), -1);
        bool last = waits[1].revents != 0;
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            start_conversation(server, fd);
        else if (last || errno == EINVAL) /* it listens no more */
            return NULL;
    }
}

static int listen_on(const struct sockaddr *address, socklen_t length)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, address, length) < 0 || listen(fd, SOMAXCONN) < 0)
        g_error("the fake server cannot listen: %s", g_strerror(errno));
    return fd;
}

static void listen_tcp(FakeServer *server)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof in;

    server->listener = listen_on((struct sockaddr *)&in, length);
    getsockname(server->listener, (struct sockaddr *)&in, &length);
    server->address = transport_address_tcp("127.0.0.1", ntohs(in.sin_port), NULL);
}

/* The kernel picks a free name in the abstract namespace: no file is left behind. */
static void listen_unix(FakeServer *server)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t length = sizeof un;

    server->listener = listen_on((struct sockaddr *)&un, sizeof un.sun_family);
    getsockname(server->listener, (struct sockaddr *)&un, &length);
    server->address =
        transport_address_unix(un.sun_path, length - offsetof(struct sockaddr_un, sun_path), NULL);
}

FakeServer *fake_server_new(const FakeConfig *config)
{
    FakeServer *server = g_new0(FakeServer, 1);

    server->config = *config;
    server->finish = eventfd(0, EFD_CLOEXEC);
    server->stop = eventfd(0, EFD_CLOEXEC);
    server->complaints = g_string_new(NULL);
    server->connections = g_ptr_array_new_with_free_func(connection_free);
    g_mutex_init(&server->mutex);
    if (config->tcp)
        listen_tcp(server);
    else
        listen_unix(server);
    server->acceptor = g_thread_new("acceptor", accept_all, server);
    return server;
}

FakeServer *fake_server_play(const char *const *scripts)
{
    FakeConfig config = {.scripts = scripts};

    return fake_server_new(&config);
}

void fake_server_finish(FakeServer *server)
{
    if (server->acceptor == NULL)
        return;
    if (eventfd_write(server->finish, 1) < 0)
        g_error("the fake server cannot be finished");
    g_thread_join(g_steal_pointer(&server->acceptor));
    for (guint i = 0; i < server->connections->len; i++) {
        FakeConnection *connection = server->connections->pdata[i];
        g_thread_join(connection->thread);
    }
}

void fake_server_free(FakeServer *server)
{
    if (server == NULL)
        return;
    if (eventfd_write(server->stop, 1) < 0)
        g_error("the fake server cannot be stopped");
    fake_server_finish(server);
    close(server->listener);
    close(server->finish);
    close(server->stop);
    transport_address_free(server->address);
    g_ptr_array_unref(server->connections);
    g_string_free(server->complaints, TRUE);
    g_mutex_clear(&server->mutex);
    g_free(server);
}

/* ---- What was seen ---------------------------------------------------------------------------- */

const TransportAddress *fake_server_address(const FakeServer *server)
{
    return server->address;
}

const char *fake_server_complaints(const FakeServer *server)
{
    return server->complaints->str;
}

unsigned fake_server_accepted(const FakeServer *server)
{
    return server->connections->len;
}

const GByteArray *fake_server_received(const FakeServer *server, unsigned connection)
{
    return ((const FakeConnection *)server->connections->pdata[connection])->received;
}

bool fake_server_saw(const FakeServer *server, const void *bytes, size_t size)
{
    for (unsigned i = 0; i < fake_server_accepted(server); i++) {
        const GByteArray *received = fake_server_received(server, i);
        if (received->len > 0 && memmem(received->data, received->len, bytes, size) != NULL)
            return true;
    }
    return false;
}
