/* topk_avx2.c - top-k's inner loops for AVX2.
 * SPDX-License-Identifier: MIT
 */
#include "topk.h"

#include "../simd/avx2.h"
#include "order.h"

enum { LANES = 8, SORT_MAX = 64 };

/* For each mask of 8 lanes the numbers of the lanes that are set, lowest first, a byte each. */
static const uint64_t topk_kept_lanes_avx2[256] = {
    0x0000000000000000, 0x0000000000000000, 0x0000000000000001, 0x0000000000000100,
    0x0000000000000002, 0x0000000000000200, 0x0000000000000201, 0x0000000000020100,
    0x0000000000000003, 0x0000000000000300, 0x0000000000000301, 0x0000000000030100,
    0x0000000000000302, 0x0000000000030200, 0x0000000000030201, 0x0000000003020100,
    0x0000000000000004, 0x0000000000000400, 0x0000000000000401, 0x0000000000040100,
    0x0000000000000402, 0x0000000000040200, 0x0000000000040201, 0x0000000004020100,
    0x0000000000000403, 0x0000000000040300, 0x0000000000040301, 0x0000000004030100,
    0x0000000000040302, 0x0000000004030200, 0x0000000004030201, 0x0000000403020100,
    0x0000000000000005, 0x0000000000000500, 0x0000000000000501, 0x0000000000050100,
    0x0000000000000502, 0x0000000000050200, 0x0000000000050201, 0x0000000005020100,
    0x0000000000000503, 0x0000000000050300, 0x0000000000050301, 0x0000000005030100,
    0x0000000000050302, 0x0000000005030200, 0x0000000005030201, 0x0000000503020100,
    0x0000000000000504, 0x0000000000050400, 0x0000000000050401, 0x0000000005040100,
    0x0000000000050402, 0x0000000005040200, 0x0000000005040201, 0x0000000504020100,
    0x0000000000050403, 0x0000000005040300, 0x0000000005040301, 0x0000000504030100,
    0x0000000005040302, 0x0000000504030200, 0x0000000504030201, 0x0000050403020100,
    0x0000000000000006, 0x0000000000000600, 0x0000000000000601, 0x0000000000060100,
    0x0000000000000602, 0x0000000000060200, 0x0000000000060201, 0x0000000006020100,
    0x0000000000000603, 0x0000000000060300, 0x0000000000060301, 0x0000000006030100,
    0x0000000000060302, 0x0000000006030200, 0x0000000006030201, 0x0000000603020100,
    0x0000000000000604, 0x0000000000060400, 0x0000000000060401, 0x0000000006040100,
    0x0000000000060402, 0x0000000006040200, 0x0000000006040201, 0x0000000604020100,
    0x0000000000060403, 0x0000000006040300, 0x0000000006040301, 0x0000000604030100,
    0x0000000006040302, 0x0000000604030200, 0x0000000604030201, 0x0000060403020100,
    0x0000000000000605, 0x0000000000060500, 0x0000000000060501, 0x0000000006050100,
    0x0000000000060502, 0x0000000006050200, 0x0000000006050201, 0x0000000605020100,
    0x0000000000060503, 0x0000000006050300, 0x0000000006050301, 0x0000000605030100,
    0x0000000006050302, 0x0000000605030200, 0x0000000605030201, 0x0000060503020100,
    0x0000000000060504, 0x0000000006050400, 0x0000000006050401, 0x0000000605040100,
    0x0000000006050402, 0x0000000605040200, 0x0000000605040201, 0x0000060504020100,
    0x0000000006050403, 0x0000000605040300, 0x0000000605040301, 0x0000060504030100,
    0x0000000605040302, 0x0000060504030200, 0x0000060504030201, 0x0006050403020100,
    0x0000000000000007, 0x0000000000000700, 0x0000000000000701, 0x0000000000070100,
    0x0000000000000702, 0x0000000000070200, 0x0000000000070201, 0x0000000007020100,
    0x0000000000000703, 0x0000000000070300, 0x0000000000070301, 0x0000000007030100,
    0x0000000000070302, 0x0000000007030200, 0x0000000007030201, 0x0000000703020100,
    0x0000000000000704, 0x0000000000070400, 0x0000000000070401, 0x0000000007040100,
    0x0000000000070402, 0x0000000007040200, 0x0000000007040201, 0x0000000704020100,
    0x0000000000070403, 0x0000000007040300, 0x0000000007040301, 0x0000000704030100,
    0x0000000007040302, 0x0000000704030200, 0x0000000704030201, 0x0000070403020100,
    0x0000000000000705, 0x0000000000070500, 0x0000000000070501, 0x0000000007050100,
    0x0000000000070502, 0x0000000007050200, 0x0000000007050201, 0x0000000705020100,
    0x0000000000070503, 0x0000000007050300, 0x0000000007050301, 0x0000000705030100,
    0x0000000007050302, 0x0000000705030200, 0x0000000705030201, 0x0000070503020100,
    0x0000000000070504, 0x0000000007050400, 0x0000000007050401, 0x0000000705040100,
    0x0000000007050402, 0x0000000705040200, 0x0000000705040201, 0x0000070504020100,
    0x0000000007050403, 0x0000000705040300, 0x0000000705040301, 0x0000070504030100,
    0x0000000705040302, 0x0000070504030200, 0x0000070504030201, 0x0007050403020100,
    0x0000000000000706, 0x0000000000070600, 0x0000000000070601, 0x0000000007060100,
    0x0000000000070602, 0x0000000007060200, 0x0000000007060201, 0x0000000706020100,
    0x0000000000070603, 0x0000000007060300, 0x0000000007060301, 0x0000000706030100,
    0x0000000007060302, 0x0000000706030200, 0x0000000706030201, 0x0000070603020100,
    0x0000000000070604, 0x0000000007060400, 0x0000000007060401, 0x0000000706040100,
    0x0000000007060402, 0x0000000706040200, 0x0000000706040201, 0x0000070604020100,
    0x0000000007060403, 0x0000000706040300, 0x0000000706040301, 0x0000070604030100,
    0x0000000706040302, 0x0000070604030200, 0x0000070604030201, 0x0007060403020100,
    0x0000000000070605, 0x0000000007060500, 0x0000000007060501, 0x0000000706050100,
    0x0000000007060502, 0x0000000706050200, 0x0000000706050201, 0x0000070605020100,
    0x0000000007060503, 0x0000000706050300, 0x0000000706050301, 0x0000070605030100,
    0x0000000706050302, 0x0000070605030200, 0x0000070605030201, 0x0007060503020100,
    0x0000000007060504, 0x0000000706050400, 0x0000000706050401, 0x0000070605040100,
    0x0000000706050402, 0x0000070605040200, 0x0000070605040201, 0x0007060504020100,
    0x0000000706050403, 0x0000070605040300, 0x0000070605040301, 0x0007060504030100,
    0x0000070605040302, 0x0007060504030200, 0x0007060504030201, 0x0706050403020100,
};

static inline unsigned topk_reached_avx2(__m256 v, __m256 at_least)
{
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(v, at_least, _CMP_GE_OQ));
}

static inline __m256i topk_iota_avx2(void)
{
    return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
}

/* ---- Thresholds ------------------------------------------------------------------------------ */

static void topk_maxima_avx2(size_t n, const float *scores, size_t depth, float *maxima)
{
    const __m256 none = _mm256_set1_ps(-INFINITY);
    size_t block = depth * LANES;
    for (; n >= block; n -= block, maxima += LANES) {
        __m256 a = none, b = none;
        for (size_t i = 0; i < depth; i += 2, scores += 2 * LANES) {
            a = simd_max8(_mm256_loadu_ps(scores), a);
            b = simd_max8(_mm256_loadu_ps(scores + LANES), b);
        }
        _mm256_storeu_ps(maxima, _mm256_max_ps(a, b));
    }
    if (n > 0) {
        __m256 a = none;
        for (; n >= LANES; n -= LANES, scores += LANES)
            a = simd_max8(_mm256_loadu_ps(scores), a);
        __m256i there = simd_first(n);
        __m256 v = _mm256_maskload_ps(scores, there);
        a = simd_max8(_mm256_blendv_ps(none, v, _mm256_castsi256_ps(there)), a);
        _mm256_storeu_ps(maxima, a);
    }
}

static void topk_range_avx2(size_t n, const float *values, float *least, float *greatest)
{
    __m256 low = _mm256_set1_ps(INFINITY), high = _mm256_set1_ps(-INFINITY);
    for (; n >= LANES; n -= LANES, values += LANES) {
        __m256 v = _mm256_loadu_ps(values);
        low = _mm256_min_ps(v, low);
        high = _mm256_max_ps(v, high);
    }
    __m256i there = simd_first(n);
    __m256 v = _mm256_blendv_ps(_mm256_set1_ps(NAN), _mm256_maskload_ps(values, there),
                                _mm256_castsi256_ps(there));
    low = _mm256_min_ps(v, low);
    high = _mm256_max_ps(v, high);
    const __m256 sign = _mm256_set1_ps(-0.0f);
    *least = -simd_hmax8(_mm256_xor_ps(low, sign));
    *greatest = simd_hmax8(high);
}

static size_t topk_count_avx2(size_t n, const float *values, float at_least)
{
    const __m256 t = _mm256_set1_ps(at_least);
    __m256i a = _mm256_setzero_si256(), b = a; /* a true compare is -1 */
    for (; n >= 2 * LANES; n -= 2 * LANES, values += 2 * LANES) {
        __m256 u = _mm256_cmp_ps(_mm256_loadu_ps(values), t, _CMP_GE_OQ);
        __m256 v = _mm256_cmp_ps(_mm256_loadu_ps(values + LANES), t, _CMP_GE_OQ);
        a = _mm256_sub_epi32(a, _mm256_castps_si256(u));
        b = _mm256_sub_epi32(b, _mm256_castps_si256(v));
    }
    for (; n > 0; values += LANES) {
        size_t first = n < LANES ? n : LANES;
        __m256i there = simd_first(first);
        __m256 u = _mm256_cmp_ps(_mm256_maskload_ps(values, there), t, _CMP_GE_OQ);
        a = _mm256_sub_epi32(a, _mm256_and_si256(_mm256_castps_si256(u), there));
        n -= first;
    }
    a = _mm256_add_epi32(a, b);
    __m128i q = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    q = _mm_add_epi32(q, _mm_shuffle_epi32(q, 0x4e));
    q = _mm_add_epi32(q, _mm_shuffle_epi32(q, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(q);
}

static size_t topk_list_avx2(size_t blocks, const float *maxima, float at_least, uint32_t *list)
{
    const __m256 t = _mm256_set1_ps(at_least);
    size_t listed = 0;
    for (size_t b = 0; b < blocks; b++) {
        unsigned here = topk_reached_avx2(_mm256_loadu_ps(maxima + b * LANES), t);
        list[listed] = (uint32_t)b;
        listed += here != 0;
    }
    return listed;
}

/* ---- Candidates ------------------------------------------------------------------------------ */

/* A chunk of 32 scores with more candidates than this is compressed, else they are taken bit by
 * bit. */
enum { CHUNK = 32, FEW = 6 };

/* Moves the kept lanes to the front and stores all 8: what is behind the kept ones is overwritten
 * by the next store. */
static inline size_t topk_keep_avx2(unsigned keep, __m256 v, __m256i index, float *values,
                                    uint32_t *indices)
{
    __m256i lanes = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((int64_t)topk_kept_lanes_avx2[keep]));
    _mm256_storeu_ps(values, _mm256_permutevar8x32_ps(v, lanes));
    _mm256_storeu_si256((__m256i *)(void *)indices, _mm256_permutevar8x32_epi32(index, lanes));
    return (size_t)_mm_popcnt_u32(keep);
}

/* Bit i: score i of the next min(n, 32) is a candidate. */
static inline uint32_t topk_candidates_avx2(size_t n, const float *scores, __m256 at_least)
{
    if (n < CHUNK) {
        uint32_t candidates = 0;
        for (size_t i = 0; i < n; i += LANES) {
            size_t first = n - i < LANES ? n - i : LANES;
            unsigned reached = topk_reached_avx2(simd_load_first(scores + i, first), at_least);
            candidates |= (reached & ((1u << first) - 1u)) << i;
        }
        return candidates;
    }
    __m256i m[4];
    for (int i = 0; i < 4; i++)
        m[i] = _mm256_castps_si256(
            _mm256_cmp_ps(_mm256_loadu_ps(scores + LANES * i), at_least, _CMP_GE_OQ));
    /* packs work on halves: bytes of m0 m1 m2 m3, lanes 0..3 of each, then lanes 4..7 */
    __m256i bytes =
        _mm256_packs_epi16(_mm256_packs_epi32(m[0], m[1]), _mm256_packs_epi32(m[2], m[3]));
    bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    return (uint32_t)_mm256_movemask_epi8(bytes);
}

static size_t topk_collect_avx2(const struct topk_blocks *blocks, float at_least, size_t *next,
                                float *values, uint32_t *indices, size_t room)
{
    const __m256 t = _mm256_set1_ps(at_least);
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
            uint32_t candidates = topk_candidates_avx2(end - begin, scores, t);
            if (__builtin_expect(_mm_popcnt_u32(candidates) <= FEW || end - begin < CHUNK, 1)) {
                for (; candidates != 0; candidates &= candidates - 1, count++) {
                    int i = __builtin_ctz(candidates);
                    values[count] = scores[i];
                    indices[count] = first + (uint32_t)i;
                }
                continue;
            }
            __m256i index = _mm256_add_epi32(_mm256_set1_epi32((int)first), topk_iota_avx2());
            for (; candidates != 0; candidates >>= LANES, scores += LANES) {
                count += topk_keep_avx2(candidates & 0xff, _mm256_loadu_ps(scores), index,
                                        values + count, indices + count);
                index = _mm256_add_epi32(index, _mm256_set1_epi32(LANES));
            }
        }
    }
    *next = b;
    return count;
}

/* Whole vectors beyond n are in the buffer's padding. */
static size_t topk_compact_avx2(size_t n, float *values, uint32_t *indices, float at_least)
{
    const __m256 t = _mm256_set1_ps(at_least);
    size_t count = 0;
    for (size_t i = 0; i < n; i += LANES) {
        __m256 v = _mm256_loadu_ps(values + i);
        __m256i index = _mm256_loadu_si256((const __m256i *)(const void *)(indices + i));
        unsigned keep = topk_reached_avx2(v, t);
        if (n - i < LANES)
            keep &= (1u << (n - i)) - 1u;
        count += topk_keep_avx2(keep, v, index, values + count, indices + count);
    }
    return count;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static bool topk_pack_avx2(size_t n, const float *values, const uint32_t *indices, uint64_t *keys)
{
    const __m256i sign = _mm256_set1_epi32(INT32_MIN);
    __m256i negative_zeros = _mm256_setzero_si256();
    for (size_t i = 0; i < n; i += LANES) {
        __m256i there = simd_first(n - i < LANES ? n - i : LANES);
        __m256 v = _mm256_maskload_ps(values + i, there);
        __m256i bits = _mm256_castps_si256(v);
        __m256i index = _mm256_maskload_epi32((const int *)(const void *)(indices + i), there);
        __m256i order = _mm256_xor_si256(bits, _mm256_or_si256(_mm256_srai_epi32(bits, 31), sign));
        __m256i negative_zero = _mm256_cmpeq_epi32(bits, sign);
        __m256i number = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_ORD_Q));
        order = _mm256_and_si256(_mm256_blendv_epi8(order, sign, negative_zero), number);
        negative_zeros = _mm256_or_si256(negative_zeros, negative_zero);
        index = _mm256_xor_si256(index, _mm256_set1_epi32(-1));
        __m256i a = _mm256_unpacklo_epi32(index, order); /* keys 0 1 | 4 5 */
        __m256i b = _mm256_unpackhi_epi32(index, order); /* keys 2 3 | 6 7 */
        __m256i *to = (__m256i *)(void *)(keys + i);
        _mm256_storeu_si256(to, _mm256_permute2x128_si256(a, b, 0x20));
        _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(a, b, 0x31));
    }
    return !_mm256_testz_si256(negative_zeros, negative_zeros);
}

static void topk_unpack_avx2(size_t n, const uint64_t *keys, float *values, uint32_t *indices)
{
    const __m256i ones = _mm256_set1_epi32(-1);
    for (size_t i = 0; i < n; i += LANES) {
        size_t first = n - i < LANES ? n - i : LANES;
        /* keys is padded: reading a whole vector of it is fine */
        const __m256i *from = (const __m256i *)(const void *)(keys + i);
        __m256 a = _mm256_castsi256_ps(_mm256_loadu_si256(from));
        __m256 b = _mm256_castsi256_ps(_mm256_loadu_si256(from + 1));
        if (values != NULL) {
            __m256i order =
                _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd)); /* 0 1 4 5 | 2 3 6 7 */
            order = _mm256_permute4x64_epi64(order, 0xd8);
            __m256i flip = _mm256_or_si256(_mm256_xor_si256(_mm256_srai_epi32(order, 31), ones),
                                           _mm256_set1_epi32(INT32_MIN));
            __m256i nan = _mm256_cmpeq_epi32(order, _mm256_setzero_si256());
            __m256i bits = _mm256_blendv_epi8(_mm256_xor_si256(order, flip),
                                              _mm256_set1_epi32(0x7fc00000), nan);
            simd_store_first(values + i, first, _mm256_castsi256_ps(bits));
        }
        if (indices != NULL) {
            __m256i index = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88));
            index = _mm256_xor_si256(_mm256_permute4x64_epi64(index, 0xd8), ones);
            _mm256_maskstore_epi32((int *)(void *)(indices + i), simd_first(first), index);
        }
    }
}

/* ---- Sort ------------------------------------------------------------------------------------ */

/* A key's place is the number of greater keys: n compares for each vector, none of which waits for
 * another. AVX2 has neither a 64-bit unsigned maximum nor the registers for a network. */
static void topk_sort_avx2(size_t n, uint64_t *keys)
{
    const __m256i sign = _mm256_set1_epi64x(INT64_MIN);
    uint64_t sorted[SORT_MAX];
    for (size_t i = 0; i < n; i += 8) {
        const __m256i *from = (const __m256i *)(const void *)(keys + i);
        __m256i a = _mm256_xor_si256(_mm256_loadu_si256(from), sign);
        __m256i b = _mm256_xor_si256(_mm256_loadu_si256(from + 1), sign);
        __m256i before_a = _mm256_setzero_si256(), before_b = before_a;
        for (size_t j = 0; j < n; j++) {
            __m256i other = _mm256_xor_si256(_mm256_set1_epi64x((int64_t)keys[j]), sign);
            before_a = _mm256_sub_epi64(before_a, _mm256_cmpgt_epi64(other, a));
            before_b = _mm256_sub_epi64(before_b, _mm256_cmpgt_epi64(other, b));
        }
        uint64_t place[8];
        _mm256_storeu_si256((__m256i *)(void *)place, before_a);
        _mm256_storeu_si256((__m256i *)(void *)(place + 4), before_b);
        for (size_t j = 0; j < 8 && i + j < n; j++)
            sorted[place[j]] = keys[i + j];
    }
    memcpy(keys, sorted, n * sizeof *keys);
}

const struct topk_ops topk_ops_avx2 = {
    .lanes = LANES,
    .sort_max = SORT_MAX,
    .maxima = topk_maxima_avx2,
    .range = topk_range_avx2,
    .count = topk_count_avx2,
    .list = topk_list_avx2,
    .collect = topk_collect_avx2,
    .compact = topk_compact_avx2,
    .pack = topk_pack_avx2,
    .sort = topk_sort_avx2,
    .unpack = topk_unpack_avx2,
};
