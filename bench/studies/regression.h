/* regression.h - what a linear function of a representation explains of a variable.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_STUDY_REGRESSION_H
#define MMK_STUDY_REGRESSION_H

#include <stddef.h>

/* Solves A X = B for n x n A, symmetric and positive definite, and n x columns B, which becomes X;
 * A is overwritten. */
void regression_solve(size_t n, size_t columns, double *a, double *b);

/* Each of `features` columns of both parts gets mean 0 and deviation 1 over the first part. */
void standardise(size_t rows, size_t features, float *fit, size_t test_rows, float *test);

/* r2[v] of each of `variables` columns: the least-squares fit, with an intercept, of the `fit`
 * part, judged on the `test` part: 1 - sum (predicted - true)^2 / sum (mean - true)^2. Features are
 * standardised. */
void regression_r2(size_t rows, size_t features, const float *fit, const float *test,
                   size_t variables, const float *fit_true, const float *test_true, double *r2);

#endif
