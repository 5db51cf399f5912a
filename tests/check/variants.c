/* variants.c - what is checked: every instruction set of this build, and the autovec baselines; of
 * another library those instruction sets that it offers.
 * SPDX-License-Identifier: MIT
 */
#include "variants.h"

#include "../../kernels/rows/autovec.h"

#include <string.h>

int variants_find(struct variant variants[VARIANT_MAX])
{
    int count = 0;
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        const struct isa_row *row = isa_builtin_row((enum mmk_isa)isa);
        if (row)
            variants[count++] =
                (struct variant){row->name, *row, false, false, mmk_isa_usable((enum mmk_isa)isa)};
    }
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        struct isa_row row;
        if (autovec_row((enum mmk_isa)isa, &row))
            variants[count++] =
                (struct variant){row.name, row, false, false, mmk_isa_usable((enum mmk_isa)isa)};
    }
    return count;
}

int variants_find_theirs(struct variant variants[VARIANT_MAX])
{
    int count = 0;
    for (int isa = 0; count < VARIANT_MAX; isa++) {
        const char *name = mmk_isa_name((enum mmk_isa)isa);
        if (!name)
            break;
        enum mmk_status usable = mmk_isa_usable((enum mmk_isa)isa);
        bool elsewhere = isa < MMK_ISA_COUNT && !isa_builtin_row((enum mmk_isa)isa);
        if (usable == MMK_OK || !elsewhere)
            variants[count++] = (struct variant){.name = name, .theirs = true, .usable = usable};
    }
    return count;
}

bool variants_add_named(struct variant variants[VARIANT_MAX], int *count, const char *name)
{
    enum mmk_status status;
    const struct isa_row *row = isa_named_row("--isa", name, &status);
    bool known = row || status == MMK_ERR_ISA_UNUSABLE;
    if (!strchr(name, ':') || !known || *count == VARIANT_MAX)
        return false;
    variants[(*count)++] = (struct variant){
        .name = name, .row = row ? *row : isa_row_scalar, .named = true, .usable = status};
    return true;
}

enum mmk_status variant_use(const struct variant *variant, bool other, bool plain,
                            struct isa_row *row)
{
    if (variant->theirs)
        return mmk_isa_use(variant->name);
    *row = variant->row;
    row->add_ports ^= other;
    if (!variant->named && row->codes)
        row->filters ^= other;
    /* An autovec row has a name of its own. */
    const struct isa_row *base = isa_suited_row(row->isa, 0);
    if (!variant->named && plain && strcmp(base->name, row->name) == 0) {
        row->int8 = base->int8;
        row->tile8 = base->tile8;
        row->bf16 = base->bf16;
    }
    isa_use_row(row);
    return MMK_OK;
}
