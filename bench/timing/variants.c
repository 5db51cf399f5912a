/* variants.c - who can run a kernel.
 * SPDX-License-Identifier: MIT
 *
 * autovec is the scalar source compiled with the flags of a wide instruction set: what the compiler
 * makes of it, and so the honest baseline of the hand-written version. A row of its tables is put
 * in place of the library's own.
 */
#include "variants.h"

#include "../../kernels/cosine/cosine.h"
#include "../../kernels/exp/exp.h"
#include "../../kernels/infonce/infonce.h"
#include "../../kernels/search/search.h"
#include "../../kernels/tile/tile.h"
#include "../../kernels/topk/topk.h"

#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
extern const struct tile_ops tile_ops_autovec_avx2, tile_ops_autovec_avx512;
extern const struct cosine_ops cosine_ops_autovec_avx2, cosine_ops_autovec_avx512;
extern const struct infonce_ops infonce_ops_autovec_avx2, infonce_ops_autovec_avx512;
extern const struct topk_ops topk_ops_autovec_avx2, topk_ops_autovec_avx512;
extern const struct exp_ops exp_ops_autovec_avx2, exp_ops_autovec_avx512;
extern const struct search_ops search_ops_autovec_avx2, search_ops_autovec_avx512;

static const struct isa_row autovec_avx2 = {"autovec-avx2",
                                            MMK_ISA_AVX2,
                                            &tile_ops_autovec_avx2,
                                            &cosine_ops_autovec_avx2,
                                            &infonce_ops_autovec_avx2,
                                            &topk_ops_autovec_avx2,
                                            &exp_ops_autovec_avx2,
                                            &search_ops_autovec_avx2};
static const struct isa_row autovec_avx512 = {"autovec-avx512",
                                              MMK_ISA_AVX512,
                                              &tile_ops_autovec_avx512,
                                              &cosine_ops_autovec_avx512,
                                              &infonce_ops_autovec_avx512,
                                              &topk_ops_autovec_avx512,
                                              &exp_ops_autovec_avx512,
                                              &search_ops_autovec_avx512};
#elif defined(__aarch64__)
extern const struct tile_ops tile_ops_autovec_neon;
extern const struct cosine_ops cosine_ops_autovec_neon;
extern const struct infonce_ops infonce_ops_autovec_neon;
extern const struct topk_ops topk_ops_autovec_neon;
extern const struct exp_ops exp_ops_autovec_neon;
extern const struct search_ops search_ops_autovec_neon;

static const struct isa_row autovec_neon = {"autovec-neon",
                                            MMK_ISA_NEON,
                                            &tile_ops_autovec_neon,
                                            &cosine_ops_autovec_neon,
                                            &infonce_ops_autovec_neon,
                                            &topk_ops_autovec_neon,
                                            &exp_ops_autovec_neon,
                                            &search_ops_autovec_neon};
#endif

static struct variant list[2 * MMK_ISA_COUNT + 1];
static size_t list_count;

static const struct isa_row *autovec_row(enum mmk_isa isa)
{
#if defined(__x86_64__)
    if (isa == MMK_ISA_AVX2)
        return &autovec_avx2;
    if (isa == MMK_ISA_AVX512)
        return &autovec_avx512;
#elif defined(__aarch64__)
    if (isa == MMK_ISA_NEON)
        return &autovec_neon;
#endif
    (void)isa;
    return NULL;
}

static void add(const char *name, const char *isa, const char *baseline, const struct isa_row *row)
{
    list[list_count++] = (struct variant){name, isa, baseline, row, NULL};
}

static void fill_list(void)
{
    const struct isa_row *autovec[MMK_ISA_COUNT] = {NULL};
    const char *widest = "";
    for (int i = 1; i < MMK_ISA_COUNT; i++) {
        if (mmk_isa_usable((enum mmk_isa)i) == MMK_OK)
            autovec[i] = autovec_row((enum mmk_isa)i);
        if (autovec[i])
            widest = autovec[i]->name;
    }
    add("ref", "", widest, NULL);
    add("scalar", "scalar", widest, isa_builtin_row(MMK_ISA_SCALAR));
    for (int i = 1; i < MMK_ISA_COUNT; i++)
        if (autovec[i])
            add(autovec[i]->name, mmk_isa_name((enum mmk_isa)i), "", autovec[i]);
    for (int i = 1; i < MMK_ISA_COUNT; i++) {
        const struct isa_row *row = isa_builtin_row((enum mmk_isa)i);
        if (row && mmk_isa_usable((enum mmk_isa)i) == MMK_OK)
            add(row->name, row->name, autovec[i] ? autovec[i]->name : "", row);
    }
}

size_t variants_list(const struct variant **variants)
{
    if (list_count == 0)
        fill_list();
    *variants = list;
    return list_count;
}

bool variant_is_oracle(const struct variant *variant)
{
    return !variant->row && !variant->peer;
}

bool variant_is_hand_written(const struct variant *variant)
{
    return variant->row && variant->row->isa != MMK_ISA_SCALAR &&
           strcmp(variant->name, variant->isa) == 0;
}

/* A peer has the whole machine: the peak of the widest instruction set bounds it. */
struct variant variant_of_peer(struct peer *peer)
{
    const struct variant *ours;
    size_t count = variants_list(&ours);
    return (struct variant){peer->name, ours[count - 1].isa, "", NULL, peer};
}

void variant_select(const struct variant *variant)
{
    if (variant->row)
        isa_use_row(variant->row);
}

bool variant_prepare(const struct variant *variant, struct trial *trial, char *error,
                     size_t error_bytes)
{
    if (variant->peer)
        return variant->peer->prepare(variant->peer, trial, error, error_bytes);
    const struct kernel *kernel = trial->kernel;
    if (!variant->row || !kernel->prepare)
        return true;
    kernel->release(trial);
    enum mmk_status status = kernel->prepare(trial);
    if (status != MMK_OK)
        snprintf(error, error_bytes, "%s", mmk_status_string(status));
    return status == MMK_OK;
}

enum mmk_status variant_call(const struct variant *variant, struct trial *trial)
{
    if (variant->peer)
        return variant->peer->call(variant->peer, trial);
    if (variant->row)
        return trial->kernel->call(trial);
    trial->kernel->oracle(trial);
    return MMK_OK;
}
