/* sampler.c - times a group of cases.
 * SPDX-License-Identifier: MIT
 *
 * Two consecutive blocks of the same kernel differ by 10 % and more on a shared machine. Here
 * everything that will be compared runs once in every round, in an order drawn anew for each pair
 * of rounds and turned round for the second (ABBA), so that a drift hits all alike and drops out of
 * the ratios.
 */
#include "sampler.h"

#include "../machine/counters.h"
#include "job.h"
#include "../base/stats.h"
#include "../base/text.h"

#include <math.h>
#include <omp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_ROUNDS = 6 }; /* the fewest whose extremes hold the median with 95 % */
enum { CALLS_BEFORE = 2 }; /* of a long call: the check, and finding the pace */

/* A disturbed sample is taken again at once, so that its round is not lost, if it was not a long
 * one. */
enum { ATTEMPTS = 3 };
#define ATTEMPT_SECONDS 0.02

/* The oracle, and what the compiler makes of our source, are timed even where their share is too
 * small, when they are over within this time. */
#define CHEAP_SECONDS 0.25

/* Each kind has an equal part of the time. Hand-written variants and peers are what a run is for:
 * they do the least number of rounds, if there is any time left for that. */
enum kind { HAND_WRITTEN, PEERS, BASELINES, KINDS };

/* Not so a peer whose check takes as many times as long as that of the widest of ours: its rounds
 * would take the time of the cases that follow. A small shape cannot tell, where there is a k. */
#define FAR_BEHIND 5.0

/* One thing to be measured in a round: a variant of a case, or a peak with a case's threads. */
struct entrant {
    const struct variant *variant; /* NULL: a peak */
    size_t at;                     /* which of the cases */
    size_t column;
    enum peak peak;
    struct pace pace;
    double cost;    /* seconds in a round */
    size_t rounds;  /* in how many it takes part */
    void *prepared; /* what its kernel prepared for it */
};

/* Cases that are timed in the same rounds. */
struct group {
    struct job *job; /* open, and the same but for threads and workspace */
    const struct plan_case *cases;
    struct result *results;
    size_t count;
    const struct sampler_options *options;
    /* Whoever comes first when time is short stands first. */
    struct entrant *entrants;
    size_t entrant_count;
    double start, share, left;
    double widest_check; /* seconds that the check of the widest of ours took */
};

static void say(const struct group *group, const char *what)
{
    char text[256];
    if (!group->options->progress)
        return;
    snprintf(text, sizeof text, "%s %s: %s", group->results->kernel, group->results->shape, what);
    group->options->progress(text);
}

/* ---- Opening ----------------------------------------------------------------------------------
 */

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

/* The job of the group before: the next is often the same with other threads or another workspace.
 */
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

/* ---- Who takes part ---------------------------------------------------------------------------
 */

__attribute__((format(printf, 2, 3))) static void not_timed(struct column *column,
                                                            const char *format, ...)
{
    va_list list;
    column->state = COLUMN_NOT_TIMED;
    va_start(list, format);
    vsnprintf(column->note, sizeof column->note, format, list);
    va_end(list);
}

static void too_slow(struct column *column, double seconds)
{
    char text[40];
    text_seconds(seconds, text, sizeof text);
    not_timed(column, "one call would take about %s, too long for this run's --seconds", text);
}

static enum kind kind_of(const struct variant *variant)
{
    return variant->peer ? PEERS : variant_is_hand_written(variant) ? HAND_WRITTEN : BASELINES;
}

/* Of `share` seconds what falls to each entrant of a kind. */
static void fair_parts(const struct group *group, double share, double part[KINDS])
{
    size_t count[KINDS] = {0}, kinds = 0;
    for (size_t e = 0; e < group->entrant_count; e++)
        kinds += count[kind_of(group->entrants[e].variant)]++ == 0;
    for (int k = 0; k < KINDS; k++)
        part[k] = count[k] ? share / (double)kinds / (double)count[k] : 0.0;
}

/* The first case with as many threads: what does not depend on the workspace is measured for it,
 * and holds for all of them. */
static size_t same_threads(const struct group *group, size_t at)
{
    size_t first = 0;
    while (group->cases[first].threads != group->cases[at].threads)
        first++;
    return first;
}

/* A peer is ready for one number of threads: that of the first case. */
static bool takes_part(const struct group *group, const struct variant *variant, size_t at)
{
    return !variant->peer || same_threads(group, at) == 0;
}

static bool add_columns(struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        for (size_t v = 0; v < group->options->variant_count; v++) {
            const struct variant *variant = group->options->variants[v];
            if (!takes_part(group, variant, i))
                continue;
            struct column *column = result_add_column(&group->results[i]);
            if (!column)
                return false;
            snprintf(column->variant, sizeof column->variant, "%s", variant->name);
            snprintf(column->isa, sizeof column->isa, "%s", variant->isa);
            snprintf(column->baseline, sizeof column->baseline, "%s", variant->baseline);
            column->calls = 1;
        }
    }
    return true;
}

static struct column *column_of(const struct group *group, const struct entrant *entrant)
{
    return &group->results[entrant->at].columns[entrant->column];
}

/* On all CPUs. Where it has matrices of its own, these are larger than any cache when its time
 * matters, and it is slower by about half than at a small shape. */
static double estimate_oracle(const struct plan_case *plan, uint64_t seed)
{
    static const struct variant oracle = {"ref", "", "", NULL, NULL};
    double slower = job_rows_are_independent(plan) ? 1.0 : 1.5;
    omp_set_num_threads(1);
    double judged = plan->kernel->judged ? plan->kernel->judged(&plan->shape) : 1.0;
    return judged * slower * job_estimate(plan, &oracle, seed) / timer_cpus();
}

static double estimate(const struct group *group, const struct entrant *entrant)
{
    const struct plan_case *plan = &group->cases[entrant->at];
    omp_set_num_threads(1); /* as the estimate is made */
    return job_estimate(plan, entrant->variant, group->options->seed) / plan->threads;
}

/* Takes the job over to the entrant's case, with what was prepared for the entrant. */
static void take_over(struct group *group, const struct entrant *entrant)
{
    job_retarget(group->job, &group->cases[entrant->at]); /* the largest workspace is there */
    group->job->trial.prepared = entrant->prepared;
}

/* Takes the job over, and a peer to the job's data. False: error says what the variant cannot do. */
static bool prepare(struct group *group, struct entrant *entrant, char *error, size_t error_bytes)
{
    take_over(group, entrant);
    omp_set_num_threads(group->cases[entrant->at].threads);
    variant_select(entrant->variant);
    bool good = variant_prepare(entrant->variant, &group->job->trial, error, error_bytes);
    entrant->prepared = group->job->trial.prepared;
    return good;
}

static void release(struct group *group, struct entrant *entrant)
{
    if (!entrant->prepared)
        return;
    take_over(group, entrant);
    group->job->trial.kernel->release(&group->job->trial);
    entrant->prepared = NULL;
}

/* The last of the hand-written; NULL: there is none. */
static const struct variant *widest(const struct group *group)
{
    for (size_t v = group->options->variant_count; v-- > 0;)
        if (kind_of(group->options->variants[v]) == HAND_WRITTEN)
            return group->options->variants[v];
    return NULL;
}

/* Who comes first when time is short: 0, 1 ... */
static int rank_of(const struct group *group, const struct variant *variant)
{
    switch (kind_of(variant)) {
    case HAND_WRITTEN:
        return group->options->widest_first && variant != widest(group) ? 2 : 0;
    case PEERS:
        return 1;
    default:
        return 3;
    }
}

/* Whether of the time left a variant may have what it needs, after those before it have spent
 * some. */
static bool may_spend(const struct group *group, const struct variant *variant, double needed,
                      double spent, double left)
{
    bool waits = variant != widest(group) && needed > CHEAP_SECONDS;
    return spent + needed <= left - (waits ? group->options->reserved : 0.0);
}

/* Lists variants as entrants by their rank, of ours the widest at the head. False: no memory. */
static bool list_entrants(struct group *group)
{
    enum { RANKS = 4 };
    size_t variants = group->options->variant_count;
    size_t most = group->count * (variants + PEAK_COUNT);
    group->entrants = calloc(most, sizeof *group->entrants);
    if (!group->entrants)
        return false;
    for (int rank = 0; rank < RANKS; rank++)
        for (size_t v = 0; v < variants; v++)
            for (size_t i = 0; i < group->count; i++) {
                size_t column = rank % 2 == 0 ? variants - 1 - v : v;
                const struct variant *variant = group->options->variants[column];
                if (rank_of(group, variant) == rank && (!variant->peer || i == 0))
                    group->entrants[group->entrant_count++] =
                        (struct entrant){.variant = variant, .at = i, .column = column};
            }
    return true;
}

/* Drops those that cannot do the case, or not the least number of rounds in time, as far as a small
 * shape can tell; `spent` seconds go to the oracle. */
static void drop_slow(struct group *group, double spent)
{
    double part[KINDS];
    size_t left = 0;
    fair_parts(group, group->share, part);
    for (size_t e = 0; e < group->entrant_count; e++) {
        struct entrant entrant = group->entrants[e];
        struct column *column = column_of(group, &entrant);
        enum kind kind = kind_of(entrant.variant);
        char error[256];
        if (entrant.variant->peer && !prepare(group, &entrant, error, sizeof error)) {
            not_timed(column, "%s", error);
            continue;
        }
        double seconds = estimate(group, &entrant);
        double needed = seconds * (LEAST_ROUNDS + CALLS_BEFORE);
        if ((kind == BASELINES && needed > fmax(part[kind], CHEAP_SECONDS)) ||
            !may_spend(group, entrant.variant, needed, spent, group->left)) {
            too_slow(column, seconds);
            continue;
        }
        spent += needed;
        group->entrants[left++] = entrant;
    }
    group->entrant_count = left;
}

/* Of a case with one thread the calling thread stays where it is. */
static void set_threads(int threads)
{
    omp_set_num_threads(threads);
    if (threads == 1)
        timer_pin();
    else
        timer_unpin();
}

/* A peer's process that has gone cannot be timed any more, nor what returns an error. */
static bool has_gone(struct column *column, double seconds)
{
    if (isnan(seconds))
        not_timed(column, "it failed, or its process ended, while it was being timed");
    return isnan(seconds);
}

/* Of a peer in another process the check is more than a call. */
static bool is_far_behind(const struct group *group, const struct variant *variant, double check,
                          double part)
{
    return variant->peer && !variant->peer->run && group->widest_check > 0.0 &&
           check > FAR_BEHIND * group->widest_check &&
           LEAST_ROUNDS * check > fmax(part, CHEAP_SECONDS);
}

static void describe_peer(const struct peer *peer, struct column *column)
{
    snprintf(column->library, sizeof column->library, "%s; %s%s%s", peer->version, peer->kernel,
             peer->how[0] ? "; " : "", peer->how);
}

/* Checks a variant, and finds its pace and what a round of it costs; false: it stays out. `part` is
 * what it may take of the group's share. */
static bool admit(struct group *group, struct entrant *entrant, double part)
{
    struct column *column = column_of(group, entrant);
    char error[256];
    if (variant_is_oracle(entrant->variant) && group->job->trial.judged_rows > 0) {
        not_timed(column, "of so large a case the oracle judges some rows only");
        return false;
    }
    if (!prepare(group, entrant, error, sizeof error)) {
        not_timed(column, "%s", error);
        return false;
    }
    if (entrant->variant->peer)
        describe_peer(entrant->variant->peer, column);
    double start = timer_now();
    if (!job_check(group->job, entrant->variant, column)) {
        column->state = COLUMN_FAILED;
        return false;
    }
    double check = timer_now() - start;
    if (entrant->variant == widest(group) && entrant->at == 0)
        group->widest_check = check;
    if (is_far_behind(group, entrant->variant, check, part)) {
        too_slow(column, check);
        return false;
    }
    set_threads(group->cases[entrant->at].threads);
    start = timer_now();
    entrant->pace = job_calibrate(group->job, entrant->variant, group->options->sample_seconds);
    entrant->cost = timer_now() - start;
    column->calls = entrant->pace.calls;
    double sampled = 0.0;
    if (entrant->pace.warm_up > 0) { /* calibration was several runs; a round is one */
        enum disturbance ignored;
        start = timer_now();
        sampled = job_sample(group->job, entrant->variant, entrant->pace, 0, &ignored);
        entrant->cost = timer_now() - start;
    }
    timer_unpin();
    return !has_gone(column, sampled);
}

static void admit_all(struct group *group)
{
    size_t left = 0;
    double part[KINDS];
    fair_parts(group, group->share, part);
    for (size_t e = 0; e < group->entrant_count; e++)
        if (admit(group, &group->entrants[e], part[kind_of(group->entrants[e].variant)]))
            group->entrants[left++] = group->entrants[e];
        else
            release(group, &group->entrants[e]);
    group->entrant_count = left;
}

/* With inputs in rotation all variants take equally many calls, where that does not take a slow one
 * too long: the branch predictor learns a little in every lap, and the caches settle. */
static void equalise(struct group *group)
{
    const double longest_sample = 5e-3;
    size_t calls = 1, rotated = group->results->rotated;
    if (rotated == 1)
        return;
    for (size_t e = 0; e < group->entrant_count; e++)
        if (group->entrants[e].pace.calls > calls)
            calls = group->entrants[e].pace.calls;
    for (size_t e = 0; e < group->entrant_count; e++) {
        struct entrant *entrant = &group->entrants[e];
        double call = entrant->cost / (double)(entrant->pace.calls + entrant->pace.warm_up);
        if (call * (double)calls > longest_sample)
            continue;
        entrant->pace = (struct pace){calls, rotated};
        entrant->cost = call * (double)(calls + rotated);
        column_of(group, entrant)->calls = calls;
    }
}

/* ---- Sharing out the time ---------------------------------------------------------------------
 */

/* Every peak once for every number of threads: what that costs in a round. */
static double peaks_cost(const struct group *group)
{
    double start = timer_now();
    for (size_t i = 0; i < group->count; i++) {
        if (same_threads(group, i) != i)
            continue;
        set_threads(group->cases[i].threads);
        for (int p = 0; p < PEAK_COUNT; p++)
            if (peak_possible((enum peak)p))
                peak_measure((enum peak)p, group->cases[i].threads);
    }
    timer_unpin();
    return timer_now() - start;
}

/* Gives every entrant its rounds: of its part of the time as many as it needs. Drops those for
 * whose least number of rounds there is no time. */
static void share_out(struct group *group, double share, double left)
{
    double part[KINDS], spent = 0.0;
    size_t kept_count = 0;
    fair_parts(group, share, part);
    for (size_t e = 0; e < group->entrant_count; e++) {
        struct entrant entrant = group->entrants[e];
        enum kind kind = kind_of(entrant.variant);
        double fair = part[kind] / entrant.cost, needed = LEAST_ROUNDS * entrant.cost;
        if ((kind == BASELINES && fair < LEAST_ROUNDS && needed > CHEAP_SECONDS) ||
            !may_spend(group, entrant.variant, needed, spent, left)) {
            too_slow(column_of(group, &entrant), entrant.cost);
            continue;
        }
        entrant.rounds = fair < LEAST_ROUNDS                         ? LEAST_ROUNDS
                         : fair < (double)group->options->max_rounds ? (size_t)fair
                                                                     : group->options->max_rounds;
        spent += needed;
        group->entrants[kept_count++] = entrant;
    }
    group->entrant_count = kept_count;
}

static size_t most_rounds(const struct group *group)
{
    size_t rounds = 0;
    for (size_t e = 0; e < group->entrant_count; e++)
        rounds = group->entrants[e].rounds > rounds ? group->entrants[e].rounds : rounds;
    return rounds;
}

/* Fewer rounds for those that have most, until with the peaks in every round all is within the
 * share; not fewer than the least. */
static void make_room_for_peaks(struct group *group, double share, double peaks)
{
    size_t rounds = most_rounds(group);
    for (; rounds > LEAST_ROUNDS; rounds--) {
        double total = (double)rounds * peaks;
        for (size_t e = 0; e < group->entrant_count; e++)
            total +=
                group->entrants[e].cost * fmin((double)group->entrants[e].rounds, (double)rounds);
        if (total <= share)
            break;
    }
    for (size_t e = 0; e < group->entrant_count; e++)
        if (group->entrants[e].rounds > rounds)
            group->entrants[e].rounds = rounds;
}

static void add_peaks(struct group *group)
{
    size_t rounds = most_rounds(group);
    for (size_t i = 0; i < group->count && rounds > 0; i++)
        for (int p = 0; p < PEAK_COUNT; p++)
            if (same_threads(group, i) == i && peak_possible((enum peak)p))
                group->entrants[group->entrant_count++] =
                    (struct entrant){.at = i, .peak = (enum peak)p, .rounds = rounds};
}

/* ---- Rounds -----------------------------------------------------------------------------------
 */

/* Evenly spread: `rounds` of `total` rounds. */
static bool is_due(size_t rounds, size_t total, size_t round)
{
    return (round + 1) * rounds / total != round * rounds / total;
}

static void run_entrant(struct group *group, const struct entrant *entrant, size_t round)
{
    struct result *result = &group->results[entrant->at];
    set_threads(result->threads);
    if (!entrant->variant) {
        result->peak[entrant->peak][round] = peak_measure(entrant->peak, result->threads);
        return;
    }
    struct column *column = column_of(group, entrant);
    column->run++;
    take_over(group, entrant);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        enum disturbance disturbance;
        double seconds =
            job_sample(group->job, entrant->variant, entrant->pace, round, &disturbance);
        if (has_gone(column, seconds))
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
    const struct result *from = &group->results[same_threads(group, at)];
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
        if (same_threads(group, i) != i)
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
        take_over(group, entrant);
        set_threads(group->cases[entrant->at].threads);
        counters_start();
        job_sample(group->job, entrant->variant, entrant->pace, 0, &ignored);
        column_of(group, entrant)->ipc = counters_stop();
    }
    timer_unpin();
}

/* ---- A group ----------------------------------------------------------------------------------
 */

/* For every variant of every case why it was not timed. */
static void drop_all(struct group *group, const char *note)
{
    for (size_t e = 0; e < group->entrant_count; e++)
        not_timed(column_of(group, &group->entrants[e]), "%s", note);
    group->entrant_count = 0;
}

/* Runs the oracle where there is someone to be judged, and time for it. */
static bool run_oracle(struct group *group)
{
    struct job *job = group->job;
    say(group, "estimating");
    double seconds = job->judged ? 0.0 : estimate_oracle(group->cases, group->options->seed);
    bool all_rows = seconds < 0.1 * group->share || !job_rows_are_independent(group->cases);
    if (all_rows && seconds > group->left) {
        char note[128];
        snprintf(note, sizeof note,
                 "the oracle would take about %.0f s for the check, too long for this run's "
                 "--seconds",
                 ceil(seconds));
        drop_all(group, note);
        return true;
    }
    drop_slow(group, all_rows ? seconds : 0.0);
    if (group->entrant_count == 0)
        return true;
    say(group, "checking");
    return job_oracle(job, all_rows);
}

static bool time_group(struct group *group)
{
    char error[160];
    if (!add_columns(group) || !list_entrants(group))
        return false;
    if (!open_group(group, error, sizeof error))
        drop_all(group, error);
    else if (!run_oracle(group))
        return false;
    admit_all(group);
    equalise(group);
    double spent = timer_now() - group->start;
    double share = fmax(group->share - spent, 0.3 * group->share);
    share_out(group, share, fmax(group->left - spent, share));
    if (group->entrant_count > 0)
        make_room_for_peaks(group, share, peaks_cost(group));
    size_t rounds = most_rounds(group);
    add_peaks(group);
    say(group, "timing");
    if (!run_rounds(group, rounds))
        return false;
    measure_ipc(group);
    for (size_t e = 0; e < group->entrant_count; e++)
        release(group, &group->entrants[e]);
    return true;
}

double sampler_least_seconds(const struct plan_case *cases, size_t count,
                             const struct sampler_options *options, bool judged)
{
    struct group group = {.cases = cases, .count = count, .options = options};
    double seconds = judged ? 0.0 : estimate_oracle(cases, options->seed);
    struct entrant entrant = {.variant = widest(&group)};
    for (; entrant.variant && entrant.at < count; entrant.at++)
        seconds += estimate(&group, &entrant) * (LEAST_ROUNDS + CALLS_BEFORE);
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
