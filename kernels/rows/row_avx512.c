/* row_avx512.c - what is there for AVX-512 (F, BW, DQ, VL).
 * SPDX-License-Identifier: MIT
 *
 * 32 registers of 16 floats, masks for tails. Rows with VNNI, with BF16, with both and with
 * neither, and of each one for Intel's cores and those that are not known, one for AMD's.
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
    .name = "avx512", .isa = MMK_ISA_AVX512, .tile = &tile_ops_avx512, .pair = &pair_ops_avx512,   \
    .query = &query_ops_avx512, .infonce = &infonce_ops_avx512, .topk = &topk_ops_avx512,          \
    .exp = &exp_ops_avx512, .search = &search_ops_avx512, .quantize = &quantize_ops_avx512,        \
    .half = &half_ops_avx512, .pair_f16 = &pair_f16_ops_avx512,                                    \
    .query_f16 = &query_f16_ops_avx512, .several_f16 = &query_several_f16_avx512,                  \
    .several_bf16 = &query_several_bf16_avx512
#define WITHOUT_VNNI .int8 = &int8_ops_avx512, .tile8 = &tile8_ops_avx512
#define VNNI                                                                                       \
    .int8 = &int8_ops_avx512vnni, .tile8 = &tile8_ops_avx512vnni, .codes = &codes_ops_avx512vnni,  \
    .filters = true
#define WITHOUT_BF16 .bf16 = &bf16_ops_avx512
#define BF16         .bf16 = &bf16_ops_avx512bf16

#define BASE      TABLES, WITHOUT_VNNI, WITHOUT_BF16, .extension = "base"
#define VNNI_ONLY TABLES, VNNI, WITHOUT_BF16, .extension = "vnni"
#define BF16_ONLY TABLES, WITHOUT_VNNI, BF16, .extension = "bf16"
#define VNNI_BF16 TABLES, VNNI, BF16, .extension = "vnni+bf16"

const struct isa_row isa_row_avx512 = {BASE, .add_ports = false};
const struct isa_row isa_row_avx512_add_ports = {BASE, .add_ports = true};
const struct isa_row isa_row_avx512_vnni = {VNNI_ONLY, .add_ports = false};
const struct isa_row isa_row_avx512_vnni_add_ports = {VNNI_ONLY, .add_ports = true};
const struct isa_row isa_row_avx512_bf16 = {BF16_ONLY, .add_ports = false};
const struct isa_row isa_row_avx512_bf16_add_ports = {BF16_ONLY, .add_ports = true};
const struct isa_row isa_row_avx512_vnni_bf16 = {VNNI_BF16, .add_ports = false};
const struct isa_row isa_row_avx512_vnni_bf16_add_ports = {VNNI_BF16, .add_ports = true};
