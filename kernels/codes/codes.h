/* codes.h - rows as codes of 8 bits, and what their products say of those of the rows (internal).
 * SPDX-License-Identifier: MIT
 *
 * A product of codes takes a quarter of the instructions that a product of floats takes, and its
 * sums are exact. It is not the product of the rows, but a bound holds how far it may be from it:
 * who looks for the greatest products makes with floats only those that may be among them.
 *
 * A row v has the codes q_k = v_k / step to the nearest integer, step = max |v_k| / 127. With
 *     x = r p + x',  |x'| <= f,  |x| <= X        (step r, codes p, what is left x')
 *     y = t q + y',  |y'| <= e,  |y| <= Y
 *     x.y = r t (p.q) + x'.(t q) + x.y'
 *     |x.y - r t (p.q)|  <=  f (Y + e) + X e     (Cauchy and Schwarz; |t q| <= |y| + |y'|)
 * What a chain of d FMAs makes of x.y is off by d u X Y more (u = 2^-24), and 1.004 times that for
 * d up to 2^16. The estimate and the bound are evaluated in float: p.q to float, times r, times t
 * and the sum lose u of at most (X + f)(Y + e) <= 4 X Y each; f, Y + e, X e and their sum, of at
 * most 3 X Y, together 5 u of it; the last sum u of all, 8 X Y: less than 40 u X Y in all. So with
 *     reach = Y + e,    off = e + (2 d + 128) u Y
 *     upper = r t (p.q) + f reach + X off
 * no chain gives more than upper. CODES_SPARE is that 2 d + 128. Squares that underflow add less
 * than u X to f and u Y to e, which is counted in these, as are the roundings of their own sums.
 * A row with Inf, or whose norm leaves [2^-40, 2^60], has f or e Inf: its upper is Inf or NaN, and
 * passes. So does a row of X that is zero, or has a NaN. A row of Y that is zero has an estimate
 * that is exact; one with a NaN, which comes after all others, has off -Inf, and passes no row of X
 * that has codes.
 *
 *   codes.c                codes of rows in the order in which the product reads them
 *   codes_<isa>.c          the table; its head says what bounds the product
 *   codes_by_rows.h        what most of them share
 *
 * Left codes are strips and right codes panels of tile8/tile8.h, a group being a quad of four
 * columns. Columns that are missing are 0, or bias; rows that are missing are any.
 */
#ifndef MMK_CODES_H
#define MMK_CODES_H

#include "../call/size.h"
#include "../int8/quantize.h"
#include "../tile8/tile8.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* The greatest mr of any ISA, rows of a panel, and the longest rows: a sum of d 127 255 fits 32
 * bits. */
enum {
    CODES_MAX_MR = TILE8_MAX_MR,
    CODES_SCREENED = 84,
    CODES_PANEL = TILE8_PANEL,
    CODES_MAX_COLUMNS = 1 << 16
};

/* How much of u X Y is added for the chain's roundings and those of the bound itself. */
#define CODES_SPARE(d) (2 * (float)(d) + 128)

#define CODES_NORM_LEAST    0x1p-40f
#define CODES_NORM_GREATEST 0x1p60f

/* Of one row; error and norm are rounded up. norm is NaN where the row has one. */
struct codes_scale {
    float step, error, norm;
};

/* What is known of the rows of the left side. In steps of its row the bound reads
 *     (p.q) t + (f/r) reach + (X/r) off + add/r  >=  least/r
 * where f/r, which is near sqrt(d/12) for any row, is taken as the greatest of some rows. */
struct codes_left {
    int8_t *codes;
    int32_t *start;  /* -bias times the sum of a row's codes */
    float *per_step; /* 1 / step, */
    float *norm;     /* norm / step; both 0 for a row that always passes */
    float *error;    /* of each strip the greatest error / step */
};

/* And of the columns of the right side. */
struct codes_right {
    uint8_t *codes;
    float *step, *reach, *off;
    float *add; /* to the upper bound: what does not hang on the row */
};

/* A row and a column, counted from where a strip begins. */
struct codes_pair {
    uint16_t row, col;
};

struct codes_ops {
    /* The product, which takes groups of four columns: how strips and panels lie. Its mr is a
     * divisor of CODES_SCREENED. */
    const struct tile8_ops *tile;
    const struct quantize_ops *quantize;
    /* Of the rows [first, first + rows) of the left side, first a multiple of mr, and the first
     * `cols` columns of the panel that begins at col, those pairs whose product may be least[r] or
     * more, in the order of rows: all but those whose upper bound is below it. Without `adds` what
     * right adds is left out. Returns how many; pairs has room for all. */
    size_t (*screen)(size_t quads, const struct codes_left *left, size_t first, size_t rows,
                     const struct codes_right *right, size_t col, size_t cols, bool adds,
                     const float *least, struct codes_pair *pairs);
};

extern const struct codes_ops codes_ops_scalar;
extern const struct codes_ops codes_ops_avxvnni;
extern const struct codes_ops codes_ops_avx512vnni;
extern const struct codes_ops codes_ops_neondotprod;

/* ---- Drivers (codes.c) ----------------------------------------------------------------------- */

static inline size_t codes_quads(size_t d)
{
    return (d + 3) / 4;
}

/* Bytes of a row of codes as codes_quantize makes them. */
static inline size_t codes_row_bytes(size_t d)
{
    return size_round_up(d, QUANTIZE_BLOCK);
}

/* Whether a row of that norm has codes; else they are 0. */
static inline bool codes_usable(float norm)
{
    return norm >= CODES_NORM_LEAST && norm <= CODES_NORM_GREATEST;
}

/* The codes of a row, and zeros up to codes_row_bytes(d). */
struct codes_scale codes_quantize(const struct codes_ops *ops, size_t d, const float *row,
                                  int8_t *codes);

/* step and error and norm of row r of the left side, and its codes, which stand in `row`. */
void codes_put_left(const struct codes_ops *ops, size_t d, const struct codes_left *left, size_t r,
                    struct codes_scale scale, const int8_t *row);

/* A panel of the right side from `count` rows of codes, codes_row_bytes(d) apart. */
void codes_put_panel(const struct codes_ops *ops, size_t d, size_t count, const int8_t *rows,
                     uint8_t *panel);

/* What is known of columns [first, first + count) of the right side, a panel or its beginning. Sets
 * all of the panel. adds: what is to be found is the
 * greatest x.y - |y|^2 / 2. A chain's |y|^2 is at least norm^2 (1 - (4 d + 256) u): norm is above
 * |y| by (1.1 d + 80) u at most, and the chain below |y|^2 by 1.004 d u. 8 u more are for
 * search/filter.h. */
void codes_put_scales(size_t d, struct codes_right *right, size_t first, size_t count,
                      const struct codes_scale *scale, bool adds);

#endif
