/* test_codes.c - codes of 8 bits: no pair is lost that may reach its threshold, few others pass.
 * SPDX-License-Identifier: MIT
 *
 * Of every table that runs here, against the rows in long double: what quantize says of a row, and
 * which pairs screen returns. Cauchy and Schwarz leave most of a bound unused on rows at random, so
 * there are rows on which it is reached, and rows whose chain rounds up with every addition.
 */
#include "../../kernels/codes/codes.h"
#include "../../kernels/isa/decode.h"
#include "../../kernels/isa/isa.h"
#include "noise.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct {
    const char *name;
    const struct codes_ops *ops;
} tables[MMK_ISA_COUNT];
static size_t table_count;

static int find_tables(void **state)
{
    (void)state;
    for (int isa = 0; isa < MMK_ISA_COUNT; isa++) {
        if (mmk_isa_usable((enum mmk_isa)isa) != MMK_OK)
            continue;
        const struct isa_row *row = isa_suited_row((enum mmk_isa)isa, isa_machine_set());
        if (row->codes == NULL)
            continue;
        tables[table_count].name = row->name;
        tables[table_count++].ops = row->codes;
    }
    return table_count > 0 ? 0 : -1;
}

static void *room(size_t count, size_t size)
{
    void *memory = malloc(count * size + 1);
    assert_non_null(memory);
    memset(memory, 0xa5, count * size);
    return memory;
}

static uint64_t noise;

static float normal(void)
{
    return (float)noise_normal(&noise);
}

static float between(float low, float high)
{
    return low + (high - low) * (float)noise_uniform(&noise);
}

/* 0 .. count - 1 */
static size_t one_of(size_t count)
{
    return (size_t)(noise_uniform(&noise) * (double)count);
}

/* ---- Codes of a row -------------------------------------------------------------------------- */

enum fill {
    FILL_NORMAL,
    FILL_ONE, /* element that is not zero */
    FILL_CONSTANT,
    FILL_RAMP,
    FILL_TIES, /* halves of a step */
    FILL_TINY,
    FILL_GREAT,
    FILL_DENORMAL,
    FILL_ZERO,
    FILL_NAN,
    FILL_INF,
    FILL_HUGE, /* squares are Inf */
    FILL_NORM_AT_LEAST,
    FILL_NORM_BELOW_LEAST,
    FILL_NORM_AT_GREATEST,
    FILL_NORM_ABOVE_GREATEST,
    FILL_SQUARES_UNDERFLOW, /* of what is left */
    FILL_SUMS_TOO_LOW,      /* the float sums of squares, of rows that are mostly remainder */
    FILL_COUNT
};

/* What is less than half a step, and makes the lanes' sums of its squares as low as it may. */
static float rounded_down(size_t d)
{
    double least = INFINITY;
    float lowest = 0.4f;
    for (size_t i = 0; i < 400; i++) {
        float v = between(0.3f, 0.49f), sum = 0;
        for (size_t k = 0; k < d / 64; k++)
            sum = fmaf(v, v, sum);
        double ratio = (double)sum / ((double)v * (double)v);
        if (ratio < least) {
            least = ratio;
            lowest = v;
        }
    }
    return lowest;
}

static void fill_row(enum fill fill, size_t d, float *v)
{
    float low = fill == FILL_SUMS_TOO_LOW ? rounded_down(d) : 0;
    for (size_t k = 0; k < d; k++) {
        float g = normal();
        bool here = k == d * 5 / 7;
        switch (fill) {
        case FILL_ONE:
            v[k] = here ? -0.7f : 0;
            break;
        case FILL_CONSTANT:
            v[k] = d % 2 ? 0.3f : -5.1f;
            break;
        case FILL_RAMP:
            v[k] = 0.01f * (float)k - 1;
            break;
        case FILL_TIES:
            v[k] = k == 0 ? 127 : (float)((int)(k * 37 % 253) - 126) - 0.5f;
            break;
        case FILL_TINY:
            v[k] = 1e-12f * g;
            break;
        case FILL_GREAT:
            v[k] = 1e15f * g;
            break;
        case FILL_DENORMAL:
            v[k] = 0x1p-140f * g;
            break;
        case FILL_ZERO:
            v[k] = k % 2 ? -0.0f : 0;
            break;
        case FILL_NAN:
            v[k] = here ? NAN : g;
            break;
        case FILL_INF:
            v[k] = here ? -INFINITY : g;
            break;
        case FILL_HUGE:
            v[k] = 1e30f * g;
            break;
        case FILL_NORM_AT_LEAST:
            v[k] = here ? CODES_NORM_LEAST : 0;
            break;
        case FILL_NORM_BELOW_LEAST:
            v[k] = here ? CODES_NORM_LEAST * (1 - 0x1p-9f) : 0;
            break;
        case FILL_NORM_AT_GREATEST:
            v[k] = here ? CODES_NORM_GREATEST * (1 - 0x1p-9f) : 0;
            break;
        case FILL_NORM_ABOVE_GREATEST:
            v[k] = here ? CODES_NORM_GREATEST * (1 + 0x1p-20f) : 0;
            break;
        case FILL_SQUARES_UNDERFLOW:
            v[k] = here ? CODES_NORM_LEAST : 0x1p-76f;
            break;
        case FILL_SUMS_TOO_LOW:
            v[k] = k == 0 ? 127 : low;
            break;
        default:
            v[k] = g;
        }
    }
}

/* Not lower, and higher by no more than the factor of codes.c and the roundings of the sum of
 * squares, of the root and of the product. */
static bool is_root_up(float root, long double exact, size_t d, long double plus)
{
    long double n = (long double)d;
    return root >= exact &&
           root <= exact * (1 + (n + 64 + n / 128 + 10) * 1.01L * 0x1p-24L) + plus * 1.01L;
}

static void judge_codes(size_t d, const float *v, struct codes_scale scale, const int8_t *codes)
{
    long double squares = 0, remainders = 0, far = 0, hair = (2 * (long double)d + 128) * 0x1p-24L;
    int greatest = 0;
    bool zero = true;
    for (size_t k = 0; k < d; k++) {
        long double left = (long double)v[k] - (long double)scale.step * codes[k];
        squares += (long double)v[k] * v[k];
        remainders += left * left;
        far = fabsl(left) > far ? fabsl(left) : far;
        greatest = abs(codes[k]) > greatest ? abs(codes[k]) : greatest;
        zero = zero && v[k] == 0;
    }
    long double norm = sqrtl(squares);
    if (zero) {
        assert_true(scale.step == 0 && scale.error == 0 && scale.norm == 0);
        assert_int_equal(greatest, 0);
        return;
    }
    if (!(scale.norm < INFINITY)) {
        assert_false(norm >= CODES_NORM_LEAST && norm <= CODES_NORM_GREATEST * (1 - hair));
        bool nan = false;
        for (size_t k = 0; k < d; k++)
            nan = nan || v[k] != v[k];
        assert_true(scale.step == 0 && isinf(scale.error));
        assert_true(nan ? isnan(scale.norm) : isinf(scale.norm));
        assert_true(scale.error > 0 && !(scale.norm <= 0));
        assert_int_equal(greatest, 0);
        return;
    }
    assert_true(norm >= CODES_NORM_LEAST * (1 - hair) && norm <= CODES_NORM_GREATEST);
    assert_int_equal(greatest, 127);
    assert_true(scale.step > 0 && far <= scale.step * (0.5L + 0x1p-14L));
    if (!is_root_up(scale.norm, norm, d, 0))
        fail_msg("norm %.9g, is %.12Lg", (double)scale.norm, norm);
    if (!is_root_up(scale.error, sqrtl(remainders), d, scale.norm * 0x1p-24L))
        fail_msg("error %.9g, is %.12Lg", (double)scale.error, sqrtl(remainders));
}

static void try_row(enum fill fill, size_t d)
{
    enum { GUARD = 128 };
    size_t bytes = codes_row_bytes(d);
    float *v = room(d, sizeof *v);
    int8_t *codes = room(bytes + GUARD, 1), *first = room(bytes, 1);
    struct codes_scale first_scale = {0};
    fill_row(fill, d, v);
    for (size_t i = 0; i < table_count; i++) {
        memset(codes, 0xa5, bytes + GUARD);
        struct codes_scale scale = codes_quantize(tables[i].ops, d, v, codes);
        judge_codes(d, v, scale, codes);
        for (size_t k = d; k < bytes + GUARD; k++)
            if ((uint8_t)codes[k] != (k < bytes ? 0 : 0xa5))
                fail_msg("%s, d = %zu: byte %zu is %d", tables[i].name, d, k, codes[k]);
        if (i == 0) {
            memcpy(first, codes, bytes);
            first_scale = scale;
        }
        assert_memory_equal(codes, first, bytes);
        assert_memory_equal(&scale, &first_scale, sizeof scale);
    }
    free(v);
    free(codes);
    free(first);
}

static void codes_of_rows(void **state)
{
    (void)state;
    noise = 1;
    static const size_t longer[] = {383, 384, 511, 512, 513, 769, 1024, 2047, 4096, 5000};
    for (int fill = 0; fill < FILL_COUNT; fill++) {
        for (size_t d = 1; fill != FILL_SUMS_TOO_LOW && d <= 300; d++)
            try_row((enum fill)fill, d);
        for (size_t i = 0; i < sizeof longer / sizeof *longer; i++)
            try_row((enum fill)fill, longer[i]);
    }
    try_row(FILL_SUMS_TOO_LOW, 16384);
    try_row(FILL_SUMS_TOO_LOW, CODES_MAX_COLUMNS);
    try_row(FILL_NORMAL, CODES_MAX_COLUMNS);
}

/* ---- Pairs of rows --------------------------------------------------------------------------- */

enum { LEFT = CODES_SCREENED, RIGHT = CODES_PANEL };

struct side {
    float *rows;
    int8_t *codes;
    struct codes_scale scale[LEFT];
};

/* Rows of both sides, and of each pair the chain and, exactly, the product and r t (p.q). */
struct block {
    size_t d, rows, cols;
    struct side left, right;
    float chain[LEFT][RIGHT];
    long double product[LEFT][RIGHT], estimate[LEFT][RIGHT];
};

static struct block *new_block(size_t d, size_t rows, size_t cols)
{
    struct block *b = room(1, sizeof *b);
    b->d = d;
    b->rows = rows;
    b->cols = cols;
    b->left.rows = room(rows * d, sizeof(float));
    b->right.rows = room(cols * d, sizeof(float));
    b->left.codes = room(rows, codes_row_bytes(d));
    b->right.codes = room(cols, codes_row_bytes(d));
    return b;
}

static void free_block(struct block *b)
{
    free(b->left.rows);
    free(b->right.rows);
    free(b->left.codes);
    free(b->right.codes);
    free(b);
}

static void make_side(size_t d, size_t count, struct side *side)
{
    for (size_t i = 0; i < count; i++)
        side->scale[i] = codes_quantize(tables[0].ops, d, side->rows + i * d,
                                        side->codes + i * codes_row_bytes(d));
}

static void make_pairs(struct block *b)
{
    size_t d = b->d, pitch = codes_row_bytes(d);
    make_side(d, b->rows, &b->left);
    make_side(d, b->cols, &b->right);
    for (size_t r = 0; r < b->rows; r++)
        for (size_t j = 0; j < b->cols; j++) {
            const float *x = b->left.rows + r * d, *y = b->right.rows + j * d;
            const int8_t *p = b->left.codes + r * pitch, *q = b->right.codes + j * pitch;
            float chain = 0;
            long double product[2] = {0, 0};
            int32_t codes = 0;
            for (size_t k = 0; k < d; k++) {
                chain = fmaf(x[k], y[k], chain);
                product[k % 2] += (double)x[k] * (double)y[k]; /* exact */
                codes += p[k] * q[k];
            }
            b->chain[r][j] = chain;
            b->product[r][j] = product[0] + product[1];
            b->estimate[r][j] = (long double)b->left.scale[r].step * b->right.scale[j].step * codes;
        }
}

/* A block as a table has it, from some strip and some panel on: what comes before is not of it. */
struct placed {
    const struct block *b;
    const char *name;
    const struct codes_ops *ops;
    size_t first, col;
    struct codes_left left;
    struct codes_right right;
    bool *passed;            /* [LEFT][RIGHT]: of the last screen */
    long double strip[LEFT]; /* the greatest error / step of the row's strip */
    struct codes_pair *pairs;
};

static struct placed place(size_t table, const struct block *b, size_t strips, size_t panels,
                           const float *add)
{
    const struct codes_ops *ops = tables[table].ops;
    size_t d = b->d, mr = ops->tile->mr, quads = codes_quads(d), pitch = codes_row_bytes(d);
    size_t all = strips * mr + size_round_up(b->rows, mr), columns = (panels + 1) * CODES_PANEL;
    struct placed p = {
        .b = b,
        .name = tables[table].name,
        .ops = ops,
        .first = strips * mr,
        .col = panels * CODES_PANEL,
        .left = {.codes = room(all * quads, 4),
                 .start = room(all, sizeof(int32_t)),
                 .per_step = room(all, sizeof(float)),
                 .norm = room(all, sizeof(float)),
                 .error = room(all / mr, sizeof(float))},
        .right = {.codes = room(columns * quads, 4),
                  .step = room(columns, sizeof(float)),
                  .reach = room(columns, sizeof(float)),
                  .off = room(columns, sizeof(float)),
                  .add = room(columns, sizeof(float))},
        .passed = room((size_t)LEFT * RIGHT, sizeof(bool)),
        .pairs = room(LEFT * RIGHT + 1, sizeof(struct codes_pair)),
    };
    int8_t *zeros = room(pitch, 1);
    memset(zeros, 0, pitch);
    for (size_t r = 0; r < all; r++) {
        bool here = r >= p.first && r - p.first < b->rows;
        codes_put_left(ops, d, &p.left, r,
                       here ? b->left.scale[r - p.first] : (struct codes_scale){0, 0, 0},
                       here ? b->left.codes + (r - p.first) * pitch : zeros);
    }
    free(zeros);
    codes_put_panel(ops, d, b->cols, b->right.codes, p.right.codes + p.col * quads * 4);
    codes_put_scales(d, &p.right, p.col, b->cols, b->right.scale, false);
    for (size_t j = 0; j < b->cols; j++) {
        assert_true(p.right.add[p.col + j] == 0);
        bool nan = b->right.scale[j].norm != b->right.scale[j].norm;
        if (add != NULL && !nan)
            p.right.add[p.col + j] = add[j];
    }
    for (size_t r = 0; r < b->rows; r++) {
        p.strip[r] = 0;
        for (size_t i = r / mr * mr; i < b->rows && i < r / mr * mr + mr; i++) {
            struct codes_scale s = b->left.scale[i];
            long double ratio = s.step > 0 ? (long double)s.error / s.step : 0;
            p.strip[r] = ratio > p.strip[r] ? ratio : p.strip[r];
        }
    }
    return p;
}

static void take_away(struct placed *p)
{
    free(p->left.codes);
    free(p->left.start);
    free(p->left.per_step);
    free(p->left.norm);
    free(p->left.error);
    free(p->right.codes);
    free(p->right.step);
    free(p->right.reach);
    free(p->right.off);
    free(p->right.add);
    free(p->passed);
    free(p->pairs);
}

/* In the order of rows, in a row of columns, each once, and none that was not asked for. */
static size_t screen(struct placed *p, size_t rows, size_t cols, bool adds, const float *least)
{
    memset(p->pairs, 0xa5, (rows * cols + 1) * sizeof *p->pairs);
    memset(p->passed, 0, LEFT * RIGHT * sizeof *p->passed);
    size_t count = p->ops->screen(codes_quads(p->b->d), &p->left, p->first, rows, &p->right, p->col,
                                  cols, adds, least, p->pairs);
    assert_true(count <= rows * cols);
    assert_int_equal(p->pairs[rows * cols].row, 0xa5a5);
    size_t last = 0;
    for (size_t i = 0; i < count; i++) {
        struct codes_pair at = p->pairs[i];
        if (at.row >= rows || at.col >= cols)
            fail_msg("pair %u, %u of %zu x %zu", at.row, at.col, rows, cols);
        size_t place = (size_t)at.row * RIGHT + at.col;
        if (i > 0 && place <= last)
            fail_msg("pair %u, %u comes too late", at.row, at.col);
        last = place;
        p->passed[place] = true;
    }
    return count;
}

static long double norms(const struct block *b, size_t r, size_t j)
{
    return (long double)b->left.scale[r].norm * b->right.scale[j].norm;
}

/* What codes.h says, exactly: how far above the estimate a pair passes, in its row's strip. */
static long double bound(const struct placed *p, size_t r, size_t j)
{
    struct codes_scale x = p->b->left.scale[r], y = p->b->right.scale[j];
    return p->strip[r] * x.step * ((long double)y.norm + y.error) +
           x.norm * (y.error + CODES_SPARE(p->b->d) * 0x1p-24L * y.norm);
}

/* How far off that a decision may be: roundings, and what is taken off a threshold. */
static long double hair(const struct placed *p, size_t r, size_t j, float add)
{
    return 64 * 0x1p-24L * norms(p->b, r, j) + 0x1p-19L * fabsf(add);
}

/* ---- Rows that use up a bound ---------------------------------------------------------------- */

enum kind {
    KIND_NORMAL,
    KIND_ALONG,   /* what is left of a row points where the other row does */
    KIND_AGAINST, /* and away from its codes: |t q| is |y| + |y'| */
    KIND_CHAIN,   /* nothing is left, and the chain rounds up */
    KIND_COUNT
};

static float random_step(void)
{
    return ldexpf(between(1, 2), (int)one_of(13) - 7);
}

static void fill_normal_rows(size_t d, size_t count, struct side *side)
{
    for (size_t i = 0; i < count; i++) {
        float scale = random_step();
        for (size_t k = 0; k < d; k++)
            side->rows[i * d + k] = scale * normal();
    }
}

/* Rows of one magnitude, whose remainders have the signs of the other side's rows, or all the
 * opposite ones. Of each row one element has to be 127 steps, and leaves nothing: there the rows of
 * the other side are a remainder alone. */
static void fill_extreme_rows(size_t d, size_t count, struct side *side, const float *own,
                              const float *other, size_t greatest, size_t remainder, float turn,
                              bool against)
{
    for (size_t i = 0; i < count; i++) {
        float step = random_step(), left = turn * between(0.49f, 0.4995f);
        float code = against ? 127 : one_of(4) == 0 ? (float)(8 + one_of(20)) : 126;
        for (size_t k = 0; k < d; k++)
            side->rows[i * d + k] = k == greatest % d ? 127 * step * own[k]
                                    : k == remainder  ? left * step * other[k]
                                                      : (code * own[k] + left * other[k]) * step;
    }
}

static void fill_extreme(struct block *b, bool against, float turn)
{
    float *signs = room(2 * b->d, sizeof *signs), *other = signs + b->d;
    for (size_t k = 0; k < b->d; k++) {
        signs[k] = one_of(2) == 0 ? 1 : -1;
        other[k] = against ? -signs[k] : one_of(2) == 0 ? 1 : -1;
    }
    fill_extreme_rows(b->d, b->rows, &b->left, signs, other, 0, 1, turn, against);
    fill_extreme_rows(b->d, b->cols, &b->right, other, signs, 1, 0, turn, against);
    free(signs);
}

/* Steps are powers of two, and rows are their codes. Of the codes of a left row each is the one
 * whose product is rounded up furthest. */
static void fill_chain(struct block *b)
{
    for (size_t j = 0; j < b->cols; j++) {
        float step = ldexpf(1, (int)one_of(5));
        for (size_t k = 0; k < b->d; k++)
            b->right.rows[j * b->d + k] = 127 * step;
    }
    for (size_t r = 0; r < b->rows; r++) {
        float *row = b->left.rows + r * b->d, step = ldexpf(1, (int)one_of(5)), chain = 0;
        for (size_t k = 0; k < b->d; k++) {
            float best = k == 0 ? 127 : (float)(90 + one_of(38)), up = -1;
            for (float code = 100; k >= 8 && code <= 127; code++) {
                float now = (fmaf(code, 127, chain) - chain) - code * 127;
                if (now > up) {
                    up = now;
                    best = code;
                }
            }
            chain = fmaf(best, 127, chain);
            row[k] = best * step;
        }
    }
}

static struct block *random_block(enum kind kind, float turn, size_t d, size_t rows, size_t cols)
{
    struct block *b = new_block(d, rows, cols);
    if (kind == KIND_CHAIN) {
        fill_chain(b);
    } else if (kind == KIND_NORMAL) {
        fill_normal_rows(d, rows, &b->left);
        fill_normal_rows(d, cols, &b->right);
    } else {
        fill_extreme(b, kind == KIND_AGAINST, turn);
    }
    make_pairs(b);
    return b;
}

/* ---- What passes ----------------------------------------------------------------------------- */

/* Of the bounds that codes.h gives, how much the pairs use at most: of that of the codes in the
 * direction of turn, or, if that is 0, in any; of that of the chain, with 40 u X Y for what is not
 * the chain's. */
struct use {
    size_t pairs;
    long double codes, chain;
};

static struct use use_of(const struct block *b, float turn)
{
    struct use use = {b->rows * b->cols, 0, 0};
    for (size_t r = 0; r < b->rows; r++)
        for (size_t j = 0; j < b->cols; j++) {
            struct codes_scale x = b->left.scale[r], y = b->right.scale[j];
            long double off = b->product[r][j] - b->estimate[r][j];
            long double chain_off = fabsl(b->chain[r][j] - b->product[r][j]);
            long double of_codes =
                x.error * ((long double)y.norm + y.error) + (long double)x.norm * y.error;
            long double of_chain = (CODES_SPARE(b->d) - 40) * 0x1p-24L * norms(b, r, j);
            if (!(fabsl(off) <= of_codes) || !(chain_off <= of_chain))
                fail_msg("d = %zu: codes %Lg off, bound %Lg; chain %Lg off, bound %Lg", b->d, off,
                         of_codes, chain_off, of_chain);
            use.codes = fmaxl(use.codes, (turn != 0 ? turn * off : fabsl(off)) / of_codes);
            use.chain = fmaxl(use.chain, chain_off / of_chain);
        }
    return use;
}

static float at_most(long double v)
{
    float nearest = (float)v;
    return nearest > v ? nextafterf(nearest, -INFINITY) : nearest;
}

/* The greatest threshold that a pair's chain reaches does not lose the pair, and one that is above
 * its bound by a hair does: in all rows at once, one column after the other, or some of them. */
static void judge_columns(struct placed *p, const float *add, size_t every)
{
    const struct block *b = p->b;
    float least[LEFT];
    for (size_t j = one_of(every); j < b->cols; j += every) {
        float plus = add != NULL ? add[j] : 0;
        for (size_t r = 0; r < b->rows; r++)
            least[r] = at_most((long double)b->chain[r][j] + plus);
        screen(p, b->rows, j + 1, add != NULL, least);
        for (size_t r = 0; r < b->rows; r++)
            if (!p->passed[r * RIGHT + j])
                fail_msg("%s, d = %zu: %zu, %zu is lost: %.9g of the chain and %g, %.9Lg + %.3Lg "
                         "of the codes",
                         p->name, b->d, r, j, (double)b->chain[r][j], (double)plus,
                         b->estimate[r][j], bound(p, r, j));
        for (size_t r = 0; r < b->rows; r++)
            least[r] = (float)(b->estimate[r][j] + bound(p, r, j) + plus + hair(p, r, j, plus));
        screen(p, b->rows, b->cols, add != NULL, least);
        for (size_t r = 0; r < b->rows; r++)
            if (p->passed[r * RIGHT + j])
                fail_msg("%s, d = %zu: %zu, %zu passes %.9g: %.9Lg + %.3Lg of the codes, and %g",
                         p->name, b->d, r, j, (double)least[r], b->estimate[r][j], bound(p, r, j),
                         (double)plus);
    }
}

/* Thresholds near the bound of one pair of their row: all pass but those whose bound is below, give
 * or take a hair. So tables differ only in their strips, and within a hair. */
static void judge_rows(struct placed *p, const float *add)
{
    const struct block *b = p->b;
    float least[LEFT];
    for (size_t r = 0; r < b->rows; r++) {
        size_t j = one_of(b->cols);
        float plus = add != NULL ? add[j] : 0;
        least[r] = (float)(b->estimate[r][j] + bound(p, r, j) + plus +
                           between(-4, 4) * hair(p, r, j, plus));
    }
    screen(p, b->rows, b->cols, add != NULL, least);
    for (size_t r = 0; r < b->rows; r++)
        for (size_t j = 0; j < b->cols; j++) {
            float plus = add != NULL ? add[j] : 0;
            long double above = b->estimate[r][j] + bound(p, r, j) + plus - least[r];
            if (fabsl(above) > hair(p, r, j, plus) && p->passed[r * RIGHT + j] != (above > 0))
                fail_msg("%s, d = %zu: %zu, %zu with a bound %.3Lg above %.9g %s", p->name, b->d, r,
                         j, above, (double)least[r], above > 0 ? "is lost" : "passes");
        }
}

/* Plain C takes its time: of its columns some. */
static size_t column_step(size_t table)
{
    return tables[table].ops == &codes_ops_scalar ? 7 : 1;
}

static size_t pairs_tried;

static void try_block(enum kind kind, float turn, size_t d, size_t rows, size_t cols)
{
    struct block *b = random_block(kind, turn, d, rows, cols);
    struct use use = use_of(b, kind == KIND_NORMAL ? 0 : turn);
    pairs_tried += use.pairs;
    /* Else a bound that is too low would not be found here. */
    bool enough = kind == KIND_CHAIN    ? use.chain >= 0.1L
                  : d == 1              ? true /* 127 steps, and nothing left */
                  : kind == KIND_NORMAL ? use.pairs < 1000 || use.codes >= 0.05L
                  : turn > 0            ? use.codes >= 0.99L
                                        : true;
    if (!enough)
        fail_msg("d = %zu, kind %d: %Lg of the bound used by codes, %Lg by the chain", d, (int)kind,
                 use.codes, use.chain);
    for (size_t i = 0; i < table_count; i++) {
        struct placed p = place(i, b, one_of(3), one_of(2), NULL);
        judge_columns(&p, NULL, column_step(i));
        for (int trial = 0; trial < 3; trial++)
            judge_rows(&p, NULL);
        take_away(&p);
    }
    free_block(b);
}

/* Mostly not whole strips. */
static size_t many_rows(void)
{
    return LEFT - one_of(16);
}

static void pairs_at_their_thresholds(void **state)
{
    (void)state;
    noise = 2;
    static const size_t longer[] = {128, 384, 512, 769};
    static const size_t long_chains[] = {2048, 4096, 8200, 16384};
    pairs_tried = 0;
    for (size_t d = 1; d <= 70; d++)
        for (int kind = 0; kind < KIND_CHAIN; kind++) {
            try_block((enum kind)kind, 1, d, many_rows(), RIGHT);
            try_block((enum kind)kind, 1, d, many_rows(), RIGHT - one_of(8));
            try_block((enum kind)kind, -1, d, 1 + one_of(LEFT), 1 + d % RIGHT);
        }
    for (size_t i = 0; i < sizeof longer / sizeof *longer; i++)
        for (int kind = 0; kind < KIND_CHAIN; kind++) {
            try_block((enum kind)kind, 1, longer[i], many_rows(), RIGHT - one_of(2));
            try_block((enum kind)kind, -1, longer[i], 1 + one_of(LEFT), 1 + one_of(RIGHT));
        }
    for (size_t i = 0; i < sizeof long_chains / sizeof *long_chains; i++)
        try_block(KIND_CHAIN, 1, long_chains[i], 17 + one_of(10), 1 + one_of(5));
    assert_true(pairs_tried >= 1000000);
}

/* ---- What is added --------------------------------------------------------------------------- */

static void what_is_added(void **state)
{
    (void)state;
    noise = 3;
    static const size_t d[] = {1, 2, 3, 4, 5, 9, 33, 64, 70, 127, 200, 385};
    for (size_t i = 0; i < sizeof d / sizeof *d; i++)
        for (int kind = 0; kind < KIND_CHAIN; kind++) {
            struct block *b =
                random_block((enum kind)kind, 1, d[i], many_rows(), RIGHT - one_of(4));
            float squares[RIGHT], others[RIGHT], nan[RIGHT];
            for (size_t j = 0; j < b->cols; j++) {
                float norm = b->right.scale[j].norm;
                squares[j] = -0.5f * norm * norm;
                others[j] = between(-2, 1) * norm;
                nan[j] = NAN;
            }
            for (size_t t = 0; t < table_count; t++) {
                struct placed p = place(t, b, one_of(3), one_of(2), squares);
                judge_columns(&p, squares, column_step(t));
                judge_rows(&p, squares);
                take_away(&p);
                p = place(t, b, one_of(3), one_of(2), others);
                judge_columns(&p, others, column_step(t));
                judge_rows(&p, others);
                take_away(&p);
                /* Not looked at where nothing is to be added. */
                p = place(t, b, one_of(3), one_of(2), nan);
                judge_columns(&p, NULL, column_step(t));
                judge_rows(&p, NULL);
                take_away(&p);
            }
            free_block(b);
        }
}

/* ---- Rows without codes, and zero ------------------------------------------------------------ */

enum special { USABLE, ZERO, DENORMAL, TOO_SHORT, TOO_LONG, BEYOND, WITH_INF, WITH_NAN, SPECIALS };

/* Some among rows that are usable, and whole strips of them. */
static enum special special_of(size_t i)
{
    return i < 3 * SPECIALS && i % 3 != 0 ? USABLE : (enum special)(i / 3 % SPECIALS);
}

static void put_special_rows(size_t d, size_t count, struct side *side)
{
    static const float factor[SPECIALS] = {1, 0, 1, 0x1p-60f, 0x1p90f, 0x1p110f, 1, 1};
    for (size_t i = 0; i < count; i++) {
        enum special special = special_of(i);
        float *row = side->rows + i * d;
        for (size_t k = 0; k < d; k++)
            row[k] = special == DENORMAL ? 0x1p-140f : factor[special] * row[k];
        if (special == WITH_INF || special == WITH_NAN)
            row[i % d] = special == WITH_NAN ? NAN : i % 2 == 0 ? INFINITY : -INFINITY;
    }
}

/* Whether the pair passes whatever its threshold. */
static bool always_passes(size_t r, size_t j)
{
    bool codes = special_of(j) == USABLE || special_of(j) == ZERO;
    /* A product that is NaN comes after all others. */
    return special_of(r) != USABLE || (!codes && special_of(j) != WITH_NAN);
}

static bool passes_all(size_t r, size_t j)
{
    (void)r, (void)j;
    return true;
}

/* One threshold for all rows; what is zero on the right may have another answer. */
static void expect_passed(struct placed *p, bool adds, float threshold,
                          bool (*passes)(size_t r, size_t j), bool only_zeros)
{
    float least[LEFT];
    for (size_t r = 0; r < p->b->rows; r++)
        least[r] = threshold;
    screen(p, p->b->rows, p->b->cols, adds, least);
    for (size_t r = 0; r < p->b->rows; r++)
        for (size_t j = 0; j < p->b->cols; j++)
            if ((!only_zeros || special_of(j) == ZERO) && p->passed[r * RIGHT + j] != passes(r, j))
                fail_msg("%s, d = %zu: kinds %d, %d at %g: passed is %d", p->name, p->b->d,
                         (int)special_of(r), (int)special_of(j), (double)threshold,
                         p->passed[r * RIGHT + j]);
}

static struct block *special_block(size_t d, float *add)
{
    struct block *b = new_block(d, LEFT - 1, RIGHT);
    fill_normal_rows(d, b->rows, &b->left);
    fill_normal_rows(d, b->cols, &b->right);
    put_special_rows(d, b->rows, &b->left);
    put_special_rows(d, b->cols, &b->right);
    make_pairs(b);
    for (size_t j = 0; j < b->cols; j++) {
        const float *y = b->right.rows + j * d;
        float squares = 0;
        for (size_t k = 0; k < d; k++)
            squares += y[k] * y[k];
        add[j] = -0.5f * squares;
    }
    return b;
}

static void on_special_blocks(uint64_t seed, void (*test)(struct placed *p, bool adds))
{
    static const size_t d[] = {1, 3, 37, 64, 130};
    noise = seed;
    for (size_t i = 0; i < sizeof d / sizeof *d; i++) {
        float add[RIGHT];
        struct block *b = special_block(d[i], add);
        for (size_t t = 0; t < table_count; t++) {
            struct placed p = place(t, b, one_of(3), one_of(2), add);
            test(&p, false);
            test(&p, true);
            take_away(&p);
        }
        free_block(b);
    }
}

static void try_special_rows(struct placed *p, bool adds)
{
    expect_passed(p, adds, NAN, passes_all, false);
    expect_passed(p, adds, -INFINITY, passes_all, false);
    expect_passed(p, adds, 1e30f, always_passes, false);
    /* Of a zero row the bound is 0, not only near it. */
    expect_passed(p, adds, 0, passes_all, true);
    expect_passed(p, adds, -0.0f, passes_all, true);
    expect_passed(p, adds, -1e-3f, passes_all, true);
    expect_passed(p, adds, FLT_MIN, always_passes, true);
}

static void rows_without_codes(void **state)
{
    (void)state;
    on_special_blocks(4, try_special_rows);
}

/* In steps of a row FLT_MAX may be Inf, too. */
static void try_great_thresholds(struct placed *p, bool adds)
{
    expect_passed(p, adds, FLT_MAX, always_passes, false);
    expect_passed(p, adds, INFINITY, always_passes, false);
}

static void thresholds_that_none_can_reach(void **state)
{
    (void)state;
    on_special_blocks(5, try_great_thresholds);
}

/* ---- Rows and columns that are asked for ----------------------------------------------------- */

static void all_or_none_of_any_rows_and_columns(void **state)
{
    (void)state;
    noise = 6;
    struct block *b = random_block(KIND_NORMAL, 1, 5, LEFT, RIGHT);
    static const float add[RIGHT];
    for (size_t t = 0; t < table_count; t++) {
        struct placed p = place(t, b, 1, 1, add);
        float least[2][LEFT];
        for (size_t r = 0; r < LEFT; r++) {
            least[0][r] = -1e30f;
            least[1][r] = 1e30f;
        }
        for (size_t rows = 1; rows <= LEFT; rows++)
            for (size_t cols = 1; cols <= RIGHT; cols++) {
                bool adds = (rows + cols) % 2;
                assert_int_equal(screen(&p, rows, cols, adds, least[0]), rows * cols);
                assert_int_equal(screen(&p, rows, cols, adds, least[1]), 0);
            }
        take_away(&p);
    }
    free_block(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_of_rows),
        cmocka_unit_test(pairs_at_their_thresholds),
        cmocka_unit_test(what_is_added),
        cmocka_unit_test(rows_without_codes),
        cmocka_unit_test(thresholds_that_none_can_reach),
        cmocka_unit_test(all_or_none_of_any_rows_and_columns),
    };
    return cmocka_run_group_tests(tests, find_tables, NULL);
}
