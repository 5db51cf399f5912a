/* allowance.c - what the check grants other libraries beyond the bounds that are derived for ours.
 * SPDX-License-Identifier: MIT
 *
 * Pair, query, rows and matrix: ours sum in 64 lanes, or in one chain of FMAs. Others sum in lanes
 * and blocks of their own, of which none rounds more often than one chain of d does (bound_chain, c
 * here):
 *     dot          c u sum|x_k y_k|
 *     neg_sq_l2    (c + 2) u |x - y|^2 from differences, that is of pairs, queries and rows; else,
 *                  in a matrix, of the expansion (c + 3) u (2 sum|x_k y_k| + |x|^2 + |y|^2), of
 *                  rows as they come, without an origin, equal rows too
 *     cosine       (2c + 6) u sum|x_k y_k| / |x||y|: product and norms by a chain each, and six
 *                  roundings of what is done with them; and 2 u where it comes as 1 - cosine
 * Of f16 and bf16 the same, as all of their values are floats; but SimSIMD cuts differences of bf16
 * off to bf16, less by up to 2^-7 of themselves: 2^-6 |x - y|^2 more.
 *
 * Of codes the sums are exact. A cosine of them in float, (6 + 10) u |cosine| and 2 u: six of these
 * as above, and ten for two reciprocal roots that are found by one step of Newton from 12 bits.
 *
 * Search: twice ours, which is one chain, for norms that are a chain, too; and 2 (1 + |score|) u
 * where the score comes as 1 - distance. For neg_sq_l2 ours is that of the matrix without an
 * origin, with the greatest |y|^2 and |x|^2 + |y|^2 for 2 sum|x_k y_k|.
 *
 * InfoNCE: the bound of lse_i is s times that of the similarities in it, and the roundings of the
 * sum; where P of the positive is not small, that holds its logit's error, too. So for direction x,
 * and for y alike:
 *     lse_i - L_ii         errs by at most 2 b_i, b_i the bound of lse_i
 *     P_ii                 by at most 2 b_i, relative and absolute
 *     G_ii, both together  by g_i = 2 (weight_x bx_i + weight_y by_i) / m
 *     dX_ik                by s g_i |y_ik|; for the cosine, whose part along x_i is taken out, by
 *                          s g_i (|unit_y_ik| + |unit_x_ik|) / |x_i|
 *     dlogit_scale         by sum_i g_i |x_i| |y_i|, the lengths 1 for the cosine
 */
#include "allowance.h"

#include "../../ref/cases.h"

#include <stdlib.h>
#include <string.h>

static const float *row_of(const struct buffer *b, size_t i)
{
    return (const float *)b->data + i * b->ld;
}

static double length(const struct buffer *b, size_t i)
{
    double square = 0.0;
    for (size_t k = 0; k < b->cols; k++)
        square += (double)row_of(b, i)[k] * (double)row_of(b, i)[k];
    return sqrt(square);
}

/* For row i of the gradient with respect to `own`, whose positive is row i of `other`. */
static void allow_gradient(const struct trial *trial, const struct buffer *own,
                           const struct buffer *other, size_t i, double g, double *bound)
{
    bool cosine = trial->shape.similarity == MMK_COSINE;
    double scaled = (double)trial->shape.logit_scale * g;
    double own_length = cosine ? length(own, i) : 1.0,
           other_length = cosine ? length(other, i) : 1.0;
    for (size_t k = 0; k < own->cols && own_length > 0.0 && other_length > 0.0; k++) {
        double along = cosine ? fabs((double)row_of(own, i)[k]) / own_length : 0.0;
        double across = fabs((double)row_of(other, i)[k]) / other_length;
        bound[i * own->cols + k] += scaled * (across + along) / own_length;
    }
}

/* Of forward and of forward + backward; their batches are square, as that is all that peers take:
 * the positive of row i is row i. */
static void allow_infonce(struct trial *trial)
{
    const struct shape *s = &trial->shape;
    const struct buffer *x = trial_buffer(trial, "x"), *y = trial_buffer(trial, "y");
    const double *bx = trial_buffer(trial, "lse_x")->bound;
    const double *by = trial_buffer(trial, "lse_y")->bound;
    const struct buffer *dx = trial_buffer(trial, "dx"), *dy = trial_buffer(trial, "dy");
    double total = 0.0, scale = 0.0;
    for (size_t i = 0; i < s->m; i++) {
        double g = 2.0 * ((double)s->weight_x * bx[i] + (double)s->weight_y * by[i]) / (double)s->m;
        total += g;
        scale += g * (s->similarity == MMK_COSINE ? 1.0 : length(x, i) * length(y, i));
        if (dx != NULL) {
            allow_gradient(trial, x, y, i, g, dx->bound);
            allow_gradient(trial, y, x, i, g, dy->bound);
        }
    }
    trial_buffer(trial, "loss")->bound[0] += total;
    if (dx != NULL)
        trial_buffer(trial, "dlogit_scale")->bound[0] += scale;
}

/* Rows as floats, which those of 16 bits become exactly. */
struct floats {
    const float *data;
    size_t ld;
    float *copy; /* to be freed, or NULL */
};

static struct floats floats_from(const struct buffer *b)
{
    if (b->element == ELEMENT_F32)
        return (struct floats){b->data, b->ld, NULL};
    float *copy = floats_of(b);
    return (struct floats){copy, b->cols, copy};
}

static double similarity_bound(const struct trial *trial, const float *x, const float *y,
                               double expected)
{
    size_t d = trial->shape.d;
    double chain = bound_chain(d), underflow = (double)d * BOUND_UNDERFLOW;
    double magnitude = 0.0, square_x = 0.0, square_y = 0.0;
    for (size_t k = 0; k < d; k++) {
        magnitude += fabs((double)x[k] * (double)y[k]);
        square_x += (double)x[k] * (double)x[k];
        square_y += (double)y[k] * (double)y[k];
    }
    if (trial->shape.similarity == MMK_DOT)
        return chain * BOUND_U * magnitude + underflow;
    if (trial->shape.similarity == MMK_COSINE)
        return ((2.0 * chain + 6.0) * magnitude / sqrt(square_x * square_y) + 2.0) * BOUND_U;
    if (strchr(trial->kernel->dims, 'm') && !trial->kernel->paired)
        return (chain + 3.0) * BOUND_U * (2.0 * magnitude + square_x + square_y) + underflow;
    return (chain + 2.0) * BOUND_U * fabs(expected) + underflow;
}

/* Bounds that are greater, and finite, replace those that hold for ours. */
static void allow_similarity(struct trial *trial)
{
    const struct buffer *result = trial_buffer(trial, "result");
    bool bf16 = trial_buffer(trial, "x")->element == ELEMENT_BF16;
    double rounded = bf16 && trial->shape.similarity == MMK_NEG_SQ_L2 ? 0x1p-6 : 0.0;
    struct floats x = floats_from(trial_buffer(trial, "x")),
                  y = floats_from(trial_buffer(trial, "y"));
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < result->rows; i++)
        for (size_t j = 0; j < result->cols; j++) {
            size_t e = i * result->cols + j;
            double bound = similarity_bound(trial, x.data + (trial->kernel->paired ? j : i) * x.ld,
                                            y.data + j * y.ld, result->expected[e]) +
                           rounded * fabs(result->expected[e]);
            if (isfinite(bound))
                result->bound[e] = fmax(result->bound[e], bound);
        }
    free(x.copy);
    free(y.copy);
}

static void allow_cosine(struct trial *trial)
{
    const struct buffer *result = trial_buffer(trial, "result");
    for (size_t e = 0; e < result->rows * result->cols; e++)
        result->bound[e] =
            fmax(result->bound[e], (16.0 * fabs(result->expected[e]) + 2.0) * BOUND_U);
}

/* Where it has a bound of the best values, which holds for the scores at their indices, too. */
static void allow_search(struct trial *trial)
{
    const struct buffer *values = trial_buffer(trial, "values"), *x = trial_buffer(trial, "x"),
                        *y = trial_buffer(trial, "y");
    bool expanded = trial->shape.similarity == MMK_NEG_SQ_L2;
    double greatest = 0.0, roundings = (bound_chain(trial->shape.d) + 3.0) * BOUND_U;
    for (size_t j = 0; expanded && j < y->rows; j++)
        greatest = fmax(greatest, length(y, j));
    for (size_t i = 0; i < values->rows; i++) {
        double square = expanded ? length(x, i) * length(x, i) + greatest * greatest : 0.0;
        if (!isfinite(square))
            square = 0.0;
        for (size_t e = i * values->cols; e < (i + 1) * values->cols; e++)
            if (values->bound[e] >= 0.0) /* not BOUND_UNTOUCHED */
                values->bound[e] = 2.0 * fmax(values->bound[e], 2.0 * roundings * square) +
                                   2.0 * (1.0 + fabs(values->expected[e])) * BOUND_U;
    }
}

/* Whether index r of a row has a score that is expected there, and none before it in the run of
 * equal ones is the same. */
static bool is_tie(const struct buffer *scores, const struct buffer *values, size_t row,
                   const uint32_t *indices, size_t r)
{
    const double *expected = values->expected + row * values->cols;
    if (indices[r] >= scores->cols || (double)row_of(scores, row)[indices[r]] != expected[r])
        return false;
    for (size_t before = r; before > 0 && expected[before - 1] == expected[r]; before--)
        if (indices[before - 1] == indices[r])
            return false;
    return true;
}

/* Equal scores in any order: an index that will do becomes the one expected. */
static void allow_ties(struct trial *trial)
{
    const struct buffer *scores = trial_buffer(trial, "scores"),
                        *values = trial_buffer(trial, "values"),
                        *indices = trial_buffer(trial, "indices");
    for (size_t i = 0; i < indices->rows; i++) {
        const uint32_t *row = (const uint32_t *)indices->data + i * indices->ld;
        for (size_t r = 0; r < indices->cols; r++)
            if (is_tie(scores, values, i, row, r))
                indices->expected[i * indices->cols + r] = (double)row[r];
    }
}

static double *copy(const struct buffer *buffer, const double *values)
{
    size_t bytes = buffer->rows * buffer->cols * sizeof *values;
    double *copied = malloc(bytes + 1);
    return copied ? memcpy(copied, values, bytes) : NULL;
}

static void free_copies(struct trial *trial)
{
    for (int b = 0; b < trial->buffer_count; b++) {
        free(trial->buffer[b].expected);
        free(trial->buffer[b].bound);
    }
}

/* The same trial, with expected and bound to be changed. False: no memory. */
static bool copy_trial(const struct trial *trial, struct trial *copied)
{
    bool good = true;
    *copied = *trial;
    for (int b = 0; b < trial->buffer_count; b++) {
        struct buffer *buffer = &copied->buffer[b];
        buffer->expected = buffer->bound = NULL;
        if (!buffer->output)
            continue;
        buffer->expected = copy(buffer, trial->buffer[b].expected);
        buffer->bound = copy(buffer, trial->buffer[b].bound);
        good = good && buffer->expected && buffer->bound;
    }
    if (!good)
        free_copies(copied);
    return good;
}

static bool check_allowed(const struct trial *trial, struct verdict *verdict)
{
    struct trial allowed;
    if (!copy_trial(trial, &allowed)) {
        *verdict = (struct verdict){.message = "no memory for the check"};
        return false;
    }
    switch (trial->kernel->allowance) {
    case ALLOWANCE_NONE:
        break;
    case ALLOWANCE_SIMILARITY:
        allow_similarity(&allowed);
        break;
    case ALLOWANCE_COSINE:
        allow_cosine(&allowed);
        break;
    case ALLOWANCE_SCORES:
        allow_search(&allowed);
        break;
    case ALLOWANCE_TIES:
        allow_ties(&allowed);
        break;
    case ALLOWANCE_SOFTMAX:
        allow_infonce(&allowed);
        break;
    }
    bool pass = trial_check(&allowed, verdict);
    free_copies(&allowed);
    return pass;
}

bool allowance_check(const struct trial *trial, struct verdict *verdict)
{
    return trial_check(trial, verdict) || check_allowed(trial, verdict);
}
