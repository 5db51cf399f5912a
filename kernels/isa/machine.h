/* machine.h - what this machine is: for reports, never for a decision about a result (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_ISA_MACHINE_H
#define MMK_ISA_MACHINE_H

#include <stddef.h>

/* Strings are "unknown", sizes and counts 0, where the machine does not say. */
struct isa_machine {
    char vendor[16];      /* "AuthenticAMD" */
    char brand[64];       /* "AMD EPYC 9B45" */
    char hypervisor[64];  /* "none", or the name it gives itself: "KVMKVMKVM" */
    char extensions[112]; /* what may be used: "avx2 avx512 f16c avx512_vnni avx512_bf16" */
    unsigned family, model, stepping;
    size_t l1d_bytes, l2_bytes, l3_bytes; /* of one instance of each cache */
    size_t line_bytes;
};

void isa_describe_machine(struct isa_machine *machine);

#endif
