/* codes_by_rows.h - the screen of tables that leave a product's sums in memory (internal).
 * SPDX-License-Identifier: MIT
 *
 * A strip's sums are made, and then each row of them is held against its threshold: some 5
 * instructions a vector of sums, where the product takes d / 4. With registers to spare the bound
 * can be evaluated in place of the sums (codes_avx512vnni.c).
 */
#ifndef MMK_CODES_BY_ROWS_H
#define MMK_CODES_BY_ROWS_H

#include "codes.h"

/* What a row of sums is held against. */
struct codes_row {
    float norm, per_step, least; /* in steps of the row */
    const float *base;           /* error reach, of each column */
    const float *step, *off, *add;
    bool adds;
};

/* The columns that pass, as bits: all but those with norm off + base + per_step add + c step <
 * least. */
typedef uint32_t codes_pass(const int32_t *c, const struct codes_row *row);

static inline __attribute__((always_inline)) size_t
codes_screen_by_rows(size_t mr, const struct tile8_ops *tile, codes_pass *pass, size_t quads,
                     const struct codes_left *left, size_t first, size_t rows,
                     const struct codes_right *right, size_t col, size_t cols, bool adds,
                     const float *least, struct codes_pair *pairs)
{
    const uint32_t present = (uint32_t)(((uint64_t)1 << cols) - 1);
    int32_t c[CODES_MAX_MR * CODES_PANEL];
    float base[CODES_PANEL];
    struct codes_row row = {.base = base,
                            .step = right->step + col,
                            .off = right->off + col,
                            .add = right->add + col,
                            .adds = adds};
    size_t count = 0;
    for (size_t r0 = 0; r0 < rows; r0 += mr) {
        size_t strip = first + r0, here = size_min(rows - r0, mr);
        const float error = left->error[strip / mr];
        for (size_t j = 0; j < CODES_PANEL; j++)
            base[j] = error * right->reach[col + j];
        tile->product(here, quads, (const uint8_t *)left->codes + strip * quads * 4,
                      left->start + strip, right->codes + col * quads * 4, c, CODES_PANEL);
        for (size_t r = 0; r < here; r++) {
            row.norm = left->norm[strip + r];
            row.per_step = left->per_step[strip + r];
            row.least = least[r0 + r] * row.per_step;
            row.least *= row.least > 0 ? 1 - 0x1p-20f : 1 + 0x1p-20f;
            uint32_t passed = pass(c + r * CODES_PANEL, &row) & present;
            for (; passed != 0; passed &= passed - 1)
                pairs[count++] =
                    (struct codes_pair){(uint16_t)(r0 + r), (uint16_t)__builtin_ctz(passed)};
        }
    }
    return count;
}

#endif
