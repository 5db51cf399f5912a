/* results.c - the folder of results: runs, and the tables and plots made from them.
 * SPDX-License-Identifier: MIT
 *
 *     TABLES.md, *.svg                 of the newest run, curves and accuracy of every machine
 *     <cpu>/<date>/run.json            a run; of the same day <date>.2, .3 ...
 *     <cpu>/<date>/curves.json         curves
 *     <cpu>/<date>/accuracy.json       accuracy
 *     <cpu>/accuracy.md                its tables, the latest, with every kernel
 *     <cpu>/<date>/TABLES.md, *.svg    of these alone
 */
#include "results.h"

#include "../accuracy/plot.h"
#include "../accuracy/report.h"
#include "../base/gnuplot.h"
#include "../base/memory.h"
#include "../base/new_file.h"
#include "../curves/plot.h"
#include "../curves/report.h"
#include "../report/percent_of_peak.h"
#include "../report/report.h"
#include "accuracy_json.h"
#include "json.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool make_folder(const char *path, char *error, size_t error_bytes)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return true;
    snprintf(error, error_bytes, "%s cannot be made (%s); give a folder that you may write to",
             path, strerror(errno));
    return false;
}

bool results_can_save(const char *folder, char *error, size_t error_bytes)
{
    char path[4000];
    snprintf(path, sizeof path, "%.3900s/TABLES.md", folder);
    return make_folder(folder, error, error_bytes) && new_file_possible(path, error, error_bytes);
}

static int is_folder_name(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* What was measured on one machine: a run, curves, accuracy, or some of them. */
struct measured {
    char folder[256]; /* of the machine */
    bool has_run, has_curves, has_accuracy;
    struct run run, curves;
    struct accuracy accuracy;
};

static const struct machine *machine_of(const struct measured *measured)
{
    return measured->has_run      ? &measured->run.machine
           : measured->has_curves ? &measured->curves.machine
                                  : &measured->accuracy.machine;
}

static void measured_free(struct measured *measured)
{
    if (measured->has_run)
        run_free(&measured->run);
    if (measured->has_curves)
        run_free(&measured->curves);
    if (measured->has_accuracy)
        accuracy_free(&measured->accuracy);
}

/* What cannot be looked at may be there: only what is not is left out. */
static bool is_there(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* Reads a file where there is one. False: there is, and it is not whole. */
static bool read_if_there(struct run *run, const char *path, bool *there, char *error,
                          size_t error_bytes)
{
    *there = is_there(path);
    return !*there || (*there = results_read_json(run, path, error, error_bytes));
}

static bool read_accuracy_if_there(struct accuracy *accuracy, const char *path, bool *there,
                                   char *error, size_t error_bytes)
{
    *there = is_there(path);
    return !*there || (*there = accuracy_read_json(accuracy, path, error, error_bytes));
}

/* The names in a folder in their order, -1: it cannot be read. */
static int list_folder(const char *path, struct dirent ***entries, char *error, size_t error_bytes)
{
    int count = scandir(path, entries, is_folder_name, versionsort);
    if (count < 0)
        snprintf(error, error_bytes,
                 "%s cannot be read (%s); give the folder that `make bench` wrote", path,
                 strerror(errno));
    return count;
}

static void free_list(struct dirent **entries, int count)
{
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* The latest run, curves and accuracy of a machine: of each the one in the folder that sorts last
 * among those that have one. */
static bool read_latest(struct measured *m, const char *cpu_folder, char *error, size_t error_bytes)
{
    struct dirent **dates;
    bool good = true;
    int count = list_folder(cpu_folder, &dates, error, error_bytes);
    new_file_clean(cpu_folder, NULL);
    for (int i = count - 1; good && i >= 0; i--) {
        char path[4000];
        snprintf(path, sizeof path, "%.3000s/%s", cpu_folder, dates[i]->d_name);
        new_file_clean(path, NULL);
        snprintf(path, sizeof path, "%.3000s/%s/" RESULTS_RUN, cpu_folder, dates[i]->d_name);
        good = m->has_run || read_if_there(&m->run, path, &m->has_run, error, error_bytes);
        snprintf(path, sizeof path, "%.3000s/%s/" RESULTS_CURVES, cpu_folder, dates[i]->d_name);
        good = good && (m->has_curves ||
                        read_if_there(&m->curves, path, &m->has_curves, error, error_bytes));
        snprintf(path, sizeof path, "%.3000s/%s/" RESULTS_ACCURACY, cpu_folder, dates[i]->d_name);
        good = good &&
               (m->has_accuracy ||
                read_accuracy_if_there(&m->accuracy, path, &m->has_accuracy, error, error_bytes));
    }
    if (count >= 0)
        free_list(dates, count);
    return good && count >= 0;
}

/* The newest first. */
static int compare_dates(const void *left, const void *right)
{
    const struct measured *a = left, *b = right;
    int order = strcmp(machine_of(b)->date, machine_of(a)->date);
    return order ? order : strcmp(a->folder, b->folder);
}

/* The plots of a machine, linked or drawn. The newest has the plain names. By its folder: what a
 * file says of its slug could name any place. */
static const char *slug_for_plots(const struct measured *measured, size_t i)
{
    return i == 0 ? NULL : measured[i].folder;
}

static void write_links(FILE *out, const struct measured *measured, const char *slug)
{
    const char *cpu = machine_of(measured)->cpu;
    char name[400];
    plot_name("percent-of-peak", slug, name, sizeof name);
    if (measured->has_run)
        fprintf(out, "![Percent of peak, %s](%s)\n\n", cpu, name);
    for (int c = 0; measured->has_curves && c < PLOT_CURVES; c++) {
        if (!plot_curve_drawn(&measured->curves, (enum plot_curve)c))
            continue;
        plot_name(plot_curve_name((enum plot_curve)c), slug, name, sizeof name);
        fprintf(out, "![%s, %s](%s)\n\n", plot_curve_title((enum plot_curve)c), cpu, name);
    }
    for (int p = 0; measured->has_accuracy && p < ACCURACY_PLOTS; p++) {
        plot_name(accuracy_plot_name((enum accuracy_plot)p), slug, name, sizeof name);
        fprintf(out, "![%s, %s](%s)\n\n", accuracy_plot_title((enum accuracy_plot)p), cpu, name);
    }
}

static bool write_tables(FILE *out, const struct measured *measured, size_t count)
{
    fprintf(out, "# Measured results\n\n");
    fprintf(out,
            "Made by `mmk-bench` from the raw data beside this file (`run.json`, `curves.json`, "
            "`accuracy.json`; those of the table of all machines are in `<cpu>/<date>/`).\n`make "
            "bench`, `make curves` and `make accuracy` measure this machine. Absolute times hold "
            "for one machine on one day, ratios a little longer.\n\n");
    for (size_t i = 0; i < count; i++)
        write_links(out, &measured[i], slug_for_plots(measured, i));
    report_markdown_legend(out, 2);
    for (size_t i = 0; i < count; i++) {
        if (measured[i].has_run)
            report_markdown(out, &measured[i].run, 2);
        if (measured[i].has_curves)
            curve_report(out, &measured[i].curves, 2);
        if (measured[i].has_accuracy)
            accuracy_report(out, &measured[i].accuracy, 2);
    }
    return !ferror(out);
}

/* A machine's errors, whole: too long for TABLES.md. */
static bool write_accuracy(FILE *out, const struct accuracy *accuracy)
{
    accuracy_report(out, accuracy, 1);
    accuracy_report_kernels(out, accuracy, 2);
    return !ferror(out);
}

/* Of a machine, at most: plots, and accuracy.md. */
enum { PLOTS = 1 + PLOT_CURVES + ACCURACY_PLOTS, FILES = PLOTS + 1 };

/* Finishes the plots of a machine; they are to be placed. */
static bool draw_plots(struct new_file *files, const char *folder, const struct measured *measured,
                       const char *slug, char *error, size_t error_bytes)
{
    char path[4000], name[400];
    plot_name("percent-of-peak", slug, name, sizeof name);
    snprintf(path, sizeof path, "%.3500s/%s", folder, name);
    if (measured->has_run && !plot_percent_of_peak(files, &measured->run, path, error, error_bytes))
        return false;
    for (int c = 0; measured->has_curves && c < PLOT_CURVES; c++) {
        plot_name(plot_curve_name((enum plot_curve)c), slug, name, sizeof name);
        snprintf(path, sizeof path, "%.3500s/%s", folder, name);
        if (plot_curve_drawn(&measured->curves, (enum plot_curve)c) &&
            !plot_curve_draw(files + 1 + c, &measured->curves, (enum plot_curve)c, path, error,
                             error_bytes))
            return false;
    }
    for (int p = 0; measured->has_accuracy && p < ACCURACY_PLOTS; p++) {
        plot_name(accuracy_plot_name((enum accuracy_plot)p), slug, name, sizeof name);
        snprintf(path, sizeof path, "%.3500s/%s", folder, name);
        if (!accuracy_plot_draw(files + 1 + PLOT_CURVES + p, &measured->accuracy,
                                (enum accuracy_plot)p, path, error, error_bytes))
            return false;
    }
    return true;
}

/* accuracy.md of a machine whose kernels have been measured: beside its days, or in the one. */
static bool finish_errors(struct new_file *file, const char *folder,
                          const struct measured *measured, char *error, size_t error_bytes)
{
    char path[4000];
    if (!measured->has_accuracy || measured->accuracy.worst_count == 0)
        return true;
    snprintf(path, sizeof path, "%.3500s/%s%saccuracy.md", folder, measured->folder,
             measured->folder[0] ? "/" : "");
    return new_file_open(file, path, error, error_bytes) &&
           new_file_finish(file, write_accuracy(file->file, &measured->accuracy), error,
                           error_bytes);
}

/* The tables and all plots are finished before the first takes its place: where anything goes wrong
 * the old ones stay, all of them. */
static bool make_tables(const char *folder, struct measured *measured, size_t count, char *error,
                        size_t error_bytes)
{
    qsort(measured, count, sizeof *measured, compare_dates);
    size_t file_count = 1 + count * FILES;
    struct new_file *files = memory_new(file_count, sizeof *files);
    memset(files, 0, file_count * sizeof *files);
    char path[4000];
    snprintf(path, sizeof path, "%.3500s/TABLES.md", folder);
    bool good =
        new_file_open(files, path, error, error_bytes) &&
        new_file_finish(files, write_tables(files->file, measured, count), error, error_bytes);
    for (size_t i = 0; good && i < count; i++) {
        struct new_file *own = files + 1 + i * FILES;
        good = draw_plots(own, folder, &measured[i], slug_for_plots(measured, i), error,
                          error_bytes) &&
               finish_errors(own + PLOTS, folder, &measured[i], error, error_bytes);
    }
    for (size_t f = 0; f < file_count; f++) {
        good = good && new_file_place(&files[f], error, error_bytes);
        new_file_drop(&files[f]);
    }
    free(files);
    return good;
}

/* TABLES.md and the plots of one folder <cpu>/<date>. */
static bool make_folder_tables(const char *folder, char *error, size_t error_bytes)
{
    struct measured measured;
    char path[4000];
    memset(&measured, 0, sizeof measured);
    snprintf(path, sizeof path, "%.3900s/" RESULTS_RUN, folder);
    bool good = read_if_there(&measured.run, path, &measured.has_run, error, error_bytes);
    snprintf(path, sizeof path, "%.3900s/" RESULTS_CURVES, folder);
    good = good && read_if_there(&measured.curves, path, &measured.has_curves, error, error_bytes);
    snprintf(path, sizeof path, "%.3900s/" RESULTS_ACCURACY, folder);
    good = good &&
           read_accuracy_if_there(&measured.accuracy, path, &measured.has_accuracy, error,
                                  error_bytes) &&
           make_tables(folder, &measured, 1, error, error_bytes);
    measured_free(&measured);
    return good;
}

static void day_folder(const char *cpu_folder, const char *date, int n, char *path,
                       size_t path_bytes)
{
    char suffix[16] = "";
    if (n > 1)
        snprintf(suffix, sizeof suffix, ".%d", n);
    snprintf(path, path_bytes, "%s/%.10s%s", cpu_folder, date, suffix);
}

/* Moves a file into a folder of its day under the name: the newest, <date> or <date>.2, .3 ..., and
 * where that has a file of the name a new one. part becomes the folder. */
static bool place_file(const char *temporary, const char *cpu_folder, const char *date,
                       const char *name, char *part, size_t part_bytes, char *error,
                       size_t error_bytes)
{
    int n = 1;
    do
        day_folder(cpu_folder, date, n + 1, part, part_bytes);
    while (access(part, F_OK) == 0 && n++ < 1000);
    for (; n <= 1000; n++) {
        char path[4096];
        day_folder(cpu_folder, date, n, part, part_bytes);
        if (!make_folder(part, error, error_bytes))
            return false;
        snprintf(path, sizeof path, "%.3900s/%s", part, name);
        if (link(temporary, path) == 0)
            return true;
        if (errno != EEXIST) {
            snprintf(error, error_bytes, "%s could not be written (%s)", path, strerror(errno));
            return false;
        }
    }
    snprintf(error, error_bytes, "%s holds a thousand runs of %.10s; move some away", cpu_folder,
             date);
    return false;
}

/* A file of a machine's, as `finish` makes it, finds its place, and the tables are made anew. */
struct saving {
    const struct machine *machine;
    const char *name;
    const void *what;
    bool (*finish)(struct new_file *n, const void *what, const char *path, char *error,
                   size_t error_bytes);
};

static bool save(const struct saving *saving, const char *folder, char *path, size_t path_bytes,
                 char *error, size_t error_bytes)
{
    char cpu[3800], part[4000], hidden[4000];
    struct new_file n;
    snprintf(cpu, sizeof cpu, "%.3600s/%s", folder, saving->machine->slug);
    if (!make_folder(folder, error, error_bytes) || !make_folder(cpu, error, error_bytes))
        return false;
    /* Hidden, and so none of the folders that are searched for runs. It gets its name by a link,
     * which unlike a rename overwrites nothing. */
    snprintf(hidden, sizeof hidden, "%s/.%s", cpu, saving->name);
    bool good = saving->finish(&n, saving->what, hidden, error, error_bytes);
    if (good) {
        good = place_file(n.temporary, cpu, saving->machine->date, saving->name, part, sizeof part,
                          error, error_bytes);
        new_file_drop(&n);
    }
    if (good)
        snprintf(path, path_bytes, "%.3900s/%s", part, saving->name);
    return good && make_folder_tables(part, error, error_bytes) &&
           results_make_tables(folder, error, error_bytes);
}

static bool finish_run(struct new_file *n, const void *run, const char *path, char *error,
                       size_t error_bytes)
{
    return results_finish_json(n, run, path, error, error_bytes);
}

static bool finish_accuracy(struct new_file *n, const void *accuracy, const char *path, char *error,
                            size_t error_bytes)
{
    return accuracy_finish_json(n, accuracy, path, error, error_bytes);
}

bool results_save(const struct run *run, const char *name, const char *folder, char *path,
                  size_t path_bytes, char *error, size_t error_bytes)
{
    const struct saving saving = {&run->machine, name, run, finish_run};
    return save(&saving, folder, path, path_bytes, error, error_bytes);
}

bool results_save_accuracy(const struct accuracy *accuracy, const char *folder, char *path,
                           size_t path_bytes, char *error, size_t error_bytes)
{
    const struct saving saving = {&accuracy->machine, RESULTS_ACCURACY, accuracy, finish_accuracy};
    return save(&saving, folder, path, path_bytes, error, error_bytes);
}

bool results_make_tables(const char *folder, char *error, size_t error_bytes)
{
    struct dirent **cpus;
    int count = list_folder(folder, &cpus, error, error_bytes);
    if (count < 0)
        return false;
    struct measured *measured = memory_new((size_t)count, sizeof *measured);
    memset(measured, 0, (size_t)count * sizeof *measured);
    size_t found = 0;
    bool good = true;
    new_file_clean(folder, NULL);
    for (int i = 0; good && i < count; i++) {
        struct measured *m = &measured[found];
        char cpu[2000];
        snprintf(cpu, sizeof cpu, "%.1500s/%s", folder, cpus[i]->d_name);
        if (!is_folder(cpu))
            continue;
        snprintf(m->folder, sizeof m->folder, "%s", cpus[i]->d_name);
        good = read_latest(m, cpu, error, error_bytes);
        found += m->has_run || m->has_curves || m->has_accuracy;
    }
    free_list(cpus, count);
    if (good && found == 0) {
        snprintf(error, error_bytes,
                 "%s holds no <cpu>/<date>/run.json, curves.json or accuracy.json; `make bench`, "
                 "`make curves` and `make accuracy` write them",
                 folder);
        good = false;
    }
    good = good && make_tables(folder, measured, found, error, error_bytes);
    for (size_t i = 0; i < found; i++)
        measured_free(&measured[i]);
    free(measured);
    return good;
}
