/* random.c - random numbers that are a function of what they are for and of an index.
 * SPDX-License-Identifier: MIT
 *
 * Normal numbers by Box and Muller: from u, v uniform, sqrt(-2 log u) times cos and sin of 2 pi v.
 */
#include "random.h"

#include "../../ref/cases.h"

#include <math.h>

uint64_t random_stream(uint64_t seed, const char *purpose)
{
    uint64_t stream = fill_hash(seed, 0);
    for (; *purpose; purpose++)
        stream = fill_hash(stream, (unsigned char)*purpose);
    return stream;
}

uint64_t random_bits(uint64_t stream, uint64_t index)
{
    return fill_hash(stream, index);
}

double random_uniform(uint64_t stream, uint64_t index)
{
    return (double)(random_bits(stream, index) >> 11) * 0x1p-53;
}

void random_normals(uint64_t stream, uint64_t first, size_t count, float *out)
{
    for (size_t i = 0; i < count; i += 2) {
        uint64_t bits = random_bits(stream, first + i);
        float u = ((float)(bits >> 40) + 1) * 0x1p-24f; /* (0, 1] */
        float angle = 6.2831853f * ((float)(bits & 0xffffff) * 0x1p-24f);
        float radius = sqrtf(-2 * logf(u));
        out[i] = radius * cosf(angle);
        if (i + 1 < count)
            out[i + 1] = radius * sinf(angle);
    }
}
