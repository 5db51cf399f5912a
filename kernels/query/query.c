/* query.c - one vector against many, and squared norms: checks and dispatch.
 * SPDX-License-Identifier: MIT
 *
 * mmk_similarity_query and mmk_squared_norms are one pass over the gallery each, on the caller's
 * thread. All time is in the inner loops: bringing the rows from L2, L3 or memory, or the FMAs of a
 * cosine whose norms are not given.
 */
#include "query.h"

#include "../call/args.h"
#include "../call/fp_state.h"
#include "../isa/isa.h"

enum mmk_status mmk_similarity_query(enum mmk_similarity similarity, const float *x,
                                     const struct mmk_matrix *y, const float *squared_norms,
                                     float *result)
{
    const struct isa_row *isa;
    struct args_rows rows;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK || (status = args_similarity(similarity)) != MMK_OK ||
        (status = args_matrix("y", y, ARGS_F32, ARGS_READ, NULL, &rows)) != MMK_OK)
        return status;
    size_t n = rows.rows, d = rows.columns;
    if (n == 0)
        return MMK_OK;
    if ((status = args_array("x", x, d, sizeof *x)) != MMK_OK ||
        (status = args_array("result", result, n, sizeof *result)) != MMK_OK)
        return status;
    if (similarity == MMK_COSINE && squared_norms != NULL)
        isa->query->query_norms(n, d, x, rows.data, rows.ld, squared_norms, result);
    else
        isa->query->query[similarity](n, d, x, rows.data, rows.ld, result);
    return MMK_OK;
}

enum mmk_status mmk_squared_norms(const struct mmk_matrix *y, float *out)
{
    FP_STATE_DEFAULT();
    const struct isa_row *isa;
    struct args_rows rows;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK ||
        (status = args_matrix("y", y, ARGS_F32, ARGS_READ, NULL, &rows)) != MMK_OK ||
        (status = args_array("out", out, rows.rows, sizeof *out)) != MMK_OK)
        return status;
    if (rows.rows != 0)
        isa->query->squared_norms(rows.rows, rows.columns, rows.data, rows.ld, out);
    return MMK_OK;
}
