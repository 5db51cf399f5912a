/* query_rows_avx512.h - sums of a few rows against one x, on __m512 (internal to query_avx512.c).
 * SPDX-License-Identifier: MIT
 *
 * Three ways by the length of a row: two rows of any length side by side; rows of 65 to 128 floats
 * one after the other; four rows of up to 64 floats. What comes out are 16 or 8 lanes a row, or
 * all the sums of up to 16 rows. query_avx512.c tells what bounds each of them.
 */
#ifndef MMK_QUERY_ROWS_AVX512_H
#define MMK_QUERY_ROWS_AVX512_H

#include "query.h"

#include "../call/size.h"
#include "../pair/lanes_avx512.h"
#include "../simd/trees_avx512.h"

/* Pairs of rows whose trees are summed together: one vector of results. */
enum { PAIRS = 8, GROUP = 2 * PAIRS };

/* Rows of X that one row of Y meets at a time, their sums in registers. */
enum { SEVERAL = 4 };

/* Elements of a row in a line of cache. */
enum { LINE = 64 / sizeof(pair_y) };

/* How far ahead short rows are prefetched, in bytes. From 1024 to 8192 little changes. */
enum { PREFETCH = 2048 };

/* And where each meets several rows of X, which have 16 KB of L1 at 512 columns: half of the least
 * there is. */
enum { PREFETCH_SEVERAL = 4096 };

/* Prefetches the line that is `ahead` bytes on. The address may lie behind the array: a prefetch
 * of nothing does nothing. Where rows of 65 to 128 floats come one by one, one with every load, not
 * four at once: a burst holds up the loads behind it (clang keeps the order). always_inline because
 * gcc 12 takes a function that only prefetches for one without effect and drops the calls. */
__attribute__((always_inline)) static inline void prefetch_line_avx512(const void *p, size_t ahead)
{
    _mm_prefetch((const char *)((uintptr_t)p + ahead), _MM_HINT_T0);
}

/* ---- Blocks of 64 floats --------------------------------------------------------------------- */

struct block {
    __m512 v[4];
};

/* Which floats of a block are there. A mask may be empty, a masked load does not fault. */
struct live_block {
    __mmask16 m[4];
};

/* Of the 16 elements from first on. */
static inline __mmask16 live_avx512(size_t d, size_t first)
{
    size_t count = d > first ? d - first : 0;
    return simd_first(count < 16 ? count : 16);
}

static inline struct live_block live_block_avx512(size_t d)
{
    return (struct live_block){
        {live_avx512(d, 0), live_avx512(d, 16), live_avx512(d, 32), live_avx512(d, 48)}};
}

static inline struct block zero_block_avx512(void)
{
    const __m512 zero = _mm512_setzero_ps();
    return (struct block){{zero, zero, zero, zero}};
}

static inline struct block load_whole_block_avx512(const pair_x *x)
{
    return (struct block){{pair_load_once(x), pair_load_once(x + 16), pair_load_once(x + 32),
                           pair_load_once(x + 48)}};
}

/* 0 for what is not there. */
static inline struct block load_x_block_avx512(struct live_block live, const pair_x *p)
{
    return (struct block){{pair_load_masked(live.m[0], p), pair_load_masked(live.m[1], p + 16),
                           pair_load_masked(live.m[2], p + 32),
                           pair_load_masked(live.m[3], p + 48)}};
}

static inline struct block load_y_block_avx512(struct live_block live, const pair_y *p)
{
    return (struct block){{pair_load_masked(live.m[0], p), pair_load_masked(live.m[1], p + 16),
                           pair_load_masked(live.m[2], p + 32),
                           pair_load_masked(live.m[3], p + 48)}};
}

static inline struct block sub_block_avx512(struct block x, struct block y)
{
    return (struct block){{_mm512_sub_ps(x.v[0], y.v[0]), _mm512_sub_ps(x.v[1], y.v[1]),
                           _mm512_sub_ps(x.v[2], y.v[2]), _mm512_sub_ps(x.v[3], y.v[3])}};
}

static inline struct block mul_block_avx512(struct block x, struct block y)
{
    return (struct block){{_mm512_mul_ps(x.v[0], y.v[0]), _mm512_mul_ps(x.v[1], y.v[1]),
                           _mm512_mul_ps(x.v[2], y.v[2]), _mm512_mul_ps(x.v[3], y.v[3])}};
}

/* x y + sum */
static inline struct block fma_block_avx512(struct block x, struct block y, struct block sum)
{
    return (struct block){
        {_mm512_fmadd_ps(x.v[0], y.v[0], sum.v[0]), _mm512_fmadd_ps(x.v[1], y.v[1], sum.v[1]),
         _mm512_fmadd_ps(x.v[2], y.v[2], sum.v[2]), _mm512_fmadd_ps(x.v[3], y.v[3], sum.v[3])}};
}

static inline __m512 fold_block_avx512(struct block sum)
{
    return simd_fold64x16(sum.v[0], sum.v[1], sum.v[2], sum.v[3]);
}

/* ---- Two rows against one x ----------------------------------------------------------------- */

/* Elements 16 l on of a block of which `left` are there; whole: all are. */
__attribute__((always_inline)) static inline __m512 load_x_part_avx512(bool whole, size_t left,
                                                                       size_t l, const pair_x *p)
{
    return whole ? pair_load_once(p + 16 * l)
                 : pair_load_masked(live_avx512(left, 16 * l), p + 16 * l);
}

__attribute__((always_inline)) static inline __m512 load_y_part_avx512(bool whole, size_t left,
                                                                       size_t l, const pair_y *p)
{
    return whole ? pair_load_once(p + 16 * l)
                 : pair_load_masked(live_avx512(left, 16 * l), p + 16 * l);
}

/* A block of x, y and z. Four times 16 floats in turn, for loads of all at once need more registers
 * than there are: with a tail |x - y|^2 of rows of 300 floats took 1.3 times as long. */
__attribute__((always_inline)) static inline void
dot_two_step_avx512(bool whole, size_t left, const pair_x *x, const pair_y *y, const pair_y *z,
                    struct block *xy, struct block *xz)
{
#pragma GCC unroll 4
    for (size_t l = 0; l < 4; l++) {
        __m512 v = load_x_part_avx512(whole, left, l, x);
        xy->v[l] = _mm512_fmadd_ps(v, load_y_part_avx512(whole, left, l, y), xy->v[l]);
        xz->v[l] = _mm512_fmadd_ps(v, load_y_part_avx512(whole, left, l, z), xz->v[l]);
    }
}

/* x.y and x.z, 8 lanes each */
static inline __m512 dot_two_avx512(size_t d, const pair_x *x, const pair_y *y, const pair_y *z)
{
    struct block xy = zero_block_avx512(), xz = xy;
    size_t k = 0;
    for (; k + 64 <= d; k += 64)
        dot_two_step_avx512(true, 64, x + k, y + k, z + k, &xy, &xz);
    if (k < d)
        dot_two_step_avx512(false, d - k, x + k, y + k, z + k, &xy, &xz);
    return join16_avx512(fold_block_avx512(xy), fold_block_avx512(xz));
}

__attribute__((always_inline)) static inline void
sq_l2_two_step_avx512(bool whole, size_t left, const pair_x *x, const pair_y *y, const pair_y *z,
                      struct block *to_y, struct block *to_z)
{
#pragma GCC unroll 4
    for (size_t l = 0; l < 4; l++) {
        __m512 v = load_x_part_avx512(whole, left, l, x);
        __m512 from_y = _mm512_sub_ps(v, load_y_part_avx512(whole, left, l, y));
        __m512 from_z = _mm512_sub_ps(v, load_y_part_avx512(whole, left, l, z));
        to_y->v[l] = _mm512_fmadd_ps(from_y, from_y, to_y->v[l]);
        to_z->v[l] = _mm512_fmadd_ps(from_z, from_z, to_z->v[l]);
    }
}

/* |x - y|^2 and |x - z|^2 */
static inline __m512 sq_l2_two_avx512(size_t d, const pair_x *x, const pair_y *y, const pair_y *z)
{
    struct block to_y = zero_block_avx512(), to_z = to_y;
    size_t k = 0;
    for (; k + 64 <= d; k += 64)
        sq_l2_two_step_avx512(true, 64, x + k, y + k, z + k, &to_y, &to_z);
    if (k < d)
        sq_l2_two_step_avx512(false, d - k, x + k, y + k, z + k, &to_y, &to_z);
    return join16_avx512(fold_block_avx512(to_y), fold_block_avx512(to_z));
}

__attribute__((always_inline)) static inline void
cosine_two_step_avx512(bool whole, size_t left, const pair_x *x, const pair_y *y, const pair_y *z,
                       struct block *xy, struct block *yy, struct block *xz, struct block *zz)
{
#pragma GCC unroll 4
    for (size_t l = 0; l < 4; l++) {
        __m512 v = load_x_part_avx512(whole, left, l, x);
        __m512 of_y = load_y_part_avx512(whole, left, l, y);
        xy->v[l] = _mm512_fmadd_ps(v, of_y, xy->v[l]);
        yy->v[l] = _mm512_fmadd_ps(of_y, of_y, yy->v[l]);
        __m512 of_z = load_y_part_avx512(whole, left, l, z);
        xz->v[l] = _mm512_fmadd_ps(v, of_z, xz->v[l]);
        zz->v[l] = _mm512_fmadd_ps(of_z, of_z, zz->v[l]);
    }
}

/* x.y and x.z; *squares = |y|^2 and |z|^2 */
static inline __m512 cosine_two_avx512(size_t d, const pair_x *x, const pair_y *y, const pair_y *z,
                                       __m512 *squares)
{
    struct block xy = zero_block_avx512(), yy = xy, xz = xy, zz = xy;
    size_t k = 0;
    for (; k + 64 <= d; k += 64)
        cosine_two_step_avx512(true, 64, x + k, y + k, z + k, &xy, &yy, &xz, &zz);
    if (k < d)
        cosine_two_step_avx512(false, d - k, x + k, y + k, z + k, &xy, &yy, &xz, &zz);
    *squares = join16_avx512(fold_block_avx512(yy), fold_block_avx512(zz));
    return join16_avx512(fold_block_avx512(xy), fold_block_avx512(xz));
}

/* Pairs of rows, 8 -> 1 lane each: the first rows of all pairs, then the second ones. */
static inline __m512 sum_pairs_avx512(const __m512 pair[PAIRS])
{
    __m512 ab = join4_avx512(join8_avx512(pair[0], pair[4]), join8_avx512(pair[1], pair[5]));
    __m512 ce = join4_avx512(join8_avx512(pair[2], pair[6]), join8_avx512(pair[3], pair[7]));
    __m512 t = join2_avx512(ab, ce); /* blocks: first second first second */
    t = _mm512_shuffle_f32x4(t, t, _MM_SHUFFLE(3, 1, 2, 0));
    return _mm512_add_ps(t, _mm512_setzero_ps());
}

/* ---- Rows of 65 to 128 floats against one x, which stays in registers ----------------------- */

/* No loop over blocks and no branch for the tail, which is where such short rows' time goes. */
static inline bool rows_are_short(size_t n, size_t d)
{
    return d > 64 && (d < 128 || (d == 128 && n < QUERY_NEAR_PAIR_BYTES / sizeof(pair_y) / 128));
}

struct two_blocks {
    struct block whole, rest;
};

/* With the lines that are PREFETCH on. */
static inline struct two_blocks load_two_blocks_avx512(struct live_block live, const pair_y *y)
{
    struct two_blocks b;
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        if (16 * i % LINE == 0)
            prefetch_line_avx512(y + 16 * i, PREFETCH);
        b.whole.v[i] = pair_load_once(y + 16 * i);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        if (16 * i % LINE == 0)
            prefetch_line_avx512(y + 64 + 16 * i, PREFETCH);
        b.rest.v[i] = pair_load_masked(live.m[i], y + 64 + 16 * i);
    }
    return b;
}

static inline __m512 dot_two_blocks_avx512(struct two_blocks x, struct two_blocks y)
{
    return fold_block_avx512(fma_block_avx512(x.rest, y.rest, mul_block_avx512(x.whole, y.whole)));
}

static inline __m512 sq_l2_two_blocks_avx512(struct two_blocks x, struct two_blocks y)
{
    struct two_blocks e = {sub_block_avx512(x.whole, y.whole), sub_block_avx512(x.rest, y.rest)};
    return dot_two_blocks_avx512(e, e);
}

/* s[r] = of_row(x, y_r), 16 lanes a row, 0 from `rows` on; squares[r] = |y_r|^2, unless NULL. */
__attribute__((always_inline)) static inline void
sum_short_rows_avx512(__m512 (*of_row)(struct two_blocks x, struct two_blocks y), size_t rows,
                      size_t d, const pair_x *x, const pair_y *y, size_t ldy, __m512 s[GROUP],
                      __m512 *squares)
{
    const struct live_block live = live_block_avx512(d - 64);
    const struct two_blocks b = {load_whole_block_avx512(x), load_x_block_avx512(live, x + 64)};
    for (size_t r = 0; r < rows; r++, y += ldy) {
        struct two_blocks row = load_two_blocks_avx512(live, y);
        s[r] = of_row(b, row);
        if (squares != NULL)
            squares[r] = dot_two_blocks_avx512(row, row);
    }
    for (size_t r = rows; r < GROUP; r++) {
        s[r] = _mm512_setzero_ps();
        if (squares != NULL)
            squares[r] = _mm512_setzero_ps();
    }
}

/* ---- Rows of at most 64 floats against one x, which stays in registers ----------------------- */

/* No chain: four products a row, and the trees, all of them summed in registers. Loads are masked:
 * from L2 the same loop comes to 62 bytes a clock with masks, to 40 without. From memory hardware
 * does not prefetch for them: of 41 GB/s they reach 20, with software prefetch 34. So whole blocks
 * of more than QUERY_NEAR_BYTES together go the general way, two streams at a time without
 * masks. */

/* By the lines that are read: what lies between rows is not. */
static inline bool rows_are_far(size_t n, size_t d)
{
    return n > QUERY_NEAR_BYTES / sizeof(pair_y) / size_round_up(size_max(d, 1), LINE);
}

static inline bool rows_are_one_block(size_t n, size_t d)
{
    return d < 64 || (d == 64 && !rows_are_far(n, d));
}

static inline __m512 dot_block_avx512(struct block x, struct block y)
{
    return fold_block_avx512(mul_block_avx512(x, y));
}

static inline __m512 sq_l2_block_avx512(struct block x, struct block y)
{
    struct block e = sub_block_avx512(x, y);
    return dot_block_avx512(e, e);
}

/* Sums of 4 rows, 16 -> 4 lanes each, as blocks. */
static inline __m512 join_four_avx512(__m512 a, __m512 b, __m512 c, __m512 e)
{
    return join8_avx512(join16_avx512(a, b), join16_avx512(c, e));
}

/* Row 4 i + r is block r of fours[i], 4 -> 1 lane each: element of its own number. */
static inline __m512 sum_fours_avx512(const __m512 fours[4])
{
    __m512 t = join2_avx512(join4_avx512(fours[0], fours[1]), join4_avx512(fours[2], fours[3]));
    const __m512i by_row = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_add_ps(_mm512_permutexvar_ps(by_row, t), _mm512_setzero_ps());
}

/* Rows of one block, and x. */
struct block_rows {
    struct live_block live;
    struct block x;
    size_t ldy;
    bool fetched; /* ahead: rows from memory that stand close, so that what is PREFETCH on is one */
};

static inline struct block_rows block_rows_avx512(size_t n, size_t d, const pair_x *x, size_t ldy)
{
    struct live_block live = live_block_avx512(d);
    return (struct block_rows){live, load_x_block_avx512(live, x), ldy,
                               rows_are_far(n, d) && ldy <= PREFETCH / sizeof(pair_y) / 4};
}

/* Up to GROUP rows, element r of the result that of row r. Behind the last row comes the last row
 * again. */
__attribute__((always_inline)) static inline __m512
sum_some_blocks_avx512(__m512 (*of_row)(struct block x, struct block y), const struct block_rows *b,
                       const pair_y *y, size_t rows, bool fetched)
{
    __m512 fours[4];
    for (size_t i = 0; i < 4; i++)
        fours[i] = _mm512_setzero_ps();
    for (size_t i = 0; 4 * i < rows; i++, y += 4 * b->ldy) {
        size_t last = rows - 1 - 4 * i;
        const pair_y *row[4];
        struct block block[4];
        for (size_t r = 0; r < 4; r++) {
            row[r] = y + (last < r ? last : r) * b->ldy;
            block[r] = load_y_block_avx512(b->live, row[r]);
        }
        if (fetched) {
            for (size_t r = 0; r < 4; r++)
                for (size_t k = 0; k < 64; k += LINE)
                    prefetch_line_avx512(row[r] + k, PREFETCH);
        }
        fours[i] = join_four_avx512(of_row(b->x, block[0]), of_row(b->x, block[1]),
                                    of_row(b->x, block[2]), of_row(b->x, block[3]));
    }
    return sum_fours_avx512(fours);
}

__attribute__((always_inline)) static inline __m512
sum_blocks_avx512(__m512 (*of_row)(struct block x, struct block y), const struct block_rows *b,
                  const pair_y *y, size_t rows)
{
    if (rows == GROUP && !b->fetched) /* the same, without branches */
        return sum_some_blocks_avx512(of_row, b, y, GROUP, false);
    return sum_some_blocks_avx512(of_row, b, y, rows, b->fetched);
}

/* ---- Their cosines --------------------------------------------------------------------------- */

/* The fours of 16 rows stay in registers, moving down one as the next comes: with an index they are
 * on the stack, and a cosine of 64 columns took 1.06 times as long on Zen 5. For a dot product that
 * gained nothing, and |x - y|^2 took 1.2 times as long. */
struct cosine_fours {
    __m512 xy[4], yy[4];
};

static inline void push_fours_avx512(struct cosine_fours *fours, __m512 xy, __m512 yy)
{
#pragma GCC unroll 3
    for (size_t i = 0; i < 3; i++) {
        fours->xy[i] = fours->xy[i + 1];
        fours->yy[i] = fours->yy[i + 1];
    }
    fours->xy[3] = xy;
    fours->yy[3] = yy;
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++)
        __asm__("" : "+v"(fours->xy[i]), "+v"(fours->yy[i]));
}

/* What stands before it is done before: gcc would load four rows first and run out of registers. */
#define ROW_IN_ORDER(xy, yy) __asm__("" : "+v"(xy), "+v"(yy) : : "memory")

/* x.y of up to GROUP rows of one block, and |y|^2. */
__attribute__((always_inline)) static inline __m512
cosine_some_blocks_avx512(const struct block_rows *b, const pair_y *y, size_t rows, bool fetched,
                          __m512 *squares)
{
    const __m512 zero = _mm512_setzero_ps();
    struct cosine_fours fours = {{zero, zero, zero, zero}, {zero, zero, zero, zero}};
    size_t i = 0;
    for (; 4 * i < rows; i++, y += 4 * b->ldy) {
        size_t last = rows - 1 - 4 * i;
        __m512 xy[4], yy[4];
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++) {
            const pair_y *row = y + (last < r ? last : r) * b->ldy;
            struct block block = load_y_block_avx512(b->live, row);
            xy[r] = dot_block_avx512(b->x, block);
            yy[r] = dot_block_avx512(block, block);
            ROW_IN_ORDER(xy[r], yy[r]);
            for (size_t k = 0; fetched && k < 64; k += LINE)
                prefetch_line_avx512(row + k, PREFETCH);
        }
        push_fours_avx512(&fours, join_four_avx512(xy[0], xy[1], xy[2], xy[3]),
                          join_four_avx512(yy[0], yy[1], yy[2], yy[3]));
    }
    for (; i < 4; i++)
        push_fours_avx512(&fours, zero, zero);
    *squares = sum_fours_avx512(fours.yy);
    return sum_fours_avx512(fours.xy);
}

__attribute__((always_inline)) static inline __m512
cosine_blocks_avx512(const struct block_rows *b, const pair_y *y, size_t rows, __m512 *squares)
{
    if (rows == GROUP && !b->fetched)
        return cosine_some_blocks_avx512(b, y, GROUP, false, squares);
    return cosine_some_blocks_avx512(b, y, rows, b->fetched, squares);
}

#endif
