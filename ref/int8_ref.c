/* int8_ref.c - oracle of similarities of rows of codes.
 * SPDX-License-Identifier: MIT
 *
 * Bounds. Sums of products are exact, and so are products of two scales in double. With v = 2^-53 a
 * dot product is one product, off by v, and then a float, off by u = 2^-24 or by half of 2^-149; a
 * cosine is a product, whose root halves its error, a root and a quotient: 2.5 v in all, and it is
 * never so small that float would lose digits. Both are granted u (1 + 2^-20).
 * neg_sq_l2 is (A + B) - C with A = a^2 p.p, B = b^2 q.q and C = 2 a b p.q <= A + B, each of which
 * is off by v of itself, the sum by v of A + B, and the difference by v of itself, at most A + B
 * and C: 5 v (A + B) with a little to spare. Where p and q, and a and b, are the same, it is 0.
 */
#include "int8_ref.h"

#include "cases.h"

int64_t int8_ref_dot(size_t d, const int8_t *p, const int8_t *q)
{
    int64_t sum = 0;
    for (size_t k = 0; k < d; k++)
        sum += (int64_t)p[k] * q[k];
    return sum;
}

static long double sign_of(float scale)
{
    return isfinite(scale) ? (long double)((scale > 0) - (scale < 0)) : (long double)NAN;
}

static long double squared_distance(size_t d, const int8_t *p, long double a, const int8_t *q,
                                    long double b)
{
    long double sum = 0;
    for (size_t k = 0; k < d; k++) {
        long double difference = a * p[k] - b * q[k];
        sum += difference * difference;
    }
    return sum;
}

double int8_ref_pair(enum mmk_similarity similarity, size_t d, const int8_t *p, float a,
                     const int8_t *q, float b, double *bound)
{
    long double pq = (long double)int8_ref_dot(d, p, q);
    long double pp = (long double)int8_ref_dot(d, p, p);
    long double qq = (long double)int8_ref_dot(d, q, q);
    long double x = (long double)a, y = (long double)b, exact, spare = 0;
    const double rounded = BOUND_U * (1 + 0x1p-20);
    if (similarity == MMK_DOT) {
        exact = x * y * pq;
        spare = BOUND_UNDERFLOW;
    } else if (similarity == MMK_COSINE) {
        exact = sign_of(a) * sign_of(b) * (pp * qq != 0 ? pq / sqrtl(pp * qq) : 0);
    } else if (isfinite(a) && isfinite(b)) {
        exact = -squared_distance(d, p, x, q, y);
        spare = 5 * 0x1p-53L * (x * x * pp + y * y * qq) + BOUND_UNDERFLOW;
        if (a == b && exact == 0)
            spare = 0;
    } else {
        exact = -(x * x * pp + y * y * qq - 2 * x * y * pq);
    }
    *bound = isfinite(exact) ? rounded * fabs((double)exact) + (double)spare : 0;
    return (double)exact;
}
