/* args.c - argument checks, and the sentence that says what was wrong.
 * SPDX-License-Identifier: MIT
 */
#include "args.h"

#include "threads.h"

#include <math.h>
#include <omp.h>
#include <stdarg.h>
#include <stdio.h>

/* Of the thread: a sentence is written on an error only, so that a call without one costs
 * nothing. */
static _Thread_local char detail[256];

const char *mmk_error_detail(void)
{
    return detail;
}

enum mmk_status args_error(enum mmk_status status, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(detail, sizeof detail, format, list);
    va_end(list);
    return status;
}

enum mmk_status args_reserved(const char *name, const void *const *reserved, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (reserved[i] != NULL)
            return args_error(
                MMK_ERR_RESERVED,
                "%s.reserved[%zu] is not 0: initialise the struct with zeros, or link "
                "the library that its mmk.h belongs to",
                name, i);
    return MMK_OK;
}

static const struct {
    const char *name, *elements;
    size_t bytes;
} all_types[] = {[MMK_F32] = {"MMK_F32", "floats", sizeof(float)},
                 [MMK_I8] = {"MMK_I8", "int8", sizeof(int8_t)},
                 [MMK_I32] = {"MMK_I32", "int32", sizeof(int32_t)},
                 [MMK_F16] = {"MMK_F16", "f16", sizeof(uint16_t)},
                 [MMK_BF16] = {"MMK_BF16", "bf16", sizeof(uint16_t)}};

enum { TYPES = sizeof all_types / sizeof all_types[0] };

size_t args_element_bytes(enum mmk_type type)
{
    return all_types[type].bytes;
}

/* Rows that do not overlap, and a size that can be addressed. */
static enum mmk_status check_extent(const char *name, enum mmk_type type, size_t rows,
                                    size_t columns, size_t ld)
{
    size_t elements;
    if (ld < columns)
        return args_error(MMK_ERR_LEADING_DIMENSION,
                          "%s.leading_dimension is %zu, less than its %zu columns", name, ld,
                          columns);
    if (__builtin_mul_overflow(rows, ld, &elements) ||
        elements > PTRDIFF_MAX / args_element_bytes(type))
        return args_error(MMK_ERR_SIZE, "%s: %zu rows of %zu %s cannot be addressed", name, rows,
                          ld, all_types[type].elements);
    return MMK_OK;
}

static enum mmk_status check_type(const char *name, enum mmk_type type, unsigned types)
{
    if ((unsigned)type < TYPES && (types >> type & 1) != 0)
        return MMK_OK;
    char taken[64] = "";
    for (unsigned t = 0, used = 0; t < TYPES; t++)
        if ((types >> t & 1) != 0)
            used += (unsigned)snprintf(taken + used, sizeof taken - used, "%s%s",
                                       used > 0 ? " or " : "", all_types[t].name);
    return args_error(
        MMK_ERR_TYPE, "%s.type is %d (%s); what is taken is %s", name, (int)type,
        (unsigned)type < TYPES ? all_types[type].name : "not a value of enum mmk_type", taken);
}

/* Where the rows of a matrix without elements stand, whose data may be NULL: row r of NULL would be
 * an offset to a null pointer, which C does not define, be it 0. */
static const float no_elements;

enum mmk_status args_matrix(const char *name, const struct mmk_matrix *matrix, unsigned types,
                            enum args_use use, const struct mmk_options *options,
                            struct args_rows *rows)
{
    enum mmk_status status;
    if ((status = args_pointer(name, matrix)) != MMK_OK ||
        (status = ARGS_RESERVED(name, matrix)) != MMK_OK ||
        (status = check_type(name, matrix->type, types)) != MMK_OK)
        return status;
    if (matrix->row_scales != NULL && matrix->type != MMK_I8)
        return args_error(MMK_ERR_TYPE, "%s.row_scales must be NULL: rows of %s have none", name,
                          all_types[matrix->type].name);
    *rows = (struct args_rows){.data = matrix->data,
                               .rows = matrix->rows,
                               .columns = matrix->columns,
                               .ld = matrix->leading_dimension != 0 ? matrix->leading_dimension
                                                                    : matrix->columns,
                               .type = matrix->type,
                               .row_scales = matrix->row_scales,
                               .packed = matrix->packed};
    if (matrix->packed != NULL) {
        if (use != ARGS_READ_OR_PACKED)
            return args_error(MMK_ERR_GALLERY, "%s is packed; this function needs its rows", name);
        return matrix->data == NULL
                   ? MMK_OK
                   : args_error(MMK_ERR_CONFLICT, "%s has data and is packed, too", name);
    }
    if (rows->rows == 0 || rows->columns == 0) {
        if (matrix->data == NULL) {
            rows->data = &no_elements;
            rows->ld = 0;
        }
        return MMK_OK;
    }
    if (matrix->data == NULL && !args_is_query(options))
        return args_error(MMK_ERR_NULL, "%s.data is NULL", name);
    return check_extent(name, rows->type, rows->rows, rows->columns, rows->ld);
}

enum mmk_status args_i8_columns(const char *name, size_t columns)
{
    return columns <= ARGS_I8_COLUMNS
               ? MMK_OK
               : args_error(MMK_ERR_SIZE,
                            "%s is %zu; sums over rows of MMK_I8 fit 32 bits up to %d columns",
                            name, columns, ARGS_I8_COLUMNS);
}

enum mmk_status args_matrix_out(const char *name, const struct mmk_matrix_out *matrix,
                                unsigned types, size_t rows, size_t columns, const char *of,
                                const struct mmk_options *options, struct args_out *out)
{
    enum mmk_status status;
    if ((status = args_pointer(name, matrix)) != MMK_OK ||
        (status = ARGS_RESERVED(name, matrix)) != MMK_OK ||
        (status = check_type(name, matrix->type, types)) != MMK_OK)
        return status;
    if (matrix->rows != rows)
        return args_error(MMK_ERR_SHAPE, "%s has %zu rows, %s %zu", name, matrix->rows, of, rows);
    if (matrix->columns != columns)
        return args_error(MMK_ERR_SHAPE, "%s has %zu columns, %s %zu", name, matrix->columns, of,
                          columns);
    *out = (struct args_out){.data = matrix->data,
                             .ld = matrix->leading_dimension != 0 ? matrix->leading_dimension
                                                                  : columns,
                             .type = matrix->type};
    if (rows == 0 || columns == 0)
        return MMK_OK;
    if (matrix->data == NULL && !args_is_query(options))
        return args_error(MMK_ERR_NULL, "%s.data is NULL", name);
    return check_extent(name, out->type, rows, columns, out->ld);
}

enum mmk_status args_same_columns(const char *name, size_t columns, const char *of,
                                  size_t of_columns)
{
    return columns == of_columns ? MMK_OK
                                 : args_error(MMK_ERR_SHAPE, "%s has %zu columns, %s has %zu", name,
                                              columns, of, of_columns);
}

enum mmk_status args_same_shape(const char *name, const struct args_rows *rows, const char *of,
                                size_t of_rows, size_t of_columns)
{
    if (rows->rows != of_rows)
        return args_error(MMK_ERR_SHAPE, "%s has %zu rows, %s has %zu", name, rows->rows, of,
                          of_rows);
    return args_same_columns(name, rows->columns, of, of_columns);
}

enum mmk_status args_array(const char *name, const void *data, size_t count, size_t size)
{
    if (count == 0)
        return MMK_OK;
    if (data == NULL)
        return args_error(MMK_ERR_NULL, "%s is NULL", name);
    if (count > PTRDIFF_MAX / size)
        return args_error(MMK_ERR_SIZE, "%s: %zu elements cannot be addressed", name, count);
    return MMK_OK;
}

enum mmk_status args_below_2_32(const char *name, const char *what, size_t count)
{
    return count <= UINT32_MAX ? MMK_OK
                               : args_error(MMK_ERR_SIZE, "%s has %zu %s, and must have below 2^32",
                                            name, count, what);
}

enum mmk_status args_topk_results(const char *name, const struct mmk_topk_results *results,
                                  size_t rows, size_t candidates, struct args_topk *out)
{
    enum mmk_status status;
    if ((status = args_pointer(name, results)) != MMK_OK ||
        (status = ARGS_RESERVED(name, results)) != MMK_OK)
        return status;
    size_t k = results->k, ld = results->leading_dimension != 0 ? results->leading_dimension : k;
    *out = (struct args_topk){
        k, k < candidates ? k : candidates, results->values, results->indices, ld, results->count};
    if (results->values == NULL && results->indices == NULL)
        return MMK_OK;
    if (ld < k)
        return args_error(MMK_ERR_LEADING_DIMENSION,
                          "%s.leading_dimension is %zu, less than k, %zu", name, ld, k);
    /* Of the last row only what is found is written. */
    return rows > 1 && out->found > 0 ? check_extent(name, MMK_F32, rows, out->found, ld) : MMK_OK;
}

enum mmk_status args_similarity(enum mmk_similarity similarity)
{
    return (unsigned)similarity < MMK_SIMILARITY_COUNT
               ? MMK_OK
               : args_error(MMK_ERR_SIMILARITY,
                            "similarity is %d, not a value of enum mmk_similarity",
                            (int)similarity);
}

enum mmk_status args_options(const struct mmk_options *options)
{
    if (options == NULL)
        return MMK_OK;
    if (options->threads < 0)
        return args_error(MMK_ERR_THREADS, "options.threads is %d; 0 stands for what OpenMP says",
                          options->threads);
    if ((options->workspace == NULL) != (options->workspace_bytes == 0))
        return args_error(MMK_ERR_WORKSPACE, "options.workspace is %s, workspace_bytes %zu",
                          options->workspace == NULL ? "NULL" : "not NULL",
                          options->workspace_bytes);
    return ARGS_RESERVED("options", options);
}

enum mmk_status args_refuse_origin(const struct mmk_options *options, const char *why)
{
    return options == NULL || options->origin == NULL
               ? MMK_OK
               : args_error(MMK_ERR_CONFLICT, "options.origin is given, and %s", why);
}

enum mmk_status args_options_origin(const struct mmk_options *options,
                                    enum mmk_similarity similarity, size_t d, float limit)
{
    enum mmk_status status = args_options(options);
    if (status != MMK_OK || options == NULL || options->origin == NULL)
        return status;
    if (similarity != MMK_NEG_SQ_L2)
        return args_refuse_origin(options, "only MMK_NEG_SQ_L2 has one");
    for (size_t k = 0; k < d; k++)
        if (!(fabsf(options->origin[k]) < limit))
            return args_error(MMK_ERR_ORIGIN,
                              "options.origin[%zu] is %g; it must be finite and below 2^100", k,
                              (double)options->origin[k]);
    return MMK_OK;
}

int args_threads(const struct mmk_options *options, size_t tasks)
{
    int threads = options != NULL ? options->threads : 0;
    int wanted = threads_allowed(threads > 0 ? threads : omp_get_max_threads());
    if ((size_t)wanted > tasks)
        wanted = tasks > 0 ? (int)tasks : 1;
    return wanted > 1 && !args_is_query(options) ? threads_startable(wanted) : wanted;
}
