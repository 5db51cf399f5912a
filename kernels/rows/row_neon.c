/* row_neon.c - what is there for NEON (AArch64 Advanced SIMD).
 * SPDX-License-Identifier: MIT
 *
 * 32 registers of 4 floats, no masked loads.
 */
#include "../exp/exp.h"
#include "../infonce/infonce.h"
#include "../isa/isa.h"
#include "../pair/pair.h"
#include "../query/query.h"
#include "../search/search.h"
#include "../tile/tile.h"
#include "../topk/topk.h"

const struct isa_row isa_row_neon = {
    .name = "neon",
    .isa = MMK_ISA_NEON,
    .tile = &tile_ops_neon,
    .pair = &pair_ops_neon,
    .query = &query_ops_neon,
    .infonce = &infonce_ops_neon,
    .topk = &topk_ops_neon,
    .exp = &exp_ops_neon,
    .search = &search_ops_neon,
};
