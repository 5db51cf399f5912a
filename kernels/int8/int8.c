/* int8.c - products of rows of MMK_I8, two or one against many: checks and dispatch.
 * SPDX-License-Identifier: MIT
 *
 * A pair of 128 codes takes some 3 ns, and what stands for pair/pair.c stands here: three loads, an
 * indirect call, and checks that are never taken. A query is one pass over the gallery, a quarter
 * of the bytes of one in floats, on the caller's thread.
 */
#include "int8.h"

#include "../call/args.h"
#include "../isa/isa.h"

/* Says which argument is wrong. */
__attribute__((cold, noinline)) static enum mmk_status refuse_pair(enum mmk_similarity similarity,
                                                                   size_t d, const int8_t *x,
                                                                   const int8_t *y,
                                                                   const void *result)
{
    enum mmk_status status;
    if ((status = args_similarity(similarity)) != MMK_OK ||
        (status = args_pointer("result", result)) != MMK_OK ||
        (status = args_i8_columns("d", d)) != MMK_OK ||
        (status = args_array("x", x, d, sizeof *x)) != MMK_OK)
        return status;
    return args_array("y", y, d, sizeof *y);
}

static inline bool is_wrong(size_t d, const int8_t *x, const int8_t *y, const void *result)
{
    return result == NULL || ((x == NULL || y == NULL) && d != 0) || d > ARGS_I8_COLUMNS;
}

enum mmk_status mmk_dot_pair_i8(size_t d, const int8_t *x, const int8_t *y, int32_t *result)
{
    const struct isa_row *isa;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK)
        return status;
    if (is_wrong(d, x, y, result))
        return refuse_pair(MMK_DOT, d, x, y, result);
    *result = isa->int8->dot(d, x, y);
    return MMK_OK;
}

enum mmk_status mmk_similarity_pair_i8(enum mmk_similarity similarity, size_t d, const int8_t *x,
                                       float x_scale, const int8_t *y, float y_scale, float *result)
{
    const struct isa_row *isa;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK)
        return status;
    if ((unsigned)similarity >= MMK_SIMILARITY_COUNT || is_wrong(d, x, y, result))
        return refuse_pair(similarity, d, x, y, result);
    *result = isa->int8->pair[similarity](d, x, x_scale, y, y_scale);
    return MMK_OK;
}

/* The gallery of a query, and what else must be there if it has rows. */
static enum mmk_status take_query(const int8_t *x, const struct mmk_matrix *y, const void *result,
                                  size_t result_bytes, struct args_rows *rows)
{
    enum mmk_status status = args_matrix("y", y, ARGS_I8, ARGS_READ, NULL, rows);
    if (status != MMK_OK || (status = args_i8_columns("y.columns", rows->columns)) != MMK_OK ||
        rows->rows == 0)
        return status;
    if ((status = args_array("x", x, rows->columns, sizeof *x)) != MMK_OK)
        return status;
    return args_array("result", result, rows->rows, result_bytes);
}

enum mmk_status mmk_dot_query_i8(const int8_t *x, const struct mmk_matrix *y, int32_t *result)
{
    const struct isa_row *isa;
    struct args_rows rows;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK || (status = take_query(x, y, result, sizeof *result, &rows)) != MMK_OK)
        return status;
    if (rows.row_scales != NULL)
        return args_error(MMK_ERR_CONFLICT, "y.row_scales is given, and products of codes have "
                                            "none; mmk_similarity_query_i8 takes them");
    if (rows.rows > 0)
        isa->int8->dots(rows.rows, rows.columns, x, rows.codes, rows.ld, result);
    return MMK_OK;
}

enum mmk_status mmk_similarity_query_i8(enum mmk_similarity similarity, const int8_t *x,
                                        float x_scale, const struct mmk_matrix *y, float *result)
{
    const struct isa_row *isa;
    struct args_rows rows;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK || (status = args_similarity(similarity)) != MMK_OK ||
        (status = take_query(x, y, result, sizeof *result, &rows)) != MMK_OK)
        return status;
    if (rows.rows > 0)
        isa->int8->query[similarity](rows.rows, rows.columns, x, x_scale, rows.codes, rows.ld,
                                     rows.row_scales, result);
    return MMK_OK;
}
