/* The reference NBD server: in-process, in threads of its own, or standalone.
 *
 * It serves sparse memory disks, speaks the protocol as proto.md has it, and deviates from it only
 * by the named quirks it is told to have. It shares nothing with the harness but wire/, so that
 * the one can testify against the other.
 */
#ifndef NBDCONFORM_REFERENCE_H
#define NBDCONFORM_REFERENCE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    REF_FIXED_NEWSTYLE,
    REF_NEWSTYLE, /* newstyle that is not fixed: NBD_OPT_EXPORT_NAME and nothing else */
    REF_OLDSTYLE, /* the default export, without a word from the client */
} RefStyle;

/* The forms of replies that a client may ask for: this, and what was there before. */
typedef enum { REF_EXTENDED, REF_STRUCTURED, REF_SIMPLE } RefReplies;

/* One export. All zero but the size: a writable disk called "" without advertised constraints. */
typedef struct {
    const char *name;        /* NULL is "" */
    const char *description; /* for NBD_OPT_LIST and NBD_INFO_DESCRIPTION; NULL: none */
    const char *canonical;   /* NBD_INFO_NAME where it is not the name asked for; NULL: the name */
    uint64_t size;           /* bytes, up to 2^63-1 */
    bool read_only;
    uint32_t minimum, preferred, maximum; /* size constraints; 0: the default. Any that is not 0
                                             makes NBD_INFO_BLOCK_SIZE available */
    bool lenient; /* serves requests that break the constraints; otherwise they get NBD_EINVAL */
    bool require; /* clients that did not ask for the constraints get NBD_REP_ERR_BLOCK_SIZE_REQD,
                     or with NBD_OPT_EXPORT_NAME a hard disconnect */
    uint32_t unfragmented; /* reads with NBD_CMD_FLAG_DF that are longer get NBD_EOVERFLOW, 65536 at
                              the least; 0: none do */
    bool tls_only;         /* not to be had in the clear */
    bool resize;           /* NBD_CMD_RESIZE may change its size */
    uint16_t withhold;     /* transmission flags (SEND_TRIM, …) whose features it does not have */
} RefExport;

/* What a server shows to clients that begin TLS, and asks of them. */
typedef struct {
    /* A folder with ca-cert.pem, server-cert.pem, server-key.pem and, if it is there, ca-crl.pem. */
    const char *certificates;
    const char *psk_file; /* in their place: "username:key in hexadecimal", one a line */
    bool verify_peer;     /* clients must have a certificate that ca-cert.pem vouches for */
    const char *
        priorities; /* GnuTLS's priority string; NULL: what the specification asks for. What pre-shared
                               keys need is added */
} RefTlsOptions;

/* … loaded, for any number of servers. */
typedef struct RefTls RefTls;

/* NULL with REF_ERROR_CONFIG where files are missing or unfit. */
RefTls *ref_tls_new(const RefTlsOptions *options, GError **error);
void ref_tls_free(RefTls *tls);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RefTls, ref_tls_free)

/* Strings and arrays are copied. All zero listens on any port of the loopback interface. */
typedef struct {
    const char *socket; /* path of a Unix socket; an old socket there is replaced */
    const char *host;   /* else a numeric address, IPv4 or IPv6; NULL: 127.0.0.1 */
    uint16_t port;      /* 0: any that is free */
    int fd;             /* if > 0 a socket that listens already; taken over */

    const RefExport *exports;
    size_t export_count;
    const char *default_export; /* which one the name "" means; NULL: the one called "", if any,
                                   or, where there is only one, that */
    RefStyle style;
    RefReplies most_replies;
    /* Lets clients begin TLS; owned by the caller, and outlives the server. NULL: there is none. */
    const RefTls *tls;
    bool tls_required;      /* nothing is to be had in the clear */
    bool require_extended;  /* clients without extended headers get NBD_REP_ERR_EXT_HEADER_REQD */
    bool structured_always; /* after structured replies were agreed, no simple reply is sent */
    unsigned loops;         /* threads; 0: one */
    unsigned grace;         /* milliseconds for clients to leave when the server is to end */
    uint64_t memory;        /* bytes that all disks together may fill; 0: half the machine's */
    const char *const *quirks; /* names, ended by NULL; NULL: none */
    const char *const *leaks;  /* "fd,at=between-options,ending=eof,every=8": see below; likewise */
} RefConfig;

typedef struct RefServer RefServer;

#define REF_ERROR ref_error_quark()
GQuark ref_error_quark(void);
typedef enum { REF_ERROR_CONFIG, REF_ERROR_LISTEN, REF_ERROR_SYSTEM } RefError;

/* Listens at once: clients may connect from now on, and are served from ref_server_start() on. */
RefServer *ref_server_new(const RefConfig *config, GError **error);

/* Stops if need be. */
void ref_server_free(RefServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RefServer, ref_server_free)

/* Serves in threads of its own, until ref_server_stop(), which drops all connections and joins. A
 * stopped server still listens, and may be started again. Not with leaks: what they keep would be
 * the caller's. */
bool ref_server_start(RefServer *server, GError **error);
void ref_server_stop(RefServer *server);

/* Serves from the calling thread (and more, as configured) until it is told to end or dies of a
 * quirk. SIGNALS is a signalfd for SIGTERM and SIGINT, which ask for the end, SIGHUP, which asks for
 * the configuration to be read again, of which there is none, and SIGCONT; its end, or anything else
 * that comes from it, ends the server too; -1: nothing does. Then it listens no more, answers what
 * was asked before, refuses what is asked from then on, and leaves hanging up to its clients, until
 * the grace of its configuration is over. */
bool ref_server_run(RefServer *server, int signals, GError **error);

/* Where it listens: the path, or NULL; the port, or 0; an NBD URI of export NAME (caller frees). */
const char *ref_server_socket(const RefServer *server);
uint16_t ref_server_port(const RefServer *server);
char *ref_server_uri(const RefServer *server, const char *name);

/* Connections open now, and accepted since the start. */
size_t ref_server_connections(const RefServer *server);
uint64_t ref_server_accepted(const RefServer *server);

/* True once a quirk has made it "crash": all its connections are gone and it listens no more. */
bool ref_server_died(const RefServer *server);

/* ---- Quirks ---------------------------------------------------------------------------------- */

/* What a server must be configured like for a quirk to show. */
typedef enum {
    REF_NEEDS_NOTHING,
    REF_NEEDS_OLDSTYLE,
    REF_NEEDS_TCP,     /* no Unix socket */
    REF_NEEDS_PROCESS, /* one of its own, to be sent signals */
    REF_NEEDS_TLS,
} RefNeeds;

typedef enum {
    REF_DEVIATION, /* shows by what comes, or by the connection's end */
    REF_SILENCE,   /* shows by nothing else than silence: the requirement is that something comes */
    REF_LIBERTY,   /* nothing is broken: it does what the requirement permits */
} RefQuirkKind;

/* A named deviation from the protocol, or from what servers usually do. */
typedef struct {
    RefQuirkKind kind;
    const char *name;        /* "abort-without-ack" */
    const char *requirement; /* the id of the requirement that it breaks */
    const char *seen;        /* where it was seen: "xapi X15", or "-" */
    const char *summary;     /* what it does, one line */
    RefNeeds needs;
} RefQuirk;

/* All of them, ordered by chapter. */
const RefQuirk *ref_quirks(size_t *count);

/* A leak is written KIND[,at=PHASE][,ending=ENDING][,every=N][,most=N]. KIND is what is kept of a connection
 * that ends there: "fd" (its socket), "bytes=N", "thread", "child", "runaway" (a child that computes) or "zombie";
 * PHASE where its client
 * left, as far as a server can tell; ENDING how: "soft" (by NBD_OPT_ABORT or NBD_CMD_DISC), "eof",
 * "reset", or "hangup" by the server itself; every: only of every Nth; most: no more
 * than N in all. What is left out may be any. */
typedef struct {
    const char *name;
    const char *about; /* one line */
} RefLeakPhase;
const RefLeakPhase *ref_leak_phases(size_t *count);

/* The quirk called NAME; NULL and an error that lists the names near it. */
const RefQuirk *ref_quirk_find(const char *name, GError **error);

#endif
