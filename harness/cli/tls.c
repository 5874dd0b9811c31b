/* TLS, as the options of a run and the target's URI ask for it. */
#include "cli/tls.h"
#include "cli/cli.h"

static const TargetTls nothing_said = {0};

/* An option for TLS that was given, or NULL. */
static const char *tls_option(const CliOptions *options)
{
    if (options->tls_certificates != NULL)
        return "--tls-certificates";
    if (options->tls_psk != NULL)
        return "--tls-psk";
    if (options->tls_username != NULL)
        return "--tls-username";
    return options->tls_verify_peer ? "--tls-verify-peer" : NULL;
}

/* What is given for TLS, and would be left out, may be meant to protect something. */
static bool check_plain(const CliOptions *options, const TargetTls *uri, GError **error)
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

static bool load(const CliOptions *options, const TargetTls *uri, TransportTls **settings,
                 GError **error)
{
    g_autoptr(GError) wrong = NULL;
    TransportTlsOptions wanted = {
        .certificates = options->tls_certificates,
        .psk_file = uri->type == TARGET_TLS_X509 ? NULL : options->tls_psk,
        .username = options->tls_username != NULL ? options->tls_username : uri->username,
        .hostname = uri->hostname,
        .verify_peer = uri->verify_peer || options->tls_verify_peer,
    };

    if (uri->type == TARGET_TLS_PSK && options->tls_psk == NULL)
        return cli_mistake(error, "--target: tls-type=psk needs --tls-psk FILE");
    *settings = transport_tls_new(TRANSPORT_TLS_CLIENT, &wanted, &wrong);
    return *settings != NULL || cli_mistake(error, "TLS: %s", wrong->message);
}

bool cli_tls(const CliOptions *options, const Target *target, PlayTls *tls, TransportTls **settings,
             GError **error)
{
    const TargetTls *uri = target == NULL ? &nothing_said : &target->tls;

    *tls = options->tls;
    if (uri->required && options->tls_word != NULL && options->tls != PLAY_TLS_REQUIRE)
        return cli_mistake(error, "--tls %s: the target's URI requires TLS", options->tls_word);
    if (uri->required)
        *tls = PLAY_TLS_REQUIRE;
    return *tls == PLAY_TLS_OFF ? check_plain(options, uri, error)
                                : load(options, uri, settings, error);
}
