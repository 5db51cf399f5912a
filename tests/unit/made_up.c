/* made_up.c - launches of a run that never ran.
 * SPDX-License-Identifier: MIT
 */
#include "made_up.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

const struct mood_best made_up_best = {.rate = {1e9, 8.0, 8.0, 8.0}};

static struct column *add_column(struct result *result, const char *variant, const char *isa)
{
    struct column *column = result_add_column(result);
    assert_non_null(column);
    snprintf(column->variant, sizeof column->variant, "%s", variant);
    snprintf(column->isa, sizeof column->isa, "%s", isa);
    column->checked = true;
    column->run = column->voided[UNDISTURBED] = MADE_UP_ROUNDS;
    return column;
}

struct column *made_up_column(struct run *launch, const char *variant, const char *isa,
                              double seconds)
{
    struct result *result = &launch->results[0];
    struct column *column = add_column(result, variant, isa);
    assert_true(result_set_rounds(result, MADE_UP_ROUNDS));
    for (size_t r = 0; r < MADE_UP_ROUNDS; r++)
        column->seconds[r] = seconds;
    return column;
}

void made_up_launch(struct run *launch, double seconds, double baseline, const int *quiet)
{
    run_init(launch);
    struct result *result = run_add_results(launch, 1);
    assert_non_null(result);
    snprintf(result->kernel, sizeof result->kernel, "topk");
    result->threads = 1;
    result->bytes = 1.0;
    result->level = PEAK_READ_L1;
    static const char *const names[] = {"autovec-avx2", "avx2"};
    for (int c = 0; c < 2; c++)
        add_column(result, names[c], "avx2");
    snprintf(result->columns[1].baseline, sizeof result->columns[1].baseline, "%s", names[0]);
    if (quiet)
        result->canary = malloc(sizeof *result->canary);
    assert_true(result_set_rounds(result, MADE_UP_ROUNDS));
    for (size_t r = 0; r < MADE_UP_ROUNDS; r++) {
        result->columns[0].seconds[r] = baseline;
        result->columns[1].seconds[r] = seconds;
        result->peak[PEAK_READ_L1][r] = 1.0;
        for (int c = 0; quiet && c < CANARY_COUNT; c++) {
            double rate = c == 0 ? 1e9 : 8e9, slow = c == 0 ? rate : rate / (c + 2);
            result->canary[2 * r].rate[c] = quiet[r] == 0 ? slow : rate;
            result->canary[2 * r + 1].rate[c] = quiet[r] == 1 ? rate : slow;
        }
    }
}

void made_up_clock(struct run *launch, double clock)
{
    struct result *result = &launch->results[0];
    for (size_t r = 0; r < MADE_UP_ROUNDS; r++) {
        for (size_t c = 0; c < result->column_count; c++)
            result->columns[c].seconds[r] /= clock;
        result->peak[PEAK_READ_L1][r] *= clock;
        for (int c = 0; result->canary && c < CANARY_COUNT; c++) {
            result->canary[2 * r].rate[c] *= clock;
            result->canary[2 * r + 1].rate[c] *= clock;
        }
    }
}
