/* sweep.h - lists of sizes from which the kernels' sweeps are made.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_SWEEP_H
#define MMK_SWEEP_H

#include "case.h"

enum { SWEEP_DIMS = 160 };

/* Every d from 0 to 130 (two steps of 64 lanes, and one and two more), around the powers of two
 * above, and what occurs in the field. quick: the edges of 4, 8, 16, 32 and 64 lanes. */
static inline size_t sweep_dims(bool quick, size_t dims[SWEEP_DIMS])
{
    static const size_t edges[] = {0,  1,  2,  3,  4,  5,  7,  8,  9,   10,  15,  16,  17,
                                   31, 32, 33, 50, 63, 64, 65, 95, 127, 128, 129, 257, 300};
    static const size_t above[] = {255, 256, 257,  300,  511,  512,  513, 767,
                                   768, 769, 1023, 1024, 1025, 1536, 2049};
    size_t count = 0;
    if (quick) {
        for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
            dims[count++] = edges[i];
        return count;
    }
    for (size_t d = 0; d <= 130; d++)
        dims[count++] = d;
    for (size_t i = 0; i < sizeof above / sizeof above[0]; i++)
        dims[count++] = above[i];
    return count;
}

/* Dims of the sweep that are next to no edge of 8 lanes: for slower kernels a few fills are enough.
 */
static inline bool sweep_is_plain(size_t d)
{
    return d > 34 && d < 250 && d % 8 > 1 && d % 8 < 7;
}

/* Appends to shapes, unless that is NULL and shapes are only counted. */
static inline void sweep_add(struct shape *shapes, size_t *count, struct shape shape)
{
    if (shapes)
        shapes[*count] = shape;
    ++*count;
}

/* The shape with every similarity, and logit scales and weights that leave softmaxes near 2^-126
 * (rows aligned with their positives), or that float has not the range for. */
static inline void sweep_add_extremes(struct shape *shapes, size_t *count, struct shape shape)
{
    static const float all[][3] = {
        {30, 0.5f, 0.5f},      {42, 1, 0},         {60, 0, 1},           {85, 0.5f, 0.5f},
        {130, 0.5f, 0.5f},     {1e-38f, 1, 1e-9f}, {1e-36f, 0.5f, 0.5f}, {1e-18f, 1e-20f, 0},
        {3e-3f, 1e-30f, 1e2f}, {2, 1e25f, 0.5f},   {1e22f, 1, 2},        {1.7e38f, 1e7f, 1e-7f}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        for (int similarity = 0; similarity < MMK_SIMILARITY_COUNT; similarity++) {
            shape.similarity = (enum mmk_similarity)similarity;
            shape.logit_scale = all[i][0];
            shape.weight_x = all[i][1];
            shape.weight_y = all[i][2];
            sweep_add(shapes, count, shape);
        }
}

/* Whether rows of 1e20 have finite logits. */
static inline bool sweep_is_huge(const struct shape *s)
{
    return s->logit_scale <= 1e-36f;
}

#endif
