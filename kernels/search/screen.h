/* screen.h - which scores of a few queries may be among the first k, from sums in lanes (internal).
 * SPDX-License-Identifier: MIT
 *
 * A score is a chain of FMAs, which wants its row transposed. The same sum in 64 canonical lanes
 * (kernels/query) takes the row as it lies, at the rate at which memory gives it, and a bound holds
 * how far apart the two may be. screen.c has it.
 */
#ifndef MMK_SEARCH_SCREEN_H
#define MMK_SEARCH_SCREEN_H

#include "search.h"

#include "../call/scratch.h"
#include "../isa/isa.h"

/* Rows of more columns are not screened: the bounds take d u for small. */
enum { SCREEN_MAX_COLUMNS = 1 << 16 };

/* What all workers read: X of a batch. */
struct screen {
    const struct isa_row *isa;
    enum mmk_similarity similarity;
    size_t d;
    float *norm; /* of each row, less its origin, no less than it is; +Inf: not to be used */
};

/* Row r of the batch is x; xx: neg_sq_l2's chain of its squares, less the origin. */
void screen_hold_row(const struct screen *screen, size_t r, const float *x, float xx);

/* Sums in lanes of a piece of Y with all rows of the batch. */
struct screen_sums {
    size_t ld;    /* columns that there is room for */
    float *sums;  /* [row][ld]: x.y, or -|x - y|^2 */
    float *norms; /* |y|; 0 for neg_sq_l2. NaN where a cosine is not to be told from it */
};

void screen_sums_layout(struct screen_sums *out, size_t rows, size_t cols, struct scratch *scratch);

/* Of all rows of the batch, x, with rows [col, col + cols) of Y, of floats or of 16-bit ones. */
void screen_sum(const struct screen *screen, const struct tile_operand *x,
                const struct tile_operand *y, size_t col, size_t cols,
                const struct screen_sums *out);

/* A sum below `least + slope norm` has a score below a row's threshold. */
struct screen_line {
    float least, slope;
};

/* Of row r; false where no sum tells anything, as where there is no threshold. */
bool screen_line(const struct screen *screen, size_t r, float at_least, struct screen_line *line);

/* Whether a row of X passes with one of Y whose norm is NaN. */
bool screen_unsafe(const struct screen *screen, const float *x, const float *y, float at_least);

static inline bool screen_passes(struct screen_line line, float sum, float norm)
{
    return !(sum < line.least + line.slope * norm);
}

#endif
