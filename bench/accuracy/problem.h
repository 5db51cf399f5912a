/* problem.h - what the accuracy of a loss is taken of: rows, who belongs to whom, results.
 * SPDX-License-Identifier: MIT
 *
 * MoCo's shape, and its transpose: one side is long, the other short. y_{i mod n} belongs to x_i,
 * which is one to one where n >= m, with n - m negatives, and else a classification by n
 * prototypes. Weights are 1 and 0, so that a gradient's sum over all of the long side is dX's where
 * Y is long, and dY's where X is.
 */
#ifndef MMK_BENCH_ACCURACY_PROBLEM_H
#define MMK_BENCH_ACCURACY_PROBLEM_H

#include "../../kernels/mmk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum loss { LOSS_INFONCE, LOSS_UNIFORMITY, LOSS_SIGMOID };

struct problem {
    enum loss loss;
    enum mmk_similarity similarity;
    size_t m, n, d;
    float scale, bias;
    const float *x, *y; /* dense */
};

/* Of a library, in floats. */
struct outputs {
    float *loss, *lse_x, *lse_y, *dx, *dy, *dscale, *dbias;
};

/* Normal rows of length about 1; all of X, or those of Y that belong to no x_i, may be one row. */
enum rows { ROWS_NORMAL, ROWS_X_EQUAL, ROWS_Y_EQUAL };
void problem_fill(const struct problem *problem, enum rows rows, uint64_t seed, float *x, float *y);

/* Calls the library. */
void problem_call(const struct problem *problem, const struct outputs *outputs, int threads);

#endif
