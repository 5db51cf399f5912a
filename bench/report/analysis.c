/* analysis.c - from raw samples to what a row of a table says.
 * SPDX-License-Identifier: MIT
 */
#include "analysis.h"

#include "../../ref/cases.h"
#include "../base/memory.h"
#include "../base/text.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The rates of multiply-adds stand in the order of the instruction sets. */
static_assert((int)PEAK_MULTIPLY_ADD_SCALAR == (int)MMK_ISA_SCALAR &&
                  (int)PEAK_FMA_AVX2 == (int)MMK_ISA_AVX2 &&
                  (int)PEAK_FMA_AVX512 == (int)MMK_ISA_AVX512 &&
                  (int)PEAK_FMA_NEON == (int)MMK_ISA_NEON && (int)PEAK_READ_L1 == MMK_ISA_COUNT,
              "a rate that enum mmk_isa has and enum peak has not");

/* The rate of multiply-adds that bounds a variant of the instruction set. */
static bool find_rate(const char *isa, enum peak *peak)
{
    for (int i = 0; i < MMK_ISA_COUNT; i++) {
        if (strcmp(mmk_isa_name((enum mmk_isa)i), isa) == 0) {
            *peak = (enum peak)(PEAK_MULTIPLY_ADD_SCALAR + i);
            return true;
        }
    }
    return false;
}

/* ---- Which rounds count ---------------------------------------------------------------------- */

/* The first `rounds` of them, void where they were of another mood; without moods as they are. */
static double *rounds_of(const struct result *result, enum mood mood, const double *values,
                         size_t rounds)
{
    double *kept = memory_new(rounds, sizeof *kept);
    for (size_t r = 0; r < rounds; r++)
        kept[r] = !result->mood || result->mood[r] == mood ? values[r] : (double)NAN;
    return kept;
}

double *analyse_quiet_rounds(const struct result *result, const double *values)
{
    return rounds_of(result, MOOD_QUIET, values, result->rounds);
}

static struct estimate estimate_of(const struct result *result, enum mood mood,
                                   const double *numerator, const double *denominator,
                                   size_t rounds)
{
    struct estimate e = {.n = 0};
    if (!numerator || rounds == 0)
        return e;
    double *kept = rounds_of(result, mood, numerator, rounds);
    if (!result->launch)
        e = denominator ? stats_paired_ratio(kept, denominator, rounds)
                        : stats_estimate(kept, rounds);
    else
        e = denominator ? stats_ratio_by_launch(kept, denominator, result->launch, rounds)
                        : stats_by_launch(kept, result->launch, rounds);
    free(kept);
    return e;
}

struct estimate analyse_series(const struct result *result, const double *numerator,
                               const double *denominator)
{
    return estimate_of(result, MOOD_QUIET, numerator, denominator, result->rounds);
}

/* A round's clock over the one that times are stated at; 1 where they are as they were measured. */
static double clock_factor(const struct result *result, size_t round)
{
    const struct canaries *c = result->canary ? result->canary + 2 * round : NULL;
    return c && result->clock > 0.0 ? canaries_clock(&c[0], &c[1]) / result->clock : 1.0;
}

double *analyse_at_clock(const struct result *result, const double *seconds)
{
    double *stated = memory_new(result->rounds, sizeof *stated);
    for (size_t r = 0; r < result->rounds; r++)
        stated[r] = seconds[r] * clock_factor(result, r);
    return stated;
}

double *analyse_peak_rounds(const struct result *result, enum peak peak)
{
    double *kept = analyse_quiet_rounds(result, result->peak[peak]);
    bool of_core = peak != PEAK_CLOCK && peak != PEAK_READ_MEMORY;
    for (size_t r = 0; of_core && r < result->rounds; r++)
        kept[r] /= clock_factor(result, r);
    return kept;
}

size_t analyse_launches(const struct result *result)
{
    size_t launches = 0;
    for (size_t r = 0; result->launch && r < result->rounds; r++)
        launches += r == 0 || result->launch[r] != result->launch[r - 1];
    return launches;
}

size_t analyse_quiet(const struct result *result)
{
    size_t quiet = 0;
    for (size_t r = 0; result->mood && r < result->rounds; r++)
        quiet += result->mood[r] == MOOD_QUIET;
    return quiet;
}

/* The rounds of the first half of the launches. */
static size_t half_of_rounds(const struct result *result)
{
    size_t half = analyse_launches(result) / 2, r = 0;
    for (size_t seen = 0; r < result->rounds; r++) {
        seen += r == 0 || result->launch[r] != result->launch[r - 1];
        if (seen > half)
            break;
    }
    return r;
}

/* ---- A row ----------------------------------------------------------------------------------- */

static double effective_samples(const struct result *result, const double *seconds)
{
    double *kept = analyse_quiet_rounds(result, seconds);
    size_t count = 0;
    for (size_t r = 0; r < result->rounds; r++)
        if (!isnan(kept[r]))
            kept[count++] = kept[r];
    double effective = count > 0 ? stats_effective_number(kept, count) : 0.0;
    free(kept);
    return effective;
}

static double peak_median(const struct result *result, enum peak peak)
{
    double median = (double)NAN;
    if (result->peak[peak]) {
        double *kept = analyse_quiet_rounds(result, result->peak[peak]);
        median = stats_estimate(kept, result->rounds).median;
        free(kept);
    }
    return median;
}

/* The bound is the larger of two times: flops at the rate of multiply-adds, bytes at the bandwidth
 * of the level that the working set lives in. */
static void analyse_share(struct row *row)
{
    const struct result *result = row->result;
    enum peak rate;
    if (!find_rate(row->column->isa, &rate))
        return;
    double compute = result->flops / peak_median(result, rate);
    double transfer = result->bytes / peak_median(result, result->level);
    if ((result->flops > 0.0 && isnan(compute)) || (result->bytes > 0.0 && isnan(transfer)))
        return; /* the one that is not known might be the greater */
    bool by_compute = result->flops > 0.0 && !(transfer > compute);
    row->bound = by_compute ? rate : result->level;
    double work = by_compute ? result->flops : result->bytes;
    const double *peak = result->peak[row->bound];
    if (!peak)
        return;
    double *needed = memory_new(result->rounds, sizeof *needed);
    for (size_t r = 0; r < result->rounds; r++)
        needed[r] = work / peak[r]; /* seconds at the peak of that round */
    row->share = analyse_series(result, needed, row->column->seconds);
    row->bounded = row->share.n > 0;
    bool shared = row->bound == PEAK_READ_L3 || row->bound == PEAK_READ_MEMORY;
    const struct kernel *kernel = kernel_find(result->kernel);
    bool beyond = by_compute && kernel && (kernel->skips_products || kernel->narrow);
    row->over = row->bounded && row->share.median > 1.0 && !beyond;
    row->bug = row->over && !shared && row->share.low > 1.0;
    free(needed);
}

/* ---- When a row is done ---------------------------------------------------------------------- */

enum { LEAST_TO_HALVE = 16 }; /* launches; half of them have an interval, too */
#define NARROWER 0.9

static bool is_no_narrower(const struct estimate *all, const struct estimate *half)
{
    return half->n > 0 && stats_spread(all) > NARROWER * stats_spread(half);
}

static void analyse_narrowing(struct row *row, const double *stated, const double *baseline)
{
    const struct result *result = row->result;
    if (analyse_launches(result) < LEAST_TO_HALVE || row->seconds.launches < LEAST_TO_HALVE / 2)
        return;
    size_t rounds = half_of_rounds(result);
    struct estimate half = estimate_of(result, MOOD_QUIET, stated, NULL, rounds);
    row->no_narrower = is_no_narrower(&row->seconds, &half);
    if (row->no_narrower && row->speedup.n > 0) {
        half = estimate_of(result, MOOD_QUIET, baseline, row->column->seconds, rounds);
        row->no_narrower = is_no_narrower(&row->speedup, &half);
    }
}

enum until analyse_until(const struct row *row, double precision)
{
    if (!row->result->launch || !(precision > 0.0))
        return UNTIL_UNKNOWN;
    if (row->timed && stats_spread(&row->seconds) <= precision &&
        (row->speedup.n == 0 || stats_spread(&row->speedup) <= precision))
        return UNTIL_PRECISE;
    return row->timed && row->no_narrower ? UNTIL_NO_NARROWER : UNTIL_TIME;
}

bool analyse_done(const struct result *result, double precision)
{
    bool done = true;
    for (size_t c = 0; c < result->column_count && done; c++) {
        struct row row;
        analyse(result, &result->columns[c], &row);
        if (result->columns[c].state == COLUMN_TIMED && result->columns[c].run > 0)
            done = analyse_until(&row, precision) != UNTIL_TIME;
    }
    return done;
}

static void explain_void(const struct column *column, char *why, size_t bytes)
{
    size_t all = 0;
    for (int d = 0; d < DISTURBANCE_COUNT; d++)
        all += column->voided[d];
    snprintf(why, bytes, "void: %zu of %zu samples were disturbed",
             all - column->voided[UNDISTURBED], all);
    const char *join = " (";
    for (int d = UNDISTURBED + 1; d < DISTURBANCE_COUNT; d++) {
        size_t used = strlen(why);
        if (column->voided[d] == 0)
            continue;
        snprintf(why + used, bytes - used, "%s%s %zu", join, disturbance_name((enum disturbance)d),
                 column->voided[d]);
        join = ", ";
    }
    size_t used = strlen(why);
    if (join[0] == ',')
        snprintf(why + used, bytes - used, ")");
}

/* Without a quiet round nothing is claimed: what was seen is said. */
static void explain_mood(struct row *row)
{
    char seconds[40];
    if (row->disturbed.n > 0) {
        text_seconds(row->disturbed.median, seconds, sizeof seconds);
        snprintf(row->why, sizeof row->why,
                 "disturbed: %s, but the core was not ours alone in any round", seconds);
    } else {
        snprintf(row->why, sizeof row->why,
                 "disturbed: in no round was the core of one mood from begin to end");
    }
}

/* What there is beside a time. */
static void analyse_timed(struct row *row, const double *stated)
{
    const struct result *result = row->result;
    const struct column *column = row->column;
    row->effective = effective_samples(result, stated);
    row->rate = (row->by_bytes ? result->bytes : result->flops) / row->seconds.median;
    analyse_share(row);
    const struct column *baseline =
        column->baseline[0] ? result_find_column(result, column->baseline) : NULL;
    if (baseline && baseline->state == COLUMN_TIMED && baseline->seconds) {
        row->speedup = analyse_series(result, baseline->seconds, column->seconds);
        row->comparison = stats_compare(&row->speedup);
    }
    analyse_narrowing(row, stated, baseline ? baseline->seconds : NULL);
}

void analyse(const struct result *result, const struct column *column, struct row *row)
{
    memset(row, 0, sizeof *row);
    row->result = result;
    row->column = column;
    row->by_bytes = !(result->flops > 0.0);
    if (column->state == COLUMN_FAILED) {
        snprintf(row->why, sizeof row->why, "FAILED CHECK: %s", column->note);
        return;
    }
    if (column->state == COLUMN_NOT_TIMED || column->run == 0 || !column->checked) {
        snprintf(row->why, sizeof row->why, "not timed: %s",
                 column->note[0] ? column->note : "it was not run");
        return;
    }
    /* One round in three may be lost to a noisy machine; more, and what is left is no fair
     * choice. */
    if (column->voided[UNDISTURBED] * 3 < column->run * 2) {
        explain_void(column, row->why, sizeof row->why);
        return;
    }
    double *stated = analyse_at_clock(result, column->seconds);
    row->seconds = analyse_series(result, stated, NULL);
    /* As it was measured: in such a round the canary of the clock is slowed as well. */
    if (result->mood)
        row->disturbed = estimate_of(result, MOOD_DISTURBED, column->seconds, NULL, result->rounds);
    row->timed = row->seconds.n > 0;
    if (row->timed)
        analyse_timed(row, stated);
    else
        explain_mood(row);
    free(stated);
}

bool analysis_is_hand_written(const struct column *column)
{
    return strcmp(column->variant, column->isa) == 0 && strcmp(column->variant, "scalar") != 0;
}

size_t analyse_slower(const struct row *row, const struct column *than[MMK_ISA_COUNT])
{
    bool ours = row->timed && analysis_is_hand_written(row->column);
    size_t count = 0;
    /* They stand in the order of their widths; neon and the wide ones of x86 never meet. */
    for (int i = 0; ours && i < MMK_ISA_COUNT; i++) {
        const char *isa = mmk_isa_name((enum mmk_isa)i);
        const struct column *narrower = result_find_column(row->result, isa);
        struct row other;
        if (strcmp(isa, row->column->isa) == 0)
            break;
        if (!narrower)
            continue;
        analyse(row->result, narrower, &other);
        if (!other.timed)
            continue;
        struct estimate speedup =
            analyse_series(row->result, narrower->seconds, row->column->seconds);
        if (stats_compare(&speedup) == COMPARISON_SLOWER)
            than[count++] = narrower;
    }
    return count;
}

void analysis_name_peer(const struct column *peer, char *text, size_t bytes)
{
    /* "oneDNN 2.6.3 (2022); avx512_core": the first word that begins with a digit, before the ;. */
    const char *end = peer->library + strcspn(peer->library, ";");
    const char *word = peer->library;
    while (word < end && !isdigit((unsigned char)*word)) {
        word += strcspn(word, " ;");
        word += strspn(word, " ");
    }
    if (word < end)
        snprintf(text, bytes, "%s %.*s", peer->variant, (int)strcspn(word, " ;"), word);
    else
        snprintf(text, bytes, "%s", peer->variant);
}

size_t analyse_peers(const struct result *result, struct row *widest, struct versus *all,
                     size_t *best)
{
    bool found = false;
    for (size_t c = result->column_count; c-- > 0 && !found;) {
        if (!analysis_is_hand_written(&result->columns[c]))
            continue;
        analyse(result, &result->columns[c], widest);
        found = widest->timed;
    }
    size_t count = 0, fastest = SIZE_MAX;
    double least = INFINITY;
    for (size_t c = 0; c < result->column_count && found && count < VERSUS_MOST; c++) {
        const struct column *column = &result->columns[c];
        struct row row;
        analyse(result, column, &row);
        if (!column->library[0] || !row.timed)
            continue;
        struct versus *versus = &all[count];
        versus->peer = column;
        versus->speedup = analyse_series(result, column->seconds, widest->column->seconds);
        versus->comparison = stats_compare(&versus->speedup);
        if (!column->approximate && row.seconds.median < least) {
            least = row.seconds.median;
            fastest = count;
        }
        count++;
    }
    if (count > 0)
        *best = fastest < count ? fastest : count;
    return count;
}

struct estimate analyse_peak(const struct run *run, enum peak peak, int threads)
{
    size_t total = 0;
    for (size_t i = 0; i < run->result_count; i++)
        if (run->results[i].threads == threads && run->results[i].peak[peak])
            total += run->results[i].rounds;
    struct estimate none = {.n = 0};
    if (total == 0)
        return none;
    double *all = memory_new(total, sizeof *all);
    size_t used = 0;
    for (size_t i = 0; i < run->result_count; i++) {
        const struct result *result = &run->results[i];
        if (result->threads != threads || !result->peak[peak])
            continue;
        double *kept = analyse_peak_rounds(result, peak);
        memcpy(all + used, kept, result->rounds * sizeof *all);
        free(kept);
        used += result->rounds;
    }
    none = stats_estimate(all, used);
    free(all);
    return none;
}

struct tally analyse_tally(const struct run *run)
{
    struct tally tally = {.cases = run->result_count};
    for (size_t i = 0; i < run->result_count; i++) {
        for (size_t c = 0; c < run->results[i].column_count; c++) {
            struct row row;
            const struct column *than[MMK_ISA_COUNT];
            analyse(&run->results[i], &run->results[i].columns[c], &row);
            tally.rows++;
            if (row.timed)
                tally.timed++;
            else if (row.column->state == COLUMN_FAILED)
                tally.failed++;
            else if (strncmp(row.why, "void", 4) == 0)
                tally.voided++;
            else if (strncmp(row.why, "disturbed", 9) == 0)
                tally.disturbed++;
            else
                tally.not_timed++;
            tally.no_time += !row.timed && strcmp(row.column->note, NOTE_NO_TIME) == 0;
            tally.over += row.over;
            tally.slower += analyse_slower(&row, than) > 0;
            if (row.over && !(row.share.median <= tally.greatest.share.median))
                tally.greatest = row;
        }
    }
    return tally;
}

static int compare_order(const void *left, const void *right)
{
    const struct result *a = *(const struct result *const *)left;
    const struct result *b = *(const struct result *const *)right;
    if (a->order != b->order)
        return a->order > b->order ? 1 : -1;
    return (a > b) - (a < b); /* qsort is stable only while it finds memory */
}

const struct result **analyse_order(const struct run *run)
{
    const struct result **list = memory_new(run->result_count, sizeof *list);
    for (size_t i = 0; i < run->result_count; i++)
        list[i] = &run->results[i];
    qsort(list, run->result_count, sizeof *list, compare_order);
    return list;
}
