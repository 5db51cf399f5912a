/* variants.h - what is checked: every instruction set of this build, and the autovec baselines.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_VARIANTS_H
#define MMK_VARIANTS_H

#include "../../kernels/isa/isa.h"

struct variant {
    const char *name; /* "avx512", "autovec-avx512" */
    struct isa_row row;
    enum mmk_status usable; /* MMK_OK, or why this machine cannot run it */
};

enum { VARIANT_MAX = 2 * MMK_ISA_COUNT }; /* of each its own, and the autovec baseline */

/* Fills in the variants of this build, scalar first, and returns their number. */
int variants_find(struct variant variants[VARIANT_MAX]);

#endif
