/* test_range.c - results near 0 and inputs at the ends of float: each against its right value.
 * SPDX-License-Identifier: MIT
 */
#include "../../kernels/isa/isa.h"
#include "../../ref/cases.h"
#include "../../ref/trial.h"
#include "matrix.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void on_every_isa(void (*test)(void))
{
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++)
        if (mmk_isa_usable((enum mmk_isa)isa) == MMK_OK) {
            isa_use_row(isa_builtin_row((enum mmk_isa)isa));
            test();
        }
    isa_use_row(NULL);
}

/* Error 1e-5 of what was added up: a float's rounding, and that of the exponents here. */
static void expect_of(float got, double right, double parts)
{
    bool beyond = fabs(right) > (double)FLT_MAX; /* then the nearest float is Inf */
    if (beyond ? !isinf(got) || (got > 0) != (right > 0)
               : !(fabs((double)got - right) <= 1e-5 * fabs(parts) + 0x1p-148))
        fail_msg("%.9g; right is %.9g", (double)got, right);
}

static void expect(float got, double right)
{
    expect_of(got, right, right);
}

/* ---- Rows of any length ---------------------------------------------------------------------- */

/* A power of two in the rows of one side leaves the bits of the other side's gradient, whether that
 * side has norms in range or not. */
static void side_of_any_length(void)
{
    enum { N = 12, D = 83 };
    static float x[N * D], y[N * D], scaled[N * D], dx[2][N * D], dy[2][N * D];
    for (size_t i = 0; i < (size_t)N * D; i++) {
        x[i] = sinf((float)(7 * i + 1));
        y[i] = cosf((float)(5 * i + 2));
    }
    for (int of_y = 0; of_y < 2; of_y++)
        for (int power = -90; power <= 90; power += 30)
            for (int all = 0; all < 2; all++) {
                memcpy(scaled, of_y ? y : x, sizeof scaled);
                for (size_t i = 0; i < (size_t)N * D; i++)
                    if (all || i / D % 3 == 0)
                        scaled[i] = ldexpf(scaled[i], power);
                for (int s = 0; s < 2; s++) {
                    struct mmk_infonce_problem problem = {
                        .x = MATRIX_AT(s && !of_y ? scaled : x, N, D, 0),
                        .y = MATRIX_AT(s && of_y ? scaled : y, N, D, 0),
                        .similarity = MMK_COSINE,
                        .logit_scale = 10};
                    const struct mmk_infonce_results wanted = {.dx = MATRIX_OUT_AT(dx[s], N, D, 0),
                                                               .dy = MATRIX_OUT_AT(dy[s], N, D, 0)};
                    assert_int_equal(mmk_infonce(&problem, &wanted, NULL), MMK_OK);
                }
                if (of_y)
                    assert_memory_equal(dx[0], dx[1], sizeof dx[0]);
                else
                    assert_memory_equal(dy[0], dy[1], sizeof dy[0]);
            }
}

static void cosines_of_any_length(void **state)
{
    (void)state;
    on_every_isa(side_of_any_length);
}

/* ---- Softmaxes near 2^-126 ------------------------------------------------------------------- */

/* Row 0 has its negatives at `others` and its positive at `own`, the other rows all logits at 0:
 * how far the exponentials of row 0 lie from all others must not show. */
static void far_row(double own, double others)
{
    enum { N = 40 };
    float x[N] = {1}, y[N], dx[N], dy[N], given[N], dscale, loss, lse_x[N], lse_y[N];
    for (size_t j = 0; j < N; j++)
        y[j] = (float)(j == 0 ? own : others);
    struct mmk_infonce_problem problem = {
        .x = MATRIX_AT(x, N, 1, 0), .y = MATRIX_AT(y, N, 1, 0), .logit_scale = 1, .weight_x = 1};
    const struct mmk_infonce_results all = {.loss = &loss,
                                            .lse_x = lse_x,
                                            .lse_y = lse_y,
                                            .dx = MATRIX_OUT_AT(dx, N, 1, 0),
                                            .dy = MATRIX_OUT_AT(dy, N, 1, 0),
                                            .dlogit_scale = &dscale};
    double rest = (N - 1) * exp((double)y[1] - (double)y[0]); /* of row 0 */
    rest /= 1 + rest;
    assert_int_equal(mmk_infonce(&problem, &all, NULL), MMK_OK);
    double parts = rest / N * (fabs((double)y[1]) + fabs((double)y[0]));
    expect_of(dx[0], rest / N * ((double)y[1] - (double)y[0]), parts);
    expect_of(dscale, (double)dx[0], parts);
    expect(dy[0], -rest / N);
    expect(dy[1], rest / N / (N - 1));
    problem.lse_x = lse_x;
    problem.lse_y = lse_y;
    assert_int_equal(mmk_infonce(&problem,
                                 &(struct mmk_infonce_results){.dx = MATRIX_OUT_AT(given, N, 1, 0)},
                                 NULL),
                     MMK_OK);
    expect_of(given[0], (double)dx[0], 3 * parts);
}

static void far_rows(void)
{
    for (double others = -90; others <= 90; others += 15)
        for (double above = 1; above <= 86; above += 5)
            far_row(others + above, others);
}

static void far_rows_have_gradients(void **state)
{
    (void)state;
    on_every_isa(far_rows);
}

/* A batch that is all but learned: the nearest of all strangers make the loss, and what it has of
 * gradients. */
static void learned(void)
{
    enum { B = 200, D = 300 };
    static float x[B * D], dx[B * D];
    float loss, dscale;
    for (double nearest = 20; nearest < 100; nearest += 7) {
        double right_loss = 0, right_dscale = 0, right_dx = 0, least = INFINITY;
        size_t row = 0;
        for (int pass = 0; pass < 3; pass++)
            for (size_t i = 0; i < B; i++)
                for (size_t j = 0; j < B; j++) {
                    double distance = 0;
                    for (size_t k = 0; k < D && i != j; k++) {
                        if (pass == 0)
                            x[i * D + k] = (float)fill_normal(31, i * D + k);
                        double by = (double)x[i * D + k] - (double)x[j * D + k];
                        distance += by * by;
                    }
                    if (pass == 0 || i == j)
                        continue;
                    if (pass == 1 && distance < least) {
                        least = distance;
                        row = i;
                    }
                    double softmax = exp(-nearest / least * distance) / B;
                    right_loss += pass == 2 ? softmax : 0;
                    right_dscale -= pass == 2 ? softmax * distance : 0;
                }
        float scale = (float)(nearest / least);
        for (size_t j = 0; j < B; j++) {
            double distance = 0;
            for (size_t k = 0; k < D; k++) {
                double by = (double)x[row * D + k] - (double)x[j * D + k];
                distance += by * by;
            }
            /* of row and of column; their pairs are in both */
            right_dx += 4 * (double)scale * exp(-(double)scale * distance) / B / 2 *
                        ((double)x[j * D] - (double)x[row * D]);
        }
        assert_int_equal(mmk_infonce(&(struct mmk_infonce_problem){.x = MATRIX_AT(x, B, D, 0),
                                                                   .y = MATRIX_AT(x, B, D, 0),
                                                                   .similarity = MMK_NEG_SQ_L2,
                                                                   .logit_scale = scale},
                                     &(struct mmk_infonce_results){.loss = &loss,
                                                                   .dx = MATRIX_OUT_AT(dx, B, D, 0),
                                                                   .dlogit_scale = &dscale},
                                     NULL),
                         MMK_OK);
        /* errors of the logits: 2^-24 of |x|^2 + |y|^2, and of the terms */
        assert_true(fabs((double)loss - right_loss) <= 1e-3 * right_loss + 1e-44);
        assert_true(fabs((double)dscale - right_dscale) <= 1e-3 * -right_dscale + 1e-42);
        assert_true(fabs((double)dx[row * D] - right_dx) <= 2e-2 * fabs(right_dx) + 1e-42);
    }
}

static void learned_batch_has_gradients(void **state)
{
    (void)state;
    on_every_isa(learned);
}

/* ---- The sigmoid loss ------------------------------------------------------------------------ */

static void small_terms(void)
{
    enum { N = 300 };
    static const size_t row_start[N + 1];
    static const struct mmk_csr none = {row_start, NULL, NULL};
    static float x[N], dx[N];
    float loss, dbias, dscale;
    for (float bias = -102; bias < 40; bias += 0.5f) {
        double logit = (double)bias, right = N * (logit > 0 ? logit : 0);
        right += N * log1p(exp(-fabs(logit)));
        x[0] = 1; /* its own logit is above the others */
        assert_int_equal(mmk_sigmoid(&(struct mmk_sigmoid_problem){.x = MATRIX_AT(x, N, 1, 0),
                                                                   .y = MATRIX_AT(x, N, 1, 0),
                                                                   .logit_scale = 1,
                                                                   .bias = bias,
                                                                   .positives = &none},
                                     &(struct mmk_sigmoid_results){.loss = &loss,
                                                                   .dx = MATRIX_OUT_AT(dx, N, 1, 0),
                                                                   .dbias = &dbias,
                                                                   .dlogit_scale = &dscale},
                                     NULL),
                         MMK_OK);
        double own = log1p(exp(-fabs(logit + 1))) + (logit + 1 > 0 ? logit + 1 : 0);
        right += (own - right / N) / N;
        double sigma = 1 / (1 + exp(-logit)), sigma_own = 1 / (1 + exp(-logit - 1));
        expect(loss, right);
        expect(dbias, N * sigma + (sigma_own - sigma) / N);
        if (sigma_own / N >= (double)FLT_MIN) {
            expect(dx[0], sigma_own / N);
            expect(dscale, sigma_own / N);
        }
    }
}

static void small_sigmoids_count(void **state)
{
    (void)state;
    on_every_isa(small_terms);
}

/* One pair of Gaussian embeddings, means equal, with no variance but at one place. */
static void variances_at(size_t place)
{
    enum { D = 3 };
    static const float log_variances[] = {-1e30f, -200, -90, 0, 50, 88, 200, 692, 697, 710, 3e38f};
    for (size_t v = 0; v < sizeof log_variances / sizeof log_variances[0]; v++)
        for (int positive = 0; positive < 2; positive++)
            for (float scale = 1e-38f; scale < 1e30f; scale *= 1e6f) {
                size_t row_start[2] = {0, (size_t)positive};
                static const uint32_t column[1];
                float mean[D] = {0.5f, 0.5f, 0.5f}, p[D] = {-1e30f, -1e30f, -1e30f};
                float loss, dscale, dbias, dp[D], dmean[D];
                p[place] = log_variances[v];
                const struct mmk_csr positives = {row_start, column, NULL};
                assert_int_equal(
                    mmk_sigmoid(
                        &(struct mmk_sigmoid_problem){.x = MATRIX_AT(mean, 1, D, 0),
                                                      .y = MATRIX_AT(mean, 1, D, 0),
                                                      .log_variance_x = MATRIX_AT(p, 1, D, 0),
                                                      .log_variance_y = MATRIX_AT(p, 1, D, 0),
                                                      .similarity = MMK_NEG_SQ_L2,
                                                      .logit_scale = scale,
                                                      .positives = &positives},
                        &(struct mmk_sigmoid_results){.loss = &loss,
                                                      .dx = MATRIX_OUT_AT(dmean, 1, D, 0),
                                                      .dlog_variance_x = MATRIX_OUT_AT(dp, 1, D, 0),
                                                      .dlogit_scale = &dscale,
                                                      .dbias = &dbias},
                        NULL),
                    MMK_OK);
                double s = (double)scale, z = positive ? 1 : -1, variance = exp((double)p[place]);
                double up = z * 2 * s * variance, e = exp(-fabs(up)), sigma = up < 0 ? e : 1;
                double g = -z * sigma / (1 + e);
                double right[] = {(up > 0 ? up : 0) + log1p(e), g == 0 ? 0 : -2 * g * variance,
                                  g == 0 ? 0 : -s * g * variance, g};
                float got[] = {loss, dscale, dp[place], dbias};
                for (size_t r = 0; r < 4; r++)
                    if (fabs(right[r]) > 0x1p-126)
                        expect(got[r], right[r]);
                    else
                        assert_true(fabsf(got[r]) <= FLT_MIN);
                for (size_t k = 0; k < D; k++)
                    assert_true(dmean[k] == 0 && (k == place || dp[k] == 0));
            }
}

static void variances(void)
{
    for (size_t place = 0; place < 3; place++)
        variances_at(place);
}

static void variances_of_any_size(void **state)
{
    (void)state;
    on_every_isa(variances);
}

/* ---- Ends of float --------------------------------------------------------------------------- */

/* One row and its positive, of one element that is not 0, and another that is 0: P of that is
 * 1 / (1 + e^{s x y}). */
static void one_against_zero_at(size_t place, enum mmk_similarity similarity, float s, float x,
                                float y, float weight, float upstream)
{
    float rows_x[2] = {0}, rows_y[4] = {0}, dx[2], dy[4], loss, dscale, lse;
    rows_x[place] = x;
    rows_y[place] = y;
    double dot = (double)x * (double)y, far = (double)x - (double)y;
    double sim = similarity == MMK_DOT ? dot : (double)x * (double)x - far * far;
    double logit = (double)s * sim;
    assert_int_equal(mmk_infonce(&(struct mmk_infonce_problem){.x = MATRIX_AT(rows_x, 1, 2, 0),
                                                               .y = MATRIX_AT(rows_y, 2, 2, 0),
                                                               .similarity = similarity,
                                                               .logit_scale = s,
                                                               .weight_x = weight,
                                                               .upstream = &upstream},
                                 &(struct mmk_infonce_results){.loss = &loss,
                                                               .lse_x = &lse,
                                                               .dx = MATRIX_OUT_AT(dx, 1, 2, 0),
                                                               .dy = MATRIX_OUT_AT(dy, 2, 2, 0),
                                                               .dlogit_scale = &dscale},
                                 NULL),
                     MMK_OK);
    double g = -(double)weight * (double)upstream / (1 + exp(logit));
    double lse_right = log(exp(logit) + 1);
    if (similarity == MMK_NEG_SQ_L2)
        lse_right -= (double)s * (double)x * (double)x;
    expect(loss, (double)weight * log1p(exp(-logit)));
    assert_true(fabs((double)lse - lse_right) <= 1e-6 * (1 + fabs(lse_right)));
    expect(dscale, g * sim);
    expect(dx[place], (similarity == MMK_DOT ? 1 : 2) * (double)s * g * (double)y);
    if (similarity == MMK_DOT)
        expect(dy[place], (double)s * g * (double)x);
    assert_true(dx[1 - place] == 0 && dy[1 - place] == 0 && dy[3 - place] == 0);
}

static void one_against_zero(enum mmk_similarity similarity, float s, float x, float y,
                             float weight, float upstream)
{
    for (size_t place = 0; place < 2; place++)
        one_against_zero_at(place, similarity, s, x, y, weight, upstream);
}

static void ends(void)
{
    one_against_zero(MMK_DOT, 1, 1e-36f, 1e36f, 1, 1);
    one_against_zero(MMK_DOT, 1, 1e36f, 1e-36f, 1, 1);
    one_against_zero(MMK_DOT, 1e-18f, 1, 1, 1e-20f, 1e10f);
    one_against_zero(MMK_DOT, 1e-36f, 1, 2, 1, 1e7f);
    one_against_zero(MMK_DOT, 1.7e38f, 1e-19f, 1e-19f, 1, 1);
    one_against_zero(MMK_DOT, 1e-42f, 1e20f, 1e22f, 1, 1);
    one_against_zero(MMK_DOT, 1e-45f, 1e20f, 1e24f, 1, 1);
    one_against_zero(MMK_DOT, 3e-30f, 1e15f, 1e15f, 1e30f, 1e-30f);
    one_against_zero(MMK_DOT, 2, 1, 1, 1e30f, 1e-3f);
    one_against_zero(MMK_NEG_SQ_L2, 1e-40f, 1e20f, 3e20f, 1, 1);
    one_against_zero(MMK_NEG_SQ_L2, 1e30f, 1e-15f, 2e-15f, 1, 1e-5f);
}

static void ends_of_float(void **state)
{
    (void)state;
    on_every_isa(ends);
}

static void lone_pair(void)
{
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++) {
        float x = 1, y = 2, dx = 1, dy = 1, dscale = 1, loss = 1;
        assert_int_equal(
            mmk_infonce(&(struct mmk_infonce_problem){.x = MATRIX_AT(&x, 1, 1, 0),
                                                      .y = MATRIX_AT(&y, 1, 1, 0),
                                                      .similarity = (enum mmk_similarity)similarity,
                                                      .logit_scale = 1.7e38f,
                                                      .weight_x = 1e7f,
                                                      .weight_y = 1},
                        &(struct mmk_infonce_results){.loss = &loss,
                                                      .dx = MATRIX_OUT_AT(&dx, 1, 1, 0),
                                                      .dy = MATRIX_OUT_AT(&dy, 1, 1, 0),
                                                      .dlogit_scale = &dscale},
                        NULL),
            MMK_OK);
        assert_true(loss == 0 && dx == 0 && dy == 0 && dscale == 0);
    }
    float x = 1, y[2] = {0, 2.37e38f}, loss, lse;
    assert_int_equal(mmk_infonce(&(struct mmk_infonce_problem){.x = MATRIX_AT(&x, 1, 1, 0),
                                                               .y = MATRIX_AT(y, 2, 1, 0),
                                                               .logit_scale = 1,
                                                               .weight_x = 1},
                                 &(struct mmk_infonce_results){.loss = &loss, .lse_x = &lse}, NULL),
                     MMK_OK);
    expect(lse, 2.37e38);
    expect(loss, 2.37e38);
}

static void great_scales(void **state)
{
    (void)state;
    on_every_isa(lone_pair);
}

/* d loss / d s is a sum of G times logits, which must not be lost where they are small: rows of a
 * few elements, scaled down. At s S near 0 P is 1/n, and a sigmoid that of the bias alone. */
static void small_logits(void)
{
    enum { N = 6, D = 5 };
    const struct {
        enum mmk_similarity similarity;
        float rows, s;
    } trials[] = {{MMK_DOT, 0x1p-32f, 0x1p-70f}, {MMK_DOT, 0x1p-38f, 0x1p-70f},
                  {MMK_DOT, 0x1p-20f, 0x1p-40f}, {MMK_COSINE, 1, 0x1p-60f},
                  {MMK_COSINE, 1, 0x1p-90f},     {MMK_COSINE, 1, 0x1p-30f}};
    for (size_t t = 0; t < sizeof trials / sizeof *trials; t++) {
        float x[N * D], y[N * D];
        double s = 0, all = 0, own = 0, parts = 0;
        for (size_t e = 0; e < N * D; e++) {
            x[e] = trials[t].rows * (float)((int)(e * 7 % 11) - 5);
            y[e] = trials[t].rows * (float)((int)(e * 5 % 13) - 6);
        }
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < N; j++) {
                double xy = 0, xx = 0, yy = 0;
                for (size_t k = 0; k < D; k++) {
                    double a = (double)x[i * D + k], b = (double)y[j * D + k];
                    xy += a * b;
                    xx += a * a;
                    yy += b * b;
                }
                s = trials[t].similarity == MMK_COSINE ? xy / sqrt(xx * yy) : xy;
                all += s;
                parts += fabs(s);
                own += i == j ? s : 0;
            }
        float loss, dscale;
        const struct mmk_infonce_problem problem = {.x = MATRIX_AT(x, N, D, 0),
                                                    .y = MATRIX_AT(y, N, D, 0),
                                                    .similarity = trials[t].similarity,
                                                    .logit_scale = trials[t].s};
        assert_int_equal(
            mmk_infonce(&problem,
                        &(struct mmk_infonce_results){.loss = &loss, .dlogit_scale = &dscale},
                        NULL),
            MMK_OK);
        expect(loss, log(N));
        expect_of(dscale, all / (N * N) - own / N, parts / N);
        for (float bias = -85; bias <= -1; bias += 28) {
            const struct mmk_csr none = {.row_start = (size_t[N + 1]){0}};
            const struct mmk_sigmoid_problem strangers = {.x = problem.x,
                                                          .y = problem.y,
                                                          .similarity = trials[t].similarity,
                                                          .logit_scale = trials[t].s,
                                                          .bias = bias,
                                                          .positives = &none};
            assert_int_equal(mmk_sigmoid(&strangers,
                                         &(struct mmk_sigmoid_results){.dlogit_scale = &dscale},
                                         NULL),
                             MMK_OK);
            double p = 1 / (1 + exp(-(double)bias));
            if (fabs(p * all / N) > 0x1p-120)
                expect_of(dscale, p * all / N, p * parts / N);
        }
    }
}

static void small_logits_count(void **state)
{
    (void)state;
    on_every_isa(small_logits);
}

/* All rows of one side 0: logits are 0, whatever the other side and the scale are. */
static void zero_side(void)
{
    enum { N = 8, D = 33 };
    static float zero[N * D], great[N * D], dx[N * D], dy[N * D];
    for (size_t e = 0; e < N * D; e++)
        great[e] = 3e16f * (float)((int)(e % 9) - 4);
    for (int of_x = 0; of_x < 2; of_x++) {
        float loss, dscale, upstream = 1e-24f;
        const struct mmk_infonce_problem problem = {.x = MATRIX_AT(of_x ? zero : great, N, D, 0),
                                                    .y = MATRIX_AT(of_x ? great : zero, N, D, 0),
                                                    .similarity = MMK_DOT,
                                                    .logit_scale = 1e30f,
                                                    .upstream = &upstream};
        const struct mmk_infonce_results results = {.loss = &loss,
                                                    .dlogit_scale = &dscale,
                                                    .dx = MATRIX_OUT_AT(dx, N, D, 0),
                                                    .dy = MATRIX_OUT_AT(dy, N, D, 0)};
        assert_int_equal(mmk_infonce(&problem, &results, NULL), MMK_OK);
        expect(loss, log(N));
        expect_of(dscale, 0, 0);
        for (size_t e = 0; e < N * D; e++)
            assert_true(isfinite(dx[e]) && isfinite(dy[e]) && (of_x ? dy[e] : dx[e]) == 0);
    }
}

static void a_side_of_zeros(void **state)
{
    (void)state;
    on_every_isa(zero_side);
}

/* Weights of targets so far apart that one adds next to nothing to a loss. */
static void slight_target(void)
{
    static const size_t row_start[] = {0, 2};
    static const uint32_t column[] = {0, 1};
    const float weight[] = {1, 1e-30f};
    const struct mmk_csr targets = {row_start, column, weight};
    float x = 1, y[2] = {-30, -90}, loss;
    assert_int_equal(mmk_infonce(&(struct mmk_infonce_problem){.x = MATRIX_AT(&x, 1, 1, 0),
                                                               .y = MATRIX_AT(y, 2, 1, 0),
                                                               .logit_scale = 1,
                                                               .weight_x = 1,
                                                               .targets = &targets},
                                 &(struct mmk_infonce_results){.loss = &loss}, NULL),
                     MMK_OK);
    expect(loss, exp(-60) + 1e-30 * 60);
}

static void slight_targets(void **state)
{
    (void)state;
    on_every_isa(slight_target);
}

/* A mean of logits that are nearly 0, and of such as are so no more, of rows times `unit`. */
static void uniform_of(float unit, float least, float most)
{
    const float x[] = {unit, 0.5f * unit, -0.25f * unit, 0.75f * unit, 0.1f * unit, 0.2f * unit};
    for (float s = least; s < most; s *= 100) {
        double right = 0;
        float loss;
        for (size_t i = 0; i < 3; i++) {
            double mean = 0;
            for (size_t j = 0; j < 3; j++)
                mean += expm1((double)s * ((double)x[2 * i] * (double)x[2 * j] +
                                           (double)x[2 * i + 1] * (double)x[2 * j + 1])) /
                        3;
            right += log1p(mean) / 3;
        }
        assert_int_equal(mmk_uniformity(&(struct mmk_infonce_problem){.x = MATRIX_AT(x, 3, 2, 0),
                                                                      .y = MATRIX_AT(x, 3, 2, 0),
                                                                      .logit_scale = s,
                                                                      .weight_x = 1},
                                        &(struct mmk_infonce_results){.loss = &loss}, NULL),
                         MMK_OK);
        /* in double throughout, and rounded once */
        if (!(fabs((double)loss - right) <= 0x1p-23 * fabs(right) + 0x1p-148))
            fail_msg("%.9g; right is %.9g", (double)loss, right);
    }
}

static void near_uniform(void)
{
    uniform_of(1, 1e-38f, 1e-5f);
    /* rows that are done in double however great their logits are */
    for (float logit = 0x1p-12f; logit < 1; logit *= 1.25f)
        uniform_of(0x1p-48f, 0x1p96f * logit, 0x1p97f * logit);
}

static void uniformity_near_zero(void **state)
{
    (void)state;
    on_every_isa(near_uniform);
}

/* A great bias is all there is in a logit: each pair that it is wrong for adds it. Rows of 0 are
 * not taken to double for their own sake; there are enough for a sum of a row to leave float. */
static void only_bias(void)
{
    enum { QUERIES = 2, GALLERY = 700 };
    static const float rows[GALLERY];
    for (int exponent = 50; exponent <= 100; exponent += 10)
        for (int sign = -1; sign <= 1; sign += 2) {
            float bias = ldexpf((float)sign, exponent), loss, dbias;
            double wrong = sign > 0 ? GALLERY - 1 : 1; /* of each query */
            assert_int_equal(
                mmk_sigmoid(&(struct mmk_sigmoid_problem){.x = MATRIX_AT(rows, QUERIES, 1, 0),
                                                          .y = MATRIX_AT(rows, GALLERY, 1, 0),
                                                          .logit_scale = 1,
                                                          .bias = bias},
                            &(struct mmk_sigmoid_results){.loss = &loss, .dbias = &dbias}, NULL),
                MMK_OK);
            expect(loss, wrong * fabs((double)bias));
            expect(dbias, sign * wrong);
        }
}

static void great_biases(void **state)
{
    (void)state;
    on_every_isa(only_bias);
}

static void pairs(void)
{
    const float x[] = {1e25f, -3e25f}, y[] = {2e30f, 1e30f};
    float loss, dx[2], dscale, upstream = 1e-20f;
    assert_int_equal(mmk_alignment(&(struct mmk_infonce_problem){.x = MATRIX_AT(x, 1, 2, 0),
                                                                 .y = MATRIX_AT(y, 1, 2, 0),
                                                                 .logit_scale = 1e-30f,
                                                                 .upstream = &upstream},
                                   &(struct mmk_infonce_results){.loss = &loss,
                                                                 .dx = MATRIX_OUT_AT(dx, 1, 2, 0),
                                                                 .dlogit_scale = &dscale},
                                   NULL),
                     MMK_OK);
    expect(loss, 1e25);
    expect(dx[0], -2e-20);
    expect(dx[1], -1e-20);
    expect(dscale, 1e35);
}

static void alignment_of_great_rows(void **state)
{
    (void)state;
    on_every_isa(pairs);
}

static void one_element(void)
{
    const float values[] = {-0.0f, 0, -INFINITY, INFINITY, -3e38f, 1e-45f};
    for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
        float result;
        assert_int_equal(mmk_logsumexp(1, &values[v], &result), MMK_OK);
        assert_memory_equal(&result, &values[v], sizeof result);
    }
}

static void logsumexp_of_one(void **state)
{
    (void)state;
    on_every_isa(one_element);
}

/* One row tiny, the other not, nearly parallel: |y| alone is what float has not the range for.
 * dy = -s (x^ - c y^) / |y|. */
static void alignment_beside_a_tiny_row(void **state)
{
    (void)state;
    static const float row[] = {1, 2, -1, 0.5f, 3, 1, -2, 1};
    enum { D = sizeof row / sizeof row[0] };
    float tiny[D], dordinary[D], dtiny[D], scale = 0x1p20f;
    for (int tiny_is_x = 0; tiny_is_x < 2; tiny_is_x++) {
        double xx = 0, yy = 0, xy = 0;
        for (int k = 0; k < D; k++) {
            tiny[k] = ldexpf(k == D - 1 ? 1.01f : row[k], -116);
            xx += (double)row[k] * (double)row[k];
            yy += (double)tiny[k] * (double)tiny[k];
            xy += (double)row[k] * (double)tiny[k];
        }
        const struct mmk_matrix ordinary = {.data = row, .rows = 1, .columns = D},
                                small = {.data = tiny, .rows = 1, .columns = D};
        struct mmk_matrix_out of_row = {.data = dordinary, .rows = 1, .columns = D};
        struct mmk_matrix_out of_tiny = {.data = dtiny, .rows = 1, .columns = D};
        struct mmk_infonce_problem problem = {.x = tiny_is_x ? &small : &ordinary,
                                              .y = tiny_is_x ? &ordinary : &small,
                                              .similarity = MMK_COSINE,
                                              .logit_scale = scale};
        struct mmk_infonce_results results = {.dx = tiny_is_x ? &of_tiny : &of_row,
                                              .dy = tiny_is_x ? &of_row : &of_tiny};
        assert_int_equal(mmk_alignment(&problem, &results, NULL), MMK_OK);
        double cosine = xy / sqrt(xx) / sqrt(yy);
        for (int k = 0; k < D; k++) {
            double right = -(double)scale *
                           ((double)row[k] / sqrt(xx) - cosine * (double)tiny[k] / sqrt(yy)) /
                           sqrt(yy);
            assert_true(isfinite(dtiny[k]) && isfinite(dordinary[k]));
            assert_true(fabs((double)dtiny[k] - right) <= 0.01 * fabs(right));
        }
    }
}

/* ---- What random rows never are -------------------------------------------------------------- */

/* A variance has the gradient -s G e^p: s G alone is no float, and e^p makes it one. */
static void great_variance_of_a_tiny_scale(void)
{
    const float zero[2] = {0, 0}, p[2] = {40, 39.5f}, q[2] = {-3, -3};
    static const float scales[] = {0x1p-75f, 0x1p-90f, 0x1p-50f}, biases[] = {-41.7f, -50, -5};
    static const size_t row_start[] = {0, 0};
    static const uint32_t column[1];
    const struct mmk_csr none = {row_start, column, NULL};
    for (size_t i = 0; i < 9; i++) {
        float dp[2], dq[2], s = scales[i / 3], bias = biases[i % 3];
        const struct mmk_sigmoid_problem problem = {.x = MATRIX_AT(zero, 1, 2, 0),
                                                    .y = MATRIX_AT(zero, 1, 2, 0),
                                                    .log_variance_x = MATRIX_AT(p, 1, 2, 0),
                                                    .log_variance_y = MATRIX_AT(q, 1, 2, 0),
                                                    .similarity = MMK_NEG_SQ_L2,
                                                    .logit_scale = s,
                                                    .bias = bias,
                                                    .positives = &none};
        const struct mmk_sigmoid_results results = {.dlog_variance_x = MATRIX_OUT_AT(dp, 1, 2, 0),
                                                    .dlog_variance_y = MATRIX_OUT_AT(dq, 1, 2, 0)};
        assert_int_equal(mmk_sigmoid(&problem, &results, NULL), MMK_OK);
        double logit = (double)bias - (double)s * (exp(40) + exp(39.5) + 2 * exp(-3));
        double factor = -(double)s / (1 + exp(-logit));
        for (int k = 0; k < 2; k++) {
            expect(dp[k], factor * exp((double)p[k]));
            expect_of(dq[k], factor * exp((double)q[k]), factor * exp((double)q[k]));
        }
    }
}

static void great_variances_of_tiny_scales(void **state)
{
    (void)state;
    on_every_isa(great_variance_of_a_tiny_scale);
}

/* One row (column) of logits far below all others, whose sums decide the shift of all: its greatest
 * `gap` below them, and 60,000 more `step` below that, which matter together. */
static void low_row(bool transposed, double gap, double step)
{
    enum { FEW = 5, MANY = 60000 };
    static float few[FEW * 2], many[MANY * 2], lse_few[FEW], lse_many[MANY];
    const double top = 115;
    for (size_t i = 0; i < FEW; i++) {
        few[2 * i] = (float)(i == 0 ? top - gap : top);
        few[2 * i + 1] = i == 0 ? (float)step : 0;
    }
    for (size_t j = 0; j < MANY; j++) {
        many[2 * j] = 1;
        many[2 * j + 1] = j == 0 ? 0 : -1;
    }
    const struct mmk_matrix *a = MATRIX_AT(few, FEW, 2, 0), *b = MATRIX_AT(many, MANY, 2, 0);
    const struct mmk_infonce_problem problem = {.x = transposed ? b : a,
                                                .y = transposed ? a : b,
                                                .logit_scale = 1,
                                                .weight_x = 1,
                                                .weight_y = 1};
    const struct mmk_infonce_results results = {.lse_x = transposed ? lse_many : lse_few,
                                                .lse_y = transposed ? lse_few : lse_many};
    assert_int_equal(mmk_uniformity(&problem, &results, NULL), MMK_OK);
    double right = (double)few[0] + log1p((MANY - 1) * exp(-(double)few[1]));
    assert_true(fabs((double)lse_few[0] - right) <= 5e-6 + 2e-7 * fabs(right));
    assert_true(fabs((double)lse_few[1] - top - log(MANY)) <= 1e-4);
}

static void low_rows(void)
{
    static const double step[] = {0, 20.5};
    for (double gap = 30; gap <= 140; gap += gap < 90 || gap > 115 ? 10 : 1.25)
        for (size_t i = 0; i < sizeof step / sizeof *step; i++) {
            low_row(false, gap, step[i]);
            low_row(true, gap, step[i]);
        }
}

static void rows_below_all_others(void **state)
{
    (void)state;
    on_every_isa(low_rows);
}

/* All products are -0 or 0: the sum is +0, and the query's bits are the pair's. */
static void products_of_zero(void)
{
    enum { N = 17, D = 192 };
    static float x[D], y[N * D];
    for (size_t i = 0; i < (size_t)N * D; i++)
        y[i] = -1.0f - (float)(i % 7);
    for (size_t d = 1; d <= D; d += d < 16 ? 1 : 16)
        for (size_t n = 1; n <= N; n++) {
            float query[N], pair;
            assert_int_equal(mmk_similarity_query(MMK_DOT, x, MATRIX_AT(y, n, d, D), NULL, query),
                             MMK_OK);
            assert_int_equal(mmk_similarity_pair(MMK_DOT, d, x, y, &pair), MMK_OK);
            assert_true(pair == 0 && !signbit(pair));
            for (size_t j = 0; j < n; j++)
                assert_true(query[j] == 0 && !signbit(query[j]));
        }
    float a[64], b[64], cosine;
    for (size_t k = 0; k < 64; k++) {
        a[k] = k % 2 == 0 ? 1.0f : 0.0f;
        b[k] = k % 2 == 0 ? -0.0f : -1.0f;
    }
    assert_int_equal(mmk_similarity_pair(MMK_COSINE, 64, a, b, &cosine), MMK_OK);
    assert_true(cosine == 0 && !signbit(cosine));
}

/* Every product of a row is below the least float, and its rounding -0. */
static void products_too_small(void)
{
    enum { D = 260 };
    static float x[D], y[D];
    for (size_t k = 2; k < D; k++) {
        x[k] = 1e-30f;
        y[k] = -1e-30f;
    }
    x[0] = 0.25f;
    y[0] = -1e-45f;
    x[1] = 1e-45f;
    y[1] = -0.25f;
    for (size_t d = 2; d <= D; d++)
        for (int s = 0; s < MMK_NEG_SQ_L2; s++) {
            const enum mmk_similarity similarity = (enum mmk_similarity)s;
            const struct mmk_matrix *a = MATRIX_AT(x, 1, d, 0), *b = MATRIX_AT(y, 1, d, 0);
            float norm, got[4];
            assert_int_equal(mmk_squared_norms(b, &norm), MMK_OK);
            assert_int_equal(mmk_similarity_pair(similarity, d, x, y, &got[0]), MMK_OK);
            assert_int_equal(mmk_similarity_query(similarity, x, b, NULL, &got[1]), MMK_OK);
            assert_int_equal(mmk_similarity_query(similarity, x, b, &norm, &got[2]), MMK_OK);
            assert_int_equal(mmk_similarity_rows(similarity, a, b, &got[3], NULL), MMK_OK);
            for (int i = 0; i < 4; i++)
                assert_true(got[i] == 0 && !signbit(got[i]));
        }
}

/* A tiny row and a great one, the product of whose norms is a usual number. */
static void tiny_and_great(void)
{
    for (int e = 20; e <= 74; e++) {
        float x[2] = {ldexpf(1.125f, -e), ldexpf(1.375f, -e)};
        float y[2] = {ldexpf(1.0f, 52), ldexpf(-1.0625f, 53)}, cosine;
        double dot = 1.125 * 1.0 - 1.375 * 2.125;
        double norms = sqrt((1.125 * 1.125 + 1.375 * 1.375) * (1.0 + 2.125 * 2.125));
        assert_int_equal(mmk_similarity_pair(MMK_COSINE, 2, x, y, &cosine), MMK_OK);
        assert_true(fabs((double)cosine - dot / norms) < 1e-6);
        assert_int_equal(mmk_similarity_query(MMK_COSINE, x, MATRIX_AT(y, 1, 2, 0), NULL, &cosine),
                         MMK_OK);
        assert_true(fabs((double)cosine - dot / norms) < 1e-6);
    }
}

/* Inf in one block of a log-sum-exp, NaN in another. */
static void inf_and_nan(void)
{
    enum { N = 9000 };
    static float x[N];
    for (size_t nan = 0; nan < N; nan += N - 1) {
        memset(x, 0, sizeof x);
        float result = 0;
        x[nan] = NAN;
        x[N - 1 - nan] = INFINITY;
        assert_int_equal(mmk_logsumexp(N, x, &result), MMK_OK);
        assert_true(result != result);
    }
}

/* A row whose logits are all -Inf: lse -Inf, and P is e^(-Inf + Inf) at its positive as elsewhere,
 * done in double (logit scale 1e-38) as in float. */
static void row_of_minus_inf(void)
{
    enum { ROWS = 4, COLUMNS = 7, D = 3, LAST = ROWS - 1 };
    static const float scales[] = {1, 1e-30f, 1e-38f};
    for (size_t s = 0; s < sizeof scales / sizeof *scales; s++)
        for (size_t n = COLUMNS; n >= 1; n = n > 1 ? 1 : 0)
            for (int neg_sq_l2 = 0; neg_sq_l2 <= 1; neg_sq_l2++) {
                size_t m = n == 1 ? 1 : ROWS;
                float x[ROWS * D], y[COLUMNS * D], dy[COLUMNS * D], lse_x[ROWS], loss;
                for (size_t e = 0; e < ROWS * D; e++)
                    x[e] = 0.1f * (float)(e % 4 + 1);
                for (size_t e = 0; e < COLUMNS * D; e++)
                    y[e] = 0.2f * (float)(e % 5 + 1);
                x[(m - 1) * D] = -INFINITY;
                const struct mmk_infonce_problem problem = {.x = MATRIX_AT(x, m, D, 0),
                                                            .y = MATRIX_AT(y, n, D, 0),
                                                            .similarity =
                                                                neg_sq_l2 ? MMK_NEG_SQ_L2 : MMK_DOT,
                                                            .logit_scale = scales[s]};
                assert_int_equal(
                    mmk_infonce(&problem,
                                &(struct mmk_infonce_results){.loss = &loss,
                                                              .lse_x = lse_x,
                                                              .dy = MATRIX_OUT_AT(dy, n, D, 0)},
                                NULL),
                    MMK_OK);
                assert_true(isnan(loss) && lse_x[m - 1] == -INFINITY);
                for (size_t e = 0; e < n * D; e++)
                    assert_true(isnan(dy[e]));
            }
}

/* Without elements all are equal: the alignment's loss is +0. */
static void alignment_of_nothing(void)
{
    float nothing = 0, loss = 1;
    for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++) {
        const struct mmk_infonce_problem problem = {.x = MATRIX_AT(&nothing, 3, 0, 0),
                                                    .y = MATRIX_AT(&nothing, 3, 0, 0),
                                                    .similarity = (enum mmk_similarity)similarity,
                                                    .logit_scale = 2};
        assert_int_equal(
            mmk_alignment(&problem, &(struct mmk_infonce_results){.loss = &loss}, NULL), MMK_OK);
        assert_true(loss == 0 && !signbit(loss));
    }
}

static void what_random_rows_never_are(void **state)
{
    (void)state;
    on_every_isa(row_of_minus_inf);
    on_every_isa(alignment_of_nothing);
    on_every_isa(products_of_zero);
    on_every_isa(products_too_small);
    on_every_isa(tiny_and_great);
    on_every_isa(inf_and_nan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(great_variances_of_tiny_scales),
        cmocka_unit_test(cosines_of_any_length),
        cmocka_unit_test(far_rows_have_gradients),
        cmocka_unit_test(learned_batch_has_gradients),
        cmocka_unit_test(small_sigmoids_count),
        cmocka_unit_test(what_random_rows_never_are),
        cmocka_unit_test(rows_below_all_others),
        cmocka_unit_test(variances_of_any_size),
        cmocka_unit_test(ends_of_float),
        cmocka_unit_test(great_scales),
        cmocka_unit_test(small_logits_count),
        cmocka_unit_test(a_side_of_zeros),
        cmocka_unit_test(slight_targets),
        cmocka_unit_test(uniformity_near_zero),
        cmocka_unit_test(great_biases),
        cmocka_unit_test(alignment_of_great_rows),
        cmocka_unit_test(alignment_beside_a_tiny_row),
        cmocka_unit_test(logsumexp_of_one),
    };
    return cmocka_run_group_tests_name("range", tests, NULL, NULL);
}
