/* row_scalar.c - what is there in portable C.
 * SPDX-License-Identifier: MIT
 *
 * The definition of the bits, and what every machine can run. The same sources compiled for a wide
 * instruction set are the autovec rows (autovec.h).
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

const struct isa_row isa_row_scalar = {
    .name = "scalar",
    .isa = MMK_ISA_SCALAR,
    .tile = &tile_ops_scalar,
    .pair = &pair_ops_scalar,
    .query = &query_ops_scalar,
    .pair_f16 = &pair_f16_ops_scalar,
    .query_f16 = &query_f16_ops_scalar,
    .several_f16 = &query_several_f16_scalar,
    .several_bf16 = &query_several_bf16_scalar,
    .infonce = &infonce_ops_scalar,
    .topk = &topk_ops_scalar,
    .exp = &exp_ops_scalar,
    .search = &search_ops_scalar,
    .int8 = &int8_ops_scalar,
    .tile8 = &tile8_ops_scalar,
    .quantize = &quantize_ops_scalar,
    .half = &half_ops_scalar,
    .bf16 = &bf16_ops_scalar,
    .codes = &codes_ops_scalar,
    .extension = "base",
};
