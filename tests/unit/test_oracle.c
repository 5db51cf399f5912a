/* test_oracle.c - the oracle itself: gradients against differences, closed forms, dot against MPFR.
 * SPDX-License-Identifier: MIT
 */
#include "../../ref/cases.h"
#include "../../ref/similarity_ref.h"
#include "../../ref/infonce_ref.h"
#include "../../ref/matmul.h"
#include "../../ref/topk_ref.h"
#include "../../ref/trial.h"

#include <math.h>
#include <mpfr.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void fill_rows(double *rows, size_t count, uint64_t stream)
{
    for (size_t e = 0; e < count; e++)
        rows[e] = fill_normal(stream, e);
}

/* Rows that the oracle is given after it is opened. */
#define ROWS(m, d) ((const struct mmk_matrix[]){{.rows = (m), .columns = (d)}})

/* The loss, times upstream, from which the gradients are. */
typedef void loss_function(struct infonce_ref *r);

static double loss_of(struct infonce_ref *r, loss_function *forward)
{
    forward(r);
    return r->upstream * r->loss;
}

/* d loss / d *at by Richardson's extrapolation of central differences: error O(h^4) of the
 * function's scale, and rounding 2^-53 / h. */
static double derivative(struct infonce_ref *r, loss_function *forward, double *at, double h)
{
    double kept = *at;
    double slope[2];
    for (int i = 0; i < 2; i++) {
        double step = h / (1 + i);
        *at = kept + step;
        double above = loss_of(r, forward);
        *at = kept - step;
        double below = loss_of(r, forward);
        slope[i] = (above - below) / (2 * step);
    }
    *at = kept;
    return (4 * slope[1] - slope[0]) / 3;
}

static void expect_gradient(const char *what, double gradient, double difference, double scale)
{
    if (fabs(gradient - difference) > 1e-7 * scale)
        fail_msg("%s is %.15g, the difference quotient %.15g (scale %.3g)", what, gradient,
                 difference, scale);
}

static double greatest(size_t count, const double *v)
{
    double most = 0;
    for (size_t e = 0; e < count; e++)
        most = fmax(most, fabs(v[e]));
    return most;
}

/* dx, dy, dscale and dbias of r against differences of its loss. */
static void expect_differences(struct infonce_ref *r, loss_function *forward)
{
    size_t x_size = r->m * r->d, y_size = r->n * r->d;
    double *dx = ref_doubles(x_size), *dy = ref_doubles(y_size), dscale = r->dscale;
    double dbias = r->dbias, h = 2e-3 / r->scale;
    memcpy(dx, r->dx, x_size * sizeof *dx);
    memcpy(dy, r->dy, y_size * sizeof *dy);
    double scale_x = greatest(x_size, dx), scale_y = greatest(y_size, dy);
    for (size_t e = 0; e < x_size; e++)
        expect_gradient("dx", dx[e], derivative(r, forward, &r->x[e], h), scale_x);
    for (size_t e = 0; e < y_size; e++)
        expect_gradient("dy", dy[e], derivative(r, forward, &r->y[e], h), scale_y);
    expect_gradient("dlogit_scale", dscale, derivative(r, forward, &r->scale, 1e-3),
                    fmax(fabs(dscale), 1e-2));
    expect_gradient("dbias", dbias, derivative(r, forward, &r->bias, 1e-3),
                    fmax(fabs(dbias), 1e-2));
    free(dx);
    free(dy);
}

/* The problem says all but the rows. */
static void check_problem(const struct mmk_infonce_problem *problem)
{
    struct infonce_ref r;
    infonce_ref_open(&r, problem);
    fill_rows(r.x, r.m * r.d, 1);
    fill_rows(r.y, r.n * r.d, 2);
    infonce_ref_forward(&r);
    infonce_ref_backward(&r);
    expect_differences(&r, infonce_ref_forward);
    infonce_ref_close(&r);
}

static void check_gradients(enum mmk_similarity similarity, float scale, float weight_x,
                            float weight_y, size_t m, size_t n, size_t offset)
{
    check_problem(&(struct mmk_infonce_problem){.x = ROWS(m, 4),
                                                .y = ROWS(n, 4),
                                                .similarity = similarity,
                                                .logit_scale = scale,
                                                .weight_x = weight_x,
                                                .weight_y = weight_y,
                                                .offset = offset});
}

static void gradients_are_differences(void **state)
{
    (void)state;
    static const float weights[][2] = {{0.5f, 0.5f}, {1, 0}, {0, 1}, {0.25f, 2}};
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++)
        for (size_t w = 0; w < 4; w++) {
            check_gradients((enum mmk_similarity)similarity, 1, weights[w][0], weights[w][1], 5, 5,
                            0);
            check_gradients((enum mmk_similarity)similarity, 3, weights[w][0], weights[w][1], 3, 7,
                            2);
            check_gradients((enum mmk_similarity)similarity, 2, weights[w][0], weights[w][1], 1, 4,
                            3);
        }
}

/* Several positives, a row and a column without any, equal entries, a weight of 0; and the same
 * with the pairs (i, i + 1) left out. */
static void gradients_with_targets_are_differences(void **state)
{
    (void)state;
    static const size_t row_start[] = {0, 3, 3, 4, 7};
    static const uint32_t column[] = {4, 0, 4, 2, 0, 1, 2};
    static const float weight[] = {1, 0.5f, 2, 3, 1, 0, 0.25f};
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++)
        for (int exclude_self = 0; exclude_self < 2; exclude_self++) {
            const struct mmk_csr targets = {row_start, column, weight};
            struct mmk_infonce_problem problem = {.x = ROWS(4, 4),
                                                  .y = ROWS(5, 4),
                                                  .similarity = (enum mmk_similarity)similarity,
                                                  .logit_scale = 2,
                                                  .weight_x = 0.25f,
                                                  .weight_y = 2,
                                                  .targets = &targets,
                                                  .offset = exclude_self ? 1 : 0,
                                                  .exclude_self = exclude_self};
            check_problem(&problem);
            problem.weight_x = 1;
            problem.weight_y = 0;
            check_problem(&problem);
        }
}

/* Their rows are the last of y. */
static void gradients_with_negatives_are_differences(void **state)
{
    (void)state;
    static const size_t row_start[] = {0, 2, 2, 3};
    static const uint32_t column[] = {3, 0, 2};
    static const struct mmk_csr targets = {row_start, column, NULL};
    static const float upstream = -2.5f;
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++)
        for (int many = 0; many < 2; many++) {
            struct mmk_infonce_problem problem = {.x = ROWS(3, 4),
                                                  .y = ROWS(4, 4),
                                                  .negatives = ROWS(5, 4),
                                                  .similarity = (enum mmk_similarity)similarity,
                                                  .logit_scale = 2,
                                                  .targets = many ? &targets : NULL,
                                                  .offset = many ? 0 : 1,
                                                  .upstream = &upstream};
            check_problem(&problem);
            problem.weight_x = 1;
            check_problem(&problem);
        }
}

/* Columns that belong to no row change loss_x alone: with weights 0 and 1 the loss has the other
 * columns only. */
static void negatives_have_no_loss_y(void **state)
{
    (void)state;
    struct mmk_infonce_problem problem = {
        .x = ROWS(3, 4), .y = ROWS(4, 4), .logit_scale = 2, .weight_y = 1};
    double loss[2];
    for (int with = 0; with < 2; with++) {
        struct infonce_ref r;
        problem.negatives = with ? ROWS(5, 4) : NULL;
        infonce_ref_open(&r, &problem);
        assert_int_equal(r.n, with ? 9 : 4);
        fill_rows(r.x, r.m * r.d, 1);
        fill_rows(r.y, r.n * r.d, 2);
        infonce_ref_forward(&r);
        assert_int_equal(r.dir_y.counted, 3);
        loss[with] = r.loss;
        infonce_ref_close(&r);
    }
    assert_true(loss[0] == loss[1]);
}

static void sigmoid_gradients_are_differences(void **state)
{
    (void)state;
    static const size_t row_start[] = {0, 3, 3, 4, 7};
    static const uint32_t column[] = {4, 0, 4, 2, 0, 1, 2};
    static const float weight[] = {1, 0.5f, 2, 3, 1, 0, 0.25f};
    const struct mmk_csr targets = {row_start, column, weight};
    const size_t m = 4, n = 5, d = 3;
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++)
        for (int many = 0; many < 2; many++) {
            struct infonce_ref r;
            infonce_ref_open(&r, &(struct mmk_infonce_problem){
                                     .x = ROWS(m, d),
                                     .y = ROWS(n, d),
                                     .similarity = (enum mmk_similarity)similarity,
                                     .logit_scale = 2,
                                     .targets = many ? &targets : NULL,
                                     .offset = many ? 0 : 1,
                                 });
            fill_rows(r.x, m * d, 1);
            fill_rows(r.y, n * d, 2);
            r.bias = -1.5;
            infonce_ref_sigmoid(&r);
            expect_differences(&r, infonce_ref_sigmoid);
            infonce_ref_close(&r);
        }
}

static void csd_gradients_are_differences(void **state)
{
    (void)state;
    static const size_t row_start[] = {0, 2, 2, 3};
    static const uint32_t column[] = {3, 0, 2};
    const struct mmk_csr targets = {row_start, column, NULL};
    enum { M = 3, N = 4, D = 3 };
    double log_var_x[M * D], log_var_y[N * D], dlog_var_x[M * D], dlog_var_y[N * D];
    struct infonce_ref r;
    infonce_ref_open(&r, &(struct mmk_infonce_problem){.x = ROWS(M, D),
                                                       .y = ROWS(N, D),
                                                       .similarity = MMK_NEG_SQ_L2,
                                                       .logit_scale = 0.5f,
                                                       .targets = &targets});
    fill_rows(r.x, M * D, 1);
    fill_rows(r.y, N * D, 2);
    fill_rows(log_var_x, M * D, 3);
    fill_rows(log_var_y, N * D, 4);
    r.log_var_x = log_var_x;
    r.log_var_y = log_var_y;
    r.dlog_var_x = dlog_var_x;
    r.dlog_var_y = dlog_var_y;
    r.bias = 3;
    infonce_ref_sigmoid(&r);
    double right_x[M * D], right_y[N * D];
    memcpy(right_x, dlog_var_x, sizeof right_x);
    memcpy(right_y, dlog_var_y, sizeof right_y);
    expect_differences(&r, infonce_ref_sigmoid);
    for (size_t e = 0; e < M * D; e++)
        expect_gradient("dlog_var_x", right_x[e],
                        derivative(&r, infonce_ref_sigmoid, &log_var_x[e], 2e-3),
                        greatest(M * D, right_x));
    for (size_t e = 0; e < N * D; e++)
        expect_gradient("dlog_var_y", right_y[e],
                        derivative(&r, infonce_ref_sigmoid, &log_var_y[e], 2e-3),
                        greatest(N * D, right_y));
    infonce_ref_close(&r);
}

static void alignment_and_uniformity_gradients_are_differences(void **state)
{
    (void)state;
    static const struct mmk_csr none;
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++) {
        struct mmk_infonce_problem problem = {.x = ROWS(4, 3),
                                              .y = ROWS(4, 3),
                                              .similarity = (enum mmk_similarity)similarity,
                                              .logit_scale = 2,
                                              .weight_x = 1,
                                              .weight_y = 0.25f};
        struct infonce_ref r;
        infonce_ref_open(&r, &problem);
        fill_rows(r.x, 12, 1);
        fill_rows(r.y, 12, 2);
        infonce_ref_alignment(&r);
        expect_differences(&r, infonce_ref_alignment);
        infonce_ref_close(&r);
        problem.y = ROWS(6, 3);
        problem.targets = &none;
        check_problem(&problem);
    }
}

/* The least loss is the entropy of the targets: one-hot rows make logits at will. */
static void least_loss_is_entropy(void **state)
{
    (void)state;
    static const size_t row_start[] = {0, 3};
    static const uint32_t column[] = {0, 1, 2};
    static const float weight[] = {1, 2, 5};
    const struct mmk_csr targets = {row_start, column, weight};
    struct infonce_ref r;
    infonce_ref_open(&r, &(struct mmk_infonce_problem){.x = ROWS(1, 1),
                                                       .y = ROWS(3, 1),
                                                       .logit_scale = 1,
                                                       .weight_x = 1,
                                                       .targets = &targets});
    double entropy = 0;
    r.x[0] = 1;
    for (size_t j = 0; j < 3; j++) {
        r.y[j] = log((double)weight[j]);
        entropy -= (double)weight[j] / 8 * log((double)weight[j] / 8);
    }
    infonce_ref_forward(&r);
    infonce_ref_backward(&r);
    assert_true(fabs(r.loss - entropy) < 1e-15);
    for (size_t j = 0; j < 3; j++)
        assert_true(fabs(r.g[j]) < 1e-15);
    infonce_ref_close(&r);
}

/* Fills the rows, runs forward and backward. */
static void run(struct infonce_ref *r, enum mmk_similarity similarity, float scale, float weight_x,
                float weight_y, size_t m, size_t n, size_t d, size_t offset, bool equal_rows)
{
    infonce_ref_open(r, &(struct mmk_infonce_problem){.x = ROWS(m, d),
                                                      .y = ROWS(n, d),
                                                      .similarity = similarity,
                                                      .logit_scale = scale,
                                                      .weight_x = weight_x,
                                                      .weight_y = weight_y,
                                                      .offset = offset});
    fill_rows(r->x, m * d, 3);
    fill_rows(r->y, n * d, 4);
    for (size_t e = 0; equal_rows && e < m * d; e++)
        r->x[e] = r->x[e % d];
    for (size_t e = 0; equal_rows && e < n * d; e++)
        r->y[e] = r->y[e % d];
    infonce_ref_forward(r);
    infonce_ref_backward(r);
}

static void one_pair_has_loss_zero(void **state)
{
    (void)state;
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++) {
        struct infonce_ref r;
        run(&r, (enum mmk_similarity)similarity, 100, 0.5f, 0.5f, 1, 1, 9, 0, false);
        assert_true(r.loss == 0);
        assert_true(r.dscale == 0);
        for (size_t k = 0; k < 9; k++)
            assert_true(r.dx[k] == 0 && r.dy[k] == 0);
        infonce_ref_close(&r);
    }
}

static void equal_rows_have_loss_log_n(void **state)
{
    (void)state;
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++)
        for (size_t n = 1; n < 40; n += 3) {
            struct infonce_ref r;
            run(&r, (enum mmk_similarity)similarity, 14.3f, 0.5f, 0.5f, n, n, 6, 0, true);
            assert_true(fabs(r.loss - log((double)n)) <= 1e-13 * (1 + log((double)n)));
            infonce_ref_close(&r);
            /* m of n: x -> y sees n candidates, y -> x sees m */
            size_t m = (n + 1) / 2;
            run(&r, (enum mmk_similarity)similarity, 14.3f, 1, 0, m, n, 6, n - m, true);
            assert_true(fabs(r.loss - log((double)n)) <= 1e-13 * (1 + log((double)n)));
            infonce_ref_close(&r);
            run(&r, (enum mmk_similarity)similarity, 14.3f, 0, 1, m, n, 6, n - m, true);
            assert_true(fabs(r.loss - log((double)m)) <= 1e-13 * (1 + log((double)m)));
            infonce_ref_close(&r);
        }
}

static void rows_of_g_sum_to_zero(void **state)
{
    (void)state;
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++) {
        struct infonce_ref r;
        const size_t m = 7, n = 11;
        run(&r, (enum mmk_similarity)similarity, 14.3f, 1, 0, m, n, 5, 2, false);
        for (size_t i = 0; i < m; i++) {
            double sum = 0, most = 0;
            for (size_t j = 0; j < n; j++) {
                sum += r.g[i * n + j];
                most = fmax(most, fabs(r.g[i * n + j]));
            }
            assert_true(fabs(sum) <= 1e-14 * (most + 1));
        }
        infonce_ref_close(&r);
    }
}

/* A zero row has gradient 0 with the cosine, and so has nothing else. */
static void zero_row_has_gradient_zero(void **state)
{
    (void)state;
    struct infonce_ref r;
    infonce_ref_open(
        &r, &(struct mmk_infonce_problem){
                .x = ROWS(4, 3), .y = ROWS(4, 3), .similarity = MMK_COSINE, .logit_scale = 14.3f});
    fill_rows(r.x, 12, 5);
    fill_rows(r.y, 12, 6);
    memset(r.x + 3, 0, 3 * sizeof *r.x);
    infonce_ref_forward(&r);
    infonce_ref_backward(&r);
    assert_true(r.dx[3] == 0 && r.dx[4] == 0 && r.dx[5] == 0);
    assert_true(r.dx[0] != 0 && r.dy[0] != 0);
    for (size_t j = 0; j < 4; j++)
        assert_true(r.sim[4 + j] == 0);
    infonce_ref_close(&r);
}

/* The loss keeps its relative accuracy near 0: log(1 + e^-z) with z = 60. */
static void small_loss_is_accurate(void **state)
{
    (void)state;
    struct infonce_ref r;
    infonce_ref_open(&r, &(struct mmk_infonce_problem){
                             .x = ROWS(1, 1), .y = ROWS(2, 1), .logit_scale = 60, .weight_x = 1});
    r.x[0] = 1;
    r.y[0] = 1;
    r.y[1] = 0;
    infonce_ref_forward(&r);
    infonce_ref_backward(&r);
    assert_true(fabs(r.loss / exp(-60) - 1) < 1e-14);
    assert_true(fabs(r.g[0] / -exp(-60) - 1) < 1e-14);
    infonce_ref_close(&r);
}

/* Dot, distance and cosine of float rows against MPFR, whose sums here are exact. */
static void similarities_are_exact(void **state)
{
    (void)state;
    enum { D = 1537 };
    float x[D], y[D];
    mpfr_t term, factor, xy, xx, yy, distance;
    mpfr_inits2(700, term, factor, xy, xx, yy, distance, (mpfr_ptr)0);
    for (uint64_t trial = 0; trial < 40; trial++) {
        size_t d = trial < 20 ? trial : D - trial;
        double size = trial % 3 == 0 ? 1 : trial % 3 == 1 ? 1e-20 : 1e18;
        mpfr_set_zero(xy, 1);
        mpfr_set_zero(xx, 1);
        mpfr_set_zero(yy, 1);
        mpfr_set_zero(distance, 1);
        double magnitude = 0;
        for (size_t k = 0; k < d; k++) {
            x[k] = (float)(fill_normal(2 * trial, k) * size);
            y[k] = (float)(fill_normal(2 * trial + 1, k) * size);
            mpfr_set_flt(term, x[k], MPFR_RNDN);
            mpfr_set_flt(factor, y[k], MPFR_RNDN);
            mpfr_fma(xy, term, factor, xy, MPFR_RNDN);
            mpfr_fma(xx, term, term, xx, MPFR_RNDN);
            mpfr_fma(yy, factor, factor, yy, MPFR_RNDN);
            mpfr_sub(term, term, factor, MPFR_RNDN);
            mpfr_fma(distance, term, term, distance, MPFR_RNDN);
            magnitude += fabs((double)x[k] * (double)y[k]);
        }
        double rounding = (double)d * 0x1p-52;
        double dot = similarity_ref_pair(MMK_DOT, d, x, y);
        assert_true(fabs(dot - mpfr_get_d(xy, MPFR_RNDN)) <= rounding * magnitude);
        double far = similarity_ref_pair(MMK_NEG_SQ_L2, d, x, y);
        double right = mpfr_get_d(distance, MPFR_RNDN);
        assert_true(fabs(far + right) <= (rounding + 0x1p-50) * right);
        double cosine = similarity_ref_pair(MMK_COSINE, d, x, y);
        if (d == 0) {
            assert_true(cosine == 0);
            continue;
        }
        mpfr_mul(term, xx, yy, MPFR_RNDN);
        mpfr_sqrt(term, term, MPFR_RNDN);
        double norms = mpfr_get_d(term, MPFR_RNDN);
        mpfr_div(term, xy, term, MPFR_RNDN);
        assert_true(fabs(cosine - mpfr_get_d(term, MPFR_RNDN)) <=
                    2 * rounding * (magnitude / norms + 1));
    }
    mpfr_clears(term, factor, xy, xx, yy, distance, (mpfr_ptr)0);
}

static void edge_rows(void **state)
{
    (void)state;
    const float zero[3] = {0, -0.0f, 0}, one[3] = {1, 2, 3}, bad[3] = {1, NAN, 3};
    const float infinite[3] = {1, INFINITY, 3}, tiny[3] = {1e-45f, 0, 0};
    assert_true(similarity_ref_pair(MMK_COSINE, 3, zero, one) == 0);
    assert_true(isnan(similarity_ref_pair(MMK_COSINE, 3, zero, bad)));
    assert_true(isnan(similarity_ref_pair(MMK_COSINE, 3, infinite, one)));
    assert_true(fabs(similarity_ref_pair(MMK_COSINE, 3, tiny, tiny) - 1) < 1e-15);
    assert_true(similarity_ref_pair(MMK_NEG_SQ_L2, 3, one, one) == 0);
    assert_true(similarity_ref_pair(MMK_DOT, 3, infinite, one) == (double)INFINITY);
}

/* Pair from the differences, matrix expanded: the same numbers but for rounding. */
static void matrix_is_pairs(void **state)
{
    (void)state;
    enum { M = 6, N = 5, D = 7 };
    float x[M * D], y[N * D];
    double wide_x[M * D], wide_y[N * D], matrix[M * N], magnitude[M * N];
    for (size_t e = 0; e < M * D; e++)
        x[e] = (float)fill_normal(7, e);
    for (size_t e = 0; e < N * D; e++)
        y[e] = e < D ? x[e] : (float)fill_normal(8, e); /* y_0 = x_0 */
    ref_from_float(M, D, x, D, wide_x);
    ref_from_float(N, D, y, D, wide_y);
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++) {
        similarity_ref_matrix((enum mmk_similarity)similarity, M, N, D, wide_x, wide_y, matrix,
                              magnitude);
        for (size_t i = 0; i < M; i++)
            for (size_t j = 0; j < N; j++) {
                double pair =
                    similarity_ref_pair((enum mmk_similarity)similarity, D, x + i * D, y + j * D);
                assert_true(fabs(matrix[i * N + j] - pair) < 1e-13);
            }
    }
    assert_true(matrix[0] == 0); /* neg_sq_l2 of equal rows */
}

static void order_is_total(void **state)
{
    (void)state;
    const float scores[] = {0.0f, NAN, 2, -0.0f, INFINITY, 2, -NAN, -INFINITY};
    const uint32_t right[] = {4, 2, 5, 0, 3, 7, 1, 6};
    uint32_t order[8];
    topk_ref_order(8, scores, order);
    assert_memory_equal(order, right, sizeof right);
}

/* The verdict itself: what must fail does. */
static void verdict_fails_what_is_wrong(void **state)
{
    (void)state;
    struct trial t;
    struct verdict v;
    struct shape shape = {.m = 2, .n = 3, .d = 5, .ld_extra = 1};
    assert_true(trial_open(&t, kernel_find("dot_matrix"), &shape, FILL_NORMAL, 1));
    trial_fill(&t);
    trial_oracle(&t);
    struct buffer *b = trial_buffer(&t, "result");
    float *out = b->data;
    trial_poison(&t);
    assert_false(trial_check(&t, &v)); /* nothing written */
    assert_int_equal(v.wrong, 6);
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < 3; j++)
            out[i * b->ld + j] = (float)b->expected[i * 3 + j];
    assert_true(trial_check(&t, &v));
    assert_true(v.worst_share < 1);
    float kept = out[b->ld];
    double wrong[] = {(double)INFINITY, (double)NAN, b->expected[3] + 2 * b->bound[3], 0};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        out[b->ld] = (float)wrong[i];
        assert_false(trial_check(&t, &v));
        assert_true(strstr(v.message, "result[1,0]") != NULL);
    }
    out[b->ld] = kept;
    out[3] = 1; /* padding after row 0 */
    assert_false(trial_check(&t, &v));
    trial_close(&t);

    struct shape row = {.n = 4, .k = 6};
    assert_true(trial_open(&t, kernel_find("topk"), &row, FILL_TIES, 1));
    trial_fill(&t);
    trial_oracle(&t);
    trial_poison(&t);
    float *values = t.buffer[1].data;
    uint32_t *indices = t.buffer[2].data;
    for (size_t e = 0; e < 4; e++) {
        values[e] = (float)t.buffer[1].expected[e];
        indices[e] = (uint32_t)t.buffer[2].expected[e];
    }
    assert_false(trial_check(&t, &v)); /* count */
    t.count = 4;
    assert_true(trial_check(&t, &v));
    values[5] = 0; /* beyond count */
    assert_false(trial_check(&t, &v));
    trial_close(&t);
}

/* A field that is left out is named before anything runs; those of today's kernels are all
 * there. */
static void descriptors_are_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < kernel_count; i++)
        if (kernel_lacks(kernels[i]))
            fail_msg("%s has no %s", kernels[i]->name, kernel_lacks(kernels[i]));
    struct kernel without = *kernels[0];
    without.flops = NULL;
    assert_string_equal(kernel_lacks(&without), "flops");
    without.name = NULL;
    assert_string_equal(kernel_lacks(&without), "name");
    without = *kernels[0];
    without.bench_count = 0;
    assert_string_equal(kernel_lacks(&without), "bench");
    without = *kernel_find("gallery_search");
    without.release = NULL;
    assert_string_equal(kernel_lacks(&without), "release");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_are_whole),
        cmocka_unit_test(gradients_are_differences),
        cmocka_unit_test(gradients_with_targets_are_differences),
        cmocka_unit_test(gradients_with_negatives_are_differences),
        cmocka_unit_test(negatives_have_no_loss_y),
        cmocka_unit_test(sigmoid_gradients_are_differences),
        cmocka_unit_test(csd_gradients_are_differences),
        cmocka_unit_test(alignment_and_uniformity_gradients_are_differences),
        cmocka_unit_test(least_loss_is_entropy),
        cmocka_unit_test(one_pair_has_loss_zero),
        cmocka_unit_test(equal_rows_have_loss_log_n),
        cmocka_unit_test(rows_of_g_sum_to_zero),
        cmocka_unit_test(zero_row_has_gradient_zero),
        cmocka_unit_test(small_loss_is_accurate),
        cmocka_unit_test(similarities_are_exact),
        cmocka_unit_test(edge_rows),
        cmocka_unit_test(matrix_is_pairs),
        cmocka_unit_test(order_is_total),
        cmocka_unit_test(verdict_fails_what_is_wrong),
    };
    return cmocka_run_group_tests_name("oracle", tests, NULL, NULL);
}
