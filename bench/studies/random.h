/* random.h - random numbers that are a function of what they are for and of an index.
 * SPDX-License-Identifier: MIT
 *
 * There is no state: number `index` of a stream is always the same one, in whatever order and on
 * however many threads the numbers are asked for.
 */
#ifndef MMK_STUDY_RANDOM_H
#define MMK_STUDY_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* A stream of its own for each seed and purpose ("noise"). */
uint64_t random_stream(uint64_t seed, const char *purpose);

/* Number `index`: all of its bits, or uniform in [0, 1). */
uint64_t random_bits(uint64_t stream, uint64_t index);
double random_uniform(uint64_t stream, uint64_t index);

/* Numbers first .. first + count - 1 of N(0, 1); first is even. */
void random_normals(uint64_t stream, uint64_t first, size_t count, float *out);

#endif
