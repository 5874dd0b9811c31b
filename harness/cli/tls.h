/* TLS, as the options of a run and the target's URI ask for it. */
#ifndef NBDCONFORM_CLI_TLS_H
#define NBDCONFORM_CLI_TLS_H

#include "play/play.h"
#include "target/target.h"

/* The options, as the user gave them. */
typedef struct {
    char *word, *certificates, *psk, *username;
    gboolean verify_peer;
    PlayTls mode; /* of WORD; without that off, though a URI can still require it */
} CliTls;

/* Their rows for cli_parse(). */
#define CLI_TLS_ENTRIES(TLS)                                                                       \
    {"tls",                                                                                        \
     0,                                                                                            \
     0,                                                                                            \
     G_OPTION_ARG_FILENAME,                                                                        \
     &(TLS)->word,                                                                                 \
     "Speak over TLS: `off', `allow' (if the server has it), `require' (off)",                     \
     "MODE"},                                                                                      \
        {"tls-certificates",                                                                       \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_FILENAME,                                                                    \
         &(TLS)->certificates,                                                                     \
         "Folder with ca-cert.pem, and client-cert.pem and client-key.pem if need be",             \
         "DIR"},                                                                                   \
        {"tls-psk",   0,                                                                           \
         0,           G_OPTION_ARG_FILENAME,                                                       \
         &(TLS)->psk, "Pre-shared keys, in place of certificates",                                 \
         "FILE"},                                                                                  \
        {"tls-username",                                                                           \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_FILENAME,                                                                    \
         &(TLS)->username,                                                                         \
         "Whose pre-shared key to use",                                                            \
         "NAME"},                                                                                  \
    {                                                                                              \
        "tls-verify-peer", 0, 0, G_OPTION_ARG_NONE, &(TLS)->verify_peer,                           \
            "Refuse servers whose certificate is not to be trusted", NULL                          \
    }

/* Reads the mode's word. */
bool cli_tls_check(CliTls *options, GError **error);
void cli_tls_clear(CliTls *options);

/* Appends the options as words of a shell's command line. */
void cli_tls_append(GString *command, const CliTls *options);

/* Brings OPTIONS and TARGET (which may be NULL) together: *TLS is the run's mode, and *SETTINGS what it
 * needs, unless it is off. False and ERROR if they contradict each other, or files are missing. */
bool cli_tls(const CliTls *options, const Target *target, PlayTls *tls, TransportTls **settings,
             GError **error);

#endif
