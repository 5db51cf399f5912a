/* pair.c - two vectors, and normalised rows: checks and dispatch.
 * SPDX-License-Identifier: MIT
 *
 * mmk_similarity_pair: a pair of 128 floats takes about 5 ns, so the way to its inner loop is three
 * loads and an indirect call, without a stack frame, and each check is one compare that is never
 * taken.
 *
 * mmk_normalize_rows takes the norm of a row and scales it while it is still in L1: what is greater
 * than the caches costs its reading and its writing.
 */
#include "pair.h"

#include "../call/args.h"
#include "../call/fp_state.h"
#include "../isa/isa.h"

/* Says which argument is wrong. */
__attribute__((cold, noinline)) static enum mmk_status refuse_pair(enum mmk_similarity similarity,
                                                                   size_t d, const float *x,
                                                                   const float *y,
                                                                   const float *result)
{
    enum mmk_status status;
    if ((status = args_similarity(similarity)) != MMK_OK ||
        (status = args_pointer("result", result)) != MMK_OK ||
        (status = args_array("x", x, d, sizeof *x)) != MMK_OK)
        return status;
    return args_array("y", y, d, sizeof *y);
}

static inline enum mmk_status checked_pair(const struct isa_row *isa,
                                           enum mmk_similarity similarity, size_t d, const float *x,
                                           const float *y, float *result)
{
    if ((unsigned)similarity >= MMK_SIMILARITY_COUNT || result == NULL ||
        ((x == NULL || y == NULL) && d != 0) || d > PTRDIFF_MAX / sizeof(float))
        return refuse_pair(similarity, d, x, y, result);
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

enum mmk_status mmk_normalize_rows(const struct mmk_matrix *x, const struct mmk_matrix_out *out)
{
    FP_STATE_DEFAULT();
    const struct isa_row *isa;
    struct args_rows rows;
    struct args_out to;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK || (status = args_matrix("x", x, ARGS_READ, NULL, &rows)) != MMK_OK ||
        (status = args_matrix_out("out", out, rows.rows, rows.columns, "x", NULL, &to)) != MMK_OK)
        return status;
    const struct pair_ops *ops = isa->pair;
    for (size_t i = 0; i < rows.rows && rows.columns > 0; i++) {
        const float *row = rows.data + i * rows.ld;
        struct row_scale scale = ops->row_scale(rows.columns, row);
        ops->scale_row(rows.columns, row, scale, to.data + i * to.ld);
    }
    return MMK_OK;
}
