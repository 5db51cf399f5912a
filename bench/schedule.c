/* schedule.c - in which order the cases of a run are timed, and how the run's time is shared out
 * among them.
 * SPDX-License-Identifier: MIT
 */
#include "schedule.h"

#include "base/console.h"
#include "pick.h"
#include "timing/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Small cases first: what they leave of their share goes to the large ones. A group stays together:
 * its cases are of one size. */
static int compare_work(const void *left, const void *right)
{
    const struct plan_case *a = left, *b = right;
    double x = plan_work(a->kernel, &a->shape), y = plan_work(b->kernel, &b->shape);
    if (x != y)
        return x < y ? -1 : 1;
    return a->order - b->order;
}

/* How many cases from the first on are timed together. */
static size_t group_size(const struct plan_case *first, const struct plan_case *end)
{
    const struct plan_case *c = first + 1;
    while (first->group != 0 && c < end && c->group == first->group)
        c++;
    return (size_t)(c - first);
}

/* Which of the variants that were picked run a case. */
static size_t case_variants(const struct plan_case *c, const struct variant *const *picked,
                            size_t count, const struct variant **chosen)
{
    const struct variant *run[MOST_PICKED];
    size_t run_count = 0, chosen_count = 0;
    for (size_t v = 0; v < count; v++) {
        const struct peer *peer = picked[v]->peer;
        if (peer ? c->peers && peer->runs(c->kernel)
                 : picked[v]->row || c->threads == 1) /* the oracle has no threads of its own */
            run[run_count++] = picked[v];
    }
    if (c->curve != CURVE_NONE)
        return curve_variants(c->curve, run, run_count, chosen);
    for (; chosen_count < run_count; chosen_count++)
        chosen[chosen_count] = run[chosen_count];
    return chosen_count;
}

/* What a group of cases gets of the time that a run has: with peers half as much again. Of the
 * points of a curve large ones count in full, and every variant. */
static double weight(const struct plan_case *cases, size_t size,
                     const struct variant *const *variants, size_t count)
{
    double sum = 0.0;
    for (const struct plan_case *c = cases; c < cases + size; c++) {
        double work = plan_work(c->kernel, &c->shape) / 1e9;
        if (c->curve != CURVE_NONE)
            sum += work * (double)count;
        else
            sum += work < 1.0 ? 1.0 : work < 60.0 ? work : 60.0;
    }
    bool peers = count > 0 && variants[count - 1]->peer;
    return cases->curve == CURVE_NONE && peers ? 1.5 * sum : sum;
}

/* Of all the time, what a group of a curve gets at least. */
#define LEAST_SHARE 0.005

double schedule_budget(const struct arguments *a, bool peers)
{
    double seconds = a->curves ? 240.0 : peers ? 230.0 : 170.0;
    return a->seconds > 0.0 ? a->seconds : a->smoke ? 12.0 : seconds;
}

/* Of the time that a run has, what a group of a curve needs at least. The oracle need not run again
 * for the shape of the group before. */
static double least_seconds(const struct plan_case *cases, size_t size,
                            const struct plan_case *before, const struct sampler_options *options)
{
    bool judged = before && memcmp(&before->shape, &cases->shape, sizeof cases->shape) == 0;
    return cases->curve == CURVE_NONE ? 0.0 : sampler_least_seconds(cases, size, options, judged);
}

void schedule_refuse(void)
{
    refuse("there is no memory left; give fewer cases with --kernel or --shape");
}

void schedule_run(const struct arguments *a, struct plan *plan, struct run *run, double start)
{
    static struct variant peers[MAX_VARIANTS];
    const struct variant *picked[MOST_PICKED], *chosen[MOST_PICKED];
    size_t count = pick_variants(a, false, picked);
    size_t done = 0;
    progress_count(done, plan->count);
    progress("starting peers");
    size_t peer_count = pick_peers(a, plan, run, peers);
    for (size_t p = 0; p < peer_count; p++)
        picked[count++] = &peers[p];
    struct sampler_options options = {.max_rounds = a->smoke ? 6 : 61,
                                      .sample_seconds = a->smoke ? 50e-6 : 100e-6,
                                      .seed = a->seed,
                                      .variants = chosen,
                                      .progress = progress};
    double whole = schedule_budget(a, peer_count > 0), weights = 0.0;
    const struct plan_case *end = plan->cases + plan->count, *c, *before = NULL;
    size_t size;
    double *needs = calloc(plan->count + 1, sizeof *needs); /* of the groups that begin there */
    if (!needs)
        schedule_refuse();
    qsort(plan->cases, plan->count, sizeof *plan->cases, compare_work);
    progress("estimating");
    for (c = plan->cases; c < end; before = c, c += size) {
        size = group_size(c, end);
        options.variant_count = case_variants(c, picked, count, chosen);
        weights += weight(c, size, chosen, options.variant_count);
        needs[c - plan->cases] = least_seconds(c, size, before, &options);
        options.reserved += needs[c - plan->cases];
    }
    for (c = plan->cases; c < end; c += size) {
        size = group_size(c, end);
        options.variant_count = case_variants(c, picked, count, chosen);
        options.widest_first = c->curve != CURVE_NONE;
        options.reserved -= needs[c - plan->cases];
        double left = whole - (timer_now() - start);
        double ours = weight(c, size, chosen, options.variant_count);
        if (a->smoke) /* goes on rather than leave a case out */
            left = fmax(left, 0.5 * whole);
        double share = left > 0.0 ? left * ours / weights : 0.0;
        if (c->curve != CURVE_NONE) /* by their work small batches would get nothing */
            share = fmax(share, LEAST_SHARE * whole);
        weights -= ours;
        progress_count(done += size, plan->count);
        struct result *results = run_add_results(run, size);
        if (!results || !sampler_run(results, c, size, &options, share, left))
            schedule_refuse();
    }
    free(needs);
    progress_end();
    sampler_end();
    peers_close();
}
