/* args.h - argument checks shared by the drivers, and the sentence that says what was wrong
 * (internal).
 * SPDX-License-Identifier: MIT
 *
 * Every check returns a status and, where that is not MMK_OK, has written the thread's
 * mmk_error_detail() with the name of the argument as mmk.h spells it.
 */
#ifndef MMK_ARGS_H
#define MMK_ARGS_H

#include "../mmk.h"

#include <stdbool.h>

/* Writes the sentence, and returns the status. */
enum mmk_status args_error(enum mmk_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

/* MMK_ERR_NULL for a pointer that must be there. */
static inline enum mmk_status args_pointer(const char *name, const void *pointer)
{
    return pointer != NULL ? MMK_OK : args_error(MMK_ERR_NULL, "%s is NULL", name);
}

/* The reserved fields of a struct. */
enum mmk_status args_reserved(const char *name, const void *const *reserved, size_t count);

#define ARGS_RESERVED(name, pointer)                                                               \
    args_reserved(name, (pointer)->reserved,                                                       \
                  sizeof(pointer)->reserved / sizeof(pointer)->reserved[0])

/* Types that a function takes, as a set. */
enum args_types {
    ARGS_F32 = 1 << MMK_F32,
    ARGS_I8 = 1 << MMK_I8,
    ARGS_I32 = 1 << MMK_I32,
    ARGS_F16 = 1 << MMK_F16,
    ARGS_BF16 = 1 << MMK_BF16,
    ARGS_FLOATS = ARGS_F32 | ARGS_F16 | ARGS_BF16
};

/* Bytes of an element of a type that is one. */
size_t args_element_bytes(enum mmk_type type);

/* A matrix with its leading dimension found. */
struct args_rows {
    union {
        const float *data;      /* MMK_F32 */
        const int8_t *codes;    /* MMK_I8 */
        const uint16_t *halves; /* MMK_F16, MMK_BF16 */
    };
    size_t rows, columns, ld;
    enum mmk_type type;
    const float *row_scales;          /* of MMK_I8: as many as rows, or NULL for ones */
    const struct mmk_gallery *packed; /* where it is allowed */
};

/* What a call does with a matrix. */
enum args_use {
    ARGS_READ,          /* its elements: data must be there */
    ARGS_READ_OR_PACKED /* or a gallery in their place */
};

/* An input: a matrix of one of `types` (enum args_types) with rows that do not overlap, whose size
 * can be addressed. Without elements data may be NULL (rows->data is not NULL then), and of a query
 * of workspace bytes (options) too. */
enum mmk_status args_matrix(const char *name, const struct mmk_matrix *matrix, unsigned types,
                            enum args_use use, const struct mmk_options *options,
                            struct args_rows *rows);

/* An output of rows x columns; `of` says of what it has the shape. */
struct args_out {
    union {
        float *data;      /* MMK_F32 */
        int8_t *codes;    /* MMK_I8 */
        int32_t *integer; /* MMK_I32 */
    };
    size_t ld;
    enum mmk_type type;
};

enum mmk_status args_matrix_out(const char *name, const struct mmk_matrix_out *matrix,
                                unsigned types, size_t rows, size_t columns, const char *of,
                                const struct mmk_options *options, struct args_out *out);

/* The longest rows of MMK_I8: 128 * 128 * d must stay below 2^31. */
enum { ARGS_I8_COLUMNS = 131071 };

/* MMK_ERR_SIZE for longer ones; `name` is the argument that says d. */
enum mmk_status args_i8_columns(const char *name, size_t columns);

/* As many columns as the matrix `of` has. */
enum mmk_status args_same_columns(const char *name, size_t columns, const char *of,
                                  size_t of_columns);

enum mmk_status args_same_shape(const char *name, const struct args_rows *rows, const char *of,
                                size_t of_rows, size_t of_columns);

/* count elements of `size` bytes at a pointer that may be NULL for none. */
enum mmk_status args_array(const char *name, const void *data, size_t count, size_t size);

/* A count that indices of 32 bits must reach: `what` of `name` ("columns" of "scores"). */
enum mmk_status args_below_2_32(const char *name, const char *what, size_t count);

/* Where the first k of each of `rows` rows of `candidates` go. */
struct args_topk {
    size_t k, found; /* as asked for, and min(k, candidates) */
    float *values;
    uint32_t *indices;
    size_t ld;
    size_t *count;
};

enum mmk_status args_topk_results(const char *name, const struct mmk_topk_results *results,
                                  size_t rows, size_t candidates, struct args_topk *out);

enum mmk_status args_similarity(enum mmk_similarity similarity);
enum mmk_status args_options(const struct mmk_options *options);

/* Options whose origin, if there is one, suits the similarity and has d elements below `limit`. */
enum mmk_status args_options_origin(const struct mmk_options *options,
                                    enum mmk_similarity similarity, size_t d, float limit);

/* MMK_ERR_CONFLICT where an origin is given that `why` has no use for. */
enum mmk_status args_refuse_origin(const struct mmk_options *options, const char *why);

/* A call that only asks for its workspace. */
static inline bool args_is_query(const struct mmk_options *options)
{
    return options != NULL && options->query != NULL;
}

/* options.threads, or what 0 stands for, but no more than there are tasks to share and than can be
 * had: the only place that decides it. */
int args_threads(const struct mmk_options *options, size_t tasks);

#endif
