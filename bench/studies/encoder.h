/* encoder.h - a multi-layer perceptron: forward, backward, and the memory of both.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_STUDY_ENCODER_H
#define MMK_STUDY_ENCODER_H

#include <stddef.h>
#include <stdint.h>

enum { ENCODER_MOST_LAYERS = 4 };

struct encoder {
    size_t layers, width[ENCODER_MOST_LAYERS + 1]; /* width[0]: of the input */
    size_t rows;                                   /* the most that are encoded at a time */
    float slope;                                   /* of the activation below 0 */
    size_t count;                                  /* of parameters: weights and bias by layer */
    float *parameters, *gradient;
    float *activation[ENCODER_MOST_LAYERS + 1]; /* rows x width; [0] is the input */
    float *delta, *next_delta;                  /* gradient of a layer's pre-activation */
    float *turned, *turned_delta;               /* transposed operands */
    double *sum;                                /* over a batch, of one layer's weights */
    double product_seconds;                     /* in matrix products, so far */
};

/* layers + 1 widths. Weights are drawn from N(0, 2 / fan-in) (He et al. 2015), biases are 0. */
void encoder_open(struct encoder *e, size_t layers, const size_t *width, float slope, size_t rows,
                  uint64_t stream);
void encoder_close(struct encoder *e);

/* Encodes the first `rows` rows of activation[0]; returns activation[layers]. */
const float *encoder_forward(struct encoder *e, size_t rows);

/* After encoder_forward: gradient, from that of the loss with respect to the output. */
void encoder_backward(struct encoder *e, size_t rows, const float *d_output);

/* The whole of `inputs`, of any length, chunk by chunk. */
void encoder_encode(struct encoder *e, size_t count, const float *inputs, float *outputs);

#endif
