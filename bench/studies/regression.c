/* regression.c - what a linear function of a representation explains of a variable.
 * SPDX-License-Identifier: MIT
 *
 * Least squares by the normal equations: with A = [1 features], (A^T A + ridge) X = A^T B, solved
 * by Cholesky's method (LAPACK's dposv). The features are standardised, so that A^T A / rows is a
 * matrix of correlations, and 1e-9 on its diagonal changes nothing but a feature that is constant.
 */
#include "regression.h"

#include "../base/console.h"
#include "product.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>

static const double ridge = 1e-9;

void regression_solve(size_t n, size_t columns, double *a, double *b)
{
    if (LAPACKE_dposv(LAPACK_ROW_MAJOR, 'U', (lapack_int)n, (lapack_int)columns, a, (lapack_int)n,
                      b, (lapack_int)columns) != 0)
        refuse("a regression cannot be solved: its matrix is singular or holds NaN; take another "
               "seed");
}

void standardise(size_t rows, size_t features, float *fit, size_t test_rows, float *test)
{
    for (size_t f = 0; f < features; f++) {
        double mean = 0, squares = 0;
        for (size_t i = 0; i < rows; i++)
            mean += (double)fit[i * features + f] / (double)rows;
        for (size_t i = 0; i < rows; i++)
            squares += pow((double)fit[i * features + f] - mean, 2) / (double)rows;
        double inverse = squares > 0 ? 1 / sqrt(squares) : 1;
        for (size_t i = 0; i < rows; i++)
            fit[i * features + f] = (float)(((double)fit[i * features + f] - mean) * inverse);
        for (size_t i = 0; i < test_rows; i++)
            test[i * features + f] = (float)(((double)test[i * features + f] - mean) * inverse);
    }
}

void regression_r2(size_t rows, size_t features, const float *fit, const float *test,
                   size_t variables, const float *fit_true, const float *test_true, double *r2)
{
    size_t n = features + 1;
    double *a = allocate(n * n * sizeof *a), *b = allocate(n * variables * sizeof *b);
    double *row = allocate(n * sizeof *row);
    row[0] = 1;
    for (size_t i = 0; i < rows; i++) {
        for (size_t f = 0; f < features; f++)
            row[1 + f] = (double)fit[i * features + f];
        for (size_t p = 0; p < n; p++) {
            for (size_t q = 0; q < n; q++)
                a[p * n + q] += row[p] * row[q];
            for (size_t v = 0; v < variables; v++)
                b[p * variables + v] += row[p] * (double)fit_true[i * variables + v];
        }
    }
    for (size_t p = 0; p < n; p++)
        a[p * n + p] += ridge * (double)rows;
    regression_solve(n, variables, a, b);

    for (size_t v = 0; v < variables; v++) {
        double mean = 0, wrong = 0, spread = 0;
        for (size_t i = 0; i < rows; i++)
            mean += (double)test_true[i * variables + v] / (double)rows;
        for (size_t i = 0; i < rows; i++) {
            double truth = (double)test_true[i * variables + v], predicted = b[v];
            for (size_t f = 0; f < features; f++)
                predicted += (double)test[i * features + f] * b[(1 + f) * variables + v];
            wrong += (predicted - truth) * (predicted - truth);
            spread += (mean - truth) * (mean - truth);
        }
        r2[v] = 1 - wrong / spread;
    }
    free(a);
    free(b);
    free(row);
}
