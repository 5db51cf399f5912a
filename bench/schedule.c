/* schedule.c - in which order a launch times the cases of a run, and how its time is shared out
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

enum { MOST_IN_GROUP = 64 }; /* cases that are timed together */

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
    while (first->group != 0 && c < end && c->group == first->group && c - first < MOST_IN_GROUP)
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

size_t schedule_launches(const struct arguments *a)
{
    return a->smoke ? 2 : 8;
}

double schedule_budget(const struct arguments *a, bool peers)
{
    double seconds = a->curves ? 240.0 : peers ? 320.0 : 240.0;
    return a->seconds > 0.0 ? a->seconds : a->smoke ? 12.0 : seconds;
}

/* Of the time that a run has, what a group of a curve needs at least. The oracle need not run again
 * for the shape of the group before. */
static double least_seconds(const struct plan_case *cases, size_t size,
                            const struct plan_case *before, const struct sampler_options *options)
{
    bool judged = before && shape_same(&before->shape, &cases->shape);
    return cases->curve == CURVE_NONE ? 0.0 : sampler_least_seconds(cases, size, options, judged);
}

void schedule_refuse(void)
{
    refuse("there is no memory left; give fewer cases with --kernel or --shape");
}

/* A run's launches overlap in what they may take: the last one is to be whole. */
#define OVERTIME 1.1

/* What is needed to time one group after the other. */
struct scheduling {
    const struct arguments *a;
    struct plan *plan;
    struct run *known;
    const struct launch_order *order;
    const struct launch_talk *talk;
    const struct variant *picked[MOST_PICKED], *chosen[MOST_PICKED];
    size_t count; /* of picked */
    struct sampler_options options;
    double start, whole; /* when this launch began, what the run may take */
    double weights;      /* of the groups to come */
    double promised;     /* seconds that later launches need of the groups that are done */
};

/* Launches that are to time a case at least. */
#define LONG_CASE 4e9 /* flops and bytes */
static size_t launches_of(const struct scheduling *s, const struct plan_case *c)
{
    size_t launches = schedule_launches(s->a);
    bool is_long = plan_work(c->kernel, &c->shape) > LONG_CASE;
    return is_long && launches > FEWEST_LAUNCHES ? FEWEST_LAUNCHES : launches;
}

static size_t choose(struct scheduling *s, const struct plan_case *c)
{
    s->options.variant_count = case_variants(c, s->picked, s->count, s->chosen);
    s->options.widest_first = c->curve != CURVE_NONE;
    s->options.launches = launches_of(s, c);
    return s->options.variant_count;
}

/* Whether an earlier launch has come to it. */
static bool is_known(const struct scheduling *s, const struct plan_case *c)
{
    return run_find_result(s->known, c->order) != NULL;
}

/* Whether a long case had launches enough, and the others have not yet. */
static bool is_left_out(const struct scheduling *s, const struct plan_case *c)
{
    return is_known(s, c) && s->order->index >= launches_of(s, c) &&
           s->order->index < schedule_launches(s->a);
}

/* Seconds of the run that are left. */
static double seconds_left(const struct scheduling *s)
{
    return s->whole - s->order->elapsed - (timer_now() - s->start);
}

static bool time_again(struct scheduling *s, const struct plan_case *c, size_t size,
                       struct result *results, double weight_here)
{
    const struct result *known[MOST_IN_GROUP];
    double left = s->order->seconds - (timer_now() - s->start);
    for (size_t i = 0; i < size; i++)
        known[i] = run_find_result(s->known, c[i].order);
    return sampler_again(results, c, size, &s->options, known,
                         left > 0.0 ? left * weight_here / s->weights : 0.0);
}

static bool time_first(struct scheduling *s, const struct plan_case *c, size_t size,
                       struct result *results, double weight_here)
{
    double left = seconds_left(s) - s->promised, again = 0.0;
    if (s->a->smoke) /* goes on rather than leave a case out */
        left = fmax(left, 0.5 * s->whole);
    double share = left > 0.0 ? left * weight_here / s->weights : 0.0;
    if (c->curve != CURVE_NONE) /* by their work small batches would get nothing */
        share = fmax(share, LEAST_SHARE * s->whole);
    bool good = sampler_first(results, c, size, &s->options, share, left, &again);
    s->promised += again * (double)(s->options.launches - 1);
    return good;
}

static void time_group(struct scheduling *s, const struct plan_case *c, size_t size)
{
    struct run here;
    choose(s, c);
    double weight_here = weight(c, size, s->chosen, s->options.variant_count);
    run_init(&here);
    struct result *results = run_add_results(&here, size);
    if (!results)
        schedule_refuse();
    s->talk->begins(c);
    bool good = is_known(s, c) ? time_again(s, c, size, results, weight_here)
                               : time_first(s, c, size, results, weight_here);
    if (!good)
        schedule_refuse();
    s->weights -= weight_here;
    s->talk->done(results, size);
    here.best = s->known->best;
    run_judge(&here); /* its canaries show what the core reaches */
    s->known->best = here.best;
    run_free(&here);
}

void schedule_run(const struct arguments *a, struct plan *plan, struct run *known,
                  const struct launch_order *order, const struct launch_talk *talk)
{
    static struct variant peers[MAX_VARIANTS];
    static struct scheduling s;
    double script_seconds;
    s = (struct scheduling){
        .a = a, .plan = plan, .known = known, .order = order, .talk = talk, .start = order->begin};
    s.options = (struct sampler_options){.launches = schedule_launches(a),
                                         .max_rounds = a->smoke ? 3 : 12,
                                         .sample_seconds = a->smoke ? 50e-6 : 100e-6,
                                         .best = a->smoke ? NULL : &known->best,
                                         .peers_named = a->peers != NULL,
                                         .seed = a->seed,
                                         .variants = s.chosen,
                                         .progress = talk->progress};
    s.count = pick_variants(a, false, s.picked);
    talk->progress("starting peers");
    size_t peer_count = pick_peers(a, plan, known, order->scripts, peers, &script_seconds);
    talk->peers(peer_count, script_seconds);
    for (size_t p = 0; p < peer_count; p++)
        s.picked[s.count++] = &peers[p];
    s.whole = schedule_budget(a, peer_count > 0);
    const struct plan_case *end = plan->cases + plan->count, *c, *before = NULL;
    size_t size;
    double *needs = calloc(plan->count + 1, sizeof *needs); /* of the groups that begin there */
    if (!needs)
        schedule_refuse();
    qsort(plan->cases, plan->count, sizeof *plan->cases, compare_work);
    talk->progress("estimating");
    for (c = plan->cases; c < end; before = c, c += size) {
        size = group_size(c, end);
        size_t count = choose(&s, c);
        if (!is_left_out(&s, c))
            s.weights += weight(c, size, s.chosen, count);
        if (is_known(&s, c))
            continue;
        needs[c - plan->cases] = least_seconds(c, size, before, &s.options);
        s.options.reserved += needs[c - plan->cases];
    }
    for (c = plan->cases; c < end; c += size) {
        size = group_size(c, end);
        s.options.reserved -= needs[c - plan->cases];
        if (is_left_out(&s, c))
            continue;
        if (is_known(&s, c) && seconds_left(&s) < (1.0 - OVERTIME) * s.whole)
            break;
        time_group(&s, c, size);
    }
    free(needs);
    sampler_end();
    peers_close();
}
