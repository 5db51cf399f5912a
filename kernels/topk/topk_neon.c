/* topk_neon.c - top-k's inner loops for AArch64 Advanced SIMD.
 * SPDX-License-Identifier: MIT
 *
 * What a profiler will see, in the order of a row (n scores, k results). Reasoned; tried for right
 * results under qemu only, not yet timed on hardware:
 *
 *   maxima    One load, fcmgt and bsl for 4 scores, two chains. fmaxnm would be one instruction,
 *             but a signalling NaN comes out of it. The only pass over all scores.
 *   count     Bisection for the threshold over the folded maxima: fcmge, sub of its mask.
 *   collect   The blocks that are left, 16 scores at a time. NEON has neither a compress nor a
 *             movemask: the compares are narrowed to four bits a score in one 64-bit register;
 *             few candidates are taken bit by bit, many by tbl with a table of 16 byte shuffles.
 *   sort      Up to 32 keys by counting for each how many are greater, else the radix sort: a
 *             register holds only 2 keys, and there is no 64-bit maximum.
 */
#include "topk.h"

#include "../simd/neon.h"
#include "order.h"

enum { LANES = 4, SORT_MAX = 32 };

/* For each mask of 4 lanes the byte shuffle that moves the set lanes to the front (255 gives 0). */
static const uint8_t topk_kept_lanes_neon[16][16] = {
    {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
    {0, 1, 2, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
    {4, 5, 6, 7, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
    {0, 1, 2, 3, 4, 5, 6, 7, 255, 255, 255, 255, 255, 255, 255, 255},
    {8, 9, 10, 11, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
    {0, 1, 2, 3, 8, 9, 10, 11, 255, 255, 255, 255, 255, 255, 255, 255},
    {4, 5, 6, 7, 8, 9, 10, 11, 255, 255, 255, 255, 255, 255, 255, 255},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255, 255, 255, 255},
    {12, 13, 14, 15, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
    {0, 1, 2, 3, 12, 13, 14, 15, 255, 255, 255, 255, 255, 255, 255, 255},
    {4, 5, 6, 7, 12, 13, 14, 15, 255, 255, 255, 255, 255, 255, 255, 255},
    {0, 1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15, 255, 255, 255, 255},
    {8, 9, 10, 11, 12, 13, 14, 15, 255, 255, 255, 255, 255, 255, 255, 255},
    {0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 255, 255, 255, 255},
    {4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255, 255, 255, 255},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
};

/* Bit l of the result is lane l of a compare. */
static inline unsigned topk_mask_neon(uint32x4_t reached)
{
    static const uint32_t bit[4] = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(reached, vld1q_u32(bit)));
}

/* ---- Thresholds ------------------------------------------------------------------------------ */

static void topk_maxima_neon(size_t n, const float *scores, size_t depth, float *maxima)
{
    const float32x4_t none = vdupq_n_f32(-INFINITY);
    size_t block = depth * LANES;
    for (; n >= block; n -= block, maxima += LANES) {
        float32x4_t a = none, b = none;
        /* simd_max4 is two instructions; fmaxnm would be one, but a signalling NaN comes out of it
         */
        for (size_t i = 0; i < depth; i += 2, scores += 2 * LANES) {
            a = simd_max4(vld1q_f32(scores), a);
            b = simd_max4(vld1q_f32(scores + LANES), b);
        }
        vst1q_f32(maxima, vmaxq_f32(a, b));
    }
    if (n > 0) {
        float32x4_t a = none;
        for (; n >= LANES; n -= LANES, scores += LANES)
            a = simd_max4(vld1q_f32(scores), a);
        float last[4] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
        for (size_t l = 0; l < n; l++)
            last[l] = scores[l];
        vst1q_f32(maxima, simd_max4(vld1q_f32(last), a));
    }
}

static void topk_range_neon(size_t n, const float *values, float *least, float *greatest)
{
    float32x4_t low = vdupq_n_f32(INFINITY), high = vdupq_n_f32(-INFINITY);
    for (; n >= LANES; n -= LANES, values += LANES) {
        float32x4_t v = vld1q_f32(values);
        low = vbslq_f32(vcltq_f32(v, low), v, low);
        high = simd_max4(v, high);
    }
    float l = vminvq_f32(low), h = simd_hmax4(high);
    for (size_t i = 0; i < n; i++) {
        l = values[i] < l ? values[i] : l;
        h = simd_max(values[i], h);
    }
    *least = l;
    *greatest = h;
}

static void topk_fold_neon(size_t n, const float *maxima, size_t depth, float *folded)
{
    for (size_t rows; n > 0; n -= rows * LANES, maxima += rows * LANES, folded += LANES) {
        rows = n / LANES < depth ? n / LANES : depth;
        float32x4_t a = vld1q_f32(maxima);
        for (size_t i = 1; i < rows; i++) {
            a = vextq_f32(a, a, 3); /* the rows before by one lane, in place of this one */
            a = vmaxq_f32(vld1q_f32(maxima + i * LANES), a);
        }
        vst1q_f32(folded, a);
    }
}

static void topk_between_neon(size_t n, const float *values, float above, float below, float *least,
                              float *greatest)
{
    const float32x4_t a = vdupq_n_f32(above), b = vdupq_n_f32(below);
    const float32x4_t most = vdupq_n_f32(INFINITY), none = vdupq_n_f32(-INFINITY);
    float32x4_t low = most, high = none;
    for (; n >= LANES; n -= LANES, values += LANES) {
        float32x4_t v = vld1q_f32(values);
        uint32x4_t in = vandq_u32(vcgtq_f32(v, a), vcltq_f32(v, b));
        low = vminq_f32(vbslq_f32(in, v, most), low);
        high = vmaxq_f32(vbslq_f32(in, v, none), high);
    }
    float l = vminvq_f32(low), h = simd_hmax4(high);
    for (size_t i = 0; i < n; i++) {
        bool in = values[i] > above && values[i] < below;
        l = in && values[i] < l ? values[i] : l;
        h = in && values[i] > h ? values[i] : h;
    }
    *least = l;
    *greatest = h;
}

static size_t topk_count_neon(size_t n, const float *values, float at_least)
{
    const float32x4_t t = vdupq_n_f32(at_least);
    uint32x4_t a = vdupq_n_u32(0), b = a; /* a true compare is -1 */
    for (; n >= 2 * LANES; n -= 2 * LANES, values += 2 * LANES) {
        a = vsubq_u32(a, vcgeq_f32(vld1q_f32(values), t));
        b = vsubq_u32(b, vcgeq_f32(vld1q_f32(values + LANES), t));
    }
    size_t count = vaddvq_u32(vaddq_u32(a, b));
    for (size_t i = 0; i < n; i++)
        count += values[i] >= at_least;
    return count;
}

static size_t topk_list_neon(size_t blocks, const float *maxima, float at_least, uint32_t *list)
{
    const float32x4_t t = vdupq_n_f32(at_least);
    size_t listed = 0;
    for (size_t b = 0; b < blocks; b++) {
        uint32_t here = vaddvq_u32(vshrq_n_u32(vcgeq_f32(vld1q_f32(maxima + b * LANES), t), 31));
        list[listed] = (uint32_t)b;
        listed += here != 0;
    }
    return listed;
}

/* ---- Candidates ------------------------------------------------------------------------------ */

/* A chunk of 16 scores with more candidates than this is compressed, else they are taken bit by
 * bit. */
enum { CHUNK = 16, FEW = 4 };

/* Moves the kept lanes to the front and stores all 4: what is behind the kept ones is overwritten
 * by the next store. */
static inline size_t topk_keep_neon(unsigned keep, float32x4_t v, uint32x4_t index, float *values,
                                    uint32_t *indices)
{
    uint8x16_t lanes = vld1q_u8(topk_kept_lanes_neon[keep]);
    vst1q_f32(values, vreinterpretq_f32_u8(vqtbl1q_u8(vreinterpretq_u8_f32(v), lanes)));
    vst1q_u32(indices, vreinterpretq_u32_u8(vqtbl1q_u8(vreinterpretq_u8_u32(index), lanes)));
    return (size_t)__builtin_popcount(keep);
}

/* Bit 4i: score i of the next min(n, 16) is a candidate. */
static inline uint64_t topk_candidates_neon(size_t n, const float *scores, float32x4_t at_least)
{
    float last[CHUNK];
    if (n < CHUNK) {
        for (size_t i = 0; i < CHUNK; i++)
            last[i] = i < n ? scores[i] : NAN;
        scores = last;
    }
    uint16x8_t low = vcombine_u16(vmovn_u32(vcgeq_f32(vld1q_f32(scores), at_least)),
                                  vmovn_u32(vcgeq_f32(vld1q_f32(scores + 4), at_least)));
    uint16x8_t high = vcombine_u16(vmovn_u32(vcgeq_f32(vld1q_f32(scores + 8), at_least)),
                                   vmovn_u32(vcgeq_f32(vld1q_f32(scores + 12), at_least)));
    uint8x16_t bytes = vcombine_u8(vmovn_u16(low), vmovn_u16(high));
    /* NEON has no movemask: shift and narrow leaves four bits of each byte */
    uint8x8_t nibbles = vshrn_n_u16(vreinterpretq_u16_u8(bytes), 4);
    return vget_lane_u64(vreinterpret_u64_u8(nibbles), 0) & 0x1111111111111111u;
}

static size_t topk_collect_neon(const struct topk_blocks *blocks, float at_least, size_t *next,
                                float *values, uint32_t *indices, size_t room)
{
    static const uint32_t iota[4] = {0, 1, 2, 3};
    const float32x4_t t = vdupq_n_f32(at_least);
    size_t block = blocks->depth * LANES;
    size_t count = 0, b = *next;
    for (; b < blocks->listed; b++) {
        size_t begin = blocks->list[b] * block;
        size_t n = blocks->n - begin < block ? blocks->n - begin : block;
        if (room - count < n)
            break;
        for (size_t end = begin + n; begin < end; begin += CHUNK) {
            const float *scores = blocks->scores + begin;
            uint32_t first = blocks->first_index + (uint32_t)begin;
            uint64_t candidates = topk_candidates_neon(end - begin, scores, t);
            if (__builtin_popcountll(candidates) <= FEW || end - begin < CHUNK) {
                for (; candidates != 0; candidates &= candidates - 1, count++) {
                    int i = __builtin_ctzll(candidates) / 4;
                    values[count] = scores[i];
                    indices[count] = first + (uint32_t)i;
                }
                continue;
            }
            uint32x4_t index = vaddq_u32(vdupq_n_u32(first), vld1q_u32(iota));
            for (int i = 0; i < CHUNK; i += LANES) {
                float32x4_t v = vld1q_f32(scores + i);
                count += topk_keep_neon(topk_mask_neon(vcgeq_f32(v, t)), v, index, values + count,
                                        indices + count);
                index = vaddq_u32(index, vdupq_n_u32(LANES));
            }
        }
    }
    *next = b;
    return count;
}

/* Whole vectors beyond n are in the buffer's padding. */
static size_t topk_compact_neon(size_t n, float *values, uint32_t *indices, float at_least)
{
    const float32x4_t t = vdupq_n_f32(at_least);
    size_t count = 0;
    for (size_t i = 0; i < n; i += LANES) {
        float32x4_t v = vld1q_f32(values + i);
        unsigned keep = topk_mask_neon(vcgeq_f32(v, t));
        if (n - i < LANES)
            keep &= (1u << (n - i)) - 1u;
        count += topk_keep_neon(keep, v, vld1q_u32(indices + i), values + count, indices + count);
    }
    return count;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static bool topk_pack_neon(size_t n, const float *values, const uint32_t *indices, uint64_t *keys)
{
    const uint32x4_t sign = vdupq_n_u32(0x80000000u);
    uint32x4_t negative_zeros = vdupq_n_u32(0);
    for (size_t i = 0; i < n; i += LANES) {
        float32x4_t v = vld1q_f32(values + i);
        if (n - i < LANES)
            v = simd_load_first(values + i, n - i);
        uint32x4_t bits = vreinterpretq_u32_f32(v);
        uint32x4_t negative = vreinterpretq_u32_s32(vshrq_n_s32(vreinterpretq_s32_u32(bits), 31));
        uint32x4_t order = veorq_u32(bits, vorrq_u32(negative, sign));
        uint32x4_t negative_zero = vceqq_u32(bits, sign);
        order = vandq_u32(vbslq_u32(negative_zero, sign, order), vceqq_f32(v, v));
        negative_zeros = vorrq_u32(negative_zeros, negative_zero);
        uint32x4x2_t pairs = {{vmvnq_u32(vld1q_u32(indices + i)), order}};
        vst2q_u32((uint32_t *)(void *)(keys + i), pairs); /* index order index order ... */
    }
    return vmaxvq_u32(negative_zeros) != 0;
}

static void topk_unpack_neon(size_t n, const uint64_t *keys, float *values, uint32_t *indices)
{
    for (size_t i = 0; i < n; i += LANES) {
        size_t first = n - i < LANES ? n - i : LANES;
        /* keys is padded: reading a whole vector of it is fine */
        uint32x4x2_t pairs = vld2q_u32((const uint32_t *)(const void *)(keys + i));
        if (values != NULL) {
            uint32x4_t order = pairs.val[1];
            uint32x4_t positive =
                vreinterpretq_u32_s32(vshrq_n_s32(vreinterpretq_s32_u32(order), 31));
            uint32x4_t flip = vorrq_u32(vmvnq_u32(positive), vdupq_n_u32(0x80000000u));
            uint32x4_t bits =
                vbslq_u32(vceqzq_u32(order), vdupq_n_u32(0x7fc00000u), veorq_u32(order, flip));
            simd_store_first(values + i, first, vreinterpretq_f32_u32(bits));
        }
        if (indices != NULL) {
            uint32x4_t index = vmvnq_u32(pairs.val[0]);
            for (size_t l = 0; l < first; l++)
                indices[i + l] = vgetq_lane_u32(index, 0), index = vextq_u32(index, index, 1);
        }
    }
}

/* ---- Sort ------------------------------------------------------------------------------------ */

/* A key's place is the number of greater keys: n compares for each vector, none of which waits for
 * another. NEON has no 64-bit maximum. */
static uint64_t *topk_sort_neon(size_t n, uint64_t *keys)
{
    uint64_t sorted[SORT_MAX];
    for (size_t i = 0; i < n; i += 4) {
        uint64x2_t a = vld1q_u64(keys + i), b = vld1q_u64(keys + i + 2);
        uint64x2_t before_a = vdupq_n_u64(0), before_b = before_a;
        for (size_t j = 0; j < n; j++) {
            uint64x2_t other = vld1q_dup_u64(keys + j);
            before_a = vsubq_u64(before_a, vcgtq_u64(other, a));
            before_b = vsubq_u64(before_b, vcgtq_u64(other, b));
        }
        uint64_t place[4];
        vst1q_u64(place, before_a);
        vst1q_u64(place + 2, before_b);
        for (size_t j = 0; j < 4 && i + j < n; j++)
            sorted[place[j]] = keys[i + j];
    }
    memcpy(keys, sorted, n * sizeof *keys);
    return keys;
}

const struct topk_ops topk_ops_neon = {
    .lanes = LANES,
    .sort_max = SORT_MAX,
    .maxima = topk_maxima_neon,
    .fold = topk_fold_neon,
    .range = topk_range_neon,
    .between = topk_between_neon,
    .count = topk_count_neon,
    .list = topk_list_neon,
    .collect = topk_collect_neon,
    .compact = topk_compact_neon,
    .pack = topk_pack_neon,
    .sort = topk_sort_neon,
    .unpack = topk_unpack_neon,
};
