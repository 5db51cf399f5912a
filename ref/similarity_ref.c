/* similarity_ref.c - oracle of the similarities and of row normalisation, in double.
 * SPDX-License-Identifier: MIT
 *
 * The square of any float fits a double's range, so no scaling is needed here.
 */
#include "similarity_ref.h"

#include "matmul.h"

#include <math.h>
#include <stdlib.h>

static double norm_of(double sum_of_squares)
{
    return isfinite(sum_of_squares) ? sqrt(sum_of_squares) : (double)NAN;
}

double similarity_ref_norm(size_t d, const float *x)
{
    double sum = 0;
    for (size_t k = 0; k < d; k++)
        sum += (double)x[k] * (double)x[k];
    return norm_of(sum);
}

double similarity_ref_pair(enum mmk_similarity similarity, size_t d, const float *x, const float *y)
{
    double sum = 0;
    if (similarity == MMK_NEG_SQ_L2) {
        for (size_t k = 0; k < d; k++) {
            double difference = (double)x[k] - (double)y[k];
            sum += difference * difference;
        }
        return 0 - sum;
    }
    for (size_t k = 0; k < d; k++)
        sum += (double)x[k] * (double)y[k];
    if (similarity == MMK_DOT)
        return sum;
    double norm_x = similarity_ref_norm(d, x), norm_y = similarity_ref_norm(d, y);
    if (isnan(norm_x) || isnan(norm_y))
        return (double)NAN;
    if (norm_x == 0 || norm_y == 0)
        return 0;
    return sum / (norm_x * norm_y);
}

void similarity_ref_query(enum mmk_similarity similarity, size_t n, size_t d, const float *x,
                          const float *y, size_t ldy, double *result)
{
    for (size_t j = 0; j < n; j++)
        result[j] = similarity_ref_pair(similarity, d, x, y + j * ldy);
}

void similarity_ref_normalize(size_t m, size_t d, const double *x, double *out, double *norms)
{
    for (size_t i = 0; i < m; i++) {
        double sum = 0;
        for (size_t k = 0; k < d; k++)
            sum += x[i * d + k] * x[i * d + k];
        double norm = norm_of(sum);
        if (norms)
            norms[i] = norm;
        for (size_t k = 0; k < d; k++)
            out[i * d + k] = norm == 0 ? 0 : x[i * d + k] / norm;
    }
}

size_t similarity_ref_origin_row(size_t rows, size_t i)
{
    return i * (rows < 672 ? rows : 672) / SIMILARITY_REF_ORIGIN_ROWS;
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

void similarity_ref_origin(size_t d, const double *sample, double *origin)
{
    for (size_t k = 0; k < d; k++) {
        double v[SIMILARITY_REF_ORIGIN_ROWS];
        for (size_t i = 0; i < SIMILARITY_REF_ORIGIN_ROWS; i++)
            v[i] = fabs(sample[i * d + k]) < 0x1p100 ? sample[i * d + k] : 0;
        qsort(v, SIMILARITY_REF_ORIGIN_ROWS, sizeof *v, ascending);
        origin[k] = v[SIMILARITY_REF_ORIGIN_ROWS / 2];
    }
}

void similarity_ref_subtract(size_t m, size_t d, const double *x, const double *origin, double *out)
{
    for (size_t i = 0; i < m; i++)
        for (size_t k = 0; k < d; k++)
            out[i * d + k] = x[i * d + k] - origin[k];
}

/* squares[i] = |x_i|^2, summed over k in order: for x_i = y_j it has the bits of x_i.y_j. */
static void squares(size_t m, size_t d, const double *x, double *out)
{
    for (size_t i = 0; i < m; i++) {
        out[i] = 0;
        for (size_t k = 0; k < d; k++)
            out[i] += x[i * d + k] * x[i * d + k];
    }
}

static double differences(size_t d, const double *x, const double *y)
{
    double sum = 0;
    for (size_t k = 0; k < d; k++)
        sum += (x[k] - y[k]) * (x[k] - y[k]);
    return 0 - sum;
}

void similarity_ref_matrix(enum mmk_similarity similarity, size_t m, size_t n, size_t d,
                           const double *x, const double *y, double *result, double *magnitude)
{
    double *rows = ref_doubles(m * (d + 1)), *cols = ref_doubles(n * (d + 1)); /* or squares */
    double *transposed = ref_doubles(n * d);
    if (similarity == MMK_COSINE) {
        similarity_ref_normalize(m, d, x, rows, NULL);
        similarity_ref_normalize(n, d, y, cols, NULL);
        ref_transpose(n, d, cols, transposed);
        ref_matmul(m, d, n, rows, NULL, transposed, result, magnitude);
    } else {
        ref_transpose(n, d, y, transposed);
        ref_matmul(m, d, n, x, NULL, transposed, result, magnitude);
    }
    if (similarity == MMK_NEG_SQ_L2) {
        squares(m, d, x, rows);
        squares(n, d, y, cols);
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++) {
                double sim = 2 * result[i * n + j] - rows[i] - cols[j];
                if (!isfinite(rows[i]) || !isfinite(cols[j]))
                    sim = differences(d, x + i * d, y + j * d);
                result[i * n + j] = sim > 0 ? 0 : sim;
            }
    }
    free(rows);
    free(cols);
    free(transposed);
}
