/* doctor_mode.c - mmk-bench doctor: what this machine can resolve today.
 * SPDX-License-Identifier: MIT
 *
 * The program is compared with itself by the gate's means, so that all that differs is chance; and
 * chance is told apart by the level at which it sits (Kalibera and Jones 2013): it pays to repeat
 * what varies.
 */
#include "doctor_mode.h"

#include "base/console.h"
#include "machine/health.h"
#include "timing/gate.h"
#include "timing/variants.h"

#include <argp.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum option_key { KEY_STRICT = 1000, KEY_LAUNCHES, KEY_BUILD, KEY_SEED };

enum { DEFAULT_LAUNCHES = 16, BUILD_LAUNCHES = 8, MOST_BUILDS = 8, MOST_SECONDS = 60 };

struct wanted {
    bool strict;
    int launches;
    const char *builds[MOST_BUILDS];
    size_t build_count;
    uint64_t seed;
};

static const struct argp_option argp_options[] = {
    {"launches", KEY_LAUNCHES, "N", 0, "launches of each case, 8 to 320 (default: 16)", 1},
    {"build", KEY_BUILD, "PROGRAM", 0,
     "another mmk-bench of the same source, linked another way, for the level of builds; may be "
     "repeated (`make doctor` makes three)",
     1},
    {"seed", KEY_SEED, "N", 0, "of the order of samples (default: 1)", 1},
    {"strict", KEY_STRICT, NULL, 0, "exit with 3 if there is a doubt", 2},
    {NULL, 0, NULL, 0, NULL, 0}};

/* Small, and each bound by something else: latency, issue, L1, L2, L3, multiply-adds. */
static const struct {
    const char *kernel, *shape;
} looked_at[] = {{"exp", "4096"},
                 {"topk", "1000,k=10"},
                 {"cosine_query", "170x768"},
                 {"dot_query", "16384x128"},
                 {"infonce_forward", "256x256x128"}};
#define THRESHOLD 0.02

enum { CASES = sizeof looked_at / sizeof looked_at[0] };

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct wanted *w = state->input;
    char *end;
    long count;
    switch (key) {
    case KEY_STRICT:
        w->strict = true;
        return 0;
    case KEY_LAUNCHES:
        count = strtol(text, &end, 10);
        if (end == text || *end || count < LEAST_FIRST_LAUNCHES || count > MOST_FIRST_LAUNCHES)
            refuse("--launches %s: that is no count from %d to %d; write for instance --launches "
                   "16",
                   text, LEAST_FIRST_LAUNCHES, MOST_FIRST_LAUNCHES);
        w->launches = (int)count;
        return 0;
    case KEY_BUILD:
        if (w->build_count == MOST_BUILDS)
            refuse("--build %s: that is more than %d builds", text, MOST_BUILDS);
        w->builds[w->build_count++] = text;
        return 0;
    case KEY_SEED:
        w->seed = parse_seed(text);
        return 0;
    case ARGP_KEY_ARG:
        refuse("%s: doctor takes options only; `mmk-bench doctor --help` lists them", text);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void plan_looks(struct plan *plan, struct run *run)
{
    char error[512];
    memset(plan, 0, sizeof *plan);
    for (size_t i = 0; i < CASES; i++) {
        struct plan one;
        struct plan_options options = {
            .kernel = looked_at[i].kernel, .shape = looked_at[i].shape, .threads = 1, .cpus = 1};
        if (!plan_make(&one, &options, run, error, sizeof error))
            refuse("%s", error);
        if (!plan_add(plan, &one.cases[0]))
            refuse("there is no memory left; close something");
        plan_free(&one);
    }
}

/* Compares this program with another, or with itself. */
static void compare(struct gate *gate, const struct plan *plan, const char *program,
                    const struct wanted *w, int launches)
{
    const struct variant *list;
    size_t count = variants_list(&list);
    const char *widest = list[count - 1].name;
    char error[1024];
    struct gate_options options = {.baseline = program,
                                   .seconds = MOST_SECONDS,
                                   .threshold = THRESHOLD,
                                   .limit = 20,
                                   .launches = (size_t)launches,
                                   .seed = w->seed,
                                   .progress = progress};
    gate_make(gate, &options, plan, &widest, 1);
    if (!gate_add_missing(gate, false, false, error, sizeof error))
        refuse("%s", error);
    gate_run(gate);
    for (size_t i = 0; i < gate->count; i++)
        if (gate->cases[i].why[0])
            refuse("%s %s: %s", gate->cases[i].kernel, gate->cases[i].shape, gate->cases[i].why);
}

/* What a level adds by itself: its figures vary by `seen`, of which their own uncertainty, from n
 * figures of the level below with `below` each, is a part. A median has pi / 2 times the variance
 * of a mean. */
static double of_its_own(double seen, double below, double n)
{
    const double of_median = 1.5708;
    double variance = seen * seen - of_median * below * below / (n > 1.0 ? n : 1.0);
    return variance > 0.0 ? sqrt(variance) : 0.0;
}

/* What a gate of this case alone would find 19 times of 20 at its first look: its chance must be at
 * most VERDICT_CHANCE / LOOKS, 2.24 standard errors, or its median above half the threshold,
 * whichever is more; and 1.64 standard errors so that it comes out so. */
static double smallest_change(double launch_spread)
{
    double error = launch_spread / sqrt(FIRST_LOOK);
    return fmax(THRESHOLD / 2, 2.24 * error) + 1.64 * error;
}

static void print_findings(const struct finding *findings, size_t count, size_t *doubts)
{
    printf("%-18s %-52s %s\n", "what", "found", "what to do");
    for (size_t i = 0; i < count; i++) {
        printf("%-18s %-52s %s\n", findings[i].what, findings[i].found,
               findings[i].doubt ? findings[i].remedy : "fine");
        *doubts += findings[i].doubt;
    }
}

static void print_levels(const struct gate *gate, const struct gate *builds, size_t build_count)
{
    size_t fewest = gate->launches, most = 0;
    for (size_t i = 0; i < gate->count; i++) {
        size_t count = gate->cases[i].evidence.first.count;
        fewest = count < fewest ? count : fewest;
        most = count > most ? count : most;
    }
    printf("\nThis program against itself, %zu to %zu launches: standard deviation by level, what "
           "each "
           "adds of its own, in percent\n%-18s %-14s %8s %8s %8s %8s %8s %9s  %s\n",
           fewest, most, "kernel", "shape", "sample", "round", "mapping", "launch", "build",
           "A over A", "smallest change it would see");
    for (size_t i = 0; i < gate->count; i++) {
        const struct gate_case *c = &gate->cases[i];
        const struct verdict_launches *l = &c->evidence.first;
        if (l->count == 0) {
            printf("%-18s %-14s there was no time for it\n", c->kernel, c->shape);
            continue;
        }
        double n = (double)l->count, launch = stats_standard_deviation(l->log_ratio, l->count);
        struct gate_spread s = c->spread;
        struct estimate e = stats_centre(l->log_ratio, l->count);
        double draw = of_its_own(s.draw / n, s.round / n, s.rounds / n);
        double own = of_its_own(launch, s.draw / n, s.draws / n);
        char build[16] = "-";
        if (build_count > 1) {
            double figures[MOST_BUILDS];
            for (size_t b = 0; b < build_count; b++) {
                const struct verdict_launches *other = &builds[b].cases[i].evidence.first;
                figures[b] = stats_centre(other->log_ratio, other->count).median;
            }
            snprintf(build, sizeof build, "%.2f",
                     100.0 * of_its_own(stats_standard_deviation(figures, build_count), launch,
                                        BUILD_LAUNCHES));
        }
        printf("%-18s %-14s %8.2f %8.2f %8.2f %8.2f %8s %+8.2f%%  %.2f %%\n", c->kernel, c->shape,
               100.0 * s.sample / n, 100.0 * s.round / n, 100.0 * draw, 100.0 * own, build,
               100.0 * expm1(e.median), 100.0 * smallest_change(launch));
    }
    printf(
        "\nsample: one program's times, minutes apart or not; round: two programs' times, paired; "
        "mapping: memory of the case mapped anew; launch: both programs started anew; build: %s. "
        "Smallest change: found 19 times of 20 by a gate of this case alone with its "
        "threshold of 2 %%.\n",
        build_count > 1 ? "the same source linked another way"
                        : "not measured, `make doctor` does");
}

int doctor_mode_main(int argc, char **argv)
{
    static const struct argp argp = {
        argp_options,
        parse_option,
        NULL,
        "Says what this machine can resolve today: what makes its timings worse and what to do, "
        "and how much they vary from sample to sample, from launch to launch and from build to "
        "build, so the smallest change that --gate could see.\v"
        "It takes most of a minute, and for each --build half of that again.\n\n"
        "Exit status: 0; with --strict 3 if there is a doubt; 2 a bad option.",
        NULL,
        NULL,
        NULL};
    static char name[] = "mmk-bench doctor"; /* as it stands in --help */
    struct wanted w = {.launches = DEFAULT_LAUNCHES, .seed = 1};
    struct finding findings[MOST_FINDINGS];
    struct gate own, builds[MOST_BUILDS];
    struct machine machine;
    struct plan plan;
    struct run run;
    size_t doubts = 0;
    argv[0] = name;
    argp_err_exit_status = EXIT_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &w) != 0)
        refuse("there is no memory to read the options; close something");
    run_init(&run);
    machine_describe(&machine);
    if (!peaks_open(1, false))
        refuse("there is no memory for the bandwidth measurement; free some 50 MB");
    printf("%s\n\n", machine.cpu);
    progress("looking at the machine");
    size_t count = health_look(&machine, findings);
    progress_end();
    print_findings(findings, count, &doubts);
    fflush(stdout);
    plan_looks(&plan, &run);
    compare(&own, &plan, "/proc/self/exe", &w, w.launches);
    for (size_t b = 0; b < w.build_count; b++)
        compare(&builds[b], &plan, w.builds[b], &w, BUILD_LAUNCHES);
    progress_end();
    print_levels(&own, builds, w.build_count);
    printf("\n%zu doubt%s\n", doubts, doubts == 1 ? "" : "s");
    gate_free(&own);
    for (size_t b = 0; b < w.build_count; b++)
        gate_free(&builds[b]);
    plan_free(&plan);
    run_free(&run);
    peaks_close();
    return w.strict && doubts > 0 ? EXIT_NOT_COMPARED : EXIT_GOOD;
}
