/* sampler.c - times a group of cases.
 * SPDX-License-Identifier: MIT
 *
 * Two consecutive blocks of the same kernel differ by 10 % and more on a shared machine. Here
 * everything that will be compared runs once in every round, in an order drawn anew for each pair
 * of rounds and turned round for the second (ABBA), so that a drift hits all alike and drops out of
 * the ratios.
 */
#include "sampler.h"

#include "../base/fresh.h"
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

/* On other pages than the job before. */
static bool open_job(const struct plan_case *plan, uint64_t seed, char *error, size_t error_bytes)
{
    static uint64_t random;
    if (random == 0)
        random = (uint64_t)(1e9 * timer_now());
    if (job_retarget(&kept, plan))
        return true;
    job_close(&kept);
    fresh_begin(&random);
    bool good = job_open(&kept, plan, seed, error, error_bytes);
    fresh_end();
    return good;
}

/* Opens the job with all that the cases need, and describes the results. */
static bool open_group(struct group *group, char *error, size_t error_bytes)
{
    bool good = group->left > 0.0;
    if (!good)
        snprintf(error, error_bytes, NOTE_NO_TIME);
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
        /* A launch's only round is not to be lost: a long one has a second chance. */
        bool last = seconds * (double)column->calls > ATTEMPT_SECONDS &&
                    (attempt > 0 || entrant->rounds > 1);
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

/* ---- The rounds of a launch ------------------------------------------------------------------ */

/* A case is opened anew after so many rounds, where that takes little beside them: its pages are
 * drawn again. */
enum { ROUNDS_OF_A_DRAW = 3 };
#define MOST_DRAWN_BYTES 8e6
#define DRAW_SHARE       0.25

/* Rounds go on where too few were quiet, up to so many times what was planned. */
enum { MOST_TIMES = 3 };

/* What a launch's rounds have taken so far. */
struct progress {
    double start, drawing;
    size_t quiet;
    struct canaries last; /* read after the round before */
};

/* False: no memory. */
static bool draw_pages(struct group *group, size_t round, struct progress *progress)
{
    char error[160];
    double begin = timer_now();
    if (!group->known || round == 0 || round % ROUNDS_OF_A_DRAW != 0 ||
        group->job->data_bytes > MOST_DRAWN_BYTES ||
        progress->drawing > DRAW_SHARE * (begin - progress->start))
        return true;
    for (size_t e = 0; e < group->entrant_count; e++)
        entrant_release(group, &group->entrants[e]);
    job_close(group->job);
    bool good = open_job(group->cases, group->options->seed, error, sizeof error);
    for (size_t i = 0; good && i < group->count; i++)
        good = job_retarget(group->job, &group->cases[i]);
    good = good && entrants_prepare_again(group);
    progress->drawing += timer_now() - begin;
    return good;
}

/* The canaries tell of one core: of the cases with one thread. */
static bool has_canaries(const struct group *group)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->results[i].canary)
            return true;
    return false;
}

static void read_canaries(struct group *group, size_t round, struct progress *progress)
{
    struct canaries before = progress->last;
    entrants_set_threads(1);
    canaries_read(&progress->last);
    for (size_t i = 0; i < group->count; i++) {
        struct canaries *canary = group->results[i].canary;
        if (!canary)
            continue;
        canary[2 * round] = before;
        canary[2 * round + 1] = progress->last;
    }
    progress->quiet += mood_between(&before, &progress->last, group->options->best) == MOOD_QUIET;
}

/* Whether another round is to come: as many as were planned, and then, while the core is not ours
 * alone, within as much time again, until half of what was planned was quiet. */
static bool goes_on(const struct group *group, size_t planned, size_t round,
                    const struct progress *progress, double share)
{
    double taken = timer_now() - progress->start;
    if (round < planned)
        return true;
    return has_canaries(group) && progress->quiet < (planned + 1) / 2 &&
           round < MOST_TIMES * planned &&
           taken * (double)(round + 1) / (double)round < 2.0 * share;
}

/* False: no memory. */
static bool run_rounds(struct group *group, size_t planned, double share)
{
    size_t *order = malloc((group->entrant_count + 1) * sizeof *order), round;
    bool good = order != NULL;
    for (size_t i = 0; i < group->count; i++)
        if (group->cases[i].threads == 1 && planned > 0 && group->options->best)
            good = (group->results[i].canary = malloc(sizeof(struct canaries))) && good;
    uint64_t state =
        group->options->seed ^ (uint64_t)group->cases->order ^ (uint64_t)(1e9 * timer_now());
    struct progress progress = {.start = timer_now()};
    entrants_set_threads(1);
    canaries_read(&progress.last);
    for (round = 0; good && planned > 0 && goes_on(group, planned, round, &progress, share);
         round++) {
        bool second = round % 2 == 1;
        good = draw_pages(group, round, &progress);
        for (size_t i = 0; i < group->count; i++)
            good = good && result_set_rounds(&group->results[i], round + 1);
        if (!second && good)
            stats_shuffle(group->entrant_count, order, &state);
        for (size_t i = 0; good && i < group->entrant_count; i++) {
            const struct entrant *entrant =
                &group->entrants[order[second ? group->entrant_count - 1 - i : i]];
            if (is_due(entrant->rounds, planned, round % planned))
                run_entrant(group, entrant, round);
        }
        if (good && has_canaries(group))
            read_canaries(group, round, &progress);
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

static void admit_first(struct group *group)
{
    entrants_admit(group);
    shares_equalise(group);
}

static bool time_group(struct group *group, double *again)
{
    char error[160];
    if (!entrants_add_columns(group) || !entrants_list(group))
        return false;
    bool opened = open_group(group, error, sizeof error);
    group->opening = timer_now() - group->start;
    if (!opened)
        entrants_drop_all(group, error);
    else if (group->known)
        entrants_admit_again(group);
    else if (!run_oracle(group))
        return false;
    else
        admit_first(group);
    double spent = timer_now() - group->start;
    double share = fmax(group->share - spent, 0.3 * group->share);
    shares_give_rounds(group, share, fmax(group->left - spent, share));
    share /= (double)group->launches;
    if (group->entrant_count > 0)
        shares_make_room_for_peaks(group, share, shares_peaks_cost(group));
    size_t rounds = shares_most_rounds(group);
    shares_add_peaks(group);
    say(group, "timing");
    double start = timer_now();
    if (!run_rounds(group, rounds, share))
        return false;
    *again = group->opening + (timer_now() - start);
    if (!group->known)
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
        seconds += entrant_estimate(&group, &entrant) * (double)(options->launches + CALLS_BEFORE);
    return seconds;
}

bool sampler_first(struct result *results, const struct plan_case *cases, size_t count,
                   const struct sampler_options *options, double share, double left, double *again)
{
    struct group group = {.job = &kept,
                          .cases = cases,
                          .results = results,
                          .count = count,
                          .options = options,
                          .launches = options->launches,
                          .start = timer_now(),
                          .share = share,
                          .left = left};
    bool good = time_group(&group, again);
    free(group.entrants);
    return good;
}

bool sampler_again(struct result *results, const struct plan_case *cases, size_t count,
                   const struct sampler_options *options, const struct result *const *known,
                   double share)
{
    double ignored;
    struct group group = {.job = &kept,
                          .cases = cases,
                          .results = results,
                          .count = count,
                          .options = options,
                          .known = known,
                          .launches = 1,
                          .start = timer_now(),
                          .share = share,
                          .left = fmax(share, 1e-3)};
    bool good = time_group(&group, &ignored);
    free(group.entrants);
    return good;
}
