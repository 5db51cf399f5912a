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

static double *new_samples(size_t count)
{
    double *samples = malloc((count ? count : 1) * sizeof *samples);
    for (size_t i = 0; samples && i < count; i++)
        samples[i] = NAN;
    return samples;
}

bool result_set_rounds(struct result *result, size_t rounds)
{
    bool good = true;
    result->rounds = rounds;
    for (int p = 0; p < PEAK_COUNT; p++) {
        free(result->peak[p]);
        result->peak[p] = peak_possible((enum peak)p) ? new_samples(rounds) : NULL;
        good = good && (result->peak[p] || !peak_possible((enum peak)p));
    }
    for (size_t c = 0; c < result->column_count; c++) {
        free(result->columns[c].seconds);
        result->columns[c].seconds = new_samples(rounds);
        good = good && result->columns[c].seconds;
    }
    return good;
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
