/* exp_ref.c - oracle of exp and logsumexp, in double.
 * SPDX-License-Identifier: MIT
 */
#include "exp_ref.h"

#include <float.h>
#include <math.h>

double exp_ref(float x)
{
    double e = exp((double)x);
    if (e < (double)FLT_MIN)
        return 0;
    return e >= (double)FLT_MAX * (1 + 0x1p-25) ? INFINITY : e;
}

double exp_ref_logsumexp(size_t n, const float *x)
{
    double max = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (x[i] != x[i])
            return NAN;
        max = fmax(max, (double)x[i]);
    }
    if (isinf(max))
        return max;
    for (size_t i = 0; i < n; i++)
        sum += exp((double)x[i] - max);
    return max + log(sum);
}
