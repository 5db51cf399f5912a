/* mixing.h - the latent variable model of Cai et al.: pairs (image, text) that are misaligned.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_STUDY_MIXING_H
#define MMK_STUDY_MIXING_H

#include "mixer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SEMANTIC = 10, /* s, what image and text can share */
    PRIVATE = 5,   /* m_x, m_t: of the image, of the text */
    LATENTS = SEMANTIC + 2 * PRIVATE
};

enum side { IMAGE, TEXT };

/* What the text sees of the semantics, and how these depend on each other. */
struct bias {
    bool selected[SEMANTIC];  /* I: the others are omitted */
    bool perturbed[SEMANTIC]; /* R, a proper subset of I */
    bool dependent;
};

struct mixing {
    struct bias bias;
    uint64_t stream;
    struct mixer mixer[2]; /* of images, of texts */
    /* z ~ N(0, 1) becomes factor z, with covariance factor factor^T. */
    float factor[SEMANTIC * SEMANTIC], private_factor[2][PRIVATE * PRIVATE];
};

/* Which of the semantics are kept: selected and not perturbed. Returns how many. */
size_t bias_kept(const struct bias *bias, bool kept[SEMANTIC]);

/* Draws mixers and covariances. */
void mixing_open(struct mixing *m, const struct bias *bias, uint64_t seed);

/* Pairs are numbered, and each is what it is: two sides of the same pairs may be made at different
 * times. `shifted`: s_9 and s_10 become 2 sign(s) s^2. */

/* rows x LATENTS: s, m_x, m_t. */
void mixing_latents(const struct mixing *m, uint64_t first, size_t rows, bool shifted,
                    float *latents);

/* rows x mixer[side].width: images or texts. */
void mixing_observe(const struct mixing *m, enum side side, uint64_t first, size_t rows,
                    bool shifted, float *observed);

/* The share of each semantic variable's variance that a linear function of the kept ones explains,
 * R^2_j = S_jK S_KK^-1 S_Kj / S_jj: 1 for the kept ones, and for the others 0 where all are
 * independent. It is what the theory expects of a representation. */
void mixing_explained(const struct mixing *m, double r2[SEMANTIC]);

#endif
