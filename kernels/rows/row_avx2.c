/* row_avx2.c - what is there for AVX2 with FMA.
 * SPDX-License-Identifier: MIT
 *
 * 16 registers of 8 floats. One row is for cores with AVX-VNNI.
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
    .name = "avx2", .isa = MMK_ISA_AVX2, .tile = &tile_ops_avx2, .pair = &pair_ops_avx2,           \
    .query = &query_ops_avx2, .infonce = &infonce_ops_avx2, .topk = &topk_ops_avx2,                \
    .exp = &exp_ops_avx2, .search = &search_ops_avx2, .quantize = &quantize_ops_avx2,              \
    .half = &half_ops_avx2, .pair_f16 = &pair_f16_ops_avx2, .query_f16 = &query_f16_ops_avx2,      \
    .several_f16 = &query_several_f16_avx2, .several_bf16 = &query_several_bf16_avx2,              \
    .bf16 = &bf16_ops_avx2

const struct isa_row isa_row_avx2 = {TABLES, .extension = "base", .int8 = &int8_ops_avx2,
                                     .tile8 = &tile8_ops_avx2};
const struct isa_row isa_row_avx2_vnni = {TABLES,
                                          .extension = "vnni",
                                          .int8 = &int8_ops_avxvnni,
                                          .tile8 = &tile8_ops_avxvnni,
                                          .codes = &codes_ops_avxvnni,
                                          .filters = true};
