/* exp_cases.c - cases of exp and logsumexp.
 * SPDX-License-Identifier: MIT
 *
 * A shape is one vector of d floats, as for a pair: the bench finds real vectors for it.
 */
#include "cases.h"
#include "exp_ref.h"
#include "sweep.h"

#include "../kernels/exp/exp.h"

enum { X, RESULT };

/* ---- exp: one unit in the last place --------------------------------------------------------- */

static void exp_layout(struct trial *t)
{
    add_buffer(t, "x", false, 1, t->shape.d);
    add_buffer(t, "y", true, 1, t->shape.d)->sign = SIGN_NOT_NEGATIVE;
}

/* The normal numbers become arguments with results from below the normal range to Inf; where rows
 * are aligned, they are those next to the ends of the range. */
static void exp_fill(struct trial *t)
{
    float *x = t->buffer[X].data;
    uint64_t stream = fill_stream(t, "edges");
    for (size_t i = 0; i < t->shape.d; i++) {
        uint64_t h = fill_hash(stream, i);
        if (t->fill == FILL_NORMAL || t->fill == FILL_UNIT_ROWS)
            x[i] = (float)(30 * fill_normal(stream, i));
        if (t->fill == FILL_ALIGNED)
            x[i] = (h & 1 ? EXP_HIGHEST : EXP_LOWEST) *
                   (1 + 0x1p-23f * (float)((int)(h >> 1 & 7) - 4));
    }
}

static enum mmk_status exp_call(struct trial *t)
{
    return mmk_exp(t->shape.d, t->buffer[X].data, t->buffer[RESULT].data);
}

static void exp_oracle(struct trial *t)
{
    const float *x = t->buffer[X].data;
    struct buffer *y = &t->buffer[RESULT];
    for (size_t i = 0; i < t->shape.d; i++) {
        double e = y->expected[i] = exp_ref(x[i]);
        int exponent;
        frexp(e, &exponent);
        y->bound[i] = isfinite(e) && e != 0 && x[i] != 0 ? ldexp(1, exponent - 24) : 0;
    }
}

/* ---- logsumexp ---------------------------------------------------------------------------------
 *
 * With d_i = x_i - max, S = sum e^{d_i} >= 1 and u = 2^-24:
 *     d_i is rounded by u |d_i|, which is the term's relative error; e^d by an ulp, 2 u at most;
 *     all terms are positive, so that their sum errs by (c + 7) u of itself, with chains of
 *     c = ceil(block / 64) in a block of 4096, and the blocks joined in double;
 *     a term below 2^-126 is lost.
 * The relative error of S is the absolute one of log S; the result is rounded once.
 */

enum { BLOCK = 4096 };

static void logsumexp_layout(struct trial *t)
{
    add_buffer(t, "x", false, 1, t->shape.d);
    add_buffer(t, "result", true, 1, 1);
}

/* Terms of like size are what the fills make already; also far apart, rising from block to block,
 * falling, and far from 0. */
static void logsumexp_fill(struct trial *t)
{
    float *x = t->buffer[X].data;
    uint64_t stream = fill_stream(t, "spread");
    for (size_t i = 0; i < t->shape.d; i++) {
        if (t->fill == FILL_NORMAL)
            x[i] = (float)(30 * fill_normal(stream, i));
        if (t->fill == FILL_ALIGNED)
            x[i] = (float)i * 0x1p-6f;
        if (t->fill == FILL_UNIT_ROWS)
            x[i] = (float)i * -0.25f;
        if (t->fill == FILL_DUPLICATES)
            x[i] = fill_hash(stream, i) % 8 == 0 ? -INFINITY : -1000.0f;
    }
}

static enum mmk_status logsumexp_call(struct trial *t)
{
    return mmk_logsumexp(t->shape.d, t->buffer[X].data, t->buffer[RESULT].data);
}

static void logsumexp_oracle(struct trial *t)
{
    size_t d = t->shape.d;
    const float *x = t->buffer[X].data;
    double expected = *t->buffer[RESULT].expected = exp_ref_logsumexp(d, x);
    double max = -INFINITY, sum = 0, weighted = 0;
    for (size_t i = 0; i < d; i++)
        max = (double)x[i] > max ? (double)x[i] : max; /* fmax: gcc 12 breaks down on aarch64 */
    for (size_t i = 0; i < d && isfinite(expected); i++) {
        double distance = fmin(max - (double)x[i], 1000); /* the term is 0 long before */
        sum += exp(-distance);
        weighted += exp(-distance) * distance;
    }
    double relative = (weighted / sum + 2 + bound_lanes(least(d, BLOCK))) * BOUND_U;
    *t->buffer[RESULT].bound =
        isfinite(expected) ? relative + (double)d * 0x1p-126 + fabs(expected) * BOUND_U : 0;
}

/* ---- Costs and shapes ------------------------------------------------------------------------ */

/* The nine fused multiply-adds: what is beside them has ports of its own. */
static double flops(const struct shape *s)
{
    return 18 * (double)s->d;
}

static double exp_bytes(const struct shape *s)
{
    return 8 * (double)s->d;
}

static double logsumexp_bytes(const struct shape *s)
{
    return 4 * (double)s->d;
}

static size_t sweep(bool quick, struct shape *shapes)
{
    size_t count = 0, dims[SWEEP_DIMS];
    size_t dim_count = sweep_dims(quick, dims);
    for (size_t i = 0; i < dim_count; i++)
        sweep_add(shapes, &count, (struct shape){.d = dims[i]});
    static const size_t blocks[] = {4095, 4096, 4097, 8200, 20000}; /* around those of logsumexp */
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        sweep_add(shapes, &count, (struct shape){.d = blocks[i]});
    return count;
}

/* L1, L1, L2 or L3. */
static const struct shape bench[] = {{.d = 1024}, {.d = 4096}, {.d = 262144}};

#define PARTS                                                                                      \
    .family = "exp", .dims = "d", .similarity = SIMILARITY_NONE, .flops = flops, .sweep = sweep,   \
    BENCH(bench)

const struct kernel kernel_exp = {
    .name = "exp",
    .rooms = "exp",
    .formula = "e^x",
    .layout = exp_layout,
    .fill = exp_fill,
    .call = exp_call,
    .oracle = exp_oracle,
    .bytes = exp_bytes,
    PARTS,
};

const struct kernel kernel_logsumexp = {
    .name = "logsumexp",
    .rooms = "exp",
    .formula = "log sum_i e^{x_i}",
    .layout = logsumexp_layout,
    .fill = logsumexp_fill,
    .call = logsumexp_call,
    .oracle = logsumexp_oracle,
    .bytes = logsumexp_bytes,
    PARTS,
};
