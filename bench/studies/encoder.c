/* encoder.c - a multi-layer perceptron: forward, backward, and the memory of both.
 * SPDX-License-Identifier: MIT
 *
 * Row i of A_0 is input i. With weights W_l (out x in), bias b_l, and f(z) = z for z > 0, else
 * slope z (LeakyReLU):
 *     Z_l = A_{l-1} W_l^T + b_l,   A_l = f(Z_l),   but A_L = Z_L
 * and backwards, with D_l = d loss / d Z_l:
 *     d loss / d W_l = D_l^T A_{l-1},   d loss / d b_l = column sums of D_l,
 *     D_{l-1} = D_l W_l * f'(Z_{l-1}),   where f' is read off the sign of A_{l-1}.
 * Those of W_l and b_l are sums over the batch (product.h). All sums run in order, on one thread.
 */
#include "encoder.h"

#include "../machine/timer.h"
#include "product.h"
#include "random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t layer_parameters(const struct encoder *e, size_t l)
{
    return (e->width[l - 1] + 1) * e->width[l];
}

/* Where the weights of layer l stand among the parameters; the bias follows them. */
static size_t layer_place(const struct encoder *e, size_t l)
{
    size_t at = 0;
    for (size_t before = 1; before < l; before++)
        at += layer_parameters(e, before);
    return at;
}

static void timed_product(struct encoder *e, size_t m, size_t n, size_t k, const float *a,
                          const float *b, float *c)
{
    double start = timer_now();
    product(m, n, k, a, b, c);
    e->product_seconds += timer_now() - start;
}

void encoder_open(struct encoder *e, size_t layers, const size_t *width, float slope, size_t rows,
                  uint64_t stream)
{
    size_t widest = 0, largest = 0;
    *e = (struct encoder){.layers = layers, .rows = rows, .slope = slope};
    for (size_t l = 0; l <= layers; l++) {
        e->width[l] = width[l];
        e->activation[l] = floats(rows * width[l]);
        if (width[l] > widest)
            widest = width[l];
    }
    for (size_t l = 1; l <= layers; l++) {
        e->count += layer_parameters(e, l);
        if (width[l - 1] * width[l] > largest)
            largest = width[l - 1] * width[l];
    }
    e->parameters = floats(e->count);
    e->gradient = floats(e->count);
    e->delta = floats(rows * widest);
    e->next_delta = floats(rows * widest);
    e->turned = floats(rows * widest > largest ? rows * widest : largest);
    e->turned_delta = floats(rows * widest);
    e->sum = allocate(largest * sizeof *e->sum);
    for (size_t l = 1; l <= layers; l++) {
        float *weight = e->parameters + layer_place(e, l);
        float deviation = sqrtf(2 / (float)width[l - 1]);
        random_normals(random_bits(stream, l), 0, width[l - 1] * width[l], weight);
        for (size_t i = 0; i < width[l - 1] * width[l]; i++)
            weight[i] *= deviation;
    }
}

void encoder_close(struct encoder *e)
{
    for (size_t l = 0; l <= e->layers; l++)
        free(e->activation[l]);
    free(e->parameters);
    free(e->gradient);
    free(e->delta);
    free(e->next_delta);
    free(e->turned);
    free(e->turned_delta);
    free(e->sum);
}

/* z = f(z + b) in place; with slope <= 1, f(v) is the greater of v and slope v. */
static void activate(size_t rows, size_t width, const float *bias, float slope, float *z)
{
    for (size_t i = 0; i < rows; i++, z += width)
        for (size_t j = 0; j < width; j++) {
            float v = z[j] + bias[j], low = slope * v;
            z[j] = v > low ? v : low;
        }
}

/* delta *= f'(z), whose sign is that of f(z). */
static void deactivate(size_t count, const float *restrict activation, float slope,
                       float *restrict delta)
{
    const float factor[2] = {slope, 1}; /* a table: no branch could foresee the signs */
    for (size_t i = 0; i < count; i++)
        delta[i] *= factor[activation[i] > 0];
}

const float *encoder_forward(struct encoder *e, size_t rows)
{
    for (size_t l = 1; l <= e->layers; l++) {
        size_t in = e->width[l - 1], out = e->width[l];
        const float *weight = e->parameters + layer_place(e, l), *bias = weight + in * out;
        timed_product(e, rows, out, in, e->activation[l - 1], weight, e->activation[l]);
        activate(rows, out, bias, l < e->layers ? e->slope : 1, e->activation[l]);
    }
    return e->activation[e->layers];
}

void encoder_backward(struct encoder *e, size_t rows, const float *d_output)
{
    memcpy(e->delta, d_output, rows * e->width[e->layers] * sizeof *d_output);
    for (size_t l = e->layers; l >= 1; l--) {
        size_t in = e->width[l - 1], out = e->width[l];
        const float *weight = e->parameters + layer_place(e, l), *below = e->activation[l - 1];
        float *d_weight = e->gradient + layer_place(e, l), *d_bias = d_weight + in * out;

        sum_over_batch(rows, out, e->delta, e->sum, d_bias);
        transpose(rows, out, e->delta, e->turned_delta);
        transpose(rows, in, below, e->turned);
        double start = timer_now();
        product_over_batch(out, in, rows, e->turned_delta, e->turned, e->sum, d_weight);
        e->product_seconds += timer_now() - start;
        if (l == 1)
            return;

        transpose(out, in, weight, e->turned);
        timed_product(e, rows, in, out, e->delta, e->turned, e->next_delta);
        deactivate(rows * in, below, e->slope, e->next_delta);
        float *swap = e->delta;
        e->delta = e->next_delta;
        e->next_delta = swap;
    }
}

void encoder_encode(struct encoder *e, size_t count, const float *inputs, float *outputs)
{
    size_t in = e->width[0], out = e->width[e->layers];
    for (size_t first = 0; first < count; first += e->rows) {
        size_t rows = count - first < e->rows ? count - first : e->rows;
        memcpy(e->activation[0], inputs + first * in, rows * in * sizeof *inputs);
        memcpy(outputs + first * out, encoder_forward(e, rows), rows * out * sizeof *outputs);
    }
}
