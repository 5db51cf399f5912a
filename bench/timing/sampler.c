/* sampler.c - times a group of cases.
 * SPDX-License-Identifier: MIT
 *
 * Two consecutive blocks of the same kernel differ by 10 % and more on a shared machine. Here
 * everything that will be compared runs once in every round, in an order drawn anew for each pair
 * of rounds and turned round for the second (ABBA), so that a drift hits all alike and drops out of
 * the ratios.
 */
#include "sampler.h"

#include "../base/stats.h"
#include "../machine/counters.h"
#include "shares.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A disturbed sample is taken again at once, so that its round is not lost, if it was not a long
 * one. */
enum { ATTEMPTS = 3 };
#define ATTEMPT_SECONDS 0.02

static void say(const struct group *group, const char *what)
{
    char text[256];
    if (!group->options->progress)
        return;
    snprintf(text, sizeof text, "%s %s: %s", group->results->kernel, group->results->shape, what);
    group->options->progress(text);
}

/* ---- Opening --------------------------------------------------------------------------------- */

static void describe(struct result *result, const struct plan_case *plan, const struct job *job)
{
    const struct shape *shape = &job->trial.shape;
    snprintf(result->kernel, sizeof result->kernel, "%s", plan->kernel->name);
    snprintf(result->family, sizeof result->family, "%s", plan->kernel->family);
    shape_write(plan, result->shape, sizeof result->shape);
    snprintf(result->data, sizeof result->data, "%s",
             plan->source ? plan->source->name : fill_name(plan->fill));
    result->curve = plan->curve;
    result->m = shape->m;
    result->d = shape->d;
    result->workspace = plan->workspace;
    result->workspace_bytes = (double)job->trial.options.workspace_bytes;
    result->threads = plan->threads;
    result->group = plan->group;
    result->order = plan->order;
    result->flops = plan->kernel->flops(shape);
    result->bytes = plan->kernel->bytes(shape);
    result->working_set = job->working_set;
    result->level = peak_level(job->working_set, plan->threads);
    result->rotated = job->pool_rows;
}

/* The job of the group before: the next is often the same with other threads or another
 * workspace. */
static struct job kept;

void sampler_end(void)
{
    job_close(&kept);
}

static bool open_job(const struct plan_case *plan, uint64_t seed, char *error, size_t error_bytes)
{
    if (job_retarget(&kept, plan))
        return true;
    job_close(&kept);
    return job_open(&kept, plan, seed, error, error_bytes);
}

/* Opens the job with all that the cases need, and describes the results. */
static bool open_group(struct group *group, char *error, size_t error_bytes)
{
    bool good = group->left > 0.0;
    if (!good)
        snprintf(error, error_bytes, "the cases before it took all of this run's --seconds");
    good = good && job_can_be_judged(group->cases, error, error_bytes) &&
           open_job(group->cases, group->options->seed, error, error_bytes);
    struct job none = {.pool_rows = 1};
    none.trial.shape = group->cases->shape;
    for (size_t i = 0; i < group->count; i++) {
        if (good && !job_retarget(group->job, &group->cases[i])) {
            snprintf(error, error_bytes, "no memory for the workspace");
            good = false;
        }
        describe(&group->results[i], &group->cases[i], good ? group->job : &none);
    }
    return good;
}

/* ---- Rounds ---------------------------------------------------------------------------------- */

/* Evenly spread: `rounds` of `total` rounds. */
static bool is_due(size_t rounds, size_t total, size_t round)
{
    return (round + 1) * rounds / total != round * rounds / total;
}

static void run_entrant(struct group *group, const struct entrant *entrant, size_t round)
{
    struct result *result = &group->results[entrant->at];
    entrants_set_threads(result->threads);
    if (!entrant->variant) {
        result->peak[entrant->peak][round] = peak_measure(entrant->peak, result->threads);
        return;
    }
    struct column *column = entrant_column(group, entrant);
    column->run++;
    entrant_take_over(group, entrant);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        enum disturbance disturbance;
        double seconds =
            job_sample(group->job, entrant->variant, entrant->pace, round, &disturbance);
        if (entrant_has_gone(column, seconds))
            break;
        column->voided[disturbance]++;
        if (disturbance == UNDISTURBED)
            column->seconds[round] = seconds;
        /* Of the least number of rounds none is to be lost: a long one has a second chance. */
        bool last = seconds * (double)column->calls > ATTEMPT_SECONDS &&
                    (attempt > 0 || entrant->rounds > LEAST_ROUNDS);
        if (disturbance == UNDISTURBED || last)
            break;
    }
}

/* What does not depend on the workspace: peaks and peers. */
static void copy_shared(struct group *group, size_t at)
{
    const struct result *from = &group->results[entrants_same_threads(group, at)];
    struct result *to = &group->results[at];
    for (int p = 0; p < PEAK_COUNT; p++)
        if (peak_possible((enum peak)p))
            memcpy(to->peak[p], from->peak[p], from->rounds * sizeof(double));
    for (size_t c = 0; c < to->column_count; c++) {
        if (!group->options->variants[c]->peer)
            continue;
        double *seconds = to->columns[c].seconds;
        memcpy(seconds, from->columns[c].seconds, from->rounds * sizeof(double));
        to->columns[c] = from->columns[c];
        to->columns[c].seconds = seconds;
    }
}

/* False: no memory. */
static bool run_rounds(struct group *group, size_t rounds)
{
    size_t *order = malloc((group->entrant_count + 1) * sizeof *order);
    bool good = order != NULL;
    for (size_t i = 0; i < group->count; i++)
        good = result_set_rounds(&group->results[i], rounds) && good;
    uint64_t state = group->options->seed ^ (uint64_t)group->cases->order;
    for (size_t round = 0; good && round < rounds; round++) {
        bool second = round % 2 == 1;
        if (!second)
            stats_shuffle(group->entrant_count, order, &state);
        for (size_t i = 0; i < group->entrant_count; i++) {
            const struct entrant *entrant =
                &group->entrants[order[second ? group->entrant_count - 1 - i : i]];
            if (is_due(entrant->rounds, rounds, round))
                run_entrant(group, entrant, round);
        }
    }
    timer_unpin();
    for (size_t i = 0; good && i < group->count; i++)
        if (entrants_same_threads(group, i) != i)
            copy_shared(group, i);
    free(order);
    return good;
}

static void measure_ipc(struct group *group)
{
    enum disturbance ignored;
    if (strcmp(counters_state(), "available") != 0)
        return;
    for (size_t e = 0; e < group->entrant_count; e++) {
        const struct entrant *entrant = &group->entrants[e];
        if (!entrant->variant || (entrant->variant->peer && entrant->variant->peer->run))
            continue; /* the counters are of this process */
        entrant_take_over(group, entrant);
        entrants_set_threads(group->cases[entrant->at].threads);
        counters_start();
        job_sample(group->job, entrant->variant, entrant->pace, 0, &ignored);
        entrant_column(group, entrant)->ipc = counters_stop();
    }
    timer_unpin();
}

/* ---- A group --------------------------------------------------------------------------------- */

/* Runs the oracle where there is someone to be judged, and time for it. */
static bool run_oracle(struct group *group)
{
    struct job *job = group->job;
    say(group, "estimating");
    double seconds =
        job->judged ? 0.0 : entrants_estimate_oracle(group->cases, group->options->seed);
    bool all_rows = seconds < 0.1 * group->share || !job_rows_are_independent(group->cases);
    if (all_rows && seconds > group->left) {
        char note[128];
        snprintf(note, sizeof note,
                 "the oracle would take about %.0f s for the check, too long for this run's "
                 "--seconds",
                 ceil(seconds));
        entrants_drop_all(group, note);
        return true;
    }
    entrants_drop_slow(group, all_rows ? seconds : 0.0);
    if (group->entrant_count == 0)
        return true;
    say(group, "checking");
    return job_oracle(job, all_rows);
}

static bool time_group(struct group *group)
{
    char error[160];
    if (!entrants_add_columns(group) || !entrants_list(group))
        return false;
    if (!open_group(group, error, sizeof error))
        entrants_drop_all(group, error);
    else if (!run_oracle(group))
        return false;
    entrants_admit(group);
    shares_equalise(group);
    double spent = timer_now() - group->start;
    double share = fmax(group->share - spent, 0.3 * group->share);
    shares_give_rounds(group, share, fmax(group->left - spent, share));
    if (group->entrant_count > 0)
        shares_make_room_for_peaks(group, share, shares_peaks_cost(group));
    size_t rounds = shares_most_rounds(group);
    shares_add_peaks(group);
    say(group, "timing");
    if (!run_rounds(group, rounds))
        return false;
    measure_ipc(group);
    for (size_t e = 0; e < group->entrant_count; e++)
        entrant_release(group, &group->entrants[e]);
    return true;
}

double sampler_least_seconds(const struct plan_case *cases, size_t count,
                             const struct sampler_options *options, bool judged)
{
    struct group group = {.cases = cases, .count = count, .options = options};
    double seconds = judged ? 0.0 : entrants_estimate_oracle(cases, options->seed);
    struct entrant entrant = {.variant = entrants_widest(&group)};
    for (; entrant.variant && entrant.at < count; entrant.at++)
        seconds += entrant_estimate(&group, &entrant) * (LEAST_ROUNDS + CALLS_BEFORE);
    return seconds;
}

bool sampler_run(struct result *results, const struct plan_case *cases, size_t count,
                 const struct sampler_options *options, double share, double left)
{
    struct group group = {.job = &kept,
                          .cases = cases,
                          .results = results,
                          .count = count,
                          .options = options,
                          .start = timer_now(),
                          .share = share,
                          .left = left};
    bool good = time_group(&group);
    free(group.entrants);
    return good;
}
