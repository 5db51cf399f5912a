/* mixer.h - the map from latent variables to what is observed: a small invertible network.
 * SPDX-License-Identifier: MIT
 */
#ifndef MMK_STUDY_MIXER_H
#define MMK_STUDY_MIXER_H

#include <stddef.h>
#include <stdint.h>

enum { MIXER_LAYERS = 2, MIXER_WIDEST = 15 };

struct mixer {
    size_t width;
    float weight[MIXER_LAYERS][MIXER_WIDEST * MIXER_WIDEST];
    double worst_condition; /* of the weights */
};

void mixer_open(struct mixer *m, size_t width, uint64_t stream);

/* out (rows x width) from latents likewise, which are overwritten. */
void mixer_apply(const struct mixer *m, size_t rows, float *latents, float *out);

#endif
