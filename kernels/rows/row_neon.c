/* row_neon.c - what is there for NEON (AArch64 Advanced SIMD).
 * SPDX-License-Identifier: MIT
 *
 * 32 registers of 4 floats, no masked loads. One row is for cores with dot products of bytes.
 */
#include "../bf16/bf16.h"
#include "../codes/codes.h"
#include "../exp/exp.h"
#include "../half/half.h"
#include "../infonce/infonce.h"
#include "../int8/int8.h"
#include "../int8/quantize.h"
#include "../isa/isa.h"
#include "../pair/pair.h"
#include "../query/query.h"
#include "../search/search.h"
#include "../tile/tile.h"
#include "../tile8/tile8.h"
#include "../topk/topk.h"

#define TABLES                                                                                     \
    .name = "neon", .isa = MMK_ISA_NEON, .tile = &tile_ops_neon, .pair = &pair_ops_neon,           \
    .query = &query_ops_neon, .infonce = &infonce_ops_neon, .topk = &topk_ops_neon,                \
    .exp = &exp_ops_neon, .search = &search_ops_neon, .quantize = &quantize_ops_neon,              \
    .half = &half_ops_neon, .pair_f16 = &pair_f16_ops_neon, .query_f16 = &query_f16_ops_neon,      \
    .several_f16 = &query_several_f16_neon, .several_bf16 = &query_several_bf16_neon,              \
    .bf16 = &bf16_ops_neon

const struct isa_row isa_row_neon = {TABLES, .extension = "base", .int8 = &int8_ops_neon,
                                     .tile8 = &tile8_ops_neon};
const struct isa_row isa_row_neon_dotprod = {TABLES,
                                             .extension = "dotprod",
                                             .int8 = &int8_ops_neondotprod,
                                             .tile8 = &tile8_ops_neondotprod,
                                             .codes = &codes_ops_neondotprod,
                                             .filters = true};
