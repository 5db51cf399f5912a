/* shift.c - chooses the one shift of all exponentials E = 2^(z - shift) of a forward.
 * SPDX-License-Identifier: MIT
 *
 * Cosines are within +-1, so that where logit_scale is no greater than most are one shift serves
 * whatever the rows hold. Else it comes from a sample. It is right for every row if it is right for
 * the rows of a sample: logits of one batch are alike. Where they are not, the rows and columns out
 * of its reach are found by their sums (forward.c), so a bad guess costs time and nothing else. The
 * sample is at most 256 pairs, whatever the size of the batch.
 */
#include "shift.h"

#include "../pair/pair.h"

#include <math.h>

/* The sum expected of a row comes to lie here above the shift: as far from where a backward would
 * lose softmaxes (weights.c) as from where a sum could overflow. */
#define SUM_EXPECTED 60.0f

/* Logits within +-this (in base 2), less the greatest of them and SUM_EXPECTED: every E lies in
 * [2^1, 2^60], every sum of below 2^32 of them below 2^92, and no lse is below the shift; with what
 * a cosine may be beyond 1 (mmk.h) too, up to a d of a million. */
#define COSINE_ALPHA_MOST 29.5f

/* Rows and, of each, negatives of the sample. */
enum { SAMPLE_ROWS = 32, SAMPLE_NEGATIVES = 8 };

/* Sorts a few floats in place. */
static void sort_few(size_t count, float *v)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && v[j] < v[j - 1]; j--) {
            float t = v[j];
            v[j] = v[j - 1];
            v[j - 1] = t;
        }
}

static bool is_positive(const struct infonce *p, size_t i, size_t j)
{
    const struct infonce_side *x = &p->targets.x;
    size_t low = x->start[i], high = x->start[i + 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (x->index[middle] < j)
            low = middle + 1;
        else
            high = middle;
    }
    return low < x->start[i + 1] && x->index[low] == j;
}

/* Column j, or the next after it that holds a negative of row i, of which there must be one. */
static size_t next_negative(const struct infonce *p, size_t i, size_t j)
{
    while (is_positive(p, i, j) || (p->targets.exclude_self && j == i + p->config.offset))
        j = (j + 1) % p->n;
    return j;
}

/* The shift, from the logits of a few negatives. Of 8 the greatest is about 1.4 standard deviations
 * above their middle, of the some thousand of a row 3.5: half as far again. Medians over rows, so
 * that an outlier does not move it. */
float infonce_choose_shift(const struct infonce *p)
{
    float (*pair)(size_t, const float *, const float *) = p->isa->pair->pair[p->config.similarity];
    float greatest[SAMPLE_ROWS], middle[SAMPLE_ROWS];
    size_t count = size_min(p->m / 8 + 1, SAMPLE_ROWS), used = 0;
    if (p->config.similarity == MMK_COSINE && p->alpha <= COSINE_ALPHA_MOST)
        return ceilf(p->alpha) - SUM_EXPECTED;
    for (size_t t = 0; t < count; t++) {
        size_t i = t * p->m / count;
        const struct infonce_side *x = &p->targets.x;
        size_t positives = x->start[i + 1] - x->start[i];
        size_t first = positives > 0 ? x->index[x->start[i]] : i;
        float logit[SAMPLE_NEGATIVES];
        if (positives + p->targets.exclude_self >= p->n)
            continue;
        for (size_t k = 0; k < SAMPLE_NEGATIVES; k++) {
            size_t j = next_negative(p, i, (first + 1 + k * (p->n - 1) / SAMPLE_NEGATIVES) % p->n);
            logit[k] =
                p->alpha * pair(p->d, tile_operand_row(&p->x, i), tile_operand_row(&p->y, j));
        }
        sort_few(SAMPLE_NEGATIVES, logit);
        greatest[used] = logit[SAMPLE_NEGATIVES - 1];
        middle[used] = logit[SAMPLE_NEGATIVES / 2];
        if (fabsf(greatest[used]) < INFONCE_SHIFT_MOST && fabsf(middle[used]) < INFONCE_SHIFT_MOST)
            used++;
    }
    if (used == 0)
        return 0.0f;
    sort_few(used, greatest);
    sort_few(used, middle);
    float high = greatest[used / 2], spread = high - middle[used / 2];
    float shift = floorf(high + 1.5f * spread - SUM_EXPECTED);
    return shift < INFONCE_SHIFT_MOST ? shift : INFONCE_SHIFT_MOST;
}
