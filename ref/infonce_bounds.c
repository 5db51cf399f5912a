/* infonce_bounds.c - bounds of gradients, costs and fills that InfoNCE and the sigmoid loss share; the
 * derivations stand in infonce_cases.c.
 * SPDX-License-Identifier: MIT
 */
#include "infonce_bounds.h"

#include "cases.h"
#include "matmul.h"
#include "sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void infonce_bounds_open(struct infonce_bounds *b, const struct infonce_ref *r)
{
    size_t m = r->m, n = r->n, d = r->d;
    bool cosine = r->config.similarity == MMK_COSINE;
    b->e = ref_doubles(m * n);
    b->squares = ref_doubles(m * n);
    b->delta_x = ref_doubles(m * n);
    b->delta_y = ref_doubles(m * n);
    b->lse_x = ref_doubles(m);
    b->lse_y = ref_doubles(n);
    b->loss = 0;
    double *squares_x = ref_doubles(m), *squares_y = ref_doubles(n);
    for (size_t i = 0; i < m && !cosine; i++)
        for (size_t k = 0; k < d; k++)
            squares_x[i] += r->x[i * d + k] * r->x[i * d + k];
    for (size_t j = 0; j < n && !cosine; j++)
        for (size_t k = 0; k < d; k++)
            squares_y[j] += r->y[j * d + k] * r->y[j * d + k];
#pragma omp parallel for if (m * n > 10000) schedule(static)
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            size_t at = i * n + j;
            b->squares[at] = squares_x[i] + squares_y[j];
            b->e[at] = bound_similarity(r->config.similarity, d, r->sim[at], r->magnitude[at],
                                        b->squares[at]);
            double logit = r->dir_x.logits[at];
            double error = b->e[at] + BOUND_U * r->magnitude[at];
            b->delta_x[at] = isfinite(logit) ? r->scale * error + 2 * BOUND_U * fabs(logit) : 0;
        }
    ref_transpose(m, n, b->delta_x, b->delta_y);
    free(squares_x);
    free(squares_y);
}

void infonce_bounds_close(struct infonce_bounds *b)
{
    free(b->e);
    free(b->squares);
    free(b->delta_x);
    free(b->delta_y);
    free(b->lse_x);
    free(b->lse_y);
}

/* Whether some G_ij is 0 by definition (no targets in its row and column) while sim_ij, made from the
 * same rows, is not finite: 0 * NaN, which the formula has in one element only. */
static bool open_gradient(size_t cols, size_t d, const double *g, const double *a,
                          const bool *finite_b)
{
    bool finite = true, zero = false;
    for (size_t k = 0; k < d; k++)
        finite = finite && isfinite(a[k]);
    for (size_t j = 0; j < cols; j++)
        zero = zero || (g[j] == 0 && !(finite && finite_b[j]));
    return zero;
}

/* Bounds of the gradient with respect to rows a_i, from g and its error (both rows x cols) and the
 * similarities' error e. A is what ends in _a here. */
static void gradient_bounds(const struct infonce_ref *r, size_t rows, size_t cols, const double *g,
                            const double *g_error, const double *e, const double *unit_a,
                            const double *norm_a, const double *unit_b, const double *expected,
                            double *bound)
{
    size_t d = r->d;
    bool cosine = r->config.similarity == MMK_COSINE;
    double u = BOUND_U, s = r->scale, norm_roundings = bound_lanes(d) / 2 + 4;
    double per_term = bound_chain(cols) + 4 + (cosine ? norm_roundings : 0);
    double underflow = (double)(cols + d + 4) * BOUND_UNDERFLOW;
    bool one_sided = r->config.weight_x == 0 || r->config.weight_y == 0;
    double *weight = ref_doubles(rows * cols), *v = ref_doubles(rows * d);
    bool *finite_b = ref_zeros(cols, sizeof *finite_b);
    for (size_t j = 0; j < cols; j++) {
        finite_b[j] = true;
        for (size_t k = 0; k < d; k++)
            finite_b[j] = finite_b[j] && isfinite(unit_b[j * d + k]);
    }
    for (size_t at = 0; at < rows * cols; at++)
        weight[at] = g_error[at] + per_term * u * fabs(g[at]);
    ref_matmul(rows, cols, d, g, weight, unit_b, v, bound); /* bound = sum_j W_ij |b_jk| */

#pragma omp parallel for if (rows * cols > 10000) schedule(static)
    for (size_t i = 0; i < rows; i++) {
        const double *a = unit_a + i * d;
        double sum_weight = 0, sum_g = 0, along = 0, along_error = 0;
        for (size_t j = 0; j < cols; j++) {
            sum_weight += weight[i * cols + j];
            sum_g += g[i * cols + j];
            along_error += fabs(g[i * cols + j]) * e[i * cols + j];
        }
        for (size_t k = 0; k < d; k++) {
            along += v[i * d + k] * a[k];
            along_error +=
                (bound[i * d + k] + bound_lanes(d) * u * fabs(v[i * d + k])) * fabs(a[k]);
        }
        for (size_t k = 0; k < d; k++) {
            size_t at = i * d + k;
            if (cols == 0) {
                bound[at] = 0; /* nothing is summed, whatever the rows hold */
            } else if (!isfinite(expected[at])) {
                /* 0 * NaN where a direction has weight 0: may be left out or not */
                bound[at] = one_sided ? BOUND_OPEN : 0;
            } else if (r->config.similarity == MMK_DOT) {
                bound[at] = s * (bound[at] + underflow) + 3 * u * fabs(expected[at]);
            } else if (r->config.similarity == MMK_NEG_SQ_L2) {
                double parts = fabs(sum_g * a[k]) + fabs(v[at]);
                bound[at] =
                    2 * s * (bound[at] + sum_weight * fabs(a[k]) + 4 * u * parts + underflow);
            } else if (norm_a[i] == 0) {
                bound[at] = 0;
            } else {
                double parts = fabs(v[at]) + fabs(along * a[k]);
                bound[at] = s / norm_a[i] *
                            (bound[at] + along_error * fabs(a[k]) +
                             (2 * norm_roundings + 2) * u * parts + underflow);
            }
            bound[at] += 2 * BOUND_UNDERFLOW;
        }
        if (open_gradient(cols, d, g + i * cols, a, finite_b))
            for (size_t k = 0; k < d; k++)
                bound[i * d + k] = BOUND_OPEN;
    }
    free(finite_b);
    free(weight);
    free(v);
}

void infonce_gradient_bounds(struct trial *t, const struct infonce_ref *r,
                             const struct infonce_bounds *bounds, const double *g_error, int dx,
                             int dy, int dscale)
{
    size_t m = r->m, n = r->n, d = r->d;
    memcpy(t->buffer[dx].expected, r->dx, m * d * sizeof(double));
    memcpy(t->buffer[dy].expected, r->dy, n * d * sizeof(double));
    *t->buffer[dscale].expected = r->dscale;

    double *transposed = ref_doubles(m * n);
    double error = 0, sum = 0;
    for (size_t at = 0; at < m * n; at++) {
        error += g_error[at] * fabs(r->sim[at]);
        sum += fabs(r->g[at]) * (r->config.similarity == MMK_NEG_SQ_L2
                                     ? 2 * r->magnitude[at] + bounds->squares[at]
                                     : r->magnitude[at]);
    }
    bool one_sided = r->config.weight_x == 0 || r->config.weight_y == 0;
    double roundings = bound_chain(m) + bound_chain(n) + bound_lanes(d) + 8;
    *t->buffer[dscale].bound = isfinite(r->dscale) ? error + roundings * BOUND_U * sum +
                                                         ((double)(m * n) + 1) * BOUND_UNDERFLOW
                                                   : (one_sided ? BOUND_OPEN : 0);

    gradient_bounds(r, m, n, r->g, g_error, bounds->e, r->unit_x, r->norm_x, r->unit_y, r->dx,
                    t->buffer[dx].bound);
    double *g_transposed = ref_doubles(m * n), *e_transposed = ref_doubles(m * n);
    ref_transpose(m, n, g_error, transposed);
    ref_transpose(m, n, r->g, g_transposed);
    ref_transpose(m, n, bounds->e, e_transposed);
    gradient_bounds(r, n, m, g_transposed, transposed, e_transposed, r->unit_y, r->norm_y,
                    r->unit_x, r->dy, t->buffer[dy].bound);
    free(transposed);
    free(g_transposed);
    free(e_transposed);
}

double infonce_forward_flops(const struct shape *s)
{
    return 2 * (double)s->m * (double)s->n * (double)s->d;
}

double infonce_backward_flops(const struct shape *s)
{
    return 6 * (double)s->m * (double)s->n * (double)s->d;
}

double infonce_forward_bytes(const struct shape *s)
{
    return 4 * (double)(s->m + s->n) * (double)s->d;
}

double infonce_backward_bytes(const struct shape *s)
{
    return 8 * (double)(s->m + s->n) * (double)s->d;
}

/* Unless the similarity is the cosine, rows of 1e20 make logits overflow, and long rows of integers
 * make them so large that float keeps nothing of the softmax. Large shapes are there for the
 * blocking: a few fills are enough for them. */
bool infonce_forward_fill_fits(const struct shape *s, enum fill fill)
{
    if (s->m * s->n > 1000000)
        return fill == FILL_NORMAL;
    if (s->m * s->n * (s->d + 4) > 60000 || sweep_is_plain(s->d))
        return fill == FILL_NORMAL || fill == FILL_NAN_TAIL || fill == FILL_ALIGNED;
    if (s->similarity != MMK_COSINE &&
        (fill == FILL_HUGE || (s->d > 12 && (fill == FILL_INTEGER || fill == FILL_TIES))))
        return false;
    return fill_is_of_rows(fill);
}

/* With an Inf among the logits a gradient is 0 * Inf or tiny * Inf, as a softmax underflows. */
bool infonce_backward_fill_fits(const struct shape *s, enum fill fill)
{
    if (fill == FILL_INF && s->similarity != MMK_COSINE)
        return false;
    return infonce_forward_fill_fits(s, fill);
}
