/* decode.c - from raw CPUID leaves and XCR0 to the instruction sets that may be used.
 * SPDX-License-Identifier: MIT
 */
#include "decode.h"

#include <stdbool.h>
#include <string.h>

enum {
    LEAF1_ECX_FMA = 12,
    LEAF1_ECX_OSXSAVE = 27,
    LEAF1_ECX_AVX = 28,
    LEAF1_ECX_F16C = 29,
    LEAF7_EBX_AVX2 = 5,
    LEAF7_EBX_AVX512F = 16,
    LEAF7_EBX_AVX512DQ = 17,
    LEAF7_EBX_AVX512BW = 30,
    LEAF7_EBX_AVX512VL = 31,
    LEAF7_ECX_AVX512_VNNI = 11,
    LEAF7_1_EAX_AVX_VNNI = 4,
    LEAF7_1_EAX_AVX512_BF16 = 5
};

/* What the system must save on a context switch: 2 xmm, 4 ymm, 0xe0 the three AVX-512 states. */
#define XCR0_YMM 0x06u
#define XCR0_ZMM 0xe6u

static bool bit(uint32_t word, unsigned index)
{
    return word >> index & 1;
}

static bool is_amd(const struct isa_leaves *leaves)
{
    const uint32_t name[3] = {leaves->leaf0[CPUID_EBX], leaves->leaf0[CPUID_EDX],
                              leaves->leaf0[CPUID_ECX]};
    return memcmp(name, "AuthenticAMD", sizeof name) == 0;
}

unsigned isa_decode(const struct isa_leaves *leaves)
{
    unsigned set = ISA_BIT_SCALAR;
    if (leaves->leaf0[CPUID_EAX] < 1)
        return set;
    uint32_t ecx1 = leaves->leaf1[CPUID_ECX];
    if (!bit(ecx1, LEAF1_ECX_OSXSAVE) || (leaves->xcr0 & XCR0_YMM) != XCR0_YMM ||
        !bit(ecx1, LEAF1_ECX_AVX))
        return set;
    if (bit(ecx1, LEAF1_ECX_F16C))
        set |= ISA_BIT_F16C;

    if (leaves->leaf0[CPUID_EAX] < 7)
        return set;
    uint32_t ebx7 = leaves->leaf7_0[CPUID_EBX], ecx7 = leaves->leaf7_0[CPUID_ECX];
    uint32_t eax71 = leaves->leaf7_0[CPUID_EAX] >= 1 ? leaves->leaf7_1[CPUID_EAX] : 0;
    if (!bit(ebx7, LEAF7_EBX_AVX2) || !bit(ecx1, LEAF1_ECX_FMA) || !bit(ecx1, LEAF1_ECX_F16C))
        return set; /* a CPU with AVX2 has the others, unless they were taken from a guest */
    set |= ISA_BIT_AVX2;
    if (bit(eax71, LEAF7_1_EAX_AVX_VNNI))
        set |= ISA_BIT_AVX_VNNI;

    if ((leaves->xcr0 & XCR0_ZMM) != XCR0_ZMM || !bit(ebx7, LEAF7_EBX_AVX512F) ||
        !bit(ebx7, LEAF7_EBX_AVX512BW) || !bit(ebx7, LEAF7_EBX_AVX512DQ) ||
        !bit(ebx7, LEAF7_EBX_AVX512VL))
        return set;
    set |= ISA_BIT_AVX512;
    if (is_amd(leaves))
        set |= ISA_BIT_ADD_PORTS;
    if (bit(ecx7, LEAF7_ECX_AVX512_VNNI))
        set |= ISA_BIT_AVX512_VNNI;
    if (bit(eax71, LEAF7_1_EAX_AVX512_BF16))
        set |= ISA_BIT_AVX512_BF16;
    return set;
}
