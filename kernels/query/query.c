/* query.c - one vector against many, and squared norms: checks and dispatch.
 * SPDX-License-Identifier: MIT
 *
 * mmk_similarity_query and mmk_squared_norms are one pass over the gallery each, on the caller's thread.
 * All time is in the inner loops: bringing the rows from L2, L3 or memory, or the FMAs of a cosine whose
 * norms are not given.
 */
#include "query.h"

#include "../call/args.h"
#include "../isa/isa.h"

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
        isa->query->query_norms(n, d, x, y, ldy, squared_norms, result);
    else
        isa->query->query[similarity](n, d, x, y, ldy, result);
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
        isa->query->squared_norms(n, d, y, ldy, out);
    return MMK_OK;
}
