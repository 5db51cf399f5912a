/* profile.c - one variant of one kernel without a table: in a loop for perf record, or one call for
 * its memory.
 * SPDX-License-Identifier: MIT
 */
#include "profile.h"

#include "base/console.h"
#include "pick.h"
#include "timing/job.h"

#include <omp.h>
#include <stdio.h>
#include <sys/resource.h>

int profile_loop(const struct arguments *a)
{
    const struct variant *variants[MAX_VARIANTS];
    if (pick_variants(a, true, variants) != 1)
        refuse("--profile runs one variant; name one with --isa, such as --isa avx2");
    if (!kernel_find(a->profile))
        refuse("--profile %s: there is no such kernel; `mmk-bench --list` shows them", a->profile);
    struct plan plan;
    struct run run;
    struct source source;
    char error[1024], text[96];
    run_init(&run);
    struct plan_options options = {.kernel = a->profile,
                                   .shape = a->shapes[0] ? a->shapes : NULL,
                                   .threads = a->threads ? a->threads : 1,
                                   .cpus = timer_cpus(),
                                   .own_data = a->data != NULL};
    if (a->data)
        options.source = pick_source(a, &source, &run);
    if (!plan_make(&plan, &options, &run, error, sizeof error))
        refuse("%s", error);
    /* Of the standard shapes, the largest that a run takes by default. */
    const struct plan_case *c = &plan.cases[0];
    for (size_t i = 1; i < plan.count && !a->shapes[0]; i++)
        if (plan_work(c->kernel, &plan.cases[i].shape) > plan_work(c->kernel, &c->shape) &&
            plan_work(c->kernel, &plan.cases[i].shape) < 4e10)
            c = &plan.cases[i];
    struct job job;
    if (!job_open(&job, c, a->seed, error, sizeof error))
        refuse("%s: %s; give a smaller one with --shape", a->profile, error);
    variant_select(variants[0]);
    if (!variant_prepare(variants[0], &job.trial, error, sizeof error))
        refuse("%s: %s", a->profile, error);
    shape_write(c, text, sizeof text);
    if (!job_can_be_judged(c, error, sizeof error)) {
        printf("%s %s: not checked: %s\n", a->profile, text, error);
    } else {
        struct column column = {.calls = 1};
        job_oracle(&job, false);
        if (!job_check(&job, variants[0], &column)) {
            printf("%s %s %s: FAILED CHECK: %s\n", a->profile, text, variants[0]->name,
                   column.note);
            return EXIT_WRONG;
        }
    }
    double seconds = a->seconds > 0.0 ? a->seconds : 10.0;
    printf("%s %s, %s, %d thread%s: in a loop for %g s ...\n", a->profile, text, variants[0]->name,
           c->threads, c->threads == 1 ? "" : "s", seconds);
    fflush(stdout);
    omp_set_num_threads(c->threads);
    if (c->threads == 1)
        timer_pin();
    double rate = job_loop(&job, variants[0], seconds);
    double flops = c->kernel->flops(&c->shape), bytes = c->kernel->bytes(&c->shape);
    printf("%.4g calls/s, %.4g us a call, %.4g GFLOP/s, %.4g GB/s (kernel's own byte model); %s\n",
           rate, 1e6 / rate, 1e-9 * flops * rate, 1e-9 * bytes * rate,
           "a mean, not paired with anything: for comparisons run without --profile");
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        printf("peak resident memory %.0f MB, inputs and outputs included\n",
               (double)usage.ru_maxrss / 1024.0);
    job_close(&job);
    plan_free(&plan);
    run_free(&run);
    if (a->data)
        data_close(&source);
    return EXIT_GOOD;
}

int profile_once(const struct arguments *a)
{
    const struct variant *variants[MAX_VARIANTS];
    struct variant peers[MAX_VARIANTS];
    if (!a->peers && pick_variants(a, true, variants) != 1)
        refuse("--once runs one variant; name one with --isa or --peers, such as --isa avx2");
    if (!kernel_find(a->once) || !a->shapes[0])
        refuse("--once %s: give the name of a kernel, and a --shape; `mmk-bench --list` shows both",
               a->once);
    struct plan plan;
    struct run run;
    char error[1024];
    double ignored;
    run_init(&run);
    struct plan_options options = {.kernel = a->once,
                                   .shape = a->shapes,
                                   .threads = a->threads ? a->threads : 1,
                                   .cpus = timer_cpus()};
    if (!plan_make(&plan, &options, &run, error, sizeof error))
        refuse("%s", error);
    if (a->peers && pick_peers(a, &plan, &run, true, peers, &ignored) != 1)
        refuse("--peers %s: --once runs one, and one that has %s", a->peers, a->once);
    bool good = curve_call(&plan.cases[0], a->peers ? &peers[0] : variants[0], a->seed);
    peers_close();
    plan_free(&plan);
    run_free(&run);
    return good ? EXIT_GOOD : EXIT_WRONG;
}
