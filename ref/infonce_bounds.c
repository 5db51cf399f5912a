/* infonce_bounds.c - error bounds of InfoNCE: logits, lse, loss, G, and the gradients of all
 * losses.
 * SPDX-License-Identifier: MIT
 *
 * Bounds, with u = 2^-24, batch() of cases.h and e_ij = error of sim_ij as for the similarity
 * matrix. Errors of exponents become relative errors of what is summed, so everything scales with s
 * by itself.
 *
 * Logit, with s log2(e) rounded and multiplied into y before the product (neg_sq_l2: behind it):
 *     delta_ij = s (e_ij + u sum_k |x_ik y_jk|) + 2u |L_ij|
 * Term e^{L_ij - M} of a sum; an integer M (in base 2) is taken out without rounding, and where a
 * row is done again M_i is its greatest logit but the positive's; exp:
 *     epsilon_ij = delta_ij + 2u |L_ij - M_i| + 4u
 * lse_i, rounded once at its end:
 *     sum_j P_ij epsilon_ij + (batch(n) + 4) u + 2u |lse_i|
 * loss_i is log(1 + sum of the others e^{L_ij - L_ip}), so that only the others' errors count:
 *     sum_{j != p} P_ij (epsilon_ij + epsilon_ip + (batch(n) + 4) u) + 4u loss_i
 * With several targets p is the one of the greatest logit, as rounded, and sum_j t_ij (L_ip - L_ij)
 * is added: sum_{j != p} t_ij (delta_ij + delta_ip) more, with the greatest epsilon of a target for
 * p's. loss: the weighted mean of these, and (batch(m) + 4) u loss.
 *
 * P_ij, relative, and at most 1:
 *     gamma_ij = e^{delta_ij + error of lse_i + 3u (|L_ij| + |lse_i|) + 4u} - 1
 * Both may be made from one exponential and two factors 2^(c - lse): 6u more.
 * Uniformity has no targets: the loss of a row is lse_i - log n, bounded as lse_i and 2u log n.
 * G_ij, for each direction; on the positive the sum of the others' errors and (batch(n) + 4) u of
 * their sum:
 *     weight/m P_ij (gamma_ij + 4u)
 * and u weight/m t_ij on a target that is not its row's only one. An upstream factor multiplies
 * this, and with the weights is rounded: 2u |G_ij| more.
 * dX, with W_ij = error of G_ij + (batch(n) + 4) u |G_ij|, for dot, neg_sq_l2 and cosine:
 *     s sum_j W_ij |y_jk|
 *     2 s sum_j W_ij (|x_ik| + |y_jk|)
 *     s/|x_i| (V_k + A |unit_x_ik|)
 * with, for neg_sq_l2, x and y less the origin, here and below, and u more in W since that is
 * rounded; where V_k = sum_j W_ij |unit_y_jk|, W with the rounding of the normalised rows, and A is
 * the error of the part along x_i, sum_j G_ij S_ij. That is made from the logits, S_ij = L_ij / s
 * with the error delta_ij / s:
 *     A = sum_j (error of G_ij) |sim_ij| + |G_ij| delta_ij / s + (batch(n) + 4) u |G_ij sim_ij|
 * and what is left along unit_x_i is taken out where it is more than 2^-22 of w, the rest: so A is
 *     sum_k V_k |unit_x_ik| + 2^-22 |w| + (lanes(d) + 2) u sum_k |w_k unit_x_ik|
 * if that is less, and w not so small that its square is lost.
 * dlogit_scale, which is the sum of the same over all rows:
 *     sum_ij (error of G_ij) |sim_ij| + |G_ij| delta_ij / s
 *            + (batch(m) + batch(n) + 8) u |G_ij sim_ij|
 *
 * What underflows. A softmax below 2^-126 counts as 0, in the backward and beside the greatest of
 * several targets; of a forward's sum of negatives, where one below 2^-60 of 2^c is not used and c
 * is an exponent's 126 above the least, 2^-66 of the sum for each. Products with G underflow below
 * 2^-149 of what G is kept in: with the greatest weight W/m of a pair at 2^23 or more, W/m 2^-172.
 */
#include "infonce_bounds.h"

#include "cases.h"
#include "matmul.h"
#include "similarity_bounds.h"
#include "trial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SOFTMAX_LEAST 0x1p-126
#define SUM_FLUSH     0x1p-66 /* of a sum, each term */

void infonce_bounds_open(struct infonce_bounds *b, const struct infonce_ref *r)
{
    size_t m = r->m, n = r->n, d = r->d;
    bool cosine = r->similarity == MMK_COSINE;
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
            squares_x[i] += r->unit_x[i * d + k] * r->unit_x[i * d + k];
    for (size_t j = 0; j < n && !cosine; j++)
        for (size_t k = 0; k < d; k++)
            squares_y[j] += r->unit_y[j * d + k] * r->unit_y[j * d + k];
#pragma omp parallel for if (m * n > 10000) schedule(static)
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            size_t at = i * n + j;
            b->squares[at] = squares_x[i] + squares_y[j];
            b->e[at] =
                bound_similarity(r->similarity, d, r->sim[at], r->magnitude[at], b->squares[at]);
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

/* The greatest logit of row i but its targets'. */
static double greatest_other(const struct infonce_direction *dir, size_t i, const double *t)
{
    double max = -(double)INFINITY;
    for (size_t j = 0; j < dir->cols; j++)
        if (t[j] == 0)
            max = fmax(max, dir->logits[i * dir->cols + j]);
    return max;
}

/* The target of the greatest logit of row i. */
static size_t greatest_target(const struct infonce_direction *dir, size_t i)
{
    size_t greatest = dir->column[dir->start[i]];
    for (size_t e = dir->start[i]; e < dir->start[i + 1]; e++)
        if (dir->logits[i * dir->cols + dir->column[e]] > dir->logits[i * dir->cols + greatest])
            greatest = dir->column[e];
    return greatest;
}

/* What p = e^distance, a softmax, grows by when its exponent does: it may be 0 in double only. */
static double growth(double distance, double p, double exponent)
{
    if (!(distance > -700))
        return exp(distance + exponent);
    /* e^x - 1 < x + x^2 up to 1 */
    return p * (exponent < 0x1p-8 ? exponent + exponent * exponent : expm1(exponent));
}

double infonce_forward_bounds(const struct infonce_direction *dir, const double *delta,
                              double *lse_error)
{
    double u = BOUND_U, cols = (double)dir->cols, total = 0;
#pragma omp parallel for if (dir->rows * dir->cols > 10000) schedule(static) reduction(+ : total)
    for (size_t i = 0; i < dir->rows; i++) {
        const double *logits = dir->logits + i * dir->cols;
        double lse = dir->lse[i];
        if (!isfinite(lse))
            continue;
        double *t = ref_doubles(dir->cols);
        infonce_ref_targets(dir, i, t);
        size_t pivot = infonce_ref_target_count(dir, i) > 0 ? greatest_target(dir, i) : SIZE_MAX;
        bool has_loss = pivot != SIZE_MAX && isfinite(dir->loss[i]);
        double pivot_error = 0, max = greatest_other(dir, i, t);
        for (size_t e = dir->start[i]; has_loss && e < dir->start[i + 1]; e++)
            pivot_error = fmax(pivot_error, delta[i * dir->cols + dir->column[e]] + 4 * u);
        double all = 0, others = 0, others_sum = 0;
        for (size_t j = 0; j < dir->cols; j++) {
            double p = exp(logits[j] - lse);
            if (j != pivot)
                others += t[j] * (delta[i * dir->cols + j] + pivot_error);
            double epsilon = delta[i * dir->cols + j] + 4 * u;
            if (t[j] == 0)
                epsilon += 2 * u * fabs(logits[j] - max);
            if (logits[j] == -(double)INFINITY)
                continue;
            all += growth(logits[j] - lse, p, epsilon);
            if (j != pivot) {
                others += growth(logits[j] - lse, p, epsilon + pivot_error);
                others_sum += p;
            }
        }
        free(t);
        double sums = (bound_batch(dir->cols) + 4) * u;
        lse_error[i] = all + sums + 2 * u * fabs(lse) + cols * SUM_FLUSH;
        if (dir->uniform)
            total += dir->weight * (lse_error[i] + 2 * u * log(cols));
        double flush = SUM_FLUSH * others_sum;
        if (infonce_ref_target_count(dir, i) > 1)
            flush += SOFTMAX_LEAST;
        if (has_loss)
            total +=
                dir->weight * (others + sums * others_sum + 4 * u * dir->loss[i] + cols * flush);
    }
    return total;
}

void infonce_g_bounds(const struct infonce_direction *dir, const double *delta, double factors,
                      const double *lse_error, double *error)
{
    double u = BOUND_U, cols = (double)dir->cols;
#pragma omp parallel for if (dir->rows * dir->cols > 10000) schedule(static)
    for (size_t i = 0; i < dir->rows; i++) {
        size_t targets = infonce_ref_target_count(dir, i);
        if (targets == 0 && !dir->uniform)
            continue;
        double *t = ref_doubles(dir->cols);
        infonce_ref_targets(dir, i, t);
        double others = ((bound_batch(dir->cols) + 4) * u + cols * SUM_FLUSH) * dir->others[i];
        for (size_t j = 0; j < dir->cols; j++) {
            size_t at = i * dir->cols + j;
            double p = dir->p[at];
            if ((t[j] > 0 && targets == 1) || (t[j] == 0 && dir->logits[at] == -(double)INFINITY))
                continue;
            double gamma = delta[at] + lse_error[i] +
                           3 * u * (fabs(dir->logits[at]) + fabs(dir->lse[i])) + 4 * u + factors;
            double p_error =
                growth(dir->logits[at] - dir->lse[i], p, gamma) + 4 * u * p + SOFTMAX_LEAST;
            p_error = p_error > 1 ? 1 + 4 * u : p_error; /* as a softmax is */
            error[at] += dir->weight * (p_error + u * t[j]);
            others += p_error;
        }
        if (targets == 1)
            error[i * dir->cols + dir->column[dir->start[i]]] += dir->weight * others;
        free(t);
    }
}

/* Whether some G_ij is 0 by definition (no targets in its row and column) while sim_ij, made from
 * the same rows, is not finite: 0 * NaN, which the formula has in one element only. */
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

/* The error along a row of what is taken out twice, once as the products of its sum v, which has
 * the errors v_error, say. */
static double bound_left(size_t d, const double *v, const double *v_error, const double *a,
                         double along, double sum_weight)
{
    double error = 0, square = 0, parts = 0;
    for (size_t k = 0; k < d; k++) {
        double w = v[k] - along * a[k];
        error += v_error[k] * fabs(a[k]);
        square += w * w;
        parts += fabs(w * a[k]);
    }
    return sqrt(square) > 1e-6 * sum_weight
               ? error + 0x1p-22 * sqrt(square) + (bound_lanes(d) + 2) * BOUND_U * parts
               : INFINITY;
}

/* Bounds of the gradient with respect to rows a_i, from g and its error (both rows x cols) and the
 * similarities and the error of the logits that they are made from. A is along_error here. */
static void gradient_bounds(const struct infonce_ref *r, size_t rows, size_t cols, const double *g,
                            const double *g_error, const double *sim, const double *delta,
                            const double *unit_a, const double *norm_a, const double *unit_b,
                            double underflow, const double *expected, double *bound)
{
    size_t d = r->d;
    bool cosine = r->similarity == MMK_COSINE;
    double u = BOUND_U, s = r->scale, norm_roundings = bound_lanes(d) / 2 + 4;
    double row_roundings = cosine ? norm_roundings : r->similarity == MMK_NEG_SQ_L2 ? 1 : 0;
    double per_term = bound_batch(cols) + 4 + row_roundings;
    underflow *= (double)(cols + d + 4);
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
            size_t at = i * cols + j;
            along += g[at] * sim[at];
            along_error += g_error[at] * fabs(sim[at]) + fabs(g[at]) * delta[at] / s +
                           (bound_batch(cols) + 4) * u * fabs(g[at] * sim[at]);
        }
        if (cosine)
            along_error =
                fmin(along_error, bound_left(d, v + i * d, bound + i * d, a, along, sum_weight));
        for (size_t k = 0; k < d; k++) {
            size_t at = i * d + k;
            if (cols == 0) {
                bound[at] = 0; /* nothing is summed, whatever the rows hold */
            } else if (!isfinite(expected[at])) {
                /* 0 * NaN where a direction has weight 0: may be left out or not */
                bound[at] = r->one_sided ? BOUND_OPEN : 0;
            } else if (r->similarity == MMK_DOT) {
                bound[at] = s * (bound[at] + underflow) + 3 * u * fabs(expected[at]);
            } else if (r->similarity == MMK_NEG_SQ_L2) {
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

static void put_rows(struct buffer *b, const double *expected, const double *bound)
{
    memcpy(b->expected, expected, b->rows * b->cols * sizeof *expected);
    memcpy(b->bound, bound, b->rows * b->cols * sizeof *bound);
}

void infonce_gradient_bounds(struct trial *t, const struct infonce_ref *r,
                             const struct infonce_bounds *bounds, const double *g_error,
                             double underflow, int dx, int dy, int dscale)
{
    size_t m = r->m, n = r->n, d = r->d;
    double *dy_bound = ref_doubles(n * d);
    memcpy(t->buffer[dx].expected, r->dx, m * d * sizeof(double));
    *t->buffer[dscale].expected = r->dscale;

    double *transposed = ref_doubles(m * n);
    double error = 0, sum = 0;
    bool open = false; /* 0 * NaN: may be left out or not */
    for (size_t at = 0; at < m * n; at++) {
        error += g_error[at] * fabs(r->sim[at]) + fabs(r->g[at]) * bounds->delta_x[at] / r->scale;
        sum += fabs(r->g[at] * r->sim[at]);
        open = open || (r->g[at] == 0 && !isfinite(r->sim[at]));
    }
    double roundings = bound_batch(m) + bound_batch(n) + 8;
    *t->buffer[dscale].bound = isfinite(r->dscale) ? error + roundings * BOUND_U * sum +
                                                         ((double)(m * n) + 1) * BOUND_UNDERFLOW
                                                   : (r->one_sided || open ? BOUND_OPEN : 0);

    gradient_bounds(r, m, n, r->g, g_error, r->sim, bounds->delta_x, r->unit_x, r->norm_x,
                    r->unit_y, underflow, r->dx, t->buffer[dx].bound);
    double *g_transposed = ref_doubles(m * n), *sim_transposed = ref_doubles(m * n);
    ref_transpose(m, n, g_error, transposed);
    ref_transpose(m, n, r->g, g_transposed);
    ref_transpose(m, n, r->sim, sim_transposed);
    gradient_bounds(r, n, m, g_transposed, transposed, sim_transposed, bounds->delta_y, r->unit_y,
                    r->norm_y, r->unit_x, underflow, r->dy, dy_bound);
    put_rows(&t->buffer[dy], r->dy, dy_bound);
    if (trial_buffer(t, "dnegatives") != NULL)
        put_rows(trial_buffer(t, "dnegatives"), r->dy + t->buffer[dy].rows * d,
                 dy_bound + t->buffer[dy].rows * d);
    free(dy_bound);
    free(transposed);
    free(g_transposed);
    free(sim_transposed);
}
