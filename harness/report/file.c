/* Reports in files: written when the run ends, whole or not at all; and the journal of a JSON report. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/private.h"

typedef struct {
    Report report;
    ReportFormat format;
    char *path;
    bool in_place; /* a device, a pipe or a link: opened as it is, never replaced by a new file */
    char *journal_path; /* or NULL */
    FILE *journal;
    bool ended;
    GError *error; /* the first that came up while the run went on */
} FileReport;

static void set_error(GError **error, const char *path, int reason)
{
    g_autofree char *shown = report_clean(path);

    g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(reason), "cannot write %s: %s",
                shown, g_strerror(reason));
}

/* ---- Whether it can be written ------------------------------------------------------------------ */

static bool try_open(const char *path, GError **error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);

    if (fd < 0 && errno != ENXIO) { /* a FIFO that nobody reads yet */
        set_error(error, path, errno);
        return false;
    }
    if (fd >= 0)
        close(fd);
    return true;
}

/* A new file takes the old one's place, so the folder must take one. */
static bool try_folder(const char *path, GError **error)
{
    g_autofree char *name = g_strconcat(path, ".XXXXXX", NULL);
    int fd = g_mkstemp_full(name, O_WRONLY | O_CLOEXEC, 0666);

    if (fd < 0) {
        set_error(error, path, errno);
        return false;
    }
    close(fd);
    unlink(name);
    return true;
}

static bool try_path(FileReport *report, GError **error)
{
    struct stat status;

    if (lstat(report->path, &status) != 0)
        return try_folder(report->path, error);
    if (S_ISDIR(status.st_mode)) {
        set_error(error, report->path, EISDIR);
        return false;
    }
    report->in_place = !S_ISREG(status.st_mode);
    if (!report->in_place && access(report->path, W_OK) == 0)
        return try_folder(report->path, error);
    return try_open(report->path, error);
}

/* ---- Writing ------------------------------------------------------------------------------------ */

static bool write_all(int fd, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t done = write(fd, text, left);
        if (done < 0 && errno != EINTR)
            return false;
        if (done > 0) {
            text += done;
            left -= (size_t)done;
        }
    }
    return true;
}

static bool write_in_place(const char *path, const char *text, GError **error)
{
    struct stat status;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    /* A link may lead to a file with an older, longer report. */
    bool done = fd >= 0 && fstat(fd, &status) == 0 &&
                (!S_ISREG(status.st_mode) || ftruncate(fd, 0) == 0) && write_all(fd, text);
    int reason = errno;

    if (fd >= 0 && close(fd) != 0 && done) {
        done = false;
        reason = errno;
    }
    if (!done)
        set_error(error, path, reason);
    return done;
}

static bool write_file(const FileReport *report, const char *text, GError **error)
{
    if (report->in_place)
        return write_in_place(report->path, text, error);

    g_autoptr(GError) wrong = NULL;
    if (g_file_set_contents_full(report->path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0666,
                                 &wrong))
        return true;
    g_set_error(error, wrong->domain, wrong->code, "cannot write %s: %s", report->path,
                wrong->message);
    return false;
}

/* ---- The journal -------------------------------------------------------------------------------- */

/* Takes over LINE. Flushed at once: what has fallen must outlive a crash. */
static void journal_add(FileReport *report, json_t *line)
{
    if (report->journal != NULL) {
        char *text = json_dumps(line, JSON_COMPACT);
        if (fprintf(report->journal, "%s\n", text) < 0 || fflush(report->journal) != 0) {
            if (report->error == NULL)
                set_error(&report->error, report->journal_path, errno);
            g_clear_pointer(&report->journal, fclose);
        }
        free(text);
    }
    json_decref(line);
}

static void begin(void *self, const RunOptions *options, const RunSummary *summary)
{
    FileReport *report = self;

    if (report->journal_path == NULL)
        return;
    report->journal = fopen(report->journal_path, "we");
    if (report->journal == NULL)
        set_error(&report->error, report->journal_path, errno);
    journal_add(report, report_json_head(options, summary));
}

static void finished(void *self, const RunEntry *entry, const RunSummary *so_far)
{
    FileReport *report = self;

    (void)so_far;
    if (report->journal != NULL)
        journal_add(report, report_json_case(entry));
}

/* ---- The end of the run -------------------------------------------------------------------------- */

static void end(void *self, const RunOptions *options, const RunSummary *summary)
{
    static char *(*const texts[])(const RunOptions *, const RunSummary *) = {
        [REPORT_TAP] = report_tap_text,
        [REPORT_JUNIT] = report_junit_text,
        [REPORT_JSON] = report_json_text,
    };
    FileReport *report = self;
    g_autofree char *text = texts[report->format](options, summary);
    GError **error = report->error == NULL ? &report->error : NULL;

    report->ended = true;
    if (write_file(report, text, error) && report->journal != NULL) {
        g_clear_pointer(&report->journal, fclose);
        unlink(report->journal_path);
    }
}

static bool finish(Report *self, GError **error)
{
    FileReport *report = (FileReport *)self;

    if (report->error == NULL)
        return true;
    g_propagate_error(error, g_steal_pointer(&report->error));
    return false;
}

static void file_free(Report *self)
{
    FileReport *report = (FileReport *)self;

    g_clear_pointer(&report->journal, fclose);
    g_free(report->journal_path);
    g_free(report->path);
    g_clear_error(&report->error);
    g_free(report);
}

Report *report_file_new(ReportFormat format, const char *path, GError **error)
{
    FileReport *report = g_new0(FileReport, 1);

    report->report = (Report){
        .observer = {.self = report, .begin = begin, .finished = finished, .end = end},
        .finish = finish,
        .free = file_free,
    };
    report->format = format;
    report->path = g_strdup(path);
    if (!try_path(report, error)) {
        file_free(&report->report);
        return NULL;
    }
    if (format == REPORT_JSON && !report->in_place)
        report->journal_path = g_strconcat(path, ".journal", NULL);
    return &report->report;
}
