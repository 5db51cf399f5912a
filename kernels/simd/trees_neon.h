/* trees_neon.h - the trees of many sums together, on float32x4_t (internal).
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_SIMD_TREES_NEON_H
#define MMK_SIMD_TREES_NEON_H

#include "neon.h"

/* The trees of 4 rows from 4 lanes each; element r of the result is row r.
 * zip of 64-bit halves: lanes 0+2 and 1+3 of rows 0, 1 and of rows 2, 3; then even and odd places.
 */
static inline float32x4_t sum_rows_neon(const float32x4_t s[4])
{
    float64x2_t s0 = vreinterpretq_f64_f32(s[0]);
    float64x2_t s1 = vreinterpretq_f64_f32(s[1]);
    float64x2_t s2 = vreinterpretq_f64_f32(s[2]);
    float64x2_t s3 = vreinterpretq_f64_f32(s[3]);
    float32x4_t rows01 = vaddq_f32(vreinterpretq_f32_f64(vzip1q_f64(s0, s1)),
                                   vreinterpretq_f32_f64(vzip2q_f64(s0, s1)));
    float32x4_t rows23 = vaddq_f32(vreinterpretq_f32_f64(vzip1q_f64(s2, s3)),
                                   vreinterpretq_f32_f64(vzip2q_f64(s2, s3)));
    float32x4_t t = vaddq_f32(vuzp1q_f32(rows01, rows23), vuzp2q_f32(rows01, rows23));
    return vaddq_f32(t, vdupq_n_f32(0.0f));
}

#endif
