/* coded.c - rows of an operand as codes of 8 bits.
 * SPDX-License-Identifier: MIT
 *
 * Each row is read once from memory, and in L1 while it is normalised and its codes are made: some
 * 0.9 to 1.1 clocks an element of 512 or 768 columns, 1.9 of 128, with reading from L2 (AVX-512,
 * Zen 5 VM, beside other work). Codes save some 0.023 clocks an element for each row of X that it
 * is multiplied with, 1/32 of an FMA less 1/128.
 */
#include "coded.h"

#include <string.h>

enum { AHEAD_ROWS = 4, FETCHED = 1024 }; /* of them so many floats, before they are read */

static void right_layout(struct codes_right *right, size_t all, size_t d, bool codes,
                         struct scratch *scratch)
{
    *right = (struct codes_right){
        .codes = codes ? scratch_take(scratch, all, codes_quads(d) * 4) : NULL,
        .step = scratch_take(scratch, all, sizeof(float)),
        .reach = scratch_take(scratch, all, sizeof(float)),
        .off = scratch_take(scratch, all, sizeof(float)),
        .add = scratch_take(scratch, all, sizeof(float)),
    };
}

void coded_layout(struct coded_rows *coded, size_t rows, size_t d, bool scales,
                  const struct levels *levels, struct scratch *scratch)
{
    size_t all = size_round_up(rows, CODES_PANEL);
    *coded = (struct coded_rows){0};
    right_layout(&coded->right, all, d, levels == NULL, scratch);
    coded->scale = scales ? scratch_take(scratch, all, sizeof *coded->scale) : NULL;
    if (levels == NULL)
        return;
    coded->rows = scratch_take(scratch, all, codes_row_bytes(d));
    right_layout(&coded->prefix, all, levels->p + 1, true, scratch);
}

void coded_spare_layout(struct coded_spare *spare, size_t d, struct scratch *scratch)
{
    spare->row = scratch_take(scratch, d, sizeof *spare->row);
    spare->codes = scratch_take(scratch, CODES_PANEL, codes_row_bytes(d));
}

/* The prefix of a row whose codes have `whole`: a row without codes has none here either. */
static struct codes_scale make_prefix(const struct isa_row *isa, const struct levels *levels,
                                      size_t d, const float *row, struct codes_scale whole,
                                      int8_t *codes)
{
    float v[LEVELS_MOST + 1];
    if (!codes_usable(whole.norm) && whole.norm != 0) {
        memset(codes, 0, codes_row_bytes(levels->p + 1));
        return whole;
    }
    levels_right(levels, isa, d, row, whole.norm, v);
    return codes_quantize(isa->codes, levels->p + 1, v, codes);
}

/* Rows [first, first + count). What their lengths add to distances is no product of prefixes. */
static void put_prefixes(const struct isa_row *isa, const struct levels *levels,
                         struct coded_rows *coded, size_t first, size_t count,
                         const struct codes_scale *prefix, const int8_t *codes)
{
    size_t columns = levels->p + 1;
    struct codes_right *right = &coded->prefix;
    codes_put_panel(isa->codes, columns, count, codes,
                    right->codes + first * codes_quads(columns) * 4);
    codes_put_scales(columns, right, first, count, prefix, false);
    memcpy(right->add + first, coded->right.add + first, count * sizeof *right->add);
}

void coded_make(const struct isa_row *isa, const struct tile_operand *y, size_t first, size_t count,
                size_t d, bool adds, const struct levels *levels, struct coded_rows *coded,
                struct coded_spare *spare, size_t worker, size_t workers)
{
    const struct codes_ops *ops = isa->codes;
    size_t pitch = codes_row_bytes(d);
    struct codes_scale scale[CODES_PANEL], prefix[CODES_PANEL];
    int8_t prefixes[CODES_PANEL * (LEVELS_MOST + 1)];
    for (size_t j = worker * CODES_PANEL; j < count; j += workers * CODES_PANEL) {
        size_t here = size_min(count - j, CODES_PANEL);
        int8_t *codes = levels != NULL ? coded->rows + j * pitch : spare->codes;
        for (size_t r = 0; r < here; r++) {
            size_t ahead = first + j + r + AHEAD_ROWS;
            if (ahead < y->rows)
                tile_fetch_row(y, ahead, size_min(d, FETCHED));
            levels_take_row(y, first + j + r, d, coded->scale != NULL ? &coded->scale[j + r] : NULL,
                            spare->row);
            scale[r] = codes_quantize(ops, d, spare->row, codes + r * pitch);
            if (levels != NULL)
                prefix[r] = make_prefix(isa, levels, d, spare->row, scale[r],
                                        prefixes + r * codes_row_bytes(levels->p + 1));
        }
        codes_put_scales(d, &coded->right, j, here, scale, adds);
        if (levels != NULL)
            put_prefixes(isa, levels, coded, j, here, prefix, prefixes);
        else
            codes_put_panel(ops, d, here, codes, coded->right.codes + j * codes_quads(d) * 4);
    }
}

static struct codes_right right_from(const struct codes_right *right, size_t first, size_t d)
{
    struct codes_right from = *right;
    if (from.codes != NULL)
        from.codes += first * codes_quads(d) * 4;
    from.step += first;
    from.reach += first;
    from.off += first;
    from.add += first;
    return from;
}

struct coded_rows coded_from(const struct coded_rows *coded, size_t first, size_t d,
                             const struct levels *levels)
{
    struct coded_rows from = *coded;
    from.right = right_from(&coded->right, first, d);
    if (from.scale != NULL)
        from.scale += first;
    if (levels != NULL) {
        from.rows += first * codes_row_bytes(d);
        from.prefix = right_from(&coded->prefix, first, levels->p + 1);
    }
    return from;
}
