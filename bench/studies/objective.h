/* objective.h - the losses that the studies train with, all of them the library's.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_STUDY_OBJECTIVE_H
#define MMK_STUDY_OBJECTIVE_H

#include "../../kernels/mmk.h"

#include <stdbool.h>

enum loss {
    LOSS_INFONCE, /* symmetric, one-to-one */
    LOSS_MULTI,   /* symmetric InfoNCE with several positives a row */
    LOSS_SIGMOID,
    LOSS_ALIGNMENT /* pulls pairs together, pushes the samples of each side apart */
};

/* What may be learned of the loss itself: the logarithm of the logits' scale, and (sigmoid) their
 * bias. */
enum { LOG_SCALE, BIAS, OBJECTIVE_PARAMETERS };

struct objective {
    enum loss loss;
    enum mmk_similarity similarity;
    bool learned; /* then the scale is at most 100 */
    float parameters[OBJECTIVE_PARAMETERS], gradient[OBJECTIVE_PARAMETERS];
    int threads;
    float *push;     /* rows x d, alignment only: a part of a gradient */
    void *workspace; /* for the exponentials of all logits */
    size_t workspace_bytes;
    double seconds; /* in the loss, so far */
};

/* For rows x d encodings. `positives`: the most entries that the positives of a batch may have. */
void objective_open(struct objective *o, enum loss loss, enum mmk_similarity similarity,
                    float scale, float bias, bool learned, size_t rows, size_t d, size_t positives,
                    int threads);
void objective_close(struct objective *o);

/* The loss of encodings x and y, and its gradients. Of LOSS_ALIGNMENT the first half of the rows
 * are the pairs, and the second what those are pushed from. positives: which rows of y belong to
 * which of x; NULL: row i to row i. */
float objective_evaluate(struct objective *o, size_t rows, size_t d, const float *x, const float *y,
                         const struct mmk_csr *positives, float *dx, float *dy);

#endif
