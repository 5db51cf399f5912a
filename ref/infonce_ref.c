/* infonce_ref.c - oracle of InfoNCE in double: loss, log-sum-exps, gradients.
 * SPDX-License-Identifier: MIT
 */
#include "infonce_ref.h"

#include "cosine_ref.h"
#include "matmul.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void direction_open(struct infonce_direction *dir, size_t rows, size_t cols, ptrdiff_t shift)
{
    dir->rows = rows;
    dir->cols = cols;
    dir->shift = shift;
    dir->logits = ref_doubles(rows * cols);
    dir->lse = ref_doubles(rows);
    dir->loss = ref_doubles(rows);
    dir->p = NULL;
    dir->others = ref_doubles(rows);
}

static void direction_close(struct infonce_direction *dir)
{
    free(dir->logits);
    free(dir->lse);
    free(dir->loss);
    free(dir->p);
    free(dir->others);
}

void infonce_ref_open(struct infonce_ref *r, const struct mmk_infonce_config *config, size_t m,
                      size_t n, size_t d)
{
    memset(r, 0, sizeof *r);
    r->config = *config;
    r->scale = (double)config->logit_scale;
    r->m = m;
    r->n = n;
    r->d = d;
    r->x = ref_doubles(m * d);
    r->y = ref_doubles(n * d);
    r->unit_x = ref_doubles(m * d);
    r->unit_y = ref_doubles(n * d);
    r->norm_x = ref_doubles(m);
    r->norm_y = ref_doubles(n);
    r->sim = ref_doubles(m * n);
    r->magnitude = ref_doubles(m * n);
    direction_open(&r->dir_x, m, n, (ptrdiff_t)config->offset);
    direction_open(&r->dir_y, n, m, -(ptrdiff_t)config->offset);
    if (m > 0) {
        r->dir_x.weight = (double)config->weight_x / (double)m;
        r->dir_y.weight = (double)config->weight_y / (double)m;
    }
    r->dx = ref_doubles(m * d);
    r->dy = ref_doubles(n * d);
}

void infonce_ref_close(struct infonce_ref *r)
{
    free(r->x);
    free(r->y);
    free(r->unit_x);
    free(r->unit_y);
    free(r->norm_x);
    free(r->norm_y);
    free(r->sim);
    free(r->magnitude);
    direction_close(&r->dir_x);
    direction_close(&r->dir_y);
    free(r->g);
    free(r->dx);
    free(r->dy);
}

size_t infonce_ref_positive(const struct infonce_direction *dir, size_t i)
{
    ptrdiff_t column = (ptrdiff_t)i + dir->shift;
    return column >= 0 && (size_t)column < dir->cols ? (size_t)column : SIZE_MAX;
}

/* lse_i = log sum_j e^{L_ij}, with the row's maximum taken out. loss_i = lse_i - L_ip, which is
 * log(1 + sum of the others e^{L_ij - L_ip}): log1p keeps its digits when that is near 0. */
static void direction_forward(struct infonce_direction *dir)
{
#pragma omp parallel for if (dir->rows * dir->cols > 10000) schedule(static)
    for (size_t i = 0; i < dir->rows; i++) {
        const double *logits = dir->logits + i * dir->cols;
        double max = -(double)INFINITY;
        for (size_t j = 0; j < dir->cols; j++)
            max = logits[j] > max ? logits[j] : max;
        double sum = 0;
        for (size_t j = 0; j < dir->cols; j++)
            if (logits[j] != -(double)INFINITY) /* contributes 0, also to a row of nothing else */
                sum += exp(logits[j] - max);
        dir->lse[i] = sum == 0 ? -(double)INFINITY : max + log(sum);

        size_t positive = infonce_ref_positive(dir, i);
        if (positive == SIZE_MAX)
            continue;
        double pivot = logits[positive];
        if (max - pivot < 700) {
            double others = 0;
            for (size_t j = 0; j < dir->cols; j++)
                if (j != positive)
                    others += exp(logits[j] - pivot);
            dir->loss[i] = log1p(others);
        } else {
            dir->loss[i] = dir->lse[i] - pivot;
        }
    }
}

void infonce_ref_forward(struct infonce_ref *r)
{
    size_t m = r->m, n = r->n, d = r->d;
    cosine_ref_matrix(r->config.similarity, m, n, d, r->x, r->y, r->sim, r->magnitude);
    if (r->config.similarity == MMK_COSINE) {
        cosine_ref_normalize(m, d, r->x, r->unit_x, r->norm_x);
        cosine_ref_normalize(n, d, r->y, r->unit_y, r->norm_y);
    } else {
        memcpy(r->unit_x, r->x, m * d * sizeof(double));
        memcpy(r->unit_y, r->y, n * d * sizeof(double));
    }
    for (size_t e = 0; e < m * n; e++)
        r->dir_x.logits[e] = r->scale * r->sim[e];
    ref_transpose(m, n, r->dir_x.logits, r->dir_y.logits);
    direction_forward(&r->dir_x);
    direction_forward(&r->dir_y);

    r->loss = 0;
    for (size_t i = 0; i < m; i++)
        r->loss += r->dir_x.weight * r->dir_x.loss[i];
    for (size_t j = 0; j < n; j++)
        r->loss += r->dir_y.weight * r->dir_y.loss[j];
}

static void direction_backward(struct infonce_direction *dir)
{
    free(dir->p);
    dir->p = ref_doubles(dir->rows * dir->cols);
#pragma omp parallel for if (dir->rows * dir->cols > 10000) schedule(static)
    for (size_t i = 0; i < dir->rows; i++) {
        size_t positive = infonce_ref_positive(dir, i);
        dir->others[i] = 0;
        for (size_t j = 0; j < dir->cols; j++) {
            double p = exp(dir->logits[i * dir->cols + j] - dir->lse[i]);
            dir->p[i * dir->cols + j] = p;
            if (j != positive || isnan(p)) /* P - 1 of a NaN is NaN */
                dir->others[i] += p;
        }
    }
}

/* g = weight (P - [positive]) of one direction; P - 1 on the positive is minus the sum of the
 * others. A row without a positive (direction y only) has no part in the loss. */
static void direction_gradient(const struct infonce_direction *dir, double *g)
{
#pragma omp parallel for if (dir->rows * dir->cols > 10000) schedule(static)
    for (size_t i = 0; i < dir->rows; i++) {
        size_t positive = infonce_ref_positive(dir, i);
        for (size_t j = 0; j < dir->cols && positive != SIZE_MAX; j++)
            g[i * dir->cols + j] =
                dir->weight * (j == positive ? -dir->others[i] : dir->p[i * dir->cols + j]);
    }
}

/* Gradient with respect to rows a_i of sim(a_i, b_j), weighted with G:
 *     dot          s sum_j G_ij b_j
 *     neg_sq_l2    s sum_j G_ij (-2)(a_i - b_j)
 *     cosine       s/|a_i| (v - (v.unit_a) unit_a)  with v = sum_j G_ij unit_b_j; 0 for a zero row
 */
static void gradient(const struct infonce_ref *r, size_t rows, size_t cols, const double *g,
                     const double *unit_a, const double *norm_a, const double *unit_b, double *da)
{
    size_t d = r->d;
    if (cols == 0)
        return; /* nothing is summed: 0, whatever the rows hold */
    ref_matmul(rows, cols, d, g, NULL, unit_b, da, NULL);
#pragma omp parallel for if (rows * cols > 10000) schedule(static)
    for (size_t i = 0; i < rows; i++) {
        double *v = da + i * d;
        const double *a = unit_a + i * d;
        if (r->config.similarity == MMK_DOT) {
            for (size_t k = 0; k < d; k++)
                v[k] *= r->scale;
        } else if (r->config.similarity == MMK_NEG_SQ_L2) {
            double sum = 0;
            for (size_t j = 0; j < cols; j++)
                sum += g[i * cols + j];
            for (size_t k = 0; k < d; k++)
                v[k] = -2 * r->scale * (sum * a[k] - v[k]);
        } else {
            double along = 0;
            for (size_t k = 0; k < d; k++)
                along += v[k] * a[k];
            for (size_t k = 0; k < d; k++)
                v[k] = norm_a[i] == 0 ? 0 : r->scale / norm_a[i] * (v[k] - along * a[k]);
        }
    }
}

void infonce_ref_backward(struct infonce_ref *r)
{
    size_t m = r->m, n = r->n;
    direction_backward(&r->dir_x);
    direction_backward(&r->dir_y);
    free(r->g);
    r->g = ref_doubles(m * n);
    double *transposed = ref_doubles(m * n), *part_y = ref_doubles(m * n);
    direction_gradient(&r->dir_x, r->g);
    direction_gradient(&r->dir_y, transposed);
    ref_transpose(n, m, transposed, part_y);
    r->dscale = 0;
    for (size_t e = 0; e < m * n; e++) {
        r->g[e] += part_y[e];
        r->dscale += r->g[e] * r->sim[e];
    }
    free(part_y);
    gradient(r, m, n, r->g, r->unit_x, r->norm_x, r->unit_y, r->dx);
    ref_transpose(m, n, r->g, transposed);
    gradient(r, n, m, transposed, r->unit_y, r->norm_y, r->unit_x, r->dy);
    free(transposed);
}
