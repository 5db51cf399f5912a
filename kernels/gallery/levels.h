/* levels.h - most of every product from a few numbers of each row (internal).
 * SPDX-License-Identifier: MIT
 *
 * Rows of a gallery often lie near few directions. With p orthonormal ones as the rows of Q (p x d)
 *     y = Q^T z + y',   z = Q y        x = Q^T w + x',   w = Q x
 *     x.y = w.z + x'.y'  <=  w.c + w.(z - c) + |x'| |y'|
 * for any c, the centre of the z: so the product of two rows of p + 1 numbers bounds that of x and
 * y, less w.c, which is a number of x alone,
 *     u = (w, |x'|),    v = (z - c, |y'|),    x.y <= w.c + u.v
 * and codes of 8 bits of these rows bound u.v (codes.h). Whatever Q is, this holds; a good one
 * makes |x'| |y'| small. In float, with eps = |Q Q^T - 1| and kappa |y| the rounding of Q y,
 *     x.y - w.c - w.(z - c) - |x'| |y'|  <=  |Qx - w| |z| + |w| |Q y'|
 *                                        <=  1.02 (2 kappa + eps) |x| |y|
 *     |y'|^2  <=  |y|^2 - |z|^2 + 1.02 (2 kappa + eps) |y|^2
 * while kappa and eps are below 0.005, which is asked for. kappa is (d/64 + 9) 2^-24 |Q|_F, as sums
 * run in 64 lanes, and |Q|_F^2 <= p (1 + eps). The chain of d FMAs that x.y stands for may add
 * 1.004 d 2^-24 |x| |y|. All of this is made up for by taking
 *     |x'|^2 for |x|^2 - |w|^2 + leftover |x|^2,   leftover = 2.1 (2 kappa + eps) + 1.01 d 2^-24
 * and so |y'|^2: by Cauchy and Schwarz
 *     sqrt(a + l |x|^2) sqrt(b + l |y|^2)  >=  sqrt(a b) + l |x| |y|
 * with one half of the first term in a and b, and the rest in l. The rounding of z - c, 2^-24 |u|
 * |v|, is one of the 2 (p + 1) + 128 such that codes grant, of which they need p + 41.
 */
#ifndef MMK_GALLERY_LEVELS_H
#define MMK_GALLERY_LEVELS_H

#include "../isa/isa.h"
#include "../tile/tile.h"

/* A gallery needs so many rows, and rows of such lengths, to be looked at. A basis has at most so
 * many directions. */
enum {
    LEVELS_LEAST_ROWS = 16384,
    LEVELS_LEAST_DEPTH = 128,
    LEVELS_MOST_DEPTH = 2048,
    LEVELS_MOST = 127
};

struct levels {
    size_t p;       /* directions; 0: no level before the codes of whole rows */
    float *basis;   /* p x d */
    float *centre;  /* p */
    float leftover; /* see above */
};

/* Row r of an operand as it is multiplied, d floats; *scale is set for a cosine. */
void levels_take_row(const struct tile_operand *y, size_t r, size_t d, struct row_scale *scale,
                     float *out);

/* Finds the directions of most energy of n rows, and whether they pay. Returns 0, or how many bytes
 * it could not have. levels->basis is to be freed, and may be NULL. */
size_t levels_find(const struct isa_row *isa, enum mmk_similarity similarity,
                   const struct tile_operand *y, size_t n, size_t d, struct levels *levels);

/* u of a row x whose norm, rounded up, is usable; p + 1 floats. Returns w.c. */
double levels_left(const struct levels *levels, const struct isa_row *isa, size_t d, const float *x,
                   float norm, float *u);
/* And v of a row y. */
void levels_right(const struct levels *levels, const struct isa_row *isa, size_t d, const float *y,
                  float norm, float *v);

#endif
