/* The table of phases, and which points a target has. */
#include "soak/point.h"

#include <string.h>

#include "soak/ghost.h"
#include "soak/private.h"

enum { READS = 1 << 0, WRITES = 1 << 1, TLS = 1 << 2, CHUNKS = 1 << 3 };

static const SoakPhase phases[] = {
#define PHASE(NAME, ABOUT, STYLES, SOFT, FLAG, TRAITS, ...)                                        \
    {.name = (NAME), .about = (ABOUT), .writes = ((TRAITS)&WRITES) != 0, .soft = (SOFT) != 0},
#include "soak/phases.def"
#undef PHASE
};

static const SoakPhaseDetail details[] = {
#define PHASE(NAME, ABOUT, STYLES, SOFT, FLAG, TRAITS, ...)                                        \
    {.styles = (STYLES),                                                                           \
     .soft_styles = (SOFT),                                                                        \
     .flag = (FLAG),                                                                               \
     .reads = ((TRAITS)&READS) != 0,                                                               \
     .tls = ((TRAITS)&TLS) != 0,                                                                   \
     .chunks = ((TRAITS)&CHUNKS) != 0,                                                             \
     .steps = {__VA_ARGS__}},
#include "soak/phases.def"
#undef PHASE
};

G_STATIC_ASSERT(G_N_ELEMENTS(phases) == G_N_ELEMENTS(details));

G_DEFINE_QUARK(soak - error - quark, soak_error)

const SoakPhase *soak_phases(size_t *count)
{
    *count = G_N_ELEMENTS(phases);
    return phases;
}

const SoakPhaseDetail *soak_phase_detail(const SoakPhase *phase)
{
    return &details[phase - phases];
}

const SoakPhase *soak_phase(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(phases); i++)
        if (strcmp(phases[i].name, name) == 0)
            return &phases[i];
    g_assert_not_reached();
}

const char *soak_ending_name(SoakEnding ending)
{
    static const char *const names[ENDING_COUNT] = {
        [ENDING_SOFT] = "soft",           [ENDING_CLOSE] = "close",     [ENDING_RESET] = "reset",
        [ENDING_NOTIFY] = "close-notify", [ENDING_HALF] = "half-close", [ENDING_VANISH] = "vanish",
    };

    return names[ending];
}

char *soak_point_name(const SoakPoint *point)
{
    return g_strdup_printf("%s/%s", point->phase->name, soak_ending_name(point->ending));
}

static bool has_step(const SoakPhaseDetail *detail, SoakStep step)
{
    for (unsigned i = 0; i < SOAK_MAX_STEPS; i++)
        if (detail->steps[i] == step)
            return true;
    return false;
}

SoakStep soak_step_into_tls(const SoakPhaseDetail *detail, const SoakTarget *target)
{
    if (target->tls == NULL || detail->tls)
        return STEP_NONE;
    for (unsigned i = 0; i + 1 < SOAK_MAX_STEPS; i++)
        if (detail->steps[i] == STEP_FLAGS && detail->steps[i + 1] != STEP_NONE)
            return STEP_SECURE;
    return STEP_NONE;
}

bool soak_ends_in_tls(const SoakPhaseDetail *detail, const SoakTarget *target)
{
    return target->tls != NULL && !has_step(detail, STEP_RECORDS_CUT) &&
           (has_step(detail, STEP_SECURE) || soak_step_into_tls(detail, target) == STEP_SECURE);
}

uint32_t soak_request_length(const SessionFacts *facts, uint32_t wanted)
{
    uint32_t unit = MAX(facts->minimum, 1), limit = facts->maximum;
    uint64_t length = MIN(facts->size, MAX(wanted, unit));

    if (limit == 0)
        limit = NBD_DEFAULT_MAX_PAYLOAD;
    length = MIN(length, limit);
    return (uint32_t)(length - length % unit);
}

static const char *lacking_flag(uint16_t flag)
{
    switch (flag) {
    case NBD_FLAG_SEND_FLUSH:
        return "the server does not set SEND_FLUSH";
    case NBD_FLAG_SEND_TRIM:
        return "the server does not set SEND_TRIM";
    case NBD_FLAG_SEND_WRITE_ZEROES:
        return "the server does not set SEND_WRITE_ZEROES";
    case NBD_FLAG_SEND_CACHE:
        return "the server does not set SEND_CACHE";
    default:
        return "the server lacks a transmission flag";
    }
}

static const char *unfit_phase(const SoakPhase *phase, const SoakTarget *target)
{
    const SoakPhaseDetail *detail = soak_phase_detail(phase);
    const SessionFacts *facts = &target->facts;

    if ((detail->styles & 1u << facts->style) == 0)
        return facts->style == STYLE_UNKNOWN ? "the server's handshake is not known"
                                             : "the server's handshake has no such phase";
    if (strcmp(phase->name, "inside-option-data") == 0 && facts->style == STYLE_NEWSTYLE &&
        (target->export_name == NULL || target->export_name[0] == '\0'))
        return "the option has no data, because the export's name is empty";
    if (detail->tls && target->tls == NULL)
        return target->tls_optional ? "the server has no TLS"
                                    : "it is about TLS, which takes --tls";
    if (detail->chunks && !target->structured)
        return "the server has no structured replies";
    if (detail->flag != 0 && (facts->transmission_flags & detail->flag) == 0)
        return lacking_flag(detail->flag);
    if ((phase->writes || detail->reads) && soak_request_length(facts, 1) == 0)
        return "the export is smaller than a block";
    if (phase->writes && (facts->transmission_flags & NBD_FLAG_READ_ONLY) != 0)
        return "the export is read-only";
    if (phase->writes && !target->allow_writes)
        return "it writes, which takes --allow-writes";
    return NULL;
}

static const char *unfit_ending(const SoakPoint *point, const SoakTarget *target)
{
    const SoakPhaseDetail *detail = soak_phase_detail(point->phase);
    bool tcp = transport_address_is_tcp(target->address);

    switch (point->ending) {
    case ENDING_SOFT:
        return (detail->soft_styles & 1u << target->facts.style) == 0
                   ? "there is no soft way to end here"
                   : NULL;
    case ENDING_NOTIFY:
        return soak_ends_in_tls(detail, target) ? NULL
                                                : "there is no TLS whose end could be said here";
    case ENDING_RESET:
        return tcp ? NULL : "a Unix socket knows no reset";
    case ENDING_VANISH:
        return tcp ? ghost_unfit() : "a Unix socket cannot vanish";
    default:
        return NULL;
    }
}

const char *soak_point_unfit(const SoakPoint *point, const SoakTarget *target)
{
    const char *reason = unfit_phase(point->phase, target);

    return reason != NULL ? reason : unfit_ending(point, target);
}
