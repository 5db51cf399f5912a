/* exact.h - a loss and its gradients in double, in memory O(m + n) beside rows and gradients.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_ACCURACY_EXACT_H
#define MMK_BENCH_ACCURACY_EXACT_H

#include "problem.h"

struct exact {
    double loss, dscale, dbias;
    double *lse_x, *lse_y, *dx, *dy; /* m, n, m x d, n x d */
};

/* For problems of at most m x d, n x d. */
void exact_open(struct exact *e, size_t m, size_t n, size_t d);
void exact_close(struct exact *e);

/* The formula of mmk.h from the float rows. own_logits: similarities are the floats that
 * mmk_similarity_matrix gives, which are those of the losses; all else is in double. Rows must be
 * of a length near 1, and logits within 600: e^L is taken as it is. The result does not depend on
 * the number of threads. */
void exact_evaluate(struct exact *e, const struct problem *problem, bool own_logits, int threads);

/* The most roundings, 2^-53 each, that a sum over both sides goes through: the bound of its error,
 * relative to the sum of magnitudes. */
size_t exact_roundings(size_t m, size_t n, size_t d);

#endif
