/* variants.h - who can run a kernel: the oracle, the instruction sets, the compiler's
 * vectorisation. SPDX-License-Identifier: MIT
 */
#ifndef MMK_BENCH_VARIANTS_H
#define MMK_BENCH_VARIANTS_H

#include "../kernels/isa/isa.h"
#include "../ref/case.h"

struct variant {
    const char *name;
    const char *isa;           /* whose FMA rate bounds it; "" for the oracle */
    const char *baseline;      /* what its speed-up is against: the compiler's version of its ISA */
    const struct isa_row *row; /* NULL: the oracle */
};

/* The variants that this machine can run, in the order of the tables. */
size_t variants_list(const struct variant **variants);

/* Makes the variant the one that the public functions run. */
void variant_select(const struct variant *variant);

/* One call of the kernel as the selected variant: through the dispatch pointer, or of the oracle.
 */
enum mmk_status variant_call(const struct variant *variant, struct trial *trial);

#endif
