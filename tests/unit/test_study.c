/* test_study.c - what the studies stand on: the gradient of a whole training step against finite
 * differences in double, sums over long batches, random numbers, the latent variable model,
 * regression, Adam.
 * SPDX-License-Identifier: MIT
 */
#include "../../bench/studies/mixing.h"
#include "../../bench/studies/product.h"
#include "../../bench/studies/random.h"
#include "../../bench/studies/regression.h"
#include "../../bench/studies/trainer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- The gradient of a training step --------------------------------------------------------- */

enum { ROWS = 24, LAYERS = 3, OUTPUTS = 4 };
static const size_t widths[2][LAYERS + 1] = {{9, 16, 12, OUTPUTS}, {7, 16, 12, OUTPUTS}};
static const float slope = 0.01f;

static void noise_batch(const void *context, int side, size_t step, size_t rows, float *out)
{
    (void)context;
    (void)step;
    random_normals(random_bits(77, (uint64_t)side), 0, rows * widths[side][0], out);
}

/* The same step in double, from the trainer's parameters with `shift` added to one of them:
 * encodings and the symmetric InfoNCE as they are defined. */
static void encode_in_double(const struct encoder *e, size_t at, double shift, double *out)
{
    double a[ROWS * 32], z[ROWS * 32];
    size_t place = 0;
    for (size_t i = 0; i < ROWS * e->width[0]; i++)
        a[i] = (double)e->activation[0][i];
    for (size_t l = 1; l <= e->layers; l++) {
        size_t in = e->width[l - 1], width = e->width[l];
        for (size_t i = 0; i < ROWS; i++)
            for (size_t j = 0; j < width; j++) {
                size_t bias = place + in * width + j;
                double sum = (double)e->parameters[bias] + (bias == at ? shift : 0);
                for (size_t k = 0; k < in; k++) {
                    size_t w = place + j * in + k;
                    sum += ((double)e->parameters[w] + (w == at ? shift : 0)) * a[i * in + k];
                }
                z[i * width + j] = sum < 0 && l < e->layers ? (double)slope * sum : sum;
            }
        memcpy(a, z, sizeof a);
        place += (in + 1) * width;
    }
    memcpy(out, a, ROWS * OUTPUTS * sizeof *out);
}

static double similarity(enum mmk_similarity kind, const double *x, const double *y)
{
    double dot = 0, xx = 0, yy = 0;
    for (size_t k = 0; k < OUTPUTS; k++) {
        dot += x[k] * y[k];
        xx += x[k] * x[k];
        yy += y[k] * y[k];
    }
    return kind == MMK_COSINE ? dot / sqrt(xx * yy) : 2 * dot - xx - yy;
}

/* Rows whose numbers leave the same rest belong together, where several positives are allowed. */
enum { GROUPS = 5 };

static bool belongs(const struct trainer *t, size_t i, size_t j)
{
    return t->pairs.positives ? i % GROUPS == j % GROUPS : i == j;
}

static const struct mmk_csr *grouped(void *context, size_t step)
{
    static size_t row_start[ROWS + 1];
    static uint32_t column[ROWS * ROWS];
    static const struct mmk_csr positives = {row_start, column, NULL};
    size_t count = 0;
    (void)context;
    (void)step;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = i % GROUPS; j < ROWS; j += GROUPS)
            column[count++] = (uint32_t)j;
        row_start[i + 1] = count;
    }
    return &positives;
}

/* The losses of the logits as mmk.h defines them. */
static double infonce(const struct trainer *t, double logits[ROWS][ROWS])
{
    double loss = 0;
    for (size_t i = 0; i < ROWS; i++) {
        double row = 0, column = 0, on_row = 0, on_column = 0, count = 0;
        for (size_t j = 0; j < ROWS; j++) {
            row += exp(logits[i][j]);
            column += exp(logits[j][i]);
            if (belongs(t, i, j)) {
                on_row += logits[i][j];
                on_column += logits[j][i];
                count++;
            }
        }
        loss += (log(row) - on_row / count + log(column) - on_column / count) / 2 / ROWS;
    }
    return loss;
}

static double sigmoid(const struct trainer *t, double bias, double logits[ROWS][ROWS])
{
    double loss = 0;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < ROWS; j++)
            loss += log1p(exp((belongs(t, i, j) ? -1 : 1) * (logits[i][j] + bias))) / ROWS;
    return loss;
}

/* Logits of the first half of a side's rows with the second half. */
static double push(const struct trainer *t, double scale, const double *encoded)
{
    enum { HALF = ROWS / 2 };
    double loss = 0;
    for (size_t i = 0; i < HALF; i++) {
        double row = 0;
        for (size_t j = HALF; j < ROWS; j++)
            row += exp(scale * similarity(t->objective.similarity, encoded + i * OUTPUTS,
                                          encoded + j * OUTPUTS));
        loss += log(row / HALF) / HALF;
    }
    return loss;
}

static double alignment(const struct trainer *t, double scale, double encoded[2][ROWS * OUTPUTS],
                        double logits[ROWS][ROWS])
{
    double loss = (push(t, scale, encoded[0]) + push(t, scale, encoded[1])) / 2;
    for (size_t i = 0; i < ROWS / 2; i++)
        loss -= logits[i][i] / (ROWS / 2);
    return loss;
}

static double loss_in_double(const struct trainer *t, int side, size_t at, double shift,
                             double log_scale, double bias)
{
    double encoded[2][ROWS * OUTPUTS], logits[ROWS][ROWS];
    for (int s = 0; s < 2; s++)
        encode_in_double(&t->encoder[s], at, s == side ? shift : 0, encoded[s]);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < ROWS; j++)
            logits[i][j] =
                exp(log_scale) * similarity(t->objective.similarity, encoded[0] + i * OUTPUTS,
                                            encoded[1] + j * OUTPUTS);
    if (t->objective.loss == LOSS_ALIGNMENT)
        return alignment(t, exp(log_scale), encoded, logits);
    return t->objective.loss == LOSS_SIGMOID ? sigmoid(t, bias, logits) : infonce(t, logits);
}

static void open_small_trainer(struct trainer *t, enum loss loss, enum mmk_similarity kind,
                               bool several, int threads)
{
    *t = (struct trainer){
        .training = {.rows = ROWS, .steps = 10, .rate = 1e-3f, .clip = 2, .threads = threads},
        .pairs = {.batch = noise_batch, .positives = several ? grouped : NULL}};
    for (int side = 0; side < 2; side++)
        encoder_open(&t->encoder[side], LAYERS, widths[side], slope, ROWS, 5 + (uint64_t)side);
    for (int side = 0; side < 2; side++) /* biases that are not 0, and encodings of modest length */
        for (size_t p = 0; p < t->encoder[side].count; p++)
            t->encoder[side].parameters[p] =
                0.7f * t->encoder[side].parameters[p] +
                0.01f * (float)random_uniform(6, p + (size_t)side * 10000);
    objective_open(&t->objective, loss, kind, 2, -1, kind == MMK_COSINE, ROWS, OUTPUTS, ROWS * ROWS,
                   threads);
    trainer_open(t);
}

static void is_slope(double gradient, double above, double below, double h, double noise,
                     const char *of, size_t at)
{
    double right = (above - below) / (2 * h);
    if (!(fabs(gradient - right) < noise + 1e-4 * fabs(right)))
        fail_msg("%s %zu: gradient %g, differences say %g", of, at, gradient, right);
}

static void check_gradient(enum loss kind, enum mmk_similarity similarity_kind, bool several)
{
    const double h = 1e-6;
    struct trainer t;
    open_small_trainer(&t, kind, similarity_kind, several, 1);
    struct objective *o = &t.objective;
    o->learned = true;
    double scale = (double)o->parameters[LOG_SCALE], bias = (double)o->parameters[BIAS];
    double loss = (double)trainer_gradient(&t, 0);
    double right = loss_in_double(&t, 0, SIZE_MAX, 0, scale, bias);
    assert_true(fabs(loss - right) < 1e-5 * (1 + fabs(right)));
    for (int side = 0; side < 2; side++) {
        const struct encoder *e = &t.encoder[side];
        double noise = 1e-4 * sqrt(sum_of_squares(e->count, e->gradient) / (double)e->count);
        for (size_t p = 0; p < e->count; p++)
            is_slope((double)e->gradient[p], loss_in_double(&t, side, p, h, scale, bias),
                     loss_in_double(&t, side, p, -h, scale, bias), h, noise,
                     side ? "parameter of y" : "parameter of x", p);
    }
    is_slope((double)o->gradient[LOG_SCALE], loss_in_double(&t, 0, SIZE_MAX, 0, scale + h, bias),
             loss_in_double(&t, 0, SIZE_MAX, 0, scale - h, bias), h, 1e-5, "log scale", 0);
    is_slope((double)o->gradient[BIAS], loss_in_double(&t, 0, SIZE_MAX, 0, scale, bias + h),
             loss_in_double(&t, 0, SIZE_MAX, 0, scale, bias - h), h, 1e-5, "bias", 0);
    trainer_close(&t);
}

static void the_gradient_of_a_step(void **state)
{
    (void)state;
    check_gradient(LOSS_INFONCE, MMK_NEG_SQ_L2, false);
    check_gradient(LOSS_INFONCE, MMK_COSINE, false);
    check_gradient(LOSS_MULTI, MMK_COSINE, true);
    check_gradient(LOSS_SIGMOID, MMK_COSINE, false);
    check_gradient(LOSS_SIGMOID, MMK_COSINE, true);
    check_gradient(LOSS_ALIGNMENT, MMK_NEG_SQ_L2, false);
    check_gradient(LOSS_ALIGNMENT, MMK_COSINE, false);
}

static void nothing(void *context, size_t step, float loss)
{
    (void)context;
    (void)step;
    (void)loss;
}

/* Ten steps leave the same bits on every instruction set and for any number of threads. */
static void the_same_bits(void **state)
{
    (void)state;
    float *first = NULL;
    size_t bytes = 0;
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++)
        for (int threads = 1; threads <= 3; threads++) {
            if (mmk_isa_use(mmk_isa_name((enum mmk_isa)isa)) != MMK_OK)
                continue;
            struct trainer t;
            open_small_trainer(&t, LOSS_INFONCE, MMK_NEG_SQ_L2, false, threads);
            trainer_run(&t, nothing, NULL);
            bytes = t.encoder[0].count * sizeof *first;
            if (first) {
                assert_memory_equal(first, t.encoder[0].parameters, bytes);
            } else {
                first = malloc(bytes);
                assert_non_null(first);
                memcpy(first, t.encoder[0].parameters, bytes);
            }
            trainer_close(&t);
        }
    free(first);
    mmk_isa_use(NULL);
}

/* Equal rows are the worst for a sum in float, as roundings all go one way: one chain over these is
 * wrong by 1.7e-3. */
static void a_long_batch(void **state)
{
    (void)state;
    enum { LONG = 200000, IN = 3, OUT = 2, COUNT = (IN + 1) * OUT };
    const float input[IN] = {0.1f, -0.7f, 1.3f}, d_output[OUT] = {0.3f, -1e-4f};
    float *d = floats(LONG * OUT), first[COUNT];
    struct encoder e;
    encoder_open(&e, 1, (const size_t[]){IN, OUT}, slope, LONG, 3);
    for (size_t i = 0; i < LONG; i++) {
        memcpy(e.activation[0] + i * IN, input, sizeof input);
        memcpy(d + i * OUT, d_output, sizeof d_output);
    }
    for (int isa = 0, runs = 0; isa < MMK_ISA_COUNT; isa++) {
        if (mmk_isa_use(mmk_isa_name((enum mmk_isa)isa)) != MMK_OK)
            continue;
        encoder_backward(&e, LONG, d);
        for (size_t p = 0; p < COUNT; p++) {
            double right = LONG * (p < IN * OUT ? (double)d_output[p / IN] * (double)input[p % IN]
                                                : (double)d_output[p - IN * OUT]);
            if (!(fabs((double)e.gradient[p] - right) <= 3e-6 * fabs(right)))
                fail_msg("parameter %zu: %.9g is off by %.1e", p, (double)e.gradient[p],
                         (double)e.gradient[p] / right - 1);
        }
        if (runs++ > 0)
            assert_memory_equal(first, e.gradient, sizeof first);
        memcpy(first, e.gradient, sizeof first);
    }
    mmk_isa_use(NULL);
    free(d);
    encoder_close(&e);
}

/* Against the gradient with the rate at first, whatever its size; scaled it is no other step. */
static void the_first_step_of_adam(void **state)
{
    (void)state;
    float gradient[] = {3, -0.01f, 0}, parameters[] = {1, 1, 1};
    struct adam adam;
    adam_open(&adam, 3);
    adam_step(&adam, parameters, gradient, 0.5f, 0.125f);
    assert_true(fabsf(parameters[0] - 0.875f) < 1e-6f);
    assert_true(fabsf(parameters[1] - 1.125f) < 1e-6f);
    assert_true(parameters[2] == 1);
    adam_close(&adam);
}

/* ---- Random numbers and the model ------------------------------------------------------------ */

static void random_numbers(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    float *all = floats(COUNT), part[7];
    double sum = 0, squares = 0, fourth = 0;
    random_normals(3, 0, COUNT, all);
    for (size_t i = 0; i < COUNT; i++) {
        double v = (double)all[i];
        sum += v;
        squares += v * v;
        fourth += v * v * v * v;
    }
    assert_true(fabs(sum / COUNT) < 0.02); /* 6 standard deviations */
    assert_true(fabs(squares / COUNT - 1) < 0.03);
    assert_true(fabs(fourth / COUNT - 3) < 0.2);
    random_normals(3, 1234, 7, part);
    assert_memory_equal(part, all + 1234, sizeof part);
    assert_true(random_stream(0, "pairs") != random_stream(1, "pairs"));
    assert_true(random_stream(0, "pairs") != random_stream(0, "image"));
    free(all);
}

/* Of m, the covariance of what the text sees wrongly is known: a variable that is perturbed with
 * probability 0.75 has variance 1.75 in the text. The text is undone by inverting its mixer. */
static void what_is_drawn(void **state)
{
    (void)state;
    enum { PAIRS = 20000 };
    struct bias bias = {.selected = {[2] = true, [4] = true}, .perturbed = {[4] = true}};
    struct mixing m;
    bool kept[SEMANTIC];
    assert_int_equal(bias_kept(&bias, kept), 1);
    assert_true(kept[2]);
    mixing_open(&m, &bias, 9);
    assert_int_equal(m.mixer[IMAGE].width, SEMANTIC + PRIVATE);
    assert_int_equal(m.mixer[TEXT].width, 2 + PRIVATE);
    assert_true(m.mixer[IMAGE].worst_condition > 1 && m.mixer[IMAGE].worst_condition < 10);
    for (size_t j = 0; j < m.mixer[IMAGE].width; j++) {
        double squares = 0;
        for (size_t i = 0; i < m.mixer[IMAGE].width; i++)
            squares += pow((double)m.mixer[IMAGE].weight[0][i * m.mixer[IMAGE].width + j], 2);
        assert_true(fabs(squares - 1) < 1e-6);
    }
    float *latents = floats(PAIRS * LATENTS), *once = floats(100 * LATENTS);
    double covariance = 0, variance = 0;
    mixing_latents(&m, 0, PAIRS, false, latents);
    mixing_latents(&m, 500, 100, false, once);
    assert_memory_equal(once, latents + 500 * LATENTS, 100 * LATENTS * sizeof *once);
    for (size_t i = 0; i < PAIRS; i++) {
        variance += pow((double)latents[i * LATENTS + 3], 2) / PAIRS;
        covariance += (double)latents[i * LATENTS + 3] * (double)latents[i * LATENTS + 12] / PAIRS;
    }
    assert_true(fabs(variance - 1) < 0.06 && fabs(covariance) < 0.06);
    mixing_latents(&m, 500, 100, true, once);
    for (size_t i = 0; i < 100 * LATENTS; i++) {
        float v = latents[500 * LATENTS + i];
        bool stretched = i % LATENTS == 8 || i % LATENTS == 9;
        assert_true(once[i] == (stretched ? 2 * v * fabsf(v) : v));
    }
    free(latents);
    free(once);
}

/* With all independent, the kept explain themselves; dependent, what a regression on them finds. */
static void the_closed_form(void **state)
{
    (void)state;
    enum { PAIRS = 40000 };
    struct bias bias = {.selected = {true, true, true, true}, .perturbed = {[1] = true}};
    struct mixing m;
    double theory[SEMANTIC], found[LATENTS];
    mixing_open(&m, &bias, 4);
    mixing_explained(&m, theory);
    for (size_t i = 0; i < SEMANTIC; i++)
        assert_true(fabs(theory[i] - (i < 4 && i != 1)) < 1e-12);

    bias.dependent = true;
    mixing_open(&m, &bias, 4);
    mixing_explained(&m, theory);
    float *fit = floats(PAIRS * LATENTS), *test = floats(PAIRS * LATENTS);
    float *fit_kept = floats(PAIRS * 3), *test_kept = floats(PAIRS * 3);
    mixing_latents(&m, 0, PAIRS, false, fit);
    mixing_latents(&m, PAIRS, PAIRS, false, test);
    for (size_t i = 0; i < PAIRS; i++)
        for (size_t k = 0; k < 3; k++) {
            fit_kept[i * 3 + k] = fit[i * LATENTS + (k ? k + 1 : 0)];
            test_kept[i * 3 + k] = test[i * LATENTS + (k ? k + 1 : 0)];
        }
    standardise(PAIRS, 3, fit_kept, PAIRS, test_kept);
    regression_r2(PAIRS, 3, fit_kept, test_kept, LATENTS, fit, test, found);
    for (size_t i = 0; i < SEMANTIC; i++)
        assert_true(fabs(found[i] - theory[i]) < 0.02);
    for (size_t i = SEMANTIC; i < LATENTS; i++)
        assert_true(fabs(found[i]) < 0.005);
    free(fit);
    free(test);
    free(fit_kept);
    free(test_kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gradient_of_a_step), cmocka_unit_test(the_same_bits),
        cmocka_unit_test(a_long_batch),           cmocka_unit_test(the_first_step_of_adam),
        cmocka_unit_test(random_numbers),         cmocka_unit_test(what_is_drawn),
        cmocka_unit_test(the_closed_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
