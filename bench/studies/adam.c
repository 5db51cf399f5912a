/* adam.c - the optimiser: Adam, its cosine-decayed rate, and the norm that a gradient is clipped
 * by.
 * SPDX-License-Identifier: MIT
 *
 * With g the gradient of step t = 1, 2, ...
 *     m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2,
 *     parameter -= rate  m / (1 - b1^t)  /  (sqrt(v / (1 - b2^t)) + epsilon)
 * (Kingma and Ba 2015; no weight decay).
 */
#include "adam.h"

#include "product.h"

#include <math.h>
#include <stdlib.h>

static const float b1 = 0.9f, b2 = 0.999f, epsilon = 1e-8f;

enum { LANES = 16 }; /* partial sums, so that the compiler may add several at a time */

void adam_open(struct adam *adam, size_t count)
{
    *adam = (struct adam){.count = count, .first = floats(count), .second = floats(count)};
}

void adam_close(struct adam *adam)
{
    free(adam->first);
    free(adam->second);
}

void adam_step(struct adam *adam, float *parameters, const float *gradient, float scale, float rate)
{
    double t = (double)++adam->step;
    float step_size = rate / (float)(1 - pow((double)b1, t));
    float unbias = 1 / (float)(1 - pow((double)b2, t));
    float *m = adam->first, *v = adam->second;
    for (size_t i = 0; i < adam->count; i++) {
        float g = scale * gradient[i];
        m[i] = b1 * m[i] + (1 - b1) * g;
        v[i] = b2 * v[i] + (1 - b2) * (g * g);
        parameters[i] -= step_size * m[i] / (sqrtf(v[i] * unbias) + epsilon);
    }
}

float adam_rate(float peak, size_t step, size_t steps)
{
    double part = (double)step / (double)steps;
    return peak * (float)(0.5 * (1 + cos(3.14159265358979323846 * part)));
}

double sum_of_squares(size_t count, const float *v)
{
    double lane[LANES] = {0}, sum = 0;
    for (size_t i = 0; i < count; i++)
        lane[i % LANES] += (double)v[i] * (double)v[i];
    for (size_t l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}
