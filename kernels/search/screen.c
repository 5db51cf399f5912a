/* screen.c - how far a score may be from a sum in lanes.
 * SPDX-License-Identifier: MIT
 *
 * The time is that of the sums, kernels/query, which is what memory takes to give Y.
 *
 * u = 2^-24, d <= 2^16, so that d u <= 2^-8. A chain of d FMAs over products whose magnitudes sum
 * to A is off by d u / (1 - d u) A <= 1.004 d u A, and A <= |x| |y| (Cauchy and Schwarz). A sum in
 * lanes is d / 64 FMAs, rounded up, and a tree of six: less than (d / 64 + 8) u A off. Denormal
 * results of FMAs are off by 2^-150 more each; sums of floats are exact there.
 *
 * Norms. n = d / 64 + 7 roundings of a sum of squares, and up to d 2^-150 that is lost below:
 *     |y| <= (sqrt(yy) + sqrt(d) 2^-75) (1 + .51 n u),   sqrtf(yy) being u off sqrt(yy)
 *         <= (sqrtf(yy) + sqrt(d) 2^-75) (1 + (d / 125 + 5) u)
 * For a chain of squares d takes the place of n. screen_hold_row adds more than either to |x|, but
 * for a cosine, whose norm may be too great as well as too small.
 *
 * Dot. The chain is less than (1.0196 d + 8) u |x| |y| above the sum in lanes, xy. With X >= |x|
 * and sqrtf(yy) in place of |y| that is (1 + (d / 125 + 5) u) times as much, at most 2.2 more. So
 *     score < at_least   where   xy < at_least - (1.02 d + 16) u X sqrtf(yy)
 * The right side is rounded twice as it is evaluated: by u of itself, if that matters at most about
 * 1.02 |x| |y|, and by u of what is subtracted, less than 0.01 of that: 1.1 more. In all 1.0196 d +
 * 12. A greater right side, above what |x| |y| can reach, is one with room for its u. What
 * underflows is taken off at_least: sqrt(d) 2^-75 of yy times its factor, and (2 d + 1) 2^-150 of
 * the chain and the lanes, of the product on the right 2^-150. Nothing overflows: X <= 2^60, and
 * while yy is below 2^128 all partial sums are below 2^125. A yy of Inf or NaN makes the right side
 * -Inf or NaN, and nothing is below that.
 *
 * Cosine. Of normalised rows, whose norms are 1 and a little, the chain is 1.004 d u off their
 * product; their elements are off by (d / 128 + 8) u, twice: sum of squares, root, quotient,
 * product. The sum in lanes is (d / 64 + 8) u |x| |y| off, and X and sqrtf(yy), which are not
 * rounded up here, are (d / 128 + 5) u off |x| and |y|. In all less than (1.06 d + 40) u, if no
 * square sum has left the safe range (pair/norm.h). With twice as much,
 *     score < at_least   where   xy < (at_least - (2 d + 64) u) X sqrtf(yy)
 * and two roundings of the right side, as well as products of these errors, are less than what is
 * left over. Rows of Y that are not safe have the cosine of mmk_similarity_pair compared instead,
 * which is as near.
 *
 * Squared distance. Chains of rows a and b, which are x and y less the origin, each element rounded
 * once, with norms A and B: 2 a.b - aa - bb is off by 1.004 d u (2 A B + A^2 + B^2), its two last
 * roundings by 2.1 u (A + B)^2, and |a - b|^2 is off |x - y|^2 by 2.1 u (A + B)^2, as |a - b| is by
 * u (A + B). With D = |x - y|, so that B <= A + |a - b| and A + B <= (2 A + D) (1 + 2 u),
 *     score <= -D^2 + q (2 A + D)^2,   q = (1.01 d + 8) u
 * and that no score is above 0 changes nothing. This falls with D as soon as D > 2 A q / (1 - q),
 * and is at_least = -t where
 *     D (1 - q) = 2 A q + sqrt((2 A q)^2 + (1 - q) (t + 4 A^2 q))
 * A greater D makes a lower score. The sum of squares in lanes is (d / 64 + 10) u off D^2, three of
 * them of each difference and its square. Underflow: 6 d 2^-150 are more than all chains and lanes
 * lose; they are added to t. Overflow: A <= 2^50 and t <= 2^100 make D below 2^52. So a row whose
 * squares overflow, in lanes or in the chain, is farther: |b|^2 > 2^125, and its score, taken from
 * differences there, is below -2^120, or NaN.
 *
 * What a line is made of is computed in double, and rounded outward as it becomes float.
 */
#include "screen.h"

#include "../pair/norm.h"
#include "../query/query.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static_assert((int)SEARCH_SCREENED_ROWS <= (int)QUERY_SEVERAL, "all rows at a time");

#define U                0x1p-24
#define UP               (1 + 0x1p-22) /* more than a float and some doubles are rounded */
#define GREATEST         0x1p60f
#define GREATEST_SHIFTED 0x1p50f /* less its origin */
#define FARTHEST         0x1p100f

void screen_hold_row(const struct screen *screen, size_t r, const float *x, float xx)
{
    double d = (double)screen->d;
    bool usable;
    if (screen->similarity == MMK_NEG_SQ_L2) {
        usable = xx <= GREATEST_SHIFTED * GREATEST_SHIFTED;
    } else {
        xx = screen->isa->pair->pair[MMK_DOT](screen->d, x, x);
        usable = screen->similarity == MMK_COSINE ? norm_is_safe(xx) : xx <= GREATEST * GREATEST;
    }
    double norm = sqrt((double)xx);
    if (screen->similarity != MMK_COSINE)
        norm = (norm + sqrt(d) * 0x1p-74) * (1 + (d + 8) * U) * UP;
    screen->norm[r] = usable ? (float)norm : INFINITY;
}

void screen_sums_layout(struct screen_sums *out, size_t rows, size_t cols, struct scratch *scratch)
{
    out->ld = cols;
    out->sums = scratch_take(scratch, rows * cols, sizeof *out->sums);
    out->norms = scratch_take(scratch, cols, sizeof *out->norms);
}

/* The sums as they are, of floats, */
static void sum_floats(const struct screen *screen, const struct tile_operand *x,
                       const struct tile_operand *y, size_t col, size_t cols,
                       const struct screen_sums *out)
{
    const struct query_ops *query = screen->isa->query;
    const float *of_x = tile_operand_row(x, 0), *of_y = tile_operand_row(y, col);
    if (screen->similarity == MMK_NEG_SQ_L2)
        query->neg_sq_l2s(x->rows, cols, screen->d, of_x, x->ld, of_y, y->ld, out->sums, out->ld);
    else
        query->dots(x->rows, cols, screen->d, of_x, x->ld, of_y, y->ld, out->sums, out->ld,
                    out->norms);
}

/* or of what 16-bit floats become in registers. */
static void sum_halves(const struct screen *screen, const struct tile_operand *x,
                       const struct tile_operand *y, size_t col, size_t cols,
                       const struct screen_sums *out)
{
    const struct query_several_ops *several =
        y->type == MMK_F16 ? screen->isa->several_f16 : screen->isa->several_bf16;
    const float *of_x = tile_operand_row(x, 0);
    const uint16_t *of_y = y->narrow + col * y->ld;
    if (screen->similarity == MMK_NEG_SQ_L2)
        several->neg_sq_l2s(x->rows, cols, screen->d, of_x, x->ld, of_y, y->ld, out->sums, out->ld);
    else
        several->dots(x->rows, cols, screen->d, of_x, x->ld, of_y, y->ld, out->sums, out->ld,
                      out->norms);
}

void screen_sum(const struct screen *screen, const struct tile_operand *x,
                const struct tile_operand *y, size_t col, size_t cols,
                const struct screen_sums *out)
{
    bool cosine = screen->similarity == MMK_COSINE;
    if (y->widen != NULL)
        sum_halves(screen, x, y, col, cols, out);
    else
        sum_floats(screen, x, y, col, cols, out);
    if (screen->similarity == MMK_NEG_SQ_L2) {
        memset(out->norms, 0, cols * sizeof *out->norms);
        return;
    }
    for (size_t j = 0; j < cols; j++)
        out->norms[j] = cosine && !norm_is_safe(out->norms[j]) ? NAN : sqrtf(out->norms[j]);
}

static struct screen_line dot_line(double d, double norm, double at_least)
{
    double slope = (1.02 * d + 16) * U * norm * UP;
    double least = at_least - slope * sqrt(d) * 0x1p-74 - (2 * d + 4) * 0x1p-149;
    return (struct screen_line){(float)(least - fabs(least) * (UP - 1)), (float)-slope};
}

static double cosine_least(double d, double at_least)
{
    return at_least - (2 * d + 64) * U;
}

static struct screen_line cosine_line(double d, double norm, double at_least)
{
    return (struct screen_line){0, (float)(cosine_least(d, at_least) * norm)};
}

static struct screen_line neg_sq_l2_line(double d, double norm, double at_least)
{
    double q = (1.01 * d + 8) * U, shift = 2 * norm * q, t = 6 * d * 0x1p-150 - at_least;
    double root = sqrt(shift * shift + (1 - q) * (t + 4 * norm * norm * q));
    double distance = (shift + root) / (1 - q);
    return (struct screen_line){
        (float)(-distance * distance * (1 + (d / 64 + 16) * U) * UP - 0x1p-148), 0};
}

bool screen_line(const struct screen *screen, size_t r, float at_least, struct screen_line *line)
{
    double d = (double)screen->d, norm = (double)screen->norm[r];
    if (!(at_least >= -FARTHEST && at_least <= FARTHEST) || screen->norm[r] == INFINITY)
        return false;
    if (screen->similarity == MMK_DOT)
        *line = dot_line(d, norm, (double)at_least);
    else if (screen->similarity == MMK_COSINE)
        *line = cosine_line(d, norm, (double)at_least);
    else
        *line = at_least <= 0 ? neg_sq_l2_line(d, norm, (double)at_least)
                              : (struct screen_line){at_least, 0}; /* which no score is */
    return true;
}

bool screen_unsafe(const struct screen *screen, const float *x, const float *y, float at_least)
{
    if (screen->similarity != MMK_COSINE)
        return true;
    double cosine = (double)screen->isa->pair->pair[MMK_COSINE](screen->d, x, y);
    return !(cosine < cosine_least((double)screen->d, (double)at_least));
}
