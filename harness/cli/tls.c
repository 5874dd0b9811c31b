/* TLS, as the options of a run and the target's URI ask for it. */
#include "cli/tls.h"
#include "cli/cli.h"

static const TargetTls nothing_said = {0};

bool cli_tls_check(CliTls *options, GError **error)
{
    static const char *const words[] = {
        [PLAY_TLS_OFF] = "off", [PLAY_TLS_ALLOW] = "allow", [PLAY_TLS_REQUIRE] = "require"};

    options->mode = PLAY_TLS_OFF;
    if (options->word == NULL)
        return true;
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        if (g_str_equal(options->word, words[i])) {
            options->mode = (PlayTls)i;
            return true;
        }
    }
    return cli_mistake(error, "--tls: \"%s\" is none of off, allow, require", options->word);
}

void cli_tls_clear(CliTls *options)
{
    g_free(options->word);
    g_free(options->certificates);
    g_free(options->psk);
    g_free(options->username);
}

void cli_tls_append(GString *command, const CliTls *options)
{
    cli_append(command, "--tls", options->word);
    cli_append(command, "--tls-certificates", options->certificates);
    cli_append(command, "--tls-psk", options->psk);
    cli_append(command, "--tls-username", options->username);
    if (options->verify_peer)
        g_string_append(command, " --tls-verify-peer");
}

/* An option for TLS that was given, or NULL. */
static const char *tls_option(const CliTls *options)
{
    if (options->certificates != NULL)
        return "--tls-certificates";
    if (options->psk != NULL)
        return "--tls-psk";
    if (options->username != NULL)
        return "--tls-username";
    return options->verify_peer ? "--tls-verify-peer" : NULL;
}

/* What is given for TLS, and would be left out, may be meant to protect something. */
static bool check_plain(const CliTls *options, const TargetTls *uri, GError **error)
{
    const char *option = tls_option(options);

    if (option != NULL)
        return cli_mistake(error, "%s is for TLS: add --tls require, or --tls allow", option);
    if (uri->parameter != NULL)
        return cli_mistake(
            error,
            "--target: the parameter \"%s\" is for TLS: make it nbds: or nbds+unix:, "
            "or add --tls require",
            uri->parameter);
    return true;
}

static bool load(const CliTls *options, const TargetTls *uri, TransportTls **settings,
                 GError **error)
{
    g_autoptr(GError) wrong = NULL;
    TransportTlsOptions wanted = {
        .certificates = options->certificates,
        .psk_file = uri->type == TARGET_TLS_X509 ? NULL : options->psk,
        .username = options->username != NULL ? options->username : uri->username,
        .hostname = uri->hostname,
        .verify_peer = uri->verify_peer || options->verify_peer,
    };

    if (uri->type == TARGET_TLS_PSK && options->psk == NULL)
        return cli_mistake(error, "--target: tls-type=psk needs --tls-psk FILE");
    *settings = transport_tls_new(&wanted, &wrong);
    return *settings != NULL || cli_mistake(error, "TLS: %s", wrong->message);
}

bool cli_tls(const CliTls *options, const Target *target, PlayTls *tls, TransportTls **settings,
             GError **error)
{
    const TargetTls *uri = target == NULL ? &nothing_said : &target->tls;

    *tls = options->mode;
    if (uri->required && options->word != NULL && options->mode != PLAY_TLS_REQUIRE)
        return cli_mistake(error, "--tls %s: the target's URI requires TLS", options->word);
    if (uri->required)
        *tls = PLAY_TLS_REQUIRE;
    return *tls == PLAY_TLS_OFF ? check_plain(options, uri, error)
                                : load(options, uri, settings, error);
}
