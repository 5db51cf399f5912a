/* topk_avx512.c - top-k's inner loops for AVX-512 (F, BW, DQ, VL).
 * SPDX-License-Identifier: MIT
 *
 * What a profiler will see, in the order of a row (Zen 5; n scores, k results):
 *
 *   maxima    One load and one vmaxps for 16 scores, two chains: bound by reading the row. The
 *             only pass over all scores; most of the time for n >= 25,000 and k <= 10.
 *   count     Bisection for the threshold: some 8 passes over the maxima, which are folded to
 *             about 6k before. vcmpps to a mask, two masks to one popcnt.
 *   collect   The blocks that are left: vcmpps, popcnt, and one vpcompressd, which takes about 3
 *             clocks and is what bounds it. Tried on rows that no branch predictor knows, ns for
 *             16 scores when 0.1, 5 and 13 % are kept:
 *               this one: compress the index, fetch the values afterwards    1.4  1.5  1.8
 *               compress value and index                                     2.7  2.7  2.7
 *               a loop over the bits of a 64-bit mask                        0.8  3.1  3.8
 *             On rows seen before, the loop over bits looks best: it has been learned.
 *   sort      A network on 64-bit keys, vpmaxuq and vpminuq without a branch. Keys stand in 8
 *             columns, so that 49 of 55 steps for 1,024 keys are between whole registers. The
 *             first 1,000 of 1,000 take 1.36 us; with runs along registers, where every merge ends
 *             in three steps within one, 2.8 us; a radix sort in plain C 3.6 us. Most of the time
 *             for k >= n / 4.
 *
 * Differs from the other ISAs: 64-bit unsigned minimum and maximum, hence the longest network.
 */
#include "topk.h"

#include "../simd/avx512.h"
#include "order.h"

enum { LANES = 16, SORT_MAX = 1024 };

static __m512i topk_iota_avx512(void)
{
    return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

/* ---- Thresholds ------------------------------------------------------------------------------ */

static void topk_maxima_avx512(size_t n, const float *scores, size_t depth, float *maxima)
{
    const __m512 none = _mm512_set1_ps(-INFINITY);
    size_t block = depth * LANES;
    for (; n >= block; n -= block, maxima += LANES) {
        __m512 a = none, b = none;
        for (size_t i = 0; i < depth; i += 2, scores += 2 * LANES) {
            a = simd_max16(_mm512_loadu_ps(scores), a);
            b = simd_max16(_mm512_loadu_ps(scores + LANES), b);
        }
        _mm512_storeu_ps(maxima, _mm512_max_ps(a, b));
    }
    if (n > 0) {
        __m512 a = none;
        for (; n >= LANES; n -= LANES, scores += LANES)
            a = simd_max16(_mm512_loadu_ps(scores), a);
        a = simd_max16(_mm512_mask_loadu_ps(none, simd_first(n), scores), a);
        _mm512_storeu_ps(maxima, a);
    }
}

static void topk_range_avx512(size_t n, const float *values, float *least, float *greatest)
{
    const __m512 nan = _mm512_set1_ps(NAN);
    __m512 low = _mm512_set1_ps(INFINITY), high = _mm512_set1_ps(-INFINITY);
    for (; n >= LANES; n -= LANES, values += LANES) {
        __m512 v = _mm512_loadu_ps(values);
        low = _mm512_min_ps(v, low);
        high = _mm512_max_ps(v, high);
    }
    __m512 v = _mm512_mask_loadu_ps(nan, simd_first(n), values);
    low = _mm512_min_ps(v, low);
    high = _mm512_max_ps(v, high);
    *least = _mm512_reduce_min_ps(low);
    *greatest = _mm512_reduce_max_ps(high);
}

static void topk_fold_avx512(size_t n, const float *maxima, size_t depth, float *folded)
{
    const __m512i one = _mm512_set1_epi32(1);
    for (size_t rows; n > 0; n -= rows * LANES, maxima += rows * LANES, folded += LANES) {
        rows = n / LANES < depth ? n / LANES : depth;
        __m512i lane = topk_iota_avx512();
        __m512 a = _mm512_loadu_ps(maxima);
        for (size_t i = 1; i < rows; i++) {
            lane = _mm512_add_epi32(lane, one); /* only the low bits count: a rotation */
            a = _mm512_max_ps(_mm512_permutexvar_ps(lane, _mm512_loadu_ps(maxima + i * LANES)), a);
        }
        _mm512_storeu_ps(folded, a);
    }
}

static void topk_between_avx512(size_t n, const float *values, float above, float below,
                                float *least, float *greatest)
{
    const __m512 a = _mm512_set1_ps(above), b = _mm512_set1_ps(below);
    __m512 low = _mm512_set1_ps(INFINITY), high = _mm512_set1_ps(-INFINITY);
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 there = n - i < LANES ? simd_first(n - i) : (__mmask16)0xffff;
        __m512 v = _mm512_maskz_loadu_ps(there, values + i);
        __mmask16 in = _mm512_mask_cmp_ps_mask(there, v, a, _CMP_GT_OQ);
        in = _mm512_mask_cmp_ps_mask(in, v, b, _CMP_LT_OQ);
        low = _mm512_mask_min_ps(low, in, low, v);
        high = _mm512_mask_max_ps(high, in, high, v);
    }
    *least = _mm512_reduce_min_ps(low);
    *greatest = _mm512_reduce_max_ps(high);
}

static size_t topk_count_avx512(size_t n, const float *values, float at_least)
{
    const __m512 t = _mm512_set1_ps(at_least);
    size_t count = 0;
    for (; n >= 2 * LANES; n -= 2 * LANES, values += 2 * LANES) {
        __mmask16 a = _mm512_cmp_ps_mask(_mm512_loadu_ps(values), t, _CMP_GE_OQ);
        __mmask16 b = _mm512_cmp_ps_mask(_mm512_loadu_ps(values + LANES), t, _CMP_GE_OQ);
        count += (size_t)__builtin_popcount(_mm512_kunpackw(b, a));
    }
    for (; n > 0; values += LANES) {
        size_t first = n < LANES ? n : LANES;
        __mmask16 there = simd_first(first);
        __m512 v = _mm512_maskz_loadu_ps(there, values);
        count += (size_t)__builtin_popcount(_mm512_mask_cmp_ps_mask(there, v, t, _CMP_GE_OQ));
        n -= first;
    }
    return count;
}

static size_t topk_list_avx512(size_t blocks, const float *maxima, float at_least, uint32_t *list)
{
    const __m512 t = _mm512_set1_ps(at_least);
    size_t listed = 0;
    for (size_t b = 0; b < blocks; b++) {
        unsigned here = _mm512_cmp_ps_mask(_mm512_loadu_ps(maxima + b * LANES), t, _CMP_GE_OQ);
        list[listed] = (uint32_t)b;
        listed += here != 0;
    }
    return listed;
}

/* ---- Candidates ------------------------------------------------------------------------------ */

/* The kept lanes to the front of a register, and all of it stored: what is behind them is
 * overwritten by the next store. (vpcompress to memory is microcode on some CPUs.) */
static inline void topk_keep_avx512(__mmask16 keep, __m512i v, uint32_t *to)
{
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(keep, v));
}

/* Only indices are compressed; the few values are fetched by them afterwards. */
static size_t topk_collect_avx512(const struct topk_blocks *blocks, float at_least, size_t *next,
                                  float *values, uint32_t *indices, size_t room)
{
    const __m512 t = _mm512_set1_ps(at_least);
    size_t block = blocks->depth * LANES;
    size_t count = 0, b = *next;
    for (; b < blocks->listed; b++) {
        size_t at = blocks->list[b] * block;
        size_t n = blocks->n - at < block ? blocks->n - at : block;
        if (room - count < n)
            break;
        const float *scores = blocks->scores + at;
        __m512i index = _mm512_add_epi32(
            _mm512_set1_epi32((int)(blocks->first_index + (uint32_t)at)), topk_iota_avx512());
        for (; n >= LANES; n -= LANES, scores += LANES) {
            __mmask16 keep = _mm512_cmp_ps_mask(_mm512_loadu_ps(scores), t, _CMP_GE_OQ);
            topk_keep_avx512(keep, index, indices + count);
            count += (size_t)__builtin_popcount(keep);
            index = _mm512_add_epi32(index, _mm512_set1_epi32(LANES));
        }
        if (n > 0) {
            __mmask16 keep =
                _mm512_mask_cmp_ps_mask(simd_first(n), simd_load_first(scores, n), t, _CMP_GE_OQ);
            topk_keep_avx512(keep, index, indices + count);
            count += (size_t)__builtin_popcount(keep);
        }
    }
    *next = b;
    for (size_t i = 0; i < count; i++)
        values[i] = blocks->scores[indices[i] - blocks->first_index];
    return count;
}

static size_t topk_compact_avx512(size_t n, float *values, uint32_t *indices, float at_least)
{
    const __m512 t = _mm512_set1_ps(at_least);
    size_t count = 0;
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 there = n - i < LANES ? simd_first(n - i) : (__mmask16)0xffff;
        __m512 v = _mm512_maskz_loadu_ps(there, values + i);
        __m512i index = _mm512_maskz_loadu_epi32(there, indices + i);
        __mmask16 keep = _mm512_mask_cmp_ps_mask(there, v, t, _CMP_GE_OQ);
        _mm512_storeu_ps(values + count, _mm512_maskz_compress_ps(keep, v));
        topk_keep_avx512(keep, index, indices + count);
        count += (size_t)__builtin_popcount(keep);
    }
    return count;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static bool topk_pack_avx512(size_t n, const float *values, const uint32_t *indices, uint64_t *keys)
{
    const __m512i sign = _mm512_set1_epi32(INT32_MIN);
    __mmask16 negative_zeros = 0;
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 there = n - i < LANES ? simd_first(n - i) : (__mmask16)0xffff;
        __m512 v = _mm512_maskz_loadu_ps(there, values + i);
        __m512i bits = _mm512_castps_si512(v);
        __m512i index = _mm512_maskz_loadu_epi32(there, indices + i);
        __m512i order = _mm512_xor_si512(bits, _mm512_or_si512(_mm512_srai_epi32(bits, 31), sign));
        __mmask16 negative_zero = _mm512_cmpeq_epi32_mask(bits, sign);
        order = _mm512_mask_mov_epi32(order, negative_zero, sign);
        order = _mm512_maskz_mov_epi32(_mm512_cmp_ps_mask(v, v, _CMP_ORD_Q), order);
        negative_zeros |= negative_zero;
        index = _mm512_andnot_si512(index, _mm512_set1_epi32(-1));
        /* index order index order ..., the low half of a key first */
        const __m512i low =
            _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        const __m512i high =
            _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        _mm512_storeu_si512(keys + i, _mm512_permutex2var_epi32(index, low, order));
        _mm512_storeu_si512(keys + i + 8, _mm512_permutex2var_epi32(index, high, order));
    }
    return negative_zeros != 0;
}

static void topk_unpack_avx512(size_t n, const uint64_t *keys, float *values, uint32_t *indices)
{
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd =
        _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    const __m512i ones = _mm512_set1_epi32(-1);
    for (size_t i = 0; i < n; i += LANES) {
        size_t first = n - i < LANES ? n - i : LANES;
        __mmask8 low = (__mmask8)simd_first(first < 8 ? first : 8);
        __mmask8 high = (__mmask8)(simd_first(first) >> 8);
        __m512i a = _mm512_maskz_loadu_epi64(low, keys + i);
        __m512i b = _mm512_maskz_loadu_epi64(high, keys + i + 8);
        if (values != NULL) {
            __m512i order = _mm512_permutex2var_epi32(a, odd, b);
            __m512i flip = _mm512_or_si512(_mm512_andnot_si512(_mm512_srai_epi32(order, 31), ones),
                                           _mm512_set1_epi32(INT32_MIN));
            __m512i bits = _mm512_xor_si512(order, flip);
            bits = _mm512_mask_mov_epi32(bits, _mm512_testn_epi32_mask(order, order),
                                         _mm512_set1_epi32(0x7fc00000));
            simd_store_first(values + i, first, _mm512_castsi512_ps(bits));
        }
        if (indices != NULL) {
            __m512i index = _mm512_andnot_si512(_mm512_permutex2var_epi32(a, even, b), ones);
            _mm512_mask_storeu_epi32(indices + i, simd_first(first), index);
        }
    }
}

/* ---- Sort: 8 columns side by side, then joined ------------------------------------------ */

/* Keys are a matrix of 8 columns, a register each row. Every column is sorted by itself, register
 * against register; then columns are joined by twos, three times. Of the steps of the network only
 * those between columns move lanes. In the end the matrix is transposed. */

/* Lanes that take the smaller of a pair at distance 1, 2 and 4 (and for mirrored pairs). */
enum { SMALLER_1 = 0xaa, SMALLER_2 = 0xcc, SMALLER_4 = 0xf0 };

static inline __m512i topk_exchange_avx512(__m512i v, __m512i other, __mmask8 smaller)
{
    return _mm512_mask_min_epu64(_mm512_max_epu64(v, other), smaller, v, other);
}

static inline __m512i topk_reverse_avx512(__m512i v)
{
    return _mm512_permutexvar_epi64(_mm512_setr_epi64(7, 6, 5, 4, 3, 2, 1, 0), v);
}

/* Greater ones to a, smaller ones to b. */
static inline void topk_split_avx512(__m512i *a, __m512i *b)
{
    __m512i greater = _mm512_max_epu64(*a, *b);
    *b = _mm512_min_epu64(*a, *b);
    *a = greater;
}

static inline __attribute__((always_inline)) void topk_load_rows_avx512(__m512i *v, int rows,
                                                                        const uint64_t *keys)
{
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
        v[i] = _mm512_loadu_si512(keys + 8 * i);
}

static inline __attribute__((always_inline)) void topk_store_rows_avx512(const __m512i *v, int rows,
                                                                         uint64_t *keys)
{
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
        _mm512_storeu_si512(keys + 8 * i, v[i]);
}

/* The least known number of compares for 16 keys (Green), and for 8. */
static inline __attribute__((always_inline)) void topk_sort_rows_avx512(__m512i *v, int rows)
{
    static const uint8_t eight[19][2] = {{0, 1}, {2, 3}, {4, 5}, {6, 7}, {0, 2}, {1, 3}, {4, 6},
                                         {5, 7}, {1, 2}, {5, 6}, {0, 4}, {3, 7}, {1, 5}, {2, 6},
                                         {1, 4}, {3, 6}, {2, 4}, {3, 5}, {3, 4}};
    static const uint8_t sixteen[60][2] = {
        {0, 1},  {2, 3},   {4, 5},   {6, 7},   {8, 9},  {10, 11}, {12, 13}, {14, 15}, {0, 2},
        {4, 6},  {8, 10},  {12, 14}, {1, 3},   {5, 7},  {9, 11},  {13, 15}, {0, 4},   {8, 12},
        {1, 5},  {9, 13},  {2, 6},   {10, 14}, {3, 7},  {11, 15}, {0, 8},   {1, 9},   {2, 10},
        {3, 11}, {4, 12},  {5, 13},  {6, 14},  {7, 15}, {5, 10},  {6, 9},   {3, 12},  {13, 14},
        {4, 8},  {7, 11},  {1, 2},   {1, 4},   {7, 13}, {2, 8},   {11, 14}, {2, 4},   {5, 6},
        {9, 10}, {11, 13}, {3, 8},   {7, 12},  {6, 8},  {10, 12}, {3, 5},   {7, 9},   {3, 4},
        {5, 6},  {7, 8},   {9, 10},  {11, 12}, {6, 7},  {8, 9}};
    if (rows == 8) {
#pragma GCC unroll 19
        for (int i = 0; i < 19; i++)
            topk_split_avx512(&v[eight[i][0]], &v[eight[i][1]]);
    } else {
#pragma GCC unroll 60
        for (int i = 0; i < 60; i++)
            topk_split_avx512(&v[sixteen[i][0]], &v[sixteen[i][1]]);
    }
}

/* Columns that are bitonic into descending order. */
static inline __attribute__((always_inline)) void topk_settle_avx512(__m512i *v, int rows)
{
#pragma GCC unroll 4
    for (int half = rows / 2; half > 0; half /= 2)
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++)
            if ((i & half) == 0)
                topk_split_avx512(&v[i], &v[i + half]);
}

/* Turns the order of the columns about in groups of so many. */
static inline __attribute__((always_inline)) __m512i topk_mirror_avx512(__m512i v, int group)
{
    return group == 2   ? _mm512_shuffle_epi32(v, 0x4e)
           : group == 4 ? _mm512_permutex_epi64(v, 0x1b)
                        : topk_reverse_avx512(v);
}

/* The first step of joining two columns (or two groups of columns) to one descending sequence:
 * pairs that mirror each other, in row r and in the r-th row from the end. Then the steps between
 * columns that follow. */
static inline __attribute__((always_inline)) void topk_join_avx512(__m512i *row, __m512i *mirror,
                                                                   int group)
{
    const __mmask8 smaller = group == 2 ? SMALLER_1 : group == 4 ? SMALLER_2 : SMALLER_4;
    __m512i a = *row, b = topk_mirror_avx512(*mirror, group);
    __m512i c = _mm512_mask_min_epu64(_mm512_max_epu64(a, b), smaller, a, b);
    __m512i d = _mm512_mask_max_epu64(_mm512_min_epu64(a, b), smaller, a, b);
    d = topk_mirror_avx512(d, group);
    if (group == 8) {
        c = topk_exchange_avx512(c, _mm512_permutex_epi64(c, 0x4e), SMALLER_2);
        d = topk_exchange_avx512(d, _mm512_permutex_epi64(d, 0x4e), SMALLER_2);
    }
    if (group >= 4) {
        c = topk_exchange_avx512(c, _mm512_shuffle_epi32(c, 0x4e), SMALLER_1);
        d = topk_exchange_avx512(d, _mm512_shuffle_epi32(d, 0x4e), SMALLER_1);
    }
    *row = c;
    *mirror = d;
}

/* 8 rows of column c to columns + c * height. */
static inline __attribute__((always_inline)) void
topk_transpose_avx512(const __m512i *v, uint64_t *columns, size_t height)
{
#pragma GCC unroll 2
    for (int odd = 0; odd < 2; odd++) {
        __m512i p[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            p[i] = odd ? _mm512_unpackhi_epi64(v[2 * i], v[2 * i + 1])
                       : _mm512_unpacklo_epi64(v[2 * i], v[2 * i + 1]);
        __m512i a = _mm512_shuffle_i64x2(p[0], p[1], 0x88);
        __m512i b = _mm512_shuffle_i64x2(p[2], p[3], 0x88);
        __m512i c = _mm512_shuffle_i64x2(p[0], p[1], 0xdd);
        __m512i d = _mm512_shuffle_i64x2(p[2], p[3], 0xdd);
        columns += odd ? height : 0;
        _mm512_storeu_si512(columns, _mm512_shuffle_i64x2(a, b, 0x88));
        _mm512_storeu_si512(columns + 2 * height, _mm512_shuffle_i64x2(c, d, 0x88));
        _mm512_storeu_si512(columns + 4 * height, _mm512_shuffle_i64x2(a, b, 0xdd));
        _mm512_storeu_si512(columns + 6 * height, _mm512_shuffle_i64x2(c, d, 0xdd));
    }
}

/* 8 rows per column or 16: all in registers. */
static inline __attribute__((always_inline)) void topk_sort_short_avx512(uint64_t *keys, int rows)
{
    __m512i v[16];
    topk_load_rows_avx512(v, rows, keys);
    topk_sort_rows_avx512(v, rows);
#pragma GCC unroll 3
    for (int group = 2; group <= 8; group *= 2) {
#pragma GCC unroll 8
        for (int i = 0; i < rows / 2; i++)
            topk_join_avx512(&v[i], &v[rows - 1 - i], group);
        topk_settle_avx512(v, rows);
    }
#pragma GCC unroll 2
    for (int i = 0; i < rows; i += 8)
        topk_transpose_avx512(v + i, keys + i, (size_t)rows);
}

static void topk_sort64_avx512(uint64_t *keys)
{
    topk_sort_short_avx512(keys, 8);
}

static void topk_sort128_avx512(uint64_t *keys)
{
    topk_sort_short_avx512(keys, 16);
}

/* The steps of a join at distances of 16 rows and more, in `blocks` blocks of 16 rows. group: of
 * columns, or 1 to join the two halves of each column. Rows i of a block and 15 - i of another meet
 * only each other. */
static inline __attribute__((always_inline)) void topk_join_far_avx512(uint64_t *keys, int blocks,
                                                                       int group)
{
    for (int i = 0; i < 8; i++) {
        __m512i a[8], b[8];
        uint64_t *row = keys + 8 * i, *mirror = keys + 8 * (15 - i);
#pragma GCC unroll 8
        for (int j = 0; j < blocks; j++) {
            a[j] = _mm512_loadu_si512(row + 128 * j);
            b[j] = _mm512_loadu_si512(mirror + 128 * j);
        }
        if (group == 1) {
#pragma GCC unroll 4
            for (int j = 0; j < blocks / 2; j++) {
                topk_split_avx512(&a[j], &b[blocks - 1 - j]);
                topk_split_avx512(&b[j], &a[blocks - 1 - j]);
            }
        } else {
#pragma GCC unroll 8
            for (int j = 0; j < blocks; j++)
                topk_join_avx512(&a[j], &b[blocks - 1 - j], group);
        }
#pragma GCC unroll 3
        for (int far = group == 1 ? blocks / 4 : blocks / 2; far > 0; far /= 2)
#pragma GCC unroll 8
            for (int j = 0; j < blocks; j++)
                if ((j & far) == 0) {
                    topk_split_avx512(&a[j], &a[j + far]);
                    topk_split_avx512(&b[j], &b[j + far]);
                }
#pragma GCC unroll 8
        for (int j = 0; j < blocks; j++) {
            _mm512_storeu_si512(row + 128 * j, a[j]);
            _mm512_storeu_si512(mirror + 128 * j, b[j]);
        }
    }
}

/* The steps of a join within blocks of 16 rows. */
static void topk_settle_blocks_avx512(uint64_t *keys, size_t blocks)
{
    __m512i v[16];
    for (; blocks > 0; blocks--, keys += 128) {
        topk_load_rows_avx512(v, 16, keys);
        topk_settle_avx512(v, 16);
        topk_store_rows_avx512(v, 16, keys);
    }
}

/* Joins by so many blocks. */
static void topk_join_blocks_avx512(uint64_t *keys, size_t blocks, int group)
{
#define TOPK_JOIN(b, g)                                                                            \
    case 16 * (b) + (g):                                                                           \
        topk_join_far_avx512(keys, b, g);                                                          \
        break
    switch (16 * blocks + (size_t)group) {
        TOPK_JOIN(2, 1);
        TOPK_JOIN(4, 1);
        TOPK_JOIN(8, 1);
        TOPK_JOIN(2, 2);
        TOPK_JOIN(4, 2);
        TOPK_JOIN(8, 2);
        TOPK_JOIN(2, 4);
        TOPK_JOIN(4, 4);
        TOPK_JOIN(8, 4);
        TOPK_JOIN(2, 8);
        TOPK_JOIN(4, 8);
        TOPK_JOIN(8, 8);
    }
#undef TOPK_JOIN
}

/* 128 keys in each of 2, 4 or 8 blocks, to sorted. */
static void topk_sort_blocks_avx512(uint64_t *keys, size_t blocks, uint64_t *sorted)
{
    __m512i v[16];
    for (size_t b = 0; b < blocks; b++) {
        topk_load_rows_avx512(v, 16, keys + 128 * b);
        topk_sort_rows_avx512(v, 16);
        topk_store_rows_avx512(v, 16, keys + 128 * b);
    }
    for (size_t joined = 2; joined <= blocks; joined *= 2) {
        for (size_t b = 0; b < blocks; b += joined)
            topk_join_blocks_avx512(keys + 128 * b, joined, 1);
        topk_settle_blocks_avx512(keys, blocks);
    }
    topk_join_blocks_avx512(keys, blocks, 2);
    topk_settle_blocks_avx512(keys, blocks);
    topk_join_blocks_avx512(keys, blocks, 4);
    topk_settle_blocks_avx512(keys, blocks);
    topk_join_blocks_avx512(keys, blocks, 8);
    for (size_t b = 0; b < blocks; b++) {
        topk_load_rows_avx512(v, 16, keys + 128 * b);
        topk_settle_avx512(v, 16);
        topk_transpose_avx512(v, sorted + 16 * b, 16 * blocks);
        topk_transpose_avx512(v + 8, sorted + 16 * b + 8, 16 * blocks);
    }
}

/* ---- Sort of few keys: bitonic merges of registers -------------------------------------- */

/* A bitonic register into descending order. */
static inline __m512i topk_merge8_avx512(__m512i v)
{
    v = topk_exchange_avx512(v, _mm512_shuffle_i64x2(v, v, 0x4e), SMALLER_4);
    v = topk_exchange_avx512(v, _mm512_permutex_epi64(v, 0x4e), SMALLER_2);
    return topk_exchange_avx512(v, _mm512_shuffle_epi32(v, 0x4e), SMALLER_1);
}

static inline __m512i topk_sort8_avx512(__m512i v)
{
    v = topk_exchange_avx512(v, _mm512_shuffle_epi32(v, 0x4e), SMALLER_1);
    v = topk_exchange_avx512(v, _mm512_permutex_epi64(v, 0x1b), SMALLER_2);
    v = topk_exchange_avx512(v, _mm512_shuffle_epi32(v, 0x4e), SMALLER_1);
    v = topk_exchange_avx512(v, topk_reverse_avx512(v), SMALLER_4);
    v = topk_exchange_avx512(v, _mm512_permutex_epi64(v, 0x4e), SMALLER_2);
    return topk_exchange_avx512(v, _mm512_shuffle_epi32(v, 0x4e), SMALLER_1);
}

/* count registers that are bitonic as a whole into descending order. */
static inline __attribute__((always_inline)) void topk_merge_avx512(__m512i *v, int count)
{
    for (int half = count / 2; half > 0; half /= 2)
        for (int i = 0; i < count; i += 2 * half)
            for (int j = i; j < i + half; j++)
                topk_split_avx512(&v[j], &v[j + half]);
    for (int i = 0; i < count; i++)
        v[i] = topk_merge8_avx512(v[i]);
}

/* 2 or 4 registers into descending order; all of it unrolls. */
static inline __attribute__((always_inline)) void topk_sort_registers_avx512(uint64_t *keys,
                                                                             int count)
{
    __m512i v[4];
#pragma GCC unroll 4
    for (int i = 0; i < count; i++)
        v[i] = topk_sort8_avx512(_mm512_loadu_si512(keys + 8 * i));
#pragma GCC unroll 2
    for (int run = 1; run < count; run *= 2)
#pragma GCC unroll 2
        for (int i = 0; i < count; i += 2 * run) {
            /* the second run backwards: then both together are bitonic */
#pragma GCC unroll 2
            for (int j = 0; j < run; j++) {
                __m512i *mirror = &v[i + 2 * run - 1 - j];
                *mirror = topk_reverse_avx512(*mirror);
                topk_split_avx512(&v[i + j], mirror);
            }
            topk_merge_avx512(&v[i], run);
            topk_merge_avx512(&v[i + run], run);
        }
    topk_store_rows_avx512(v, count, keys);
}

static void topk_sort16_avx512(uint64_t *keys)
{
    topk_sort_registers_avx512(keys, 2);
}

static void topk_sort32_avx512(uint64_t *keys)
{
    topk_sort_registers_avx512(keys, 4);
}

static uint64_t *topk_sort_avx512(size_t n, uint64_t *keys)
{
    size_t padded = 16;
    while (padded < n)
        padded *= 2;
    for (size_t i = n; i < padded; i += 8)
        _mm512_mask_storeu_epi64(keys + i, (__mmask8)simd_first(padded - i < 8 ? padded - i : 8),
                                 _mm512_setzero_si512());
    switch (padded) {
    case 16:
        topk_sort16_avx512(keys);
        return keys;
    case 32:
        topk_sort32_avx512(keys);
        return keys;
    case 64:
        topk_sort64_avx512(keys);
        return keys;
    case 128:
        topk_sort128_avx512(keys);
        return keys;
    }
    topk_sort_blocks_avx512(keys, padded / 128, keys + padded);
    return keys + padded;
}

const struct topk_ops topk_ops_avx512 = {
    .lanes = LANES,
    .sort_max = SORT_MAX,
    .maxima = topk_maxima_avx512,
    .fold = topk_fold_avx512,
    .range = topk_range_avx512,
    .between = topk_between_avx512,
    .count = topk_count_avx512,
    .list = topk_list_avx512,
    .collect = topk_collect_avx512,
    .compact = topk_compact_avx512,
    .pack = topk_pack_avx512,
    .sort = topk_sort_avx512,
    .unpack = topk_unpack_avx512,
};
