/* Runs made by hand, for tests of what is made of them. */
#include <string.h>

#include "tests/made_run.h"

static const Requirement must = {.id = "test.must",
                                 .level = REQUIREMENT_MUST,
                                 .role = REQUIREMENT_SERVER,
                                 .source = "proto.md:1200",
                                 .check = "case",
                                 .summary = "The server keeps its word."};

static void entry_free(RunEntry *entry)
{
    PlayCase *play_case = (PlayCase *)entry->play_case;

    g_free(play_case->id);
    g_free(play_case->title);
    g_ptr_array_unref(play_case->requirements);
    g_free((Scenario *)play_case->scenario); /* NULL for what was found on the way */
    g_free(play_case);
    g_free(entry->result->reason);
    g_free(entry->result->blocked_by);
    g_free(entry->result->transcript);
    g_ptr_array_unref(entry->result->findings);
    g_ptr_array_unref(entry->result->measurements);
    g_free(entry->result);
    g_free(entry);
}

static void test_finding_free(Finding *finding)
{
    g_free(finding->message);
    g_free(finding->expected);
    g_free(finding->got);
    g_free(finding->met_in);
    g_free(finding->transcript);
    g_clear_pointer(&finding->bytes, g_bytes_unref);
    g_free(finding);
}

MadeRun *made_run_new(void)
{
    MadeRun *run = g_new0(MadeRun, 1);

    run->options.target_name = "localhost:10809";
    run->options.mode.export_name = "";
    run->summary.entries = g_ptr_array_new_with_free_func((GDestroyNotify)entry_free);
    run->summary.duration_ms = 2149;
    return run;
}

void made_run_free(MadeRun *run)
{
    g_ptr_array_unref(run->summary.entries);
    g_free(run);
}

RunEntry *made_run_add(MadeRun *run, const char *id, Verdict verdict, VerdictKind kind,
                       const char *reason)
{
    PlayCase *play_case = g_new0(PlayCase, 1);
    PlayResult *result = g_new0(PlayResult, 1);
    Scenario *scenario = g_new0(Scenario, 1);
    RunEntry *entry = g_new0(RunEntry, 1);

    scenario->path = (char *)"server/chapter/case";
    scenario->file = (char *)"cases/server/chapter/case.case";
    play_case->id = g_strdup(id);
    play_case->title = g_strdup("A title & more");
    play_case->scenario = scenario;
    play_case->requirements = g_ptr_array_new();
    g_ptr_array_add(play_case->requirements, (gpointer)&must);
    result->verdict = verdict;
    result->kind = kind;
    result->reason = g_strdup(reason);
    result->findings = g_ptr_array_new_with_free_func((GDestroyNotify)test_finding_free);
    result->measurements = g_ptr_array_new_with_free_func((GDestroyNotify)measurement_free);
    result->transcript = g_strdup("C: option ABORT\nS: close\n");
    result->duration_us = 12345;
    entry->play_case = play_case;
    entry->result = result;

    g_ptr_array_add(run->summary.entries, entry);
    run->summary.total++;
    run->summary.count[verdict]++;
    run->summary.violations += kind == KIND_VIOLATION;
    run->summary.robustness += kind == KIND_ROBUSTNESS;
    run->summary.no_answer += kind == KIND_NO_ANSWER;
    run->summary.hints += kind == KIND_HINT;
    return entry;
}

void made_run_measure(RunEntry *entry, const char *name, const char *text, double value)
{
    Measurement *measurement = g_new0(Measurement, 1);

    *measurement = (Measurement){.name = g_strdup(name), .text = g_strdup(text), .value = value};
    g_ptr_array_add(entry->result->measurements, measurement);
}

RunEntry *made_run_fail(MadeRun *run, const char *id, const char *message)
{
    RunEntry *entry = made_run_add(run, id, VERDICT_FAIL, KIND_VIOLATION, message);
    Finding *finding = g_new0(Finding, 1);

    finding->requirement = &must;
    finding->by = SIDE_SERVER;
    finding->message = g_strdup(message);
    finding->expected = g_strdup("reply ABORT ACK length=0");
    finding->got = g_strdup("close");
    finding->line = 7;
    finding->bytes = g_bytes_new_static("\0\3\xe8\x89\4UE\xa9hello, this is text", 28);
    finding->size = 5000;
    g_ptr_array_add(entry->result->findings, finding);
    return entry;
}

void made_run_set_on_the_way(RunEntry *entry)
{
    PlayCase *play_case = (PlayCase *)entry->play_case;

    g_free((Scenario *)play_case->scenario);
    play_case->scenario = NULL;
}

/* One of each verdict. */
MadeRun *made_run_mixed(void)
{
    MadeRun *run = made_run_new();

    made_run_add(run, "server/chapter/pass", VERDICT_PASS, KIND_NONE, NULL);
    made_run_fail(run, "server/chapter/fail@n=1", "no word was kept");
    made_run_add(run, "server/chapter/warn", VERDICT_WARN, KIND_NONE, "it should be otherwise");
    made_run_add(run, "server/chapter/hint", VERDICT_WARN, KIND_HINT, "it could be otherwise");
    made_run_add(run, "server/chapter/skip", VERDICT_SKIP, KIND_NONE,
                 "the server does not offer it");
    RunEntry *blocked = made_run_add(run, "server/chapter/blocked", VERDICT_BLOCKED, KIND_NONE,
                                     "no export was opened");
    blocked->result->blocked_by = g_strdup("test.must");
    made_run_add(run, "server/chapter/error", VERDICT_ERROR, KIND_NONE, "out of descriptors");
    return run;
}

/* A run in which a peer has sent what is meant to break reports. */
MadeRun *made_run_hostile(void)
{
    MadeRun *run = made_run_new();
    RunEntry *entry =
        made_run_fail(run, "server/chapter/fail@name=\"<#&\xff", "]]>\n\033[2J\"\\ \xc2\x9b");

    g_free(entry->result->transcript);
    entry->result->transcript =
        g_strdup("  S: \xff\xfe </failure> \033]0;\a\n...\n---\nnot ok 7\r\n");
    return run;
}
