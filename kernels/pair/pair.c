/* pair.c - two vectors, pairs of rows, and normalised rows: checks and dispatch.
 * SPDX-License-Identifier: MIT
 *
 * mmk_similarity_pair: a pair of 128 floats takes about 5 ns, so the way to its inner loop is three
 * loads and an indirect call, without a stack frame, and each check is one compare that is never
 * taken.
 *
 * mmk_similarity_rows is a loop of pairs. Two matrices are two streams that hardware prefetches by
 * itself: on a Zen 5 the loop reads memory as fast as one that only reads, L3 nearly so. Software
 * prefetch of the next rows, by one to several, in any order, is 3 to 10 % slower from memory and
 * up to 45 % from L1. What hardware does not follow is a cosine in two passes, each over half of a
 * row's lines: hence far_cosine.
 *
 * mmk_normalize_rows takes the norm of a row and scales it while it is still in L1: what is greater
 * than the caches costs its reading and its writing. Rows of 16 bits are widened into their place
 * first.
 */
#include "pair.h"

#include "../call/args.h"
#include "../call/fp_state.h"
#include "../half/half.h"
#include "../call/size.h"
#include "../call/threads.h"
#include "../isa/isa.h"

/* Says which argument is wrong. */
__attribute__((cold, noinline)) static enum mmk_status
refuse_pair(enum mmk_similarity similarity, size_t d, const void *x, const void *y,
            size_t element_bytes, const float *result)
{
    enum mmk_status status;
    if ((status = args_similarity(similarity)) != MMK_OK ||
        (status = args_pointer("result", result)) != MMK_OK ||
        (status = args_array("x", x, d, element_bytes)) != MMK_OK)
        return status;
    return args_array("y", y, d, element_bytes);
}

static inline enum mmk_status checked_pair(const struct isa_row *isa,
                                           enum mmk_similarity similarity, size_t d, const float *x,
                                           const float *y, float *result)
{
    if ((unsigned)similarity >= MMK_SIMILARITY_COUNT || result == NULL ||
        ((x == NULL || y == NULL) && d != 0) || d > PTRDIFF_MAX / sizeof(float))
        return refuse_pair(similarity, d, x, y, sizeof *x, result);
    *result = isa->pair->pair[similarity](d, x, y);
    return MMK_OK;
}

/* The first call finds the instruction set. Out of line: the address of its local variable would
 * cost every later call a stack frame. */
__attribute__((noinline)) static enum mmk_status
first_pair(enum mmk_similarity similarity, size_t d, const float *x, const float *y, float *result)
{
    const struct isa_row *isa;
    enum mmk_status status = isa_resolve(&isa);
    if (status != MMK_OK)
        return status;
    return checked_pair(isa, similarity, d, x, y, result);
}

enum mmk_status mmk_similarity_pair(enum mmk_similarity similarity, size_t d, const float *x,
                                    const float *y, float *result)
{
    const struct isa_row *isa = atomic_load_explicit(&isa_row_in_use, memory_order_acquire);
    if (__builtin_expect(isa == NULL, 0))
        return first_pair(similarity, d, x, y, result);
    return checked_pair(isa, similarity, d, x, y, result);
}

/* ---- The same of f16 ------------------------------------------------------------------------- */

static inline enum mmk_status checked_pair_f16(const struct isa_row *isa,
                                               enum mmk_similarity similarity, size_t d,
                                               const uint16_t *x, const uint16_t *y, float *result)
{
    if ((unsigned)similarity >= MMK_SIMILARITY_COUNT || result == NULL ||
        ((x == NULL || y == NULL) && d != 0) || d > PTRDIFF_MAX / sizeof *x)
        return refuse_pair(similarity, d, x, y, sizeof *x, result);
    *result = isa->pair_f16->pair[similarity](d, x, y);
    return MMK_OK;
}

__attribute__((noinline)) static enum mmk_status first_pair_f16(enum mmk_similarity similarity,
                                                                size_t d, const uint16_t *x,
                                                                const uint16_t *y, float *result)
{
    const struct isa_row *isa;
    enum mmk_status status = isa_resolve(&isa);
    if (status != MMK_OK)
        return status;
    return checked_pair_f16(isa, similarity, d, x, y, result);
}

enum mmk_status mmk_similarity_pair_f16(enum mmk_similarity similarity, size_t d, const uint16_t *x,
                                        const uint16_t *y, float *result)
{
    const struct isa_row *isa = atomic_load_explicit(&isa_row_in_use, memory_order_acquire);
    if (__builtin_expect(isa == NULL, 0))
        return first_pair_f16(similarity, d, x, y, result);
    return checked_pair_f16(isa, similarity, d, x, y, result);
}

/* ---- Pairs of rows --------------------------------------------------------------------------- */

/* For less than this one more thread takes longer to start than it saves. */
enum { SHARE_BYTES = 512 << 10 };

struct pairs_of_rows {
    float (*pair)(size_t d, const float *x, const float *y);
    struct args_rows x, y;
    float *result;
};

static void some_pairs(void *pairs_of_rows, size_t worker, size_t workers)
{
    /* A copy: what a result might have overwritten is read anew for each, which costs a fifth. */
    const struct pairs_of_rows p = *(const struct pairs_of_rows *)pairs_of_rows;
    size_t begin, end;
    threads_share(p.x.rows, worker, workers, &begin, &end);
    const float *x = p.x.data + begin * p.x.ld, *y = p.y.data + begin * p.y.ld;
    for (size_t i = begin; i < end; i++, x += p.x.ld, y += p.y.ld)
        p.result[i] = p.pair(p.x.columns, x, y);
}

enum mmk_status mmk_similarity_rows(enum mmk_similarity similarity, const struct mmk_matrix *x,
                                    const struct mmk_matrix *y, float *result,
                                    const struct mmk_options *options)
{
    FP_STATE_DEFAULT();
    const struct isa_row *isa;
    struct pairs_of_rows p = {.result = result};
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK || (status = args_options(options)) != MMK_OK ||
        (status = args_refuse_origin(options, "mmk_similarity_rows takes differences")) != MMK_OK ||
        (status = args_similarity(similarity)) != MMK_OK ||
        (status = args_matrix("x", x, ARGS_F32, ARGS_READ, options, &p.x)) != MMK_OK ||
        (status = args_matrix("y", y, ARGS_F32, ARGS_READ, options, &p.y)) != MMK_OK ||
        (status = args_same_shape("y", &p.y, "x", p.x.rows, p.x.columns)) != MMK_OK)
        return status;
    /* A query needs no result, but its size must be one. */
    const void *there = args_is_query(options) ? (const void *)options : result;
    if ((status = args_array("result", there, p.x.rows, sizeof *result)) != MMK_OK)
        return status;
    if (args_is_query(options)) {
        *options->query = (struct mmk_workspace_bytes){0, 0};
        return MMK_OK;
    }
    size_t bytes = 2 * sizeof(float) * p.x.rows * p.x.columns; /* fits: each half has a size */
    p.pair = similarity == MMK_COSINE && bytes > PAIR_FAR_BYTES ? isa->pair->far_cosine
                                                                : isa->pair->pair[similarity];
    threads_run(args_threads(options, size_min(p.x.rows, 1 + bytes / SHARE_BYTES)), some_pairs, &p);
    return MMK_OK;
}

/* ---- Normalised rows ------------------------------------------------------------------------- */

enum mmk_status mmk_normalize_rows(const struct mmk_matrix *x, const struct mmk_matrix_out *out)
{
    FP_STATE_DEFAULT();
    const struct isa_row *isa;
    struct args_rows rows;
    struct args_out to;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK ||
        (status = args_matrix("x", x, ARGS_FLOATS, ARGS_READ, NULL, &rows)) != MMK_OK ||
        (status = args_matrix_out("out", out, ARGS_F32, rows.rows, rows.columns, "x", NULL, &to)) !=
            MMK_OK)
        return status;
    const struct pair_ops *ops = isa->pair;
    half_widen *widen = half_widen_of(isa->half, rows.type);
    for (size_t i = 0; i < rows.rows && rows.columns > 0; i++) {
        float *normalized = to.data + i * to.ld;
        const float *row = normalized;
        if (widen != NULL)
            widen(rows.columns, rows.halves + i * rows.ld, normalized);
        else
            row = rows.data + i * rows.ld;
        struct row_scale scale = ops->row_scale(rows.columns, row);
        ops->scale_row(rows.columns, row, scale, normalized);
    }
    return MMK_OK;
}
