/* What a server's processes hold, and when they have come to rest. */
#include "watch/private.h"

unsigned watch_sample_fds(const WatchSample *sample)
{
    unsigned sum = 0;

    for (size_t i = 0; i < FD_KINDS; i++)
        sum += sample->fds[i];
    return sum;
}

/* A process whose first thread alone has ended still runs. */
static bool is_zombie(const ProcessStat *stat)
{
    return (stat->state == 'Z' || stat->state == 'X') && stat->threads <= 1;
}

static bool is_member(const GArray *members, pid_t pid)
{
    for (guint i = 0; i < members->len; i++)
        if (g_array_index(members, ProcessStat, i).pid == pid)
            return true;
    return false;
}

/* Everything but the memory, which takes longest. */
static const GArray *count(Watched *watched, WatchSample *sample)
{
    const GArray *members = tree_look(watched->tree);

    *sample = (WatchSample){.processes = 0};
    for (guint i = 0; i < members->len; i++) {
        const ProcessStat *each = &g_array_index(members, ProcessStat, i);
        if (is_zombie(each)) {
            /* What the keeper or a stranger has to reap is not the server's fault. */
            sample->zombies += is_member(members, each->parent);
            continue;
        }
        sample->processes++;
        sample->threads += each->threads;
        sample->cpu_ns += process_cpu_ns(each->pid);
        process_count_fds(each->pid, sample->fds);
    }
    return members;
}

static void measure(const Watched *watched, const GArray *members, WatchSample *sample)
{
    for (guint i = 0; i < members->len; i++) {
        const ProcessStat *each = &g_array_index(members, ProcessStat, i);
        if (!is_zombie(each))
            sample->private_bytes += process_memory(each);
    }
    sample->listen_overflows = listen_overflows(watched->main);
}

bool watch_sample(Watched *watched, WatchSample *sample)
{
    const GArray *members = count(watched, sample);

    measure(watched, members, sample);
    return sample->processes > 0;
}

bool watch_sanitized(Watched *watched)
{
    /* An eighth, or more, of all addresses that there are is set aside for the shadow. */
    const uint64_t shadow_bytes = UINT64_C(8) << 40;
    const GArray *members = tree_look(watched->tree);
    bool any = false;

    for (guint i = 0; i < members->len && !any; i++)
        any = g_array_index(members, ProcessStat, i).reserved >= shadow_bytes;
    return any;
}

static bool same_counts(const WatchSample *a, const WatchSample *b)
{
    for (size_t i = 0; i < FD_KINDS; i++)
        if (a->fds[i] != b->fds[i])
            return false;
    return a->threads == b->threads && a->processes == b->processes && a->zombies == b->zombies;
}

static bool as_low_as(const WatchSample *sample, const WatchSample *like)
{
    return like != NULL && watch_sample_fds(sample) <= watch_sample_fds(like) &&
           sample->threads <= like->threads && sample->processes <= like->processes &&
           sample->zombies <= like->zombies;
}

/* Nothing has happened from one look to the next. Timers that tick now and then (a garbage collector's) are
 * nothing. */
static bool quiet(const WatchSample *before, const WatchSample *now, gint64 elapsed_us)
{
    enum { IDLE_SHARE = 50 }; /* one part in as many of a processor */
    uint64_t idle_ns = (uint64_t)elapsed_us * 1000 / IDLE_SHARE;

    return same_counts(before, now) && now->cpu_ns <= before->cpu_ns + idle_ns;
}

/* A thread that was woken but has not had its turn has used no time and let go of nothing yet. */
static bool any_busy(const GArray *members)
{
    for (guint i = 0; i < members->len; i++) {
        const ProcessStat *each = &g_array_index(members, ProcessStat, i);
        if (!is_zombie(each) && process_busy(each->pid))
            return true;
    }
    return false;
}

bool watch_settle(Watched *watched, const WatchSample *like, unsigned timeout_ms,
                  WatchSample *sample)
{
    /* Pauses double: 1, 2, 4, … ms; so that is how long it was quiet: 7 ms, or 63 and more. */
    enum { LOOKS_IF_LOW = 3, LOOKS = 6, LONGEST_PAUSE_US = 32000 };
    gint64 last = g_get_monotonic_time(), end = last + timeout_ms * G_TIME_SPAN_MILLISECOND;
    const GArray *members = count(watched, sample);
    WatchSample before;
    unsigned looks = 0;
    bool rests = false;

    while (!rests && sample->processes > 0 && g_get_monotonic_time() < end) {
        before = *sample;
        g_usleep(MIN(1000UL << MIN(looks, 8), LONGEST_PAUSE_US));
        members = count(watched, sample);
        gint64 now = g_get_monotonic_time();
        looks = quiet(&before, sample, now - last) && !any_busy(members) ? looks + 1 : 0;
        last = now;
        rests = looks >= (as_low_as(sample, like) ? LOOKS_IF_LOW : LOOKS);
    }
    measure(watched, members, sample);
    return rests && sample->processes > 0;
}
