/* simd_blocks.c - which of the tables of building blocks this machine can run.
 * SPDX-License-Identifier: MIT
 */
#include "simd_blocks.h"

size_t simd_blocks_usable(const struct simd_blocks *usable[MMK_ISA_COUNT])
{
    static const struct simd_blocks *const built[] = {
        &simd_blocks_scalar,
#if defined(__x86_64__)
        &simd_blocks_avx2,
        &simd_blocks_avx512,
#elif defined(__aarch64__)
        &simd_blocks_neon,
#endif
    };
    size_t count = 0;
    for (size_t i = 0; i < sizeof built / sizeof built[0]; i++)
        if (mmk_isa_usable(built[i]->isa) == MMK_OK)
            usable[count++] = built[i];
    return count;
}
