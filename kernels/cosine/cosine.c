/* cosine.c - pair, query, squared norms and normalised rows: checks and dispatch.
 * SPDX-License-Identifier: MIT
 *
 * A pair of 128 floats takes about 5 ns, so the way to its inner loop is three loads and an
 * indirect call, without a stack frame, and each check is one compare that is never taken.
 */
#include "../call/args.h"
#include "../isa/isa.h"
#include "cosine.h"

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
    *result = isa->cosine->pair[similarity](d, x, y);
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

enum mmk_status mmk_similarity_query(enum mmk_similarity similarity, size_t n, size_t d,
                                     const float *x, const float *y, size_t ldy,
                                     const float *squared_norms, float *result)
{
    const struct isa_row *isa;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK)
        return status;
    if ((unsigned)similarity >= MMK_SIMILARITY_COUNT)
        return MMK_ERR_SIMILARITY;
    if ((status = args_matrix(x, n != 0, d, d)) != MMK_OK ||
        (status = args_matrix(y, n, d, ldy)) != MMK_OK ||
        (status = args_matrix(result, 1, n, n)) != MMK_OK)
        return status;
    if (n == 0)
        return MMK_OK;
    if (similarity == MMK_COSINE && squared_norms != NULL)
        isa->cosine->query_norms(n, d, x, y, ldy, squared_norms, result);
    else
        isa->cosine->query[similarity](n, d, x, y, ldy, result);
    return MMK_OK;
}

enum mmk_status mmk_squared_norms(size_t n, size_t d, const float *y, size_t ldy, float *out)
{
    const struct isa_row *isa;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK)
        return status;
    if ((status = args_matrix(y, n, d, ldy)) != MMK_OK ||
        (status = args_matrix(out, 1, n, n)) != MMK_OK)
        return status;
    if (n != 0)
        isa->cosine->squared_norms(n, d, y, ldy, out);
    return MMK_OK;
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
    const struct cosine_ops *ops = isa->cosine;
    for (size_t i = 0; i < m; i++) {
        struct row_scale scale = ops->row_scale(d, x + i * ldx);
        ops->scale_row(d, x + i * ldx, scale, out + i * ldout);
    }
    return MMK_OK;
}
