/* pair.c - two vectors, and normalised rows: checks and dispatch.
 * SPDX-License-Identifier: MIT
 *
 * mmk_similarity_pair: a pair of 128 floats takes about 5 ns, so the way to its inner loop is three
 * loads and an indirect call, without a stack frame, and each check is one compare that is never taken.
 *
 * mmk_normalize_rows takes the norm of a row and scales it while it is still in L1: what is greater than
 * the caches costs its reading and its writing.
 */
#include "pair.h"

#include "../call/args.h"
#include "../isa/isa.h"

static inline enum mmk_status checked_pair(const struct isa_row *isa,
                                           enum mmk_similarity similarity, size_t d, const float *x,
                                           const float *y, float *result)
{
    if ((unsigned)similarity >= MMK_SIMILARITY_COUNT)
        return MMK_ERR_SIMILARITY;
    if (result == NULL || ((x == NULL || y == NULL) && d != 0))
        return MMK_ERR_NULL;
    if (d > PTRDIFF_MAX / sizeof(float))
        return MMK_ERR_SIZE;
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

enum mmk_status mmk_normalize_rows(size_t m, size_t d, const float *x, size_t ldx, float *out,
                                   size_t ldout)
{
    const struct isa_row *isa;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK)
        return status;
    if ((status = args_matrix(x, m, d, ldx)) != MMK_OK ||
        (status = args_matrix(out, m, d, ldout)) != MMK_OK)
        return status;
    if (d == 0)
        return MMK_OK;
    const struct pair_ops *ops = isa->pair;
    for (size_t i = 0; i < m; i++) {
        struct row_scale scale = ops->row_scale(d, x + i * ldx);
        ops->scale_row(d, x + i * ldx, scale, out + i * ldout);
    }
    return MMK_OK;
}
