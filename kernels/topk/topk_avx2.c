/* topk_avx2.c - top-k's inner loops for AVX2.
 * SPDX-License-Identifier: MIT
 *
 * What a profiler will see, in the order of a row (n scores, k results):
 *
 *   maxima    One load and one vmaxps for 8 scores, two chains: bound by reading the row. The only
 *             pass over all scores; most of the time for n >= 25,000 and k <= 10.
 *   count     Bisection for the threshold over the folded maxima: vcmpps, vpsubd of its mask.
 *   collect   The blocks that are left. AVX2 cannot compress: vmovmskps, a table of lane numbers
 *             for each of 256 masks (2 KB), vpmovzxbd, one store of 8 indices. The values are
 *             fetched by index afterwards, by scalar loads (a gather is no faster on Zen 5, and
 *             slow on CPUs with its microcode mitigation).
 *   sort      A network on 64-bit keys, vpcmpgtq and two vpblendvb for a pair. Keys stand in 4
 *             columns; 8 of the 16 registers for 32 keys, two steps a pass over memory beyond.
 *             The first 1,000 of 1,000 take 2.8 us (Zen 5), with the radix sort 5.0. Most of the
 *             time for k >= n / 4.
 *
 * Differs from AVX-512: no compress, no 64-bit minimum, half the registers.
 */
#include "topk.h"

#include "../simd/avx2.h"
#include "order.h"

enum { LANES = 8, SORT_MAX = 1024 };

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

static void topk_fold_avx2(size_t n, const float *maxima, size_t depth, float *folded)
{
    const __m256i one = _mm256_set1_epi32(1);
    for (size_t rows; n > 0; n -= rows * LANES, maxima += rows * LANES, folded += LANES) {
        rows = n / LANES < depth ? n / LANES : depth;
        __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        __m256 a = _mm256_loadu_ps(maxima);
        for (size_t i = 1; i < rows; i++) {
            lane = _mm256_add_epi32(lane, one); /* only the low bits count: a rotation */
            a = _mm256_max_ps(_mm256_permutevar8x32_ps(_mm256_loadu_ps(maxima + i * LANES), lane),
                              a);
        }
        _mm256_storeu_ps(folded, a);
    }
}

static void topk_between_avx2(size_t n, const float *values, float above, float below, float *least,
                              float *greatest)
{
    const __m256 a = _mm256_set1_ps(above), b = _mm256_set1_ps(below);
    const __m256 most = _mm256_set1_ps(INFINITY), none = _mm256_set1_ps(-INFINITY);
    __m256 low = most, high = none;
    for (size_t i = 0; i < n; i += LANES) {
        __m256i there = simd_first(n - i < LANES ? n - i : LANES);
        __m256 v = _mm256_maskload_ps(values + i, there);
        __m256 in = _mm256_and_ps(_mm256_cmp_ps(v, a, _CMP_GT_OQ), _mm256_cmp_ps(v, b, _CMP_LT_OQ));
        in = _mm256_and_ps(in, _mm256_castsi256_ps(there));
        low = _mm256_min_ps(_mm256_blendv_ps(most, v, in), low);
        high = _mm256_max_ps(_mm256_blendv_ps(none, v, in), high);
    }
    *least = -simd_hmax8(_mm256_xor_ps(low, _mm256_set1_ps(-0.0f)));
    *greatest = simd_hmax8(high);
}

static size_t topk_count_avx2(size_t n, const float *values, float at_least)
{
    const __m256 t = _mm256_set1_ps(at_least);
    __m256i a = _mm256_setzero_si256(), b = a; /* a true compare is -1 */
    for (; n >= 4 * LANES; n -= 4 * LANES, values += 4 * LANES) {
        __m256 u = _mm256_cmp_ps(_mm256_loadu_ps(values), t, _CMP_GE_OQ);
        __m256 v = _mm256_cmp_ps(_mm256_loadu_ps(values + LANES), t, _CMP_GE_OQ);
        __m256 w = _mm256_cmp_ps(_mm256_loadu_ps(values + 2 * LANES), t, _CMP_GE_OQ);
        __m256 x = _mm256_cmp_ps(_mm256_loadu_ps(values + 3 * LANES), t, _CMP_GE_OQ);
        a = _mm256_sub_epi32(a, _mm256_castps_si256(u));
        b = _mm256_sub_epi32(b, _mm256_castps_si256(v));
        a = _mm256_sub_epi32(a, _mm256_castps_si256(w));
        b = _mm256_sub_epi32(b, _mm256_castps_si256(x));
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

/* The numbers of the kept lanes. What is behind the kept ones is overwritten by the next store. */
static inline __m256i topk_lanes_avx2(unsigned keep)
{
    return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((int64_t)topk_kept_lanes_avx2[keep]));
}

/* Only indices are compressed, by a table of lane numbers; the few values are fetched afterwards.
 */
static size_t topk_collect_avx2(const struct topk_blocks *blocks, float at_least, size_t *next,
                                float *values, uint32_t *indices, size_t room)
{
    const __m256 t = _mm256_set1_ps(at_least);
    size_t block = blocks->depth * LANES;
    size_t count = 0, b = *next;
    for (; b < blocks->listed; b++) {
        size_t at = blocks->list[b] * block;
        size_t n = blocks->n - at < block ? blocks->n - at : block;
        if (room - count < n)
            break;
        const float *scores = blocks->scores + at;
        __m256i index = _mm256_set1_epi32((int)(blocks->first_index + (uint32_t)at));
        for (; n >= LANES; n -= LANES, scores += LANES) {
            unsigned keep = topk_reached_avx2(_mm256_loadu_ps(scores), t);
            _mm256_storeu_si256((__m256i *)(void *)(indices + count),
                                _mm256_add_epi32(index, topk_lanes_avx2(keep)));
            count += (size_t)_mm_popcnt_u32(keep);
            index = _mm256_add_epi32(index, _mm256_set1_epi32(LANES));
        }
        if (n > 0) {
            unsigned keep = topk_reached_avx2(simd_load_first(scores, n), t) & ((1u << n) - 1u);
            _mm256_storeu_si256((__m256i *)(void *)(indices + count),
                                _mm256_add_epi32(index, topk_lanes_avx2(keep)));
            count += (size_t)_mm_popcnt_u32(keep);
        }
    }
    *next = b;
    for (size_t i = 0; i < count; i++)
        values[i] = blocks->scores[indices[i] - blocks->first_index];
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
        __m256i lanes = topk_lanes_avx2(keep);
        _mm256_storeu_ps(values + count, _mm256_permutevar8x32_ps(v, lanes));
        _mm256_storeu_si256((__m256i *)(void *)(indices + count),
                            _mm256_permutevar8x32_epi32(index, lanes));
        count += (size_t)_mm_popcnt_u32(keep);
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

/* ---- Sort: 4 columns side by side, then joined ------------------------------------------ */

/* As in AVX-512, with 4 columns and blocks of 8 rows. Keys are sorted as signed numbers (AVX2 has
 * no unsigned compare): the top bit is flipped on the way in and out. A mask has all bits set in
 * the lanes that take the smaller of a pair. */

enum { ROW = 4, BLOCK_ROWS = 8, BLOCK_KEYS = ROW * BLOCK_ROWS };

static inline __m256i topk_load_avx2(const uint64_t *keys)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)keys);
}

static inline void topk_store_avx2(uint64_t *keys, __m256i v)
{
    _mm256_storeu_si256((__m256i *)(void *)keys, v);
}

static inline __m256i topk_flip_avx2(__m256i v)
{
    return _mm256_xor_si256(v, _mm256_set1_epi64x(INT64_MIN));
}

static inline __m256i topk_exchange_avx2(__m256i v, __m256i other, __m256i smaller)
{
    __m256i keep = _mm256_xor_si256(_mm256_cmpgt_epi64(v, other), smaller);
    return _mm256_blendv_epi8(other, v, keep);
}

/* Lanes 1 and 3 take the smaller. */
static inline __m256i topk_exchange1_avx2(__m256i v)
{
    return topk_exchange_avx2(v, _mm256_shuffle_epi32(v, 0x4e), _mm256_setr_epi64x(0, -1, 0, -1));
}

/* Greater ones to a, smaller ones to b. */
static inline void topk_split_avx2(__m256i *a, __m256i *b)
{
    __m256i greater = _mm256_cmpgt_epi64(*a, *b);
    __m256i most = _mm256_blendv_epi8(*b, *a, greater);
    *b = _mm256_blendv_epi8(*a, *b, greater);
    *a = most;
}

/* 4 or 8 rows, each column by itself: the least number of compares. */
static inline __attribute__((always_inline)) void topk_sort_rows_avx2(__m256i *v, int rows)
{
    static const uint8_t four[5][2] = {{0, 1}, {2, 3}, {0, 2}, {1, 3}, {1, 2}};
    static const uint8_t eight[19][2] = {{0, 1}, {2, 3}, {4, 5}, {6, 7}, {0, 2}, {1, 3}, {4, 6},
                                         {5, 7}, {1, 2}, {5, 6}, {0, 4}, {3, 7}, {1, 5}, {2, 6},
                                         {1, 4}, {3, 6}, {2, 4}, {3, 5}, {3, 4}};
    if (rows == 4) {
#pragma GCC unroll 5
        for (int i = 0; i < 5; i++)
            topk_split_avx2(&v[four[i][0]], &v[four[i][1]]);
    } else {
#pragma GCC unroll 19
        for (int i = 0; i < 19; i++)
            topk_split_avx2(&v[eight[i][0]], &v[eight[i][1]]);
    }
}

/* Columns that are bitonic into descending order. */
static inline __attribute__((always_inline)) void topk_settle_avx2(__m256i *v, int rows)
{
#pragma GCC unroll 3
    for (int half = rows / 2; half > 0; half /= 2)
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++)
            if ((i & half) == 0)
                topk_split_avx2(&v[i], &v[i + half]);
}

/* The first step of joining columns to one descending sequence, in groups of 2 or 4: pairs that
 * mirror each other, in row r and in the r-th row from the end. In a group of 4 also the step
 * between columns that follows. */
static inline __attribute__((always_inline)) void topk_join_avx2(__m256i *row, __m256i *mirror,
                                                                 int group)
{
    const __m256i smaller =
        group == 2 ? _mm256_setr_epi64x(0, -1, 0, -1) : _mm256_setr_epi64x(0, 0, -1, -1);
    __m256i a = *row;
    __m256i b =
        group == 2 ? _mm256_shuffle_epi32(*mirror, 0x4e) : _mm256_permute4x64_epi64(*mirror, 0x1b);
    __m256i keep = _mm256_xor_si256(_mm256_cmpgt_epi64(a, b), smaller);
    __m256i c = _mm256_blendv_epi8(b, a, keep), d = _mm256_blendv_epi8(a, b, keep);
    d = group == 2 ? _mm256_shuffle_epi32(d, 0x4e) : _mm256_permute4x64_epi64(d, 0x1b);
    *row = group == 2 ? c : topk_exchange1_avx2(c);
    *mirror = group == 2 ? d : topk_exchange1_avx2(d);
}

/* 4 rows of column c to columns + c * height, with the top bits flipped back. */
static inline __attribute__((always_inline)) void
topk_transpose_avx2(const __m256i *v, uint64_t *columns, size_t height)
{
    __m256i a = _mm256_unpacklo_epi64(v[0], v[1]), b = _mm256_unpackhi_epi64(v[0], v[1]);
    __m256i c = _mm256_unpacklo_epi64(v[2], v[3]), d = _mm256_unpackhi_epi64(v[2], v[3]);
    topk_store_avx2(columns, topk_flip_avx2(_mm256_permute2x128_si256(a, c, 0x20)));
    topk_store_avx2(columns + height, topk_flip_avx2(_mm256_permute2x128_si256(b, d, 0x20)));
    topk_store_avx2(columns + 2 * height, topk_flip_avx2(_mm256_permute2x128_si256(a, c, 0x31)));
    topk_store_avx2(columns + 3 * height, topk_flip_avx2(_mm256_permute2x128_si256(b, d, 0x31)));
}

/* 16 or 32 keys: all in registers. */
static inline __attribute__((always_inline)) void topk_sort_short_avx2(uint64_t *keys, int rows)
{
    __m256i v[8];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
        v[i] = topk_flip_avx2(topk_load_avx2(keys + ROW * i));
    topk_sort_rows_avx2(v, rows);
#pragma GCC unroll 2
    for (int group = 2; group <= 4; group *= 2) {
#pragma GCC unroll 4
        for (int i = 0; i < rows / 2; i++)
            topk_join_avx2(&v[i], &v[rows - 1 - i], group);
        topk_settle_avx2(v, rows);
    }
#pragma GCC unroll 2
    for (int i = 0; i < rows; i += 4)
        topk_transpose_avx2(v + i, keys + i, (size_t)rows);
}

static void topk_sort16_avx2(uint64_t *keys)
{
    topk_sort_short_avx2(keys, 4);
}

static void topk_sort32_avx2(uint64_t *keys)
{
    topk_sort_short_avx2(keys, 8);
}

/* The steps at distances of `far` rows and of half as many, in so many rows. */
static void topk_split_far_avx2(uint64_t *keys, size_t rows, size_t far)
{
    size_t step = far / 2 * ROW;
    for (size_t r = 0; r < rows; r += 2 * far)
        for (size_t i = r * ROW; i < r * ROW + step; i += ROW) {
            __m256i a = topk_load_avx2(keys + i), b = topk_load_avx2(keys + i + step);
            __m256i c = topk_load_avx2(keys + i + 2 * step);
            __m256i d = topk_load_avx2(keys + i + 3 * step);
            topk_split_avx2(&a, &c);
            topk_split_avx2(&b, &d);
            topk_split_avx2(&a, &b);
            topk_split_avx2(&c, &d);
            topk_store_avx2(keys + i, a);
            topk_store_avx2(keys + i + step, b);
            topk_store_avx2(keys + i + 2 * step, c);
            topk_store_avx2(keys + i + 3 * step, d);
        }
}

/* One step, at a distance of `far` rows. */
static void topk_split_once_avx2(uint64_t *keys, size_t rows, size_t far)
{
    for (size_t r = 0; r < rows; r += 2 * far)
        for (size_t i = r * ROW; i < (r + far) * ROW; i += ROW) {
            __m256i a = topk_load_avx2(keys + i), b = topk_load_avx2(keys + i + far * ROW);
            topk_split_avx2(&a, &b);
            topk_store_avx2(keys + i, a);
            topk_store_avx2(keys + i + far * ROW, b);
        }
}

/* The first steps of a join: mirrored pairs, and the next distance. group: of columns, or 1 to join
 * the two halves of each column. Four rows meet only each other. */
static inline __attribute__((always_inline)) void topk_join_rows_avx2(uint64_t *keys, size_t rows,
                                                                      int group)
{
    size_t last = (rows - 1) * ROW, half = rows / 2 * ROW;
    for (size_t i = 0; i < half / 2; i += ROW) {
        uint64_t *p = keys + i, *q = keys + half - ROW - i;
        uint64_t *r = keys + half + i, *s = keys + last - i;
        __m256i a = topk_load_avx2(p), b = topk_load_avx2(q);
        __m256i c = topk_load_avx2(r), d = topk_load_avx2(s);
        if (group == 1) {
            topk_split_avx2(&a, &d);
            topk_split_avx2(&b, &c);
        } else {
            topk_join_avx2(&a, &d, group);
            topk_join_avx2(&b, &c, group);
            topk_split_avx2(&a, &c);
            topk_split_avx2(&b, &d);
        }
        topk_store_avx2(p, a);
        topk_store_avx2(q, b);
        topk_store_avx2(r, c);
        topk_store_avx2(s, d);
    }
}

/* The other steps at distances of 8 rows and more, from `far` on. */
static void topk_join_far_avx2(uint64_t *keys, size_t rows, size_t far)
{
    for (; far >= 2 * BLOCK_ROWS; far /= 4)
        topk_split_far_avx2(keys, rows, far);
    if (far == BLOCK_ROWS)
        topk_split_once_avx2(keys, rows, far);
}

static void topk_settle_blocks_avx2(uint64_t *keys, size_t rows)
{
    for (size_t r = 0; r < rows; r += BLOCK_ROWS, keys += BLOCK_KEYS) {
        __m256i v[8];
#pragma GCC unroll 8
        for (int i = 0; i < BLOCK_ROWS; i++)
            v[i] = topk_load_avx2(keys + ROW * i);
        topk_settle_avx2(v, BLOCK_ROWS);
#pragma GCC unroll 8
        for (int i = 0; i < BLOCK_ROWS; i++)
            topk_store_avx2(keys + ROW * i, v[i]);
    }
}

/* 4 columns of 16 rows or more, to sorted. */
static void topk_sort_columns_avx2(uint64_t *keys, size_t rows, uint64_t *sorted)
{
    for (size_t r = 0; r < rows; r += BLOCK_ROWS) {
        __m256i v[8];
#pragma GCC unroll 8
        for (int i = 0; i < BLOCK_ROWS; i++)
            v[i] = topk_flip_avx2(topk_load_avx2(keys + ROW * r + ROW * (size_t)i));
        topk_sort_rows_avx2(v, BLOCK_ROWS);
#pragma GCC unroll 8
        for (int i = 0; i < BLOCK_ROWS; i++)
            topk_store_avx2(keys + ROW * r + ROW * (size_t)i, v[i]);
    }
    for (size_t joined = 2 * BLOCK_ROWS; joined <= rows; joined *= 2) {
        for (size_t r = 0; r < rows; r += joined)
            topk_join_rows_avx2(keys + ROW * r, joined, 1);
        topk_join_far_avx2(keys, rows, joined / 4);
        topk_settle_blocks_avx2(keys, rows);
    }
    topk_join_rows_avx2(keys, rows, 2);
    topk_join_far_avx2(keys, rows, rows / 4);
    topk_settle_blocks_avx2(keys, rows);
    topk_join_rows_avx2(keys, rows, 4);
    topk_join_far_avx2(keys, rows, rows / 4);
    for (size_t r = 0; r < rows; r += BLOCK_ROWS) {
        __m256i v[8];
#pragma GCC unroll 8
        for (int i = 0; i < BLOCK_ROWS; i++)
            v[i] = topk_load_avx2(keys + ROW * r + ROW * (size_t)i);
        topk_settle_avx2(v, BLOCK_ROWS);
        topk_transpose_avx2(v, sorted + r, rows);
        topk_transpose_avx2(v + 4, sorted + r + 4, rows);
    }
}

static uint64_t *topk_sort_avx2(size_t n, uint64_t *keys)
{
    size_t padded = 16;
    while (padded < n)
        padded *= 2;
    for (size_t i = n; i < padded; i++)
        keys[i] = 0;
    if (padded > BLOCK_KEYS) {
        topk_sort_columns_avx2(keys, padded / ROW, keys + padded);
        return keys + padded;
    }
    if (padded == 16)
        topk_sort16_avx2(keys);
    else
        topk_sort32_avx2(keys);
    return keys;
}

const struct topk_ops topk_ops_avx2 = {
    .lanes = LANES,
    .sort_max = SORT_MAX,
    .maxima = topk_maxima_avx2,
    .fold = topk_fold_avx2,
    .range = topk_range_avx2,
    .between = topk_between_avx2,
    .count = topk_count_avx2,
    .list = topk_list_avx2,
    .collect = topk_collect_avx2,
    .compact = topk_compact_avx2,
    .pack = topk_pack_avx2,
    .sort = topk_sort_avx2,
    .unpack = topk_unpack_avx2,
};
