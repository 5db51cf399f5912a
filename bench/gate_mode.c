/* gate_mode.c - --gate: on which cases and variants two builds are compared, and what comes out.
 * SPDX-License-Identifier: MIT
 */
#include "gate_mode.h"

#include "base/console.h"
#include "base/new_file.h"
#include "pick.h"
#include "report/gate_report.h"
#include "results/gate_json.h"
#include "results/undisturbed.h"

#include <string.h>

enum { LEVELS = PEAK_COUNT };

/* A case is to be sampled some hundred times, and opened some ten times in both programs. */
#define MOST_WORK  5.5e9
#define MOST_BYTES 80e6

/* Shorter in n until it is small enough. False: it cannot be. */
static bool make_small(struct plan_case *c)
{
    double bytes = c->kernel->bytes(&c->shape);
    if (bytes > MOST_BYTES && strcmp(c->kernel->dims, "nd") == 0)
        c->shape.n = (size_t)((double)c->shape.n * MOST_BYTES / bytes);
    return plan_work(c->kernel, &c->shape) <= MOST_WORK &&
           c->kernel->bytes(&c->shape) <= 1.01 * MOST_BYTES;
}

/* For each kernel the largest standard shape in each level of memory, as far as it is short enough:
 * another way of the code is slow at another size. */
static void keep_gate_cases(struct plan *plan)
{
    size_t kept = 0, first = 0; /* of the kernel's */
    for (size_t i = 0; i < plan->count; i++) {
        struct plan_case c = plan->cases[i];
        if (!make_small(&c))
            continue;
        if (kept == 0 || plan->cases[kept - 1].kernel != c.kernel)
            first = kept;
        enum peak level = peak_level(c.kernel->bytes(&c.shape), 1);
        size_t at = first;
        while (at < kept && (plan->cases[at].workspace != c.workspace ||
                             peak_level(c.kernel->bytes(&plan->cases[at].shape), 1) != level))
            at++;
        if (at == kept ||
            plan_work(c.kernel, &c.shape) > plan_work(c.kernel, &plan->cases[at].shape))
            plan->cases[at] = c;
        kept += at == kept;
    }
    plan->count = kept;
}

/* A kernel that was asked for and has no case is named. With --shape only one asked for by its own
 * name: of a family, or of all, a shape chooses those that it fits. */
static void add_without_case(const struct arguments *a, const struct plan *plan, struct gate *gate)
{
    for (size_t k = 0; k < kernel_count; k++) {
        bool has_case = false;
        for (size_t i = 0; i < plan->count; i++)
            has_case = has_case || plan->cases[i].kernel == kernels[k];
        bool wanted = a->shapes[0] ? a->kernel && plan_names_by_name(a->kernel, kernels[k])
                                   : !a->kernel || plan_names_kernel(a->kernel, kernels[k]);
        if (!has_case && wanted)
            gate_add_without_case(gate, kernels[k]->name,
                                  a->shapes[0] ? "no --shape fits it"
                                               : "no standard shape is short enough; give --shape");
    }
}

/* With a clear word what a gate has no use for. */
static void refuse_what_does_not_apply(const struct arguments *a)
{
    const struct {
        bool given;
        const char *option;
    } others[] = {{a->data != NULL, "--data"},
                  {a->pairs != NULL, "--pairs"},
                  {a->bf16, "--bf16"},
                  {a->peers != NULL, "--peers"},
                  {a->curves != NULL, "--curves"},
                  {a->dim != 0, "--dim"},
                  {a->csv, "--csv"},
                  {a->smoke, "--smoke"},
                  {a->all, "--all"},
                  {a->profile != NULL, "--profile"},
                  {a->once != NULL, "--once"},
                  {a->tables != NULL, "--tables"},
                  {a->list, "--list"},
                  {a->precision_given, "--precision"},
                  {a->serve, "--serve"},
                  {a->launch, "--launch"},
                  {a->undisturbed != NULL, "--undisturbed"}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (others[i].given)
            refuse("%s does not go with --gate; leave one of them out", others[i].option);
}

static void write_files(const struct arguments *a, const struct gate *gate,
                        const struct machine *machine)
{
    char error[4600];
    struct new_file n;
    if (a->json &&
        !(new_file_open(&n, a->json, error, sizeof error) &&
          new_file_close(&n, gate_json_write(n.file, gate, machine), error, sizeof error)))
        refuse("%s", error);
    if (!a->junit)
        return;
    if (!new_file_open(&n, a->junit, error, sizeof error))
        refuse("%s", error);
    gate_report_junit(n.file, gate);
    if (!new_file_close(&n, true, error, sizeof error))
        refuse("%s", error);
}

/* How long a gate takes unless it is told. */
static double default_seconds(const struct arguments *a)
{
    return a->kernel && !strchr(a->kernel, ',') && kernel_find(a->kernel) ? 55.0 : 232.0;
}

int gate_mode_run(const struct arguments *a)
{
    const struct variant *variants[MAX_VARIANTS];
    const char *names[MAX_VARIANTS];
    struct machine machine;
    struct plan plan;
    struct run run;
    struct gate gate;
    char error[4600];
    refuse_what_does_not_apply(a);
    size_t count = pick_variants(a, true, variants);
    for (size_t v = 0; v < count; v++)
        names[v] = variants[v]->name;
    if ((a->json && !new_file_possible(a->json, error, sizeof error)) ||
        (a->junit && !new_file_possible(a->junit, error, sizeof error)))
        refuse("%s", error);
    run_init(&run);
    struct plan_options plan_options = {.kernel = a->kernel,
                                        .shape = a->shapes[0] ? a->shapes : NULL,
                                        .threads = a->threads ? a->threads : 1,
                                        .cpus = timer_cpus(),
                                        .all = true};
    if (!plan_make(&plan, &plan_options, &run, error, sizeof error))
        refuse("%s", error);
    if (!a->shapes[0])
        keep_gate_cases(&plan);
    struct gate_options options = {.baseline = a->gate,
                                   .seconds = a->seconds > 0.0 ? a->seconds : default_seconds(a),
                                   .threshold = a->threshold > 0.0 ? a->threshold / 100.0 : 0.02,
                                   .limit = a->limit > 0.0 ? a->limit : 20.0,
                                   .seed = a->seed,
                                   .progress = progress};
    gate_make(&gate, &options, &plan, names, count);
    add_without_case(a, &plan, &gate);
    bool all_kernels = !a->kernel || !plan_names_single_kernels(a->kernel);
    if (!gate_add_missing(&gate, all_kernels, !a->isa, error, sizeof error))
        refuse("%s", error);
    machine_describe(&machine);
    const char *dir = a->results ? a->results : "results";
    if (!undisturbed_load(&gate.best, dir, machine.slug, error, sizeof error))
        refuse("%s", error);
    if (!peaks_open(1, false))
        refuse("there is no memory for the bandwidth measurement; free some 50 MB");
    gate_run(&gate);
    progress_end();
    peaks_close();
    if (a->markdown)
        gate_report_markdown(stdout, &gate);
    else
        gate_report_text(stdout, &gate);
    if (a->results && !undisturbed_save(&gate.best, dir, machine.slug, error, sizeof error))
        refuse("%s", error);
    write_files(a, &gate, &machine);
    enum gate_verdict verdict = gate.verdict;
    gate_free(&gate);
    plan_free(&plan);
    run_free(&run);
    return (int)verdict;
}
