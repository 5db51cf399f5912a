/* table.h - the functions of a table, from the templates of rows_<isa>.h and a way to multiply
 * bytes (internal to int8_<isa>.c).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_INT8_TABLE_H
#define MMK_INT8_TABLE_H

/* isa: whose templates; name: of the table; way: &struct int8_way, known to the compiler */
#define INT8_TABLE(isa, name, way)                                                                 \
    static int32_t dot_##name(size_t d, const int8_t *p, const int8_t *q)                          \
    {                                                                                              \
        return int8_dot_pair_##isa(way, d, p, q);                                                  \
    }                                                                                              \
    static float pair_dot_##name(size_t d, const int8_t *p, float a, const int8_t *q, float b)     \
    {                                                                                              \
        return int8_dot_of((double)int8_dot_pair_##isa(way, d, p, q), (double)a, (double)b);       \
    }                                                                                              \
    static float pair_cosine_##name(size_t d, const int8_t *p, float a, const int8_t *q, float b)  \
    {                                                                                              \
        return int8_cosine_of_sums(int8_sums_##isa(way, d, p, q), a, b);                           \
    }                                                                                              \
    static float pair_neg_sq_l2_##name(size_t d, const int8_t *p, float a, const int8_t *q,        \
                                       float b)                                                    \
    {                                                                                              \
        return int8_neg_sq_l2_of_sums(int8_sums_##isa(way, d, p, q), a, b);                        \
    }                                                                                              \
    static void dots_##name(size_t n, size_t d, const int8_t *x, const int8_t *y, size_t ldy,      \
                            int32_t *result)                                                       \
    {                                                                                              \
        int8_dots_##isa(way, n, d, x, y, ldy, result);                                             \
    }                                                                                              \
    static void query_dot_##name(size_t n, size_t d, const int8_t *x, float a, const int8_t *y,    \
                                 size_t ldy, const float *scales, float *result)                   \
    {                                                                                              \
        int8_query_##isa(way, MMK_DOT, n, d, x, a, y, ldy, scales, result);                        \
    }                                                                                              \
    static void query_cosine_##name(size_t n, size_t d, const int8_t *x, float a, const int8_t *y, \
                                    size_t ldy, const float *scales, float *result)                \
    {                                                                                              \
        int8_query_##isa(way, MMK_COSINE, n, d, x, a, y, ldy, scales, result);                     \
    }                                                                                              \
    static void query_neg_sq_l2_##name(size_t n, size_t d, const int8_t *x, float a,               \
                                       const int8_t *y, size_t ldy, const float *scales,           \
                                       float *result)                                              \
    {                                                                                              \
        int8_query_##isa(way, MMK_NEG_SQ_L2, n, d, x, a, y, ldy, scales, result);                  \
    }                                                                                              \
    const struct int8_ops int8_ops_##name = {                                                      \
        .dot = dot_##name,                                                                         \
        .pair = {[MMK_DOT] = pair_dot_##name,                                                      \
                 [MMK_COSINE] = pair_cosine_##name,                                                \
                 [MMK_NEG_SQ_L2] = pair_neg_sq_l2_##name},                                         \
        .dots = dots_##name,                                                                       \
        .query = {[MMK_DOT] = query_dot_##name,                                                    \
                  [MMK_COSINE] = query_cosine_##name,                                              \
                  [MMK_NEG_SQ_L2] = query_neg_sq_l2_##name},                                       \
    }

#endif
