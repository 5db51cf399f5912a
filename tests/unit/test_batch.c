/* test_batch.c - losses and gradients whose error does not grow with the batch.
 * SPDX-License-Identifier: MIT
 *
 * Equal rows are the worst case for a chain of floats: all its roundings may go the same way (dX of
 * 200,000 of them came out as 1.00117 in place of 1). Their sums are known in closed form. Random
 * rows are compared with the oracle.
 */
#include "../../kernels/exp/lse.h"
#include "../../kernels/isa/isa.h"
#include "../../ref/cases.h"
#include "../../ref/infonce_ref.h"
#include "matrix.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { EQUAL_ROWS = 200000, FEW = 24, MANY = 20000, D = 6 };

/* 176 roundings one way are 176/2 2^-24 of a sum at most, 5.2e-6, of which a third is met. Random
 * rows leave a hundredth of what is summed up, and are met at half of this. */
#define MOST 3e-6

static void on_every_isa(void (*test)(int threads))
{
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++)
        if (mmk_isa_usable((enum mmk_isa)isa) == MMK_OK) {
            isa_use_row(isa_builtin_row((enum mmk_isa)isa));
            test(1 + isa % 2);
        }
    isa_use_row(NULL);
}

/* The greatest error, relative to the greatest right value. */
static double relative_error(size_t count, const float *v, const double *right)
{
    double error = 0, greatest = 0;
    for (size_t e = 0; e < count; e++) {
        error = fmax(error, fabs((double)v[e] - right[e]));
        error = v[e] == v[e] ? error : (double)INFINITY;
        greatest = fmax(greatest, fabs(right[e]));
    }
    return error / greatest;
}

static void assert_near(const char *what, size_t count, const float *v, const double *right,
                        double most)
{
    double error = relative_error(count, v, right);
    if (!(error <= most))
        fail_msg("%s: relative error %g, at most %g", what, error, most);
}

static void assert_one_near(const char *what, float v, double right, double most)
{
    assert_near(what, 1, &v, &right, most);
}

/* ---- Equal rows ------------------------------------------------------------------------------ */

static float many[MANY * D > EQUAL_ROWS ? MANY *D : EQUAL_ROWS], one[1];
static float dmany[MANY * D > EQUAL_ROWS ? MANY *D : EQUAL_ROWS], done[1];
static float lse_many[EQUAL_ROWS], lse_one[1];

/* A side of one row, x, against equal rows of 1, but for the first, its partner. */
struct side {
    bool one_is_x;
    float x, partner;
};

static void fill_sides(const struct side *s)
{
    one[0] = s->x;
    for (size_t j = 0; j < EQUAL_ROWS; j++)
        many[j] = j == 0 ? s->partner : 1.0f;
}

/* Uniformity: P = 1/n, so that d loss/dx = d sim/dx, and d loss/ds = sim. */
static void equal_uniformity(enum mmk_similarity similarity, bool one_is_x, int threads)
{
    bool l2 = similarity == MMK_NEG_SQ_L2;
    fill_sides(&(struct side){one_is_x, l2 ? 3.0f : 1.0f, 1.0f});
    const struct mmk_matrix *single = MATRIX_AT(one, 1, 1, 0),
                            *rows = MATRIX_AT(many, EQUAL_ROWS, 1, 0);
    const struct mmk_matrix_out *dsingle = MATRIX_OUT_AT(done, 1, 1, 0),
                                *drows = MATRIX_OUT_AT(dmany, EQUAL_ROWS, 1, 0);
    float dscale;
    assert_int_equal(
        mmk_uniformity(&(struct mmk_infonce_problem){.x = one_is_x ? single : rows,
                                                     .y = one_is_x ? rows : single,
                                                     .similarity = similarity,
                                                     .logit_scale = 1.0f,
                                                     .weight_x = one_is_x,
                                                     .weight_y = !one_is_x},
                       &(struct mmk_infonce_results){.dx = one_is_x ? dsingle : drows,
                                                     .dy = one_is_x ? drows : dsingle,
                                                     .lse_x = one_is_x ? lse_one : lse_many,
                                                     .lse_y = one_is_x ? lse_many : lse_one,
                                                     .dlogit_scale = &dscale},
                       &(struct mmk_options){.threads = threads}),
        MMK_OK);
    assert_one_near("d one", done[0], l2 ? -4 : 1, MOST);
    assert_one_near("dlogit_scale", dscale, l2 ? -4 : 1, MOST);
    assert_one_near("lse", lse_one[0], log(EQUAL_ROWS) + (l2 ? -4 : 1), 1e-7);
    for (size_t j = 0; j < EQUAL_ROWS; j++)
        assert_one_near("d many", dmany[j], (l2 ? 4 : 1) / (double)EQUAL_ROWS, MOST);
}

static void equal_uniformities(int threads)
{
    equal_uniformity(MMK_DOT, true, threads);
    equal_uniformity(MMK_DOT, false, threads);
    equal_uniformity(MMK_NEG_SQ_L2, true, threads);
    equal_uniformity(MMK_NEG_SQ_L2, false, threads);
}

/* The one row's dx and d logit_scale of InfoNCE are both `right`: from rows, and from a given lse,
 * where sums of P are taken in the backward and many positives are added when all else is. */
static void one_row_infonce(const struct mmk_csr *targets, double right, int threads)
{
    struct mmk_infonce_problem problem = {.x = MATRIX_AT(one, 1, 1, 0),
                                          .y = MATRIX_AT(many, EQUAL_ROWS, 1, 0),
                                          .logit_scale = 1.0f,
                                          .weight_x = 1.0f,
                                          .targets = targets};
    float dscale;
    struct mmk_infonce_results results = {.dx = MATRIX_OUT_AT(done, 1, 1, 0),
                                          .lse_x = lse_one,
                                          .lse_y = lse_many,
                                          .dlogit_scale = &dscale};
    for (int given = 0; given < 2; given++) {
        assert_int_equal(mmk_infonce(&problem, &results, &(struct mmk_options){.threads = threads}),
                         MMK_OK);
        assert_one_near("dx", done[0], right, MOST);
        assert_one_near("dlogit_scale", dscale, right, MOST);
        problem.lse_x = lse_one;
        problem.lse_y = lse_many;
        results.lse_x = results.lse_y = NULL;
    }
}

/* The partner at -1: with p its softmax, dx = (1 - p) 1 + (p - 1) (-1). */
static void equal_infonce(int threads)
{
    double partner = exp(-1) / (exp(-1) + (EQUAL_ROWS - 1) * exp(1));
    fill_sides(&(struct side){true, 1.0f, -1.0f});
    one_row_infonce(NULL, 2 * (1 - partner), threads);
}

/* Half of the rows positives of the one at 1, the others at -1: with q what the softmax has for
 * these, dx = -q 1 + q (-1). */
static void many_positives(int threads)
{
    static uint32_t column[EQUAL_ROWS / 2];
    const size_t start[] = {0, EQUAL_ROWS / 2};
    one[0] = 1.0f;
    for (size_t j = 0; j < EQUAL_ROWS; j++) {
        many[j] = j % 2 == 0 ? 1.0f : -1.0f;
        column[j / 2] = (uint32_t)(j / 2 * 2);
    }
    const struct mmk_csr targets = {.row_start = start, .column = column};
    one_row_infonce(&targets, -2 * exp(-1) / (exp(1) + exp(-1)), threads);
}

static void a_row_of_many_positives(void **state)
{
    (void)state;
    on_every_isa(many_positives);
}

/* The sigmoid loss, the partner at -1. */
static void equal_sigmoid(int threads)
{
    double s = 1, bias = -3, others = EQUAL_ROWS - 1;
    /* sigma(L) of the negatives; sigma(-L) of the partner, whose L is -s + bias */
    double negative = 1 / (1 + exp(-(s + bias))), positive = 1 / (1 + exp(-s + bias));
    fill_sides(&(struct side){true, 1.0f, -1.0f});
    float loss, dscale, dbias;
    assert_int_equal(
        mmk_sigmoid(&(struct mmk_sigmoid_problem){.x = MATRIX_AT(one, 1, 1, 0),
                                                  .y = MATRIX_AT(many, EQUAL_ROWS, 1, 0),
                                                  .logit_scale = (float)s,
                                                  .bias = (float)bias},
                    &(struct mmk_sigmoid_results){.loss = &loss,
                                                  .dx = MATRIX_OUT_AT(done, 1, 1, 0),
                                                  .dlogit_scale = &dscale,
                                                  .dbias = &dbias},
                    &(struct mmk_options){.threads = threads}),
        MMK_OK);
    assert_one_near("loss", loss, others * log1p(exp(s + bias)) + log1p(exp(s - bias)), MOST);
    assert_one_near("dx", done[0], others * negative + positive, MOST);
    assert_one_near("dlogit_scale", dscale, others * negative + positive, MOST);
    assert_one_near("dbias", dbias, others * negative - positive, MOST);
}

/* ---- Random rows ----------------------------------------------------------------------------- */

static float few[FEW * D], dfew[FEW * D];

static void random_infonce(enum mmk_similarity similarity, bool few_is_x, int threads)
{
    for (size_t e = 0; e < FEW * D; e++)
        few[e] = (float)fill_normal(31, e);
    for (size_t e = 0; e < (size_t)MANY * D; e++)
        many[e] = (float)fill_normal(32, e);
    const struct mmk_matrix *a = MATRIX_AT(few, FEW, D, 0), *b = MATRIX_AT(many, MANY, D, 0);
    const struct mmk_matrix_out *da = MATRIX_OUT_AT(dfew, FEW, D, 0),
                                *db = MATRIX_OUT_AT(dmany, MANY, D, 0);
    float loss, dscale;
    struct mmk_infonce_problem problem = {.x = few_is_x ? a : b,
                                          .y = few_is_x ? b : a,
                                          .similarity = similarity,
                                          .logit_scale = similarity == MMK_COSINE ? 3.0f : 0.2f,
                                          .weight_x = few_is_x ? 1.0f : 0.25f,
                                          .weight_y = few_is_x ? 0.25f : 1.0f};
    struct mmk_infonce_results results = {
        .loss = &loss, .dx = few_is_x ? da : db, .dy = few_is_x ? db : da, .dlogit_scale = &dscale};
    assert_int_equal(mmk_uniformity(&problem, &results, &(struct mmk_options){.threads = threads}),
                     MMK_OK);
    struct infonce_ref r;
    problem.targets = &(struct mmk_csr){0};
    infonce_ref_open(&r, &problem);
    infonce_ref_forward(&r);
    infonce_ref_backward(&r);
    /* the log of a mean near 1, of which lse is a part */
    assert_true(fabs((double)loss - r.loss) <= MOST * fmax(fabs(r.loss), 1));
    assert_one_near("dlogit_scale", dscale, r.dscale, MOST);
    assert_near("d few", FEW * D, dfew, few_is_x ? r.dx : r.dy, MOST);
    assert_near("d many", (size_t)MANY * D, dmany, few_is_x ? r.dy : r.dx, MOST);
    infonce_ref_close(&r);
}

static void random_uniformities(int threads)
{
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++) {
        random_infonce((enum mmk_similarity)similarity, true, threads);
        random_infonce((enum mmk_similarity)similarity, false, threads);
    }
}

/* ---- A sum that stands in a tie -------------------------------------------------------------- */

/* A double T, even in its last place, so that T ln 2 and (T + ulp) ln 2 are different floats. */
static double sum_at_a_tie(double ulp)
{
    for (float f = 0x1p58f;; f = nextafterf(f, INFINITY)) {
        double middle = ((double)f + (double)nextafterf(f, INFINITY)) / 2;
        double t = nearbyint(middle / LSE_LN2 / ulp) * ulp - 8 * ulp;
        for (int k = 0; k < 16; k++, t += ulp)
            if (fmod(t, 2 * ulp) == 0 && (float)(t * LSE_LN2) != (float)((t + ulp) * LSE_LN2))
                return t;
    }
}

/* The parts of a row's sum join in double: T and 32 + 32, half an ulp each, which is T or T + ulp
 * by the order in which they do. It must be the same whatever else is asked. */
static void tied_loss(int threads)
{
    enum { N = 2 * 672, PART = 256 }; /* blocks of columns, and what is float in them */
    double ulp = 64, t = sum_at_a_tie(ulp);
    for (size_t j = 0; j < N; j++)
        many[j] = -0x1p20f; /* a softplus of 0 */
    for (size_t part = 0; part < 3; part++) {
        float below = (float)t;
        many[part * PART] = (double)below > t ? nextafterf(below, 0) : below;
        t -= (double)many[part * PART];
    }
    assert_true(t == 0);
    many[672] = many[672 + PART] = 32;
    one[0] = 1;
    static const size_t none[] = {0, 0};
    const float upstream = 0x1p-40f; /* G y stays in float's range */
    struct mmk_sigmoid_problem problem = {.x = MATRIX_AT(one, 1, 1, 0),
                                          .y = MATRIX_AT(many, N, 1, 0),
                                          .logit_scale = (float)LSE_LN2, /* 2^L is of y itself */
                                          .positives = &(struct mmk_csr){.row_start = none},
                                          .upstream = &upstream};
    float alone, beside, dbias;
    struct mmk_options options = {.threads = threads};
    assert_int_equal(mmk_sigmoid(&problem, &(struct mmk_sigmoid_results){.loss = &alone}, &options),
                     MMK_OK);
    assert_int_equal(mmk_sigmoid(&problem,
                                 &(struct mmk_sigmoid_results){.loss = &beside, .dbias = &dbias},
                                 &options),
                     MMK_OK);
    assert_memory_equal(&alone, &beside, sizeof alone);
}

/* ---- The suite ------------------------------------------------------------------------------- */

static void equal_rows_of_uniformity(void **state)
{
    (void)state;
    on_every_isa(equal_uniformities);
}

static void equal_rows_of_infonce(void **state)
{
    (void)state;
    on_every_isa(equal_infonce);
}

static void equal_rows_of_sigmoid(void **state)
{
    (void)state;
    on_every_isa(equal_sigmoid);
}

static void a_tie_of_parts(void **state)
{
    (void)state;
    on_every_isa(tied_loss);
}

static void random_rows(void **state)
{
    (void)state;
    on_every_isa(random_uniformities);
}

/* ---- Rows that are alike --------------------------------------------------------------------- */

/* x . dx over |x| |dx|, the worst of some rows. */
static double worst_along(size_t rows, size_t d, const float *x, const float *dx)
{
    double worst = 0;
    for (size_t i = 0; i < rows; i++) {
        double along = 0, xx = 0, gg = 0;
        for (size_t k = i * d; k < (i + 1) * d; k++) {
            along += (double)x[k] * (double)dx[k];
            xx += (double)x[k] * (double)x[k];
            gg += (double)dx[k] * (double)dx[k];
        }
        worst = fmax(worst, fabs(along) / sqrt(xx * gg));
    }
    return worst;
}

/* The gradient of a cosine is orthogonal to its row. Logits of rows that are alike, in long chains,
 * err by some 1e-6 each, and 2e-5 of the gradient would be left along the row. It is at most 2^-22
 * and what rounding the gradient leaves. */
static void alike_rows(int threads)
{
    enum { ROWS = 40, LONG = 4096 };
    static float x[ROWS * LONG], y[ROWS * LONG], dx[ROWS * LONG], dy[ROWS * LONG];
    for (size_t d = 65; d <= LONG; d = d < 768 ? 768 : d < LONG ? LONG : LONG + 1)
        for (int similar = 1; similar <= 9; similar += 4)
            for (int waits = 0; waits < 2; waits++) {
                for (size_t e = 0; e < ROWS * d; e++) {
                    uint32_t common = (uint32_t)(e % d) * 2654435761u;
                    float shared = (float)similar * ((float)(common >> 8) * 0x1p-24f - 0.5f);
                    x[e] = shared +
                           ((float)(uint32_t)(e * 2246822519u >> 8 & 0xffffff) * 0x1p-24f - 0.5f);
                    y[e] = shared +
                           ((float)(uint32_t)(e * 3266489917u >> 8 & 0xffffff) * 0x1p-24f - 0.5f);
                }
                float lse_x[ROWS], lse_y[ROWS];
                struct mmk_infonce_problem problem = {.x = MATRIX_AT(x, ROWS, d, 0),
                                                      .y = MATRIX_AT(y, ROWS, d, 0),
                                                      .similarity = MMK_COSINE,
                                                      .logit_scale = 1};
                struct mmk_infonce_results results = {.lse_x = lse_x, .lse_y = lse_y};
                struct mmk_options options = {.threads = threads};
                if (waits) { /* for sums that are known at the end only */
                    assert_int_equal(mmk_infonce(&problem, &results, &options), MMK_OK);
                    problem.lse_x = lse_x;
                    problem.lse_y = lse_y;
                }
                results = (struct mmk_infonce_results){.dx = MATRIX_OUT_AT(dx, ROWS, d, 0),
                                                       .dy = MATRIX_OUT_AT(dy, ROWS, d, 0)};
                assert_int_equal(mmk_infonce(&problem, &results, &options), MMK_OK);
                double worst = fmax(worst_along(ROWS, d, x, dx), worst_along(ROWS, d, y, dy));
                if (!(worst <= 3e-7))
                    fail_msg(
                        "d %zu, rows alike by %d, waiting %d: %g of a gradient lies along its row",
                        d, similar, waits, worst);
            }
}

static void nothing_is_left_along_a_row(void **state)
{
    (void)state;
    on_every_isa(alike_rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_rows_of_uniformity),
        cmocka_unit_test(equal_rows_of_infonce),
        cmocka_unit_test(equal_rows_of_sigmoid),
        cmocka_unit_test(a_row_of_many_positives),
        cmocka_unit_test(a_tie_of_parts),
        cmocka_unit_test(random_rows),
        cmocka_unit_test(nothing_is_left_along_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
