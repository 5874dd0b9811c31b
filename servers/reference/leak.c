/* Leaks: how they are written, and what is kept. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <fcntl.h>
#include <limits.h>

#include "reference/leak.h"
#include "reference/reference.h"

#define MOST_BYTES (UINT64_C(64) << 20)
#define THREAD_STACK ((size_t)1 << 20) /* room for whatever is local to threads, too */

static const char *const kind_names[LEAK_KINDS] = {"fd",    "bytes=N", "thread",
                                                   "child", "runaway", "zombie"};

static const char *const ending_names[LEAK_ENDINGS] = {"any",   "soft",   "eof",
                                                       "reset", "notify", "hangup"};

static const RefLeakPhase phases[LEAK_PHASES] = {
    {"any", "wherever it ends"},
    {"after-connect", "nothing has come from the client"},
    {"inside-client-flags", "a part of the client flags has come"},
    {"after-client-flags", "they have come, and no option"},
    {"inside-option-header", "a part of an option's header has come"},
    {"inside-option-data", "the header has come, and not all of the data"},
    {"between-options", "NBD_OPT_LIST has been answered"},
    {"after-unknown-option", "an option that is not known here has been answered"},
    {"after-info", "NBD_OPT_INFO has been answered, by an error or not"},
    {"after-failed-go", "NBD_OPT_GO has been answered by an error"},
    {"after-failed-export-name", "NBD_OPT_EXPORT_NAME could not be granted"},
    {"inside-tls-handshake",
     "NBD_OPT_STARTTLS has been granted, and TLS's handshake not completed"},
    {"after-tls-handshake", "it has been, and no option has come inside of TLS"},
    {"inside-tls-record", "a part of a TLS record has come, wherever that was"},
    {"after-go", "NBD_OPT_GO has led into transmission, and no request has come"},
    {"after-export-name", "NBD_OPT_EXPORT_NAME has led there"},
    {"inside-request-header", "a part of a request's header has come"},
    {"inside-write-payload", "the header of a write has come, and not all of its payload"},
    {"reads-in-flight", "several reads came together, or not all replies could be sent"},
    {"writes-in-flight", "the last request was a write"},
    {"flush-in-flight", "the last request was a flush"},
    {"trim-in-flight", "the last request was NBD_CMD_TRIM"},
    {"write-zeroes-in-flight", "the last request was NBD_CMD_WRITE_ZEROES"},
    {"cache-in-flight", "the last request was NBD_CMD_CACHE"},
    {"after-error", "the last request was a read that failed"},
    {"after-reply", "the last request was a read by itself, or unknown"},
    {"after-abort", "NBD_OPT_ABORT has come, wherever that was"},
    {"after-disc", "NBD_CMD_DISC has come, wherever that was"},
};

/* What the client knows apart, and we do not. */
static const struct {
    const char *name, *same;
} aliases[] = {
    {"greeting-unread", "after-connect"},
    {"after-greeting", "after-connect"},
    {"option-unanswered", "after-go"},
    {"read-unread", "reads-in-flight"},
    {"inside-chunk", "reads-in-flight"},
    {"after-first-chunk", "reads-in-flight"},
    {"after-write", "writes-in-flight"},
    {"inside-starttls", "inside-option-header"},
    {"starttls-unanswered", "inside-tls-handshake"},
    {"after-starttls", "inside-tls-handshake"},
    {"inside-tls-hello", "inside-tls-handshake"},
    {"after-tls-hello", "inside-tls-handshake"},
    {"inside-tls-finish", "inside-tls-handshake"},
    {"inside-option-record", "inside-tls-record"},
    {"inside-request-record", "inside-tls-record"},
    {"inside-payload-record", "inside-tls-record"},
};

const RefLeakPhase *ref_leak_phases(size_t *count)
{
    *count = LEAK_PHASES - 1;
    return phases + 1;
}

/* ---- How they are written -------------------------------------------------------------------- */

static bool fail(GError **error, const char *what, const char *text)
{
    g_set_error(error, REF_ERROR, REF_ERROR_CONFIG, "%s: \"%s\"", what, text);
    return false;
}

static bool parse_number(const char *text, uint64_t most, uint64_t *number, GError **error)
{
    return g_ascii_string_to_unsigned(text, 10, 1, most, number, NULL) ||
           fail(error, "not a number that a leak could have", text);
}

static bool parse_kind(const char *text, Leak *leak, GError **error)
{
    uint64_t bytes = 0;

    if (g_str_has_prefix(text, "bytes=")) {
        leak->kind = LEAK_BYTES;
        if (!parse_number(text + strlen("bytes="), MOST_BYTES, &bytes, error))
            return false;
        leak->bytes = bytes;
        return true;
    }
    for (unsigned i = 0; i < LEAK_KINDS; i++)
        if (g_str_equal(text, kind_names[i])) {
            leak->kind = (LeakKind)i;
            return i != LEAK_BYTES || fail(error, "N is a number", text);
        }
    return fail(error, "what leaks is one of fd, bytes=N, thread, child, runaway, zombie, and not",
                text);
}

static bool parse_phase(const char *text, LeakPhase *phase, GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(aliases); i++)
        if (g_str_equal(text, aliases[i].name))
            text = aliases[i].same;
    for (unsigned i = 0; i < LEAK_PHASES; i++)
        if (g_str_equal(text, phases[i].name)) {
            *phase = (LeakPhase)i;
            return true;
        }
    return fail(error, "no phase in which a connection could end", text);
}

static bool parse_ending(const char *text, LeakEnding *ending, GError **error)
{
    for (unsigned i = 0; i < LEAK_ENDINGS; i++)
        if (g_str_equal(text, ending_names[i])) {
            *ending = (LeakEnding)i;
            return true;
        }
    return fail(error, "a connection ends by one of soft, eof, reset, notify, hangup, and not",
                text);
}

static bool parse_setting(const char *text, Leak *leak, GError **error)
{
    uint64_t number = 1;
    bool every = g_str_has_prefix(text, "every=");

    if (g_str_has_prefix(text, "at="))
        return parse_phase(text + strlen("at="), &leak->phase, error);
    if (g_str_has_prefix(text, "ending="))
        return parse_ending(text + strlen("ending="), &leak->ending, error);
    if (g_str_equal(text, "inside=tls")) {
        leak->inside_tls = true;
        return true;
    }
    if (!every && !g_str_has_prefix(text, "most="))
        return fail(error, "no such setting of a leak", text);
    if (!parse_number(strchr(text, '=') + 1, UINT_MAX, &number, error))
        return false;
    *(every ? &leak->every : &leak->most) = (unsigned)number;
    return true;
}

static bool parse(const char *text, Leak *leak, GError **error)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);

    *leak = (Leak){.every = 1, .most = UINT_MAX};
    if (!parse_kind(words[0] != NULL ? words[0] : "", leak, error))
        return false;
    for (char **word = words + 1; *word != NULL; word++)
        if (!parse_setting(*word, leak, error))
            return false;
    return true;
}

bool leak_set_init(LeakSet *set, const char *const *texts, GError **error)
{
    *set = (LeakSet){0};
    if (texts == NULL || *texts == NULL)
        return true;
    set->leaks = g_array_new(FALSE, TRUE, sizeof(Leak));
    for (; *texts != NULL; texts++) {
        Leak leak;
        if (!parse(*texts, &leak, error))
            return false;
        g_array_append_val(set->leaks, leak);
    }
    return true;
}

void leak_set_clear(LeakSet *set)
{
    g_clear_pointer(&set->leaks, g_array_unref);
}

/* ---- What is kept ---------------------------------------------------------------------------- */

/* The client still sees its connection end: only the descriptor stays. */
static void keep_socket(int fd)
{
    if (fcntl(fd, F_DUPFD_CLOEXEC, 0) >= 0)
        shutdown(fd, SHUT_RDWR);
}

/* Every byte is written, so that pages are really taken; nobody knows where they are. */
static void keep_bytes(size_t count)
{
    volatile uint8_t *lost = malloc(count);

    for (size_t i = 0; lost != NULL && i < count; i++)
        lost[i] = 0xa5;
}

static void *wait_for_ever(void *nothing)
{
    while (true)
        pause();
    return nothing;
}

/* It leaves signals to those who wait for them. */
static void keep_thread(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, THREAD_STACK);
    (void)pthread_create(&thread, &attributes, wait_for_ever, NULL);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* A child that lives as long as the server does, with none of its descriptors, and computes if it is a runaway;
 * or that has ended and is never waited for. Between fork and the end of a thread's process only what is safe in a signal
 * handler may be called. */
static void keep_child(LeakKind kind)
{
    pid_t parent = getpid();
    pid_t child = fork();

    if (child != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (kind == LEAK_ZOMBIE || getppid() != parent)
        _exit(0);
    close_range(0, ~0U, 0);
    while (true)
        if (kind != LEAK_RUNAWAY)
            pause();
}

void leak_keep(const Leak *leak, int fd)
{
    switch (leak->kind) {
    case LEAK_FD:
        keep_socket(fd);
        break;
    case LEAK_BYTES:
        keep_bytes(leak->bytes);
        break;
    case LEAK_THREAD:
        keep_thread();
        break;
    case LEAK_CHILD:
    case LEAK_RUNAWAY:
    case LEAK_ZOMBIE:
        keep_child(leak->kind);
        break;
    case LEAK_KINDS:
        break;
    }
}
