/* adam.h - the optimiser: Adam, its cosine-decayed rate, and the norm that a gradient is clipped
 * by.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_STUDY_ADAM_H
#define MMK_STUDY_ADAM_H

#include <stddef.h>

struct adam {
    size_t count, step;
    float *first, *second; /* the moments */
};

void adam_open(struct adam *adam, size_t count);
void adam_close(struct adam *adam);

/* One step: parameters move against scale times gradient. */
void adam_step(struct adam *adam, float *parameters, const float *gradient, float scale,
               float rate);

/* peak (1 + cos(pi step / steps)) / 2 */
float adam_rate(float peak, size_t step, size_t steps);

/* sum of squares, for the norm of the gradient over several arrays. */
double sum_of_squares(size_t count, const float *v);

#endif
