/* noise.h - random numbers for simulated timings.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_TESTS_NOISE_H
#define MMK_TESTS_NOISE_H

#include <stdint.h>

double noise_uniform(uint64_t *state); /* in (0, 1) */
double noise_normal(uint64_t *state);  /* of mean 0 and variance 1 */

#endif
