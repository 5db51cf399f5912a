/* row_avx512.c - what is there for AVX-512 (F, BW, DQ, VL).
 * SPDX-License-Identifier: MIT
 *
 * 32 registers of 16 floats, masks for tails. One row is for Intel's cores and those that are not
 * known, one for AMD's.
 */
#include "../exp/exp.h"
#include "../infonce/infonce.h"
#include "../isa/isa.h"
#include "../pair/pair.h"
#include "../query/query.h"
#include "../search/search.h"
#include "../tile/tile.h"
#include "../topk/topk.h"

#define TABLES                                                                                     \
    .name = "avx512", .isa = MMK_ISA_AVX512, .tile = &tile_ops_avx512, .pair = &pair_ops_avx512,   \
    .query = &query_ops_avx512, .infonce = &infonce_ops_avx512, .topk = &topk_ops_avx512,          \
    .exp = &exp_ops_avx512, .search = &search_ops_avx512

const struct isa_row isa_row_avx512 = {TABLES, .add_ports = false};
const struct isa_row isa_row_avx512_add_ports = {TABLES, .add_ports = true};
