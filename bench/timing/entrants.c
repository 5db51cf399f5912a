/* entrants.c - who takes part in the rounds: checked, quick enough for the time, at a pace of its
 * own.
 * SPDX-License-Identifier: MIT
 */
#include "entrants.h"

#include "../base/text.h"

#include <math.h>
#include <omp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A peer whose check takes as many times as long as that of the widest of ours does not get a round
 * a launch, unless it was asked for by name: they would take the time of the cases that follow. A
 * small shape cannot tell, where there is a k. */
#define FAR_BEHIND 5.0

__attribute__((format(printf, 2, 3))) static void not_timed(struct column *column,
                                                            const char *format, ...)
{
    va_list list;
    column->state = COLUMN_NOT_TIMED;
    va_start(list, format);
    vsnprintf(column->note, sizeof column->note, format, list);
    va_end(list);
}

void entrant_too_slow(struct column *column, double seconds)
{
    char text[40];
    text_seconds(seconds, text, sizeof text);
    not_timed(column, "one call would take about %s, too long for this run's --seconds", text);
}

enum kind entrant_kind(const struct variant *variant)
{
    return variant->peer ? PEERS : variant_is_hand_written(variant) ? HAND_WRITTEN : BASELINES;
}

void entrants_fair_parts(const struct group *group, double share, double part[KINDS])
{
    size_t count[KINDS] = {0}, kinds = 0;
    for (size_t e = 0; e < group->entrant_count; e++)
        kinds += count[entrant_kind(group->entrants[e].variant)]++ == 0;
    for (int k = 0; k < KINDS; k++)
        part[k] = count[k] ? share / (double)kinds / (double)count[k] : 0.0;
}

size_t entrants_same_threads(const struct group *group, size_t at)
{
    size_t first = 0;
    while (group->cases[first].threads != group->cases[at].threads)
        first++;
    return first;
}

/* A peer is ready for one number of threads: that of the first case. */
static bool takes_part(const struct group *group, const struct variant *variant, size_t at)
{
    return !variant->peer || entrants_same_threads(group, at) == 0;
}

bool entrants_add_columns(struct group *group)
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

struct column *entrant_column(const struct group *group, const struct entrant *entrant)
{
    return &group->results[entrant->at].columns[entrant->column];
}

/* Where the oracle has matrices of its own, these are larger than any cache when its time matters,
 * and it is slower by about half than at a small shape. */
double entrants_estimate_oracle(const struct plan_case *plan, uint64_t seed)
{
    static const struct variant oracle = {"ref", "", "", NULL, NULL};
    double slower = job_rows_are_independent(plan) ? 1.0 : 1.5;
    omp_set_num_threads(1);
    double judged = plan->kernel->judged ? plan->kernel->judged(&plan->shape) : 1.0;
    return judged * slower * job_estimate(plan, &oracle, seed) / timer_cpus();
}

double entrant_estimate(const struct group *group, const struct entrant *entrant)
{
    const struct plan_case *plan = &group->cases[entrant->at];
    omp_set_num_threads(1); /* as the estimate is made */
    return job_estimate(plan, entrant->variant, group->options->seed) / plan->threads;
}

void entrant_take_over(struct group *group, const struct entrant *entrant)
{
    job_retarget(group->job, &group->cases[entrant->at]); /* the largest workspace is there */
    group->job->trial.prepared = entrant->prepared;
}

/* Takes the job over, and a peer to the job's data. False: error says what the variant cannot
 * do. */
static bool prepare(struct group *group, struct entrant *entrant, char *error, size_t error_bytes)
{
    entrant_take_over(group, entrant);
    omp_set_num_threads(group->cases[entrant->at].threads);
    variant_select(entrant->variant);
    bool good = variant_prepare(entrant->variant, &group->job->trial, error, error_bytes);
    entrant->prepared = group->job->trial.prepared;
    return good;
}

void entrant_release(struct group *group, struct entrant *entrant)
{
    if (!entrant->prepared)
        return;
    entrant_take_over(group, entrant);
    group->job->trial.kernel->release(&group->job->trial);
    entrant->prepared = NULL;
}

/* One without its extension stands behind the whole set, and counts where there is no such. */
const struct variant *entrants_widest(const struct group *group)
{
    const struct variant *widest = NULL;
    for (size_t v = group->options->variant_count; v-- > 0;) {
        const struct variant *variant = group->options->variants[v];
        if (entrant_kind(variant) != HAND_WRITTEN)
            continue;
        if (!strchr(variant->name, ':'))
            return variant;
        widest = widest ? widest : variant;
    }
    return widest;
}

/* Who comes first when time is short: 0, 1 ... */
static int rank_of(const struct group *group, const struct variant *variant)
{
    switch (entrant_kind(variant)) {
    case HAND_WRITTEN:
        return group->options->widest_first && variant != entrants_widest(group) ? 2 : 0;
    case PEERS:
        return 1;
    default:
        return 3;
    }
}

bool entrants_may_spend(const struct group *group, const struct variant *variant, double needed,
                        double spent, double left)
{
    bool waits = variant != entrants_widest(group) && needed > CHEAP_SECONDS;
    return spent + needed <= left - (waits ? group->options->reserved : 0.0);
}

bool entrants_list(struct group *group)
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

void entrants_drop_slow(struct group *group, double spent)
{
    double part[KINDS];
    size_t kept = 0;
    entrants_fair_parts(group, group->share, part);
    for (size_t e = 0; e < group->entrant_count; e++) {
        struct entrant entrant = group->entrants[e];
        struct column *column = entrant_column(group, &entrant);
        enum kind kind = entrant_kind(entrant.variant);
        char error[256];
        if (entrant.variant->peer && !prepare(group, &entrant, error, sizeof error)) {
            not_timed(column, "%s", error);
            continue;
        }
        double seconds = entrant_estimate(group, &entrant);
        double needed = seconds * (double)(group->launches + CALLS_BEFORE);
        if ((kind == BASELINES && needed > fmax(part[kind], CHEAP_SECONDS)) ||
            !entrants_may_spend(group, entrant.variant, needed, spent, group->left)) {
            entrant_too_slow(column, seconds);
            continue;
        }
        spent += needed;
        group->entrants[kept++] = entrant;
    }
    group->entrant_count = kept;
}

void entrants_drop_all(struct group *group, const char *note)
{
    for (size_t e = 0; e < group->entrant_count; e++)
        not_timed(entrant_column(group, &group->entrants[e]), "%s", note);
    group->entrant_count = 0;
}

void entrants_set_threads(int threads)
{
    omp_set_num_threads(threads);
    if (threads == 1)
        timer_pin();
    else
        timer_unpin();
}

bool entrant_has_gone(struct column *column, double seconds)
{
    if (isnan(seconds))
        not_timed(column, "it failed, or its process ended, while it was being timed");
    return isnan(seconds);
}

/* Of a peer in another process the check is more than a call. */
static bool is_far_behind(const struct group *group, const struct variant *variant, double check,
                          double part)
{
    return variant->peer && !variant->peer->run && !group->options->peers_named &&
           group->widest_check > 0.0 && check > FAR_BEHIND * group->widest_check &&
           (double)group->launches * check > fmax(part, CHEAP_SECONDS);
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
    struct column *column = entrant_column(group, entrant);
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
    if (entrant->variant == entrants_widest(group) && entrant->at == 0)
        group->widest_check = check;
    if (is_far_behind(group, entrant->variant, check, part)) {
        entrant_too_slow(column, check);
        return false;
    }
    entrants_set_threads(group->cases[entrant->at].threads);
    start = timer_now();
    entrant->pace = job_calibrate(group->job, entrant->variant, group->options->sample_seconds);
    entrant->cost = timer_now() - start;
    double sampled = 0.0;
    if (entrant->pace.warm_up > 0) { /* calibration was several runs; a round is one */
        enum disturbance ignored;
        start = timer_now();
        sampled = job_sample(group->job, entrant->variant, entrant->pace, 0, &ignored);
        entrant->cost = timer_now() - start;
    }
    timer_unpin();
    return !entrant_has_gone(column, sampled);
}

/* A first call pays for pages, tables and threads. Of ours one pays for all; and a long one is left
 * out, of which that is a small part. */
static void warm_up_once(struct group *group, const struct entrant *entrant, bool first)
{
    const double long_call = 0.5;
    enum disturbance ignored;
    if (entrant->cost > long_call || !(first || entrant->variant->peer))
        return;
    entrants_set_threads(group->cases[entrant->at].threads);
    job_sample(group->job, entrant->variant, (struct pace){1, 0}, 0, &ignored);
    timer_unpin();
}

void entrants_admit_again(struct group *group)
{
    size_t kept = 0;
    trial_poison(&group->job->trial);
    for (size_t e = 0; e < group->entrant_count; e++) {
        struct entrant *entrant = &group->entrants[e];
        struct column *column = entrant_column(group, entrant);
        const struct column *known =
            result_find_column(group->known[entrant->at], entrant->variant->name);
        char error[256];
        bool taken = known && known->state == COLUMN_TIMED && known->run > 0;
        column->state = COLUMN_NOT_TIMED;
        if (!taken || !prepare(group, entrant, error, sizeof error))
            continue;
        column->state = COLUMN_TIMED;
        column->calls = known->calls;
        column->warm_up = known->warm_up;
        column->cost = entrant->cost = known->cost;
        entrant->pace = (struct pace){known->calls, known->warm_up};
        if (known->warm_up == 0)
            warm_up_once(group, entrant, kept == 0);
        group->entrants[kept++] = *entrant;
    }
    group->entrant_count = kept;
}

bool entrants_prepare_again(struct group *group)
{
    char error[256];
    bool good = true;
    for (size_t e = 0; e < group->entrant_count && good; e++) {
        struct entrant *entrant = &group->entrants[e];
        const struct peer *peer = entrant->variant ? entrant->variant->peer : NULL;
        if (entrant->variant && !(peer && peer->run))
            good = prepare(group, entrant, error, sizeof error);
    }
    return good;
}

void entrants_admit(struct group *group)
{
    size_t kept = 0;
    double part[KINDS];
    entrants_fair_parts(group, group->share, part);
    for (size_t e = 0; e < group->entrant_count; e++)
        if (admit(group, &group->entrants[e], part[entrant_kind(group->entrants[e].variant)]))
            group->entrants[kept++] = group->entrants[e];
        else
            entrant_release(group, &group->entrants[e]);
    group->entrant_count = kept;
}
