/* gate_mode.c - --gate: on which cases and variants two builds are compared.
 * SPDX-License-Identifier: MIT
 */
#include "gate_mode.h"

#include "base/console.h"
#include "pick.h"
#include "timing/gate.h"

/* For each kernel the largest standard shape of which a hundred calls take no more than a
 * second. */
static void keep_gate_cases(struct plan *plan)
{
    const double most_work = 1e9, most_bytes = 32e6;
    size_t kept = 0;
    for (size_t i = 0; i < plan->count; i++) {
        struct plan_case c = plan->cases[i];
        double work = plan_work(c.kernel, &c.shape);
        bool same = kept > 0 && plan->cases[kept - 1].kernel == c.kernel;
        if (c.threads > 1 || work > most_work || c.kernel->bytes(&c.shape) > most_bytes)
            continue;
        if (!same)
            plan->cases[kept++] = c;
        else if (work > plan_work(c.kernel, &plan->cases[kept - 1].shape))
            plan->cases[kept - 1] = c;
    }
    plan->count = kept;
}

int gate_mode_run(const struct arguments *a)
{
    const struct variant *variants[MAX_VARIANTS];
    const char *names[MAX_VARIANTS];
    size_t count = pick_variants(a, true, variants);
    for (size_t v = 0; v < count; v++)
        names[v] = variants[v]->name;
    struct plan plan;
    struct run run;
    char error[1024];
    run_init(&run);
    struct plan_options options = {.kernel = a->kernel,
                                   .shape = a->shapes[0] ? a->shapes : NULL,
                                   .threads = a->threads ? a->threads : 1,
                                   .cpus = timer_cpus(),
                                   .all = true};
    if (a->data)
        refuse("--data %s: --gate compares on standard data; leave it out", a->data);
    if (!plan_make(&plan, &options, &run, error, sizeof error))
        refuse("%s", error);
    if (!a->shapes[0])
        keep_gate_cases(&plan);
    enum gate_verdict verdict =
        gate_run(stdout, a->gate, &plan, names, count, a->seconds > 0.0 ? a->seconds : 60.0,
                 a->seed, error, sizeof error);
    plan_free(&plan);
    run_free(&run);
    if (verdict == GATE_ERROR)
        refuse("%s", error);
    return (int)verdict;
}
