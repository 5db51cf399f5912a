/* mixer.c - the map from latent variables to what is observed: a small invertible network.
 * SPDX-License-Identifier: MIT
 *
 *     g(v) = W_2 f(W_1 v),   f LeakyReLU with slope 0.2
 * Each W is square, of elements uniform in (-1, 1) with columns scaled to length 1: of 25,000 such
 * matrices the one with the least condition number, sqrt of greatest over least eigenvalue of W^T W
 * (LAPACK's dsyev).
 */
#include "mixer.h"

#include "product.h"
#include "random.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>

enum { DRAWS = 25000 };
static const float slope = 0.2f;

/* Draw `draw` of a stream: n x n, columns of length 1. */
static void draw_weight(uint64_t stream, size_t draw, size_t n, double *w)
{
    for (size_t i = 0; i < n * n; i++)
        w[i] = 2 * random_uniform(stream, draw * n * n + i) - 1;
    for (size_t j = 0; j < n; j++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += w[i * n + j] * w[i * n + j];
        double inverse = 1 / sqrt(sum);
        for (size_t i = 0; i < n; i++)
            w[i * n + j] *= inverse;
    }
}

static double condition(size_t n, const double *w)
{
    double gram[MIXER_WIDEST * MIXER_WIDEST] = {0}, eigenvalues[MIXER_WIDEST];
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                gram[i * n + j] += w[k * n + i] * w[k * n + j];
    if (LAPACKE_dsyev(LAPACK_ROW_MAJOR, 'N', 'U', (lapack_int)n, gram, (lapack_int)n,
                      eigenvalues) != 0 ||
        eigenvalues[0] <= 0)
        return INFINITY;
    return sqrt(eigenvalues[n - 1] / eigenvalues[0]);
}

/* LAPACK is OpenBLAS where that is installed, and its threads would only fight over matrices as
 * small as these. */
extern void openblas_set_num_threads(int threads) __attribute__((weak));

/* The best of DRAWS; returns its condition number. */
static double choose_weight(uint64_t stream, size_t n, float *weight)
{
    double *conditions = allocate(DRAWS * sizeof *conditions), w[MIXER_WIDEST * MIXER_WIDEST];
    if (openblas_set_num_threads)
        openblas_set_num_threads(1);
#pragma omp parallel for schedule(static) private(w)
    for (size_t draw = 0; draw < DRAWS; draw++) {
        draw_weight(stream, draw, n, w);
        conditions[draw] = condition(n, w);
    }
    size_t best = 0;
    for (size_t draw = 1; draw < DRAWS; draw++)
        if (conditions[draw] < conditions[best])
            best = draw;
    draw_weight(stream, best, n, w);
    for (size_t i = 0; i < n * n; i++)
        weight[i] = (float)w[i];
    double least = conditions[best];
    free(conditions);
    return least;
}

void mixer_open(struct mixer *m, size_t width, uint64_t stream)
{
    m->width = width;
    m->worst_condition = 0;
    for (size_t l = 0; l < MIXER_LAYERS; l++)
        m->worst_condition =
            fmax(m->worst_condition, choose_weight(random_bits(stream, l), width, m->weight[l]));
}

void mixer_apply(const struct mixer *m, size_t rows, float *latents, float *out)
{
    size_t n = m->width;
    product(rows, n, n, latents, m->weight[0], out);
    for (size_t i = 0; i < rows * n; i++)
        latents[i] = fmaxf(out[i], slope * out[i]);
    product(rows, n, n, latents, m->weight[1], out);
}
