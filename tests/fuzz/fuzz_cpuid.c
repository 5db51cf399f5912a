/* fuzz_cpuid.c - any CPUID leaves: the decoded set has no instruction set without what it needs.
 * SPDX-License-Identifier: MIT
 */
#include "../../kernels/isa/decode.h"
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct isa_leaves leaves = {0};
    memcpy(&leaves, data, size < sizeof leaves ? size : sizeof leaves);
    unsigned set = isa_decode(&leaves);
    bool saves_ymm = leaves.leaf1[CPUID_ECX] >> 27 & 1 && (leaves.xcr0 & 6) == 6;
    bool saves_zmm = saves_ymm && (leaves.xcr0 & 0xe0) == 0xe0;
    if (!(set & ISA_BIT_SCALAR) || set & ISA_BIT_NEON)
        fuzz_fail("decoded %#x", set);
    if (set & ISA_BIT_AVX2 && (!saves_ymm || leaves.leaf0[CPUID_EAX] < 7))
        fuzz_fail("AVX2 with XCR0 %#llx", (unsigned long long)leaves.xcr0);
    if (set & ISA_BIT_AVX512 && (!saves_zmm || !(set & ISA_BIT_AVX2)))
        fuzz_fail("AVX-512 with XCR0 %#llx", (unsigned long long)leaves.xcr0);
    if (set & (ISA_BIT_AVX512_VNNI | ISA_BIT_AVX512_BF16 | ISA_BIT_ADD_PORTS) &&
        !(set & ISA_BIT_AVX512))
        fuzz_fail("extensions of AVX-512 without it: %#x", set);
    return 0;
}
