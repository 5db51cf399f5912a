/* decode.h - from raw CPUID leaves and XCR0 to the instruction sets that may be used (internal).
 * SPDX-License-Identifier: MIT
 *
 * A pure function, so that CPUs nobody here owns can be tested from recorded leaves. libcpuid's own
 * feature flags are not used: 0.6.2 decodes AVX-512 for Intel alone and shows none on an AMD Zen 5.
 */
#ifndef MMK_ISA_DECODE_H
#define MMK_ISA_DECODE_H

#include "../mmk.h"

/* Registers of a leaf in CPUID's order. */
enum { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

struct isa_leaves {
    uint32_t leaf0[4];   /* EAX: highest basic leaf; a higher one returns another leaf's bits */
    uint32_t leaf1[4];   /* AVX, FMA, F16C, OSXSAVE */
    uint32_t leaf7_0[4]; /* AVX2, AVX-512; EAX: highest subleaf */
    uint32_t leaf7_1[4]; /* AVX_VNNI, AVX512_BF16 */
    uint64_t xcr0;       /* registers the system saves; looked at only where OSXSAVE is set */
};

/* Bits of the decoded set: 1 << enum mmk_isa for an instruction set that may be used, and from bit
 * 16 on extensions that no kernel needs yet but that a report should name. */
enum {
    ISA_BIT_SCALAR = 1 << MMK_ISA_SCALAR,
    ISA_BIT_AVX2 = 1 << MMK_ISA_AVX2,
    ISA_BIT_AVX512 = 1 << MMK_ISA_AVX512,
    ISA_BIT_NEON = 1 << MMK_ISA_NEON,
    ISA_BIT_F16C = 1 << 16,
    ISA_BIT_AVX_VNNI = 1 << 17,
    ISA_BIT_AVX512_VNNI = 1 << 18,
    ISA_BIT_AVX512_BF16 = 1 << 19,
    /* Not an extension, but what a row may differ in: 512 bits are added, compared and shifted on
     * ports beside those of FMAs. AMD's cores have such ports, Intel's have not. */
    ISA_BIT_ADD_PORTS = 1 << 20,
    ISA_BIT_DOTPROD = 1 << 21, /* of NEON */
    /* Not from CPUID: AVX512-BF16 is there, and its vdpbf16ps does something else than dpbf16.h
     * says. No row has it then. */
    ISA_BIT_BF16_OTHERWISE = 1 << 22
};

unsigned isa_decode(const struct isa_leaves *leaves);

/* Reads this machine's leaves (x86) through libcpuid; XCR0 only after the OSXSAVE bit, for xgetbv
 * faults without it. */
#if defined(__x86_64__)
void isa_read_leaves(struct isa_leaves *leaves);
#endif

/* The decoded set of this machine, found once. */
unsigned isa_machine_set(void);

#endif
