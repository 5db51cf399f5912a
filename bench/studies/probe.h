/* probe.h - a small classifier on a frozen representation, and Matthews' correlation coefficient.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_STUDY_PROBE_H
#define MMK_STUDY_PROBE_H

#include "encoder.h"

#include <stdbool.h>

/* One hidden layer of 100 ReLU, trained on rows x features with a label each. */
void probe_train(struct encoder *probe, size_t rows, size_t features, const float *inputs,
                 const bool *labels, uint64_t stream);

/* Matthews' correlation coefficient of its predictions: 1 all right, 0 no better than chance. */
double probe_mcc(struct encoder *probe, size_t rows, const float *inputs, const bool *labels);

#endif
