/* variants.c - what is checked: every instruction set of this build, and the autovec baselines.
 * SPDX-License-Identifier: MIT
 */
#include "variants.h"

/* The scalar sources, compiled with an instruction set's flags (libmmk-autovec.a). */
#define AUTOVEC(ISA)                                                                               \
    extern const struct tile_ops tile_ops_autovec_##ISA;                                           \
    extern const struct cosine_ops cosine_ops_autovec_##ISA;                                       \
    extern const struct infonce_ops infonce_ops_autovec_##ISA;                                     \
    extern const struct topk_ops topk_ops_autovec_##ISA;                                           \
    extern const struct exp_ops exp_ops_autovec_##ISA;                                             \
    extern const struct search_ops search_ops_autovec_##ISA;                                       \
    static const struct isa_row row_autovec_##ISA = {"autovec-" #ISA,                              \
                                                     MMK_ISA_SCALAR,                               \
                                                     &tile_ops_autovec_##ISA,                      \
                                                     &cosine_ops_autovec_##ISA,                    \
                                                     &infonce_ops_autovec_##ISA,                   \
                                                     &topk_ops_autovec_##ISA,                      \
                                                     &exp_ops_autovec_##ISA,                       \
                                                     &search_ops_autovec_##ISA}

#if defined(__x86_64__)
AUTOVEC(avx2);
AUTOVEC(avx512);
static const struct {
    const struct isa_row *row;
    enum mmk_isa needs;
} autovec[] = {{&row_autovec_avx2, MMK_ISA_AVX2}, {&row_autovec_avx512, MMK_ISA_AVX512}};
#elif defined(__aarch64__)
AUTOVEC(neon);
static const struct {
    const struct isa_row *row;
    enum mmk_isa needs;
} autovec[] = {{&row_autovec_neon, MMK_ISA_NEON}};
#else
static const struct {
    const struct isa_row *row;
    enum mmk_isa needs;
} autovec[] = {{NULL, MMK_ISA_SCALAR}};
#endif

int variants_find(struct variant variants[VARIANT_MAX])
{
    int count = 0;
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        const struct isa_row *row = isa_builtin_row((enum mmk_isa)isa);
        if (row)
            variants[count++] =
                (struct variant){row->name, *row, mmk_isa_usable((enum mmk_isa)isa)};
    }
    for (size_t i = 0; i < sizeof autovec / sizeof autovec[0]; i++)
        if (autovec[i].row)
            variants[count++] = (struct variant){autovec[i].row->name, *autovec[i].row,
                                                 mmk_isa_usable(autovec[i].needs)};
    return count;
}
