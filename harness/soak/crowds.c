/* The crowds of a soak: what thousands at once do to a server, and what it keeps of them. */
#include "soak/run.h"

/* A crowd may leave a server larger than it was: buffers for so many are kept for the next. Descriptors,
 * threads and children have to go. */
#define LEFT_OVER 0.05

/* What a crowd of so many may leave behind is released when they are noticed to be gone. */
#define GONE_MS 10000u
#define LOOK_MS 100u

static void judge_service(const CrowdResult *result, SoakFinding *finding)
{
    if (!result->served_after)
        soak_finding_settle(finding, SOAK_UNSERVED,
                            g_strdup_printf("after a crowd of %u no connection is served%s%s",
                                            result->reached, result->remark != NULL ? ": " : "",
                                            result->remark != NULL ? result->remark : ""));
    else if (result->others_judged && !result->others_served)
        soak_finding_settle(finding, SOAK_UNSERVED,
                            g_strdup_printf("beside a crowd of %u nobody else is served%s%s",
                                            result->reached, result->remark != NULL ? ": " : "",
                                            result->remark != NULL ? result->remark : ""));
}

/* Waits until the counts are down again, as long as they are going down. */
static bool left_over(SoakServer *server, const WatchSample *before, unsigned crowd,
                      SoakResource resource, double *left)
{
    for (unsigned passed = 0;; passed += LOOK_MS) {
        WatchSample now;
        if (!watch_sample(server->watched, &now))
            return false;
        *left = soak_held(&now, resource) - soak_held(before, resource);
        if (*left <= LEFT_OVER * crowd)
            return false;
        if (passed >= GONE_MS)
            return true;
        g_usleep(LOOK_MS * 1000);
    }
}

static void judge_rest(SoakServer *server, const WatchSample *before, unsigned crowd,
                       SoakFinding *finding)
{
    static const SoakResource counts[] = {SOAK_FD, SOAK_CHILD, SOAK_ZOMBIE};

    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
        double left = 0;
        if (!left_over(server, before, crowd, counts[i], &left))
            continue;
        finding->leaks[counts[i]] = true;
        finding->per_cycle[counts[i]] = left / MAX(crowd, 1u);
        finding->verdict = SOAK_LEAKS;
    }
}

static SoakFinding *play_crowd(SoakRun *run, SoakServer *server, CrowdKind kind)
{
    g_autoptr(SoakFinding) finding = soak_finding_new(NULL);
    g_autoptr(GError) error = NULL;
    CrowdResult result = {0};
    WatchSample before;

    finding->crowd = kind;
    bool measured = soak_server_rest(server, NULL, &before);
    if (!crowd_run(&server->target, kind, run->options->crowd, &result, &error)) {
        soak_finding_settle(finding, SOAK_SKIPPED, g_strdup(error->message));
        return g_steal_pointer(&finding);
    }
    finding->cycles = result.reached;
    run->summary->cycles += result.reached;
    if (soak_server_died(server, !result.served_after)) {
        g_autofree char *how = watch_describe(server->watched);
        finding->details = soak_server_report(server);
        soak_finding_settle(
            finding, SOAK_CRASHED,
            g_strdup_printf("the server %s with a crowd of %u", how, result.reached));
    } else {
        judge_service(&result, finding);
    }
    if (finding->verdict == SOAK_CLEAN && measured)
        judge_rest(server, &before, result.reached, finding);
    crowd_result_clear(&result);
    return g_steal_pointer(&finding);
}

void soak_run_crowds(SoakRun *run, SoakServer *server, unsigned first)
{
    for (unsigned i = 0; i < CROWD_COUNT && !soak_run_stopped(run); i++) {
        g_autofree char *name = g_strdup_printf("crowd/%s", crowd_name(i));
        soak_run_progress(run, name);
        SoakFinding *finding = play_crowd(run, server, i);
        bool well = finding->verdict == SOAK_CLEAN || finding->verdict == SOAK_SKIPPED;
        soak_run_file(run, first + i, finding);
        if (!well)
            return;
    }
}
