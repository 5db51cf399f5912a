/* query.c - one vector against many, and squared norms: checks and dispatch.
 * SPDX-License-Identifier: MIT
 *
 * mmk_similarity_query and mmk_squared_norms are one pass over the gallery each, on the caller's
 * thread. All time is in the inner loops: bringing the rows from L2, L3 or memory, or the FMAs of a
 * cosine whose norms are not given. Squared norms of f16 are taken row by row, their trees, too.
 */
#include "query.h"

#include "../bf16/bf16.h"
#include "../call/args.h"
#include "../call/fp_state.h"
#include "../half/half.h"
#include "../isa/isa.h"
#include "../pair/pair.h"

/* What both kinds of a query check, but for rows of no elements, which are nothing to do. */
static inline enum mmk_status query_arguments(enum mmk_similarity similarity, const void *x,
                                              const struct mmk_matrix *y, unsigned types,
                                              const float *result, struct args_rows *rows)
{
    enum mmk_status status;
    if ((status = args_similarity(similarity)) != MMK_OK ||
        (status = args_matrix("y", y, types, ARGS_READ, NULL, rows)) != MMK_OK || rows->rows == 0)
        return status;
    if ((status = args_array("x", x, rows->columns, args_element_bytes(rows->type))) != MMK_OK)
        return status;
    return args_array("result", result, rows->rows, sizeof *result);
}

enum mmk_status mmk_similarity_query(enum mmk_similarity similarity, const float *x,
                                     const struct mmk_matrix *y, const float *squared_norms,
                                     float *result)
{
    const struct isa_row *isa;
    struct args_rows rows;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK ||
        (status = query_arguments(similarity, x, y, ARGS_F32, result, &rows)) != MMK_OK ||
        rows.rows == 0)
        return status;
    size_t n = rows.rows, d = rows.columns;
    if (similarity == MMK_COSINE && squared_norms != NULL)
        isa->query->query_norms(n, d, x, rows.data, rows.ld, squared_norms, result);
    else
        isa->query->query[similarity](n, d, x, rows.data, rows.ld, result);
    return MMK_OK;
}

/* x is widened once; where it is too long for that, a pair is widened as it is read. */
enum mmk_status mmk_similarity_query_f16(enum mmk_similarity similarity, const uint16_t *x,
                                         const struct mmk_matrix *y, const float *squared_norms,
                                         float *result)
{
    const struct isa_row *isa;
    struct args_rows rows;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK ||
        (status = query_arguments(similarity, x, y, ARGS_F16, result, &rows)) != MMK_OK ||
        rows.rows == 0)
        return status;
    size_t n = rows.rows, d = rows.columns;
    if (d > QUERY_WIDE_ROW) {
        for (size_t j = 0; j < n; j++)
            result[j] = isa->pair_f16->pair[similarity](d, x, rows.halves + j * rows.ld);
        return MMK_OK;
    }
    _Alignas(64) float wide[QUERY_WIDE_ROW];
    isa->half->f16(d, x, wide);
    if (similarity == MMK_COSINE && squared_norms != NULL)
        isa->query_f16->query_norms(n, d, wide, rows.halves, rows.ld, squared_norms, result);
    else
        isa->query_f16->query[similarity](n, d, wide, rows.halves, rows.ld, result);
    return MMK_OK;
}

enum mmk_status mmk_squared_norms(const struct mmk_matrix *y, float *out)
{
    FP_STATE_DEFAULT();
    const struct isa_row *isa;
    struct args_rows rows;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK ||
        (status = args_matrix("y", y, ARGS_FLOATS, ARGS_READ, NULL, &rows)) != MMK_OK ||
        (status = args_array("out", out, rows.rows, sizeof *out)) != MMK_OK)
        return status;
    if (rows.rows == 0)
        return MMK_OK;
    if (rows.type == MMK_BF16)
        isa->bf16->squared_norms(rows.rows, rows.columns, rows.halves, rows.ld, out);
    else if (rows.type == MMK_F16)
        for (size_t j = 0; j < rows.rows; j++)
            out[j] = isa->pair_f16->square(rows.columns, rows.halves + j * rows.ld);
    else
        isa->query->squared_norms(rows.rows, rows.columns, rows.data, rows.ld, out);
    return MMK_OK;
}
