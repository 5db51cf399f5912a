/* probe.c - a small classifier on a frozen representation, and Matthews' correlation coefficient.
 * SPDX-License-Identifier: MIT
 *
 * z = w . relu(W x + b) + c; the loss is the mean of log(1 + e^z) - y z, whose gradient by z is
 * (sigma(z) - y) / rows. Adam, rate 3e-3 decaying to 0, batches of 512 samples drawn at random.
 *     MCC = (TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN))
 */
#include "probe.h"

#include "adam.h"
#include "product.h"
#include "random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HIDDEN = 100, BATCH = 512, STEPS = 1500 };
static const float rate = 3e-3f;

void probe_train(struct encoder *probe, size_t rows, size_t features, const float *inputs,
                 const bool *labels, uint64_t stream)
{
    struct adam adam;
    float d_output[BATCH];
    size_t picked[BATCH];
    encoder_open(probe, 2, (const size_t[]){features, HIDDEN, 1}, 0, BATCH, stream);
    adam_open(&adam, probe->count);
    for (size_t step = 0; step < STEPS; step++) {
        for (size_t i = 0; i < BATCH; i++) {
            picked[i] = random_bits(stream, (step + 1) * BATCH + i) % rows;
            memcpy(probe->activation[0] + i * features, inputs + picked[i] * features,
                   features * sizeof *inputs);
        }
        const float *z = encoder_forward(probe, BATCH);
        for (size_t i = 0; i < BATCH; i++)
            d_output[i] = (1 / (1 + expf(-z[i])) - (labels[picked[i]] ? 1 : 0)) / BATCH;
        encoder_backward(probe, BATCH, d_output);
        adam_step(&adam, probe->parameters, probe->gradient, 1, adam_rate(rate, step, STEPS));
    }
    adam_close(&adam);
}

double probe_mcc(struct encoder *probe, size_t rows, const float *inputs, const bool *labels)
{
    float *z = floats(rows);
    double count[2][2] = {{0}}; /* [label][prediction] */
    encoder_encode(probe, rows, inputs, z);
    for (size_t i = 0; i < rows; i++)
        count[labels[i]][z[i] > 0]++;
    free(z);
    double right = count[1][1] * count[0][0], wrong = count[0][1] * count[1][0];
    double norm = (count[0][1] + count[1][1]) * (count[1][0] + count[1][1]) *
                  (count[0][0] + count[0][1]) * (count[0][0] + count[1][0]);
    return norm > 0 ? (right - wrong) / sqrt(norm) : 0;
}
