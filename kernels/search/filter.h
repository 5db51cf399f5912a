/* filter.h - which scores may be among the first k, from codes of 8 bits (internal).
 * SPDX-License-Identifier: MIT
 *
 * codes.h has the bound. A score may reach the threshold T of its row only if the upper bound of
 * its product does; for neg_sq_l2 the product c of the rows less their origin must be such that
 *     2 c - (|x|^2 + |y|^2)  >=  T      or      c - |y|^2 / 2  >=  (|x|^2 + T) / 2
 * where the first is in float: its roundings are less than 2 u of |x|^2 + |y|^2 and of |T|. 8 u are
 * taken off both sides.
 */
#ifndef MMK_SEARCH_FILTER_H
#define MMK_SEARCH_FILTER_H

#include "search.h"

#include "../call/scratch.h"
#include "../gallery/coded.h"
#include "../isa/isa.h"

/* What all workers read: X of a batch. */
struct filter {
    const struct codes_ops *codes;
    const struct isa_row *isa;
    enum mmk_similarity similarity;
    size_t d;
    float *held; /* X as it is multiplied, row by row */
    struct codes_left left;
    float *norm; /* of each row */
    /* Of a gallery with levels, else NULL: */
    const struct levels *levels;
    int8_t *rows; /* codes row by row, codes_row_bytes(d) apart, */
    struct codes_left prefix;
    double *shift; /* w.c of each row */
};

void filter_layout(struct filter *filter, size_t batch, struct scratch *scratch);

/* The codes of those of the batch's rows, x, that are this worker's; xx, where norms are wanted,
 * gets their squared norms. */
void filter_hold_rows(const struct filter *filter, const struct tile_operand *x, float *xx,
                      struct coded_spare *spare, size_t worker, size_t workers);

/* The pairs of rows [row, row + rows) of the batch and columns [col, col + cols) of the chunk that
 * may reach at_least[r], counted from row and col; rows <= TILE_BLOCK_ROWS, cols <= SEARCH_STRIP.
 * xx: of these rows, or NULL. Returns how many; pairs has room for all. */
size_t filter_strip(const struct filter *filter, const struct coded_rows *coded, size_t row,
                    size_t rows, size_t col, size_t cols, const float *at_least, const float *xx,
                    struct codes_pair *pairs);

/* The same from prefixes alone, */
size_t filter_prefixes(const struct filter *filter, const struct coded_rows *coded, size_t row,
                       size_t rows, size_t col, size_t cols, const float *at_least, const float *xx,
                       struct codes_pair *pairs);

/* and of `count` pairs those that codes of their whole rows let pass, too, in their order. */
size_t filter_whole_rows(const struct filter *filter, const struct coded_rows *coded, size_t row,
                         size_t rows, size_t col, const float *at_least, const float *xx,
                         struct codes_pair *pairs, size_t count);

/* The same of one pair, from its rows: row r of the batch, x, and row of_y of Y, column `col` of
 * the chunk. Sums run in lanes: they are less than (d / 64 + 8) u X Y from the
 * product, and the chain 1.004 d u. Of neg_sq_l2 the expanded score is 1.004 d u (X + Y)^2 from
 * what it expands (three chains), its last roundings and those of the rows less their origin are
 * less than 6 u (X + Y)^2, the sum of squared differences is (d / 64 + 10) u (X + Y)^2 off, and
 * that no score is above 0 brings both closer. CODES_SPARE u is more than either. */
bool filter_pair(const struct filter *filter, const struct coded_rows *coded,
                 const struct tile_operand *x, size_t r, const struct tile_operand *y, size_t of_y,
                 size_t col, float at_least);

#endif
