/* variants.c - what is checked: every instruction set of this build, and the autovec baselines.
 * SPDX-License-Identifier: MIT
 */
#include "variants.h"

#include "../../kernels/rows/autovec.h"

int variants_find(struct variant variants[VARIANT_MAX])
{
    int count = 0;
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        const struct isa_row *row = isa_builtin_row((enum mmk_isa)isa);
        if (row)
            variants[count++] =
                (struct variant){row->name, *row, mmk_isa_usable((enum mmk_isa)isa)};
    }
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        struct isa_row row;
        if (autovec_row((enum mmk_isa)isa, &row))
            variants[count++] = (struct variant){row.name, row, mmk_isa_usable((enum mmk_isa)isa)};
    }
    return count;
}
