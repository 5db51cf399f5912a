/* levels.c - the directions of most energy of a gallery's rows, and whether they pay.
 * SPDX-License-Identifier: MIT
 *
 * A sample of the rows has second moments C (d x d), whose greatest eigenvectors are found by
 * subspace iteration: products of C and the basis, each followed by Gram and Schmidt. Other rows
 * of the gallery are then asked for each other, and how many of them a prefix would leave decides
 * how long it is, if there is one at all. All of it is on the calling thread, and half of it in
 * the products of mmk_similarity_query: 150 ms at d = 784 (Zen 5 VM). Then each row is rotated
 * while its codes are made, by p products: 2.3 us for p = 63 and codes together, where codes alone
 * take .3.
 */
#include "levels.h"

#include "../call/scratch.h"
#include "../codes/codes.h"
#include "../query/query.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAMPLE = 1024, /* rows that the directions are found from, */
    TESTED = 1024, /* and others that they are tried on, */
    ASKED = 32,    /* by so many of these */
    ROUNDS = 8,
    STEP = 32,      /* a prefix is a multiple of it, less one */
    OVERHEAD = 17,  /* bytes a row beside its codes */
    SURVIVOR = 2000 /* what a row that a prefix leaves costs, in bytes read: d + 64 for one query,
                       more than twice as many for a batch, which reads nothing but L2 */
};

void levels_take_row(const struct tile_operand *y, size_t r, size_t d, struct row_scale *scale,
                     float *out)
{
    const float *row = tile_widened_row(y, r, d, out);
    if (y->normalize != NULL) {
        *scale = y->normalize->row_scale(d, row);
        y->normalize->scale_row(d, row, *scale, out);
    } else {
        tile_subtract_origin(d, row, y->origin, out);
    }
}

/* ---- A sample -------------------------------------------------------------------------------- */

/* What levels_find works on. */
struct search_for {
    const struct isa_row *isa;
    size_t d;
    size_t most;     /* directions that are looked for, or there are */
    float *rows;     /* SAMPLE x d, then TESTED x d */
    float *columns;  /* d x SAMPLE: the first of them transposed */
    float *moments;  /* d x d */
    float *basis;    /* most x d, and the same once more */
    float *next;     /* which change places */
    float *places;   /* TESTED x most: z of the rows that are tried */
    float *product;  /* of one row with all of them */
    float *rest;     /* of each |y'|^2 as the prefix grows, */
    float *greatest; /* |z_k - c_k|, */
    float *square;   /* sums of those squared, */
    float *bound;    /* ASKED x TESTED: w.z, */
    float *need;     /* and the best product of each that is asked */
};

static void products(const struct search_for *s, size_t n, size_t d, const float *x, const float *y,
                     float *out)
{
    s->isa->query->query[MMK_DOT](n, d, x, y, d, out);
}

/* Rows evenly from the whole gallery, divided by the greatest norm, which is returned; what has no
 * codes is 0. */
static float take_sample(const struct search_for *s, const struct tile_operand *y, size_t n)
{
    size_t d = s->d, all = SAMPLE + TESTED;
    float greatest = 0;
    struct row_scale scale;
    for (size_t i = 0; i < all; i++) {
        /* by turns to be learned from and to be tried on */
        float square, *row = s->rows + (i % 2 * SAMPLE + i / 2) * d;
        levels_take_row(y, i * (n / all), d, &scale, row);
        products(s, 1, d, row, row, &square);
        if (!codes_usable(sqrtf(square)))
            memset(row, 0, d * sizeof *row);
        else if (sqrtf(square) > greatest)
            greatest = sqrtf(square);
    }
    for (size_t e = 0; greatest > 0 && e < all * d; e++)
        s->rows[e] /= greatest;
    return greatest;
}

static void find_moments(const struct search_for *s)
{
    size_t d = s->d;
    for (size_t i = 0; i < SAMPLE; i++)
        for (size_t k = 0; k < d; k++)
            s->columns[k * SAMPLE + i] = s->rows[i * d + k];
    for (size_t k = 0; k < d; k++) {
        products(s, k + 1, SAMPLE, s->columns + k * SAMPLE, s->columns, s->moments + k * d);
        for (size_t j = 0; j < k; j++)
            s->moments[j * d + k] = s->moments[k * d + j];
    }
}

/* ---- Directions ------------------------------------------------------------------------------ */

/* Makes the rows of a basis orthonormal, each against those before it, twice. Returns how many
 * there are before one that depends on them. */
static size_t orthonormalize(const struct search_for *s, float *basis)
{
    size_t d = s->d;
    for (size_t j = 0; j < s->most; j++) {
        float *row = basis + j * d, before, after;
        products(s, 1, d, row, row, &before);
        for (size_t twice = 0; twice < 2; twice++)
            for (size_t i = 0; i < j; i++) {
                float along;
                products(s, 1, d, basis + i * d, row, &along);
                for (size_t k = 0; k < d; k++)
                    row[k] -= along * basis[i * d + k];
            }
        products(s, 1, d, row, row, &after);
        if (!(after > before * 0x1p-40f) || !(after > 0x1p-100f))
            return j;
        float inverse = 1 / sqrtf(after);
        for (size_t k = 0; k < d; k++)
            row[k] *= inverse;
    }
    return s->most;
}

/* next = basis C */
static void multiply_moments(const struct search_for *s)
{
    size_t d = s->d;
    for (size_t k = 0; k < d; k++) {
        float out[LEVELS_MOST];
        products(s, s->most, d, s->moments + k * d, s->basis, out);
        for (size_t j = 0; j < s->most; j++)
            s->next[j * d + k] = out[j];
    }
}

/* Returns how many directions there are. */
static size_t find_directions(struct search_for *s)
{
    uint32_t state = 1;
    for (size_t e = 0; e < s->most * s->d; e++) {
        state = state * 1664525 + 1013904223;
        s->basis[e] = (state >> 31) != 0 ? 1.0f : -1.0f;
    }
    for (size_t round = 0; round < ROUNDS; round++) {
        multiply_moments(s);
        s->most = orthonormalize(s, s->next);
        float *swap = s->basis;
        s->basis = s->next;
        s->next = swap;
    }
    return s->most;
}

/* |Q Q^T - 1|_F of the first p rows. */
static double departure(const float *basis, size_t p, size_t d)
{
    double sum = 0;
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j <= i; j++) {
            double dot = 0;
            for (size_t k = 0; k < d; k++)
                dot += (double)basis[i * d + k] * (double)basis[j * d + k];
            dot -= i == j;
            sum += (i == j ? 1 : 2) * dot * dot;
        }
    return sqrt(sum);
}

/* ---- How long -------------------------------------------------------------------------------- */

/* The mean of z over the sample. */
static void find_centre(const struct search_for *s, float *centre)
{
    float z[LEVELS_MOST];
    double sum[LEVELS_MOST] = {0};
    for (size_t i = 0; i < SAMPLE; i++) {
        products(s, s->most, s->d, s->rows + i * s->d, s->basis, z);
        for (size_t j = 0; j < s->most; j++)
            sum[j] += (double)z[j];
    }
    for (size_t j = 0; j < s->most; j++)
        centre[j] = (float)(sum[j] / SAMPLE);
}

/* Rows that are tried ask each other: the best product of each that asks. What is added to products
 * of distances is in `rest` for now, |y|^2. */
static void ask(const struct search_for *s, bool distances)
{
    size_t d = s->d;
    const float *rows = s->rows + SAMPLE * d;
    for (size_t t = 0; t < TESTED; t++) {
        products(s, 1, d, rows + t * d, rows + t * d, &s->rest[t]);
        products(s, s->most, d, rows + t * d, s->basis, s->places + t * s->most);
        s->greatest[t] = s->square[t] = 0;
    }
    for (size_t q = 0; q < ASKED; q++) {
        size_t self = q * (TESTED / ASKED);
        s->need[q] = -INFINITY;
        products(s, TESTED, d, rows + self * d, rows, s->product);
        for (size_t t = 0; t < TESTED; t++) {
            float add = distances ? -0.5f * s->rest[t] : 0;
            s->bound[q * TESTED + t] = add;
            if (t != self && s->product[t] + add > s->need[q])
                s->need[q] = s->product[t] + add;
        }
    }
}

/* The share of rows that a prefix of p directions leaves. */
static double share_left(const struct search_for *s, size_t p)
{
    size_t left = 0;
    float coarse = 1 / 127.0f * sqrtf((float)p / 12);
    for (size_t q = 0; q < ASKED; q++) {
        size_t self = q * (TESTED / ASKED);
        float rest = sqrtf(fmaxf(s->rest[self], 0)), error = coarse * s->greatest[self];
        float norm = sqrtf(s->square[self] + rest * rest);
        for (size_t t = 0; t < TESTED; t++) {
            float other = sqrtf(fmaxf(s->rest[t], 0));
            float codes =
                error * sqrtf(s->square[t] + other * other) + norm * coarse * s->greatest[t];
            left += t != self && s->bound[q * TESTED + t] + rest * other + codes >= s->need[q];
        }
    }
    return (double)left / ASKED / TESTED;
}

/* Brings the bounds from a prefix of `from` directions to one of p. */
static void lengthen(const struct search_for *s, const float *centre, size_t from, size_t p)
{
    for (size_t k = from; k < p; k++) {
        for (size_t t = 0; t < TESTED; t++) {
            float z = s->places[t * s->most + k], off = fabsf(z - centre[k]);
            s->rest[t] -= z * z;
            s->square[t] += off * off;
            s->greatest[t] = fmaxf(s->greatest[t], off);
        }
        for (size_t q = 0; q < ASKED; q++) {
            float w = s->places[q * (TESTED / ASKED) * s->most + k];
            for (size_t t = 0; t < TESTED; t++)
                s->bound[q * TESTED + t] += w * s->places[t * s->most + k];
        }
    }
}

/* The length that costs least, or 0 where codes of whole rows do. */
static size_t best_length(const struct search_for *s, const float *centre)
{
    size_t best = 0;
    double least = 0.75 * (double)(s->d + OVERHEAD);
    for (size_t from = 0, p = 0; from < s->most; from = p) {
        p = size_min(from + STEP - (from == 0), s->most); /* and one for what is left, |y'| */
        lengthen(s, centre, from, p);
        double cost = (double)(p + 1 + OVERHEAD) + SURVIVOR * share_left(s, p);
        if (cost < least) {
            least = cost;
            best = p;
        }
    }
    return best;
}

/* ---- All ------------------------------------------------------------------------------------- */

static void layout(struct search_for *s, struct scratch *scratch)
{
    size_t d = s->d;
    s->rows = scratch_take(scratch, (SAMPLE + TESTED) * d, sizeof(float));
    s->columns = scratch_take(scratch, SAMPLE * d, sizeof(float));
    s->moments = scratch_take(scratch, d * d, sizeof(float));
    s->basis = scratch_take(scratch, s->most * d, sizeof(float));
    s->next = scratch_take(scratch, s->most * d, sizeof(float));
    s->places = scratch_take(scratch, TESTED * s->most, sizeof(float));
    s->product = scratch_take(scratch, TESTED, sizeof(float));
    s->rest = scratch_take(scratch, TESTED, sizeof(float));
    s->greatest = scratch_take(scratch, TESTED, sizeof(float));
    s->square = scratch_take(scratch, TESTED, sizeof(float));
    s->bound = scratch_take(scratch, ASKED * TESTED, sizeof(float));
    s->need = scratch_take(scratch, ASKED, sizeof(float));
}

/* Copies what was found; unit: what the sample was divided by. Returns the bytes that it could not
 * have, or 0. */
static size_t keep(const struct search_for *s, const float *centre, float unit,
                   struct levels *levels)
{
    size_t d = s->d, p = levels->p, kept = (p * d + p) * sizeof *levels->basis;
    double kappa = ((double)d / 64 + 9) * 0x1p-24 * sqrt(1.01 * (double)p);
    double eps = departure(s->basis, p, d);
    if (!(kappa < 0.005 && eps < 0.005)) {
        levels->p = 0;
        return 0;
    }
    levels->leftover = (float)(2.1 * (2 * kappa + eps) + 1.01 * (double)d * 0x1p-24);
    levels->basis = malloc(kept);
    if (levels->basis == NULL)
        return kept;
    levels->centre = levels->basis + p * d;
    memcpy(levels->basis, s->basis, p * d * sizeof *levels->basis);
    for (size_t k = 0; k < p; k++)
        levels->centre[k] = centre[k] * unit;
    return 0;
}

size_t levels_find(const struct isa_row *isa, enum mmk_similarity similarity,
                   const struct tile_operand *y, size_t n, size_t d, struct levels *levels)
{
    *levels = (struct levels){0};
    if (n < LEVELS_LEAST_ROWS || d < LEVELS_LEAST_DEPTH || d > LEVELS_MOST_DEPTH)
        return 0;
    struct search_for s = {.isa = isa, .d = d, .most = size_min(LEVELS_MOST, d / 2 - 1)};
    struct scratch scratch = {0};
    float centre[LEVELS_MOST];
    layout(&s, &scratch);
    size_t bytes = scratch.used;
    void *memory = aligned_alloc(SCRATCH_ALIGNMENT, bytes);
    if (memory == NULL)
        return bytes;
    scratch = (struct scratch){.base = memory};
    layout(&s, &scratch);
    float unit = take_sample(&s, y, n);
    find_moments(&s);
    find_directions(&s);
    find_centre(&s, centre);
    ask(&s, similarity == MMK_NEG_SQ_L2);
    levels->p = best_length(&s, centre);
    bytes = levels->p != 0 ? keep(&s, centre, unit, levels) : 0;
    SCRATCH_OPEN_GAPS(memory, scratch.used);
    free(memory);
    return bytes;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* |x'| with what is left over, from w and |x|, rounded up. */
static float rest_of(const struct levels *levels, const float *w, float norm)
{
    double square = (double)norm * (double)norm, rest = square * (1 + (double)levels->leftover);
    for (size_t k = 0; k < levels->p; k++)
        rest -= (double)w[k] * (double)w[k];
    rest += square * 0x1p-40; /* more than the sum's own roundings */
    return rest > 0 ? (float)sqrt(rest) * (1 + 0x1p-22f) : 0;
}

double levels_left(const struct levels *levels, const struct isa_row *isa, size_t d, const float *x,
                   float norm, float *u)
{
    double shift = 0;
    isa->query->query[MMK_DOT](levels->p, d, x, levels->basis, d, u);
    for (size_t k = 0; k < levels->p; k++)
        shift += (double)u[k] * (double)levels->centre[k];
    u[levels->p] = rest_of(levels, u, norm);
    return shift;
}

void levels_right(const struct levels *levels, const struct isa_row *isa, size_t d, const float *y,
                  float norm, float *v)
{
    isa->query->query[MMK_DOT](levels->p, d, y, levels->basis, d, v);
    v[levels->p] = rest_of(levels, v, norm);
    for (size_t k = 0; k < levels->p; k++)
        v[k] -= levels->centre[k];
}
