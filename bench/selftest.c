/* selftest.c - mmk-bench selftest: whether the intervals of whole runs hold.
 * SPDX-License-Identifier: MIT
 *
 * A 95 % interval is to hold the truth in 95 of 100 runs. The truth is not known; the median over
 * many runs is as near to it as can be had. So the same run is made many times, on an idle machine
 * and while another CPU is busy, and it is counted how many of their intervals hold that median.
 */
#include "selftest.h"

#include "base/child.h"
#include "base/console.h"
#include "base/memory.h"
#include "base/new_file.h"
#include "base/table.h"
#include "base/text.h"
#include "report/coverage.h"
#include "results/json.h"
#include "results/json_parts.h"
#include "results/results.h"
#include "results/undisturbed.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_RUNS = 1000, MOST_SHAPES = 16, LEAST_HELD = 90 };
#define MOST_APART 1.0 /* percent */

enum option_key {
    KEY_KERNEL = 'k',
    KEY_SHAPE = 's',
    KEY_RUNS = 1000,
    KEY_SECONDS,
    KEY_NO_HOG,
    KEY_RESULTS
};

static const struct argp_option argp_options[] = {
    {"kernel", KEY_KERNEL, "LIST", 0,
     "as of mmk-bench (default: cosine_query, infonce_forward, exp and topk at one shape each)", 1},
    {"shape", KEY_SHAPE, "SHAPE", 0, "as of mmk-bench; may be repeated", 1},
    {"runs", KEY_RUNS, "N", 0, "whole runs without and with load (default: 20 each)", 1},
    {"seconds", KEY_SECONDS, "S", 0, "what a run may take (default: 12)", 1},
    {"no-hog", KEY_NO_HOG, NULL, 0, "no runs with load on another CPU", 1},
    {"results", KEY_RESULTS, "DIR", 0, "save DIR/<cpu>/selftest.json and selftest.md", 2},
    {NULL, 0, NULL, 0, NULL, 0}};

struct wanted {
    const char *kernel, *results, *shapes[MOST_SHAPES];
    size_t shape_count, runs;
    double seconds;
    bool no_hog;
};

static double parse_number(const char *option, const char *text, double least, double most)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end || errno || !(value >= least) || value > most)
        refuse("%s %s: that is no number from %g to %g; write for instance %s 20", option, text,
               least, most, option);
    return value;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct wanted *w = state->input;
    switch (key) {
    case KEY_KERNEL:
        w->kernel = text;
        return 0;
    case KEY_SHAPE:
        if (w->shape_count == MOST_SHAPES)
            refuse("--shape: that is too many shapes; give at most %d", MOST_SHAPES);
        w->shapes[w->shape_count++] = text;
        return 0;
    case KEY_RUNS:
        w->runs = (size_t)parse_number("--runs", text, 4, MOST_RUNS);
        return 0;
    case KEY_SECONDS:
        w->seconds = parse_number("--seconds", text, 1, 1e4);
        return 0;
    case KEY_NO_HOG:
        w->no_hog = true;
        return 0;
    case KEY_RESULTS:
        w->results = text;
        return 0;
    case ARGP_KEY_ARG:
        refuse("%s: selftest takes options only; `mmk-bench selftest --help` lists them", text);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- Runs ------------------------------------------------------------------------------------ */

/* One run as a child; its JSON is read back from a folder of our own. */
static void make_run(const struct wanted *w, const char *folder, struct run *run)
{
    char json[300], seconds[32], kept[300], error[600];
    const char *argv[16 + 2 * MOST_SHAPES];
    size_t count = 0;
    struct child child;
    snprintf(json, sizeof json, "%s/run.json", folder);
    snprintf(kept, sizeof kept, "%s/kept", folder);
    snprintf(seconds, sizeof seconds, "%g", w->seconds);
    argv[count++] = "/proc/self/exe";
    argv[count++] = "--kernel";
    argv[count++] = w->kernel;
    for (size_t s = 0; s < w->shape_count; s++) {
        argv[count++] = "--shape";
        argv[count++] = w->shapes[s];
    }
    argv[count++] = "--seconds";
    argv[count++] = seconds;
    argv[count++] = "--undisturbed";
    argv[count++] = kept;
    argv[count++] = "--peers";
    argv[count++] = "none";
    argv[count++] = "--markdown"; /* with the summary, which is else for stderr */
    argv[count++] = "--json";
    argv[count++] = json;
    argv[count] = NULL;
    int out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (out < 0 || !child_start_into(&child, argv, out))
        refuse("a run could not be started (%s); close something", strerror(errno));
    close(out);
    if (!child_stop(&child))
        refuse("a run failed; `mmk-bench --kernel %s` tells more", w->kernel);
    if (!results_read_json(run, json, error, sizeof error))
        refuse("%s", error);
    unlink(json);
}

static void make_series(const struct wanted *w, const char *folder, struct coverage_runs *series,
                        double start, size_t before, size_t all)
{
    series->runs = memory_new(w->runs, sizeof *series->runs);
    for (series->count = 0; series->count < w->runs; series->count++) {
        char text[120];
        size_t done = before + series->count;
        double each = done > 0 ? (timer_now() - start) / (double)done : w->seconds;
        snprintf(text, sizeof text, "%s, about %.0f s left", series->load,
                 ceil(each * (double)(all - done)));
        progress_count(done, all);
        progress(text);
        make_run(w, folder, &series->runs[series->count]);
    }
}

/* ---- Load ------------------------------------------------------------------------------------ */

static volatile unsigned spins;

/* A process that keeps a CPU busy until it is ended; 0: there is but one CPU. */
static pid_t start_hog(void)
{
    cpu_set_t may, one;
    if (sched_getaffinity(0, sizeof may, &may) != 0 || CPU_COUNT(&may) < 2)
        return 0;
    size_t cpu = CPU_SETSIZE - 1;
    while (!CPU_ISSET(cpu, &may))
        cpu--;
    pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid > 0 ? pid : 0;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (sched_setaffinity(0, sizeof one, &one) != 0 || getppid() != parent)
        _exit(1);
    for (;;)
        spins++;
}

static void stop_hog(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* ---- Report ---------------------------------------------------------------------------------- */

static const char *verdict(bool pass)
{
    return pass ? "PASS" : "FAIL";
}

static bool report_coverage(FILE *out, const struct coverage_runs *series, size_t series_count,
                            json_t *list)
{
    struct table table;
    bool good = true;
    table_heading(out, 2, "How many 95 % intervals hold the median over the runs");
    table_open(&table, "llrrrrl");
    static const char *const titles[] = {"load", "figure",     "rows",   "intervals",
                                         "held", "mean width", "verdict"};
    table_titles(&table, titles);
    for (size_t s = 0; s < series_count; s++) {
        const struct run *first = &series[s].runs[0];
        for (int f = 0; f < FIGURES; f++) {
            struct coverage held = {0};
            for (size_t i = 0; i < first->result_count; i++)
                for (size_t c = 0; c < first->results[i].column_count; c++)
                    coverage_count(&series[s], first->results[i].order,
                                   first->results[i].columns[c].variant, (enum figure)f, &held);
            double share = held.intervals ? 100.0 * (double)held.held / (double)held.intervals : 0;
            bool marked = f != FIGURE_MEASURED;
            bool pass = held.intervals > 0 && share >= LEAST_HELD;
            good = good && (pass || !marked);
            table_cell(&table, "%s", series[s].load);
            table_cell(&table, "%s", coverage_figure_name((enum figure)f));
            table_cell(&table, held.unknown ? "%zu, %zu unknown" : "%zu", held.rows, held.unknown);
            table_cell(&table, "%zu", held.intervals);
            table_cell(&table, held.intervals ? "%.1f %%" : "no interval", share);
            table_cell(&table, "±%.2f %%",
                       held.intervals ? held.width / (double)held.intervals : 0.0);
            table_cell(&table, "%s", marked ? verdict(pass) : "-");
            json_array_append_new(
                list, json_pack("{s:s, s:s, s:I, s:I, s:I, s:b}", "load", series[s].load, "figure",
                                coverage_figure_name((enum figure)f), "rows", (json_int_t)held.rows,
                                "intervals", (json_int_t)held.intervals, "held",
                                (json_int_t)held.held, "pass", pass));
        }
    }
    table_close(&table, out);
    return good;
}

/* Speed-ups of quiet rounds, all launches joined: without load against with, or, where there is no
 * load, of the first half of the runs against the second. */
static bool report_speedups(FILE *out, const struct coverage_runs *series, size_t series_count,
                            json_t *list)
{
    struct table table;
    bool good = true;
    size_t compared = 0;
    const struct run *first = &series[0].runs[0];
    size_t count = series[0].count;
    table_heading(out, 2, "Speed-ups of quiet rounds, launches joined");
    table_open(&table, "lllrrrl");
    table_cell(&table, "kernel");
    table_cell(&table, "shape");
    table_cell(&table, "variant");
    table_cell(&table, series_count > 1 ? "no load" : "first half of the runs");
    table_cell(&table, series_count > 1 ? "load" : "second half");
    table_cell(&table, "apart");
    table_cell(&table, "verdict");
    for (size_t i = 0; i < first->result_count; i++) {
        const struct result *result = &first->results[i];
        for (size_t c = 0; c < result->column_count; c++) {
            const char *variant = result->columns[c].variant;
            struct estimate e;
            if (!coverage_get(first, result->order, variant, FIGURE_SPEEDUP, &e) &&
                !result->columns[c].baseline[0])
                continue;
            struct estimate one = coverage_joined_speedup(
                &series[0], 0, series_count > 1 ? count : count / 2, result->order, variant);
            struct estimate other =
                series_count > 1
                    ? coverage_joined_speedup(&series[1], 0, series[1].count, result->order,
                                              variant)
                    : coverage_joined_speedup(&series[0], count / 2, count, result->order, variant);
            table_cell(&table, "%s", result->kernel);
            table_cell(&table, "%s", result->shape);
            table_cell(&table, "%s", variant);
            bool known = one.n > 0 && other.n > 0;
            double apart = known ? 100.0 * fabs(one.median / other.median - 1.0) : (double)NAN;
            bool pass = known && apart <= MOST_APART;
            good = good && (pass || !known);
            compared += known;
            table_cell(&table, one.n ? "%.3f" : "no quiet round", one.median);
            table_cell(&table, other.n ? "%.3f" : "no quiet round", other.median);
            table_cell(&table, known ? "%.2f %%" : "-", apart);
            table_cell(&table, "%s", known ? verdict(pass) : "nothing to compare");
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:f, s:f, s:b}", "kernel",
                                                  result->kernel, "shape", result->shape, "variant",
                                                  variant, "one", one.n ? one.median : 0.0, "other",
                                                  other.n ? other.median : 0.0, "pass", pass));
        }
    }
    table_close(&table, out);
    return good && compared > 0;
}

struct report {
    const struct wanted *wanted;
    const struct coverage_runs *series;
    size_t count;
    json_t *coverage, *speedups; /* filled on the way */
    bool good;
};

static void write_report(FILE *out, struct report *r)
{
    char title[160];
    const struct machine *machine = &r->series[0].runs[0].machine;
    machine_text_day(machine, title, sizeof title);
    json_array_clear(r->coverage);
    json_array_clear(r->speedups);
    table_heading(out, 1, title);
    fprintf(out,
            "`mmk-bench selftest`: %zu whole runs a load, %g s each; commit %s. At least %d %% of "
            "all intervals are to hold, and speed-ups to be within %g %% of each other.%s\n\n",
            r->wanted->runs, r->wanted->seconds, machine->commit, LEAST_HELD, MOST_APART,
            r->count > 1 ? "" : " Runs with load on another CPU were left out.");
    bool held = report_coverage(out, r->series, r->count, r->coverage);
    bool alike = report_speedups(out, r->series, r->count, r->speedups);
    r->good = held && alike;
    fprintf(out, "%s\n", verdict(r->good));
}

static bool save_report(struct report *r, char *error, size_t error_bytes)
{
    char path[4000];
    const struct machine *machine = &r->series[0].runs[0].machine;
    struct new_file n;
    /* This makes the folder, too. */
    if (!undisturbed_save(&r->series[0].runs[r->series[0].count - 1].best, r->wanted->results,
                          machine->slug, error, error_bytes))
        return false;
    snprintf(path, sizeof path, "%.3000s/%.200s/selftest.md", r->wanted->results, machine->slug);
    if (!new_file_open(&n, path, error, error_bytes))
        return false;
    write_report(n.file, r);
    if (!new_file_close(&n, !ferror(n.file), error, error_bytes))
        return false;
    snprintf(path, sizeof path, "%.3000s/%.200s/selftest.json", r->wanted->results, machine->slug);
    return new_file_open(&n, path, error, error_bytes) &&
           new_file_close(&n,
                          json_write_value(n.file, json_pack("{s:s, s:o, s:I, s:f, s:O, s:O}",
                                                             "format", "mmk-selftest-1", "machine",
                                                             json_from_machine(machine), "runs",
                                                             (json_int_t)r->wanted->runs, "seconds",
                                                             r->wanted->seconds, "coverage",
                                                             r->coverage, "speedups", r->speedups)),
                          error, error_bytes);
}

/* ---- The mode -------------------------------------------------------------------------------- */

static void take_defaults(struct wanted *w)
{
    static const char *const shapes[] = {"n=170,d=768", "m=256,n=256,d=512", "4096", "n=1000,k=10"};
    enum { SHAPES = sizeof shapes / sizeof shapes[0] };
    if (w->kernel && w->shape_count > 0)
        return;
    if (w->kernel || w->shape_count > 0)
        refuse("--kernel and --shape go together here; give both, or neither");
    w->kernel = "cosine_query,infonce_forward,exp,topk";
    for (size_t s = 0; s < SHAPES; s++)
        w->shapes[w->shape_count++] = shapes[s];
}

static void remove_folder(const char *folder, const char *slug)
{
    char path[400];
    snprintf(path, sizeof path, "%s/kept/%.80s/undisturbed.json", folder, slug);
    unlink(path);
    snprintf(path, sizeof path, "%s/kept/%.80s", folder, slug);
    rmdir(path);
    snprintf(path, sizeof path, "%s/kept", folder);
    rmdir(path);
    rmdir(folder);
}

int selftest_main(int argc, char **argv)
{
    static const struct argp argp = {
        argp_options,
        parse_option,
        NULL,
        "Makes the same run many times, without and with load on another CPU, and counts how many "
        "of their intervals hold the median over all.\v"
        "By default it takes 8 minutes.\n\n"
        "Exit status: 0 they hold; 1 a mark is missed; 2 a bad option or input.",
        NULL,
        NULL,
        NULL};
    static char name[] = "mmk-bench selftest"; /* as it stands in --help */
    struct wanted w = {.runs = 20, .seconds = 12.0};
    struct coverage_runs series[2] = {{.load = "none"}, {.load = "another CPU busy"}};
    char folder[] = "/tmp/mmk-selftest-XXXXXX", error[4600];
    argv[0] = name;
    argp_err_exit_status = EXIT_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &w) != 0)
        refuse("there is no memory to read the options; close something");
    take_defaults(&w);
    if (w.results && !results_can_save(w.results, error, sizeof error))
        refuse("%s", error);
    if (!mkdtemp(folder))
        refuse("%s cannot be made (%s); make room in /tmp", folder, strerror(errno));
    size_t loads = w.no_hog || timer_cpus() < 2 ? 1 : 2;
    double start = timer_now();
    make_series(&w, folder, &series[0], start, 0, loads * w.runs);
    pid_t hog = loads > 1 ? start_hog() : 0;
    if (hog > 0) {
        make_series(&w, folder, &series[1], start, w.runs, loads * w.runs);
        stop_hog(hog);
    } else {
        loads = 1;
    }
    progress_end();
    remove_folder(folder, series[0].runs[0].machine.slug);
    json_end_without_memory();
    struct report report = {.wanted = &w,
                            .series = series,
                            .count = loads,
                            .coverage = json_array(),
                            .speedups = json_array()};
    write_report(stdout, &report);
    bool saved = !w.results || save_report(&report, error, sizeof error);
    json_decref(report.coverage);
    json_decref(report.speedups);
    for (size_t s = 0; s < loads; s++) {
        for (size_t r = 0; r < series[s].count; r++)
            run_free(&series[s].runs[r]);
        free(series[s].runs);
    }
    if (!saved)
        refuse("%s", error);
    return report.good ? EXIT_GOOD : EXIT_WRONG;
}
