/* ops.c - mmk-ops: the inner loops of top-k, on each instruction set of this machine, against what
 * kernels/topk/topk.h says of them.
 * SPDX-License-Identifier: MIT
 *
 * What a whole call shows of a loop depends on what it happens to be given: a tail of a buffer that
 * is seldom cut back, a sort of just so many keys. Here each has every length. What stands behind
 * an input is not to be read where it is the caller's (a page that is not there), and else changes
 * nothing. The last line is "N passed, N failed, 0 skipped"; runs in qemu, too.
 */
#include "../../kernels/isa/isa.h"
#include "../../kernels/topk/order.h"
#include "../../kernels/topk/topk.h"
#include "../check/guard.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 600, ROOM = MOST + 64, LONGEST = 300, KEYS = 2 * 1024 + 32 };

static size_t passed, failed;
static const struct topk_ops *ops;
static const char *isa_name;

__attribute__((format(printf, 2, 3))) static void expect(bool right, const char *format, ...)
{
    passed += right;
    failed += !right;
    if (right || failed > 20)
        return;
    va_list args;
    va_start(args, format);
    printf("FAIL topk's loops, %s: ", isa_name);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

/* ---- Values ---------------------------------------------------------------------------------- */

static uint64_t state = 1;

static uint32_t below(uint32_t limit)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((state >> 33) * limit) >> 31);
}

/* Kinds: all below 0, all above, both, few different ones, any bits, NaN and Inf among numbers. */
enum { KINDS = 6 };

static float value_of(int kind)
{
    static const float few[] = {-1, -0.0f, 0, 0.25f, 0.25f, 3};
    static const float special[] = {NAN, INFINITY, -INFINITY, -0.0f, 0, 1e-45f, -1e-45f};
    float number = (1 + (float)below(1u << 24)) * 0x1p-20f;
    switch (kind) {
    case 0:
        return -number;
    case 1:
        return number;
    case 2:
        return below(2) ? number : -number;
    case 3:
        return few[below(sizeof few / sizeof few[0])];
    case 4:
        return simd_from_bits(below(1u << 31) << 1 | below(2));
    default:
        return below(3) ? number - 8 : special[below(sizeof special / sizeof special[0])];
    }
}

/* n values of a kind, and behind them what must not count. */
static void fill(float *to, size_t n, size_t behind, int kind)
{
    static const float beyond[] = {INFINITY, -INFINITY, 0, -1e30f, 1e30f};
    float other = beyond[below(5)];
    for (size_t i = 0; i < n; i++)
        to[i] = value_of(kind);
    for (size_t i = n; i < n + behind; i++)
        to[i] = other;
}

static bool same(float a, float b)
{
    return simd_bits(a) == simd_bits(b) || (a == b) || (a != a && b != b);
}

/* Room for n floats that ends at a page that is not there. */
static float *before_guard(size_t n)
{
    static struct guard guard;
    return guard_place(&guard, n * sizeof(float), PLACE_END, 0);
}

/* ---- Loops over values ----------------------------------------------------------------------- */

static void ranges(size_t n, int kind)
{
    static float values[ROOM];
    fill(values, n, 64, kind);
    float above = value_of(kind), limit = value_of(kind);
    float least = INFINITY, greatest = -INFINITY, low = INFINITY, high = -INFINITY, got[4];
    for (size_t i = 0; i < n; i++) {
        least = values[i] < least ? values[i] : least;
        greatest = values[i] > greatest ? values[i] : greatest;
        bool in = values[i] > above && values[i] < limit;
        low = in && values[i] < low ? values[i] : low;
        high = in && values[i] > high ? values[i] : high;
    }
    ops->range(n, values, &got[0], &got[1]);
    expect(same(got[0], least) && same(got[1], greatest), "range of %zu: %g to %g, not %g to %g", n,
           (double)got[0], (double)got[1], (double)least, (double)greatest);
    ops->between(n, values, above, limit, &got[2], &got[3]);
    expect(same(got[2], low) && same(got[3], high),
           "between %g and %g, of %zu: %g to %g, not %g to %g", (double)above, (double)limit, n,
           (double)got[2], (double)got[3], (double)low, (double)high);
}

static void counts(size_t n, int kind)
{
    float *values = before_guard(n), at_least = value_of(kind);
    fill(values, n, 0, kind);
    size_t count = 0, got = ops->count(n, values, at_least);
    for (size_t i = 0; i < n; i++)
        count += values[i] >= at_least;
    expect(got == count, "count of %zu: %zu, not %zu", n, got, count);
}

static void compacts(size_t n, int kind)
{
    static float values[ROOM], kept[ROOM];
    static uint32_t indices[ROOM], kept_indices[ROOM];
    float at_least = value_of(kind);
    fill(values, n, 64, kind);
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        indices[i] = (uint32_t)(3 * i + 1);
        if (values[i] >= at_least) {
            kept[count] = values[i];
            kept_indices[count++] = indices[i];
        }
    }
    size_t got = ops->compact(n, values, indices, at_least);
    expect(got == count && memcmp(values, kept, count * sizeof *kept) == 0 &&
               memcmp(indices, kept_indices, count * sizeof *kept_indices) == 0,
           "compact of %zu keeps %zu; right is %zu, in order, with their indices", n, got, count);
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

static void maxima_and_list(size_t n, size_t depth, int kind)
{
    static float maxima[LONGEST * 64], right[LONGEST * 64];
    static uint32_t list[LONGEST * 64];
    float *scores = before_guard(n);
    fill(scores, n, 0, kind);
    size_t lanes = ops->lanes, block = depth * lanes, blocks = (n + block - 1) / block;
    for (size_t i = 0; i < blocks * lanes; i++)
        right[i] = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        float *at = &right[i / block * lanes + i % lanes];
        *at = scores[i] > *at ? scores[i] : *at;
    }
    ops->maxima(n, scores, depth, maxima);
    for (size_t i = 0; i < blocks * lanes; i++)
        if (!same(maxima[i], right[i])) {
            expect(false,
                   "maxima of %zu in blocks of depth %zu: lane %zu of block %zu is %g, not %g", n,
                   depth, i % lanes, i / lanes, (double)maxima[i], (double)right[i]);
            return;
        }
    passed++;
    float at_least = value_of(kind);
    size_t got = ops->list(blocks, maxima, at_least, list), listed = 0;
    bool good = true;
    for (size_t b = 0; b < blocks; b++) {
        bool in = false;
        for (size_t l = 0; l < lanes; l++)
            in = in || right[b * lanes + l] >= at_least;
        good = good && (!in || (listed < got && list[listed] == b));
        listed += in;
    }
    expect(good && listed == got, "list of %zu blocks: %zu, not %zu, or others", blocks, got,
           listed);
}

/* All -Inf but one: it comes out once, in its group. */
static void folds(size_t vectors, size_t depth)
{
    static float maxima[ROOM], folded[ROOM];
    size_t lanes = ops->lanes, n = vectors * lanes, groups = (vectors + depth - 1) / depth;
    for (size_t at = 0; at < n; at++) {
        for (size_t i = 0; i < n; i++)
            maxima[i] = i == at ? 2 : -INFINITY;
        ops->fold(n, maxima, depth, folded);
        size_t here = 0, elsewhere = 0;
        for (size_t i = 0; i < groups * lanes; i++) {
            bool in = i / lanes == at / lanes / depth;
            here += in && same(folded[i], 2);
            elsewhere += !same(folded[i], in ? 2 : -INFINITY) && !(in && folded[i] == -INFINITY);
        }
        expect(here == 1 && elsewhere == 0,
               "fold of %zu maxima, depth %zu: number %zu is in %zu of its group's", n, depth, at,
               here);
    }
}

static void collects(size_t n, size_t depth, int kind)
{
    static float values[LONGEST * 64 + ROOM];
    static uint32_t indices[LONGEST * 64 + ROOM], list[LONGEST * 64];
    float *scores = before_guard(n), at_least = value_of(kind);
    fill(scores, n, 0, kind);
    size_t block = depth * ops->lanes, blocks = (n + block - 1) / block;
    struct topk_blocks b = {
        .n = n, .depth = depth, .scores = scores, .first_index = 7, .list = list};
    uint32_t one_in = 1 + below(3);
    for (size_t i = 0; i < blocks; i++)
        if (below(one_in) == 0)
            list[b.listed++] = (uint32_t)i;
    size_t next = 0, checked = 0;
    bool good = true;
    while (good && next < b.listed) {
        size_t room = block + below((uint32_t)block), before = next, count = 0;
        size_t got = ops->collect(&b, at_least, &next, values, indices, room);
        for (; before < next; before++)
            for (size_t i = list[before] * block; i < n && i < (list[before] + 1) * block; i++)
                if (scores[i] >= at_least) {
                    good = good && count < got && indices[count] == 7 + i &&
                           simd_bits(values[count]) == simd_bits(scores[i]);
                    count++;
                }
        good = good && count == got && got <= room && next > checked &&
               (next == b.listed || room - got < block);
        checked = next;
    }
    expect(good, "collect of %zu in blocks of depth %zu", n, depth);
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static void packs(size_t n, int kind)
{
    static float values[ROOM], back[ROOM];
    static uint32_t indices[ROOM], back_indices[ROOM];
    static uint64_t keys[ROOM];
    fill(values, n, 64, kind);
    bool minus_zero = false, good = true;
    for (size_t i = 0; i < n; i++) {
        indices[i] = below(1u << 31) << 1 | below(2);
        minus_zero = minus_zero || simd_bits(values[i]) == 0x80000000u;
    }
    expect(ops->pack(n, values, indices, keys) == minus_zero, "pack of %zu: -0 is there: %d", n,
           minus_zero);
    for (size_t i = 0; i < n; i++)
        good = good && keys[i] == ((uint64_t)topk_order(values[i]) << 32 | (uint32_t)~indices[i]);
    expect(good, "pack of %zu: other keys", n);
    for (int which = 0; which < 3; which++) {
        for (size_t i = 0; i < n + 4; i++) {
            back[i] = -77;
            back_indices[i] = 77;
        }
        ops->unpack(n, keys, which == 1 ? NULL : back, which == 2 ? NULL : back_indices);
        good = true;
        for (size_t i = 0; i < n + 4; i++) {
            float value = i >= n || which == 1     ? -77
                          : values[i] != values[i] ? simd_from_bits(0x7fc00000u)
                                                   : values[i] + 0.0f;
            good = good && simd_bits(back[i]) == simd_bits(value) &&
                   back_indices[i] == (i >= n || which == 2 ? 77 : indices[i]);
        }
        expect(good, "unpack of %zu", n);
    }
}

static int descending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

static void sorts(size_t n, uint32_t high)
{
    static uint64_t keys[KEYS] __attribute__((aligned(64))), right[KEYS];
    for (size_t i = 0; i < n; i++)
        keys[i] = right[i] = (uint64_t)below(high) << 32 | (uint32_t) ~(i * 37 % 1031);
    qsort(right, n, sizeof *right, descending);
    const uint64_t *got = ops->sort(n, keys);
    expect(memcmp(got, right, n * sizeof *right) == 0, "sort of %zu", n);
}

/* ---- All ------------------------------------------------------------------------------------- */

static void check_ops(void)
{
    for (size_t n = 0; n <= MOST; n += n < 150 ? 1 : 37)
        for (int kind = 0; kind < KINDS; kind++) {
            ranges(n, kind);
            counts(n, kind);
            compacts(n, kind);
            packs(n, kind);
        }
    for (size_t depth = 2; depth <= TOPK_DEPTH_MAX && depth * ops->lanes <= TOPK_BLOCK_MAX;
         depth *= 2)
        for (size_t n = 1; n < 10 * depth * ops->lanes; n += 1 + n / 8)
            for (int kind = 0; kind < KINDS; kind++) {
                maxima_and_list(n, depth, kind);
                collects(n, depth, kind);
            }
    for (size_t depth = 2; depth <= TOPK_DEPTH_MAX; depth += 2)
        for (size_t vectors = 1; vectors * ops->lanes <= MOST && vectors <= 2 * depth + 3;
             vectors++)
            folds(vectors, depth);
    for (size_t n = 0; n <= ops->sort_max; n++) {
        sorts(n, 1u << 31);
        sorts(n, 4);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        fprintf(stderr, "mmk-ops: '%s': it takes nothing, and tries all that can run here.\n",
                argv[1]);
        return 2;
    }
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        if (mmk_isa_usable((enum mmk_isa)isa) != MMK_OK)
            continue;
        ops = isa_builtin_row((enum mmk_isa)isa)->topk;
        isa_name = mmk_isa_name((enum mmk_isa)isa);
        check_ops();
    }
    printf("%zu passed, %zu failed, 0 skipped\n", passed, failed);
    return failed > 0;
}
