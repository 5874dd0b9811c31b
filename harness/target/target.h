/* The peer under test, as the user names it: host:port, a socket's path, or an NBD URI. */
#ifndef NBDCONFORM_TARGET_H
#define NBDCONFORM_TARGET_H

#include <glib.h>
#include <stdbool.h>

#include "transport/transport.h"

typedef struct {
    char *name;        /* as the user gave it */
    char *export_name; /* from a URI's path, else NULL; may be empty */
    TransportAddress *address;
} Target;

#define TARGET_ERROR target_error_quark()
GQuark target_error_quark(void);
typedef enum {
    TARGET_ERROR_SYNTAX,      /* what the user wrote cannot be right: exit status 2 */
    TARGET_ERROR_UNSUPPORTED, /* asks for TLS */
    TARGET_ERROR_RESOLVE,     /* the name stands for nothing: exit status 125 */
} TargetError;

/* Understands `host`, `host:port`, `[v6]`, `[v6]:port`, `:port`, `/path/to/socket`, `unix:/path`, and the
 * URIs of uri.md: nbd://, nbds://, nbd+unix://, nbds+unix://. The default port is 10809. */
Target *target_parse(const char *text, GError **error);
void target_free(Target *target);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Target, target_free)

#endif
