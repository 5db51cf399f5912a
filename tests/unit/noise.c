/* noise.c - random numbers for simulated timings.
 * SPDX-License-Identifier: MIT
 */
#include "noise.h"

#include "../../bench/base/stats.h"

#include <math.h>

double noise_uniform(uint64_t *state)
{
    return ((double)(stats_random(state) >> 11) + 0.5) * 0x1p-53;
}

double noise_normal(uint64_t *state)
{
    double radius = sqrt(-2.0 * log(noise_uniform(state)));
    return radius * cos(2.0 * acos(-1.0) * noise_uniform(state));
}
