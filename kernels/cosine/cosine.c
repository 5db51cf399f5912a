/* cosine.c - mmk_similarity_pair, mmk_similarity_query and mmk_normalize_rows: checks and dispatch.
 * SPDX-License-Identifier: MIT
 *
 * A pair of 128 floats takes less than 10 ns, so the way to the inner loop is three loads and one
 * indirect call, and each check is one compare that is never taken.
 */
#include "../isa/isa.h"
#include "cosine.h"

/* Elements of a float array that still fit into the address space. */
#define ELEMENTS_MAX ((size_t)PTRDIFF_MAX / sizeof(float))

/* rows rows, a distance ld apart, do not fit into the address space. */
static bool leaves_address_space(size_t rows, size_t ld)
{
    size_t elements;
    return __builtin_mul_overflow(rows, ld, &elements) || elements > ELEMENTS_MAX;
}

/* The first call, which finds the instruction set. Out of line: the address of a local variable
 * would cost every later call a stack frame. */
__attribute__((noinline)) static enum mmk_status
first_pair(enum mmk_similarity similarity, size_t d, const float *x, const float *y, float *result)
{
    const struct isa_row *row;
    enum mmk_status status = isa_resolve(&row);
    if (status == MMK_OK)
        *result = row->cosine->pair[similarity](d, x, y);
    return status;
}

enum mmk_status mmk_similarity_pair(enum mmk_similarity similarity, size_t d, const float *x,
                                    const float *y, float *result)
{
    if ((unsigned)similarity >= MMK_SIMILARITY_COUNT)
        return MMK_ERR_SIMILARITY;
    if (result == NULL || ((x == NULL || y == NULL) && d != 0))
        return MMK_ERR_NULL;
    if (d > ELEMENTS_MAX)
        return MMK_ERR_SIZE;
    const struct isa_row *row = atomic_load_explicit(&isa_row_in_use, memory_order_acquire);
    if (__builtin_expect(row == NULL, 0))
        return first_pair(similarity, d, x, y, result);
    *result = row->cosine->pair[similarity](d, x, y);
    return MMK_OK;
}

enum mmk_status mmk_similarity_query(enum mmk_similarity similarity, size_t n, size_t d,
                                     const float *x, const float *y, size_t ldy, float *result)
{
    if ((unsigned)similarity >= MMK_SIMILARITY_COUNT)
        return MMK_ERR_SIMILARITY;
    if (n != 0 && (result == NULL || ((x == NULL || y == NULL) && d != 0)))
        return MMK_ERR_NULL;
    if (ldy < d)
        return MMK_ERR_LEADING_DIMENSION;
    if (d > ELEMENTS_MAX || n > ELEMENTS_MAX || leaves_address_space(n, ldy))
        return MMK_ERR_SIZE;
    const struct isa_row *row;
    enum mmk_status status = isa_current(&row);
    if (status != MMK_OK)
        return status;
    if (n != 0)
        row->cosine->query[similarity](n, d, x, y, ldy, result);
    return MMK_OK;
}

enum mmk_status mmk_normalize_rows(size_t m, size_t d, const float *x, size_t ldx, float *out,
                                   size_t ldout)
{
    if (m != 0 && d != 0 && (x == NULL || out == NULL))
        return MMK_ERR_NULL;
    if (ldx < d || ldout < d)
        return MMK_ERR_LEADING_DIMENSION;
    if (leaves_address_space(m, ldx) || leaves_address_space(m, ldout))
        return MMK_ERR_SIZE;
    const struct isa_row *row;
    enum mmk_status status = isa_current(&row);
    if (status != MMK_OK)
        return status;
    if (d == 0)
        return MMK_OK;
    const struct cosine_ops *ops = row->cosine;
    for (size_t i = 0; i < m; i++) {
        struct row_scale scale = ops->row_scale(d, x + i * ldx);
        ops->scale_row(d, x + i * ldx, scale, out + i * ldout);
    }
    return MMK_OK;
}
