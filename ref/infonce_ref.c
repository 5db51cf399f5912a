/* infonce_ref.c - oracle of InfoNCE in double: loss, log-sum-exps, gradients.
 * SPDX-License-Identifier: MIT
 */
#include "infonce_ref.h"

#include "matmul.h"
#include "similarity_ref.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Row by row what T holds, equal entries added up; T NULL: 1 in column i + offset. n counts
 * negatives. */
static double *dense_weights(const struct mmk_csr *T, size_t offset, size_t m, size_t n)
{
    double *weights = ref_doubles(m * n);
    for (size_t i = 0; i < m && (T == NULL || T->row_start != NULL); i++) {
        if (T == NULL) {
            weights[i * n + i + offset] = 1;
            continue;
        }
        for (size_t e = T->row_start[i]; e < T->row_start[i + 1]; e++)
            weights[i * n + T->column[e]] += T->weight != NULL ? (double)T->weight[e] : 1;
    }
    return weights;
}

static void direction_open(struct infonce_direction *dir, size_t rows, size_t cols, float weight,
                           const double *weights, bool uniform)
{
    dir->uniform = uniform;
    dir->rows = rows;
    dir->cols = cols;
    dir->start = ref_zeros(rows + 1, sizeof *dir->start);
    size_t entries = 0;
    for (size_t e = 0; e < rows * cols; e++)
        entries += weights[e] > 0;
    dir->column = ref_zeros(entries, sizeof *dir->column);
    dir->t = ref_doubles(entries);
    dir->counted = 0;
    entries = 0;
    for (size_t i = 0; i < rows; i++) {
        double total = 0;
        for (size_t j = 0; j < cols; j++)
            total += weights[i * cols + j];
        for (size_t j = 0; j < cols; j++)
            if (weights[i * cols + j] > 0) {
                dir->column[entries] = j;
                dir->t[entries++] = weights[i * cols + j] / total;
            }
        dir->start[i + 1] = entries;
        dir->counted += uniform || total > 0;
    }
    dir->weight = dir->counted > 0 ? (double)weight / (double)dir->counted : 0;
    dir->logits = ref_doubles(rows * cols);
    dir->lse = ref_doubles(rows);
    dir->loss = ref_doubles(rows);
    dir->p = NULL;
    dir->others = ref_doubles(rows);
}

static void direction_close(struct infonce_direction *dir)
{
    free(dir->start);
    free(dir->column);
    free(dir->t);
    free(dir->logits);
    free(dir->lse);
    free(dir->loss);
    free(dir->p);
    free(dir->others);
}

static void read_matrix(const struct mmk_matrix *matrix, double *to)
{
    size_t ld = matrix->leading_dimension ? matrix->leading_dimension : matrix->columns;
    if (matrix->data != NULL)
        ref_from_float(matrix->rows, matrix->columns, matrix->data, ld, to);
}

void infonce_ref_open(struct infonce_ref *r, const struct mmk_infonce_problem *problem)
{
    const struct mmk_csr *targets = problem->targets;
    size_t m = problem->x->rows, d = problem->x->columns;
    size_t n = problem->y->rows + (problem->negatives != NULL ? problem->negatives->rows : 0);
    bool unweighted = problem->weight_x == 0 && problem->weight_y == 0;
    float weight_x = unweighted ? 0.5f : problem->weight_x;
    float weight_y = unweighted ? 0.5f : problem->weight_y;
    memset(r, 0, sizeof *r);
    r->similarity = problem->similarity;
    r->offset = problem->offset;
    r->exclude_self = problem->exclude_self != 0;
    r->one_sided = weight_x == 0 || weight_y == 0;
    r->upstream = problem->upstream != NULL ? (double)*problem->upstream : 1;
    r->scale = (double)problem->logit_scale;
    r->m = m;
    r->n = n;
    r->own = problem->y->rows;
    r->d = d;
    r->x = ref_doubles(m * d);
    r->y = ref_doubles(n * d);
    r->unit_x = ref_doubles(m * d);
    r->unit_y = ref_doubles(n * d);
    r->norm_x = ref_doubles(m);
    r->norm_y = ref_doubles(n);
    r->sim = ref_doubles(m * n);
    r->magnitude = ref_doubles(m * n);
    double *weights = dense_weights(targets, problem->offset, m, n);
    double *transposed = ref_doubles(m * n);
    ref_transpose(m, n, weights, transposed);
    bool uniform = targets != NULL && targets->row_start == NULL;
    direction_open(&r->dir_x, m, n, weight_x, weights, uniform);
    direction_open(&r->dir_y, n, m, weight_y, transposed, uniform);
    free(weights);
    free(transposed);
    r->var_x = ref_doubles(m);
    r->var_y = ref_doubles(n);
    r->dx = ref_doubles(m * d);
    r->dy = ref_doubles(n * d);
    read_matrix(problem->x, r->x);
    read_matrix(problem->y, r->y);
    if (problem->negatives != NULL)
        read_matrix(problem->negatives, r->y + problem->y->rows * d);
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
    free(r->var_x);
    free(r->var_y);
    free(r->dx);
    free(r->dy);
}

size_t infonce_ref_target_count(const struct infonce_direction *dir, size_t i)
{
    return dir->start[i + 1] - dir->start[i];
}

void infonce_ref_targets(const struct infonce_direction *dir, size_t i, double *t)
{
    memset(t, 0, dir->cols * sizeof *t);
    for (size_t e = dir->start[i]; e < dir->start[i + 1]; e++)
        t[dir->column[e]] = dir->t[e];
}

/* sum_j t_j (lse - L_j), with the greatest logit L_p of the targets taken out: lse - L_p is
 * log(1 + sum of the others e^{L_j - L_p}), and log1p keeps its digits when that is near 0. */
static double row_loss(const struct infonce_direction *dir, size_t i, double max)
{
    const double *logits = dir->logits + i * dir->cols;
    size_t begin = dir->start[i], end = dir->start[i + 1];
    if (dir->uniform) /* without a batch: 0 */
        return dir->cols == 0 ? 0 : dir->lse[i] - log((double)dir->cols);
    if (begin == end)
        return 0;
    size_t pivot = dir->column[begin];
    for (size_t e = begin; e < end; e++)
        if (logits[dir->column[e]] > logits[pivot])
            pivot = dir->column[e];
    double loss = dir->lse[i];
    if (max - logits[pivot] < 700) {
        double others = 0;
        for (size_t j = 0; j < dir->cols; j++)
            if (j != pivot)
                others += exp(logits[j] - logits[pivot]);
        loss = log1p(others);
        for (size_t e = begin; e < end; e++)
            loss += dir->t[e] * (logits[pivot] - logits[dir->column[e]]);
        return loss;
    }
    for (size_t e = begin; e < end; e++)
        loss -= dir->t[e] * logits[dir->column[e]];
    return loss;
}

/* lse_i = log sum_j e^{L_ij}, with the row's maximum taken out. */
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
        dir->loss[i] = row_loss(dir, i, max);
    }
}

static void subtract_origin(struct infonce_ref *r)
{
    size_t d = r->d;
    double *sample = ref_doubles(SIMILARITY_REF_ORIGIN_ROWS * d), *origin = ref_doubles(d);
    for (size_t i = 0; r->own > 0 && i < SIMILARITY_REF_ORIGIN_ROWS; i++)
        memcpy(sample + i * d, r->y + similarity_ref_origin_row(r->own, i) * d, d * sizeof *sample);
    similarity_ref_origin(d, sample, origin);
    similarity_ref_subtract(r->m, d, r->x, origin, r->unit_x);
    similarity_ref_subtract(r->n, d, r->y, origin, r->unit_y);
    free(sample);
    free(origin);
}

static void similarities(struct infonce_ref *r)
{
    size_t m = r->m, n = r->n, d = r->d;
    if (r->similarity == MMK_NEG_SQ_L2)
        subtract_origin(r);
    else {
        memcpy(r->unit_x, r->x, m * d * sizeof(double));
        memcpy(r->unit_y, r->y, n * d * sizeof(double));
    }
    similarity_ref_matrix(r->similarity, m, n, d, r->unit_x, r->unit_y, r->sim, r->magnitude);
    if (r->similarity == MMK_COSINE) {
        similarity_ref_normalize(m, d, r->x, r->unit_x, r->norm_x);
        similarity_ref_normalize(n, d, r->y, r->unit_y, r->norm_y);
    }
    for (size_t e = 0; e < m * n; e++)
        r->dir_x.logits[e] = r->scale * r->sim[e];
    for (size_t i = 0; r->exclude_self && i < m; i++)
        r->dir_x.logits[i * n + i + r->offset] = -(double)INFINITY;
    ref_transpose(m, n, r->dir_x.logits, r->dir_y.logits);
}

void infonce_ref_forward(struct infonce_ref *r)
{
    similarities(r);
    direction_forward(&r->dir_x);
    direction_forward(&r->dir_y);

    r->loss = 0;
    for (size_t i = 0; i < r->m; i++)
        r->loss += r->dir_x.weight * r->dir_x.loss[i];
    for (size_t j = 0; j < r->n; j++)
        r->loss += r->dir_y.weight * r->dir_y.loss[j];
}

static void direction_backward(struct infonce_direction *dir)
{
    free(dir->p);
    dir->p = ref_doubles(dir->rows * dir->cols);
#pragma omp parallel for if (dir->rows * dir->cols > 10000) schedule(static)
    for (size_t i = 0; i < dir->rows; i++) {
        double *t = ref_doubles(dir->cols);
        infonce_ref_targets(dir, i, t);
        dir->others[i] = 0;
        for (size_t j = 0; j < dir->cols; j++) {
            double p = exp(dir->logits[i * dir->cols + j] - dir->lse[i]);
            dir->p[i * dir->cols + j] = p;
            if (t[j] == 0 || isnan(p)) /* P - 1 of a NaN is NaN */
                dir->others[i] += p;
        }
        free(t);
    }
}

/* g = weight (P - t) of one direction; P - 1 on a row's only target is minus the sum of the others.
 * A row without targets has no part in the loss. */
static void direction_gradient(const struct infonce_direction *dir, double *g)
{
#pragma omp parallel for if (dir->rows * dir->cols > 10000) schedule(static)
    for (size_t i = 0; i < dir->rows; i++) {
        size_t targets = infonce_ref_target_count(dir, i);
        double *t = ref_doubles(dir->cols);
        infonce_ref_targets(dir, i, t);
        for (size_t j = 0; j < dir->cols && (dir->uniform || targets > 0); j++)
            g[i * dir->cols + j] =
                dir->weight *
                (t[j] > 0 && targets == 1 ? -dir->others[i] : dir->p[i * dir->cols + j] - t[j]);
        free(t);
    }
}

/* Gradient with respect to rows a_i of sim(a_i, b_j), weighted with G:
 *     dot          s sum_j G_ij b_j
 *     neg_sq_l2    s sum_j G_ij (-2)(a_i - b_j)
 *     cosine       s/|a_i| (v - (v.unit_a) unit_a)  with v = sum_j G_ij unit_b_j; 0 for a zero row,
 *                  NaN where v is
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
        if (r->similarity == MMK_DOT) {
            for (size_t k = 0; k < d; k++)
                v[k] *= r->scale;
        } else if (r->similarity == MMK_NEG_SQ_L2) {
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
                v[k] = norm_a[i] != 0 ? r->scale / norm_a[i] * (v[k] - along * a[k])
                       : isnan(v[k])  ? v[k]
                                      : 0;
        }
    }
}

/* dx, dy and dscale from g. */
static void gradients(struct infonce_ref *r)
{
    size_t m = r->m, n = r->n;
    double *transposed = ref_doubles(m * n);
    r->dscale = 0;
    for (size_t e = 0; e < m * n; e++)
        r->dscale += r->g[e] * r->sim[e];
    gradient(r, m, n, r->g, r->unit_x, r->norm_x, r->unit_y, r->dx);
    ref_transpose(m, n, r->g, transposed);
    gradient(r, n, m, transposed, r->unit_y, r->norm_y, r->unit_x, r->dy);
    free(transposed);
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
    for (size_t e = 0; e < m * n; e++)
        r->g[e] = r->upstream * (r->g[e] + part_y[e]);
    free(part_y);
    free(transposed);
    gradients(r);
}

void infonce_ref_alignment(struct infonce_ref *r)
{
    similarities(r);
    free(r->g);
    r->g = ref_doubles(r->m * r->n);
    r->loss = 0;
    for (size_t i = 0; i < r->m; i++) {
        r->loss -= r->scale * r->sim[i * r->n + i] / (double)r->m;
        r->g[i * r->n + i] = -1 / (double)r->m;
    }
    gradients(r);
}

/* log(1 + e^v) */
static double softplus(double v)
{
    return v > 0 ? v + log1p(exp(-v)) : log1p(exp(v));
}

static void sum_variances(size_t rows, size_t d, const double *log_var, double *var)
{
    memset(var, 0, rows * sizeof *var);
    for (size_t i = 0; log_var != NULL && i < rows; i++)
        for (size_t k = 0; k < d; k++)
            var[i] += exp(log_var[i * d + k]);
}

/* L_ij = s (sim_ij - var_x_i - var_y_j) + bias */
void infonce_ref_sigmoid(struct infonce_ref *r)
{
    size_t m = r->m, n = r->n, d = r->d;
    double *t = ref_doubles(n);
    double *sum_x = ref_doubles(m), *sum_y = ref_doubles(n); /* of G */
    similarities(r);
    free(r->g);
    r->g = ref_doubles(m * n);
    r->loss = r->dbias = 0;
    sum_variances(m, d, r->log_var_x, r->var_x);
    sum_variances(n, d, r->log_var_y, r->var_y);
    for (size_t i = 0; i < m; i++) {
        infonce_ref_targets(&r->dir_x, i, t);
        for (size_t j = 0; j < n; j++) {
            double logit =
                r->dir_x.logits[i * n + j] - r->scale * (r->var_x[i] + r->var_y[j]) + r->bias;
            double z = t[j] > 0 ? 1 : -1, v = -z * logit, g = -z / (1 + exp(-v)) / (double)m;
            r->loss += softplus(v) / (double)m;
            r->g[i * n + j] = g;
            r->dbias += g;
            sum_x[i] += g;
            sum_y[j] += g;
        }
    }
    gradients(r);
    for (size_t i = 0; r->log_var_x != NULL && i < m; i++) {
        r->dscale -= sum_x[i] * r->var_x[i];
        for (size_t k = 0; k < d; k++)
            r->dlog_var_x[i * d + k] = -r->scale * sum_x[i] * exp(r->log_var_x[i * d + k]);
    }
    for (size_t j = 0; r->log_var_y != NULL && j < n; j++) {
        r->dscale -= sum_y[j] * r->var_y[j];
        for (size_t k = 0; k < d; k++)
            r->dlog_var_y[j * d + k] = -r->scale * sum_y[j] * exp(r->log_var_y[j * d + k]);
    }
    free(t);
    free(sum_x);
    free(sum_y);
}
