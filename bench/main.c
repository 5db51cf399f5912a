/* main.c - mmk-bench: its modes, and what a run does.
 * SPDX-License-Identifier: MIT
 */
#include "accuracy_mode.h"
#include "base/console.h"
#include "base/new_file.h"
#include "base/standard_output.h"
#include "compare_mode.h"
#include "curves/report.h"
#include "doctor_mode.h"
#include "gate_mode.h"
#include "launches.h"
#include "pick.h"
#include "profile.h"
#include "report/report.h"
#include "results/json.h"
#include "results/results.h"
#include "results/undisturbed.h"
#include "retrieve/retrieve.h"
#include "schedule.h"
#include "selftest.h"
#include "timing/job.h"
#include "timing/serve.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print_list(void)
{
    const struct variant *list;
    size_t count = variants_list(&list);
    printf("kernels (sizes are written in this order)\n");
    for (size_t i = 0; i < kernel_count; i++) {
        const struct kernel *kernel = kernels[i];
        printf("  %-26s %-5s %s\n", kernel->name, kernel->dims, kernel->formula);
        printf("    ");
        for (size_t s = 0; s < kernel->bench_count; s++) {
            struct plan_case c = {
                .kernel = kernel, .shape = kernel->bench[s], .workspace = WORKSPACE_STORED};
            char text[96];
            shape_write(&c, text, sizeof text);
            printf("%s%s", s ? ", " : "", text);
        }
        printf("\n");
    }
    printf("variants\n ");
    for (size_t v = 0; v < count; v++)
        printf(" %s", list[v].name);
    printf("\nextensions (NAME:EXTENSION insists on one, NAME:base is without)\n");
    for (size_t v = 0; v < count; v++)
        if (list[v].row && strcmp(list[v].row->extension, "base") != 0)
            printf("  %s:%s\n", list[v].name, list[v].row->extension);
    printf("peers\n");
    for (size_t i = 0; peers_name(i); i++) {
        char error[512];
        if (peers_find(i, error, sizeof error))
            printf("  %s\n", peers_name(i));
        else
            printf("  %-14s missing: %s; %s\n", peers_name(i), error, pick_peers_remedy);
    }
}

/* What --curves takes is listed in the plan; its points of memory are measured right away, once for
 * all launches. */
static void plan_curves(const struct arguments *a, struct plan *plan, struct run *run)
{
    const struct variant *picked[MAX_VARIANTS];
    size_t count = pick_variants(a, false, picked);
    struct curve_options options = {.dim = a->dim,
                                    .threads = a->threads,
                                    .cpus = timer_cpus(),
                                    .smoke = a->smoke,
                                    .all = a->all};
    char error[256];
    if (a->kernel || a->shapes[0] || a->data)
        refuse("--curves has shapes and data of its own; leave out --kernel, --shape and --data");
    if (!curve_parse(&options, a->curves, error, sizeof error))
        refuse("%s", error);
    const struct variant *ours[MAX_VARIANTS];
    if ((count = curve_variants(CURVE_BATCH, picked, count, ours)) == 0)
        refuse("--curves needs one of the library's own instruction sets; leave out --isa and "
               "MMK_ISA, or name avx2, say");
    memset(plan, 0, sizeof *plan);
    bool good = curve_plan(plan, &options);
    const char *peers[CURVE_MOST_PEERS];
    size_t peer_count = pick_installed_peers(a, kernel_find("infonce_forward_backward"), peers);
    if (good && options.memory && !a->launch)
        good = curve_memory(run, &options, ours[count - 1]->name, peers, peer_count, a->seed,
                            schedule_budget(a, false) * (plan->count ? 0.4 : 1.0), progress);
    if (!good)
        schedule_refuse();
}

static void plan_cases(const struct arguments *a, struct plan *plan, struct source *source,
                       struct run *run)
{
    char error[1024];
    struct plan_options options = {.kernel = a->kernel,
                                   .shape = a->shapes[0] ? a->shapes : NULL,
                                   .threads = a->threads,
                                   .cpus = timer_cpus(),
                                   .all = a->all,
                                   .smoke = a->smoke,
                                   .own_data = a->data != NULL};
    if (a->dim)
        refuse("--dim %zu: it goes with --curves; else give a whole --shape", a->dim);
    options.source = pick_source(a, source, run);
    if (!plan_make(plan, &options, run, error, sizeof error))
        refuse("%s", error);
}

static void print_report(const struct arguments *a, const struct run *run)
{
    if (a->csv) {
        report_csv(stdout, run);
        if (run->memory_count > 0) {
            printf("\n");
            curve_memory_csv(stdout, run);
        }
    } else if (a->curves) {
        curve_report(stdout, run, 1);
    } else if (a->markdown) {
        report_markdown(stdout, run, 1);
    } else {
        report_terminal(stdout, run);
    }
    if (!a->markdown || a->curves)
        report_summary(a->csv ? stderr : stdout, run);
}

/* Where the best rates that this kind of machine has shown are kept: where the user says, or, in a
 * tree of mmk, among its results (git ignores them), if they may be read or written; NULL:
 * nowhere. */
static const char *undisturbed_folder(const struct arguments *a, int mode)
{
    const char *kept = a->undisturbed ? a->undisturbed : a->results;
    bool tree = access("kernels/mmk.h", F_OK) == 0 && access("results", mode) == 0;
    return kept ? kept : tree ? "results" : NULL;
}

/* What the core does alone is known before the first round is judged. */
static void learn_core(struct mood_best *best)
{
    if (!peaks_open(1, false))
        refuse("there is no memory for the bandwidth measurement; free some 50 MB");
    bool pinned = timer_pin();
    mood_learn_now(best);
    if (pinned)
        timer_unpin();
    peaks_close();
}

static void make_plan(const struct arguments *a, struct plan *plan, struct source *source,
                      struct run *run)
{
    memset(source, 0, sizeof *source);
    if (a->curves)
        plan_curves(a, plan, run);
    else
        plan_cases(a, plan, source, run);
}

/* Refuses a plan none of whose cases this machine has the memory for. */
static void refuse_too_large(const struct plan *plan)
{
    char error[256] = "";
    for (size_t i = 0; i < plan->count; i++)
        if (job_can_be_judged(&plan->cases[i], error, sizeof error))
            return;
    if (plan->count > 0)
        refuse("nothing can be timed here: %s, more than this machine has; name a smaller --shape",
               error);
}

static int run_launch(const struct arguments *a)
{
    static struct run run;
    struct source source;
    struct plan plan;
    program_invocation_short_name = "mmk-bench"; /* /proc/self/exe is no name */
    launches_await_order();
    run_init(&run);
    make_plan(a, &plan, &source, &run);
    int max_threads = a->threads > timer_cpus() ? a->threads : timer_cpus();
    if (!peaks_open(max_threads, true))
        refuse("there is no memory for the bandwidth measurement; free about %d MB", 512);
    launches_serve(a, &plan);
    peaks_close();
    plan_free(&plan);
    data_close(&source);
    run_free(&run);
    return EXIT_GOOD;
}

/* False: error is one sentence. */
static bool save_run(const struct arguments *a, const struct run *run, char *error,
                     size_t error_bytes)
{
    char path[4096];
    if (a->json && !results_write_json(run, a->json, error, error_bytes))
        return false;
    const char *kept = undisturbed_folder(a, W_OK);
    if (kept && !undisturbed_save(&run->best, kept, run->machine.slug, error, error_bytes))
        return false;
    if (!a->results)
        return true;
    if (!undisturbed_save_clock(&run->best, a->results, run->machine.slug, error, error_bytes) ||
        !results_save(run, a->curves ? RESULTS_CURVES : RESULTS_RUN, a->results, path, sizeof path,
                      error, error_bytes))
        return false;
    fprintf(stderr, "saved %s; tables in %s/TABLES.md\n", path, a->results);
    return true;
}

static int run_bench(const struct arguments *a, int argc, char **argv)
{
    static struct run run;
    struct source source;
    struct plan plan;
    char error[4600];
    run_init(&run);
    const struct variant *picked[MAX_VARIANTS];
    pick_variants(a, false, picked); /* refuses before anything long begins */
    if (a->peers)
        pick_check_peer_names(a->peers);
    if ((a->json && !new_file_possible(a->json, error, sizeof error)) ||
        (a->results && !results_can_save(a->results, error, sizeof error)))
        refuse("%s", error);
    double start = timer_now();
    machine_describe(&run.machine);
    const char *kept = undisturbed_folder(a, R_OK);
    if (kept && !undisturbed_load(&run.best, kept, run.machine.slug, error, sizeof error))
        refuse("%s", error);
    make_plan(a, &plan, &source, &run);
    refuse_too_large(&plan);
    plan_free(&plan); /* each launch has its own */
    data_close(&source);
    run.seed = a->seed;
    run.precision = a->precision;
    learn_core(&run.best);
    bool whole = launches_run(a, argc, argv, &run, start);
    run.seconds = timer_now() - start;
    print_report(a, &run);
    bool good = save_run(a, &run, error, sizeof error);
    struct tally tally = analyse_tally(&run);
    run_free(&run);
    if (!good)
        refuse("%s", error);
    return tally.failed || !whole ? EXIT_WRONG : EXIT_GOOD;
}

static void print_version(FILE *out, struct argp_state *state)
{
    (void)state;
    fprintf(out, "mmk-bench %s, numerics %d\n", mmk_version(), mmk_numerics_version());
}

int main(int argc, char **argv)
{
    static struct arguments a = {.seed = 1, .precision = 1.0};
    char error[4600];
    standard_output_watch();
    argp_program_version_hook = print_version;
    if (argc > 1 && strcmp(argv[1], "retrieve") == 0)
        return retrieve_main(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "accuracy") == 0)
        return accuracy_mode_main(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "compare") == 0)
        return compare_mode_main(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "doctor") == 0)
        return doctor_mode_main(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "selftest") == 0)
        return selftest_main(argc - 1, argv + 1);
    options_parse(argc, argv, &a);
    if (!kernels_complete(error, sizeof error))
        refuse("%s", error);
    if (a.serve && !a.gate)
        return serve_orders();
    if (a.gate)
        return gate_mode_run(&a);
    if (a.list) {
        print_list();
        return EXIT_GOOD;
    }
    if (a.tables) {
        if (!results_make_tables(a.tables, error, sizeof error))
            refuse("%s", error);
        printf("made %s/TABLES.md and the plots\n", a.tables);
        return EXIT_GOOD;
    }
    if (a.profile)
        return profile_loop(&a);
    if (a.once)
        return profile_once(&a);
    return a.launch ? run_launch(&a) : run_bench(&a, argc, argv);
}
