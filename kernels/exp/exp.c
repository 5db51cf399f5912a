/* exp.c - mmk_exp and mmk_logsumexp: checks, blocks, and the joining of their sums.
 * SPDX-License-Identifier: MIT
 *
 * All time is in the tables. mmk_exp is bound by the FMAs of its polynomial (exp_<isa>.c), and by
 * memory where x and y are there. mmk_logsumexp reads each block twice, for its maximum from
 * wherever it lies and for its sum from L1; a block adds one exponential in double.
 */
#include "exp.h"

#include "lse.h"
#include "../call/args.h"
#include "../call/fp_state.h"
#include "../isa/isa.h"
#include "../simd/scalar.h"

enum mmk_status mmk_exp(size_t n, const float *x, float *y)
{
    FP_STATE_DEFAULT();
    const struct isa_row *isa;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK)
        return status;
    if ((status = args_array("x", x, n, sizeof *x)) != MMK_OK ||
        (status = args_array("y", y, n, sizeof *y)) != MMK_OK)
        return status;
    isa->exp->each(n, x, y);
    return MMK_OK;
}

/* 2^t for t <= 0; 0 where that is nothing beside 1, which is also beyond what lse_exp2 takes. */
static double factor(double t)
{
    return t < -1000 ? 0 : lse_exp2(t);
}

static float log_sum_exp(const struct exp_ops *ops, size_t n, const float *x)
{
    double max = -INFINITY, sum = 0; /* of e^{x_i - max} over the blocks so far */
    if (n == 1)
        return simd_canonical_nan(*x); /* -0, too */
    for (size_t part; n > 0; n -= part, x += part) {
        part = n < EXP_BLOCK ? n : EXP_BLOCK;
        float block_max = ops->max(part, x);
        if (block_max != block_max)
            return simd_canonical_nan(NAN);
        if (block_max == -INFINITY || max == INFINITY)
            continue;
        double block_sum = block_max == INFINITY ? 1 : (double)ops->sum(part, x, block_max);
        double raised = ((double)block_max - max) * LSE_LOG2E;
        if (raised > 0) {
            sum = sum * factor(-raised) + block_sum;
            max = block_max;
        } else {
            sum += block_sum * factor(raised);
        }
    }
    return (float)(max + lse_log(sum));
}

enum mmk_status mmk_logsumexp(size_t n, const float *x, float *result)
{
    FP_STATE_DEFAULT();
    const struct isa_row *isa;
    enum mmk_status status = isa_current(&isa);
    if (status != MMK_OK)
        return status;
    if ((status = args_pointer("result", result)) != MMK_OK ||
        (status = args_array("x", x, n, sizeof *x)) != MMK_OK)
        return status;
    *result = log_sum_exp(isa->exp, n, x);
    return MMK_OK;
}
