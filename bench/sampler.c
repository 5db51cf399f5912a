/* sampler.c - times one case.
 * SPDX-License-Identifier: MIT
 *
 * Two consecutive blocks of the same kernel differ by 10 % and more on a shared machine. Here
 * everything that will be compared runs once in every round, in an order drawn anew for each pair
 * of rounds and turned round for the second (ABBA), so that a drift hits all alike and drops out of
 * the ratios.
 */
#include "sampler.h"

#include "counters.h"
#include "job.h"
#include "stats.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_ROUNDS = 6 }; /* the fewest whose extremes hold the median with 95 % */

/* A disturbed sample is taken again at once, so that its round is not lost, if it was not a long
 * one. */
enum { ATTEMPTS = 3 };
#define ATTEMPT_SECONDS 0.02

/* What is over within this time is done whatever the budget says; for hand-written variants, which
 * the run is about, the second. */
#define CHEAP_SECONDS        0.25
#define HAND_WRITTEN_SECONDS 5.0

/* One thing to be measured in a round: a variant, or a peak. */
struct entrant {
    const struct variant *variant; /* NULL: a peak */
    size_t column;
    enum peak peak;
    struct pace pace;
    double cost;   /* seconds in a round */
    size_t rounds; /* in how many it takes part */
};

static void say(const struct sampler_options *options, const char *format, const char *what)
{
    char text[128];
    if (!options->progress)
        return;
    snprintf(text, sizeof text, format, what);
    options->progress(text);
}

static bool describe(struct result *result, const struct plan_case *plan, const struct job *job)
{
    const struct shape *shape = &job->trial.shape;
    snprintf(result->kernel, sizeof result->kernel, "%s", plan->kernel->name);
    snprintf(result->family, sizeof result->family, "%s", plan->kernel->family);
    plan_shape_text(plan, result->shape, sizeof result->shape);
    snprintf(result->data, sizeof result->data, "%s",
             plan->source ? plan->source->name : fill_name(plan->fill));
    result->threads = plan->threads;
    result->order = plan->order;
    result->flops = plan->kernel->flops(shape);
    result->bytes = plan->kernel->bytes(shape);
    result->working_set = job->working_set;
    result->level = peak_level(job->working_set, plan->threads);
    result->rotated = job->pool_rows;
    return true;
}

static void not_timed(struct column *column, double seconds)
{
    double unit = seconds < 0.1 ? 1e-3 : 1.0, value = seconds / unit;
    column->state = COLUMN_NOT_TIMED;
    snprintf(column->note, sizeof column->note,
             "one call would take about %.*f %s, too long for this run's --seconds",
             value < 9.95 ? 1 : 0, value, seconds < 0.1 ? "ms" : "s");
}

static bool is_hand_written(const struct variant *variant)
{
    return variant->row && variant->row->isa != MMK_ISA_SCALAR &&
           strcmp(variant->name, variant->isa) == 0;
}

/* How the time is shared out: half of it to the hand-written variants, half to what they are
 * compared with, everyone an equal part of his half, of which he takes as many rounds as he needs.
 * A hand-written variant that needs more for the least number of rounds may take it from all. */
static size_t rounds_within(double cost, double budget, bool hand_written, size_t sharing,
                            size_t max_rounds)
{
    double fair = budget / 2.0 / (double)sharing / cost;
    double most = hand_written ? fmax(budget, HAND_WRITTEN_SECONDS) : CHEAP_SECONDS;
    if (fair >= (double)max_rounds)
        return max_rounds;
    if (fair >= LEAST_ROUNDS)
        return (size_t)fair;
    return LEAST_ROUNDS * cost <= most ? LEAST_ROUNDS : 0;
}

static size_t count_kind(const struct sampler_options *options, bool hand_written)
{
    size_t count = 0;
    for (size_t v = 0; v < options->variant_count; v++)
        count += is_hand_written(options->variants[v]) == hand_written;
    return count;
}

/* Evenly spread: `rounds` of `total` rounds. */
static bool takes_part(size_t rounds, size_t total, size_t round)
{
    return (round + 1) * rounds / total != round * rounds / total;
}

static void run_entrant(struct job *job, struct result *result, const struct entrant *entrant,
                        size_t round)
{
    if (!entrant->variant) {
        result->peak[entrant->peak][round] = peak_measure(entrant->peak, result->threads);
        return;
    }
    struct column *column = &result->columns[entrant->column];
    column->run++;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        enum disturbance disturbance;
        double seconds = job_sample(job, entrant->variant, entrant->pace, round, &disturbance);
        column->voided[disturbance]++;
        if (disturbance == UNDISTURBED)
            column->seconds[round] = seconds;
        if (disturbance == UNDISTURBED || seconds * (double)column->calls > ATTEMPT_SECONDS)
            break;
    }
}

static void run_rounds(struct job *job, struct result *result, const struct entrant *entrants,
                       size_t count, uint64_t seed)
{
    size_t order[64];
    uint64_t state = seed;
    for (size_t round = 0; round < result->rounds; round++) {
        bool second = round % 2 == 1;
        if (!second)
            stats_shuffle(count, order, &state);
        for (size_t i = 0; i < count; i++) {
            const struct entrant *entrant = &entrants[order[second ? count - 1 - i : i]];
            if (takes_part(entrant->rounds, result->rounds, round))
                run_entrant(job, result, entrant, round);
        }
    }
}

static void measure_ipc(struct job *job, struct result *result, const struct entrant *entrants,
                        size_t count)
{
    enum disturbance ignored;
    for (size_t i = 0; i < count; i++) {
        if (!entrants[i].variant || strcmp(counters_state(), "available") != 0)
            continue;
        struct column *column = &result->columns[entrants[i].column];
        counters_start();
        job_sample(job, entrants[i].variant, entrants[i].pace, 0, &ignored);
        column->ipc = counters_stop();
    }
}

/* Checks a variant, and finds its pace and what a round of it costs; false: it stays out. */
static bool admit(struct job *job, struct column *column, const struct sampler_options *options,
                  struct entrant *entrant)
{
    if (!job_check(job, entrant->variant, column)) {
        column->state = COLUMN_FAILED;
        return false;
    }
    if (job->plan->threads == 1)
        timer_pin();
    double start = timer_now();
    entrant->pace = job_calibrate(job, entrant->variant, options->sample_seconds);
    entrant->cost = timer_now() - start;
    column->calls = entrant->pace.calls;
    if (entrant->pace.warm_up > 0) { /* calibration was several runs; a round is one */
        enum disturbance ignored;
        start = timer_now();
        job_sample(job, entrant->variant, entrant->pace, 0, &ignored);
        entrant->cost = timer_now() - start;
    }
    timer_unpin();
    return true;
}

/* The job of the case before: the next is often the same with other threads or another workspace.
 */
static struct job kept;

static bool open_job(const struct plan_case *plan, uint64_t seed, char *error, size_t error_bytes)
{
    if (job_retarget(&kept, plan))
        return true;
    job_close(&kept);
    return job_open(&kept, plan, seed, error, error_bytes);
}

void sampler_end(void)
{
    job_close(&kept);
}

/* With inputs in rotation all variants take equally many calls, where that does not take a slow one
 * too long: the branch predictor learns a little in every lap, and the caches settle. */
static void equalise(struct result *result, struct entrant *entrants, size_t count)
{
    const double longest_sample = 5e-3;
    size_t calls = 1;
    for (size_t i = 0; i < count && result->rotated > 1; i++)
        calls = entrants[i].pace.calls > calls ? entrants[i].pace.calls : calls;
    for (size_t i = 0; i < count && result->rotated > 1; i++) {
        struct entrant *entrant = &entrants[i];
        double samples = (double)(entrant->pace.calls + entrant->pace.warm_up);
        double call = entrant->cost / samples;
        if (call * (double)calls > longest_sample)
            continue;
        entrant->pace = (struct pace){calls, result->rotated};
        entrant->cost = call * (double)(calls + result->rotated);
        result->columns[entrant->column].calls = calls;
    }
}

/* Every variant of a case that could not be opened. */
static bool note_all(struct result *result, const struct sampler_options *options, const char *note)
{
    for (size_t v = 0; v < options->variant_count; v++) {
        struct column *column = result_add_column(result);
        if (!column)
            return false;
        snprintf(column->variant, sizeof column->variant, "%s", options->variants[v]->name);
        column->state = COLUMN_NOT_TIMED;
        snprintf(column->note, sizeof column->note, "%s", note);
    }
    return true;
}

/* Adds a column for each variant, and marks those as not timed that cannot do the least number of
 * rounds, as far as a small shape can tell. False: no memory. */
static bool add_columns(struct result *result, const struct plan_case *plan,
                        const struct sampler_options *options, double oracle_seconds, double budget,
                        bool *any)
{
    for (size_t v = 0; v < options->variant_count; v++) {
        const struct variant *variant = options->variants[v];
        struct column *column = result_add_column(result);
        if (!column)
            return false;
        snprintf(column->variant, sizeof column->variant, "%s", variant->name);
        snprintf(column->isa, sizeof column->isa, "%s", variant->isa);
        snprintf(column->baseline, sizeof column->baseline, "%s", variant->baseline);
        column->calls = 1;
        double estimate = variant->row ? job_estimate(plan, variant, options->seed) / plan->threads
                                       : oracle_seconds;
        bool ours = is_hand_written(variant);
        /* Check and pace take two calls more. */
        double cost = estimate * (LEAST_ROUNDS + 2) / LEAST_ROUNDS;
        if (rounds_within(cost, budget, ours, count_kind(options, ours), options->max_rounds) == 0)
            not_timed(column, estimate);
        else
            *any = true;
    }
    return true;
}

/* Gives every entrant its number of rounds, drops those that get none, and adds the peaks. Returns
 * how many there are then. */
static size_t share_out(struct result *result, struct entrant *entrants, size_t count,
                        double budget, const struct sampler_options *options, size_t *rounds)
{
    size_t left = 0, sharing[2] = {0, 0};
    *rounds = 0;
    for (size_t i = 0; i < count; i++)
        sharing[is_hand_written(entrants[i].variant)]++;
    for (size_t i = 0; i < count; i++) {
        struct entrant entrant = entrants[i];
        bool ours = is_hand_written(entrant.variant);
        entrant.rounds =
            rounds_within(entrant.cost, budget, ours, sharing[ours], options->max_rounds);
        if (entrant.rounds == 0) {
            not_timed(&result->columns[entrant.column], entrant.cost);
            continue;
        }
        *rounds = entrant.rounds > *rounds ? entrant.rounds : *rounds;
        entrants[left++] = entrant;
    }
    for (int p = 0; p < PEAK_COUNT && left > 0; p++)
        if (peak_possible((enum peak)p))
            entrants[left++] = (struct entrant){.peak = (enum peak)p, .rounds = *rounds};
    return left;
}

bool sampler_run(struct result *result, const struct plan_case *plan,
                 const struct sampler_options *options, double budget)
{
    struct job *job = &kept;
    char error[160];
    double start = timer_now();
    say(options, "%s: filling", plan->kernel->name);
    if (!job_can_be_judged(plan, error, sizeof error) ||
        !open_job(plan, options->seed, error, sizeof error)) {
        struct job none = {.plan = plan, .pool_rows = 1};
        none.trial.shape = plan->shape;
        describe(result, plan, &none);
        return note_all(result, options, error);
    }
    describe(result, plan, job);

    bool any = false;
    static const struct variant oracle = {"ref", "", "", NULL};
    say(options, "%s: estimating", plan->kernel->name);
    omp_set_num_threads(plan->threads);
    double oracle_seconds = job_estimate(plan, &oracle, options->seed);
    if (!add_columns(result, plan, options, oracle_seconds, budget, &any))
        return false;

    say(options, "%s: checking", plan->kernel->name);
    if (any && !job_oracle(job, oracle_seconds / timer_cpus() < 0.1 * budget))
        return false;
    omp_set_num_threads(plan->threads);
    struct entrant entrants[64];
    size_t count = 0, rounds;
    for (size_t v = 0; v < options->variant_count; v++) {
        struct entrant entrant = {.variant = options->variants[v], .column = v};
        if (result->columns[v].state == COLUMN_TIMED &&
            admit(job, &result->columns[v], options, &entrant))
            entrants[count++] = entrant;
    }
    equalise(result, entrants, count);
    double left = fmax(budget - (timer_now() - start), 0.3 * budget);
    count = share_out(result, entrants, count, left, options, &rounds);
    if (!result_set_rounds(result, rounds))
        return false;
    say(options, "%s: timing", plan->kernel->name);
    if (plan->threads == 1)
        timer_pin();
    run_rounds(job, result, entrants, count, options->seed ^ (uint64_t)plan->order);
    measure_ipc(job, result, entrants, count);
    timer_unpin();
    return true;
}
