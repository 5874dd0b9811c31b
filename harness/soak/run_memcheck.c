/* A soak under memcheck: every point a few times, a server for the points of each phase. What is lost there
 * and not on a server that saw control cycles only, is looked for again point by point. */
#include "soak/memcheck.h"
#include "soak/run.h"

#define CYCLES 16u      /* of each point, beside its phase's others */
#define MORE_CYCLES 32u /* alone */
#define CONTROL_CYCLES 4u
#define SHARE 8u /* lost once in so many cycles, it is a leak */

/* Everything takes many times as long as without. */
#define SLOWNESS 20u
#define STOP_MS 30000u

typedef struct {
    SoakRun *run;
    SoakOptions options;
    WatchSpawn spawn;
    SoakTarget target;
    GHashTable *usual; /* what a server without points loses */
} Memcheck;

static bool cycle_through(SoakServer *server, SoakFinding *finding, unsigned cycles)
{
    g_autoptr(SoakCycle) cycle = soak_cycle_new(&finding->point, &server->target);
    SoakTrial trial = {.server = server, .cycle = cycle, .finding = finding};

    return soak_trial_cycle(&trial, cycles) && soak_trial_control(&trial, CONTROL_CYCLES);
}

/* Plays COUNT of the findings' points, then ends the server. What it lost, or NULL if it failed. */
static GHashTable *play(Memcheck *self, SoakFinding **findings, unsigned count, unsigned cycles)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SoakServer) server = soak_server_new(&self->options, &self->target, &error);

    if (server == NULL) {
        if (self->run->summary->note == NULL)
            self->run->summary->note = g_strdup(error->message);
        return NULL;
    }
    bool fine = true;
    for (unsigned i = 0; i < count && fine; i++)
        fine = cycle_through(server, findings[i], cycles);
    self->run->summary->cycles += server->cycles;
    if (!fine && !soak_run_stopped(self->run) && count > 1)
        return NULL;
    watch_stop(server->watched, STOP_MS);
    g_autofree char *log = watch_valgrind_log(server->watched);
    return memcheck_parse(log != NULL ? log : "");
}

static unsigned usual_count(const Memcheck *self, const char *place)
{
    const MemcheckRecord *usual =
        self->usual != NULL ? g_hash_table_lookup(self->usual, place) : NULL;

    return usual != NULL ? usual->count : 0;
}

static bool anything_new(const Memcheck *self, GHashTable *records)
{
    GHashTableIter iter;
    gpointer place, value;

    g_hash_table_iter_init(&iter, records);
    while (g_hash_table_iter_next(&iter, &place, &value))
        if (((MemcheckRecord *)value)->count > usual_count(self, place))
            return true;
    return false;
}

static void add_record(SoakFinding *finding, const MemcheckRecord *record, unsigned count,
                       GString *details)
{
    g_string_append_printf(details, "%s\n", record->text);
    if (record->kind == MEMCHECK_ERROR) {
        g_auto(GStrv) lines = g_strsplit(record->text, "\n", 2);
        soak_finding_settle(finding, SOAK_CRASHED, g_strdup_printf("memcheck: %s", lines[0]));
        return;
    }
    SoakResource resource = record->kind == MEMCHECK_LOST ? SOAK_MEMORY : SOAK_FD;
    double amount = record->kind == MEMCHECK_LOST ? (double)record->bytes : count;
    finding->leaks[resource] = true;
    finding->confirmed = true;
    finding->per_cycle[resource] += amount / finding->cycles;
    if (finding->verdict == SOAK_CLEAN)
        finding->verdict = SOAK_LEAKS;
}

static void judge(const Memcheck *self, SoakFinding *finding, GHashTable *records)
{
    g_autoptr(GString) details = g_string_new(NULL);
    GHashTableIter iter;
    gpointer place, value;

    g_hash_table_iter_init(&iter, records);
    while (g_hash_table_iter_next(&iter, &place, &value)) {
        const MemcheckRecord *record = value;
        unsigned usual = usual_count(self, place);
        unsigned count = record->count > usual ? record->count - usual : 0;
        unsigned enough = record->kind == MEMCHECK_ERROR ? 1 : MAX(finding->cycles / SHARE, 1u);
        if (count >= enough)
            add_record(finding, record, count, details);
    }
    if (details->len > 0) {
        g_free(finding->details);
        finding->details = g_string_free(g_steal_pointer(&details), FALSE);
    }
}

/* Each point of its phase by itself, since something was lost among them. */
static void attribute(Memcheck *self, SoakFinding **findings, unsigned count)
{
    for (unsigned i = 0; i < count && !soak_run_stopped(self->run); i++) {
        const SoakPoint point = findings[i]->point;
        soak_finding_free(findings[i]);
        findings[i] = soak_finding_new(&point);
        g_autofree char *name = soak_point_name(&point);
        soak_run_progress(self->run, name);
        g_autoptr(GHashTable) records = play(self, &findings[i], 1, MORE_CYCLES);
        if (records != NULL && findings[i]->cycles > 0)
            judge(self, findings[i], records);
    }
}

static void play_group(Memcheck *self, unsigned first, unsigned count)
{
    const GPtrArray *points = self->run->options->points;
    g_autofree SoakFinding **findings = g_new0(SoakFinding *, count);
    g_autofree unsigned *numbers = g_new0(unsigned, count);
    unsigned fit = 0;

    for (unsigned i = first; i < first + count; i++) {
        SoakFinding *finding = soak_finding_new(points->pdata[i]);
        const char *unfit = soak_point_unfit(points->pdata[i], &self->target);
        if (unfit != NULL) {
            soak_finding_settle(finding, SOAK_SKIPPED, g_strdup(unfit));
            soak_run_file(self->run, i, finding);
            continue;
        }
        numbers[fit] = i;
        findings[fit++] = finding;
    }
    if (fit > 0) {
        g_autoptr(GHashTable) records = play(self, findings, fit, CYCLES);
        if (records == NULL || anything_new(self, records))
            attribute(self, findings, fit);
    }
    for (unsigned i = 0; i < fit; i++)
        soak_run_file(self->run, numbers[i], findings[i]);
}

void soak_run_memcheck(SoakRun *run)
{
    const GPtrArray *points = run->options->points;
    Memcheck self = {
        .run = run, .options = *run->options, .spawn = *run->options->spawn, .target = run->target};

    self.spawn.valgrind = true;
    self.spawn.ready_ms *= SLOWNESS;
    self.options.spawn = &self.spawn;
    self.target.timeout_ms *= SLOWNESS;
    self.usual = play(&self, NULL, 0, 0);
    if (self.usual == NULL)
        return;
    for (unsigned first = 0, count; first < points->len && !soak_run_stopped(run); first += count) {
        const SoakPoint *point = points->pdata[first];
        for (count = 1; first + count < points->len; count++)
            if (((const SoakPoint *)points->pdata[first + count])->phase != point->phase)
                break;
        soak_run_progress(run, point->phase->name);
        play_group(&self, first, count);
    }
    g_hash_table_unref(self.usual);
}
