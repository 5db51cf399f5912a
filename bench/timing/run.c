/* run.c - storage of a run.
 * SPDX-License-Identifier: MIT
 */
#include "run.h"

#include "../base/memory.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void run_init(struct run *run)
{
    memset(run, 0, sizeof *run);
}

static void free_result(struct result *result)
{
    for (int p = 0; p < PEAK_COUNT; p++)
        free(result->peak[p]);
    for (size_t c = 0; c < result->column_count; c++)
        free(result->columns[c].seconds);
    free(result->columns);
    free(result->launch);
    free(result->canary);
    free(result->mood);
}

void run_free(struct run *run)
{
    for (size_t i = 0; i < run->result_count; i++)
        free_result(&run->results[i]);
    free(run->results);
    free(run->memory);
    free(run->missing);
    run_init(run);
}

struct result *run_add_results(struct run *run, size_t count)
{
    struct result *grown = realloc(run->results, (run->result_count + count) * sizeof *grown);
    if (!grown)
        return NULL;
    run->results = grown;
    struct result *first = &grown[run->result_count];
    memset(first, 0, count * sizeof *first);
    for (size_t i = 0; i < count; i++)
        first[i].rotated = 1;
    run->result_count += count;
    return first;
}

struct memory *run_add_memory(struct run *run)
{
    struct memory *grown = realloc(run->memory, (run->memory_count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    run->memory = grown;
    struct memory *memory = &grown[run->memory_count++];
    memset(memory, 0, sizeof *memory);
    return memory;
}

struct column *result_add_column(struct result *result)
{
    struct column *grown = realloc(result->columns, (result->column_count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    result->columns = grown;
    struct column *column = &grown[result->column_count++];
    memset(column, 0, sizeof *column);
    return column;
}

/* Lengthens what has `old` samples to `count`; NULL: no memory, and the old ones are gone. */
static double *lengthen(double *samples, size_t old, size_t count)
{
    double *grown = realloc(samples, (count ? count : 1) * sizeof *grown);
    if (!grown)
        free(samples);
    for (size_t i = old; grown && i < count; i++)
        grown[i] = NAN;
    return grown;
}

bool result_set_rounds(struct result *result, size_t rounds)
{
    size_t old = result->rounds;
    bool good = true;
    for (int p = 0; p < PEAK_COUNT; p++) {
        if (!result->peak[p] && !peak_possible((enum peak)p))
            continue;
        result->peak[p] = lengthen(result->peak[p], result->peak[p] ? old : 0, rounds);
        good = good && result->peak[p];
    }
    for (size_t c = 0; c < result->column_count; c++) {
        struct column *column = &result->columns[c];
        column->seconds = lengthen(column->seconds, column->seconds ? old : 0, rounds);
        good = good && column->seconds;
    }
    if (result->canary) {
        enum { WORDS = sizeof *result->canary / sizeof(double) * 2 };
        result->canary =
            (struct canaries *)lengthen((double *)result->canary, old * WORDS, rounds * WORDS);
        good = good && result->canary;
    }
    result->rounds = good ? rounds : 0;
    return good;
}

/* ---- Launches -------------------------------------------------------------------------------- */

struct result *run_find_result(const struct run *run, int order)
{
    for (size_t i = 0; i < run->result_count; i++)
        if (run->results[i].order == order)
            return &run->results[i];
    return NULL;
}

/* All that is said of a case, without a round. */
static struct result *describe_again(struct run *run, const struct result *from)
{
    struct result *result = run_add_results(run, 1);
    if (!result)
        return NULL;
    *result = *from;
    memset(result->peak, 0, sizeof result->peak);
    result->launch = NULL;
    result->canary = NULL;
    result->mood = NULL;
    result->columns = NULL;
    result->rounds = result->column_count = 0;
    for (size_t c = 0; c < from->column_count; c++) {
        struct column *column = result_add_column(result);
        if (!column)
            return NULL;
        *column = from->columns[c];
        column->seconds = NULL;
        column->run = 0;
        memset(column->voided, 0, sizeof column->voided);
    }
    return result;
}

static void merge_column(struct column *to, const struct column *from, size_t at, size_t rounds)
{
    if (from->state == COLUMN_TIMED && from->seconds && rounds > 0)
        memcpy(to->seconds + at, from->seconds, rounds * sizeof *to->seconds);
    to->run += from->run;
    for (int d = 0; d < DISTURBANCE_COUNT; d++)
        to->voided[d] += from->voided[d];
    if (from->run > 0 && to->note[0] == '\0')
        snprintf(to->note, sizeof to->note, "%s", from->note);
}

bool run_merge(struct run *run, const struct result *from, size_t launch)
{
    struct result *to = run_find_result(run, from->order);
    if (!to && !(to = describe_again(run, from)))
        return false;
    size_t at = to->rounds, rounds = from->rounds;
    if (rounds == 0)
        return true;
    size_t *launches = realloc(to->launch, (at + rounds) * sizeof *launches);
    if (!launches)
        return false;
    to->launch = launches;
    if (from->canary && at == 0 && !(to->canary = malloc(sizeof *to->canary)))
        return false;
    if (!result_set_rounds(to, at + rounds))
        return false;
    for (size_t r = 0; r < rounds; r++)
        to->launch[at + r] = launch;
    for (int p = 0; p < PEAK_COUNT; p++)
        if (to->peak[p] && from->peak[p])
            memcpy(to->peak[p] + at, from->peak[p], rounds * sizeof *to->peak[p]);
    if (to->canary && from->canary)
        memcpy(to->canary + 2 * at, from->canary, 2 * rounds * sizeof *to->canary);
    for (size_t c = 0; c < from->column_count; c++) {
        struct column *column = result_find_column(to, from->columns[c].variant);
        if (column)
            merge_column(column, &from->columns[c], at, rounds);
    }
    return true;
}

static size_t gather_canaries(const struct run *run, struct canaries *all)
{
    size_t count = 0;
    for (size_t i = 0; i < run->result_count; i++) {
        const struct result *result = &run->results[i];
        for (size_t r = 0; result->canary && r < 2 * result->rounds; r++, count++)
            if (all)
                all[count] = result->canary[r];
    }
    return count;
}

void run_state_at(struct run *run, double clock)
{
    for (size_t i = 0; i < run->result_count; i++) {
        struct result *result = &run->results[i];
        if (result->canary && result->level != PEAK_READ_MEMORY)
            result->clock = clock;
    }
}

void run_judge(struct run *run)
{
    size_t count = gather_canaries(run, NULL);
    struct canaries *all = memory_new(count, sizeof *all);
    gather_canaries(run, all);
    mood_learn(&run->best, all, count);
    free(all);
    mood_set_clock(&run->best);
    run_state_at(run, run->best.clock);
    for (size_t i = 0; i < run->result_count; i++) {
        struct result *result = &run->results[i];
        if (!result->canary)
            continue;
        result->mood = memory_grow(result->mood, result->rounds, sizeof *result->mood);
        for (size_t r = 0; r < result->rounds; r++)
            result->mood[r] =
                mood_between(&result->canary[2 * r], &result->canary[2 * r + 1], &run->best);
    }
}

void run_add_missing(struct run *run, const char *format, ...)
{
    run->missing = memory_grow(run->missing, run->missing_count + 1, sizeof *run->missing);
    va_list list;
    va_start(list, format);
    vsnprintf(run->missing[run->missing_count++], sizeof *run->missing, format, list);
    va_end(list);
}

struct column *result_find_column(const struct result *result, const char *variant)
{
    for (size_t c = 0; c < result->column_count; c++)
        if (strcmp(result->columns[c].variant, variant) == 0)
            return &result->columns[c];
    return NULL;
}
