/* row_avx512.c - what is there for AVX-512 (F, BW, DQ, VL).
 * SPDX-License-Identifier: MIT
 *
 * 32 registers of 16 floats, masks for tails. For cores with VNNI, and for those without, one row
 * is for Intel's and those that are not known, one for AMD's.
 */
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
    .name = "avx512", .isa = MMK_ISA_AVX512, .tile = &tile_ops_avx512, .pair = &pair_ops_avx512,   \
    .query = &query_ops_avx512, .infonce = &infonce_ops_avx512, .topk = &topk_ops_avx512,          \
    .exp = &exp_ops_avx512, .search = &search_ops_avx512, .quantize = &quantize_ops_avx512,        \
    .half = &half_ops_avx512, .pair_f16 = &pair_f16_ops_avx512, .query_f16 = &query_f16_ops_avx512
#define BASE TABLES, .extension = "base", .int8 = &int8_ops_avx512, .tile8 = &tile8_ops_avx512
#define VNNI                                                                                       \
    TABLES, .extension = "vnni", .int8 = &int8_ops_avx512vnni, .tile8 = &tile8_ops_avx512vnni,     \
            .codes = &codes_ops_avx512vnni, .filters = true

const struct isa_row isa_row_avx512 = {BASE, .add_ports = false};
const struct isa_row isa_row_avx512_add_ports = {BASE, .add_ports = true};
const struct isa_row isa_row_avx512_vnni = {VNNI, .add_ports = false};
const struct isa_row isa_row_avx512_vnni_add_ports = {VNNI, .add_ports = true};
