/* The peer under test, as the user names it: host:port, a socket's path, or an NBD URI. */
#ifndef NBDCONFORM_TARGET_H
#define NBDCONFORM_TARGET_H

#include <glib.h>
#include <stdbool.h>

#include "transport/transport.h"

typedef enum { TARGET_TLS_ANY, TARGET_TLS_X509, TARGET_TLS_PSK } TargetTlsType;

/* What a URI says about TLS. Strings may be NULL. */
typedef struct {
    bool required;         /* nbds: or nbds+unix: */
    const char *parameter; /* one that is for TLS and was given, or NULL */
    TargetTlsType type;
    char *username;
    char *hostname;   /* that the server's certificate should have; also of HOST:PORT */
    bool verify_peer; /* as it is by default where TLS is required */
} TargetTls;

typedef struct {
    char *name;        /* as the user gave it */
    char *export_name; /* from a URI's path, else NULL; may be empty */
    TransportAddress *address;
    TargetTls tls;
} Target;

#define TARGET_ERROR target_error_quark()
GQuark target_error_quark(void);
typedef enum {
    TARGET_ERROR_SYNTAX,      /* what the user wrote cannot be right: exit status 2 */
    TARGET_ERROR_UNSUPPORTED, /* asks for TLS of a kind that we do not have */
    TARGET_ERROR_RESOLVE,     /* the name stands for nothing: exit status 125 */
} TargetError;

/* Understands `host`, `host:port`, `[v6]`, `[v6]:port`, `:port`, `/path/to/socket`, `unix:/path`, and the
 * URIs of uri.md: nbd://, nbds://, nbd+unix://, nbds+unix://. The default port is 10809. */
Target *target_parse(const char *text, GError **error);
void target_free(Target *target);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Target, target_free)

#endif
