/* Points played against servers, for the tests of soak. */
#include "soak_points.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#define PATIENT_MS 30000

SoakTarget points_target(const TransportAddress *address)
{
    SoakTarget target = {
        .address = address, .export_name = "", .allow_writes = true, .timeout_ms = PATIENT_MS};

    target.facts.style = STYLE_FIXED_NEWSTYLE;
    target.facts.handshake_flags = NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES;
    target.facts.has_export = true;
    target.facts.size = POINTS_DISK_SIZE;
    target.facts.transmission_flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH |
                                      NBD_FLAG_SEND_TRIM | NBD_FLAG_SEND_WRITE_ZEROES |
                                      NBD_FLAG_SEND_CACHE;
    target.facts.minimum = 1;
    target.facts.preferred = 4096;
    target.facts.maximum = NBD_DEFAULT_MAX_PAYLOAD;
    target.structured = true;
    target.at_once = 8;
    return target;
}

TransportAddress *points_address(const RefServer *server)
{
    const char *path = ref_server_socket(server);

    return path != NULL ? transport_address_unix(path, strlen(path), NULL)
                        : transport_address_tcp("127.0.0.1", ref_server_port(server), NULL);
}

static const SoakPhase *phase(const char *name)
{
    size_t count;
    const SoakPhase *phases = soak_phases(&count);

    for (size_t i = 0; i < count; i++)
        if (g_str_equal(phases[i].name, name))
            return &phases[i];
    CU_FAIL_FATAL("no such phase");
    return NULL;
}

bool points_run(const char *name, SoakEnding ending, const SoakTarget *target, unsigned count,
                unsigned *done, GError **error)
{
    const SoakPoint point = {phase(name), ending};
    g_autoptr(SoakCycle) cycle = soak_cycle_new(&point, target);

    return soak_cycle_run(cycle, count, done, error);
}

unsigned points_run_all(const SoakTarget *target, unsigned count)
{
    size_t phase_count;
    const SoakPhase *phases = soak_phases(&phase_count);
    unsigned played = 0;

    for (size_t i = 0; i < phase_count; i++)
        for (int ending = 0; ending < ENDING_COUNT; ending++) {
            const SoakPoint point = {&phases[i], (SoakEnding)ending};
            if (soak_point_unfit(&point, target) != NULL)
                continue;
            g_autoptr(SoakCycle) cycle = soak_cycle_new(&point, target);
            g_autoptr(GError) error = NULL;
            unsigned done = 0;
            if (!soak_cycle_run(cycle, count, &done, &error) || done != count) {
                g_autofree char *name = soak_point_name(&point);
                fprintf(stderr, "%s: %u cycles: %s\n", name, done,
                        error != NULL ? error->message : "-");
                CU_FAIL("a point does not cycle");
            }
            played++;
        }
    return played;
}

bool points_left(const RefServer *server)
{
    for (unsigned i = 0; i < PATIENT_MS && ref_server_connections(server) > 0; i++)
        g_usleep(1000);
    return ref_server_connections(server) == 0;
}

unsigned points_count(void)
{
    size_t count;

    (void)soak_phases(&count);
    return (unsigned)count * ENDING_COUNT;
}
