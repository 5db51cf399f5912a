/* test_oracle_mpfr.c - the oracle's losses and gradients against the formulas in 300 bits.
 * SPDX-License-Identifier: MIT
 *
 * Written from the formulas of mmk.h and from nothing else, without any of the oracle's care for
 * cancellation: 300 bits have it to spare.
 */
#include "../../ref/cases.h"
#include "../../ref/infonce_ref.h"

#include <mpfr.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { BITS = 300, B = 9, D = 7 };

typedef mpfr_t number;

/* One problem: B pairs of D elements, y_i belongs to x_i. */
static struct {
    number x[B][D], y[B][D], norm_x[B], norm_y[B];
    number sim[B][B], logit[B][B], lse_x[B], lse_y[B], g[B][B];
    number loss, dscale, dbias, dx[B][D], dy[B][D];
} p;

/* The greatest sum of magnitudes behind an element: where terms cancel, a rounding is of these. */
static struct {
    double dscale, dbias, dx, dy;
} magnitude;

static number scratch_a, scratch_b, scratch_c;

static void init_all(void)
{
    number *all = (number *)&p;
    for (size_t i = 0; i < sizeof p / sizeof *all; i++)
        mpfr_init2(all[i], BITS);
    mpfr_inits2(BITS, scratch_a, scratch_b, scratch_c, (mpfr_ptr)0);
}

static void clear_all(void)
{
    number *all = (number *)&p;
    for (size_t i = 0; i < sizeof p / sizeof *all; i++)
        mpfr_clear(all[i]);
    mpfr_clears(scratch_a, scratch_b, scratch_c, (mpfr_ptr)0);
    mpfr_free_cache();
}

/* sum += a b */
static void add_product(number sum, number a, number b)
{
    mpfr_fma(sum, a, b, sum, MPFR_RNDN);
}

static void set_rows(const struct infonce_ref *r)
{
    for (size_t i = 0; i < B; i++) {
        mpfr_set_zero(p.norm_x[i], 1);
        mpfr_set_zero(p.norm_y[i], 1);
        for (size_t k = 0; k < D; k++) {
            mpfr_set_d(p.x[i][k], r->x[i * D + k], MPFR_RNDN);
            mpfr_set_d(p.y[i][k], r->y[i * D + k], MPFR_RNDN);
            add_product(p.norm_x[i], p.x[i][k], p.x[i][k]);
            add_product(p.norm_y[i], p.y[i][k], p.y[i][k]);
        }
        mpfr_sqrt(p.norm_x[i], p.norm_x[i], MPFR_RNDN);
        mpfr_sqrt(p.norm_y[i], p.norm_y[i], MPFR_RNDN);
    }
}

static void set_logits(enum mmk_similarity similarity, double scale)
{
    for (size_t i = 0; i < B; i++)
        for (size_t j = 0; j < B; j++) {
            mpfr_ptr sim = p.sim[i][j];
            mpfr_set_zero(sim, 1);
            for (size_t k = 0; k < D; k++) {
                if (similarity == MMK_NEG_SQ_L2) {
                    mpfr_sub(scratch_a, p.x[i][k], p.y[j][k], MPFR_RNDN);
                    mpfr_sqr(scratch_a, scratch_a, MPFR_RNDN);
                    mpfr_sub(sim, sim, scratch_a, MPFR_RNDN);
                } else {
                    mpfr_fma(sim, p.x[i][k], p.y[j][k], sim, MPFR_RNDN);
                }
            }
            if (similarity == MMK_COSINE) {
                mpfr_div(sim, sim, p.norm_x[i], MPFR_RNDN);
                mpfr_div(sim, sim, p.norm_y[j], MPFR_RNDN);
            }
            mpfr_mul_d(p.logit[i][j], sim, scale, MPFR_RNDN);
        }
}

/* to += factor times d sim / d a, where the similarity is that of the rows a and b; the sizes of
 * what is added to of. */
static void add_gradient(number to[D], double of[D], enum mmk_similarity similarity, number a[D],
                         number b[D], number norm_a, number norm_b, number sim, number factor)
{
    for (size_t k = 0; k < D; k++) {
        if (similarity == MMK_DOT) {
            mpfr_set(scratch_a, b[k], MPFR_RNDN);
            mpfr_set_zero(scratch_b, 1);
        } else if (similarity == MMK_NEG_SQ_L2) {
            mpfr_mul_ui(scratch_a, b[k], 2, MPFR_RNDN);
            mpfr_mul_ui(scratch_b, a[k], 2, MPFR_RNDN);
        } else {
            mpfr_div(scratch_a, b[k], norm_b, MPFR_RNDN);
            mpfr_div(scratch_a, scratch_a, norm_a, MPFR_RNDN);
            mpfr_div(scratch_b, a[k], norm_a, MPFR_RNDN);
            mpfr_div(scratch_b, scratch_b, norm_a, MPFR_RNDN);
            mpfr_mul(scratch_b, scratch_b, sim, MPFR_RNDN);
        }
        of[k] += fabs(mpfr_get_d(factor, MPFR_RNDN)) *
                 (fabs(mpfr_get_d(scratch_a, MPFR_RNDN)) + fabs(mpfr_get_d(scratch_b, MPFR_RNDN)));
        mpfr_sub(scratch_a, scratch_a, scratch_b, MPFR_RNDN);
        add_product(to[k], scratch_a, factor);
    }
}

static double greatest(double of[B][D])
{
    double most = 0;
    for (size_t e = 0; e < B * D; e++)
        most = fmax(most, of[e / D][e % D]);
    return most;
}

/* The sum of magnitudes behind a similarity; a distance is expanded. */
static double terms_of(enum mmk_similarity similarity, size_t i, size_t j)
{
    double x = mpfr_get_d(p.norm_x[i], MPFR_RNDN), y = mpfr_get_d(p.norm_y[j], MPFR_RNDN);
    return similarity == MMK_COSINE ? 1 : similarity == MMK_DOT ? x * y : (x + y) * (x + y);
}

/* From g. */
static void set_gradients(enum mmk_similarity similarity, double scale)
{
    double of_dx[B][D] = {{0}}, of_dy[B][D] = {{0}};
    mpfr_set_zero(p.dscale, 1);
    mpfr_set_zero(p.dbias, 1);
    magnitude.dscale = magnitude.dbias = 0;
    for (size_t i = 0; i < B; i++)
        for (size_t k = 0; k < D; k++) {
            mpfr_set_zero(p.dx[i][k], 1);
            mpfr_set_zero(p.dy[i][k], 1);
        }
    for (size_t i = 0; i < B; i++)
        for (size_t j = 0; j < B; j++) {
            add_product(p.dscale, p.g[i][j], p.sim[i][j]);
            mpfr_add(p.dbias, p.dbias, p.g[i][j], MPFR_RNDN);
            double g = fabs(mpfr_get_d(p.g[i][j], MPFR_RNDN));
            magnitude.dbias += g;
            magnitude.dscale += g * terms_of(similarity, i, j);
            mpfr_mul_d(scratch_c, p.g[i][j], scale, MPFR_RNDN);
            add_gradient(p.dx[i], of_dx[i], similarity, p.x[i], p.y[j], p.norm_x[i], p.norm_y[j],
                         p.sim[i][j], scratch_c);
            add_gradient(p.dy[j], of_dy[j], similarity, p.y[j], p.x[i], p.norm_y[j], p.norm_x[i],
                         p.sim[i][j], scratch_c);
        }
    magnitude.dx = greatest(of_dx);
    magnitude.dy = greatest(of_dy);
}

/* One direction: weight / B of sum_i (lse_i - L_ii), and its part of g. */
static void add_direction(number lse[B], bool transposed, double weight)
{
    for (size_t i = 0; i < B; i++) {
        mpfr_set_zero(lse[i], 1);
        for (size_t j = 0; j < B; j++) {
            mpfr_exp(scratch_a, transposed ? p.logit[j][i] : p.logit[i][j], MPFR_RNDN);
            mpfr_add(lse[i], lse[i], scratch_a, MPFR_RNDN);
        }
        for (size_t j = 0; j < B; j++) {
            mpfr_exp(scratch_a, transposed ? p.logit[j][i] : p.logit[i][j], MPFR_RNDN);
            mpfr_div(scratch_a, scratch_a, lse[i], MPFR_RNDN);
            if (i == j)
                mpfr_sub_ui(scratch_a, scratch_a, 1, MPFR_RNDN);
            mpfr_mul_d(scratch_a, scratch_a, weight, MPFR_RNDN);
            mpfr_div_ui(scratch_a, scratch_a, B, MPFR_RNDN);
            mpfr_ptr g = transposed ? p.g[j][i] : p.g[i][j];
            mpfr_add(g, g, scratch_a, MPFR_RNDN);
        }
        mpfr_log(lse[i], lse[i], MPFR_RNDN);
        mpfr_sub(scratch_a, lse[i], p.logit[i][i], MPFR_RNDN);
        mpfr_mul_d(scratch_a, scratch_a, weight, MPFR_RNDN);
        mpfr_div_ui(scratch_a, scratch_a, B, MPFR_RNDN);
        mpfr_add(p.loss, p.loss, scratch_a, MPFR_RNDN);
    }
}

static void zero_g(void)
{
    mpfr_set_zero(p.loss, 1);
    for (size_t i = 0; i < B; i++)
        for (size_t j = 0; j < B; j++)
            mpfr_set_zero(p.g[i][j], 1);
}

/* 1/B sum_ij log(1 + e^(-z_ij (L_ij + b))), z_ij = 1 on the diagonal and else -1. */
static void set_sigmoid(double bias)
{
    zero_g();
    for (size_t i = 0; i < B; i++)
        for (size_t j = 0; j < B; j++) {
            mpfr_add_d(scratch_a, p.logit[i][j], bias, MPFR_RNDN);
            if (i == j)
                mpfr_neg(scratch_a, scratch_a, MPFR_RNDN);
            mpfr_exp(scratch_a, scratch_a, MPFR_RNDN); /* e^(-z (L + b)) */
            mpfr_log1p(scratch_b, scratch_a, MPFR_RNDN);
            mpfr_div_ui(scratch_b, scratch_b, B, MPFR_RNDN);
            mpfr_add(p.loss, p.loss, scratch_b, MPFR_RNDN);
            mpfr_add_ui(scratch_b, scratch_a, 1, MPFR_RNDN);
            mpfr_div(scratch_a, scratch_a, scratch_b, MPFR_RNDN);
            mpfr_div_ui(p.g[i][j], scratch_a, B, MPFR_RNDN);
            if (i == j)
                mpfr_neg(p.g[i][j], p.g[i][j], MPFR_RNDN);
        }
}

/* |got - right| is at most `tolerance` times `size`, or the greatest |right|. */
static void expect(const char *what, size_t count, const double *got, number *right,
                   double tolerance, double size)
{
    double error = 0;
    for (size_t e = 0; e < count; e++) {
        size = fmax(size, fabs(mpfr_get_d(right[e], MPFR_RNDN)));
        mpfr_sub_d(scratch_a, right[e], got[e], MPFR_RNDN);
        error = fmax(error, fabs(mpfr_get_d(scratch_a, MPFR_RNDN)));
    }
    if (!(error <= tolerance * size))
        fail_msg("%s: off by %.3g of %.3g, more than %.3g of it", what, error, size, tolerance);
}

/* Some roundings of 2^-53 for each operation on a value, and those of the logits in e^L. */
static double greatest_logit(enum mmk_similarity similarity, double scale)
{
    double most = 1;
    for (size_t i = 0; i < B; i++)
        for (size_t j = 0; j < B; j++)
            most = fmax(most, scale * terms_of(similarity, i, j));
    return most;
}

static double tolerance_of(double most)
{
    return (40 + 8 * most) * 0x1p-53;
}

static void open_rows(struct infonce_ref *r, enum mmk_similarity similarity, float scale,
                      bool aligned, const struct mmk_csr *targets, uint64_t seed)
{
    const struct mmk_matrix rows = {.rows = B, .columns = D};
    infonce_ref_open(r, &(struct mmk_infonce_problem){.x = &rows,
                                                      .y = &rows,
                                                      .similarity = similarity,
                                                      .logit_scale = scale,
                                                      .weight_x = 0.75f,
                                                      .weight_y = 0.5f,
                                                      .targets = targets});
    for (size_t e = 0; e < B * D; e++) {
        r->x[e] = (double)(float)fill_normal(2 * seed, e);
        r->y[e] = (double)(float)(aligned ? r->x[e] + 1e-3 * fill_normal(2 * seed + 1, e)
                                          : fill_normal(2 * seed + 1, e));
    }
}

static void expect_gradients(const struct infonce_ref *r, double tolerance)
{
    expect("loss", 1, &r->loss, &p.loss, tolerance, 0);
    expect("dscale", 1, &r->dscale, &p.dscale, tolerance, magnitude.dscale);
    expect("dx", B * D, r->dx, p.dx[0], tolerance, magnitude.dx);
    expect("dy", B * D, r->dy, p.dy[0], tolerance, magnitude.dy);
}

static void infonce_is_exact(void **state)
{
    (void)state;
    static const float scales[] = {0.5f, 5, 14.3f, 60};
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++)
        for (size_t s = 0; s < sizeof scales / sizeof scales[0]; s++)
            for (int aligned = 0; aligned < 2; aligned++) {
                struct infonce_ref r;
                open_rows(&r, (enum mmk_similarity)similarity, scales[s], aligned, NULL, s);
                infonce_ref_forward(&r);
                infonce_ref_backward(&r);
                set_rows(&r);
                set_logits((enum mmk_similarity)similarity, (double)scales[s]);
                zero_g();
                add_direction(p.lse_x, false, 0.75);
                add_direction(p.lse_y, true, 0.5);
                set_gradients((enum mmk_similarity)similarity, (double)scales[s]);
                double most = greatest_logit((enum mmk_similarity)similarity, (double)scales[s]);
                double tolerance = tolerance_of(most);
                expect("lse_x", B, r.dir_x.lse, p.lse_x, 0x1p-50, most);
                expect("lse_y", B, r.dir_y.lse, p.lse_y, 0x1p-50, most);
                expect_gradients(&r, tolerance);
                infonce_ref_close(&r);
            }
}

static void sigmoid_is_exact(void **state)
{
    (void)state;
    static const double biases[] = {-10, 0, 3};
    static const size_t row_start[B + 1] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    static const uint32_t column[B] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    const struct mmk_csr targets = {.row_start = row_start, .column = column};
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++)
        for (size_t b = 0; b < sizeof biases / sizeof biases[0]; b++)
            for (int aligned = 0; aligned < 2; aligned++) {
                struct infonce_ref r;
                open_rows(&r, (enum mmk_similarity)similarity, 7, aligned, &targets, 10 + b);
                r.bias = biases[b];
                infonce_ref_sigmoid(&r);
                set_rows(&r);
                set_logits((enum mmk_similarity)similarity, 7);
                set_sigmoid(biases[b]);
                set_gradients((enum mmk_similarity)similarity, 7);
                double tolerance = tolerance_of(greatest_logit((enum mmk_similarity)similarity, 7));
                expect_gradients(&r, tolerance);
                expect("dbias", 1, &r.dbias, &p.dbias, tolerance, magnitude.dbias);
                infonce_ref_close(&r);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(infonce_is_exact),
        cmocka_unit_test(sigmoid_is_exact),
    };
    init_all();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    clear_all();
    return failed;
}
