/* bf16.c - similarities of rows of bf16, two or one against many: checks and dispatch.
 * SPDX-License-Identifier: MIT
 *
 * A pair of 128 takes some 3 ns with AVX512-BF16, and what stands for pair/pair.c stands here. A
 * query is one pass over the gallery, half of the bytes of one in floats, on the caller's thread.
 */
#include "bf16.h"

#include "../call/args.h"
#include "../isa/isa.h"

/* Says which argument is wrong. */
__attribute__((cold, noinline)) static enum mmk_status refuse_pair(enum mmk_similarity similarity,
                                                                   size_t d, const uint16_t *x,
                                                                   const uint16_t *y,
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
                                           enum mmk_similarity similarity, size_t d,
                                           const uint16_t *x, const uint16_t *y, float *result)
{
    if ((unsigned)similarity >= MMK_SIMILARITY_COUNT || result == NULL ||
        ((x == NULL || y == NULL) && d != 0) || d > PTRDIFF_MAX / sizeof(uint16_t))
        return refuse_pair(similarity, d, x, y, result);
    *result = isa->bf16->pair[similarity](d, x, y);
    return MMK_OK;
}

/* The first call finds the instruction set. Out of line: the address of its local variable would
 * cost every later call a stack frame. */
__attribute__((noinline)) static enum mmk_status first_pair(enum mmk_similarity similarity,
                                                            size_t d, const uint16_t *x,
                                                            const uint16_t *y, float *result)
{
    const struct isa_row *isa;
    enum mmk_status status = isa_resolve(&isa);
    if (status != MMK_OK)
        return status;
    return checked_pair(isa, similarity, d, x, y, result);
}

enum mmk_status mmk_similarity_pair_bf16(enum mmk_similarity similarity, size_t d,
                                         const uint16_t *x, const uint16_t *y, float *result)
{
    const struct isa_row *isa = atomic_load_explicit(&isa_row_in_use, memory_order_acquire);
    if (__builtin_expect(isa == NULL, 0))
        return first_pair(similarity, d, x, y, result);
    return checked_pair(isa, similarity, d, x, y, result);
}

enum mmk_status mmk_similarity_query_bf16(enum mmk_similarity similarity, const uint16_t *x,
                                          const struct mmk_matrix *y, const float *squared_norms,
                                          float *result)
{
    const struct isa_row *isa;
    struct args_rows rows;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK || (status = args_similarity(similarity)) != MMK_OK ||
        (status = args_matrix("y", y, ARGS_BF16, ARGS_READ, NULL, &rows)) != MMK_OK)
        return status;
    size_t n = rows.rows, d = rows.columns;
    if (n == 0)
        return MMK_OK;
    if ((status = args_array("x", x, d, sizeof *x)) != MMK_OK ||
        (status = args_array("result", result, n, sizeof *result)) != MMK_OK)
        return status;
    if (similarity == MMK_COSINE && squared_norms != NULL)
        isa->bf16->query_norms(n, d, x, rows.halves, rows.ld, squared_norms, result);
    else
        isa->bf16->query[similarity](n, d, x, rows.halves, rows.ld, result);
    return MMK_OK;
}
